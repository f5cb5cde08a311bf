"""The failure table of the design (section 11), row by row: each part is killed, or hangs
(SIGSTOP: its ports still take connections and say nothing), in every phase of a session.
What else happens while parts are away is in test_failures.py."""
import contextlib
import os
import re
import subprocess
import time

import cluster as c
import pytest
import talk
from cluster import tree
from conftest import make_site
from test_failures import ready
from world import PASSWORD, SENDER, Site, frozen

DEADLINE = 20  # seconds; the settings below leave time to spare, on a busy machine too
QUICK = {
    "roost-imap": ["imap_connect_timeout = 2s", "imap_store_timeout = 3s",
                   "pop3_connect_timeout = 2s", "pop3_store_timeout = 3s"],
    "roost-smtp": ["rcpt_timeout = 3s", "store_connect_timeout = 2s", "store_timeout = 4s"],
    "roost-store": ["master_timeout = 3s", "master_keepalive = 2s"],
    "common": ["auth_timeout = 3s"],
}


class Quick(c.Cluster):
    def settings(self, host):
        def more(m):
            return m.group(0) + "\n" + "\n".join(QUICK.get(m.group(1), []))
        return re.sub(r"^\[([\w-]+)[^]]*\]$", more, super().settings(host), flags=re.M)


@pytest.fixture(scope="module")
def site(failures):
    yield from make_site(failures, lambda work, net: Site(work, net, Quick))


@pytest.fixture(scope="module")
def users(site):
    both = [site.user("store1"), site.user("store2")]
    for user in both:
        site.send(user, talk.message("x" * 70 + "\r\n" + "line\r\n" * 400000))
        site.send(user)
    return both


@contextlib.contextmanager
def cut(site, name, how):
    """Away: as if its host had died, or frozen with all its processes."""
    if how == "kill":
        site[name].kill()
        try:
            yield
        finally:
            site[name].start()
            site.cluster.wait_settled()
    else:
        try:
            with frozen(tree(site[name].pid())):
                yield
        finally:
            site.cluster.wait_settled()


def in_time(start):
    assert time.monotonic() - start < DEADLINE


def is_taken(site, user, front):
    client = site.raw_smtp(front)
    try:
        return client.envelope(user)[0][0] == 250
    finally:
        client.close()


def taken(site, user, front):
    """By every worker: each has its own opinion of a store that was away."""
    return all(is_taken(site, user, front) for _ in range(12))


HOW = pytest.mark.parametrize("how", ["kill", "stop"])
PROTOCOLS = pytest.mark.parametrize("protocol", ["smtp", "lmtp"])


# ---- one store: IMAP --------------------------------------------------------------------

class Connected:
    """The phases of a session: what was said before the cut, what is said after it."""
    name = "before the login"

    def before(self, site, user):
        self.client = site.raw_imap(front="fe1")

    def after(self, user):
        return self.client.run(f'LOGIN {user} "{PASSWORD}"')


class LoggedIn(Connected):
    name = "logged in"

    def before(self, site, user):
        self.client = site.raw_imap(user, "fe1")

    def after(self, user):
        return self.client.run("STATUS INBOX (MESSAGES)")


class Selected(Connected):
    name = "selected"

    def before(self, site, user):
        self.client = site.raw_imap(user, "fe1", "INBOX")

    def after(self, user):
        return self.client.run("FETCH 2 (FLAGS)")


class Idle(Selected):
    name = "in IDLE"

    def before(self, site, user):
        super().before(site, user)
        self.tag = self.client.idle()

    def after(self, user):
        self.client.send("DONE\r\n")
        return self.client.finish(self.tag)


class Fetching(Selected):
    name = "in the middle of FETCH"

    def before(self, site, user):
        super().before(site, user)
        self.tag = self.client.start("FETCH 1 BODY.PEEK[]")
        assert len(self.client.file.read(1000)) == 1000

    def after(self, user):
        return self.client.finish(self.tag)


