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
	{ "submission in TLS without a certificate",
	  "[server s]\nlmtp = 127.0.0.1:24\n[roost-smtp]\nsubmissions_listen = 127.0.0.1:465\n",
	  "submissions_listen needs tls_cert" },
	{ "submission without a directory",
	  "[server s]\nlmtp = 127.0.0.1:24\n[roost-smtp]\ndirectory = none\nsubmission_listen = 127.0.0.1:587\n",
	  "directory = none" },
	{ "submission and a relay",
	  "[server s]\nlmtp = 127.0.0.1:24\n[roost-smtp]\nsubmission_listen = 127.0.0.1:587\nrelay = 192.0.2.7 192.0.2.8:2525 [2001:db8::7]:25\n",
	  NULL },
	{ "a relay that is no address",
	  "[server s]\nlmtp = 127.0.0.1:24\n[roost-smtp]\nrelay = 192.0.2.7:x\n",
	  "relay: 192.0.2.7:x is neither" },
	{ "a relay by its name",
	  "[server s]\nlmtp = 127.0.0.1:24\n[roost-smtp]\nrelay = relay.example.net mx:587\n"
	  "relay_tls = starttls\n",
	  NULL },
	{ "a relay whose name is none",
	  "[server s]\nlmtp = 127.0.0.1:24\n[roost-smtp]\nrelay = relay_!\n",
	  "relay: relay_! is neither" },
	{ "a relay whose address is none",
	  "[server s]\nlmtp = 127.0.0.1:24\n[roost-smtp]\nrelay = 192.0.2.300\n",
	  "relay: 192.0.2.300 is" },
	{ "a relay on no port",
	  "[server s]\nlmtp = 127.0.0.1:24\n[roost-smtp]\nrelay = relay.example.net:0\n",
	  "net:0 is neither" },
	{ "a relay's user without a password",
	  "[server s]\nlmtp = 127.0.0.1:24\n[roost-smtp]\nrelay = 127.0.0.1\nrelay_user = me\n",
	  "relay_user and relay_password" },
	{ "a password that would go out in clear",
	  "[server s]\nlmtp = 127.0.0.1:24\n[roost-smtp]\nrelay = 127.0.0.1 192.0.2.7\nrelay_user = me\nrelay_password = x\n",
	  "192.0.2.7: relay_user is not said there" },
	{ "a password for a relay on this host",
	  "[server s]\nlmtp = 127.0.0.1:24\n[roost-smtp]\nrelay = 127.0.0.1\nrelay_user = me\nrelay_password = x\n",
	  NULL },
	{ "a verified relay without a name",
	  "[server s]\nlmtp = 127.0.0.1:24\n[roost-smtp]\nrelay = 192.0.2.7\nrelay_tls = tls\n",
	  "has no name: relay_tls needs relay_tls_name" },
	{ "srs without a secret",
	  "[server s]\nlmtp = 127.0.0.1:24\n[roost-smtp]\nsrs_domain = srs.example.org\n",
	  "srs_domain and srs_secret belong together" },
	{ "srs with a short secret",
	  "[server s]\nlmtp = 127.0.0.1:24\n[roost-smtp]\nsrs_domain = srs.example.org\nsrs_secret = short\n",
	  "srs_secret is shorter" },
	{ "srs with a capital domain",
	  "[server s]\nlmtp = 127.0.0.1:24\n[roost-smtp]\nsrs_domain = SRS.example.org\nsrs_secret = 0123456789abcdef\n",
	  "no domain in lower case" },
	{ "srs as it should be",
	  "[server s]\nlmtp = 127.0.0.1:24\n[roost-smtp]\nsrs_domain = srs.example.org\nsrs_secret = 0123456789abcdef\n",
	  NULL },
	{ "everybody is in mynetworks",
	  "[server s]\nlmtp = 127.0.0.1:24\n[roost-smtp]\nmynetworks = 0.0.0.0/0\n",
	  "mynetworks: network number 1" },
	{ "everybody of IPv6",
	  "[server s]\nlmtp = 127.0.0.1:24\n[roost-smtp]\nmynetworks = 10.0.0.0/8 ::/0\n",
	  "mynetworks: network number 2" },
	{ "half of everybody",
	  "[server s]\nlmtp = 127.0.0.1:24\n[roost-smtp]\nmynetworks = 128.0.0.0/1\n",
	  "mynetworks: network number 1" },
	{ "all of IPv4 as IPv6",
	  "[server s]\nlmtp = 127.0.0.1:24\n[roost-smtp]\nmynetworks = ::ffff:0:0/96\n",
	  "mynetworks: network number 1" },
	{ "all of IPv4 inside a small network of IPv6",
	  "[server s]\nlmtp = 127.0.0.1:24\n[roost-smtp]\nmynetworks = ::/64\n",
	  "mynetworks: network number 1" },
	{ "a public network of a big provider",
	  "[server s]\nlmtp = 127.0.0.1:24\n[roost-smtp]\nmynetworks = 198.0.0.0/15\n",
	  "mynetworks: network number 1" },
	{ "whoever is trusted says whom he speaks for",
	  "[server s]\nlmtp = 127.0.0.1:24\n[roost-smtp]\ntrusted_networks = 0.0.0.0/0\n",
	  "trusted_networks: network number 1" },
	{ "networks of our own",
	  "[server s]\nlmtp = 127.0.0.1:24\n[roost-smtp]\nmynetworks = 10.0.0.0/8 192.168.0.0/16 fc00::/7 198.51.0.0/16 2001:db8::/32 127.0.0.0/8 ::1\n",
	  NULL },
	{ "everybody, and it is meant",
	  "[server s]\nlmtp = 127.0.0.1:24\n[roost-smtp]\nmynetworks = 0.0.0.0/0 ::/0\nopen_relay_i_mean_it = yes\n",
	  NULL },
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
