#include "proto/pop3_server.h"

#include "lib/test.h"
#include "proto/sasl_line.h"

#include <stdlib.h>
#include <string.h>

/* The caller of the machine: one user, fred, with the password "pw" and no mail. What the
 * machine says and asks for is written down in order, events in <>. */
struct owner {
	struct pop3_server_settings settings;
	struct pop3_server *s;
	struct buf log;
	bool ended;
};

static void
note_bytes(struct owner *o, struct slice data)
{
	if (data.p == NULL)
		buf_add_str(&o->log, "none");
	for (size_t i = 0; i < data.n; i++)
		buf_add_char(&o->log, data.p[i] == '\0' ? '|' : data.p[i]);
}

static void
check_login(struct owner *o, bool good, bool later)
{
	if (good) {
		pop3_server_logged_in(o->s);
		buf_add_str(&o->log, "+OK in\r\n");
		return;
	}
	pop3_server_refused(o->s, later ? POP3_REFUSED_TEMP : POP3_REFUSED_AUTH, &o->log);
	if (pop3_server_is_over(o->s))
		o->ended = true;
}

static void
on_sasl(struct owner *o, const struct pop3_event *ev)
{
	if (ev->kind == POP3_SASL_START)
		buf_printf(&o->log, "<auth %s ", ev->mech);
	else
		buf_add_str(&o->log, "<step ");
	note_bytes(o, ev->data);
	buf_add_str(&o->log, ">\n");
	if (ev->data.p == NULL)
		pop3_server_challenge(o->s, SLICE("who?"), &o->log);
	else
		check_login(o, slice_eq(ev->data, SLICE("\0fred\0pw")), false);
}

static void
on_event(struct owner *o, const struct pop3_event *ev)
{
	static const char *const names[] = {
		[POP3_STAT] = "stat", [POP3_LIST] = "list", [POP3_UIDL] = "uidl",
		[POP3_RETR] = "retr", [POP3_TOP] = "top",   [POP3_DELE] = "dele",
		[POP3_NOOP] = "noop", [POP3_RSET] = "rset",
	};

	switch (ev->kind) {
	case POP3_LOGIN:
		buf_printf(&o->log, "<login %.*s:%.*s>\n", SLICE_ARG(ev->user),
		           SLICE_ARG(ev->secret));
		check_login(o, slice_eq_str(ev->user, "fred") && slice_eq_str(ev->secret, "pw"),
		            slice_eq_str(ev->secret, "later"));
		return;
	case POP3_SASL_START:
	case POP3_SASL_STEP:
		on_sasl(o, ev);
		return;
	case POP3_SASL_CANCEL:
		buf_add_str(&o->log, "<cancel>\n");
		return;
	case POP3_STLS:
		buf_add_str(&o->log, "<tls>\n");
		pop3_server_tls_done(o->s);
		return;
	case POP3_XCLIENT:
		buf_add_str(&o->log, "<for ");
		note_bytes(o, ev->addr);
		buf_add_str(&o->log, " ");
		note_bytes(o, ev->session);
		buf_add_str(&o->log, ">\n");
		return;
	case POP3_CAPA:
		pop3_server_add_capa(o->s, &(struct pop3_capa){ .no_top = true }, &o->log);
		return;
	case POP3_QUIT:
		buf_add_str(&o->log, "<quit>\n");
		o->ended = true;
		return;
	case POP3_REPLY:
		buf_printf(&o->log, "%s\r\n", ev->text);
		return;
	case POP3_BYE:
		buf_printf(&o->log, "<bye>%s\r\n", ev->text);
		o->ended = true;
		return;
	default:
		buf_printf(&o->log, "<%s %u %u>\n", names[ev->kind], ev->number, ev->lines);
	}
}

static void
owner_init(struct owner *o)
{
	memset(o, 0, sizeof(*o));
	o->settings = (struct pop3_server_settings){ .mechs = "PLAIN LOGIN",
		                                     .tls_offered = true,
		                                     .plaintext_ok = true,
		                                     .xclient_ok = true };
	buf_init(&o->log, SIZE_MAX);
	o->s = pop3_server_new(&o->settings, false);
}

static void
owner_fini(struct owner *o)
{
	pop3_server_free(&o->s);
	buf_fini(&o->log);
}

