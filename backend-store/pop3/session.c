/* From a login into the maildrop, and the end. What follows the login is transaction.c's. */
#include "pop3/session_impl.h"

#include <inttypes.h>
#include <string.h>

const struct conf_def pop3_conf_table[] = {
	{ "pop3_listen", CONF_ADDRESSES, NULL, 110, .flags = CONF_RESTART,
	  .help = "Where POP3 is served (with STLS)." },
	{ "pop3s_listen", CONF_ADDRESSES, NULL, 995, .flags = CONF_RESTART,
	  .help = "Where POP3 is served in TLS from the first byte." },
	{ "pop3_login_timeout", CONF_DURATION, "60s", 1000, 600000,
	  .help = "A POP3 client has to be logged in after this time." },
	{ "pop3_idle_timeout", CONF_DURATION, "10m", 600000, 86400000,
	  .help = "A POP3 session in which nothing moves for so long is closed, and deletes "
	          "nothing (RFC 1939 wants at least 10 minutes)." },
	{ "pop3_max_sessions", CONF_INT, "10000", 1, 1000000, .help = "Most POP3 sessions." },
	{ .name = NULL },
};

struct metric pop3_store_metrics[POP3_STORE_M_COUNT] = {
	[POP3_STORE_M_RETRIEVED] =
		METRIC_COUNTER("roost_pop3_retrieved_total", NULL, "Messages sent by RETR."),
	[POP3_STORE_M_DELETED] = METRIC_COUNTER("roost_pop3_deleted_total", NULL,
	                                        "Messages deleted at the end of POP3 sessions."),
};

static struct store *
store_of(const struct drop_session *s)
{
	return s->pop3.service->c.owner;
}

/* ---- into the maildrop --------------------------------------------------------------------- */

/* Not his fault, and perhaps well in a minute: of no use to him to know more. */
static void
refuse_later(struct drop_session *s, const char *why)
{
	log_warning(&s->pop3.log, "pop3.no_maildrop why=%s", log_esc(why));
	pop3_session_refuse(&s->pop3, POP3_REFUSED_TEMP);
}

static void
on_open(void *ctx, enum mbox_result result, struct mailbox *m)
{
	struct drop_session *s = ctx;

	s->store_id = 0;
	if (result != MBOX_OK) {
		refuse_later(s, mbox_result_name(result));
		return;
	}
	drop_init(&s->drop, &m);
	log_debug(&s->pop3.log, "pop3.login messages=%" PRIu32, s->drop.count);
	pop3_session_enter(&s->pop3);
}

static void enter(struct drop_session *s, bool may_create);

static void
on_created(void *ctx, enum mbox_result result)
{
	struct drop_session *s = ctx;

	s->store_id = 0;
	if (result != MBOX_OK && result != MBOX_EXISTS)
		refuse_later(s, mbox_result_name(result));
	else
		enter(s, false);
}

/* Who has no INBOX yet gets one, unless the front end knew of one here: then it is gone
 * elsewhere, and the front end has to look again. */
static void
enter(struct drop_session *s, bool may_create)
{
	struct slice user = slice_of(s->pop3.user);
	struct store *store = store_of(s);
	struct mbox_info info;
	struct mbox_name inbox;

	if (!mbox_name_of_user(user, store_default_domain(store), &inbox)) {
		pop3_session_refuse(&s->pop3, POP3_REFUSED_AUTH); /* no mail user */
		return;
	}
	if (!store_find(store, mbox_name_slice(&inbox), &info)) {
		if (may_create && s->claim == 0)
			s->store_id = store_create_user(store, user, on_created, s);
		else
			refuse_later(s, "the mailbox is not here");
		return;
	}
	/* promise 5: a store that has lost its claim refuses */
	if (info.conflict || (s->claim != 0 && info.claim != s->claim)) {
		refuse_later(s, "the mailbox is not ours");
		return;
	}
	s->store_id = mailbox_open(store, mbox_name_slice(&inbox), on_open, s);
}

static void
on_known(struct pop3_session *p, const struct auth_reply *r)
{
	struct drop_session *s = drop_session_of(p);

	/* admins act for users; they have no mail themselves */
	if (r->admin && r->authcid != NULL && strcmp(r->user, r->authcid) == 0) {
		pop3_session_refuse(p, POP3_REFUSED_AUTH);
		return;
	}
	s->claim = r->proxied ? r->claim : 0;
	enter(s, true);
}

/* ---- the end ------------------------------------------------------------------------------- */

static void
on_end(struct pop3_session *p, struct buf *done)
{
	struct drop_session *s = drop_session_of(p);

	buf_printf(done,
	           "messages=%" PRIu32 " retrieved=%" PRIu32 " deleted=%" PRIu32 " bytes=%" PRIu64,
	           s->drop.count, s->retrieved, s->deleted, s->bytes);
	store_cancel(store_of(s), s->store_id);
	drop_fini(&s->drop);
}

const struct pop3_ops pop3_store_ops = {
	.session_bytes = sizeof(struct drop_session),
	.known = on_known,
	.command = transaction_command,
	.drained = stream_go_on,
	.end = on_end,
};
