/*
 * Commands: a row each (name, protocol, states, handler), so "may this be said now?" is
 * answered in one place.
 */
#include "proto/smtp_server_impl.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/num.h"
#include "base/text.h"
#include "base/xalloc.h"

static int
emit(struct smtp_call *c, enum smtp_event_kind kind)
{
	c->ev->kind = kind;
	return 1;
}

static int
say(struct smtp_server *s, struct smtp_call *c, int code, const char *enhanced, const char *text)
{
	smtp_server_put(s, c->out, code, enhanced, text);
	return SMTP_GO_ON;
}

static int
refuse(struct smtp_server *s, struct smtp_call *c, const struct smtp_refusal *r)
{
	return smtp_server_refuse(s, c, r->code, r->enhanced, r->text);
}

/* The next word of the arguments; p == NULL at their end. */
static struct slice
next_word(struct slice *args)
{
	while (args->n > 0 && *args->p == ' ')
		*args = slice_skip(*args, 1);
	if (args->n == 0)
		return (struct slice){ NULL, 0 };
	return slice_cut(args, ' ');
}

/* ---- EHLO -------------------------------------------------------------------------------- */

/* It ends up in headers and logs. What a name cannot have is shown as '?': clients call
 * themselves all sorts of things, and RFC 5321 section 4.1.4 forbids to turn them away. */
static bool
set_helo(struct smtp_server *s, struct slice name)
{
	name = slice_trim(name);
	if (name.n == 0 || name.n > SMTP_HELO_MAX)
		return false;
	free(s->helo);
	s->helo = slice_dup(name);
	for (char *p = s->helo; *p != '\0'; p++)
		if (!text_is_alpha(*p) && !text_is_digit(*p) && strchr("-._:[]", *p) == NULL)
			*p = '?';
	return true;
}

static bool
may_log_in(const struct smtp_server *s)
{
	return *s->settings->mechs != '\0' && (s->tls || s->settings->plaintext_ok);
}

static void
put_offer(struct smtp_server *s, struct buf *out)
{
	const struct smtp_server_settings *set = s->settings;

	buf_printf(out, "250-%s\r\n", set->hostname);
	buf_add_str(out, "250-PIPELINING\r\n");
	buf_printf(out, "250-SIZE %llu\r\n", (unsigned long long)set->size_max);
	if (set->tls_offered && !s->tls)
		buf_add_str(out, "250-STARTTLS\r\n");
	if (may_log_in(s))
		buf_printf(out, "250-AUTH %s\r\n", set->mechs);
	buf_add_str(out, "250-ENHANCEDSTATUSCODES\r\n");
	if (set->smtputf8)
		buf_add_str(out, "250-SMTPUTF8\r\n");
	if (set->dsn)
		buf_add_str(out, "250-DSN\r\n");
	if (set->chunking)
		buf_add_str(out, "250-CHUNKING\r\n");
	if (set->trusted)
		buf_add_str(out, "250-XCLIENT ADDR PORT PROTO HELO LOGIN NAME SESSION\r\n"
		                 "250-XROOST\r\n");
	buf_add_str(out, "250 8BITMIME\r\n");
}

static int
greet_back(struct smtp_server *s, struct smtp_call *c, bool esmtp)
{
	if (!set_helo(s, c->args))
		return smtp_server_refuse(s, c, 501, "5.5.4", "Say your name.");
	smtp_server_end_transaction(s);
	s->esmtp = esmtp;
	c->ev->more = c->more;
	smtp_server_enter(s, SMTP_STATE_READY);
	if (esmtp)
		put_offer(s, c->out);
	else
		buf_printf(c->out, "250 %s\r\n", s->settings->hostname);
	return emit(c, SMTP_HELO);
}

static int
cmd_helo(struct smtp_server *s, struct smtp_call *c)
{
	return greet_back(s, c, false);
}

static int
cmd_ehlo(struct smtp_server *s, struct smtp_call *c)
{
	return greet_back(s, c, true);
}