/* Feeds all of in; returns what was not consumed. */
static struct slice
feed(struct owner *o, struct slice in)
{
	while (!o->ended) {
		struct pop3_event ev;
		size_t used;
		int r = pop3_server_input(o->s, in, &used, &o->log, &ev);

		assert_true(used <= in.n);
		in = slice_skip(in, used);
		if (r == 0)
			return in;
		if (r == -1)
			o->ended = true;
		else
			on_event(o, &ev);
	}
	return SLICE("");
}

static void
feed_cut(struct owner *o, struct slice in, size_t cut)
{
	struct slice rest = feed(o, slice_sub(in, 0, cut));
	struct buf all = BUF_INIT(SIZE_MAX);

	buf_add_slice(&all, rest);
	buf_add_slice(&all, slice_skip(in, cut));
	(void)feed(o, buf_slice(&all));
	buf_fini(&all);
}

#define IN "USER fred\r\nPASS pw\r\n"
#define IN_LOG "+OK Send your password.\r\n<login fred:pw>\n+OK in\r\n"

static const struct server_case {
	const char *name;
	struct slice in;
	const char *log;
	bool ends;
} cases[] = {
	{ "a login by password", SLICE_INIT(IN "STAT\r\n"), IN_LOG "<stat 0 0>\n", false },
	{ "spaces belong to the password", SLICE_INIT("user fred\r\npass  a b \r\n"),
	  "+OK Send your password.\r\n<login fred: a b >\n"
	  "-ERR [AUTH] Wrong user name or password.\r\n",
	  false },
	{ "a failed login forgets the user", SLICE_INIT("USER fred\r\nPASS later\r\nPASS pw\r\n"),
	  "+OK Send your password.\r\n<login fred:later>\n"
	  "-ERR [SYS/TEMP] Please try again later.\r\n-ERR Say USER first.\r\n",
	  false },
	{ "no password, no name",
	  SLICE_INIT("PASS pw\r\nUSER\r\nUSER \r\nUSER fred\r\nPASS\r\nPASS \r\n"),
	  "-ERR Say USER first.\r\n-ERR USER takes a name.\r\n-ERR USER takes a name.\r\n"
	  "+OK Send your password.\r\n-ERR PASS takes a password.\r\n"
	  "-ERR PASS takes a password.\r\n",
	  false },
	{ "PLAIN with an initial response", SLICE_INIT("AUTH plain AGZyZWQAcHc=\r\nNOOP\r\n"),
	  "<auth PLAIN |fred|pw>\n+OK in\r\n<noop 0 0>\n", false },
	{ "PLAIN after a challenge", SLICE_INIT("AUTH PLAIN\r\nAGZyZWQAcHc=\r\n"),
	  "<auth PLAIN none>\n+ d2hvPw==\r\n<step |fred|pw>\n+OK in\r\n", false },
	{ "an equals sign is an empty initial response", SLICE_INIT("AUTH LOGIN =\r\n"),
	  "<auth LOGIN >\n-ERR [AUTH] Wrong user name or password.\r\n", false },
	{ "a star cancels", SLICE_INIT("AUTH PLAIN\r\n*\r\nAUTH PLAIN AGZyZWQAcHc=\r\n"),
	  "<auth PLAIN none>\n+ d2hvPw==\r\n-ERR Cancelled.\r\n<cancel>\n"
	  "<auth PLAIN |fred|pw>\n+OK in\r\n",
	  false },
	{ "broken base64 cancels", SLICE_INIT("AUTH PLAIN\r\nAGZy ZWQ\r\nAUTH PLAIN !\r\n"),
	  "<auth PLAIN none>\n+ d2hvPw==\r\n-ERR This is no base64.\r\n<cancel>\n"
	  "-ERR This is no base64.\r\n",
	  false },
	{ "an unknown mechanism, too many words", SLICE_INIT("AUTH X\r\nAUTH PLAIN = =\r\n"),
	  "-ERR This mechanism is not offered.\r\n"
	  "-ERR AUTH takes a mechanism and a response.\r\n",
	  false },
	{ "AUTH alone lists the mechanisms", SLICE_INIT("AUTH\r\n"),
	  "+OK\r\nPLAIN\r\nLOGIN\r\n.\r\n", false },
	{ "the front end says for whom it speaks",
	  SLICE_INIT("XCLIENT ADDR=2001:db8::1 PORT=7 session=abc-7\r\nXCLIENT\r\n"),
	  "+OK Updated.\r\n<for 2001:db8::1 abc-7>\n+OK Updated.\r\n<for none none>\n", false },
	{ "XCLIENT with nonsense",
	  SLICE_INIT("XCLIENT ADDR=me\r\nXCLIENT ADDR=\r\nXCLIENT SESSION=a\"b\r\n"),
	  "-ERR Bad ADDR.\r\n-ERR Bad ADDR.\r\n-ERR Bad SESSION.\r\n", false },
	{ "all commands of the transaction state, pipelined",
	  SLICE_INIT(IN "LIST\r\nLIST 2\r\nUIDL\r\nuidl 3\r\nRETR 4\r\nTOP 5 6\r\nTOP 7 0\r\n"
	                "DELE 8\r\nNOOP\r\nRSET\r\nQUIT\r\n"),
	  IN_LOG "<list 0 0>\n<list 2 0>\n<uidl 0 0>\n<uidl 3 0>\n<retr 4 0>\n<top 5 6>\n"
	         "<top 7 0>\n<dele 8 0>\n<noop 0 0>\n<rset 0 0>\n<quit>\n",
	  true },
	{ "bad numbers",
	  SLICE_INIT(IN "RETR 0\r\nRETR\r\nRETR x\r\nRETR 4294967296\r\nRETR -1\r\nRETR 1 2\r\n"
	                "LIST 0\r\nTOP 1\r\nDELE  5 \r\nSTAT 1\r\n"),
	  IN_LOG "-ERR Bad arguments.\r\n-ERR Bad arguments.\r\n-ERR Bad arguments.\r\n"
	         "-ERR Bad arguments.\r\n-ERR Bad arguments.\r\n-ERR Bad arguments.\r\n"
	         "-ERR Bad arguments.\r\n-ERR Bad arguments.\r\n<dele 5 0>\n"
	         "-ERR Bad arguments.\r\n",
	  false },
	{ "commands in the wrong state",
	  SLICE_INIT("STAT\r\n" IN "USER x\r\nAUTH PLAIN\r\nSTLS\r\nXCLIENT\r\n\r\n"),
	  "-ERR Not in this state.\r\n" IN_LOG
	  "-ERR Not in this state.\r\n-ERR Not in this state.\r\n-ERR Not in this state.\r\n"
	  "-ERR Not in this state.\r\n-ERR Unknown command.\r\n",
	  false },
	{ "NUL, bare CR and control characters are refused",
	  SLICE_INIT("USER fr\0ed\r\nNO\rOP\r\nUSER f\x1b\r\nUSER fred\r\nPASS p\0w\r\n"
	             "PASS p\rQUIT\r\nQU\r\r\n"),
	  "-ERR There are control characters in the command.\r\n"
	  "-ERR There are control characters in the command.\r\n"
	  "-ERR There are control characters in the command.\r\n"
	  "+OK Send your password.\r\n"
	  "-ERR There are control characters in the command.\r\n"
	  "-ERR There are control characters in the command.\r\n"
	  "-ERR There are control characters in the command.\r\n",
	  false },
	{ "a bare LF ends the session", SLICE_INIT("NOOP\nQUIT\r\n"),
	  "-ERR Lines end in CR LF.\r\n", true },
	{ "a bare LF after the login is answered in turn", SLICE_INIT(IN "NOOP\r\n\nNOOP\r\n"),
	  IN_LOG "<noop 0 0>\n<bye>-ERR Lines end in CR LF.\r\n", true },
	{ "QUIT before the login", SLICE_INIT("QUIT\r\nNOOP\r\n"), "+OK Bye.\r\n<quit>\n", true },
	{ "the fifth failed login ends the session",
	  SLICE_INIT("AUTH PLAIN =\r\nAUTH PLAIN =\r\nAUTH PLAIN =\r\nAUTH PLAIN =\r\n"
	             "AUTH PLAIN =\r\nNOOP\r\n"),
	  "<auth PLAIN >\n-ERR [AUTH] Wrong user name or password.\r\n"
	  "<auth PLAIN >\n-ERR [AUTH] Wrong user name or password.\r\n"
	  "<auth PLAIN >\n-ERR [AUTH] Wrong user name or password.\r\n"
	  "<auth PLAIN >\n-ERR [AUTH] Wrong user name or password.\r\n"
	  "<auth PLAIN >\n-ERR [AUTH] Wrong user name or password.\r\n",
	  true },
	{ "capabilities before and after", SLICE_INIT("CAPA\r\n" IN "CAPA\r\nQUIT\r\n"),
	  "+OK Capability list follows.\r\nTOP\r\nUIDL\r\nPIPELINING\r\nRESP-CODES\r\n"
	  "AUTH-RESP-CODE\r\nSTLS\r\nUSER\r\nSASL PLAIN LOGIN\r\nXCLIENT\r\n.\r\n" IN_LOG
	  "+OK Capability list follows.\r\nUIDL\r\nPIPELINING\r\nRESP-CODES\r\n"
	  "AUTH-RESP-CODE\r\nUSER\r\nSASL PLAIN LOGIN\r\n.\r\n<quit>\n",
	  true },
};

