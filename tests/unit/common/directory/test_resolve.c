/* resolve - aliases, forwards, whole domains, other names of domains, postmasters, circles. */
#include "directory/resolve.h"

#include "both.h"
#include "base/buf.h"
#include "lib/test.h"
#include "sql/sql.h"
#include "directory/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "finals > relays", sorted, or the result's name. */
static void
text_of(const struct resolved *r, struct buf *out)
{
	char *all[DIRECTORY_TARGETS_MAX];
	size_t n = 0;

	if (r->result != AUTH_OK) {
		buf_printf(out, "%s%s%s", auth_result_name(r->result), r->loop ? " loop" : "",
		           r->domain_unknown ? " domain" : "");
		return;
	}
	for (size_t i = 0; i < r->final_count; i++)
		assert_int_not_equal(asprintf(&all[n++], "%s%s%s", r->finals[i].user,
		                              *r->finals[i].detail != '\0' ? "+" : "",
		                              r->finals[i].detail),
		                     -1);
	for (size_t i = 0; i < r->relay_count; i++)
		assert_int_not_equal(asprintf(&all[n++], ">%s", r->relays[i]), -1);
	for (size_t i = 0; i < n; i++) /* few enough */
		for (size_t j = i + 1; j < n; j++)
			if (strcmp(all[j], all[i]) < 0) {
				char *t = all[i];

				all[i] = all[j];
				all[j] = t;
			}
	for (size_t i = 0; i < n; i++) {
		buf_printf(out, "%s%s", i > 0 ? " " : "", all[i]);
		free(all[i]);
	}
}

static void
check_with(struct resolve_config *c, const char *address, const char *want)
{
	struct buf out = BUF_INIT(1 << 16);
	struct resolved r;

	resolve_address(c, slice_of(address), &r);
	text_of(&r, &out);
	test_eq_str(address, buf_cstr(&out), want);
	resolved_fini(&r);
	buf_fini(&out);
}

static void
check(struct both *b, const char *address, const char *want)
{
	struct resolve_config c = { .directory = b->reader, .delimiter = "+" };

	check_with(&c, address, want);
}

static void
alias(struct both *b, const char *address, const char *target)
{
	test_check(directory_add_alias(b->writer, address, &target, 1, &b->err) == DIRECTORY_OK,
	           "%s -> %s: %s", address, target, b->err.text);
}

static void
forward(struct both *b, const char *user, bool keep, const char *one, const char *two)
{
	const char *targets[] = { one, two };

	test_check(directory_set_forwards(b->writer, user, targets, two != NULL ? 2 : 1, keep,
	                                  &b->err) == DIRECTORY_OK,
	           "%s: %s", user, b->err.text);
}

/* What roostctl refuses to make. */
static void
by_hand(struct both *b, const char *statement)
{
	struct sql_opts o = { .timeout_ms = 2000 };
	struct sql *s;

	assert_int_equal(sql_open(b->url, SQL_WRITE, &o, &directory_schema, &s, &b->err), SQL_OK);
	test_check(sql_change(s, statement, NULL, 0, NULL, &b->err) == SQL_OK, "%s", b->err.text);
	sql_close(&s);
}

static void
check_aliases(struct both *b)
{
	alias(b, "sales", "fred");
	alias(b, "team", "sales");
	alias(b, "team", "ann");
	alias(b, "team@example.org", "bob+list");
	alias(b, "team", "Carol@Elsewhere.Example");
	alias(b, "both@other.org", "team@example.org");
	alias(b, "both@other.org", "zoe@OTHER.org");
	alias(b, "away", "x@elsewhere.example");
	alias(b, "dangling", "nobody");
	alias(b, "half", "nobody");
	alias(b, "half", "ann");
	check(b, "Sales@EXAMPLE.org", "fred");
	check(b, "sales+x@example.org", "fred+x");
	check(b, "team@example.org", ">Carol@elsewhere.example ann bob+list fred");
	check(b, "team+x@example.org", ">Carol@elsewhere.example ann+x bob+list fred+x");
	check(b, "both@other.org", ">Carol@elsewhere.example ann bob+list fred zoe@other.org");
	check(b, "away@example.org", ">x@elsewhere.example");
	check(b, "away+x@example.org", ">x@elsewhere.example");
	check(b, "dangling@example.org", "unknown");
	check(b, "half@example.org", "ann");
	check(b, "sales@other.org", "unknown");
	check(b, "x@elsewhere.example", "unknown domain");
}

