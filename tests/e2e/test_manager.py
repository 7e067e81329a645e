"""Started by a service manager: its sockets, its watchdog, what it is told."""
import os
import re
import signal
import smtplib
import socket
import threading
import time
import unittest

from harness import IS_ROOT, NOBODY, SLOW, Service, directory, free_port, maildir, send, wait_for

MAIL = b"Subject: x\r\n\r\nhello\r\n"


class Managed(Service):
    """A service started as systemd starts one: `sockets` are handed over from 3 on,
    `told` collects what it says."""

    def __init__(self, listen, sockets=(), watchdog=None, **kw):
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        where = directory("manager", NOBODY) / "notify"
        self.manager.bind(str(where))
        os.chmod(where, 0o666)
        self.environment = {"NOTIFY_SOCKET": str(where)}
        if watchdog is not None:
            self.environment["WATCHDOG_USEC"] = str(int(watchdog * 1e6))
        self.box = directory("box", NOBODY)
        start = kw.pop("start", True)
        super().__init__(f'domain "example.org" {{ users = "any" '
                         f'deliver = "maildir:{self.box}/%u" }}\n',
                         listen=listen, start=False, **kw)
        self.pass_fds = tuple(s.fileno() for s in sockets)
        if start:
            self.start()

    def _argv(self, *words):
        argv = super()._argv(*words)
        if words[0] != "run":
            return argv
        places = " ".join(f"{3 + i}<&{fd}" for i, fd in enumerate(self.pass_fds))
        script = f"exec {places}\n" if places else ""
        for fd in self.pass_fds:        # where they came from
            if not 3 <= fd < 3 + len(self.pass_fds):
                script += f"exec {fd}<&-\n"
        count = f"LISTEN_FDS={len(self.pass_fds)} LISTEN_PID=$$" if self.pass_fds else ""
        watchdog = "WATCHDOG_PID=$$" if "WATCHDOG_USEC" in self.environment else ""
        values = " ".join(f"{k}={v}" for k, v in self.environment.items())
        return ["bash", "-c", f'{script}exec env {count} {watchdog} {values} "$@"', "bash", *argv]

    def told(self, seconds=0):
        """The next message; None if there is none within that time."""
        self.manager.settimeout(seconds * SLOW + 0.001)
        try:
            return self.manager.recv(8192).decode()
        except socket.timeout:
            return None

    def told_until(self, text, seconds=15):
        """All messages up to the first that matches."""
        got = []
        end = time.monotonic() + seconds * SLOW
        while time.monotonic() < end:
            message = self.told(1)
            if message is not None:
                got.append(message)
                if re.fullmatch(text, message):
                    return got
        raise AssertionError(f"never {text!r}: {got}\n{self.log_text()[-2000:]}")

    def quiet(self):
        """What it said so far is forgotten."""
        while self.told() is not None:
            pass


def listening(address="127.0.0.1", port=0, backlog=1024):
    s = socket.create_server((address, port), backlog=backlog,
                             family=socket.AF_INET6 if ":" in address else socket.AF_INET)
    return s, s.getsockname()[1]


class Told(unittest.TestCase):
    def test_the_life_of_a_service(self):
        service = Managed(["127.0.0.1:0"], start=False)
        service.start(wait=False)
        got = service.told_until("READY=1", 30)
        self.assertEqual(got, ["STATUS=Starting", "READY=1"])
        got = service.told_until("STATUS=Accepting.*")
        self.assertRegex(got[0], r"^STATUS=Accepting mail on 127\.0\.0\.1:\d+$")
        service.term()
        self.assertEqual(service.told_until("STATUS=Stopping"), ["STOPPING=1", "STATUS=Stopping"])
        self.assertEqual(service.stop(), 0)
        # No watchdog was asked for: it was not fed.
        self.assertIsNone(service.told())

    def test_a_process_that_dies_is_in_the_status(self):
        service = Managed(["127.0.0.1:0"])
        service.quiet()
        os.kill(service.pids()["lookup"][0], signal.SIGKILL)
        service.told_until(r"STATUS=Accepting mail on [0-9.:]+; waiting for lookup")
        service.told_until(r"STATUS=Accepting mail on [0-9.:]+")
        self.assertEqual(service.stop(), 0)

    def test_no_process_inherits_the_variables(self):
        if not IS_ROOT:
            self.skipTest("needs root, to read the environment of others")
        service = Managed(["127.0.0.1:0"], watchdog=60)
        for name, pids in service.pids().items():
            for pid in pids if name != "master" else ():
                with open(f"/proc/{pid}/environ", "rb") as f:
                    text = f.read()
                self.assertNotRegex(text, b"NOTIFY|WATCHDOG|LISTEN", name)
        self.assertEqual(service.stop(), 0)


