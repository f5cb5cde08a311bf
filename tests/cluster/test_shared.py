"""One IMAP session whose mailboxes lie on two stores, through the front ends."""
import imaplib
import itertools
import os
import random
import re
import threading
import time

import pytest

import cluster as c
import talk
from world import PASSWORD

numbers = itertools.count(1)
FULL = "lrswipkxte"


def has(lines, text):
    return any(text.encode() in line for line in lines)


def listed(lines):
    """Names of LIST or LSUB and their attributes, in order."""
    found = {}
    for line in lines:
        m = re.match(rb'\* (?:LIST|LSUB) \(([^)]*)\) "/" (?:"([^"]*)"|(\S+))', line)
        if m:
            name = (m.group(2) or m.group(3)).decode()
            assert name not in found, f"{name} twice"
            found[name] = m.group(1).decode().split()
    return found


def folder(site, store, *acl, name=None):
    """A shared folder on this store; what its clients call it."""
    name = name or f"box{next(numbers)}"
    site.cluster.ctl(store, "mailbox", "create", name, "--store", store, "--parents")
    for who, rights in acl or [("anyone", FULL)]:
        site.cluster.ctl(store, "mailbox", "acl", "set", name, "--", who, rights)
    return '"Shared Folders/%s"' % name.replace(".", "/")


@pytest.fixture
def two(shared):
    """A user of store1, and folders for all on both stores."""
    return shared.user("store1"), folder(shared, "store1"), folder(shared, "store2")


def dated(client, mailbox, message, flags, date):
    return client.append(mailbox, message, how=f'({flags}) "{date}" ')


def fetched(client, what="UID FLAGS INTERNALDATE BODY.PEEK[]"):
    """UID -> (flags, date, body) of the selected mailbox."""
    found = {}
    for line in client.ok(f"UID FETCH 1:* ({what})"):
        m = re.search(rb"UID (\d+)", line)
        if m and b" FETCH (" in line:
            flags = set(re.search(rb"FLAGS \(([^)]*)\)", line).group(1).split()) - {rb"\Recent"}
            date = re.search(rb'INTERNALDATE "([^"]*)"', line).group(1).decode().strip()
            found[int(m.group(1))] = (flags, date, talk.literal([line], b"BODY[]"))
    return found


def uids(text):
    found = []
    for part in text.decode().split(","):
        first, _, last = part.partition(":")
        found += range(int(first), int(last or first) + 1)
    return found


def copyuid(lines):
    """Source UID -> target UID."""
    m = next(filter(None, (re.search(rb"COPYUID \d+ (\S+) ([\d,:]+)\]", x) for x in lines)))
    return dict(zip(uids(m.group(1)), uids(m.group(2)), strict=True))


# ---- names ------------------------------------------------------------------------------------

def test_names_of_both_stores_are_told_once(shared, two):
    user, here, there = two
    for front in shared.cluster.fronts:
        client = shared.raw_imap(user, front)
        found = listed(client.ok('LIST "" *'))
        assert {"INBOX", here.strip('"'), there.strip('"')} <= set(found)
        assert list(found)[0] == "INBOX" and found[there.strip('"')] == ["\\HasNoChildren"]
        top = listed(client.ok('LIST "" %'))
        assert top["Shared Folders"] == ["\\Noselect", "\\HasChildren"]
        assert not any("/" in name for name in top)
        level = listed(client.ok('LIST "" "Shared Folders/%"'))
        assert {here.strip('"'), there.strip('"')} <= set(level)
        lines = client.ok('LIST "" ("INBOX" "Shared Folders/*") RETURN (STATUS (MESSAGES))')
        for name in ("INBOX", here, there):
            assert has(lines, f"STATUS {name} (MESSAGES 0)")
        assert has(client.ok("NAMESPACE"),
                   '(("" "/")) (("Other Users/" "/")) (("Shared Folders/" "/"))')
        client.close()


