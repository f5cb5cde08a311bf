"""Scenarios with Cyrus stores and a Cyrus front end under our location master: every kind of name
and change, moves, pushes, conflicts, identities, restarts. Cyrus compares lists of ours with its
own line by line (ctl_mboxlist, the front end's mupdate), so the names here are those that it sorts
in another way than bytes."""
import imaplib
import json
import os
import poplib
import shutil
import signal
import smtplib
import threading
import time

import lab
from checks import MESSAGE, check, deliver, imap, says, subjects
from mixed import Raw
from parties import BE1, BE2, FE, MASTER, our_master
from roost import until

DELAYED = {"delete_mode": "delayed"}
# Names Cyrus keeps "." and "^" of as octets of their own: "fred.a" before "fred-x".
SORTED_OTHERWISE = ["user.fred", "user.fred.a", "user.fred.a.c", "user.fred.a b", "user.fred-x",
                    "user.fred-x.Sent", "user.fred^doe", "user.fred1"]


def quoted(name):
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def make(client, names):
    for name in names:
        says(f"a Cyrus store creates {name}", client.create(quoted(name)))


def acl_of(text):
    parts = text.split("\t")
    return dict(zip(parts[::2], parts[1::2]))


def listed(master):
    """Our list: name -> (server, ACL)."""
    found = master.ctl({"cmd": "list", "prefix": ""})["locations"]
    return {x["mailbox"]: (x["server"], acl_of(x["acl"])) for x in found if x["state"] == "active"}


def dumped(host):
    """What a Cyrus server has in its own list, without what it remembers of deleted ones."""
    entries = json.loads(host.tool("ctl_mboxlist", "-d").stdout)
    return {n: e for n, e in entries.items() if "d" not in e["mbtype"]}


def held(host):
    return {n: (host.ip, e["acl"]) for n, e in dumped(host).items()}


def seen(front):
    return {n: (e["server"], e["acl"]) for n, e in dumped(front).items()}


def differs(a, b):
    return {n: (a.get(n), b.get(n)) for n in set(a) | set(b) if a.get(n) != b.get(n)}


def check_lists(what, master, stores, front=None):
    ours, theirs = listed(master), {}
    for store in stores:
        theirs.update(held(store))
    check(f"{what}: our list is what the stores have", ours == theirs, differs(ours, theirs))
    if front is not None:
        until_seen(what, master, front)


def until_seen(what, master, front):
    try:
        until("the front end to follow", lambda: seen(front) == listed(master), 15)
    finally:
        check(f"{what}: the front end has the same list", seen(front) == listed(master),
              differs(seen(front), listed(master)))


def push(store, *options, stdin=None):
    return store.tool("ctl_mboxlist", "-m", *options, stdin=stdin)


def nothing_to_push(what, master, store):
    """Cyrus tells no partition of what was renamed or deleted for later; a push does."""
    locations = master.ctl({"cmd": "list", "prefix": ""})["locations"]
    may = {"Force Activate: " + x["mailbox"] for x in locations if x["partition"] == ""}
    done = push(store, "-w")
    check(f"{what}: ctl_mboxlist -mw of {store.ip} has nothing to change", done.returncode == 0 and
          set(done.stdout.splitlines()) <= may, (done.stdout, done.stderr))


def complete_master(box):
    master = our_master(box)
    master.start("roost-mupdate")
    master.ctl({"cmd": "reconcile", "complete": "*"})
    return master


def following(master):
    return [p for p in master.status()["detail"]["peers"] if p["kind"] == "replica"]


def started_front(box, master, **more):
    front = box.front("fe", FE, **more)
    front.start()
    until("the Cyrus front end follows our list", lambda: following(master))
    return front


# ---- names ------------------------------------------------------------------------------------

def scenario_names(box):
    master = complete_master(box)
    plain = box.store("be1", BE1, more={"delete_mode": "immediate", "partition-second": box.sub("be1/second")})
    domains = box.store("be2", BE2, more={
        **DELAYED, "virtdomains": "userid", "defaultdomain": "example.org",
        "unixhierarchysep": "yes", "altnamespace": "yes"})
    plain.start()
    domains.start()
    check_plain(master, plain)
    check_domains(master, domains, plain)
    front = started_front(box, master)
    check_lists("names of all kinds", master, [plain, domains], front)
    master.stop()
    master.start("roost-mupdate")
    until("the front end to come back", lambda: following(master))
    check_lists("after a restart of our master", master, [plain, domains], front)
    nothing_to_push("names of all kinds", master, plain)
    front.stop()
    admin = imap(BE1, "cyrus")
    admin.setacl('"user.fred.a b"', "cyrus", "lrswipkxtecda")
    says("the last folder goes while the front end is away", admin.delete('"user.fred.a b"'))
    push(plain)
    front.start()
    until("the front end to come back", lambda: following(master))
    check_lists("and nothing else for the front end", master, [plain, domains], front)


