/* open - opening a data directory, its threads, and closing it. See engine.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "base/xalloc.h"
#include "engine/engine_impl.h"
#include "engine/meta.h"

#define MAP_DEFAULT (64ull << 30)
#define QUEUE_DEFAULT (256ull << 20)
#define FLOOR_EXTRA (64ull << 20)
/* A batch of the largest message must fit. */
#define SEGMENT_LEAST (64ull << 10)

static void
set_defaults(struct engine_config *c)
{
	if (c->os == NULL)
		c->os = &os_real;
	if (c->segment_bytes == 0)
		c->segment_bytes = ENGINE_SEGMENT_DEFAULT;
	c->segment_bytes = MAX(c->segment_bytes, SEGMENT_LEAST);
	if (c->index_map_bytes == 0)
		c->index_map_bytes = MAP_DEFAULT;
	if (c->queue_bytes == 0)
		c->queue_bytes = QUEUE_DEFAULT;
	if (c->floor_bytes == 0)
		c->floor_bytes = 2 * c->segment_bytes + FLOOR_EXTRA;
}

static char *
path_of(const char *dir, const char *name)
{
	size_t n = strlen(dir) + strlen(name) + 2;
	char *path = xmalloc(n);

	snprintf(path, n, "%s/%s", dir, name);
	return path;
}

static struct engine *
make(const struct engine_config *c, const struct engine_client *client, void *client_ctx)
{
	struct engine *e = xcalloc(1, sizeof(*e));

	e->config = *c;
	set_defaults(&e->config);
	e->dir = xstrdup(c->dir);
	e->owner = xstrdup(c->owner);
	e->log_dir = path_of(c->dir, "log");
	e->config.dir = e->dir;
	e->config.owner = e->owner;
	e->os = e->config.os;
	e->loop = c->loop;
	e->client = client;
	e->client_ctx = client_ctx;
	e->t_meta = (unsigned)client->table_count + ENGINE_T_META;
	e->t_blobs = (unsigned)client->table_count + ENGINE_T_BLOBS;
	e->t_segments = (unsigned)client->table_count + ENGINE_T_SEGMENTS;
	e->t_objects = (unsigned)client->table_count + ENGINE_T_OBJECTS;
	e->lock_fd = -1;
	e->current.fd = e->ahead.fd = -1;
	e->unindexed = map_new();
	buf_init(&e->summary, 2 * ENGINE_SUMMARY_MAX);
	buf_init(&e->account.dropped, SIZE_MAX);
	buf_init(&e->account.gone, SIZE_MAX);
	buf_init(&e->orphans, SIZE_MAX);
	for (size_t i = 0; i < ENGINE_FDS; i++)
		e->fds[i].fd = -1;
	pthread_mutex_init(&e->lock, NULL);
	pthread_cond_init(&e->write_wanted, NULL);
	pthread_cond_init(&e->index_wanted, NULL);
	list_init(&e->to_write);
	list_init(&e->written);
	list_init(&e->to_index);
	list_init(&e->indexed);
	return e;
}

static int
open_index(struct engine *e, struct err *err)
{
	size_t n = e->client->table_count;
	const char **tables = xcalloc(n + ENGINE_T_COUNT, sizeof(*tables));
	char *dir = path_of(e->dir, "index");
	struct kv_config c = {
		.dir = dir,
		.tables = tables,
		.table_count = n + ENGINE_T_COUNT,
		.map_bytes = e->config.index_map_bytes,
	};
	enum kv_err rc;

	for (size_t i = 0; i < n; i++)
		tables[i] = e->client->tables[i];
	tables[e->t_meta] = "engine.meta";
	tables[e->t_blobs] = "engine.blobs";
	tables[e->t_segments] = "engine.segments";
	tables[e->t_objects] = "engine.objects";
	rc = kv_open(&c, &e->kv, err);
	free(tables);
	free(dir);
	return rc == KV_OK ? 0 : -1;
}

