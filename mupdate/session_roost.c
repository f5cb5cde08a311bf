/*
 * ROOST, the first command of our own peers: whose cluster they are of, and which masters they have
 * heard of. Who knows more of this list than it has itself shows that it is an old copy, or that
 * there is a newer master (mapdb_terms.c).
 */
#include "session_impl.h"

#include <inttypes.h>

#define TERM_MOST (UINT64_MAX / 2) /* nobody gets there by counting */

enum mapdb_kin
session_roost_kin(struct session *sn, const struct mupdate_cmd *cmd)
{
	enum mapdb_kin kin;

	if (!cmd->is_since || !slice_ieq_str(cmd->history, mapdb_info(sn->conf->db)->history))
		return MAPDB_KIN_UNKNOWN;
	kin = mapdb_compare(sn->conf->db, sn->term, cmd->revision);
	if (kin == MAPDB_KIN_AHEAD && sn->conf->master_url != NULL)
		return MAPDB_KIN_UNKNOWN;
	if (kin == MAPDB_KIN_AHEAD)
		service_start_history(sn->service, sn);
	return kin;
}

/* Only while the list is new: later a higher term is another master's. */
static bool
raise_term(struct session *sn, uint64_t above)
{
	if (sn->conf->master_url != NULL ||
	    mapdb_info(sn->conf->db)->state != LOCATION_MAP_REBUILDING ||
	    !service_begin(sn->service))
		return false;
	log_warning(&sn->log, "map.term raised=%" PRIu64 " reason=\"a peer knows the term before\"",
	            above + 1);
	mapdb_raise_term(sn->conf->db, above);
	return service_commit(sn->service);
}

void
session_roost(struct session *sn, const struct mupdate_cmd *cmd)
{
	const struct mapdb_info *info = mapdb_info(sn->conf->db);

	if (!slice_eq_str(cmd->cluster, sn->conf->cluster)) {
		log_warning(&sn->log,
		            "session.denied cluster=%s ours=%s reason=\"the peer's cluster_id is "
		            "another one\"",
		            log_esc_slice(cmd->cluster), log_esc(sn->conf->cluster));
		mupdate_server_reply(sn->core, cmd->tag, MUPDATE_NO, MUPDATE_CODE_CLUSTER,
		                     "this is another cluster");
		return;
	}
	if (cmd->term > info->term && cmd->term < TERM_MOST && raise_term(sn, cmd->term))
		info = mapdb_info(sn->conf->db);
	if (cmd->term > info->term) {
		log_error(&sn->log,
		          "session.denied reason=\"the peer knows a newer master: are there two? "
		          "stop the one with the lower term\" term=%" PRIu64 " ours=%" PRIu64,
		          cmd->term, info->term);
		mupdate_server_reply(sn->core, cmd->tag, MUPDATE_NO, MUPDATE_CODE_STALE,
		                     "there is a newer master");
		return;
	}
	sn->term = cmd->term;
	if (mapdb_compare(sn->conf->db, sn->term, 0) == MAPDB_KIN_AHEAD)
		service_start_history(sn->service, sn);
	mupdate_server_hello(sn->core, cmd->tag, sn->conf->cluster, info->history, info->revision,
	                     info->term, mapdb_is_complete(sn->conf->db));
	mupdate_server_set_extended(sn->core);
	mupdate_server_reply(sn->core, cmd->tag, MUPDATE_OK, MUPDATE_CODE_NONE, "hello");
}
