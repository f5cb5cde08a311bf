#include "worker.h"

#include "base/xalloc.h"
#include "conf/common.h"
#include "base/text.h"
#include "front/front_tls.h"
#include "mail/address.h"
#include "openness.h"
#include "tls/tls.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SRS_SECRET_MIN 16

/* ---- settings that must fit each other ------------------------------------------------------- */

static int
check_stores(const struct conf *c, struct err *err)
{
	const struct conf *section;
	const char *name;
	size_t pos = 0;

	while ((section = conf_next_section(c, "server", &pos, &name)) != NULL)
		if (conf_addr(section, "lmtp") != NULL)
			return 0;
	err_set(err, "no store to go to: a section [server NAME] with lmtp is missing");
	return -1;
}

static int
check_times(const struct conf *c, struct err *err)
{
	if (conf_ms(c, "store_connect_timeout") <= conf_ms(c, "rcpt_timeout"))
		return 0;
	err_set(err, "store_connect_timeout must not be longer than rcpt_timeout: the client would "
	             "be answered before the store is given up");
	return -1;
}

static int
check_spool(const struct conf *c, struct err *err)
{
	const char *dir = conf_str(c, "spool_dir");

	if (dir != NULL && access(dir, W_OK | X_OK) == 0)
		return 0;
	err_set_errno(err, "spool_dir %s cannot be written", dir != NULL ? dir : "is not set and");
	return -1;
}

static bool
listens(const struct conf *c, const char *setting)
{
	size_t n;

	(void)conf_addrs(c, setting, &n);
	return n > 0;
}

static int
check_submission(const struct conf *c, struct err *err)
{
	if (listens(c, "submissions_listen") && !front_tls_has_cert(c))
		err_set(err, "submissions_listen needs tls_cert and tls_key");
	else if ((listens(c, "submission_listen") || listens(c, "submissions_listen")) &&
	         !conf_common_has_directory(c))
		err_set(err, "submission needs logins, and there are none with directory = none");
	else
		return 0;
	return -1;
}

static int
check_srs(const struct conf *c, struct err *err)
{
	const char *domain = conf_str(c, "srs_domain"), *secret = conf_str(c, "srs_secret");
	bool lower = true;

	if ((domain == NULL) != (secret == NULL)) {
		err_set(err, "srs_domain and srs_secret belong together, and only one is set");
		return -1;
	}
	if (domain == NULL)
		return 0;
	for (const char *p = domain; *p != '\0'; p++)
		lower &= *p == text_lower(*p);
	if (!address_is_domain(slice_of(domain), false) || !lower)
		err_set(err, "srs_domain %s is no domain in lower case", domain);
	else if (strlen(secret) < SRS_SECRET_MIN)
		err_set(err, "srs_secret is shorter than %d bytes", SRS_SECRET_MIN);
	else
		return 0;
	return -1;
}

int
worker_check(const struct conf *c, struct err *err)
{
	if (check_stores(c, err) == -1 || check_times(c, err) == -1 || check_spool(c, err) == -1 ||
	    check_submission(c, err) == -1 || check_srs(c, err) == -1 ||
	    relay_check(c, err) == -1 || openness_check(c, err) == -1)
		return -1;
	return front_tls_check(c, err);
}

/* ---- a worker ------------------------------------------------------------------------------------ */

/* NULL without a directory: the stores have accounts of their own, and nobody logs in here. */
static struct auth *
worker_auth(const struct worker *w)
{
	return conf_common_has_directory(w->conf) ? svc_auth(w->svc) : NULL;
}

static bool
open_route(struct worker *w, struct err *err)
{
	struct loop *loop = svc_loop(w->svc);
	const char *domain = conf_str(w->conf, "default_domain");
	const char *delimiter = conf_str(w->conf, "recipient_delimiter");

	w->servers = servers_new(w->conf, w->store_tls, err);
	if (w->servers == NULL)
		return false;
	w->reader = location_reader_new(conf_str(w->conf, "location_dir"));
	w->barrier = barrier_new(loop, conf_str(w->conf, "location_socket"), BARRIER_DEADLINE_MS);
	w->lookup = lookup_new(loop, w->reader, w->barrier);
	w->route = route_new(&(struct route_config){
		.loop = loop,
		.auth = worker_auth(w),
		.lookup = w->lookup,
		.servers = w->servers,
		.default_domain = domain != NULL ? domain : "",
		.delimiter = delimiter != NULL ? *delimiter : '\0',
	});
	return true;
}

static void
open_proxy(struct worker *w)
{
	w->pool = pool_new(&(struct pool_config){
		.loop = svc_loop(w->svc),
		.hostname = conf_common_hostname(w->conf),
		.connect_ms = conf_ms(w->conf, "store_connect_timeout"),
		.idle_ms = conf_ms(w->conf, "store_idle"),
		.connections = (unsigned)conf_int(w->conf, "store_connections"),
	});
	w->relay = relay_new(w->conf, w->pool, w->relay_tls);
	w->proxy = smtp_proxy_new(&(struct smtp_proxy_config){
		.loop = svc_loop(w->svc),
		.auth = worker_auth(w),
		.guard = svc_guard(w->svc),
		.route = w->route,
		.pool = w->pool,
		.relay = w->relay,
		.conf = w->conf,
		.tls = w->tls,
	});
}

#define ON_CONN(name, service)                                                                     \
	static void name(void *ctx, struct conn **c)                                               \
	{                                                                                          \
		smtp_session_start(((struct worker *)ctx)->proxy, c, service);                     \
	}
ON_CONN(on_mx, SMTP_SERVICE_MX)
ON_CONN(on_lmtp, SMTP_SERVICE_LMTP)
ON_CONN(on_submission, SMTP_SERVICE_SUBMISSION)
ON_CONN(on_submissions, SMTP_SERVICE_SUBMISSIONS)

void *
worker_start(struct svc_worker *svc, struct err *err)
{
	struct worker *w = xcalloc(1, sizeof(*w));

	w->svc = svc;
	w->conf = svc_conf(svc);
	if (!front_tls_open(w->conf, &w->tls, &w->store_tls, err) ||
	    !relay_open_tls(w->conf, &w->relay_tls, err) || !open_route(w, err)) {
		worker_stop(w);
		return NULL;
	}
	open_proxy(w);
	control_start(w);
	svc_listen(svc, "smtp", on_mx, w);
	svc_listen(svc, "lmtp", on_lmtp, w);
	svc_listen(svc, "submission", on_submission, w);
	svc_listen(svc, "submissions", on_submissions, w);
	return w;
}

static void
on_drained(void *ctx)
{
	svc_drained(((struct worker *)ctx)->svc);
}

void
worker_drain(void *app)
{
	struct worker *w = app;

	smtp_proxy_drain(w->proxy, svc_is_replaced(w->svc), on_drained, w);
}

void
worker_stop(void *app)
{
	struct worker *w = app;

	smtp_proxy_free(&w->proxy);
	relay_free(&w->relay);
	pool_free(&w->pool);
	route_free(&w->route);
	lookup_free(&w->lookup);
	barrier_free(&w->barrier);
	location_reader_free(&w->reader);
	servers_free(&w->servers);
	tls_free(&w->tls);
	tls_free(&w->store_tls);
	tls_free(&w->relay_tls);
	free(w);
}
