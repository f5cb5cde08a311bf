/*
 * deselect - the mailbox that is selected is no more, since one on another store will be: by
 * UNSELECT (RFC 3691), which removes nothing. A store without it is left altogether.
 */
#include "imap/session_impl.h"

struct deselect {
	struct imap_leg *leg;
	const char *reply; /* to the command in head; NULL: it is run again */
	const char *tag;
};

static void
done(struct imap_session *s)
{
	const struct deselect *d = s->job_data;

	imap_session_end_job(s);
	if (d->reply != NULL)
		imap_session_refuse(s, d->reply);
}

/* News of a mailbox that is being left are of no use any more. */
static enum imap_take
on_response(struct imap_session *s, struct imap_leg *leg, const struct imap_resp_event *ev)
{
	const struct deselect *d = s->job_data;

	if (leg != d->leg)
		return TAKE_PASS;
	if (ev->type == IMAP_RESP_CONTINUE)
		return TAKE_WRONG;
	if (ev->type != IMAP_RESP_STATUS || slice_eq(ev->tag, SLICE("*")))
		return ev->type == IMAP_RESP_STATUS && ev->status > IMAP_RESP_BAD ? TAKE_WRONG
		                                                                  : TAKE_TAKEN;
	/* NO: it is still selected there, away with the leg. BAD: nothing was, since he has deleted
	 * the mailbox himself */
	if (!slice_eq_str(ev->tag, d->tag) || ev->status == IMAP_RESP_NO)
		return TAKE_WRONG;
	done(s);
	return TAKE_TAKEN;
}

static void
on_go_on(UNUSED struct imap_session *s)
{
}

/* Gone is as good as deselected. */
static void
on_lost(struct imap_session *s, const struct imap_leg *leg, UNUSED const char *reply)
{
	if (leg == ((struct deselect *)s->job_data)->leg)
		done(s);
}

static const struct imap_job deselect_job = { on_response, on_go_on, on_lost, NULL };

void
imap_deselect(struct imap_session *s, const char *reply)
{
	struct deselect *d = arena_alloc(s->head.arena, sizeof(*d));

	d->leg = s->selected;
	d->reply = reply;
	imap_forward_select(s, NULL, NULL, false);
	if ((imap_leg_server(d->leg)->imap_offer.bits & OFFER(UNSELECT)) == 0) {
		imap_reach_drop(s, d->leg, true);
		if (reply != NULL)
			imap_session_refuse(s, reply);
		else
			imap_route_head(s);
		return;
	}
	imap_session_start_job(s, &deselect_job, d);
	d->tag = imap_forward_own(s, d->leg, "UNSELECT");
	imap_forward_ask(s, d->leg);
}
