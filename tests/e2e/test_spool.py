"""sallyport spool: a spool is checked, written out, and filled on another host."""
import json
import os
import signal
import subprocess
import time
import unittest

from harness import IS_ROOT, NOBODY, Service, directory, maildir, send, wait_for

LARGE = "".join(f"line {i:07}\n" for i in range(130_000))  # a file of its own


def data(body):
    text = "Subject: x\n\n" + body
    return text.replace("\n.", "\n..").replace("\n", "\r\n").encode() + b".\r\n"


class Spool(unittest.TestCase):
    root = False

    def setUp(self):
        self.box = directory("box", NOBODY)
        os.chmod(self.box, 0o777)
        self.services = []

    def tearDown(self):
        for s in self.services:
            s.stop()

    def service(self, conf="", **more):
        s = Service(f'domain "example.org" {{ users = "any" deliver = "maildir:{self.box}/%u" }}\n'
                    'route "far.example" { via = "smtp://127.0.0.1:9" }\n' + conf,
                    root=self.root, **more)
        s.log_file.touch()
        self.services.append(s)
        return s

    def filled(self, **more):
        """One that has a deferred, a held and a large message, and one half done."""
        s = self.service(**more)
        ids = [send(s.port, sender=f"s{i}@example.org", rcpts=["x@far.example"],
                    content=data(body))
               for i, body in enumerate(("first\n", ".dot\n\n", LARGE))]
        ids.append(send(s.port, sender="", rcpts=["done@example.org", "y@far.example"],
                        content=data("half\n")))
        wait_for(lambda: len(s.rows("state=deferred")) == 4 and maildir(self.box / "done"))
        wait_for(lambda: [r for r in s.rows() if r["code"]])
        self.assertEqual(len(s.rows("route=far.example", "route=127.0.0.1:*")), 4)
        self.assertEqual(s.command("queue", "list", "route=mx").returncode, 1)
        self.assertIn("quote", s.command("queue", "list", "route").stderr)
        s.command("queue", "hold", ids[1], check=0)
        return s, ids

    def test_verify_finds_what_is_damaged(self):
        s, ids = self.filled()
        done = s.command("spool", "verify")
        self.assertEqual(done.returncode, 1)
        self.assertIn("sallyport stop", done.stderr)
        s.stop()
        self.assertEqual(s.command("spool", "verify", check=0).stdout, "4 messages whole\n")
        segments = {p: p.read_bytes() for p in (s.spool / "log").iterdir()}
        content = s.spool / "content" / ids[2]
        whole = content.read_bytes()
        content.write_bytes(whole[:70_000] + b"?" + whole[70_001:])
        done = s.command("spool", "verify")
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"{ids[2]}: its content", done.stdout)
        self.assertIn("3 messages whole, 1 problem\n", done.stdout)
        content.write_bytes(whole)
        for path, bytes_ in segments.items():
            at = bytes_.find(b"\r\n\r\nfirst")
            if at != -1:
                path.write_bytes(bytes_[:at + 5] + b"F" + bytes_[at + 6:])
        done = s.command("spool", "verify")
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"{ids[0]}: its content", done.stdout)
        self.assertIn("event=log_damaged", done.stderr)
        # nothing was changed by looking
        self.assertEqual(sorted(segments), sorted((s.spool / "log").iterdir()))
        self.assertEqual(list((s.spool / "damaged").iterdir()), [])
        # the others are written out, and it is said which is not
        out = directory("out", NOBODY) / "export"
        done = s.command("spool", "export", str(out))
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"{ids[0]}: not exported", done.stdout)
        self.assertEqual(sorted(p.stem for p in out.glob("*.json")), sorted(ids[1:]))

    def test_to_another_host_and_back(self):
        s, ids = self.filled()
        rows = {r["id"]: r for r in s.rows()}
        cats = {i: s.command("queue", "cat", i, check=0).stdout for i in ids}
        s.stop()
        out = directory("out", NOBODY) / "export"
        self.assertEqual(s.command("spool", "export", str(out), check=0).stdout,
                         "4 messages exported\n")
        self.assertEqual(sorted(p.name for p in out.iterdir()),
                         sorted(i + end for i in ids for end in (".eml", ".json")))
        envelope = json.loads((out / f"{ids[3]}.json").read_text())
        self.assertEqual([r["to"] for r in envelope["recipients"]], ["y@far.example"])
        self.assertEqual((out / f"{ids[1]}.eml").read_text().replace("\r", ""), cats[ids[1]])
        # again: the same
        before = {p.name: p.read_bytes() for p in out.iterdir()}
        s.command("spool", "export", str(out), check=0)
        self.assertEqual(before, {p.name: p.read_bytes() for p in out.iterdir()})
        if self.root:  # as whoever carried it there left it
            for p in [out, *out.iterdir()]:
                os.chown(p, 0, 0)
                p.chmod(0o700 if p == out else 0o400)
        there = self.service(hostname="there.example", start=False)
        for stdout in ("4 messages imported\n", "0 messages imported, 4 were here already\n"):
            self.assertEqual(there.command("spool", "import", str(out), check=0).stdout, stdout)
        there.start()
        got = {r["id"]: r for r in there.rows()}
        self.assertEqual(set(got), set(ids))
        for i in ids:
            for field in ("from", "to", "size"):
                self.assertEqual(got[i][field], rows[i][field], (i, field))
            self.assertEqual(got[i]["state"] == "held", i == ids[1])
            self.assertEqual(there.command("queue", "cat", i, check=0).stdout, cats[i])
        self.assertIn("accepted from", there.command("trace", ids[0], check=0).stdout)
        self.assertEqual(len(maildir(self.box / "done")), 1)
        # what was delivered, or deleted, from here does not come back
        there.command("queue", "delete", "all", check=0)
        there.stop()
        self.assertEqual(there.command("spool", "import", str(out), check=0).stdout,
                         "0 messages imported, 4 were here already\n")
        there.start()
        self.assertEqual(there.rows(), [])

    def test_what_is_no_export_is_told(self):
        s, ids = self.filled()
        s.stop()
        out = directory("out", NOBODY) / "export"
        s.command("spool", "export", str(out), check=0)
        (out / f"{ids[0]}.eml").write_bytes(b"another")
        (out / f"{ids[1]}.json").write_text("{")
        text = (out / f"{ids[3]}.json").read_text()
        at = text.index('"record": "') + 11
        (out / f"{ids[3]}.json").write_text(text[:at] + "zz" + text[at + 2:])
        (out / "notes.txt").write_text("not ours")
        # an envelope that was made by hand: a line end within the recipient
        evil = (out / f"{ids[2]}.json").read_text()
        bad = evil.replace(b"x@far.example".hex(), b"x\r\nQUIT.mple".hex())
        self.assertNotEqual(bad, evil)
        (out / f"{ids[2]}.json").write_text(bad)
        there = self.service(start=False)
        done = there.command("spool", "import", str(out))
        self.assertEqual(done.returncode, 1)
        self.assertIn("0 messages imported, 4 problems\n", done.stdout)
        for part in (f"{ids[0]}: {ids[0]}.eml is not what was exported",
                     f"{ids[1]}: {ids[1]}.json is no envelope",
                     f"{ids[2]}: its envelope makes no sense",
                     f"{ids[3]}: {ids[3]}.json is damaged"):
            self.assertIn(part, done.stdout)
        for words in ((), ("verify", "x"), ("import",), ("mend",)):
            self.assertEqual(there.command("spool", *words).returncode, 2, words)
        self.assertEqual(there.command("spool", "import", str(out / "none")).returncode, 1)

    def test_an_import_that_is_killed_is_begun_again(self):
        s = self.service()
        ids = [send(s.port, sender="s@example.org", rcpts=["x@far.example"]) for _ in range(60)]
        s.stop()
        out = directory("out", NOBODY) / "export"
        s.command("spool", "export", str(out), check=0)
        there = self.service(start=False)
        for i in range(8):
            argv = there._argv("spool", "-c", str(there.conf_file), "import", str(out))
            p = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(0.03 + 0.02 * i)
            p.send_signal(signal.SIGKILL)
            p.wait()
        wait_for(lambda: there.command("spool", "import", str(out)).returncode == 0)
        there.start()
        self.assertEqual(sorted(r["id"] for r in there.rows()), sorted(ids))


@unittest.skipUnless(IS_ROOT, "as root")
class AsRoot(Spool):
    root = True


if __name__ == "__main__":
    unittest.main()
