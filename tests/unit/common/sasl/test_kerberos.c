/* kerberos - a file of ours before those of the host. */
#include "sasl/kerberos.h"

#include "lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
configure(const char *before, const char *behind)
{
	char want[700], line[100];
	struct err err;
	bool found = false;
	FILE *f;

	assert_int_equal(
		before != NULL ? setenv("KRB5_CONFIG", before, 1) : unsetenv("KRB5_CONFIG"), 0);
	test_check(kerberos_configure(test_dir(), &err) == 0, "%s", err.text);
	snprintf(want, sizeof(want), "%s/kerberos.conf:%s", test_dir(), behind);
	test_eq_str("KRB5_CONFIG", getenv("KRB5_CONFIG"), want);
	*strchr(want, ':') = '\0';
	f = fopen(want, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL)
		found = found || strcmp(line, "\tdns_canonicalize_hostname = false\n") == 0;
	fclose(f);
	assert_true(found);
}

TEST(the_hosts_file_comes_second)
{
	configure(NULL, "/etc/krb5.conf");
}

TEST(so_do_those_of_the_environment)
{
	configure("/a:/b", "/a:/b");
}

TEST(a_folder_that_cannot_be_written_changes_nothing)
{
	struct err err;

	assert_int_equal(setenv("KRB5_CONFIG", "/a", 1), 0);
	assert_int_equal(kerberos_configure("/nonexistent", &err), -1);
	assert_non_null(strstr(err.text, "/nonexistent/kerberos.conf cannot be written"));
	test_eq_str("KRB5_CONFIG", getenv("KRB5_CONFIG"), "/a");
}
