/* conf - tables, files, errors that say where and what. */
#include "conf/common.h"
#include "conf/conf.h"

#include "lib/test.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct conf_def table[] = {
	{ "listen", CONF_ADDRESSES, NULL, 143, .help = "Where." },
	{ "limit", CONF_BYTES, "10M", 1, 1 << 30, .help = "How large." },
	{ "idle", CONF_DURATION, "30m", 1000, 86400000, .help = "How long." },
	{ "share", CONF_PERCENT, "90%", 10, 100, .help = "How full." },
	{ "level", CONF_ENUM, "low", .words = "low high", .help = "Which." },
	{ "on", CONF_BOOL, "no", .help = "Whether." },
	{ "data_dir", CONF_PATH, .help = "Where." },
	{ "words", CONF_LIST, "a b", .help = "Some." },
	{ "near", CONF_ADDRESS, .help = "One." },
	{ "token", CONF_STRING, .help = "Hidden.", .flags = CONF_SECRET },
	{ .name = NULL },
};
static const struct conf_def *const tables[] = { table, NULL };
static const struct conf_schema schema = { "roost-store", tables };

static struct conf *
load(const char *text, const char *instance, struct err *err)
{
	return conf_load_text("/etc/r.conf", slice_of(text), &schema, instance, err);
}

static struct conf *
load_ok(const char *text, const char *instance)
{
	struct err err;
	struct conf *c = load(text, instance, &err);

	test_check(c != NULL, "%s", err.text);
	return c;
}

TEST(defaults_hold_when_nothing_is_written)
{
	struct conf *c = load_ok("", NULL);
	size_t n;

	assert_int_equal(conf_bytes(c, "limit"), 10 << 20);
	assert_int_equal(conf_ms(c, "idle"), 1800000);
	assert_int_equal(conf_percent(c, "share"), 90);
	assert_int_equal(conf_enum(c, "level"), 0);
	assert_false(conf_bool(c, "on"));
	assert_null(conf_str(c, "data_dir"));
	assert_null(conf_addr(c, "near"));
	assert_null(conf_addrs(c, "listen", &n));
	assert_int_equal(n, 0);
	assert_int_equal(conf_int(c, "workers"), 2);
	assert_string_equal(conf_str(c, "run_dir"), "/run/roost");
	assert_false(conf_is_set(c, "limit"));
	assert_null(conf_instance(c));
	conf_free(&c);
}

TEST(values_are_read_by_their_types)
{
	struct conf *c = load_ok("# first\n"
	                         "[roost-store]\n"
	                         "listen = 127.0.0.1 [::1]:1143, /run/x.sock  # three\n"
	                         "limit=64K\r\n"
	                         "idle = 90s\n"
	                         "share = 75 %\n"
	                         "level = high\n"
	                         "on = Yes\n"
	                         "data_dir = sub/dir\n"
	                         "words = \"one, two  three\"\n"
	                         "token = \"a # \\\"b\\\" \\\\\"\n",
	                         NULL);
	size_t n;
	char text[ADDR_TEXT_LEN];
	const struct addr *a = conf_addrs(c, "listen", &n);
	const char *const *words;

	assert_int_equal(n, 3);
	assert_string_equal(addr_text(&a[0], text), "127.0.0.1:143");
	assert_string_equal(addr_text(&a[1], text), "[::1]:1143");
	assert_int_equal(conf_bytes(c, "limit"), 65536);
	assert_int_equal(conf_ms(c, "idle"), 90000);
	assert_int_equal(conf_percent(c, "share"), 75);
	assert_string_equal(conf_enum_text(c, "level"), "high");
	assert_true(conf_bool(c, "on"));
	assert_string_equal(conf_str(c, "data_dir"), "/etc/sub/dir");
	words = conf_list(c, "words", &n);
	assert_int_equal(n, 3);
	assert_string_equal(words[1], "two");
	assert_true(conf_list_has(c, "words", "three"));
	assert_false(conf_list_has(c, "words", "four"));
	assert_string_equal(conf_str(c, "token"), "a # \"b\" \\");
	conf_free(&c);
}

