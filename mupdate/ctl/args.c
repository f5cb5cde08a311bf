/*
 * Commands have one to three words, so the longer match wins: there is no `user` beside
 * `user add`.
 */
#include "ctl/args.h"

#include <stdio.h>
#include <string.h>

const struct opt opts[OPT_COUNT] = {
	[OPT_CONFIG] = { "config", 'c', "FILE",
	                 "Settings (/etc/roost.conf), or a folder with those of several hosts." },
	[OPT_JSON] = { "json", 'j', NULL, "One JSON object on standard output, for scripts." },
	[OPT_DRY_RUN] = { "dry-run", 'n', NULL,
	                  "Check everything, say what would be done, change nothing." },
	[OPT_TIMEOUT] = { "timeout", 't', "SECONDS", "Wait so long for each answer (10)." },
	[OPT_HELP] = { "help", 'h', NULL, "Help for the command." },
	[OPT_VERSION] = { "version", 'V', NULL, "The version." },
	[OPT_STORE] = { "store", 's', "STORE", "The store, by its name in the cluster." },
	[OPT_PASSWORD_STDIN] = { "password-stdin", 0, NULL,
	                         "The password is the first line of standard input." },
	[OPT_GENERATE] = { "generate", 'g', NULL, "Make a good password and show it." },
	[OPT_TREE] = { "tree", 0, NULL, "With everything below it." },
	[OPT_PARENTS] = { "parents", 'p', NULL, "Also the levels above it that are missing." },
	[OPT_FORCE] = { "force", 0, NULL, "Go past a guard; the text above says which." },
	[OPT_COMPLETE] = { "complete", 0, "STORE",
	                   "Take this store's list as told, though it has not told it (* for "
	                   "every store)." },
	[OPT_ALIAS_OF] = { "alias-of", 0, "DOMAIN", "It is another name of this domain." },
	[OPT_KEEP] = { "keep", 'k', NULL, "Keep a copy where it was too." },
	[OPT_STORAGE] = { "storage", 0, "SIZE", "So much mail: 500M, 2G, or none for any amount." },
	[OPT_MESSAGES] = { "messages", 0, "NUMBER", "So many messages, or none for any number." },
	[OPT_OVER] = { "over", 0, "SHARE", "Only where so much is used, such as 90%." },
};

/* How many words of argv are this command's name; 0: it is another. */
static int
match(const struct command *c, int argc, const char *const *argv)
{
	struct slice rest = slice_of(c->name);
	int words = 0;

	while (rest.n > 0) {
		struct slice word = slice_cut(&rest, ' ');

		if (words == argc || !slice_eq_str(word, argv[words]))
			return 0;
		words++;
	}
	return words;
}

const struct command *
args_find(const struct command *table, int argc, const char *const *argv, int *used_r)
{
	for (const struct command *c = table; c->name != NULL; c++) {
		*used_r = match(c, argc, argv);
		if (*used_r > 0)
			return c;
	}
	return NULL;
}

/* ---- options ------------------------------------------------------------------------- */

static int
find_opt(struct slice name, char letter)
{
	for (int i = 0; i < OPT_COUNT; i++)
		if (letter != 0 ? opts[i].letter == letter : slice_eq_str(name, opts[i].name))
			return i;
	return -1;
}

/* next is the word behind, NULL at the end. Returns the words used (1 or 2), or -1. */
static int
take_opt(struct args *a, const char *word, const char *next, struct err *err)
{
	bool is_long = word[1] == '-';
	struct slice rest = slice_of(word + 2), name = slice_cut(&rest, '=');
	const char *value = is_long ? rest.p : NULL;
	int id = is_long ? find_opt(name, 0) : word[2] == '\0' ? find_opt(name, word[1]) : -1;

	if (id == -1) {
		err_set(err, "there is no option %s", word);
		return -1;
	}
	if (opts[id].value == NULL && value != NULL) {
		err_set(err, "--%s takes no value", opts[id].name);
		return -1;
	}
	if (opts[id].value != NULL && value == NULL && next == NULL) {
		err_set(err, "behind --%s a %s is missing", opts[id].name, opts[id].value);
		return -1;
	}
	if ((a->given & (1u << id)) != 0 && opts[id].value != NULL) {
		err_set(err, "--%s is there twice", opts[id].name);
		return -1;
	}
	a->given |= 1u << id;
	if (opts[id].value == NULL)
		return 1;
	a->values[id] = value != NULL ? value : next;
	return value != NULL ? 1 : 2;
}

