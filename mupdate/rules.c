#include "rules.h"

#include "base/must.h"

static struct rules_verdict
no(enum mupdate_code code, const char *text)
{
	return (struct rules_verdict){ .act = RULES_NO, .code = code, .text = text };
}

static bool
is_own(const struct rules_input *in)
{
	return slice_eq(in->now->server, in->want->server);
}

/* Our fields of a peer that does not send them stay, as long as the mailbox does. */
static void
keep_fields(const struct rules_input *in, struct location *loc)
{
	if (in->want_has_fields || in->now == NULL || !is_own(in))
		return;
	loc->mbox_id = in->now->mbox_id;
	loc->uidvalidity = in->now->uidvalidity;
	loc->special_use = in->now->special_use;
}

static struct rules_verdict
set_as(const struct rules_input *in, enum location_state state, bool left, struct slice acl)
{
	struct rules_verdict v = { .act = RULES_SET, .loc = *in->want };
	const struct location *now = in->now;

	v.loc.state = state;
	v.loc.left = left;
	v.loc.acl = acl;
	keep_fields(in, &v.loc);
	if (now != NULL && !in->now_unsure && now->state == state && now->left == left &&
	    is_own(in) && slice_eq(now->partition, v.loc.partition) &&
	    slice_eq(now->acl, v.loc.acl) && slice_eq(now->mbox_id, v.loc.mbox_id) &&
	    now->uidvalidity == v.loc.uidvalidity && slice_eq(now->special_use, v.loc.special_use))
		v.act = RULES_SAME;
	return v;
}

static struct rules_verdict
decide_reserve(const struct rules_input *in)
{
	if (in->rebuilding)
		return no(MUPDATE_CODE_LATER, "the list is being rebuilt");
	if (in->now == NULL)
		return set_as(in, LOCATION_RESERVED, false, SLICE(""));
	if (!is_own(in))
		return no(MUPDATE_CODE_EXISTS, "mailbox already exists");
	/* An active one stays active: what works is not taken out of service by a store
	 * that reserves again. */
	if (in->now->state == LOCATION_ACTIVE)
		return (struct rules_verdict){ .act = RULES_SAME };
	return set_as(in, LOCATION_RESERVED, false, SLICE(""));
}

static struct rules_verdict
decide_activate(const struct rules_input *in)
{
	struct rules_verdict v;

	/* While rebuilding, the store with the higher claim has the user. Later the claims
	 * here are what counts. */
	if (in->now == NULL || is_own(in) || (in->takeover && !in->want_has_fields) ||
	    (in->rebuilding && in->want->claim > in->now->claim) ||
	    (in->now->left && !in->is_push) || in->now_unsure)
		return set_as(in, LOCATION_ACTIVE, false, in->want->acl);
	v = no(MUPDATE_CODE_EXISTS, "mailbox belongs to another server");
	v.conflict = true;
	return v;
}

static struct rules_verdict
decide_deactivate(const struct rules_input *in)
{
	if (in->now == NULL)
		return no(MUPDATE_CODE_UNKNOWN, "no such mailbox");
	if (!is_own(in))
		return no(MUPDATE_CODE_EXISTS, "mailbox belongs to another server");
	return set_as(in, LOCATION_RESERVED, true, in->now->acl);
}

static struct rules_verdict
decide_delete(const struct rules_input *in)
{
	if (in->now == NULL)
		return no(MUPDATE_CODE_UNKNOWN, "no such mailbox");
	if (!in->speaks(in->ctx, in->now->server))
		return no(MUPDATE_CODE_DENIED, "mailbox belongs to another server");
	return (struct rules_verdict){ .act = RULES_DELETE };
}

struct rules_verdict
rules_decide(const struct rules_input *in)
{
	const struct location *want = in->want;

	if (in->read_only)
		return no(MUPDATE_CODE_DENIED, "this identity may only read");
	if (!location_name_ok(want->name))
		return no(MUPDATE_CODE_INVALID, "not a mailbox name");
	if (in->verb == MUPDATE_V_DELETE)
		return decide_delete(in);
	if (!location_place_ok(want->server, want->partition))
		return no(MUPDATE_CODE_INVALID, "not a server");
	if (!location_acl_ok(want->acl))
		return no(MUPDATE_CODE_INVALID, "not an ACL");
	if (!in->speaks(in->ctx, want->server))
		return no(MUPDATE_CODE_DENIED, "this identity does not speak for that server");
	switch (in->verb) {
	case MUPDATE_V_RESERVE:
		return decide_reserve(in);
	case MUPDATE_V_ACTIVATE:
		return decide_activate(in);
	default:
		must(in->verb == MUPDATE_V_DEACTIVATE);
		return decide_deactivate(in);
	}
}