def test_subscriptions_are_kept_at_home(shared, two):
    user, here, there = two
    client = shared.raw_imap(user)
    client.ok(f"SUBSCRIBE {there}")
    client.ok('SUBSCRIBE "Shared Folders/nowhere"')
    other = shared.raw_imap(user, "fe2")
    assert there.strip('"') in listed(other.ok('LSUB "" *'))
    found = listed(other.ok('LIST (SUBSCRIBED) "" "Shared*"'))
    assert found == {"Shared Folders/nowhere": ["\\NonExistent", "\\HasNoChildren",
                                                "\\Subscribed"],
                     there.strip('"'): ["\\HasNoChildren", "\\Subscribed"]}
    found = listed(other.ok('LIST "" "Shared*" RETURN (SUBSCRIBED)'))
    assert "\\Subscribed" in found[there.strip('"')]
    assert "\\Subscribed" not in found[here.strip('"')]
    assert '"CHILDINFO"' in str(other.ok('LIST (SUBSCRIBED RECURSIVEMATCH) "" %'))
    client.ok(f"UNSUBSCRIBE {there}")
    assert there.strip('"') not in listed(other.ok('LSUB "" *'))
    client.close()
    other.close()


def test_a_folder_given_to_a_user_of_another_store(shared):
    owner, friend = shared.user("store1"), shared.user("store2")
    mine, other = shared.raw_imap(owner, "fe1"), shared.raw_imap(friend, "fe2")
    box = f'"Other Users/{owner.split("@")[0]}/Team"'
    for i in range(5):
        mine.ok(f"CREATE Team/{i}")
        mine.ok(f"SETACL Team {friend} lrswi")
        # promise 6 holds for the one who changed it, and a barrier makes it hold for all
        assert box.strip('"') in listed(other.ok('LIST "" "Other Users/*"'))
        assert has(other.ok(f"STATUS {box} (MESSAGES)"), "MESSAGES 0")
        other.no(f"STATUS {box[:-1]}/{i}\" (MESSAGES)", b"NONEXISTENT")
        mine.ok(f"DELETEACL Team {friend}")
        other.no(f"STATUS {box} (MESSAGES)", b"NONEXISTENT")
        assert box.strip('"') not in listed(other.ok('LIST "" *'))
    mine.close()
    other.close()


def test_groups_and_negative_rights(shared):
    users = [shared.user(s) for s in ("store1", "store2", "store1")]
    group = f"group{next(numbers)}"
    shared.cluster.ctl("store1", "group", "add", f"{group}@{shared.domain}")
    for user in users[:2]:
        shared.cluster.ctl("store1", "group", "join", f"{group}@{shared.domain}", user)
    box = folder(shared, "store2", ("anyone", "none"), (f"group:{group}", "lrswi"),
                 (f"-{users[1]}", "r"))
    found = []
    for user in users:
        client = shared.raw_imap(user)
        found.append((box.strip('"') in listed(client.ok('LIST "" "Shared Folders/*"')),
                      client.run(f"SELECT {box}")[-1].split()[1]))
        client.close()
    assert found == [(True, b"OK"), (True, b"NO"), (False, b"NO")]


def test_names_are_made_where_those_above_are(shared, two):
    user, here, there = two
    client = shared.raw_imap(user, "fe1")
    other = shared.raw_imap(user, "fe2")
    for top in (here, there):
        below = top[:-1] + '/new"'
        client.ok(f"CREATE {below}")
        other.ok(f"STATUS {below} (MESSAGES)")
        client.ok(f"RENAME {below} {top[:-1]}/newer\"")
        other.no(f"STATUS {below} (MESSAGES)", b"NONEXISTENT")
        other.ok(f"DELETE {top[:-1]}/newer\"")
        client.no(f"STATUS {top[:-1]}/newer\" (MESSAGES)", b"NONEXISTENT")
    client.no('CREATE "Shared Folders/mine"', b"NOPERM")
    client.ok("CREATE mine")
    client.no(f"RENAME mine {there[:-1]}/mine\"", b"CANNOT")
    client.no(f"RENAME {there} {here[:-1]}/there\"", b"CANNOT")
    client.close()
    other.close()


