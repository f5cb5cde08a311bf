"""Shared mailboxes on one store (RFC 4314), at its own IMAP port and by roostctl."""
import base64
import imaplib
import json
import re

import pytest

import cluster as c
import talk
from world import PASSWORD


def at_store(site, user, store="store1"):
    client = talk.Imap(site.cluster.at(store, "imap"))
    client.ok(f'LOGIN {user} "{PASSWORD}"')
    return client


@pytest.fixture
def pair(shared):
    """Two users of one store, each with a session there."""
    users = [shared.user("store1") for _ in range(2)]
    clients = [at_store(shared, u) for u in users]
    yield [u.split("@")[0] for u in users], clients
    for client in clients:
        client.close()


def has(lines, text):
    return any(text.encode() in line for line in lines)


def find_at_master(site, name):
    """What the location master says about a name."""
    lines = talk.Lines(site.cluster.at("master", "mupdate"))
    while not lines.greeting.startswith(b"* OK"):
        lines.greeting = lines.line()
    secret = base64.b64encode(f"\0replica\0{site.cluster.secrets['replica']}".encode()).decode()
    assert b"OK" in lines.say(f'A AUTHENTICATE "PLAIN" "{secret}"')
    found = lines.say(f'F FIND "{name}"')
    while (literal := re.search(rb"\{(\d+)\+?\}$", found)) is not None:
        found = found[:literal.start()] + lines.file.read(int(literal.group(1))) + lines.line()
    lines.close()
    return found


def test_capabilities_and_namespaces(pair):
    _, (client, _) = pair
    assert has(client.ok("CAPABILITY"), " ACL RIGHTS=kxte ")
    assert has(client.ok("NAMESPACE"),
               '(("" "/")) (("Other Users/" "/")) (("Shared Folders/" "/"))')


def test_imaplib_speaks_of_rights(shared, pair):
    (owner, friend), _ = pair
    client = imaplib.IMAP4(*shared.cluster.at("store1", "imap"), timeout=talk.TIMEOUT)
    client.login(f"{owner}@{shared.domain}", PASSWORD)
    assert client.setacl("INBOX", f"{friend}@{shared.domain}", "lrs")[0] == "OK"
    assert client.getacl("INBOX")[1] == [f"INBOX {owner} lrswipkxtecda {friend} lrs".encode()]
    assert client.deleteacl("INBOX", friend)[0] == "OK"
    assert client.getacl("INBOX")[1] == [f"INBOX {owner} lrswipkxtecda".encode()]
    assert client.myrights("INBOX")[1] == [b"INBOX lrswipkxtecda"]
    with pytest.raises(imaplib.IMAP4.error):
        client.setacl("INBOX", friend, "lrQ")
    client.logout()


def test_a_folder_is_shared_and_taken_back(shared, pair):
    (owner, friend), (mine, other) = pair
    box = f'"Other Users/{owner}/Team"'
    mine.ok("CREATE Team")
    mine.append("Team", talk.message("for you\r\n"))
    other.no(f"SELECT {box}", b"NONEXISTENT")
    mine.ok(f"SETACL Team {friend} lrswi")
    assert friend.encode() + b"\tlrswi" in find_at_master(shared, f"user.{owner}.Team")
    assert has(other.ok('LIST "" "Other Users/*"'), box)
    assert has(other.ok('LIST "" % RETURN (CHILDREN)'),
               r'(\NonExistent \HasChildren) "/" "Other Users"')
    assert has(other.ok(f"SELECT {box}"), "[READ-WRITE]")
    assert has(other.ok("FETCH 1 BODY.PEEK[TEXT]"), "for you")
    other.ok(r"STORE 1 +FLAGS (\Seen \Deleted)")
    assert has(other.ok("FETCH 1 FLAGS"), r"FLAGS (\Seen")
    other.no("EXPUNGE", b"NOPERM")
    other.ok("COPY 1 INBOX")
    assert b"APPENDUID" in other.append(box, talk.message("mine\r\n"))[-1]
    mine.ok("SELECT Team")
    assert has(mine.ok("SEARCH BODY mine"), "* SEARCH 2")
    tag = other.start("IDLE")
    while b"idling" not in other.line():
        pass
    mine.ok(f"SETACL Team {friend} -r")
    with pytest.raises(EOFError) as gone:
        other.finish(tag)
    assert "BYE" in str(gone.value)
    again = at_store(shared, f"{friend}@{shared.domain}")
    again.no(f"SELECT {box}", b"NOPERM")
    mine.ok(f"DELETEACL Team {friend}")
    again.no(f"SELECT {box}", b"NONEXISTENT")
    assert not has(again.ok('LIST "" *'), "Team")
    again.close()


