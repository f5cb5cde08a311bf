#include "session_impl.h"

#include "base/clock.h"
#include "base/xalloc.h"
#include "feed.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define FEED_PIECE 262144
#define BAD_MAX 10
#define TERM_MOST (UINT64_MAX / 2) /* nobody gets there by counting */
#define VERSION "0.1"

/* ---- its end ----------------------------------------------------------------------------------- */

void
session_free(struct session **snp)
{
	struct session *sn = *snp;

	if (sn == NULL)
		return;
	if (sn->wire != NULL)
		link_abort(&sn->wire);
	list_del(&sn->link);
	list_del(&sn->group_link);
	auth_cancel(sn->conf->auth, sn->auth_id);
	service_barrier_cancel(sn->service, sn->barrier_id);
	if (sn->is_feed_counted)
		metrics_sub(&mupdate_metrics[MUPDATE_M_FEEDS], 1);
	metrics_sub(&mupdate_metrics[MUPDATE_M_SESSIONS], 1);
	feed_free(&sn->feed);
	mupdate_server_free(&sn->core);
	timer_fini(&sn->stall);
	loop_forget(sn->conf->loop, sn);
	buf_fini(&sn->held);
	buf_fini(&sn->held_marks);
	free(sn->identity);
	free(sn->listed_own);
	free(sn);
	*snp = NULL;
}

static void
free_later(void *ctx)
{
	struct session *sn = ctx;

	session_free(&sn);
}

/* The core may be in the middle of something: it is freed at the end of the turn. */
static void
session_end(struct session *sn, const char *why, bool flush)
{
	if (sn->wire == NULL)
		return;
	log_info(&sn->log, "session.end reason=%s ms=%" PRIu64, log_esc(why),
	         clock_mono_ms() - sn->started_ms);
	mupdate_server_set_out(sn->core, &sn->held);
	mupdate_server_wait(sn->core);
	if (flush)
		link_end(&sn->wire);
	else
		link_abort(&sn->wire);
	list_del(&sn->group_link);
	auth_cancel(sn->conf->auth, sn->auth_id);
	sn->auth_id = 0;
	service_barrier_cancel(sn->service, sn->barrier_id);
	sn->barrier_id = 0;
	timer_cancel(&sn->stall);
	feed_free(&sn->feed);
	loop_defer(sn->conf->loop, free_later, sn);
}

/* The core may go on: feed it what has come meanwhile. */
static void
session_resume(struct session *sn)
{
	mupdate_server_resume(sn->core);
	if (sn->wire == NULL)
		return;
	link_flush(sn->wire);
	if (link_is_paused(sn->wire))
		link_resume(sn->wire);
}

/* ---- answers that wait for the disk ------------------------------------------------------------ */

size_t
session_hold(struct session *sn)
{
	service_join(sn->service, sn);
	if (!sn->is_held)
		mupdate_server_set_out(sn->core, &sn->held);
	sn->is_held = true;
	return sn->held.len;
}

void
session_held(struct session *sn, const char *tag, size_t start)
{
	struct held_mark m = { .start = start, .end = sn->held.len };

	must(strlen(tag) < sizeof(m.tag));
	memcpy(m.tag, tag, strlen(tag) + 1);
	buf_add(&sn->held_marks, &m, sizeof(m));
}

/* What was held goes out, but the answers to changes are NO. */
static void
refuse_held(struct session *sn)
{
	struct slice held = buf_slice(&sn->held), marks = buf_slice(&sn->held_marks);
	struct buf *out = link_out(sn->wire);
	struct held_mark m;
	size_t at = 0;

	mupdate_server_set_out(sn->core, out);
	for (; marks.n >= sizeof(m); marks = slice_skip(marks, sizeof(m))) {
		memcpy(&m, marks.p, sizeof(m));
		buf_add_slice(out, slice_sub(held, at, m.start - at));
		session_reply_no(sn, m.tag, MUPDATE_CODE_LATER, "it cannot be written now");
		at = m.end;
	}
	buf_add_slice(out, slice_skip(held, at));
	sn->has_pushed = false;
}

