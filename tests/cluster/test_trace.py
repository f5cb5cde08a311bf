"""What a message says of its way, and what the logs say of a session: one id in all tiers."""
import os
import re
import socket
import time

import cluster as c
import pytest
import talk
from world import PASSWORD, SENDER


def log_of(site, name):
    with open(site[name].log, errors="replace") as f:
        return f.read()


def lines_of(site, name, session, event="", count=1):
    """The lines of this session, so many at least; events end a moment after their client was
    answered."""
    found = []

    def there():
        found[:] = [line for line in log_of(site, name).splitlines()
                    if f"session={session} " in line + " " and f"event={event}" in line]
        return len(found) >= count
    c.wait_until(f"{event} of {session} in the log of {name}", there)
    return found


def header(site, user, mailbox="INBOX", number=1, front="fe2"):
    client = site.raw_imap(user, front, mailbox)
    text = talk.literal(client.ok(f"FETCH {number} BODY.PEEK[HEADER]"), b"BODY[HEADER]").decode()
    client.close()
    return re.sub(r"\r\n[ \t]+", " ", text).split("\r\n")


def fields(lines, name):
    return [line.split(": ", 1)[1] for line in lines if line.startswith(name + ": ")]


STAMP = (r"(from (?P<helo>\S+) \((?P<peer>\[[^\]]+\])\) by (?P<by>\S+)(?: \(Roost\))? "
         r"with (?P<with>\S+) id (?P<id>\S+)(?: \((?P<tls>TLS[^)]*)\))?"
         r"(?: for <(?P<for>[^>]+)>)?; "
         r"\w{3}, \d{1,2} \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4})$")


def stamps(lines):
    got = [re.match(STAMP, f) for f in fields(lines, "Received")]
    assert all(got), lines
    return [m.groupdict() for m in got]


def test_a_message_with_one_recipient(shared):
    user = shared.user("store1")
    shared.send(user)
    lines = header(shared, user)
    assert lines[0] == f"Return-Path: <{SENDER}>"
    assert fields(lines, "Delivered-To") == [user]
    store, front = stamps(lines)
    assert front["helo"] == "client.example.net" and front["by"] == "fe1.example.org"
    assert front["with"] == "ESMTP" and front["for"] == user
    assert store["helo"] == "fe1.example.org" and store["by"] == "store1.example.org"
    assert store["with"] == "LMTP" and store["id"] == front["id"]


def test_several_recipients_do_not_learn_of_each_other(shared):
    users = [shared.user("store1"), shared.user("store1"), shared.user("store2")]
    shared.send(users)
    for user, alone in zip(users, (False, False, True)):
        lines = header(shared, user)
        assert fields(lines, "Delivered-To") == ([user] if alone else [])
        assert [s["for"] for s in stamps(lines)] == [None, None]
        text = "\n".join(lines)
        assert not any(u in text for u in users if u != user)


def test_tls_is_in_the_trace(shared):
    user = shared.user("store2")
    with shared.smtp() as smtp:
        smtp.starttls(context=shared.tls)
        smtp.sendmail("", [user], talk.message())
    lines = header(shared, user)
    assert lines[0] == "Return-Path: <>"
    assert stamps(lines)[1]["with"] == "ESMTPS" and "TLSv1.3" in stamps(lines)[1]["tls"]


def test_lmtp_is_in_the_trace_and_forged_return_paths_are_not(shared):
    user = shared.user("store2")
    client = shared.lmtp()
    client.envelope(user)
    message = talk.message(more="Return-Path: <forged@example.net>\r\n")
    assert client.data(message)[0][0] == 250
    client.close()
    lines = header(shared, user)
    assert fields(lines, "Return-Path") == [SENDER.join("<>")]
    assert stamps(lines)[1]["with"] == "LMTP"


