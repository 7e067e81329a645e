"""Each pair of command and code of the seed, had from the real server by a client.

A row of ROWS is a dialogue: who talks, what is said, and what the last command
must get.  What takes more than a dialogue is a method below, under the name
that its row gives.  REPLIES at the top of the tree is this table, written by
`tests/e2e/test_table.py --write`; a test fails when it is stale.
"""
import os
import pathlib
import re
import signal
import socket
import sys
import threading
import time
import unittest

from harness import (IS_ROOT, NOBODY, ROOT, SLOW, Service, Talk, directory, free_port, maildir,
                     named, send, wait_for)

SEED = ROOT / "tests/seed/command-replies.tsv"
HERE = "EHLO c.example"
MAIL = HERE + "|MAIL FROM:<a@c.example>"
RCPT = MAIL + "|RCPT TO:<alice@example.org>"
LONG = "x" * 3000
# Who talks; see Table.talk().
ANY, TRUSTED, OPEN, HELLO, CONNECT, OFF = "stranger trusted disclosed hello connect off".split()

# command, code, enhanced code, condition, who, steps or the name of a method
ROWS = [
    ("connect", 220, "", "a client comes", ANY, "met_greeting"),
    ("connect", 421, "4.7.0", "more connections than max_sessions_per_client", ANY, "met_crowd"),
    ("HELO", 250, "", "with a name", ANY, "HELO c.example"),
    ("HELO", 500, "5.5.2", "a line longer than max_line", ANY, "HELO " + LONG),
    ("HELO", 501, "5.5.4", "without a name", ANY, "HELO"),
    ("HELO", 504, "5.5.4", "an address literal of an unknown kind", ANY, "HELO [X25:3110]"),
    ("HELO", 521, "5.3.2", "listen with refuse = \"hello\"", HELLO, "HELO c.example"),
    ("HELO", 421, "", "the service stops, or the client waits too long", ANY, "met_end"),
    ("EHLO", 250, "", "with a name", ANY, "EHLO c.example"),
    ("EHLO", 550, "5.7.1", "a stranger claims to be this host", ANY, "EHLO mx.example"),
    ("EHLO", 500, "5.5.2", "a line longer than max_line", ANY, "EHLO " + LONG),
    ("EHLO", 501, "5.5.4", "without a name", ANY, "EHLO"),
    ("EHLO", 504, "5.5.4", "an address literal of an unknown kind", ANY, "EHLO [X25:3110]"),
    ("EHLO", 421, "", "the service stops, or the client waits too long", ANY, "met_end"),
    ("MAIL", 250, "2.1.0", "a sender", ANY, MAIL),
    ("MAIL", 552, "5.3.4", "SIZE above message_size", ANY,
     HERE + "|MAIL FROM:<a@c.example> SIZE=99999999"),
    ("MAIL", 451, "4.3.0", "the queue is away", ANY, "met_no_queue"),
    ("MAIL", 452, "4.3.1", "less space than spool_reserve", ANY, "met_full_disk"),
    ("MAIL", 500, "5.5.2", "a line longer than max_line", ANY, HERE + "|MAIL " + LONG),
    ("MAIL", 501, "5.1.7", "no address in brackets", ANY, HERE + "|MAIL FROM:a b"),
    ("MAIL", 421, "", "the service stops, or the client waits too long", ANY, "met_end"),
    ("RCPT", 250, "2.1.5", "a user", ANY, RCPT),
    ("RCPT", 251, "2.1.5", "a user in the file of `moved`", ANY,
     MAIL + "|RCPT TO:<gone@example.org>"),
    ("RCPT", 550, "5.1.1", "no such user", ANY, MAIL + "|RCPT TO:<nobody@example.org>"),
    ("RCPT", 551, "5.1.6", "a user in that file, moved_reply = \"tell\"", ANY,
     MAIL + "|RCPT TO:<gone@tell.example>"),
    ("RCPT", 552, "5.2.2", "state=full in the users file", ANY,
     MAIL + "|RCPT TO:<full@example.org>"),
    ("RCPT", 553, "5.1.3", "a name that no mailbox can have", ANY,
     MAIL + "|RCPT TO:<\"../x\"@example.org>"),
    ("RCPT", 450, "4.2.1", "state=busy in the users file", ANY,
     MAIL + "|RCPT TO:<busy@example.org>"),
    ("RCPT", 451, "4.3.0", "the users file cannot be read", ANY,
     MAIL + "|RCPT TO:<x@broken.example>"),
    ("RCPT", 452, "4.5.3", "more than max_recipients", ANY,
     MAIL + "".join(f"|RCPT TO:<any{i}@any.example>" for i in range(6))),
    ("RCPT", 500, "5.5.2", "a line longer than max_line", ANY, MAIL + "|RCPT " + LONG),
    ("RCPT", 501, "5.1.3", "no address in brackets", ANY, MAIL + "|RCPT TO:alice"),
    ("RCPT", 503, "5.5.1", "before MAIL", ANY, HERE + "|RCPT TO:<alice@example.org>"),
    ("RCPT", 521, "5.3.2", "domain with refuse = \"yes\"", ANY,
     MAIL + "|RCPT TO:<x@refused.example>"),
    ("RCPT", 421, "", "the service stops, or the client waits too long", ANY, "met_end"),
    ("DATA", 354, "", "after a recipient", ANY, RCPT + "|DATA"),
    ("DATA", 451, "4.3.0", "the queue went away", ANY, "met_no_queue"),
    ("DATA", 554, "5.5.1", "all recipients were refused", ANY,
     MAIL + "|~RCPT TO:<nobody@example.org>|DATA"),
    ("DATA", 500, "5.5.2", "a line longer than max_line", ANY, RCPT + "|DATA " + LONG),
    ("DATA", 501, "5.5.4", "with an argument", ANY, RCPT + "|DATA now"),
    ("DATA", 503, "5.5.1", "before RCPT", ANY, MAIL + "|DATA"),
    ("DATA", 421, "", "the service stops, or the client waits too long", ANY, "met_end"),
    ("received data", 250, "2.0.0", "the message is on disk", ANY, "met_message"),
    ("received data", 552, "5.3.4", "longer than message_size", ANY, "met_large_message"),
    ("received data", 554, "5.4.6", "more than 100 Received fields", ANY, "met_loop"),
    ("received data", 451, "4.3.0", "the queue went away", ANY, "met_no_queue_at_end"),
    ("received data", 452, "4.3.1", "the disk filled meanwhile", ANY, "met_full_disk"),
    ("RSET", 200, "", "another host says so to remote", ANY, "met_nonstandard"),
    ("RSET", 250, "2.0.0", "at any time", ANY, RCPT + "|RSET"),
    ("RSET", 500, "5.5.2", "a line longer than max_line", ANY, "RSET " + LONG),
    ("RSET", 501, "5.5.4", "with an argument", ANY, "RSET now"),
    ("RSET", 504, "5.5.4", "with a parameter", ANY, "RSET X=y"),
    ("RSET", 421, "", "the service stops, or the client waits too long", ANY, "met_end"),
    ("SEND", 250, "2.1.0", "send = \"mailbox\"", ANY, HERE + "|SEND FROM:<a@c.example>"),
    ("SEND", 502, "5.5.1", "otherwise", OFF, HERE + "|SEND FROM:<a@c.example>"),
    ("VRFY", 250, "2.1.5", "a user, to a client that may relay", TRUSTED,
     "VRFY alice@example.org"),
    ("VRFY", 251, "2.1.5", "a user who moved, disclose = \"yes\"", OPEN, "VRFY gone"),
    ("VRFY", 252, "2.5.2", "to a stranger", ANY, "VRFY <alice@example.org>"),
    ("VRFY", 550, "5.1.1", "no such user", TRUSTED, "VRFY nobody"),
    ("VRFY", 551, "5.1.6", "a user who moved, moved_reply = \"tell\"", TRUSTED,
     "VRFY gone@tell.example"),
    ("VRFY", 553, "5.1.3", "a name that no mailbox can have", TRUSTED, "VRFY a/b"),
    ("VRFY", 500, "5.5.2", "a line longer than max_line", ANY, "VRFY " + LONG),
    ("VRFY", 501, "5.5.4", "without an address", ANY, "VRFY"),
    ("VRFY", 502, "5.5.1", "named in commands_off", OFF, "VRFY alice"),
    ("VRFY", 504, "5.5.4", "with a parameter", ANY, "VRFY alice X=y"),
    ("VRFY", 421, "", "the service stops, or the client waits too long", ANY, "met_end"),
    ("EXPN", 250, "2.1.5", "a user, disclose = \"yes\"", OPEN, "EXPN alice"),
    ("EXPN", 550, "5.1.1", "no such user", TRUSTED, "EXPN nobody"),
    ("EXPN", 500, "5.5.2", "a line longer than max_line", ANY, "EXPN " + LONG),
    ("EXPN", 501, "5.5.4", "without an address", TRUSTED, "EXPN"),
    ("EXPN", 502, "5.5.1", "to a stranger", ANY, "EXPN alice"),
    ("EXPN", 504, "5.5.4", "with a parameter", TRUSTED, "EXPN alice X=y"),
    ("EXPN", 421, "", "the service stops, or the client waits too long", ANY, "met_end"),
    ("HELP", 211, "2.0.0", "HELP STATUS", ANY, "HELP STATUS"),
    ("HELP", 214, "2.0.0", "alone, or with a command", ANY, "HELP MAIL"),
    ("HELP", 500, "5.5.2", "a line longer than max_line", ANY, "HELP " + LONG),
    ("HELP", 501, "5.5.4", "with more than one word", ANY, "HELP MAIL RCPT"),
    ("HELP", 502, "5.5.1", "named in commands_off", OFF, "HELP"),
    ("HELP", 504, "5.5.4", "with what is no command", ANY, "HELP XYZZY"),
    ("HELP", 421, "", "the service stops, or the client waits too long", ANY, "met_end"),
    ("NOOP", 200, "", "another host says so to remote", ANY, "met_nonstandard"),
    ("NOOP", 250, "2.0.0", "with or without a word", ANY, "NOOP word"),
    ("NOOP", 500, "5.5.2", "a line longer than max_line", ANY, "NOOP " + LONG),
    ("NOOP", 421, "", "the service stops, or the client waits too long", ANY, "met_end"),
    ("QUIT", 221, "2.0.0", "at any time, whatever stands behind it", ANY, "QUIT now"),
    ("QUIT", 500, "5.5.2", "a line longer than max_line", ANY, "QUIT " + LONG),
    ("TURN", 502, "5.5.1", "between messages", ANY, HERE + "|TURN"),
    ("TURN", 500, "5.5.2", "a line longer than max_line", ANY, "TURN " + LONG),
    ("TURN", 503, "5.5.1", "before EHLO, or in a transaction", ANY, "TURN"),
]
for name in ("SEND", "SOML", "SAML"):
    ROWS += [
        (name, 552, "5.3.4", "SIZE above message_size", ANY,
         HERE + f"|{name} FROM:<a@c.example> SIZE=99999999"),
        (name, 451, "4.3.0", "the queue is away", ANY, "met_no_queue"),
        (name, 452, "4.3.1", "less space than spool_reserve", ANY, "met_full_disk"),
        (name, 500, "5.5.2", "a line longer than max_line", ANY, HERE + f"|{name} " + LONG),
        (name, 501, "5.1.7", "no address in brackets", ANY, HERE + f"|{name} FROM:a b"),
        (name, 421, "", "the service stops, or the client waits too long", ANY, "met_end"),
    ] + ([] if name == "SEND" else [
        (name, 250, "2.1.0", "send = \"mailbox\"", ANY, HERE + f"|{name} FROM:<a@c.example>"),
        (name, 502, "5.5.1", "otherwise", OFF, HERE + f"|{name} FROM:<a@c.example>"),
    ])

