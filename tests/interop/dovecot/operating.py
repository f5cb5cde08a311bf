"""What an operator meets: who is let in and how, TLS, Dovecot away, roostctl."""
import imaplib
import os
import poplib
import re
import shutil
import signal
import socket
import time

from checks import MESSAGE, SECRET, check, roostctl, says, subjects
from cluster import ANN, BOB, FRED, GINA, HUGO, Cluster, Mail, Raw, codes
from delivering import STRANGER
from roost import until


def logs_in(c, user, protocol="imap"):
    """"OK", or what he is told."""
    try:
        if protocol == "pop3":
            c.pop3(user).quit()
        else:
            c.imap(user).logout()
        return "OK"
    except (imaplib.IMAP4.error, poplib.error_proto) as why:
        return str(why)


def restarted(c, **settings):
    c.dovecot.stop()
    c.dovecot.configure(**settings)
    c.dovecot.start()


def wait_for_log(c, wanted):
    return until(f"{wanted} in Dovecot's log", lambda: re.search(wanted, c.dovecot.log()))


# ---- who the client is, and who lets him in ------------------------------------------------------

def scenario_identity(box):
    c = Cluster(box)
    raw = Raw(box, FRED)
    session = re.search(r"event=login.ok .*session=(\w+)", c.log()).group(1)
    wait_for_log(c, rf"imap-login: .*user=<{FRED}>.*rip={box.CLIENT}.*session=<{session}>")
    check("IMAP: Dovecot's log has the client's address and our session", True)
    raw.ok("goodbye", "LOGOUT")
    text = ask_pop3(box, FRED)
    session = re.search(r"event=pop3.session .*session=(\w+)", c.log()).group(1)
    wait_for_log(c, rf"pop3-login: .*user=<{FRED}>.*rip={box.CLIENT}.*session=<{session}>")
    check("POP3: likewise", text.count(b"+OK") == 5, text)
    c.lmtp([FRED], MESSAGE.format("x"))
    session = re.search(r"event=smtp.delivery .*session=(\w+)", c.log()).group(1)
    wait_for_log(c, rf"lmtp\({FRED}\)<\d+><{session}[:>]")
    check("LMTP: our session; the client's address is in Received (scenario mail)", True)
    check_limit(c)
    check_strangers(c)
    check_separator(c)
    check_untrusted(c)
    check_secret(c)


def ask_pop3(box, user):
    """A session from where the client is."""
    with socket.create_connection((box.FE, 110), 10, source_address=(box.CLIENT, 0)) as sock:
        sock.sendall(f"USER {user}\r\nPASS {SECRET}\r\nSTAT\r\nQUIT\r\n".encode())
        return sock.makefile("rb").read()


def check_limit(c):
    """mail_max_userip_connections, which counts the client's own addresses."""
    open_ones = [Raw(c.box, GINA) for _ in range(10)]
    answers = [Raw(c.box, GINA).login[-1], Raw(c.box, HUGO).login[-1]]
    check("who has too many connections there is told so", "NO [LIMIT]" in answers[0], answers)
    check("and nobody else", " OK " in answers[1], answers)
    for raw in open_ones:
        raw.close()


def check_strangers(c):
    c.add_user(c.front, STRANGER, "dv")
    told = logs_in(c, STRANGER)
    check("whom Dovecot does not know is told later, not that his password is wrong",
          "[UNAVAILABLE]" in told, told)
    check("and our log says what Dovecot says", re.search(
        r"imap.store_refused store=dv code=AUTHORIZATIONFAILED", c.log()))


def check_separator(c):
    restarted(c, more="auth_master_user_separator = *\n")
    check("authzid goes on where auth_master_user_separator is set", logs_in(c, FRED) == "OK" and
          logs_in(c, FRED, "pop3") == "OK")


