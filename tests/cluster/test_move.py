"""A user moves from one store to the other, and the processes are killed meanwhile.

ROOST_TEST_MOVE_MESSAGES: messages in the large move (default 1000).
ROOST_TEST_KILLS: how often each process is killed (default 3)."""
import contextlib
import hashlib
import json
import os
import random
import re
import socket
import subprocess
import threading
import time

import pytest

import cluster as c
import load
import talk
from load import Appender, LmtpSender, SmtpSender
from watch import Watcher, finish

KILLS = int(os.environ.get("ROOST_TEST_KILLS", "3"))
MANY = int(os.environ.get("ROOST_TEST_MOVE_MESSAGES", "1000"))
STORES = ["store1", "store2"]
FLAGS = ["", "\\Seen", "\\Flagged $Label"]


def other(store):
    return STORES[1 - STORES.index(store)]


def local(user):
    return user.split("@")[0]


def move(own, user, to, *options, check=True):
    return own.cluster.ctl(other(to), "--json", "move", "user", user, "to", to, *options,
                           check=check)


def wait_over(own, user):
    """Until no store has the move in hand."""
    def over():
        for store in STORES:
            done = own.cluster.ctl(store, "--json", "move", "status", user, check=False)
            if done.returncode != 0:
                return False
            for s in json.loads(done.stdout)["stores"]:
                if any(not m["over"] for m in s["moves"]):
                    return False
        return True
    c.wait_until(f"the end of the move of {user}", over)


def digest(own, user, front="fe1"):
    """Everything a client can see of all his mailboxes."""
    imap = own.imap(user, front)
    imap._MAXLINE = 50000000
    boxes = sorted(re.sub(rb'^\(.*?\) "/" ', b"", line).decode().strip('"')
                   for line in imap.list()[1] if b"Other Users" not in line and b"Shared" not in line)
    sums = {}
    for box in boxes:
        status = imap.status(f'"{box}"', "(MESSAGES UIDNEXT UIDVALIDITY UNSEEN HIGHESTMODSEQ)")[1]
        imap.select(f'"{box}"', readonly=True)
        h = hashlib.sha256()
        for part in imap.uid("FETCH", "1:*", "(UID FLAGS INTERNALDATE MODSEQ BODY.PEEK[])")[1]:
            for piece in part if isinstance(part, tuple) else [part or b""]:
                h.update(re.sub(rb"^\d+ ", b"", piece).replace(rb"\Recent", b"").replace(b"( ", b"("))
        sums[box] = (status[-1], h.hexdigest())
        imap.close()
    sums["subscribed"] = sorted(imap.lsub()[1])
    sums["acl"] = imap.getacl("INBOX")[1]
    imap.logout()
    return sums


