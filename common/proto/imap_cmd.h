/*
 * imap_cmd - splits what an IMAP client says into commands, for a proxy.
 *
 * It understands tag, name and the first arguments (those that decide where a command
 * goes); the rest passes in pieces, literals counted and never held. What passes is what
 * any server splits in the same way: quotes closed on their line, literals only where an
 * argument may start. Everything else is BAD here and reaches no store.
 * RFC 3501 sections 4.3 and 9, RFC 7888 (LITERAL+), RFC 3516 (literal8).
 *
 * Pure: bytes in, events out. Lines end in CRLF; bare CR, bare LF and NUL are BAD.
 */
#ifndef PROTO_IMAP_CMD_H
#define PROTO_IMAP_CMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/must.h"
#include "base/slice.h"

#define IMAP_CMD_TAG_MAX 128
#define IMAP_CMD_ARGS_MAX 3

/* A command the owner knows. Commands of UID have names like "UID COPY". */
struct imap_cmd_def {
	const char *name;
	/* Arguments to be understood, one letter each: a = astring, w = a word without
	 * quotes and literals (a sequence set). What follows them is `rest`. */
	const char *args;
};
/* name in any case. NULL: unknown. */
typedef const struct imap_cmd_def *imap_cmd_find_fn(struct slice name);

struct imap_cmd_limits {
	size_t line_bytes;      /* one line; the owner's input must hold it */
	size_t arg_bytes;       /* an argument that is understood */
	uint64_t literal_bytes; /* a literal that passes */
	unsigned literals;      /* in one command */
};

enum imap_cmd_event_type {
	IMAP_CMD_HEAD,  /* a command starts: def, tag, args, text, and how it goes on */
	IMAP_CMD_TEXT,  /* its next line, after a literal: text, and how it goes on */
	IMAP_CMD_BYTES, /* of a literal that passes: text */
	IMAP_CMD_GO,    /* say "+ go ahead": an argument is in a synchronising literal */
	IMAP_CMD_LINE,  /* the line asked for by imap_cmd_expect_line(): text */
	IMAP_CMD_END,   /* the command given up by imap_cmd_discard() is over */
	IMAP_CMD_BAD,   /* not a command (it was swallowed): say "TAG TEXT" */
	IMAP_CMD_FATAL, /* say "* BYE TEXT" and end */
};

struct imap_cmd_event {
	enum imap_cmd_event_type type;
	const struct imap_cmd_def *def;
	/* HEAD and after it: of the command. BAD: "*" when there was none. */
	struct slice tag;
	struct slice args[IMAP_CMD_ARGS_MAX]; /* HEAD: decoded; no NUL, CR, LF from quotes, but
	                                       * any byte from a literal */
	/* HEAD: behind the arguments, with its leading space. TEXT: the line. Without CRLF
	 * and without the `{5+}` of a literal. BAD, FATAL: what to say. */
	struct slice text;
	/* HEAD, TEXT: either the command is over or a literal follows. */
	bool last;
	bool sync;     /* `{5}`: the client waits for a continuation */
	bool literal8; /* `~{5}` */
	uint64_t literal_n;
};

struct imap_cmd {
	imap_cmd_find_fn *find;
	struct imap_cmd_limits limits;
	int state;
	struct buf head; /* tag, then arguments: secret when def is LOGIN */
	size_t tag_n;
	const struct imap_cmd_def *def; /* NULL before the name is known */
	struct {
		size_t at, n;
	} args[IMAP_CMD_ARGS_MAX];
	unsigned arg_count;
	uint64_t literal_left;
	unsigned literals;
	const char *bad;  /* why the command is being swallowed; NULL: it is not */
	bool discard;     /* the owner has given it up */
	bool expect_line; /* the next line is no command */
};

void imap_cmd_init(struct imap_cmd *c, imap_cmd_find_fn *find,
                   const struct imap_cmd_limits *limits);
/* Wipes. */
void imap_cmd_fini(struct imap_cmd *c);
/* From the next line on. */
void imap_cmd_set_limits(struct imap_cmd *c, const struct imap_cmd_limits *limits);

/* 1: an event, 0: wants more. *used_r bytes of in are consumed, always some with an event
 * but FATAL. Slices of ev are borrowed until the next call and the end of in. After FATAL
 * do not call again. */
int imap_cmd_read(struct imap_cmd *c, struct slice in, size_t *used_r,
                  struct imap_cmd_event *ev) MUST_CHECK;

/* The next line is a SASL response or DONE. */
void imap_cmd_expect_line(struct imap_cmd *c);
/* Wipes the arguments of a command that is over: passwords. Slices of HEAD end here. */
void imap_cmd_forget(struct imap_cmd *c);
/* Is a command under way (HEAD was given, its end was not)? */
bool imap_cmd_is_open(const struct imap_cmd *c);
/* Swallow the rest of the command under way; END comes when it is over. Its literal, when
 * synchronising and not yet allowed (go = false), will not come: then the command is
 * over at once, without END. True: it is over. */
bool imap_cmd_discard(struct imap_cmd *c, bool go);

/* An argument for a store, between quotes; quotable: fits there. */
bool imap_cmd_is_quotable(struct slice s);
void imap_cmd_add_quoted(struct buf *out, struct slice s);

#endif