/* RFC 3207. A client that talks on in clear is under attack, or is one. */
static int
cmd_starttls(struct smtp_server *s, struct smtp_call *c)
{
	if (s->tls)
		return smtp_server_refuse(s, c, 503, "5.5.1", "TLS is active already.");
	if (!s->settings->tls_offered)
		return smtp_server_refuse(s, c, 502, "5.5.1", "TLS is not offered.");
	if (c->args.n > 0)
		return smtp_server_refuse(s, c, 501, "5.5.4", "STARTTLS takes no argument.");
	if (c->more)
		return smtp_server_say_bye(s, c->out, 554, "5.5.1",
		                           "There was text behind STARTTLS.");
	smtp_server_put(s, c->out, 220, "2.0.0", "Begin TLS now.");
	smtp_server_enter(s, SMTP_STATE_WAIT_TLS);
	return emit(c, SMTP_STARTTLS);
}

/* ---- AUTH: RFC 4954 ------------------------------------------------------------------------ */

/* Into s->decoded. The result is never p == NULL. */
static bool
decode(struct smtp_server *s, struct slice base64, struct slice *data_r)
{
	buf_clear(&s->decoded);
	if (!text_base64_decode(base64, &s->decoded))
		return false;
	*data_r = s->decoded.len > 0 ? buf_slice(&s->decoded) : SLICE("");
	return true;
}

/* NULL: a login may begin now. */
static const struct smtp_refusal *
check_login(const struct smtp_server *s, struct slice mech)
{
	static const struct smtp_refusal none = { 502, "5.5.1", "AUTH is not offered." },
					 twice = { 503, "5.5.1", "You have logged in already." },
					 clear = { 538, "5.7.11", "Say STARTTLS first." },
					 unknown = { 504, "5.5.4",
		                                     "This mechanism is not offered." };

	if (*s->settings->mechs == '\0')
		return &none;
	if (s->logged_in)
		return &twice;
	if (!may_log_in(s))
		return &clear;
	return slice_has_word(slice_of(s->settings->mechs), mech) ? NULL : &unknown;
}

static int
cmd_auth(struct smtp_server *s, struct smtp_call *c)
{
	struct slice mech = next_word(&c->args), initial = next_word(&c->args);
	const struct smtp_refusal *bad = check_login(s, mech);

	if (bad != NULL)
		return refuse(s, c, bad);
	if (next_word(&c->args).p != NULL)
		return smtp_server_refuse(s, c, 501, "5.5.4",
		                          "AUTH takes a mechanism and a response.");
	c->ev->data = (struct slice){ NULL, 0 };
	if (initial.p != NULL &&
	    !decode(s, slice_eq_str(initial, "=") ? SLICE("") : initial, &c->ev->data))
		return smtp_server_refuse(s, c, 501, "5.5.2", "This is no base64.");
	buf_clear(&s->mech);
	for (size_t i = 0; i < mech.n; i++)
		buf_add_char(&s->mech, text_upper(mech.p[i]));
	c->ev->mech = buf_cstr(&s->mech);
	smtp_server_enter(s, SMTP_STATE_WAIT_SASL);
	return emit(c, SMTP_SASL_START);
}

int
smtp_server_cancel_sasl(struct smtp_server *s, struct smtp_call *c, int code, const char *enhanced,
                        const char *text)
{
	smtp_server_enter(s, SMTP_STATE_READY);
	/* The goodbye of one too many is in place of this answer; the next input says -1. */
	(void)smtp_server_refuse(s, c, code, enhanced, text);
	return emit(c, SMTP_SASL_CANCEL);
}

int
smtp_server_sasl_line(struct smtp_server *s, struct slice line, struct smtp_call *c)
{
	if (slice_eq_str(line, "*"))
		return smtp_server_cancel_sasl(s, c, 501, "5.7.0", "Cancelled.");
	if (!decode(s, line, &c->ev->data))
		return smtp_server_cancel_sasl(s, c, 501, "5.5.2", "This is no base64.");
	smtp_server_enter(s, SMTP_STATE_WAIT_SASL);
	return emit(c, SMTP_SASL_STEP);
}

