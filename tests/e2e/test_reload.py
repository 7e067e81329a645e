"""Another configuration while mail flows: by SIGHUP and by `sallyport reload`."""
import collections
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time
import unittest

from harness import (IS_ROOT, NOBODY, SLOW, Service, Talk, directory, free_port, maildir, send,
                     stage, wait_for)

NEW = ("lookup", "resolver", "local", "remote", "smtpd")    # those that a reload starts
STAY = ("master", "logger", "queue", "control")


def reloaded(service):
    return [int(e["generation"]) for e in service.events("reloaded")]


def hup(service):
    """A reload by SIGHUP, waited for."""
    def begun():
        return [e["by"] for e in service.events("reloading")].count("SIGHUP")

    def over():
        # The log may be behind, and one that is refused may have several reasons.
        text = service.log_text()
        return begun() > before and text.rfind("event=reloading") < max(
            text.rfind("event=reloaded"), text.rfind("event=reload_refused"))
    before = begun()
    os.kill(service.master_pid(), signal.SIGHUP)
    wait_for(over, 30)


def add(service, text):
    service.conf_file.write_text(service.conf_file.read_text() + text)


def replace(service, old, new):
    text = service.conf_file.read_text()
    assert old in text, old
    service.conf_file.write_text(text.replace(old, new))


def settled(service, smtpds=1):
    """Only the processes of the current generation are left."""
    def alone():
        pids = service.pids()
        return pids if len(pids.get("smtpd", ())) == smtpds and \
            all(len(pids.get(n, ())) == 1 for n in NEW + STAY if n != "smtpd") else None
    return wait_for(alone, 15)


class Host(threading.Thread):
    """A next host that says 250 to the end of the data when it is told to."""

    def __init__(self):
        super().__init__(daemon=True)
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        self.go, self.messages, self.has = threading.Event(), [], threading.Event()
        self.start()

    def run(self):
        while True:
            conn, _ = self.sock.accept()
            threading.Thread(target=self.attend, args=(conn,), daemon=True).start()

    def attend(self, conn):
        try:
            self.serve(conn)
        except (ConnectionResetError, BrokenPipeError):
            pass                    # its client was killed

    def serve(self, conn):
        with conn, conn.makefile("rwb") as f:
            def say(text):
                f.write(text.encode() + b"\r\n")
                f.flush()
            say("220 slow.example")
            while line := f.readline():
                verb = line.split()[0].upper()
                if verb == b"DATA":
                    say("354 go on")
                    content = b""
                    while (line := f.readline()) not in (b".\r\n", b""):
                        content += line
                    self.messages.append(content)
                    self.has.set()
                    self.go.wait(60 * SLOW)
                    say("250 2.0.0 taken")
                elif verb == b"QUIT":
                    say("221 bye")
                    return
                else:
                    say("250 ok")


class Program:
    """In the place of a program of libexec, for a while."""

    def __init__(self, name, script):
        self.path = stage() / "libexec" / name
        self.aside = self.path.with_name(name + ".aside")
        self.script = script

    def __enter__(self):
        self.path.rename(self.aside)
        if self.script is not None:
            self.path.write_text(self.script)
            self.path.chmod(0o755)

    def __exit__(self, *_):
        self.path.unlink(missing_ok=True)
        self.aside.rename(self.path)


HANGS = "#!/bin/sh\nexec sleep 300\n"


class WithService(unittest.TestCase):
    conf, root = "smtpd_processes = 1\n", False

    def setUp(self):
        self.box = directory("box", None if self.root else NOBODY)
        if self.root:
            self.box.chmod(0o777)
        self.service = Service(self.conf + f'domain "example.org" {{ users = "any" '
                               f'deliver = "maildir:{self.box}/%u" }}\n', root=self.root)

    def tearDown(self):
        self.assertEqual(self.service.stop(), 0)
        crashed = [e for e in self.service.events("died")
                   if e.get("signal") in ("6", "11", "31")]
        crashed += self.service.events("bad_message") + self.service.events("complaint")
        self.assertEqual(crashed, [], self.service.log_text())

    def delivered(self, user, n):
        box = self.box / user
        wait_for(lambda: len(maildir(box)) >= n, 20)
        return maildir(box)


