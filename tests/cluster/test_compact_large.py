"""Compaction beside much of everything: a message that is being read from a file that goes, and
a user of many messages and mailboxes.

ROOST_TEST_MESSAGES: how many (default 20000); ROOST_TEST_MAILBOXES: how many (500)."""
import hashlib
import json
import os
import shutil
import socket

import pytest

import cluster as c
import talk
from conftest import make_site
from world import PASSWORD, Site

MESSAGES = int(os.environ.get("ROOST_TEST_MESSAGES", "20000"))
MAILBOXES = int(os.environ.get("ROOST_TEST_MAILBOXES", "500"))
AT_ONCE = 1000
LINE = "x" * 76 + "\r\n"
LARGE = 40 << 20  # more than all buffers on the way
FILLER = 10 << 20


class LargeFiles(c.Cluster):
    segment_bytes = "64M"

    def program_settings(self, host):
        more = [f"segment_bytes = {self.segment_bytes}", "compact_rate = 0", "compact = no"]
        return super().program_settings(host) + (more if host in self.stores else [])


class SmallFiles(LargeFiles):
    segment_bytes = "1M"


@pytest.fixture(scope="module")
def large(failures):
    yield from make_site(failures, lambda work, net: Site(work, net, LargeFiles))


@pytest.fixture(scope="module")
def small(failures):
    yield from make_site(failures, lambda work, net: Site(work, net, SmallFiles))


def space(site):
    done = site.cluster.ctl("store1", "--json", "store", "space")
    return json.loads(done.stdout)["stores"][0]["space"]


def compact(site, seconds=60):
    site.cluster.ctl("store1", "store", "compact")
    c.wait_until("the end of the compaction", lambda: not space(site)["working"], seconds)


def body_of(size, mark):
    return talk.message(f"{mark}\r\n" + LINE * (size // len(LINE)))


def half_read(site, user, service, commands):
    """A slow client, who has asked for a message and read its beginning."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(talk.TIMEOUT)
    sock.connect(site.cluster.at("fe1", service))
    file = sock.makefile("rb")
    file.readline()
    for command in commands[:-1]:
        sock.sendall(command.encode() + b"\r\n")
        while True:
            line = file.readline()
            if line.startswith((b"+OK", b"t OK")):
                break
            assert line.startswith(b"*"), line
    sock.sendall(commands[-1].encode() + b"\r\n")
    return sock, file


def test_who_reads_a_message_from_a_file_that_goes_reads_all_of_it(large):
    user = large.user("store1")
    client = large.imap(user)
    message = body_of(LARGE, "to be read")
    assert client.append("INBOX", None, None, message)[0] == "OK"
    assert client.append("INBOX", None, None, body_of(FILLER, "goes"))[0] == "OK"
    assert client.append("INBOX", None, None, body_of(FILLER, "goes"))[0] == "OK"
    assert client.append("INBOX", None, None, body_of(LARGE, "behind"))[0] == "OK"
    client.select()
    assert client.store("2:3", "+FLAGS.SILENT", "(\\Deleted)")[0] == "OK"
    pop, pop_file = half_read(large, user, "pop3",
                              [f"USER {user}", f"PASS {PASSWORD}", "RETR 1"])
    imap, imap_file = half_read(large, user, "imap",
                                [f't LOGIN {user} "{PASSWORD}"', "t SELECT INBOX",
                                 "t FETCH 1 BODY.PEEK[]"])
    assert pop_file.readline().startswith(b"+OK")
    assert b"{%d}" % len(message) in imap_file.readline()
    got = [file.read(1000) for file in (pop_file, imap_file)]
    assert client.expunge()[0] == "OK"
    before = space(large)["dropped_segments"]

    def is_dropped():
        compact(large)  # again: a file can go once the index has all of it
        return space(large)["dropped_segments"] > before
    c.wait_until("a file to go", is_dropped)
    for begun, file in zip(got, (pop_file, imap_file)):
        whole = begun + file.read(len(message) - len(begun))
        assert hashlib.sha256(whole).digest() == hashlib.sha256(message).digest()
    assert pop_file.readline() == b".\r\n"
    assert imap_file.readline() == b")\r\n"
    while not (line := imap_file.readline()).startswith(b"t OK"):
        assert line.startswith(b"*"), line
    pop.close()
    imap.close()
    client.logout()


def until_ok(client, command):
    """Changes of so much are put off while the index lags behind."""
    found = []

    def said():
        found[:] = client.run(command)
        return b"[INUSE]" not in found[-1]
    c.wait_until(command[:40], said, 300)
    assert b" OK " in found[-1], found[-1]


def pipelined(client, commands):
    for at in range(0, len(commands), 100):
        for tag in [client.start(command) for command in commands[at:at + 100]]:
            assert b" OK " in (done := client.finish(tag)[-1]), done


def picture(site, user):
    """What he has, as a digest: numbers of all mailboxes, and each message of his INBOX."""
    client = site.raw_imap(user)
    client.sock.settimeout(300)
    found = client.ok('LIST "" "*" RETURN (STATUS (MESSAGES UIDNEXT UNSEEN))')[:-1]
    client.ok("SELECT INBOX")
    found += client.ok("FETCH 1:* (UID FLAGS RFC822.SIZE BODY.PEEK[])")[:-1]
    client.close()
    return len(found), hashlib.sha256(b"".join(found)).hexdigest()


def restart(site, without_index):
    site["store1"].kill()
    if without_index:
        shutil.rmtree(os.path.join(site.cluster.dir, "data", "store1", "index"))
    site["store1"].start()
    site.cluster.wait_settled()


def test_many_messages_and_mailboxes(small):
    """Killed in the middle, ended, and with the log alone: all is there."""
    user = small.user("store1")
    client = small.raw_imap(user)
    client.sock.settimeout(300)
    message = talk.message(body="x\r\n")
    for at in range(0, MESSAGES, AT_ONCE):
        some = [message] * min(AT_ONCE, MESSAGES - at)
        assert b" OK " in client.append("INBOX", *some, sync=False)[-1]
    pipelined(client, [f"CREATE m{n}" for n in range(MAILBOXES)])
    client.ok("SELECT INBOX")
    pipelined(client, [f"COPY {n % 100 + 1}:{n % 100 + 20} m{n}" for n in range(MAILBOXES)])
    gone = [f"{n}:{n + 1}" for n in range(1, MESSAGES - 1, 3)]
    for at in range(0, len(gone), AT_ONCE):
        until_ok(client, f"STORE {','.join(gone[at:at + AT_ONCE])} +FLAGS.SILENT (\\Deleted)")
    until_ok(client, "EXPUNGE")
    client.close()
    before = picture(small, user)
    assert before[0] > MESSAGES // 3 + MAILBOXES

    def is_dropped():
        small.cluster.ctl("store1", "store", "compact", check=False)  # refused while it works
        return space(small)["dropped_segments"] > 0
    c.wait_until("the first file to go", is_dropped)
    restart(small, without_index=False)
    assert picture(small, user) == before
    compact(small, 300)
    assert picture(small, user) == before
    restart(small, without_index=True)
    assert picture(small, user) == before
