/*
 * Opening, the memory of what was read, and accounts; what leads to them is in lists.c.
 *
 * What is kept in memory (readers only):
 *
 * 1. A server is not asked again for a name within `directory_cache`, or, when there was
 *    nothing under it, within `directory_cache_negative`. A file is always asked.
 * 2. When the database does not answer, what it said within `directory_cache_stale` is used,
 *    and marked so: nobody takes "unknown" from it (promise 2).
 */
#include "directory/directory.h"

#include "base/clock.h"
#include "base/must.h"
#include "base/xalloc.h"
#include "conf/common.h"
#include "directory/directory_impl.h"
#include "directory/passwd.h"
#include "log/log.h"
#include "mail/address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 2000

/* ---- opening --------------------------------------------------------------------------- */

static struct directory *
open_with(const char *url, const char *default_domain, enum directory_mode mode,
          const struct sql_opts *o, struct err *err)
{
	struct directory *d = xcalloc(1, sizeof(*d));
	struct dir_name n;

	if (dir_name_of_domain(slice_of(default_domain), &n))
		d->default_domain = xstrdup(n.domain);
	if (sql_open(url, mode == DIRECTORY_WRITE ? SQL_WRITE : SQL_READ, o, &directory_schema,
	             &d->sql, err) != SQL_OK)
		directory_close(&d);
	return d;
}

struct directory *
directory_open(const char *url, const char *default_domain, enum directory_mode mode,
               struct err *err)
{
	struct sql_opts o = { .timeout_ms = TIMEOUT_MS };

	return open_with(url, default_domain, mode, &o, err);
}

struct directory *
directory_open_conf(const struct conf *c, enum directory_mode mode, struct err *err)
{
	struct sql_opts o = {
		.password = conf_str(c, "directory_password"),
		.tls_ca = conf_str(c, "tls_ca"),
		.timeout_ms = conf_ms(c, "directory_timeout"),
	};
	size_t entries = conf_int(c, "directory_cache_entries");
	struct directory *d =
		open_with(conf_str(c, "directory"), conf_str(c, "default_domain"), mode, &o, err);

	if (d == NULL || mode == DIRECTORY_WRITE || entries == 0)
		return d;
	d->cache = cache_new(entries);
	d->stale_ms = conf_ms(c, "directory_cache_stale");
	if (sql_is_file(d->sql))
		return d;
	d->fresh_ms = conf_ms(c, "directory_cache");
	d->negative_ms = conf_ms(c, "directory_cache_negative");
	return d;
}

void
directory_close(struct directory **d)
{
	if (*d == NULL)
		return;
	cache_free(&(*d)->cache);
	sql_close(&(*d)->sql);
	free((*d)->default_domain);
	free(*d);
	*d = NULL;
}

int
directory_check(const struct conf *c, struct err *err)
{
	const char *postmaster = conf_str(c, "postmaster");
	struct directory *d;
	struct address a;
	struct err why;
	enum address_error e;

	if (!conf_common_has_directory(c))
		return 0;
	d = directory_open_conf(c, DIRECTORY_READ, &why);
	if (d == NULL) {
		err_set(err, "directory: %s", why.text);
		return -1;
	}
	directory_close(&d);
	if (postmaster == NULL)
		return 0;
	e = address_parse(slice_of(postmaster), ADDRESS_ALLOW_BARE, &a);
	if (e != ADDRESS_OK)
		err_set(err, "postmaster: \"%.100s\": %s", postmaster, address_error_text(e));
	return e == ADDRESS_OK ? 0 : -1;
}

/* ---- reading --------------------------------------------------------------------------- */

static struct entry *
from_memory(struct directory *d, const struct dir_name *n, uint64_t *age_ms_r)
{
	struct entry *e = d->cache != NULL ? cache_get(d->cache, n, age_ms_r) : NULL;

	return e != NULL ? entry_ref(e) : NULL;
}

