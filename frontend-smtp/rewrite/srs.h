/*
 * srs - senders of forwarded mail: an address of ours that leads back to the sender, so that
 * the receiver's SPF check passes, and bounces find their way. The Sender Rewriting Scheme as
 * libsrs2 and postsrsd write it:
 *
 *	ann@far.example               -> SRS0=HHHHHH=TT=far.example=ann@srs_domain
 *	SRS0=xxxx=yy=a.example=ann@b  -> SRS1=HHHHHH=b==xxxx=yy=a.example=ann@srs_domain
 *	SRS1=xxxx=b==rest@c           -> SRS1=HHHHHH=b==rest@srs_domain
 *
 * TT: the day modulo 1024 in base32; HHHHHH: 30 bits of an HMAC of what stands behind it, folded
 * to lower case, since mail servers on the way may do that. Who knows no secret makes no
 * address, so the way back is no open relay.
 */
#ifndef REWRITE_SRS_H
#define REWRITE_SRS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/must.h"
#include "base/slice.h"
#include "mail/address.h"

#define SRS_DAYS 21 /* a bounce may take so long */

/* Borrowed. */
struct srs {
	const char *domain; /* lower case; NULL: no rewriting */
	const char *secret;
};

/* False: there is nothing to rewrite (the empty sender, no domain set, an address of ours that
 * leads back already), or the new address would be longer than the 64 octets of RFC 5321. */
bool srs_forward(const struct srs *s, const struct address *from, uint64_t wall_s,
                 struct address *new_r) MUST_CHECK;

enum srs_result {
	SRS_NOT,     /* no address of this kind in our domain */
	SRS_OK,      /* *sender_r is whom it stands for */
	SRS_BAD,     /* it was not made by us, or is damaged */
	SRS_EXPIRED, /* ... or too long ago */
};
enum srs_result srs_reverse(const struct srs *s, const struct address *to, uint64_t wall_s,
                            struct address *sender_r) MUST_CHECK;

#endif
