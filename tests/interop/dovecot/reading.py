"""What a user at Dovecot does by IMAP and POP3 through our front end."""
import imaplib
import os
import re
import shutil
import subprocess
import threading

from checks import MESSAGE, SECRET, check, says, subjects
from cluster import ANN, FRED, GINA, HUGO, Cluster, Raw, codes

ALL = dict(plugins="quota acl zlib", imap_plugins="imap_quota imap_acl imap_zlib",
           more="mail_attribute_dict = file:%h/attributes\n"
                "protocol imap {\n  imap_metadata = yes\n}\n")
BIG = 30 << 20


def literals(*messages):
    return " ".join(f"{{{len(m)}+}}\r\n{m}" for m in messages)


def offered(text):
    return set(re.search(r"CAPABILITY ([^\]\r]*)", text).group(1).split())


# ---- IMAP -----------------------------------------------------------------------------------

def scenario_imap(box):
    c = Cluster(box, **ALL)
    c.dovecot.set_users({FRED: "", GINA: "", HUGO: "storage=100K"})
    fred = Raw(box, FRED)
    caps = offered(fred.login[-1])
    check("what Dovecot has and we pass on is offered", caps >= {
        "IMAP4rev1", "LITERAL+", "SASL-IR", "ID", "ENABLE", "IDLE", "NAMESPACE", "UIDPLUS", "MOVE",
        "UNSELECT", "CHILDREN", "SPECIAL-USE", "CONDSTORE", "MULTIAPPEND", "STATUS=SIZE", "QUOTA",
        "ACL", "RIGHTS=kxte", "LIST-EXTENDED", "LIST-STATUS", "ESEARCH", "SORT", "SORT=DISPLAY",
        "THREAD=REFERENCES"}, caps)
    check("and nothing we do not", not caps & {
        "COMPRESS=DEFLATE", "METADATA", "QRESYNC", "CREATE-SPECIAL-USE", "NOTIFY"}, caps)
    ann = Raw(box, ANN)
    check("a user of our store is offered all it has", offered(ann.login[-1]) >= {
        "QUOTA=RES-STORAGE", "ACL", "CREATE-SPECIAL-USE", "LIST-MYRIGHTS"}, ann.login)
    check_folders(fred)
    check_messages(fred)
    check_condstore(fred)
    check_rights(fred)
    check_not_offered(fred)
    ann.no("nor do his reach them", 'SELECT "Other Users/fred"', r"NO \[NONEXISTENT\]")
    check_big(c)
    check_quota(box)
    check_idle(c)
    check_literals(box)


def check_folders(fred):
    fred.ok("the namespace is Dovecot's", "NAMESPACE", r'^\* NAMESPACE \(\("" "/"\)\) NIL NIL\r$')
    fred.ok("a folder", "CREATE Work")
    fred.ok("one below", "CREATE Work/Sub")
    fred.ok("one below the INBOX", "CREATE INBOX/x")
    fred.ok("one with an umlaut", 'CREATE "&AOQ-"')
    fred.ok("subscribed", "SUBSCRIBE Work/Sub")
    fred.ok("all in LIST", 'LIST "" "*"', r"^\* LIST .*INBOX\r$", r"Work/Sub\r$", r"INBOX/x\r$",
            r"&AOQ-\r$")
    fred.ok("the subscribed in LSUB", 'LSUB "" "*"', r"^\* LSUB .* Sent\r$", r"Work/Sub\r$")
    fred.ok("special uses", 'LIST (SPECIAL-USE) "" "*"', r"\\Sent.* Sent\r$", r"\\Junk.* Junk\r$")
    fred.ok("LIST with STATUS", 'LIST "" "*" RETURN (STATUS (MESSAGES SIZE))',
            r"^\* STATUS Work \(MESSAGES 0 SIZE 0\)\r$")
    fred.ok("several patterns", 'LIST (SUBSCRIBED) "" ("S*" "W*")', r" Sent\r$", r" Work/Sub\r$")
    fred.ok("renamed", "RENAME Work/Sub Work/Two")
    fred.ok("deleted", "DELETE Work/Two")
    fred.no("what is not there cannot be deleted", "DELETE Work/Two", r"NO \[NONEXISTENT\]")
    fred.no("nor selected", "SELECT Work/Two", "NO")
    fred.no("nor filled", "APPEND Work/Two {1+}\r\nx", r"NO \[TRYCREATE\]")


