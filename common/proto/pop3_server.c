#include "proto/pop3_server.h"

#include "base/num.h"
#include "base/text.h"
#include "base/xalloc.h"
#include "proto/sasl_line.h"

#include <stdlib.h>

enum state {
	STATE_AUTHORIZATION,
	STATE_SASL,       /* a challenge was sent */
	STATE_WAIT_LOGIN, /* the caller checks */
	STATE_WAIT_TLS,
	STATE_TRANSACTION,
	STATE_OVER,
};

struct pop3_server {
	const struct pop3_server_settings *settings;
	enum state state;
	bool tls;
	bool logged_in;
	struct buf user;    /* of USER; empty without */
	struct buf decoded; /* the SASL response being handed out */
	struct buf mech;
	unsigned bad, failed;
	unsigned commands; /* before the login */
};

static const char bye_line[] = "-ERR Line too long.";
static const char bye_lf[] = "-ERR Lines end in CR LF.";
static const char bye_commands[] = "-ERR Too many commands without a login.";
static const char bye_bad[] = "-ERR Too many bad commands.";

struct pop3_server *
pop3_server_new(const struct pop3_server_settings *settings, bool tls)
{
	struct pop3_server *s = xcalloc(1, sizeof(*s));

	s->settings = settings;
	s->tls = tls;
	buf_init(&s->user, POP3_USER_MAX);
	buf_init(&s->decoded, SASL_LINE_MAX);
	buf_init(&s->mech, 32);
	return s;
}

void
pop3_server_free(struct pop3_server **sp)
{
	struct pop3_server *s = *sp;

	*sp = NULL;
	if (s == NULL)
		return;
	buf_fini(&s->user);
	buf_wipe(&s->decoded);
	buf_fini(&s->mech);
	free(s);
}

bool
pop3_server_is_tls(const struct pop3_server *s)
{
	return s->tls;
}

bool
pop3_server_is_over(const struct pop3_server *s)
{
	return s->state == STATE_OVER;
}

static void
put_line(struct buf *out, const char *text)
{
	buf_add_str(out, text);
	buf_add_str(out, "\r\n");
}

void
pop3_server_greet(struct pop3_server *s, const char *text, struct buf *out)
{
	buf_add_str(out, s->settings->xclient_ok ? "+OK [XCLIENT] " : "+OK ");
	buf_add_str(out, text);
	buf_add_str(out, "\r\n");
}

/* ---- answers ------------------------------------------------------------------------- */

static bool
may_log_in(const struct pop3_server *s)
{
	return s->tls || s->settings->plaintext_ok;
}

void
pop3_server_challenge(struct pop3_server *s, struct slice challenge, struct buf *out)
{
	must(s->state == STATE_WAIT_LOGIN);
	buf_add_str(out, "+ ");
	text_base64_add(out, challenge);
	buf_add_str(out, "\r\n");
	s->state = STATE_SASL;
}

void
pop3_server_logged_in(struct pop3_server *s)
{
	must(s->state == STATE_WAIT_LOGIN);
	s->state = STATE_TRANSACTION;
	s->logged_in = true;
	buf_wipe(&s->decoded);
	s->bad = 0;
}

void
pop3_server_refused(struct pop3_server *s, enum pop3_refusal why, struct buf *out)
{
	static const char *const lines[] = {
		[POP3_REFUSED_AUTH] = "-ERR [AUTH] Wrong user name or password.",
		[POP3_REFUSED_INVALID] = "-ERR The exchange was malformed.",
		[POP3_REFUSED_TEMP] = "-ERR [SYS/TEMP] Please try again later.",
		[POP3_REFUSED_IN_USE] = "-ERR [IN-USE] The mailbox is in use.",
	};

	must(s->state == STATE_WAIT_LOGIN);
	put_line(out, lines[why]);
	buf_wipe(&s->decoded);
	buf_clear(&s->user);
	s->state = STATE_AUTHORIZATION;
	/* Whoever is told "later" often enough comes back later, on another connection. */
	if (++s->failed >= POP3_FAILED_MAX)
		s->state = STATE_OVER;
}

void
pop3_server_tls_done(struct pop3_server *s)
{
	must(s->state == STATE_WAIT_TLS);
	s->tls = true;
	s->state = STATE_AUTHORIZATION;
	buf_clear(&s->user);
}

/* RFC 2449 section 6: what is said before the login is said after it too, but for what
 * logins need. */
