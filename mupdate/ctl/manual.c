/*
 * The manual page, from the tables that also do the parsing (`make man`).
 */
#include "ctl/commands.h"

#include "base/roff.h"

#include <stdio.h>

static void
print_opts(unsigned set, struct buf *out)
{
	for (int i = 0; i < OPT_COUNT; i++) {
		const struct opt *o = &opts[i];
		char what[80], letter[8] = "";

		if ((set & (1u << i)) == 0)
			continue;
		if (o->letter != 0)
			snprintf(letter, sizeof(letter), "-%c, ", o->letter);
		snprintf(what, sizeof(what), "%s--%s%s%s", letter, o->name,
		         o->value != NULL ? " " : "", o->value != NULL ? o->value : "");
		roff_item(out, what, "", o->help);
	}
}

/* "what: command" lines. */
static void
print_examples(const char *examples, struct buf *out)
{
	struct slice rest = slice_of(examples);

	while (rest.n > 0) {
		struct slice line = slice_cut(&rest, '\n');
		size_t at = slice_find_slice(line, SLICE(": "));
		char what[200], command[400];

		snprintf(what, sizeof(what), "%.*s:", SLICE_ARG(slice_sub(line, 0, at)));
		snprintf(command, sizeof(command), "%.*s", SLICE_ARG(slice_skip(line, at + 2)));
		roff_text(out, what);
		roff_verbatim(out, command);
	}
}

static void
print_command(const struct command *c, struct buf *out)
{
	char title[120];

	snprintf(title, sizeof(title), "%s%s%s", c->name, *c->operands != '\0' ? " " : "",
	         c->operands);
	roff_subsection(out, title);
	roff_text(out, c->summary);
	if (*c->text != '\0')
		roff_text(out, c->text);
	print_opts(c->opts, out);
	print_examples(c->examples, out);
}

void
commands_print_man(struct buf *out)
{
	roff_head(out, "roostctl", "8", "administration of a Roost cluster");
	roff_section(out, "SYNOPSIS");
	buf_add_str(out, ".B roostctl\n[\\fIOPTION\\fR]... \\fICOMMAND\\fR\n");
	roff_section(out, "DESCRIPTION");
	roff_text(out, "Asks programs over their control sockets, and keeps the directory of "
	               "users. What is not possible is said in a sentence on standard error; with "
	               "--json everything is one object on standard output.");
	roff_text(out,
	          "With a folder of settings (--config) the programs of all its files *.conf are "
	          "asked; the first file by name says where the directory is. A file needs no "
	          "more than run_dir in [common], where roost-control HOST brings the control "
	          "sockets of another host by ssh, and a section for each program there.");
	roff_section(out, "OPTIONS OF ALL COMMANDS");
	print_opts(OPTS_GLOBAL, out);
	roff_section(out, "COMMANDS");
	for (const struct command *c = commands; c->name != NULL; c++)
		print_command(c, out);
	roff_section(out, "EXIT STATUS");
	for (const struct exit_line *e = exit_lines; e->what != NULL; e++)
		roff_item(out, e->what, "", e->text);
	roff_section(out, "SEE ALSO");
	roff_text(out, "roost.conf(5), roost-mupdate(8), roost-store(8), roost-imap(8), "
	               "roost-smtp(8)");
}
