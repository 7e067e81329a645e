"""Installed in a Debian that was really booted: tests/systemd/inside.py within systemd-nspawn.

The Debian is made by debootstrap once, and kept in $XDG_CACHE_HOME/sallyport or /var/tmp.
"""
import ast
import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from harness import BUILD, IS_ROOT, ROOT, directory

INSIDE = ROOT / "tests/systemd/inside.py"
PACKAGES = ("systemd", "systemd-sysv", "dbus", "python3", "procps", "openbsd-inetd", "libbsd0",
            "libsodium23", "libseccomp2", "libevent-core-2.1-7", "libconfuse2", "libunbound8",
            "libjansson4", "libidn2-0")
SUITE, MIRROR = "bookworm", "http://deb.debian.org/debian"
# Its own filter does not know them yet.
LANDLOCK = "landlock_create_ruleset landlock_add_rule landlock_restrict_self"
LIMIT = 175     # seconds, all in all
UNIT = """[Unit]
Description=The tests of Sallyport
[Service]
ExecStart=/usr/bin/python3 /inside.py
ExecStopPost=/bin/systemctl poweroff --force
StandardOutput=file:/inside.log
StandardError=file:/inside.log
"""


def cache():
    top = os.environ.get("XDG_CACHE_HOME")
    return pathlib.Path(top) / "sallyport" if top else pathlib.Path("/var/tmp/sallyport-root")


def nspawn(root, *words, limit):
    """Everything in it ends with the process id namespace that it is the first of."""
    argv = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc",
            "timeout", "--kill-after=5", str(limit), "systemd-nspawn", "-q", "-D", str(root),
            "--private-network", "--register=no", "--keep-unit", "--hostname=mail",
            f"--system-call-filter={LANDLOCK}", *words]
    return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=limit + 20)


@contextlib.contextmanager
def lock():
    cache().mkdir(parents=True, exist_ok=True)
    with open(cache() / "lock", "w") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        yield


def debian():
    """The directory of a Debian with PACKAGES; skips where it cannot be made."""
    for program in ("debootstrap", "systemd-nspawn"):
        if not shutil.which(program):
            raise unittest.SkipTest(f"no {program}")
    with lock():
        root, about = cache() / SUITE, cache() / (SUITE + ".packages")
        if root.exists() and about.exists() and about.read_text() == " ".join(PACKAGES):
            return root
        shutil.rmtree(root, ignore_errors=True)
        new = pathlib.Path(tempfile.mkdtemp(prefix="new.", dir=cache()))
        os.chmod(new, 0o755)
        try:
            done = subprocess.run(["debootstrap", "--variant=minbase",
                                   f"--include={','.join(PACKAGES)}", SUITE, new, MIRROR],
                                  capture_output=True, text=True, timeout=900)
            if done.returncode != 0:
                raise unittest.SkipTest("debootstrap (no network?): "
                                        + (done.stdout + done.stderr)[-300:])
            new.rename(root)
        finally:
            shutil.rmtree(new, ignore_errors=True)
        about.write_text(" ".join(PACKAGES))
        return root


def names():
    """The tests of inside.py, without running anything of it."""
    for node in ast.parse(INSIDE.read_text()).body:
        if isinstance(node, ast.ClassDef) and node.name == "Systemd":
            return [f.name for f in node.body
                    if isinstance(f, ast.FunctionDef) and f.name.startswith("test_")]
    raise AssertionError("no tests")


@unittest.skipUnless(IS_ROOT, "needs root, to boot a system of its own")
@unittest.skipIf(os.environ.get("SLOW"), "once is enough: with the plain build")
class Debian(unittest.TestCase):
    """A Debian of its own, with Sallyport installed."""
    @classmethod
    def setUpClass(cls):
        base = debian()
        able = nspawn(base, "/bin/true", limit=30)
        if able.returncode != 0:
            raise unittest.SkipTest("systemd-nspawn cannot run here: "
                                    + able.stderr.decode(errors="replace")[-300:])
        cls.root = directory("debian") / "root"
        subprocess.run(["cp", "-a", "--reflink=auto", base, cls.root], check=True, timeout=120)
        subprocess.run(["make", "-s", f"O={BUILD.name}", "install", f"DESTDIR={cls.root}",
                        "PREFIX=/usr", "SYSCONFDIR=/etc"], cwd=ROOT, check=True, timeout=300,
                       capture_output=True)

    @classmethod
    def tearDownClass(cls):
        if not os.environ.get("KEEP") and hasattr(cls, "root"):
            shutil.rmtree(cls.root, ignore_errors=True)


class Booted(Debian):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        shutil.copy(INSIDE, cls.root / "inside.py")
        etc = cls.root / "etc/systemd/system"
        (etc / "inside.service").write_text(UNIT)
        (etc / "multi-user.target.wants/inside.service").symlink_to("../inside.service")
        done = nspawn(cls.root, "--boot", limit=LIMIT)
        log = cls.root / "inside.log"
        cls.log = log.read_text() if log.exists() else done.stdout.decode(errors="replace")[-3000:]
        result = cls.root / "result.json"
        cls.results = json.loads(result.read_text()) if result.exists() else {}

    def check(self, name):
        if name == "test_12_a_process_for_each_connection" and \
                subprocess.run(["unshare", "--user", "true"], check=False).returncode != 0:
            self.skipTest("no user namespaces here (a chroot?): PrivateUsers= of its unit fails")
        result = self.results.get(name, "did not come to it\n" + self.log)
        journal = self.root / "journal.txt"
        if result != "ok" and journal.exists():
            result += "\n" + journal.read_text()[-6000:]
        if result != "ok":
            self.fail(result)


for _name in names():
    setattr(Booted, _name, lambda self, name=_name: self.check(name))


class Contained(Debian):
    """The last stage of etc/Dockerfile: an ordinary user in a container."""

    def test_the_steps_of_the_Dockerfile(self):
        text = (ROOT / "etc/Dockerfile").read_text().replace("\\\n", " ")
        steps = [l.split(None, 1) for l in text.split("\nFROM ")[-1].splitlines()[1:] if l]
        of = {word: [rest for w, rest in steps if w == word] for word, _ in steps}
        libraries = {w for w in of["RUN"][0].split() if w.startswith("lib")}
        self.assertGreater(len(libraries), 5)
        self.assertEqual(libraries - set(PACKAGES), set())
        for run in of["RUN"][1:]:
            done = nspawn(self.root, "/bin/sh", "-c", run, limit=30)
            self.assertEqual(done.returncode, 0, done.stderr)
        source, target = of["COPY"][1].split()
        shutil.copy(ROOT / source, self.root / target.lstrip("/"))
        shutil.copy(ROOT / "tests/systemd/container.py", self.root / "container.py")
        done = nspawn(self.root, f"--user={of['USER'][0]}", "/usr/bin/python3", "/container.py",
                      *json.loads(of["CMD"][0]), limit=60)
        out = (done.stdout + done.stderr).decode(errors="replace")
        self.assertEqual(done.returncode, 0, out)
        self.assertIn("event=ready", out)
        self.assertIn("contained", out)


if __name__ == "__main__":
    unittest.main()
