/*
 * map - see map.h. Open addressing with linear probing; a removed item leaves a
 * grave, so that iteration may delete.
 */
#include "base/map.h"

#include <stdlib.h>
#include <string.h>

#include "base/ids.h"
#include "base/must.h"
#include "base/num.h"
#include "base/xalloc.h"

#define MAP_FIRST_SLOTS 16

struct slot {
	uint64_t hash;
	char *key; /* NULL: free or grave */
	size_t key_len;
	void *value;
	bool grave;
};

struct map {
	struct slot *slots;
	size_t cap; /* power of two, or 0 */
	size_t count;
	size_t used; /* count plus graves */
};

#define ROTL(x, b) (((x) << (b)) | ((x) >> (64 - (b))))

static void
sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = ROTL(v[1], 13) ^ v[0];
	v[0] = ROTL(v[0], 32);
	v[2] += v[3];
	v[3] = ROTL(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = ROTL(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = ROTL(v[1], 17) ^ v[2];
	v[2] = ROTL(v[2], 32);
}

static uint64_t
siphash13(const uint64_t seed[2], struct slice s)
{
	uint64_t v[4] = { seed[0] ^ 0x736f6d6570736575ULL, seed[1] ^ 0x646f72616e646f6dULL,
		          seed[0] ^ 0x6c7967656e657261ULL, seed[1] ^ 0x7465646279746573ULL };
	const uint8_t *p = (const uint8_t *)s.p;
	size_t left = s.n;
	uint64_t last = (uint64_t)s.n << 56;

	for (; left >= 8; left -= 8, p += 8) {
		uint64_t word = num_get_le64(p);

		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	for (size_t i = 0; i < left; i++)
		last |= (uint64_t)p[i] << (8 * i);
	v[3] ^= last;
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t
map_hash(struct slice key)
{
	static _Thread_local uint64_t seed[2];
	static _Thread_local bool seeded;

	if (!seeded) {
		ids_random(seed, sizeof(seed));
		seeded = true;
	}
	return siphash13(seed, key);
}

struct map *
map_new(void)
{
	return xcalloc(1, sizeof(struct map));
}

void
map_free(struct map **mp)
{
	struct map *m = *mp;

	if (m == NULL)
		return;
	for (size_t i = 0; i < m->cap; i++)
		free(m->slots[i].key);
	free(m->slots);
	free(m);
	*mp = NULL;
}

size_t
map_count(const struct map *m)
{
	return m->count;
}

static struct slot *
find(const struct map *m, uint64_t hash, struct slice key)
{
	if (m->cap == 0)
		return NULL;
	for (size_t i = hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
		struct slot *s = &m->slots[i];

		if (s->key == NULL && !s->grave)
			return NULL;
		if (s->key != NULL && s->hash == hash &&
		    slice_eq(slice_make(s->key, s->key_len), key))
			return s;
	}
}

void *
map_get(const struct map *m, struct slice key)
{
	struct slot *s = find(m, map_hash(key), key);

	return s != NULL ? s->value : NULL;
}

static void
place(struct map *m, struct slot item)
{
	size_t i = item.hash & (m->cap - 1);

	while (m->slots[i].key != NULL || m->slots[i].grave)
		i = (i + 1) & (m->cap - 1);
	m->slots[i] = item;
	m->used++;
	m->count++;
}

static void
rehash(struct map *m)
{
	struct slot *old = m->slots;
	size_t old_cap = m->cap;

	m->cap = MAP_FIRST_SLOTS;
	while (m->cap < (m->count + 1) * 2)
		m->cap *= 2;
	m->slots = xcalloc(m->cap, sizeof(*m->slots));
	m->used = 0;
	m->count = 0;
	for (size_t i = 0; i < old_cap; i++)
		if (old[i].key != NULL)
			place(m, old[i]);
	free(old);
}

void *
map_set(struct map *m, struct slice key, void *value)
{
	uint64_t hash = map_hash(key);
	struct slot *s = find(m, hash, key);

	must(value != NULL);
	if (s != NULL) {
		void *old = s->value;

		s->value = value;
		return old;
	}
	if (m->cap == 0 || m->used + 1 > m->cap / 4 * 3)
		rehash(m);
	place(m, (struct slot){ hash, slice_dup(key), key.n, value, false });
	return NULL;
}

void *
map_del(struct map *m, struct slice key)
{
	struct slot *s = find(m, map_hash(key), key);
	void *value;

	if (s == NULL)
		return NULL;
	value = s->value;
	free(s->key);
	*s = (struct slot){ .grave = true };
	m->count--;
	return value;
}

bool
map_next(const struct map *m, size_t *pos, struct slice *key_r, void **value_r)
{
	for (; *pos < m->cap; (*pos)++) {
		struct slot *s = &m->slots[*pos];

		if (s->key == NULL)
			continue;
		*key_r = slice_make(s->key, s->key_len);
		*value_r = s->value;
		(*pos)++;
		return true;
	}
	return false;
}
