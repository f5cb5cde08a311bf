/*
 * smtp_server - lines, answers and their order.
 *
 * Replies go out in the order of the commands (RFC 2920 section 3.2). Only RCPTs are under
 * way together; each has a slot that keeps its reply until those before it are out. Every
 * other command is not looked at before all slots are answered, so its reply can be
 * written at once.
 */
#include "proto/smtp_server.h"

#include <stdlib.h>

#include "base/text.h"
#include "base/xalloc.h"
#include "proto/sasl_line.h"
#include "proto/smtp_server_impl.h"

static const struct {
	const char *text;
	bool waits;
} states[] = {
#define X(name, text, waits) { text, waits },
	SMTP_STATES(X)
#undef X
};
STATIC_ASSERT(ARRAY_LEN(states) == SMTP_STATE_COUNT);

void
smtp_server_enter(struct smtp_server *s, enum smtp_state next)
{
	must(s->state != SMTP_STATE_OVER);
	s->state = next;
}

struct smtp_server *
smtp_server_new(const struct smtp_server_settings *settings, bool tls)
{
	struct smtp_server *s = xcalloc(1, sizeof(*s));

	must(settings->rcpt_parallel > 0);
	s->settings = settings;
	s->tls = tls;
	s->greeting = "";
	buf_init(&s->decoded, SASL_LINE_MAX);
	buf_init(&s->mech, 32);
	buf_init(&s->piece, SIZE_MAX);
	return s;
}

void
smtp_server_free(struct smtp_server **sp)
{
	struct smtp_server *s = *sp;

	*sp = NULL;
	if (s == NULL)
		return;
	smtp_server_end_transaction(s);
	arena_free(&s->arena);
	buf_wipe(&s->decoded);
	buf_fini(&s->mech);
	buf_fini(&s->piece);
	free(s->helo);
	free(s);
}

struct arena *
smtp_server_arena(struct smtp_server *s)
{
	if (s->arena == NULL)
		s->arena = arena_new("smtp.cmd");
	return s->arena;
}

/* ---- what is known ----------------------------------------------------------------------- */

bool
smtp_server_is_over(const struct smtp_server *s)
{
	return s->state == SMTP_STATE_OVER;
}

bool
smtp_server_is_waiting(const struct smtp_server *s)
{
	return states[s->state].waits || s->blocked;
}

bool
smtp_server_is_tls(const struct smtp_server *s)
{
	return s->tls;
}

bool
smtp_server_is_logged_in(const struct smtp_server *s)
{
	return s->logged_in;
}

bool
smtp_server_in_transaction(const struct smtp_server *s)
{
	return s->state == SMTP_STATE_MAIL || s->state == SMTP_STATE_WAIT_DATA ||
	       s->state == SMTP_STATE_WAIT_FINAL || smtp_server_in_body(s);
}

bool
smtp_server_in_body(const struct smtp_server *s)
{
	return s->state == SMTP_STATE_BODY || s->state == SMTP_STATE_CHUNKS ||
	       (s->state == SMTP_STATE_CHUNK && !s->stray);
}

const char *
smtp_server_get_helo(const struct smtp_server *s)
{
	return s->helo != NULL ? s->helo : "";
}

size_t
smtp_server_accepted(const struct smtp_server *s)
{
	return s->accepted;
}

/* RFC 3848 for SMTP and LMTP; RFC 6531 section 4.3 for the UTF-8 ones. */
const char *
smtp_server_protocol(const struct smtp_server *s)
{
#define NAMES(name)                                                                                \
	{                                                                                          \
		name, name "A", name "S", name "SA"                                                \
	}
	static const char *const names[][4] = { NAMES("SMTP"), NAMES("ESMTP"), NAMES("UTF8SMTP"),
		                                NAMES("LMTP"), NAMES("LMTP"),  NAMES("UTF8LMTP") };
#undef NAMES
	int row = s->smtputf8 ? 2 : s->esmtp ? 1 : 0;

	return names[(s->settings->lmtp ? 3 : 0) + row][(s->tls ? 2 : 0) + s->logged_in];
}

const char *
smtp_server_state_name(const struct smtp_server *s)
{
	return states[s->state].text;
}

/* ---- writing ----------------------------------------------------------------------------- */

