#include "app.h"

#include "base/xalloc.h"
#include "conf/common.h"
#include "log/log.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TICK_MS 1000
#define READER_CHECK_TICKS 10
#define PROVEN_TICKS 60 /* who runs so long does not die of its environment */

static bool
is_master(const struct conf *c)
{
	return strcmp(conf_enum_text(c, "role"), "master") == 0;
}

static bool
wants_tls(const struct conf *c)
{
	return strcmp(conf_enum_text(c, "master_tls"), "starttls") == 0;
}

/* ---- settings that must fit each other ----------------------------------------------------------- */

static int
check_master(const struct conf *c, struct err *err)
{
	size_t n;

	(void)conf_list(c, "servers", &n);
	if (n > 0)
		return 0;
	err_set(err, "role = master needs servers: the names of all stores");
	return -1;
}

static int
check_replica(const struct conf *c, struct err *err)
{
	static const char *const wanted[] = { "master_user", "master_password" };

	if (conf_addr(c, "master") == NULL) {
		err_set(err, "role = replica needs master: its address");
		return -1;
	}
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		if (conf_str(c, wanted[i]) != NULL)
			continue;
		err_set(err, "role = replica needs %s", wanted[i]);
		return -1;
	}
	if (!wants_tls(c) || conf_str(c, "master_tls_name") != NULL)
		return 0;
	err_set(err, "master_tls = starttls needs master_tls_name");
	return -1;
}

/* *tls_r: NULL without a certificate. */
static bool
open_tls_server(const struct conf *c, struct tls_ctx **tls_r, struct err *err)
{
	*tls_r = NULL;
	if (!conf_is_set(c, "tls_cert"))
		return true;
	*tls_r = tls_server_new(conf_str(c, "tls_cert"), conf_str(c, "tls_key"), err);
	return *tls_r != NULL;
}

int
app_check(const struct conf *c, struct err *err)
{
	struct tls_ctx *tls;

	if (conf_is_set(c, "tls_cert") != conf_is_set(c, "tls_key")) {
		err_set(err, "tls_cert and tls_key belong together, and only one is set");
		return -1;
	}
	if (!open_tls_server(c, &tls, err))
		return -1;
	tls_free(&tls);
	return is_master(c) ? check_master(c, err) : check_replica(c, err);
}

/* ---- the parts ------------------------------------------------------------------------------------- */

static bool
open_db(struct app *a, struct err *err)
{
	const struct mapdb_config db = {
		.dir = conf_str(a->conf, a->is_master ? "data_dir" : "location_dir"),
		.cluster = conf_str(a->conf, "cluster_id"),
		.master = a->is_master,
		.log_rows = conf_int(a->conf, "log_changes"),
	};

	a->db = mapdb_open(&db, err);
	return a->db != NULL;
}

static bool
open_tls(struct app *a, struct err *err)
{
	if (!open_tls_server(a->conf, &a->tls_server, err))
		return false;
	if (!a->is_master && wants_tls(a->conf)) {
		a->tls_client = tls_client_new(conf_str(a->conf, "tls_ca"), TLS_VERIFY_NAME, err);
		if (a->tls_client == NULL)
			return false;
	}
	return true;
}

static void
open_service(struct app *a)
{
	const struct conf *c = a->conf;
	struct service_config sc = {
		.loop = svc_loop(a->svc),
		.auth = svc_auth(a->svc),
		.tls = a->tls_server,
		.conf = c,
		.db = a->db,
		.hostname = conf_common_hostname(c),
		.cluster = conf_str(c, "cluster_id"),
		.takeover = strcmp(conf_enum_text(c, "activate"), "takeover") == 0,
		.by_octets = strcmp(conf_enum_text(c, "plain_order"), "octets") == 0,
		.session_max = conf_int(c, "session_max"),
		.login_ms = conf_ms(c, "login_timeout"),
		.idle_ms = conf_ms(c, "idle_timeout"),
		.feed_stall_ms = conf_ms(c, "stall_timeout"),
		.feed_lag = conf_int(c, "lag_max"),
	};
	char text[ADDR_TEXT_LEN];
	char url[ADDR_TEXT_LEN + 16];

	if (!a->is_master) {
		snprintf(url, sizeof(url), "mupdate://%s", addr_text(conf_addr(c, "master"), text));
		sc.master_url = url;
	}
	a->service = service_new(&sc);
}

static void
open_replica(struct app *a)
{
	const struct conf *c = a->conf;
	const struct replica_config rc = {
		.loop = svc_loop(a->svc),
		.db = a->db,
		.service = a->service,
		.master = *conf_addr(c, "master"),
		.tls = a->tls_client,
		.tls_name = conf_str(c, "master_tls_name"),
		.user = conf_str(c, "master_user"),
		.secret = conf_str(c, "master_password"),
		.cluster = conf_str(c, "cluster_id"),
		.keepalive_ms = conf_ms(c, "keepalive"),
		.answer_ms = conf_ms(c, "answer_timeout"),
		.retry_min_ms = conf_ms(c, "retry_min"),
		.retry_max_ms = conf_ms(c, "retry_max"),
	};

	a->replica = replica_new(&rc);
	service_set_barrier(a->service, replica_barrier, replica_barrier_cancel, a->replica);
}

