/*
 * Stores that say anything at any time: whatever it is, it costs sessions and never the worker.
 * Numbers decide, so a run can be done again; make check SAN=address looks at the memory.
 */
#include "world.h"

#include "base/buf.h"

#include "lib/test.h"

#include <stdio.h>
#include <string.h>

#define ROUNDS 400

static uint32_t random_state;

static uint32_t
pick(uint32_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state % n;
}

/* ---- what is said -------------------------------------------------------------------------- */

static const struct slice tokens[] = {
	SLICE_INIT("INBOX"),
	SLICE_INIT("\"Other Users/bob/here\""),
	SLICE_INIT("\"Shared Folders/lists/news\""),
	SLICE_INIT("{3}\r\nabc"),
	SLICE_INIT("{17}\r\nOther Users/b\xc3\xa4/x"),
	SLICE_INIT("{4}\r\na\0bc"),
	SLICE_INIT("{19}\r\nShared Folders/\r\nxy"),
	SLICE_INIT("{99999999999}"),
	SLICE_INIT("\"a\\\"b\\\\\""),
	SLICE_INIT("\""),
	SLICE_INIT("("),
	SLICE_INIT(")"),
	SLICE_INIT("NIL"),
	SLICE_INIT(""),
	SLICE_INIT("4294967296"),
	SLICE_INIT("\\Recent $x"),
};

/* '%': a token, '@': the tag of the command. */
static const char *const data[] = {
	"* LIST (\\HasNoChildren) \"/\" %",
	"* LSUB () \"/\" %",
	"* LSUB (%) \"/\" \"Other Users/x\"",
	"* STATUS % (MESSAGES 1)",
	"* MYRIGHTS % lrswipkxtea",
	"* MYRIGHTS INBOX lrswipkxtea",
	"* 1 FETCH (UID 12 FLAGS (%) INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" RFC822.SIZE 5)",
	"* 2 FETCH (UID 13 FLAGS () INTERNALDATE % RFC822.SIZE 5)",
	"* 1 FETCH (UID 12 BODY[] {5}\r\nhello)",
	"* 2 FETCH (UID 13 BODY[] %)",
	"* 3 FETCH (% BODY[] {2}\r\nhi)",
	"* 2 EXPUNGE",
	"* 7 EXISTS",
	"* OK [HIGHESTMODSEQ %] x",
	"* SEARCH 1 %",
	"* ESEARCH (TAG \"a\") UID ALL %",
	"* SORT % 1",
	"* THREAD (1 (2)(% 3",
	"* ENABLED CONDSTORE",
	"+ go",
	"+ %",
	"%",
};
static const char *const ends[] = {
	"@ OK done",
	"@ OK done",
	"@ OK [READ-WRITE] done",
	"@ OK [APPENDUID 7 5:6] done",
	"@ OK [APPENDUID 7 %] done",
	"@ NO [TRYCREATE] no",
	"@ NO [NONEXISTENT] no",
	"@ BAD %",
	"@ OK [CAPABILITY %] x",
	"zz OK done",
	"* BYE %",
	"+ go",
	"",
};
static const char *const commands[] = {
	"SELECT INBOX",
	"SELECT \"Shared Folders/lists/news\"",
	"EXAMINE \"Other Users/bob/here\"",
	"UID COPY 1:* \"Shared Folders/lists/news\"",
	"UID MOVE 1:* \"Shared Folders/lists/news\"",
	"COPY 1:2 INBOX",
	"MOVE 1 INBOX",
	"LIST \"\" *",
	"LIST (SUBSCRIBED RECURSIVEMATCH) \"\" *",
	"LIST \"\" * RETURN (SUBSCRIBED MYRIGHTS STATUS (MESSAGES HIGHESTMODSEQ))",
	"STATUS \"Shared Folders/lists/news\" (MESSAGES)",
	"APPEND \"Shared Folders/lists/news\" {5}\r\nhello {3+}\r\nyou",
	"APPEND INBOX {5+}\r\nhello\"",
	/* what is said next ends it */
	"APPEND \"Shared Folders/lists/news\" {9+}\r\nhello",
	"FETCH 1:* (FLAGS UID)",
	"ENABLE CONDSTORE",
	"RENAME \"Other Users/bob/here\" \"Shared Folders/lists/news/x\"",
	"IDLE\r\nDONE",
	"UNSELECT",
	"NOOP",
	"LOGOUT",
};

