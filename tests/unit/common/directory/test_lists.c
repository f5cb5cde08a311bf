/* lists - domains, aliases, forwards, groups, senders as roostctl makes and shows them; what goes
 * with an account; databases of the first version. */
#include "both.h"

#include "base/buf.h"
#include "directory/schema.h"
#include "lib/test.h"

#include <stdio.h>
#include <string.h>

static bool
add_pair(void *ctx, const char *left, const char *right)
{
	buf_printf(ctx, "%s>%s ", left, right);
	return true;
}

static bool
add_domain(void *ctx, const struct directory_domain *d)
{
	buf_printf(ctx, "%s,%s,%s,%u,%u ", d->name, d->alias_of, d->services, (unsigned)d->accounts,
	           (unsigned)d->aliases);
	return true;
}

/* Lists and clears. */
static void
want(const char *what, enum directory_result r, struct buf *out, const char *text)
{
	assert_int_equal(r, DIRECTORY_OK);
	test_eq_str(what, buf_cstr(out), text);
	buf_clear(out);
}

static enum directory_result
alias(struct both *b, const char *address, const char *target)
{
	return directory_add_alias(b->writer, address, &target, 1, &b->err);
}

static void
check_domains(struct both *b)
{
	struct buf out = BUF_INIT(4096);

	assert_int_equal(directory_add_domain(b->writer, "New.org", "OTHER.org", &b->err),
	                 DIRECTORY_OK);
	assert_int_equal(directory_add_domain(b->writer, "x.org", "new.org", &b->err),
	                 DIRECTORY_INVALID);
	assert_int_equal(directory_add_domain(b->writer, "x.org", "nowhere.org", &b->err),
	                 DIRECTORY_UNKNOWN);
	assert_int_equal(directory_add_domain(b->writer, "x.org", "x.org", &b->err),
	                 DIRECTORY_UNKNOWN);
	assert_int_equal(directory_add_domain(b->writer, "example.org", "other.org", &b->err),
	                 DIRECTORY_INVALID);
	assert_int_equal(directory_add_domain(b->writer, "new.org", NULL, &b->err),
	                 DIRECTORY_EXISTS);
	assert_int_equal(directory_set_domain_services(b->writer, "other.org", "imap", &b->err),
	                 DIRECTORY_OK);
	assert_int_equal(
		directory_set_domain_services(b->writer, "other.org", "imap,pop3", &b->err),
		DIRECTORY_INVALID);
	assert_int_equal(directory_set_domain_services(b->writer, "nowhere.org", "", &b->err),
	                 DIRECTORY_UNKNOWN);
	assert_int_equal(alias(b, "x@other.org", "zoe@other.org"), DIRECTORY_OK);
	want("domains", directory_list_domains(b->reader, add_domain, &out, &b->err), &out,
	     "example.org,,,3,0 new.org,other.org,,0,0 other.org,,imap,1,1 ");
	/* nothing belongs into another name */
	assert_int_equal(directory_add(b->writer, "u@new.org", NULL, "", &b->err),
	                 DIRECTORY_INVALID);
	assert_int_equal(alias(b, "u@new.org", "fred"), DIRECTORY_INVALID);
	/* what is in use stays */
	assert_int_equal(directory_delete_domain(b->writer, "other.org", &b->err),
	                 DIRECTORY_IN_USE);
	assert_int_equal(directory_delete_domain(b->writer, "new.org", &b->err), DIRECTORY_OK);
	assert_int_equal(directory_delete_domain(b->writer, "other.org", &b->err),
	                 DIRECTORY_IN_USE);
	assert_int_equal(directory_delete(b->writer, "zoe@other.org", &b->err), DIRECTORY_OK);
	assert_int_equal(directory_delete_alias(b->writer, "x@other.org", NULL, &b->err),
	                 DIRECTORY_OK);
	assert_int_equal(directory_delete_domain(b->writer, "other.org", &b->err), DIRECTORY_OK);
	assert_int_equal(directory_delete_domain(b->writer, "other.org", &b->err),
	                 DIRECTORY_UNKNOWN);
	buf_fini(&out);
}

TEST(domains)
{
	on_both(check_domains);
}

