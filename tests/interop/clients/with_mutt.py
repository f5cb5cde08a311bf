"""mutt: sends by SMTP, reads and files by IMAP, on a terminal of its own; also into shared
folders of both stores."""
import os

from tool import certificate, folder, messages, on_terminal, sh, write
from world import PASSWORD

PACKAGES = ["mutt"]

RC = """
set from="dora@sender.example.net"
set realname="Dora"
set smtp_url="smtp://{smtp}/"
set ssl_starttls=no
set ssl_force_tls=no
set imap_user="{user}"
set imap_pass="{password}"
set certificate_file="{cert}"
set folder="imap://{imap}/"
set spoolfile="imap://{imap}/INBOX"
set header_cache=""
set copy=no
set move=no
set delete=yes
set quit=yes
set confirmappend=no
set confirmcreate=no
set mail_check=1
set wait_key=no
"""


def run(site, check):
    user = site.user("store2")
    work = folder(site, "mutt")
    rcs = {}
    for front, other in (("fe1", "fe2"), ("fe2", "fe1")):
        rcs[front] = write(os.path.join(work, front + ".rc"), RC.format(
            smtp=site.cluster.text(front, "smtp"), imap=site.cluster.text(other, "imap"),
            user=user, password=PASSWORD, cert=certificate(site)))
    for front, rc in rcs.items():
        code, text = sh("mutt", "-F", rc, "-s", "sent by mutt", user, stdin="Hello by mutt.\n",
                        env={"HOME": work})
        check(f"mutt sends through {front}", code == 0, text)
    check("both arrived", messages(site, user) == 2)
    out = os.path.join(work, "copied.mbox")
    keys = (f"<tag-pattern>~A<enter><tag-prefix><copy-message>{out}<enter>"
            "<first-entry><save-message>=Archive<enter><quit>")
    code, screen = on_terminal(["mutt", "-F", rcs["fe2"], "-e", f'push "{keys}"'], 40,
                               {"HOME": work})
    copied = open(out, errors="replace").read() if os.path.exists(out) else ""
    check("mutt reads both", copied.count("Hello by mutt.") == 2, screen)
    check("mutt files one in another folder",
          (messages(site, user, "Archive"), messages(site, user)) == (1, 1), screen)
    shared(site, check, user, rcs, work)


def shared(site, check, user, rcs, work):
    """Saved into a folder of the other store, from there into one of his own."""
    for store in ("store1", "store2"):
        site.cluster.ctl(store, "mailbox", "create", f"mutt-{store}", "--store", store)
        site.cluster.ctl(store, "mailbox", "acl", "set", f"mutt-{store}", "anyone", "lrswite")
    keys = ("<first-entry><copy-message>=Shared<quote-char> Folders/mutt-store1<enter>"
            "<first-entry><save-message>=Archive<enter>"
            "<change-folder>=Archive<enter>y"
            "<tag-pattern>~A<enter><tag-prefix><copy-message>=Shared<quote-char> Folders/mutt-store1"
            "<enter><change-folder>=Shared<quote-char> Folders/mutt-store1<enter>"
            "<tag-pattern>~A<enter><tag-prefix><save-message>"
            "=Shared<quote-char> Folders/mutt-store2<enter><quit>")
    code, screen = on_terminal(["mutt", "-F", rcs["fe1"], "-e", f'push "{keys}"'], 60,
                               {"HOME": work})
    counts = {box: messages(site, user, box) for box in
              ('"Shared Folders/mutt-store1"', '"Shared Folders/mutt-store2"', "Archive",
               "INBOX")}
    check("mutt files from store to store", list(counts.values()) == [0, 3, 2, 0],
          (code, counts, screen))
