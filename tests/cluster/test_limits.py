"""Limits and the defence of logins, by real processes: sessions by address and user, wrong
passwords, rates; a limits process that is killed; Redis stopped and started under load."""
import concurrent.futures
import json
import os
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
limit_block_max = 6s
limit_client_messages = 5
limit_sender_messages = 4
limit_sender_recipients = 6
login_failure_delay = 200ms
"""


def change(site, host, more):
    """The settings of `host` with these in [common]; the front end takes them by a restart."""
    path = site.cluster.conf(host)
    text = site.cluster.settings(host)
    with open(path, "w") as f:
        f.write(text.replace("[common]\n", "[common]\n" + more, 1))
    for program in ("imap", "smtp"):
        site[f"{host}-{program}"].stop()
        site[f"{host}-{program}"].start()


@pytest.fixture(scope="module")
def site(own):
    for host in own.cluster.fronts:
        change(own, host, SETTINGS)
    own.cluster.wait_settled()
    return own


def connect(site, front="fe1", service="imap", source=None):
    """A connection from a loopback address of one's own, with its greeting."""
    sock = socket.create_connection(site.cluster.at(front, service), timeout=20,
                                    source_address=(source, 0) if source else None)
    lines = talk.Lines.__new__(talk.Lines)
    lines.sock, lines.file = sock, sock.makefile("rb")
    lines.greeting = lines.line()
    return lines


numbers = iter(range(1, 250))


def address():
    """A client's address that no other test has."""
    return f"127.99.7.{next(numbers)}"


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


# ---- sessions -----------------------------------------------------------------------


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
                 .startswith(b"* OK"), 5)
    assert metric(site, "roost_limit_refused_total") >= 2
    for x in clients:
        x.close()


def test_smtp_says_421(site):
    here = address()
    clients = [connect(site, service="smtp", source=here) for _ in range(12)]
    assert all(x.greeting.startswith(b"220") for x in clients)
    more = connect(site, service="smtp", source=here)
    assert more.greeting.startswith(b"421 4.7.0") and more.is_closed()


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
                 .startswith(b"a OK"), 5)
    for x in clients + others:
        x.close()


# ---- logins -------------------------------------------------------------------------


class Guesses:
    """Wrong logins under way; their answers are held back as long as the block they cause, so
    what others meet meanwhile is looked at inside."""

    def __init__(self, site, tries):
        self.site, self.tries = site, tries
        self.pool = concurrent.futures.ThreadPoolExecutor(len(tries))

    def __enter__(self):
        self.began = time.monotonic()
        self.open = [self.pool.submit(attempt, self.site, *t) for t in self.tries]
        time.sleep(1)
        return self

    def __exit__(self, *_):
        self.lines = [f.result() for f in self.open]
        self.seconds = time.monotonic() - self.began
        self.pool.shutdown()


def test_an_account_under_attack_is_open_where_its_user_is_known(site):
    user = site.user("store1")
    home = address()
    assert attempt(site, user, PASSWORD, home).startswith(b"a OK")
    stranger = address()
    with Guesses(site, [(user, f"guess {i}", address()) for i in range(8)]) as guesses:
        began = time.monotonic()
        line = attempt(site, user, PASSWORD, stranger)
        assert line.startswith(b"a NO [LIMIT]"), line  # and not a word of wrong passwords
        assert time.monotonic() - began >= 0.2
        p = Protocol(site, "fe1")  # another stranger, by SCRAM
        ok, line = p.scram(user, PASSWORD)
        assert not ok and line.startswith(b"a NO [LIMIT]"), line
        p.close()
        assert attempt(site, user, PASSWORD, home).startswith(b"a OK")
    # who was blocked when his turn came hears that, as he would with the right one
    words = [x.split(b"]")[0] for x in guesses.lines]
    assert set(words) <= {b"a NO [AUTHENTICATIONFAILED", b"a NO [LIMIT"}, guesses.lines
    assert words.count(b"a NO [AUTHENTICATIONFAILED") >= 3
    c.wait_until("the end of the block", lambda: attempt(site, user, PASSWORD, stranger)
                 .startswith(b"a OK"), 10)


