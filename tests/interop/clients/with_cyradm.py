"""Cyrus' cyradm at a store and at a front end: ACLs, namespaces, mailboxes, quotas, by its words."""
from tool import sh
from world import PASSWORD

PACKAGES = ["cyrus-admin", "libcyrus-imap-perl", "libsasl2-modules"]


def cyradm(site, where, user, *commands):
    host, port = site.cluster.at(where, "imap")
    script = "".join(c + "\n" for c in commands) + "exit\n"
    return sh("cyradm", "--user", user, "--port", port, "--auth", "PLAIN", "--password", PASSWORD,
              host, stdin=script)[1]


def manage(site, check, where):
    owner, friend = site.user("store2"), site.user("store2")
    mine, his = (u.split("@")[0] for u in (owner, friend))
    text = cyradm(site, where, owner, "createmailbox Team", "createmailbox Team/Plans",
                  f"setaclmailbox Team {friend} read", f"setaclmailbox Team/Plans {friend} lrswi",
                  "listaclmailbox Team", "listaclmailbox Team/Plans", "listmailbox")
    check(f"cyradm at {where} makes mailboxes and sets rights",
          f"{his} lrs" in text and f"{his} lrswi" in text and f"{mine} lrswipkxtecda" in text and
          "Team/Plans" in text, text)
    text = cyradm(site, where, friend, "listmailbox", f"listmailbox {'%'}",
                  f'setaclmailbox "Other Users/{mine}/Team" {friend} all',
                  f'deletemailbox "Other Users/{mine}/Team"')
    check(f"cyradm at {where} sees what others share", f"Other Users/{mine}/Team/Plans" in text, text)
    check(f"cyradm at {where} is refused what a friend may not do", text.count("may not") >= 2 or
          text.count("ermission") >= 2, text)
    text = cyradm(site, where, owner, f"deleteaclmailbox Team {friend}",
                  f"deleteaclmailbox Team/Plans {his}", "listaclmailbox Team",
                  "renamemailbox Team Old", "listmailbox", "deletemailbox Old/Plans",
                  "deletemailbox Old")
    check(f"cyradm at {where} takes rights away, renames and deletes",
          f"{his} " not in text and "Old/Plans" in text, text)
    text = cyradm(site, where, friend, "listmailbox")
    check(f"at {where} what is not shared any more is gone", "Other Users" not in text, text)


def quotas(site, check, where):
    user = site.user("store2")
    site.imap(user).logout()
    # one resource: it understands no more
    site.cluster.ctl("store2", "mailbox", "quota", "set", user, "--storage", "3M")
    text = cyradm(site, where, user, "listquota INBOX", "listquotaroot INBOX",
                  "setquota INBOX STORAGE 99999")
    check(f"cyradm at {where} shows quotas",
          text.count("STORAGE 0/3072") == 2 and "INBOX STORAGE" in text, text)
    check(f"cyradm at {where} is refused what only administrators may do",
          "Only an administrator" in text, text)


def run(site, check):
    for where in ("store2", "fe1"):
        manage(site, check, where)
        quotas(site, check, where)