static void
check_aliases(struct both *b)
{
	struct buf out = BUF_INIT(4096);
	const char *two[] = { "ann", "not an address" };

	assert_int_equal(alias(b, "fred", "ann"), DIRECTORY_INVALID);
	assert_non_null(strstr(b->err.text, "account"));
	assert_int_equal(alias(b, "x@nowhere.org", "ann"), DIRECTORY_UNKNOWN);
	assert_int_equal(alias(b, "x+y", "ann"), DIRECTORY_INVALID);
	assert_int_equal(alias(b, "@", "ann"), DIRECTORY_INVALID);
	assert_int_equal(alias(b, "x", ""), DIRECTORY_INVALID);
	assert_int_equal(directory_add_alias(b->writer, "x", two, 2, &b->err), DIRECTORY_INVALID);
	want("all or none", directory_list_aliases(b->reader, NULL, add_pair, &out, &b->err), &out,
	     "");
	assert_int_equal(alias(b, "Sales", "ANN@Example.org"), DIRECTORY_OK);
	assert_int_equal(alias(b, "sales", "bob"), DIRECTORY_OK);
	assert_int_equal(alias(b, "sales@example.org", "bob@example.org"), DIRECTORY_EXISTS);
	assert_int_equal(alias(b, "@other.org", "bob"), DIRECTORY_OK);
	want("aliases", directory_list_aliases(b->reader, NULL, add_pair, &out, &b->err), &out,
	     "sales@example.org>ANN@example.org sales@example.org>bob@example.org "
	     "@other.org>bob@example.org ");
	want("of a domain", directory_list_aliases(b->reader, "OTHER.org", add_pair, &out, &b->err),
	     &out, "@other.org>bob@example.org ");
	want("leading to", directory_list_leading_to(b->reader, "bob", add_pair, &out, &b->err),
	     &out, "sales@example.org>bob@example.org @other.org>bob@example.org ");
	assert_int_equal(directory_add(b->writer, "sales", NULL, "", &b->err), DIRECTORY_INVALID);
	assert_int_equal(directory_delete_alias(b->writer, "sales", "fred", &b->err),
	                 DIRECTORY_UNKNOWN);
	assert_int_equal(directory_delete_alias(b->writer, "sales", "bob", &b->err), DIRECTORY_OK);
	assert_int_equal(directory_delete_alias(b->writer, "sales", NULL, &b->err), DIRECTORY_OK);
	assert_int_equal(directory_delete_alias(b->writer, "sales", NULL, &b->err),
	                 DIRECTORY_UNKNOWN);
	assert_int_equal(directory_add(b->writer, "sales", NULL, "", &b->err), DIRECTORY_OK);
	buf_fini(&out);
}

TEST(aliases)
{
	on_both(check_aliases);
}

