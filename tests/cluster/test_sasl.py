"""Logins by every mechanism, at every service, right and wrong."""
import time

import pytest

from sasl import Protocol, Scram, b64
from world import PASSWORD

DELAY = 1.99  # of a failed login, by default; the clock of timers is coarse
PATIENCE = 8  # with a busy machine
MECHS = {b"SCRAM-SHA-256", b"PLAIN", b"LOGIN"}


@pytest.fixture(scope="module")
def user(shared):
    return shared.user("store2")


def at(shared, service, front="fe1"):
    return Protocol(shared, front, service)


# ---- what is offered ----------------------------------------------------------------


def test_imap_offers_them_all(shared):
    p = at(shared, "imap")
    assert {b"AUTH=" + m for m in MECHS} | {b"SASL-IR"} <= set(p.client.say("a CAPABILITY").split())
    p.close()


def test_pop3_offers_them_all(shared):
    p = at(shared, "pop3")
    p.say("CAPA")
    lines = []
    while (line := p.client.line()) != b".":
        lines.append(line)
    assert {tuple(x.split()[1:]) for x in lines if x.startswith(b"SASL ")} \
        == {(b"SCRAM-SHA-256", b"PLAIN", b"LOGIN")}
    p.say("AUTH")
    listed = set()
    while (line := p.client.line()) != b".":
        listed.add(line)
    assert listed == MECHS
    p.close()


def test_mupdate_offers_them_all(shared):
    p = at(shared, "mupdate", "master")
    assert p.client.greeting.startswith(b"* AUTH ")
    assert {b'"%s"' % m for m in MECHS} <= set(p.client.greeting.split())
    p.close()


def test_submission_offers_them_all(shared):
    p = at(shared, "submission")
    auth = [c[4:].split() for c in p.caps if c[4:].startswith(b"AUTH ")]
    assert auth and set(auth[0][1:]) == MECHS
    p.close()


# ---- right and wrong ----------------------------------------------------------------


@pytest.mark.parametrize("service", ["imap", "pop3", "submission"])
@pytest.mark.parametrize("initial", [True, False])
def test_users_log_in(shared, user, service, initial):
    for how in ("plain", "scram", "login"):
        p = at(shared, service, "fe2" if initial else "fe1")
        args = {} if how == "login" else {"initial": initial}
        assert getattr(p, how)(user, PASSWORD, **args)[0], (how, p.line)
        p.close()


@pytest.mark.parametrize("service", ["imap", "pop3"])
def test_wrong_passwords_are_refused(shared, user, service):
    p = at(shared, service)
    for how in ("scram", "login"):
        ok, line = getattr(p, how)(user, "wrong" + how)
        assert not ok and (b"AUTHENTICATIONFAILED" in line or b"[AUTH]" in line), line
    assert p.scram(user, PASSWORD)[0]
    p.close()


def test_the_bare_name_and_the_other_spelling(shared, user):
    for name in (user.split("@")[0], user.upper()):
        p = at(shared, "imap")
        assert p.scram(name, PASSWORD)[0], p.line
        p.close()


def test_nobody_acts_for_others(shared, user):
    other = shared.user("store1")
    p = at(shared, "imap")
    assert not p.scram(user, PASSWORD, gs2=f"n,a={other},")[0]
    assert p.scram(user, PASSWORD, gs2=f"y,a={user},")[0], p.line
    p.close()


def test_unknown_users_look_like_known_ones(shared, user):
    seen = []
    for front in ("fe1", "fe2", "fe1", "fe2"):
        p = at(shared, "imap", front)
        began = time.monotonic()
        ok, line = p.scram("nobody-here@example.org", PASSWORD)
        assert not ok and b"AUTHENTICATIONFAILED" in line
        assert DELAY <= time.monotonic() - began < DELAY + PATIENCE
        seen.append((p.mech.salt, p.mech.rounds, line))
        p.close()
    assert len(set(seen)) == 1, seen
    p = at(shared, "imap")
    began = time.monotonic()
    ok, line = p.scram(user, "wrong")
    assert DELAY <= time.monotonic() - began < DELAY + PATIENCE
    assert (p.mech.rounds, line) == seen[0][1:]
    assert len(p.mech.salt) == len(seen[0][0])
    p.close()


def test_malformed_is_not_wrong(shared, user):
    s = Scram(user, PASSWORD)
    for first in ("", "n,,", "p=tls-unique,,n=x,r=abc", "n,,n=,r=abc", "x,,n=a,r=abc"):
        p = at(shared, "imap")
        line = p.begin("SCRAM-SHA-256", b64(first).decode() or "=")
        assert line.startswith(b"a BAD"), (first, line)
        p.close()
    p = at(shared, "imap")
    p.begin("SCRAM-SHA-256", b64(s.first()).decode())
    assert p.answer("c=biws,r=abc,p=AAAA").startswith(b"a BAD")
    assert p.begin("SCRAM-SHA-256-PLUS", b64(s.first()).decode()).startswith(b"a NO [CANNOT]")
    p.close()


