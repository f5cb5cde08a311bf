/*
 * acl - rights strings and stored ACLs.
 */
#include "mail/acl.h"

#include "base/text.h"
#include "mail/mbox_name.h"

#define MAX_ENTRIES 1000

#define OLD_CREATE (ACL_CREATE | ACL_DELETE_MBOX)
#define OLD_DELETE (ACL_DELETE_MSG | ACL_EXPUNGE)

static const struct slice group_prefix = SLICE_INIT("group:");

/* ---- rights ------------------------------------------------------------------------------- */

/* 0: a letter that is no right here. */
static uint32_t
right_of(char c)
{
	const char *at = c != '\0' ? strchr(ACL_ORDER, c) : NULL;

	if (at != NULL)
		return 1U << (at - ACL_ORDER);
	return c == 'c' ? OLD_CREATE : c == 'd' ? OLD_DELETE : 0;
}

bool
acl_rights_parse(struct slice text, uint32_t *rights_r)
{
	uint32_t rights = 0;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		rights |= right_of(c);
		if (!text_is_digit(c) && !(c >= 'a' && c <= 'z'))
			return false;
	}
	*rights_r = rights;
	return true;
}

bool
acl_rights_from_client(struct slice text, enum acl_mode *mode_r, uint32_t *rights_r)
{
	uint32_t rights = 0, right;

	*mode_r = ACL_REPLACE;
	if (text.n > 0 && (text.p[0] == '+' || text.p[0] == '-')) {
		*mode_r = text.p[0] == '+' ? ACL_ADD : ACL_REMOVE;
		text = slice_skip(text, 1);
	}
	for (size_t i = 0; i < text.n; i++) {
		if ((right = right_of(text.p[i])) == 0)
			return false;
		rights |= right;
	}
	*rights_r = rights;
	return true;
}

/* Obsolete letters stand before 'a', as Cyrus prints them. */
static const char *
add_letters(uint32_t rights, bool c, bool d, char text_r[ACL_TEXT_SIZE])
{
	size_t n = 0;

	for (size_t i = 0; ACL_ORDER[i] != '\0'; i++) {
		if (ACL_ORDER[i] == 'a') {
			if (c)
				text_r[n++] = 'c';
			if (d)
				text_r[n++] = 'd';
		}
		if (rights & 1U << i)
			text_r[n++] = ACL_ORDER[i];
	}
	text_r[n] = '\0';
	return text_r;
}

const char *
acl_rights_text(uint32_t rights, char text_r[ACL_TEXT_SIZE])
{
	return add_letters(rights, (rights & OLD_CREATE) == OLD_CREATE,
	                   (rights & OLD_DELETE) == OLD_DELETE, text_r);
}

const char *
acl_rights_to_client(uint32_t rights, char text_r[ACL_TEXT_SIZE])
{
	return add_letters(rights, (rights & OLD_CREATE) != 0, (rights & OLD_DELETE) != 0, text_r);
}

/* ---- identifiers ---------------------------------------------------------------------------- */

bool
acl_id_is_valid(struct slice id)
{
	if (id.n > 0 && id.p[0] == '-')
		id = slice_skip(id, 1);
	if (id.n == 0 || id.n > MBOX_USER_MAX + group_prefix.n)
		return false;
	for (size_t i = 0; i < id.n; i++)
		if (text_is_ctl(id.p[i]))
			return false;
	return text_is_utf8(id);
}

bool
acl_id_canonical(struct slice id, struct slice default_domain, char id_r[ACL_ID_SIZE])
{
	struct buf out = BUF_INIT(ACL_ID_SIZE);
	struct mbox_user user;
	bool ok = true;

	if (id.n > 0 && id.p[0] == '-') {
		buf_add_char(&out, '-');
		id = slice_skip(id, 1);
	}
	if (slice_ieq_str(id, "anyone") || slice_ieq_str(id, "anonymous")) {
		buf_add_str(&out, slice_ieq_str(id, "anyone") ? "anyone" : "anonymous");
	} else {
		if (slice_istarts(id, group_prefix)) {
			buf_add_slice(&out, group_prefix);
			id = slice_skip(id, group_prefix.n);
		}
		/* a group's name is spelled as a user's */
		ok = mbox_user_from_login(id, default_domain, &user);
		if (ok)
			buf_add_slice(&out, mbox_user_slice(&user));
	}
	ok = ok && !out.overflow && acl_id_is_valid(buf_slice(&out));
	memcpy(id_r, buf_cstr(&out), ok ? out.len + 1 : 0);
	buf_fini(&out);
	return ok;
}

size_t
acl_groups_split(struct slice text, struct slice *groups_r, size_t max)
{
	size_t n = 0;

	while (text.n > 0 && n < max) {
		groups_r[n] = slice_cut(&text, ' ');
		n += groups_r[n].n > 0;
	}
	return n;
}

/* ---- entries -------------------------------------------------------------------------------- */

