/*
 * thread - THREAD and UID THREAD: ORDEREDSUBJECT and REFERENCES. RFC 5256.
 *
 * Four parts, each a few milliseconds at a time: the messages are found, and what threads.c wants
 * of them; they are sorted by date; threads.c makes trees; the answer.
 */
#include "base/map.h"
#include "imap/message_key.h"
#include "imap/search_scan.h"
#include "imap/session_impl.h"
#include "imap/sort_keys.h"
#include "imap/threads.h"
#include "mail/msg_id.h"

#define STEPS 512 /* between looks at the clock */

struct thread_job {
	enum imap_thread algorithm;
	struct search_scan scan;
	struct message_key key;
	struct sort_keys dates;
	struct threads *threads;
	struct buf id;
	bool telling;
};

static void
cleanup(struct imap_session *s)
{
	struct thread_job *j = s->command.job;

	search_scan_fini(&j->scan);
	message_key_fini(&j->key);
	sort_keys_fini(&j->dates);
	threads_free(&j->threads);
	buf_fini(&j->id);
}

/* ---- what of messages ---- */

/* 0: there is none. */
static uint64_t
next_id(struct thread_job *j, struct slice *rest)
{
	return msg_id_next(rest, &j->id) ? map_hash(buf_slice(&j->id)) : 0;
}

static void
add_references(struct thread_job *j)
{
	struct slice rest = message_key_field(&j->key, "References");
	uint64_t id = next_id(j, &rest);

	if (id == 0) {
		rest = message_key_field(&j->key, "In-Reply-To");
		id = next_id(j, &rest);
		rest = SLICE("");
	}
	for (; id != 0; id = next_id(j, &rest))
		threads_add_reference(j->threads, id);
}

/* False: too much. */
static bool
add_message(struct imap_session *s, struct thread_job *j, uint32_t seq, const struct msg *m)
{
	struct slice subject, own;
	uint64_t hash;
	bool answer;

	message_key_start(&j->key, &j->scan.match.body);
	sort_keys_start(&j->dates);
	sort_keys_add_number(&j->dates, message_key_sent(&j->key), false);
	if (!sort_keys_end(&j->dates, (uint32_t)j->dates.count))
		return false;
	subject = message_key_subject(&j->key, &answer);
	hash = subject.n > 0 ? map_hash(subject) : 0;
	own = message_key_field(&j->key, "Message-ID");
	if (!threads_add(j->threads, s->command.uid ? m->uid : seq, next_id(j, &own), hash, answer))
		return false;
	if (j->algorithm == IMAP_THREAD_REFERENCES)
		add_references(j);
	return true;
}

/* ---- the parts ---- */

static void
tell(struct imap_session *s, struct command *c)
{
	struct thread_job *j = c->job;
	struct buf *out = imap_out(s);

	if (!j->telling)
		buf_add_str(out, j->dates.count > 0 ? "* THREAD " : "* THREAD");
	j->telling = true;
	while (!threads_write(j->threads, STEPS, out))
		if (command_must_yield(s))
			return;
	buf_add_str(out, "\r\n");
	command_done(s, COMMAND_OK, NULL, "Threaded");
}

static void
make_threads(struct imap_session *s, struct command *c)
{
	struct thread_job *j = c->job;

	while (!threads_work(j->threads, STEPS))
		if (command_must_yield(s))
			return;
	command_pump(s, tell);
}

static void
order(struct imap_session *s, struct command *c)
{
	struct thread_job *j = c->job;

	while (!sort_keys_sort(&j->dates, STEPS))
		if (command_must_yield(s))
			return;
	for (size_t i = 0; i < j->dates.count; i++)
		threads_order(j->threads, sort_keys_id(&j->dates, i));
	command_pump(s, make_threads);
}

static void
collect(struct imap_session *s, struct command *c)
{
	struct thread_job *j = c->job;
	enum search_step step;
	const struct msg *m;
	uint32_t seq;

	while ((step = search_scan_next(&j->scan, &seq, &m)) == SEARCH_FOUND) {
		if (!add_message(s, j, seq, m)) {
			command_done(s, COMMAND_NO, "LIMIT", "Too much to be threaded");
			return;
		}
	}
	if (step == SEARCH_END)
		command_pump(s, order);
}

void
cmd_thread(struct imap_session *s, struct command *c)
{
	struct thread_job *j = arena_alloc(c->arena, sizeof(*j));

	c->job = j;
	if (!imap_thread_read(&c->args, &j->algorithm) ||
	    !imap_search_read_sorted(&c->args, &j->scan.program)) {
		command_bad(s, imap_args_bad(&c->args));
		return;
	}
	message_key_init(&j->key);
	sort_keys_init(&j->dates, view_count(s->view));
	j->threads = threads_new(j->algorithm, view_count(s->view));
	buf_init(&j->id, SIZE_MAX);
	c->cleanup = cleanup;
	if (search_scan_init(&j->scan, s))
		command_pump(s, collect);
}
