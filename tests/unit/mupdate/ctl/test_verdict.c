/* verdict - a row for each thing that can be wrong. */
#include "ctl/verdict.h"

#include "lib/test.h"

#include <stdio.h>
#include <string.h>

#define MASTER(says, server)                                                                       \
	{                                                                                          \
		NULL, LIST_MASTER, says, "", server, "", 9, 1, 0, true                             \
	}
#define REPLICA(says, server)                                                                      \
	{                                                                                          \
		NULL, LIST_REPLICA, says, "", server, "", 8, 1, 20, true                           \
	}
#define STORE(server, has)                                                                         \
	{                                                                                          \
		NULL, server, has, "", 0, 0, 0, true, true                                         \
	}
#define LONE(server, has)                                                                          \
	{                                                                                          \
		NULL, server, has, "", 0, 0, 0, false, false                                       \
	}
#define CUT_OFF(server, has)                                                                       \
	{                                                                                          \
		NULL, server, has, "", 0, 0, 0, true, false                                        \
	}

static const struct verdict_case {
	const char *name;
	enum account_is account;
	const char *home;
	struct fact_list lists[3];
	unsigned list_count;
	struct fact_store stores[3];
	unsigned store_count;
	enum verdict_id want;
	const char *text; /* a part of the sentence, or NULL */
	const char *next; /* a part, "" for none, or NULL */
	enum home_is home_is;
} cases[] = {
	{ "all is well",
	  ACCOUNT_ACTIVE,
	  "s1",
	  { MASTER(LIST_FOUND, "s1"), REPLICA(LIST_FOUND, "s1") },
	  2,
	  { STORE("s1", STORE_ACTIVE), STORE("s2", STORE_NONE) },
	  2,
	  VERDICT_FINE,
	  "goes to s1",
	  "" },
	{ "the home is another store",
	  ACCOUNT_ACTIVE,
	  "s2",
	  { MASTER(LIST_FOUND, "s1") },
	  1,
	  { STORE("s1", STORE_ACTIVE) },
	  1,
	  VERDICT_FINE,
	  "goes to s1",
	  "says s2" },
	{ "only a front end's host",
	  ACCOUNT_ACTIVE,
	  "s1",
	  { REPLICA(LIST_FOUND, "s1") },
	  1,
	  { { NULL } },
	  0,
	  VERDICT_FINE_HERE,
	  "Neither master nor store",
	  "" },
	{ "master without the store",
	  ACCOUNT_ACTIVE,
	  "s1",
	  { MASTER(LIST_FOUND, "s1") },
	  1,
	  { { NULL } },
	  0,
	  VERDICT_FINE_HERE,
	  "The store cannot be asked",
	  "" },
	{ "one store by itself",
	  ACCOUNT_ACTIVE,
	  "s1",
	  { { NULL } },
	  0,
	  { LONE("s1", STORE_ACTIVE) },
	  1,
	  VERDICT_FINE,
	  "goes to s1",
	  "" },
	{ "the directory is away",
	  ACCOUNT_AWAY,
	  "",
	  { { NULL } },
	  0,
	  { { NULL } },
	  0,
	  VERDICT_DIRECTORY_AWAY,
	  NULL,
	  "directory" },
	{ "not an address",
	  ACCOUNT_INVALID,
	  "",
	  { { NULL } },
	  0,
	  { { NULL } },
	  0,
	  VERDICT_INVALID,
	  NULL,
	  "" },
	{ "another's domain",
	  ACCOUNT_DOMAIN_UNKNOWN,
	  "",
	  { MASTER(LIST_NONE, "") },
	  1,
	  { { NULL } },
	  0,
	  VERDICT_DOMAIN_UNKNOWN,
	  NULL,
	  "domain add" },
	{ "no account",
	  ACCOUNT_UNKNOWN,
	  "",
	  { MASTER(LIST_NONE, "") },
	  1,
	  { STORE("s1", STORE_NONE) },
	  1,
	  VERDICT_NO_ACCOUNT,
	  NULL,
	  "user add ann@x.org" },
	{ "mailboxes without an account",
	  ACCOUNT_UNKNOWN,
	  "",
	  { MASTER(LIST_FOUND, "s1") },
	  1,
	  { STORE("s1", STORE_ACTIVE) },
	  1,
	  VERDICT_ORPHAN,
	  "s1 holds",
	  "--store s1" },
	{ "disabled",
	  ACCOUNT_DISABLED,
	  "s1",
	  { MASTER(LIST_FOUND, "s1") },
	  1,
	  { STORE("s1", STORE_ACTIVE) },
	  1,
	  VERDICT_DISABLED,
	  NULL,
	  "user enable" },
	{ "disabled, and its store is down",
	  ACCOUNT_DISABLED,
	  "s1",
	  { MASTER(LIST_FOUND, "s1") },
	  1,
	  { STORE("s1", STORE_SILENT) },
	  1,
	  VERDICT_STORE_AWAY,
	  NULL,
	  NULL },
	{ "two stores have it",
	  ACCOUNT_ACTIVE,
	  "s1",
	  { MASTER(LIST_FOUND, "s1") },
	  1,
	  { STORE("s1", STORE_ACTIVE), STORE("s2", STORE_CONFLICT) },
	  2,
	  VERDICT_CONFLICT,
	  "s1 serves it, s2 was refused",
	  NULL },
	{ "two stores serve it",
	  ACCOUNT_ACTIVE,
	  "s1",
	  { MASTER(LIST_FOUND, "s1") },
	  1,
	  { STORE("s1", STORE_ACTIVE), STORE("s2", STORE_ACTIVE) },
	  2,
	  VERDICT_CONFLICT,
	  NULL,
	  NULL },
	{ "nobody answers",
	  ACCOUNT_ACTIVE,
	  "s1",
	  { MASTER(LIST_SILENT, "") },
	  1,
	  { STORE("s1", STORE_SILENT) },
	  1,
	  VERDICT_DARK,
	  "programs answers",
	  "Start them" },
	{ "nobody is there",
	  ACCOUNT_ACTIVE,
	  "s1",
	  { { NULL } },
	  0,
	  { { NULL } },
	  0,
	  VERDICT_DARK,
	  "is on this host",
	  "--config" },
	{ "the master's list is new",
	  ACCOUNT_ACTIVE,
	  "s1",
	  { MASTER(LIST_BLIND, "") },
	  1,
	  { STORE("s1", STORE_ACTIVE) },
	  1,
	  VERDICT_REBUILDING,
	  NULL,
	  "servers" },
	{ "its store is down",
	  ACCOUNT_ACTIVE,
	  "s1",
	  { MASTER(LIST_FOUND, "s1") },
	  1,
	  { STORE("s1", STORE_SILENT), STORE("s2", STORE_NONE) },
	  2,
	  VERDICT_STORE_AWAY,
	  "It is on s1",
	  "Start s1" },
	{ "its home is down and it is nowhere",
	  ACCOUNT_ACTIVE,
	  "s1",
	  { MASTER(LIST_NONE, "") },
	  1,
	  { STORE("s1", STORE_SILENT) },
	  1,
	  VERDICT_STORE_AWAY,
	  NULL,
	  "Start s1" },
	{ "it is being made, says the master",
	  ACCOUNT_ACTIVE,
	  "s1",
	  { MASTER(LIST_RESERVED, "s1") },
	  1,
	  { STORE("s1", STORE_RESERVED) },
	  1,
	  VERDICT_PENDING,
	  NULL,
	  "reconcile --store s1" },
	{ "it is being made, says the store",
	  ACCOUNT_ACTIVE,
	  "s1",
	  { MASTER(LIST_FOUND, "s1") },
	  1,
	  { STORE("s1", STORE_RESERVED) },
	  1,
	  VERDICT_PENDING,
	  NULL,
	  NULL },
	{ "the store has lost it",
	  ACCOUNT_ACTIVE,
	  "s1",
	  { MASTER(LIST_FOUND, "s1") },
	  1,
	  { STORE("s1", STORE_NONE) },
	  1,
	  VERDICT_LOST,
	  "s1 does not have it.",
	  "reconcile" },
	{ "the list names the wrong store",
	  ACCOUNT_ACTIVE,
	  "s1",
	  { MASTER(LIST_FOUND, "s1") },
	  1,
	  { STORE("s1", STORE_NONE), STORE("s2", STORE_ACTIVE) },
	  2,
	  VERDICT_LOST,
	  "it is on s2",
	  "reconcile" },
	{ "the store has not told",
	  ACCOUNT_ACTIVE,
	  "s1",
	  { MASTER(LIST_NONE, "") },
	  1,
	  { STORE("s1", STORE_ACTIVE) },
	  1,
	  VERDICT_UNTOLD,
	  NULL,
	  "reconcile --store s1" },
	{ "the store cannot tell",
	  ACCOUNT_ACTIVE,
	  "s1",
	  { MASTER(LIST_NONE, "") },
	  1,
	  { CUT_OFF("s1", STORE_ACTIVE) },
	  1,
	  VERDICT_UNTOLD,
	  "not connected",
	  "Look why s1" },
	{ "no mailboxes yet",
	  ACCOUNT_ACTIVE,
	  "s1",
	  { MASTER(LIST_NONE, "") },
	  1,
	  { STORE("s1", STORE_NONE) },
	  1,
	  VERDICT_NO_MAILBOX,
	  NULL,
	  "user add ann@x.org makes" },
	{ "no mailboxes and no home",
	  ACCOUNT_ACTIVE,
	  "",
	  { MASTER(LIST_NONE, "") },
	  1,
	  { STORE("s1", STORE_NONE) },
	  1,
	  VERDICT_NO_MAILBOX,
	  NULL,
	  "--store STORE" },
	{ "no mailboxes on a store by itself",
	  ACCOUNT_ACTIVE,
	  "s1",
	  { { NULL } },
	  0,
	  { LONE("s1", STORE_NONE) },
	  1,
	  VERDICT_NO_MAILBOX,
	  NULL,
	  NULL },
	{ "a replica is behind",
	  ACCOUNT_ACTIVE,
	  "s1",
	  { MASTER(LIST_FOUND, "s1"), REPLICA(LIST_NONE, "") },
	  2,
	  { STORE("s1", STORE_ACTIVE) },
	  1,
	  VERDICT_BEHIND,
	  "revision 8, the master at 9",
	  NULL },
	{ "a replica is blind",
	  ACCOUNT_ACTIVE,
	  "s1",
	  { MASTER(LIST_FOUND, "s1"), REPLICA(LIST_BLIND, "") },
	  2,
	  { STORE("s1", STORE_ACTIVE) },
	  1,
	  VERDICT_BEHIND,
	  NULL,
	  NULL },
	{ "a replica believes in another store",
	  ACCOUNT_ACTIVE,
	  "s1",
	  { MASTER(LIST_FOUND, "s1"), REPLICA(LIST_FOUND, "s2") },
	  2,
	  { STORE("s1", STORE_ACTIVE) },
	  1,
	  VERDICT_BEHIND,
	  NULL,
	  NULL },
	{ "a silent replica is no reason",
	  ACCOUNT_ACTIVE,
	  "s1",
	  { MASTER(LIST_FOUND, "s1"), REPLICA(LIST_SILENT, "") },
	  2,
	  { STORE("s1", STORE_ACTIVE) },
	  1,
	  VERDICT_FINE,
	  NULL,
	  NULL },
	{ "two front ends disagree",
	  ACCOUNT_ACTIVE,
	  "s1",
	  { REPLICA(LIST_FOUND, "s1"), REPLICA(LIST_NONE, "") },
	  2,
	  { { NULL } },
	  0,
	  VERDICT_BEHIND,
	  "another at 8",
	  NULL },
	{ "no mailbox on a server of others",
	  ACCOUNT_ACTIVE,
	  "cy",
	  { MASTER(LIST_NONE, "") },
	  1,
	  { { NULL } },
	  0,
	  VERDICT_NO_MAILBOX,
	  NULL,
	  "its own tools",
	  HOME_FOREIGN },
	{ "at home where no list reaches",
	  ACCOUNT_ACTIVE,
	  "dv",
	  { MASTER(LIST_NONE, ""), REPLICA(LIST_BLIND, "") },
	  2,
	  { STORE("s1", STORE_NONE) },
	  1,
	  VERDICT_FINE_HERE,
	  "goes to dv, by the directory alone",
	  "",
	  HOME_UNLISTED },
	{ "nobody is here to be asked",
	  ACCOUNT_ACTIVE,
	  "dv",
	  { { NULL } },
	  0,
	  { { NULL } },
	  0,
	  VERDICT_FINE_HERE,
	  NULL,
	  "",
	  HOME_UNLISTED },
	{ "there, and on a store of ours",
	  ACCOUNT_ACTIVE,
	  "dv",
	  { MASTER(LIST_FOUND, "s1") },
	  1,
	  { STORE("s1", STORE_ACTIVE) },
	  1,
	  VERDICT_HIDDEN,
	  "what s1 has",
	  "delete it on s1",
	  HOME_UNLISTED },
	{ "there, and in the list",
	  ACCOUNT_ACTIVE,
	  "dv",
	  { REPLICA(LIST_FOUND, "s2") },
	  1,
	  { { NULL } },
	  0,
	  VERDICT_HIDDEN,
	  "what s2 has",
	  NULL,
	  HOME_UNLISTED },
	{ "disabled, at home where no list reaches",
	  ACCOUNT_DISABLED,
	  "dv",
	  { REPLICA(LIST_NONE, "") },
	  1,
	  { { NULL } },
	  0,
	  VERDICT_DISABLED,
	  NULL,
	  "user enable",
	  HOME_UNLISTED },
};

