/* policy - who may log in where, and as whom. */
#include "directory/passwd.h"
#include "directory/policy.h"
#include "directory/token.h"
#include "base/clock.h"
#include "log/log.h"

#include "lib/test.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const struct conf_schema schemas[] = { { "roost-store", NULL }, { "roost-imap", NULL } };

struct world {
	struct conf *conf;
	struct policy *policy;
	struct directory *writer;
	char url[300];
};

static void
begin(struct world *w, const struct conf_schema *schema, const char *instance)
{
	static int number;
	char text[2000];
	struct directory *d;
	struct err err;

	log_set_level(LOG_ERROR);
	memset(w, 0, sizeof(*w));
	snprintf(w->url, sizeof(w->url), "sqlite:%s/policy%d.db", test_dir(), number++);
	w->writer = directory_open(w->url, "example.org", DIRECTORY_WRITE, &err);
	test_check(w->writer != NULL, "%s", err.text);
	assert_int_equal(directory_add(w->writer, "fred", "secret", "store1", &err), DIRECTORY_OK);
	assert_int_equal(directory_add(w->writer, "ann", "pw", "store2", &err), DIRECTORY_OK);
	assert_int_equal(directory_add(w->writer, "nologin", NULL, "", &err), DIRECTORY_OK);
	snprintf(
		text, sizeof(text),
		"[common]\ndefault_domain = example.org\nkerberos_realms = OTHER.NET\ncluster_secret = 0123456789abcdef0123\n"
		"[roost-store store1]\n[roost-store store2]\n"
		"[server dovecot]\nkind = imap\nproxy_user = master\nproxy_secret = hush\n"
		"[server half]\nkind = imap\n"
		"[identity boss]\npassword = pass\nservices = imap mupdate\nadmin = yes\n"
		"[identity murder]\npassword = "
		"$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5\n"
		"[identity host/be1.test]\n[identity cyrus@OTHER.NET]\nservices = imap mupdate\n"
		"admin = yes\n");
	w->conf = conf_load_text("test", slice_of(text), schema, instance, &err);
	test_check(w->conf != NULL, "%s", err.text);
	d = directory_open(w->url, "example.org", DIRECTORY_READ, &err);
	assert_non_null(d);
	w->policy = policy_new(w->conf, &d);
	assert_null(d);
}

static void
end(struct world *w)
{
	policy_free(&w->policy);
	directory_close(&w->writer);
	conf_free(&w->conf);
}

static enum auth_result
login(struct world *w, const char *service, const char *authzid, const char *authcid,
      const char *secret, struct policy_answer *a_r)
{
	policy_login(w->policy, service, slice_of(authzid), slice_of(authcid), slice_of(secret),
	             a_r);
	return a_r->result;
}

static const struct login_case {
	const char *name, *service, *authzid, *authcid, *secret;
	enum auth_result want;
	const char *user;
	bool admin;
} cases[] = {
	{ "an account", "imap", "", "fred", "secret", AUTH_OK, "fred" },
	{ "by its other names", "pop3", "", "FRED@Example.Org", "secret", AUTH_OK, "fred" },
	{ "for itself", "imap", "Fred", "fred@example.org", "secret", AUTH_OK, "fred" },
	{ "not for others", "imap", "ann", "fred", "secret", AUTH_DENIED },
	{ "not at the location master", "mupdate", "", "fred", "secret", AUTH_DENIED },
	{ "with a wrong password", "imap", "", "fred", "secret2", AUTH_DENIED },
	{ "with no password at all", "imap", "", "nologin", "", AUTH_DENIED },
	{ "nobody", "imap", "", "nobody", "secret", AUTH_DENIED },
	{ "not a name", "imap", "", "fr ed", "secret", AUTH_DENIED },
	{ "no name", "imap", "", "", "secret", AUTH_DENIED },
	{ "an administrator", "imap", "", "boss", "pass", AUTH_OK, "boss", true },
	{ "an administrator for a user", "imap", "ann", "boss", "pass", AUTH_OK, "ann", true },
	{ "an administrator with a wrong password", "imap", "ann", "boss", "Pass", AUTH_DENIED },
	{ "an administrator at a service that is not his", "pop3", "", "boss", "pass",
	  AUTH_DENIED },
	{ "an administrator for no name", "imap", "a b", "boss", "pass", AUTH_DENIED },
	{ "an identity with a hash", "mupdate", "", "murder", "Hello world!", AUTH_OK, "murder" },
	{ "an identity is no administrator", "mupdate", "ann", "murder", "Hello world!",
	  AUTH_DENIED },
	{ "the hash itself is no password", "mupdate", "", "murder",
	  "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5", AUTH_DENIED },
	{ "a token that is none", "imap", "fred", TOKEN_PROXY_AUTHCID, "v1$fred", AUTH_DENIED },
};

