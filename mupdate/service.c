#include "service.h"

#include "base/map.h"
#include "base/xalloc.h"
#include "log/log.h"
#include "session.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define CONFLICTS_MAX 10000
#define GROUP_BYTES 65536 /* less than FEED_PIECE of session_read.c */

struct metric mupdate_metrics[MUPDATE_M_COUNT] = {
	[MUPDATE_M_SESSIONS] =
		METRIC_GAUGE("roost_mupdate_sessions", NULL, "Open MUPDATE connections."),
	[MUPDATE_M_FEEDS] = METRIC_GAUGE("roost_mupdate_subscribers", NULL,
	                                 "Connections that follow the list (UPDATE)."),
	[MUPDATE_M_CHANGES] =
		METRIC_COUNTER("roost_mupdate_changes_total", NULL, "Changes of the list."),
	[MUPDATE_M_COMMITS] = METRIC_COUNTER("roost_mupdate_commits_total", NULL,
	                                     "Transactions that carried the changes."),
	[MUPDATE_M_REFUSED] = METRIC_COUNTER("roost_mupdate_refused_total", NULL,
	                                     "Changes that were answered NO."),
	[MUPDATE_M_CONFLICTS] = METRIC_GAUGE("roost_mupdate_conflicts", NULL,
	                                     "Names that two stores say they have."),
	[MUPDATE_M_DROPPED] = METRIC_COUNTER("roost_mupdate_subscribers_dropped_total", NULL,
	                                     "Subscribers that were too slow or too far behind."),
	[MUPDATE_M_LOCATIONS] = METRIC_GAUGE("roost_location_names", NULL, "Names in the list."),
	[MUPDATE_M_REVISION] =
		METRIC_GAUGE("roost_location_revision", NULL, "Revision of the list."),
	[MUPDATE_M_COMPLETE] = METRIC_GAUGE("roost_location_complete", NULL,
	                                    "1 when the list is complete, else 0."),
	[MUPDATE_M_AGE] = METRIC_GAUGE("roost_location_age_seconds", NULL,
	                               "Since the list was last known in step with the master."),
	[MUPDATE_M_CONNECTED] = METRIC_GAUGE("roost_mupdate_master_connected", NULL,
	                                     "1 while this replica follows its master."),
};

struct conflict {
	char *server; /* the one that was refused */
	bool said;    /* since its last push ended */
};

struct service {
	struct service_config conf;
	struct list sessions; /* struct session, session_link() */
	char *hostname, *cluster, *master_url;
	struct list group; /* have answers that wait for the commit */
	size_t group_count, last_group_count;
	bool commit_deferred;
	bool draining;
	struct map *conflicts; /* name -> struct conflict, on the heap */
	service_barrier_fn *barrier;
	service_barrier_cancel_fn *barrier_cancel;
	void *barrier_ctx;
};

struct service *
service_new(const struct service_config *c)
{
	struct service *s = xcalloc(1, sizeof(*s));

	s->conf = *c;
	s->conf.hostname = s->hostname = xstrdup(c->hostname);
	s->conf.cluster = s->cluster = xstrdup(c->cluster);
	if (c->master_url != NULL)
		s->conf.master_url = s->master_url = xstrdup(c->master_url);
	list_init(&s->sessions);
	list_init(&s->group);
	s->conflicts = map_new();
	return s;
}

void
service_free(struct service **sp)
{
	struct service *s = *sp;
	struct slice key;
	size_t pos = 0;
	void *value;

	if (s == NULL)
		return;
	service_commit(s);
	while (!list_is_empty(&s->sessions)) {
		struct session *sn = session_of_link(s->sessions.next);

		session_free(&sn);
	}
	loop_forget(s->conf.loop, s);
	while (map_next(s->conflicts, &pos, &key, &value)) {
		free(((struct conflict *)value)->server);
		free(value);
	}
	map_free(&s->conflicts);
	free(s->hostname);
	free(s->cluster);
	free(s->master_url);
	free(s);
	*sp = NULL;
}

const struct service_config *
service_config(const struct service *s)
{
	return &s->conf;
}

void
service_set_conf(struct service *s, const struct conf *conf, struct tls_ctx *tls)
{
	s->conf.conf = conf;
	s->conf.tls = tls;
}

/* ---- sessions ---------------------------------------------------------------------------------- */

/* So that those who say nothing keep nobody out: the one that has said nothing for longest goes. */
static bool
make_room(struct service *s)
{
	for (struct list *l = s->sessions.next; l != &s->sessions; l = l->next)
		if (session_give_way(session_of_link(l)))
			return true;
	return false;
}

void
service_accept(void *ctx, struct conn **c)
{
	struct service *s = ctx;
	struct session *sn;
	char peer[ADDR_TEXT_LEN];

	if (s->draining || (service_session_count(s) >= s->conf.session_max && !make_room(s))) {
		log_warning(NULL, "session.refused peer=%s reason=\"too many connections\"",
		            addr_host_text(conn_peer(*c), peer));
		conn_free(c);
		return;
	}
	sn = session_new(s, c);
	list_add_tail(&s->sessions, session_link(sn));
}

