/*
 * relay - the conversation between a client and his store: commands go on as structures,
 * answers come back in order, bodies as they are.
 *
 * What the client asks is kept in a ring until it is answered; commands that we answer
 * ourselves wait there for their turn. Each side stops the other: no command is taken while
 * the ring is full or the store does not read, nothing is read from the store while the
 * client does not.
 */
#include "pop3/session_impl.h"

#include "base/must.h"

static struct relay_item *
item_at(struct relay *r, unsigned i)
{
	return &r->items[(r->head + i) % RELAY_MAX];
}

static struct link *
store_link(struct proxy_session *s)
{
	return pop3_leg_link(s->leg);
}

/* The client has the word again, or loses it. */
static void
steer_client(struct proxy_session *s)
{
	struct relay *r = &s->relay;

	if (s->pop3.quitting || r->count == RELAY_MAX || link_is_congested(store_link(s)))
		link_pause(s->pop3.client);
	else
		link_resume(s->pop3.client);
}

/* The store owes us something within store_ms, unless we are the ones who do not read. */
static void
steer_store(struct proxy_session *s)
{
	struct relay *r = &s->relay;
	bool owes = r->sent > 0;

	if (link_is_congested(s->pop3.client)) {
		link_pause(store_link(s));
		owes = false;
	} else {
		link_resume(store_link(s));
	}
	link_set_deadline(store_link(s), owes ? s->store_ms : 0);
}

static void
pop_item(struct relay *r)
{
	must(r->count > 0 && r->sent > 0);
	r->head = (r->head + 1) % RELAY_MAX;
	r->count--;
	r->sent--;
}

/* What we answer ourselves, now that it is its turn. False: that was the last. */
static bool
answer_item(struct proxy_session *s, const struct relay_item *item)
{
	struct buf *out = link_out(s->pop3.client);

	if (item->kind == RELAY_CAPA) {
		struct pop3_capa less = { .no_top = !s->relay.offer.top,
			                  .no_uidl = !s->relay.offer.uidl };

		pop3_server_add_capa(s->pop3.core, &less, out);
		return true;
	}
	pop3_session_reply(&s->pop3, item->text);
	if (item->kind == RELAY_REPLY)
		return true;
	pop3_session_end(&s->pop3, item->text);
	return false;
}

/* Sends what may be sent, answers what is ours. A store without PIPELINING gets one command
 * at a time. False: the session is over. */
static bool
advance(struct proxy_session *s)
{
	struct relay *r = &s->relay;

	while (r->sent < r->count) {
		struct relay_item *item = item_at(r, r->sent);

		if (item->kind == RELAY_COMMAND) {
			if (r->sent > 0 && !r->offer.pipelining)
				break;
			pop3_client_add_command(link_out(store_link(s)), item->verb, item->number,
			                        item->lines);
			r->sent++;
			continue;
		}
		if (r->sent > 0)
			break; /* its turn comes */
		r->sent++;
		if (!answer_item(s, item))
			return false;
		pop_item(r);
	}
	return true;
}

/* After anything has moved. */
static void
settle(struct proxy_session *s)
{
	if (!advance(s))
		return;
	link_flush(s->pop3.client);
	link_flush(store_link(s));
	steer_client(s);
	steer_store(s);
}

static const struct {
	enum relay_kind kind;
	enum pop3_verb verb;
} rows[] = {
	[POP3_STAT] = { RELAY_COMMAND, POP3_VERB_STAT },
	[POP3_LIST] = { RELAY_COMMAND, POP3_VERB_LIST },
	[POP3_UIDL] = { RELAY_COMMAND, POP3_VERB_UIDL },
	[POP3_RETR] = { RELAY_COMMAND, POP3_VERB_RETR },
	[POP3_TOP] = { RELAY_COMMAND, POP3_VERB_TOP },
	[POP3_DELE] = { RELAY_COMMAND, POP3_VERB_DELE },
	[POP3_NOOP] = { RELAY_COMMAND, POP3_VERB_NOOP },
	[POP3_RSET] = { RELAY_COMMAND, POP3_VERB_RSET },
	[POP3_QUIT] = { RELAY_COMMAND, POP3_VERB_QUIT },
	[POP3_CAPA] = { .kind = RELAY_CAPA },
	[POP3_REPLY] = { .kind = RELAY_REPLY },
	[POP3_BYE] = { .kind = RELAY_BYE },
};