static void
say_away(struct directory *d, bool away, const struct err *err)
{
	if (away && !d->is_away)
		log_error(NULL, "directory.away err=%s", log_esc(err->text));
	else if (!away && d->is_away)
		log_info(NULL, "directory.back");
	d->is_away = away;
}

/* What cannot be used is no better than a database that is away. */
static enum directory_result
check_size(const struct dir_name *n, struct entry **e, struct err *err)
{
	if (!(*e)->is_too_much)
		return DIRECTORY_OK;
	entry_unref(e);
	err_set(err, "there is too much under %s@%s in the directory", n->local, n->domain);
	return DIRECTORY_TEMP;
}

/* From the database; or, when that is away, what it said before. Takes *old, may be NULL. */
static enum directory_result
read_anew(struct directory *d, const struct dir_name *n, struct entry **old, uint64_t age_ms,
          struct entry **e_r, struct err *err)
{
	enum directory_result r = entry_read(d->sql, n, e_r, err);

	say_away(d, r != DIRECTORY_OK, err);
	if (r != DIRECTORY_OK && *old != NULL && age_ms < d->stale_ms) {
		*e_r = *old;
		(*e_r)->is_stale = true;
		return DIRECTORY_OK;
	}
	entry_unref(old);
	if (r == DIRECTORY_OK)
		r = check_size(n, e_r, err);
	if (r == DIRECTORY_OK && d->cache != NULL)
		cache_put(d->cache, n, *e_r);
	return r;
}

enum directory_result
directory_find(struct directory *d, const struct dir_name *n, struct entry **e_r, struct err *err)
{
	uint64_t age_ms = 0;
	struct entry *old = from_memory(d, n, &age_ms);

	if (old == NULL || age_ms >= (entry_is_positive(old) ? d->fresh_ms : d->negative_ms))
		return read_anew(d, n, &old, age_ms, e_r, err);
	old->is_stale = false;
	*e_r = old;
	return DIRECTORY_OK;
}

bool
directory_is_server(const struct directory *d)
{
	return !sql_is_file(d->sql);
}

bool
directory_is_away(const struct directory *d)
{
	return d->is_away;
}

/* Domains that are another name of a domain: once, since that one is a real one. */
static enum directory_result
find_real(struct directory *d, struct dir_name *n, struct entry **e_r, struct err *err)
{
	enum directory_result r = directory_find(d, n, e_r, err);

	if (r != DIRECTORY_OK || (*e_r)->alias_of[0] == '\0')
		return r;
	snprintf(n->domain, sizeof(n->domain), "%s", (*e_r)->alias_of);
	entry_unref(e_r);
	return directory_find(d, n, e_r, err);
}

/* Nothing is unknown because nobody answered. */
static enum directory_result
unknown(const struct entry *e, struct err *err)
{
	if (!e->is_stale)
		return DIRECTORY_UNKNOWN;
	err_set(err, "the directory is away, and what it said before is too little");
	return DIRECTORY_TEMP;
}

/* Without some of his groups he would be somebody else. */
static enum directory_result
fill_account(const struct directory *d, const struct dir_name *n, const struct entry *e,
             struct directory_account *a_r, struct err *err)
{
	*a_r = e->account;
	dir_name_text(n->local, n->domain, d->default_domain, a_r->user);
	snprintf(a_r->domain_services, sizeof(a_r->domain_services), "%s", e->domain_services);
	if (entry_groups(e, d->default_domain, a_r->groups))
		return DIRECTORY_OK;
	secret_wipe(a_r->hash, sizeof(a_r->hash));
	err_set(err, "%s is in more groups than fit", a_r->user);
	return DIRECTORY_TEMP;
}

enum directory_result
directory_get(struct directory *d, const char *user, struct directory_account *a_r, struct err *err)
{
	struct dir_name n;
	struct entry *e;
	enum directory_result r;

	if (!dir_name_of_user(user, d->default_domain, &n))
		return DIRECTORY_UNKNOWN;
	r = find_real(d, &n, &e, err);
	if (r != DIRECTORY_OK)
		return r;
	r = e->has_account ? fill_account(d, &n, e, a_r, err) : unknown(e, err);
	entry_unref(&e);
	return r;
}

