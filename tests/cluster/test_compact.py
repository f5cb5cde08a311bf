"""The store's log gets smaller while users work: by command and by itself, under load, under
SIGKILL, beside moves; and it alone gives the same index.

ROOST_TEST_KILLS: how often the store is killed (default 3)."""
import json
import os
import random
import shutil
import threading
import time

import pytest

import cluster as c
import load
import talk
from conftest import make_site
from load import LmtpSender, SmtpSender
from test_move import digest, move
from world import Site

KILLS = int(os.environ.get("ROOST_TEST_KILLS", "3"))
STORES = ["store1", "store2"]
BODY = 30000


class SmallFiles(c.Cluster):
    compact = "no"

    def program_settings(self, host):
        more = ["segment_bytes = 1M", "compact_rate = 0", f"compact = {self.compact}"]
        return super().program_settings(host) + (more if host in self.stores else [])


@pytest.fixture(scope="module")
def small(failures):
    yield from make_site(failures, lambda work, net: Site(work, net, SmallFiles))


def space(site, store="store1"):
    done = site.cluster.ctl(store, "--json", "store", "space")
    return json.loads(done.stdout)["stores"][0]["space"]


def disk(site, store="store1"):
    log = os.path.join(site.cluster.dir, "data", store, "log")
    return sum(os.path.getsize(os.path.join(log, f)) for f in os.listdir(log))


def fill(site, user, count):
    """Messages, and every tenth of them stays."""
    client = site.imap(user)
    for i in range(count):
        assert client.append("INBOX", None, None, talk.message(("x" * 76 + "\r\n") *
                                                               (BODY // 78)))[0] == "OK"
    total = int(client.select()[1][0])
    gone = [str(n) for n in range(total - count + 1, total + 1) if n % 10]
    assert client.store(",".join(gone), "+FLAGS.SILENT", "(\\Deleted)")[0] == "OK"
    assert client.expunge()[0] == "OK"
    client.logout()


def compact(site, store="store1"):
    site.cluster.ctl(store, "store", "compact")
    c.wait_until("the end of the compaction", lambda: not space(site, store)["working"])


def compact_until(site, what, test):
    """Again and again: a file can go once the index has all of it, which is a moment later."""
    def done():
        compact(site)
        return test()
    c.wait_until(what, done)


def make_index_anew(site, store="store1"):
    site[store].stop()
    shutil.rmtree(os.path.join(site.cluster.dir, "data", store, "index"))
    site[store].start()
    site.cluster.wait_settled()


def test_disk_comes_back_by_command(small):
    user = small.user("store1")
    fill(small, user, 200)
    before, size = digest(small, user), disk(small)
    dropped = space(small)["dropped_segments"]
    plan = small.cluster.ctl("store1", "store", "compact", "--dry-run").stdout
    assert "store1" in plan and space(small)["dropped_segments"] == dropped
    reader = small.raw_imap(user, select="INBOX")
    compact_until(small, "half of the disk", lambda: disk(small) < size / 2)
    told = space(small)
    assert told["dropped_segments"] >= dropped + 4 and told["state"] == "off"
    assert b"xxxx" in b"".join(reader.ok("FETCH 1:* BODY.PEEK[TEXT]"))
    reader.close()
    assert digest(small, user) == before
    c.wait_until("the metric, which is set once a second", lambda: small.cluster.metric(
        "store1", "roost_store_compact_dropped_segments") == told["dropped_segments"])
    make_index_anew(small)
    assert digest(small, user) == before


def check(site, store="store1"):
    site.cluster.ctl(store, "store", "check")
    c.wait_until("the end of the check", lambda: not space(site, store)["check"]["working"])
    return space(site, store)["check"]


def flip_a_byte(site, store="store1"):
    """In the header of the first batch of the last full file; where bodies are read, it is not."""
    log = os.path.join(site.cluster.dir, "data", store, "log")
    path = os.path.join(log, sorted(os.listdir(log))[-3])
    with open(path, "r+b") as f:
        f.seek(64 + 20)
        byte = f.read(1)[0]
        f.seek(64 + 20)
        f.write(bytes([byte ^ 1]))
    return path


def test_damage_is_told_and_its_file_stays(small):
    user = small.user("store1")
    fill(small, user, 120)
    before, path = digest(small, user), flip_a_byte(small)
    compact_until(small, "the damage to be found", lambda: space(small)["damaged_segments"] == 1)
    assert os.path.exists(path)
    assert "1 log file is damaged" in small.cluster.ctl("store1", "store", "space").stdout
    assert digest(small, user) == before


def test_a_check_reads_what_nobody_reads(small):
    user = small.user("store2")
    assert check(small, "store2")["damaged"] == 0
    assert "nothing is damaged" in small.cluster.ctl("store2", "store", "space").stdout
    fill(small, user, 120)
    before, _ = digest(small, user), flip_a_byte(small, "store2")
    found = check(small, "store2")
    assert found["damaged"] == 1 and found["bodies"] == 0 and found["bytes"] > 1e6
    assert "1 damaged place" in small.cluster.ctl("store2", "store", "space").stdout
    make_index_anew(small, "store2")
    assert digest(small, user) == before


def test_it_is_done_by_itself_once_the_settings_say_so(small):
    user = small.user("store2")
    fill(small, user, 150)
    before, size = digest(small, user), disk(small, "store2")
    with open(small.cluster.conf("store2")) as f:
        text = f.read()
    with open(small.cluster.conf("store2"), "w") as f:
        f.write(text.replace("compact = no", "compact = yes"))
    small["store2"].signal(1)
    c.wait_until("files to go", lambda: disk(small, "store2") < size / 2)
    assert space(small, "store2")["on"]
    assert digest(small, user) == before


def test_nothing_is_lost_by_sigkill_while_it_runs(small):
    users = [small.user("store1") for _ in range(4)]
    busy, still = small.user("store1"), small.user("store1")
    fill(small, still, 60)
    before, stop = digest(small, still), threading.Event()

    def compact_all_the_time():
        while not stop.is_set():
            small.cluster.ctl("store1", "store", "compact", check=False)
            time.sleep(0.1)

    def kill():
        fill(small, busy, 60)
        time.sleep(random.uniform(0, 0.3))
        small["store1"].kill()
        small["store1"].start()
        small.cluster.wait_settled()

    thread = threading.Thread(target=compact_all_the_time)
    thread.start()
    try:
        counts = load.run(small, users, [(SmtpSender, 2), (LmtpSender, 2)], kill, KILLS)
    finally:
        stop.set()
        thread.join()
    small.cluster.wait_settled()
    for n in counts.values():
        assert load.check(small, users, n, exactly=True) > 0
    assert digest(small, still) == before
    c.wait_until("quiet", lambda: not space(small)["working"])
    everybody = users + [busy, still]
    sums = {user: digest(small, user) for user in everybody}
    make_index_anew(small)
    assert {user: digest(small, user) for user in everybody} == sums


def test_moves_go_on_while_it_runs(small):
    user = small.user("store1")
    fill(small, user, 120)
    before = digest(small, user)
    for to in ("store2", "store1", "store2", "store1"):
        for store in STORES:
            small.cluster.ctl(store, "store", "compact", check=False)
        assert json.loads(move(small, user, to).stdout)["moved"]
        assert digest(small, user) == before
    for store in STORES:
        c.wait_until("quiet", lambda store=store: not space(small, store)["working"])
        compact(small, store)
        make_index_anew(small, store)
    assert digest(small, user) == before
