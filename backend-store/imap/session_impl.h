/*
 * session_impl - what the files of an IMAP session share.
 *
 *	service.c	settings, metrics, all sessions, the drain
 *	session.c	the client's link, deadlines, the end
 *	command.c	the table of commands; reading one, carrying it out, its reply
 *	reply.c		what is said to the client
 *	capability.c	CAPABILITY, ID, ENABLE, NAMESPACE, NOOP, CHECK, LOGOUT
 *	login.c		STARTTLS, LOGIN, AUTHENTICATE, the way in
 *	names.c		mailboxes as the client names them, and his rights
 *	acl.c		SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS
 *	list*.c		LIST, LSUB
 *	mailboxes.c	CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE
 *	status.c	STATUS
 *	quota.c		GETQUOTA, GETQUOTAROOT, SETQUOTA
 *	flags.c		flags as a client writes them
 *	select.c	SELECT, EXAMINE, CLOSE, UNSELECT
 *	append.c	APPEND; spool.c: its messages while they come in
 *	idle.c		IDLE
 *	view.c		the selected mailbox as this session's client knows it
 *	fetch*.c search*.c store.c copy.c expunge.c	commands on messages
 *	sort*.c thread*.c message_key.c	SORT, THREAD
 *
 * A COMMAND. Each session carries out one at a time; the client is not read meanwhile. When
 * a command has been read with all its literals, its handler is called once:
 *
 *	void cmd_x(struct imap_session *s, struct command *c)
 *
 * The handler reads its arguments with c->args (proto/imap_args.h) and ends the command by
 * exactly one call of command_done(), _fail(), _bad() or _refuse(), at once or later:
 *
 * - An operation of the store: c->store_id = mailbox_copy(..., s). The callback gets s (its
 *   command is &s->command), sets s->command.store_id = 0 and goes on. When the session ends
 *   before, the operation is cancelled; one at a time.
 * - A long answer: command_pump(s, fn). fn writes a piece into imap_out(s) and returns when
 *   command_must_yield(s); it is called again when there is room for more output, until it
 *   ends the command or calls command_pump(s, NULL) (to wait for the store).
 * - c->job is the handler's own, in c->arena or with a c->cleanup that gives back what is
 *   not memory of the arena (mailboxes, buffers). cleanup runs once, when the command is
 *   over or the session ends.
 *
 * After any of the three ends, c->arena, c->args and c->job are gone: return at once.
 *
 * Before the tagged reply of OK, NO and BAD goes out, command.c has the view tell what is
 * new (RFC 3501 section 7), without EXPUNGE for rows with ROW_NO_EXPUNGE. So handlers do not
 * care. Handlers with ROW_SELECTED may rely on s->view, and with ROW_WRITES on its not being
 * read-only. A row in command.c's table belongs to every handler.
 */
#ifndef IMAP_SESSION_IMPL_H
#define IMAP_SESSION_IMPL_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/ids.h"
#include "base/list.h"
#include "imap/session.h"
#include "link/link.h"
#include "log/log.h"
#include "mail/acl.h"
#include "mail/mbox_name.h"
#include "mailbox/mailbox.h"
#include "proto/imap_args.h"
#include "proto/imap_cmd.h"
#include "proto/origin.h"
#include "session/sessions.h"

struct imap_limits {
	uint64_t login_ms, idle_ms, keepalive_ms;
	uint64_t message_bytes;               /* APPEND */
	size_t command_bytes;                 /* line and literals of a command */
	struct imap_cmd_limits before, after; /* the login */
};

struct imap_service {
	struct imap_service_config c;
	struct imap_limits limits;
	struct sessions sessions;
};

/* ---- commands ------------------------------------------------------------------------------ */

enum {
	ROW_BEFORE = 1,      /* allowed before the login */
	ROW_AFTER = 2,       /* allowed after it */
	ROW_SELECTED = 4,    /* only with a mailbox selected */
	ROW_WRITES = 8,      /* not when that is read-only */
	ROW_NO_EXPUNGE = 16, /* no EXPUNGE before its reply: RFC 3501 section 7.4.1 */
	ROW_UID = 32,        /* the UID form: c->uid */
	ROW_HEAD = 64,       /* the handler is called with c->head, and reads the rest itself */
	ROW_QUIET = 128,     /* nothing is told before its reply */
};

