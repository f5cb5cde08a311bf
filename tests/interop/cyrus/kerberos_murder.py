"""Logins by GSSAPI, with a KDC of our own: Cyrus' test clients, and Cyrus servers with machine
principals, at our master, front ends and stores."""
import base64
import os
import re
import select
import shutil
import socket
import subprocess
import tempfile

import kerberos
from checks import certificate, check, deliver, imap, roostctl, says
from murder import check_lists, following
from parties import BE1, BE2, FE, MASTER, SPARE, ip
from roost import until

KDC, DNS, CYRUS_FE = ip(40), ip(41), ip(22)
DOMAIN, OWN_NAME = "example.org", "master.nowhere.test"
NOTHING, USER = "/nonexistent", "nobody"
BE1_PRINCIPAL, FE_PRINCIPAL = "host/be1.test", "mupdate/fe.test"
# What is said after the login, and what of its answer is looked for.
TALKS = {"imap": ("1 SELECT INBOX\r\n2 LOGOUT\r\n", "1 OK [READ-WRITE]"),
         "pop3": ("STAT\r\nQUIT\r\n", "+OK 1 "),
         "smtp": ("NOOP\r\nQUIT\r\n", "250 2.0.0"),
         "mupdate": ("1 NOOP\r\n2 LOGOUT\r\n", "1 OK")}
PORTS = {"imap": 143, "pop3": 110, "smtp": 587, "mupdate": 3905}
REFUSED = {"imap": "NO [AUTHENTICATIONFAILED]", "pop3": "-ERR [AUTH]", "smtp": "535 5.7.8",
           "mupdate": "A01 NO"}
TOOLS = {"imap": "imtest", "pop3": "pop3test", "smtp": "smtptest", "mupdate": "mupdatetest"}


def principal_identity(name, *servers):
    return (f"[identity {name}]\nservices = mupdate\n" +
            (f"servers = {' '.join(servers)}\n" if servers else ""))


def started_kdc(box):
    base = os.environ.get("ROOST_KERBEROS_DIR") or os.path.join(
        tempfile.gettempdir(), "roost-kerberos")
    os.makedirs(base, exist_ok=True)
    kdc = kerberos.Kdc(kerberos.unpack(base), box.sub("kdc"), KDC)
    box.parties.append(kdc)
    kdc.start()
    return kdc


def with_tickets(kdc, party, *services):
    """This party of ours knows the realm, and has these keys. Its settings for that."""
    party.env = kdc.env()
    with open(party.config) as f:
        text = f.read()
    keytab = kdc.keytab(os.path.basename(party.dir) + ".keytab",
                        *(f"{s}/{party.ip}" for s in services))
    with open(party.config, "w") as f:
        f.write(text.replace("[common]\n", f"[common]\nkerberos_keytab = {keytab}\n", 1))


def logs_in(box, protocol, at, env, *options):
    """Did Cyrus' client get in and do something; and all that it said."""
    tool = os.path.join(box.root, "usr/lib/cyrus/bin/imtest")
    commands, want = TALKS[protocol]
    p = subprocess.Popen(
        [TOOLS[protocol], *options, "-p", str(PORTS[protocol]), at], executable=tool,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, "LD_LIBRARY_PATH": os.path.join(box.root, "usr/lib/x86_64-linux-gnu"),
             **env})
    try:
        out = p.communicate(commands.encode(), timeout=60)[0].decode()
    except subprocess.TimeoutExpired:
        p.kill()
        out = p.communicate()[0].decode() + "\n(time-out)"
    return "Authenticated." in out and want in out, out


def check_refused(what, box, protocol, at, env, *options):
    _, out = logs_in(box, protocol, at, env, "-m", "GSSAPI", *options)
    check(what, "Authenticated." not in out and REFUSED[protocol] in out, out)


# ---- at the location master -------------------------------------------------------------------------

def give(kdc):
    """The master's keytab to those who are to read it."""
    path = os.path.join(kdc.dir, "master.keytab")
    shutil.chown(path, USER)
    os.chmod(path, 0o600)


def asking(box, server):
    """What makes a command ask this DNS server."""
    path = os.path.join(box.dir, "resolv.conf")
    with open(path, "w") as f:
        f.write(f"nameserver {server}\noptions timeout:1 attempts:1\n")
    return ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"', path]