void
pop3_server_add_capa(const struct pop3_server *s, const struct pop3_capa *less, struct buf *out)
{
	bool before = !s->logged_in;

	put_line(out, "+OK Capability list follows.");
	if (less == NULL || !less->no_top)
		put_line(out, "TOP");
	if (less == NULL || !less->no_uidl)
		put_line(out, "UIDL");
	put_line(out, "PIPELINING");
	put_line(out, "RESP-CODES");
	put_line(out, "AUTH-RESP-CODE");
	if (before && s->settings->tls_offered && !s->tls)
		put_line(out, "STLS");
	if (may_log_in(s)) {
		put_line(out, "USER");
		if (*s->settings->mechs != '\0')
			buf_printf(out, "SASL %s\r\n", s->settings->mechs);
	}
	if (before && s->settings->xclient_ok)
		put_line(out, "XCLIENT");
	if (s->settings->implementation != NULL)
		buf_printf(out, "IMPLEMENTATION %s\r\n", s->settings->implementation);
	put_line(out, ".");
}

/* ---- bad input ----------------------------------------------------------------------- */

/* The machine is over, with this as its last word. */
static int
say_bye(struct pop3_server *s, const char *text, struct buf *out, struct pop3_event *ev)
{
	s->state = STATE_OVER;
	if (s->logged_in) {
		ev->kind = POP3_BYE;
		ev->text = text;
		return 1;
	}
	put_line(out, text);
	return -1;
}

/* A command that is answered by -ERR and nothing else. 0: go on. */
static int
refuse(struct pop3_server *s, const char *text, struct buf *out, struct pop3_event *ev)
{
	if (++s->bad > POP3_BAD_MAX)
		return say_bye(s, bye_bad, out, ev);
	if (s->logged_in) {
		ev->kind = POP3_REPLY;
		ev->text = text;
		return 1;
	}
	put_line(out, text);
	return 0;
}

/* ---- commands before the login --------------------------------------------------------- */

struct call {
	struct slice args;
	bool more; /* bytes wait behind the line */
	struct buf *out;
	struct pop3_event *ev;
};

