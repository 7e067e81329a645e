"""What is measured, and with which tools.

The generator and the sink are Postfix's smtp-source and smtp-sink, for every server.
"""
import os
import pathlib
import re
import resource
import socket
import subprocess
import threading
import time

from servers import Postfix

TOOLS = Postfix.root / "usr"
ENV = dict(os.environ, LD_LIBRARY_PATH=f"{TOOLS}/lib/postfix:{TOOLS}/lib/x86_64-linux-gnu")


def source(port, messages, clients=10, to="x@hold.example", size=4096, recipients=1,
           keep=True):
    """Run smtp-source to its end; the seconds it took."""
    argv = [TOOLS / "sbin/smtp-source", "-s", clients, "-m", messages, "-l", size, "-r",
            recipients, "-f", "a@client.example", "-t", to, f"127.0.0.1:{port}"]
    if keep:
        argv.insert(1, "-d")
    began = time.monotonic()
    subprocess.run([str(a) for a in argv], env=ENV, check=True, timeout=600)
    return time.monotonic() - began


class Sink:
    """smtp-sink; counts the messages that it took."""

    def __init__(self, port):
        self.messages = 0
        self.proc = subprocess.Popen(
            [str(TOOLS / "sbin/smtp-sink"), "-c", "-u", "root", f"127.0.0.1:{port}", "1000"],
            env=ENV, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        threading.Thread(target=self.watch, daemon=True).start()

    def watch(self):
        while data := os.read(self.proc.stdout.fileno(), 65536):
            found = re.findall(rb"mesg=(\d+)\r", data)
            if found:
                self.messages = int(found[-1])

    def wait(self, n, seconds=300):
        end = time.monotonic() + seconds
        while self.messages < n:
            if time.monotonic() > end:
                raise RuntimeError(f"the sink got {self.messages} of {n} messages")
            time.sleep(0.005)

    def close(self):
        self.proc.kill()
        self.proc.wait()


def delivered(mail):
    n = 0
    for box in os.scandir(mail):
        try:
            n += len(os.listdir(pathlib.Path(box.path) / "new"))
        except FileNotFoundError:
            pass
    return n


def wait_delivered(mail, n, seconds=300):
    end = time.monotonic() + seconds
    while delivered(mail) < n:
        if time.monotonic() > end:
            raise RuntimeError(f"{delivered(mail)} of {n} messages were delivered")
        time.sleep(0.02)


class Case:
    """title, unit; run(server, sink, seconds) -> {figure: value}, None: it cannot.

    A probe of a few hundred messages tells how many fill the time.
    """
    unit = "messages/s"
    probe = 300

    def __init__(self, title, **options):
        self.title, self.options = title, options
        self.name = re.sub(r"\W+", "-", title)

    def measure(self, server, sink, n):
        """The seconds that n messages take, from the first connect to the last one's end."""
        raise NotImplementedError

    def run(self, server, sink, seconds):
        rate = self.probe / self.measure(server, sink, self.probe)
        n = max(self.probe, int(rate * seconds))
        time.sleep(0.5)
        cpu = server.group.seconds()
        written, flushes = server.disk.counters()
        took = self.measure(server, sink, n)
        os.sync()
        after = server.disk.counters()
        return {"rate": n / took, "cpu_ms": (server.group.seconds() - cpu) / n * 1000,
                "kb": (after[0] - written) / n / 1024, "flushes": (after[1] - flushes) / n,
                "messages": n}


class Accept(Case):
    def measure(self, server, sink, n):
        return source(server.port, n, **self.options)


class Recipients(Case):
    """Messages to 1,000 recipients of one domain; counted in recipients."""
    unit = "recipients/s"
    probe = 4

    def measure(self, server, sink, n):
        return source(server.port, n, recipients=1000, **self.options)

    def run(self, server, sink, seconds):
        figures = super().run(server, sink, seconds)
        figures["rate"] *= 1000
        return figures


class Relay(Case):
    def measure(self, server, sink, n):
        before, began = sink.messages, time.monotonic()
        source(server.port, n, to="box@relay.example", **self.options)
        sink.wait(before + n)
        return time.monotonic() - began


class Maildir(Case):
    """Into `boxes` Maildirs; one smtp-source for each."""

    def measure(self, server, sink, n):
        boxes = self.options["boxes"]
        each = max(1, n // boxes)
        before, began = delivered(server.mail), time.monotonic()
        threads = [threading.Thread(target=source, args=(server.port, each), kwargs=dict(
            to=f"box{i}@example.org", clients=max(1, 10 // boxes))) for i in range(boxes)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        wait_delivered(server.mail, before + each * boxes)
        return time.monotonic() - began


def dialogue(port, to):
    """One message by one new connection, as a patient client sends it."""
    with socket.create_connection(("127.0.0.1", port)) as s:
        f = s.makefile("rwb")

        def say(line, code):
            if line:
                f.write(line + b"\r\n")
                f.flush()
            while True:
                got = f.readline()
                if got[3:4] != b"-":
                    break
            if got[:3] != code:
                raise RuntimeError(got)

        say(b"", b"220")
        say(b"EHLO client.example", b"250")
        say(b"MAIL FROM:<a@client.example>", b"250")
        say(b"RCPT TO:<" + to + b">", b"250")
        say(b"DATA", b"354")
        say(b"Subject: x\r\n\r\n" + (b"x" * 70 + b"\r\n") * 56 + b".", b"250")
        say(b"QUIT", b"221")


class Latency(Case):
    """One message at a time, from connect until it can be seen in the Maildir."""
    unit = "ms"

    def run(self, server, sink, seconds):
        dialogue(server.port, b"box0@example.org")
        wait_delivered(server.mail, 1)
        new, times = server.mail / "box0/new", []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            n, began = len(os.listdir(new)), time.monotonic()
            dialogue(server.port, b"box0@example.org")
            while len(os.listdir(new)) == n:
                time.sleep(0.0001)
            times.append(time.monotonic() - began)
            time.sleep(0.02)
        return {"rate": sorted(times)[len(times) // 2] * 1000, "messages": len(times)}


class Idle(Case):
    """Connections that say EHLO and then nothing: how fast, how much memory for each."""
    unit = "connections/s"

    def run(self, server, sink, seconds):
        n = self.options["connections"]
        if n > server.sessions_max:
            return None
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, n + 100)), hard))
        before, began, open_now = server.group.memory(), time.monotonic(), []
        try:
            for i in range(n):
                # 127.0.0.0/8 has addresses enough for any limit on one client
                s = socket.create_connection(("127.0.0.1", server.port), 30,
                                             (f"127.0.{1 + i // 20000}.1", 0))
                open_now.append(s)
                if s.recv(512)[:3] != b"220":
                    raise RuntimeError("refused")
            took = time.monotonic() - began
            for s in open_now:
                s.sendall(b"EHLO client.example\r\n")
            for s in open_now:
                s.recv(1024)
            memory = server.group.memory() - before
        finally:
            for s in open_now:
                s.close()
        time.sleep(1)
        return {"rate": n / took, "kb": memory / n / 1024, "messages": n}


ACCEPT = [
    Accept("accept, 1 client", clients=1),
    Accept("accept, 10 clients", clients=10),
    Accept("accept, 50 clients", clients=50),
    Accept("accept, 200 clients", clients=200),
    Accept("accept, 10 clients, a connection each", clients=10, keep=False),
    Accept("accept, 50 clients, a connection each", clients=50, keep=False),
    Accept("accept, 10 clients, 64 KB", clients=10, size=65536),
    Accept("accept, 10 clients, 1 MB", clients=10, size=1 << 20),
]
ALL = ACCEPT + [
    Relay("relay to a sink, 10 clients", clients=10),
    Relay("relay to a sink, 50 clients", clients=50),
    Maildir("one Maildir", boxes=1),
    Maildir("ten Maildirs", boxes=10),
    Recipients("1,000 recipients of one domain", clients=4),
    Latency("connect to Maildir, one message"),
    Idle("100 idle connections", connections=100),
    Idle("1,000 idle connections", connections=1000),
    Idle("10,000 idle connections", connections=10000),
]