def test_a_client_that_disbelieves_the_server_is_not_logged_in(shared, user):
    p = at(shared, "imap")
    s = Scram(user, PASSWORD)
    p.begin("SCRAM-SHA-256", b64(s.first()).decode())
    p.answer(s.final(p.challenge().decode()))
    assert p.challenge().startswith(b"v=")
    assert p.say("*").startswith(b"a BAD")
    assert p.say("b SELECT INBOX").startswith((b"b BAD", b"b NO"))
    p.close()


def test_conversations_side_by_side(shared, user):
    """Each keeps its own nonce: a proof does for no other."""
    a, b = at(shared, "imap"), at(shared, "imap")
    sa, sb = Scram(user, PASSWORD), Scram(user, PASSWORD)
    a.begin("SCRAM-SHA-256", b64(sa.first()).decode())
    b.begin("SCRAM-SHA-256", b64(sb.first()).decode())
    fa, fb = sa.final(a.challenge().decode()), sb.final(b.challenge().decode())
    assert a.answer(fb).startswith(b"a BAD")
    b.answer(fb)
    b.answer(sb.check(b.challenge().decode()))
    assert b.ok()[0]
    assert fa != fb
    a.close()
    b.close()


# ---- MUPDATE ------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["plain", "login", "scram"])
def test_identities_log_in_at_the_master(shared, how):
    secret = shared.cluster.secrets["store1"]
    p = at(shared, "mupdate", "master")
    while not p.client.line().startswith(b"* OK"):
        pass
    ok, line = getattr(p, how)("store1", secret + "x")
    assert not ok and line.startswith(b"a NO"), line
    assert getattr(p, how)("store1", secret)[0], p.line
    p.close()


def test_users_do_not_log_in_at_the_master(shared, user):
    p = at(shared, "mupdate", "master")
    while not p.client.line().startswith(b"* OK"):
        pass
    assert not p.scram(user, PASSWORD)[0]
    p.close()


# ---- what is kept -------------------------------------------------------------------


def test_no_password_and_one_kind_of_key_is_kept(shared, user):
    path = shared.cluster.dir + "/data/directory.db"
    for name in (path, path + "-wal"):
        try:
            assert PASSWORD.encode() not in open(name, "rb").read()
        except FileNotFoundError:
            pass
    assert b"SCRAM-SHA-256$65536:" in open(path, "rb").read()


def test_a_changed_password_holds_at_once(shared):
    address = shared.user("store1")
    for service, how in (("imap", "plain"), ("pop3", "scram")):
        p = at(shared, service)
        assert getattr(p, how)(address, PASSWORD)[0]
        p.close()
    shared.cluster.ctl("fe1", "user", "passwd", address, "--password-stdin", stdin="other-pass\n")
    for service, how in (("imap", "plain"), ("imap", "scram"), ("pop3", "login")):
        p = at(shared, service)
        assert not getattr(p, how)(address, PASSWORD)[0]
        p.close()
        p = at(shared, service)
        assert getattr(p, how)(address, "other-pass")[0]
        p.close()


# ---- without TLS --------------------------------------------------------------------


def test_nothing_is_offered_where_tls_is_missing(shared, user):
    """The settings of a host whose plaintext_networks are empty."""
    conf = open(shared.cluster.conf("fe1")).read()
    changed = conf.replace("plaintext_networks = 127.0.0.0/8", "plaintext_networks = 192.0.2.0/24")
    assert changed != conf
    open(shared.cluster.conf("fe1"), "w").write(changed)
    try:
        shared["fe1-imap"].stop()
        shared["fe1-imap"].start()
        p = at(shared, "imap")
        caps = p.client.say("a CAPABILITY")
        assert p.client.line().startswith(b"a OK")
        assert b"LOGINDISABLED" in caps and b"AUTH=" not in caps
        assert not p.scram(user, PASSWORD)[0] and b"PRIVACYREQUIRED" in p.line
        p.close()
        p = at(shared, "pop3")
        assert not p.scram(user, PASSWORD)[0]
        p.close()
        p = at(shared, "imap")
        assert p.say("a STARTTLS").startswith(b"a OK")
        p.client.start_tls(shared.tls)
        assert p.scram(user, PASSWORD)[0], p.line
        p.close()
    finally:
        open(shared.cluster.conf("fe1"), "w").write(conf)
        shared["fe1-imap"].stop()
        shared["fe1-imap"].start()
        shared.cluster.wait_settled()
