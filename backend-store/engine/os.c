/* os - see os.h. */
#include "engine/os.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/must.h"

static int
real_open(UNUSED struct os *os, const char *path, bool create)
{
	return open(path, O_RDWR | O_CLOEXEC | (create ? O_CREAT | O_EXCL : 0), 0600);
}

static int
real_close(UNUSED struct os *os, int fd)
{
	return close(fd);
}

static int
real_allocate(UNUSED struct os *os, int fd, uint64_t size)
{
	int rc = posix_fallocate(fd, 0, (off_t)size);

	if (rc == 0)
		return 0;
	errno = rc;
	return -1;
}

static ssize_t
real_pwritev(UNUSED struct os *os, int fd, const struct iovec *iov, int count, uint64_t at)
{
	return pwritev(fd, iov, count, (off_t)at);
}

static ssize_t
real_pread(UNUSED struct os *os, int fd, void *p, size_t n, uint64_t at)
{
	return pread(fd, p, n, (off_t)at);
}

static int
real_fdatasync(UNUSED struct os *os, int fd)
{
	return fdatasync(fd);
}

static int
real_truncate(UNUSED struct os *os, int fd, uint64_t size)
{
	return ftruncate(fd, (off_t)size);
}

static int
real_sync_dir(UNUSED struct os *os, const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

	if (fd == -1)
		return -1;
	rc = fsync(fd);
	close(fd);
	return rc;
}

static int
real_unlink(UNUSED struct os *os, const char *path)
{
	return unlink(path);
}

static int64_t
real_size(UNUSED struct os *os, int fd)
{
	struct stat st;

	return fstat(fd, &st) == -1 ? -1 : (int64_t)st.st_size;
}

static int
real_list(UNUSED struct os *os, const char *dir, void (*fn)(void *ctx, const char *name), void *ctx)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	if (d == NULL)
		return -1;
	while ((e = readdir(d)) != NULL)
		fn(ctx, e->d_name);
	closedir(d);
	return 0;
}

static int64_t
real_free_bytes(UNUSED struct os *os, const char *dir)
{
	struct statvfs st;

	return statvfs(dir, &st) == -1 ? -1 : (int64_t)(st.f_bavail * st.f_frsize);
}

static const struct os_ops real_ops = {
	.open = real_open,
	.close = real_close,
	.allocate = real_allocate,
	.pwritev = real_pwritev,
	.pread = real_pread,
	.fdatasync = real_fdatasync,
	.truncate = real_truncate,
	.sync_dir = real_sync_dir,
	.unlink = real_unlink,
	.size = real_size,
	.list = real_list,
	.free_bytes = real_free_bytes,
};

struct os os_real = { &real_ops };