def check_messages(fred):
    fred.ok("selected", "SELECT INBOX", r"^\* 0 EXISTS\r$", r"\[UIDVALIDITY \d+\]")
    one = "Subject: one\r\n\r\nbody\r\n"
    fred.ok("a message", 'APPEND INBOX (\\Seen) "01-Jan-2020 10:00:00 +0100" ' + literals(one),
            r"\[APPENDUID \d+ 1\]", r"^\* 1 EXISTS\r$")
    fred.ok("two at once", "APPEND INBOX " + literals(one, one), r"\[APPENDUID \d+ 2:3\]")
    fred.ok("read", "FETCH 1:* (FLAGS UID INTERNALDATE ENVELOPE BODYSTRUCTURE RFC822.SIZE)",
            r"^\* 1 FETCH .*\\Seen.*\"one\"", r'"01-Jan-2020 09:00:00 \+0000"', r"^\* 3 FETCH")
    fred.ok("its text", "UID FETCH 2 BODY[]", r"\{22\}\r\nSubject: one\r\n\r\nbody\r\n\)")
    fred.ok("a part of it", "FETCH 2 BODY.PEEK[]<0.5>", r"<0> \{5\}\r\nSubje\)")
    fred.ok("flags and words", r"STORE 1 +FLAGS (\Flagged $Word)", r"^\* 1 FETCH .*\$Word")
    fred.ok("silently", r"UID STORE 2 +FLAGS.SILENT (\Deleted)")
    fred.ok("found", "SEARCH SUBJECT {3+}\r\none", r"^\* SEARCH 1 2 3\r$")
    fred.ok("found by word", "UID SEARCH KEYWORD $Word", r"^\* SEARCH 1\r$")
    fred.ok("counted", "UID SEARCH RETURN (COUNT MIN) ALL",
            r'^\* ESEARCH \(TAG "t\d+"\) UID MIN 1 COUNT 3\r$')
    fred.ok("sorted", "SORT (REVERSE ARRIVAL) UTF-8 ALL", r"^\* SORT [23] [23] 1\r$")
    fred.ok("by who is shown", "UID SORT (DISPLAYFROM) UTF-8 ALL", r"^\* SORT 1 2 3\r$")
    fred.ok("in threads", "THREAD REFERENCES UTF-8 ALL", r"^\* THREAD \(.*1.*2.*3.*\)\r$")
    fred.ok("copied", "COPY 1 Work", r"\[COPYUID \d+ 1 1\]")
    fred.ok("moved", "UID MOVE 3 Work", r"\[COPYUID \d+ 3 2\]", r"^\* 3 EXPUNGE\r$")
    fred.no("not to where nothing is", "MOVE 1 Work/None", r"NO \[TRYCREATE\]")
    fred.ok("expunged", "UID EXPUNGE 1:*", r"^\* 2 EXPUNGE\r$")
    fred.ok("counted", "STATUS Work (MESSAGES UIDNEXT UIDVALIDITY UNSEEN SIZE)",
            r"^\* STATUS Work \(MESSAGES 2 .*UIDNEXT 3 .*SIZE 44")
    fred.ok("another one is selected", "EXAMINE Work", r"^\* 2 EXISTS\r$", r"\[READ-ONLY\]")
    fred.ok("nothing is", "UNSELECT")
    fred.no("then there is nothing to read", "FETCH 1 FLAGS", "BAD")


def check_condstore(fred):
    fred.ok("CONDSTORE", "ENABLE CONDSTORE", r"^\* ENABLED CONDSTORE\r$")
    fred.ok("in SELECT", "SELECT Work (CONDSTORE)", r"\[HIGHESTMODSEQ \d+\]")
    fred.ok("in FETCH", "FETCH 1:* (FLAGS) (CHANGEDSINCE 1)", r"MODSEQ \(\d+\)")
    fred.ok("in STORE", r"STORE 1 (UNCHANGEDSINCE 1) +FLAGS (\Answered)", r"\[MODIFIED 1\]")
    fred.ok("the end of it", "CLOSE")


def check_rights(fred):
    fred.ok("his rights", "MYRIGHTS Work", r"^\* MYRIGHTS Work l")
    fred.ok("given", f"SETACL Work {GINA} lr")
    fred.ok("told", "GETACL Work", rf"^\* ACL Work .*{GINA} lr")
    fred.ok("to be given", f"LISTRIGHTS Work {GINA}", r"^\* LISTRIGHTS Work ")
    fred.ok("taken", f"DELETEACL Work {GINA}")
    fred.ok("his quota roots", "GETQUOTAROOT INBOX")


