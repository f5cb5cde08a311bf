"""Limits and the defence of logins, by real processes: sessions by address and user, wrong
passwords, rates; a limits process that is killed; Redis stopped and started under load."""
import concurrent.futures
import contextlib
import functools
import itertools
import json
import os
import select
import signal
import socket
import subprocess
import time

import pytest

import cluster as c
import talk
from sasl import Protocol, b64
from world import PASSWORD, frozen

# Everything but the limits under test is as it is set by default.
SETTINGS = """
unlimited_networks = 192.0.2.0/24
limit_address_sessions = 12
limit_user_sessions = 6
limit_user_address_sessions = 4
limit_address_failures = 8
limit_account_failures = 3
limit_block_max = 12s
limit_client_messages = 5
limit_sender_messages = 4
limit_sender_recipients = 6
login_failure_delay = 200ms
"""
DELAY = 0.19  # login_failure_delay; a timer counts by a clock that is some milliseconds coarse
LONG = 6      # seconds of a block: enough to look around


def change(site, host, more):
    """The settings of `host` with these in [common]; the front end takes them by a restart."""
    path = site.cluster.conf(host)
    text = site.cluster.settings(host).replace("drain_timeout = 5s", "drain_timeout = 8s")
    with open(path, "w") as f:
        f.write(text.replace("[common]\n", "[common]\n" + more, 1))
    for program in ("imap", "smtp"):
        site[f"{host}-{program}"].stop()
        site[f"{host}-{program}"].start()


@pytest.fixture(scope="module")
def site(own):
    own.limits = SETTINGS
    for host in own.cluster.fronts:
        change(own, host, own.limits)
    own.cluster.wait_settled()
    return own


def connect(site, front="fe1", service="imap", source=None):
    """A connection from a loopback address of one's own, with its greeting."""
    sock = socket.create_connection(site.cluster.at(front, service), timeout=talk.TIMEOUT,
                                    source_address=(source, 0) if source else None)
    lines = talk.Lines.__new__(talk.Lines)
    lines.sock, lines.file = sock, sock.makefile("rb")
    lines.greeting = lines.line()
    return lines


numbers = itertools.count(1)


def address():
    """A client's address that no other test has."""
    n = next(numbers)
    return f"127.99.{n // 250}.{n % 250 + 1}"


def login(client, user, password=PASSWORD):
    line = client.say(f'a LOGIN {user} "{password}"')
    while line.startswith(b"* "):
        line = client.line()
    return line


def attempt(site, user, password, source, front="fe1"):
    client = connect(site, front, source=source)
    try:
        return login(client, user, password) if client.greeting.startswith(b"* OK") \
            else client.greeting
    finally:
        client.close()


def metric(site, name, front="fe1", program="imap"):
    return site.cluster.metric(front, name, "metrics-" + program)


def uncounted(site):
    """Questions that were not answered in time: what was asked was allowed, or counted alone."""
    return sum(metric(site, name, front, program) for front in site.cluster.fronts
               for program in ("imap", "smtp")
               for name in ("roost_limit_unanswered_total", "roost_redis_late_total"))


def counting(test):
    """What is refused is refused by counts, and a machine that is so busy that they come too late
    lets everybody in: then it is tried again, with other users and addresses."""
    @functools.wraps(test)
    def wrapper(site, *args, **kw):
        for _ in range(9):
            before = uncounted(site)
            try:
                return test(site, *args, **kw)
            except AssertionError:
                if uncounted(site) == before:
                    raise
        return test(site, *args, **kw)
    return wrapper


# ---- sessions -----------------------------------------------------------------------


@counting
def test_so_many_sessions_from_one_address(site):
    here, there = address(), address()
    clients = [connect(site, source=here) for _ in range(12)]
    assert all(x.greeting.startswith(b"* OK") for x in clients)
    thirteenth = connect(site, source=here)
    assert thirteenth.greeting.startswith(b"* BYE [LIMIT]"), thirteenth.greeting
    assert thirteenth.is_closed()
    pop = connect(site, service="pop3", source=here)
    assert pop.greeting.startswith(b"-ERR [SYS/TEMP]") and pop.is_closed()
    assert connect(site, source=there).greeting.startswith(b"* OK")
    clients.pop().close()
    c.wait_until("room for another", lambda: connect(site, source=here).greeting
                 .startswith(b"* OK"))
    assert metric(site, "roost_limit_refused_total") >= 2
    for x in clients:
        x.close()