TEST(logins)
{
	struct world w;
	struct policy_answer a;

	begin(&w, &schemas[0], "store1");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct login_case *c = &cases[i];

		login(&w, c->service, c->authzid, c->authcid, c->secret, &a);
		test_check(a.result == c->want, "%s: %s", c->name, auth_result_name(a.result));
		if (c->want != AUTH_OK) {
			test_check(a.grant[0] == '\0', "%s: a grant", c->name);
			continue;
		}
		test_eq_str(c->name, a.user, c->user);
		test_check(a.admin == c->admin && !a.proxied, "%s", c->name);
		test_check(a.grant[0] != '\0', "%s", c->name);
	}
	end(&w);
}

TEST(failures_count_for_the_account_whatever_name_of_its_domain_was_said)
{
	static const char *const names[] = { "Fred", "fred@example.org", "fred@example.com" };
	char name[DIRECTORY_NAME_MAX + 1];
	struct policy_answer a, first;
	struct world w;
	struct err err;

	begin(&w, &schemas[0], "store1");
	assert_int_equal(directory_add_domain(w.writer, "example.com", "example.org", &err),
	                 DIRECTORY_OK);
	login(&w, "imap", "", "fred", "wrong", &first);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		assert_int_equal(login(&w, "imap", "", names[i], "wrong", &a), AUTH_DENIED);
		test_eq_str(names[i], a.user, "fred");
		assert_true(a.fingerprint == first.fingerprint);
		policy_name(w.policy, slice_of(names[i]), name); /* SCRAM */
		test_eq_str(names[i], name, "fred");
	}
	assert_int_equal(login(&w, "imap", "", "Nobody@example.com", "x", &a), AUTH_DENIED);
	test_eq_str("unknown", a.user, "nobody@example.com");
	assert_int_equal(login(&w, "imap", "", "boss", "x", &a), AUTH_DENIED);
	test_eq_str("identity", a.user, "boss");
	end(&w);
}

TEST(a_changed_password_holds_at_once_and_the_old_one_fails)
{
	struct world w;
	struct policy_answer a;
	struct err err;

	begin(&w, &schemas[0], "store1");
	for (int i = 0; i < 3; i++)
		assert_int_equal(login(&w, "imap", "", "fred", "secret", &a), AUTH_OK);
	assert_int_equal(directory_set_password(w.writer, "fred", "new", &err), DIRECTORY_OK);
	assert_int_equal(login(&w, "imap", "", "fred", "secret", &a), AUTH_DENIED);
	assert_int_equal(login(&w, "imap", "", "fred", "new", &a), AUTH_OK);
	assert_int_equal(directory_set_status(w.writer, "fred", DIRECTORY_DISABLED, &err),
	                 DIRECTORY_OK);
	assert_int_equal(login(&w, "imap", "", "fred", "new", &a), AUTH_DENIED);
	assert_int_equal(directory_delete(w.writer, "fred", &err), DIRECTORY_OK);
	assert_int_equal(login(&w, "imap", "", "fred", "new", &a), AUTH_DENIED);
	end(&w);
}

/* By the processor's time, since others use the machine too. */
static uint64_t
cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

