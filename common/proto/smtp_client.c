/*
 * smtp_client - replies are matched with the commands that await them, in order.
 * RFC 5321 section 4.3.
 *
 * A peer that says something else, or something nobody asked for, is out of step: no later
 * reply of it can be believed, and the connection ends.
 */
#include "proto/smtp_client.h"

#include <stdlib.h>

#include "base/num.h"
#include "base/text.h"
#include "base/xalloc.h"
#include "proto/dotbuf.h"

#define COMMAND_MAX 512 /* RFC 5321 section 4.5.3.1.4, with CRLF */

#define CLIENT_STATES(X)                                                                           \
	X(GREETING, "greeting")                                                                    \
	X(EHLO, "ehlo")                                                                            \
	X(HELO, "helo")                                                                            \
	X(STARTTLS, "starttls")                                                                    \
	X(WAIT_TLS, "starttls")                                                                    \
	X(XCLIENT, "xclient")                                                                      \
	X(AUTH, "auth")                                                                            \
	X(AUTH_LATER, "auth")  /* the response follows when the peer says so */                    \
	X(AUTH_USER, "auth")   /* LOGIN asks for the name */                                       \
	X(AUTH_SECRET, "auth") /* ... and for the password */                                      \
	X(READY, "ready")                                                                          \
	X(ENVELOPE, "rcpt")                                                                        \
	X(BODY, "body")                                                                            \
	X(FINAL, "final")                                                                          \
	X(QUIT, "quit")                                                                            \
	X(DEAD, "dead")
enum state {
#define X(name, text) STATE_##name,
	CLIENT_STATES(X)
#undef X
		STATE_COUNT
};

/* A command of a transaction that awaits its reply. */
struct cmd {
	enum smtp_client_what what;
	size_t number;
	size_t held; /* bytes of it in c->held: not sent yet */
	bool quiet;  /* our own RSET */
};

struct smtp_client {
	const struct smtp_client_settings *settings;
	enum state state;
	bool lmtp, tls, logged_in, xclient_said;
	bool last_words; /* 421: nothing comes any more */
	bool announce;   /* READY is due */
	struct smtp_offer offer;
	struct smtp_reply_reader reader; /* the reply being read, or the last one */
	struct smtp_reply failure;

	struct cmd *cmds; /* in order; the first is answered next */
	size_t cmd_first, cmd_count, cmd_cap;
	struct buf held; /* without PIPELINING: commands that wait for their turn */
	size_t rcpt_count;
	size_t *accepted; /* numbers of the accepted RCPTs */
	size_t accepted_count, accepted_cap;
	size_t next_final;
	bool finals_known; /* SMTP: the one reply is here */
	struct dotbuf_encoder encoder;
};

struct smtp_client *
smtp_client_new(const struct smtp_client_settings *settings, bool tls)
{
	struct smtp_client *c = xcalloc(1, sizeof(*c));

	c->settings = settings;
	c->lmtp = settings->lmtp;
	c->tls = tls;
	buf_init(&c->held, SIZE_MAX);
	return c;
}

void
smtp_client_free(struct smtp_client **cp)
{
	struct smtp_client *c = *cp;

	*cp = NULL;
	if (c == NULL)
		return;
	buf_fini(&c->held);
	free(c->cmds);
	free(c->accepted);
	free(c);
}

const struct smtp_reply *
smtp_client_get_failure(const struct smtp_client *c)
{
	return &c->failure;
}

const struct smtp_offer *
smtp_client_get_offer(const struct smtp_client *c)
{
	return &c->offer;
}

bool
smtp_client_is_tls(const struct smtp_client *c)
{
	return c->tls;
}

bool
smtp_client_is_idle(const struct smtp_client *c)
{
	return c->state == STATE_READY && !c->announce && !c->last_words;
}

size_t
smtp_client_pending(const struct smtp_client *c)
{
	switch (c->state) {
	case STATE_READY:
	case STATE_BODY:
	case STATE_WAIT_TLS:
	case STATE_DEAD:
		return 0;
	case STATE_ENVELOPE:
		return c->cmd_count - c->cmd_first;
	case STATE_FINAL:
		return c->lmtp ? c->accepted_count - c->next_final : 1;
	default:
		return 1;
	}
}

const char *
smtp_client_state_name(const struct smtp_client *c)
{
	static const char *const names[] = {
#define X(name, text) text,
		CLIENT_STATES(X)
#undef X
	};

	return names[c->state];
}

