"""The servers that are measured: each takes mail on a port of 127.0.0.1,

  for @hold.example     and keeps it, without delivering it,
  for @example.org      into a Maildir for each local part below its disk,
  for any other domain  and passes it on to the sink's port,

with everything on stable storage before its 250.
"""
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time

from place import Disk, Group, run

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import harness  # noqa: E402

CACHE = pathlib.Path(os.environ.get("BENCH_DIR", "/var/tmp/sallyport-bench"))


def wait_port(port, seconds=30):
    end = time.monotonic() + seconds
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as s:
                s.recv(100)
                return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


class Server:
    """Started and ready; .port, .mail (of its Maildirs), .disk, .group."""
    sessions_max = 20000  # that it can serve at a time

    def __init__(self, sink_port):
        self.sink_port = sink_port
        self.group = Group(self.name.lower())
        self.disk = Disk(CACHE / f"{self.name.lower()}.img", self.mount_point())
        self.start()
        wait_port(self.port)

    def mount_point(self):
        return CACHE / "disk" / self.name.lower()

    def close(self):
        self.stop()
        self.group.close()
        self.disk.close()


class Sallyport(Server):
    name = "Sallyport"
    settings = "defaults"

    def start(self):
        users = (harness.passwd_files() / "etc/passwd").read_text()
        owner = int(re.search(r"^sallyport-mail:[^:]*:(\d+):", users, re.M).group(1))
        self.mail = self.disk.where / "mail"
        self.mail.mkdir()
        os.chown(self.mail, owner, owner)
        conf = (f'domain "example.org" {{ users = "any" deliver = "maildir:{self.mail}/%u" }}\n'
                'route "hold.example" { via = "smtp://127.0.0.1:1" }\n'
                f'route "*" {{ via = "smtp://127.0.0.1:{self.sink_port}" }}\n')
        group = self.group

        class Grouped(harness.Service):
            def _argv(self, *words):
                argv = super()._argv(*words)
                return group.enter(argv) if words[0] == "run" else argv

        self.service = Grouped(conf, root=True, spool=self.disk.where / "spool")
        self.port = self.service.port

    def stop(self):
        self.service.stop()


MAIN_CF = """\
compatibility_level = 3.6
myhostname = mx.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
queue_directory = /bench/queue
data_directory = /bench/data
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions = check_recipient_access inline:{ hold.example=HOLD }, permit_mynetworks, reject
relayhost = [127.0.0.1]:@SINK@
smtp_dns_support_level = disabled
smtp_host_lookup = native
virtual_mailbox_domains = example.org
virtual_mailbox_base = /bench/mail
virtual_mailbox_maps = inline:{ @BOXES@ }
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_minimum_uid = 100
# What those who tune it for throughput change:
default_process_limit = 250
default_destination_concurrency_limit = 100
initial_destination_concurrency = 50
virtual_destination_concurrency_limit = 50
smtp_connection_cache_on_demand = yes
smtp_connection_cache_destinations = static:all
in_flow_delay = 0
qmgr_message_active_limit = 100000
qmgr_message_recipient_limit = 100000
smtpd_recipient_limit = 5000
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_tls_security_level = none
smtp_tls_security_level = none
smtputf8_enable = no
local_header_rewrite_clients =
message_size_limit = 52428800
virtual_mailbox_limit = 0
hopcount_limit = 100
"""


class Postfix(Server):
    name = "Postfix"
    settings = MAIN_CF
    sessions_max = 250  # a process each: default_process_limit
    root = CACHE / "postfix"

    @classmethod
    def install(cls):
        if not (cls.root / "usr/sbin/smtp-source").exists():
            print("setting up Postfix in a root of its own …", flush=True)
            shutil.rmtree(cls.root, ignore_errors=True)
            CACHE.mkdir(parents=True, exist_ok=True)
            run("debootstrap", "--variant=minbase", "--include=postfix", "bookworm", cls.root,
                env=dict(os.environ, DEBIAN_FRONTEND="noninteractive"))

    def mount_point(self):
        return self.root / "bench"

    def inside(self, *argv):
        return ["chroot", self.root, *argv]

    def start(self):
        etc = self.root / "etc/postfix"
        self.port = harness.free_port()
        boxes = ", ".join(f"box{i}@example.org=box{i}/" for i in range(10))
        (etc / "main.cf").write_text(MAIN_CF.replace("@SINK@", str(self.sink_port))
                                     .replace("@BOXES@", boxes))
        # Debian's services, none of them in a chroot, and our port.
        master = (self.root / "usr/share/postfix/master.cf.dist").read_text()
        master = re.sub(r"(?m)^smtp +inet.*$", f"127.0.0.1:{self.port} inet n - n - - smtpd",
                        master)
        master = re.sub(r"(?m)^(\w+ +unix +\S+ +\S+ +)y ", r"\1n ", master)
        (etc / "master.cf").write_text(master)
        self.mail = self.disk.where / "mail"
        for name in ("queue", "data", "mail"):
            (self.disk.where / name).mkdir()
        os.chown(self.mail, 65534, 65534)
        postfix = int(run(*self.inside("id", "-u", "postfix")))
        os.chown(self.disk.where / "data", postfix, postfix)
        self.log = open(CACHE / "postfix.log", "w")
        self.proc = subprocess.Popen(
            self.group.enter(self.inside("/usr/sbin/postfix", "start-fg")),
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def stop(self):
        subprocess.run([str(a) for a in self.inside("/usr/sbin/postfix", "stop")],
                       stdout=self.log, stderr=self.log, check=False)
        self.proc.wait(30)
        self.log.close()


ALL = (Sallyport, Postfix)
