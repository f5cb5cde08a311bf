/* test - see test.h. */
#include "lib/test.h"

#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"

#define TESTS_MOST 1024

static struct CMUnitTest tests[TESTS_MOST];
static size_t count;
static char dir[256];

void
test_register(const char *name, test_fn *fn)
{
	must(count < TESTS_MOST);
	tests[count++] = (struct CMUnitTest){ .name = name, .test_func = fn };
}

static const char *
show(struct buf *b, struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '\\' || c < 0x20 || c >= 0x7f)
			buf_printf(b, "\\x%02x", c);
		else
			buf_add_char(b, (char)c);
	}
	return buf_cstr(b);
}

void
test_eq_slice(const char *what, struct slice got, struct slice want)
{
	struct buf g = BUF_INIT(SIZE_MAX), w = BUF_INIT(SIZE_MAX);

	if (slice_eq(got, want))
		return;
	print_error("%s:\n  got  \"%s\"\n  want \"%s\"\n", what, show(&g, got), show(&w, want));
	buf_fini(&g);
	buf_fini(&w);
	fail();
}

void
test_eq_str(const char *what, const char *got, const char *want)
{
	test_eq_slice(what, slice_of(got), slice_of(want));
}

static int
remove_one(const char *path, UNUSED const struct stat *st, UNUSED int kind, UNUSED struct FTW *ftw)
{
	return remove(path);
}

static void
remove_dir(void)
{
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *
test_dir(void)
{
	const char *tmp = getenv("TMPDIR");

	if (dir[0] == '\0') {
		snprintf(dir, sizeof(dir), "%s/roost-test-XXXXXX", tmp != NULL ? tmp : "/tmp");
		must(mkdtemp(dir) != NULL);
		atexit(remove_dir);
	}
	return dir;
}

int
main(int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return _cmocka_run_group_tests(argv[0], tests, count, NULL, NULL);
}

void
test_limit_files(rlim_t bytes)
{
	struct rlimit limit;

	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = MIN(bytes, limit.rlim_max);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}
