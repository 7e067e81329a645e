"""SMTPUTF8 (RFC 6531): from the command to the mailbox, the next host and the report."""
import email
import json
import re
import unittest

from harness import NOBODY, Service, Talk, directory, maildir, wait_for

FAST = 'retry_first = "1s"\nretry_max = "2s"\n'
TEXT = "Subject: δοκιμή\r\n\r\nгрюсс\r\n.\r\n".encode()


def local(box, more=""):
    return f'domain "example.org" {{ users = "any" deliver = "maildir:{box}/%u" }}\n{more}'


def say(t, sender, rcpt, content=TEXT, parameters=" SMTPUTF8 BODY=8BITMIME"):
    """The codes of MAIL, RCPT and the end."""
    codes = [t(f"MAIL FROM:<{sender}>{parameters}")]
    if codes == [250]:
        codes.append(t(f"RCPT TO:<{rcpt}>"))
    if codes == [250, 250]:
        assert t("DATA") == 354
        t.raw(content)
        codes.append(t.reply("received data"))
    return codes


class Here(unittest.TestCase):
    def test_offered_and_delivered(self):
        box = directory("box", NOBODY)
        service = Service(local(box))
        self.addCleanup(service.stop)
        t = service.talk()
        t("EHLO client.example")
        self.assertIn("250-SMTPUTF8", t.lines)
        self.assertEqual(say(t, "δοκιμή@παράδειγμα.example", "用户@example.org"), [250, 250, 250])
        id = t.lines[-1].split()[2]
        wait_for(lambda: maildir(box / "用户"))
        raw = maildir(box / "用户")[0]
        self.assertTrue(raw.startswith("Return-Path: <δοκιμή@xn--hxajbheg2az3al.example>\n"
                                       "Delivered-To: 用户@example.org\n".encode()), raw[:200])
        self.assertIn(b" with UTF8SMTP id ", raw)
        self.assertTrue(raw.endswith("Subject: δοκιμή\n\nгрюсс\n".encode()))
        story = service.command("trace", id, check=0).stdout
        self.assertIn("delivered", story)

    def test_only_where_mail_said_so(self):
        box = directory("box", NOBODY)
        service = Service(local(box))
        self.addCleanup(service.stop)
        t = service.talk()
        t("EHLO client.example")
        self.assertEqual(say(t, "δ@client.example", "b@example.org", parameters=""), [553])
        self.assertTrue(t.lines[-1].startswith("553 5.6.7 "))
        self.assertEqual(say(t, "a@bücher.example", "b@example.org", parameters=""), [553])
        self.assertEqual(say(t, "a@client.example", "用户@example.org", parameters=""), [250, 553])
        t("RSET")
        # No UTF-8 at all.
        t.raw(b"MAIL FROM:<\xe4@client.example> SMTPUTF8\r\n")
        self.assertEqual(t.reply("MAIL"), 501)
        t.raw(b"MAIL FROM:<a\xc2\x85b@client.example> SMTPUTF8\r\n")
        self.assertEqual(t.reply("MAIL"), 501)
        self.assertEqual(t("HELO client.example"), 250)
        self.assertEqual(t("MAIL FROM:<a@client.example> SMTPUTF8"), 555)

    def test_off(self):
        service = Service(local("/nowhere"), listen_options='ehlo_without = { "8BITMIME" }')
        self.addCleanup(service.stop)
        t = service.talk()
        t("EHLO client.example")
        self.assertFalse([l for l in t.lines if "SMTPUTF8" in l])
        self.assertEqual(t("MAIL FROM:<a@client.example> SMTPUTF8"), 555)
        self.assertEqual(t("MAIL FROM:<δ@client.example>"), 501)

    def test_it_outlives_a_restart(self):
        mine = directory("mine", NOBODY)
        service = Service(f'domain "home.example" {{ users = "any" deliver = "maildir:{mine}/%u" }}\n'
                          'route "*" { via = "smtp://127.0.0.1:1" }\n')
        t = service.talk()
        t("EHLO client.example")
        self.assertEqual(say(t, "δ@home.example", "用户@partner.example"), [250, 250, 250])
        service.kill()
        service.start()
        self.addCleanup(service.stop)
        rows = wait_for(service.rows)
        self.assertEqual((rows[0]["from"], rows[0]["to"]), ("δ@home.example", "用户@partner.example"))


class Onward(unittest.TestCase):
    def pair(self, without=""):
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
        return t, box, mine

    def test_to_a_host_that_has_it(self):
        t, box, _ = self.pair()
        self.assertEqual(say(t, "δ@home.example", "用户@example.org"), [250, 250, 250])
        wait_for(lambda: maildir(box / "用户"))
        self.assertEqual(maildir(box / "用户")[0].count(b" with UTF8SMTP id "), 2)

    def test_to_one_that_has_not(self):
        t, box, mine = self.pair('"SMTPUTF8"')
        # The sender's address is ASCII: so is the report.
        self.assertEqual(say(t, "author@home.example", "用户@example.org"), [250, 250, 250])
        wait_for(lambda: maildir(mine / "author"))
        raw = maildir(mine / "author")[0]
        self.assertTrue(raw.isascii())
        self.assertIn(b"\nStatus: 5.6.7\n", raw)
        self.assertIn(b"\nFinal-Recipient: utf-8; \\x{7528}\\x{6237}@example.org\n", raw)
        parts = email.message_from_bytes(raw).get_payload()
        self.assertEqual([p.get_content_type() for p in parts],
                         ["text/plain", "message/delivery-status", "message/global-headers"])
        # … and here it is not.
        self.assertEqual(say(t, "δ@home.example", "用户@example.org"), [250, 250, 250])
        wait_for(lambda: maildir(mine / "δ"))
        raw = maildir(mine / "δ")[0]
        self.assertIn("\nFinal-Recipient: utf-8; 用户@example.org\n".encode(), raw)
        self.assertIn("\nTo: <δ@home.example>\n".encode(), raw)
        self.assertIn(b"\nContent-Type: message/global-delivery-status\n", raw)
        self.assertEqual(maildir(box / "用户"), [])

    def test_what_is_ascii_after_all_goes_anywhere(self):
        t, box, mine = self.pair('"SMTPUTF8"')
        plain = "Subject: plain\r\n\r\nгрюсс\r\n.\r\n".encode()
        self.assertEqual(say(t, "a@home.example", "b@example.org", plain), [250, 250, 250])
        wait_for(lambda: maildir(box / "b"))
        # A header that is not is reason enough.
        self.assertEqual(say(t, "a@home.example", "b@example.org"), [250, 250, 250])
        wait_for(lambda: maildir(mine / "a"))
        self.assertIn(b"\nStatus: 5.6.7\n", maildir(mine / "a")[0])
        self.assertEqual(len(maildir(box / "b")), 1)


if __name__ == "__main__":
    unittest.main()
