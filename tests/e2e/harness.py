"""What the end-to-end tests share: the real service, real clients, a real DNS server.

Everything runs on loopback with free ports and in a directory of its own below
/tmp.  As root, services are started as `nobody` unless a test asks for root;
then they run in a private mount namespace whose /etc/passwd has the package's
users (made by systemd-sysusers from etc/sysusers.d) and some people.
"""
import atexit
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("O", "build")
IS_ROOT = os.geteuid() == 0
NOBODY = 65534
# Sanitized builds are several times slower.
SLOW = 4 if os.environ.get("SLOW") else 1

_top = pathlib.Path(tempfile.mkdtemp(prefix="sallyport-test."))
os.chmod(_top, 0o755)


def _cleanup():
    if not os.environ.get("KEEP"):
        shutil.rmtree(_top, ignore_errors=True)


atexit.register(_cleanup)


def stage():
    """The programs, where any user can run them; `make install` in small."""
    where = _top / "stage"
    if not where.exists():
        where.mkdir()
        for part in ("bin", "libexec"):
            shutil.copytree(BUILD / part, where / part)
    return where


def directory(name, owner=None):
    path = pathlib.Path(tempfile.mkdtemp(prefix=name + ".", dir=_top))
    os.chmod(path, 0o755)
    if IS_ROOT and owner is not None:
        os.chown(path, owner, owner)
    return path


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, seconds=10, step=0.02):
    """The first true value of what(); fails after `seconds`."""
    end = time.monotonic() + seconds * SLOW
    while True:
        value = what()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds * SLOW} s: {what}")
        time.sleep(step)


# --- people ------------------------------------------------------------------

PEOPLE = {"alice": 2001, "bob": 2002}


def passwd_files():
    """Copies of passwd and group with the package's users and PEOPLE."""
    where = _top / "accounts"
    if where.exists():
        return where
    (where / "etc").mkdir(parents=True)
    for name in ("passwd", "group", "shadow", "gshadow"):
        shutil.copy(f"/etc/{name}", where / "etc" / name)
    subprocess.run(["systemd-sysusers", f"--root={where}",
                    str(ROOT / "etc/sysusers.d/sallyport.conf")], check=True,
                   capture_output=True)
    homes = directory("home")
    with open(where / "etc/passwd", "a") as passwd, open(where / "etc/group", "a") as group:
        for name, uid in PEOPLE.items():
            home = homes / name
            home.mkdir(mode=0o700)
            os.chown(home, uid, uid)
            passwd.write(f"{name}:x:{uid}:{uid}::{home}:/bin/sh\n")
            group.write(f"{name}:x:{uid}:\n")
    return where


def home(name):
    for line in (passwd_files() / "etc/passwd").read_text().splitlines():
        fields = line.split(":")
        if fields[0] == name:
            return pathlib.Path(fields[5])
    raise KeyError(name)


def with_accounts(argv):
    """argv in a mount namespace where those users exist."""
    etc = passwd_files() / "etc"
    script = (f"mount --bind {etc}/passwd /etc/passwd && "
              f"mount --bind {etc}/group /etc/group && exec \"$@\"")
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", *argv]


# --- the service ----------------------------------------------------------------

