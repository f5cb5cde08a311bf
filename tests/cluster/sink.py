"""A mail server that takes everything, or answers as a test wants it: a next hop."""
import base64
import re
import socket
import socketserver
import threading


class Sink:
    """Listens on `address`. `messages` is what it has taken: (sender, recipients, bytes).
    `answers` maps a phase to what is said there instead of "250 ok": greeting, EHLO, MAIL, RCPT,
    DATA, dot. None as an answer: the connection is closed; "silent": nothing is said; a list: one
    after the other; a function: what it returns for the usual answer. A message whose dot is
    answered by None was taken all the same, and is in `lost`, too."""

    def __init__(self, address, tls=None, implicit=False, user=None, password=None):
        self.address, self.tls, self.implicit = address, tls, implicit
        self.login = base64.b64encode(f"\0{user}\0{password}".encode()) if user else None
        self.messages, self.answers, self.seen, self.lost = [], {}, [], []
        self.lock = threading.Lock()
        self.server, self.socks = None, set()

    def start(self):
        sink = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                sink.socks.add(self.request)
                try:
                    Session(sink, self.request).run()
                except OSError:
                    pass
                finally:
                    sink.socks.discard(self.request)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = daemon_threads = True
            block_on_close = False

        self.server = Server(self.address, Handler)
        self.address = self.server.server_address[:2]  # port 0: any
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
        self.server = None
        for sock in list(self.socks):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def reset(self):
        with self.lock:
            self.messages, self.answers, self.seen, self.lost = [], {}, [], []

    def texts(self, ident):
        return [m for m in self.messages if ident.encode() in m[2]]


class Closed(OSError):
    pass


class Session:
    def __init__(self, sink, sock):
        self.sink, self.sock = sink, sock
        sock.settimeout(60)
        self.encrypted = self.logged_in = False
        if sink.implicit:
            self.start_tls()
        self.file = self.sock.makefile("rb")

    def start_tls(self):
        self.sock = self.sink.tls.wrap_socket(self.sock, server_side=True)
        self.file = self.sock.makefile("rb")
        self.encrypted = True

    def choose(self, phase, text):
        answer = self.sink.answers.get(phase, text)
        if isinstance(answer, list):
            return answer.pop(0) if answer else text
        return answer(text) if callable(answer) else answer

    def say(self, phase, text):
        return self.give(self.choose(phase, text))

    def give(self, answer):
        if answer == "silent":
            self.file.read()
            raise Closed
        if answer is None:
            self.sock.shutdown(socket.SHUT_RDWR)
            raise Closed
        self.sock.sendall(answer.encode() + b"\r\n")
        return answer[:1] in "23"

    def run(self):
        self.say("greeting", "220 sink.example.net ESMTP")
        sender, rcpts = None, []
        while line := self.file.readline().rstrip(b"\r\n").decode():
            self.sink.seen.append(line)
            verb = line.split(" ")[0].upper()
            if verb in ("EHLO", "HELO"):
                self.ehlo()
            elif verb == "STARTTLS":
                self.say("STARTTLS", "220 go")
                self.start_tls()
            elif verb == "AUTH":
                self.logged_in = self.say("AUTH", "235 ok" if line.split(" ")[-1].encode() ==
                                          self.sink.login else "535 5.7.8 no")
            elif verb == "MAIL":
                if self.sink.login and not self.logged_in:
                    self.say("login", "530 5.7.0 log in")
                elif self.say("MAIL", "250 2.1.0 ok"):
                    sender, rcpts = re.match(r"MAIL FROM:<([^>]*)>", line).group(1), []
            elif verb == "RCPT":
                to = re.match(r"RCPT TO:<([^>]*)>", line).group(1)
                if self.say("RCPT " + to if "RCPT " + to in self.sink.answers else "RCPT",
                            "250 2.1.5 ok"):
                    rcpts.append(to)
            elif verb == "DATA":
                self.data(sender, rcpts)
            elif verb == "QUIT":
                self.say("QUIT", "221 bye")
                return
            else:
                self.say(verb, "250 2.0.0 ok")

    def ehlo(self):
        words = ["sink.example.net", "PIPELINING", "SIZE 50000000", "8BITMIME", "SMTPUTF8"]
        if self.sink.tls and not self.encrypted:
            words.append("STARTTLS")
        if self.sink.login:
            words.append("AUTH PLAIN")
        self.say("EHLO", "\r\n".join(f"250-{w}" for w in words[:-1]) + f"\r\n250 {words[-1]}")

    def data(self, sender, rcpts):
        if not rcpts:
            self.say("no rcpt", "554 5.5.1 nobody")
            return
        if not self.say("DATA", "354 go"):
            return
        lines = []
        while (line := self.file.readline()) != b".\r\n":
            if not line:
                raise Closed
            lines.append(line[1:] if line.startswith(b".") else line)
        taken = (sender, rcpts, b"".join(lines))
        answer = self.choose("dot", "250 2.0.0 taken")
        if answer is None:
            self.sink.lost.append(taken)
        if answer is None or answer.startswith("2"):
            self.sink.messages.append(taken)
        self.give(answer)
