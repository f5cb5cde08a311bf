#include "proto/smtp_server.h"

#include "lib/test.h"
#include "proto/sasl_line.h"

#include <stdlib.h>
#include <string.h>

#include "smtp_owner.h"

#define HELO "HELO c\r\n"
#define HELO_LOG "250 mx.example\r\n<helo c>\n"
#define LHLO "LHLO c\r\n"
#define OFFER                                                                                      \
	"250-mx.example\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-STARTTLS\r\n"                    \
	"250-AUTH PLAIN LOGIN\r\n250-ENHANCEDSTATUSCODES\r\n250-SMTPUTF8\r\n250-DSN\r\n"           \
	"250-CHUNKING\r\n250-XCLIENT ADDR PORT PROTO HELO LOGIN NAME SESSION\r\n250-XROOST\r\n"    \
	"250 8BITMIME\r\n"
#define LHLO_LOG OFFER "<helo c>\n"
#define TO_RCPT "MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n"
#define TO_RCPT_LOG "<mail a@x>\n250 2.1.0 ok\r\n<rcpt 0 b@x>\n250 2.1.5 ok\r\n"
#define DATA_LOG "<data>\n354 End with a dot on a line by itself.\r\n"
#define KEY "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static const struct server_case {
	const char *name;
	bool lmtp;
	struct slice in;
	const char *log;
	bool ends;
} cases[] = {
	{ "a message", false, SLICE_INIT(HELO TO_RCPT "DATA\r\nhi\r\n..x\r\n.\r\nQUIT\r\n"),
	  HELO_LOG TO_RCPT_LOG DATA_LOG "<body hi\r\n.x\r\n>\n250 2.0.0 done\r\n"
	                                "221 2.0.0 Bye.\r\n<quit>\n",
	  true },
	{ "an empty message, and another", false,
	  SLICE_INIT(HELO TO_RCPT "DATA\r\n.\r\n" TO_RCPT "DATA\r\nreject\r\n.\r\n"),
	  HELO_LOG TO_RCPT_LOG DATA_LOG "<body >\n250 2.0.0 done\r\n" TO_RCPT_LOG DATA_LOG
	                                "<body reject\r\n>\n554 5.7.1 done\r\n",
	  false },
	{ "in LMTP every accepted recipient has its answer, in order", true,
	  SLICE_INIT(LHLO "MAIL FROM:<>\r\nRCPT TO:<b@x>\r\nRCPT TO:<nobody@x>\r\n"
	                  "RCPT TO:<fred>\r\nDATA\r\nhi\r\n.\r\nNOOP\r\n"),
	  LHLO_LOG "<mail >\n250 2.1.0 ok\r\n<rcpt 0 b@x>\n250 2.1.5 ok\r\n"
	           "<rcpt 1 nobody@x>\n550 5.1.1 nobody\r\n<rcpt 2 fred>\n250 2.1.5 ok\r\n"
	           "<data>\n354 End with a dot on a line by itself.\r\n<body hi\r\n>\n"
	           "250 2.0.0 for 0\r\n250 2.0.0 for 2\r\n250 2.0.0 Yes.\r\n",
	  false },
	{ "each protocol has its own greeting command", true,
	  SLICE_INIT("EHLO c\r\nHELO c\r\nMAIL FROM:<a@x>\r\n"),
	  "500 5.5.1 Unknown command.\r\n500 5.5.1 Unknown command.\r\n"
	  "503 5.5.1 Say LHLO first.\r\n",
	  false },
	{ "and SMTP does not know LHLO", false, SLICE_INIT("LHLO c\r\nMAIL FROM:<a@x>\r\n"),
	  "500 5.5.1 Unknown command.\r\n503 5.5.1 Say EHLO first.\r\n", false },
	{ "commands out of order", false,
	  SLICE_INIT(HELO "RCPT TO:<b@x>\r\nDATA\r\nMAIL FROM:<a@x>\r\nMAIL FROM:<a@x>\r\n"
	                  "DATA\r\nAUTH PLAIN\r\nSTARTTLS\r\nXCLIENT ADDR=::1\r\n"),
	  HELO_LOG "503 5.5.1 Say MAIL first.\r\n503 5.5.1 Say MAIL first.\r\n"
	           "<mail a@x>\n250 2.1.0 ok\r\n503 5.5.1 Not inside a transaction.\r\n"
	           "503 5.5.1 No valid recipients.\r\n503 5.5.1 Not inside a transaction.\r\n"
	           "503 5.5.1 Not inside a transaction.\r\n503 5.5.1 Not inside a transaction.\r\n",
	  false },
	{ "DATA when all recipients were refused", false,
	  SLICE_INIT(HELO "MAIL FROM:<a@x>\r\nRCPT TO:<no@x>\r\nDATA\r\nRSET\r\n"),
	  HELO_LOG "<mail a@x>\n250 2.1.0 ok\r\n<rcpt 0 no@x>\n550 5.1.1 nobody\r\n"
	           "554 5.5.1 No valid recipients.\r\n250 2.0.0 Forgotten.\r\n<reset>\n",
	  false },
	{ "a refused sender begins no transaction", false,
	  SLICE_INIT(HELO "MAIL FROM:<temp@x>\r\nRCPT TO:<b@x>\r\nRSET\r\n"),
	  HELO_LOG "<mail temp@x>\n451 4.3.0 later\r\n503 5.5.1 Say MAIL first.\r\n"
	           "250 2.0.0 Forgotten.\r\n",
	  false },
	{ "EHLO ends a transaction", false, SLICE_INIT(HELO TO_RCPT HELO "DATA\r\n"),
	  HELO_LOG TO_RCPT_LOG HELO_LOG "503 5.5.1 Say MAIL first.\r\n", false },
	{ "all parameters of MAIL and RCPT", true,
	  SLICE_INIT(LHLO "mail from: <a@x> SIZE=77 body=8bitmime SMTPUTF8 RET=HDRS ENVID=a+2Bb "
	                  "AUTH=<> XKEY=" KEY " XSESSION=s-1 XADDR=2001:db8::1\r\n"
	                  "rcpt to:<b@x> NOTIFY=SUCCESS,delay ORCPT=rfc822;b+40x XUSER=b+40x "
	                  "XDETAIL=+C3+A4 XCLAIM=18446744073709551615\r\n"),
	  LHLO_LOG "<mail a@x size=77 8bit utf8 hdrs envid=a+b key=00..ff session=s-1 "
	           "addr=2001:db8::1>\n250 2.1.0 ok\r\n"
	           "<rcpt 0 b@x notify=10 orcpt=rfc822;b@x user=b@x detail=\xc3\xa4 "
	           "claim=18446744073709551615>\n250 2.1.5 ok\r\n",
	  false },
	{ "bad paths", false,
	  SLICE_INIT(HELO "MAIL FROM:a@x\r\nMAIL\r\nMAIL FROM\r\nMAIL FROM:\r\nMAIL TO:<a@x>\r\n"
	                  "MAIL FROM:<a@x\r\nMAIL FROM:<\"\"@x>\r\nMAIL FROM:<fred>\r\n"
	                  "MAIL FROM:<\xc3\xa4@x>\r\nMAIL FROM:<a@x>SIZE=3\r\n"),
	  HELO_LOG "501 5.1.7 Bad sender: the address is malformed.\r\n"
	           "501 5.5.4 Say MAIL FROM:<address>.\r\n501 5.5.4 Say MAIL FROM:<address>.\r\n"
	           "501 5.1.7 Bad sender: the address is malformed.\r\n"
	           "501 5.5.4 Say MAIL FROM:<address>.\r\n"
	           "501 5.1.7 Bad sender: the address is malformed.\r\n"
	           "501 5.1.7 Bad sender: the part before the @ is empty.\r\n"
	           "501 5.1.7 Bad sender: the address has no domain.\r\n"
	           "553 5.6.7 The address needs SMTPUTF8.\r\n"
	           "501 5.5.4 Malformed parameter.\r\n",
	  false },
	{ "bad recipients", false,
	  SLICE_INIT(HELO "MAIL FROM:<a@x>\r\nRCPT TO:<>\r\nRCPT TO:<\"\"@x>\r\nRCPT\r\n"
	                  "RCPT TO:b@x\r\nRCPT TO:<bob>\r\nRCPT TO:<PostMaster>\r\n"
	                  "RCPT TO:<@r:b@x>\r\nRCPT TO:<\xc3\xa4@x>\r\n"
	                  "RCPT TO:<aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff"
	                  "12345@x>\r\n"),
	  HELO_LOG "<mail a@x>\n250 2.1.0 ok\r\n501 5.1.3 Bad recipient: the address is empty.\r\n"
	           "501 5.1.3 Bad recipient: the part before the @ is empty.\r\n"
	           "501 5.5.4 Say RCPT TO:<address>.\r\n"
	           "501 5.1.3 Bad recipient: the address is malformed.\r\n"
	           "501 5.1.3 Bad recipient: the address has no domain.\r\n"
	           "<rcpt 0 PostMaster>\n250 2.1.5 ok\r\n<rcpt 1 b@x>\n250 2.1.5 ok\r\n"
	           "553 5.6.7 The address needs SMTPUTF8.\r\n"
	           "501 5.1.3 Bad recipient: the part before the @ is longer than 64 octets.\r\n",
	  false },
	{ "bad parameters", false,
	  SLICE_INIT(HELO "MAIL FROM:<a@x> FOO=1\r\nMAIL FROM:<a@x> SIZE=x\r\n"
	                  "MAIL FROM:<a@x> SIZE=1 SIZE=1\r\nMAIL FROM:<a@x> BODY=BINARYMIME\r\n"
	                  "MAIL FROM:<a@x> RET=X\r\nMAIL FROM:<a@x> ENVID=\r\n"
	                  "MAIL FROM:<a@x> ENVID=+0A\r\nMAIL FROM:<a@x> XKEY=00\r\n"
	                  "MAIL FROM:<a@x> XSESSION=a,b\r\nMAIL FROM:<a@x> XADDR=me\r\n"
	                  "MAIL FROM:<a@x> =1\r\nMAIL FROM:<a@x> SMTPUTF8=1\r\n"),
	  HELO_LOG "555 5.5.4 Unknown parameter.\r\n501 5.5.4 Bad value of a parameter.\r\n"
	           "501 5.5.4 A parameter is given twice.\r\n"
	           "501 5.5.4 Bad value of a parameter.\r\n501 5.5.4 Bad value of a parameter.\r\n"
	           "501 5.5.4 Bad value of a parameter.\r\n501 5.5.4 Bad value of a parameter.\r\n"
	           "501 5.5.4 Bad value of a parameter.\r\n501 5.5.4 Bad value of a parameter.\r\n"
	           "501 5.5.4 Bad value of a parameter.\r\n501 5.5.4 Malformed parameter.\r\n"
	           "501 5.5.4 Bad value of a parameter.\r\n",
	  false },
	{ "bad parameters of RCPT", false,
	  SLICE_INIT(HELO "MAIL FROM:<a@x>\r\nRCPT TO:<b@x> NOTIFY=NEVER,DELAY\r\n"
	                  "RCPT TO:<b@x> NOTIFY=\r\nRCPT TO:<b@x> NOTIFY=X\r\n"
	                  "RCPT TO:<b@x> ORCPT=b\r\nRCPT TO:<b@x> ORCPT=;b\r\n"
	                  "RCPT TO:<b@x> XUSER=\r\nRCPT TO:<b@x> XUSER=a+0\r\n"
	                  "RCPT TO:<b@x> XUSER=a+00\r\nRCPT TO:<b@x> XCLAIM=-1\r\n"
	                  "RCPT TO:<b@x> SIZE=1\r\nRCPT TO:<b@x> XDETAIL=+FF\r\n"),
	  HELO_LOG "<mail a@x>\n250 2.1.0 ok\r\n501 5.5.4 Bad value of a parameter.\r\n"
	           "501 5.5.4 Bad value of a parameter.\r\n501 5.5.4 Bad value of a parameter.\r\n"
	           "501 5.5.4 Bad value of a parameter.\r\n501 5.5.4 Bad value of a parameter.\r\n"
	           "501 5.5.4 Bad value of a parameter.\r\n501 5.5.4 Bad value of a parameter.\r\n"
	           "501 5.5.4 Bad value of a parameter.\r\n501 5.5.4 Bad value of a parameter.\r\n"
	           "555 5.5.4 Unknown parameter.\r\n501 5.5.4 Bad value of a parameter.\r\n",
	  false },
	{ "a message that says it is too big", false,
	  SLICE_INIT(HELO "MAIL FROM:<a@x> SIZE=1001\r\nMAIL FROM:<a@x> SIZE=1000\r\n"),
	  HELO_LOG "552 5.3.4 The message is too big.\r\n<mail a@x size=1000>\n250 2.1.0 ok\r\n",
	  false },
	{ "UTF-8 where it was asked for", false,
	  SLICE_INIT(HELO "MAIL FROM:<\xc3\xa4@x> SMTPUTF8\r\nRCPT TO:<\xc3\xb6@x>\r\n"),
	  HELO_LOG "<mail \xc3\xa4@x utf8>\n250 2.1.0 ok\r\n<rcpt 0 \xc3\xb6@x>\n250 2.1.5 ok\r\n",
	  false },
	{ "a bare LF in the body is refused at its true end", false,
	  SLICE_INIT(HELO TO_RCPT "DATA\r\nhi\n.\r\nMAIL FROM:<evil@x>\r\nx\r\n.\r\nNOOP\r\n"),
	  HELO_LOG TO_RCPT_LOG DATA_LOG "550 5.6.11 The message has a bare CR or LF.\r\n<reset>\n"
	                                "250 2.0.0 Yes.\r\n",
	  false },
	{ "a bare CR too, and CR dot CR", false,
	  SLICE_INIT(HELO TO_RCPT "DATA\r\nhi\r.\rMAIL FROM:<evil@x>\r\r\n.\r\nNOOP\r\n"),
	  HELO_LOG TO_RCPT_LOG DATA_LOG "550 5.6.11 The message has a bare CR or LF.\r\n<reset>\n"
	                                "250 2.0.0 Yes.\r\n",
	  false },
	{ "a NUL in the body", true, SLICE_INIT(LHLO TO_RCPT "DATA\r\na\0b\r\n.\r\nNOOP\r\n"),
	  LHLO_LOG TO_RCPT_LOG DATA_LOG "554 5.6.0 The message has a NUL.\r\n<reset>\n"
	                                "250 2.0.0 Yes.\r\n",
	  false },
	{ "the caller stops a body, each recipient hears of it", true,
	  SLICE_INIT(LHLO TO_RCPT "RCPT TO:<no@x>\r\nRCPT TO:<c@x>\r\nDATA\r\nx stop\r\nand\r\n"
	                          ".\r\nNOOP\r\n"),
	  LHLO_LOG TO_RCPT_LOG "<rcpt 1 no@x>\n550 5.1.1 nobody\r\n<rcpt 2 c@x>\n250 2.1.5 ok\r\n"
	                       "<data>\n354 End with a dot on a line by itself.\r\n"
	                       "452 4.3.1 full\r\n452 4.3.1 full\r\n<reset>\n250 2.0.0 Yes.\r\n",
	  false },
	{ "chunks", true,
	  SLICE_INIT(LHLO TO_RCPT "BDAT 4\r\n.\r\nabdat 2\r\nb\rBDAT 1 last\r\n\nNOOP\r\n"),
	  LHLO_LOG TO_RCPT_LOG "<data>\n250 2.0.0 4 octets received.\r\n"
	                       "250 2.0.0 2 octets received.\r\n<body .\r\nab\r\n>\n"
	                       "250 2.0.0 for 0\r\n250 2.0.0 Yes.\r\n",
	  false },
	{ "an empty last chunk, and only that", false,
	  SLICE_INIT(HELO TO_RCPT "BDAT 3\r\na\r\nBDAT 0 LAST\r\n" TO_RCPT "BDAT 0 LAST\r\n"),
	  HELO_LOG TO_RCPT_LOG "<data>\n250 2.0.0 3 octets received.\r\n<body a\r\n>\n"
	                       "250 2.0.0 done\r\n" TO_RCPT_LOG "<data>\n<body >\n"
	                       "250 2.0.0 done\r\n",
	  false },
	{ "between chunks only BDAT, RSET and what is harmless", false,
	  SLICE_INIT(HELO TO_RCPT "BDAT 0\r\nDATA\r\nRCPT TO:<c@x>\r\nMAIL FROM:<a@x>\r\n"
	                          "NOOP\r\nRSET\r\nBDAT 3 LAST\r\nRSENOOP\r\n"),
	  HELO_LOG TO_RCPT_LOG "<data>\n250 2.0.0 0 octets received.\r\n"
	                       "503 5.5.1 Say BDAT or RSET.\r\n503 5.5.1 Say BDAT or RSET.\r\n"
	                       "503 5.5.1 Say BDAT or RSET.\r\n250 2.0.0 Yes.\r\n"
	                       "250 2.0.0 Forgotten.\r\n<reset>\n"
	                       "503 5.5.1 Say MAIL and RCPT first.\r\n250 2.0.0 Yes.\r\n",
	  false },
	{ "a chunk without recipients is read and refused", false,
	  SLICE_INIT("BDAT 6\r\nQUIT\r\n" HELO "BDAT 6\r\nQUIT\r\nMAIL FROM:<a@x>\r\n"
	             "BDAT 6 LAST\r\nQUIT\r\nRCPT TO:<no@x>\r\nBDAT 6 LAST\r\nQUIT\r\n"
	             "RCPT TO:<b@x>\r\n"),
	  "503 5.5.1 Say MAIL and RCPT first.\r\n" HELO_LOG
	  "503 5.5.1 Say MAIL and RCPT first.\r\n<mail a@x>\n250 2.1.0 ok\r\n"
	  "503 5.5.1 No valid recipients.\r\n<rcpt 0 no@x>\n550 5.1.1 nobody\r\n"
	  "554 5.5.1 No valid recipients.\r\n<rcpt 1 b@x>\n250 2.1.5 ok\r\n",
	  false },
	{ "a chunk that spoils the message ends the transaction", true,
	  SLICE_INIT(LHLO TO_RCPT "RCPT TO:<c@x>\r\nBDAT 4\r\na\nbcBDAT 1 LAST\r\nxNOOP\r\n"),
	  LHLO_LOG TO_RCPT_LOG "<rcpt 1 c@x>\n250 2.1.5 ok\r\n<data>\n"
	                       "550 5.6.11 The message has a bare CR or LF.\r\n<reset>\n"
	                       "503 5.5.1 Say MAIL and RCPT first.\r\n250 2.0.0 Yes.\r\n",
	  false },
	{ "a CR is the last byte of the last chunk", true,
	  SLICE_INIT(LHLO TO_RCPT "RCPT TO:<c@x>\r\nBDAT 2\r\na\rBDAT 0 LAST\r\nNOOP\r\n"),
	  LHLO_LOG TO_RCPT_LOG "<rcpt 1 c@x>\n250 2.1.5 ok\r\n<data>\n"
	                       "250 2.0.0 2 octets received.\r\n"
	                       "550 5.6.11 The message has a bare CR or LF.\r\n"
	                       "550 5.6.11 The message has a bare CR or LF.\r\n<reset>\n"
	                       "250 2.0.0 Yes.\r\n",
	  false },
	{ "a chunk of unknown size ends the session", false, SLICE_INIT(HELO "BDAT x\r\nNOOP\r\n"),
	  HELO_LOG "501 5.5.4 BDAT takes a size.\r\n", true },
	{ "so does one for nobody that is larger than any message", false,
	  SLICE_INIT(HELO "BDAT 4000000000\r\nNOOP\r\n"),
	  HELO_LOG "503 5.5.1 Say MAIL and RCPT first.\r\n", true },
	{ "so does one with a strange word", false, SLICE_INIT(HELO "BDAT 3 LOST\r\nNOOP\r\n"),
	  HELO_LOG "501 5.5.4 BDAT takes a size.\r\n", true },
	{ "PLAIN with an initial response, once", false,
	  SLICE_INIT(HELO "AUTH plain AGZyZWQAcHc=\r\nAUTH PLAIN\r\n"),
	  HELO_LOG "<auth PLAIN |fred|pw>\n235 2.7.0 Logged in.\r\n"
	           "503 5.5.1 You have logged in already.\r\n",
	  false },
	{ "PLAIN after a challenge", false, SLICE_INIT(HELO "AUTH PLAIN\r\nAGZyZWQAcHc=\r\n"),
	  HELO_LOG "<auth PLAIN>\n334 d2hvPw==\r\n<step |fred|pw>\n235 2.7.0 Logged in.\r\n",
	  false },
	{ "a star cancels, and so does broken base64", false,
	  SLICE_INIT(HELO "AUTH PLAIN\r\n*\r\nAUTH LOGIN\r\nAGZy ZWQ\r\nAUTH PLAIN !\r\n"
	                  "AUTH PLAIN =\r\nAUTH PLAIN = =\r\nAUTH X\r\nAUTH\r\n"
	                  "AUTH PLAIN bGF0ZXI=\r\n"),
	  HELO_LOG "<auth PLAIN>\n334 d2hvPw==\r\n501 5.7.0 Cancelled.\r\n<cancel>\n"
	           "<auth LOGIN>\n334 d2hvPw==\r\n501 5.5.2 This is no base64.\r\n<cancel>\n"
	           "501 5.5.2 This is no base64.\r\n"
	           "<auth PLAIN >\n535 5.7.8 Wrong user name or password.\r\n"
	           "501 5.5.4 AUTH takes a mechanism and a response.\r\n"
	           "504 5.5.4 This mechanism is not offered.\r\n"
	           "504 5.5.4 This mechanism is not offered.\r\n"
	           "<auth PLAIN later>\n454 4.7.0 Please try again later.\r\n",
	  false },
	{ "the fifth failed login ends the session", false,
	  SLICE_INIT(HELO "AUTH PLAIN =\r\nAUTH PLAIN =\r\nAUTH PLAIN =\r\nAUTH PLAIN =\r\n"
	                  "AUTH PLAIN =\r\nNOOP\r\n"),
	  HELO_LOG "<auth PLAIN >\n535 5.7.8 Wrong user name or password.\r\n"
	           "<auth PLAIN >\n535 5.7.8 Wrong user name or password.\r\n"
	           "<auth PLAIN >\n535 5.7.8 Wrong user name or password.\r\n"
	           "<auth PLAIN >\n535 5.7.8 Wrong user name or password.\r\n"
	           "<auth PLAIN >\n535 5.7.8 Wrong user name or password.\r\n"
	           "421 4.7.0 Too many failed logins.\r\n",
	  true },
	{ "XCLIENT of Postfix, and the session begins anew", false,
	  SLICE_INIT(HELO "XCLIENT NAME=c.example ADDR=IPV6:2001:db8::1 PORT=25 PROTO=ESMTP "
	                  "HELO=c+2Bd LOGIN=[UNAVAILABLE]\r\nMAIL FROM:<a@x>\r\n"),
	  HELO_LOG "220 mx.example ESMTP hello\r\n"
	           "<for 2001:db8::1:25 name=c.example helo=c+d esmtp>\n"
	           "503 5.5.1 Say EHLO first.\r\n",
	  false },
	{ "XCLIENT of Dovecot", true,
	  SLICE_INIT("XCLIENT ADDR=192.0.2.7 SESSION=ab/c TTL=4 TIMEOUT=30 LOGIN=fred\r\n"),
	  "220 mx.example LMTP hello\r\n<for 192.0.2.7 login=fred session=ab/c>\n", false },
	{ "XCLIENT with nonsense", false,
	  SLICE_INIT("XCLIENT ADDR=me\r\nXCLIENT FOO=1\r\nXCLIENT PORT=65536\r\nXCLIENT ADDR\r\n"
	             "XCLIENT LOGIN=a+0Ab\r\nXCLIENT SESSION=a+20b\r\nXCLIENT PROTO=HTTP\r\n"),
	  "501 5.5.4 Bad attribute.\r\n501 5.5.4 Bad attribute.\r\n501 5.5.4 Bad attribute.\r\n"
	  "501 5.5.4 Bad attribute.\r\n501 5.5.4 Bad attribute.\r\n501 5.5.4 Bad attribute.\r\n"
	  "501 5.5.4 Bad attribute.\r\n",
	  false },
	{ "small talk", false,
	  SLICE_INIT("NOOP\r\nVRFY fred\r\nVRFY\r\nEXPN all\r\nHELP\r\nRSET\r\nWHAT\r\n\r\n"),
	  "250 2.0.0 Yes.\r\n252 2.0.0 Send mail, and see.\r\n501 5.5.4 VRFY takes an address.\r\n"
	  "502 5.5.1 Lists are not shown.\r\n214 2.0.0 See RFC 5321.\r\n250 2.0.0 Forgotten.\r\n"
	  "500 5.5.1 Unknown command.\r\n500 5.5.1 Unknown command.\r\n",
	  false },
	{ "a name with strange characters", false,
	  SLICE_INIT("HELO jo's (pc)\r\nHELO\r\nHELO [192.0.2.1]\r\n"),
	  "250 mx.example\r\n<helo jo?s??pc?>\n501 5.5.4 Say your name.\r\n"
	  "250 mx.example\r\n<helo [192.0.2.1]>\n",
	  false },
	{ "control characters in commands", false,
	  SLICE_INIT("NO\0OP\r\nNO\rOP\r\nNOOP\r\r\nNOOP\t\r\n"),
	  "500 5.5.2 There are control characters in the command.\r\n"
	  "500 5.5.2 There are control characters in the command.\r\n"
	  "500 5.5.2 There are control characters in the command.\r\n"
	  "500 5.5.2 There are control characters in the command.\r\n",
	  false },
	{ "a bare LF ends the session", false, SLICE_INIT("NOOP\nNOOP\r\n"),
	  "521 5.5.2 Lines end in CR LF.\r\n", true },
	{ "a browser is shown the door", false,
	  SLICE_INIT("POST / HTTP/1.1\r\nMAIL FROM:<a@x>\r\n"), "521 5.7.0 This is not HTTP.\r\n",
	  true },
	{ "QUIT inside a transaction", false, SLICE_INIT(HELO TO_RCPT "QUIT\r\nNOOP\r\n"),
	  HELO_LOG TO_RCPT_LOG "221 2.0.0 Bye.\r\n<quit>\n", true },
	{ "too many recipients", true,
	  SLICE_INIT(LHLO "MAIL FROM:<a@x>\r\nRCPT TO:<0@x>\r\nRCPT TO:<1@x>\r\nRCPT TO:<2@x>\r\n"
	                  "RCPT TO:<3@x>\r\nRCPT TO:<4@x>\r\nRCPT TO:<5@x>\r\nRCPT TO:<6@x>\r\n"
	                  "RCPT TO:<7@x>\r\nRCPT TO:<8@x>\r\nRCPT TO:<9@x>\r\nRCPT TO:<10@x>\r\n"
	                  "RCPT TO:<11@x>\r\nRCPT TO:<12@x>\r\nRCPT TO:<13@x>\r\n"
	                  "RCPT TO:<14@x>\r\nRCPT TO:<15@x>\r\nRCPT TO:<16@x>\r\n"
	                  "RCPT TO:<17@x>\r\nRCPT TO:<18@x>\r\nRCPT TO:<19@x>\r\n"
	                  "RCPT TO:<20@x>\r\n"),
	  NULL, false },
};

