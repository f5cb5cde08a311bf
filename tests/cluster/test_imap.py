"""IMAP through the front ends: logins, mailboxes, messages."""
import base64
import email
import imaplib
import re
import threading

import mails
import pytest

import talk
from world import PASSWORD

OFFERED = {b"IMAP4REV1", b"LITERAL+", b"SASL-IR", b"ID", b"ENABLE", b"IDLE", b"NAMESPACE",
           b"UIDPLUS", b"MOVE", b"UNSELECT", b"CHILDREN", b"CONDSTORE", b"SPECIAL-USE",
           b"MULTIAPPEND", b"STATUS=SIZE", b"QUOTA", b"QUOTA=RES-STORAGE", b"QUOTA=RES-MESSAGE",
           b"ESEARCH", b"SORT", b"SORT=DISPLAY", b"THREAD=ORDEREDSUBJECT",
           b"THREAD=REFERENCES"}


def capabilities(lines):
    for line in lines:
        m = re.search(rb"CAPABILITY ([^\]\r\n]*)", line)
        if m:
            return set(m.group(1).upper().split())
    raise AssertionError(f"no CAPABILITY in {lines}")


@pytest.fixture
def user(shared):
    return shared.user("store2")


@pytest.fixture
def box(shared, user):
    """A session with three messages in its selected INBOX."""
    client = shared.raw_imap(user, "fe1")
    for i in range(3):
        assert b" OK " in client.append("INBOX", talk.message(f"body {i}\r\n", f"no {i}"))[-1]
    client.ok("SELECT INBOX")
    yield client
    client.close()


# ---- logins -----------------------------------------------------------------------------

def test_capabilities_are_told_before_and_after_login(shared, user):
    client = shared.raw_imap()
    before = capabilities([client.greeting])
    assert {b"IMAP4REV1", b"STARTTLS", b"SASL-IR", b"LITERAL+", b"AUTH=PLAIN"} <= before
    told = capabilities(client.ok(f'LOGIN {user} "{PASSWORD}"')[-1:])
    asked = capabilities(client.ok("CAPABILITY"))
    assert OFFERED <= told and told == asked
    assert b"STARTTLS" not in asked and b"AUTH=PLAIN" not in asked
    client.close()


def plain(user, password=PASSWORD):
    return base64.b64encode(f"\0{user}\0{password}".encode()).decode()


def test_authenticate_plain(shared, user):
    client = shared.raw_imap()
    client.ok("AUTHENTICATE PLAIN " + plain(user))
    client.ok("SELECT INBOX")
    client.close()
    client = shared.raw_imap()
    tag = client.start("AUTHENTICATE PLAIN")
    assert client.response().startswith(b"+")
    client.send(plain(user) + "\r\n")
    assert b" OK " in client.finish(tag)[-1]
    client.close()


def test_logins_that_fail(shared, user):
    client = shared.raw_imap(front="fe2")
    client.no(f"LOGIN {user} wrong", b"AUTHENTICATIONFAILED")
    client.no(f'LOGIN nobody-here@example.org "{PASSWORD}"', b"AUTHENTICATIONFAILED")
    client.no("AUTHENTICATE PLAIN " + plain(user, "wrong"), b"AUTHENTICATIONFAILED")
    client.close()
    client = shared.raw_imap(front="fe2")
    client.no("AUTHENTICATE NO-SUCH-MECHANISM")
    tag = client.start("AUTHENTICATE PLAIN")
    assert client.response().startswith(b"+")
    client.send("*\r\n")
    assert b" BAD " in client.finish(tag)[-1]
    tag = client.start("AUTHENTICATE PLAIN")
    assert client.response().startswith(b"+")
    client.send("this is not base64!\r\n")
    assert client.finish(tag)[-1].split()[1] in (b"BAD", b"NO")
    client.ok(f'LOGIN {user} "{PASSWORD}"')
    client.close()


def test_starttls(shared, user):
    client = shared.raw_imap()
    client.ok("STARTTLS")
    client.start_tls(shared.tls)
    assert b"STARTTLS" not in capabilities(client.ok("CAPABILITY"))
    client.ok(f'LOGIN {user} "{PASSWORD}"')
    client.ok("SELECT INBOX")
    client.close()


def test_bytes_behind_starttls_end_the_session(shared):
    client = shared.raw_imap()
    client.send("a STARTTLS\r\nb NOOP\r\n")
    assert client.is_closed()
    client.close()