size_t
service_session_count(const struct service *s)
{
	size_t n = 0;

	for (const struct list *l = s->sessions.next; l != &s->sessions; l = l->next)
		n++;
	return n;
}

void
service_each_session(struct service *s, service_session_fn *fn, void *ctx)
{
	struct list *l, *next;

	for (l = s->sessions.next; l != &s->sessions; l = next) {
		next = l->next;
		fn(ctx, session_of_link(l));
	}
}

static void
drain_one(UNUSED void *ctx, struct session *sn)
{
	session_drain(sn);
}

void
service_drain(struct service *s)
{
	s->draining = true;
	service_commit(s);
	service_each_session(s, drain_one, NULL);
}

/* ---- the group --------------------------------------------------------------------------------- */

static void
on_turn_end(void *ctx)
{
	struct service *s = ctx;

	s->commit_deferred = false;
	service_commit(s);
}

bool
service_begin(struct service *s)
{
	struct err err = { "" };

	if (mapdb_begin(s->conf.db, &err) == -1) {
		log_error(NULL, "map.write error=%s", log_esc(err.text));
		return false;
	}
	if (!s->commit_deferred)
		loop_defer(s->conf.loop, on_turn_end, s);
	s->commit_deferred = true;
	return true;
}

void
service_join(struct service *s, struct session *sn)
{
	struct list *link = session_group_link(sn);

	if (list_is_linked(link))
		return;
	list_add_tail(&s->group, link);
	s->group_count++;
}

size_t
service_share(const struct service *s)
{
	return GROUP_BYTES / MAX(s->last_group_count, 1);
}

static void
kick_one(UNUSED void *ctx, struct session *sn)
{
	session_kick(sn);
}

void
service_kick(struct service *s)
{
	const struct mapdb_info *info = mapdb_info(s->conf.db);

	metrics_set(&mupdate_metrics[MUPDATE_M_REVISION], info->revision);
	metrics_set(&mupdate_metrics[MUPDATE_M_COMPLETE], mapdb_is_complete(s->conf.db));
	service_each_session(s, kick_one, NULL);
}

bool
service_commit(struct service *s)
{
	struct err err = { "" };
	enum mapdb_outcome outcome;

	/* What is open at a replica is the stream's, and whoever ends it has to know what became
	 * of it: the revisions behind it would hide that it is missing. */
	if (!mapdb_is_open(s->conf.db) || s->conf.master_url != NULL)
		return true;
	outcome = mapdb_commit(s->conf.db, &err);
	if (outcome != MAPDB_DONE)
		log_error(NULL, "map.commit outcome=%s error=%s",
		          outcome == MAPDB_UNDONE ? "refused" : "unknown", log_esc(err.text));
	metrics_add(&mupdate_metrics[MUPDATE_M_COMMITS], 1);
	s->last_group_count = s->group_count;
	s->group_count = 0;
	while (!list_is_empty(&s->group)) {
		struct list *link = s->group.next;

		list_del(link);
		session_released(session_of_group_link(link), outcome);
	}
	if (outcome == MAPDB_DONE)
		service_kick(s);
	return outcome == MAPDB_DONE;
}

/* ---- who may --------------------------------------------------------------------------------- */

bool
service_identity(const struct service *s, const char *name, struct service_identity *id_r)
{
	const struct conf *section = conf_section(s->conf.conf, "identity", name);
	size_t servers;

	if (section == NULL || !conf_list_has(section, "services", "mupdate"))
		return false;
	(void)conf_list(section, "servers", &servers);
	id_r->name = conf_instance(section);
	id_r->any = servers == 0;
	id_r->read_only = conf_list_has(s->conf.conf, "read_only", name);
	return true;
}

bool
service_speaks(const struct service *s, const char *identity, struct slice server)
{
	const struct conf *section = conf_section(s->conf.conf, "identity", identity);
	const char *const *servers;
	size_t n;

	if (section == NULL)
		return false;
	servers = conf_list(section, "servers", &n);
	for (size_t i = 0; i < n; i++)
		if (slice_eq_str(server, servers[i]))
			return true;
	return n == 0;
}

/* ---- conflicts --------------------------------------------------------------------------------- */

static void
conflict_forget(struct service *s, struct slice name)
{
	struct conflict *c = map_del(s->conflicts, name);

	if (c != NULL)
		free(c->server);
	free(c);
	metrics_set(&mupdate_metrics[MUPDATE_M_CONFLICTS], map_count(s->conflicts));
}

