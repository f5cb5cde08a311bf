#include "mail/mime.h"

#include "lib/test.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- trees ---- */

static void
show_part(const struct mime *m, uint32_t i, struct buf *out)
{
	const struct mime_part *p = &m->parts[i];

	if (p->kind == MIME_LEAF) {
		buf_add_char(out, '\'');
		buf_add_slice(out, mime_body(m, p));
		buf_add_char(out, '\'');
		return;
	}
	buf_add_char(out, p->kind == MIME_MULTIPART ? '(' : '<');
	for (uint32_t k = p->first_child; k != MIME_NONE; k = m->parts[k].next) {
		if (k != p->first_child)
			buf_add_char(out, ' ');
		show_part(m, k, out);
	}
	buf_add_char(out, p->kind == MIME_MULTIPART ? ')' : '>');
}

static uint64_t
count_lines(struct slice s)
{
	uint64_t n = s.n > 0 && s.p[s.n - 1] != '\n';

	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == '\n';
	return n;
}

/* What every tree holds, whatever the bytes. */
static void
check_tree(const struct mime *m)
{
	assert_true(m->count > 0);
	for (uint32_t i = 0; i < m->count; i++) {
		const struct mime_part *p = &m->parts[i];
		uint32_t number = 1;

		assert_true(p->header_start <= p->body_start && p->body_start <= p->body_end);
		assert_true(p->body_end <= m->msg.n);
		assert_true(p->type.type.n > 0 && p->type.subtype.p != NULL);
		test_check(p->body_lines == count_lines(mime_body(m, p)), "%d lines",
		           (int)p->body_lines);
		assert_true((p->kind == MIME_LEAF) == (p->first_child == MIME_NONE));
		assert_true((i == 0) == (p->parent == MIME_NONE));
		if (i > 0) {
			const struct mime_part *up = &m->parts[p->parent];

			assert_true(p->parent < i);
			assert_true(up->body_start <= p->header_start);
			assert_true(p->body_end <= up->body_end);
		}
		for (uint32_t k = p->first_child; k != MIME_NONE; k = m->parts[k].next) {
			assert_true(m->parts[k].parent == i && m->parts[k].number == number++);
			if (m->parts[k].next != MIME_NONE)
				assert_true(m->parts[k].body_end <=
				            m->parts[m->parts[k].next].header_start);
		}
		if (p->kind != MIME_MESSAGE)
			continue;
		assert_int_equal(number, 2);
		/* the message inside is all of the body */
		assert_true(m->parts[p->first_child].header_start == p->body_start);
		assert_true(m->parts[p->first_child].body_end == p->body_end);
	}
}

#define MIXED "Content-Type: multipart/mixed; boundary=x\r\n\r\n"
#define INNER "Content-Type: multipart/alternative; boundary=y\r\n\r\n"
#define MESSAGE "Content-Type: message/rfc822\r\n\r\n"

