/* THREAD: what it takes from messages, and its answers. */
#include "talk.h"

#include "lib/test.h"

#include <stdio.h>

#define HEAD(subject, id, date)                                                                    \
	"Subject: " subject "\r\nMessage-ID: " id "\r\nDate: Mon, 0" date                          \
	" Jan 2024 10:00:00 +0000\r\n"

static const char *const bodies[] = {
	HEAD("one", "<a@x>", "1") "\r\n1",
	HEAD("Re: one", "<b@x>", "2") "References: <\"a\"@x>\r\n\r\n2",
	HEAD("other", "<c@x>", "3") "In-Reply-To: your message <b@x> <a@x>\r\n\r\n3",
	HEAD("=?utf-8?q?Caf=C3=A9?=", "<d@x>", "5") "\r\n4",
	HEAD("Re: [list] CAFE\xcc\x81", "<e@x>", "4") "References: <>\r\n\r\n5",
	HEAD("Re: one", "<f@x>", "6") "References: <a@x>\r\n\t<b@x>\r\n\r\n6",
};

static void
forms(struct talk *t)
{
	talk_check(t, "a THREAD REFERENCES UTF-8 ALL",
	           "* THREAD (1 2 (3)(6))(4 5)\r\na OK Threaded\r\n");
	talk_check(t, "a THREAD ORDEREDSUBJECT UTF-8 ALL",
	           "* THREAD (1 (2)(6))(3)(5 4)\r\na OK Threaded\r\n");
	talk_check(t, "a THREAD references us-ascii 2:6",
	           "* THREAD (2 (3)(6))(4 5)\r\na OK Threaded\r\n");
	talk_check(t, "a THREAD REFERENCES UTF-8 SUBJECT nothing", "* THREAD\r\na OK Threaded\r\n");
	talk_check_end(t, "a STORE 2 +FLAGS.SILENT (\\Deleted)", "a OK Stored");
	talk_check_end(t, "a EXPUNGE", "a OK Expunged");
	talk_check(t, "a UID THREAD REFERENCES UTF-8 ALL",
	           "* THREAD (1 (3)(6))(4 5)\r\na OK Threaded\r\n");
	talk_check(t, "a THREAD REFERENCES UTF-8 ALL",
	           "* THREAD (1 (2)(5))(3 4)\r\na OK Threaded\r\n");
	talk_check(t, "a THREAD REFERENCES x-unknown ALL",
	           "a NO [BADCHARSET (US-ASCII UTF-8)] The charset is not known\r\n");
	talk_check(t, "a THREAD REFS UTF-8 ALL", "a BAD Unknown threading algorithm in THREAD\r\n");
	talk_check(t, "a THREAD REFERENCES UTF-8", "a BAD Missing an argument in THREAD\r\n");
}

TEST(forms_of_the_answer)
{
	talk_play(bodies, ARRAY_LEN(bodies), forms);
}

TEST(threads_that_take_long)
{
	struct buf want = BUF_INIT(SIZE_MAX);
	struct world w;
	struct talk t;

	talk_world_init(&w, &t);
	buf_add_str(&want, "* THREAD (1");
	for (int i = 1; i <= 2000; i++) {
		char body[100];

		snprintf(body, sizeof(body), "Message-ID: <%d@x>\r\nReferences: <%d@x>\r\n\r\nx", i,
		         i - 1);
		talk_put_text(&w, "user.fred", body);
		if (i > 1)
			buf_printf(&want, " %d", i);
	}
	buf_add_str(&want, ")\r\na OK Threaded\r\n");
	talk_select(&t);
	talk_check(&t, "a THREAD REFERENCES UTF-8 ALL", buf_cstr(&want));
	talk_world_fini(&w, &t);
	buf_fini(&want);
}
