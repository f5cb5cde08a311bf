#include "mail/msg_id.h"

/* Between "<" and ">", which is taken. False: there is no ">", or it is none. */
static bool
read_inside(struct slice *rest, struct buf *id)
{
	bool quoted = false, at = false;

	buf_clear(id);
	while (rest->n > 0) {
		char c = rest->p[0];

		if (c == '<' && !quoted)
			return false; /* begins anew there */
		*rest = slice_skip(*rest, 1);
		if (c == '>' && !quoted)
			return at && id->len > 1;
		if (c == '"') {
			quoted = !quoted;
			continue;
		}
		if (c == '\\' && quoted && rest->n > 0) {
			c = rest->p[0];
			*rest = slice_skip(*rest, 1);
		}
		if (strchr(" \t\r\n", c) != NULL && !quoted)
			continue;
		at = at || (c == '@' && !quoted);
		buf_add_char(id, c);
	}
	return false;
}

bool
msg_id_next(struct slice *rest, struct buf *id_r)
{
	while (rest->n > 0) {
		*rest = slice_skip(*rest, slice_find(*rest, '<'));
		if (rest->n == 0)
			break;
		*rest = slice_skip(*rest, 1);
		if (read_inside(rest, id_r))
			return true;
	}
	return false;
}