#define WORDS_MOST (OPERANDS_MOST + 2)

/* Options out, words left in words[]. */
static int
sort_words(int argc, char **argv, struct args *a, const char **words, int *count_r, struct err *err)
{
	bool ended = false;
	int i = 1, used;

	*count_r = 0;
	while (i < argc) {
		if (!ended && strcmp(argv[i], "--") == 0) {
			ended = true;
			i++;
			continue;
		}
		if (!ended && argv[i][0] == '-' && argv[i][1] != '\0') {
			used = take_opt(a, argv[i], i + 1 < argc ? argv[i + 1] : NULL, err);
			if (used == -1)
				return -1;
			i += used;
			continue;
		}
		if (*count_r == WORDS_MOST) {
			err_set(err, "too many words: %s and what is behind it", argv[i]);
			return -1;
		}
		words[(*count_r)++] = argv[i++];
	}
	return 0;
}

/* ---- commands ------------------------------------------------------------------------- */

/* "user" or "usr add": what did he mean? */
static void
fail_command(const struct command *table, const char *first, struct err *err)
{
	size_t n = strlen(first);
	char list[300] = "";

	for (const struct command *c = table; c->name != NULL; c++)
		if (strncmp(c->name, first, n) == 0 && (c->name[n] == ' ' || c->name[n] == '\0') &&
		    strlen(list) + strlen(c->name) + 3 < sizeof(list))
			snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s",
			         *list != '\0' ? ", " : "", c->name);
	if (*list != '\0')
		err_set(err, "%s what? There is: %s", first, list);
	else
		err_set(err, "there is no command %s; `roostctl help` lists them", first);
}

static int
check_operands(const struct args *a, struct err *err)
{
	const struct command *c = a->command;

	if (a->count < c->least)
		err_set(err, "%s needs %s; `roostctl help %s` has examples", c->name, c->operands,
		        c->name);
	else if (a->count > c->most)
		err_set(err, "%s takes %s%s, and \"%s\" is too much", c->name,
		        c->most == 0 ? "no words" : "", c->operands, a->operands[c->most]);
	else
		return 0;
	return -1;
}

static int
check_opts(const struct args *a, struct err *err)
{
	for (int i = 0; i < OPT_COUNT; i++) {
		if ((a->given & (1u << i) & ~(a->command->opts | OPTS_GLOBAL)) == 0)
			continue;
		err_set(err, "--%s means nothing for %s", opts[i].name, a->command->name);
		return -1;
	}
	return 0;
}

int
args_parse(const struct command *table, int argc, char **argv, struct args *a_r, struct err *err)
{
	const char *words[WORDS_MOST];
	int count, used = 0;

	memset(a_r, 0, sizeof(*a_r));
	if (sort_words(argc, argv, a_r, words, &count, err) == -1)
		return -1;
	if (count == 0)
		return 0;
	a_r->command = args_find(table, count, words, &used);
	if (a_r->command == NULL && !args_has(a_r, OPT_HELP)) {
		fail_command(table, words[0], err);
		return -1;
	}
	if (a_r->command == NULL)
		used = 0; /* help for words that begin commands */
	for (int i = used; i < count && a_r->count < OPERANDS_MOST; i++)
		a_r->operands[a_r->count++] = words[i];
	if (args_has(a_r, OPT_HELP))
		return 0; /* whatever else is there */
	if (check_operands(a_r, err) == -1)
		return -1;
	return check_opts(a_r, err);
}

bool
args_ask_json(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "-j") == 0 || strcmp(argv[i], "--json") == 0)
			return true;
	return false;
}
