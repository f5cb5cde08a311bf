/*
 * spool - the file is read, not mapped: a bad sector must be an error, not a signal.
 */
#include "mailbox/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void
spool_init(struct spool *sp, const char *dir)
{
	*sp = (struct spool){ .dir = dir, .fd = -1 };
	buf_init(&sp->bytes, SIZE_MAX); /* the owner limits it */
}

void
spool_fini(struct spool *sp)
{
	buf_fini(&sp->bytes);
	if (sp->fd != -1)
		(void)close(sp->fd);
	sp->fd = -1;
	sp->len = 0;
}

static bool
open_file(struct spool *sp, struct err *err)
{
	char path[4096];

	sp->fd = open(sp->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (sp->fd != -1)
		return true;
	/* a file system without O_TMPFILE */
	snprintf(path, sizeof(path), "%s/spool.XXXXXX", sp->dir);
	sp->fd = mkostemp(path, O_CLOEXEC);
	if (sp->fd == -1) {
		err_set_errno(err, "no file for a message in %s", sp->dir);
		return false;
	}
	(void)unlink(path);
	return true;
}

static bool
write_all(struct spool *sp, struct slice in, struct err *err)
{
	while (in.n > 0) {
		ssize_t n = write(sp->fd, in.p, in.n);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1) {
			err_set_errno(err, "writing a message below %s", sp->dir);
			return false;
		}
		in = slice_skip(in, (size_t)n);
	}
	return true;
}

bool
spool_add(struct spool *sp, struct slice in, struct err *err)
{
	sp->len += in.n;
	if (sp->fd == -1 && sp->len <= SPOOL_MEMORY) {
		buf_add_slice(&sp->bytes, in);
		return true;
	}
	if (sp->fd == -1) {
		if (!open_file(sp, err) || !write_all(sp, buf_slice(&sp->bytes), err))
			return false;
		buf_fini(&sp->bytes);
	}
	return write_all(sp, in, err);
}

bool
spool_take(struct spool *sp, struct slice *all_r, struct err *err)
{
	uint64_t at = 0;
	char *p;

	if (sp->fd != -1 && sp->bytes.len == 0) {
		p = buf_extend(&sp->bytes, sp->len);
		while (at < sp->len) {
			ssize_t n = pread(sp->fd, p + at, sp->len - at, (off_t)at);

			if (n == -1 && errno == EINTR)
				continue;
			if (n <= 0) {
				err_set_errno(err, "reading a message below %s", sp->dir);
				return false;
			}
			at += (uint64_t)n;
		}
	}
	*all_r = buf_slice(&sp->bytes);
	return true;
}
