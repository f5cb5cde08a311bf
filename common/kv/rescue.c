#include "kv/rescue.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/must.h"

static _Thread_local struct {
	jmp_buf to;
	bool armed;
} rescue;

static void
on_assert(UNUSED MDB_env *mdb, UNUSED const char *text)
{
	if (!rescue.armed)
		return; /* LMDB ends the process */
	rescue.armed = false;
	longjmp(rescue.to, 1);
}

static const int faults[] = { SIGBUS, SIGSEGV };
static struct sigaction before[ARRAY_LEN(faults)];
static pthread_mutex_t faults_lock = PTHREAD_MUTEX_INITIALIZER;

/* What is not ours goes to whoever had it before. */
static void
on_fault(int signo)
{
	if (rescue.armed) {
		rescue.armed = false;
		longjmp(rescue.to, 1);
	}
	for (size_t i = 0; i < ARRAY_LEN(faults); i++)
		if (faults[i] == signo)
			(void)sigaction(signo, &before[i], NULL);
	(void)raise(signo);
}

/* At each opening: others may have taken the signals meanwhile. */
static void
catch_faults(void)
{
	const struct sigaction ours = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };
	struct sigaction now;

	pthread_mutex_lock(&faults_lock);
	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		if (sigaction(faults[i], NULL, &now) == -1 || now.sa_handler == on_fault)
			continue;
		before[i] = now;
		(void)sigaction(faults[i], &ours, NULL);
	}
	pthread_mutex_unlock(&faults_lock);
}

int
rescue_begin(MDB_env *mdb)
{
	catch_faults();
	return mdb_env_set_assert(mdb, on_assert);
}

/* The rest of a function: what `call` says, or that the file is damaged. */
#define RETURN_SAFELY(call)                                                                        \
	do {                                                                                       \
		int rc_;                                                                           \
                                                                                                   \
		if (setjmp(rescue.to) != 0)                                                        \
			return MDB_CORRUPTED;                                                      \
		rescue.armed = true;                                                               \
		rc_ = (call);                                                                      \
		rescue.armed = false;                                                              \
		return rc_;                                                                        \
	} while (0)

#define TOUCH_BYTES 4096

/* The caller will read it, and is not rescued then. */
static void
touch(const MDB_val *v)
{
	const volatile char *p = v->mv_data;

	for (size_t i = 0; i < v->mv_size; i += TOUCH_BYTES)
		(void)p[i];
	if (v->mv_size > 0)
		(void)p[v->mv_size - 1];
}

static int
get_and_touch(MDB_txn *mdb, MDB_dbi table, MDB_val *k, MDB_val *v)
{
	int rc = mdb_get(mdb, table, k, v);

	if (rc == 0)
		touch(v);
	return rc;
}

static int
move_and_touch(MDB_cursor *mdb, MDB_val *k, MDB_val *v, MDB_cursor_op op)
{
	int rc = mdb_cursor_get(mdb, k, v, op);

	if (rc == 0)
		touch(k);
	if (rc == 0)
		touch(v);
	return rc;
}

int
rescue_get(MDB_txn *mdb, MDB_dbi table, MDB_val *k, MDB_val *v)
{
	RETURN_SAFELY(get_and_touch(mdb, table, k, v));
}

int
rescue_cursor_get(MDB_cursor *mdb, MDB_val *k, MDB_val *v, MDB_cursor_op op)
{
	RETURN_SAFELY(move_and_touch(mdb, k, v, op));
}

int
rescue_cursor_open(MDB_txn *mdb, MDB_dbi table, MDB_cursor **cursor_r)
{
	RETURN_SAFELY(mdb_cursor_open(mdb, table, cursor_r));
}

int
rescue_stat(MDB_txn *mdb, MDB_dbi table, MDB_stat *st_r)
{
	RETURN_SAFELY(mdb_stat(mdb, table, st_r));
}

int
rescue_renew(MDB_txn *mdb)
{
	RETURN_SAFELY(mdb_txn_renew(mdb));
}

int
rescue_abort(MDB_txn *mdb)
{
	RETURN_SAFELY((mdb_txn_abort(mdb), 0));
}

int
rescue_env_close(MDB_env *mdb)
{
	RETURN_SAFELY((mdb_env_close(mdb), 0));
}

int
rescue_dbi_open(MDB_txn *mdb, const char *name, MDB_dbi *table_r)
{
	RETURN_SAFELY(mdb_dbi_open(mdb, name, 0, table_r));
}
