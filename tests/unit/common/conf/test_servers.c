/* servers: the sections [server NAME], as front ends find them. */
#include "conf/servers.h"

#include "lib/test.h"

#include <string.h>

static const char settings[] = "[server store1]\n"
			       "imap = 127.0.0.1:1143\n"
			       "[server old]\n"
			       "kind = imap\n"
			       "pop3 = 127.0.0.1:2110\n"
			       "tls = starttls\n"
			       "tls_name = old.example.org\n";

static struct conf *
load(const char *text)
{
	static const struct conf_schema schema = { "roost-imap", NULL };
	struct err err = { "" };
	struct conf *c = conf_load_text("test", slice_of(text), &schema, NULL, &err);

	test_check(c != NULL, "%s", err.text);
	return c;
}

TEST(servers_of_the_settings)
{
	struct conf *c = load(settings);
	struct err err = { "" };
	static char fake_tls;
	struct servers *s;
	struct server *one;

	assert_true(servers_want_tls(c));
	assert_null(servers_new(c, NULL, &err));
	test_check(strstr(err.text, "old") != NULL, "%s", err.text);
	s = servers_new(c, (struct tls_ctx *)(void *)&fake_tls, &err);
	assert_int_equal(servers_count(s), 2);
	one = servers_find(s, SLICE("store1"));
	assert_ptr_equal(one, servers_at(s, 0));
	assert_int_equal(one->kind, SERVER_ROOST);
	assert_non_null(one->imap);
	assert_null(one->pop3);
	assert_false(one->starttls);
	test_eq_str("its own name", one->tls_name, "store1");
	one = servers_find(s, SLICE("old"));
	assert_int_equal(one->kind, SERVER_FOREIGN);
	assert_true(one->starttls);
	assert_non_null(one->tls);
	test_eq_str("the name that is set", one->tls_name, "old.example.org");
	assert_null(servers_find(s, SLICE("store")));
	assert_true(one->listed);
	assert_false(servers_have_unlisted(s));
	servers_free(&s);
	conf_free(&c);
}

TEST(servers_that_are_not_in_the_list)
{
	struct conf *c = load("[server s]\n[server dv]\nkind = imap\nlisted = no\n");
	struct servers *s = servers_new(c, NULL, NULL);
	struct err err = { "" };

	assert_true(servers_find(s, SLICE("s"))->listed);
	assert_false(servers_find(s, SLICE("dv"))->listed);
	assert_true(servers_have_unlisted(s));
	servers_free(&s);
	conf_free(&c);
	c = load("[server s]\nlisted = no\n");
	assert_null(servers_new(c, NULL, &err));
	test_check(strstr(err.text, "[server s]") != NULL, "%s", err.text);
	conf_free(&c);
}
