#include "sasl/kerberos.h"

#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOSTS_FILE "/etc/krb5.conf"

static const char text[] = "[libdefaults]\n"
			   "\tdns_canonicalize_hostname = false\n"
			   "\tignore_acceptor_hostname = true\n";

/* Others read it while we write: they see all of it or none. */
static int
put_file(const char *path)
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
	written = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return written ? rename(fresh, path) : -1;
}

int
kerberos_configure(const char *dir, struct err *err)
{
	const char *hosts = getenv("KRB5_CONFIG");
	struct buf path = BUF_INIT(PATH_MAX), all = BUF_INIT(SIZE_MAX);
	int r;

	buf_printf(&path, "%s/kerberos.conf", dir);
	buf_printf(&all, "%s:%s", buf_cstr(&path), hosts != NULL ? hosts : HOSTS_FILE);
	r = put_file(buf_cstr(&path));
	if (r == 0)
		r = setenv("KRB5_CONFIG", buf_cstr(&all), 1);
	if (r == -1)
		err_set_errno(err, "%.200s cannot be written", buf_cstr(&path));
	buf_fini(&path);
	buf_fini(&all);
	return r;
}