class Traffic(WithService):
    conf = "smtpd_processes = 2\n"
    MESSAGES, CLIENTS, RELOADS = 1000, 8, 10

    def client(self, number, wrong):
        """Its share of the messages, some of them in one session; more, if the reloads
        take longer."""
        talk, left, i = None, 0, number
        try:
            while i < self.MESSAGES or not self.over:
                if left == 0:
                    talk, left = self.service.talk(), 1 + i % 7
                    if talk.banner != 220 or talk("EHLO client.example") != 250:
                        wrong.append((i, talk.lines))
                code, line = talk.message(b"Subject: n%d\r\n\r\nx\r\n.\r\n" % i)
                if code != 250:
                    wrong.append((i, line))
                left -= 1
                self.sent.append(i)
                i += self.CLIENTS
                if left == 0:
                    talk("QUIT")
                    talk.close()
        except Exception as e:              # a refused or lost connection
            wrong.append((number, repr(e)))

    def test_a_thousand_messages_during_ten_reloads(self):
        wrong, self.sent, self.over = [], [], False
        clients = [threading.Thread(target=self.client, args=(n, wrong), daemon=True)
                   for n in range(self.CLIENTS)]
        for c in clients:
            c.start()
        for i in range(self.RELOADS):
            # spread over the time that the messages take
            wait_for(lambda: len(self.sent) >= i * self.MESSAGES // (self.RELOADS + 1), 120)
            if i % 2:
                self.service.command("reload", check=0)
            else:
                hup(self.service)
        self.over = True
        for c in clients:
            c.join(120 * SLOW)
        self.assertEqual(wrong, [])
        wait_for(lambda: reloaded(self.service) == list(range(2, self.RELOADS + 2)))
        self.assertGreaterEqual(len(self.sent), self.MESSAGES)
        texts = self.delivered("alice", len(self.sent))
        self.service.wait_empty()
        got = collections.Counter(re.search(rb"Subject: n(\d+)", t).group(1) for t in texts)
        self.assertEqual(set(got.values()), {1})
        self.assertEqual(sorted(map(int, got)), sorted(self.sent))
        settled(self.service, 2)


class Sessions(WithService):
    def test_data_in_progress_survives(self):
        talk = self.service.talk()
        talk("EHLO client.example")
        talk("MAIL FROM:<a@client.example>")
        talk("RCPT TO:<alice@example.org>")
        self.assertEqual(talk("DATA"), 354)
        talk.raw(b"Subject: one\r\n\r\n" + b"first half\r\n" * 20000)
        before = self.service.pids()
        replace(self.service, "mx.example", "new.example")
        self.service.command("reload", check=0)
        after = self.service.pids()
        for name in STAY:
            self.assertEqual(before[name], after[name], name)
        for name in ("smtpd", "lookup"):
            self.assertEqual(len(after[name]), 2, "the old one serves the session")
        talk.raw(b"second half\r\n.\r\n")
        self.assertEqual(talk.reply("received data"), 250)
        # The same session goes on, with the configuration that it began with.
        self.assertEqual(talk("EHLO client.example"), 250)
        self.assertIn("mx.example", talk.lines[0])
        self.assertEqual(talk.message(b"Subject: two\r\n\r\n.\r\n")[0], 250)
        fresh = self.service.talk()
        fresh("EHLO client.example")
        self.assertIn("new.example", fresh.lines[0])
        fresh.close()
        talk("QUIT")
        talk.close()
        texts = self.delivered("alice", 2)
        self.assertEqual(sorted(t.count(b"half") for t in texts), [0, 20001])
        self.assertEqual(settled(self.service)["queue"], before["queue"])
        # queue has the new settings without having been restarted
        send(self.service.port)
        self.assertIn(b"by new.example", self.delivered("alice", 3)[-1])

    def test_the_log_as_json(self):
        add(self.service, 'log = "json"\n')
        before = self.service.pids()["logger"]
        self.service.command("reload", check=0)
        send(self.service.port)
        last = lambda: self.service.log_text().splitlines()[-1]
        self.assertEqual(json.loads(wait_for(lambda: last().startswith("{") and last()))
                         ["program"] in NEW + STAY, True)
        self.assertEqual(self.service.pids()["logger"], before)

    def test_an_old_lookup_that_dies_is_followed_by_another(self):
        talk = self.service.talk()
        talk("EHLO client.example")
        old = self.service.pids()["lookup"]
        add(self.service, 'domain "new.example" { users = "any" deliver = "maildir:'
            f'{self.box}/%u" }}\n')
        hup(self.service)
        os.kill(old[0], signal.SIGKILL)
        wait_for(lambda: len(self.service.pids().get("lookup", ())) == 2 and
                 old[0] not in self.service.pids()["lookup"])
        wait_for(lambda: talk("RSET") == 250 and talk("MAIL FROM:<a@client.example>") == 250 and
                 talk("RCPT TO:<alice@example.org>") == 250, 10)
        # … with the old configuration: new.example is somebody else's
        talk("QUIT")
        talk.close()
        settled(self.service)

    def test_a_domain_and_a_user_added(self):
        talk = self.service.talk(source=("127.0.0.2", 0))
        talk("HELO client.example")
        talk("MAIL FROM:<a@client.example>")
        replace(self.service, "smtpd_processes = 1", "smtpd_processes = 3\nrelay_from = {}")
        self.service.command("reload", check=0)
        self.assertEqual(talk("RCPT TO:<x@more.example>"), 250, "old: trusted to relay")
        talk.close()
        settled(self.service, 3)
        fresh = self.service.talk()
        fresh("HELO client.example")
        fresh("MAIL FROM:<a@client.example>")
        self.assertEqual(fresh("RCPT TO:<x@more.example>"), 550)
        fresh.close()
        add(self.service, f'domain "more.example" {{ users = "any" deliver = "maildir:{self.box}'
            '/%u" }\nexpect "rcpt x@more.example" { reply = "250" }\n'
            'expect "rcpt x@less.example from 192.0.2.1" { reply = "relay-denied" }\n')
        hup(self.service)
        wait_for(lambda: reloaded(self.service) == [2, 3])
        send(self.service.port, rcpts=("x@more.example",))
        self.delivered("x", 1)


class Listeners(WithService):
    def test_added_kept_and_removed(self):
        port, other = free_port(), free_port()
        replace(self.service, 'listen "127.0.0.1:0"',
                f'listen "127.0.0.1:{other}" {{ }}\nlisten "127.0.0.1:0"')
        self.service.command("reload", check=0)
        # The one with a port of the kernel's choice is the same socket.
        listen = wait_for(lambda: self.service.events("reloaded"))[-1]["listen"]
        self.assertIn(f"127.0.0.1:{other},127.0.0.1:{self.service.port}", listen)
        send(self.service.port)
        send(other)
        kept = Talk(other)
        replace(self.service, f"127.0.0.1:{other}", f"127.0.0.1:{port}")
        self.service.command("reload", check=0)
        send(port)
        self.assertEqual(kept("EHLO client.example"), 250, "who was connected goes on")
        kept("QUIT")
        settled(self.service)
        with self.assertRaises(ConnectionRefusedError):
            Talk(other)
        self.delivered("alice", 3)

    def test_an_address_in_use_is_refused(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            add(self.service, f'listen "{address}" {{ }}\n')
            done = self.service.command("reload", check=1)
        self.assertIn(address, done.stderr)
        self.assertIn("Address already in use", done.stderr)
        self.service.command("reload", check=0)


class Deliveries(WithService):
    def setUp(self):
        self.host = Host()
        self.conf = (f'smtpd_processes = 1\nroute "slow.example" {{ via = "smtp://127.0.0.1:'
                     f'{self.host.port}" }}\n')
        super().setUp()
        send(self.service.port, rcpts=("a@slow.example",))
        self.assertTrue(self.host.has.wait(20))
        self.remote = self.service.pids()["remote"]

    def end(self):
        """It ends well, and was made once."""
        self.host.go.set()
        self.service.wait_empty()
        self.assertEqual(len(self.host.messages), 1)
        self.assertNotIn(self.remote[0], settled(self.service)["remote"])

    def test_one_under_way_survives_and_is_not_made_twice(self):
        other = Host()
        other.go.set()
        replace(self.service, f"127.0.0.1:{self.host.port}", f"127.0.0.1:{other.port}")
        self.service.command("reload", check=0)
        self.assertIn(self.remote[0], self.service.pids()["remote"])
        # The next one for the same domain goes the new way at once.
        send(self.service.port, rcpts=("b@slow.example",))
        wait_for(lambda: len(other.messages) == 1)
        self.end()
        self.assertEqual(len(other.messages), 1)

    def test_a_resolver_that_dies_meanwhile_is_replaced(self):
        old = self.service.pids()["resolver"]
        self.service.command("reload", check=0)
        os.kill(old[0], signal.SIGKILL)
        wait_for(lambda: len(self.service.pids().get("resolver", ())) == 2 and
                 old[0] not in self.service.pids()["resolver"])
        self.end()

    def test_queue_that_dies_meanwhile_is_told(self):
        self.service.command("reload", check=0)
        wait_for(lambda: len(self.service.pids()["remote"]) == 2)
        os.kill(self.service.pids()["queue"][0], signal.SIGKILL)
        wait_for(lambda: self.service.pids().get("queue") and
                 not self.service.command("queue", "count").stderr)
        self.service.command("queue", "retry", "all")
        time.sleep(1)
        self.assertEqual(len(self.host.messages), 1, "handed out while it is under way")
        self.end()

    def test_an_old_agent_that_dies_leaves_its_work_to_the_new_one(self):
        self.service.command("reload", check=0)
        self.host.go.set()
        os.kill(self.remote[0], signal.SIGKILL)
        wait_for(lambda: len(settled(self.service)["remote"]) == 1)
        self.service.command("queue", "retry", "all")
        self.service.wait_empty()
        # It may have been made twice (RFC 5321 section 6.1), and is not lost.
        self.assertIn(len(self.host.messages), (1, 2))


class Refused(WithService):
    """Whatever is wrong, the old processes go on untouched."""

    def unchanged(self, before, reason, done=None):
        if done is not None:
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stderr, reason)
        # the line goes through logger, which may be behind
        wait_for(lambda: re.search(reason, "\n".join(
            e.get("reason", "") for e in self.service.events("reload_refused"))))
        self.assertEqual(reloaded(self.service), [])
        self.assertEqual(settled(self.service), before)
        send(self.service.port)

    def works(self):
        try:
            return send(self.service.port)
        except (AssertionError, OSError, EOFError):
            return None         # 451, while a process is being replaced

    def test_what_the_parser_says(self):
        before = settled(self.service)
        lines = len(self.service.conf_file.read_text().splitlines())
        add(self.service, "no_such_setting = 1\n")
        hup(self.service)
        self.unchanged(before, rf"sallyport.conf:{lines + 1}: .*no_such_setting")
        done = self.service.command("reload")
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"{self.service.conf_file}:{lines + 1}: ", done.stderr)

    def test_an_expectation(self):
        before = settled(self.service)
        lines = len(self.service.conf_file.read_text().splitlines())
        add(self.service, 'expect "rcpt a@example.org" { reply = "250" }\n'
            'expect "rcpt b@example.org" { reply = "550 5.1.1" }\n'
            'expect "mail <> rcpt c@far.example from 192.0.2.7" { reply = "250" }\n')
        done = self.service.command("reload")
        self.unchanged(before, rf'sallyport.conf:{lines + 2}: .*b@example.org', done)
        self.assertNotIn(f":{lines + 1}:", done.stderr)
        self.assertRegex(done.stderr, f':{lines + 3}: .*"250" is expected.*"550 5.7.1 ')

    def test_spool_and_runtime(self):
        before = settled(self.service)
        text = self.service.conf_file.read_text()
        replace(self.service, f'spool = "{self.service.spool}"',
                f'spool = "{self.service.spool}2"')
        self.unchanged(before, "spool.*restart", self.service.command("reload"))
        self.service.conf_file.write_text(text.replace("/run\"", "/run2\""))
        hup(self.service)
        self.unchanged(before, "runtime.*restart")
        self.service.conf_file.write_text(text)

    def test_a_program_that_cannot_be_started(self):
        before = settled(self.service)
        with Program("remote", None):
            done = self.service.command("reload")
        self.unchanged(before, "remote: could not be started", done)

    def test_a_new_process_that_is_killed(self):
        before = settled(self.service)
        with Program("local", HANGS):
            os.kill(self.service.master_pid(), signal.SIGHUP)
            fresh = wait_for(lambda: [p for p in self.service.pids().get("smtpd", ())
                                      if p not in before["smtpd"]])
            wait_for(lambda: self.service.pids().get("sleep"))
            os.kill(fresh[0], signal.SIGKILL)
            wait_for(lambda: self.service.events("reload_refused"))
        self.unchanged(before, "smtpd: could not be started")

    def test_an_old_process_that_is_killed(self):
        """… is replaced by one with the old configuration, and the reload goes on."""
        before = settled(self.service)
        for name in ("queue", "smtpd", "lookup"):
            replace(self.service, "smtpd_processes = 1\n", f"smtpd_processes = 1\n\n")
            with Program("local", "#!/bin/sh\nwhile [ ! -e %s/go ]; do sleep 0.1; done\n"
                         "exec %s\n" % (self.service.dir, "/bin/false")):
                os.kill(self.service.master_pid(), signal.SIGHUP)
                wait_for(lambda: len(self.service.pids().get("lookup", ())) == 2)
                old = self.service.pids()[name]
                os.kill(min(old) if name != "queue" else old[0], signal.SIGKILL)
                n = len(self.service.events("reload_refused"))
                (self.service.dir / "go").touch()
                wait_for(lambda: len(self.service.events("reload_refused")) > n)
                (self.service.dir / "go").unlink()
            wait_for(self.works, 10)
        settled(self.service)
        self.service.command("reload", check=0)
        after = settled(self.service)
        self.assertEqual(after["master"], before["master"])

    def test_queue_killed_at_the_switch(self):
        for _ in range(3):
            os.kill(wait_for(lambda: self.service.pids().get("queue"))[0], signal.SIGKILL)
            self.service.command("reload", check=0)
        settled(self.service)
        wait_for(self.works)
        self.delivered("alice", 1)