/* ---- the end ------------------------------------------------------------------------------ */

/* It is of no use any more, because of what the peer said. */
static int
fail_reply(struct smtp_client *c)
{
	c->failure = c->reader.reply;
	c->state = STATE_DEAD;
	return -1;
}

static int
fail_text(struct smtp_client *c, const char *text)
{
	smtp_reply_set(&c->failure, 0, "", text);
	c->state = STATE_DEAD;
	return -1;
}

/* ---- reading replies ------------------------------------------------------------------ */

/* RFC 5321 section 4.1.1.1: a keyword and its parameters. */
static void
add_offer(struct smtp_offer *o, struct slice line)
{
	struct slice key = slice_cut(&line, ' ');
	const struct {
		const char *key, *param; /* param NULL: none is asked for */
		bool *flag;
	} known[] = {
		{ "PIPELINING", NULL, &o->pipelining },
		{ "8BITMIME", NULL, &o->eightbitmime },
		{ "SMTPUTF8", NULL, &o->smtputf8 },
		{ "ENHANCEDSTATUSCODES", NULL, &o->enhanced },
		{ "STARTTLS", NULL, &o->starttls },
		{ "DSN", NULL, &o->dsn },
		{ "CHUNKING", NULL, &o->chunking },
		{ "XROOST", NULL, &o->xroost },
		{ "SIZE", NULL, &o->has_size },
		{ "AUTH", "PLAIN", &o->auth_plain },
		{ "AUTH", "LOGIN", &o->auth_login },
		{ "XCLIENT", "ADDR", &o->xclient_addr },
		{ "XCLIENT", "PORT", &o->xclient_port },
		{ "XCLIENT", "PROTO", &o->xclient_proto },
		{ "XCLIENT", "HELO", &o->xclient_helo },
		{ "XCLIENT", "LOGIN", &o->xclient_login },
		{ "XCLIENT", "SESSION", &o->xclient_session },
	};

	if (slice_ieq_str(key, "SIZE") && !num_parse_u64(slice_trim(line), UINT64_MAX, &o->size))
		o->size = 0;
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		struct slice rest = line;

		if (!slice_ieq_str(key, known[i].key))
			continue;
		if (known[i].param == NULL)
			*known[i].flag = true;
		while (known[i].param != NULL && rest.n > 0)
			if (slice_ieq_str(slice_cut(&rest, ' '), known[i].param))
				*known[i].flag = true;
	}
}

/* Into c->reader. The first line of an answer to EHLO is the peer's name. */
static int
read_reply(struct smtp_client *c, struct slice in, size_t *used)
{
	struct slice text;
	int r;

	do {
		bool first = c->reader.lines == 0;

		r = smtp_reply_read_line(&c->reader, slice_skip(in, *used), used, &text);
		if (r > 0 && !first && c->state == STATE_EHLO && c->reader.reply.code == 250)
			add_offer(&c->offer, text);
	} while (r == 2);
	return r == -1 ? fail_text(c, c->reader.bad) : r;
}

/* ---- up to the login ------------------------------------------------------------------------ */

static void
send_ehlo(struct smtp_client *c, struct buf *out)
{
	memset(&c->offer, 0, sizeof(c->offer));
	buf_printf(out, "%s %s\r\n", c->lmtp ? "LHLO" : "EHLO", c->settings->hostname);
	c->state = STATE_EHLO;
}

static void
add_xtext(struct buf *out, const char *key, const char *value)
{
	buf_printf(out, " %s=", key);
	smtp_xtext_add(out, slice_of(value));
}

/* False: there is nothing the peer wants to hear. */
static bool
send_xclient(struct smtp_client *c, struct buf *out)
{
	const struct smtp_client_settings *set = c->settings;
	const struct smtp_offer *o = &c->offer;
	struct buf line = BUF_INIT(SIZE_MAX);
	bool any;

	if (o->xclient_addr && set->xclient_addr != NULL)
		buf_printf(&line, " ADDR=%s%s",
		           strchr(set->xclient_addr, ':') != NULL ? "IPV6:" : "",
		           set->xclient_addr);
	if (o->xclient_port && set->xclient_port != 0)
		buf_printf(&line, " PORT=%u", set->xclient_port);
	if (o->xclient_helo && set->xclient_helo != NULL)
		add_xtext(&line, "HELO", set->xclient_helo);
	if (o->xclient_login && set->xclient_login != NULL)
		add_xtext(&line, "LOGIN", set->xclient_login);
	if (o->xclient_session && set->xclient_session != NULL)
		add_xtext(&line, "SESSION", set->xclient_session);
	any = line.len > 0;
	if (any)
		buf_printf(out, "XCLIENT%.*s\r\n", SLICE_ARG(buf_slice(&line)));
	buf_fini(&line);
	return any;
}