def test_shared_folders_by_roostctl(shared, pair):
    (owner, friend), (mine, other) = pair
    top = f"lists-{owner}"
    ctl = lambda *args, **how: shared.cluster.ctl("store1", *args, **how)  # noqa: E731
    ctl("mailbox", "create", f"{top}.x.y", "--parents", "--store", "store1")
    for name in [top, f"{top}.x", f"{top}.x.y"]:
        ctl("mailbox", "acl", "set", name, "anyone", "none")
        ctl("mailbox", "acl", "set", name, f"{friend}@{shared.domain}", "read")
    ctl("mailbox", "acl", "set", f"{top}.x", f"{owner}@{shared.domain}", "all")
    ctl("mailbox", "acl", "set", f"{top}.x", "--", f"-{friend}", "s")
    shown = json.loads(ctl("--json", "mailbox", "acl", "show", f"{top}.x").stdout)["acl"]
    assert shown == [{"id": friend, "rights": "lrs"}, {"id": owner, "rights": "lrswipkxtecda"},
                     {"id": f"-{friend}", "rights": "s"}]
    listed = ctl("mailbox", "list", top).stdout
    assert f"{friend} lrs, {owner} lrswipkxtecda, -{friend} s" in listed
    assert has(other.ok(f'MYRIGHTS "Shared Folders/{top}/x"'), " lr")
    other.no(f'GETACL "Shared Folders/{top}/x"', b"NOPERM")
    listed = other.ok('LIST "" "Shared Folders/*" RETURN (MYRIGHTS STATUS (MESSAGES))')
    for name in [top, f"{top}/x", f"{top}/x/y"]:
        assert has(listed, f'STATUS "Shared Folders/{name}" (MESSAGES 0)')
    assert has(mine.ok(f'LIST "" "Shared Folders/{top}/%"'), f"{top}/x")
    mine.ok(f'CREATE "Shared Folders/{top}/x/made"')
    mine.no(f'CREATE "Shared Folders/{top}/made"', b"NOPERM")
    mine.no('CREATE "Shared Folders/mine"', b"NOPERM")
    ctl("mailbox", "acl", "delete", f"{top}.x", f"{friend}@{shared.domain}")
    other.no(f'SELECT "Shared Folders/{top}/x"', b"NONEXISTENT")
    ctl("mailbox", "rename", f"{top}.x", f"{top}.z")
    assert has(mine.ok('LIST "" "*made"'), f"{top}/z/made")
    ctl("mailbox", "delete", top, "--tree")
    assert not has(mine.ok('LIST "" *'), top)
    assert ctl("mailbox", "acl", "show", top, check=False).returncode != 0
    assert ctl("mailbox", "acl", "set", f"user.{owner}", "a b", "lr", check=False).returncode == 1
    assert ctl("mailbox", "acl", "set", f"user.{owner}", friend, "lQ", check=False).returncode == 1


def test_every_change_needs_the_master(own):
    users = [own.user("store1") for _ in range(2)]
    owner, friend = (u.split("@")[0] for u in users)
    mine, other = (at_store(own, u) for u in users)
    mine.ok(f"SETACL INBOX {friend} lr")
    own["master"].stop()
    c.wait_until("the store to miss the master", lambda: b"UNAVAILABLE" in
                 mine.run(f"SETACL INBOX {friend} lrs")[-1])
    assert has(mine.ok("GETACL INBOX"), f"{friend} lr")
    mine.no(f"DELETEACL INBOX {friend}", b"UNAVAILABLE")
    other.ok(f'EXAMINE "Other Users/{owner}"')
    assert has(other.ok('LIST "" "Other*"'), f"Other Users/{owner}")
    own["master"].start()
    own.cluster.wait_settled()
    mine.ok(f"SETACL INBOX {friend} lrsi")
    assert friend.encode() + b"\tlrsi" in find_at_master(own, f"user.{owner}")
    mine.close()
    other.close()


