/*
 * route - where a command goes, and when.
 *
 * A user's own mailboxes are with his home, which is the truth about them (promise 4): its
 * "no such mailbox" needs no barrier; where the home is needs one (reach.c). Those of others
 * and of nobody are where the list of locations says, with a barrier before any miss
 * (location/lookup.h, promise 6). What names no mailbox goes where one is selected.
 *
 * What a user has no right to is told as what is not there: here, by the ACL in the list, with the
 * same words in the same time. So no command tells them apart, not by its bad arguments, nor by
 * what a store that keeps it hidden would say of the rest of it.
 *
 * A session whose home is a foreign server has that one store only: its names are not ours. Its "no
 * such mailbox" does need a barrier (reach.c).
 *
 * Commands keep their order: one begins when all before it are answered, but for those that
 * go to the same store, which does them one after the other by itself. What depends on names
 * that are being changed is looked up behind the change.
 */
#include "imap/session_impl.h"

#include "mail/acl.h"

#define REPLY_LATER "NO [UNAVAILABLE] Nobody can say now where this mailbox is, try later"
#define REPLY_SERVER "NO [UNAVAILABLE] The store of this mailbox is not known here"
#define REPLY_NOT_MADE "NO [NOPERM] You may not create this"
#define REPLY_STORES "NO [CANNOT] A mailbox cannot be renamed to where another store is"

/* What there is not, for this command. */
static const char *
absent(const struct imap_row *row)
{
	return (row->flags & ROW_FILLS) != 0 ? "NO [TRYCREATE] There is no such mailbox"
	                                     : "NO [NONEXISTENT] There is no such mailbox";
}

/* ---- where --------------------------------------------------------------------------------------- */

/* The mailbox of argument arg is there. False: it cannot be. */
static bool
is_at(struct imap_session *s, struct server *server)
{
	struct imap_head *h = &s->head;

	/* the second one of RENAME */
	if (h->arg > 0 && h->row->def.args[0] == 'a' && h->to != server) {
		h->problem = REPLY_STORES;
		return false;
	}
	h->to = server;
	h->arg++;
	h->looked_again = false;
	h->routed = h->row->def.args[h->arg] == '\0';
	return true;
}

static bool
is_at_name(struct imap_session *s, struct slice name)
{
	struct server *server = servers_find(s->proxy->c.servers, name);

	if (server == NULL || server->imap == NULL)
		s->head.problem = REPLY_SERVER;
	return s->head.problem == NULL && is_at(s, server == s->store ? NULL : server);
}

static bool
makes(const struct imap_head *h)
{
	return (h->row->flags & ROW_MAKES) != 0 && h->row->def.args[h->arg + 1] == '\0';
}

/* What the list gives him there. Other servers have rules of their own: what they show they
 * decide by themselves. */
static uint32_t
rights_on(struct imap_session *s, const struct location *loc)
{
	struct server *server = servers_find(s->proxy->c.servers, loc->server);
	struct mbox_view view = imap_dispatch_view(s);
	struct acl_who who;

	if (server != NULL && server->kind == SERVER_FOREIGN)
		return ACL_ALL;
	acl_who_init(&who, view.user, view.default_domain, slice_of(s->groups), s->head.arena);
	return acl_rights_on(loc->name, loc->acl, &who);
}

/* A name that is not there is made where the nearest one above it is. The list at hand is as
 * new as the barrier that has just come through. Where one in between is hidden, the answer is
 * that of the nearest one he sees, unless that would let him. */
static bool
is_made_at(struct imap_session *s)
{
	struct imap_head *h = &s->head;
	struct slice up = h->name;
	struct location loc;
	bool hidden = false;
	uint32_t rights;

	while (mbox_name_parent(up, &up)) {
		switch (location_reader_find(s->proxy->c.reader, up, h->arena, &loc)) {
		case LOCATION_FOUND:
			rights = rights_on(s, &loc);
			hidden = hidden || (rights & ACL_ANY) == 0;
			if ((rights & ACL_ANY) == 0)
				continue;
			if (!hidden || (rights & ACL_CREATE) == 0)
				return is_at_name(s, loc.server);
			h->problem = REPLY_NOT_MADE;
			return false;
		case LOCATION_NONE:
			continue;
		case LOCATION_IS_RESERVED:
		case LOCATION_BLIND:
			h->problem = REPLY_LATER;
			return false;
		}
	}
	h->problem = REPLY_NOT_MADE;
	return false;
}

/* What the list says of the name is sure. */
static void
located(struct imap_session *s, const struct location *loc)
{
	struct imap_head *h = &s->head;

	if (loc != NULL)
		(void)is_at_name(s, loc->server);
	else if (makes(h))
		(void)is_made_at(s);
	else
		h->problem = absent(h->row);
}

static void
on_location(void *ctx, enum location_result result, const struct location *loc)
{
	struct imap_session *s = ctx;
	struct imap_head *h = &s->head;

	h->lookup_id = 0;
	switch (result) {
	case LOCATION_FOUND:
		if ((rights_on(s, loc) & ACL_ANY) != 0) {
			located(s, loc);
		} else if (h->looked_again) {
			located(s, NULL);
		} else {
			/* he may have been given some just now; and a miss takes as long */
			h->looked_again = true;
			h->lookup_id = lookup_find_after_barrier(s->proxy->c.lookup, h->name,
			                                         on_location, s);
			return;
		}
		break;
	case LOCATION_NONE:
		located(s, NULL);
		break;
	case LOCATION_IS_RESERVED:
	case LOCATION_BLIND:
		h->problem = REPLY_LATER;
		break;
	}
	imap_session_wake(s);
}

