/* args - the command line. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/roff.h"
#include "svc/svc_impl.h"

#define CONFIG_PATH "/etc/roost.conf"
#define HELP_WIDTH 78

static const struct option options[] = {
	{ "config", required_argument, NULL, 'c' }, { "instance", required_argument, NULL, 'i' },
	{ "check", no_argument, NULL, 'k' },        { "print-config", no_argument, NULL, 'p' },
	{ "help", no_argument, NULL, 'h' },         { "version", no_argument, NULL, 'V' },
	{ "man", no_argument, NULL, 'm' }, /* these two are for `make man` */
	{ "man-settings", no_argument, NULL, 's' }, { NULL, 0, NULL, 0 },
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
		case 'm':
			a->mode = SVC_MAN;
			break;
		case 's':
			a->mode = SVC_MAN_SETTINGS;
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

/* ---- what there is to read, for the terminal and as a manual page ------------------------ */

struct line {
	const char *what, *text;
};

static const struct line option_lines[] = {
	{ "-c, --config FILE", "The settings; without it " CONFIG_PATH "." },
	{ "-i, --instance NAME", "The instance: section [PROGRAM NAME] of the settings." },
	{ "--check", "Read the settings, say what is wrong with them, and end." },
	{ "--print-config", "Show the settings in force, defaults included, and end." },
	{ "-h, --help", "Show options and settings, and end." },
	{ "-V, --version", "Show the version, and end." },
};

static const struct line signal_lines[] = {
	{ "TERM, INT", "Ends in peace: no new sessions, those that are there may go on for "
	               "drain_timeout. A second one ends at once." },
	{ "HUP", "Reads the settings and certificates again; errors change nothing." },
	{ "USR1", "Opens the log file again." },
};

static const struct line exit_lines[] = {
	{ "0", "Ended when asked to." },
	{ "64", "Wrong arguments." },
	{ "78", "Wrong settings." },
	{ "71", "Could not start: a port in use, a certificate missing, a folder not usable." },
};

/* Words of text in a column that begins at `indent`. */
static void
add_column(struct buf *out, const char *text, size_t indent)
{
	struct slice rest = slice_of(text);
	size_t column = indent;

	while (rest.n > 0) {
		struct slice word = slice_cut(&rest, ' ');

		if (column > indent && column + 1 + word.n > HELP_WIDTH) {
			buf_printf(out, "\n%*s", (int)indent, "");
			column = indent;
		}
		buf_printf(out, "%s%.*s", column > indent ? " " : "", SLICE_ARG(word));
		column += word.n + (column > indent);
	}
	buf_add_char(out, '\n');
}

static void
print_lines(const char *title, const struct line *lines, size_t count, struct buf *out)
{
	buf_printf(out, "%s:\n", title);
	for (size_t i = 0; i < count; i++) {
		buf_printf(out, "  %-20s  ", lines[i].what);
		add_column(out, lines[i].text, 24);
	}
	buf_add_char(out, '\n');
}

void
svc_args_print_help(const struct svc_program *p, const struct conf_schema *schema, struct buf *out)
{
	add_column(out, p->summary, 0);
	buf_printf(out, "\nUsage: %s [OPTION]...\n\n", p->name);
	print_lines("Options", option_lines, ARRAY_LEN(option_lines), out);
	print_lines("Signals", signal_lines, ARRAY_LEN(signal_lines), out);
	print_lines("Exit status", exit_lines, ARRAY_LEN(exit_lines), out);
	conf_print_help(schema, out);
}

static void
man_lines(const char *title, const struct line *lines, size_t count, struct buf *out)
{
	roff_section(out, title);
	for (size_t i = 0; i < count; i++)
		roff_item(out, lines[i].what, "", lines[i].text);
}

void
svc_args_print_man(const struct svc_program *p, const struct conf_schema *schema, struct buf *out)
{
	roff_head(out, p->name, "8", p->title);
	roff_section(out, "SYNOPSIS");
	buf_printf(out, ".B %s\n[\\fIOPTION\\fR]...\n", p->name);
	roff_section(out, "DESCRIPTION");
	roff_text(out, p->summary);
	man_lines("OPTIONS", option_lines, ARRAY_LEN(option_lines), out);
	man_lines("SIGNALS", signal_lines, ARRAY_LEN(signal_lines), out);
	roff_section(out, "SETTINGS");
	roff_text(out, "Its own; those that all programs know are in roost.conf(5).");
	conf_print_man(schema, out);
	roff_section(out, "METRICS");
	roff_text(out, "Served as Prometheus text at /metrics on the addresses of the setting "
	               "metrics; the sum over all processes of the program.");
	metrics_print_man(out);
	man_lines("EXIT STATUS", exit_lines, ARRAY_LEN(exit_lines), out);
	roff_section(out, "SEE ALSO");
	roff_text(out, "roost.conf(5), roostctl(8), roost-mupdate(8), roost-store(8), "
	               "roost-imap(8), roost-smtp(8)");
}

void
svc_args_print_man_settings(const struct svc_program *p, const struct conf_schema *schema,
                            struct buf *out)
{
	char title[80];

	snprintf(title, sizeof(title), "SECTION [%s]", p->name);
	roff_section(out, title);
	roff_text(out, p->title);
	conf_print_man(schema, out);
}
