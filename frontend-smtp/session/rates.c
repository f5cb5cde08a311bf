/*
 * How much a client or a user may send in a time: asked when the message is about to come,
 * with the recipients it has been accepted for. Too much is "later" (450), and nothing of the
 * transaction is lost for a client that waits.
 */
#include "session/session_impl.h"

#include "base/clock.h"
#include "guard/guard.h"

static size_t
accepted(const struct smtp_session *s)
{
	size_t n = 0;

	for (size_t i = 0; i < txn_rcpt_count(s->txn); i++)
		n += txn_is_accepted(s->txn, i);
	return n;
}

static void
go_ahead(struct smtp_session *s)
{
	smtp_server_go_ahead(s->core, link_out(s->client));
}

static void
refuse(struct smtp_session *s, const char *text)
{
	log_info(&s->log, "smtp.rate_refused rcpts=%zu why=%s", accepted(s), log_esc(text));
	smtp_server_reply(s->core, 450, "4.7.1", text, link_out(s->client));
}

/* fn may have been called when this returns, and have asked the next question. */
static void
take(struct smtp_session *s, enum limit_rate of_sender, enum limit_rate of_client, uint64_t amount,
     guard_fn *fn)
{
	struct guard *g = s->proxy->c.guard;
	uint64_t id = *s->user != '\0' ? guard_take_sender(g, of_sender, s->user, amount, fn, s)
	                               : guard_take_client(g, of_client, s->peer, amount, fn, s);

	if (id != 0)
		s->rate_id = id;
}

static void
on_rcpts(void *ctx, uint64_t id, enum limit_verdict v, UNUSED uint64_t amount)
{
	struct smtp_session *s = ctx;

	s->rate_id = 0;
	if (v == LIMIT_OK)
		go_ahead(s);
	else
		refuse(s, "Too many recipients in a short time, please come again later");
	if (id != 0)
		session_answered(s);
}

static void
on_messages(void *ctx, uint64_t id, enum limit_verdict v, UNUSED uint64_t amount)
{
	struct smtp_session *s = ctx;

	s->rate_id = 0;
	if (v == LIMIT_OK)
		take(s, LIMIT_SENDER_RCPTS, LIMIT_CLIENT_RCPTS, accepted(s), on_rcpts);
	else
		refuse(s, "Too many messages in a short time, please come again later");
	if (id != 0)
		session_answered(s);
}

void
session_rates_ask(struct smtp_session *s)
{
	/* of BDAT also when it is refused: its bytes come all the same */
	s->until_ms = clock_mono_ms() + s->proxy->limits.message_ms;
	if (s->proxy->c.guard == NULL || s->settings.lmtp)
		go_ahead(s);
	else
		take(s, LIMIT_SENDER_MESSAGES, LIMIT_CLIENT_MESSAGES, 1, on_messages);
}

void
session_rates_cancel(struct smtp_session *s)
{
	if (s->rate_id != 0)
		guard_cancel(s->proxy->c.guard, s->rate_id);
	s->rate_id = 0;
}
