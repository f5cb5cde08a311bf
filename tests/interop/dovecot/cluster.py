"""A cluster with a Dovecot store beside ours: location master, our store, one front end host."""
import imaplib
import os
import poplib
import smtplib

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

    def lmtp(self):
        c = smtplib.LMTP(self.box.FE, 24, timeout=30)
        c.ehlo()
        return c

    def log(self, program="roost.log"):
        return open(os.path.join(self.front.dir, program), errors="replace").read()
