"""fetchmail: by POP3 and by IMAP, with STARTTLS, keeping and deleting."""
import os

import talk
from tool import certificate, folder, messages, sh, write
from world import PASSWORD

PACKAGES = ["fetchmail"]

RC = """
poll {host} with proto {proto} port {port}
  user "{user}" with password "{password}"
  sslproto "TLS1.2+" sslcommonname "mail.example.org" sslcertck sslcertfile "{cert}" {how}
  mda "cat >> {out}"
"""


def run(site, check):
    work = folder(site, "fetchmail")
    for proto, service in (("POP3", "pop3"), ("IMAP", "imap")):
        user = site.user("store1")
        for i in range(25):
            site.send(user, talk.message(f"number {i}\r\n"), f"fe{i % 2 + 1}")
        for how, left in (("keep", 25), ("fetchall nokeep", 0)):
            out = os.path.join(work, f"{proto}-{how.split()[0]}")
            host, port = site.cluster.at("fe2", service)
            rc = write(os.path.join(work, "rc"), RC.format(
                host=host, proto=proto, port=port, user=user, password=PASSWORD,
                cert=certificate(site), how=how, out=out))
            code, text = sh("fetchmail", "-f", rc, "-v", "--pidfile", os.path.join(work, "pid"),
                            "-i", os.path.join(work, "ids"), env={"HOME": work})
            got = open(out).read().count("number ") if os.path.exists(out) else 0
            check(f"fetchmail takes 25 messages by {proto} ({how})", code == 0 and got == 25,
                  (code, got, text))
            check(f"and leaves {left}", messages(site, user) == left)