static void
check_groups(struct both *b)
{
	struct buf out = BUF_INIT(65536);
	struct directory_account a;
	enum directory_result r = DIRECTORY_OK;
	char group[80];
	int count = 0;

	assert_int_equal(directory_add_group(b->writer, "Staff", &b->err), DIRECTORY_OK);
	assert_int_equal(directory_add_group(b->writer, "staff", &b->err), DIRECTORY_EXISTS);
	assert_int_equal(directory_add_group(b->writer, "empty@other.org", &b->err), DIRECTORY_OK);
	assert_int_equal(directory_add_group(b->writer, "a b", &b->err), DIRECTORY_INVALID);
	assert_int_equal(directory_add_group(b->writer, "x@nowhere.org", &b->err),
	                 DIRECTORY_UNKNOWN);
	assert_int_equal(directory_add_group(b->writer, "mixed@other.org", &b->err), DIRECTORY_OK);
	assert_int_equal(directory_add_member(b->writer, "staff", "fred", &b->err), DIRECTORY_OK);
	assert_int_equal(directory_add_member(b->writer, "staff", "fred", &b->err),
	                 DIRECTORY_EXISTS);
	assert_int_equal(directory_add_member(b->writer, "mixed@other.org", "fred", &b->err),
	                 DIRECTORY_OK);
	assert_int_equal(
		directory_add_member(b->writer, "mixed@other.org", "zoe@other.org", &b->err),
		DIRECTORY_OK);
	assert_int_equal(directory_add_member(b->writer, "staff", "nobody", &b->err),
	                 DIRECTORY_UNKNOWN);
	assert_int_equal(directory_add_member(b->writer, "nothing", "fred", &b->err),
	                 DIRECTORY_UNKNOWN);
	want("groups", directory_list_groups(b->reader, NULL, add_pair, &out, &b->err), &out,
	     "staff@example.org>fred@example.org empty@other.org> "
	     "mixed@other.org>fred@example.org mixed@other.org>zoe@other.org ");
	want("of fred", directory_list_groups_of(b->reader, "fred", add_pair, &out, &b->err), &out,
	     "staff@example.org>fred@example.org mixed@other.org>fred@example.org ");
	assert_int_equal(directory_get(b->reader, "fred", &a, &b->err), DIRECTORY_OK);
	test_eq_str("at a login", a.groups, "staff mixed@other.org");
	assert_int_equal(directory_delete_member(b->writer, "staff", "fred", &b->err),
	                 DIRECTORY_OK);
	assert_int_equal(directory_delete_group(b->writer, "mixed@other.org", &b->err),
	                 DIRECTORY_OK);
	assert_int_equal(directory_delete_group(b->writer, "mixed@other.org", &b->err),
	                 DIRECTORY_UNKNOWN);
	assert_int_equal(directory_get(b->reader, "fred", &a, &b->err), DIRECTORY_OK);
	test_eq_str("none left", a.groups, "");
	while (r == DIRECTORY_OK && count < 100) { /* until they do not fit a login's answer */
		snprintf(group, sizeof(group), "a-group-with-a-name-of-some-length-%d", count);
		assert_int_equal(directory_add_group(b->writer, group, &b->err), DIRECTORY_OK);
		r = directory_add_member(b->writer, group, "fred", &b->err);
		count++;
	}
	assert_int_equal(r, DIRECTORY_INVALID);
	assert_int_equal(directory_get(b->reader, "fred", &a, &b->err), DIRECTORY_OK);
	assert_true(strlen(a.groups) > DIRECTORY_GROUPS_MAX - 50);
	buf_fini(&out);
}

TEST(groups)
{
	on_both(check_groups);
}

static void
check_account(struct both *b)
{
	struct buf out = BUF_INIT(4096);
	struct directory_account a;
	const char *twice[] = { "bob", "bob@example.org" }, *one[] = { "x@elsewhere.example" };

	assert_int_equal(directory_set_services(b->writer, "fred", "imap smtp", &b->err),
	                 DIRECTORY_OK);
	assert_int_equal(directory_set_services(b->writer, "fred", "imap  smtp", &b->err),
	                 DIRECTORY_INVALID);
	assert_int_equal(directory_set_services(b->writer, "nobody", "", &b->err),
	                 DIRECTORY_UNKNOWN);
	assert_int_equal(directory_set_domain_services(b->writer, "example.org", "imap", &b->err),
	                 DIRECTORY_OK);
	assert_int_equal(directory_set_forwards(b->writer, "fred", twice, 2, true, &b->err),
	                 DIRECTORY_INVALID);
	assert_int_equal(directory_set_forwards(b->writer, "nobody", one, 1, true, &b->err),
	                 DIRECTORY_UNKNOWN);
	assert_int_equal(directory_set_forwards(b->writer, "fred", one, 1, false, &b->err),
	                 DIRECTORY_OK);
	assert_int_equal(directory_get(b->reader, "fred", &a, &b->err), DIRECTORY_OK);
	test_eq_str("services", a.services, "imap smtp");
	test_eq_str("his domain's", a.domain_services, "imap");
	assert_false(a.keep_copy);
	want("forwards", directory_list_forwards(b->reader, NULL, add_pair, &out, &b->err), &out,
	     "fred@example.org>x@elsewhere.example ");
	assert_int_equal(directory_add_group(b->writer, "staff", &b->err), DIRECTORY_OK);
	assert_int_equal(directory_add_member(b->writer, "staff", "fred", &b->err), DIRECTORY_OK);
	assert_int_equal(directory_add_sender(b->writer, "fred", "x@y.example", &b->err),
	                 DIRECTORY_OK);
	want("senders", directory_list_senders(b->reader, "fred", add_pair, &out, &b->err), &out,
	     "fred@example.org>x@y.example ");
	/* all of it goes with him, and is not there when he comes again */
	assert_int_equal(directory_delete(b->writer, "fred", &b->err), DIRECTORY_OK);
	assert_int_equal(directory_delete(b->writer, "fred", &b->err), DIRECTORY_UNKNOWN);
	assert_int_equal(directory_add(b->writer, "fred", NULL, "", &b->err), DIRECTORY_OK);
	assert_int_equal(directory_get(b->reader, "fred", &a, &b->err), DIRECTORY_OK);
	assert_true(a.keep_copy && *a.groups == '\0' && *a.services == '\0');
	want("no senders", directory_list_senders(b->reader, NULL, add_pair, &out, &b->err), &out,
	     "");
	want("no forwards", directory_list_forwards(b->reader, NULL, add_pair, &out, &b->err), &out,
	     "");
	/* his other name is he himself */
	assert_int_equal(directory_add_domain(b->writer, "short.org", "example.org", &b->err),
	                 DIRECTORY_OK);
	assert_int_equal(directory_get(b->reader, "ann@short.org", &a, &b->err), DIRECTORY_OK);
	test_eq_str("ann", a.user, "ann");
	buf_fini(&out);
}

