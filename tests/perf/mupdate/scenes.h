/* scenes - what is measured over the wire. Each prints one line; 0 when it succeeded. */
#ifndef PERF_MUPDATE_SCENES_H
#define PERF_MUPDATE_SCENES_H

#include <stdint.h>

struct scene_args {
	const char *address, *user, *password;
	const char *server; /* whose names */
	uint64_t from, count, total;
	unsigned connections, window; /* commands under way on each */
};

int scene_activate(const struct scene_args *a);
int scene_find(const struct scene_args *a);
/* All names; those of one server when a->server is set. */
int scene_list(const struct scene_args *a);
/* A subscriber from nothing. */
int scene_update(const struct scene_args *a);
/* From the OK to an ACTIVATE until the name is seen: at a replica by FIND, or in dir by the
 * reader of front ends. */
int scene_seen(const struct scene_args *a, const char *replica, const char *dir);
/* The reader of front ends on dir, which has the first `names` of total: lookups and lists, in
 * this process. */
int scene_look(const char *dir, uint64_t names, uint64_t total);

#endif
