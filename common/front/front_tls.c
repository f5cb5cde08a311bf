#include "front/front_tls.h"

#include "conf/servers.h"

bool
front_tls_has_cert(const struct conf *c)
{
	return conf_is_set(c, "tls_cert");
}

static struct tls_ctx *
open_clients(const struct conf *c, struct err *err)
{
	return tls_server_new(conf_str(c, "tls_cert"), conf_str(c, "tls_key"), err);
}

int
front_tls_check(const struct conf *c, struct err *err)
{
	struct tls_ctx *tls;

	if (conf_is_set(c, "tls_cert") != conf_is_set(c, "tls_key")) {
		err_set(err, "tls_cert and tls_key belong together, and only one is set");
		return -1;
	}
	if (!front_tls_has_cert(c))
		return 0;
	tls = open_clients(c, err);
	if (tls == NULL)
		return -1;
	tls_free(&tls);
	return 0;
}

bool
front_tls_open(const struct conf *c, struct tls_ctx **clients_r, struct tls_ctx **stores_r,
               struct err *err)
{
	*clients_r = NULL;
	*stores_r = NULL;
	if (front_tls_has_cert(c)) {
		*clients_r = open_clients(c, err);
		if (*clients_r == NULL)
			return false;
	}
	if (servers_want_tls(c)) {
		*stores_r = tls_client_new(conf_str(c, "tls_ca"), TLS_VERIFY_NAME, err);
		if (*stores_r == NULL)
			return false;
	}
	return true;
}
