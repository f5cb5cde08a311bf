/*
 * status - STATUS: RFC 3501 section 6.3.10, HIGHESTMODSEQ (RFC 7162), APPENDLIMIT (RFC 7889),
 * SIZE (RFC 8438), DELETED and DELETED-STORAGE (RFC 9208; in octets).
 */
#include "imap/session_impl.h"

#include <inttypes.h>

enum item {
	MESSAGES,
	RECENT,
	UIDNEXT,
	UIDVALIDITY,
	UNSEEN,
	HIGHESTMODSEQ,
	APPENDLIMIT,
	SIZE,
	DELETED,
	DELETED_STORAGE
};
static const char *const item_names[] = {
	[MESSAGES] = "MESSAGES",       [RECENT] = "RECENT",
	[UIDNEXT] = "UIDNEXT",         [UIDVALIDITY] = "UIDVALIDITY",
	[UNSEEN] = "UNSEEN",           [HIGHESTMODSEQ] = "HIGHESTMODSEQ",
	[APPENDLIMIT] = "APPENDLIMIT", [SIZE] = "SIZE",
	[DELETED] = "DELETED",         [DELETED_STORAGE] = "DELETED-STORAGE",
};

struct status_job {
	struct mbox_name name;
	struct imap_status items;
};

bool
imap_status_read(struct imap_args *a, struct imap_status *it)
{
	bool first = true;
	struct slice word;
	size_t i;

	it->count = 0;
	if (!imap_args_space(a) || !imap_args_open(a, "items"))
		return false;
	while (imap_args_next(a, &first)) {
		if (!imap_args_atom(a, "item", &word))
			return false;
		for (i = 0; i < ARRAY_LEN(item_names) && !slice_ieq_str(word, item_names[i]); i++)
			continue;
		if (i == ARRAY_LEN(item_names))
			return imap_args_fail(a, "Unknown item in %s", a->cmd);
		if (it->count == IMAP_STATUS_ITEMS)
			return imap_args_fail(a, "Too many items in %s", a->cmd);
		it->items[it->count++] = (uint8_t)i;
	}
	if (imap_args_ok(a) && it->count == 0)
		return imap_args_fail(a, "Missing items in %s", a->cmd);
	return imap_args_ok(a);
}

void
imap_status_begin(struct imap_session *s, const struct imap_status *it)
{
	for (unsigned i = 0; i < it->count; i++)
		if (it->items[i] == HIGHESTMODSEQ)
			imap_enable_condstore(s);
}

uint64_t
imap_status_ask(struct imap_session *s, struct slice name, const struct imap_status *it,
                mailbox_status_fn *fn)
{
	struct store *store = s->service->c.store;

	for (unsigned i = 0; i < it->count; i++)
		if (it->items[i] == DELETED_STORAGE)
			return mailbox_status_deleted(store, name, fn, s);
	return mailbox_status(store, name, fn, s);
}

static uint64_t
value(const struct imap_session *s, const struct mailbox_status *st, enum item item)
{
	switch (item) {
	case MESSAGES:
		return st->messages;
	case RECENT:
		return st->recent;
	case UIDNEXT:
		return st->uidnext;
	case UIDVALIDITY:
		return st->uidvalidity;
	case UNSEEN:
		return st->unseen;
	case HIGHESTMODSEQ:
		return st->highestmodseq;
	case APPENDLIMIT:
		return s->limits.message_bytes;
	case SIZE:
		return st->bytes;
	case DELETED:
		return st->deleted;
	case DELETED_STORAGE:
		return st->deleted_bytes;
	}
	must_not_reach();
}

bool
imap_status_tell(struct imap_session *s, struct slice name, const struct imap_status *it,
                 const struct mailbox_status *st)
{
	struct buf *out = imap_out(s);
	struct buf client = BUF_INIT(8 * MBOX_NAME_MAX);
	bool shown = imap_add_mailbox(s, name, &client);

	if (shown) {
		buf_printf(out, "* STATUS %s (", buf_cstr(&client));
		for (unsigned i = 0; i < it->count; i++)
			buf_printf(out, "%s%s %" PRIu64, i > 0 ? " " : "", item_names[it->items[i]],
			           value(s, st, (enum item)it->items[i]));
		buf_add_str(out, ")\r\n");
	}
	buf_fini(&client);
	return shown;
}

static void
on_status(void *ctx, enum mbox_result result, const struct mailbox_status *st)
{
	struct imap_session *s = ctx;
	const struct status_job *j = s->command.job;

	s->command.store_id = 0;
	if (result == MBOX_OK && !imap_status_tell(s, mbox_name_slice(&j->name), &j->items, st))
		result = MBOX_ABSENT;
	if (result == MBOX_OK)
		command_done(s, COMMAND_OK, NULL, "That is all");
	else
		command_fail(s, result);
}

void
cmd_status(struct imap_session *s, struct command *c)
{
	struct status_job *j = arena_alloc(c->arena, sizeof(*j));
	struct mbox_info info;
	struct slice client;

	if (!imap_args_space(&c->args) || !imap_args_astring(&c->args, "mailbox name", &client) ||
	    !imap_status_read(&c->args, &j->items) || !imap_args_end(&c->args)) {
		command_bad(s, imap_args_bad(&c->args));
		return;
	}
	if (!imap_find_mailbox(s, client, ACL_READ, "NONEXISTENT", &info))
		return;
	imap_status_begin(s, &j->items);
	if (mbox_name_set(&j->name, info.name) != MBOX_NAME_OK) {
		command_fail(s, MBOX_ABSENT);
		return;
	}
	c->job = j;
	c->store_id = imap_status_ask(s, info.name, &j->items, on_status);
}
