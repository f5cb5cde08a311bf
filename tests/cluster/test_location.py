"""The location service against peers that mean no good, and hosts that fail: what the master is
told and by whom, full disks, killed and stopped processes, lists that are damaged or old."""
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time

import pytest

import cluster as c
import talk
from cluster import tree
from conftest import make_site
from sasl import Protocol, Scram, b64
from world import Site, frozen

LOGIN_SECONDS = 8
SESSIONS = 200
DROPPED = "roost_mupdate_subscribers_dropped_total"


class Hostile(c.Cluster):
    def program_settings(self, host):
        lines = super().program_settings(host)
        if host == "master":
            lines += [f"login_timeout = {LOGIN_SECONDS}s", "stall_timeout = 2s",
                      f"session_max = {SESSIONS}"]
        return lines


@pytest.fixture(scope="module")
def site(failures):
    yield from make_site(failures, lambda work, net: Site(work, net, Hostile))


def peer(site, name="store1", **more):
    return talk.Mupdate(site.cluster.at("master", "mupdate"), name, site.cluster.secrets[name],
                        **more)


@pytest.fixture
def master(site):
    client = peer(site)
    yield client
    client.close()


def literal(data):
    data = data.encode() if isinstance(data, str) else data
    return b"{%d+}\r\n%s" % (len(data), data)


def activate(client, name, acl=b"", tag="a", server="store1"):
    """The last line of the answer."""
    return client.ask(b"%s ACTIVATE %s \"%s!default\" %s \"\"" % (
        tag.encode(), literal(name), server.encode(), literal(acl)))[-1]


def long_acl(octets):
    pairs = b"".join(b"u%06d\tl\t" % i for i in range(octets // 10 + 1))
    return pairs[:octets - octets % 10]


def memory(site, name):
    """Of all its processes, in KB."""
    total = 0
    for pid in tree(site[name].pid()):
        with open(f"/proc/{pid}/status") as f:
            total += int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))
    return total


def stopped(site, name):
    return frozen(tree(site[name].pid()))


# ---- what is said on the wire -------------------------------------------------------------

GOOD_NAMES = [b"a" * 490, b'quo"te', b"back\\slash", b"per%cent", b"st*r", b"with a space",
              b"x!user.a.b^c", b"user.{5}"]
BAD_NAMES = [b"a" * 491, b"a" * 60000, b"", b"\xe9\xe8", "ü".encode(), b"nul\0", b"tab\t",
             b"cr\r", b"lf\n", b".a", b"a.", b"a..b", b"!a", b"a!", b"a!b!c", b"\x7f"]


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_names_that_can_be(site, master, name):
    assert activate(master, name).startswith(b"a OK")
    found = master.ask(b"f FIND " + literal(name))
    assert len(found) == 2 and literal(name) in found[0]
    c.wait_until("the replicas to have it", lambda: all(
        explain(site, host, name) == "found" for host in site.cluster.fronts))
    assert master.ask(b"d DELETE " + literal(name))[-1].startswith(b"d OK")


