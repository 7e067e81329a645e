"""Processes for one session each: isolation = "session", inetd, a pipe; and what
can be seen by breaking into one."""
import concurrent.futures
import itertools
import os
import pathlib
import platform
import re
import shutil
import signal
import socket
import struct
import subprocess
import time
import unittest

from harness import (BUILD, IS_ROOT, NOBODY, ROOT, SLOW, Service, Talk, directory, free_port, maildir,
                     passwd_files, stage, wait_for, with_accounts)

HOST = "127.0.0.2"
SESSION = f'listen "{HOST}:0" {{ isolation = "session" }}\n'
SHARED = 1      # smtpds for all the others
TEMPFAIL = 75


def conf(box, more=""):
    return (f'domain "example.org" {{ users = "any" deliver = "maildir:{box}/%u" }}\n'
            f'smtpd_processes = {SHARED}\n{SESSION}{more}')


class House(unittest.TestCase):
    """A service with a shared listener, and one whose sessions have a process each."""

    root = False
    more = ""

    def setUp(self):
        self.box = directory("box", NOBODY)
        os.chmod(self.box, 0o777)
        self.service = self.make()
        self.addCleanup(self.service.kill)
        self.shared, self.port = (int(port) for _, port in self.service.addresses)

    def make(self):
        return Service(conf(self.box, self.more), root=self.root)

    def end(self):
        self.assertEqual(self.service.stop(), 0)
        for event in ("died", "complaint", "hung", "killed", "bad_message"):
            self.assertEqual(self.service.events(event), [])

    def sessions(self):
        """The pids of processes for one session, oldest first."""
        return sorted(self.service.pids().get("smtpd", []))[SHARED:]

    def connect(self, port=None, **kw):
        t = Talk(port or self.port, HOST if port is None else "127.0.0.1", **kw)
        self.addCleanup(t.close)
        return t

    def talk(self, port=None):
        t = self.connect(port)
        self.assertEqual(t("EHLO client.example"), 250)
        return t

    def talk_with_pid(self):
        before = set(self.sessions())
        t = self.talk()
        (pid,) = set(self.sessions()) - before
        return t, pid