class Appending(LoggedIn):
    name = "in the middle of APPEND"

    def before(self, site, user):
        super().before(site, user)
        self.client.send("a APPEND INBOX {100000}\r\n")
        assert self.client.response().startswith(b"+")
        self.client.send(b"Subject: half\r\n\r\n" + b"x" * 20000)

    def after(self, user):
        self.client.send(b"x" * (100000 - 20017) + b"\r\n")
        return self.client.finish("a")


class Expunging(Selected):
    name = "in the middle of a pipeline"

    def after(self, user):
        self.client.send("p1 NOOP\r\np2 NOOP\r\n")
        return self.client.finish("p2")


PHASES = [Connected, LoggedIn, Selected, Idle, Fetching, Appending, Expunging]


@HOW
@pytest.mark.parametrize("phase", PHASES, ids=lambda p: p.name)
def test_store_away_imap(site, users, phase, how):
    """Its users: NO [UNAVAILABLE], or BYE; nothing that would make a client drop what it
    has. The others: nothing."""
    mine, theirs = phase(), phase()
    mine.before(site, users[0])
    other = site.raw_imap(users[1], "fe1", "INBOX")
    with cut(site, "store1", how):
        start = time.monotonic()
        try:
            last = mine.after(users[0])[-1]
            # what had arrived before the cut may still be answered
            assert b" NO [UNAVAILABLE]" in last or (phase is Fetching and b" OK" in last), last
        except (EOFError, ConnectionError) as e:
            assert "BAD" not in str(e)
            assert phase is not Connected
        in_time(start)
        mine.client.close()
        other.ok("FETCH 2 (FLAGS)")
        other.append("INBOX", talk.message())
        client = site.raw_imap(front="fe2")
        start = time.monotonic()
        client.no(f'LOGIN {users[0]} "{PASSWORD}"', b"UNAVAILABLE")
        in_time(start)
        client.close()
    other.close()
    ready(site, users[0])
    theirs.before(site, users[0])
    if phase is not Connected:
        theirs.client.close()
        theirs.client = site.raw_imap(users[0], "fe1", "INBOX")
        assert talk.number(theirs.client.ok("STATUS INBOX (MESSAGES)"), rb"MESSAGES (\d+)") >= 2
    theirs.client.close()


# ---- one store: POP3 --------------------------------------------------------------------

@HOW
@pytest.mark.parametrize("phase", ["PASS", "STAT", "RETR"])
def test_store_away_pop3(site, users, phase, how):
    client = site.lines("fe1", "pop3")
    client.say(f"USER {users[0]}")
    if phase != "PASS":
        assert client.say(f"PASS {PASSWORD}").startswith(b"+OK")
    if phase == "RETR":
        assert client.say("RETR 1").startswith(b"+OK")
    with cut(site, "store1", how):
        start = time.monotonic()
        if phase == "RETR":
            assert client.is_closed(DEADLINE) or client.file.read(1) is not None
        else:
            answer = client.say(f"PASS {PASSWORD}" if phase == "PASS" else "STAT")
            assert answer == b"" or b"-ERR [SYS/TEMP]" in answer, answer
        in_time(start)
        client.close()
        with contextlib.closing(site.lines("fe2", "pop3")) as other:
            other.say(f"USER {users[1]}")
            assert other.say(f"PASS {PASSWORD}").startswith(b"+OK")
    ready(site, users[0])


# ---- one store: mail --------------------------------------------------------------------

