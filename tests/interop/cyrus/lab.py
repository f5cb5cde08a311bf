"""Real Cyrus IMAP servers in a private folder. Each host is a loopback address with the
protocols' own ports, because Cyrus servers find each other by name and service; the names of
the services are told to it alone, in a mount namespace."""
import os
import shutil
import signal
import subprocess
import time

import box
from checks import SECRET

PACKAGES = ["cyrus-common", "cyrus-imapd", "cyrus-pop3d", "cyrus-murder", "cyrus-clients"]
# What Cyrus is linked with, and the tool and plug-ins for its password file.
LIBRARIES = ["libical3", "libwrap0", "libxapian30", "sasl2-bin", "libsasl2-modules",
             "libsasl2-modules-db"]
SERVICES = "imap 143/tcp\npop3 110/tcp\nlmtp 24/tcp\nmupdate 3905/tcp\nsieve 4190/tcp\n"
USER = "mail"  # an account every Debian has; Cyrus does not run as root


def unpack(folder):
    """Downloads and unpacks Cyrus below folder, once."""
    box.install(LIBRARIES)
    return box.unpack(folder, PACKAGES)


class Host:
    """One Cyrus server: its settings, its master process, its tools."""

    def __init__(self, root, folder, ip, settings, services, start=()):
        self.root, self.dir, self.ip = root, folder, ip
        self.process, self.more_env = None, {}
        self.services = os.path.join(folder, "services")
        for d in ["conf", "spool", "conf/socket", "conf/proc", "conf/log", "conf/db"]:
            os.makedirs(os.path.join(folder, d), exist_ok=True)
        base = {"configdirectory": f"{folder}/conf", "partition-default": f"{folder}/spool",
                "defaultpartition": "default", "cyrus_user": USER, "cyrus_group": USER,
                "servername": ip, "admins": "cyrus", "allowplaintext": "yes",
                "sasl_pwcheck_method": "auxprop", "sasl_auxprop_plugin": "sasldb",
                "sasl_sasldb_path": f"{folder}/sasldb2", "sasl_mech_list": "PLAIN",
                "syslog_prefix": "cyrus", "unixhierarchysep": "no", "altnamespace": "no",
                "lmtpsocket": f"{folder}/conf/socket/lmtp", "duplicatesuppression": "no",
                "idlesocket": f"{folder}/conf/socket/idle", "conversations": "no",
                "virtdomains": "off", "tcp_keepalive": "yes"}
        base.update(settings)
        with open(self.path("imapd.conf"), "w") as f:
            f.writelines(f"{k}: {v}\n" for k, v in base.items() if v is not None)
        with open(self.path("cyrus.conf"), "w") as f:
            f.write("START {\n" + "".join(f"  {n} cmd=\"{self.command(c)}\"\n" for n, c in start))
            f.write("}\nSERVICES {\n")
            for name, cmd, port, more in services:
                f.write(f"  {name} cmd=\"{self.command(cmd)}\" listen=\"{ip}:{port}\" "
                        f"proto=\"tcp4\" {more}\n")
            f.write("}\nEVENTS {\n}\n")

        with open(self.services, "w") as f:
            f.write(SERVICES)

    def path(self, name):
        return os.path.join(self.dir, name)

    def binary(self, name):
        return os.path.join(self.root, "usr/lib/cyrus/bin", name)

    def command(self, text):
        name, _, rest = text.partition(" ")
        return f"{self.binary(name)} -C {self.path('imapd.conf')} {rest}".strip()

    def inside(self, args):
        """args in a mount namespace that knows the services."""
        return ["unshare", "-m", "sh", "-c",
                'mount --bind "$0" /etc/services && exec "$@"', self.services] + args

    def env(self):
        return dict(os.environ, LD_LIBRARY_PATH=os.path.join(self.root, "usr/lib/x86_64-linux-gnu"),
                    **self.more_env)

    def add_login(self, user):
        subprocess.run(["saslpasswd2", "-p", "-c", "-f", self.path("sasldb2"), "-u", self.ip, user],
                       input=SECRET, text=True, check=True)

    def own(self):
        for where, dirs, files in os.walk(self.dir):
            for name in [where] + [os.path.join(where, n) for n in dirs + files]:
                shutil.chown(name, USER, USER)

    def tool(self, name, *args, stdin=None):
        return subprocess.run(self.inside([self.binary(name), "-C", self.path("imapd.conf"),
                                           *args]),
                              env=self.env(), input=stdin, capture_output=True, text=True,
                              timeout=60)

    def start(self):
        self.own()
        log = open(self.path("master.log"), "ab")
        self.process = subprocess.Popen(
            self.inside([self.binary("master"), "-C", self.path("imapd.conf"),
                         "-M", self.path("cyrus.conf"), "-p", self.path("master.pid"),
                         "-L", self.path("master.out")]),
            env=self.env(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True)
        log.close()

    def stop(self):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            pass
        # what its master left behind is in its session
        box.run(["pkill", "-KILL", "-s", str(self.process.pid)])
        self.process.wait(5)
        time.sleep(0.1)
        self.process = None
