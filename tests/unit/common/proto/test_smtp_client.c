#include "proto/smtp_client.h"

#include "lib/test.h"

#include <stdlib.h>
#include <string.h>

#include "smtp_owner.h"

#define KEY_BYTES "0123456789abcdef0123456789abcdef"

/* The caller of the machine: with each READY it says the next transaction of its list, with
 * GO_AHEAD it gives the body. What goes to the peer and what the machine tells is written
 * down in order, events in <>.
 *
 *	p  probe: MAIL, RCPT b, RCPT c, RSET
 *	d  delivery to b and c
 *	e  to nobody: MAIL, DATA
 *	f  a delivery with everything
 *	q  QUIT
 */
struct caller {
	struct smtp_client_settings settings;
	struct smtp_client *c;
	const char *todo;
	const char *body;
	struct buf log;
	bool ended;
};

static void
caller_init(struct caller *o, bool lmtp, const char *todo)
{
	memset(o, 0, sizeof(*o));
	o->settings = (struct smtp_client_settings){ .lmtp = lmtp, .hostname = "me" };
	o->todo = todo;
	o->body = "hi\r\n.x\r\n";
	buf_init(&o->log, SIZE_MAX);
	o->c = smtp_client_new(&o->settings, false);
}

static void
caller_fini(struct caller *o)
{
	smtp_client_free(&o->c);
	buf_fini(&o->log);
}

static struct address
address(const char *text)
{
	struct address a;

	assert_int_equal(address_parse(slice_of(text), ADDRESS_ALLOW_NULL | ADDRESS_ALLOW_UTF8, &a),
	                 ADDRESS_OK);
	return a;
}

static void
say_envelope(struct caller *o, bool all, struct buf *out)
{
	struct smtp_mail m = { .from = address("a@x") };
	struct smtp_rcpt b = { .to = address("b@x") }, c = { .to = address("c@x") };

	if (all) {
		m = (struct smtp_mail){ .from = address("\xc3\xa4@x"),
			                .size = 9,
			                .body = SMTP_BODY_8BIT,
			                .smtputf8 = true,
			                .ret = SMTP_RET_HDRS,
			                .envid = SLICE("e=1"),
			                .has_key = true,
			                .key = KEY_BYTES,
			                .session = SLICE("s1"),
			                .addr = SLICE("192.0.2.1") };
		b = (struct smtp_rcpt){ .to = address("\"b c\"@x"),
			                .notify = SMTP_NOTIFY_SUCCESS | SMTP_NOTIFY_DELAY,
			                .orcpt_type = SLICE("rfc822"),
			                .orcpt = SLICE("b+c@x"),
			                .user = SLICE("b c"),
			                .detail = SLICE("\xc3\xa4"),
			                .claim = 7 };
	}
	smtp_client_mail(o->c, &m, out);
	smtp_client_rcpt(o->c, &b, out);
	if (!all)
		smtp_client_rcpt(o->c, &c, out);
}

static void
say_next(struct caller *o, struct buf *out)
{
	struct smtp_mail m = { .from = address("") };
	char what = *o->todo;

	if (what != '\0')
		o->todo++;
	switch (what) {
	case 'p':
		say_envelope(o, false, out);
		smtp_client_rset(o->c, out);
		return;
	case 'd':
	case 'f':
		say_envelope(o, what == 'f', out);
		smtp_client_data(o->c, out);
		return;
	case 'e':
		smtp_client_mail(o->c, &m, out);
		smtp_client_data(o->c, out);
		return;
	case 'q':
		smtp_client_quit(o->c, out);
	}
}

static void
on_event(struct caller *o, const struct smtp_client_event *ev, struct buf *out)
{
	static const char *const whats[] = { "mail", "rcpt", "data", "rset" };
	const struct smtp_reply *r = ev->reply;

	switch (ev->kind) {
	case SMTP_CLIENT_TLS:
		buf_add_str(&o->log, "<tls>\n");
		smtp_client_tls_done(o->c, out);
		return;
	case SMTP_CLIENT_READY:
		buf_add_str(&o->log, "<ready>\n");
		assert_true(smtp_client_is_idle(o->c));
		say_next(o, out);
		return;
	case SMTP_CLIENT_REPLY:
		buf_printf(&o->log, "<%s %zu %d %s %s>\n", whats[ev->what], ev->number, r->code,
		           r->enhanced, r->text);
		return;
	case SMTP_CLIENT_GO_AHEAD:
		buf_add_str(&o->log, "<go>\n");
		smtp_client_body(o->c, slice_of(o->body), out);
		smtp_client_body_end(o->c, out);
		return;
	case SMTP_CLIENT_FINAL:
		buf_printf(&o->log, "<final %zu %d %s %s>\n", ev->number, r->code, r->enhanced,
		           r->text);
		return;
	case SMTP_CLIENT_QUIT:
		buf_add_str(&o->log, "<quit>\n");
		o->ended = true;
	}
}

