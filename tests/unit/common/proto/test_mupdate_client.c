#include "proto/mupdate_client.h"

#include "lib/test.h"

#include <stdlib.h>
#include <string.h>

/* What the owner heard, as text. */
struct owner {
	struct mupdate_client *c;
	struct buf out, seen;
	const char *plan; /* requests to make when ready: letters, see on_ready() */
};

static void
on_starttls(void *ctx)
{
	struct owner *o = ctx;

	buf_add_str(&o->seen, "tls;");
}

static void
on_ready(void *ctx, const struct mupdate_hello *h)
{
	struct owner *o = ctx;

	buf_printf(&o->seen, "ready %s %s", h->hostname, h->is_master ? "master" : h->master_url);
	if (h->extended)
		buf_printf(&o->seen, " %s %s %d %d %s", h->cluster, h->history, (int)h->revision,
		           (int)h->term, h->complete ? "complete" : "rebuilding");
	buf_add_char(&o->seen, ';');
	for (const char *p = o->plan; *p != '\0'; p++) {
		switch (*p) {
		case 'R':
			mupdate_client_reserve(o->c, SLICE("user.a"), SLICE("be1!"), SLICE("uv=1"));
			break;
		case 'A':
			mupdate_client_activate(o->c, SLICE("user.a"), SLICE("be1!"),
			                        SLICE("a\tlrs\t"), SLICE("uv=1"));
			break;
		case 'F':
			mupdate_client_find(o->c, SLICE("user.a"));
			break;
		case 'L':
			mupdate_client_list(o->c, SLICE(""));
			break;
		case 'U':
			mupdate_client_update(o->c, "abcd", 7);
			break;
		case 'N':
			mupdate_client_noop(o->c);
			break;
		case 'D':
			mupdate_client_delete(o->c, SLICE("user.a"));
			break;
		}
	}
}

static void
on_record(void *ctx, uint64_t id, const struct mupdate_record *r)
{
	static const char *const kinds[] = { "mailbox", "reserve", "delete" };
	struct owner *o = ctx;

	buf_printf(&o->seen, "%d:%s %.*s %.*s %.*s %.*s;", (int)id,
	           r->left ? "left" : kinds[r->kind], SLICE_ARG(r->name), SLICE_ARG(r->place),
	           SLICE_ARG(r->acl), SLICE_ARG(r->fields));
}

static void
on_stream(void *ctx, uint64_t id, bool snapshot, const char *history, uint64_t revision)
{
	struct owner *o = ctx;

	buf_printf(&o->seen, "%d:stream %s %s %d;", (int)id, snapshot ? "snapshot" : "difference",
	           history, (int)revision);
}

static void
on_done(void *ctx, uint64_t id, const struct mupdate_answer *a)
{
	static const char *const statuses[] = { "ok", "no", "bad", "bye" };
	struct owner *o = ctx;

	buf_printf(&o->seen, "%d:%s %s %.*s", (int)id, statuses[a->status],
	           mupdate_code_text(a->code), SLICE_ARG(a->text));
	if (a->revision != 0)
		buf_printf(&o->seen, " r%d c%d", (int)a->revision, (int)a->claim);
	buf_add_char(&o->seen, ';');
}

static void
on_failed(void *ctx, const char *why, bool denied)
{
	struct owner *o = ctx;

	buf_printf(&o->seen, "failed%s %s;", denied ? " denied" : "", why);
}

static const struct mupdate_client_ops ops = { on_starttls, on_ready, on_record,
	                                       on_stream,   on_done,  on_failed };

#define CYRUS                                                                                      \
	"* AUTH \"PLAIN\"\r\n* COMPRESS \"DEFLATE\"\r\n* PARTIAL-UPDATE\r\n"                       \
	"* OK MUPDATE \"m.test\" \"Cyrus IMAP\" \"3.6\" \"(master)\"\r\n"
#define ROOST                                                                                      \
	"* AUTH \"PLAIN\"\r\n* PARTIAL-UPDATE\r\n* ROOST \"1\"\r\n"                                \
	"* OK MUPDATE \"m.test\" \"Roost\" \"1\" \"(master)\"\r\n"
#define LOGIN "A1 AUTHENTICATE \"PLAIN\" \"AHBvc3QAcw==\"\r\n"
#define HELLO "X1 ROOST \"1\" \"lab\" \"3\"\r\n"
#define HELLO_OK                                                                                   \
	"A1 OK \"Authenticated\"\r\nX1 ROOST \"lab\" \"abcd\" \"7\" \"4\" \"complete\"\r\n"        \
	"X1 OK \"hello\"\r\n"
