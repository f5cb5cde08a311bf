#include "session_impl.h"

#include "base/clock.h"
#include "base/version.h"
#include "base/xalloc.h"
#include "feed.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define BAD_MAX 10

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
	arena_free(&sn->scratch);
	buf_fini(&sn->held);
	buf_fini(&sn->held_marks);
	free(sn->identity);
	free(sn->listed_own);
	arena_free(&sn->deleted_arena);
	free(sn);
	*snp = NULL;
}

static void
free_later(void *ctx)
{
	struct session *sn = ctx;

	session_free(&sn);
}

void
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

void
session_resume(struct session *sn)
{
	mupdate_server_resume(sn->core);
	if (sn->wire == NULL)
		return;
	link_flush(sn->wire);
	link_resume(sn->wire);
}

/* ---- what the core asks for ------------------------------------------------------------------------ */

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

/* Which command is whose. Before one that reads, the open group ends, so that it sees what is on
 * disk (service.h, invariant 2). */
static const struct {
	void (*run)(struct session *sn, const struct mupdate_cmd *cmd);
	bool joins_group;
} commands[MUPDATE_V_COUNT] = {
	[MUPDATE_V_ACTIVATE] = { session_change, true },
	[MUPDATE_V_DEACTIVATE] = { session_change, true },
	[MUPDATE_V_DELETE] = { session_change, true },
	[MUPDATE_V_RESERVE] = { session_change, true },
	[MUPDATE_V_PUSHED] = { session_change_pushed, true },
	[MUPDATE_V_FIND] = { session_read_find, false },
	[MUPDATE_V_LIST] = { session_read_list, false },
	[MUPDATE_V_UPDATE] = { session_read_update, false },
	[MUPDATE_V_NOOP] = { session_read_noop, false },
	[MUPDATE_V_ROOST] = { session_roost, false },
};

static void
on_command(void *ctx, const struct mupdate_cmd *cmd)
{
	struct session *sn = ctx;

	arena_reset(sn->scratch);
	sn->commands++;
	if (!commands[cmd->verb].joins_group) {
		service_commit(sn->service);
		if (sn->wire == NULL)
			return;
	}
	commands[cmd->verb].run(sn, cmd);
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
	session_read_later(sn);
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
	may_speak = !session_read_is_in_plain_list(sn) && !sn->in_handshake;
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
	static const struct mupdate_server_ops ops = { .auth_start = session_login_start,
		                                       .auth_step = session_login_step,
		                                       .auth_abort = session_login_abort,
		                                       .starttls = on_starttls,
		                                       .command = on_command,
		                                       .goodbye = on_goodbye };
	struct session *sn = xcalloc(1, sizeof(*sn));
	const struct service_config *conf = service_config(s);
	const char *mechs = auth_mechs(conf->auth);

	sn->service = s;
	sn->conf = conf;
	list_init(&sn->link);
	list_init(&sn->group_link);
	sn->scratch = arena_new("mupdate.cmd");
	buf_init(&sn->held, 8u << 20);
	buf_init(&sn->held_marks, SIZE_MAX);
	timer_init(&sn->stall, conf->loop, session_read_stalled, sn);
	ids_session(sn->id);
	addr_host_text(conn_peer(*c), sn->peer);
	sn->log = (struct log_ctx){ .session = sn->id, .peer = sn->peer };
	sn->started_ms = clock_mono_ms();
	sn->core_conf = (struct mupdate_server_conf){
		.hostname = conf->hostname,
		.version = ROOST_VERSION,
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
	bool cut = session_read_is_in_plain_list(sn);

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