TEST(a_right_password_is_hashed_once_a_wrong_one_each_time)
{
	struct world w;
	struct policy_answer a;
	uint64_t at, first, cached, wrong;
	struct clock_fake later = { 0 };

	begin(&w, &schemas[0], "store1");
	at = cpu_us();
	assert_int_equal(login(&w, "imap", "", "fred", "secret", &a), AUTH_OK);
	first = cpu_us() - at;
	at = cpu_us();
	for (int i = 0; i < 10; i++)
		assert_int_equal(login(&w, "imap", "", "fred", "secret", &a), AUTH_OK);
	cached = (cpu_us() - at) / 10;
	at = cpu_us();
	for (int i = 0; i < 10; i++)
		assert_int_equal(login(&w, "imap", "", "fred", "wrong", &a), AUTH_DENIED);
	wrong = (cpu_us() - at) / 10;
	test_check(cached * 4 < first, "cached %lu us, first %lu us", cached, first);
	test_check(cached * 4 < wrong, "cached %lu us, wrong %lu us", cached, wrong);
	later.mono_us = clock_mono_us() + 31000000;
	later.wall_us = clock_wall_us();
	clock_set_fake(&later);
	at = cpu_us();
	assert_int_equal(login(&w, "imap", "", "fred", "secret", &a), AUTH_OK);
	clock_set_fake(NULL);
	test_check(cached * 4 < cpu_us() - at, "not hashed again after its life");
	end(&w);
}

TEST(an_unknown_user_costs_as_much_as_a_wrong_password)
{
	struct world w;
	struct policy_answer a;
	uint64_t at, wrong, unknown;

	begin(&w, &schemas[0], "store1");
	at = cpu_us();
	for (int i = 0; i < 8; i++)
		assert_int_equal(login(&w, "imap", "", "fred", "x", &a), AUTH_DENIED);
	wrong = cpu_us() - at;
	at = cpu_us();
	for (int i = 0; i < 8; i++)
		assert_int_equal(login(&w, "imap", "", "nobody", "x", &a), AUTH_DENIED);
	unknown = cpu_us() - at;
	test_check(unknown * 2 > wrong && wrong * 2 > unknown, "wrong %lu us, unknown %lu us",
	           wrong, unknown);
	end(&w);
}

/* ---- SCRAM ---------------------------------------------------------------------------------- */

static const struct scram_case {
	const char *name, *service, *authzid, *authcid, *password;
	bool fits; /* the password fits the keys */
	enum auth_result permit;
	const char *user;
	bool admin;
} scrams[] = {
	{ "an account", "imap", "", "fred", "secret", true, AUTH_OK, "fred" },
	{ "by its other names", "pop3", "", "FRED@Example.Org", "secret", true, AUTH_OK, "fred" },
	{ "by a name of another form", "pop3", "", "\xef\xbd\x86red", "secret", true, AUTH_OK,
	  "fred" },
	{ "for itself", "imap", "Fred", "fred@example.org", "secret", true, AUTH_OK, "fred" },
	{ "not for others", "imap", "ann", "fred", "secret", true, AUTH_DENIED },
	{ "not at the location master", "mupdate", "", "fred", "secret", false, AUTH_DENIED },
	{ "not between our programs", "cluster", "", "fred", "secret", false, AUTH_DENIED },
	{ "nor an administrator", "cluster", "", "boss", "pass", true, AUTH_DENIED },
	{ "with a wrong password", "imap", "", "fred", "secret2", false, AUTH_OK, "fred" },
	{ "nobody", "imap", "", "nobody", "secret", false, AUTH_DENIED },
	{ "not a name", "imap", "", "fr ed", "secret", false, AUTH_DENIED },
	{ "no name at all", "imap", "", "a\x01", "secret", false, AUTH_DENIED },
	{ "an administrator", "imap", "", "boss", "pass", true, AUTH_OK, "boss", true },
	{ "an administrator for a user", "imap", "ann", "boss", "pass", true, AUTH_OK, "ann",
	  true },
	{ "an administrator at a service that is not his", "pop3", "", "boss", "pass", true,
	  AUTH_DENIED },
	{ "an identity with a hash has no keys", "mupdate", "", "murder", "Hello world!", false,
	  AUTH_OK, "murder" },
	{ "no keys for a front end", "imap", "fred", TOKEN_PROXY_AUTHCID, "x", false, AUTH_DENIED },
};