def check_untrusted(c):
    restarted(c, trusted="10.99.99.99", more="disable_plaintext_auth = no\n")
    check("without login_trusted_networks IMAP goes on", logs_in(c, FRED) == "OK")
    check("and POP3", logs_in(c, FRED, "pop3") == "OK")
    check("and LMTP", codes(c.lmtp([FRED], MESSAGE.format("x"))[1]) == ["250"])
    raw = Raw(c.box, HUGO)
    wait_for_log(c, rf"imap-login: .*user=<{HUGO}>.*rip=127.0.0.1")
    check("but Dovecot sees the front end only", True)
    raw.close()
    restarted(c, trusted="10.99.99.99")
    told = logs_in(c, FRED), logs_in(c, FRED, "pop3")
    check("it lets nobody in without TLS then", all(
        word in text for word, text in zip(("[UNAVAILABLE]", "[SYS/TEMP]"), told)), told)


def check_secret(c):
    c.dovecot.write("masters", "roost@example.org:{PLAIN}another\n")
    restarted(c)
    told = logs_in(c, FRED), logs_in(c, FRED, "pop3")
    check("a wrong proxy_secret is our trouble, not the user's password", all(
        word in text for word, text in zip(("[UNAVAILABLE]", "[SYS/TEMP]"), told)), told)
    check("users of our store notice nothing", logs_in(c, ANN) == "OK")


# ---- TLS ------------------------------------------------------------------------------------------

def scenario_tls(box):
    c = Cluster(box, settings="tls = starttls\ntls_name = dv.test\n", common="tls_ca = {cert}\n",
                ssl="required", trusted="10.99.99.99")
    check("STARTTLS: IMAP", logs_in(c, FRED) == "OK", logs_in(c, FRED))
    check("POP3", logs_in(c, FRED, "pop3") == "OK", logs_in(c, FRED, "pop3"))
    check("LMTP", codes(c.lmtp([FRED, ANN], MESSAGE.format("x"))[1]) == ["250"] * 2)
    log = c.dovecot.log()
    check("Dovecot says so", re.search(rf"imap-login: .*user=<{FRED}>.*, TLS,", log) and
          re.search(rf"pop3-login: .*user=<{FRED}>.*, TLS,", log), log[-1500:])
    restarted(c, ssl="required")
    raw = Raw(box, FRED)
    wait_for_log(c, rf"imap-login: .*user=<{FRED}>.*rip={box.CLIENT}.*TLS")
    check("with the client's address, where we are trusted", True)
    raw.close()
    ask_pop3(box, HUGO)
    wait_for_log(c, rf"pop3-login: .*user=<{HUGO}>.*rip={box.CLIENT}.*TLS")
    check("by POP3, too", True)
    c.lmtp([HUGO], MESSAGE.format("tls"))
    s = c.imap(HUGO)
    s.select("INBOX")
    text = s.fetch("*", "(BODY.PEEK[HEADER.FIELDS (RECEIVED)])")[1][0][1].decode()
    check("and by LMTP", f"([{box.CLIENT}])" in text and "TLS" in text, text)
    c.dovecot.set_certificate()
    restarted(c, ssl="required")
    check_refused(c, "another certificate of that name")
    check("and the log says why", c.log().count("of no authority known here") >= 3)
    shutil.copy(c.dovecot.cert, os.path.join(c.front.dir, "ca.pem"))
    edit(c, f"{c.dovecot.dir}/cert.pem", f"{c.front.dir}/ca.pem")
    check("the new one is believed when tls_ca has it", logs_in(c, FRED) == "OK")
    edit(c, "tls_name = dv.test", "tls_name = other.test")
    check_refused(c, "another name")
    check("and the log says why", c.log().count("the certificate is for another name") >= 3)


def edit(c, old, new):
    """The front ends' settings, read again."""
    before = c.log().count("svc.reloaded")
    text = open(c.front.config).read()
    with open(c.front.config, "w") as f:
        f.write(text.replace(old, new))
    for program in ("roost-imap", "roost-smtp"):
        c.front.programs[program].send_signal(signal.SIGHUP)
    until("both to have new settings", lambda: c.log().count("svc.reloaded") == before + 2)


