"""Starting and not being able to: one clear sentence, the right status, no damage."""
import os
import re
import socket
import subprocess

import pytest

import cluster as c

PROGRAMS = ["roost-mupdate", "roost-store", "roost-imap", "roost-smtp"]


@pytest.fixture
def hosts(empty_dir):
    work, net = empty_dir
    cl = c.Cluster(work, net=net)
    cl.prepare()
    return cl


def run(cl, program, conf, *args):
    instance = ["--instance", "store1"] if program == "roost-store" else []
    return subprocess.run([os.path.join(cl.bin, program), "--config", conf, *instance, *args],
                          capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)


def conf_of(cl, program):
    return cl.conf({"roost-mupdate": "master", "roost-store": "store1"}.get(program, "fe1"))


def change(cl, program, old, new):
    path = conf_of(cl, program)
    with open(path) as f:
        text = f.read()
    assert re.search(old, text, re.M), (old, text)
    with open(path, "w") as f:
        f.write(re.sub(old, new, text, count=1, flags=re.M))
    return path


def sentence(done, status):
    """The one line a person reads."""
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    lines = [x for x in done.stderr.splitlines() if x.strip()]
    assert 1 <= len(lines) <= 3, done.stderr
    return done.stderr


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_and_check(hosts, program):
    done = run(hosts, program, conf_of(hosts, program), "--check")
    assert done.returncode == 0, done.stderr
    done = subprocess.run([os.path.join(hosts.bin, program), "--help"], capture_output=True,
                          text=True, timeout=120)
    assert done.returncode == 0 and "--config" in done.stdout and "log_level" in done.stdout
    done = run(hosts, program, conf_of(hosts, program), "--no-such-option")
    assert done.returncode == 64 and done.stderr


BAD = [
    ("an unknown setting", r"^log_level = .*$", "log_lovel = info", "log_lovel"),
    ("a word that is not allowed", r"^log_level = .*$", "log_level = loud", "log_level"),
    ("not a network", r"^trusted_networks = .*$", "trusted_networks = somewhere",
     "trusted_networks"),
    ("the same twice", r"^log_level = (.*)$", r"log_level = info\nlog_level = info", "log_level"),
    ("a section nobody knows", r"^\[common\]$", "[commons]", "commons"),
    ("no section at all", r"^\[common\]$", "stray = 1\n[common]", "stray"),
    ("an unknown server setting", r"^pop3 = .*$", "pop4 = 127.0.0.1:1", "pop4"),
]


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("name,old,new,word", BAD, ids=[b[0] for b in BAD])
def test_bad_settings(hosts, program, name, old, new, word):
    path = change(hosts, program, old, new)
    with open(path) as f:
        numbers = [i for i, line in enumerate(f, 1) if word in line]
    for args in ((), ("--check",)):
        text = sentence(run(hosts, program, path, *args), 78)
        assert word in text
        lines = re.findall(re.escape(path) + r":(\d+)", text)
        assert lines and int(lines[0]) in numbers, text


def test_what_is_allowed_is_said(hosts):
    text = sentence(run(hosts, "roost-imap",
                        change(hosts, "roost-imap", r"^log_level = .*$", "log_level = loud")), 78)
    assert "debug" in text and "warning" in text


@pytest.mark.parametrize("program", PROGRAMS)
def test_no_settings_file(hosts, program):
    text = sentence(run(hosts, program, "/no/such/file.conf"), 78)
    assert "/no/such/file.conf" in text


def test_an_instance_without_section(hosts):
    done = subprocess.run([os.path.join(hosts.bin, "roost-store"), "--config",
                           hosts.conf("store1"), "--instance", "store9"], capture_output=True,
                          text=True, timeout=120)
    assert "store9" in sentence(done, 78)


@pytest.mark.parametrize("program,service", [("roost-mupdate", "mupdate"), ("roost-store", "imap"),
                                             ("roost-imap", "imap"), ("roost-smtp", "smtp")])
def test_port_in_use(hosts, program, service):
    host = {"roost-mupdate": "master", "roost-store": "store1"}.get(program, "fe1")
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(hosts.at(host, service))
        s.listen()
        text = sentence(run(hosts, program, conf_of(hosts, program)), 71)
    address, port = hosts.at(host, service)
    assert f"port {port} on {address} is in use" in text


