"""sendmail, mailq and newaliases: what programs on this host use to send mail."""
import email
import email.policy
import os
import pathlib
import re
import shutil
import signal
import smtplib
import socket
import subprocess
import threading
import time
import unittest

from harness import (IS_ROOT, NOBODY, PEOPLE, SLOW, Service, directory, home, maildir,
                     passwd_files, send, stage, wait_for)
from test_manager import Managed

USAGE, DATAERR, NOUSER, UNAVAILABLE, IOERR, TEMPFAIL, NOPERM, CONFIG = (64, 65, 67, 69, 74, 75,
                                                                        77, 78)


def on_host(service, argv):
    """argv where our sendmail is the host's, and the service runs in /run/sallyport."""
    script = (f"mount -t overlay overlay -o lowerdir={stage()}/bin:/usr/sbin /usr/sbin && "
              "mount -t tmpfs tmpfs /run && mkdir /run/sallyport && "
              f'mount --bind {service.dir}/run /run/sallyport && exec "$@"')
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", *argv]


def why_no_host():
    """Why our sendmail cannot be put in the place of the host's, or None."""
    if not IS_ROOT:
        return "needs root, to put sendmail in its usual place"
    done = subprocess.run(["unshare", "--mount", "--propagation", "private", "mount", "-t",
                           "overlay", "overlay", "-o", "lowerdir=/usr/bin:/usr/sbin", "/usr/sbin"],
                          capture_output=True, text=True)
    return "no mount namespace with an overlay: " + done.stderr if done.returncode else None


NO_HOST = why_no_host()
NO_FILES = ["prlimit", "--fsize=0:0", "--"]


def people(box, names="any", more=""):
    """A domain, with everybody or some; a second one, for what is not the first."""
    users = f'users = "{names}"'
    deliver = f'deliver = "maildir:{box}/%u"'
    return (f'domain "example.org" {{ {users} {deliver} }}\n'
            f'domain "two.example" {{ users = "any" deliver = "maildir:{box}/two-%u" }}\n{more}')


class Case(unittest.TestCase):
    """One service for each class."""
    more = ""
    names = "any"

    @classmethod
    def setUpClass(cls):
        cls.box = directory("box", NOBODY)
        cls.service = Service(people(cls.box, cls.names, cls.more), hostname="mx.example")
        cls.submit = cls.service.dir / "run/submit.sock"

    @classmethod
    def tearDownClass(cls):
        assert cls.service.stop() == 0

    def run_as(self, uid, argv, **kw):
        if IS_ROOT and uid:
            argv = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", *argv]
        return subprocess.run(argv, capture_output=True, timeout=120 * SLOW, **kw)

    def sendmail(self, *args, data=b"hello\n", code=0, program="sendmail", uid=0, before=(),
                 **kw):
        if "stdin" not in kw:
            kw["input"] = data
        done = self.run_as(uid, [*before, str(stage() / "bin" / program), "-C",
                                 str(self.service.conf_file), *args], **kw)
        self.assertEqual(done.returncode, code, (args, done.stdout, done.stderr))
        if code:        # a line that says why, in whatever stream
            self.assertRegex(done.stderr + done.stdout, rb"\A[^\n]+\n")
        return done

    def got(self, name, n=1):
        """The messages of a mailbox, once there are n; it is empty again."""
        def there():
            found = maildir(self.box / name)
            return found if len(found) >= n else None
        found = wait_for(there)
        self.assertEqual(len(found), n)
        for f in (self.box / name / "new").iterdir():
            f.unlink()
        return found

    def split(self, raw):
        """(what was put above it, the message of the client)"""
        head, _, body = raw.partition(b"\n\n")
        return email.message_from_bytes(raw, policy=email.policy.default), body

    def nothing_came(self):
        """Nothing is under way: smtpd has seen the end of all sessions."""
        self.service.wait_empty()
        self.assertEqual([p for p in self.box.rglob("new/*")], [])