#define READY "ready m.test master lab abcd 7 4 complete;"

static const struct client_case {
	const char *name;
	bool tls;
	const char *plan, *in, *out, *seen;
} cases[] = {
	{ "a Cyrus master", false, "RAN",
	  CYRUS "A1 OK \"Authenticated\"\r\nR1 OK \"done\"\r\nR2 NO \"mailbox already exists\"\r\n"
	        "R3 OK \"Noop done\"\r\n",
	  LOGIN "R1 RESERVE \"user.a\" \"be1!\"\r\nR2 ACTIVATE \"user.a\" \"be1!\" {6+}\r\n"
	        "a\tlrs\t\r\nR3 NOOP\r\n",
	  "ready m.test master;1:ok  done;2:no  mailbox already exists;3:ok  Noop done;" },
	{ "a replica says where its master is", false, "",
	  "* AUTH PLAIN\r\n* OK MUPDATE \"r\" \"x\" \"1\" \"mupdate://m.test\"\r\nA1 OK \"in\"\r\n",
	  LOGIN, "ready r mupdate://m.test;" },
	{ "the extension", false, "RAF",
	  ROOST HELLO_OK
	  "R1 CHANGED \"8\" \"2\"\r\nR1 OK \"done\"\r\nR2 NO \"[EXISTS] mailbox exists\"\r\n"
	  "R3 MAILBOX {6+}\r\nuser.a {4+}\r\nbe1! {6+}\r\na\tlrs\t {5+}\r\nrev=8\r\n"
	  "R3 OK \"Search completed\"\r\n",
	  LOGIN HELLO "R1 RESERVE \"user.a\" \"be1!\" \"uv=1\"\r\n"
	              "R2 ACTIVATE \"user.a\" \"be1!\" {6+}\r\na\tlrs\t \"uv=1\"\r\n"
	              "R3 FIND \"user.a\"\r\n",
	  READY "1:ok  done r8 c2;2:no EXISTS mailbox exists;3:mailbox user.a be1! a\tlrs\t rev=8;"
	        "3:ok  Search completed;" },
	{ "a stream goes on after its OK", false, "UN",
	  ROOST HELLO_OK "R1 STREAM \"difference\" \"abcd\" \"9\"\r\n"
	                 "R1 DELETE \"user.b\" \"rev=8\"\r\nR1 OK \"streaming starts\"\r\n"
	                 "R1 RESERVE \"user.c\" \"be1!x\" \"rev=10\"\r\nR2 OK \"Noop done\"\r\n"
	                 "R1 MAILBOX \"user.c\" \"be1!x\" \"\" \"rev=11\"\r\n",
	  LOGIN HELLO "R1 UPDATE SINCE \"abcd\" \"7\"\r\nR2 NOOP\r\n",
	  READY "1:stream difference abcd 9;1:delete user.b   rev=8;1:ok  streaming starts;"
	        "1:reserve user.c be1!x  rev=10;2:ok  Noop done;1:mailbox user.c be1!x  rev=11;" },
	{ "names that were left", false, "U",
	  ROOST HELLO_OK "R1 STREAM \"difference\" \"abcd\" \"9\"\r\n"
	                 "R1 RESERVE \"user.c\" \"be1!x\" \"rev=8\" {4+}\r\na\tl\t\r\n"
	                 "R1 RESERVE \"user.d\" \"be1!x\" \"\" \"\"\r\n"
	                 "R1 RESERVE \"user.e\" \"be1!x\"\r\n",
	  LOGIN HELLO "R1 UPDATE SINCE \"abcd\" \"7\"\r\n",
	  READY "1:stream difference abcd 9;1:left user.c be1!x a\tl\t rev=8;1:left user.d be1!x  ;"
	        "1:reserve user.e be1!x  ;" },
	{ "a plain RESERVE with an ACL, as RFC 3656 section 4.11 has it", false, "U",
	  CYRUS "A1 OK \"in\"\r\nR1 RESERVE \"user.c\" \"be1!x\" \"a\" \"l\"\r\n",
	  LOGIN "R1 UPDATE\r\n", "ready m.test master;1:reserve user.c be1!x  ;" },
	{ "a plain stream of Cyrus", false, "U",
	  CYRUS "A1 OK \"in\"\r\nR1 MAILBOX {7+}\r\nuser.e2 {4+}\r\nbeX! {0+}\r\n\r\n"
	        "R1 OK \"streaming starts\"\r\nR1 DELETE {7+}\r\nuser.e2\r\n",
	  LOGIN "R1 UPDATE\r\n",
	  "ready m.test master;1:mailbox user.e2 beX!  ;1:ok  streaming starts;1:delete user.e2   ;" },
	{ "unquoted text", false, "D", CYRUS "A1 OK \"in\"\r\nR1 NO Client canceled it\r\n",
	  LOGIN "R1 DELETE \"user.a\"\r\n", "ready m.test master;1:no  Client canceled it;" },
	{ "a wrong password", false, "", CYRUS "A1 NO \"undefined error!\"\r\n", LOGIN,
	  "failed denied the server refuses our login;" },
	{ "another cluster", false, "", ROOST "A1 OK \"in\"\r\nX1 NO \"another cluster\"\r\n",
	  LOGIN HELLO,
	  "failed denied the server is of another cluster, or knows of a newer master;" },
	{ "an older term", false, "",
	  ROOST
	  "A1 OK \"in\"\r\nX1 ROOST \"lab\" \"abcd\" \"7\" \"2\" \"complete\"\r\nX1 OK \"h\"\r\n",
	  LOGIN HELLO, "failed denied the server's term is older than one seen before;" },
	{ "TLS where it is not offered", true, "", CYRUS, "",
	  "failed denied the server does not offer STARTTLS;" },
	{ "TLS", true, "",
	  "* AUTH\r\n* STARTTLS\r\n* OK MUPDATE \"m\" \"x\" \"1\" \"(master)\"\r\n"
	  "S1 OK \"go\"\r\n",
	  "S1 STARTTLS\r\n", "tls;" },
	{ "no PLAIN", false, "",
	  "* AUTH \"GSSAPI\"\r\n* OK MUPDATE \"m\" \"x\" \"1\" \"(master)\"\r\n", "",
	  "failed denied the server does not offer a login by PLAIN;" },
	{ "a goodbye", false, "", CYRUS "A1 OK \"in\"\r\n* BYE \"shutting down\"\r\n", LOGIN,
	  "ready m.test master;failed the server said goodbye;" },
	{ "an answer nobody asked for", false, "N", CYRUS "A1 OK \"in\"\r\nR9 OK \"done\"\r\n",
	  LOGIN "R1 NOOP\r\n",
	  "ready m.test master;failed the server answered what was not asked;" },
	{ "a record nobody asked for", false, "",
	  CYRUS "A1 OK \"in\"\r\nR9 MAILBOX \"a\" \"b\" \"c\"\r\n", LOGIN,
	  "ready m.test master;failed the server answered what was not asked;" },
	{ "a line that cannot be", false, "", CYRUS "A1  OK\r\n", LOGIN,
	  "failed the server sent a line that cannot be;" },
	{ "a number that is none", false, "R", ROOST HELLO_OK "R1 CHANGED \"x\" \"2\"\r\n",
	  LOGIN HELLO "R1 RESERVE \"user.a\" \"be1!\" \"uv=1\"\r\n",
	  READY "failed the server answered what was not asked;" },
	{ "not MUPDATE at all", false, "", "* OK IMAP4rev1 ready now here x\r\n", "",
	  "failed the peer does not speak MUPDATE;" },
};

