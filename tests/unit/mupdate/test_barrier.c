/* barrier_server - front ends ask a replica, and the master is played by hand. */
#include "world.h"

#include "barrier_server.h"

#include <stdio.h>

#define SOCKET "/location.sock"

/* What a front end of this host meets. */
struct desk {
	struct world w;
	struct barrier_server *server;
};

static void
open_desk(struct desk *d, struct service *s)
{
	d->server = barrier_server_new(s);
	play_add_client(d->w.play, "front", "/front", SOCKET, barrier_server_accept, d->server);
	play_add_client(d->w.play, "beside", "/front", SOCKET, barrier_server_accept, d->server);
}

/* A replica that follows a plain master, and has been told nothing since. */
static void
begin(struct desk *d)
{
	world_init(&d->w);
	play_add_server(d->w.play, "fake", "127.0.0.1:3905");
	world_start_replica(&d->w);
	play_run(d->w.play, "fake accepts\n"
	                    "fake >> * AUTH \"PLAIN\"\\r\\n* OK MUPDATE \"c\" \"Cyrus IMAP\" "
	                    "\"3.6\" \"(master)\"\\r\\n\n"
	                    "fake < A1 AUTHENTICATE *\nfake > A1 OK \"Authenticated\"\n"
	                    "fake < R1 UPDATE\nfake > R1 OK \"streaming starts\"\n");
	assert_true(replica_is_following(d->w.replica.replica));
	open_desk(d, d->w.replica.service);
	play_run(d->w.play, "front connects\n");
}

static void
end(struct desk *d)
{
	barrier_server_free(&d->server);
	world_fini(&d->w);
}

static const struct desk_case {
	const char *name, *script;
} cases[] = {
	{ "it is answered when the master has answered",
	  "front >> B 7\\n\nfake < R2 NOOP\nfront is silent\n"
	  "fake > R2 OK \"x\"\nfront < OK 7 *\n" },
	{ "one after the other",
	  "front >> B 7\\nB 8\\nB\nfake < R2 NOOP\nfake > R2 OK \"x\"\nfront < OK 7 *\n"
	  "fake < R3 NOOP\nfront >>  9\\n\nfake > R3 OK \"x\"\nfront < OK 8 *\n"
	  "fake < R4 NOOP\nfake > R4 OK \"x\"\nfront < OK 9 *\n" },
	{ "who asks while the master is asked needs another question",
	  "beside connects\nfront >> B 7\\n\nfake < R2 NOOP\nbeside >> B 8\\n\n"
	  "fake > R2 OK \"x\"\nfront < OK 7 *\nbeside is silent\n"
	  "fake < R3 NOOP\nfake > R3 OK \"x\"\nbeside < OK 8 *\n" },
	{ "a front end that goes away while the master is asked",
	  "front >> B 7\\n\nfake < R2 NOOP\nfront closes\nfake > R2 OK \"x\"\n"
	  "front connects\nfront >> B 8\\n\nfake < R3 NOOP\nfake > R3 OK \"x\"\nfront < OK 8 *\n" },
	{ "one that dies while it waits for the next question",
	  "beside connects\nbeside >> B 6\\n\nfake < R2 NOOP\nfront >> B 7\\n\nfront resets\n"
	  "fake > R2 OK \"x\"\nbeside < OK 6 *\n" },
	{ "a master that goes away",
	  "front >> B 7\\n\nfake < R2 NOOP\nfake closes\nfront < LATE 7\n"
	  "front >> B 8\\n\nfront < LATE 8\n" },
	{ "one that says no",
	  "front >> B 7\\n\nfake < R2 NOOP\nfake > R2 NO \"x\"\nfront < LATE 7\n" },
	{ "one that falls silent",
	  "front >> B 7\\n\nfake < R2 NOOP\nwait 11s\nfront < LATE 7\nfake is closed\n" },
	{ "another word", "front >> A 7\\n\nfront is closed\n" },
	{ "no number", "front >> B seven\\n\nfront is closed\n" },
	{ "nothing", "front >> \\n\nfront is closed\n" },
	{ "a number out of this world", "front >> B 99999999999999999999\\n\nfront is closed\n" },
	{ "a line without an end",
	  "front >> B 00000000000000000000000000000000000000000000000000000000000000000\n"
	  "front is closed\n" },
	{ "half a line and no more", "front >> B 7\nfront closes\n" },
};

TEST(whatever_becomes_of_master_and_front_end_a_barrier_is_ok_or_late)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct desk d;

		print_message("# %s\n", cases[i].name);
		begin(&d);
		play_run(d.w.play, cases[i].script);
		end(&d);
	}
}

TEST(a_master_has_all_there_is)
{
	struct desk d;

	world_init(&d.w);
	world_complete(&d.w);
	open_desk(&d, d.w.master.service);
	world_login(&d.w, "client", "be1");
	play_run(d.w.play, "client > 1 ACTIVATE \"user.a\" \"be1.test!p\" \"\"\nclient < 1 OK *\n"
	                   "front connects\nfront >> B 7\\n\nfront < OK 7 1\n");
	end(&d);
}

#define CLIENTS 1024

TEST(there_is_an_end_of_front_ends_and_room_again_when_one_leaves)
{
	static struct conn *theirs[CLIENTS];
	struct desk d;

	begin(&d);
	for (unsigned i = 1; i < CLIENTS; i++) {
		struct conn *ours;

		fakenet_pair(play_loop(d.w.play), "/front", SOCKET, &theirs[i], &ours);
		barrier_server_accept(d.server, &ours);
	}
	play_run(d.w.play, "beside connects\nbeside is closed\n"
	                   "front >> B 7\\n\nfake < R2 NOOP\nfake > R2 OK \"x\"\nfront < OK 7 *\n");
	conn_free(&theirs[1]);
	fakenet_settle(play_loop(d.w.play));
	play_run(d.w.play, "beside connects\nbeside >> B 8\\n\nfake < R3 NOOP\nfake > R3 OK \"x\"\n"
	                   "beside < OK 8 *\n");
	for (unsigned i = 2; i < CLIENTS; i++)
		conn_free(&theirs[i]);
	end(&d);
}
