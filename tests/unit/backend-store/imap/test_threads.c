/* Trees of answers: by rows, at every size of steps; and at random beside RFC 5256 word by word. */
#include "imap/threads.h"

#include "lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGES_MAX 12
#define REFS_MAX 5

struct mail {
	char id;          /* '-': none */
	const char *refs; /* IDs, the oldest first */
	char subject;     /* '-': empty */
	bool answer;
	int date;
};

static void
feed(struct threads *t, const struct mail *m, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		assert_true(threads_add(t, (uint32_t)i + 1, m[i].id == '-' ? 0 : (uint64_t)m[i].id,
		                        m[i].subject == '-' ? 0 : (uint64_t)m[i].subject,
		                        m[i].answer));
		for (const char *r = m[i].refs; *r != '\0'; r++)
			threads_add_reference(t, (uint64_t)*r);
	}
	/* the earliest one that has not come */
	for (size_t n = 0; n < count; n++) {
		size_t best = count;

		for (size_t i = 0; i < count; i++) {
			size_t before = 0;

			for (size_t k = 0; k < count; k++)
				before +=
					m[k].date < m[i].date || (m[k].date == m[i].date && k < i);
			if (before == n)
				best = i;
		}
		threads_order(t, (uint32_t)best);
	}
}

static void
make(enum imap_thread algorithm, const struct mail *m, size_t count, size_t steps, struct buf *out)
{
	struct threads *t = threads_new(algorithm, count);

	feed(t, m, count);
	while (!threads_work(t, steps))
		;
	while (!threads_write(t, steps, out))
		;
	threads_free(&t);
}

/* ---- rows --------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	struct mail m[6];
	const char *refs, *subject; /* the answers of both algorithms */
} rows[] = {
	{ "nothing", { { 0 } }, "", "" },
	{ "one", { { 'a', "", 'x', false, 1 } }, "(1)", "(1)" },
	{ "an answer",
	  { { 'a', "", 'x', false, 1 }, { 'b', "a", 'x', true, 2 } },
	  "(1 2)",
	  "(1 2)" },
	{ "an answer that came first",
	  { { 'b', "a", 'x', true, 2 }, { 'a', "", 'x', false, 1 } },
	  "(2 1)",
	  "(2 1)" },
	{ "a chain and a fork, by date",
	  { { 'a', "", 'x', false, 1 },
	    { 'b', "a", 'x', true, 2 },
	    { 'c', "ab", 'x', true, 9 },
	    { 'd', "ab", 'x', true, 3 },
	    { 'e', "abd", 'x', true, 4 } },
	  "(1 2 (4 5)(3))",
	  "(1 (2)(4)(5)(3))" },
	{ "siblings of a parent that is not there",
	  { { 'b', "a", 'x', true, 2 }, { 'c', "a", 'x', true, 1 } },
	  "((2)(1))",
	  "(2 1)" },
	{ "one child of a parent that is not there",
	  { { 'b', "a", 'x', true, 2 }, { 'c', "", 'y', false, 3 } },
	  "(1)(2)",
	  "(1)(2)" },
	{ "parents that are not there, one above the other",
	  { { 'c', "ab", 'x', true, 2 }, { 'd', "a", 'x', true, 1 } },
	  "((2)(1))",
	  "(2 1)" },
	{ "a parent in between that is not there",
	  { { 'a', "", 'x', false, 1 }, { 'c', "ab", 'x', true, 2 }, { 'd', "ab", 'x', true, 3 } },
	  "(1 (2)(3))",
	  "(1 (2)(3))" },
	{ "one subject without references",
	  { { 'a', "", 'x', false, 1 }, { 'b', "", 'x', true, 2 } },
	  "(1 2)",
	  "(1 2)" },
	{ "one subject, and no answer to each other",
	  { { 'a', "", 'x', false, 1 }, { 'b', "", 'x', false, 2 } },
	  "((1)(2))",
	  "(1 2)" },
	{ "the answer is the older one",
	  { { 'a', "", 'x', true, 1 }, { 'b', "", 'x', false, 2 } },
	  "(2 1)",
	  "(1 2)" },
	{ "no subject says nothing",
	  { { 'a', "", '-', false, 1 }, { 'b', "", '-', false, 2 } },
	  "(1)(2)",
	  "(1 2)" },
	{ "a group of a subject takes others in",
	  { { 'b', "a", 'x', true, 1 },
	    { 'c', "a", 'x', true, 2 },
	    { 'd', "", 'x', false, 3 },
	    { 'f', "e", 'x', true, 4 },
	    { 'g', "e", 'x', true, 5 } },
	  "((1)(2)(3)(4)(5))",
	  "(1 (2)(3)(4)(5))" },
	{ "two of one ID",
	  { { 'a', "", 'x', false, 1 }, { 'a', "", 'y', false, 2 }, { 'b', "a", 'x', true, 3 } },
	  "(1 3)(2)",
	  "(1 3)(2)" },
	{ "no ID",
	  { { '-', "", 'x', false, 1 }, { '-', "a", 'y', false, 2 } },
	  "(1)(2)",
	  "(1)(2)" },
	{ "a loop of two",
	  { { 'a', "b", 'x', false, 1 }, { 'b', "a", 'y', false, 2 } },
	  "(2 1)",
	  "(1)(2)" },
	{ "its own parent", { { 'a', "aa", 'x', false, 1 } }, "(1)", "(1)" },
	{ "a loop in the references of one", { { 'c', "aba", 'x', false, 1 } }, "(1)", "(1)" },
	{ "whoever names no parent has the one that a later message names",
	  { { 'b', "", 'x', false, 1 }, { 'a', "", 'y', false, 2 }, { 'c', "ab", 'x', true, 3 } },
	  "(2 1 3)",
	  "(1 3)(2)" },
	{ "but not that of an earlier one",
	  { { 'c', "ab", 'x', true, 3 }, { 'b', "", 'x', false, 1 }, { 'a', "", 'y', false, 2 } },
	  "(2 1)(3)",
	  "(2 1)(3)" },
};

