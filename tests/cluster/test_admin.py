"""roostctl against the running cluster."""
import json
import os
import shutil
import socket
import subprocess
import tempfile

import pytest

import talk
from cluster import TOP, wait_until
from world import PASSWORD


def ctl(shared, host, *args, **more):
    return shared.cluster.ctl(host, *args, **more)


def answer(shared, host, *args):
    return json.loads(ctl(shared, host, "--json", *args).stdout)


def test_status_of_each_host(shared):
    for host, programs in (("master", ["roost-mupdate"]), ("store1", ["roost-store"]),
                           ("fe1", ["roost-mupdate", "roost-imap", "roost-smtp"])):
        text = ctl(shared, host, "status").stdout
        assert all(p in text for p in programs), text
        assert ctl(shared, host, "--json", "status").stdout.strip().startswith(("{", "["))


def test_limits_are_asked_where_front_ends_are(shared):
    ctl(shared, "fe1", "limits", "list")
    for words in (["list"], ["clear", "192.0.2.7"]):
        done = ctl(shared, "store1", "limits", *words, check=False)
        assert done.returncode == 1 and "run this where one is" in done.stderr, done


def test_users(shared):
    user = shared.user("store2")
    assert user in ctl(shared, "fe1", "user", "list").stdout
    done = ctl(shared, "store1", "user", "add", user, "--store", "store1", "--password-stdin",
               stdin="x\n", check=False)
    assert done.returncode != 0 and user in done.stderr
    ctl(shared, "store1", "user", "passwd", user, "--password-stdin", stdin="another one\n")
    client = shared.raw_imap()
    client.no(f'LOGIN {user} "{PASSWORD}"', b"AUTHENTICATIONFAILED")
    client.ok(f'LOGIN {user} "another one"')
    client.close()
    done = ctl(shared, "store1", "user", "delete", user, check=False)
    assert done.returncode == 75, "another host cannot know whether he has mailboxes"
    ctl(shared, "store2", "user", "delete", user)
    client = shared.raw_imap()
    client.no(f'LOGIN {user} "another one"', b"AUTHENTICATIONFAILED")
    client.close()
    assert user not in ctl(shared, "fe1", "user", "list").stdout.split()
    smtp = shared.raw_smtp()
    assert smtp.envelope(user)[0][0] == 550
    smtp.close()


@pytest.mark.parametrize("name", ["", "a b@example.org", "..@example.org", "@example.org",
                                  "x" * 65 + "@example.org", "a@-bad-.example"])
def test_users_that_cannot_be(shared, name):
    done = ctl(shared, "store1", "user", "add", name, "--store", "store1", "--password-stdin",
               stdin="x\n", check=False)
    assert done.returncode != 0 and done.stderr.strip()


def test_mailboxes(shared):
    user = shared.user("store1")
    shared.send(user)
    name = user.split("@")[0]
    base = user
    ctl(shared, "store1", "mailbox", "create", f"{base}/by-admin")
    client = shared.raw_imap(user, "fe2")
    client.ok("SELECT by-admin")
    client.ok("UNSELECT")
    done = ctl(shared, "store1", "mailbox", "create", f"{base}/by-admin", check=False)
    assert done.returncode != 0
    ctl(shared, "store1", "mailbox", "rename", f"{base}/by-admin", f"{base}/renamed")
    client.ok("SELECT renamed")
    client.ok("UNSELECT")
    listed = ctl(shared, "store1", "mailbox", "list", base).stdout
    assert "renamed" in listed and "by-admin" not in listed and name in listed
    ctl(shared, "store1", "mailbox", "delete", f"{base}/renamed")
    client.no("SELECT renamed", b"NONEXISTENT")
    done = ctl(shared, "store1", "mailbox", "delete", f"{base}/renamed", check=False)
    assert done.returncode != 0
    client.close()


def test_explain(shared):
    user = shared.user("store2")
    shared.send(user)
    text = ctl(shared, "fe1", "explain", user).stdout
    assert "store2" in text and user.split("@")[0] in text
    answer(shared, "fe1", "explain", user)
    done = ctl(shared, "fe1", "explain", "nobody-here@example.org", check=False)
    assert "nobody-here" in done.stdout + done.stderr


def test_who(shared):
    user = shared.user("store1")
    client = shared.raw_imap(user, "fe1", "INBOX")
    text = ctl(shared, "fe1", "who").stdout
    assert user in text or user.split("@")[0] in text
    assert "imap" in text
    text = ctl(shared, "store1", "who").stdout
    assert user.split("@")[0] in text
    client.close()


def test_usage(shared):
    for args in ((), ("no-such-command",), ("user",), ("user", "add")):
        done = ctl(shared, "fe1", *args, check=False)
        assert done.returncode == 64 and done.stderr.strip(), (args, done)
    help_ = ctl(shared, "fe1", "--help")
    assert "explain" in help_.stdout


