"""Clients that remember everything they were shown, and compare: for the tests that kill.

What a client saw must stay: UIDs and what they name, flags, MODSEQ, UIDVALIDITY, UIDL. Where
an answer did not come, both outcomes are right until one of them is seen. Errors must be the
temporary ones."""
import random
import re
import threading
import time

import talk
from world import PASSWORD

BREAKS = (OSError, EOFError)
ROW = re.compile(rb"\* \d+ FETCH \(UID (\d+) FLAGS \(([^)]*)\) MODSEQ \((\d+)\) "
                 rb"BODY\[HEADER\.FIELDS \(MESSAGE-ID\)\] \{\d+\}\r\n"
                 rb"(?:Message-ID: (<[^>]*>))?")
WORDS = [b"one", b"two", b"three"]  # keywords this client uses


class Wrong(Exception):
    """Something was taken back, or an error was not temporary."""


class Seen:
    """One message as it was last shown."""

    def __init__(self, ident, modseq, flags):
        self.ident, self.modseq, self.flags = ident, modseq, flags
        self.open = set()    # keywords whose change was not answered
        self.leaving = False  # an expunge was not answered


class Mailbox:
    def __init__(self, name):
        self.name, self.validity, self.next, self.modseq = name, 0, 0, 0
        self.messages = {}   # UID -> Seen
        self.gone = set()    # UIDs whose expunge was answered
        self.looks = 0

    def select(self, client):
        lines = tell(client, f"SELECT {self.name} (CONDSTORE)")
        validity = talk.number(lines, rb"UIDVALIDITY (\d+)")
        following = talk.number(lines, rb"UIDNEXT (\d+)")
        modseq = talk.number(lines, rb"HIGHESTMODSEQ (\d+)")
        if self.validity not in (0, validity) or following < self.next or modseq < self.modseq:
            raise Wrong(f"{self.name}: UIDVALIDITY {self.validity}, UIDNEXT {self.next}, "
                        f"HIGHESTMODSEQ {self.modseq} became {lines}")
        self.validity, self.next, self.modseq = validity, following, modseq

    def look(self, client):
        """At the last messages; now and then at all."""
        first = max(1, self.next - 200) if random.random() < 0.9 else 1
        lines = tell(client, f"UID FETCH {first}:* (FLAGS MODSEQ "
                             "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
        rows = {int(m[1]): m for m in map(ROW.match, lines) if m}
        for uid in {u for u in self.messages if u >= first} - set(rows):
            if not self.messages[uid].leaving:
                raise Wrong(f"{self.name}: UID {uid} is gone")
            self.gone.add(uid)
            del self.messages[uid]
        if self.gone & set(rows):
            raise Wrong(f"{self.name}: UIDs {self.gone & set(rows)} are back")
        for uid, m in rows.items():
            self.compare(uid, m)
        self.looks += 1

    def compare(self, uid, m):
        flags, modseq, ident = set(m[2].split()) & set(WORDS), int(m[3]), m[4]
        old = self.messages.get(uid)
        if old is None:
            self.messages[uid] = Seen(ident, modseq, flags)
        elif old.ident != ident or modseq < old.modseq or (flags ^ old.flags) - old.open:
            raise Wrong(f"{self.name}: UID {uid} was {vars(old)} and is {m[0]}")
        else:
            old.modseq, old.flags, old.open, old.leaving = modseq, flags, set(), False
        self.next, self.modseq = max(self.next, uid + 1), max(self.modseq, modseq)

    def set_flag(self, client):
        uid, word = random.choice(sorted(self.messages)), random.choice(WORDS)
        seen, sign = self.messages[uid], random.choice("+-")
        seen.open.add(word)
        lines = tell(client, f"UID STORE {uid} {sign}FLAGS ({word.decode()})")
        seen.open.discard(word)
        (seen.flags.add if sign == "+" else seen.flags.discard)(word)
        for line in lines:
            m = re.search(rb"UID %d\D.*MODSEQ \((\d+)\)" % uid, line)
            if m:
                seen.modseq = int(m[1])

    def append(self, client):
        ident = talk.message_id()
        lines = client.append(self.name, talk.message(ident=ident))
        judge(lines[-1])
        if b" OK" not in lines[-1]:
            return
        validity, uid = map(int, re.search(rb"APPENDUID (\d+) (\d+)", lines[-1]).groups())
        if uid in self.messages or uid in self.gone or validity != self.validity:
            raise Wrong(f"{self.name}: APPENDUID {validity} {uid} was there before")
        self.messages[uid] = Seen(ident.encode(), 0, set())
        self.next = max(self.next, uid + 1)

    def expunge(self, client):
        uid = random.choice(sorted(self.messages))
        tell(client, f"UID STORE {uid} +FLAGS.SILENT (\\Deleted)")
        self.messages[uid].leaving = True
        tell(client, f"UID EXPUNGE {uid}")
        del self.messages[uid]
        self.gone.add(uid)


def judge(line):
    """NO must say that it is temporary; BAD never comes."""
    if line == b"":
        raise EOFError
    word = line.split(b" ", 2)[1]
    if word != b"OK" and b"[UNAVAILABLE]" not in line and b"[INUSE]" not in line:
        raise Wrong(f"an answer that is not temporary: {line}")


class Later(Exception):
    """A temporary error."""


def tell(client, command):
    lines = client.run(command)
    judge(lines[-1])
    if lines[-1].split(b" ", 2)[1] != b"OK":
        raise Later
    return lines


class Client(threading.Thread):
    """Again and again, by any front end, until `stop`."""

    def __init__(self, site, user, stop):
        super().__init__(daemon=True)
        self.site, self.user, self.stop = site, user, stop
        self.error, self.sessions, self.breaks = None, 0, 0

    def run(self):
        try:
            while not self.stop.is_set():
                self.once()
                time.sleep(random.uniform(0, 0.1))
        except Exception as e:  # noqa: BLE001  shown by the test
            self.error = e

    def once(self):
        try:
            self.visit(random.choice(self.site.cluster.fronts))
            self.sessions += 1
        except (*BREAKS, Later):
            self.breaks += 1
            time.sleep(0.05)


class ImapClient(Client):
    """Watches the INBOX, into which others deliver, and works in a folder of its own."""

    def __init__(self, *args):
        super().__init__(*args)
        self.inbox, self.folder = Mailbox("INBOX"), Mailbox("Model")

    def visit(self, front):
        client = talk.Imap(self.site.cluster.at(front, "imap"))
        try:
            if not client.greeting.startswith(b"* OK"):
                return
            tell(client, f'LOGIN {self.user} "{PASSWORD}"')
            self.inbox.select(client)
            self.inbox.look(client)
            if self.inbox.messages:
                self.inbox.set_flag(client)
            self.folder.select(client)
            self.folder.look(client)
            for _ in range(random.randint(1, 6)):
                act = random.choice([self.folder.append, self.folder.append,
                                     self.folder.set_flag, self.folder.expunge])
                if self.folder.messages or act == self.folder.append:
                    act(client)
            self.folder.look(client)
        finally:
            client.close()


class Pop3Client(Client):
    def __init__(self, *args):
        super().__init__(*args)
        self.shown = {}  # UIDL -> Message-ID, None when it was not fetched

    def ask(self, lines, text):
        answer = lines.say(text)
        if answer == b"":
            raise EOFError
        if answer.startswith(b"-ERR"):
            if not re.match(rb"-ERR \[(SYS/TEMP|IN-USE)\]", answer):
                raise Wrong(f"an answer that is not temporary: {answer}")
            raise Later
        return answer

    def body(self, lines):
        got = []
        while (line := lines.line()) != b".":
            if line == b"" and not lines.file.peek(1):
                raise EOFError
            got.append(line)
        return got

    def visit(self, front):
        lines = talk.Lines(self.site.cluster.at(front, "pop3"))
        try:
            if lines.greeting == b"":
                return
            self.ask(lines, f"USER {self.user}")
            self.ask(lines, f"PASS {PASSWORD}")
            self.ask(lines, "UIDL")
            listed = {u: int(n) for n, u in (x.split() for x in self.body(lines))}
            if set(self.shown) - set(listed):
                raise Wrong(f"UIDLs are gone: {set(self.shown) - set(listed)}")
            for uidl in listed:
                self.shown.setdefault(uidl, None)
            if listed:
                uidl = random.choice(sorted(listed))
                self.ask(lines, f"TOP {listed[uidl]} 0")
                ident = [x for x in self.body(lines) if x.startswith(b"Message-ID:")]
                if self.shown[uidl] not in (None, ident):
                    raise Wrong(f"UIDL {uidl} was {self.shown[uidl]} and is {ident}")
                self.shown[uidl] = ident
            self.ask(lines, "QUIT")
        finally:
            lines.close()
