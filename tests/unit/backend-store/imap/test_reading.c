/* What is no command, or too much of one. */
#include "world.h"

#include "base/buf.h"
#include "lib/test.h"

#include <stdio.h>

TEST(lines_that_are_no_commands)
{
	world_play_logged_in("client > a\n"
	                     "client < a BAD *\n"
	                     "client > a FOO\n"
	                     "client < a BAD *\n"
	                     "client >\n"
	                     "client < * BAD *\n"
	                     "client > (a) NOOP\n"
	                     "client < * BAD *\n"
	                     "client > + NOOP\n"
	                     "client < * BAD *\n"
	                     "client > \\xff NOOP\n"
	                     "client < * BAD *\n"
	                     "client > a UID\n"
	                     "client < a BAD *\n"
	                     "client > a UID NOOP\n"
	                     "client < a BAD *\n"
	                     "client > a  NOOP\n"
	                     "client < a BAD *\n"
	                     "client > a NOOP\\x00\n"
	                     "client < a BAD *\n"
	                     "client >> a NOOP\\n\n"
	                     "client < a BAD *\n"
	                     "client > a NO\\rOP\n"
	                     "client < a BAD *\n"
	                     "client > a SELECT \"INBOX\n"
	                     "client < a BAD *\n"
	                     "client > a SELECT \"INB\\\\OX\"\n"
	                     "client < a BAD *\n"
	                     "client > a SELECT INBOX\"x\"\n"
	                     "client < a BAD *\n"
	                     "client > a SELECT {5\n"
	                     "client < a BAD *\n"
	                     "client > a SELECT {x}\n"
	                     "client < a BAD *\n"
	                     "client > a SELECT {99999999999999999999}\n"
	                     "client < a BAD *\n"
	                     "client > a SELECT {-1}\n"
	                     "client < a BAD *\n"
	                     "client > a SELECT x{5}\n"
	                     "client < a BAD *\n"
	                     "client > a NOOP\n"
	                     "client < a OK *\n");
}

TEST(nothing_of_what_was_said_comes_back_in_an_error)
{
	world_play_logged_in("client > a SELECT \"<script>\\xc3\\x28\\x1b[2J\"\n"
	                     "client < a NO [NONEXISTENT] the mailbox name *\n"
	                     "client > b STATUS INBOX (<script>)\n"
	                     "client < b BAD Unknown item in STATUS\n"
	                     "client > c <script>\n"
	                     "client < c BAD unknown command\n"
	                     "client > d LIST (<script>) \"\" *\n"
	                     "client < d BAD Unknown option in LIST\n");
}

TEST(literals_of_other_commands_are_limited)
{
	world_play_logged_in("client > a SELECT {70000}\n"
	                     "client < a NO [TOOBIG] *\n"
	                     "client > b SELECT {70000+}\n"
	                     "client > x\n"
	                     "client is silent\n"
	                     "wait 1s\n"
	                     "client is silent\n"
	                     "wait 31m\n"
	                     "client < * BYE *\n"
	                     "client is closed\n");
}

TEST(literals_where_strings_are)
{
	world_play_logged_in("client > a LIST {0}\n"
	                     "client < + *\n"
	                     "client >  {1+}\n"
	                     "client > *\n"
	                     "client < * LIST *\n"
	                     "client < * LIST *\n"
	                     "client < * LIST *\n"
	                     "client < a OK *\n"
	                     "client > b STATUS {5+}\n"
	                     "client > INBOX (MESSAGES)\n"
	                     "client < * STATUS INBOX (MESSAGES 0)\n"
	                     "client < b OK *\n"
	                     "client > c SELECT ~{5+}\n"
	                     "client > INBOX\n"
	                     "client < c BAD *\n"
	                     "client > d RENAME {4}\n"
	                     "client < + *\n"
	                     "client > Sent {4+}\n"
	                     "client > Work\n"
	                     "client < d OK *\n");
}

TEST(too_many_bad_commands)
{
	world_play("client connects\n"
	           "client << * OK *\n"
	           "client > a X\n"
	           "client < a BAD *\n"
	           "client > a X\n"
	           "client < a BAD *\n"
	           "client > a X\n"
	           "client < a BAD *\n"
	           "client > a X\n"
	           "client < a BAD *\n"
	           "client > a X\n"
	           "client < a BAD *\n"
	           "client > a X\n"
	           "client < a BAD *\n"
	           "client > a X\n"
	           "client < a BAD *\n"
	           "client > a X\n"
	           "client < a BAD *\n"
	           "client > a X\n"
	           "client < a BAD *\n"
	           "client > a X\n"
	           "client < a BAD *\n"
	           "client < * BYE *\n"
	           "client is closed\n");
}

