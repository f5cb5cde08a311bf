/*
 * mime - where the parts of a message are. RFC 2045, 2046; numbering of RFC 3501.
 *
 * One pass over a contiguous message, iterative, linear in its size; offsets into it.
 * Beyond the limits parts are leaves that are not looked into. Bare LF ends lines too;
 * a missing end boundary ends at the parent's, or with the message.
 */
#ifndef MAIL_MIME_H
#define MAIL_MIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/must.h"
#include "base/slice.h"
#include "mail/header.h"

#define MIME_NONE UINT32_MAX

struct mime_limits {
	uint32_t depth; /* nesting of multiparts and messages */
	uint32_t parts;
	size_t header_bytes; /* of one part that are parsed */
};
extern const struct mime_limits mime_limits_default; /* 100, 10,000, 1 MiB */

enum mime_kind {
	MIME_LEAF,
	MIME_MULTIPART, /* children are its parts; at least one (perhaps empty) */
	MIME_MESSAGE,   /* message/rfc822 or message/global: its one child is the message inside */
};

enum mime_encoding { MIME_7BIT, MIME_8BIT, MIME_BINARY, MIME_QP, MIME_BASE64, MIME_OTHER };

/* The first one is the message itself; others follow in order of appearance. */
struct mime_part {
	enum mime_kind kind;
	uint32_t parent, first_child, next; /* indices, or MIME_NONE */
	uint32_t number;                    /* among its siblings, from 1 */
	uint64_t header_start;              /* byte offsets in the message */
	uint64_t body_start;                /* = end of the header with its blank line */
	uint64_t body_end;         /* the line end before a boundary belongs to the boundary */
	uint64_t body_lines;       /* line ends in the body, and an unfinished last line */
	struct header_params type; /* Content-Type, text/plain or message/rfc822 by default */
	enum mime_encoding encoding;
};

struct mime {
	struct slice msg;        /* borrowed */
	struct mime_part *parts; /* of the arena */
	uint32_t count;
	bool cut; /* a limit was reached */
};

/* limits NULL: the default. Memory is a's. Never fails. */
void mime_scan(struct arena *a, struct slice msg, const struct mime_limits *limits,
               struct mime *m_r);

static inline struct slice
mime_header(const struct mime *m, const struct mime_part *p)
{
	return slice_make(m->msg.p + p->header_start, p->body_start - p->header_start);
}

static inline struct slice
mime_body(const struct mime *m, const struct mime_part *p)
{
	return slice_make(m->msg.p + p->body_start, p->body_end - p->body_start);
}

/* ---- sections of RFC 3501 section 6.4.5 ---- */

#define MIME_SECTION_DEPTH 101

enum mime_section_what {
	MIME_SECTION_ALL,    /* [] the whole message, [1.2] the body of a part */
	MIME_SECTION_HEADER, /* [HEADER], [1.2.HEADER]; HEADER.FIELDS work on it */
	MIME_SECTION_TEXT,   /* [TEXT], [1.2.TEXT] */
	MIME_SECTION_MIME,   /* [1.2.MIME] */
};
struct mime_section {
	uint32_t numbers[MIME_SECTION_DEPTH];
	size_t count;
	enum mime_section_what what;
};
/* "", "1.2", "1.2.MIME", "HEADER", "TEXT". False: malformed, zero, too deep. */
bool mime_section_parse(struct slice text, struct mime_section *s_r) MUST_CHECK;
/* The bytes of the section, borrowed from the message. False: there is none (NIL). HEADER
 * and TEXT of a number exist only where that part is a message. */
bool mime_find(const struct mime *m, const struct mime_section *s, struct slice *bytes_r);
/* The part with these numbers (count 0: the root), or NULL. 1 of a message without
 * parts is its body. */
const struct mime_part *mime_find_part(const struct mime *m, const uint32_t *numbers, size_t count);

/* ---- transfer encodings, for SEARCH: lenient ---- */

enum mime_encoding mime_encoding_parse(struct slice value);
/* Appends the decoded body: base64 skips what is none of it, bad quoted-printable stays
 * as it is; other encodings are copied. out's limit may cut it (overflow). */
void mime_decode(enum mime_encoding e, struct slice body, struct buf *out);

#endif