TEST(trees_in_steps_of_any_size)
{
	static const size_t steps[] = { 1, 2, 3, 1000 };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t count = 0;

		while (count < ARRAY_LEN(rows[i].m) && rows[i].m[count].id != 0)
			count++;
		for (size_t k = 0; k < ARRAY_LEN(steps); k++) {
			struct buf refs = BUF_INIT(1000), subject = BUF_INIT(1000);

			make(IMAP_THREAD_REFERENCES, rows[i].m, count, steps[k], &refs);
			make(IMAP_THREAD_ORDEREDSUBJECT, rows[i].m, count, steps[k], &subject);
			test_eq_str(rows[i].name, buf_cstr(&refs), rows[i].refs);
			test_eq_str(rows[i].name, buf_cstr(&subject), rows[i].subject);
			buf_fini(&refs);
			buf_fini(&subject);
		}
	}
}

/* ---- RFC 5256 word by word -------------------------------------------------------------------------- */

#define NODES_MAX 64

struct plain {
	const struct mail *m;
	size_t count, nodes;
	char ids[NODES_MAX];
	int parent[NODES_MAX]; /* -1: none, or the root */
	bool gone[NODES_MAX];
};

static size_t
plain_node(struct plain *p, char id)
{
	for (size_t i = 0; i < p->nodes; i++)
		if (p->ids[i] == id)
			return i;
	p->ids[p->nodes] = id;
	p->parent[p->nodes] = -1;
	return p->nodes++;
}

static void
plain_links(struct plain *p)
{
	for (size_t i = 0; i < p->count; i++) {
		char id = p->m[i].id;

		for (size_t k = 0; k < i; k++)
			if (p->ids[k] == id)
				id = '\0'; /* a unique one */
		p->ids[i] = id == '-' ? '\0' : id;
		p->parent[i] = -1;
	}
	p->nodes = p->count;
	for (size_t i = 0; i < p->count; i++) {
		const char *r = p->m[i].refs;

		for (; r[0] != '\0' && r[1] != '\0'; r++) {
			size_t child = plain_node(p, r[1]), parent = plain_node(p, r[0]);

			if (p->parent[child] == -1)
				p->parent[child] = (int)parent;
		}
		p->parent[i] = r[0] != '\0' ? (int)plain_node(p, r[0]) : -1;
	}
}

