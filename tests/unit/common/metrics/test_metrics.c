/* metrics - counted by several processes, summed, printed. */
#include "metrics/metrics.h"

#include "lib/test.h"

#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { M_OK, M_BAD, M_OPEN, M_TIME, M_COUNT };
static struct metric table[M_COUNT] = {
	[M_OK] = METRIC_COUNTER("t_total", "r=\"ok\"", "Things by result."),
	[M_BAD] = METRIC_COUNTER("t_total", "r=\"bad\"", "Things by result."),
	[M_OPEN] = METRIC_GAUGE("t_open", NULL, "Open things."),
	[M_TIME] = METRIC_HISTOGRAM("t_seconds", NULL, "Time.", metrics_ms_bounds),
};
static struct metric loose = METRIC_COUNTER("loose_total", NULL, "Not registered.");
static struct metric loose_time =
	METRIC_HISTOGRAM("loose_seconds", NULL, "Not registered.", metrics_ms_bounds);

static void
open_once(void)
{
	static bool done;

	if (done)
		return;
	done = true;
	metrics_register(table, M_COUNT);
	metrics_open(3);
}

TEST(unregistered_metrics_count_in_themselves)
{
	metrics_add(&loose, 2);
	metrics_observe(&loose_time, 17);
	assert_int_equal(metrics_value(&loose), 2);
	assert_int_equal(metrics_value(&loose_time), 1);
}

static void *
add_many(void *arg)
{
	for (int i = 0; i < 10000; i++)
		metrics_add(arg, 1);
	return NULL;
}

TEST(processes_and_threads_add_up)
{
	pthread_t t;
	pid_t pid;
	int status;

	open_once();
	pid = fork();
	if (pid == 0) {
		metrics_use_slot(2);
		metrics_add(&table[M_OPEN], 5);
		metrics_add(&table[M_OK], 100);
		_exit(0);
	}
	pthread_create(&t, NULL, add_many, &table[M_OK]);
	add_many(&table[M_OK]);
	pthread_join(t, NULL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	metrics_add(&table[M_OPEN], 2);
	metrics_sub(&table[M_OPEN], 1);
	assert_int_equal(metrics_value(&table[M_OK]), 20100);
	assert_int_equal(metrics_value(&table[M_OPEN]), 6);
	metrics_clear_gauges(2);
	assert_int_equal(metrics_value(&table[M_OPEN]), 1);
	assert_int_equal(metrics_value(&table[M_OK]), 20100);
}

TEST(text_is_what_prometheus_reads)
{
	struct buf b = BUF_INIT(1 << 16);
	const char *s;

	open_once();
	metrics_observe(&table[M_TIME], 1);
	metrics_observe(&table[M_TIME], 3);
	metrics_observe(&table[M_TIME], 70000);
	metrics_print(&b);
	s = buf_cstr(&b);
	assert_non_null(strstr(s, "# HELP t_total Things by result.\n# TYPE t_total counter\n"
	                          "t_total{r=\"ok\"} "));
	assert_non_null(strstr(s, "\nt_total{r=\"bad\"} 0\n# HELP t_open"));
	assert_non_null(strstr(s, "t_seconds_bucket{le=\"0.001\"} 1\n"));
	assert_non_null(strstr(s, "t_seconds_bucket{le=\"0.005\"} 2\n"));
	assert_non_null(strstr(s, "t_seconds_bucket{le=\"60\"} 2\n"));
	assert_non_null(strstr(s, "t_seconds_bucket{le=\"+Inf\"} 3\n"));
	assert_non_null(strstr(s, "t_seconds_sum 70.00"));
	assert_non_null(strstr(s, "t_seconds_count 3\n"));
	buf_fini(&b);
}

TEST(the_manual_has_one_row_for_each_name)
{
	struct buf b = BUF_INIT(1 << 16);

	open_once();
	metrics_print_man(&b);
	assert_non_null(strstr(buf_cstr(&b), "\\fBt_total\\fR {r=\"ok\" | r=\"bad\"} (counter)\n"
	                                     "Things by result.\n.TP\n"));
	assert_non_null(strstr(buf_cstr(&b), "\\fBt_seconds\\fR (histogram)\n"));
	assert_null(strstr(buf_cstr(&b), "loose"));
	buf_fini(&b);
}