def test_with_json_every_answer_is_one_object(shared):
    for args, code in ((("--help",), 0), (("user", "--help"), 0), (("help", "move", "user"), 0),
                       (("--version",), 0), ((), 64), (("no-such-command",), 64), (("user",), 64),
                       (("user", "add"), 64), (("status", "--nothing"), 64),
                       (("help", "nothing"), 64), (("status",), 0), (("compare",), 1),
                       (("store", "space"), 1), (("move", "status"), 1), (("reconcile",), 1)):
        done = ctl(shared, "fe1", *args, "--json", check=False)
        said = json.loads(done.stdout)
        assert (done.returncode, said["exit"], said["ok"]) == (code, code, code == 0), (args, done)
        assert code == 0 or said["text"], (args, said)


def test_help_for_the_first_words_of_commands(shared):
    for args in (("help", "mailbox", "quota"), ("mailbox", "quota", "--help")):
        text = ctl(shared, "fe1", *args).stdout
        assert "mailbox quota set" in text and "mailbox acl" not in text, text


def test_a_store_that_is_not_here_is_elsewhere_unknown_or_away(shared, tmp_path):
    for args in (("mailbox", "list"), ("store", "space"), ("reconcile", "--dry-run")):
        for store, says in (("store2", "is not on this host"), ("store9", "there is no store")):
            done = ctl(shared, "store1", *args, "--store", store, check=False)
            assert done.returncode == 1 and says in done.stderr, (args, done)
    conf = tmp_path / "x.conf"
    conf.write_text(f"[common]\nrun_dir = {tmp_path}\n[roost-store store1]\ndata_dir = /\n"
                    "[server store1]\nimap = 127.0.0.1:1\n")
    for args, code, says in ((("store", "space", "--store", "store1"), 75, "does not answer"),
                             (("servers",), 0, "SILENT"),
                             (("who",), 75, "roost-store store1 does not answer")):
        done = subprocess.run([os.path.join(shared.cluster.bin, "roostctl"), "--config",
                               str(conf), *args], capture_output=True, text=True, timeout=120)
        assert done.returncode == code and says in done.stdout + done.stderr, (args, done)


SSH = """#!/bin/sh
# ssh that goes nowhere: HOST COMMAND... is run here; a socket to forward becomes a link
[ "$1" = -NT ] || { shift; exec "$@"; }
while [ $# -gt 1 ]; do
	[ "$1" != -L ] || ln -s "${2#*:}" "${2%%:*}"
	shift
done
exec sleep 600
"""


def test_all_hosts_from_one_by_ssh(shared, tmp_path):
    """roost-control brings the sockets of other hosts, and short settings name the programs."""
    (tmp_path / "ssh").write_text(SSH)
    (tmp_path / "ssh").chmod(0o755)
    (tmp_path / "etc").mkdir()
    cl, tunnels = shared.cluster, []
    programs = {"master": "[roost-mupdate]\n", "store1": "[roost-store store1]\n",
                "store2": "[roost-store store2]\n",
                "fe1": "[roost-mupdate]\n[roost-imap]\n[roost-smtp]\n"}
    os.symlink(cl.conf("fe2"), tmp_path / "etc" / "0-fe2.conf")
    try:
        for host, sections in programs.items():
            near = tmp_path / "run" / host
            (tmp_path / "etc" / f"{host}.conf").write_text(f"[common]\nrun_dir = {near}\n" +
                                                          sections)
            env = dict(os.environ, PATH=f"{tmp_path}:{os.environ['PATH']}",
                       ROOST_RUN_DIR=f"{cl.dir}/run/{host}", ROOST_CONTROL_DIR=f"{tmp_path}/run")
            tunnels.append(subprocess.Popen([os.path.join(TOP, "deploy", "roost-control"), host],
                                            env=env))

        def everybody():
            done = subprocess.run([os.path.join(cl.bin, "roostctl"), "--config",
                                   str(tmp_path / "etc"), "status"], capture_output=True,
                                  text=True, timeout=120)
            return done.returncode == 0 and len(done.stdout.splitlines()) == 10
        wait_until("all programs to answer", everybody)
        user = shared.user("store1")
        for args in (("compare",), ("explain", user), ("reconcile", "--dry-run"),
                     ("mailbox", "where", user + "/Sent"),
                     ("move", "user", user, "to", "store2"), ("user", "delete", user)):
            done = subprocess.run([os.path.join(cl.bin, "roostctl"), "--config",
                                   str(tmp_path / "etc"), *args], capture_output=True, text=True,
                                  timeout=60)
            assert done.returncode == 0, (args, done)
    finally:
        for tunnel in tunnels:
            tunnel.kill()
            tunnel.wait()


def test_servers_on_the_host_of_the_master_alone(shared, tmp_path):
    """Its settings have no [server]: the list tells."""
    shared.user("store1")
    conf = tmp_path / "x.conf"
    conf.write_text(f"[common]\nrun_dir = {shared.cluster.dir}/run/master\n[roost-mupdate]\n")
    done = subprocess.run([os.path.join(shared.cluster.bin, "roostctl"), "--config", str(conf),
                           "servers", "--json"], capture_output=True, text=True, timeout=120)
    found = {s["server"]: s for s in json.loads(done.stdout)["servers"]}
    assert done.returncode == 0 and found["store1"]["list"] == "told", done
    assert found["store1"]["names"] > 0, done