def check_refused(c, why):
    told = logs_in(c, FRED), logs_in(c, FRED, "pop3")
    check(f"{why} is not spoken with", all(
        word in text for word, text in zip(("[UNAVAILABLE]", "[SYS/TEMP]"), told)), told)
    finals = until("LMTP to be refused", lambda: [
        x for x in [c.lmtp([FRED, ANN], MESSAGE.format("x"))] if codes(x[0])[0][:3] == "451"])
    check("mail waits, but not that of others", codes(finals[0][1]) == ["250"], finals)


# ---- Dovecot away ---------------------------------------------------------------------------------

def scenario_killed(box):
    c = Cluster(box)
    c.add_user(c.front, STRANGER, "dv")
    fred, ann = Raw(box, FRED), Raw(box, ANN)
    fred.ok("one is in his INBOX there", "SELECT INBOX")
    ann.ok("one is at our store", "SELECT INBOX")
    gina = Raw(box, GINA)
    c.dovecot.kill()
    check("Dovecot is killed: who had a mailbox open is sent away", "BYE" in fred.line())
    gina.no("who had none is told", 'LIST "" "*"', r"NO \[UNAVAILABLE\]")
    ann.ok("the other notices nothing", "NOOP")
    check_away(c)
    c.dovecot.start()
    gina.ok("it is back: the session that stayed goes on", 'LIST "" "*"', "INBOX")
    check("logins, too", logs_in(c, FRED) == "OK" and logs_in(c, FRED, "pop3") == "OK")
    check("and mail", is_served_again(c) and codes(
        c.lmtp([FRED, ANN], MESSAGE.format("back"))[1]) == ["250"] * 2)
    check_stopped(c)
    check_master_away(c)


def check_away(c):
    told = logs_in(c, FRED), logs_in(c, FRED, "pop3")
    check("a login is told later", all(
        word in text for word, text in zip(("[UNAVAILABLE]", "[SYS/TEMP]"), told)), told)
    rcpts, finals = c.lmtp([FRED, ANN, HUGO], MESSAGE.format("away"))
    check("mail for him waits, for others not", [r[:3] for r in rcpts] == ["451", "250", "451"] and
          codes(finals) == ["250"], (rcpts, finals))
    with Mail(c.box, 25) as m:
        check("by SMTP", m.rcpt([FRED])[0][:3] == "451")
    check("others log in", logs_in(c, ANN) == "OK")


def is_served_again(c):
    """Each worker of a front end waits some seconds before it tries a store that was away."""
    def asked():
        with Mail(c.box, 24) as m:
            return codes(m.rcpt([FRED])) == ["250"]
    return until("each worker to try again", lambda: all(asked() for _ in range(10)))


def timed(question):
    start = time.monotonic()
    return question(), time.monotonic() - start


def check_stopped(c):
    fred, mail = Raw(c.box, FRED), Mail(c.box, 24)
    fred.ok("before it stops", "SELECT INBOX", "EXISTS")
    rcpts = mail.rcpt([FRED, ANN])
    check("both are taken at RCPT", codes(rcpts) == ["250"] * 2, rcpts)
    c.dovecot.signal(signal.SIGSTOP)
    mail.ask("DATA")
    mail.sock.sendall((MESSAGE.format("stopped") + ".\r\n").encode())
    finals = [mail.reply(), mail.reply()]
    check("Dovecot stops in the middle: LMTP says for each what is so",
          [r[:3] for r in finals] == ["451", "250"], finals)
    mail.close()
    lines, seconds = timed(lambda: fred.ask("FETCH 1:* BODY[]"))
    check("a command is not waited for without end", seconds < 10 and "BYE" in "".join(lines),
          (seconds, lines))
    told, seconds = timed(lambda: logs_in(c, GINA))
    check("nor a login", seconds < 10 and "[UNAVAILABLE]" in told, (seconds, told))
    rcpts, seconds = timed(lambda: Mail(c.box, 25).rcpt([GINA]))
    check("nor RCPT", seconds < 10 and rcpts[0][:3] == "451", (seconds, rcpts))
    told, seconds = timed(lambda: logs_in(c, ANN))
    check("others do not wait at all", told == "OK" and seconds < 2, (told, seconds))
    finals, seconds = timed(lambda: c.lmtp([ANN], MESSAGE.format("quick"))[1])
    check("nor does their mail", codes(finals) == ["250"] and seconds < 2, (finals, seconds))
    c.dovecot.signal(signal.SIGCONT)
    check("it goes on, and so do its users", is_served_again(c) and logs_in(c, FRED) == "OK" and
          codes(c.lmtp([GINA], MESSAGE.format("on"))[1]) == ["250"])