/* ---- XCLIENT -------------------------------------------------------------------------------- */

/* XCLIENT 1*(SP name "=" xtext). Names of Postfix and Dovecot; those we have no use for are
 * read and forgotten. */
enum xclient_key { X_ADDR, X_PORT, X_PROTO, X_HELO, X_LOGIN, X_NAME, X_SESSION, X_IGNORED };
static const struct {
	const char *name;
	enum xclient_key key;
} xclient_keys[] = {
	{ "ADDR", X_ADDR },
	{ "PORT", X_PORT },
	{ "PROTO", X_PROTO },
	{ "HELO", X_HELO },
	{ "LOGIN", X_LOGIN },
	{ "NAME", X_NAME },
	{ "SESSION", X_SESSION },
	{ "REVERSE_NAME", X_IGNORED },
	{ "DESTADDR", X_IGNORED },
	{ "DESTNAME", X_IGNORED },
	{ "DESTPORT", X_IGNORED },
	{ "TTL", X_IGNORED },
	{ "TIMEOUT", X_IGNORED },
	{ "FORWARD", X_IGNORED },
	{ "CLIENT-TRANSPORT", X_IGNORED },
};

static bool
is_printable(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (text_is_ctl(s.p[i]) || s.p[i] == ' ')
			return false;
	return text_is_utf8(s);
}

static bool
take_addr(struct slice value, struct slice *addr_r)
{
	if (slice_istarts(value, SLICE("IPV6:")))
		value = slice_skip(value, strlen("IPV6:"));
	*addr_r = value;
	return origin_is_address(value);
}

static bool
take_port(struct slice value, uint16_t *port_r)
{
	uint64_t port;

	if (!num_parse_u64(value, UINT16_MAX, &port))
		return false;
	*port_r = (uint16_t)port;
	return true;
}

static bool
take_proto(struct slice value, bool *esmtp_r)
{
	*esmtp_r = !slice_ieq_str(value, "SMTP");
	return !*esmtp_r || slice_ieq_str(value, "ESMTP") || slice_ieq_str(value, "LMTP");
}

static bool
take_text(struct slice value, size_t max, struct slice *s_r)
{
	*s_r = value;
	return value.n > 0 && value.n <= max && is_printable(value);
}

static bool
take_xclient_value(enum xclient_key key, struct slice value, struct smtp_xclient *x)
{
	switch (key) {
	case X_ADDR:
		return take_addr(value, &x->addr);
	case X_PORT:
		return take_port(value, &x->port);
	case X_PROTO:
		return take_proto(value, &x->esmtp);
	case X_HELO:
		return take_text(value, SMTP_HELO_MAX, &x->helo);
	case X_LOGIN:
		return take_text(value, SMTP_USER_MAX, &x->login);
	case X_NAME:
		return take_text(value, SMTP_HELO_MAX, &x->name);
	case X_SESSION:
		x->session = value;
		return origin_is_session(value);
	default:
		return true;
	}
}

static bool
take_xclient_word(struct smtp_server *s, struct slice word, struct smtp_xclient *x)
{
	struct slice name = slice_cut(&word, '='), value;
	struct buf b = BUF_INIT(SMTP_LINE_MAX);
	size_t i = 0;
	bool good;

	while (i < ARRAY_LEN(xclient_keys) && !slice_ieq_str(name, xclient_keys[i].name))
		i++;
	if (i == ARRAY_LEN(xclient_keys) || word.p == NULL)
		return false;
	if (slice_ieq_str(word, "[UNAVAILABLE]") || slice_ieq_str(word, "[TEMPUNAVAIL]"))
		return true;
	good = smtp_xtext_decode(word, &b);
	value = arena_slice_dup(smtp_server_arena(s), buf_slice(&b));
	buf_fini(&b);
	return good && take_xclient_value(xclient_keys[i].key, value, x);
}

