/*
 * header - the fields in front of a message. RFC 5322 section 2.2, RFC 2047.
 *
 * Lenient about line ends (CRLF or bare LF) and about lines that are no field; linear.
 */
#ifndef MAIL_HEADER_H
#define MAIL_HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/must.h"
#include "base/slice.h"

/* All borrowed from the message. */
struct header_field {
	struct slice name;  /* without blanks before the colon */
	struct slice value; /* behind the colon, folded as it is, without the last line end */
	struct slice raw;   /* all lines with their ends */
};

struct header_iter {
	struct slice rest; /* not read yet */
	size_t fields_left;
	bool cut; /* stopped by the limit */
};

#define HEADER_MAX_FIELDS 10000

/* Length of the header of a message or part: fields and the blank line that ends them
 * (all of it when there is none). */
size_t header_length(struct slice msg);

/* header may go on behind the blank line; iteration ends there. */
void header_iter_init(struct header_iter *it, struct slice header);
/* Lines that are no field ("From " lines, garbage) are skipped. */
bool header_next(struct header_iter *it, struct header_field *field_r);
/* The first field of this name (any case). */
bool header_find(struct slice header, const char *name, struct header_field *field_r);

/* Appends value with its line ends removed and blanks around trimmed. */
void header_unfold(struct slice value, struct buf *out);

/* BODY[HEADER.FIELDS (...)] and .NOT: appends the raw lines of the fields whose name is
 * (is not, with invert) among names, with CRLF ends as they are, and the blank line. */
void header_select(struct slice header, const struct slice *names, size_t count, bool invert,
                   struct buf *out);

/* Converts in (of that charset) to UTF-8, appended to out. False: unknown charset or
 * hopeless bytes; nothing appended. text/charset.h has one. */
typedef bool header_charset_fn(void *ctx, struct slice charset, struct slice in, struct buf *out);

/* Appends value as UTF-8: unfolded, encoded words decoded (neighbours joined, also when
 * a character is cut between them), raw 8-bit kept when it is UTF-8, else taken as
 * Latin-1. Words of unknown charsets stay as they are. charset_fn NULL: only utf-8,
 * us-ascii and iso-8859-1 are known. */
void header_decode(struct slice value, header_charset_fn *charset_fn, void *ctx, struct buf *out);

/* ---- structured fields, as Content-Type: value; name=value ---- */

/* Without the blanks, line ends and comments at its start (CFWS, RFC 5322 section 3.2.2), however
 * nested or unfinished. */
struct slice header_skip_cfws(struct slice s);

struct header_param {
	struct slice name;    /* lower case */
	struct slice value;   /* unquoted; RFC 2231 joined and decoded to %-free bytes */
	struct slice charset; /* of RFC 2231, p == NULL when not told */
};
struct arena;
struct header_params {
	struct slice type;    /* "text", lower case; empty when malformed */
	struct slice subtype; /* "plain", lower case; p == NULL without '/' */
	struct header_param *params;
	size_t count;
};
#define HEADER_MAX_PARAMS 100
/* Content-Type (type/subtype) and Content-Disposition (type only). Comments dropped,
 * the first of equal names kept, at most HEADER_MAX_PARAMS. Lenient: never fails.
 * Memory is a's. */
void header_parse_params(struct arena *a, struct slice value, struct header_params *p_r);
/* p == NULL when absent. name in lower case. */
struct slice header_param_get(const struct header_params *p, const char *name);

#endif
