#!/usr/bin/env python3
"""What tests/e2e/test_systemd.py runs within the booted system, as its root.

Writes {test: "ok" or why not} to /result.json and the journal to /journal.txt.
The tests are about one machine, in the order of their names.
"""
import json
import os
import pathlib
import pwd
import re
import signal
import smtplib
import socket
import stat
import subprocess
import threading
import time
import traceback
import unittest

SUBMIT = "/run/sallyport/submit.sock"
ADDRESSES = ("127.0.0.1", "::1", SUBMIT)
UNIT = "sallyport.service"
LIMIT = 130     # seconds; nothing more is begun


def run(*argv, check=True, timeout=60):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout)
    if check and done.returncode != 0:
        raise AssertionError(f"{argv}: exit {done.returncode}: {done.stdout}{done.stderr}")
    return done


def show(what, unit=UNIT):
    return run("systemctl", "show", "-P", what, unit).stdout.strip()


def wait_for(what, seconds=20):
    end = time.monotonic() + seconds
    while not (value := what()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}; {show('StatusText')}")
        time.sleep(0.05)
    return value


class SMTP(smtplib.SMTP):
    """Also on a socket of this host."""
    def _get_socket(self, host, port, timeout):
        if not host.startswith("/"):
            return super()._get_socket(host, port, timeout)
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(timeout)
        s.connect(host)
        return s


def send(subject, host="127.0.0.1", rcpt="ann@mail.example.org", port=25):
    with SMTP(host, port, "client.example", timeout=30) as s:
        s.sendmail("x@client.example", [rcpt], f"Subject: {subject}\r\n\r\nx\r\n".encode())


def mailbox():
    """{subject: how often} of what is in ann's mailbox."""
    out = {}
    new = pathlib.Path("/home/ann/Maildir/new")
    for path in new.iterdir() if new.exists() else ():
        subject = re.search(r"(?m)^Subject: (.*)$", path.read_text()).group(1)
        out[subject] = out.get(subject, 0) + 1
    return out


def processes():
    """{name: [pid, …]} of the unit."""
    out = {}
    group = show("ControlGroup")
    for where in ("/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup"):
        file = pathlib.Path(where + group) / "cgroup.procs"
        if group and file.exists():
            for pid in file.read_text().split():
                try:
                    name = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
                except FileNotFoundError:
                    continue
                out.setdefault(name, []).append(int(pid))
            return out
    return out


class Sender(threading.Thread):
    """A client that never rests: each message is sent until it was taken."""

    def __init__(self, name):
        super().__init__(daemon=True)
        self.name, self.end = name, False
        self.taken, self.refused, self.cut = [], [], 0

    def run(self):
        number = 0
        while not self.end:
            number += 1
            subject = f"{self.name} {number}"
            while subject not in self.taken[-1:] and not self.end:
                try:
                    send(subject, ADDRESSES[number % len(ADDRESSES)])
                    self.taken.append(subject)
                except (ConnectionRefusedError, FileNotFoundError) as e:
                    self.refused.append(str(e))
                    return
                except (smtplib.SMTPException, OSError):
                    self.cut += 1       # 421, or the end of a session under way


class Senders:
    """Four of them at work; afterwards nothing was refused and nothing is lost."""

    def __init__(self, test):
        self.test = test
        self.all = [Sender(f"{test.id().split('.')[-1]} {n}") for n in range(4)]

    def taken(self):
        return sum(len(s.taken) for s in self.all)

    def more(self):
        before = self.taken()
        wait_for(lambda: self.taken() >= before + 20, 40)

    def __enter__(self):
        for s in self.all:
            s.start()
        return self

    def __exit__(self, kind, *_):
        for s in self.all:
            s.end = True
        for s in self.all:
            s.join(70)
        if kind is not None:
            return
        self.test.assertEqual([r for s in self.all for r in s.refused], [])
        self.test.assertGreater(self.taken(), 20)
        missing = {m for s in self.all for m in s.taken}
        wait_for(lambda: not missing - set(mailbox()))


