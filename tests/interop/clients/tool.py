"""What the scripts of this folder share."""
import os
import pty
import re
import select
import subprocess
import time

import mails


def sh(*args, stdin=None, timeout=120, env=None):
    """Exit status and all that was printed."""
    done = subprocess.run([str(a) for a in args], input=stdin, capture_output=True, text=True,
                          timeout=timeout, env=dict(os.environ, **(env or {})), errors="replace")
    return done.returncode, done.stdout + done.stderr


def folder(site, name):
    path = os.path.join(site.cluster.dir, "tmp", name)
    os.makedirs(path, exist_ok=True)
    return path


def write(path, text, mode=0o600):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as f:
        f.write(text)
    return path


def certificate(site):
    return os.path.join(site.cluster.dir, "tls", "cert.pem")


def raw_mail(make, to):
    """A message of deploy/demo/mails.py as bytes with CRLF."""
    return re.sub(rb"\r?\n", b"\r\n", bytes(make("dora@sender.example.net", to)))


def fill(site, user, count, size=600):
    """`count` messages in the user's INBOX, by MULTIAPPEND."""
    client = site.raw_imap(user)
    for start in range(0, count, 200):
        many = [raw_mail(mails.plain, user) + b"%d\r\n" % i + b"x" * (i % size) + b"\r\n"
                for i in range(start, min(start + 200, count))]
        lines = client.append("INBOX", *many)
        if b" OK " not in lines[-1]:
            raise RuntimeError(lines[-1])
    client.close()


def messages(site, user, mailbox="INBOX"):
    client = site.raw_imap(user, "fe2")
    lines = client.ok(f"STATUS {mailbox} (MESSAGES)")
    client.close()
    return int(re.search(rb"MESSAGES (\d+)", b"\n".join(lines)).group(1))


def on_terminal(args, seconds, env=None):
    """Runs a full-screen program on a terminal of its own; its exit status and its screen."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(env or {}, TERM="xterm")
        os.execvp(args[0], args)
    out, end = b"", time.monotonic() + seconds
    while time.monotonic() < end:
        if select.select([fd], [], [], 0.2)[0]:
            try:
                data = os.read(fd, 65536)
            except OSError:
                data = b""
            if not data:
                break
            out += data
    else:
        os.kill(pid, 9)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(fd)
    return status, out.decode(errors="replace")
