"""Where the benchmark's servers live: a fresh disk each, and a control group each.

The disk is a newly made journaled ext4 on a loop device, so that every server
begins with the same filesystem and the device's own counters tell what reached
it.  The group tells the processor time of all processes that a server ever had.
"""
import os
import pathlib
import subprocess
import time

GROUPS = pathlib.Path("/sys/fs/cgroup")


def run(*argv, **kw):
    return subprocess.run([str(a) for a in argv], check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, **kw).stdout


class Disk:
    """A mounted ext4 of `size` at `where`; gone after close()."""

    def __init__(self, image, where, size="6G"):
        self.image, self.where = pathlib.Path(image), pathlib.Path(where)
        self.where.mkdir(parents=True, exist_ok=True)
        self.image.unlink(missing_ok=True)
        run("truncate", "-s", size, self.image)
        # Tables and journal are made now, not by a thread while we measure.
        run("mkfs.ext4", "-qF", "-E", "lazy_itable_init=0,lazy_journal_init=0", self.image)
        self.device = run("losetup", "--find", "--show", self.image).strip()
        run("mount", self.device, self.where)

    def counters(self):
        """(bytes written, flushes) that the device has seen."""
        name = self.device.rsplit("/", 1)[1]
        fields = pathlib.Path(f"/sys/block/{name}/stat").read_text().split()
        return int(fields[6]) * 512, int(fields[15])

    def close(self):
        for _ in range(50):
            if subprocess.run(["umount", self.where], stderr=subprocess.DEVNULL).returncode == 0:
                break
            time.sleep(0.1)
        subprocess.run(["losetup", "-d", self.device], check=False)
        self.image.unlink(missing_ok=True)


class Group:
    """A control group for one server, of version 1 (cpuacct) or 2."""

    def __init__(self, name):
        v1 = GROUPS / "cpuacct"
        self.v1 = v1.is_dir()
        self.dir = (v1 if self.v1 else GROUPS) / f"sallyport-bench-{name}-{os.getpid()}"
        self.dir.mkdir()

    def enter(self, argv):
        """argv, started within the group."""
        return ["sh", "-c", f'echo $$ >{self.dir}/cgroup.procs && exec "$@"', "sh",
                *map(str, argv)]

    def seconds(self):
        if self.v1:
            return int((self.dir / "cpuacct.usage").read_text()) / 1e9
        for line in (self.dir / "cpu.stat").read_text().splitlines():
            if line.startswith("usage_usec"):
                return int(line.split()[1]) / 1e6
        raise RuntimeError("this cgroup does not count processor time")

    def pids(self):
        return [int(p) for p in (self.dir / "cgroup.procs").read_text().split()]

    def memory(self):
        """Bytes of all its processes: each shared page is divided by its users."""
        total = 0
        for pid in self.pids():
            try:
                text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
            except OSError:
                continue
            total += sum(int(l.split()[1]) * 1024 for l in text.splitlines()
                         if l.startswith("Pss:"))
        return total

    def close(self):
        for _ in range(100):
            try:
                self.dir.rmdir()
                return
            except OSError:
                time.sleep(0.1)