static int
emit(struct call *c, enum pop3_event_kind kind)
{
	c->ev->kind = kind;
	return 1;
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

static int
cmd_user(struct pop3_server *s, struct call *c)
{
	struct slice name = slice_trim(c->args);

	if (!may_log_in(s))
		return refuse(s, "-ERR Say STLS first.", c->out, c->ev);
	buf_clear(&s->user);
	if (name.n == 0 || name.n > POP3_USER_MAX)
		return refuse(s, "-ERR USER takes a name.", c->out, c->ev);
	buf_add_slice(&s->user, name);
	put_line(c->out, "+OK Send your password.");
	return 0;
}

/* RFC 1939 section 7: spaces belong to the password. */
static int
cmd_pass(struct pop3_server *s, struct call *c)
{
	if (!may_log_in(s))
		return refuse(s, "-ERR Say STLS first.", c->out, c->ev);
	if (s->user.len == 0)
		return refuse(s, "-ERR Say USER first.", c->out, c->ev);
	if (c->args.n == 0)
		return refuse(s, "-ERR PASS takes a password.", c->out, c->ev);
	c->ev->user = buf_slice(&s->user);
	c->ev->secret = c->args;
	s->state = STATE_WAIT_LOGIN;
	return emit(c, POP3_LOGIN);
}

/* AUTH alone lists the mechanisms: no RFC has it, but old clients ask that way. */
static int
list_mechs(struct pop3_server *s, struct call *c)
{
	struct slice rest = slice_of(s->settings->mechs);

	put_line(c->out, "+OK");
	while (rest.n > 0) {
		struct slice mech = slice_cut(&rest, ' ');

		buf_printf(c->out, "%.*s\r\n", SLICE_ARG(mech));
	}
	put_line(c->out, ".");
	return 0;
}

/* Decodes into s->decoded. The result is never p == NULL. */
static bool
decode(struct pop3_server *s, struct slice base64, struct slice *data_r)
{
	buf_clear(&s->decoded);
	if (!text_base64_decode(base64, &s->decoded))
		return false;
	*data_r = s->decoded.len > 0 ? buf_slice(&s->decoded) : SLICE("");
	return true;
}

/* RFC 5034 section 4: "=" is an empty initial response. */
static int
cmd_auth(struct pop3_server *s, struct call *c)
{
	struct slice mech = next_word(&c->args), initial = next_word(&c->args);

	if (!may_log_in(s))
		return refuse(s, "-ERR Say STLS first.", c->out, c->ev);
	if (mech.p == NULL)
		return list_mechs(s, c);
	if (!slice_has_word(slice_of(s->settings->mechs), mech))
		return refuse(s, "-ERR This mechanism is not offered.", c->out, c->ev);
	if (next_word(&c->args).p != NULL)
		return refuse(s, "-ERR AUTH takes a mechanism and a response.", c->out, c->ev);
	c->ev->data = (struct slice){ NULL, 0 };
	if (initial.p != NULL &&
	    !decode(s, slice_eq_str(initial, "=") ? SLICE("") : initial, &c->ev->data))
		return refuse(s, "-ERR This is no base64.", c->out, c->ev);
	buf_clear(&s->mech);
	for (size_t i = 0; i < mech.n; i++)
		buf_add_char(&s->mech, text_upper(mech.p[i]));
	c->ev->mech = buf_cstr(&s->mech);
	s->state = STATE_WAIT_LOGIN;
	return emit(c, POP3_SASL_START);
}

/* The exchange ends without a login. */
static int
cancel_sasl(struct pop3_server *s, const char *text, struct call *c)
{
	put_line(c->out, text);
	s->state = ++s->bad > POP3_BAD_MAX ? STATE_OVER : STATE_AUTHORIZATION;
	return emit(c, POP3_SASL_CANCEL);
}

/* A line while a challenge is open. */
static int
sasl_line(struct pop3_server *s, struct slice line, struct call *c)
{
	if (slice_eq_str(line, "*"))
		return cancel_sasl(s, "-ERR Cancelled.", c);
	if (!decode(s, line, &c->ev->data))
		return cancel_sasl(s, "-ERR This is no base64.", c);
	s->state = STATE_WAIT_LOGIN;
	return emit(c, POP3_SASL_STEP);
}

/* RFC 2595 section 4. A client that talks on in clear is under attack, or is one. */
static int
cmd_stls(struct pop3_server *s, struct call *c)
{
	if (s->tls)
		return refuse(s, "-ERR TLS is active already.", c->out, c->ev);
	if (!s->settings->tls_offered)
		return refuse(s, "-ERR TLS is not offered.", c->out, c->ev);
	if (c->more)
		return say_bye(s, "-ERR There was text behind STLS.", c->out, c->ev);
	s->state = STATE_WAIT_TLS;
	put_line(c->out, "+OK Begin TLS now.");
	return emit(c, POP3_STLS);
}

/* XCLIENT 1*(SP key "=" value): Dovecot has further keys (PORT, TTL, FORWARD), which we
 * have no use for. */
static int
cmd_xclient(struct pop3_server *s, struct call *c)
{
	struct slice word;

	if (!s->settings->xclient_ok)
		return refuse(s, "-ERR You are not trusted here.", c->out, c->ev);
	while ((word = next_word(&c->args)).p != NULL) {
		struct slice key = slice_cut(&word, '=');

		if (slice_ieq_str(key, "ADDR")) {
			if (!origin_is_address(word))
				return refuse(s, "-ERR Bad ADDR.", c->out, c->ev);
			c->ev->addr = word;
		} else if (slice_ieq_str(key, "SESSION")) {
			if (!origin_is_session(word))
				return refuse(s, "-ERR Bad SESSION.", c->out, c->ev);
			c->ev->session = word;
		}
	}
	put_line(c->out, "+OK Updated.");
	return emit(c, POP3_XCLIENT);
}

/* ---- commands of both states, and after the login ----------------------------------------- */

static int
cmd_capa(struct pop3_server *s, struct call *c)
{
	if (s->logged_in)
		return emit(c, POP3_CAPA);
	pop3_server_add_capa(s, NULL, c->out);
	return 0;
}

static int
cmd_quit(struct pop3_server *s, struct call *c)
{
	if (!s->logged_in)
		put_line(c->out, "+OK Bye.");
	s->state = STATE_OVER;
	return emit(c, POP3_QUIT);
}

/* A message number: 1 and up. False: refused. */
static bool
take_number(struct call *c, bool optional, uint32_t *number_r)
{
	struct slice word = next_word(&c->args);

	*number_r = 0;
	if (word.p == NULL)
		return optional;
	return num_parse_u32(word, number_r) && *number_r > 0;
}

static int
finish_args(struct pop3_server *s, struct call *c, bool good, enum pop3_event_kind kind)
{
	if (!good || next_word(&c->args).p != NULL)
		return refuse(s, "-ERR Bad arguments.", c->out, c->ev);
	return emit(c, kind);
}

static int
cmd_list(struct pop3_server *s, struct call *c)
{
	return finish_args(s, c, take_number(c, true, &c->ev->number), POP3_LIST);
}

static int
cmd_uidl(struct pop3_server *s, struct call *c)
{
	return finish_args(s, c, take_number(c, true, &c->ev->number), POP3_UIDL);
}

static int
cmd_retr(struct pop3_server *s, struct call *c)
{
	return finish_args(s, c, take_number(c, false, &c->ev->number), POP3_RETR);
}

static int
cmd_dele(struct pop3_server *s, struct call *c)
{
	return finish_args(s, c, take_number(c, false, &c->ev->number), POP3_DELE);
}

static int
cmd_top(struct pop3_server *s, struct call *c)
{
	bool good = take_number(c, false, &c->ev->number);

	good = good && num_parse_u32(next_word(&c->args), &c->ev->lines);
	return finish_args(s, c, good, POP3_TOP);
}

static int
cmd_stat(struct pop3_server *s, struct call *c)
{
	return finish_args(s, c, true, POP3_STAT);
}

static int
cmd_noop(struct pop3_server *s, struct call *c)
{
	return finish_args(s, c, true, POP3_NOOP);
}

static int
cmd_rset(struct pop3_server *s, struct call *c)
{
	return finish_args(s, c, true, POP3_RSET);
}

enum { IN_AUTHORIZATION = 1, IN_TRANSACTION = 2, IN_BOTH = 3 };

static const struct command {
	const char *name;
	unsigned states;
	int (*run)(struct pop3_server *s, struct call *c);
} commands[] = {
	{ "CAPA", IN_BOTH, cmd_capa },
	{ "QUIT", IN_BOTH, cmd_quit },
	{ "USER", IN_AUTHORIZATION, cmd_user },
	{ "PASS", IN_AUTHORIZATION, cmd_pass },
	{ "AUTH", IN_AUTHORIZATION, cmd_auth },
	{ "STLS", IN_AUTHORIZATION, cmd_stls },
	{ "XCLIENT", IN_AUTHORIZATION, cmd_xclient },
	{ "STAT", IN_TRANSACTION, cmd_stat },
	{ "LIST", IN_TRANSACTION, cmd_list },
	{ "UIDL", IN_TRANSACTION, cmd_uidl },
	{ "RETR", IN_TRANSACTION, cmd_retr },
	{ "TOP", IN_TRANSACTION, cmd_top },
	{ "DELE", IN_TRANSACTION, cmd_dele },
	{ "NOOP", IN_TRANSACTION, cmd_noop },
	{ "RSET", IN_TRANSACTION, cmd_rset },
};

/* Control bytes have no place in a command; passwords may be strange, but NUL and CR end
 * strings elsewhere. */
static bool
has_bad_bytes(struct slice line, bool is_pass)
{
	for (size_t i = 0; i < line.n; i++) {
		char ch = line.p[i];

		if (ch == '\0' || ch == '\r' || (!is_pass && text_is_ctl(ch)))
			return true;
	}
	return false;
}

static int
command_line(struct pop3_server *s, struct slice line, struct call *c)
{
	unsigned in = s->logged_in ? IN_TRANSACTION : IN_AUTHORIZATION;
	struct slice name;

	if (!s->logged_in && ++s->commands > POP3_COMMANDS_MAX)
		return say_bye(s, bye_commands, c->out, c->ev);
	c->args = line;
	name = slice_cut(&c->args, ' ');
	if (has_bad_bytes(line, slice_ieq_str(name, "PASS")))
		return refuse(s, "-ERR There are control characters in the command.", c->out,
		              c->ev);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (!slice_ieq_str(name, commands[i].name))
			continue;
		if ((commands[i].states & in) == 0)
			return refuse(s, "-ERR Not in this state.", c->out, c->ev);
		return commands[i].run(s, c);
	}
	return refuse(s, "-ERR Unknown command.", c->out, c->ev);
}