static void
check_case(const struct server_case *c, size_t cut)
{
	struct owner o;

	owner_init(&o, c->lmtp);
	smtp_server_greet(o.s, "hello", &o.log);
	buf_clear(&o.log);
	owner_feed_cut(&o, c->in, cut);
	if (c->log != NULL)
		test_eq_slice(c->name, buf_slice(&o.log), slice_of(c->log));
	else
		test_check(
			slice_ends(buf_slice(&o.log), SLICE("<rcpt 19 19@x>\n250 2.1.5 ok\r\n"
		                                            "452 4.5.3 Too many recipients.\r\n")),
			"%s, cut at %zu", c->name, cut);
	test_check(o.ended == c->ends, "%s, cut at %zu", c->name, cut);
	owner_fini(&o);
}

TEST(server_at_every_split)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (size_t cut = 0; cut <= cases[i].in.n; cut++)
			check_case(&cases[i], cut);
}

/* ---- order of answers ---------------------------------------------------------------- */

#define HOLD3                                                                                      \
	"RCPT TO:<hold0@x>\r\nRCPT TO:<hold1@x>\r\nRCPT TO:<hold2@x>\r\nRCPT TO:<hold3@x>\r\n"     \
	"DATA\r\n"

TEST(recipients_under_way_together_are_answered_in_order)
{
	struct owner o;
	struct slice rest;

	owner_init(&o, true);
	rest = owner_feed(&o, SLICE(LHLO "MAIL FROM:<a@x>\r\n" HOLD3));
	test_eq_slice("the fourth waits", rest, SLICE("RCPT TO:<hold3@x>\r\nDATA\r\n"));
	assert_true(smtp_server_is_waiting(o.s));
	buf_clear(&o.log);
	smtp_server_reply_rcpt(o.s, 1, 550, "5.1.1", "one", &o.log);
	test_eq_slice("not its turn", buf_slice(&o.log), SLICE(""));
	rest = owner_feed(&o, rest);
	test_eq_slice("one may follow", buf_slice(&o.log), SLICE("<rcpt 3 hold3@x>\n"));
	assert_true(smtp_server_is_waiting(o.s));
	buf_clear(&o.log);
	smtp_server_reply_rcpt(o.s, 0, 250, "2.1.5", "zero", &o.log);
	test_eq_slice("two", buf_slice(&o.log), SLICE("250 2.1.5 zero\r\n550 5.1.1 one\r\n"));
	rest = owner_feed(&o, rest);
	test_eq_slice("DATA waits", rest, SLICE("DATA\r\n"));
	smtp_server_reply_rcpt(o.s, 3, 451, "4.3.0", "three", &o.log);
	smtp_server_reply_rcpt(o.s, 2, 250, "2.1.5", "two", &o.log);
	assert_false(smtp_server_is_waiting(o.s));
	assert_int_equal(smtp_server_accepted(o.s), 2);
	buf_clear(&o.log);
	rest = owner_feed(&o, rest);
	test_eq_slice("data", buf_slice(&o.log), SLICE(DATA_LOG));
	owner_fini(&o);
}

