"""Scenarios with mail programs of both kinds in one cluster: our store under a Cyrus master
and behind a Cyrus front end, our front ends before Cyrus stores."""
import base64
import imaplib
import os
import poplib
import re
import socket
import subprocess
import time

import lab
from checks import check, deliver, imap, roostctl, says, subjects
from parties import BE1, BE2, FE, MASTER, REPLICA, SPARE, our_master
from roost import until

DOMAIN = "example.org"


class Raw:
    """Plain RFC 3656, by hand."""

    def __init__(self, at, user):
        self.sock = socket.create_connection((at, 3905), 10)
        self.file = self.sock.makefile("rb")
        while not self.file.readline().startswith(b"* OK MUPDATE"):
            pass
        plain = base64.b64encode(f"\0{user}\0{lab.SECRET}".encode()).decode()
        assert self.ask(f'AUTHENTICATE "PLAIN" "{plain}"').startswith("T OK")

    def ask(self, command):
        self.sock.sendall(f"T {command}\r\n".encode())
        lines = b""
        while True:
            line = self.file.readline()
            lines += line
            if not line or re.match(rb"T (OK|NO|BAD)", line):
                return lines.decode()


# ---- our store under a Cyrus master -----------------------------------------------------------

def our_store(box, at):
    store = box.roost("s1", at, f"""default_domain = {DOMAIN}
[roost-store {at}]
data_dir = {{dir}}/mail
imap_listen = {at}:143
lmtp_listen = {at}:24
pop3_listen = {at}:110
cluster = mupdate
master = {MASTER}:3905
master_user = s1
master_password = {lab.SECRET}
master_retry_max = 500ms
master_again = 500ms
[identity proxy]
password = {lab.SECRET}
services = imap pop3 lmtp
admin = yes
[server {at}]
imap = {at}:143
""")
    return store


def ask_store(store, cmd, **more):
    return store.ctl(dict(cmd=cmd, **more), "roost-store")


def steps(store):
    found = ask_store(store, "reconcile", dry_run=True)
    return [(s["action"], s["mailbox"]) for s in found.get("steps", [["?", str(found)]])]


def in_step(store):
    detail = ask_store(store, "status")["detail"]
    return detail.get("master") == "connected" and detail.get("in_step")


def scenario_store(box):
    master = box.cyrus_master(MASTER)
    master.start()
    be1 = box.store("be1", BE1)
    time.sleep(1)
    be1.start()
    store = our_store(box, SPARE)
    store.start("roost-store", SPARE)
    until("our store in step with a Cyrus master", lambda: in_step(store))
    replica = box.roost("replica", REPLICA,
                        f"[roost-mupdate]\nrole = replica\nlisten = {REPLICA}:3905\n"
                        f"master = {MASTER}:3905\nmaster_user = replica\n"
                        "master_password = secret\nretry_max = 500ms\nkeepalive = 500ms\n")
    replica.start("roost-mupdate")
    raw = Raw(MASTER, "s1")
    check_names(store, raw, be1)
    check_plan(store, raw)
    check_behind_cyrus(box, store)
    check_outage(master, store)
    check_double_claim(master, store)


