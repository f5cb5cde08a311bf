/*
 * mbox_name - conversions build the canonical name first and check it then as a whole,
 * so there is one set of rules for names from clients, from MUPDATE and from disk.
 */
#include "mail/mbox_name.h"

#include "base/text.h"
#include "mail/address.h"
#include "mail/utf7.h"

#define CLIENT_NAME_MAX 1024
#define DOMAIN_MAX 255

static const struct slice inbox = SLICE_INIT("INBOX");
static const struct slice other_users = SLICE_INIT("Other Users");
static const struct slice shared = SLICE_INIT("Shared Folders");
static const struct slice escaped_bang = SLICE_INIT("&ACE-");
static const struct slice escaped_caret = SLICE_INIT("&AF4-");

const char *
mbox_name_error_text(enum mbox_name_error e)
{
	static const char *const texts[] = {
#define X(name, text) [MBOX_NAME_##name] = text,
		MBOX_NAME_ERRORS(X)
#undef X
	};

	must(e < MBOX_NAME_ERROR_COUNT);
	return texts[e];
}

/* ---- building ---- */

/* Adds; false when the name gets too long. */
static bool
put(struct mbox_name *m, struct slice s)
{
	if (s.n > (size_t)(MBOX_NAME_MAX - m->n))
		return false;
	if (s.n > 0)
		memcpy(m->s + m->n, s.p, s.n);
	m->n = (uint16_t)(m->n + s.n);
	m->s[m->n] = '\0';
	return true;
}

static bool
put_char(struct mbox_name *m, char c)
{
	return put(m, slice_make(&c, 1));
}

/* Client's spelling of one or more parts to the canonical one. */
static enum mbox_name_error
put_client(struct mbox_name *m, struct slice client)
{
	for (size_t i = 0; i < client.n; i++) {
		char c = client.p[i];
		bool ok;

		if (text_is_ctl(c) || (unsigned char)c >= 0x80 || c == '%' || c == '*')
			return MBOX_NAME_CHARS;
		if (c == MBOX_SEPARATOR)
			ok = put_char(m, '.');
		else if (c == '.')
			ok = put_char(m, '^');
		else if (c == '^')
			ok = put(m, escaped_caret);
		else if (c == '!')
			ok = put(m, escaped_bang);
		else
			ok = put_char(m, c);
		if (!ok)
			return MBOX_NAME_TOO_LONG;
	}
	return MBOX_NAME_OK;
}

/* A canonical part as the client spells it. */
static void
add_client_part(struct slice part, struct buf *out)
{
	while (part.n > 0) {
		size_t used = 1;

		if (slice_starts(part, escaped_bang)) {
			buf_add_char(out, '!');
			used = escaped_bang.n;
		} else if (slice_starts(part, escaped_caret)) {
			buf_add_char(out, '^');
			used = escaped_caret.n;
		} else {
			buf_add_char(out, part.p[0] == '^' ? '.' : part.p[0]);
		}
		part = slice_skip(part, used);
	}
}

/* ---- users ---- */

/* A local part, UTF-8 and folded, that may own mailboxes. */
static bool
is_user_local(struct slice s)
{
	if (s.n == 0 || s.n > ADDRESS_LOCAL_MAX || !text_is_utf8(s))
		return false;
	/* "-fred" in an ACL takes rights from fred; anyone and anonymous are groups there */
	if (s.p[0] == '.' || s.p[0] == '-' || s.p[s.n - 1] == '.' || slice_eq_str(s, "anyone") ||
	    slice_eq_str(s, "anonymous"))
		return false;
	if (slice_find_slice(s, SLICE("..")) < s.n)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		/* U+0080 to U+009F are controls, which UTF-7 has no place for */
		if (c == '\xc2' && (unsigned char)s.p[i + 1] < 0xa0)
			return false;
		if ((unsigned char)c >= 0x80 || text_is_alpha(c) || text_is_digit(c))
			continue;
		if (c == '\0' || strchr("#$&'+-.=?_`{|}~", c) == NULL)
			return false;
	}
	return true;
}

static struct slice
user_domain(struct slice user)
{
	size_t at = slice_find_last(user, '@');

	return at < user.n ? slice_skip(user, at + 1) : slice_make(NULL, 0);
}