TEST(aliases_lead_to_all_their_ends_once)
{
	on_both(check_aliases);
}

static void
check_forwards(struct both *b)
{
	alias(b, "team", "fred");
	alias(b, "team", "ann");
	forward(b, "fred", false, "ann", "f@elsewhere.example");
	forward(b, "bob", true, "fred+frombob", NULL);
	check(b, "fred@example.org", ">f@elsewhere.example ann");
	check(b, "team@example.org", ">f@elsewhere.example ann");
	check(b, "team+x@example.org", ">f@elsewhere.example ann+x");
	check(b, "bob+y@example.org", ">f@elsewhere.example ann+frombob bob+y");
	assert_int_equal(directory_set_status(b->writer, "ann", DIRECTORY_DISABLED, &b->err),
	                 DIRECTORY_OK);
	check(b, "fred@example.org", ">f@elsewhere.example");
	check(b, "ann@example.org", "denied");
	assert_int_equal(directory_set_status(b->writer, "fred", DIRECTORY_DISABLED, &b->err),
	                 DIRECTORY_OK);
	check(b, "team@example.org", "denied");
	check(b, "bob@example.org", "bob");
	assert_int_equal(directory_set_status(b->writer, "fred", DIRECTORY_ACTIVE, &b->err),
	                 DIRECTORY_OK);
	assert_int_equal(directory_set_forwards(b->writer, "fred", NULL, 0, false, &b->err),
	                 DIRECTORY_OK);
	check(b, "fred@example.org", "fred");
}

TEST(forwards_with_and_without_a_copy)
{
	on_both(check_forwards);
}

static void
check_domains(struct both *b)
{
	alias(b, "@other.org", "fred");
	alias(b, "known@other.org", "ann");
	assert_int_equal(directory_add_domain(b->writer, "alias.org", "other.org", &b->err),
	                 DIRECTORY_OK);
	assert_int_equal(directory_add_domain(b->writer, "short.org", "example.org", &b->err),
	                 DIRECTORY_OK);
	assert_int_equal(directory_add_domain(b->writer, "empty.org", NULL, &b->err), DIRECTORY_OK);
	check(b, "anybody+x@other.org", "fred+x");
	check(b, "what ever@other.org", "fred");
	check(b, "zoe@other.org", "zoe@other.org");
	check(b, "known@other.org", "ann");
	check(b, "zoe+y@alias.org", "zoe@other.org+y");
	check(b, "some@alias.org", "fred");
	check(b, "fred@short.org", "fred");
	check(b, "nobody@short.org", "unknown");
	check(b, "fred@empty.org", "unknown");
	assert_int_equal(
		directory_set_status(b->writer, "zoe@other.org", DIRECTORY_DISABLED, &b->err),
		DIRECTORY_OK);
	check(b, "zoe@other.org", "denied"); /* nobody else gets his mail */
}

TEST(whole_domains_and_other_names_of_domains)
{
	on_both(check_domains);
}