# ---- a session ----------------------------------------------------------------------------------

def test_one_session_looks_like_one_server(shared, two):
    user, here, there = two
    client = shared.raw_imap(user)
    for box in ("INBOX", here, there):
        for i in range(3):
            assert b"APPENDUID" in client.append(box, talk.message(f"{box} {i}\r\n"))[-1]
    for box in (there, "INBOX", here, there, here):
        assert has(client.ok(f"SELECT {box}"), "* 3 EXISTS")
        assert has(client.ok("FETCH 2 BODY.PEEK[TEXT]"), f"{box} 1")
        assert has(client.ok('SEARCH BODY " 1"'), "SEARCH 2")
        client.ok(r"STORE 1 +FLAGS (\Flagged)")
        for name in (here, there):
            assert has(client.ok(f"STATUS {name} (MESSAGES UNSEEN)"), "MESSAGES 3")
    client.ok("UNSELECT")
    client.bad("FETCH 1 FLAGS")
    client.close()


def test_pipelined_over_stores(shared, two):
    user, here, there = two
    client = shared.raw_imap(user)
    client.append(there, talk.message("in there\r\n"))
    tags = [client.start(x) for x in (
        "SELECT INBOX", "NOOP", f"SELECT {there}", "FETCH 1 BODY.PEEK[TEXT]",
        f"STATUS {here} (MESSAGES)", f"SELECT {here}", "FETCH 1 FLAGS",
        f"COPY 1 {there}", f"SELECT {there}", "COPY 1 INBOX", "SELECT INBOX",
        "FETCH 1 BODY.PEEK[TEXT]")]
    words = []
    for tag in tags:
        lines = client.finish(tag)
        words.append(lines[-1].split()[1].decode())
        if tag in (tags[3], tags[11]):
            assert has(lines, "in there")
    assert words == ["OK"] * 6 + ["BAD", "BAD"] + ["OK"] * 4
    client.close()


def test_news_are_of_the_selected_mailbox_only(shared, two):
    user, here, there = two
    client, other = shared.raw_imap(user, "fe1", there), shared.raw_imap(user, "fe2")
    tag = client.idle()
    other.append(there, talk.message())
    assert client.response().startswith(b"* 1 EXISTS")
    client.send("DONE\r\n")
    client.finish(tag)
    client.ok(f"SELECT {here}")
    other.append(there, talk.message())
    other.append("INBOX", talk.message())
    time.sleep(0.3)
    assert not has(client.ok("NOOP"), "EXISTS")
    other.append(here, talk.message())
    c.wait_until("the news", lambda: has(client.ok("NOOP"), "* 1 EXISTS"))
    client.close()
    other.close()


def test_condstore_holds_on_every_store(shared, two):
    user, here, there = two
    client = shared.raw_imap(user)
    client.append(there, talk.message())
    client.ok(f"STATUS {there} (MESSAGES)")
    client.ok("ENABLE CONDSTORE")
    client.ok(f"SELECT {there}")
    assert has(client.ok(r"STORE 1 +FLAGS (\Seen)"), "MODSEQ")
    client.close()
    client = shared.raw_imap(user)
    client.ok("SELECT INBOX (CONDSTORE)")
    assert has(client.ok(f"SELECT {there}"), "HIGHESTMODSEQ")
    assert has(client.ok(r"STORE 1 +FLAGS (\Answered)"), "MODSEQ")
    client.close()


