/* Where lines go, and where they go next. */
#include "log/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/test.h"

static const char *
path_of(const char *name)
{
	static char paths[2][300];
	static unsigned turn;
	char *path = paths[turn++ % 2];

	snprintf(path, sizeof(paths[0]), "%s/%s", test_dir(), name);
	return path;
}

/* How often text stands in the file. */
static size_t
count(const char *name, const char *text)
{
	static char all[4096];
	int fd = open(path_of(name), O_RDONLY);
	ssize_t n = fd != -1 ? read(fd, all, sizeof(all) - 1) : 0;
	size_t found = 0;

	if (fd != -1)
		close(fd);
	all[n] = '\0';
	for (const char *at = all; (at = strstr(at, text)) != NULL; at++)
		found++;
	return found;
}

TEST(another_place_gets_the_lines_from_then_on)
{
	assert_true(log_is_stderr());
	assert_int_equal(log_open("test", path_of("a")), 0);
	assert_false(log_is_stderr());
	log_error(NULL, "one");
	assert_int_equal(log_open("test", path_of("b")), 0);
	log_error(NULL, "two");
	assert_int_equal(log_open("test", path_of("a")), 0);
	log_error(NULL, "three");
	assert_int_equal(count("a", "event="), 2);
	assert_int_equal(count("b", "event=two"), 1);
	assert_int_equal(log_open("test", "stderr"), 0);
	assert_true(log_is_stderr());
}

TEST(a_place_that_cannot_be_had_changes_nothing)
{
	assert_int_equal(log_open("test", path_of("c")), 0);
	assert_int_equal(log_open("test", path_of("none/c")), -1);
	log_error(NULL, "one");
	assert_int_equal(count("c", "event=one"), 1);
	assert_int_equal(log_open("test", NULL), 0);
}

TEST(a_file_that_was_moved_away_is_opened_again)
{
	assert_int_equal(log_open("test", path_of("d")), 0);
	log_error(NULL, "one");
	assert_int_equal(rename(path_of("d"), path_of("d.1")), 0);
	log_error(NULL, "two");
	log_reopen();
	log_error(NULL, "three");
	assert_int_equal(count("d.1", "event="), 2);
	assert_int_equal(count("d", "event=three"), 1);
	assert_int_equal(log_open("test", NULL), 0);
}