TEST(the_more_special_section_wins)
{
	static const char text[] = "[roost-store b]\nlimit = 1K\n"
				   "[common]\nlog = /c\nuser = u\n"
				   "[roost-store]\nlimit = 2K\nlog = /p\nidle = 2s\n"
				   "[roost-store a]\nlog = /i\n"
				   "[roost-imap]\nnot_ours = 1\n";
	struct conf *c = load_ok(text, "a");

	assert_string_equal(conf_str(c, "log"), "/i");
	assert_string_equal(conf_str(c, "user"), "u");
	assert_int_equal(conf_bytes(c, "limit"), 2048);
	assert_string_equal(conf_instance(c), "a");
	conf_free(&c);
	c = load_ok(text, "b");
	assert_string_equal(conf_str(c, "log"), "/p");
	assert_int_equal(conf_bytes(c, "limit"), 1024);
	conf_free(&c);
	c = load_ok(text, NULL);
	assert_string_equal(conf_str(c, "log"), "/p");
	conf_free(&c);
}

TEST(named_sections_are_listed_and_found)
{
	struct conf *c = load_ok("[server s1]\nimap = 10.0.0.1\n"
	                         "[identity s1]\npassword = x\nservers = s1 s2\n"
	                         "[server s2]\nimap = 10.0.0.2:99\nkind = imap\nproxy_secret = p\n"
	                         "[server s1]\nlmtp = 10.0.0.1:2424\n",
	                         NULL);
	const struct conf *s;
	const char *name;
	size_t pos = 0;

	s = conf_next_section(c, "server", &pos, &name);
	assert_string_equal(name, "s1");
	assert_int_equal(addr_port(conf_addr(s, "imap")), 143);
	assert_int_equal(addr_port(conf_addr(s, "lmtp")), 2424);
	s = conf_next_section(c, "server", &pos, &name);
	assert_string_equal(name, "s2");
	assert_string_equal(conf_instance(s), "s2");
	assert_int_equal(conf_enum(s, "kind"), 1);
	assert_null(conf_next_section(c, "server", &pos, &name));
	assert_null(conf_section(c, "server", "s3"));
	assert_true(conf_list_has(conf_section(c, "identity", "s1"), "servers", "s2"));
	conf_free(&c);
}

