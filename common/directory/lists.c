/*
 * What leads to accounts and what is said of several: domains, aliases, forwards, groups,
 * senders. For roostctl; the auth workers read entries (entry.h).
 *
 * An alias or forward that would lead to itself is refused in the transaction that makes it,
 * so that the mail never meets it. (Somebody else's SQL may make one all the same: resolve.c.)
 */
#include "base/clock.h"
#include "base/xalloc.h"
#include "directory/directory_impl.h"
#include "directory/resolve.h"
#include "mail/address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- names ------------------------------------------------------------------------------- */

static enum directory_result
fail_address(const char *address, struct err *err)
{
	err_set(err,
	        "\"%.100s\" cannot be an address of the directory: write name@domain, or @domain "
	        "for a whole domain",
	        address);
	return DIRECTORY_INVALID;
}

/* A target as it is kept: with its domain, which is in lower case. */
static enum directory_result
make_target(struct directory *d, const char *target, char text_r[ADDRESS_TEXT_SIZE],
            struct err *err)
{
	struct address a;
	enum address_error e =
		address_parse(slice_of(target), ADDRESS_ALLOW_BARE | ADDRESS_ALLOW_UTF8, &a);

	if (e == ADDRESS_OK && a.domain[0] == '\0' && d->default_domain == NULL)
		e = ADDRESS_NO_DOMAIN;
	if (e != ADDRESS_OK) {
		err_set(err, "\"%.100s\": %s", target, address_error_text(e));
		return DIRECTORY_INVALID;
	}
	if (a.domain[0] == '\0')
		snprintf(a.domain, sizeof(a.domain), "%s", d->default_domain);
	address_text(&a, text_r);
	if (strlen(text_r) <= DIRECTORY_NAME_MAX)
		return DIRECTORY_OK;
	err_set(err, "\"%.100s\" is too long", target);
	return DIRECTORY_INVALID;
}

struct circle {
	const char *address;
	bool closed;
};

static void
note_circle(void *ctx, unsigned depth, const char *address, enum resolve_event event)
{
	struct circle *c = ctx;

	if (event == RESOLVE_LOOP && strcmp(address, c->address) == 0)
		c->closed = true;
}

/* In a transaction, behind the change. An alias may be in no circle at all; two who forward
 * to each other and keep copies harm nobody. */
static enum directory_result
check_leads_somewhere(struct directory *d, const struct dir_name *n, bool is_alias, struct err *err)
{
	char address[DIRECTORY_NAME_MAX + 1];
	struct circle circle = { address, false };
	struct resolve_config c = { .directory = d, .trace = note_circle, .trace_ctx = &circle };
	struct resolved r;
	enum directory_result result = DIRECTORY_OK;

	dir_name_text(*n->local != '\0' ? n->local : "anybody", n->domain, NULL, address);
	resolve_address(&c, slice_of(address), &r);
	if (r.loop || (is_alias && circle.closed) || r.is_too_much) {
		err_set(err, "then the mail for %s%s@%s %s", *n->local == '\0' ? "anybody" : "",
		        n->local, n->domain,
		        !r.is_too_much ? "would run in a circle"
		                       : "would go to too many, or through too many aliases");
		result = DIRECTORY_INVALID;
	} else if (r.result == AUTH_TEMP) {
		err_set(err, "the directory does not answer");
		result = DIRECTORY_TEMP;
	}
	resolved_fini(&r);
	return result;
}

/* ---- reading ------------------------------------------------------------------------------- */

struct listing {
	directory_pair_fn *fn;
	void *ctx;
};

static void
text_of(const char *local, const char *domain, char text_r[DIRECTORY_NAME_MAX + 1])
{
	*text_r = '\0';
	if (*domain != '\0')
		dir_name_text(local, domain, NULL, text_r);
}

/* Columns: local and domain of the left, local and domain of the right; a right one without a
 * domain is a text. */
static bool
give_pair(void *ctx, const char *const *column)
{
	struct listing *l = ctx;
	char left[DIRECTORY_NAME_MAX + 1], right[DIRECTORY_NAME_MAX + 1];

	text_of(column[0], column[1], left);
	text_of(column[2], column[3], right);
	return l->fn(l->ctx, left, *column[3] != '\0' ? right : column[2]);
}