TEST(a_bad_recipient_waits_for_those_before_it)
{
	struct owner o;
	struct slice rest;

	owner_init(&o, true);
	rest = owner_feed(&o, SLICE(LHLO "MAIL FROM:<a@x>\r\nRCPT TO:<hold@x>\r\nRCPT TO:<>\r\n"
	                                 "RCPT TO:<b@x>\r\n"));
	buf_clear(&o.log);
	smtp_server_reply_rcpt(o.s, 0, 250, "2.1.5", "ok", &o.log);
	(void)owner_feed(&o, rest);
	test_eq_slice("log", buf_slice(&o.log),
	              SLICE("250 2.1.5 ok\r\n501 5.1.3 Bad recipient: the address is empty.\r\n"
	                    "<rcpt 1 b@x>\n250 2.1.5 ok\r\n"));
	owner_fini(&o);
}

TEST(answers_after_the_end_are_dropped)
{
	struct owner o;

	owner_init(&o, true);
	(void)owner_feed(&o, SLICE(LHLO "MAIL FROM:<a@x>\r\nRCPT TO:<hold@x>\r\n"));
	buf_clear(&o.log);
	smtp_server_bye(o.s, 421, "4.3.2", "Going away.", &o.log);
	smtp_server_reply_rcpt(o.s, 0, 250, "2.1.5", "ok", &o.log);
	smtp_server_reply(o.s, 250, "2.1.5", "ok", &o.log);
	smtp_server_go_ahead(o.s, &o.log);
	test_eq_slice("log", buf_slice(&o.log), SLICE("421 4.3.2 Going away.\r\n"));
	assert_true(smtp_server_is_over(o.s));
	owner_fini(&o);
}