@counting
def test_smtp_says_421(site):
    here = address()
    clients = [connect(site, service="smtp", source=here) for _ in range(12)]
    assert all(x.greeting.startswith(b"220") for x in clients)
    more = connect(site, service="smtp", source=here)
    assert more.greeting.startswith(b"421 4.7.0") and more.is_closed()


@counting
def test_so_many_sessions_of_one_user(site):
    user = site.user("store1")
    here, there, elsewhere = address(), address(), address()
    clients = [connect(site, source=here) for _ in range(5)]
    answers = [login(x, user) for x in clients]
    assert [x.startswith(b"a OK") for x in answers] == [True] * 4 + [False]
    assert answers[4].startswith(b"a NO [LIMIT]"), answers[4]
    others = [connect(site, source=there) for _ in range(3)]
    answers = [login(x, user) for x in others]
    assert [x.startswith(b"a OK") for x in answers] == [True, True, False], answers
    assert answers[2].startswith(b"a NO [LIMIT]")
    pop = connect(site, service="pop3", source=elsewhere)
    assert pop.say(f"USER {user}").startswith(b"+OK")
    assert pop.say(f"PASS {PASSWORD}").startswith(b"-ERR [SYS/TEMP]")
    # another user is not meant
    assert attempt(site, site.user("store2"), PASSWORD, here).startswith(b"a OK")
    clients[0].say("b LOGOUT")
    clients[0].close()
    c.wait_until("room for another", lambda: attempt(site, user, PASSWORD, there)
                 .startswith(b"a OK"))
    for x in clients + others:
        x.close()


# ---- logins -------------------------------------------------------------------------


def held(site, front, program, name):
    """What is held against a user (the local part) or an address: kind -> entry."""
    told = json.loads(site.cluster.ctl(front, "--json", "limits", "list").stdout)["entries"]
    return {e["kind"]: e for e in told if e["name"] == name and e["program"] == program}


class Guess(Protocol):
    """A wrong login under way, from an address of one's own."""

    def __init__(self, site, service="imap", front="fe1", source=None):
        self.service, self.client = service, connect(site, front, service, source or address())
        if service == "submission":
            self.many("EHLO client.example.net", b"-")

    def say_it(self, user, password):
        self.client.send(f"{self.verb()}PLAIN ".encode() + b64(f"\0{user}\0{password}") + b"\r\n")
        return self


class Guesses:
    """Wrong logins under way, so many that a block is LONG; their answers are held back as long
    as that. Those that came too late to be looked at did not count, so there may have to be more
    of them. make(n) is the name for the n-th one."""

    def __init__(self, site, subject, make, count=12, service="imap", front="fe1", source=None):
        self.site, self.subject, self.make, self.count = site, subject, make, count
        self.how = service, front, source
        self.program = "roost-smtp" if service == "submission" else "roost-imap"
        self.open, self.made = [], 0

    def guess(self):
        if self.how[2] and len(self.open) == self.count:
            self.open.pop(0).close()  # an address has so many sessions; it has guessed all the same
        self.open.append(Guess(self.site, *self.how).say_it(self.make(self.made),
                                                            f"guess {self.made}"))
        self.made, self.last = self.made + 1, time.monotonic()

    def is_long(self):
        kinds = held(self.site, self.how[1], self.program, self.subject)
        block_s = max([e["block_s"] for e in kinds.values()], default=0)
        if block_s == 0 and time.monotonic() > self.last + 1:
            self.guess()  # it makes the next one twice as long
        return block_s >= LONG

    def hold(self):
        c.wait_until(f"a long block of {self.subject}", self.is_long)

    def answers(self):
        return [p.client.line() for p in self.open]

    def __enter__(self):
        for _ in range(self.count):
            self.guess()
        self.hold()
        return self

    def __exit__(self, *_):
        for p in self.open:
            p.close()


def guesses_of(site, user, **more):
    return Guesses(site, user.split("@")[0], lambda n: user, **more)