class Messages(Case):
    def test_a_line_is_a_message(self):
        self.sendmail("alice", data=b"hello\n")
        raw = self.got("alice")[0]
        m, body = self.split(raw)
        self.assertEqual(body, b"hello\n")
        self.assertRegex(m["Received"], r"\Aby mx\.example \(Sallyport, from userid \d+\)\s+"
                         r"id [0-9a-f]{16}\s+for <alice@example\.org>;")
        ident = re.search(r"id ([0-9a-f]{16})", m["Received"]).group(1)
        self.assertEqual(m["Message-ID"], f"<{ident}@mx.example>")
        self.assertLess(abs(time.time() - m["Date"].datetime.timestamp()), 60 * SLOW)
        self.assertTrue(m["From"].addresses[0].addr_spec.endswith("@example.org"))
        self.assertEqual(m["Return-Path"], f"<{m['From'].addresses[0].addr_spec}>")

    def test_what_is_there_stays(self):
        text = (b"Date: Thu, 1 Jan 1970 00:00:00 +0000\nSubject:  two  blanks \n"
                b"\tand a fold\nFROM: x@y\nmessage-id: <a@b>\nX: y\n\n  body\n..\n\n")
        self.sendmail("alice", data=text)
        raw = self.got("alice")[0]
        self.assertTrue(raw.endswith(b"\n" + text))
        self.assertEqual(raw.lower().count(b"\nmessage-id:"), 1)
        self.assertEqual(raw.lower().count(b"\ndate:"), 1)
        self.assertEqual(raw.lower().count(b"\nfrom:"), 1)

    def test_several_recipients_written_in_all_ways(self):
        self.sendmail("alice", "Bob <bob>", "carol@two.example,dave", "\"x, y\" <eve@example.org>")
        for name in ("alice", "bob", "two-carol", "dave", "eve"):
            self.got(name)

    def test_t_takes_them_from_the_header(self):
        self.sendmail("-t", "frank", data=b"To: Alice <alice>,\n bob@example.org (Bob)\n"
                      b"cc: friends: carol;, undisclosed-recipients:;\nBCC: dave,\n\teve\n"
                      b"Subject: x\n\nTo: nobody\n")
        for name in ("alice", "bob", "carol", "dave", "eve", "frank"):
            raw = self.got(name)[0]
            self.assertNotIn(b"\nbcc", raw.lower())
            self.assertNotIn(b"eve", raw.replace(b"Delivered-To: eve", b""))
            self.assertIn(b"\ncc: friends: carol;, undisclosed-recipients:;\nSubject: x\n\n"
                          b"To: nobody\n", raw)
        self.nothing_came()

    def test_t_resent(self):
        self.sendmail("-t", data=b"Resent-To: alice\nResent-Bcc: bob\nTo: carol\nBcc: dave\n\nx\n")
        for name in ("alice", "bob"):
            self.assertNotIn(b"cc:", self.got(name)[0])
        self.nothing_came()

    def test_senders(self):
        for args, path, name in (
                (["-f", "x@y.example"], "x@y.example", "x@y.example"),
                (["-fx@y.example", "-FThe X"], "x@y.example", "The X <x@y.example>"),
                (["-r", "x"], "x@example.org", "x@example.org"),
                (["-f", "An X <x@two.example>"], "x@two.example", "x@two.example"),
                (["-f", "<>"], "", "MAILER-DAEMON@mx.example"),
                (["-f", "", "-F", "x"], "", "MAILER-DAEMON@mx.example"),
                (["-f", "\"a b\"@y"], "\"a b\"@y", "\"a b\"@y")):
            with self.subTest(args):
                self.sendmail(*args, "alice", env={"PATH": os.environ["PATH"]})
                raw = self.got("alice")[0].decode()
                self.assertIn(f"Return-Path: <{path}>\n", raw)
                self.assertIn(f"\nFrom: {name}\n", raw)
        self.sendmail("-fx@y", "-F", "J\u00f6rg", "alice")
        self.assertEqual(self.split(self.got("alice")[0])[0]["From"], "J\u00f6rg <x@y>")
        self.sendmail("-fx@y", "alice", env={"NAME": "N. \"A\""})
        self.assertIn(b'\nFrom: "N. \\"A\\"" <x@y>\n', self.got("alice")[0])

    def test_a_dot_ends_it_without_i(self):
        self.sendmail("alice", data=b"a\n.\nb\n")
        self.assertTrue(self.got("alice")[0].endswith(b"\n\na\n"))
        for args in (["-i"], ["-oi"], ["-o", "i"]):
            self.sendmail(*args, "alice", data=b"a\n.\nb\n..\n.")
            self.assertTrue(self.got("alice")[0].endswith(b"\n\na\n.\nb\n..\n.\n"))

    def test_line_ends(self):
        self.sendmail("alice", data=b"Subject: x\rBcc: bob\r\n\r\n10%\r20%\nlast")
        self.assertTrue(self.got("alice")[0].endswith(
            b"Subject: x Bcc: bob\n\n10% 20%\nlast\n"))
        self.nothing_came()

    def test_odd_messages(self):
        above = rb"(?s)\AReturn-Path: .*\nReceived: .*\nMessage-ID: .*\nDate: .*\nFrom: [^\n]*\n"
        for text, rest in ((b"", b"\n?"), (b"\n", b"\n"), (b"\n\nx\n", b"\n\nx\n"),
                           (b" indented\nFrom: x\n", b"\n indented\nFrom: x\n"),
                           (b"From x Mon Nov 23\nX: y\n\nz\n", b"X: y\n\nz\n"),
                           (b"no field\n\nX: y\n", b"\nno field\n\nX: y\n"),
                           (b"X: y\nno field\n", b"X: y\n\nno field\n")):
            with self.subTest(text):
                self.sendmail("alice", data=text)
                self.assertRegex(self.got("alice")[0], above + rest + rb"\Z")

    def test_a_line_without_an_end(self):
        for n in (900, 1100, 70000, 3000000):
            with self.subTest(n):
                self.sendmail("alice", data=b"x" * n)
                m, body = self.split(self.got("alice")[0])
                self.assertEqual(body, b"x" * n + b"\n")

    def test_octets_above_127_and_long_lines(self):
        for args in ([], ["-B8BITMIME"], ["-B", "7BIT"]):
            text = b"Subject: \xc3\xa4\n\n" + bytes(range(128, 256)) + b"x" * 5000 + b"\n"
            self.sendmail(*args, "alice", data=text)
            self.assertTrue(self.got("alice")[0].endswith(text))

    def test_options_that_mean_nothing_here(self):
        done = self.sendmail("-odb", "-oem", "-v", "-U", "-G", "-n", "-m", "-em", "-h", "3", "-L",
                             "x", "-X", "log", "-O", "Timeout.queuereturn=1", "-p", "SMTP:x",
                             "-A", "-d0.1", "-T1h", "-bm", "-N", "success,delay", "-R", "hdrs",
                             "-V", "id 1", "--", "alice")
        self.got("alice")
        self.assertRegex(done.stdout, rb"\A[0-9a-f]{16} queued\n\Z")      # by -v
        self.assertEqual(done.stderr, b"")
        quiet = self.sendmail("alice")
        self.assertEqual(quiet.stdout + quiet.stderr, b"")
        self.got("alice")

    def test_twenty_megabytes(self):
        line = b"y" * 70 + b"\n"
        for head in (b"", b"To: alice\nBcc: bob\n\n"):
            text = line * 300000
            self.sendmail("-i", *(["-t"] if head else ["alice"]), data=head + text)
            raw = self.got("alice")[0]
            self.assertTrue(raw.endswith(b"\n\n" + text))
            if head:
                self.got("bob")

    def test_the_uid_is_what_the_kernel_says(self):
        self.sendmail("alice", uid=NOBODY)
        uid = NOBODY if IS_ROOT else os.getuid()
        self.assertIn(f"(Sallyport, from userid {uid})".encode(), self.got("alice")[0])
        self.assertIn(f"uid {uid}", [e["client"] for e in self.service.events("connect")
                                     if e["listener"] == "submit.sock"])