static const struct bad_case {
	const char *name, *text, *instance, *want[3];
} bad[] = {
	{ "a number that is none",
	  "[roost-store]\n\nlimit = lots\n",
	  NULL,
	  { "/etc/r.conf:3: setting limit of [roost-store] is \"lots\"", "a size such as",
	    "from 1B to 1G" } },
	{ "a size that is too large", "[roost-store]\nlimit = 2G\n", NULL, { "from 1B to 1G" } },
	{ "a share that is too large",
	  "[roost-store]\nshare = 101%\n",
	  NULL,
	  { "a share such as 90%", "from 10% to 100%" } },
	{ "a time without its unit",
	  "[roost-store]\nidle = 30\n",
	  NULL,
	  { "30s", "from 1s to 1d" } },
	{ "a number beyond 64 bits",
	  "[roost-store]\nlimit = 99999999999999999999T\n",
	  NULL,
	  { "a size" } },
	{ "a size that wraps", "[roost-store]\nlimit = 18014398509481985K\n", NULL, { "a size" } },
	{ "a word that is not allowed",
	  "[roost-store]\nlevel = mid\n",
	  NULL,
	  { "one of low, high" } },
	{ "neither yes nor no", "[roost-store]\non = maybe\n", NULL, { "yes or no" } },
	{ "no address",
	  "[roost-store]\nlisten = localhost\n",
	  NULL,
	  { "localhost", "port 143 when none" } },
	{ "an address that needs its port",
	  "[roost-store]\nnear = 10.0.0.1\n",
	  NULL,
	  { "setting near" } },
	{ "two addresses for one",
	  "[roost-store]\nnear = 10.0.0.1:1 10.0.0.2:1\n",
	  NULL,
	  { "an address" } },
	{ "no network",
	  "[common]\ntrusted_networks = 10.0.0.0/33\n",
	  NULL,
	  { "10.0.0.0/33 is no network" } },
	{ "an unknown setting",
	  "[roost-store]\nlimt = 1\n",
	  NULL,
	  { "/etc/r.conf:2: [roost-store] has no setting limt; did you mean limit?" } },
	{ "an unknown setting like no other",
	  "[roost-store]\nzzzzzzzz = 1\n",
	  NULL,
	  { "has no setting zzzzzzzz" } },
	{ "an unknown section",
	  "[roost-stor]\n",
	  NULL,
	  { "no section [roost-stor], did you mean roost-store?" } },
	{ "a program's setting in common",
	  "[common]\nlimit = 1\n",
	  NULL,
	  { "limit may not stand in [common]; move it to [roost-store]" } },
	{ "an unknown setting in common",
	  "[common]\nworker = 1\n",
	  NULL,
	  { "did you mean workers?" } },
	{ "twice the same",
	  "[roost-store]\non = yes\non = no\n",
	  NULL,
	  { "/etc/r.conf:3: on is set already in line 2 of /etc/r.conf" } },
	{ "an overridden value is checked too",
	  "[roost-store a]\non = yes\n[roost-store]\non = x\n",
	  "a",
	  { "/etc/r.conf:4", "[roost-store] is \"x\"" } },
	{ "an instance nobody described",
	  "[roost-store a]\n",
	  "b",
	  { "no section [roost-store b]" } },
	{ "a server without a name",
	  "[server]\n",
	  NULL,
	  { "[server] needs a name: [server NAME]" } },
	{ "a slash in the name of an instance, which names files",
	  "[roost-store a/b]\n",
	  NULL,
	  { "/etc/r.conf:1:", "/ may stand in [identity name] only" } },
	{ "an unknown setting of a server",
	  "[server x]\nimapp = 1.1.1.1\n",
	  NULL,
	  { "[server x] has no setting imapp; did you mean imap?" } },
	{ "common with a name", "[common x]\n", NULL, { "no section [common x]" } },
	{ "no section yet", "on = yes\n", NULL, { "/etc/r.conf:1: on must stand below" } },
	{ "no equals sign", "[common]\nhello\n", NULL, { "name = value" } },
	{ "a section without its end", "[common\n", NULL, { "closing ]" } },
	{ "something behind a section", "[common] x\n", NULL, { "behind a section" } },
	{ "a quote without its end", "[common]\nlog = \"x\n", NULL, { "closing quote" } },
	{ "something behind a quote", "[common]\nlog = \"x\" y\n", NULL, { "behind a quoted" } },
	{ "an unknown escape", "[common]\nlog = \"\\n\"\n", NULL, { "in quotes" } },
	{ "a control byte", "[common]\nlog = a\001b\n", NULL, { "control bytes" } },
	{ "a strange name", "[common]\nlo g = a\n", NULL, { "letters, digits and _" } },
	{ "an empty path", "[roost-store]\ndata_dir =\n", NULL, { "the path of" } },
	{ "an include of nothing",
	  "include\tx-gone.conf\n",
	  NULL,
	  { "/etc/r.conf:1: include: /etc/x-gone.conf: cannot be read" } },
};

TEST(errors_name_file_line_setting_and_what_is_allowed)
{
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err err = { "" };
		struct conf *c = load(bad[i].text, bad[i].instance, &err);

		test_check(c == NULL, "%s was taken", bad[i].name);
		for (size_t k = 0; k < 3 && bad[i].want[k] != NULL; k++)
			test_check(strstr(err.text, bad[i].want[k]) != NULL,
			           "%s: want \"%s\" in \"%s\"", bad[i].name, bad[i].want[k],
			           err.text);
	}
}

