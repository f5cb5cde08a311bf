/*
 * header_decode - encoded words. RFC 2047.
 *
 *	encoded-word = "=?" charset ["*" language] "?" encoding "?" encoded-text "?="
 *
 * Neighbours of one charset are joined as bytes before they are converted, because
 * many mailers cut characters in two.
 */
#include "mail/header.h"

#include "base/text.h"
#include "mail/mime.h"

#define MAX_CHARSET 64

struct word {
	struct slice raw, charset, text;
	bool base64;
};

struct decoder {
	struct buf *out;
	header_charset_fn *charset_fn;
	void *ctx;
	bool raw_is_utf8;
	/* words waiting for what follows */
	struct buf bytes;
	struct slice charset; /* p == NULL: none waits */
	struct slice raw;     /* from the first to the last of them */
};

/* One at the very start of s. */
static bool
take_word(struct slice s, struct word *w_r)
{
	struct slice rest = s;
	size_t n;

	if (!slice_starts(s, SLICE("=?")))
		return false;
	rest = slice_skip(rest, 2);
	n = slice_find(slice_sub(rest, 0, MAX_CHARSET + 1), '?');
	if (n == 0 || n > MAX_CHARSET || rest.n < n + 3 || rest.p[n] != '?' || rest.p[n + 2] != '?')
		return false;
	w_r->charset = slice_sub(rest, 0, n);
	w_r->charset = slice_sub(w_r->charset, 0, slice_find(w_r->charset, '*'));
	if (text_upper(rest.p[n + 1]) != 'Q' && text_upper(rest.p[n + 1]) != 'B')
		return false;
	w_r->base64 = text_upper(rest.p[n + 1]) == 'B';
	rest = slice_skip(rest, n + 3);
	/* a '?' never stands in the text; blanks do, from mailers that know no better */
	n = slice_find(rest, '?');
	if (n + 1 >= rest.n || rest.p[n + 1] != '=')
		return false;
	w_r->text = slice_sub(rest, 0, n);
	w_r->raw = slice_sub(s, 0, (size_t)(rest.p + n + 2 - s.p));
	return true;
}

static void
add_word_bytes(const struct word *w, struct buf *out)
{
	if (w->base64) {
		mime_decode(MIME_BASE64, w->text, out);
		return;
	}
	for (size_t i = 0; i < w->text.n; i++) {
		char c = w->text.p[i];

		if (c == '_')
			buf_add_char(out, ' ');
		else if (c != '=' || w->text.n - i < 3 ||
		         !text_hex_decode(slice_sub(w->text, i + 1, 2), out))
			buf_add_char(out, c);
		else
			i += 2;
	}
}

static void
add_latin1(struct slice s, struct buf *out)
{
	for (size_t i = 0; i < s.n; i++)
		text_utf8_add(out, (unsigned char)s.p[i]);
}

static bool
builtin_charset(struct slice charset, struct slice in, struct buf *out)
{
	bool ascii = slice_ieq_str(charset, "us-ascii");

	if (slice_ieq_str(charset, "utf-8") || ascii) {
		if (text_is_utf8(in))
			buf_add_slice(out, in);
		else
			add_latin1(in, out);
		return true;
	}
	if (!slice_ieq_str(charset, "iso-8859-1"))
		return false;
	add_latin1(in, out);
	return true;
}

/* What is no word that we can read. */
static void
add_raw(struct decoder *d, struct slice s)
{
	if (d->raw_is_utf8)
		buf_add_slice(d->out, s);
	else
		add_latin1(s, d->out);
}

/* The words that wait go out. */
static void
flush(struct decoder *d)
{
	struct slice in = buf_slice(&d->bytes);
	bool done;

	if (d->charset.p == NULL)
		return;
	done = d->charset_fn != NULL ? d->charset_fn(d->ctx, d->charset, in, d->out)
	                             : builtin_charset(d->charset, in, d->out);
	if (!done)
		add_raw(d, d->raw);
	d->charset = slice_make(NULL, 0);
	buf_clear(&d->bytes);
}

static void
add_word(struct decoder *d, const struct word *w)
{
	if (d->charset.p == NULL || !slice_ieq(d->charset, w->charset)) {
		flush(d);
		d->charset = w->charset;
		d->raw = w->raw;
	}
	d->raw.n = (size_t)(w->raw.p + w->raw.n - d->raw.p);
	add_word_bytes(w, &d->bytes);
}

static void
add_plain(struct decoder *d, struct slice s)
{
	if (s.n == 0)
		return;
	flush(d);
	add_raw(d, s);
}

static size_t
count_blanks(struct slice s)
{
	size_t n = 0;

	while (n < s.n && (s.p[n] == ' ' || s.p[n] == '\t'))
		n++;
	return n;
}

static void
decode(struct decoder *d, struct slice s)
{
	size_t plain = 0;
	struct word w;

	while (plain < s.n) {
		if (s.p[plain] != '=' || !take_word(slice_skip(s, plain), &w)) {
			plain++;
			continue;
		}
		/* blanks between two words are no text (RFC 2047 section 6.2) */
		if (d->charset.p == NULL || count_blanks(s) < plain)
			add_plain(d, slice_sub(s, 0, plain));
		add_word(d, &w);
		s = slice_skip(s, plain + w.raw.n);
		plain = 0;
	}
	add_plain(d, s);
	flush(d);
}

void
header_decode(struct slice value, header_charset_fn *charset_fn, void *ctx, struct buf *out)
{
	struct decoder d = { .out = out, .charset_fn = charset_fn, .ctx = ctx };
	struct buf flat = BUF_INIT(SIZE_MAX);

	buf_init(&d.bytes, SIZE_MAX);
	header_unfold(value, &flat);
	d.raw_is_utf8 = text_is_utf8(buf_slice(&flat));
	decode(&d, buf_slice(&flat));
	buf_fini(&d.bytes);
	buf_fini(&flat);
}
