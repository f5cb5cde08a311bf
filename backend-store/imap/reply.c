/*
 * reply - what is said to the client: RFC 3501 section 7, response codes of RFC 5530.
 *
 * Nothing a client said goes back unchecked: texts are ours, names are canonical ones turned
 * back, strings are quoted or literals.
 */
#include "imap/session_impl.h"

#include "base/text.h"

struct buf *
imap_out(struct imap_session *s)
{
	return link_out(s->client);
}

void
imap_untagged(struct imap_session *s, const char *fmt, ...)
{
	struct buf *out = imap_out(s);
	va_list ap;

	buf_add_str(out, "* ");
	va_start(ap, fmt);
	buf_vprintf(out, fmt, ap);
	va_end(ap);
	buf_add_str(out, "\r\n");
}

static bool
is_atom(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (text_is_ctl(s.p[i]) || (s.p[i] & 0x80) != 0 ||
		    strchr(" (){%*\"\\]", s.p[i]) != NULL)
			return false;
	return s.n > 0 && !slice_ieq(s, SLICE("NIL"));
}

static void
add_literal(struct buf *out, struct slice s)
{
	size_t nuls = 0;

	for (size_t i = 0; i < s.n; i++)
		nuls += s.p[i] == '\0';
	buf_printf(out, "{%zu}\r\n", s.n - nuls);
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != '\0')
			buf_add_char(out, s.p[i]);
}

void
imap_add_string(struct buf *out, struct slice s)
{
	if (imap_cmd_is_quotable(s))
		imap_cmd_add_quoted(out, s);
	else
		add_literal(out, s);
}

void
imap_add_astring(struct buf *out, struct slice s)
{
	if (is_atom(s))
		buf_add_slice(out, s);
	else
		imap_add_string(out, s);
}

bool
imap_add_mailbox(struct imap_session *s, struct slice name, struct buf *out)
{
	struct buf client = BUF_INIT(4 * MBOX_NAME_MAX);
	bool shown = mbox_name_to_client(&s->names, name, &client);

	if (shown)
		imap_add_astring(out, buf_slice(&client));
	buf_fini(&client);
	return shown;
}

void
imap_add_flags(struct buf *out, const struct mailbox *m, uint8_t system, uint64_t keywords)
{
	static const struct {
		uint8_t bit;
		const char *name;
	} flags[] = {
		{ MSG_ANSWERED, "\\Answered" }, { MSG_FLAGGED, "\\Flagged" },
		{ MSG_DELETED, "\\Deleted" },   { MSG_SEEN, "\\Seen" },
		{ MSG_DRAFT, "\\Draft" },
	};
	const char *space = "";

	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		if ((system & flags[i].bit) == 0)
			continue;
		buf_printf(out, "%s%s", space, flags[i].name);
		space = " ";
	}
	for (unsigned i = 0; i < mailbox_keyword_count(m); i++) {
		if ((keywords >> i & 1) == 0)
			continue;
		buf_printf(out, "%s%.*s", space, SLICE_ARG(mailbox_keyword(m, i)));
		space = " ";
	}
}

/* ---- how an operation of the store ended ---------------------------------------------------- */

static const struct store_reply {
	const char *code, *text;
} store_replies[] = {
	[MBOX_OK] = { NULL, "Done" },
	[MBOX_ABSENT] = { "NONEXISTENT", "There is no such mailbox" },
	[MBOX_EXISTS] = { "ALREADYEXISTS", "There is a mailbox of this name" },
	[MBOX_INVALID] = { "CANNOT", "This name or argument cannot be" },
	[MBOX_CANNOT] = { "CANNOT", "This cannot be done here" },
	[MBOX_TOOBIG] = { "TOOBIG", "This is more than the server takes" },
	[MBOX_FULL] = { "UNAVAILABLE", "The server's disk is full, try later" },
	[MBOX_OVERQUOTA] = { "OVERQUOTA", "This is more than the quota allows" },
	[MBOX_BUSY] = { "INUSE", "Too much is under way, try again" },
	[MBOX_UNAVAILABLE] = { "UNAVAILABLE", "This cannot be done now, try later" },
	[MBOX_CORRUPT] = { "CORRUPTION", "This is damaged on the server" },
};

void
command_fail(struct imap_session *s, enum mbox_result result)
{
	must(result != MBOX_OK);
	log_debug(&s->log, "imap.no command=\"%s\" why=%s", s->command.row->def.name,
	          mbox_result_name(result));
	command_done(s, COMMAND_NO, store_replies[result].code, store_replies[result].text);
}

void
command_fail_target(struct imap_session *s, enum mbox_result result)
{
	if (result == MBOX_ABSENT)
		command_done(s, COMMAND_NO, "TRYCREATE", "There is no such mailbox");
	else
		command_fail(s, result);
}
