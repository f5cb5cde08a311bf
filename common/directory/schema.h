/*
 * schema - the tables of the directory. Within common/directory only.
 *
 *	domains		name, created, alias_of ("": a domain of its own), services
 *	accounts	domain, local, password, status, home, created, services, keep_copy
 *	aliases		domain, local ("": all of the domain that nobody else has), target
 *	forwards	domain, local (an account), target
 *	user_groups	domain, name, created
 *	group_members	domain, name, member_domain, member_local
 *	senders		domain, local ("": all of the domain), user_domain, user_local: who may
 *			send as whom, besides what is his own
 *
 * Names are in lower case and always have a domain. services is "" for all, or words with
 * spaces between. keep_copy is for accounts with forwards: 1 for a copy in the mailbox too.
 */
#ifndef DIRECTORY_SCHEMA_H
#define DIRECTORY_SCHEMA_H

#include "sql/sql.h"

/* The first version with more than accounts and aliases. */
#define SCHEMA_FORWARDS 2

extern const struct sql_schema directory_schema;

#endif