/* Front ends of this host connect to it: those in the group of the list's readers. */
static void
open_to_group(const char *path)
{
	const struct group *g = getgrnam("roost-location");

	if (g != NULL && chown(path, (uid_t)-1, g->gr_gid) == -1)
		log_warning(NULL,
		            "barrier.group path=%s error=%s reason=\"front ends under another user "
		            "cannot ask for barriers: make this program's user a member of the "
		            "group %s\"",
		            log_esc(path), log_esc(strerror(errno)), g->gr_name);
	if (chmod(path, 0660) == -1)
		log_warning(NULL, "barrier.mode path=%s error=%s", log_esc(path),
		            log_esc(strerror(errno)));
}

/* At a master only when somebody asked for it. */
static bool
open_barriers(struct app *a, struct err *err)
{
	const char *path = conf_str(a->conf, "location_socket");
	struct addr at;

	if (a->is_master && !conf_is_set(a->conf, "location_socket"))
		return true;
	if (!addr_parse(slice_of(path), 0, &at, err))
		return false;
	a->barrier_fd = listener_open_socket(&at, true, err);
	if (a->barrier_fd == -1)
		return false;
	open_to_group(path);
	a->barriers = barrier_server_new(a->service);
	a->barrier_listener =
		listener_new(svc_loop(a->svc), a->barrier_fd, barrier_server_accept, a->barriers);
	return true;
}

/* ---- once a second ----------------------------------------------------------------------------------- */

static void
on_tick(void *ctx)
{
	struct app *a = ctx;
	const struct mapdb_info *info = mapdb_info(a->db);
	uint64_t age = a->replica != NULL ? replica_age_ms(a->replica) : 0;

	metrics_set(&mupdate_metrics[MUPDATE_M_AGE], age / 1000);
	metrics_set(&mupdate_metrics[MUPDATE_M_CONNECTED],
	            a->replica != NULL && replica_is_following(a->replica));
	metrics_set(&mupdate_metrics[MUPDATE_M_REVISION], info->revision);
	metrics_set(&mupdate_metrics[MUPDATE_M_COMPLETE], mapdb_is_complete(a->db));
	metrics_set(&mupdate_metrics[MUPDATE_M_LOCATIONS], mapdb_count(a->db));
	if (++a->ticks % READER_CHECK_TICKS == 0)
		mapdb_check_readers(a->db);
	if (a->ticks == PROVEN_TICKS && a->replica != NULL)
		mapdb_set_proven(a->db);
	timer_set(&a->tick, TICK_MS);
}

/* ---- start and end ------------------------------------------------------------------------------------ */

static void
app_free(struct app *a)
{
	listener_free(&a->barrier_listener);
	if (a->barrier_fd != -1)
		close(a->barrier_fd);
	barrier_server_free(&a->barriers);
	if (a->service != NULL)
		service_free(&a->service);
	replica_free(&a->replica);
	timer_fini(&a->tick);
	tls_free(&a->tls_server);
	tls_free(&a->tls_client);
	mapdb_close(&a->db);
	free(a);
}

static void
log_start(const struct app *a)
{
	static const char *const states[] = {
		[LOCATION_MAP_EMPTY] = "empty",
		[LOCATION_MAP_REBUILDING] = "rebuilding",
		[LOCATION_MAP_COMPLETE] = "complete",
	};
	const struct mapdb_info *info = mapdb_info(a->db);

	log_info(NULL,
	         "mupdate.start role=%s history=%s revision=%" PRIu64 " term=%" PRIu64 " list=%s",
	         conf_enum_text(a->conf, "role"), log_esc(info->history), info->revision,
	         info->term, info->state < ARRAY_LEN(states) ? states[info->state] : "unknown");
}

void *
app_start(struct svc_worker *w, struct err *err)
{
	struct app *a = xcalloc(1, sizeof(*a));

	a->svc = w;
	a->conf = svc_conf(w);
	a->is_master = is_master(a->conf);
	a->barrier_fd = -1;
	timer_init(&a->tick, svc_loop(w), on_tick, a);
	if (!open_db(a, err) || !open_tls(a, err)) {
		app_free(a);
		return NULL;
	}
	open_service(a);
	if (!open_barriers(a, err)) {
		app_free(a);
		return NULL;
	}
	if (!a->is_master)
		open_replica(a);
	svc_listen(w, "mupdate", service_accept, a->service);
	control_start(a);
	log_start(a);
	on_tick(a);
	return a;
}

/* Identities, networks and read_only are looked up at each use. The certificate is read
 * again; the link to the master keeps its authorities. */
int
app_reload(void *app, const struct conf *c, struct err *err)
{
	static const char *const fixed[] = { "data_dir", "location_dir", "cluster_id" };
	struct app *a = app;
	struct tls_ctx *tls;

	if (is_master(c) != a->is_master) {
		err_set(err, "another role needs a restart");
		return -1;
	}
	for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
		if (strcmp(conf_str(c, fixed[i]), conf_str(a->conf, fixed[i])) == 0)
			continue;
		err_set(err, "another %s needs a restart", fixed[i]);
		return -1;
	}
	if (!open_tls_server(c, &tls, err))
		return -1;
	a->conf = c;
	service_set_conf(a->service, c, tls);
	tls_free(&a->tls_server);
	a->tls_server = tls;
	return 0;
}

void
app_drain(void *app)
{
	struct app *a = app;

	service_drain(a->service);
	svc_drained(a->svc);
}

void
app_stop(void *app)
{
	app_free(app);
}