/* Folds and checks local and domain; p == NULL or the default domain: without one. */
static bool
make_user(struct slice local, struct slice domain, struct slice default_domain, struct mbox_user *u)
{
	if (local.n > ADDRESS_LOCAL_MAX || domain.n > DOMAIN_MAX)
		return false;
	if (domain.p != NULL && !address_is_domain(domain, false))
		return false;
	for (size_t i = 0; i < local.n; i++)
		u->s[i] = text_lower(local.p[i]);
	u->n = (uint16_t)local.n;
	u->s[u->n] = '\0';
	if (!is_user_local(mbox_user_slice(u)))
		return false;
	if (domain.p == NULL || slice_ieq(domain, default_domain))
		return true;
	u->s[u->n++] = '@';
	for (size_t i = 0; i < domain.n; i++)
		u->s[u->n++] = text_lower(domain.p[i]);
	u->s[u->n] = '\0';
	return true;
}

bool
mbox_user_from_login(struct slice login, struct slice default_domain, struct mbox_user *user_r)
{
	size_t at = slice_find_last(login, '@');
	struct slice domain = { NULL, 0 };

	if (at < login.n)
		domain = slice_make(login.p + at + 1, login.n - at - 1);
	return make_user(slice_sub(login, 0, at), domain, default_domain, user_r);
}

struct slice
mbox_user_acl_id(struct slice user, struct slice default_domain)
{
	struct slice domain = user_domain(user);

	if (domain.p != NULL && slice_eq(domain, default_domain))
		return slice_sub(user, 0, user.n - domain.n - 1);
	return user;
}

/* A local part as a part of a canonical name. */
static bool
put_local(struct mbox_name *m, struct slice local)
{
	struct buf b = BUF_INIT(CLIENT_NAME_MAX);
	bool ok;

	if (text_is_ascii(local) && slice_find(local, '&') == local.n)
		return put_client(m, local) == MBOX_NAME_OK;
	ok = utf7_from_utf8(local, &b) && !b.overflow &&
	     put_client(m, buf_slice(&b)) == MBOX_NAME_OK;
	buf_fini(&b);
	return ok;
}

bool
mbox_name_of_user(struct slice user, struct slice default_domain, struct mbox_name *name_r)
{
	struct mbox_user u;
	struct slice domain;

	name_r->n = 0;
	if (!mbox_user_from_login(user, default_domain, &u))
		return false;
	domain = user_domain(mbox_user_slice(&u));
	if (domain.p != NULL && (!put(name_r, domain) || !put_char(name_r, '!')))
		return false;
	return put(name_r, SLICE("user.")) &&
	       put_local(name_r, slice_sub(mbox_user_slice(&u), 0,
	                                   slice_find_last(mbox_user_slice(&u), '@')));
}

/* The local part behind one part of a name, canonical (`^`) or the client's. */
static bool
local_of_part(struct slice part, struct buf *out)
{
	struct buf client = BUF_INIT(CLIENT_NAME_MAX);
	bool ok;

	add_client_part(part, &client);
	ok = !client.overflow && utf7_to_utf8(buf_slice(&client), out) && !out->overflow;
	buf_fini(&client);
	return ok;
}

bool
mbox_user_of_name(struct slice name, struct slice default_domain, struct mbox_user *user_r)
{
	struct slice root = mbox_name_root(name);
	struct slice domain = mbox_name_domain(name);
	struct buf local = BUF_INIT(CLIENT_NAME_MAX);
	size_t skip = (domain.n > 0 ? domain.n + 1 : 0) + strlen("user.");
	bool ok;

	if (root.n <= skip)
		return false;
	ok = local_of_part(slice_skip(root, skip), &local) &&
	     make_user(buf_slice(&local), domain.n > 0 ? domain : slice_make(NULL, 0),
	               default_domain, user_r);
	buf_fini(&local);
	return ok;
}

/* ---- canonical names ---- */

struct slice
mbox_name_domain(struct slice name)
{
	size_t bang = slice_find(name, '!');

	return bang < name.n ? slice_sub(name, 0, bang) : slice_make(name.p, 0);
}

/* Without the domain. */
static struct slice
local_name(struct slice name)
{
	size_t bang = slice_find(name, '!');

	return bang < name.n ? slice_skip(name, bang + 1) : name;
}

bool
mbox_name_is_user(struct slice name)
{
	return mbox_name_root(name).n > 0;
}

struct slice
mbox_name_root(struct slice name)
{
	struct slice rest = local_name(name);
	size_t head = name.n - rest.n;

	if (!slice_starts(rest, SLICE("user.")) || rest.n == strlen("user."))
		return slice_make(NULL, 0);
	rest = slice_skip(rest, strlen("user."));
	return slice_sub(name, 0, head + strlen("user.") + slice_find(rest, '.'));
}

