#include "session/who.h"

#include "json/json.h"

#include <string.h>

void
who_add(void *who, const struct who_session *s)
{
	const struct who *w = who;
	struct json *o;

	if (w->user != NULL && (s->user == NULL || strcmp(s->user, w->user) != 0))
		return;
	o = json_add_object(w->sessions);
	json_set_str(o, "id", s->id);
	json_set_str(o, "service", s->service);
	json_set_str(o, "user", s->user);
	json_set_str(o, "peer", s->peer);
	json_set_bool(o, "tls", s->tls);
	json_set_int(o, "age_s", (int64_t)s->age_s);
	json_set_str(o, "state", s->state);
	json_set_str(o, "mailbox", s->mailbox);
	json_set_str(o, "store", s->store != NULL ? s->store : w->store);
}
