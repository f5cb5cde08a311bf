"""One IMAP session at our front end: home on our store, shared mailboxes on a Cyrus store."""
import imaplib
import os
import re

import lab
from checks import check, imap, roostctl, says, subjects
from mixed import DOMAIN
from parties import BE1, FE, MASTER, SPARE
from roost import until

MESSAGE = ("From: ann@example.org\r\nSubject: {0}\r\nMessage-ID: <{0}@x>\r\n\r\n"
           "Hello {0}.\r\n")
BOX = '"Shared Folders/lists/news"'


def identity(name, *servers):
    return (f"[identity {name}]\npassword = {lab.SECRET}\nservices = mupdate\n" +
            (f"servers = {' '.join(servers)}\n" if servers else ""))


def parties(box):
    master = box.roost("master", MASTER,
                       f"[roost-mupdate]\nrole = master\nlisten = {MASTER}:3905\n"
                       f"data_dir = {{dir}}/map\nservers = {BE1} {SPARE}\nread_only = replica\n" +
                       identity("be1", BE1) + identity("s1", SPARE) + identity("replica"))
    master.start("roost-mupdate")
    # the names of its clients are handed on as they are: its view must be ours
    be1 = box.store("be1", BE1, more={"unixhierarchysep": "yes", "altnamespace": "yes"})
    be1.start()
    store = box.roost("s1", SPARE, f"default_domain = {DOMAIN}\n[roost-store {SPARE}]\n"
                      f"data_dir = {{dir}}/mail\nimap_listen = {SPARE}:143\n"
                      f"cluster = mupdate\nmaster = {MASTER}:3905\nmaster_user = s1\n"
                      f"master_password = {lab.SECRET}\n[server {SPARE}]\nimap = {SPARE}:143\n")
    store.start("roost-store", SPARE)
    front = box.roost("front", FE, f"default_domain = {DOMAIN}\n[roost-mupdate]\n"
                      f"role = replica\nlisten = {FE}:3905\nmaster = {MASTER}:3905\n"
                      "master_user = replica\nmaster_password = secret\n"
                      f"[roost-imap]\nimap_listen = {FE}:143\n"
                      f"[server {BE1}]\nkind = imap\nimap = {BE1}:143\nproxy_user = proxy\n"
                      f"proxy_secret = {lab.SECRET}\n[server {SPARE}]\nimap = {SPARE}:143\n")
    admin = imap(BE1, "cyrus")
    master.ctl({"cmd": "reconcile", "complete": "*"})
    front.start("roost-mupdate")
    done = roostctl(store, "user", "add", f"fred@{DOMAIN}", "--store", SPARE,
                    "--password-stdin", stdin=lab.SECRET + "\n")
    check("an account", done.returncode == 0, done.stdout + done.stderr)
    os.symlink(os.path.join(store.dir, "directory.db"), os.path.join(front.dir, "directory.db"))
    front.start("roost-imap")
    return master, be1, admin


def flags(client, mailbox):
    """Number -> (moment, flags, size); Cyrus keeps no time zones."""
    client.select(mailbox, readonly=True)
    found = {}
    for line in client.fetch("1:*", "(FLAGS INTERNALDATE RFC822.SIZE)")[1]:
        date = imaplib.Internaldate2tuple(line)
        words = re.search(rb"FLAGS \(([^)]*)\)", line).group(1).split()
        size = re.search(rb"RFC822.SIZE (\d+)", line).group(1)
        found[line.split()[0]] = (date, sorted(w for w in words if w != rb"\Recent"), size)
    return found


def scenario_shared(box):
    master, be1, admin = parties(box)
    says("Cyrus has a shared folder", admin.create("lists"))
    says("and one in it", admin.create("lists/news"))
    admin.setacl("lists/news", "anyone", "lrswitek")
    check("its place is in the list", until("the list", lambda: master.find(
        "lists.news").get("server")) == BE1)
    fred = imap(FE, f"fred@{DOMAIN}")
    listed = b"\n".join(fred.list()[1]).decode()
    check("LIST at our front end shows both", "INBOX" in listed and BOX in listed, listed)
    for i in range(4):
        fred.append("INBOX", (r"\Flagged" if i % 2 else r"\Seen $Work"),
                    '"0%d-Jul-1996 02:44:25 -0700"' % (i + 1), MESSAGE.format(i).encode())
    says("a message goes there by APPEND", fred.append(BOX, None, None,
                                                        MESSAGE.format("new").encode()))
    says("it is selected", fred.select(BOX))
    check("and read", subjects(fred, BOX) == ["new"])
    fred.select("INBOX")
    before = flags(fred, "INBOX")
    fred.select("INBOX")
    typ, data = fred.uid("COPY", "1:3", BOX)
    check("messages are copied to Cyrus", typ == "OK" and "COPYUID" in str(
        fred.response("COPYUID")), (typ, data))
    after = flags(fred, BOX)
    check("with flags and dates", [after[b"%d" % (i + 2)] for i in range(3)] ==
          [before[b"%d" % (i + 1)] for i in range(3)], (before, after))
    fred.select("INBOX")
    says("one is moved there", fred.uid("MOVE", "4", BOX))
    check("and is here no more", subjects(fred) == ["0", "1", "2"])
    fred.select(BOX)
    says("others come back", fred.uid("MOVE", "2:5", "Archive"))
    check("all of them", subjects(fred, "Archive") == ["0", "1", "2", "3"] and
          subjects(fred, BOX) == ["new"])
    check("as they were", list(flags(fred, "Archive").values()) == list(before.values()),
          (before, flags(fred, "Archive")))
    says("a folder is made below", fred.create('"Shared Folders/lists/news/below"'))
    check("on Cyrus", master.find("lists.news.below").get("server") == BE1)
    says("its rights are told", fred.xatom("MYRIGHTS", BOX))
    says("STATUS of it", fred.status(BOX, "(MESSAGES)"))
    fred.select("INBOX")
    be1.stop()
    typ, data = fred.status(BOX, "(MESSAGES)")
    check("without Cyrus its folder is later", typ == "NO" and "UNAVAILABLE" in str(data), data)
    says("and his own go on", fred.fetch("1", "(FLAGS)"))
    fred.logout()
