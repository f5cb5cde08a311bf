/*
 * The message is the whole mechanism.
 */
#include "sasl/sasl_plain.h"

bool
sasl_plain_message(struct buf *out, const char *authzid, const char *authcid, const char *secret)
{
	if (*authcid == '\0' || *secret == '\0')
		return false;
	buf_add_str(out, authzid);
	buf_add_char(out, '\0');
	buf_add_str(out, authcid);
	buf_add_char(out, '\0');
	buf_add_str(out, secret);
	return !out->overflow;
}