TEST(the_next_command_waits_for_the_final_answers)
{
	struct owner o;
	struct slice rest;

	owner_init(&o, true);
	o.hold_final = true;
	rest = owner_feed(&o, SLICE(LHLO TO_RCPT "RCPT TO:<no@x>\r\nRCPT TO:<c@x>\r\nDATA\r\n"
	                                         "x\r\n.\r\nNOOP\r\n"));
	test_eq_slice("rest", rest, SLICE("NOOP\r\n"));
	assert_true(smtp_server_is_waiting(o.s));
	assert_true(smtp_server_in_transaction(o.s));
	buf_clear(&o.log);
	smtp_server_reply_rcpt(o.s, 2, 452, "4.2.2", "full", &o.log);
	test_eq_slice("not its turn", buf_slice(&o.log), SLICE(""));
	smtp_server_reply(o.s, 250, "2.0.0", "the others", &o.log);
	assert_false(smtp_server_in_transaction(o.s));
	(void)owner_feed(&o, rest);
	test_eq_slice("all", buf_slice(&o.log),
	              SLICE("250 2.0.0 the others\r\n452 4.2.2 full\r\n250 2.0.0 Yes.\r\n"));
	owner_fini(&o);
}

/* ---- refusals of DATA and BDAT --------------------------------------------------------- */

