/*
 * life - what happens to a store before its log is damaged, and a picture of what can be read.
 */
#ifndef CRASH_DAMAGE_LIFE_H
#define CRASH_DAMAGE_LIFE_H

#include <stdbool.h>

#include "base/map.h"
#include "disk/disk.h"
#include "unit/backend-store/mailbox/world.h"

#define LIFE_IDS 400 /* bodies have ids below; 0: fillers */

struct life {
	struct world w;
	struct disk *disk; /* as it was before the damage */
	int next_id;
};

/* Without a word in the log: each damaged place would be told. */
void life_begin(struct life *l);
/* Users, mailboxes, messages. */
void life_first_part(struct life *l);
/* Names that are given away and given again; what is moved, copied, expunged. */
void life_second_part(struct life *l);
/* Some files of the log of what is expunged. */
void life_fill(struct life *l);
/* Begins, and has all three; the first part is in snapshots then, its facts have gone with their
 * files. */
void life_compacted(struct life *l);
/* What is behind the last thing that happened shows that it was synced. */
void life_end(struct life *l);
void life_free(struct life *l);

struct picture {
	struct map *boxes;  /* name -> char *: its messages as a text */
	bool ids[LIFE_IDS]; /* of messages that can be read somewhere */
	unsigned unreadable;
};

void picture_take(struct picture *p, struct world *w);
void picture_fini(struct picture *p);
/* Mailboxes of a that are not in b, or not as they are there. */
unsigned picture_differing(const struct picture *a, const struct picture *b);
unsigned picture_missing_ids(const struct picture *was, const struct picture *is);

#endif