/* Feeds all of in; what the machine sends goes to out. Returns what was not consumed. */
static struct slice
feed(struct caller *o, struct slice in, struct buf *out)
{
	while (!o->ended) {
		struct smtp_client_event ev;
		size_t used;
		int r = smtp_client_input(o->c, in, &used, out, &ev);

		assert_true(used <= in.n);
		in = slice_skip(in, used);
		if (r == 0)
			return in;
		if (r == 1) {
			on_event(o, &ev, out);
			continue;
		}
		o->ended = true;
		buf_printf(&o->log, "<dead %d %s>\n", smtp_client_get_failure(o->c)->code,
		           smtp_client_get_failure(o->c)->text);
	}
	return SLICE("");
}

#define UP "220 s\r\n250-s\r\n250 PIPELINING\r\n"
#define UP_LOG "LHLO me\r\n<ready>\n"
#define PROBE "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nRCPT TO:<c@x>\r\nRSET\r\n"
#define DELIVER "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nRCPT TO:<c@x>\r\nDATA\r\n"
#define BODY "<go>\nhi\r\n..x\r\n.\r\n"

static const struct client_case {
	const char *name;
	bool lmtp;
	const char *todo;
	struct slice in; /* what the peer says */
	const char *log;
	bool ends;
} cases[] = {
	{ "a probe, pipelined", true, "p",
	  SLICE_INIT(UP "250 2.1.0 ok\r\n250 2.1.5 ok\r\n550 5.1.1 no such user\r\n250 ok\r\n"),
	  UP_LOG PROBE "<mail 0 250 2.1.0 ok>\n<rcpt 0 250 2.1.5 ok>\n"
	               "<rcpt 1 550 5.1.1 no such user>\n<rset 0 250  ok>\n<ready>\n",
	  false },
	{ "a delivery by LMTP, a reply for each", true, "dp",
	  SLICE_INIT(UP "250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 2.0.0 kept\r\n"
	                "452 4.2.2 full\r\n250 ok\r\n"),
	  UP_LOG DELIVER "<mail 0 250  ok>\n<rcpt 0 250  ok>\n<rcpt 1 250  ok>\n" BODY
	                 "<final 0 250 2.0.0 kept>\n<final 1 452 4.2.2 full>\n<ready>\n" PROBE
	                 "<mail 0 250  ok>\n",
	  false },
	{ "only accepted recipients have a final reply", true, "d",
	  SLICE_INIT(UP "250 ok\r\n550 no\r\n250 ok\r\n354 go\r\n250 kept\r\n"),
	  UP_LOG DELIVER "<mail 0 250  ok>\n<rcpt 0 550  no>\n<rcpt 1 250  ok>\n" BODY
	                 "<final 1 250  kept>\n<ready>\n",
	  false },
	{ "by SMTP the one reply is everybody's", false, "d",
	  SLICE_INIT("220 s\r\n250-s\r\n250 PIPELINING\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n"
	             "250 2.0.0 queued\r\n"),
	  "EHLO me\r\n<ready>\n" DELIVER
	  "<mail 0 250  ok>\n<rcpt 0 250  ok>\n<rcpt 1 250  ok>\n" BODY
	  "<final 0 250 2.0.0 queued>\n<final 1 250 2.0.0 queued>\n<ready>\n",
	  false },
	{ "without PIPELINING one at a time", true, "d",
	  SLICE_INIT("220 s\r\n250 s\r\n250 ok\r\n250 ok\r\n550 no\r\n354 go\r\n250 kept\r\n"),
	  "LHLO me\r\n<ready>\nMAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n<mail 0 250  ok>\n"
	  "RCPT TO:<c@x>\r\n<rcpt 0 250  ok>\nDATA\r\n<rcpt 1 550  no>\n" BODY
	  "<final 0 250  kept>\n<ready>\n",
	  false },
	{ "DATA refused: the machine cleans up", true, "dp",
	  SLICE_INIT(UP "250 ok\r\n550 no\r\n550 no\r\n503 5.5.1 nobody\r\n250 reset\r\n"),
	  UP_LOG DELIVER "<mail 0 250  ok>\n<rcpt 0 550  no>\n<rcpt 1 550  no>\nRSET\r\n"
	                 "<data 0 503 5.5.1 nobody>\n<ready>\n" PROBE,
	  false },
	{ "a message for nobody", false, "e",
	  SLICE_INIT(UP "250 ok\r\n554 nobody\r\n250 reset\r\n"),
	  "EHLO me\r\n<ready>\nMAIL FROM:<>\r\nDATA\r\n<mail 0 250  ok>\nRSET\r\n"
	  "<data 0 554  nobody>\n<ready>\n",
	  false },
	{ "a peer that wants it nevertheless", false, "e", SLICE_INIT(UP "250 ok\r\n354 go\r\n"),
	  "EHLO me\r\n<ready>\nMAIL FROM:<>\r\nDATA\r\n<mail 0 250  ok>\n"
	  "<dead 0 the peer wants a message for nobody>\n",
	  true },
	{ "everything the peer offers is said", true, "f",
	  SLICE_INIT("220 s\r\n250-s\r\n250-PIPELINING\r\n250-size 100\r\n250-8BITMIME\r\n"
	             "250-SMTPUTF8\r\n250-DSN\r\n250 XROOST\r\n"),
	  "LHLO me\r\n<ready>\n"
	  "MAIL FROM:<\xc3\xa4@x> SIZE=9 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=e+3D1 "
	  "XKEY=3031323334353637383961626364656630313233343536373839616263646566 "
	  "XSESSION=s1 XADDR=192.0.2.1\r\n"
	  "RCPT TO:<\"b c\"@x> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b+2Bc@x XUSER=b+20c "
	  "XDETAIL=+C3+A4 XCLAIM=7\r\nDATA\r\n",
	  false },
	{ "and nothing it does not", true, "f", SLICE_INIT(UP),
	  UP_LOG "MAIL FROM:<\xc3\xa4@x>\r\nRCPT TO:<\"b c\"@x>\r\nDATA\r\n", false },
	{ "QUIT", true, "q", SLICE_INIT(UP "221 bye\r\n"), UP_LOG "QUIT\r\n<quit>\n", true },
	{ "replies of several lines", true, "p",
	  SLICE_INIT("220-s\r\n220-waits\r\n220 s\r\n250-s\r\n250 PIPELINING\r\n"
	             "550-5.7.1 go\r\n550-5.7.1\r\n550 5.7.1 away\r\n250\r\n250 \r\n250 ok\r\n"),
	  UP_LOG PROBE "<mail 0 550 5.7.1 go  away>\n<rcpt 0 250  >\n<rcpt 1 250  >\n"
	               "<rset 0 250  ok>\n<ready>\n",
	  false },
	{ "what looks like a code and is none", true, "p",
	  SLICE_INIT(UP "250 5.1.0 x\r\n250 2.1 x\r\n250 2.1.1234 x\r\n250 2.1.1x\r\n"),
	  UP_LOG PROBE "<mail 0 250  5.1.0 x>\n<rcpt 0 250  2.1 x>\n<rcpt 1 250  2.1.1234 x>\n"
	               "<rset 0 250  2.1.1x>\n<ready>\n",
	  false },
	{ "the greeting turns us away", true, "p", SLICE_INIT("554 5.3.2 closed\r\n"),
	  "<dead 554 closed>\n", true },
	{ "old servers know HELO", false, "d",
	  SLICE_INIT("220 s\r\n502 what\r\n250 s\r\n250 ok\r\n"),
	  "EHLO me\r\nHELO me\r\n<ready>\nMAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n<mail 0 250  ok>\n",
	  false },
	{ "but LMTP has no HELO", true, "d", SLICE_INIT("220 s\r\n502 what\r\n"),
	  "LHLO me\r\n<dead 502 what>\n", true },
	{ "a peer that is too busy", false, "d", SLICE_INIT("220 s\r\n421 busy\r\n"),
	  "EHLO me\r\n<dead 421 busy>\n", true },
	{ "421 in the envelope ends the connection", true, "p",
	  SLICE_INIT(UP "250 ok\r\n421 4.3.2 going\r\n250 ok\r\n"),
	  UP_LOG PROBE "<mail 0 250  ok>\n<rcpt 0 421 4.3.2 going>\n<dead 421 going>\n", true },
	{ "421 as a final reply", true, "d",
	  SLICE_INIT(UP "250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n421 4.3.2 going\r\n"),
	  UP_LOG DELIVER "<mail 0 250  ok>\n<rcpt 0 250  ok>\n<rcpt 1 250  ok>\n" BODY
	                 "<final 0 421 4.3.2 going>\n<dead 421 going>\n",
	  true },
	{ "421 while nothing is said", true, "", SLICE_INIT(UP "421 4.4.2 idle\r\n"),
	  UP_LOG "<dead 421 idle>\n", true },
	{ "a reply nobody asked for", true, "", SLICE_INIT(UP "250 ok\r\n"),
	  UP_LOG "<dead 0 the peer says what nobody asked for>\n", true },
	{ "one reply too many", true, "p",
	  SLICE_INIT(UP "250 1\r\n250 2\r\n250 3\r\n250 4\r\n250 5\r\n250 6\r\n250 7\r\n250 8\r\n"
	                "250 9\r\n"),
	  NULL, true },
	{ "354 to MAIL", true, "p", SLICE_INIT(UP "354 go\r\n"),
	  UP_LOG PROBE "<dead 0 the peer is out of step>\n", true },
	{ "250 to DATA", true, "d", SLICE_INIT(UP "250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n"),
	  UP_LOG DELIVER "<mail 0 250  ok>\n<rcpt 0 250  ok>\n<rcpt 1 250  ok>\n"
	                 "<dead 0 the peer takes DATA for something else>\n",
	  true },
	{ "RSET refused", true, "p", SLICE_INIT(UP "250 ok\r\n250 ok\r\n250 ok\r\n500 what\r\n"),
	  UP_LOG PROBE "<mail 0 250  ok>\n<rcpt 0 250  ok>\n<rcpt 1 250  ok>\n<dead 500 what>\n",
	  true },
	{ "no SMTP at all", true, "p", SLICE_INIT("* OK IMAP4\r\n"),
	  "<dead 0 the peer does not speak SMTP>\n", true },
	{ "codes that change inside a reply", true, "p", SLICE_INIT("220-s\r\n250 s\r\n"),
	  "<dead 0 the peer does not speak SMTP>\n", true },
	{ "a code out of range", true, "p", SLICE_INIT("199 s\r\n"),
	  "<dead 0 the peer does not speak SMTP>\n", true },
	{ "a longer code", true, "p", SLICE_INIT("2200 s\r\n"),
	  "<dead 0 the peer does not speak SMTP>\n", true },
	{ "a bare LF", true, "p", SLICE_INIT("220 s\n"),
	  "<dead 0 the peer's lines do not end in CR LF>\n", true },
	{ "control characters in a text", true, "p", SLICE_INIT("554 a\x1b[2Jb\r\n"),
	  "<dead 554 a?[2Jb>\n", true },
};

