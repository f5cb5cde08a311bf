/*
 * mapdb_impl - what the files of mapdb share. Not for others.
 *
 *   mapdb.c          meta, transactions, reading by name
 *   mapdb_open.c     opening, older formats, and what a replica does with damage
 *   mapdb_check.c    looking for damage, piece by piece
 *   mapdb_write.c    one change: the row and its indexes
 *   mapdb_log.c      the log of changes
 *   mapdb_terms.c    where each mastership began
 *   mapdb_intern.c   numbers of servers and of ACL identifiers
 *   mapdb_servers.c  names by server
 *   mapdb_collect.c  a whole list from the master, aside
 */
#ifndef MAPDB_IMPL_H
#define MAPDB_IMPL_H

#include "kv/kv.h"
#include "mapdb.h"

/* A server of the table intern, kept at hand: each row that is read needs its text. */
#define MAPDB_SERVERS_KEPT 64
struct mapdb_server {
	uint32_t id; /* 0: the slot is free */
	size_t len;
	char text[LOCATION_SERVER_MAX];
};

/* Mailboxes come by their users: most have the ACL identifiers of the one before. */
#define MAPDB_ACL_IDS_KEPT 64
struct mapdb_acl_id {
	uint32_t id; /* 0: the slot is free */
	size_t len;
	char text[LOCATION_ACL_IDENTIFIER_MAX];
};

struct mapdb {
	char *dir, *cluster;
	struct mapdb_config conf; /* dir and cluster are ours */
	bool damaged;             /* something in the environment makes no sense */
	int writer_fd;            /* the file "writer" */
	bool is_writer;           /* it is locked by us */
	uint64_t log_rows;
	struct kv_env *env;
	struct kv_txn *txn;     /* the open changes; NULL: none */
	struct mapdb_info info; /* committed */
	struct mapdb_info next; /* what info will be after the commit */
	bool no_log;            /* changes are written without rows in the log */
	struct buf pending;     /* changes in txn that are not in its log yet (mapdb_log.c) */
	struct mapdb_server servers[MAPDB_SERVERS_KEPT]; /* a slot is id % MAPDB_SERVERS_KEPT */
	const struct mapdb_server *last_server; /* most changes in a row are one's; or NULL */
	struct mapdb_acl_id acl_ids[MAPDB_ACL_IDS_KEPT]; /* a slot is the text's hash */
	struct kv_env *collect;                          /* NULL: nothing is being collected */
	struct kv_txn *collect_txn;
	uint64_t collect_rows;  /* in collect_txn */
	struct err collect_why; /* there is no collect_txn any more */
	unsigned check_table;   /* mapdb_check_some() goes on here, */
	uint8_t check_key[KV_KEY_MAX];
	size_t check_key_n; /* from this key */
};

/* What changes something works in the open write transaction. */

/* ---- mapdb.c: meta, and what rows say ---- */

void mapdb_put_u64(struct mapdb *m, const char *key, uint64_t v);
void mapdb_put_u32(struct mapdb *m, const char *key, uint32_t v);
void mapdb_put_history(struct mapdb *m, const uint8_t history[LOCATION_HISTORY_LEN]);
void mapdb_put_new_history(struct mapdb *m);
/* Those who know the list know its terms, and refuse lower ones. As terms are not below the
 * clock, no master that began earlier has had this one, not even from another copy. */
void mapdb_next_term(struct mapdb *m);
void mapdb_load_info(struct kv_txn *txn, struct mapdb_info *info_r);
/* row with its server's name. False: the database is damaged. */
bool mapdb_row_location(struct mapdb *m, struct kv_txn *txn, struct slice name, struct slice value,
                        struct location *loc_r) MUST_CHECK;
/* Ends a read transaction. -1: it failed, or (ok: false) what was read makes no sense. */
int mapdb_read_end(struct mapdb *m, struct kv_txn *txn, bool ok) MUST_CHECK;

/* ---- mapdb_write.c ---- */

/* mapdb_set() over a row that was looked up: old (borrowed from m->txn), or NULL when there is
 * none. */
uint64_t mapdb_set_over(struct mapdb *m, const struct location *loc, const struct slice *old);
/* Makes the index by server anew. False: a row makes no sense. */
bool mapdb_index_servers(struct mapdb *m) MUST_CHECK;
/* Names that were left go from where format 2 had them into their rows. */
void mapdb_convert_left(struct mapdb *m);

/* ---- mapdb_intern.c ---- */

/* The number of a server or an ACL identifier, given to it when it has none. */
uint32_t mapdb_server_id(struct mapdb *m, struct slice text);
uint32_t mapdb_acl_id(struct mapdb *m, struct slice text);
/* The text of a server, borrowed from txn or m. False: no such server. */
bool mapdb_server_text(struct mapdb *m, struct kv_txn *txn, uint32_t id,
                       struct slice *text_r) MUST_CHECK;
/* What was interned has not been committed, or the environment is another. */
void mapdb_intern_forget(struct mapdb *m);

/* ---- mapdb_log.c ---- */

void mapdb_log_add(struct mapdb *m, enum location_log_kind kind, struct slice name,
                   uint64_t revision);
/* What was added. may_stay: few of them wait in the row of the latest ones. */
void mapdb_log_write(struct mapdb *m, bool may_stay);
void mapdb_log_clear(struct mapdb *m);

/* ---- mapdb_terms.c ---- */

/* begun: the list's revision when this term began. */
void mapdb_terms_add(struct mapdb *m, uint64_t term, uint64_t begun);
uint64_t mapdb_terms_last(struct mapdb *m); /* 0: none */
void mapdb_terms_clear(struct mapdb *m);

#endif
