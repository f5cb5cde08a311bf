"""A Kerberos realm of our own: a KDC on a loopback address, in a folder; nothing of the host's
Kerberos is read or changed."""
import os
import signal
import socket
import subprocess

import box
from roost import Trouble, await_end, until

SERVERS = ["krb5-kdc", "krb5-admin-server"]
# The client's tools, the plug-in, and what the servers are linked with.
LIBRARIES = ["krb5-user", "libsasl2-modules-gssapi-mit", "libkadm5srv-mit12", "libverto-libev1"]
REALM, OTHER = "EXAMPLE.ORG", "OTHER.NET"
PLUGINS = "usr/lib/x86_64-linux-gnu/krb5/plugins/kdb"

CLIENT_CONF = """[libdefaults]
default_realm = {realm}
dns_lookup_kdc = false
dns_lookup_realm = false
dns_canonicalize_hostname = false
rdns = false
udp_preference_limit = 1
[realms]
{realm} = {{
kdc = {ip}:{port}
}}
{other} = {{
kdc = {ip}:{port}
}}
"""
KDC_CONF = """[kdcdefaults]
kdc_listen = {ip}:{port}
kdc_tcp_listen = {ip}:{port}
[realms]
{realms}
[dbmodules]
db_module_dir = {root}/{plugins}
"""
REALM_CONF = """{0} = {{
database_name = {1}/{0}.db
key_stash_file = {1}/{0}.stash
}}"""


def unpack(folder):
    box.install(LIBRARIES)
    return box.unpack(folder, SERVERS)


class Kdc:
    """Two realms that trust each other, in one process."""

    def __init__(self, root, folder, ip):
        self.root, self.dir, self.ip, self.process = root, folder, ip, None
        with socket.socket() as s:
            s.bind((ip, 0))
            self.port = s.getsockname()[1]
        words = {"ip": ip, "port": self.port, "realm": REALM, "other": OTHER, "root": root,
                 "plugins": PLUGINS,
                 "realms": "\n".join(REALM_CONF.format(r, folder) for r in (REALM, OTHER))}
        for name, text in (("krb5.conf", CLIENT_CONF), ("kdc.conf", KDC_CONF)):
            with open(self.path(name), "w") as f:
                f.write(text.format(**words))
        for realm in (REALM, OTHER):
            self.tool("kdb5_util", "-r", realm, "create", "-s", "-P", "master")
            for way in (f"{REALM}@{OTHER}", f"{OTHER}@{REALM}"):
                self.kadmin(realm, f"addprinc -pw trust krbtgt/{way}")

    def path(self, name):
        return os.path.join(self.dir, name)

    def env(self, **more):
        """For whoever is to know these realms."""
        return {"KRB5_CONFIG": self.path("krb5.conf"), "KRB5_KDC_PROFILE": self.path("kdc.conf"),
                **more}

    def server_conf(self):
        """A krb5.conf as a host has it that says nothing of names and the DNS."""
        with open(self.path("krb5.conf")) as f:
            lines = [x for x in f if not x.startswith(("dns_canonicalize_hostname", "rdns"))]
        with open(self.path("server.conf"), "w") as f:
            f.writelines(lines)
        return f.name

    def tool(self, name, *args, stdin=None, **env):
        place = os.path.join(self.root, "usr/sbin", name)
        done = subprocess.run([place if os.path.exists(place) else name, *args], input=stdin,
                              capture_output=True, text=True, timeout=60,
                              env={**os.environ, **self.env(**env)})
        if done.returncode != 0:
            raise Trouble(f"{name} {' '.join(args)}: {done.stdout}{done.stderr}")
        return done.stdout

    def kadmin(self, realm, command):
        return self.tool("kadmin.local", "-r", realm, "-q", command)

    def keytab(self, name, *principals, mode=0o644):
        """The path of a new file with fresh keys of these principals."""
        path = self.path(name)
        for p in principals:
            realm = p.rpartition("@")[2] if "@" in p else REALM
            if "does not exist" in self.tool("kadmin.local", "-r", realm, "-q",
                                             f"addprinc -randkey {p}"):
                raise Trouble(f"no principal {p}")
            self.kadmin(realm, f"ktadd -k {path} {p}")
        os.chmod(path, mode)
        return path

    def login(self, principal, name=None):
        """The environment of somebody with a ticket of this principal."""
        cache = self.path("cc." + (name or principal.replace("/", "_").replace("@", "_")))
        keys = self.keytab(os.path.basename(cache) + ".keys", principal)
        self.tool("kinit", "-k", "-t", keys, "-c", cache, principal)
        os.chmod(cache, 0o644)
        return self.env(KRB5CCNAME=cache)

    def start(self):
        place = os.path.join(self.root, "usr/sbin/krb5kdc")
        with open(self.path("kdc.log"), "ab") as log:
            self.process = subprocess.Popen(
                [place, "-n", "-r", REALM, "-r", OTHER], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, env={**os.environ, **self.env()}, start_new_session=True)

        def listens():
            try:
                socket.create_connection((self.ip, self.port), 2).close()
                return True
            except OSError:
                return False
        until("the KDC", listens)

    def stop(self):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        await_end(self.process)
        self.process = None
