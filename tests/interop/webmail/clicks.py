"""What a person does with webmail, click by click. Each function gets the desk (below) and checks
what the page shows and, where it matters, what is in the mailboxes then."""
import html
import re
import time

import mails
import talk
from browser import Browser, Compose
from world import PASSWORD

SHARED = "Shared Folders/webmail"


class Desk:
    """Ann, whose home is store1, through fe1; Bob of store2 through fe2."""

    def __init__(self, site, roundcube, check):
        self.site, self.rc, self.check = site, roundcube, check
        self.ann, self.bob = site.user("store1", "ann"), site.user("store2", "bob")
        self.a, self.b = Browser(roundcube), Browser(roundcube)

    def count(self, user, mailbox, what="MESSAGES"):
        client = self.site.raw_imap(user, "fe2")
        lines = client.ok(f'STATUS "{mailbox}" ({what})')
        client.close()
        return int(re.search(rf"{what} (\d+)".encode(), b"\n".join(lines))[1])

    def wait(self, what, test, seconds=20):
        end = time.monotonic() + seconds
        while not test() and time.monotonic() < end:
            time.sleep(0.1)
        return self.check(what, test())

    def ok(self, what, answer, seen=None):
        """No error is shown on the page."""
        bad = [m for m in answer.calls.messages() if m[0] in ("error", "warning")]
        return self.check(what, not bad and seen is not False, (bad, answer.text[-1500:]))


def eol(message):
    return re.sub(rb"\r?\n", b"\r\n", bytes(message))


def login(d):
    wrong = Browser(d.rc)
    page = wrong.login(d.ann, "not this one", d.rc.imap["fe1"])
    d.check("a wrong password is refused with a message",
            "Login failed" in page.text and page.env.get("task") == "login", page.text[-500:])
    page = d.a.login(d.ann, PASSWORD, d.rc.imap["fe1"])
    d.check("ann logs in through one front end", page.env.get("task") == "mail", page.text[:300])
    page2 = d.b.login(d.bob, PASSWORD, d.rc.imap["fe2"])
    d.check("bob logs in through the other", page2.env.get("task") == "mail", page2.text[:300])
    boxes = page.env.get("mailboxes", {})
    d.check("the five special folders are there and known",
            {"INBOX", "Drafts", "Sent", "Junk", "Trash", "Archive"} <= set(boxes), list(boxes))
    classes = {k: v.get("class") for k, v in boxes.items()}
    d.check("each of them is shown as what it is",
            all(classes.get(n) == n.lower() for n in ("Drafts", "Sent", "Junk", "Trash")), classes)


def read(d):
    for make in mails.ALL:
        d.site.send(d.ann, eol(make("dora@sender.example.net", d.ann)))
    page = d.a.list()
    d.check("the list shows what has come, the newest first", page.subjects() == [
        "8bit body", "Fwd: an older message", "With an attachment", "Plain and HTML",
        "Grüße aus Zürich – наилучшие пожелания", "Welcome to Roost"], page.subjects())
    rows = {s: r for s, r in zip(page.subjects(), page.rows())}
    d.check("all are unread", not any(r["flags"].get("seen") for r in page.rows()))
    d.check("an attachment is marked in the list",
            rows["With an attachment"]["flags"].get("ctype") == "multipart/mixed", rows)
    message = d.a.show(rows["Welcome to Roost"]["uid"])
    d.check("a message is shown", "this message came through a front end" in message.text)
    message = d.a.show(page.uids()[4])
    d.check("one with accents, too", "Καλημέρα" in message.text, message.text[-800:])
    message = d.a.show(rows["Plain and HTML"]["uid"])
    d.check("HTML is shown as HTML", "<b>HTML</b> words" in message.text, message.text[-800:])
    uid = rows["With an attachment"]["uid"]
    message = d.a.show(uid)
    d.check("the name of an attachment", "données &amp; figures.bin" in message.text)
    data = d.a.attachment("INBOX", uid, 2)
    d.check("an attachment is downloaded as it was",
            data == bytes(i * 7 % 256 for i in range(200000)), len(data))
    source = d.a.download(_action="viewsource", _mbox="INBOX", _uid=uid)
    d.check("the source of the message", b"Subject: With an attachment" in source, source[:300])
    message = d.a.show(rows["Fwd: an older message"]["uid"])
    d.check("a message in a message", "Have a look" in message.text)
    inner = d.a.attachment("INBOX", rows["Fwd: an older message"]["uid"], 2)
    d.check("and that downloaded", b"Welcome to Roost" in inner, inner[:300])
    page = d.a.list()
    d.check("what was opened is read now", sum(bool(r["flags"].get("seen"))
                                               for r in page.rows()) == 5, page.rows())