def check_plain(master, store):
    admin = imap(BE1, "cyrus")
    make(admin, SORTED_OTHERWISE + ["user.ann", "user.ann.Entw&APw-rfe", "user.ann.(x) $ 1",
                                    "user.ann." + "n" * 200 + "." + "m" * 200, "lists", "lists.x"])
    says("and one on another partition", admin.xatom("CREATE", "user.bob", "second"))
    check("where it is", master.find("user.bob").get("partition") == "second",
          master.find("user.bob"))
    says("ACLs", admin.setacl("user.fred", "-anyone", "lrs"))
    says("of groups", admin.setacl("lists.x", "group:staff", "lrswi"))
    says("quotas", admin.setquota("user.fred", "(STORAGE 1000)"))
    check_lists("made", master, [store])
    says("a tree gets another name", admin.rename("user.fred", "user.frieda"))
    says("and another partition", admin.xatom("RENAME", "user.frieda", "user.frieda", "second"))
    check("with all below it", {x["partition"] for x in master.ctl(
        {"cmd": "list", "prefix": "user.frieda"})["locations"]} == {"second"})
    says("a folder gets another name", admin.rename("lists.x", '"lists.x y"'))
    admin.setacl("user.bob", "cyrus", "lrswipkxtecda")
    says("a user is deleted at once", admin.delete("user.bob"))
    push(store)  # Cyrus 3.6 forgets to tell
    check("and gone after a push", master.find("user.bob")["found"] == "none", master.find("user.bob"))
    says("back to the old name", admin.rename("user.frieda", "user.fred"))
    check_lists("changed", master, [store])
    nothing_to_push("changed", master, store)


def check_domains(master, store, other):
    admin = imap(BE2, "cyrus")
    make(admin, ["user/john.doe", "user/john.doe/x.y", "user/john1", "user/x@other.org",
                 "user/x/Sent Items@other.org", "user/x/Sent@other.org", "news@other.org",
                 "user/x-y@other.org"])
    check("names with domains and dots are in the list", {
        "user.john^doe", "user.john^doe.x^y", "user.john1", "other.org!user.x",
        "other.org!user.x.Sent Items", "other.org!news"} <= set(listed(master)), listed(master))
    says("ACLs of users with a domain", admin.setacl("user/john.doe", "x@other.org", "lrs"))
    says("renamed into another domain", admin.rename('"user/x@other.org"', '"user/z@third.org"'))
    admin.setacl("user/john1", "cyrus", "lrswipkxtecda")
    says("deleted for later", admin.delete("user/john1"))
    gone = [n for n in listed(master) if n.startswith("DELETED.user.john1.")]
    check("is told as DELETED", len(gone) == 1, listed(master))
    check_lists("with domains", master, [store, other])
    says("and back", admin.rename(
        quoted(gone[0].replace(".", "/")), "user/john1"))
    check("is in the list again", master.find("user.john1").get("server") == BE2)
    admin.delete("user/john1")
    done = store.tool("cyr_expire", "-E", "1", "-D", "0", "-X", "0")
    check("expired for good", done.returncode == 0 and not [
        n for n in listed(master) if n.startswith("DELETED")], (done.stderr, listed(master)))


# ---- moves -------------------------------------------------------------------------------------