bool
mbox_name_is_inbox(struct slice name)
{
	return name.n > 0 && mbox_name_root(name).n == name.n;
}

bool
mbox_name_is_deleted(struct slice name)
{
	struct slice rest = local_name(name);

	return slice_starts(rest, SLICE("DELETED.")) || slice_eq_str(rest, "DELETED");
}

bool
mbox_name_is_below(struct slice name, struct slice top)
{
	return name.n > top.n && slice_starts(name, top) && name.p[top.n] == '.';
}

bool
mbox_name_parent(struct slice name, struct slice *parent_r)
{
	struct slice rest = local_name(name);
	size_t dot = slice_find_last(rest, '.');

	if (dot >= rest.n || mbox_name_is_inbox(name))
		return false;
	*parent_r = slice_sub(name, 0, name.n - rest.n + dot);
	return true;
}

/* One part by itself: spelling only. */
static enum mbox_name_error
check_part(struct slice part)
{
	struct buf client = BUF_INIT(MBOX_NAME_MAX);
	enum mbox_name_error e = MBOX_NAME_OK;

	if (part.n == 0)
		return MBOX_NAME_EMPTY_PART;
	for (size_t i = 0; i < part.n; i++)
		if (text_is_ctl(part.p[i]) || (unsigned char)part.p[i] >= 0x80 ||
		    strchr("%*/!", part.p[i]) != NULL)
			return MBOX_NAME_CHARS;
	if (slice_eq_str(part, "^") || slice_eq_str(part, "^^"))
		return MBOX_NAME_DOTS;
	if (slice_find(part, '&') == part.n)
		return MBOX_NAME_OK;
	add_client_part(part, &client);
	if (!utf7_is_valid(buf_slice(&client)))
		e = MBOX_NAME_UTF7;
	buf_fini(&client);
	return e;
}

/* What top-level folders may not be called, in user.fred.* and among the shared. */
static enum mbox_name_error
check_top(struct slice part, bool last, bool personal)
{
	if (part.n > 0 && part.p[0] == '#') /* RFC 3501 section 5.1.2 */
		return MBOX_NAME_RESERVED;
	if (!personal)
		return slice_eq_str(part, "user") || slice_find(part, '@') < part.n
		               ? MBOX_NAME_RESERVED
		               : MBOX_NAME_OK;
	if (slice_ieq(part, inbox) && (last || !slice_eq(part, inbox)))
		return MBOX_NAME_RESERVED;
	if (slice_eq(part, other_users) || slice_eq(part, shared))
		return MBOX_NAME_RESERVED;
	return MBOX_NAME_OK;
}

static enum mbox_name_error
check_parts(struct slice rest, bool personal)
{
	bool top = true;

	do {
		struct slice part = slice_cut(&rest, '.');
		enum mbox_name_error e = check_part(part);

		if (e == MBOX_NAME_OK && top)
			e = check_top(part, rest.p == NULL, personal);
		if (e != MBOX_NAME_OK)
			return e;
		top = false;
	} while (rest.p != NULL);
	return MBOX_NAME_OK;
}

static bool
is_lower(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != text_lower(s.p[i]))
			return false;
	return true;
}

/* The owner's part decodes to a possible user, and back to the same spelling. */
static bool
check_owner(struct slice root)
{
	struct mbox_user u;
	struct mbox_name again;

	return mbox_user_of_name(root, slice_make(NULL, 0), &u) &&
	       mbox_name_of_user(mbox_user_slice(&u), slice_make(NULL, 0), &again) &&
	       slice_eq(mbox_name_slice(&again), root);
}

enum mbox_name_error
mbox_name_check(struct slice name)
{
	struct slice domain = mbox_name_domain(name);
	struct slice rest = local_name(name);
	struct slice root;

	if (name.n == 0 || rest.n == 0)
		return MBOX_NAME_EMPTY;
	if (name.n > MBOX_NAME_MAX)
		return MBOX_NAME_TOO_LONG;
	if (rest.n < name.n && (!address_is_domain(domain, false) || !is_lower(domain)))
		return MBOX_NAME_CHARS;
	if (slice_eq_str(rest, "user"))
		return MBOX_NAME_RESERVED;
	if (slice_find(rest, '!') < rest.n)
		return MBOX_NAME_CHARS;
	root = mbox_name_root(name);
	if (root.n == 0)
		return check_parts(rest, false);
	if (root.p[root.n - 1] == '.')
		return MBOX_NAME_EMPTY_PART;
	if (!check_owner(root))
		return MBOX_NAME_USER;
	return root.n == name.n ? MBOX_NAME_OK : check_parts(slice_skip(name, root.n + 1), true);
}

