/*
 * The settings reference, from the tables that also do the reading.
 */
#include "base/must.h"
#include "conf/common.h"
#include "conf/conf.h"
#include "conf/conf_value.h"

#include <string.h>

#define WIDTH 78

static void
wrap(struct buf *out, const char *indent, const char *text)
{
	struct slice rest = slice_of(text);
	size_t column = 0;

	while (rest.n > 0) {
		struct slice word = slice_cut(&rest, ' ');

		if (column > 0 && column + 1 + word.n > WIDTH - strlen(indent)) {
			buf_add_char(out, '\n');
			column = 0;
		}
		buf_add_str(out, column == 0 ? indent : " ");
		buf_add_slice(out, word);
		column += word.n + (column > 0);
	}
	buf_add_char(out, '\n');
}

static void
print_table(const struct conf_def *defs, struct buf *out)
{
	for (; defs->name != NULL; defs++) {
		struct buf allowed = BUF_INIT(512);

		buf_printf(out, "  %s", defs->name);
		if (defs->flags & CONF_REQUIRED)
			buf_add_str(out, " (required)");
		else if (defs->deflt == NULL || *defs->deflt == '\0')
			buf_add_str(out, " (not set)");
		else
			buf_printf(out, " = %s", defs->deflt);
		buf_add_char(out, '\n');
		wrap(out, "      ", defs->help);
		buf_add_str(&allowed, "Allowed: ");
		conf_value_print_allowed(defs, &allowed);
		buf_add_char(&allowed, '.');
		wrap(out, "      ", buf_cstr(&allowed));
		buf_fini(&allowed);
	}
}

void
conf_print_help(const struct conf_schema *schema, struct buf *out)
{
	buf_printf(out, "Settings of [%s], or of one instance in [%s INSTANCE]:\n\n",
	           schema->program, schema->program);
	for (size_t i = 0; schema->tables != NULL && schema->tables[i] != NULL; i++)
		print_table(schema->tables[i], out);
	buf_add_str(out, "\nSettings of all programs, in [common] or where they differ in the "
	                 "program's section:\n\n");
	print_table(conf_common_settings, out);
	for (const struct conf_kind *k = conf_common_kinds; k->kind != NULL; k++) {
		buf_printf(out, "\nSections [%s NAME]: %s\n\n", k->kind, k->help);
		print_table(k->defs, out);
	}
}
