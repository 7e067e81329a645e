"""The processes of the running service: confinement, death, stop, start errors."""
import os
import pathlib
import platform
import re
import signal
import socket
import subprocess
import threading
import time
import unittest

from harness import (BUILD, IS_ROOT, NOBODY, PEOPLE, SLOW, Service, directory, home, maildir,
                     passwd_files, send, wait_for)

NAMES = {"master", "logger", "smtpd", "lookup", "resolver", "queue", "local", "remote", "control"}


def status(pid):
    try:
        text = pathlib.Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return {"Seccomp_filters": "0"}
    return dict(re.findall(r"^(\w+):\s*(.*)$", text, re.M))


def local(box, more=""):
    return f'domain "example.org" {{ users = "any" deliver = "maildir:{box}/%u" }}\n{more}'


class Confinement(unittest.TestCase):
    def check(self, service):
        pids = service.pids()
        self.assertEqual(set(pids), NAMES)
        of_master = int(status(service.master_pid())["Seccomp_filters"])
        uids = {}
        for name, all_of in pids.items():
            for pid in all_of:
                s = status(pid)
                with self.subTest(name):
                    self.assertEqual(s["Seccomp"], "2")
                    if name != "master":        # its own filter, not only the inherited one
                        self.assertGreater(int(s["Seccomp_filters"]), of_master)
                    self.assertEqual(s["NoNewPrivs"], "1")
                    uids.setdefault(name, set()).add(int(s["Uid"].split()[0]))
                    self.assertEqual(len(set(s["Uid"].split())), 1)
                    self.assertEqual(len(set(s["Gid"].split())), 1)
                    caps = int(s["CapEff"], 16) if name != "master" else 0
                    allowed = (1 << 7 | 1 << 6 | 1 << 5) if name == "local" and service.root else 0
                    self.assertEqual(caps & ~allowed, 0)
        return pids, uids

    def test_without_root(self):
        service = Service(local(directory("box", NOBODY)))
        _, uids = self.check(service)
        self.assertEqual(len(set.union(*uids.values())), 1)
        self.assertEqual(service.stop(), 0)

    @unittest.skipUnless(IS_ROOT, "needs root")
    def test_as_root_each_has_its_own_user(self):
        service = Service('domain "example.org" { }\n', root=True)
        send(service.port, rcpts=["alice@example.org"])
        wait_for(lambda: maildir(home("alice") / "Maildir"))
        pids, uids = self.check(service)
        self.assertEqual(uids.pop("master"), {0})
        people = set(PEOPLE.values())
        own = [tuple(u - people) for u in uids.values()]
        self.assertTrue(all(len(u) == 1 and u[0] != 0 for u in own), uids)
        # lookup and its helper share one
        self.assertEqual(len(set(own)), len(own), uids)
        empty = os.path.realpath(service.dir / "run/empty")
        # The leak checker needs /proc: a sanitized build keeps its root.
        for name in () if os.environ.get("SLOW") else ("smtpd", "logger", "remote", "resolver"):
            for pid in pids[name]:
                self.assertTrue(os.path.samefile(f"/proc/{pid}/root", empty), name)
        self.assertEqual(os.listdir(empty), [])
        box = home("alice") / "Maildir/new"
        for f in box.iterdir():
            self.assertEqual(f.stat().st_uid, PEOPLE["alice"])
            self.assertEqual(f.stat().st_mode & 0o77, 0)
        self.assertEqual(service.stop(), 0)

    @unittest.skipUnless(IS_ROOT, "needs root")
    def test_as_root_virtual_mailboxes_belong_to_their_owner(self):
        uids = {l.split(":")[0]: int(l.split(":")[2])
                for l in (passwd_files() / "etc/passwd").read_text().splitlines()}
        box = directory("virtual")
        os.chmod(box, 0o777)
        service = Service(
            f'domain "default.example" {{ users = "any" deliver = "maildir:{box}/%d/%u" }}\n'
            f'domain "owned.example" {{ users = "any" owner = "bob" '
            f'deliver = "maildir:{box}/%d/%u" }}\n', root=True)
        for domain, owner in (("default.example", "sallyport-mail"), ("owned.example", "bob")):
            send(service.port, rcpts=[f"x@{domain}"])
            wait_for(lambda: maildir(box / domain / "x"))
            for path in (box / domain / "x", *(box / domain / "x/new").iterdir()):
                self.assertEqual(path.stat().st_uid, uids[owner])
                self.assertEqual(path.stat().st_mode & 0o77, 0)
        self.assertEqual(service.stop(), 0)

    @unittest.skipUnless(IS_ROOT, "needs root")
    def test_system_users_below_min_uid_do_not_exist(self):
        service = Service('domain "example.org" { }\n', root=True)
        t = service.talk()
        t("EHLO c.example")
        t("MAIL FROM:<a@b.example>")
        for name in ("daemon", "sallyport-queue"):
            self.assertEqual(t(f"RCPT TO:<{name}@example.org>"), 550, name)
        # root is postmaster, who is nobody here: its mail waits, and is not delivered to root
        self.assertEqual(t("RCPT TO:<root@example.org>"), 250)
        t("RSET")
        send(service.port, rcpts=["root@example.org"])
        wait_for(lambda: service.events("postmaster_without_mailbox"))
        wait_for(lambda: [r["state"] for r in service.rows()] == ["deferred"])
        t("MAIL FROM:<a@b.example>")
        self.assertEqual(t("RCPT TO:<Alice@example.org>"), 250)
        self.assertEqual(service.stop(), 0)

    @unittest.skipUnless(IS_ROOT, "needs root")
    def test_a_missing_user_is_a_clear_error(self):
        service = Service(local("/nonexistent"), start=False, root=True)
        done = subprocess.run([*service._argv("run", "-c", str(service.conf_file))[-4:]],
                              capture_output=True, text=True, timeout=60)
        if subprocess.run(["getent", "passwd", "sallyport-queue"],
                          capture_output=True).returncode == 0:
            self.skipTest("this machine has the users")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"sallyport-\w+.*sysusers")


