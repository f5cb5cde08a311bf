/*
 * roostctl - administration of a cluster from the command line.
 */
#include "ctl/commands.h"

#include "base/num.h"
#include "base/version.h"
#include "log/log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CONFIG_PATH "/etc/roost.conf"
#define TIMEOUT_S 10
#define TIMEOUT_MOST_S 3600

static int
parse_timeout(struct run *r)
{
	const char *text = r->args.values[OPT_TIMEOUT];
	uint64_t seconds = TIMEOUT_S;

	if (text != NULL &&
	    (!num_parse_u64(slice_of(text), TIMEOUT_MOST_S, &seconds) || seconds == 0))
		return run_fail(r, EXIT_USAGE, "--timeout is in seconds, 1 to %d", TIMEOUT_MOST_S);
	r->timeout_ms = (unsigned)seconds * 1000;
	return EXIT_DONE;
}

static int
open_hosts(struct run *r)
{
	const char *path = r->args.values[OPT_CONFIG];
	struct err err;

	r->hosts = hosts_open(path != NULL ? path : CONFIG_PATH, &err);
	if (r->hosts != NULL)
		return EXIT_DONE;
	if (path == NULL)
		return run_fail(r, EXIT_CONF, "%s; %s--config names another file or folder",
		                err.text, geteuid() != 0 ? "run this as root; " : "");
	return run_fail(r, EXIT_CONF, "%s", err.text);
}

/* Help and version need no settings. */
static bool
is_told(struct run *r, int *code_r)
{
	struct buf out = BUF_INIT(1 << 16);
	bool help = args_has(&r->args, OPT_HELP);

	*code_r = EXIT_DONE;
	if (args_has(&r->args, OPT_VERSION)) {
		buf_add_str(&out, "roostctl " ROOST_VERSION "\n");
	} else if (help && r->args.command != NULL) {
		commands_print_command(r->args.command, &out);
	} else if (help) {
		*code_r = commands_help(r, &out);
	} else if (r->args.command == NULL) {
		commands_print_help(&out);
		(void)fwrite(buf_slice(&out).p, 1, out.len, stderr);
		json_set_str(r->result, "error", "usage");
		json_set_str(r->result, "text", "no command; `roostctl help` lists them");
		*code_r = EXIT_USAGE;
	} else {
		return false;
	}
	if (*code_r == EXIT_DONE)
		run_text(r, &out);
	buf_fini(&out);
	return true;
}

static int
execute(struct run *r)
{
	int code = parse_timeout(r);

	if (code == EXIT_DONE && r->args.command->fn != cmd_help)
		code = open_hosts(r);
	if (code == EXIT_DONE)
		code = r->args.command->fn(r);
	return code;
}

static void
print_result(struct run *r, int code)
{
	struct buf out = BUF_INIT(SIZE_MAX);

	if (!r->json)
		return;
	json_set_bool(r->result, "ok", code == EXIT_DONE);
	json_set_int(r->result, "exit", code);
	json_print_pretty(r->result, &out);
	printf("%s\n", buf_cstr(&out));
	buf_wipe(&out); /* it may have a password that was made */
}

/* `make man` asks for these; they are no commands. */
static bool
print_manual(int argc, char **argv)
{
	struct buf out = BUF_INIT(1 << 20);

	if (argc == 2 && strcmp(argv[1], "--man") == 0)
		commands_print_man(&out);
	else if (argc == 2 && strcmp(argv[1], "--man-settings") == 0)
		conf_print_man_common(&out);
	if (out.len == 0)
		return false;
	(void)fwrite(buf_slice(&out).p, 1, out.len, stdout);
	buf_fini(&out);
	return true;
}

int
main(int argc, char **argv)
{
	struct run r = { .result = json_new_object() };
	struct err err;
	int code;

	if (print_manual(argc, argv))
		return fflush(stdout) == 0 ? EXIT_DONE : EXIT_NO;
	log_set_level(LOG_WARNING);
	if (args_parse(commands, argc, argv, &r.args, &err) == -1) {
		r.json = args_ask_json(argc, argv);
		code = run_fail(&r, EXIT_USAGE, "%s", err.text);
	} else {
		r.json = args_has(&r.args, OPT_JSON);
		r.dry_run = args_has(&r.args, OPT_DRY_RUN);
		if (!is_told(&r, &code))
			code = execute(&r);
	}
	print_result(&r, code);
	directory_close(&r.directory);
	hosts_free(&r.hosts);
	json_free(&r.result);
	return fflush(stdout) == 0 ? code : EXIT_NO;
}