TEST(server_at_every_split)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (size_t cut = 0; cut <= cases[i].in.n; cut++) {
			struct owner o;

			owner_init(&o);
			feed_cut(&o, cases[i].in, cut);
			test_eq_slice(cases[i].name, buf_slice(&o.log), slice_of(cases[i].log));
			test_check(o.ended == cases[i].ends, "%s, cut at %zu", cases[i].name, cut);
			owner_fini(&o);
		}
}

TEST(tls_forgets_what_was_said_in_clear)
{
	struct owner o;

	owner_init(&o);
	(void)feed(&o, SLICE("USER fred\r\n"));
	(void)feed(&o, SLICE("STLS\r\n"));
	assert_true(pop3_server_is_tls(o.s));
	(void)feed(&o, SLICE("PASS pw\r\nSTLS\r\n"));
	test_eq_slice("log", buf_slice(&o.log),
	              SLICE("+OK Send your password.\r\n+OK Begin TLS now.\r\n<tls>\n"
	                    "-ERR Say USER first.\r\n-ERR TLS is active already.\r\n"));
	owner_fini(&o);
}

TEST(text_behind_stls_ends_the_session)
{
	struct owner o;

	owner_init(&o);
	(void)feed(&o, SLICE("STLS\r\nUSER eve\r\n"));
	assert_true(o.ended);
	assert_false(pop3_server_is_tls(o.s));
	test_eq_slice("log", buf_slice(&o.log), SLICE("-ERR There was text behind STLS.\r\n"));
	owner_fini(&o);
}