def kerberos_master(box, kdc):
    tls = "tls_cert = {}\ntls_key = {}\n".format(*certificate(box.sub("tls"), "master.test"))
    master = box.roost("master", MASTER, tls + f"[roost-mupdate]\nrole = master\n"
                       f"listen = {MASTER}:3905\ndata_dir = {{dir}}/map\nservers = {BE1} {SPARE}\n"
                       f"read_only = {FE_PRINCIPAL} replica\n" +
                       principal_identity(BE1_PRINCIPAL, BE1) + principal_identity(FE_PRINCIPAL) +
                       principal_identity("cyrus@" + kerberos.OTHER, BE1) +
                       "[identity replica]\npassword = secret\n"
                       "[identity s1]\npassword = secret\n"
                       f"servers = {SPARE}\n"
                       f"[identity be2]\npassword = secret\nservers = {BE2}\n")
    with_tickets(kdc, master, "mupdate")
    with open(master.config) as f:
        settings = f.read()
    with open(master.config, "w") as f:
        f.write(settings.replace(f"hostname = {MASTER}\n",
                                 f"hostname = {OWN_NAME}\nuser = {USER}\n"))
    for folder, _, files in os.walk(master.dir):
        for path in [folder] + [os.path.join(folder, f) for f in files]:
            shutil.chown(path, USER)
    shutil.chown(master.config, "root")
    shutil.chown(os.path.join(box.dir, "tls", "key.pem"), USER)
    give(kdc)
    master.env = kdc.env(KRB5_CONFIG=kdc.server_conf())
    master.prefix = asking(box, DNS)
    master.start("roost-mupdate")
    master.ctl({"cmd": "reconcile", "complete": "*"})
    return master


def check_master_logins(box, kdc, master, dns):
    for name in (BE1_PRINCIPAL, "cyrus@" + kerberos.OTHER):
        env = kdc.login(name)
        for options in (["-m", "GSSAPI"], [], ["-t", "", "-m", "GSSAPI"], ["-u", name]):
            ok, out = logs_in(box, "mupdate", MASTER, env, *options)
            check(f"mupdatetest {' '.join(options)} with a ticket of {name}", ok, out)
    check("the name by which clients call the master is not the one in its greeting",
          f'MUPDATE "{OWN_NAME}"' in out, out)
    check("tickets that were shown are remembered in the master's own folder",
          os.path.getsize(os.path.join(master.dir, "run", "kerberos.replay")) > 0)
    asked = select.select([dns], [], [], 0)[0]
    check("nor does it ask the DNS for that", not asked, asked and dns.recv(512))
    for what, name, options in (
            ("a principal that is no identity", "fred", []),
            ("its namesake of another realm", f"{BE1_PRINCIPAL}@{kerberos.OTHER}", []),
            ("an identity that has a password", "s1", []),
            ("an identity that speaks for another one", BE1_PRINCIPAL, ["-u", FE_PRINCIPAL])):
        check_refused(f"the master refuses {what}", box, "mupdate", MASTER, kdc.login(name),
                      *options)


# Cyrus knows no "/" in names but with this; without it its imapd drops its own principal.
PRINCIPALS = {"auth_mech": "krb5", "mupdate_username": None, "mupdate_authname": None,
              "mupdate_password": None}


def as_machine(kdc, host, principal):
    """This Cyrus server gets its tickets by a client keytab."""
    keys = os.path.join(host.dir, "client.keytab")
    os.rename(kdc.keytab(os.path.basename(host.dir) + ".client", principal), keys)
    host.more_env = kdc.env(KRB5_CLIENT_KTNAME=f"FILE:{keys}",
                            KRB5CCNAME=f"FILE:{host.dir}/tickets")
    host.start()


