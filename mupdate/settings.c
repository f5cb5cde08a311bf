#include "app.h"

enum { MAPDB_LOG_ROWS_MAX = 100000000 };

const struct conf_def app_settings[] = {
	{ "role", CONF_ENUM, .words = "master replica", .flags = CONF_REQUIRED | CONF_RESTART,
	  .help = "master: says which store may use a name; one in a cluster. replica: keeps a "
	          "copy of its list for the front ends of this host." },
	{ "listen", CONF_ADDRESSES, "127.0.0.1:3905", 3905, .flags = CONF_RESTART,
	  .help = "Where it speaks MUPDATE (RFC 3656)." },
	{ "data_dir", CONF_PATH, "/var/lib/roost/mupdate", .flags = CONF_RESTART,
	  .help = "Folder of a master's list. A replica uses location_dir; front ends on the "
	          "host of a master set location_dir to this folder." },
	{ "cluster_id", CONF_STRING, "roost", .flags = CONF_RESTART,
	  .help = "Name of the cluster. Stores and replicas of another one are refused." },
	{ "servers", CONF_LIST,
	  .help = "A master: all stores of the cluster. A new list is not complete, and is told "
	          "to nobody, until each of them has told what it has." },
	{ "activate", CONF_ENUM, "refuse", .words = "refuse takeover", .flags = CONF_RESTART,
	  .help = "When a store activates a name that another one has. refuse: NO, and the "
	          "conflict is listed. takeover: it gets the name, as RFC 3656 says; for "
	          "clusters of Cyrus stores only." },
	{ "plain_order", CONF_ENUM, "cyrus", .words = "cyrus octets", .flags = CONF_RESTART,
	  .help = "The order of the names in lists for peers of other makes. Cyrus compares them "
	          "line by line with its own, and takes what is not where it should be for "
	          "gone. cyrus: as Cyrus 3.6 and later have it. octets: as Cyrus before 3.6 "
	          "has it." },
	{ "read_only", CONF_LIST,
	  .help = "Identities that may only read, such as those of replicas." },
	{ "master", CONF_ADDRESS, NULL, 3905, .flags = CONF_RESTART,
	  .help = "A replica: where the master listens." },
	{ "master_user", CONF_STRING, .flags = CONF_RESTART,
	  .help = "A replica: its identity at the master." },
	{ "master_password", CONF_STRING, .flags = CONF_SECRET | CONF_RESTART,
	  .help = "A replica: its password there." },
	{ "master_tls", CONF_ENUM, "off", .words = "off starttls", .flags = CONF_RESTART,
	  .help = "starttls: the link to the master is encrypted and its certificate verified "
	          "(tls_ca)." },
	{ "master_tls_name", CONF_STRING, .flags = CONF_RESTART,
	  .help = "The name in the master's certificate. Needed with master_tls = starttls." },
	{ "log_changes", CONF_INT, "1000000", 100, MAPDB_LOG_ROWS_MAX, .flags = CONF_RESTART,
	  .help = "So many changes are kept; a replica that missed more takes the whole list." },
	{ "lag_max", CONF_INT, "500000", 100, MAPDB_LOG_ROWS_MAX, .flags = CONF_RESTART,
	  .help = "A subscriber that is so many changes behind is cut; it resumes by itself." },
	{ "session_max", CONF_INT, "1000", 1, 100000, .flags = CONF_RESTART,
	  .help = "Most connections at a time." },
	{ "login_timeout", CONF_DURATION, "60s", 1000, 3600000, .flags = CONF_RESTART,
	  .help = "A connection has to log in within this time." },
	{ "idle_timeout", CONF_DURATION, "30m", 60000, 86400000, .flags = CONF_RESTART,
	  .help = "A connection that asks nothing for so long is closed. Plain RFC 3656 "
	          "subscribers are left alone." },
	{ "stall_timeout", CONF_DURATION, "60s", 1000, 3600000, .flags = CONF_RESTART,
	  .help = "A subscriber that takes nothing for so long is cut." },
	{ "keepalive", CONF_DURATION, "5s", 100, 600000, .flags = CONF_RESTART,
	  .help = "A replica asks the master so often whether it is still in step." },
	{ "answer_timeout", CONF_DURATION, "10s", 100, 600000, .flags = CONF_RESTART,
	  .help = "A replica takes a master that is silent for so long as gone." },
	{ "retry_min", CONF_DURATION, "200ms", 10, 600000, .flags = CONF_RESTART,
	  .help = "A replica connects again after this pause, doubled each time." },
	{ "retry_max", CONF_DURATION, "1s", 10, 3600000, .flags = CONF_RESTART,
	  .help = "The longest such pause." },
	{ .name = NULL },
};
