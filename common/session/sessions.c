#include "session/sessions.h"

void
sessions_init(struct sessions *l)
{
	*l = (struct sessions){ .limit = UINT64_MAX };
	list_init(&l->list);
}

void
sessions_add(struct sessions *l, struct list *node)
{
	list_add_tail(&l->list, node);
	l->count++;
}

void
sessions_remove(struct sessions *l, struct list *node)
{
	must(l->count > 0);
	list_del(node);
	if (--l->count == 0 && l->drained != NULL)
		l->drained(l->drained_ctx);
}

bool
sessions_are_too_many(const struct sessions *l)
{
	return l->count > l->limit;
}

/* `drained` is set last: it must not be called while we are still in the list. */
void
sessions_drain(struct sessions *l, sessions_fn *send_away, void (*done)(void *ctx), void *ctx)
{
	l->drained = NULL;
	l->sends_away = send_away != NULL;
	if (send_away != NULL)
		for (struct list *i = l->list.next, *next; i != &l->list; i = next) {
			next = i->next;
			send_away(i);
		}
	l->drained = done;
	l->drained_ctx = ctx;
	if (l->count == 0)
		done(ctx);
}

void
sessions_forget_drain(struct sessions *l)
{
	l->drained = NULL;
}
