/*
 * The migrations, from the first version on. They run on every kind of database; what was
 * released is never changed.
 */
#include "directory/schema.h"

static const char *const migrations[] = {
	"CREATE TABLE domains (name {name} PRIMARY KEY NOT NULL, created BIGINT NOT NULL);"
	"CREATE TABLE accounts (domain {name} NOT NULL REFERENCES domains (name),"
	" local {name} NOT NULL, password {name} NOT NULL, status BIGINT NOT NULL,"
	" home {name} NOT NULL, created BIGINT NOT NULL, PRIMARY KEY (domain, local));"
	"CREATE TABLE aliases (domain {name} NOT NULL REFERENCES domains (name),"
	" local {name} NOT NULL, target {name} NOT NULL, PRIMARY KEY (domain, local, target));",

	"ALTER TABLE domains ADD COLUMN alias_of {name} NOT NULL DEFAULT '';"
	"ALTER TABLE domains ADD COLUMN services {name} NOT NULL DEFAULT '';"
	"ALTER TABLE accounts ADD COLUMN services {name} NOT NULL DEFAULT '';"
	"ALTER TABLE accounts ADD COLUMN keep_copy BIGINT NOT NULL DEFAULT 1;"
	"CREATE TABLE forwards (domain {name} NOT NULL, local {name} NOT NULL,"
	" target {name} NOT NULL, PRIMARY KEY (domain, local, target),"
	" FOREIGN KEY (domain, local) REFERENCES accounts (domain, local));"
	"CREATE TABLE user_groups (domain {name} NOT NULL REFERENCES domains (name),"
	" name {name} NOT NULL, created BIGINT NOT NULL, PRIMARY KEY (domain, name));"
	"CREATE TABLE group_members (domain {name} NOT NULL, name {name} NOT NULL,"
	" member_domain {name} NOT NULL, member_local {name} NOT NULL,"
	" PRIMARY KEY (domain, name, member_domain, member_local),"
	" FOREIGN KEY (domain, name) REFERENCES user_groups (domain, name),"
	" FOREIGN KEY (member_domain, member_local) REFERENCES accounts (domain, local));"
	"CREATE INDEX group_members_of ON group_members (member_domain, member_local);"
	"CREATE TABLE senders (domain {name} NOT NULL, local {name} NOT NULL,"
	" user_domain {name} NOT NULL, user_local {name} NOT NULL,"
	" PRIMARY KEY (domain, local, user_domain, user_local),"
	" FOREIGN KEY (user_domain, user_local) REFERENCES accounts (domain, local));"
	"CREATE INDEX senders_of ON senders (user_domain, user_local);",
};

const struct sql_schema directory_schema = { migrations, ARRAY_LEN(migrations) };