class Watchdog(unittest.TestCase):
    def test_it_is_fed(self):
        service = Managed(["127.0.0.1:0"], watchdog=6 * SLOW)
        service.quiet()
        for _ in range(5):
            service.told_until("WATCHDOG=1", 3)
        self.assertEqual(service.stop(), 0)

    def test_it_is_not_fed_while_a_process_does_not_answer(self):
        """Each of them in turn; when it has been replaced the feeding goes on."""
        patience = 5 * SLOW
        service = Managed(["127.0.0.1:0"], watchdog=patience)
        for name in ("smtpd", "queue", "local", "logger"):
            with self.subTest(name):
                service.told_until("WATCHDOG=1")
                pid = service.pids()[name][0]
                os.kill(pid, signal.SIGSTOP)
                time.sleep(0.05)
                service.quiet()
                began = time.monotonic()
                # One answer may have been under way.
                got = service.told_until(rf"STATUS=.* waiting for {name} \(does not answer\)")
                self.assertLessEqual(got.count("WATCHDOG=1"), 1, got)
                got = service.told_until(rf"STATUS=.* waiting for {name}")
                self.assertNotIn("WATCHDOG=1", got)
                got = service.told_until("STATUS=[^;]*")
                self.assertNotIn("WATCHDOG=1", got)
                service.told_until("WATCHDOG=1")
                # The manager would not have lost its patience.
                self.assertLess(time.monotonic() - began, patience)
                self.assertNotIn(pid, service.pids()[name])
                send(service.port)
        self.assertEqual(service.stop(), 0)


class Inherited(unittest.TestCase):
    def test_each_goes_to_the_listen_of_its_address(self):
        a, aport = listening()
        b, bport = listening("127.0.0.2")
        six, port6 = listening("::1")
        own = free_port()
        service = Managed([f"127.0.0.2:{bport}", f"127.0.0.1:{own}", f"[::1]:{port6}",
                           f"127.0.0.1:{aport}"], sockets=[a, b, six])
        addresses = [":".join(x) for x in service.addresses]
        self.assertEqual(addresses, [f"127.0.0.2:{bport}", f"127.0.0.1:{own}",
                                     f"[::1]:{port6}", f"127.0.0.1:{aport}"])
        for host, port in (("127.0.0.1", aport), ("127.0.0.1", own), ("127.0.0.2", bport),
                           ("::1", port6)):
            with smtplib.SMTP(host, port, "client.example") as s:
                s.sendmail("a@client.example", ["alice@example.org"], MAIL)
        wait_for(lambda: len(maildir(service.box / "alice")) == 4)
        self.assertEqual(service.stop(), 0)
        for s in (a, b, six):
            s.close()

    def refused(self, listen, sockets, error, environment=None):
        service = Managed(listen, sockets=sockets, start=False)
        if environment:
            service.environment.update(environment)
        service.start(wait=False)
        self.assertEqual(service.proc.wait(30), 1, service.log_text())
        self.assertRegex(service.log_text(), error)
        self.assertNotIn("READY=1", [service.told() for _ in range(3)])
        for s in sockets:
            s.close()

    def test_one_that_no_listen_names(self):
        s, port = listening()
        self.refused(["127.0.0.1:0"], [s],
                     rf"address 127\.0\.0\.1, port {port}; a listen statement with the same")

    def test_one_that_does_not_listen(self):
        s = socket.socket()
        s.bind(("127.0.0.1", 0))
        self.refused(["127.0.0.1:0"], [s], "inherited descriptor 3 does not listen")

    def test_the_same_address_twice(self):
        s, port = listening()
        self.refused([f"127.0.0.1:{port}"], [s, s.dup()],
                     rf"address 127\.0\.0\.1, port {port}")

    def test_those_of_another_process_are_left_alone(self):
        service = Managed(["127.0.0.1:0"], start=False)
        service.environment.update(LISTEN_PID="1", LISTEN_FDS="5")
        service.start()
        send(service.port)
        self.assertEqual(service.stop(), 0)


