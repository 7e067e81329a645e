"""Each reply of the catalogue is reachable: for each name the test that has it.

What a client of a listener hears is had by a row of test_table; the rest is below, or
in a test of another file, which then names the reply.
"""
import inspect
import os
import re
import signal
import socket
import subprocess
import threading
import time
import unittest

import test_table
from harness import (NOBODY, ROOT, Dns, Service, Talk, catalogue, directory, free_port, named,
                     said, send, stage, wait_for)

# name: a test of test_table, one below, or FILE:TEST of the unit tests.
REACHED = {
    **{name: test.removeprefix("test_") for test, name in test_table.HAS.items()},
    "help": "test_a_client_hears", "unknown-command": "test_a_client_hears",
    "bad-line": "test_a_client_hears", "unknown-parameter": "test_a_client_hears",
    "relay-denied": "test_a_client_hears", "bare-newline": "test_a_client_hears",
    "needs-smtputf8": "test_a_client_hears", "no-smtputf8": "test_attempts",
    "early-talker": "test_before_the_greeting",
    "not-active": "test_a_client_hears", "chunk": "test_a_client_hears",
    "too-many-useless": "test_limits", "too-many-sessions": "test_limits",
    "shutdown": "test_limits",
    "no-service": "test_without_a_service", "unavailable": "test_without_lookup",
    "delivered": "test_attempts", "mailbox-unsafe": "test_attempts",
    "no-host": "test_attempts", "host-closed": "test_attempts",
    "host-garbage": "test_attempts", "no-8bitmime": "test_attempts",
    "no-binarymime": "test_attempts", "expired": "test_expired", "mailbox-full": "test_full",
    "dns-temporary": "test_without_dns",
    "no-such-domain": "test_dns", "null-mx": "test_dns", "mail-loops-back": "test_dns",
    "expanded": "test_aliases", "alias-loop": "test_aliases",
    "alias-too-large": "test_aliases",
    "agent-died": "test_interrupted", "stopping": "test_interrupted",
    "damaged": "test_damaged", "not-reloaded": "test_not_reloaded",
    "expanded": "test_aliases", "alias-loop": "test_aliases", "alias-too-large": "test_aliases",
    "no-home": "local/test_maildir.c:a_home_is_not_made_but_a_root_is",
}
# Not within the time that a test may take.
NOT_REACHED = {"host-timeout": "the shortest of RFC 5321's times is minutes"}


class Host(threading.Thread):
    """Another mail server, which answers by a table of verbs; None hangs up."""

    def __init__(self, **answers):
        super().__init__(daemon=True)
        self.answers = {"banner": "220 h.example", "EHLO": "250 h.example", "QUIT": "221 bye",
                        "DATA": "354 go", "content": "250 taken", **answers}
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.said = []
        self.start()

    def run(self):
        while True:
            try:
                c, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(c,), daemon=True).start()

    def serve(self, c):
        f = c.makefile("rwb")

        def answer(what):
            text = self.answers.get(what, "250 ok")
            if callable(text):
                text = text()
            if text is not None:
                f.write(text.encode() + b"\r\n")
                f.flush()
            return text is not None
        try:
            if not answer("banner"):
                return
            for line in f:
                verb = line.split(b" ")[0].strip().decode().upper()
                self.said.append(verb)
                if not answer(verb):
                    return
                if verb == "DATA":
                    while f.readline() not in (b".\r\n", b""):
                        pass
                    if not answer("content"):
                        return
        except OSError:
            pass
        finally:
            f.close()
            c.close()


RETRY = 'retry_first = "1s"\nretry_max = "1s"\n'


