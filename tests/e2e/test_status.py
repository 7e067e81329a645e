"""`sallyport status`: for people, for programs, for monitoring."""
import json
import os
import signal
import subprocess
import unittest

from harness import IS_ROOT, NOBODY, SLOW, Service, directory, send, wait_for

NAMES = {"master", "logger", "smtpd", "lookup", "resolver", "queue", "local", "remote", "control"}


def local(box, more=""):
    return f'domain "example.org" {{ users = "any" deliver = "maildir:{box}/%u" }}\n{more}'


class Status(unittest.TestCase):
    def json(self, service, code=0):
        done = service.command("status", "--json", check=code)
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        return rows[:-1], rows[-1]

    def well(self, service):
        """All is well, from some time on; {name: [row, …]} and the whole."""
        wait_for(lambda: service.command("status").returncode == 0)
        rows, whole = self.json(service)
        by = {}
        for row in rows:
            by.setdefault(row["process"], []).append(row)
        return by, whole

    def test_all_is_well(self):
        service = Service(local(directory("box", NOBODY), "max_sessions = 100\n"))
        by, whole = self.well(service)
        self.assertEqual(set(by), NAMES)
        self.assertEqual({name: sorted(r["pid"] for r in rows) for name, rows in by.items()},
                         {name: sorted(pids) for name, pids in service.pids().items()})
        for rows in by.values():
            for row in rows:
                self.assertEqual((row["state"], row["generation"], row["restarts"]),
                                 ("running", 1, 0))
                self.assertNotIn("last_death", row)
                seen = row["confinement"]
                self.assertEqual((seen["uid"], seen["seccomp"], seen["no_new_privs"],
                                  seen["capabilities"]),
                                 (NOBODY if IS_ROOT else os.getuid(), 2, True, "0" * 16))
                if row["process"] != "master":
                    self.assertGreaterEqual(seen["landlock"], 2)
                    self.assertGreaterEqual(seen["seccomp_filters"], 2)
        self.assertEqual((whole["service"], whole["problems"], whole["errors"], whole["messages"],
                          whole["sessions"], whole["generation"]), ("well", [], [], 0, 0, 1))
        text = service.command("status", check=0).stdout
        self.assertRegex(text, r"^service well, generation 1, up \d+s\nsessions 0, messages 0")
        for name in NAMES:
            self.assertRegex(text, rf"(?m)^{name} +\d+ running pid \d+ generation 1 up ")
        self.assertEqual(service.command("status", "--jason").returncode, 2)
        self.assertEqual(service.stop(), 0)
        self.assertEqual(service.command("status").returncode, 3)

    def test_sessions_and_queue(self):
        box = directory("box", NOBODY)
        os.chmod(box, 0o555)
        service = Service(local(box, "max_sessions = 100\n"))
        send(service.port, rcpts=["x@example.org", "y@example.org"])
        talks = [service.talk() for _ in range(3)]

        def seen():
            rows, whole = self.json(service)
            return (whole["sessions"], whole["messages"], whole["recipients"]) == (3, 1, 2) and \
                whole["oldest"] >= 1
        wait_for(seen, 20)
        self.assertRegex(service.command("status").stdout,
                         r"(?m)^sessions 3, messages 1, recipients 2, oldest \d+s$")
        for t in talks:
            t.close()
        self.assertEqual(service.stop(), 0)

    def test_a_death_is_told(self):
        service = Service(local(directory("box", NOBODY), "max_sessions = 100\n"))
        self.well(service)
        os.kill(service.pids()["remote"][0], signal.SIGKILL)
        wait_for(lambda: service.command("status").returncode == 1)
        wait_for(lambda: [r for r in self.json(service, 1)[0]
                          if r["process"] == "remote" and r["state"] == "running"
                          and r["restarts"] == 1])
        rows, whole = self.json(service, 1)
        dead = [r for r in rows if "last_death" in r]
        self.assertEqual([(r["process"], r["last_death"]["signal"]) for r in dead],
                         [("remote", 9)])
        self.assertEqual(whole["service"], "degraded")
        self.assertRegex(" ".join(whole["problems"]), r"^remote died \d+ s ago: signal 9 \(Killed\)$")
        text = service.command("status").stdout
        self.assertRegex(text, r"(?m)^problem: remote died \d+ s ago")
        died = r"\d{4}-\S+Z master event=died level=error process=remote pid=\d+ signal=9 .*"
        self.assertRegex(text, rf"(?m)^last errors:\n    {died}$")
        self.assertEqual(len(whole["errors"]), 1)
        self.assertRegex(whole["errors"][0], rf"^{died}$")
        for _ in range(2):      # also by a new logger, of what comes from then on
            os.kill(service.pids()["logger"][0], signal.SIGKILL)
            wait_for(lambda: [e for e in self.json(service, 1)[1]["errors"]
                              if "process=logger" in e])
        self.assertRegex(text, r"(?m)^remote .*restarts 1 last death \d+s ago by signal 9 \(Killed\)$")
        self.assertEqual(service.stop(), 0)

    def test_a_table_that_cannot_be_read(self):
        where = directory("tables", NOBODY)
        users = where / "users"
        users.write_text("alice\n")
        service = Service(f'max_sessions = 100\ndomain "e.example" {{ users = "file:{users}" '
                          f'deliver = "maildir:{where}/%u" }}\n')
        self.well(service)
        users.rename(where / "away")
        wait_for(lambda: service.command("status").returncode == 1, 20)
        self.assertEqual(self.json(service, 1)[1]["problems"], ["1 table files cannot be read"])
        (where / "away").rename(users)
        self.well(service)
        self.assertEqual(len(service.events("table_readable")) +
                         len(service.events("table_read")), 2)
        self.assertEqual(service.stop(), 0)

    @unittest.skipUnless(IS_ROOT, "needs root")
    def test_as_root_each_has_its_own_confinement(self):
        service = Service('max_sessions = 100\ndomain "example.org" { }\n', root=True)
        by, _ = self.well(service)
        uids = {rows[0]["confinement"]["uid"] for rows in by.values()}
        self.assertEqual(len(uids), len(NAMES))
        self.assertEqual(by["local"][0]["confinement"]["capabilities"], "%016x" % (7 << 5))
        if SLOW == 1:
            # (as the kernel names it, which differs where all this is in a chroot)
            root = f"/proc/{by['smtpd'][0]['pid']}/root"
            self.assertTrue(os.path.samefile(root, service.dir / "run/empty"))
            self.assertEqual(by["smtpd"][0]["confinement"]["root"], os.readlink(root))
        # somebody else is refused
        done = subprocess.run(["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}",
                               "--clear-groups", *service._argv("status", "-c",
                                                                str(service.conf_file))[-4:]],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertEqual(service.stop(), 0)


if __name__ == "__main__":
    unittest.main()
