"""What the machine itself gives, measured in the same run."""
import multiprocessing
import os
import pathlib
import time

import harness
from cases import Sink, source


def ceiling(seconds, keep):
    """Messages a second of smtp-source straight into smtp-sink."""
    port = harness.free_port()
    sink = Sink(port)
    time.sleep(0.3)
    try:
        rate = 1000 / source(port, 1000, clients=10, keep=keep)
        n = int(rate * seconds)
        return n / source(port, n, clients=10, keep=keep)
    finally:
        sink.close()


def flush(where, seconds, size=4096):
    """Appends of one message's size with fdatasync, a second."""
    fd = os.open(pathlib.Path(where) / "flush", os.O_WRONLY | os.O_CREAT)
    os.posix_fallocate(fd, 0, 64 << 20)
    os.fsync(fd)
    block, n, end = b"x" * size, 0, time.monotonic() + seconds
    while time.monotonic() < end:
        os.pwrite(fd, block, n * size % (64 << 20))
        os.fdatasync(fd)
        n += 1
    os.close(fd)
    return n / seconds


def _files(where, end, count, me):
    """Create, sync, rename into new/, sync new/: a Maildir delivery without a mail server."""
    new = os.open(where / "new", os.O_RDONLY | os.O_DIRECTORY)
    block, n = b"x" * 4096, 0
    while time.monotonic() < end:
        name = f"{me}.{n}"
        fd = os.open(where / "tmp" / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        os.write(fd, block)
        os.fsync(fd)
        os.close(fd)
        os.rename(where / "tmp" / name, where / "new" / name)
        os.fsync(new)
        n += 1
    count[me] = n


def files(where, seconds, processes=10):
    """Bare Maildir deliveries a second of ten processes, and their processor time each."""
    where = pathlib.Path(where) / "bare"
    for d in ("tmp", "new"):
        (where / d).mkdir(parents=True)
    count = multiprocessing.Array("i", processes)
    end = time.monotonic() + seconds
    before = os.times()
    workers = [multiprocessing.Process(target=_files, args=(where, end, count, i))
               for i in range(processes)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    after, n = os.times(), sum(count)
    cpu = sum(after[2:4]) - sum(before[2:4])
    return n / seconds, cpu / n * 1000
