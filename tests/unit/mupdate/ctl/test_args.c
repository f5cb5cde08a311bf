/* args - words and options, by tables; and that the real table is sound. */
#include "ctl/commands.h"

#include "lib/test.h"

#include <stdio.h>
#include <string.h>

static const struct command table[] = {
	{ "status", "", 0, 0, 0 },
	{ "user add", "ADDRESS", 1, 1, OPT(STORE) | OPT(GENERATE) },
	{ "user list", "[DOMAIN]", 0, 1, 0 },
	{ "rename", "FROM TO", 2, 2, OPT(DRY_RUN) },
	{ .name = NULL },
};

static const struct args_case {
	const char *name, *line;
	const char *command; /* NULL: none, or refused */
	const char *error;   /* NULL: not refused; else a part of the sentence */
	const char *operand, *config, *store;
} cases[] = {
	{ "nothing at all", "", NULL, NULL },
	{ "a command of one word", "status", "status", NULL },
	{ "options in front", "--config f --json status", "status", NULL, NULL, "f" },
	{ "options behind", "status -c f", "status", NULL, NULL, "f" },
	{ "options in the middle", "user -j add ann --store=s1", "user add", NULL, "ann", NULL,
	  "s1" },
	{ "an empty value", "user add ann --store=", "user add", NULL, "ann", NULL, "" },
	{ "a value like an option", "user add ann --store -x", "user add", NULL, "ann", NULL,
	  "-x" },
	{ "no options behind --", "user add -- -ann", "user add", NULL, "-ann" },
	{ "a lone - is a word", "user add -", "user add", NULL, "-" },
	{ "an unknown command", "stauts", NULL, "no command stauts" },
	{ "half a command", "user", NULL, "user add, user list" },
	{ "half a command and more", "user ad ann", NULL, "user what?" },
	{ "an unknown option", "status --jsno", NULL, "no option --jsno" },
	{ "an unknown letter", "status -x", NULL, "no option -x" },
	{ "letters together", "status -jx", NULL, "no option -jx" },
	{ "a value that is missing", "status --config", NULL, "a FILE is missing" },
	{ "a value too much", "status --json=yes", NULL, "takes no value" },
	{ "an option twice", "status -c a -c b", NULL, "there twice" },
	{ "an option of another command", "status --store s1", NULL, "means nothing for status" },
	{ "a word too few", "user add", NULL, "needs ADDRESS" },
	{ "a word too many", "user add ann bob", NULL, "\"bob\" is too much" },
	{ "words for none", "status now", NULL, "takes no words" },
	{ "far too many words",
	  "rename 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 "
	  "1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7",
	  NULL, "too many words" },
	{ "help needs no words", "user add --help", "user add", NULL },
	{ "help for the first word of commands", "user --help", NULL, NULL, "user" },
};

/* Splits at blanks; "" is no word. */
static int
split(char *line, char **argv)
{
	static char self[] = "roostctl";
	int argc = 0;

	argv[argc++] = self;
	for (char *word = line; *word != '\0';) {
		char *end = strchr(word, ' ');

		argv[argc++] = word;
		if (end == NULL)
			break;
		*end = '\0';
		word = end + 1;
	}
	return argc;
}

TEST(command_lines)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct args_case *c = &cases[i];
		char line[200], *argv[100];
		struct args a;
		struct err err = { "" };
		int r;

		snprintf(line, sizeof(line), "%s", c->line);
		r = args_parse(table, split(line, argv), argv, &a, &err);
		test_check((r == -1) == (c->error != NULL), "%s: %s", c->name, err.text);
		if (r == -1) {
			test_check(strstr(err.text, c->error) != NULL, "%s: %s", c->name, err.text);
			continue;
		}
		test_check((a.command != NULL) == (c->command != NULL), "%s", c->name);
		if (c->command != NULL)
			test_eq_str(c->name, a.command->name, c->command);
		if (c->operand != NULL)
			test_eq_str(c->name, a.operands[0], c->operand);
		if (c->config != NULL)
			test_eq_str(c->name, a.values[OPT_CONFIG], c->config);
		if (c->store != NULL)
			test_eq_str(c->name, a.values[OPT_STORE], c->store);
	}
}

/* Every line of a help text fits a terminal, every example is a command. */
TEST(the_table_of_commands_is_sound)
{
	for (const struct command *c = commands; c->name != NULL; c++) {
		struct slice rest = slice_of(c->text);

		test_check(c->fn != NULL && *c->summary != '\0', "%s", c->name);
		test_check(c->least <= c->most && c->most <= OPERANDS_MOST, "%s", c->name);
		test_check((c->opts & OPTS_GLOBAL) == 0, "%s", c->name);
		while (rest.n > 0) {
			struct slice line = slice_cut(&rest, '\n');

			test_check(line.n <= 90, "%s: %.*s", c->name, SLICE_ARG(line));
		}
		for (const struct command *d = commands; d != c; d++)
			test_check(strcmp(c->name, d->name) != 0, "%s is there twice", c->name);
	}
}

static void
check_example(const struct command *c, struct slice line)
{
	size_t at = slice_find_slice(line, SLICE("roostctl "));
	char text[300], *argv[20];
	struct args a;
	struct err err = { "" };

	test_check(at < line.n && slice_find_slice(line, SLICE(": ")) < at, "%s: %.*s", c->name,
	           SLICE_ARG(line));
	snprintf(text, sizeof(text), "%.*s", SLICE_ARG(slice_skip(line, at + 9)));
	test_check(args_parse(commands, split(text, argv), argv, &a, &err) == 0, "%s: %s", c->name,
	           err.text);
	test_check(a.command == c, "%s: an example of %s", c->name, a.command->name);
}

TEST(the_examples_of_each_command_are_right)
{
	for (const struct command *c = commands; c->name != NULL; c++) {
		struct slice rest = slice_of(c->examples);

		test_check(rest.n > 0, "%s has no example", c->name);
		while (rest.n > 0)
			check_example(c, slice_cut(&rest, '\n'));
	}
}

TEST(help_names_every_command_and_option)
{
	struct buf out = BUF_INIT(1 << 16);
	char head[60];

	commands_print_help(&out);
	for (const struct command *c = commands; c->name != NULL; c++) {
		snprintf(head, sizeof(head), "\n  %s", c->name);
		test_check(strstr(buf_cstr(&out), head) != NULL, "%s", c->name);
	}
	buf_clear(&out);
	commands_print_command(
		args_find(commands, 2, (const char *const[]){ "user", "add" }, &(int){ 0 }), &out);
	assert_non_null(strstr(buf_cstr(&out), "Usage: roostctl [OPTION]... user add ADDRESS"));
	assert_non_null(strstr(buf_cstr(&out), "--password-stdin"));
	assert_null(strstr(buf_cstr(&out), "--tree"));
	buf_fini(&out);
}
