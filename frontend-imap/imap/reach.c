/*
 * reach - finds the home of the user, and goes there; and to other stores, as a guest.
 *
 * A home that answers and lets the user not in may be the wrong one: his mail may have
 * moved since the list at hand was made. Then a barrier, one more look, and one more try if
 * that says something else (promise 6).
 *
 * A store of ours ends its sessions when it gives a user away. One of others (Cyrus, by XFER) goes on
 * with them, and has no mailboxes any more. So before each command for it the list at hand is looked
 * at: whose home is elsewhere goes there.
 */
#include "imap/session_impl.h"

#include "base/clock.h"
#include "mail/mbox_name.h"

#define AWAY_MS 3000 /* a store that cannot be reached is not tried for so long */

#define REPLY_AWAY "NO [UNAVAILABLE] The store of your mail cannot be reached now, try later"
#define REPLY_LATER "NO [UNAVAILABLE] Nobody can say now where your mail is, try later"
#define REPLY_LIMIT "NO [LIMIT] Too many connections for this user"
#define REPLY_GUEST "NO [UNAVAILABLE] The store of this mailbox cannot be reached now, try later"
#define BYE_MOVED "[UNAVAILABLE] Your mail is on another store now, connect again"
#define REPLY_NONE "NO [CONTACTADMIN] There is no mailbox for this user"

bool
imap_reach_is_busy(const struct imap_session *s)
{
	return s->home_id != 0 || (s->home != NULL && !imap_leg_is_up(s->home));
}

/* Whoever wanted it hears so. */
static void
cannot_reach(struct imap_session *s, const char *reply)
{
	if (!s->logged_in)
		imap_login_unreachable(s, reply);
	else if (s->job != NULL)
		s->job->lost(s, NULL, reply);
	else if (s->head.waiting)
		s->head.problem = reply;
	imap_session_wake(s);
}

static void
failed(struct imap_session *s, const char *reply, const char *why)
{
	log_warning(&s->log, "imap.unreachable store=%s claim=%llu why=%s",
	            s->store != NULL ? s->store->name : "-", (unsigned long long)s->claim,
	            log_esc(why));
	cannot_reach(s, reply);
}

/* ---- the leg -------------------------------------------------------------------------------------- */