class Refusals(Case):
    names = "file:users"
    more = 'message_size = "2M"\nmax_recipients = 5\n'

    @classmethod
    def setUpClass(cls):
        cls.box = directory("box", NOBODY)
        cls.service = Service(people(cls.box, cls.names, cls.more), start=False)
        (cls.service.dir / "users").write_text("alice\nbob\n" +
                                               "".join(f"u{i}\n" for i in range(12)))
        cls.service.start()

    def test_an_unknown_recipient_among_others(self):
        done = self.sendmail("alice", "nobody-here", "bob", code=NOUSER)
        self.assertRegex(done.stderr, rb"\Asendmail: nobody-here: 550 5\.1\.1 [^\n]*\n\Z")
        self.got("alice")
        self.got("bob")
        self.sendmail("nobody-here", code=NOUSER)
        self.nothing_came()

    def test_addresses_that_are_none(self):
        for word in ("a@@b", "a b", "<>", "a\nb", "a\r\nRCPT TO:<bob>", "a\tb@c", "a\x07b", "x@",
                     "alice, <", "a" * 300):
            self.sendmail("bob", word, code=USAGE)
            self.sendmail("-f", word if word != "<>" else "<<>", "bob", code=USAGE)
        self.sendmail("-t", data=b"To: bob, a b\n\nx\n", code=DATAERR)
        self.sendmail("-t", data=b"Subject: x\n\nTo: bob\n", code=DATAERR)
        self.sendmail("-t", data=b"X: y\n" * 300000 + b"To: bob\n\n", code=DATAERR)
        self.sendmail(code=USAGE)
        self.sendmail("-y", "bob", code=USAGE)
        self.sendmail("-bd", code=USAGE)
        self.nothing_came()

    def test_what_cannot_be_sent(self):
        self.sendmail("bob", data=b"a\0b", code=DATAERR)
        self.sendmail("bob", data=b"x\n" * 800000 + b"\0", code=DATAERR)
        self.sendmail("bob", data=b"x" * 77 + b"\n", code=0)
        self.got("bob")
        self.sendmail("bob", data=(b"x" * 77 + b"\n") * 40000, code=DATAERR)
        self.nothing_came()

    def test_standard_input_that_fails(self):
        with open(self.service.dir / "nothing", "wb") as f:      # not open for reading
            self.sendmail("bob", stdin=f, code=IOERR)
        with open("/dev/null", "wb") as f:
            self.sendmail("bob", stdin=f, code=IOERR)
        folder = os.open("/", os.O_RDONLY)
        self.sendmail("bob", stdin=folder, code=IOERR)
        os.close(folder)
        sh = ["sh", "-c", f'"$@" <&-', "sh", str(stage() / "bin/sendmail"), "-C",
              str(self.service.conf_file), "bob"]
        self.assertEqual(subprocess.run(sh, capture_output=True).returncode, IOERR)
        sh[2] = '"$@" <&- >&- 2>&-'
        self.assertEqual(subprocess.run(sh).returncode, IOERR)
        self.nothing_came()

    def test_it_is_never_sent_in_part(self):
        """It is killed while it writes; the service has half of the message."""
        argv = [str(stage() / "bin/sendmail"), "-C", str(self.service.conf_file), "bob"]
        sent = (b"x" * 77 + b"\n") * 18000
        for words, asked in ((argv, 0), (NO_FILES + argv, 1)):
            before = len(self.service.events("connect"))
            p = subprocess.Popen(words, stdin=subprocess.PIPE)
            p.stdin.write(sent)
            p.stdin.flush()
            if asked:       # it could not keep it
                wait_for(lambda: len(self.service.events("connect")) > before)
            p.kill()
            p.wait()
            p.stdin.close()
        self.nothing_came()

    def test_more_recipients_than_a_message_may_have(self):
        rcpts = [f"u{i}" for i in range(12)]
        self.sendmail(*rcpts)
        for r in rcpts:
            self.got(r)
        large = (b"x" * 77 + b"\n") * 20000
        self.sendmail(*rcpts, data=large)
        for r in rcpts:
            self.assertTrue(self.got(r)[0].endswith(b"\n\n" + large))
        # What cannot be kept goes to the first ones, and says so.
        done = self.sendmail(*rcpts, data=large, code=TEMPFAIL, before=NO_FILES)
        self.assertEqual(done.stderr.count(b"452 4.5.3"), 7)
        for r in rcpts[:5]:
            self.got(r)
        self.nothing_came()

    def test_verify(self):
        done = self.sendmail("-bv", "alice", "nobody-here", code=NOUSER)
        self.assertRegex(done.stdout, rb"\Aalice: 250 2\.1\.5 .*\nnobody-here: 550 5\.1\.1 .*\n\Z")
        self.nothing_came()


class Away(Case):
    def test_without_a_service(self):
        self.service.stop()
        try:
            for args in (["alice"], ["-t"]):
                done = self.sendmail(*args, data=b"To: alice\n\nx\n", code=TEMPFAIL)
                self.assertRegex(done.stderr, rb"\Asendmail: no mail service is running \([^\n]*"
                                 rb"submit\.sock[^\n]*\n\Z")
            done = self.sendmail("-bs", data=b"QUIT\r\n", code=TEMPFAIL)
            self.assertRegex(done.stdout, rb"\A421 4\.3\.2 [^\r\n]*\r\n\Z")
            self.sendmail(program="mailq", code=TEMPFAIL, uid=NOBODY)
            # a file that is left over is not a service
            s = socket.socket(socket.AF_UNIX)
            s.bind(str(self.submit))
            s.close()
            if IS_ROOT:
                os.chown(self.submit, NOBODY, NOBODY)
            self.sendmail("alice", code=TEMPFAIL)
        finally:
            self.service.start()
        self.assertEqual(self.submit.stat().st_mode & 0o777, 0o666)
        self.sendmail("alice")
        self.got("alice")

    def test_the_configuration_is_wrong(self):
        done = subprocess.run([str(stage() / "bin/sendmail"), "-C", "/nonexistent", "alice"],
                              input=b"x", capture_output=True)
        self.assertEqual(done.returncode, CONFIG)

    def test_another_one_does_not_start(self):
        other = Service(people(self.box), start=False)
        other.conf_file.write_text(self.service.conf_file.read_text().replace(
            str(self.service.spool), str(other.spool)))
        other.start(wait=False)
        self.assertEqual(other.proc.wait(30 * SLOW), 1)
        self.assertIn("already running", other.log_text())
        self.sendmail("alice")
        self.got("alice")