TEST(a_bad_secret_is_not_shown)
{
	static const struct conf_def t[] = {
		{ "pin", CONF_INT, "1", .help = "x", .flags = CONF_SECRET },
		{ .name = NULL },
	};
	static const struct conf_def *const ts[] = { t, NULL };
	static const struct conf_schema s = { "roost-imap", ts };
	struct err err;

	assert_null(conf_load_text("f", SLICE("[roost-imap]\npin = hunter2\n"), &s, NULL, &err));
	assert_null(strstr(err.text, "hunter2"));
	assert_non_null(strstr(err.text, "f:2: setting pin"));
}

TEST(every_prefix_of_a_file_is_harmless)
{
	static const char text[] = "[common]\nlog = \"a\\\"b\" # x\n[server s1]\nimap = [::1]:1\n"
				   "[roost-store a]\nwords = a,b , c\nlimit = 5M\n";

	for (size_t n = 0; n <= strlen(text); n++) {
		struct err err;
		struct conf *c = conf_load_text("f", slice_make(text, n), &schema, NULL, &err);

		conf_free(&c);
	}
}

TEST(long_lines_and_large_files_are_refused)
{
	struct buf b = BUF_INIT(SIZE_MAX);
	struct err err;

	buf_add_str(&b, "[common]\nlog = ");
	for (int i = 0; i < 9000; i++)
		buf_add_char(&b, 'x');
	assert_null(conf_load_text("f", buf_slice(&b), &schema, NULL, &err));
	assert_non_null(strstr(err.text, "f:2: the line is too long"));
	buf_clear(&b);
	for (int i = 0; i < 1 << 20; i++)
		buf_add_str(&b, "#\n");
	assert_null(conf_load_text("f", buf_slice(&b), &schema, NULL, &err));
	assert_non_null(strstr(err.text, "larger than 1 MiB"));
	buf_fini(&b);
}

static void
write_file(const char *name, const char *text)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", test_dir(), name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

TEST(includes_are_taken_from_beside_the_file)
{
	char path[512], where[512];
	struct err err;
	struct conf *c;

	write_file("main.conf", "[roost-store]\ninclude more-*.conf\ninclude one.conf\non = yes\n");
	write_file("more-1.conf", "limit = 3K\n");
	write_file("more-2.conf", "[server s1]\nimap = 1.2.3.4\n");
	write_file("one.conf", "\nlevel = high\ndata_dir = here\n");
	snprintf(path, sizeof(path), "%s/main.conf", test_dir());
	c = conf_load(path, &schema, NULL, &err);
	test_check(c != NULL, "%s", err.text);
	assert_int_equal(conf_bytes(c, "limit"), 3072);
	assert_int_equal(conf_enum(c, "level"), 1);
	assert_true(conf_bool(c, "on"));
	assert_non_null(conf_section(c, "server", "s1"));
	conf_where(c, "level", where, sizeof(where));
	assert_non_null(strstr(where, "one.conf:2: setting level of [roost-store]"));
	conf_free(&c);
	write_file("one.conf", "\nlevel = hi\n");
	assert_null(conf_load(path, &schema, NULL, &err));
	assert_non_null(strstr(err.text, "one.conf:2: setting level"));
	write_file("one.conf", "include one.conf\n");
	assert_null(conf_load(path, &schema, NULL, &err));
	assert_non_null(strstr(err.text, "too deeply"));
}