void
smtp_server_put(struct smtp_server *s, struct buf *out, int code, const char *enhanced,
                const char *text)
{
	smtp_reply_add(out, code, enhanced, text, s->smtputf8);
}

int
smtp_server_say_bye(struct smtp_server *s, struct buf *out, int code, const char *enhanced,
                    const char *text)
{
	smtp_server_put(s, out, code, enhanced, text);
	smtp_server_enter(s, SMTP_STATE_OVER);
	return -1;
}

void
smtp_server_bye(struct smtp_server *s, int code, const char *enhanced, const char *text,
                struct buf *out)
{
	if (s->state != SMTP_STATE_OVER)
		(void)smtp_server_say_bye(s, out, code, enhanced, text);
}

int
smtp_server_refuse(struct smtp_server *s, struct smtp_call *c, int code, const char *enhanced,
                   const char *text)
{
	if (++s->bad > SMTP_BAD_MAX)
		return smtp_server_say_bye(s, c->out, 421, "4.7.0", "Too many bad commands.");
	smtp_server_put(s, c->out, code, enhanced, text);
	return SMTP_GO_ON;
}

void
smtp_server_greet(struct smtp_server *s, const char *text, struct buf *out)
{
	s->greeting = text;
	buf_printf(out, "220 %s %s %s\r\n", s->settings->hostname,
	           s->settings->lmtp ? "LMTP" : "ESMTP", text);
}

/* ---- answers to recipients --------------------------------------------------------------- */

void
smtp_server_end_transaction(struct smtp_server *s)
{
	for (size_t i = 0; i < s->slot_count; i++)
		free(s->slots[i].line);
	free(s->slots);
	s->slots = NULL;
	s->slot_count = s->slot_cap = s->next_out = s->pending = s->accepted = 0;
	free(s->spoil);
	s->spoil = NULL;
	s->smtputf8 = s->held = s->chunked = s->last = false;
	buf_fini(&s->piece);
}

/* What has its turn goes out. In the second round only accepted ones get a reply. */
static void
flush_slots(struct smtp_server *s, struct buf *out)
{
	for (; s->next_out < s->slot_count; s->next_out++) {
		struct smtp_slot *slot = &s->slots[s->next_out];

		if (slot->line != NULL)
			buf_add_str(out, slot->line);
		else if (!slot->answered)
			return;
		free(slot->line);
		slot->line = NULL;
	}
}

/* The second round begins: RFC 2033 section 4.2. */
static void
await_finals(struct smtp_server *s)
{
	s->next_out = 0;
	s->pending = s->accepted;
	for (size_t i = 0; i < s->slot_count; i++)
		s->slots[i].answered = !s->slots[i].accepted;
}

static void
answer_slot(struct smtp_server *s, struct smtp_slot *slot, int code, const char *enhanced,
            const char *text)
{
	struct buf line = BUF_INIT(SIZE_MAX);

	must(!slot->answered);
	smtp_server_put(s, &line, code, enhanced, text);
	slot->line = buf_steal_cstr(&line);
	slot->answered = true;
	s->pending--;
}

/* The transaction is over, and was worth the session's while. */
static void
finish_transaction(struct smtp_server *s)
{
	smtp_server_end_transaction(s);
	s->bad = 0;
	smtp_server_enter(s, SMTP_STATE_READY);
}

void
smtp_server_reply_rcpt(struct smtp_server *s, size_t number, int code, const char *enhanced,
                       const char *text, struct buf *out)
{
	if (s->state == SMTP_STATE_OVER)
		return;
	must(number < s->slot_count);
	if (s->state == SMTP_STATE_WAIT_FINAL) {
		must(s->settings->lmtp);
	} else {
		must(s->state == SMTP_STATE_MAIL);
		s->slots[number].accepted = code / 100 == 2;
		s->accepted += s->slots[number].accepted;
	}
	answer_slot(s, &s->slots[number], code, enhanced, text);
	flush_slots(s, out);
	s->blocked = false;
	if (s->state == SMTP_STATE_WAIT_FINAL && s->pending == 0)
		finish_transaction(s);
}

