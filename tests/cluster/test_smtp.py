"""SMTP 25 and LMTP 24 of the front ends."""
import re

import pytest

import talk
from world import SENDER


# ---- what is said ------------------------------------------------------------------------

def test_ehlo_offers_what_works(shared):
    client = talk.Smtp(shared.cluster.at("fe1", "smtp"))
    code, text = client.ask("EHLO client.example.net")
    words = {line.split()[0] for line in text.split("\n")[1:]}
    assert code == 250
    assert {"PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES",
            "STARTTLS"} <= words
    assert re.search(r"^SIZE [1-9]\d+$", text, re.M)
    client.close()


def test_lmtp_wants_lhlo_and_smtp_wants_ehlo(shared):
    lmtp = talk.Smtp(shared.cluster.at("fe1", "lmtp"))
    assert lmtp.ask("EHLO client.example.net")[0] in (500, 502, 503)
    assert lmtp.ask("LHLO client.example.net")[0] == 250
    smtp = talk.Smtp(shared.cluster.at("fe1", "smtp"))
    assert smtp.ask("LHLO client.example.net")[0] in (500, 502, 503)
    assert smtp.ask("HELO client.example.net")[0] == 250
    for client in (lmtp, smtp):
        assert client.ask("NOOP")[0] == 250
        assert client.ask("QUIT")[0] == 221
        assert client.is_closed()


@pytest.mark.parametrize("service,hello", [("smtp", "EHLO"), ("lmtp", "LHLO")])
def test_starttls_begins_anew(shared, service, hello):
    user = shared.user()
    client = talk.Smtp(shared.cluster.at("fe1", service))
    client.ask(f"{hello} client.example.net")
    assert client.ask(f"MAIL FROM:<{SENDER}>")[0] == 250
    assert client.ask("RSET")[0] == 250
    assert client.ask("STARTTLS")[0] == 220
    client.start_tls(shared.tls)
    assert client.ask(f"MAIL FROM:<{SENDER}>")[0] == 503
    code, text = client.ask(f"{hello} client.example.net")
    assert code == 250 and "STARTTLS" not in text
    assert client.envelope(user)[0][0] == 250
    ident = talk.message_id()
    assert client.data(talk.message(ident=ident))[0][0] == 250
    client.close()
    assert shared.count(user, ident, "fe2") == 1


@pytest.mark.parametrize("service,hello", [("smtp", "EHLO"), ("lmtp", "LHLO")])
def test_bytes_behind_starttls_end_the_session(shared, service, hello):
    client = talk.Smtp(shared.cluster.at("fe1", service))
    client.ask(f"{hello} client.example.net")
    client.send(f"STARTTLS\r\n{hello} smuggled.example.net\r\n")
    assert client.is_closed()
    client.close()


# ---- recipients -----------------------------------------------------------------------------

RCPT = [
    ("an unknown user", "nobody-here@example.org", 550, "5.1.1"),
    ("an unknown user with a detail", "nobody-here+x@example.org", 550, "5.1.1"),
    ("a domain that is not ours", "someone@elsewhere.example.net", 550, "5.7.1"),
    ("no address at all", "", 550, None),
    ("an empty quoted local part", '""@example.org', 550, None),
    ("a local part of 65 characters", "x" * 65 + "@example.org", 550, None),
    ("dots in the wrong place", "..@example.org", 550, None),
    ("a slash and dots", "../../etc/passwd@example.org", 550, None),
    ("a star", "*@example.org", 550, "5.1.1"),
]


@pytest.mark.parametrize("name,to,code,status", RCPT, ids=[r[0] for r in RCPT])
@pytest.mark.parametrize("service", ["smtp", "lmtp"])
def test_recipient_is_refused(shared, service, name, to, code, status):
    client = shared.raw_smtp() if service == "smtp" else shared.lmtp()
    reply = client.envelope(to)[0]
    if status:
        assert reply[0] == code and reply[1].startswith(status), reply
    else:
        assert reply[0] // 100 == 5 and reply[1].startswith("5."), reply
    assert client.ask("DATA")[0] in (503, 554)
    client.close()


def test_recipient_in_other_forms(shared):
    user = shared.user("store2")
    name, domain = user.split("@")
    client = shared.raw_smtp("fe1")
    forms = [user, user.upper(), f"{name}+list@{domain}", f'"{name}"@{domain}',
             f"{name}@{domain.upper()}"]
    assert [r[0] for r in client.envelope(*forms)] == [250] * len(forms)
    ident = talk.message_id()
    assert client.data(talk.message(ident=ident))[0][0] == 250
    assert shared.count(user, ident, "fe2") == 2, "a copy for the user, one for his detail"
    client.close()