struct imap_session;
struct command;
typedef void command_fn(struct imap_session *s, struct command *c);

struct imap_row {
	struct imap_cmd_def def; /* first; args only where command.c must wipe them */
	unsigned flags;
	command_fn *fn;
};

struct command {
	const struct imap_row *row; /* NULL: none is under way */
	char tag[IMAP_CMD_TAG_MAX + 1];
	bool uid;
	struct arena *arena;   /* ends with the command */
	struct buf text;       /* behind the name, literals in place */
	struct imap_args args; /* over text */

	/* the handler's */
	void *job;
	void (*cleanup)(struct imap_session *s);
	uint64_t store_id; /* an operation of the store under way; 0: none */
	command_fn *pump;

	/* command.c's */
	const struct imap_cmd_event *head; /* the line being taken; NULL outside of that */
	bool running;                      /* read to its end, and not answered */
	bool wants_line;                   /* a SASL response or DONE: the client may speak */
	bool swallowing;                   /* answered, but the client still sends it */
	const char *reply; /* decided, behind what the view has still to tell; or NULL */
	bool pump_deferred;
	uint64_t slice_started_us;
};

struct append;
struct idle;
struct view;

struct imap_session {
	struct list node; /* in service->sessions */
	struct imap_service *service;
	struct link *client;
	struct imap_limits limits; /* of its start */
	struct imap_cmd reader;
	struct command command;
	bool implicit_tls; /* not greeted yet */
	bool starting_tls, logged_in, ended;
	bool hung_up;               /* he sends no more */
	bool plaintext_ok, trusted; /* by the client's address */
	unsigned bad_commands, commands_before, failures;
	uint64_t commands, bytes_in, bytes_out;

	char id[ORIGIN_SESSION_MAX + 1];
	char peer[ADDR_TEXT_LEN];
	char user[MBOX_USER_MAX + 1]; /* "" before the login */
	struct log_ctx log;
	uint64_t started_ms;

	/* login.c */
	uint64_t auth_id;        /* 0: no conversation */
	bool sasl;               /* the next line answers a challenge */
	uint64_t login_store_id; /* INBOX is being made; 0: no */
	uint64_t claim;          /* what the front end knew of the user's; 0: nothing */

	struct mbox_view names; /* how this user names mailboxes; after the login */
	struct acl_who who;     /* and what ACLs know of him */
	char *inbox, *groups;   /* of who; heap */
	struct slice *group_list;
	bool admin;        /* an admin speaks for the user */
	bool quota_warned; /* once in a session */
	bool condstore;    /* enabled: MODSEQ in every FETCH */

	struct view *view;     /* NULL: nothing is selected */
	struct append *append; /* append.c; NULL: none under way */
	struct idle *idle;     /* idle.c; NULL: not in IDLE */
};

/* ---- session.c -------------------------------------------------------------------------------- */

/* No callback comes any more; freed at the end of the loop's turn. why: for the log. */
void imap_session_end(struct imap_session *s, const char *why);
/* "* BYE text", and the end. text: ours, no client's bytes. */
void imap_session_bye(struct imap_session *s, const char *text, const char *why);
/* After work outside the link's callbacks: output goes out, and the client is read unless
 * there is something to wait for. */
void imap_session_wake(struct imap_session *s);
/* Something moved: the time for autologout starts anew. */
void imap_session_touch(struct imap_session *s);

/* RFC 4314 section 5.1.1; a client that comes again finds out by itself. */
#define IMAP_NO_ACCESS "You may not read the selected mailbox any more"

/* ---- service.c -------------------------------------------------------------------------------- */

/* ---- reply.c ---------------------------------------------------------------------------------- */

