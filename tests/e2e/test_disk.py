"""A full filesystem, for real: a small ext4 of its own holds the spool."""
import os
import pathlib
import subprocess
import time
import unittest

from harness import IS_ROOT, NOBODY, Service, directory, free_port, maildir, send, wait_for


class Filesystem:
    """An ext4 in a file, mounted; None where this machine cannot."""

    def __init__(self, megabytes):
        self.dir = directory("mount", NOBODY)
        self.image = self.dir / "image"
        self.path = self.dir / "fs"
        self.path.mkdir()
        with open(self.image, "wb") as f:
            f.truncate(megabytes * 1024 * 1024)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(self.image)], check=True)
        done = subprocess.run(["mount", "-o", "loop", str(self.image), str(self.path)],
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise unittest.SkipTest("no loop mounts here: " + done.stderr)
        os.chown(self.path, NOBODY, NOBODY)

    def fill(self, leave):
        """A file that takes all but `leave` octets."""
        stat = os.statvfs(self.path)
        with open(self.path / "filler", "wb") as f:
            os.posix_fallocate(f.fileno(), 0, max(1, stat.f_bavail * stat.f_frsize - leave))

    def free(self):
        (self.path / "filler").unlink()

    def close(self):
        subprocess.run(["umount", str(self.path)], check=True)


@unittest.skipUnless(IS_ROOT, "mounting needs root")
class Full(unittest.TestCase):
    def test_new_mail_gets_452_and_nothing_is_lost(self):
        fs = Filesystem(64)
        self.addCleanup(fs.close)
        box, port = directory("box", NOBODY), free_port()
        service = Service(
            f'domain "example.org" {{ users = "any" deliver = "maildir:{box}/%u" }}\n'
            f'route "*" {{ via = "smtp://127.0.0.1:{port}" }}\n'
            'spool_reserve = "8M"\nsegment_size = "2M"\nretry_first = "1s"\nretry_max = "1s"\n',
            spool=fs.path / "spool")
        self.addCleanup(service.kill)
        ids = [send(service.port, rcpts=["later@far.example"]) for _ in range(10)]
        fs.fill(4 * 1024 * 1024)

        def refused():
            t = service.talk()
            t("EHLO c.example")
            code = t("MAIL FROM:<a@b.example>")
            text = t.lines[0]
            t.close()
            return code == 452 and text
        self.assertRegex(wait_for(refused), r"^452 4\.3\.1 ")
        # the queue goes on: results are recorded, what is there is delivered
        there = Service(f'domain "far.example" {{ users = "any" deliver = "maildir:{box}/%u" }}\n',
                        listen=(f"127.0.0.1:{port}",))
        wait_for(lambda: len(maildir(box / "later")) == len(ids), 30)
        service.wait_empty()
        self.assertTrue(refused())
        # and comes back by itself
        fs.free()
        def accepted():
            t = service.talk()
            t("EHLO c.example")
            code = t("MAIL FROM:<a@b.example>")
            t.close()
            return code == 250
        wait_for(accepted)
        send(service.port, rcpts=["after@example.org"])
        wait_for(lambda: maildir(box / "after"))
        self.assertEqual(service.stop(), 0)
        self.assertEqual(there.stop(), 0)

    def test_a_large_message_that_does_not_fit(self):
        fs = Filesystem(64)
        self.addCleanup(fs.close)
        box = directory("box", NOBODY)
        service = Service(
            f'domain "example.org" {{ users = "any" deliver = "maildir:{box}/%u" }}\n'
            'spool_reserve = "0"\nsegment_size = "2M"\n', spool=fs.path / "spool")
        self.addCleanup(service.kill)
        t = service.talk()
        t("EHLO c.example")
        line = b"z" * 76 + b"\r\n"
        body = b"Subject: big\r\n\r\n" + line * (45 * 1024 * 1024 // len(line)) + b".\r\n"
        fs.fill(20 * 1024 * 1024)
        code, text = t.message(body, rcpts=["big@example.org"])
        self.assertEqual(code, 452, text)
        self.assertEqual(t("NOOP"), 250)
        self.assertEqual(os.listdir(service.spool / "content"), [])
        # a small one still goes through
        send(service.port, rcpts=["small@example.org"])
        wait_for(lambda: maildir(box / "small"))
        self.assertEqual(maildir(box / "big"), [])
        self.assertEqual(service.stop(), 0)


if __name__ == "__main__":
    unittest.main()