class Session(House):
    def test_whole_dialogues(self):
        t, pid = self.talk_with_pid()
        for i in range(2):
            code, line = t.message(b"Subject: %d\r\n\r\nhello\r\n.\r\n" % i)
            self.assertEqual(code, 250, line)
        big = b"Subject: big\r\n\r\n" + b"x" * 78 + b"\r\n" * 40000 + b".\r\n"
        self.assertEqual(t.message(big)[0], 250)
        self.assertEqual(t("MAIL FROM:<a@b.example>"), 250)
        self.assertEqual(t("RCPT TO:<x@elsewhere.example>"), 250)   # relay_from has us
        self.assertEqual(t("RSET"), 250)
        self.assertEqual(t("QUIT"), 221)
        self.assertTrue(t.closed())
        wait_for(lambda: not os.path.exists(f"/proc/{pid}"))
        wait_for(lambda: len(maildir(self.box / "alice")) == 3)
        for m in maildir(self.box / "alice"):
            self.assertIn(b"Received: from client.example ([127.0.0.1])", m)
        self.assertEqual([e["listener"] for e in self.service.events("connect")],
                         [f"{HOST}:0"])
        self.end()

    def test_many_at_once_each_in_its_own(self):
        n = 60
        with concurrent.futures.ThreadPoolExecutor(n) as pool:
            talks = list(pool.map(lambda _: self.talk(), range(n)))
            self.assertEqual(len(self.sessions()), n)
            done = pool.map(lambda t: t.message(b"Subject: x\r\n\r\ny\r\n.\r\n"), talks)
            self.assertEqual([code for code, _ in done], [250] * n)
        for t in talks:
            t.close()
        wait_for(lambda: not self.sessions())
        wait_for(lambda: len(maildir(self.box / "alice")) == n)
        self.end()

    def test_a_killed_one_is_one_session(self):
        t, pid = self.talk_with_pid()
        other, _ = self.talk_with_pid()
        self.assertEqual(t.message(b"Subject: kept\r\n\r\ny\r\n.\r\n")[0], 250)
        for one in (t, other):
            self.assertEqual(one("MAIL FROM:<a@b.example>"), 250)
            self.assertEqual(one("RCPT TO:<bob@example.org>"), 250)
            self.assertEqual(one("DATA"), 354)
            one.raw(b"Subject: half\r\n\r\nhalf of ")
        os.kill(pid, signal.SIGKILL)
        self.assertTrue(t.closed())
        other.raw(b"it\r\n.\r\n")
        self.assertEqual(other.reply("received data"), 250)
        self.assertEqual(self.talk()("QUIT"), 221)
        wait_for(lambda: maildir(self.box / "alice") and maildir(self.box / "bob"))
        (kept,), (whole,) = maildir(self.box / "alice"), maildir(self.box / "bob")
        self.assertIn(b"Subject: kept", kept)
        self.assertTrue(whole.endswith(b"half of it\n"), whole)
        (died,) = self.service.events("died")
        self.assertEqual((died["pid"], died["signal"]), (str(pid), "9"))
        self.assertEqual(self.service.events("restarting"), [])
        self.assertEqual(self.service.stop(), 0)

    def test_stop_says_421(self):
        t, _ = self.talk_with_pid()
        self.service.term()
        self.assertEqual(t.reply("NOOP"), 421)
        self.assertIn("421 4.3.2", t.lines[0])
        self.assertTrue(t.closed())
        self.end()

    def test_peers_that_die_come_back(self):
        t = self.talk()
        for name in ("lookup", "queue"):
            (pid,) = self.service.pids()[name][:1]
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: self.service.pids().get(name, [pid])[0] != pid)

            def accepted():
                codes = [t("RSET"), t("MAIL FROM:<a@b.example>"), t("RCPT TO:<bob@example.org>")]
                return codes == [250, 250, 250]
            wait_for(accepted, 20, 0.1)
        self.assertEqual(t("RSET"), 250)
        self.assertEqual(t.message(b"Subject: x\r\n\r\ny\r\n.\r\n")[0], 250)
        self.assertEqual(self.service.stop(), 0)


class Limit(House):
    more = "session_processes = 3\nmax_sessions_per_client = 5\n"

    def test_the_next_one_waits(self):
        talks = [self.talk() for _ in range(3)]
        late = socket.create_connection((HOST, self.port), 30 * SLOW)
        self.addCleanup(late.close)
        late.settimeout(1)
        with self.assertRaises(socket.timeout):
            late.recv(1)
        self.assertEqual(len(self.sessions()), 3)
        # The others have nothing to do with it.
        self.assertEqual(self.talk(self.shared)("NOOP"), 250)
        talks[0].close()
        late.settimeout(30 * SLOW)
        self.assertEqual(late.recv(3), b"220")
        self.assertEqual(len(self.service.events("sessions_full")), 2)
        self.end()

    def test_sessions_are_counted_with_all_others(self):
        for port in (None, self.shared, None, self.shared, self.shared):
            self.talk(port)
        t = self.connect(greet=False)
        self.assertEqual(t.reply("connect"), 421)
        self.assertIn("4.7.0", t.lines[0])
        self.end()


