"""MUPDATE line by line: the same conversation with a Cyrus master and with ours, and Cyrus' own
tool with each mechanism, with and without TLS."""
import base64
import os
import re
import socket
import subprocess
import time

import lab
from checks import certificate, check, imap, says
from murder import MASTER_SETTINGS, check_lists, following, identity, started_front
from parties import BE1, BE2, MASTER, SPARE
from roost import until

OURS, THEIRS = MASTER, SPARE
PLAIN = base64.b64encode(f"\0be1\0{lab.SECRET}".encode()).decode()
WRONG = base64.b64encode(b"\0be1\0wrong").decode()
A, B = f"{BE1}!default", f"{BE2}!default"
LOGIN = [f'L AUTHENTICATE "PLAIN" "{PLAIN}"']

# name, commands, and where we mean to differ: our answer by the command's number.
TALKS = [
    ("before the login", [
        "1 NOOP", '2 FIND "x"', "3 LIST", "4 UPDATE", '5 ACTIVATE "a" "b" "c"', '6 DELETE "a"',
        "7 BOGUS", "8 STARTTLS", "9 LOGOUT"], {}),
    ("a login that is given up", ['1 AUTHENTICATE "PLAIN"', ("1", "*"), f'2 AUTHENTICATE "PLAIN" "{PLAIN}"',
                                  "3 NOOP"], {1: "1 NO"}),
    ("a login in two steps, a second one", ['1 AUTHENTICATE "PLAIN"', ("1", PLAIN),
                                            f'2 AUTHENTICATE "PLAIN" "{PLAIN}"'], {}),
    ("logins that fail", [f'1 AUTHENTICATE "PLAIN" "{WRONG}"', '2 AUTHENTICATE "X-NONE"',
                          "3 AUTHENTICATE", f'4 AUTHENTICATE "PLAIN" "{PLAIN}"'],
     {0: "1 NO", 1: "2 NO"}),
    ("names and their states", LOGIN + [
        '1 FIND "user.none"', f'2 RESERVE "user.a" "{A}"', f'3 RESERVE "user.a" "{A}"',
        f'4 RESERVE "user.a" "{B}"', '5 FIND "user.a"', f'6 ACTIVATE "user.a" "{A}" "a\tlrs\t"',
        '7 FIND "user.a"', f'8 ACTIVATE "user.a" "{A}" ""', f'9 ACTIVATE "user.a" "{A}" "a\tl\t"',
        '10 find "user.a"', f'11 DEACTIVATE "user.a" "{A}"', '12 FIND "user.a"',
        f'13 ACTIVATE "user.a" "{A}" "a\tlr\t"', '14 FIND "user.a"',
        f'15 ACTIVATE "user.a" "{B}" "a\tlr\t"', '16 FIND "user.a"', '17 DELETE "user.a"',
        '18 FIND "user.a"'], {}),
    ("empty partitions, odd names, all kinds of strings", LOGIN + [
        f'1 RESERVE "user.e" "{BE1}!"', '2 FIND "user.e"', f'3 ACTIVATE "user.e" "{BE1}!" "e\tl\t"',
        '4 FIND "user.e"', "5 FIND {6+}\r\nuser.e", f"6 ACTIVATE {{6+}}\r\nuser.f "
        f'"{A}" {{5+}}\r\nf\tlr\t', "7 FIND {6}\r\nuser.f", '8 ACTIVATE "user.Entw&APw-rfe x" '
        f'"{A}" "anyone\tlrs\t-fred\tw\t"', '9 FIND "user.Entw&APw-rfe x"',
        f'10 ACTIVATE "other.org!user.x^y" "{A}" "x.y@other.org\tlrs\t"',
        '11 FIND "other.org!user.x^y"'], {}),
    ("lists in their order", LOGIN + [
        f'{i} ACTIVATE "{name}" "{A}" "fred\tlrs\t"' for i, name in enumerate((
            "user.fred", "user.fred-x", "user.fred.a", "user.fred.a b", "user.fred1",
            "user.fred^doe", "user.fred.a.c", "other.org!user.fred", "other"))] + [
        "20 LIST", f'21 LIST "{BE1}"', f'22 LIST "{BE1}!"', f'23 LIST "{A}"', f'24 LIST "{A}x"',
        f'25 LIST "{BE2}!"', '26 LIST ""'], {}),
    ("arguments that are missing or too many", LOGIN + [
        '1 RESERVE "user.x"', '2 RESERVE "user.x" "y" "z"', "3 FIND", '4 FIND "a" "b"',
        '5 NOOP extra', '6 UPDATE ""', "7 LIST a", "8 FIND user.atom",
        "9 ACTIVATE user.atom beX anyone", "10 BOGUS", "11", "12 DELETE", '13 DEACTIVATE "a"',
        "14 LOGOUT now", "15 NOOP"], {11: '11 BAD "Need command"'}),
    ("a stream", LOGIN + [
        "1 UPDATE", '2 FIND "user.fred"', "3 NOOP", "4 LIST", "5 UPDATE", '6 DELETE "user.fred"',
        "7 LOGOUT"], {}),
    ("a stream of one server", LOGIN + [f'1 UPDATE "{BE2}"', "2 NOOP", "3 LOGOUT"], {}),
]