def test_imaps(shared, user):
    client = imaplib.IMAP4_SSL(*shared.cluster.at("fe2", "imaps"), ssl_context=shared.tls)
    client.login(user, PASSWORD)
    assert client.select()[0] == "OK"
    client.logout()


def test_wrong_state(shared, user):
    client = shared.raw_imap()
    client.bad("SELECT INBOX")
    client.ok(f'LOGIN {user} "{PASSWORD}"')
    client.bad("FETCH 1 FLAGS")
    client.bad(f'LOGIN {user} "{PASSWORD}"')
    lines = client.ok("LOGOUT")
    assert any(line.startswith(b"* BYE") for line in lines)
    assert client.is_closed()
    client.close()


# ---- mailboxes --------------------------------------------------------------------------------

def names(lines):
    found = {}
    for line in lines:
        m = re.match(rb'\* (?:LIST|LSUB) \(([^)]*)\) (?:"/"|NIL) (?:"([^"]*)"|(\S+))$', line)
        if m:
            found[(m.group(2) or m.group(3)).decode()] = set(m.group(1).split())
    return found


def test_new_users_have_folders_with_special_use(shared, user):
    client = shared.raw_imap(user)
    client.ok("SELECT INBOX")
    found = names(client.ok('LIST "" *'))
    assert set(found) >= {"INBOX", "Drafts", "Sent", "Junk", "Trash", "Archive"}
    for name in ("Drafts", "Sent", "Junk", "Trash", "Archive"):
        assert b"\\" + name.encode() in found[name]
    found = names(client.ok('LIST (SPECIAL-USE) "" *'))
    assert set(found) == {"Drafts", "Sent", "Junk", "Trash", "Archive"}
    client.close()


def test_create_is_seen_on_the_other_front_end_at_once(shared, user):
    here, there = shared.raw_imap(user, "fe1"), shared.raw_imap(user, "fe2")
    for i in range(20):
        here.ok(f"CREATE work/{i}")
        there.ok(f"SELECT work/{i}")
        there.ok("UNSELECT")
    assert {f"work/{i}" for i in range(20)} <= set(names(there.ok('LIST "" work/%')))
    there.ok("RENAME work/3 play/3")
    here.ok("SELECT play/3")
    here.no("SELECT work/3", b"NONEXISTENT")
    here.ok("DELETE play/3")
    there.no("SELECT play/3", b"NONEXISTENT")
    there.no("CREATE work/1", b"ALREADYEXISTS")
    for client in (here, there):
        client.close()


def test_rename_takes_the_tree_and_the_mail(shared, user):
    client = shared.raw_imap(user)
    client.ok("CREATE a/b/c")
    client.append("a/b/c", talk.message(subject="deep"))
    client.ok("RENAME a z")
    found = names(client.ok('LIST "" *'))
    assert {"z/b/c"} <= set(found) and not any(n == "a" or n.startswith("a/") for n in found)
    assert talk.number(client.ok("STATUS z/b/c (MESSAGES)"), rb"MESSAGES (\d+)") == 1
    client.close()


def test_rename_of_inbox_moves_its_mail(shared, user):
    client = shared.raw_imap(user)
    client.append("INBOX", talk.message())
    client.ok("RENAME INBOX old-mail")
    assert talk.number(client.ok("STATUS old-mail (MESSAGES)"), rb"MESSAGES (\d+)") == 1
    assert talk.number(client.ok("STATUS INBOX (MESSAGES)"), rb"MESSAGES (\d+)") == 0
    client.close()


def test_children_and_patterns(shared, user):
    client = shared.raw_imap(user)
    client.ok("CREATE p/q/r")
    found = names(client.ok('LIST "" %'))
    assert b"\\HasChildren" in found["p"] and b"\\HasNoChildren" in found["INBOX"]
    assert "p/q" not in found
    assert set(names(client.ok('LIST "" p/*'))) >= {"p/q/r"}
    assert set(names(client.ok('LIST p/ %'))) == {"p/q"}
    line = [x for x in client.ok('LIST "" ""') if x.startswith(b"* LIST")]
    assert len(line) == 1 and b'"/"' in line[0]
    client.close()


