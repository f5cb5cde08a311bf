"""Every process killed: each one in turn and in pairs, whole programs and single processes of
them, at random moments, under SMTP, LMTP, IMAP and POP3 load; against a model of what must
be there. ROOST_TEST_KILLS: how many kills (default 6)."""
import collections
import itertools
import os
import random
import signal
import threading
import time

import cluster as c
import load
from cluster import tree
from load import LmtpSender, SmtpSender
from model import ImapClient, Pop3Client
from test_kill import ALL

KILLS = int(os.environ.get("ROOST_TEST_KILLS", "6"))


class Killer:
    """Victims in turn and pairs of them, again and again; of the single ones every third
    loses only one child, which its supervisor has to replace."""

    def __init__(self, site, kills):
        self.site, self.kills, self.by_name = site, 0, collections.Counter()
        pairs = list(itertools.combinations(ALL, 2))
        random.shuffle(pairs)
        self.plan = []
        for victims in itertools.cycle([(n,) for n in ALL] + pairs):
            if sum(map(len, self.plan)) >= kills:
                break
            self.plan.append(victims)
        self.rounds = len(self.plan)

    def __call__(self):
        victims = self.plan.pop(0)
        if len(victims) == 1 and self.kills % 3 == 2:
            self.kill_child(victims[0])
            return
        for name in victims:
            self.site[name].kill()
            self.count(name)
            time.sleep(random.choice([0, random.uniform(0, 0.2)]))
        time.sleep(random.uniform(0, 0.4))
        for name in random.sample(victims, len(victims)):
            self.site[name].start()

    def kill_child(self, name):
        children = tree(self.site[name].pid())[1:]
        try:
            os.kill(random.choice(children), signal.SIGKILL)
        except ProcessLookupError:
            return
        self.count(name + " (a child)")

    def count(self, name):
        self.kills += 1
        self.by_name[name] += 1


def test_every_process_killed(own):
    users = [own.user(f"store{i % 2 + 1}") for i in range(6)]
    for user in users[:4]:
        client = own.raw_imap(user)
        client.ok("CREATE Model")
        client.close()
    stop = threading.Event()
    clients = [ImapClient(own, u, stop) for u in users[:4]]
    clients += [Pop3Client(own, u, stop) for u in users[4:]]
    for client in clients:
        client.start()
    killer = Killer(own, KILLS)
    try:
        counts = load.run(own, users, [(SmtpSender, 2), (LmtpSender, 2)], killer,
                          killer.rounds, pause=(0.1, 0.9))
    finally:
        stop.set()
        for client in clients:
            client.join(load.PATIENCE)
    own.cluster.wait_settled()
    print(f"{killer.kills} kills: {dict(killer.by_name)}")
    for kind, n in counts.items():
        print(kind.__name__, end=": ")
        assert load.check(own, users, n) > 0
    for client in clients:
        assert client.error is None, (client.user, client.error)
        assert not client.is_alive()
    # once more, with everybody there
    for client in clients:
        before = client.sessions
        c.wait_until(f"{client.user} to be served again",
                     lambda: client.once() or client.sessions > before)
    looks = [x for x in clients if isinstance(x, ImapClient)]
    print(f"IMAP: {sum(x.sessions for x in looks)} sessions compared, "
          f"{sum(x.breaks for x in looks)} broken, "
          f"{sum(len(x.folder.messages) + len(x.folder.gone) for x in looks)} messages "
          f"appended, {sum(len(x.folder.gone) for x in looks)} expunged")
    pops = [x for x in clients if isinstance(x, Pop3Client)]
    print(f"POP3: {sum(x.sessions for x in pops)} sessions compared, "
          f"{sum(x.breaks for x in pops)} broken")