/* Tables of an older schema are empty, unless it has them all. */
static enum directory_result
list(struct directory *d, const char *query, bool is_old, const char *a, const char *b,
     directory_pair_fn *fn, void *ctx, struct err *err)
{
	struct sql_arg args[] = { SQL_TEXT(a), SQL_TEXT(b) };
	struct listing l = { fn, ctx };
	unsigned version;
	enum sql_result r = sql_ready(d->sql, &version, err);

	if (r == SQL_OK && (is_old || version >= SCHEMA_FORWARDS))
		r = sql_read(d->sql, query, args, ARRAY_LEN(args), give_pair, &l, err);
	return directory_result_of(r, 1);
}

enum directory_result
directory_list_aliases(struct directory *d, const char *domain, directory_pair_fn *fn, void *ctx,
                       struct err *err)
{
	struct dir_name n = { .domain = "" };

	if (domain != NULL && !dir_name_of_domain(slice_of(domain), &n))
		return DIRECTORY_INVALID;
	return list(d,
	            "SELECT local, domain, target, '' FROM aliases"
	            " WHERE (?1 = '' OR domain = ?1) AND ?2 = '' ORDER BY domain, local, target",
	            true, n.domain, "", fn, ctx, err);
}

enum directory_result
directory_list_leading_to(struct directory *d, const char *address, directory_pair_fn *fn,
                          void *ctx, struct err *err)
{
	char text[ADDRESS_TEXT_SIZE];
	enum directory_result r = make_target(d, address, text, err);

	if (r == DIRECTORY_OK)
		r = list(d,
		         "SELECT local, domain, target, '' FROM aliases"
		         " WHERE target = ?1 AND ?2 = '' ORDER BY domain, local",
		         true, text, "", fn, ctx, err);
	if (r == DIRECTORY_OK)
		r = list(d,
		         "SELECT local, domain, target, '' FROM forwards"
		         " WHERE target = ?1 AND ?2 = '' ORDER BY domain, local",
		         false, text, "", fn, ctx, err);
	return r;
}

/* Rows of one user, or of all. */
static enum directory_result
list_of_user(struct directory *d, const char *query, const char *user, directory_pair_fn *fn,
             void *ctx, struct err *err)
{
	struct dir_name n = { .local = "", .domain = "" };

	if (user != NULL && !dir_name_of_user(user, d->default_domain, &n))
		return directory_fail_user(user, err);
	return list(d, query, false, n.domain, n.local, fn, ctx, err);
}

enum directory_result
directory_list_forwards(struct directory *d, const char *user, directory_pair_fn *fn, void *ctx,
                        struct err *err)
{
	return list_of_user(d,
	                    "SELECT local, domain, target, '' FROM forwards"
	                    " WHERE ?1 = '' OR (domain = ?1 AND local = ?2)"
	                    " ORDER BY domain, local, target",
	                    user, fn, ctx, err);
}

enum directory_result
directory_list_senders(struct directory *d, const char *user, directory_pair_fn *fn, void *ctx,
                       struct err *err)
{
	return list_of_user(d,
	                    "SELECT user_local, user_domain, local, domain FROM senders"
	                    " WHERE ?1 = '' OR (user_domain = ?1 AND user_local = ?2)"
	                    " ORDER BY user_domain, user_local, domain, local",
	                    user, fn, ctx, err);
}

enum directory_result
directory_list_groups_of(struct directory *d, const char *user, directory_pair_fn *fn, void *ctx,
                         struct err *err)
{
	return list_of_user(d,
	                    "SELECT name, domain, member_local, member_domain FROM group_members"
	                    " WHERE ?1 = '' OR (member_domain = ?1 AND member_local = ?2)"
	                    " ORDER BY domain, name, member_domain, member_local",
	                    user, fn, ctx, err);
}

enum directory_result
directory_list_groups(struct directory *d, const char *group, directory_pair_fn *fn, void *ctx,
                      struct err *err)
{
	return list_of_user(
		d,
		"SELECT g.name, g.domain, coalesce(m.member_local, ''),"
		" coalesce(m.member_domain, '') FROM user_groups g LEFT JOIN group_members m"
		" ON m.domain = g.domain AND m.name = g.name"
		" WHERE ?1 = '' OR (g.domain = ?1 AND g.name = ?2)"
		" ORDER BY g.domain, g.name, m.member_domain, m.member_local",
		group, fn, ctx, err);
}

