"""Two machines: front ends in a network namespace of their own, master and stores in another,
joined by a router that swallows everything (nobody is told) and works again, while mail comes
in and is read."""
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import cluster as c
import load
import pytest
import talk
from load import LmtpSender, SmtpSender
from test_failures import ready
from world import PASSWORD, Site

NAME = f"roost{os.getpid() % 100000}"
FAR, ROUTER = NAME + "f", NAME + "r"


def ip(*args, space=None):
    subprocess.run(["ip"] + (["-n", space] if space else []) + list(args), check=True,
                   capture_output=True, text=True)


@pytest.fixture(scope="module")
def cable():
    """The second machine, and a router on the way to it; the first one is ours, where the
    clients are too."""
    if not shutil.which("ip"):
        pytest.skip("there is no ip(8)")
    try:
        for space in (FAR, ROUTER):
            ip("netns", "add", space)
        ip("link", "add", NAME, "type", "veth", "peer", "name", "near", "netns", ROUTER)
        ip("link", "add", "far", "netns", ROUTER, "type", "veth", "peer", "name", "eth0",
           "netns", FAR)
        for dev, address, space in ((NAME, "10.213.6.1", None), ("near", "10.213.6.254", ROUTER),
                                    ("far", "10.213.7.254", ROUTER)):
            ip("addr", "add", f"{address}/24", "dev", dev, space=space)
        for host in range(2, 6):
            ip("addr", "add", f"10.213.7.{host}/24", "dev", "eth0", space=FAR)
        for dev, space in ((NAME, None), ("near", ROUTER), ("far", ROUTER), ("lo", FAR),
                           ("eth0", FAR)):
            ip("link", "set", dev, "up", space=space)
        ip("route", "add", "10.213.7.0/24", "via", "10.213.6.254")
        ip("route", "add", "default", "via", "10.213.7.254", space=FAR)
        forward(True)
    except subprocess.CalledProcessError as e:
        remove()
        pytest.skip("no network namespaces here: " + e.stderr.strip())
    yield
    remove()


def remove():
    subprocess.run(["ip", "link", "del", NAME], capture_output=True)
    for space in (FAR, ROUTER):
        subprocess.run(["ip", "netns", "del", space], capture_output=True)


def forward(does):
    """A router that does not forward drops what it gets, and tells nobody."""
    subprocess.run(["ip", "netns", "exec", ROUTER, "sysctl", "-qw",
                    f"net.ipv4.ip_forward={int(does)}"], check=True, capture_output=True,
                   text=True)


@contextlib.contextmanager
def swallowed():
    forward(False)
    try:
        yield
    finally:
        forward(True)


class TwoMachines(c.Cluster):
    """master, store1, store2 behind the cable; front ends here."""
    inside = "10.213.6.0/23 127.0.0.0/8"
    far = {"master": 2, "store1": 3, "store2": 4}

    def ip(self, host):
        return f"10.213.7.{self.far[host]}" if host in self.far else super().ip(host)

    def program(self, name, host, program, instance=None):
        super().program(name, host, program, instance)
        if host in self.far:
            p = self.processes[name]
            p.args = ["ip", "netns", "exec", FAR] + p.args


@pytest.fixture(scope="module")
def site(cable):
    work = tempfile.mkdtemp(prefix="roost-cluster-")
    s = Site(work, 251, TwoMachines)
    try:
        s.start()
        yield s
    finally:
        s.stop()
    if sys.exc_info()[0] is None and not os.environ.get("ROOST_TEST_KEEP"):
        shutil.rmtree(work)


@pytest.fixture(scope="module")
def users(site):
    return [site.user(f"store{i % 2 + 1}") for i in range(4)]


def test_clients_hear_later_in_time(site, users):
    for user in users[:2]:
        site.send(user)
    selected = site.raw_imap(users[0], "fe1", "INBOX")
    idle = site.raw_imap(users[0], "fe2", "INBOX")
    idle.idle()
    with swallowed():
        start = time.monotonic()
        client = site.raw_smtp("fe2")
        code, text = client.envelope(users[0])[0]
        assert code == 451 and text.startswith("4."), text
        client.close()
        assert time.monotonic() - start < 60  # rcpt_timeout is ten seconds
        client = site.raw_smtp("fe1")
        assert client.envelope("nobody-here@example.org")[0][0] == 550  # the directory is here
        client.close()
        client = site.raw_imap(front="fe1")
        client.no(f'LOGIN {users[1]} "{PASSWORD}"', b"UNAVAILABLE")
        client.close()
        pop = site.lines("fe2", "pop3")
        pop.say(f"USER {users[0]}")
        assert b"-ERR [SYS/TEMP]" in pop.say(f"PASS {PASSWORD}")
        pop.close()
        # sessions that are there hear of it, also one that has asked for nothing
        tag = selected.start("FETCH 1 FLAGS")
        assert hears(idle, "IDLE"), "a session in IDLE never heard of it"
        assert hears(selected, tag), "a session that asked never heard of it"
    for user in users[:2]:
        ready(site, user)
    site.cluster.wait_settled()


def hears(client, tag):
    """BYE, NO, or a closed connection within a minute or so; never a word of success."""
    client.sock.settimeout(90)
    try:
        lines = client.finish(tag)
        return b" NO [UNAVAILABLE]" in lines[-1]
    except TimeoutError:
        return False
    except (EOFError, ConnectionError):
        return True
    finally:
        client.close()


def test_the_cable_is_cut_and_healed_under_load(site, users):
    """No permanent error, nothing lost, nothing twice; everything heals by itself."""
    stop, seen = threading.Event(), []
    reader = threading.Thread(target=read, args=(site, users, stop, seen), daemon=True)
    reader.start()

    def cut():
        with swallowed():
            time.sleep(4)
    try:
        counts = load.run(site, users, [(SmtpSender, 2), (LmtpSender, 2)], cut, 4,
                          pause=(2.0, 4.0))
    finally:
        stop.set()
        reader.join(60)
    site.cluster.wait_settled()
    for kind in counts.values():
        assert load.check(site, users, kind) > 0
    assert [s for s in seen if b"[UNAVAILABLE]" not in s] == []


def read(site, users, stop, seen):
    """IMAP logins all the time; what is not OK must say UNAVAILABLE."""
    i = 0
    while not stop.is_set():
        i += 1
        try:
            client = talk.Imap(site.cluster.at(site.cluster.fronts[i % 2], "imap"))
            last = client.run(f'LOGIN {users[i % len(users)]} "{PASSWORD}"')[-1]
            if b" OK " not in last:
                seen.append(last)
            client.close()
        except (OSError, EOFError):
            pass
        time.sleep(0.05)