void
session_released(struct session *sn, enum mapdb_outcome outcome)
{
	sn->is_held = false;
	sn->group_bytes = 0;
	if (sn->wire != NULL && outcome == MAPDB_UNKNOWN)
		session_end(sn, "the change could not be written", false);
	else if (sn->wire != NULL && outcome == MAPDB_UNDONE)
		refuse_held(sn);
	else if (sn->wire != NULL)
		buf_add_slice(link_out(sn->wire), buf_slice(&sn->held));
	buf_clear(&sn->held);
	buf_clear(&sn->held_marks);
	if (sn->wire == NULL)
		return;
	mupdate_server_set_out(sn->core, link_out(sn->wire));
	link_flush(sn->wire);
	if (sn->waits_for_group)
		session_resume(sn);
	sn->waits_for_group = false;
}

/* ---- login ------------------------------------------------------------------------------------- */

static void
login_done(struct session *sn, const struct auth_reply *r)
{
	struct service_identity id;
	const char *why = r->result == AUTH_TEMP ? "try again later" : "authentication failed";

	if (r->result == AUTH_OK && service_identity(sn->service, r->user, &id)) {
		sn->identity = xstrdup(r->user);
		sn->read_only = id.read_only;
		sn->log.user = sn->identity;
		link_set_deadline(sn->wire, sn->conf->idle_ms);
		log_info(&sn->log, "session.login");
		mupdate_server_auth_done(sn->core, true, "Authenticated");
		return;
	}
	if (r->result == AUTH_OK)
		log_warning(&sn->log, "session.denied user=%s reason=\"no [identity] for mupdate\"",
		            log_esc(r->user));
	mupdate_server_auth_done(sn->core, false, why);
}

static void
on_auth(void *ctx, UNUSED uint64_t id, const struct auth_reply *r)
{
	struct session *sn = ctx;

	if (r->result == AUTH_CONTINUE) {
		mupdate_server_auth_continue(sn->core, r->challenge);
	} else {
		sn->auth_id = 0;
		login_done(sn, r);
	}
	session_resume(sn);
}

static void
on_auth_start(void *ctx, const char *mech, struct slice initial)
{
	struct session *sn = ctx;
	const struct auth_session who = { "mupdate", sn->id, sn->peer,
		                          conn_is_tls(link_conn(sn->wire)) };

	sn->auth_id = auth_start(sn->conf->auth, &who, mech, initial, on_auth, sn);
}

static void
on_auth_step(void *ctx, struct slice response)
{
	struct session *sn = ctx;

	auth_step(sn->conf->auth, sn->auth_id, response);
}

static void
on_auth_abort(void *ctx)
{
	struct session *sn = ctx;

	auth_cancel(sn->conf->auth, sn->auth_id);
	sn->auth_id = 0;
}

static void
on_starttls(void *ctx)
{
	struct session *sn = ctx;

	sn->in_handshake = true;
	link_start_tls_server(sn->wire, sn->conf->tls);
}

static void
on_goodbye(void *ctx, const char *why)
{
	struct session *sn = ctx;

	if (strcmp(why, "logout") == 0)
		session_change_logout(sn);
	service_commit(sn->service);
	session_end(sn, why, true);
}

/* ---- reading ------------------------------------------------------------------------------------- */

static bool
is_complete(const struct session *sn)
{
	return mapdb_info(sn->conf->db)->state == LOCATION_MAP_COMPLETE;
}

static void
cmd_find(struct session *sn, const struct mupdate_cmd *cmd)
{
	struct arena *a = arena_new("mupdate.find");
	struct location loc;

	if (mapdb_find(sn->conf->db, cmd->name, a, &loc)) {
		feed_tell(sn->core, cmd->tag, &loc);
	} else if (!is_complete(sn)) {
		mupdate_server_reply(sn->core, cmd->tag, MUPDATE_NO, MUPDATE_CODE_LATER,
		                     "the list is not complete");
		goto out;
	}
	mupdate_server_reply(sn->core, cmd->tag, MUPDATE_OK, MUPDATE_CODE_NONE, "Search completed");
	/* Short questions, long answers: the next one when these have gone out. */
	sn->is_full = link_is_congested(sn->wire);
	if (sn->is_full)
		mupdate_server_wait(sn->core);
out:
	arena_free(&a);
}