TEST(what_hangs_on_an_account)
{
	on_both(check_account);
}

/* A database as the first version made it: readers go on, the next writer brings it on. */
static void
check_first_version(struct both *b)
{
	static const char *const migrations[] = {
		/* as it was, to the letter */
		"CREATE TABLE domains (name TEXT PRIMARY KEY NOT NULL, created INTEGER NOT NULL)"
		" WITHOUT ROWID;"
		"CREATE TABLE accounts (domain TEXT NOT NULL REFERENCES domains (name),"
		" local TEXT NOT NULL, password TEXT NOT NULL, status INTEGER NOT NULL,"
		" home TEXT NOT NULL, created INTEGER NOT NULL, PRIMARY KEY (domain, local))"
		" WITHOUT ROWID;"
		"CREATE TABLE aliases (domain TEXT NOT NULL REFERENCES domains (name),"
		" local TEXT NOT NULL, target TEXT NOT NULL, PRIMARY KEY (domain, local, target))"
		" WITHOUT ROWID;",
	};
	static const struct sql_schema old = { migrations, 1 };
	struct sql_opts o = { .timeout_ms = 60000 };
	struct buf out = BUF_INIT(4096);
	struct directory_account a;
	struct sql *s;

	if (strncmp(b->url, "sqlite:", 7) != 0)
		return; /* servers came with the second */
	directory_close(&b->writer);
	directory_close(&b->reader);
	snprintf(b->url + strlen(b->url), 5, ".old");
	assert_int_equal(sql_open(b->url, SQL_WRITE, &o, &old, &s, &b->err), SQL_OK);
	assert_int_equal(sql_change(s, "INSERT INTO domains VALUES ('example.org', 1)", NULL, 0,
	                            NULL, &b->err),
	                 SQL_OK);
	assert_int_equal(sql_change(s,
	                            "INSERT INTO accounts VALUES ('example.org', 'old', 'h', 0,"
	                            " 'store1', 1)",
	                            NULL, 0, NULL, &b->err),
	                 SQL_OK);
	assert_int_equal(sql_change(s,
	                            "INSERT INTO aliases VALUES ('example.org', 'to', "
	                            "'old@example.org')",
	                            NULL, 0, NULL, &b->err),
	                 SQL_OK);
	sql_close(&s);
	b->reader = directory_open(b->url, "example.org", DIRECTORY_READ, &b->err);
	assert_int_equal(directory_get(b->reader, "old", &a, &b->err), DIRECTORY_OK);
	assert_true(a.keep_copy);
	want("aliases", directory_list_aliases(b->reader, NULL, add_pair, &out, &b->err), &out,
	     "to@example.org>old@example.org ");
	want("domains", directory_list_domains(b->reader, add_domain, &out, &b->err), &out,
	     "example.org,,,1,1 ");
	want("forwards", directory_list_forwards(b->reader, NULL, add_pair, &out, &b->err), &out,
	     "");
	b->writer = directory_open(b->url, "example.org", DIRECTORY_WRITE, &b->err);
	assert_non_null(b->writer);
	assert_int_equal(directory_set_services(b->writer, "old", "imap", &b->err), DIRECTORY_OK);
	assert_int_equal(directory_get(b->reader, "old", &a, &b->err), DIRECTORY_OK);
	test_eq_str("services", a.services, "imap"); /* without being opened again */
	buf_fini(&out);
}

TEST(a_file_of_the_first_version)
{
	on_both(check_first_version);
}
