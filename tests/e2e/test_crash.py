"""SIGKILL under load, with a ledger of every 250 and of every delivered file.

Single processes and all of them at once are killed while CLIENTS clients send
as fast as they can.  Every message that got a 250 must be in its mailbox in
the end; one that is there twice must have been under way when something was
killed.  A kill counts as "with a commit under way" if at that moment a client
had sent the end of its data and had no reply yet.
"""
import collections
import os
import re
import signal
import socket
import threading
import time
import unittest

from harness import NOBODY, Service, directory, wait_for

CLIENTS = 20
HOST_CONCURRENCY = 20   # connections of remote to one host, the default
BETWEEN = 200           # acknowledged messages between kills, at least
VICTIMS = ["queue", "local", "all", "smtpd", "remote", "queue", "all", "lookup", "local", "control",
           "all", "queue", "remote", "logger", "all", "smtpd", "local", "queue", "all", "resolver",
           "remote", "all"]


class Sender(threading.Thread):
    """One client: connects, sends, keeps its ledger, and begins again after a cut."""

    def __init__(self, load, number):
        super().__init__(daemon=True)
        self.load, self.number, self.waiting, self.n = load, number, False, 0

    def run(self):
        while not self.load.over:
            try:
                self.session()
            except (OSError, EOFError):
                self.waiting = False
                time.sleep(0.05)

    def session(self):
        with socket.create_connection(("127.0.0.1", self.load.service.port), timeout=20) as s:
            stream = s.makefile("rb")

            def reply():
                while True:
                    line = stream.readline()
                    if not line.endswith(b"\r\n"):
                        raise EOFError
                    if line[3:4] != b"-":
                        return int(line[:3])

            def must(code, wanted):
                if code != wanted:
                    raise EOFError(code)

            must(reply(), 220)
            s.sendall(b"EHLO c.example\r\n")
            must(reply(), 250)
            while not self.load.over:
                self.n += 1     # a name is never used again, whatever became of it
                name = f"{self.number}.{self.n}"
                domain = "far.example" if self.n % 3 == 0 else "example.org"
                s.sendall(f"MAIL FROM:<>\r\nRCPT TO:<box{self.n % 4}@{domain}>\r\n"
                          "DATA\r\n".encode())
                must(reply(), 250)
                must(reply(), 250)
                must(reply(), 354)
                self.waiting = True
                s.sendall(f"Subject: {name}\r\nX-Ledger: {name}\r\n\r\n{'x' * 2000}\r\n.\r\n"
                          .encode())
                code = reply()
                self.waiting = False
                must(code, 250)
                self.load.acknowledged(name)


class Load:
    def __init__(self, service):
        self.service, self.over = service, False
        self.ledger, self.lock = set(), threading.Lock()
        self.senders = [Sender(self, i) for i in range(CLIENTS)]
        for s in self.senders:
            s.start()

    def acknowledged(self, name):
        with self.lock:
            self.ledger.add(name)

    def stop(self):
        self.over = True
        for s in self.senders:
            s.join(30)


def delivered(box):
    found = collections.Counter()
    for d, _, files in os.walk(box):
        if not d.endswith("/new"):
            continue
        for f in files:
            with open(os.path.join(d, f), "rb") as handle:
                text = handle.read()
            name = re.search(rb"X-Ledger: (\S+)\n\n(x{2000})\n\Z", text)
            assert name, f"a partial message: {d}/{f}: {text[-200:]}"
            found[name.group(1).decode()] += 1
    return found


class Crash(unittest.TestCase):
    def test_kill_9_under_load(self):
        near, far = directory("near", NOBODY), directory("far", NOBODY)
        there = Service(f'domain "far.example" {{ users = "any" deliver = "maildir:{far}/%u" }}\n',
                        hostname="far.example")
        service = Service(f"""
domain "example.org" {{ users = "any" deliver = "maildir:{near}/%u" }}
route "far.example" {{ via = "smtp://127.0.0.1:{there.port}" }}
retry_first = "1s"
retry_max = "2s"
segment_size = "2M"
""")
        port = service.port
        conf = service.conf_file.read_text().replace("127.0.0.1:0", f"127.0.0.1:{port}")
        service.conf_file.write_text(conf)
        load = Load(service)
        under_way = 0
        for victim in VICTIMS:
            enough = len(load.ledger) + BETWEEN
            wait_for(lambda: len(load.ledger) >= enough, 60)
            pids = service.pids()
            if victim == "all":
                targets = [p for ps in pids.values() for p in ps]
            else:
                targets = pids.get(victim, [])
            under_way += any(s.waiting for s in load.senders)
            for pid in targets:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            if victim == "all":
                service.proc.wait(10)
                service.start()
        load.stop()
        try:
            service.wait_empty(120)
            there.wait_empty(60)
        except AssertionError:
            rows = service.rows()
            raise AssertionError(f"{len(rows)} still queued: {rows[:3]}\n"
                                 + service.log_text()[-3000:])
        here, yonder = delivered(near), delivered(far)
        found = here + yonder
        lost = load.ledger - set(found)
        twice = {n for n, c in found.items() if c > 1}
        print(f"\n{len(VICTIMS)} kills, {under_way} with a commit under way; "
              f"{len(load.ledger)} acknowledged, {len(lost)} lost, "
              f"{len(twice)} twice (each under way at a kill), "
              f"{len(set(found) - load.ledger)} delivered without a reply heard", flush=True)
        self.assertEqual(lost, set())
        self.assertGreaterEqual(under_way * 2, len(VICTIMS))
        # A Maildir delivery has a name made of id and recipient: never twice.  A next host
        # may get twice what it had answered while the answer was not yet recorded: at most
        # a connection's message each, at each kill of remote (alone or with all).
        self.assertEqual({n for n, c in here.items() if c > 1}, set())
        kills = sum(v in ("remote", "all") for v in VICTIMS)
        self.assertLessEqual(len(twice), HOST_CONCURRENCY * kills)
        self.assertEqual(service.stop(), 0)
        self.assertEqual(there.stop(), 0)


if __name__ == "__main__":
    unittest.main()
