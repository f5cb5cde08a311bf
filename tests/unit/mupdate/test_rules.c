#include "rules.h"

#include "lib/test.h"

/* The table at the top of rules.h: every state of a name, every verb. */
enum now { UNKNOWN, OWN_RESERVED, OWN_LEFT, OTHER_LEFT, OTHER_RESERVED, OWN_ACTIVE, OTHER_ACTIVE };

static const struct rules_case {
	enum now now;
	const char *reserve, *activate, *deactivate, *delete;
} cases[] = {
	{ UNKNOWN, "reserved", "active", "UNKNOWN", "UNKNOWN" },
	{ OWN_RESERVED, "same", "active", "left", "gone" },
	{ OWN_LEFT, "reserved", "active", "same", "gone" },
	{ OTHER_LEFT, "EXISTS", "active", "EXISTS", "DENIED" },
	{ OTHER_RESERVED, "EXISTS", "EXISTS", "EXISTS", "DENIED" },
	{ OWN_ACTIVE, "same", "active", "left", "gone" },
	{ OTHER_ACTIVE, "EXISTS", "EXISTS", "EXISTS", "DENIED" },
};

static bool
speaks(void *ctx, struct slice server)
{
	return slice_eq_str(server, ctx);
}

static const char *
verdict_text(const struct rules_verdict *v)
{
	switch (v->act) {
	case RULES_NO:
		return mupdate_code_text(v->code);
	case RULES_SAME:
		return "same";
	case RULES_DELETE:
		return "gone";
	default:
		return v->loc.left                       ? "left"
		       : v->loc.state == LOCATION_ACTIVE ? "active"
		                                         : "reserved";
	}
}

static char own_server[] = "s1", other_server[] = "s2";

static struct rules_input
input(enum now now, enum mupdate_verb verb, struct location *have, const struct location *want)
{
	bool own = now == OWN_RESERVED || now == OWN_LEFT || now == OWN_ACTIVE;

	*have = (struct location){
		.name = want->name,
		.server = own ? SLICE("s1") : SLICE("s2"),
		.partition = SLICE("p"),
		.state = now == OWN_ACTIVE || now == OTHER_ACTIVE ? LOCATION_ACTIVE
		                                                  : LOCATION_RESERVED,
		.left = now == OWN_LEFT || now == OTHER_LEFT,
	};
	return (struct rules_input){
		.verb = verb,
		.speaks = speaks,
		.ctx = own_server,
		.now = now == UNKNOWN ? NULL : have,

		.want = want,
	};
}

static void
check(enum now now, enum mupdate_verb verb, struct slice acl, const char *expect)
{
	const struct location want = { .name = SLICE_INIT("user.a"),
		                       .server = SLICE_INIT("s1"),
		                       .partition = SLICE_INIT("p"),
		                       .acl = acl };
	struct location have;
	struct rules_input in = input(now, verb, &have, &want);
	struct rules_verdict v = rules_decide(&in);

	test_check(strcmp(verdict_text(&v), expect) == 0, "state %d verb %s: %s, not %s", (int)now,
	           mupdate_verb_text(verb), verdict_text(&v), expect);
}

TEST(each_verb_in_each_state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		check(cases[i].now, MUPDATE_V_RESERVE, SLICE(""), cases[i].reserve);
		check(cases[i].now, MUPDATE_V_ACTIVATE, SLICE("a\tlrs\t"), cases[i].activate);
		check(cases[i].now, MUPDATE_V_DEACTIVATE, SLICE(""), cases[i].deactivate);
		check(cases[i].now, MUPDATE_V_DELETE, SLICE(""), cases[i].delete);
	}
}

TEST(an_activation_that_changes_nothing_is_no_change)
{
	check(OWN_ACTIVE, MUPDATE_V_ACTIVATE, SLICE(""), "same");
}

