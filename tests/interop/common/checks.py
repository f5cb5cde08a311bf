"""What is checked and counted, and how mail servers are spoken to."""
import imaplib
import os
import smtplib
import subprocess
import traceback

from roost import NotHere, Trouble, until

SECRET = "secret"
MESSAGE = "From: ann@example.org\r\nSubject: {0}\r\nMessage-ID: <{0}@x>\r\n\r\nHello.\r\n"
count = {"passed": 0, "failed": 0, "skipped": 0}


def check(what, ok, seen=""):
    count["passed" if ok else "failed"] += 1
    print(("  ok   " if ok else "FAILED ") + what + ("" if ok else f": {seen}"), flush=True)


def says(what, reply, want="OK"):
    check(what, reply[0] == want, reply)


def imap(at, user, seconds=15):
    def ready():
        try:
            return imaplib.IMAP4(at, timeout=seconds)
        except (OSError, imaplib.IMAP4.abort):
            return None
    c = until(f"IMAP at {at}", ready)
    c.login(user, SECRET)
    return c


def deliver(at, rcpt, subject):
    with smtplib.LMTP(at, 24, timeout=15) as c:
        return c.sendmail("ann@example.org", [rcpt], MESSAGE.format(subject))


def subjects(client, mailbox="INBOX"):
    client.select(mailbox, readonly=True)
    _, data = client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    return [d[1].split(b":")[1].strip().decode() for d in data if isinstance(d, tuple)]


def roostctl(party, *args, stdin=None):
    return subprocess.run([os.path.join(party.bin, "roostctl"), "--config", party.config, *args],
                          input=stdin, capture_output=True, text=True, timeout=30)


def certificate(where, name, *more):
    """The paths of a certificate of its own signing and its key; more: options of openssl."""
    paths = f"{where}/cert.pem", f"{where}/key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}", "-days",
                    "2", "-keyout", paths[1], "-out", paths[0], *more], check=True,
                   capture_output=True)
    return paths


def run_scenarios(scenarios, new_box):
    """Each by name with a box of its own, which is kept when something failed. Without a box there
    are none; what only one needs, it alone is skipped without. The exit status."""
    for name, scenario in scenarios.items():
        print("--", name, flush=True)
        box, keep = None, True
        try:
            box = new_box(name)
            scenario(box)
            keep = count["failed"] > 0
        except NotHere as why:
            print("skipped:", why, flush=True)
            count["skipped"] += 1
            keep = False
            if box is None:
                break
        except Trouble as why:
            check(name, False, why)
        except Exception:
            check(name, False, traceback.format_exc())
        finally:
            if box is not None:
                box.end(keep)
    print("%(passed)d passed, %(failed)d failed, %(skipped)d skipped" % count)
    return 1 if count["failed"] else 0