static size_t
plain_children(const struct plain *p, int of)
{
	size_t n = 0;

	for (size_t i = 0; i < p->nodes; i++)
		n += !p->gone[i] && p->parent[i] == of;
	return n;
}

/* Until nothing can be pruned any more. */
static void
plain_prune(struct plain *p)
{
	bool again = true;

	while (again) {
		again = false;
		for (size_t n = p->count; n < p->nodes; n++) {
			size_t children = plain_children(p, (int)n);

			if (p->gone[n] || (p->parent[n] == -1 && children > 1))
				continue;
			for (size_t i = 0; i < p->nodes; i++)
				if (p->parent[i] == (int)n)
					p->parent[i] = p->parent[n];
			p->gone[n] = again = true;
		}
	}
}

/* The child of `of` that comes behind `after` (-1: the first one); -1: none. */
static int plain_next(const struct plain *p, int of, int after);

/* The message whose date counts. */
static int
plain_first(const struct plain *p, int n)
{
	return n < (int)p->count ? n : plain_next(p, n, -1);
}

static bool
plain_before(const struct plain *p, int a, int b)
{
	int x = plain_first(p, a), y = plain_first(p, b);

	if (p->m[x].date != p->m[y].date)
		return p->m[x].date < p->m[y].date;
	return x < y;
}

static int
plain_next(const struct plain *p, int of, int after)
{
	int best = -1;

	for (int i = 0; i < (int)p->nodes; i++)
		if (!p->gone[i] && p->parent[i] == of && i != after &&
		    (after == -1 || plain_before(p, after, i)) &&
		    (best == -1 || plain_before(p, i, best)))
			best = i;
	return best;
}

static bool
plain_answer(const struct plain *p, int n)
{
	return n < (int)p->count && p->m[n].answer;
}

static void
plain_merge(struct plain *p, int n, int *with)
{
	bool dummy = n >= (int)p->count, with_dummy = *with >= (int)p->count;

	if (dummy && with_dummy) {
		for (size_t i = 0; i < p->nodes; i++)
			if (p->parent[i] == n)
				p->parent[i] = *with;
		p->gone[n] = true;
	} else if ((with_dummy && !dummy) || (plain_answer(p, n) && !plain_answer(p, *with))) {
		p->parent[n] = *with;
	} else {
		int both = (int)p->nodes++;

		p->ids[both] = '\0';
		p->parent[both] = -1;
		p->gone[both] = false;
		p->parent[n] = p->parent[*with] = both;
		*with = both;
	}
}

static void
plain_subjects(struct plain *p)
{
	int roots[NODES_MAX], table[128], subjects[NODES_MAX], count = 0;

	memset(table, -1, sizeof(table));
	for (int n = plain_next(p, -1, -1); n != -1; n = plain_next(p, -1, n))
		roots[count++] = n;
	for (int i = 0; i < count; i++) {
		int n = roots[i], *at = &table[(int)p->m[plain_first(p, n)].subject];

		subjects[i] = p->m[plain_first(p, n)].subject;
		if (*at == -1 ||
		    (*at < (int)p->count &&
		     (n >= (int)p->count || (plain_answer(p, *at) && !plain_answer(p, n)))))
			*at = n;
	}
	for (int i = 0; i < count; i++)
		if (subjects[i] != '-' && table[subjects[i]] != roots[i])
			plain_merge(p, roots[i], &table[subjects[i]]);
}

static void
plain_tell(const struct plain *p, int n, bool nested, struct buf *out)
{
	size_t children = plain_children(p, n);

	buf_printf(out, "%s", nested ? "(" : "");
	if (n < (int)p->count)
		buf_printf(out, "%d%s", n + 1, children > 0 ? " " : "");
	for (int c = plain_next(p, n, -1); c != -1; c = plain_next(p, n, c))
		plain_tell(p, c, children > 1, out);
	buf_printf(out, "%s", nested ? ")" : "");
}

