"""mbsync: a mailbox of 2,000 messages into a Maildir, and changes both ways; shared folders on
two stores."""
import os
import time

import mails
import talk
from tool import certificate, fill, folder, messages, raw_mail, sh, write
from world import PASSWORD

PACKAGES = ["isync"]
COUNT = 2000

RC = """
IMAPAccount roost
Host {host}
Port {port}
User {user}
Pass "{password}"
SSLType None

IMAPStore far
Account roost

MaildirStore near
Path {near}/
Inbox {near}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Remove Both
Expunge Both
SyncState *
"""


def maildir(path):
    return sorted(os.path.join(path, d, f) for d in ("cur", "new")
                  for f in os.listdir(os.path.join(path, d)))


class Mbsync:
    def __init__(self, site, user, name="mbsync"):
        self.work = folder(site, name)
        self.near = os.path.join(self.work, "near")
        os.makedirs(self.near, exist_ok=True)
        self.rc = {}
        for front in site.cluster.fronts:
            host, port = site.cluster.at(front, "imap")
            self.rc[front] = write(os.path.join(self.work, front + ".rc"), RC.format(
                host=host, port=port, user=user, password=PASSWORD, cert=certificate(site),
                near=self.near))

    def sync(self, front):
        start = time.monotonic()
        code, text = sh("mbsync", "-c", self.rc[front], "-V", "-a", timeout=300)
        return code, text, time.monotonic() - start


def run(site, check):
    user = site.user("store1")
    fill(site, user, COUNT)
    m = Mbsync(site, user)
    code, text, seconds = m.sync("fe1")
    inbox = os.path.join(m.near, "INBOX")
    check(f"mbsync pulls {COUNT} messages ({seconds:.1f} s)",
          code == 0 and len(maildir(inbox)) == COUNT, (code, text))
    check("folders came along", os.path.isdir(os.path.join(m.near, "Sent")), text)
    code, text, seconds = m.sync("fe2")
    check(f"a second run through the other front end finds nothing to do ({seconds:.1f} s)",
          code == 0 and len(maildir(inbox)) == COUNT, (code, text))
    push(site, check, m, user, inbox)
    both(site, check, m, user, inbox)
    shared(site, check)


def push(site, check, m, user, inbox):
    """200 messages more and a folder, made here."""
    idents = []
    for i in range(200):
        raw = raw_mail(mails.ALL[i % 3], user)
        idents.append(next(x.split(b" ", 1)[1] for x in raw.split(b"\r\n")
                           if x.lower().startswith(b"message-id:")).decode())
        with open(os.path.join(inbox, "cur", f"{i}.push.here:2,S"), "wb") as f:
            f.write(raw.replace(b"\r\n", b"\n"))
    for d in ("cur", "new", "tmp"):
        os.makedirs(os.path.join(m.near, "made-here", d))
    code, text, seconds = m.sync("fe2")
    check(f"mbsync pushes 200 messages ({seconds:.1f} s)",
          code == 0 and messages(site, user) == COUNT + 200, (code, text))
    check("each is there once, byte for byte as mbsync sends it",
          all(site.count(user, i, "fe1") == 1 for i in idents[::40]))
    check("a folder made here is there", messages(site, user, "made-here") == 0)


def both(site, check, m, user, inbox):
    """Changes on both sides in one run."""
    client = site.raw_imap(user, "fe1", "INBOX")
    client.ok("STORE 1:50 +FLAGS.SILENT (\\Deleted)")
    client.ok("EXPUNGE")
    client.ok("STORE 1:10 +FLAGS.SILENT (\\Flagged)")
    client.append("INBOX", talk.message(subject="new on the server"))
    for path in [p for p in maildir(inbox) if ".push.here" in p or ",S" in p][:30]:
        os.unlink(path)
    code, text, seconds = m.sync("fe1")
    want = COUNT + 200 - 50 - 30 + 1
    check(f"changes of both sides meet ({seconds:.1f} s)",
          code == 0 and len(maildir(inbox)) == want == messages(site, user),
          (code, len(maildir(inbox)), messages(site, user), want, text))
    flagged = [p for p in maildir(inbox) if "F" in p.rsplit(",", 1)[-1]]
    check("flags arrived", len(flagged) == 10, len(flagged))
    client.close()


def shared(site, check):
    """The user's own folders, one of another user and two of nobody, on both stores."""
    user, owner = site.user("store1"), site.user("store2")
    boxes = {"Shared Folders/sync-a": "store1", "Shared Folders/sync-b": "store2"}
    for box, store in boxes.items():
        name = box.split("/")[1]
        site.cluster.ctl(store, "mailbox", "create", name, "--store", store)
        site.cluster.ctl(store, "mailbox", "acl", "set", name, "anyone", "lrswipkxte")
    client = site.raw_imap(owner)
    client.ok("CREATE Team")
    client.ok(f"SETACL Team {user} lrswite")
    client.close()
    boxes[f"Other Users/{owner.split('@')[0]}/Team"] = "store2"
    client = site.raw_imap(user, "fe2")
    for box in boxes:
        for i in range(20):
            client.append(f'"{box}"', talk.message(subject=f"{box} {i}"))
    m = Mbsync(site, user, "mbsync-shared")
    code, text, seconds = m.sync("fe1")
    near = {box: os.path.join(m.near, box) for box in boxes}
    check(f"mbsync pulls shared folders of two stores ({seconds:.1f} s)",
          code == 0 and all(len(maildir(p)) == 20 for p in near.values()), (code, text))
    for box, path in near.items():
        for i in range(10):
            with open(os.path.join(path, "cur", f"{i}.push.shared:2,F"), "wb") as f:
                f.write(raw_mail(mails.plain, user).replace(b"\r\n", b"\n"))
        client.ok(f'SELECT "{box}"')
        client.ok(r"STORE 1:5 +FLAGS.SILENT (\Deleted)")
        client.ok("EXPUNGE")
    code, text, seconds = m.sync("fe2")
    check(f"changes of both sides meet in all of them ({seconds:.1f} s)",
          code == 0 and all(len(maildir(p)) == 25 == messages(site, user, f'"{box}"')
                            for box, p in near.items()), (code, text))
    code, text, seconds = m.sync("fe1")
    check("then there is nothing to do", code == 0 and
          all(len(maildir(p)) == 25 for p in near.values()), (code, text))
    client.close()