class Replies(unittest.TestCase):
    def house(self, conf="", **kw):
        service = Service(conf, **kw)
        self.addCleanup(service.kill)
        return service

    def talk(self, port, **kw):
        t = Talk(port, **kw)
        self.addCleanup(t.close)
        return t

    def heard(self, t, name):
        self.assertIn(name, t.names, t.lines)

    def told(self, service, id, name):
        """That reply stands in the story of the message."""
        row = next(r for r in catalogue() if r["name"] == name)
        want = re.compile(f"{row['code']} {re.escape(row['enhanced'])} (?:{row['said'].pattern})")
        wait_for(lambda: want.search(service.command("trace", id).stdout), 20)

    # --- the list ------------------------------------------------------------------------

    def test_every_name_has_its_test(self):
        names = {row["name"] for row in catalogue()}
        self.assertEqual(set(REACHED) | set(NOT_REACHED), names)
        self.assertEqual(set(REACHED) & set(NOT_REACHED), set())
        for name, where in REACHED.items():
            if ":" in where:
                file, test = where.split(":")
                self.assertIn(f"START_TEST({test})", (ROOT / "tests/unit" / file).read_text())
            elif where.startswith("test_"):
                self.assertIn(f'"{name}"' if where != "test_not_reloaded" else "not-reloaded",
                              inspect.getsource(getattr(self, where)))
            else:
                self.assertEqual(test_table.HAS["test_" + where], name)

    def test_no_text_is_that_of_another(self):
        """Two names with one code, enhanced code and text would be one."""
        keys = [(r["code"], r["enhanced"], r["text"]) for r in catalogue()]
        self.assertEqual(len(keys), len(set(keys)))

    def test_the_command(self):
        service = self.house()
        def names(*words, status=0):
            out = service.command("reply", *words, check=status).stdout
            return re.findall(r"(?m)^([a-z0-9-]+): ", out)
        self.assertEqual(names("relay-denied"), ["relay-denied"])
        self.assertEqual(set(names("5.7.1")), {"relay-denied", "our-name"})
        self.assertEqual(set(names("550 5.7.1")), {"relay-denied", "our-name"})
        self.assertTrue({"relay-denied", "no-such-user"} <= set(names("550")))
        self.assertEqual(names("xyzzy", status=1), [])
        self.assertEqual(names("299", status=1), [])
        service.command("reply", "a", "b", check=2)
        self.assertEqual(len(service.command("reply").stdout.split("\n    cause: ")) - 1,
                         len(catalogue()))
        self.assertEqual(service.stop(), 0)

    # --- texts of one's own --------------------------------------------------------------

    def test_texts_of_ones_own_in_every_process(self):
        box = directory("box", NOBODY)
        host = Host(banner="hello")
        own = {"greeting": "% ready, ESMTP", "relay-denied": "Ask us: %", "queued": "% is ours",
               "no-such-user": "Nobody", "host-garbage": "Odd host"}
        conf = "".join(f'reply "{n}" {{ text = "{t}" }}\n' for n, t in own.items())
        (box / "users").write_text("ann\n")
        base = (f'domain "example.org" {{ users = "file:{box}/users" deliver = "maildir:{box}/%u" }}\n'
                f'relay_from = {{ "127.0.0.1/32" }}\n'
                f'route "*" {{ via = "smtp://127.0.0.1:{host.port}" }}\n')
        service = self.house(base + conf + 'expect "rcpt b@example.org" { reply = "no-such-user" }\n')
        service.command("check", check=0)
        t = self.talk(service.port, own=own.values(), source=("127.0.0.2", 0))
        self.assertEqual(t.lines, ["220 mx.example ready, ESMTP"])
        t("EHLO c.example")
        t("MAIL FROM:<>")
        self.assertEqual(t("RCPT TO:<x@far.example>"), 550)
        self.assertRegex(t.lines[0], r"^550 5\.7\.1 Ask us")
        self.assertEqual(t("RCPT TO:<b@example.org>"), 550)
        self.assertEqual(t.lines, ["550 5.1.1 Nobody"])
        t = self.talk(service.port, own=own.values())
        t("EHLO c.example")
        code, line = t.message(b"Subject: x\r\n\r\nx\r\n.\r\n", "", ["x@far.example"])
        self.assertEqual(code, 250)
        id = re.fullmatch(r"250 2\.0\.0 ([0-9a-z]{16}) is ours", line).group(1)
        wait_for(lambda: "451 4.5.0 Odd host" in service.command("trace", id).stdout)
        self.assertIn("Ask us: %", service.command("reply", "relay-denied").stdout)
        # and anew by a reload, also in queue, which stays
        text = service.conf_file.read_text()
        service.conf_file.write_text(text.replace("% is ours", "% came in"))
        service.command("reload", check=0)
        def anew():
            t = self.talk(service.port, own=[*own.values(), "% came in"])
            t("EHLO c.example")
            return t.message(b"\r\nx\r\n.\r\n", "", ["ann@example.org"])[1].endswith(" came in")
        wait_for(anew)
        for wrong in ('reply "xyzzy" { text = "x" }', 'reply "ok" { text = "x" } reply "ok" { text = "y" }',
                      'reply "ok" { text = "caf\u00e9" }', 'reply "ok" { text = "550 no" }',
                      'reply "ok" { code = "250" }', 'reply "ok" { text = "%s" }' % ("x" * 201)):
            service.conf_file.write_text(text + wrong + "\n")
            self.assertIn("would be right", service.command("check", check=1).stderr, wrong)

    # --- had over a socket ---------------------------------------------------------------

    def test_a_client_hears(self):
        box = directory("box", NOBODY)
        service = self.house(f'domain "example.org" {{ users = "any" deliver = "maildir:{box}/%u" }}\n'
                             'relay_from = { }\nsend = "mailbox"\n')
        t = self.talk(service.port)
        for line, name in (("HELP", "help"), ("XYZZY", "unknown-command"), ("A\rB", "bad-line"),
                           ("EHLO c.example", "helo"),
                           ("MAIL FROM:<caf\u00e9@c.example>", "needs-smtputf8"),
                           ("MAIL FROM:<> X=y", "unknown-parameter"),
                           ("SEND FROM:<>", "sender-ok"), ("RCPT TO:<a@example.org>", "not-active"),
                           ("RSET", "ok"), ("MAIL FROM:<>", "sender-ok"),
                           ("RCPT TO:<a@far.example>", "relay-denied"),
                           ("RCPT TO:<a@example.org>", "rcpt-ok"), ("DATA", "data")):
            t(line)
            self.heard(t, name)
        t.raw(b"a\nb\r\n.\r\n")
        t.reply("received data")
        self.heard(t, "bare-newline")
        t("MAIL FROM:<>")
        t("RCPT TO:<a@example.org>")
        t.raw(b"BDAT 3\r\na\r\n")
        t.reply("BDAT")
        self.heard(t, "chunk")

    def test_before_the_greeting(self):
        service = self.house("relay_from = { }\n")
        smtpds = service.pids()["smtpd"]
        for pid in smtpds:
            os.kill(pid, signal.SIGSTOP)
        t = Talk(service.port, greet=False)
        t.raw(b"EHLO c.example\r\n")
        for pid in smtpds:
            os.kill(pid, signal.SIGCONT)
        t.reply("connect")
        self.heard(t, "early-talker")

    def test_limits(self):
        service = self.house("max_sessions = 1\nmax_useless_commands = 1\n")
        t = self.talk(service.port)
        self.heard(self.talk(service.port), "too-many-sessions")
        t("NOOP")
        t("NOOP")
        self.heard(t, "too-many-useless")
        t.close()
        def again():
            t = self.talk(service.port)
            return t if t.banner == 220 else None
        t = wait_for(again)
        service.term()
        t.reply("connect")
        self.heard(t, "shutdown")

    def test_without_a_service(self):
        done = subprocess.run([str(stage() / "libexec/smtpd"), "-r", "/nonexistent"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        self.assertIn("no-service", named("connect", done.stdout.rstrip("\r\n")))

    def test_without_lookup(self):
        service = self.house()
        lookup, = service.pids()["lookup"]
        os.kill(service.master_pid(), signal.SIGSTOP)
        self.addCleanup(lambda: os.kill(service.master_pid(), signal.SIGCONT))
        os.kill(lookup, signal.SIGKILL)
        def away():
            t = self.talk(service.port)
            return t if t.banner == 421 else None
        self.heard(wait_for(away), "unavailable")

    # --- had by an attempt ---------------------------------------------------------------

    def sent(self, service, rcpt, **kw):
        return send(service.port, sender="", rcpts=[rcpt], **kw)

    def test_attempts(self):
        box = directory("box", NOBODY)
        hosts = {"garbage": Host(banner="hello"), "closed": Host(banner=None), "seven": Host(),
                 "lines": Host(EHLO="250-h.example\r\n250 8BITMIME")}
        routes = "".join(f'route "{n}.example" {{ via = "smtp://127.0.0.1:{h.port}" }}\n'
                         for n, h in hosts.items())
        (box / "unsafe").mkdir()
        (box / "unsafe").chmod(0o777)
        service = self.house(RETRY + routes +
                             f'route "dead.example" {{ via = "smtp://127.0.0.1:{free_port()}" }}\n'
                             f'domain "example.org" {{ users = "any" deliver = "maildir:{box}/%u" }}\n')
        for rcpt, name in (("a@example.org", "delivered"), ("unsafe@example.org", "mailbox-unsafe"),
                           ("a@garbage.example", "host-garbage"), ("a@closed.example", "host-closed"),
                           ("a@dead.example", "no-host")):
            self.told(service, self.sent(service, rcpt), name)
        t = self.talk(service.port)
        t("EHLO c.example")
        for rcpt, more, name in (("a@seven.example", "BODY=8BITMIME", "no-8bitmime"),
                                 ("a@lines.example", "BODY=BINARYMIME", "no-binarymime"),
                                 ("caf\u00e9@lines.example", "BODY=8BITMIME SMTPUTF8",
                                  "no-smtputf8")):
            t(f"MAIL FROM:<> {more}")
            t(f"RCPT TO:<{rcpt}>")
            t.raw(b"BDAT 11 LAST\r\n\r\ncaf\xc3\xa9 \xff\r\n")
            self.assertEqual(t.reply("BDAT"), 250, t.lines)
            self.told(service, t.lines[0].split()[2], name)

    def test_aliases(self):
        box = directory("box", NOBODY)
        (box / "users").write_text("ann\n")
        (box / "aliases").write_text("one: two\ntwo: one\nnone: /dev/null\n" +
                                     "".join(f"a{i}: a{i + 1}\n" for i in range(25)))
        service = self.house(f'domain "example.org" {{ users = "file:{box}/users" '
                             f'aliases = "{box}/aliases" deliver = "maildir:{box}/%u" }}\n')
        for rcpt, name in (("none@example.org", "expanded"), ("one@example.org", "expanded"),
                           ("a0@example.org", "alias-too-large"),
                           ("two@example.org", "alias-loop")):
            self.told(service, self.sent(service, rcpt), name)

    def test_aliases(self):
        box = directory("box", NOBODY)
        deep = "".join(f"d{i}: d{i + 1}\n" for i in range(25))
        (box / "aliases").write_text("list: ann, ben\na: b\nb: a\n" + deep + "d25: ann\n")
        (box / "users").write_text("ann\nben\n")
        service = self.house(f'domain "example.org" {{ users = "file:{box}/users" '
                             f'deliver = "maildir:{box}/%u" aliases = "{box}/aliases" }}\n')
        for rcpt, name in (("list", "expanded"), ("a", "alias-loop"), ("d0", "alias-too-large")):
            self.told(service, self.sent(service, f"{rcpt}@example.org"), name)

    def test_expired(self):
        service = self.house(RETRY + 'expire = "2s"\n'
                             f'route "*" {{ via = "smtp://127.0.0.1:{free_port()}" }}\n')
        self.told(service, self.sent(service, "a@dead.example"), "expired")

    def test_full(self):
        box = directory("box", NOBODY)
        (box / "users").write_text("ann\n")
        service = self.house(RETRY + f'domain "example.org" {{ users = "file:{box}/users" '
                             f'deliver = "maildir:{box}/%u" }}\n')
        t = self.talk(service.port)
        test_table.last(t, "EHLO c.example|MAIL FROM:<>|RCPT TO:<ann@example.org>|DATA")
        (box / "users").write_text("ann state=full\n")
        probe = self.talk(service.port)
        def full():
            probe("RSET")
            got, _ = test_table.last(probe, "EHLO c.example|MAIL FROM:<>|RCPT TO:<ann@example.org>")
            return got == 552
        wait_for(full)
        t.raw(b"Subject: x\r\n\r\nx\r\n.\r\n")
        self.assertEqual(t.reply("received data"), 250)
        self.told(service, t.lines[0].split()[2], "mailbox-full")

    def test_without_dns(self):
        service = self.house(RETRY + f'resolver = "127.0.0.1:{free_port()}"\n')
        self.told(service, self.sent(service, "a@far.example"), "dns-temporary")

    def test_dns(self):
        dns = Dns({"null.example": "@ MX 0 .\n", "none.example": "h A 127.0.0.1\n",
                   "back.example": "@ MX 10 mx.back.example.\nmx A 127.0.0.1\n"})
        self.addCleanup(dns.stop)
        service = self.house(f'resolver = "127.0.0.1:{dns.port}"\n', hostname="mx.back.example")
        for domain, name in (("null", "null-mx"), ("gone.none", "no-such-domain"),
                             ("back", "mail-loops-back")):
            self.told(service, self.sent(service, f"a@{domain}.example"), name)

    def test_interrupted(self):
        host = Host(content=lambda: time.sleep(60))
        service = self.house(RETRY + f'route "*" {{ via = "smtp://127.0.0.1:{host.port}" }}\n')
        id = self.sent(service, "a@slow.example")
        wait_for(lambda: "DATA" in host.said)
        remote, = service.pids()["remote"]
        os.kill(remote, signal.SIGKILL)
        self.told(service, id, "agent-died")
        wait_for(lambda: host.said.count("DATA") > 1)
        waiting = Host(banner=lambda: time.sleep(60))
        text = service.conf_file.read_text()
        service.conf_file.write_text(text.replace(str(host.port), str(waiting.port)))
        service.command("reload", check=0)
        id = self.sent(service, "b@slow.example")
        time.sleep(0.5)
        service.stop(30)
        service.start()
        self.told(service, id, "stopping")

    def test_damaged(self):
        port = free_port()
        service = self.house(RETRY + f'route "*" {{ via = "smtp://127.0.0.1:{port}" }}\n')
        id = self.sent(service, "a@dead.example",
                       content=b"\r\n" + (b"x" * 70 + b"\r\n") * 30000 + b".\r\n")
        self.assertEqual(service.stop(), 0)
        file, = (service.spool / "content").iterdir()
        with open(file, "r+b") as f:
            f.seek(1000000)
            f.write(b"y")
        host = Host()
        service.conf_file.write_text(service.conf_file.read_text().replace(str(port), str(host.port)))
        service.start()
        self.told(service, id, "damaged")

    def test_not_reloaded(self):
        service = self.house()
        service.conf_file.write_text("nonsense = 1\n")
        done = service.command("reload", check=1)
        # what is wrong is said, and that "not-reloaded" is what came is its exit status
        self.assertIn("nonsense", done.stderr)


if __name__ == "__main__":
    unittest.main()
