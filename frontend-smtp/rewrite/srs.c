#include "rewrite/srs.h"

#include "base/buf.h"
#include "base/text.h"
#include "tls/digest.h"

#include <stdio.h>
#include <string.h>

#define HASH_LEN 6 /* base32 digits */
#define DAY_S 86400
#define DAYS 1024 /* the day of the address comes again */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/* Of the tag's number and what stands behind the hash in the local part, whatever its case. */
static void
hash_of(const struct srs *s, char number, struct slice rest, char hash_r[HASH_LEN + 1])
{
	struct buf folded = BUF_INIT(SIZE_MAX);
	uint8_t mac[DIGEST_LEN];
	uint32_t bits;

	buf_add_char(&folded, number);
	for (size_t i = 0; i < rest.n; i++)
		buf_add_char(&folded, text_lower(rest.p[i]));
	digest_hmac(slice_of(s->secret), buf_slice(&folded), mac);
	buf_fini(&folded);
	bits = (uint32_t)mac[0] << 24 | (uint32_t)mac[1] << 16 | (uint32_t)mac[2] << 8 | mac[3];
	for (size_t i = 0; i < HASH_LEN; i++, bits <<= 5)
		hash_r[i] = digits[bits >> 27];
	hash_r[HASH_LEN] = '\0';
}

/* ---- there -------------------------------------------------------------------------------------- */

/* "SRS0" or "SRS1" and its separator; sep_r: where that is. */
static bool
is_tagged(struct slice local, char number)
{
	return local.n > 5 && slice_istarts(local, SLICE("SRS")) && local.p[3] == number &&
	       strchr("=+-", local.p[4]) != NULL;
}

static bool
set_local(const struct srs *s, const char *tag, struct slice rest, const struct address *from,
          struct address *new_r)
{
	char hash[HASH_LEN + 1];
	int n;

	hash_of(s, tag[3], rest, hash);
	n = snprintf(new_r->local, sizeof(new_r->local), "%s=%s=%.*s", tag, hash, SLICE_ARG(rest));
	snprintf(new_r->domain, sizeof(new_r->domain), "%s", s->domain);
	new_r->utf8 = from->utf8;
	return n > 0 && (size_t)n < sizeof(new_r->local);
}

bool
srs_forward(const struct srs *s, const struct address *from, uint64_t wall_s, struct address *new_r)
{
	struct slice local = slice_of(from->local), rest;
	unsigned day = (unsigned)(wall_s / DAY_S % DAYS);
	char text[2 * ADDRESS_TEXT_SIZE];

	if (s->domain == NULL || address_is_null(from) || strcmp(from->domain, s->domain) == 0)
		return false;
	if (is_tagged(local, '1')) {
		rest = slice_skip(local, 5);
		(void)slice_cut(&rest, '='); /* the other's hash */
		if (rest.n == 0 || slice_find(rest, '=') == 0 ||
		    slice_find(rest, '=') + 1 >= rest.n)
			return false; /* it leads nowhere */
		return set_local(s, "SRS1", rest, from, new_r);
	}
	if (is_tagged(local, '0')) {
		snprintf(text, sizeof(text), "%s=%s", from->domain, from->local + 4);
		return set_local(s, "SRS1", slice_of(text), from, new_r);
	}
	snprintf(text, sizeof(text), "%c%c=%s=%s", digits[day >> 5], digits[day & 31], from->domain,
	         from->local);
	return set_local(s, "SRS0", slice_of(text), from, new_r);
}

/* ---- and back ------------------------------------------------------------------------------------- */

static bool
day_parse(struct slice text, unsigned *day_r)
{
	const char *high, *low;

	if (text.n != 2 || text.p[0] == '\0' || text.p[1] == '\0')
		return false;
	high = strchr(digits, text_upper(text.p[0]));
	low = strchr(digits, text_upper(text.p[1]));
	if (high == NULL || low == NULL)
		return false;
	*day_r = (unsigned)(high - digits) << 5 | (unsigned)(low - digits);
	return true;
}

/* Behind "SRS0=hash=": TT=domain=local */
static enum srs_result
reverse_first(struct slice rest, uint64_t wall_s, struct address *sender_r)
{
	unsigned day, now = (unsigned)(wall_s / DAY_S % DAYS);
	struct slice tt = slice_cut(&rest, '='), domain = slice_cut(&rest, '=');

	if (!day_parse(tt, &day) || domain.n == 0 || rest.n == 0)
		return SRS_BAD;
	if ((now + DAYS - day) % DAYS > SRS_DAYS)
		return SRS_EXPIRED;
	snprintf(sender_r->local, sizeof(sender_r->local), "%.*s", SLICE_ARG(rest));
	snprintf(sender_r->domain, sizeof(sender_r->domain), "%.*s", SLICE_ARG(domain));
	return SRS_OK;
}

/* Behind "SRS1=hash=": domain=SEP rest, where "SRS0" SEP rest is the address there. */
static enum srs_result
reverse_second(struct slice rest, struct address *sender_r)
{
	struct slice domain = slice_cut(&rest, '=');

	if (domain.n == 0 || rest.n == 0)
		return SRS_BAD;
	if ((size_t)snprintf(sender_r->local, sizeof(sender_r->local), "SRS0%.*s",
	                     SLICE_ARG(rest)) >= sizeof(sender_r->local))
		return SRS_BAD;
	snprintf(sender_r->domain, sizeof(sender_r->domain), "%.*s", SLICE_ARG(domain));
	return SRS_OK;
}

enum srs_result
srs_reverse(const struct srs *s, const struct address *to, uint64_t wall_s,
            struct address *sender_r)
{
	struct slice local = slice_of(to->local), rest, said;
	char hash[HASH_LEN + 1];
	bool second = is_tagged(local, '1');

	if (s->domain == NULL || strcmp(to->domain, s->domain) != 0 ||
	    (!second && !is_tagged(local, '0')))
		return SRS_NOT;
	rest = slice_skip(local, 5);
	said = slice_cut(&rest, '=');
	hash_of(s, second ? '1' : '0', rest, hash);
	for (size_t i = 0; i < said.n && i < HASH_LEN; i++)
		if (text_upper(said.p[i]) != hash[i])
			return SRS_BAD;
	if (said.n != HASH_LEN)
		return SRS_BAD;
	memset(sender_r, 0, sizeof(*sender_r));
	sender_r->utf8 = to->utf8;
	return second ? reverse_second(rest, sender_r) : reverse_first(rest, wall_s, sender_r);
}
