/*
 * os - every system call on the way of a write, so that tests can put a disk of their own
 * under the engine and cut its power.
 *
 * All return -1 with errno on failure. Paths are below the data directory.
 */
#ifndef ENGINE_OS_H
#define ENGINE_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct os {
	const struct os_ops *ops;
};

struct os_ops {
	/* create: must not exist yet. Else it must. */
	int (*open)(struct os *os, const char *path, bool create);
	int (*close)(struct os *os, int fd);
	/* Reserves bytes [0, size) and sets the size; they read as zeros or old rubbish. */
	int (*allocate)(struct os *os, int fd, uint64_t size);
	ssize_t (*pwritev)(struct os *os, int fd, const struct iovec *iov, int count, uint64_t at);
	ssize_t (*pread)(struct os *os, int fd, void *p, size_t n, uint64_t at);
	int (*fdatasync)(struct os *os, int fd);
	/* Cuts the file. */
	int (*truncate)(struct os *os, int fd, uint64_t size);
	/* Makes creations and removals in dir durable. */
	int (*sync_dir)(struct os *os, const char *dir);
	int (*unlink)(struct os *os, const char *path);
	int64_t (*size)(struct os *os, int fd);
	/* Calls fn for every name in dir. */
	int (*list)(struct os *os, const char *dir, void (*fn)(void *ctx, const char *name),
	            void *ctx);
	int64_t (*free_bytes)(struct os *os, const char *dir);
};

/* The real one. */
extern struct os os_real;

#endif
