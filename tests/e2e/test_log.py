"""The log: as text, as JSON, to a syslog service; whoever reads it, or does not."""
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
import unittest

from harness import (NOBODY, SLOW, Service, directory, free_port, maildir, send, wait_for)

LINE = re.compile(r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z (\w+) '
                  r'event=[a-z_]+( [a-z_]+=("[ !#-\[\]-~\\]*"|[!#-<>-~]*))*$')
FOREIGN = '"a\\"b=c level=error\\\\ "@example.org'


class Syslog:
    """A syslog service as far as others see it: a datagram socket that is read."""

    def __init__(self, path):
        self.path, self.lines, self.ended = str(path), [], False
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(self.path)
        os.chmod(self.path, 0o666)
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        self.sock.settimeout(0.1)
        while not self.ended:
            try:
                self.lines.append(self.sock.recv(65536).decode("ascii"))
            except socket.timeout:
                pass

    def close(self):
        self.ended = True
        self.thread.join()
        self.sock.close()

    def with_event(self, name, program=""):
        return [l for l in self.lines if f"event={name}" in l and f"sallyport/{program}" in l
                or f'"event":"{name}"' in l]


def service(box, more, root=False):
    """One whose ready line is not on standard error as text."""
    port = free_port()
    s = Service(f'domain "example.org" {{ users = "any" deliver = "maildir:{box}/%u" }}\n' + more,
                start=False, listen=(f"127.0.0.1:{port}",), root=root)
    s.port = port
    return s


class Text(unittest.TestCase):
    def test_lines_ids_and_foreign_bytes(self):
        box = directory("box", NOBODY)
        (box / "users").write_text("known password=hunter2 color=blue\n")
        s = Service(f'domain "example.org" {{ users = "any" deliver = "maildir:{box}/%u" }}\n'
                    f'domain "files.example" {{ users = "file:{box}/users" '
                    f'deliver = "maildir:{box}/%u" }}\n')
        id = send(s.port, b"Subject: x\r\n\r\nthe secret body\r\n.\r\n", rcpts=["x@example.org"])
        wait_for(lambda: maildir(box / "x"))
        t = s.talk()
        t("EHLO client.example")
        t(f"MAIL FROM:<{FOREIGN}>")
        t("RCPT TO:<unknown@files.example>")
        t("RCPT TO:<x@example.org>")
        t.close()
        wait_for(lambda: s.events("rcpt_refused"))
        self.assertEqual(s.stop(), 0)
        text = s.log_text()
        for line in text.splitlines():
            self.assertRegex(line, LINE)
        # an id joins the processes
        self.assertLessEqual({("smtpd", "accepted"), ("queue", "delivered"), ("local", "delivered")},
                             set(re.findall(rf"(?m)^\S+ (\w+) event=(\w+) .*\b{id}\b", text)))
        self.assertIn(r'from="\x22a\x5c\x22b=c level=error\x5c\x5c \x22@example.org"', text)
        self.assertRegex(text, r"event=table_entry_wrong .*line=1 ")
        for secret in ("hunter2", "secret body"):
            self.assertNotIn(secret, text)


