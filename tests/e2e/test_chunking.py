"""CHUNKING and BINARYMIME (RFC 3030): BDAT against the real service, to mailboxes and hosts."""
import re
import time
import unittest

from harness import NOBODY, SLOW, Service, Talk, directory, maildir, wait_for

FAST = 'retry_first = "1s"\nretry_max = "2s"\n'
BINARY = (b"Subject: b\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\n"
          b"Content-Transfer-Encoding: binary\r\n\r\n" + bytes(range(256)) + b"\r\n.\r\n\r\r\n\n")


def local(box, more=""):
    return f'domain "example.org" {{ users = "any" deliver = "maildir:{box}/%u" }}\n{more}'


def below_trace(raw):
    """A mailbox file without what Sallyport put above it."""
    return raw[re.search(rb"\n(?=Subject: )", raw).end():]


class Chunks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.box = directory("box", NOBODY)
        cls.service = Service(local(cls.box, 'message_size = "3M"\nmax_useless_commands = 20\n'))

    @classmethod
    def tearDownClass(cls):
        assert cls.service.stop() == 0

    def begin(self, user, parameters=""):
        t = self.service.talk()
        self.assertEqual(t("EHLO client.example"), 250)
        self.transaction(t, user, parameters)
        return t

    def transaction(self, t, user, parameters=""):
        self.assertEqual(t(f"MAIL FROM:<a@client.example>{parameters}"), 250, t.lines)
        self.assertEqual(t(f"RCPT TO:<{user}@example.org>"), 250)

    def chunk(self, t, octets, last=False):
        t.raw(b"BDAT %d%s\r\n" % (len(octets), b" LAST" if last else b"") + octets)
        return t.reply("BDAT")

    def got(self, user, n=1):
        wait_for(lambda: len(maildir(self.box / user)) == n)
        return below_trace(maildir(self.box / user)[-1])

    def in_step(self, t):
        self.assertEqual(t("NOOP"), 250)
        t.raw(b"VRFY\r\n")
        self.assertEqual(t.reply("VRFY"), 501)

    def test_announced(self):
        t = self.service.talk()
        t("EHLO client.example")
        self.assertIn("250-CHUNKING", t.lines)
        self.assertIn("250-BINARYMIME", t.lines)

    def test_chunks_are_one_message(self):
        t = self.begin("one")
        self.assertEqual(self.chunk(t, b"Subject: x\r\n\r"), 250)
        self.assertEqual(self.chunk(t, b"\n.\r\n..\r\nend"), 250)
        self.assertEqual(self.chunk(t, b"", last=True), 250)
        self.assertRegex(t.lines[-1], r"^250 2\.0\.0 [0-9a-z]{16} ")
        self.assertEqual(self.got("one"), b"Subject: x\n\n.\n..\nend")
        # … and the session goes on, by DATA too.
        t.message(b"Subject: y\r\n\r\n.\r\n", rcpts=["one@example.org"])
        self.assertEqual(len(wait_for(lambda: maildir(self.box / "one")[1:])), 1)

    def test_a_chunk_for_each_octet(self):
        text = b"Subject: tiny\r\n\r\n" + b"0123456789" * 30 + b"\r\n"
        t = self.begin("tiny")
        t.raw(b"".join(b"BDAT 1\r\n%c" % c for c in text) + b"BDAT 0 LAST\r\n")
        for _ in text:
            self.assertEqual(t.reply("BDAT"), 250)
        self.assertEqual(t.reply("BDAT"), 250)
        self.assertEqual(self.got("tiny"), text.replace(b"\r\n", b"\n"))

    def test_empty_chunks_without_end_are_useless(self):
        t = self.begin("none")
        t.raw(b"BDAT 0\r\n" * 30)
        codes = [t.reply("BDAT") for _ in range(21)]
        self.assertEqual(codes, [250] * 20 + [421])
        self.assertTrue(t.closed())

    def test_large_and_pipelined(self):
        line = b"x" * 998 + b"\r\n"
        body = b"Subject: large\r\n\r\n" + line * 2000
        t = self.service.talk()
        t("EHLO client.example")
        t.raw(b"MAIL FROM:<a@client.example>\r\nRCPT TO:<large@example.org>\r\n" +
              b"".join(b"BDAT %d\r\n" % len(body[i:i + 70001]) + body[i:i + 70001]
                       for i in range(0, len(body), 70001)) +
              b"BDAT 0 LAST\r\nMAIL FROM:<>\r\nRCPT TO:<large@example.org>\r\n"
              b"BDAT 12 LAST\r\nSubject: x\r\nQUIT\r\n")
        self.assertEqual([t.reply("MAIL"), t.reply("RCPT")], [250, 250])
        for _ in range(0, len(body), 70001):
            self.assertEqual(t.reply("BDAT"), 250)
        self.assertEqual([t.reply("BDAT"), t.reply("MAIL"), t.reply("RCPT"), t.reply("BDAT"),
                          t.reply("QUIT")], [250, 250, 250, 250, 221])
        wait_for(lambda: len(maildir(self.box / "large")) == 2, 20)
        sizes = sorted(len(below_trace(m)) for m in maildir(self.box / "large"))
        self.assertEqual(sizes, [11, len(body) - 2002])

    def test_a_number_beyond_32_bits(self):
        """Others take it for an empty chunk and read the chunk as commands."""
        for size in (4294967296, 4294967296 + 40, 1 << 62, 1 << 64, 10 ** 30):
            t = self.begin("wrap")
            t.raw(b"BDAT %d LAST\r\n" % size)
            self.assertEqual(t.reply("BDAT"), 552)
            t.raw(b"MAIL FROM:<b@client.example>\r\nRCPT TO:<wrap@example.org>\r\nDATA\r\n")
            t.sock.settimeout(0.3)
            with self.assertRaises(TimeoutError):
                t.line()
            t.close()
        self.assertEqual(maildir(self.box / "wrap"), [])

    def test_no_number(self):
        t = self.begin("number")
        for what in ("", "-1", "+1", "- 1", "1.0", "0x1", "1k", " LAST", "LAST", "1 LAST 1",
                     "1 FIRST", "１"):
            t.raw(f"BDAT {what}\r\n".encode())
            self.assertIn(t.reply("BDAT"), (500, 501), what)
        self.assertEqual(self.chunk(t, b"Subject: n\r\n\r\n", last=True), 250)
        self.got("number")

    def test_a_refused_chunk_is_dropped(self):
        t = self.service.talk()
        evil = b"MAIL FROM:<evil@client.example>\r\nRCPT TO:<evil@example.org>\r\nDATA\r\nx\r\n.\r\n"
        self.assertEqual(self.chunk(t, evil), 503)
        t("EHLO client.example")
        self.assertEqual(self.chunk(t, evil, last=True), 503)
        self.in_step(t)
        t("MAIL FROM:<a@client.example>")
        self.assertEqual(self.chunk(t, evil), 503)
        self.assertEqual(t("RCPT TO:<x@elsewhere.example>", "RCPT"), 250)
        self.assertEqual(self.chunk(t, evil * 1000), 250)
        for _ in range(60):
            code = self.chunk(t, evil * 1000)
            if code == 552:
                break
        self.assertEqual(code, 552)
        self.assertEqual(self.chunk(t, evil), 552)
        self.assertEqual(t("DATA"), 503)
        self.assertEqual(t("RSET"), 250)
        self.in_step(t)
        self.assertEqual(maildir(self.box / "evil"), [])

    def test_bare_newlines_and_nul(self):
        for octets in (b"Subject: x\n\r\n", b"Subject: x\r\n\r", b"Subject: x\r\n\r\n\0"):
            t = self.begin("bare")
            self.assertEqual(self.chunk(t, octets, last=True), 550)
            self.in_step(t)
            self.transaction(t, "bare")
            # Known with the first chunk: the message is lost, and the rest is read.
            first = self.chunk(t, octets)
            self.assertEqual(first, 550 if octets[-1:] != b"\r" else 250)
            self.assertEqual(self.chunk(t, b"abc"), 550)
            self.assertEqual(self.chunk(t, b"abc", last=True), 550)
            self.in_step(t)
            t.close()
        self.assertEqual(maildir(self.box / "bare"), [])

    def test_reset_in_the_middle(self):
        t = self.begin("reset")
        for size in (10, 200000):
            self.assertEqual(self.chunk(t, b"x" * size), 250)
            self.assertEqual(t("RSET"), 250)
            self.assertEqual(self.chunk(t, b"y" * 10, last=True), 503)
            self.transaction(t, "reset")
        self.assertEqual(self.chunk(t, b"Subject: z\r\n", last=True), 250)
        self.assertEqual(self.got("reset"), b"Subject: z\n")
        self.transaction(t, "reset")
        self.assertEqual(self.chunk(t, b"x" * 200000), 250)
        self.assertEqual(t("EHLO client.example"), 250)
        self.transaction(t, "reset")
        self.assertEqual(self.chunk(t, b"x" * 200000), 250)
        self.assertEqual(t("QUIT"), 221)
        self.assertEqual(len(maildir(self.box / "reset")), 1)

    def test_data_and_bdat_do_not_mix(self):
        t = self.begin("mix")
        self.assertEqual(self.chunk(t, b"Subject: z\r\n"), 250)
        self.assertEqual(t("DATA"), 503)
        self.assertEqual(t("MAIL FROM:<>"), 503)
        self.assertEqual(t("RCPT TO:<mix@example.org>"), 503)
        self.assertEqual(self.chunk(t, b"", last=True), 250)
        self.assertEqual(self.chunk(t, b"", last=True), 503)
        self.transaction(t, "mix", " BODY=BINARYMIME")
        self.assertEqual(t("DATA"), 503)
        self.assertEqual(self.chunk(t, b"Subject: z\r\n\r\n\0", last=True), 250)

    def test_slowly_and_octet_by_octet(self):
        t = self.begin("slow")
        for c in b"BDAT 14 LAST\r\nSubject: x\r\n\r\n":
            t.raw(b"%c" % c)
            time.sleep(0.001)
        self.assertEqual(t.reply("BDAT"), 250)
        self.assertEqual(self.got("slow"), b"Subject: x\n\n")

    def test_binary_to_a_mailbox(self):
        for size in (0, 1500000):
            t = self.begin("binary", " BODY=BINARYMIME")
            octets = BINARY + b"\0\n\r\xff\r\n" * (size // 6)
            self.assertEqual(self.chunk(t, octets[:100]), 250)
            self.assertEqual(self.chunk(t, octets[100:], last=True), 250)
            wait_for(lambda: len(maildir(self.box / "binary")) > (size > 0), 20)
            header, body = octets.split(b"\r\n\r\n", 1)
            want = header.replace(b"\r\n", b"\n") + b"\n\n" + body
            self.assertIn(want, [below_trace(m) for m in maildir(self.box / "binary")])
            t.close()

    def test_many_who_stop_in_a_chunk_harm_nobody(self):
        stuck = []
        for _ in range(200):
            t = self.begin("stuck")
            t.raw(b"BDAT 1000000\r\n" + b"x" * 1000)
            stuck.append(t)
        before = time.monotonic()
        t = self.begin("free")
        self.assertEqual(self.chunk(t, b"Subject: x\r\n\r\n", last=True), 250)
        self.assertLess(time.monotonic() - before, 1 * SLOW)
        for s in stuck:
            s.close()


class Off(unittest.TestCase):
    def test_not_offered_not_served(self):
        box = directory("box", NOBODY)
        service = Service(local(box), listen_options='ehlo_without = { "chunking" }')
        try:
            t = service.talk()
            t("EHLO client.example")
            self.assertFalse([l for l in t.lines if "CHUNKING" in l or "BINARYMIME" in l])
            self.assertIn("250-8BITMIME", t.lines)
            t.raw(b"MAIL FROM:<> BODY=BINARYMIME\r\n")
            self.assertEqual(t.reply("MAIL"), 501)
            t("MAIL FROM:<>")
            t("RCPT TO:<a@example.org>")
            t.raw(b"BDAT 6 LAST\r\nQUIT\r\n")
            self.assertEqual(t.reply("BDAT"), 502)
            self.assertEqual(t("NOOP"), 250)
        finally:
            service.stop()
        service = Service(local(box), listen_options='ehlo_without = { "SIZE", "8BITMIME", '
                          '"PIPELINING", "CHUNKING", "LIMITS", "ENHANCEDSTATUSCODES" }')
        try:
            t = service.talk()
            t("EHLO client.example")
            self.assertEqual(t.lines, ["250 mx.example"])
            for p in ("SIZE=1", "BODY=8BITMIME"):
                self.assertEqual(t(f"MAIL FROM:<> {p}"), 555)
            t("MAIL FROM:<>")
            self.assertEqual(t.lines, ["250 Sender OK"])
        finally:
            service.stop()

    def test_a_keyword_that_is_none(self):
        service = Service("", listen_options='ehlo_without = { "CHUNKS" }', start=False)
        done = service.command("check", check=1)
        self.assertRegex(done.stderr, r"sallyport\.conf:4: .*CHUNKS.* is wrong; .*CHUNKING")


class Onward(unittest.TestCase):
    def relay(self, without):
        box = directory("box", NOBODY)
        there = Service(local(box), hostname="next.example",
                        listen_options=f"ehlo_without = {{ {without} }}")
        mine = directory("mine", NOBODY)
        here = Service(f'domain "home.example" {{ users = "any" deliver = "maildir:{mine}/%u" }}\n'
                       f'route "*" {{ via = "smtp://127.0.0.1:{there.port}" }}\n{FAST}')
        self.addCleanup(there.stop)
        self.addCleanup(here.stop)
        t = here.talk()
        t("EHLO client.example")
        t("MAIL FROM:<a@home.example> BODY=BINARYMIME")
        t("RCPT TO:<b@example.org>")
        t.raw(b"BDAT %d LAST\r\n" % len(BINARY) + BINARY)
        self.assertEqual(t.reply("BDAT"), 250)
        return box, mine

    def test_to_a_host_that_takes_it(self):
        box, _ = self.relay("")
        wait_for(lambda: maildir(box / "b"))
        header, body = BINARY.split(b"\r\n\r\n", 1)
        self.assertTrue(maildir(box / "b")[0].endswith(
            header.replace(b"\r\n", b"\n") + b"\n\n" + body))

    def test_to_one_that_does_not(self):
        box, mine = self.relay('"BINARYMIME"')
        wait_for(lambda: maildir(mine / "a"))
        bounce = maildir(mine / "a")[0]
        self.assertIn(b"\nStatus: 5.6.1\n", bounce)
        self.assertEqual(maildir(box / "b"), [])


if __name__ == "__main__":
    unittest.main()
