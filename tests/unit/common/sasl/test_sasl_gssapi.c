/*
 * sasl_conv - GSSAPI. The plug-in is a fake one, and no other is found, so that no KDC is needed;
 * tests/interop/cyrus/run has a real one.
 */
#include "sasl/sasl_conv.h"

#include "lib/test.h"

#include <sasl/sasl.h>
#include <sasl/saslplug.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * The fake mechanism: the client's first message is a ticket: "good", "old", or "foreign" for
 * which there is no key; the second one the principal NUL the name he wants to be.
 */
#define WHY_OLD "GSSAPI Error: the ticket has expired"

static char seen_service[32], seen_host[64];

static int
fake_new(void *glob, sasl_server_params_t *params, const char *challenge, unsigned n, void **conn_r)
{
	snprintf(seen_service, sizeof(seen_service), "%s", params->service);
	snprintf(seen_host, sizeof(seen_host), "%s", params->serverFQDN);
	*conn_r = params->utils->malloc(1);
	*(char *)*conn_r = 0;
	return SASL_OK;
}

static int
fake_ticket(sasl_server_params_t *params, struct slice in, const char **out, unsigned *n)
{
	*out = "layers";
	*n = 6;
	if (slice_eq_str(in, "good"))
		return SASL_CONTINUE;
	*n = 0;
	if (slice_eq_str(in, "old")) {
		params->utils->log(params->utils->conn, SASL_LOG_NOTE, WHY_OLD);
		return SASL_BADAUTH;
	}
	return SASL_FAIL;
}

static int
fake_name(sasl_server_params_t *params, struct slice in, sasl_out_params_t *o)
{
	struct slice name = slice_cut(&in, '\0');
	int r = params->canon_user(params->utils->conn, name.p, (unsigned)name.n,
	                           in.n > 0 ? SASL_CU_AUTHID : SASL_CU_AUTHID | SASL_CU_AUTHZID, o);

	if (r == SASL_OK && in.n > 0)
		r = params->canon_user(params->utils->conn, in.p, (unsigned)in.n, SASL_CU_AUTHZID,
		                       o);
	o->doneflag = 1;
	o->maxoutbuf = 0;
	o->mech_ssf = 0;
	return r;
}

static int
fake_step(void *conn, sasl_server_params_t *params, const char *in, unsigned in_n, const char **out,
          unsigned *out_n, sasl_out_params_t *o)
{
	char *step = conn;
	struct slice message = slice_make(in, in_n);

	*out = NULL;
	*out_n = 0;
	return (*step)++ == 0 ? fake_ticket(params, message, out, out_n)
	                      : fake_name(params, message, o);
}

static void
fake_dispose(void *conn, const sasl_utils_t *utils)
{
	utils->free(conn);
}

static int
fake_init(const sasl_utils_t *utils, int version, int *version_r, sasl_server_plug_t **plugs_r,
          int *count_r)
{
	static sasl_server_plug_t plug = {
		.mech_name = "GSSAPI",
		.security_flags = SASL_SEC_NOPLAINTEXT | SASL_SEC_MUTUAL_AUTH,
		.features = SASL_FEAT_WANT_CLIENT_FIRST | SASL_FEAT_ALLOWS_PROXY,
		.mech_new = fake_new,
		.mech_step = fake_step,
		.mech_dispose = fake_dispose,
	};

	*version_r = SASL_SERVER_PLUG_VERSION;
	*plugs_r = &plug;
	*count_r = 1;
	return SASL_OK;
}

/* ---- the owner ------------------------------------------------------------------------------ */

struct asked {
	unsigned times;
	char authzid[64], principal[64];
	enum sasl_result answer;
};

static enum sasl_result
permit_principal(void *ctx, struct slice authzid, struct slice principal)
{
	struct asked *a = ctx;

	a->times++;
	snprintf(a->authzid, sizeof(a->authzid), "%.*s", SLICE_ARG(authzid));
	snprintf(a->principal, sizeof(a->principal), "%.*s", SLICE_ARG(principal));
	return a->answer;
}

/* Nobody may be asked for passwords or keys. */
static const struct sasl_conv_ops ops = { .permit_principal = permit_principal };