class Restart(unittest.TestCase):
    """The sockets stay with the manager: who connects meanwhile waits, and is served."""

    def setUp(self):
        self.socket, self.port = listening()
        self.acknowledged = []
        self.refused = 0
        self.errors = []
        self.end = False

    def one(self, number):
        """Send until it was taken; a connection may be ended, but none refused."""
        subject = f"message {number}"
        while not self.end:
            try:
                with smtplib.SMTP("127.0.0.1", self.port, "client.example",
                                  timeout=30 * SLOW) as s:
                    s.sendmail("a@client.example", ["alice@example.org"],
                               f"Subject: {subject}\r\n\r\nx\r\n".encode())
                    self.acknowledged.append(subject)
                    return
            except ConnectionRefusedError as e:
                self.refused += 1
                self.errors.append(e)
                return
            except (smtplib.SMTPException, ConnectionResetError, BrokenPipeError):
                continue        # 421, or cut off: the client's next try

    def send_all(self, worker):
        number = 0
        while not self.end:
            self.one(f"{worker}.{number}")
            number += 1

    def test_nothing_is_refused_or_lost(self):
        service = Managed([f"127.0.0.1:{self.port}"], sockets=[self.socket])
        clients = [threading.Thread(target=self.send_all, args=(i,)) for i in range(4)]
        for c in clients:
            c.start()
        try:
            for _ in range(4):
                before = len(self.acknowledged)
                wait_for(lambda: len(self.acknowledged) >= before + 20, 30)
                self.assertEqual(service.stop(), 0)
                time.sleep(0.3)
                service.start()
        finally:
            self.end = True
            for c in clients:
                c.join(60 * SLOW)
        self.assertEqual(self.refused, 0, self.errors[:3])
        self.assertGreater(len(self.acknowledged), 80)
        service.wait_empty()
        got = [re.search(rb"Subject: (.*)\r?\n", m).group(1).decode()
               for m in maildir(service.box / "alice")]
        self.assertEqual(set(self.acknowledged) - set(got), set())
        self.assertEqual(service.stop(), 0)
        self.socket.close()

    def test_the_first_connection_starts_it(self):
        """As systemd does: nothing runs before somebody connects, and he is served."""
        service = Managed([f"127.0.0.1:{self.port}"], start=False)
        self.socket.close()
        run = ["systemd-socket-activate", "-l", f"127.0.0.1:{self.port}", "--",
               *Service._argv(service, "run", "-c", str(service.conf_file))]
        service._argv = lambda *words: run if words[0] == "run" else \
            Service._argv(service, *words)
        service.start(wait=False)
        wait_for(lambda: "Listening on" in service.log_text())
        time.sleep(0.3)
        self.assertNotIn("event=ready", service.log_text())
        with smtplib.SMTP("127.0.0.1", self.port, "client.example", timeout=30) as s:
            s.sendmail("a@client.example", ["alice@example.org"], MAIL)
        wait_for(lambda: maildir(service.box / "alice"))
        self.assertIn("event=ready", service.log_text())
        self.assertEqual(service.stop(), 0)


if __name__ == "__main__":
    unittest.main()
