"""`sallyport config`: what is in force, its default, and where it was set."""
import json
import re
import subprocess
import unittest

from harness import ROOT, Service, directory, stage

EVERYTHING = '''\
hostname = "mx.example" spool = "spool/"
runtime = "/run/x" message_size = "10M"
relay_from = { "10.0.0.0/8", "2001:db8::/32" }
resolver = "127.0.0.1:5353"
listen "127.0.0.1:2525" { bare_newlines = convert }
domain "Files.example" { users = "file:./tables/us\\"ers" deliver = "maildir:box/%d/%u" plus = "+" }
domain "example.org" { }
route ".partner.example" { via = "smtp://192.0.2.7:2526" }
expect "rcpt a@example.org from 192.0.2.9" { reply = "550" }
'''


def documented():
    """The settings of sallyport.conf(5), by the place they stand in."""
    out, place = set(), None
    for line in (ROOT / "etc/sallyport.conf.5").read_text().splitlines():
        if line.startswith(".Sh "):
            name = line[4:].lower()
            place = {"global settings": ""}.get(name, name)
        found = re.match(r"\.It Ic (\w+)", line)
        if found and place in ("", "listen", "domain", "route", "expect"):
            out.add((place, found.group(1)))
    return out


class Config(unittest.TestCase):
    def setUp(self):
        self.dir = directory("config")
        self.file = self.dir / "sallyport.conf"
        self.file.write_text(EVERYTHING)

    def run_it(self, *words, file=None):
        return subprocess.run([stage() / "bin/sallyport", "config", "-c", file or self.file,
                               *words], capture_output=True, text=True, timeout=30)

    def rows(self, file=None):
        done = self.run_it("--json", file=file)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return [json.loads(line) for line in done.stdout.splitlines()]

    def test_every_setting_of_the_manual_is_shown_and_no_other(self):
        shown = {(r.get("statement", ""), r["name"]) for r in self.rows()}
        self.assertEqual(shown, documented())
        text = self.run_it().stdout
        for _, name in documented():
            self.assertRegex(text, rf"(?m)^\s*(# )?{name}( =|: not set)")

    def test_value_default_and_place(self):
        rows = {(r.get("title", ""), r["name"]): r for r in self.rows()}
        size = rows["", "message_size"]
        self.assertEqual((size["value"], size["default"], size["file"], size["line"]),
                         ("10M", "50M", str(self.file), 2))
        expire = rows["", "expire"]
        self.assertEqual((expire["value"], expire["default"]), ("5d", "5d"))
        self.assertNotIn("line", expire)
        self.assertEqual(rows["", "relay_from"]["value"], ["10.0.0.0/8", "2001:db8::/32"])
        self.assertEqual(rows["", "relay_from"]["default"], ["127.0.0.0/8", "::1/128"])
        # what is computed, what is a path
        self.assertEqual(rows["", "postmaster"]["value"], "root@files.example")
        self.assertIsNone(rows["", "postmaster"]["default"])
        self.assertEqual(rows["", "spool"]["value"], f"{self.dir}/spool")
        self.assertEqual(rows["Files.example", "users"]["value"],
                         f'file:{self.dir}/tables/us"ers')
        self.assertEqual(rows["Files.example", "deliver"]["value"],
                         f"maildir:{self.dir}/box/%d/%u")
        self.assertEqual(rows["*", "via"]["value"], "mx")
        self.assertIsNone(rows["Files.example", "owner"]["value"])
        text = self.run_it().stdout
        self.assertRegex(text, rf'(?m)^message_size = "10M" +# {self.file}:2; default "50M"$')
        self.assertRegex(text, r'(?m)^expire = "5d" +# default$')
        self.assertRegex(text, r'(?m)^# resolver: not set$|^resolver = \{ "127.0.0.1:5353" \}')

    def test_what_it_prints_is_a_configuration_that_means_the_same(self):
        again = self.dir / "again.conf"
        again.write_text(self.run_it().stdout)

        def values(file):
            return [(r.get("statement"), r.get("title"), r["name"], r["value"])
                    for r in self.rows(file)]
        self.assertEqual(values(again), values(self.file))
        self.assertGreater(len(values(again)), 30)

    def test_a_wrong_one_is_not_shown(self):
        self.file.write_text(EVERYTHING + "expire = never\n")
        for words in ((), ("--json",)):
            done = self.run_it(*words)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertRegex(done.stderr, rf"^{self.file}:10: expire")
        self.assertEqual(self.run_it("--jason").returncode, 2)

    def test_it_is_what_run_reads(self):
        service = Service("max_sessions = 7\n", start=False)
        done = service.command("config", check=0)
        self.assertRegex(done.stdout, rf'max_sessions = "7" +# {service.conf_file}:\d+; '
                                      'default "20000"')


class Check(unittest.TestCase):
    def test_tables_are_read_whatever_is_expected(self):
        box = directory("box")
        (box / "users").write_text("ann\nbob nonsense\n")
        text = ('domain "a.example" {{ users = "file:{0}/users" deliver = "maildir:{0}/%u" }}\n'
                'domain "b.example" {{ users = "file:{0}/absent" deliver = "maildir:{0}/%u" }}\n')
        for more in ("", 'expect "rcpt ann@a.example" {{ reply = "250" }}\n'):
            service = Service((text + more).format(box), start=False)
            done = service.command("check", check=0)
            self.assertRegex(done.stderr, rf"event=table_entry_wrong .*file={box}/users line=2 ")
            self.assertRegex(done.stderr, rf"event=table_unreadable .*file={box}/absent ")
            self.assertEqual(done.stdout, "")
            self.assertFalse(service.spool.exists())


if __name__ == "__main__":
    unittest.main()