static void
reply_final(struct smtp_server *s, int code, const char *enhanced, const char *text,
            struct buf *out)
{
	if (!s->settings->lmtp)
		smtp_server_put(s, out, code, enhanced, text);
	for (size_t i = 0; s->settings->lmtp && i < s->slot_count; i++)
		if (!s->slots[i].answered)
			answer_slot(s, &s->slots[i], code, enhanced, text);
	flush_slots(s, out);
	finish_transaction(s);
}

void
smtp_server_reply(struct smtp_server *s, int code, const char *enhanced, const char *text,
                  struct buf *out)
{
	switch (s->state) {
	case SMTP_STATE_OVER:
		return;
	case SMTP_STATE_WAIT_MAIL:
		smtp_server_put(s, out, code, enhanced, text);
		if (code / 100 == 2)
			s->idle = 0;
		else
			smtp_server_end_transaction(s);
		smtp_server_enter(s, code / 100 == 2 ? SMTP_STATE_MAIL : SMTP_STATE_READY);
		return;
	case SMTP_STATE_WAIT_DATA:
		must(code >= 400);
		if (s->chunked) {
			smtp_server_enter(s, SMTP_STATE_CHUNK);
			smtp_server_refuse_body(s, code, enhanced, text);
		} else {
			smtp_server_put(s, out, code, enhanced, text);
			smtp_server_enter(s, SMTP_STATE_MAIL);
		}
		return;
	default:
		must(s->state == SMTP_STATE_WAIT_FINAL);
		reply_final(s, code, enhanced, text, out);
	}
}

void
smtp_server_go_ahead(struct smtp_server *s, struct buf *out)
{
	if (s->state == SMTP_STATE_OVER)
		return;
	must(s->state == SMTP_STATE_WAIT_DATA);
	dotbuf_init(&s->d);
	if (!s->chunked)
		buf_add_str(out, "354 End with a dot on a line by itself.\r\n");
	smtp_server_enter(s, s->chunked ? SMTP_STATE_CHUNK : SMTP_STATE_BODY);
}

void
smtp_server_refuse_body(struct smtp_server *s, int code, const char *enhanced, const char *text)
{
	must(code >= 400);
	if (smtp_server_in_body(s) && s->spoil == NULL)
		smtp_server_spoil(s, code, enhanced, text);
}

void
smtp_server_spoil(struct smtp_server *s, int code, const char *enhanced, const char *text)
{
	must(s->spoil == NULL);
	s->spoil = xcalloc(1, sizeof(*s->spoil));
	smtp_reply_set(s->spoil, code, enhanced, text);
}

void
smtp_server_begin_final(struct smtp_server *s)
{
	await_finals(s);
	smtp_server_enter(s, SMTP_STATE_WAIT_FINAL);
}

/* ---- answers to logins -------------------------------------------------------------------- */

void
smtp_server_challenge(struct smtp_server *s, struct slice challenge, struct buf *out)
{
	must(s->state == SMTP_STATE_WAIT_SASL);
	buf_add_str(out, "334 ");
	text_base64_add(out, challenge);
	buf_add_str(out, "\r\n");
	smtp_server_enter(s, SMTP_STATE_SASL);
}

void
smtp_server_logged_in(struct smtp_server *s, struct buf *out)
{
	must(s->state == SMTP_STATE_WAIT_SASL);
	smtp_server_put(s, out, 235, "2.7.0", "Logged in.");
	buf_wipe(&s->decoded);
	s->logged_in = true;
	s->bad = 0;
	smtp_server_enter(s, SMTP_STATE_READY);
}

void
smtp_server_refused(struct smtp_server *s, enum smtp_auth_refusal why, struct buf *out)
{
	static const struct smtp_refusal replies[] = {
		[SMTP_AUTH_DENIED] = { 535, "5.7.8", "Wrong user name or password." },
		[SMTP_AUTH_INVALID] = { 501, "5.5.2", "The exchange was malformed." },
		[SMTP_AUTH_TEMP] = { 454, "4.7.0", "Please try again later." },
	};

	must(s->state == SMTP_STATE_WAIT_SASL);
	buf_wipe(&s->decoded);
	smtp_server_put(s, out, replies[why].code, replies[why].enhanced, replies[why].text);
	smtp_server_enter(s, SMTP_STATE_READY);
	if (++s->failed >= SMTP_FAILED_MAX)
		smtp_server_bye(s, 421, "4.7.0", "Too many failed logins.", out);
}