def test_rights_taken_away_are_seen_by_open_sessions(shared):
    user = shared.user("store1")
    box = folder(shared, "store2", ("anyone", "none"), (user, "lrswi"))
    name = box.strip('"').split("/")[-1]
    client, idler = shared.raw_imap(user, "fe1", box), shared.raw_imap(user, "fe2", box)
    idler.idle()
    shared.cluster.ctl("store2", "mailbox", "acl", "set", name, user, "lr")
    assert has(client.run("NOOP"), "[READ-ONLY]")
    other = shared.raw_imap(user)
    assert b" NO " in other.append(box, talk.message())[-1]
    other.close()
    shared.cluster.ctl("store2", "mailbox", "acl", "delete", name, user)
    assert idler.is_closed()
    with pytest.raises((EOFError, ConnectionError)):  # it is closed as he speaks, perhaps
        c.wait_until("the end", lambda: client.run("NOOP") is None)
    again = shared.raw_imap(user)
    again.no(f"SELECT {box}", b"NONEXISTENT")
    again.ok("SELECT INBOX")
    for x in (client, idler, again):
        x.close()


def test_imaplib(shared, two):
    user, here, there = two
    client = shared.imap(user)
    assert client.append(there, r"(\Seen)", None, talk.message("by imaplib\r\n"))[0] == "OK"
    assert client.select(there)[0] == "OK"
    assert client.copy("1", here)[0] == "OK"
    assert client.uid("MOVE", "1", "INBOX")[0] == "OK"
    assert client.select(here)[1] == [b"1"] and client.select("INBOX")[1] == [b"1"]
    assert client.select(there)[1] == [b"0"]
    assert client.myrights(there)[0] == "OK"
    client.logout()


# ---- COPY and MOVE ---------------------------------------------------------------------------------

DATES = ["17-Jul-1996 02:44:25 -0700", "01-Jan-2026 00:00:00 +0000",
         "09-Nov-2026 23:59:59 +0530"]
FLAGS = [r"\Seen \Flagged $Forwarded", "", r"\Answered \Deleted Work $Junk"]


def fill(client, mailbox, count, size=200):
    for i in range(count):
        body = f"no {i}\r\n" + "x" * (size * (i % 3)) + "\r\n.\r\n"
        lines = dated(client, mailbox, talk.message(body), FLAGS[i % 3], DATES[i % 3])
        assert b"APPENDUID" in lines[-1]


@pytest.mark.parametrize("way", ["home to other", "other to home"])
def test_copies_have_all_that_the_messages_have(shared, two, way):
    user, here, there = two
    source, target = ("INBOX", there) if way == "home to other" else (there, here)
    client = shared.raw_imap(user)
    fill(client, source, 9)
    client.ok(f"SELECT {source}")
    before = fetched(client)
    client.no('COPY 1 "Shared Folders/none"', b"TRYCREATE")
    client.ok(f"UID COPY 999 {target}")
    client.bad(f"COPY 999 {target}")
    by_uid = copyuid(client.ok(f"UID COPY 2:3,5,9 {target}"))
    by_number = copyuid(client.ok(f"COPY 1,4,6:8 {target}"))
    assert sorted(by_uid) == [2, 3, 5, 9] and sorted(by_number) == [1, 4, 6, 7, 8]
    assert fetched(client) == before
    client.ok(f"SELECT {target}")
    copies = fetched(client)
    assert copies == {to: before[uid] for uid, to in (by_uid | by_number).items()}
    assert {len(body) for _, _, body in before.values()} != {0}
    client.close()


def test_a_move_leaves_nothing_behind(shared, two):
    user, here, there = two
    client, watcher = shared.raw_imap(user), shared.raw_imap(user, "fe2", there)
    fill(client, there, 7)
    client.ok(f"SELECT {there}")
    client.ok(r"UID STORE 7 +FLAGS (\Deleted)")
    before = fetched(client)
    assert has(watcher.ok("NOOP"), "* 7 EXISTS")
    lines = client.ok("MOVE 1:3,5 INBOX")
    moved = copyuid(lines)
    gone = [line for line in lines if line.endswith(b" EXPUNGE")]
    assert len(gone) == 4 and lines.index(gone[0]) > \
        next(i for i, x in enumerate(lines) if b"COPYUID" in x)
    assert fetched(client) == {u: before[u] for u in (4, 6, 7)}
    assert len([x for x in watcher.ok("NOOP") if x.endswith(b" EXPUNGE")]) == 4
    moved |= copyuid(client.ok("UID MOVE 4 INBOX"))
    client.ok("SELECT INBOX")
    copies = fetched(client)
    assert copies == {to: before[uid] for uid, to in moved.items()}
    client.close()
    watcher.close()


