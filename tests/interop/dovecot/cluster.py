"""A cluster with a Dovecot store beside ours: location master, our store, one front end host."""
import imaplib
import os
import poplib
import re
import socket

from checks import SECRET, check, roostctl
from lab import DOMAIN, USERS
from roost import until

FRED, GINA, HUGO = USERS  # at Dovecot
ANN, BOB = f"ann@{DOMAIN}", f"bob@{DOMAIN}"  # at our store

IDENTITY = "[identity {0}]\npassword = " + SECRET + "\nservices = mupdate\n"


def settings_of_master(box):
    return (f"[roost-mupdate]\nrole = master\nlisten = {box.MASTER}:3905\ndata_dir = {{dir}}/map\n"
            "servers = ours\nread_only = replica\n" +
            IDENTITY.format("ours") + IDENTITY.format("replica"))


def settings_of_store(box):
    return (f"default_domain = {DOMAIN}\n[roost-store ours]\ndata_dir = {{dir}}/mail\n"
            f"imap_listen = {box.STORE}:143\npop3_listen = {box.STORE}:110\n"
            f"lmtp_listen = {box.STORE}:24\ncluster = mupdate\n"
            f"master = {box.MASTER}:3905\nmaster_user = ours\nmaster_password = {SECRET}\n"
            f"master_retry_max = 500ms\n[server ours]\nimap = {box.STORE}:143\n")


def settings_of_front(box, dovecot):
    return (f"default_domain = {DOMAIN}\ntrusted_networks = 127.0.0.0/8\n"
            f"[roost-mupdate]\nrole = replica\nlisten = {box.FE}:3905\n"
            f"master = {box.MASTER}:3905\nmaster_user = replica\nmaster_password = {SECRET}\n"
            "retry_max = 500ms\n"
            f"[roost-imap]\nimap_listen = {box.FE}:143\npop3_listen = {box.FE}:110\n"
            "imap_connect_timeout = 2s\nimap_store_timeout = 4s\n"
            "pop3_connect_timeout = 2s\npop3_store_timeout = 4s\n"
            f"[roost-smtp]\nmx_listen = {box.FE}:25\nlmtp_listen = {box.FE}:24\n"
            "rcpt_timeout = 3s\nstore_connect_timeout = 2s\nstore_timeout = 4s\n"
            f"[server ours]\nimap = {box.STORE}:143\npop3 = {box.STORE}:110\n"
            f"lmtp = {box.STORE}:24\n"
            f"[server dv]\nkind = imap\nimap = {box.DV}:143\npop3 = {box.DV}:110\n"
            f"lmtp = {box.DV}:24\nproxy_user = roost@{DOMAIN}\n"
            f"listed = no\nproxy_secret = {SECRET}\n" + dovecot)


class Raw:
    """IMAP by hand, from an address of its own."""

    def __init__(self, box, user=None, seconds=15):
        self.sock = socket.create_connection((box.FE, 143), seconds, source_address=(box.CLIENT, 0))
        self.file, self.count = self.sock.makefile("rb"), 0
        self.greeting = self.line()
        if user:
            self.login = self.ask(f"LOGIN {user} {SECRET}")

    def line(self):
        """A line with the literals in it; "" at the end."""
        line = self.file.readline()
        while m := re.search(rb"\{(\d+)\}\r\n$", line):
            line += self.file.read(int(m.group(1))) + self.file.readline()
        return line.decode("utf-8", "replace")

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode())

    def ask(self, command):
        """All lines up to the tagged one, which is the last, or to the end ("")."""
        self.count += 1
        self.send(f"t{self.count} {command}\r\n")
        lines = [self.line()]
        while lines[-1] and not lines[-1].startswith(f"t{self.count} "):
            lines.append(self.line())
        return lines

    def ok(self, what, command, *wanted):
        """It is answered OK, with lines that these patterns match."""
        lines = self.ask(command)
        found = "".join(lines)
        check(what, re.match(r"t\d+ OK", lines[-1]) and
              all(re.search(w, found, re.M) for w in wanted), (command, lines))

    def no(self, what, command, wanted):
        lines = self.ask(command)
        check(what, re.match(rf"t\d+ {wanted}", lines[-1]), (command, lines))

    def close(self):
        self.sock.close()


