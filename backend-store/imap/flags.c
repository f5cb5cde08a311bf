/* Flags as a client writes them, for STORE and APPEND: RFC 3501 section 2.3.2. */
#include "imap/session_impl.h"

static const struct {
	const char *name;
	uint8_t bit;
} system_flags[] = {
	{ "\\Answered", MSG_ANSWERED }, { "\\Flagged", MSG_FLAGGED }, { "\\Deleted", MSG_DELETED },
	{ "\\Seen", MSG_SEEN },         { "\\Draft", MSG_DRAFT },
};

/* -1: none of them. */
static int
find_system(struct slice flag)
{
	for (size_t i = 0; i < ARRAY_LEN(system_flags); i++)
		if (slice_ieq_str(flag, system_flags[i].name))
			return system_flags[i].bit;
	return -1;
}

bool
imap_read_flags(struct imap_args *a, const struct slice *flags, size_t count,
                struct msg_flags *flags_r)
{
	struct slice *keywords = arena_array(a->arena, count + 1, sizeof(*keywords));
	size_t n = 0;

	*flags_r = (struct msg_flags){ .keywords = keywords };
	for (size_t i = 0; i < count; i++) {
		int bit = find_system(flags[i]);

		if (bit != -1)
			flags_r->system |= (uint8_t)bit;
		else if (flags[i].p[0] != '\\')
			keywords[n++] = flags[i];
		else if (!slice_ieq(flags[i], SLICE("\\Recent"))) /* the server's alone */
			return imap_args_fail(a, "Unknown system flag in %s", a->cmd);
	}
	flags_r->keyword_count = n;
	return true;
}

uint8_t
imap_changeable(uint32_t rights)
{
	uint8_t flags = 0;

	if ((rights & ACL_SEEN) != 0)
		flags |= MSG_SEEN;
	if ((rights & ACL_DELETE_MSG) != 0)
		flags |= MSG_DELETED;
	if ((rights & ACL_WRITE) != 0)
		flags |= MSG_SYSTEM & ~(MSG_SEEN | MSG_DELETED);
	return flags;
}

void
imap_limit_flags(struct msg_flags *f, uint32_t rights)
{
	f->system &= imap_changeable(rights);
	if ((rights & ACL_WRITE) == 0)
		f->keyword_count = 0;
}
