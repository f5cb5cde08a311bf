"""SIGKILL under load: what was acknowledged is there, exactly once, after everybody retried.

ROOST_TEST_KILLS: how often each process is killed (default 3)."""
import os
import random
import time

import pytest

import cluster as c
import load
import talk
from load import Appender, LmtpSender, SmtpSender

KILLS = int(os.environ.get("ROOST_TEST_KILLS", "3"))
ALL = ["store1", "store2", "master", "fe1-replica", "fe2-replica", "fe1-smtp", "fe2-smtp",
       "fe1-imap", "fe2-imap"]


@pytest.fixture
def users(own):
    return [own.user(f"store{i % 2 + 1}") for i in range(6)]


def kill(own, *names):
    def once():
        name = random.choice(names)
        own[name].kill()
        time.sleep(random.uniform(0, 0.4))
        own[name].start()
    return once


@pytest.mark.parametrize("victim", ["store1", "master", "fe1-replica", "fe1-smtp"])
def test_delivery_survives_sigkill_of(own, users, victim):
    counts = load.run(own, users, [(SmtpSender, 3), (LmtpSender, 3)], kill(own, victim), KILLS)
    own.cluster.wait_settled()
    for kind in counts.values():
        assert load.check(own, users, kind) > 0


@pytest.mark.parametrize("victim", ["store2", "fe1-imap"])
def test_append_survives_sigkill_of(own, users, victim):
    counts = load.run(own, users, [(Appender, 4)], kill(own, victim), KILLS)
    own.cluster.wait_settled()
    load.check(own, users, counts[Appender], exactly=False)


def test_everything_is_killed_in_turn(own, users):
    counts = load.run(own, users, [(SmtpSender, 2), (LmtpSender, 2), (Appender, 2)],
                      kill(own, *ALL), 2 * KILLS, pause=(0.1, 0.6))
    own.cluster.wait_settled()
    for kind, n in counts.items():
        load.check(own, users, n, exactly=kind is not Appender)


def test_namespace_survives_sigkill_of_the_master(own, users):
    """CREATE on one front end while the master is killed: a folder that was acknowledged
    is there, one that was not can be made again."""
    user, made = users[0], []
    for round_ in range(KILLS):
        client = own.raw_imap(user, "fe1")
        for i in range(40):
            if i == 20:
                own["master"].kill()
            name = f"r{round_}/{i}"
            lines = client.run(f"CREATE {name}")
            word = lines[-1].split()[1]
            assert word == b"OK" or (word == b"NO" and b"UNAVAILABLE" in lines[-1]), lines
            if word == b"OK":
                made.append(name)
            elif i > 25:
                break
        own["master"].start()
        client.close()
    own.cluster.wait_settled()
    client = own.raw_imap(user, "fe2")
    for name in made:
        client.ok(f"STATUS {name} (MESSAGES)")

    def made_again(name):
        last = client.run(f"CREATE {name}")[-1]
        assert last.split()[1] == b"OK" or b"ALREADYEXISTS" in last or b"UNAVAILABLE" in last, last
        return b"UNAVAILABLE" not in last
    for round_ in range(KILLS):
        c.wait_until("CREATE to work again", lambda r=round_: made_again(f"r{r}/26"))
    client.close()


def test_namespace_survives_sigkill_of_the_store(own, users):
    user, made = users[1], []
    for round_ in range(KILLS):
        client = own.imap_again(user, "fe1")
        try:
            for i in range(30):
                if i == 15:
                    own["store2"].kill()
                if client.run(f"CREATE s{round_}/{i}")[-1].split()[1] == b"OK":
                    made.append(f"s{round_}/{i}")
        except (EOFError, OSError):
            pass
        client.close()
        own["store2"].start()
        own.cluster.wait_settled()
    assert len(made) >= KILLS * 10
    client = own.imap_again(user, "fe2")
    for name in made:
        client.ok(f"STATUS {name} (MESSAGES)")
    client.append(made[-1], talk.message())
    client.close()