def test_subscriptions(shared, user):
    here, there = shared.raw_imap(user, "fe1"), shared.raw_imap(user, "fe2")
    here.ok("CREATE s1")
    here.ok("SUBSCRIBE s1")
    here.ok("SUBSCRIBE INBOX")
    assert {"s1", "INBOX"} <= set(names(there.ok('LSUB "" *')))
    there.ok("UNSUBSCRIBE s1")
    assert "s1" not in names(here.ok('LSUB "" *'))
    for client in (here, there):
        client.close()


def test_status_select_examine(shared, box):
    lines = box.ok("STATUS INBOX (MESSAGES UIDNEXT UIDVALIDITY UNSEEN RECENT HIGHESTMODSEQ)")
    assert talk.number(lines, rb"MESSAGES (\d+)") == 3
    assert talk.number(lines, rb"UNSEEN (\d+)") == 3
    assert talk.number(lines, rb"UIDNEXT (\d+)") > 3
    assert talk.number(lines, rb"HIGHESTMODSEQ (\d+)") > 0
    lines = box.ok("EXAMINE INBOX")
    assert b"[READ-ONLY]" in lines[-1]
    assert talk.number(lines, rb"\* (\d+) EXISTS") == 3
    assert talk.number(lines, rb"UIDVALIDITY (\d+)") > 0
    assert talk.number(lines, rb"UNSEEN (\d+)") == 1
    box.no("STORE 1 +FLAGS (\\Seen)")
    lines = box.ok("SELECT INBOX")
    assert b"[READ-WRITE]" in lines[-1]
    box.ok("CLOSE")
    box.bad("FETCH 1 FLAGS")


def test_namespace_id_enable_noop(shared, user):
    client = shared.raw_imap(user)
    assert any(b'(("" "/"))' in x for x in client.ok("NAMESPACE"))
    assert client.untagged(client.ok('ID ("name" "test")'), b"ID")
    assert any(b"CONDSTORE" in x for x in client.untagged(client.ok("ENABLE CONDSTORE"),
                                                          b"ENABLED"))
    client.ok("NOOP")
    client.ok("SELECT INBOX")
    client.ok("CHECK")
    client.close()


NAMES = ["../x", "a/../b", "a//b", "a\\x01b", "x" * 1000, "&bad", "&AGE-", "/",
         "*", "%"]


@pytest.mark.parametrize("name", NAMES)
def test_names_that_cannot_be(shared, user, name):
    client = shared.raw_imap(user)
    text = name.replace("\\x01", "\x01").encode()
    tag = client.start(b"CREATE {%d+}\r\n%s" % (len(text), text))
    assert client.finish(tag)[-1].split()[1] in (b"NO", b"BAD")
    client.ok("NOOP")
    own = {n for n in names(client.ok('LIST "" *')) if not n.startswith("Shared Folders")}
    assert own <= {"INBOX", "Drafts", "Sent", "Junk", "Trash", "Archive"}
    client.close()


def test_a_name_in_modified_utf7(shared, user):
    here, there = shared.raw_imap(user, "fe1"), shared.raw_imap(user, "fe2")
    here.ok('CREATE "Entw&APw-rfe/&ZeVnLIqe-"')
    there.ok('SELECT "Entw&APw-rfe/&ZeVnLIqe-"')
    assert "Entw&APw-rfe/&ZeVnLIqe-" in names(there.ok('LIST "" *'))
    for client in (here, there):
        client.close()


def test_inbox_stays(shared, user):
    client = shared.raw_imap(user)
    client.no("DELETE INBOX")
    client.no("CREATE inbox")
    client.ok("SELECT iNbOx")
    client.close()


def test_nothing_of_another_user_is_seen(shared, user):
    other = shared.user("store2")
    theirs = shared.raw_imap(other)
    theirs.ok("CREATE secret")
    name = other.split("@")[0]
    client = shared.raw_imap(user, "fe2")
    for form in (f'"Other Users/{name}"', f'"Other Users/{name}/secret"', f"user/{name}/secret",
                 f"user.{name}.secret"):
        client.no(f"SELECT {form}")
    assert not any(b"secret" in x for x in client.ok('LIST "" *'))
    for c in (client, theirs):
        c.close()


# ---- messages ------------------------------------------------------------------------------------

