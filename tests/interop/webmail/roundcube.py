"""Debian's Roundcube unpacked into a private folder, on PHP's own web server and SQLite. Nothing of
it is installed; its IMAP debug log is kept and read."""
import glob
import os
import re
import secrets
import shutil
import socket
import subprocess
import time

PACKAGES = ["roundcube-core", "roundcube-sqlite3", "roundcube-plugins", "php-cli", "php-intl",
            "php-mbstring", "php-xml", "php-sqlite3"]
# what else of these would come is a web server that is not used
UNWANTED = re.compile(r"^(apache2|libapr|libapache2|dbconfig|libjs-codemirror)")
EXTENSIONS = ["ctype", "iconv", "mbstring", "tokenizer", "xml", "dom", "intl", "fileinfo", "pdo",
              "sqlite3", "pdo_sqlite", "posix", "exif", "simplexml", "xmlwriter", "sockets"]
PLUGINS = ["acl", "archive", "markasjunk", "jqueryui"]


class Absent(Exception):
    """Why the packages cannot be had."""


def names():
    """The packages and what of theirs this host has not."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise Absent("no apt-get here")
    done = subprocess.run(["apt-get", "-s", "install", "--no-install-recommends", *PACKAGES],
                          capture_output=True, text=True)
    found = re.findall(r"^Inst (\S+)", done.stdout, re.MULTILINE)
    if done.returncode != 0 or not found:
        raise Absent(done.stderr.strip().split("\n")[-1] or "they are installed already")
    return [n for n in found if not UNWANTED.match(n)]


def unpack(folder):
    """A root of its own with all of them."""
    debs, root = os.path.join(folder, "debs"), os.path.join(folder, "root")
    os.makedirs(debs)
    os.makedirs(root)
    done = subprocess.run(["apt-get", "-q", "download", *names()], cwd=debs, capture_output=True,
                          text=True)
    if done.returncode != 0:
        raise Absent(done.stderr.strip().split("\n")[-1])
    for deb in glob.glob(debs + "/*.deb"):
        subprocess.run(["dpkg-deb", "-x", deb, root], check=True)
    return root


def one(root, pattern):
    found = glob.glob(root + pattern)
    if not found:
        raise Absent(f"there is no {pattern} in what was unpacked: is it installed already?")
    return found[0]


def php_literal(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(php_literal(v) for v in value) + "]"
    if isinstance(value, dict):
        return "[" + ", ".join(f"{php_literal(k)} => {php_literal(v)}"
                               for k, v in value.items()) + "]"
    if value is None or isinstance(value, int):
        return "null" if value is None else str(value)
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


class Roundcube:
    """One installation, for several front ends: who logs in says through which."""

    def __init__(self, site, root, folder, address, **more):
        self.root, self.folder, self.address = root, folder, address
        cluster = site.cluster
        self.imap = {f: f"ssl://{cluster.text(f, 'imaps')}" for f in cluster.fronts}
        tls = {"ssl": {"verify_peer": True, "verify_peer_name": True,
                       "cafile": os.path.join(cluster.dir, "tls", "cert.pem")}}
        self.settings = {
            "db_dsnw": f"sqlite:///{folder}/roundcube.db?mode=0600",
            "imap_host": {v: k for k, v in self.imap.items()},
            "smtp_host": f"tls://{cluster.text('fe1', 'submission')}",
            "smtp_user": "%u", "smtp_pass": "%p", "imap_conn_options": tls,
            "smtp_conn_options": tls, "imap_debug": True, "smtp_debug": True,
            "log_driver": "file", "log_dir": folder + "/logs/", "temp_dir": folder + "/temp/",
            "des_key": secrets.token_hex(12), "plugins": PLUGINS, "skin": "elastic",
            "language": "en_US", "enable_spellcheck": False, "create_default_folders": True,
            "drafts_mbox": "Drafts", "junk_mbox": "Junk", "sent_mbox": "Sent",
            "trash_mbox": "Trash", "archive_mbox": "Archive", "archive_type": "year",
            "check_all_folders": True,
            "quota_zero_as_unlimited": True, "product_name": "Roost", "mime_types": None,
            "draft_autosave": 60, "prefer_html": True, "mail_pagesize": 50, **more}
        self.child = None

    def prepare(self):
        for name in ("logs", "temp", "config", "sessions"):
            os.makedirs(os.path.join(self.folder, name))
        shared = self.root + "/usr/share/roundcube/"
        for name in ("program", "skins", "SQL"):
            os.symlink(shared + name, os.path.join(self.folder, name))
        # their settings are links to /etc, of the system and not of this root
        shutil.copytree(shared + "plugins", self.folder + "/plugins", symlinks=True,
                        ignore=lambda d, files: [f for f in files if f == "config.inc.php"])
        for name in ("defaults.inc.php", "mimetypes.php"):
            shutil.copy(f"{self.root}/etc/roundcube/{name}", self.folder + "/config/")
        lines = [f"$config['{k}'] = {php_literal(v)};" for k, v in self.settings.items()]
        self.write("config/config.inc.php", "<?php\n" + "\n".join(lines) + "\n")
        self.write("index.php", f"<?php\ndefine('INSTALL_PATH', '{self.folder}/');\n"
                                f"require '{shared}index.php';\n")
        library = one(self.root, "/usr/lib/php/20*")
        self.write("php.ini", "\n".join(
            [f"extension_dir = {library}", f"include_path = .:{self.root}/usr/share/php",
             f"session.save_path = {self.folder}/sessions", "date.timezone = UTC",
             f"error_log = {self.folder}/logs/php.log", "log_errors = On", "memory_limit = 512M",
             "upload_max_filesize = 30M", "post_max_size = 40M", "zend_extension = opcache.so",
             "opcache.enable_cli = 1", "opcache.enable = 1"] +
            [f"extension = {e}.so" for e in EXTENSIONS
             if os.path.exists(f"{library}/{e}.so")]) + "\n")

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w") as f:
            f.write(text)

    def start(self):
        self.prepare()
        out = open(self.folder + "/logs/server.log", "ab")
        libraries = ":".join(glob.glob(self.root + "/usr/lib/*-linux-gnu"))
        self.child = subprocess.Popen(
            [one(self.root, "/usr/bin/php[0-9]*"), "-c", self.folder + "/php.ini",
             "-S", "%s:%d" % self.address, "-t", self.folder], stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=self.folder,
            env=dict(os.environ, LD_LIBRARY_PATH=libraries))
        out.close()
        for _ in range(200):
            try:
                socket.create_connection(self.address, timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise Absent("PHP's web server does not start: " +
                     open(self.folder + "/logs/server.log").read()[-500:])

    def stop(self):
        if self.child is not None:
            self.child.terminate()
            self.child.wait(10)

    def url(self):
        return "http://%s:%d/" % self.address

    # ---- what it said to the front ends ---------------------------------------------

    def log(self, name="imap"):
        path = os.path.join(self.folder, "logs", name + ".log")
        return open(path, errors="replace").read() if os.path.exists(path) else ""

    def mark(self):
        return len(self.log())

    def commands(self, since=0):
        """(command, answer) for each one since then, in their order."""
        sent, found = {}, []
        for line in self.log()[since:].split("\n"):
            m = re.search(r"\[([0-9A-F]{4})\] ([CS]): (A\d+) (.*)$", line)
            if m is None:
                continue
            key = (m[1], m[3])
            if m[2] == "C":
                sent[key] = m[4]
            elif key in sent:
                found.append((sent.pop(key), m[4].strip()))
        return found
