"""The directory on a PostgreSQL server that all hosts share: aliases, forwards, whole domains
over SMTP; and what users see while the server is away."""
import collections
import json
import os
import re
import shutil
import socketserver
import subprocess
import tempfile
import threading
import time

import pytest

import cluster as c
import pgserver
import talk
from conftest import lock_net
from world import PASSWORD, SENDER, Site

pytestmark = pytest.mark.skipif(pgserver.bin_dir() is None, reason="needs Debian's postgresql")
RELAY_PORT = 2525


class Relay(socketserver.ThreadingTCPServer):
    """A next hop that takes all mail: (sender, recipients, message) of each."""
    allow_reuse_address = daemon_threads = True

    def __init__(self, address):
        self.taken = []
        super().__init__(address, RelaySession)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def of(self, ident):
        return [t for t in self.taken if ident.encode() in t[2]]


class RelaySession(socketserver.StreamRequestHandler):
    def handle(self):
        try:
            self.talk()
        except ConnectionError:
            pass  # a client that was in a hurry

    def talk(self):
        self.say("220 relay.example ESMTP")
        sender, to = None, []
        for line in iter(self.rfile.readline, b""):
            word = line.split(b" ")[0].strip().upper()
            if word == b"EHLO":
                self.say("250-relay.example\r\n250-8BITMIME\r\n250 SMTPUTF8")
                continue
            if word == b"MAIL":
                sender, to = re.search(rb"<(.*?)>", line)[1].decode(), []
            elif word == b"RCPT":
                to.append(re.search(rb"<(.*?)>", line)[1].decode())
            elif word == b"DATA":
                self.say("354 go on")
                self.server.taken.append((sender, to, self.data()))
            self.say("221 bye" if word == b"QUIT" else "250 fine")

    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def data(self):
        lines = []
        for line in iter(self.rfile.readline, b""):
            if line == b".\r\n":
                break
            lines.append(line)
        return b"".join(lines)


class Cluster(c.Cluster):
    """Whose directory is the server, by TLS with its name verified (by tls_ca), and with a next
    hop."""

    def url(self, name="mx1.example.org"):
        return f"postgresql://roost@{name}/roost?hostaddr={self.pg_host}&sslmode=verify-full"

    def settings(self, host):
        text = re.sub(r"^directory = .*$", f"directory = {self.url()}\n"
                      f"directory_password = {pgserver.PASSWORD}\nauth_workers = 1\n"
                      "directory_timeout = 1s\ndirectory_cache = 300ms\n"
                      "directory_cache_negative = 100ms\npostmaster = the-pm@example.org",
                      super().settings(host), flags=re.M)
        relay = f"[roost-smtp]\nrelay = {self.ip('dns')}:{RELAY_PORT}\n" \
                "srs_domain = example.org\nsrs_secret = a secret of sixteen bytes\n"
        return text.replace("[roost-smtp]\n", relay)


@pytest.fixture(scope="module")
def site(request):
    net, lock = lock_net()
    work = tempfile.mkdtemp(prefix="roost-cluster-")
    s = Site(work, net)
    s.cluster = Cluster(work, net=net, log_level="debug")
    s.cluster.pg_host = f"127.0.{net}.5"
    s.cluster.prepare()
    s.pg = pgserver.Server(s.cluster.pg_host, *(os.path.join(work, "tls", name) for name in
                                                ("cert.pem", "key.pem")))
    s.relay = Relay((s.cluster.ip("dns"), RELAY_PORT))
    before = request.session.testsfailed
    try:
        s.start()
        yield s
    finally:
        s.stop()
        s.relay.shutdown()
        s.relay.server_close()
        s.pg.remove()
        lock.close()
    if request.session.testsfailed > before:
        print(f"\nlogs and data are in {work}")
    else:
        shutil.rmtree(work)


def ctl(site, *args, host="fe1", **more):
    return site.cluster.ctl(host, *args, **more)


