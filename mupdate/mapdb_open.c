/*
 * mapdb_open - opening the environment, and what a replica does with one that is of no use:
 * its list can be had again from the master, so it is moved aside, kept for whoever wants to
 * know, and made anew. A master's is never touched: it goes the way of a new history only by
 * a person's hand.
 *
 * Three things make an environment useless: LMDB or a row says so; its lock is held by
 * somebody who does not go on (LOCK_WAIT_MS); or those who open it die of it. The file "opened"
 * counts until mapdb_set_proven() or a clean end who died; but a person kills processes, too, and
 * so does a system without memory. So when there were some, a process that can be spared (trial.h)
 * opens it, reads all of it and writes to it. A list that does it no harm is kept: front ends look
 * at it, and there may be no master to have another one from.
 */
#include "base/ids.h"
#include "base/text.h"
#include "base/xalloc.h"
#include "log/log.h"
#include "mapdb_impl.h"
#include "trial.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOCK_WAIT_MS 10000
#define WRITER_WAIT_MS 2000
#define WRITER_TRY_MS 20
#define DEATHS_MOST 3
#define TRIAL_ROWS 20000
#define TRIAL_STEPS 100000    /* ends for certain, also when nothing can be read */
#define TRIAL_SILENT_MS 30000 /* for so many rows, from the disk */

/* ---- files beside it ------------------------------------------------------------------------ */

static void
path_of(const struct mapdb *m, const char *name, char path_r[4096])
{
	snprintf(path_r, 4096, "%s/%s", m->dir, name);
}