TEST(without_tls_there_is_no_login)
{
	struct owner o;

	owner_init(&o);
	o.settings.plaintext_ok = false;
	o.settings.xclient_ok = false;
	(void)feed(&o, SLICE("CAPA\r\nUSER fred\r\nPASS pw\r\nAUTH PLAIN AGZyZWQAcHc=\r\n"
	                     "XCLIENT ADDR=192.0.2.1\r\n"));
	test_eq_slice("log", buf_slice(&o.log),
	              SLICE("+OK Capability list follows.\r\nTOP\r\nUIDL\r\nPIPELINING\r\n"
	                    "RESP-CODES\r\nAUTH-RESP-CODE\r\nSTLS\r\n.\r\n"
	                    "-ERR Say STLS first.\r\n-ERR Say STLS first.\r\n"
	                    "-ERR Say STLS first.\r\n-ERR You are not trusted here.\r\n"));
	owner_fini(&o);
}

TEST(without_a_certificate_there_is_no_stls)
{
	struct owner o;

	owner_init(&o);
	o.settings.tls_offered = false;
	(void)feed(&o, SLICE("STLS\r\n"));
	test_eq_slice("log", buf_slice(&o.log), SLICE("-ERR TLS is not offered.\r\n"));
	owner_fini(&o);
}

TEST(lines_are_limited)
{
	static char line[2 * POP3_LINE_MAX];
	struct owner o;

	memset(line, 'x', sizeof(line));
	line[POP3_LINE_MAX - 2] = '\r';
	line[POP3_LINE_MAX - 1] = '\n';
	owner_init(&o);
	(void)feed(&o, slice_make(line, POP3_LINE_MAX));
	test_eq_slice("longest", buf_slice(&o.log), SLICE("-ERR Unknown command.\r\n"));
	owner_fini(&o);

	for (size_t n = POP3_LINE_MAX; n <= POP3_LINE_MAX + 1; n++) {
		memset(line, 'x', sizeof(line));
		owner_init(&o);
		(void)feed(&o, slice_make(line, n));
		test_eq_slice("too long", buf_slice(&o.log), SLICE("-ERR Line too long.\r\n"));
		assert_true(o.ended);
		owner_fini(&o);
	}
}

