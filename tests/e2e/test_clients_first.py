"""What a client says first: early talkers, and the PROXY protocol."""
import os
import signal
import socket
import struct
import time
import unittest

from harness import NOBODY, SLOW, Service, Talk, directory, maildir, wait_for

FOREIGN = "relay_from = {}\n"


def local(box, more=FOREIGN):
    return f'domain "example.org" {{ users = "any" deliver = "maildir:{box}/%u" }}\n{more}'


def rest(sock):
    """All that comes until the other side closes."""
    got = b""
    try:
        while more := sock.recv(65536):
            got += more
    except ConnectionResetError:
        pass
    return got


class EarlyTalkers(unittest.TestCase):
    def speak(self, service, octets):
        """It is all there before the server knows of the connection."""
        smtpds = service.pids()["smtpd"]
        for pid in smtpds:
            os.kill(pid, signal.SIGSTOP)
        try:
            s = socket.create_connection(("127.0.0.1", service.port), 10)
            s.sendall(octets)
            s.shutdown(socket.SHUT_WR)
        finally:
            for pid in smtpds:
                os.kill(pid, signal.SIGCONT)
        with s:
            return rest(s)

    def service(self, more=FOREIGN):
        service = Service(local("/nowhere", more))
        self.addCleanup(service.stop)
        return service

    def test_refused_at_once(self):
        service = self.service()
        for octets in (b"EHLO client.example\r\nMAIL FROM:<>\r\n",
                       b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                       b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(512)):
            self.assertRegex(self.speak(service, octets), rb"^554 5\.5\.0 [^\r\n]*\r\n$")
        self.assertTrue(service.events("early_talker"))

    def test_who_waits_is_served_without_delay(self):
        service = self.service()
        before = time.monotonic()
        for _ in range(20):
            t = service.talk()
            self.assertEqual(t.banner, 220)
            t.close()
        self.assertLess(time.monotonic() - before, 1 * SLOW)
        self.assertEqual(service.events("early_talker"), [])

    def test_allowed(self):
        service = self.service(FOREIGN + 'early_talkers = "allow"\n')
        said = self.speak(service, b"EHLO client.example\r\nQUIT\r\n")
        self.assertTrue(said.startswith(b"220 "), said)
        trusted = self.service("")
        said = self.speak(trusted, b"EHLO client.example\r\nQUIT\r\n")
        self.assertTrue(said.startswith(b"220 "), said)
        self.assertIn(b"\r\n221 ", said)


class Proxy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.box = directory("box", NOBODY)
        cls.service = Service(local(cls.box), listen_options='proxy = { "127.0.0.1/32" }')

    @classmethod
    def tearDownClass(cls):
        assert cls.service.stop() == 0

    def connect(self, header, source="127.0.0.1"):
        t = Talk.__new__(Talk)
        t.sock = socket.create_connection(("127.0.0.1", self.service.port), 15 * SLOW, (source, 0))
        t.data = b""
        t.raw(header)
        return t

    def v2(self, command=1, family=0x11, payload=None):
        if payload is None:
            payload = (socket.inet_aton("192.0.2.7") + socket.inet_aton("192.0.2.8") +
                       struct.pack(">HH", 4711, 25))
        return (b"\r\n\r\n\0\r\nQUIT\n" + struct.pack(">BBH", 0x20 | command, family, len(payload)) +
                payload)

    def test_the_client_is_who_the_header_names(self):
        for user, header, client in (
                ("one", b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 25\r\n", "192.0.2.1"),
                ("two", b"PROXY TCP6 2001:db8::1 2001:db8::2 4711 25\r\n", "IPv6:2001:db8::1"),
                ("three", self.v2(), "192.0.2.7"),
                ("itself", b"PROXY UNKNOWN\r\n", "127.0.0.1"),
                ("health", self.v2(command=0, payload=b""), "127.0.0.1")):
            # Behind the header nobody speaks early: the proxy does not wait.
            t = self.connect(header + b"EHLO client.example\r\n")
            self.assertEqual([t.reply("connect"), t.reply("EHLO")], [220, 250])
            self.assertEqual(t.message(b"Subject: x\r\n\r\n.\r\n", rcpts=[f"{user}@example.org"])[0],
                             250)
            wait_for(lambda: maildir(self.box / user))
            self.assertIn(f"([{client}])".encode(), maildir(self.box / user)[0])

    def test_octet_by_octet(self):
        t = self.connect(b"")
        for c in self.v2():
            t.raw(bytes([c]))
            time.sleep(0.002)
        self.assertEqual(t.reply("connect"), 220)
        self.assertIn("192.0.2.7", [e["client"] for e in self.service.events("connect")])

    def test_what_is_no_header_ends_it(self):
        for header in (b"EHLO client.example\r\n", b"PROXY TCP4 1 2 3 4\r\n", self.v2(command=3),
                       b"PROXY " + b"x" * 200, self.v2(payload=b"abc"), b"\r\n\r\n\0\r\nQUIT\r"):
            t = self.connect(header)
            self.assertEqual(rest(t.sock), b"", header)
        self.assertTrue(self.service.events("proxy_header"))

    def test_one_that_does_not_come(self):
        t = self.connect(b"PROXY ")
        before = time.monotonic()
        self.assertEqual(rest(t.sock), b"")
        self.assertLess(time.monotonic() - before, 9 * SLOW)

    def test_others_have_none(self):
        t = self.connect(b"", source="127.0.0.3")
        self.assertEqual(t.reply("connect"), 220)
        t.raw(b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 25\r\n")
        self.assertEqual(t.reply("unknown"), 500)

    def test_many_that_say_nothing(self):
        idle = [self.connect(b"") for _ in range(200)]
        before = time.monotonic()
        t = self.connect(b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 25\r\n")
        self.assertEqual(t.reply("connect"), 220)
        self.assertLess(time.monotonic() - before, 1 * SLOW)
        for i in idle:
            i.close()


class Settings(unittest.TestCase):
    def test_what_is_no_block(self):
        service = Service("", listen_options='proxy = { "proxy.example" }', start=False)
        done = service.command("check", check=1)
        self.assertRegex(done.stderr, r"sallyport\.conf:4: .*proxy\.example.* is wrong; ")

    def test_limits(self):
        service = Service("max_recipients = 7\n")
        self.addCleanup(service.stop)
        t = service.talk()
        t("EHLO client.example")
        self.assertIn("250-LIMITS RCPTMAX=7", t.lines)


if __name__ == "__main__":
    unittest.main()