static const struct tree_case {
	const char *name, *msg, *tree;
} trees[] = {
	{ "a plain message", "Subject: a\r\n\r\nhi\r\n", "'hi\r\n'" },
	{ "no header", "\r\nhi", "'hi'" },
	{ "no body", "Subject: a\r\n", "''" },
	{ "nothing", "", "''" },
	{ "two parts", MIXED "pre\r\n--x\r\n\r\na\r\n--x\r\nA: b\r\n\r\nb\r\n--x--\r\nepi\r\n",
	  "('a' 'b')" },
	{ "bare LF everywhere",
	  "Content-Type: multipart/mixed; boundary=x\n\n--x\n\na\n\n--x\n\nb\n--x--\n",
	  "('a\n' 'b')" },
	{ "blanks behind boundaries", MIXED "--x  \r\n\r\na\r\n--x\t\r\n\r\nb\r\n--x-- \r\n",
	  "('a' 'b')" },
	{ "a boundary in quotes",
	  "Content-Type: multipart/mixed; boundary=\"a b:c\"\r\n\r\n--a b:c\r\n\r\na\r\n--a b:c--\r\n",
	  "('a')" },
	{ "no end boundary", MIXED "--x\r\n\r\na\r\n--x\r\n\r\nb\r\n", "('a' 'b\r\n')" },
	{ "no boundary at all", MIXED "a\r\nb\r\n", "('')" },
	{ "only the end boundary", MIXED "--x--\r\na\r\n", "('')" },
	{ "no boundary parameter", "Content-Type: multipart/mixed\r\n\r\n--x\r\n\r\na\r\n--x--\r\n",
	  "'--x\r\n\r\na\r\n--x--\r\n'" },
	{ "an empty boundary parameter",
	  "Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n--\r\n\r\na\r\n",
	  "'--\r\n\r\na\r\n'" },
	{ "text behind the boundary makes it none",
	  MIXED "--x\r\n\r\n--xy\r\n--x-\r\n --x\r\n--X\r\n--x--\r\n",
	  "('--xy\r\n--x-\r\n --x\r\n--X')" },
	{ "an empty line belongs to the part but for the last end",
	  MIXED "--x\r\n\r\na\r\n\r\n--x--\r\n", "('a\r\n')" },
	{ "an empty part", MIXED "--x\r\n--x\r\n\r\n--x--\r\n", "('' '')" },
	{ "a header that a boundary cuts", MIXED "--x\r\nA: b\r\n--x\r\n\r\nb\r\n--x--\r\n",
	  "('' 'b')" },
	{ "a multipart whose header a boundary cuts",
	  MIXED
	  "--x\r\nContent-Type: multipart/mixed; boundary=y\r\n--x\r\n\r\nb\r\n--y\r\n--x--\r\n",
	  "(('') 'b\r\n--y')" },
	{ "a message whose header a boundary cuts",
	  MIXED "--x\r\nContent-Type: message/rfc822\r\n--x\r\n\r\nb\r\n--x--\r\n", "(<''> 'b')" },
	{ "parts behind the end are no parts", MIXED "--x\r\n\r\na\r\n--x--\r\n--x\r\n\r\nb\r\n",
	  "('a')" },
	{ "nested",
	  MIXED "--x\r\n" INNER
	        "--y\r\n\r\na\r\n--y\r\n\r\nb\r\n--y--\r\n\r\n--x\r\n\r\nc\r\n--x--\r\n",
	  "(('a' 'b') 'c')" },
	{ "a missing inner end ends at the outer",
	  MIXED "--x\r\n" INNER "--y\r\n\r\na\r\n--x\r\n\r\nc\r\n--x--\r\n", "(('a') 'c')" },
	{ "the outer end ends all",
	  MIXED "--x\r\n" INNER "--y\r\n\r\na\r\n--x--\r\n--y\r\n\r\nb\r\n", "(('a'))" },
	{ "an inner one with the boundary of the outer",
	  MIXED "--x\r\n" MIXED "--x\r\n\r\na\r\n--x--\r\n--x\r\n\r\nb\r\n--x--\r\n",
	  "(('a') 'b')" },
	{ "a boundary that begins as another",
	  "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: multipart/mixed; boundary=xx\r\n\r\n--xx\r\n\r\na\r\n--xx--\r\n--x--\r\n",
	  "(('a'))" },
	{ "a message inside", MIXED "--x\r\n" MESSAGE "Subject: i\r\n\r\nin\r\n--x--\r\n",
	  "(<'in'>)" },
	{ "a message that is a message", MESSAGE "A: b\r\n\r\nin\r\n", "<'in\r\n'>" },
	{ "a message in a message in a message", MESSAGE MESSAGE MESSAGE "\r\nin", "<<<'in'>>>" },
	{ "a message inside that is only a header",
	  MIXED "--x\r\n" MESSAGE "Subject: i\r\n\r\n--x--\r\n", "(<''>)" },
	{ "a multipart in a message", MESSAGE MIXED "--x\r\n\r\na\r\n--x--\r\n", "<('a')>" },
	{ "message/global", "Content-Type: MESSAGE/Global\r\n\r\n\r\nin", "<'in'>" },
	{ "an encoded message is not looked into",
	  "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nQQ==",
	  "'QQ=='" },
	{ "message/partial is not looked into",
	  "Content-Type: message/partial\r\n\r\nA: b\r\n\r\nc", "'A: b\r\n\r\nc'" },
	{ "a digest holds messages",
	  "Content-Type: multipart/digest; boundary=x\r\n\r\n--x\r\n\r\nA: b\r\n\r\nin\r\n--x\r\nContent-Type: text/plain\r\n\r\nt\r\n--x--\r\n",
	  "(<'in'> 't')" },
	{ "the first type counts", "Content-Type: text/plain\r\n" MIXED "--x\r\n", "'--x\r\n'" },
	{ "a type in a header after garbage", "garbage\r\n" MIXED "--x\r\n\r\na", "('a')" },
	{ "a folded type", "Content-Type: multipart/mixed;\r\n boundary=x\r\n\r\n--x\r\n\r\na",
	  "('a')" },
	{ "an end boundary without a line end", MIXED "--x\r\n\r\na\r\n--x--", "('a')" },
};