TEST(scram_keys_and_permissions)
{
	struct world w;
	struct policy_answer a;
	struct scram_keys k;

	begin(&w, &schemas[0], "store1");
	for (size_t i = 0; i < ARRAY_LEN(scrams); i++) {
		const struct scram_case *c = &scrams[i];

		assert_int_equal(policy_scram_keys(w.policy, c->service, slice_of(c->authcid), &k),
		                 AUTH_OK);
		test_check(scram_keys_match(&k, slice_of(c->password)) == c->fits, "%s", c->name);
		policy_permit(w.policy, c->service, slice_of(c->authzid), slice_of(c->authcid), &a);
		test_check(a.result == c->permit, "%s: %s", c->name, auth_result_name(a.result));
		if (c->permit != AUTH_OK) {
			test_check(a.grant[0] == '\0', "%s: a grant", c->name);
			continue;
		}
		test_eq_str(c->name, a.user, c->user);
		test_check(a.admin == c->admin && !a.proxied && a.grant[0] != '\0', "%s", c->name);
	}
	end(&w);
}

/* ---- GSSAPI ---------------------------------------------------------------------------------- */

static const struct principal_case {
	const char *name, *service, *authzid, *principal;
	enum auth_result want;
	const char *user;
	bool admin;
} principals[] = {
	{ "a user of the host's realm", "imap", "fred", "fred", AUTH_OK, "fred" },
	{ "by another name of his", "imap", "fred@example.org", "fred", AUTH_OK, "fred" },
	{ "one without a password", "pop3", "nologin", "nologin", AUTH_OK, "nologin" },
	{ "not for others", "imap", "ann", "fred", AUTH_DENIED },
	{ "not at the location master", "mupdate", "fred", "fred", AUTH_DENIED },
	{ "not between our programs", "cluster", "fred", "fred", AUTH_DENIED },
	{ "nobody", "imap", "nobody", "nobody", AUTH_DENIED },
	{ "a user of a realm that is named", "imap", "ann@OTHER.NET", "ann@OTHER.NET", AUTH_OK,
	  "ann@other.net" },
	{ "whose namesake here he is not", "imap", "fred@OTHER.NET", "fred@OTHER.NET",
	  AUTH_DENIED },
	{ "realms have capitals", "imap", "ann@other.net", "ann@other.net", AUTH_DENIED },
	{ "a realm that is not named, called like our domain", "imap", "fred@EXAMPLE.ORG",
	  "fred@EXAMPLE.ORG", AUTH_DENIED },
	{ "another instance of a user", "imap", "fred/admin", "fred/admin", AUTH_DENIED },
	{ "a name with a realm inside", "imap", "ann\\@other.net", "ann\\@other.net", AUTH_DENIED },
	{ "a name that SASLprep makes another one", "imap", "\xef\xbd\x86red", "\xef\xbd\x86red",
	  AUTH_DENIED },
	{ "no name", "imap", "", "", AUTH_DENIED },
	{ "a machine", "mupdate", "host/be1.test", "host/be1.test", AUTH_OK, "host/be1.test" },
	{ "a machine where it may not", "imap", "host/be1.test", "host/be1.test", AUTH_DENIED },
	{ "a machine of another realm", "mupdate", "host/be1.test@OTHER.NET",
	  "host/be1.test@OTHER.NET", AUTH_DENIED },
	{ "an administrator", "mupdate", "cyrus@OTHER.NET", "cyrus@OTHER.NET", AUTH_OK,
	  "cyrus@OTHER.NET", true },
	{ "an administrator for a user", "imap", "ann", "cyrus@OTHER.NET", AUTH_OK, "ann", true },
	{ "an identity that has a password", "imap", "boss", "boss", AUTH_DENIED },
	{ "a front end", "imap", "fred", TOKEN_PROXY_AUTHCID, AUTH_DENIED },
};

