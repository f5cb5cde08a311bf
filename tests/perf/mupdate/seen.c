/* seen - how long it takes from a change at the master until a front end sees it. */
#include "perf/mupdate/names.h"
#include "perf/mupdate/scenes.h"
#include "perf/mupdate/stamps.h"
#include "perf/mupdate/wire.h"

#include "location/reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define GIVE_UP_US 30000000
#define PAUSE_MOST_US 10000 /* between changes, so that they fall on any moment */
#define PAUSE_LOOK_US 20    /* between two looks */

struct watcher {
	struct wire wire;               /* a replica, asked by FIND */
	struct location_reader *reader; /* or a list read in place */
	struct arena *arena;
};

static bool
is_seen(struct watcher *w, const char *name)
{
	struct location loc;
	uint64_t records = 0;

	if (w->reader != NULL) {
		enum location_result r =
			location_reader_find(w->reader, slice_of(name), w->arena, &loc);

		arena_reset(w->arena);
		return r == LOCATION_FOUND;
	}
	return peer_say(&w->wire.peer, "F FIND \"%s\"\r\n", name) &&
	       wire_await(&w->wire, "F", &records) && records == 1;
}

static bool
one(struct wire *master, struct watcher *w, const struct names_row *row, struct stamps *from_ok)
{
	uint64_t ok;

	if (!peer_say(&master->peer, "C ACTIVATE \"%s\" \"%s\" \"%s\"\r\n", row->name, row->place,
	              row->acl) ||
	    !wire_await(master, "C", NULL))
		return false;
	ok = stamps_now_us();
	while (!is_seen(w, row->name)) {
		if (stamps_now_us() - ok > GIVE_UP_US)
			return false;
		/* the cores are for those we look at */
		nanosleep(&(struct timespec){ .tv_nsec = PAUSE_LOOK_US * 1000L }, NULL);
	}
	stamps_add(from_ok, stamps_now_us() - ok);
	nanosleep(&(struct timespec){ .tv_nsec = random() % PAUSE_MOST_US * 1000L }, NULL);
	return true;
}

int
scene_seen(const struct scene_args *a, const char *replica, const char *dir)
{
	struct watcher w = { .reader = NULL };
	struct wire master;
	struct names_row row;
	struct stamps s;
	bool ok = wire_open(&master, a->address, a->user, a->password);

	if (dir != NULL)
		w.reader = location_reader_new(dir);
	else
		ok = ok && wire_open(&w.wire, replica, a->user, a->password);
	w.arena = arena_new("seen");
	stamps_init(&s, a->count);
	for (uint64_t i = 0; ok && i < a->count; i++) {
		names_row(&row, a->server, a->from + i, a->total);
		ok = one(&master, &w, &row, &s);
	}
	printf("count=%zu p50_ms=%.3f p99_ms=%.3f max_ms=%.3f why=\"%s\"\n", s.count,
	       stamps_ms(&s, 0.5), stamps_ms(&s, 0.99), stamps_ms(&s, 1.0), master.why);
	stamps_fini(&s);
	arena_free(&w.arena);
	location_reader_free(&w.reader);
	if (dir == NULL)
		wire_close(&w.wire);
	wire_close(&master);
	return ok ? 0 : 1;
}
