#include "worker.h"

#include "base/xalloc.h"
#include "front/front_tls.h"

#include <stdlib.h>

/* ---- settings that must fit each other ------------------------------------------------------- */

static bool
has_addresses(const struct conf *c, const char *setting)
{
	size_t n;

	(void)conf_addrs(c, setting, &n);
	return n > 0;
}

int
worker_check(const struct conf *c, struct err *err)
{
	const struct conf *section;
	const char *name;
	size_t pos = 0, stores = 0;

	while ((section = conf_next_section(c, "server", &pos, &name)) != NULL)
		if (conf_addr(section, "imap") != NULL || conf_addr(section, "pop3") != NULL)
			stores++;
	if (stores == 0) {
		err_set(err, "no store to go to: a section [server NAME] with imap or pop3 is "
		             "missing");
		return -1;
	}
	if (!front_tls_has_cert(c) &&
	    (has_addresses(c, "imaps_listen") || has_addresses(c, "pop3s_listen"))) {
		err_set(err, "imaps_listen and pop3s_listen need tls_cert and tls_key");
		return -1;
	}
	return front_tls_check(c, err);
}

/* ---- a worker ------------------------------------------------------------------------------------ */

static bool
open_route(struct worker *w, struct err *err)
{
	struct loop *loop = svc_loop(w->svc);
	const char *domain = conf_str(w->conf, "default_domain");

	w->servers = servers_new(w->conf, w->store_tls, err);
	if (w->servers == NULL)
		return false;
	w->reader = location_reader_new(conf_str(w->conf, "location_dir"));
	w->barrier = barrier_new(loop, conf_str(w->conf, "location_socket"), BARRIER_DEADLINE_MS);
	w->lookup = lookup_new(loop, w->reader, w->barrier);
	w->home = home_new(w->lookup, svc_auth(w->svc), w->servers,
	                   slice_of(domain != NULL ? domain : ""));
	return true;
}

static void
open_proxies(struct worker *w)
{
	w->imap = imap_proxy_new(&(struct imap_proxy_config){
		.loop = svc_loop(w->svc),
		.auth = svc_auth(w->svc),
		.home = w->home,
		.lookup = w->lookup,
		.reader = w->reader,
		.barrier = w->barrier,
		.servers = w->servers,
		.conf = w->conf,
		.tls = w->tls,
	});
	w->pop3 = pop3_service_new(&(struct pop3_service_config){
		.loop = svc_loop(w->svc),
		.auth = svc_auth(w->svc),
		.conf = w->conf,
		.tls = w->tls,
		.ops = &pop3_proxy_ops,
		.owner = w->home,
	});
}

static void
on_imap(void *ctx, struct conn **c)
{
	imap_session_start(((struct worker *)ctx)->imap, c, false);
}

static void
on_imaps(void *ctx, struct conn **c)
{
	imap_session_start(((struct worker *)ctx)->imap, c, true);
}

static void
on_pop3(void *ctx, struct conn **c)
{
	pop3_session_start(((struct worker *)ctx)->pop3, c, false);
}

static void
on_pop3s(void *ctx, struct conn **c)
{
	pop3_session_start(((struct worker *)ctx)->pop3, c, true);
}

void *
worker_start(struct svc_worker *svc, struct err *err)
{
	struct worker *w = xcalloc(1, sizeof(*w));

	w->svc = svc;
	w->conf = svc_conf(svc);
	if (!front_tls_open(w->conf, &w->tls, &w->store_tls, err) || !open_route(w, err)) {
		worker_stop(w);
		return NULL;
	}
	open_proxies(w);
	control_start(w);
	svc_listen(svc, "imap", on_imap, w);
	svc_listen(svc, "imaps", on_imaps, w);
	svc_listen(svc, "pop3", on_pop3, w);
	svc_listen(svc, "pop3s", on_pop3s, w);
	return w;
}

static void
on_drained(void *ctx)
{
	struct worker *w = ctx;

	if (--w->draining == 0)
		svc_drained(w->svc);
}

void
worker_drain(void *app)
{
	struct worker *w = app;

	w->draining = 2;
	imap_proxy_drain(w->imap, svc_is_replaced(w->svc), on_drained, w);
	pop3_service_drain(w->pop3, svc_is_replaced(w->svc), on_drained, w);
}

void
worker_stop(void *app)
{
	struct worker *w = app;

	imap_proxy_free(&w->imap);
	pop3_service_free(&w->pop3);
	home_free(&w->home);
	lookup_free(&w->lookup);
	barrier_free(&w->barrier);
	location_reader_free(&w->reader);
	servers_free(&w->servers);
	tls_free(&w->tls);
	tls_free(&w->store_tls);
	free(w);
}