/* How many have opened it and came to no clean end. */
static unsigned
read_deaths(const struct mapdb *m)
{
	char path[4096], text[16] = "";
	int fd;
	ssize_t n;

	path_of(m, "opened", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	return n > 0 ? (unsigned)strtoul(text, NULL, 10) : 0;
}

/* One that cannot be written is not counted: it only helps. */
static void
write_deaths(const struct mapdb *m, unsigned count)
{
	char path[4096], text[16];
	int fd, n = snprintf(text, sizeof(text), "%u\n", count);

	path_of(m, "opened", path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (fd == -1)
		return;
	if (write(fd, text, (size_t)n) != n)
		log_warning(NULL, "map.opened path=%s error=%s", log_esc(path),
		            log_esc(strerror(errno)));
	close(fd);
}

void
mapdb_set_proven(struct mapdb *m)
{
	char path[4096];

	path_of(m, "opened", path);
	(void)unlink(path);
}

/* LMDB lets several processes write, each in its turn; but we remember what we have written. So the
 * file "writer" is locked by the one who does. -1: it cannot be made. */
static int
lock_writer(struct mapdb *m, struct err *err)
{
	char path[4096];

	if (m->writer_fd != -1)
		close(m->writer_fd);
	path_of(m, "writer", path);
	m->writer_fd = -1;
	m->is_writer = false;
	if (mkdir(m->dir, 0700) == 0 || errno == EEXIST)
		m->writer_fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0640);
	if (m->writer_fd == -1) {
		err_set_errno(err, "%s", path);
		return -1;
	}
	/* The one before us may be just ending. */
	for (unsigned ms = 0; !m->is_writer && ms < WRITER_WAIT_MS; ms += WRITER_TRY_MS) {
		m->is_writer = flock(m->writer_fd, LOCK_EX | LOCK_NB) == 0;
		if (!m->is_writer)
			usleep(WRITER_TRY_MS * 1000);
	}
	return 0;
}

/* Readers find out by the file's inode. */
static int
move_aside(const struct mapdb *m, struct err *err)
{
	/* The last one is his who does not go on: else it is ours. */
	static const char *const files[][2] = { { "data.mdb", "damaged.data.mdb" },
		                                { "lock.mdb", "damaged.lock.mdb" },
		                                { "writer", "damaged.writer" } };
	char from[4096], to[4096];

	for (size_t i = 0; i < ARRAY_LEN(files) - m->is_writer; i++) {
		path_of(m, files[i][0], from);
		path_of(m, files[i][1], to);
		if (rename(from, to) == -1 && errno != ENOENT) {
			err_set_errno(err, "%s", from);
			return -1;
		}
	}
	return 0;
}

/* ---- LMDB ------------------------------------------------------------------------------------ */

static enum kv_err
open_env(const struct mapdb_config *c, struct kv_env **env_r, struct err *err)
{
	const struct kv_config conf = {
		.dir = c->dir,
		.tables = location_table_names,
		.table_count = LOCATION_T_COUNT,
		.map_bytes = c->map_bytes != 0 ? c->map_bytes : LOCATION_MAP_BYTES,
		.max_readers = LOCATION_MAX_READERS,
		.dir_mode = 0750,
		.data_mode = 0640,
		.lock_mode = 0660,
		.group = "roost-location",
	};

	return kv_open(&conf, env_r, err);
}

/* Opening waits for the writer's lock, and LMDB knows no deadline: a thread waits, and is left
 * alone when it takes too long. */
struct opening {
	struct mapdb_config conf;
	char *dir;
	struct kv_env *env;
	enum kv_err result;
	struct err err;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t done;
	bool is_done;
	bool one_gone; /* the second of the two to leave frees it */
};

static struct opening *
opening_new(const struct mapdb_config *c)
{
	struct opening *o = xcalloc(1, sizeof(*o));
	pthread_condattr_t monotonic;

	o->conf = *c;
	o->conf.dir = o->dir = xstrdup(c->dir);
	must(pthread_condattr_init(&monotonic) == 0);
	must(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
	must(pthread_cond_init(&o->done, &monotonic) == 0);
	must(pthread_mutex_init(&o->lock, NULL) == 0);
	pthread_condattr_destroy(&monotonic);
	return o;
}

static void
opening_free(struct opening *o)
{
	pthread_mutex_destroy(&o->lock);
	pthread_cond_destroy(&o->done);
	kv_close(&o->env);
	free(o->dir);
	free(o);
}

static void
opening_leave(struct opening *o)
{
	bool is_last;

	pthread_mutex_lock(&o->lock);
	is_last = o->one_gone;
	o->one_gone = true;
	pthread_mutex_unlock(&o->lock);
	if (is_last)
		opening_free(o);
}

/* False: not by then. */
static bool
opening_await(struct opening *o, const struct timespec *until)
{
	bool is_done;

	pthread_mutex_lock(&o->lock);
	while (!o->is_done && pthread_cond_timedwait(&o->done, &o->lock, until) == 0)
		continue;
	is_done = o->is_done;
	pthread_mutex_unlock(&o->lock);
	return is_done;
}

static void *
opening_run(void *ctx)
{
	struct opening *o = ctx;
	struct err why = { "" };

	o->result = open_env(&o->conf, &o->env, &why);
	if (o->result == KV_CORRUPT && o->conf.master)
		err_set(&o->err,
		        "%s; put a copy back, or move the files away: a new list then waits for "
		        "what the stores tell",
		        why.text);
	else
		o->err = why;
	pthread_mutex_lock(&o->lock);
	o->is_done = true;
	pthread_cond_signal(&o->done);
	pthread_mutex_unlock(&o->lock);
	opening_leave(o);
	return NULL;
}

static struct timespec
from_now(uint64_t ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	ms += (uint64_t)t.tv_nsec / 1000000;
	return (struct timespec){ t.tv_sec + (time_t)(ms / 1000), (long)(ms % 1000) * 1000000 };
}

static enum kv_err
open_patiently(const struct mapdb_config *c, struct kv_env **env_r, struct err *err)
{
	struct timespec until = from_now(c->lock_wait_ms != 0 ? c->lock_wait_ms : LOCK_WAIT_MS);
	struct opening *o = opening_new(c);
	enum kv_err e = KV_CORRUPT;
	pthread_t thread;

	if (pthread_create(&thread, NULL, opening_run, o) != 0) {
		opening_free(o);
		return open_env(c, env_r, err);
	}
	if (opening_await(o, &until)) {
		pthread_join(thread, NULL);
		e = o->result;
		*env_r = o->env;
		o->env = NULL;
		err_set(err, "%s", o->err.text);
	} else {
		pthread_detach(thread);
		err_set(err, "%s: somebody holds its lock and does not go on; end that process",
		        c->dir);
	}
	opening_leave(o);
	return e;
}

/* ---- what is in it ----------------------------------------------------------------------------- */

static void
first_time(struct mapdb *m)
{
	mapdb_put_u32(m, "format", LOCATION_FORMAT);
	kv_put(m->txn, LOCATION_T_META, SLICE("cluster"), slice_of(m->cluster));
	mapdb_put_u64(m, "oldest", 1);
	m->next.oldest = 1;
	if (m->conf.master) {
		mapdb_next_term(m);
		mapdb_put_new_history(m);
		mapdb_set_state(m, LOCATION_MAP_REBUILDING);
	}
}

/* An older format is brought up to ours. False: neither could be. */
static bool
has_our_format(struct mapdb *m, struct err *err)
{
	uint32_t format = location_meta_u32(m->txn, "format");

	if (format == LOCATION_FORMAT)
		return true;
	if (format > LOCATION_FORMAT) {
		err_set(err,
		        "%s: written by a newer version of roost-mupdate, which is needed "
		        "to read it (format %" PRIu32 ", and this one has %d)",
		        m->dir, format, LOCATION_FORMAT);
		return false;
	}
	if (format == 0 || (format == 1 && !mapdb_index_servers(m))) {
		err_set(err, "%s: its format makes no sense", m->dir);
		return false;
	}
	mapdb_convert_left(m);
	mapdb_put_u32(m, "format", LOCATION_FORMAT);
	log_info(NULL, "map.converted dir=%s from=%" PRIu32 " to=%d", log_esc(m->dir), format,
	         LOCATION_FORMAT);
	return true;
}

static int
check_known(struct mapdb *m, struct err *err)
{
	struct slice cluster;

	if (!has_our_format(m, err)) {
		m->damaged = true;
		return -1;
	}
	if (!kv_get(m->txn, LOCATION_T_META, SLICE("cluster"), &cluster))
		cluster = SLICE("");
	if (!slice_eq_str(cluster, m->cluster)) {
		err_set(err,
		        "%s: belongs to another cluster: to \"%.*s\", and cluster_id is \"%s\"",
		        m->dir, SLICE_ARG(cluster), m->cluster);
		return -1;
	}
	/* A replica that becomes a master keeps the list, its history and its revisions. */
	if (m->conf.master && m->next.history[0] == '\0')
		mapdb_put_new_history(m);
	if (m->conf.master && m->next.state == LOCATION_MAP_EMPTY)
		mapdb_set_state(m, LOCATION_MAP_REBUILDING);
	return 0;
}

static void
start_term(struct mapdb *m)
{
	/* A list that came from another master, or from a version that kept no terms: where its
	 * last one began matters to nobody, and of those before nothing is known. */
	if (mapdb_terms_last(m) != m->next.term) {
		mapdb_terms_clear(m);
		mapdb_terms_add(m, m->next.term, 0);
	}
	mapdb_next_term(m);
	mapdb_terms_add(m, m->next.term, m->next.revision);
}

static int
prepare(struct mapdb *m, struct err *err)
{
	int r = 0;

	if (mapdb_begin(m, err) == -1)
		return -1;
	mapdb_load_info(m->txn, &m->next);
	if (kv_has(m->txn, LOCATION_T_META, SLICE("format")))
		r = check_known(m, err);
	else
		first_time(m);
	if (r == 0 && m->conf.master)
		start_term(m);
	if (r == 0)
		return mapdb_commit(m, err) == MAPDB_DONE ? 0 : -1;
	mapdb_abort(m);
	return -1;
}

/* Each row is looked at, a million in a third of a second. False: it is of no use. */
static bool
check_rows(struct mapdb *m, struct err *err)
{
	if (mapdb_check_some(m, UINT_MAX))
		return true;
	err_set(err, "%s: rows that make no sense", m->dir);
	return false;
}

/* ---- opening --------------------------------------------------------------------------------- */

static int
open_anew(struct mapdb *m, const char *why, struct err *err)
{
	log_error(NULL, "map.damaged dir=%s error=%s action=\"moved aside, begun anew\"",
	          log_esc(m->dir), log_esc(why));
	if (move_aside(m, err) == -1 || lock_writer(m, err) == -1 ||
	    open_env(&m->conf, &m->env, err) != KV_OK)
		return -1;
	write_deaths(m, 1);
	m->damaged = false;
	mapdb_intern_forget(m);
	return prepare(m, err);
}

/* What is done with it each day. Errors are found once more by who opens it for good. */
static void
try_out(struct trial *t, void *ctx)
{
	struct mapdb *m = ctx;

	if (open_patiently(&m->conf, &m->env, NULL) != KV_OK || prepare(m, NULL) == -1)
		return;
	trial_step(t);
	for (unsigned i = 0; i < TRIAL_STEPS && !m->damaged; i++) {
		if (mapdb_check_some(m, TRIAL_ROWS))
			break;
		trial_step(t);
	}
	if (mapdb_begin(m, NULL) == -1)
		return;
	mapdb_set_state(m, m->next.state);
	(void)!mapdb_commit(m, NULL);
}

/* False: whoever opens it dies. */
static bool
is_harmless(struct mapdb *m, unsigned deaths)
{
	enum trial_end end = trial_run(try_out, m, TRIAL_SILENT_MS);

	if (end == TRIAL_DIED)
		return false;
	log_warning(NULL,
	            "map.kept dir=%s deaths=%u tried=%s reason=\"those who opened it ended early, "
	            "but not for what is in it; see above what ended them\"",
	            log_esc(m->dir), deaths, end == TRIAL_LIVED ? "yes" : "no");
	return true;
}

/* Opened it could be, so whoever has it goes on. */
static bool
is_ours(const struct mapdb *m, struct err *err)
{
	if (m->is_writer)
		return true;
	err_set(err,
	        "%s: another roost-mupdate works on this list; stop it, or give this one a folder "
	        "of its own",
	        m->dir);
	return false;
}

static int
open_replica(struct mapdb *m, struct err *err)
{
	unsigned deaths = read_deaths(m);
	struct err why = { "" };
	enum kv_err e;

	if (m->is_writer && deaths >= DEATHS_MOST && !is_harmless(m, deaths))
		return open_anew(m, "whoever opens it dies of it", err);
	if (m->is_writer)
		write_deaths(m, deaths + 1);
	e = open_patiently(&m->conf, &m->env, &why);
	if (e == KV_OK && !is_ours(m, err))
		return -1;
	if (e == KV_OK && prepare(m, &why) == 0 && check_rows(m, &why))
		return 0;
	if (e != KV_CORRUPT && !m->damaged) {
		if (err != NULL)
			*err = why;
		return -1;
	}
	kv_close(&m->env);
	return open_anew(m, why.text, err);
}

static int
open_master(struct mapdb *m, struct err *err)
{
	if (open_patiently(&m->conf, &m->env, err) != KV_OK || !is_ours(m, err))
		return -1;
	return prepare(m, err);
}

struct mapdb *
mapdb_open(const struct mapdb_config *c, struct err *err)
{
	struct mapdb *m = xcalloc(1, sizeof(*m));
	int r;

	m->conf = *c;
	m->conf.dir = m->dir = xstrdup(c->dir);
	m->conf.cluster = m->cluster = xstrdup(c->cluster);
	m->log_rows = c->log_rows;
	buf_init(&m->pending, SIZE_MAX);
	m->writer_fd = -1;
	r = lock_writer(m, err);
	if (r == 0)
		r = c->master ? open_master(m, err) : open_replica(m, err);
	if (r == -1)
		mapdb_close(&m);
	return m;
}

void
mapdb_close(struct mapdb **mp)
{
	struct mapdb *m = *mp;

	if (m == NULL)
		return;
	mapdb_abort(m);
	mapdb_collect_drop(m);
	kv_close(&m->env);
	if (!m->conf.master && m->is_writer)
		mapdb_set_proven(m);
	if (m->writer_fd != -1)
		close(m->writer_fd);
	buf_fini(&m->pending);
	free(m->dir);
	free(m->cluster);
	free(m);
	*mp = NULL;
}

bool
mapdb_is_damaged(const struct mapdb *m)
{
	return m->damaged;
}

int
mapdb_start_anew(struct mapdb *m, struct err *err)
{
	struct kv_env *old = m->env;
	int r;

	must(!m->conf.master);
	mapdb_abort(m);
	mapdb_collect_drop(m);
	r = open_anew(m, "found while it was in use", err);
	if (m->env != old)
		kv_close(&old);
	return r;
}