def explain(site, host, name):
    """What the replica of a host says of a name."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(os.path.join(site.cluster.dir, "run", host, "roost-mupdate.ctl"))
        s.sendall(json.dumps({"cmd": "explain", "mailbox": name.decode()}).encode() + b"\n")
        return json.loads(s.makefile().readline())["found"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_cannot_be(master, name):
    assert b"NO" in activate(master, name)
    assert b"NO" in master.ask(b"r RESERVE " + literal(name) + b" \"store1!default\" \"\"")[-1]
    assert b"NO" in master.ask(b"d DELETE " + literal(name))[-1]
    assert master.ask(b"f FIND " + literal(name)) == [b'f OK "Search completed"']


def test_acls_as_long_as_they_may_be_and_longer(site):
    client = peer(site)
    assert activate(client, "long", long_acl(65530)).startswith(b"a OK")
    assert client.ask(b'b ACTIVATE "long" "store1!" {65537}') == [b'b BAD "Literal too big"']
    with contextlib.suppress(ConnectionError):
        client.send(b'c ACTIVATE "long" "store1!" ' + literal(long_acl(70000)) + b' ""\r\n')
    assert client.is_closed()
    client = peer(site)
    assert long_acl(65530) in client.ask('f FIND "long"')[0]
    assert client.ask('d DELETE "long"')[-1].startswith(b"d OK")
    client.close()


@pytest.mark.parametrize("line", [
    b"", b" ", b"a", b"a ", b"a b c", b"* NOOP", b'"a" NOOP', b"a {4+}\r\nNOOP", b"a NOOP x",
    b'a NOOP "x"', b"a FIND", b"a FIND atom", b'a FIND "half', b'a FIND "a" "b"', b"a LIST a",
    b'a ACTIVATE "a"', b'a ACTIVATE "a" "b" "c" "d" "e"', b"a FIND {}", b"a FIND {x}",
    b"a FIND {99999999999}", b"a FIND {-1}", b"a UPDATE SINCE", b'a UPDATE SINCE "00"',
    b'a UPDATE SINCE "00" "x"', b'a UPDATE SINCE "00" "99999999999999999999"', b'a UPDATE ""',
    b'a ROOST "2" "roost" "0"', b'a ROOST "1" "roost" "-1"', b"a STARTTLS x",
    b'a AUTHENTICATE "PLAIN"', b"\xff\xfe", b"a \0", b"t" * 65 + b" NOOP", b"a " + b"x" * 9000,
    b"a " + b"\"x\" " * 60, b"a BOGUS", b"a find \"a\r\"", b"a NOOP\n"])
def test_lines_that_make_no_sense(master, line):
    master.send(line + b"\r\n")
    while b"BAD" not in (answer := master.response()):
        assert answer.startswith(b"+")
    assert master.ask("n NOOP")[-1].startswith(b"n OK")


def test_many_commands_in_one_write(master):
    count, acl = 2000, long_acl(60000)
    words = [b"NOOP", b'FIND "many"', b'RESERVE "many.x" "store1!" ""', b'DELETE "many.x"']
    assert activate(master, "many", acl).startswith(b"a OK")
    said = b"".join(b"t%d %s\r\n" % (i, words[i % len(words)]) for i in range(count))
    sender = threading.Thread(target=master.send, args=(said,))
    sender.start()
    for i in range(count):
        answer = master.finish(b"t%d" % i)
        assert answer[-1].startswith(b"t%d OK" % i)
        assert i % 4 != 1 or acl in answer[0]
    sender.join()
    assert master.ask('d DELETE "many"')[-1].startswith(b"d OK")


# ---- logins -----------------------------------------------------------------------------------

def login_part(site, how, steps):
    """So many steps of a login; the connection."""
    p = Protocol(site, "master", "mupdate")
    while not p.client.line().startswith(b"* OK"):
        pass
    mech = Scram("store1", site.cluster.secrets["store1"])
    said = {"plain": [lambda: p.begin("PLAIN"), lambda: p.client.send("AHN0b3Jl")],
            "login": [lambda: p.begin("LOGIN"), lambda: p.answer("store1")],
            "scram": [lambda: p.begin("SCRAM-SHA-256"), lambda: p.answer(mech.first()),
                      lambda: p.answer(mech.final(p.challenge().decode()))]}[how]
    for step in said[:steps]:
        step()
    return p.client


HALVES = [("plain", 1), ("plain", 2), ("login", 1), ("login", 2), ("scram", 1), ("scram", 2),
          ("scram", 3), ("plain", 0)]


def test_half_a_login_by_each_mechanism(site):
    """Broken off, hundreds of times; held open, closed in time; given up, begun again."""
    before = memory(site, "master")
    for _ in range(40):
        for how, steps in HALVES:
            login_part(site, how, steps).close()
    held = [login_part(site, how, steps) for how, steps in HALVES]
    held.append(login_part(site, "plain", 0))
    assert held[-1].say("s STARTTLS").startswith(b"s OK")  # and no handshake
    start = time.monotonic()
    for client in held:
        assert client.is_closed(2 * LOGIN_SECONDS)
        client.close()
    assert time.monotonic() - start < 2 * LOGIN_SECONDS  # a minute, where nothing is set
    for how, steps in HALVES[:-1]:
        client = login_part(site, how, steps)
        if (how, steps) != ("plain", 2):
            assert client.say("*").startswith(b"a NO")
            word = b64("\0store1\0" + site.cluster.secrets["store1"]).decode()
            assert client.say(f'b AUTHENTICATE "PLAIN" "{word}"').startswith(b"b OK")
        client.close()
    assert memory(site, "master") < before + 20000
    peer(site).close()


def test_a_crowd_that_says_nothing_keeps_nobody_out(site):
    """More than there may be sessions. Who is logged in stays; stores and replicas come in."""
    stays = peer(site)
    crowd = []
    for _ in range(3 * SESSIONS):
        crowd.append(socket.create_connection(site.cluster.at("master", "mupdate"), timeout=30))
    peer(site).close()
    site["fe1-replica"].kill()
    site["fe1-replica"].start()
    c.wait_until("the replica", lambda: site.cluster.is_settled("fe1"), LOGIN_SECONDS - 1)
    assert stays.ask("n NOOP")[-1].startswith(b"n OK")
    for s in crowd:
        s.close()
    stays.close()


# ---- subscribers -------------------------------------------------------------------------------

def test_subscribers_that_take_nothing(site, master):
    """They are dropped, and the master does not grow; who comes again hears what it missed."""
    for i in range(20):
        assert activate(master, f"big.n{i}", long_acl(60000)).startswith(b"a OK")
    history, revision, term = [w.decode().strip('"') for w in master.hello[0].split()[3:6]]
    deaf = [peer(site, "replica", term=term) for _ in range(50)]
    for client in deaf:
        client.send("u UPDATE\r\n")
    before = memory(site, "master")
    dropped = site.cluster.metric("master", DROPPED)
    for i in range(200):
        assert activate(master, f"big.n{i % 20}", long_acl(59990 - 10 * (i % 7))).startswith(b"a OK")
    assert memory(site, "master") < before + 60000
    c.wait_until("the end of their time",  # nothing is read before: who takes a bit may stay
                 lambda: site.cluster.metric("master", DROPPED) >= dropped + len(deaf))
    for client in deaf:
        assert client.is_closed()
        client.close()
    again = peer(site, "replica", term=term)
    again.send(f'u UPDATE SINCE "{history}" "{int(revision) + 220 - 5}"\r\n')
    lines = again.finish(b"u")
    assert lines[0].startswith(b'u STREAM "difference"') and len(lines) == 7
    again.close()
    for i in range(20):
        assert master.ask(f'd DELETE "big.n{i}"')[-1].startswith(b"d OK")


# ---- the master's disk -------------------------------------------------------------------------

class OnSmallDisk(c.Cluster):
    """The master's list is on a disk of its own."""
    folder = "master"

    def path(self):
        return os.path.join(self.dir, "data", self.folder)

    def disk(self, size, how="remount,"):
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"{how}size={size}", "tmpfs", self.path()],
                       check=True)

    def prepare(self):
        super().prepare()
        os.makedirs(self.path())
        self.disk("3m", how="")

    def stop(self):
        super().stop()
        subprocess.run(["umount", self.path()], check=False)


