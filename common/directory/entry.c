#include "directory/entry.h"

#include "base/xalloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Texts of one kind, and bytes of them. */
#define TEXTS_BYTES_MAX 65536
#define ROWS_MAX 2000

/* Columns: kind, a, b, c, n1, n2, n3. */
#define OLD_QUERY                                                                                  \
	"SELECT 'd', name, '', '', 0, 0, 1 FROM domains WHERE name = ?1"                           \
	" UNION ALL SELECT 'a', password, home, '', status, created, 1 FROM accounts"              \
	" WHERE domain = ?1 AND local = ?2"                                                        \
	" UNION ALL SELECT 'l', target, local, '', 0, 0, 0 FROM aliases"                           \
	" WHERE domain = ?1 AND local IN (?2, '')"
#define QUERY                                                                                      \
	"SELECT 'd', name, alias_of, services, 0, 0, 0 FROM domains WHERE name = ?1"               \
	" UNION ALL SELECT 'a', password, home, services, status, created, keep_copy"              \
	" FROM accounts WHERE domain = ?1 AND local = ?2"                                          \
	" UNION ALL SELECT 'l', target, local, '', 0, 0, 0 FROM aliases"                           \
	" WHERE domain = ?1 AND local IN (?2, '')"                                                 \
	" UNION ALL SELECT 'f', target, '', '', 0, 0, 0 FROM forwards"                             \
	" WHERE domain = ?1 AND local = ?2"                                                        \
	" UNION ALL SELECT 'g', name, domain, '', 0, 0, 0 FROM group_members"                      \
	" WHERE member_domain = ?1 AND member_local = ?2"                                          \
	" UNION ALL SELECT 's', local, domain, '', 0, 0, 0 FROM senders"                           \
	" WHERE user_domain = ?1 AND user_local = ?2"

static struct entry *
entry_new(void)
{
	struct entry *e = xcalloc(1, sizeof(*e));

	e->refs = 1;
	buf_init(&e->aliases, TEXTS_BYTES_MAX);
	buf_init(&e->catch_all, TEXTS_BYTES_MAX);
	buf_init(&e->forwards, TEXTS_BYTES_MAX);
	buf_init(&e->groups, TEXTS_BYTES_MAX);
	buf_init(&e->senders, TEXTS_BYTES_MAX);
	return e;
}

struct entry *
entry_ref(struct entry *e)
{
	e->refs++;
	return e;
}

void
entry_unref(struct entry **ep)
{
	struct entry *e = *ep;

	*ep = NULL;
	if (e == NULL || --e->refs > 0)
		return;
	buf_fini(&e->aliases);
	buf_fini(&e->catch_all);
	buf_fini(&e->forwards);
	buf_fini(&e->groups);
	buf_fini(&e->senders);
	secret_wipe(&e->account, sizeof(e->account));
	free(e);
}

/* ---- rows -------------------------------------------------------------------------------- */

struct reading {
	struct entry *entry;
	const struct dir_name *name;
	unsigned rows;
};

/* False: it does not fit, which nobody may take for the whole. */
static bool
copy_text(char *to, size_t room, const char *from)
{
	return (size_t)snprintf(to, room, "%s", from) < room;
}

static bool
take_account(struct entry *e, const char *const *column)
{
	struct directory_account *a = &e->account;

	e->has_account = true;
	a->status = strcmp(column[4], "0") == 0 ? DIRECTORY_ACTIVE : DIRECTORY_DISABLED;
	a->created_s = strtoull(column[5], NULL, 10);
	a->keep_copy = strcmp(column[6], "0") != 0;
	return copy_text(a->hash, sizeof(a->hash), column[1]) &&
	       copy_text(a->home, sizeof(a->home), column[2]) &&
	       copy_text(a->services, sizeof(a->services), column[3]);
}

static bool
take_text(struct buf *list, const char *a, const char *at, const char *b)
{
	char text[DIRECTORY_NAME_MAX + 1];
	int n = snprintf(text, sizeof(text), "%s%s%s", a, at, b);

	if (n <= 0 || (size_t)n >= sizeof(text))
		return n == 0;
	buf_add(list, text, (size_t)n + 1);
	return !list->overflow;
}

static bool
take_row(void *ctx, const char *const *column)
{
	struct reading *r = ctx;
	struct entry *e = r->entry;
	bool fits = ++r->rows <= ROWS_MAX;

	switch (*column[0]) {
	case 'd':
		e->domain_known = true;
		fits = fits && copy_text(e->alias_of, sizeof(e->alias_of), column[2]) &&
		       copy_text(e->domain_services, sizeof(e->domain_services), column[3]);
		break;
	case 'a':
		fits = fits && take_account(e, column);
		break;
	case 'l':
		fits = fits && take_text(*column[2] != '\0' ? &e->aliases : &e->catch_all,
		                         column[1], "", "");
		break;
	case 'f':
		fits = fits && take_text(&e->forwards, column[1], "", "");
		break;
	case 'g':
		fits = fits && take_text(&e->groups, column[1], "@", column[2]);
		break;
	case 's':
		fits = fits && take_text(&e->senders, column[1], "@", column[2]);
		break;
	}
	e->is_too_much = e->is_too_much || !fits;
	return fits;
}

enum directory_result
entry_read(struct sql *s, const struct dir_name *n, struct entry **e_r, struct err *err)
{
	struct sql_arg args[] = { SQL_TEXT(n->domain), SQL_TEXT(n->local) };
	struct reading r = { entry_new(), n, 0 };
	unsigned version;
	enum sql_result result = sql_ready(s, &version, err);

	*e_r = NULL;
	r.entry->account.keep_copy = true;
	if (result == SQL_OK)
		result = sql_read(s, version < SCHEMA_FORWARDS ? OLD_QUERY : QUERY, args,
		                  ARRAY_LEN(args), take_row, &r, err);
	if (result == SQL_OK)
		*e_r = r.entry;
	else
		entry_unref(&r.entry);
	return result == SQL_OK ? DIRECTORY_OK : DIRECTORY_TEMP;
}

/* ---- looking -------------------------------------------------------------------------------- */

bool
entry_is_positive(const struct entry *e)
{
	return e->domain_known && (e->has_account || e->aliases.len > 0 || e->catch_all.len > 0 ||
	                           e->alias_of[0] != '\0');
}

const char *
entry_next(const struct buf *list, size_t *pos)
{
	struct slice all = buf_slice(list);
	const char *text;

	if (*pos >= all.n)
		return NULL;
	text = all.p + *pos;
	*pos += strlen(text) + 1;
	return text;
}

bool
entry_groups(const struct entry *e, const char *default_domain,
             char text_r[DIRECTORY_GROUPS_MAX + 1])
{
	size_t pos = 0, n = 0;
	const char *group;

	*text_r = '\0';
	while ((group = entry_next(&e->groups, &pos)) != NULL) {
		struct slice domain = slice_of(group), name = slice_cut(&domain, '@');
		bool bare = default_domain != NULL && slice_eq_str(domain, default_domain);
		size_t room = DIRECTORY_GROUPS_MAX + 1 - n;
		int more = snprintf(text_r + n, room, "%s%.*s", n > 0 ? " " : "",
		                    SLICE_ARG(bare ? name : slice_of(group)));

		if (more < 0 || (size_t)more >= room)
			return false;
		n += (size_t)more;
	}
	return true;
}