SYS = {"execve": 59, "openat": 257, "socket": 41, "connect": 42, "ptrace": 101, "close": 3}
AT_FDCWD, O_RDONLY, O_WRONLY_CREAT = -100, 0, 0o101
KILLED = "killed 31"


@unittest.skipIf(os.environ.get("SLOW"), "a sanitizer needs wider filters: not the real ones")
@unittest.skipUnless(platform.machine() == "x86_64", "inject knows x86-64 only")
class BrokenInto(unittest.TestCase):
    """What code inside each running process can still do: one system call at a time."""

    def inject(self, name, call, *args):
        """Its result: KILLED, or the number that the call returned."""
        # A new one has master's filter at once, and its own a moment later.
        of_master = int(status(self.service.master_pid())["Seccomp_filters"])
        pid = wait_for(lambda: [p for p in self.service.pids().get(name, [])
                                if int(status(p)["Seccomp_filters"]) > of_master
                                or name == "master"], 40)[0]
        done = subprocess.run([str(BUILD / "tests/tools/inject"), str(pid), str(SYS[call]),
                               *map(str, args)], capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 0, done.stderr)
        out = done.stdout.strip()
        if out.startswith("killed"):
            wait_for(lambda: pid not in self.service.pids().get(name, []))
            return out
        return int(out)

    def refused(self, result):
        self.assertTrue(result == KILLED or (isinstance(result, int) and result < 0), result)

    def run_all(self, root):
        outside = directory("outside")
        (outside / "secret").write_text("not for mail processes")
        (outside / "secret").chmod(0o644)
        os.chmod(outside, 0o777)
        box = directory("box", NOBODY)
        os.chmod(box, 0o777)
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            port = listener.getsockname()[1]
            address = "x:0200" + port.to_bytes(2, "big").hex() + "7f000001" + "00" * 8
            self.service = Service(local(box, "smtpd_processes = 1\n"), root=root)
            for name in sorted(NAMES - {"master"}):
                with self.subTest(name):
                    self.assertEqual(self.inject(name, "execve", "s:/bin/true", 0, 0), KILLED)
                    self.refused(self.inject(name, "openat", AT_FDCWD,
                                             f"s:{outside}/secret", O_RDONLY))
                    self.refused(self.inject(name, "openat", AT_FDCWD,
                                             f"s:{outside}/new", O_WRONLY_CREAT, 0o600))
                    made = self.inject(name, "socket", socket.AF_INET, socket.SOCK_STREAM, 0)
                    if name in ("remote", "resolver"):      # to their own ports only
                        self.assertGreaterEqual(made, 0)
                        self.refused(self.inject(name, "connect", made, address, 16))
                    else:
                        self.assertEqual(made, KILLED)
            self.refused(self.inject("master", "ptrace", 16, 1, 0, 0))
            self.assertFalse((outside / "new").exists())
            listener.settimeout(0)
            with self.assertRaises(BlockingIOError):
                listener.accept()
        named = {e["process"] for e in self.service.events("died")
                 if "SIGSYS" in "".join(e.values())}
        self.assertEqual(named, NAMES - {"master"})
        self.assertEqual(self.service.stop(), 0)

    def test_without_root(self):
        self.run_all(False)

    @unittest.skipUnless(IS_ROOT, "needs root")
    def test_as_root(self):
        self.run_all(True)


