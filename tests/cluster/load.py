"""Senders that never give up, and what they were told: for the tests that kill."""
import collections
import random
import re
import threading
import time

import talk

PATIENCE = 120  # seconds in which everybody who was killed serves again
BREAKS = (OSError, EOFError, AssertionError, ValueError)


class Counts:
    def __init__(self):
        self.lock = threading.Lock()
        self.sent = 0          # transactions begun, retries included
        self.attempts = collections.Counter()   # by Message-ID
        self.acknowledged = collections.defaultdict(set)  # Message-ID -> recipients
        self.permanent = []    # answers that must not come

    def begin(self, ident):
        with self.lock:
            self.sent += 1
            self.attempts[ident] += 1

    def take(self, ident, users):
        with self.lock:
            self.acknowledged[ident] |= set(users)


class Sender(threading.Thread):
    """One message after the other; each is offered until everything is acknowledged, the
    next time through another front end."""

    def __init__(self, site, counts, users, stop):
        super().__init__(daemon=True)
        self.site, self.counts, self.users, self.stop = site, counts, users, stop
        self.fronts = list(site.cluster.fronts)
        self.error = None

    def run(self):
        try:
            while not self.stop.is_set():
                self.deliver(talk.message_id())
        except Exception as e:  # noqa: BLE001  shown by the test
            self.error = e

    def deliver(self, ident):
        want = set(random.sample(self.users, random.randint(1, min(3, len(self.users)))))
        message = talk.message("x" * 60 + "\r\n" * random.randint(1, 200), ident=ident)
        turn = random.randrange(len(self.fronts))
        end = time.monotonic() + PATIENCE
        while want:
            if time.monotonic() > end:
                raise TimeoutError(f"{ident} not taken for {PATIENCE} s")
            self.counts.begin(ident)
            try:
                done = self.offer(self.fronts[turn % len(self.fronts)], message, sorted(want))
            except BREAKS:
                done = set()
            self.counts.take(ident, done)
            want -= done
            turn += 1
            if want:
                time.sleep(random.uniform(0.02, 0.1))

    def permanent(self, reply):
        if reply[0] // 100 == 5:
            with self.counts.lock:
                self.counts.permanent.append(reply)
        return reply


class SmtpSender(Sender):
    hello, service = "EHLO", "smtp"

    def offer(self, front, message, users):
        client = talk.Smtp(self.site.cluster.at(front, self.service))
        try:
            if client.ask(f"{self.hello} load.example.net")[0] != 250:
                return set()
            replies = [self.permanent(r) for r in client.envelope(*users)]
            taken = [u for u, r in zip(users, replies) if r[0] == 250]
            if not taken:
                return set()
            return self.finish(client, message, taken)
        finally:
            client.close()

    def finish(self, client, message, taken):
        reply = self.permanent(client.data(message)[0])
        return set(taken) if reply[0] == 250 else set()


class LmtpSender(SmtpSender):
    hello, service = "LHLO", "lmtp"

    def finish(self, client, message, taken):
        replies = [self.permanent(r) for r in client.data(message, len(taken))]
        return {u for u, r in zip(taken, replies) if r[0] == 250}


class Appender(Sender):
    """By IMAP. A retry may give a second copy here: IMAP has no duplicate key."""

    def deliver(self, ident):
        user = random.choice(self.users)
        front = random.choice(self.fronts)
        self.counts.begin(ident)
        try:
            client = self.site.raw_imap(user, front)
        except BREAKS:
            time.sleep(0.05)
            return
        try:
            if b" OK " in client.append("INBOX", talk.message(ident=ident))[-1]:
                self.counts.take(ident, [user])
        except BREAKS:
            pass
        finally:
            client.close()


def run(site, users, kinds, kill, rounds, pause=(0.4, 1.2)):
    """Load from `kinds` (pairs of class and number of threads) while kill() is called
    `rounds` times. Returns the counts by class."""
    stop, counts = threading.Event(), {k: Counts() for k, _ in kinds}
    threads = [k(site, counts[k], users, stop) for k, n in kinds for _ in range(n)]
    for t in threads:
        t.start()
    try:
        for _ in range(rounds):
            time.sleep(random.uniform(*pause))
            kill()
        time.sleep(pause[0])
    finally:
        stop.set()
        for t in threads:
            t.join(PATIENCE + 60)
    errors = [t.error for t in threads if t.error] + [t for t in threads if t.is_alive()]
    assert errors == []
    return counts


def find(site, user, front):
    """Message-ID -> how often it is in the user's INBOX."""
    client = site.raw_imap(user, front)
    lines = client.ok("EXAMINE INBOX")
    if talk.number(lines, rb"\* (\d+) EXISTS") > 0:
        lines = client.ok("FETCH 1:* BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]")
    client.close()
    return collections.Counter(m.decode() for line in lines
                               for m in re.findall(rb"Message-ID: (<[^>]*>)", line))


def check(site, users, counts, exactly=True):
    """Nothing acknowledged is lost; with `exactly`, nothing is there twice."""
    found = {u: find(site, u, site.cluster.fronts[i % 2]) for i, u in enumerate(users)}
    acknowledged = [(i, u) for i, us in counts.acknowledged.items() for u in us]
    lost = [(i, u) for i, u in acknowledged if found[u][i] == 0]
    twice = [(i, u, found[u][i]) for i, u in acknowledged if found[u][i] > 1]
    total = sum(n for f in found.values() for i, n in f.items() if i in counts.attempts)
    print(f"transactions {counts.sent}, messages {len(counts.attempts)}, "
          f"copies acknowledged {len(acknowledged)}, found {total}, lost {len(lost)}, "
          f"twice {len(twice)}")
    assert counts.permanent == []
    assert lost == [] and acknowledged
    if exactly:
        assert twice == [] and total == len(acknowledged)
    return len(acknowledged)
