/* look - what a front end pays for a lookup or a list, in its own process. */
#include "perf/mupdate/names.h"
#include "perf/mupdate/scenes.h"
#include "perf/mupdate/stamps.h"

#include "location/reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LOOKUPS 1000000
#define LISTS 20000

static double
make_names_us(uint64_t names, uint64_t total)
{
	uint64_t start = stamps_now_us();
	struct names_row row;
	size_t sum = 0;

	for (uint64_t i = 0; i < LOOKUPS; i++) {
		names_row(&row, "s1", i % names, total);
		sum += strlen(row.name);
	}
	return (double)(stamps_now_us() - start + sum % 1) / LOOKUPS;
}

static double
find_us(struct location_reader *r, struct arena *a, uint64_t names, uint64_t total,
        uint64_t *found_r)
{
	uint64_t start = stamps_now_us();
	struct names_row row;
	struct location loc;

	for (uint64_t i = 0; i < LOOKUPS; i++) {
		names_row(&row, "s1", i % names, total);
		*found_r += location_reader_find(r, slice_of(row.name), a, &loc) == LOCATION_FOUND;
		arena_reset(a);
	}
	return (double)(stamps_now_us() - start) / LOOKUPS;
}

static bool
count_one(void *ctx, const struct location *loc)
{
	(void)loc;
	(*(uint64_t *)ctx)++;
	return true;
}

/* INBOX and folders of one user after the other. */
static double
list_user_us(struct location_reader *r, uint64_t total, uint64_t *rows_r)
{
	uint64_t start = stamps_now_us(), users = total / NAMES_FOLDERS * 9 / 10;
	char inbox[32];

	for (uint64_t i = 0; i < LISTS; i++) {
		snprintf(inbox, sizeof(inbox), "user.u%07" PRIu64, i * 7919 % users);
		(void)location_reader_list(r, slice_of(inbox), count_one, rows_r);
	}
	return (double)(stamps_now_us() - start) / LISTS;
}

static bool
count_level(void *ctx, const struct location_level *level)
{
	(void)level;
	(*(uint64_t *)ctx)++;
	return true;
}

/* LIST "" "Shared Folders/%" and "Shared Folders/lists/%" of anybody. */
static double
list_level_us(struct location_reader *r, const char *below, uint64_t *rows_r)
{
	uint64_t start = stamps_now_us();
	unsigned rounds = 0;

	do {
		(void)location_reader_list_level(r, SLICE("anyone"), slice_of(below), count_level,
		                                 rows_r);
		rounds++;
	} while (stamps_now_us() - start < 200000);
	*rows_r /= rounds;
	return (double)(stamps_now_us() - start) / rounds;
}

int
scene_look(const char *dir, uint64_t names, uint64_t total)
{
	struct location_reader *r = location_reader_new(dir);
	struct arena *a = arena_new("look");
	uint64_t found = 0, folders = 0, top = 0, groups = 0;
	double find, user, top_us, groups_us;

	(void)find_us(r, a, names, total, &found);
	found = 0;
	find = find_us(r, a, names, total, &found) - make_names_us(names, total);
	user = list_user_us(r, total, &folders);
	top_us = list_level_us(r, "", &top);
	groups_us = list_level_us(r, "lists.", &groups);
	printf("found=%" PRIu64 " find_us=%.2f user_rows=%.1f user_us=%.1f top_rows=%" PRIu64
	       " top_us=%.1f groups_rows=%" PRIu64 " groups_us=%.1f\n",
	       found, find, (double)folders / LISTS, user, top, top_us, groups, groups_us);
	arena_free(&a);
	location_reader_free(&r);
	return found == LOOKUPS ? 0 : 1;
}
