/*
 * The calls that are the same for all implementations, and the way to the right one.
 */
#include "directory/auth.h"

#include "base/buf.h"

const char *
auth_result_name(enum auth_result r)
{
	static const char *const names[] = {
		[AUTH_OK] = "ok",           [AUTH_CONTINUE] = "continue", [AUTH_DENIED] = "denied",
		[AUTH_INVALID] = "invalid", [AUTH_UNKNOWN] = "unknown",   [AUTH_TEMP] = "temp",
		[AUTH_LIMIT] = "limit",
	};

	return names[r];
}

uint64_t
auth_start(struct auth *a, const struct auth_session *s, const char *mech, struct slice initial,
           auth_fn *fn, void *ctx)
{
	return a->ops->start(a, s, mech, initial, fn, ctx);
}

void
auth_step(struct auth *a, uint64_t id, struct slice response)
{
	a->ops->step(a, id, response);
}

/* PLAIN (RFC 4616) in one message. A NUL in user or password would move the fields: it
 * is left in, so that the message has too many of them and is refused. */
uint64_t
auth_login(struct auth *a, const struct auth_session *s, struct slice user, struct slice password,
           auth_fn *fn, void *ctx)
{
	struct buf message = BUF_INIT(8192);
	uint64_t id;

	buf_add_char(&message, '\0');
	buf_add_slice(&message, user);
	buf_add_char(&message, '\0');
	buf_add_slice(&message, password);
	if (message.overflow)
		buf_clear(&message); /* refused as malformed */
	id = a->ops->start(a, s, "PLAIN", message.len > 0 ? buf_slice(&message) : SLICE(""), fn,
	                   ctx);
	buf_wipe(&message);
	return id;
}

void
auth_cancel(struct auth *a, uint64_t id)
{
	a->ops->cancel(a, id);
}

const char *
auth_mechs(const struct auth *a)
{
	return a->ops->mechs(a);
}

bool
auth_offers(const struct auth *a, const char *mech)
{
	return slice_has_word(slice_of(auth_mechs(a)), slice_of(mech));
}

uint64_t
auth_credentials(struct auth *a, const char *grant, const char *service, const char *store,
                 uint64_t claim, auth_credentials_fn *fn, void *ctx)
{
	return a->ops->credentials(a, grant, service, store, claim, fn, ctx);
}

uint64_t
auth_resolve(struct auth *a, struct slice address, const char *session, auth_resolve_fn *fn,
             void *ctx)
{
	return a->ops->resolve(a, address, session, fn, ctx);
}

uint64_t
auth_lookup(struct auth *a, struct slice user, auth_user_fn *fn, void *ctx)
{
	return a->ops->lookup(a, user, fn, ctx);
}

uint64_t
auth_may_send(struct auth *a, struct slice user, struct slice sender, auth_may_send_fn *fn,
              void *ctx)
{
	return a->ops->may_send(a, user, sender, fn, ctx);
}

void
auth_free(struct auth **a)
{
	if (*a != NULL)
		(*a)->ops->free(*a);
	*a = NULL;
}