class ReplicaOnSmallDisk(OnSmallDisk):
    """And the master remembers few changes: who was away for more takes the whole list."""
    folder = "fe2-location"

    def program_settings(self, host):
        return super().program_settings(host) + (["log_changes = 100"] if host == "master" else [])


def on_small_disk(failures, kind):
    if os.geteuid() != 0:
        pytest.skip("needs root, for a small disk")
    yield from make_site(failures, lambda work, net: Site(work, net, kind))


@pytest.fixture
def small_disk(failures):
    yield from on_small_disk(failures, OnSmallDisk)


@pytest.fixture
def small_replica(failures):
    yield from on_small_disk(failures, ReplicaOnSmallDisk)


def test_a_full_disk_at_the_master(small_disk):
    site = small_disk
    user = site.user("store1")
    mail = site.raw_imap(user)
    client = peer(site)
    taken = 0
    while taken < 200 and activate(client, f"fill.n{taken}", long_acl(60000)).startswith(b"a OK"):
        taken += 1
    assert 3 < taken < 200
    # refused, reads go on
    assert b"[LATER]" in activate(client, "fill.more", long_acl(60000))
    assert len(client.ask('f FIND "fill.n1"')) == 2
    assert client.ask('f FIND "fill.more"') == [b'f OK "Search completed"']
    assert client.ask("n NOOP")[-1].startswith(b"n OK")
    used = os.path.join(site.cluster.dir, "data", "master", "used")
    with contextlib.suppress(OSError), open(used, "wb", buffering=0) as f:
        while f.write(b"x" * 512):
            pass
    refused = None
    for i in range(100):
        refused = mail.run(f"CREATE folder{i}")[-1]
        if b" OK" not in refused:
            break
    assert refused is None or b" OK" in refused or b"[UNAVAILABLE]" in refused, refused
    mail.ok("SELECT INBOX")
    site.send(user)
    assert "No space left on device" in open(site["master"].log).read()
    # room again
    os.unlink(used)
    site.cluster.disk("64m")
    assert activate(client, "fill.more", long_acl(60000)).startswith(b"a OK")
    c.wait_until("CREATE to work", lambda: b" OK" in mail.run("CREATE more")[-1])
    assert site["master"].pid() and "died" not in open(site["master"].log).read()
    client.close()
    mail.close()