/* One line, CRLF included, of n bytes. */
static int
handle_line(struct pop3_server *s, struct slice in, size_t n, struct buf *out,
            struct pop3_event *ev)
{
	struct call c = { .more = n < in.n, .out = out, .ev = ev };
	struct slice line = slice_sub(in, 0, n - 2);

	if (s->state == STATE_SASL)
		return sasl_line(s, line, &c);
	return command_line(s, line, &c);
}

/* Initial responses make AUTH as long as what follows a challenge. */
static size_t
line_max(const struct pop3_server *s, struct slice rest)
{
	bool sasl = s->state == STATE_SASL || slice_istarts(rest, SLICE("AUTH "));

	return sasl ? SASL_LINE_MAX : POP3_LINE_MAX;
}

int
pop3_server_input(struct pop3_server *s, struct slice in, size_t *used_r, struct buf *out,
                  struct pop3_event *ev_r)
{
	*used_r = 0;
	memset(ev_r, 0, sizeof(*ev_r));
	must(s->state != STATE_WAIT_LOGIN && s->state != STATE_WAIT_TLS);
	for (;;) {
		struct slice rest = slice_skip(in, *used_r);
		size_t lf, max;
		int r;

		if (s->state == STATE_OVER)
			return -1;
		max = line_max(s, rest);
		lf = slice_find(slice_sub(rest, 0, max), '\n');
		if (lf >= max)
			return say_bye(s, bye_line, out, ev_r);
		if (lf == rest.n)
			return 0;
		*used_r += lf + 1;
		if (lf == 0 || rest.p[lf - 1] != '\r')
			return say_bye(s, bye_lf, out, ev_r);
		r = handle_line(s, rest, lf + 1, out, ev_r);
		if (r != 0)
			return r;
		memset(ev_r, 0, sizeof(*ev_r));
	}
}
