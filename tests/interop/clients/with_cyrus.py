"""The test clients of Cyrus log in: imtest, pop3test, lmtptest, smtptest, mupdatetest."""
import os
import subprocess
import time

from world import PASSWORD

PACKAGES = ["cyrus-clients", "libsasl2-modules"]
IMTEST = "/usr/lib/cyrus/bin/imtest"


def talk_to(name, options, host, port, goodbye):
    """These programs are one, which looks at its name."""
    found = [p for p in (IMTEST, f"/usr/bin/{name}") if os.path.exists(p)]
    p = subprocess.Popen([name, *options, "-p", str(port), host], executable=found[0],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    time.sleep(1)
    try:
        p.stdin.write(goodbye.encode() + b"\r\n")
        p.stdin.flush()
        return p.communicate(timeout=20)[0].decode(errors="replace")
    except (subprocess.TimeoutExpired, BrokenPipeError):
        p.kill()
        return p.communicate()[0].decode(errors="replace") + "\n(time-out)"


def run(site, check):
    user = site.user("store2")
    login = ["-a", user, "-u", user, "-w", PASSWORD]
    for front in site.cluster.fronts:
        for how in ([], ["-m", "PLAIN"], ["-m", "login"], ["-m", "LOGIN"], ["-m", "SCRAM-SHA-256"],
                    ["-t", ""]):
            host, port = site.cluster.at(front, "imap")
            text = talk_to("imtest", how + login, host, port, ". logout")
            check(f"imtest {' '.join(how)} logs in at {front}",
                  "Authenticated." in text and "BYE" in text, text)
        for how in (["-m", "user"], ["-m", "PLAIN"], ["-m", "LOGIN"], ["-m", "SCRAM-SHA-256"],
                    ["-t", ""]):
            host, port = site.cluster.at(front, "pop3")
            text = talk_to("pop3test", how + login, host, port, "QUIT")
            check(f"pop3test {' '.join(how)} logs in at {front}", "Authenticated." in text, text)
    host, port = site.cluster.at("fe1", "imap")
    wrong = login[:-1] + ["wrong"]
    text = talk_to("imtest", ["-m", "SCRAM-SHA-256"] + wrong, host, port, ". logout")
    check("imtest is refused a wrong password", "AUTHENTICATIONFAILED" in text, text)
    host, port = site.cluster.at("fe1", "imaps")
    text = talk_to("imtest", ["-s"] + login, host, port, ". logout")
    check("imtest -s logs in inside TLS", "Authenticated." in text, text)
    for service in ("smtp", "lmtp"):
        host, port = site.cluster.at("fe1", service)
        text = talk_to(service + "test", ["-t", ""], host, port, "QUIT")
        check(f"{service}test starts TLS", "TLS connection established" in text and "221" in text,
              text)
    host, port = site.cluster.at("fe1", "submission")
    for mech in ("PLAIN", "LOGIN", "SCRAM-SHA-256"):
        text = talk_to("smtptest", ["-m", mech] + login, host, port, "QUIT")
        check(f"smtptest -m {mech} logs in for submission", "Authenticated." in text, text)
    host, port = site.cluster.at("master", "mupdate")
    secret = site.cluster.secrets["store1"]
    for how in ([], ["-m", "PLAIN"], ["-m", "LOGIN"], ["-m", "SCRAM-SHA-256"], ["-t", ""]):
        text = talk_to("mupdatetest", how + ["-a", "store1", "-u", "store1", "-w", secret], host,
                       port, "L1 LOGOUT")
        check(f"mupdatetest {' '.join(how)} logs in at the master", "Authenticated." in text, text)
    host, port = site.cluster.at("fe1", "mupdate")
    secret = site.cluster.secrets["replica"]
    text = talk_to("mupdatetest", ["-m", "PLAIN", "-a", "replica", "-u", "replica", "-w", secret],
                   host, port, "L1 LOGOUT")
    check("a replica greets mupdatetest", "MUPDATE" in text, text)