def test_append_with_flags_and_date(shared, user):
    client = shared.raw_imap(user)
    message = talk.message("ü\r\n")
    lines = client.append("Sent", message,
                          how='(\\Seen $Label1) "17-Jul-1996 02:44:25 -0700" ')
    uid = talk.number(lines, rb"APPENDUID \d+ (\d+)")
    client.ok("SELECT Sent")
    lines = client.ok(f"UID FETCH {uid} (FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])")
    assert re.search(rb"FLAGS \(([^)]*)\)", lines[0]).group(1).split()[:1]
    assert b"\\Seen" in lines[0] and b"$Label1" in lines[0]
    assert b'"17-Jul-1996 02:44:25 -0700"' in lines[0] or b'"17-Jul-1996 09:44:25 +0000"' in lines[0]
    assert talk.literal(lines, b"BODY[]") == message
    client.no('APPEND nowhere {3+}\r\nabc', b"TRYCREATE")
    client.close()


@pytest.mark.parametrize("sync", [True, False])
def test_multiappend(shared, user, sync):
    client = shared.raw_imap(user)
    messages = [talk.message(f"m{i}\r\n") for i in range(5)]
    lines = client.append("INBOX", *messages, how="(\\Flagged) ", sync=sync)
    m = re.search(rb"APPENDUID \d+ (\d+):(\d+)\]", lines[-1])
    assert m and int(m.group(2)) - int(m.group(1)) == 4, lines
    client.ok("SELECT INBOX")
    for i, sent in enumerate(messages):
        assert talk.literal(client.ok(f"FETCH {i + 1} BODY.PEEK[]"), b"BODY[]") == sent
    client.close()


@pytest.mark.parametrize("make", mails.ALL, ids=lambda m: m.__name__)
def test_fetch_items_agree_with_the_message(shared, user, make):
    raw = bytes(make("dora@sender.example.net", user))
    raw = re.sub(rb"\r?\n", b"\r\n", raw)
    head, text = raw.split(b"\r\n\r\n", 1)
    client = shared.raw_imap(user)
    client.append("INBOX", raw)
    client.ok("SELECT INBOX")
    lines = client.ok("FETCH 1 (RFC822.SIZE BODY.PEEK[] BODY.PEEK[HEADER] BODY.PEEK[TEXT])")
    assert talk.number(lines, rb"RFC822.SIZE (\d+)") == len(raw)
    assert talk.literal(lines, b"BODY[]") == raw
    assert talk.literal(lines, b"BODY[HEADER]") == head + b"\r\n\r\n"
    assert talk.literal(lines, b"BODY[TEXT]") == text
    for item, want in (("RFC822", raw), ("RFC822.HEADER", head + b"\r\n\r\n"),
                       ("RFC822.TEXT", text)):
        assert talk.literal(client.ok(f"FETCH 1 {item}"), item.encode()) == want
    lines = client.ok("FETCH 1 BODY.PEEK[]<10.50>")
    assert talk.literal(lines, b"BODY[]<10>") == raw[10:60]
    assert talk.literal(client.ok(f"FETCH 1 BODY.PEEK[]<{len(raw)}.5>"),
                        b"BODY[]<%d>" % len(raw)) == b""
    lines = client.ok("FETCH 1 BODY.PEEK[HEADER.FIELDS (Subject Message-ID)]")
    fields = email.message_from_bytes(talk.literal(
        lines, lines[0][lines[0].find(b"BODY["):lines[0].find(b"]") + 1]))
    assert set(fields.keys()) == {"Subject", "Message-ID"}
    lines = client.ok("FETCH 1 BODY.PEEK[HEADER.FIELDS.NOT (Subject)]")
    assert b"Subject:" not in lines[0][lines[0].find(b"{"):] and b"From:" in lines[0]
    check_parts(client, raw)
    client.close()


