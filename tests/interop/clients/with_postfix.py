"""Postfix hands mail to LMTP 24 of the front ends: it delivers, retries and bounces. And it is
the next hop for what our users send to others."""
import os
import pwd
import shutil
import smtplib

import cluster as c
import talk
from sink import Sink
from tool import folder, messages, sh, write
from world import PASSWORD, SENDER

PACKAGES = ["postfix"]

MAIN = """
compatibility_level = 3.7
queue_directory = {work}/spool
data_directory = {work}/lib
mail_owner = postfix
setgid_group = postdrop
maillog_file = {work}/log
maillog_file_prefixes = {work}
inet_interfaces = loopback-only
inet_protocols = ipv4
myhostname = relay.example.net
mydestination =
mynetworks = 127.0.0.0/8
relay_domains = example.org
relay_transport = lmtp:inet:{front}
default_transport = smtp:[{ip}]:2527
lmtp_destination_concurrency_limit = 10
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
smtputf8_enable = yes
alias_maps =
local_recipient_maps =
"""

MASTER = """
{ip}:2525 inet  n  -  n  -  -  smtpd
pickup    unix  n  -  n  60 1  pickup
cleanup   unix  n  -  n  -  0  cleanup
qmgr      unix  n  -  n  300 1 qmgr
tlsmgr    unix  -  -  n  1000? 1 tlsmgr
rewrite   unix  -  -  n  -  -  trivial-rewrite
bounce    unix  -  -  n  -  0  bounce
defer     unix  -  -  n  -  0  bounce
trace     unix  -  -  n  -  0  bounce
verify    unix  -  -  n  -  1  verify
flush     unix  n  -  n  1000? 0 flush
proxymap  unix  -  -  n  -  -  proxymap
smtp      unix  -  -  n  -  -  smtp
relay     unix  -  -  n  -  -  smtp
showq     unix  n  -  n  -  -  showq
error     unix  -  -  n  -  -  error
retry     unix  -  -  n  -  -  error
discard   unix  -  -  n  -  -  discard
lmtp      unix  -  -  n  -  -  lmtp
anvil     unix  -  -  n  -  1  anvil
scache    unix  -  -  n  -  1  scache
postlog   unix-dgram n - n - 1 postlogd
"""


class Postfix:
    def __init__(self, site):
        self.work = folder(site, "postfix")
        self.ip = f"127.0.{site.cluster.net}.77"
        os.chmod(os.path.dirname(self.work), 0o755)
        os.chmod(self.work, 0o755)
        for d in ("etc", "spool", "lib"):
            os.makedirs(os.path.join(self.work, d))
        owner = pwd.getpwnam("postfix")
        os.chown(os.path.join(self.work, "lib"), owner.pw_uid, owner.pw_gid)
        write(os.path.join(self.work, "etc", "main.cf"), MAIN.format(
            work=self.work, ip=self.ip, front=site.cluster.text("fe1", "lmtp")), 0o644)
        write(os.path.join(self.work, "etc", "master.cf"), MASTER.format(ip=self.ip), 0o644)
        for name in ("dynamicmaps.cf", "postfix-files"):
            shutil.copy(os.path.join("/etc/postfix", name), os.path.join(self.work, "etc"))

    def command(self, *args):
        return sh("postfix", "-c", os.path.join(self.work, "etc"), *args)

    def log(self):
        path = os.path.join(self.work, "log")
        return open(path, errors="replace").read() if os.path.exists(path) else ""

    def send(self, to, message):
        with smtplib.SMTP(self.ip, 2525, timeout=30) as smtp:
            smtp.sendmail(SENDER, to, message)


def run(site, check):
    postfix = Postfix(site)
    code, text = postfix.command("start")
    if not check("postfix starts", code == 0, text):
        return
    try:
        c.wait_until("postfix to listen", lambda: c.can_connect(postfix.ip, 2525))
        deliveries(site, check, postfix)
        trouble(site, check, postfix)
        outgoing(site, check, postfix)
    finally:
        postfix.command("stop")