static void
add_plain(struct smtp_client *c, struct buf *out)
{
	const struct smtp_client_settings *set = c->settings;
	const char *authzid = set->authzid != NULL ? set->authzid : "";
	struct buf plain = BUF_INIT(SIZE_MAX);

	buf_add(&plain, authzid, strlen(authzid) + 1);
	buf_add(&plain, set->authcid, strlen(set->authcid) + 1);
	buf_add_str(&plain, set->secret);
	text_base64_add(out, buf_slice(&plain));
	buf_wipe(&plain);
}

/* RFC 4954 section 4: the initial response only where it fits the line. */
static int
send_auth(struct smtp_client *c, struct buf *out)
{
	static const char verb[] = "AUTH PLAIN ";
	struct buf line = BUF_INIT(SIZE_MAX);

	if (!c->tls && !c->settings->plaintext_ok)
		return fail_text(c, "no login without TLS");
	if (!c->offer.auth_plain && c->offer.auth_login && c->settings->authzid == NULL) {
		buf_add_str(out, "AUTH LOGIN\r\n");
		c->state = STATE_AUTH_USER;
		return 0;
	}
	if (!c->offer.auth_plain)
		return fail_text(c, "the peer does not offer AUTH PLAIN");
	add_plain(c, &line);
	if (strlen(verb) + line.len + 2 <= COMMAND_MAX) {
		buf_add_str(out, verb);
		buf_add_slice(out, buf_slice(&line));
		buf_add_str(out, "\r\n");
		c->state = STATE_AUTH;
	} else {
		buf_add_str(out, "AUTH PLAIN\r\n");
		c->state = STATE_AUTH_LATER;
	}
	buf_wipe(&line);
	return 0;
}

/* Behind EHLO: what is left to be done, in the order in which one step undoes none of
 * those before it (TLS and XCLIENT begin the session anew). */
static int
next_step(struct smtp_client *c, struct buf *out, bool tls_refused)
{
	const struct smtp_client_settings *set = c->settings;

	if (set->tls_mode != SMTP_TLS_NONE && !c->tls) {
		if (c->offer.starttls && !tls_refused) {
			buf_add_str(out, "STARTTLS\r\n");
			c->state = STATE_STARTTLS;
			return 0;
		}
		if (set->tls_mode == SMTP_TLS_REQUIRED)
			return tls_refused ? fail_reply(c)
			                   : fail_text(c, "the peer does not offer STARTTLS");
	}
	if (!c->xclient_said) {
		c->xclient_said = true;
		if (send_xclient(c, out)) {
			c->state = STATE_XCLIENT;
			return 0;
		}
	}
	if (set->authcid != NULL && !c->logged_in)
		return send_auth(c, out);
	c->state = STATE_READY;
	c->announce = true;
	return 0;
}

static int
on_ehlo(struct smtp_client *c, struct buf *out)
{
	if (smtp_reply_is_good(&c->reader.reply))
		return next_step(c, out, false);
	/* RFC 5321 section 3.2: servers of old. */
	if (c->lmtp || c->state == STATE_HELO || c->reader.reply.code / 100 != 5)
		return fail_reply(c);
	buf_printf(out, "HELO %s\r\n", c->settings->hostname);
	c->state = STATE_HELO;
	return 0;
}

static int
on_starttls(struct smtp_client *c, bool more, struct buf *out, struct smtp_client_event *ev)
{
	if (c->reader.reply.code != 220)
		return next_step(c, out, true);
	/* What came in clear behind it must not pass for something said in TLS. */
	if (more)
		return fail_text(c, "the peer talked on behind STARTTLS");
	c->state = STATE_WAIT_TLS;
	ev->kind = SMTP_CLIENT_TLS;
	return 1;
}

