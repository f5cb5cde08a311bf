/* load - many changes or questions over some connections, each with a window under way. */
#include "perf/mupdate/names.h"
#include "perf/mupdate/scenes.h"
#include "perf/mupdate/stamps.h"
#include "perf/mupdate/wire.h"

#include "base/buf.h"
#include "base/xalloc.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

typedef void command_fn(struct buf *out, uint64_t tag, const struct names_row *row);

struct loader {
	struct wire wire;
	pthread_t thread;
	const struct scene_args *args;
	command_fn *command;
	uint64_t first, count, done, records;
	struct stamps stamps;
};

static void
add_activate(struct buf *out, uint64_t tag, const struct names_row *row)
{
	buf_printf(out, "%" PRIu64 " ACTIVATE \"%s\" \"%s\" \"%s\"\r\n", tag, row->name, row->place,
	           row->acl);
}

static void
add_find(struct buf *out, uint64_t tag, const struct names_row *row)
{
	buf_printf(out, "%" PRIu64 " FIND \"%s\"\r\n", tag, row->name);
}

/* Half a window goes out at a time, so that the peer never waits for us. */
static void *
run(void *ctx)
{
	struct loader *l = ctx;
	const struct scene_args *a = l->args;
	uint64_t *sent_us = xcalloc(a->window, sizeof(*sent_us)), sent = 0;
	uint64_t piece = a->window > 1 ? a->window / 2 : 1;
	struct buf out = BUF_INIT(SIZE_MAX);
	struct names_row row;
	uint64_t records;
	char tag[24];

	while (l->done < l->count) {
		uint64_t now = stamps_now_us(), goal;

		buf_clear(&out);
		for (; sent < l->count && sent < l->done + a->window; sent++) {
			names_row(&row, a->server, a->from + l->first + sent, a->total);
			l->command(&out, sent, &row);
			sent_us[sent % a->window] = now;
		}
		if (out.len > 0 && !peer_send(&l->wire.peer, buf_slice(&out).p, out.len))
			break;
		for (goal = l->done + piece; l->done < goal && l->done < l->count; l->done++) {
			snprintf(tag, sizeof(tag), "%" PRIu64, l->done);
			if (!wire_await(&l->wire, tag, &records))
				goto out;
			l->records += records;
			stamps_add(&l->stamps, stamps_now_us() - sent_us[l->done % a->window]);
		}
	}
out:
	buf_fini(&out);
	free(sent_us);
	return NULL;
}

static int
report(struct loader *all, unsigned n, uint64_t us)
{
	struct stamps s;
	const char *why = "";
	uint64_t done = 0, records = 0;
	size_t room = 0;

	for (unsigned i = 0; i < n; i++)
		room += all[i].stamps.count;
	stamps_init(&s, room);
	for (unsigned i = 0; i < n; i++) {
		done += all[i].done;
		records += all[i].records;
		for (size_t k = 0; k < all[i].stamps.count; k++)
			stamps_add(&s, all[i].stamps.us[k]);
		if (all[i].wire.why[0] != '\0')
			why = all[i].wire.why;
		stamps_fini(&all[i].stamps);
		wire_close(&all[i].wire);
	}
	printf("count=%" PRIu64 " records=%" PRIu64
	       " seconds=%.3f per_second=%.0f p50_ms=%.2f p99_ms=%.2f why=\"%s\"\n",
	       done, records, (double)us / 1e6, (double)done * 1e6 / (double)us, stamps_ms(&s, 0.5),
	       stamps_ms(&s, 0.99), why);
	stamps_fini(&s);
	return *why == '\0' ? 0 : 1;
}

static int
load(const struct scene_args *a, command_fn *command)
{
	struct loader *all = xcalloc(a->connections, sizeof(*all));
	uint64_t start, each = a->count / a->connections;
	int code;

	for (unsigned i = 0; i < a->connections; i++) {
		all[i].args = a;
		all[i].command = command;
		all[i].first = i * each;
		all[i].count = i + 1 < a->connections ? each : a->count - i * each;
		stamps_init(&all[i].stamps, all[i].count);
		if (!wire_open(&all[i].wire, a->address, a->user, a->password)) {
			fprintf(stderr, "roost-mupload: %s\n", all[i].wire.why);
			exit(1);
		}
	}
	start = stamps_now_us();
	for (unsigned i = 0; i < a->connections; i++)
		if (pthread_create(&all[i].thread, NULL, run, &all[i]) != 0)
			exit(1);
	for (unsigned i = 0; i < a->connections; i++)
		(void)pthread_join(all[i].thread, NULL);
	code = report(all, a->connections, stamps_now_us() - start);
	free(all);
	return code;
}

int
scene_activate(const struct scene_args *a)
{
	return load(a, add_activate);
}

int
scene_find(const struct scene_args *a)
{
	return load(a, add_find);
}

/* ---- lists ------------------------------------------------------------------------------- */

static int
whole(const struct scene_args *a, const char *command)
{
	struct wire w;
	uint64_t start, names = 0;
	double seconds;
	bool ok = wire_open(&w, a->address, a->user, a->password);

	start = stamps_now_us();
	ok = ok && peer_say(&w.peer, "%s\r\n", command) && wire_await(&w, "L", &names);
	seconds = (double)(stamps_now_us() - start) / 1e6;
	printf("names=%" PRIu64 " seconds=%.3f per_second=%.0f why=\"%s\"\n", names, seconds,
	       (double)names / seconds, w.why);
	wire_close(&w);
	return ok ? 0 : 1;
}

int
scene_list(const struct scene_args *a)
{
	char command[128] = "L LIST";

	if (*a->server != '\0')
		snprintf(command, sizeof(command), "L LIST \"%s!\"", a->server);
	return whole(a, command);
}

int
scene_update(const struct scene_args *a)
{
	return whole(a, "L UPDATE");
}
