#include "directory/auth_mechs.h"

#include "base/slice.h"
#include "sasl/sasl_conv.h"

#include <stdio.h>
#include <string.h>

bool
auth_mechs_have_gssapi(const struct conf *c)
{
	return conf_str(c, "kerberos_keytab") != NULL &&
	       conf_list_has(c, "login_mechs", SASL_GSSAPI);
}

/* Where the program's clients log in. */
static const char *
services_of(const struct conf *c)
{
	static const struct {
		const char *program, *services;
	} rows[] = {
		{ "roost-mupdate", "mupdate" },
		{ "roost-imap", "imap pop3" },
		{ "roost-smtp", "smtp lmtp" },
		{ "roost-store", "imap pop3 lmtp" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].program, conf_program(c)) == 0)
			return rows[i].services;
	return "";
}

static bool
logs_in_here(const struct conf *c, const struct conf *identity)
{
	struct slice rest = slice_of(services_of(c));
	char word[16];

	while (rest.n > 0) {
		struct slice service = slice_cut(&rest, ' ');

		snprintf(word, sizeof(word), "%.*s", SLICE_ARG(service));
		if (conf_list_has(identity, "services", word))
			return true;
	}
	return false;
}

int
auth_mechs_check(const struct conf *c, struct err *err)
{
	const struct conf *identity;
	const char *name;
	size_t pos = 0;

	while ((identity = conf_next_section(c, "identity", &pos, &name)) != NULL) {
		if (auth_mechs_have_gssapi(c) || conf_str(identity, "password") != NULL ||
		    !logs_in_here(c, identity))
			continue;
		err_set(err,
		        "[identity %s] has no password, and GSSAPI, by which it could log in "
		        "without one, is not on offer (kerberos_keytab, login_mechs)",
		        name);
		return -1;
	}
	return 0;
}

void
auth_mechs_of(const struct conf *c, char mechs_r[AUTH_MECHS_MAX])
{
	bool is_front = strcmp(conf_program(c), "roost-imap") == 0 ||
	                strcmp(conf_program(c), "roost-smtp") == 0;
	struct slice rest = SLICE(SASL_CONV_MECHS);
	size_t n = 0;

	mechs_r[0] = '\0';
	while (rest.n > 0) {
		struct slice mech = slice_cut(&rest, ' ');
		char word[AUTH_MECHS_MAX];

		snprintf(word, sizeof(word), "%.*s", SLICE_ARG(mech));
		if (strcmp(word, SASL_GSSAPI) == 0 ? auth_mechs_have_gssapi(c)
		                                   : (conf_list_has(c, "login_mechs", word) ||
		                                      (!is_front && strcmp(word, "PLAIN") == 0)))
			n += (size_t)snprintf(mechs_r + n, AUTH_MECHS_MAX - n, "%s%s",
			                      n > 0 ? " " : "", word);
	}
}