@unittest.skipIf(NO_HOST, NO_HOST)
class Limits(Case):
    """A user who is out of everything is served, or told to try again."""

    def limited(self, data=b"hello\n", **limits):
        """Whether it was sent; then it came, and else it did not."""
        words = [f"--{name}={value}:{value}" for name, value in limits.items()]
        done = subprocess.run(on_host(self.service, ["prlimit", *words, "/usr/sbin/sendmail",
                                                     "-f", "x@y", "alice"]),
                              input=data, capture_output=True, timeout=60 * SLOW)
        if done.returncode == 0:
            self.assertTrue(self.got("alice")[0].endswith(b"\n\n" + data))
            return True
        # 127: the loader, with what it says itself
        self.assertIn(done.returncode, (TEMPFAIL, 127), (limits, done.stderr))
        self.assertNotEqual(done.stderr, b"")
        return False

    def test_limits(self):
        self.assertTrue(self.limited())
        self.assertTrue(self.limited(nofile=8))
        self.assertTrue(self.limited(nofile=4))
        self.assertFalse(self.limited(nofile=3))
        self.assertTrue(self.limited(fsize=0))
        self.assertTrue(self.limited(fsize=0, data=b"x\n" * 1000000))
        self.assertTrue(self.limited(nproc=1))
        self.assertTrue(self.limited(stack=256 * 1024))
        self.nothing_came()

    def test_no_place_for_a_file(self):
        """What the disk takes comes from there, the rest as it is read."""
        text = b"".join(b"%d\n" % i for i in range(700000))
        for options in ("size=1004k", "ro"):
            done = subprocess.run(on_host(self.service, [
                "sh", "-c", f"mount -t tmpfs -o {options} tmpfs /var/tmp && exec sendmail alice"]),
                input=text, capture_output=True, timeout=60 * SLOW)
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            self.assertTrue(self.got("alice")[0].endswith(b"\n\n" + text))

    @unittest.skipIf(SLOW > 1, "a sanitized program needs a terabyte of addresses")
    def test_memory(self):
        text = (b"x" * 77 + b"\n") * 270000
        sent = [self.limited(**{"as": size}, data=text)
                for size in range(2400 << 10, 6000 << 10, 240 << 10)]
        # less would not be a limit, more would not be little
        self.assertFalse(sent[0])
        self.assertTrue(sent[-1])
        self.nothing_came()


class Slow(Case):
    more = 'data_timeout = "1s"\ncommand_timeout = "2s"\n'

    def test_a_job_may_take_its_time(self):
        for first in (b"hello\n", b"x\n" * 600000):
            p = subprocess.Popen([str(stage() / "bin/sendmail"), "-C",
                                  str(self.service.conf_file), "alice"], stdin=subprocess.PIPE)
            p.stdin.write(first)
            p.stdin.flush()
            time.sleep(5)
            p.stdin.write(b"the end\n")
            p.stdin.close()
            self.assertEqual(p.wait(60 * SLOW), 0)
            self.assertTrue(self.got("alice")[0].endswith(first + b"the end\n"))

    def test_who_may_write_no_file_may_not(self):
        p = subprocess.Popen([*NO_FILES, str(stage() / "bin/sendmail"), "-C",
                              str(self.service.conf_file), "alice"], stdin=subprocess.PIPE,
                             stderr=subprocess.PIPE)
        p.stdin.write(b"x\n" * 600000)
        p.stdin.flush()
        time.sleep(5)
        _, err = p.communicate(b"y\n" * 600000, timeout=60 * SLOW)
        self.assertEqual(p.returncode, TEMPFAIL)
        self.assertIn(b"421 4.4.2", err)
        self.nothing_came()

    def test_a_stranger_may_not(self):
        t = self.service.talk()
        t("EHLO x")
        t("MAIL FROM:<a@b>")
        t("RCPT TO:<alice@example.org>")
        t("DATA")
        self.assertEqual(t.reply(), 421)


class Inherited(Case):
    """The service manager made submit.sock, and keeps it."""

    @classmethod
    def setUpClass(cls):
        cls.sock = socket.socket(socket.AF_UNIX)
        cls.service = Managed(["127.0.0.1:0"], sockets=[cls.sock], start=False)
        cls.box = cls.service.box
        run = cls.service.dir / "run"
        run.mkdir(mode=0o755)
        cls.submit = run / "submit.sock"
        cls.sock.bind(str(cls.submit))
        os.chmod(cls.submit, 0o666)
        if IS_ROOT:
            os.chown(run, NOBODY, NOBODY)
        cls.sock.listen(64)
        cls.service.start()

    def test_it_is_used_and_outlives_the_service(self):
        self.sendmail("alice")
        self.got("alice")
        self.assertEqual(self.service.stop(), 0)
        self.assertTrue(self.submit.is_socket())
        # What comes meanwhile waits in it: nothing is refused.
        p = subprocess.Popen([str(stage() / "bin/sendmail"), "-C", str(self.service.conf_file),
                              "alice"], stdin=subprocess.PIPE)
        p.stdin.write(b"meanwhile\n")
        p.stdin.close()
        time.sleep(0.5)
        self.assertIsNone(p.poll())
        self.service.start()
        self.assertEqual(p.wait(30 * SLOW), 0)
        self.assertTrue(self.got("alice")[0].endswith(b"\nmeanwhile\n"))

    def test_one_of_another_name_is_refused(self):
        other = socket.socket(socket.AF_UNIX)
        other.bind(str(self.service.dir / "run/other.sock"))
        other.listen(1)
        service = Managed(["127.0.0.1:0"], sockets=[other], start=False)
        service.start(wait=False)
        self.assertEqual(service.proc.wait(30 * SLOW), 1)
        self.assertRegex(service.log_text(), r"inherited Unix socket is .*other\.sock; "
                         r".*/run/submit\.sock would be right")


