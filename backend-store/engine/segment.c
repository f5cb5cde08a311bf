/* segment - files of the log: made one ahead, allocated whole, never zero-filled. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ids.h"
#include "base/num.h"
#include "base/xalloc.h"
#include "engine/engine_impl.h"

#define NAME_LEN 20 /* 16 hex digits and ".log" */

void
segment_path(const struct engine *e, uint64_t number, char path_r[512])
{
	snprintf(path_r, 512, "%s/%016llx.log", e->log_dir, (unsigned long long)number);
}

int
segment_create(struct engine *e, struct segment *s, uint64_t number, uint64_t bytes)
{
	char path[512];

	*s = (struct segment){ .number = number, .bytes = bytes, .fd = -1 };
	s->id = ids_random_u64();
	segment_path(e, number, path);
	/* An allocated file without a header was made ahead before a crash. */
	(void)e->os->ops->unlink(e->os, path);
	s->fd = e->os->ops->open(e->os, path, true);
	if (s->fd == -1)
		return -1;
	if (e->os->ops->allocate(e->os, s->fd, bytes) == -1 ||
	    e->os->ops->fdatasync(e->os, s->fd) == -1 ||
	    e->os->ops->sync_dir(e->os, e->log_dir) == -1) {
		int saved = errno;

		segment_close(e, s);
		(void)e->os->ops->unlink(e->os, path);
		errno = saved;
		return -1;
	}
	return 0;
}

/* Writes the header; the first sync of a batch makes it durable. */
int
segment_activate(struct engine *e, struct segment *s, uint64_t prev_lsn, uint64_t prev_id)
{
	struct record_segment head = { s->number, s->id, e->store_id, prev_lsn, prev_id };
	uint8_t raw[RECORD_SEGMENT_BYTES];
	struct iovec iov = { raw, sizeof(raw) };

	record_put_segment(raw, &head);
	if (e->os->ops->pwritev(e->os, s->fd, &iov, 1, 0) != sizeof(raw))
		return -1;
	s->at = sizeof(raw);
	e->segments++;
	return 0;
}

void
segment_close(struct engine *e, struct segment *s)
{
	if (s->fd != -1)
		(void)e->os->ops->close(e->os, s->fd);
	s->fd = -1;
}

struct listing {
	uint64_t *numbers;
	size_t count;
};

static void
on_name(void *ctx, const char *name)
{
	struct listing *l = ctx;
	char *end;
	uint64_t number;

	if (strlen(name) != NAME_LEN || strcmp(name + 16, ".log") != 0)
		return;
	number = strtoull(name, &end, 16);
	if (end != name + 16)
		return;
	l->numbers = xreallocarray(l->numbers, l->count + 1, sizeof(*l->numbers));
	l->numbers[l->count++] = number;
}

static int
by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

int
segment_list(struct engine *e, uint64_t **numbers_r, size_t *count_r)
{
	struct listing l = { NULL, 0 };

	if (e->os->ops->list(e->os, e->log_dir, on_name, &l) == -1) {
		free(l.numbers);
		return -1;
	}
	if (l.count != 0)
		qsort(l.numbers, l.count, sizeof(*l.numbers), by_number);
	*numbers_r = l.numbers;
	*count_r = l.count;
	return 0;
}

/* Exactly n bytes; -1 with errno otherwise (EIO at the end of the file). */
int
segment_read(struct engine *e, int fd, void *p, size_t n, uint64_t at)
{
	char *to = p;

	while (n != 0) {
		ssize_t got = e->os->ops->pread(e->os, fd, to, n, at);

		if (got == -1 && errno == EINTR)
			continue;
		if (got == 0)
			errno = EIO;
		if (got <= 0)
			return -1;
		to += got;
		at += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}