static void
check_case(const struct client_case *k, size_t cut)
{
	struct buf all = BUF_INIT(SIZE_MAX);
	struct caller o;
	struct slice rest;

	caller_init(&o, k->lmtp, k->todo);
	rest = feed(&o, slice_sub(k->in, 0, cut), &o.log);
	buf_add_slice(&all, rest);
	buf_add_slice(&all, slice_skip(k->in, cut));
	(void)feed(&o, buf_slice(&all), &o.log);
	if (k->log != NULL)
		test_eq_slice(k->name, buf_slice(&o.log), slice_of(k->log));
	test_check(o.ended == k->ends, "%s, cut at %zu", k->name, cut);
	buf_fini(&all);
	caller_fini(&o);
}

TEST(client_at_every_split)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (size_t cut = 0; cut <= cases[i].in.n; cut++)
			check_case(&cases[i], cut);
}

/* ---- up to the login ------------------------------------------------------------------ */

static void
check_login(const char *name, struct smtp_client_settings settings, struct slice in,
            const char *log)
{
	struct caller o;

	caller_init(&o, true, "");
	settings.lmtp = true;
	settings.hostname = "me";
	o.settings = settings;
	(void)feed(&o, in, &o.log);
	test_eq_slice(name, buf_slice(&o.log), slice_of(log));
	caller_fini(&o);
}