TEST(sasl_lines_may_be_longer)
{
	static const char *const before[] = { "AUTH PLAIN\r\n", "AUTH PLAIN " };
	static char line[SASL_LINE_MAX + 20];
	struct owner o;

	for (size_t i = 0; i < ARRAY_LEN(before); i++) {
		memset(line, 'A', sizeof(line));
		memcpy(line, before[i], strlen(before[i]));
		memcpy(line + strlen(before[i]) + SASL_MESSAGE_MAX / 3 * 4, "\r\n", 2);
		owner_init(&o);
		(void)feed(&o, slice_make(line, strlen(before[i]) + SASL_MESSAGE_MAX / 3 * 4 + 2));
		test_check(slice_ends(buf_slice(&o.log),
		                      SLICE("-ERR [AUTH] Wrong user name or password.\r\n")),
		           before[i], "%.80s", buf_cstr(&o.log));
		owner_fini(&o);
	}
	memset(line, 'A', sizeof(line));
	owner_init(&o);
	(void)feed(&o, SLICE("AUTH PLAIN\r\n"));
	(void)feed(&o, slice_make(line, SASL_LINE_MAX));
	assert_true(o.ended);
	owner_fini(&o);
}

TEST(user_names_are_limited)
{
	char line[POP3_USER_MAX + 20] = "USER ";
	struct owner o;

	memset(line + 5, 'u', POP3_USER_MAX + 1);
	memcpy(line + 5 + POP3_USER_MAX + 1, "\r\n", 2);
	owner_init(&o);
	(void)feed(&o, slice_make(line, 5 + POP3_USER_MAX + 3));
	test_eq_slice("long", buf_slice(&o.log), SLICE("-ERR USER takes a name.\r\n"));
	buf_clear(&o.log);
	line[5 + POP3_USER_MAX] = '\r';
	line[5 + POP3_USER_MAX + 1] = '\n';
	(void)feed(&o, slice_make(line, 5 + POP3_USER_MAX + 2));
	test_eq_slice("longest", buf_slice(&o.log), SLICE("+OK Send your password.\r\n"));
	owner_fini(&o);
}

TEST(bad_commands_and_idle_talk_are_limited)
{
	struct owner o;

	owner_init(&o);
	for (int i = 0; i < POP3_BAD_MAX; i++)
		(void)feed(&o, SLICE("HELO\r\n"));
	assert_false(o.ended);
	buf_clear(&o.log);
	(void)feed(&o, SLICE("HELO\r\n"));
	assert_true(o.ended);
	test_eq_slice("bad", buf_slice(&o.log), SLICE("-ERR Too many bad commands.\r\n"));
	owner_fini(&o);

	owner_init(&o);
	for (int i = 0; i < POP3_COMMANDS_MAX; i++)
		(void)feed(&o, SLICE("CAPA\r\n"));
	assert_false(o.ended);
	(void)feed(&o, SLICE("CAPA\r\n"));
	assert_true(o.ended);
	owner_fini(&o);

	owner_init(&o);
	for (int i = 0; i <= POP3_BAD_MAX; i++)
		(void)feed(&o, SLICE("AUTH PLAIN\r\n*\r\n"));
	assert_true(o.ended);
	owner_fini(&o);

	owner_init(&o);
	(void)feed(&o, SLICE(IN));
	for (int i = 0; i < POP3_BAD_MAX; i++)
		(void)feed(&o, SLICE("HELO\r\n"));
	buf_clear(&o.log);
	(void)feed(&o, SLICE("HELO\r\n"));
	assert_true(o.ended);
	test_eq_slice("after", buf_slice(&o.log), SLICE("<bye>-ERR Too many bad commands.\r\n"));
	owner_fini(&o);
}

TEST(the_greeting_says_who_is_trusted)
{
	struct owner o;

	owner_init(&o);
	pop3_server_greet(o.s, "host ready.", &o.log);
	o.settings.xclient_ok = false;
	pop3_server_greet(o.s, "host ready.", &o.log);
	test_eq_slice("greeting", buf_slice(&o.log),
	              SLICE("+OK [XCLIENT] host ready.\r\n+OK host ready.\r\n"));
	owner_fini(&o);
}
