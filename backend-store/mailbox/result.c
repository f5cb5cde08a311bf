/* result - see result.h. */
#include "mailbox/result.h"

#include "base/must.h"

const char *
mbox_result_name(enum mbox_result r)
{
	static const char *const names[] = {
		[MBOX_OK] = "ok",           [MBOX_ABSENT] = "absent",
		[MBOX_EXISTS] = "exists",   [MBOX_INVALID] = "invalid",
		[MBOX_CANNOT] = "cannot",   [MBOX_TOOBIG] = "too_big",
		[MBOX_FULL] = "full",       [MBOX_OVERQUOTA] = "over_quota",
		[MBOX_BUSY] = "busy",       [MBOX_UNAVAILABLE] = "unavailable",
		[MBOX_CORRUPT] = "corrupt",
	};

	return names[r];
}
