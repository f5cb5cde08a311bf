/*
 * session_impl - what session.c (the way in), drop.c (the maildrop), transaction.c (commands)
 * and stream.c (long answers) share.
 */
#ifndef POP3_SESSION_IMPL_H
#define POP3_SESSION_IMPL_H

#include "mail/crlf.h"
#include "mailbox/mailbox.h"
#include "pop3/session.h"
#include "proto/dotbuf.h"

/* ---- the maildrop ------------------------------------------------------------------------ */

struct drop_msg {
	struct msg msg; /* as it was at the login */
	bool deleted;   /* DELE */
};

struct drop {
	struct mailbox *mailbox; /* ours; NULL before the login */
	uint32_t uidvalidity;
	struct drop_msg *msgs; /* number n is msgs[n - 1] */
	uint32_t count;
	uint32_t left;       /* not deleted */
	uint64_t left_bytes; /* of those */
};

/* What RETR sends of it, stuffed dots and the final one not counted. */
static inline uint64_t
drop_octets(const struct drop_msg *m)
{
	return (uint64_t)m->msg.size + m->msg.crlf_extra;
}
/* Takes *m. */
void drop_init(struct drop *d, struct mailbox **m);
void drop_fini(struct drop *d);
/* NULL: no such number, or deleted. */
struct drop_msg *drop_get(struct drop *d, uint32_t number);
void drop_delete(struct drop *d, struct drop_msg *m);
void drop_reset(struct drop *d);
/* The uids of what is deleted, ascending; the caller frees. */
uint32_t *drop_deleted_uids(const struct drop *d, size_t *count_r);

/* ---- long answers ------------------------------------------------------------------------ */

enum stream_kind { STREAM_NONE, STREAM_LIST, STREAM_UIDL, STREAM_MESSAGE };
struct stream {
	enum stream_kind kind;
	uint32_t next; /* LIST, UIDL: number */
	/* MESSAGE */
	struct msg msg;
	uint64_t at;         /* bytes taken from the body */
	bool whole;          /* RETR */
	bool in_header;      /* TOP */
	uint32_t lines_left; /* TOP */
	size_t line_bytes;   /* TOP: of an unfinished line */
	struct crlf crlf;
	struct dotbuf_encoder encoder;
};

struct drop_session {
	struct pop3_session pop3;
	uint64_t claim;    /* what the front end knew of the user's; 0: nothing */
	uint64_t store_id; /* an operation of the store under way; 0: none */
	struct drop drop;
	struct stream stream;
	uint32_t retrieved, deleted;
	uint64_t bytes;
};

static inline struct drop_session *
drop_session_of(struct pop3_session *p)
{
	STATIC_ASSERT(offsetof(struct drop_session, pop3) == 0);
	return CONTAINER_OF(p, struct drop_session, pop3);
}

/* Commands after the login: the op `command`. */
void transaction_command(struct pop3_session *p, const struct pop3_event *ev);
/* Starts an answer of several lines, its "+OK" included. */
void stream_list(struct drop_session *s, enum stream_kind kind);
void stream_message(struct drop_session *s, const struct drop_msg *m, bool whole, uint32_t lines);
/* There is room for more output: the op `drained`. */
void stream_go_on(struct pop3_session *p);

#endif