void
service_conflict(struct service *s, struct slice name, struct slice server)
{
	struct conflict *c = map_get(s->conflicts, name);

	log_warning(NULL, "map.conflict mbox=%s refused=%s", log_esc_slice(name),
	            log_esc_slice(server));
	if (c == NULL && map_count(s->conflicts) >= CONFLICTS_MAX)
		return;
	if (c == NULL) {
		c = xcalloc(1, sizeof(*c));
		(void)map_set(s->conflicts, name, c);
	}
	free(c->server);
	c->server = slice_dup(server);
	c->said = true;
	metrics_set(&mupdate_metrics[MUPDATE_M_CONFLICTS], map_count(s->conflicts));
}

void
service_conflict_solved(struct service *s, struct slice name, struct slice server)
{
	const struct conflict *c = map_get(s->conflicts, name);

	if (c != NULL && (server.n == 0 || slice_eq_str(server, c->server)))
		conflict_forget(s, name);
}

/* A push tells all that server has: what it did not say again it has no more. */
static void
conflicts_pushed(struct service *s, struct slice server)
{
	struct slice key;
	size_t pos = 0;
	void *value;

	while (map_next(s->conflicts, &pos, &key, &value)) {
		struct conflict *c = value;

		if (!slice_eq_str(server, c->server))
			continue;
		if (!c->said)
			conflict_forget(s, key);
		else
			c->said = false;
	}
}

void
service_each_conflict(struct service *s, service_conflict_fn *fn, void *ctx)
{
	struct slice key;
	size_t pos = 0;
	void *value;

	while (map_next(s->conflicts, &pos, &key, &value)) {
		char *name = slice_dup(key);

		fn(ctx, name, ((struct conflict *)value)->server);
		free(name);
	}
}

/* ---- a new history ------------------------------------------------------------------------------ */

void
service_each_missing(struct service *s, service_server_fn *fn, void *ctx)
{
	const char *const *servers;
	size_t n;

	servers = conf_list(s->conf.conf, "servers", &n);
	for (size_t i = 0; i < n; i++)
		if (!mapdb_has_pushed(s->conf.db, slice_of(servers[i])))
			fn(ctx, servers[i]);
}

static void
count_one(void *ctx, UNUSED const char *server)
{
	(*(size_t *)ctx)++;
}

static bool
is_rebuilding(const struct service *s)
{
	return mapdb_info(s->conf.db)->state == LOCATION_MAP_REBUILDING;
}

/* In the open group. */
static void
complete_if_all(struct service *s)
{
	size_t missing = 0;

	service_each_missing(s, count_one, &missing);
	if (missing > 0)
		return;
	mapdb_set_state(s->conf.db, LOCATION_MAP_COMPLETE);
	log_info(NULL, "map.complete history=%s", mapdb_info(s->conf.db)->history);
}

void
service_start_history(struct service *s, struct session *by)
{
	struct list *l, *next;

	if (s->conf.master_url != NULL || is_rebuilding(s) || !service_begin(s))
		return;
	log_error(NULL,
	          "map.old history=%s revision=%" PRIu64
	          " peer=%s reason=\"a peer has changes that "
	          "this list never had: it is an old copy; a new list begins\"",
	          mapdb_info(s->conf.db)->history, mapdb_info(s->conf.db)->revision,
	          log_esc(session_info(by).peer));
	mapdb_start_history(s->conf.db);
	if (!service_commit(s))
		return;
	for (l = s->sessions.next; l != &s->sessions; l = next) {
		next = l->next;
		if (session_of_link(l) != by)
			session_cut(session_of_link(l), "a new list begins");
	}
}

void
service_pushed(struct service *s, struct slice server)
{
	mapdb_set_pushed(s->conf.db, server);
	conflicts_pushed(s, server);
	log_info(NULL, "map.pushed server=%s", log_esc_slice(server));
	if (is_rebuilding(s))
		complete_if_all(s);
}

bool
service_complete(struct service *s, const char *server)
{
	const char *const *servers;
	size_t n;

	if (!service_begin(s))
		return false;
	servers = conf_list(s->conf.conf, "servers", &n);
	for (size_t i = 0; i < n; i++)
		if (server == NULL || strcmp(server, servers[i]) == 0)
			mapdb_set_pushed(s->conf.db, slice_of(servers[i]));
	if (is_rebuilding(s))
		complete_if_all(s);
	return service_commit(s);
}

/* ---- barriers ---------------------------------------------------------------------------------- */

void
service_set_barrier(struct service *s, service_barrier_fn *wait, service_barrier_cancel_fn *cancel,
                    void *ctx)
{
	s->barrier = wait;
	s->barrier_cancel = cancel;
	s->barrier_ctx = ctx;
}

uint64_t
service_barrier(struct service *s, service_barrier_done_fn *fn, void *ctx)
{
	return s->barrier != NULL ? s->barrier(s->barrier_ctx, fn, ctx) : 0;
}

void
service_barrier_cancel(struct service *s, uint64_t id)
{
	if (id != 0 && s->barrier_cancel != NULL)
		s->barrier_cancel(s->barrier_ctx, id);
}