def check_not_offered(fred):
    for command in ("GETMETADATA INBOX /private/comment", "COMPRESS DEFLATE", "UNAUTHENTICATE"):
        fred.no("what is not offered is not known: " + command.split()[0], command, "BAD")
    fred.ok("ENABLE of something else does nothing", "ENABLE QRESYNC", r"^\* ENABLED\r$")
    fred.no("shared folders of our stores do not reach him", 'SELECT "Shared Folders/lists"', "NO")
    fred.no("nor those of our users", 'SELECT "Other Users/ann"', "NO")
    fred.ok("goodbye", "LOGOUT", r"^\* BYE")


def check_big(c):
    gina = c.imap(GINA)
    text = MESSAGE.format("big").encode() + b"x" * 75 + b"\r\n" + b"y" * BIG + b"\r\n"
    says("a message of 30 MB goes there", gina.append("INBOX", None, None, text))
    gina.select("INBOX")
    data = gina.fetch("1", "(BODY.PEEK[])")[1][0][1]
    check("and comes back", data == text, len(data))
    for i in range(300):
        gina.append("Sent", None, None, MESSAGE.format(i).encode())
    check("300 small ones", len(subjects(gina, "Sent")) == 300)
    says("are copied", gina.copy("1:*", "Junk"))
    check("all of them", subjects(gina, "Junk") == [str(i) for i in range(300)])
    gina.logout()


def check_quota(box):
    hugo = Raw(box, HUGO)
    hugo.ok("a quota", "GETQUOTAROOT INBOX", r'^\* QUOTAROOT INBOX "User quota"\r$',
            r'^\* QUOTA "User quota" \(STORAGE 0 100\)\r$')
    hugo.ok("by its name", 'GETQUOTA "User quota"', r"\(STORAGE 0 100\)")
    hugo.no("too much for it", "APPEND INBOX {200000+}\r\n" + "z" * 200000, r"NO \[OVERQUOTA\]")
    hugo.ok("what fits", "APPEND INBOX " + literals(MESSAGE.format("fits")))
    hugo.ok("and goes", r"SELECT INBOX")
    hugo.ok("away", r"STORE 1:* +FLAGS.SILENT (\Deleted)")
    hugo.ok("again", "EXPUNGE", r"^\* 1 EXPUNGE\r$")
    hugo.close()


def check_idle(c):
    idle = Raw(c.box, HUGO)
    idle.ok("selected for IDLE", "SELECT INBOX")
    idle.send("i IDLE\r\n")
    check("IDLE begins", idle.line().startswith("+"))
    check("mail comes", codes(c.lmtp([HUGO], MESSAGE.format("new"))[1]) == ["250"])
    seen = idle.line() + idle.line()
    check("and is told", "* 1 EXISTS" in seen, seen)
    idle.send("DONE\r\n")
    while (line := idle.line()) and not line.startswith("i "):
        pass
    check("IDLE ends", line.startswith("i OK"), line)
    idle.ok("and it is read", "FETCH 1 BODY[HEADER.FIELDS (SUBJECT)]", "Subject: new")
    idle.close()


def check_literals(box):
    """Everything as literals, synchronising ones, pipelined with what goes before and behind."""
    raw = Raw(box)
    raw.send("a LOGIN {%d}\r\n" % len(HUGO))
    check("a literal is asked for", raw.line().startswith("+"))
    raw.send(HUGO + " {%d+}\r\n%s\r\n" % (len(SECRET), SECRET))
    check("a login by literals", raw.line().startswith("a OK"))
    raw.send("b NOOP\r\nc CREATE {3+}\r\nlit\r\nd SELECT {3+}\r\nlit\r\ne APPEND lit {5}\r\n")
    lines = [raw.line()]
    while not lines[-1].startswith("+") and lines[-1]:
        lines.append(raw.line())
    raw.send("Hello\r\nf NOOP\r\ng NOOP\r\n")
    while sum(re.match("[efg] ", x) is not None for x in lines) < 3 and lines[-1]:
        lines.append(raw.line())
    tagged = [x[:4] for x in lines if re.match("[a-g] ", x)]
    # Dovecot may answer what comes behind an APPEND first
    check("pipelined commands are all answered", sorted(tagged) == [
        f"{t} OK" for t in "bcdefg"] and tagged[:3] == ["b OK", "c OK", "d OK"], lines)
    raw.ok("and the text is right", "FETCH 1 BODY[]", r"\{5\}\r\nHello\)")
    raw.close()


# ---- many at once -----------------------------------------------------------------------------