static struct facts
facts_of(const struct verdict_case *c)
{
	return (struct facts){
		.lists = (struct fact_list *)c->lists,
		.list_count = c->list_count,
		.stores = (struct fact_store *)c->stores,
		.store_count = c->store_count,
	};
}

TEST(verdicts)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct verdict_case *c = &cases[i];
		struct facts f = facts_of(c);
		struct verdict v;

		verdict_find(
			&(struct verdict_subject){ "ann@x.org", c->account, c->home, c->home_is },
			&f, &v);
		test_check(v.id == c->want, "%s: %s (%s)", c->name, verdict_word(v.id), v.text);
		test_check(*v.text != '\0', "%s", c->name);
		if (c->text != NULL)
			test_check(strstr(v.text, c->text) != NULL, "%s: %s", c->name, v.text);
		if (c->next != NULL && *c->next == '\0')
			test_eq_str(c->name, v.next, "");
		else if (c->next != NULL)
			test_check(strstr(v.next, c->next) != NULL, "%s: %s", c->name, v.next);
	}
}

TEST(each_verdict_has_a_row_above_and_a_word_of_its_own)
{
	for (int id = 0; id < VERDICT_COUNT; id++) {
		bool seen = false;

		for (size_t i = 0; i < ARRAY_LEN(cases); i++)
			seen = seen || (int)cases[i].want == id;
		test_check(seen, "%s", verdict_word((enum verdict_id)id));
		for (int other = 0; other < id; other++)
			assert_string_not_equal(verdict_word((enum verdict_id)id),
			                        verdict_word((enum verdict_id)other));
	}
	assert_int_equal(verdict_exit(VERDICT_FINE), 0);
	assert_int_equal(verdict_exit(VERDICT_NO_ACCOUNT), 1);
	assert_int_equal(verdict_exit(VERDICT_STORE_AWAY), 75);
}