/* What LOGIN asks for is known by the order; the words differ from server to server. */
static void
answer_challenge(struct smtp_client *c, struct buf *out)
{
	enum state next = STATE_AUTH;

	if (c->state == STATE_AUTH_LATER) {
		add_plain(c, out);
	} else if (c->state == STATE_AUTH_USER) {
		text_base64_add(out, slice_of(c->settings->authcid));
		next = STATE_AUTH_SECRET;
	} else {
		text_base64_add(out, slice_of(c->settings->secret));
	}
	buf_add_str(out, "\r\n");
	c->state = next;
}

static int
on_auth(struct smtp_client *c, struct buf *out)
{
	if (c->state != STATE_AUTH && c->reader.reply.code == 334) {
		answer_challenge(c, out);
		return 0;
	}
	if (c->reader.reply.code != 235)
		return fail_reply(c);
	c->logged_in = true;
	return next_step(c, out, false);
}

void
smtp_client_tls_done(struct smtp_client *c, struct buf *out)
{
	must(c->state == STATE_WAIT_TLS);
	c->tls = true;
	send_ehlo(c, out);
}

/* ---- a transaction ---------------------------------------------------------------------------- */

/* line goes out now, or when those before it are answered. */
static void
say(struct smtp_client *c, struct cmd cmd, struct slice line, struct buf *out)
{
	bool wait = !c->offer.pipelining && c->cmd_first < c->cmd_count;

	if (c->cmd_count == c->cmd_cap) {
		c->cmd_cap = c->cmd_cap == 0 ? 8 : 2 * c->cmd_cap;
		c->cmds = xrealloc(c->cmds, c->cmd_cap * sizeof(*c->cmds));
	}
	cmd.held = wait ? line.n : 0;
	c->cmds[c->cmd_count++] = cmd;
	buf_add_slice(wait ? &c->held : out, line);
}

static struct cmd
take_cmd(struct smtp_client *c, struct buf *out)
{
	struct cmd cmd = c->cmds[c->cmd_first++];

	if (c->cmd_first < c->cmd_count && c->cmds[c->cmd_first].held > 0) {
		size_t n = c->cmds[c->cmd_first].held;

		buf_add_slice(out, slice_sub(buf_slice(&c->held), 0, n));
		buf_consume(&c->held, n);
	}
	return cmd;
}

static void
end_transaction(struct smtp_client *c)
{
	c->cmd_first = c->cmd_count = c->rcpt_count = c->accepted_count = c->next_final = 0;
	c->finals_known = false;
	c->state = STATE_READY;
	c->announce = true;
}

static void
note_accepted(struct smtp_client *c, size_t number)
{
	if (c->accepted_count == c->accepted_cap) {
		c->accepted_cap = c->accepted_cap == 0 ? 8 : 2 * c->accepted_cap;
		c->accepted = xrealloc(c->accepted, c->accepted_cap * sizeof(*c->accepted));
	}
	c->accepted[c->accepted_count++] = number;
}

static int
on_data(struct smtp_client *c, struct buf *out, struct smtp_client_event *ev)
{
	if (c->reader.reply.code == 354) {
		if (c->accepted_count == 0)
			return fail_text(c, "the peer wants a message for nobody");
		dotbuf_encoder_init(&c->encoder);
		c->state = STATE_BODY;
		ev->kind = SMTP_CLIENT_GO_AHEAD;
		return 1;
	}
	if (c->reader.reply.code < 400)
		return fail_text(c, "the peer takes DATA for something else");
	say(c, (struct cmd){ .what = SMTP_CLIENT_RSET, .quiet = true }, SLICE("RSET\r\n"), out);
	return 1;
}

static int
on_envelope(struct smtp_client *c, struct buf *out, struct smtp_client_event *ev)
{
	struct cmd cmd;

	if (c->cmd_first == c->cmd_count)
		return c->reader.reply.code == 421
		               ? fail_reply(c)
		               : fail_text(c, "the peer says what nobody asked for");
	cmd = take_cmd(c, out);
	ev->kind = SMTP_CLIENT_REPLY;
	ev->what = cmd.what;
	ev->number = cmd.number;
	if (cmd.what == SMTP_CLIENT_DATA)
		return on_data(c, out, ev);
	if (c->reader.reply.code / 100 == 3)
		return fail_text(c, "the peer is out of step");
	if (cmd.what == SMTP_CLIENT_RCPT && smtp_reply_is_good(&c->reader.reply))
		note_accepted(c, cmd.number);
	if (cmd.what != SMTP_CLIENT_RSET)
		return 1;
	if (!smtp_reply_is_good(&c->reader.reply))
		return fail_reply(c);
	end_transaction(c);
	return cmd.quiet ? 0 : 1;
}

