"""What users see while a part is away (design section 11), and that it heals by itself."""
import os
import shutil
import signal
import time

import pytest

import cluster as c
import talk
from cluster import tree
from world import PASSWORD, SENDER, frozen


@pytest.fixture
def users(own):
    """On both stores; each worker of a front end has its own opinion of one that was away."""
    both = [own.user("store1"), own.user("store2")]
    for front in own.cluster.fronts * 16:
        for user in both:
            c.wait_until(f"{front} to take mail",
                         lambda to=user, by=front: rcpt(own, to, by)[0] == 250)
    return both


@pytest.fixture
def away(own):
    """Ends a process as if its host had died; the test's end brings it back."""
    gone = []

    def end(name):
        own[name].kill()
        gone.append(name)
    yield end
    for name in gone:
        own[name].start()
    own.cluster.wait_settled()


def ready(own, user, front="fe1"):
    """Waits until the user can log in again."""
    def ok():
        client = own.raw_imap(front=front)
        try:
            return b" OK " in client.run(f'LOGIN {user} "{PASSWORD}"')[-1]
        except (EOFError, OSError):
            return False
        finally:
            client.close()
    c.wait_until(f"{user} to log in", ok)


def rcpt(own, to, front="fe1", service="smtp"):
    client = own.raw_smtp(front) if service == "smtp" else own.lmtp(front)
    try:
        return client.envelope(to)[0]
    finally:
        client.close()


def test_one_store_away(own, users, away):
    mine, theirs = users
    for user in users:
        own.send(user)
    stays = own.raw_imap(theirs, "fe1", "INBOX")
    cut = own.raw_imap(mine, "fe1", "INBOX")
    away("store1")
    # its users: later
    for service in ("smtp", "lmtp"):
        code, text = rcpt(own, mine, "fe2", service)
        assert code == 451 and text.startswith("4."), text
        assert rcpt(own, theirs, "fe2", service)[0] == 250
        assert rcpt(own, "nobody-here@example.org", "fe2", service)[0] == 550
    client = own.raw_imap(front="fe2")
    client.no(f'LOGIN {mine} "{PASSWORD}"', b"UNAVAILABLE")
    client.no(f"LOGIN {mine} wrong", b"AUTHENTICATIONFAILED")
    client.ok(f'LOGIN {theirs} "{PASSWORD}"')
    client.close()
    pop = own.lines("fe1", "pop3")
    pop.say(f"USER {mine}")
    assert b"[SYS/TEMP]" in pop.say(f"PASS {PASSWORD}")
    pop.close()
    assert cut.is_closed()
    # the others: nothing
    stays.ok("FETCH 1 FLAGS")
    stays.ok("CREATE while-away")
    own.send(theirs, front="fe1")
    assert talk.number(stays.ok("STATUS INBOX (MESSAGES)"), rb"MESSAGES (\d+)") == 2
    stays.close()
    own["store1"].start()
    ready(own, mine)
    c.wait_until("mail to be taken", lambda: rcpt(own, mine)[0] == 250)


def test_a_store_dies_between_rcpt_and_data(own, users, away):
    ident = talk.message_id()
    client = own.raw_smtp("fe1")
    assert [r[0] for r in client.envelope(*users)] == [250, 250]
    away("store2")
    code, text = client.data(talk.message(ident=ident))[0]
    assert code // 100 == 4, text
    client.close()
    own["store2"].start()
    ready(own, users[1])
    own.send(users, talk.message(ident=ident), "fe2")
    assert [own.count(u, ident) for u in users] == [1, 1]


def test_a_store_that_hangs_is_later(own, users):
    user = users[0]
    own.send(user)
    with frozen(tree(own["store1"].pid())):
        start = time.monotonic()
        client = own.raw_imap(front="fe1")
        client.no(f'LOGIN {user} "{PASSWORD}"', b"UNAVAILABLE")
        assert time.monotonic() - start < 60  # its own deadlines are ten minutes
        client.close()
    ready(own, user)


def test_master_away(own, users, away):
    user = users[0]
    client = own.raw_imap(user, "fe1")
    client.ok("CREATE before")
    away("master")
    # all goes on but namespace changes
    own.send(users, front="fe1")
    own.send(users[1], front="fe2")
    client.ok("SELECT before")
    client.ok("UNSELECT")
    client.ok('LIST "" *')
    client.append("before", talk.message())
    ready(own, users[1], "fe2")
    for command in ("CREATE after", "RENAME before other", "DELETE before"):
        client.no(command, b"UNAVAILABLE")
    # nobody knows: later
    client.no("SELECT never-there")
    assert own.pop3(users[1], "fe2").stat()[0] == 2
    assert rcpt(own, "nobody-here@example.org")[0] == 550  # the directory knows
    own["master"].start()
    own.cluster.wait_settled()

    def heals():
        return b" OK " in client.run("CREATE after")[-1]
    c.wait_until("CREATE to work again", heals)
    client.ok("RENAME before other")
    client.ok("DELETE other")
    client.close()


def test_stores_restart_while_the_master_is_away(own, users, away):
    user = users[1]
    own.send(user)
    away("master")
    own["store2"].kill()
    own["store2"].start()
    ready(own, user, "fe2")
    own.send(user, front="fe1")
    assert own.pop3(user, "fe1").stat()[0] == 2


