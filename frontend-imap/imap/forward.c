/*
 * forward - commands to a store by structure, and its responses to the client.
 *
 * Tags are the client's own: a reply must carry the tag of a command that this store has to
 * answer, or the store is out of step. Literals flow through: a client that waits gets the
 * store's continuation; one that does not wait is held back where the store wants to be
 * asked. While a store is in the middle of a response nothing else is said to the client.
 */
#include "imap/session_impl.h"

#include "base/clock.h"
#include "base/xalloc.h"

#include <inttypes.h>
#include <stdlib.h>

#define REPLY_LOST "NO [UNAVAILABLE] The store went away, try again"
#define REPLY_MOVED "NO [UNAVAILABLE] This mailbox is being moved, try again"

/* ---- flights ----------------------------------------------------------------------------------------- */

static void
flight_free(struct imap_session *s, struct imap_flight *f)
{
	lookup_cancel(s->proxy->c.lookup, f->verdict_id);
	if (s->stream_flight == f)
		s->stream_flight = NULL;
	if (s->idle_flight == f) {
		s->idle_flight = NULL;
		s->idle = IDLE_NO;
	}
	list_del(&f->link);
	s->flight_count--;
	free(f->mailbox);
	free(f->name);
	free(f->reply);
	free(f);
}

void
imap_forward_free_flights(struct imap_session *s)
{
	struct imap_flight *f;

	while ((f = LIST_FIRST(&s->flights, struct imap_flight, link)) != NULL)
		flight_free(s, f);
}

static struct imap_flight *
flight_new(struct imap_session *s, struct imap_leg *leg, const struct imap_row *row,
           struct slice tag)
{
	struct imap_flight *f = xcalloc(1, sizeof(*f));

	must(tag.n < sizeof(f->tag));
	f->session = s;
	f->row = row;
	f->leg = leg;
	memcpy(f->tag, tag.p, tag.n);
	list_add_tail(&s->flights, &f->link);
	s->flight_count++;
	return f;
}

static struct imap_flight *
flight_of_head(struct imap_session *s, struct imap_leg *leg)
{
	const struct imap_head *h = &s->head;
	struct imap_flight *f = flight_new(s, leg, h->row, h->tag);

	if ((h->row->flags & ROW_SELECT) != 0)
		f->mailbox = slice_dup(h->args[0]);
	if (h->name.n > 0)
		f->name = slice_dup(h->name);
	f->is_inbox = h->row->def.args[0] == 'a' && slice_ieq(h->args[0], SLICE("INBOX"));
	return f;
}

/* The same tag twice in flight: the older one is answered first. */
static struct imap_flight *
flight_find(struct imap_session *s, const struct imap_leg *leg, struct slice tag)
{
	struct imap_flight *f;

	LIST_EACH (f, &s->flights, struct imap_flight, link)
		if (f->leg == leg && f->verdict_id == 0 && slice_eq_str(tag, f->tag))
			return f;
	return NULL;
}

/* One that is not answered yet, with any of these flags (0: any). */
static bool
has_flights(struct imap_session *s, const struct imap_leg *leg, unsigned flags)
{
	struct imap_flight *f;

	LIST_EACH (f, &s->flights, struct imap_flight, link)
		if (f->leg == leg && f->verdict_id == 0 &&
		    (flags == 0 || (f->row->flags & flags) != 0))
			return true;
	return false;
}

bool
imap_forward_has_flights(struct imap_session *s, const struct imap_leg *leg)
{
	struct imap_flight *f;

	LIST_EACH (f, &s->flights, struct imap_flight, link)
		if (f->leg == leg)
			return true;
	/* a message goes there to its end, also when it is refused already */
	return s->asked == leg || s->stream == leg;
}

static bool
owes(struct imap_session *s, const struct imap_leg *leg)
{
	return (has_flights(s, leg, 0) && s->idle != IDLE_ON) || s->asked == leg ||
	       imap_leg_is_talking(leg);
}

/* A store that owes us something must say something in time; in IDLE it owes nothing. Where
 * nobody has been for a while we go away. */
