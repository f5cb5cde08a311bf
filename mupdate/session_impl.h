/*
 * session_impl - what session.c (the connection, logins, reading) and session_change.c (changes
 * of the map) share.
 */
#ifndef SESSION_IMPL_H
#define SESSION_IMPL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ids.h"
#include "base/list.h"
#include "link/link.h"
#include "log/log.h"
#include "proto/mupdate_server.h"
#include "service.h"
#include "session.h"

/* The answer to one change, in `held`: what it becomes when the disk is full. */
struct held_mark {
	size_t start, end;
	char tag[MUPDATE_TAG_MAX + 1];
};

struct session {
	struct list link, group_link;
	struct service *service;
	const struct service_config *conf;
	struct mupdate_server_conf core_conf;
	struct mupdate_server *core;
	struct link *wire; /* NULL: ended */
	struct buf held;   /* answers that wait for the commit; also what is said after the end */
	bool is_held;
	size_t group_bytes;    /* of its changes in the open group */
	bool waits_for_group;  /* it has had its share of it */
	bool is_full;          /* answers to FIND have to go out first */
	struct buf held_marks; /* struct held_mark */
	char id[IDS_SESSION_LEN];
	char peer[ADDR_TEXT_LEN];
	struct log_ctx log;
	char *identity; /* NULL: not logged in */
	bool read_only;
	uint64_t auth_id;
	struct feed *feed;
	bool feed_deferred, feed_live;
	struct timer stall;
	uint64_t barrier_id;
	uint64_t term;  /* the highest it knows; ROOST */
	bool noop_open; /* a NOOP waits */
	char noop_tag[MUPDATE_TAG_MAX + 1];
	uint64_t noop_revision; /* its answer comes behind this */
	bool in_handshake;
	bool is_feed_counted;
	char *listed_own; /* the server whose names it asked for as a Cyrus push does; NULL */
	bool has_pushed;  /* and some of them are active now through it */
	uint64_t started_ms;
};

/* Its answers wait for the commit of the group. Returns where they begin, for
 * session_held(), which ends the answer to this command. */
size_t session_hold(struct session *sn);
void session_held(struct session *sn, const char *tag, size_t start);
void session_reply_no(struct session *sn, const char *tag, enum mupdate_code code,
                      const char *text);

/* ---- session_change.c ---- */

/* ACTIVATE, DEACTIVATE, DELETE, RESERVE */
void session_change(struct session *sn, const struct mupdate_cmd *cmd);
/* PUSHED, of our extension */
void session_change_pushed(struct session *sn, const struct mupdate_cmd *cmd);
/* A plain peer lists this place: perhaps the beginning of a push. */
void session_change_listed(struct session *sn, struct slice place);
/* It says LOGOUT: perhaps the end of one. */
void session_change_logout(struct session *sn);

#endif
