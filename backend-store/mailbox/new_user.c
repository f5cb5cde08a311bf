/*
 * new_user - what a user gets with his INBOX, when he comes for the first time or his first
 * mail does: folders, subscriptions. See store.h.
 *
 * All of it is one transaction with one reservation at the master, under a lock on the user:
 * of several who make the same user one does, and the others find him.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/xalloc.h"
#include "mail/utf7.h"
#include "mailbox/store_impl.h"

/* ---- the settings ----------------------------------------------------------------------- */

/* A name as people write it (UTF-8) and this user's client knows it, to canonical. */
static enum mbox_name_error
name_of(const struct mbox_view *view, struct slice text, struct mbox_name *name_r)
{
	struct buf client = BUF_INIT(4 * MBOX_NAME_MAX);
	enum mbox_name_error e = MBOX_NAME_CHARS;

	if (utf7_from_utf8(text, &client) && !client.overflow)
		e = mbox_name_from_client(view, buf_slice(&client), name_r);
	buf_fini(&client);
	return e;
}

/* "Sent=\\Sent": a folder of the view's user. False: text says why. */
static bool
read_folder(const struct mbox_view *view, const char *row, struct mbox_name *name_r,
            struct slice *use_r, const char **text_r)
{
	struct slice use = slice_of(row), folder = slice_cut(&use, '=');
	enum mbox_name_error e = name_of(view, folder, name_r);

	*text_r = mbox_name_error_text(e);
	if (e != MBOX_NAME_OK)
		return false;
	if (mbox_name_namespace(view, mbox_name_slice(name_r)) != MBOX_PERSONAL ||
	    mbox_name_is_inbox(mbox_name_slice(name_r))) {
		*text_r = "this is no folder of a user";
		return false;
	}
	*use_r = use.p != NULL ? use : SLICE("");
	*text_r = "behind the = stands a special use such as \\Sent";
	return create_use_is_valid(*use_r) && (use.p == NULL || use.n > 0);
}

bool
store_check_new_user(const struct new_user *n, const char *default_domain, struct err *err)
{
	struct mbox_view view = { SLICE("user"), slice_of(default_domain) };
	struct mbox_name name, other;
	enum mbox_name_error e;
	struct slice use;
	const char *why;

	for (size_t i = 0; n->folders != NULL && n->folders[i] != NULL; i++) {
		if (!read_folder(&view, n->folders[i], &name, &use, &why)) {
			err_set(err, "the folder %s for new users: %s", n->folders[i], why);
			return false;
		}
		for (size_t k = 0; k < i; k++) {
			if (!read_folder(&view, n->folders[k], &other, &use, &why) ||
			    !slice_eq(mbox_name_slice(&name), mbox_name_slice(&other)))
				continue;
			err_set(err, "the folder %s for new users is there twice", n->folders[i]);
			return false;
		}
	}
	for (size_t i = 0; n->subscriptions != NULL && n->subscriptions[i] != NULL; i++) {
		e = name_of(&view, slice_of(n->subscriptions[i]), &name);
		if (e == MBOX_NAME_OK)
			continue;
		err_set(err, "the subscription \"%s\" for new users: %s", n->subscriptions[i],
		        mbox_name_error_text(e));
		return false;
	}
	return true;
}

static char **
copy_list(const char *const *list)
{
	size_t n = 0;
	char **copy;

	while (list != NULL && list[n] != NULL)
		n++;
	copy = xcalloc(n + 1, sizeof(*copy));
	for (size_t i = 0; i < n; i++)
		copy[i] = xstrdup(list[i]);
	return copy;
}

static void
free_list(char ***listp)
{
	char **list = *listp;

	*listp = NULL;
	for (size_t i = 0; list != NULL && list[i] != NULL; i++)
		free(list[i]);
	free(list);
}

void
store_set_new_user(struct store *s, const struct new_user *n)
{
	new_user_fini(s);
	s->new_folders = copy_list(n->folders);
	s->new_subscriptions = copy_list(n->subscriptions);
}

void
new_user_fini(struct store *s)
{
	free_list(&s->new_folders);
	free_list(&s->new_subscriptions);
}

