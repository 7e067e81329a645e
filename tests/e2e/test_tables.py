"""A table file that changes while the service runs: no reload, no restart."""
import os
import time
import unittest

from harness import NOBODY, Service, directory, wait_for

SECONDS = 3     # until a change counts; 2 where a file became shorter in place


class Users(unittest.TestCase):
    def setUp(self):
        self.dir = directory("tables", NOBODY)
        self.users = self.dir / "users"
        self.users.write_text("alice\nbob\n")
        self.service = self.start(self.users)

    def start(self, path):
        service = Service(f'domain "example.org" {{ users = "file:{path}" '
                          f'deliver = "maildir:{self.dir}/box/%u" }}\n')
        self.talk = service.talk()
        self.talk("EHLO client.example")
        self.talk("MAIL FROM:<a@client.example>")
        return service

    def tearDown(self):
        self.talk.close()
        self.assertEqual(self.service.stop(), 0)

    def code(self, user):
        self.talk("RSET")
        self.talk("MAIL FROM:<a@client.example>")
        return self.talk(f"RCPT TO:<{user}@example.org>")

    def becomes(self, user, code):
        start = time.monotonic()
        wait_for(lambda: self.code(user) == code, SECONDS)
        return time.monotonic() - start

    def replace(self, text):
        fresh = self.dir / "users.new"
        fresh.write_text(text)
        fresh.rename(self.users)

    def test_replaced_by_rename(self):
        self.assertEqual(self.code("carl"), 550)
        for n in range(3):
            self.replace(f"alice\ncarl{n}\n")
            self.becomes(f"carl{n}", 250)
            self.assertEqual(self.code("alice"), 250)
            self.assertEqual(self.code("bob"), 550)

    def test_written_in_place(self):
        with open(self.users, "a") as f:
            f.write("carl\n")
        self.becomes("carl", 250)
        # truncated, and written anew slowly
        with open(self.users, "w") as f:
            for name in ("dora", "emil", "al"):
                f.write(name)
                f.flush()
                time.sleep(0.7)
                self.assertEqual(self.code("alice"), 250)
                self.assertEqual(self.code("dora"), 550)
                f.write("\n" if name != "al" else "ice\n")
                f.flush()
        self.becomes("dora", 250)
        self.assertEqual(self.code("alice"), 250)
        self.assertEqual(self.code("bob"), 550)

    def test_gone_and_unreadable_for_a_while(self):
        self.users.rename(self.dir / "users~")
        wait_for(lambda: self.service.events("table_unreadable"))
        time.sleep(2)
        self.assertEqual(self.code("alice"), 250)
        self.assertEqual(self.code("carl"), 550)
        self.assertEqual(len(self.service.events("table_unreadable")), 1)
        self.assertEqual(self.service.events("table_unreadable")[0]["kept"], "2")
        self.replace("carl\n")
        self.becomes("carl", 250)
        os.chmod(self.users, 0)
        if os.geteuid() == 0:   # else the owner is who runs it
            os.chown(self.users, 0, 0)
        self.users.touch()
        wait_for(lambda: len(self.service.events("table_unreadable")) == 2)
        self.assertEqual(self.code("carl"), 250)
        os.chmod(self.users, 0o644)
        self.users.write_text("carl\nemil\n")
        self.becomes("emil", 250)

    def test_a_wrong_entry_is_its_own_trouble(self):
        self.replace("alice\nbob color=blue\ncarl\n")
        self.becomes("bob", 451)
        self.assertEqual((self.code("alice"), self.code("carl")), (250, 250))
        wrong = wait_for(lambda: self.service.events("table_entry_wrong"))
        self.assertEqual([(w["file"], w["line"]) for w in wrong], [(str(self.users), "2")])

    def test_a_symbolic_link(self):
        elsewhere = directory("elsewhere", NOBODY)
        (elsewhere / "one").write_text("alice\n")
        link = self.dir / "link"
        link.symlink_to(elsewhere / "one")
        self.talk.close()
        self.assertEqual(self.service.stop(), 0)
        self.service = self.start(link)
        self.assertEqual(self.code("alice"), 250)
        (elsewhere / "two").write_text("bob\n")
        fresh = self.dir / "link.new"
        fresh.symlink_to(elsewhere / "two")
        fresh.rename(link)
        self.becomes("bob", 250)


if __name__ == "__main__":
    unittest.main()
