/*
 * RCPT: from an address to users of this store, and whether they can have the mail.
 *
 *	XUSER, or the user the address names
 *	  has an INBOX here		what deliver_check() says
 *	  has none			the directory decides:
 *	    no such user		550 5.1.1
 *	    may not receive		550 5.2.1
 *	    at home here		the INBOX is made, then as above
 *	    at home elsewhere		450 4.2.1
 *	    cannot tell			451 4.3.0
 *	  has none, XUSER, and there	the peer's directory has decided, or it would not
 *	  is no directory here		have come: the INBOX is made
 *
 * Without XUSER the directory may know the address as a list: then every user of it must be
 * able to have the mail.
 *
 * Whom the peer names a claim for had an INBOX here as far as the peer knows. When it is not
 * here, the peer is behind the times, or we are: later (promise 5).
 */
#include "lmtp/session_impl.h"

#include "base/xalloc.h"
#include "conf/common.h"

#include <stdio.h>
#include <stdlib.h>

static const struct lmtp_answer accepted = { 250, "2.1.5", "Yes." };
static const struct lmtp_answer unknown = { 550, "5.1.1", "There is no such user." };
static const struct lmtp_answer disabled = { 550, "5.2.1", "This user takes no mail." };
static const struct lmtp_answer elsewhere = { 450, "4.2.1", "The mailbox is not here." };
static const struct lmtp_answer temporary = { 451, "4.3.0", "Please try again later." };
static const struct lmtp_answer too_many = { 452, "4.5.3", "Too many recipients." };

static struct store *
store_of(const struct lmtp_rcpt *r)
{
	return r->session->service->c.store;
}

static void
clear_targets(struct lmtp_rcpt *r)
{
	for (size_t i = 0; i < r->target_count; i++) {
		free(r->targets[i].user);
		free(r->targets[i].detail);
	}
	free(r->targets);
	r->targets = NULL;
	r->target_count = 0;
}

void
lmtp_rcpt_free(struct lmtp_rcpt *r)
{
	auth_cancel(r->session->service->c.auth, r->auth_id);
	store_cancel(store_of(r), r->store_id);
	clear_targets(r);
	free(r->address);
	free(r);
}

/* ---- the answer ----------------------------------------------------------------------------- */

static void
answer(struct lmtp_rcpt *r, const struct lmtp_answer *a)
{
	struct lmtp_session *s = r->session;
	int metric = LMTP_M_RCPT_OK;

	if (a->code >= 400)
		metric = a->code < 500 ? LMTP_M_RCPT_TEMP : LMTP_M_RCPT_DENIED;
	metrics_add(&lmtp_metrics[metric], 1);
	r->accepted = a->code / 100 == 2;
	if (r->accepted)
		s->target_count += r->target_count;
	else
		log_debug(&s->log, "lmtp.rcpt rcpt=%s code=%d", log_esc(r->address), a->code);
	smtp_server_reply_rcpt(s->core, r->number, a->code, a->enhanced, a->text,
	                       link_out(s->client));
	lmtp_session_answered(s);
}

/* Each target's INBOX is here: can they have it? */
static void
check_all(struct lmtp_rcpt *r)
{
	const struct lmtp_answer *a = &accepted;

	if (r->session->target_count + r->target_count > DELIVER_RCPT_MAX)
		a = &too_many;
	for (size_t i = 0; i < r->target_count && a == &accepted; i++) {
		enum mbox_result result = deliver_check(store_of(r), slice_of(r->targets[i].user),
		                                        r->claim, r->session->size);

		if (result != MBOX_OK)
			a = lmtp_answer_for(r->session->service, result);
	}
	answer(r, a);
}

/* ---- INBOXes that are missing ------------------------------------------------------------------ */

static void make_inboxes(struct lmtp_rcpt *r);

static void
on_created(void *ctx, enum mbox_result result)
{
	struct lmtp_rcpt *r = ctx;

	r->store_id = 0;
	if (result != MBOX_OK && result != MBOX_EXISTS) {
		log_warning(&r->session->log, "lmtp.no_inbox user=%s why=%s",
		            log_esc(r->targets[r->creating].user), mbox_result_name(result));
		answer(r, &temporary);
		return;
	}
	r->creating++;
	make_inboxes(r);
}

/* Of the targets from r->creating on. */
static void
make_inboxes(struct lmtp_rcpt *r)
{
	for (; r->creating < r->target_count; r->creating++) {
		struct slice user = slice_of(r->targets[r->creating].user);

		if (deliver_check(store_of(r), user, 0, 0) != MBOX_ABSENT)
			continue;
		r->store_id = store_create_user(store_of(r), user, on_created, r);
		return;
	}
	check_all(r);
}

/* ---- what the directory says ---------------------------------------------------------------------- */

static bool
is_home(const struct lmtp_rcpt *r, const char *home)
{
	const struct lmtp_service_config *c = &r->session->service->c;

	return *home == '\0' ? c->alone : slice_ieq_str(slice_of(home), c->server);
}