@counting
def test_an_account_under_attack_is_open_where_its_user_is_known(site):
    user = site.user("store1")
    home = address()
    assert attempt(site, user, PASSWORD, home).startswith(b"a OK")
    stranger = address()
    with guesses_of(site, user) as guesses:
        began = time.monotonic()
        line = attempt(site, user, PASSWORD, stranger)
        assert line.startswith(b"a NO [LIMIT]"), line  # and not a word of wrong passwords
        assert time.monotonic() - began >= DELAY
        p = Protocol(site, "fe1")  # another stranger, by SCRAM
        ok, line = p.scram(user, PASSWORD)
        assert not ok and line.startswith(b"a NO [LIMIT]"), line
        p.close()
        assert attempt(site, user, PASSWORD, home).startswith(b"a OK")
        # who was blocked when his turn came hears that, as he would with the right one
        words = [x.split(b"]")[0] for x in guesses.answers()]
    assert set(words) <= {b"a NO [AUTHENTICATIONFAILED", b"a NO [LIMIT"}, words
    assert words.count(b"a NO [AUTHENTICATIONFAILED") >= 3
    c.wait_until("the end of the block", lambda: attempt(site, user, PASSWORD, stranger)
                 .startswith(b"a OK"))


@counting
def test_an_address_that_guesses_is_slower_and_then_out(site):
    here, neighbour, other = address(), site.user("store1"), site.user("store2")
    assert attempt(site, neighbour, PASSWORD, here).startswith(b"a OK")
    for i in range(7):
        began = time.monotonic()
        line = attempt(site, f"nobody{i}@example.org", "guess", here)
        assert line.startswith(b"a NO [AUTHENTICATIONFAILED]"), line
        assert DELAY <= time.monotonic() - began < LONG
    with Guesses(site, here, lambda n: f"someone{n}@example.org", count=9, source=here):
        assert attempt(site, other, PASSWORD, here).startswith(b"a NO [LIMIT]")
        assert attempt(site, neighbour, PASSWORD, here).startswith(b"a OK")
        assert attempt(site, other, PASSWORD, address()).startswith(b"a OK")


@pytest.mark.parametrize("service", ["imap", "pop3", "submission"])
def test_who_leaves_before_the_answer_has_guessed_all_the_same(site, service):
    user = site.user("store1")
    program = "smtp" if service == "submission" else "imap"
    counted = ("roost_limit_failed_logins_total", "fe1", program)
    before = metric(site, *counted)
    for i in range(6):  # the last ones are not looked at any more
        Guess(site, service).say_it(user, f"guess {i}").close()
    c.wait_until("the guesses to be counted", lambda: metric(site, *counted) >= before + 4)


@pytest.fixture
def slow_answers(site):
    """fe2 answers a wrong password after 5 s."""
    change(site, "fe2", site.limits.replace("200ms", "5s"))
    yield "fe2"
    change(site, "fe2", site.limits)
    site.cluster.wait_settled()


@counting
def test_many_guesses_at_once_are_no_more_than_one_after_the_other(site, slow_answers):
    user = site.user("store1")
    guesses = [Guess(site, "imap", slow_answers).say_it(user, f"guess {i}") for i in range(6)]
    c.wait_until("the guesses to be counted", lambda: any(
        e["block_s"] for e in held(site, slow_answers, "roost-imap", user.split("@")[0]).values()))
    assert select.select([p.client.sock for p in guesses], [], [], 0)[0] == []  # no answer yet
    p = Guess(site, "imap", slow_answers)
    assert p.plain(user, PASSWORD)[1].startswith(b"a NO [LIMIT]")
    for p in guesses + [p]:
        p.close()


def guess_by(p, how, user, password):
    if how.startswith("scram"):
        answer = p.scram(user, password, initial=how == "scram")
        assert not p.proved
        return answer
    if how == "login":
        return p.login(user, password)
    return p.plain(user, password, initial=False)


@pytest.mark.parametrize("service", ["imap", "submission"])
@counting
def test_a_blocked_account_tells_no_mechanism_which_password_is_right(site, service):
    user = site.user("store1")
    with guesses_of(site, user, service=service) as guesses:
        for how in ("scram", "login", "plain", "scram with a step more"):
            answers = []
            guesses.hold()
            for password in (PASSWORD, "wrong"):
                p = Guess(site, service)
                began = time.monotonic()
                answers.append(guess_by(p, how, user, password))
                assert DELAY <= time.monotonic() - began < LONG, how
                p.close()
            assert answers[0] == answers[1] and not answers[0][0], (how, answers)


