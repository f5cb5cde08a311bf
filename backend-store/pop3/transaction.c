/*
 * What may be said after the login: RFC 1939 sections 5 to 7.
 *
 * A message that somebody else expunged meanwhile keeps its number and its place in the
 * lists; only RETR and TOP tell.
 */
#include "pop3/session_impl.h"

#include <inttypes.h>
#include <stdlib.h>

static void
no_such_message(struct drop_session *s)
{
	pop3_session_reply(&s->pop3, "-ERR No such message.");
}

static void
cmd_list(struct drop_session *s, const struct pop3_event *ev)
{
	struct drop_msg *m;

	if (ev->number == 0) {
		stream_list(s, ev->kind == POP3_LIST ? STREAM_LIST : STREAM_UIDL);
		return;
	}
	m = drop_get(&s->drop, ev->number);
	if (m == NULL)
		no_such_message(s);
	else if (ev->kind == POP3_LIST)
		buf_printf(link_out(s->pop3.client), "+OK %" PRIu32 " %" PRIu64 "\r\n", ev->number,
		           drop_octets(m));
	else
		buf_printf(link_out(s->pop3.client), "+OK %" PRIu32 " %" PRIu32 ".%" PRIu32 "\r\n",
		           ev->number, s->drop.uidvalidity, m->msg.uid);
}

static void
cmd_retr(struct drop_session *s, const struct pop3_event *ev)
{
	const struct drop_msg *m = drop_get(&s->drop, ev->number);

	if (m == NULL)
		no_such_message(s);
	else
		stream_message(s, m, ev->kind == POP3_RETR, ev->lines);
}

static void
cmd_dele(struct drop_session *s, const struct pop3_event *ev)
{
	struct drop_msg *m = drop_get(&s->drop, ev->number);

	if (m == NULL) {
		no_such_message(s);
		return;
	}
	drop_delete(&s->drop, m);
	pop3_session_reply(&s->pop3, "+OK Deleted at the end of the session.");
}

/* ---- QUIT -------------------------------------------------------------------------------- */

/* On disk now (promise 1), or the client keeps what it would have forgotten. */
static void
on_expunged(void *ctx, enum mbox_result result, uint64_t modseq)
{
	struct drop_session *s = ctx;

	s->store_id = 0;
	if (result == MBOX_OK) {
		s->deleted = s->drop.count - s->drop.left;
		metrics_add(&pop3_store_metrics[POP3_STORE_M_DELETED], s->deleted);
		pop3_session_reply(&s->pop3, "+OK Bye.");
	} else {
		log_warning(&s->pop3.log, "pop3.not_deleted why=%s", mbox_result_name(result));
		pop3_session_reply(&s->pop3,
		                   "-ERR [SYS/TEMP] Nothing was deleted, please try again later.");
	}
	pop3_session_end(&s->pop3, "quit");
}

static void
cmd_quit(struct drop_session *s)
{
	size_t count;
	uint32_t *uids = drop_deleted_uids(&s->drop, &count);

	if (count == 0) {
		pop3_session_reply(&s->pop3, "+OK Bye.");
		pop3_session_end(&s->pop3, "quit");
	} else {
		link_pause(s->pop3.client);
		s->store_id = mailbox_expunge(s->drop.mailbox, uids, count, false, on_expunged, s);
	}
	free(uids);
}

/* ------------------------------------------------------------------------------------------ */

void
transaction_command(struct pop3_session *p, const struct pop3_event *ev)
{
	struct drop_session *s = drop_session_of(p);

	switch (ev->kind) {
	case POP3_STAT:
		buf_printf(link_out(s->pop3.client), "+OK %" PRIu32 " %" PRIu64 "\r\n",
		           s->drop.left, s->drop.left_bytes);
		return;
	case POP3_LIST:
	case POP3_UIDL:
		cmd_list(s, ev);
		return;
	case POP3_RETR:
	case POP3_TOP:
		cmd_retr(s, ev);
		return;
	case POP3_DELE:
		cmd_dele(s, ev);
		return;
	case POP3_NOOP:
		pop3_session_reply(&s->pop3, "+OK");
		return;
	case POP3_RSET:
		drop_reset(&s->drop);
		pop3_session_reply(&s->pop3, "+OK");
		return;
	case POP3_CAPA:
		pop3_server_add_capa(s->pop3.core, NULL, link_out(s->pop3.client));
		return;
	case POP3_QUIT:
		cmd_quit(s);
		return;
	case POP3_REPLY:
		pop3_session_reply(&s->pop3, ev->text);
		return;
	case POP3_BYE:
		pop3_session_reply(&s->pop3, ev->text);
		pop3_session_end(&s->pop3, "bad input");
		return;
	default:
		must_not_reach(); /* the core lets nothing else through after the login */
	}
}