# The name in the catalogue of what such a test gets; test_replies has the others.
HAS = {
    "test_connect_220": "greeting", "test_QUIT_221": "bye", "test_EHLO_250": "helo",
    "test_RSET_250": "ok", "test_MAIL_250": "sender-ok", "test_RCPT_250": "rcpt-ok",
    "test_received_data_250": "queued", "test_VRFY_252": "cannot-vrfy",
    "test_HELP_214": "help-topic", "test_HELP_211": "status", "test_VRFY_250": "verified",
    "test_RCPT_251": "will-forward", "test_DATA_354": "data", "test_NOOP_421": "timeout",
    "test_connect_421": "too-many-from-client", "test_MAIL_451": "local-error",
    "test_received_data_451": "queue-error", "test_RCPT_451": "table-error",
    "test_RCPT_452": "too-many-rcpts", "test_MAIL_452": "no-space",
    "test_NOOP_500": "line-too-long", "test_HELO_501": "syntax", "test_RCPT_501": "bad-address",
    "test_MAIL_501": "bad-sender", "test_EXPN_502": "not-implemented",
    "test_RCPT_503": "sequence", "test_DATA_554": "no-valid-rcpts",
    "test_RSET_504": "bad-parameter", "test_RCPT_550": "no-such-user",
    "test_RCPT_551": "user-moved", "test_RCPT_553": "mailbox-name", "test_EHLO_550": "our-name",
    "test_HELO_521": "host-refuses", "test_RCPT_521": "domain-refuses",
    "test_received_data_554": "loop", "test_MAIL_552": "too-big",
    "test_RCPT_450": "mailbox-closed", "test_RCPT_552": "over-quota",
}

