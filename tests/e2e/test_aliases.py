"""Aliases and lists: from RCPT to the mailboxes, and what is told of it."""
import json
import os
import re
import time
import unittest

from harness import IS_ROOT, NOBODY, Dns, Service, directory, home, maildir, send, wait_for

FAST_RETRY = 'retry_first = "1s"\nretry_max = "2s"\n'


class Aliases(unittest.TestCase):
    """Two services: the one with the aliases, and a next host."""
    ALIASES = """\
# the usual
postmaster: alice
Sales:      bob,
# in between
            "Carol C." <carol@example.org>, far@partner.example (far away)
self:       self, bob
alice2:     alice
nested:     sales, alice2, alice
a1: b1
b1: c1, bob
c1: a1
bad:        bob carol
withbad:    alice, bad
prog:       "|/bin/cat -n"
file:       /tmp/x
list:       :include:lists/members
owner-list: bob
gone:       :include:lists/gone
withgone:   alice, gone
null:       /dev/null
ring1: \\ring2
ring2: \\ring1
out:        :include:/etc/passwd
"""

    @classmethod
    def setUpClass(cls):
        cls.next_box = directory("next", NOBODY)
        cls.next = Service('domain "partner.example" { users = "any" '
                           f'deliver = "maildir:{cls.next_box}/%u" }}\n'
                           'domain "boss.example" { users = "any" '
                           f'deliver = "maildir:{cls.next_box}/%u" }}\n')
        cls.dir = directory("aliases", NOBODY)
        (cls.dir / "lists").mkdir()
        cls.aliases = cls.dir / "aliases"
        cls.aliases.write_text(cls.ALIASES)
        cls.members = cls.dir / "lists/members"
        cls.members.write_text("".join(f"m{i}\nr{i}@partner.example\n" for i in range(500)) +
                               "# the end\nm0, M1@EXAMPLE.ORG, nonsense here\n")
        cls.users = cls.dir / "users"
        cls.users.write_text("alice\nbob\ncarol\nself\nring1\nring2\n" +
                             "".join(f"m{i}\n" for i in range(500)))
        cls.box = directory("box", NOBODY)
        cls.service = Service(
            f'domain "example.org" {{ users = "file:{cls.users}" aliases = "{cls.aliases}"\n'
            f'  deliver = "maildir:{cls.box}/%u" plus = "+" }}\n'
            f'domain "other.example" {{ users = "file:{cls.users}"\n'
            f'  deliver = "maildir:{cls.box}/%u" }}\n'
            f'route "*" {{ via = "smtp://127.0.0.1:{cls.next.port}" }}\n'
            'postmaster = "chief@boss.example"\n' + FAST_RETRY)

    @classmethod
    def tearDownClass(cls):
        assert cls.service.stop() == 0
        assert cls.next.stop() == 0

    def setUp(self):
        self.service.command("queue", "delete", "all")
        for top in (self.box, self.next_box):
            for box in top.iterdir():
                for f in (box / "new").iterdir():
                    f.unlink()

    def got(self):
        """{mailbox: [octets, …]} of both services."""
        out = {}
        for top in (self.box, self.next_box):
            for box in top.iterdir():
                if messages := maildir(box):
                    out[box.name] = messages
        return out

    def delivered(self, *rcpts, sender="a@client.example"):
        id = send(self.service.port, sender=sender, rcpts=rcpts)
        self.service.wait_empty(60)
        self.next.wait_empty(60)
        got = self.got()
        self.assertEqual({n: len(m) for n, m in got.items() if len(m) > 1}, {})
        return id, got

    def code(self, rcpt):
        t = self.service.talk()
        t("EHLO c.example")
        t("MAIL FROM:<a@client.example>")
        code = t(f"RCPT TO:<{rcpt}>")
        t.close()
        return code

    def test_every_form_of_an_address(self):
        _, got = self.delivered("SALES+x@example.org")
        self.assertEqual(sorted(got), ["bob", "carol", "far"])
        self.assertIn(b"Return-Path: <a@client.example>", got["bob"][0])
        self.assertIn(b"Delivered-To: carol@example.org", got["carol"][0])

    def test_an_alias_that_names_its_user(self):
        _, got = self.delivered("self@example.org")
        self.assertEqual(sorted(got), ["bob", "self"])

    def test_nested_and_twice_is_once(self):
        id, got = self.delivered("nested@example.org", "bob@example.org")
        self.assertEqual(sorted(got), ["alice", "bob", "carol", "far"])
        events = [json.loads(l) for l in
                  self.service.command("trace", "--json", id, check=0).stdout.splitlines()]
        self.assertIn("expanded", [e["event"] for e in events])
        children = {e["id"] for e in events if e.get("parent") == id}
        self.assertEqual(len(children), 1)
        self.assertIn("delivered", [e["event"] for e in events if e["id"] in children])
        text = self.service.command("trace", id, check=0).stdout
        self.assertIn("expanded <nested@example.org>", text)
        self.assertIn(f"for an alias of {id}", text)

    def test_the_same_list_twice_and_two_lists(self):
        _, got = self.delivered("nested@example.org", "sales@example.org", "nested@example.org",
                                "alice2@example.org")
        self.assertEqual(sorted(got), ["alice", "bob", "carol", "far"])

    def test_users_behind_each_others_names(self):
        _, got = self.delivered("ring1@example.org", "ring2@example.org")
        self.assertEqual(sorted(got), ["ring1", "ring2"])

    def test_a_loop_is_found_and_holds_up_nobody(self):
        _, got = self.delivered("a1@example.org", sender="alice@example.org")
        self.assertEqual(sorted(got), ["alice", "bob"])
        self.assertIn(b"5.4.6", got["alice"][0])
        loops = self.service.events("alias_loop")
        self.assertEqual(loops[-1]["file"], str(self.aliases))
        self.assertEqual(loops[-1]["line"], "9")

    def test_what_is_wrong_waits_alone(self):
        for name in ("bad", "prog", "file", "out"):
            self.assertEqual(self.code(f"{name}@example.org"), 451, name)
        wrong = {(e["file"], e["line"]): e["why"]
                 for e in self.service.events("table_entry_wrong")}
        for line in (12, 14, 15, 23):
            self.assertIn((str(self.aliases), str(line)), wrong)
        self.assertIn((str(self.members), "1002"), wrong)
        send(self.service.port, rcpts=["withbad@example.org", "withgone@example.org"])
        wait_for(lambda: "alice" in self.got())
        wait_for(lambda: [r for r in self.service.rows() if r["state"] == "deferred"])
        self.assertEqual(sorted({r["to"] for r in self.service.rows()}),
                         ["bad@example.org", "gone@example.org"])
        self.assertEqual(len(self.got()["alice"]), 1)
        # mended: what waited goes on by itself
        text = self.aliases.read_text()
        try:
            (self.dir / "lists/gone").write_text("carol\n")
            (self.dir / "new").write_text(text.replace("bob carol\n", "bob\n"))
            (self.dir / "new").rename(self.aliases)
            self.service.wait_empty(30)
        finally:
            (self.dir / "lists/gone").unlink()
            (self.dir / "new").write_text(text)
            (self.dir / "new").rename(self.aliases)
        self.assertEqual(sorted(self.got()), ["alice", "bob", "carol"])
        wait_for(lambda: self.code("bad@example.org") == 451)

    def test_a_list_of_a_thousand(self):
        began = time.monotonic()
        id, got = self.delivered("list@example.org")
        self.assertEqual(len(got), 1000)
        self.assertLess(time.monotonic() - began, 40)
        for name in ("m7", "r7"):
            self.assertIn(b"Return-Path: <owner-list@example.org>", got[name][0])
        self.assertEqual(self.service.command("trace", id).stdout.count(" delivered <"), 1000)

    def test_a_list_that_fails_tells_its_owner(self):
        keep = self.members.read_text()
        try:
            (self.dir / "lists/new").write_text("alice\nnobody@example.org\n")
            (self.dir / "lists/new").rename(self.members)
            wait_for(lambda: [e for e in self.service.events("table_read")
                              if e["file"] == str(self.members)][-1]["entries"] == "2")
            _, got = self.delivered("list@example.org", sender="carol@example.org")
            self.assertEqual(sorted(got), ["alice", "bob"])
            self.assertIn(b"Delivered-To: bob@example.org", got["bob"][0])
            self.assertIn(b"nobody@example.org", got["bob"][0])
            for box in self.box.iterdir():
                for f in (box / "new").iterdir():
                    f.unlink()
            # a null reverse-path stays one, and nobody is told
            _, got = self.delivered("list@example.org", sender="")
            self.assertEqual(sorted(got), ["alice"])
            self.assertIn(b"Return-Path: <>", got["alice"][0])
        finally:
            (self.dir / "lists/new").write_text(keep)
            (self.dir / "lists/new").rename(self.members)
            wait_for(lambda: [e for e in self.service.events("table_read")
                              if e["file"] == str(self.members)][-1]["entries"] == "1002")

    def test_nobody_and_nothing(self):
        id, got = self.delivered("null@example.org")
        self.assertEqual(got, {})
        self.assertIn("0 recipients", self.service.command("trace", id, check=0).stdout)

    def test_postmaster(self):
        _, got = self.delivered("postmaster@example.org")
        self.assertEqual(sorted(got), ["alice"])
        # where it has neither alias nor user: the setting, which is elsewhere
        _, got = self.delivered("Postmaster@other.example")
        self.assertEqual(sorted(got), ["alice", "chief"])

    def test_after_a_restart_nothing_is_expanded_again(self):
        self.next.stop()
        id = send(self.service.port, rcpts=["sales@example.org"])
        wait_for(lambda: [r["to"] for r in self.service.rows()] == ["far@partner.example"])
        for _ in range(2):
            self.service.stop()
            self.service.start()
        self.assertEqual([r["to"] for r in self.service.rows()], ["far@partner.example"])
        text = self.service.command("trace", id, check=0).stdout
        self.assertEqual(text.count(" expanded <"), 1)
        self.assertEqual(sorted(self.got()), ["bob", "carol"])
        self.next.start()
        conf = self.service.conf_file.read_text()
        self.service.conf_file.write_text(
            re.sub(r'smtp://127\.0\.0\.1:\d+', f"smtp://127.0.0.1:{self.next.port}", conf))
        self.service.command("reload", check=0)
        self.service.command("queue", "retry", "all")
        self.service.wait_empty()
        self.next.wait_empty()
        self.assertEqual(sorted(self.got()), ["bob", "carol", "far"])

    def test_check_tells_what_is_wrong(self):
        done = self.service.command("check")
        self.assertIn(f"file={self.aliases} line=12", done.stderr)