enum mbox_name_error
mbox_name_set(struct mbox_name *m, struct slice name)
{
	enum mbox_name_error e = mbox_name_check(name);

	m->n = 0;
	m->s[0] = '\0';
	if (e == MBOX_NAME_OK)
		must(put(m, name));
	return e;
}

enum mbox_name_error
mbox_name_rebase(struct slice name, struct slice from, struct slice to, struct mbox_name *name_r)
{
	must(slice_eq(name, from) || mbox_name_is_below(name, from));
	name_r->n = 0;
	if (!put(name_r, to) || !put(name_r, slice_skip(name, from.n)))
		return MBOX_NAME_TOO_LONG;
	return mbox_name_check(mbox_name_slice(name_r));
}

/* ---- the client's edge ---- */

struct slice
mbox_name_strip_separator(struct slice client)
{
	if (client.n > 1 && client.p[client.n - 1] == MBOX_SEPARATOR)
		client.n--;
	return client;
}

/* "bob@other.net" -> "bob", and the domain that prefixes his names (p == NULL: none).
 * Without '@' it is the viewer's. */
static enum mbox_name_error
split_owner(const struct mbox_view *v, struct slice *owner, struct slice *domain_r)
{
	size_t at = slice_find_last(*owner, '@');

	*domain_r = user_domain(mbox_user_acl_id(v->user, v->default_domain));
	if (at == owner->n)
		return MBOX_NAME_OK;
	*domain_r = slice_skip(*owner, at + 1);
	*owner = slice_sub(*owner, 0, at);
	if (domain_r->n == 0 ? v->default_domain.n > 0 : !address_is_domain(*domain_r, false))
		return MBOX_NAME_USER;
	if (domain_r->n == 0 || slice_ieq(*domain_r, v->default_domain))
		*domain_r = slice_make(NULL, 0);
	return MBOX_NAME_OK;
}

/* "bob/Sent" behind "Other Users/" */
static enum mbox_name_error
put_other_user(const struct mbox_view *v, struct slice rest, struct mbox_name *m)
{
	struct slice owner = slice_cut(&rest, MBOX_SEPARATOR);
	struct buf local = BUF_INIT(CLIENT_NAME_MAX);
	struct mbox_user u;
	struct slice domain;
	enum mbox_name_error e;
	bool ok;

	if (owner.n == 0)
		return MBOX_NAME_EMPTY_PART;
	if ((e = split_owner(v, &owner, &domain)) != MBOX_NAME_OK)
		return e;
	ok = utf7_to_utf8(owner, &local) &&
	     make_user(buf_slice(&local), domain, slice_make(NULL, 0), &u) &&
	     mbox_name_of_user(mbox_user_slice(&u), slice_make(NULL, 0), m);
	buf_fini(&local);
	if (!ok)
		return MBOX_NAME_USER;
	if (rest.p == NULL)
		return MBOX_NAME_OK;
	return put_char(m, '.') ? put_client(m, rest) : MBOX_NAME_TOO_LONG;
}

/* "lists/announce" behind "Shared Folders/" */
static enum mbox_name_error
put_shared(const struct mbox_view *v, struct slice rest, struct mbox_name *m)
{
	struct slice top = slice_cut(&rest, MBOX_SEPARATOR);
	struct slice domain;
	enum mbox_name_error e;

	if ((e = split_owner(v, &top, &domain)) != MBOX_NAME_OK)
		return e;
	/* with a domain behind it too: a mailbox of a user has no second name */
	if (slice_eq_str(top, "user") || slice_eq_str(top, "DELETED"))
		return MBOX_NAME_RESERVED;
	for (size_t i = 0; i < domain.n; i++)
		if (!put_char(m, text_lower(domain.p[i])))
			return MBOX_NAME_TOO_LONG;
	if (domain.n > 0 && !put_char(m, '!'))
		return MBOX_NAME_TOO_LONG;
	if ((e = put_client(m, top)) != MBOX_NAME_OK || rest.p == NULL)
		return e;
	return put_char(m, '.') ? put_client(m, rest) : MBOX_NAME_TOO_LONG;
}