class Played(unittest.TestCase):
    """A service that says what no sane one says; sendmail believes no more than it must."""

    def setUp(self):
        self.dir = directory("played")
        (self.dir / "run").mkdir()
        self.conf = self.dir / "conf"
        self.conf.write_text(f'hostname = "mx.example"\nspool = "{self.dir}/spool"\n'
                             f'runtime = "{self.dir}/run"\nlisten "127.0.0.1:0" {{ }}\n')
        self.said = []

    def serve(self, listener, sessions):
        """Each answer to a line, or to content; what is no line closes."""
        for answers in sessions:
            peer, _ = listener.accept()
            if answers is sessions[-1]:
                listener.close()
            peer.settimeout(60 * SLOW)
            self.answer(peer, answers)

    def answer(self, peer, answers):
        try:
            with peer, peer.makefile("rb") as f:
                for answer in answers:
                    peer.sendall(answer)
                    if not answer.endswith(b"\r\n"):
                        break
                    while (line := f.readline()):
                        self.said.append(line)
                        if not answer.startswith(b"354") or line == b".\r\n":
                            break
        except OSError:
            pass        # it was told enough

    def talk(self, *sessions_and_args, data=b"x\n", code=TEMPFAIL):
        """Lists are the answers of one connection each; then nobody listens any more."""
        self.said = []
        sessions = [s for s in sessions_and_args if isinstance(s, list)]
        args = [a for a in sessions_and_args if isinstance(a, str)]
        path = self.dir / "run/submit.sock"
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen(1)
        thread = threading.Thread(target=self.serve, args=(listener, sessions))
        thread.start()
        done = subprocess.run([str(stage() / "bin/sendmail"), "-C", str(self.conf), *args, "-f",
                               "a@b", "x@y", "z@y"], input=data, capture_output=True,
                              timeout=60 * SLOW)
        thread.join(60 * SLOW)
        self.assertEqual(done.returncode, code, (sessions, done.stderr))
        self.assertLess(len(done.stderr), 2000)
        self.assertEqual(code == 0, done.stderr == b"")
        return done

    GREET = [b"220 x\r\n"]
    EHLO = GREET + [b"250 x\r\n"]
    ALL = EHLO + [b"250 ok\r\n"] * 3 + [b"354 go\r\n"]

    def test_it_goes_away(self):
        for n in range(len(self.ALL) + 1):
            with self.subTest(n):
                self.talk(self.ALL[:n])
                self.assertEqual(b".\r\n" in self.said, n == len(self.ALL))

    def test_it_goes_away_within_a_reply(self):
        for n in range(len(self.ALL)):
            done = self.talk(self.ALL[:n] + [self.ALL[n][:-1]])
            # it tried again, and then there was nobody
            self.assertIn(b"no mail service is running", done.stderr)
        done = self.talk(self.ALL + [b"250"])
        self.assertIn(b"went away", done.stderr)

    def test_another_try(self):
        """What is over in a moment costs nothing; the second connection gets the message."""
        good = self.ALL + [b"250 2.0.0 queued\r\n"]
        for first in ([b"421 4.3.0 no\r\n"], [b"22"], self.GREET + [b"421 4.3.0 no\r\n"],
                      self.EHLO + [b"451 4.3.0 no\r\n"], self.EHLO + [b""],
                      self.EHLO + [b"250 ok\r\n", b"550 5.1.1 a\r\n", b"451 4.3.0 b\r\n"],
                      self.EHLO + [b"250 ok\r\n"] * 3 + [b"451 4.3.0 c\r\n"],
                      self.EHLO + [b"250 ok\r\n"] * 3 + [b""]):
            with self.subTest(first):
                self.talk(first, good, code=0)
                self.assertEqual(self.said.count(b".\r\n"), 1)
                self.talk(first, first, good[:-1] + [b"451 4.3.0 not now\r\n"])
        # but not for ever
        done = self.talk(*[list(self.EHLO) + [b"451 4.3.0 no\r\n"] for _ in range(21)])
        self.assertIn(b"451 4.3.0 no", done.stderr)

    def test_what_it_refuses(self):
        e = self.EHLO
        for answers, code in (
                ([b"421 4.3.2 stopping\r\n"], TEMPFAIL), ([b"554 no\r\n"], UNAVAILABLE),
                (e + [b"452 4.3.1 full\r\n"], TEMPFAIL),
                (self.GREET + [b"500 what\r\n"], UNAVAILABLE),
                (e + [b"451 4.3.0 no\r\n"], TEMPFAIL), (e + [b"550 5.7.1 you\r\n"], NOPERM),
                (e + [b"552 5.3.4 large\r\n"], DATAERR),
                (e + [b"250 ok\r\n", b"550 5.1.1 a\r\n", b"450 4.2.0 b\r\n"], TEMPFAIL),
                (e + [b"250 ok\r\n", b"450 4.2.0 a\r\n", b"550 5.1.1 b\r\n"], TEMPFAIL),
                (e + [b"250 ok\r\n", b"550 5.1.1 a\r\n", b"550 5.7.1 b\r\n"], NOUSER),
                (e + [b"250 ok\r\n", b"553 no a\r\n", b"554 no b\r\n"], UNAVAILABLE),
                (e + [b"250 ok\r\n"] * 3 + [b"451 4.3.0 not now\r\n"], TEMPFAIL),
                (self.ALL + [b"452 4.3.1 full\r\n"], TEMPFAIL),
                (self.ALL + [b"554 5.6.0 no\r\n"], DATAERR),
                (e + [b"250 ok\r\n", b"250 ok\r\n", b"550 5.1.1 b\r\n", b"354 go\r\n",
                      b"250 2.0.0 queued\r\n"], NOUSER)):
            with self.subTest(answers):
                self.talk(answers, code=code)

    def test_nonsense(self):
        for bad in (b"hello\r\n", b"\r\n", b"220\n", b"22\r\n", b"220-x\r\n250 y\r\n", b"\0\r\n",
                    b"220 " + b"x" * 10000 + b"\r\n", b"220-x\r\n" * 1000):
            with self.subTest(bad[:20]):
                self.talk([bad])
        # and what may be in EHLO's answer
        odd = (b"250-x\r\n250-XQUALIFY a b>\r\n250-XQUALIFY\r\n250-SIZE 99999999999999999999\r\n"
               b"250-SIZE -1\r\n250-\r\n250 \xff\r\n")
        self.talk(self.GREET + [odd] + self.ALL[2:] + [b"250 2.0.0 queued\r\n"], "-F", "Me",
                  code=0)
        self.assertIn(b"MAIL FROM:<a@b> SIZE=5\r\n", self.said)

    def test_what_it_can_do_is_used(self):
        ehlo = b"250-x\r\n250-8BITMIME\r\n250-XQUALIFY q.example\r\n250 DSN\r\n"
        answers = self.GREET + [ehlo] + self.ALL[2:] + [b"250 2.0.0 queued\r\n"]
        self.talk(answers, "-N", "success,failure", "-R", "hdrs", "-V", "a+b c=\\", "-B8BITMIME",
                  "-F", "Me", data=b"Subject: x\n\n.\n\xe4\n", code=0)
        self.assertIn(b"MAIL FROM:<a@b> BODY=8BITMIME RET=HDRS ENVID=a+2Bb+20c+3D\\\r\n", self.said)
        self.assertIn(b"RCPT TO:<x@y> NOTIFY=success,failure\r\n", self.said)
        self.assertEqual(self.said[5:7], [b"From: Me <a@b>\r\n", b"Subject: x\r\n"])
        # without the extensions they are not said
        self.talk(self.ALL + [b"250 2.0.0 queued\r\n"], "-N", "never", "-Rfull", "-V1",
                  data=b"\n\xe4\n", code=0)
        self.assertIn(b"MAIL FROM:<a@b>\r\n", self.said)
        self.assertIn(b"RCPT TO:<x@y>\r\n", self.said)

    def test_a_size_that_is_told(self):
        ehlo = [b"250-x\r\n250 SIZE 1500000\r\n"]
        done = self.talk(self.GREET + ehlo + [b"250 ok\r\n"] * 3 + [b"354 go\r\n"],
                         data=b"y" * 70 + b"\n" + b"z\n" * 700000, code=DATAERR)
        self.assertIn(b"longer than 1500000", done.stderr)
        self.assertNotIn(b".\r\n", self.said)