void
imap_forward_arm(struct imap_session *s, struct imap_leg *leg)
{
	const struct imap_limits *l = &s->proxy->limits;

	if (owes(s, leg))
		imap_leg_set_deadline(leg, l->store_ms);
	else if (leg != s->home && leg != s->selected)
		imap_leg_set_deadline(leg, l->guest_ms);
	else
		imap_leg_set_deadline(leg, 0);
}

/* ---- to the store ---------------------------------------------------------------------------------------- */

static void
add_literal(struct imap_session *s, struct imap_leg *leg, bool sync, bool literal8, uint64_t n)
{
	bool plus = (imap_leg_server(leg)->imap_offer.bits & OFFER(LITERAL_PLUS)) != 0;

	buf_printf(imap_leg_out(leg), "%s{%" PRIu64 "%s}\r\n", literal8 ? "~" : "", n,
	           !sync && plus ? "+" : "");
	s->stream = leg;
	s->go = sync ? GO_PASS : plus ? GO_NONE : GO_HOLD;
}

static void
end_stream(struct imap_session *s)
{
	s->stream = NULL;
	s->stream_flight = NULL;
	s->go = GO_NONE;
}

static bool
contains(struct slice text, const char *word)
{
	struct slice w = slice_of(word);

	for (size_t i = 0; i + w.n <= text.n; i++)
		if (slice_istarts(slice_skip(text, i), w))
			return true;
	return false;
}

bool
imap_forward_uses_condstore(struct slice text)
{
	return contains(text, "CONDSTORE") || contains(text, "MODSEQ") ||
	       contains(text, "CHANGEDSINCE");
}

static void
note_condstore(struct imap_session *s, struct imap_leg *leg, struct slice text)
{
	if ((s->head.row->flags & ROW_CONDSTORE) == 0 ||
	    (imap_leg_server(leg)->imap_offer.bits & OFFER(CONDSTORE)) == 0)
		return;
	if (imap_forward_uses_condstore(text)) {
		s->condstore = true;
		imap_leg_notes(leg)->condstore = true;
	}
}

/* ---- commands of ours ---- */

static const struct imap_row own_row = { { "", "" }, ROW_AFTER };

static const char *
own_tag(struct imap_session *s)
{
	return arena_printf(s->head.arena, "R%u", ++s->own_tag);
}

const char *
imap_forward_own(struct imap_session *s, struct imap_leg *leg, const char *fmt, ...)
{
	const char *tag = own_tag(s);
	struct buf *out = imap_leg_out(leg);
	va_list ap;

	buf_printf(out, "%s ", tag);
	va_start(ap, fmt);
	buf_vprintf(out, fmt, ap);
	va_end(ap);
	buf_add_str(out, "\r\n");
	return tag;
}

void
imap_forward_ask(struct imap_session *s, struct imap_leg *leg)
{
	struct imap_leg *before = s->asked;

	s->asked = leg;
	if (before != NULL && before != leg)
		imap_forward_arm(s, before);
	if (leg != NULL)
		imap_forward_arm(s, leg);
}

void
imap_forward_enable(struct imap_session *s, struct imap_leg *leg)
{
	uint64_t bits = imap_leg_server(leg)->imap_offer.bits;
	const char *tag;

	if (!s->condstore || imap_leg_notes(leg)->condstore || (bits & OFFER(CONDSTORE)) == 0 ||
	    (bits & OFFER(ENABLE)) == 0)
		return;
	imap_leg_notes(leg)->condstore = true;
	tag = imap_forward_own(s, leg, "ENABLE CONDSTORE");
	flight_new(s, leg, &own_row, slice_of(tag))->quiet = true;
}