/* Feeds up to DATA, which is refused, then the rest. */
static void
check_refused_data(const char *name, struct slice in, const char *log)
{
	struct owner o;
	struct smtp_event ev;
	size_t used;

	owner_init(&o, false);
	(void)owner_feed(&o, SLICE(HELO TO_RCPT));
	buf_clear(&o.log);
	assert_int_equal(smtp_server_input(o.s, in, &used, &o.log, &ev), 1);
	assert_int_equal(ev.kind, SMTP_DATA);
	smtp_server_reply(o.s, 451, "4.3.0", "later", &o.log);
	(void)owner_feed(&o, slice_skip(in, used));
	test_eq_slice(name, buf_slice(&o.log), slice_of(log));
	owner_fini(&o);
}

TEST(the_caller_refuses_data)
{
	check_refused_data("the transaction stays", SLICE("DATA\r\nRCPT TO:<c@x>\r\n"),
	                   "451 4.3.0 later\r\n<rcpt 1 c@x>\n250 2.1.5 ok\r\n");
	check_refused_data("the bytes of a chunk are read first",
	                   SLICE("BDAT 6\r\nQUIT\r\nNOOP\r\n"),
	                   "451 4.3.0 later\r\n<reset>\n250 2.0.0 Yes.\r\n");
	check_refused_data("the last chunk", SLICE("BDAT 0 LAST\r\nNOOP\r\n"),
	                   "451 4.3.0 later\r\n<reset>\n250 2.0.0 Yes.\r\n");
}

