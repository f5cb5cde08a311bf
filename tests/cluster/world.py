"""A cluster with users, as the tests want it."""
import contextlib
import imaplib
import itertools
import os
import poplib
import signal
import smtplib
import ssl

import cluster as c
import talk

PASSWORD = "pass-word 1"
SENDER = "sender@elsewhere.example.net"
numbers = itertools.count(1)


@contextlib.contextmanager
def frozen(pids):
    """They take connections and say nothing."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


class Site:
    def __init__(self, work, net, kind=c.Cluster):
        self.cluster = kind(work, net=net, log_level=os.environ.get("ROOST_TEST_LOG", "debug"))
        self.domain = self.cluster.domain
        self.tls = ssl.create_default_context()
        self.tls.check_hostname = False

    def start(self):
        self.cluster.prepare()
        self.tls.load_verify_locations(os.path.join(self.cluster.dir, "tls", "cert.pem"))
        self.cluster.start()
        self.cluster.wait_settled()
        self.user()  # nobody is unknown to a directory that is not set up

    def stop(self):
        self.cluster.stop()

    def __getitem__(self, name):
        return self.cluster[name]

    # ---- users ----------------------------------------------------------------------

    def user(self, store="store1", name=None):
        """A new user whose home is `store`; his address."""
        address = f"{name or 'u%d' % next(numbers)}@{self.domain}"
        self.cluster.ctl(store, "user", "add", address, "--store", store, "--password-stdin",
                         stdin=PASSWORD + "\n")
        return address

    # ---- clients --------------------------------------------------------------------

    def imap(self, user, front="fe1", password=PASSWORD):
        """imaplib, logged in."""
        client = imaplib.IMAP4(*self.cluster.at(front, "imap"), timeout=talk.TIMEOUT)
        client.login(user, password)
        return client

    def imap_again(self, user, front):
        """raw_imap(), as soon as he can log in again."""
        found = []

        def login():
            with contextlib.suppress(AssertionError, OSError, EOFError):
                found.append(self.raw_imap(user, front))
            return found
        c.wait_until(f"{user} to log in", login)
        return found[0]

    def raw_imap(self, user=None, front="fe1", select=None):
        """talk.Imap, logged in when a user is given."""
        client = talk.Imap(self.cluster.at(front, "imap"))
        if user:
            client.ok(f'LOGIN {user} "{PASSWORD}"')
        if select:
            client.ok(f"SELECT {select}")
        return client

    def pop3(self, user, front="fe1"):
        client = poplib.POP3(*self.cluster.at(front, "pop3"), timeout=talk.TIMEOUT)
        client.user(user)
        client.pass_(PASSWORD)
        return client

    def smtp(self, front="fe1"):
        return smtplib.SMTP(*self.cluster.at(front, "smtp"), timeout=talk.TIMEOUT,
                            local_hostname="client.example.net")

    def lines(self, front, service):
        return talk.Lines(self.cluster.at(front, service))

    def lmtp(self, front="fe1"):
        client = talk.Smtp(self.cluster.at(front, "lmtp"))
        assert client.ask("LHLO client.example.net")[0] == 250
        return client

    def raw_smtp(self, front="fe1"):
        client = talk.Smtp(self.cluster.at(front, "smtp"))
        assert client.ask("EHLO client.example.net")[0] == 250
        return client

    # ---- mail -----------------------------------------------------------------------

    def send(self, to, message=None, front="fe1", sender=SENDER):
        """By SMTP; the message as it was sent."""
        message = message or talk.message()
        with self.smtp(front) as smtp:
            smtp.sendmail(sender, [to] if isinstance(to, str) else to, message)
        return message

    def count(self, user, text, front="fe1", mailbox="INBOX"):
        """How many messages of the user have `text` as their Message-ID."""
        client = self.raw_imap(user, front)
        client.ok(f"EXAMINE {mailbox}")
        lines = client.ok(f'SEARCH HEADER Message-ID "{text}"')
        client.close()
        return sum(len(line.split()) - 2 for line in lines if line.startswith(b"* SEARCH"))