def test_rights_survive_a_kill(own):
    users = [own.user("store1") for _ in range(2)]
    owner, friend = (u.split("@")[0] for u in users)
    mine = at_store(own, users[0])
    mine.ok("CREATE Team")
    for rights in ["l", "lr", "lrs", "lrsi"]:
        mine.ok(f"SETACL Team {friend} {rights}")
    mine.ok("CREATE Gone")
    mine.ok(f"SETACL Gone {friend} lr")
    mine.ok(f"DELETEACL Gone {friend}")
    own["store1"].kill()
    own["store1"].start()
    own.cluster.wait_settled()
    other = at_store(own, users[1])
    listed = other.ok('LIST "" "Other*" RETURN (MYRIGHTS)')
    assert has(listed, f'MYRIGHTS "Other Users/{owner}/Team" lrsi')
    assert not has(listed, "Gone")
    other.close()
    mine.close()


# ---- the table of RFC 4314 section 4, through a front end, from another store -----------------

RIGHTS = "lrswipkxtea"
BOX = '"Other Users/{owner}/Box"'
COMMANDS = [  # what it needs (any one of them when in brackets), the command
    ("r", "EXAMINE {box}"),
    ("", "SELECT INBOX"),
    ("r", "STATUS {box} (MESSAGES)"),
    ("k", "CREATE {sub}"),
    ("a", "SETACL {box} somebody l"),
    ("a", "DELETEACL {box} somebody"),
    ("a", "GETACL {box}"),
    ("a", "LISTRIGHTS {box} somebody"),
    ("[lrikxa]", "MYRIGHTS {box}"),
    ("", "SUBSCRIBE {box}"),
    ("", "UNSUBSCRIBE {box}"),
    ("i", "APPEND {box} {{1+}}\r\nx"),
    ("i", "UID COPY 1 {box}"),  # of the INBOX, which is on another store
    ("x", "DELETE {box}"),
]
SELECTED = [
    ("s", r"STORE 1 +FLAGS (\Seen)"),
    ("t", r"STORE 1 +FLAGS (\Deleted)"),
    ("w", r"STORE 1 +FLAGS (\Flagged $Label1)"),
    ("[sw]", r"STORE 1 -FLAGS (\Seen \Flagged)"),
    ("", "FETCH 1 BODY[]"),
    ("e", "UID EXPUNGE 999"),
    ("te", "MOVE 1 INBOX"),
]


def is_allowed(needs, rights):
    if needs.startswith("["):
        return any(r in rights for r in needs[1:-1])
    return all(r in rights for r in needs)


def sets_of_rights():
    return [""] + list(RIGHTS) + [RIGHTS.replace(r, "") for r in RIGHTS] + [RIGHTS]


def check_command(client, needs, command, rights, absent):
    last = client.run(command)[-1].split(b" ", 1)[1]
    if is_allowed(needs, rights):
        want = [b"OK"]
    elif "l" in rights:
        want = [b"NO [NOPERM]", b"NO [READ-ONLY]"]
    else:
        want = [b"NO [%s]" % code for code in absent]
    assert any(last.startswith(w) for w in want), (rights, command, last)


def test_every_command_with_every_right(shared):
    owner, friend = shared.user("store1"), shared.user("store2")
    mine, his = at_store(shared, owner), shared.raw_imap(friend, "fe1")
    box, name = BOX.format(owner=owner.split("@")[0]), friend.split("@")[0]
    his.append("INBOX", talk.message())
    for n, rights in enumerate(sets_of_rights()):
        mine.run("CREATE Box")
        mine.ok(f'SETACL Box {name} "{rights}"')
        for needs, command in COMMANDS:
            check_command(his, needs, command.format(box=box, sub=box[:-1] + f'/n{n}"'), rights,
                          [b"NONEXISTENT", b"TRYCREATE", b"NOPERM"])
    for rights in sets_of_rights():
        if "l" not in rights or "r" not in rights:
            rights += "lr"
        mine.run("CREATE Box")
        mine.append("Box", talk.message())
        mine.ok(f'SETACL Box {name} "{"".join(set(rights))}"')
        his.ok(f"SELECT {box}")
        for needs, command in SELECTED:
            check_command(his, needs, command, rights, [])
        his.ok("UNSELECT")
        mine.ok("DELETE Box")
    mine.close()
    his.close()


