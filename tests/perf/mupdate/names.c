#include "perf/mupdate/names.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A prime larger than any total, so that number * STEP mod total meets each once, unless
 * total is a multiple of it. */
#define STEP 2147483647ULL

void
names_row_at(struct names_row *row_r, const char *server, uint64_t at)
{
	uint64_t mine = at - at / NAMES_SHARED_EACH; /* users' ones before it */

	if (at % NAMES_SHARED_EACH == NAMES_SHARED_EACH - 1) {
		uint64_t shared = at / NAMES_SHARED_EACH;

		snprintf(row_r->name, sizeof(row_r->name), "lists.g%06" PRIu64 ".t%06" PRIu64,
		         shared / NAMES_IN_GROUP, shared);
		snprintf(row_r->owner, sizeof(row_r->owner), "anyone");
		row_r->rights = "lrs";
	} else {
		uint64_t user = mine / NAMES_FOLDERS, folder = mine % NAMES_FOLDERS;

		snprintf(row_r->owner, sizeof(row_r->owner), "u%07" PRIu64, user);
		if (folder == 0)
			snprintf(row_r->name, sizeof(row_r->name), "user.%s", row_r->owner);
		else
			snprintf(row_r->name, sizeof(row_r->name), "user.%s.folder%02" PRIu64,
			         row_r->owner, folder);
		row_r->rights = "lrswipkxtecdan";
	}
	snprintf(row_r->place, sizeof(row_r->place), "%s!default", server);
	snprintf(row_r->acl, sizeof(row_r->acl), "%s\t%s\t", row_r->owner, row_r->rights);
}

void
names_row(struct names_row *row_r, const char *server, uint64_t number, uint64_t total)
{
	names_row_at(row_r, server, number * STEP % total);
}
