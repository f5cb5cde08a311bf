/*
 * Names are judged and completed here, once; the database below sees only full names
 * in lower case.
 *
 * A user's name becomes part of mailbox names, of protocol lines and of log lines, so
 * it is narrow: letters, digits and . _ - = ' ~, no dot at an end or doubled (`^` stands
 * for the dot in mailbox names; `+` separates the detail; `$` the fields of tokens).
 */
#include "directory/directory.h"

#include "base/clock.h"
#include "base/must.h"
#include "base/text.h"
#include "base/xalloc.h"
#include "directory/db.h"
#include "directory/passwd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct directory {
	const struct db_ops *ops;
	struct db *db;
	char *default_domain; /* lower case, or NULL */
};

#define LOCAL_MAX 64
#define DOMAIN_MAX 255
#define LABEL_MAX 63

struct names {
	char local[LOCAL_MAX + 1];
	char domain[DOMAIN_MAX + 1];
};

/* ---- names ----------------------------------------------------------------------------- */

static bool
is_local_char(char c)
{
	return text_is_alpha(c) || text_is_digit(c) || (c != '\0' && strchr("._-='~", c) != NULL);
}

static bool
is_local(struct slice s)
{
	if (s.n == 0 || s.n > LOCAL_MAX || s.p[0] == '.' || s.p[s.n - 1] == '.')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!is_local_char(s.p[i]) || (s.p[i] == '.' && s.p[i + 1] == '.'))
			return false;
	return true;
}

static bool
is_label(struct slice s)
{
	if (s.n == 0 || s.n > LABEL_MAX || s.p[0] == '-' || s.p[s.n - 1] == '-')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!text_is_alpha(s.p[i]) && !text_is_digit(s.p[i]) && s.p[i] != '-')
			return false;
	return true;
}

/* RFC 1123 section 2.1 */
static bool
is_domain(struct slice s)
{
	if (s.n == 0 || s.n > DOMAIN_MAX)
		return false;
	while (s.p != NULL)
		if (!is_label(slice_cut(&s, '.')))
			return false;
	return true;
}

static void
copy_lower(char *to, struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		to[i] = text_lower(s.p[i]);
	to[s.n] = '\0';
}

bool
directory_canon(struct slice name, const char *default_domain, char user_r[DIRECTORY_NAME_MAX + 1])
{
	struct slice domain = name, local = slice_cut(&domain, '@');
	size_t n;

	if (!is_local(local))
		return false;
	copy_lower(user_r, local);
	if (domain.p == NULL)
		return default_domain != NULL;
	if (!is_domain(domain))
		return false;
	if (default_domain != NULL && slice_ieq_str(domain, default_domain))
		return true;
	n = strlen(user_r);
	user_r[n] = '@';
	copy_lower(user_r + n + 1, domain);
	return true;
}

void
directory_full_name(const char *user, const char *default_domain,
                    char name_r[DIRECTORY_NAME_MAX + 1])
{
	bool bare = strchr(user, '@') == NULL && default_domain != NULL;

	must(strlen(user) <= DIRECTORY_NAME_MAX);
	snprintf(name_r, DIRECTORY_NAME_MAX + 1, "%s%s%s", user, bare ? "@" : "",
	         bare ? default_domain : "");
}

/* Canonical user -> local part and domain. False: not a user that can exist. */
static bool
split_user(const struct directory *d, const char *user, struct names *n_r)
{
	struct slice domain = slice_of(user), local = slice_cut(&domain, '@');

	if (domain.p == NULL)
		domain = slice_of(d->default_domain);
	if (!is_local(local) || domain.p == NULL || !is_domain(domain))
		return false;
	copy_lower(n_r->local, local);
	copy_lower(n_r->domain, domain);
	return true;
}

/* ---- opening --------------------------------------------------------------------------- */

struct directory *
directory_open(const char *url, const char *default_domain, enum directory_mode mode,
               struct err *err)
{
	static const struct db_ops *const all[] = { &db_sqlite_ops };
	struct slice rest = slice_of(url), scheme;
	struct directory *d = xcalloc(1, sizeof(*d));

	if (default_domain != NULL && is_domain(slice_of(default_domain))) {
		d->default_domain = xstrdup(default_domain);
		copy_lower(d->default_domain, slice_of(default_domain));
	}
	scheme = *url == '/' ? SLICE("sqlite") : slice_cut(&rest, ':');
	for (size_t i = 0; i < ARRAY_LEN(all) && rest.p != NULL; i++)
		if (slice_eq_str(scheme, all[i]->scheme))
			d->ops = all[i];
	if (d->ops == NULL)
		err_set(err, "directory %s: it is written sqlite:/path", url);
	else
		d->db = d->ops->open(rest.p, mode, err);
	if (d->db == NULL)
		directory_close(&d);
	return d;
}

void
directory_close(struct directory **d)
{
	if (*d == NULL)
		return;
	if ((*d)->db != NULL)
		(*d)->ops->close((*d)->db);
	free((*d)->default_domain);
	free(*d);
	*d = NULL;
}

/* ---- reading --------------------------------------------------------------------------- */

static void
copy_text(char *to, size_t room, const char *from)
{
	snprintf(to, room, "%s", from);
}

static void
fill_account(const struct directory *d, const struct db_row *row, struct directory_account *a)
{
	bool bare = d->default_domain != NULL && strcmp(row->domain, d->default_domain) == 0;

	memset(a, 0, sizeof(*a));
	snprintf(a->user, sizeof(a->user), "%s%s%s", row->local, bare ? "" : "@",
	         bare ? "" : row->domain);
	copy_text(a->hash, sizeof(a->hash), row->hash);
	copy_text(a->home, sizeof(a->home), row->home);
	a->status = row->status;
	a->created_s = row->created_s;
}