/* ---- domains ------------------------------------------------------------------------------- */

/* alias_of: in lower case, known, and a domain of its own. */
static enum directory_result
check_alias_of(struct directory *d, const char *domain, const char *alias_of,
               struct dir_name *real_r, struct err *err)
{
	struct entry *e;
	enum directory_result r;

	if (!dir_name_of_domain(slice_of(alias_of), real_r)) {
		err_set(err, "\"%.100s\" is no domain name", alias_of);
		return DIRECTORY_INVALID;
	}
	r = directory_find(d, real_r, &e, err);
	if (r != DIRECTORY_OK)
		return r;
	if (!e->domain_known &&
	    (d->default_domain == NULL || strcmp(real_r->domain, d->default_domain) != 0)) {
		err_set(err, "there is no domain %s", real_r->domain);
		r = DIRECTORY_UNKNOWN;
	} else if (e->alias_of[0] != '\0' || strcmp(domain, real_r->domain) == 0) {
		err_set(err, "%s is no domain of its own", real_r->domain);
		r = DIRECTORY_INVALID;
	} else if (d->default_domain != NULL && strcmp(domain, d->default_domain) == 0) {
		err_set(err, "the default domain is a domain of its own");
		r = DIRECTORY_INVALID;
	}
	entry_unref(&e);
	return r;
}

enum directory_result
directory_add_domain(struct directory *d, const char *domain, const char *alias_of, struct err *err)
{
	struct dir_name n, real = { .domain = "" };
	enum directory_result r = DIRECTORY_OK;
	char now[24];

	if (!dir_name_of_domain(slice_of(domain), &n)) {
		err_set(err, "\"%.100s\" is no domain name", domain);
		return DIRECTORY_INVALID;
	}
	if (alias_of != NULL)
		r = check_alias_of(d, n.domain, alias_of, &real, err);
	if (r != DIRECTORY_OK)
		return r;
	snprintf(now, sizeof(now), "%llu", (unsigned long long)clock_wall_s());
	return DIRECTORY_CHANGE(d, err,
	                        "INSERT INTO domains (name, created, alias_of) VALUES (?1, ?2, ?3)",
	                        n.domain, now, real.domain);
}

enum directory_result
directory_set_domain_services(struct directory *d, const char *domain, const char *services,
                              struct err *err)
{
	struct dir_name n;

	if (!dir_name_of_domain(slice_of(domain), &n))
		return DIRECTORY_UNKNOWN;
	if (dir_is_services(services))
		return DIRECTORY_CHANGE(d, err, "UPDATE domains SET services = ?2 WHERE name = ?1",
		                        n.domain, services);
	err_set(err, "\"%.100s\" is no list of services: write words such as imap pop3", services);
	return DIRECTORY_INVALID;
}

static bool
count_row(void *ctx, const char *const *column)
{
	*(uint64_t *)ctx = strtoull(column[0], NULL, 10);
	return false;
}

/* What no foreign key sees. */
static enum directory_result
check_no_alias_domains(struct directory *d, const struct dir_name *n, struct err *err)
{
	struct sql_arg args[] = { SQL_TEXT(n->domain) };
	uint64_t count = 0;
	enum sql_result r = sql_read(d->sql, "SELECT count(*) FROM domains WHERE alias_of = ?1",
	                             args, 1, count_row, &count, err);

	if (r != SQL_OK)
		return DIRECTORY_TEMP;
	return count > 0 ? DIRECTORY_IN_USE : DIRECTORY_OK;
}

enum directory_result
directory_delete_domain(struct directory *d, const char *domain, struct err *err)
{
	struct dir_name n;
	enum directory_result r;

	if (!dir_name_of_domain(slice_of(domain), &n))
		return DIRECTORY_UNKNOWN;
	r = directory_begin(d, err);
	if (r != DIRECTORY_OK)
		return r;
	r = check_no_alias_domains(d, &n, err);
	if (r == DIRECTORY_OK)
		r = DIRECTORY_CHANGE(d, err, "DELETE FROM domains WHERE name = ?1", n.domain);
	if (r == DIRECTORY_IN_USE)
		err_set(err, "the domain %s still has accounts, aliases, groups or other names",
		        n.domain);
	return directory_end(d, r, err);
}

/* ---- aliases ------------------------------------------------------------------------------- */