/* RFC 3207 section 4.2: the client says EHLO again. */
void
smtp_server_tls_done(struct smtp_server *s)
{
	must(s->state == SMTP_STATE_WAIT_TLS);
	s->tls = true;
	s->esmtp = s->logged_in = false;
	free(s->helo);
	s->helo = NULL;
	smtp_server_enter(s, SMTP_STATE_GREETED);
}

/* ---- lines ------------------------------------------------------------------------------- */

/* Initial responses make AUTH as long as what follows a challenge. */
static size_t
line_max(const struct smtp_server *s, struct slice rest)
{
	bool sasl = s->state == SMTP_STATE_SASL || slice_istarts(rest, SLICE("AUTH "));

	return sasl ? SASL_LINE_MAX : SMTP_LINE_MAX;
}

/* Up to the end of a line that is too long: RFC 5321 section 4.5.3.1.4. */
static int
skip_line(struct smtp_server *s, struct slice rest, size_t *used, struct smtp_call *c)
{
	size_t lf = slice_find(rest, '\n');
	bool cr = lf > 0 ? rest.p[lf - 1] == '\r' : s->skipped_cr;

	if (lf == rest.n) {
		s->skipped_cr = cr;
		*used += rest.n;
		return 0;
	}
	*used += lf + 1;
	s->skipping = false;
	if (!cr)
		return smtp_server_say_bye(s, c->out, 521, "5.5.2", "Lines end in CR LF.");
	if (s->state == SMTP_STATE_SASL)
		return smtp_server_cancel_sasl(s, c, 500, "5.5.6", "Line too long.");
	return smtp_server_refuse(s, c, 500, "5.5.2", "Line too long.");
}

/* May this line be looked at while answers to RCPT are awaited? */
static bool
must_wait(const struct smtp_server *s, struct slice rest)
{
	return s->pending > 0 &&
	       (s->pending >= s->settings->rcpt_parallel || !slice_istarts(rest, SLICE("RCPT ")));
}

static int
line_input(struct smtp_server *s, struct slice rest, size_t *used, struct smtp_call *c)
{
	size_t max = line_max(s, rest), lf = slice_find(slice_sub(rest, 0, max), '\n');
	struct slice line;
	int r;

	if (lf == rest.n && rest.n < max)
		return 0;
	if (must_wait(s, rest)) {
		s->blocked = true;
		return 0;
	}
	if (lf >= max) {
		s->skipping = true;
		s->skipped_cr = false;
		return SMTP_GO_ON;
	}
	if (lf == 0 || rest.p[lf - 1] != '\r')
		return smtp_server_say_bye(s, c->out, 521, "5.5.2", "Lines end in CR LF.");
	line = slice_sub(rest, 0, lf - 1);
	c->more = lf + 1 < rest.n;
	r = s->state == SMTP_STATE_SASL ? smtp_server_sasl_line(s, line, c)
	                                : smtp_server_command(s, line, c);
	if (r == SMTP_HOLD) {
		s->blocked = true;
		return 0;
	}
	*used += lf + 1 - s->held;
	return r;
}

int
smtp_server_input(struct smtp_server *s, struct slice in, size_t *used_r, struct buf *out,
                  struct smtp_event *ev_r)
{
	struct smtp_call c = { .out = out, .ev = ev_r };
	int r = SMTP_GO_ON;

	*used_r = 0;
	s->blocked = false;
	arena_free(&s->arena);
	while (r == SMTP_GO_ON) {
		struct slice rest = slice_skip(in, *used_r);

		memset(ev_r, 0, sizeof(*ev_r));
		if (s->state == SMTP_STATE_OVER)
			return -1;
		if (states[s->state].waits)
			return 0;
		if (s->state == SMTP_STATE_BODY)
			r = smtp_server_body_input(s, rest, used_r, &c);
		else if (s->state == SMTP_STATE_CHUNK)
			r = smtp_server_chunk_input(s, rest, used_r, &c);
		else if (s->skipping)
			r = skip_line(s, rest, used_r, &c);
		else
			r = line_input(s, rest, used_r, &c);
	}
	return r;
}
