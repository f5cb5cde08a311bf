/*
 * search - looks through a message part by part; one part is decoded at a time.
 */
#include "text/search.h"

#include "base/arena.h"
#include "base/buf.h"
#include "mail/address.h"
#include "mail/header.h"
#include "mail/mime.h"
#include "text/charset.h"

#define DECODED_MAX (64 * 1024 * 1024) /* as large as a message may be */
#define ADDRESSES_MAX 10000
#define CHARSET_GROWTH 3 /* one byte becomes at most three in UTF-8 */

static bool
value_has(struct slice value, struct fold_needle *n)
{
	struct buf b = BUF_INIT(DECODED_MAX);
	bool found;

	charset_decode_header(value, &b);
	found = fold_contains(n, buf_slice(&b));
	buf_fini(&b);
	return found || fold_contains(n, slice_trim(value));
}

/* Of these fields the envelope holds addresses, without comments and folding. */
static bool
holds_addresses(struct slice name)
{
	static const char *const fields[] = { "From", "Sender", "Reply-To", "To", "Cc", "Bcc" };

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (slice_ieq_str(name, fields[i]))
			return true;
	return false;
}

static bool
address_has(struct slice value, struct fold_needle *n)
{
	struct arena *a = arena_new("search.addresses");
	struct address_list list;
	struct buf b = BUF_INIT(SIZE_MAX);
	bool found = false;

	address_list_parse(a, value, ADDRESSES_MAX, &list);
	for (size_t i = 0; i < list.count && !found; i++) {
		const struct address_item *item = &list.items[i];

		if (item->kind != ADDRESS_MAILBOX)
			continue;
		buf_clear(&b);
		buf_add_slice(&b, item->local);
		buf_add_char(&b, '@');
		buf_add_slice(&b, item->domain);
		found = fold_contains(n, buf_slice(&b));
	}
	buf_fini(&b);
	arena_free(&a);
	return found;
}

bool
search_header(struct slice header, struct fold_needle *n)
{
	struct header_iter it;
	struct header_field f;

	header_iter_init(&it, header);
	while (header_next(&it, &f))
		if (fold_contains(n, f.raw) || value_has(f.value, n))
			return true;
	return false;
}

bool
search_field(struct slice header, struct slice name, struct fold_needle *n)
{
	struct header_iter it;
	struct header_field f;

	header_iter_init(&it, header);
	while (header_next(&it, &f))
		if (slice_ieq(f.name, name) &&
		    (value_has(f.value, n) || (holds_addresses(name) && address_has(f.value, n))))
			return true;
	return false;
}

static bool
part_has(const struct mime *m, const struct mime_part *p, struct fold_needle *n)
{
	struct slice charset = header_param_get(&p->type, "charset");
	struct buf plain = BUF_INIT(DECODED_MAX), utf8 = BUF_INIT(DECODED_MAX * CHARSET_GROWTH);
	struct slice text = mime_body(m, p);
	bool found;

	if (p->encoding == MIME_BASE64 || p->encoding == MIME_QP) {
		mime_decode(p->encoding, text, &plain);
		text = buf_slice(&plain);
	}
	if (charset_to_utf8(charset, text, &utf8))
		text = buf_slice(&utf8);
	found = fold_contains(n, text);
	buf_fini(&plain);
	buf_fini(&utf8);
	return found;
}

bool
search_body(struct slice msg, struct fold_needle *n)
{
	struct arena *a = arena_new("search.body");
	bool found = false;
	struct mime m;

	mime_scan(a, msg, NULL, &m);
	for (uint32_t i = 0; i < m.count && !found; i++) {
		const struct mime_part *p = &m.parts[i];

		if (i > 0)
			found = search_header(mime_header(&m, p), n);
		if (!found && p->kind == MIME_LEAF &&
		    (slice_eq_str(p->type.type, "text") || slice_eq_str(p->type.type, "message")))
			found = part_has(&m, p, n);
	}
	arena_free(&a);
	return found;
}

bool
search_text(struct slice msg, struct fold_needle *n)
{
	struct slice header = slice_sub(msg, 0, header_length(msg));

	/* as it is too: there may be lines in it that are no fields */
	return fold_contains(n, header) || search_header(header, n) || search_body(msg, n);
}