static void feed_run(struct session *sn);

static void
on_feed_later(void *ctx)
{
	struct session *sn = ctx;

	sn->feed_deferred = false;
	feed_run(sn);
}

static void
feed_run_later(struct session *sn)
{
	if (!sn->feed_deferred)
		loop_defer(sn->conf->loop, on_feed_later, sn);
	sn->feed_deferred = true;
}

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
		feed_run_later(sn);
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
		session_end(sn, "too far behind", false);
		break;
	}
}

static void
on_stall(void *ctx)
{
	struct session *sn = ctx;

	metrics_add(&mupdate_metrics[MUPDATE_M_DROPPED], 1);
	session_end(sn, "takes nothing", false);
}

void
session_kick(struct session *sn)
{
	if (sn->feed != NULL && feed_is_update(sn->feed))
		feed_run_later(sn);
}

/* A Cyrus front end takes any answer to UPDATE, NO and BYE too, for the end of the list, and
 * forgets all names that were not in it. So a plain peer that cannot have the list, or not all
 * of it, gets no answer: it is cut, keeps what it has, and comes again. */
static bool
is_in_plain_list(const struct session *sn)
{
	return sn->feed != NULL && feed_is_update(sn->feed) && feed_is_in_list(sn->feed) &&
	       !mupdate_server_is_extended(sn->core);
}

/* Of what a peer has who wants the changes since a revision. One that has more than this list ever
 * had proves that the list is an old copy, of which nothing is told, also when the new one cannot
 * be begun now. */
static enum mapdb_kin
kin_of(struct session *sn, const struct mupdate_cmd *cmd)
{
	enum mapdb_kin kin;

	if (!cmd->is_since || !slice_ieq_str(cmd->history, mapdb_info(sn->conf->db)->history))
		return MAPDB_KIN_UNKNOWN;
	kin = mapdb_compare(sn->conf->db, sn->term, cmd->revision);
	if (kin == MAPDB_KIN_AHEAD && sn->conf->master_url != NULL)
		return MAPDB_KIN_UNKNOWN;
	if (kin == MAPDB_KIN_AHEAD)
		service_start_history(sn->service, sn);
	return kin;
}

/* LIST and UPDATE: the core waits until the list is told. */
static void
feed_start(struct session *sn, const struct mupdate_cmd *cmd, enum feed_kind kind)
{
	enum mapdb_kin kin = kin_of(sn, cmd);
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
	if (!is_complete(sn) && kind == FEED_UPDATE && !mupdate_server_is_extended(sn->core)) {
		session_end(sn, "the list is not complete", false);
		return;
	}
	if (kin == MAPDB_KIN_AHEAD ||
	    (!is_complete(sn) &&
	     (kind == FEED_UPDATE || !cmd->has_place || sn->conf->master_url != NULL))) {
		mupdate_server_reply(sn->core, cmd->tag, MUPDATE_NO, MUPDATE_CODE_LATER,
		                     "the list is not complete");
		return;
	}
	sn->feed = feed_new(sn->conf->db, sn->core, &ask);
	if (kind == FEED_UPDATE) {
		mupdate_server_set_streaming(sn->core);
		sn->is_feed_counted = true;
		metrics_add(&mupdate_metrics[MUPDATE_M_FEEDS], 1);
	}
	mupdate_server_wait(sn->core);
	feed_run_later(sn);
}

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
		feed_run_later(sn);
	} else {
		noop_done(sn);
	}
}

/* Its answer comes behind every change that was acknowledged before it. */
static void
cmd_noop(struct session *sn, const struct mupdate_cmd *cmd)
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
		feed_run_later(sn);
}

/* Only while the list is new: later a higher term is another master's. */
static bool
raise_term(struct session *sn, uint64_t above)
{
	if (sn->conf->master_url != NULL ||
	    mapdb_info(sn->conf->db)->state != LOCATION_MAP_REBUILDING ||
	    !service_begin(sn->service))
		return false;
	log_warning(&sn->log, "map.term raised=%" PRIu64 " reason=\"a peer knows the term before\"",
	            above + 1);
	mapdb_raise_term(sn->conf->db, above);
	return service_commit(sn->service);
}

