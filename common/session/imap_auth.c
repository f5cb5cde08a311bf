#include "session/imap_auth.h"

#include "base/buf.h"
#include "base/text.h"

#define RAW_MAX 16384 /* bytes of one message of a mechanism, decoded */
#define MECH_MAX 20   /* RFC 4422 section 3.1 */

#define NO_TLS "NO [PRIVACYREQUIRED] Passwords only inside TLS"
#define NO_BASE64 "BAD This is not base64"

const char *
imap_auth_login(const struct imap_auth_ask *ask, uint64_t *id_r)
{
	if (ask->text.n > 0 || !ask->last)
		return "BAD LOGIN takes a user name and a password";
	if (!ask->allowed)
		return NO_TLS;
	*id_r = auth_login(ask->auth, &ask->session, ask->args[0], ask->args[1], ask->fn, ask->ctx);
	return NULL;
}

/* An initial response: " " and base64, or "=" for an empty one. */
static const char *
start(const struct imap_auth_ask *ask, const char *mech, uint64_t *id_r)
{
	struct buf raw = BUF_INIT(RAW_MAX);
	struct slice initial = { NULL, 0 };
	bool ok = true;

	if (ask->text.n > 0) {
		struct slice text = slice_skip(ask->text, 1);

		ok = slice_eq(text, SLICE("=")) || text_base64_decode(text, &raw);
		initial = raw.len > 0 ? buf_slice(&raw) : SLICE("");
	}
	if (ok)
		*id_r = auth_start(ask->auth, &ask->session, mech, initial, ask->fn, ask->ctx);
	buf_wipe(&raw);
	return ok ? NULL : NO_BASE64;
}

const char *
imap_auth_authenticate(const struct imap_auth_ask *ask, uint64_t *id_r)
{
	struct slice mech = ask->args[0];
	char name[MECH_MAX + 1] = "";

	for (size_t i = 0; i < mech.n && i < MECH_MAX; i++)
		name[i] = text_upper(mech.p[i]);
	if (!ask->last)
		return "BAD AUTHENTICATE takes no literal";
	if (!auth_offers(ask->auth, name))
		return "NO [CANNOT] This kind of login is not on offer";
	if (!ask->allowed)
		return NO_TLS;
	return start(ask, name, id_r);
}

const char *
imap_auth_line(struct auth *a, uint64_t *id, struct slice line)
{
	struct buf raw = BUF_INIT(RAW_MAX);
	const char *refusal = NULL;

	if (slice_eq(line, SLICE("*")))
		refusal = "BAD AUTHENTICATE is cancelled";
	else if (!text_base64_decode(line, &raw))
		refusal = NO_BASE64;
	if (refusal == NULL) {
		auth_step(a, *id, buf_slice(&raw));
	} else {
		auth_cancel(a, *id);
		*id = 0;
	}
	buf_wipe(&raw);
	return refusal;
}
