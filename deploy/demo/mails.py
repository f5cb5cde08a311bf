"""A handful of varied MIME messages for the demo and the tests."""
import email.policy
import email.utils
from email.message import EmailMessage


def base(subject, sender, to):
    m = EmailMessage(policy=email.policy.SMTP)
    m["Subject"], m["From"], m["To"] = subject, sender, to
    m["Date"] = email.utils.formatdate()
    m["Message-ID"] = email.utils.make_msgid(domain="sender.example.net")
    return m


def plain(sender, to):
    m = base("Welcome to Roost", sender, to)
    m.set_content("Hello,\n\nthis message came through a front end to your store.\n"
                  ".\n..a line with leading dots\n\nBye\n")
    return m


def accents(sender, to):
    m = base("Grüße aus Zürich – наилучшие пожелания", sender, to)
    m.set_content("Schöne Grüße! Καλημέρα! こんにちは\n", charset="utf-8", cte="quoted-printable")
    return m


def alternative(sender, to):
    m = base("Plain and HTML", sender, to)
    m.set_content("The plain words.\n")
    m.add_alternative("<html><body><p>The <b>HTML</b> words.</p></body></html>\n",
                      subtype="html")
    return m


def attachment(sender, to, size=200000):
    m = base("With an attachment", sender, to)
    m.set_content("See the attached file.\n")
    m.add_attachment(bytes(i * 7 % 256 for i in range(size)), maintype="application",
                     subtype="octet-stream", filename="données & figures.bin")
    return m


def forwarded(sender, to):
    m = base("Fwd: an older message", sender, to)
    m.set_content("Have a look:\n")
    m.add_attachment(plain("carol@sender.example.net", sender))
    return m


def eight_bit(sender, to):
    m = base("8bit body", sender, to)
    m.set_content("Ünencoded bytes: äöüß\n", charset="utf-8", cte="8bit")
    return m


ALL = [plain, accents, alternative, attachment, forwarded, eight_bit]
