"""Submission and mail that leaves us: real processes, and next hops of our own making."""
import base64
import concurrent.futures
import random
import re
import smtplib
import socket
import ssl
import tempfile
import time

import pytest

import cluster as c
import conftest
import talk
from sink import Sink
from world import PASSWORD, SENDER, Site

SRS = "srs.example.org"


@pytest.fixture(scope="module")
def site(failures):
    """A cluster with two next hops, which are sinks."""
    net, lock = conftest.lock_net()
    work = tempfile.mkdtemp(prefix="roost-cluster-")
    before = failures()
    s = Site(work, net)
    hops = [(f"127.0.{net}.77", 2526), (f"127.0.{net}.78", 2526)]
    s.cluster.smtp_settings = [
        "relay = " + " ".join("%s:%d" % h for h in hops), "relay_timeout = 5s",
        f"srs_domain = {SRS}", "srs_secret = 0123456789abcdef0123", "workers = 1",
        "sender_check = from", "store_timeout = 10s"]
    s.hops = [Sink(h).start() for h in hops]
    try:
        s.start()
        yield s
    finally:
        s.stop()
        for hop in s.hops:
            hop.stop()
        lock.close()
    if failures() > before:
        print(f"\nlogs and data are in {work}")
    else:
        conftest.shutil.rmtree(work)


@pytest.fixture
def hops(site):
    """Both work, and have nothing; the front ends' pauses for dead ones are over."""
    for hop in site.hops:
        hop.reset()
    yield site.hops
    broken = any(hop.server is None or hop.answers for hop in site.hops)
    for hop in site.hops:
        hop.reset()
        if hop.server is None:
            hop.start()
    if broken:
        for front in site.cluster.fronts:
            site[front + "-smtp"].stop()
            site[front + "-smtp"].start()


def submit(site, user, front="fe1", tls=True):
    """smtplib, logged in."""
    client = smtplib.SMTP(*site.cluster.at(front, "submission"), timeout=60,
                          local_hostname="laptop.example.net")
    if tls:
        client.starttls(context=site.tls)
    client.login(user, PASSWORD)
    return client


def message(user, ident, more="", body="Hello.\r\n"):
    return (f"From: Me <{user}>\r\nTo: you\r\nSubject: out\r\nMessage-ID: {ident}\r\n"
            f"Date: Thu, 26 Nov 2026 10:00:00 +0100\r\n{more}\r\n{body}").encode()


def raw(site, service="submission", front="fe1"):
    client = talk.Smtp(site.cluster.at(front, service), greeting=service != "submissions")
    if service == "submissions":
        client.start_tls(site.tls)
        client.greeting = client.line()
    assert client.greeting.startswith(b"220 ")
    client.hello = client.ask("EHLO laptop.example.net")[1]
    return client


def plain(user, password=PASSWORD):
    return base64.b64encode(f"\0{user}\0{password}".encode()).decode()


# ---- logins ------------------------------------------------------------------------------

def test_every_mechanism_on_offer(site):
    user = site.user()
    mechs = re.search(r"^AUTH (.*)$", raw(site).hello, re.M).group(1).split()
    assert {"PLAIN", "LOGIN", "SCRAM-SHA-256"} <= set(mechs)
    for mech in mechs:
        client = smtplib.SMTP(*site.cluster.at("fe1", "submission"), timeout=60)
        client.starttls(context=site.tls)
        client.ehlo()
        if mech in ("PLAIN", "LOGIN"):
            client.user, client.password = user, PASSWORD
            assert client.auth(mech, getattr(client, "auth_" + mech.lower()))[0] == 235
        elif mech == "SCRAM-SHA-256":
            assert scram(client, user, PASSWORD)[0] == 235
            assert client.mail(user)[0] == 250
        client.quit()


