/*
 * The settings reference as manual pages, from the tables that also do the reading.
 */
#include "base/roff.h"
#include "conf/common.h"
#include "conf/conf.h"
#include "conf/conf_value.h"

#include <stdio.h>

static const char *
when(const struct conf_def *d, bool in_place, bool for_all)
{
	if (d->flags & CONF_RESTART)
		return " A new value needs a restart.";
	if ((d->flags & CONF_RESTART_IN_PLACE) == 0)
		return "";
	if (for_all)
		return " In roost-store and roost-mupdate a new value needs a restart.";
	return in_place ? " A new value needs a restart." : "";
}

/* for_all: of no single program. */
static void
print_table(const struct conf_def *defs, bool in_place, bool for_all, struct buf *out)
{
	for (; defs->name != NULL; defs++) {
		struct buf more = BUF_INIT(4096), rest = BUF_INIT(4096);

		if (defs->flags & CONF_REQUIRED)
			buf_add_str(&more, " (required)");
		else if (defs->deflt == NULL || *defs->deflt == '\0')
			buf_add_str(&more, " (not set)");
		else
			buf_printf(&more, " = %s", defs->deflt);
		roff_item(out, defs->name, buf_cstr(&more), defs->help);
		buf_add_str(&rest, "Allowed: ");
		conf_value_print_allowed(defs, &rest);
		buf_printf(&rest, ".%s%s", when(defs, in_place, for_all),
		           defs->flags & CONF_SECRET ? " Never shown or logged." : "");
		roff_item_more(out, buf_cstr(&rest));
		buf_fini(&more);
		buf_fini(&rest);
	}
}

void
conf_print_man(const struct conf_schema *schema, struct buf *out)
{
	for (size_t i = 0; schema->tables != NULL && schema->tables[i] != NULL; i++)
		print_table(schema->tables[i], schema->in_place, false, out);
}

static const char example[] = "# all programs of this host\n"
			      "[common]\n"
			      "hostname = mx1.example.org\n"
			      "default_domain = example.org\n"
			      "\n"
			      "# one program\n"
			      "[roost-imap]\n"
			      "imap_listen = *:143\n"
			      "imap_idle_timeout = 30m\n"
			      "\n"
			      "# one instance of a program\n"
			      "[roost-store store1]\n"
			      "data_dir = /srv/store1\n"
			      "\n"
			      "# a store, as front ends find it\n"
			      "[server store2]\n"
			      "imap = [2001:db8::22]:143\n"
			      "\n"
			      "include conf.d/more.conf\n";

static void
print_format(struct buf *out)
{
	roff_head(out, "roost.conf", "5", "settings of the Roost mail system");
	roff_section(out, "DESCRIPTION");
	roff_text(out, "All programs of a host read one file, /etc/roost.conf unless --config "
	               "names another one. It consists of sections:");
	roff_verbatim(out, example);
	roff_text(out,
	          "[common] holds what all programs know; a program's section wins over it, "
	          "and an instance's section wins over the program's. A later section of the "
	          "same name adds to the first. The same setting twice in one section is an "
	          "error, and so is one that nobody knows; errors name file, line, setting and "
	          "what is allowed.\n\n"
	          "A value runs to the end of the line or to a # behind a space; quotation "
	          "marks keep spaces and #, with \\\" and \\\\ inside them. Lists are separated "
	          "by spaces or commas. Relative paths are taken from the folder of the file. "
	          "The file holds secrets: it belongs to root and has mode 0600.\n\n"
	          "Sizes are in bytes, or in K, M, G (powers of 1024). Times have a unit: "
	          "ms, s, m, h, d. Addresses are IPv4 or IPv6 (in brackets where a port "
	          "follows), * for all of both, or the path of a Unix socket; names are not "
	          "looked up. Networks are addresses with a prefix length.\n\n"
	          "After SIGHUP a program works with the new settings, but for those whose "
	          "new values need a restart: they are named in the log and count from the "
	          "next start on. A file with errors changes nothing. roostctl config check "
	          "tells beforehand.");
}

void
conf_print_man_common(struct buf *out)
{
	char title[64];

	print_format(out);
	roff_section(out, "SETTINGS OF ALL PROGRAMS");
	print_table(conf_common_settings, false, true, out);
	for (const struct conf_kind *k = conf_common_kinds; k->kind != NULL; k++) {
		snprintf(title, sizeof(title), "SECTIONS [%s NAME]", k->kind);
		roff_section(out, title);
		roff_text(out, k->help);
		print_table(k->defs, false, false, out);
	}
}