void
relay_command(struct pop3_session *p, const struct pop3_event *ev)
{
	struct proxy_session *s = proxy_session_of(p);
	struct relay *r = &s->relay;

	must(r->count < RELAY_MAX && ev->kind >= POP3_STAT && ev->kind < ARRAY_LEN(rows));
	*item_at(r, r->count) = (struct relay_item){ .kind = rows[ev->kind].kind,
		                                     .verb = rows[ev->kind].verb,
		                                     .number = ev->number,
		                                     .lines = ev->lines,
		                                     .text = ev->text };
	r->count++;
	r->commands++;
	settle(s);
}

/* ---- from the store ---------------------------------------------------------------------- */

/* The head is answered. False: the session is over. */
static bool
finish_head(struct proxy_session *s)
{
	enum pop3_verb verb = item_at(&s->relay, 0)->verb;

	s->relay.in_body = false;
	pop_item(&s->relay);
	if (verb == POP3_VERB_QUIT) {
		pop3_session_end(&s->pop3, "quit");
		return false;
	}
	return true;
}

static size_t
take_body(struct proxy_session *s, struct slice in)
{
	bool done;
	size_t n = pop3_body_scan(&s->relay.body, in, &done);

	buf_add(link_out(s->pop3.client), in.p, n);
	s->relay.bytes += n;
	pop3_session_touch(&s->pop3);
	if (!done || finish_head(s))
		settle(s);
	return n;
}

static size_t
take_reply(struct proxy_session *s, struct slice in)
{
	const struct relay_item *item = item_at(&s->relay, 0);
	struct pop3_reply reply;
	size_t used;
	int r = pop3_reply_read(in, &used, &reply);

	if (r == 0)
		return 0;
	if (r == -1 || reply.kind == POP3_CONTINUE) {
		relay_store_lost(s, "the store is out of step");
		return used;
	}
	buf_add_str(link_out(s->pop3.client), reply.kind == POP3_OK ? "+OK" : "-ERR");
	if (reply.text.n > 0)
		buf_add_char(link_out(s->pop3.client), ' ');
	buf_add_slice(link_out(s->pop3.client), reply.text);
	buf_add_str(link_out(s->pop3.client), "\r\n");
	pop3_session_touch(&s->pop3);
	if (reply.kind == POP3_OK && pop3_client_has_body(item->verb, item->number)) {
		s->relay.in_body = true;
		pop3_body_init(&s->relay.body);
		settle(s);
	} else if (finish_head(s)) {
		settle(s);
	}
	return used;
}

size_t
relay_store_input(struct proxy_session *s, struct slice in)
{
	if (link_is_congested(s->pop3.client)) {
		steer_store(s);
		return 0;
	}
	if (s->relay.in_body)
		return take_body(s, in);
	/* the head is a command that the store has, or it speaks unasked */
	if (s->relay.sent == 0) {
		relay_store_lost(s, "the store is out of step");
		return 0;
	}
	return take_reply(s, in);
}

void
relay_client_drained(struct pop3_session *p)
{
	steer_store(proxy_session_of(p));
}

void
relay_store_drained(struct proxy_session *s)
{
	steer_client(s);
}

/* In the middle of a body every line would be taken for mail: then the missing final dot
 * says it. */
void
relay_store_lost(struct proxy_session *s, const char *why)
{
	metrics_add(&pop3_proxy_metrics[POP3_PROXY_M_STORE_LOST], 1);
	log_warning(&s->pop3.log, "pop3.store_lost store=%s why=%s", session_store(s),
	            log_esc(why));
	if (!s->relay.in_body)
		pop3_session_reply(
			&s->pop3,
			"-ERR [SYS/TEMP] The mailbox is not reachable, please try again later.");
	pop3_session_end(&s->pop3, why);
}
