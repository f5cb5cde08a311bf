"""Quotas over the front ends and by roostctl; what a user finds at his first login."""
import concurrent.futures
import imaplib
import json
import re
import signal
import time

import pytest

import cluster
import talk
from world import PASSWORD, SENDER

FOLDERS = {"Drafts": "\\Drafts", "Sent": "\\Sent", "Junk": "\\Junk", "Trash": "\\Trash",
           "Archive": "\\Archive"}


def ctl(site, host, *args, **more):
    return site.cluster.ctl(host, *args, **more)


def answer(site, host, *args):
    return json.loads(ctl(site, host, "--json", *args).stdout)


def set_quota(site, store, user, *limits):
    ctl(site, store, "mailbox", "quota", "set", user, *limits)


@pytest.fixture
def user(shared):
    """One with an INBOX, on store2."""
    address = shared.user("store2")
    shared.imap(address).logout()
    return address


def body(size):
    return ("x" * 76 + "\r\n") * (size // 78 + 1)


# ---- IMAP ---------------------------------------------------------------------------------

def test_a_session_as_clients_have_it(shared, user):
    client = shared.imap(user)
    assert "QUOTA" in client.capabilities and "QUOTA=RES-STORAGE" in client.capabilities
    assert "QUOTA=RES-MESSAGE" in client.capabilities and "QUOTASET" not in client.capabilities
    kind, (roots, quotas) = client.getquotaroot("INBOX")
    assert kind == "OK" and roots == [b"INBOX"] and quotas == [None]
    set_quota(shared, "store2", user, "--storage", "10M", "--messages", "1000")
    kind, (roots, quotas) = client.getquotaroot("Sent")
    assert (roots, quotas) == ([b"Sent INBOX"], [b"INBOX (STORAGE 0 10240 MESSAGE 0 1000)"])
    assert client.append("Sent", None, None, talk.message(body(3000)))[0] == "OK"
    kind, quotas = client.getquota("INBOX")
    assert quotas == [b"INBOX (STORAGE 4 10240 MESSAGE 1 1000)"]
    assert shared.imap(user, "fe2").getquota("INBOX")[1] == quotas
    kind, said = client.setquota("INBOX", "(STORAGE 99999)")
    assert kind == "NO" and b"NOPERM" in said[0]
    kind, said = client.getquotaroot('"Other Users/nobody-here"')
    assert kind == "NO"
    assert client.status("Sent", "(SIZE DELETED DELETED-STORAGE)")[0] == "OK"
    client.logout()


def test_what_does_not_fit_is_refused(shared, user):
    set_quota(shared, "store2", user, "--storage", "8K")
    client = shared.raw_imap(user, select="INBOX")
    message = talk.message(body(3000))
    client.ok(b"APPEND INBOX {%d+}\r\n%s" % (len(message), message))
    client.ok(b"APPEND INBOX {%d+}\r\n%s" % (len(message), message))
    client.no(b"APPEND INBOX {%d+}\r\n%s" % (len(message), message), b"[OVERQUOTA]")
    # before it is sent
    tag = client.start(b"APPEND INBOX {%d}" % len(message))
    assert b"NO [OVERQUOTA]" in client.finish(tag)[-1]
    client.no("COPY 1 Sent", b"[OVERQUOTA]")
    client.ok("MOVE 1 Sent")
    client.ok("STORE 1 +FLAGS (\\Deleted)")
    client.ok("EXPUNGE")
    client.ok(b"APPEND INBOX {%d+}\r\n%s" % (len(message), message))
    client.close()


def test_a_warning_once_in_a_session(shared, user):
    shared.send(user, talk.message(body(9300)))
    set_quota(shared, "store2", user, "--storage", "10K")
    client = shared.raw_imap(user)
    warned = [line for line in client.ok("SELECT INBOX") if b"* NO [" in line]
    assert len(warned) == 1 and re.search(rb"\[ALERT\] 9\d%", warned[0]), warned
    assert not [line for line in client.ok("SELECT Sent") if b"* NO [" in line]
    client.close()
    set_quota(shared, "store2", user, "--storage", "1K")
    client = shared.raw_imap(user, "fe2")
    assert [line for line in client.ok("SELECT Sent") if b"* NO [OVERQUOTA]" in line]
    client.close()


# ---- mail --------------------------------------------------------------------------------

@pytest.mark.parametrize("service", ["lmtp", "raw_smtp"])
def test_rcpt_tells_the_truth(shared, user, service):
    set_quota(shared, "store2", user, "--storage", "100K")
    client = getattr(shared, service)()
    assert client.ask(f"MAIL FROM:<{SENDER}> SIZE=150000")[0] == 250
    code, text = client.ask(f"RCPT TO:<{user}>")
    assert (code, text[:5]) == (452, "4.2.2"), text
    client.reset()
    assert client.ask(f"MAIL FROM:<{SENDER}> SIZE=50000")[0] == 250
    assert client.ask(f"RCPT TO:<{user}>")[0] == 250
    client.reset()
    # without SIZE the message itself shows it
    client.envelope(user)
    (code, text), = client.data(talk.message(body(150000)))
    assert code == 452, text
    ident = talk.message_id()
    client.envelope(user)
    assert client.data(talk.message(body(50000), ident=ident))[0][0] == 250
    client.close()
    assert shared.count(user, ident, "fe2") == 1


def test_each_recipient_has_an_answer_of_its_own(shared, user):
    other = shared.user("store1")
    shared.imap(other).logout()
    ident = talk.message_id()
    set_quota(shared, "store2", user, "--storage", "1K")
    client = shared.lmtp()
    client.envelope(user, other)
    replies = client.data(talk.message(body(5000), ident=ident), 2)
    assert [code for code, _ in replies] == [452, 250], replies
    client.close()
    assert shared.count(user, ident) == 0 and shared.count(other, ident) == 1


def test_offered_again_when_there_is_room(shared, user):
    message = talk.message(body(5000), ident=(ident := talk.message_id()))
    set_quota(shared, "store2", user, "--messages", "0")
    client = shared.raw_smtp()
    assert client.envelope(user)[0][0] == 452
    client.reset()
    set_quota(shared, "store2", user, "--messages", "1")
    client.envelope(user)
    assert client.data(message)[0][0] == 250
    # and once more, full as it is now: RCPT cannot know that it is the same
    assert client.envelope(user)[0][0] == 452
    client.close()
    assert shared.count(user, ident) == 1


# ---- roostctl ------------------------------------------------------------------------------

def test_roostctl(shared, user):
    first = answer(shared, "store2", "mailbox", "quota", "show", user)
    assert first["own"] is False and "bytes_limit" not in first and first["messages"] == 0
    set_quota(shared, "store2", user, "--storage", "1M")
    set_quota(shared, "store2", user, "--messages", "3")
    shared.send(user)
    now = answer(shared, "store2", "mailbox", "quota", "show", user + "/Sent")
    assert (now["bytes_limit"], now["messages_limit"], now["messages"], now["own"]) == \
        (1 << 20, 3, 1, True)
    assert now["percent"] == 33 and now["bytes"] > 100
    name = now["root"]
    assert name in ctl(shared, "store2", "mailbox", "quota", "list").stdout
    over = answer(shared, "store2", "mailbox", "quota", "list", "--over", "33%")["quotas"]
    assert name in [q["root"] for q in over]
    over = answer(shared, "store2", "mailbox", "quota", "list", "--over", "34")["quotas"]
    assert name not in [q["root"] for q in over]
    set_quota(shared, "store2", user, "--storage", "none")
    now = answer(shared, "store2", "mailbox", "quota", "show", user)
    assert "bytes_limit" not in now and now["messages_limit"] == 3
    ctl(shared, "store2", "mailbox", "quota", "clear", user)
    now = answer(shared, "store2", "mailbox", "quota", "show", user)
    assert "messages_limit" not in now and now["own"] is False
    for wrong in (["set", user], ["set", user, "--storage", "lots"], ["set", user, "--over", "3"],
                  ["set", user, "--messages", "-1"], ["list", "--over", "many"]):
        done = ctl(shared, "store2", "mailbox", "quota", *wrong, check=False)
        assert done.returncode == 64 and done.stderr, wrong
    done = ctl(shared, "store2", "mailbox", "quota", "set", user + "/Sent", "--messages", "3",
               check=False)
    assert done.returncode == 1 and "INBOX" in done.stderr
    done = ctl(shared, "store2", "mailbox", "quota", "set", user, "--messages", "3", "--dry-run")
    assert "messages_limit" not in answer(shared, "store2", "mailbox", "quota", "show", user)


def test_a_shared_tree(shared, user):
    top = "quota-" + user.split("@")[0]
    ctl(shared, "store1", "mailbox", "create", top, "--store", "store1")
    ctl(shared, "store1", "mailbox", "create", top + ".a")
    set_quota(shared, "store1", top, "--messages", "7")
    assert answer(shared, "store1", "mailbox", "quota", "show", top + ".a")["root"] == top
    ctl(shared, "store1", "mailbox", "rename", top, top + "-new")
    assert answer(shared, "store1", "mailbox", "quota", "show", top + "-new.a")["root"] == \
        top + "-new"
    ctl(shared, "store1", "mailbox", "delete", top + "-new", "--tree")


def test_a_shared_tree_on_another_store(shared, user):
    top = "quota2-" + user.split("@")[0]
    ctl(shared, "store1", "mailbox", "create", top, "--store", "store1")
    ctl(shared, "store1", "mailbox", "acl", "set", top, "anyone", "lrswite")
    ctl(shared, "store1", "mailbox", "create", top + ".a")
    set_quota(shared, "store1", top, "--messages", "2", "--storage", "1M")
    a, root = f'"Shared Folders/{top}/a"', f"Shared Folders/{top}"
    client = shared.imap(user)
    kind, (roots, quotas) = client.getquotaroot(a)
    assert roots == [f'{a} "{root}"'.encode()]
    assert quotas == [f'"{root}" (STORAGE 0 1024 MESSAGE 0 2)'.encode()]
    assert client.getquota(f'"{root}"') == ("OK", quotas)
    client.logout()
    for _ in range(3):
        shared.send(user)
    client = shared.raw_imap(user, select="INBOX")
    client.no(f"COPY 1:3 {a}", b"[OVERQUOTA]")
    client.ok(f"COPY 1:2 {a}")
    client.no(f"MOVE 3 {a}", b"[OVERQUOTA]")
    assert b"MESSAGES 3" in b" ".join(client.ok("STATUS INBOX (MESSAGES)"))
    assert b"MESSAGES 2" in b" ".join(client.ok(f"STATUS {a} (MESSAGES DELETED)"))
    assert any(b"* NO [OVERQUOTA]" in line for line in client.ok(f"SELECT {a}"))
    client.close()
    ctl(shared, "store1", "mailbox", "delete", top, "--tree")


# ---- settings, and what survives ---------------------------------------------------------------

DEFAULTS = ["default_quota = 4K", "default_quota_messages = 100", "over_quota = refuse"]
FIRST_LOGIN = ["new_user_folders = Entwürfe=\\Drafts Projekte/Neu",
               "default_subscriptions = Shared Folders/lists/announce, Projekte"]


def write_settings(site, host, *lines, below=""):
    """The store's own, with these."""
    head = f"[roost-store {host}]"
    text = site.cluster.settings(host).replace(head, "\n".join([head, *lines]))
    with open(site.cluster.conf(host), "w") as f:
        f.write(text + below)


def restart_with(site, host, *lines, below=""):
    write_settings(site, host, *lines, below=below)
    site[host].stop()
    site[host].start()
    site.cluster.wait_settled()


def test_defaults_refusals_and_a_restart(own):
    restart_with(own, "store1")
    user, rich = own.user("store1"), own.user("store1")
    for address in (user, rich):
        own.imap(address).logout()
    set_quota(own, "store1", rich, "--storage", "1G")
    assert own.imap(user).getquota("INBOX")[1] == [b"INBOX ()"]
    own.send(user, talk.message(body(3000)))
    restart_with(own, "store1", *DEFAULTS)
    assert own.imap(user).getquota("INBOX")[1] == [b"INBOX (STORAGE 4 4 MESSAGE 1 100)"]
    assert own.imap(rich).getquota("INBOX")[1] == [b"INBOX (STORAGE 0 1048576)"]
    client = own.raw_smtp()
    client.ask(f"MAIL FROM:<{SENDER}> SIZE=3000")
    code, text = client.ask(f"RCPT TO:<{user}>")
    assert (code, text[:5]) == (552, "5.2.2"), text
    client.close()
    own["store1"].kill()
    own["store1"].start()
    own.cluster.wait_settled()
    assert own.imap(user).getquota("INBOX")[1] == [b"INBOX (STORAGE 4 4 MESSAGE 1 100)"]
    set_quota(own, "store1", user, "--storage", "1K")
    cluster.wait_until("the metric",
                       lambda: own.cluster.metric("store1", "roost_store_quota_full") == 1)


def test_other_defaults_at_sighup(own):
    """A session stays, and sees the new limit."""
    restart_with(own, "store1", *DEFAULTS)
    user = own.user("store1")
    client = own.imap(user)
    assert client.getquota("INBOX")[1] == [b"INBOX (STORAGE 0 4 MESSAGE 0 100)"]
    write_settings(own, "store1", "default_quota = 8K", "default_quota_messages = 100",
                   "over_quota = later", "quota_warn = 0")
    own["store1"].signal(signal.SIGHUP)
    cluster.wait_until("the new limit", lambda: client.getquota("INBOX")[1] ==
                       [b"INBOX (STORAGE 0 8 MESSAGE 0 100)"])
    smtp = own.raw_smtp()
    smtp.ask(f"MAIL FROM:<{SENDER}> SIZE=9000")
    assert smtp.ask(f"RCPT TO:<{user}>")[0] == 452
    smtp.close()
    client.logout()


def test_an_admin_sets_limits_by_imap(own):
    """At a store, speaking for a user: front ends carry no admins."""
    restart_with(own, "store1", *DEFAULTS, *FIRST_LOGIN, below="\n[identity boss]\n"
                 "password = big secret\nservices = imap\nadmin = yes\n")
    user = own.user("store1")
    own.imap(user).logout()
    admin = imaplib.IMAP4(*own.cluster.at("store1", "imap"), timeout=talk.TIMEOUT)
    admin.authenticate("PLAIN", lambda _: f"{user}\0boss\0big secret".encode())
    assert "QUOTASET" in admin.capability()[1][0].decode()
    assert admin.setquota("INBOX", "(STORAGE 512 MESSAGE 9)") == \
        ("OK", [b"INBOX (STORAGE 0 512 MESSAGE 0 9)"])
    assert own.imap(user).getquota("INBOX")[1] == [b"INBOX (STORAGE 0 512 MESSAGE 0 9)"]
    kind, said = admin.setquota("Projekte/Neu", "(STORAGE 1)")
    assert kind == "NO" and b"CANNOT" in said[0]
    assert admin.setquota("INBOX", "()") == ("OK", [b"INBOX ()"])
    admin.logout()


def test_the_first_login_by_settings(own):
    restart_with(own, "store1", *FIRST_LOGIN)
    user = own.user("store1")
    client = own.imap(user)
    names = {line.decode() for line in client.list()[1]}
    assert any("Entw&APw-rfe" in n for n in names) and any("Projekte/Neu" in n for n in names)
    subscribed = b" ".join(client.lsub()[1]).decode()
    for name in ("INBOX", "Entw&APw-rfe", "Projekte/Neu", "Shared Folders/lists/announce"):
        assert name in subscribed, subscribed
    client.logout()


# ---- the first login and the first mail -----------------------------------------------------------

def special_uses(client):
    """Of his own folders: what is shared with everybody other tests have made."""
    found = {}
    for line in client.ok('LIST "" "*"'):
        m = re.match(rb'\* LIST \(([^)]*)\) "/" "?([^"]*)"?$', line)
        if m and not m.group(2).startswith(b"Shared Folders"):
            uses = [w.decode() for w in m.group(1).split() if w.decode() in FOLDERS.values()]
            found[m.group(2).decode()] = uses[0] if uses else None
    return found


def test_many_first_logins_and_mails_at_once(shared):
    user = shared.user("store2")
    name = user.split("@")[0]
    idents = [talk.message_id() for _ in range(6)]

    def login(i):
        client = imaplib.IMAP4(*shared.cluster.at("fe%d" % (i % 2 + 1), "imap"),
                               timeout=talk.TIMEOUT)
        client.login(user, PASSWORD)
        client.logout()

    def pop3(i):
        shared.pop3(user, "fe%d" % (i % 2 + 1)).quit()

    def mail(i):
        shared.send(user, talk.message(ident=idents[i]), "fe%d" % (i % 2 + 1))

    with concurrent.futures.ThreadPoolExecutor(14) as pool:
        for f in [pool.submit(fn, i) for i in range(6) for fn in (login, pop3, mail)]:
            f.result()
    client = shared.raw_imap(user, "fe2")
    assert special_uses(client) == {"INBOX": None, **FOLDERS}
    lsub = b" ".join(client.ok('LSUB "" "*"')).decode()
    assert all(f in lsub for f in [*FOLDERS, "INBOX"]), lsub
    client.close()
    assert [shared.count(user, i) for i in idents] == [1] * 6
    listed = answer(shared, "store2", "mailbox", "list", user)["mailboxes"]
    assert len([m for m in listed if re.search(rf"user\.{name}(\.|$)", m["mailbox"])]) == 6


def test_the_first_mail_makes_the_folders(shared):
    user = shared.user("store1")
    shared.send(user)
    client = shared.raw_imap(user)
    assert special_uses(client) == {"INBOX": None, **FOLDERS}
    client.close()


@pytest.mark.parametrize("what", ["store1", "master"])
def test_a_first_login_in_which_somebody_is_killed(own, what):
    """All of the folders or none; and the next login finds or makes them."""
    restart_with(own, "store1", *FIRST_LOGIN)
    for i in range(6):
        user = own.user("store1")
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            tries = [pool.submit(own.imap, user, f"fe{n + 1}") for n in range(2)]
            time.sleep(i * 0.004)
            own[what].kill()
            for t in tries:
                try:
                    t.result().logout()
                except (imaplib.IMAP4.error, OSError):
                    pass  # later
        own[what].start()
        own.cluster.wait_settled()
        client = own.imap(user)
        listed = client.list()[1]
        assert len(listed) == 4 and len(client.lsub()[1]) == 5, listed
        client.logout()
        assert own.send(user)