def test_a_long_list_of_rights_goes_all_the_way(shared):
    owner, friend = shared.user("store1"), shared.user("store2")
    mine, his = at_store(shared, owner), shared.raw_imap(friend, "fe2")
    mine.ok("CREATE Big")
    for n in range(700):
        last = mine.run(f"SETACL Big {'u' * 60}{n:03} lrs")[-1]
        assert b" OK " in last, (n, last)
    mine.ok(f"SETACL Big {friend.split('@')[0]} lr")
    found = find_at_master(shared, f"user.{owner.split('@')[0]}.Big")
    assert found.count(b"\tlrs\t") == 700
    assert has(his.ok('LIST "" "*Big" RETURN (MYRIGHTS)'), "/Big\" lr")
    while b" OK " in last:
        last = mine.run(f"SETACL Big {'v' * 60}{n:03} lrs")[-1]
        n += 1
    assert b"NO [LIMIT]" in last and n < 1000
    his.ok(f'EXAMINE "Other Users/{owner.split("@")[0]}/Big"')
    mine.ok("DELETE Big")
    mine.close()
    his.close()


@pytest.mark.parametrize("victim", ["master", "store1"])
def test_killed_while_rights_change(own, victim):
    """What was acknowledged is there, and the master knows the same as the store."""
    owner, friend = (own.user("store1").split("@")[0] for _ in range(2))
    mine, done = at_store(own, f"{owner}@{own.domain}"), set()
    for n in range(60):
        if n == 20:
            own[victim].kill()
        if n == 35:
            own[victim].start()
            own.cluster.wait_settled()
            mine = at_store(own, f"{owner}@{own.domain}")
        try:
            last = mine.run(f"SETACL INBOX {friend}-{n} lr")[-1]
        except (EOFError, OSError):
            last = b"gone"
        if b" OK " in last:
            done.add(n)
        else:
            assert last == b"gone" or b"NO [UNAVAILABLE]" in last
    assert set(range(20)) | set(range(35, 60)) <= done
    own.cluster.wait_settled()
    mine = at_store(own, f"{owner}@{own.domain}")
    told = b"".join(mine.ok("GETACL INBOX")[:-1])
    kept = {n for n in range(60) if f"{friend}-{n} lr".encode() in told}
    assert done <= kept
    found = find_at_master(own, f"user.{owner}")
    assert {n for n in range(60) if f"{friend}-{n}\tlr\t".encode() in found} == kept
    mine.close()


# ---- what he may not see --------------------------------------------------------------------------

ASKING = ["SELECT %s", "SELECT %s (BOGUS)", "STATUS %s (MESSAGES)", "STATUS %s (BOGUS)", "DELETE %s",
            "DELETE %s x", "CREATE %s/x", "CREATE %s/x (BOGUS)", "RENAME %s mine", "RENAME mine %s/x",
            "RENAME %s x y", "GETACL %s", "SETACL %s anyone lr", 'SETACL %s "" lr', "MYRIGHTS %s",
            "LISTRIGHTS %s", "GETQUOTA %s", "GETQUOTAROOT %s", "SETQUOTA %s (STORAGE 5)",
            'LIST "" %s', "APPEND %s x", "APPEND %s {3+}\r\nabc"]
COPYING = ["COPY 1 %s", "COPY 9 %s", "COPY x %s", "COPY 1 %s x", "UID COPY 9 %s", "MOVE 1 %s",
          "UID MOVE 9 %s"]


def test_no_command_tells_what_is_hidden_from_what_is_not_there(shared):
    """On the same store and on another one, by whatever else is wrong with the command."""
    bobs = [shared.user(store) for store in shared.cluster.stores]
    for bob in bobs:
        client = shared.raw_imap(bob)
        client.ok("CREATE Secret")
        client.close()
    users = [bob.split("@")[0] for bob in bobs]
    names = [f'"Other Users/{u}/{box}' for u in users for box in ("Secret", "Nothing")]
    names += ['"Other Users/nobody/x', f'"Other Users/{users[0]}', f'"Other Users/{users[1]}']
    client = shared.raw_imap(shared.user("store1"))
    client.append("INBOX", talk.message())

    def answer(command, name):
        tag = client.start(command.replace("%s/x", name + '/x"').replace("%s", name + '"'))
        said = b"\n".join(client.finish(tag))
        return said.replace(tag.encode(), b"").replace(name.encode(), b"")

    for select, commands in [(None, ASKING), ("INBOX", COPYING)]:
        for command in commands:
            if select:
                client.ok(f"SELECT {select}")
            said = {answer(command, name) for name in names}
            assert len(said) == 1, (command, said)
    client.close()
