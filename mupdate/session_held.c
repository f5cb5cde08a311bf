/*
 * Answers that wait for the commit of the group (service.h, invariants 1 and 3).
 *
 * From a session's first change in a group on, all that its core says goes into `held`; the marks
 * tell which parts of that are answers to changes, and become NO when the group could not be
 * written.
 */
#include "session_impl.h"

#include <string.h>

size_t
session_hold(struct session *sn)
{
	service_join(sn->service, sn);
	if (!sn->is_held)
		mupdate_server_set_out(sn->core, &sn->held);
	sn->is_held = true;
	return sn->held.len;
}

void
session_held(struct session *sn, const char *tag, size_t start)
{
	struct held_mark m = { .start = start, .end = sn->held.len };

	must(strlen(tag) < sizeof(m.tag));
	memcpy(m.tag, tag, strlen(tag) + 1);
	buf_add(&sn->held_marks, &m, sizeof(m));
}

/* What was held goes out, but the answers to changes are NO. */
static void
refuse_held(struct session *sn)
{
	struct slice held = buf_slice(&sn->held), marks = buf_slice(&sn->held_marks);
	struct buf *out = link_out(sn->wire);
	struct held_mark m;
	size_t at = 0;

	mupdate_server_set_out(sn->core, out);
	for (; marks.n >= sizeof(m); marks = slice_skip(marks, sizeof(m))) {
		memcpy(&m, marks.p, sizeof(m));
		buf_add_slice(out, slice_sub(held, at, m.start - at));
		session_reply_no(sn, m.tag, MUPDATE_CODE_LATER, "it cannot be written now");
		at = m.end;
	}
	buf_add_slice(out, slice_skip(held, at));
	sn->has_pushed = false;
}

void
session_released(struct session *sn, enum mapdb_outcome outcome)
{
	sn->is_held = false;
	sn->group_bytes = 0;
	if (sn->wire != NULL && outcome == MAPDB_UNKNOWN)
		session_end(sn, "the change could not be written", false);
	else if (sn->wire != NULL && outcome == MAPDB_UNDONE)
		refuse_held(sn);
	else if (sn->wire != NULL)
		buf_add_slice(link_out(sn->wire), buf_slice(&sn->held));
	buf_clear(&sn->held);
	buf_clear(&sn->held_marks);
	if (sn->wire == NULL)
		return;
	mupdate_server_set_out(sn->core, link_out(sn->wire));
	link_flush(sn->wire);
	if (sn->waits_for_group)
		session_resume(sn);
	sn->waits_for_group = false;
}