TEST(a_message_that_is_too_big_is_read_and_refused)
{
	static char big[5000];
	struct owner o;

	memset(big, 'x', sizeof(big));
	owner_init(&o, false);
	(void)owner_feed(&o, SLICE(HELO TO_RCPT "DATA\r\n"));
	buf_clear(&o.log);
	for (size_t i = 0; i < 4; i++)
		(void)owner_feed(&o, slice_make(big, sizeof(big)));
	(void)owner_feed(&o, SLICE("\r\n.\r\nNOOP\r\n"));
	test_eq_slice("log", buf_slice(&o.log),
	              SLICE("552 5.3.4 The message is too big.\r\n<reset>\n250 2.0.0 Yes.\r\n"));
	assert_int_equal(o.body.len, 0);
	owner_fini(&o);
}

/* ---- TLS, settings ------------------------------------------------------------------------ */

TEST(tls_forgets_what_was_said_in_clear)
{
	struct owner o;

	owner_init(&o, false);
	(void)owner_feed(&o, SLICE(HELO "AUTH PLAIN AGZyZWQAcHc=\r\n"));
	assert_true(smtp_server_is_logged_in(o.s));
	(void)owner_feed(&o, SLICE("STARTTLS\r\n"));
	assert_true(smtp_server_is_tls(o.s));
	assert_false(smtp_server_is_logged_in(o.s));
	test_eq_str("helo", smtp_server_get_helo(o.s), "");
	buf_clear(&o.log);
	(void)owner_feed(&o, SLICE("MAIL FROM:<a@x>\r\nEHLO c\r\nSTARTTLS\r\n"));
	test_eq_slice("log", buf_slice(&o.log),
	              SLICE("503 5.5.1 Say EHLO first.\r\n"
	                    "250-mx.example\r\n250-PIPELINING\r\n250-SIZE 1000\r\n"
	                    "250-AUTH PLAIN LOGIN\r\n250-ENHANCEDSTATUSCODES\r\n250-SMTPUTF8\r\n"
	                    "250-DSN\r\n250-CHUNKING\r\n"
	                    "250-XCLIENT ADDR PORT PROTO HELO LOGIN NAME SESSION\r\n250-XROOST\r\n"
	                    "250 8BITMIME\r\n<helo c>\n503 5.5.1 TLS is active already.\r\n"));
	test_eq_str("protocol", smtp_server_protocol(o.s), "ESMTPS");
	owner_fini(&o);
}

