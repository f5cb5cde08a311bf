/*
 * svc_main - from the command line to the supervisor.
 */
#include "svc/svc.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/version.h"
#include "guard/guard_serve.h"
#include "directory/auth_mechs.h"
#include "directory/directory.h"
#include "log/log.h"
#include "svc/svc_impl.h"

void
svc_say_failure(const struct svc_program *p, const char *text)
{
	fprintf(stderr, "%s: %s\n", p->name, text);
	if (!log_is_stderr())
		log_error(NULL, "svc.not_started reason=%s", log_esc(text));
}

bool
svc_ctl_path(const char *run_dir, const char *program, const char *instance, unsigned worker,
             char path_r[SVC_PATH_LEN])
{
	char number[16] = "";
	int n;

	if (worker > 0)
		snprintf(number, sizeof(number), ".%u", worker);
	n = snprintf(path_r, SVC_PATH_LEN, "%s/%s%s%s%s.ctl", run_dir, program,
	             instance != NULL ? "-" : "", instance != NULL ? instance : "", number);
	return n > 0 && n < SVC_PATH_LEN;
}

bool
svc_limits_path(const struct conf *c, const char *program, const char *instance,
                char path_r[SVC_PATH_LEN])
{
	int n = snprintf(path_r, SVC_PATH_LEN, "%s/%s%s%s.limits", conf_str(c, "run_dir"), program,
	                 instance != NULL ? "-" : "", instance != NULL ? instance : "");

	return n > 0 && n < SVC_PATH_LEN;
}

static void
print(struct buf *text)
{
	(void)fwrite(buf_slice(text).p, 1, text->len, stdout);
	buf_fini(text);
}

struct conf_schema
svc_schema(const struct svc_program *p)
{
	return (struct conf_schema){
		.program = p->name,
		.tables = p->tables,
		.in_place = (p->flags & SVC_ONE_WORKER) != 0,
	};
}

/* What needs no settings. */
static void
tell(const struct svc_program *p, enum svc_mode mode)
{
	const struct conf_schema schema = svc_schema(p);
	struct buf text = BUF_INIT((size_t)1 << 20);

	if (mode == SVC_VERSION)
		buf_printf(&text, "%s " ROOST_VERSION "\n", p->name);
	else if (mode == SVC_MAN)
		svc_args_print_man(p, &schema, &text);
	else if (mode == SVC_MAN_SETTINGS)
		svc_args_print_man_settings(p, &schema, &text);
	else
		svc_args_print_help(p, &schema, &text);
	print(&text);
}

/* Files that every program may need: a missing one is no wrong setting, but nothing can
 * start without it. */
static int
check_files(const struct conf *c, struct err *err)
{
	static const char *const files[] = { "tls_cert", "tls_key", "tls_ca" };
	char where[600];

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		const char *path = conf_str(c, files[i]);

		if (path == NULL || access(path, R_OK) == 0)
			continue;
		err_set_errno(err, "%s: %.200s cannot be read",
		              conf_where(c, files[i], where, sizeof(where)), path);
		return -1;
	}
	return 0;
}

static struct conf *
judge(const struct svc_program *p, const struct svc_args *args, const struct conf_file *f,
      int *code_r, struct err *err)
{
	const struct conf_schema schema = svc_schema(p);
	struct conf *c = conf_new(f, &schema, args->instance, err);

	if (c == NULL)
		return NULL;
	if (check_files(c, err) == -1 ||
	    ((p->flags & SVC_AUTH) != 0 && svc_check_auth(c, err) == -1)) {
		*code_r = SVC_EXIT_START;
		conf_free(&c);
	} else if (((p->flags & SVC_AUTH) != 0 &&
	            (auth_mechs_check(c, err) == -1 || directory_check(c, err) == -1)) ||
	           (p->check != NULL && p->check(c, err) == -1)) {
		err_prefix(err, "%s", args->config);
		conf_free(&c);
	}
	return c;
}

struct conf *
svc_load(const struct svc_program *p, const struct svc_args *args, struct conf_file **f_r,
         int *code_r, struct err *err)
{
	struct conf_file *f = conf_file_read(args->config, err);
	struct conf *c;

	*code_r = SVC_EXIT_CONFIG;
	c = f != NULL ? judge(p, args, f, code_r, err) : NULL;
	if (f_r != NULL && c != NULL)
		*f_r = f;
	else
		conf_file_free(&f);
	return c;
}

static void
show(const struct svc_args *args, struct conf *c)
{
	struct buf text = BUF_INIT((size_t)4 << 20);

	if (args->mode == SVC_CHECK)
		buf_printf(&text, "%s: nothing is wrong with the settings of %s\n", args->config,
		           conf_program(c));
	else
		conf_print(c, &text);
	print(&text);
}

/* What whoever started us left open is none of ours; what he closed must not become a
 * socket into which somebody prints. */
static void
sort_fds(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd != -1 && fd <= STDERR_FILENO);
	(void)close_range(STDERR_FILENO + 1, ~0U, 0);
}

int
svc_main(const struct svc_program *p, int argc, char **argv)
{
	struct svc_args args;
	struct conf *c;
	struct err err;
	int code;

	must(log_open(p->name, NULL) == 0);
	metrics_register(svc_metrics, SVC_M_COUNT);
	if ((p->flags & SVC_LIMITS) != 0)
		metrics_register(guard_metrics, GUARD_M_COUNT);
	if (svc_args_parse(argc, argv, &args, &err) == -1) {
		svc_say_failure(p, err.text);
		return SVC_EXIT_USAGE;
	}
	if (args.mode >= SVC_HELP) {
		tell(p, args.mode);
		return 0;
	}
	if (args.mode == SVC_RUN)
		sort_fds();
	c = svc_load(p, &args, NULL, &code, &err);
	if (c == NULL) {
		svc_say_failure(p, err.text);
		return code;
	}
	if (args.mode == SVC_RUN)
		return svc_supervise(p, &args, &c);
	show(&args, c);
	conf_free(&c);
	return 0;
}
