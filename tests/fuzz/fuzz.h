/*
 * fuzz - what the fuzz targets share. A target is one file fuzz_NAME.c with
 * LLVMFuzzerTestOneInput(); crashes, sanitizer reports and failed must()s are what is looked
 * for. Seeds lie in tests/fuzz/corpus/NAME.
 */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Consumes some of in, returns how much; FUZZ_OVER: wants no more at all. */
#define FUZZ_OVER SIZE_MAX
typedef size_t fuzz_feed_fn(void *ctx, struct slice in);
/* The first byte says how the rest is cut; what is not consumed comes again with more behind
 * it, as a link does it. */
void fuzz_feed(const uint8_t *data, size_t size, fuzz_feed_fn *fn, void *ctx);

#endif