TEST(trees_of_parts)
{
	for (size_t i = 0; i < ARRAY_LEN(trees); i++) {
		struct arena *a = arena_new("test");
		struct buf out = BUF_INIT(SIZE_MAX);
		struct mime m;

		mime_scan(a, slice_of(trees[i].msg), NULL, &m);
		check_tree(&m);
		show_part(&m, 0, &out);
		test_eq_slice(trees[i].name, buf_slice(&out), slice_of(trees[i].tree));
		test_check(!m.cut, "%s", trees[i].name);
		buf_fini(&out);
		arena_free(&a);
	}
}

/* A message may end anywhere. */
TEST(any_start_of_a_message_is_a_message)
{
	for (size_t i = 0; i < ARRAY_LEN(trees); i++)
		for (size_t n = 0; n <= strlen(trees[i].msg); n++) {
			struct arena *a = arena_new("test");
			struct mime m;

			mime_scan(a, slice_make(trees[i].msg, n), NULL, &m);
			check_tree(&m);
			arena_free(&a);
		}
}

static const char *const lines[] = {
	"--x\r\n",
	"--y\r\n",
	"--z\r\n",
	"--x--\r\n",
	"--y--\r\n",
	"--z--\r\n",
	"--x--y--\n",
	"Content-Type: multipart/mixed; boundary=x\r\n",
	"Content-Type: multipart/digest; boundary=y\n",
	"Content-Type: multipart/mixed; boundary=z\r\n",
	"Content-Type: message/rfc822\r\n",
	"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n",
	"Content-Transfer-Encoding: base64\r\n",
	"\r\n",
	"\r\n",
	"\n",
	"text",
	"text\r\n",
	"\r",
};

TEST(random_lines_give_sound_trees_within_the_limits)
{
	const struct mime_limits limits = { 2, 4, 10000 };
	unsigned cut = 0;

	srand(4);
	for (int i = 0; i < 20000; i++) {
		struct arena *a = arena_new("test");
		struct buf b = BUF_INIT(SIZE_MAX);
		struct mime m, small;

		for (int k = rand() % 30; k >= 0; k--)
			buf_add_str(&b, lines[(size_t)rand() % ARRAY_LEN(lines)]);
		mime_scan(a, buf_slice(&b), NULL, &m);
		check_tree(&m);
		assert_false(m.cut);
		mime_scan(a, buf_slice(&b), &limits, &small);
		check_tree(&small);
		/* an open multipart without parts gets its empty one */
		assert_true(small.count <= limits.parts + limits.depth);
		assert_true(small.cut || small.count == m.count);
		cut += small.cut;
		buf_fini(&b);
		arena_free(&a);
	}
	assert_true(cut > 50);
}

