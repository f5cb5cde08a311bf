/*
 * Changes of the map: what a peer asks, what the rules say, what is written.
 *
 * A push. Stores of ours say PUSHED when they have told all they hold. A Cyrus store cannot:
 * its push (ctl_mboxlist -m) asks for the list of its own server, makes the changes that are
 * due, and logs out. That is taken as one when it made something active; a push that found
 * nothing to do looks like a mere look (ctl_mboxlist -mw), and says nothing.
 *
 * What its list lacks it asks for by FIND, and deletes its own copy when another server is named,
 * be the name only reserved there. But where an XFER broke off behind the DEACTIVATE of the source,
 * either copy can be the only whole one. So such a push does not hear of names that others have
 * reserved, nor get them: both copies stay, and the conflict is listed until the server that has
 * the name in the list has pushed. It activates the name or deletes it, and the other one's next
 * push does what is right.
 *
 * A rename. A Cyrus store connects, and says DELETE of the old name, RESERVE and ACTIVATE of the new
 * one, nothing before and nothing else. When the new one is refused it goes on with the mailbox by
 * its old name, and does not say so: users would not find it until somebody pushes. So the old name is
 * put back. Of whoever said anything before the DELETE it is what it says.
 */
#include "session_impl.h"

#include "base/xalloc.h"
#include "mail/mbox_name.h"
#include "rules.h"

#include <inttypes.h>
#include <stdlib.h>

#define CHANGE_BYTES 64             /* of a record, beside its texts */
#define CLAIM_MOST (UINT64_MAX / 2) /* nobody gets there by counting, and one more fits */

static bool
speaks(void *ctx, struct slice server)
{
	struct session *sn = ctx;

	return service_speaks(sn->service, sn->identity, server);
}

void
session_reply_no(struct session *sn, const char *tag, enum mupdate_code code, const char *text)
{
	metrics_add(&mupdate_metrics[MUPDATE_M_REFUSED], 1);
	mupdate_server_reply(sn->core, tag, MUPDATE_NO, code, text);
}

/* False: the fields are not ours. */
static bool
take_want(const struct mupdate_cmd *cmd, struct arena *a, struct location *want_r)
{
	*want_r = (struct location){ .name = cmd->name, .acl = cmd->acl };
	location_place_split(cmd->place, &want_r->server, &want_r->partition);
	if (!location_fields_parse(cmd->fields, a, want_r))
		return false;
	want_r->revision = 0;
	/* of a user's INBOX only */
	if (!mbox_name_is_inbox(want_r->name))
		want_r->claim = 0;
	return want_r->claim < CLAIM_MOST;
}

static void
change_set(struct session *sn, const struct mupdate_cmd *cmd, const struct location *now,
           struct rules_verdict *v)
{
	struct mapdb *db = sn->conf->db;
	struct location *loc = &v->loc;
	uint64_t revision;

	if (loc->state == LOCATION_ACTIVE && mbox_name_is_inbox(loc->name))
		loc->claim = mapdb_claim(db, loc->name, loc->server, loc->claim);
	else
		loc->claim = now != NULL && slice_eq(now->server, loc->server) ? now->claim : 0;
	revision = mapdb_set(db, loc);
	metrics_add(&mupdate_metrics[MUPDATE_M_CHANGES], 1);
	if (loc->state == LOCATION_ACTIVE) {
		service_conflict_solved(sn->service, loc->name, loc->server);
		sn->has_pushed = true;
	}
	log_info(&sn->log, "map.%s mbox=%s server=%s revision=%" PRIu64,
	         loc->left                       ? "deactivate"
	         : loc->state == LOCATION_ACTIVE ? "activate"
	                                         : "reserve",
	         log_esc_slice(loc->name), log_esc_slice(loc->server), revision);
	mupdate_server_changed(sn->core, cmd->tag, revision, loc->claim);
}

static void
remember_deleted(struct session *sn, const struct location *now)
{
	arena_free(&sn->deleted_arena);
	sn->deleted.name = SLICE("");
	if (now == NULL || sn->commands != 1 || mupdate_server_is_extended(sn->core))
		return;
	sn->deleted_arena = arena_new("mupdate.deleted");
	sn->deleted = location_dup(sn->deleted_arena, now);
	sn->deleted.revision = 0;
}

/* Unless somebody else has it meanwhile. */
static void
put_back(struct session *sn)
{
	struct mapdb *db = sn->conf->db;
	struct location *old = &sn->deleted, taken;
	uint64_t revision;

	if (sn->commands != 2 || old->name.n == 0 || mapdb_find(db, old->name, sn->scratch, &taken))
		return;
	if (mbox_name_is_inbox(old->name))
		old->claim = mapdb_claim(db, old->name, old->server, old->claim);
	revision = mapdb_set(db, old);
	log_info(&sn->log, "map.put_back mbox=%s server=%s revision=%" PRIu64,
	         log_esc_slice(old->name), log_esc_slice(old->server), revision);
	metrics_add(&mupdate_metrics[MUPDATE_M_CHANGES], 1);
}

