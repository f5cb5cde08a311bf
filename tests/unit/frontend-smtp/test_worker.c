/* worker: settings that contradict each other are refused with a sentence. */
#include "worker.h"

#include "lib/test.h"

#include <stdio.h>
#include <string.h>

static const struct check_case {
	const char *name, *settings;
	const char *want; /* part of the sentence; NULL: good */
} cases[] = {
	{ "a store with LMTP will do", "[server s]\nlmtp = 127.0.0.1:24\n", NULL },
	{ "no store at all", "", "no store to go to" },
	{ "no store with LMTP", "[server s]\nimap = 127.0.0.1:143\n", "no store to go to" },
	{ "a client answered before the store is given up",
	  "[server s]\nlmtp = 127.0.0.1:24\n[roost-smtp]\nrcpt_timeout = 3s\n",
	  "store_connect_timeout must not be longer than rcpt_timeout" },
	{ "a spool that is not there",
	  "[server s]\nlmtp = 127.0.0.1:24\n[roost-smtp]\nspool_dir = /nonexistent\n",
	  "spool_dir /nonexistent cannot be written" },
	{ "a certificate without its key",
	  "[server s]\nlmtp = 127.0.0.1:24\n[common]\ntls_cert = /c.pem\n",
	  "tls_cert and tls_key belong together" },
	{ "a certificate that is not there",
	  "[server s]\nlmtp = 127.0.0.1:24\n[common]\ntls_cert = /nonexistent/c.pem\n"
	  "tls_key = /nonexistent/k.pem\n",
	  "/nonexistent/c.pem" },
};

TEST(settings_must_fit_each_other)
{
	static const struct conf_def *const tables[] = { smtp_conf_table, NULL };
	static const struct conf_schema schema = { "roost-smtp", tables };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct check_case *c = &cases[i];
		struct err err = { "" };
		struct conf *conf =
			conf_load_text("test", slice_of(c->settings), &schema, NULL, &err);
		int r;

		test_check(conf != NULL, "%s: %s", c->name, err.text);
		r = worker_check(conf, &err);
		test_check(r == (c->want == NULL ? 0 : -1), "%s: %s", c->name, err.text);
		if (c->want != NULL)
			test_check(strstr(err.text, c->want) != NULL, "%s: %s", c->name, err.text);
		conf_free(&conf);
	}
}