bool
directory_refresh(struct directory *d, const char *user)
{
	struct err err;
	struct dir_name n;
	struct entry *e, *none = NULL;
	bool done;

	if (d->fresh_ms == 0 || !dir_name_of_user(user, d->default_domain, &n))
		return false;
	done = read_anew(d, &n, &none, 0, &e, &err) == DIRECTORY_OK;
	entry_unref(&e);
	return done;
}

enum directory_result
directory_has_domain(struct directory *d, struct slice domain, struct err *err)
{
	enum directory_result r;
	struct dir_name n;
	struct entry *e;

	if (!dir_name_of_domain(domain, &n))
		return DIRECTORY_UNKNOWN;
	if (d->default_domain != NULL && strcmp(n.domain, d->default_domain) == 0)
		return DIRECTORY_OK;
	r = directory_find(d, &n, &e, err);
	if (r == DIRECTORY_OK && !e->domain_known)
		r = unknown(e, err);
	entry_unref(&e);
	return r;
}

/* ---- lists ------------------------------------------------------------------------------- */

struct listing {
	struct directory *d;
	directory_list_fn *accounts;
	directory_domain_fn *domains;
	void *ctx;
};

static bool
give_account(void *ctx, const char *const *column)
{
	struct listing *l = ctx;
	struct directory_account a = { .keep_copy = strcmp(column[6], "0") != 0 };

	dir_name_text(column[1], column[0], l->d->default_domain, a.user);
	a.status = strcmp(column[2], "0") == 0 ? DIRECTORY_ACTIVE : DIRECTORY_DISABLED;
	snprintf(a.home, sizeof(a.home), "%s", column[3]);
	a.created_s = strtoull(column[4], NULL, 10);
	snprintf(a.services, sizeof(a.services), "%s", column[5]);
	return l->accounts(l->ctx, &a);
}

static bool
give_domain(void *ctx, const char *const *column)
{
	struct listing *l = ctx;
	struct directory_domain domain = { column[0], column[1], column[2],
		                           strtoull(column[3], NULL, 10),
		                           strtoull(column[4], NULL, 10) };

	return l->domains(l->ctx, &domain);
}

/* The one query for the schema that is there. */
static enum directory_result
list(struct directory *d, const char *old_query, const char *query, const char *domain,
     sql_row_fn *fn, struct listing *l, struct err *err)
{
	struct sql_arg args[] = { SQL_TEXT(domain) };
	unsigned version;
	enum sql_result r = sql_ready(d->sql, &version, err);

	if (r == SQL_OK)
		r = sql_read(d->sql, version < SCHEMA_FORWARDS ? old_query : query, args, 1, fn, l,
		             err);
	return directory_result_of(r, 1);
}

enum directory_result
directory_list(struct directory *d, const char *domain, directory_list_fn *fn, void *ctx,
               struct err *err)
{
	struct listing l = { .d = d, .accounts = fn, .ctx = ctx };
	struct dir_name n = { .domain = "" };

	if (domain != NULL && !dir_name_of_domain(slice_of(domain), &n))
		return DIRECTORY_INVALID;
	return list(d,
	            "SELECT domain, local, status, home, created, '', 1 FROM accounts"
	            " WHERE ?1 = '' OR domain = ?1 ORDER BY domain, local",
	            "SELECT domain, local, status, home, created, services, keep_copy FROM accounts"
	            " WHERE ?1 = '' OR domain = ?1 ORDER BY domain, local",
	            n.domain, give_account, &l, err);
}