/* The session begins anew, with the peer that was named: the greeting comes again. */
static int
cmd_xclient(struct smtp_server *s, struct smtp_call *c)
{
	struct slice word;

	if (!s->settings->trusted)
		return smtp_server_refuse(s, c, 550, "5.7.0", "You are not trusted here.");
	while ((word = next_word(&c->args)).p != NULL)
		if (!take_xclient_word(s, word, &c->ev->xclient))
			return smtp_server_refuse(s, c, 501, "5.5.4", "Bad attribute.");
	s->logged_in = c->ev->xclient.login.p != NULL;
	if (c->ev->xclient.helo.p != NULL)
		(void)set_helo(s, c->ev->xclient.helo);
	smtp_server_enter(s, SMTP_STATE_GREETED);
	smtp_server_greet(s, s->greeting, c->out);
	return emit(c, SMTP_XCLIENT);
}

/* ---- the envelope -------------------------------------------------------------------------- */

/* "FROM:" or "TO:" in front of the path. */
static bool
take_keyword(struct slice *args, struct slice keyword)
{
	while (args->n > 0 && *args->p == ' ')
		*args = slice_skip(*args, 1);
	if (!slice_istarts(*args, keyword))
		return false;
	*args = slice_skip(*args, keyword.n);
	return true;
}

static struct smtp_allowed
what_is_allowed(const struct smtp_server *s)
{
	return (struct smtp_allowed){
		.bare = s->settings->bare_ok,
		.smtputf8 = s->settings->smtputf8,
		.dsn = s->settings->dsn,
		.auth = *s->settings->mechs != '\0',
		.xroost = s->settings->trusted,
	};
}

static int
cmd_mail(struct smtp_server *s, struct smtp_call *c)
{
	struct smtp_allowed allowed = what_is_allowed(s);
	const struct smtp_refusal *bad;

	if (s->settings->auth_required && !s->logged_in)
		return smtp_server_refuse(s, c, 530, "5.7.0", "Log in first.");
	if (!take_keyword(&c->args, SLICE("FROM:")))
		return smtp_server_refuse(s, c, 501, "5.5.4", "Say MAIL FROM:<address>.");
	bad = smtp_mail_parse(smtp_server_arena(s), c->args, &allowed, &c->ev->mail);
	if (bad != NULL)
		return refuse(s, c, bad);
	/* Not the client's fault, and not a bad command. */
	if (c->ev->mail.size > s->settings->size_max)
		return say(s, c, 552, "5.3.4", "The message is too big.");
	s->smtputf8 = c->ev->mail.smtputf8;
	smtp_server_enter(s, SMTP_STATE_WAIT_MAIL);
	return emit(c, SMTP_MAIL);
}

static void
add_slot(struct smtp_server *s)
{
	if (s->slot_count == s->slot_cap) {
		s->slot_cap = s->slot_cap == 0 ? 4 : 2 * s->slot_cap;
		s->slots = xrealloc(s->slots, s->slot_cap * sizeof(*s->slots));
	}
	s->slots[s->slot_count++] = (struct smtp_slot){ .line = NULL };
	s->pending++;
}

static int
cmd_rcpt(struct smtp_server *s, struct smtp_call *c)
{
	static const struct smtp_refusal no_to = { 501, "5.5.4", "Say RCPT TO:<address>." };
	struct smtp_allowed allowed = what_is_allowed(s);
	const struct smtp_refusal *bad = &no_to;
	bool full = s->slot_count >= MIN(s->settings->rcpt_max, SMTP_RCPT_MAX);

	allowed.smtputf8 = s->smtputf8;
	if (take_keyword(&c->args, SLICE("TO:")))
		bad = smtp_rcpt_parse(smtp_server_arena(s), c->args, &allowed, &c->ev->rcpt);
	if ((bad != NULL || full) && s->pending > 0)
		return SMTP_HOLD; /* those before it are answered first */
	if (bad != NULL)
		return refuse(s, c, bad);
	if (full)
		return say(s, c, 452, "4.5.3", "Too many recipients.");
	c->ev->number = s->slot_count;
	add_slot(s);
	return emit(c, SMTP_RCPT);
}