def test_a_full_disk_at_a_replica(small_replica):
    """Its front ends go on with what they know; in changes, at a start, and in a whole list."""
    site = small_replica
    known = site.user("store1")
    site.cluster.wait_settled()
    client = peer(site)

    def full(name, count):
        for i in range(count):
            assert activate(client, f"{name}{i}", long_acl(60000)).startswith(b"a OK")
        new = site.user("store1")
        c.wait_until("the disk to be full", lambda: "No space left" in site.cluster.ctl(
            "fe2", "status", check=False).stdout)
        assert codes(site, [known], "fe2") == codes(site, [new]) == {250}
        assert codes(site, [new], "fe2") == {451}
        return new
    full("first.n", 20)
    site["fe2-replica"].kill()
    site["fe2-replica"].start()
    full("more.n", 1)
    site["fe2-replica"].stop()
    for i in range(120):
        assert activate(client, "often", b"u%d\tl\t" % i).startswith(b"a OK")
    site["fe2-replica"].start()
    new = full("again.n", 1)
    site.cluster.disk("200m")
    site.cluster.wait_settled()
    assert codes(site, [known, new], "fe2") == {250}
    assert "child_died" not in open(site["fe2-replica"].log).read()
    client.close()


# ---- a master that dies ------------------------------------------------------------------------

