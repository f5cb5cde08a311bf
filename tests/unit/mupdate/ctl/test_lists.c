/* Domains, aliases, forwards, groups and senders by roostctl's commands: one story, line by line. */
#include "ctl/commands.h"

#include "lib/test.h"

#include <stdio.h>
#include <string.h>

static const struct line {
	const char *line;
	int code;
	const char *says; /* a part of the JSON; NULL: nothing in particular */
	const char *says_not;
} story[] = {
	/* domains */
	{ "domain add other.org", EXIT_DONE },
	{ "domain add other.org", EXIT_NO, "already" },
	{ "domain add a_b", EXIT_USAGE, "no domain name" },
	{ "domain add dry.org --dry-run", EXIT_DONE },
	{ "domain add short.org --alias-of example.org", EXIT_DONE },
	{ "domain add worse.org --alias-of short.org", EXIT_USAGE, "no domain of its own" },
	{ "domain add worse.org --alias-of nowhere.org", EXIT_NO, "no domain nowhere.org" },
	{ "domain services other.org imap,smtp", EXIT_DONE },
	{ "domain services nowhere.org all", EXIT_NO },
	{ "domain list", EXIT_DONE, "\"alias_of\":\"example.org\"", "dry.org" },
	{ "domain list", EXIT_DONE, "\"services\":\"imap smtp\"" },
	/* aliases */
	{ "alias add team fred ann@example.org x@far.example", EXIT_DONE },
	{ "alias add team fred", EXIT_NO, "leads to fred@example.org already" },
	{ "alias add fred ann", EXIT_USAGE, "is an account" },
	{ "alias add x@nowhere.org ann", EXIT_NO, "no domain nowhere.org" },
	{ "alias add more team", EXIT_DONE },
	{ "alias add team more", EXIT_USAGE, "circle" },
	{ "alias add @other.org fred", EXIT_DONE },
	{ "alias add dry fred --dry-run", EXIT_DONE },
	{ "alias list", EXIT_DONE, "{\"address\":\"@other.org\",\"target\":\"fred@example.org\"}",
	  "dry" },
	{ "alias list other.org", EXIT_DONE, "@other.org", "team" },
	{ "alias list a_b", EXIT_USAGE },
	{ "alias show Team", EXIT_DONE, "x@far.example", "other.org" },
	{ "alias show @OTHER.org", EXIT_DONE, "fred@example.org", "team" },
	{ "alias show nothing", EXIT_NO },
	{ "alias show a+b", EXIT_USAGE },
	{ "user show fred", EXIT_DONE, "\"aliases\":[\"team@example.org\",\"@other.org\"]" },
	{ "alias delete team x@far.example --dry-run", EXIT_DONE },
	{ "alias delete team x@far.example", EXIT_DONE },
	{ "alias delete team x@far.example", EXIT_NO, "does not lead there" },
	{ "alias delete @other.org", EXIT_DONE },
	{ "alias delete @other.org", EXIT_NO, "no such alias" },
	{ "alias list", EXIT_DONE, "more@example.org", "other.org" },
	/* forwards */
	{ "forward set fred ann y@far.example --keep", EXIT_DONE },
	{ "forward set nobody ann", EXIT_NO, "no account nobody" },
	{ "forward set fred not<an>address", EXIT_USAGE },
	{ "forward set ann fred --dry-run", EXIT_DONE },
	{ "forward show fred", EXIT_DONE, "\"keep\":true" },
	{ "forward show fred", EXIT_DONE, "y@far.example" },
	{ "forward list", EXIT_DONE, "ann@example.org", "\"address\":\"ann@example.org\"" },
	{ "forward set fred y@far.example", EXIT_DONE },
	{ "forward show fred", EXIT_DONE, "\"keep\":false" },
	{ "forward set ann fred", EXIT_DONE },
	{ "forward set fred ann", EXIT_USAGE, "circle" },
	{ "forward show fred", EXIT_DONE, "y@far.example" }, /* as it was */
	{ "forward clear ann", EXIT_DONE },
	{ "forward show ann", EXIT_DONE, "\"keep\":true", "fred" },
	{ "forward show nobody", EXIT_NO },
	{ "explain more+x", EXIT_TEMP, "\"relays\":[\"y@far.example\"]" }, /* no store is asked */
	{ "explain more+x", EXIT_TEMP, "\"address\":\"ann@example.org\"" },
	{ "explain x@short.org", EXIT_NO, "\"verdict\":\"no-account\"" },
	/* groups */
	{ "group add staff", EXIT_DONE },
	{ "group add staff", EXIT_NO, "already" },
	{ "group add a+b", EXIT_USAGE },
	{ "group join staff ann", EXIT_DONE },
	{ "group join staff ann@short.org", EXIT_NO, "member already" },
	{ "group join nothing ann", EXIT_NO, "no group" },
	{ "group join staff nobody", EXIT_NO, "no account nobody" },
	{ "group list", EXIT_DONE,
	  "{\"group\":\"staff@example.org\",\"member\":\"ann@example.org\"}" },
	{ "group list nothing", EXIT_NO },
	{ "user show ann", EXIT_DONE, "\"groups\":[\"staff@example.org\"]" },
	{ "group leave staff ann", EXIT_DONE },
	{ "group leave staff ann", EXIT_NO, "no member" },
	{ "group list staff", EXIT_DONE, "\"member\":null" },
	{ "group delete staff --dry-run", EXIT_DONE },
	{ "group delete staff", EXIT_DONE },
	{ "group delete staff", EXIT_NO, "no such group" },
	/* senders and services */
	{ "sender add ann info@example.org", EXIT_DONE },
	{ "sender add ann info@example.org", EXIT_NO, "already" },
	{ "sender add ann @far.example", EXIT_DONE },
	{ "sender add ann a+b@far.example", EXIT_USAGE },
	{ "sender list ann", EXIT_DONE, "@far.example" },
	{ "sender delete ann info", EXIT_DONE },
	{ "sender delete ann info", EXIT_NO, "not granted" },
	{ "sender list", EXIT_DONE, "far.example", "info" },
	{ "user services ann imap,smtp", EXIT_DONE },
	{ "user services ann imap,,smtp", EXIT_USAGE },
	{ "user services ann imap,pop", EXIT_USAGE, "\\\"pop\\\" is no service" },
	{ "domain services other.org imaps", EXIT_USAGE, "is no service" },
	{ "user show ann", EXIT_DONE, "\"services\":\"imap smtp\"" },
	{ "user services ann all", EXIT_DONE },
	{ "user show ann", EXIT_DONE, "\"services\":\"\"" },
	{ "user show nobody", EXIT_NO },
	/* the end of a domain */
	{ "domain delete example.org", EXIT_NO, "still has" },
	{ "domain delete short.org", EXIT_DONE },
	{ "domain delete other.org --dry-run", EXIT_DONE },
	{ "domain delete other.org", EXIT_DONE },
	{ "domain delete other.org", EXIT_NO, "no domain other.org" },
};