def fill(own, user, count):
    client = own.raw_imap(user)
    for i in range(0, count, 50):
        box = ["INBOX", "Sent", "INBOX"][i // 50 % 3]
        for k in range(i, min(i + 50, count)):
            client.append(box, talk.message(body=f"number {k}\r\n" * (1 + k % 20)),
                          how="(" + FLAGS[k % 3] + ") ")
    client.ok("SELECT INBOX")
    client.ok("STORE 1:5 +FLAGS (\\Deleted)")
    client.ok("EXPUNGE")
    client.ok("CREATE Deep/er/most")
    client.ok("SUBSCRIBE Deep/er/most")
    client.ok("COPY 1:3 Deep/er/most")
    client.close()


def test_everything_is_the_same_and_comes_back(own):
    user = own.user("store1")
    fill(own, user, MANY)
    before = digest(own, user)
    for to in ["store2", "store1", "store2"]:
        told = json.loads(move(own, user, to).stdout)
        assert told["moved"], told
        print("moved", told)
        for front in ["fe1", "fe2"]:
            assert digest(own, user, front) == before
    own.send(user)
    assert own.raw_imap(user).ok("SELECT INBOX")


def test_what_cannot_be_is_said(own):
    user = own.user("store1")
    for store, says in (("store1", "already"), ("store9", "no cluster port")):
        for more in ((), ("--dry-run",)):
            done = own.cluster.ctl("store1", "move", "user", user, "to", store, *more, check=False)
            assert done.returncode == 1 and says in done.stderr, (store, more, done)
    assert own.cluster.ctl("store1", "move", "user", "nobody@" + own.domain, "to", "store2",
                           check=False).returncode == 75  # a store cannot know all names
    assert own.cluster.ctl("store1", "move", "user", user, "store2", "--dry-run").returncode == 0
    own["store2"].stop()
    gone = move(own, user, "store2", check=False)
    assert gone.returncode == 1 and "everything is as it was" in gone.stderr, gone.stderr
    own.send(user)
    own["store2"].start()
    own.cluster.wait_settled()
    assert json.loads(move(own, user, "store2").stdout)["moved"]


def test_a_client_in_idle_is_sent_away_and_comes_again(own):
    user = own.user("store1")
    client = own.raw_imap(user, select="INBOX")
    client.send(b"a IDLE\r\n")
    assert client.line().startswith(b"+")
    assert json.loads(move(own, user, "store2").stdout)["moved"]
    while True:
        line = client.line()
        if not line or line.startswith(b"* BYE"):
            break
    sent = own.send(user)
    ident = re.search(rb"Message-ID: (\S+)", sent if isinstance(sent, bytes) else sent.encode())
    assert own.count(user, ident.group(1).decode()) == 1


def test_a_kept_copy_is_hidden_and_can_be_dropped(own):
    user = own.user("store1")
    own.send(user)
    before = digest(own, user)
    assert json.loads(move(own, user, "store2", "--keep").stdout)["moved"]
    assert digest(own, user) == before
    assert "kept" in own.cluster.ctl("store1", "move", "status", user).stdout
    back = move(own, user, "store1", check=False)
    assert back.returncode == 1, back.stdout
    own.cluster.ctl("store1", "move", "drop", user)
    wait_over(own, user)
    assert json.loads(move(own, user, "store1").stdout)["moved"]
    assert digest(own, user) == before


def outer_address():
    """An address of this host that is not loopback, or None."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.connect(("192.0.2.1", 9))
            ip = s.getsockname()[0]
        except OSError:
            return None
    return None if ip.startswith("127.") else ip


def put_on_tls(own, ip, tls_name):
    """The cluster ports away from loopback: TLS with certificates on both sides."""
    # below those that the kernel gives away, and nobody else's: the network is ours
    ports = {store: 20000 + 10 * own.cluster.net + i for i, store in enumerate(STORES)}
    for host in STORES:
        path = own.cluster.conf(host)
        text = open(path).read()
        text = re.sub(r"cluster_listen = .*", f"cluster_listen = {ip}:{ports[host]}", text)
        for store in STORES:
            text = re.sub(rf"(?s)(\[server {store}\].*?)cluster = [^\n]*(\ntls_name = [^\n]*)?",
                          rf"\1cluster = {ip}:{ports[store]}\ntls_name = {tls_name}", text)
        open(path, "w").write(text)
        own[host].stop()
        own[host].start()
    own.cluster.wait_settled()


def test_stores_on_other_hosts_show_certificates(own):
    ip = outer_address()
    if ip is None:
        pytest.skip("this host has no address but loopback")
    user = own.user("store1")
    own.send(user)
    before = digest(own, user)
    put_on_tls(own, ip, "another.example.net")
    refused = move(own, user, "store2", check=False)
    assert refused.returncode == 1 and "TLS failed" in refused.stderr, refused.stderr
    put_on_tls(own, ip, "mail.example.org")
    assert json.loads(move(own, user, "store2").stdout)["moved"]
    c.wait_until("the line that says so", lambda: "tls=1" in open(own["store2"].log).read())
    assert digest(own, user) == before


class Mover(threading.Thread):
    """Moves the users to and fro until told to stop."""

    def __init__(self, own, users):
        super().__init__(daemon=True)
        self.own, self.users, self.stop, self.moves = own, users, threading.Event(), 0
        self.others, self.said = 0, ""

    def run(self):
        while not self.stop.is_set():
            user = random.choice(self.users)
            for store in STORES:
                done = self.own.cluster.ctl(store, "--json", "--timeout", "5", "move", "user",
                                            user, "to", other(store), check=False)
                if done.returncode == 0:
                    self.moves += 1
                    break
                self.others += 1
                self.said = done.stderr


@pytest.mark.parametrize("victim", ["store1", "store2", "master"])
def test_moves_survive_sigkill_of(own, victim):
    users = [own.user(f"store{i % 2 + 1}") for i in range(4)]
    friend, stop = own.user("store1"), threading.Event()
    for user in users:
        fill(own, user, 60)
        with contextlib.closing(own.raw_imap(user)) as client:
            client.ok(f"SETACL Deep/er/most {friend} lr")
    wanted = [('LIST "" *', {f"Other Users/{local(user)}/Deep/er/most" for user in users})]
    watchers = [Watcher(own, stop, friend, front, wanted, patient=True)
                for front in own.cluster.fronts]
    mover = Mover(own, users)

    def kill():
        own[victim].kill()
        time.sleep(random.uniform(0, 0.5))
        own[victim].start()

    for t in [mover, *watchers]:
        t.start()
    try:
        counts = load.run(own, users, [(SmtpSender, 2), (LmtpSender, 2), (Appender, 1)], kill,
                          KILLS)
        c.wait_until("a move", lambda: mover.moves > 0 or not mover.is_alive())
    finally:
        mover.stop.set()
        mover.join()
    finish(watchers, stop, lists=1)
    own.cluster.wait_settled()
    for user in users:
        wait_over(own, user)
    own.cluster.wait_settled()
    print("moves", mover.moves, "refused or undone", mover.others)
    assert mover.moves > 0, mover.said
    for kind, n in counts.items():
        assert load.check(own, users, n, exactly=kind is not Appender) > 0
    for user in users:
        one_true_copy(own, user)


@pytest.mark.parametrize("role", ["source", "target", "master"])
def test_a_move_killed_at_ten_points(own, role):
    """The process dies after growing times; each time one store has him as he was."""
    user = own.user("store1")
    fill(own, user, 400)
    before = digest(own, user)
    here, ends = "store1", []
    for i in range(10):
        victim = {"source": here, "target": other(here), "master": "master"}[role]
        child = subprocess.Popen([os.path.join(own.cluster.bin, "roostctl"), "--config",
                                  own.cluster.conf(here), "--timeout", "2", "move", "user", user,
                                  "to", other(here)], stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT)
        time.sleep(0.015 * i)
        own[victim].kill()
        own[victim].start()
        child.communicate(timeout=load.PATIENCE)
        own.cluster.wait_settled()
        wait_over(own, user)
        own.cluster.wait_settled()
        here = where(own, user)
        ends.append(here)
        assert digest(own, user) == before, (i, ends)
    print(role, "ends", ends)
    one_true_copy(own, user)


def where(own, user):
    """The one store that has his mailboxes."""
    having = []
    for store in STORES:
        said = json.loads(own.cluster.ctl(store, "--json", "mailbox", "list",
                                          f"user.{local(user)}", check=False).stdout)
        if any(m["mailbox"] == f"user.{local(user)}" for m in said["mailboxes"]):
            having.append(store)
    assert len(having) == 1, having
    return having[0]


def one_true_copy(own, user):
    """His mailboxes are on one store, and can be moved from there."""
    here = where(own, user)
    before = digest(own, user)
    assert json.loads(move(own, user, other(here)).stdout)["moved"]
    assert digest(own, user) == before