static void
plain_make(const struct mail *m, size_t count, struct buf *out)
{
	struct plain p = { .m = m, .count = count };

	plain_links(&p);
	plain_prune(&p);
	plain_subjects(&p);
	for (int n = plain_next(&p, -1, -1); n != -1; n = plain_next(&p, -1, n))
		plain_tell(&p, n, true, out);
}

/* References go from higher letters to lower ones, so that there are no loops: where such are
 * broken is not said. */
static void
invent(struct mail *m, size_t count, char (*refs)[REFS_MAX + 1])
{
	for (size_t i = 0; i < count; i++) {
		size_t n = 0;

		m[i] = (struct mail){ .id = rand() % 8 == 0 ? '-' : (char)('a' + rand() % 14),
			              .subject = (char)(rand() % 6 == 0 ? '-' : 'A' + rand() % 4),
			              .answer = rand() % 2 == 0,
			              .date = rand() % 9 };
		for (char c = 'a'; n < REFS_MAX && c < (m[i].id == '-' ? 'z' : m[i].id); c++)
			if (rand() % 4 == 0)
				refs[i][n++] = c;
		refs[i][n] = '\0';
		m[i].refs = refs[i];
	}
}

TEST(random_trees_are_those_of_the_rfc)
{
	srand(7);
	for (int round = 0; round < 20000; round++) {
		struct mail m[MESSAGES_MAX];
		char refs[MESSAGES_MAX][REFS_MAX + 1];
		size_t count = (size_t)rand() % (MESSAGES_MAX + 1);
		struct buf got = BUF_INIT(1000), want = BUF_INIT(1000);
		char name[40];

		invent(m, count, refs);
		make(IMAP_THREAD_REFERENCES, m, count, 1 + (size_t)rand() % 5, &got);
		plain_make(m, count, &want);
		snprintf(name, sizeof(name), "round %d of %zu", round, count);
		test_eq_str(name, buf_cstr(&got), buf_cstr(&want));
		buf_fini(&got);
		buf_fini(&want);
	}
}

/* ---- what somebody may send to make us work ----------------------------------------------------------- */

TEST(chains_without_end_take_no_time)
{
	static const int ways[] = { 1, -1 };
	enum { COUNT = 100000 };

	for (size_t w = 0; w < ARRAY_LEN(ways); w++) {
		struct threads *t = threads_new(IMAP_THREAD_REFERENCES, COUNT);
		struct buf out = BUF_INIT(SIZE_MAX);

		/* each the answer to the one before or behind; and to dummies in a chain of its own */
		for (int i = 1; i <= COUNT; i++) {
			int to = i + ways[w];

			assert_true(threads_add(t, (uint32_t)i, (uint64_t)i * 2, 1, true));
			threads_add_reference(t, (uint64_t)to * 2 + 1);
			threads_add_reference(t, (uint64_t)i * 2 + 1);
			threads_add_reference(t, (uint64_t)to * 2);
			threads_order(t, (uint32_t)i - 1);
		}
		while (!threads_work(t, 1000))
			;
		while (!threads_write(t, 1000, &out))
			;
		assert_true(out.len > COUNT);
		threads_free(&t);
		buf_fini(&out);
	}
}

TEST(more_references_than_are_kept)
{
	struct threads *t = threads_new(IMAP_THREAD_REFERENCES, 2);
	struct buf out = BUF_INIT(1000);

	assert_true(threads_add(t, 1, 1000, 0, false));
	assert_true(threads_add(t, 2, 2000, 0, false));
	for (uint64_t i = 0; i < 3 * THREADS_REFERENCES_MAX; i++)
		threads_add_reference(t, i + 1);
	threads_add_reference(t, 1000);
	threads_order(t, 0);
	threads_order(t, 1);
	assert_true(threads_work(t, 10000));
	assert_true(threads_write(t, 10000, &out));
	assert_string_equal(buf_cstr(&out), "(1 2)");
	threads_free(&t);
	buf_fini(&out);
}
