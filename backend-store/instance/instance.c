#include "instance/instance.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/xalloc.h"
#include "conf/common.h"
#include "log/log.h"

#define TICK_MS 1000

/* ---- settings that must fit each other ----------------------------------------------------- */

static bool
has_addresses(const struct conf *c, const char *setting)
{
	size_t n;

	(void)conf_addrs(c, setting, &n);
	return n > 0;
}

static const char *const tls_listeners[] = { "imaps_listen", "pop3s_listen" };

static int
check_tls(const struct conf *c, struct err *err)
{
	bool cert = conf_is_set(c, "tls_cert"), key = conf_is_set(c, "tls_key");
	struct tls_ctx *tls;

	if (cert != key) {
		err_set(err, "tls_cert and tls_key belong together, and only one is set");
		return -1;
	}
	for (size_t k = 0; !cert && k < ARRAY_LEN(tls_listeners); k++) {
		if (!has_addresses(c, tls_listeners[k]))
			continue;
		err_set(err, "%s needs tls_cert and tls_key", tls_listeners[k]);
		return -1;
	}
	if (!cert)
		return 0;
	tls = tls_server_new(conf_str(c, "tls_cert"), conf_str(c, "tls_key"), err);
	if (tls == NULL)
		return -1;
	tls_free(&tls);
	return 0;
}

/* Our name, or NULL. */
static const char *
server_name(const struct conf *c)
{
	return conf_str(c, "server") != NULL ? conf_str(c, "server") : conf_instance(c);
}

/* The settings for new users; lists of the arena. */
static struct new_user
read_new_user(const struct conf *c, struct arena *a)
{
	const char *text = conf_str(c, "default_subscriptions");
	struct slice rest = slice_of(text != NULL ? text : "");
	size_t n, count = 1, k = 0;
	const char *const *folders = conf_list(c, "new_user_folders", &n);
	const char **list = arena_array(a, n + 1, sizeof(*list)), **names;

	for (size_t i = 0; i < n; i++)
		list[i] = folders[i];
	list[n] = NULL;
	for (size_t i = 0; i < rest.n; i++)
		count += rest.p[i] == ',';
	names = arena_array(a, count + 1, sizeof(*names));
	while (rest.n > 0) {
		struct slice name = slice_trim(slice_cut(&rest, ','));

		if (name.n > 0)
			names[k++] = arena_slice_str(a, name);
	}
	names[k] = NULL;
	return (struct new_user){ list, names };
}

static int
check_new_user(const struct conf *c, struct err *err)
{
	struct arena *a = arena_new("store.check");
	struct new_user n = read_new_user(c, a);
	const char *domain = conf_str(c, "default_domain");
	bool ok = store_check_new_user(&n, domain != NULL ? domain : "", err);

	arena_free(&a);
	return ok ? 0 : -1;
}

int
instance_check(const struct conf *c, struct err *err)
{
	if (server_name(c) == NULL) {
		err_set(err, "this store has no name: give it an instance ([roost-store NAME]) or "
		             "the setting server");
		return -1;
	}
	if (cluster_check(c, err) == -1 || check_new_user(c, err) == -1)
		return -1;
	if (transfer_check(c, err) == -1)
		return -1;
	return check_tls(c, err);
}

/* ---- the parts --------------------------------------------------------------------------------- */

static bool
open_tls(const struct conf *c, struct tls_ctx **tls_r, struct tls_ctx **master_r, struct err *err)
{
	*tls_r = *master_r = NULL;
	if (conf_is_set(c, "tls_cert")) {
		*tls_r = tls_server_new(conf_str(c, "tls_cert"), conf_str(c, "tls_key"), err);
		if (*tls_r == NULL)
			return false;
	}
	if (cluster_is_wanted(c) && cluster_wants_tls(c)) {
		*master_r = tls_client_new(conf_str(c, "tls_ca"), TLS_VERIFY_NAME, err);
		if (*master_r == NULL)
			return false;
	}
	return true;
}

