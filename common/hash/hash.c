/* hash - see hash.h. */
#include "hash/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/must.h"

uint64_t
hash_of(struct slice s)
{
	return XXH3_64bits(s.p, s.n);
}

uint64_t
hash_of_pieces(const struct slice *pieces, size_t count)
{
	XXH3_state_t *state;
	uint64_t sum;

	if (count == 1)
		return hash_of(pieces[0]);
	state = XXH3_createState();
	must(state != NULL && XXH3_64bits_reset(state) == XXH_OK);
	for (size_t i = 0; i < count; i++)
		must(XXH3_64bits_update(state, pieces[i].p, pieces[i].n) == XXH_OK);
	sum = XXH3_64bits_digest(state);
	XXH3_freeState(state);
	return sum;
}