def arrives(site, user, count, seconds=30):
    try:
        c.wait_until("mail", lambda: messages(site, user) == count, seconds)
        return True
    except c.Trouble:
        return False


def deliveries(site, check, postfix):
    users = [site.user("store1"), site.user("store2")]
    for i in range(50):
        postfix.send(users, talk.message(f"{i}\r\n"))
    for user in users:
        check(f"50 messages reach {user}", arrives(site, user, 50), postfix.log())
    postfix.send([users[0], "nobody-here@example.org"], talk.message())
    check("a known recipient beside an unknown one gets it", arrives(site, users[0], 51))
    try:
        c.wait_until("a bounce", lambda: "status=bounced" in postfix.log() and
                     "550 5.1.1" in postfix.log())
        bounced = True
    except c.Trouble:
        bounced = False
    check("the unknown one bounces with our words", bounced, postfix.log())


def trouble(site, check, postfix):
    """A store that is away is a delay for Postfix, and then each message comes once."""
    mine, theirs = site.user("store1"), site.user("store2")
    for user in (mine, theirs):
        site.send(user)
    site["store1"].kill()
    try:
        for i in range(10):
            postfix.send([mine, theirs], talk.message(f"{i}\r\n"))
        check("users of the other store get theirs", arrives(site, theirs, 11), postfix.log())
        check("the others are deferred", "status=deferred" in postfix.log(), postfix.log())
    finally:
        site["store1"].start()
    check("and come, each once, when the store is back", arrives(site, mine, 11, 60),
          postfix.log())
    check("nothing bounced for it", f"to=<{mine}>, relay" in postfix.log() and not [
        x for x in postfix.log().splitlines() if f"to=<{mine}>" in x and "status=bounced" in x], postfix.log())


def submit(site, user, to, ident):
    with smtplib.SMTP(*site.cluster.at("fe1", "submission"), timeout=60) as smtp:
        smtp.starttls(context=site.tls)
        smtp.login(user, PASSWORD)
        smtp.sendmail(user, to, (f"From: {user}\r\nTo: you\r\nSubject: out\r\n"
                                 f"Message-ID: {ident}\r\n\r\nHello.\r\n").encode())


def comes(sink, ident, seconds=30):
    try:
        c.wait_until("mail", lambda: sink.texts(ident), seconds)
        return True
    except c.Trouble:
        return False


def outgoing(site, check, postfix):
    """Our user -> submission -> Postfix -> the world, which is a sink; and back."""
    user, local = site.user("store1"), site.user("store2")
    world = Sink((postfix.ip, 2527)).start()
    try:
        ident = talk.message_id()
        submit(site, user, ["ann@far.example.net", local], ident)
        check("a message of our user leaves by Postfix", comes(world, ident), postfix.log())
        check("and his colleague has it, too", site.count(local, ident, "fe2") == 1)
        check("Postfix was told the sender", world.texts(ident)[0][0] == user)
        world.answers["RCPT gone@far.example.net"] = "550 5.1.1 gone away"
        submit(site, user, ["gone@far.example.net"], talk.message_id())
        check("what the world refuses comes back as a bounce", arrives(site, user, 1),
              postfix.log())
        site.cluster.ctl("store1", "alias", "add", f"away-{user}", "ann@far.example.net")
        ident = talk.message_id()
        site.send(f"away-{user}", talk.message(ident=ident))
        check("a forward leaves by Postfix", comes(world, ident), postfix.log())
        ident = talk.message_id()
        postfix.command("stop")
        with smtplib.SMTP(*site.cluster.at("fe2", "submission"), timeout=60) as smtp:
            smtp.login(user, PASSWORD)
            smtp.mail(user)
            code = smtp.rcpt("ann@far.example.net")
            check("without Postfix it is later, and at once", code[0] == 451, code)
    finally:
        world.stop()