def scenario_many(box):
    """Sessions at both kinds of stores at once, on one front end."""
    c = Cluster(box)
    wrong = []

    def one(user, number):
        try:
            s = c.imap(user)
            folder = f"f{number}"
            s.create(folder)
            for i in range(20):
                s.append(folder, None, None, MESSAGE.format(f"{user}-{number}-{i}").encode())
            if subjects(s, folder) != [f"{user}-{number}-{i}" for i in range(20)]:
                wrong.append((user, number))
            s.logout()
        except (OSError, imaplib.IMAP4.error) as why:
            wrong.append((user, number, why))

    threads = [threading.Thread(target=one, args=(user, n)) for n in range(4)
               for user in (FRED, GINA, HUGO, ANN)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    check("16 sessions at once see each their own", not wrong, wrong)


# ---- POP3 -------------------------------------------------------------------------------------

def scenario_pop3(box):
    c = Cluster(box)
    for i in range(5):  # stuffed on the wire
        c.lmtp([FRED, ANN], MESSAGE.format(i) + "..dot\r\n...")
    p = c.pop3(FRED)
    check("POP3 counts", p.stat()[0] == 5, p.stat())
    uidl = p.uidl()[1]
    check("UIDL", len({line.split()[1] for line in uidl}) == 5, uidl)
    text = p.retr(1)[1]
    check("RETR", text[-3:] == [b"Hello.", b".dot", b".."] and b"Subject: 0" in text, text)
    text = p.top(2, 1)[1]
    check("TOP", text[-1] == b"Hello." and b"Subject: 1" in text, text)
    p.dele(1)
    p.rset()
    p.dele(2)
    check("LIST leaves out what is deleted", len(p.list()[1]) == 4, p.list())
    p.quit()
    p = c.pop3(FRED)
    check("what was deleted is gone", [line.split()[1] for line in p.uidl()[1]] ==
          [line.split()[1] for i, line in enumerate(uidl) if i != 1], p.uidl())
    p.quit()
    check_pipelined(c)
    p = c.pop3(ANN)
    check("a user of our store has hers", p.stat()[0] == 5 and len(p.uidl()[1]) == 5)
    p.quit()
    check("Dovecot and IMAP agree", len(subjects(c.imap(FRED))) == 3)


def check_pipelined(c):
    p = c.pop3(FRED)
    check("PIPELINING is offered", "PIPELINING" in p.capa(), p.capa())
    p.sock.sendall(b"".join(b"RETR %d\r\n" % (i + 1) for i in range(4)) +
                   b"DELE 4\r\nNOOP\r\nUIDL\r\nRETR 9\r\nQUIT\r\n")
    got = p.file.read()
    check("all are answered, in order", [int(x) for x in re.findall(rb"Subject: (\d)", got)] ==
          [0, 2, 3, 4] and re.search(rb"\r\n-ERR [^\r]*\r\n\+OK [^\r]*\r\n$", got), got)


# ---- mail programs ------------------------------------------------------------------------------

def scenario_programs(box):
    c = Cluster(box)
    c.lmtp([FRED], MESSAGE.format("one"))
    if shutil.which("curl"):
        out = subprocess.run(["curl", "-sS", "-u", f"{FRED}:{SECRET}",
                              f"imap://{box.FE}/INBOX;UID=1"], capture_output=True, text=True)
        check("curl reads by IMAP", "Subject: one" in out.stdout, out)
        out = subprocess.run(["curl", "-sS", "-u", f"{FRED}:{SECRET}", f"pop3://{box.FE}/1"],
                             capture_output=True, text=True)
        check("and by POP3", "Subject: one" in out.stdout, out)
    if shutil.which("mbsync"):
        check_mbsync(box, c)


def check_mbsync(box, c):
    where = box.sub("mbsync")
    rc = os.path.join(where, "rc")
    with open(rc, "w") as f:
        f.write(f"IMAPAccount dv\nHost {box.FE}\nPort 143\nUser {FRED}\nPass {SECRET}\n"
                f"SSLType None\nAuthMechs *\n\nIMAPStore far\nAccount dv\n\nMaildirStore near\n"
                f"Path {where}/mail/\nInbox {where}/mail/INBOX\nSubFolders Verbatim\n\n"
                "Channel all\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nExpunge Both\n"
                f"SyncState {where}/state/\n")
    os.makedirs(f"{where}/mail")
    os.makedirs(f"{where}/state")
    for step in ("first", "second"):
        out = subprocess.run(["mbsync", "-c", rc, "-a"], capture_output=True, text=True, timeout=60)
        check(f"mbsync comes through, {step} time", out.returncode == 0, out.stderr)
        with open(f"{where}/mail/INBOX/new/1.x", "w") as f:
            f.write(MESSAGE.format("mine").replace("\r\n", "\n"))
    subprocess.run(["mbsync", "-c", rc, "-a"], capture_output=True, timeout=60)
    found = sorted(subjects(c.imap(FRED)))
    check("and both sides have all", found.count("one") == 1 and "mine" in found, found)
