/*
 * The MAC covers everything before it, the version included. It is compared before a
 * field is looked at.
 */
#include "directory/token.h"

#include "base/num.h"
#include "base/text.h"
#include "base/xalloc.h"
#include "tls/digest.h"

#include <inttypes.h>

static void
add_mac(struct slice secret, enum token_purpose purpose, struct slice text, struct buf *out)
{
	static const struct slice labels[] = {
		[TOKEN_STORE] = SLICE_INIT("roost store token v1"),
		[TOKEN_GRANT] = SLICE_INIT("roost grant v1"),
		[TOKEN_PEER] = SLICE_INIT("roost peer token v1"),
	};
	uint8_t key[DIGEST_LEN], mac[DIGEST_LEN];

	digest_hmac(secret, labels[purpose], key);
	digest_hmac(slice_make(key, sizeof(key)), text, mac);
	text_hex_add(out, slice_make(mac, sizeof(mac)));
	secret_wipe(key, sizeof(key));
}

static bool
is_field(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '$' || text_is_ctl(s.p[i]))
			return false;
	return true;
}

bool
token_mint(struct slice secret, enum token_purpose purpose, const struct token *t, struct buf *out)
{
	struct buf text = BUF_INIT(2048);
	bool ok = is_field(t->user) && is_field(t->service) && is_field(t->store) &&
	          is_field(t->groups);

	buf_printf(&text, "v2$%.*s$%.*s$%.*s$%" PRIu64 "$%" PRIu64 "$", SLICE_ARG(t->user),
	           SLICE_ARG(t->service), SLICE_ARG(t->store), t->claim, t->expires_s);
	buf_add_slice(&text, t->groups);
	ok = ok && !text.overflow;
	if (ok) {
		buf_add_slice(out, buf_slice(&text));
		buf_add_char(out, '$');
		add_mac(secret, purpose, buf_slice(&text), out);
	}
	buf_wipe(&text);
	return ok && !out->overflow;
}

bool
token_verify(struct slice secret, enum token_purpose purpose, struct slice text, uint64_t now_s,
             struct token *t_r)
{
	size_t last = slice_find_last(text, '$');
	struct slice body = slice_sub(text, 0, last), rest = body;
	struct buf mac = BUF_INIT(2 * DIGEST_LEN);
	bool same;

	if (last == text.n || text.n > 2048)
		return false;
	add_mac(secret, purpose, body, &mac);
	same = text_secret_eq(buf_slice(&mac), slice_skip(text, last + 1));
	buf_wipe(&mac);
	if (!same || !slice_eq_str(slice_cut(&rest, '$'), "v2"))
		return false;
	t_r->user = slice_cut(&rest, '$');
	t_r->service = slice_cut(&rest, '$');
	t_r->store = slice_cut(&rest, '$');
	if (!num_parse_u64(slice_cut(&rest, '$'), UINT64_MAX, &t_r->claim) || rest.p == NULL ||
	    !num_parse_u64(slice_cut(&rest, '$'), UINT64_MAX - TOKEN_SKEW_S, &t_r->expires_s))
		return false;
	t_r->groups = rest;
	return rest.p != NULL && is_field(rest) && now_s <= t_r->expires_s + TOKEN_SKEW_S;
}
