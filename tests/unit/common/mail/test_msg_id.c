/* Message-IDs out of fields of all kinds. */
#include "mail/msg_id.h"

#include "lib/test.h"

#include <stdlib.h>
#include <string.h>

static const struct {
	const char *value, *ids; /* each with a "|" behind */
} rows[] = {
	{ "", "" },
	{ " <a@b>", "a@b|" },
	{ "<a@b> <c@d>\r\n\t<e@f>", "a@b|c@d|e@f|" },
	{ "<a@b><c@d>,<e@f>", "a@b|c@d|e@f|" },
	{ "<\"01KF8JCEOCBS0045PS\"@xxx.yyy.com>", "01KF8JCEOCBS0045PS@xxx.yyy.com|" },
	{ "<\"a \\\"b\\\\\"@c>", "a \"b\\@c|" },
	{ "<\"a>b\"@c>", "a>b@c|" },
	{ "< a\r\n @ b >", "a@b|" },
	{ "Your message of \"Monday\" <a@b>", "a@b|" },
	{ "fred@example.org", "" },
	{ "<no at sign> <a@b>", "a@b|" },
	{ "<\"a@b\">", "" },
	{ "<>", "" },
	{ "<@>", "" },
	{ "<a@b <c@d>", "c@d|" },
	{ "<a@b", "" },
	{ "<\"a@b> <c@d>", "" },
	{ "<a@b> <", "a@b|" },
	{ "<\"a\\", "" },
};

static void
read_all(struct slice value, struct buf *out)
{
	struct buf id = BUF_INIT(1000);

	while (msg_id_next(&value, &id))
		buf_printf(out, "%.*s|", SLICE_ARG(buf_slice(&id)));
	buf_fini(&id);
}

TEST(ids_in_fields)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = BUF_INIT(1000);

		read_all(slice_of(rows[i].value), &out);
		test_check(slice_eq_str(buf_slice(&out), rows[i].ids), "%s: %s", rows[i].value,
		           buf_cstr(&out));
		buf_fini(&out);
	}
}

TEST(fields_cut_anywhere)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t n = 0; n < strlen(rows[i].value); n++) {
			char *copy = malloc(n + (n == 0));
			struct buf out = BUF_INIT(1000);

			memcpy(copy, rows[i].value, n);
			read_all(slice_make(copy, n), &out);
			/* what is there of them is the start of all */
			test_check(slice_starts(slice_of(rows[i].ids), buf_slice(&out)),
			           "%s to %zu", rows[i].value, n);
			buf_fini(&out);
			free(copy);
		}
	}
}
