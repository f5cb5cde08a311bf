/*
 * smtp_server_impl - what smtp_server.c (lines, answers), smtp_server_cmd.c (commands) and
 * smtp_server_body.c (DATA and BDAT) share.
 */
#ifndef PROTO_SMTP_SERVER_IMPL_H
#define PROTO_SMTP_SERVER_IMPL_H

#include "proto/dotbuf.h"
#include "proto/smtp_server.h"

#define SMTP_STATES(X)                                                                             \
	/* name, log name, waits for the caller */                                                 \
	X(GREETED, "greeted", false)                                                               \
	X(READY, "ready", false)                                                                   \
	X(SASL, "auth", false) /* a challenge was sent */                                          \
	X(WAIT_SASL, "auth", true)                                                                 \
	X(WAIT_TLS, "starttls", true)                                                              \
	X(WAIT_MAIL, "mail", true)                                                                 \
	X(MAIL, "rcpt", false) /* in a transaction, before the body */                             \
	X(WAIT_DATA, "data", true)                                                                 \
	X(BODY, "body", false)                                                                     \
	X(CHUNK, "body", false)  /* counted bytes of BDAT */                                       \
	X(CHUNKS, "body", false) /* between two BDATs */                                           \
	X(WAIT_FINAL, "final", true)                                                               \
	X(OVER, "over", false)
enum smtp_state {
#define X(name, text, waits) SMTP_STATE_##name,
	SMTP_STATES(X)
#undef X
		SMTP_STATE_COUNT
};

/* One RCPT command that was handed to the caller. */
struct smtp_slot {
	char *line; /* the reply, until its turn comes; NULL: none yet, or gone out */
	bool accepted;
	bool answered;
};

struct smtp_server {
	const struct smtp_server_settings *settings;
	enum smtp_state state;
	bool tls, esmtp, logged_in;
	const char *greeting; /* borrowed from the caller */
	char *helo;           /* NULL before */
	struct arena *arena;  /* of the last event; NULL: none */
	struct buf decoded;   /* the SASL response being handed out */
	struct buf mech;
	unsigned bad, idle, failed;

	bool skipping;   /* an endless line, up to its end */
	bool skipped_cr; /* its last byte was a CR */
	bool blocked;    /* the next command waits for answers to RCPT */

	/* the transaction */
	bool smtputf8;
	struct smtp_slot *slots;
	size_t slot_count, slot_cap;
	size_t next_out; /* the first slot whose reply has not gone out */
	size_t pending;  /* slots without an answer */
	size_t accepted;

	/* the body */
	struct dotbuf d;
	struct buf piece;         /* decoded, being handed out */
	struct smtp_reply *spoil; /* what will be answered; NULL: the body is good so far */
	bool held;                /* the last byte was looked at and not consumed */
	bool chunked, last;
	bool stray; /* this chunk belongs to no transaction, or to one that cannot take it */
	uint64_t chunk_left;
	uint64_t chunk_bytes;
	enum smtp_state chunk_back; /* of a stray one: where we were */
};

/* What a step of the input says, beside 1, 0 and -1 of smtp_server_input(). */
enum {
	SMTP_GO_ON = 2, /* something was done: look again */
	SMTP_HOLD = 3,  /* this line waits for answers */
};

struct smtp_call {
	struct slice args;
	bool more; /* bytes wait behind the line */
	struct buf *out;
	struct smtp_event *ev;
};

void smtp_server_enter(struct smtp_server *s, enum smtp_state next);
void smtp_server_put(struct smtp_server *s, struct buf *out, int code, const char *enhanced,
                     const char *text);
/* A bad command: SMTP_GO_ON, or -1 when that was one too many. */
int smtp_server_refuse(struct smtp_server *s, struct smtp_call *c, int code, const char *enhanced,
                       const char *text);
/* The last word: -1. */
int smtp_server_say_bye(struct smtp_server *s, struct buf *out, int code, const char *enhanced,
                        const char *text);
/* Forgets envelope and body. */
void smtp_server_end_transaction(struct smtp_server *s);
/* What will be answered at the body's end. */
void smtp_server_spoil(struct smtp_server *s, int code, const char *enhanced, const char *text);
/* The body is whole and good: the caller decides. */
void smtp_server_begin_final(struct smtp_server *s);
struct arena *smtp_server_arena(struct smtp_server *s);

/* smtp_server_cmd.c */
int smtp_server_command(struct smtp_server *s, struct slice line, struct smtp_call *c);
int smtp_server_sasl_line(struct smtp_server *s, struct slice line, struct smtp_call *c);
int smtp_server_cancel_sasl(struct smtp_server *s, struct smtp_call *c, int code,
                            const char *enhanced, const char *text);

/* smtp_server_body.c */
int smtp_server_cmd_data(struct smtp_server *s, struct smtp_call *c);
int smtp_server_cmd_bdat(struct smtp_server *s, struct smtp_call *c);
/* *used is moved on. */
int smtp_server_body_input(struct smtp_server *s, struct slice in, size_t *used,
                           struct smtp_call *c);
int smtp_server_chunk_input(struct smtp_server *s, struct slice in, size_t *used,
                            struct smtp_call *c);

#endif