def offer(site, service, user, ident, until, front="fe1"):
    """A transaction up to a phase; the rest as a function that gives the last answer."""
    c.wait_until("mail to be taken", lambda: taken(site, user, front))  # it was cut before
    client = talk.Smtp(site.cluster.at(front, service))
    message = talk.message(("y" * 48 + "\r\n") * 1000, ident=ident)
    steps = [("greeting", "EHLO me.example.net" if service == "smtp" else "LHLO me.example.net"),
             ("hello", f"MAIL FROM:<{SENDER}>"), ("mail", f"RCPT TO:<{user}>"),
             ("rcpt", "DATA")]
    left = [s for s in steps]
    while left and left[0][0] != until:
        assert client.ask(left.pop(0)[1])[0] in (250, 354)
    if until in ("data", "dot"):
        client.send(message[:20000])

    def rest():
        for _, step in left:
            code, text = client.ask(step)
            if code >= 400 or code == 0:
                return code, text
        client.send((message[20000:] if until in ("data", "dot") else message) + b".\r\n")
        return client.reply()
    return client, rest, message


MAIL_PHASES = pytest.mark.parametrize("until", ["greeting", "hello", "mail", "rcpt", "data"])


def delivered_once(site, user, message, ident, front="fe2"):
    """The sender's retry, as its queue would make it: with the same bytes."""
    def taken():
        client = site.raw_smtp(front)
        try:
            if client.envelope(user)[0][0] != 250:
                return False
            assert client.ask("DATA")[0] == 354
            client.send(message + b".\r\n")
            code, text = client.reply()
            assert code // 100 in (2, 4), text
            return code == 250
        finally:
            client.close()
    c.wait_until("the mail to be taken", taken)
    assert site.count(user, ident, front) == 1


@HOW
@PROTOCOLS
@MAIL_PHASES
def test_store_away_mail(site, users, protocol, until, how):
    ident = talk.message_id()
    client, rest, message = offer(site, protocol, users[0], ident, until)
    with cut(site, "store1", how):
        start = time.monotonic()
        code, text = rest()
        assert code // 100 == 4 and text.startswith("4."), (code, text)
        in_time(start)
        client.close()
        site.send(users[1], front="fe1")
    delivered_once(site, users[0], message, ident)


@PROTOCOLS
def test_store_dies_with_the_message_after_the_dot(site, users, protocol):
    """The answer was under way: whichever it was, there is one copy after the retry."""
    for pause in (0, 0.002, 0.01):
        ident = talk.message_id()
        client, rest, message = offer(site, protocol, users[0], ident, "data")
        client.send(message[20000:] + b".\r\n")
        time.sleep(pause)
        with cut(site, "store1", "kill"):
            code, text = client.reply()
            assert code == 250 or code // 100 == 4, text
            client.close()
        delivered_once(site, users[0], message, ident)


# ---- the location master, and a replica ---------------------------------------------------

@HOW
def test_master_away(site, users, how):
    """Everything goes on but changes of names."""
    idle = site.raw_imap(users[0], "fe1", "INBOX")
    tag = idle.idle()
    stays = site.raw_imap(users[0], "fe2")
    stays.ok("CREATE kept" + how)
    c.wait_until("mail to be taken", lambda: taken(site, users[0], "fe1"))  # it was cut before
    with cut(site, "master", how):
        for command in (f"CREATE new{how}", f"DELETE kept{how}", f"RENAME kept{how} other{how}"):
            start = time.monotonic()
            stays.no(command, b"UNAVAILABLE")
            in_time(start)
        site.send(users, front="fe1")
        assert idle.response().endswith((b"EXISTS", b"RECENT"))
        idle.send("DONE\r\n")
        idle.finish(tag)
        idle.ok("FETCH 2 FLAGS")
        idle.ok('STORE 2 +FLAGS (\\Flagged)')
        assert b" OK" in idle.append(f"kept{how}", talk.message())[-1]
        start = time.monotonic()
        stays.ok('LIST "" *')
        in_time(start)
        assert site.pop3(users[1], "fe2").stat()[0] >= 1
        client = site.raw_imap(users[1], "fe1", "INBOX")
        client.close()
    c.wait_until("CREATE to work", lambda: b" OK" in stays.run(f"CREATE new{how}")[-1])
    for client in (idle, stays):
        client.close()