def check_cyrus(box, kdc, master):
    store = box.store("be1", BE1, more=PRINCIPALS)
    as_machine(kdc, store, BE1_PRINCIPAL)
    says("a Cyrus store with a machine principal makes a mailbox",
         imap(BE1, "cyrus").create("user.ann"))
    check("which is in our list", master.find("user.ann").get("server") == BE1)
    other = box.store("be2", BE2, more={"force_sasl_client_mech": "SCRAM-SHA-256"})
    other.start()
    says("so does one with a password, which is told not to try GSSAPI",
         imap(BE2, "cyrus").create("user.zoe"))
    front = box.front("fe", CYRUS_FE, **PRINCIPALS)
    as_machine(kdc, front, FE_PRINCIPAL)
    until("the Cyrus front end follows our list", lambda: following(master))
    check_lists("with machine principals", master, [store, other], front)


# ---- users --------------------------------------------------------------------------------------------

def our_store(box, kdc):
    store = box.roost("s1", SPARE, f"default_domain = {DOMAIN}\n[roost-store {SPARE}]\n"
                      f"data_dir = {{dir}}/mail\nimap_listen = {SPARE}:143\n"
                      f"pop3_listen = {SPARE}:110\nlmtp_listen = {SPARE}:24\n"
                      f"cluster = mupdate\nmaster = {MASTER}:3905\nmaster_user = s1\n"
                      f"master_password = secret\n[server {SPARE}]\nimap = {SPARE}:143\n")
    with_tickets(kdc, store, "imap", "pop")
    store.start("roost-store", SPARE)
    for user in (f"fred@{DOMAIN}", f"ann@{kerberos.OTHER.lower()}"):
        domain = user.partition("@")[2]
        roostctl(store, "domain", "add", domain)
        done = roostctl(store, "user", "add", user, "--store", SPARE,
                        "--generate")
        check(f"an account for {user}", done.returncode == 0,
              done.stdout + done.stderr)
    return store


def our_front(box, kdc, store):
    front = box.roost("front", FE, f"default_domain = {DOMAIN}\n"
                      f"kerberos_realms = {kerberos.OTHER}\n[roost-mupdate]\nrole = replica\n"
                      f"listen = {FE}:3905\nmaster = {MASTER}:3905\nmaster_user = replica\n"
                      f"master_password = secret\n[roost-imap]\nimap_listen = {FE}:143\n"
                      f"pop3_listen = {FE}:110\n[roost-smtp]\nsubmission_listen = {FE}:587\n"
                      f"[server {SPARE}]\nimap = {SPARE}:143\npop3 = {SPARE}:110\n"
                      f"lmtp = {SPARE}:24\n")
    os.symlink(os.path.join(store.dir, "directory.db"), os.path.join(front.dir, "directory.db"))
    with_tickets(kdc, front, "imap", "pop", "smtp", "mupdate")
    front.start("roost-mupdate")
    front.start("roost-imap")
    front.start("roost-smtp")
    return front


def check_users(box, kdc):
    fred, ann = kdc.login("fred"), kdc.login(f"ann@{kerberos.OTHER}")
    for protocol in ("imap", "pop3", "smtp"):
        for who, env in (("fred", fred), ("a user of another realm", ann)):
            ok, out = logs_in(box, protocol, FE, env, "-m", "GSSAPI")
            check(f"{TOOLS[protocol]} -m GSSAPI lets {who} in at our front end", ok, out)
        for what, env, options in (
                ("a namesake of another realm", kdc.login(f"fred@{kerberos.OTHER}"), []),
                ("a principal with a slash", kdc.login("fred/admin"), []),
                ("who comes for somebody else", fred, ["-u", f"ann@{kerberos.OTHER.lower()}"])):
            check_refused(f"{protocol} at our front end refuses {what}", box, protocol, FE, env,
                          *options)
    for protocol in ("imap", "pop3"):
        ok, out = logs_in(box, protocol, SPARE, fred, "-m", "GSSAPI")
        check(f"{TOOLS[protocol]} -m GSSAPI lets fred in at our store itself", ok, out)
        check_refused(f"but nobody of a realm that this store does not name ({protocol})", box,
                      protocol, SPARE, ann)


