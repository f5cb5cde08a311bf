/* memory - what was read lately is used again, sparingly; and while the database is away. */
#include "directory/directory.h"
#include "directory/policy.h"
#include "directory/resolve.h"

#include "base/clock.h"
#include "conf/conf.h"
#include "lib/test.h"
#include "log/log.h"
#include "pgserver/pgserver.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct conf_schema schema = { "roost-imap", NULL };

/* Time stands still for the reader until a test moves it. */
struct world {
	struct clock_fake now;
	char url[300];
	struct conf *conf;
	struct directory *writer, *reader;
	struct err err;
};

static void
open_reader(struct world *w, const char *settings)
{
	char text[1000];

	directory_close(&w->reader);
	conf_free(&w->conf);
	snprintf(text, sizeof(text),
	         "[common]\ndefault_domain = example.org\ndirectory = %s\n"
	         "directory_timeout = 1m\n%s",
	         w->url, settings);
	w->conf = conf_load_text("test", slice_of(text), &schema, NULL, &w->err);
	test_check(w->conf != NULL, "%s", w->err.text);
	w->reader = directory_open_conf(w->conf, DIRECTORY_READ, &w->err);
	assert_non_null(w->reader);
}

static void
begin(struct world *w)
{
	static int number;

	log_set_level(LOG_ERROR);
	memset(w, 0, sizeof(*w));
	w->now = (struct clock_fake){ clock_mono_us(), clock_wall_us() };
	clock_set_fake(&w->now);
	if (pgserver_is_installed())
		pgserver_new_database(w->url);
	else
		snprintf(w->url, sizeof(w->url), "sqlite:%s/m%d.db", test_dir(), number++);
	w->writer = directory_open(w->url, "example.org", DIRECTORY_WRITE, &w->err);
	test_check(w->writer != NULL, "%s", w->err.text);
	assert_int_equal(directory_add(w->writer, "fred", NULL, "s1", &w->err), DIRECTORY_OK);
	assert_int_equal(directory_add(w->writer, "ann", NULL, "s1", &w->err), DIRECTORY_OK);
}

static void
end(struct world *w)
{
	directory_close(&w->writer);
	directory_close(&w->reader);
	conf_free(&w->conf);
	clock_set_fake(NULL);
}

static void
pass(struct world *w, unsigned ms)
{
	w->now.mono_us += 1000 * (uint64_t)ms;
	w->now.wall_us += 1000 * (uint64_t)ms;
}

static enum directory_result
get(struct world *w, const char *user)
{
	struct directory_account a;

	return directory_get(w->reader, user, &a, &w->err);
}

static const char *
home(struct world *w, const char *user)
{
	static struct directory_account a;

	assert_int_equal(directory_get(w->reader, user, &a, &w->err), DIRECTORY_OK);
	return a.home;
}

TEST(a_server_is_not_asked_again_for_a_while)
{
	struct world w;

	if (!pgserver_is_installed())
		skip();
	begin(&w);
	open_reader(&w, "directory_cache = 600ms\ndirectory_cache_negative = 200ms\n");
	test_eq_str("first", home(&w, "fred"), "s1");
	assert_int_equal(get(&w, "bob"), DIRECTORY_UNKNOWN);
	assert_int_equal(directory_set_home(w.writer, "fred", "s2", &w.err), DIRECTORY_OK);
	assert_int_equal(directory_add(w.writer, "bob", NULL, "", &w.err), DIRECTORY_OK);
	test_eq_str("kept", home(&w, "fred"), "s1");
	assert_int_equal(get(&w, "bob"), DIRECTORY_UNKNOWN);
	pass(&w, 250);
	assert_int_equal(get(&w, "bob"), DIRECTORY_OK); /* what is not there is asked for sooner */
	pass(&w, 450);
	test_eq_str("asked again", home(&w, "fred"), "s2");
	end(&w);
}

