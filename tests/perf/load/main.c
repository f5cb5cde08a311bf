/*
 * roost-load - load for measurements: N connections that do the same for some seconds.
 *
 *	roost-load lmtp ADDRESS CONNECTIONS SECONDS DOMAIN PASSWORD BYTES USER...
 *	roost-load sync FILE SECONDS      (the machine's sync rate: 4 KB appends, fdatasync)
 *
 * Prints one line: rounds, failed rounds, rounds per second, median and 99th percentile in
 * milliseconds, and why the last failed one failed. Exit status 1 when nothing succeeded.
 */
#include "perf/load/scenes.h"

#include "base/ids.h"
#include "base/xalloc.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SAMPLES 200000 /* per thread; later rounds are counted but not timed */
#define SYNC_BYTES 4096
#define LINE_LEN 76

struct runner {
	struct worker worker;
	scene_fn *round;
	pthread_t thread;
	uint64_t ok, failed;
	uint32_t *us; /* of the first SAMPLES rounds */
	size_t sampled;
};

static atomic_bool stop;

static uint64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void
nap_ms(unsigned ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000L }, NULL);
}

static void *
run(void *arg)
{
	struct runner *r = arg;

	while (!atomic_load(&stop)) {
		uint64_t start = now_us();

		if (r->round(&r->worker)) {
			r->ok++;
			if (r->sampled < SAMPLES)
				r->us[r->sampled++] = (uint32_t)(now_us() - start);
		} else {
			r->failed++;
			nap_ms(20);
		}
		r->worker.count++;
	}
	peer_close(&r->worker.peer);
	return NULL;
}

static int
compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static int
report(struct runner *all, unsigned n, double seconds)
{
	uint64_t ok = 0, failed = 0;
	uint32_t *us = xcalloc((size_t)n * SAMPLES, sizeof(*us));
	const char *why = "";
	size_t count = 0;

	for (unsigned i = 0; i < n; i++) {
		ok += all[i].ok;
		failed += all[i].failed;
		if (*all[i].worker.why != '\0')
			why = all[i].worker.why;
		memcpy(us + count, all[i].us, all[i].sampled * sizeof(*us));
		count += all[i].sampled;
	}
	qsort(us, count, sizeof(*us), compare);
	printf("rounds=%" PRIu64 " failed=%" PRIu64 " per_second=%.1f p50_ms=%.2f p99_ms=%.2f"
	       " why=\"%s\"\n",
	       ok, failed, (double)ok / seconds, count > 0 ? us[count / 2] / 1000.0 : 0.0,
	       count > 0 ? us[count * 99 / 100] / 1000.0 : 0.0, why);
	free(us);
	return ok > 0 ? 0 : 1;
}

static int
load(const struct scene *scene, const struct load *l, unsigned connections, unsigned seconds)
{
	struct runner *all = xcalloc(connections, sizeof(*all));
	uint64_t start = now_us(), used;
	int code;

	for (unsigned i = 0; i < connections; i++) {
		all[i].worker.load = l;
		all[i].worker.number = i;
		all[i].worker.peer.fd = -1;
		all[i].round = scene->round;
		all[i].us = xcalloc(SAMPLES, sizeof(*all[i].us));
		if (pthread_create(&all[i].thread, NULL, run, &all[i]) != 0) {
			fprintf(stderr, "roost-load: no thread for connection %u\n", i);
			exit(1);
		}
	}
	nap_ms(seconds * 1000);
	atomic_store(&stop, true);
	for (unsigned i = 0; i < connections; i++)
		(void)pthread_join(all[i].thread, NULL);
	used = now_us() - start;
	code = report(all, connections, (double)used / 1e6);
	for (unsigned i = 0; i < connections; i++)
		free(all[i].us);
	free(all);
	return code;
}

static char *
make_body(unsigned bytes)
{
	char *body = xmalloc(bytes + 1);

	for (unsigned i = 0; i < bytes; i++)
		body[i] = (char)('a' + i % 26);
	for (unsigned i = LINE_LEN; i < bytes; i += LINE_LEN + 2)
		memcpy(body + i - 2, "\r\n", 2);
	memcpy(body + bytes - 2, "\r\n", 2);
	return body;
}

static int
sync_rate(const char *path, unsigned seconds)
{
	static char block[SYNC_BYTES];
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	uint64_t start = now_us(), n = 0;

	memset(block, 'r', sizeof(block));
	while (fd != -1 && now_us() - start < (uint64_t)seconds * 1000000) {
		if (write(fd, block, sizeof(block)) != sizeof(block) || fdatasync(fd) == -1)
			break;
		n++;
	}
	if (fd == -1 || n == 0) {
		perror(path);
		return 1;
	}
	printf("rounds=%" PRIu64 " per_second=%.1f\n", n,
	       (double)n * 1e6 / (double)(now_us() - start));
	close(fd);
	unlink(path);
	return 0;
}

static int
usage(void)
{
	fprintf(stderr, "usage: roost-load lmtp|smtp|imap|pop3 ADDRESS CONNECTIONS SECONDS DOMAIN "
	                "PASSWORD BYTES USER...\n       roost-load sync FILE SECONDS\n");
	return 64;
}

int
main(int argc, char **argv)
{
	struct load l = { 0 };
	const struct scene *scene = scenes;
	unsigned connections;
	int code;

	if (argc == 4 && strcmp(argv[1], "sync") == 0)
		return sync_rate(argv[2], (unsigned)strtoul(argv[3], NULL, 10));
	if (argc < 9)
		return usage();
	while (scene->name != NULL && strcmp(scene->name, argv[1]) != 0)
		scene++;
	connections = (unsigned)strtoul(argv[3], NULL, 10);
	l = (struct load){ .address = argv[2],
		           .domain = argv[5],
		           .password = argv[6],
		           .message_bytes = (unsigned)strtoul(argv[7], NULL, 10),
		           .users = (const char *const *)argv + 8,
		           .user_count = (unsigned)argc - 8 };
	if (scene->name == NULL || connections == 0 || l.message_bytes < 2 * LINE_LEN)
		return usage();
	ids_random(&l.seed, sizeof(l.seed));
	l.body = make_body(l.message_bytes);
	code = load(scene, &l, connections, (unsigned)strtoul(argv[4], NULL, 10));
	free(l.body);
	return code;
}