class Death(unittest.TestCase):
    def test_each_process_is_replaced_within_a_second(self):
        box = directory("box", NOBODY)
        service = Service(local(box, "smtpd_processes = 1\n"))
        n = 0
        for name in sorted(NAMES - {"master"}):
            with self.subTest(name):
                old = set(service.pids()[name])
                bystander = None if name == "smtpd" else service.talk()
                if bystander:
                    self.assertEqual(bystander("EHLO c.example"), 250)
                for pid in old:
                    os.kill(pid, signal.SIGKILL)
                start = time.monotonic()
                wait_for(lambda: set(service.pids().get(name, [])) - old, 5)
                took = time.monotonic() - start
                self.assertLess(took, 1 if not os.environ.get("SLOW") else 6)
                if bystander and name != "lookup":
                    self.assertEqual(bystander("NOOP"), 250)
                # through the whole house again
                def works():
                    try:
                        send(service.port, rcpts=[f"{name}@example.org"])
                        return True
                    except (AssertionError, OSError, EOFError):
                        return False
                wait_for(works)
                n += 1
                wait_for(lambda: maildir(box / name))
                if bystander:
                    self.assertEqual(bystander("MAIL FROM:<a@b.example>"), 250)
                    self.assertEqual(bystander(f"RCPT TO:<{name}@example.org>"), 250)
                    bystander.close()
                time.sleep(1.2)     # the next death is again a first one
        self.assertEqual(service.stop(), 0)
        died = {e["process"] for e in service.events("died")}
        self.assertTrue(NAMES - {"master"} <= died, died)

    def test_when_master_dies_all_end(self):
        service = Service(local(directory("box", NOBODY)))
        pids = [p for ps in service.pids().values() for p in ps]
        os.kill(service.master_pid(), signal.SIGKILL)
        def gone():
            for p in pids:
                try:
                    if pathlib.Path(f"/proc/{p}/stat").read_text().split(") ")[1][0] != "Z":
                        return False
                except FileNotFoundError:
                    pass
            return True
        wait_for(gone)
        service.proc.wait(5)
        # and a new one starts at once on the same spool
        service.start()
        self.assertEqual(service.stop(), 0)

    def test_sigsys_is_named_in_the_log(self):
        service = Service(local(directory("box", NOBODY)))
        os.kill(service.pids()["resolver"][0], signal.SIGSYS)
        wait_for(lambda: "SIGSYS" in service.log_text())
        self.assertEqual(service.stop(), 0)


