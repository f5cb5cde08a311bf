/*
 * patience - how long a TCP peer that says nothing at all counts as alive. Not for others.
 *
 * A host that lost its power, or a network that swallows packets, ends no connection. Who
 * waits there without having asked for anything (IDLE, a subscriber) would wait for ever.
 */
#ifndef NET_PATIENCE_H
#define NET_PATIENCE_H

struct patience {
	int idle_s;     /* silent for so long: asked whether it is there */
	int interval_s; /* no answer: asked again */
	int probes;     /* so many without answer: gone */
	int unacked_ms; /* what was sent and not taken for so long: gone; 0: as the system does */
};

/* Those we dialled: our own hosts, and next hops. Gone after 30 s. */
extern const struct patience patience_dialled;
/* Clients: a telephone may sleep. Gone after a quarter of an hour. */
extern const struct patience patience_accepted;

/* Harmless on Unix sockets. */
void patience_set(int fd, const struct patience *p);

#endif
