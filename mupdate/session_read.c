/*
 * What reads the list: FIND, LIST, UPDATE, and NOOP, which waits until all has been read.
 *
 * A feed (feed.h) tells its names or changes in pieces, one for each turn of the loop, as long as
 * the output has room. LIST keeps the core waiting until its end; UPDATE until the peer has all
 * there is, and goes on behind it with each change. One that takes nothing for `feed_stall` is
 * cut.
 *
 * A Cyrus front end takes any answer to UPDATE, NO and BYE too, for the end of the list, and
 * forgets all names that were not in it. So a plain peer that cannot have the list, or not all
 * of it, gets no answer: it is cut, keeps what it has, and comes again.
 */
#include "session_impl.h"

#include "feed.h"

#include <inttypes.h>
#include <string.h>

#define FEED_PIECE 262144 /* bytes; the link's output_high */

static void
say_incomplete(struct session *sn, const char *tag)
{
	mupdate_server_reply(sn->core, tag, MUPDATE_NO, MUPDATE_CODE_LATER,
	                     "the list is not complete");
}

/* ---- FIND -------------------------------------------------------------------------------------- */

void
session_read_find(struct session *sn, const struct mupdate_cmd *cmd)
{
	struct location loc;
	bool found = mapdb_find(sn->conf->db, cmd->name, sn->scratch, &loc) &&
	             !session_change_hides(sn, &loc);

	if (found)
		feed_tell(sn->core, cmd->tag, &loc);
	if (found || mapdb_is_complete(sn->conf->db))
		mupdate_server_reply(sn->core, cmd->tag, MUPDATE_OK, MUPDATE_CODE_NONE,
		                     "Search completed");
	else
		say_incomplete(sn, cmd->tag);
	/* Short questions, long answers: the next one when these have gone out. */
	sn->is_full = link_is_congested(sn->wire);
	if (sn->is_full)
		mupdate_server_wait(sn->core);
}

/* ---- LIST and UPDATE --------------------------------------------------------------------------- */

static void
noop_done(struct session *sn)
{
	sn->noop_open = false;
	mupdate_server_reply(sn->core, sn->noop_tag, MUPDATE_OK, MUPDATE_CODE_NONE, "Noop done");
	session_resume(sn);
}

/* Behind all that was there when it was asked, and not behind what comes all the time. */
static void
answer_noop(struct session *sn)
{
	if (sn->noop_open && sn->barrier_id == 0 && sn->feed_live &&
	    feed_revision(sn->feed) >= sn->noop_revision)
		noop_done(sn);
}

static void
feed_run(struct session *sn)
{
	bool first;

	if (sn->wire == NULL || sn->feed == NULL)
		return;
	if (link_is_congested(sn->wire)) {
		if (!timer_is_set(&sn->stall))
			timer_set(&sn->stall, sn->conf->feed_stall_ms);
		return;
	}
	timer_cancel(&sn->stall);
	switch (feed_step(sn->feed, link_out(sn->wire), FEED_PIECE)) {
	case FEED_MORE:
		answer_noop(sn);
		link_flush(sn->wire);
		session_read_later(sn);
		break;
	case FEED_DONE:
		feed_free(&sn->feed);
		session_resume(sn);
		break;
	case FEED_LIVE:
		link_flush(sn->wire);
		first = !sn->feed_live;
		sn->feed_live = true;
		if (first)
			session_resume(sn);
		answer_noop(sn);
		break;
	case FEED_FAILED:
		metrics_add(&mupdate_metrics[MUPDATE_M_DROPPED], 1);
		log_warning(&sn->log, "feed.dropped revision=%" PRIu64, feed_revision(sn->feed));
		session_end(sn,
		            mapdb_is_damaged(sn->conf->db) ? "the list cannot be read"
		                                           : "too far behind",
		            false);
		break;
	}
}

static void
on_feed_later(void *ctx)
{
	struct session *sn = ctx;

	sn->feed_deferred = false;
	feed_run(sn);
}

