"""A PostgreSQL server of a test's own, from Debian's package: started, stopped, frozen."""
import glob
import os
import pwd
import shutil
import signal
import subprocess
import tempfile

import cluster

PASSWORD = "directory-pass word"


def bin_dir():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    return found[-1] if found else None


class Server:
    """Database and user `roost`, by password and TLS on host:port, freely on its Unix socket."""

    def __init__(self, host, tls_cert, tls_key, port=5432):
        self.host, self.port, self.bin, self.child = host, port, bin_dir(), None
        self.dir = tempfile.mkdtemp(prefix="roost-pg-")
        self.who = {}
        if os.geteuid() == 0:  # the server refuses to be root
            who = pwd.getpwnam("postgres")
            os.chown(self.dir, who.pw_uid, who.pw_gid)
            self.who = {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []}
        for path, name in ((tls_cert, "cert.pem"), (tls_key, "key.pem")):
            shutil.copy(path, os.path.join(self.dir, name))
            if self.who:
                shutil.chown(os.path.join(self.dir, name), "postgres")
            os.chmod(os.path.join(self.dir, name), 0o600)
        self.make()

    def run(self, program, *args, **more):
        return subprocess.run([os.path.join(self.bin, program), *args], check=True, cwd="/",
                              capture_output=True, text=True, timeout=60, **self.who, **more)

    def make(self):
        self.run("initdb", "-D", self.dir + "/data", "-U", "postgres", "-A", "trust", "-N",
                 "-E", "UTF8", "--locale=C")
        with open(self.dir + "/data/pg_hba.conf", "w") as f:
            f.write("local all all trust\nhostssl all all 127.0.0.0/8 scram-sha-256\n")
        self.start()
        self.sql(f"CREATE ROLE roost LOGIN PASSWORD '{PASSWORD}'", "postgres")
        self.sql("CREATE DATABASE roost OWNER roost", "postgres")

    def start(self):
        log = open(self.dir + "/log", "ab")
        self.child = subprocess.Popen(
            [os.path.join(self.bin, "postgres"), "-D", self.dir + "/data", "-k", self.dir,
             "-h", self.host, "-p", str(self.port), "-F", "-B", "4MB", "-c", "ssl=on",
             "-c", f"ssl_cert_file={self.dir}/cert.pem", "-c", f"ssl_key_file={self.dir}/key.pem"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", **self.who)
        log.close()
        cluster.wait_until("PostgreSQL", self.is_up)

    def is_up(self):
        return subprocess.run([os.path.join(self.bin, "pg_isready"), "-q", "-h", self.host,
                               "-p", str(self.port)], cwd="/").returncode == 0

    def stop(self):
        """At once, with all its connections."""
        if self.child:
            self.thaw()
            self.child.send_signal(signal.SIGQUIT)
            self.child.wait(20)
        self.child = None

    def all_pids(self):
        pid = self.child.pid
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            return [pid] + [int(p) for p in f.read().split()]

    def signal_all(self, signo):
        for pid in self.all_pids():
            try:
                os.kill(pid, signo)
            except ProcessLookupError:
                pass

    def freeze(self):
        """It takes connections, and never answers."""
        self.signal_all(signal.SIGSTOP)

    def thaw(self):
        self.signal_all(signal.SIGCONT)

    def sql(self, text, user="roost"):
        database = "roost" if user == "roost" else "postgres"
        return self.run("psql", "-h", self.dir, "-p", str(self.port), "-U", user, "-d", database,
                        "-v", "ON_ERROR_STOP=1", "-Atc", text).stdout.strip()

    def remove(self):
        self.stop()
        shutil.rmtree(self.dir)