def test_postmaster_alone_is_ours(shared):
    shared.user("store1", name="postmaster")
    client = shared.raw_smtp()
    assert client.envelope("postmaster")[0][0] == 250
    client.close()


def test_disabled_user_is_refused(shared):
    user = shared.user()
    shared.cluster.ctl("store1", "user", "disable", user)
    client = shared.raw_smtp("fe2")
    reply = client.envelope(user)[0]
    assert reply[0] == 550 and reply[1].startswith("5."), reply
    shared.cluster.ctl("store1", "user", "enable", user)
    client.reset()
    assert client.envelope(user)[0][0] == 250
    client.close()


# ---- messages ---------------------------------------------------------------------------------

def test_recipients_on_both_stores(shared):
    users = [shared.user("store1"), shared.user("store2"), shared.user("store1")]
    ident = talk.message_id()
    shared.send(users, talk.message(ident=ident), "fe1")
    assert [shared.count(u, ident, "fe2") for u in users] == [1, 1, 1]


def test_lmtp_replies_for_each_recipient(shared):
    users = [shared.user("store1"), shared.user("store2")]
    client = shared.lmtp("fe2")
    codes = [r[0] for r in client.envelope(users[0], "nobody-here@example.org", users[1])]
    assert codes == [250, 550, 250]
    ident = talk.message_id()
    assert [r[0] for r in client.data(talk.message(ident=ident), replies=2)] == [250, 250]
    assert client.ask("NOOP")[0] == 250
    assert [shared.count(u, ident) for u in users] == [1, 1]
    client.close()


def test_pipelined_transactions(shared):
    user = shared.user("store2")
    client = shared.raw_smtp()
    idents = [talk.message_id() for _ in range(3)]
    for ident in idents:
        client.send(f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<nobody-here@example.org>\r\n"
                    f"RCPT TO:<{user}>\r\nDATA\r\n")
        assert [client.reply()[0] for _ in range(4)] == [250, 550, 250, 354]
        client.send(talk.message(ident=ident) + b".\r\n")
        assert client.reply()[0] == 250
    assert [shared.count(user, i, "fe2") for i in idents] == [1, 1, 1]
    client.close()


def test_a_message_arrives_as_it_was_sent(shared):
    user = shared.user("store1")
    lines = ["a line", ".", "..two dots", "tail ", "", "\tTab", "x" * 990, "äöü"]
    body = "\r\n".join(lines) + "\r\n"
    sent = shared.send(user, talk.message(body), "fe1")
    client = shared.raw_imap(user, "fe2", "INBOX")
    got = talk.literal(client.ok("FETCH 1 BODY.PEEK[]"), b"BODY[]")
    assert got.endswith(sent)
    trace = got[:-len(sent)]
    assert trace.startswith(b"Return-Path: <" + SENDER.encode() + b">\r\n")
    assert b"Received: from client.example.net" in trace
    client.close()


@pytest.mark.parametrize("service", ["smtp", "lmtp"])
def test_utf8_addresses_and_headers(shared, service):
    user = shared.user("store2")
    client = shared.raw_smtp() if service == "smtp" else shared.lmtp()
    assert client.ask("MAIL FROM:<dörte@elsewhere.example.net> SMTPUTF8 BODY=8BITMIME")[0] == 250
    assert client.ask(f"RCPT TO:<{user}>")[0] == 250
    ident = talk.message_id()
    assert client.data(talk.message("Grüße\r\n", "Grüße", ident))[0][0] == 250
    assert shared.count(user, ident) == 1
    client.close()


def test_null_sender(shared):
    user = shared.user()
    client = shared.raw_smtp()
    assert client.envelope(user, sender="")[0][0] == 250
    ident = talk.message_id()
    assert client.data(talk.message(ident=ident))[0][0] == 250
    assert shared.count(user, ident, "fe2") == 1
    client.close()