@pytest.mark.parametrize("program", PROGRAMS)
def test_missing_certificate(hosts, program):
    path = change(hosts, program, r"^tls_cert = .*$", "tls_cert = /no/such/cert.pem")
    done = run(hosts, program, path)
    assert done.returncode in (71, 78)
    assert "/no/such/cert.pem" in sentence(done, done.returncode)


def test_certificate_and_key_that_do_not_fit(hosts, tmp_path):
    subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-out", str(tmp_path / "other.key")], check=True,
                   stderr=subprocess.DEVNULL)
    path = change(hosts, "roost-imap", r"^tls_key = .*$", f"tls_key = {tmp_path}/other.key")
    done = run(hosts, "roost-imap", path)
    assert done.returncode in (71, 78) and "other.key" in done.stderr


def start_once(cl, *names):
    for name in names:
        cl[name].start()
    for name in reversed(names):
        cl[name].stop()


def tree_of(folder):
    return {os.path.relpath(os.path.join(d, f), folder):
            os.stat(os.path.join(d, f)).st_size for d, _, fs in os.walk(folder) for f in fs}


def test_data_of_another_store(hosts):
    """store2 is told to use store1's folder."""
    start_once(hosts, "store1")
    data = os.path.join(hosts.dir, "data", "store1")
    before = tree_of(data)
    path = hosts.conf("store2")
    with open(path) as f:
        text = f.read().replace("/data/store2", "/data/store1")
    with open(path, "w") as f:
        f.write(text)
    done = subprocess.run([os.path.join(hosts.bin, "roost-store"), "--config", path, "--instance",
                           "store2"], capture_output=True, text=True, timeout=120)
    text = sentence(done, 71)
    assert data in text and "store1" in text
    assert tree_of(data) == before
    start_once(hosts, "store1")


def test_a_data_directory_is_used_by_one_process(hosts):
    hosts["store1"].start()
    try:
        path = conf_of(hosts, "roost-store")
        with open(path) as f:
            text = f.read()
        other = os.path.join(hosts.dir, "etc", "twice.conf")
        with open(other, "w") as f:
            f.write(re.sub(r"(listen|metrics) = [\d.]+", r"\1 = 127.0.%d.99" % hosts.net,
                           text.replace("/run/store1", "/run/twice")))
        os.makedirs(os.path.join(hosts.dir, "run", "twice"))
        text = sentence(run(hosts, "roost-store", other), 71)
        assert os.path.join(hosts.dir, "data", "store1") in text
    finally:
        hosts["store1"].stop()


def test_data_of_another_user(hosts):
    """A folder that cannot be written is refused, not repaired."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    start_once(hosts, "store1")
    data = os.path.join(hosts.dir, "data", "store1")
    for d, _, files in os.walk(data):
        os.chmod(d, 0o700)
    os.chmod(hosts.dir, 0o755)
    os.chmod(os.path.join(hosts.dir, "tls", "key.pem"), 0o644)
    before = tree_of(data)
    path = change(hosts, "roost-store", r"^\[common\]$", "[common]\nuser = nobody")
    text = sentence(run(hosts, "roost-store", path), 71)
    assert data in text
    assert tree_of(data) == before


@pytest.mark.parametrize("name,folder", [("store1", "store1"), ("master", "master")])
def test_something_else_in_the_data_directory(hosts, name, folder):
    data = os.path.join(hosts.dir, "data", folder)
    start_once(hosts, name)
    wrong = 0
    for d, _, files in os.walk(data):
        for f in files:
            if f in ("data.mdb", "version", "format", "VERSION", "identity", "meta"):
                with open(os.path.join(d, f), "r+b") as out:
                    out.write(b"this was made by something else entirely" * 200)
                wrong += 1
    assert wrong > 0, tree_of(data)
    before = tree_of(data)
    program = "roost-store" if name.startswith("store") else "roost-mupdate"
    done = run(hosts, program, conf_of(hosts, program))
    assert data in sentence(done, 71)
    assert tree_of(data) == before