def compose(d):
    window = Compose(d.a)
    window.save_draft(_to=d.bob, _subject="Entwurf: Käse & Brötchen", _message="Only begun.\n")
    d.check("a draft is kept", d.count(d.ann, "Drafts") == 1)
    first = window.fields["_draft_saveid"]
    answer = window.save_draft(_message="Some more.\n")
    d.check("saved again it is still one draft", d.count(d.ann, "Drafts") == 1 and
            window.fields["_draft_saveid"] != first, answer.text[-500:])
    page = d.a.list("Drafts")
    d.check("the drafts show it", page.subjects() == ["Entwurf: Käse & Brötchen"])
    window = Compose(d.a, _draft_uid=page.uids()[0], _mbox="Drafts")
    d.check("the draft is opened with what was written", "Some more." in window.fields["_message"]
            and d.bob in window.fields["_to"], window.fields)
    picture = bytes(range(256)) * 5000
    answer = window.attach("Übersicht.bin", picture)
    d.check("a file is attached", answer.calls.all("add2attachment_list") != [], answer.text)
    answer = window.send(_message="Dear Bob,\n.\n..with dots\n")
    d.ok("it is sent", answer, "sent_successfully" in answer.text)
    d.check("a copy is in Sent, and the draft is gone",
            (d.count(d.ann, "Sent"), d.count(d.ann, "Drafts")) == (1, 0))
    page = d.b.list()
    d.check("bob has it, on the other store", page.subjects() == ["Entwurf: Käse & Brötchen"],
            page.subjects())
    uid = page.uids()[0]
    message = d.b.show(uid)
    d.check("its text", "..with dots" in message.text, message.text[-500:])
    data = d.b.attachment("INBOX", uid, 2)
    d.check("its attachment", data == picture, len(data))
    answer_and_forward(d, uid)


def answer_and_forward(d, uid):
    window = Compose(d.b, _reply_uid=uid, _mbox="INBOX")
    d.check("a reply quotes", "> Dear Bob," in window.fields["_message"] and
            window.fields["_subject"].startswith("Re:") and d.ann in window.fields["_to"],
            window.fields)
    d.ok("the reply is sent", window.send())
    window = Compose(d.b, _forward_uid=uid, _mbox="INBOX")
    d.ok("the message is forwarded, with its file", window.send(_to=d.ann))
    row = d.b.list().rows()[0]
    d.check("both are seen in the list", row["flags"].get("answered") and
            row["flags"].get("forwarded"), row)
    page = d.a.list()
    d.check("ann has both", page.subjects()[:2] == ["Fwd: Entwurf: Käse & Brötchen",
                                                   "Re: Entwurf: Käse & Brötchen"],
            page.subjects())
    data = d.a.attachment("INBOX", page.uids()[0], 2)
    d.check("the forwarded file is whole", data == bytes(range(256)) * 5000, len(data))
    answer = Compose(d.a).send(_to="nobody@" + d.site.domain, _subject="x", _message="x")
    d.check("an address that is none is told", answer.calls.has("error") and
            "550" in answer.text, answer.text[-600:])


