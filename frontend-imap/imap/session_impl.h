/*
 * session_impl - what the files of an IMAP session share.
 *
 *	session.c	the client's link, what is said to him, when he has to wait, the end
 *	login.c		STARTTLS, LOGIN, AUTHENTICATE
 *	reach.c		the home of the user, and a leg into it; legs to other stores
 *	dispatch.c	the table of commands; those answered here
 *	route.c		where a command goes, and when
 *	forward.c	commands to a store, its responses to the client
 *	deselect.c	a mailbox on another store is selected no more
 *	list*.c		LIST, where it reaches further than the home
 *	across*.c	COPY and MOVE from one store to another
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
#include "session/sessions.h"

/* Commands with stores and not answered yet. More wait in the client's socket. */
#define IMAP_FLIGHTS_MAX 64
#define IMAP_ARG_MAX 1024
/* A command that is read to its end: more no list of patterns needs. */
#define IMAP_WHOLE_MAX 16384

struct imap_limits {
	uint64_t login_ms, idle_ms, connect_ms, store_ms, guest_ms;
	uint64_t stores;
	struct imap_cmd_limits before, after; /* the login */
};

struct imap_proxy {
	struct imap_proxy_config c;
	struct imap_limits limits;
	struct sessions sessions;
};

/* ---- commands ------------------------------------------------------------------------------ */

enum {
	ROW_BEFORE = 1,  /* allowed before the login */
	ROW_AFTER = 2,   /* allowed after it */
	ROW_ALONE = 4,   /* begins when all before it is answered */
	ROW_MAILBOX = 8, /* its astrings are names of mailboxes, and say where it goes */
	ROW_MAKES = 16,  /* and it makes the last of them */
	ROW_SELECT = 32, /* OK: selected, NO: nothing is selected any more */
	ROW_DESELECT = 64,
	ROW_IDLE = 128,
	ROW_ENABLE = 256,
	ROW_CONDSTORE = 512, /* may enable CONDSTORE by use: RFC 7162 section 3.1 */
	ROW_HOME = 1024,     /* goes to the home, whatever it names */
	ROW_COPY = 2048,     /* from the selected mailbox to the one it names */
	ROW_MOVE = 4096,
	ROW_CHANGES = 8192, /* names, or who may see them */
	ROW_FILLS = 16384,  /* a mailbox that is not there may be made: TRYCREATE */
	ROW_WHOLE = 32768,  /* is read to its end before it is run */
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
	bool waiting;    /* for something; nothing is read from the client meanwhile */
	bool collecting; /* ROW_WHOLE: goes to session->whole first */
	struct arena *arena;
	const struct imap_row *row;
	struct slice tag, args[IMAP_CMD_ARGS_MAX], text;
	bool last, sync, literal8;
	uint64_t literal_n;

	/* route.c */
	bool routed;         /* to is known */
	struct server *to;   /* NULL: the home, wherever that is */
	unsigned arg;        /* the argument whose place is looked for */
	uint64_t lookup_id;  /* 0: nothing asked */
	bool looked_again;   /* for that argument, behind a barrier */
	const char *problem; /* it cannot be carried out: the reply */
	struct slice name;   /* canonical, of a mailbox that may be elsewhere; n == 0: none */
	int wide;            /* list.c: 0 not known, 1 or -1 */
};

/* A command with a store. */
struct imap_flight {
	struct list link;
	struct imap_session *session;
	const struct imap_row *row;
	struct imap_leg *leg;
	bool quiet;          /* it is ours, and the client hears nothing of it */
	char *mailbox;       /* SELECT: as the client named it */
	const char *instead; /* what the client is told whatever the store says; or NULL */
	char *name;          /* canonical, of a mailbox that may be elsewhere; or NULL */
	bool is_inbox;       /* it names his INBOX */
	uint64_t verdict_id; /* 0, or: the store has it not; is it elsewhere? */
	char *reply;         /* the store's, until that is known */
	char tag[IMAP_CMD_TAG_MAX + 1];
};

/* What takes several commands to several stores, or to one in several steps. While one is
 * on nothing else is with any store; the command in head waits. */
enum imap_take {
	TAKE_PASS,  /* as if there were no job */
	TAKE_TAKEN, /* the client gets nothing of it */
	TAKE_WRONG, /* out of step */
};
struct imap_job {
	/* A response, or a piece of one. */
	enum imap_take (*response)(struct imap_session *s, struct imap_leg *leg,
	                           const struct imap_resp_event *ev);
	/* A leg is up, output has drained, or the like. */
	void (*go_on)(struct imap_session *s);
	/* A leg is gone (for comparing only), or the one it wanted cannot be had (NULL); with what
	 * to tell the client. */
	void (*lost)(struct imap_session *s, const struct imap_leg *leg, const char *reply);
	/* It is over, in whatever way. May be NULL. */
	void (*free)(struct imap_session *s);
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
	struct buf whole; /* of a command that is being collected; else empty */
	/* Behind the end of a command that is being swallowed; NULL: nothing to say. */
	const char *after_discard;
	struct buf held; /* what we say while a store is in the middle of a response */

	/* login.c */
	uint64_t auth_id; /* 0: no conversation */
	bool auth_busy;   /* the answer is with the auth workers */
	bool sasl;        /* the next line answers a challenge */
	char grant[AUTH_GRANT_MAX];
	char *groups; /* of the user, as auth_reply has them; heap */

