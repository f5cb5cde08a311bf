/* disk - see disk.h. */
#include "disk/disk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/xalloc.h"

#define SECTOR 512
#define FILES 256

struct write_op {
	uint64_t at;
	size_t n;
	char *bytes;
};

struct file {
	char path[512];
	bool exists;         /* as the process sees it */
	bool exists_durable; /* as the directory on disk says */
	char *now, *durable; /* same size */
	uint64_t size;
	struct write_op *unsynced;
	size_t count;
};

/* Of one kind of call. */
struct failures {
	unsigned after, times;
};

struct disk {
	struct os os;
	uint64_t rng;
	struct file files[FILES];
	unsigned file_count;
	uint64_t operations, cut_at;
	bool cut;
	int fail_sync, fail_write, fail_unlink, fail_open;
	unsigned good_opens;
	struct failures reads, syncs;
	int64_t free_bytes;
	uint64_t capacity; /* 0: without an end */
};

uint64_t
disk_used(const struct disk *d)
{
	uint64_t used = 0;

	for (unsigned i = 0; i < d->file_count; i++)
		used += d->files[i].exists ? d->files[i].size : 0;
	return used;
}

static struct disk *
disk_of(struct os *os)
{
	return CONTAINER_OF(os, struct disk, os);
}

static uint64_t
draw(struct disk *d)
{
	d->rng ^= d->rng << 13;
	d->rng ^= d->rng >> 7;
	d->rng ^= d->rng << 17;
	return d->rng;
}

/* Counts a change; false: the power is off. */
static bool
step(struct disk *d)
{
	if (!d->cut && d->cut_at != 0 && d->operations >= d->cut_at)
		d->cut = true;
	d->operations++;
	if (d->cut)
		errno = EIO;
	return !d->cut;
}

static bool
fails(struct failures *f)
{
	if (f->times == 0 || (f->after != 0 && f->after-- != 0))
		return false;
	f->times--;
	errno = EIO;
	return true;
}

static struct file *
find(struct disk *d, const char *path)
{
	for (unsigned i = 0; i < d->file_count; i++)
		if (strcmp(d->files[i].path, path) == 0)
			return &d->files[i];
	return NULL;
}

static void
drop_unsynced(struct file *f)
{
	for (size_t i = 0; i < f->count; i++)
		free(f->unsynced[i].bytes);
	free(f->unsynced);
	f->unsynced = NULL;
	f->count = 0;
}

static void
resize(struct file *f, uint64_t size)
{
	f->now = xrealloc(f->now, size + 1);
	f->durable = xrealloc(f->durable, size + 1);
	if (size > f->size) {
		memset(f->now + f->size, 0, size - f->size);
		memset(f->durable + f->size, 0, size - f->size);
	}
	f->size = size;
}

static int
op_open(struct os *os, const char *path, bool create)
{
	struct disk *d = disk_of(os);
	struct file *f = find(d, path);

	if (!create && d->fail_open != 0 && d->good_opens-- == 0) {
		errno = d->fail_open;
		d->fail_open = 0;
		return -1;
	}
	if (!create && (f == NULL || !f->exists)) {
		errno = ENOENT;
		return -1;
	}
	if (create) {
		if (!step(d))
			return -1;
		if (f != NULL && f->exists) {
			errno = EEXIST;
			return -1;
		}
		if (f == NULL) {
			must(d->file_count < FILES);
			f = &d->files[d->file_count++];
			snprintf(f->path, sizeof(f->path), "%s", path);
		}
		drop_unsynced(f);
		f->size = 0;
		resize(f, 0);
		f->exists = true;
	}
	return (int)(f - d->files) + 1000;
}

static struct file *
of_fd(struct os *os, int fd)
{
	struct disk *d = disk_of(os);

	must(fd >= 1000 && fd < 1000 + (int)d->file_count);
	return &d->files[fd - 1000];
}

static int
op_close(struct os *os, int fd)
{
	(void)of_fd(os, fd);
	return 0;
}

static int
op_allocate(struct os *os, int fd, uint64_t size)
{
	struct disk *d = disk_of(os);

	if (!step(d))
		return -1;
	if (d->capacity != 0 && disk_used(d) + size > d->capacity) {
		errno = ENOSPC;
		return -1;
	}
	resize(of_fd(os, fd), size);
	return 0;
}