static int
open_dir(struct engine *e, struct err *err)
{
	e->lock_fd = meta_lock(e->dir, err);
	if (e->lock_fd == -1 || meta_open(e->dir, e->owner, &e->store_id, err) == -1)
		return -1;
	if (mkdir(e->log_dir, 0700) == -1 && errno != EEXIST) {
		err_set_errno(err, "cannot make %s", e->log_dir);
		return -1;
	}
	return open_index(e, err);
}

static int
start_threads(struct engine *e, struct err *err)
{
	int rc = pthread_create(&e->writer, NULL, writer_main, e);

	if (rc == 0) {
		e->has_writer = true;
		rc = pthread_create(&e->indexer, NULL, indexer_main, e);
		e->has_indexer = rc == 0;
	}
	if (rc == 0)
		return 0;
	err_set(err, "cannot start a thread: %s", strerror(rc));
	return -1;
}

struct engine *
engine_open(const struct engine_config *c, const struct engine_client *client, void *client_ctx,
            struct err *err)
{
	struct engine *e = make(c, client, client_ctx);

	if (open_dir(e, err) == -1 || recovery_run(e, err) == -1 ||
	    (e->config.threads && start_threads(e, err) == -1)) {
		engine_close(&e);
		return NULL;
	}
	writer_look_at_space(e);
	compactor_start(e);
	return e;
}

static void
stop_threads(struct engine *e)
{
	pthread_mutex_lock(&e->lock);
	e->closing = true;
	pthread_cond_broadcast(&e->write_wanted);
	pthread_mutex_unlock(&e->lock);
	if (e->has_writer)
		pthread_join(e->writer, NULL);
	else if (e->kv != NULL)
		while (writer_step(e))
			;
	/* What the writer has written since the loop's last turn is published to nobody,
	 * but indexed. */
	pthread_mutex_lock(&e->lock);
	while (!list_is_empty(&e->written)) {
		struct engine_tx *tx = LIST_FIRST(&e->written, struct engine_tx, link);

		list_del(&tx->link);
		if (tx->result == ENGINE_OK)
			list_add_tail(&e->to_index, &tx->link);
		else
			engine_tx_free(&tx);
	}
	pthread_cond_broadcast(&e->index_wanted);
	pthread_mutex_unlock(&e->lock);
	if (e->has_indexer)
		pthread_join(e->indexer, NULL);
	else if (e->kv != NULL && !e->config.manual_index)
		while (indexer_step(e))
			;
}

static void
free_list(struct list *txs)
{
	while (!list_is_empty(txs)) {
		struct engine_tx *tx = LIST_FIRST(txs, struct engine_tx, link);

		list_del(&tx->link);
		engine_tx_free(&tx);
	}
}

void
engine_close(struct engine **ep)
{
	struct engine *e = *ep;

	if (e == NULL)
		return;
	must(e->building == NULL);
	compactor_stop(e);
	stop_threads(e);
	compactor_free(e);
	loop_forget(e->loop, e);
	free_list(&e->to_index);
	free_list(&e->indexed);
	/* An orderly end gives back what was allocated and not used. */
	if (e->current.fd != -1 && !e->failed)
		(void)e->os->ops->truncate(e->os, e->current.fd, e->current.at);
	segment_close(e, &e->current);
	segment_close(e, &e->ahead);
	blob_fds_close(e);
	kv_close(&e->kv);
	map_free(&e->unindexed);
	buf_fini(&e->summary);
	buf_fini(&e->orphans);
	account_fini(e);
	if (e->lock_fd != -1)
		close(e->lock_fd);
	pthread_mutex_destroy(&e->lock);
	pthread_cond_destroy(&e->write_wanted);
	pthread_cond_destroy(&e->index_wanted);
	free(e->dir);
	free(e->owner);
	free(e->log_dir);
	free(e);
	*ep = NULL;
}