def test_replica_process_away(own, users, away):
    user = users[0]
    client = own.raw_imap(user, "fe1")
    away("fe1-replica")
    # the mapped list stays
    own.send(user, front="fe1")
    ready(own, user, "fe1")
    client.ok("SELECT INBOX")
    client.close()
    # a user that the list does not know: later; on the other front end: fine
    fresh = own.user("store2")
    assert rcpt(own, fresh, "fe1")[0] == 451
    assert rcpt(own, fresh, "fe2")[0] == 250
    own["fe1-replica"].start()
    own.cluster.wait_settled()
    c.wait_until("the replica to have the news", lambda: rcpt(own, fresh, "fe1")[0] == 250)


def test_front_end_that_never_had_a_list_is_blind(own, users):
    """An empty replica says nothing: every answer is "later"."""
    user = users[0]
    own.send(user)
    for name in ("fe2-imap", "fe2-smtp", "fe2-replica"):
        own[name].stop()
    folder = os.path.join(own.cluster.dir, "data", "fe2-location")
    shutil.rmtree(folder)
    own["master"].stop()
    try:
        for name in ("fe2-replica", "fe2-imap", "fe2-smtp"):
            own[name].start()
        assert rcpt(own, user, "fe2")[0] == 451
        client = own.raw_imap(front="fe2")
        client.no(f'LOGIN {user} "{PASSWORD}"', b"UNAVAILABLE")
        client.close()
    finally:
        own["master"].start()
    own.cluster.wait_settled()
    ready(own, user, "fe2")
    c.wait_until("mail to be taken", lambda: rcpt(own, user, "fe2")[0] == 250)


def test_directory_broken_is_later(own, users):
    """Damaged, and gone: who was asked for lately goes on, and nobody is told that a user does
    not exist."""
    user, other = users[0], own.user("store1")
    path = os.path.join(own.cluster.dir, "data", "directory.db")
    for damage in (lambda: os.unlink(path),
                   lambda: open(path, "wb").write(b"this is no database at all\n" * 100)):
        files = [p for p in (path, path + "-wal", path + "-shm") if os.path.exists(p)]
        for p in files:
            shutil.copy2(p, p + ".kept")
        for p in files[1:]:
            os.unlink(p)
        damage()
        try:
            assert rcpt(own, user)[0] in (250, 451)  # each auth worker remembers for itself
            for to in (other, "nobody-here@example.org"):
                code, text = rcpt(own, to)
                assert code == 451 and text.startswith("4."), text
            client = own.raw_imap(front="fe1")
            client.no(f'LOGIN {other} "never seen {len(files)}"', b"UNAVAILABLE")
            client.close()
        finally:
            if os.path.exists(path):
                os.unlink(path)
            for p in files:
                os.rename(p + ".kept", p)
        c.wait_until("the directory to be read again", lambda: rcpt(own, user)[0] == 250)


def test_front_end_away(own, users, away):
    away("fe1-smtp")
    away("fe1-imap")
    own.send(users, front="fe2")
    for user in users:
        assert own.pop3(user, "fe2").stat()[0] == 1


def test_a_worker_of_a_front_end_dies(own, users):
    """The supervisor keeps the listening socket: the next connection is served."""
    for name in ("fe1-imap", "fe1-smtp"):
        for pid in tree(own[name].pid())[1:]:
            os.kill(pid, signal.SIGKILL)

    def served():
        try:
            own.send(users, front="fe1")
            return own.pop3(users[0], "fe1").stat()[0] > 0
        except Exception:  # noqa: BLE001  the workers are coming back
            return False
    c.wait_until("new workers", served)


def test_sigterm_lets_sessions_finish(own, users):
    client = own.raw_smtp("fe2")
    assert client.envelope(users[0])[0][0] == 250
    ident = talk.message_id()
    assert client.ask("DATA")[0] == 354
    own["fe2-smtp"].signal(signal.SIGTERM)
    c.wait_until("it listens no more",
                 lambda: not c.can_connect(*own.cluster.at("fe2", "smtp")))
    client.send(talk.message(ident=ident) + b".\r\n")
    assert client.reply()[0] == 250
    client.close()
    c.wait_until("it to end", own["fe2-smtp"].gone)
    own["fe2-smtp"].stop()
    own["fe2-smtp"].start()
    assert own.count(users[0], ident) == 1


def test_sighup_keeps_sessions(own, users):
    client = own.raw_imap(users[0], "fe1", "INBOX")
    for name in ("fe1-imap", "fe1-smtp", "store1", "fe1-replica", "master"):
        own[name].signal(signal.SIGHUP)
    client.ok("NOOP")
    own.send(users[0], front="fe1")
    assert any(x.endswith(b"EXISTS") for x in client.ok("NOOP"))
    client.close()
    assert own.pop3(users[0], "fe1").stat()[0] == 1


def test_smtp_transaction_survives_nothing_but_says_so(own, users, away):
    """A front end that dies in DATA has acknowledged nothing; the retry gives one copy."""
    ident = talk.message_id()
    message = talk.message(ident=ident)
    client = own.raw_smtp("fe1")
    assert client.ask(f"MAIL FROM:<{SENDER}>")[0] == 250
    assert client.ask(f"RCPT TO:<{users[0]}>")[0] == 250
    assert client.ask("DATA")[0] == 354
    client.send(message + b".\r\n")
    away("fe1-smtp")
    client.close()
    own.send(users[0], message, "fe2")
    assert own.count(users[0], ident, "fe2") == 1
