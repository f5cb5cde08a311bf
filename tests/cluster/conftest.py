"""Fixtures of the cluster tests: real processes on a loopback network of their own.

`shared` is one cluster for all tests that leave it as they found it; `own` is a fresh one
for a module that stops, kills or damages things."""
import fcntl
import os
import shutil
import signal
import sys
import tempfile

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "deploy", "demo"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from world import Site  # noqa: E402

NETS = range(20, 250)


def is_quiet(net):
    """Nobody listens there: a run that was cut off may have left its programs."""
    with open("/proc/net/tcp") as table:
        lines = table.readlines()[1:]
    listening = [bytes.fromhex(x.split()[1][:8])[::-1] for x in lines if x.split()[3] == "0A"]
    return not any(ip[:3] == bytes((127, 0, net)) for ip in listening)


def lock_net():
    """A number nobody else on this machine uses: 127.0.NUMBER.0/24 is ours."""
    for net in filter(is_quiet, NETS):
        path = os.path.join(tempfile.gettempdir(), f"roost-net-{net}.lock")
        lock = open(path, "a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return net, lock
        except OSError:
            lock.close()
    raise RuntimeError("no free loopback network")


@pytest.fixture(scope="session")
def failures(request):
    return lambda: request.session.testsfailed


def make_site(failures, make=Site):
    net, lock = lock_net()
    work = tempfile.mkdtemp(prefix="roost-cluster-")
    before = failures()
    site = make(work, net)
    try:
        site.start()
        yield site
    finally:
        site.stop()
        lock.close()
    if failures() > before or os.environ.get("ROOST_TEST_KEEP"):
        print(f"\nlogs and data are in {work}")
    else:
        shutil.rmtree(work)


@pytest.fixture(scope="session")
def shared(failures):
    yield from make_site(failures)


@pytest.fixture(scope="module")
def own(failures):
    yield from make_site(failures)


def end_all(work):
    """Kills what a test that failed left behind: the processes that name its folder."""
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                ours = work.encode() in f.read() and pid != os.getpid()
            if ours:
                os.kill(pid, signal.SIGKILL)
        except OSError:
            continue


@pytest.fixture
def empty_dir():
    """A folder, and a network, for tests that start processes by themselves."""
    net, lock = lock_net()
    work = tempfile.mkdtemp(prefix="roost-cluster-")
    yield work, net
    end_all(work)
    lock.close()
    shutil.rmtree(work)