void
imap_forward_head(struct imap_session *s, struct imap_leg *leg)
{
	const struct imap_head *h = &s->head;
	struct buf *out = imap_leg_out(leg);
	struct imap_flight *f;

	if ((h->row->flags & ROW_ENABLE) == 0)
		imap_forward_enable(s, leg);
	f = flight_of_head(s, leg);
	imap_leg_notes(leg)->used = clock_mono_ms();
	buf_printf(out, "%s %s", f->tag, h->row->def.name);
	for (size_t i = 0; h->row->def.args[i] != '\0'; i++) {
		buf_add_char(out, ' ');
		if (h->row->def.args[i] == 'a')
			imap_cmd_add_quoted(out, h->args[i]);
		else
			buf_add_slice(out, h->args[i]);
	}
	buf_add_slice(out, h->text);
	note_condstore(s, leg, h->text);
	if ((h->row->flags & ROW_IDLE) != 0 && h->last) {
		s->idle = IDLE_ASKED;
		s->idle_flight = f;
	}
	if (h->last) {
		buf_add_str(out, "\r\n");
	} else {
		s->stream_flight = f;
		add_literal(s, leg, h->sync, h->literal8, h->literal_n);
	}
	imap_forward_arm(s, leg);
}

void
imap_forward_text(struct imap_session *s, const struct imap_cmd_event *ev)
{
	struct imap_leg *leg = s->stream;

	must(leg != NULL);
	if (s->stream_flight == NULL && !ev->last && ev->sync) {
		/* answered, and yet the client would wait for a continuation for ever */
		s->go = GO_PASS;
		imap_forward_lost(s, leg, "an early answer that leaves the client waiting");
		return;
	}
	buf_add_slice(imap_leg_out(leg), ev->text);
	note_condstore(s, leg, ev->text);
	if (ev->last) {
		buf_add_str(imap_leg_out(leg), "\r\n");
		end_stream(s);
	} else {
		add_literal(s, leg, ev->sync, ev->literal8, ev->literal_n);
	}
}

void
imap_forward_bytes(struct imap_session *s, struct slice bytes)
{
	must(s->stream != NULL);
	buf_add_slice(imap_leg_out(s->stream), bytes);
}

bool
imap_forward_bad(struct imap_session *s, const char *instead)
{
	if (s->stream == NULL)
		return false;
	/* no command of any kind ends with an open list: the store cannot but refuse */
	buf_add_str(imap_leg_out(s->stream), " (\r\n");
	if (s->stream_flight != NULL)
		s->stream_flight->instead = instead;
	end_stream(s);
	return true;
}

void
imap_forward_idle_line(struct imap_session *s, struct slice line)
{
	bool done = slice_ieq(line, SLICE("DONE"));

	if (s->idle != IDLE_ON) {
		/* the store has ended it before the client did */
		if (!done)
			imap_session_say(s, "* BAD IDLE has ended");
		return;
	}
	buf_add_str(imap_leg_out(s->idle_flight->leg), "DONE\r\n");
	s->idle = done ? IDLE_DONE : IDLE_BAD;
	if (!done)
		s->idle_flight->instead = "BAD IDLE ends with DONE";
	imap_forward_arm(s, s->idle_flight->leg);
}

/* ---- to the client ----------------------------------------------------------------------------------------- */

static void
pass(struct imap_session *s, struct slice bytes)
{
	buf_add_slice(link_out(s->client), bytes);
	s->bytes_out += bytes.n;
	metrics_add(&imap_metrics[IMAP_M_BYTES_OUT], bytes.n);
}

void
imap_forward_select(struct imap_session *s, struct imap_leg *leg, char *mailbox, bool read_only)
{
	struct imap_leg *before = s->selected;

	s->selected = leg;
	s->read_only = read_only;
	free(s->mailbox);
	s->mailbox = mailbox;
	if (before != NULL && before != leg)
		imap_forward_arm(s, before);
}

static void
note_done(struct imap_session *s, struct imap_flight *f, const struct imap_resp_event *ev)
{
	unsigned flags = f->row->flags;

	if ((flags & ROW_SELECT) != 0 && ev->status == IMAP_RESP_OK) {
		imap_forward_select(s, f->leg, f->mailbox, slice_ieq(ev->code, SLICE("READ-ONLY")));
		f->mailbox = NULL;
	} else if ((flags & ROW_SELECT) != 0 && ev->status == IMAP_RESP_NO) {
		imap_forward_select(s, NULL, NULL, false);
	} else if ((flags & ROW_DESELECT) != 0 && ev->status == IMAP_RESP_OK) {
		imap_forward_select(s, NULL, NULL, false);
	} else if ((flags & ROW_ENABLE) != 0 && ev->status == IMAP_RESP_OK) {
		s->condstore = true;
		imap_leg_notes(f->leg)->condstore = true;
	}
}