def scenario_xfer(box):
    master = complete_master(box)
    be1, be2 = box.store("be1", BE1, more=DELAYED), box.store("be2", BE2, more=DELAYED)
    be1.start()
    be2.start()
    front = started_front(box, master)
    admin = imap(BE1, "cyrus")
    make(admin, SORTED_OTHERWISE + ["lists"])
    imap(BE1, "fred").append("INBOX", None, None, MESSAGE.format("moved").encode())
    admin.setacl("user.fred.a.c", "cyrus", "lrswipkxtecda")
    says("a folder is deleted for later", admin.delete("user.fred.a.c"))
    says("a user is moved (XFER)", admin.xatom("XFER", "user.fred", BE2))
    check("all of his is there", {at for n, (at, _) in listed(master).items() if n == "user.fred" or
                                  ".user.fred." in "." + n} == {BE2}, listed(master))
    check("and nothing else", {at for n, (at, _) in listed(master).items()
                               if n[:10] in ("user.fred-", "user.fred1", "user.fred^")} == {BE1})
    check_lists("moved", master, [be1, be2], front)
    nothing_to_push("moved", master, be1)
    nothing_to_push("moved", master, be2)
    check("his mail is there", subjects(imap(FE, "fred")) == ["moved"])
    back = imap(BE2, "cyrus")
    be1.stop()
    says("to a store that is away he is not moved", back.xatom("XFER", "user.fred", BE1), "NO")
    check_lists("not moved", master, [be1, be2], front)
    be1.start()
    imap(BE1, "cyrus")
    says("and back he is", back.xatom("XFER", "user.fred", BE1))
    check_lists("moved back", master, [be1, be2], front)
    check_broken_move(master, be1, be2)
    check_refused_rename(master, front)
    check_shared_move(master, be1)


def check_broken_move(master, source, target):
    """XFER deletes the source's copy also when the target died before it had the name. A Cyrus
    push deletes what its list says another server has, be it only reserved."""
    admin = imap(BE2, "cyrus")
    make(admin, ["user.joe"])
    admin.setacl("user.joe", "cyrus", "lrsip")
    message = MESSAGE.format("the only copy").encode()
    says("with mail", admin.append("user.joe", None, None, message))
    Raw(MASTER, "be2").ask('DELETE "user.joe"')
    raw = Raw(MASTER, "be1")
    raw.ask(f'ACTIVATE "user.joe" "{BE1}!default" "joe\tlrs\t"')
    raw.ask(f'DEACTIVATE "user.joe" "{BE1}!default"')
    for where, option in ((target, "-w"), (target, "-a"), (target, None)):
        done = push(where, *([option] if option else []))
        check(f"a move that broke off: the target keeps its copy ({option})",
              "Remove Local" not in done.stdout and "user.joe" in dumped(target), done)
    check("and the name is as it was", master.find("user.joe")["found"] == "reserved")
    push(source)
    check("the source has none, and lets go", master.find("user.joe")["found"] == "none")
    push(target)
    check("then the target has the name", at(master, "user.joe") == BE2, master.find("user.joe"))
    check("and the mail", subjects(admin, "user.joe") == ["the only copy"])


def check_refused_rename(master, front):
    """Cyrus deletes the old name before it hears that it does not get the new one."""
    admin = imap(BE1, "cyrus")
    says("a user does not get the name of another store's",
         admin.rename("user.fred1", "user.joe"), "NO")
    check("and keeps his own in the list", at(master, "user.fred1") == BE1)
    until_seen("after a rename that was refused", master, front)
    says("a free name he gets", admin.rename("user.fred1", "user.fred2"))
    check("which the list has", at(master, "user.fred2") == BE1 and
          master.find("user.fred1")["found"] == "none")


def check_shared_move(master, be1):
    """Cyrus 3.6.1 dies of an assertion when it moves a shared mailbox; later ones do not."""
    before = listed(master)
    try:
        moved = imap(BE1, "cyrus").xatom("XFER", "lists", BE2)[0] == "OK"
    except imaplib.IMAP4.abort:
        moved = False
    if moved:
        check("a shared mailbox is moved", listed(master)["lists"][0] == BE2)
        return
    check("one whose move broke off waits for its store",
          master.find("lists").get("found") in ("reserved", "found"), master.find("lists"))
    check("which puts it right by a push", push(be1).returncode == 0 and listed(master) == before,
          differs(before, listed(master)))


# ---- pushes, and who gets a name -----------------------------------------------------------------

def start_anew(master):
    master.stop()
    shutil.rmtree(os.path.join(master.dir, "map"))
    master.start("roost-mupdate")


def two_claims(box, master):
    """user.fred on two stores: the list was lost and called complete too early."""
    be1, be2 = box.store("be1", BE1), box.store("be2", BE2)
    be1.start()
    be2.start()
    make(imap(BE1, "cyrus"), SORTED_OTHERWISE)
    start_anew(master)
    master.ctl({"cmd": "reconcile", "complete": "*"})
    make(imap(BE2, "cyrus"), ["user.fred", "user.ann"])
    return be1, be2


def at(master, name):
    return master.find(name).get("server")


def complete(master):
    return master.status()["detail"]["complete"]