def test_the_same_wrong_password_counts_once(site):
    user, here = site.user("store1"), address()
    for _ in range(10):
        line = attempt(site, user, "last year's", here)
        assert line.startswith(b"a NO [AUTHENTICATIONFAILED]"), line
    assert attempt(site, user, PASSWORD, address()).startswith(b"a OK")


@counting
def test_what_is_held_against_somebody_is_listed_and_cleared(site):
    user, here = site.user("store1"), address()
    name = user.split("@")[0]
    with guesses_of(site, user, count=10, source=here) as guesses:
        mine = held(site, "fe1", "roost-imap", name) | held(site, "fe1", "roost-imap", here)
        assert set(mine) == {"address", "user"}, mine
        assert all(4 <= e["failures"] <= guesses.made for e in mine.values()), mine
        assert mine["user"]["block_s"] > 0
        text = site.cluster.ctl("fe1", "limits", "list").stdout
        assert here in text and "BLOCKED FOR" in text
        assert attempt(site, user, PASSWORD, address()).startswith(b"a NO [LIMIT]")
        assert site.cluster.ctl("fe1", "limits", "clear", user).returncode == 0
        assert attempt(site, user, PASSWORD, address()).startswith(b"a OK")
    done = site.cluster.ctl("fe1", "limits", "clear", "203.0.113.77")
    assert "Nothing was held" in done.stdout


# ---- rates --------------------------------------------------------------------------


def submit(site, user, to, source):
    """The answers to AUTH, the RCPTs, DATA, and the message, of a user (None: nobody)."""
    service = "submission" if user else "smtp"
    client = talk.Smtp.__new__(talk.Smtp)
    client.__dict__.update(connect(site, service=service, source=source).__dict__)
    codes = [client.ask("EHLO client.example.net")[0]]
    if user:
        codes.append(client.ask("AUTH PLAIN " + b64(f"\0{user}\0{PASSWORD}").decode())[0])
    codes += [x[0] for x in client.envelope(*to, sender=user or "x@elsewhere.example.net")]
    codes.append(client.ask("DATA")[0])
    if codes[-1] == 354:
        client.send(talk.message() + b".\r\n")
        codes.append(client.reply()[0])
    client.close()
    return codes[1:]


@counting
def test_a_client_sends_so_many_messages(site):
    to, here = [site.user("store1")], address()
    assert [submit(site, None, to, here)[1] for _ in range(6)] == [354] * 5 + [450]
    assert submit(site, None, to, address())[1] == 354


@counting
def test_a_chunk_that_is_refused_may_take_its_time(site):
    user, here = site.user("store1"), address()
    for _ in range(5):
        submit(site, None, [user], here)
    client = talk.Smtp.__new__(talk.Smtp)
    client.__dict__.update(connect(site, service="smtp", source=here).__dict__)
    client.ask("EHLO client.example.net")
    assert client.envelope(user)[0][0] == 250
    client.send("BDAT 12 LAST\r\nfirst\r\n")
    time.sleep(0.5)
    client.send("rest.")
    assert client.reply()[0] == 450
    assert client.ask("NOOP")[0] == 250
    client.close()


@counting
def test_a_sender_sends_so_many_messages_and_to_so_many(site):
    user, other = site.user("store1"), site.user("store2")
    to = [site.user("store1") for _ in range(3)]
    # from wherever; 235, 250 for each, 354, 250
    assert submit(site, user, to, address()) == [235, 250, 250, 250, 354, 250]
    assert submit(site, user, to[:2], address()) == [235, 250, 250, 354, 250]
    assert submit(site, user, to[:2], address()) == [235, 250, 250, 450]  # the seventh
    assert submit(site, user, to[:1], address()) == [235, 250, 354, 250]
    assert submit(site, user, to[:1], address())[-1] == 450  # the fifth message
    assert submit(site, other, to, address())[-1] == 250


# ---- the guard's own trouble ---------------------------------------------------------