TEST(too_many_parts_stay_in_the_last)
{
	const struct mime_limits limits = { 100, 3, 1024 };
	struct arena *a = arena_new("test");
	struct buf out = BUF_INIT(SIZE_MAX);
	struct mime m;

	mime_scan(a, SLICE(MIXED "--x\r\n\r\na\r\n--x\r\n\r\nb\r\n--x\r\n\r\nc\r\n--x--\r\n"),
	          &limits, &m);
	check_tree(&m);
	show_part(&m, 0, &out);
	test_eq_slice("parts", buf_slice(&out), SLICE("('a' 'b\r\n--x\r\n\r\nc')"));
	assert_true(m.cut);
	buf_fini(&out);
	arena_free(&a);
}

TEST(what_is_too_deep_is_an_opaque_leaf)
{
	const struct mime_limits limits = { 2, 100, 1024 };
	struct arena *a = arena_new("test");
	struct buf out = BUF_INIT(SIZE_MAX);
	struct mime m;

	mime_scan(a, SLICE(MESSAGE MESSAGE MESSAGE "\r\nin"), &limits, &m);
	check_tree(&m);
	show_part(&m, 0, &out);
	test_eq_slice("messages", buf_slice(&out), SLICE("<<'\r\nin'>>"));
	assert_true(m.cut);
	test_eq_slice("type", m.parts[2].type.type, SLICE("application"));
	test_eq_slice("subtype", m.parts[2].type.subtype, SLICE("octet-stream"));
	buf_fini(&out);
	arena_free(&a);
}

TEST(a_hundred_thousand_levels_come_to_an_end)
{
	struct arena *a = arena_new("test");
	struct buf b = BUF_INIT(SIZE_MAX);
	struct mime m;

	for (int i = 0; i < 100000; i++)
		buf_printf(&b, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i,
		           i);
	mime_scan(a, buf_slice(&b), NULL, &m);
	check_tree(&m);
	assert_true(m.cut);
	assert_int_equal(m.count, mime_limits_default.depth + 1);
	buf_fini(&b);
	arena_free(&a);
}

/* ---- what a part is ---- */

static const struct {
	const char *name, *header, *type, *subtype;
	enum mime_encoding encoding;
} types[] = {
	{ "nothing said", "", "text", "plain", MIME_7BIT },
	{ "capitals", "Content-Type: TEXT/HTML\r\n", "text", "html", MIME_7BIT },
	{ "no subtype", "Content-Type: text\r\n", "text", "plain", MIME_7BIT },
	{ "no type", "Content-Type: /html\r\n", "text", "plain", MIME_7BIT },
	{ "an empty field", "Content-Type:\r\n", "text", "plain", MIME_7BIT },
	{ "comments", "Content-Type: (a) image (b) / (c) png (d); x=y\r\n", "image", "png",
	  MIME_7BIT },
	{ "blanks before the colon", "content-type \t: image/png\r\n", "image", "png", MIME_7BIT },
	{ "8bit", "Content-Transfer-Encoding: 8BIT\r\n", "text", "plain", MIME_8BIT },
	{ "binary", "Content-Transfer-Encoding: binary\r\n", "text", "plain", MIME_BINARY },
	{ "quoted-printable", "Content-Transfer-Encoding:Quoted-Printable \r\n", "text", "plain",
	  MIME_QP },
	{ "base64 and more", "Content-Transfer-Encoding: base64; x=y\r\n", "text", "plain",
	  MIME_BASE64 },
	{ "base64 and a comment", "Content-Transfer-Encoding: base64 (x)\r\n", "text", "plain",
	  MIME_BASE64 },
	{ "an unknown encoding", "Content-Transfer-Encoding: x-uuencode\r\n", "text", "plain",
	  MIME_OTHER },
	{ "an empty encoding", "Content-Transfer-Encoding: \r\n", "text", "plain", MIME_7BIT },
};