static struct quota_policy
quota_policy(const struct conf *c)
{
	return (struct quota_policy){
		.default_bytes = conf_bytes(c, "default_quota"),
		.default_messages = conf_int(c, "default_quota_messages"),
		.grace_percent = (unsigned)conf_percent(c, "quota_grace"),
	};
}

static void
set_compaction(struct store *s, const struct conf *c)
{
	struct engine_compact_policy p = {
		.on = conf_bool(c, "compact"),
		.dead_percent = (unsigned)conf_percent(c, "compact_dead"),
		.rate = conf_bytes(c, "compact_rate"),
	};

	engine_set_compaction(store_engine(s), &p);
}

/* For the cluster port off loopback: where there is a certificate. */
static bool
open_peer_tls(const struct conf *c, struct tls_ctx **tls_r, struct err *err)
{
	*tls_r = NULL;
	if (!cluster_is_wanted(c) || !conf_is_set(c, "tls_cert"))
		return true;
	*tls_r = tls_peer_new(conf_str(c, "tls_cert"), conf_str(c, "tls_key"),
	                      conf_str(c, "tls_ca"), err);
	return *tls_r != NULL;
}

static bool
open_store(struct instance *i, struct err *err)
{
	const struct conf *c = i->conf;
	struct arena *a = arena_new("store.open");
	struct store_config sc = {
		.dir = conf_str(c, "data_dir"),
		.server = i->server,
		.default_domain = conf_str(c, "default_domain"),
		.new_user = read_new_user(c, a),
		.loop = svc_loop(i->svc),
		.threads = true,
		.segment_bytes = conf_bytes(c, "segment_bytes"),
		.floor_bytes = conf_bytes(c, "free_floor"),
		.duplicate_window_ms = conf_ms(c, "duplicate_window"),
		.hot_bytes = conf_bytes(c, "cache_bytes"),
		.quota = quota_policy(c),
	};

	i->store = store_open(&sc, err);
	arena_free(&a);
	if (i->store != NULL)
		set_compaction(i->store, i->conf);
	return i->store != NULL;
}

static void
open_cluster(struct instance *i)
{
	struct cluster_config cc = {
		.loop = svc_loop(i->svc),
		.store = i->store,
		.server = i->server,
		.tls = i->master_tls,
	};

	if (!cluster_is_wanted(i->conf))
		return;
	cluster_config_fill(&cc, i->conf);
	i->cluster = cluster_new(&cc);
	store_set_names(i->store, cluster_names(i->cluster));
}

static void
open_protocols(struct instance *i)
{
	i->imap = imap_service_new(&(struct imap_service_config){
		.loop = svc_loop(i->svc),
		.store = i->store,
		.auth = svc_auth(i->svc),
		.conf = i->conf,
		.tls = i->tls,
		.server = i->server,
		.spool_dir = conf_str(i->conf, "data_dir"),
	});
	i->lmtp = lmtp_service_new(&(struct lmtp_service_config){
		.loop = svc_loop(i->svc),
		.store = i->store,
		.auth = svc_auth(i->svc),
		.conf = i->conf,
		.tls = i->tls,
		.server = i->server,
		.alone = i->cluster == NULL,
		.spool_dir = conf_str(i->conf, "data_dir"),
	});
	i->pop3 = pop3_service_new(&(struct pop3_service_config){
		.loop = svc_loop(i->svc),
		.auth = svc_auth(i->svc),
		.conf = i->conf,
		.tls = i->tls,
		.ops = &pop3_store_ops,
		.owner = i->store,
	});
}

static void
end_sessions(void *ctx, struct slice user)
{
	struct instance *i = ctx;

	imap_service_end_user(i->imap, user);
	pop3_service_end_user(i->pop3, user);
}

static void
reconcile(void *ctx)
{
	(void)cluster_force(((struct instance *)ctx)->cluster, false);
}