static void
add_line(struct buf *out, const char *form, struct slice tag)
{
	for (const char *p = form; *p != '\0'; p++) {
		if (*p == '@')
			buf_add_slice(out, tag);
		else if (*p == '%')
			buf_add_slice(out, tokens[pick(ARRAY_LEN(tokens))]);
		else
			buf_add_char(out, *p);
	}
	buf_add_str(out, "\r\n");
}

/* ---- those who say it ------------------------------------------------------------------------ */

/* One end of a connection; a store is the latest one. */
struct end {
	struct conn *conn;
	bool is_store;
};

static bool
has(struct slice line, const char *word)
{
	return slice_find_slice(line, slice_of(word)) < line.n;
}

static void
answer(struct end *e, struct slice line)
{
	struct buf out = BUF_INIT(SIZE_MAX);
	struct slice tag = slice_sub(line, 0, slice_find(line, ' '));

	if (has(line, "AUTHENTICATE PLAIN") || has(line, " ID (")) {
		add_line(&out, "@ OK [CAPABILITY " STORE_CAPS "] in", tag);
	} else {
		for (uint32_t n = pick(4); n > 0; n--)
			add_line(&out, data[pick(ARRAY_LEN(data))], tag);
		add_line(&out, ends[pick(ARRAY_LEN(ends))], tag);
	}
	conn_write(e->conn, buf_slice(&out));
	buf_fini(&out);
}

static void
on_input(void *ctx)
{
	struct end *e = ctx;
	struct slice in = conn_input(e->conn);
	size_t end;

	if (!e->is_store) {
		conn_consume(e->conn, in.n);
		return;
	}
	while ((end = slice_find(in, '\n')) < in.n) {
		struct buf line = BUF_INIT(SIZE_MAX);

		buf_add_slice(&line, slice_sub(in, 0, end));
		conn_consume(e->conn, end + 1);
		answer(e, buf_slice(&line));
		buf_fini(&line);
		in = conn_input(e->conn);
	}
}

static void
on_end(UNUSED void *ctx, UNUSED enum conn_end why)
{
}

static const struct conn_handler handler = { .on_input = on_input, .on_end = on_end };

static void
take(struct end *e, struct conn **c)
{
	conn_free(&e->conn);
	e->conn = *c;
	*c = NULL;
	conn_set_handler(e->conn, &handler, e);
}

static void
on_dialled(void *ctx, struct conn **c)
{
	struct end *e = ctx;

	take(e, c);
	conn_write(e->conn, SLICE("* OK [CAPABILITY " STORE_CAPS " AUTH=PLAIN] ready\r\n"));
}

/* ---- a session ---------------------------------------------------------------------------------- */

static void
say_all(struct world *w, struct end *client, uint32_t round)
{
	struct buf text = BUF_INIT(SIZE_MAX);

	fakenet_set_split(play_loop(w->play), round % 3 == 0 ? 7 : 0);
	conn_write(client->conn, SLICE("a LOGIN fred \"p w\"\r\ns SELECT INBOX\r\n"));
	fakenet_settle(play_loop(w->play));
	for (int i = 0; i < 12; i++) {
		buf_clear(&text);
		buf_printf(&text, "c%d %s\r\n", i, commands[pick(ARRAY_LEN(commands))]);
		conn_write(client->conn, buf_slice(&text));
		fakenet_settle(play_loop(w->play));
		if (pick(4) == 0)
			fakenet_advance(play_loop(w->play), pick(200000));
	}
	buf_fini(&text);
}

TEST(whatever_stores_say)
{
	struct world w;
	struct end client = { NULL, false }, stores[2] = { { NULL, true }, { NULL, true } };
	struct loop *l;

	world_init(&w);
	l = play_loop(w.play);
	play_run(w.play, "list has user.fred store1 fred=lrswipkxtea\n"
	                 "list has lists.news store2 anyone=lrswitek\n"
	                 "list has user.bob.here store2 fred=lrx\n"
	                 "wait 1s\n");
	fakenet_listen(l, "127.0.0.1:1143", on_dialled, &stores[0]);
	fakenet_listen(l, "127.0.0.1:2143", on_dialled, &stores[1]);
	for (uint32_t round = 1; round <= ROUNDS; round++) {
		struct conn *near, *far;

		random_state = round * 2654435761u;
		fakenet_pair(l, "192.0.2.1:1", "127.0.0.1:143", &near, &far);
		take(&client, &near);
		imap_session_start(w.proxy, &far, false);
		say_all(&w, &client, round);
		conn_free(&client.conn);
		fakenet_settle(l);
		test_check(imap_proxy_count(w.proxy) == 0, "round %u leaves a session", round);
	}
	conn_free(&stores[0].conn);
	conn_free(&stores[1].conn);
	world_fini(&w);
}
