/*
 * place - where the supervisor lives: its log, folder, pid file, limits.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log/log.h"
#include "svc/svc_impl.h"

int
svc_log_use(const struct svc_program *p, const struct conf *c, const struct svc_owner *owner,
            struct err *err)
{
	const char *path = conf_str(c, "log");
	enum log_level level;

	if (log_open(p->name, path) == -1) {
		err_set_errno(err, "the log %s cannot be opened", path);
		return -1;
	}
	if (log_level_parse(slice_of(conf_enum_text(c, "log_level")), &level))
		log_set_level(level);
	/* Workers open it again as the user they are. */
	if (owner->change && path[0] == '/' && chown(path, owner->uid, owner->gid) == -1)
		log_warning(NULL, "svc.log_owner path=%s reason=%s", log_esc(path),
		            log_esc(strerror(errno)));
	return 0;
}

int
svc_log_apply(struct svc_supervisor *s, const struct conf *c, struct err *err)
{
	struct svc_owner owner = svc_privileges_owner(&s->privileges);

	return svc_log_use(s->program, c, &owner, err);
}

void
svc_log_restore(struct svc_supervisor *s)
{
	struct err err;

	if (svc_log_apply(s, s->current->conf, &err) == -1)
		log_warning(NULL, "svc.log reason=%s", log_esc(err.text));
}

int
svc_make_run_dir(struct svc_supervisor *s, const struct conf *c, struct err *err)
{
	const char *dir = conf_str(c, "run_dir");
	struct svc_owner owner = svc_privileges_owner(&s->privileges);

	if (mkdir(dir, 0755) == 0) {
		if (owner.change && chown(dir, owner.uid, owner.gid) == -1) {
			err_set_errno(err, "run_dir %s cannot be given to its user", dir);
			return -1;
		}
	} else if (errno != EEXIST) {
		err_set_errno(err, "run_dir %s cannot be made", dir);
		return -1;
	}
	if (access(dir, W_OK | X_OK) == 0)
		return 0;
	err_set_errno(err, "run_dir %s cannot be used", dir);
	return -1;
}

void
svc_name_pid_file(struct svc_supervisor *s, const struct conf *c)
{
	struct buf path = BUF_INIT(PATH_MAX);

	buf_printf(&path, "%s/%s%s%s.pid", conf_str(c, "run_dir"), s->program->name,
	           s->args->instance != NULL ? "-" : "",
	           s->args->instance != NULL ? s->args->instance : "");
	s->pid_file = buf_steal_cstr(&path);
}

void
svc_write_pid_file(struct svc_supervisor *s)
{
	FILE *f = fopen(s->pid_file, "we");

	s->pid_file_is_ours = f != NULL;
	if (f == NULL || fprintf(f, "%d\n", (int)getpid()) < 0)
		log_warning(NULL, "svc.pid_file path=%s reason=%s", log_esc(s->pid_file),
		            log_esc(strerror(errno)));
	if (f != NULL)
		(void)fclose(f);
}

bool
svc_predecessor_was_killed(const struct svc_supervisor *s)
{
	FILE *f = fopen(s->pid_file, "re");
	int pid = 0;
	bool killed;

	if (f == NULL)
		return false;
	killed = fscanf(f, "%d", &pid) == 1 && pid > 0 && kill(pid, 0) == -1 && errno == ESRCH;
	(void)fclose(f);
	return killed;
}

void
svc_raise_limits(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == -1)
		return;
	r.rlim_cur = r.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &r) == -1)
		log_warning(NULL, "svc.rlimit reason=%s", log_esc(strerror(errno)));
}