class Several(WithService):
    def test_one_that_comes_during_the_start_follows_it(self):
        self.assertEqual(self.service.stop(), 0)
        with Program("remote", "#!/bin/sh\nsleep 1\nexec \"$0.aside\" \"$@\"\n"):
            self.service.start(wait=False)
            wait_for(lambda: self.service.pids().get("sleep"))
            os.kill(self.service.master_pid(), signal.SIGHUP)
            wait_for(lambda: reloaded(self.service), 20)
        self.assertEqual(reloaded(self.service), [2])

    def test_one_that_comes_during_another_follows_it(self):
        commands = [threading.Thread(target=self.service.command, args=("reload",),
                                     kwargs={"check": 0}) for _ in range(5)]
        for c in commands:
            c.start()
        for c in commands:
            c.join(60 * SLOW)
            self.assertFalse(c.is_alive())
        wait_for(lambda: len(reloaded(self.service)) >= 2)
        n = len(reloaded(self.service))
        os.kill(self.service.master_pid(), signal.SIGHUP)
        os.kill(self.service.master_pid(), signal.SIGHUP)
        wait_for(lambda: len(reloaded(self.service)) > n)
        settled(self.service)
        send(self.service.port)

    def test_stop_during_a_reload(self):
        with Program("local", HANGS):
            command = subprocess.Popen(
                self.service._argv("reload", "-c", str(self.service.conf_file)),
                stderr=subprocess.PIPE, text=True)
            wait_for(lambda: self.service.pids().get("sleep"))
            began = time.monotonic()
            self.assertEqual(self.service.stop(), 0)
            self.assertLess(time.monotonic() - began, 12 * SLOW)
            self.assertNotEqual(command.wait(20 * SLOW), 0)
            command.stderr.close()
        self.service.start()

    def test_many_in_a_row_with_a_session_in_each(self):
        """Old generations are bounded; the oldest session is told 421, no other."""
        talks = []
        for _ in range(18):
            talks.append(self.service.talk())
            self.service.command("reload", check=0)
        wait_for(lambda: len(self.service.pids()["smtpd"]) <= 17, 20)
        for old in talks[:2]:
            self.assertEqual(old.reply(), 421)
        for other in talks[2:]:
            self.assertEqual(other("NOOP"), 250)
        for t in talks:
            t.close()
        settled(self.service)