def test_too_big_is_said_before_and_after(shared):
    user = shared.user()
    client = shared.raw_smtp()
    limit = int(re.search(r"SIZE (\d+)", client.ask("EHLO client.example.net")[1]).group(1))
    reply = client.ask(f"MAIL FROM:<{SENDER}> SIZE={limit + 1}")
    assert reply[0] == 552 and reply[1].startswith("5.3.4"), reply
    assert client.ask(f"MAIL FROM:<{SENDER}> SIZE={limit}")[0] == 250
    assert client.ask(f"RCPT TO:<{user}>")[0] == 250
    assert client.ask("DATA")[0] == 354
    line = b"y" * 998 + b"\r\n"
    chunk = line * 1000
    client.send(b"Subject: big\r\n\r\n")
    for _ in range(limit // len(chunk) + 1):
        client.send(chunk)
    client.send(b".\r\n")
    reply = client.reply()
    assert reply[0] == 552 and reply[1].startswith("5.3.4"), reply
    assert client.ask("NOOP")[0] == 250
    client.close()


def test_a_big_message_goes_through(shared):
    user = shared.user("store2")
    body = ("z" * 76 + "\r\n") * 130000  # 10 MB: spooled, not buffered
    sent = shared.send(user, talk.message(body), "fe2")
    client = shared.raw_imap(user, "fe1", "INBOX")
    got = talk.literal(client.ok("FETCH 1 BODY.PEEK[]"), b"BODY[]")
    assert got.endswith(sent)
    client.close()


# ---- a retry does no harm -------------------------------------------------------------------------

def test_the_same_transaction_gives_one_copy(shared):
    user, other = shared.user("store1"), shared.user("store2")
    ident = talk.message_id()
    message = talk.message(ident=ident)
    for front in ("fe1", "fe2", "fe1"):
        shared.send([user, other], message, front)
    assert [shared.count(u, ident, f) for u in (user, other) for f in ("fe1", "fe2")] == [1] * 4


def test_a_changed_body_gives_another_copy(shared):
    user = shared.user()
    ident = talk.message_id()
    shared.send(user, talk.message("first\r\n", ident=ident), "fe1")
    shared.send(user, talk.message("second\r\n", ident=ident), "fe2")
    assert shared.count(user, ident) == 2


def test_another_sender_gives_another_copy(shared):
    user = shared.user()
    ident = talk.message_id()
    message = talk.message(ident=ident)
    shared.send(user, message, "fe1")
    shared.send(user, message, "fe2", sender="list@elsewhere.example.net")
    assert shared.count(user, ident) == 2


def test_lmtp_and_smtp_share_the_key(shared):
    user = shared.user("store2")
    ident = talk.message_id()
    message = talk.message(ident=ident)
    shared.send(user, message, "fe1")
    client = shared.lmtp("fe2")
    assert client.envelope(user)[0][0] == 250
    assert client.data(message)[0][0] == 250
    client.close()
    assert shared.count(user, ident) == 1


# ---- bad input ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("service", ["smtp", "lmtp"])
def test_commands_that_are_wrong(shared, service):
    client = shared.raw_smtp() if service == "smtp" else shared.lmtp()
    rows = [("RCPT TO:<a@example.org>", 503), ("DATA", 503), ("NONSENSE", 500),
            ("MAIL", 501), ("MAIL FROM:<a@b", 501), ("MAIL FROM:<a@b.example> SIZE=x", 501),
            ("MAIL FROM:<a@b.example> NOSUCH=1", 555), ("VRFY alice", 252)]
    for line, code in rows:
        got = client.ask(line)
        assert got[0] // 100 == code // 100, (line, got)
    client.close()


def test_a_line_without_end_is_cut_off(shared):
    client = shared.raw_smtp()
    answer = client.last_line(b"NOOP " + b"x" * 20000 + b"\r\n")
    assert answer.startswith(b"500 ") or answer == b""
    client.close()


BARE = [b"bare\nline feed\r\n", b"bare\rreturn\r\n", b"smuggled\n.\r\nMAIL FROM:<a@b.example>\r\n",
        b"smuggled\r.\r\nQUIT\r\n"]


@pytest.mark.parametrize("body", BARE)
def test_bare_line_ends_never_end_a_message(shared, body):
    user = shared.user()
    ident = talk.message_id()
    client = shared.raw_smtp()
    assert client.envelope(user)[0][0] == 250
    assert client.ask("DATA")[0] == 354
    client.send(talk.message(ident=ident) + body + b".\r\n")
    assert client.reply()[0] // 100 == 5
    assert client.last_line("NOOP\r\n")[:1] in (b"2", b"5", b"")  # or it has closed
    client.close()
    assert shared.count(user, ident) == 0


def test_nul_in_a_command(shared):
    client = shared.raw_smtp()
    assert client.ask(b"MAIL FROM:<a\0b@c.example>")[0] // 100 == 5
    client.close()


def test_too_many_recipients_come_later(shared):
    user = shared.user()
    name, domain = user.split("@")
    client = shared.raw_smtp()
    client.ask(f"MAIL FROM:<{SENDER}>")
    codes = [client.ask(f"RCPT TO:<{name}+{i}@{domain}>")[0] for i in range(1100)]
    assert codes[0] == 250 and set(codes) <= {250, 452}
    assert codes[99] == 250, "RFC 5321 section 4.5.3.1.8: at least 100"
    client.close()