def check_large():
    """As large as tickets of users of many groups: it gets to the plug-in, which says no."""
    ticket = base64.b64encode(b"\x60" + os.urandom(16383))
    ways = {"imap": [b"a AUTHENTICATE GSSAPI " + ticket],
            "pop3": [b"AUTH GSSAPI", ticket],
            "smtp": [b"EHLO x", b"AUTH GSSAPI", ticket],
            "mupdate": [b'A01 AUTHENTICATE "GSSAPI" {%d+}\r\n%s' % (len(ticket), ticket)]}
    for protocol, at in (("imap", FE), ("imap", SPARE), ("pop3", FE), ("pop3", SPARE),
                         ("smtp", FE), ("mupdate", MASTER)):
        with socket.create_connection((at, PORTS[protocol]), 20) as s, s.makefile("rb") as lines:
            line = lines.readline()
            while line.startswith(b"* ") and b" OK " not in line:
                line = lines.readline()
            for command in ways[protocol]:
                s.sendall(command + b"\r\n")
                line = lines.readline()
                while re.match(rb"250-", line):
                    line = lines.readline()
            check(f"a ticket of 16 KB is looked at ({protocol} at {at})",
                  REFUSED[protocol].encode() in line, line)


# ---- what an operator may have forgotten ------------------------------------------------------------------

def refusal(party, **env):
    done = subprocess.run([os.path.join(party.bin, "roost-mupdate"), "--config", party.config,
                           "--check"], capture_output=True, text=True, timeout=30,
                          env={**os.environ, **env})
    return done.returncode, done.stderr


def check_refusals(kdc, master):
    keytab = os.path.join(kdc.dir, "master.keytab")
    check("the settings are right", refusal(master)[0] == 0, refusal(master))
    code, text = refusal(master, SASL_PATH=NOTHING)
    check("a plug-in that is not installed is named", code == 71 and
          "libsasl2-modules-gssapi-mit" in text, text)
    with open(master.config) as f:
        settings = f.read()
    shutil.chown(keytab, "root")
    code, text = refusal(master)
    check("so is a keytab that auth workers could not read", code == 71 and keytab in text and
          "Permission denied" in text, text)
    give(kdc)
    with open(master.config, "w") as f:
        f.write(settings.replace(keytab, master.config, 1))
    code, text = refusal(master)
    check("a file that is none is named", code == 71 and "no keytab" in text, text)
    with open(master.config, "w") as f:
        f.write(settings.replace(f"kerberos_keytab = {keytab}\n", "", 1))
    code, text = refusal(master)
    check("so is an identity that could not log in", code == 78 and
          f"[identity {BE1_PRINCIPAL}]" in text, text)


def check_other_keys(box, kdc, master):
    """Keys are read at each login; what is wrong is in the log."""
    keytab = os.path.join(kdc.dir, "master.keytab")
    env = kdc.login(BE1_PRINCIPAL, "again")
    os.rename(kdc.keytab("other.keytab", f"imap/{MASTER}"), keytab)
    give(kdc)
    ok, out = logs_in(box, "mupdate", MASTER, env, "-m", "GSSAPI")
    check("without a key for the service nobody gets in", not ok and "A01 NO" in out, out)
    log = open(os.path.join(master.dir, "roost.log")).read()
    check("and the log says why", "event=auth.gssapi service=mupdate err=" in log and
          "key" in log.rsplit("event=auth.gssapi", 1)[-1], log[-1000:])
    os.rename(kdc.keytab("new.keytab", f"mupdate/{MASTER}"), keytab)
    give(kdc)
    check_refused("a ticket for the old key is refused", box, "mupdate", MASTER, env)
    env = kdc.login(BE1_PRINCIPAL, "anew")
    ok, out = logs_in(box, "mupdate", MASTER, env, "-m", "GSSAPI")
    check("and a new one taken, without a reload", ok, out)


def scenario_kerberos(box):
    kdc = started_kdc(box)
    dns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    dns.bind((DNS, 53))
    with dns:
        master = kerberos_master(box, kdc)
        check_master_logins(box, kdc, master, dns)
    check_cyrus(box, kdc, master)
    store = our_store(box, kdc)
    front = our_front(box, kdc, store)
    check("a message for fred", deliver(SPARE, f"fred@{DOMAIN}", "hello") == {})
    deliver(SPARE, f"ann@{kerberos.OTHER.lower()}", "hello")
    check_users(box, kdc)
    check_large()
    check_refusals(kdc, master)
    check_other_keys(box, kdc, master)
