"""`make demo` as a person runs it."""
import os
import signal
import subprocess
import sys

import cluster as c

DEMO = [sys.executable, os.path.join(c.TOP, "deploy", "demo", "demo")]


def environment(work, net, oneshot=False):
    env = dict(os.environ, ROOST_DEMO_DIR=work, ROOST_DEMO_NET=str(net))
    env["ROOST_DEMO_ONESHOT"] = "1" if oneshot else ""
    return env


def leftovers(work):
    """Processes that still name the folder."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                line = f.read()
        except OSError:
            continue
        if work.encode() in line and int(pid) != os.getpid():
            found.append(line)
    return found


def test_one_shot_twice(empty_dir):
    work, net = empty_dir
    texts = []
    for _ in range(2):
        done = subprocess.run(DEMO + ["start"], env=environment(work + "/demo", net, True),
                              capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        texts.append(done.stdout)
    assert "Creating" in texts[0] and "Using" in texts[1]
    assert texts[0].count("user ") >= 10 and "  user " not in texts[1]
    for word in ("mx1.example.org", "mx2.example.org", "IMAP", "POP3", "alice@example.org",
                 "roost-demo", "/log", "metrics"):
        assert word in texts[0], word
    c.wait_until("nothing to be left", lambda: leftovers(work) == [])


def hear_ctrl_c():
    """Also when these tests run in the background, where a shell has it ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_up(demo, out):
    def up():
        with open(out) as f:
            text = f.read()
        assert demo.poll() is None, text
        return "Running until Ctrl-C" in text
    c.wait_until("the demo to be up", up, 120)


def test_stays_until_it_is_stopped(empty_dir):
    work, net = empty_dir
    for how in ("demo stop", "Ctrl-C"):
        log = open(work + "/out", "w+")
        demo = subprocess.Popen(DEMO + ["start"], env=environment(work + "/demo", net), stdout=log,
                                stderr=log, start_new_session=True, preexec_fn=hear_ctrl_c)
        try:
            wait_up(demo, work + "/out")
            if how == "Ctrl-C":
                os.killpg(demo.pid, signal.SIGINT)
            else:
                subprocess.run(DEMO + ["stop"], env=environment(work + "/demo", net), check=True,
                               timeout=120, stdout=subprocess.DEVNULL)
            assert demo.wait(120) == 0
        finally:
            if demo.poll() is None:
                demo.kill()
        c.wait_until(f"nothing to be left after {how}", lambda: leftovers(work) == [])


def test_a_second_start_brings_back_what_was_killed(empty_dir):
    work, net = empty_dir
    env = environment(work + "/demo", net)
    with open(work + "/out", "w") as log:
        first = subprocess.Popen(DEMO + ["start"], env=env, stdout=log, stderr=log,
                                 start_new_session=True, preexec_fn=hear_ctrl_c)
    try:
        wait_up(first, work + "/out")
        cl = c.Cluster(work + "/demo", net=net)
        cl.prepare()
        cl["store1"].kill()
        second = subprocess.run(DEMO + ["start"], env=env, capture_output=True, text=True,
                                timeout=120)
        assert second.returncode == 0, second.stdout + second.stderr
        assert second.stdout.count("  started ") == 1 and "started store1" in second.stdout
        assert "goes on" in second.stdout
        assert first.poll() is None and cl["store1"].pid() and cl["fe1-imap"].pid()
        # who plays with the users is told so, and the demo stays
        cl.ctl("fe1", "user", "services", "alice@example.org", "imap,smtp")
        third = subprocess.run(DEMO + ["start"], env=env, capture_output=True, text=True,
                               timeout=120)
        assert third.returncode == 1 and "The round trip failed" in third.stdout, third
        assert first.poll() is None
        os.killpg(first.pid, signal.SIGINT)
        assert first.wait(120) == 0
    finally:
        if first.poll() is None:
            first.kill()
    c.wait_until("nothing to be left", lambda: leftovers(work) == [])


def test_a_second_demo_at_the_same_time_says_so(empty_dir):
    work, net = empty_dir
    holder = c.Cluster(work + "/other", net=net)
    holder.prepare()
    holder["master"].start()
    try:
        done = subprocess.run(DEMO + ["start"], env=environment(work + "/demo", net, True),
                              capture_output=True, text=True, timeout=120)
        assert done.returncode == 1 and "in use" in done.stdout + done.stderr
    finally:
        holder["master"].stop()
    c.wait_until("nothing to be left", lambda: leftovers(work) == [])


def test_stop_without_start(empty_dir):
    work, net = empty_dir
    done = subprocess.run(DEMO + ["stop"], env=environment(work + "/demo", net),
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and done.stdout