def scram(client, user, password):
    """RFC 5802 and 7677, as RFC 4954 carries them."""
    import hashlib
    import hmac

    def b64(b):
        return base64.b64encode(b).decode()

    def mac(key, text):
        return hmac.new(key, text.encode(), hashlib.sha256).digest()
    bare = f"n={user},r=abcdefghijklmnop"
    code, text = client.docmd("AUTH SCRAM-SHA-256", b64(b"n,," + bare.encode()))
    assert code == 334
    first = base64.b64decode(text).decode()
    f = dict(x.split("=", 1) for x in first.split(","))
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(f["s"]),
                                 int(f["i"]))
    final = f"c=biws,r={f['r']}"
    auth = f"{bare},{first},{final}"
    key = mac(salted, "Client Key")
    proof = bytes(a ^ b for a, b in zip(key, mac(hashlib.sha256(key).digest(), auth)))
    code, text = client.docmd(b64(f"{final},p={b64(proof)}".encode()))
    assert code == 334, (code, text)
    assert base64.b64decode(text).decode() == "v=" + b64(mac(mac(salted, "Server Key"), auth))
    return client.docmd("")


def test_login_in_tls_from_the_first_byte(site, hops):
    user = site.user()
    client = smtplib.SMTP_SSL(*site.cluster.at("fe2", "submissions"), timeout=60,
                              context=site.tls)
    client.login(user, PASSWORD)
    ident = talk.message_id()
    client.sendmail(user, ["x@far.example.net"], message(user, ident))
    client.quit()
    got = hops[0].texts(ident)
    assert [m[:2] for m in got] == [(user, ["x@far.example.net"])]
    assert b"with ESMTPSA id" in got[0][2]


@pytest.mark.parametrize("service", ["submissions", "imaps", "pop3s"])
def test_tls_is_not_for_browsers(site, service):
    """Who says by ALPN that he speaks something else was led here by somebody in between."""
    for names, good in ((["h2", "http/1.1"], False), (["http/1.1"], False), (["imap"], True),
                        (["h2", "smtp"], True), (["pop3"], True)):
        context = ssl.create_default_context(cafile=site.cluster.dir + "/tls/cert.pem")
        context.set_alpn_protocols(names)
        with socket.create_connection(site.cluster.at("fe1", service),
                                      timeout=talk.TIMEOUT) as plain_sock:
            try:
                sock = context.wrap_socket(plain_sock, server_hostname="mail.example.org")
            except ssl.SSLError:
                assert not good, names
                continue
            assert good and sock.selected_alpn_protocol() == names[-1]
            assert sock.recv(100)
            sock.close()


def test_wrong_password_and_no_login(site):
    user = site.user()
    client = raw(site)
    assert client.ask(f"MAIL FROM:<{user}>")[0] == 530
    assert client.ask("AUTH PLAIN " + plain(user, "wrong"))[0] == 535
    assert client.ask("AUTH NONSENSE")[0] == 504
    assert client.ask(f"MAIL FROM:<{user}>")[0] == 530
    client.close()


def test_session_is_listed_with_its_user(site):
    user = site.user()
    client = submit(site, user)
    done = site.cluster.ctl("fe1", "--json", "who")
    assert user.split("@")[0] in done.stdout and "submission" in done.stdout
    client.quit()


# ---- what may be sent ------------------------------------------------------------------------

def test_users_send_as_themselves(site, hops):
    user, other = site.user(), site.user("store2")
    client = submit(site, user)
    assert client.mail(other)[0] == 553
    assert client.mail(SENDER)[0] == 553
    with pytest.raises(smtplib.SMTPDataError) as e:
        client.sendmail(user, ["x@far.example.net"], message(other, talk.message_id()))
    assert e.value.smtp_code == 550
    client.quit()
    assert hops[0].messages == []


def test_nothing_hides_behind_ten_thousand_fields(site, hops):
    user, other = site.user(), site.user("store2")
    with submit(site, user) as client:
        with pytest.raises(smtplib.SMTPDataError) as e:
            client.sendmail(user, ["x@far.example.net"],
                            message(user, talk.message_id(), more="X: y\r\n" * 10000 +
                                    f"From: {other}\r\nBcc: eve@far.example.net\r\n"))
        assert e.value.smtp_code == 552
    assert hops[0].messages == []


