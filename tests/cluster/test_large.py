"""Mailboxes of many messages, and large ones: who works on them does not stop the others.

ROOST_TEST_LARGE: how many (default 200000)."""
import os
import select
import threading
import time

import cluster as c
import talk

MANY = int(os.environ.get("ROOST_TEST_LARGE", "200000"))
AT_ONCE = 2000


def fill(client, mailbox, count):
    message = talk.message(body="x\r\n")
    for at in range(0, count, AT_ONCE):
        done = client.append(mailbox, *[message] * min(AT_ONCE, count - at), sync=False)
        assert b" OK " in done[-1], done[-1]


def until_ok(client, command):
    """Changes of so much are put off while the index lags behind."""
    def is_done():
        last = client.run(command)[-1]
        assert b" OK " in last or b"[INUSE]" in last, last
        return b" OK " in last
    c.wait_until(f"{command} to be possible", is_done, 300)


def test_copies_of_all_beside_changes_of_all_and_a_kill(own):
    """The store goes on serving, and is back soon: nothing takes the square of its size."""
    user = own.user("store1")
    first, second = own.raw_imap(user), own.raw_imap(user, "fe2")
    for client in (first, second):
        client.sock.settimeout(300)
    fill(first, "INBOX", MANY)
    first.ok("SELECT INBOX")
    first.ok("CREATE copies")
    until_ok(first, "COPY 1:* copies")
    second.ok("SELECT copies")
    copying = threading.Thread(target=until_ok, args=[first, "COPY 1:* copies"])
    copying.start()
    for flag in ["\\Seen", "\\Answered", "\\Flagged"]:
        until_ok(second, f"STORE 1:* +FLAGS.SILENT ({flag})")
    copying.join()
    own["store1"].kill()
    own["store1"].start()
    own.cluster.wait_settled()
    again = own.raw_imap(user)
    again.sock.settimeout(300)
    lines = again.ok("STATUS copies (MESSAGES UNSEEN)")
    assert talk.number(lines, rb"MESSAGES (\d+)") == 2 * MANY
    assert talk.number(lines, rb"UNSEEN (\d+)") <= MANY
    again.ok("SELECT copies")
    found = again.ok("SEARCH ANSWERED SEEN FLAGGED")
    assert len(found[0].split()) - 2 >= MANY


def are_others_served(other, client, command):
    tag = client.start(command)
    time.sleep(0.2)
    other.ok("NOOP")
    other.ok("STATUS INBOX (MESSAGES)")
    under_way = select.select([client.sock], [], [], 0)[0] == []
    assert b" OK " in client.finish(tag)[-1]
    return under_way


def busy_while_others_are_served(site, client, command):
    """Somebody else's command is answered before this one, which takes seconds. A machine that has
    something else to do may bring him his answer late, but not each time."""
    other = site.raw_imap(site.user("store1"))
    assert any(are_others_served(other, client, command) for _ in range(5))
    other.close()


def test_a_search_in_many_messages_lets_others_be_served(own):
    user = own.user("store1")
    client = own.raw_imap(user)
    client.sock.settimeout(300)
    message = talk.message(body="some text that is looked at\r\n" * 100)
    for _ in range(0, MANY // 2, AT_ONCE):
        assert b" OK " in client.append("INBOX", *[message] * AT_ONCE, sync=False)[-1]
    client.ok("SELECT INBOX")
    busy_while_others_are_served(own, client, "SEARCH TEXT none TEXT such NOT TEXT here")


def test_many_keys_in_one_large_message_let_others_be_served(own):
    user = own.user("store1")
    client = own.raw_imap(user)
    client.sock.settimeout(300)
    client.append("INBOX", talk.message(body="some text that is looked at\r\n" * 1000000))
    client.ok("SELECT INBOX")
    keys = [f"TEXT word{i}" for i in range(60)]
    busy_while_others_are_served(own, client, "SEARCH OR " + " OR ".join(keys[:-1]) + " " + keys[-1])