def check_names(store, raw, be1):
    made = roostctl(store, "user", "add", f"fred@{DOMAIN}", "--store", SPARE,
                    "--password-stdin", stdin=lab.SECRET + "\n")
    check("our store makes a user's mailboxes under a Cyrus master", made.returncode == 0,
          made.stdout + made.stderr)
    check("all of them are in its list", len(re.findall(
        f"MAILBOX .*\r\nuser.fred[^!]* .*\r\n{SPARE}!default", raw.ask("LIST"))) == 6,
        raw.ask("LIST"))
    admin = imap(BE1, "cyrus")
    says("a Cyrus store cannot take the name", admin.create("user.fred"), "NO")
    says("but another one", admin.create("user.ann"))
    says("whose user it cannot move to our store: XFER is Cyrus' alone",
         admin.xatom("XFER", "user.ann", SPARE), "NO")
    check("and who stays where he is", f"MAILBOX {{8+}}\r\nuser.ann {{19+}}\r\n{BE1}!default" in
          raw.ask('FIND "user.ann"'), raw.ask('FIND "user.ann"'))
    taken = ask_store(store, "mailbox.create", mailbox="user.ann")
    check("which ours cannot take", taken.get("error") == "exists", taken)
    ask_store(store, "mailbox.create", mailbox="user.fred.a")
    ask_store(store, "mailbox.create", mailbox="user.fred.a.b")
    done = ask_store(store, "mailbox.rename", mailbox="user.fred.a", to="user.fred.c")
    check("a tree is renamed", done["ok"] and "user.fred.c.b" in raw.ask('FIND "user.fred.c.b"')
          and "MAILBOX" not in raw.ask('FIND "user.fred.a.b"'), done)
    done = ask_store(store, "mailbox.delete", mailbox="user.fred.c", tree=True)
    check("and deleted", done["ok"] and "MAILBOX" not in raw.ask('FIND "user.fred.c"'), done)


def check_plan(store, raw):
    check("nothing is left to be done", steps(store) == [], steps(store))
    raw.ask('DELETE "user.fred.Sent"')
    raw.ask(f'ACTIVATE "user.ghost" "{SPARE}!default" "ghost\tlrs\t"')
    raw.ask(f'RESERVE "user.half" "{SPARE}!default"')
    plan = sorted(steps(store))
    check("a dry run shows what differs", plan in (
        [("activate", "user.fred.Sent"), ("ask", "user.ghost"), ("delete", "user.half")],
        [("activate", "user.fred.Sent"), ("deactivate", "user.ghost"),
         ("delete", "user.half")]), plan)
    check("and does nothing", "MAILBOX" not in raw.ask('FIND "user.fred.Sent"'))
    ask_store(store, "reconcile", force=True)
    until("the store to put it right", lambda: in_step(store) and
          "MAILBOX" in raw.ask('FIND "user.fred.Sent"') and
          "MAILBOX" not in raw.ask('FIND "user.ghost"') and
          "RESERVE" not in raw.ask('FIND "user.half"'))
    # what was deactivated is only reserved now; the next one lets go of it
    check("a reconciliation does it", steps(store) in ([], [("delete", "user.ghost")]),
          steps(store))


def check_behind_cyrus(box, store):
    # Cyrus says "fred@internal" to its stores, unless it knows the domain of plain names; and
    # it hands names of folders on as the client says them: its view must be ours
    front = box.front("fe", FE, defaultdomain=DOMAIN, unixhierarchysep="yes", altnamespace="yes")
    front.start()
    fred = until("the Cyrus front end to reach our store", lambda: logged_in("fred"), 30)
    check("mail goes in by the Cyrus front end's LMTP proxy", deliver(FE, "fred", "first") == {})
    check("and comes out by its IMAP proxy", subjects(fred) == ["first"], subjects(fred))
    says("a folder made through it", fred.create("work"))
    found = ask_store(store, "explain", mailbox="user.fred.work")
    check("is on our store", found.get("found") == "active", found)
    says("a message is copied there", fred.copy("1", "work"))
    found = subjects(fred, "work")
    check("and read there", found == ["first"], found)
    fred.select("INBOX")
    says("a flag is stored", fred.store("1", "+FLAGS", r"(\Flagged)"))
    says("an ACL is set", fred.setacl("work", "ann", "lrs"))
    found = Raw(MASTER, "s1").ask('FIND "user.fred.work"')
    check("and told", re.search("\tann\tlrs\t|(^|\n)ann\tlrs\t", found), found)
    fred.logout()


def logged_in(user):
    try:
        c = imap(FE, user)
        return c if c.select("INBOX")[0] == "OK" else None
    except (imaplib.IMAP4.error, OSError):
        return None