/* The command whose text still comes has its answer. */
static void
stream_answered(struct imap_session *s)
{
	if (s->go == GO_PASS) {
		/* instead of a continuation: the literal does not come */
		(void)imap_cmd_discard(&s->cmd, false);
		end_stream(s);
	} else if (s->go == GO_HOLD) {
		/* the client sends it all the same, and the store must not get it */
		if (!imap_cmd_discard(&s->cmd, true))
			s->after_discard = NULL;
		end_stream(s);
	}
	/* else the store has said that it takes literals unasked, and swallows the rest */
}

static const char *const status_text[] = {
	[IMAP_RESP_OK] = "OK",
	[IMAP_RESP_NO] = "NO",
	[IMAP_RESP_BAD] = "BAD",
};

/* ---- is it elsewhere? ---- */

static void
on_verdict(void *ctx, enum location_result result, const struct location *loc)
{
	struct imap_flight *f = ctx;
	struct imap_session *s = f->session;
	bool elsewhere = result == LOCATION_FOUND &&
	                 !slice_eq_str(loc->server, imap_leg_server(f->leg)->name);
	/* Cyrus hides what it will move before it says so to the master */
	bool hidden = result == LOCATION_FOUND && f->is_inbox;

	f->verdict_id = 0;
	if (elsewhere || hidden || result == LOCATION_IS_RESERVED || result == LOCATION_BLIND)
		imap_session_say(s, "%s " REPLY_MOVED, f->tag);
	else
		imap_session_say(s, "%s %s", f->tag, f->reply);
	flight_free(s, f);
	imap_session_wake(s);
}

/* A mailbox of others, or any at a home that may have moved, that is not there after all: before
 * the client hears so, a barrier and another look (promise 6). Cyrus has no code for it. */
static bool
needs_verdict(const struct imap_flight *f, const struct imap_resp_event *ev)
{
	return f->name != NULL && f->instead == NULL && ev->status == IMAP_RESP_NO &&
	       (slice_ieq(ev->code, SLICE("NONEXISTENT")) ||
	        slice_ieq(ev->code, SLICE("TRYCREATE")) ||
	        (ev->code.n == 0 && imap_leg_server(f->leg)->kind == SERVER_FOREIGN));
}

static void
ask_verdict(struct imap_session *s, struct imap_flight *f, const struct imap_resp_event *ev)
{
	f->reply = slice_dup(slice_trim(slice_skip(ev->bytes, ev->tag.n)));
	f->verdict_id =
		lookup_find_after_barrier(s->proxy->c.lookup, slice_of(f->name), on_verdict, f);
}

/* ---- responses ---- */

static void
tell_answer(struct imap_session *s, const struct imap_flight *f, const struct imap_resp_event *ev)
{
	if (f->quiet)
		return;
	if (f->instead != NULL)
		imap_session_say(s, "%s %s", f->tag, f->instead);
	else if (slice_ieq(ev->code, SLICE("CAPABILITY")))
		imap_session_say(s, "%s %s %.*s", f->tag, status_text[ev->status],
		                 SLICE_ARG(ev->text));
	else
		pass(s, ev->bytes);
}

static bool
on_tagged(struct imap_session *s, struct imap_leg *leg, const struct imap_resp_event *ev)
{
	struct imap_flight *f = flight_find(s, leg, ev->tag);

	if (f == NULL || ev->status > IMAP_RESP_BAD)
		return false;
	note_done(s, f, ev);
	if (f == s->stream_flight)
		stream_answered(s);
	if (needs_verdict(f, ev)) {
		ask_verdict(s, f, ev);
	} else {
		tell_answer(s, f, ev);
		flight_free(s, f);
	}
	imap_forward_arm(s, leg);
	return true;
}

