/* The splitters of IMAP: what clients say to us, what stores say to a front end. */
#include "base/must.h"
#include "fuzz/fuzz.h"
#include "proto/imap_cmd.h"
#include "proto/imap_resp.h"

static const struct imap_cmd_def *
find(struct slice name)
{
	static const struct imap_cmd_def defs[] = {
		{ "NOOP", "" },       { "LOGIN", "aa" }, { "APPEND", "a" }, { "FETCH", "" },
		{ "UID COPY", "wa" }, { "IDLE", "" },    { "SELECT", "a" },
	};

	for (size_t i = 0; i < ARRAY_LEN(defs); i++)
		if (slice_ieq_str(name, defs[i].name))
			return &defs[i];
	return NULL;
}

static size_t
feed_cmd(void *ctx, struct slice in)
{
	struct imap_cmd *c = ctx;
	struct imap_cmd_event ev;
	size_t used;

	if (imap_cmd_read(c, in, &used, &ev) == 0)
		return used;
	if (ev.type == IMAP_CMD_FATAL)
		return FUZZ_OVER;
	must(used > 0);
	if (ev.type == IMAP_CMD_HEAD && !ev.last && slice_eq(ev.tag, SLICE("d")))
		(void)imap_cmd_discard(c, !ev.sync);
	else if (ev.type == IMAP_CMD_HEAD && ev.last && slice_ieq_str(ev.tag, "i"))
		imap_cmd_expect_line(c);
	return used;
}

static size_t
feed_resp(void *ctx, struct slice in)
{
	struct imap_resp_event ev;
	struct slice rest, word;
	size_t used;
	int r = imap_resp_read(ctx, in, &used, &ev);

	if (r == -1)
		return FUZZ_OVER;
	if (r == 1)
		for (rest = ev.code_args; imap_resp_next_word(&rest, &word);)
			continue;
	return used;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct imap_cmd_limits limits = { 8192, 1024, 1 << 20, 100 };
	struct imap_resp resp;
	struct imap_cmd cmd;

	imap_cmd_init(&cmd, find, &limits);
	fuzz_feed(data, size, feed_cmd, &cmd);
	imap_cmd_fini(&cmd);
	imap_resp_init(&resp);
	fuzz_feed(data, size, feed_resp, &resp);
	return 0;
}