def test_an_address_that_guesses_is_slower_and_then_out(site):
    here, neighbour, other = address(), site.user("store1"), site.user("store2")
    assert attempt(site, neighbour, PASSWORD, here).startswith(b"a OK")
    for i in range(7):
        began = time.monotonic()
        line = attempt(site, f"nobody{i}@example.org", "guess", here)
        assert line.startswith(b"a NO [AUTHENTICATIONFAILED]"), line
        assert 0.2 <= time.monotonic() - began < 2
    names = [f"someone{i}@example.org" for i in range(6)]
    with Guesses(site, [(name, "guess", here) for name in names]):
        assert attempt(site, other, PASSWORD, here).startswith(b"a NO [LIMIT]")
        assert attempt(site, neighbour, PASSWORD, here).startswith(b"a OK")
        assert attempt(site, other, PASSWORD, address()).startswith(b"a OK")


class Guess(Protocol):
    """From an address of one's own."""

    def __init__(self, site, service, front="fe1"):
        self.service, self.client = service, connect(site, front, service, address())
        if service == "submission":
            self.many("EHLO client.example.net", b"-")


@pytest.mark.parametrize("service", ["imap", "pop3", "submission"])
def test_who_leaves_before_the_answer_has_guessed_all_the_same(site, service):
    user = site.user("store1")
    program = "smtp" if service == "submission" else "imap"
    counted = ("roost_limit_failed_logins_total", "fe1", program)
    before = metric(site, *counted)
    for i in range(6):  # the last ones are not looked at any more
        p = Guess(site, service)
        p.client.send(f"{p.verb()}PLAIN ".encode() + b64(f"\0{user}\0guess {i}") + b"\r\n")
        time.sleep(0.05)
        p.close()
    c.wait_until("the guesses to be counted", lambda: metric(site, *counted) >= before + 4, 5)


@pytest.fixture
def slow_answers(site):
    """fe2 answers a wrong password after 3 s."""
    change(site, "fe2", SETTINGS.replace("200ms", "3s"))
    yield "fe2"
    change(site, "fe2", SETTINGS)
    site.cluster.wait_settled()


def test_many_guesses_at_once_are_no_more_than_one_after_the_other(site, slow_answers):
    user = site.user("store1")
    guesses = [Guess(site, "imap", slow_answers) for _ in range(6)]
    for i, p in enumerate(guesses):
        p.client.send(f"{p.verb()}PLAIN ".encode() + b64(f"\0{user}\0guess {i}") + b"\r\n")
    time.sleep(1.5)  # none of them is answered yet
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
def test_a_blocked_account_tells_no_mechanism_which_password_is_right(site, service):
    user = site.user("store1")
    guesses = [Guess(site, service) for _ in range(12)]
    for i, p in enumerate(guesses):  # at once: the answers are held back
        p.client.send(f"{p.verb()}PLAIN ".encode() + b64(f"\0{user}\0guess {i}") + b"\r\n")
    time.sleep(0.5)
    for how in ("scram", "login", "plain", "scram with a step more"):
        answers = []
        for password in (PASSWORD, "wrong"):
            p = Guess(site, service)
            began = time.monotonic()
            answers.append(guess_by(p, how, user, password))
            assert 0.19 < time.monotonic() - began < 1.5, how
            p.close()
        assert answers[0] == answers[1] and not answers[0][0], (how, answers)
    for p in guesses:
        p.close()


def test_the_same_wrong_password_counts_once(site):
    user, here = site.user("store1"), address()
    for _ in range(10):
        line = attempt(site, user, "last year's", here)
        assert line.startswith(b"a NO [AUTHENTICATIONFAILED]"), line
    assert attempt(site, user, PASSWORD, address()).startswith(b"a OK")


def test_what_is_held_against_somebody_is_listed_and_cleared(site):
    user, here = site.user("store1"), address()
    with Guesses(site, [(user, f"guess {i}", here) for i in range(7)]):
        listed = json.loads(site.cluster.ctl("fe1", "--json", "limits", "list").stdout)["entries"]
        mine = [e for e in listed if e["name"] in (user.split("@")[0], here)]
        assert {e["kind"] for e in mine} == {"address", "user"}, listed
        assert all(4 <= e["failures"] <= 7 for e in mine), mine
        assert [e["block_s"] > 0 for e in mine if e["kind"] == "user"] == [True]
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


