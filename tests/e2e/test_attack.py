"""Somebody on this host who means harm: a user with its sockets and directories, and a
process of smtpd's user that was broken into and says what it likes."""
import array
import os
import random
import re
import socket
import struct
import subprocess
import sys
import unittest

from harness import (IS_ROOT, NOBODY, ROOT, SLOW, Service, directory, maildir, passwd_files, stage,
                     wait_for)

SOMEBODY = 2001
USAGE, TEMPFAIL = 64, 75


def constants(header, first):
    """The numbers of the enum that begins with `first`, as the header has them."""
    text = (ROOT / "common/msg" / header).read_text()
    body, value = re.search(rf"{first} = (0x[0-9a-f]+)(.*?)\}}", text, re.S).group(2, 1)
    body = re.sub(r"/\*.*?\*/", "", body, flags=re.S)
    names = [first, *re.findall(r"[A-Z]+_[A-Z_]+", body)]
    return {name: int(value, 16) + i for i, name in enumerate(names)}


MASTER = constants("master.h", "MASTER_PEER")
LOOKUP = constants("smtpd_lookup.h", "LOOKUP_CONNECT")
QUEUE = constants("smtpd_queue.h", "QUEUE_SUBMIT")
KINDS = re.findall(r"PEER_\w+", (ROOT / "common/run/ipc.h").read_text())


def packet(kind, body=b"", id=0, reserved=0):
    return struct.pack("<HHI", kind, reserved, id) + body


def send_fds(sock, data, fds):
    sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])


class House(unittest.TestCase):
    more = ""

    def setUp(self):
        self.box = directory("box", NOBODY)
        self.service = Service(f'domain "example.org" {{ users = "any" '
                               f'deliver = "maildir:{self.box}/%u" }}\n'
                               f'smtpd_processes = 1\n{self.more}')
        self.addCleanup(self.service.kill)

    def end_well(self):
        """Mail still flows, through the same processes, and all of them end."""
        t = self.service.talk()
        self.assertEqual(t("EHLO client.example"), 250)
        self.assertEqual(t.message(b"Subject: x\r\n\r\ny\r\n.\r\n")[0], 250)
        wait_for(lambda: maildir(self.box / "alice"))
        t.close()
        self.assertEqual(self.service.events("died"), [])
        self.assertEqual(self.service.stop(), 0)


