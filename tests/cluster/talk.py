"""Clients that say exactly what a test wants said, and messages."""
import base64
import itertools
import os
import re
import socket
import ssl

TIMEOUT = 60
numbers = itertools.count(1)


def message_id():
    return f"<{os.getpid()}.{next(numbers)}@elsewhere.example.net>"


def message(body="Hello.\r\n", subject="a test", ident=None, more=""):
    return (f"From: Dora <dora@elsewhere.example.net>\r\nTo: you\r\nSubject: {subject}\r\n"
            f"Date: Thu, 26 Nov 2026 10:00:00 +0100\r\nMessage-ID: {ident or message_id()}\r\n"
            f"{more}\r\n{body}").encode()


class Lines:
    """A connection as lines of bytes without their ends."""

    def __init__(self, address, greeting=True):
        self.sock = socket.create_connection(address, timeout=TIMEOUT)
        self.file = self.sock.makefile("rb")
        self.greeting = self.line() if greeting else None

    def send(self, data):
        self.sock.sendall(data.encode() if isinstance(data, str) else data)

    def line(self):
        """b"" when the peer has closed."""
        return self.file.readline().rstrip(b"\r\n")

    def last_line(self, data):
        """What a peer says to what it may not want to read to its end: b"" when it has closed,
        also with so much unread that what it said before is lost."""
        try:
            self.send(data)
            return self.line()
        except ConnectionError:
            return b""

    def say(self, text):
        self.send(text.encode() + b"\r\n" if isinstance(text, str) else text + b"\r\n")
        return self.line()

    def start_tls(self, context):
        self.file.close()
        self.sock = context.wrap_socket(self.sock, server_hostname="mail.example.org")
        self.file = self.sock.makefile("rb")

    def is_closed(self, seconds=TIMEOUT):
        """True when the peer ends the connection by then; what it still says is dropped."""
        self.sock.settimeout(seconds)
        try:
            while self.file.read1(65536):
                pass
            return True
        except (ConnectionError, ssl.SSLError):
            return True
        except OSError:
            self.file = self.sock.makefile("rb")  # the old one remembers the time-out
            return False

    def close(self):
        self.file.close()
        self.sock.close()


class Smtp(Lines):
    """SMTP and LMTP: (code, text) of each reply, the text with its lines joined."""

    def reply(self):
        text = []
        while True:
            line = self.line().decode()
            text.append(line[4:])
            if line[3:4] != "-":
                return (int(line[:3]) if line[:3].isdigit() else 0, "\n".join(text))

    def ask(self, text):
        self.send(text.encode() + b"\r\n" if isinstance(text, str) else text + b"\r\n")
        return self.reply()

    def envelope(self, *to, sender="sender@elsewhere.example.net"):
        """The replies to each RCPT."""
        assert self.ask(f"MAIL FROM:<{sender}>")[0] == 250
        return [self.ask(f"RCPT TO:<{t}>") for t in to]

    def data(self, message, replies=1):
        """The replies after the final dot. message has CRLF ends."""
        assert self.ask("DATA")[0] == 354
        self.send(re.sub(rb"(?m)^\.", b"..", message) + b".\r\n")
        return [self.reply() for _ in range(replies)]

    def reset(self):
        assert self.ask("RSET")[0] == 250