TEST(principals_are_users_or_identities)
{
	struct world w;
	struct policy_answer a;
	struct err err;

	begin(&w, &schemas[0], "store1");
	assert_int_equal(directory_add_domain(w.writer, "other.net", NULL, &err), DIRECTORY_OK);
	assert_int_equal(directory_add(w.writer, "ann@other.net", NULL, "", &err), DIRECTORY_OK);
	for (size_t i = 0; i < ARRAY_LEN(principals); i++) {
		const struct principal_case *c = &principals[i];

		policy_permit_principal(w.policy, c->service, slice_of(c->authzid),
		                        slice_of(c->principal), &a);
		test_check(a.result == c->want, "%s: %s", c->name, auth_result_name(a.result));
		test_check((a.grant[0] != '\0') == (c->want == AUTH_OK), "%s: a grant", c->name);
		if (c->want != AUTH_OK)
			continue;
		test_eq_str(c->name, a.user, c->user);
		test_check(a.admin == c->admin && !a.proxied, "%s", c->name);
	}
	assert_int_equal(login(&w, "mupdate", "", "host/be1.test", "", &a), AUTH_DENIED);
	assert_int_equal(login(&w, "mupdate", "", "host/be1.test", "x", &a), AUTH_DENIED);
	end(&w);
}

/* Asked again, by another process, on another host of the cluster. */
TEST(keys_of_unknown_users_look_like_others_and_stay)
{
	static const char *const names[] = { "nobody", "nologin", "murder", "x@nowhere.org" };
	struct world w, other;
	struct scram_keys a, b, last = { 0 };

	begin(&w, &schemas[0], "store1");
	begin(&other, &schemas[1], NULL);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct slice name = slice_of(names[i]);

		assert_int_equal(policy_scram_keys(w.policy, "imap", name, &a), AUTH_OK);
		assert_int_equal(policy_scram_keys(other.policy, "imap", name, &b), AUTH_OK);
		assert_memory_equal(&a, &b, sizeof(a));
		assert_int_equal(a.rounds, PASSWD_ROUNDS);
		assert_int_equal(a.salt_n, PASSWD_SALT_LEN);
		assert_memory_not_equal(&a, &last, sizeof(a));
		last = a;
	}
	assert_int_equal(policy_scram_keys(w.policy, "imap", SLICE("NoBody@EXAMPLE.org"), &a),
	                 AUTH_OK);
	assert_int_equal(policy_scram_keys(w.policy, "imap", SLICE("nobody"), &b), AUTH_OK);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_int_equal(policy_scram_keys(w.policy, "imap", SLICE("fred"), &a), AUTH_OK);
	assert_int_equal(a.rounds, PASSWD_ROUNDS);
	assert_int_equal(a.salt_n, PASSWD_SALT_LEN);
	end(&w);
	end(&other);
}

TEST(a_disabled_user_proves_in_vain)
{
	struct world w;
	struct policy_answer a;
	struct scram_keys k;
	struct err err;

	begin(&w, &schemas[0], "store1");
	assert_int_equal(directory_set_status(w.writer, "fred", DIRECTORY_DISABLED, &err),
	                 DIRECTORY_OK);
	assert_int_equal(policy_scram_keys(w.policy, "imap", SLICE("fred"), &k), AUTH_OK);
	policy_permit(w.policy, "imap", SLICE(""), SLICE("fred"), &a);
	assert_int_equal(a.result, AUTH_DENIED);
	end(&w);
}

static const struct token_case {
	const char *name, *service, *authzid;
	const char *made_for_service, *made_for_store;
	enum auth_result want;
} tokens[] = {
	{ "a token", "imap", "fred", "imap", "store1", AUTH_OK },
	{ "for another service", "pop3", "fred", "imap", "store1", AUTH_DENIED },
	{ "for another store", "imap", "fred", "imap", "store2", AUTH_DENIED },
	{ "for another user", "imap", "ann", "imap", "store1", AUTH_DENIED },
	{ "for no user", "imap", "", "imap", "store1", AUTH_DENIED },
};

TEST(a_grant_is_for_the_service_of_its_login)
{
	struct world w;
	struct policy_answer a;
	struct policy_credentials c;
	struct err err;

	begin(&w, &schemas[1], NULL);
	assert_int_equal(directory_set_services(w.writer, "fred", "smtp pop3", &err), DIRECTORY_OK);
	assert_int_equal(login(&w, "imap", "", "fred", "secret", &a), AUTH_DENIED);
	assert_int_equal(login(&w, "smtp", "", "fred", "secret", &a), AUTH_OK);
	policy_make_credentials(w.policy, a.grant, "imap", "store1", 0, &c);
	assert_int_equal(c.result, AUTH_DENIED);
	assert_int_equal(login(&w, "pop3", "", "fred", "secret", &a), AUTH_OK);
	policy_make_credentials(w.policy, a.grant, "imap", "store1", 0, &c);
	assert_int_equal(c.result, AUTH_DENIED);
	policy_make_credentials(w.policy, a.grant, "pop3", "store1", 0, &c);
	assert_int_equal(c.result, AUTH_OK);
	end(&w);
}