static void
check_postmaster(struct both *b)
{
	struct resolve_config c = { .directory = b->reader, .delimiter = "+" };

	assert_int_equal(directory_add_domain(b->writer, "empty.org", NULL, &b->err), DIRECTORY_OK);
	assert_int_equal(directory_add_domain(b->writer, "alias.org", "empty.org", &b->err),
	                 DIRECTORY_OK);
	alias(b, "@other.org", "zoe@other.org");
	check(b, "postmaster@example.org", "temp"); /* never refused */
	check(b, "postmaster", "temp");
	check(b, "postmaster@empty.org", "temp");
	check(b, "postmaster@elsewhere.example", "unknown domain");
	c.postmaster = "fred+pm";
	check_with(&c, "PostMaster@empty.org", "fred+pm");
	check_with(&c, "postmaster@other.org", "fred+pm"); /* before the rest of the domain */
	check_with(&c, "postmaster@alias.org", "fred+pm");
	check_with(&c, "postmaster", "fred+pm");
	c.postmaster = "root@elsewhere.example";
	check_with(&c, "postmaster@empty.org", ">root@elsewhere.example");
	c.postmaster = "nobody";
	check_with(&c, "postmaster@empty.org", "temp");
	c.postmaster = NULL;
	alias(b, "postmaster", "ann");
	check(b, "postmaster@empty.org", "ann");
	check(b, "postmaster@example.org", "ann");
	alias(b, "postmaster@other.org", "bob");
	check(b, "postmaster@other.org", "bob");
	assert_int_equal(directory_set_status(b->writer, "bob", DIRECTORY_DISABLED, &b->err),
	                 DIRECTORY_OK);
	check(b, "postmaster@other.org", "ann");
}

TEST(a_postmaster_is_always_there)
{
	on_both(check_postmaster);
}

static void
check_circles(struct both *b)
{
	const char *circle[] = { "a", "fred" };

	alias(b, "a", "b");
	assert_int_equal(directory_add_alias(b->writer, "b", &circle[0], 1, &b->err),
	                 DIRECTORY_INVALID);
	assert_non_null(strstr(b->err.text, "circle"));
	by_hand(b,
	        "INSERT INTO aliases (domain, local, target) VALUES"
	        " ('example.org', 'b', 'a@example.org'),"
	        " ('example.org', 'self', 'self@example.org'),"
	        " ('example.org', 'c', 'd@example.org'), ('example.org', 'd', 'c@example.org'),"
	        " ('example.org', 'd', 'ann@example.org'),"
	        " ('example.org', 'x1', 'x2@example.org'), ('example.org', 'x1', 'x3@example.org'),"
	        " ('example.org', 'x2', 'bob@example.org'), ('example.org', 'x3', 'x2@example.org')");
	check(b, "a@example.org", "denied loop");
	check(b, "self+x@example.org", "denied loop");
	check(b, "c@example.org", "ann");  /* what comes of it counts */
	check(b, "x1@example.org", "bob"); /* twice is no circle */
	forward(b, "fred", false, "ann", NULL);
	assert_int_equal(directory_set_forwards(b->writer, "ann", &circle[1], 1, false, &b->err),
	                 DIRECTORY_INVALID);
	forward(b, "ann", true, "fred", NULL);
	check(b, "fred@example.org", "ann");
	check(b, "ann@example.org", "ann");
	by_hand(b, "UPDATE accounts SET keep_copy = 0");
	check(b, "ann@example.org", "denied loop");
}

TEST(circles_end_where_they_close)
{
	on_both(check_circles);
}

static void
check_limits(struct both *b)
{
	char name[20], target[40], text[200];

	for (int i = RESOLVE_DEPTH_MAX - 2; i >= 0; i--) {
		snprintf(name, sizeof(name), "level%d", i);
		snprintf(target, sizeof(target), "level%d", i + 1);
		alias(b, name, i == RESOLVE_DEPTH_MAX - 2 ? "fred" : target);
	}
	check(b, "level0@example.org", "fred");
	assert_int_equal(directory_add_alias(b->writer, "deeper", (const char *const[]){ "level0" },
	                                     1, &b->err),
	                 DIRECTORY_INVALID);
	by_hand(b, "INSERT INTO aliases (domain, local, target) VALUES"
	           " ('example.org', 'deeper', 'level0@example.org')");
	check(b, "deeper@example.org", "temp");
	for (int i = 0; i < DIRECTORY_TARGETS_MAX; i++) {
		snprintf(target, sizeof(target), "t%d@elsewhere.example", i);
		alias(b, i < 200 ? "list1" : "list2", target);
	}
	alias(b, "all", "list1");
	alias(b, "all", "list2");
	assert_int_equal(
		directory_add_alias(b->writer, "all", (const char *const[]){ "fred" }, 1, &b->err),
		DIRECTORY_INVALID);
	snprintf(text, sizeof(text),
	         "INSERT INTO aliases (domain, local, target) VALUES"
	         " ('example.org', 'all', 'fred@example.org')");
	by_hand(b, text);
	check(b, "all@example.org", "temp");
	by_hand(b, "INSERT INTO aliases (domain, local, target) SELECT 'example.org', 'huge',"
	           " 't' || n FROM (WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c"
	           " WHERE n < 2100) SELECT n FROM c) AS x");
	check(b, "huge@example.org", "temp"); /* more than anybody reads, and nobody is away */
	assert_false(directory_is_away(b->reader));
}