static enum directory_result
check_alias_name(struct directory *d, const struct dir_name *n, struct err *err)
{
	struct entry *e;
	enum directory_result r = directory_find(d, n, &e, err);
	bool is_default;

	if (r != DIRECTORY_OK)
		return r;
	is_default = d->default_domain != NULL && strcmp(n->domain, d->default_domain) == 0;
	if (!e->domain_known && !is_default) {
		err_set(err, "there is no domain %s", n->domain);
		r = DIRECTORY_UNKNOWN;
	} else if (e->has_account) {
		err_set(err, "%s@%s is an account; forward its mail instead", n->local, n->domain);
		r = DIRECTORY_INVALID;
	} else if (e->alias_of[0] != '\0') {
		err_set(err, "the domain %s is another name of %s; aliases belong there", n->domain,
		        e->alias_of);
		r = DIRECTORY_INVALID;
	} else if (!e->domain_known) {
		r = directory_add_domain(d, n->domain, NULL, err);
	}
	entry_unref(&e);
	return r;
}

static enum directory_result
add_target(struct directory *d, const struct dir_name *n, const char *target, struct err *err)
{
	char text[ADDRESS_TEXT_SIZE];
	enum directory_result r = make_target(d, target, text, err);

	if (r == DIRECTORY_OK)
		r = DIRECTORY_CHANGE(
			d, err, "INSERT INTO aliases (domain, local, target) VALUES (?1, ?2, ?3)",
			n->domain, n->local, text);
	if (r == DIRECTORY_EXISTS)
		err_set(err, "%s@%s leads to %s already", n->local, n->domain, text);
	return r;
}

enum directory_result
directory_add_alias(struct directory *d, const char *address, const char *const *targets,
                    size_t count, struct err *err)
{
	struct dir_name n;
	enum directory_result r;

	if (!dir_name_of_address(address, d->default_domain, &n))
		return fail_address(address, err);
	r = directory_begin(d, err);
	if (r != DIRECTORY_OK)
		return r;
	r = check_alias_name(d, &n, err);
	for (size_t i = 0; i < count && r == DIRECTORY_OK; i++)
		r = add_target(d, &n, targets[i], err);
	if (r == DIRECTORY_OK)
		r = check_leads_somewhere(d, &n, true, err);
	return directory_end(d, r, err);
}

enum directory_result
directory_delete_alias(struct directory *d, const char *address, const char *target,
                       struct err *err)
{
	char text[ADDRESS_TEXT_SIZE];
	struct dir_name n;
	enum directory_result r;

	if (!dir_name_of_address(address, d->default_domain, &n))
		return fail_address(address, err);
	if (target == NULL)
		return DIRECTORY_CHANGE(d, err,
		                        "DELETE FROM aliases WHERE domain = ?1 AND local = ?2",
		                        n.domain, n.local);
	r = make_target(d, target, text, err);
	if (r != DIRECTORY_OK)
		return r;
	return DIRECTORY_CHANGE(
		d, err, "DELETE FROM aliases WHERE domain = ?1 AND local = ?2 AND target = ?3",
		n.domain, n.local, text);
}

/* ---- forwards ------------------------------------------------------------------------------- */

static enum directory_result
add_forward(struct directory *d, const struct dir_name *n, const char *target, struct err *err)
{
	char text[ADDRESS_TEXT_SIZE];
	enum directory_result r = make_target(d, target, text, err);

	if (r != DIRECTORY_OK)
		return r;
	r = DIRECTORY_CHANGE(d, err,
	                     "INSERT INTO forwards (domain, local, target) VALUES (?1, ?2, ?3)",
	                     n->domain, n->local, text);
	if (r == DIRECTORY_EXISTS) {
		err_set(err, "%s is there twice", text);
		return DIRECTORY_INVALID;
	}
	return r;
}

static enum directory_result
replace_forwards(struct directory *d, const struct dir_name *n, const char *const *targets,
                 size_t count, bool keep_copy, struct err *err)
{
	enum directory_result r = DIRECTORY_CHANGE(
		d, err, "UPDATE accounts SET keep_copy = ?3 WHERE domain = ?1 AND local = ?2",
		n->domain, n->local, keep_copy || count == 0 ? "1" : "0");

	if (r != DIRECTORY_OK)
		return r;
	r = DIRECTORY_CHANGE(d, err, "DELETE FROM forwards WHERE domain = ?1 AND local = ?2",
	                     n->domain, n->local);
	if (r == DIRECTORY_UNKNOWN)
		r = DIRECTORY_OK;
	for (size_t i = 0; i < count && r == DIRECTORY_OK; i++)
		r = add_forward(d, n, targets[i], err);
	return r == DIRECTORY_OK && count > 0 ? check_leads_somewhere(d, n, false, err) : r;
}

