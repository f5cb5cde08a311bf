/*
 * append - APPEND: RFC 3501 section 6.3.11, RFC 3502 (MULTIAPPEND), RFC 4315 (APPENDUID), RFC
 * 7889 (APPENDLIMIT).
 *
 *	append  = "APPEND" SP mailbox 1*message
 *	message = SP [flags SP] [date-time SP] literal
 *
 * Each line that ends in a literal is checked before the client is told to go ahead. The bytes
 * of all messages go to one spool; when the command is complete they are appended together,
 * all or none.
 *
 * Bodies must live until the store has written them, also when the session has ended before:
 * so an append is not cancelled, but goes on alone.
 */
#include "imap/session_impl.h"

#include "base/clock.h"
#include "base/xalloc.h"
#include "mailbox/quota.h"
#include "mailbox/spool.h"
#include "proto/imap_set.h"

#include <inttypes.h>
#include <stdlib.h>

#define TOTAL_MAX ((uint64_t)128 << 20) /* all messages of one command */
#define LINES_MAX ((size_t)2 << 20)     /* and what stands between them */

struct append_msg {
	struct append_msg *next;
	struct msg_flags flags;
	struct date date;
	uint64_t at, size; /* in the spool */
};

struct append {
	struct imap_session *session; /* NULL: it has ended */
	bool writing;                 /* with the store */
	struct mailbox *mailbox;      /* once it is open */
	struct spool spool;
	struct slice *bodies; /* while writing; heap */

	/* of the command's arena */
	struct mbox_name name;
	struct append_msg *first, **end;
	size_t count;
	size_t text_bytes; /* lines so far */
};

static void
append_free(struct append *a)
{
	if (a->mailbox != NULL)
		mailbox_release(&a->mailbox);
	spool_fini(&a->spool);
	free(a->bodies);
	free(a);
}

static void
cleanup(struct imap_session *s)
{
	struct append *a = s->append;

	s->append = NULL;
	if (a->writing)
		a->session = NULL;
	else
		append_free(a);
}

/* ---- to the store ----------------------------------------------------------------------------------- */

static void
on_added(void *ctx, enum mbox_result result, const struct mailbox_added *added)
{
	struct append *a = ctx;
	struct imap_session *s = a->session;
	struct buf code = BUF_INIT(SIZE_MAX);

	a->writing = false;
	if (s == NULL) {
		append_free(a);
		return;
	}
	if (result != MBOX_OK) {
		command_fail_target(s, result);
		return;
	}
	metrics_add(&imap_metrics[IMAP_M_APPENDED], added->count);
	buf_printf(&code, "APPENDUID %" PRIu32 " ", added->uidvalidity);
	imap_set_add_numbers(&code, added->uids, added->count);
	command_done(s, COMMAND_OK, buf_cstr(&code), "Appended");
	buf_fini(&code);
}

static void
spool_failed(struct imap_session *s, const struct err *err)
{
	log_error(&s->log, "imap.spool why=%s", log_esc(err->text));
	command_fail(s, MBOX_UNAVAILABLE);
}

static void
on_open(void *ctx, enum mbox_result result, struct mailbox *m)
{
	struct imap_session *s = ctx;
	struct append *a = s->append;
	struct msg_new *msgs;
	struct slice all;
	struct err err;
	uint32_t rights;
	size_t i = 0;

	s->command.store_id = 0;
	if (result != MBOX_OK) {
		command_fail_target(s, result);
		return;
	}
	a->mailbox = m;
	rights = imap_rights(s, mailbox_name(m), mailbox_acl(m));
	if ((rights & ACL_INSERT) == 0) { /* taken from him while he sent it */
		imap_refuse(s, rights, "TRYCREATE");
		return;
	}
	if (!spool_take(&a->spool, &all, &err)) {
		spool_failed(s, &err);
		return;
	}
	msgs = xcalloc(a->count, sizeof(*msgs));
	a->bodies = xcalloc(a->count, sizeof(*a->bodies));
	for (struct append_msg *am = a->first; am != NULL; am = am->next, i++) {
		a->bodies[i] = slice_sub(all, am->at, am->size);
		imap_limit_flags(&am->flags, rights);
		msgs[i] = (struct msg_new){ &a->bodies[i], 1, am->flags, am->date.utc_s,
			                    am->date.zone_min };
	}
	a->writing = true;
	(void)mailbox_append(m, msgs, a->count, on_added, a);
	free(msgs);
}