def test_a_client_sends_so_many_messages(site):
    to, here = [site.user("store1")], address()
    assert [submit(site, None, to, here)[1] for _ in range(6)] == [354] * 5 + [450]
    assert submit(site, None, to, address())[1] == 354


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
    """The limits process: the child of the supervisor that has the socket listening."""
    inode = None
    for line in open("/proc/net/unix"):
        if line.rstrip().endswith(f"/roost-{name.split('-')[1]}.limits") and \
                f"/{name.split('-')[0]}/" in line and site.cluster.dir in line and \
                line.split()[3] == "00010000":  # it listens
            inode = line.split()[6]
            break
    assert inode, "no limits socket"
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
    c.wait_until("its successor", lambda: limits_pid(site, "fe1-imap") not in (None, old), 10)
    c.wait_until("its count", lambda: connect(site, source=here).greeting.startswith(b"* BYE"), 10)
    for x in clients:
        x.close()


def test_a_stopped_limits_process_holds_nobody_up(site):
    user = site.user("store1")
    pid = limits_pid(site, "fe1-imap")
    before = metric(site, "roost_limit_unanswered_total")
    with frozen([pid]):
        began = time.monotonic()
        assert attempt(site, user, PASSWORD, address()).startswith(b"a OK")
        assert time.monotonic() - began < 5
    assert metric(site, "roost_limit_unanswered_total") > before


def test_a_reload_forgets_neither_failures_nor_known_addresses(site):
    user, home = site.user("store1"), address()
    assert attempt(site, user, PASSWORD, home, "fe2").startswith(b"a OK")
    old = limits_pid(site, "fe2-imap")
    with Guesses(site, [(user, f"guess {i}", address(), "fe2") for i in range(8)]):
        pass
    site["fe2-imap"].signal(signal.SIGHUP)
    c.wait_until("the new limits process alone", lambda: limits_pid(site, "fe2-imap") != old
                 and not os.path.exists(f"/proc/{old}"), 10)

    def remembered():
        done = site.cluster.ctl("fe2", "--json", "limits", "list", check=False)
        return done.returncode == 0 and [e for e in json.loads(done.stdout)["entries"]
                                         if e["name"] == user.split("@")[0]
                                         and e["failures"] >= 4 and e["block_s"] == 0]
    c.wait_until("what its predecessor knew, and the end of the block", remembered, 10)
    with Guesses(site, [(user, f"more {i}", address(), "fe2") for i in range(3)]):
        assert attempt(site, user, PASSWORD, address(), "fe2").startswith(b"a NO [LIMIT]")
        assert attempt(site, user, PASSWORD, home, "fe2").startswith(b"a OK")


def test_a_reload_keeps_counting_the_old_sessions(site):
    here = address()
    clients = [connect(site, "fe2", source=here) for _ in range(11)]
    site["fe2-imap"].signal(signal.SIGHUP)
    time.sleep(2)
    more = [connect(site, "fe2", source=here) for _ in range(3)]
    greetings = [x.greeting for x in more]
    assert any(g.startswith(b"* BYE [LIMIT]") for g in greetings), greetings
    for x in clients + more:
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
        c.wait_until("Redis", lambda: c.can_connect(self.host, self.port), 10)

    def stop(self):
        if self.child:
            self.child.kill()
            self.child.wait()
        self.child = None

    def keys(self, pattern):
        out = subprocess.run(["redis-cli", "-h", self.host, "-p", str(self.port), "-a", "hush",
                              "--no-auth-warning", "--scan", "--pattern", pattern],
                             capture_output=True, text=True, timeout=10)
        return out.stdout.split()


@pytest.fixture(scope="module")
def redis(site):
    r = Redis(site)
    r.start()
    more = SETTINGS + f"redis = {r.host}:{r.port}\nredis_password = hush\n"
    for host in site.cluster.fronts:
        change(site, host, more)
    site.cluster.wait_settled()
    for host in site.cluster.fronts:
        c.wait_until("Redis at " + host, lambda host=host: metric(site, "roost_redis_up", host), 10)
    yield r
    r.stop()