static int
op_truncate(struct os *os, int fd, uint64_t size)
{
	struct file *f = of_fd(os, fd);

	if (!step(disk_of(os)))
		return -1;
	if (size < f->size)
		f->size = size;
	return 0;
}

static ssize_t
op_pwritev(struct os *os, int fd, const struct iovec *iov, int count, uint64_t at)
{
	struct disk *d = disk_of(os);
	struct file *f = of_fd(os, fd);
	size_t total = 0;

	if (!step(d))
		return -1;
	if (d->fail_write != 0) {
		errno = d->fail_write;
		d->fail_write = 0;
		return -1;
	}
	for (int i = 0; i < count; i++) {
		struct write_op *w;

		must(at + iov[i].iov_len <= f->size);
		if (iov[i].iov_len == 0)
			continue;
		memcpy(f->now + at, iov[i].iov_base, iov[i].iov_len);
		f->unsynced = xreallocarray(f->unsynced, f->count + 1, sizeof(*f->unsynced));
		w = &f->unsynced[f->count++];
		*w = (struct write_op){ at, iov[i].iov_len,
			                xmemdup(iov[i].iov_base, iov[i].iov_len) };
		at += iov[i].iov_len;
		total += iov[i].iov_len;
	}
	return (ssize_t)total;
}

static ssize_t
op_pread(struct os *os, int fd, void *p, size_t n, uint64_t at)
{
	struct file *f = of_fd(os, fd);

	if (fails(&disk_of(os)->reads))
		return -1;
	if (at >= f->size)
		return 0;
	if (n > f->size - at)
		n = f->size - at;
	memcpy(p, f->now + at, n);
	return (ssize_t)n;
}

static int
op_fdatasync(struct os *os, int fd)
{
	struct disk *d = disk_of(os);
	struct file *f = of_fd(os, fd);

	if (!step(d))
		return -1;
	if (fails(&d->syncs))
		return -1;
	if (d->fail_sync != 0) {
		errno = d->fail_sync;
		d->fail_sync = 0;
		return -1;
	}
	drop_unsynced(f);
	memcpy(f->durable, f->now, f->size);
	return 0;
}

static int
op_sync_dir(struct os *os, const char *dir)
{
	struct disk *d = disk_of(os);

	(void)dir;
	if (!step(d))
		return -1;
	for (unsigned i = 0; i < d->file_count; i++)
		d->files[i].exists_durable = d->files[i].exists;
	return 0;
}

static int
op_unlink(struct os *os, const char *path)
{
	struct disk *d = disk_of(os);
	struct file *f = find(d, path);

	if (!step(d))
		return -1;
	if (f == NULL || !f->exists) {
		errno = ENOENT;
		return -1;
	}
	if (d->fail_unlink != 0) {
		errno = d->fail_unlink;
		d->fail_unlink = 0;
		return -1;
	}
	f->exists = false;
	return 0;
}

static int64_t
op_size(struct os *os, int fd)
{
	return (int64_t)of_fd(os, fd)->size;
}

static int
op_list(struct os *os, const char *dir, void (*fn)(void *ctx, const char *name), void *ctx)
{
	struct disk *d = disk_of(os);
	size_t n = strlen(dir);

	for (unsigned i = 0; i < d->file_count; i++)
		if (d->files[i].exists && strncmp(d->files[i].path, dir, n) == 0 &&
		    d->files[i].path[n] == '/')
			fn(ctx, d->files[i].path + n + 1);
	return 0;
}

static int64_t
op_free_bytes(struct os *os, const char *dir)
{
	const struct disk *d = disk_of(os);

	(void)dir;
	if (d->capacity != 0)
		return (int64_t)(d->capacity - MIN(d->capacity, disk_used(d)));
	return d->free_bytes;
}

static const struct os_ops ops = {
	.open = op_open,
	.close = op_close,
	.allocate = op_allocate,
	.pwritev = op_pwritev,
	.pread = op_pread,
	.fdatasync = op_fdatasync,
	.truncate = op_truncate,
	.sync_dir = op_sync_dir,
	.unlink = op_unlink,
	.size = op_size,
	.list = op_list,
	.free_bytes = op_free_bytes,
};

struct disk *
disk_new(uint64_t seed)
{
	struct disk *d = xcalloc(1, sizeof(*d));

	d->os.ops = &ops;
	d->rng = seed * 0x9e3779b97f4a7c15ULL + 1;
	d->free_bytes = INT64_MAX;
	return d;
}

