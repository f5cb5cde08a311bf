#include "deliver/msg.h"

#include "base/text.h"
#include "base/xalloc.h"
#include "log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WRITE_BYTES 65536 /* collected before they go to the file */

static const char received[] = "received:";

/* Where in the header the scanner of Received: fields is. */
enum where { AT_LINE_START, IN_NAME, IN_LINE, BEHIND_HEADER };

struct msg {
	const struct msg_limits *limits;
	enum msg_state state;
	uint64_t bytes;
	struct buf memory; /* all of it, or what is not in the file yet; then read pieces */
	int fd;            /* -1: in memory */
	uint64_t in_file;
	enum where where;
	size_t matched; /* IN_NAME: of "received:"; AT_LINE_START: 1 behind a CR */
	unsigned hops;
	struct digest *digest; /* NULL when the key is there */
	uint8_t key[DIGEST_LEN];
};

struct msg *
msg_new(const struct msg_limits *l, struct slice sender)
{
	struct msg *m = xcalloc(1, sizeof(*m));

	m->limits = l;
	m->fd = -1;
	buf_init(&m->memory, SIZE_MAX);
	m->digest = digest_new();
	digest_add(m->digest, sender);
	digest_add(m->digest, slice_make("", 1));
	return m;
}

void
msg_free(struct msg **mp)
{
	struct msg *m = *mp;

	*mp = NULL;
	if (m == NULL)
		return;
	if (m->fd != -1)
		close(m->fd);
	buf_fini(&m->memory);
	digest_free(&m->digest);
	free(m);
}

/* ---- what is known of the header ---------------------------------------------------------- */

static void
scan_byte(struct msg *m, char c)
{
	switch (m->where) {
	case AT_LINE_START:
		if (c == '\r' && m->matched == 0) {
			m->matched = 1;
			return;
		}
		if (c == '\n') {
			m->where = BEHIND_HEADER;
			return;
		}
		m->where = IN_NAME;
		m->matched = 0;
		scan_byte(m, c);
		return;
	case IN_NAME:
		if (text_lower(c) == received[m->matched]) {
			if (received[++m->matched] != '\0')
				return;
			m->hops++;
		}
		m->where = IN_LINE;
		/* fall through */
	case IN_LINE:
		if (c == '\n') {
			m->where = AT_LINE_START;
			m->matched = 0;
		}
		return;
	case BEHIND_HEADER:
		return;
	}
}

static void
scan(struct msg *m, struct slice s)
{
	for (size_t i = 0; i < s.n && m->where != BEHIND_HEADER; i++)
		scan_byte(m, s.p[i]);
}

/* ---- the file ------------------------------------------------------------------------------- */

static void
give_up(struct msg *m)
{
	m->state = MSG_NO_SPACE;
	buf_fini(&m->memory);
	if (m->fd != -1)
		close(m->fd);
	m->fd = -1;
}

/* File systems without O_TMPFILE get a file whose name is taken away at once. */
static int
open_file(const char *dir)
{
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char path[4096];

	if (fd != -1 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT))
		return fd;
	if ((size_t)snprintf(path, sizeof(path), "%s/roost-smtp.XXXXXX", dir) >= sizeof(path))
		return -1;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd != -1)
		(void)unlink(path);
	return fd;
}

static bool
write_memory(struct msg *m)
{
	struct slice left = buf_slice(&m->memory);

	while (left.n > 0) {
		ssize_t n = pwrite(m->fd, left.p, left.n, (off_t)m->in_file);

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		m->in_file += (uint64_t)n;
		left = slice_skip(left, (size_t)n);
	}
	buf_clear(&m->memory);
	return true;
}

static void
to_file(struct msg *m)
{
	if (m->fd == -1)
		m->fd = open_file(m->limits->spool_dir);
	if (m->fd != -1 && write_memory(m))
		return;
	log_error(NULL, "smtp.spool_failed dir=%s errno=%d", log_esc(m->limits->spool_dir), errno);
	give_up(m);
}

/* ---- writing ---------------------------------------------------------------------------------- */

enum msg_state
msg_add(struct msg *m, struct slice bytes)
{
	if (m->state != MSG_OK)
		return m->state;
	m->bytes += bytes.n;
	digest_add(m->digest, bytes);
	scan(m, bytes);
	buf_add_slice(&m->memory, bytes);
	if (m->fd != -1 ? m->memory.len >= WRITE_BYTES : m->bytes > m->limits->memory_bytes)
		to_file(m);
	return m->state;
}

enum msg_state
msg_get_state(const struct msg *m)
{
	return m->state;
}

enum msg_state
msg_finish(struct msg *m)
{
	must(m->digest != NULL);
	digest_final(m->digest, m->key);
	digest_free(&m->digest);
	if (m->state == MSG_OK && m->fd != -1 && m->memory.len > 0)
		to_file(m);
	return m->state;
}

/* ---- reading ---------------------------------------------------------------------------------- */

uint64_t
msg_bytes(const struct msg *m)
{
	return m->bytes;
}

unsigned
msg_hops(const struct msg *m)
{
	return m->hops;
}

const uint8_t *
msg_key(const struct msg *m)
{
	must(m->digest == NULL);
	return m->key;
}

static bool
read_file(struct msg *m, uint64_t offset, size_t want)
{
	char *to;

	buf_clear(&m->memory);
	to = buf_extend(&m->memory, want);
	for (size_t got = 0; got < want;) {
		ssize_t n = pread(m->fd, to + got, want - got, (off_t)(offset + got));

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0) {
			log_error(NULL, "smtp.spool_read_failed errno=%d", n == -1 ? errno : 0);
			return false;
		}
		got += (size_t)n;
	}
	return true;
}

int
msg_read(struct msg *m, uint64_t offset, size_t most, struct slice *bytes_r)
{
	size_t want = (size_t)MIN((uint64_t)most, m->bytes - MIN(offset, m->bytes));

	must(m->digest == NULL && m->state == MSG_OK);
	if (m->fd == -1) {
		*bytes_r = slice_sub(buf_slice(&m->memory), (size_t)MIN(offset, m->bytes), want);
		return 0;
	}
	if (!read_file(m, offset, want))
		return -1;
	*bytes_r = buf_slice(&m->memory);
	return 0;
}