/* The next recipient's: in LMTP each has a reply of its own (RFC 2033 section 4.2). */
static int
give_final(struct smtp_client *c, struct smtp_client_event *ev)
{
	ev->kind = SMTP_CLIENT_FINAL;
	ev->number = c->accepted[c->next_final++];
	if (c->next_final == c->accepted_count)
		end_transaction(c);
	else
		c->finals_known = !c->lmtp;
	return 1;
}

/* A reply is whole. 0: nothing to tell. */
static int
on_reply(struct smtp_client *c, bool more, struct buf *out, struct smtp_client_event *ev)
{
	switch (c->state) {
	case STATE_GREETING:
		if (c->reader.reply.code != 220)
			return fail_reply(c);
		send_ehlo(c, out);
		return 0;
	case STATE_EHLO:
	case STATE_HELO:
		return on_ehlo(c, out);
	case STATE_STARTTLS:
		return on_starttls(c, more, out, ev);
	case STATE_XCLIENT:
		if (!smtp_reply_is_good(&c->reader.reply))
			return next_step(c, out, true); /* it does not believe us: so be it */
		send_ehlo(c, out);
		return 0;
	case STATE_AUTH:
	case STATE_AUTH_LATER:
	case STATE_AUTH_USER:
	case STATE_AUTH_SECRET:
		return on_auth(c, out);
	case STATE_ENVELOPE:
		return on_envelope(c, out, ev);
	case STATE_FINAL:
		return give_final(c, ev);
	case STATE_QUIT:
		c->failure = c->reader.reply;
		c->state = STATE_DEAD;
		ev->kind = SMTP_CLIENT_QUIT;
		return 1;
	case STATE_BODY: /* it will not have the rest */
	case STATE_READY:
		if (c->reader.reply.code >= 400)
			return fail_reply(c);
		return fail_text(c, "the peer says what nobody asked for");
	default:
		return fail_text(c, "the peer does not wait for TLS");
	}
}

int
smtp_client_input(struct smtp_client *c, struct slice in, size_t *used_r, struct buf *out,
                  struct smtp_client_event *ev_r)
{
	int r = 0;

	*used_r = 0;
	memset(ev_r, 0, sizeof(*ev_r));
	ev_r->reply = &c->reader.reply;
	if (c->state == STATE_DEAD)
		return -1;
	if (c->finals_known)
		return give_final(c, ev_r);
	if (c->last_words)
		return fail_reply(c);
	while (r == 0 && !c->announce) {
		if (c->state == STATE_WAIT_TLS)
			return 0;
		r = read_reply(c, in, used_r);
		if (r != 1)
			return r;
		c->last_words = c->reader.reply.code == 421;
		r = on_reply(c, *used_r < in.n, out, ev_r);
		if (r == 0 && c->last_words)
			return fail_reply(c);
	}
	if (r == 0) {
		c->announce = false;
		ev_r->kind = SMTP_CLIENT_READY;
		return 1;
	}
	return r;
}

/* ---- what the caller says -------------------------------------------------------------------- */

static void
add_mail_params(const struct smtp_offer *o, const struct smtp_mail *m, struct buf *line)
{
	if (o->has_size && m->size != 0)
		buf_printf(line, " SIZE=%llu", (unsigned long long)m->size);
	if (o->eightbitmime && m->body == SMTP_BODY_8BIT)
		buf_add_str(line, " BODY=8BITMIME");
	if (o->smtputf8 && m->smtputf8)
		buf_add_str(line, " SMTPUTF8");
	if (o->dsn && m->ret != SMTP_RET_NONE)
		buf_add_str(line, m->ret == SMTP_RET_FULL ? " RET=FULL" : " RET=HDRS");
	if (o->dsn && m->envid.p != NULL) {
		buf_add_str(line, " ENVID=");
		smtp_xtext_add(line, m->envid);
	}
	if (o->xroost && m->has_key) {
		buf_add_str(line, " XKEY=");
		text_hex_add(line, slice_make(m->key, SMTP_KEY_LEN));
	}
	if (o->xroost && m->session.p != NULL)
		buf_printf(line, " XSESSION=%.*s", SLICE_ARG(m->session));
	if (o->xroost && m->addr.p != NULL)
		buf_printf(line, " XADDR=%.*s", SLICE_ARG(m->addr));
}

