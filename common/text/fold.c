/*
 * fold - pieces of text are folded one by one and searched with Knuth, Morris and
 * Pratt's automaton, so neither the text nor its folded form is ever held whole, and
 * no text makes it slow.
 */
#include "text/fold.h"

#include <stdlib.h>
#include <unicase.h>
#include <uninorm.h>
#include <unistr.h>

#include "base/text.h"
#include "base/xalloc.h"

#define PIECE 4096

struct fold_needle {
	struct buf text; /* folded */
	size_t *fail;    /* fail[i]: longest border of text[0..i) */
	struct buf scratch;
};

static void
add_ascii(struct buf *out, struct slice s)
{
	char *p = buf_extend(out, s.n);

	for (size_t i = 0; p != NULL && i < s.n; i++)
		p[i] = text_lower(s.p[i]);
}

static void
add_unicode(struct buf *out, struct slice s)
{
	uint8_t room[4 * PIECE];
	size_t n = sizeof(room);
	uint8_t *folded = u8_casefold((const uint8_t *)s.p, s.n, NULL, UNINORM_NFD, room, &n);

	if (folded == NULL) {
		buf_add_slice(out, s); /* out of memory, or not UTF-8 after all */
		return;
	}
	buf_add(out, folded, n);
	if (folded != room)
		free(folded);
}

/* The longest start of s, at most PIECE, that ends where nothing is torn: before an ASCII
 * character (which never combines with what is before it), else before a whole one. */
static size_t
piece_length(struct slice s)
{
	size_t n = MIN(s.n, (size_t)PIECE);

	if (n == s.n)
		return n;
	for (size_t i = n; i > n - 64; i--)
		if ((unsigned char)s.p[i] < 0x80)
			return i;
	while (n > PIECE - 4 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
		n--;
	return n;
}

static void
add_piece(struct buf *out, struct slice s)
{
	if (text_is_ascii(s)) {
		add_ascii(out, s);
		return;
	}
	while (s.n > 0) {
		size_t good = 0, n;

		while (good < s.n && (n = text_utf8_next(slice_skip(s, good), NULL)) > 0)
			good += n;
		if (good > 0)
			add_unicode(out, slice_sub(s, 0, good));
		if (good < s.n)
			buf_add_char(out, s.p[good++]);
		s = slice_skip(s, good);
	}
}

void
fold_add(struct buf *out, struct slice utf8)
{
	while (utf8.n > 0) {
		size_t n = piece_length(utf8);

		add_piece(out, slice_sub(utf8, 0, n));
		utf8 = slice_skip(utf8, n);
	}
}

void
fold_add_collated(struct buf *out, struct slice utf8)
{
	struct buf title = BUF_INIT(SIZE_MAX);
	uint8_t *decomposed, bytes[6];
	size_t n;

	for (; utf8.n > 0; utf8 = slice_skip(utf8, MAX(n, (size_t)1))) {
		uint32_t c = 0;
		int used;

		n = text_utf8_next(utf8, &c);
		if (n == 0 || c == 0)
			continue;
		used = u8_uctomb(bytes, uc_totitle(c), sizeof(bytes));
		if (used > 0)
			buf_add(&title, bytes, (size_t)used);
	}
	if (text_is_ascii(buf_slice(&title))) {
		buf_add_slice(out, buf_slice(&title));
	} else {
		decomposed = u8_normalize(UNINORM_NFKD, (const uint8_t *)title.data, title.len,
		                          NULL, &n);
		if (decomposed != NULL)
			buf_add(out, decomposed, n);
		free(decomposed);
	}
	buf_fini(&title);
}

struct fold_needle *
fold_needle_new(struct slice utf8)
{
	struct fold_needle *n = xcalloc(1, sizeof(*n));
	const char *text;
	size_t k = 0;

	buf_init(&n->text, SIZE_MAX);
	buf_init(&n->scratch, SIZE_MAX);
	fold_add(&n->text, utf8);
	n->fail = xcalloc(n->text.len + 1, sizeof(*n->fail));
	text = buf_slice(&n->text).p;
	for (size_t i = 1; i < n->text.len; i++) {
		while (k > 0 && text[i] != text[k])
			k = n->fail[k];
		k += text[i] == text[k];
		n->fail[i + 1] = k;
	}
	return n;
}

void
fold_needle_free(struct fold_needle **n)
{
	if (*n == NULL)
		return;
	buf_fini(&(*n)->text);
	buf_fini(&(*n)->scratch);
	free((*n)->fail);
	free(*n);
	*n = NULL;
}

/* Goes on in state *k. */
static bool
run(const struct fold_needle *n, struct slice s, size_t *k)
{
	struct slice text = buf_slice(&n->text);
	size_t at = *k;

	for (size_t i = 0; i < s.n; i++) {
		while (at > 0 && s.p[i] != text.p[at])
			at = n->fail[at];
		at += s.p[i] == text.p[at];
		if (at == text.n)
			return true;
	}
	*k = at;
	return false;
}

bool
fold_contains(struct fold_needle *n, struct slice utf8)
{
	size_t k = 0;

	if (n->text.len == 0)
		return true;
	while (utf8.n > 0) {
		size_t piece = piece_length(utf8);

		buf_clear(&n->scratch);
		add_piece(&n->scratch, slice_sub(utf8, 0, piece));
		if (run(n, buf_slice(&n->scratch), &k))
			return true;
		utf8 = slice_skip(utf8, piece);
	}
	return false;
}