def check_parts(client, raw):
    """Each leaf by its number, against Python's parser."""
    message = email.message_from_bytes(raw)
    structure = client.ok("FETCH 1 (BODY BODYSTRUCTURE ENVELOPE)")[0]
    assert structure.count(b"(") == structure.count(b")")
    assert message["Message-ID"].encode() in structure
    parts = message.get_payload() if message.is_multipart() else [message]
    for n, part in enumerate(parts, 1):
        assert b'"%s" "%s"' % (part.get_content_maintype().encode(),
                               part.get_content_subtype().encode()) in \
            structure.lower().replace(b"NIL", b"nil")
        got = talk.literal(client.ok(f"FETCH 1 BODY.PEEK[{n}]"), b"BODY[%d]" % n)
        if part.get_content_type() == "message/rfc822":
            inner = part.get_payload(0)
            assert email.message_from_bytes(got)["Message-ID"] == inner["Message-ID"]
            head = talk.literal(client.ok(f"FETCH 1 BODY.PEEK[{n}.HEADER]"),
                                b"BODY[%d.HEADER]" % n)
            assert email.message_from_bytes(head)["Subject"] == inner["Subject"]
            assert talk.literal(client.ok(f"FETCH 1 BODY.PEEK[{n}.TEXT]"), b"BODY[%d.TEXT]" % n)
            continue
        want = part.get_payload().encode("utf-8", "surrogateescape")
        assert got.replace(b"\r\n", b"\n").rstrip() == want.replace(b"\r\n", b"\n").rstrip()
        if message.is_multipart():
            mime = talk.literal(client.ok(f"FETCH 1 BODY.PEEK[{n}.MIME]"), b"BODY[%d.MIME]" % n)
            assert email.message_from_bytes(mime).get_content_type() == part.get_content_type()


