/*
 * session_impl - what the files of a session share. Not for others.
 *
 *   session.c         the connection, from greeting to end; which command is whose
 *   session_login.c   AUTHENTICATE
 *   session_roost.c   ROOST: peers of ours, and what they know of masters
 *   session_read.c    FIND, LIST, UPDATE, NOOP
 *   session_change.c  ACTIVATE, DEACTIVATE, DELETE, RESERVE, PUSHED
 *   session_held.c    answers to changes wait for the commit
 */
#ifndef SESSION_IMPL_H
#define SESSION_IMPL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
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
	struct link *wire;     /* NULL: ended */
	struct arena *scratch; /* what one command needs, until the next one */
	struct buf held; /* answers that wait for the commit; also what is said after the end */
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
	char *listed_own;  /* the server whose names it asked for as a Cyrus push does; NULL */
	bool has_pushed;   /* and some of them are active now through it */
	uint64_t commands; /* behind the login, with this one */
	/* what a plain peer's first command deleted, perhaps to give it another name; no name: none */
	struct location deleted;
	struct arena *deleted_arena;
	uint64_t started_ms;
};

/* ---- session.c ---- */

/* Says no more, but (flush) sends what it has said. The core may be in the middle of something: it
 * is freed at the end of the turn. why is for the log. */
void session_end(struct session *sn, const char *why, bool flush);
/* The core may go on, with what has come meanwhile. */
void session_resume(struct session *sn);

/* ---- session_login.c, for the core ---- */

void session_login_start(void *ctx, const char *mech, struct slice initial);
void session_login_step(void *ctx, struct slice response);
void session_login_abort(void *ctx);

/* ---- session_roost.c ---- */

void session_roost(struct session *sn, const struct mupdate_cmd *cmd);
/* Of what a peer has who wants the changes since a revision. One that has more than this list ever
 * had proves that the list is an old copy, of which nothing is told, also when the new one cannot
 * be begun now. */
enum mapdb_kin session_roost_kin(struct session *sn, const struct mupdate_cmd *cmd);

/* ---- session_read.c ---- */

void session_read_find(struct session *sn, const struct mupdate_cmd *cmd);
void session_read_list(struct session *sn, const struct mupdate_cmd *cmd);
void session_read_update(struct session *sn, const struct mupdate_cmd *cmd);
void session_read_noop(struct session *sn, const struct mupdate_cmd *cmd);
/* The feed, if there is one, goes on in the next turn of the loop. */
void session_read_later(struct session *sn);
/* For the timer `stall`: the peer of a feed has taken nothing. */
void session_read_stalled(void *ctx);
/* A plain peer is told the list: it must not hear anything else before the end of it. */
bool session_read_is_in_plain_list(const struct session *sn);

/* ---- session_held.c ---- */

/* Its answers wait for the commit of the group. Returns where they begin, for
 * session_held(), which ends the answer to this command. */
size_t session_hold(struct session *sn);
void session_held(struct session *sn, const char *tag, size_t start);

/* ---- session_change.c ---- */

/* A change is refused. */
void session_reply_no(struct session *sn, const char *tag, enum mupdate_code code,
                      const char *text);
/* ACTIVATE, DEACTIVATE, DELETE, RESERVE */
void session_change(struct session *sn, const struct mupdate_cmd *cmd);
/* PUSHED, of our extension */
void session_change_pushed(struct session *sn, const struct mupdate_cmd *cmd);
/* A plain peer lists this place: perhaps the beginning of a push. */
void session_change_listed(struct session *sn, struct slice place);
/* Not for the eyes of who pushes: another server's, and only reserved. */
bool session_change_hides(const struct session *sn, const struct location *loc);
/* It says LOGOUT: perhaps the end of one. */
void session_change_logout(struct session *sn);

#endif