#define ALL_OFFERED                                                                                \
	"250-s\r\n250-STARTTLS\r\n250-AUTH LOGIN PLAIN\r\n250 XCLIENT ADDR PORT HELO LOGIN SESSION\r\n"

TEST(tls_then_xclient_then_the_login)
{
	struct caller o;

	caller_init(&o, true, "");
	o.settings.tls_mode = SMTP_TLS_REQUIRED;
	o.settings.authzid = "fred";
	o.settings.authcid = "proxy";
	o.settings.secret = "pw";
	o.settings.xclient_addr = "2001:db8::1";
	o.settings.xclient_port = 7;
	o.settings.xclient_helo = "a b";
	o.settings.xclient_login = "fred";
	o.settings.xclient_session = "s1";
	(void)feed(&o, SLICE("220 s\r\n" ALL_OFFERED "220 go\r\n"), &o.log);
	assert_true(smtp_client_is_tls(o.c));
	(void)feed(&o, SLICE(ALL_OFFERED "220 s\r\n" ALL_OFFERED "235 in\r\n"), &o.log);
	test_eq_slice("log", buf_slice(&o.log),
	              SLICE("LHLO me\r\nSTARTTLS\r\n<tls>\nLHLO me\r\n"
	                    "XCLIENT ADDR=IPV6:2001:db8::1 PORT=7 HELO=a+20b LOGIN=fred "
	                    "SESSION=s1\r\nLHLO me\r\nAUTH PLAIN ZnJlZABwcm94eQBwdw==\r\n"
	                    "<ready>\n"));
	caller_fini(&o);
}