TEST(a_small_memory_forgets_who_was_not_wanted)
{
	struct world w;

	if (!pgserver_is_installed())
		skip();
	begin(&w);
	open_reader(&w, "directory_cache = 1h\ndirectory_cache_entries = 2\n");
	test_eq_str("fred", home(&w, "fred"), "s1");
	test_eq_str("ann", home(&w, "ann"), "s1");
	test_eq_str("fred", home(&w, "fred"), "s1");
	assert_int_equal(get(&w, "bob"), DIRECTORY_UNKNOWN); /* ann goes */
	assert_int_equal(directory_set_home(w.writer, "fred", "s2", &w.err), DIRECTORY_OK);
	assert_int_equal(directory_set_home(w.writer, "ann", "s2", &w.err), DIRECTORY_OK);
	test_eq_str("fred", home(&w, "fred"), "s1");
	test_eq_str("ann", home(&w, "ann"), "s2");
	end(&w);
}

TEST(a_file_is_always_asked)
{
	struct world w;

	begin(&w);
	directory_close(&w.writer);
	snprintf(w.url, sizeof(w.url), "sqlite:%s/file.db", test_dir());
	w.writer = directory_open(w.url, "example.org", DIRECTORY_WRITE, &w.err);
	assert_int_equal(directory_add(w.writer, "fred", NULL, "s1", &w.err), DIRECTORY_OK);
	open_reader(&w, "directory_cache = 1h\ndirectory_cache_negative = 1h\n");
	test_eq_str("first", home(&w, "fred"), "s1");
	assert_int_equal(get(&w, "bob"), DIRECTORY_UNKNOWN);
	assert_int_equal(directory_set_home(w.writer, "fred", "s2", &w.err), DIRECTORY_OK);
	assert_int_equal(directory_add(w.writer, "bob", NULL, "", &w.err), DIRECTORY_OK);
	test_eq_str("second", home(&w, "fred"), "s2");
	assert_int_equal(get(&w, "bob"), DIRECTORY_OK);
	/* away, it is a database as others */
	assert_int_equal(unlink(w.url + strlen("sqlite:")), 0);
	test_eq_str("third", home(&w, "fred"), "s2");
	assert_int_equal(get(&w, "ann"), DIRECTORY_TEMP);
	end(&w);
}

static enum auth_result
resolve(struct world *w, const char *address, unsigned *finals_r, unsigned *relays_r)
{
	struct resolve_config c = { .directory = w->reader, .delimiter = "+" };
	struct resolved r;
	enum auth_result result;

	resolve_address(&c, slice_of(address), &r);
	result = r.result;
	*finals_r = (unsigned)r.final_count;
	*relays_r = (unsigned)r.relay_count;
	assert_false(r.domain_unknown && result == AUTH_TEMP);
	resolved_fini(&r);
	return result;
}

