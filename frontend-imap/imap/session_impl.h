/*
 * session_impl - what the files of an IMAP session share.
 *
 *	session.c	the client's link, what is said to him, when he has to wait, the end
 *	login.c		STARTTLS, LOGIN, AUTHENTICATE
 *	reach.c		the home of the user, and a leg into it
 *	dispatch.c	the table of commands; those answered here
 *	forward.c	commands to a store, its responses to the client
 */
#ifndef IMAP_SESSION_IMPL_H
#define IMAP_SESSION_IMPL_H

#include "base/arena.h"
#include "base/ids.h"
#include "base/list.h"
#include "imap/leg.h"
#include "imap/offer.h"
#include "imap/session.h"
#include "link/link.h"
#include "log/log.h"
#include "mail/mbox_name.h"
#include "proto/imap_cmd.h"

/* Commands with stores and not answered yet. More wait in the client's socket. */
#define IMAP_FLIGHTS_MAX 64
#define IMAP_ARG_MAX 1024

struct imap_limits {
	uint64_t login_ms, idle_ms, connect_ms, store_ms;
	uint64_t sessions;
	struct imap_cmd_limits before, after; /* the login */
};

struct imap_proxy {
	struct imap_proxy_config c;
	struct imap_limits limits;
	struct list sessions;
	size_t count;
	bool draining;
	bool sends_away; /* who waits for nothing */
	void (*drained)(void *ctx);
	void *drained_ctx;
};

/* ---- commands ------------------------------------------------------------------------------ */

enum {
	ROW_BEFORE = 1,  /* allowed before the login */
	ROW_AFTER = 2,   /* allowed after it */
	ROW_ALONE = 4,   /* begins when all before it is answered */
	ROW_MAILBOX = 8, /* its astrings are names of mailboxes */
	ROW_MAKES = 16,  /* and it makes the last of them */
	ROW_SELECT = 32, /* OK: selected, NO: nothing is selected any more */
	ROW_DESELECT = 64,
	ROW_IDLE = 128,
	ROW_ENABLE = 256,
	ROW_CONDSTORE = 512, /* may enable CONDSTORE by use: RFC 7162 section 3.1 */
};

struct imap_session;
struct imap_row {
	struct imap_cmd_def def; /* first */
	unsigned flags;
	uint64_t needs; /* offered by the store, else the command is unknown */
	/* Answers here, and returns true; NULL or false: goes to a store. */
	bool (*local)(struct imap_session *s);
};
const struct imap_cmd_def *imap_dispatch_find(struct slice name);

/* The latest command of the client: since its text may go on, there is only one. */
struct imap_head {
	bool waiting; /* for something; nothing is read from the client meanwhile */
	struct arena *arena;
	const struct imap_row *row;
	struct slice tag, args[IMAP_CMD_ARGS_MAX], text;
	bool last, sync, literal8;
	uint64_t literal_n;
};

/* A command with a store. */
struct imap_flight {
	struct list link;
	const struct imap_row *row;
	struct imap_leg *leg;
	char *mailbox;       /* SELECT: as the client named it */
	const char *instead; /* what the client is told whatever the store says; or NULL */
	char tag[IMAP_CMD_TAG_MAX + 1];
};

enum imap_go {
	GO_NONE,
	GO_PASS, /* the client waits for a continuation, and gets the store's */
	GO_HOLD, /* the client does not wait, but the store wants it */
};

enum imap_idle {
	IDLE_NO,
	IDLE_ASKED, /* the store's continuation is not there yet */
	IDLE_ON,
	IDLE_BAD, /* the client said something else than DONE */
	IDLE_DONE,
};

struct imap_session {
	struct list node; /* in proxy->sessions */
	struct imap_proxy *proxy;
	struct link *client;
	struct imap_cmd cmd;
	bool implicit_tls; /* not greeted yet */
	bool starting_tls, was_tls;
	bool logged_in, ended;
	unsigned bad_commands, commands_before, failures;
	uint64_t commands, bytes_in, bytes_out;

	char id[IDS_SESSION_LEN];
	char peer[ADDR_TEXT_LEN];
	char user[MBOX_USER_MAX + 1]; /* "" before the login */
	struct log_ctx log;
	uint64_t started_ms;

	struct imap_head head;
	/* Behind the end of a command that is being swallowed; NULL: nothing to say. */
	const char *after_discard;
	struct buf held; /* what we say while a store is in the middle of a response */