/* What is written here is sent when the callback under way returns. */
struct buf *imap_out(struct imap_session *s);
/* "* text" CRLF. */
void imap_untagged(struct imap_session *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* A string for a response: an atom where one may stand (an astring), else quoted, or a
 * literal when it has CR, LF, or 8-bit bytes. NUL bytes are left out. */
void imap_add_astring(struct buf *out, struct slice s);
/* The same, never an atom. */
void imap_add_string(struct buf *out, struct slice s);
/* A canonical name as this client knows it; false: he may not see it, nothing was added. */
bool imap_add_mailbox(struct imap_session *s, struct slice name, struct buf *out) MUST_CHECK;
/* "\\Seen $Forwarded" without parentheses. */
void imap_add_flags(struct buf *out, const struct mailbox *m, uint8_t system, uint64_t keywords);

/* ---- command.c -------------------------------------------------------------------------------- */

enum command_end { COMMAND_OK, COMMAND_NO, COMMAND_BAD };
/* code: without brackets, or NULL. Both are copied. */
void command_done(struct imap_session *s, enum command_end end, const char *code, const char *text);
/* As the table of reply.c has it: NO with the response code of the result (not for OK). */
void command_fail(struct imap_session *s, enum mbox_result result);
/* The same for APPEND, COPY and MOVE: a mailbox that is not there may be made (TRYCREATE, RFC 3501
 * section 7.1). */
void command_fail_target(struct imap_session *s, enum mbox_result result);
/* BAD; text: imap_args_bad(), or ours. */
void command_bad(struct imap_session *s, const char *text);
/* reply: "BAD ..." or "NO ...", static. */
void command_refuse(struct imap_session *s, const char *reply);
/* BAD when there were bad arguments, or some are left. False: the command is over. */
bool command_args_end(struct imap_session *s) MUST_CHECK;
/* See above. NULL: no more. */
void command_pump(struct imap_session *s, command_fn *fn);
/* The output is full, or others have waited for some milliseconds: return. Cheap enough for
 * every message. */
bool command_must_yield(struct imap_session *s) MUST_CHECK;

const struct imap_cmd_def *command_find(struct slice name);
void command_event(struct imap_session *s, const struct imap_cmd_event *ev);
/* There is room for output. */
void command_go_on(struct imap_session *s);
/* The session ends. */
void command_drop(struct imap_session *s);
/* Is one carried out, so that the client has to wait? */
bool command_is_busy(const struct imap_session *s);
/* He may not read the selected mailbox any more: sent away, at once or behind the command. */
void command_lost_access(struct imap_session *s);
/* Is the output in the middle of a response, perhaps? */
bool command_is_talking(const struct imap_session *s);
/* The client's next line is none of a command: it goes to login.c or idle.c. */
void command_expect_line(struct imap_session *s);

/* ---- names.c ---------------------------------------------------------------------------------- */

/* The login is known: who it is for ACLs. groups: as in struct auth_reply. */
void imap_who_init(struct imap_session *s, const char *groups);
void imap_who_fini(struct imap_session *s);
/* What this user may do with the mailbox of this name and ACL. An admin who speaks for him may do
 * with every mailbox what its owner always may. */
uint32_t imap_rights(const struct imap_session *s, struct slice name, struct slice acl);
/* The same for the selected mailbox, as its ACL is now. */
uint32_t imap_selected_rights(const struct imap_session *s);
/* The client's name of a mailbox to canonical, once for all; it need not exist. False: the
 * command has been answered with NO and code. */
bool imap_name(struct imap_session *s, struct slice client, const char *code,
               struct mbox_name *name_r) MUST_CHECK;
/* A mailbox that is there and on which he has all of these rights (RFC 4314 section 4). Who has
 * not, nor ACL_LOOKUP, is told the same as where there is none (section 6). absent: the code
 * then, "NONEXISTENT" or "TRYCREATE". False: the command has been answered. */
bool imap_find_mailbox(struct imap_session *s, struct slice client, uint32_t rights,
                       const char *absent, struct mbox_info *info_r) MUST_CHECK;

/* The answer of imap_find_mailbox() to one who has the rights `has`, and not those he needs. */
void imap_refuse(struct imap_session *s, uint32_t has, const char *absent);

/* ---- flags.c ---------------------------------------------------------------------------------- */

/* Flags of imap_args_flags(); \Recent is left out. False: an unknown one of the system. Borrowed
 * from the arena of a. */
bool imap_read_flags(struct imap_args *a, const struct slice *flags, size_t count,
                     struct msg_flags *flags_r) MUST_CHECK;
/* MSG_*: those that may be changed with these rights. Keywords are as ACL_WRITE says. */
uint8_t imap_changeable(uint32_t rights);
/* Leaves those that rights allow to be changed (RFC 4314 section 4: others are ignored). */
void imap_limit_flags(struct msg_flags *f, uint32_t rights);

/* ---- CONDSTORE (RFC 7162 section 3.1) ----------------------------------------------------------- */

/* A command has used it: enabled from now on; HIGHESTMODSEQ is told when that is new. */
void imap_enable_condstore(struct imap_session *s);

/* ---- STATUS, also of LIST ------------------------------------------------------------------------ */

#define IMAP_STATUS_ITEMS 32 /* of one command; a client may name one twice */
struct imap_status {
	unsigned count;
	uint8_t items[IMAP_STATUS_ITEMS]; /* status.c's */
};
/* SP "(" items ")". */
bool imap_status_read(struct imap_args *a, struct imap_status *it) MUST_CHECK;
/* Before the first answer. */
void imap_status_begin(struct imap_session *s, const struct imap_status *it);
/* Asks the store for these items of a canonical name; fn gets s. The operation's id. */
uint64_t imap_status_ask(struct imap_session *s, struct slice name, const struct imap_status *it,
                         mailbox_status_fn *fn);
/* "* STATUS name (items)". False: no client may see this name, nothing was told. */
bool imap_status_tell(struct imap_session *s, struct slice name, const struct imap_status *it,
                      const struct mailbox_status *st) MUST_CHECK;

/* ---- quota.c ---------------------------------------------------------------------------------- */

/* The selected mailbox may be nearly full: he is told, once. */
void imap_quota_warn(struct imap_session *s);

/* ---- handlers --------------------------------------------------------------------------------- */

/* capability.c */
command_fn cmd_capability, cmd_id, cmd_enable, cmd_namespace, cmd_noop, cmd_logout;
void imap_add_capabilities(struct imap_session *s, struct buf *out);
/* login.c */
command_fn cmd_starttls, cmd_login, cmd_authenticate;
void login_line(struct imap_session *s, struct slice line);
bool login_is_allowed(const struct imap_session *s);
/* list.c, mailboxes.c, select.c, append.c, idle.c */
command_fn cmd_list, cmd_lsub;
command_fn cmd_setacl, cmd_deleteacl, cmd_getacl, cmd_listrights, cmd_myrights;
command_fn cmd_create, cmd_delete, cmd_rename, cmd_subscribe, cmd_unsubscribe, cmd_status;
command_fn cmd_select, cmd_examine, cmd_close, cmd_unselect;
command_fn cmd_append, cmd_idle;
/* quota.c */
command_fn cmd_getquota, cmd_getquotaroot, cmd_setquota;
/* What follows of an APPEND. */
void append_text(struct imap_session *s, const struct imap_cmd_event *ev);
void append_bytes(struct imap_session *s, struct slice bytes);
/* A line of a client in IDLE; there is room for more news. */
void idle_line(struct imap_session *s, struct slice line);
void idle_tell(struct imap_session *s);
/* fetch.c, search.c, store.c, copy.c, expunge.c: the UID forms too, by c->uid */
command_fn cmd_fetch, cmd_search, cmd_store, cmd_copy, cmd_move, cmd_expunge, cmd_sort, cmd_thread;

/*
 * What session.c, command.c, select.c and idle.c use of view.h:
 *
 *	Takes *m. As it is now; nothing is told.
 *	struct view *view_new(struct imap_session *s, struct mailbox **m, bool examine);
 *	void view_free(struct view **v);		no output; accepts NULL
 *	struct mailbox *view_mailbox(const struct view *v);
 *	bool view_is_read_only(const struct view *v);
 *	bool view_may_read(const struct view *v);
 *	The same, and what else has changed of his rights is told.
 *	bool view_check_access(struct view *v);
 *	uint32_t view_count(const struct view *v);	messages known to the client
 *	uint32_t view_recent(const struct view *v);	of them \Recent
 *	uint32_t view_first_unseen(const struct view *v);	sequence number, 0: none
 *	uint64_t view_modseq(const struct view *v);	all changes up to it are told
 *	Tells what is new: EXPUNGE only with expunges, EXISTS, RECENT, FETCH. Writes until the
 *	link is congested; 0: call again when it has drained, 1: all is told.
 *	int view_pull(struct view *v, bool expunges);
 *
 * IDLE watches view_mailbox() itself and pulls. A mailbox that is gone: view_pull() tells
 * nothing; command.c says BYE.
 */

#endif
