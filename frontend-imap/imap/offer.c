#include "imap/offer.h"

#include "proto/imap_resp.h"

STATIC_ASSERT(OFFER_BIT_COUNT <= 64);

static const struct cap {
	const char *name;
	bool ours;                        /* we announce it */
	enum { NOBODY, HOME, ALL } store; /* if it has it too */
} caps[OFFER_BIT_COUNT] = {
#define X(bit, text, who) [OFFER_BIT_##bit] = { text, true, who },
	OFFER_CAPS(X)
#undef X
		[OFFER_BIT_STARTTLS] = { "STARTTLS", false, ALL },
	[OFFER_BIT_AUTH_PLAIN] = { "AUTH=PLAIN", false, ALL },
};

/* RFC 4314 section 2.2 leaves the order open, and more letters may be among them ("RIGHTS=texk" of
 * Dovecot, "RIGHTS=kxten" of Cyrus). */
static bool
has_rights(struct slice word)
{
	const struct cap *cap = &caps[OFFER_BIT_RIGHTS];
	struct slice name = SLICE("RIGHTS=");

	if (word.n < name.n || !slice_ieq(slice_sub(word, 0, name.n), name))
		return false;
	for (const char *p = cap->name + name.n; *p != '\0'; p++)
		if (slice_find(slice_skip(word, name.n), *p) == word.n - name.n)
			return false;
	return true;
}

uint64_t
offer_parse(struct slice words)
{
	struct slice word;
	uint64_t bits = 0;

	while (imap_resp_next_word(&words, &word)) {
		for (size_t i = 0; i < ARRAY_LEN(caps); i++)
			if (slice_ieq_str(word, caps[i].name))
				bits |= (uint64_t)1 << i;
		if (has_rights(word))
			bits |= OFFER(RIGHTS);
	}
	return bits;
}

uint64_t
offer_for_store(uint64_t store)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < ARRAY_LEN(caps); i++)
		if (caps[i].ours && (caps[i].store == NOBODY || (store >> i & 1) != 0))
			bits |= (uint64_t)1 << i;
	return bits;
}

uint64_t
offer_for_home(uint64_t home, struct servers *s)
{
	uint64_t needed = 0, bits = home;

	for (size_t i = 0; i < ARRAY_LEN(caps); i++)
		if (caps[i].store == ALL)
			needed |= (uint64_t)1 << i;
	for (size_t i = 0; i < servers_count(s); i++) {
		const struct server *server = servers_at(s, i);

		/* no mailbox leads from a store of ours to one that is not in the list */
		if (server->imap != NULL && server->listed && server->imap_offer.known)
			bits &= server->imap_offer.bits | ~needed;
	}
	return offer_for_store(bits);
}

uint64_t
offer_for_all(struct servers *s)
{
	uint64_t bits = UINT64_MAX;

	for (size_t i = 0; i < servers_count(s); i++) {
		const struct server *server = servers_at(s, i);

		if (server->imap == NULL)
			continue;
		if (server->imap_offer.known)
			bits &= server->imap_offer.bits;
		else if (server->kind == SERVER_FOREIGN)
			bits &= OFFER(IMAP4REV1);
	}
	return offer_for_store(bits | OFFER(IMAP4REV1));
}

void
offer_add(struct buf *out, uint64_t bits)
{
	const char *space = "";

	for (size_t i = 0; i < ARRAY_LEN(caps); i++) {
		if ((bits >> i & 1) == 0)
			continue;
		buf_printf(out, "%s%s", space, caps[i].name);
		space = " ";
	}
}