def answer(site, *args):
    return json.loads(ctl(site, "--json", *args, check=False).stdout)


def rcpt(site, address, front="fe1", sender=SENDER):
    """The reply to RCPT."""
    client = site.raw_smtp(front)
    reply = client.envelope(address, sender=sender)[0]
    client.close()
    return reply


def alias(site, address, *targets):
    ctl(site, "alias", "add", address, *targets)
    time.sleep(0.4)  # what was asked for lately is asked for again then


def send(site, *to, front="fe1"):
    ident = talk.message_id()
    site.send(list(to), talk.message(ident=ident), front)
    return ident


# ---- where mail goes -------------------------------------------------------------------------

def test_an_alias_to_users_on_two_stores(site):
    one, two = site.user("store1"), site.user("store2")
    alias(site, "team@example.org", one, two)
    alias(site, "all@example.org", "team")
    ident = send(site, "all@example.org", one)
    assert site.count(one, ident) == 1 and site.count(two, ident, "fe2") == 1
    lmtp = site.lmtp("fe2")
    ident = talk.message_id()
    assert [r[0] for r in lmtp.envelope("team@example.org", two)] == [250, 250]
    assert [r[0] for r in lmtp.data(talk.message(ident=ident), 2)] == [250, 250]
    lmtp.close()
    assert site.count(one, ident) == 1 and site.count(two, ident) == 1


def test_the_rest_of_a_domain_and_another_name_of_one(site):
    one = site.user("store1")
    ctl(site, "domain", "add", "rest.example")
    ctl(site, "domain", "add", "other.example", "--alias-of", "example.org")
    alias(site, "@rest.example", one)
    ident = send(site, "any.body@rest.example", one.replace("example.org", "other.example"))
    assert site.count(one, ident) == 1
    assert rcpt(site, "nobody-here@other.example")[0] == 550
    assert rcpt(site, "nobody-here@nowhere.example")[0] == 550
    client = site.raw_imap()
    client.ok(f'LOGIN {one.replace("example.org", "other.example")} "{PASSWORD}"')
    client.close()


def test_forwards_leave_by_the_relay(site):
    away, keeps = site.user("store1"), site.user("store2")
    ctl(site, "forward", "set", away, "far@elsewhere.example")
    ctl(site, "forward", "set", keeps, "also@elsewhere.example", "--keep")
    ident = send(site, away)
    ((sender, to, _),) = site.relay.of(ident)
    assert to == ["far@elsewhere.example"] and sender.endswith("@example.org")
    assert site.count(away, ident) == 0
    ident = send(site, keeps)
    assert site.relay.of(ident)[0][1] == ["also@elsewhere.example"]
    assert site.count(keeps, ident) == 1
    ctl(site, "forward", "clear", keeps)
    time.sleep(0.4)
    ident = send(site, keeps)
    assert site.relay.of(ident) == [] and site.count(keeps, ident) == 1


def test_circles_unknowns_disabled_and_the_postmaster(site):
    user = site.user("store1")
    site.pg.sql("INSERT INTO aliases (domain, local, target) VALUES"
                " ('example.org', 'ring', 'gnir@example.org'),"
                " ('example.org', 'gnir', 'ring@example.org')")
    code, text = rcpt(site, "ring@example.org")
    assert code == 550 and "5.4.6" in text
    code, text = rcpt(site, "nobody-here@example.org")
    assert code == 550 and "5.1.1" in text
    assert rcpt(site, "postmaster@example.org")[0] == 451  # the setting leads nowhere yet
    alias(site, "the-pm", user)
    ident = send(site, "postmaster@example.org")
    assert site.count(user, ident) == 1
    assert rcpt(site, "postmaster")[0] == 250
    ctl(site, "user", "disable", user)
    time.sleep(0.4)
    code, text = rcpt(site, user)
    assert code == 550 and "5.2.1" in text
    done = ctl(site, "alias", "add", "gnir2", "gnir", check=False)
    assert done.returncode != 0 and "circle" in done.stderr
    site.pg.sql("DELETE FROM aliases WHERE local IN ('ring', 'gnir')")


