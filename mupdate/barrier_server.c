#include "barrier_server.h"

#include "base/list.h"
#include "base/num.h"
#include "base/xalloc.h"
#include "link/link.h"
#include "log/log.h"

#include <inttypes.h>
#include <stdlib.h>

#define CLIENTS_MAX 1024
#define LINE_MAX_BYTES 64

/* One question at a time for each client; the next ones wait in its socket. */
struct client {
	struct list link;
	struct barrier_server *server;
	struct link *wire; /* NULL: ended */
	uint64_t question; /* the client's number */
	uint64_t barrier_id;
};

struct barrier_server {
	struct service *service;
	struct list clients;
	size_t count;
};

struct barrier_server *
barrier_server_new(struct service *s)
{
	struct barrier_server *b = xcalloc(1, sizeof(*b));

	b->service = s;
	list_init(&b->clients);
	return b;
}

static void
client_free(struct client *c)
{
	service_barrier_cancel(c->server->service, c->barrier_id);
	if (c->wire != NULL)
		link_abort(&c->wire);
	list_del(&c->link);
	c->server->count--;
	free(c);
}

void
barrier_server_free(struct barrier_server **b)
{
	struct client *c;

	if (*b == NULL)
		return;
	LIST_EACH (c, &(*b)->clients, struct client, link)
		client_free(c);
	free(*b);
	*b = NULL;
}

static void
answer(struct client *c, bool ok)
{
	const struct mapdb *db = service_config(c->server->service)->db;

	if (ok)
		buf_printf(link_out(c->wire), "OK %" PRIu64 " %" PRIu64 "\n", c->question,
		           mapdb_info(db)->revision);
	else
		buf_printf(link_out(c->wire), "LATE %" PRIu64 "\n", c->question);
	link_flush(c->wire);
}

static void
on_barrier(void *ctx, bool ok)
{
	struct client *c = ctx;

	c->barrier_id = 0;
	answer(c, ok);
	link_resume(c->wire);
}

/* False: nonsense. */
static bool
on_line(struct client *c, struct slice line)
{
	struct slice word = slice_cut(&line, ' ');

	if (!slice_eq_str(word, "B") || !num_parse_u64(line, UINT64_MAX, &c->question))
		return false;
	service_commit(c->server->service);
	c->barrier_id = service_barrier(c->server->service, on_barrier, c);
	if (c->barrier_id == 0)
		answer(c, true); /* we are the master: what is committed is all there is */
	else
		link_pause(c->wire);
	return true;
}

static size_t
on_input(void *ctx, struct slice in)
{
	struct client *c = ctx;
	size_t end = slice_find(in, '\n');

	if (end < in.n && on_line(c, slice_sub(in, 0, end)))
		return end + 1;
	if (end < in.n || in.n > LINE_MAX_BYTES)
		client_free(c);
	return 0;
}

static void
on_closed(void *ctx, UNUSED enum conn_end why)
{
	client_free(ctx);
}

void
barrier_server_accept(void *ctx, struct conn **conn)
{
	static const struct link_ops ops = { .input = on_input, .closed = on_closed };
	struct barrier_server *b = ctx;
	struct client *c;

	if (b->count >= CLIENTS_MAX) {
		log_warning(NULL, "barrier.refused reason=\"too many clients\"");
		conn_free(conn);
		return;
	}
	c = xcalloc(1, sizeof(*c));
	c->server = b;
	list_add_tail(&b->clients, &c->link);
	b->count++;
	c->wire = link_new(conn, &ops, c, NULL);
}