class Reload(House):
    def reload(self, old=None, new=None):
        if old is not None:
            text = self.service.conf_file.read_text()
            self.assertEqual(text.count(old), 1, text)
            self.service.conf_file.write_text(text.replace(old, new))
        self.service.command("reload", check=0)

    def test_a_session_keeps_what_it_began_with(self):
        t, pid = self.talk_with_pid()
        self.assertEqual(t("MAIL FROM:<a@b.example>"), 250)
        self.assertEqual(t("RCPT TO:<bob@example.org>"), 250)
        self.assertEqual(t("DATA"), 354)
        self.reload("mx.example", "new.example")
        t.raw(b"Subject: x\r\n\r\ny\r\n.\r\n")
        self.assertEqual(t.reply("received data"), 250)
        self.assertEqual(t("EHLO client.example"), 250)
        self.assertIn("mx.example", t.lines[0])
        self.assertEqual(len(self.service.pids()["lookup"]), 2)
        fresh = self.talk()
        self.assertIn("new.example", fresh.lines[0])
        fresh.close()
        self.assertEqual(t("QUIT"), 221)
        # With it, all of its generation.
        wait_for(lambda: len(self.service.pids()["lookup"]) == 1)
        self.end()

    def test_isolation_changes(self):
        for old, new, n in (("session", "shared", 0), ("shared", "session", 1),
                            ("session", "shared", 0)):
            self.reload(f'isolation = "{old}"', f'isolation = "{new}"')
            wait_for(lambda: len(self.service.pids()["smtpd"]) == SHARED)
            t = self.talk()
            self.assertEqual(len(self.sessions()), n, new)
            t.close()
            wait_for(lambda: not self.sessions())
        self.end()

    def test_the_limit_changes(self):
        self.reload(SESSION, SESSION + "session_processes = 2\n")
        talks = [self.talk() for _ in range(2)]
        late = socket.create_connection((HOST, self.port), 30 * SLOW)
        self.addCleanup(late.close)
        late.settimeout(0.5)
        with self.assertRaises(socket.timeout):
            late.recv(1)
        self.reload("session_processes = 2", "session_processes = 3")
        late.settimeout(30 * SLOW)
        self.assertEqual(late.recv(3), b"220")
        for t in talks:
            self.assertEqual(t("NOOP"), 250)
        self.end()


class NoProcess(House):
    """What can be said to a client for whom no process can be started."""

    def make(self):
        self.stage = directory("stage", NOBODY)
        shutil.copytree(stage(), self.stage, dirs_exist_ok=True)
        service = Service(conf(self.box), start=False)
        argv = service._argv
        service._argv = lambda *words: [a.replace(str(stage()), str(self.stage))
                                        for a in argv(*words)]
        service.start()
        return service

    def test_it_gets_421(self):
        (self.stage / "libexec/smtpd").rename(self.stage / "libexec/away")
        for _ in range(3):
            t = self.connect(greet=False)
            self.assertEqual(t.reply("connect"), 421)
            self.assertIn("421 4.3.2 mx.example", t.lines[0])
            self.assertTrue(t.closed())
        (self.stage / "libexec/away").rename(self.stage / "libexec/smtpd")
        self.assertEqual(self.talk()("NOOP"), 250)
        self.assertEqual(len(self.service.events("turned_away")), 3)
        self.assertEqual(self.service.stop(), 0)


class NoDescriptors(House):
    def limit(self, n):
        """Its user may do that."""
        argv = ["prlimit", f"--pid={self.service.master_pid()}", f"--nofile={n}:"]
        if IS_ROOT:
            argv = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *argv]
        subprocess.run(argv, check=True, timeout=30)

    def free(self, n):
        """Master may open so many more."""
        master = self.service.master_pid()
        used = {int(fd) for fd in os.listdir(f"/proc/{master}/fd")}
        self.limit(next(i for i in itertools.count() if i not in used
                        and i - len([u for u in used if u < i]) == n))

    def test_it_gets_421_or_waits(self):
        first = self.talk()
        self.free(1)
        t = self.connect(greet=False)
        self.assertEqual(t.reply("connect"), 421)
        self.assertIn("421 4.3.2 mx.example", t.lines[0])
        self.assertTrue(t.closed())
        self.free(0)
        late = socket.create_connection((HOST, self.port), 30 * SLOW)
        self.addCleanup(late.close)
        wait_for(lambda: self.service.events("accept"))
        self.assertEqual(first("NOOP"), 250)
        self.limit(1000)
        self.assertEqual(late.recv(3), b"220")
        self.end()


# --- what one of them is and has -------------------------------------------------

