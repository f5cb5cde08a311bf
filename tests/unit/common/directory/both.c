#include "both.h"

#include "lib/test.h"
#include "log/log.h"
#include "pgserver/pgserver.h"

#include <stdio.h>

static void
run(struct both *b, both_fn *fn)
{
	static const char *const users[] = { "fred", "ann", "bob", "zoe@other.org" };

	b->writer = directory_open(b->url, "Example.ORG", DIRECTORY_WRITE, &b->err);
	test_check(b->writer != NULL, "%s", b->err.text);
	b->reader = directory_open(b->url, "example.org", DIRECTORY_READ, &b->err);
	assert_non_null(b->reader);
	for (size_t i = 0; i < ARRAY_LEN(users); i++)
		test_check(directory_add(b->writer, users[i], NULL, "store1", &b->err) ==
		                   DIRECTORY_OK,
		           "%s: %s", users[i], b->err.text);
	fn(b);
	directory_close(&b->writer);
	directory_close(&b->reader);
}

void
on_both(both_fn *fn)
{
	static int number;
	struct both b = { .url = "" };

	log_set_level(LOG_ERROR);
	snprintf(b.url, sizeof(b.url), "sqlite:%s/both%d.db", test_dir(), number++);
	run(&b, fn);
	if (!pgserver_is_installed())
		return;
	pgserver_new_database(b.url);
	run(&b, fn);
}
