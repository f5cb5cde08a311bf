/*
 * test - unit tests by cmocka: TEST(name) { ... } registers itself; every file of
 * tests is a program. Output is TAP, read by tests/run-tests.
 */
#ifndef TESTS_LIB_TEST_H
#define TESTS_LIB_TEST_H

/* cmocka wants these before it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/resource.h>

#include "base/must.h"
#include "base/slice.h"

typedef void test_fn(void **state);
void test_register(const char *name, test_fn *fn);

#define TEST(name)                                                                                 \
	static void name(void **state);                                                            \
	__attribute__((constructor)) static void test_register_##name(void)                        \
	{                                                                                          \
		test_register(#name, name);                                                        \
	}                                                                                          \
	static void name(UNUSED void **state)

/* Fail with a text that says which row of a table it was. */
#define test_fail(...)                                                                             \
	do {                                                                                       \
		print_error(__VA_ARGS__);                                                          \
		print_error("\n");                                                                 \
		fail();                                                                            \
	} while (0)
#define test_check(cond, ...)                                                                      \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			print_error("%s: ", #cond);                                                \
			test_fail(__VA_ARGS__);                                                    \
		}                                                                                  \
	} while (0)

/* Equal bytes, shown escaped when they differ. what names the row. */
void test_eq_slice(const char *what, struct slice got, struct slice want);
void test_eq_str(const char *what, const char *got, const char *want);

/* A fresh directory below $TMPDIR, removed at the end of the program. */
const char *test_dir(void);
/* Files take no byte behind this (RLIM_INFINITY: any): what a full disk does to a write, of which it
 * may take a part. */
void test_limit_files(rlim_t bytes);

#endif