static const char *
write_keytab(const char *name, const char *bytes)
{
	static char path[300];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", test_dir(), name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, strlen(bytes), f), strlen(bytes));
	assert_int_equal(fclose(f), 0);
	return path;
}

static void
open_library(const char *keytab)
{
	struct err err;

	assert_int_equal(setenv("SASL_PATH", "/nonexistent", 1), 0);
	test_check(sasl_conv_global_open(keytab, &err) == 0, "%s", err.text);
}

static struct sasl_conv *
begin(const char *service, struct asked *a)
{
	struct err err;
	struct sasl_conv *c = sasl_conv_new(service, "host.example.org", false, &ops, a, &err);

	test_check(c != NULL, "%s", err.text);
	return c;
}

static void
on_plugin(server_sasl_mechanism_t *m, sasl_info_callback_stage_t stage, void *ctx)
{
	struct buf *names = ctx;

	if (m != NULL && strcmp(m->plug->mech_name, "EXTERNAL") != 0) /* the library's own */
		buf_printf(names, "%s ", m->plug->mech_name);
}

TEST(of_the_hosts_plug_ins_only_those_on_offer_are_loaded)
{
	struct buf names = BUF_INIT(SIZE_MAX);
	struct err err;

	assert_int_equal(unsetenv("SASL_PATH"), 0);
	test_check(sasl_conv_global_open(NULL, &err) == 0, "%s", err.text);
	assert_int_equal(sasl_server_plugin_info(NULL, on_plugin, &names), SASL_OK);
	test_check(slice_eq_str(buf_slice(&names), "PLAIN LOGIN ") ||
	                   slice_eq_str(buf_slice(&names), "LOGIN PLAIN "),
	           "%s", buf_cstr(&names));
	buf_fini(&names);
	sasl_conv_global_close();
}

/* ---- without the plug-in, or the keytab ----------------------------------------------------------- */

static const struct lack {
	const char *name, *file, *bytes, *text;
} lacks[] = {
	{ "no file", NULL, NULL, "none.keytab cannot be read: No such file or directory" },
	{ "an empty one", "a.keytab", "", "a.keytab is no keytab" },
	{ "something else", "b.keytab", "hello", "b.keytab is no keytab" },
	{ "no plug-in", "c.keytab", "\x05\x02", "libsasl2-modules-gssapi-mit" },
};

TEST(what_is_missing_is_named_and_the_login_waits)
{
	for (size_t i = 0; i < ARRAY_LEN(lacks); i++) {
		const struct lack *l = &lacks[i];
		struct asked a = { .answer = SASL_RESULT_OK };
		struct slice challenge;
		struct sasl_conv *c;
		struct err err;

		open_library(l->file != NULL ? write_keytab(l->file, l->bytes)
		                             : "/nonexistent/none.keytab");
		assert_false(sasl_conv_has_gssapi(&err));
		test_check(strstr(err.text, l->text) != NULL, "%s: %s", l->name, err.text);
		c = begin("imap", &a);
		test_check(sasl_conv_start(c, "GSSAPI", SLICE("good"), &challenge) ==
		                   SASL_RESULT_TEMP,
		           "%s", l->name);
		assert_int_equal(a.times, 0);
		sasl_conv_free(&c);
		sasl_conv_global_close();
	}
}

TEST(without_a_keytab_there_is_no_such_mechanism)
{
	struct asked a = { .answer = SASL_RESULT_OK };
	struct slice challenge;
	struct sasl_conv *c;
	struct err err;

	open_library(NULL);
	assert_int_equal(sasl_server_add_plugin("GSSAPI", fake_init), SASL_OK);
	assert_false(sasl_conv_has_gssapi(&err));
	c = begin("imap", &a);
	assert_int_equal(sasl_conv_start(c, "gssapi", SLICE("good"), &challenge),
	                 SASL_RESULT_INVALID);
	sasl_conv_free(&c);
	sasl_conv_global_close();
}

/* ---- with both ------------------------------------------------------------------------------------ */