# ---- roostctl --------------------------------------------------------------------------------

def test_roostctl_shows_and_takes_away(site):
    one, two = site.user("store1"), site.user("store2")
    ctl(site, "alias", "add", "boss@example.org", one, "x@elsewhere.example", "--dry-run")
    assert answer(site, "alias", "list")["aliases"] == \
        [a for a in answer(site, "alias", "list")["aliases"] if a["address"] != "boss@example.org"]
    alias(site, "boss@example.org", one, "x@elsewhere.example")
    assert answer(site, "alias", "show", "boss")["targets"] == [
        {"address": "boss@example.org", "target": one},
        {"address": "boss@example.org", "target": "x@elsewhere.example"}]
    ctl(site, "forward", "set", one, two, "--keep")
    shown = answer(site, "user", "show", one)
    assert shown["aliases"] == ["boss@example.org"] and shown["forwards"] == [two]
    explained = answer(site, "explain", "boss@example.org")
    assert [f["verdict"] for f in explained["finals"]] == ["fine-here"] * 2 or \
        {f["home"] for f in explained["finals"]} == {"store1", "store2"}
    assert explained["relays"] == ["x@elsewhere.example"] and len(explained["steps"]) == 4
    text = ctl(site, "explain", "boss@example.org", check=False).stdout
    assert "is an alias" in text and "keeps a copy" in text and "relay" in text
    done = ctl(site, "user", "add", "boss", "--store", "store1", "--generate", host="store1",
               check=False)
    assert done.returncode != 0 and "alias" in done.stderr
    gone = ctl(site, "user", "delete", one, "--dry-run", host="store1").stdout
    assert f"boss@example.org still leads to {one}" in gone
    ctl(site, "alias", "delete", "boss@example.org", "x@elsewhere.example")
    ctl(site, "alias", "delete", "boss@example.org")
    assert ctl(site, "alias", "show", "boss", check=False).returncode == 1
    done = ctl(site, "domain", "delete", "example.org", check=False)
    assert done.returncode == 1 and "still has accounts" in done.stderr


def test_groups_and_services(site):
    user = site.user("store1")
    ctl(site, "group", "add", "staff")
    ctl(site, "group", "join", "staff", user)
    assert {"group": "staff@example.org", "member": user} in \
        answer(site, "group", "list", "staff")["groups"]
    ctl(site, "user", "services", user, "imap,smtp")
    time.sleep(0.4)
    site.imap(user).logout()
    with pytest.raises(Exception, match="AUTH"):
        site.pop3(user)
    ctl(site, "group", "leave", "staff", user)
    ctl(site, "group", "delete", "staff")
    done = ctl(site, "group", "join", "staff", user, check=False)
    assert done.returncode == 1 and "no group" in done.stderr


def test_a_server_that_is_somebody_else(site):
    """The name in its certificate is another one: not a word to it."""
    conf = site.cluster.conf("fe1")
    text = open(conf).read()
    for wrong, says in ((text.replace("roost@mx1.example.org", "roost@db.example.net"), "db.example"),
                        (text.replace(pgserver.PASSWORD, "no"), "password")):
        path = conf + ".wrong"
        with open(path, "w") as f:
            f.write(wrong)
        done = subprocess.run([os.path.join(site.cluster.bin, "roostctl"), "--config", path,
                               "alias", "list"], capture_output=True, text=True, timeout=120)
        os.unlink(path)
        assert done.returncode == 75 and says in done.stderr, done


# ---- the server away ----------------------------------------------------------------------------