TEST(gone_is_said_only_by_those_who_know)
{
	static const struct {
		const char *name;
		struct fact_list list;
		struct fact_store store;
		unsigned lists, stores;
		bool nowhere;
	} rows[] = {
		{ "the master has none", MASTER(LIST_NONE, ""), STORE("s1", STORE_NONE), 1, 1,
		  true },
		{ "the master is blind", MASTER(LIST_BLIND, ""), STORE("s1", STORE_NONE), 1, 1,
		  false },
		{ "the master is silent", MASTER(LIST_SILENT, ""), STORE("s1", STORE_NONE), 1, 1,
		  false },
		{ "a replica has none", REPLICA(LIST_NONE, ""), STORE("s1", STORE_NONE), 1, 1,
		  false },
		{ "the master has none, a store has it", MASTER(LIST_NONE, ""),
		  STORE("s1", STORE_ACTIVE), 1, 1, false },
		{ "a store by itself", MASTER(LIST_NONE, ""), LONE("s1", STORE_NONE), 0, 1, true },
		{ "a store of a cluster", MASTER(LIST_NONE, ""), STORE("s1", STORE_NONE), 0, 1,
		  false },
		{ "a silent store", MASTER(LIST_NONE, ""), LONE("s1", STORE_SILENT), 0, 1, false },
		{ "nobody", MASTER(LIST_NONE, ""), LONE("s1", STORE_NONE), 0, 0, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct facts f = {
			.lists = (struct fact_list *)&rows[i].list,
			.list_count = rows[i].lists,
			.stores = (struct fact_store *)&rows[i].store,
			.store_count = rows[i].stores,
		};

		test_check(facts_is_nowhere(&f) == rows[i].nowhere, "%s", rows[i].name);
	}
}
