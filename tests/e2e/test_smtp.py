"""The SMTP server over real sockets: dialogue, limits, line ends, relaying."""
import re
import threading
import time
import unittest

from harness import NOBODY, Service, Talk, directory, maildir, send, wait_for

LIMITS = """
max_recipients = 5
max_useless_commands = 10
command_timeout = "2s"
data_timeout = "2s"
message_size = "1M"
"""


def conf(box, more=""):
    return f"""
domain "example.org" {{ users = "any" deliver = "maildir:{box}/%u" }}
domain "listed.example" {{ users = "file:{box}/users" deliver = "maildir:{box}/%u" }}
{more}
"""


class Dialogue(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.box = directory("box", NOBODY)
        (cls.box / "users").write_text("# who there is\nann\nben mailbox=%s/other\n" % cls.box)
        cls.service = Service(conf(cls.box))

    @classmethod
    def tearDownClass(cls):
        assert cls.service.stop() == 0

    def talk(self):
        t = self.service.talk()
        self.addCleanup(t.close)
        return t

    def test_banner_names_host_and_esmtp(self):
        self.assertRegex(self.talk().lines[0], r"^220 mx\.example ESMTP")

    def test_ehlo_lists_the_extensions(self):
        t = self.talk()
        self.assertEqual(t("EHLO c.example"), 250)
        words = {l[4:] for l in t.lines[1:]}
        self.assertTrue({"PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES", "SIZE 52428800"} <= words,
                        words)

    def test_helo_has_no_enhanced_codes(self):
        t = self.talk()
        self.assertEqual(t("HELO c.example"), 250)
        self.assertNotRegex(t.lines[0], r"^250 2\.\d\.\d")

    def test_order_of_commands(self):
        t = self.talk()
        self.assertEqual(t("MAIL FROM:<a@b.example>"), 503)
        self.assertEqual(t("EHLO c.example"), 250)
        self.assertEqual(t("RCPT TO:<x@example.org>"), 503)
        self.assertEqual(t("DATA"), 503)
        self.assertEqual(t("MAIL FROM:<a@b.example>"), 250)
        self.assertEqual(t("MAIL FROM:<a@b.example>"), 503)
        self.assertEqual(t("DATA"), 503)
        self.assertEqual(t("RSET"), 250)
        self.assertEqual(t("RCPT TO:<x@example.org>"), 503)
        self.assertEqual(t("QUIT"), 221)
        self.assertTrue(t.closed())

    def test_commands_without_effect(self):
        t = self.talk()
        self.assertEqual(t("NOOP anything"), 250)
        self.assertEqual(t("VRFY alice"), 250)
        self.assertEqual(t("HELP"), 214)
        self.assertEqual(t("EXPN staff"), 250)
        self.assertEqual(t("TURN"), 503)
        self.assertEqual(t("XYZZY"), 500)
        self.assertEqual(t("RSET now"), 501)

    def test_parameters(self):
        t = self.talk()
        t("EHLO c.example")
        self.assertEqual(t("MAIL FROM:<a@b.example> SIZE=99999999999"), 552)
        self.assertEqual(t("MAIL FROM:<a@b.example> SIZE=-1"), 501)
        self.assertEqual(t("MAIL FROM:<a@b.example> SIZE=18446744073709551617"), 552
                         if "552" in t.lines[-1][:3] else 501)
        self.assertEqual(t("MAIL FROM:<a@b.example> BODY=9BIT"), 501)
        self.assertEqual(t("MAIL FROM:<a@b.example> NONSENSE=1"), 555)
        self.assertEqual(t("MAIL FROM:<a@b.example> SIZE=100 BODY=8BITMIME"), 250)
        self.assertEqual(t("RCPT TO:<x@example.org> NONSENSE"), 555)

    def test_addresses(self):
        t = self.talk()
        t("EHLO c.example")
        for bad in ("FROM:a@b.example", "FROM:<a@b.example", "FROM:<a b@c>", "FROM:<a@-b>",
                    "FROM:<" + "l" * 65 + "@b.example>", "TO:<a@b.example>", ""):
            self.assertEqual(t(f"MAIL {bad}".rstrip()), 501, bad)
        self.assertEqual(t("MAIL FROM:<>"), 250)
        self.assertEqual(t("RCPT TO:<>"), 501)
        self.assertEqual(t('RCPT TO:<"a b"@example.org>'), 250)
        self.assertEqual(t("RCPT TO:<@r1.example,@r2.example:x@example.org>"), 250)
        self.assertEqual(t("RCPT TO:<postmaster>"), 250)

    def test_unknown_users_and_foreign_domains(self):
        t = Talk(self.service.port)     # 127.0.0.1 may relay
        t("EHLO c.example")
        t("MAIL FROM:<a@b.example>")
        self.assertEqual(t("RCPT TO:<ann@listed.example>"), 250)
        self.assertEqual(t("RCPT TO:<nobody@listed.example>"), 550)
        self.assertRegex(t.lines[0], "5.1.1")
        self.assertEqual(t("RCPT TO:<PostMaster@listed.example>"), 250)
        self.assertEqual(t("RCPT TO:<x@elsewhere.example>"), 250)
        t.close()
        stranger = Talk(self.service.port, source=("127.0.0.2", 0))
        stranger.close()

    def test_nul_bare_cr_and_bare_lf_in_commands(self):
        t = self.talk()
        for line in (b"NOOP\rQUIT", b"NOOP\nQUIT", b"QUIT\0X", b"\0", b"\r\r", b"NOOP\n"):
            t.raw(line + b"\r\n")
            self.assertEqual(t.reply("unknown"), 500)
            self.assertRegex(t.lines[0], "5.5.2")
        self.assertEqual(t("NOOP"), 250)

    def test_overlong_line_is_one_500(self):
        t = self.talk()
        t.raw(b"NOOP " + b"x" * 200000 + b"\r\nNOOP\r\n")
        self.assertEqual(t.reply("NOOP"), 500)
        self.assertEqual(t.reply("NOOP"), 250)

    def test_smuggling(self):
        """No sequence but CRLF.CRLF ends the data (CVE-2023-51764 and its kin)."""
        t = self.talk()
        t("EHLO c.example")
        for seq in (b"\n.\n", b"\n.\r", b"\r.\n", b"\r.\r", b"\n.\r\n", b"\r.\r\n",
                    b"\r\n\0.\r\n", b"\r\n.\r\r\n", b"\r\r\n.\r\r\n", b"\r\n.\n", b"\r\n.\r"):
            with self.subTest(seq):
                inner = b"MAIL FROM:<evil@b.example>\r\nRCPT TO:<smuggled@example.org>\r\nDATA\r\n"
                code, line = t.message(b"Subject: a\r\n\r\nx" + seq + inner + b"evil\r\n.\r\n")
                self.assertEqual(code, 550, line)
                self.assertRegex(line, "5.6.0")
                self.assertEqual(t("NOOP"), 250)    # in step
        self.assertEqual(maildir(self.box / "smuggled"), [])

    def test_pipelining(self):
        t = self.talk()
        t.raw(b"EHLO c.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<pipe@example.org>\r\n"
              b"RCPT TO:<no@listed.example>\r\nDATA\r\n")
        for command, code in (("EHLO", 250), ("MAIL", 250), ("RCPT", 250), ("RCPT", 550),
                              ("DATA", 354)):
            self.assertEqual(t.reply(command), code)
        t.raw(b"Subject: p\r\n\r\nbody\r\n.\r\nMAIL FROM:<>\r\nRSET\r\nQUIT\r\n")
        for command, code in (("received data", 250), ("MAIL", 250), ("RSET", 250),
                              ("QUIT", 221)):
            self.assertEqual(t.reply(command), code)

    def test_byte_by_byte(self):
        t = self.talk()
        for c in (b"EHLO c.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<bytes@example.org>\r\n"
                  b"DATA\r\nSubject: s\r\n\r\n..dot\r\n.\r\nQUIT\r\n"):
            t.raw(bytes([c]))
        for command in ("EHLO", "MAIL", "RCPT", "DATA", "received data", "QUIT"):
            t.reply(command)
        wait_for(lambda: maildir(self.box / "bytes"))
        self.assertIn(b"\n.dot\n", maildir(self.box / "bytes")[0])

    def test_a_client_that_vanishes_leaves_nothing(self):
        for upto in (b"EHLO c\r\n", b"EHLO c\r\nMAIL FROM:<a@b.example>\r\n",
                     b"EHLO c\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<gone@example.org>\r\n"
                     b"DATA\r\nSubject: x\r\n\r\nhalf a mess"):
            t = self.talk()
            t.raw(upto)
            time.sleep(0.1)
            t.close()
        time.sleep(0.3)
        self.assertEqual(maildir(self.box / "gone"), [])
        self.assertEqual(self.service.rows(), [])

    def test_all_recipients_refused(self):
        t = self.talk()
        t("EHLO c.example")
        t("MAIL FROM:<a@b.example>")
        t("RCPT TO:<no@listed.example>")
        self.assertEqual(t("DATA"), 554)

    def test_hundred_received_are_a_loop(self):
        t = self.talk()
        t("EHLO c.example")
        content = b"Received: x\r\n" * 101 + b"\r\nbody\r\n.\r\n"
        code, line = t.message(content, rcpts=["loop@example.org"])
        self.assertEqual(code, 554)
        self.assertRegex(line, "5.4.6")

    def test_content_arrives_as_sent(self):
        body = bytes(range(1, 10)) + bytes(range(14, 256)) + b"x" * 5000
        content = b"Subject: b\r\n\r\n" + body + b"\r\n\r\n..\r\n...x\r\n"
        sent = content.replace(b"\r\n..\r\n", b"\r\n...\r\n").replace(b"\r\n...x", b"\r\n....x")
        send(self.service.port, sent + b".\r\n", rcpts=["octets@example.org"])
        wait_for(lambda: maildir(self.box / "octets"))
        got = maildir(self.box / "octets")[0]
        self.assertTrue(got.endswith(content.replace(b"\r\n", b"\n")), got[-300:])


class Limits(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.box = directory("box", NOBODY)
        cls.service = Service(conf(cls.box, LIMITS).replace("listed", "other")
                              .replace("file:%s/users" % cls.box, "any"))

    @classmethod
    def tearDownClass(cls):
        assert cls.service.stop() == 0

    def test_recipients(self):
        t = self.service.talk()
        t("EHLO c.example")
        t("MAIL FROM:<a@b.example>")
        codes = [t(f"RCPT TO:<r{i}@example.org>") for i in range(7)]
        self.assertEqual(codes, [250] * 5 + [452] * 2)
        self.assertRegex(t.lines[0], "4.5.3")

    def test_useless_commands(self):
        t = self.service.talk()
        codes = []
        while not codes or codes[-1] == 250:
            codes.append(t("NOOP"))
            self.assertLess(len(codes), 100)
        self.assertEqual(codes[-1], 421)
        self.assertTrue(10 <= len(codes) <= 12, codes)
        self.assertTrue(t.closed())

    def test_command_time(self):
        t = self.service.talk()
        t("EHLO c.example")
        start = time.monotonic()
        self.assertEqual(t.reply(), 421)
        self.assertTrue(1.5 < time.monotonic() - start < 15)
        self.assertTrue(t.closed())

    def test_data_time(self):
        t = self.service.talk()
        t("EHLO c.example")
        t("MAIL FROM:<a@b.example>")
        t("RCPT TO:<slow@example.org>")
        t("DATA")
        t.raw(b"Subject: ")
        self.assertEqual(t.reply("received data"), 421)
        self.assertTrue(t.closed())

    def test_message_size(self):
        t = self.service.talk()
        t("EHLO c.example")
        self.assertEqual(t("MAIL FROM:<a@b.example> SIZE=1048577"), 552)
        code, line = t.message(b"x" * 70 + b"\r\n" + (b"y" * 998 + b"\r\n") * 1100 + b".\r\n",
                               rcpts=["big@example.org"])
        self.assertEqual(code, 552, line)
        self.assertEqual(t("NOOP"), 250)
        self.assertEqual(maildir(self.box / "big"), [])


class Sessions(unittest.TestCase):
    def test_per_client_across_all_smtpds(self):
        service = Service(conf("/nonexistent", "max_sessions_per_client = 3\n"
                               "max_sessions = 5\nsmtpd_processes = 2\n")
                          .replace("file:/nonexistent/users", "any"))
        mine = [service.talk() for _ in range(3)]
        fourth = service.talk(greet=False)
        self.assertEqual(fourth.reply("connect"), 421)
        self.assertTrue(fourth.closed())
        other = [Talk(service.port, source=("127.0.0.9", 0)) for _ in range(2)]
        sixth = Talk(service.port, source=("127.0.0.10", 0), greet=False)
        self.assertEqual(sixth.reply("connect"), 421)
        for t in mine + other:
            self.assertEqual(t("NOOP"), 250)
            t("QUIT")
            t.close()
        def again():
            t = service.talk(greet=False)
            code = t.reply("connect")
            t.close()
            return code == 220
        wait_for(again)
        self.assertEqual(service.stop(), 0)


class Strangers(unittest.TestCase):
    def test_relay_only_for_relay_from(self):
        service = Service(conf("/nonexistent", 'relay_from = { "127.0.0.2" }\n')
                          .replace("file:/nonexistent/users", "any"))
        for source, code in (("127.0.0.1", 550), ("127.0.0.2", 250)):
            t = Talk(service.port, source=(source, 0))
            t("EHLO c.example")
            t("MAIL FROM:<a@b.example>")
            self.assertEqual(t("RCPT TO:<x@foreign.example>"), code)
            if code == 550:
                self.assertRegex(t.lines[0], "5.7.1")
            self.assertEqual(t("RCPT TO:<x@example.org>"), 250)
            t.close()
        self.assertEqual(service.stop(), 0)


class Convert(unittest.TestCase):
    def test_bare_newlines_become_line_ends_but_never_an_end(self):
        box = directory("box", NOBODY)
        (box / "users").write_text("ann\n")
        service = Service(conf(box), listen_options='bare_newlines = "convert"')
        t = service.talk()
        t("EHLO c.example")
        code, line = t.message(b"Subject: c\r\n\r\none\ntwo\n.\nMAIL FROM:<x@y.example>\n.\r\nend\r\n.\r\n",
                               rcpts=["conv@example.org"])
        self.assertEqual(code, 250, line)
        wait_for(lambda: maildir(box / "conv"))
        self.assertTrue(maildir(box / "conv")[0].endswith(
            b"\n\none\ntwo\n.\nMAIL FROM:<x@y.example>\n.\nend\n"), maildir(box / "conv")[0])
        code, line = t.message(b"Subject: c\r\n\r\nnul\0\r\n.\r\n", rcpts=["conv@example.org"])
        self.assertEqual(code, 550, line)
        self.assertEqual(t("NOOP"), 250)
        self.assertEqual(service.stop(), 0)


if __name__ == "__main__":
    unittest.main()
