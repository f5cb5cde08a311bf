"""Roost programs for tests with foreign servers: one settings file, one process each."""
import glob
import json
import os
import signal
import socket
import subprocess
import time

COMMON = """[common]
run_dir = {dir}/run
log = {dir}/roost.log
directory = sqlite:{dir}/directory.db
cluster_secret = 0123456789abcdef0123456789abcdef
login_failure_delay = 10ms
hostname = {ip}
location_dir = {dir}/location
location_socket = {dir}/run/location.sock
"""


class NotHere(Exception):
    """A server cannot be had on this machine; the text says why."""


class Trouble(Exception):
    """Something a person should read; no trace needed."""


def until(what, question, seconds=20):
    end = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            raise Trouble(f"gave up waiting for {what}")
        time.sleep(0.05)


def await_end(process):
    """Of one that was asked to end."""
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Roost:
    def __init__(self, bin_dir, folder, ip, settings):
        self.bin, self.dir, self.ip = bin_dir, folder, ip
        self.config = os.path.join(folder, "roost.conf")
        self.programs, self.env, self.prefix = {}, {}, []
        os.makedirs(os.path.join(folder, "run"), exist_ok=True)
        with open(self.config, "w") as f:
            if "plaintext_networks" not in settings:
                settings = "plaintext_networks = 127.0.0.0/8\n" + settings
            f.write((COMMON + settings).replace("{dir}", folder).replace("{ip}", ip))

    def start(self, program, instance=None):
        args = [*self.prefix, os.path.join(self.bin, program), "--config", self.config]
        if instance:
            args += ["--instance", instance]
        out = open(os.path.join(self.dir, "roost.out"), "ab")
        self.programs[program] = p = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=out,
                                                      stderr=out, start_new_session=True,
                                                      env={**os.environ, **self.env})
        out.close()

        def ready():
            if p.poll() is not None:
                text = open(os.path.join(self.dir, "roost.out"), errors="replace").read()
                raise Trouble(f"{program} ended with {p.returncode}: {text[-500:]}")
            try:
                return self.ctl({"cmd": "status"}, program).get("ok")
            except OSError:
                return False
        until(f"{program} to start", ready)

    def stop(self):
        for p in self.programs.values():
            if p.poll() is None:
                p.send_signal(signal.SIGTERM)
        for p in self.programs.values():
            await_end(p)
        self.programs = {}

    def ctl(self, request, program="roost-mupdate"):
        paths = glob.glob(os.path.join(self.dir, "run", program + "*.ctl"))
        if not paths:
            raise OSError("no control socket yet")
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(sorted(paths, key=len)[0])
            s.sendall(json.dumps(request).encode() + b"\n")
            return json.loads(s.makefile().readline())

    def status(self):
        return self.ctl({"cmd": "status"})

    def find(self, mailbox):
        return self.ctl({"cmd": "explain", "mailbox": mailbox})

    def names(self):
        return [(x["mailbox"], x["server"], x["state"])
                for x in self.ctl({"cmd": "list", "prefix": ""})["locations"]]