/* Is a change of names under way? */
static bool
names_change(struct imap_session *s)
{
	struct imap_flight *f;

	LIST_EACH (f, &s->flights, struct imap_flight, link)
		if ((f->row->flags & ROW_CHANGES) != 0)
			return true;
	return false;
}

/* One argument that names a mailbox. False: not known yet, or a problem. */
static bool
find_mailbox(struct imap_session *s)
{
	struct imap_head *h = &s->head;
	struct mbox_view view = imap_dispatch_view(s);
	struct slice client = mbox_name_strip_separator(h->args[h->arg]);
	struct mbox_name name;
	enum mbox_name_error e;

	if (!imap_cmd_is_quotable(h->args[h->arg])) {
		h->problem = "BAD A mailbox name has characters that are not allowed";
		return false;
	}
	/* another server has rules of its own; but what it lacks may have moved with all there is */
	if (s->store->kind != SERVER_ROOST) {
		if (imap_reach_inbox(s, &name))
			h->name = arena_slice_dup(h->arena, mbox_name_slice(&name));
		return is_at(s, NULL);
	}
	e = mbox_name_from_client(&view, client, &name);
	if (e != MBOX_NAME_OK) {
		h->problem =
			arena_printf(h->arena, "NO [%s] %s",
		                     (h->row->flags & ROW_MAKES) != 0 ? "CANNOT" : "NONEXISTENT",
		                     mbox_name_error_text(e));
		return false;
	}
	if ((h->row->flags & ROW_HOME) != 0 ||
	    mbox_name_namespace(&view, mbox_name_slice(&name)) == MBOX_PERSONAL) {
		h->name = SLICE("");
		return is_at(s, NULL);
	}
	if (!names_change(s) && h->lookup_id == 0) {
		h->name = arena_slice_dup(h->arena, mbox_name_slice(&name));
		h->lookup_id = lookup_find(s->proxy->c.lookup, h->name, on_location, s);
	}
	return false;
}

/* The leg with the mailbox that will be selected when all that is under way is answered. */
static struct imap_leg *
selected_then(struct imap_session *s)
{
	struct imap_flight *f;
	struct imap_leg *leg = s->selected;

	LIST_EACH (f, &s->flights, struct imap_flight, link)
		if ((f->row->flags & (ROW_SELECT | ROW_DESELECT)) != 0)
			leg = f->leg;
	return leg;
}

/* False: it has to wait, or there is a problem. */
static bool
find_place(struct imap_session *s)
{
	struct imap_head *h = &s->head;

	while ((h->row->flags & ROW_MAILBOX) != 0 && !h->routed) {
		while (h->row->def.args[h->arg] == 'w')
			h->arg++;
		if (!find_mailbox(s))
			return false;
	}
	return true;
}

/* ---- when ---------------------------------------------------------------------------------------- */

static struct imap_leg *
leg_of_head(struct imap_session *s)
{
	struct imap_head *h = &s->head;
	struct imap_leg *leg = selected_then(s);

	if ((h->row->flags & (ROW_MAILBOX | ROW_HOME)) == 0 && leg != NULL)
		return leg;
	/* the home may have become this store meanwhile */
	if (h->to != NULL && h->to != s->store)
		return imap_reach_leg(s, h->to);
	return imap_reach_own(s);
}

/* Is anything with another store? */
static bool
is_busy_elsewhere(struct imap_session *s, const struct imap_leg *leg)
{
	struct imap_flight *f;

	LIST_EACH (f, &s->flights, struct imap_flight, link)
		if (f->leg != leg || f->verdict_id != 0)
			return true;
	return false;
}

/* A SELECT that fails leaves nothing selected (RFC 3501 section 6.3.1). */
static void
refuse(struct imap_session *s)
{
	struct imap_head *h = &s->head;

	if ((h->row->flags & ROW_SELECT) == 0 || !slice_starts(slice_of(h->problem), SLICE("NO")))
		imap_session_refuse(s, h->problem);
	else if (s->flight_count > 0)
		h->waiting = true;
	else if (s->selected != NULL)
		imap_deselect(s, h->problem);
	else
		imap_session_refuse(s, h->problem);
}

/* Does the command need more than to be passed on? */
static bool
is_job(struct imap_session *s, const struct imap_leg *leg)
{
	const struct imap_row *row = s->head.row;

	if ((row->flags & ROW_SELECT) != 0)
		return s->selected != NULL && s->selected != leg;
	if ((row->flags & ROW_COPY) != 0)
		return selected_then(s) != NULL && selected_then(s) != leg;
	return (row->flags & ROW_WHOLE) != 0 && imap_list_is_wide(s);
}

static void
start_job(struct imap_session *s, struct imap_leg *leg)
{
	unsigned flags = s->head.row->flags;

	if ((flags & ROW_SELECT) != 0)
		imap_deselect(s, NULL);
	else if ((flags & ROW_COPY) != 0)
		imap_across_start(s, leg);
	else
		imap_list_start(s);
}

void
imap_route_head(struct imap_session *s)
{
	struct imap_head *h = &s->head;
	struct imap_leg *leg = NULL;

	h->waiting = true;
	if (h->problem == NULL && find_place(s))
		leg = leg_of_head(s);
	if (h->problem != NULL) {
		refuse(s);
		return;
	}
	if (leg == NULL || is_busy_elsewhere(s, leg))
		return;
	if (!is_job(s, leg)) {
		h->waiting = false;
		imap_forward_head(s, leg);
	} else if (s->flight_count == 0) {
		start_job(s, leg);
	}
}

void
imap_route_forget(struct imap_session *s)
{
	lookup_cancel(s->proxy->c.lookup, s->head.lookup_id);
	s->head.lookup_id = 0;
}