def folders(d):
    names = ["Pläne", "R&D", "a.b", "Ordner 😀", "1. Semester/x"]
    for name in names[:4]:
        d.ok(f"folder {name} is made", d.a.make_folder(name))
    boxes = d.a.page().env["mailboxes"]
    shown = {html.unescape(v["name"]) for v in boxes.values()}
    d.check("they are in the list", set(names[:4]) <= shown, shown)
    by_name = {html.unescape(v["name"]): k for k, v in boxes.items()}
    for name in names[:4]:
        box = by_name[name]
        d.ok(f"a message is copied into {name}", d.a.copy(d.a.list().uids()[0], box))
        d.check(f"and is there: {name}", len(d.a.list(box).uids()) == 1)
    plans = by_name["Pläne"]
    d.ok("a folder in a folder", d.a.make_folder("Übung", plans))
    inner = plans + "/&ANw-bung"
    answer = d.a.xhr("rename-folder", "settings", post={
        "_folder_oldname": plans, "_folder_newname": "Projekte"})
    d.ok("a folder is renamed", answer)
    boxes = d.a.page().env["mailboxes"]
    d.check("and what is in it moved along",
            "Projekte/&ANw-bung" in boxes and inner not in boxes, list(boxes))
    d.ok("a folder is hidden", d.a.xhr("unsubscribe", "settings", post={"_mbox": "Projekte"}))
    d.check("it is not in the list any more", not d.a.page().env["mailboxes"].get("Projekte", {})
            .get("id") or d.a.page().env["mailboxes"]["Projekte"].get("virtual"))
    d.ok("and shown again", d.a.xhr("subscribe", "settings", post={"_mbox": "Projekte"}))
    page = d.a.page("settings", _action="folders")
    d.check("the settings list all", "Projekte" in page.text and "R&amp;D" in page.text)
    answer = d.a.xhr("folder-size", "settings", post={"_mbox": "Projekte"})
    d.ok("the size of a folder", answer, bool(answer.calls.all("folder_size_update")))
    page = d.a.page("settings", _action="edit-folder", _mbox="Projekte", _framed=1)
    d.check("its properties", 'value="Projekte"' in page.text, page.text[-500:])
    for box in ("Projekte/&ANw-bung", "Projekte", by_name["a.b"], by_name["Ordner 😀"]):
        d.ok(f"folder {box} is deleted", d.a.xhr("delete-folder", "settings", post={"_mbox": box}))
    boxes = d.a.page().env["mailboxes"]
    d.check("they are gone", "Projekte" not in boxes and by_name["R&D"] in boxes, list(boxes))
    answer = d.a.make_folder("Sent")
    d.check("a name that is taken is told", answer.calls.has("error"), answer.text[-500:])


def flags(d):
    uids = d.a.list().uids()
    d.ok("several are flagged", d.a.mark(uids[:3], "flagged"))
    d.check("flags are shown", [bool(r["flags"].get("flagged")) for r in d.a.list().rows()][:4] ==
            [True, True, True, False])
    d.ok("one is unflagged", d.a.mark(uids[0], "unflagged"))
    d.ok("some become unread", d.a.mark(uids[:2], "unread"))
    d.check("the store knows", d.count(d.ann, "INBOX", "UNSEEN") >= 2)
    answer = d.a.mark("*", "read")
    d.ok("all become read", answer)
    d.check("none is unread", d.count(d.ann, "INBOX", "UNSEEN") == 0)
    found = d.a.search("", filter="FLAGGED")
    d.check("only the flagged ones are shown", len(found.uids()) == 2, found.text[-500:])


def delete(d):
    before = d.count(d.ann, "INBOX")
    uids = d.a.list().uids()
    d.ok("two are thrown into the trash", d.a.move(uids[:2], "Trash"))
    d.check("they are there", (d.count(d.ann, "INBOX"), d.count(d.ann, "Trash")) ==
            (before - 2, 2))
    d.check("the trash shows them", len(d.a.list("Trash").uids()) == 2)
    one = d.a.list("Trash").uids()[0]
    d.ok("one is taken out again", d.a.move(one, "INBOX", "Trash"))
    d.ok("the other is deleted for good", d.a.xhr("delete", post={
        "_uid": d.a.list("Trash").uids()[0], "_mbox": "Trash"}))
    d.check("the trash is empty", d.count(d.ann, "Trash") == 0)
    d.ok("three more", d.a.move(d.a.list().uids()[:3], "Trash"))
    d.ok("the trash is emptied", d.a.xhr("purge", post={"_mbox": "Trash"}))
    d.check("nothing is left in it", d.count(d.ann, "Trash") == 0)
    d.ok("compacted", d.a.xhr("expunge", post={"_mbox": "INBOX"}))