static void
open_transfer(struct instance *i)
{
	i->transfer = transfer_new(&(struct transfer_config){
		.loop = svc_loop(i->svc),
		.store = i->store,
		.names = i->cluster != NULL ? cluster_names(i->cluster) : NULL,
		.auth = svc_auth(i->svc),
		.conf = i->conf,
		.tls = i->peer_tls,
		.server = i->server,
		.end_sessions = end_sessions,
		.reconcile = reconcile,
		.ctx = i,
	});
}

/* ---- connections ------------------------------------------------------------------------------- */

static void
on_imap(void *ctx, struct conn **c)
{
	imap_session_start(((struct instance *)ctx)->imap, c, false);
}

static void
on_imaps(void *ctx, struct conn **c)
{
	imap_session_start(((struct instance *)ctx)->imap, c, true);
}

static void
on_lmtp(void *ctx, struct conn **c)
{
	lmtp_session_start(((struct instance *)ctx)->lmtp, c);
}

static void
on_pop3(void *ctx, struct conn **c)
{
	pop3_session_start(((struct instance *)ctx)->pop3, c, false);
}

static void
on_cluster(void *ctx, struct conn **c)
{
	transfer_accept(((struct instance *)ctx)->transfer, c);
}

static void
on_pop3s(void *ctx, struct conn **c)
{
	pop3_session_start(((struct instance *)ctx)->pop3, c, true);
}

/* ---- once a second -------------------------------------------------------------------------------- */

static void
on_tick(void *ctx)
{
	struct instance *i = ctx;
	struct engine_stats e;
	struct store_stats s;

	engine_look_at_space(store_engine(i->store));
	engine_get_stats(store_engine(i->store), &e);
	store_get_stats(i->store, &s);
	metrics_set(&store_metrics[STORE_M_MAILBOXES], store_count(i->store));
	metrics_set(&store_metrics[STORE_M_QUOTA_FULL], quota_count_full(i->store));
	metrics_set(&store_metrics[STORE_M_HOT], s.hot);
	metrics_set(&store_metrics[STORE_M_HOT_BYTES], s.hot_bytes);
	metrics_set(&store_metrics[STORE_M_BATCHES], e.batches);
	metrics_set(&store_metrics[STORE_M_TRANSACTIONS], e.transactions);
	metrics_set(&store_metrics[STORE_M_BYTES], e.bytes_written);
	metrics_set(&store_metrics[STORE_M_QUEUED], e.queued_bytes);
	metrics_set(&store_metrics[STORE_M_UNINDEXED], e.published_lsn - e.indexed_lsn);
	metrics_set(&store_metrics[STORE_M_FREE], e.free_bytes);
	metrics_set(&store_metrics[STORE_M_SEGMENTS], e.segments);
	metrics_set(&store_metrics[STORE_M_LIVE], e.compact.live_bytes);
	metrics_set(&store_metrics[STORE_M_DEAD], e.compact.dead_bytes);
	metrics_set(&store_metrics[STORE_M_COPIED], e.compact.copied_bytes);
	metrics_set(&store_metrics[STORE_M_DROPPED], e.compact.dropped);
	metrics_set(&store_metrics[STORE_M_DROPPED_BYTES], e.compact.dropped_bytes);
	metrics_set(&store_metrics[STORE_M_KEPT], e.compact.kept_damaged);
	metrics_set(&store_metrics[STORE_M_DAMAGED], e.damaged);
	metrics_set(&store_metrics[STORE_M_FULL], e.full);
	metrics_set(&store_metrics[STORE_M_FAILED], e.failed);
	timer_set(&i->tick, TICK_MS);
}

/* ---- start and end ---------------------------------------------------------------------------------- */