TEST(a_required_setting_that_is_missing_is_named)
{
	static const struct conf_def t[] = {
		{ "place", CONF_STRING, .help = "Where.", .flags = CONF_REQUIRED },
		{ .name = NULL },
	};
	static const struct conf_def *const ts[] = { t, NULL };
	static const struct conf_schema s = { "roost-imap", ts };
	struct err err;

	assert_null(conf_load_text("f", SLICE("\n[roost-imap]\n"), &s, NULL, &err));
	assert_non_null(strstr(err.text, "f:2: [roost-imap] needs the setting place: Where."));
}

TEST(kerberos_principals_are_names_of_identities)
{
	struct conf *c = load_ok("[identity host/be1.example.org]\n[identity cyrus@OTHER.NET]\n"
	                         "[roost-store a]\n",
	                         "a");
	const struct conf *i = conf_section(c, "identity", "host/be1.example.org");

	assert_non_null(i);
	assert_null(conf_str(i, "password"));
	assert_non_null(conf_section(c, "identity", "cyrus@OTHER.NET"));
	conf_free(&c);
}

TEST(a_file_that_is_away_is_named)
{
	struct err err;

	assert_null(conf_load("/nonexistent/r.conf", &schema, NULL, &err));
	assert_string_equal(err.text,
	                    "/nonexistent/r.conf: cannot be read: No such file or directory");
	assert_null(conf_load("/", &schema, NULL, &err));
	assert_non_null(strstr(err.text, "is not a file"));
}

TEST(auth_only_values_can_be_wiped)
{
	struct conf *c =
		load_ok("[common]\ncluster_secret = s3\n[identity a]\npassword = p\n", NULL);

	assert_string_equal(conf_str(c, "cluster_secret"), "s3");
	conf_wipe_auth_only(c);
	assert_null(conf_str(c, "cluster_secret"));
	assert_null(conf_str(conf_section(c, "identity", "a"), "password"));
	assert_string_equal(conf_str(c, "log"), "stderr");
	conf_free(&c);
}

TEST(a_packed_file_says_the_same)
{
	char path[512];
	struct buf b = BUF_INIT(SIZE_MAX), one = BUF_INIT(SIZE_MAX), two = BUF_INIT(SIZE_MAX);
	struct err err;
	struct conf_file *f;
	struct conf *c;

	write_file("p.conf", "[common]\nlog = x\n[roost-store a]\ndata_dir = d\n[server s]\n");
	snprintf(path, sizeof(path), "%s/p.conf", test_dir());
	c = conf_load(path, &schema, "a", &err);
	conf_print(c, &one);
	conf_free(&c);
	f = conf_file_read(path, &err);
	conf_file_pack(f, &b);
	conf_file_free(&f);
	f = conf_file_unpack(buf_slice(&b));
	assert_non_null(f);
	c = conf_new(f, &schema, "a", &err);
	conf_print(c, &two);
	test_eq_slice("printed", buf_slice(&two), buf_slice(&one));
	assert_non_null(strstr(buf_cstr(&two), "/d\""));
	conf_file_free(&f);
	conf_free(&c);
	for (size_t n = 0; n < b.len; n++)
		assert_null(conf_file_unpack(slice_sub(buf_slice(&b), 0, n)));
	buf_fini(&b);
	buf_fini(&one);
	buf_fini(&two);
}

TEST(a_file_for_workers_has_no_secrets_of_auth_workers)
{
	static const char *const secrets[] = { "sesame", "very-secret", "proxypw", "others" };
	struct buf b = BUF_INIT(SIZE_MAX);
	struct err err;
	struct conf_file *f;
	struct conf *c;
	char path[512];

	write_file("w.conf", "[common]\ncluster_secret = very-secret\nlog = syslog\n"
	                     "[identity a]\npassword = sesame\nadmin = yes\n"
	                     "[server s]\nproxy_secret = proxypw\n"
	                     "[roost-imap]\nanything = others\n[roost-store]\ndata_dir = /d\n");
	snprintf(path, sizeof(path), "%s/w.conf", test_dir());
	f = conf_file_read(path, &err);
	conf_file_wipe_auth_only(f, &schema);
	conf_file_pack(f, &b);
	for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
		test_check(slice_find_slice(buf_slice(&b), slice_of(secrets[i])) == b.len, "%s",
		           secrets[i]);
	c = conf_new(f, &schema, NULL, &err);
	test_check(c != NULL, "%s", err.text);
	assert_string_equal(conf_str(c, "log"), "syslog");
	assert_true(conf_bool(conf_section(c, "identity", "a"), "admin"));
	conf_free(&c);
	conf_file_free(&f);
	buf_fini(&b);
}