/* What a store says of a mailbox only counts where that is selected, or will be. */
static bool
is_selected(struct imap_session *s, const struct imap_leg *leg)
{
	return s->selected == leg || has_flights(s, leg, ROW_SELECT);
}

/* A store sends away whose mailbox is gone, or who may not read it any more: with it the session
 * ends, and the client hears why. Any other store is just lost. */
static bool
on_bye(struct imap_session *s, struct imap_leg *leg, const struct imap_resp_event *ev)
{
	struct slice text = slice_trim(slice_skip(ev->bytes, strlen("* BYE")));
	const char *copy = arena_slice_str(s->head.arena, text);

	log_info(&s->log, "imap.store_bye store=%s text=%s", imap_leg_server(leg)->name,
	         log_esc_slice(ev->text));
	if (s->selected != leg)
		return false;
	imap_reach_drop(s, leg, false);
	imap_session_bye(s, copy, "the store of the selected mailbox says BYE");
	return true;
}

static bool
on_untagged(struct imap_session *s, struct imap_leg *leg, const struct imap_resp_event *ev)
{
	if (ev->status == IMAP_RESP_BYE)
		return on_bye(s, leg, ev);
	if (ev->status == IMAP_RESP_PREAUTH)
		return false;
	/* the store's capabilities are not ours; and a store that nothing is wanted from has
	 * nothing to say */
	if (slice_ieq(ev->code, SLICE("CAPABILITY")) ||
	    (!is_selected(s, leg) && !has_flights(s, leg, 0)))
		return true;
	pass(s, ev->bytes);
	return true;
}

static bool
on_continue(struct imap_session *s, struct imap_leg *leg, const struct imap_resp_event *ev)
{
	if (s->stream == leg && s->go != GO_NONE) {
		if (s->go == GO_PASS)
			pass(s, ev->bytes);
		s->go = GO_NONE;
		return true;
	}
	if (s->idle == IDLE_ASKED && s->idle_flight->leg == leg) {
		s->idle = IDLE_ON;
		imap_cmd_expect_line(&s->cmd);
		pass(s, ev->bytes);
		imap_forward_arm(s, leg);
		return true;
	}
	return false;
}

/* What may be said of the selected mailbox; of others, and of names; and of a command only.
 * Everything else of a store stays there: CAPABILITY, ID and, for stores of ours, NAMESPACE
 * are answered here. */
static bool
is_for_client(struct imap_session *s, const struct imap_leg *leg, struct slice name)
{
	static const struct {
		const char *name;
		bool of_selected;
		unsigned flags; /* only for a command with them */
	} names[] = {
		{ "EXISTS", true },  { "RECENT", true }, { "EXPUNGE", true },
		{ "FETCH", true },   { "FLAGS", true },  { "SEARCH", true },
		{ "ESEARCH", true }, { "SORT", true },   { "THREAD", true },
		{ "STATUS" },        { "LIST" },         { "LSUB" },
		{ "ACL" },           { "LISTRIGHTS" },   { "MYRIGHTS" },
		{ "QUOTA" },         { "QUOTAROOT" },    { "ENABLED", false, ROW_ENABLE },
	};

	if (imap_leg_server(leg)->kind == SERVER_FOREIGN && slice_eq(name, SLICE("NAMESPACE")))
		return has_flights(s, leg, 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (!slice_eq_str(name, names[i].name))
			continue;
		if (names[i].flags != 0 && !has_flights(s, leg, names[i].flags))
			return false;
		return is_selected(s, leg) || (!names[i].of_selected && has_flights(s, leg, 0));
	}
	return false;
}