def scenario_push(box):
    master = complete_master(box)
    be1, be2 = two_claims(box, master)
    front = started_front(box, master)
    before = seen(front)
    start_anew(master)
    done = push(be1, "-w")
    check("a dry push shows what it would do", done.returncode == 0 and "Force Activate: user.fred-x"
          in done.stdout.splitlines(), (done.stdout, done.stderr))
    check("and counts for nothing", listed(master) == {} and be1.ip in master.status()["detail"]
          ["missing"])
    check("a push", push(be1).returncode == 0 and not complete(master))
    done = push(be2, "-a")
    check("a push that holds its own list for the right one does not get what another has",
          at(master, "user.fred") == BE1 and "user.fred" in done.stderr, done)
    check("and what nobody has it gets", at(master, "user.ann") == BE2)
    check("the list is complete", complete(master))
    check("who was refused is listed", master.ctl({"cmd": "conflicts"})["conflicts"] ==
          [{"mailbox": "user.fred", "server": BE2}], master.ctl({"cmd": "conflicts"}))
    check("the front end was never told less", set(before) <= set(seen(front)), seen(front))
    until_seen("pushed", master, front)
    done = push(be2, "-i", stdin="n\n")
    check("a push that asks before it deletes", "OK to delete 1" in done.stderr and
          "user.fred" in dumped(be2), done)
    check("one that does not ask deletes the copy that lost", push(be2).returncode == 0 and
          "user.fred" not in dumped(be2), dumped(be2))
    check("and our list stays", at(master, "user.fred") == BE1)
    check_without_master(master, be1, front)


def check_without_master(master, store, front):
    master.stop()
    check("a push without a master says so", push(store).returncode == 1)
    admin = imap(BE1, "cyrus")
    says("nothing is made without it", admin.create("user.later"), "NO")
    store.stop()
    store.start()
    check("a store that begins with a push does not start without it",
          store.process.wait(10) != 0)
    store.stop()
    master.start("roost-mupdate")
    store.start()
    says("and with it again", imap(BE1, "cyrus").create("user.later"))
    until("the front end to come back", lambda: following(master))
    until_seen("after all restarts", master, front)


def scenario_takeover(box):
    master = box.roost("master", MASTER, MASTER_SETTINGS + "activate = takeover\n" + "".join(
        identity(name, server) for name, server in (("be1", BE1), ("be2", BE2))))
    master.start("roost-mupdate")
    master.ctl({"cmd": "reconcile", "complete": "*"})
    be1, be2 = two_claims(box, master)
    check("the list has the store that came last", at(master, "user.fred") == BE2)
    done = push(be1, "-a")
    check("takeover: a push with -a gets what another has", done.returncode == 0 and
          at(master, "user.fred") == BE1, done)
    check("which is no conflict", master.ctl({"cmd": "conflicts"})["conflicts"] == [])
    done = push(be2, "-w")
    check("the other one would let go of it", done.stdout == "Remove Local Mailbox: user.fred\n", done)


MASTER_SETTINGS = (f"[roost-mupdate]\nrole = master\nlisten = {MASTER}:3905\n"
                   f"data_dir = {{dir}}/map\nservers = {BE1} {BE2}\nread_only = fe\n")


def identity(name, *servers):
    return (f"[identity {name}]\npassword = {lab.SECRET}\nservices = mupdate\n" +
            (f"servers = {' '.join(servers)}\n" if servers else ""))


def scenario_identities(box):
    master = box.roost("master", MASTER, MASTER_SETTINGS + identity("be1", BE1) +
                       identity("all") + identity("fe") + "[identity web]\npassword = secret\n"
                       "services = imap\n")
    master.start("roost-mupdate")
    master.ctl({"cmd": "reconcile", "complete": "*"})

    def store_as(name, number, who):
        store = box.store(name, number, pushes=False, more={
            "mupdate_username": who, "mupdate_authname": who})
        store.start()
        return imap(number, "cyrus")
    says("one identity for all stores", store_as("one", BE1, "all").create("user.a"))
    says("speaks for each", store_as("two", BE2, "all").create("user.b"))
    for party in box.parties[1:]:
        party.stop()
    says("one of its own", store_as("own", BE1, "be1").create("user.c"))
    wrong = store_as("wrong", BE2, "be1")
    says("speaks for no other store", wrong.create("user.d"), "NO")
    says("nor takes its names away", wrong.rename("user.b", "user.e"), "NO")
    check("the list is as it was", {n: s for n, (s, _) in listed(master).items()} ==
          {"user.a": BE1, "user.b": BE2, "user.c": BE1}, listed(master))
    for party in box.parties[1:]:
        party.stop()
    for who in ("fe", "web", "nobody"):
        says(f"{who} makes nothing", store_as(who, BE1, who).create("user.f"), "NO")
        box.parties[-1].stop()
    check("nothing was made", "user.f" not in listed(master))


