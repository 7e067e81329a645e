"""What strangers may try: slow, endless, many at once, other protocols; honest clients do not feel it."""
import pathlib
import re
import resource
import socket
import threading
import time
import unittest

from harness import NOBODY, SLOW, Service, Talk, directory, maildir, send, wait_for

IDLE = 5000


def memory_kb(service):
    """Anonymous memory of all smtpds; that of a sanitized build says nothing."""
    total = 0
    if SLOW > 1:
        return 0
    for pid in service.pids()["smtpd"]:
        text = pathlib.Path(f"/proc/{pid}/status").read_text()
        total += int(re.search(r"RssAnon:\s+(\d+)", text).group(1))
    return total


class Abuse(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.box = directory("box", NOBODY)
        cls.service = Service(f'domain "example.org" {{ users = "any" deliver = "maildir:{cls.box}/%u" }}\n'
                              'command_timeout = "4s"\ndata_timeout = "4s"\n')

    @classmethod
    def tearDownClass(cls):
        assert cls.service.stop() == 0

    def setUp(self):
        self.alive = set(self.service.pids()["smtpd"])

    def tearDown(self):
        self.assertEqual(set(self.service.pids()["smtpd"]), self.alive, "an smtpd died")
        self.honest()

    def honest(self):
        before = time.monotonic()
        send(self.service.port, rcpts=["honest@example.org"])
        self.assertLess(time.monotonic() - before, 1 * SLOW)

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.service.port), 30 * SLOW)

    def until_closed(self, s, seconds):
        """What comes until the server closes, which it does within the time."""
        s.settimeout(seconds * SLOW)
        got = b""
        try:
            while more := s.recv(65536):
                got += more
        except ConnectionResetError:
            pass
        return got

    def test_an_octet_at_a_time_gains_no_time(self):
        """RFC 5321 section 4.5.3.2.7: the time is that of a command, not of an octet."""
        s = self.connect()
        before = time.monotonic()
        got = b""
        s.settimeout(0.5)
        while time.monotonic() - before < 10 * SLOW:
            try:
                s.sendall(b"E")
                more = s.recv(65536)
                if not more:
                    break
                got += more
            except TimeoutError:
                continue
            except (ConnectionResetError, BrokenPipeError):
                break
        self.assertIn(b"421 4.4.2 ", got)
        self.assertLess(time.monotonic() - before, 9 * SLOW)

    def test_a_hundred_thousand_pipelined_commands(self):
        """Nobody reads the replies: they stop the input, and fill no memory."""
        for line in (b"RSET\r\n", b"NOOP\r\n", b"MAIL FROM:<a@client.example>\r\n", b"XYZZY\r\n",
                     b"BDAT 0\r\n", b"VRFY a\r\n"):
            s = self.connect()
            before = memory_kb(self.service)
            sender = threading.Thread(target=self.push, args=(s, line * 100000), daemon=True)
            sender.start()
            time.sleep(0.3)
            self.honest()
            self.assertLess(memory_kb(self.service) - before, 8192)
            got = self.until_closed(s, 20)
            self.assertTrue(got.startswith(b"220 "), got[:100])
            self.assertRegex(got.splitlines()[-1], rb"^421 4\.7\.0 ", line)
            sender.join(10)
            s.close()

    def push(self, s, octets):
        try:
            s.sendall(octets)
        except OSError:
            pass

    def test_a_line_without_end(self):
        s = self.connect()
        before = memory_kb(self.service)
        self.push(s, b"EHLO " + b"x" * (32 << 20))
        self.assertLess(memory_kb(self.service) - before, 8192)
        self.push(s, b"\r\nNOOP\r\nQUIT\r\n")
        codes = re.findall(rb"^(\d\d\d) ", self.until_closed(s, 20), re.M)
        self.assertEqual(codes, [b"220", b"500", b"250", b"221"])

    def test_other_protocols(self):
        hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2
        for octets in (b"GET / HTTP/1.1\r\nHost: mx.example\r\nUser-Agent: x\r\n\r\n",
                       b"POST / HTTP/1.1\r\nContent-Length: 70\r\n\r\n"
                       b"EHLO a\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<honest@example.org>\r\nDATA\r\n",
                       hello, b"SSH-2.0-OpenSSH_9.2\r\n", bytes(4096), b"\xff\xf4\xff\xfd\x06" * 100):
            s = self.connect()
            self.push(s, octets)
            s.shutdown(socket.SHUT_WR)
            got = self.until_closed(s, 10)
            self.assertTrue(got.startswith(b"220 "))
            self.assertTrue(all(32 <= c < 127 or c in b"\r\n" for c in got), got)
            self.assertLess(max(map(len, got.split(b"\r\n"))), 511)

    def test_half_closed(self):
        """Whoever says nothing more may still read what it is told."""
        s = self.connect()
        s.sendall(b"EHLO client.example\r\nMAIL FROM:<a@client.example>\r\nRCPT TO:<half@example.org>\r\n"
                  b"DATA\r\n")
        s.shutdown(socket.SHUT_WR)
        self.assertIn(b"220 ", self.until_closed(s, 5))
        s = self.connect()
        s.shutdown(socket.SHUT_WR)
        self.until_closed(s, 5)
        s = self.connect()
        s.sendall(b"EHLO client.example\r\nMAIL FROM:<>\r\nRCPT TO:<half@example.org>\r\nBDAT 100\r\nabc")
        s.shutdown(socket.SHUT_RD)
        s.close()
        self.assertEqual(maildir(self.box / "half"), [])


class Many(unittest.TestCase):
    def test_honest_clients_beside_five_thousand_idle_ones(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < IDLE + 200:
            self.skipTest(f"ulimit -n is {hard}")
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        box = directory("box", NOBODY)
        service = Service(f'domain "example.org" {{ users = "any" deliver = "maildir:{box}/%u" }}\n'
                          f'max_sessions = {IDLE + 100}\n')
        self.addCleanup(service.stop)
        before = memory_kb(service)
        idle = []
        try:
            for i in range(IDLE):
                s = socket.create_connection(("127.0.0.1", service.port), 30 * SLOW)
                idle.append(s)
            for i, s in enumerate(idle):
                assert s.recv(4096).startswith(b"220 ")
                # Some stop within a line, or a transaction.
                s.sendall((b"", b"EHLO client.exam", b"EHLO c\r\nMAIL FROM:<>\r\n")[i % 3])
            each = (memory_kb(service) - before) / IDLE
            self.assertLess(each, 8, "KB for an idle session")
            for _ in range(10):
                begin = time.monotonic()
                send(service.port, rcpts=["honest@example.org"])
                self.assertLess(time.monotonic() - begin, 1 * SLOW)
            wait_for(lambda: len(maildir(box / "honest")) == 10)
        finally:
            for s in idle:
                s.close()


if __name__ == "__main__":
    unittest.main()
