/*
 * structure - ENVELOPE, BODY and BODYSTRUCTURE as IMAP text. RFC 3501 section 7.4.2.
 *
 * What does not fit into out's limit is told in a smaller, still truthful form: fewer
 * addresses, shorter texts; a structure too large becomes one opaque part.
 */
#ifndef MAIL_STRUCTURE_H
#define MAIL_STRUCTURE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/slice.h"
#include "mail/mime.h"

#define STRUCTURE_MIN_BYTES 2048 /* out must have room for this */

/* scratch is reset by the caller when he likes. */
void structure_add_envelope(struct arena *scratch, struct slice header, struct buf *out);
/* extended: BODYSTRUCTURE, else BODY. */
void structure_add_body(struct arena *scratch, const struct mime *m, bool extended,
                        struct buf *out);

#endif