# ---- a Cyrus front end in bad times --------------------------------------------------------------

class Load:
    """Threads that change and read until they are told to stop; what must not be is noted."""

    def __init__(self):
        self.ending = threading.Event()
        self.wrong, self.done = [], {}
        self.threads = []

    def start(self, name, step):
        def run():
            i = 0
            while not self.ending.is_set():
                try:
                    if step(i):
                        self.done[name] = self.done.get(name, 0) + 1
                except (imaplib.IMAP4.abort, OSError, EOFError):
                    pass  # a server went away
                except (imaplib.IMAP4.error, poplib.error_proto, smtplib.SMTPException) as why:
                    self.note(name, str(why))
                i += 1
                time.sleep(0.02)
        thread = threading.Thread(target=run)
        thread.start()
        self.threads.append(thread)

    def note(self, name, text):
        # Cyrus does not look why a user's name is not there: but these are not "gone"
        if "NONEXISTENT" in text or "does not exist" in text or text[:1] == "5":
            self.wrong.append((name, text))

    def stop(self):
        self.ending.set()
        for thread in self.threads:
            thread.join(30)


def changes(at_store, user):
    """Makes, renames and deletes folders of a user."""
    client = [imap(at_store, "cyrus")]
    client[0].setacl(f"user.{user}", "cyrus", "lrswipkxtecda")

    def step(i):
        name, other = f"user.{user}.l{i}", f"user.{user}.m{i}"
        try:
            return (client[0].create(name)[0], client[0].rename(name, other)[0],
                    client[0].delete(other)[0] if i % 2 else "OK") == ("OK", "OK", "OK")
        except (imaplib.IMAP4.abort, OSError):
            client[0] = imap(at_store, "cyrus")
            raise
    return step


def deliveries(load, user):
    def step(i):
        try:
            deliver(FE, user, str(i))
        except smtplib.SMTPRecipientsRefused as why:
            load.note("lmtp " + user, str(list(why.recipients.values())[0][0]))
            return False
        return True
    return step


def logins(load, user):
    def step(i):
        if i % 2:
            client = poplib.POP3(FE, 110, timeout=15)
            client.user(user)
            client.pass_(lab.SECRET)
            client.quit()
            return True
        client = imaplib.IMAP4(FE, timeout=15)
        client.login(user, lab.SECRET)
        typ, data = client.select("INBOX")
        if typ != "OK":
            load.note("imap " + user, str(data))
        client.logout()
        return typ == "OK"
    return step


def scenario_slave(box):
    master = complete_master(box)
    be1, be2 = box.store("be1", BE1), box.store("be2", BE2)
    be1.start()
    be2.start()
    make(imap(BE1, "cyrus"), SORTED_OTHERWISE + ["user.bob"])
    make(imap(BE2, "cyrus"), ["user.ann", "user.joe"])
    front = started_front(box, master)
    until_seen("at the start", master, front)
    load = Load()
    load.start("changes 1", changes(BE1, "bob"))
    load.start("changes 2", changes(BE2, "joe"))
    for user in ("fred", "ann"):
        load.start("mail for " + user, deliveries(load, user))
        load.start("logins of " + user, logins(load, user))
    try:
        bad_times(master, be1, be2)
    finally:
        load.stop()
    check("nobody was told that a mailbox is gone", load.wrong == [], load.wrong[:5])
    check("and all went on", len(load.done) == 6 and min(load.done.values()) > 1, load.done)
    until("the front end follows", lambda: following(master), 30)
    for store in (be1, be2):
        push(store)  # a change beside a push, or one that lost its master, can be told wrongly
    check_lists("after bad times", master, [be1, be2], front)


def bad_times(master, be1, be2):
    for how in (signal.SIGTERM, signal.SIGKILL):
        time.sleep(0.5)
        for process in master.programs.values():
            process.send_signal(how)
            process.wait(10)
        time.sleep(0.2)
        master.start("roost-mupdate")
        until("the front end to come back", lambda: following(master), 30)
    start_anew(master)
    time.sleep(4)  # the front end comes again and again
    for store in (be1, be2):
        check("a push into the new list", push(store).returncode == 0)
    until("the new list to be complete", lambda: complete(master))
    until("the front end to come back", lambda: following(master), 30)
    time.sleep(1)