TEST(types_and_encodings)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct arena *a = arena_new("test");
		struct buf b = BUF_INIT(SIZE_MAX);
		struct mime m;

		buf_printf(&b, "%s\r\nbody", types[i].header);
		mime_scan(a, buf_slice(&b), NULL, &m);
		test_eq_slice(types[i].name, m.parts[0].type.type, slice_of(types[i].type));
		test_eq_slice(types[i].name, m.parts[0].type.subtype, slice_of(types[i].subtype));
		test_check(m.parts[0].encoding == types[i].encoding, "%s", types[i].name);
		buf_fini(&b);
		arena_free(&a);
	}
}

static const struct {
	const char *name, *body;
	uint64_t lines;
} counts[] = {
	{ "none", "", 0 },
	{ "one", "a\r\n", 1 },
	{ "one without an end", "a", 1 },
	{ "two and an open one", "a\r\n\r\nb", 3 },
	{ "bare LF", "a\nb\n", 2 },
	{ "only an end", "\r\n", 1 },
};

TEST(lines_of_a_body)
{
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		struct arena *a = arena_new("test");
		struct buf b = BUF_INIT(SIZE_MAX);
		struct mime m;

		buf_printf(&b, "A: b\r\n\r\n%s", counts[i].body);
		mime_scan(a, buf_slice(&b), NULL, &m);
		test_check(m.parts[0].body_lines == counts[i].lines, "%s", counts[i].name);
		buf_clear(&b);
		/* the same inside: the end before the boundary is the boundary's */
		buf_printf(&b, MIXED "--x\r\n\r\n%s\r\n--x--\r\n", counts[i].body);
		mime_scan(a, buf_slice(&b), NULL, &m);
		test_eq_slice(counts[i].name, mime_body(&m, &m.parts[1]), slice_of(counts[i].body));
		test_check(m.parts[1].body_lines == counts[i].lines, "%s inside: %d",
		           counts[i].name, (int)m.parts[1].body_lines);
		buf_fini(&b);
		arena_free(&a);
	}
}

/* ---- sections ---- */

static const struct {
	const char *name, *text;
	bool ok;
} sections[] = {
	{ "all", "", true },
	{ "a part", "1", true },
	{ "a part of a part", "1.20.3", true },
	{ "HEADER in small letters", "header", true },
	{ "TEXT of a part", "1.2.TEXT", true },
	{ "MIME of a part", "4294967295.mime", true },
	{ "MIME of the message", "MIME", false },
	{ "zero", "0", false },
	{ "a zero in front", "01", false },
	{ "zero further down", "1.0", false },
	{ "too large a number", "4294967296", false },
	{ "a dot at the end", "1.", false },
	{ "a dot in front", ".1", false },
	{ "a dot behind TEXT", "TEXT.", false },
	{ "something behind HEADER", "HEADER.1", false },
	{ "a number and letters", "1x", false },
	{ "a minus", "-1", false },
	{ "a blank", "1 ", false },
	{ "a word nobody knows", "1.BODY", false },
};

TEST(sections_are_read)
{
	struct mime_section s;
	struct buf b = BUF_INIT(SIZE_MAX);

	for (size_t i = 0; i < ARRAY_LEN(sections); i++)
		test_check(mime_section_parse(slice_of(sections[i].text), &s) == sections[i].ok,
		           "%s", sections[i].name);
	buf_add_char(&b, '1');
	for (int i = 1; i < MIME_SECTION_DEPTH; i++)
		buf_add_str(&b, ".1");
	assert_true(mime_section_parse(buf_slice(&b), &s));
	assert_int_equal(s.count, MIME_SECTION_DEPTH);
	buf_add_str(&b, ".1");
	assert_false(mime_section_parse(buf_slice(&b), &s));
	buf_fini(&b);
}