enum directory_result
directory_list_domains(struct directory *d, directory_domain_fn *fn, void *ctx, struct err *err)
{
	struct listing l = { .d = d, .domains = fn, .ctx = ctx };

#define COUNTS                                                                                     \
	"(SELECT count(*) FROM accounts WHERE domain = name),"                                     \
	" (SELECT count(*) FROM aliases WHERE domain = name)"                                      \
	" FROM domains WHERE ?1 = '' ORDER BY name"
	return list(d, "SELECT name, '', '', " COUNTS, "SELECT name, alias_of, services, " COUNTS,
	            "", give_domain, &l, err);
#undef COUNTS
}

/* ---- writing ----------------------------------------------------------------------------- */

enum directory_result
directory_result_of(enum sql_result r, uint64_t rows)
{
	if (r == SQL_OK)
		return rows > 0 ? DIRECTORY_OK : DIRECTORY_UNKNOWN;
	if (r == SQL_EXISTS)
		return DIRECTORY_EXISTS;
	return r == SQL_REFERS ? DIRECTORY_IN_USE : DIRECTORY_TEMP;
}

enum directory_result
directory_begin(struct directory *d, struct err *err)
{
	return directory_result_of(sql_begin(d->sql, err), 1);
}

enum directory_result
directory_end(struct directory *d, enum directory_result r, struct err *err)
{
	if (r == DIRECTORY_OK)
		r = directory_result_of(sql_commit(d->sql, err), 1);
	if (r != DIRECTORY_OK)
		sql_rollback(d->sql);
	return r;
}

enum directory_result
directory_change(struct directory *d, const char *query, const char *const *texts, size_t count,
                 struct err *err)
{
	struct sql_arg args[SQL_ARGS_MAX];
	uint64_t rows = 0;
	enum sql_result r;

	must(count <= SQL_ARGS_MAX);
	for (size_t i = 0; i < count; i++)
		args[i] = SQL_TEXT(texts[i]);
	r = sql_change(d->sql, query, args, count, &rows, err);
	return directory_result_of(r, rows);
}

enum directory_result
directory_fail_user(const char *user, struct err *err)
{
	err_set(err,
	        "\"%.100s\" cannot be a user: names are letters, digits and . _ - = ' ~ with a "
	        "domain behind @",
	        user);
	return DIRECTORY_INVALID;
}

static enum directory_result
fail_home(const char *home, struct err *err)
{
	err_set(err, "\"%.100s\" cannot be the name of a store", home);
	return DIRECTORY_INVALID;
}

static enum directory_result
insert_account(struct directory *d, const struct dir_name *n, const char *hash, const char *home,
               struct err *err)
{
	const struct sql_arg args[] = { SQL_TEXT(n->domain), SQL_TEXT(n->local), SQL_TEXT(hash),
		                        SQL_TEXT(home), SQL_INT((int64_t)clock_wall_s()) };
	uint64_t rows = 0;
	enum sql_result r =
		sql_change(d->sql,
	                   "INSERT INTO accounts (domain, local, password, status, home, created)"
	                   " VALUES (?1, ?2, ?3, 0, ?4, ?5)",
	                   args, ARRAY_LEN(args), &rows, err);

	return directory_result_of(r, rows);
}

/* In a transaction: what must not be there yet, and what must. */
static enum directory_result
prepare_account(struct directory *d, const struct dir_name *n, struct err *err)
{
	struct entry *e;
	enum directory_result r = directory_find(d, n, &e, err);
	bool known;

	if (r != DIRECTORY_OK)
		return r;
	known = e->domain_known;
	if (e->has_account) {
		r = DIRECTORY_EXISTS;
	} else if (e->aliases.len > 0) {
		err_set(err, "%s@%s is an alias; delete it first", n->local, n->domain);
		r = DIRECTORY_INVALID;
	} else if (e->alias_of[0] != '\0') {
		err_set(err, "the domain %s is another name of %s; accounts belong there",
		        n->domain, e->alias_of);
		r = DIRECTORY_INVALID;
	}
	entry_unref(&e);
	return r != DIRECTORY_OK || known ? r : directory_add_domain(d, n->domain, NULL, err);
}

enum directory_result
directory_add(struct directory *d, const char *user, const char *password, const char *home,
              struct err *err)
{
	char hash[DIRECTORY_HASH_MAX + 1] = "";
	enum directory_result r;
	struct dir_name n;