static int
cmd_rset(struct smtp_server *s, struct smtp_call *c)
{
	bool inside = s->state == SMTP_STATE_MAIL || s->state == SMTP_STATE_CHUNKS;

	(void)say(s, c, 250, "2.0.0", "Forgotten.");
	if (!inside)
		return SMTP_GO_ON;
	smtp_server_end_transaction(s);
	smtp_server_enter(s, SMTP_STATE_READY);
	return emit(c, SMTP_RESET);
}

/* ---- the rest ------------------------------------------------------------------------------ */

static int
cmd_noop(struct smtp_server *s, struct smtp_call *c)
{
	return say(s, c, 250, "2.0.0", "Yes.");
}

/* RFC 5321 section 7.3: what is there is told by RCPT, which is counted and limited. */
static int
cmd_vrfy(struct smtp_server *s, struct smtp_call *c)
{
	if (slice_trim(c->args).n == 0)
		return smtp_server_refuse(s, c, 501, "5.5.4", "VRFY takes an address.");
	return say(s, c, 252, "2.0.0", "Send mail, and see.");
}

static int
cmd_expn(struct smtp_server *s, struct smtp_call *c)
{
	return say(s, c, 502, "5.5.1", "Lists are not shown.");
}

static int
cmd_help(struct smtp_server *s, struct smtp_call *c)
{
	return say(s, c, 214, "2.0.0", s->settings->lmtp ? "See RFC 2033." : "See RFC 5321.");
}

static int
cmd_quit(struct smtp_server *s, struct smtp_call *c)
{
	smtp_server_put(s, c->out, 221, "2.0.0", "Bye.");
	smtp_server_enter(s, SMTP_STATE_OVER);
	return emit(c, SMTP_QUIT);
}

/* A browser that was talked into it, with a body of somebody else's making behind. */
static int
cmd_http(struct smtp_server *s, struct smtp_call *c)
{
	return smtp_server_say_bye(s, c->out, 521, "5.7.0", "This is not HTTP.");
}

enum { SMTP_ONLY = 1, LMTP_ONLY = 2, ANY_PROTOCOL = 3 };
enum { IN_GREETED = 1, IN_READY = 2, IN_MAIL = 4, IN_CHUNKS = 8, ANY_STATE = 15 };
enum { COUNTED = 1, NEEDS_TLS = 2 };
static const struct command {
	const char *name;
	unsigned protocols, states, flags;
	int (*run)(struct smtp_server *s, struct smtp_call *c);
} commands[] = {
	{ "HELO", SMTP_ONLY, ANY_STATE, COUNTED, cmd_helo },
	{ "EHLO", SMTP_ONLY, ANY_STATE, COUNTED, cmd_ehlo },
	{ "LHLO", LMTP_ONLY, ANY_STATE, COUNTED, cmd_ehlo },
	{ "MAIL", ANY_PROTOCOL, IN_READY, NEEDS_TLS | COUNTED, cmd_mail },
	{ "RCPT", ANY_PROTOCOL, IN_MAIL, 0, cmd_rcpt },
	{ "DATA", ANY_PROTOCOL, IN_MAIL, 0, smtp_server_cmd_data },
	{ "RSET", ANY_PROTOCOL, ANY_STATE, COUNTED, cmd_rset },
	{ "NOOP", ANY_PROTOCOL, ANY_STATE, COUNTED, cmd_noop },
	{ "QUIT", ANY_PROTOCOL, ANY_STATE, 0, cmd_quit },
	{ "VRFY", ANY_PROTOCOL, ANY_STATE, COUNTED, cmd_vrfy },
	{ "EXPN", ANY_PROTOCOL, ANY_STATE, COUNTED, cmd_expn },
	{ "HELP", ANY_PROTOCOL, ANY_STATE, COUNTED, cmd_help },
	{ "STARTTLS", ANY_PROTOCOL, IN_GREETED | IN_READY, COUNTED, cmd_starttls },
	{ "AUTH", ANY_PROTOCOL, IN_READY, NEEDS_TLS | COUNTED, cmd_auth },
	{ "XCLIENT", ANY_PROTOCOL, IN_GREETED | IN_READY, COUNTED, cmd_xclient },
	{ "GET", ANY_PROTOCOL, ANY_STATE, 0, cmd_http },
	{ "POST", ANY_PROTOCOL, ANY_STATE, 0, cmd_http },
	{ "PUT", ANY_PROTOCOL, ANY_STATE, 0, cmd_http },
	{ "HEAD", ANY_PROTOCOL, ANY_STATE, 0, cmd_http },
	{ "OPTIONS", ANY_PROTOCOL, ANY_STATE, 0, cmd_http },
	{ "CONNECT", ANY_PROTOCOL, ANY_STATE, 0, cmd_http },
};

