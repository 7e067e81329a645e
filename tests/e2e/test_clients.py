"""Clients that nobody here wrote: python's smtplib, and swaks."""
import smtplib
import subprocess
import unittest

from harness import NOBODY, Service, directory, maildir, wait_for


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.box = directory("box", NOBODY)
        cls.service = Service(f'domain "example.org" {{ users = "any" '
                              f'deliver = "maildir:{cls.box}/%u" }}\n')

    @classmethod
    def tearDownClass(cls):
        assert cls.service.stop() == 0

    def test_smtplib(self):
        with smtplib.SMTP("127.0.0.1", self.service.port) as s:
            s.ehlo("py.example")
            self.assertTrue(s.has_extn("pipelining"))
            refused = s.sendmail("a@py.example", ["py1@example.org", "py2@example.org"],
                                 "Subject: from python\r\n\r\n.leading dot\r\n")
            self.assertEqual(refused, {})
            self.assertEqual(s.verify("py1")[0], 250)
            with self.assertRaises(smtplib.SMTPResponseException):
                s.sendmail("not an address", ["py1@example.org"], "x")
        for name in ("py1", "py2"):
            wait_for(lambda: maildir(self.box / name))
            self.assertTrue(maildir(self.box / name)[0].endswith(b"\n\n.leading dot\n"))

    def test_swaks(self):
        for extra in ((), ("--pipeline",)):
            done = subprocess.run(
                ["swaks", "--server", f"127.0.0.1:{self.service.port}", "--from", "a@sw.example",
                 "--to", "sw@example.org", "--ehlo", "sw.example", "--header",
                 "Subject: from swaks", "--body", "hello", *extra],
                capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertIn("queued", done.stdout)
        wait_for(lambda: len(maildir(self.box / "sw")) == 2)
        self.assertIn(b"Subject: from swaks\n", maildir(self.box / "sw")[0])


if __name__ == "__main__":
    unittest.main()