static const struct login {
	const char *name, *ticket;
	struct slice names;
	enum sasl_result answer, want;
	const char *principal, *authzid, *reason;
} logins[] = {
	{ "a principal", "good", SLICE_INIT("fred"), SASL_RESULT_OK, SASL_RESULT_OK, "fred", "fred",
	  "" },
	{ "one of a machine, for itself", "good", SLICE_INIT("host/be1.test\0host/be1.test"),
	  SASL_RESULT_OK, SASL_RESULT_OK, "host/be1.test", "host/be1.test", "" },
	{ "one of another realm, for another", "good", SLICE_INIT("Fred@OTHER.NET\0ann"),
	  SASL_RESULT_OK, SASL_RESULT_OK, "Fred@OTHER.NET", "ann", "" },
	{ "one who may not", "good", SLICE_INIT("fred"), SASL_RESULT_DENIED, SASL_RESULT_DENIED,
	  "fred", "fred", "authorization failure" },
	{ "one of whom nobody can say", "good", SLICE_INIT("fred"), SASL_RESULT_TEMP,
	  SASL_RESULT_TEMP, "fred", "fred", "authorization failure" },
	{ "an old ticket", "old", SLICE_INIT(""), SASL_RESULT_OK, SASL_RESULT_DENIED, NULL, NULL,
	  WHY_OLD },
	{ "a service without a key", "foreign", SLICE_INIT(""), SASL_RESULT_OK, SASL_RESULT_TEMP,
	  NULL, NULL, "generic failure" },
};

static enum sasl_result
log_in(struct sasl_conv *c, const struct login *l, bool initial)
{
	struct slice challenge;
	enum sasl_result r;

	r = sasl_conv_start(c, "gssapi", initial ? slice_of(l->ticket) : slice_make(NULL, 0),
	                    &challenge);
	if (!initial) {
		assert_int_equal(r, SASL_RESULT_CONTINUE);
		assert_int_equal(challenge.n, 0);
		r = sasl_conv_step(c, slice_of(l->ticket), &challenge);
	}
	if (r != SASL_RESULT_CONTINUE)
		return r;
	test_eq_slice(l->name, challenge, SLICE("layers"));
	r = sasl_conv_step(c, l->names, &challenge);
	assert_int_equal(challenge.n, 0);
	return r;
}

TEST(principals_are_shown_as_they_are_and_answers_kept)
{
	struct err err;

	open_library(write_keytab("good.keytab", "\x05\x02"));
	assert_int_equal(sasl_server_add_plugin("GSSAPI", fake_init), SASL_OK);
	test_check(sasl_conv_has_gssapi(&err), "%s", err.text);
	for (size_t i = 0; i < 2 * ARRAY_LEN(logins); i++) {
		const struct login *l = &logins[i / 2];
		struct asked a = { .answer = l->answer };
		struct sasl_conv *c = begin("imap", &a);
		struct slice challenge;
		enum sasl_result r = log_in(c, l, i % 2 == 0);

		test_check(r == l->want, "%s: %d", l->name, (int)r);
		assert_int_equal(a.times, l->principal != NULL);
		test_eq_str(l->name, a.principal, l->principal != NULL ? l->principal : "");
		test_eq_str(l->name, a.authzid, l->authzid != NULL ? l->authzid : "");
		test_eq_str(l->name, sasl_conv_reason(c), l->reason);
		assert_int_not_equal(sasl_conv_step(c, l->names, &challenge), SASL_RESULT_OK);
		sasl_conv_free(&c);
	}
	sasl_conv_global_close();
}

TEST(services_have_the_names_that_kerberos_gives_them)
{
	static const struct {
		const char *ours, *theirs;
	} names[] = {
		{ "imap", "imap" },
		{ "pop3", "pop" },
		{ "smtp", "smtp" },
		{ "mupdate", "mupdate" },
	};

	open_library(write_keytab("names.keytab", "\x05\x02"));
	assert_int_equal(sasl_server_add_plugin("GSSAPI", fake_init), SASL_OK);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct asked a = { .answer = SASL_RESULT_OK };
		struct sasl_conv *c = begin(names[i].ours, &a);

		assert_int_equal(log_in(c, &logins[0], true), SASL_RESULT_OK);
		test_eq_str(names[i].ours, seen_service, names[i].theirs);
		test_eq_str(names[i].ours, seen_host, "host.example.org");
		sasl_conv_free(&c);
	}
	sasl_conv_global_close();
}
