"""The folder of one scenario and the parties in it; Debian's packages of foreign servers, unpacked
and never installed (they exclude each other and would start a service)."""
import glob
import os
import shutil
import subprocess
import sys
import tempfile

from roost import NotHere, Roost


def run(args, **more):
    return subprocess.run(args, capture_output=True, text=True, **more)


def install(packages):
    missing = [p for p in packages if run(["dpkg", "-s", p]).returncode != 0]
    if not missing:
        return
    if os.geteuid() != 0:
        raise NotHere("not root, and not installed: " + " ".join(missing))
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    if run(["apt-get", "install", "-y", "-qq", "--no-install-recommends"] + missing,
           env=env).returncode != 0:
        raise NotHere("cannot install " + " ".join(missing))


def unpack(folder, packages):
    """Downloads and unpacks packages below folder, once."""
    root = os.path.join(folder, "root")
    stamp = os.path.join(folder, "unpacked")
    if os.path.exists(stamp) and open(stamp).read().split() == packages:
        return root
    os.makedirs(root, exist_ok=True)
    if run(["apt-get", "download"] + packages, cwd=folder).returncode != 0:
        raise NotHere("cannot download " + " ".join(packages))
    for deb in glob.glob(os.path.join(folder, "*.deb")):
        subprocess.run(["dpkg", "-x", deb, root], check=True)
    with open(stamp, "w") as f:
        f.write(" ".join(packages))
    return root


class Box:
    def __init__(self, name):
        self.dir = tempfile.mkdtemp(prefix=f"roost-{name}-")
        os.chmod(self.dir, 0o755)
        self.parties, self.dirs = [], [self.dir]

    def sub(self, name):
        path = os.path.join(self.dir, name)
        os.makedirs(path, exist_ok=True)
        return path

    def roost(self, name, at, settings):
        party = Roost(sys.argv[1], self.sub(name), at, settings)
        self.parties.append(party)
        return party

    def end(self, keep):
        for party in reversed(self.parties):
            party.stop()
        if keep:
            print("kept:", *self.dirs)
            return
        for path in self.dirs:
            shutil.rmtree(path, ignore_errors=True)
