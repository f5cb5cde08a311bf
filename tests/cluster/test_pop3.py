"""POP3 through the front ends."""
import base64
import poplib

import pytest

import talk
from world import PASSWORD


@pytest.fixture
def user(shared):
    """With three messages in his maildrop."""
    address = shared.user("store1")
    for i in range(3):
        shared.send(address, talk.message(f"line {i}\r\n.dot\r\nlast\r\n", f"no {i}"), "fe2")
    return address


def open_pop(shared, user=None, front="fe1"):
    client = talk.Lines(shared.cluster.at(front, "pop3"))
    assert client.greeting.startswith(b"+OK")
    if user:
        assert client.say(f"USER {user}").startswith(b"+OK")
        assert client.say(f"PASS {PASSWORD}").startswith(b"+OK")
    return client


def many(client, command):
    assert client.say(command).startswith(b"+OK"), command
    lines = []
    while (line := client.line()) != b".":
        lines.append(line[1:] if line.startswith(b".") else line)
    return lines


def test_capa(shared, user):
    client = open_pop(shared)
    words = {x.split()[0]: x.split()[1:] for x in many(client, "CAPA")}
    assert {b"USER", b"UIDL", b"TOP", b"STLS", b"PIPELINING", b"RESP-CODES", b"SASL"} <= set(words)
    assert b"PLAIN" in words[b"SASL"]
    client.close()
    client = open_pop(shared, user)
    words = {x.split()[0] for x in many(client, "CAPA")}
    assert {b"UIDL", b"TOP", b"PIPELINING"} <= words and b"STLS" not in words
    client.close()


def test_a_session(shared, user):
    client = open_pop(shared, user)
    status, count, size = client.say("STAT").split()[:3]
    listed = [tuple(map(int, x.split())) for x in many(client, "LIST")]
    assert int(count) == 3 == len(listed) and int(size) == sum(s for _, s in listed)
    assert client.say("LIST 2") == b"+OK 2 %d" % listed[1][1]
    uids = dict(x.split() for x in many(client, "UIDL"))
    assert len(set(uids.values())) == 3
    assert client.say("UIDL 3") == b"+OK 3 " + uids[b"3"]
    text = many(client, "RETR 1")
    assert sum(len(x) + 2 for x in text) == listed[0][1]
    assert text[-3:] == [b"line 0", b".dot", b"last"]
    top = many(client, "TOP 2 1")
    assert top[-1] == b"line 1" and b"Subject: no 1" in top and b".dot" not in top
    assert client.say("NOOP").startswith(b"+OK")
    for command in ("RETR 4", "RETR 0", "RETR x", "TOP 1", "DELE 9", "LIST 99", "NOSUCH"):
        assert client.say(command).startswith(b"-ERR"), command
    assert client.say("QUIT").startswith(b"+OK")
    assert client.is_closed()
    client.close()


def test_dele_rset_quit(shared, user):
    client = open_pop(shared, user)
    assert client.say("DELE 1").startswith(b"+OK")
    assert client.say("RETR 1").startswith(b"-ERR")
    assert client.say("RSET").startswith(b"+OK")
    assert client.say("STAT").split()[1] == b"3"
    assert client.say("DELE 2").startswith(b"+OK")
    client.close()  # without QUIT nothing is deleted
    client = open_pop(shared, user, "fe2")
    assert client.say("STAT").split()[1] == b"3"
    kept = [x.split()[1] for x in many(client, "UIDL")]
    assert client.say("DELE 2").startswith(b"+OK")
    assert client.say("QUIT").startswith(b"+OK")
    client.close()
    client = open_pop(shared, user, "fe1")
    assert [x.split()[1] for x in many(client, "UIDL")] == [kept[0], kept[2]]
    client.close()


def test_uidl_is_the_same_on_every_front_end(shared, user):
    seen = []
    for front in ("fe1", "fe2", "fe1"):
        client = open_pop(shared, user, front)
        seen.append(many(client, "UIDL"))
        client.say("QUIT")
        client.close()
    assert seen[0] == seen[1] == seen[2]


def test_stls_and_sasl(shared, user):
    client = open_pop(shared)
    assert client.say("STLS").startswith(b"+OK")
    client.start_tls(shared.tls)
    assert b"STLS" not in {x.split()[0] for x in many(client, "CAPA")}
    plain = base64.b64encode(f"\0{user}\0{PASSWORD}".encode()).decode()
    assert client.say(f"AUTH PLAIN {plain}").startswith(b"+OK")
    assert client.say("STAT").startswith(b"+OK 3 ")
    client.close()
    client = open_pop(shared, front="fe2")
    assert client.say("AUTH PLAIN").startswith(b"+")
    assert client.say(plain).startswith(b"+OK")
    assert client.say("STAT").startswith(b"+OK 3 ")
    client.close()


def test_pop3s(shared, user):
    client = poplib.POP3_SSL(*shared.cluster.at("fe2", "pop3s"), context=shared.tls)
    client.user(user)
    client.pass_(PASSWORD)
    assert client.stat()[0] == 3
    client.quit()


def test_bytes_behind_stls_end_the_session(shared):
    client = open_pop(shared)
    client.send("STLS\r\nCAPA\r\n")
    assert client.is_closed()
    client.close()


def test_pipelining(shared, user):
    client = open_pop(shared, user)
    client.send("STAT\r\nLIST 1\r\nNOOP\r\nRETR 2\r\nDELE 3\r\nQUIT\r\n")
    assert client.line().startswith(b"+OK 3 ")
    assert client.line().startswith(b"+OK 1 ")
    assert client.line().startswith(b"+OK")
    assert client.line().startswith(b"+OK")
    while client.line() != b".":
        pass
    assert client.line().startswith(b"+OK") and client.line().startswith(b"+OK")
    client.close()
    assert shared.pop3(user, "fe2").stat()[0] == 2


def test_logins_that_fail(shared, user):
    client = open_pop(shared)
    assert client.say("STAT").startswith(b"-ERR")
    assert client.say("PASS x").startswith(b"-ERR")
    assert client.say(f"USER {user}").startswith(b"+OK")
    assert client.say("PASS wrong").startswith(b"-ERR")
    assert client.say("AUTH PLAIN !!!").startswith(b"-ERR")
    assert client.say("AUTH NO-SUCH").startswith(b"-ERR")
    assert client.say(f"USER {user}").startswith(b"+OK")
    assert client.say(f"PASS {PASSWORD}").startswith(b"+OK")
    client.close()


def test_lines_have_an_end(shared):
    client = open_pop(shared)
    answer = client.last_line(b"USER " + b"x" * 100000 + b"\r\n")
    assert answer.startswith(b"-ERR") or answer == b""
    client.close()


def test_deliveries_after_login_wait_for_the_next_session(shared, user):
    client = open_pop(shared, user)
    shared.send(user, front="fe2")
    assert client.say("STAT").split()[1] == b"3"
    client.say("QUIT")
    client.close()
    client = open_pop(shared, user)
    assert client.say("STAT").split()[1] == b"4"
    client.close()


def test_imap_and_pop3_see_the_same(shared, user):
    imap = shared.raw_imap(user, "fe2", "INBOX")
    imap.ok("STORE 2 +FLAGS (\\Deleted)")
    imap.ok("EXPUNGE")
    client = open_pop(shared, user)
    assert client.say("STAT").split()[1] == b"2"
    client.say("DELE 1")
    client.say("QUIT")
    client.close()
    assert b"* 1 EXPUNGE" in imap.ok("NOOP")
    imap.close()