def test_missing_fields_are_added_and_bcc_is_dropped(site, hops):
    user = site.user()
    local = site.user("store2")
    with submit(site, user) as client:
        client.sendmail(user, ["x@far.example.net", local],
                        b"Subject: bare\r\nBcc: eve@far.example.net\r\n\r\nbody\r\n")
    text = hops[0].messages[0][2]
    header = text.split(b"\r\n\r\n")[0]
    assert re.search(rb"^Date: .* \+0000\r$", header, re.M)
    ident = re.search(rb"^Message-ID: (<.*@fe1.example.org>)\r$", header, re.M)
    assert ident and f"From: <{user}>".encode() in header
    assert b"Bcc" not in text and b"eve@" not in text
    assert site.count(local, ident.group(1).decode(), "fe2") == 1


def test_message_is_as_it_was(site, hops):
    user = site.user()
    ident = talk.message_id()
    body = "".join(f".{i} line\r\n" for i in range(30000)) + "..\r\n.\r\nend\r\n"
    sent = message(user, ident, body=body)
    with submit(site, user) as client:
        client.sendmail(user, ["x@far.example.net"], sent)
    assert hops[0].texts(ident)[0][2].endswith(sent)


# ---- open relay: the table is in the unit tests; here with real processes ---------------------------

TRICKS = ["x@far.example.net", "x%far.example.net@example.org", "far.example.net!x@example.org",
          '"x@far.example.net"@example.org', "@example.org:x@far.example.net",
          "x@far.example.net@example.org", "x@[192.0.2.1]", "x@[127.0.0.1]",
          '"x%far.example.net"@example.org', "x@example.org.far.example.net",
          f"SRS0=AAAAAA=AB=far.example.net=x@{SRS}", f"SRS1=AAAAAA=far.example.net==x@{SRS}"]


@pytest.mark.parametrize("rcpt", TRICKS)
def test_port_25_does_not_relay(site, hops, rcpt):
    client = site.raw_smtp()
    reply = client.envelope(rcpt)[0]
    assert reply[0] // 100 == 5, reply
    assert client.ask("DATA")[0] // 100 == 5
    client.close()
    # connections of the tests before may be closed, and say so
    assert [x for x in hops[0].seen if x != "QUIT"] == []


# ---- next hops that fail ------------------------------------------------------------------------------

PHASES = {
    "it refuses connections": lambda hop: hop.stop(),
    "it closes before the greeting": lambda hop: hop.answers.update(greeting=None),
    "it greets with 554": lambda hop: hop.answers.update(greeting="554 no"),
    "it closes at EHLO": lambda hop: hop.answers.update(EHLO=None),
    "it closes at MAIL": lambda hop: hop.answers.update(MAIL=None),
    "it closes at RCPT": lambda hop: hop.answers.update(RCPT=None),
    "it is silent at RCPT": lambda hop: hop.answers.update(RCPT="silent"),
    "it says 421 at MAIL": lambda hop: hop.answers.update(MAIL="421 4.3.2 going"),
    "it closes at DATA": lambda hop: hop.answers.update(DATA=None),
    "it says 421 behind the message": lambda hop: hop.answers.update(dot="421 4.3.2 going"),
}


@pytest.mark.parametrize("name", PHASES)
def test_the_other_hop_has_it(site, hops, name):
    user = site.user()
    PHASES[name](hops[0])
    ident = talk.message_id()
    with submit(site, user) as client:
        client.sendmail(user, ["x@far.example.net"], message(user, ident))
    assert len(hops[1].texts(ident)) == 1
    assert len(hops[0].texts(ident)) == 0