TEST(what_a_login_may_meet)
{
	struct smtp_client_settings login = { .authcid = "u", .secret = "p" };
	struct smtp_client_settings clear = { .authcid = "u", .secret = "p", .plaintext_ok = true };
	struct smtp_client_settings for_other = {
		.authzid = "o", .authcid = "u", .secret = "p", .plaintext_ok = true
	};
	struct smtp_client_settings tls = { .tls_mode = SMTP_TLS_REQUIRED };
	struct smtp_client_settings maybe = { .tls_mode = SMTP_TLS_IF_OFFERED };
	struct smtp_client_settings x = { .xclient_addr = "192.0.2.1" };

	check_login("no secrets in clear", login, SLICE("220 s\r\n" ALL_OFFERED),
	            "LHLO me\r\n<dead 0 no login without TLS>\n");
	check_login("AUTH is not offered", clear, SLICE("220 s\r\n250 s\r\n"),
	            "LHLO me\r\n<dead 0 the peer does not offer AUTH PLAIN>\n");
	check_login("refused", clear, SLICE("220 s\r\n" ALL_OFFERED "535 5.7.8 no\r\n"),
	            "LHLO me\r\nAUTH PLAIN AHUAcA==\r\n<dead 535 no>\n");
	check_login("only LOGIN is offered", clear,
	            SLICE("220 s\r\n250-s\r\n250 AUTH LOGIN\r\n334 VXNlcm5hbWU6\r\n334 eA==\r\n"
	                  "235 in\r\n"),
	            "LHLO me\r\nAUTH LOGIN\r\ndQ==\r\ncA==\r\n<ready>\n");
	check_login("LOGIN is refused", clear,
	            SLICE("220 s\r\n250-s\r\n250 AUTH LOGIN\r\n334 VXNlcm5hbWU6\r\n334 eA==\r\n"
	                  "535 5.7.8 no\r\n"),
	            "LHLO me\r\nAUTH LOGIN\r\ndQ==\r\ncA==\r\n<dead 535 no>\n");
	check_login("LOGIN asks for ever", clear,
	            SLICE("220 s\r\n250-s\r\n250 AUTH LOGIN\r\n334 \r\n334 \r\n334 more\r\n"),
	            "LHLO me\r\nAUTH LOGIN\r\ndQ==\r\ncA==\r\n<dead 334 more>\n");
	check_login("LOGIN knows nobody to act for", for_other,
	            SLICE("220 s\r\n250-s\r\n250 AUTH LOGIN\r\n"),
	            "LHLO me\r\n<dead 0 the peer does not offer AUTH PLAIN>\n");
	check_login("TLS is not offered", tls, SLICE("220 s\r\n250 s\r\n"),
	            "LHLO me\r\n<dead 0 the peer does not offer STARTTLS>\n");
	check_login("TLS is refused", tls, SLICE("220 s\r\n" ALL_OFFERED "454 later\r\n"),
	            "LHLO me\r\nSTARTTLS\r\n<dead 454 later>\n");
	check_login("TLS is refused, and need not be", maybe,
	            SLICE("220 s\r\n" ALL_OFFERED "454 later\r\n"),
	            "LHLO me\r\nSTARTTLS\r\n<ready>\n");
	check_login("text behind STARTTLS", maybe,
	            SLICE("220 s\r\n" ALL_OFFERED "220 go\r\n250 evil\r\n"),
	            "LHLO me\r\nSTARTTLS\r\n<dead 0 the peer talked on behind STARTTLS>\n");
	check_login("it does not trust us", x, SLICE("220 s\r\n" ALL_OFFERED "550 no\r\n"),
	            "LHLO me\r\nXCLIENT ADDR=192.0.2.1\r\n<ready>\n");
	check_login("it goes when asked", x, SLICE("220 s\r\n" ALL_OFFERED "421 no\r\n"),
	            "LHLO me\r\nXCLIENT ADDR=192.0.2.1\r\n<dead 421 no>\n");
}

