/* The cluster port: frames, and the items in them as a target takes them. */
#include "base/buf.h"
#include "fuzz/fuzz.h"
#include "transfer/wire.h"

static size_t
feed(void *ctx, struct slice in)
{
	struct buf *out = ctx;
	struct wire_frame f;
	size_t used;
	int r = wire_read(in, &used, &f);

	if (r == -1)
		return FUZZ_OVER;
	if (r == 1) {
		buf_clear(out);
		/* what was read can be said again, and is as long */
		must(wire_add(&f, out) && out->len == used);
	}
	return used;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf out = BUF_INIT(2 * WIRE_PAYLOAD_MAX);

	fuzz_feed(data, size, feed, &out);
	buf_fini(&out);
	return 0;
}