static void
feed(struct owner *o, struct buf *pending, struct slice in)
{
	size_t used;

	buf_add_slice(pending, in);
	do {
		used = mupdate_client_input(o->c, buf_slice(pending));
		buf_consume(pending, used);
	} while (used > 0 && pending->len > 0);
}

static void
run(const struct client_case *k, size_t cut)
{
	const struct mupdate_client_conf conf = { .user = "post",
		                                  .secret = "s",
		                                  .want_tls = k->tls,
		                                  .want_extension = true,
		                                  .cluster = "lab",
		                                  .term = 3 };
	struct owner o = { .out = BUF_INIT(SIZE_MAX), .seen = BUF_INIT(SIZE_MAX), .plan = k->plan };
	struct buf pending = BUF_INIT(SIZE_MAX);
	size_t n = strlen(k->in);

	o.c = mupdate_client_new(&conf, &ops, &o, &o.out);
	feed(&o, &pending, slice_make(k->in, cut));
	feed(&o, &pending, slice_make(k->in + cut, n - cut));
	test_eq_slice(k->name, buf_slice(&o.out), slice_of(k->out));
	test_eq_slice(k->name, buf_slice(&o.seen), slice_of(k->seen));
	mupdate_client_free(&o.c);
	buf_fini(&o.out);
	buf_fini(&o.seen);
	buf_fini(&pending);
}

TEST(a_conversation_is_the_same_at_every_split)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (size_t cut = 0; cut <= strlen(cases[i].in); cut++)
			run(&cases[i], cut);
}