static void
add_notify(unsigned notify, struct buf *line)
{
	static const char *const names[] = { "NEVER", "SUCCESS", "FAILURE", "DELAY" };
	char sep = '=';

	buf_add_str(line, " NOTIFY");
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if ((notify & 1u << i) == 0)
			continue;
		buf_printf(line, "%c%s", sep, names[i]);
		sep = ',';
	}
}

static void
add_rcpt_params(const struct smtp_offer *o, const struct smtp_rcpt *r, struct buf *line)
{
	if (o->dsn && r->notify != 0)
		add_notify(r->notify, line);
	if (o->dsn && r->orcpt.p != NULL) {
		buf_printf(line, " ORCPT=%.*s;", SLICE_ARG(r->orcpt_type));
		smtp_xtext_add(line, r->orcpt);
	}
	if (!o->xroost)
		return;
	if (r->user.p != NULL) {
		buf_add_str(line, " XUSER=");
		smtp_xtext_add(line, r->user);
	}
	if (r->detail.p != NULL) {
		buf_add_str(line, " XDETAIL=");
		smtp_xtext_add(line, r->detail);
	}
	if (r->claim != 0)
		buf_printf(line, " XCLAIM=%llu", (unsigned long long)r->claim);
}

void
smtp_client_mail(struct smtp_client *c, const struct smtp_mail *mail, struct buf *out)
{
	struct buf line = BUF_INIT(SIZE_MAX);
	char text[ADDRESS_TEXT_SIZE];

	if (c->state == STATE_DEAD)
		return;
	must(smtp_client_is_idle(c));
	buf_printf(&line, "MAIL FROM:<%s>", address_text(&mail->from, text));
	add_mail_params(&c->offer, mail, &line);
	buf_add_str(&line, "\r\n");
	c->state = STATE_ENVELOPE;
	say(c, (struct cmd){ .what = SMTP_CLIENT_MAIL }, buf_slice(&line), out);
	buf_fini(&line);
}

void
smtp_client_rcpt(struct smtp_client *c, const struct smtp_rcpt *rcpt, struct buf *out)
{
	struct buf line = BUF_INIT(SIZE_MAX);
	char text[ADDRESS_TEXT_SIZE];

	if (c->state == STATE_DEAD)
		return;
	must(c->state == STATE_ENVELOPE && c->rcpt_count < SMTP_CLIENT_RCPT_MAX);
	buf_printf(&line, "RCPT TO:<%s>", address_text(&rcpt->to, text));
	add_rcpt_params(&c->offer, rcpt, &line);
	buf_add_str(&line, "\r\n");
	say(c, (struct cmd){ .what = SMTP_CLIENT_RCPT, .number = c->rcpt_count++ },
	    buf_slice(&line), out);
	buf_fini(&line);
}

void
smtp_client_data(struct smtp_client *c, struct buf *out)
{
	if (c->state == STATE_DEAD)
		return;
	must(c->state == STATE_ENVELOPE);
	say(c, (struct cmd){ .what = SMTP_CLIENT_DATA }, SLICE("DATA\r\n"), out);
}

void
smtp_client_rset(struct smtp_client *c, struct buf *out)
{
	if (c->state == STATE_DEAD)
		return;
	must(c->state == STATE_ENVELOPE);
	say(c, (struct cmd){ .what = SMTP_CLIENT_RSET }, SLICE("RSET\r\n"), out);
}

void
smtp_client_body(struct smtp_client *c, struct slice piece, struct buf *out)
{
	if (c->state == STATE_DEAD)
		return;
	must(c->state == STATE_BODY);
	dotbuf_encode(&c->encoder, piece, out);
}

void
smtp_client_body_end(struct smtp_client *c, struct buf *out)
{
	if (c->state == STATE_DEAD)
		return;
	must(c->state == STATE_BODY);
	dotbuf_encode_end(&c->encoder, out);
	c->state = STATE_FINAL;
}

void
smtp_client_quit(struct smtp_client *c, struct buf *out)
{
	if (c->state == STATE_DEAD)
		return;
	must(smtp_client_is_idle(c));
	buf_add_str(out, "QUIT\r\n");
	c->state = STATE_QUIT;
}