void *
instance_start(struct svc_worker *w, struct err *err)
{
	struct instance *i = xcalloc(1, sizeof(*i));

	i->svc = w;
	i->conf = svc_conf(w);
	i->server = server_name(i->conf);
	timer_init(&i->tick, svc_loop(w), on_tick, i);
	if (!open_tls(i->conf, &i->tls, &i->master_tls, err) ||
	    !open_peer_tls(i->conf, &i->peer_tls, err) || !open_store(i, err)) {
		instance_stop(i);
		return NULL;
	}
	open_cluster(i);
	open_protocols(i);
	open_transfer(i);
	control_start(i);
	admin_start(i);
	moves_start(i);
	disk_start(i);
	on_tick(i);
	log_info(NULL, "store.start server=%s mailboxes=%llu", log_esc(i->server),
	         (unsigned long long)store_count(i->store));
	svc_listen(w, "imap", on_imap, i);
	svc_listen(w, "imaps", on_imaps, i);
	svc_listen(w, "lmtp", on_lmtp, i);
	svc_listen(w, "pop3", on_pop3, i);
	svc_listen(w, "pop3s", on_pop3s, i);
	svc_listen(w, "cluster", on_cluster, i);
	return i;
}

static bool
same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Sessions from now on get the new settings; what the store was opened with stays. */
int
instance_reload(void *app, const struct conf *c, struct err *err)
{
	static const char *const fixed[] = { "data_dir", "default_domain", "cluster" };
	struct instance *i = app;
	struct tls_ctx *tls, *master_tls, *peer_tls;
	struct quota_policy policy;

	for (size_t k = 0; k < ARRAY_LEN(fixed); k++) {
		const char *was =
			k == 2 ? conf_enum_text(i->conf, fixed[k]) : conf_str(i->conf, fixed[k]);
		const char *is = k == 2 ? conf_enum_text(c, fixed[k]) : conf_str(c, fixed[k]);

		if (same(was, is))
			continue;
		err_set(err, "another %s needs a restart", fixed[k]);
		return -1;
	}
	if (!same(server_name(c), i->server)) {
		err_set(err, "another name of the store needs a restart");
		return -1;
	}
	if (!open_tls(c, &tls, &master_tls, err)) {
		tls_free(&tls);
		return -1;
	}
	if (!open_peer_tls(c, &peer_tls, err)) {
		tls_free(&tls);
		tls_free(&master_tls);
		return -1;
	}
	tls_free(&master_tls); /* the link to the master keeps its own */
	policy = quota_policy(c);
	quota_set_policy(i->store, &policy);
	set_compaction(i->store, c);
	imap_service_set_conf(i->imap, c, tls);
	lmtp_service_set_conf(i->lmtp, c, tls);
	pop3_service_set_conf(i->pop3, c, tls);
	tls_free(&i->tls);
	i->tls = tls;
	i->conf = c;
	i->server = server_name(c);
	transfer_set_conf(i->transfer, c, peer_tls, i->server);
	tls_free(&i->peer_tls);
	i->peer_tls = peer_tls;
	return 0;
}

static void
on_drained(void *ctx)
{
	struct instance *i = ctx;

	if (--i->draining == 0)
		svc_drained(i->svc);
}

void
instance_drain(void *app)
{
	struct instance *i = app;

	i->draining = 3;
	imap_service_drain(i->imap, on_drained, i);
	lmtp_service_drain(i->lmtp, on_drained, i);
	pop3_service_drain(i->pop3, false, on_drained, i);
}

void
instance_stop(void *app)
{
	struct instance *i = app;

	transfer_free(&i->transfer);
	imap_service_free(&i->imap);
	lmtp_service_free(&i->lmtp);
	pop3_service_free(&i->pop3);
	if (i->store != NULL)
		store_set_names(i->store, NULL);
	cluster_free(&i->cluster);
	store_close(&i->store);
	timer_fini(&i->tick);
	tls_free(&i->tls);
	tls_free(&i->master_tls);
	tls_free(&i->peer_tls);
	free(i);
}
