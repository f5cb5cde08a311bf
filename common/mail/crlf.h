/*
 * crlf - any text as lines that end in CRLF: what may go out by POP3 or SMTP.
 *
 * A store keeps messages as they came, and IMAP's APPEND and BDAT may bring bare CR and
 * LF. Each of them becomes CRLF, and a last line gets its end.
 */
#ifndef MAIL_CRLF_H
#define MAIL_CRLF_H

#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

struct crlf {
	char last;     /* byte fed; as if behind a line before the first */
	int64_t extra; /* bytes the output is longer */
};

#define CRLF_INIT                                                                                  \
	{                                                                                          \
		'\n', 0                                                                            \
	}

/* The next piece. A CRLF of the output is never left half added. */
void crlf_add(struct crlf *c, struct slice in, struct buf *out);
/* The text is over. */
void crlf_end(struct crlf *c, struct buf *out);

/* The same without output: then c->extra is how many bytes longer the text gets. */
void crlf_count(struct crlf *c, struct slice in);
void crlf_count_end(struct crlf *c);

#endif