static void
change_delete(struct session *sn, const struct mupdate_cmd *cmd)
{
	uint64_t revision = mapdb_delete(sn->conf->db, cmd->name, 0);

	metrics_add(&mupdate_metrics[MUPDATE_M_CHANGES], 1);
	service_conflict_solved(sn->service, cmd->name, SLICE(""));
	log_info(&sn->log, "map.delete mbox=%s revision=%" PRIu64, log_esc_slice(cmd->name),
	         revision);
	mupdate_server_changed(sn->core, cmd->tag, revision, 0);
}

static void
change_apply(struct session *sn, const struct mupdate_cmd *cmd, const struct rules_input *in)
{
	struct rules_verdict v = rules_decide(in);

	if (v.act == RULES_NO && in->verb == MUPDATE_V_RESERVE)
		put_back(sn);
	remember_deleted(sn, v.act == RULES_DELETE ? in->now : NULL);
	switch (v.act) {
	case RULES_SET:
		change_set(sn, cmd, in->now, &v);
		break;
	case RULES_SAME:
		mupdate_server_changed(sn->core, cmd->tag, in->now->revision, in->now->claim);
		break;
	case RULES_DELETE:
		change_delete(sn, cmd);
		break;
	case RULES_NO:
		if (v.conflict)
			service_conflict(sn->service, in->want->name, in->want->server);
		session_reply_no(sn, cmd->tag, v.code, v.text);
		return;
	}
	mupdate_server_reply(sn->core, cmd->tag, MUPDATE_OK, MUPDATE_CODE_NONE, "done");
}

/* What comes behind its share waits for the commit. */
static void
take_share(struct session *sn, const struct mupdate_cmd *cmd)
{
	sn->group_bytes += CHANGE_BYTES + cmd->name.n + cmd->place.n + cmd->acl.n + cmd->fields.n;
	if (sn->group_bytes < service_share(sn->service))
		return;
	sn->waits_for_group = true;
	mupdate_server_wait(sn->core);
}

void
session_change(struct session *sn, const struct mupdate_cmd *cmd)
{
	struct location want, now;
	size_t start;
	struct rules_input in = {
		.verb = cmd->verb,
		.takeover = sn->conf->takeover,
		.rebuilding = !mapdb_is_complete(sn->conf->db),
		.read_only = sn->read_only,
		.is_push = sn->listed_own != NULL,
		.speaks = speaks,
		.ctx = sn,
		.want = &want,
		.want_has_fields = cmd->fields.n > 0,
	};

	if (!take_want(cmd, sn->scratch, &want)) {
		session_reply_no(sn, cmd->tag, MUPDATE_CODE_INVALID, "fields that make no sense");
	} else if (!service_begin(sn->service)) {
		session_reply_no(sn, cmd->tag, MUPDATE_CODE_LATER, "try again later");
	} else {
		if (mapdb_find(sn->conf->db, want.name, sn->scratch, &now))
			in.now = &now;
		in.now_unsure = in.now != NULL && in.rebuilding &&
		                now.revision <= mapdb_info(sn->conf->db)->unsure;
		start = session_hold(sn);
		change_apply(sn, cmd, &in);
		session_held(sn, cmd->tag, start);
		take_share(sn, cmd);
	}
}

void
session_change_pushed(struct session *sn, const struct mupdate_cmd *cmd)
{
	size_t start;

	if (sn->read_only || !location_place_ok(cmd->name, SLICE("")) ||
	    !service_speaks(sn->service, sn->identity, cmd->name)) {
		session_reply_no(sn, cmd->tag, MUPDATE_CODE_DENIED,
		                 "this identity does not speak for that server");
		return;
	}
	if (!service_begin(sn->service)) {
		session_reply_no(sn, cmd->tag, MUPDATE_CODE_LATER, "try again later");
		return;
	}
	start = session_hold(sn);
	service_pushed(sn->service, cmd->name);
	mupdate_server_reply(sn->core, cmd->tag, MUPDATE_OK, MUPDATE_CODE_NONE, "done");
	session_held(sn, cmd->tag, start);
}

/* ---- pushes of plain peers ------------------------------------------------------------------------ */

void
session_change_listed(struct session *sn, struct slice place)
{
	struct slice server, partition;

	if (mupdate_server_is_extended(sn->core) || !slice_ends(place, SLICE("!")))
		return;
	location_place_split(place, &server, &partition);
	if (sn->read_only || !location_place_ok(server, SLICE("")) ||
	    !service_speaks(sn->service, sn->identity, server))
		return;
	free(sn->listed_own);
	sn->listed_own = slice_dup(server);
	sn->has_pushed = false;
}

bool
session_change_hides(const struct session *sn, const struct location *loc)
{
	return sn->listed_own != NULL && !sn->conf->takeover && loc->state == LOCATION_RESERVED &&
	       !slice_eq_str(loc->server, sn->listed_own);
}

void
session_change_logout(struct session *sn)
{
	if (sn->listed_own == NULL || !sn->has_pushed || !service_begin(sn->service))
		return;
	service_pushed(sn->service, slice_of(sn->listed_own));
}