def status(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return dict(re.findall(r"^(\w+):[ \t]*(.*)$", text, re.M))


def descriptors(pid):
    return {int(n): os.readlink(f"/proc/{pid}/fd/{n}") for n in os.listdir(f"/proc/{pid}/fd")}


def inodes(table, column, wanted=lambda fields: True):
    lines = pathlib.Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    return {f"socket:[{f[column]}]" for f in map(str.split, lines) if wanted(f)}


class Confined(House):
    def test_as_a_user(self):
        self.check()

    def check(self):
        t, pid = self.talk_with_pid()
        s = status(pid)
        self.assertEqual((s["Seccomp"], s["NoNewPrivs"], s["CapEff"], s["CapBnd"] if self.root
                          else "0" * 16), ("2", "1", "0" * 16, "0" * 16))
        of_master = int(status(self.service.master_pid())["Seccomp_filters"])
        self.assertGreater(int(s["Seccomp_filters"]), of_master)
        (shared,) = sorted(self.service.pids()["smtpd"])[:SHARED]
        self.assertEqual(s["Uid"], status(shared)["Uid"])
        self.assertEqual(s["Gid"], status(shared)["Gid"])
        self.assertNotEqual(s["Uid"].split()[0], "0")
        if self.root and not os.environ.get("SLOW"):
            self.assertTrue(os.path.samefile(f"/proc/{pid}/root", self.service.dir / "run/empty"))
        self.check_descriptors(pid, shared)
        t.close()
        self.end()

    def check_descriptors(self, pid, shared):
        d = descriptors(pid)
        for fd in (0, 1):
            self.assertTrue(os.path.samefile(f"/proc/{pid}/fd/{fd}", "/dev/null"), d[fd])
        self.assertRegex(d[2], r"^pipe:")
        others = descriptors(shared)
        self.assertNotEqual(d[2], others[2], "a log of its own")
        sockets = [f for f in d.values() if f.startswith("socket:")]
        client = inodes("tcp", 9, lambda f: f[3] == "01")       # established
        mine = inodes("unix", 6, lambda f: f[4] == "0005" and f[5] == "03")
        self.assertEqual(len([s for s in sockets if s in client]), 1, d)
        # to master, lookup and queue
        self.assertEqual(len([s for s in sockets if s in mine]), 3, d)
        self.assertEqual(len(sockets), 4, d)
        self.assertEqual(set(sockets) & set(others.values()), set())
        # The loop: epoll and the pipe by which signals come.
        rest = sorted(f.split(":")[0] for n, f in d.items() if n > 2 and f not in sockets)
        self.assertEqual(rest, ["anon_inode", "pipe", "pipe"], d)
        self.assertNotIn(d[2], [f for n, f in d.items() if n > 2])


@unittest.skipUnless(IS_ROOT, "needs root")
class ConfinedAsRoot(Confined):
    root = True


def memory(pid):
    """All that the process may write to, as a debugger reads it."""
    dump = []
    with open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
            where, mode = line.split()[:2]
            if "w" not in mode or "r" not in mode or "[vvar" in line:
                continue
            start, end = (int(x, 16) for x in where.split("-"))
            # The shadow of a sanitizer is terabytes of nothing.
            if end - start > 1 << 30:
                continue
            mem.seek(start)
            dump.append(mem.read(end - start))
    return b"".join(dump)


@unittest.skipUnless(IS_ROOT, "a debugger of other users' processes needs root")
class BrokenInto(House):
    root = True

    def fill(self, port, mark):
        """A session with its mark in everything that it says, in the middle of a message."""
        t = self.connect(port)
        self.assertEqual(t(f"EHLO helo{mark}.example"), 250)
        t.message(f"Subject: done{mark}\r\n\r\n{mark}done\r\n.\r\n".encode(),
                  sender=f"before{mark}@a.example", rcpts=[f"rcptbefore{mark}@example.org"])
        self.assertEqual(t(f"MAIL FROM:<from{mark}@a.example>"), 250)
        self.assertEqual(t(f"RCPT TO:<to{mark}@example.org>"), 250)
        self.assertEqual(t("DATA"), 354)
        # More than one read of it, and the end is still to come.
        t.raw(f"Subject: head{mark}\r\n\r\n".encode() + f"body{mark} ".encode() * 5 + b"\r\n")
        time.sleep(0.3 * SLOW)
        t.raw(f"more{mark}\r\nlast{mark}".encode())
        return t

    def test_it_holds_nothing_of_others(self):
        gone = self.fill(None, "wendy")
        gone.raw(b"\r\n.\r\n")
        self.assertEqual(gone.reply("received data"), 250)
        self.assertEqual(gone("QUIT"), 221)
        gone.close()
        wait_for(lambda: not self.sessions())
        talks, pids = {}, {}
        for mark in ("trent", "peggy"):
            before = set(self.sessions())
            talks[mark] = self.fill(None, mark)
            (pids[mark],) = set(self.sessions()) - before
        talks["mallory"] = self.fill(self.shared, "mallory")
        (pids["mallory"],) = sorted(self.service.pids()["smtpd"])[:SHARED]
        time.sleep(0.3 * SLOW)
        marks = ["trent", "peggy", "mallory", "wendy"]
        for mark, pid in pids.items():
            dump = memory(pid)
            # That it finds what is there shows that it would find the rest.
            for of_it in ("helo", "from", "to", "head", "body", "last"):
                self.assertIn(f"{of_it}{mark}".encode(), dump, mark)
            for other in marks:
                if other != mark:
                    self.assertNotIn(other.encode(), dump, f"{other} seen in {mark}")
        for mark, t in talks.items():
            t.raw(b"\r\n.\r\n")
            self.assertEqual(t.reply("received data"), 250, mark)
        self.end()

    def call(self, pid, number, *args):
        """What a system call inside it comes to."""
        done = subprocess.run([str(BUILD / "tests/tools/inject"), str(pid), str(number),
                               *map(str, args)], capture_output=True, text=True, timeout=30)
        return done.stdout.strip()

    @unittest.skipIf(os.environ.get("SLOW"), "a sanitizer needs wider filters")
    @unittest.skipUnless(platform.machine() == "x86_64", "inject knows x86-64 only")
    def test_its_descriptors_give_it_no_other_client(self):
        t, pid = self.talk_with_pid()
        waiting = socket.create_connection(("127.0.0.1", self.shared))
        self.addCleanup(waiting.close)
        for fd in descriptors(pid):
            self.assertRegex(self.call(pid, 288, fd, 0, 0, 0), r"^-\d+$", f"accept4({fd})")
        self.assertEqual(t("NOOP"), 250)
        self.assertEqual(self.call(pid, 257, -100, "s:/proc", 0, 0), "killed 31")       # openat
        self.assertTrue(t.closed())
        self.assertEqual(self.service.stop(), 0)

    @unittest.skipUnless(platform.machine() == "x86_64", "inject knows x86-64 only")
    def test_its_word_ends_nothing_of_others(self):
        text = (ROOT / "common/msg/master.h").read_text()
        names = re.findall(r"MASTER_\w+", re.search(r"(MASTER_PEER = .*?)\}", text, re.S)[1])
        complain = 0x0100 + names.index("MASTER_COMPLAIN")
        kinds = re.findall(r"PEER_\w+", (ROOT / "common/run/ipc.h").read_text())
        before = self.service.pids()
        other = self.talk()
        for name in ("queue", "lookup"):
            (victim,) = before[name][:1]
            instance = int(pathlib.Path(f"/proc/{victim}/cmdline").read_bytes().split(b"\0")[1])
            t, pid = self.talk_with_pid()
            packet = struct.pack("<HHIBI", complain, 0, 0, kinds.index(f"PEER_{name.upper()}"),
                                 instance)
            # write to its channel to master, who may be faster than the debugger
            self.assertIn(self.call(pid, 1, 3, "x:" + packet.hex(), len(packet)),
                          (str(len(packet)), "killed 9"))
            self.assertTrue(t.closed())
            (heard,) = wait_for(lambda: [e for e in self.service.events("complaint")
                                         if e["of"] == name])
            self.assertEqual((heard["pid"], heard["instance"]), (str(pid), str(instance)))
        self.assertEqual(other.message(b"Subject: x\r\n\r\ny\r\n.\r\n")[0], 250)
        after = self.service.pids()
        # local may have made a child for the message.
        for name in before:
            self.assertLessEqual(set(before[name]), set(after[name]), name)
        self.assertEqual(self.service.stop(), 0)


# --- from outside ------------------------------------------------------------------

MESSAGE = (b"EHLO client.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<bob@example.org>\r\n"
           b"RCPT TO:<x@elsewhere.example>\r\nDATA\r\nSubject: by hand\r\n\r\nhello\r\n.\r\n")


class FromOutside(House):
    def smtpd(self, runtime=None):
        return [str(stage() / "libexec/smtpd"), "-r", str(runtime or self.service.dir / "run")]

    def argv(self, user=NOBODY):
        """How that user, who is nobody unless the service is root's, starts it."""
        if self.root:
            # From a shell as root: its own user and root directory it sees to itself.
            return with_accounts(self.smtpd())
        if IS_ROOT:
            return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups",
                    *self.smtpd()]
        return self.smtpd()

    def run_it(self, octets, argv=None):
        return subprocess.run(argv or self.argv(), input=octets, capture_output=True,
                              timeout=60 * SLOW)


