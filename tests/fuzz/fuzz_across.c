/* What a front end reads of a store when it copies messages to another one, and the arguments
 * of LIST. */
#include "fuzz/fuzz.h"
#include "imap/across_read.h"
#include "imap/list_args.h"

#include "base/must.h"

struct across {
	struct across_read read;
	uint64_t left; /* of a body that has begun */
};

static size_t
feed(void *ctx, struct slice in)
{
	struct across *a = ctx;
	struct across_event ev;
	size_t all = 0, used;

	while (all < in.n) {
		int r = across_read_body(&a->read, slice_skip(in, all), &used, &ev);

		all += used;
		if (r == -1)
			return FUZZ_OVER;
		must(used > 0 || r == 1);
		if (r == 0)
			continue;
		if (ev.type == ACROSS_BODY) {
			must(a->left == 0 && ev.uid != 0);
			a->left = ev.size;
		} else if (ev.type == ACROSS_BYTES) {
			must(ev.bytes.n <= a->left);
			a->left -= ev.bytes.n;
		}
	}
	return all;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new("fuzz");
	struct slice text = slice_make(data, size);
	struct buf again = BUF_INIT(SIZE_MAX);
	struct across a = { .left = 0 };
	struct list_args list, second;
	struct across_msg msg;

	(void)across_read_msg(text, arena, &msg);
	across_read_init(&a.read);
	fuzz_feed(data, size, feed, &a);
	across_read_fini(&a.read);
	if (list_args_read(&list, arena, text)) {
		(void)list_args_are_wide(&list);
		(void)list_args_match(&list, SLICE("Shared Folders/x"));
		/* what is sent on is what was understood */
		buf_add_char(&again, ' ');
		list_args_write(&list, &again);
		must(list_args_read(&second, arena, buf_slice(&again)));
		must(second.options == list.options && second.text_count == list.text_count &&
		     slice_eq(second.reference, list.reference) &&
		     slice_eq(second.status, list.status));
	}
	buf_fini(&again);
	arena_free(&arena);
	return 0;
}