def check_master_away(c):
    c.master.stop()
    check("the location master is away: users at Dovecot log in", logs_in(c, HUGO) == "OK")
    check("and get mail", codes(c.lmtp([HUGO, BOB], MESSAGE.format("none"))[1]) == ["250"] * 2)
    with Mail(c.box, 25) as m:
        check("an unknown one is refused for good: Dovecot knows", codes(m.rcpt([STRANGER])) ==
              ["550 5.1.1"])
    c.master.start("roost-mupdate")


# ---- it goes in the middle of something long -------------------------------------------------------

PIECE = b"y" * 998 + b"\r\n"
PIECES = 20000  # more than all buffers on the way hold


def scenario_cut(box):
    c = Cluster(box)
    gina = Raw(box, GINA)
    gina.send(b"a APPEND INBOX {%d+}\r\n" % (PIECES * len(PIECE)) + PIECES * PIECE + b"\r\n")
    check("a long message", " OK " in gina.line())
    for what, cut in (("killed", c.dovecot.kill), ("shut down", c.dovecot.stop)):
        check_cut_reading(c, what, cut)
        check_cut_writing(c, what, cut)
    check("nothing of what was cut has stayed", c.imap(HUGO).select("INBOX")[1] == [b"0"])


def rest(sock):
    data = b""
    try:
        while piece := sock.recv(1 << 20):
            data += piece
    except ConnectionError:
        pass
    return data


def until_tagged(raw, tag):
    lines = [raw.line()]
    while lines[-1] and not lines[-1].startswith((tag, "* BYE")):
        lines.append(raw.line())
    return lines


def check_cut_reading(c, what, cut):
    imap, pop = Raw(c.box, GINA), c.pop3(GINA).sock
    imap.ok("selected", "SELECT INBOX")
    imap.send("b FETCH 1 BODY.PEEK[]\r\n")
    pop.sendall(b"RETR 1\r\n")
    got = imap.sock.recv(1000), pop.recv(1000)  # it has begun; what follows waits in buffers
    cut()
    texts = got[0] + rest(imap.sock), got[1] + rest(pop)
    check(f"Dovecot is {what} in the middle of a FETCH: the client is cut off, and told of no end",
          len(texts[0]) < PIECES * len(PIECE) and b"b OK" not in texts[0], texts[0][-200:])
    check("and of a RETR", not texts[1].endswith(b"\r\n.\r\n") and
          len(texts[1]) < PIECES * len(PIECE), texts[1][-200:])
    c.dovecot.start()