def limits_pid(site, name):
    """The limits process: the child of the supervisor that has the socket listening. None: it is
    to be replaced."""
    inode = None
    for line in open("/proc/net/unix"):
        if line.rstrip().endswith(f"/roost-{name.split('-')[1]}.limits") and \
                f"/{name.split('-')[0]}/" in line and site.cluster.dir in line and \
                line.split()[3] == "00010000":  # it listens
            inode = line.split()[6]
            break
    supervisor = site[name].pid()
    for pid in open(f"/proc/{supervisor}/task/{supervisor}/children").read().split():
        try:
            if any(os.readlink(f"/proc/{pid}/fd/{fd}") == f"socket:[{inode}]"
                   for fd in os.listdir(f"/proc/{pid}/fd")):
                return int(pid)
        except OSError:
            pass  # it has just ended
    return None


def test_a_dead_limits_process_closes_no_door_and_knows_its_sessions_again(site):
    here = address()
    clients = [connect(site, source=here) for _ in range(12)]
    user = site.user("store1")
    old = limits_pid(site, "fe1-imap")
    os.kill(old, signal.SIGKILL)
    assert attempt(site, user, PASSWORD, address()).startswith(b"a OK")
    c.wait_until("its successor", lambda: limits_pid(site, "fe1-imap") not in (None, old))
    c.wait_until("its count", lambda: connect(site, source=here).greeting.startswith(b"* BYE"))
    for x in clients:
        x.close()


@pytest.mark.parametrize("program,service,greeting", [
    ("imap", "imaps", b"* OK"), ("imap", "pop3s", b"+OK"), ("smtp", "submissions", b"220 ")])
def test_a_handshake_that_comes_before_the_verdict_is_no_plaintext(site, program, service,
                                                                    greeting):
    with frozen([limits_pid(site, "fe1-" + program)]):
        with socket.create_connection(site.cluster.at("fe1", service), timeout=20,
                                      source_address=(address(), 0)) as sock:
            with site.tls.wrap_socket(sock, server_hostname=site.cluster.ip("fe1")) as tls:
                assert tls.recv(1000).startswith(greeting)


def test_a_stopped_limits_process_holds_nobody_up(site):
    user = site.user("store1")
    pid = limits_pid(site, "fe1-imap")
    before = metric(site, "roost_limit_unanswered_total")
    with frozen([pid]):
        began = time.monotonic()
        assert attempt(site, user, PASSWORD, address()).startswith(b"a OK")
        assert time.monotonic() - began < 20  # each question waits for a tenth of a second
    assert metric(site, "roost_limit_unanswered_total") > before


@counting
def test_a_reload_forgets_neither_failures_nor_known_addresses(site):
    user, home = site.user("store1"), address()
    assert attempt(site, user, PASSWORD, home, "fe2").startswith(b"a OK")
    old = limits_pid(site, "fe2-imap")
    with guesses_of(site, user, front="fe2"):
        pass
    site["fe2-imap"].signal(signal.SIGHUP)
    c.wait_until("the new limits process alone", lambda: limits_pid(site, "fe2-imap") not in
                 (None, old) and not os.path.exists(f"/proc/{old}"))

    def remembered():
        with contextlib.suppress(c.Trouble):
            mine = held(site, "fe2", "roost-imap", user.split("@")[0])
            return "user" in mine and mine["user"]["failures"] >= 4 and mine["user"]["block_s"] == 0
    c.wait_until("what its predecessor knew, and the end of the block", remembered)
    with guesses_of(site, user, count=1, front="fe2"):
        assert attempt(site, user, PASSWORD, address(), "fe2").startswith(b"a NO [LIMIT]")
        assert attempt(site, user, PASSWORD, home, "fe2").startswith(b"a OK")


@counting
def test_a_reload_keeps_counting_the_old_sessions(site):
    here = address()
    clients = [connect(site, "fe2", source=here) for _ in range(12)]
    old = limits_pid(site, "fe2-imap")
    site["fe2-imap"].signal(signal.SIGHUP)
    c.wait_until("a new limits process", lambda: limits_pid(site, "fe2-imap") not in (None, old))
    c.wait_until("the old sessions to be counted by it", lambda: connect(
        site, "fe2", source=here).greeting.startswith(b"* BYE [LIMIT]"), 10)
    assert select.select([x.sock for x in clients], [], [], 0)[0] == []  # none has ended
    for x in clients:
        x.close()


# ---- Redis --------------------------------------------------------------------------