TEST(tokens_of_front_ends)
{
	struct world fe, store;
	struct policy_answer a;
	struct policy_credentials c;

	begin(&fe, &schemas[1], NULL);
	begin(&store, &schemas[0], "store1");
	assert_int_equal(login(&fe, "imap", "", "fred", "secret", &a), AUTH_OK);
	for (size_t i = 0; i < ARRAY_LEN(tokens); i++) {
		const struct token_case *t = &tokens[i];
		struct policy_answer s;

		policy_make_credentials(fe.policy, a.grant, t->made_for_service, t->made_for_store,
		                        3, &c);
		assert_int_equal(c.result, AUTH_OK);
		test_eq_str("user", c.user, "fred");
		test_eq_str("authcid", c.authcid, TOKEN_PROXY_AUTHCID);
		login(&store, t->service, t->authzid, c.authcid, c.secret, &s);
		test_check(s.result == t->want, "%s: %s", t->name, auth_result_name(s.result));
		if (s.result == AUTH_OK)
			test_check(s.proxied && s.claim == 3 && !s.admin, "%s", t->name);
		/* front ends take no tokens */
		assert_int_equal(login(&fe, "imap", "fred", c.authcid, c.secret, &s), AUTH_DENIED);
	}
	/* a token is no grant */
	policy_make_credentials(fe.policy, c.secret, "imap", "store1", 3, &c);
	assert_int_equal(c.result, AUTH_DENIED);
	end(&fe);
	end(&store);
}

TEST(foreign_stores_are_entered_by_their_own_secret)
{
	struct world w;
	struct policy_answer a;
	struct policy_credentials c;

	begin(&w, &schemas[1], NULL);
	assert_int_equal(login(&w, "imap", "", "fred", "secret", &a), AUTH_OK);
	policy_make_credentials(w.policy, a.grant, "imap", "dovecot", 0, &c);
	assert_int_equal(c.result, AUTH_OK);
	test_eq_str("authcid", c.authcid, "master");
	test_eq_str("secret", c.secret, "hush");
	test_eq_str("user", c.user, "fred");
	policy_make_credentials(w.policy, a.grant, "imap", "half", 0, &c);
	assert_int_equal(c.result, AUTH_TEMP); /* no secret in the settings */
	policy_make_credentials(w.policy, "", "imap", "dovecot", 0, &c);
	assert_int_equal(c.result, AUTH_DENIED);
	end(&w);
}

TEST(a_directory_that_is_away_is_later_never_unknown)
{
	struct world w;
	struct policy_answer a;
	struct resolved f;
	struct directory_account account;
	struct scram_keys k;

	begin(&w, &schemas[0], "store1");
	directory_close(&w.writer);
	assert_int_equal(unlink(w.url + strlen("sqlite:")), 0);
	assert_int_equal(login(&w, "imap", "", "fred", "secret", &a), AUTH_TEMP);
	assert_int_equal(login(&w, "imap", "", "nobody", "secret", &a), AUTH_TEMP);
	assert_int_equal(login(&w, "imap", "", "boss", "pass", &a), AUTH_OK);
	assert_int_equal(policy_scram_keys(w.policy, "imap", SLICE("fred"), &k), AUTH_TEMP);
	assert_int_equal(policy_scram_keys(w.policy, "imap", SLICE("nobody"), &k), AUTH_TEMP);
	assert_int_equal(policy_scram_keys(w.policy, "imap", SLICE("boss"), &k), AUTH_OK);
	policy_permit(w.policy, "imap", SLICE(""), SLICE("fred"), &a);
	assert_int_equal(a.result, AUTH_TEMP);
	policy_resolve(w.policy, SLICE("fred@example.org"), &f);
	assert_int_equal(f.result, AUTH_TEMP);
	resolved_fini(&f);
	policy_resolve(w.policy, SLICE("fred@nowhere.org"), &f);
	assert_int_equal(f.result, AUTH_TEMP);
	assert_false(f.domain_unknown);
	resolved_fini(&f);
	assert_int_equal(policy_may_send(w.policy, SLICE("fred"), SLICE("fred@example.org")),
	                 AUTH_TEMP);
	assert_int_equal(policy_lookup(w.policy, SLICE("fred"), &account), AUTH_TEMP);
	end(&w);
}

