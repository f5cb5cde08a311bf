"""A Roost cluster on loopback: writes the settings of each host, starts and ends its
processes by pid. Used by the demo and by tests/cluster.

Hosts are loopback addresses, so that equal ports stand behind one DNS name:
  master 127.0.10.9, store1 127.0.10.21, store2 127.0.10.22, fe1 127.0.10.1, fe2 127.0.10.2
(the third number is `net`, so that several clusters can run side by side)."""
import contextlib
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import time
import urllib.request

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

PORTS = {"smtp": 2025, "submission": 2587, "submissions": 2465, "lmtp": 2124, "imap": 2143,
         "imaps": 2993, "pop3": 2110, "pop3s": 2995, "mupdate": 3905, "cluster": 3906, "metrics": 9100,
         "metrics-imap": 9101, "metrics-smtp": 9102, "dns": 2053}


class Trouble(Exception):
    """Something a person should read; no trace needed."""


def wait_until(what, test, seconds=60.0):
    end = time.monotonic() + seconds
    while True:
        if test():
            return
        if time.monotonic() > end:
            raise Trouble(f"gave up waiting for {what} after {seconds:.0f} s")
        time.sleep(0.03)


def can_connect(host, port):
    try:
        socket.create_connection((host, port), timeout=1).close()
        return True
    except OSError:
        return False