class Systemd(unittest.TestCase):
    def test_01_users_and_directories(self):
        run("systemd-sysusers")
        run("systemd-tmpfiles", "--create")
        for name in ("smtpd", "lookup", "resolver", "queue", "local", "remote", "control",
                     "logger", "mail"):
            pwd.getpwnam(f"sallyport-{name}")
        spool = os.stat("/var/spool/sallyport")
        self.assertEqual(stat.S_IMODE(spool.st_mode), 0o711)
        self.assertEqual(spool.st_uid, pwd.getpwnam("sallyport-queue").pw_uid)
        runtime = os.stat("/run/sallyport")
        self.assertEqual((stat.S_IMODE(runtime.st_mode), runtime.st_uid), (0o755, 0))

    def test_02_the_first_connection_starts_it(self):
        run("useradd", "-m", "ann")
        run("systemctl", "enable", "--now", "sallyport.socket")
        self.assertEqual(show("ActiveState"), "inactive")
        self.assertEqual(show("ActiveState", "sallyport.socket"), "active")
        send("first")
        self.assertEqual(show("ActiveState"), "active")
        wait_for(lambda: "first" in mailbox())
        self.assertEqual(os.stat("/home/ann/Maildir").st_uid, pwd.getpwnam("ann").pw_uid)
        self.assertEqual(show("SubState"), "running")

    def test_03_the_status_says_what_it_does(self):
        wait_for(lambda: show("StatusText") ==
                 "Accepting mail on 0.0.0.0:25,[::]:25")
        self.assertEqual(show("NotifyAccess"), "main")

    def test_03_sendmail_of_any_user(self):
        run("useradd", "-m", "bob")
        subprocess.run(["runuser", "-u", "bob", "--", "/usr/sbin/sendmail", "ann"], check=True,
                       input=b"Subject: of bob\n\nx\n", timeout=30)
        wait_for(lambda: "of bob" in mailbox())
        self.assertEqual(stat.S_IMODE(os.stat(SUBMIT).st_mode), 0o666)

    def test_04_confined(self):
        """What the unit forbids is forbidden, and nothing that it needs."""
        main = int(show("MainPID"))
        status = pathlib.Path(f"/proc/{main}/status").read_text()
        self.assertRegex(status, r"NoNewPrivs:\s1")
        self.assertRegex(status, r"Seccomp:\s2")
        caps = int(re.search(r"CapBnd:\s(\w+)", status).group(1), 16)
        # KILL, SETGID, SETUID, SETPCAP, NET_BIND_SERVICE, SYS_CHROOT
        own = sum(1 << c for c in (5, 6, 7, 8, 10, 18))
        self.assertEqual(caps & ~own, 0, hex(caps))
        root = f"/proc/{main}/root"
        for place, writable in (("/usr", False), ("/etc", False), ("/var/lib", False),
                                ("/var/spool/sallyport", True), ("/run/sallyport", True),
                                ("/home", True)):
            flags = os.statvfs(root + place).f_flag
            self.assertEqual(bool(flags & os.ST_RDONLY), not writable, place)
        log = run("journalctl", "-u", UNIT, "-o", "cat").stdout
        self.assertIn("event=ready", log)
        self.assertNotIn("SIGSYS", log)
        self.assertNotIn("level=error", log)

    def test_05_restarts_while_a_client_sends(self):
        with Senders(self) as senders:
            for _ in range(5):
                senders.more()
                run("systemctl", "restart", UNIT)
            senders.more()

    def test_06_stopped_and_started_by_a_connection_while_a_client_sends(self):
        with Senders(self) as senders:
            for _ in range(2):
                senders.more()
                run("systemctl", "stop", UNIT)
            senders.more()

    def test_06_reloads_while_a_client_sends(self):
        file = pathlib.Path("/etc/sallyport/sallyport.conf")
        before, main = file.read_text(), show("MainPID")
        with Senders(self) as senders:
            for n in range(3):
                senders.more()
                file.write_text(before + f"message_size = {n + 1}000000\n")
                run("systemctl", "reload", UNIT)
                self.assertEqual(show("SubState"), "running")
                with SMTP("127.0.0.1", 25, "client.example", timeout=30) as s:
                    s.ehlo()
                    self.assertEqual(s.esmtp_features["size"], f"{n + 1}000000")
        file.write_text(before + "nonsense = 1\n")
        self.assertNotEqual(run("systemctl", "reload", UNIT, check=False).returncode, 0)
        self.assertRegex(run("journalctl", "-u", UNIT, "-o", "cat", "-n", "30").stdout,
                         r"sallyport\.conf:\d+: .*nonsense")
        file.write_text(before)
        self.assertEqual((show("SubState"), show("MainPID")), ("running", main))
        self.assertEqual(show("StatusText"), "Accepting mail on 0.0.0.0:25,[::]:25")
        send("after the refused reload")
        wait_for(lambda: "after the refused reload" in mailbox())

    def test_07_a_process_that_hangs_is_replaced(self):
        """The feeding of the watchdog rests until then, and systemd need not come in."""
        pathlib.Path(f"/run/systemd/system/{UNIT}.d").mkdir(parents=True)
        pathlib.Path(f"/run/systemd/system/{UNIT}.d/watchdog.conf").write_text(
            "[Service]\nWatchdogSec=8\n")
        run("systemctl", "daemon-reload")
        run("systemctl", "restart", UNIT)
        main = show("MainPID")
        fed = show("WatchdogTimestampMonotonic")
        wait_for(lambda: show("WatchdogTimestampMonotonic") != fed)
        pid = processes()["queue"][0]
        os.kill(pid, signal.SIGSTOP)
        wait_for(lambda: "waiting for queue (does not answer)" in show("StatusText"))
        fed = show("WatchdogTimestampMonotonic")
        time.sleep(1)
        self.assertEqual(show("WatchdogTimestampMonotonic"), fed)
        wait_for(lambda: processes().get("queue", [pid]) != [pid])
        wait_for(lambda: show("WatchdogTimestampMonotonic") != fed)
        self.assertEqual(show("StatusText"), "Accepting mail on 0.0.0.0:25,[::]:25")
        self.assertEqual((show("MainPID"), show("NRestarts")), (main, "0"))
        send("after the hanging")
        wait_for(lambda: "after the hanging" in mailbox())

    def test_08_when_master_hangs_systemd_starts_it_again(self):
        main = int(show("MainPID"))
        with Senders(self) as senders:
            senders.more()
            os.kill(main, signal.SIGSTOP)
            wait_for(lambda: show("NRestarts") == "1", 40)
            senders.more()
        self.assertNotEqual(int(show("MainPID")), main)

    def test_09_when_master_is_killed_systemd_starts_it_again(self):
        with Senders(self) as senders:
            senders.more()
            os.kill(int(show("MainPID")), signal.SIGKILL)
            wait_for(lambda: show("NRestarts") == "2", 40)
            senders.more()

    def test_10_a_wrong_configuration_is_told_and_mended(self):
        file = pathlib.Path("/etc/sallyport/sallyport.conf")
        good = file.read_text()
        file.write_text(good + "nonsense = 1\n")
        try:
            self.assertNotEqual(run("systemctl", "restart", UNIT, check=False).returncode, 0)
            log = run("journalctl", "-u", UNIT, "-o", "cat", "-n", "30").stdout
            self.assertRegex(log, r"sallyport\.conf:\d+: .*nonsense")
        finally:
            file.write_text(good)
        send("after the mending")       # waits for the next start

    def test_11_an_address_that_no_listen_names_is_an_error(self):
        drop = pathlib.Path("/run/systemd/system/sallyport.socket.d")
        drop.mkdir(parents=True)
        (drop / "more.conf").write_text("[Socket]\nListenStream=127.0.0.1:2526\n")
        run("systemctl", "daemon-reload")
        run("systemctl", "stop", UNIT, "sallyport.socket")
        run("systemctl", "start", "sallyport.socket")
        try:
            self.assertNotEqual(run("systemctl", "start", UNIT, check=False).returncode, 0)
            log = run("journalctl", "-u", UNIT, "-o", "cat", "-n", "30").stdout
            self.assertIn("address 127.0.0.1, port 2526; a listen statement with the same", log)
        finally:
            (drop / "more.conf").unlink()
            run("systemctl", "daemon-reload")
            run("systemctl", "stop", UNIT, "sallyport.socket")
            run("systemctl", "start", "sallyport.socket")
        send("after the address")
        wait_for(lambda: "after the address" in mailbox())

    def test_12_a_process_for_each_connection(self):
        run("systemctl", "enable", "--now", "sallyport-inetd.socket")
        with SMTP("::1", 2525, "client.example", timeout=30) as s:
            s.ehlo()
            units = run("systemctl", "list-units", "--plain", "--no-legend",
                        "sallyport-inetd@*").stdout.split("\n")[0].split()
            pid = int(show("MainPID", units[0]))
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            self.assertRegex(status, r"Name:\s+smtpd")
            self.assertRegex(status, r"CapEff:\s+0+\n")
            uid = int(re.search(r"Uid:\s+(\d+)", status).group(1))
            self.assertEqual(uid, pwd.getpwnam("sallyport-smtpd").pw_uid)
            s.sendmail("x@client.example", ["ann@localhost"], b"Subject: of its own\r\n\r\nx\r\n")
        wait_for(lambda: "of its own" in mailbox())
        # The service is down: it is started; it cannot be: the client hears it.
        run("systemctl", "stop", "sallyport.socket", UNIT)
        send("starts it", "127.0.0.1", port=2525)
        self.assertEqual(show("ActiveState"), "active")
        file = pathlib.Path("/etc/sallyport/sallyport.conf")
        good = file.read_text()
        file.write_text(good + "nonsense = 1\n")
        run("systemctl", "stop", "sallyport.socket", UNIT)
        try:
            with self.assertRaises(smtplib.SMTPConnectError) as refused:
                send("never", port=2525)
            self.assertEqual(refused.exception.smtp_code, 421)
            self.assertIn(b"4.3.2", refused.exception.smtp_error)
        finally:
            file.write_text(good)
            run("systemctl", "reset-failed", check=False)
            run("systemctl", "restart", UNIT)
        run("systemctl", "disable", "--now", "sallyport-inetd.socket")

    def test_13_inetd(self):
        file = pathlib.Path("/tmp/inetd.conf")
        file.write_text("2526 stream tcp nowait sallyport-smtpd "
                        "/usr/libexec/sallyport/smtpd smtpd\n")
        inetd = subprocess.Popen(["inetd", "-i", file])
        try:
            wait_for(lambda: socket.socket().connect_ex(("127.0.0.1", 2526)) == 0)
            send("by inetd", port=2526)
            wait_for(lambda: "by inetd" in mailbox())
        finally:
            inetd.terminate()
            inetd.wait(10)

    def test_14_stop(self):
        run("systemctl", "stop", "sallyport.socket", UNIT)
        self.assertEqual(show("ActiveState"), "inactive")
        self.assertEqual(show("Result"), "success")
        self.assertEqual(processes(), {})
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", 25))
        # Nobody got anything twice but what was cut off and sent again.
        once = [s for s, n in mailbox().items() if s.startswith("after") and n != 1]
        self.assertEqual(once, [])
        self.assertTrue(os.path.isdir("/run/sallyport"))
        self.assertEqual(subprocess.run(["/usr/sbin/sendmail", "ann"], input=b"x\n",
                                        capture_output=True, timeout=30).returncode, 75)


def main():
    results = {}
    start = time.monotonic()
    run("systemctl", "is-system-running", "--wait", check=False)
    for name in sorted(n for n in dir(Systemd) if n.startswith("test_")):
        began = time.monotonic()
        if began - start > LIMIT:
            results[name] = f"not run: {LIMIT} s are over"
            continue
        result = unittest.TestResult()
        try:
            Systemd(name).run(result)
            wrong = [text for _, text in result.failures + result.errors]
        except Exception:
            wrong = [traceback.format_exc()]
        results[name] = wrong[0] if wrong else "ok"
        print(name, results[name], f"{time.monotonic() - began:.1f} s", flush=True)
        pathlib.Path("/result.json").write_text(json.dumps(results))
    journal = run("journalctl", "-o", "short-monotonic", "--no-pager", check=False).stdout
    pathlib.Path("/journal.txt").write_text(journal)


if __name__ == "__main__":
    main()