static const struct resolve_case {
	const char *address;
	enum auth_result want;
	const char *user, *detail;
	bool domain_unknown;
} addresses[] = {
	{ "fred@example.org", AUTH_OK, "fred", "" },
	{ "FRED+News@EXAMPLE.ORG", AUTH_OK, "fred", "News" },
	{ "fred+@example.org", AUTH_OK, "fred", "" },
	{ "fred+a+b@example.org", AUTH_OK, "fred", "a+b" },
	{ "\"fred\"@example.org", AUTH_OK, "fred", "" },
	{ "\"fr\\ed\"@example.org", AUTH_OK, "fred", "" },
	{ "fred", AUTH_OK, "fred", "" },
	{ "nobody@example.org", AUTH_UNKNOWN },
	{ "+x@example.org", AUTH_UNKNOWN },
	{ "\"\"@example.org", AUTH_UNKNOWN },
	{ "fred@nowhere.org", AUTH_UNKNOWN, .domain_unknown = true },
	{ "fred@[192.0.2.1]", AUTH_UNKNOWN, .domain_unknown = true },
	{ "fred@b\xc3\xbc"
	  "cher.example",
	  AUTH_UNKNOWN, .domain_unknown = true },
	{ "@example.org", AUTH_INVALID },
	{ "fred@", AUTH_INVALID },
	{ "", AUTH_INVALID },
};

TEST(addresses_are_resolved)
{
	struct world w;
	struct resolved f;
	char text[DIRECTORY_NAME_MAX + 10];

	begin(&w, &schemas[0], "store1");
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		policy_resolve(w.policy, slice_of(addresses[i].address), &f);
		test_check(f.result == addresses[i].want, "\"%s\": %s", addresses[i].address,
		           auth_result_name(f.result));
		test_check(f.domain_unknown == addresses[i].domain_unknown, "%s",
		           addresses[i].address);
		if (f.result == AUTH_OK) {
			test_check(f.final_count == 1 && f.relay_count == 0, "%s",
			           addresses[i].address);
			test_eq_str("user", f.finals[0].user, addresses[i].user);
			test_eq_str("detail", f.finals[0].detail, addresses[i].detail);
			test_eq_str("home", f.finals[0].home, "store1");
		}
		resolved_fini(&f);
	}
	memset(text, 'x', sizeof(text));
	policy_resolve(w.policy, slice_make(text, sizeof(text)), &f);
	assert_int_equal(f.result, AUTH_INVALID);
	resolved_fini(&f);
	end(&w);
}

static enum auth_result
may_send(struct world *w, const char *user, const char *sender)
{
	return policy_may_send(w->policy, slice_of(user), slice_of(sender));
}

TEST(who_may_send_as_whom)
{
	static const char *const alone[] = { "fred" }, *const others[] = { "ann", "fred" };
	struct world w;
	struct err err;

	begin(&w, &schemas[0], "store1");
	assert_int_equal(directory_add_alias(w.writer, "sales", alone, 1, &err), DIRECTORY_OK);
	assert_int_equal(directory_add_alias(w.writer, "team", others, 2, &err), DIRECTORY_OK);
	assert_int_equal(directory_add_sender(w.writer, "ann", "team", &err), DIRECTORY_OK);
	assert_int_equal(may_send(&w, "fred", ""), AUTH_OK);
	assert_int_equal(may_send(&w, "fred", "Fred@example.org"), AUTH_OK);
	assert_int_equal(may_send(&w, "fred", "fred+list@example.org"), AUTH_OK);
	assert_int_equal(may_send(&w, "fred", "sales+x@example.org"), AUTH_OK);
	assert_int_equal(may_send(&w, "fred", "team@example.org"), AUTH_DENIED);
	assert_int_equal(may_send(&w, "ann", "team@example.org"), AUTH_OK);
	assert_int_equal(may_send(&w, "ann", "fred@example.org"), AUTH_DENIED);
	assert_int_equal(may_send(&w, "ann", "x@elsewhere.example"), AUTH_DENIED);
	assert_int_equal(may_send(&w, "ann", "nobody@example.org"), AUTH_DENIED);
	assert_int_equal(may_send(&w, "", "fred@example.org"), AUTH_DENIED);
	assert_int_equal(may_send(&w, "boss", "x@elsewhere.example"), AUTH_OK);
	assert_int_equal(may_send(&w, "murder", "x@elsewhere.example"), AUTH_DENIED);
	end(&w);
}

