/* args - the command line. */
#include <getopt.h>
#include <stdlib.h>

#include "base/version.h"
#include "svc/svc_impl.h"

#define CONFIG_PATH "/etc/roost.conf"

static const struct option options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "instance", required_argument, NULL, 'i' },
	{ "check", no_argument, NULL, 'k' },
	{ "print-config", no_argument, NULL, 'p' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static int
fail(struct err *err, const char *what, const char *arg)
{
	err_set(err, "%s %s; --help tells what there is", what, arg);
	return -1;
}

int
svc_args_parse(int argc, char **argv, struct svc_args *a, struct err *err)
{
	int c;

	*a = (struct svc_args){ .config = CONFIG_PATH };
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":c:i:hV", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			a->config = optarg;
			break;
		case 'i':
			a->instance = optarg;
			break;
		case 'k':
			a->mode = SVC_CHECK;
			break;
		case 'p':
			a->mode = SVC_PRINT;
			break;
		case 'h':
			a->mode = SVC_HELP;
			break;
		case 'V':
			a->mode = SVC_VERSION;
			break;
		case ':':
			return fail(err, "a value is missing behind", argv[optind - 1]);
		default:
			return fail(err, "there is no option", argv[optind - 1]);
		}
	}
	if (optind < argc)
		return fail(err, "there is no argument", argv[optind]);
	return 0;
}

static const char usage[] =
	"  -c, --config FILE     the settings; without it " CONFIG_PATH "\n"
	"  -i, --instance NAME   the instance: section [%s NAME] of the settings\n"
	"      --check           read the settings, say what is wrong with them, and end\n"
	"      --print-config    show the settings in force, defaults included, and end\n"
	"  -h, --help            this text\n"
	"  -V, --version         the version (" ROOST_VERSION ")\n"
	"\n"
	"Signals: TERM or INT ends in peace (sessions may go on for drain_timeout), a second\n"
	"one at once; HUP reads the settings again (errors change nothing); USR1 opens the\n"
	"log file again.\n"
	"\n"
	"Exit status: 0 ended when asked to; 64 wrong arguments; 78 wrong settings; 71 could\n"
	"not start (a port in use, a certificate missing, a folder not usable).\n"
	"\n";

void
svc_args_print_help(const struct svc_program *p, const struct conf_schema *schema, struct buf *out)
{
	buf_printf(out, "%s\n\nUsage: %s [OPTION]...\n\n", p->summary, p->name);
	buf_printf(out, usage, p->name);
	conf_print_help(schema, out);
}