def check_outage(master, store):
    master.stop()
    until("our store to notice", lambda: ask_store(store, "status")["detail"]["master"] == "away")
    made = ask_store(store, "mailbox.create", mailbox="user.fred.later")
    check("without the master nothing is made", made.get("error") == "temp", made)
    gone = ask_store(store, "mailbox.delete", mailbox="user.fred.Junk")
    check("nor deleted", gone.get("error") == "temp", gone)
    master.start()
    until("our store in step again", lambda: in_step(store), 30)
    made = ask_store(store, "mailbox.create", mailbox="user.fred.later")
    check("and with it again", made["ok"], made)
    raw = Raw(MASTER, "s1")
    check("what was refused has changed nothing", steps(store) == [] and
          "MAILBOX" in raw.ask('FIND "user.fred.Junk"'), steps(store))
    # Cyrus 3.6 dies when it is told to delete what it does not know
    raw.ask('DELETE "user.fred.Drafts"')
    gone = ask_store(store, "mailbox.delete", mailbox="user.fred.Drafts")
    check("a master that forgot a name does not keep it", gone.get("ok") or
          gone.get("error") == "temp", gone)
    until("the store in step after that", lambda: in_step(store), 30)
    time.sleep(1)
    check("it stays so", in_step(store) and steps(store) == [], steps(store))


def check_double_claim(master, store):
    """Cyrus gives a name to whoever activates it last: ours is not the one to begin with that."""
    other = Raw(MASTER, "be1")
    other.ask(f'ACTIVATE "user.fred.later" "{BE1}!default" "fred\tlrs\t"')
    ask_store(store, "reconcile")
    until("the conflict to be seen", lambda: ask_store(store, "status")["detail"].get("conflicts"))
    time.sleep(1)  # it asks again and again
    found = other.ask('FIND "user.fred.later"')
    check("a name another store has is not taken from it", BE1 in found, found)
    seen = ask_store(store, "explain", mailbox="user.fred.later")
    check("and is no mailbox here", seen.get("found") != "active", seen)
    other.ask('DELETE "user.fred.later"')
    ask_store(store, "reconcile")
    until("it is ours when the other one lets go",
          lambda: SPARE in other.ask('FIND "user.fred.later"'))


# ---- our front ends before Cyrus stores ---------------------------------------------------------

def front_settings():
    servers = "".join(f"[server {at}]\nkind = imap\nimap = {at}:143\npop3 = {at}:110\n"
                      f"lmtp = {at}:24\nproxy_user = proxy\nproxy_secret = {lab.SECRET}\n"
                      for at in (BE1, BE2))
    return (f"default_domain = {DOMAIN}\n"
            f"[roost-mupdate]\nrole = replica\nlisten = {FE}:3905\nmaster = {MASTER}:3905\n"
            "master_user = replica\nmaster_password = secret\n"
            f"[roost-imap]\nimap_listen = {FE}:143\npop3_listen = {FE}:110\n"
            f"[roost-smtp]\nmx_listen = {FE}:25\nlmtp_listen = {FE}:24\n" + servers)


def scenario_front(box):
    master = our_master(box)
    master.start("roost-mupdate")
    be1 = box.store("be1", BE1, lmtpd="lmtpd -a")
    be2 = box.store("be2", BE2, lmtpd="lmtpd -a")
    be1.start()
    be2.start()
    admin, admin2 = imap(BE1, "cyrus"), imap(BE2, "cyrus")
    master.ctl({"cmd": "reconcile", "complete": "*"})
    says("users on two Cyrus stores", admin.create("user.fred"))
    admin2.create("user.ann")
    front = box.roost("front", FE, front_settings())
    front.start("roost-mupdate")
    for user, at in (("fred", BE1), ("ann", BE2)):
        done = roostctl(front, "user", "add", f"{user}@{DOMAIN}", "--store", at,
                        "--password-stdin", stdin=lab.SECRET + "\n")
        check(f"an account for {user}", done.returncode == 0, done.stdout + done.stderr)
    front.start("roost-imap")
    front.start("roost-smtp")
    check("mail goes in by our front end", deliver(FE, f"fred@{DOMAIN}", "first") == {})
    fred = imap(FE, f"fred@{DOMAIN}")
    check("and comes out by our front end", subjects(fred) == ["first"], subjects(fred))
    says("a folder is made through it", fred.create("INBOX.work"))
    check("its place is in the list", master.find("user.fred.work").get("server") == BE1,
          master.find("user.fred.work"))
    says("and selected at once", fred.select("INBOX.work"))
    deliver(FE, f"ann@{DOMAIN}", "hers")
    ann = imap(FE, f"ann@{DOMAIN}")
    check("another user is taken to the other store", subjects(ann) == ["hers"], subjects(ann))
    check_pop3()
    check_moved_away(master, admin, admin2)
    check_master_lost(box, master, front, be1, be2)