def test_what_the_master_said_yes_to_survives_sigkill(own):
    """Killed in the middle of changes that are pipelined: what had its OK is there, what had
    none may be."""
    log_before = os.path.getsize(own["master"].log)
    for round_number, pause in enumerate((0, 0.005, 0.02, 0.05)):
        client = peer(own)
        names = [f"kill.r{round_number}n{i}" for i in range(3000)]
        said = b"".join(b't%d ACTIVATE "%s" "store1!" "" ""\r\n' % (i, n.encode())
                        for i, n in enumerate(names))

        def say(client=client, said=said):
            with contextlib.suppress(OSError):
                client.send(said)
        sender = threading.Thread(target=say)
        sender.start()
        time.sleep(pause)
        own["master"].kill()
        answered = 0
        with contextlib.suppress(ConnectionError):
            while (line := client.response()) != b"":
                answered += b" OK " in line
        sender.join()
        client.close()
        own["master"].start()
        client = peer(own)
        there = [len(client.ask(f'f FIND "{n}"')) == 2 for n in names]
        assert all(there[:answered]), answered
        assert there == sorted(there, reverse=True)  # none without those before it
        client.close()
    own.cluster.wait_settled()
    with open(own["master"].log) as f:
        f.seek(log_before)
        assert "event=map.old" not in f.read()  # it is no old copy


def test_an_old_copy_of_the_list(own):
    """A master that comes back with a backup: front ends go on with what they know."""
    path = os.path.join(own.cluster.dir, "data", "master", "data.mdb")
    own["master"].stop()
    shutil.copy(path, path + ".kept")
    own["master"].start()
    own.cluster.wait_settled()
    user = own.user("store2")
    mail = own.raw_imap(user)
    mail.ok("CREATE later")
    own.cluster.wait_settled()
    own["master"].kill()
    shutil.copy(path + ".kept", path)
    own["master"].start()
    for front in own.cluster.fronts:
        for _ in range(20):
            assert own.raw_smtp(front).envelope(user)[0][0] == 250
            mail.ok("STATUS later (MESSAGES)")
    own.cluster.wait_settled()
    assert "event=map.old" in open(own["master"].log).read()
    assert len(peer(own).ask(f'f FIND "user.{user.split("@")[0]}.later"')) == 2
    mail.ok("CREATE much-later")
    mail.close()