enum directory_result
directory_set_forwards(struct directory *d, const char *user, const char *const *targets,
                       size_t count, bool keep_copy, struct err *err)
{
	struct dir_name n;
	enum directory_result r;

	if (!dir_name_of_user(user, d->default_domain, &n))
		return DIRECTORY_UNKNOWN;
	r = directory_begin(d, err);
	if (r != DIRECTORY_OK)
		return r;
	return directory_end(d, replace_forwards(d, &n, targets, count, keep_copy, err), err);
}

/* ---- groups --------------------------------------------------------------------------------- */

static enum directory_result
fail_group(const char *group, struct err *err)
{
	err_set(err,
	        "\"%.100s\" cannot be a group: names are letters, digits and . _ - = ' ~, with a "
	        "domain behind @ when it is not the default one",
	        group);
	return DIRECTORY_INVALID;
}

enum directory_result
directory_add_group(struct directory *d, const char *group, struct err *err)
{
	struct dir_name n;
	char now[24];
	enum directory_result r;

	if (!dir_name_of_user(group, d->default_domain, &n))
		return fail_group(group, err);
	r = directory_has_domain(d, slice_of(n.domain), err);
	if (r == DIRECTORY_UNKNOWN)
		err_set(err, "there is no domain %s", n.domain);
	if (r != DIRECTORY_OK)
		return r;
	r = directory_begin(d, err);
	if (r != DIRECTORY_OK)
		return r;
	snprintf(now, sizeof(now), "%llu", (unsigned long long)clock_wall_s());
	r = DIRECTORY_CHANGE(d, err,
	                     "INSERT INTO user_groups (domain, name, created) VALUES (?1, ?2, ?3)",
	                     n.domain, n.local, now);
	if (r == DIRECTORY_IN_USE) {
		err_set(err,
		        "the domain %s has nothing in it yet; `roostctl domain add %s` adds it",
		        n.domain, n.domain);
		r = DIRECTORY_UNKNOWN;
	}
	return directory_end(d, r, err);
}

enum directory_result
directory_delete_group(struct directory *d, const char *group, struct err *err)
{
	struct dir_name n;
	enum directory_result r;

	if (!dir_name_of_user(group, d->default_domain, &n))
		return fail_group(group, err);
	r = directory_begin(d, err);
	if (r != DIRECTORY_OK)
		return r;
	r = DIRECTORY_CHANGE(d, err, "DELETE FROM group_members WHERE domain = ?1 AND name = ?2",
	                     n.domain, n.local);
	if (r != DIRECTORY_TEMP)
		r = DIRECTORY_CHANGE(d, err,
		                     "DELETE FROM user_groups WHERE domain = ?1 AND name = ?2",
		                     n.domain, n.local);
	return directory_end(d, r, err);
}

/* All groups of a user go into a login's answer, so they are bounded. */
static enum directory_result
check_groups_fit(struct directory *d, const struct dir_name *user, struct err *err)
{
	char text[DIRECTORY_GROUPS_MAX + 1];
	struct entry *e;
	enum directory_result r = directory_find(d, user, &e, err);

	if (r != DIRECTORY_OK)
		return r;
	if (!entry_groups(e, d->default_domain, text)) {
		err_set(err,
		        "%s@%s would be in too many groups: their names may have %d characters",
		        user->local, user->domain, DIRECTORY_GROUPS_MAX);
		r = DIRECTORY_INVALID;
	}
	entry_unref(&e);
	return r;
}