TEST(too_deep_or_too_many_is_later)
{
	on_both(check_limits);
}

static void
add_event(void *ctx, unsigned depth, const char *address, enum resolve_event event)
{
	buf_printf(ctx, "%u %s %s\n", depth, address, resolve_event_text(event));
}

static void
check_trace(struct both *b)
{
	struct buf out = BUF_INIT(4096);
	struct resolve_config c = {
		.directory = b->reader, .delimiter = "+", .trace = add_event, .trace_ctx = &out
	};
	struct resolved r;

	assert_int_equal(directory_add_domain(b->writer, "alias.org", "example.org", &b->err),
	                 DIRECTORY_OK);
	forward(b, "fred", true, "x@elsewhere.example", NULL);
	alias(b, "sales", "fred");
	resolve_address(&c, SLICE("sales+a@alias.org"), &r);
	test_eq_str("trace", buf_cstr(&out),
	            "0 sales+a@alias.org is in a domain that is another name of one\n"
	            "1 sales+a@example.org is an alias\n"
	            "2 fred+a@example.org is an account that forwards its mail, and keeps a copy\n"
	            "3 x@elsewhere.example is in a domain that is not ours\n");
	resolved_fini(&r);
	buf_fini(&out);
}

TEST(each_step_is_told)
{
	on_both(check_trace);
}

static void
check_senders(struct both *b)
{
	struct resolve_config c = { .directory = b->reader, .delimiter = "+", .senders = true };

	forward(b, "fred", false, "x@elsewhere.example", NULL);
	alias(b, "sales", "fred");
	check_with(&c, "fred+x@example.org", "fred+x");
	check_with(&c, "sales@example.org", "fred");
	check_with(&c, "postmaster@example.org", "unknown");
	assert_int_equal(directory_add_sender(b->writer, "ann", "sales", &b->err), DIRECTORY_OK);
	assert_int_equal(directory_add_sender(b->writer, "ann", "sales", &b->err),
	                 DIRECTORY_EXISTS);
	assert_int_equal(directory_add_sender(b->writer, "ann", "@News.example", &b->err),
	                 DIRECTORY_OK);
	assert_int_equal(directory_add_sender(b->writer, "nobody", "sales", &b->err),
	                 DIRECTORY_UNKNOWN);
	assert_int_equal(
		directory_is_granted(b->reader, "ann", SLICE("Sales+x@example.org"), "+", &b->err),
		DIRECTORY_OK);
	assert_int_equal(
		directory_is_granted(b->reader, "ann", SLICE("any.one@news.EXAMPLE"), "+", &b->err),
		DIRECTORY_OK);
	assert_int_equal(
		directory_is_granted(b->reader, "ann", SLICE("x@sub.news.example"), "+", &b->err),
		DIRECTORY_UNKNOWN);
	assert_int_equal(
		directory_is_granted(b->reader, "bob", SLICE("sales@example.org"), "+", &b->err),
		DIRECTORY_UNKNOWN);
	assert_int_equal(directory_delete_sender(b->writer, "ann", "sales@example.org", &b->err),
	                 DIRECTORY_OK);
	assert_int_equal(directory_is_granted(b->reader, "ann", SLICE("sales"), "+", &b->err),
	                 DIRECTORY_UNKNOWN);
}

TEST(whose_address_it_is)
{
	on_both(check_senders);
}