static void
leg_up(void *ctx, struct imap_leg *leg)
{
	struct imap_session *s = ctx;

	log_debug(&s->log, "imap.store_up store=%s guest=%d", imap_leg_server(leg)->name,
	          leg != s->home);
	imap_leg_notes(leg)->condstore = s->condstore;
	imap_leg_notes(leg)->used = clock_mono_ms();
	imap_forward_arm(s, leg);
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
	imap_session_update_legs(s);
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

/* A store that is found to be away is not dialled by each of many commands. */
static void
guest_failed(struct imap_session *s, struct imap_leg *leg, enum imap_leg_end how, const char *why)
{
	struct server *server = imap_leg_server(leg);

	log_warning(&s->log, "imap.unreachable store=%s guest=1 why=%s", server->name,
	            log_esc(why));
	if (how != IMAP_LEG_LIMIT) {
		s->away = server;
		s->away_until_ms = clock_mono_ms() + AWAY_MS;
	}
	imap_reach_drop(s, leg, false);
	cannot_reach(s, how == IMAP_LEG_LIMIT ? REPLY_LIMIT : REPLY_GUEST);
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
	if (leg != s->home) {
		guest_failed(s, leg, how, why);
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

static struct imap_leg *
start_leg(struct imap_session *s, struct server *server, uint64_t claim)
{
	const struct imap_limits *l = &s->proxy->limits;
	struct imap_leg_login login = {
		.grant = s->grant,
		.claim = claim,
		.peer = s->peer,
		.session = s->id,
		.enable = s->condstore ? "CONDSTORE" : NULL,
		.connect_ms = l->connect_ms,
		.login_ms = 2 * l->connect_ms,
	};
	struct imap_leg *leg = imap_leg_new(s->proxy->c.loop, s->proxy->c.auth, server, &login,
	                                    &s->log, &leg_ops, s);

	list_add_tail(&s->legs, imap_leg_node(leg));
	return leg;
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
	if (s->asked == leg)
		s->asked = NULL;
	if (s->throttled == leg)
		s->throttled = NULL;
	imap_leg_free(&leg, bye);
}

/* ---- other stores ---------------------------------------------------------------------------------- */

static struct imap_leg *
find_leg(struct imap_session *s, const struct server *server)
{
	struct list *pos;

	for (pos = s->legs.next; pos != &s->legs; pos = pos->next)
		if (imap_leg_server(imap_leg_of_node(pos)) == server)
			return imap_leg_of_node(pos);
	return NULL;
}

/* Room for one more, if need be by leaving the store that was not wanted for the longest. */
static bool
make_room(struct imap_session *s)
{
	struct imap_leg *oldest = NULL, *leg;
	struct list *pos;
	uint64_t count = 0;

	for (pos = s->legs.next; pos != &s->legs; pos = pos->next) {
		leg = imap_leg_of_node(pos);
		count++;
		if (leg != s->home && leg != s->selected && imap_leg_is_up(leg) &&
		    !imap_forward_has_flights(s, leg) &&
		    (oldest == NULL || imap_leg_notes(leg)->used < imap_leg_notes(oldest)->used))
			oldest = leg;
	}
	if (count < s->proxy->limits.stores)
		return true;
	if (oldest == NULL)
		return false;
	imap_reach_drop(s, oldest, true);
	return true;
}

/* Where a job asks several stores, each is asked by itself: the one it asks may be left. */
struct imap_leg *
imap_reach_leg(struct imap_session *s, struct server *server)
{
	struct imap_leg *leg = find_leg(s, server);

	if (leg != NULL)
		return imap_leg_is_up(leg) ? leg : NULL;
	if (s->away == server && clock_mono_ms() < s->away_until_ms) {
		s->head.problem = REPLY_GUEST;
		return NULL;
	}
	/* else what is under way makes room when it is answered */
	if (make_room(s)) {
		metrics_add(&imap_metrics[IMAP_M_GUESTS], 1);
		(void)start_leg(s, server, AUTH_CLAIM_GUEST);
	}
	return NULL;
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
		/* he may be there as a guest, too, until nothing is wanted of that any more */
		s->home = start_leg(s, s->store, s->claim);
	}
}

bool
imap_reach_inbox(const struct imap_session *s, struct mbox_name *inbox_r)
{
	struct mbox_view view = imap_dispatch_view(s);

	return s->store->kind == SERVER_FOREIGN && s->store->listed &&
	       mbox_name_of_user(view.user, view.default_domain, inbox_r);
}

static bool
has_moved(struct imap_session *s)
{
	struct mbox_name inbox;
	struct location loc;

	return imap_reach_inbox(s, &inbox) &&
	       location_reader_find(s->proxy->c.reader, mbox_name_slice(&inbox), s->head.arena,
	                            &loc) == LOCATION_FOUND &&
	       !slice_eq_str(loc.server, s->store->name);
}

void
imap_reach_home(struct imap_session *s)
{
	if (imap_reach_is_busy(s))
		return;
	s->asked_again = false;
	s->home_id = home_find(s->proxy->c.home, slice_of(s->user), on_home, s);
}

struct imap_leg *
imap_reach_own(struct imap_session *s)
{
	if (s->home != NULL && imap_leg_is_up(s->home)) {
		if (!has_moved(s))
			return s->home;
		if (imap_forward_has_flights(s, s->home))
			return NULL;
		log_info(&s->log, "imap.home_moved store=%s", s->store->name);
		if (s->selected == s->home) {
			imap_session_bye(s, BYE_MOVED, "the home has moved");
			return NULL;
		}
		imap_reach_drop(s, s->home, true);
	}
	imap_reach_home(s);
	return NULL;
}