class Json(unittest.TestCase):
    def test_every_line_is_an_object(self):
        box = directory("box", NOBODY)
        s = service(box, 'log = "json"\n')
        s.start(wait=False)
        wait_for(lambda: '"event":"ready"' in s.log_text(), 20)
        id = send(s.port, sender="a@b.example", rcpts=["x@example.org"])
        send(s.port, sender=FOREIGN, rcpts=["x@example.org"])
        wait_for(lambda: len(maildir(box / "x")) == 2)
        s.wait_empty()
        os.kill(s.pids()["lookup"][0], signal.SIGKILL)
        wait_for(lambda: '"event":"died"' in s.log_text())
        self.assertEqual(s.stop(), 0)
        lines = [json.loads(l) for l in s.log_text().splitlines()]
        for line in lines:
            self.assertEqual(list(line)[:4], ["time", "program", "level", "event"])
            self.assertRegex(line["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")
        by = {}
        for line in lines:
            by.setdefault(line["event"], []).append(line)
        died = by["died"][0]
        self.assertEqual((died["program"], died["level"], died["process"], died["signal"]),
                         ("master", "error", "lookup", 9))
        self.assertEqual([l["id"] for l in by["delivered"]][0], id)
        self.assertIn(FOREIGN, [l.get("from") for l in by["accepted"]])
        self.assertIsInstance(by["accepted"][0]["size"], int)


class Reload(unittest.TestCase):
    def test_the_log_follows_its_settings(self):
        box = directory("box", NOBODY)
        where = directory("syslog", NOBODY)
        log = Syslog(where / "log")
        s = Service(f'domain "example.org" {{ users = "any" deliver = "maildir:{box}/%u" }}\n')
        plain = s.conf_file.read_text()

        def reload(more):
            s.conf_file.write_text(plain + more)
            s.command("reload", check=0)
        reload('log = "json"\n')
        wait_for(lambda: '"event":"reloaded"' in s.log_text() or
                 send(s.port, rcpts=["x@example.org"]) and '"event":"accepted"' in s.log_text())
        reload(f'log_to = "syslog:{where}/log"\n')
        id = send(s.port, rcpts=["x@example.org"])
        wait_for(lambda: [l for l in log.with_event("delivered", "queue") if id in l])
        reload("")
        id = send(s.port, rcpts=["x@example.org"])
        wait_for(lambda: [e for e in s.events("delivered") if e.get("id") == id])
        self.assertNotIn(id, "".join(log.lines))
        self.assertEqual(s.stop(), 0)
        log.close()


class ToSyslog(unittest.TestCase):
    def run_it(self, more="", root=False):
        box = directory("box", NOBODY)
        where = directory("syslog", NOBODY)
        log = Syslog(where / "log")
        s = service(box, f'log_to = "syslog:{where}/log"\n' + more, root)
        s.start(wait=False)
        wait_for(lambda: log.with_event("ready"), 20)
        return s, log, box

    def test_facility_severity_and_tag(self):
        s, log, box = self.run_it()
        send(s.port, rcpts=["x@example.org"])
        wait_for(lambda: log.with_event("delivered"))
        os.kill(s.pids()["lookup"][0], signal.SIGKILL)
        wait_for(lambda: log.with_event("died"))
        self.assertEqual(s.stop(), 0)
        wait_for(lambda: log.with_event("stopping"))
        log.close()
        for line in log.lines:
            self.assertRegex(line, r"^<\d+>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d "
                                   r"sallyport/\w+: event=[ -~]*$")
        self.assertRegex(log.with_event("delivered", "queue")[0], r"^<22>.* sallyport/queue: ")
        self.assertRegex(log.with_event("died")[0], r"^<19>.* sallyport/master: ")
        self.assertEqual(s.log_text(), "")

    def test_json(self):
        s, log, box = self.run_it('log = "json"\n')
        self.assertEqual(s.stop(), 0)
        wait_for(lambda: log.with_event("stopping"))
        log.close()
        for line in log.lines:
            o = json.loads(re.match(r"^<\d+>\S+ +\d+ \S+ sallyport/\w+: (.*)$", line).group(1))
            self.assertEqual(list(o)[:4], ["time", "program", "level", "event"])

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_as_root(self):
        s, log, box = self.run_it(root=True)
        self.assertEqual(s.stop(), 0)
        wait_for(lambda: log.with_event("stopping"))
        log.close()

    def test_it_is_restarted_and_nothing_is_lost(self):
        s, log, box = self.run_it()
        for n in range(5):
            log.close()
            ids = [send(s.port, rcpts=["x@example.org"]) for _ in range(5)]
            again = Syslog(log.path)
            log = again
            for id in ids:
                wait_for(lambda: [l for l in log.lines if f"event=delivered id={id}" in l])
        self.assertEqual(s.stop(), 0)
        log.close()
        # it said that it could not
        self.assertIn("event=syslog_away", s.log_text())

    def test_one_that_hangs_holds_up_nobody(self):
        s, log, box = self.run_it()
        log.ended = True
        log.thread.join()
        start = time.monotonic()
        for _ in range(200):
            send(s.port, rcpts=["x@example.org"])
        self.assertLess(time.monotonic() - start, 20 * SLOW)
        self.assertIn("service ", s.command("status").stdout)
        log.ended = False
        log.thread = threading.Thread(target=log.read, daemon=True)
        log.thread.start()
        wait_for(lambda: len(log.with_event("delivered", "queue")) == 200)
        log.ended = True
        log.thread.join()
        # at the end the rest goes to standard error
        s.term()
        self.assertEqual(s.proc.wait(12 * SLOW), 0)
        self.assertEqual(s.stop(), 0)
        log.close()

    def test_without_one(self):
        box = directory("box", NOBODY)
        s = service(box, f'log_to = "syslog:{box}/nothing"\n')
        s.start(wait=False)
        wait_for(lambda: "event=syslog_away" in s.log_text())
        wait_for(lambda: "there is no syslog service" in s.command("status").stdout)
        self.assertEqual(s.command("status").returncode, 1)
        send(s.port, rcpts=["x@example.org"])
        wait_for(lambda: maildir(box / "x"))
        self.assertEqual(s.stop(), 0)
        text = s.log_text()
        self.assertEqual(text.count("syslog_away"), 1)
        self.assertIn("event=delivered", text)


class Slow(unittest.TestCase):
    def test_nobody_reads_and_mail_goes_on(self):
        box = directory("box", NOBODY)
        s = service(box, "")
        out, into = os.pipe()
        with open(s.log_file, "wb"):
            pass
        s.proc = subprocess.Popen(s._argv("run", "-c", str(s.conf_file)), stderr=into,
                                  stdin=subprocess.DEVNULL, cwd="/", start_new_session=True)
        s.log = open(s.log_file, "ab")
        os.close(into)
        wait_for(lambda: "service " in s.command("status").stdout)
        t = s.talk()
        t("EHLO client.example")
        count = 1500
        for _ in range(count):
            t.raw(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<x@example.org>\r\nDATA\r\n")
            self.assertEqual([t.reply() for _ in range(3)], [250, 250, 354])
            t.raw(b"Subject: x\r\n\r\nx\r\n.\r\n")
            self.assertEqual(t.reply("received data"), 250)
        t.close()
        s.wait_empty(60)
        text = b""
        s.term()
        while True:
            more = os.read(out, 1 << 20)
            if not more:
                break
            text += more
        os.close(out)
        self.assertEqual(s.stop(), 0)
        lines = text.decode("ascii").splitlines()
        for line in lines:
            self.assertRegex(line, LINE)
        dropped = sum(int(n) for n in re.findall(r" dropped=(\d+)", "\n".join(lines)))
        delivered = sum("queue event=delivered" in l for l in lines)
        self.assertLessEqual(delivered, count)
        self.assertGreaterEqual(delivered + dropped, count)


if __name__ == "__main__":
    unittest.main()
