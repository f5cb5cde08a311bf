/*
 * reach - finds the home of the user, and goes there.
 *
 * A store that answers and lets the user not in may be the wrong one: his mail may have
 * moved since the list at hand was made. Then a barrier, one more look, and one more try if
 * that says something else (invariant 6).
 */
#include "imap/session_impl.h"

#define REPLY_AWAY "NO [UNAVAILABLE] The store of your mail cannot be reached now, try later"
#define REPLY_LATER "NO [UNAVAILABLE] Nobody can say now where your mail is, try later"
#define REPLY_LIMIT "NO [LIMIT] Too many connections for this user"
#define REPLY_NONE "NO [CONTACTADMIN] There is no mailbox for this user"

bool
imap_reach_is_busy(const struct imap_session *s)
{
	return s->home_id != 0 || (s->home != NULL && !imap_leg_is_up(s->home));
}

static void
failed(struct imap_session *s, const char *reply, const char *why)
{
	log_warning(&s->log, "imap.unreachable store=%s claim=%llu why=%s",
	            s->store != NULL ? s->store->name : "-", (unsigned long long)s->claim,
	            log_esc(why));
	if (!s->logged_in)
		imap_login_unreachable(s, reply);
	else if (s->head.waiting)
		imap_session_refuse(s, reply);
	imap_session_wake(s);
}

/* ---- the leg -------------------------------------------------------------------------------------- */

static void
leg_up(void *ctx, struct imap_leg *leg)
{
	struct imap_session *s = ctx;

	log_debug(&s->log, "imap.store_up store=%s", s->store->name);
	if (!s->logged_in)
		imap_login_reached(s);
	imap_session_wake(s);
}

static bool
leg_response(void *ctx, struct imap_leg *leg, const struct imap_resp_event *ev)
{
	return imap_forward_response(ctx, leg, ev);
}

static void
leg_fed(void *ctx, struct imap_leg *leg)
{
	struct imap_session *s = ctx;

	imap_session_release_held(s);
	link_flush(s->client);
	if (link_is_congested(s->client))
		imap_leg_pause(leg);
	imap_session_wake(s);
}

static void
leg_drained(void *ctx, struct imap_leg *leg)
{
	imap_session_wake(ctx);
}

static void
leg_deadline(void *ctx, struct imap_leg *leg)
{
	imap_forward_deadline(ctx, leg);
}

static void on_home(void *ctx, uint64_t id, const struct home_answer *a);

static void
leg_down(void *ctx, struct imap_leg *leg, enum imap_leg_end how, const char *why)
{
	struct imap_session *s = ctx;

	if (imap_leg_is_up(leg)) {
		imap_forward_lost(s, leg, why);
		return;
	}
	imap_reach_drop(s, leg, false);
	if (how == IMAP_LEG_REFUSED && !s->asked_again) {
		s->asked_again = true;
		metrics_add(&imap_metrics[IMAP_M_STORE_AGAIN], 1);
		s->home_id = home_find_again(s->proxy->c.home, slice_of(s->user), on_home, s);
		return;
	}
	failed(s, how == IMAP_LEG_LIMIT ? REPLY_LIMIT : REPLY_AWAY, why);
}

static const struct imap_leg_ops leg_ops = {
	.up = leg_up,
	.response = leg_response,
	.fed = leg_fed,
	.drained = leg_drained,
	.deadline = leg_deadline,
	.down = leg_down,
};

static void
start_leg(struct imap_session *s)
{
	const struct imap_limits *l = &s->proxy->limits;

	s->leg_login = (struct imap_leg_login){
		.grant = s->grant,
		.claim = s->claim,
		.peer = s->peer,
		.session = s->id,
		.enable = s->condstore ? "CONDSTORE" : NULL,
		.connect_ms = l->connect_ms,
		.login_ms = 2 * l->connect_ms,
	};
	s->home = imap_leg_new(s->proxy->c.loop, s->proxy->c.auth, s->store, &s->leg_login, &s->log,
	                       &leg_ops, s);
	list_add_tail(&s->legs, imap_leg_node(s->home));
}

void
imap_reach_drop(struct imap_session *s, struct imap_leg *leg, bool bye)
{
	if (s->home == leg)
		s->home = NULL;
	if (s->selected == leg)
		s->selected = NULL;
	if (s->stream == leg)
		s->stream = NULL;
	imap_leg_free(&leg, bye);
}

/* ---- the home -------------------------------------------------------------------------------------- */

static void
on_home(void *ctx, uint64_t id, const struct home_answer *a)
{
	struct imap_session *s = ctx;

	s->home_id = 0;
	if (a->result == HOME_LATER) {
		failed(s, REPLY_LATER, a->why);
	} else if (a->result == HOME_NONE) {
		failed(s, REPLY_NONE, a->why);
	} else if (s->asked_again && s->store == a->server && s->claim == a->claim) {
		failed(s, REPLY_AWAY, "the right store lets the user not in");
	} else {
		s->store = a->server;
		s->claim = a->claim;
		start_leg(s);
	}
}

void
imap_reach_home(struct imap_session *s)
{
	if (imap_reach_is_busy(s))
		return;
	s->asked_again = false;
	s->home_id = home_find(s->proxy->c.home, slice_of(s->user), on_home, s);
}
