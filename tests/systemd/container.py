#!/usr/bin/env python3
"""What tests/e2e/test_systemd.py runs within a container, as its ordinary user.

container.py COMMAND…   starts it, sends a message, sees it delivered, ends it.
"""
import os
import pathlib
import signal
import smtplib
import subprocess
import sys
import time


def main():
    assert os.getuid() != 0
    service = subprocess.Popen(sys.argv[1:], stderr=subprocess.PIPE, text=True)
    for line in service.stderr:
        sys.stdout.write(line)
        if "event=ready" in line:
            break
    with smtplib.SMTP("127.0.0.1", 2525, "client.example", timeout=30) as s:
        s.sendmail("x@client.example", ["ann@example.org"], b"Subject: contained\r\n\r\nx\r\n")
    new = pathlib.Path("/mail/boxes/example.org/ann/new")
    end = time.monotonic() + 20
    while not (new.exists() and list(new.iterdir())):
        assert time.monotonic() < end, "not delivered"
        time.sleep(0.05)
    assert "Subject: contained" in next(new.iterdir()).read_text()
    subprocess.run(["/usr/bin/sallyport", "queue", "count"], check=True)
    service.send_signal(signal.SIGTERM)
    print(service.stderr.read())
    assert service.wait(30) == 0
    print("contained")


if __name__ == "__main__":
    main()