void
session_read_later(struct session *sn)
{
	if (!sn->feed_deferred)
		loop_defer(sn->conf->loop, on_feed_later, sn);
	sn->feed_deferred = true;
}

void
session_read_stalled(void *ctx)
{
	struct session *sn = ctx;

	metrics_add(&mupdate_metrics[MUPDATE_M_DROPPED], 1);
	session_end(sn, "takes nothing", false);
}

void
session_kick(struct session *sn)
{
	if (sn->feed != NULL && feed_is_update(sn->feed))
		session_read_later(sn);
}

bool
session_read_is_in_plain_list(const struct session *sn)
{
	return sn->feed != NULL && feed_is_update(sn->feed) && feed_is_in_list(sn->feed) &&
	       !mupdate_server_is_extended(sn->core);
}

static void
feed_start(struct session *sn, const struct mupdate_cmd *cmd, enum feed_kind kind)
{
	enum mapdb_kin kin = session_roost_kin(sn, cmd);
	struct feed_ask ask = {
		.kind = kind,
		.tag = cmd->tag,
		.place = cmd->place,
		.is_since = cmd->is_since,
		.is_part = kin == MAPDB_KIN_PART,
		.history = cmd->history,
		.revision = cmd->revision,
		.host_count = cmd->host_count,
		.hosts = cmd->hosts,
		.lag_max = sn->conf->feed_lag,
		.by_octets = sn->conf->by_octets,
	};

	/* A list that is not complete is of use only to the store that asks for its own. */
	if (!mapdb_is_complete(sn->conf->db) && kind == FEED_UPDATE &&
	    !mupdate_server_is_extended(sn->core)) {
		session_end(sn, "the list is not complete", false);
		return;
	}
	if (kin == MAPDB_KIN_AHEAD ||
	    (!mapdb_is_complete(sn->conf->db) &&
	     (kind == FEED_UPDATE || !cmd->has_place || sn->conf->master_url != NULL))) {
		say_incomplete(sn, cmd->tag);
		return;
	}
	sn->feed = feed_new(sn->conf->db, sn->core, &ask);
	if (kind == FEED_UPDATE) {
		mupdate_server_set_streaming(sn->core);
		sn->is_feed_counted = true;
		metrics_add(&mupdate_metrics[MUPDATE_M_FEEDS], 1);
	}
	mupdate_server_wait(sn->core);
	session_read_later(sn);
}

void
session_read_list(struct session *sn, const struct mupdate_cmd *cmd)
{
	session_change_listed(sn, cmd->place);
	feed_start(sn, cmd, FEED_LIST);
}

void
session_read_update(struct session *sn, const struct mupdate_cmd *cmd)
{
	feed_start(sn, cmd, FEED_UPDATE);
}

/* ---- NOOP -------------------------------------------------------------------------------------- */

static void
on_barrier(void *ctx, bool ok)
{
	struct session *sn = ctx;

	sn->barrier_id = 0;
	if (!ok) {
		sn->noop_open = false;
		mupdate_server_reply(sn->core, sn->noop_tag, MUPDATE_NO, MUPDATE_CODE_LATER,
		                     "the master is away");
		session_resume(sn);
	} else if (sn->feed != NULL) {
		sn->noop_revision = mapdb_info(sn->conf->db)->revision;
		session_read_later(sn);
	} else {
		noop_done(sn);
	}
}

/* Its answer comes behind every change that was acknowledged before it. */
void
session_read_noop(struct session *sn, const struct mupdate_cmd *cmd)
{
	memcpy(sn->noop_tag, cmd->tag, strlen(cmd->tag) + 1);
	sn->barrier_id = service_barrier(sn->service, on_barrier, sn);
	if (sn->barrier_id == 0 && sn->feed == NULL) {
		noop_done(sn);
		return;
	}
	sn->noop_open = true;
	sn->noop_revision = mapdb_info(sn->conf->db)->revision;
	mupdate_server_wait(sn->core);
	if (sn->barrier_id == 0)
		session_read_later(sn);
}
