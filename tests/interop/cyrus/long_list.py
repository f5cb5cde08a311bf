"""Our replica behind a Cyrus master with many names, which comes slowly, breaks off, starts anew:
who reads the list meanwhile sees no gap. A Cyrus front end behind our master likewise."""
import glob
import os
import random
import signal
import socket
import threading
import time

import lab
from checks import check
from mixed import Raw
from murder import complete_master, following, seen, start_anew
from parties import BE1, BE2, FE, MASTER, REPLICA, SPARE
from roost import until
from wire import reached

NAMES = 100000
FOLDERS = ("", ".Sent", ".a b", "-x", ".a.c")


class Slow:
    """Stands between the replica and its master: rate bytes a second."""

    def __init__(self, at, target):
        self.target, self.rate, self.pairs, self.told = target, 1 << 30, [], 0
        self.listener = socket.create_server((at, 3905))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            try:
                far = socket.socket()
                far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)  # holds the master up
                far.connect((self.target, 3905))
            except OSError:
                near.close()
                far.close()
                continue
            self.pairs.append((near, far))
            threading.Thread(target=self.carry, args=(far, near, True), daemon=True).start()
            threading.Thread(target=self.carry, args=(near, far, False), daemon=True).start()

    def carry(self, source, sink, slowly):
        try:
            while True:
                data = source.recv(16384)
                if not data:
                    break
                sink.sendall(data)
                if slowly:
                    self.told += len(data)
                    time.sleep(len(data) / self.rate)
        except OSError:
            pass
        for s in (source, sink):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def end(self):
        self.listener.shutdown(socket.SHUT_RDWR)  # wakes who accepts, which close() does not
        self.listener.close()
        self.cut()

    def cut(self):
        for pair in self.pairs:
            for s in pair:
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        self.pairs = []


def name(i):
    return f"user.u{i // 5:05}{FOLDERS[i % 5]}"


def load(raw):
    """All names, without waiting for each answer."""
    def send():
        for start in range(0, NAMES, 500):
            raw.sock.sendall("".join(
                f'A{i} ACTIVATE "{name(i)}" "{BE1}!default" "u{i // 5:05}\tlrswipkxtecda\t"\r\n'
                for i in range(start, start + 500)).encode())
    sender = threading.Thread(target=send)
    sender.start()
    refused = sum(b" OK " not in raw.file.readline() for _ in range(NAMES))
    sender.join()
    return refused


class Reader:
    """Looks names up all the time."""

    def __init__(self, replica):
        self.replica, self.count, self.wrong = replica, 0, []
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.ending.is_set():
            found = self.replica.find(name(random.randrange(NAMES - 1)))
            self.count += 1
            if found.get("server") not in (BE1, BE2):
                self.wrong.append(found)

    def stop(self):
        self.ending.set()
        self.thread.join(20)


def scenario_long_list(box):
    master = box.cyrus_master(MASTER, box.in_memory())
    master.start()
    until("a Cyrus master", lambda: reached(MASTER))
    raw = Raw(MASTER, "be1")
    check("a Cyrus master takes many names", load(raw) == 0)
    slow = Slow(SPARE, MASTER)
    replica = box.roost("replica", REPLICA,
                        f"[roost-mupdate]\nrole = replica\nlisten = {REPLICA}:3905\n"
                        f"master = {SPARE}:3905\nmaster_user = replica\n"
                        f"master_password = {lab.SECRET}\nretry_max = 500ms\nkeepalive = 500ms\n")
    replica.start("roost-mupdate")

    def detail():
        return replica.status()["detail"]

    def follows():
        return detail().get("master") == "connected"
    until("our replica has the list", lambda: detail()["complete"], 60)
    check("all of it", detail()["locations"] == NAMES, detail())
    reader = Reader(replica)
    try:
        check_slow(raw, slow, replica, detail, follows)
        master.stop()
        until("the replica to notice", lambda: not follows())
        master.start()
        until("it follows again", follows, 30)
        check("after a restart it has the list", detail()["locations"] == NAMES - 1, detail())
        master.stop()
        for path in glob.glob(master.path("conf/mailboxes.db*")):
            os.unlink(path)
        master.start()
        until("a list that lost its names not to be taken", lambda: "lost most" in detail().get(
            "why", ""), 30)
    finally:
        reader.stop()
        slow.end()
    check("nobody who read saw a gap", reader.wrong == [] and reader.count > 1000,
          (reader.count, reader.wrong[:3]))


def check_slow(raw, slow, replica, detail, follows):
    slow.rate, slow.told = 2 << 20, 0
    slow.cut()
    until("half of a slow list", lambda: slow.told > 4 << 20, 30)
    check("while it comes the old one serves", not follows() and detail()["locations"] == NAMES)
    slow.cut()
    until("it breaks off, and comes again", lambda: slow.told > 5 << 20, 30)
    slow.rate = 4 << 20
    raw.ask(f'ACTIVATE "{name(0)}" "{BE2}!default" "u00000\tlrs\t"')
    raw.ask(f'DELETE "{name(NAMES - 1)}"')
    until("it follows", follows, 30)
    until("what was changed meanwhile", lambda: replica.find(name(0)).get("server") == BE2 and
          replica.find(name(NAMES - 1))["found"] == "none")
    slow.rate = 1 << 30


# ---- a Cyrus front end behind our master -------------------------------------------------------

WIDE = 1000


def scenario_slow_front(box):
    """What it hears in the middle of a list must not be the end of the list for it."""
    master = complete_master(box)
    raw = Raw(MASTER, "be1")
    acl = "".join(f"u{k:06}\tlrs\t" for k in range(900))
    for i in range(WIDE):
        raw.ask(f'ACTIVATE "{name(i)}" "{BE1}!default" {{{len(acl)}+}}\r\n{acl}')
    slow = Slow(SPARE, MASTER)
    front = box.front("fe", FE, SPARE)
    front.start()
    until("the front end follows", lambda: following(master))
    until("and has the list", lambda: len(seen(front)) == WIDE)
    try:
        for how, word in ((signal.SIGTERM, "stopped"), (signal.SIGKILL, "killed")):
            slow.rate, slow.told = 4 << 20, 0
            slow.cut()
            until("a part of a slow list", lambda: slow.told > 2 << 20, 30)
            for process in master.programs.values():
                process.send_signal(how)
                process.wait(10)
            slow.rate = 1 << 30
            check(f"{word} in the middle of a list, our master leaves the old one to the front end",
                  not gap(front))
            master.start("roost-mupdate")
            until("the front end follows again", lambda: following(master), 30)
        start_anew(master)
        check("a list that is being made anew is not told", not gap(front))
    finally:
        slow.end()


def gap(front):
    """For as long as it takes the front end to come again, and more."""
    end = time.monotonic() + 4
    while time.monotonic() < end:
        if len(seen(front)) != WIDE:
            return len(seen(front))
    return 0
