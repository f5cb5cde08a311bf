"""A cluster as root starts it: ports below 1024 are opened, then everything that touches a
byte of a peer is an ordinary user without capabilities."""
import os
import pwd
import re
import shutil
import tempfile

import cluster as c
import pytest
from cluster import tree
from conftest import lock_net
from world import Site

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can open such ports")
LOW = {"smtp": 25, "lmtp": 24, "imap": 143, "imaps": 993, "pop3": 110, "pop3s": 995}
USER = "nobody"


class Low(c.Cluster):
    def at(self, host, service):
        return (self.ip(host), LOW.get(service, c.PORTS[service]))

    def settings(self, host):
        return re.sub(r"^\[common\]$", f"[common]\nuser = {USER}", super().settings(host),
                      flags=re.M)

    def prepare(self):
        """As an administrator does it: the folders are the user's, the settings are root's."""
        super().prepare()
        os.chmod(self.dir, 0o755)
        for name in ("data", "run", "tls"):
            for folder, _, files in os.walk(os.path.join(self.dir, name)):
                for path in [folder] + [os.path.join(folder, f) for f in files]:
                    shutil.chown(path, USER)
        for host in ["master"] + self.stores + self.fronts:
            os.chmod(self.conf(host), 0o600)

    def ctl(self, host, *args, **kw):
        done = super().ctl(host, *args, **kw)
        for name in os.listdir(os.path.join(self.dir, "data")):
            if name.startswith("directory.db"):  # made by root's roostctl
                shutil.chown(os.path.join(self.dir, "data", name), USER)
        return done


@pytest.fixture(scope="module")
def site():
    net, lock = lock_net()
    work = tempfile.mkdtemp(prefix="roost-cluster-")
    s = Site(work, net, Low)
    try:
        s.start()
        yield s
    finally:
        s.stop()
        lock.close()
        shutil.rmtree(work)


def status(pid, word):
    with open(f"/proc/{pid}/status") as f:
        return re.search(rf"^{word}:\s*(.*)$", f.read(), re.M).group(1).split()


def test_only_supervisors_are_root(site):
    user = site.user("store1")
    site.send(user)
    assert site.pop3(user).stat()[0] == 1
    uid = str(pwd.getpwnam(USER).pw_uid)
    for name, process in site.cluster.processes.items():
        supervisor, *children = tree(process.pid())
        assert status(supervisor, "Uid") == ["0"] * 4
        assert len(children) >= 2, name
        for pid in children:
            assert status(pid, "Uid") == [uid] * 4, name
            assert "0" not in status(pid, "Groups"), name
            for word in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
                assert int(status(pid, word)[0], 16) == 0, (name, word)


def test_a_worker_that_ended_is_replaced_on_its_low_port(site):
    user = site.user("store2")
    for name in ("fe1-imap", "fe1-smtp", "store2"):
        for pid in tree(site[name].pid())[1:]:
            os.kill(pid, 9)

    def served():
        try:
            site.send(user)
            return site.pop3(user).stat()[0] > 0
        except Exception:  # noqa: BLE001  the workers are coming back
            return False
    c.wait_until("new workers", served)