def plugins(d):
    for n in range(3):
        d.site.send(d.ann, talk.message(f"plug {n}\r\n", subject=f"plug {n}"))
    uids = d.a.list().uids()
    d.ok("one is archived", d.a.xhr("plugin.move2archive", post={
        "_uid": uids[0], "_mbox": "INBOX"}))
    boxes = d.a.page().env["mailboxes"]
    archived = [b for b in boxes if b.startswith("Archive/")]
    d.check("in a folder of its year", len(archived) == 1 and
            d.count(d.ann, archived[0]) == 1, list(boxes))
    answer = d.a.xhr("plugin.markasjunk.junk", post={"_uid": uids[1], "_mbox": "INBOX"})
    target = answer.calls.all("markasjunk_move")  # the page's script moves it, then
    d.ok("one is marked as junk", answer, target == [["Junk", [uids[1]]]])
    d.ok("and moved", d.a.move(uids[1], "Junk"))
    d.check("it is in Junk", d.count(d.ann, "Junk") == 1)
    junk = d.a.list("Junk").uids()
    d.check("with its keyword", d.a.list("Junk").rows()[0]["flags"].get("junk") == 1)
    answer = d.a.xhr("plugin.markasjunk.not_junk", post={"_uid": junk[0], "_mbox": "Junk"})
    d.ok("it is none after all", answer,
         answer.calls.all("markasjunk_move") == [["INBOX", [junk[0]]]])
    d.ok("moved back", d.a.move(junk[0], "INBOX", "Junk"))
    d.check("it is back", d.count(d.ann, "Junk") == 0)


def news(d):
    d.a.list()
    d.a.refresh()
    before = d.count(d.ann, "INBOX")
    d.site.send(d.ann, talk.message("new\r\n", subject="just come"))
    answer = d.a.refresh()
    d.check("new mail comes by itself", answer.subjects()[:1] == ["just come"] or
            "just come" in answer.text, answer.text[-800:])
    d.check("and is counted", answer.env.get("exists") == before + 1, answer.env)
    client = d.site.raw_imap(d.ann, "fe2", "INBOX")
    client.ok(f"STORE {before + 1} +FLAGS (\\Flagged)")
    newest = d.a.list().uids()[0]
    client.ok(f"STORE {before + 1} +FLAGS (\\Answered)")
    answer = d.a.refresh(uids=[newest])
    d.check("a flag that somebody else has set is shown",
            answer.env.get("recent_flags", {}).get(newest, {}).get("answered") == 1,
            answer.text[-800:])
    answer = d.a.refresh(uids=[newest])
    d.check("and only once", answer.env.get("recent_flags") == [], answer.text[-800:])
    client.ok(f"STORE {before + 1} +FLAGS (\\Deleted)")
    client.ok("EXPUNGE")
    client.close()
    answer = d.a.refresh()
    d.check("what is gone goes", answer.env.get("exists") == before, answer.text[-800:])


def quota(d):
    d.site.cluster.ctl("store1", "mailbox", "quota", "set", d.ann, "--storage", "20M")
    answer = d.a.list()
    shown = answer.calls.all("set_quota")
    d.check("the quota is shown", shown and shown[0][0].get("total") == 20480, shown)
    big = Compose(d.b)
    big.attach("big.bin", b"\0" * 9_000_000)
    d.ok("bob sends a large message", big.send(_to=d.ann, _subject="large", _message="l"))
    d.wait("ann has it", lambda: "large" in d.a.list().subjects())
    uid = d.a.list().uids()[0]
    answer = d.a.copy(uid, "Trash")
    d.check("a copy that does not fit is refused, and why is told",
            answer.calls.has("error") and "No free disk space" in answer.text, answer.text[-500:])
    d.site.cluster.ctl("store1", "mailbox", "quota", "clear", d.ann)
    d.ok("without the limit it fits", d.a.copy(uid, "Trash"))


