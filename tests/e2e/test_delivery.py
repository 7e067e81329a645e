"""From the 250 to the mailbox and to the next host, and what the commands say of it."""
import email
import email.policy
import json
import os
import pathlib
import re
import time
import unittest

from harness import (IS_ROOT, NOBODY, Dns, Service, Talk, directory, free_port, maildir, send,
                     wait_for)

FAST_RETRY = 'retry_first = "1s"\nretry_max = "2s"\n'


def local(box, more=""):
    return f'domain "example.org" {{ users = "any" deliver = "maildir:{box}/%u" }}\n{more}'


def anonymous_kb(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+)", text).group(1))


class Local(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.box = directory("box", NOBODY)
        cls.service = Service(local(cls.box, FAST_RETRY))

    @classmethod
    def tearDownClass(cls):
        assert cls.service.stop() == 0

    def test_fields_stand_above_in_order(self):
        id = send(self.service.port, b"From: a@client.example\r\nSubject: hi\r\n\r\nhello\r\n.\r\n",
                  rcpts=["order@example.org"])
        wait_for(lambda: maildir(self.box / "order"))
        lines = maildir(self.box / "order")[0].decode().split("\n")
        self.assertEqual(lines[0], "Return-Path: <a@client.example>")
        self.assertEqual(lines[1], "Delivered-To: order@example.org")
        self.assertRegex(lines[2], r"^Received: from client\.example")
        got = email.message_from_bytes(maildir(self.box / "order")[0], policy=email.policy.default)
        self.assertIn(id, got["Received"])
        self.assertIn("by mx.example", got["Received"])
        self.assertIn("127.0.0.1", got["Received"])
        self.assertEqual(got["Subject"], "hi")
        self.assertEqual(got.get_content(), "hello\n")

    def test_null_sender(self):
        send(self.service.port, sender="", rcpts=["null@example.org"])
        wait_for(lambda: maildir(self.box / "null"))
        self.assertTrue(maildir(self.box / "null")[0].startswith(b"Return-Path: <>\n"))

    def test_maildir_is_made_and_private(self):
        send(self.service.port, rcpts=["made@example.org"])
        wait_for(lambda: maildir(self.box / "made"))
        for d in ("", "tmp", "new", "cur"):
            self.assertEqual(os.stat(self.box / "made" / d).st_mode & 0o777, 0o700)
        self.assertEqual(os.listdir(self.box / "made/tmp"), [])

    def test_several_recipients_each_get_one(self):
        names = [f"many{i}" for i in range(300)]
        send(self.service.port, rcpts=[n + "@example.org" for n in names])
        wait_for(lambda: all(maildir(self.box / n) for n in names), 30)
        self.service.wait_empty()
        for n in names:
            self.assertEqual(len(maildir(self.box / n)), 1)

    def test_loop_is_cut_by_delivered_to(self):
        id = send(self.service.port, b"Delivered-To: round@example.org\r\n\r\nx\r\n.\r\n",
                  sender="sender@example.org", rcpts=["round@example.org"])
        wait_for(lambda: maildir(self.box / "sender"))
        self.assertEqual(maildir(self.box / "round"), [])
        self.assertIn(b"5.4.6", maildir(self.box / "sender")[0])
        self.assertIn("failed", self.service.command("trace", id, check=0).stdout)

    def test_names_that_could_be_paths(self):
        t = self.service.talk()
        t("EHLO c.example")
        t("MAIL FROM:<>")
        for evil in ('"../x"', '"a/b"', '".."', '"."', '".hidden"', "-x", '"-rf"'):
            self.assertEqual(t(f"RCPT TO:<{evil}@example.org>"), 553, evil)
        t.close()

    def test_a_long_trace(self):
        id = send(self.service.port, rcpts=["traced@example.org"])
        wait_for(lambda: maildir(self.box / "traced"))
        self.service.wait_empty()
        done = wait_for(lambda: (t := self.service.command("trace", id)).stdout.count("\n") >= 2 and t)
        lines = done.stdout.splitlines()
        self.assertIn("accepted from <a@client.example> to <traced@example.org>", lines[0])
        self.assertIn("delivered <traced@example.org>", lines[1])
        events = [json.loads(l) for l in
                  self.service.command("trace", "--json", id, check=0).stdout.splitlines()]
        self.assertEqual([e["event"] for e in events], ["accepted", "delivered"])
        self.assertEqual(self.service.command("trace", "0123456789abcdef").returncode, 1)
        self.assertEqual(self.service.command("trace", "nonsense").returncode, 2)


class Large(unittest.TestCase):
    def test_fifty_megabytes_without_memory_and_without_delay(self):
        box = directory("box", NOBODY)
        service = Service(local(box))
        line = b"z" * 76 + b"\r\n"
        content = b"Subject: big\r\n\r\n" + line * (49 * 1024 * 1024 // len(line))
        peak, waits = {}, []

        def watch():
            for name, pids in service.pids().items():
                for pid in pids:
                    try:
                        peak[name] = max(peak.get(name, 0), anonymous_kb(pid))
                    except (FileNotFoundError, AttributeError, ProcessLookupError):
                        pass

        t = service.talk()
        t("EHLO c.example")
        t("MAIL FROM:<a@b.example>")
        t("RCPT TO:<large@example.org>")
        t("DATA")
        step = 1024 * 1024
        for at in range(0, len(content), step):
            t.raw(content[at:at + step])
            if at % (8 * step) == 0:
                watch()
        start = time.monotonic()
        send(service.port, rcpts=["small@example.org"])
        waits.append(time.monotonic() - start)
        t.raw(b".\r\n")
        start = time.monotonic()
        send(service.port, rcpts=["small@example.org"])
        waits.append(time.monotonic() - start)
        watch()
        self.assertEqual(t.reply("received data"), 250)
        while not maildir(box / "large"):
            watch()
            time.sleep(0.02)
        service.wait_empty(30)
        got = maildir(box / "large")[0]
        self.assertTrue(got.endswith(content.replace(b"\r\n", b"\n")))
        self.assertLess(max(waits), 3, "a small message waited for the large one")
        if not os.environ.get("SLOW"):      # a sanitizer's own memory is larger
            self.assertLess(max(peak.values()), 16 * 1024, peak)
        self.assertEqual(service.stop(), 0)
        self.assertEqual(os.listdir(service.spool / "content"), [])


ZONES = {
    "two.example": "@ MX 10 down\n@ MX 20 up\ndown A 127.0.0.3\nup A 127.0.0.1\n",
    "implicit.example": "@ A 127.0.0.1\n",
    "null.example": "@ MX 0 .\n",
    "six.example": "@ MX 10 h\nh AAAA ::1\n",
    "gone.example": "@ MX 10 nowhere.gone.example.\n",
}


class Remote(unittest.TestCase):
    """Two Sallyports and a name server; port 25 is the next hop's where root may bind it."""

    @classmethod
    def setUpClass(cls):
        cls.dns = Dns(ZONES)
        cls.box, cls.mine = directory("box", NOBODY), directory("box", NOBODY)
        (cls.box / "users").write_text("ann\nben\n")
        (cls.box / "users").chmod(0o644)
        cls.next = Service(f'domain "partner.example" {{ users = "file:{cls.box}/users" '
                           f'deliver = "maildir:{cls.box}/%u" }}\n', hostname="next.example")
        cls.service = Service(local(cls.mine, FAST_RETRY) +
                              f'resolver = "127.0.0.1@{cls.dns.port}"\n'
                              f'route "partner.example" {{ via = "smtp://127.0.0.1:{cls.next.port}" }}\n'
                              f'route "dead.example" {{ via = "smtp://127.0.0.1:{free_port()}" }}\n')

    @classmethod
    def tearDownClass(cls):
        assert cls.service.stop() == 0
        assert cls.next.stop() == 0
        cls.dns.stop()

    def test_by_route_with_dots_and_reuse(self):
        body = b"Subject: r\r\n\r\n..\r\n...two\r\nplain\r\n.\r\n"
        for i in range(20):
            send(self.service.port, body, rcpts=["ann@partner.example"])
        wait_for(lambda: len(maildir(self.box / "ann")) >= 20, 20)
        self.service.wait_empty()
        got = maildir(self.box / "ann")
        self.assertEqual(len(got), 20)
        self.assertTrue(all(g.endswith(b"\n\n.\n..two\nplain\n") for g in got), got[0])
        self.assertEqual(got[0].count(b"Received: "), 2)

    def test_eight_bit_goes_through(self):
        t = self.service.talk()
        t("EHLO c.example")
        t("MAIL FROM:<a@client.example> BODY=8BITMIME")
        t("RCPT TO:<ben@partner.example>")
        t("DATA")
        t.raw("Subject: 8\r\n\r\ngrüße\r\n.\r\n".encode())
        self.assertEqual(t.reply("received data"), 250)
        wait_for(lambda: maildir(self.box / "ben"))
        self.assertTrue(maildir(self.box / "ben")[0].endswith("grüße\n".encode()))

    def test_an_unknown_user_there_is_a_bounce_here(self):
        id = send(self.service.port, b"Subject: lost\r\nX-Mark: 42\r\n\r\nsecret body\r\n.\r\n",
                  sender="author@example.org", rcpts=["nobody@partner.example"])
        wait_for(lambda: maildir(self.mine / "author"))
        raw = maildir(self.mine / "author")[0]
        self.assertTrue(raw.startswith(b"Return-Path: <>\n"))
        bounce = email.message_from_bytes(raw)
        self.assertEqual(bounce.get_content_type(), "multipart/report")
        self.assertEqual(bounce.get_param("report-type"), "delivery-status")
        self.assertEqual(bounce["Auto-Submitted"], "auto-replied")
        text, status, header = bounce.get_payload()
        self.assertIn("nobody@partner.example", text.get_payload())
        self.assertEqual(status.get_content_type(), "message/delivery-status")
        message, rcpt = status.get_payload()
        self.assertEqual(message["Reporting-MTA"], "dns; mx.example")
        self.assertEqual(rcpt["Final-Recipient"], "rfc822; nobody@partner.example")
        self.assertEqual(rcpt["Action"], "failed")
        self.assertEqual(rcpt["Status"], "5.1.1")
        self.assertIn("550", rcpt["Diagnostic-Code"])
        self.assertIn("X-Mark: 42", header.as_string())
        self.assertNotIn(b"secret body", raw)
        trace = self.service.command("trace", id, check=0).stdout
        self.assertIn("failed <nobody@partner.example>", trace)
        self.assertIn("tells of the failure of " + id, trace)

    def test_double_bounces_are_dropped(self):
        send(self.service.port, sender="", rcpts=["nobody@partner.example"])
        wait_for(lambda: self.service.events("double_bounce_dropped"))
        self.service.wait_empty()

    def test_null_mx(self):
        id = send(self.service.port, sender="nullmx@example.org", rcpts=["x@null.example"])
        wait_for(lambda: maildir(self.mine / "nullmx"))
        self.assertIn(b"5.1.10", maildir(self.mine / "nullmx")[0])
        self.assertIn("556 5.1.10", self.service.command("trace", id, check=0).stdout)

    def test_no_such_domain(self):
        # nsd refuses what it has no zone for: a temporary error, never a bounce
        id = send(self.service.port, sender="nodom@example.org", rcpts=["x@nodomain.test"])
        row = wait_for(lambda: [r for r in self.service.rows(f"id={id}") if r["code"]])[0]
        self.assertEqual(row["state"], "deferred")
        self.assertEqual(row["code"], 451)
        # … and in a zone that answers: the name does not exist
        id = send(self.service.port, sender="nodom@example.org", rcpts=["x@not.two.example"])
        wait_for(lambda: maildir(self.mine / "nodom"))
        self.assertIn(b"5.1.2", maildir(self.mine / "nodom")[0])
        self.service.command("queue", "delete", "to=x@nodomain.test", check=0)

    def test_queue_commands(self):
        s = self.service
        ids = [send(s.port, sender=f"q{i}@client.example", rcpts=["x@dead.example"])
               for i in range(5)]
        # one message finds out that the host is dead; the others wait without a try
        wait_for(lambda: [r for r in s.rows(f"id={ids[0]}") if r["code"] == 451])
        wait_for(lambda: len(s.rows("domain=dead.example", "state=deferred")) == 5)
        self.assertEqual(s.command("queue", "count", "domain=dead.example").stdout, "5\n")
        row = s.rows(f"id={ids[0]}")[0]
        self.assertEqual({"id", "from", "to", "domain", "size", "age", "state", "code", "next"},
                         set(row))
        self.assertEqual((row["from"], row["to"]), ("q0@client.example", "x@dead.example"))
        self.assertEqual(len(s.rows("from=q*@client.example", "domain=*.example")), 5)
        self.assertEqual(len(s.rows(f"id={ids[0]}", "code=4.4.1", "code=4*")), 1)
        self.assertEqual(len(s.rows("from=Q1@*", "domain=dead.example")), 1)
        self.assertEqual(s.rows("domain=dead.example", "age>1h"), [])
        self.assertEqual(len(s.rows("domain=dead.example", "size<1K")), 5)
        show = s.command("queue", "show", ids[0], check=0).stdout
        self.assertIn("4.4.1", show)
        cat = s.command("queue", "cat", f"id={ids[0]}", check=0).stdout
        self.assertTrue(cat.startswith("Received: from client.example"), cat)
        self.assertTrue(cat.endswith("\n\nhello\n"))
        attempts = lambda: json.loads(s.command("queue", "show", "--json", ids[0]).stdout)[
            "recipients"][0]["attempts"]
        before = attempts()
        s.command("queue", "retry", f"id={ids[0]}", check=0)
        wait_for(lambda: attempts() > before)
        dry = s.command("queue", "delete", "-n", "domain=dead.example", check=0)
        self.assertIn("5 recipients would be deleted", dry.stdout)
        s.command("queue", "delete", "domain=dead.example", "--reason", "test", check=0)
        self.assertEqual(s.rows("domain=dead.example"), [])
        self.assertIn("deleted", s.command("trace", ids[1], check=0).stdout)
        # what is wrong is said, with its exit status
        self.assertEqual(s.command("queue", "delete").returncode, 2)
        self.assertEqual(s.command("queue", "list", "age").returncode, 2)
        self.assertIn("quote", s.command("queue", "list", "age").stderr)
        self.assertEqual(s.command("queue", "list", "from=nobody@nowhere").returncode, 1)
        self.assertEqual(s.command("queue", "explode").returncode, 2)
        self.assertEqual(s.command("queue", "count", "all").returncode, 0)

    def test_hold_release_bounce(self):
        s = self.service
        ids = [send(s.port, sender=f"h{i}@example.org", rcpts=["x@dead.example", "y@dead.example"])
               for i in range(2)]
        both = "from=h*@example.org"
        wait_for(lambda: len(s.rows(both, "state=deferred")) == 4)
        self.assertEqual(s.command("queue", "hold").returncode, 2)
        dry = s.command("queue", "hold", "-n", both, check=0)
        self.assertEqual(dry.stdout, "4 recipients would be held\n")
        self.assertEqual(s.command("queue", "count", "state=held").stdout, "0\n")
        self.assertEqual(s.command("queue", "hold", both, "to=x@*", "--reason", "a look first",
                                   check=0).stdout, "2 recipients held\n")
        self.assertEqual({r["to"] for r in s.rows("state=held")}, {"x@dead.example"})
        self.assertEqual({r["next"] for r in s.rows("state=held")}, {0})
        # it is held, and stays so
        self.assertEqual(s.command("queue", "hold", both, "to=x@*").returncode, 1)
        s.command("queue", "retry", both, "to=x@*")
        self.assertIn("held", s.command("queue", "show", ids[0], check=0).stdout)
        story = s.command("trace", ids[0], check=0).stdout
        self.assertIn("held <x@dead.example> by the administrator: a look first", story)
        s.stop()
        s.start()
        self.assertEqual(len(s.rows("state=held")), 2)
        out = s.command("queue", "release", f"id={ids[0]}", "--json", check=0).stdout
        self.assertEqual(json.loads(out), {"recipients": 1, "dry": False})
        # both recipients of one message in one bounce, held or not
        out = s.command("queue", "bounce", ids[1], "--reason", "nobody lives there", check=0)
        self.assertEqual(out.stdout, "2 recipients bounced\n")
        wait_for(lambda: maildir(self.mine / "h1"))
        self.assertEqual(len(maildir(self.mine / "h1")), 1)
        report = maildir(self.mine / "h1")[0]
        for part in (b"Final-Recipient: rfc822; x@dead.example",
                     b"Final-Recipient: rfc822; y@dead.example",
                     b"554 5.7.0 Returned by the administrator: nobody lives there"):
            self.assertIn(part, report)
        story = s.command("trace", ids[1], check=0).stdout
        self.assertIn("failed <x@dead.example>", story)
        self.assertIn("nobody lives there", story)
        self.assertIn("released <x@dead.example>", s.command("trace", ids[0], check=0).stdout)
        s.command("queue", "delete", both, check=0)

    @unittest.skipUnless(IS_ROOT, "port 25 needs root")
    def test_mx(self):
        """MX by preference, the next host when one is down, implicit MX, AAAA."""
        box = directory("box")
        os.chmod(box, 0o777)
        domains = "".join(f'domain "{d}" {{ users = "any" deliver = "maildir:{box}/%d" }}\n'
                          for d in ("two.example", "implicit.example", "six.example"))
        there = Service(domains, root=True, hostname="mx25.example",
                        listen=("127.0.0.1:25", "[::1]:25"))
        try:
            for d in ("two.example", "implicit.example", "six.example"):
                id = send(self.service.port, rcpts=[f"x@{d}"])
                wait_for(lambda: maildir(box / d), 20)
                self.assertIn("[::1]" if d == "six.example" else "[127.0.0.1]",
                              self.service.command("trace", id, check=0).stdout)
        finally:
            self.assertEqual(there.stop(), 0)


class Retry(unittest.TestCase):
    def test_back_off_and_delivery_when_the_host_is_back(self):
        port = free_port()
        service = Service(FAST_RETRY + f'route "*" {{ via = "smtp://127.0.0.1:{port}" }}\n')
        id = send(service.port, rcpts=["ann@partner.example"])
        wait_for(lambda: service.command("trace", id).stdout.count("deferred") >= 2)
        box = directory("box", NOBODY)
        there = Service(f'domain "partner.example" {{ users = "any" deliver = "maildir:{box}/%u" }}\n',
                        listen=(f"127.0.0.1:{port}",))
        wait_for(lambda: maildir(box / "ann"))
        service.wait_empty()
        self.assertEqual(len(maildir(box / "ann")), 1)
        self.assertEqual(service.stop(), 0)
        self.assertEqual(there.stop(), 0)

    def test_expiry_is_a_bounce_with_the_last_reply(self):
        box = directory("box", NOBODY)
        service = Service(local(box, 'retry_first = "1s"\nretry_max = "1s"\nexpire = "3s"\n'
                                f'route "*" {{ via = "smtp://127.0.0.1:{free_port()}" }}\n'))
        send(service.port, sender="author@example.org", rcpts=["x@dead.example"])
        wait_for(lambda: maildir(box / "author"), 20)
        self.assertIn(b"Status: 4.4.7" if b"Status: 4.4.7" in maildir(box / "author")[0]
                      else b"Status: 5.4.7", maildir(box / "author")[0])
        self.assertIn(b"4.4.1", maildir(box / "author")[0])
        service.wait_empty()
        self.assertEqual(service.stop(), 0)


if __name__ == "__main__":
    unittest.main()