def test_a_second_master_on_the_same_list_does_not_start(own):
    """By a settings file that somebody copied. The first one goes on."""
    etc = os.path.join(own.cluster.dir, "etc")
    with open(os.path.join(etc, "master.conf")) as f:
        text = f.read().replace(own.cluster.ip("master"), own.cluster.ip("master") + "0")
    run = os.path.join(own.cluster.dir, "run", "second")
    os.makedirs(run)
    text = re.sub(r"(?m)^(run_dir) = .*", rf"\1 = {run}", text)
    text = re.sub(r"(?m)^(location_socket) = .*", rf"\1 = {run}/location.sock", text)
    with open(os.path.join(run, "second.conf"), "w") as f:
        f.write(text)
    done = subprocess.run([os.path.join(own.cluster.bin, "roost-mupdate"), "--config", f.name],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 71 and "another roost-mupdate works on this list" in done.stderr
    client = peer(own)
    assert activate(client, "still.here").startswith(b"a OK")
    assert client.ask('d DELETE "still.here"')[-1].startswith(b"d OK")
    client.close()


# ---- a replica's list -----------------------------------------------------------------------------

def fill(path, start, end, byte):
    with open(path, "r+b") as f:
        f.seek(start)
        f.write(byte * (end - start))


def size(path):
    return os.path.getsize(path)


def cut(path, keep):
    os.truncate(path, keep)


DAMAGE = {
    "cut behind the second page": lambda data, lock: cut(data, 8192),
    "cut in the middle": lambda data, lock: cut(data, size(data) // 2),
    "empty": lambda data, lock: cut(data, 0),
    "zeros in the middle": lambda data, lock: fill(data, size(data) // 3, size(data) // 2, b"\0"),
    "all zeros": lambda data, lock: fill(data, 0, size(data), b"\0"),
    "something else": lambda data, lock: fill(data, 8192, size(data), b"\xa5"),
    "of another version": lambda data, lock: (fill(data, 20, 21, b"\7"),
                                              fill(data, 4116, 4117, b"\7")),
    "locks of something else": lambda data, lock: fill(lock, 0, size(lock), b"\xa5"),
    "locks that are none": lambda data, lock: fill(lock, 64, size(lock), b"\xa5"),
    "locks without their end": lambda data, lock: cut(lock, size(lock) // 2),
    "empty locks": lambda data, lock: cut(lock, 0),
    "locks that are gone": lambda data, lock: os.unlink(lock),
    "gone": lambda data, lock: (os.unlink(data), os.unlink(lock)),
}
# LMDB reads what tells the version when it opens the file, and never again; of a file that is
# empty or not there is nothing to keep; locks are made anew by who opens the file first.
NOTHING_KEPT = {("of another version", "in use"), ("empty", "in use"),
                ("empty", "while it is away"), ("gone", "in use"), ("gone", "while it is away"),
                ("locks without their end", "while it is away"),
                ("empty locks", "while it is away"), ("locks that are gone", "while it is away")}


@pytest.fixture(scope="module")
def many(own):
    """Enough names for a list of many pages; users on both stores."""
    client = peer(own)
    for i in range(3000):
        client.send(f't{i} ACTIVATE "many.n{i:05}" "store1!" "anyone\tlr\t" ""\r\n')
    assert client.finish(b"t2999")[-1].startswith(b"t2999 OK")
    client.close()
    own.cluster.wait_settled()
    return [own.user("store1"), own.user("store2")]


def codes(own, users, front="fe1"):
    got = set()
    for user in users:
        with contextlib.closing(own.raw_smtp(front)) as client:
            got.add(client.envelope(user)[0][0])
    return got


def known_soon(own, user, front):
    """At once, or "later" when a barrier took more than a second; never unknown."""
    end = time.monotonic() + 60
    while (got := codes(own, [user], front)) != {250}:
        assert got <= {250, 451}
        assert time.monotonic() < end, f"{user} is not known at {front}"
        time.sleep(0.2)


def imap_soon(own, *where):
    """A worker that found no list looks again after a moment, and says "later" till then."""
    end = time.monotonic() + 60
    while True:
        try:
            return own.raw_imap(*where)
        except AssertionError as why:
            assert "UNAVAILABLE" in str(why) and time.monotonic() < end, why
            time.sleep(0.2)


@pytest.mark.parametrize("when", ["in use", "while it is away"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_list_is_later_and_heals(own, many, damage, when):
    """Front ends know, or say "later", and none of their processes dies of it; the replica finds
    it and takes the list anew."""
    folder = os.path.join(own.cluster.dir, "data", "fe1-location")
    data, lock = os.path.join(folder, "data.mdb"), os.path.join(folder, "lock.mdb")
    c.wait_until("each worker to have the list", lambda: codes(own, 12 * many) == {250})
    client = imap_soon(own, many[0], "fe1", "INBOX")
    if when != "in use":
        own["fe1-replica"].stop()
    DAMAGE[damage](data, lock)
    assert codes(own, many) <= {250, 451}
    assert b" BAD " not in client.run('LIST "" "Shared Folders/%"')[-1]
    client.ok("FETCH 1:* FLAGS")
    if when != "in use":
        own["fe1-replica"].start()
    c.wait_until("the list", lambda: codes(own, many) == {250} and own.cluster.is_settled("fe1"))
    if (damage, when) not in NOTHING_KEPT:
        c.wait_until("the old one to be kept aside", lambda: os.path.exists(
            os.path.join(folder, "damaged.data.mdb")))
        assert "event=map.damaged" in open(own["fe1-replica"].log).read()
    own.cluster.wait_settled()
    client.ok("FETCH 1:* FLAGS")  # the same session, in the same process
    client.close()
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(folder, "damaged.data.mdb"))
    known_soon(own, own.user("store1"), "fe1")


def test_a_good_list_outlives_whoever_kills_its_replica(own, many):
    """By a person or for want of memory, time after time, and no master to have it from once more:
    each front end goes on with the list it has."""
    data = os.path.join(own.cluster.dir, "data", "fe1-location", "data.mdb")
    inode = os.stat(data).st_ino
    c.wait_until("each worker to have the list", lambda: codes(own, 12 * many) == {250})
    own["master"].stop()
    for _ in range(6):
        own["fe1-replica"].kill()
        own["fe1-replica"].start()
        assert codes(own, 12 * many) == {250}
    own["master"].start()
    own.cluster.wait_settled()
    assert os.stat(data).st_ino == inode
    assert "event=map.kept" in open(own["fe1-replica"].log).read()
    known_soon(own, own.user("store1"), "fe1")


# ---- barriers over two front ends ------------------------------------------------------------------

def test_own_changes_are_seen_on_the_other_front_end_or_it_says_later(own, many):
    one, two = imap_soon(own, many[0], "fe1"), imap_soon(own, many[0], "fe2")
    for i in range(20):
        one.ok(f"CREATE own{i}")
        two.ok(f"SELECT own{i}")
        known_soon(own, own.user("store2"), "fe2")
    for name in ("fe2-replica", "master"):
        with stopped(own, name):
            start = time.monotonic()
            miss = two.run('STATUS "Shared Folders/many/nothing" (MESSAGES)')[-1]
            assert b"[UNAVAILABLE]" in miss, miss
            assert time.monotonic() - start < 5  # a barrier has a second
            start = time.monotonic()
            two.ok("STATUS own1 (MESSAGES)")
            two.ok('LIST "" *')
            assert time.monotonic() - start < 10  # one more for each
            if name == "fe2-replica":
                fresh = own.user("store1")
                assert codes(own, [fresh], "fe2") == {451}
                assert codes(own, [fresh], "fe1") == {250}
        own.cluster.wait_settled()
        if name == "fe2-replica":
            known_soon(own, fresh, "fe2")
    one.close()
    two.close()


# ---- what a person does ------------------------------------------------------------------------------

def test_compare_and_reconcile(own):
    settings = os.path.join(own.cluster.dir, "etc")

    def compare():
        return subprocess.run([os.path.join(own.cluster.bin, "roostctl"), "--config", settings,
                               "compare"], capture_output=True, text=True, timeout=60)
    # a store may find out a moment later that its connection did not outlive a frozen master
    c.wait_until("the stores to agree", lambda: compare().stdout.count("agrees.") == 2)
    assert compare().returncode == 0
    # a name the store does not know: within the guard it would go
    client = peer(own)
    assert activate(client, "nobody.one", b"").startswith(b"a OK")
    with stopped(own, "fe2-replica"):
        assert activate(client, "nobody.two", b"").startswith(b"a OK")
    own.cluster.wait_settled()
    plan = own.cluster.ctl("store1", "reconcile", "--dry-run").stdout
    assert re.search(r"(ask|deactivate) +nobody\.one .*does not know it", plan), plan
    assert len(client.ask('f FIND "nobody.one"')) == 2
    # a master that does not answer is named
    with stopped(own, "master"):
        for words in (["reconcile"], ["reconcile", "--complete", "store1"], ["compare"]):
            done = own.cluster.ctl("master", "--timeout", "1", *words, check=False)
            assert done.returncode == 75 and "no answer in time" in done.stderr, words
    own.cluster.wait_settled()
    # another store says it has what this one has: the incumbent keeps it
    user = own.user("store1")
    inbox = f"user.{user.split('@')[0]}"
    other = peer(own, "store2")
    assert b"[EXISTS]" in activate(other, inbox, b"", server="store2")
    told = own.cluster.ctl("master", "reconcile").stdout
    assert inbox in told and "store2" in told
    own.send(user)
    # more than the guard lets go: a person decides
    own.cluster.ctl("store1", "reconcile", "--store", "store1", "--force")
    c.wait_until("they to be given up", lambda: b"RESERVE" in client.ask('f FIND "nobody.one"')[0])
    for name in ("nobody.one", "nobody.two"):
        assert client.ask(f'd DELETE "{name}"')[-1].startswith(b"d OK")
    client.close()
    other.close()
    own.cluster.wait_settled()
    c.wait_until("the stores to agree again", lambda: compare().returncode == 0)


def test_compare_finds_what_differs_wherever_it_is(own):
    """In the longest name, at the end of a long ACL, in octets that are no UTF-8, behind more than
    one answer holds."""
    client = peer(own)
    long = long_acl(60000)
    both = {b"n" * 490: b"a\tl\t", b"acl": long, b"octets": b"\xe9\tl\t"}
    both |= {b"big.n%d" % i: long for i in range(100)}
    for name, acl in both.items():
        assert activate(client, name, acl).startswith(b"a OK")
    own.cluster.wait_settled()

    def compare():
        return subprocess.run(
            [os.path.join(own.cluster.bin, "roostctl"), "--config",
             os.path.join(own.cluster.dir, "etc"), "--json", "compare"],
            capture_output=True, text=True, timeout=120)
    assert compare().returncode == 0
    conf = own.cluster.conf("fe2")
    with open(conf) as f:
        text = f.read()
    own["fe2-replica"].stop()
    with open(conf, "w") as f:
        f.write(re.sub(r"(?m)^master = .*$", f"master = {own.cluster.ip('master')}:9", text))
    own["fe2-replica"].start()
    changed = {b"n" * 490: b"a\tlr\t", b"acl": long[:-3] + b"\tr\t", b"octets": b"\xe8\tl\t",
               b"big.n99": long + b"z\tl\t"}
    for name, acl in changed.items():
        assert activate(client, name, acl).startswith(b"a OK")
    done = compare()
    assert done.returncode == 1, done.stderr
    differences = {p["program"]: p["differences"] for p in json.loads(done.stdout)["compared"]}
    assert differences["roost-mupdate on fe1"] == []
    found = differences["roost-mupdate on fe2"]
    assert {d["mailbox"].encode() for d in found} == set(changed)
    with open(conf, "w") as f:
        f.write(text)
    own["fe2-replica"].stop()
    own["fe2-replica"].start()
    own.cluster.wait_settled()
    assert compare().returncode == 0
    for name in both:
        assert client.ask(b"d DELETE " + literal(name))[-1].startswith(b"d OK")
    client.close()


def test_a_new_list_waits_for_all_stores_or_a_person(own):
    """A master without its list, and a store that is away."""
    users = [own.user("store1"), own.user("store2")]
    own["store2"].stop()
    own["master"].stop()
    shutil.rmtree(os.path.join(own.cluster.dir, "data", "master"))
    own["master"].start()
    c.wait_until("store1 to tell what it has", lambda: '"in_step":true' in own.cluster.ctl(
        "store1", "--json", "status", check=False).stdout.replace(" ", ""))
    told = own.cluster.ctl("master", "compare", check=False).stdout
    assert ", not complete) is what" in told
    mail = own.raw_imap(users[0])
    mail.no("CREATE not-yet", b"UNAVAILABLE")
    assert codes(own, [users[0]], "fe2") == {250}
    told = own.cluster.ctl("master", "--dry-run", "reconcile", "--complete", "store2").stdout
    assert "would take" in told
    assert own.cluster.ctl("master", "reconcile", "--complete", "nobody", check=False).returncode
    told = own.cluster.ctl("master", "reconcile", "--complete", "store2").stdout
    assert "complete now" in told
    c.wait_until("CREATE to work", lambda: b" OK" in mail.run("CREATE now")[-1])
    own["store2"].start()
    own.cluster.wait_settled()
    assert codes(own, users) == codes(own, users, "fe2") == {250}
    mail.close()