TEST(a_long_secret_waits_for_its_turn)
{
	static char secret[600];
	struct caller o;

	memset(secret, 'x', sizeof(secret) - 1);
	caller_init(&o, true, "");
	o.settings.authcid = "u";
	o.settings.secret = secret;
	o.settings.plaintext_ok = true;
	(void)feed(&o, SLICE("220 s\r\n" ALL_OFFERED), &o.log);
	test_eq_slice("first", buf_slice(&o.log), SLICE("LHLO me\r\nAUTH PLAIN\r\n"));
	buf_clear(&o.log);
	(void)feed(&o, SLICE("334 \r\n"), &o.log);
	assert_int_equal(o.log.len, (2 + 1 + sizeof(secret) - 1 + 2) / 3 * 4 + 2);
	buf_clear(&o.log);
	(void)feed(&o, SLICE("235 in\r\n"), &o.log);
	test_eq_slice("in", buf_slice(&o.log), SLICE("<ready>\n"));
	caller_fini(&o);
}

/* ---- the body ---------------------------------------------------------------------------- */

TEST(a_refusal_in_the_middle_of_the_body_is_told)
{
	struct buf out = BUF_INIT(SIZE_MAX);
	struct smtp_client_event ev;
	struct caller o;
	struct slice in = SLICE("452 4.3.1 full\r\n");
	size_t used;

	caller_init(&o, true, "");
	(void)feed(&o, SLICE(UP), &o.log);
	o.todo = "";
	say_envelope(&o, false, &out);
	smtp_client_data(o.c, &out);
	assert_int_equal(smtp_client_pending(o.c), 4);
	in = SLICE("250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n452 4.3.1 full\r\n");
	for (int i = 0; i < 4; i++) {
		assert_int_equal(smtp_client_input(o.c, in, &used, &out, &ev), 1);
		in = slice_skip(in, used);
	}
	assert_int_equal(ev.kind, SMTP_CLIENT_GO_AHEAD);
	smtp_client_body(o.c, SLICE("half"), &out);
	assert_int_equal(smtp_client_input(o.c, in, &used, &out, &ev), -1);
	assert_int_equal(smtp_client_get_failure(o.c)->code, 452);
	/* who has not noticed yet does no harm */
	buf_clear(&out);
	smtp_client_body(o.c, SLICE("half"), &out);
	smtp_client_body_end(o.c, &out);
	smtp_client_quit(o.c, &out);
	assert_int_equal(out.len, 0);
	buf_fini(&out);
	caller_fini(&o);
}