static void
cmd_roost(struct session *sn, const struct mupdate_cmd *cmd)
{
	const struct mapdb_info *info = mapdb_info(sn->conf->db);

	if (!slice_eq_str(cmd->cluster, sn->conf->cluster)) {
		log_warning(&sn->log, "session.denied cluster=%s", log_esc_slice(cmd->cluster));
		mupdate_server_reply(sn->core, cmd->tag, MUPDATE_NO, MUPDATE_CODE_CLUSTER,
		                     "this is another cluster");
		return;
	}
	if (cmd->term > info->term && cmd->term < TERM_MOST && raise_term(sn, cmd->term))
		info = mapdb_info(sn->conf->db);
	if (cmd->term > info->term) {
		log_error(&sn->log,
		          "session.denied reason=\"the peer knows a newer master\" "
		          "term=%" PRIu64 " ours=%" PRIu64,
		          cmd->term, info->term);
		mupdate_server_reply(sn->core, cmd->tag, MUPDATE_NO, MUPDATE_CODE_STALE,
		                     "there is a newer master");
		return;
	}
	sn->term = cmd->term;
	if (mapdb_compare(sn->conf->db, sn->term, 0) == MAPDB_KIN_AHEAD)
		service_start_history(sn->service, sn);
	mupdate_server_hello(sn->core, cmd->tag, sn->conf->cluster, info->history, info->revision,
	                     info->term, is_complete(sn));
	mupdate_server_set_extended(sn->core);
	mupdate_server_reply(sn->core, cmd->tag, MUPDATE_OK, MUPDATE_CODE_NONE, "hello");
}

static void
on_command(void *ctx, const struct mupdate_cmd *cmd)
{
	struct session *sn = ctx;

	switch (cmd->verb) {
	case MUPDATE_V_ACTIVATE:
	case MUPDATE_V_DEACTIVATE:
	case MUPDATE_V_DELETE:
	case MUPDATE_V_RESERVE:
		session_change(sn, cmd);
		return;
	case MUPDATE_V_PUSHED:
		session_change_pushed(sn, cmd);
		return;
	default:
		break;
	}
	service_commit(sn->service);
	if (sn->wire == NULL)
		return;
	switch (cmd->verb) {
	case MUPDATE_V_FIND:
		cmd_find(sn, cmd);
		break;
	case MUPDATE_V_LIST:
		session_change_listed(sn, cmd->place);
		feed_start(sn, cmd, FEED_LIST);
		break;
	case MUPDATE_V_UPDATE:
		feed_start(sn, cmd, FEED_UPDATE);
		break;
	case MUPDATE_V_NOOP:
		cmd_noop(sn, cmd);
		break;
	default:
		must(cmd->verb == MUPDATE_V_ROOST);
		cmd_roost(sn, cmd);
		break;
	}
}

/* ---- the wire ------------------------------------------------------------------------------------- */

static size_t
on_input(void *ctx, struct slice in)
{
	struct session *sn = ctx;
	size_t used;

	if (sn->identity != NULL)
		link_set_deadline(sn->wire, sn->conf->idle_ms);
	used = mupdate_server_input(sn->core, in);
	if (sn->wire != NULL && mupdate_server_is_waiting(sn->core) && !sn->in_handshake)
		link_pause(sn->wire);
	return used;
}

static void
on_drained(void *ctx)
{
	struct session *sn = ctx;

	if (sn->is_full)
		session_resume(sn);
	sn->is_full = false;
	/* What the peer asks is heard before the output is full again. */
	feed_run_later(sn);
}

static void
on_tls(void *ctx)
{
	struct session *sn = ctx;

	sn->in_handshake = false;
	mupdate_server_tls_started(sn->core);
}

static void
on_deadline(void *ctx)
{
	struct session *sn = ctx;
	bool may_speak;

	/* A Cyrus slave that follows says nothing for days. */
	if (sn->feed != NULL && sn->feed_live && !mupdate_server_is_extended(sn->core))
		return;
	/* In a handshake there is no way to say anything. */
	may_speak = !is_in_plain_list(sn) && !sn->in_handshake;
	if (!sn->is_held && may_speak)
		mupdate_server_reply(sn->core, "*", MUPDATE_BYE, MUPDATE_CODE_NONE,
		                     "idle for too long");
	session_end(sn, "idle", may_speak);
}

