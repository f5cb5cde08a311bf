"""Everything over IPv6: ::1 with ports of its own for each host; and both kinds beside each
other. No part knows which of them it got."""
import re
import socket
import urllib.request

import cluster as c
import pytest
import talk
from conftest import lock_net
from test_trace import header, lines_of, stamps
from world import PASSWORD, Site


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
        return True
    except OSError:
        return False


pytestmark = pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")


class Cluster6(c.Cluster):
    """All hosts are ::1, so their ports differ."""
    six = None  # all hosts; or the ones that are

    def is_six(self, host):
        return self.six is None or host in self.six

    def ip(self, host):
        return "::1" if self.is_six(host) else super().ip(host)

    def at(self, host, service):
        if not self.is_six(host):
            return super().at(host, service)
        hosts = ["master"] + self.stores + self.fronts
        services = list(c.PORTS)
        return ("::1", 20000 + self.net % 100 * 100 + hosts.index(host) * len(services) +
                services.index(service))


class Mixed(Cluster6):
    six = ("store1", "fe1")


@pytest.fixture(scope="module", params=[Cluster6, Mixed], ids=["all", "mixed"])
def site(request, tmp_path_factory):
    net, lock = lock_net()
    s = Site(str(tmp_path_factory.mktemp("six")), net, request.param)
    try:
        s.start()
        yield s
    finally:
        s.stop()
        lock.close()


FRONTS = pytest.mark.parametrize("front", ["fe1", "fe2"])
STORES = pytest.mark.parametrize("store", ["store1", "store2"])


@FRONTS
@STORES
def test_mail_comes_in_and_is_read(site, front, store):
    user = site.user(store)
    site.send(user, front=front)
    client = site.lmtp(front)
    client.envelope(user)
    assert client.data(talk.message())[0][0] == 250
    client.close()
    assert site.pop3(user, front).stat()[0] == 2
    client = site.raw_imap(user, front, "INBOX")
    client.ok("CREATE made")
    client.ok("COPY 1:2 made")
    assert talk.number(client.ok("STATUS made (MESSAGES)"), rb"MESSAGES (\d+)") == 2
    client.close()


@FRONTS
@STORES
def test_the_trace_has_literals_of_the_right_kind(site, front, store):
    user = site.user(store)
    site.send(user, front=front)
    last, first = stamps(header(site, user))
    is_six = site.cluster.is_six
    assert first["peer"] == ("[IPv6:::1]" if is_six(front) else "[127.0.0.1]")
    assert last["peer"] == ("[IPv6:::1]" if is_six(store) else "[127.0.0.1]")


@FRONTS
@STORES
def test_the_store_knows_the_clients_address(site, front, store):
    """By ID and XCLIENT, whatever kind the link between front end and store is."""
    user = site.user(store).split("@")[0]
    peer = "::1" if site.cluster.is_six(front) else "127.0.0.1"
    client = site.raw_imap(f"{user}@{site.domain}", front)
    client.ok("LOGOUT")
    site.pop3(f"{user}@{site.domain}", front).quit()
    with open(site[store].log) as f:
        for event in ("imap.session", "pop3.session"):
            line = re.compile(rf"event={re.escape(event)} .*session=(\S+) peer=(\S+) user={user}\b")
            c.wait_until(f"{event} of {user}", lambda: f.seek(0) or line.search(f.read()))
            f.seek(0)
            session, seen = line.search(f.read()).groups()
            assert seen == peer
            assert lines_of(site, f"{front}-imap", session)


def test_limits_and_refusals_name_the_peer(site):
    client = site.raw_smtp("fe1")
    assert client.envelope("nobody-here@example.org")[0][0] == 550
    client.close()
    c.wait_until("the refusal in the log", lambda: "peer=::1" in open(site["fe1-smtp"].log).read())


def test_metrics_and_administration(site):
    for host, service in (("master", "metrics"), ("store1", "metrics"), ("fe1", "metrics-imap"),
                          ("fe1", "metrics-smtp")):
        url = f"http://{site.cluster.text(host, service)}/metrics"
        with urllib.request.urlopen(url, timeout=60) as page:
            assert b"roost_" in page.read()
    shown = site.cluster.ctl("fe1", "servers").stdout
    for store in site.cluster.stores:
        assert site.cluster.text(store, "lmtp") in shown, shown
    user = site.user("store1")
    assert site.cluster.ctl("fe1", "explain", user).returncode == 0
    client = site.raw_imap(user, "fe1")
    assert re.search(rf"{user.split('@')[0]}\S* .*::1", site.cluster.ctl("fe1", "who").stdout)
    client.close()


def test_networks_of_settings_may_be_ipv6(site):
    """A network that has ::1 lets log in without TLS; fe1 with another one does not."""
    conf = site.cluster.conf("fe1")
    with open(conf) as f:
        text = f.read()
    site["fe1-imap"].stop()
    try:
        with open(conf, "w") as f:
            f.write(text.replace(f"plaintext_networks = {site.cluster.inside}",
                                 "plaintext_networks = 2001:db8::/32 192.0.2.0/24"))
        site["fe1-imap"].start()
        user = site.user("store1")
        client = site.raw_imap(front="fe1")
        client.no(f'LOGIN {user} "{PASSWORD}"', b"PRIVACYREQUIRED")
        client.close()
    finally:
        site["fe1-imap"].stop()
        with open(conf, "w") as f:
            f.write(text)
        site["fe1-imap"].start()
    site.raw_imap(user, "fe1").close()
