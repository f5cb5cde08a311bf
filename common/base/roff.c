#include "base/roff.h"

#include "base/slice.h"
#include "base/version.h"

#include <string.h>

static void
add_char(struct buf *out, char c)
{
	if (c == '\\')
		buf_add_str(out, "\\e");
	else if (c == '-')
		buf_add_str(out, "\\-"); /* so that a reader can copy it */
	else
		buf_add_char(out, c);
}

/* A line of input: one that starts with . or ' would be a request. */
static void
add_line(struct buf *out, struct slice line)
{
	if (line.n > 0 && (line.p[0] == '.' || line.p[0] == '\''))
		buf_add_str(out, "\\&");
	for (size_t i = 0; i < line.n; i++)
		add_char(out, line.p[i]);
	buf_add_char(out, '\n');
}

/* An argument of a request stands in quotes. */
static void
add_arg(struct buf *out, const char *text)
{
	buf_add_str(out, " \"");
	for (; *text != '\0'; text++) {
		if (*text == '"')
			buf_add_str(out, "\\(dq");
		else
			add_char(out, *text);
	}
	buf_add_char(out, '"');
}

void
roff_head(struct buf *out, const char *page, const char *section, const char *summary)
{
	buf_add_str(out, ".\\\" Made from the tables of the program; do not edit.\n.TH");
	add_arg(out, page);
	add_arg(out, section);
	buf_add_str(out, " \"\" \"Roost " ROOST_VERSION "\" \"Roost mail system\"\n");
	roff_section(out, "NAME");
	buf_printf(out, "%s \\- ", page);
	add_line(out, slice_of(summary));
}

void
roff_section(struct buf *out, const char *title)
{
	buf_add_str(out, ".SH");
	add_arg(out, title);
	buf_add_char(out, '\n');
}

void
roff_subsection(struct buf *out, const char *title)
{
	buf_add_str(out, ".SS");
	add_arg(out, title);
	buf_add_char(out, '\n');
}

/* begin: what starts a paragraph here. */
static void
add_paragraphs(struct buf *out, const char *begin, const char *text)
{
	struct slice rest = slice_of(text);

	while (rest.n > 0) {
		struct slice line = slice_cut(&rest, '\n');

		if (line.n == 0)
			buf_add_str(out, begin);
		else
			add_line(out, line);
	}
}

/* Right behind a heading a paragraph has begun already. */
static bool
is_behind_heading(const struct buf *out)
{
	struct slice all = buf_slice(out);
	size_t at = all.n > 0 ? all.n - 1 : 0;

	while (at > 0 && all.p[at - 1] != '\n')
		at--;
	return all.n - at > 2 && memcmp(all.p + at, ".S", 2) == 0;
}

void
roff_text(struct buf *out, const char *text)
{
	if (!is_behind_heading(out))
		buf_add_str(out, ".PP\n");
	add_paragraphs(out, ".PP\n", text);
}

void
roff_item(struct buf *out, const char *what, const char *more, const char *text)
{
	buf_add_str(out, ".TP\n\\fB");
	for (; *what != '\0'; what++)
		add_char(out, *what);
	buf_add_str(out, "\\fR");
	for (; *more != '\0'; more++)
		add_char(out, *more);
	buf_add_char(out, '\n');
	add_paragraphs(out, ".IP\n", text);
}

void
roff_item_more(struct buf *out, const char *text)
{
	buf_add_str(out, ".IP\n");
	add_paragraphs(out, ".IP\n", text);
}

void
roff_verbatim(struct buf *out, const char *text)
{
	struct slice rest = slice_of(text);

	if (!is_behind_heading(out))
		buf_add_str(out, ".PP\n");
	buf_add_str(out, ".RS 4\n.nf\n");
	while (rest.n > 0)
		add_line(out, slice_cut(&rest, '\n'));
	buf_add_str(out, ".fi\n.RE\n");
}
