/*
 * meta - see meta.h. The file META, one "name value" a line:
 *   roost-store 1
 *   owner store1
 *   id 0123456789abcdef
 */
#include "engine/meta.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ids.h"
#include "base/slice.h"

#define VERSION_LINE "roost-store 1"
#define META_BYTES 512

int
meta_lock(const char *dir, struct err *err)
{
	char path[512];
	int fd;

	if (mkdir(dir, 0700) == -1 && errno != EEXIST) {
		err_set_errno(err, "cannot make the data directory %s", dir);
		return -1;
	}
	if ((size_t)snprintf(path, sizeof(path), "%s/lock", dir) >= sizeof(path) - 32) {
		err_set(err, "the path of the data directory is too long: %s", dir);
		return -1;
	}
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd == -1) {
		err_set_errno(err, "cannot open %s", path);
		return -1;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	if (errno == EWOULDBLOCK)
		err_set(err, "the data directory %s is in use by another process", dir);
	else
		err_set_errno(err, "cannot lock %s", path);
	close(fd);
	return -1;
}

/* Only what we make before META may be there, else it is somebody's. */
static bool
is_fresh(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	bool fresh = true;

	while (d != NULL && (entry = readdir(d)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    strcmp(entry->d_name, "lock") != 0 && strcmp(entry->d_name, "META.new") != 0)
			fresh = false;
	if (d != NULL)
		closedir(d);
	return d != NULL && fresh;
}

static int
sync_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

	if (fd == -1)
		return -1;
	rc = fsync(fd);
	close(fd);
	return rc;
}

static int
make_meta(const char *dir, const char *path, const char *owner, uint64_t *id_r, struct err *err)
{
	char fresh[600], text[META_BYTES];
	int n, fd;

	*id_r = ids_random_u64();
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	n = snprintf(text, sizeof(text), VERSION_LINE "\nowner %s\nid %016llx\n", owner,
	             (unsigned long long)*id_r);
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd == -1 || write(fd, text, (size_t)n) != n || fsync(fd) == -1 ||
	    rename(fresh, path) == -1 || sync_dir(dir) == -1) {
		err_set_errno(err, "cannot write %s", path);
		if (fd != -1)
			close(fd);
		return -1;
	}
	close(fd);
	return 0;
}

static int
check_meta(const char *dir, struct slice text, const char *owner, uint64_t *id_r, struct err *err)
{
	struct slice version = slice_cut(&text, '\n'), who = slice_cut(&text, '\n');
	struct slice id = slice_cut(&text, '\n');
	char hex[32], *end;

	if (!slice_eq_str(version, VERSION_LINE)) {
		err_set(err,
		        "the data directory %s is of another version (%.*s; this program knows "
		        "\"%s\"): it was left as it is",
		        dir, SLICE_ARG(slice_sub(version, 0, 60)), VERSION_LINE);
		return -1;
	}
	if (!slice_starts(who, SLICE("owner ")) || !slice_eq_str(slice_skip(who, 6), owner)) {
		err_set(err,
		        "the data directory %s belongs to another server (%.*s, not %s): check the "
		        "settings data_dir and server",
		        dir, SLICE_ARG(slice_sub(who, 6, 255)), owner);
		return -1;
	}
	snprintf(hex, sizeof(hex), "%.*s", SLICE_ARG(slice_sub(slice_skip(id, 3), 0, 16)));
	*id_r = strtoull(hex, &end, 16);
	if (!slice_starts(id, SLICE("id ")) || end != hex + 16) {
		err_set(err, "%s/META is damaged: its third line must be \"id\" and 16 hex digits",
		        dir);
		return -1;
	}
	return 0;
}

int
meta_open(const char *dir, const char *owner, uint64_t *store_id_r, struct err *err)
{
	char path[560], text[META_BYTES];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/META", dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1 && errno == ENOENT && is_fresh(dir))
		return make_meta(dir, path, owner, store_id_r, err);
	if (fd == -1) {
		if (errno == ENOENT)
			err_set(err,
			        "%s is not a data directory of ours: it has files but no META; "
			        "nothing was touched",
			        dir);
		else
			err_set_errno(err, "cannot read %s", path);
		return -1;
	}
	n = read(fd, text, sizeof(text));
	close(fd);
	if (n < 0) {
		err_set_errno(err, "cannot read %s", path);
		return -1;
	}
	return check_meta(dir, slice_make(text, (size_t)n), owner, store_id_r, err);
}