struct get_ctx {
	struct directory *d;
	struct directory_account *a;
};

static bool
on_get(void *ctx, const struct db_row *row)
{
	struct get_ctx *g = ctx;

	fill_account(g->d, row, g->a);
	return false;
}

enum directory_result
directory_get(struct directory *d, const char *user, struct directory_account *a_r, struct err *err)
{
	struct get_ctx g = { d, a_r };
	struct names n;

	if (!split_user(d, user, &n))
		return DIRECTORY_UNKNOWN;
	return d->ops->get(d->db, n.local, n.domain, on_get, &g, err);
}

enum directory_result
directory_has_domain(struct directory *d, struct slice domain, struct err *err)
{
	char name[DOMAIN_MAX + 1];

	if (!is_domain(domain))
		return DIRECTORY_UNKNOWN;
	copy_lower(name, domain);
	if (d->default_domain != NULL && strcmp(name, d->default_domain) == 0)
		return DIRECTORY_OK;
	return d->ops->has_domain(d->db, name, err);
}

struct list_ctx {
	struct directory *d;
	directory_list_fn *fn;
	void *ctx;
};

static bool
on_list(void *ctx, const struct db_row *row)
{
	struct list_ctx *l = ctx;
	struct directory_account a;

	fill_account(l->d, row, &a);
	return l->fn(l->ctx, &a);
}

enum directory_result
directory_list(struct directory *d, const char *domain, directory_list_fn *fn, void *ctx,
               struct err *err)
{
	struct list_ctx l = { d, fn, ctx };
	char name[DOMAIN_MAX + 1] = "";

	if (domain != NULL && !is_domain(slice_of(domain)))
		return DIRECTORY_INVALID;
	if (domain != NULL)
		copy_lower(name, slice_of(domain));
	return d->ops->list(d->db, domain != NULL ? name : NULL, on_list, &l, err);
}

enum directory_result
directory_list_domains(struct directory *d, directory_domain_fn *fn, void *ctx, struct err *err)
{
	return d->ops->list_domains(d->db, fn, ctx, err);
}

/* ---- writing ----------------------------------------------------------------------------- */

static enum directory_result
fail_name(const char *user, struct err *err)
{
	err_set(err,
	        "\"%.100s\" cannot be a user: names are letters, digits and . _ - = ' ~ with a "
	        "domain behind @",
	        user);
	return DIRECTORY_INVALID;
}

static bool
is_store_name(const char *home)
{
	struct slice s = slice_of(home);

	for (size_t i = 0; i < s.n; i++)
		if (!text_is_alpha(s.p[i]) && !text_is_digit(s.p[i]) &&
		    strchr("-._", s.p[i]) == NULL)
			return false;
	return s.n <= DIRECTORY_STORE_MAX;
}

static enum directory_result
fail_home(const char *home, struct err *err)
{
	err_set(err, "\"%.100s\" cannot be the name of a store", home);
	return DIRECTORY_INVALID;
}

enum directory_result
directory_add(struct directory *d, const char *user, const char *password, const char *home,
              struct err *err)
{
	char hash[DIRECTORY_HASH_MAX + 1] = "";
	struct names n;
	struct db_row row = {
		.local = n.local,
		.domain = n.domain,
		.hash = hash,
		.home = home != NULL ? home : "",
		.status = DIRECTORY_ACTIVE,
		.created_s = clock_wall_s(),
	};

	if (!split_user(d, user, &n))
		return fail_name(user, err);
	if (!is_store_name(row.home))
		return fail_home(row.home, err);
	if (password != NULL && passwd_hash(slice_of(password), hash, sizeof(hash), err) == -1)
		return DIRECTORY_INVALID;
	return d->ops->add(d->db, &row, err);
}

enum directory_result
directory_set_password(struct directory *d, const char *user, const char *password, struct err *err)
{
	char hash[DIRECTORY_HASH_MAX + 1];
	struct names n;

	if (!split_user(d, user, &n))
		return DIRECTORY_UNKNOWN;
	if (passwd_hash(slice_of(password), hash, sizeof(hash), err) == -1)
		return DIRECTORY_INVALID;
	return d->ops->change(d->db, n.local, n.domain, DB_SET_HASH, hash, 0, err);
}

enum directory_result
directory_set_status(struct directory *d, const char *user, enum directory_status status,
                     struct err *err)
{
	struct names n;

	if (!split_user(d, user, &n))
		return DIRECTORY_UNKNOWN;
	return d->ops->change(d->db, n.local, n.domain, DB_SET_STATUS, NULL, (int)status, err);
}

enum directory_result
directory_set_home(struct directory *d, const char *user, const char *home, struct err *err)
{
	struct names n;

	if (!split_user(d, user, &n))
		return DIRECTORY_UNKNOWN;
	if (!is_store_name(home))
		return fail_home(home, err);
	return d->ops->change(d->db, n.local, n.domain, DB_SET_HOME, home, 0, err);
}

enum directory_result
directory_delete(struct directory *d, const char *user, struct err *err)
{
	struct names n;

	if (!split_user(d, user, &n))
		return DIRECTORY_UNKNOWN;
	return d->ops->del(d->db, n.local, n.domain, err);
}

enum directory_result
directory_add_domain(struct directory *d, const char *domain, struct err *err)
{
	char name[DOMAIN_MAX + 1];

	if (!is_domain(slice_of(domain))) {
		err_set(err, "\"%.100s\" is no domain name", domain);
		return DIRECTORY_INVALID;
	}
	copy_lower(name, slice_of(domain));
	return d->ops->add_domain(d->db, name, err);
}