@HOW
def test_replica_away(site, users, how):
    """Its front ends go on with the mapped list; what is not in it is "later"."""
    stays = site.raw_imap(users[0], "fe1", "INBOX")
    c.wait_until("mail to be taken", lambda: taken(site, users[0], "fe1"))
    with cut(site, "fe1-replica", how):
        site.send(users, front="fe1")
        stays.ok("FETCH 2 FLAGS")
        for user in users:
            site.raw_imap(user, "fe1", "INBOX").close()
        assert site.pop3(users[1], "fe1").stat()[0] >= 1
        fresh = site.user("store2")
        client = site.raw_smtp("fe1")
        start = time.monotonic()
        assert client.envelope(fresh)[0][0] == 451
        in_time(start)
        client.close()
        site.send(fresh, front="fe2")
    c.wait_until("the news", lambda: taken(site, fresh, "fe1"))
    stays.close()


# ---- the directory --------------------------------------------------------------------------

@pytest.mark.parametrize("program", ["fe1-imap", "fe1-smtp"])
def test_directory_hangs(site, users, program):
    """The processes that ask it say nothing: others "later", sessions go on."""
    stays = site.raw_imap(users[0], "fe1", "INBOX")
    fresh = site.user("store1")  # nobody has asked for him yet
    with frozen(children(site, program, None)):
        start = time.monotonic()
        if program == "fe1-smtp":
            client = site.raw_smtp("fe1")
            code, text = client.envelope(fresh)[0]
            assert code == 451, text
        else:
            client = site.raw_imap(front="fe1")
            client.no(f'LOGIN {fresh} "{PASSWORD}"', b"UNAVAILABLE")
        in_time(start)
        client.close()
        stays.ok("FETCH 2 FLAGS")
        site.send(fresh, front="fe2")
    ready(site, fresh)
    c.wait_until("mail to be taken", lambda: taken(site, fresh, "fe1"))
    stays.close()


def sockets(path, column, value, inode):
    with open(path) as f:
        rows = [line.split() for line in f.readlines()[1:]]
    return {f"socket:[{r[inode]}]" for r in rows if r[column] == value}


def children(site, program, listen):
    """The processes of a program that listen at a Unix socket ("unix": the ones that count
    for the limits), or nowhere (None: the ones that ask the directory)."""
    tcp = sockets("/proc/net/tcp", 3, "0A", 9)
    unix = sockets("/proc/net/unix", 3, "00010000", 6)

    def kind(pid):
        folder = f"/proc/{pid}/fd"
        held = {os.readlink(os.path.join(folder, fd)) for fd in os.listdir(folder)}
        return "tcp" if held & tcp else "unix" if held & unix else None
    found = [p for p in tree(site[program].pid())[1:] if kind(p) == listen]
    assert found
    return found


@pytest.mark.parametrize("program", ["fe1-imap", "fe1-smtp"])
def test_limits_hang(site, users, program):
    """Who counts connections and failures says nothing: nobody is kept out."""
    c.wait_until("mail to be taken", lambda: taken(site, users[0], "fe1"))
    with frozen(children(site, program, "unix")):
        start = time.monotonic()
        if program == "fe1-smtp":
            site.send(users[0], front="fe1")
        else:
            site.raw_imap(users[0], "fe1", "INBOX").close()
            client = site.raw_imap(front="fe1")
            client.no(f'LOGIN {users[0]} "wrong"', b"AUTHENTICATIONFAILED")
            client.close()
        in_time(start)
    site.raw_imap(users[0], "fe1", "INBOX").close()


# ---- a front end ------------------------------------------------------------------------------