def sharing(d):
    d.ok("ann makes a folder", d.a.make_folder("Team"))
    page = d.a.page("settings", _action="edit-folder", _mbox="Team", _framed=1)
    d.check("its page has the rights", "acltable" in page.text, page.text[-400:])
    answer = d.a.xhr("plugin.acl", "settings", post={
        "_act": "save", "_mbox": "Team", "_user": d.bob, "_acl": "lrswite"})
    d.ok("bob may use it", answer)
    page = d.a.page("settings", _action="edit-folder", _mbox="Team", _framed=1)
    d.check("his rights are shown", "lrswite" in page.env["acl"].values(), page.env["acl"])
    uids = d.a.list().uids()
    d.ok("ann files two messages there", d.a.move(uids[:2], "Team"))
    theirs = "Other Users/ann/Team"
    page = d.b.page("settings", _action="folders")
    d.check("bob sees it in his settings", theirs in page.text, page.text[-500:])
    d.ok("bob subscribes to it", d.b.xhr("subscribe", "settings", post={"_mbox": theirs}))
    d.check("it is in his list", theirs in d.b.page().env["mailboxes"])
    page = d.b.list(theirs)
    d.check("bob reads what is in it", len(page.uids()) == 2, page.text[-300:])
    d.ok("bob flags one", d.b.mark(page.uids()[0], "flagged", theirs))
    d.check("ann sees the flag", d.a.list("Team").rows()[0]["flags"].get("flagged"))
    d.ok("bob moves one to his own, from store to store",
         d.b.move(page.uids()[0], "INBOX", theirs))
    d.check("it went", (d.count(d.ann, "Team"), d.count(d.bob, "INBOX")) == (1, 2))
    own = d.b.list().uids()
    d.ok("and copies two there", d.b.copy(own, theirs))
    d.check("they came", d.count(d.ann, "Team") == 3)
    answer = d.a.xhr("plugin.acl", "settings", post={
        "_act": "save", "_mbox": "Team", "_user": d.bob, "_acl": "lrs", "_old": d.bob})
    d.ok("ann lets him only read", answer)
    answer = d.b.move(d.b.list(theirs).uids()[0], "Trash", theirs)
    d.check("then he cannot move", d.count(d.ann, "Team") == 3, answer.text[-300:])
    d.ok("ann takes it back", d.a.xhr("plugin.acl", "settings", post={
        "_act": "delete", "_mbox": "Team", "_user": d.bob}))
    answer = d.b.list(theirs)
    d.check("bob cannot open it", answer.uids() == [], answer.text[-300:])
    common(d)


def common(d):
    """A folder of nobody's on each store, used by both."""
    for store in ("store1", "store2"):
        d.site.cluster.ctl(store, "mailbox", "create", f"webmail-{store}", "--store", store)
        d.site.cluster.ctl(store, "mailbox", "acl", "set", f"webmail-{store}", "anyone",
                           "lrswitek")
    one, two = SHARED + "-store1", SHARED + "-store2"
    for box in (one, two):
        d.ok(f"{box} is subscribed", d.a.xhr("subscribe", "settings", post={"_mbox": box}))
    d.check("both are in the list", {one, two} <= set(d.a.page().env["mailboxes"]))
    uids = d.a.list().uids()[:3]
    d.ok("three are copied to this store's", d.a.copy(uids, one))
    d.ok("and to the other's", d.a.copy(uids, two))
    d.ok("from one to the other", d.a.move(d.a.list(one).uids(), two, one))
    d.check("nothing is lost, nothing twice",
            (d.count(d.ann, one), d.count(d.ann, two)) == (0, 6))
    d.check("the other front end shows the same", len(d.b.list(two).uids()) == 6)