/* INBOX, INBOX/x and everything else in his own namespace */
static enum mbox_name_error
put_personal(const struct mbox_view *v, struct slice client, struct mbox_name *m)
{
	struct slice first = slice_sub(client, 0, slice_find(client, MBOX_SEPARATOR));

	if (!mbox_name_of_user(v->user, v->default_domain, m))
		return MBOX_NAME_USER;
	if (slice_ieq(client, inbox))
		return MBOX_NAME_OK;
	if (!put_char(m, '.'))
		return MBOX_NAME_TOO_LONG;
	if (!slice_ieq(first, inbox))
		return put_client(m, client);
	return put(m, inbox) ? put_client(m, slice_skip(client, inbox.n)) : MBOX_NAME_TOO_LONG;
}

static enum mbox_name_error
check_client(struct slice client)
{
	if (client.n == 0)
		return MBOX_NAME_EMPTY;
	if (client.n > CLIENT_NAME_MAX)
		return MBOX_NAME_TOO_LONG;
	for (size_t i = 0; i < client.n; i++)
		if (text_is_ctl(client.p[i]) || (unsigned char)client.p[i] >= 0x80)
			return MBOX_NAME_CHARS;
	if (!utf7_is_valid(client))
		return MBOX_NAME_UTF7;
	if (slice_eq(client, other_users) || slice_eq(client, shared) ||
	    slice_eq_str(client, MBOX_OTHER_USERS_PREFIX) ||
	    slice_eq_str(client, MBOX_SHARED_PREFIX))
		return MBOX_NAME_RESERVED;
	return MBOX_NAME_OK;
}

enum mbox_name_error
mbox_name_from_client(const struct mbox_view *v, struct slice client, struct mbox_name *name_r)
{
	enum mbox_name_error e = check_client(client);

	name_r->n = 0;
	name_r->s[0] = '\0';
	if (e != MBOX_NAME_OK)
		return e;
	if (slice_starts(client, SLICE(MBOX_OTHER_USERS_PREFIX)))
		e = put_other_user(v, slice_skip(client, strlen(MBOX_OTHER_USERS_PREFIX)), name_r);
	else if (slice_starts(client, SLICE(MBOX_SHARED_PREFIX)))
		e = put_shared(v, slice_skip(client, strlen(MBOX_SHARED_PREFIX)), name_r);
	else
		e = put_personal(v, client, name_r);
	return e == MBOX_NAME_OK ? mbox_name_check(mbox_name_slice(name_r)) : e;
}

enum mbox_namespace
mbox_name_namespace(const struct mbox_view *v, struct slice name)
{
	struct slice root = mbox_name_root(name);
	struct mbox_name own;

	if (root.n == 0)
		return MBOX_SHARED;
	if (mbox_name_of_user(v->user, v->default_domain, &own) &&
	    slice_eq(root, mbox_name_slice(&own)))
		return MBOX_PERSONAL;
	return MBOX_OTHER_USERS;
}

/* "@other.net" behind an owner or a top shared name that is not of the viewer's domain */
static void
add_domain(const struct mbox_view *v, struct slice name, struct buf *out)
{
	struct slice domain = mbox_name_domain(name);
	struct slice own = user_domain(mbox_user_acl_id(v->user, v->default_domain));

	if (slice_eq(domain, own))
		return;
	buf_add_char(out, '@');
	buf_add_slice(out, domain.n > 0 ? domain : v->default_domain);
}

static void
add_client_parts(struct slice rest, struct buf *out)
{
	while (rest.p != NULL) {
		add_client_part(slice_cut(&rest, '.'), out);
		if (rest.p != NULL)
			buf_add_char(out, MBOX_SEPARATOR);
	}
}

bool
mbox_name_to_client(const struct mbox_view *v, struct slice name, struct buf *out)
{
	struct slice rest = local_name(name);
	size_t before = out->len;
	enum mbox_namespace space;

	if (mbox_name_check(name) != MBOX_NAME_OK || mbox_name_is_deleted(name))
		return false;
	space = mbox_name_namespace(v, name);
	if (space == MBOX_SHARED) {
		buf_add_str(out, MBOX_SHARED_PREFIX);
	} else {
		rest = slice_skip(rest, strlen("user."));
		if (space == MBOX_OTHER_USERS)
			buf_add_str(out, MBOX_OTHER_USERS_PREFIX);
	}
	if (space == MBOX_PERSONAL) {
		(void)slice_cut(&rest, '.');
		if (rest.p == NULL)
			buf_add_slice(out, inbox);
	} else {
		add_client_part(slice_cut(&rest, '.'), out);
		add_domain(v, name, out);
		if (rest.p != NULL)
			buf_add_char(out, MBOX_SEPARATOR);
	}
	add_client_parts(rest, out);
	if (out->overflow)
		buf_truncate(out, before);
	return !out->overflow;
}