class Process:
    """One program of the cluster, with its log and pid file."""

    def __init__(self, cluster, name, args, ready=(), control=None):
        """Ready: its control socket (of a program of ours), or its ports, answer."""
        self.cluster, self.name, self.args, self.ready = cluster, name, args, ready
        self.control = control
        self.log = os.path.join(cluster.dir, "log", name + ".log")
        self.pid_file = os.path.join(cluster.dir, "pid", name)
        self.child = None

    def pid(self):
        try:
            pid, start = open(self.pid_file).read().split()
            return int(pid) if start_time(int(pid)) == start else None
        except (OSError, ValueError):
            return None

    def start(self, wait=True):
        """False: it runs already."""
        if self.pid():
            return False
        out = open(self.log, "ab")
        self.child = subprocess.Popen(self.args, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                      start_new_session=True, cwd=self.cluster.dir)
        out.close()
        with open(self.pid_file, "w") as f:
            f.write(f"{self.child.pid} {start_time(self.child.pid)}")
        if wait:
            self.wait_ready()
        return True

    def wait_ready(self):
        def ready():
            if self.child and self.child.poll() is not None:
                tail = "".join(open(self.log, errors="replace").readlines()[-5:])
                raise Trouble(f"{self.name} ended with status {self.child.returncode}:\n{tail}")
            if self.control:
                return self.says_ready()
            return all(can_connect(*r) for r in self.ready)
        wait_until(f"{self.name} (see {self.log})", ready)

    def says_ready(self):
        """A port that answers may be another program's: its control socket names it."""
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(5)
                s.connect(self.control)
                s.sendall(b'{"cmd":"status"}\n')
                status = json.loads(s.makefile().readline())
        except (OSError, ValueError):
            return False
        return status.get("supervisor") == self.child.pid

    def gone(self):
        """Not only our child: somebody else may have started it again."""
        if self.child is not None:
            self.child.poll()
        return self.pid() is None

    def signal(self, signo):
        pid = self.pid()
        if pid:
            os.kill(pid, signo)

    def stop(self, seconds=30):
        self.signal(signal.SIGTERM)
        try:
            wait_until(f"{self.name} to end", self.gone, seconds)
        except Trouble:
            self.signal(signal.SIGKILL)
            wait_until(f"{self.name} to die", self.gone)
        if os.path.exists(self.pid_file):
            os.unlink(self.pid_file)
        self.child = None

    def kill(self):
        """SIGKILL of all its processes at once, as if its host had died: one that sees its
        supervisor go could come to a clean end."""
        pid = self.pid()
        if pid:
            os.kill(pid, signal.SIGSTOP)
            for p in reversed(tree(pid)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(p, signal.SIGKILL)
        wait_until(f"{self.name} to die", self.gone)
        if os.path.exists(self.pid_file):
            os.unlink(self.pid_file)
        self.child = None


def tree(pid):
    """The process and its children, and theirs."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            children = f.read().split()
    except (FileNotFoundError, ProcessLookupError):
        children = []  # it has just ended
    return [pid] + [p for child in children for p in tree(int(child))]


def start_time(pid):
    """The process's start time: with the pid it names a process for good. "" when it has
    ended, also while its parent has not taken notice."""
    try:
        fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    except OSError:
        return ""
    return fields[19] if fields[0] not in "ZX" else ""


class Cluster:
    def __init__(self, directory, net=10, build=None, stores=2, fronts=2, log_level="info"):
        self.dir = os.path.abspath(directory)
        self.net = net
        self.bin = os.path.join(build or os.environ.get("ROOST_BUILD") or
                                os.path.join(TOP, "build", "gcc"), "bin")
        self.stores = [f"store{i + 1}" for i in range(stores)]
        self.fronts = [f"fe{i + 1}" for i in range(fronts)]
        self.log_level = log_level
        self.domain = "example.org"
        self.smtp_settings = []  # more lines for [roost-smtp]
        self.processes = {}

    inside = "127.0.0.0/8 ::1"  # networks where everybody is trusted
    postmaster = None  # an address, when there is no user of that name

    # ---- addresses ------------------------------------------------------------------

    def ip(self, host):
        if host == "master":
            return f"127.0.{self.net}.9"
        if host == "dns":
            return f"127.0.{self.net}.53"
        number = int(host.lstrip("storefe"))
        return f"127.0.{self.net}.{number + (20 if host.startswith('store') else 0)}"

    def at(self, host, service):
        return (self.ip(host), PORTS[service])

    def text(self, host, service):
        ip, port = self.at(host, service)
        return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"

    def metric(self, host, name, service="metrics"):
        """The sum over its labels; 0 when it is not shown."""
        with urllib.request.urlopen(f"http://{self.text(host, service)}/metrics",
                                    timeout=60) as page:
            text = page.read().decode()
        found = re.findall(rf"^{re.escape(name)}(?:\{{.*\}})? (\S+)$", text, re.MULTILINE)
        return sum(float(value) for value in found)

    def conf(self, host):
        return os.path.join(self.dir, "etc", host + ".conf")

    # ---- settings -------------------------------------------------------------------

    def prepare(self):
        """Makes what is not there yet: folders, certificate, secrets, settings."""
        for d in ["etc", "log", "pid", "run", "data", "tls", "tmp"]:
            os.makedirs(os.path.join(self.dir, d), exist_ok=True)
        self.make_certificate()
        secret_file = os.path.join(self.dir, "etc", "secrets.json")
        if not os.path.exists(secret_file):
            with open(os.open(secret_file, os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
                json.dump({n: secrets.token_hex(16) for n in
                           ["cluster", "replica"] + self.stores}, f)
        self.secrets = json.load(open(secret_file))
        for host in ["master"] + self.stores + self.fronts:
            with open(os.open(self.conf(host), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640),
                      "w") as f:
                f.write(self.settings(host))
        self.define_processes()

    def make_certificate(self):
        cert = os.path.join(self.dir, "tls", "cert.pem")
        if os.path.exists(cert):
            return
        names = ",".join(["DNS:mail.example.org", "DNS:mx1.example.org", "DNS:mx2.example.org",
                          "DNS:localhost", "IP:127.0.0.1"] +
                         ["IP:" + self.ip(h) for h in self.fronts + self.stores + ["master"]])
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "3650",
                        "-subj", "/CN=mail.example.org", "-addext", "subjectAltName=" + names,
                        "-keyout", os.path.join(self.dir, "tls", "key.pem"), "-out", cert],
                       check=True, stderr=subprocess.DEVNULL)

    def settings(self, host):
        d = self.dir
        lines = [f"# {host}: written by deploy/demo; changes are overwritten", "[common]",
                 f"run_dir = {d}/run/{host}", f"hostname = {host}.example.org",
                 f"log_level = {self.log_level}", "drain_timeout = 5s",
                 f"default_domain = {self.domain}", f"directory = sqlite:{d}/data/directory.db",
                 f"cluster_secret = {self.secrets['cluster']}",
                 f"tls_cert = {d}/tls/cert.pem", f"tls_key = {d}/tls/key.pem",
                 f"tls_ca = {d}/tls/cert.pem", f"trusted_networks = {self.inside}",
                 f"plaintext_networks = {self.inside}"]
        if self.postmaster:
            lines += [f"postmaster = {self.postmaster}"]
        os.makedirs(f"{d}/run/{host}", exist_ok=True)
        if host in self.fronts:
            lines += [f"location_dir = {d}/data/{host}-location",
                      f"location_socket = {d}/run/{host}/location.sock"]
        lines += self.program_settings(host)
        for s in self.stores:
            lines += ["", f"[server {s}]", f"imap = {self.text(s, 'imap')}",
                      f"pop3 = {self.text(s, 'pop3')}", f"lmtp = {self.text(s, 'lmtp')}",
                      f"cluster = {self.text(s, 'cluster')}"]
        if host == "master":
            lines += self.identities()
        return "\n".join(lines) + "\n"

    def identities(self):
        lines = []
        for s in self.stores:
            lines += ["", f"[identity {s}]", f"password = {self.secrets[s]}",
                      "services = mupdate", f"servers = {s}"]
        lines += ["", "[identity replica]", f"password = {self.secrets['replica']}",
                  "services = mupdate"]
        return lines

    def program_settings(self, host):
        d, metrics = self.dir, self.text(host, "metrics")
        if host == "master":
            return ["", "[roost-mupdate]", "role = master",
                    f"listen = {self.text('master', 'mupdate')}", f"data_dir = {d}/data/master",
                    f"servers = {' '.join(self.stores)}", f"metrics = {metrics}"]
        if host in self.stores:
            return ["", f"[roost-store {host}]", f"data_dir = {d}/data/{host}",
                    f"imap_listen = {self.text(host, 'imap')}",
                    f"pop3_listen = {self.text(host, 'pop3')}",
                    f"lmtp_listen = {self.text(host, 'lmtp')}",
                    f"cluster_listen = {self.text(host, 'cluster')}",
                    "cluster = mupdate", f"master = {self.text('master', 'mupdate')}",
                    f"master_user = {host}", f"master_password = {self.secrets[host]}",
                    f"metrics = {metrics}"]
        return ["", "[roost-mupdate]", "role = replica",
                f"listen = {self.text(host, 'mupdate')}",
                f"master = {self.text('master', 'mupdate')}", "master_user = replica",
                f"master_password = {self.secrets['replica']}",
                "", "[roost-imap]", f"imap_listen = {self.text(host, 'imap')}",
                f"imaps_listen = {self.text(host, 'imaps')}",
                f"pop3_listen = {self.text(host, 'pop3')}",
                f"pop3s_listen = {self.text(host, 'pop3s')}",
                f"metrics = {self.text(host, 'metrics-imap')}",
                "", "[roost-smtp]", f"mx_listen = {self.text(host, 'smtp')}",
                f"submission_listen = {self.text(host, 'submission')}",
                f"submissions_listen = {self.text(host, 'submissions')}",
                f"lmtp_listen = {self.text(host, 'lmtp')}",
                f"metrics = {self.text(host, 'metrics-smtp')}", *self.smtp_settings]

    # ---- processes ------------------------------------------------------------------

    def program(self, name, host, program, instance=None):
        args = [os.path.join(self.bin, program), "--config", self.conf(host)]
        if instance:
            args += ["--instance", instance]
        socket_name = program + ("-" + instance if instance else "") + ".ctl"
        self.processes[name] = Process(
            self, name, args, control=os.path.join(self.dir, "run", host, socket_name))

    def define_processes(self):
        self.processes = {}
        self.program("master", "master", "roost-mupdate")
        for s in self.stores:
            self.program(s, s, "roost-store", s)
        for f in self.fronts:
            self.program(f + "-replica", f, "roost-mupdate")
            self.program(f + "-imap", f, "roost-imap")
            self.program(f + "-smtp", f, "roost-smtp")

    def __getitem__(self, name):
        return self.processes[name]

    def start(self):
        for p in self.processes.values():
            p.start()

    def stop(self):
        for p in reversed(list(self.processes.values())):
            p.stop()

    def running(self):
        return [p.name for p in self.processes.values() if p.pid()]

    # ---- administration -------------------------------------------------------------

    def ctl(self, host, *args, stdin=None, check=True):
        done = subprocess.run([os.path.join(self.bin, "roostctl"), "--config", self.conf(host),
                               *args], input=stdin, capture_output=True, text=True, timeout=300)
        if check and done.returncode != 0:
            raise Trouble(f"roostctl {' '.join(args)}: {done.stderr.strip() or done.stdout}")
        return done

    def wait_settled(self):
        """Until every store is in step with the master, and every replica follows it."""
        for host in self.stores + self.fronts:
            wait_until(f"{host} to be in step with the master",
                       lambda host=host: self.is_settled(host))

    def is_settled(self, host):
        done = self.ctl(host, "--json", "status", check=False)
        try:
            programs = json.loads(done.stdout)["programs"]
        except (ValueError, KeyError):
            return False
        detail = [(p.get("status") or {}).get("detail", {}) for p in programs
                  if p.get("program") in ("roost-store", "roost-mupdate")]
        return bool(detail) and all(
            d.get("master") == "connected" and d.get("in_step", True) and d.get("complete", True)
            for d in detail)
