#include "conf/servers.h"

#include "base/map.h"
#include "base/xalloc.h"

#include <stdlib.h>

struct servers {
	struct server *all;
	size_t count;
	struct map *by_name;
};

bool
servers_want_tls(const struct conf *conf)
{
	const struct conf *section;
	const char *name;
	size_t pos = 0;

	while ((section = conf_next_section(conf, "server", &pos, &name)) != NULL)
		if (slice_eq(slice_of(conf_enum_text(section, "tls")), SLICE("starttls")))
			return true;
	return false;
}

static bool
server_read(struct server *s, const char *name, const struct conf *section, struct tls_ctx *tls,
            struct err *err)
{
	const char *tls_name = conf_str(section, "tls_name");

	s->name = name;
	s->kind = (enum server_kind)conf_enum(section, "kind");
	s->listed = conf_bool(section, "listed");
	s->imap = conf_addr(section, "imap");
	s->pop3 = conf_addr(section, "pop3");
	s->lmtp = conf_addr(section, "lmtp");
	s->starttls = slice_eq(slice_of(conf_enum_text(section, "tls")), SLICE("starttls"));
	s->tls = s->starttls ? tls : NULL;
	s->tls_name = tls_name != NULL && *tls_name != '\0' ? tls_name : name;
	if (s->starttls && tls == NULL) {
		err_set(err, "[server %s] wants tls = starttls, but no authorities could be read",
		        name);
		return false;
	}
	if (!s->listed && s->kind == SERVER_ROOST) {
		err_set(err, "[server %s] wants listed = no, which is for kind = imap", name);
		return false;
	}
	return true;
}

struct servers *
servers_new(const struct conf *conf, struct tls_ctx *tls, struct err *err)
{
	struct servers *t = xcalloc(1, sizeof(*t));
	const struct conf *section;
	const char *name;
	size_t pos = 0, i = 0;

	t->by_name = map_new();
	while (conf_next_section(conf, "server", &pos, &name) != NULL)
		t->count++;
	/* never moved: pointers into it are handed out */
	t->all = xcalloc(t->count + 1, sizeof(*t->all));
	pos = 0;
	while ((section = conf_next_section(conf, "server", &pos, &name)) != NULL) {
		struct server *s = &t->all[i++];

		if (!server_read(s, name, section, tls, err)) {
			servers_free(&t);
			return NULL;
		}
		(void)map_set(t->by_name, slice_of(name), s);
	}
	return t;
}

void
servers_free(struct servers **tp)
{
	struct servers *t = *tp;

	*tp = NULL;
	if (t == NULL)
		return;
	map_free(&t->by_name);
	free(t->all);
	free(t);
}

struct server *
servers_find(struct servers *t, struct slice name)
{
	return map_get(t->by_name, name);
}

bool
servers_have_unlisted(const struct servers *t)
{
	for (size_t i = 0; i < t->count; i++)
		if (!t->all[i].listed)
			return true;
	return false;
}

size_t
servers_count(const struct servers *t)
{
	return t->count;
}

struct server *
servers_at(struct servers *t, size_t i)
{
	must(i < t->count);
	return &t->all[i];
}