def test_all_hops_are_away(site, hops):
    user, local = site.user(), site.user()
    for hop in hops:
        hop.stop()
    with submit(site, user) as client:
        assert client.mail(user)[0] == 250
        assert client.rcpt("x@far.example.net")[0] == 451
        assert client.rcpt(local)[0] == 250
        client.rset()
    status = site.cluster.ctl("fe1", "status").stdout
    assert status.count("DOWN") == 2 and hops[0].address[0] in status, status


def test_lost_behind_the_message_is_later_and_nobody_else_has_it(site, hops):
    user = site.user()
    hops[0].answers["dot"] = None
    ident = talk.message_id()
    client = submit(site, user)
    with pytest.raises(smtplib.SMTPDataError) as e:
        client.sendmail(user, ["x@far.example.net"], message(user, ident))
    assert e.value.smtp_code == 451
    assert len(hops[1].texts(ident)) == 0


def test_refusals_are_passed_on(site, hops):
    user = site.user()
    hops[0].answers["RCPT no@far.example.net"] = "550 5.1.1 nobody of that name"
    hops[0].answers["RCPT wait@far.example.net"] = "450 4.2.0 greylisted"
    with submit(site, user) as client:
        client.mail(user)
        code, text = client.rcpt("no@far.example.net")
        assert code == 550 and b"nobody of that name" in text
        assert client.rcpt("wait@far.example.net")[0] == 450
        assert client.rcpt("x@far.example.net")[0] == 250


def test_one_who_has_to_wait_now_has_all_wait(site, hops):
    """Accepted when asked, and temporarily refused with the message: nobody elsewhere has it."""
    user = site.user()
    hops[0].answers["RCPT y@far.example.net"] = ["250 2.1.5 ok", "450 4.2.0 wait"]
    ident = talk.message_id()
    client = submit(site, user)
    with pytest.raises(smtplib.SMTPDataError) as e:
        client.sendmail(user, ["x@far.example.net", "y@far.example.net"], message(user, ident))
    assert e.value.smtp_code == 450
    assert hops[0].texts(ident) == []


def relayed(site):
    return site.cluster.metric("fe1", "roost_smtp_relayed_total", "metrics-smtp")


def test_a_retry_makes_no_second_copy(site, hops):
    """The client is gone before our answer; he sends it again."""
    user, local = site.user(), site.user("store2")
    ident = talk.message_id()
    sent = message(user, ident)
    hops[0].answers["dot"] = ["250 2.0.0 taken"]
    before = relayed(site)
    for leaves in (True, False):
        client = raw(site)
        assert client.ask("AUTH PLAIN " + plain(user))[0] == 235
        assert [r[0] for r in client.envelope("x@far.example.net", local, sender=user)] == \
            [250, 250]
        if leaves:
            assert client.ask("DATA")[0] == 354
            client.send(sent + b".\r\n")
            client.close()
            c.wait_until("the hop to have it", lambda: hops[0].texts(ident))
            c.wait_until("the front end to know", lambda: relayed(site) > before)
        else:
            assert client.data(sent)[0][0] == 250
            client.close()
    assert len(hops[0].texts(ident)) == 1
    assert site.count(local, ident) == 1


def moody(chance, *moods):
    """An answer that is now and then one of these."""
    dice = random.Random(7)
    return lambda usual: dice.choice(moods) if dice.random() < chance else usual


def hand_in(site, user, to, ident, number):
    """As a client that comes again, at one front end or the other, until it is told 250."""
    for attempt in range(60):
        try:
            with submit(site, user, front=f"fe{(number + attempt) % 2 + 1}") as client:
                # whom it refused for now: he is sent it again
                to = list(client.sendmail(user, to, message(user, ident)))
            if not to:
                return True
        except (smtplib.SMTPException, OSError):
            time.sleep(0.1)
    return False


