/*
 * token - what a front end shows to a store instead of a password.
 *
 *	v2$user$service$store$claim$expires$groups$hex(HMAC-SHA-256(key, all before the last $))
 *
 * claim decimal, expires seconds since 1970, groups of the user with spaces between. The key is derived from `cluster_secret`,
 * one for each purpose, so that a grant is never a token. `$` cannot occur in a field.
 */
#ifndef DIRECTORY_TOKEN_H
#define DIRECTORY_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/must.h"
#include "base/slice.h"

#define TOKEN_LIFE_S 60
#define TOKEN_SKEW_S 60 /* hosts' clocks may differ that much */
#define TOKEN_PROXY_AUTHCID "roost-proxy"

/* PEER: between stores. user is the store that speaks, store the one that listens, claim the
 * number the listener made up for this connection. */
enum token_purpose { TOKEN_STORE, TOKEN_GRANT, TOKEN_PEER };
#define TOKEN_PEER_SERVICE "cluster"

struct token {
	struct slice user, service, store;
	uint64_t claim;
	uint64_t expires_s;
	struct slice groups;
};

/* False: a field has `$` or a control byte, or out overflowed. */
bool token_mint(struct slice secret, enum token_purpose purpose, const struct token *t,
                struct buf *out) MUST_CHECK;
/* True when it is whole, ours and not expired at now_s. t_r borrows from text. */
bool token_verify(struct slice secret, enum token_purpose purpose, struct slice text,
                  uint64_t now_s, struct token *t_r) MUST_CHECK;

#endif