static char conf[400];

static void
begin(void)
{
	char url[400];
	struct directory *d;
	struct err err;
	FILE *f;

	snprintf(conf, sizeof(conf), "%s/roost.conf", test_dir());
	snprintf(url, sizeof(url), "sqlite:%s/directory.db", test_dir());
	f = fopen(conf, "w");
	assert_non_null(f);
	fprintf(f, "[common]\nrun_dir = %s\ndefault_domain = example.org\ndirectory = %s\n",
	        test_dir(), url);
	assert_int_equal(fclose(f), 0);
	d = directory_open(url, "example.org", DIRECTORY_WRITE, &err);
	assert_non_null(d);
	assert_int_equal(directory_add(d, "fred", NULL, "s1", &err), DIRECTORY_OK);
	assert_int_equal(directory_add(d, "ann", NULL, "s1", &err), DIRECTORY_OK);
	directory_close(&d);
}

static int
run(const char *line, struct buf *said)
{
	char text[300], *argv[20], *rest = text, *word;
	int argc = 0, code;
	struct run r = { .result = json_new_object(), .json = true, .timeout_ms = 60000 };
	struct err err = { "" };

	snprintf(text, sizeof(text), "roostctl %s", line);
	while ((word = strsep(&rest, " ")) != NULL && argc < 20)
		argv[argc++] = word;
	test_check(args_parse(commands, argc, argv, &r.args, &err) == 0, "%s: %s", line, err.text);
	r.dry_run = args_has(&r.args, OPT_DRY_RUN);
	r.hosts = hosts_open(conf, &err);
	test_check(r.hosts != NULL, "%s", err.text);
	code = r.args.command->fn(&r);
	json_print(r.result, said);
	directory_close(&r.directory);
	hosts_free(&r.hosts);
	json_free(&r.result);
	return code;
}

TEST(the_story_of_a_directory)
{
	begin();
	for (size_t i = 0; i < ARRAY_LEN(story); i++) {
		const struct line *l = &story[i];
		struct buf said = BUF_INIT(1 << 20);
		int code = run(l->line, &said);

		test_check(code == l->code, "%s: %d, %s", l->line, code, buf_cstr(&said));
		test_check(l->says == NULL || strstr(buf_cstr(&said), l->says) != NULL, "%s: %s",
		           l->line, buf_cstr(&said));
		test_check(l->says_not == NULL || strstr(buf_cstr(&said), l->says_not) == NULL,
		           "%s: %s", l->line, buf_cstr(&said));
		buf_fini(&said);
	}
}