TEST(long_and_endless_replies_end_the_connection)
{
	static char line[SMTP_REPLY_LINE_MAX + 1];
	struct caller o;

	memset(line, 'x', sizeof(line));
	memcpy(line, "220 ", 4);
	memcpy(line + SMTP_REPLY_LINE_MAX - 2, "\r\n", 2);
	caller_init(&o, true, "");
	(void)feed(&o, slice_make(line, SMTP_REPLY_LINE_MAX), &o.log);
	test_eq_slice("longest", buf_slice(&o.log), SLICE("LHLO me\r\n"));
	caller_fini(&o);

	memcpy(line + SMTP_REPLY_LINE_MAX - 2, "xx", 2);
	caller_init(&o, true, "");
	(void)feed(&o, slice_make(line, SMTP_REPLY_LINE_MAX), &o.log);
	test_eq_slice("too long", buf_slice(&o.log),
	              SLICE("<dead 0 the peer's reply is too long>\n"));
	caller_fini(&o);

	caller_init(&o, true, "");
	for (int i = 0; i <= SMTP_REPLY_LINES_MAX && !o.ended; i++)
		(void)feed(&o, SLICE("220-x\r\n"), &o.log);
	test_eq_slice("endless", buf_slice(&o.log),
	              SLICE("<dead 0 the peer's reply has too many lines>\n"));
	caller_fini(&o);
}

/* ---- both machines ------------------------------------------------------------------------- */

struct pipe {
	struct buf sent, got;
};

/* At most max bytes of what was sent arrive. False: there is nothing on the way. */
static bool
arrive(struct pipe *p, size_t max)
{
	struct slice s = slice_sub(buf_slice(&p->sent), 0, max);

	buf_add_slice(&p->got, s);
	buf_consume(&p->sent, s.n);
	return s.n > 0;
}

static void
talk(struct caller *c, struct owner *s, size_t step)
{
	struct pipe to_server = { BUF_INIT(SIZE_MAX), BUF_INIT(SIZE_MAX) };
	struct pipe to_client = { BUF_INIT(SIZE_MAX), BUF_INIT(SIZE_MAX) };
	struct slice rest;
	bool moved = true;

	smtp_server_greet(s->s, "hello", &to_client.sent);
	while (moved) {
		moved = arrive(&to_client, step);
		rest = feed(c, buf_slice(&to_client.got), &to_server.sent);
		buf_consume(&to_client.got, to_client.got.len - rest.n);
		moved = arrive(&to_server, step) || moved;
		rest = owner_feed(s, buf_slice(&to_server.got));
		buf_consume(&to_server.got, to_server.got.len - rest.n);
		buf_add_slice(&to_client.sent, buf_slice(&s->log));
		buf_clear(&s->log);
	}
	buf_fini(&to_server.sent);
	buf_fini(&to_server.got);
	buf_fini(&to_client.sent);
	buf_fini(&to_client.got);
}

TEST(client_and_server_understand_each_other)
{
	for (int lmtp = 0; lmtp < 2; lmtp++)
		for (size_t step = 1; step < 100; step++) {
			struct buf notes = BUF_INIT(SIZE_MAX);
			struct caller c;
			struct owner s;

			caller_init(&c, lmtp, "pdfdq");
			owner_init(&s, lmtp);
			s.notes = &notes;
			talk(&c, &s, step);
			assert_true(c.ended && s.ended);
			assert_true(slice_ends(buf_slice(&c.log), SLICE("<ready>\n<quit>\n")));
			test_eq_slice(
				"notes", buf_slice(&notes),
				SLICE("<helo me>\n"
			              "<mail a@x>\n<rcpt 0 b@x>\n<rcpt 1 c@x>\n<reset>\n"
			              "<mail a@x>\n<rcpt 0 b@x>\n<rcpt 1 c@x>\n<data>\n"
			              "<body hi\r\n.x\r\n>\n"
			              "<mail \xc3\xa4@x size=9 8bit utf8 hdrs envid=e=1 "
			              "key=30..66 session=s1 addr=192.0.2.1>\n"
			              "<rcpt 0 \"b c\"@x notify=10 orcpt=rfc822;b+c@x user=b c "
			              "detail=\xc3\xa4 claim=7>\n<data>\n<body hi\r\n.x\r\n>\n"
			              "<mail a@x>\n<rcpt 0 b@x>\n<rcpt 1 c@x>\n<data>\n"
			              "<body hi\r\n.x\r\n>\n<quit>\n"));
			buf_fini(&notes);
			caller_fini(&c);
			owner_fini(&s);
		}
}