def wait_up(site, value):
    for host in site.cluster.fronts:
        c.wait_until(f"Redis {value} at {host}",
                     lambda host=host: metric(site, "roost_redis_up", host) == value, 15)


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
                 .startswith(b"* OK"), 5)
    user = site.user("store1")
    others = [connect(site, front, source=address()) for front in ("fe1", "fe2") * 4]
    answers = [login(x, user).startswith(b"a OK") for x in others]
    assert answers == [True] * 6 + [False] * 2
    for x in clients + others:
        x.close()
    c.wait_until("no session to be left in Redis", lambda: not redis.keys("roost:s:*"), 10)


def test_failures_are_known_to_all_front_ends(site, redis):
    user, home = site.user("store2"), address()
    assert attempt(site, user, PASSWORD, home, "fe2").startswith(b"a OK")
    with Guesses(site, [(user, f"guess {i}", address(), "fe1") for i in range(8)]):
        assert attempt(site, user, PASSWORD, address(), "fe2").startswith(b"a NO [LIMIT]")
        assert attempt(site, user, PASSWORD, home, "fe1").startswith(b"a OK")
    assert redis.keys("roost:f:u:*") and redis.keys("roost:k:p:*")


def test_a_blocked_account_tells_nothing_at_the_other_front_end_either(site, redis):
    user = site.user("store2")
    guesses = [Guess(site, "imap") for _ in range(12)]
    for i, p in enumerate(guesses):
        p.client.send(f"{p.verb()}PLAIN ".encode() + b64(f"\0{user}\0guess {i}") + b"\r\n")
    time.sleep(0.5)
    for how in ("scram", "login"):
        lines = []
        for password in (PASSWORD, "wrong"):
            p = Guess(site, "submission", "fe2")
            lines.append(guess_by(p, how, user, password))
            p.close()
        assert lines[0] == lines[1] and lines[0][1].startswith(b"454 "), (how, lines)
    for p in guesses:
        p.close()


def test_a_front_end_that_dies_leaves_no_sessions_behind(site, redis):
    """Its successor has the same name and sets its own numbers."""
    here = address()
    clients = [connect(site, "fe1", source=here) for _ in range(12)]
    assert connect(site, "fe2", source=here).greeting.startswith(b"* BYE [LIMIT]")
    site["fe1-imap"].kill()
    site["fe1-imap"].start()
    for x in clients:
        x.close()
    c.wait_until("Redis", lambda: metric(site, "roost_redis_up", "fe1"), 10)
    assert connect(site, "fe1", source=here).greeting.startswith(b"* OK")
    c.wait_until("the dead one's sessions to be gone", lambda: connect(
        site, "fe2", source=here).greeting.startswith(b"* OK"), 5)


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
            redis.child.send_signal(signal.SIGSTOP)  # and one that hangs
            wait_up(site, 0)
            redis.child.send_signal(signal.SIGCONT)
            wait_up(site, 1)
        finally:
            stop.append(True)
    assert not failed, failed[:3]
    assert done[0] > 100
    assert metric(site, "roost_redis_lost_total") >= 4
    # counting together again
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
    assert len(redis.keys("roost:s:a:*")) >= 60
    redis.stop()
    wait_up(site, 0)
    redis.start()
    wait_up(site, 1)
    c.wait_until("all of them", lambda: len(redis.keys("roost:s:a:*")) >= 60, 5)
    for x in clients:
        x.close()


def test_redis_inside_tls(site, redis):
    inside = Redis(site, 6391, tls=True)
    inside.start()
    more = SETTINGS + (f"redis = {inside.host}:{inside.port}\nredis_password = hush\n"
                       "redis_tls = yes\nredis_tls_name = %s\n")
    try:
        change(site, "fe2", more % "mail.example.org")
        c.wait_until("Redis at fe2", lambda: metric(site, "roost_redis_up", "fe2"), 10)
        change(site, "fe2", more % "other.example.org")  # not the name in its certificate
        time.sleep(2)
        assert metric(site, "roost_redis_up", "fe2") == 0
        assert attempt(site, site.user("store1"), PASSWORD, address(), "fe2").startswith(b"a OK")
    finally:
        inside.stop()
        change(site, "fe2", SETTINGS + f"redis = {redis.host}:{redis.port}\n"
               "redis_password = hush\n")
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
