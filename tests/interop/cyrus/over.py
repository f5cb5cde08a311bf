"""A user goes from a Cyrus store to one of ours and back, in a cluster with both: on Cyrus the
mailboxes have another name meanwhile, and our front end copies between the two."""
import lab
from checks import MESSAGE, check, imap, roostctl, says, subjects
from mixed import DOMAIN
from parties import BE1, FE, SPARE
from roost import until
from sessions import parties

SUBJECTS = ["1", "2", "3"]


def found_at(master, name, server):
    return until(f"{name} on {server}", lambda: master.find(name).get("server") == server)


def done(what, result):
    check(what, result.returncode == 0, result.stdout + result.stderr)


def copy(client, source, sink):
    """Everything in it, and how it is there."""
    client.select(source)
    says(f"{source} is copied", client.copy("1:*", sink))
    check("all of it", subjects(client, sink) == SUBJECTS, subjects(client, sink))
    client.select(sink, readonly=True)
    return b"".join(client.fetch("1:*", "(FLAGS)")[1])


def scenario_over(box):
    master, be1, admin = parties(box)
    store, front = box.parties[2:4]
    done("an account on Cyrus", roostctl(front, "user", "add", f"ann@{DOMAIN}", "--store", BE1,
                                         "--password-stdin", stdin=lab.SECRET + "\n"))
    for name in ("user/ann", "user/ann/Sent"):
        says("Cyrus makes " + name, admin.create(name))
    ann = imap(FE, f"ann@{DOMAIN}")
    for i in SUBJECTS:
        ann.append("Sent", r"\Flagged", None, MESSAGE.format(i).encode())
    over(master, store, admin)
    back(master, store, admin)


def over(master, store, admin):
    says("Cyrus gives the old ones another name", admin.rename("user/ann", "user/annold"))
    found_at(master, "user.annold.Sent", BE1)
    done("ours makes new ones", roostctl(store, "mailbox", "create", "user.ann", "--store", SPARE))
    found_at(master, "user.ann.Sent", SPARE)
    for name in ("user/annold", "user/annold/Sent"):
        admin.setacl(name, "ann", "lrs")
    ann = imap(FE, f"ann@{DOMAIN}")
    until("her old ones to be seen", lambda: b"annold/Sent" in b"".join(ann.list()[1]))
    flags = copy(ann, '"Other Users/annold/Sent"', "Sent")
    check("with flags", flags.count(b"Flagged") == len(SUBJECTS), flags)
    for name in ("user/annold/Sent", "user/annold"):
        admin.setacl(name, "cyrus", "lrswipkxtecda")
    says("and the old ones go", admin.delete("user/annold"))


def back(master, store, admin):
    """fred, whose home is with us, sees both sides; one at home on Cyrus has that store only. Our
    stores give no INBOX another name, so the new ones begin with one."""
    for name in ("user/annnew", "user/annnew/Sent"):
        says("Cyrus makes " + name, admin.create(name))
        admin.setacl(name, "fred", "lrswite")
        admin.setacl(name, "cyrus", "lrswipkxtecda")
    done("who copies may read the old ones", roostctl(
        store, "mailbox", "acl", "set", "user.ann.Sent", f"fred@{DOMAIN}", "lrs"))
    fred = imap(FE, f"fred@{DOMAIN}")

    def seen():
        names = b"".join(fred.list()[1])
        return b"ann/Sent" in names and b"annnew/Sent" in names
    until("both to be seen", seen)
    flags = copy(fred, '"Other Users/ann/Sent"', '"Other Users/annnew/Sent"')
    check("with flags", flags.count(b"Flagged") == len(SUBJECTS), flags)
    done("the old ones go", roostctl(store, "mailbox", "delete", "user.ann", "--tree"))
    says("and the new ones get her name", admin.rename("user/annnew", "user/ann"))
    found_at(master, "user.ann.Sent", BE1)
    check("she reads them on Cyrus", subjects(imap(FE, f"ann@{DOMAIN}"), "Sent") == SUBJECTS)
    check("and nothing else is left", master.find("user.ann.Drafts")["found"] == "none")