class Dialogue(Case):
    def test_bs(self):
        done = self.sendmail("-bs", data=b"EHLO x\r\nMAIL FROM:<a>\r\nRCPT TO:<alice>\r\nDATA\r\n"
                             b"Subject: by hand\r\n\r\nx\r\n.\r\nQUIT\r\n")
        codes = re.findall(rb"(?m)^(\d+) ", done.stdout)
        self.assertEqual(codes, b"220 250 250 250 354 250 221".split())
        self.assertIn(b"250-XQUALIFY example.org\r\n", done.stdout)
        self.assertIn(b"Return-Path: <a@example.org>\n", self.got("alice")[0])
        # without QUIT, and with an end in the middle of a message
        self.sendmail("-bs", data=b"EHLO x\r\nMAIL FROM:<a>\r\n")
        self.sendmail("-bs", data=b"EHLO x\r\nMAIL FROM:<a>\r\nRCPT TO:<alice>\r\nDATA\r\nx\r\n")
        self.nothing_came()

    def test_bs_from_python(self):
        service = self.service

        class Piped(smtplib.SMTP):
            def _get_socket(self, host, port, timeout):
                ours, theirs = socket.socketpair()
                self.child = subprocess.Popen([str(stage() / "bin/sendmail"), "-C",
                                               str(service.conf_file), "-bs"],
                                              stdin=theirs, stdout=theirs)
                theirs.close()
                ours.settimeout(60 * SLOW)
                return ours

        text = "Subject: py\r\n\r\n" + ".y" * 30 + "\r\n.\r\n" * 100000
        with Piped("local") as s:
            self.assertEqual(s.sendmail("me", ["alice", "bob@two.example"], text), {})
        self.assertEqual(s.child.wait(20), 0)
        for name in ("alice", "two-bob"):
            self.assertTrue(self.got(name)[0].endswith(text.replace("\r\n", "\n").encode()))

    def test_any_program_may_speak_on_the_socket(self):
        class Unix(smtplib.SMTP):
            def _get_socket(self, host, port, timeout):
                s = socket.socket(socket.AF_UNIX)
                s.connect(host)
                return s
        with Unix(str(self.submit)) as s:
            s.sendmail("someone@far.example", ["alice"], "x: y\r\n\r\nz\r\n")
        m, _ = self.split(self.got("alice")[0])
        self.assertEqual(m["From"], "someone@far.example")
        self.assertIsNotNone(m["Message-ID"])
        # and may relay, as may whoever is on loopback, but nothing is added there
        send(self.service.port, content=b"x: y\r\n\r\nz\r\n.\r\n", rcpts=["alice@example.org"])
        self.assertIsNone(self.split(self.got("alice")[0])[0]["Message-ID"])
        t = self.service.talk()
        t("EHLO x")
        self.assertNotIn("XQUALIFY", "".join(t.lines))
        self.assertEqual(t("MAIL FROM:<alice>"), 501)
        t.close()

    def test_a_process_that_dies_costs_no_mail(self):
        lookup = self.service.pids()["lookup"]
        for i in range(20):
            if i % 5 == 2:
                os.kill(wait_for(lambda: self.service.pids().get("lookup"))[0], signal.SIGKILL)
            self.sendmail("alice")
        self.assertNotEqual(lookup, self.service.pids()["lookup"])
        self.got("alice", 20)

    def test_reload_costs_no_mail(self):
        before = self.submit.stat().st_ino
        for i in range(20):
            if i % 4 == 1:
                self.service.command("reload", check=0)
            self.sendmail("alice")
        self.assertEqual(self.submit.stat().st_ino, before)
        self.got("alice", 20)

    def test_many_at_once(self):
        """Midnight: every job of cron writes at the same time."""
        argv = [str(stage() / "bin/sendmail"), "-C", str(self.service.conf_file), "alice"]
        many = [subprocess.Popen(argv, stdin=subprocess.PIPE) for _ in range(150)]
        for i, p in enumerate(many):
            p.stdin.write(b"%d\n" % i)
            p.stdin.close()
        self.assertEqual({p.wait(60 * SLOW) for p in many}, {0})
        self.assertEqual(sorted(int(m.split(b"\n\n")[1]) for m in self.got("alice", 150)),
                         list(range(150)))