static unsigned
state_bit(const struct smtp_server *s)
{
	switch (s->state) {
	case SMTP_STATE_GREETED:
		return IN_GREETED;
	case SMTP_STATE_READY:
		return IN_READY;
	case SMTP_STATE_MAIL:
		return IN_MAIL;
	default:
		must(s->state == SMTP_STATE_CHUNKS);
		return IN_CHUNKS;
	}
}

static int
refuse_order(struct smtp_server *s, struct smtp_call *c)
{
	const char *text = "Say EHLO first.";

	if (s->state == SMTP_STATE_GREETED && s->settings->lmtp)
		text = "Say LHLO first.";
	else if (s->state == SMTP_STATE_READY)
		text = "Say MAIL first.";
	else if (s->state == SMTP_STATE_MAIL)
		text = "Not inside a transaction.";
	else if (s->state == SMTP_STATE_CHUNKS)
		text = "Say BDAT or RSET.";
	return smtp_server_refuse(s, c, 503, "5.5.1", text);
}

static int
run_command(struct smtp_server *s, const struct command *cmd, struct smtp_call *c)
{
	if ((cmd->states & state_bit(s)) == 0)
		return refuse_order(s, c);
	if ((cmd->flags & NEEDS_TLS) != 0 && s->settings->tls_required && !s->tls)
		return smtp_server_refuse(s, c, 530, "5.7.0", "Say STARTTLS first.");
	if ((cmd->flags & COUNTED) != 0 && ++s->idle > SMTP_IDLE_MAX)
		return smtp_server_say_bye(s, c->out, 421, "4.7.0", "Too many commands.");
	return cmd->run(s, c);
}

static bool
has_ctl(struct slice line)
{
	for (size_t i = 0; i < line.n; i++)
		if (text_is_ctl(line.p[i]))
			return true;
	return false;
}

int
smtp_server_command(struct smtp_server *s, struct slice line, struct smtp_call *c)
{
	unsigned protocol = s->settings->lmtp ? LMTP_ONLY : SMTP_ONLY;
	struct slice name;

	c->args = line;
	name = slice_cut(&c->args, ' ');
	if (s->settings->chunking && slice_ieq_str(name, "BDAT"))
		return smtp_server_cmd_bdat(s, c);
	if (has_ctl(line)) {
		if (s->pending > 0)
			return SMTP_HOLD;
		return smtp_server_refuse(s, c, 500, "5.5.2",
		                          "There are control characters in the command.");
	}
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (slice_ieq_str(name, commands[i].name) &&
		    (commands[i].protocols & protocol) != 0)
			return run_command(s, &commands[i], c);
	return smtp_server_refuse(s, c, 500, "5.5.1", "Unknown command.");
}
