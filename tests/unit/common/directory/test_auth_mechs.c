/* auth_mechs - what is on offer, and settings of logins that contradict each other. */
#include "directory/auth_mechs.h"

#include "lib/test.h"

#include <stdio.h>
#include <string.h>

enum { STORE, FRONT, MASTER };
static const struct conf_schema schemas[] = {
	[STORE] = { "roost-store", NULL },
	[FRONT] = { "roost-imap", NULL },
	[MASTER] = { "roost-mupdate", NULL },
};

static struct conf *
load(int program, const char *common)
{
	char text[600];
	struct err err;
	struct conf *c;

	snprintf(text, sizeof(text), "[common]\n%s\n", common);
	c = conf_load_text("f", slice_of(text), &schemas[program], NULL, &err);
	test_check(c != NULL, "%s", err.text);
	return c;
}

#define KEYTAB "kerberos_keytab = /k\n"

static const struct offer {
	const char *name;
	int program;
	const char *settings, *mechs;
} offers[] = {
	{ "all but GSSAPI", FRONT, "", "SCRAM-SHA-256 PLAIN LOGIN" },
	{ "all, in our order", FRONT, KEYTAB, "GSSAPI SCRAM-SHA-256 PLAIN LOGIN" },
	{ "what is named", FRONT, KEYTAB "login_mechs = LOGIN GSSAPI", "GSSAPI LOGIN" },
	{ "a keytab is no wish", FRONT, KEYTAB "login_mechs = PLAIN", "PLAIN" },
	{ "a wish is no keytab", FRONT, "login_mechs = GSSAPI PLAIN", "PLAIN" },
	{ "stores have PLAIN", STORE, KEYTAB "login_mechs = GSSAPI", "GSSAPI PLAIN" },
	{ "so have masters", MASTER, "login_mechs = SCRAM-SHA-256", "SCRAM-SHA-256 PLAIN" },
};

TEST(mechanisms_on_offer)
{
	char mechs[AUTH_MECHS_MAX];

	for (size_t i = 0; i < ARRAY_LEN(offers); i++) {
		struct conf *c = load(offers[i].program, offers[i].settings);

		auth_mechs_of(c, mechs);
		test_eq_str(offers[i].name, mechs, offers[i].mechs);
		conf_free(&c);
	}
}

static const struct identity_case {
	const char *name;
	int program;
	const char *settings;
	bool ok;
} identities[] = {
	{ "a password", MASTER, "[identity a]\npassword = x", true },
	{ "none, and no GSSAPI", MASTER, "[identity host/a]", false },
	{ "none, and GSSAPI", MASTER, KEYTAB "[identity host/a]", true },
	{ "none, and GSSAPI left out", MASTER, KEYTAB "login_mechs = PLAIN\n[identity host/a]",
	  false },
	{ "one of another program", FRONT, "[identity host/a]", true },
	{ "one of this program, too", FRONT, "[identity host/a]\nservices = mupdate pop3", false },
	{ "of a store", STORE, "[identity host/a]\nservices = lmtp", false },
};

TEST(an_identity_needs_a_way_to_log_in)
{
	for (size_t i = 0; i < ARRAY_LEN(identities); i++) {
		struct conf *c = load(identities[i].program, identities[i].settings);
		struct err err;
		int r = auth_mechs_check(c, &err);

		test_check((r == 0) == identities[i].ok, "%s", identities[i].name);
		if (r == -1)
			assert_non_null(strstr(err.text, "[identity host/a] has no password"));
		conf_free(&c);
	}
}
