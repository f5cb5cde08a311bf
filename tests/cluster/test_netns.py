"""Two machines: front ends in a network namespace of their own, master and stores in another,
joined by a virtual cable. The cable swallows everything (packets are dropped, nobody is told)
and works again, while mail comes in and is read."""
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


def ip(*args, space=None):
    subprocess.run(["ip"] + (["-n", space] if space else []) + list(args), check=True,
                   capture_output=True, text=True)


@pytest.fixture(scope="module")
def cable():
    """The second machine's namespace; the first one is ours, where clients are too."""
    if not shutil.which("ip"):
        pytest.skip("there is no ip(8)")
    try:
        ip("netns", "add", NAME)
    except subprocess.CalledProcessError as e:
        pytest.skip("no network namespaces here: " + e.stderr.strip())
    try:
        ip("link", "add", NAME, "type", "veth", "peer", "name", "eth0", "netns", NAME)
        ip("addr", "add", "10.213.7.1/24", "dev", NAME)
        ip("link", "set", NAME, "up")
        for dev in ("lo", "eth0"):
            ip("link", "set", dev, "up", space=NAME)
        for host in range(2, 6):
            ip("addr", "add", f"10.213.7.{host}/24", "dev", "eth0", space=NAME)
        yield NAME
    except subprocess.CalledProcessError as e:
        pytest.skip("no virtual cable here: " + e.stderr.strip())
    finally:
        subprocess.run(["ip", "link", "del", NAME], capture_output=True)
        subprocess.run(["ip", "netns", "del", NAME], capture_output=True)


class TwoMachines(c.Cluster):
    """master, store1, store2 behind the cable; front ends here."""
    inside = "10.213.7.0/24 127.0.0.0/8"
    far = {"master": 2, "store1": 3, "store2": 4}

    def ip(self, host):
        return f"10.213.7.{self.far[host]}" if host in self.far else super().ip(host)

    def program(self, name, host, program, instance=None):
        super().program(name, host, program, instance)
        if host in self.far:
            p = self.processes[name]
            p.args = ["ip", "netns", "exec", NAME] + p.args


@contextlib.contextmanager
def swallowed():
    """tc drops every packet in both directions; links stay up, so nobody is told."""
    for space in (None, NAME):
        at = ["ip", "netns", "exec", space] if space else []
        dev = "eth0" if space else NAME
        subprocess.run(at + ["tc", "qdisc", "add", "dev", dev, "root", "tbf", "rate", "8bit",
                             "burst", "1", "limit", "1"], check=True, capture_output=True)
    try:
        yield
    finally:
        for space in (None, NAME):
            at = ["ip", "netns", "exec", space] if space else []
            dev = "eth0" if space else NAME
            subprocess.run(at + ["tc", "qdisc", "del", "dev", dev, "root"], check=True,
                           capture_output=True)


@pytest.fixture(scope="module")
def site(cable):
    if not shutil.which("tc"):
        pytest.skip("there is no tc(8)")
    try:
        with swallowed():
            pass
    except subprocess.CalledProcessError as e:
        pytest.skip("packets cannot be dropped here: " + (e.stderr or b"").decode().strip())
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
    with swallowed():
        start = time.monotonic()
        client = site.raw_smtp("fe2")
        code, text = client.envelope(users[0])[0]
        assert code == 451 and text.startswith("4."), text
        client.close()
        assert time.monotonic() - start < 20
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
        # a session in a selected mailbox: BYE or NO, but not for ever nothing
        start = time.monotonic()
        selected.sock.settimeout(60)
        try:
            assert b" NO [UNAVAILABLE]" in selected.run("FETCH 1 FLAGS")[-1]
        except (EOFError, ConnectionError):
            pass
        print(f"a selected session heard of it after {time.monotonic() - start:.1f} s")
        selected.close()
    for user in users[:2]:
        ready(site, user)
    site.cluster.wait_settled()


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