/* 1 an entry, 0 the end, -1 malformed. */
static int
next_entry(struct slice *rest, struct slice *id_r, uint32_t *rights_r)
{
	struct slice rights;
	size_t tab;

	if (rest->n == 0)
		return 0;
	tab = slice_find(*rest, '\t');
	if (tab == rest->n)
		return -1;
	*id_r = slice_sub(*rest, 0, tab);
	rights = slice_skip(*rest, tab + 1);
	tab = slice_find(rights, '\t');
	/* Cyrus always ends with a tab; one that is missing at the very end is no harm */
	*rest = slice_skip(rights, tab < rights.n ? tab + 1 : tab);
	if (!acl_id_is_valid(*id_r) || !acl_rights_parse(slice_sub(rights, 0, tab), rights_r))
		return -1;
	return 1;
}

bool
acl_next(struct slice *rest, struct slice *id_r, uint32_t *rights_r)
{
	return next_entry(rest, id_r, rights_r) == 1;
}

bool
acl_is_valid(struct slice acl)
{
	struct slice id;
	uint32_t rights;

	for (size_t n = 0; n <= MAX_ENTRIES; n++) {
		int r = next_entry(&acl, &id, &rights);

		if (r != 1)
			return r == 0;
	}
	return false;
}

/* ---- who may what --------------------------------------------------------------------------- */

void
acl_who_init(struct acl_who *who, struct slice user, struct slice default_domain,
             struct slice groups, struct arena *arena)
{
	struct slice *names = arena_array(arena, ACL_GROUPS_MAX, sizeof(*names));
	struct mbox_name *inbox = arena_alloc(arena, sizeof(*inbox));

	*who = (struct acl_who){
		.user = mbox_user_acl_id(user, default_domain),
		.groups = names,
		.group_count = acl_groups_split(groups, names, ACL_GROUPS_MAX),
	};
	if (mbox_name_of_user(user, default_domain, inbox))
		who->inbox = mbox_name_slice(inbox);
}

static bool
is_him(struct slice id, const struct acl_who *who)
{
	if (who->user.n > 0 && slice_eq(id, who->user))
		return true;
	if (!slice_starts(id, group_prefix))
		return false;
	id = slice_skip(id, group_prefix.n);
	for (size_t i = 0; i < who->group_count; i++)
		if (slice_eq(id, who->groups[i]))
			return true;
	return false;
}

/* with_anyone: what anyone is given is for him too. What anyone is denied always is. */
static uint32_t
rights_of(struct slice acl, const struct acl_who *who, bool with_anyone)
{
	uint32_t plus = 0, minus = 0, rights;
	struct slice id;

	if (!acl_is_valid(acl))
		return 0;
	while (acl_next(&acl, &id, &rights)) {
		bool negative = id.p[0] == '-';

		if (negative)
			id = slice_skip(id, 1);
		if (slice_eq_str(id, "anyone") ? !negative && !with_anyone : !is_him(id, who))
			continue;
		if (negative)
			minus |= rights;
		else
			plus |= rights;
	}
	return plus & ~minus;
}

uint32_t
acl_rights_of(struct slice acl, const struct acl_who *who)
{
	return rights_of(acl, who, true);
}

static struct slice
domain_of_user(struct slice user)
{
	size_t at = slice_find_last(user, '@');

	return at < user.n ? slice_skip(user, at + 1) : slice_make(NULL, 0);
}

uint32_t
acl_rights_on(struct slice name, struct slice acl, const struct acl_who *who)
{
	bool same = slice_eq(mbox_name_domain(name), domain_of_user(who->user));
	uint32_t rights = rights_of(acl, who, same);

	if (who->inbox.n > 0 &&
	    (slice_eq(name, who->inbox) || mbox_name_is_below(name, who->inbox)))
		rights |= ACL_OWNER;
	return rights;
}

/* ---- changes -------------------------------------------------------------------------------- */

uint32_t
acl_get(struct slice acl, struct slice id)
{
	struct slice at;
	uint32_t rights;

	while (acl_next(&acl, &at, &rights))
		if (slice_eq(at, id))
			return rights;
	return 0;
}

static void
add_entry(struct buf *out, struct slice id, uint32_t rights)
{
	char text[ACL_TEXT_SIZE];

	buf_add_slice(out, id);
	buf_add_char(out, '\t');
	buf_add_str(out, acl_rights_text(rights, text));
	buf_add_char(out, '\t');
}

bool
acl_set(struct slice acl, struct slice id, uint32_t rights, struct buf *out)
{
	struct slice rest = acl, at;
	uint32_t had;
	bool done = rights == 0;
	size_t count = 0;

	if (!acl_id_is_valid(id) || !acl_is_valid(acl))
		return false;
	while (acl_next(&rest, &at, &had)) {
		bool same = slice_eq(at, id);

		if (same && done)
			continue; /* removed, or a second entry of the same */
		add_entry(out, at, same ? rights : had);
		done = done || same;
		count++;
	}
	if (done)
		return true;
	if (count == MAX_ENTRIES)
		return false;
	add_entry(out, id, rights);
	return true;
}

void
acl_add_owner(struct slice owner_acl_id, struct buf *out)
{
	add_entry(out, owner_acl_id, ACL_ALL);
}