class Imap(Lines):
    """Responses are bytes with their literals inside, as they came; b"" for the end, also in
    the middle of one."""

    def __init__(self, address):
        super().__init__(address)
        self.tags = itertools.count(1)

    def response(self):
        text = self.file.readline()
        while (m := re.search(rb"\{(\d+)\}\r\n$", text)) is not None:
            text += self.file.read(int(m.group(1)))
            text += self.file.readline()
        return text.rstrip(b"\r\n") if text.endswith(b"\n") else b""

    def start(self, command):
        tag = "t%d" % next(self.tags)
        self.send(tag.encode() + b" " +
                  (command.encode() if isinstance(command, str) else command) + b"\r\n")
        return tag

    def finish(self, tag):
        """All responses; the tagged one is the last."""
        lines = []
        while True:
            line = self.response()
            if line == b"":
                raise EOFError(f"closed after {lines}")
            lines.append(line)
            if line.startswith(tag.encode() + b" "):
                return lines

    def run(self, command):
        return self.finish(self.start(command))

    def ok(self, command):
        lines = self.run(command)
        assert lines[-1].split(b" ", 2)[1] == b"OK", (command, lines)
        return lines

    def no(self, command, code=b""):
        lines = self.run(command)
        assert lines[-1].split(b" ", 2)[1] == b"NO" and code in lines[-1], (command, lines)
        return lines

    def bad(self, command):
        lines = self.run(command)
        assert lines[-1].split(b" ", 2)[1] == b"BAD", (command, lines)
        return lines

    def append(self, mailbox, *messages, how="", sync=True):
        """APPEND, or MULTIAPPEND of several. how: flags and date, with a space behind."""
        tag = "t%d" % next(self.tags)
        text = f"{tag} APPEND {mailbox}"
        for m in messages:
            self.send(f"{text} {how}{{{len(m)}{'' if sync else '+'}}}\r\n")
            if sync:
                line = self.response()
                if not line.startswith(b"+"):
                    return [line]
            self.send(m)
            text = ""
        self.send("\r\n")
        return self.finish(tag)

    def idle(self):
        tag = self.start("IDLE")
        assert self.response().startswith(b"+")
        return tag

    def untagged(self, lines, word):
        return [line for line in lines if line.startswith(b"* ") and
                word in line.upper().split(b"(")[0].split()]


def number(lines, pattern):
    """The first number that pattern finds in the responses."""
    for line in lines:
        m = re.search(pattern, line)
        if m:
            return int(m.group(1))
    raise AssertionError(f"{pattern} is not in {lines}")


def literal(lines, item):
    """The bytes of a FETCH item in the responses: literal, quoted, or None for NIL."""
    for line in lines:
        at = line.find(item + b" ")
        if at == -1:
            continue
        rest = line[at + len(item) + 1:]
        m = re.match(rb"\{(\d+)\}\r\n", rest)
        if m:
            return rest[m.end():m.end() + int(m.group(1))]
        m = re.match(rb'"((?:[^"\\]|\\.)*)"', rest)
        if m:
            return re.sub(rb"\\(.)", rb"\1", m.group(1))
        if rest.startswith(b"NIL"):
            return None
    raise AssertionError(f"{item} is not in {lines}")


class Mupdate(Lines):
    """A peer of a location server, logged in when a name is given; extended speaks our
    extension. Lines have their literals inside."""

    def __init__(self, address, name=None, password="", extended=True, cluster="roost", term=0):
        super().__init__(address)
        self.banner = [self.greeting]
        while self.banner[-1].startswith(b"* ") and not self.banner[-1].startswith(b"* OK"):
            self.banner.append(self.line())
        if name:
            word = base64.b64encode(f"\0{name}\0{password}".encode()).decode()
            assert self.ask(f'A AUTHENTICATE "PLAIN" "{word}"')[-1].startswith(b"A OK")
        if name and extended:
            self.hello = self.ask(f'X ROOST "1" "{cluster}" "{term}"')

    def response(self):
        text = self.file.readline()
        while (m := re.search(rb"\{(\d+)\+\}\r\n$", text)) is not None:
            text += self.file.read(int(m.group(1)))
            text += self.file.readline()
        return text.rstrip(b"\r\n") if text.endswith(b"\n") else b""

    def finish(self, tag):
        """All lines up to the last one with this tag; b"" when the connection has ended."""
        lines = [self.response()]
        while lines[-1] != b"" and lines[-1].split(b" ")[:2] not in (
                [tag, b"OK"], [tag, b"NO"], [tag, b"BAD"]):
            lines.append(self.response())
        return lines

    def ask(self, command):
        command = command.encode() if isinstance(command, str) else command
        self.send(command + b"\r\n")
        return self.finish(command.split(b" ")[0])
