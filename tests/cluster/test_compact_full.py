"""A store on a small disk (a tmpfs of its own; skipped where that cannot be mounted) that is full:
expunging and compaction give it back, also when somebody else took the rest and it was restarted.

ROOST_TEST_KILLS: how often it is filled (default 1)."""
import os
import subprocess

import pytest

import cluster as c
import talk
from conftest import make_site
from test_compact import space
from test_move import digest
from world import Site

ROUNDS = int(os.environ.get("ROOST_TEST_KILLS", "1"))
BODY = 30000


class SmallDisk(c.Cluster):
    def prepare(self):
        super().prepare()
        self.data = os.path.join(self.dir, "data", "store1")
        os.makedirs(self.data, exist_ok=True)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "none", self.data],
                              capture_output=True)
        if done.returncode != 0:
            pytest.skip("no tmpfs can be mounted here")

    def stop(self):
        super().stop()
        subprocess.run(["umount", self.data], capture_output=True)

    def program_settings(self, host):
        more = ["segment_bytes = 1M", "free_floor = 6M", "compact = yes", "compact_rate = 1M"]
        return super().program_settings(host) + (more if host in self.stores else [])


@pytest.fixture(scope="module")
def small(failures):
    yield from make_site(failures, lambda work, net: Site(work, net, SmallDisk))


def fill(site, user):
    """Until it is full: it says so, and takes nothing. (A moment later compaction may have made room.)"""
    client = site.raw_imap(user)
    for _ in range(3000):
        answer = client.append("INBOX", talk.message(("x" * 76 + "\r\n") * (BODY // 78)))[-1]
        if b" OK " not in answer:
            assert b" NO [UNAVAILABLE] The server's disk is full" in answer
            break
    else:
        raise AssertionError("it never is full")
    client.close()


def expunge(site, user):
    """Nine of ten."""
    client = site.imap(user)
    total = int(client.select()[1][0])
    gone = ",".join(str(n) for n in range(1, total + 1) if n % 10)
    assert client.store(gone, "+FLAGS.SILENT", "(\\Deleted)")[0] == "OK"
    assert client.expunge()[0] == "OK"
    client.logout()


def wait_for_room(site, user):
    def takes():
        client = site.raw_imap(user)
        answer = client.append("Drafts", talk.message())[-1]
        client.close()
        return b" OK " in answer
    c.wait_until("room", takes)


def test_a_full_disk_comes_back(small):
    user, still = small.user("store1"), small.user("store1")
    small.send(still)
    before = digest(small, still)
    for _ in range(ROUNDS):
        fill(small, user)
        expunge(small, user)
        wait_for_room(small, user)
    assert digest(small, still) == before
    assert space(small)["state"] != "the log has failed"


def test_a_restart_on_a_disk_that_somebody_else_has_filled(small):
    user = small.user("store1")
    fill(small, user)
    expunge(small, user)
    before = digest(small, user)
    small["store1"].kill()
    filler = os.path.join(small.cluster.data, "filler")
    st = os.statvfs(small.cluster.data)
    with open(filler, "wb") as f:
        f.write(b"x" * max(0, st.f_bavail * st.f_frsize - (900 << 10)))
    small["store1"].start()
    small.cluster.wait_settled()
    c.wait_until("files to go", lambda: space(small)["dropped_segments"] > 5)
    assert digest(small, user) == before
    os.remove(filler)
    wait_for_room(small, user)