bool
imap_forward_response(struct imap_session *s, struct imap_leg *leg,
                      const struct imap_resp_event *ev)
{
	enum imap_take take = TAKE_PASS;

	if (owes(s, leg))
		imap_forward_arm(s, leg);
	if (s->job != NULL && ev->type == IMAP_RESP_DATA)
		imap_leg_notes(leg)->drop = true; /* until it is known to be for the client */
	if (s->job != NULL)
		take = s->job->response(s, leg, ev);
	if (take == TAKE_WRONG)
		return false;
	if (take == TAKE_TAKEN)
		return true;
	switch (ev->type) {
	case IMAP_RESP_STATUS:
		return slice_eq(ev->tag, SLICE("*")) ? on_untagged(s, leg, ev)
		                                     : on_tagged(s, leg, ev);
	case IMAP_RESP_CONTINUE:
		return on_continue(s, leg, ev);
	case IMAP_RESP_DATA:
		imap_leg_notes(leg)->drop = !is_for_client(s, leg, ev->name);
		/* fall through */
	case IMAP_RESP_MORE:
		if (!imap_leg_notes(leg)->drop)
			pass(s, ev->bytes);
		return true;
	}
	must_not_reach();
}

/* ---- a store is gone ------------------------------------------------------------------------------------------ */

static void
lose_stream(struct imap_session *s)
{
	bool answered = s->stream_flight == NULL;
	bool waits = s->go == GO_PASS;

	/* A client that waits for the continuation gets NO instead, at once; the others when
	 * they have sent all. */
	if (imap_cmd_discard(&s->cmd, !waits)) {
		if (!answered)
			imap_session_reply(s, REPLY_LOST);
	} else {
		s->after_discard = answered ? NULL : REPLY_LOST;
	}
	if (!answered)
		flight_free(s, s->stream_flight);
	end_stream(s);
}

static void
lose_flights(struct imap_session *s, struct imap_leg *leg)
{
	struct imap_flight *f;

	LIST_EACH (f, &s->flights, struct imap_flight, link) {
		if (f->leg != leg || f == s->stream_flight)
			continue;
		if (!f->quiet)
			imap_session_say(s, "%s %s", f->tag,
			                 f->instead != NULL ? f->instead : REPLY_LOST);
		flight_free(s, f);
	}
	if (s->stream == leg)
		lose_stream(s);
}

void
imap_forward_lost(struct imap_session *s, struct imap_leg *leg, const char *why)
{
	bool busy = has_flights(s, leg, 0), home = leg == s->home;
	bool idling = s->idle_flight != NULL && s->idle_flight->leg == leg;

	metrics_add(&imap_metrics[IMAP_M_STORE_LOST], 1);
	log_warning(&s->log, "imap.store_lost store=%s busy=%d selected=%d why=%s",
	            imap_leg_server(leg)->name, busy, s->selected == leg, log_esc(why));
	if (imap_leg_is_talking(leg) && !imap_leg_notes(leg)->drop) {
		/* whatever we said would be taken for the rest of the response */
		imap_session_end(s, "the store broke off in a response");
		return;
	}
	if (s->selected == leg || idling) {
		imap_reach_drop(s, leg, false);
		imap_session_bye(s, "[UNAVAILABLE] The store went away, connect again",
		                 "the store is gone");
		return;
	}
	if (busy)
		imap_session_say(s, home ? "* NO The store of your mail went away"
		                         : "* NO The store of a mailbox went away");
	lose_flights(s, leg);
	imap_reach_drop(s, leg, false);
	if (s->job != NULL)
		s->job->lost(s, leg, REPLY_LOST);
	imap_session_release_held(s);
	imap_session_wake(s);
}

void
imap_forward_deadline(struct imap_session *s, struct imap_leg *leg)
{
	/* it is the client who does not read, or does not send */
	if (owes(s, leg) && (imap_leg_is_paused(leg) || (s->stream == leg && s->go == GO_NONE)))
		imap_forward_arm(s, leg);
	else if (owes(s, leg))
		imap_forward_lost(s, leg, "the store does not answer in time");
	else if (s->job != NULL || imap_forward_has_flights(s, leg))
		imap_forward_arm(s, leg); /* there is more to come for it */
	else if (leg != s->home && leg != s->selected)
		imap_reach_drop(s, leg, true);
}