	/* reach.c */
	uint64_t home_id;     /* 0: nothing asked */
	struct server *store; /* the home; NULL: not known */
	uint64_t claim;
	bool asked_again;
	struct list legs;
	struct imap_leg *home; /* NULL or not up: not there */
	struct server *away;   /* could not be reached lately; NULL: none */
	uint64_t away_until_ms;

	/* forward.c */
	struct list flights;
	unsigned flight_count;
	struct imap_leg *stream;           /* gets what follows of the client's command */
	struct imap_flight *stream_flight; /* NULL: it is answered already */
	enum imap_go go;
	enum imap_idle idle;
	struct imap_flight *idle_flight;
	unsigned own_tag;          /* of our latest command, "R5" */
	bool condstore;            /* enabled */
	struct imap_leg *selected; /* NULL: nothing */
	bool read_only;            /* selected so */
	char *mailbox;             /* selected: as the client named it */

	const struct imap_job *job; /* NULL: none */
	void *job_data;
	struct imap_leg *asked;     /* owes the job something; NULL: none */
	struct imap_leg *throttled; /* must not talk: what it says finds no room; NULL: none */
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
/* What all stores and we do: OFFER(). */
uint64_t imap_session_offer(const struct imap_session *s);
/* The capabilities that hold now. */
void imap_session_add_capabilities(struct imap_session *s, struct buf *out);
bool imap_session_may_login(struct imap_session *s);
void imap_session_arm_idle(struct imap_session *s);
bool imap_session_is_idle(const struct imap_session *s);
/* Who may talk now: one store at a time, none while the client does not read. */
void imap_session_update_legs(struct imap_session *s);
/* May much be said to the client now? */
bool imap_session_has_room(struct imap_session *s);
void imap_session_start_job(struct imap_session *s, const struct imap_job *job, void *data);
void imap_session_end_job(struct imap_session *s);
/* Ends it with "TAG text" for the command in head. */
void imap_session_finish_job(struct imap_session *s, const char *text);

/* ---- proxy.c ---------------------------------------------------------------------------------- */

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
/* The home's leg. NULL: not up, or not the home any more; a wake follows, or the session ends. */
struct imap_leg *imap_reach_own(struct imap_session *s);
/* The name whose place says where a home is that does not end its sessions when it gives a user
 * away: a store of others that is in the list. False: the home is none. */
bool imap_reach_inbox(const struct imap_session *s, struct mbox_name *inbox_r);
/* Another store than the home. NULL: not up yet; a wake follows, or head.problem, or the
 * job's lost(). */
struct imap_leg *imap_reach_leg(struct imap_session *s, struct server *server);
/* A leg is of no use any more. */
void imap_reach_drop(struct imap_session *s, struct imap_leg *leg, bool bye);

/* ---- dispatch.c ------------------------------------------------------------------------------- */

/* A new command, or the waiting one again. */
void imap_dispatch_head(struct imap_session *s, const struct imap_cmd_event *ev);
void imap_dispatch_run(struct imap_session *s);
/* What follows of a command that is collected. */
void imap_dispatch_text(struct imap_session *s, const struct imap_cmd_event *ev);
void imap_dispatch_bytes(struct imap_session *s, struct slice bytes);
struct mbox_view imap_dispatch_view(const struct imap_session *s);

/* ---- route.c ---------------------------------------------------------------------------------- */

/* The command in head, whose state and time are right: sends it on its way, or lets it wait. */
void imap_route_head(struct imap_session *s);
/* The command in head is over: nothing is asked for it any more. */
void imap_route_forget(struct imap_session *s);

/* ---- deselect.c ------------------------------------------------------------------------------- */

/* The mailbox that is selected is no more; then the command in head is run again, or, with
 * reply, refused. Nothing may be with a store. */
void imap_deselect(struct imap_session *s, const char *reply);

/* ---- list.c ----------------------------------------------------------------------------------- */

/* Does the LIST in head reach further than the home? */
bool imap_list_is_wide(struct imap_session *s);
/* The home's leg is up. */
void imap_list_start(struct imap_session *s);

/* ---- across.c --------------------------------------------------------------------------------- */

/* The COPY or MOVE in head, from the selected mailbox to one on another store. */
void imap_across_start(struct imap_session *s, struct imap_leg *to);

/* ---- forward.c -------------------------------------------------------------------------------- */

/* A command of ours for the job: its tag, which the answer has. */
const char *imap_forward_own(struct imap_session *s, struct imap_leg *leg, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
/* The job waits for something from this leg; NULL: for none. */
void imap_forward_ask(struct imap_session *s, struct imap_leg *leg);
/* RFC 7162 section 3.1: such words enable CONDSTORE without ENABLE. A quoted string that has one
 * does no harm: the client asked for an extension it does not use. */
bool imap_forward_uses_condstore(struct slice text);
/* What is enabled in the session and not yet there. */
void imap_forward_enable(struct imap_session *s, struct imap_leg *leg);
void imap_forward_select(struct imap_session *s, struct imap_leg *leg, char *mailbox,
                         bool read_only);
bool imap_forward_has_flights(struct imap_session *s, const struct imap_leg *leg);
void imap_forward_arm(struct imap_session *s, struct imap_leg *leg);
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