def test_rights_at_both_ends(shared):
    user = shared.user("store1")
    source = folder(shared, "store2", ("anyone", "lri"))
    target = folder(shared, "store2", ("anyone", "lr"))
    client = shared.raw_imap(user)
    client.append(source, talk.message())
    client.ok(f"SELECT {source}")
    client.ok("COPY 1 INBOX")
    client.no("MOVE 1 INBOX", b"")
    client.ok("SELECT INBOX")
    assert len(fetched(client)) == 1
    client.no(f"COPY 1 {target}", b"NOPERM")
    client.ok("EXAMINE INBOX")
    client.no(f"MOVE 1 {source}")
    client.ok(f"SELECT {source}")
    assert len(fetched(client)) == 1
    client.close()


def test_many_and_large_ones_at_once(shared, two):
    user, here, there = two
    client = shared.raw_imap(user)
    many = [talk.message(f"{i}\r\n" * (1 + i % 50)) for i in range(1200)]
    for i in range(0, 1200, 200):
        assert b" OK " in client.append("INBOX", *many[i:i + 200], sync=False)[-1]
    big = talk.message("0123456789abcdef" * 64 + "\r\n" * 1)
    big += b"y" * 78 + b"\r\n"
    big = big + (b"z" * 998 + b"\r\n") * 9000
    assert b" OK " in client.append("INBOX", big)[-1]
    client.ok("SELECT INBOX")
    began = time.monotonic()
    moved = copyuid(client.ok(f"UID COPY 1:* {there}"))
    seconds = time.monotonic() - began
    print(f"1201 messages, {(sum(map(len, many)) + len(big)) >> 20} MB, across in {seconds:.1f} s")
    assert len(moved) == 1201
    client.ok(f"SELECT {there}")
    copies = fetched(client)
    assert [copies[moved[uid]][2] for uid in range(1, 1202)] == many + [big]
    client.close()


def test_quotas_of_the_other_store_hold(shared, two):
    user, here, there = two
    shared.cluster.ctl("store2", "mailbox", "quota", "set", there.split("/")[-1].strip('"'),
                       "--messages", "5")
    client = shared.raw_imap(user)
    assert has(client.ok(f"GETQUOTAROOT {there}"), "MESSAGE 0 5")
    fill(client, "INBOX", 6)
    client.ok("SELECT INBOX")
    client.ok(f"COPY 1:4 {there}")
    client.no(f"COPY 1:2 {there}", b"OVERQUOTA")
    client.no(f"MOVE 1:2 {there}", b"OVERQUOTA")
    client.ok(f"COPY 1 {there}")
    assert has(client.ok(f"GETQUOTAROOT {there}"), "MESSAGE 5 5")
    assert len(fetched(client)) == 6
    client.close()


def resident(site, name):
    """MB of the front end's workers."""
    total = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                ours = b"roost-imap" in f.read()
            with open(f"/proc/{pid}/stat") as f:
                parent = int(f.read().rsplit(")", 1)[1].split()[1])
            if ours and parent == site[name].pid():
                with open(f"/proc/{pid}/status") as f:
                    total += int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1)) >> 10
        except OSError:
            continue
    return total