# What nothing here can meet, and why.
NOT_YET = {
    ("TURN", 250): "changing sides needs authentication",
}


def seed():
    lines = [l.split("\t") for l in SEED.read_text().splitlines() if not l.startswith("#")]
    return [(command, int(code)) for command, code, _ in lines]


def test_name(command, code):
    return f"test_{command.replace(' ', '_')}_{code}"


def document():
    """REPLIES, from ROWS in the order of the seed."""
    rows = {(r[0], r[1]): r for r in ROWS}
    pairs = seed()
    out = [f"{len(rows)} of the {len(pairs)} pairs of command and code, each with the condition",
           "under which Sallyport gives it, its enhanced code, and the test that has it",
           "(tests/e2e/test_table.py, which also writes this file).", "",
           f"{'command':14}{'code':6}{'enhanced':10}{'test':26}condition"]
    for pair in pairs:
        command, code = pair
        if pair in rows:
            _, _, esc, condition, _, _ = rows[pair]
            out.append(f"{command:14}{code:<6}{esc or '-':10}{test_name(*pair):26}{condition}")
        else:
            out.append(f"{command:14}{code:<6}{'-':10}{'-':26}not met: {NOT_YET[pair]}")
    return "\n".join(out) + "\n"


def last(t, steps, command=None):
    """Say the steps; the code and text of the last one's reply."""
    *before, final = steps.split("|")
    for step in before:
        code = t(step.lstrip("~"))
        assert step[0] == "~" or code < 400, (step, t.lines)
    return t(final, command), t.lines


