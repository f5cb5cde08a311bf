"""curl: imap, imaps, pop3, pop3s, smtp, with and without TLS."""
import os

import mails
import talk
from tool import certificate, folder, raw_mail, sh
from world import PASSWORD, SENDER

PACKAGES = ["curl"]


def run(site, check):
    user = site.user("store2")
    curl = ["curl", "-sS", "--max-time", "30", "-u", f"{user}:{PASSWORD}"]
    tls = ["--cacert", certificate(site), "--ssl-reqd"]
    path = os.path.join(folder(site, "curl"), "mail.eml")
    raw = raw_mail(mails.attachment, user)
    with open(path, "wb") as f:
        f.write(raw)
    for front, other in (("fe1", "fe2"), ("fe2", "fe1")):
        smtp = "smtp://" + site.cluster.text(front, "smtp") + "/client.example.net"
        for name, more in (("", []), (" with STARTTLS", tls)):
            ident = talk.message_id()
            with open(path + ".new", "wb") as f:
                f.write(talk.message("by curl\r\n", "by curl", ident))
            code, text = sh("curl", "-sS", "--max-time", "30", smtp, "--mail-from", SENDER,
                            "--mail-rcpt", user, "-T", path + ".new", *more)
            check(f"curl sends by SMTP{name} through {front}", code == 0, text)
            check(f"it arrived, seen through {other}", site.count(user, ident, other) == 1)
    code, text = sh("curl", "-sS", "--max-time", "30", smtp, "--mail-from", SENDER, "--mail-rcpt",
                    "nobody-here@example.org", "-T", path)
    check("curl is refused an unknown recipient", code == 55 and "550" in text, (code, text))
    logins(site, check, curl, user)
    imap(site, check, curl, tls, user, path, raw)
    pop3(site, check, curl, tls, user, raw)
    submission(site, check, curl, tls, user, path)


def logins(site, check, curl, user):
    """Debian's curl has no SCRAM; when it gets it, it is tried."""
    code, text = sh("curl", "--version")
    mechs = ["PLAIN", "LOGIN"] + (["SCRAM-SHA-256"] if "gsasl" in text.lower() else [])
    for service in ("imap", "pop3"):
        for mech in mechs:
            code, text = sh(*curl, "--login-options", "AUTH=" + mech,
                            f"{service}://{site.cluster.text('fe2', service)}/")
            check(f"curl logs in at {service} with AUTH={mech}", code == 0, (code, text))


def imap(site, check, curl, tls, user, path, raw):
    for url, more in (("imap://" + site.cluster.text("fe1", "imap"), []),
                      ("imap://" + site.cluster.text("fe2", "imap"), tls),
                      ("imaps://" + site.cluster.text("fe1", "imaps"), tls)):
        code, text = sh(*curl, url + "/Sent", "-T", path, *more)
        check(f"curl appends by {url}", code == 0, text)
        code, text = sh(*curl, url + "/", *more)
        check("curl lists folders", code == 0 and "INBOX" in text and "\\Sent" in text, text)
        code, text = sh(*curl, url + "/Sent;MAILINDEX=1", *more)
        check("curl reads a message, byte for byte",
              code == 0 and text.encode().replace(b"\r\n", b"\n") == raw.replace(b"\r\n", b"\n"),
              (code, len(text), len(raw)))
        code, text = sh(*curl, url + "/INBOX?SUBJECT%20curl", *more)
        check("curl searches", code == 0 and "* SEARCH 1 2 3 4" in text, text)
        code, text = sh(*curl, url + "/Sent;MAILINDEX=1;SECTION=HEADER.FIELDS%20(SUBJECT)", *more)
        check("curl reads a section", code == 0 and "attachment" in text, text)
    code, text = sh("curl", "-sS", "-u", f"{user}:wrong", url + "/", *tls)
    check("curl is refused a wrong password", code == 67, (code, text))


def pop3(site, check, curl, tls, user, raw):
    for url, more in (("pop3://" + site.cluster.text("fe2", "pop3"), []),
                      ("pop3://" + site.cluster.text("fe1", "pop3"), tls),
                      ("pop3s://" + site.cluster.text("fe2", "pop3s"), tls)):
        code, text = sh(*curl, url + "/", *more)
        check(f"curl lists by {url}", code == 0 and len(text.split("\n")) >= 4, text)
        code, text = sh(*curl, url + "/1", *more)
        check("curl retrieves", code == 0 and "by curl" in text, text)
        code, text = sh(*curl, url + "/", "-X", "UIDL", *more)
        check("curl asks for unique ids", code == 0 and len(text.split()) >= 8, text)


def submission(site, check, curl, tls, user, path):
    other = site.user("store1")
    for url in ("smtp://" + site.cluster.text("fe1", "submission"),
                "smtps://" + site.cluster.text("fe2", "submissions")):
        for mech in ("PLAIN", "LOGIN"):
            ident = talk.message_id()
            with open(path + ".out", "wb") as f:
                f.write(f"From: {user}\r\nSubject: by curl\r\nMessage-ID: {ident}\r\n\r\n"
                        "Hello\r\n".encode())
            code, text = sh(*curl, url + "/laptop.example.net", "--login-options", "AUTH=" + mech,
                            "--mail-from", user, "--mail-rcpt", other, "-T", path + ".out", *tls)
            check(f"curl hands in by {url} with AUTH {mech}",
                  code == 0 and site.count(other, ident) == 1, text)
