/*
 * sasl_line - how long a SASL message may be, the same in every protocol.
 *
 * A Kerberos ticket has a few hundred bytes, one of Active Directory for a user of many groups
 * 12 KB and more. Cyrus servers and clients have this limit too.
 */
#ifndef PROTO_SASL_LINE_H
#define PROTO_SASL_LINE_H

#define SASL_MESSAGE_MAX 16384 /* decoded */
/* Its base64 (21,848 bytes) behind a tag, a command and a mechanism, with CRLF. RFC 4954 section 4
 * asks for 12,288 at least. */
#define SASL_LINE_MAX 22018

#endif
