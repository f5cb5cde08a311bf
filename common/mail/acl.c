/*
 * acl - rights strings and stored ACLs.
 */
#include "mail/acl.h"

#include "base/text.h"
#include "mail/mbox_name.h"

#define MAX_ENTRIES 1000

bool
acl_rights_parse(struct slice text, uint32_t *rights_r)
{
	uint32_t rights = 0;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		const char *at = c != '\0' ? strchr(ACL_ORDER, c) : NULL;

		if (at != NULL)
			rights |= 1U << (at - ACL_ORDER);
		else if (c == 'c')
			rights |= ACL_CREATE | ACL_DELETE_MBOX;
		else if (c == 'd')
			rights |= ACL_DELETE_MBOX | ACL_DELETE_MSG | ACL_EXPUNGE;
		else if (!text_is_digit(c))
			return false;
	}
	*rights_r = rights;
	return true;
}

/* Obsolete letters stand before 'a', as Cyrus prints them. */
const char *
acl_rights_text(uint32_t rights, char text_r[ACL_TEXT_SIZE])
{
	const uint32_t old_create = ACL_CREATE | ACL_DELETE_MBOX;
	const uint32_t old_delete = ACL_DELETE_MBOX | ACL_DELETE_MSG | ACL_EXPUNGE;
	size_t n = 0;

	for (size_t i = 0; ACL_ORDER[i] != '\0'; i++) {
		if (ACL_ORDER[i] == 'a') {
			if ((rights & old_create) == old_create)
				text_r[n++] = 'c';
			if ((rights & old_delete) == old_delete)
				text_r[n++] = 'd';
		}
		if (rights & 1U << i)
			text_r[n++] = ACL_ORDER[i];
	}
	text_r[n] = '\0';
	return text_r;
}

bool
acl_id_is_valid(struct slice id)
{
	if (id.n > 0 && id.p[0] == '-')
		id = slice_skip(id, 1);
	if (id.n == 0 || id.n > MBOX_USER_MAX)
		return false;
	for (size_t i = 0; i < id.n; i++)
		if (text_is_ctl(id.p[i]))
			return false;
	return text_is_utf8(id);
}

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

static bool
is_him(struct slice id, const struct acl_who *who)
{
	if (slice_eq_str(id, "anyone"))
		return true;
	if (who->user.n > 0 && slice_eq(id, who->user))
		return true;
	if (!slice_starts(id, SLICE("group:")))
		return false;
	id = slice_skip(id, strlen("group:"));
	for (size_t i = 0; i < who->group_count; i++)
		if (slice_eq(id, who->groups[i]))
			return true;
	return false;
}

uint32_t
acl_rights_of(struct slice acl, const struct acl_who *who)
{
	uint32_t plus = 0, minus = 0, rights;
	struct slice id;

	if (!acl_is_valid(acl))
		return 0;
	while (acl_next(&acl, &id, &rights)) {
		if (id.p[0] != '-') {
			if (is_him(id, who))
				plus |= rights;
		} else if (is_him(slice_skip(id, 1), who)) {
			minus |= rights;
		}
	}
	return plus & ~minus;
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
