"""Users who know what they have, on stores that compact all the time and are killed, started
with other settings, and robbed of their indexes; and they move from store to store.

ROOST_TEST_KILLS: how often something happens (default 4)."""
import hashlib
import os
import random
import re
import shutil
import threading
import time

import pytest

import cluster as c
import load
import talk
from conftest import make_site
from test_compact import disk, space
from test_move import STORES, move, wait_over
from world import Site

EVENTS = int(os.environ.get("ROOST_TEST_KILLS", "4"))
SEED = os.environ.get("SEED", str(random.randrange(10 ** 6)))
BOXES = ["INBOX", "Sent", "Archive"]
FLAGS = ["", "\\Seen", "\\Flagged", "\\Answered $Label", "\\Seen \\Draft"]
MOST = 120  # messages in a mailbox


class Greedy(c.Cluster):
    """Every file that is dead by a twentieth is worth it, and there is no pause."""

    def program_settings(self, host):
        more = ["segment_bytes = 1M", "compact = yes", "compact_dead = 5", "compact_rate = 0"]
        return super().program_settings(host) + (more if host in self.stores else [])


@pytest.fixture(scope="module")
def greedy(failures):
    yield from make_site(failures, lambda work, net: Site(work, net, Greedy))


def text(ident, size):
    body = hashlib.sha256(ident.encode()).hexdigest() * (size // 64 + 1)
    return talk.message(body[:size] + "\r\n", ident=ident, more=f"X-Size: {size}\r\n")


def flags_of(said):
    return " ".join(sorted(f for f in said.split() if f != "\\Recent"))


class Box:
    def __init__(self):
        self.items, self.next, self.validity, self.modseq = {}, 1, None, 0

    def copy(self):
        b = Box()
        b.items, b.next, b.validity, b.modseq = dict(self.items), self.next, self.validity, self.modseq
        return b

    def add(self, ident, flags):
        self.items[self.next] = (ident, flags)
        self.next += 1


class Owner(threading.Thread):
    """Does one thing after the other; whatever was not answered has happened or not."""

    def __init__(self, site, user, stop, seed):
        super().__init__(daemon=True)
        self.site, self.user, self.stop, self.rng = site, user, stop, random.Random(seed)
        self.boxes, self.client, self.error, self.done = {b: Box() for b in BOXES}, None, None, 0
        self.first = talk.message_id()  # the one that was delivered: it has a trace

    def begin(self):
        self.site.send(self.user, text(self.first, 3000))
        self.boxes = self.look()
        self.start()

    def run(self):
        try:
            while not self.stop.is_set():
                self.turn()
        except Exception as e:  # noqa: BLE001  shown by the test
            self.error = e

    def turn(self):
        after = {n: b.copy() for n, b in self.boxes.items()}
        name = self.rng.choice(BOXES)
        command = self.think(after, name)
        try:
            self.reach()
            lines = self.say(name, command)
            if b" OK " in lines[-1]:
                self.boxes, self.done = after, self.done + 1
            else:
                self.settle(after)
        except load.BREAKS:
            self.client = None
            self.settle(after)

    def think(self, after, name):
        """What to say, and what will be so."""
        box, chance = after[name], self.rng.random()
        chosen = [u for u in box.items if self.rng.random() < 0.3]
        if chance < 0.45 and len(box.items) < MOST or not chosen:
            ident, flags = talk.message_id(), self.rng.choice(FLAGS)
            box.add(ident, flags_of(flags))
            return ident, flags, self.rng.choice([100, 3000, 30000])
        uids = ",".join(map(str, chosen))
        if chance < 0.6:
            flags = self.rng.choice(FLAGS)
            for u in chosen:
                box.items[u] = (box.items[u][0], flags_of(flags))
            return f"UID STORE {uids} FLAGS.SILENT ({flags})"
        to = self.rng.choice([b for b in BOXES if b != name])
        if chance < 0.85 and len(after[to].items) < MOST:
            for u in chosen:
                after[to].add(*box.items[u])
            if chance < 0.75:
                return f"UID COPY {uids} {to}"
            to = f"UID MOVE {uids} {to}"
        else:
            to = f"UID MOVE {uids} Trash"
        for u in chosen:
            del box.items[u]
        return to

    def reach(self):
        if self.client is None:
            self.client = self.site.raw_imap(self.user, self.rng.choice(["fe1", "fe2"]))

    def say(self, name, command):
        if isinstance(command, tuple):
            ident, flags, size = command
            return self.client.append(name, text(ident, size), how=f"({flags}) ")
        self.client.ok(f"SELECT {name}")
        return self.client.run(command)

    def look(self):
        """What is there, as Boxes."""
        self.reach()
        found = {}
        for name in BOXES:
            lines, b = self.client.ok(f"SELECT {name}"), Box()
            b.validity = talk.number(lines, rb"UIDVALIDITY (\d+)")
            b.next = talk.number(lines, rb"UIDNEXT (\d+)")
            b.modseq = talk.number(lines, rb"HIGHESTMODSEQ (\d+)")
            for line in self.client.ok("UID FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])"):
                m = re.search(rb"UID (\d+)", line), re.search(rb"FLAGS \(([^)]*)\)", line)
                ident = re.search(rb"Message-ID: (<[^>]*>)", line)
                if all(m) and ident:
                    b.items[int(m[0][1])] = (ident[1].decode(), flags_of(m[1][1].decode()))
            found[name] = b
        return found

    def settle(self, after):
        """It was broken off: all of it has happened, or nothing."""
        end = time.monotonic() + load.PATIENCE
        while True:
            try:
                found = self.look()
                break
            except load.BREAKS:
                self.client = None
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
        wrong = [self.differs(found, want) for want in (self.boxes, after)]
        if all(wrong):
            raise AssertionError(f"{self.user}: {wrong}")
        for name, b in found.items():
            b.modseq = max(b.modseq, self.boxes[name].modseq)
        self.boxes = found

    def differs(self, found, want):
        for name in BOXES:
            f, w = found[name], want[name]
            if f.items != w.items or f.next < w.next or f.modseq < w.modseq or \
                    w.validity not in (None, f.validity):
                return (name, f.validity, w.validity, f.next, w.next, f.modseq, w.modseq,
                        sorted(f.items.items() ^ w.items.items()))
        return None

    def check(self):
        """In the end: it is as he knows it, and the bodies are whole."""
        self.settle(self.boxes)
        for name in BOXES:
            imap = self.site.imap(self.user)
            imap._MAXLINE = 50000000
            imap.select(name, readonly=True)
            parts = [p[1] for p in imap.fetch("1:*", "(BODY.PEEK[])")[1] if isinstance(p, tuple)]
            assert len(parts) == len(self.boxes[name].items)
            for got in parts:
                ident = re.search(rb"Message-ID: (<[^>]*>)", got)[1].decode()
                want = text(ident, int(re.search(rb"X-Size: (\d+)", got)[1]))
                assert got == want or ident == self.first and got.endswith(b"\r\n" + want)
            imap.logout()


class Events:
    """What may happen to a store."""

    def __init__(self, site, owners, seed):
        self.site, self.rng, self.owners = site, random.Random(seed), owners
        self.all = [self.kill, self.rob, self.end, self.reload, self.move]

    def settings(self, store, on, dead, rate):
        path = self.site.cluster.conf(store)
        with open(path) as f:
            lines = re.sub(r"(?m)^compact.*\n", "", f.read())
        more = f"compact = {on}\ncompact_dead = {dead}\ncompact_rate = {rate}\n"
        with open(path, "w") as f:
            f.write(lines.replace("segment_bytes = 1M\n", "segment_bytes = 1M\n" + more))

    def any_settings(self, store):
        self.settings(store, self.rng.choice(["yes", "yes", "no"]), self.rng.choice([5, 5, 40]),
                      self.rng.choice(["0", "0", "1M", "50K"]))

    def kill(self, store):
        self.site[store].kill()
        self.site[store].start()

    def rob(self, store):
        self.site[store].kill()
        shutil.rmtree(os.path.join(self.site.cluster.dir, "data", store, "index"))
        self.site[store].start()

    def end(self, store):
        self.any_settings(store)
        self.site[store].stop()
        self.site[store].start()

    def reload(self, store):
        self.any_settings(store)
        self.site[store].signal(1)

    def move(self, store):
        user = self.rng.choice(self.owners).user
        for to in STORES:
            move(self.site, user, to, check=False)

    def ask_all_the_time(self, stop):
        """Twice: the second one is refused while the first is at work."""
        while not stop.is_set():
            for store in STORES * 2:
                self.site.cluster.ctl(store, "store", "compact", check=False)
            time.sleep(0.1)

    def happen(self):
        what, store = self.rng.choice(self.all), self.rng.choice(STORES)
        print("event", what.__name__, store)
        what(store)
        self.site.cluster.wait_settled()


def wait_until_small(site, store):
    """What is left is little more than what is alive."""
    def is_small():
        site.cluster.ctl(store, "store", "compact", check=False)
        told = space(site, store)
        assert told["damaged_segments"] == 0
        return not told["working"] and disk(site, store) < 3 * told["live_bytes"] + (6 << 20)
    c.wait_until(f"{store} to give back its disk", is_small)


def test_owners_have_what_they_know_of(greedy):
    print("SEED", SEED)
    stop, rng = threading.Event(), random.Random(SEED)
    owners = [Owner(greedy, greedy.user(STORES[i % 2]), stop, rng.random()) for i in range(4)]
    for o in owners:
        o.begin()
    events = Events(greedy, owners, rng.random())
    asking = threading.Thread(target=events.ask_all_the_time, args=[stop], daemon=True)
    asking.start()
    try:
        for _ in range(EVENTS):
            time.sleep(rng.uniform(0.2, 1.5))
            events.happen()
            assert [o.error for o in owners if o.error] == []
    finally:
        stop.set()
        for o in owners + [asking]:
            o.join(load.PATIENCE + 60)
    assert [o.error for o in owners if o.error or o.is_alive()] == []
    for o in owners:
        wait_over(greedy, o.user)
        o.check()
    for store in STORES:
        events.settings(store, "yes", 5, 0)
        greedy[store].signal(1)
    for store in STORES:
        wait_until_small(greedy, store)
    for store in STORES:
        events.rob(store)
    greedy.cluster.wait_settled()
    for o in owners:
        o.client = None
        o.check()
    print("done", [o.done for o in owners])