	if (!dir_name_of_user(user, d->default_domain, &n))
		return directory_fail_user(user, err);
	if (!dir_is_store_name(home != NULL ? home : ""))
		return fail_home(home, err);
	if (password != NULL && passwd_hash(slice_of(password), hash, sizeof(hash), err) == -1)
		return DIRECTORY_INVALID;
	r = directory_begin(d, err);
	if (r != DIRECTORY_OK)
		return r;
	r = prepare_account(d, &n, err);
	if (r == DIRECTORY_OK)
		r = insert_account(d, &n, hash, home != NULL ? home : "", err);
	secret_wipe(hash, sizeof(hash));
	return directory_end(d, r, err);
}

/* query: ?1 domain, ?2 local, ?3 the new value. */
static enum directory_result
set(struct directory *d, const char *user, const char *query, const char *value, struct err *err)
{
	struct dir_name n;

	if (!dir_name_of_user(user, d->default_domain, &n))
		return DIRECTORY_UNKNOWN;
	return DIRECTORY_CHANGE(d, err, query, n.domain, n.local, value);
}

enum directory_result
directory_set_password(struct directory *d, const char *user, const char *password, struct err *err)
{
	char hash[DIRECTORY_HASH_MAX + 1];
	enum directory_result r;

	if (passwd_hash(slice_of(password), hash, sizeof(hash), err) == -1)
		return DIRECTORY_INVALID;
	r = set(d, user, "UPDATE accounts SET password = ?3 WHERE domain = ?1 AND local = ?2", hash,
	        err);
	secret_wipe(hash, sizeof(hash));
	return r;
}

enum directory_result
directory_set_status(struct directory *d, const char *user, enum directory_status status,
                     struct err *err)
{
	return set(d, user, "UPDATE accounts SET status = ?3 WHERE domain = ?1 AND local = ?2",
	           status == DIRECTORY_ACTIVE ? "0" : "1", err);
}

enum directory_result
directory_set_home(struct directory *d, const char *user, const char *home, struct err *err)
{
	if (!dir_is_store_name(home))
		return fail_home(home, err);
	return set(d, user, "UPDATE accounts SET home = ?3 WHERE domain = ?1 AND local = ?2", home,
	           err);
}

enum directory_result
directory_set_services(struct directory *d, const char *user, const char *services, struct err *err)
{
	if (!dir_is_services(services)) {
		err_set(err, "\"%.100s\" is no list of services: write words such as imap pop3",
		        services);
		return DIRECTORY_INVALID;
	}
	return set(d, user, "UPDATE accounts SET services = ?3 WHERE domain = ?1 AND local = ?2",
	           services, err);
}

/* What hangs on the account goes first. */
static enum directory_result
delete_rows(struct directory *d, const struct dir_name *n, struct err *err)
{
	static const char *const queries[] = {
		"DELETE FROM forwards WHERE domain = ?1 AND local = ?2",
		"DELETE FROM group_members WHERE member_domain = ?1 AND member_local = ?2",
		"DELETE FROM senders WHERE user_domain = ?1 AND user_local = ?2",
		"DELETE FROM accounts WHERE domain = ?1 AND local = ?2",
	};
	enum directory_result r = DIRECTORY_OK;

	for (size_t i = 0; i < ARRAY_LEN(queries) && r != DIRECTORY_TEMP; i++)
		r = DIRECTORY_CHANGE(d, err, queries[i], n->domain, n->local);
	return r; /* of the last: the account's */
}

enum directory_result
directory_delete(struct directory *d, const char *user, struct err *err)
{
	enum directory_result r;
	struct dir_name n;

	if (!dir_name_of_user(user, d->default_domain, &n))
		return DIRECTORY_UNKNOWN;
	r = directory_begin(d, err);
	return r == DIRECTORY_OK ? directory_end(d, delete_rows(d, &n, err), err) : r;
}