@unittest.skipUnless(IS_ROOT or os.geteuid() == NOBODY, "needs the user of the service")
class Impostor(House):
    """It has smtpd's user, and comes by smtpd.sock as smtpd does."""

    def come(self):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.addCleanup(s.close)
        s.settimeout(30 * SLOW)
        s.connect(str(self.service.dir / "run/smtpd.sock"))
        got = [self.receive(s), self.receive(s)]
        self.assertEqual([g[0] for g in got], [MASTER["MASTER_CONF"], MASTER["MASTER_LOG"]])
        for _, _, fds in got:
            for fd in fds:
                os.close(fd)
        return s

    def receive(self, s):
        data, fds, _, _ = socket.recv_fds(s, 1 << 18, 4)
        if not data:
            return None, b"", []
        return struct.unpack("<H", data[:2])[0], data, fds

    def ready(self, s):
        """Its channels, by the kind of the peer; master's last word is the session."""
        s.sendall(packet(MASTER["MASTER_READY"]))
        channels = {}
        while True:
            kind, data, fds = self.receive(s)
            self.assertIsNotNone(kind, "it was not let in")
            if kind == MASTER["MASTER_PEER"]:
                (fd,) = fds
                channels[KINDS[data[8]]] = socket.socket(fileno=fd)
                channels[KINDS[data[8]]].settimeout(30 * SLOW)
                self.addCleanup(channels[KINDS[data[8]]].close)
            if kind == MASTER["MASTER_SESSION"]:
                return channels

    def ended(self, s):
        try:
            while s.recv(1 << 18):
                pass
        except ConnectionResetError:
            pass
        return True

    def master_refuses(self, what, send):
        with self.subTest(what):
            before = len(self.service.events("bad_message"))
            s = self.come()
            send(s)
            self.assertTrue(self.ended(s))
            wait_for(lambda: len(self.service.events("bad_message")) == before + 1)
            self.assertEqual(self.service.events("bad_message")[-1]["peer"], "smtpd")

    def test_what_it_may_not_say_to_master(self):
        pids = self.service.pids()
        for name, kind in MASTER.items():
            # What a process may say, and MASTER_COMPLAIN without its body is malformed.
            if name not in ("MASTER_READY", "MASTER_PONG"):
                self.master_refuses(name, lambda s: s.sendall(packet(kind)))
        ready = packet(MASTER["MASTER_READY"])
        null = os.open("/dev/null", os.O_RDONLY)
        self.addCleanup(os.close, null)
        for what, send in {
                "unknown": lambda s: s.sendall(packet(0xffff)),
                "of another pair": lambda s: s.sendall(packet(LOOKUP["LOOKUP_RCPT"])),
                "short": lambda s: s.sendall(ready[:7]),
                "reserved": lambda s: s.sendall(packet(MASTER["MASTER_READY"], reserved=1)),
                "left over": lambda s: s.sendall(ready + b"x"),
                "twice": lambda s: (s.sendall(ready), s.sendall(ready)),
                "answer to nothing": lambda s: s.sendall(packet(MASTER["MASTER_PONG"], id=7777)),
                "too large": lambda s: s.sendall(ready + b"x" * (128 << 10)),
                "descriptor": lambda s: send_fds(s, ready, [null]),
                "two": lambda s: send_fds(s, ready, [null, null]),
                "many": lambda s: send_fds(s, ready, [null] * 200)}.items():
            self.master_refuses(what, send)
        rng = random.Random(2)
        for i in range(20):
            noise = struct.pack("<H", 0xff00) + rng.randbytes(rng.randrange(1, 400))
            self.master_refuses(f"noise {i}", lambda s: s.sendall(noise))
        fds = os.listdir(f"/proc/{self.service.master_pid()}/fd")
        self.master_refuses("once more", lambda s: send_fds(s, ready, [null] * 200))
        wait_for(lambda: len(os.listdir(f"/proc/{self.service.master_pid()}/fd")) <= len(fds))
        self.assertEqual(self.service.pids(), pids)
        self.assertEqual(self.service.events("reload") + self.service.events("stopping"), [])
        self.end_well()

    def peer_refuses(self, kind, what, send):
        """The one it spoke to closes; others, and that one itself, go on."""
        with self.subTest(what, peer=kind):
            before = len(self.service.events("bad_message"))
            s = self.come()
            channel = self.ready(s)[kind]
            try:
                send(channel)
            except (BrokenPipeError, ConnectionResetError):
                pass        # it had heard enough
            self.assertTrue(self.ended(channel))
            wait_for(lambda: len(self.service.events("bad_message")) > before)
            s.close()

    def test_what_it_may_not_say_to_its_peers(self):
        pids = self.service.pids()
        null = os.open("/dev/null", os.O_RDONLY)
        self.addCleanup(os.close, null)
        rcpt = struct.pack("<I", 12345) + b"\0" * 60
        cases = {
            "PEER_LOOKUP": {
                "an answer": packet(LOOKUP["LOOKUP_VERDICT"], b"\0" * 40, 1),
                "master's": packet(MASTER["MASTER_STOP_SERVICE"]),
                "no session of its": packet(LOOKUP["LOOKUP_RCPT"], rcpt, 1),
                "gone, never come": packet(LOOKUP["LOOKUP_GONE"], struct.pack("<I", 1)),
                "a client of no kind": packet(LOOKUP["LOOKUP_CONNECT"],
                                              struct.pack("<IIB", 1, 0, 200) + b"\0" * 20, 1),
            },
            "PEER_QUEUE": {
                "an answer": packet(QUEUE["QUEUE_ANSWER"], b"\0" * 40, 1),
                "empty": packet(QUEUE["QUEUE_SUBMIT"], id=1),
                "lengths that lie": packet(QUEUE["QUEUE_SUBMIT"], b"\xff" * 4000, 1),
                "recipients that are none": packet(QUEUE["QUEUE_RCPTS"], b"\xff" * 8, 9),
                "an end too long": packet(QUEUE["QUEUE_END"], b"\xff" * 9, 9),
                "more than a packet": packet(QUEUE["QUEUE_SUBMIT"], b"x" * (128 << 10), 1),
            }}
        for kind, packets in cases.items():
            for what, data in packets.items():
                self.peer_refuses(kind, what, lambda c: c.sendall(data))
            self.peer_refuses(kind, "two descriptors",
                              lambda c: send_fds(c, packet(0xffff), [null, null]))
            rng = random.Random(3)
            for i in range(20):
                noise = packet(rng.choice([*LOOKUP.values(), *QUEUE.values()]),
                               rng.randbytes(rng.randrange(300)), rng.randrange(1, 9))
                self.peer_refuses(kind, f"noise {i}",
                                  lambda c: (c.sendall(noise), c.sendall(packet(0xffff))))
        now = self.service.pids()
        for name in ("master", "queue", "lookup", "smtpd"):
            self.assertEqual(now[name], pids[name])
        self.end_well()

    def test_its_complaints_and_floods_end_with_it(self):
        pids = self.service.pids()
        for kind in (*range(len(KINDS)), 255):
            s = self.come()
            s.sendall(packet(MASTER["MASTER_COMPLAIN"], struct.pack("<BI", kind, 1)))
            self.assertTrue(self.ended(s))
        # Many packets and nothing read: nobody waits for it, and what it made up as
        # sessions is gone when it is.
        s = self.come()
        s.settimeout(5 * SLOW)
        channels = self.ready(s)
        for c in channels.values():
            c.settimeout(2 * SLOW)
            try:
                for i in range(20000):
                    c.sendall(packet(LOOKUP["LOOKUP_CONNECT"],
                                     struct.pack("<IIB", i, 0, 1) + b"\0" * 20, i + 1))
            except OSError:
                pass
        for c in (s, *channels.values()):
            c.close()
        self.assertEqual(self.service.pids(), pids)
        wait_for(lambda: re.search(r"(?m)^sessions 0,", self.service.command("status").stdout))
        self.end_well()