class Redis:
    def __init__(self, site, port=6390, tls=False):
        self.host, self.port = site.cluster.ip("dns"), port
        self.ports = ["--port", str(port)]
        if tls:
            pem = os.path.join(site.cluster.dir, "tls", "")
            self.ports = ["--port", "0", "--tls-port", str(port), "--tls-auth-clients", "no",
                          "--tls-cert-file", pem + "cert.pem", "--tls-key-file", pem + "key.pem"]
        self.dir = os.path.join(site.cluster.dir, "tmp")
        self.child = None

    def start(self):
        self.child = subprocess.Popen(
            ["redis-server", "--bind", self.host, *self.ports, "--save", "",
             "--appendonly", "no", "--dir", self.dir, "--requirepass", "hush",
             "--logfile", os.path.join(self.dir, "redis.log")])
        c.wait_until("Redis", lambda: c.can_connect(self.host, self.port))

    def stop(self):
        if self.child:
            self.child.kill()
            self.child.wait()
        self.child = None

    def keys(self, pattern):
        out = subprocess.run(["redis-cli", "-h", self.host, "-p", str(self.port), "-a", "hush",
                              "--no-auth-warning", "--scan", "--pattern", pattern],
                             capture_output=True, text=True, timeout=60)
        return out.stdout.split()


@pytest.fixture(scope="module")
def redis(site):
    r = Redis(site)
    r.start()
    site.limits = SETTINGS + f"redis = {r.host}:{r.port}\nredis_password = hush\n"
    for host in site.cluster.fronts:
        change(site, host, site.limits)
    site.cluster.wait_settled()
    wait_up(site, 1)
    yield r
    r.stop()


def wait_up(site, value):
    for host in site.cluster.fronts:
        c.wait_until(f"Redis {value} at {host}",
                     lambda host=host: metric(site, "roost_redis_up", host) == value)


@counting
def test_two_front_ends_count_together(site, redis):
    here = address()
    clients = [connect(site, front, source=here) for front in ("fe1", "fe2") for _ in range(6)]
    assert all(x.greeting.startswith(b"* OK") for x in clients)
    for front in ("fe1", "fe2"):
        more = connect(site, front, source=here)
        assert more.greeting.startswith(b"* BYE [LIMIT]"), front
        more.close()
    clients.pop().close()
    c.wait_until("room for another", lambda: connect(site, "fe1", source=here).greeting
                 .startswith(b"* OK"))
    user = site.user("store1")
    others = [connect(site, front, source=address()) for front in ("fe1", "fe2") * 4]
    answers = [login(x, user).startswith(b"a OK") for x in others]
    assert answers == [True] * 6 + [False] * 2
    for x in clients + others:
        x.close()
    c.wait_until("no session to be left in Redis", lambda: not redis.keys("roost:s:*"))


@counting
def test_failures_are_known_to_all_front_ends(site, redis):
    user, home = site.user("store2"), address()
    assert attempt(site, user, PASSWORD, home, "fe2").startswith(b"a OK")
    with guesses_of(site, user):
        assert attempt(site, user, PASSWORD, address(), "fe2").startswith(b"a NO [LIMIT]")
        assert attempt(site, user, PASSWORD, home, "fe1").startswith(b"a OK")
    assert redis.keys("roost:f:u:*") and redis.keys("roost:k:p:*")


@counting
def test_a_blocked_account_tells_nothing_at_the_other_front_end_either(site, redis):
    user = site.user("store2")
    with guesses_of(site, user) as guesses:
        for how in ("scram", "login"):
            lines = []
            guesses.hold()
            for password in (PASSWORD, "wrong"):
                p = Guess(site, "submission", "fe2")
                lines.append(guess_by(p, how, user, password))
                p.close()
            assert lines[0] == lines[1] and lines[0][1].startswith(b"454 "), (how, lines)


@counting
def test_a_front_end_that_dies_leaves_no_sessions_behind(site, redis):
    """Its successor has the same name and sets its own numbers."""
    here = address()
    clients = [connect(site, "fe1", source=here) for _ in range(12)]
    assert connect(site, "fe2", source=here).greeting.startswith(b"* BYE [LIMIT]")
    site["fe1-imap"].kill()
    site["fe1-imap"].start()
    for x in clients:
        x.close()
    c.wait_until("Redis", lambda: metric(site, "roost_redis_up", "fe1"))
    assert connect(site, "fe1", source=here).greeting.startswith(b"* OK")
    c.wait_until("the dead one's sessions to be gone", lambda: connect(
        site, "fe2", source=here).greeting.startswith(b"* OK"), 10)