class Default(unittest.TestCase):
    def test_a_postmaster_that_nobody_is(self):
        box = directory("box", NOBODY)
        (box / "users").write_text("alice\n")
        (box / "aliases").write_text("# none\n")
        service = Service(f'domain "example.org" {{ users = "file:{box}/users" '
                          f'aliases = "{box}/aliases" deliver = "maildir:{box}/%u" }}\n' +
                          FAST_RETRY)
        send(service.port, rcpts=["postmaster"])
        wait_for(lambda: service.events("postmaster_without_mailbox"))
        self.assertEqual(maildir(box / "alice"), [])
        # the default is root@ of the first domain: an alias for it is enough
        (box / "new").write_text("root: alice\n")
        (box / "new").rename(box / "aliases")
        wait_for(lambda: maildir(box / "alice"))
        service.wait_empty()
        self.assertEqual(service.stop(), 0)


@unittest.skipUnless(IS_ROOT, "needs root")
class System(unittest.TestCase):
    def test_root_is_postmaster(self):
        box = directory("system")
        aliases = box / "aliases"
        aliases.write_text("postmaster: root\n")
        service = Service(f'domain "example.org" {{ users = "system" aliases = "{aliases}" }}\n' +
                          FAST_RETRY, root=True)
        for rcpt in ("root@example.org", "postmaster@example.org"):
            send(service.port, rcpts=[rcpt])
        time.sleep(2)
        self.assertEqual(len(service.rows()), 2)
        (box / "new").write_text("postmaster: root\nroot: alice\n")
        (box / "new").rename(aliases)
        service.wait_empty()
        self.assertEqual(len(maildir(home("alice") / "Maildir")), 2)
        self.assertEqual(service.stop(), 0)


if __name__ == "__main__":
    unittest.main()
