#include "sasl/kerberos.h"

#include "base/buf.h"
#include "base/slice.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOSTS_FILE "/etc/krb5.conf"

/* Others read it while we write: they see all of it or none. */
static int
put_file(const char *path, struct slice text)
{
	char fresh[PATH_MAX];
	int fd, n = snprintf(fresh, sizeof(fresh), "%s.%d", path, (int)getpid());
	bool written;

	if (n >= (int)sizeof(fresh)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd == -1)
		return -1;
	written = write(fd, text.p, text.n) == (ssize_t)text.n;
	close(fd);
	return written ? rename(fresh, path) : -1;
}

int
kerberos_configure(const char *dir, struct err *err)
{
	const char *hosts = getenv("KRB5_CONFIG");
	struct buf path = BUF_INIT(PATH_MAX), all = BUF_INIT(SIZE_MAX), text = BUF_INIT(SIZE_MAX);
	int r;

	buf_printf(&path, "%s/kerberos.conf", dir);
	buf_printf(&all, "%s:%s", buf_cstr(&path), hosts != NULL ? hosts : HOSTS_FILE);
	buf_printf(&text,
	           "[libdefaults]\n"
	           "\tdns_canonicalize_hostname = false\n"
	           "\tignore_acceptor_hostname = true\n"
	           "\tdefault_rcache_name = file2:%s/kerberos.replay\n",
	           dir);
	r = put_file(buf_cstr(&path), buf_slice(&text));
	if (r == 0)
		r = setenv("KRB5_CONFIG", buf_cstr(&all), 1);
	if (r == -1)
		err_set_errno(err, "%.200s cannot be written", buf_cstr(&path));
	buf_fini(&path);
	buf_fini(&all);
	buf_fini(&text);
	return r;
}
