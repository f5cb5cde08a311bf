/*
 * privileges - from root to the user of the settings, once the sockets are open.
 *
 * What must be read as root (certificates' keys) is read by nobody: a key belongs to
 * the group of `user`, so that a reload can read it too.
 */
#include "svc/svc_impl.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "log/log.h"

int
svc_privileges_find(const struct conf *c, struct svc_privileges *p, struct err *err)
{
	const char *user = conf_str(c, "user");
	const struct passwd *pw;
	char where[600];

	*p = (struct svc_privileges){ .uid = getuid(), .gid = getgid() };
	if (user == NULL || geteuid() != 0)
		return 0;
	errno = 0;
	pw = getpwnam(user);
	if (pw == NULL) {
		err_set(err, "%s: this host has no user %s",
		        conf_where(c, "user", where, sizeof(where)), user);
		return -1;
	}
	p->drop = pw->pw_uid != 0;
	p->user = xstrdup(user);
	p->uid = pw->pw_uid;
	p->gid = pw->pw_gid;
	return 0;
}

void
svc_privileges_fini(struct svc_privileges *p)
{
	free(p->user);
	p->user = NULL;
}

void
svc_privileges_log(const struct conf *c, const struct svc_privileges *p)
{
	const char *user = conf_str(c, "user");
	const struct passwd *pw;

	if (geteuid() == 0 && !p->drop) {
		log_warning(NULL, "svc.root reason=\"the setting user is not set (or is root): "
		                  "everything runs as root\"");
	} else if (geteuid() != 0 && user != NULL) {
		pw = getpwuid(geteuid());
		if (pw == NULL || strcmp(pw->pw_name, user) != 0)
			log_warning(NULL,
			            "svc.user user=%s reason=\"only root can become another "
			            "user; staying what we are\"",
			            log_esc(user));
	}
}

void
svc_privileges_drop(const struct svc_privileges *p)
{
	if (!p->drop)
		return;
	if (initgroups(p->user, p->gid) == -1 || setgid(p->gid) == -1 || setuid(p->uid) == -1) {
		log_error(NULL, "svc.privileges user=%s reason=%s", log_esc(p->user),
		          log_esc(strerror(errno)));
		_exit(SVC_EXIT_START);
	}
	must(setuid(0) == -1 && geteuid() == p->uid && getegid() == p->gid);
}

struct svc_owner
svc_privileges_owner(const struct svc_privileges *p)
{
	return (struct svc_owner){ p->uid, p->gid, p->drop };
}