class Queue(Case):
    more = 'route "away.example" { via = "smtp://127.0.0.1:1" }\n'

    def test_mailq_and_q(self):
        uid = NOBODY        # who runs the service
        for words in (["mailq"], ["sendmail", "-bp"]):
            done = self.sendmail(*words[1:], program=words[0], uid=uid)
            self.assertEqual(done.stdout, b"Mail queue is empty\n")
        self.sendmail("-f", "a@b.example", "x@away.example", "y@away.example")
        wait_for(lambda: all(r["state"] == "deferred" for r in self.service.rows()))
        done = self.sendmail(program="mailq", uid=uid)
        listed = self.service.command("queue", "list").stdout.encode()
        times = rb"\b\d+[smhd]\b"     # go on between the two
        self.assertEqual(re.sub(times, b"", done.stdout), re.sub(times, b"", listed))
        self.assertIn(b"<x@away.example>", done.stdout)
        before = len(self.service.rows("code=451"))
        for args, n in ((["-q"], 2), (["-qRx@"], 1), (["-qSa@b"], 2), (["-qSnobody"], 0),
                        (["-qI" + self.service.rows()[0]["id"]], 2)):
            done = self.sendmail(*args, uid=uid)
            self.assertTrue(done.stdout.startswith(b"%d recipient" % n), done.stdout)
        self.assertEqual(len(self.service.rows()), before)
        self.service.command("queue", "delete", "all", check=0)

    @unittest.skipUnless(IS_ROOT, "needs root")
    def test_others_may_not(self):
        for args in (["-bp"], ["-q"]):
            done = self.sendmail(*args, uid=2002, code=NOPERM)
            self.assertRegex(done.stderr, rb"\Asendmail: [^\n]*root[^\n]*\n\Z")

    def test_newaliases_has_nothing_to_do(self):
        for words in (["newaliases"], ["sendmail", "-bi"], ["sendmail", "-I"]):
            done = self.sendmail(*words[1:], program=words[0], data=b"", uid=NOBODY)
            self.assertIn(b"nothing need be run", done.stdout)
            self.assertEqual(done.stderr, b"")


def needs(program):
    return unittest.skipUnless(shutil.which(program), f"{program} is not installed")