def searching(d):
    for n, word in enumerate(("Äpfel", "Birnen", "Zwetschken")):
        d.site.send(d.ann, eol(talk.message(f"the body has {word.upper()} {n}\r\n",
                                            subject=f"fruit {n}", more=(
                                                "Content-Type: text/plain; charset=utf-8\r\n"))))
    newest = d.a.list().uids()
    found = d.a.search("fruit")
    d.check("a search by subject", sorted(found.subjects()) == ["fruit 0", "fruit 1", "fruit 2"],
            found.text[-500:])
    found = d.a.search("äpfel", headers="text")
    d.check("by text, in any case", found.subjects() == ["fruit 0"], found.text[-500:])
    d.ok("one is filed elsewhere", d.a.move(newest[0], "Archive"))
    found = d.a.search("fruit", scope="all")
    while found.calls.all("continue_search"):
        found = d.a.xhr("search", _q="fruit", _headers="subject,from", _scope="all",
                        _mbox="INBOX", _continue=found.calls.all("continue_search")[0][0])
    d.check("a search in all folders", sorted(found.subjects()) ==
            ["fruit 0", "fruit 1", "fruit 2"], found.text[-800:])
    d.check("with the folder of each", any(u.endswith("-Archive") for u in found.uids()),
            found.uids())
    d.check("nothing found is told", d.a.search("no such word").calls.has("notice"))
    found = d.a.search("fruit", filter="UNSEEN")
    d.check("with a filter", len(found.uids()) == 2, found.text[-500:])


# ---- a large mailbox ------------------------------------------------------------------

LARGE = 3000
WORDS = ["Zebra", "apple", "Österreich", "mango", "Übung", "banana", "eclair", "Éclair"]


def pile(n):
    """Message n: in threads of four, senders and sizes of its own; its date runs against the order
    in which messages come."""
    first = n - n % 4
    more = f"Message-ID: <pile{n}@example.net>\r\n"
    if n != first:
        more += "".join(f"{field}: <pile{first}@example.net>\r\n"
                        for field in ("In-Reply-To", "References"))
    subject = ("Re: " if n != first else "") + f"{WORDS[first // 4 % len(WORDS)]} {first:05d}"
    when = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(1_700_000_000 - n * 60))
    return (f"From: S{(n * 7) % LARGE:05d} <s{n}@example.net>\r\nTo: t{n % 10}@example.org\r\n"
            f"Subject: {subject}\r\nDate: {when}\r\n{more}"
            f"Content-Type: text/plain; charset=utf-8\r\n\r\n{'x' * (n % 777)}\r\n").encode()


def large(d):
    user = d.site.user("store2", "heavy")
    client = d.site.raw_imap(user, "fe2")
    for start in range(0, LARGE, 250):
        lines = client.append("INBOX", *[pile(n) for n in range(start, start + 250)])
        d.check(f"{start} and more messages are there", b" OK " in lines[-1], lines[-1])
    client.close()
    b = Browser(d.rc)
    b.login(user, PASSWORD, d.rc.imap["fe1"])
    page = b.list()
    d.check("the first page of many", page.env.get("messagecount") == LARGE and
            len(page.rows()) == 50, (page.env.get("messagecount"), len(page.rows())))
    page = b.list(page=60)
    d.check("the last page of many", page.uids()[-1] == "1" and len(page.uids()) == 50, page.uids())
    sorts(d, b)
    threads(d, b)
    d.ok("all are read", b.mark("*", "read"))
    d.check("really all", d.count(user, "INBOX", "UNSEEN") == 0)
    d.ok("many are moved at once", b.move([str(n) for n in range(1, 1001)], "Archive"))
    d.check("all thousand", (d.count(user, "INBOX"), d.count(user, "Archive")) ==
            (LARGE - 1000, 1000))
    d.ok("all that are left, too", b.move("*", "Archive"))
    d.check("nothing stays", (d.count(user, "INBOX"), d.count(user, "Archive")) == (0, LARGE))