def test_hops_are_counted(shared):
    user = shared.user("store1")
    for hops, want in ((100, 250), (101, 554)):
        more = "".join(f"Received: from a by b; hop {i}\r\n" for i in range(hops))
        client = shared.raw_smtp()
        client.envelope(user)
        code, text = client.data(talk.message(more=more))[0]
        assert code == want, text
        client.close()
    assert text.startswith("5.4.6")


def test_one_id_from_the_mail_exchanger_to_the_store(shared):
    users = [shared.user("store1"), shared.user("store2")]
    shared.send(users, front="fe1")
    session = stamps(header(shared, users[0]))[1]["id"]
    ends = lines_of(shared, "fe1-smtp", session, "smtp.session")
    assert len(ends) == 1
    assert len(lines_of(shared, "fe1-smtp", session, "smtp.delivery", 2)) == 2
    for store, user in zip(("store1", "store2"), users):
        done = lines_of(shared, store, session, "delivery.done")
        assert len(done) == 1 and f"rcpt={user}" in done[0] and "result=ok" in done[0]


@pytest.mark.parametrize("service,events", [
    ("imap", ("session.end", "imap.session")), ("pop3", ("pop3.session", "pop3.session"))])
def test_one_id_from_the_front_end_to_the_store(shared, service, events):
    user = shared.user("store2")
    with socket.socket() as s:
        # an address of its own, so that the log shows who was the client
        peer = f"127.0.{shared.cluster.net}.77"
        s.bind((peer, 0))
        s.connect(shared.cluster.at("fe2", service))
        f = s.makefile("rwb", buffering=0)
        f.readline()
        for say in ([f'a LOGIN {user} "{PASSWORD}"', "b SELECT INBOX", "c LOGOUT"]
                    if service == "imap" else [f"USER {user}", f"PASS {PASSWORD}", "QUIT"]):
            f.write(say.encode() + b"\r\n")
            while not re.match(rb"[abc] OK|\+OK", f.readline()):
                pass
    local = user.split("@")[0]

    def end_line():
        return re.search(rf"event={re.escape(events[0])} .*session=(\S+) peer={peer} "
                         rf"user={local}\b", log_of(shared, "fe2-imap"))
    c.wait_until("the session's line", end_line)
    session = end_line().group(1)
    assert len(lines_of(shared, "fe2-imap", session, events[0])) == 1
    at_store = lines_of(shared, "store2", session, events[1])
    assert len(at_store) == 1 and f"peer={peer}" in at_store[0]


def test_a_new_certificate_counts_after_sighup(own, tmp_path):
    """For the front ends, the store and the location server alike; sessions stay."""
    import shutil
    import signal
    import ssl
    import subprocess
    tls = os.path.join(own.cluster.dir, "tls")
    user = own.user("store1")
    stays = own.raw_imap(user)

    def subject(host, service, say):
        lines = talk.Lines(own.cluster.at(host, service), greeting=False)
        try:
            while not re.match(rb"\* OK|220 |\+OK", lines.line()):
                pass
            lines.send(say + "\r\n")
            while not re.match(rb"(a )?OK|220 |\+OK|[^*].* OK", lines.line()):
                pass
            context = ssl._create_unverified_context()
            lines.start_tls(context)
            return lines.sock.getpeercert(True)
        finally:
            lines.close()
    where = [("fe1", "imap", "a STARTTLS"), ("fe1", "smtp", "STARTTLS"), ("fe1", "pop3", "STLS"),
             ("store1", "imap", "a STARTTLS"), ("master", "mupdate", "a STARTTLS")]
    before = [subject(*w) for w in where]
    assert len(set(before)) == 1
    shutil.copy(os.path.join(tls, "cert.pem"), tmp_path / "old.pem")
    for f in ("cert.pem", "key.pem"):
        os.unlink(os.path.join(tls, f))
    own.cluster.make_certificate()
    for name in ("fe1-imap", "fe1-smtp", "store1", "master"):
        own[name].signal(signal.SIGHUP)
    for w in where:
        c.wait_until(f"the new certificate at {w}", lambda w=w: subject(*w) != before[0])
    stays.ok("NOOP")
    stays.close()