def check_moved_away(master, admin, admin2):
    """A Cyrus store keeps the sessions of who is moved away, and says that there is nothing."""
    open_one, selected = (imap(FE, f"fred@{DOMAIN}") for _ in range(2))
    before = open_one.list()
    selected.select("INBOX")
    for source, to in ((admin, BE2), (admin2, BE1)):
        says(f"a user is moved to {to}", source.xatom("XFER", "user.fred", to))
        until("our list to know", lambda: master.find("user.fred").get("server") == to)
        listed = until("his open session to follow", lambda: [
            x for x in [open_one.list()] if x == before])
        check("his open session lists what it did", listed == [before], open_one.list())
        check("and reads it", subjects(open_one) == ["first"])
        open_one.unselect()
    try:
        said = selected.select("INBOX.work")
    except imaplib.IMAP4.abort as why:
        said = ("BYE", str(why))
    check("who had a mailbox selected there is told to come again, or goes on",
          said[0] in ("BYE", "OK") or "UNAVAILABLE" in str(said), said)


def check_pop3():
    c = poplib.POP3(FE, 110, timeout=15)
    c.user(f"fred@{DOMAIN}")
    c.pass_(lab.SECRET)
    check("POP3 goes there, too", c.stat()[0] == 1, c.stat())
    c.quit()


def check_master_lost(box, master, front, be1, be2):
    """The master is gone with its disk: front ends serve from their replicas all the while."""
    master.stop()
    subprocess.run(["rm", "-rf", os.path.join(master.dir, "map")], check=True)
    fred = imap(FE, f"fred@{DOMAIN}")
    check("without a master logins go on", subjects(fred) == ["first"])
    check("and deliveries", deliver(FE, f"fred@{DOMAIN}", "second") == {})
    master.start("roost-mupdate")
    check("the new master tells nothing yet",
          not master.status()["detail"]["complete"] and
          master.find("user.fred")["found"] == "blind")
    check("logins go on while it is rebuilt", subjects(imap(FE, f"ann@{DOMAIN}")) == ["hers"])
    for store in (be1, be2):
        store.tool("ctl_mboxlist", "-m")
    until("the list to be complete", lambda: master.status()["detail"]["complete"])
    check("the list is back", master.find("user.fred.work").get("server") == BE1)
    until("our replica takes the new history", lambda: front.status()["detail"]["history"] ==
          master.status()["detail"]["history"] and
          front.status()["detail"].get("master") == "connected")
    hosts = box.sub("hosts")
    for party in (master, front):
        os.symlink(party.config, os.path.join(hosts, os.path.basename(party.dir) + ".conf"))
    done = subprocess.run([os.path.join(front.bin, "roostctl"), "--config", hosts, "compare"],
                          capture_output=True, text=True, timeout=30)
    check("roostctl compare says that both agree", done.returncode == 0, done.stdout + done.stderr)
    check("mail and logins go on", deliver(FE, f"fred@{DOMAIN}", "third") == {} and
          subjects(imap(FE, f"fred@{DOMAIN}")) == ["first", "second", "third"])

