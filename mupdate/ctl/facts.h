/*
 * facts - what everybody who can be asked says of one mailbox: master, replicas and front
 * ends (lists), and stores.
 */
#ifndef CTL_FACTS_H
#define CTL_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "ctl/run.h"

enum list_role { LIST_MASTER, LIST_REPLICA, LIST_FRONT };
enum list_says { LIST_SILENT, LIST_FOUND, LIST_RESERVED, LIST_NONE, LIST_BLIND };

struct fact_list {
	const struct program *program; /* NULL in tests */
	enum list_role role;
	enum list_says says;
	char why[512];    /* LIST_SILENT */
	char server[129]; /* FOUND, RESERVED */
	char partition[129];
	int64_t revision, claim, age_ms;
	bool complete;
};

enum store_has { STORE_SILENT, STORE_ACTIVE, STORE_RESERVED, STORE_NONE, STORE_CONFLICT };

struct fact_store {
	const struct program *program;
	char server[129];
	enum store_has has;
	char why[512]; /* STORE_SILENT */
	int64_t messages, uidvalidity, claim;
	bool clustered, connected; /* to the master */
};

struct facts {
	struct fact_list *lists; /* the master first */
	unsigned list_count;
	struct fact_store *stores;
	unsigned store_count;
};

struct facts *facts_gather(struct run *r, const char *mailbox);
void facts_free(struct facts **f);
void facts_print_json(const struct facts *f, struct json *to);

/* The answer of the master; NULL when there is none here. */
const struct fact_list *facts_master(const struct facts *f);
/* The store of this name; NULL when it is not known here. */
const struct fact_store *facts_store(const struct facts *f, const char *server);
/* The first store that has it, from *pos on. */
const struct fact_store *facts_next_having(const struct facts *f, unsigned *pos);
/* Does somebody who knows say that it is nowhere? Only then it can be taken for gone. */
bool facts_is_nowhere(const struct facts *f);
/* Where it is, by the stores and else by the lists; NULL: nobody says. */
const char *facts_server(const struct facts *f);

const char *list_says_word(enum list_says s); /* "found" */
const char *store_has_word(enum store_has h);

#endif
