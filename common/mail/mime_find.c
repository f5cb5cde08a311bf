/*
 * mime_find - sections. RFC 3501 section 6.4.5:
 *
 *	section     = "" / msgtext / (nz-number *("." nz-number) ["." (msgtext / "MIME")])
 *	msgtext     = "HEADER" / "TEXT"	(the FIELDS forms are HEADER and a selection)
 */
#include "base/num.h"
#include "mail/mime.h"

static bool
parse_what(struct slice text, bool numbered, enum mime_section_what *what_r)
{
	if (slice_ieq_str(text, "HEADER"))
		*what_r = MIME_SECTION_HEADER;
	else if (slice_ieq_str(text, "TEXT"))
		*what_r = MIME_SECTION_TEXT;
	else if (numbered && slice_ieq_str(text, "MIME"))
		*what_r = MIME_SECTION_MIME;
	else
		return false;
	return true;
}

bool
mime_section_parse(struct slice text, struct mime_section *s_r)
{
	s_r->count = 0;
	s_r->what = MIME_SECTION_ALL;
	if (text.n == 0)
		return true;
	while (text.p != NULL) {
		struct slice word = slice_cut(&text, '.');
		uint32_t v;

		if (word.n == 0 || word.p[0] < '0' || word.p[0] > '9')
			return text.p == NULL && parse_what(word, s_r->count > 0, &s_r->what);
		if (word.p[0] == '0' || !num_parse_u32(word, &v) ||
		    s_r->count == MIME_SECTION_DEPTH)
			return false;
		s_r->numbers[s_r->count++] = v;
	}
	return true;
}

/* Part number n of the message whose root this is. */
static const struct mime_part *
part_of_message(const struct mime *m, const struct mime_part *root, uint32_t n)
{
	uint32_t i;

	if (root->kind != MIME_MULTIPART)
		return n == 1 ? root : NULL;
	for (i = root->first_child; i != MIME_NONE && n > 1; n--)
		i = m->parts[i].next;
	return i != MIME_NONE ? &m->parts[i] : NULL;
}

const struct mime_part *
mime_find_part(const struct mime *m, const uint32_t *numbers, size_t count)
{
	const struct mime_part *p = &m->parts[0];

	for (size_t i = 0; i < count && p != NULL; i++) {
		if (i == 0 || p->kind == MIME_MULTIPART)
			p = part_of_message(m, p, numbers[i]);
		else if (p->kind == MIME_MESSAGE)
			p = part_of_message(m, &m->parts[p->first_child], numbers[i]);
		else
			p = NULL;
	}
	return p;
}

bool
mime_find(const struct mime *m, const struct mime_section *s, struct slice *bytes_r)
{
	const struct mime_part *p = mime_find_part(m, s->numbers, s->count);

	if (p == NULL)
		return false;
	if (s->what == MIME_SECTION_HEADER || s->what == MIME_SECTION_TEXT) {
		if (s->count > 0 && p->kind != MIME_MESSAGE)
			return false;
		if (s->count > 0)
			p = &m->parts[p->first_child];
		*bytes_r = s->what == MIME_SECTION_HEADER ? mime_header(m, p) : mime_body(m, p);
	} else if (s->what == MIME_SECTION_MIME) {
		*bytes_r = mime_header(m, p);
	} else {
		*bytes_r = s->count == 0 ? m->msg : mime_body(m, p);
	}
	return true;
}
