"""make install and make uninstall, the units, the manual pages."""
import os
import pathlib
import re
import shutil
import stat
import subprocess
import unittest

from harness import BUILD, IS_ROOT, ROOT, directory, with_accounts

PAGES = sorted(p for pattern in ("etc/*.[1-8]", "*/*.[1-8]", "*/*/*.[1-8]")
               for p in ROOT.glob(pattern) if "build" not in p.relative_to(ROOT).parts[0])


def make(*words):
    done = subprocess.run(["make", "-s", f"O={BUILD.name}", *words], cwd=ROOT,
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def files(top):
    """{path: mode} of all files below."""
    return {"/" + str(p.relative_to(top)): stat.S_IMODE(p.stat().st_mode)
            for p in pathlib.Path(top).rglob("*") if not p.is_dir() or p.is_symlink()}


def programs(part):
    return sorted(p.name for p in (BUILD / part).iterdir())


@unittest.skipIf(os.environ.get("SLOW"), "the plain build is what is installed")
class Install(unittest.TestCase):
    def setUp(self):
        self.top = directory("install")

    def make(self, goal, prefix="/usr", sysconf="/etc"):
        return make(goal, f"DESTDIR={self.top}", f"PREFIX={prefix}", f"SYSCONFDIR={sysconf}")

    def expected(self, prefix="/usr", sysconf="/etc"):
        out = {f"{prefix}/{'sbin' if n == 'sendmail' else 'bin'}/{n}": 0o755
               for n in programs("bin")}
        out |= {f"{prefix}/libexec/sallyport/{n}": 0o755 for n in programs("libexec")}
        out |= {f"{prefix}/share/man/man{p.suffix[1:]}/{p.name}": 0o644 for p in PAGES}
        out |= {f"{prefix}/lib/systemd/system/{p.name}": 0o644 for p in
                [*ROOT.glob("etc/*.service"), *ROOT.glob("etc/*.socket")]}
        out |= {f"{prefix}/lib/{d}/sallyport.conf": 0o644 for d in ("sysusers.d", "tmpfiles.d")}
        out |= {f"{prefix}/share/doc/sallyport/{n}": 0o644 for n in ("README", "INSTALL", "LICENSE",
                                                                      "REPLIES")}
        out |= {f"{sysconf}/sallyport/{n}": 0o644
                for n in ("sallyport.conf", "sallyport.conf.example")}
        return out

    def test_what_it_makes_and_takes_away(self):
        conf = self.top / "etc/sallyport/sallyport.conf"
        self.make("install")
        self.assertEqual(files(self.top), self.expected())
        self.assertGreater(len(PAGES), 3)
        for name in ("mailq", "newaliases"):
            self.assertEqual((self.top / "usr/bin" / name).resolve(), self.top / "usr/sbin/sendmail")
        for path, mode in files(self.top).items():
            with self.subTest(path):
                self.assertNotIn(b"/usr/local", (self.top / path[1:]).read_bytes()
                                 if mode == 0o644 and "/doc/" not in path else b"")
        # What is there runs, from where it is.
        check = [str(self.top / "usr/bin/sallyport"), "check", "-c", str(conf)]
        done = subprocess.run(with_accounts(check) if IS_ROOT else check,
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        # The one thing to be said: nobody reads postmaster's mail yet.
        self.assertEqual([l for l in done.stderr.splitlines()
                          if "postmaster_without_mailbox" not in l], [])
        # A second time: what was changed stays.
        conf.write_text("# mine\n")
        (self.top / "etc/sallyport/users").write_text("ann\n")
        (self.top / "etc/sallyport/sallyport.conf.example").write_text("old")
        self.make("install")
        self.assertEqual(conf.read_text(), "# mine\n")
        self.assertIn("hostname", (self.top / "etc/sallyport/sallyport.conf.example").read_text())
        # And away; twice does no harm.
        for _ in range(2):
            self.make("uninstall")
            self.assertEqual(set(files(self.top)),
                             {"/etc/sallyport/sallyport.conf", "/etc/sallyport/users"})
        self.assertFalse((self.top / "usr/libexec/sallyport").exists())
        self.assertFalse((self.top / "usr/share/doc/sallyport").exists())

    def test_it_leaves_the_files_of_others_alone(self):
        other = self.top / "usr/libexec/sallyport/of-another"
        self.make("install")
        other.write_text("")
        self.make("uninstall")
        self.assertTrue(other.exists())

    def test_another_place(self):
        self.make("install", prefix="/opt/mail")
        self.assertEqual(files(self.top), self.expected("/opt/mail"))
        unit = (self.top / "opt/mail/lib/systemd/system/sallyport.service").read_text()
        self.assertIn("ExecStart=/opt/mail/bin/sallyport run -c /etc/sallyport/sallyport.conf",
                      unit)

    def test_another_place_of_the_configuration_is_another_program(self):
        where = directory("source")
        shutil.copytree(ROOT, where / "src", ignore=shutil.ignore_patterns(".git", "build*"))
        shutil.copytree(BUILD, where / "src" / BUILD.name, ignore=shutil.ignore_patterns("tests"))
        done = subprocess.run(["make", "-s", f"O={BUILD.name}", "install", f"DESTDIR={self.top}",
                               "PREFIX=/usr", "SYSCONFDIR=/opt/etc"], cwd=where / "src",
                              capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(files(self.top), self.expected(sysconf="/opt/etc"))
        done = subprocess.run([self.top / "usr/bin/sallyport", "check"], capture_output=True,
                              text=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn("/opt/etc/sallyport/sallyport.conf", done.stderr)
        for path in ("usr/lib/systemd/system/sallyport.service", "usr/share/man/man8/sallyport.8"):
            text = (self.top / path).read_text()
            self.assertIn("/opt/etc/sallyport/sallyport.conf", text)
            self.assertNotRegex(text, r"(?<!/opt)/etc/sallyport")


class Pages(unittest.TestCase):
    def test_lint(self):
        for page in PAGES:
            with self.subTest(page.name):
                done = subprocess.run(["mandoc", "-Tlint", "-Wstyle", page], capture_output=True,
                                      text=True, timeout=30)
                found = [l for l in done.stdout.splitlines()
                         # it looks for them on this machine
                         if "referenced manual not found" not in l]
                self.assertEqual(found, [])


@unittest.skipUnless(shutil.which("systemd-analyze"), "no systemd-analyze")
class Units(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.top = directory("units")
        make("install", f"DESTDIR={cls.top}", f"PREFIX={cls.top}/usr")
        # A unit names its programs by their whole path: below DESTDIR twice.
        cls.system = pathlib.Path(f"{cls.top}{cls.top}/usr/lib/systemd/system")
        os.symlink(f"{cls.top}{cls.top}/usr", cls.top / "usr")

    def test_verify(self):
        units = sorted(self.system.glob("sallyport*"))
        self.assertGreaterEqual(len(units), 2)
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", *units],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))

    def test_the_figure_that_INSTALL_states(self):
        done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--no-pager",
                               self.system / "sallyport.service"],
                              capture_output=True, text=True, timeout=60)
        figure = re.search(r"exposure level for sallyport\.service: ([\d.]+)", done.stdout)
        self.assertIsNotNone(figure, done.stdout + done.stderr)
        self.assertIn(f"systemd-analyze security: {figure.group(1)}",
                      re.sub(r"\s+", " ", (ROOT / "INSTALL").read_text()))

    def test_each_listen_of_the_example_has_its_socket(self):
        conf = (ROOT / "etc/sallyport.conf").read_text()
        listens = re.findall(r'(?m)^listen "(.*)"', conf)
        streams = re.findall(r"(?m)^ListenStream=([^/].*)", (ROOT / "etc/sallyport.socket").read_text())
        self.assertEqual(listens, streams)


if __name__ == "__main__":
    unittest.main()
