/* arena - see arena.h. Chunks double up to 64 KiB; larger requests get their own. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

#define CHUNK_FIRST 1024
#define CHUNK_MOST 65536
#define ALIGN 16

struct chunk {
	struct chunk *next;
	size_t used, cap;
	_Alignas(ALIGN) char data[];
};

struct arena {
	struct chunk *head; /* the chunk allocations come from */
	const char *name;
	size_t bytes;
};

static struct chunk *
chunk_add(struct arena *a, size_t cap)
{
	struct chunk *c = xmalloc(sizeof(*c) + cap);

	c->used = 0;
	c->cap = cap;
	c->next = a->head;
	a->head = c;
	a->bytes += sizeof(*c) + cap;
	return c;
}

struct arena *
arena_new(const char *name)
{
	struct arena *a = xcalloc(1, sizeof(*a));

	a->name = name;
	return a;
}

static void
chunks_free(struct chunk *c)
{
	while (c != NULL) {
		struct chunk *next = c->next;

		free(c);
		c = next;
	}
}

void
arena_free(struct arena **a)
{
	if (*a == NULL)
		return;
	chunks_free((*a)->head);
	free(*a);
	*a = NULL;
}

void
arena_reset(struct arena *a)
{
	struct chunk *keep = a->head;

	if (keep == NULL)
		return;
	while (keep->next != NULL) {
		struct chunk *next = keep->next;

		free(keep);
		keep = next;
	}
	keep->used = 0;
	a->head = keep;
	a->bytes = sizeof(*keep) + keep->cap;
}

size_t
arena_get_bytes(const struct arena *a)
{
	return a->bytes;
}

void *
arena_alloc(struct arena *a, size_t size)
{
	struct chunk *c = a->head;
	void *p;

	must(size <= SIZE_MAX / 2);
	size = (size + ALIGN - 1) / ALIGN * ALIGN;
	if (c == NULL || c->cap - c->used < size) {
		size_t cap = c == NULL ? CHUNK_FIRST : MIN(c->cap * 2, (size_t)CHUNK_MOST);

		c = chunk_add(a, MAX(cap, size));
	}
	p = c->data + c->used;
	c->used += size;
	memset(p, 0, size);
	return p;
}

void *
arena_array(struct arena *a, size_t count, size_t size)
{
	must(size == 0 || count <= SIZE_MAX / 2 / size);
	return arena_alloc(a, count * size);
}

char *
arena_slice_str(struct arena *a, struct slice s)
{
	char *p = arena_alloc(a, s.n + 1);

	if (s.n != 0)
		memcpy(p, s.p, s.n);
	return p;
}

char *
arena_strdup(struct arena *a, const char *s)
{
	return arena_slice_str(a, slice_of(s));
}

struct slice
arena_slice_dup(struct arena *a, struct slice s)
{
	return slice_make(arena_slice_str(a, s), s.n);
}

char *
arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	must(n >= 0);
	p = arena_alloc(a, (size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}