def sorts(d, b):
    """By a column, as a click on its head does."""
    want = {"date_DESC": [1, 2, 3], "date_ASC": [LARGE, LARGE - 1, LARGE - 2],
            "arrival_DESC": [LARGE, LARGE - 1, LARGE - 2], "arrival_ASC": [1, 2, 3],
            "from_ASC": sorted(range(1, LARGE + 1), key=lambda u: ((u - 1) * 7) % LARGE)[:3],
            "size_DESC": None, "subject_ASC": None}
    for sort, first in want.items():
        page = b.list(sort=sort)
        if first is not None:
            d.check(f"sorted: {sort}", page.uids()[:3] == [str(u) for u in first], page.uids()[:3])
    page = b.list(sort="size_DESC")
    sizes = [(int(u) - 1) % 777 for u in page.uids()]
    d.check("sorted by size", min(sizes) > 700, sizes)
    subjects = b.list(sort="subject_ASC").subjects()
    d.check("sorted by subject, without Re: and in any case",
            all(re.sub("^Re: ", "", s).startswith("apple") for s in subjects) and
            any(s.startswith("Re: ") for s in subjects), subjects[:8])
    b.list(sort="date_DESC")
    found = b.search("mango")
    d.check("what is found is sorted, too",
            found.uids() == sorted(found.uids(), key=int) and len(found.uids()) == 50 and
            all("mango" in s for s in found.subjects()), found.uids())
    d.check("and all of it is counted", found.env.get("messagecount") == 376,
            found.env.get("messagecount"))


def threads(d, b):
    page = b.list(sort="date_DESC", _threads=1)
    d.check("threads are counted", page.env.get("messagecount") == LARGE // 4 or
            "of 750" in page.text, page.text[-600:])
    roots = [r for r in page.rows() if not r["flags"].get("depth")]
    d.check("a page of threads", len(roots) == 50 and
            all(not s.startswith("Re:") for s in page.subjects()[:1]), len(roots))
    whole = [r for r in page.rows() if r["flags"].get("has_children")]
    d.check("each with its answers", len(whole) == 50, page.rows()[:3])
    b.list(sort="date_DESC", _threads=0)
    d.check("the store has made them", any(c.startswith("UID THREAD REFERENCES ")
                                          for c, _ in d.rc.commands()))


# ---- what was said meanwhile ------------------------------------------------------------

EXPECTED = {("AUTHENTICATE", "NO [AUTHENTICATIONFAILED]"), ("CREATE", "NO [ALREADYEXISTS]"),
            ("UID MOVE", "NO [NOPERM]"), ("SELECT", "NO [NONEXISTENT]"),
            ("STATUS", "NO [NONEXISTENT]"), ("MYRIGHTS", "NO [NONEXISTENT]"),
            ("UID COPY", "NO [OVERQUOTA]"), ("GETQUOTAROOT", "NO [NONEXISTENT]")}
SAID = re.compile(r"(?:UID )?[A-Z]+")


def conversation(d):
    """Nothing was refused but what a click above wanted refused, and no page found a mistake."""
    refused = {(SAID.match(c)[0], " ".join(a.split()[:2])) for c, a in d.rc.commands()
               if not a.startswith("OK")}
    d.check("nothing else was refused", refused <= EXPECTED, refused - EXPECTED)
    wrong = [line for line in d.rc.log("errors").split("\n") if "PHP Error" in line or
             "IMAP Error" in line]
    known = ("Login failed", "Invalid response code", "COPY: Over quota", "MOVE: ", "SELECT: ",
             "UID COPY: ")
    wrong = [line for line in wrong if not any(k in line for k in known)]
    d.check("Roundcube has found no mistake", wrong == [], wrong)
    # a FETCH of all messages is what it does where it cannot have them sorted
    whole = [c for c, _ in d.rc.commands() if re.match(r"(UID )?FETCH 1:\* ", c)]
    d.check("no list is made from all messages", whole == [], whole)


ALL = [login, read, compose, folders, flags, delete, plugins, news, sharing, searching, quota,
       large, conversation]