/* After the example of RFC 3501 section 6.4.5. */
static const char big[] = "Subject: outer\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
			  "--x\r\nContent-Type: text/plain\r\n\r\none\r\n"
			  "--x\r\nContent-Type: application/octet-stream\r\n\r\ntwo\r\n"
			  "--x\r\nContent-Type: message/rfc822\r\n\r\n"
			  "Subject: three\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n"
			  "--y\r\nA: 31\r\n\r\nthree one\r\n--y\r\n\r\nthree two\r\n--y--\r\n"
			  "--x\r\nContent-Type: multipart/mixed; boundary=z\r\n\r\n"
			  "--z\r\nContent-Type: image/gif\r\n\r\nfour one\r\n"
			  "--z\r\nContent-Type: message/rfc822\r\n\r\n"
			  "Subject: four two\r\n\r\nfour two text\r\n--z--\r\n"
			  "--x--\r\n";
static const char plain[] = "Subject: a\r\n\r\nhi\r\n";
static const char message[] = "Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nhi\r\n";

static const struct {
	const char *name, *msg, *section, *want; /* want NULL: NIL */
} found[] = {
	{ "the first part", big, "1", "one" },
	{ "its MIME header", big, "1.MIME", "Content-Type: text/plain\r\n\r\n" },
	{ "a text part has no HEADER", big, "1.HEADER", NULL },
	{ "nor TEXT", big, "1.TEXT", NULL },
	{ "nor parts", big, "1.1", NULL },
	{ "the second", big, "2", "two" },
	{ "the header", big, "HEADER",
	  "Subject: outer\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n" },
	{ "the header of a message inside", big, "3.HEADER",
	  "Subject: three\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n" },
	{ "its text", big, "3.TEXT",
	  "--y\r\nA: 31\r\n\r\nthree one\r\n--y\r\n\r\nthree two\r\n--y--" },
	{ "its first part", big, "3.1", "three one" },
	{ "the MIME header there", big, "3.1.MIME", "A: 31\r\n\r\n" },
	{ "its second part", big, "3.2", "three two" },
	{ "an empty MIME header", big, "3.2.MIME", "\r\n" },
	{ "its MIME header is not the header", big, "3.MIME",
	  "Content-Type: message/rfc822\r\n\r\n" },
	{ "a part of a multipart", big, "4.1", "four one" },
	{ "a message there", big, "4.2.HEADER", "Subject: four two\r\n\r\n" },
	{ "its text there", big, "4.2.TEXT", "four two text" },
	{ "its only part", big, "4.2.1", "four two text" },
	{ "a multipart has no HEADER", big, "4.HEADER", NULL },
	{ "a part that is not there", big, "5", NULL },
	{ "nor there", big, "4.3", NULL },
	{ "the largest number", big, "4294967295", NULL },
	{ "all of a plain message", plain, "", plain },
	{ "its text by itself", plain, "TEXT", "hi\r\n" },
	{ "part 1 of a plain message", plain, "1", "hi\r\n" },
	{ "part 1.1 of it", plain, "1.1", NULL },
	{ "part 2 of it", plain, "2", NULL },
	{ "a message that is a message", message, "1", "Subject: in\r\n\r\nhi\r\n" },
	{ "the header inside", message, "1.HEADER", "Subject: in\r\n\r\n" },
	{ "the text inside", message, "1.TEXT", "hi\r\n" },
	{ "the part inside", message, "1.1", "hi\r\n" },
	{ "none further inside", message, "1.1.1", NULL },
};

TEST(sections_are_found)
{
	for (size_t i = 0; i < ARRAY_LEN(found); i++) {
		struct arena *a = arena_new("test");
		struct mime_section s;
		struct slice bytes = SLICE("");
		struct mime m;
		bool ok;

		mime_scan(a, slice_of(found[i].msg), NULL, &m);
		assert_true(mime_section_parse(slice_of(found[i].section), &s));
		ok = mime_find(&m, &s, &bytes);
		test_check(ok == (found[i].want != NULL), "%s", found[i].name);
		if (ok)
			test_eq_slice(found[i].name, bytes, slice_of(found[i].want));
		arena_free(&a);
	}
}

/* ---- transfer encodings ---- */

