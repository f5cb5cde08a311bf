#include "imap/search_scan.h"

#include "base/clock.h"

#include <inttypes.h>

bool
search_scan_init(struct search_scan *sc, struct imap_session *s)
{
	sc->next = 1;
	if (sc->program.modseq)
		imap_enable_condstore(s);
	if (search_match_init(&sc->match, s, &sc->program, (int64_t)clock_wall_s()))
		return true;
	command_done(s, COMMAND_NO, "BADCHARSET (US-ASCII UTF-8)", "The charset is not known");
	return false;
}

void
search_scan_fini(struct search_scan *sc)
{
	search_match_fini(&sc->match);
}

static enum search_answer
look_at(struct search_scan *sc, const struct msg *m)
{
	struct imap_session *s = sc->match.session;
	enum search_answer answer = search_match(&sc->match, sc->next, m);

	if (sc->match.failed != MBOX_OK)
		log_warning(&s->log, "imap.search_unreadable uid=%" PRIu32 " why=%s", m->uid,
		            mbox_result_name(sc->match.failed));
	return answer;
}

enum search_step
search_scan_next(struct search_scan *sc, uint32_t *seq_r, const struct msg **m_r)
{
	struct imap_session *s = sc->match.session;

	for (; sc->next <= view_count(s->view); sc->next++) {
		const struct msg *m;

		if (command_must_yield(s))
			return SEARCH_PAUSE;
		m = view_msg(s->view, sc->next);
		if (m == NULL)
			continue;
		switch (look_at(sc, m)) {
		case SEARCH_LATER:
			return SEARCH_PAUSE;
		case SEARCH_YES:
			*seq_r = sc->next++;
			*m_r = m;
			return SEARCH_FOUND;
		case SEARCH_NO:
			break;
		}
	}
	return SEARCH_END;
}