/* False: there is no such user, as mailboxes go. */
static bool
add_target(struct lmtp_rcpt *r, struct slice user, struct slice detail)
{
	struct mbox_user canonical;

	if (!mbox_user_from_login(user, store_default_domain(store_of(r)), &canonical))
		return false;
	r->targets = xreallocarray(r->targets, r->target_count + 1, sizeof(*r->targets));
	r->targets[r->target_count++] =
		(struct lmtp_target){ slice_dup(mbox_user_slice(&canonical)), slice_dup(detail) };
	return true;
}

static const struct lmtp_answer *
refusal_of(enum auth_result result)
{
	switch (result) {
	case AUTH_UNKNOWN:
	case AUTH_INVALID:
		return &unknown;
	case AUTH_DENIED:
		return &disabled;
	default:
		return &temporary;
	}
}

/* One of the users the directory names. NULL: good. */
static const struct lmtp_answer *
take_final(struct lmtp_rcpt *r, const struct auth_final *f)
{
	const struct lmtp_target *t;

	if (r->target_count == DELIVER_RCPT_MAX)
		return &too_many;
	if (!add_target(r, slice_of(f->user), slice_of(f->detail)))
		return &unknown;
	t = &r->targets[r->target_count - 1];
	if (deliver_check(store_of(r), slice_of(t->user), 0, 0) == MBOX_ABSENT &&
	    !is_home(r, f->home))
		return &elsewhere;
	return NULL;
}

static void
on_resolved(void *ctx, uint64_t id, const struct auth_resolved *res)
{
	const struct lmtp_answer *bad = NULL;
	struct lmtp_rcpt *r = ctx;

	r->auth_id = 0;
	if (res->result != AUTH_OK) {
		answer(r, refusal_of(res->result));
		return;
	}
	clear_targets(r);
	for (size_t i = 0; i < res->final_count && bad == NULL; i++)
		bad = take_final(r, &res->finals[i]);
	if (bad != NULL)
		answer(r, bad);
	else if (r->target_count == 0)
		answer(r, &unknown);
	else
		make_inboxes(r);
}

static void
on_user(void *ctx, uint64_t id, const struct auth_user *u)
{
	struct lmtp_rcpt *r = ctx;

	r->auth_id = 0;
	if (u->result != AUTH_OK)
		answer(r, refusal_of(u->result));
	else if (u->disabled)
		answer(r, &disabled);
	else if (!is_home(r, u->home))
		answer(r, &elsewhere);
	else
		make_inboxes(r);
}

/* ---- the address ---------------------------------------------------------------------------------- */

/* The user the address itself names. */
static bool
target_of_address(struct lmtp_rcpt *r, const struct address *to)
{
	const char *delimiter = conf_str(r->session->service->c.conf, "recipient_delimiter");
	char login[ADDRESS_TEXT_SIZE];
	struct slice user, detail;

	address_split_detail(slice_of(to->local), delimiter != NULL ? *delimiter : '\0', &user,
	                     &detail);
	snprintf(login, sizeof(login), "%.*s%s%s", SLICE_ARG(user), *to->domain != '\0' ? "@" : "",
	         to->domain);
	return add_target(r, slice_of(login), detail.p != NULL ? detail : SLICE(""));
}

static struct lmtp_rcpt *
rcpt_new(struct lmtp_session *s, const struct smtp_event *ev)
{
	struct lmtp_rcpt *r = xcalloc(1, sizeof(*r));
	char text[ADDRESS_TEXT_SIZE];

	r->session = s;
	r->number = ev->number;
	r->address = xstrdup(address_text(&ev->rcpt.to, text));
	r->claim = ev->rcpt.claim;
	must(ev->number == s->rcpt_count);
	if (s->rcpt_count == s->rcpt_cap) {
		s->rcpt_cap = s->rcpt_cap == 0 ? 4 : 2 * s->rcpt_cap;
		s->rcpts = xreallocarray(s->rcpts, s->rcpt_cap, sizeof(struct lmtp_rcpt *));
	}
	s->rcpts[s->rcpt_count++] = r;
	return r;
}

/* There is no INBOX of that name. */
static void
ask(struct lmtp_rcpt *r, bool by_user)
{
	struct lmtp_session *s = r->session;

	if (r->claim != 0)
		answer(r, &elsewhere);
	else if (by_user && !conf_common_has_directory(s->service->c.conf))
		make_inboxes(r);
	else if (by_user)
		r->auth_id =
			auth_lookup(s->service->c.auth, slice_of(r->targets[0].user), on_user, r);
	else
		r->auth_id = auth_resolve(s->service->c.auth, slice_of(r->address), s->id,
		                          on_resolved, r);
}

void
lmtp_rcpt_start(struct lmtp_session *s, const struct smtp_event *ev)
{
	struct lmtp_rcpt *r = rcpt_new(s, ev);
	bool by_user = ev->rcpt.user.p != NULL;
	bool named = by_user ? add_target(r, ev->rcpt.user,
	                                  ev->rcpt.detail.p != NULL ? ev->rcpt.detail : SLICE(""))
	                     : target_of_address(r, &ev->rcpt.to);

	if (by_user && !named)
		answer(r, &unknown);
	else if (named &&
	         deliver_check(store_of(r), slice_of(r->targets[0].user), 0, 0) != MBOX_ABSENT)
		check_all(r);
	else
		ask(r, by_user);
}
