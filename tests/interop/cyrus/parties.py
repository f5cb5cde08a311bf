"""Who takes part in the scenarios."""
import os
import tempfile

import lab
from box import Box

NET = int(os.environ.get("ROOST_TEST_NET", "33"))


def ip(number):
    return f"127.0.{NET}.{number}"


MASTER, BE1, BE2, SPARE, FE, REPLICA = (ip(n) for n in (10, 11, 12, 13, 20, 21))


# ---- the parties ---------------------------------------------------------------------------

class Lab(Box):
    def __init__(self, name):
        base = os.environ.get("ROOST_CYRUS_DIR") or os.path.join(
            tempfile.gettempdir(), "roost-cyrus")
        os.makedirs(base, exist_ok=True)
        self.root = lab.unpack(base)
        super().__init__(f"cyrus-{name}")

    def in_memory(self):
        """A folder where Cyrus does not wait for the disk with each change, if there is one."""
        path = tempfile.mkdtemp(prefix="roost-cyrus-",
                                dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        os.chmod(path, 0o755)
        self.dirs.append(path)
        return path

    def store(self, name, at, master=MASTER, lmtpd="lmtpd", more=None, pushes=True):
        settings = {"mupdate_server": master, "mupdate_port": "3905", "mupdate_username": name,
                    "mupdate_authname": name, "mupdate_password": lab.SECRET,
                    "proxyservers": "proxy", "admins": "cyrus proxy", "lmtp_admins": "proxy",
                    "proxy_authname": "proxy", "proxy_password": lab.SECRET,
                    "allowusermoves": "yes", **(more or {})}
        host = lab.Host(self.root, self.sub(name), at, settings,
                        [("imap", "imapd", 143, "prefork=0"),
                         ("pop3", "pop3d", 110, "prefork=0"),
                         ("lmtp", lmtpd, 24, "prefork=0")],
                        [("recover", "ctl_cyrusdb -r")] +
                        ([("push", "ctl_mboxlist -m")] if pushes else []))
        for user in ("cyrus", "proxy", "fred", "ann"):
            host.add_login(user)
        self.parties.append(host)
        return host

    def front(self, name, at, master=MASTER, **more):
        settings = {"mupdate_server": master, "mupdate_port": "3905",
                    "mupdate_username": name, "mupdate_authname": name, "mupdate_password": lab.SECRET,
                    "proxy_authname": "proxy", "proxy_password": lab.SECRET,
                    "proxyd_allow_status_referral": "no", "mupdate_retry_delay": "2", **more}
        host = lab.Host(self.root, self.sub(name), at, settings,
                        [("mupdate", "mupdate", 3905, "prefork=1"),
                         ("imap", "imapd", 143, "prefork=0"),
                         ("pop3", "pop3d", 110, "prefork=0"),
                         ("lmtp", "lmtpd -a", 24, "prefork=0")])
        for user in ("cyrus", "fred", "ann"):
            host.add_login(user)
        self.parties.append(host)
        return host

    def cyrus_master(self, at, folder=None):
        host = lab.Host(self.root, folder or self.sub("mupdate"), at, {"admins": "be1 be2 s1 fe replica"},
                        [("mupdate", "mupdate -m", 3905, "prefork=1")])
        for user in ("be1", "be2", "s1", "fe", "replica"):
            host.add_login(user)
        self.parties.append(host)
        return host


# ---- our master ---------------------------------------------------------------------------

IDENTITIES = """
[identity be1]
password = secret
services = mupdate
servers = {0}
[identity be2]
password = secret
services = mupdate
servers = {1}
[identity fe]
password = secret
services = mupdate
[identity replica]
password = secret
services = mupdate
"""


def our_master(box):
    return box.roost("master", MASTER,
                     f"[roost-mupdate]\nrole = master\nlisten = {MASTER}:3905\n"
                     f"data_dir = {{dir}}/map\nservers = {BE1} {BE2}\nread_only = fe replica\n"
                     + IDENTITIES.format(BE1, BE2))