TEST(text_behind_starttls_ends_the_session)
{
	struct owner o;

	owner_init(&o, false);
	(void)owner_feed(&o, SLICE("STARTTLS\r\nMAIL FROM:<eve@x>\r\n"));
	assert_true(o.ended);
	assert_false(smtp_server_is_tls(o.s));
	test_eq_slice("log", buf_slice(&o.log),
	              SLICE("554 5.5.1 There was text behind STARTTLS.\r\n"));
	owner_fini(&o);
}

TEST(what_is_not_offered_is_refused)
{
	struct owner o;

	owner_init(&o, false);
	o.settings.mechs = "";
	o.settings.tls_offered = o.settings.smtputf8 = o.settings.dsn = false;
	o.settings.chunking = o.settings.trusted = false;
	(void)owner_feed(&o, SLICE("EHLO c\r\nSTARTTLS\r\nAUTH PLAIN\r\nBDAT 3\r\n"
	                           "XCLIENT ADDR=::1\r\nMAIL FROM:<a@x> SMTPUTF8\r\n"
	                           "MAIL FROM:<a@x> RET=FULL\r\nMAIL FROM:<a@x> AUTH=<>\r\n"
	                           "MAIL FROM:<a@x> XKEY=" KEY "\r\n"
	                           "MAIL FROM:<a@x>\r\nRCPT TO:<b@x> XUSER=b\r\n"));
	test_eq_slice("log", buf_slice(&o.log),
	              SLICE("250-mx.example\r\n250-PIPELINING\r\n250-SIZE 1000\r\n"
	                    "250-ENHANCEDSTATUSCODES\r\n250 8BITMIME\r\n<helo c>\n"
	                    "502 5.5.1 TLS is not offered.\r\n502 5.5.1 AUTH is not offered.\r\n"
	                    "500 5.5.1 Unknown command.\r\n550 5.7.0 You are not trusted here.\r\n"
	                    "555 5.5.4 Unknown parameter.\r\n555 5.5.4 Unknown parameter.\r\n"
	                    "555 5.5.4 Unknown parameter.\r\n555 5.5.4 Unknown parameter.\r\n"
	                    "<mail a@x>\n250 2.1.0 ok\r\n555 5.5.4 Unknown parameter.\r\n"));
	owner_fini(&o);
}

TEST(tls_and_login_may_be_required)
{
	struct owner o;

	owner_init(&o, false);
	o.settings.tls_required = o.settings.auth_required = true;
	o.settings.plaintext_ok = false;
	(void)owner_feed(&o, SLICE(HELO "MAIL FROM:<a@x>\r\nAUTH PLAIN =\r\nNOOP\r\n"));
	test_eq_slice("in clear", buf_slice(&o.log),
	              SLICE(HELO_LOG "530 5.7.0 Say STARTTLS first.\r\n"
	                             "530 5.7.0 Say STARTTLS first.\r\n250 2.0.0 Yes.\r\n"));
	(void)owner_feed(&o, SLICE("STARTTLS\r\n"));
	buf_clear(&o.log);
	(void)owner_feed(&o, SLICE(HELO "MAIL FROM:<a@x>\r\nAUTH PLAIN AGZyZWQAcHc=\r\n"
	                                "MAIL FROM:<a@x>\r\n"));
	test_eq_slice("in TLS", buf_slice(&o.log),
	              SLICE(HELO_LOG "530 5.7.0 Log in first.\r\n<auth PLAIN |fred|pw>\n"
	                             "235 2.7.0 Logged in.\r\n<mail a@x>\n250 2.1.0 ok\r\n"));
	test_eq_str("protocol", smtp_server_protocol(o.s), "SMTPSA");
	owner_fini(&o);

	owner_init(&o, false);
	o.settings.plaintext_ok = false;
	(void)owner_feed(&o, SLICE(HELO "AUTH PLAIN =\r\n"));
	test_eq_slice("no login in clear", buf_slice(&o.log),
	              SLICE(HELO_LOG "538 5.7.11 Say STARTTLS first.\r\n"));
	owner_fini(&o);
}

/* ---- limits ------------------------------------------------------------------------------- */