/* Who was shown the mailbox goes on seeing it until it is there again. */
TEST(a_name_keeps_its_acl_only_while_it_is_left)
{
	struct location want = { .name = SLICE_INIT("user.a"),
		                 .server = SLICE_INIT("s1"),
		                 .partition = SLICE_INIT("p") };
	struct location have;
	struct rules_input in = input(OWN_ACTIVE, MUPDATE_V_DEACTIVATE, &have, &want);
	struct rules_verdict v;

	have.acl = SLICE("a\tlr\tb\tl\t");
	v = rules_decide(&in);
	test_eq_str("deactivated", verdict_text(&v), "left");
	test_eq_slice("its ACL", v.loc.acl, have.acl);
	in = input(OWN_LEFT, MUPDATE_V_DEACTIVATE, &have, &want);
	have.acl = SLICE("a\tlr\tb\tl\t");
	v = rules_decide(&in);
	test_eq_str("once more", verdict_text(&v), "same");
	in.verb = MUPDATE_V_RESERVE;
	v = rules_decide(&in);
	test_eq_str("made anew", verdict_text(&v), "reserved");
	test_eq_slice("its ACL", v.loc.acl, SLICE(""));
	want.server = SLICE("s2");
	want.acl = SLICE("b\tl\t");
	in.verb = MUPDATE_V_ACTIVATE;
	in.ctx = other_server;
	v = rules_decide(&in);
	test_eq_str("arrived", verdict_text(&v), "active");
	test_eq_slice("its ACL", v.loc.acl, SLICE("b\tl\t"));
}

TEST(what_is_left_goes_to_whom_it_is_moved_and_not_to_whoever_pushes)
{
	struct location want = { .name = SLICE_INIT("user.a"), .server = SLICE_INIT("s1") };
	struct location have;
	struct rules_input in = input(OTHER_LEFT, MUPDATE_V_ACTIVATE, &have, &want);
	struct rules_verdict v;

	in.is_push = true;
	v = rules_decide(&in);
	test_eq_str("another's", verdict_text(&v), "EXISTS");
	assert_true(v.conflict);
	in = input(OWN_LEFT, MUPDATE_V_ACTIVATE, &have, &want);
	in.is_push = true;
	v = rules_decide(&in);
	test_eq_str("its own", verdict_text(&v), "active");
}

TEST(takeover_and_rebuilding_and_read_only)
{
	struct location want = { .name = SLICE_INIT("user.a"), .server = SLICE_INIT("s1") };
	struct location have;
	struct rules_input in = input(OTHER_ACTIVE, MUPDATE_V_ACTIVATE, &have, &want);
	struct rules_verdict v;

	v = rules_decide(&in);
	assert_true(v.act == RULES_NO && v.conflict);
	in.takeover = true;
	v = rules_decide(&in);
	assert_int_equal(v.act, RULES_SET);
	in.takeover = false;
	want.claim = 5;
	v = rules_decide(&in);
	assert_int_equal(v.act, RULES_NO);
	in.rebuilding = true;
	v = rules_decide(&in);
	assert_int_equal(v.act, RULES_SET);
	have.claim = 5;
	v = rules_decide(&in);
	assert_int_equal(v.act, RULES_NO);
	in.read_only = true;
	v = rules_decide(&in);
	test_eq_str("read only", verdict_text(&v), "DENIED");
	in = input(UNKNOWN, MUPDATE_V_RESERVE, &have, &want);
	in.rebuilding = true;
	v = rules_decide(&in);
	test_eq_str("rebuilding", verdict_text(&v), "LATER");
}

TEST(a_record_of_an_old_copy_is_no_obstacle_and_is_written_again)
{
	struct location want = { .name = SLICE_INIT("user.a"),
		                 .server = SLICE_INIT("s1"),
		                 .partition = SLICE_INIT("p") };
	static const enum now states[] = { OWN_ACTIVE, OTHER_ACTIVE, OTHER_RESERVED };

	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		struct location have;
		struct rules_input in = input(states[i], MUPDATE_V_ACTIVATE, &have, &want);
		struct rules_verdict v;

		in.rebuilding = in.now_unsure = true;
		v = rules_decide(&in);
		test_check(v.act == RULES_SET && v.loc.state == LOCATION_ACTIVE, "state %d",
		           (int)states[i]);
	}
}

TEST(fields_of_ours_survive_a_plain_peer)
{
	struct location want = { .name = SLICE_INIT("user.a"),
		                 .server = SLICE_INIT("s1"),
		                 .acl = SLICE_INIT("a\tl\t") };
	struct location have;
	struct rules_input in = input(OWN_ACTIVE, MUPDATE_V_ACTIVATE, &have, &want);
	struct rules_verdict v;

	have.uidvalidity = 7;
	have.special_use = SLICE("\\Sent");
	v = rules_decide(&in);
	assert_int_equal(v.loc.uidvalidity, 7);
	test_eq_slice("special-use", v.loc.special_use, SLICE("\\Sent"));
	in.want_has_fields = true;
	v = rules_decide(&in);
	assert_int_equal(v.loc.uidvalidity, 0);
	have.server = SLICE("s2");
	have.left = true;
	have.state = LOCATION_RESERVED;
	in.want_has_fields = false;
	v = rules_decide(&in);
	assert_int_equal(v.loc.uidvalidity, 0);
}