class SlowHost:
    """A next host that takes its time with the reply to the end of the data."""

    def __init__(self, seconds):
        self.seconds, self.messages, self.lock = seconds, [], threading.Lock()
        self.open, self.most = 0, 0     # connections at once
        self.began = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.session, args=(s,), daemon=True).start()

    def session(self, s):
        with self.lock:
            self.open += 1
            self.most = max(self.most, self.open)
        try:
            self.dialogue(s)
        finally:
            with self.lock:
                self.open -= 1

    def dialogue(self, s):
        with s:
            stream = s.makefile("rb")
            s.sendall(b"220 slow.example\r\n")
            for line in stream:
                verb = line[:4].upper()
                if verb == b"QUIT":
                    s.sendall(b"221 bye\r\n")
                    return
                if verb != b"DATA":
                    s.sendall(b"250 ok\r\n")
                    continue
                s.sendall(b"354 go\r\n")
                text = b""
                while not text.endswith(b"\r\n.\r\n"):
                    text += stream.readline()
                with self.lock:
                    self.messages.append(text)
                self.began.set()
                time.sleep(self.seconds)
                s.sendall(b"250 taken\r\n")


class UnderWay(unittest.TestCase):
    """A delivery that is under way when another process dies is not started twice."""

    def one(self, victim):
        host = SlowHost(3)
        service = Service(f'route "*" {{ via = "smtp://127.0.0.1:{host.port}" }}\n'
                          'retry_first = "1s"\nretry_max = "1s"\n')
        id = send(service.port, rcpts=["x@slow.example"])
        self.assertTrue(host.began.wait(10 * SLOW))
        os.kill(service.pids()[victim][0], signal.SIGKILL)
        wait_for(lambda: [r for r in service.rows() if r["id"] == id and r["state"] == "active"]
                 or not service.rows())
        service.wait_empty(30)
        self.assertEqual(len(host.messages), 1)
        self.assertIn("250", service.command("trace", id, check=0).stdout)
        self.assertEqual(service.stop(), 0)
        host.listener.close()

    def test_one_host_gets_no_more_connections_than_configured(self):
        host = SlowHost(0.3)
        service = Service(f'route "*" {{ via = "smtp://127.0.0.1:{host.port}" }}\n'
                          'host_concurrency = 5\n')
        for i in range(30):
            send(service.port, rcpts=[f"x{i}@slow.example"])
        service.wait_empty(30)
        self.assertEqual(len(host.messages), 30)
        self.assertTrue(2 <= host.most <= 5, host.most)
        self.assertEqual(service.stop(), 0)
        host.listener.close()

    def test_when_queue_dies(self):
        self.one("queue")

    def test_when_others_die(self):
        for victim in ("resolver", "lookup", "control"):
            self.one(victim)

    def test_at_stop_it_is_finished(self):
        host = SlowHost(2)
        service = Service(f'route "*" {{ via = "smtp://127.0.0.1:{host.port}" }}\n')
        send(service.port, rcpts=["x@slow.example"])
        self.assertTrue(host.began.wait(10 * SLOW))
        self.assertEqual(service.stop(), 0)
        service.start()
        self.assertEqual(service.rows(), [])
        self.assertEqual(len(host.messages), 1)
        self.assertEqual(service.stop(), 0)


class Stop(unittest.TestCase):
    def test_sessions_get_421(self):
        service = Service(local(directory("box", NOBODY)))
        idle, busy = service.talk(), service.talk()
        busy("EHLO c.example")
        busy("MAIL FROM:<a@b.example>")
        start = time.monotonic()
        service.term()
        for t in (idle, busy):
            self.assertEqual(t.reply(), 421)
            self.assertRegex(t.lines[0], "4.3.2")
            self.assertTrue(t.closed())
        self.assertEqual(service.proc.wait(12), 0)
        self.assertLess(time.monotonic() - start, 10)
        with self.assertRaises(OSError):
            socket.create_connection(("127.0.0.1", service.port), 1)

    def test_by_command_and_status(self):
        service = Service(local(directory("box", NOBODY), "max_sessions = 100\n"))
        service.command("status", check=0)
        service.command("stop", check=0)
        self.assertEqual(service.proc.wait(2), 0)
        for words in (("status",), ("stop",), ("queue", "list"), ("trace", "0" * 15 + "1")):
            self.assertEqual(service.command(*words).returncode, 3, words)

    def test_what_was_accepted_is_there_after_a_restart(self):
        box = directory("box", NOBODY)
        # the mailbox cannot be made, so that the message waits
        os.chmod(box, 0o555)
        service = Service(local(box, 'retry_first = "1s"\nretry_max = "1s"\n'))
        ids = [send(service.port, rcpts=["wait@example.org"]) for _ in range(20)]
        self.assertEqual(service.stop(), 0)
        os.chmod(box, 0o755)
        service.start()
        wait_for(lambda: len(maildir(box / "wait")) == len(ids), 20)
        service.wait_empty()
        self.assertEqual(len(maildir(box / "wait")), len(ids))
        self.assertEqual(service.stop(), 0)