class Mail:
    """SMTP (port 25) or LMTP (24) by hand: every answer is looked at."""

    def __init__(self, box, port, seconds=30):
        self.lmtp = port == 24
        self.sock = socket.create_connection((box.FE, port), seconds, source_address=(box.CLIENT, 0))
        self.file = self.sock.makefile("rb")
        self.reply()
        self.offer = self.ask(("LHLO" if self.lmtp else "EHLO") + " client.example.net")

    def reply(self):
        """"250 2.0.0 text", the last line with those before it."""
        lines = [self.file.readline().decode()]
        while lines[-1][3:4] == "-":
            lines.append(self.file.readline().decode())
        return "".join(lines[:-1]) + lines[-1].rstrip()

    def ask(self, line):
        self.sock.sendall(line.encode() + b"\r\n")
        return self.reply()

    def rcpt(self, recipients, options="", sender="ann@example.net"):
        """The answers to RCPT, or that to MAIL."""
        mail = self.ask(f"MAIL FROM:<{sender}>{options}")
        return [self.ask(f"RCPT TO:<{r}>") for r in recipients] if mail[0] == "2" else [mail]

    def send(self, recipients, text, **more):
        """The answers to RCPT, and those to the message: one for each accepted one, or one."""
        rcpts = self.rcpt(recipients, **more)
        accepted = sum(r[0] == "2" for r in rcpts)
        if not accepted or self.ask("DATA")[0] != "3":
            self.ask("RSET")
            return rcpts, []
        self.sock.sendall(text.encode() if isinstance(text, str) else text)
        self.sock.sendall(b"\r\n.\r\n")
        return rcpts, [self.reply() for _ in range(accepted if self.lmtp else 1)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()


def codes(replies):
    """"250", "550 5.1.1": the enhanced code with refusals only."""
    return [r[:3] if r[0] == "2" else r[:9] for r in replies]


class Cluster:
    def __init__(self, box, settings="", common="", **dovecot):
        self.box = box
        self.dovecot = box.dovecot(**dovecot)
        self.dovecot.start()
        self.master = box.roost("master", box.MASTER, settings_of_master(box))
        self.master.start("roost-mupdate")
        self.store = box.roost("ours", box.STORE, settings_of_store(box))
        self.store.start("roost-store", "ours")
        self.front = box.roost("front", box.FE, common.format(cert=self.dovecot.cert) +
                               settings_of_front(box, settings))
        self.front.start("roost-mupdate")
        for user in (ANN, BOB):
            self.add_user(self.store, user, "ours")
        os.symlink(os.path.join(self.store.dir, "directory.db"),
                   os.path.join(self.front.dir, "directory.db"))
        for user in (FRED, GINA, HUGO):
            self.add_user(self.front, user, "dv")
        until("the list", lambda: self.front.status()["detail"]["complete"])
        self.front.start("roost-imap")
        self.front.start("roost-smtp")

    def add_user(self, at, user, store):
        done = roostctl(at, "user", "add", user, "--store", store, "--password-stdin",
                        stdin=SECRET + "\n")
        check(f"an account for {user}", done.returncode == 0, done.stdout + done.stderr)

    def imap(self, user, password=SECRET):
        c = imaplib.IMAP4(self.box.FE, timeout=20)
        c.login(user, password)
        return c

    def pop3(self, user):
        c = poplib.POP3(self.box.FE, 110, timeout=20)
        c.user(user)
        c.pass_(SECRET)
        return c

    def lmtp(self, recipients, text, **more):
        with Mail(self.box, 24) as m:
            return m.send(recipients, text, **more)

    def log(self, program="roost.log"):
        return open(os.path.join(self.front.dir, program), errors="replace").read()