def test_nothing_is_lost_by_moody_hops(site, hops):
    """Hops that fail in every phase, under load: each message comes, to a store once, and twice
    to a hop only when that was lost behind the dot."""
    user, local = site.user(), site.user("store2")
    for hop in hops:
        for phase in ("greeting", "EHLO", "MAIL", "RCPT", "DATA"):
            hop.answers[phase] = moody(0.05, None, "421 4.3.2 going", "451 4.3.0 later")
        hop.answers["dot"] = moody(0.1, None, "421 4.3.2 going", "451 4.3.0 later")
    idents = [talk.message_id() for _ in range(60)]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        done = list(pool.map(lambda n: hand_in(site, user, ["x@far.example.net", local],
                                               idents[n], n), range(len(idents))))
    assert all(done)
    for ident in idents:
        copies = sum(len(hop.texts(ident)) for hop in hops)
        lost = sum(ident.encode() in m[2] for hop in hops for m in hop.lost)
        assert 1 <= copies <= 1 + lost, (ident, copies, lost)
    client = site.raw_imap(local)
    assert talk.number(client.ok("EXAMINE INBOX"), rb"\* (\d+) EXISTS") == len(idents)
    client.close()


# ---- one reply, and who is told ---------------------------------------------------------------------------

def wait_for_report(site, user, text):
    def found():
        client = site.raw_imap(user)
        client.ok("EXAMINE INBOX")
        lines = client.ok(f'SEARCH HEADER Content-Type delivery-status BODY "{text}"')
        client.close()
        return [line for line in lines if re.match(rb"\* SEARCH \d", line)]
    c.wait_until("the report", found)


def test_store_away_and_the_hop_gets_nothing(site, hops):
    user, local = site.user("store2"), site.user("store1")
    ident = talk.message_id()
    client = raw(site)
    assert client.ask("AUTH PLAIN " + plain(user))[0] == 235
    assert [r[0] for r in client.envelope("x@far.example.net", local, sender=user)] == [250, 250]
    site["store1"].kill()
    try:
        assert client.data(message(user, ident))[0][0] == 451
    finally:
        site["store1"].start()
        site.cluster.wait_settled()
        client.reset()
        c.wait_until("the front end to try the store again",
                     lambda: (client.envelope(local, sender=user)[0][0], client.reset())[0] == 250)
    assert hops[0].texts(ident) == []
    client.close()


def test_local_sender_is_told_who_has_refused(site, hops):
    user, local = site.user(), site.user("store2")
    hops[0].answers["dot"] = "554 5.7.1 this looks like spam"
    ident = talk.message_id()
    with submit(site, user) as client:
        client.sendmail(user, ["x@far.example.net", local], message(user, ident))
    assert site.count(local, ident) == 1
    wait_for_report(site, user, "this looks like spam")


def test_sender_elsewhere_is_told_by_the_hop(site, hops):
    """A forward is refused for good behind the message; fred has his copy."""
    user = site.user()
    site.cluster.ctl("store1", "alias", "add", f"fwd-{user}", "gone@far.example.net")
    # the message to gone@ is refused; the report to the sender is taken
    hops[0].answers["dot"] = ["554 5.7.1 no such thing"]
    ident = talk.message_id()
    site.send([user, f"fwd-{user}"], talk.message(ident=ident))
    assert site.count(user, ident) == 1
    [(sender, rcpts, text)] = hops[0].messages
    assert (sender, rcpts) == ("", [SENDER])
    assert b"report-type=delivery-status" in text and b"no such thing" in text
    assert f"Final-Recipient: rfc822; fwd-{user}".encode() in text


# ---- forwards and the way back ---------------------------------------------------------------------------

