/*
 * session - one MUPDATE connection: login, commands, its update stream. RFC 3656 section 4, and our
 * extension (proto/mupdate_wire.h).
 */
#ifndef SESSION_H
#define SESSION_H

#include "net/conn.h"
#include "service.h"

/* Takes *c. Ends itself; the service knows it until then. */
struct session *session_new(struct service *s, struct conn **c);
void session_free(struct session **sn);

/* For the service: the group is on disk; or not, and its changes are answered NO; or nobody
 * knows, and the session is cut. */
void session_released(struct session *sn, enum mapdb_outcome outcome);
/* The map has changed: a subscriber is told, in the next turn of the loop. */
void session_kick(struct session *sn);
/* Ends it without a word: it comes again, and a Cyrus front end would take any for a list. why is
 * for the log. */
void session_cut(struct session *sn, const char *why);
/* Ends one that has not logged in. False: it has, or is at its end. */
bool session_give_way(struct session *sn);
/* Says BYE, where the peer can take it, and ends. */
void session_drain(struct session *sn);

/* In the service's lists: session_list(), session_group(). */
struct list *session_link(struct session *sn);
struct session *session_of_link(struct list *link);
struct list *session_group_link(struct session *sn);
struct session *session_of_group_link(struct list *link);

struct session_info {
	const char *identity; /* NULL: not logged in */
	const char *peer, *id;
	bool is_feed;
	uint64_t revision; /* a feed: told up to this; else 0 */
	bool tls;
	uint64_t age_s;
};
/* The texts are borrowed until the session ends. */
struct session_info session_info(const struct session *sn);

#endif