enum directory_result
directory_add_member(struct directory *d, const char *group, const char *user, struct err *err)
{
	struct dir_name g, u;
	enum directory_result r;

	if (!dir_name_of_user(group, d->default_domain, &g))
		return fail_group(group, err);
	if (!dir_name_of_user(user, d->default_domain, &u))
		return directory_fail_user(user, err);
	r = directory_begin(d, err);
	if (r != DIRECTORY_OK)
		return r;
	r = DIRECTORY_CHANGE(d, err,
	                     "INSERT INTO group_members (domain, name, member_domain, member_local)"
	                     " VALUES (?1, ?2, ?3, ?4)",
	                     g.domain, g.local, u.domain, u.local);
	if (r == DIRECTORY_IN_USE) {
		err_set(err, "there is no group %s@%s, or no account %s@%s", g.local, g.domain,
		        u.local, u.domain);
		r = DIRECTORY_UNKNOWN;
	}
	if (r == DIRECTORY_OK)
		r = check_groups_fit(d, &u, err);
	return directory_end(d, r, err);
}

enum directory_result
directory_delete_member(struct directory *d, const char *group, const char *user, struct err *err)
{
	struct dir_name g, u;

	if (!dir_name_of_user(group, d->default_domain, &g))
		return fail_group(group, err);
	if (!dir_name_of_user(user, d->default_domain, &u))
		return directory_fail_user(user, err);
	return DIRECTORY_CHANGE(d, err,
	                        "DELETE FROM group_members WHERE domain = ?1 AND name = ?2"
	                        " AND member_domain = ?3 AND member_local = ?4",
	                        g.domain, g.local, u.domain, u.local);
}

/* ---- senders --------------------------------------------------------------------------------- */

/* query: ?1 and ?2 the sender's domain and local part, ?3 and ?4 the user's. */
static enum directory_result
change_sender(struct directory *d, const char *query, const char *user, const char *sender,
              struct err *err)
{
	struct dir_name s, u;
	enum directory_result r;

	if (!dir_name_of_address(sender, d->default_domain, &s))
		return fail_address(sender, err);
	if (!dir_name_of_user(user, d->default_domain, &u))
		return directory_fail_user(user, err);
	r = DIRECTORY_CHANGE(d, err, query, s.domain, s.local, u.domain, u.local);
	if (r != DIRECTORY_IN_USE)
		return r;
	err_set(err, "there is no account %s@%s", u.local, u.domain);
	return DIRECTORY_UNKNOWN;
}

enum directory_result
directory_add_sender(struct directory *d, const char *user, const char *sender, struct err *err)
{
	return change_sender(d,
	                     "INSERT INTO senders (domain, local, user_domain, user_local)"
	                     " VALUES (?1, ?2, ?3, ?4)",
	                     user, sender, err);
}

enum directory_result
directory_delete_sender(struct directory *d, const char *user, const char *sender, struct err *err)
{
	return change_sender(d,
	                     "DELETE FROM senders WHERE domain = ?1 AND local = ?2"
	                     " AND user_domain = ?3 AND user_local = ?4",
	                     user, sender, err);
}

/* The address, its plain form, or its whole domain. */
static bool
has_sender(const struct entry *e, const struct dir_name *sender)
{
	char address[DIRECTORY_NAME_MAX + 1], domain[DIRECTORY_NAME_MAX + 1];
	const char *text;
	size_t pos = 0;

	dir_name_text(sender->local, sender->domain, NULL, address);
	dir_name_text("", sender->domain, NULL, domain);
	while ((text = entry_next(&e->senders, &pos)) != NULL)
		if (strcmp(text, address) == 0 || strcmp(text, domain) == 0)
			return true;
	return false;
}

enum directory_result
directory_is_granted(struct directory *d, const char *user, struct slice sender,
                     const char *delimiter, struct err *err)
{
	size_t at = slice_find_last(sender, '@'), cut;
	struct slice local = slice_sub(sender, 0, at);
	struct dir_name s, u;
	struct entry *e;
	enum directory_result r;

	cut = delimiter != NULL && *delimiter != '\0' ? slice_find(local, *delimiter) : local.n;
	if (!dir_name_of_domain(
		    at < sender.n ? slice_skip(sender, at + 1) : slice_of(d->default_domain), &s) ||
	    !dir_name_of_user(user, d->default_domain, &u))
		return DIRECTORY_UNKNOWN;
	dir_name_set_local(&s, slice_sub(local, 0, cut));
	r = directory_find(d, &u, &e, err);
	if (r == DIRECTORY_OK && !has_sender(e, &s)) {
		r = e->is_stale ? DIRECTORY_TEMP : DIRECTORY_UNKNOWN;
		err_set(err, "the directory is away");
	}
	entry_unref(&e);
	return r;
}