TEST(secrets_are_not_printed)
{
	struct conf *c = load_ok("[roost-store]\ntoken = hunter2\n", NULL);
	struct buf b = BUF_INIT(SIZE_MAX);

	conf_print(c, &b);
	assert_null(strstr(buf_cstr(&b), "hunter2"));
	assert_non_null(strstr(buf_cstr(&b), "token = (secret)"));
	buf_fini(&b);
	conf_free(&c);
}

static const struct conf_def fixed_table[] = {
	{ "always", CONF_INT, "1", .flags = CONF_RESTART, .help = "Never reloaded." },
	{ "in_place", CONF_INT, "1", .flags = CONF_RESTART_IN_PLACE, .help = "Sometimes." },
	{ "free", CONF_INT, "1", .help = "Reloaded." },
	{ NULL },
};

TEST(what_only_a_restart_changes_is_found)
{
	static const struct conf_def *const lists[] = { fixed_table, NULL };
	static const char was[] = "[x]\nrun_dir = /a\n";
	static const char is[] = "[x]\nrun_dir = /b\nalways = 2\nin_place = 2\nfree = 2\n";

	for (int in_place = 0; in_place < 2; in_place++) {
		const struct conf_schema sx = { "x", lists, in_place == 1 };
		struct err err;
		struct conf *a = conf_load_text("a", slice_of(was), &sx, NULL, &err);
		struct conf *b = conf_load_text("b", slice_of(is), &sx, NULL, &err);
		size_t pos = 0;

		assert_string_equal(conf_next_restart(a, b, &pos), "run_dir");
		assert_string_equal(conf_next_restart(a, b, &pos), "always");
		if (in_place)
			assert_string_equal(conf_next_restart(a, b, &pos), "in_place");
		assert_null(conf_next_restart(a, b, &pos));
		pos = 0;
		assert_null(conf_next_restart(a, a, &pos));
		conf_free(&a);
		conf_free(&b);
	}
}

TEST(the_manual_names_every_setting_and_what_needs_a_restart)
{
	static const struct conf_def *const lists[] = { fixed_table, NULL };
	const struct conf_schema sx = { "x", lists, true };
	struct buf b = BUF_INIT(SIZE_MAX);

	conf_print_man(&sx, &b);
	assert_non_null(strstr(buf_cstr(&b), "\\fBin_place\\fR = 1\nSometimes.\n"));
	assert_non_null(
		strstr(buf_cstr(&b), "Allowed: a whole number. A new value needs a restart."));
	buf_clear(&b);
	conf_print_man_common(&b);
	for (const struct conf_def *d = conf_common_settings; d->name != NULL; d++)
		assert_non_null(strstr(buf_cstr(&b), d->name));
	assert_non_null(strstr(buf_cstr(&b), ".SH \"SECTIONS [server NAME]\""));
	buf_fini(&b);
}

TEST(the_reference_names_every_setting)
{
	struct buf b = BUF_INIT(SIZE_MAX);

	conf_print_help(&schema, &b);
	for (const struct conf_def *d = table; d->name != NULL; d++)
		assert_non_null(strstr(buf_cstr(&b), d->name));
	assert_non_null(strstr(buf_cstr(&b), "idle = 30m"));
	assert_non_null(strstr(buf_cstr(&b), "from 1s to 1d"));
	buf_fini(&b);
}