/* ---- making one --------------------------------------------------------------------------- */

static struct names_entry *
find_made(struct space_op *so, struct slice name)
{
	for (size_t i = 0; i < so->made_count; i++)
		if (slice_eq(so->made[i].name, name))
			return &so->made[i];
	return NULL;
}

/* Names below INBOX have no mailbox between them and it (mail/mbox_name.h). */
static bool
is_inbox_level(struct slice name)
{
	struct slice parent;

	return slice_ends(name, SLICE(".INBOX")) && mbox_name_parent(name, &parent) &&
	       mbox_name_is_inbox(parent);
}

/* A folder; the levels above it that are missing first, from the top. */
static void
add_folder(struct space_op *so, struct slice name, struct slice acl, struct slice use)
{
	struct slice inbox = mbox_name_root(name);
	struct names_entry *made;

	for (size_t i = inbox.n + 1; i < name.n; i++) {
		struct slice up = slice_sub(name, 0, i);

		if (name.p[i] == '.' && !is_inbox_level(up) && find_made(so, up) == NULL)
			create_add(so, up, acl, SLICE(""));
	}
	made = find_made(so, name);
	if (made == NULL)
		create_add(so, name, acl, use);
	else /* as a level of one before it */
		made->special_use = arena_slice_dup(so->arena, use);
}

/* Room for them with their levels. */
static size_t
count_folders(char **folders)
{
	size_t n = 0;

	for (; *folders != NULL; folders++) {
		n++;
		for (const char *p = *folders; *p != '\0'; p++)
			n += *p == MBOX_SEPARATOR;
	}
	return n;
}

/* What cannot be for this user (his own name is too long) is left out. */
static void
add_folders(struct space_op *so, const struct mbox_view *view, struct slice acl)
{
	char **folders = so->op.store->new_folders;
	struct mbox_name name;
	struct slice use;
	const char *why;

	for (size_t i = 0; folders[i] != NULL; i++)
		if (read_folder(view, folders[i], &name, &use, &why))
			add_folder(so, mbox_name_slice(&name), acl, use);
}

/* Beside those to what is made. */
static void
add_subscriptions(struct space_op *so, const struct mbox_view *view)
{
	char **names = so->op.store->new_subscriptions;
	struct mbox_name name;

	for (size_t i = 0; names[i] != NULL; i++) {
		struct space_sub *sub;

		if (name_of(view, slice_of(names[i]), &name) != MBOX_NAME_OK ||
		    find_made(so, mbox_name_slice(&name)) != NULL)
			continue;
		sub = arena_alloc(so->arena, sizeof(*sub));
		sub->name = arena_slice_dup(so->arena, mbox_name_slice(&name));
		sub->next = so->subs;
		so->subs = sub;
	}
}

static void
start_user(struct space_op *so)
{
	struct store *s = so->op.store;
	struct mbox_view view = { so->user, slice_of(s->default_domain) };
	struct buf acl = BUF_INIT(SIZE_MAX);
	struct slice inbox = so->locks[0].name;

	if (tree_find(&s->tree, inbox) != NULL) {
		space_end(so, MBOX_OK);
		return;
	}
	create_room(so, count_folders(s->new_folders) + 1);
	create_acl(s, inbox, &acl);
	create_add(so, inbox, buf_slice(&acl), SLICE(""));
	add_folders(so, &view, buf_slice(&acl));
	add_subscriptions(so, &view);
	buf_fini(&acl);
	space_reserve(so, create_log);
}

uint64_t
store_create_user(struct store *s, struct slice user, store_done_fn *fn, void *ctx)
{
	struct space_op *so = space_new(s, fn, ctx);
	uint64_t id = so->op.id;
	struct mbox_name inbox;

	so->user = arena_slice_dup(so->arena, user);
	if (mbox_name_of_user(user, slice_of(s->default_domain), &inbox)) {
		space_add_lock(so, mbox_name_slice(&inbox), true, true);
		space_start(so, start_user);
	} else {
		space_end(so, MBOX_INVALID);
	}
	return id;
}