static void
on_closed(void *ctx, enum conn_end why)
{
	session_end(ctx, conn_end_text(why), false);
}

static const struct link_ops link_ops = { .input = on_input,
	                                  .drained = on_drained,
	                                  .tls = on_tls,
	                                  .deadline = on_deadline,
	                                  .closed = on_closed };

/* The largest command (an ACL of 64 KiB) must fit. */
static const struct link_limits link_limits = {
	.input_bytes = 65536, .output_high = 262144, .output_low = 65536, .output_max = 8u << 20
};

struct session *
session_new(struct service *s, struct conn **c)
{
	static const struct mupdate_server_ops ops = { on_auth_start, on_auth_step, on_auth_abort,
		                                       on_starttls,   on_command,   on_goodbye };
	struct session *sn = xcalloc(1, sizeof(*sn));
	const struct service_config *conf = service_config(s);
	const char *mechs = auth_mechs(conf->auth);

	sn->service = s;
	sn->conf = conf;
	list_init(&sn->link);
	list_init(&sn->group_link);
	buf_init(&sn->held, 8u << 20);
	buf_init(&sn->held_marks, SIZE_MAX);
	timer_init(&sn->stall, conf->loop, on_stall, sn);
	ids_session(sn->id);
	addr_host_text(conn_peer(*c), sn->peer);
	sn->log = (struct log_ctx){ .session = sn->id, .peer = sn->peer };
	sn->started_ms = clock_mono_ms();
	sn->core_conf = (struct mupdate_server_conf){
		.hostname = conf->hostname,
		.version = VERSION,
		.master_url = conf->master_url,
		.tls_offered = conf->tls != NULL,
		.tls_required = !conf_nets_has(conf->conf, "plaintext_networks", conn_peer(*c)),
		.bad_max = BAD_MAX,
	};
	sn->wire = link_new(c, &link_ops, sn, &link_limits);
	sn->core = mupdate_server_new(&sn->core_conf, mechs, mechs, false, &ops, sn,
	                              link_out(sn->wire));
	link_set_deadline(sn->wire, conf->login_ms);
	metrics_add(&mupdate_metrics[MUPDATE_M_SESSIONS], 1);
	mupdate_server_greet(sn->core);
	link_flush(sn->wire);
	return sn;
}

void
session_drain(struct session *sn)
{
	bool cut = is_in_plain_list(sn);

	if (sn->wire == NULL)
		return;
	if (!cut)
		mupdate_server_reply(sn->core, "*", MUPDATE_BYE, MUPDATE_CODE_NONE,
		                     "shutting down");
	session_end(sn, "shutting down", !cut);
}

void
session_cut(struct session *sn, const char *why)
{
	session_end(sn, why, false);
}

bool
session_give_way(struct session *sn)
{
	if (sn->wire == NULL || sn->identity != NULL)
		return false;
	session_end(sn, "has not logged in, and others wait", false);
	return true;
}

/* ---- for the service ------------------------------------------------------------------------------- */

struct list *
session_link(struct session *sn)
{
	return &sn->link;
}

struct session *
session_of_link(struct list *link)
{
	return LIST_ITEM(link, struct session, link);
}

struct list *
session_group_link(struct session *sn)
{
	return &sn->group_link;
}

struct session *
session_of_group_link(struct list *link)
{
	return LIST_ITEM(link, struct session, group_link);
}

struct session_info
session_info(const struct session *sn)
{
	return (struct session_info){
		.identity = sn->identity,
		.peer = sn->peer,
		.id = sn->id,
		.is_feed = sn->feed != NULL && feed_is_update(sn->feed),
		.revision = sn->feed != NULL ? feed_revision(sn->feed) : 0,
		.tls = sn->wire != NULL && conn_is_tls(link_conn(sn->wire)),
		.age_s = (clock_mono_ms() - sn->started_ms) / 1000,
	};
}
