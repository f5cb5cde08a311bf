"""SASL by hand: a client of SCRAM-SHA-256 that can also do it wrong, and the protocols around
it. Each login() gives (ok, the server's last line)."""
import base64
import hashlib
import hmac
import os

import talk


def b64(data):
    return base64.b64encode(data.encode() if isinstance(data, str) else data)


class Scram:
    """RFC 5802. first(), final(challenge), check(last word)."""

    def __init__(self, user, password, gs2="n,,"):
        self.user, self.password, self.gs2 = user, password, gs2
        self.nonce = base64.b64encode(os.urandom(15)).decode()
        self.salt = self.rounds = None

    def first(self):
        name = self.user.replace("=", "=3D").replace(",", "=2C")
        self.bare = f"n={name},r={self.nonce}"
        return self.gs2 + self.bare

    def final(self, challenge):
        given = dict(x.split("=", 1) for x in challenge.split(","))
        assert given["r"].startswith(self.nonce) and len(given["r"]) > len(self.nonce) + 10
        self.salt, self.rounds = given["s"], int(given["i"])
        salted = hashlib.pbkdf2_hmac("sha256", self.password.encode(),
                                     base64.b64decode(self.salt), self.rounds)
        unproved = f"c={b64(self.gs2).decode()},r={given['r']}"
        said = f"{self.bare},{challenge},{unproved}".encode()

        def mac(key, text):
            return hmac.new(key, text, hashlib.sha256).digest()

        client = mac(salted, b"Client Key")
        proof = bytes(a ^ b for a, b in
                      zip(client, mac(hashlib.sha256(client).digest(), said)))
        self.signature = b64(mac(mac(salted, b"Server Key"), said)).decode()
        return f"{unproved},p={b64(proof).decode()}"

    def check(self, last):
        assert last == "v=" + self.signature, last
        return ""


class Protocol:
    """Around a mechanism: how a command begins, how a challenge looks, what success is."""

    def __init__(self, site, front, service="imap"):
        self.service = service
        self.client = talk.Lines(site.cluster.at(front, service))
        if service in ("submission", "smtp"):
            self.caps = self.many("EHLO client.example.net", b"-")

    def many(self, text, mark):
        lines = [self.client.say(text)]
        while lines[-1][3:4] == mark:
            lines.append(self.client.line())
        return lines

    def verb(self):
        return {"imap": "a AUTHENTICATE ", "mupdate": "a AUTHENTICATE "}.get(self.service, "AUTH ")

    def begin(self, mech, initial=None):
        if self.service == "mupdate":
            mech = f'"{mech}"'
            initial = f'"{initial}"' if initial is not None else None
        return self.say(self.verb() + mech + ("" if initial is None else " " + initial))

    def say(self, text):
        self.line = self.client.say(text)
        return self.line

    def answer(self, data):
        return self.say(b64(data).decode())

    def challenge(self):
        """The challenge in the line just read, or None."""
        line = self.line
        if self.service in ("imap", "pop3"):
            return base64.b64decode(line[2:]) if line.startswith(b"+ ") else None
        if self.service == "mupdate":
            return None if line.startswith(b"a ") else base64.b64decode(line)
        return base64.b64decode(line[4:]) if line.startswith(b"334") else None

    def ok(self):
        while self.line.startswith(b"* "):
            self.line = self.client.line()
        start = {"imap": b"a OK", "mupdate": b"a OK", "pop3": b"+OK"}.get(self.service, b"235")
        return self.line.startswith(start), self.line

    def close(self):
        self.client.close()

    # ---- mechanisms -----------------------------------------------------------------

    def plain(self, user, password, authzid="", initial=True):
        message = f"{authzid}\0{user}\0{password}"
        if initial:
            self.begin("PLAIN", b64(message).decode())
        else:
            self.begin("PLAIN")
            assert self.challenge() == b"", self.line
            self.answer(message)
        return self.ok()

    def login(self, user, password):
        self.begin("LOGIN")
        assert self.challenge() == b"Username:", self.line
        self.answer(user)
        assert self.challenge() == b"Password:", self.line
        self.answer(password)
        return self.ok()

    def scram(self, user, password, gs2="n,,", initial=True):
        self.mech = mech = Scram(user, password, gs2)
        if initial:
            self.begin("SCRAM-SHA-256", b64(mech.first()).decode())
        else:
            self.begin("SCRAM-SHA-256")
            assert self.challenge() == b"", self.line
            self.answer(mech.first())
        challenge, self.proved = self.challenge(), False
        if challenge is None:
            return self.ok()
        self.answer(mech.final(challenge.decode()))
        last = self.challenge()
        self.proved = last is not None
        if last is not None:
            self.answer(mech.check(last.decode()))
        return self.ok()