class Table(unittest.TestCase):
    met = set()

    @classmethod
    def setUpClass(cls):
        cls.box = box = directory("box", NOBODY)
        (box / "users").write_text("alice\nfull state=full\nbusy state=busy\n")
        (box / "moved").write_text("# old new\ngone  alice@new.example\n")
        ports = cls.ports = {HELLO: free_port(), CONNECT: free_port()}
        cls.conf = conf = f"""
relay_from = {{ "127.0.0.3/32" }}
max_recipients = 5
message_size = "1M"
domain "example.org" {{ users = "file:{box}/users" deliver = "maildir:{box}/%u"
                        moved = "file:{box}/moved" }}
domain "tell.example" {{ users = "file:{box}/users" deliver = "maildir:{box}/%u"
                         moved = "file:{box}/moved" moved_reply = "tell" }}
domain "any.example" {{ users = "any" deliver = "maildir:{box}/%u" }}
domain "refused.example" {{ users = "any" deliver = "maildir:{box}/%u" refuse = "yes" }}
domain "broken.example" {{ users = "file:{box}/missing" deliver = "maildir:{box}/%u" }}
"""
        cls.service = Service(conf + f"""
send = "mailbox"
listen "127.0.0.1:{ports[HELLO]}" {{ refuse = "hello" }}
listen "127.0.0.1:{ports[CONNECT]}" {{ refuse = "connect" }}
""")
        cls.off = Service(conf + 'commands_off = { "VRFY", "HELP" }\n'
                          'max_sessions_per_client = 2\n')
        cls.disclosed = Service(conf + 'disclose = "yes"\n')

    @classmethod
    def tearDownClass(cls):
        for service in (cls.service, cls.off, cls.disclosed):
            assert service.stop() == 0
        if hasattr(cls, "_full"):
            cls._full[1].close()
            cls._full[0].stop()
            cls._disk.close()
        print(f"reply table: {len(cls.met)} of {len(seed())} pairs met")

    def talk(self, who=ANY, **kw):
        service = {OFF: self.off, OPEN: self.disclosed}.get(who, self.service)
        port = self.ports.get(who, service.port)
        if who == TRUSTED:
            kw["source"] = ("127.0.0.3", 0)
        t = Talk(port, **kw)
        self.addCleanup(t.close)
        return t

    def row(self, command, code, esc, who, how):
        if how.startswith("met_"):
            got, lines = getattr(self, how)(command, code, who)
        else:
            got, lines = last(self.talk(who), how, command)
        self.assertEqual(got, code, lines)
        said = re.match(r"\d{3} ([245]\.\d+\.\d+)( |$)", lines[-1])
        if esc:
            self.assertEqual(said and said.group(1), esc, lines)
        name = HAS.get(test_name(command, code))
        if name is not None:
            self.assertIn(name, named(command, lines[0]))
        self.met.add((command, code))

    # --- what takes more than a dialogue ----------------------------------------------

    def met_greeting(self, command, code, who):
        t = self.talk(who)
        return t.banner, t.lines

    def met_crowd(self, command, code, who):
        for _ in range(2):
            self.assertEqual(self.talk(OFF).banner, 220)
        t = self.talk(OFF)
        return t.banner, t.lines

    def met_message(self, command, code, who):
        t = self.talk()
        t(HERE)
        code, line = t.message(b"Subject: x\r\n\r\nx\r\n.\r\n")
        return code, t.lines

    def met_large_message(self, command, code, who):
        t = self.talk()
        t(HERE)
        code, line = t.message((b"x" * 70 + b"\r\n") * 20000 + b".\r\n")
        return code, t.lines

    def met_loop(self, command, code, who):
        t = self.talk()
        t(HERE)
        code, line = t.message(b"Received: from x\r\n" * 101 + b"\r\nx\r\n.\r\n")
        return code, t.lines

    def queueless(self):
        """A service whose queue ends when that is asked for, and does not come back."""
        service = Service(self.conf + 'send = "mailbox"\nsmtpd_processes = 1\n')
        self.addCleanup(service.kill)

        def end():
            queue, = service.pids()["queue"]
            os.kill(service.master_pid(), signal.SIGSTOP)
            os.kill(queue, signal.SIGKILL)
        self.addCleanup(lambda: os.kill(service.master_pid(), signal.SIGCONT))
        return service, end

    def met_no_queue(self, command, code, who):
        service, end = self.queueless()
        t = service.talk()
        verb = "MAIL" if command == "DATA" else command
        other = service.talk()
        last(other, RCPT)
        last(t, HERE)
        end()

        def away():
            t("RSET")
            return t(f"{verb} FROM:<a@c.example>") == 451
        wait_for(away)
        if command != "DATA":
            return 451, t.lines
        return other("DATA"), other.lines

    def met_no_queue_at_end(self, command, code, who):
        service, end = self.queueless()
        t = service.talk()
        last(t, RCPT + "|DATA")
        end()
        t.raw(b"Subject: x\r\n\r\nx\r\n.\r\n")
        return t.reply(command), t.lines

    @staticmethod
    def full():
        """A service whose disk is short of space, and one transaction from before."""
        if not hasattr(Table, "_full"):
            from test_disk import Filesystem
            fs = Filesystem(64)
            Table._disk = fs
            service = Service(Table.conf + 'send = "mailbox"\nspool_reserve = "8M"\n'
                              'segment_size = "2M"\n', spool=fs.path / "spool")
            before = service.talk()
            last(before, RCPT + "|DATA")
            fs.fill(4 * 1024 * 1024)
            Table._full = service, before
        return Table._full

    def met_full_disk(self, command, code, who):
        if not IS_ROOT:
            self.skipTest("mounting needs root")
        service, before = self.full()

        def short():
            t = service.talk()
            self.addCleanup(t.close)
            got = last(t, HERE + f"|{command} FROM:<a@c.example>")
            return got if got[0] == 452 else None
        if command != "received data":
            return wait_for(short)
        command = "MAIL"
        wait_for(short)
        before.raw(b"Subject: x\r\n\r\nx\r\n.\r\n")
        return before.reply("received data"), before.lines

    ENDS = {"HELO": "", "EHLO": "", "MAIL": HERE, "SEND": HERE, "SOML": HERE, "SAML": HERE,
            "RCPT": MAIL, "DATA": RCPT}

    @staticmethod
    def ends():
        """{command: (421 at time-out, 421 at the stop)}, of half a command each."""
        if hasattr(Table, "_ends"):
            return Table._ends
        found = {}
        commands = ("HELO EHLO MAIL RCPT DATA RSET SEND SOML SAML VRFY EXPN HELP NOOP").split()
        for limit in ("1s", "5m"):
            service = Service(Table.conf + f'send = "mailbox"\ncommand_timeout = "{limit}"\n')
            talks = {}
            for command in commands:
                t = talks[command] = service.talk()
                if Table.ENDS.get(command):
                    last(t, Table.ENDS[command])
                t.raw(command[:3].encode())
            if limit != "1s":
                service.term()
            for command, t in talks.items():
                found.setdefault(command, []).append((t.reply(command), t.lines[-1]))
                assert t.closed()
                t.close()
            service.stop()
        Table._ends = found
        return found

    def met_end(self, command, code, who):
        (late, late_line), (stop, stop_line) = self.ends()[command]
        self.assertRegex(late_line, r"^421 4\.4\.2 ")
        self.assertRegex(stop_line, r"^421 4\.3\.2 ")
        return late, [late_line]

    def met_nonstandard(self, command, code, who):
        """A host that refuses the first message's recipient, and says 200 to RSET and NOOP."""
        server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(server.close)
        said, both, done = [], threading.Event(), threading.Event()

        def play():
            c, _ = server.accept()
            both.wait()
            f = c.makefile("rwb")
            answers = {"EHLO": "250 odd.example", "MAIL": "250 ok", "DATA": "354 go",
                       "RSET": "200 ok", "NOOP": "200 ok", "QUIT": "221 bye"}
            f.write(b"220 odd.example\r\n")
            f.flush()
            for line in f:
                line = line.decode().rstrip()
                said.append(line)
                verb = line.split(" ")[0].upper()
                answer = answers.get(verb, "250 ok")
                if "<refused@" in line:
                    answer = "550 5.1.1 no"
                f.write(answer.encode() + b"\r\n")
                f.flush()
                if verb == "DATA":
                    while f.readline() not in (b".\r\n", b""):
                        pass
                    f.write(b"250 taken\r\n")
                    f.flush()
                    done.set()
            c.close()
        threading.Thread(target=play, daemon=True).start()
        service = Service(f'route "*" {{ via = "smtp://127.0.0.1:{server.getsockname()[1]}" }}\n'
                          'host_concurrency = 1\n')
        self.addCleanup(service.kill)
        send(service.port, sender="", rcpts=["refused@odd.example"])
        send(service.port, sender="", rcpts=["taken@odd.example"])
        both.set()
        self.assertTrue(done.wait(20 * SLOW), said)
        service.wait_empty()
        if command == "NOOP":
            wait_for(lambda: "NOOP" in said, 20)
            send(service.port, sender="", rcpts=["kept@odd.example"])
            wait_for(lambda: "RCPT TO:<kept@odd.example>" in said)
        at = said.index(command)
        self.assertRegex(said[at + 1], "^MAIL")
        return 200, ["200 ok"]

    # --- beside the pairs -----------------------------------------------------------------

    def test_refusing_listeners_serve_those_who_may_relay(self):
        t = self.talk(CONNECT)
        self.assertEqual(t.banner, 521)
        self.assertRegex(t.lines[0], r"^521 5\.3\.2 mx\.example ")
        self.assertTrue(t.closed())
        t = self.talk(HELLO)
        self.assertEqual(t("EHLO c.example"), 550)
        self.assertEqual(t("MAIL FROM:<a@c.example>"), 503)
        for who in (HELLO, CONNECT):
            t = Talk(self.ports[who], source=("127.0.0.3", 0))
            self.addCleanup(t.close)
            self.assertEqual(t.banner, 220)
            self.assertEqual(t("EHLO mx.example"), 250)

    def test_helo_literals_that_are_no_matter(self):
        t = self.talk()
        for name in ("[192.0.2.1]", "[IPv6:2001:db8::1]", "[2001:db8::1]", "[::1]", "my_pc", "mx"):
            self.assertEqual(t("EHLO " + name), 250, name)

    def test_recipients_of_send_are_not_at_a_terminal(self):
        for verb, code in (("SEND", 450), ("SOML", 250), ("SAML", 250)):
            t = self.talk()
            last(t, HERE + f"|{verb} FROM:<a@c.example>")
            self.assertEqual(t("RCPT TO:<alice@example.org>"), code, verb)
            self.assertEqual(t(f"{verb} FROM:<a@c.example>"), 503)
            t("RSET")
            self.assertEqual(last(t, "MAIL FROM:<a@c.example>|RCPT TO:<alice@example.org>")[0], 250)

    def test_vrfy_tells_strangers_nothing(self):
        t = self.talk()
        for name in ("alice", "nobody", "<alice@example.org>", "gone", "a@elsewhere.example"):
            self.assertEqual(t("VRFY " + name), 252)
            self.assertEqual(t("EXPN " + name), 502)

    def test_vrfy_where_it_is_told(self):
        t = self.talk(OPEN)
        self.assertEqual(t("VRFY <alice@example.org>"), 250)
        self.assertEqual(t.lines, ["250 2.1.5 <alice@example.org>"])
        self.assertEqual(t("VRFY gone"), 251)
        self.assertIn("<alice@new.example>", t.lines[0])
        self.assertEqual(t("EXPN gone"), 250)
        self.assertEqual(t.lines, ["250 2.1.5 <alice@new.example>"])
        self.assertEqual(t("VRFY full"), 252)
        self.assertEqual(t("VRFY x@broken.example"), 252)
        self.assertEqual(t("VRFY x@elsewhere.example"), 550)
        self.assertEqual(t("VRFY postmaster"), 250)
        trusted = self.talk(TRUSTED)
        self.assertEqual(trusted("VRFY x@elsewhere.example"), 252)
        # no transaction is touched by it
        last(t, RCPT)
        self.assertEqual(t("VRFY nobody"), 550)
        self.assertEqual(t("DATA"), 354)
        t.raw(b"Subject: x\r\n\r\nx\r\n.\r\n")
        self.assertEqual(t.reply("received data"), 250)

    def test_mail_for_who_moved_goes_to_the_new_address(self):
        box = directory("box", NOBODY)
        there = Service(f'domain "new.example" {{ users = "any" deliver = "maildir:{box}/%u" }}\n')
        self.addCleanup(there.kill)
        (box / "users").write_text("alice\n")
        (box / "moved").write_text("gone alice@new.example\nben alice\nnear ann@example.org\n"
                                   "ann alice@example.org\nround about@example.org\n"
                                   "about round@example.org\n")
        service = Service(f"""
relay_from = {{ "127.0.0.3/32" }}
domain "example.org" {{ users = "file:{box}/users" deliver = "maildir:{box}/%u"
                        moved = "file:{box}/moved" }}
route "*" {{ via = "smtp://127.0.0.1:{there.port}" }}
""")
        self.addCleanup(service.kill)
        t = service.talk()
        last(t, MAIL)
        self.assertEqual(t("RCPT TO:<gone@example.org>"), 251)
        self.assertEqual(t("RCPT TO:<near@example.org>"), 251)
        self.assertIn("<alice@example.org>", t.lines[0])
        self.assertEqual(t("RCPT TO:<round@example.org>"), 451)
        self.assertEqual(t("RCPT TO:<ben@example.org>"), 451)     # its line is wrong
        self.assertEqual(t("RCPT TO:<alice@new.example>"), 550)   # no relaying by this door
        self.assertEqual(t("DATA"), 354)
        t.raw(b"Subject: moved\r\n\r\nx\r\n.\r\n")
        self.assertEqual(t.reply("received data"), 250)
        wait_for(lambda: sum(b"Subject: moved" in m for m in maildir(box / "alice")) == 2)
        service.wait_empty()
        # the file is read again by itself
        (box / "moved").write_text("gone alice@example.org\n")
        def told():
            t("RSET")
            t("MAIL FROM:<a@c.example>")
            t("RCPT TO:<gone@example.org>")
            return "alice@example.org" in t.lines[0]
        wait_for(told)

    def test_what_was_accepted_waits_for_a_full_mailbox(self):
        box = directory("box", NOBODY)
        (box / "users").write_text("alice\n")
        service = Service(f'domain "example.org" {{ users = "file:{box}/users" '
                          f'deliver = "maildir:{box}/%u" }}\nretry_first = "1s"\nretry_max = "1s"\n')
        self.addCleanup(service.kill)
        t = service.talk()
        last(t, RCPT + "|DATA")
        (box / "users").write_text("alice state=full\n")
        probe = service.talk()
        def full():
            probe("RSET")
            return last(probe, RCPT)[0] == 552
        wait_for(full)
        t.raw(b"Subject: x\r\n\r\nx\r\n.\r\n")
        self.assertEqual(t.reply("received data"), 250)
        wait_for(lambda: [r for r in service.rows() if r["code"] == 452])
        (box / "users").write_text("alice\n")
        wait_for(lambda: maildir(box / "alice"))
        service.wait_empty()

    def test_every_pair_of_the_seed_has_its_row(self):
        rows = [(r[0], r[1]) for r in ROWS]
        self.assertEqual(len(rows), len(set(rows)))
        self.assertEqual(set(rows) | set(NOT_YET), set(seed()))
        self.assertEqual(set(rows) & set(NOT_YET), set())

    def test_the_document_is_not_stale(self):
        self.assertEqual((ROOT / "REPLIES").read_text(), document(),
                         "tests/e2e/test_table.py --write would make it anew")


def _add_tests():
    for command, code, esc, condition, who, how in ROWS:
        def test(self, row=(command, code, esc, who, how)):
            self.row(*row)
        setattr(Table, test_name(command, code), test)


_add_tests()

if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        (ROOT / "REPLIES").write_text(document())
    else:
        unittest.main()