class Load(threading.Thread):
    """Mail to one address after the other, by one front end; what was said to whom, and when it was
    asked and said."""

    def __init__(self, site, front, addresses):
        super().__init__(daemon=True)
        self.site, self.front, self.addresses = site, front, addresses
        self.said, self.taken, self.ended = [], collections.Counter(), False

    def run(self):
        while not self.ended:
            for address in self.addresses:
                self.once(address)
                time.sleep(0.01)

    def once(self, address):
        client = self.site.raw_smtp(self.front)
        asked = time.monotonic()
        code = client.envelope(address)[0][0]
        if code == 250:
            code = client.data(talk.message(f"{address}\r\n"))[0][0]
            self.taken[address] += code == 250
        self.said.append((asked, time.monotonic(), address, code))
        client.close()

    def codes(self, address, since, until=float("inf")):
        """Of what was asked and said in between."""
        return {code for asked, said, a, code in self.said
                if a == address and since < asked and said < until}

    def wait(self, since, code):
        """Until each was told so after that moment."""
        c.wait_until(f"{self.front} to say {code}", lambda: not self.is_alive() or all(
            code in self.codes(a, since) for a in self.addresses))


def messages(site, user):
    client = site.imap(user)
    count = int(client.select("INBOX", readonly=True)[1][0])
    client.logout()
    return count


@pytest.mark.parametrize("how", ["stopped", "frozen"])
def test_the_server_away_under_load(site, how):
    known, other, late = site.user("store1"), site.user("store2"), site.user("store1")
    alias(site, f"list-{how}@example.org", known, other)
    site.imap(known).logout()
    site.imap(known, "fe2").logout()
    before = {u: messages(site, u) for u in (known, other)}
    strangers = [f"{how}{n}@example.org" for n in range(3)]
    loads = [Load(site, front, [known, f"list-{how}@example.org", other]) for front in
             ("fe1", "fe2")]
    loads += [Load(site, front, strangers) for front in ("fe1", "fe2")]
    for load in loads:
        load.start()
    for load, code in zip(loads, (250, 250, 550, 550)):
        load.wait(0, code)
    away = time.monotonic()
    site.pg.stop() if how == "stopped" else site.pg.freeze()
    time.sleep(6)  # several times as long as anything is kept, or waited for
    for load, code in zip(loads, (250, 250, 451, 451)):
        load.wait(away + 1.5, code)
    # one whom nobody has asked for yet: later, in every service
    assert rcpt(site, late)[0] == 451
    client = site.raw_imap()
    client.no(f'LOGIN {late} "{PASSWORD}"', b"[UNAVAILABLE]")
    client.close()
    site.imap(known).logout()
    site.imap(known, "fe2").logout()
    done = ctl(site, "user", "passwd", known, "--password-stdin", stdin="x\n", check=False)
    assert done.returncode == 75
    back = time.monotonic()
    site.pg.start() if how == "stopped" else site.pg.thaw()
    c.wait_until("new names to be known", lambda: rcpt(site, late)[0] == 250)
    print(f"{how}: back after {time.monotonic() - back:.1f} s")
    for load, code in zip(loads, (250, 250, 550, 550)):
        load.wait(back, code)
    healed = time.monotonic()
    for load, code in zip(loads, (250, 250, 550, 550)):
        load.wait(healed, code)
    for load in loads:
        load.ended = True
    for load in loads:
        load.join()
    for load in loads[:2]:
        for address in load.addresses:
            assert load.codes(address, 0) == {250}, (address, load.codes(address, 0))
    for load in loads[2:]:
        for address in load.addresses:
            assert load.codes(address, 0, away) == {550}
            assert load.codes(address, away + 1.5, back) == {451}
            assert load.codes(address, healed) == {550}
            assert load.codes(address, 0) == {550, 451}
    for user in (known, other):
        taken = sum(load.taken[user] + load.taken[f"list-{how}@example.org"]
                    for load in loads[:2])
        assert messages(site, user) - before[user] == taken