def check_cut_writing(c, what, cut):
    is_served_again(c)
    imap, mail = Raw(c.box, HUGO), Mail(c.box, 24)
    rcpts = mail.rcpt([HUGO, ANN])
    mail.ask("DATA")
    mail.sock.sendall(MESSAGE.format("long").encode() + 1000 * PIECE)
    imap.send(b"c APPEND INBOX {%d+}\r\n" % (PIECES * len(PIECE)) + 1000 * PIECE)
    cut()
    imap.send((PIECES - 1000) * PIECE + b"\r\n")
    lines = until_tagged(imap, "c ")
    check(f"Dovecot is {what} in the middle of an APPEND: that is said",
          lines[-1].startswith("c NO [UNAVAILABLE]"), lines)
    mail.sock.sendall(1000 * PIECE + b".\r\n")
    finals = [mail.reply(), mail.reply()]
    check("and of mail: for each what is so", codes(rcpts) == ["250"] * 2 and
          [r[:3] for r in finals] == ["451", "250"], (rcpts, finals))
    mail.close()
    c.dovecot.start()


# ---- roostctl ---------------------------------------------------------------------------------------

def scenario_roostctl(box):
    c = Cluster(box)
    out = roostctl(c.front, "explain", FRED)
    check("explain: it goes to Dovecot, by the directory", out.returncode == 0 and
          f"Mail for {FRED} goes to dv, by the directory alone" in out.stdout, out.stdout)
    out = roostctl(c.front, "explain", ANN)
    check("and hers to our store", "goes to ours" in out.stdout, out.stdout)
    raw = Raw(box, FRED)
    raw.ok("a session", "SELECT INBOX")
    out = roostctl(c.front, "who")
    check("who: the session and its store", re.search(
        rf"fred +imap +{box.CLIENT} .* SELECTED +INBOX +dv ", out.stdout), out.stdout)
    out = roostctl(c.front, "servers")
    check("servers: it is not in the list", re.search(
        rf"^dv +imap +{box.DV}:143 .* unlisted ", out.stdout, re.M), out.stdout)
    out = roostctl(c.front, "status")
    check("status", out.returncode == 0, out.stdout)
    out = roostctl(c.front, "config", "check")
    check("config check", out.returncode == 0, out.stdout + out.stderr)
    out = roostctl(c.front, "user", "add", FRED, "--store", "dv", "--password-stdin",
                   stdin=SECRET + "\n")
    check("user add of one who is there", "is an account" in out.stderr, out.stderr)
    out = roostctl(c.front, "user", "delete", HUGO, "--force")
    check("user delete says what stays", "What he has on dv stays there" in out.stdout, out.stdout)
    until("the directory to be read again", lambda: logs_in(c, HUGO) != "OK")
    check("and he is gone", codes(c.lmtp([HUGO], MESSAGE.format("x"))[0]) == ["550 5.1.1"])
    check_migrated(c)


def check_migrated(c):
    """A user of our store becomes one of Dovecot's: the directory decides, at once."""
    c.lmtp([ANN], MESSAGE.format("ours"))
    out = roostctl(c.front, "user", "home", ANN, "dv")
    check("user home", out.returncode == 0, out.stderr)
    out = roostctl(c.front, "explain", ANN)
    check("explain: mailboxes that nobody sees", out.returncode == 1 and
          "what ours has for him nobody sees" in out.stdout, out.stdout)
    c.dovecot.set_users({FRED: "", GINA: "", ANN: ""})
    until("the directory to be read again", lambda: codes(
        c.lmtp([ANN], MESSAGE.format("theirs"))[1]) == ["250"] and
        subjects(c.imap(ANN))[:1] == ["theirs"])
    roostctl(c.front, "user", "home", ANN, "ours")
    check("and back", until("the directory to be read again", lambda: subjects(
        c.imap(ANN))[:1] == ["ours"]))


# ---- without listed = no -----------------------------------------------------------------------------

def scenario_listed(box):
    c = Cluster(box)
    edit(c, "listed = no\n", "")
    check("mail goes there, too", codes(c.lmtp([FRED, ANN], MESSAGE.format("x"))[1]) ==
          ["250"] * 2)
    check("and logins", subjects(c.imap(FRED)) == ["x"])
    c.master.stop()
    until("without the master nobody is sure", lambda: "[UNAVAILABLE]" in logs_in(c, FRED))
    check("and others go on", logs_in(c, ANN) == "OK")
