"""Mail for users at Dovecot by our front end: what is said at RCPT, and for each recipient."""
from checks import MESSAGE, check, subjects
from cluster import ANN, BOB, FRED, GINA, HUGO, Cluster, Mail, codes
from roost import until

# Not in Dovecot's files, but in the directory.
STRANGER = "stranger@example.org"
NO_LIMIT = {FRED: "", GINA: "", HUGO: ""}


def scenario_mail(box):
    c = Cluster(box)
    c.dovecot.set_users({**NO_LIMIT, GINA: "storage=10K"})
    c.add_user(c.front, STRANGER, "dv")
    check_several(c)
    check_rcpt(c)
    check_quota(c)
    check_offered(c)
    check_detail(c)
    check_again(c)
    check_client(c)


def check_several(c):
    rcpts, finals = c.lmtp([FRED, ANN, "nobody@example.org", HUGO, BOB, STRANGER],
                           MESSAGE.format("several"))
    check("LMTP: each recipient has an answer of his own at RCPT", codes(rcpts) == [
        "250", "250", "550 5.1.1", "250", "250", "550 5.1.1"], rcpts)
    check("and one for the message", codes(finals) == ["250"] * 4, finals)
    for user in (FRED, HUGO, ANN, BOB):
        check(f"{user} has it once", subjects(c.imap(user)) == ["several"])
    with Mail(c.box, 25) as m:
        rcpts, finals = m.send([FRED, ANN, "nobody@example.org"], MESSAGE.format("smtp"))
    check("SMTP: the same", codes(rcpts) == ["250", "250", "550 5.1.1"] and
          codes(finals) == ["250"], (rcpts, finals))
    check("on both kinds of stores", all(subjects(c.imap(u)) == ["several", "smtp"]
                                         for u in (FRED, ANN)))


def check_rcpt(c):
    with Mail(c.box, 25) as m:
        check("SMTP: whom Dovecot does not know is refused at RCPT, in its words",
              codes(m.rcpt([STRANGER])) == ["550 5.1.1"])
        m.ask("RSET")
        check("whom our directory does not, too", codes(m.rcpt(["nobody@example.org"])) ==
              ["550 5.1.1"])


def check_quota(c):
    text = MESSAGE.format("fill") + ("y" * 70 + "\r\n") * 100
    check("what fits is taken", codes(c.lmtp([GINA, FRED], text)[1]) == ["250"] * 2)
    rcpts, finals = c.lmtp([GINA, FRED, ANN], text)
    check("what does not is refused for that user alone", codes(rcpts) == ["250"] * 3 and
          codes(finals) == ["552 5.2.2", "250", "250"], (rcpts, finals))
    with Mail(c.box, 25) as m:
        rcpts, finals = m.send([GINA, ANN], text)
        check("SMTP: a sender who cannot be told has to come again", codes(rcpts + finals) ==
              ["250", "250", "451 4.3.0"], (rcpts, finals))
        rcpts, finals = m.send([GINA, ANN], text, sender=HUGO)
    told = subjects(c.imap(HUGO))
    check("it is taken for the others, and a sender who can is told by mail", codes(finals) ==
          ["250"] and told[-1:] == ["Undelivered mail returned to sender"], (finals, told))
    c.dovecot.set_users({**NO_LIMIT, GINA: "storage=1K"})
    with Mail(c.box, 25) as m:
        early = until("Dovecot to know of the limit", lambda: [
            x for x in [m.rcpt([GINA])] if m.ask("RSET") and codes(x) != ["250"]])[0]
    check("who is over his limit already is refused at RCPT", codes(early) == ["552 5.2.2"], early)
    c.dovecot.set_users(NO_LIMIT)
    check("and it is over with the limit", until(
        "the limit to go", lambda: codes(c.lmtp([GINA], text)[1]) == ["250"]))


def check_offered(c):
    eight = MESSAGE.format("eight") + "\u00e4\u00f6\u00fc\r\n"
    rcpts, finals = c.lmtp([FRED, ANN], eight, options=" BODY=8BITMIME")
    check("8BITMIME goes to both", codes(rcpts + finals) == ["250"] * 4, (rcpts, finals))
    s = c.imap(FRED)
    s.select("INBOX")
    number = s.search(None, "SUBJECT", "eight")[1][0].decode()
    text = s.fetch(number, "(BODY.PEEK[TEXT])")[1][0][1]
    check("as it was", "\u00e4\u00f6\u00fc".encode() in text, text)
    with Mail(c.box, 24) as m:
        offers = "SMTPUTF8" in m.offer
        rcpts, finals = m.send([FRED, ANN], MESSAGE.format("utf8"), options=" SMTPUTF8",
                               sender="\u00e4@example.net")
    check("SMTPUTF8: refused where the store cannot, taken where it can", offers and
          codes(rcpts + finals) == ["553 5.6.7", "250", "250"], (m.offer, rcpts, finals))


def check_detail(c):
    name, domain = FRED.split("@")
    rcpts, finals = c.lmtp([f"{name}+Lists@{domain}"], MESSAGE.format("detail"))
    check("a detail goes along", codes(finals) == ["250"] and
          subjects(c.imap(FRED), "Lists") == ["detail"], (rcpts, finals))


def check_again(c):
    """Dovecot has no memory of what was delivered; our store has."""
    text = MESSAGE.format("again")
    for _ in range(2):
        c.lmtp([HUGO, BOB], text)
    check("what is offered again is once at our store", subjects(c.imap(BOB)).count("again") == 1)
    check("and twice at Dovecot", subjects(c.imap(HUGO)).count("again") == 2)


def check_client(c):
    """One client's messages go by one connection, another's by another: it says who he is."""
    before = c.dovecot.log().count("Connect from")
    with Mail(c.box, 25) as m:
        for i in range(3):
            m.send([FRED], MESSAGE.format(f"client{i}"))
    check("three messages of one client go by one connection",
          c.dovecot.log().count("Connect from") == before + 1)
    s = c.imap(FRED)
    check("and arrive", subjects(s)[-3:] == [f"client{i}" for i in range(3)])
    text = s.fetch("*", "(BODY.PEEK[HEADER.FIELDS (RECEIVED)])")[1][0][1].decode()
    check("Dovecot writes down whom they are from", f"([{c.box.CLIENT}])\r\n\tby " in
          text[:text.index("with LMTP")], text)