@unittest.skipIf(NO_HOST, NO_HOST)
class Clients(unittest.TestCase):
    """Programs that nobody here wrote, on a host whose sendmail is ours."""

    @classmethod
    def setUpClass(cls):
        cls.service = Service('domain "example.org" { }\n', hostname="mx.example", root=True)
        cls.etc = directory("etc")
        people = "".join(f"{p}:*:19000:0:99999:7:::\n" for p in PEOPLE)
        (cls.etc / "shadow").write_text((passwd_files() / "etc/shadow").read_text() + people)
        # What PAM's modules ask of a kernel is not what is tested here.
        (cls.etc / "pam").write_text("account sufficient pam_permit.so\n"
                                     "session sufficient pam_permit.so\n"
                                     "auth sufficient pam_permit.so\n")
        os.chmod(cls.etc / "pam", 0o644)

    @classmethod
    def tearDownClass(cls):
        assert cls.service.stop() == 0

    def host(self, script, user=None, before="", **kw):
        """A shell script on that host, as a user."""
        accounts = passwd_files() / "etc"
        head = ["set -e"]
        head += [f"mount --bind {accounts}/{f} /etc/{f}" for f in ("passwd", "group")]
        head += [f"mount --bind {self.etc}/shadow /etc/shadow", before]
        words = ["sh", "-c", script]
        if user:
            uid = PEOPLE[user]
            words = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "env",
                     f"HOME={home(user)}", f"LOGNAME={user}", f"USER={user}", *words]
        argv = on_host(self.service, ["sh", "-c", "\n".join(head) + '\nexec "$@"', "sh", *words])
        return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=120 * SLOW, cwd="/", **kw)

    def setUp(self):
        # Other tests deliver to the same people.
        for name in PEOPLE:
            for f in (home(name) / "Maildir").glob("new/*"):
                f.unlink()

    def got(self, name, seconds=20):
        box = home(name) / "Maildir"
        raw = wait_for(lambda: maildir(box), seconds)
        self.assertEqual(len(raw), 1)
        for f in (box / "new").iterdir():
            f.unlink()
        return email.message_from_bytes(raw[0], policy=email.policy.default), raw[0]

    def check(self, done):
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_a_service_in_another_place(self):
        """Nobody listens in the usual one, and the installed configuration tells where."""
        where = directory("installed")
        (where / "sallyport").mkdir()
        (where / "sallyport/sallyport.conf").write_text(self.service.conf_file.read_text())
        accounts = passwd_files() / "etc"
        before = (f"mount -t overlay overlay -o lowerdir={where}:/etc /etc\n"
                  f"mount --bind {accounts}/passwd /etc/passwd\n"
                  f"mount -t overlay overlay -o lowerdir={stage()}/libexec:/usr/libexec "
                  "/usr/libexec; umount /run/sallyport\n")
        done = self.host("ls /run/sallyport; sendmail bob </dev/null", user="alice", before=before)
        self.check(done)
        self.assertEqual(done.stdout, "")
        self.got("bob")
        done = self.host("chmod 600 /etc/sallyport/sallyport.conf; mailq", before=before)
        self.assertEqual(done.stdout, "Mail queue is empty\n")
        # where it cannot be read there is only the usual place
        os.chmod(where / "sallyport/sallyport.conf", 0o600)
        done = self.host("sendmail bob </dev/null", user="alice", before=before)
        self.assertEqual(done.returncode, TEMPFAIL)
        self.assertIn("/run/sallyport/submit.sock", done.stderr)

    @needs("cron")
    def test_cron(self):
        """A job at start-up, which is due at once, and its output."""
        table = self.etc / "alice"
        table.write_text("@reboot echo to stdout; echo to stderr >&2; id -u\n")
        before = (f"mount --bind /dev/null /etc/crontab; mount -t tmpfs tmpfs /etc/cron.d\n"
                  f"mount --bind {self.etc}/pam /etc/pam.d/cron\n"
                  "mount -t tmpfs -o mode=755 tmpfs /var/spool/cron\n"
                  "mkdir -m 1730 /var/spool/cron/crontabs\n"
                  f"cp {table} /var/spool/cron/crontabs/alice\n"
                  "chown alice:crontab /var/spool/cron/crontabs/alice\n"
                  "chmod 600 /var/spool/cron/crontabs/alice\n")
        done = self.host("cron -f & pid=$!\n"
                         "for i in $(seq 400); do\n"
                         f"  [ -z \"$(ls {home('alice')}/Maildir/new 2>/dev/null)\" ] || break\n"
                         "  sleep 0.1\ndone\nkill $pid", before=before)
        self.check(done)
        m, raw = self.got("alice")
        self.assertEqual(m["To"], "alice")
        self.assertIn(b"\nFrom: root (Cron Daemon)\n", raw)
        self.assertIn("Cron <alice@", m["Subject"])
        self.assertTrue(raw.endswith(b"\nto stdout\nto stderr\n%d\n" % PEOPLE["alice"]), raw)
        self.assertIn(f"from userid {PEOPLE['alice']})", m["Received"])

    @needs("atd")
    def test_at(self):
        before = (f"mount --bind {self.etc}/pam /etc/pam.d/atd\n"
                  "mount -t tmpfs -o mode=755 tmpfs /var/spool/cron\n"
                  "mkdir -m 1770 /var/spool/cron/atjobs /var/spool/cron/atspool\n"
                  "touch /var/spool/cron/atjobs/.SEQ\n"
                  "chown -R daemon:daemon /var/spool/cron/atjobs /var/spool/cron/atspool\n")
        done = self.host("atd -f -l 1000 & pid=$!\n"
                         "for i in $(seq 100); do [ -s /run/atd.pid ] && break; sleep 0.1; done\n"
                         f"cd {home('bob')}\n"
                         f"echo 'echo from at; id -u' | setpriv --reuid={PEOPLE['bob']} "
                         f"--regid={PEOPLE['bob']} --clear-groups env HOME={home('bob')} "
                         "LOGNAME=bob USER=bob at now || exit 1\n"
                         "for i in $(seq 400); do\n"
                         f"  [ -z \"$(ls {home('bob')}/Maildir/new 2>/dev/null)\" ] || break\n"
                         "  sleep 0.1\ndone\nkill $pid", before=before)
        self.check(done)
        m, raw = self.got("bob")
        self.assertIn("Output from your job", m["Subject"])
        self.assertTrue(raw.endswith(b"from at\n%d\n" % PEOPLE["bob"]), raw)

    @needs("/usr/lib/git-core/git-send-email")
    def test_git_send_email(self):
        done = self.host(
            "cd; rm -rf repo; git init -q repo; cd repo\n"
            "git config user.name 'Alice Liddell'; git config user.email alice@example.org\n"
            "printf 'a\\n.\\n..\\nb\\n' >f; git add f; git commit -qm 'a dot alone' -m body\n"
            "git send-email --quiet --confirm=never --suppress-cc=all --to=bob@example.org "
            "--from='Alice Liddell <alice@example.org>' --root -1", user="alice")
        self.check(done)
        m, raw = self.got("bob")
        self.assertEqual(m["Subject"], "[PATCH] a dot alone")
        self.assertEqual(m["From"], "Alice Liddell <alice@example.org>")
        self.assertIn(b"\n+a\n+.\n+..\n+b\n", raw)
        self.assertEqual(raw.lower().count(b"\nmessage-id:"), 1)

    @needs("php")
    def test_php(self):
        done = self.host("""php -r 'exit(mail("bob@example.org", "from PHP", "line 1\\nline 2",
            "From: web@example.org\\r\\nCc: alice@example.org\\r\\nX-A: 1") ? 0 : 9);'""",
                         user="alice")
        self.check(done)
        m, raw = self.got("bob")
        self.assertEqual((m["Subject"], m["From"], m["X-A"]), ("from PHP", "web@example.org", "1"))
        self.assertTrue(raw.endswith(b"\n\nline 1\nline 2\n"))
        self.got("alice")
        done = self.host("""php -r 'exit(mail("nobody-here@example.org", "x", "y") ? 0 : 9);'""",
                         user="alice")
        self.assertEqual(done.returncode, 9)
        done = self.host("""php -r 'exit(mail("bob@example.org", "x", "y", "", "-fbob") ? 0 : 9);'""",
                         user="alice")
        self.check(done)
        self.assertEqual(self.got("bob")[0]["Return-Path"], "<bob@example.org>")

    @needs("mdadm")
    def test_mdadm(self):
        done = self.host("mdadm --monitor --test --oneshot --mail=alice /dev/md42")
        m, raw = self.got("alice")
        self.assertIn("TestMessage event on /dev/md42", m["Subject"])
        self.assertEqual(m["To"], "alice")
        self.assertIsNotNone(m["Message-ID"])

    @needs("s-nail")
    def test_s_nail(self):
        done = self.host("printf 'body\\n.\\nmore \\303\\244\\n' | LC_ALL=C.UTF-8 s-nail -n "
                         "-s 'from s-nail' -c 'Bob <bob@example.org>' alice@example.org",
                         user="alice")
        self.check(done)
        for name in ("alice", "bob"):
            m, raw = self.got(name)
            self.assertEqual(m["Subject"], "from s-nail")
            self.assertEqual(m.get_content(), "body\n.\nmore \u00e4\n")

    @needs("mutt")
    def test_mutt(self):
        done = self.host("printf 'body\\n.\\nmore\\n' | mutt -n -F /dev/null -e 'set copy=no' -e "
                         "'set envelope_from=yes from=alice@example.org' -s 'from mutt' "
                         "-b bob@example.org alice@example.org", user="alice")
        self.check(done)
        for name in ("alice", "bob"):
            m, raw = self.got(name)
            self.assertEqual(m["Subject"], "from mutt")
            self.assertEqual(m["Return-Path"], "<alice@example.org>")
            self.assertEqual(m.get_content(), "body\n.\nmore\n")
            self.assertNotIn("Bcc", m)


if __name__ == "__main__":
    unittest.main()