def test_where_a_mailbox_is(shared):
    user = shared.user("store1")
    wait_until("the replica to have heard of him", lambda: ctl(
        shared, "fe1", "mailbox", "where", user + "/Sent", check=False).returncode == 0)
    for host in ("master", "store1", "fe1"):
        said = answer(shared, host, "mailbox", "where", user + "/Sent")
        assert said["server"] == "store1" and said["mailbox"].endswith(".Sent"), said
    for word, code in ((user + "/Nothing", 1), ("a..b", 64)):
        done = ctl(shared, "master", "mailbox", "where", word, check=False)
        assert done.returncode == code, done
    assert ctl(shared, "store2", "mailbox", "where", user, check=False).returncode == 75
    done = ctl(shared, "fe1", "explain", user + "/Sent", check=False)
    assert "mailbox where" in done.stdout, done


def test_a_user_is_added_on_a_host_of_front_ends_alone(shared):
    """His store is on another host: it makes the mailboxes when he, or his mail, comes."""
    name = "added-far-away@example.org"
    done = ctl(shared, "fe1", "user", "add", name, "--store", "store2", "--password-stdin",
               stdin=PASSWORD + "\n")
    assert "first login" in done.stdout
    assert ctl(shared, "fe1", "user", "add", name, "--store", "store2", check=False).returncode == 1
    smtp = shared.raw_smtp()
    assert smtp.envelope(name)[0][0] == 250
    smtp.close()
    client = shared.raw_imap()
    client.ok(f'LOGIN {name} "{PASSWORD}"')
    client.ok("SELECT INBOX")
    client.close()
    assert "user.added-far-away.Sent" in ctl(shared, "store2", "mailbox", "list", name).stdout
    assert "No mailbox here" in ctl(shared, "store2", "mailbox", "list", "added-far-away").stdout
    ctl(shared, "store2", "user", "delete", name)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")
def test_who_may_not_ask_is_told_so(shared):
    """A socket that somebody else may not open, in a folder that he may look into."""
    with tempfile.TemporaryDirectory(dir="/tmp") as work:
        os.chmod(work, 0o755)
        tool, conf = shutil.copy(os.path.join(shared.cluster.bin, "roostctl"), work), work + "/x.conf"
        with open(conf, "w") as f:
            f.write(f"[common]\nrun_dir = {work}\n[roost-mupdate]\n")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(work + "/roost-mupdate.ctl")
            listener.listen()
            os.chmod(work + "/roost-mupdate.ctl", 0o660)
            done = subprocess.run([tool, "--config", conf, "status"], capture_output=True,
                                  text=True, timeout=30, user="nobody", group="nogroup",
                                  extra_groups=[])
    assert done.returncode == 75 and "only root" in done.stdout, done


def test_an_alias_is_explained_line_by_line(shared):
    user = shared.user("store1")
    ctl(shared, "fe1", "alias", "add", "explained@example.org", user)
    text = ctl(shared, "fe1", "explain", "explained@example.org").stdout
    assert f"\n\nUser:       {user}\n" in text and "\\x0a" not in text, text
    ctl(shared, "fe1", "alias", "delete", "explained@example.org")


def test_config_check(shared):
    for host in ("master", "store1", "fe1"):
        ctl(shared, host, "config", "check")


def test_a_program_that_does_not_run_is_said(shared, tmp_path):
    conf = tmp_path / "x.conf"
    conf.write_text(f"[common]\nrun_dir = {tmp_path}\n[roost-mupdate]\nrole = replica\n"
                    "master = 127.0.0.1:1\nmaster_user = a\nmaster_password = b\n")
    done = subprocess.run([os.path.join(shared.cluster.bin, "roostctl"), "--config", str(conf),
                           "status"], capture_output=True, text=True, timeout=120)
    assert done.returncode != 0
    assert "roost-mupdate" in done.stdout + done.stderr


def test_metrics(shared):
    import urllib.request
    for address in (shared.cluster.at("master", "metrics"), shared.cluster.at("store1", "metrics"),
                    (shared.cluster.ip("fe1"), 9101), (shared.cluster.ip("fe1"), 9102)):
        with urllib.request.urlopen("http://%s:%d/metrics" % address, timeout=60) as page:
            text = page.read().decode()
        assert "# TYPE roost_" in text


def test_one_session_id_goes_through_all_tiers(shared):
    user = shared.user("store1")
    message = talk.message()
    shared.send(user, message, "fe1")
    # a line is written a moment after its client was answered
    wait_until("the store's line", lambda: sessions(shared, "store1", f"rcpt={user} "))
    (session,) = sessions(shared, "store1", f"rcpt={user} ")
    wait_until("the front end's lines", lambda: session in sessions(shared, "fe1-smtp"))


def sessions(shared, name, what="event=smtp.delivery "):
    """Of the lines of its log that have this."""
    with open(shared[name].log, errors="replace") as f:
        return {w.split("=")[1] for x in f if what in x for w in x.split()
                if w.startswith("session=")}