def test_fetch_macros_and_seen(shared, box):
    for macro, items in (("FAST", [b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE"]),
                         ("ALL", [b"ENVELOPE"]), ("FULL", [b"ENVELOPE", b"BODY ("])):
        lines = box.ok(f"FETCH 1:* {macro}")
        assert len([x for x in lines if b"FETCH" in x]) >= 3
        assert all(i in lines[0] for i in items)
    assert b"\\Seen" not in box.ok("FETCH 1 FLAGS")[0]
    lines = box.ok("FETCH 1 BODY[TEXT]")
    assert b"\\Seen" in b"".join(lines)
    assert b"\\Seen" in box.ok("FETCH 1 FLAGS")[0]


def test_store_in_all_forms(shared, box):
    def flags(n):
        return set(re.search(rb"FLAGS \(([^)]*)\)", box.ok(f"FETCH {n} FLAGS")[0]).group(1).split())
    lines = box.ok("STORE 1:2 FLAGS (\\Seen keyword)")
    assert len([x for x in lines if b"FETCH" in x]) == 2
    box.ok("STORE 1 +FLAGS (\\Answered \\Deleted)")
    box.ok("STORE 1 -FLAGS (\\Seen)")
    assert flags(1) - {b"\\Recent"} == {b"keyword", b"\\Answered", b"\\Deleted"}
    lines = box.ok("STORE 3 FLAGS.SILENT (\\Draft)")
    assert not any(b"FETCH (FLAGS" in x for x in lines)
    assert flags(3) - {b"\\Recent"} == {b"\\Draft"}
    uid = talk.number(box.ok("FETCH 2 UID"), rb"UID (\d+)")
    assert b"UID %d" % uid in box.ok(f"UID STORE {uid} -FLAGS (keyword)")[0]
    box.bad("STORE 1 +FLAGS (\\NoSuchSystemFlag")


def test_expunge_and_uid_expunge(shared, box):
    uids = [talk.number(box.ok(f"FETCH {n} UID"), rb"UID (\d+)") for n in (1, 2, 3)]
    box.ok("STORE 1,3 +FLAGS.SILENT (\\Deleted)")
    lines = box.ok(f"UID EXPUNGE {uids[2]}")
    assert [x for x in lines if x.endswith(b"EXPUNGE")] == [b"* 3 EXPUNGE"]
    lines = box.ok("EXPUNGE")
    assert [x for x in lines if x.endswith(b"EXPUNGE")] == [b"* 1 EXPUNGE"]
    assert talk.number(box.ok("FETCH 1 UID"), rb"UID (\d+)") == uids[1]


def test_copy_and_move(shared, box):
    box.ok("CREATE target")
    uids = [talk.number(box.ok(f"FETCH {n} UID"), rb"UID (\d+)") for n in (1, 2, 3)]
    box.ok("STORE 1 +FLAGS (\\Flagged kept)")
    lines = box.ok("COPY 1:2 target")
    m = re.search(rb"COPYUID (\d+) (\S+) (\S+)\]", lines[-1])
    assert m and m.group(2) in (b"%d:%d" % (uids[0], uids[1]), b"%d,%d" % (uids[0], uids[1]))
    lines = box.ok(f"UID MOVE {uids[2]} target")
    assert any(b"COPYUID" in x for x in lines)
    assert b"* 3 EXPUNGE" in lines
    assert talk.number(box.ok("STATUS target (MESSAGES)"), rb"MESSAGES (\d+)") == 3
    assert talk.number(box.ok("STATUS INBOX (MESSAGES)"), rb"MESSAGES (\d+)") == 2
    box.no("COPY 1 nowhere", b"TRYCREATE")
    box.no("MOVE 1 nowhere", b"TRYCREATE")
    box.ok("SELECT target")
    assert b"\\Flagged" in box.ok("FETCH 1 FLAGS")[0] and b"kept" in box.ok("FETCH 1 FLAGS")[0]


SEARCHES = [
    ("ALL", "1 2 3 4"), ("SEEN", "2"), ("UNSEEN", "1 3 4"), ("FLAGGED", "3"), ("NOT FLAGGED", "1 2 4"),
    ("KEYWORD project", "4"), ("UNKEYWORD project", "1 2 3"), ("SUBJECT banana", "2"),
    ('FROM "dora@else"', "1 2 3 4"), ("TO you", "1 2 3 4"), ("CC nobody", ""),
    ("BODY needle", "1"), ("TEXT banana", "2"), ("OR SEEN FLAGGED", "2 3"),
    ("LARGER 5000", "3"), ("SMALLER 5000", "1 2 4"), ("2:3", "2 3"), ("UID 1:*", "1 2 3 4"),
    ("SENTON 26-Nov-2026", "1 2 3 4"), ("SENTBEFORE 1-Jan-2000", ""), ("SINCE 1-Jan-2026", "1 2 3 4"),
    ("BEFORE 1-Jan-2000", ""), ('HEADER X-Test ""', "4"), ("HEADER X-Test value", "4"),
    ("(OR SUBJECT banana (FLAGGED LARGER 10)) NOT DELETED", "2 3"), ("DELETED", ""),
    ("UNANSWERED UNDRAFT", "1 2 3 4"),
]


def test_search(shared, user):
    client = shared.raw_imap(user)
    client.append("INBOX", talk.message("a needle here\r\n", "apple"))
    client.append("INBOX", talk.message("b\r\n", "Banana bread"), how="(\\Seen) ")
    client.append("INBOX", talk.message("c" * 70 + "\r\n" + ("d" * 70 + "\r\n") * 100, "cherry"),
                  how="(\\Flagged) ")
    client.append("INBOX", talk.message("=\r\n", "date", more="X-Test: some value\r\n"),
                  how="(project) ")
    client.ok("SELECT INBOX")
    for query, want in SEARCHES:
        lines = client.ok(f"SEARCH {query}")
        got = [x for x in lines if x.startswith(b"* SEARCH")][0].split()[2:]
        assert b" ".join(got).decode() == want, query
    for query in ("NOSUCHKEY", "LARGER x", "OR SEEN", "SINCE yesterday", "(SEEN"):
        client.bad(f"SEARCH {query}")
    client.no("SEARCH CHARSET X-NO-SUCH SUBJECT x", b"BADCHARSET")
    client.close()


def test_search_in_utf8(shared, user):
    client = shared.raw_imap(user)
    client.append("INBOX", re.sub(rb"\r?\n", b"\r\n", bytes(mails.accents("d@e.example", user))))
    client.ok("SELECT INBOX")
    word = "gRÜßE".encode()
    lines = client.ok(b"SEARCH CHARSET UTF-8 SUBJECT {%d+}\r\n%s" % (len(word), word))
    assert b"* SEARCH 1" in lines
    client.close()


def test_extended_search(shared, user, box):
    """RFC 4731, through the front end; in the own mailbox and in one of the other store."""
    for line, want in (("SEARCH RETURN (MIN MAX COUNT ALL) NOT 2", "MIN 1 MAX 3 ALL 1,3 COUNT 2"),
                       ("UID SEARCH RETURN () ALL", "UID ALL 1:3"),
                       ("SEARCH RETURN (COUNT) DELETED", "COUNT 0")):
        assert box.ok(line)[0].decode().partition('")')[2].strip() == want
    there = f"search{user.partition('@')[0]}"
    shared.cluster.ctl("store1", "mailbox", "create", there, "--store", "store1")
    shared.cluster.ctl("store1", "mailbox", "acl", "set", there, "anyone", "lrswi")
    box.ok(f'COPY 1:2 "Shared Folders/{there}"')
    box.ok(f'SELECT "Shared Folders/{there}"')
    lines = box.ok("UID SEARCH RETURN (COUNT MAX) UNSEEN")
    assert lines[0].endswith(b'") UID MAX 2 COUNT 2'), lines


def test_sort(shared, user, box):
    """RFC 5256, in the own mailbox and in one of the other store."""
    for line, want in (("SORT (REVERSE ARRIVAL) UTF-8 1:2", b"* SORT "),
                       ("UID SORT (SUBJECT) US-ASCII ALL", b"* SORT 1 2 3"),
                       ("SORT (REVERSE SUBJECT DATE) UTF-8 NOT 2", b"* SORT 3 1"),
                       ("SORT (DISPLAYFROM SIZE) UTF-8 DELETED", b"* SORT")):
        assert box.ok(line)[0].startswith(want), line
    box.bad("SORT (NOTHING) UTF-8 ALL")
    there = f"sort{user.partition('@')[0]}"
    shared.cluster.ctl("store1", "mailbox", "create", there, "--store", "store1")
    shared.cluster.ctl("store1", "mailbox", "acl", "set", there, "anyone", "lrswi")
    box.ok(f'COPY 1:3 "Shared Folders/{there}"')
    box.ok(f'SELECT "Shared Folders/{there}"')
    assert box.ok("UID SORT (REVERSE SUBJECT) UTF-8 ALL")[0] == b"* SORT 3 2 1"


def test_threads(shared, user):
    """RFC 5256, in the own mailbox and in one of the other store."""
    client = shared.raw_imap(user)
    for n, parent in ((1, None), (2, 1), (3, None), (4, 2), (5, 2)):
        more = f"References: <t{parent}@example.net>\r\n" if parent else ""
        client.append("INBOX", talk.message(subject=f"s{n}", ident=f"<t{n}@example.net>",
                                            more=more))
    client.ok("SELECT INBOX")
    assert client.ok("THREAD REFERENCES UTF-8 ALL")[0] == b"* THREAD (1 2 (4)(5))(3)"
    assert client.ok("UID THREAD ORDEREDSUBJECT UTF-8 1:2")[0] == b"* THREAD (1)(2)"
    client.bad("THREAD NOTHING UTF-8 ALL")
    there = f"thread{user.partition('@')[0]}"
    shared.cluster.ctl("store1", "mailbox", "create", there, "--store", "store1")
    shared.cluster.ctl("store1", "mailbox", "acl", "set", there, "anyone", "lrswi")
    client.ok(f'COPY 2:5 "Shared Folders/{there}"')
    client.ok(f'SELECT "Shared Folders/{there}"')
    assert client.ok("UID THREAD REFERENCES US-ASCII ALL")[0] == b"* THREAD (1 (3)(4))(2)"
    client.close()


# ---- news ---------------------------------------------------------------------------------------------

def test_idle_tells_of_deliveries_and_flags(shared, user):
    watcher = shared.raw_imap(user, "fe1", "INBOX")
    tag = watcher.idle()
    watcher.sock.settimeout(10)  # it is told, and not only when it asks
    shared.send(user, front="fe2")
    while not watcher.response().endswith(b"1 EXISTS"):
        pass
    watcher.sock.settimeout(talk.TIMEOUT)
    other = shared.raw_imap(user, "fe2", "INBOX")
    other.ok("STORE 1 +FLAGS (\\Flagged)")
    while b"\\Flagged" not in watcher.response():
        pass
    other.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
    other.ok("EXPUNGE")
    while watcher.response() != b"* 1 EXPUNGE":
        pass
    watcher.send("DONE\r\n")
    assert b" OK " in watcher.finish(tag)[-1]
    for client in (watcher, other):
        client.close()


def test_condstore(shared, user):
    client = shared.raw_imap(user)
    for i in range(3):
        client.append("INBOX", talk.message())
    lines = client.ok("SELECT INBOX (CONDSTORE)")
    high = talk.number(lines, rb"HIGHESTMODSEQ (\d+)")
    first = talk.number(client.ok("FETCH 1 (MODSEQ)"), rb"MODSEQ \((\d+)\)")
    lines = client.ok("STORE 1 +FLAGS (\\Seen)")
    changed = talk.number(lines, rb"MODSEQ \((\d+)\)")
    assert changed > high >= first
    lines = client.ok(f"STORE 1:2 (UNCHANGEDSINCE {high}) +FLAGS.SILENT (\\Answered)")
    assert re.search(rb"\[MODIFIED 1\]", lines[-1]), lines
    assert b"\\Answered" not in client.ok("FETCH 1 FLAGS")[0]
    assert b"\\Answered" in client.ok("FETCH 2 FLAGS")[0]
    lines = client.ok(f"FETCH 1:* (FLAGS) (CHANGEDSINCE {high})")
    assert {x.split()[1] for x in lines if b"FETCH" in x} == {b"1", b"2"}
    lines = client.ok(f"SEARCH MODSEQ {high + 1}")
    assert re.search(rb"\* SEARCH 1 2 \(MODSEQ \d+\)", b"\n".join(lines))
    client.close()


def test_pipelined_commands(shared, box):
    box.send("p1 FETCH 1 FLAGS\r\np2 NOOP\r\np3 SEARCH ALL\r\np4 STATUS Sent (MESSAGES)\r\n")
    for tag in ("p1", "p2", "p3", "p4"):
        assert b" OK " in box.finish(tag)[-1]


def test_many_sessions_of_one_user(shared, user):
    clients = [shared.raw_imap(user, f"fe{i % 2 + 1}", "INBOX") for i in range(12)]
    errors = []

    def work(client, number):
        try:
            for i in range(5):
                client.append("INBOX", talk.message(f"{number}.{i}\r\n"))
                client.ok("NOOP")
        except Exception as e:  # noqa: BLE001  shown by the test
            errors.append(e)
    threads = [threading.Thread(target=work, args=(c, i)) for i, c in enumerate(clients)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert errors == []
    assert talk.number(clients[0].ok("STATUS INBOX (MESSAGES)"), rb"MESSAGES (\d+)") == 60
    for c in clients:
        c.close()


# ---- bad input ---------------------------------------------------------------------------------------------

def test_commands_that_are_wrong(shared, box):
    for command in ("NOSUCH", "FETCH", "FETCH 0 FLAGS", "FETCH 1 (NOSUCH)", "FETCH x FLAGS",
                    "FETCH 1 BODY[", "FETCH 1 BODY[]<0.0>", "STORE 1 FLAGS", "SEARCH", "COPY 1",
                    'STATUS INBOX ()', "UID NOSUCH 1", "FETCH 1 BODY[HEADER.FIELDS ()]"):
        box.bad(command)
    box.ok("NOOP")


def test_nesting_has_an_end(shared, box):
    for depth in (1000, 20000):
        try:
            tag = box.start("SEARCH " + "(" * depth + "ALL" + ")" * depth)
            assert box.finish(tag)[-1].split()[1] in (b"BAD", b"NO")
        except (EOFError, ConnectionError):
            return
    box.ok("NOOP")


@pytest.mark.parametrize("logged_in", [False, True])
def test_lines_and_literals_have_an_end(shared, user, logged_in):
    client = shared.raw_imap(user if logged_in else None)
    answer = client.last_line(b"a NOOP " + b"x" * 200000 + b"\r\n")
    assert answer.startswith((b"a BAD", b"* BYE")) or answer == b""
    client.close()
    client = shared.raw_imap(user if logged_in else None)
    tag = client.start("LOGIN {99999999999}" if not logged_in else "APPEND INBOX {99999999999}")
    assert client.finish(tag)[-1].split()[1] in (b"BAD", b"NO")
    client.close()
    client = shared.raw_imap(user if logged_in else None)
    client.send(b"a %s {999999999+}\r\n" % (b"APPEND INBOX" if logged_in else b"LOGIN"))
    assert client.is_closed()
    client.close()


def test_nul_and_bare_line_ends(shared, box):
    box.send(b"n1 NOOP\0\r\n")
    assert box.finish("n1")[-1].split()[1] == b"BAD"
    box.send(b"n2 NOOP\rn3 NOOP\r\n")
    assert box.response().split()[1] == b"BAD"
    message = b"Subject: x\r\n\r\nnul \0 here\r\n"
    lines = box.append("INBOX", message)
    assert lines[-1].split()[1] in (b"NO", b"BAD", b"OK")
    box.ok("NOOP")


def test_an_append_that_ends_in_the_middle_leaves_nothing(shared, user):
    client = shared.raw_imap(user)
    client.send(b"a APPEND INBOX {1000+}\r\nSubject: half\r\n")
    client.close()
    client = shared.raw_imap(user, "fe2")
    assert talk.number(client.ok("STATUS INBOX (MESSAGES)"), rb"MESSAGES (\d+)") == 0
    client.close()
