"""swaks: SMTP and LMTP dialogues."""
import talk
from tool import certificate, sh
from world import PASSWORD, SENDER

PACKAGES = ["swaks", "libnet-ssleay-perl"]


def run(site, check):
    users = [site.user("store1"), site.user("store2")]

    def swaks(front, service, to, *more):
        host, port = site.cluster.at(front, service)
        return sh("swaks", "--server", host, "--port", port, "--from", SENDER, "--to", to,
                  "--helo", "client.example.net", "--timeout", "30",
                  *(["--protocol", "LMTP"] if service == "lmtp" else []), *more)

    for front, other in (("fe1", "fe2"), ("fe2", "fe1")):
        for service in ("smtp", "lmtp"):
            for name, more in (("plainly", []), ("pipelined", ["--pipeline"]),
                               ("with STARTTLS", ["--tls", "--tls-verify", "--tls-ca-path",
                                                  certificate(site)])):
                ident = talk.message_id()
                code, text = swaks(front, service, ",".join(users), "--header",
                                   f"Message-ID: {ident}", *more)
                check(f"swaks delivers by {service} {name} through {front}", code == 0, text)
                check(f"both stores have it, seen through {other}",
                      [site.count(u, ident, other) for u in users] == [1, 1])
    code, text = swaks("fe1", "smtp", "nobody-here@example.org")
    check("an unknown recipient is refused", code == 24 and "550 5.1.1" in text, (code, text))
    code, text = swaks("fe1", "smtp", "someone@elsewhere.example.net")
    check("no relay for strangers", code == 24 and "550 5.7.1" in text, (code, text))
    ident = talk.message_id()
    code, text = swaks("fe2", "smtp", f"{users[0]},nobody-here@example.org", "--header",
                       f"Message-ID: {ident}")
    check("a good recipient beside a bad one gets it",
          code == 0 and site.count(users[0], ident) == 1, (code, text))
    code, text = swaks("fe2", "smtp", users[1], "--attach-name", "x.bin", "--attach",
                       "@" + certificate(site))
    check("an attachment goes through", code == 0, (code, text))
    submission(site, check, users)


def submission(site, check, users):
    user, other = users

    def swaks(front, service, *more, sender=user, password=PASSWORD):
        host, port = site.cluster.at(front, service)
        return sh("swaks", "--server", host, "--port", port, "--from", sender, "--to", other,
                  "--helo", "laptop.example.net", "--timeout", "30", "--auth-user", user,
                  "--auth-password", password, *more)

    secure = ["--tls-verify", "--tls-ca-path", certificate(site)]
    for mech in ("PLAIN", "LOGIN"):
        for front, service, tls in (("fe1", "submission", "--tls"),
                                    ("fe2", "submissions", "--tls-on-connect")):
            ident = talk.message_id()
            code, text = swaks(front, service, tls, *secure, "--auth", mech, "--header",
                               f"Message-ID: {ident}")
            check(f"swaks hands in by {service} with AUTH {mech}",
                  code == 0 and site.count(other, ident) == 1, text)
    code, text = swaks("fe1", "submission", "--tls", "--auth", "PLAIN", password="wrong")
    check("a wrong password is refused", code == 28 and "535 5.7.8" in text, (code, text))
    code, text = swaks("fe1", "submission", "--tls", "--auth", "PLAIN", sender=SENDER)
    check("a sender of somebody else is refused", code == 23 and "553 5.7.1" in text,
          (code, text))