class Check(unittest.TestCase):
    def test_as_run_would(self):
        box = directory("box", NOBODY)
        service = Service(f'postmaster = "alice@example.org"\ndomain "example.org" {{ users = "file:{box}/users" deliver = '
                          f'"maildir:{box}/%u" }}\n'
                          'expect "rcpt alice@example.org" { reply = "250" }\n'
                          'expect "mail <> rcpt bob@example.org" { reply = "no-such-user" }\n'
                          'expect "rcpt postmaster from 192.0.2.1" { reply = "250 2.1.5" }\n'
                          'expect "rcpt x@far.example from 192.0.2.1 listener 127.0.0.1:0" '
                          '{ reply = "550 5.7.1" }\n', start=False)
        (box / "users").write_text("alice\n")
        (box / "users").chmod(0o644)
        done = service.command("check", check=0)
        self.assertEqual(done.stdout + done.stderr, "")
        self.assertFalse(service.spool.exists(), "it makes nothing")
        (box / "users").write_text("bob\nbad=key before name\n")
        done = service.command("check", check=1)
        self.assertIn("postmaster_without_mailbox", done.stderr)
        lines = len(service.conf_file.read_text().splitlines())
        self.assertIn(f"{service.conf_file}:{lines - 3}: expect", done.stderr)
        self.assertIn(f"{service.conf_file}:{lines - 2}: expect", done.stderr)
        self.assertNotIn(f"{service.conf_file}:{lines - 1}: ", done.stderr)
        self.assertIn(f"{box}/users", done.stderr, "what is wrong with the table")


@unittest.skipUnless(IS_ROOT, "needs root")
class AsRoot(WithService):
    root = True

    def test_with_users_of_their_own_and_a_low_port(self):
        before = self.service.pids()
        low = "127.%d.%d.9" % (1 + os.getpid() % 250, os.getpid() // 250 % 250)
        add(self.service, 'expect "rcpt alice@example.org" { reply = "250" }\n'
            f'listen "{low}:29" {{ }}\n')
        self.service.command("reload", check=0)
        wait_for(lambda: not any(set(before[name]) & set(self.service.pids()[name])
                                 for name in NEW))
        for name in STAY:
            self.assertEqual(before[name], self.service.pids()[name])
        send(self.service.port)
        Talk(29, host=low).close()
        self.delivered("alice", 1)
        replace(self.service, 'users = "any"', 'users = "any" owner = "nobody-at-all"')
        done = self.service.command("reload", check=1)
        self.assertIn("nobody-at-all", done.stderr)
        send(self.service.port)


if __name__ == "__main__":
    unittest.main()
