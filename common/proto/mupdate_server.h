/*
 * mupdate_server - the server's side of a MUPDATE session: banner, login, commands.
 *
 * A pure core: bytes and answers in, bytes and commands out. It knows the grammar and
 * what may be said when; it does not know the map, SASL mechanisms or TLS. RFC 3656.
 */
#ifndef PROTO_MUPDATE_SERVER_H
#define PROTO_MUPDATE_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"
#include "proto/mupdate_wire.h"

struct mupdate_server;

/* name, fewest strings, most strings, only in extension mode, allowed while streaming,
 * changes the map (refused by a replica) */
#define MUPDATE_VERBS(X)                                                                           \
	X(ACTIVATE, "ACTIVATE", 3, 3, false, false, true)                                          \
	X(DEACTIVATE, "DEACTIVATE", 2, 2, false, false, true)                                      \
	X(DELETE, "DELETE", 1, 1, false, false, true)                                              \
	X(FIND, "FIND", 1, 1, false, false, false)                                                 \
	X(LIST, "LIST", 0, 1, false, false, false)                                                 \
	X(NOOP, "NOOP", 0, 0, false, true, false)                                                  \
	X(RESERVE, "RESERVE", 2, 2, false, false, true)                                            \
	X(UPDATE, "UPDATE", 0, 30, false, false, false)                                            \
	X(ROOST, "ROOST", 3, 3, false, false, false)                                               \
	X(PUSHED, "PUSHED", 1, 1, true, false, true)
enum mupdate_verb {
#define X(name, text, fewest, most, ext, streaming, changes) MUPDATE_V_##name,
	MUPDATE_VERBS(X)
#undef X
		MUPDATE_V_COUNT
};
const char *mupdate_verb_text(enum mupdate_verb verb);

/* One command, parsed. Borrowed for the call. Slices a verb has not are empty. */
struct mupdate_cmd {
	enum mupdate_verb verb;
	const char *tag;
	struct slice name;    /* ACTIVATE DEACTIVATE DELETE FIND RESERVE; server of PUSHED */
	struct slice place;   /* ACTIVATE DEACTIVATE RESERVE; prefix of LIST */
	struct slice acl;     /* ACTIVATE */
	struct slice fields;  /* extension: ACTIVATE, RESERVE */
	bool has_place;       /* LIST had an argument */
	bool is_since;        /* UPDATE SINCE */
	struct slice history; /* UPDATE SINCE: hex */
	uint64_t revision;    /* UPDATE SINCE */
	struct slice cluster; /* ROOST */
	uint64_t term;        /* ROOST */
	unsigned host_count;  /* UPDATE "host" "host": PARTIAL-UPDATE */
	struct slice hosts[30];
};

/* Called from mupdate_server_input() only. After each the core waits, if asked to by
 * mupdate_server_wait(); the owner may not free the core inside. */
struct mupdate_server_ops {
	/* AUTHENTICATE. initial.p == NULL: none given. mech is upper case. The core waits
	 * until mupdate_server_auth_continue() or _auth_done(). */
	void (*auth_start)(void *ctx, const char *mech, struct slice initial);
	void (*auth_step)(void *ctx, struct slice response);
	/* The client gave up; the core has answered. */
	void (*auth_abort)(void *ctx);
	/* The OK is in the output. The owner starts TLS, then mupdate_server_tls_started(). */
	void (*starttls)(void *ctx);
	/* Answered by mupdate_server_{record,deleted,reply,...} now, or later after wait. */
	void (*command)(void *ctx, const struct mupdate_cmd *cmd);
	/* BYE, OK "bye-bye" or a fatal error is in the output: send and close. */
	void (*goodbye)(void *ctx, const char *why);
};

struct mupdate_server_conf {
	const char *hostname;
	const char *version;
	const char *master_url; /* NULL: "(master)" */
	bool tls_offered;       /* STARTTLS */
	bool tls_required;      /* no login without TLS (no mechanism is listed) */
	unsigned bad_max;       /* so many BADs before login, then goodbye */
};

/* conf, ops and out are borrowed. mechs ("PLAIN SCRAM-SHA-256") is copied; under TLS
 * mechs_tls. Writes no banner yet. */
struct mupdate_server *mupdate_server_new(const struct mupdate_server_conf *conf, const char *mechs,
                                          const char *mechs_tls, bool is_tls,
                                          const struct mupdate_server_ops *ops, void *ctx,
                                          struct buf *out);
void mupdate_server_free(struct mupdate_server **s);

/* The banner; once at the start. */
void mupdate_server_greet(struct mupdate_server *s);
/* TLS is on: forgets everything said in clear, sends the banner again. */
void mupdate_server_tls_started(struct mupdate_server *s);
/* Returns the bytes consumed; 0 also while it waits. */
size_t mupdate_server_input(struct mupdate_server *s, struct slice in);

/* From now on output goes there (a group commit holds answers back). */
void mupdate_server_set_out(struct mupdate_server *s, struct buf *out);

/* The command needs time: parse nothing more until mupdate_server_resume(). */
void mupdate_server_wait(struct mupdate_server *s);
void mupdate_server_resume(struct mupdate_server *s);
bool mupdate_server_is_waiting(const struct mupdate_server *s);

/* Answers to auth_*. The challenge is raw bytes. Both resume. A login that did not
 * succeed says NO text. */
void mupdate_server_auth_continue(struct mupdate_server *s, struct slice challenge);
void mupdate_server_auth_done(struct mupdate_server *s, bool ok, const char *text);

enum mupdate_status { MUPDATE_OK, MUPDATE_NO, MUPDATE_BAD, MUPDATE_BYE };
/* The code is shown in extension mode only. */
void mupdate_server_reply(struct mupdate_server *s, const char *tag, enum mupdate_status status,
                          enum mupdate_code code, const char *text);
/* A MAILBOX or RESERVE line; fields only in extension mode. With its ACL (not NULL) a reserved
 * name is one that was left: only in extension mode. */
void mupdate_server_record(struct mupdate_server *s, const char *tag, struct slice name,
                           struct slice place, struct slice acl, struct slice fields);
void mupdate_server_reserved(struct mupdate_server *s, const char *tag, struct slice name,
                             struct slice place, const struct slice *acl, struct slice fields);
void mupdate_server_deleted(struct mupdate_server *s, const char *tag, struct slice name,
                            struct slice fields);
/* Extension lines. */
void mupdate_server_hello(struct mupdate_server *s, const char *tag, const char *cluster,
                          const char *history, uint64_t revision, uint64_t term, bool complete);
void mupdate_server_changed(struct mupdate_server *s, const char *tag, uint64_t revision,
                            uint64_t claim);
void mupdate_server_stream(struct mupdate_server *s, const char *tag, bool snapshot,
                           const char *history, uint64_t revision);
/* UPDATE was accepted: from now on only NOOP and LOGOUT. */
void mupdate_server_set_streaming(struct mupdate_server *s);
/* ROOST was accepted. */
void mupdate_server_set_extended(struct mupdate_server *s);
bool mupdate_server_is_extended(const struct mupdate_server *s);
bool mupdate_server_is_authenticated(const struct mupdate_server *s);

#endif