FLOOD = """
import os, socket, sys
os.setgroups([]); os.setresgid(%d, %d, %d); os.setresuid(%d, %d, %d)
held = []
for i in range(20):
    s = socket.socket(socket.AF_UNIX); s.settimeout(30); s.connect(sys.argv[1])
    held.append(s)
    print(s.recv(3).decode(), flush=True)
sys.stdin.read()
""" % ((SOMEBODY,) * 6)


@unittest.skipUnless(IS_ROOT, "needs another user")
class Flood(House):
    more = "max_sessions = 8\n"

    def test_one_user_never_has_all_sessions(self):
        p = subprocess.Popen([sys.executable, "-c", FLOOD, str(self.service.dir / "run/submit.sock")],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(p.kill)
        said = [p.stdout.readline().strip() for _ in range(20)]
        self.assertEqual(said, ["220"] * 4 + ["421"] * 16)
        self.end_well()
        p.communicate("")
        self.assertEqual(p.returncode, 0)


@unittest.skipUnless(IS_ROOT, "needs directories of others")
class Planted(unittest.TestCase):
    """Names that were there before the start, put there by somebody."""

    def service(self):
        s = Service('domain "example.org" { }\n', root=True, start=False)
        self.victim = s.dir / "victim"
        self.victim.write_text("precious")
        os.chown(self.victim, SOMEBODY, SOMEBODY)
        self.victim.chmod(0o600)
        return s

    def refused(self, s, pattern):
        done = subprocess.run(s._argv("run", "-c", str(s.conf_file)), capture_output=True,
                              text=True, timeout=60)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr, pattern)
        st = self.victim.stat()
        self.assertEqual((st.st_uid, st.st_mode & 0o777, self.victim.read_text()),
                         (SOMEBODY, 0o600, "precious"))

    def test_directories_that_others_may_write(self):
        for name, mode in (("run", 0o777), ("run", 0o1777), ("run", 0o775), ("spool", 0o733)):
            with self.subTest(name, mode=oct(mode)):
                s = self.service()
                (s.dir / name).mkdir()
                if name == "spool":     # root's would be taken over, with its mode
                    self.own(s.dir / name)
                (s.dir / name).chmod(mode)
                self.refused(s, rf"{name} can be written to by others; .* would be right")

    def test_directories_that_are_anothers(self):
        for name in ("run", "spool"):
            with self.subTest(name):
                s = self.service()
                (s.dir / name).mkdir()
                (s.dir / name / "mine").touch()
                os.chown(s.dir / name, SOMEBODY, SOMEBODY)
                self.refused(s, rf"{name} belongs to another user and is not empty; .* right")

    def test_links_in_place_of_what_is_made(self):
        for name in ("run/control.sock", "run/submit.sock", "run/smtpd.sock", "run/empty",
                     "spool/log", "spool/content", "spool/history"):
            for target in ("victim", "nothing"):
                with self.subTest(name, target=target):
                    s = self.service()
                    there = s.dir / name
                    there.parent.mkdir()
                    if name.startswith("spool"):
                        # as queue, broken into, could leave it
                        subprocess.run(s._argv("check", "-c", str(s.conf_file)))
                        self.own(there.parent)
                    there.symlink_to(s.dir / target)
                    self.refused(s, re.escape(str(there)))
                    self.assertFalse((s.dir / "nothing").exists())
                    self.assertTrue(there.is_symlink())

    def own(self, spool):
        for line in (passwd_files() / "etc/passwd").read_text().splitlines():
            name, _, uid, gid = line.split(":")[:4]
            if name == "sallyport-queue":
                os.chown(spool, int(uid), int(gid))


