/* Logging in: LOGIN, AUTHENTICATE, STARTTLS, who may and where to. */
#include "world.h"

#include "lib/test.h"

TEST(a_user_logs_in_and_out)
{
	world_play("client connects\n"
	           "client < * OK [CAPABILITY IMAP4rev1 * STARTTLS AUTH=PLAIN] store1 Roost IMAP "
	           "ready\n"
	           "client > a1 CAPABILITY\n"
	           "client < * CAPABILITY IMAP4rev1 * APPENDLIMIT=2097152 STARTTLS AUTH=PLAIN\n"
	           "client < a1 OK *\n"
	           "client > a2 login fred {3}\n"
	           "client < + *\n"
	           "client > p w\n"
	           "client < a2 OK [CAPABILITY IMAP4rev1 * APPENDLIMIT=2097152] Logged in\n"
	           "who is there 127.0.0.1 fred AUTHENTICATED -\n"
	           "client > a3 LOGIN fred x\n"
	           "client < a3 BAD You have logged in already\n"
	           "client > a4 LOGOUT\n"
	           "client < * BYE *\n"
	           "client < a4 OK *\n"
	           "client is closed\n");
}
