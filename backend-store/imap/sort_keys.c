/*
 * Merge sort from the bottom up: runs of width 1, 2, 4, ... from one array into the other, with
 * its place kept, so that it can be left after any step.
 */
#include "imap/sort_keys.h"

#include "base/num.h"
#include "base/xalloc.h"

#include <stdlib.h>

#define BYTES_MAX (256u << 20)

void
sort_keys_init(struct sort_keys *k, size_t max)
{
	*k = (struct sort_keys){ .max = max };
	buf_init(&k->bytes, BYTES_MAX);
	k->items = xcalloc(MAX(max, (size_t)1), sizeof(*k->items));
}

void
sort_keys_fini(struct sort_keys *k)
{
	buf_fini(&k->bytes);
	free(k->items);
	free(k->spare);
	k->items = k->spare = NULL;
}

/* ---- writing keys --------------------------------------------------------------------------- */

void
sort_keys_start(struct sort_keys *k)
{
	k->begun = k->bytes.len;
	buf_add_u16(&k->bytes, 0);
}

static void
add(struct sort_keys *k, const uint8_t *p, size_t n, bool reverse)
{
	uint8_t *to = (uint8_t *)buf_extend(&k->bytes, n);

	for (size_t i = 0; to != NULL && i < n; i++)
		to[i] = reverse ? (uint8_t)~p[i] : p[i];
}

void
sort_keys_add_number(struct sort_keys *k, int64_t v, bool reverse)
{
	uint64_t u = (uint64_t)v ^ (uint64_t)1 << 63; /* negative ones first */
	uint8_t bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(u >> (56 - 8 * i));
	add(k, bytes, sizeof(bytes), reverse);
}

void
sort_keys_add_text(struct sort_keys *k, struct slice collated, bool reverse)
{
	struct slice s = slice_sub(collated, 0, SORT_TEXT_MAX);

	add(k, (const uint8_t *)s.p, s.n, reverse);
	add(k, (const uint8_t *)"", 1, reverse);
}

static uint64_t
head_of(struct slice key)
{
	uint64_t head = 0;

	for (size_t i = 0; i < 8; i++)
		head = head << 8 | (i < key.n ? (uint8_t)key.p[i] : 0);
	return head;
}

static struct slice
key_at(const struct sort_keys *k, uint32_t at)
{
	const uint8_t *p = (const uint8_t *)buf_slice(&k->bytes).p + at;

	return slice_make((const char *)p, num_get_le16(p - 2));
}

bool
sort_keys_end(struct sort_keys *k, uint32_t id)
{
	struct sort_item *item = &k->items[k->count];
	size_t n = k->bytes.len - k->begun - 2;

	must(k->count < k->max);
	if (k->bytes.overflow)
		return false;
	num_put_le16((uint8_t *)k->bytes.data + k->bytes.start + k->begun, (uint16_t)n);
	item->at = (uint32_t)k->begun + 2;
	item->id = id;
	item->head = head_of(key_at(k, item->at));
	k->count++;
	return true;
}

struct slice
sort_keys_key(const struct sort_keys *k, size_t i)
{
	return key_at(k, k->items[i].at);
}

/* ---- sorting ----------------------------------------------------------------------------------- */

/* Keys are prefix-free. */
static bool
is_after(const struct sort_keys *k, const struct sort_item *a, const struct sort_item *b)
{
	struct slice one, two;

	if (a->head != b->head)
		return a->head > b->head;
	one = key_at(k, a->at);
	two = key_at(k, b->at);
	return memcmp(one.p, two.p, MIN(one.n, two.n)) > 0;
}

static void
begin_pair(struct sort_keys *k, size_t low)
{
	k->low = k->left = k->out = low;
	k->right = MIN(low + k->width, k->count);
}

static void
begin_pass(struct sort_keys *k, size_t width)
{
	k->width = width;
	begin_pair(k, 0);
}

static void
end_pass(struct sort_keys *k)
{
	struct sort_item *other = k->items;

	k->items = k->spare;
	k->spare = other;
	begin_pass(k, k->width * 2);
}

/* The next one of the two runs. */
static void
move_one(struct sort_keys *k)
{
	size_t middle = MIN(k->low + k->width, k->count);
	size_t high = MIN(k->low + 2 * k->width, k->count);
	bool right = k->left == middle ||
	             (k->right < high && is_after(k, &k->items[k->left], &k->items[k->right]));

	k->spare[k->out++] = right ? k->items[k->right++] : k->items[k->left++];
	if (k->out == high && high < k->count)
		begin_pair(k, high);
	else if (k->out == k->count)
		end_pass(k);
}

bool
sort_keys_sort(struct sort_keys *k, size_t steps)
{
	if (!k->sorting) {
		k->sorting = true;
		k->spare = xcalloc(MAX(k->count, (size_t)1), sizeof(*k->spare));
		begin_pass(k, 1);
	}
	for (; steps > 0 && k->width < k->count; steps--)
		move_one(k);
	return k->width >= k->count;
}