class Sendmail(House):
    def run_it(self, argv, data=b"Subject: x\n\ny\n", **kw):
        return subprocess.run(argv, executable=str(stage() / "bin/sendmail"), input=data,
                              capture_output=True, timeout=60 * SLOW, **kw)

    def test_names_and_environment(self):
        conf = str(self.service.conf_file)
        for name in ("", "/", "mailq/", "../newaliases-not", "sendmail\nevent=ready", "x" * 5000,
                     "%s%n", "-bs"):
            with self.subTest(name[:30]):
                done = self.run_it([name, "-C", conf, "-i", "alice@example.org"], env={})
                self.assertEqual((done.returncode, done.stderr), (0, b""))
        wait_for(lambda: len(maildir(self.box / "alice")) == 8)
        # Another name does not become another configuration or another program.
        done = self.run_it(["sendmail", "-C", conf, "alice@example.org"],
                           env={"PATH": "/nonexistent", "SALLYPORT": "/x", "IFS": "/", "TMPDIR": "/",
                                "LC_ALL": "../../x", "HOME": "\n", "LOGNAME": "a\nBcc: b",
                                "USER": "x>y", "NAME": "A\r\nBcc: eve@example.org"})
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        new = wait_for(lambda: maildir(self.box / "alice")[8:] and maildir(self.box / "alice"))
        for file in new:
            head = (file if isinstance(file, bytes) else file.read_bytes()).split(b"\n\n")[0]
            self.assertNotIn(b"Bcc", head)
        self.assertNotIn(" event=ready level", self.service.log_text())
        self.end_well()

    def test_a_huge_command_line(self):
        # As many as exec(2) takes, and more recipients than a message may have.
        done = self.run_it(["sendmail", "-C", str(self.service.conf_file),
                            *[f"u{i}@example.org" for i in range(60000)]])
        self.assertIn(done.returncode, (0, USAGE, TEMPFAIL, 69))
        done = self.run_it(["sendmail", "-C", str(self.service.conf_file), "-F", "x" * 120000,
                            "-f", "y" * 120000, "z" * 120000])
        self.assertNotEqual(done.returncode, 0)
        self.assertGreater(done.returncode, 0, "it was killed")
        self.assertLess(len(done.stderr), 4000)
        self.end_well()

    def test_without_descriptors(self):
        """Closed 0, 1, 2, in each combination: no socket takes their place."""
        for closed in range(1, 8):
            with self.subTest(closed):
                script = "".join(f"exec {fd}{'<' if fd == 0 else '>'}&-; "
                                 for fd in range(3) if closed & 1 << fd)
                done = subprocess.run(["sh", "-c", f'{script} exec "$@"', "sh",
                                       str(stage() / "bin/sendmail"), "-C",
                                       str(self.service.conf_file), "bob@example.org"],
                                      input=b"Subject: x\n\ny\n", capture_output=True, timeout=60)
                # Without standard input there is nothing to send, and it says so.
                self.assertEqual(done.returncode == 0, not closed & 1, done)
                self.assertEqual(done.stdout, b"")
        wait_for(lambda: len(maildir(self.box / "bob")) == 3)
        self.end_well()


if __name__ == "__main__":
    unittest.main()