#define LOGIN                                                                                      \
	"client connects\nclient << * OK *\n"                                                      \
	"client > a LOGIN fred \"p w\"\nclient < a OK *\n"

static void
add_times(struct buf *b, const char *text, int n)
{
	while (n-- > 0)
		buf_add_str(b, text);
}

static void
play_built(struct buf *b)
{
	world_play(buf_cstr(b));
	buf_fini(b);
}

TEST(a_line_that_is_too_long_before_the_login)
{
	struct buf b = BUF_INIT(SIZE_MAX);

	buf_add_str(&b, "client connects\nclient << * OK *\nclient >> ");
	add_times(&b, "abcdefghij", 3700);
	buf_add_str(&b, "\nclient < * BYE *\nclient is closed\n");
	play_built(&b);
}

TEST(a_line_that_is_too_long)
{
	struct buf b = BUF_INIT(SIZE_MAX);

	buf_add_str(&b, LOGIN "client >> b LIST ");
	add_times(&b, "abcdefghij", 6600);
	buf_add_str(&b, "\nclient < * BYE *\nclient is closed\n");
	play_built(&b);
}

TEST(a_name_that_is_too_long)
{
	struct buf b = BUF_INIT(SIZE_MAX);

	buf_add_str(&b, LOGIN "client > b CREATE ");
	add_times(&b, "abcdefghij", 60);
	buf_add_str(&b, "\nclient < b NO [CANNOT] *\nclient > c APPEND ");
	add_times(&b, "abcdefghij", 200);
	buf_add_str(&b, " {5}\nclient < c BAD *\nclient > d LIST \"\" ");
	add_times(&b, "*abcdefghi", 200);
	buf_add_str(&b, "\nclient < d OK *\n");
	play_built(&b);
}

TEST(many_literals)
{
	struct buf b = BUF_INIT(SIZE_MAX);

	buf_add_str(&b, LOGIN "client > b LIST \"\" (");
	add_times(&b, "{1+}\nclient > a ", 15);
	buf_add_str(&b, "x)\nclient < b OK *\nclient > c LIST \"\" (");
	add_times(&b, "{1+}\nclient > a ", 25);
	buf_add_str(&b, "x)\nclient < c BAD *\nclient > d LIST \"\" (");
	add_times(&b, "{0+}\nclient >  ", 10001);
	buf_add_str(&b, "\nclient < * BYE *\nclient is closed\n");
	world_play(buf_cstr(&b));
	buf_fini(&b);
}

TEST(deep_nesting)
{
	struct buf b = BUF_INIT(SIZE_MAX);

	buf_add_str(&b, LOGIN "client > b SELECT INBOX\nclient << b OK *\nclient > c SEARCH ");
	add_times(&b, "(", 10000);
	buf_add_str(&b, "ALL");
	add_times(&b, ")", 10000);
	buf_add_str(&b, "\nclient < c BAD *\nclient > d FETCH 1 ");
	add_times(&b, "(", 10000);
	buf_add_str(&b, "\nclient < d BAD *\nclient > e ID ");
	add_times(&b, "(", 10000);
	buf_add_str(&b, "\nclient < e BAD *\n");
	play_built(&b);
}

/* What waits for him is told, whoever lists ten thousand names. */
TEST(a_client_that_does_not_read)
{
	struct buf b = BUF_INIT(SIZE_MAX);

	buf_add_str(&b, LOGIN);
	for (int i = 0; i < 60; i++) {
		buf_printf(&b, "client >> b CREATE %d", i);
		add_times(&b, "abcdefghij", 40);
		buf_add_str(&b, "\\r\\n\nclient < b OK *\n");
	}
	buf_add_str(&b, "client stops\n");
	add_times(&b, "client > c LIST \"\" *\n", 20);
	buf_add_str(&b, "client is silent\nclient reads\n");
	add_times(&b, "client << c OK *\n", 20);
	buf_add_str(&b, "client stops\n");
	add_times(&b, "client > c LIST \"\" *\n", 20);
	buf_add_str(&b, "wait 31m\nwho is there\n");
	play_built(&b);
}
