"""Clients that ask for lists while something happens, and keep what was missing in them."""
import contextlib
import threading

import cluster as c
from load import BREAKS
from test_shared import listed

HIDDEN = {"\\NonExistent", "\\Noselect"}


def seen(client, command):
    """Names that can be selected."""
    return {name for name, attributes in listed(client.ok(command)).items()
            if not HIDDEN & set(attributes)}


class Watcher(threading.Thread):
    """Asks again and again; every name has to be in every list. A patient one comes again when his
    store is killed, or he is moved himself."""

    def __init__(self, site, stop, user, front, wanted, patient=False):
        super().__init__(daemon=True)
        self.site, self.stop, self.user, self.front = site, stop, user, front
        self.wanted, self.patient = wanted, patient
        self.lists, self.missed, self.error = 0, [], None

    def run(self):
        try:
            while not self.stop.is_set():
                try:
                    self.watch()
                except BREAKS:
                    if not self.patient:
                        raise
        except Exception as e:  # noqa: BLE001  shown by the test
            self.error = e

    def watch(self):
        with contextlib.closing(self.site.raw_imap(self.user, self.front)) as client:
            while not self.stop.is_set():
                for command, names in self.wanted:
                    missing = names - seen(client, command)
                    self.lists += 1
                    if missing:
                        self.missed.append((command, sorted(missing)))


def finish(watchers, stop, lists):
    """When each has seen so many lists; none of them lacked a name."""
    def enough():
        return all(w.lists >= lists or not w.is_alive() for w in watchers)
    try:
        c.wait_until("lists", enough)
    finally:
        stop.set()
    for w in watchers:
        w.join(60)
        assert not w.is_alive()
        assert w.error is None and w.lists >= lists, (w.front, w.error, w.lists)
        assert not w.missed, (w.front, len(w.missed), w.lists, w.missed[:3])