void
disk_free(struct disk **dp)
{
	struct disk *d = *dp;

	for (unsigned i = 0; i < d->file_count; i++) {
		drop_unsynced(&d->files[i]);
		free(d->files[i].now);
		free(d->files[i].durable);
	}
	free(d);
	*dp = NULL;
}

struct disk *
disk_copy(const struct disk *d)
{
	struct disk *copy = disk_new(1);

	for (unsigned i = 0; i < d->file_count; i++) {
		const struct file *from = &d->files[i];
		struct file *to = &copy->files[i];

		*to = *from;
		to->now = xmemdup(from->now, from->size + 1);
		to->durable = xmemdup(from->now, from->size + 1);
		to->unsynced = NULL;
		to->count = 0;
		to->exists_durable = to->exists;
	}
	copy->file_count = d->file_count;
	return copy;
}

struct os *
disk_os(struct disk *d)
{
	return &d->os;
}

void
disk_cut_after(struct disk *d, uint64_t operations)
{
	d->cut_at = operations != 0 ? d->operations + operations : 0;
}

bool
disk_is_cut(const struct disk *d)
{
	return d->cut;
}

static void
land_sectors(struct disk *d, struct file *f, const struct write_op *w)
{
	uint64_t at = w->at, end = MIN(w->at + w->n, f->size);

	while (at < end) {
		uint64_t n = MIN(SECTOR - at % SECTOR, end - at);

		if (draw(d) & 1)
			memcpy(f->durable + at, w->bytes + (at - w->at), n);
		at += n;
	}
}

/* Each file has its own luck: nothing, everything, or sectors by lot. */
static void
land(struct disk *d, struct file *f)
{
	unsigned luck = draw(d) % 4;

	for (size_t i = 0; i < f->count; i++) {
		const struct write_op *w = &f->unsynced[i];

		if (luck == 1 && w->at + w->n <= f->size)
			memcpy(f->durable + w->at, w->bytes, w->n);
		else if (luck >= 2)
			land_sectors(d, f, w);
	}
	drop_unsynced(f);
	memcpy(f->now, f->durable, f->size);
}

void
disk_power_on(struct disk *d)
{
	for (unsigned i = 0; i < d->file_count; i++) {
		struct file *f = &d->files[i];

		if (f->exists != f->exists_durable)
			f->exists = (draw(d) & 1) ? f->exists : f->exists_durable;
		f->exists_durable = f->exists;
		land(d, f);
	}
	d->cut = false;
	d->cut_at = 0;
}

void
disk_process_died(struct disk *d)
{
	d->cut = false;
	d->cut_at = 0;
}

void
disk_fail_sync(struct disk *d, int err)
{
	d->fail_sync = err;
}

void
disk_fail_write(struct disk *d, int err)
{
	d->fail_write = err;
}

void
disk_set_free_bytes(struct disk *d, int64_t bytes)
{
	d->free_bytes = bytes;
}

void
disk_set_capacity(struct disk *d, uint64_t bytes)
{
	d->capacity = bytes;
}

void
disk_fail_reads(struct disk *d, unsigned after, unsigned times)
{
	d->reads = (struct failures){ after, times };
}

void
disk_fail_syncs(struct disk *d, unsigned after, unsigned times)
{
	d->syncs = (struct failures){ after, times };
}

bool
disk_has_failures(const struct disk *d)
{
	return d->reads.times != 0 || d->syncs.times != 0;
}

void
disk_fail_open(struct disk *d, int err, unsigned after)
{
	d->fail_open = err;
	d->good_opens = after;
}

void
disk_fail_unlink(struct disk *d, int err)
{
	d->fail_unlink = err;
}

void
disk_damage(struct disk *d, unsigned file, uint64_t at)
{
	must(file < d->file_count && at < d->files[file].size);
	d->files[file].now[at] ^= 0x10;
	d->files[file].durable[at] ^= 0x10;
}

void
disk_wipe(struct disk *d, unsigned file, uint64_t at, uint64_t n)
{
	must(file < d->file_count && at < d->files[file].size);
	n = MIN(n, d->files[file].size - at);
	memset(d->files[file].now + at, 0, n);
	memset(d->files[file].durable + at, 0, n);
}

uint64_t
disk_file_bytes(struct disk *d, unsigned file)
{
	must(file < d->file_count);
	return d->files[file].size;
}

unsigned
disk_file_count(const struct disk *d)
{
	return d->file_count;
}

uint64_t
disk_operations(const struct disk *d)
{
	return d->operations;
}
