"""What LIST says of mailboxes that go from store to store: a client takes a name that is missing
for deleted, and drops its copy."""
import contextlib
import re
import threading
import time

import pytest

import talk
from test_move import move
from test_shared import folder, listed
from watch import Watcher, finish, seen

SECONDS = 5
STORES = ["store1", "store2"]


def literals(*texts):
    return b" ".join(b"{%d+}\r\n%s" % (len(t), t) for t in texts)


class Peers:
    """Both stores, as the master knows them."""

    def __init__(self, site):
        at = site.cluster.at("master", "mupdate")
        self.peers = {s: talk.Mupdate(at, s, site.cluster.secrets[s]) for s in STORES}
        self.plain = talk.Mupdate(at, "replica", site.cluster.secrets["replica"], extended=False)

    def ask(self, store, command):
        lines = self.peers[store].ask(b"t " + command)
        assert lines[-1].startswith(b"t OK"), (command, lines)
        return lines

    def find(self, name):
        """Place, ACL and fields of an active name."""
        line = self.ask("store1", b"FIND " + literals(name))[0]
        return re.fullmatch(rb"(?s)t MAILBOX .*? \{\d+\+\}\r\n(.*?) \{\d+\+\}\r\n(.*?) "
                            rb"\{\d+\+\}\r\n(.*)", line).groups()

    def leave(self, name, store):
        self.ask(store, b"DEACTIVATE " + literals(name, store.encode() + b"!default"))

    def take(self, name, store, acl, fields):
        self.ask(store, b"ACTIVATE " + literals(name, store.encode() + b"!default", acl, fields))

    def close(self):
        for peer in [self.plain, *self.peers.values()]:
            peer.close()


@pytest.fixture
def peers(shared):
    with contextlib.closing(Peers(shared)) as both:
        yield both


# ---- one name, step by step -------------------------------------------------------------------

def test_a_name_on_its_way_is_listed_and_one_that_is_to_be_made_is_not(shared, peers):
    user, box = shared.user("store1"), folder(shared, "store2", ("anyone", "lrs"))
    name, shown = re.sub(r'"Shared Folders/(.*)"', r"\1", box).encode(), box.strip('"')
    client = shared.raw_imap(user, "fe2")
    client.ok(f"SUBSCRIBE {box}")
    _, acl, fields = peers.find(name)

    def lists():
        return [shown in seen(client, c) for c in (
            'LIST "" *', 'LIST "" "Shared Folders/%"', 'LIST (SUBSCRIBED) "" *')]

    assert lists() == [True] * 3
    peers.leave(name, "store2")
    assert lists() == [True] * 3 and shown in listed(client.ok('LSUB "" *'))
    lines = client.ok(f'LIST "" {box} RETURN (STATUS (MESSAGES))')
    assert [line.split()[1] for line in lines[:-1]] == [b"LIST"]
    client.no(f"SELECT {box}", b"UNAVAILABLE")
    assert peers.plain.ask(b"F FIND " + literals(name))[:-1] == [
        b"F RESERVE " + literals(name, b"store2!default")]
    peers.ask("store2", b"RESERVE " + literals(name, b"store2!default", fields))
    assert lists() == [False] * 3
    peers.take(name, "store2", acl, fields)
    assert lists() == [True] * 3
    client.ok(f"SELECT {box}")
    peers.leave(name, "store2")
    peers.ask("store2", b"DELETE " + literals(name))
    assert lists() == [False] * 3
    peers.take(name, "store2", acl, fields)
    client.close()


# ---- many moves, many lists ----------------------------------------------------------------------

def go_about(peers, name, stop):
    """A shared folder, as a Cyrus store's XFER moves it."""
    _, acl, fields = peers.find(name)
    there = 0
    while there or not stop.is_set():
        peers.leave(name, STORES[1 - there])
        time.sleep(0.004)
        there = 1 - there
        peers.take(name, STORES[1 - there], acl, fields)
        time.sleep(0.004)


def test_no_list_lacks_what_is_moved(shared, peers):
    mover, watcher = shared.user("store1"), shared.user("store2")
    box, tops = folder(shared, "store2"), f"Other Users/{mover.split('@')[0]}"
    own = {"INBOX", "Team", "Team/a", "Team/a/b"}
    client = shared.raw_imap(mover)
    for name in sorted(own):
        if name != "INBOX":
            client.ok(f"CREATE {name}")
        client.ok(f"SETACL {name} {watcher} lrs")
    client.close()
    others = {tops + re.sub("^INBOX|^(?=T)", lambda m: "" if m.group() else "/", n) for n in own}
    folders = {box.strip('"')}
    client = shared.raw_imap(watcher)
    for name in others | folders:
        client.ok(f'SUBSCRIBE "{name}"')
    client.close()
    wanted = [('LIST "" *', others | folders | {"INBOX"}), ('LIST "" "Shared Folders/*"', folders),
              ('LIST "" "Other Users/*"', others), ('LIST (SUBSCRIBED) "" *', others | folders)]
    stop = threading.Event()
    watchers = [Watcher(shared, stop, watcher, "fe1", wanted),
                Watcher(shared, stop, watcher, "fe2", wanted),
                Watcher(shared, stop, mover, "fe1", [('LIST "" *', own)], patient=True)]
    about = threading.Thread(target=go_about, daemon=True, args=(
        peers, re.sub(".*/", "", box.strip('"')).encode(), stop))
    for t in watchers + [about]:
        t.start()
    end, moves = time.monotonic() + SECONDS, 0
    while moves < 4 or time.monotonic() < end:
        move(shared, mover, STORES[1 - moves % 2])
        moves += 1
    finish(watchers, stop, lists=6)
    about.join(60)
    assert not about.is_alive()
    print(f"{moves} moves, lists:", [w.lists for w in watchers])
