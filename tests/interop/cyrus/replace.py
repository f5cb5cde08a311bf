"""A Cyrus master is replaced by ours, and the way back: README's steps, one after the other. The
new master has an address of its own; each Cyrus server is told by mupdate_server and a restart."""
import re
import socket

from checks import check, deliver, imap, roostctl, says, subjects
from murder import check_lists, following, held, nothing_to_push, seen
from parties import BE1, BE2, FE, IDENTITIES, MASTER, REPLICA, SPARE
from roost import until


def listens(at):
    try:
        socket.create_connection((at, 3905), timeout=5).close()
        return True
    except OSError:
        return False


def point_at(host, master):
    """mupdate_server of imapd.conf, and a restart."""
    with open(host.path("imapd.conf")) as f:
        text = f.read()
    with open(host.path("imapd.conf"), "w") as f:
        f.write(re.sub(r"mupdate_server: \S+", f"mupdate_server: {master}", text))
    host.stop()
    host.start()


def point_replica_at(replica, master):
    """The same for a front end of ours: its setting master, and a restart of the replica."""
    with open(replica.config) as f:
        text = f.read()
    with open(replica.config, "w") as f:
        f.write(re.sub(r"\nmaster = \S+:", f"\nmaster = {master}:", text))
    replica.stop()
    replica.start("roost-mupdate")


def replica_has(replica, stores):
    """In step with its master, and with what the stores hold."""
    held_by = {n: at for s in stores for n, (at, _) in held(s).items()}
    until("our replica has the list", lambda: replica.status()["detail"]["master"] == "connected" and
          {name: at for name, at, _ in replica.names()} == held_by)


def scenario_replace(box):
    old = box.cyrus_master(MASTER)
    old.start()
    be1, be2 = box.store("be1", BE1), box.store("be2", BE2)
    until("the Cyrus master", lambda: listens(MASTER))
    be1.start()
    be2.start()
    says("a user under a Cyrus master", imap(BE1, "cyrus").create("user.fred"))
    says("and one on another store", imap(BE2, "cyrus").create("user.ann"))
    front = box.front("fe", FE)
    front.start()
    until("the front end follows it", lambda: len(seen(front)) == 2)
    replica = box.roost("replica", REPLICA,
                        f"[roost-mupdate]\nrole = replica\nlisten = {REPLICA}:3905\n"
                        f"master = {MASTER}:3905\nmaster_user = replica\n"
                        "master_password = secret\nretry_max = 500ms\nkeepalive = 500ms\n")
    replica.start("roost-mupdate")
    replica_has(replica, (be1, be2))
    check_forward(box, old, be1, be2, front, replica)
    check_back(old, be1, be2, front, replica)


def check_forward(box, old, be1, be2, front, replica):
    new = box.roost("new", SPARE,
                    f"[roost-mupdate]\nrole = master\nlisten = {SPARE}:3905\n"
                    f"data_dir = {{dir}}/map\nservers = {BE1} {BE2}\nread_only = fe replica\n"
                    + IDENTITIES.format(BE1, BE2))
    new.start("roost-mupdate")
    text = roostctl(new, "status").stdout
    check("the new master says whom it waits for", f"waits for {BE1}" in text and
          f"waits for {BE2}" in text, text)
    point_at(be1, SPARE)
    until("the first store has told", lambda: new.status()["detail"]["missing"] == [BE2])
    fred = imap(FE, "fred")
    says("the front end serves by its old list meanwhile", fred.select("INBOX"))
    check("and takes mail", deliver(FE, "fred", "meanwhile") == {})
    says("a store that has changed over makes no mailbox yet",
         imap(BE1, "cyrus").create("user.fred.early"), "NO")
    point_at(be2, SPARE)
    until("the list is complete", lambda: new.status()["detail"]["complete"])
    point_at(front, SPARE)
    until("the front end follows the new master", lambda: following(new))
    point_replica_at(replica, SPARE)
    replica_has(replica, (be1, be2))
    check("our replica has the new master's list", replica.find("user.fred")["server"] == BE1)
    check_lists("after the change", new, [be1, be2], front)
    for store in (be1, be2):
        nothing_to_push("after the change", new, store)
    done = roostctl(new, "reconcile")
    check("roostctl knows of no conflicts", "no conflicts" in done.stdout, done)
    old.stop()
    says("without the old master a mailbox is made", imap(BE1, "cyrus").create("user.fred.new"))
    check("and mail goes on", deliver(FE, "ann", "after") == {} and
          subjects(imap(FE, "ann")) == ["after"])
    fred.shutdown()


def check_back(old, be1, be2, front, replica):
    """The old master has missed user.fred.new: the stores tell it when they start."""
    old.start()
    until("the Cyrus master", lambda: listens(MASTER))
    for host in (be1, be2):
        point_at(host, MASTER)
    point_at(front, MASTER)
    both = {**held(be1), **held(be2)}
    until("the front end has the way back", lambda: seen(front) == both)
    point_replica_at(replica, MASTER)
    replica_has(replica, (be1, be2))
    check("nothing is lost on the way back", "user.fred.new" in seen(front), seen(front))
    check("the user has his mail", subjects(imap(FE, "fred")) == ["meanwhile"])
