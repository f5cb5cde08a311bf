#include "rewrite/submitted.h"

#include "mail/address.h"
#include "mail/date.h"
#include "mail/header.h"

#include <inttypes.h>

static const char *const dropped[] = { "Bcc", "Resent-Bcc", "Return-Path", "Content-Length" };

static bool
is_dropped(struct slice name)
{
	for (size_t i = 0; i < ARRAY_LEN(dropped); i++)
		if (slice_ieq_str(name, dropped[i]))
			return true;
	return false;
}

static void
add_missing(struct buf *out, struct slice header, const struct submitted *s)
{
	struct header_field f;

	if (!header_find(header, "Date", &f)) {
		buf_add_str(out, "Date: ");
		date_add(out, (struct date){ .utc_s = (int64_t)s->wall_s });
		buf_add_str(out, "\r\n");
	}
	if (!header_find(header, "Message-ID", &f))
		buf_printf(out, "Message-ID: <%s.%" PRIu64 "@%s>\r\n", s->id, s->wall_s,
		           s->hostname);
	if (*s->from != '\0' && !header_find(header, "From", &f))
		buf_printf(out, "From: <%s>\r\n", s->from);
}

bool
submitted_is_readable(struct slice header)
{
	struct header_iter it;
	struct header_field f;

	header_iter_init(&it, header);
	while (header_next(&it, &f))
		;
	return !it.cut;
}

/* Lines that are no field stay where they are; a message that begins with one has no header. */
void
submitted_add(struct buf *out, struct slice header, const struct submitted *s)
{
	struct header_iter it;
	struct header_field f;
	const char *end = header.p + header.n, *done = header.p;

	add_missing(out, header, s);
	header_iter_init(&it, header);
	while (header_next(&it, &f)) {
		if (done == header.p && f.raw.p != header.p)
			break;
		buf_add(out, done, (size_t)(f.raw.p - done));
		if (!is_dropped(f.name))
			buf_add_slice(out, f.raw);
		done = f.raw.p + f.raw.n;
	}
	if (done == header.p && header.n > 0 && !slice_starts(header, SLICE("\r\n")))
		buf_add_str(out, "\r\n");
	buf_add(out, done, (size_t)(end - done));
}

/* ---- who it says it is from --------------------------------------------------------------------- */

static bool
take_list(struct arena *a, struct slice value, const char **from_r, size_t *count)
{
	struct address_list list;

	address_list_parse(a, value, SUBMITTED_FROM_MAX + 1, &list);
	for (size_t i = 0; i < list.count; i++) {
		const struct address_item *item = &list.items[i];

		if (item->kind != ADDRESS_MAILBOX)
			continue;
		if (*count == SUBMITTED_FROM_MAX || item->local.n == 0 || item->domain.n == 0)
			return false;
		from_r[(*count)++] = arena_printf(a, "%.*s@%.*s", SLICE_ARG(item->local),
		                                  SLICE_ARG(item->domain));
	}
	return !list.cut && !list.dropped;
}

int
submitted_get_from(struct arena *a, struct slice header, const char *from_r[SUBMITTED_FROM_MAX])
{
	struct header_iter it;
	struct header_field f;
	size_t count = 0;

	header_iter_init(&it, header);
	while (header_next(&it, &f)) {
		size_t before = count;

		if (!slice_ieq_str(f.name, "From"))
			continue;
		if (!take_list(a, f.value, from_r, &count) || count == before)
			return -1;
	}
	return (int)count;
}