static const struct {
	const char *name;
	enum mime_encoding e;
	struct slice in, want;
} encoded[] = {
	{ "base64", MIME_BASE64, SLICE_INIT("aGVsbG8="), SLICE_INIT("hello") },
	{ "base64 in lines", MIME_BASE64, SLICE_INIT("aGV\r\nsbG8\r\n="), SLICE_INIT("hello") },
	{ "base64 without padding", MIME_BASE64, SLICE_INIT("aGVsbG8"), SLICE_INIT("hello") },
	{ "base64 with garbage inside", MIME_BASE64, SLICE_INIT("aG!V.s\0bG8="),
	  SLICE_INIT("hello") },
	{ "base64 joined behind padding", MIME_BASE64, SLICE_INIT("YQ==YQ==Yg=="),
	  SLICE_INIT("aab") },
	{ "base64 of every bit", MIME_BASE64, SLICE_INIT("/+8A"), SLICE_INIT("\xff\xef\0") },
	{ "base64 of one digit", MIME_BASE64, SLICE_INIT("Y"), SLICE_INIT("") },
	{ "qp", MIME_QP, SLICE_INIT("a=3Db=c3=A9"), SLICE_INIT("a=b\xc3\xa9") },
	{ "qp with a soft break", MIME_QP, SLICE_INIT("a=\r\nb=\nc= \t\r\nd"), SLICE_INIT("abcd") },
	{ "qp with hard breaks", MIME_QP, SLICE_INIT("a\r\nb\r\n"), SLICE_INIT("a\r\nb\r\n") },
	{ "qp that ends in a soft break", MIME_QP, SLICE_INIT("a="), SLICE_INIT("a") },
	{ "qp that ends within an octet", MIME_QP, SLICE_INIT("a=4"), SLICE_INIT("a=4") },
	{ "bad qp stays", MIME_QP, SLICE_INIT("a=XY =zz=="), SLICE_INIT("a=XY =zz=") },
	{ "qp of a NUL", MIME_QP, SLICE_INIT("=00"), SLICE_INIT("\0") },
	{ "8bit", MIME_8BIT, SLICE_INIT("a=3D\xff"), SLICE_INIT("a=3D\xff") },
	{ "unknown", MIME_OTHER, SLICE_INIT("YQ=="), SLICE_INIT("YQ==") },
};

TEST(transfer_encodings_are_undone)
{
	for (size_t i = 0; i < ARRAY_LEN(encoded); i++) {
		struct buf out = BUF_INIT(SIZE_MAX);

		mime_decode(encoded[i].e, encoded[i].in, &out);
		test_eq_slice(encoded[i].name, buf_slice(&out), encoded[i].want);
		buf_fini(&out);
	}
}

TEST(random_bytes_come_back_from_base64_and_qp)
{
	srand(5);
	for (int i = 0; i < 2000; i++) {
		struct buf b64 = BUF_INIT(SIZE_MAX), qp = BUF_INIT(SIZE_MAX);
		struct buf out = BUF_INIT(SIZE_MAX);
		static const char digits[] =
			"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
		unsigned char in[90];
		size_t n = (size_t)rand() % sizeof(in);

		for (size_t k = 0; k < n; k++) {
			in[k] = (unsigned char)rand();
			buf_printf(&qp, "=%02X%s", in[k], rand() % 9 == 0 ? "=\r\n" : "");
		}
		for (size_t bit = 0; bit < n * 8; bit += 6) {
			unsigned v = 0;

			for (size_t k = bit; k < bit + 6; k++)
				v = v << 1 | (k < n * 8 ? in[k / 8] >> (7 - k % 8) & 1 : 0);
			buf_add_char(&b64, digits[v]);
			if (rand() % 9 == 0)
				buf_add_str(&b64, "\r\n");
		}
		mime_decode(MIME_BASE64, buf_slice(&b64), &out);
		test_eq_slice("base64", buf_slice(&out), slice_make(in, n));
		buf_clear(&out);
		mime_decode(MIME_QP, buf_slice(&qp), &out);
		test_eq_slice("qp", buf_slice(&out), slice_make(in, n));
		buf_fini(&out);
		buf_fini(&qp);
		buf_fini(&b64);
	}
}
