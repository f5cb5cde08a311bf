#include "talk.h"

#include "base/xalloc.h"
#include "fakenet/fakenet.h"
#include "lib/test.h"
#include "mailbox/mailbox.h"
#include "net/conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOON 1704110400 /* 1 January 2024 */

static struct loop *
loop_of(struct world *w)
{
	return play_loop(w->play);
}

/* ---- clients -------------------------------------------------------------------------------- */

static void
on_input(void *ctx)
{
	struct talk *t = ctx;
	struct slice in = conn_input(t->conn);

	buf_add_slice(&t->in, in);
	conn_consume(t->conn, in.n);
}

static void
on_nothing(UNUSED void *ctx)
{
}

static void
on_end(void *ctx, UNUSED enum conn_end why)
{
	((struct talk *)ctx)->ended = true;
}

static const struct conn_handler handler = {
	.on_input = on_input,
	.on_drain = on_nothing,
	.on_tls = on_nothing,
	.on_end = on_end,
};

void
talk_init(struct talk *t, struct world *w, const char *user)
{
	const char *password = strcmp(user, "fred") == 0   ? "\"p w\""
	                       : strcmp(user, "boss") == 0 ? "big"
	                                                   : "secret";
	struct conn *server;
	char line[100];

	*t = (struct talk){ .world = w };
	buf_init(&t->in, SIZE_MAX);
	fakenet_pair(loop_of(w), "127.0.0.1:1000", "127.0.0.1:143", &t->conn, &server);
	conn_set_handler(t->conn, &handler, t);
	imap_session_start(w->service, &server, false);
	snprintf(line, sizeof(line), "l LOGIN %s %s", user, password);
	fakenet_settle(loop_of(w));
	(void)talk_heard(t);
	talk_send(t, line);
	talk_send(t, "\r\n");
	assert_true(slice_starts(talk_heard(t), SLICE("l OK ")));
}

void
talk_fini(struct talk *t)
{
	conn_free(&t->conn);
	buf_fini(&t->in);
	fakenet_settle(loop_of(t->world));
}

void
talk_world_init(struct world *w, struct talk *t)
{
	world_init(w, "");
	talk_init(t, w, "fred");
}

void
talk_world_fini(struct world *w, struct talk *t)
{
	talk_fini(t);
	world_fini(w);
}

void
talk_send(struct talk *t, const char *what)
{
	conn_write(t->conn, slice_of(what));
	fakenet_settle(loop_of(t->world));
}

struct slice
talk_heard(struct talk *t)
{
	struct slice heard = buf_slice(&t->in);

	/* the bytes stay where they are until more come */
	buf_consume(&t->in, t->in.len);
	return heard.n > 0 ? heard : SLICE("");
}

void
talk_check_news(struct talk *t, const char *what, const char *news)
{
	fakenet_settle(loop_of(t->world));
	test_eq_slice(what, talk_heard(t), slice_of(news));
}

void
talk_check(struct talk *t, const char *line, const char *answer)
{
	talk_send(t, line);
	talk_send(t, "\r\n");
	talk_check_news(t, line, answer);
}

struct slice
talk_last(struct talk *t, const char *line)
{
	struct slice heard;
	size_t end;

	talk_send(t, line);
	talk_send(t, "\r\n");
	heard = talk_heard(t);
	assert_true(slice_ends(heard, SLICE("\r\n")));
	heard.n -= 2;
	end = slice_find_last(heard, '\n');
	return end < heard.n ? slice_skip(heard, end + 1) : heard;
}

void
talk_check_end(struct talk *t, const char *line, const char *last)
{
	test_eq_slice(line, talk_last(t, line), slice_of(last));
}

void
talk_select(struct talk *t)
{
	talk_check_end(t, "s SELECT INBOX", "s OK [READ-WRITE] Selected");
}

void
talk_stop_reading(struct talk *t, bool stop)
{
	if (stop)
		conn_pause_input(t->conn);
	else
		conn_resume_input(t->conn);
	fakenet_settle(loop_of(t->world));
}

/* ---- messages ----------------------------------------------------------------------------------- */

static void
on_open(void *ctx, enum mbox_result result, struct mailbox *m)
{
	assert_int_equal(result, MBOX_OK);
	*(struct mailbox **)ctx = m;
}

static void
on_added(UNUSED void *ctx, enum mbox_result result, UNUSED const struct mailbox_added *added)
{
	assert_int_equal(result, MBOX_OK);
}

void
talk_put(struct world *w, const char *mbox, const struct talk_msg *msg)
{
	struct slice keyword = slice_of(msg->keyword);
	struct msg_new new = {
		.pieces = &msg->body,
		.piece_count = 1,
		.flags = { msg->flags, &keyword, msg->keyword != NULL },
		.internal_date = msg->date != 0 ? msg->date : NOON,
	};
	struct mailbox *m = NULL;

	(void)mailbox_open(w->store, slice_of(mbox), on_open, &m);
	fakenet_settle(loop_of(w));
	(void)mailbox_append(m, &new, 1, on_added, NULL);
	mailbox_release(&m);
	fakenet_settle(loop_of(w));
}

void
talk_put_text(struct world *w, const char *mbox, const char *body)
{
	talk_put(w, mbox, &(struct talk_msg){ .body = slice_of(body) });
}

/* ---- whole tests ---------------------------------------------------------------------------------- */

void
talk_play_messages(const struct talk_msg *msgs, size_t count, talk_fn *fn)
{
	static const size_t splits[] = { 0, 1, 7 };

	for (size_t i = 0; i < ARRAY_LEN(splits); i++) {
		struct world w;
		struct talk t;

		talk_world_init(&w, &t);
		for (size_t k = 0; k < count; k++)
			talk_put(&w, "user.fred", &msgs[k]);
		fakenet_set_split(loop_of(&w), splits[i]);
		talk_select(&t);
		fn(&t);
		talk_world_fini(&w, &t);
	}
}

void
talk_play(const char *const *bodies, size_t count, talk_fn *fn)
{
	struct talk_msg *msgs = xcalloc(count, sizeof(*msgs));

	for (size_t i = 0; i < count; i++)
		msgs[i].body = slice_of(bodies[i]);
	talk_play_messages(msgs, count, fn);
	free(msgs);
}

struct slice
talk_disturbed(struct talk *t, const char *line, const char *beside)
{
	struct talk second;

	talk_init(&second, t->world, "fred");
	talk_select(&second);
	conn_write(t->conn, slice_of(line));
	conn_write(t->conn, SLICE("\r\n"));
	talk_send(&second, beside);
	talk_fini(&second);
	return talk_heard(t);
}
