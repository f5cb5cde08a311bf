/*
 * sasl_plain - the client's side of SASL PLAIN (RFC 4616). Pure: no library, no
 * blocking, for workers.
 */
#ifndef SASL_SASL_PLAIN_H
#define SASL_SASL_PLAIN_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/must.h"

/* Appends authzid NUL authcid NUL secret, not base64. authzid "" for none. False: a
 * part is empty that must not be, or out overflowed. */
bool sasl_plain_message(struct buf *out, const char *authzid, const char *authcid,
                        const char *secret) MUST_CHECK;

#endif
