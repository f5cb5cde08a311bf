"""A real Dovecot 2.3 in a private folder. Its programs know where they are installed, so they run
in a mount namespace in which the folder lies over /usr. One address, the protocols' own ports."""
import os
import shutil
import signal
import socket
import subprocess
import tempfile

import box
from checks import SECRET, certificate
from roost import NotHere, Trouble, until

PACKAGES = ["dovecot-core", "dovecot-imapd", "dovecot-pop3d", "dovecot-lmtpd"]
# What its programs are linked with and a small Debian may lack.
LIBRARIES = ["libstemmer0d", "libsodium23", "libtirpc3", "libwrap0", "libunwind8"]
DOMAIN = "example.org"
LOGINS, OWNER = "nobody", "mail"  # accounts every Debian has
USERS = [f"{name}@{DOMAIN}" for name in ("fred", "gina", "hugo")]
TLS_NAME = "dv.test"

SETTINGS = """
protocols = imap pop3 lmtp
listen = {ip}
base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/dovecot.log
default_login_user = {LOGINS}
default_internal_user = {OWNER}
default_internal_group = {OWNER}
mail_uid = {OWNER}
mail_gid = {OWNER}
first_valid_uid = 1
mail_home = {dir}/home/%u
mail_location = sdbox:~/mail
auth_default_realm = {DOMAIN}
auth_failure_delay = 0
login_trusted_networks = {trusted}
ssl = {ssl}
ssl_cert = <{cert}
ssl_key = <{key}
passdb {{
  driver = passwd-file
  args = {dir}/masters
  master = yes
  result_success = continue
}}
passdb {{
  driver = passwd-file
  args = {dir}/users
}}
userdb {{
  driver = passwd-file
  args = {dir}/users
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Sent {{
    auto = subscribe
    special_use = \\Sent
  }}
  mailbox Junk {{
    auto = create
    special_use = \\Junk
  }}
}}
recipient_delimiter = +
lmtp_save_to_detail_mailbox = yes
lda_mailbox_autocreate = yes
lmtp_rcpt_check_quota = yes
mail_plugins = $mail_plugins {plugins}
protocol imap {{
  mail_plugins = $mail_plugins {imap_plugins}
}}
service imap-login {{
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  inet_listener pop3s {{
    port = 0
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = {ip}
    port = 24
  }}
}}
plugin {{
  quota = count:User quota
  quota_vsizes = yes
  acl = vfile
  acl_user = %u
}}
{more}
"""


def network():
    """The third number of a loopback network in which nobody listens."""
    wanted = os.environ.get("ROOST_TEST_NET")
    for net in [int(wanted)] if wanted else range(34, 60):
        try:
            for last in (10, 11, 13, 20):
                for port in (24, 25, 110, 143, 3905):
                    with socket.socket() as s:
                        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                        s.bind((f"127.0.{net}.{last}", port))
            return net
        except OSError:
            continue
    raise NotHere("no loopback network with free ports")


def installed(root, *command):
    """The command, where Dovecot seems to be installed."""
    return ["unshare", "-m", "sh", "-c",
            'mount -t overlay overlay -o lowerdir="$0":/usr /usr && exec "$@"',
            os.path.join(root, "usr"), *command]


class Dovecot:
    def __init__(self, root, folder, ip, **settings):
        self.root, self.dir, self.ip, self.process = root, folder, ip, None
        for name in ("home", "run", "state"):
            os.makedirs(self.path(name), exist_ok=True)
        shutil.chown(self.path("home"), OWNER, OWNER)
        self.set_certificate()
        self.configure(**settings)
        self.write("masters", f"roost@{DOMAIN}:{{PLAIN}}{SECRET}\n")
        self.set_users({user: "" for user in USERS})

    def set_certificate(self):
        self.cert, self.key = certificate(self.dir, TLS_NAME, "-addext",
                                          f"subjectAltName=DNS:{TLS_NAME}")

    def configure(self, trusted="127.0.0.1", ssl="yes", plugins="quota",
                  imap_plugins="imap_quota", more=""):
        """For the next start."""
        self.write("dovecot.conf", SETTINGS.format(
            ip=self.ip, dir=self.dir, trusted=trusted, ssl=ssl, cert=self.cert, key=self.key,
            plugins=plugins, imap_plugins=imap_plugins, more=more, DOMAIN=DOMAIN, LOGINS=LOGINS,
            OWNER=OWNER))

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)

    def set_users(self, quotas):
        """Their own passwords are not known to our front ends."""
        self.write("users", "".join(
            f"{user}:{{PLAIN}}own-{user}::::::" + (f"userdb_quota_rule=*:{rule}" if rule else "") +
            "\n" for user, rule in quotas.items()))

    def start(self):
        out = open(self.path("dovecot.out"), "ab")
        self.process = subprocess.Popen(
            installed(self.root, "/usr/sbin/dovecot", "-F", "-c", self.path("dovecot.conf")),
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
        out.close()
        until("Dovecot to listen", self.is_there)

    def is_there(self):
        if self.process.poll() is not None:
            text = open(self.path("dovecot.out")).read() + self.log()
            raise Trouble(f"Dovecot does not start: {text[-600:]}")
        try:
            for port in (143, 110, 24):
                socket.create_connection((self.ip, port), 5).close()
            return True
        except OSError:
            return False

    def signal(self, number):
        """To its master and all it has started: they are one process group."""
        os.killpg(self.process.pid, number)

    def stop(self):
        if self.process is None:
            return
        self.signal(signal.SIGCONT)
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            pass
        self.kill()

    def kill(self):
        try:
            self.signal(signal.SIGKILL)
        except ProcessLookupError:
            pass  # nothing is left
        self.process.wait(5)
        self.process = None

    def log(self):
        try:
            return open(self.path("dovecot.log"), errors="replace").read()
        except FileNotFoundError:
            return ""


class Lab(box.Box):
    def __init__(self, name):
        base = os.environ.get("ROOST_DOVECOT_DIR") or os.path.join(
            tempfile.gettempdir(), "roost-dovecot")
        if os.geteuid() != 0:
            raise NotHere("not root")
        box.install(LIBRARIES)
        os.makedirs(base, exist_ok=True)
        self.root = box.unpack(base, PACKAGES)
        runs = box.run(installed(self.root, "/usr/sbin/dovecot", "--version"))
        if runs.returncode != 0:
            raise NotHere("Dovecot does not run here: " + runs.stderr.strip())
        super().__init__(f"dovecot-{name}")
        net = network()
        self.MASTER, self.DV, self.STORE, self.FE, self.CLIENT = (
            f"127.0.{net}.{n}" for n in (10, 11, 13, 20, 77))

    def dovecot(self, **more):
        party = Dovecot(self.root, self.sub("dovecot"), self.DV, **more)
        self.parties.append(party)
        return party
