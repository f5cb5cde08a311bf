/* Arguments of IMAP commands: FETCH, SEARCH, and everything the cursor can read. */
#include "fuzz/fuzz.h"
#include "proto/imap_args.h"
#include "proto/imap_fetch.h"
#include "proto/imap_search.h"
#include "proto/imap_sort.h"
#include "proto/imap_set.h"

static void
resolve(const struct imap_search_node *n)
{
	for (const struct imap_search_node *c = n->child; c != NULL; c = c->next)
		resolve(c);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new("fuzz");
	struct slice text = slice_make(data, size), *flags;
	struct imap_search search;
	struct imap_sort sort;
	struct imap_fetch fetch;
	struct imap_args args;
	struct date date;
	struct slice s;
	size_t count;
	bool literal8;

	imap_args_init(&args, a, "FETCH", text);
	if (imap_fetch_read(&args, &fetch)) {
		imap_set_resolve(&fetch.set, 7);
		(void)imap_set_has(&fetch.set, 3);
	}
	imap_args_init(&args, a, "SEARCH", text);
	if (imap_search_read(&args, &search))
		resolve(&search.root);
	imap_args_init(&args, a, "SORT", text);
	if (imap_sort_read(&args, &sort) && imap_search_read_sorted(&args, &search))
		resolve(&search.root);
	imap_args_init(&args, a, "APPEND", text);
	if (imap_args_space(&args) && imap_args_flags(&args, false, &flags, &count))
		(void)imap_args_date_time(&args, "date", &date);
	imap_args_init(&args, a, "X", text);
	while (imap_args_skip(&args, "value") && imap_args_space(&args))
		continue;
	imap_args_init(&args, a, "X", text);
	(void)imap_args_literal(&args, "literal", &s, &literal8);
	arena_free(&a);
	return 0;
}
