#include "instance/instance.h"

const struct conf_def instance_settings[] = {
	{ "data_dir", CONF_PATH, .flags = CONF_REQUIRED | CONF_RESTART,
	  .help = "Where the mail lies: log and index. Made when it is not there; it belongs to "
	          "one store, and never to two at a time." },
	{ "server", CONF_STRING, .flags = CONF_RESTART,
	  .help = "This store's name in the cluster, as front ends and the master know it. "
	          "Default: the instance's name." },
	{ "new_user_folders", CONF_LIST,
	  "Drafts=\\Drafts Sent=\\Sent Junk=\\Junk Trash=\\Trash Archive=\\Archive",
	  .help = "Folders made with an INBOX, when a user logs in for the first time or his first "
	          "mail comes, each with the special use behind the = (RFC 6154), or without one. "
	          "Names as clients show them, with / between levels, which are made too; he is "
	          "subscribed to them." },
	{ "default_subscriptions", CONF_STRING,
	  .help = "What a new user is subscribed to besides, separated by commas: names as clients "
	          "show them, such as Shared Folders/lists/announce." },
	{ "default_quota", CONF_BYTES, "0", 0, QUOTA_BYTES_MOST,
	  .help = "How much mail a user may have who was given no quota of his own; 0: any "
	          "amount." },
	{ "default_quota_messages", CONF_INT, "0",
	  .help = "The same for the number of messages; 0: any number." },
	{ "quota_grace", CONF_PERCENT, "0", 0, 100,
	  .help = "While there is room at all, a delivery may go so much beyond the quota, so that "
	          "a full mailbox is not a matter of the size of the last message." },
	{ "segment_bytes", CONF_BYTES, "256M", 1ull << 20, 4ull << 30, .flags = CONF_RESTART,
	  .help = "Size of the log's files." },
	{ "free_floor", CONF_BYTES, "0", 0, 0, .flags = CONF_RESTART,
	  .help = "With less free disk than this, deliveries are put off; 0: two log files and "
	          "64 MiB." },
	{ "compact", CONF_BOOL, "yes",
	  .help = "Does the store give back the disk of what was deleted? What is still needed of "
	          "a log file that is mostly dead is written anew, and the file goes. Without it "
	          "only roostctl store compact does that." },
	{ "compact_dead", CONF_PERCENT, "40", 5, 95,
	  .help = "How much of a log file must be dead before it is worth that. With less "
	          "than twice free_floor free, any file that has a fifth to give is." },
	{ "compact_rate", CONF_BYTES, "16M",
	  .help = "How many bytes a second are read and written for it, so that deliveries are not "
	          "disturbed; 0: as fast as it goes, as on a full disk." },
	{ "cache_bytes", CONF_BYTES, "256M", 1ull << 20, 0, .flags = CONF_RESTART,
	  .help = "Message lists of mailboxes that nobody has open are kept in memory up to "
	          "this." },
	{ "duplicate_window", CONF_DURATION, "7d", 60000, 31ull * 86400000, .flags = CONF_RESTART,
	  .help = "A message that is offered again within this time is acknowledged without a "
	          "second copy." },
	{ .name = NULL },
};

struct metric store_metrics[STORE_M_COUNT] = {
	[STORE_M_QUOTA_FULL] = METRIC_GAUGE("roost_store_quota_full", NULL,
	                                    "Users and shared trees whose quota is used up."),
	[STORE_M_MAILBOXES] = METRIC_GAUGE("roost_store_mailboxes", NULL, "Mailboxes it has."),
	[STORE_M_HOT] =
		METRIC_GAUGE("roost_store_hot_mailboxes", NULL, "Mailboxes held in memory."),
	[STORE_M_HOT_BYTES] =
		METRIC_GAUGE("roost_store_hot_bytes", NULL, "Memory of mailboxes held in it."),
	[STORE_M_BATCHES] =
		METRIC_GAUGE("roost_store_log_batches", NULL, "Batches written and synced."),
	[STORE_M_TRANSACTIONS] =
		METRIC_GAUGE("roost_store_log_transactions", NULL, "Transactions written."),
	[STORE_M_BYTES] =
		METRIC_GAUGE("roost_store_log_written_bytes", NULL, "Bytes written to the log."),
	[STORE_M_QUEUED] = METRIC_GAUGE("roost_store_log_queued_bytes", NULL,
	                                "Bytes that wait to be written."),
	[STORE_M_UNINDEXED] = METRIC_GAUGE("roost_store_unindexed_records", NULL,
	                                   "Records that are in the log and not in the index yet."),
	[STORE_M_FREE] = METRIC_GAUGE("roost_store_free_bytes", NULL, "Free disk."),
	[STORE_M_SEGMENTS] = METRIC_GAUGE("roost_store_segments", NULL, "Files of the log."),
	[STORE_M_LIVE] = METRIC_GAUGE("roost_store_live_bytes", NULL,
	                              "Bytes of full log files that are needed: bodies and "
	                              "snapshots."),
	[STORE_M_DEAD] = METRIC_GAUGE("roost_store_dead_bytes", NULL,
	                              "Bytes of full log files that compaction can give back: "
	                              "bodies of deleted messages, and records that a snapshot "
	                              "can stand for."),
	[STORE_M_COPIED] = METRIC_GAUGE("roost_store_compact_copied_bytes", NULL,
	                                "Bodies that compaction has written anew."),
	[STORE_M_DROPPED] = METRIC_GAUGE("roost_store_compact_dropped_segments", NULL,
	                                 "Log files that compaction has dropped."),
	[STORE_M_DROPPED_BYTES] = METRIC_GAUGE("roost_store_compact_dropped_bytes", NULL,
	                                       "Bytes of the log files it has dropped."),
	[STORE_M_KEPT] = METRIC_GAUGE("roost_store_compact_damaged_segments", NULL,
	                              "Log files that stay, since compaction found them "
	                              "damaged."),
	[STORE_M_DAMAGED] = METRIC_GAUGE("roost_store_damaged", NULL,
	                                 "Places found damaged when the store was opened."),
	[STORE_M_FULL] =
		METRIC_GAUGE("roost_store_full", NULL, "1: the disk is full, no mail is taken."),
	[STORE_M_FAILED] = METRIC_GAUGE("roost_store_failed", NULL,
	                                "1: the log cannot be written, until a restart."),
};