class Start(unittest.TestCase):
    def fails(self, service, pattern):
        done = subprocess.run(service._argv("run", "-c", str(service.conf_file)),
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr, pattern)

    def test_a_wrong_configuration(self):
        for text, line, pattern in (
                ('hostnam = "x"\n', 5, "hostnam"),
                ('message_size = "lots"\n', 5, "message_size"),
                ('domain "example.org" { users = "what" }\n', 5, "users"),
                ('domain "a.example" { }\ndomain "a.example" { }\n', 6, "a.example"),
                ('relay_from = { "300.0.0.1" }\n', 5, "300.0.0.1"),
                ('domain "e.org" { users = "any" deliver = "maildir:~/Maildir" }\n', 5, "~")):
            with self.subTest(text):
                service = Service(text, start=False)
                where = re.escape(str(service.conf_file))
                self.fails(service, rf"{where}:{line}: .*{re.escape(pattern)}")
                check = service.command("check")
                self.assertEqual(check.returncode, 1)
                self.assertRegex(check.stderr, rf"{where}:{line}: ")
                self.assertFalse(service.spool.exists())

    def test_a_kernel_without_landlock(self):
        """The start says why it fails; by its setting it goes without."""
        class Old(Service):
            def _argv(self, *words):
                old = [str(BUILD / "tests/tools/without_landlock")] if words[0] == "run" else []
                return [*old, *super()._argv(*words)]

        conf = 'domain "example.org" { users = "any" deliver = "maildir:' + \
            str(directory("box", NOBODY)) + '/%u" }\n'
        self.fails(Old(conf, start=False), 'what=landlock .*seccomp-only')
        service = Old(conf + 'sandbox = "seccomp-only"\n')
        send(service.port)
        service.wait_empty()
        self.assertEqual(service.stop(), 0)

    def test_a_missing_configuration(self):
        service = Service("", start=False)
        service.conf_file.unlink()
        self.fails(service, "sallyport.conf")

    def test_a_spool_of_another_version_is_left_alone(self):
        service = Service(local(directory("box", NOBODY)))
        self.assertEqual(service.stop(), 0)
        (service.spool / "format").write_text("sallyport spool 99\n")
        before = sorted(os.listdir(service.spool / "log"))
        self.fails(service, "99|version|format")
        self.assertEqual(before, sorted(os.listdir(service.spool / "log")))

    def test_a_spool_without_its_key(self):
        service = Service(local(directory("box", NOBODY)))
        send(service.port, rcpts=["x@example.org"])
        self.assertEqual(service.stop(), 0)
        (service.spool / "key").unlink()
        self.fails(service, "import")

    def test_a_locked_spool(self):
        one = Service(local(directory("box", NOBODY)))
        two = Service(local(directory("box", NOBODY)), start=False, spool=one.spool)
        self.fails(two, "spool is in use")
        send(one.port, rcpts=["x@example.org"])
        self.assertEqual(one.stop(), 0)

    def test_a_spool_that_is_a_file(self):
        service = Service(local("/nonexistent"), start=False)
        service.spool.write_text("x")
        self.fails(service, "spool")

    def test_an_address_in_use(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            s.listen()
            service = Service(local("/nonexistent"), start=False,
                              listen=(f"127.0.0.1:{s.getsockname()[1]}",))
            self.fails(service, str(s.getsockname()[1]))


if __name__ == "__main__":
    unittest.main()