def test_a_huge_message_does_not_pile_up(shared, two):
    user, here, there = two
    client = shared.raw_imap(user)
    huge = talk.message() + (b"h" * 998 + b"\r\n") * 50000
    assert b" OK " in client.append("INBOX", huge)[-1]
    client.ok("SELECT INBOX")
    before, most, done = resident(shared, "fe1-imap"), 0, threading.Event()

    def watch():
        nonlocal most
        while not done.is_set():
            most = max(most, resident(shared, "fe1-imap"))
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        client.ok(f"COPY 1 {there}")
    finally:
        done.set()
        watcher.join()
    assert 0 < most < before + 10, (before, most)
    client.ok(f"SELECT {there}")
    assert talk.literal(client.ok("FETCH 1 BODY.PEEK[]"), b"BODY[]") == huge
    client.close()


def test_many_copy_both_ways_at_once(shared):
    here, there = folder(shared, "store1"), folder(shared, "store2")
    users = [shared.user(f"store{i % 2 + 1}") for i in range(12)]
    failed = []

    def work(i):
        try:
            client = shared.raw_imap(users[i], shared.cluster.fronts[i // 2 % 2])
            mine = [talk.message(f"w{i}k{k}e\r\n" * 500) for k in range(20)]
            assert b" OK " in client.append("INBOX", *mine)[-1]
            for box in (here, there):
                client.ok("SELECT INBOX")
                assert len(copyuid(client.ok(f"COPY 1:20 {box}"))) == 20
                client.ok(f"SELECT {box}")
                found = client.ok(f'SEARCH BODY w{i}k19e')[0].split()[2:]
                assert len(found) == 1
                client.ok(f"UID COPY {found[0].decode()} INBOX")
            client.ok("SELECT INBOX")
            assert len(fetched(client)) == 22
            client.close()
        except Exception as e:  # noqa: BLE001  told below
            failed.append((i, repr(e)[:500]))
    threads = [threading.Thread(target=work, args=(i,)) for i in range(12)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert failed == []
    client = shared.raw_imap(users[0])
    for box in (here, there):
        assert has(client.ok(f"STATUS {box} (MESSAGES)"), "MESSAGES 240)")
    client.close()


# ---- stores that go -----------------------------------------------------------------------------------

def test_a_store_away_takes_its_mailboxes_only(own):
    user = own.user("store1")
    here, there = folder(own, "store1"), folder(own, "store2")
    client, in_there = own.raw_imap(user), own.raw_imap(user, "fe2", there)
    client.append("INBOX", talk.message())
    client.ok("SELECT INBOX")
    client.ok(f"STATUS {there} (MESSAGES)")
    own["store2"].kill()
    assert in_there.is_closed()
    c.wait_until("the store to be missed", lambda:
                 b"UNAVAILABLE" in client.run(f"STATUS {there} (MESSAGES)")[-1])
    for command in (f"STATUS {there} (MESSAGES)", f"COPY 1 {there}", f"MOVE 1 {there}",
                    f"GETACL {there}"):
        client.no(command, b"UNAVAILABLE")
    assert b"UNAVAILABLE" in client.append(there, talk.message())[-1]
    client.ok("FETCH 1 FLAGS")
    client.ok(f"COPY 1 {here}")
    found = client.ok('LIST "" * RETURN (STATUS (MESSAGES))')
    assert there.strip('"') in listed(found) and not has(found, f"STATUS {there}")
    assert has(found, f"STATUS {here}")
    client.no(f"SELECT {there}", b"UNAVAILABLE")
    client.bad("FETCH 1 FLAGS")
    own["store2"].start()
    c.wait_until("the store to be back",
                 lambda: b" OK " in client.run(f"SELECT {there}")[-1])
    client.close()
    in_there.close()


def test_without_the_master_all_but_changes_goes_on(own):
    user = own.user("store1")
    here, there = folder(own, "store1"), folder(own, "store2")
    client = own.raw_imap(user)
    client.append("INBOX", talk.message())
    client.ok("SELECT INBOX")
    own["master"].stop()
    try:
        assert {here.strip('"'), there.strip('"')} <= set(listed(client.ok('LIST "" *')))
        client.ok(f"COPY 1 {there}")
        client.ok(f"SELECT {there}")
        client.ok(f"MOVE 1 {here}")
        client.no('STATUS "Shared Folders/none" (MESSAGES)', b"UNAVAILABLE")
        client.no(f"CREATE {there[:-1]}/new\"", b"UNAVAILABLE")
    finally:
        own["master"].start()
    c.wait_until("CREATE to work again",
                 lambda: b" OK " in client.run(f"CREATE {there[:-1]}/new\"")[-1])
    client.close()


def test_a_folder_moves_with_its_owner(own):
    """From another store to the one that is the friend's home, and back, under open sessions."""
    owner, friend = own.user("store1"), own.user("store2")
    box = f'"Other Users/{owner.split("@")[0]}/Team"'
    client = own.raw_imap(owner)
    client.ok("CREATE Team")
    client.ok(f"SETACL Team {friend} lrswite")
    client.append("Team", talk.message("for you\r\n"))
    client.close()
    reader, other = own.raw_imap(friend, "fe1", box), own.raw_imap(friend, "fe2", "INBOX")
    other.ok(f"STATUS {box} (MESSAGES)")
    for to, run_at in (("store2", "store1"), ("store1", "store2")):
        own.cluster.ctl(run_at, "move", "user", owner, "to", to)
        assert reader.is_closed(), "what was selected is elsewhere"
        c.wait_until("the folder", lambda: b" OK " in other.run(f"STATUS {box} (MESSAGES)")[-1])
        assert box.strip('"') in listed(other.ok('LIST "" "Other*"'))
        other.append("INBOX", talk.message())
        other.ok("SELECT INBOX")
        other.ok(f"UID COPY 1 {box}")
        reader = own.raw_imap(friend, "fe1", box)
        assert has(reader.ok("FETCH 1 BODY.PEEK[TEXT]"), "for you")
        own.raw_imap(owner, "fe2", "Team").close()
    assert len(fetched(reader)) == 3
    reader.close()
    other.close()


def bodies(client, mailbox):
    client.ok(f"EXAMINE {mailbox}")
    return sorted(body for _, _, body in fetched(client).values())


def attempt(own, user, command, source, victim, delay):
    """The words of the answer, and whether the victim was killed before it; None: cut."""
    client = own.raw_imap(user, "fe1", source)
    killer = threading.Timer(delay, own[victim].kill)
    killer.start()
    try:
        answer = client.run(command)[-1]
    except (EOFError, OSError):
        answer = None
    killer.join()
    client.close()
    return answer


@pytest.mark.parametrize("victim", ["store1", "store2", "fe1-imap"])
@pytest.mark.parametrize("verb", ["COPY", "MOVE"])
def test_killed_in_the_middle(own, verb, victim):
    """store1 is the source. What the client was told holds; nothing is lost, nothing is
    there twice but what nobody answered for."""
    user = own.user("store1")
    for round_ in range(6):
        there = folder(own, "store2")
        source = f"r{round_}"
        client = own.raw_imap(user, "fe2")
        client.ok(f"CREATE {source}")
        mine = [talk.message(f"{i}\r\n" + "m" * 70 + "\r\n" * 100000) for i in range(40)]
        for i in range(0, 40, 20):
            assert b" OK " in client.append(source, *mine[i:i + 20])[-1]
        client.close()
        answer = attempt(own, user, f"UID {verb} 1:* {there}", source, victim,
                         random.uniform(0, 0.2))
        own[victim].start()
        own.cluster.wait_settled()
        client = own.imap_again(user, "fe2")
        left, copied = bodies(client, source), bodies(client, there)
        client.close()
        said = answer.split()[1] if answer else None
        print(verb, victim, said, answer, len(left), len(copied))
        assert copied in ([], sorted(mine)), "all or none"
        assert left == sorted(mine) or (verb == "MOVE" and copied == sorted(mine))
        if said == b"OK":
            assert copied == sorted(mine) and left == (sorted(mine) if verb == "COPY" else [])
        elif said == b"NO" and b"last moment" not in answer and b"are copied" not in answer:
            assert copied == [] and left == sorted(mine)