class Service:
    """A running Sallyport.  `conf` is the text behind hostname, spool and runtime."""

    def __init__(self, conf, root=False, hostname="mx.example", listen=("127.0.0.1:0",),
                 listen_options="", start=True, spool=None):
        self.root = root
        self.dir = directory("service", None if root else NOBODY)
        self.spool = pathlib.Path(spool) if spool else self.dir / "spool"
        self.conf_file = self.dir / "sallyport.conf"
        self.log_file = self.dir / "log"
        self.proc = None
        self.pass_fds = ()
        lines = [f'hostname = "{hostname}"', f'spool = "{self.spool}"',
                 f'runtime = "{self.dir}/run"']
        lines += [f'listen "{l}" {{ {listen_options} }}' for l in listen]
        self.conf_file.write_text("\n".join(lines) + "\n" + conf)
        if start:
            self.start()

    def _argv(self, *words):
        argv = [str(stage() / "bin/sallyport"), *words]
        if self.root:
            return with_accounts(argv)
        if IS_ROOT:
            return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
                    *argv]
        return argv

    def start(self, wait=True):
        self.log = open(self.log_file, "ab")
        start = self.log_file.stat().st_size
        self.proc = subprocess.Popen(self._argv("run", "-c", str(self.conf_file)),
                                     stderr=self.log, stdin=subprocess.DEVNULL,
                                     cwd="/", start_new_session=True,
                                     pass_fds=self.pass_fds)
        atexit.register(self.kill)
        if not wait:
            return
        def ready():
            if self.proc.poll() is not None:
                raise AssertionError("it ended:\n" + self.log_text())
            text = self.log_text()[start:]
            return re.search(r"event=ready .*?listen=\"?([^\s\"]+)", text)
        found = wait_for(ready, 20)
        self.addresses = [a.rsplit(":", 1) for a in found.group(1).split(",")]
        self.port = int(self.addresses[0][1])

    def log_text(self):
        return self.log_file.read_text(errors="replace")

    def events(self, name):
        """The key=value fields of each line of that event."""
        out = []
        for line in self.log_text().splitlines():
            fields = dict(re.findall(r'([\w.]+)=("[^"]*"|\S*)', line))
            if fields.get("event") == name:
                out.append({k: v.strip('"') for k, v in fields.items()})
        return out

    def master_pid(self):
        """The pid of master itself (as root there is no wrapper left: all exec)."""
        return self.proc.pid

    def pids(self):
        """{name: [pid, …]} of master and all below it, by /proc."""
        out = {}
        children = {}
        for d in os.listdir("/proc"):
            if not d.isdigit():
                continue
            try:
                stat = pathlib.Path(f"/proc/{d}/stat").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            comm = stat[stat.index("(") + 1:stat.rindex(")")]
            state, ppid = stat[stat.rindex(")") + 2:].split()[:2]
            if state != "Z":
                children.setdefault(int(ppid), []).append((int(d), comm))
        todo = [self.master_pid()]
        try:
            comm = pathlib.Path(f"/proc/{todo[0]}/comm").read_text().strip()
            out[comm] = [todo[0]]
        except FileNotFoundError:
            return out
        while todo:
            for pid, comm in children.get(todo.pop(), []):
                out.setdefault(comm, []).append(pid)
                todo.append(pid)
        return out

    def command(self, *words, check=None, text=True):
        """`sallyport WORD -c FILE …`; the finished process."""
        argv = self._argv(words[0], "-c", str(self.conf_file), *words[1:])
        done = subprocess.run(argv, capture_output=True, text=text, timeout=90)
        if check is not None and done.returncode != check:
            raise AssertionError(f"{words}: exit {done.returncode}: "
                                 f"{done.stdout}{done.stderr}\n{self.log_text()[-3000:]}")
        return done

    def rows(self, *selectors):
        def listed():
            done = self.command("queue", "list", "--json", *selectors)
            # while queue is being replaced there is no answer to be had
            return done if done.stderr == "" else None
        return [json.loads(l) for l in wait_for(listed).stdout.splitlines()]

    def wait_empty(self, seconds=20):
        wait_for(lambda: not self.rows(), seconds, 0.05)

    def term(self):
        self.proc.send_signal(signal.SIGTERM)

    def stop(self, seconds=12):
        if self.proc is None:
            return 0
        if self.proc.poll() is None:
            self.term()
        code = self.proc.wait(seconds * SLOW)
        self.log.close()
        self.proc = None
        return code

    def kill(self):
        """At the very end, whatever is left of it."""
        if self.proc is not None and self.proc.poll() is None:
            everybody = [p for ps in self.pids().values() for p in ps]
            for pid in everybody:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.proc.wait(10)

    def talk(self, **kw):
        return Talk(self.port, **kw)


# --- a client that shows every octet ------------------------------------------------

_pairs = None


def allowed(command, code):
    """Whether the reply table has this pair (tests/seed and the later additions)."""
    global _pairs
    if _pairs is None:
        done = subprocess.run([str(BUILD / "tests/tools/pairs")], capture_output=True,
                              text=True, check=True)
        _pairs = {tuple(l.split("\t")[:2]) for l in done.stdout.splitlines()}
    return (command, str(code)) in _pairs


_catalogue = None


def catalogue():
    """Each reply that there is: name, code, enhanced, text, and `said`, which matches it."""
    global _catalogue
    if _catalogue is None:
        plain = _top / "plain.conf"
        plain.write_text('hostname = "x.example"\n')
        done = subprocess.run([str(BUILD / "bin/sallyport"), "reply", "-c", str(plain), "--json"],
                              capture_output=True, text=True)
        _catalogue = [json.loads(l) for l in done.stdout.splitlines()]
        assert _catalogue, done.stderr
        for row in _catalogue:
            row["said"] = said(row["text"])
    return _catalogue


def said(text):
    """What a text with a % becomes, with something there or nothing."""
    head, place, tail = text.partition("%")
    if not place:
        return re.compile(re.escape(text))
    return re.compile(f"{re.escape(head)}.+{re.escape(tail)}|"
                      + re.escape((head + (tail if head else tail.strip())).rstrip(" :")))