class Line:
    """One connection; an answer is all lines up to the one with the command's tag."""

    def __init__(self, at):
        self.sock = socket.create_connection((at, 3905), 10)
        self.sock.settimeout(5)
        self.file = self.sock.makefile("rb")
        self.banner = []
        while not self.banner or not self.banner[-1].startswith("* OK"):
            self.banner.append(self.line())

    def line(self):
        line = self.file.readline()
        while re.search(rb"\{\d+\+?\}\r\n$", line):
            line += self.file.readline()
        return line.decode()

    def ask(self, command):
        """command: a line; or its tag and the line."""
        tag, text = command if isinstance(command, tuple) else (command.split(" ")[0], command)
        pieces = re.split(r"(?<=\{\d\}\r\n)", text + "\r\n")
        lines = []
        for piece in pieces:
            if piece is not pieces[0]:
                lines.append(self.line())
            self.sock.sendall(piece.encode())
        while not lines or not re.match(tag + r" (OK|NO|BAD)|\* BAD|\r\n|$", lines[-1]):
            lines.append(self.line())
        return lines

    def close(self):
        self.sock.close()


def talk(at, commands):
    line = Line(at)
    answers = [line.ask(c) for c in commands]
    line.close()
    return answers


def scenario_wire(box):
    theirs = box.cyrus_master(THEIRS)
    theirs.start()
    ours = box.roost("master", MASTER, MASTER_SETTINGS + "activate = takeover\n" + identity("be1"))
    ours.start("roost-mupdate")
    ours.ctl({"cmd": "reconcile", "complete": "*"})
    until("a Cyrus master", lambda: reached(THEIRS))
    check_banner()
    for name, commands, but in TALKS:
        want, got = talk(THEIRS, commands), talk(OURS, commands)
        for i, command in enumerate(commands):
            if i in but:
                check(f"{name}: {command!r} in our words", got[i][-1].startswith(but[i]), got[i])
            else:
                check(f"{name}: {command!r}", got[i] == want[i], (got[i], want[i]))
    want, got = streamed(THEIRS), streamed(OURS)
    check("a stream of changes", got == want, (got, want))


def streamed(at):
    """The last word a subscriber hears of each name; Cyrus tells it late, and several times."""
    reader = Line(at)
    reader.ask(LOGIN[0])
    reader.ask("1 UPDATE")
    talk(at, LOGIN + [f'1 RESERVE "user.new" "{A}"', f'2 ACTIVATE "user.new" "{A}" "new\tl\t"',
                      '3 DELETE "user.fred1"', f'4 DEACTIVATE "user.fred" "{A}"'])
    lines = reader.ask("2 NOOP")
    reader.close()
    return {line.split("\r\n")[1]: line for line in lines}