	/* login.c */
	uint64_t auth_id; /* 0: no conversation */
	bool auth_busy;   /* the answer is with the auth workers */
	bool sasl;        /* the next line answers a challenge */
	char grant[AUTH_GRANT_MAX];

	/* reach.c */
	uint64_t home_id;     /* 0: nothing asked */
	struct server *store; /* the home; NULL: not known */
	uint64_t claim;
	bool asked_again;
	struct imap_leg_login leg_login;
	struct list legs;
	struct imap_leg *home; /* NULL or not up: not there */

	/* forward.c */
	struct list flights;
	unsigned flight_count;
	struct imap_leg *stream;           /* gets what follows of the client's command */
	struct imap_flight *stream_flight; /* NULL: it is answered already */
	enum imap_go go;
	enum imap_idle idle;
	struct imap_flight *idle_flight;
	bool drop_data;            /* the response under way is not for the client */
	bool condstore;            /* enabled */
	struct imap_leg *selected; /* NULL: nothing */
	char *mailbox;             /* selected: as the client named it */
};

/* ---- session.c -------------------------------------------------------------------------------- */

/* To the client, with CRLF added; never into the middle of a store's response. */
void imap_session_say(struct imap_session *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* "TAG text" for the command in head. */
void imap_session_reply(struct imap_session *s, const char *text);
/* Not carried out: swallows the rest of the command in head and says "TAG text". Static. */
void imap_session_refuse(struct imap_session *s, const char *text);
/* "* BYE text", and the end. */
void imap_session_bye(struct imap_session *s, const char *text, const char *why);
/* No callback comes any more; freed at the end of the loop's turn. why: for the log. */
void imap_session_end(struct imap_session *s, const char *why);
/* Something has changed: a command that waited may begin, the client may be read. */
void imap_session_wake(struct imap_session *s);
/* A response is over: what was held back goes out. */
void imap_session_release_held(struct imap_session *s);
/* The capabilities that hold now. */
void imap_session_add_capabilities(struct imap_session *s, struct buf *out);
bool imap_session_may_login(struct imap_session *s);
void imap_session_arm_idle(struct imap_session *s);
bool imap_session_is_idle(const struct imap_session *s);

/* ---- proxy.c ---------------------------------------------------------------------------------- */

void imap_proxy_lost_session(struct imap_proxy *p);

/* ---- login.c ---------------------------------------------------------------------------------- */

bool imap_login_starttls(struct imap_session *s);
bool imap_login_login(struct imap_session *s);
bool imap_login_authenticate(struct imap_session *s);
/* A client's SASL response. */
void imap_login_line(struct imap_session *s, struct slice line);
/* reach.c has come to an end with the home. */
void imap_login_reached(struct imap_session *s);
void imap_login_unreachable(struct imap_session *s, const char *reply);

/* ---- reach.c ---------------------------------------------------------------------------------- */

/* Finds the home and goes there; ends in login's functions above or in a wake. */
void imap_reach_home(struct imap_session *s);
bool imap_reach_is_busy(const struct imap_session *s);
/* A leg is of no use any more. */
void imap_reach_drop(struct imap_session *s, struct imap_leg *leg, bool bye);

/* ---- dispatch.c ------------------------------------------------------------------------------- */

/* A new command, or the waiting one again. */
void imap_dispatch_head(struct imap_session *s, const struct imap_cmd_event *ev);
void imap_dispatch_run(struct imap_session *s);

/* ---- forward.c -------------------------------------------------------------------------------- */

/* The command in head, to a leg that is up. */
void imap_forward_head(struct imap_session *s, struct imap_leg *leg);
/* What follows of it. */
void imap_forward_text(struct imap_session *s, const struct imap_cmd_event *ev);
void imap_forward_bytes(struct imap_session *s, struct slice bytes);
/* It turned out to be none, for this reason: the store must not carry it out either. False:
 * nothing of it has gone to a store. */
bool imap_forward_bad(struct imap_session *s, const char *instead);
/* The line of a client in IDLE. */
void imap_forward_idle_line(struct imap_session *s, struct slice line);
bool imap_forward_response(struct imap_session *s, struct imap_leg *leg,
                           const struct imap_resp_event *ev);
/* An up leg is gone. */
void imap_forward_lost(struct imap_session *s, struct imap_leg *leg, const char *why);
void imap_forward_deadline(struct imap_session *s, struct imap_leg *leg);
void imap_forward_free_flights(struct imap_session *s);

#endif
