#include "fuzz/fuzz.h"

#include "base/buf.h"
#include "base/must.h"

#define INPUT_MAX 65536 /* as the largest limit of a link's input */

void
fuzz_feed(const uint8_t *data, size_t size, fuzz_feed_fn *fn, void *ctx)
{
	struct buf in = BUF_INIT(SIZE_MAX);
	size_t piece = size > 0 && data[0] != 0 ? data[0] : SIZE_MAX, used = 0;

	for (size_t at = 1; at < size && used != FUZZ_OVER && in.len < INPUT_MAX;) {
		size_t n = MIN(piece, size - at);

		buf_add(&in, data + at, n);
		at += n;
		while ((used = fn(ctx, buf_slice(&in))) != 0 && used != FUZZ_OVER) {
			must(used <= in.len);
			buf_consume(&in, used);
		}
	}
	buf_fini(&in);
}