TEST(lines_are_limited_and_the_session_goes_on)
{
	static char line[3 * SMTP_LINE_MAX];

	for (size_t n = SMTP_LINE_MAX; n < SMTP_LINE_MAX + 3; n++) {
		struct owner o;

		for (size_t cut = 0; cut <= n; cut += 7) {
			memset(line, 'x', sizeof(line));
			memcpy(line + n - 2, "\r\nNOOP\r\n", 8);
			owner_init(&o, false);
			owner_feed_cut(&o, slice_make(line, n + 6), cut);
			test_eq_slice(
				"line", buf_slice(&o.log),
				n == SMTP_LINE_MAX
					? SLICE("500 5.5.1 Unknown command.\r\n"
			                        "250 2.0.0 Yes.\r\n")
					: SLICE("500 5.5.2 Line too long.\r\n250 2.0.0 Yes.\r\n"));
			owner_fini(&o);
		}
	}
}

TEST(a_long_line_ends_in_crlf_too)
{
	static char line[2 * SMTP_LINE_MAX];
	struct owner o;

	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	owner_init(&o, false);
	(void)owner_feed(&o, slice_make(line, sizeof(line)));
	assert_true(o.ended);
	test_eq_slice("log", buf_slice(&o.log), SLICE("521 5.5.2 Lines end in CR LF.\r\n"));
	owner_fini(&o);
}

TEST(sasl_lines_may_be_longer)
{
	static char line[SASL_LINE_MAX + 10];
	struct owner o;

	memset(line, 'A', sizeof(line));
	memcpy(line + SASL_LINE_MAX - 2, "\r\n", 2);
	owner_init(&o, false);
	(void)owner_feed(&o, SLICE(HELO "AUTH PLAIN\r\n"));
	(void)owner_feed(&o, slice_make(line, SASL_LINE_MAX));
	assert_true(
		slice_ends(buf_slice(&o.log), SLICE("535 5.7.8 Wrong user name or password.\r\n")));
	(void)owner_feed(&o, SLICE("AUTH PLAIN\r\n"));
	buf_clear(&o.log);
	memset(line, 'A', sizeof(line));
	memcpy(line + SASL_LINE_MAX, "\r\nNOOP\r\n", 8);
	(void)owner_feed(&o, slice_make(line, SASL_LINE_MAX + 8));
	test_eq_slice("too long", buf_slice(&o.log),
	              SLICE("500 5.5.6 Line too long.\r\n<cancel>\n250 2.0.0 Yes.\r\n"));
	owner_fini(&o);
}

static void
repeat(struct owner *o, int count, struct slice line)
{
	for (int i = 0; i < count; i++)
		(void)owner_feed(o, line);
	assert_false(o->ended);
	buf_clear(&o->log);
	(void)owner_feed(o, line);
	assert_true(o->ended);
}

TEST(bad_commands_and_idle_talk_are_limited)
{
	struct owner o;

	owner_init(&o, false);
	repeat(&o, SMTP_BAD_MAX, SLICE("FOO\r\n"));
	test_eq_slice("bad", buf_slice(&o.log), SLICE("421 4.7.0 Too many bad commands.\r\n"));
	owner_fini(&o);

	owner_init(&o, false);
	repeat(&o, SMTP_IDLE_MAX, SLICE("NOOP\r\n"));
	test_eq_slice("idle", buf_slice(&o.log), SLICE("421 4.7.0 Too many commands.\r\n"));
	owner_fini(&o);

	owner_init(&o, false);
	(void)owner_feed(&o, SLICE(HELO));
	repeat(&o, SMTP_BAD_MAX, SLICE("AUTH PLAIN\r\n*\r\n"));
	owner_fini(&o);

	owner_init(&o, false);
	(void)owner_feed(&o, SLICE(HELO));
	for (int i = 0; i < 2 * SMTP_IDLE_MAX; i++)
		(void)owner_feed(&o, SLICE("MAIL FROM:<a@x>\r\nRSET\r\n"));
	assert_false(o.ended); /* a front end asks all day */
	owner_fini(&o);
}

TEST(replies_are_clean)
{
	struct buf out = BUF_INIT(SIZE_MAX);
	char text[2 * SMTP_TEXT_MAX];

	smtp_reply_add(&out, 550, "5.1.1", "a\r\n250 ok \xc3\xa4", false);
	smtp_reply_add(&out, 550, "5.1.1", "\xc3\xa4", true);
	smtp_reply_add(&out, 550, "5.1.1", "\xc3", true);
	smtp_reply_add(&out, 451, "5.1.1", "another class", false);
	test_eq_slice("replies", buf_slice(&out),
	              SLICE("550 5.1.1 a??250 ok ??\r\n550 5.1.1 \xc3\xa4\r\n550 5.1.1 ?\r\n"
	                    "451 another class\r\n"));
	buf_clear(&out);
	memset(text, 'x', sizeof(text));
	memcpy(text + SMTP_TEXT_MAX - 1, "\xc3\xa4", 2);
	text[sizeof(text) - 1] = '\0';
	smtp_reply_add(&out, 250, "", text, true);
	assert_int_equal(out.len, 4 + SMTP_TEXT_MAX - 1 + 2);
	buf_fini(&out);
}

TEST(xtext_there_and_back)
{
	struct buf out = BUF_INIT(SIZE_MAX), back = BUF_INIT(SIZE_MAX);
	char all[256];

	for (int i = 0; i < 256; i++)
		all[i] = (char)i;
	smtp_xtext_add(&out, slice_make(all, sizeof(all)));
	assert_true(smtp_xtext_decode(buf_slice(&out), &back));
	test_eq_slice("back", buf_slice(&back), slice_make(all, sizeof(all)));
	assert_false(smtp_xtext_decode(SLICE("a+"), &back));
	assert_false(smtp_xtext_decode(SLICE("a+2"), &back));
	assert_false(smtp_xtext_decode(SLICE("a=b"), &back));
	assert_false(smtp_xtext_decode(SLICE("a b"), &back));
	assert_int_equal(back.len, 256);
	buf_fini(&out);
	buf_fini(&back);
}