class Outside(FromOutside):
    def test_by_hand(self):
        done = self.run_it(MESSAGE + b"QUIT\r\n")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        lines = done.stdout.decode().split("\r\n")
        self.assertRegex(lines[0], r"^220 mx\.example ")
        codes = [l[:3] for l in lines[:-1] if l[3:4] == " "]
        # It may not relay, wherever it says it is from.
        self.assertEqual(codes, ["220", "250", "250", "250", "550", "354", "250", "221"])
        wait_for(lambda: maildir(self.box / "bob"))
        (m,) = maildir(self.box / "bob")
        self.assertRegex(m, rb"Received: from client\.example \(unknown\)\n\tby mx\.example with "
                            rb"ESMTP")
        (c,) = self.service.events("connect")
        self.assertEqual((c["client"], c["listener"]), ("unknown", "standard input"))
        self.end()

    def test_what_was_not_sent_as_a_whole_is_nothing(self):
        done = self.run_it(MESSAGE[:-3])
        self.assertEqual(done.returncode, 0)
        self.assertEqual(done.stdout.split(b"\r\n")[-2][:3], b"354")
        self.assertEqual(self.service.rows(), [])
        self.end()

    def test_a_file_and_a_shell(self):
        work = directory("work", NOBODY)
        (work / "in").write_bytes(MESSAGE)
        (work / "in").chmod(0o644)
        with open(work / "in", "rb") as i, open(work / "out", "wb") as o:
            subprocess.run(self.argv(), stdin=i, stdout=o, timeout=60 * SLOW, check=True)
        self.assertEqual((work / "out").read_bytes().split(b"\r\n")[-2][:4], b"250 ")
        # Those who had its place before have no say in it.
        subprocess.run(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *self.argv()],
                       timeout=60 * SLOW, check=True)
        self.end()

    def test_it_is_confined_and_counted(self):
        p = subprocess.Popen(self.argv(), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(p.kill)
        self.assertEqual(p.stdout.read(3), b"220")
        s = status(p.pid)
        self.assertEqual((s["Name"], s["Seccomp"], s["NoNewPrivs"], s["CapEff"]),
                         ("smtpd", "2", "1", "0" * 16))
        (shared,) = self.service.pids()["smtpd"]
        self.assertEqual(s["Uid"], status(shared)["Uid"])
        self.assertEqual(s["Groups"], "")
        if self.root and not os.environ.get("SLOW"):
            self.assertTrue(os.path.samefile(f"/proc/{p.pid}/root",
                                             self.service.dir / "run/empty"))
        d = descriptors(p.pid)
        sockets = [f for f in d.values() if f.startswith("socket:")]
        # master, lookup, queue
        self.assertEqual(len(sockets), 3, d)
        self.assertEqual([d[n].split(":")[0] for n in (0, 1, 2)], ["pipe"] * 3)
        self.assertNotEqual(d[2], os.readlink("/proc/self/fd/2"))
        self.assertRegex(self.service.command("status").stdout, rf"\b{p.pid}\b")
        p.stdin.close()
        self.assertEqual(p.wait(30), 0)
        wait_for(lambda: not re.search(rf"\b{p.pid}\b", self.service.command("status").stdout))
        p.stdout.close()
        self.end()

    def test_a_socket_that_listens_is_no_client(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            done = subprocess.run(self.argv(), stdin=listener, capture_output=True, timeout=60)
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        (fatal,) = wait_for(lambda: self.service.events("fatal"))
        self.assertIn("nowait", fatal["detail"])
        self.assertEqual(self.service.stop(), 0)

    def test_killed(self):
        p = subprocess.Popen(self.argv(), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.assertEqual(p.stdout.read(3), b"220")
        p.kill()
        p.wait()
        p.stdin.close()
        p.stdout.close()
        wait_for(lambda: not re.search(rf"\b{p.pid}\b", self.service.command("status").stdout))
        self.assertEqual(self.run_it(b"QUIT\r\n").returncode, 0)
        self.end()

    def without(self, argv=None):
        done = self.run_it(b"EHLO x\r\n", argv)
        self.assertRegex(done.stdout, rb"^421 4\.3\.2 \S+ [ -~]+\r\n$")
        self.assertEqual(done.returncode, TEMPFAIL)
        return done.stderr.decode()

    def test_without_a_service(self):
        p = subprocess.Popen(self.argv(), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(p.kill)
        self.assertEqual(p.stdout.readline()[:3], b"220")
        self.assertEqual(self.service.stop(), 0)
        # It was in the middle of a session.
        self.assertRegex(p.stdout.read(), rb"^421 4\.3\.2 mx\.example [ -~]+\r\n$")
        self.assertEqual(p.wait(30), TEMPFAIL)
        p.stdin.close()
        p.stdout.close()
        self.assertIn("smtpd.sock", self.without())
        self.assertIn("smtpd.sock", self.without(self.smtpd("/nonexistent")))

    def test_service_killed(self):
        p = subprocess.Popen(self.argv(), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(p.kill)
        self.assertEqual(p.stdout.readline()[:3], b"220")
        self.service.kill()
        self.assertRegex(p.stdout.read(), rb"^421 4\.3\.2 mx\.example [ -~]+\r\n$")
        self.assertEqual(p.wait(30), TEMPFAIL)
        p.stdin.close()
        p.stdout.close()
        self.without()

    @unittest.skipUnless(IS_ROOT, "needs another user")
    def test_who_may_come(self):
        sock = self.service.dir / "run/smtpd.sock"
        st = sock.stat()
        self.assertEqual(st.st_mode & 0o777, 0o660)
        somebody = ["setpriv", "--reuid=2001", "--regid=2001", "--clear-groups"]
        self.assertIn("Permission denied", self.without(somebody + self.smtpd()))
        # The mode alone does not decide it.
        sock.chmod(0o666)
        self.without(somebody + self.smtpd())
        (refused,) = wait_for(lambda: self.service.events("outside_refused"))
        self.assertEqual(refused["uid"], "2001")
        if self.root:
            users = {l.split(":")[0]: l.split(":")[2:4] for l in
                     (passwd_files() / "etc/passwd").read_text().splitlines()}
            uid, gid = users["sallyport-smtpd"]
            self.assertEqual((st.st_uid, str(st.st_gid)), (0, gid))
            done = self.run_it(b"QUIT\r\n", ["setpriv", f"--reuid={uid}", f"--regid={gid}",
                                             "--clear-groups", *self.smtpd()])
            self.assertEqual((done.returncode, done.stdout[:3]), (0, b"220"))
        self.end()

    def test_usage(self):
        for words in (["-x"], ["-r"], ["-r", "a", "b"], ["x", "y"]):
            done = subprocess.run([self.smtpd()[0], *words], capture_output=True, text=True,
                                  stdin=subprocess.DEVNULL, timeout=30)
            self.assertEqual((done.returncode, done.stdout), (2, ""), words)
            self.assertIn("usage: smtpd [-r RUNTIME]", done.stderr)
        self.end()


@unittest.skipUnless(IS_ROOT, "needs root")
class OutsideAsRoot(Outside):
    root = True


class OutsideLimit(FromOutside):
    """The processes from outside count with those for listeners."""
    more = "session_processes = 1\n"

    def test_it_waits_for_its_turn(self):
        t = self.talk()
        p = subprocess.Popen(self.argv(), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(p.kill)
        time.sleep(1)
        self.assertIsNone(p.poll())
        os.set_blocking(p.stdout.fileno(), False)
        self.assertIsNone(p.stdout.read(1))
        os.set_blocking(p.stdout.fileno(), True)
        t.close()
        self.assertEqual(p.stdout.read(3), b"220")
        p.stdin.close()
        self.assertEqual(p.wait(30), 0)
        p.stdout.close()
        self.end()


class Inetd(FromOutside):
    """A super-server accepts; we are what it starts."""

    relay = 250     # for a client that relay_from has

    def serve(self, argv):
        log = open(self.service.dir / "inetd", "wb")
        self.addCleanup(log.close)
        p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                             start_new_session=True)
        self.addCleanup(p.wait)
        self.addCleanup(p.terminate)

        def up():
            self.assertIsNone(p.poll(), (self.service.dir / "inetd").read_text())
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", self.inet_port)) == 0
        wait_for(up)

    def start_inetd(self):
        self.inet_port = free_port()
        user = "root" if self.root else "nobody"
        file = self.service.dir / "inetd.conf"
        file.write_text(f"127.0.0.1:{self.inet_port} stream tcp nowait {user} "
                        f"{self.smtpd()[0]} {' '.join(['smtpd', *self.smtpd()[1:]])}\n")
        argv = ["inetd", "-i", str(file)]
        self.serve(with_accounts(argv) if self.root else argv)

    @unittest.skipUnless(IS_ROOT and shutil.which("inetd"), "needs root and openbsd-inetd")
    def test_inetd(self):
        self.start_inetd()
        self.check()

    @unittest.skipUnless(shutil.which("systemd-socket-activate"), "needs systemd")
    def test_socket_activate(self):
        self.inet_port = free_port()
        self.serve(["systemd-socket-activate", "--accept", "--inetd", "-l",
                    f"127.0.0.1:{self.inet_port}", *self.argv()])
        self.check()

    def check(self):
        t = self.talk(self.inet_port)
        self.assertEqual(t("MAIL FROM:<a@b.example>"), 250)
        self.assertEqual(t("RCPT TO:<x@elsewhere.example>"), self.relay)
        self.assertEqual(t("RSET"), 250)
        self.assertEqual(t.message(b"Subject: x\r\n\r\ny\r\n.\r\n", rcpts=["bob@example.org"])[0],
                         250)
        wait_for(lambda: maildir(self.box / "bob"))
        self.assertIn(b"Received: from client.example ([127.0.0.1])", maildir(self.box / "bob")[0])
        big = b"Subject: big\r\n\r\n" + b"x" * 78 + b"\r\n" * 40000 + b".\r\n"
        self.assertEqual(t.message(big, rcpts=["bob@example.org"])[0], 250)
        others = [self.talk(self.inet_port) for _ in range(5)]
        self.assertEqual(t("QUIT"), 221)
        self.assertTrue(t.closed())
        for o in others:
            self.assertEqual(o("NOOP"), 250)
        self.assertEqual(self.service.stop(), 0)
        for o in others:
            self.assertEqual(o.reply("NOOP"), 421)
            self.assertTrue(o.closed())
        t = self.connect(self.inet_port, greet=False)
        self.assertEqual(t.reply("connect"), 421)
        self.assertIn("421 4.3.2 ", t.lines[0])
        # and nothing else: what we have to say to ourselves is not for the client
        self.assertTrue(t.closed())


class InetdRelay(Inetd):
    more = "relay_from = {}\n"
    relay = 550


@unittest.skipUnless(IS_ROOT, "needs root")
class InetdAsRoot(Inetd):
    root = True


if __name__ == "__main__":
    unittest.main()
