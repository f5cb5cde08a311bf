/*
 * who: what is told of a session, and of whom.
 */
#include "session/who.h"

#include "json/json.h"
#include "lib/test.h"

static const struct who_session fred = { .service = "imap",
	                                 .id = "abc",
	                                 .peer = "192.0.2.1",
	                                 .user = "fred",
	                                 .store = "store2",
	                                 .mailbox = "user.fred",
	                                 .state = "SELECTED",
	                                 .tls = true,
	                                 .age_s = 7 };
static const struct who_session nobody = {
	.service = "pop3", .id = "xyz", .peer = "192.0.2.2", .state = "AUTHORIZATION"
};

static void
check(const char *user, const char *store, const char *want)
{
	struct json *array = json_new_array();
	struct who who = { .sessions = array, .user = user, .store = store };
	struct buf text = BUF_INIT(10000);

	who_add(&who, &fred);
	who_add(&who, &nobody);
	json_print(array, &text);
	test_eq_str("who", buf_cstr(&text), want);
	buf_fini(&text);
	json_free(&array);
}

#define FRED                                                                                       \
	"{\"id\":\"abc\",\"service\":\"imap\",\"user\":\"fred\",\"peer\":\"192.0.2.1\","           \
	"\"tls\":true,\"age_s\":7,\"state\":\"SELECTED\",\"mailbox\":\"user.fred\","               \
	"\"store\":\"store2\"}"
#define NOBODY                                                                                     \
	"{\"id\":\"xyz\",\"service\":\"pop3\",\"user\":null,\"peer\":\"192.0.2.2\","               \
	"\"tls\":false,\"age_s\":0,\"state\":\"AUTHORIZATION\",\"mailbox\":null,\"store\":"

TEST(everybody_and_what_is_known_of_them)
{
	check(NULL, NULL, "[" FRED "," NOBODY "null}]");
}

TEST(a_store_names_itself_where_a_session_names_none)
{
	check(NULL, "store1", "[" FRED "," NOBODY "\"store1\"}]");
}

TEST(one_user_and_not_those_without_a_name)
{
	check("fred", NULL, "[" FRED "]");
	check("ann", NULL, "[]");
}