TEST(while_a_server_is_away_known_names_go_on_and_nobody_is_unknown)
{
	static const char *const targets[] = { "fred", "x@elsewhere.example" };
	static const char *const half[] = { "ann", "nobody" };
	struct world w;
	unsigned finals, relays;

	if (!pgserver_is_installed())
		skip();
	begin(&w);
	assert_int_equal(directory_add_alias(w.writer, "team", targets, 2, &w.err), DIRECTORY_OK);
	assert_int_equal(directory_add_alias(w.writer, "half", half, 2, &w.err), DIRECTORY_OK);
	open_reader(&w, "directory_cache = 0\ndirectory_cache_negative = 0\n"
	                "directory_cache_stale = 2s\n");
	assert_int_equal(resolve(&w, "team@example.org", &finals, &relays), AUTH_OK);
	assert_int_equal(resolve(&w, "half@example.org", &finals, &relays), AUTH_OK);
	assert_int_equal(finals, 1);
	assert_int_equal(resolve(&w, "nobody@example.org", &finals, &relays), AUTH_UNKNOWN);
	assert_int_equal(resolve(&w, "x@elsewhere.example", &finals, &relays), AUTH_UNKNOWN);
	directory_close(&w.writer);
	pgserver_stop();
	assert_int_equal(get(&w, "fred"), DIRECTORY_OK);
	assert_int_equal(resolve(&w, "team@example.org", &finals, &relays), AUTH_OK);
	assert_true(finals == 1 && relays == 1);
	/* somebody may have become known meanwhile */
	assert_int_equal(resolve(&w, "half@example.org", &finals, &relays), AUTH_TEMP);
	assert_int_equal(resolve(&w, "nobody@example.org", &finals, &relays), AUTH_TEMP);
	assert_int_equal(resolve(&w, "x@elsewhere.example", &finals, &relays), AUTH_TEMP);
	assert_int_equal(resolve(&w, "bob@example.org", &finals, &relays), AUTH_TEMP);
	assert_int_equal(get(&w, "nobody"), DIRECTORY_TEMP);
	assert_int_equal(directory_has_domain(w.reader, SLICE("elsewhere.example"), &w.err),
	                 DIRECTORY_TEMP);
	pass(&w, 2100);
	assert_int_equal(get(&w, "fred"), DIRECTORY_TEMP);
	pgserver_start();
	pass(&w, 10000); /* the pause before the next attempt */
	assert_int_equal(get(&w, "fred"), DIRECTORY_OK);
	assert_int_equal(resolve(&w, "nobody@example.org", &finals, &relays), AUTH_UNKNOWN);
	assert_int_equal(resolve(&w, "half@example.org", &finals, &relays), AUTH_OK);
	end(&w);
}

static enum auth_result
login(struct policy *p, const char *password)
{
	struct policy_answer a;

	policy_login(p, "imap", SLICE(""), SLICE("fred"), slice_of(password), &a);
	return a.result;
}

TEST(a_new_password_is_right_at_once)
{
	struct world w;
	struct policy *p;

	if (!pgserver_is_installed())
		skip();
	begin(&w);
	open_reader(&w, "directory_cache = 1h\n");
	p = policy_new(w.conf, &w.reader);
	assert_int_equal(directory_set_password(w.writer, "fred", "one", &w.err), DIRECTORY_OK);
	assert_int_equal(login(p, "one"), AUTH_OK);
	assert_int_equal(directory_set_password(w.writer, "fred", "two", &w.err), DIRECTORY_OK);
	assert_int_equal(login(p, "two"), AUTH_OK);
	assert_int_equal(login(p, "one"), AUTH_DENIED);
	assert_int_equal(login(p, "two"), AUTH_OK);
	assert_int_equal(directory_set_status(w.writer, "fred", DIRECTORY_DISABLED, &w.err),
	                 DIRECTORY_OK);
	assert_int_equal(login(p, "one"), AUTH_DENIED);
	assert_int_equal(login(p, "two"), AUTH_DENIED);
	policy_free(&p);
	end(&w);
}

TEST(settings_that_cannot_be)
{
	static const struct {
		const char *settings, *says; /* NULL: they can */
	} rows[] = {
		{ "directory = none\n", NULL },
		{ "directory = none\npostmaster = @\n", NULL },
		{ "directory = sqlite:/not/there/yet.db\n", NULL },
		{ "directory = postgresql://roost@nowhere.invalid/roost\n", NULL },
		{ "directory = postgres:/roost\n",
		  "directory: \"postgres:/roost\" is no database" },
		{ "directory = postgresql://a:b@c/d\n", "password" },
		{ "postmaster = root@example.org\n", NULL },
		{ "postmaster = root\n", NULL },
		{ "postmaster = @example.org\n", "postmaster: \"@example.org\"" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct conf *c;
		struct err err = { "" };
		char text[300];

		snprintf(text, sizeof(text), "[common]\n%s", rows[i].settings);
		c = conf_load_text("test", slice_of(text), &schema, NULL, &err);
		test_check(c != NULL, "%s", err.text);
		test_check((directory_check(c, &err) == 0) == (rows[i].says == NULL), "%s: %s",
		           rows[i].settings, err.text);
		if (rows[i].says != NULL)
			test_check(strstr(err.text, rows[i].says) != NULL, "%s", err.text);
		conf_free(&c);
	}
}
