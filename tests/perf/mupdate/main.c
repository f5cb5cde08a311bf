/*
 * roost-mupload - measures a location master, ours or Cyrus's, and what is below it:
 *
 *	roost-mupload activate|find|list|update ADDRESS USER PASSWORD SERVER FROM COUNT TOTAL
 *	              CONNECTIONS WINDOW
 *	roost-mupload seen ADDRESS USER PASSWORD SERVER FROM COUNT TOTAL REPLICA | DIR
 *	roost-mupload look DIR NAMES TOTAL
 *	roost-mupload floor DIR FROM COUNT BATCH TOTAL
 *
 * Prints one line of key=value. Exit status 1 when something failed.
 */
#include "perf/mupdate/floor.h"
#include "perf/mupdate/scenes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int wire_fn(const struct scene_args *a);
static const struct wire_scene {
	const char *name;
	wire_fn *run;
} wire_scenes[] = {
	{ "activate", scene_activate }, { "find", scene_find }, { "list", scene_list },
	{ "update", scene_update },     { NULL, NULL },
};

static uint64_t
number(const char *text)
{
	return strtoull(text, NULL, 10);
}

static int
usage(void)
{
	fprintf(stderr, "usage: see the top of tests/perf/mupdate/main.c\n");
	return 64;
}

static int
wire(int argc, char **argv)
{
	struct scene_args a = { .address = argv[2],
		                .user = argv[3],
		                .password = argv[4],
		                .server = argv[5],
		                .from = number(argv[6]),
		                .count = number(argv[7]),
		                .total = number(argv[8]) };
	const struct wire_scene *s = wire_scenes;

	if (strcmp(argv[1], "seen") == 0)
		return argv[9][0] == '/' ? scene_seen(&a, NULL, argv[9])
		                         : scene_seen(&a, argv[9], NULL);
	a.connections = (unsigned)number(argv[9]);
	a.window = argc > 10 ? (unsigned)number(argv[10]) : 0;
	while (s->name != NULL && strcmp(s->name, argv[1]) != 0)
		s++;
	if (s->name == NULL || a.connections == 0 || a.window == 0 || a.total == 0)
		return usage();
	return s->run(&a);
}

int
main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "look") == 0)
		return scene_look(argv[2], number(argv[3]), number(argv[4]));
	if (argc == 7 && strcmp(argv[1], "floor") == 0)
		return floor_run(argv[2], number(argv[3]), number(argv[4]), number(argv[5]),
		                 number(argv[6]));
	return argc >= 10 ? wire(argc, argv) : usage();
}