def test_redis_stopped_and_started_under_load(site, redis):
    users = [site.user(s) for s in ("store1", "store2") * 10]
    sources = [address() for _ in users]
    stop, failed, done = [], [], [0]

    def work(i):
        while not stop:
            line = attempt(site, users[i], PASSWORD, sources[i], ("fe1", "fe2")[i % 2])
            done[0] += 1
            if not line.startswith(b"a OK"):
                failed.append(line)

    with concurrent.futures.ThreadPoolExecutor(len(users)) as pool:
        for i in range(len(users)):
            pool.submit(work, i)
        try:
            for _ in range(3):
                time.sleep(1)
                redis.stop()
                wait_up(site, 0)
                time.sleep(1)
                redis.start()
                wait_up(site, 1)
            late = metric(site, "roost_redis_late_total")
            redis.child.send_signal(signal.SIGSTOP)  # and one that hangs
            wait_up(site, 0)
            assert metric(site, "roost_redis_late_total") > late
            redis.child.send_signal(signal.SIGCONT)
            wait_up(site, 1)
            c.wait_until("a hundred logins", lambda: done[0] > 100 or failed)
        finally:
            stop.append(True)
    assert not failed, failed[:3]
    assert metric(site, "roost_redis_lost_total") >= 4
    count_together(site)


@counting
def count_together(site):
    here = address()
    clients = [connect(site, front, source=here) for front in ("fe1", "fe2") for _ in range(6)]
    assert connect(site, "fe2", source=here).greeting.startswith(b"* BYE [LIMIT]")
    for x in clients:
        x.close()


def test_sessions_of_many_users_are_renewed(site, redis):
    """More subjects than one script takes; told anew when Redis has forgotten them."""
    clients = []
    for i in range(60):
        clients.append(connect(site, "fe1", source=f"127.99.9.{i + 1}"))
    c.wait_until("Redis to know them", lambda: len(redis.keys("roost:s:a:*")) >= 60)
    redis.stop()
    wait_up(site, 0)
    redis.start()
    wait_up(site, 1)
    c.wait_until("all of them", lambda: len(redis.keys("roost:s:a:*")) >= 60, 15)  # before 20 s
    for x in clients:
        x.close()


def away(site):
    """How often Redis was not to be had, by fe2's log."""
    with open(site["fe2-imap"].log, errors="replace") as f:
        return f.read().count("event=redis.away ")


def test_redis_inside_tls(site, redis):
    inside = Redis(site, 6391, tls=True)
    inside.start()
    more = SETTINGS + (f"redis = {inside.host}:{inside.port}\nredis_password = hush\n"
                       "redis_tls = yes\nredis_tls_name = %s\n")
    try:
        change(site, "fe2", more % "mail.example.org")
        c.wait_until("Redis at fe2", lambda: metric(site, "roost_redis_up", "fe2"))
        seen = away(site)
        change(site, "fe2", more % "other.example.org")  # not the name in its certificate
        c.wait_until("several tries", lambda: away(site) >= seen + 3)
        assert metric(site, "roost_redis_up", "fe2") == 0
        assert attempt(site, site.user("store1"), PASSWORD, address(), "fe2").startswith(b"a OK")
    finally:
        inside.stop()
        change(site, "fe2", site.limits)
        wait_up(site, 1)


def test_fifty_clients_at_once_all_get_in(site, redis):
    """As many curl processes: none is held up by counting."""
    users = [site.user(s) for s in ("store1", "store2") * 25]

    def curl(i):
        front = ("fe1", "fe2")[i % 2]
        out = subprocess.run(
            ["curl", "-sS", "--max-time", "60", "--interface", f"127.99.8.{i + 1}", "-u",
             f"{users[i]}:{PASSWORD}", "imap://" + site.cluster.text(front, "imap") + "/"],
            capture_output=True, text=True, timeout=90)
        return out.returncode, out.stdout + out.stderr

    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        results = list(pool.map(curl, range(50)))
    bad = [r for r in results if r[0] != 0 or "INBOX" not in r[1]]
    assert not bad, bad[:3]