def reached(at):
    try:
        Line(at).close()
        return True
    except OSError:
        return False


def check_banner():
    line = Line(OURS)
    words = [re.match(r"\* (\S+)", x).group(1) for x in line.banner]
    check("our banner has the lines of Cyrus in its order", [w for w in words if w != "ROOST"] ==
          [w for w in [re.match(r"\* (\S+)", x).group(1) for x in Line(THEIRS).banner]
           if w != "COMPRESS"], line.banner)
    check("its last one tells who this is", re.fullmatch(
        f'\\* OK MUPDATE "{MASTER}" "Roost" "[0-9.]+" "\\(master\\)"\r\n', line.banner[-1]), line.banner)
    check("what is not announced is not done", line.ask(LOGIN[0])[-1].startswith("L OK") and
          line.ask('1 COMPRESS "DEFLATE"') == ['1 BAD "Unrecognized command"\r\n'])
    line.close()


# ---- mupdatetest ------------------------------------------------------------------------------------

def tls_settings(box):
    return "tls_cert = {}\ntls_key = {}\n".format(*certificate(box.sub("tls"), "master.test"))


def scenario_mupdatetest(box):
    master = box.roost("master", MASTER, tls_settings(box) + MASTER_SETTINGS + identity("be1", BE1))
    master.start("roost-mupdate")
    line = Line(MASTER)
    mechs = re.findall(r'"([^"]+)"', line.banner[0])
    check("mechanisms and TLS are offered", mechs != [] and "* STARTTLS\r\n" in line.banner,
          line.banner)
    line.close()
    for tls in ([], ["-t", ""]):
        for mech in mechs + [""]:
            options = [*tls, *(["-m", mech] if mech else [])]
            out = mupdatetest(box, options)
            check(f"mupdatetest logs in with {' '.join(options) or 'what it chooses'}",
                  "Authenticated." in out and "N1 OK" in out and
                  out.count("* OK MUPDATE") == 1 + len(tls) // 2, out)
    check("a wrong password does not", "Authentication failed" in mupdatetest(box, [], "wrong"))


def scenario_tls(box):
    """Cyrus finds out by itself that it cannot log in without TLS."""
    master = box.roost("master", MASTER, "plaintext_networks = 10.0.0.0/8\n" + tls_settings(box) +
                       MASTER_SETTINGS + identity("be1", BE1) + identity("fe"))
    master.start("roost-mupdate")
    master.ctl({"cmd": "reconcile", "complete": "*"})
    line = Line(MASTER)
    check("without TLS no mechanism is offered", line.banner[0] == "* AUTH\r\n", line.banner)
    check("nor taken", line.ask(LOGIN[0])[0].startswith("L NO"))
    line.close()
    store = box.store("be1", BE1)
    store.start()
    says("a Cyrus store makes a mailbox over TLS", imap(BE1, "cyrus").create("user.fred"))
    front = started_front(box, master)
    check("a Cyrus front end follows over TLS", [s["tls"] for s in master.ctl(
        {"cmd": "who"})["sessions"] if s["user"] == "fe"] == [True] and following(master))
    check_lists("over TLS", master, [store], front)


def mupdatetest(box, options, password=lab.SECRET):
    tool = os.path.join(box.root, "usr/lib/cyrus/bin/mupdatetest")
    p = subprocess.Popen([tool, *options, "-a", "be1", "-u", "be1", "-w", password, "-p", "3905",
                          MASTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, env=dict(os.environ, LD_LIBRARY_PATH=os.path.join(
                             box.root, "usr/lib/x86_64-linux-gnu")))
    time.sleep(0.5)
    return p.communicate(b"N1 NOOP\r\nL1 LOGOUT\r\n", timeout=20)[0].decode()
