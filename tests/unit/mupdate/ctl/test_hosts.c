/* hosts - sockets' names, settings of one host and of several. */
#include "ctl/hosts.h"

#include "lib/test.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const struct socket_case {
	const char *name, *program; /* NULL: not ours */
	const char *instance;
	unsigned worker;
} sockets[] = {
	{ "roost-imap.ctl", "roost-imap", "", 0 },
	{ "roost-imap.1.ctl", "roost-imap", "", 1 },
	{ "roost-imap.255.ctl", "roost-imap", "", 255 },
	{ "roost-store-store1.ctl", "roost-store", "store1", 0 },
	{ "roost-store-a-b.c.ctl", "roost-store", "a-b.c", 0 },
	{ "roost-store-store1.2.ctl", "roost-store", "store1", 2 },
	{ "roost-mupdate.ctl", "roost-mupdate", "", 0 },
	{ "roost-smtp.0.ctl", NULL },
	{ "roost-imap.ctl.old", NULL },
	{ "roost-imapd.ctl", NULL },
	{ "roost-store-.ctl", NULL },
	{ "other.ctl", NULL },
	{ ".ctl", NULL },
	{ "", NULL },
};

TEST(names_of_sockets)
{
	for (size_t i = 0; i < ARRAY_LEN(sockets); i++) {
		const struct socket_case *c = &sockets[i];
		char program[32], instance[128];
		unsigned worker;
		bool ok = hosts_parse_socket(c->name, program, instance, &worker);

		test_check(ok == (c->program != NULL), "%s", c->name);
		if (!ok)
			continue;
		test_eq_str(c->name, program, c->program);
		test_eq_str(c->name, instance, c->instance);
		assert_int_equal(worker, c->worker);
	}
}

static void
write_file(const char *dir, const char *name, const char *text)
{
	char path[600];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static const char *
make_dir(const char *name)
{
	static char paths[8][400];
	static unsigned next;
	char *path = paths[next++ % ARRAY_LEN(paths)];

	snprintf(path, sizeof(paths[0]), "%s/%s", test_dir(), name);
	assert_int_equal(mkdir(path, 0755), 0);
	return path;
}

static void
check_program(const struct hosts *h, unsigned i, const char *text, bool configured,
              unsigned socket_count)
{
	const struct program *p = &h->programs[i];

	test_eq_str("program", program_text(p), text);
	test_check(p->configured == configured, "%s", text);
	test_check(p->socket_count == socket_count, "%s has %u", text, p->socket_count);
}

TEST(one_host)
{
	const char *etc = make_dir("one"), *run = make_dir("one/run");
	char text[1000], path[500], want[600];
	struct err err;
	struct hosts *h;

	snprintf(text, sizeof(text),
	         "[common]\nrun_dir = %s\n[roost-store]\ncache_bytes = 1M\n[roost-store s2]\n"
	         "[roost-store s1]\n[roost-imap]\nworkers = 3\n",
	         run);
	write_file(etc, "roost.conf", text);
	write_file(run, "roost-imap.ctl", "");
	write_file(run, "roost-imap.2.ctl", "");
	write_file(run, "roost-mupdate.ctl", ""); /* runs by its defaults */
	write_file(run, "location.sock", "");
	snprintf(path, sizeof(path), "%s/roost.conf", etc);
	h = hosts_open(path, &err);
	test_check(h != NULL, "%s", err.text);
	assert_int_equal(h->host_count, 1);
	test_eq_str("one host has no label", h->hosts[0].label, "");
	assert_int_equal(h->program_count, 4);
	check_program(h, 0, "roost-mupdate", false, 1);
	check_program(h, 1, "roost-store s1", true, 1);
	check_program(h, 2, "roost-store s2", true, 1);
	check_program(h, 3, "roost-imap", true, 2);
	snprintf(want, sizeof(want), "%s/roost-store-s1.ctl", run);
	test_eq_str("socket", h->programs[1].sockets[0], want);
	snprintf(want, sizeof(want), "%s/roost-imap.2.ctl", run);
	test_eq_str("socket", h->programs[3].sockets[1], want);
	hosts_free(&h);
	assert_null(h);
	hosts_free(&h);
}

TEST(several_hosts)
{
	const char *etc = make_dir("etc");
	struct err err;
	struct hosts *h;

	write_file(etc, "b.conf",
	           "[common]\nrun_dir = /nonexistent/b\n[roost-smtp]\n[roost-imap]\n");
	write_file(etc, "a.conf", "[common]\nrun_dir = /nonexistent/a\n[roost-store s1]\n");
	write_file(etc, "a.conf~", "rubbish");
	write_file(etc, ".c.conf", "rubbish");
	h = hosts_open(etc, &err);
	test_check(h != NULL, "%s", err.text);
	assert_int_equal(h->host_count, 2);
	assert_int_equal(h->program_count, 3);
	check_program(h, 0, "roost-store s1 on a", true, 1);
	check_program(h, 1, "roost-imap on b", true, 1);
	check_program(h, 2, "roost-smtp on b", true, 1);
	hosts_free(&h);
	write_file(etc, "c.conf", "[common]\nnonsense = 1\n");
	assert_null(hosts_open(etc, &err));
	assert_non_null(strstr(err.text, "c.conf:2"));
}

TEST(nothing_to_read)
{
	struct err err;

	assert_null(hosts_open(make_dir("empty"), &err));
	assert_non_null(strstr(err.text, "no file *.conf"));
	assert_null(hosts_open("/nonexistent/roost.conf", &err));
	assert_non_null(strstr(err.text, "/nonexistent/roost.conf"));
}