def named(command, line):
    """The names of the replies of the catalogue that this line can be."""
    code, rest = int(line[:3]), line[4:]
    found = re.match(r"([245]\.\d{1,3}\.\d{1,3})(?: |$)", rest)
    out = []
    for row in catalogue():
        if row["name"] == "helo" and command not in ("HELO", "EHLO"):
            continue
        # one that the command's row does not have is said by another of its class
        if code != row["code"] and (allowed(command, row["code"]) or
                                    code // 100 != row["code"] // 100):
            continue
        if found and row["enhanced"] == found.group(1) and \
                row["said"].fullmatch(rest[found.end():]):
            out.append(row["name"])
        elif not found and row["said"].fullmatch(rest):
            out.append(row["name"])         # a HELO session, or one without
    return out


class Talk:
    """One SMTP connection.  Every reply is held against its command's row, and
    against the catalogue but for the texts that a test has set itself."""

    def __init__(self, port, host="127.0.0.1", greet=True, source=None, own=()):
        self.own = [said(text) for text in own]
        self.names = []
        self.sock = socket.create_connection((host, port), timeout=30 * SLOW,
                                             source_address=source)
        self.data = b""
        if greet:
            self.banner = self.reply("connect")

    def raw(self, octets):
        self.sock.sendall(octets)

    def line(self):
        while b"\r\n" not in self.data:
            more = self.sock.recv(65536)
            if not more:
                raise EOFError(self.data)
            self.data += more
        line, self.data = self.data.split(b"\r\n", 1)
        assert len(line) <= 510, f"a reply line of {len(line)} octets"
        assert all(32 <= c < 127 for c in line), line
        return line.decode()

    def reply(self, command=None):
        lines = []
        while True:
            lines.append(self.line())
            assert re.match(r"[2-5]\d\d[ -]", lines[-1] + " "), lines
            if lines[-1][3:4] != "-":
                break
        code = int(lines[-1][:3])
        assert {l[:3] for l in lines} == {str(code)}, lines
        if command is not None:
            assert allowed(command, code), f"{command} got {code}: not in the table"
            # the first line: those of EHLO behind it are its keywords
            self.names = named(command, lines[0])
            assert self.names or any(o.search(lines[0]) for o in self.own), \
                f"{command} got {lines[0]}: not in the catalogue"
        self.lines = lines
        return code

    def __call__(self, text, command=None):
        """Send a command; the code of its reply."""
        if isinstance(text, str):
            text = text.encode()
        self.raw(text + b"\r\n")
        verb = text.split(b" ")[0].decode("ascii", "replace").upper()
        known = ("HELO EHLO MAIL RCPT DATA BDAT RSET SEND SOML SAML VRFY EXPN HELP NOOP QUIT "
                 "TURN").split()
        return self.reply(command or (verb if verb in known else "unknown"))

    def message(self, content, sender="a@client.example", rcpts=("alice@example.org",)):
        """A whole transaction; the code and text of the end of the data."""
        assert self(f"MAIL FROM:<{sender}>") == 250, self.lines
        for r in rcpts:
            assert self(f"RCPT TO:<{r}>") == 250, self.lines
        assert self("DATA") == 354, self.lines
        self.raw(content)
        return self.reply("received data"), self.lines[-1]

    def closed(self):
        """True once the other side has closed."""
        try:
            return self.data == b"" and self.sock.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self):
        self.sock.close()


def send(port, content=b"Subject: x\r\n\r\nhello\r\n.\r\n", **kw):
    """Send one message; its queue id."""
    t = Talk(port)
    assert t("EHLO client.example") == 250
    code, line = t.message(content, **kw)
    assert code == 250, line
    t("QUIT")
    t.close()
    return re.match(r"250 2\.0\.0 ([0-9a-z]{16}) ", line).group(1)


# --- mailboxes ------------------------------------------------------------------------

def maildir(path):
    """The contents of new/, in the order of their names."""
    new = pathlib.Path(path) / "new"
    if not new.exists():
        return []
    return [p.read_bytes() for p in sorted(new.iterdir())]


# --- DNS --------------------------------------------------------------------------------

class Dns:
    """nsd with the given zones ({name: records}) on a loopback port."""

    def __init__(self, zones):
        self.dir = directory("nsd")
        self.port = free_port()
        conf = [f"""server:
    ip-address: 127.0.0.1@{self.port}
    username: ""
    zonesdir: "{self.dir}"
    database: ""
    zonelistfile: "{self.dir}/zone.list"
    xfrdfile: ""
    xfrdir: "{self.dir}"
    pidfile: ""
    server-count: 1
remote-control:
    control-enable: no
"""]
        for name, records in zones.items():
            file = self.dir / (name.strip(".") or "root")
            file.write_text(f"$ORIGIN {name.rstrip('.')}.\n$TTL 60\n"
                            "@ SOA ns admin 1 60 60 60 60\n@ NS ns\nns A 127.0.0.1\n" + records)
            conf.append(f'zone:\n    name: "{name}"\n    zonefile: "{file}"\n')
        (self.dir / "nsd.conf").write_text("".join(conf))
        self.proc = subprocess.Popen(["/usr/sbin/nsd", "-d", "-c", str(self.dir / "nsd.conf")],
                                     stdout=subprocess.DEVNULL,
                                     stderr=open(self.dir / "log", "wb"))
        atexit.register(self.stop)
        wait_for(self._answers)

    def _answers(self):
        assert self.proc.poll() is None, (self.dir / "log").read_text()
        query = (b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x06\x00\x01")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.2)
            try:
                s.sendto(query, ("127.0.0.1", self.port))
                return s.recv(512)
            except (socket.timeout, ConnectionRefusedError):
                return None

    def stop(self):
        if self.proc.poll() is None:
            self.proc.terminate()
            self.proc.wait(10)