TEST(services_and_groups_of_a_login)
{
	struct world w;
	struct policy_answer a, s;
	struct policy_credentials c;
	struct err err;

	begin(&w, &schemas[0], "store1");
	assert_int_equal(directory_add_group(w.writer, "staff", &err), DIRECTORY_OK);
	assert_int_equal(directory_add_member(w.writer, "staff", "fred", &err), DIRECTORY_OK);
	assert_int_equal(login(&w, "imap", "", "fred", "secret", &a), AUTH_OK);
	test_eq_str("groups", a.groups, "staff");
	policy_make_credentials(w.policy, a.grant, "imap", "store1", 0, &c);
	assert_int_equal(c.result, AUTH_OK);
	assert_int_equal(login(&w, "imap", "fred", c.authcid, c.secret, &s), AUTH_OK);
	test_eq_str("by token", s.groups, "staff");
	assert_int_equal(directory_set_services(w.writer, "fred", "imap smtp", &err), DIRECTORY_OK);
	assert_int_equal(login(&w, "imap", "", "fred", "secret", &a), AUTH_OK);
	assert_int_equal(login(&w, "pop3", "", "fred", "secret", &a), AUTH_DENIED);
	assert_int_equal(directory_set_domain_services(w.writer, "example.org", "smtp pop3", &err),
	                 DIRECTORY_OK);
	assert_int_equal(login(&w, "imap", "", "fred", "secret", &a), AUTH_DENIED);
	assert_int_equal(login(&w, "smtp", "", "fred", "secret", &a), AUTH_OK);
	assert_int_equal(login(&w, "pop3", "", "ann", "pw", &a), AUTH_OK);
	/* another name of his domain: he is who he is */
	assert_int_equal(directory_add_domain(w.writer, "short.org", "example.org", &err),
	                 DIRECTORY_OK);
	assert_int_equal(login(&w, "smtp", "", "fred@short.org", "secret", &a), AUTH_OK);
	assert_int_equal(login(&w, "smtp", "ann@short.org", "fred@short.org", "secret", &a),
	                 AUTH_DENIED);
	assert_int_equal(login(&w, "smtp", "fred@short.org", "fred@short.org", "secret", &a),
	                 AUTH_OK);
	test_eq_str("user", a.user, "fred");
	end(&w);
}

/* Whatever the Internet calls an address. */
TEST(any_bytes_may_be_asked_for)
{
	static const char alphabet[] =
		"af@@..++\"\\'[]()<> ,:;\t\r\n\x01\x7f\xc3\xa9\xff-_=~^$%!*/";
	struct world w;
	struct resolved r;
	uint64_t x = 7;

	begin(&w, &schemas[0], "store1");
	log_set_level(LOG_ERROR);
	for (int round = 0; round < 20000; round++) {
		char text[40];
		size_t n = (size_t)round % sizeof(text);

		for (size_t i = 0; i < n; i++) {
			x = x * 6364136223846793005u + 1442695040888963407u;
			text[i] = alphabet[(x >> 33) % sizeof(alphabet)]; /* the NUL too */
		}
		policy_resolve(w.policy, slice_make(text, n), &r);
		assert_true(r.result == AUTH_UNKNOWN || r.result == AUTH_INVALID);
		resolved_fini(&r);
		if (n > 0)
			assert_int_equal(
				policy_may_send(w.policy, SLICE("fred"), slice_make(text, n)),
				AUTH_DENIED);
	}
	end(&w);
}