@HOW
@pytest.mark.parametrize("until", ["greeting", "hello", "mail", "rcpt", "data"])
def test_front_end_away(site, users, until, how):
    """Its connections break, or hang until the sender's own deadline; the retry by the other
    one gives one copy, also when the first one goes on later."""
    ident = talk.message_id()
    client, rest, message = offer(site, "smtp", users[0], ident, until)
    with cut(site, "fe1-smtp", how):
        delivered_once(site, users[0], message, ident)
        if how == "kill":
            client.close()
    if how == "stop":
        code, text = rest()
        assert code // 100 in (2, 4), text
        client.close()
    assert site.count(users[0], ident, "fe2") == 1


@HOW
def test_imap_front_end_away(site, users, how):
    client = site.raw_imap(users[0], "fe1", "INBOX")
    with cut(site, "fe1-imap", how):
        other = site.raw_imap(users[0], "fe2", "INBOX")
        other.ok("FETCH 2 FLAGS")
        other.close()
        if how == "kill":
            assert client.is_closed()
    if how == "stop":
        client.ok("NOOP")
    client.close()


# ---- the disk of a store ------------------------------------------------------------------------

@pytest.fixture
def small_disk(site):
    """store2 on a disk of its own of 160 MiB, with small log files."""
    folder = os.path.join(site.cluster.dir, "data", "small")
    os.makedirs(folder, exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160m", "tmpfs", folder],
                          capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip("no file system can be mounted here: " + done.stderr.strip())
    conf = site.cluster.conf("store2")
    with open(conf) as f:
        text = f.read()
    name = "store2"
    site[name].stop()
    with open(conf, "w") as f:
        f.write(re.sub(r"^data_dir = .*store2$", f"data_dir = {folder}/s\nsegment_bytes = 4M",
                       text, flags=re.M))
    try:
        yield folder, name
    finally:
        site[name].stop()
        with open(conf, "w") as f:
            f.write(text)
        subprocess.run(["umount", folder], check=True)
        site[name].start()
        site.cluster.wait_settled()


def test_disk_full(site, users, small_disk):
    """452 and NO; reading, flags and expunging go on; when there is room again, so does mail."""
    folder, name = small_disk
    shutil_copy(os.path.join(site.cluster.dir, "data", "store2"), os.path.join(folder, "s"))
    site[name].start()
    site.cluster.wait_settled()
    user = site.user(name)
    for _ in range(3):
        site.send(user)
    filler = os.path.join(folder, "filler")
    stays = site.raw_imap(user, "fe1", "INBOX")
    client = site.raw_smtp("fe1")
    assert client.envelope(user)[0][0] == 250
    fill(filler, folder, 40 << 20)

    def is_full():
        c2 = site.raw_smtp("fe2")
        try:
            return c2.envelope(user)[0][0] == 452
        finally:
            c2.close()
    c.wait_until("the store to notice", is_full)
    code, text = client.data(talk.message())[0]
    assert code == 452 and text.startswith("4."), text
    client.close()
    lines = stays.append("INBOX", talk.message())
    assert lines[-1].split()[1] == b"NO", lines
    assert b"Message-ID" in b"".join(stays.ok("FETCH 1 BODY.PEEK[]"))
    assert site.pop3(user, "fe2").stat()[0] == 3
    stays.ok("STORE 1 +FLAGS (\\Deleted)")
    assert any(x.endswith(b"EXPUNGE") for x in stays.ok("EXPUNGE"))
    site.send(users[0], front="fe1")  # on the other store
    os.unlink(filler)
    c.wait_until("mail to be taken again", lambda: taken(site, user, "fe1"))
    ident = talk.message_id()
    site.send(user, talk.message(ident=ident))
    assert site.count(user, ident) == 1
    stays.close()


def shutil_copy(source, target):
    """The store's own folder moves to the small disk; what is preallocated is left behind."""
    subprocess.run(["cp", "-a", "--sparse=always", source, target], check=True)


def fill(path, folder, leave):
    free = os.statvfs(folder)
    with open(path, "wb") as f:
        os.posix_fallocate(f.fileno(), 0, max(1, free.f_bavail * free.f_frsize - leave))