/* ---- reading it --------------------------------------------------------------------------------------- */

/* Behind the mailbox or the message before; without the space in front of the literal. */
static bool
read_message(struct imap_args *a, struct append_msg *m)
{
	struct slice *flags = NULL;
	size_t count = 0;

	m->date.utc_s = (int64_t)clock_wall_s();
	if (imap_args_is_end(a))
		return true;
	if (!imap_args_space(a))
		return false;
	if (imap_args_peek(a) == '(') {
		if (!imap_args_flags(a, false, &flags, &count))
			return false;
		if (!imap_args_is_end(a) && !imap_args_space(a))
			return false;
	}
	if (!imap_args_is_end(a) && !imap_args_date_time(a, "date", &m->date))
		return false;
	return imap_args_end(a) && imap_read_flags(a, flags, count, &m->flags);
}

/* False: the command is over. */
static bool
check_literal(struct imap_session *s, const struct imap_cmd_event *ev)
{
	const struct append *a = s->append;

	if (ev->literal8)
		command_bad(s, "A message must be a literal without ~");
	else if (ev->literal_n == 0)
		command_done(s, COMMAND_NO, NULL, "A message must not be empty");
	else if (ev->literal_n > s->limits.message_bytes)
		command_done(s, COMMAND_NO, "TOOBIG", "The message is too big");
	else if (a->spool.len + ev->literal_n > TOTAL_MAX || a->text_bytes > LINES_MAX)
		command_done(s, COMMAND_NO, "TOOBIG", "This is too much for one command");
	else if (quota_check(s->service->c.store, mbox_name_slice(&a->name),
	                     a->spool.len + ev->literal_n, a->count + 1) != MBOX_OK)
		command_fail(s, MBOX_OVERQUOTA);
	else
		return true;
	return false;
}

void
append_text(struct imap_session *s, const struct imap_cmd_event *ev)
{
	struct command *c = &s->command;
	struct append *a = s->append;
	struct append_msg *m;

	if (ev->last) {
		if (ev->text.n > 0 || a->count == 0) {
			command_bad(s, "APPEND takes messages as literals");
			return;
		}
		c->running = true;
		c->store_id =
			mailbox_open(s->service->c.store, mbox_name_slice(&a->name), on_open, s);
		return;
	}
	a->text_bytes += ev->text.n;
	if (!check_literal(s, ev))
		return;
	if (!slice_ends(ev->text, SLICE(" "))) {
		command_bad(s, "A literal must stand alone");
		return;
	}
	m = arena_alloc(c->arena, sizeof(*m));
	imap_args_init(&c->args, c->arena, "APPEND",
	               arena_slice_dup(c->arena, slice_sub(ev->text, 0, ev->text.n - 1)));
	if (!read_message(&c->args, m)) {
		command_bad(s, imap_args_bad(&c->args));
		return;
	}
	m->at = a->spool.len;
	m->size = ev->literal_n;
	*a->end = m;
	a->end = &m->next;
	a->count++;
	if (ev->sync)
		buf_add_str(imap_out(s), "+ Go ahead\r\n");
}

void
append_bytes(struct imap_session *s, struct slice bytes)
{
	struct err err;

	if (memchr(bytes.p, '\0', bytes.n) != NULL)
		command_done(s, COMMAND_NO, NULL, "A message must not have NUL bytes");
	else if (!spool_add(&s->append->spool, bytes, &err))
		spool_failed(s, &err);
}

void
cmd_append(struct imap_session *s, struct command *c)
{
	struct mbox_info info;
	struct append *a;

	if (!imap_find_mailbox(s, c->head->args[0], ACL_INSERT, "TRYCREATE", &info))
		return;
	a = xcalloc(1, sizeof(*a));
	a->session = s;
	a->end = &a->first;
	spool_init(&a->spool, s->service->c.spool_dir);
	s->append = a;
	c->cleanup = cleanup;
	/* names of the store are valid, or it would not have opened */
	if (mbox_name_set(&a->name, info.name) != MBOX_NAME_OK)
		command_fail(s, MBOX_CORRUPT);
	else
		append_text(s, c->head);
}
