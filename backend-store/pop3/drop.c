/* The maildrop: the INBOX as it was at the login, and what is to be deleted from it. */
#include "pop3/session_impl.h"

#include "base/xalloc.h"

#include <stdlib.h>

void
drop_init(struct drop *d, struct mailbox **m)
{
	const struct msg *msgs = mailbox_msgs(*m, &d->count);

	d->mailbox = *m;
	*m = NULL;
	d->uidvalidity = mailbox_uidvalidity(d->mailbox);
	d->msgs = xcalloc(d->count + 1, sizeof(*d->msgs));
	for (uint32_t i = 0; i < d->count; i++)
		d->msgs[i].msg = msgs[i];
	drop_reset(d);
}

void
drop_fini(struct drop *d)
{
	if (d->mailbox != NULL)
		mailbox_release(&d->mailbox);
	free(d->msgs);
	d->msgs = NULL;
	d->count = 0;
}

struct drop_msg *
drop_get(struct drop *d, uint32_t number)
{
	if (number == 0 || number > d->count || d->msgs[number - 1].deleted)
		return NULL;
	return &d->msgs[number - 1];
}

void
drop_delete(struct drop *d, struct drop_msg *m)
{
	must(!m->deleted);
	m->deleted = true;
	d->left--;
	d->left_bytes -= drop_octets(m);
}

void
drop_reset(struct drop *d)
{
	d->left = d->count;
	d->left_bytes = 0;
	for (uint32_t i = 0; i < d->count; i++) {
		d->msgs[i].deleted = false;
		d->left_bytes += drop_octets(&d->msgs[i]);
	}
}

uint32_t *
drop_deleted_uids(const struct drop *d, size_t *count_r)
{
	uint32_t *uids = xcalloc(d->count - d->left + 1, sizeof(*uids));

	*count_r = 0;
	for (uint32_t i = 0; i < d->count; i++)
		if (d->msgs[i].deleted)
			uids[(*count_r)++] = d->msgs[i].msg.uid;
	return uids;
}