def test_forward_leaves_with_srs_and_its_bounce_comes_back(site, hops):
    user = site.user()
    site.cluster.ctl("store1", "alias", "add", f"away-{user}", "ann@far.example.net")
    ident = talk.message_id()
    site.send(f"away-{user}", talk.message(ident=ident))
    [(sender, rcpts, text)] = hops[0].texts(ident)
    assert rcpts == ["ann@far.example.net"] and sender.startswith("SRS0=")
    assert sender.endswith("@" + SRS)
    assert text.startswith(f"Delivered-To: away-{user}\r\n".encode())
    hops[0].reset()
    # the bounce goes to the sender, through the next hop
    bounce = talk.message_id()
    site.send(sender, talk.message(ident=bounce), front="fe2", sender="")
    [(back, rcpts, text)] = hops[0].texts(bounce)
    assert (back, rcpts) == ("", [SENDER])
    # only a bounce does: it is no way to send to him
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        site.send(sender, talk.message(), front="fe2")
    # and a forward that comes back is stopped
    with pytest.raises(smtplib.SMTPDataError) as e:
        site.send(f"away-{user}", talk.message(more=f"Delivered-To: away-{user}\r\n"))
    assert e.value.smtp_code == 554 and b"5.4.6" in e.value.smtp_error


def test_user_forwards_and_keeps_a_copy(site, hops):
    user = site.user()
    site.cluster.ctl("store1", "forward", "set", user, "me@far.example.net", "--keep")
    ident = talk.message_id()
    site.send(user, talk.message(ident=ident))
    assert site.count(user, ident, "fe2") == 1
    [(sender, rcpts, _)] = hops[0].texts(ident)
    assert rcpts == ["me@far.example.net"] and sender.startswith("SRS0=")
    # his colleague's mail keeps its sender
    hops[0].reset()
    colleague = site.user("store2")
    ident = talk.message_id()
    with submit(site, colleague) as client:
        client.sendmail(colleague, [user], message(colleague, ident))
    assert hops[0].texts(ident)[0][0] == colleague
    # no copy here, none there: the store is away
    site["store1"].kill()
    try:
        client = site.raw_smtp()
        assert client.envelope(user)[0][0] == 451
        client.close()
    finally:
        site["store1"].start()
        site.cluster.wait_settled()


# ---- TLS and logins towards the next hop ------------------------------------------------------------------

@pytest.mark.parametrize("mode,by_name", [("starttls", False), ("tls", False), ("tls", True)])
def test_hop_by_tls_with_a_login(failures, mode, by_name):
    net, lock = conftest.lock_net()
    work = tempfile.mkdtemp(prefix="roost-cluster-")
    site = Site(work, net)
    site.cluster.prepare()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(f"{work}/tls/cert.pem", f"{work}/tls/key.pem")
    hop = Sink(("127.0.0.1", 0) if by_name else (f"127.0.{net}.77", 2526), tls=server,
               implicit=mode == "tls", user="smart", password="host pw").start()
    where = f"localhost:{hop.address[1]}" if by_name else "%s:%d" % hop.address
    settings = ["relay = " + where, f"relay_tls = {mode}", "relay_user = smart",
                'relay_password = "host pw"', f"relay_tls_ca = {work}/tls/cert.pem", "workers = 1"]
    # the certificate has the name localhost, too
    site.cluster.smtp_settings = settings + ([] if by_name else
                                             ["relay_tls_name = mail.example.org"])
    try:
        site.start()
        user = site.user()
        ident = talk.message_id()
        with submit(site, user) as client:
            client.sendmail(user, ["x@far.example.net"], message(user, ident))
        assert len(hop.texts(ident)) == 1
        # a certificate of another name is not believed
        site.cluster.smtp_settings = settings + ["relay_tls_name = smart.example.net"]
        site["fe1-smtp"].stop()
        site.cluster.prepare()
        log = site["fe1-smtp"].log
        site["fe1-smtp"].start()
        with submit(site, user) as client:
            client.mail(user)
            assert client.rcpt("x@far.example.net")[0] == 451
        assert "host pw" not in open(log).read()
    finally:
        for p in list(site.cluster.processes.values()):
            p.stop()
        hop.stop()
        lock.close()
        conftest.end_all(work)
        conftest.shutil.rmtree(work)
