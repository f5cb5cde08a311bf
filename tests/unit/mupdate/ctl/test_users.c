/*
 * Users are added and deleted as a whole: roostctl's commands against stores played by a
 * process of their own, which fail as they are told.
 */
#include "ctl/commands.h"
#include "ctl/ctl.h"

#include "lib/test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the store has and does; shared with its process. */
struct store {
	bool has_inbox;
	bool create_fails, create_is_lost, delete_fails;
	unsigned creates, deletes;
	char user[100]; /* of the last command */
};

struct world {
	char dir[300], conf[400], run_dir[400];
	struct store *store;
	pid_t pid;
};

/* ---- the store -------------------------------------------------------------------------- */

static void
fake_status(void *ctx, struct ctl_req *req, const struct json *args)
{
	struct json *fields = json_new_object(), *detail = json_set_object(fields, "detail");

	json_set_str(detail, "server", "s1");
	json_set_str(detail, "cluster", "none");
	ctl_reply(req, &fields);
}

static void
fake_explain(void *ctx, struct ctl_req *req, const struct json *args)
{
	struct store *s = ctx;
	struct json *fields = json_new_object();

	json_set_str(fields, "found", s->has_inbox ? "active" : "none");
	ctl_reply(req, &fields);
}

static void
fake_create(void *ctx, struct ctl_req *req, const struct json *args)
{
	struct store *s = ctx;

	s->creates++;
	snprintf(s->user, sizeof(s->user), "%s", json_get_str(args, "user"));
	if (s->create_fails) {
		ctl_fail(req, "temp", "the disk is full");
		return;
	}
	s->has_inbox = true;
	if (s->create_is_lost)
		ctl_fail(req, "timeout", "it takes long");
	else
		ctl_reply(req, &(struct json *){ NULL });
}

static void
fake_delete(void *ctx, struct ctl_req *req, const struct json *args)
{
	struct store *s = ctx;

	s->deletes++;
	if (s->delete_fails) {
		ctl_fail(req, "temp", "the log cannot be written");
		return;
	}
	if (!s->has_inbox) {
		ctl_fail(req, "notfound", "there is none");
		return;
	}
	s->has_inbox = false;
	ctl_reply(req, &(struct json *){ NULL });
}

static const struct ctl_cmd fake_commands[] = {
	{ "status", "", "", fake_status },
	{ "explain", "mailbox", "", fake_explain },
	{ "user.create", "user", "", fake_create },
	{ "user.delete", "user", "", fake_delete },
	{ .name = NULL },
};

static void
play_store(const char *path, struct store *s)
{
	struct loop *l = loop_new();
	struct ctl_server *server;
	struct err err;

	server = ctl_server_new(l, path, &err);
	if (server == NULL) {
		fprintf(stderr, "%s\n", err.text);
		_exit(1);
	}
	ctl_register(server, fake_commands, s);
	loop_run(l);
	_exit(0);
}

static void
start_store(struct world *w)
{
	char path[500];

	snprintf(path, sizeof(path), "%s/roost-store-s1.ctl", w->run_dir);
	w->pid = fork();
	assert_int_not_equal(w->pid, -1);
	if (w->pid == 0)
		play_store(path, w->store);
	for (int i = 0; i < 6000; i++) {
		struct json *request = json_new_object(), *reply;

		json_set_str(request, "cmd", "status");
		reply = ctl_call(path, request, 1000, NULL);
		json_free(&request);
		if (reply != NULL) {
			json_free(&reply);
			return;
		}
		usleep(10000);
	}
	test_fail("the store does not start");
}

static void
stop_store(struct world *w)
{
	if (w->pid != 0) {
		kill(w->pid, SIGKILL);
		waitpid(w->pid, NULL, 0);
	}
	w->pid = 0;
}

/* ---- the world --------------------------------------------------------------------------- */

static void
begin(struct world *w)
{
	static int number;
	FILE *f;

	memset(w, 0, sizeof(*w));
	snprintf(w->dir, sizeof(w->dir), "%s/w%d", test_dir(), number++);
	snprintf(w->run_dir, sizeof(w->run_dir), "%s/run", w->dir);
	snprintf(w->conf, sizeof(w->conf), "%s/roost.conf", w->dir);
	assert_int_equal(mkdir(w->dir, 0755), 0);
	assert_int_equal(mkdir(w->run_dir, 0755), 0);
	f = fopen(w->conf, "w");
	assert_non_null(f);
	fprintf(f,
	        "[common]\nrun_dir = %s\ndefault_domain = example.org\n"
	        "directory = sqlite:%s/directory.db\n[roost-store s1]\n[server s1]\n"
	        "[server far]\n[server cyrus]\nkind = imap\n"
	        "[server dv]\nkind = imap\nlisted = no\n",
	        w->run_dir, w->dir);
	assert_int_equal(fclose(f), 0);
	w->store = mmap(NULL, sizeof(*w->store), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
	                -1, 0);
	assert_ptr_not_equal(w->store, MAP_FAILED);
	start_store(w);
}

static void
end(struct world *w)
{
	stop_store(w);
	munmap(w->store, sizeof(*w->store));
}

/* Runs a command line; the password, when there is one, on standard input. */
static int
run(struct world *w, const char *line, const char *password, struct json **result_r)
{
	char text[500], *argv[20];
	int argc = 0, code, fds[2], was = dup(STDIN_FILENO);
	struct run r = { .result = json_new_object(), .json = true, .timeout_ms = 60000 };
	struct err err = { "" };

	snprintf(text, sizeof(text), "roostctl %s", line);
	for (char *p = text; p != NULL && argc < 20;) {
		char *blank = strchr(p, ' ');

		argv[argc++] = p;
		if (blank != NULL)
			*blank++ = '\0';
		p = blank;
	}
	test_check(args_parse(commands, argc, argv, &r.args, &err) == 0, "%s", err.text);
	r.dry_run = args_has(&r.args, OPT_DRY_RUN);
	r.hosts = hosts_open(w->conf, &err);
	test_check(r.hosts != NULL, "%s", err.text);
	assert_int_equal(pipe(fds), 0);
	if (password != NULL)
		assert_int_equal(write(fds[1], password, strlen(password)),
		                 (ssize_t)strlen(password));
	close(fds[1]);
	dup2(fds[0], STDIN_FILENO);
	close(fds[0]);
	code = r.args.command->fn(&r);
	dup2(was, STDIN_FILENO);
	close(was);
	directory_close(&r.directory);
	hosts_free(&r.hosts);
	if (result_r != NULL)
		*result_r = r.result;
	else
		json_free(&r.result);
	return code;
}

/* "" no account, else its home and whether it is disabled: "s1", "s1 disabled". */
static void
check_account(struct world *w, const char *user, const char *want)
{
	struct directory_account a;
	char url[400], got[200] = "";
	struct err err;
	struct directory *d;

	snprintf(url, sizeof(url), "sqlite:%s/directory.db", w->dir);
	d = directory_open(url, "example.org", DIRECTORY_WRITE, &err);
	assert_non_null(d);
	if (directory_get(d, user, &a, &err) == DIRECTORY_OK)
		snprintf(got, sizeof(got), "%s%s", a.home,
		         a.status == DIRECTORY_DISABLED ? " disabled" : "");
	test_eq_str(user, got, want);
	directory_close(&d);
}

#define ADD "user add fred --store s1 --password-stdin"

/* ---- add ------------------------------------------------------------------------------------ */

TEST(on_a_host_that_does_everything_the_store_need_not_be_named)
{
	struct world w;
	FILE *f;

	begin(&w);
	assert_int_equal(run(&w, "user add ann --password-stdin", "pw\n", NULL), EXIT_USAGE);
	f = fopen(w.conf, "w"); /* as before, without [server] */
	assert_non_null(f);
	fprintf(f,
	        "[common]\nrun_dir = %s\ndefault_domain = example.org\n"
	        "directory = sqlite:%s/directory.db\n[roost-store s1]\n",
	        w.run_dir, w.dir);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(run(&w, "user add ann --password-stdin", "pw\n", NULL), EXIT_DONE);
	assert_true(w.store->has_inbox);
	stop_store(&w);
	assert_int_equal(run(&w, "user add bob --password-stdin", "pw\n", NULL), EXIT_USAGE);
	end(&w);
}

TEST(an_account_comes_with_its_mailboxes)
{
	struct world w;

	begin(&w);
	assert_int_equal(run(&w, ADD, "pw\n", NULL), EXIT_DONE);
	check_account(&w, "fred", "s1");
	assert_true(w.store->has_inbox);
	test_eq_str("asked for", w.store->user, "fred");
	assert_int_equal(run(&w, ADD, "pw\n", NULL), EXIT_NO); /* there already */
	assert_int_equal(w.store->creates, 1);
	end(&w);
}

TEST(what_the_store_cannot_do_leaves_no_account_behind)
{
	struct world w;

	begin(&w);
	w.store->create_fails = true;
	assert_int_equal(run(&w, ADD, "pw\n", NULL), EXIT_TEMP);
	check_account(&w, "fred", "");
	w.store->create_fails = false;
	assert_int_equal(run(&w, ADD, "pw\n", NULL), EXIT_DONE);
	check_account(&w, "fred", "s1");
	end(&w);
}

TEST(an_answer_that_is_lost_is_no_failure)
{
	struct world w;

	begin(&w);
	w.store->create_is_lost = true;
	assert_int_equal(run(&w, ADD, "pw\n", NULL), EXIT_DONE);
	check_account(&w, "fred", "s1");
	end(&w);
}

TEST(a_store_that_is_away_changes_nothing)
{
	struct world w;

	begin(&w);
	stop_store(&w);
	assert_int_equal(run(&w, ADD, "pw\n", NULL), EXIT_TEMP);
	check_account(&w, "fred", "");
	assert_int_equal(run(&w, "user add fred --store far --generate", NULL, NULL), EXIT_TEMP);
	assert_int_equal(run(&w, "user add fred --store nowhere --generate", NULL, NULL), EXIT_NO);
	check_account(&w, "fred", "");
	end(&w);
}

/* roostctl was killed between the row and the mailboxes. */
TEST(an_account_without_mailboxes_is_completed)
{
	struct world w;

	begin(&w);
	assert_int_equal(run(&w, ADD, "pw\n", NULL), EXIT_DONE);
	w.store->has_inbox = false;
	assert_int_equal(run(&w, "user add fred", NULL, NULL), EXIT_DONE);
	assert_true(w.store->has_inbox);
	w.store->has_inbox = false;
	w.store->create_fails = true; /* and stays when that fails */
	assert_int_equal(run(&w, "user add fred", NULL, NULL), EXIT_TEMP);
	check_account(&w, "fred", "s1");
	end(&w);
}

TEST(a_foreign_store_makes_its_own_mailboxes)
{
	struct world w;

	begin(&w);
	assert_int_equal(run(&w, "user add fred --store cyrus --generate", NULL, NULL), EXIT_DONE);
	check_account(&w, "fred", "cyrus");
	assert_int_equal(w.store->creates, 0);
	end(&w);
}

TEST(passwords)
{
	static const struct {
		const char *name, *options, *stdin_text;
		int want;
	} rows[] = {
		{ "none on standard input", "--password-stdin", "", EXIT_USAGE },
		{ "an empty line", "--password-stdin", "\n", EXIT_USAGE },
		{ "two ways at once", "--password-stdin --generate", "pw\n", EXIT_USAGE },
		{ "no terminal to ask on", "", "pw\n", EXIT_USAGE },
		{ "without an end of line", "--password-stdin", "pw", EXIT_DONE },
	};
	struct world w;
	struct json *result;
	char line[200], text[1000];

	begin(&w);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(line, sizeof(line), "user add u%zu --store s1%s%s", i,
		         *rows[i].options != '\0' ? " " : "", rows[i].options);
		test_check(run(&w, line, rows[i].stdin_text, NULL) == rows[i].want, "%s",
		           rows[i].name);
		snprintf(text, sizeof(text), "u%zu", i);
		check_account(&w, text, rows[i].want == EXIT_DONE ? "s1" : "");
	}
	memset(text, 'x', 600);
	text[600] = '\0';
	assert_int_equal(run(&w, "user add long --store s1 --password-stdin", text, NULL),
	                 EXIT_USAGE);
	assert_int_equal(run(&w, "user passwd u4 --generate", NULL, &result), EXIT_DONE);
	assert_int_equal(strlen(json_get_str(result, "password")), 20);
	json_free(&result);
	assert_int_equal(run(&w, "user passwd nobody --generate", NULL, NULL), EXIT_NO);
	end(&w);
}

/* ---- delete ----------------------------------------------------------------------------------- */

TEST(mailboxes_and_account_are_deleted)
{
	struct world w;

	begin(&w);
	assert_int_equal(run(&w, ADD, "pw\n", NULL), EXIT_DONE);
	assert_int_equal(run(&w, "user delete fred", NULL, NULL), EXIT_DONE);
	check_account(&w, "fred", "");
	assert_false(w.store->has_inbox);
	assert_int_equal(run(&w, "user delete fred", NULL, NULL), EXIT_NO);
	end(&w);
}

TEST(a_deletion_that_fails_leaves_the_account_as_it_was)
{
	struct world w;

	begin(&w);
	assert_int_equal(run(&w, ADD, "pw\n", NULL), EXIT_DONE);
	w.store->delete_fails = true;
	assert_int_equal(run(&w, "user delete fred", NULL, NULL), EXIT_TEMP);
	check_account(&w, "fred", "s1");
	stop_store(&w);
	assert_int_equal(run(&w, "user delete fred", NULL, NULL), EXIT_TEMP);
	check_account(&w, "fred", "s1");
	start_store(&w);
	w.store->delete_fails = false;
	assert_int_equal(run(&w, "user delete fred", NULL, NULL), EXIT_DONE);
	check_account(&w, "fred", "");
	end(&w);
}

TEST(mailboxes_without_an_account_are_deleted_too)
{
	struct world w;

	begin(&w);
	w.store->has_inbox = true;
	assert_int_equal(run(&w, "user delete fred", NULL, NULL), EXIT_DONE);
	assert_false(w.store->has_inbox);
	end(&w);
}

TEST(force_deletes_the_account_alone)
{
	struct world w;

	begin(&w);
	assert_int_equal(run(&w, ADD, "pw\n", NULL), EXIT_DONE);
	stop_store(&w);
	assert_int_equal(run(&w, "user delete fred --force", NULL, NULL), EXIT_DONE);
	check_account(&w, "fred", "");
	end(&w);
}

TEST(a_dry_run_changes_nothing)
{
	struct world w;

	begin(&w);
	assert_int_equal(run(&w, "user list", NULL, NULL), EXIT_DONE); /* makes the file */
	assert_int_equal(run(&w, ADD " --dry-run", "pw\n", NULL), EXIT_DONE);
	check_account(&w, "fred", "");
	assert_int_equal(w.store->creates, 0);
	assert_int_equal(run(&w, ADD, "pw\n", NULL), EXIT_DONE);
	assert_int_equal(run(&w, "user delete fred --dry-run", NULL, NULL), EXIT_DONE);
	assert_int_equal(run(&w, "user disable fred --dry-run", NULL, NULL), EXIT_DONE);
	check_account(&w, "fred", "s1");
	assert_int_equal(w.store->deletes, 0);
	assert_int_equal(run(&w, "domain add new.org --dry-run", NULL, NULL), EXIT_DONE);
	assert_int_equal(run(&w, "domain add new.org", NULL, NULL), EXIT_DONE);
	assert_int_equal(run(&w, "domain add new.org --dry-run", NULL, NULL), EXIT_NO);
	end(&w);
}

TEST(accounts_are_locked_and_unlocked)
{
	struct world w;

	begin(&w);
	assert_int_equal(run(&w, ADD, "pw\n", NULL), EXIT_DONE);
	assert_int_equal(run(&w, "user disable fred@example.org", NULL, NULL), EXIT_DONE);
	check_account(&w, "fred", "s1 disabled");
	assert_int_equal(run(&w, "user enable FRED", NULL, NULL), EXIT_DONE);
	check_account(&w, "fred", "s1");
	assert_int_equal(run(&w, "user disable nobody", NULL, NULL), EXIT_NO);
	assert_int_equal(run(&w, "user disable a@b@c", NULL, NULL), EXIT_USAGE);
	end(&w);
}

TEST(explain_says_it_in_one_word)
{
	struct world w;
	struct json *result;

	begin(&w);
	assert_int_equal(run(&w, ADD, "pw\n", NULL), EXIT_DONE);
	assert_int_equal(run(&w, "explain Fred+list@example.org", NULL, &result), EXIT_DONE);
	test_eq_str("verdict", json_get_str(result, "verdict"), "fine");
	test_eq_str("detail", json_get_str(result, "detail"), "list");
	test_eq_str("mailbox", json_get_str(result, "mailbox"), "user.fred");
	json_free(&result);
	assert_int_equal(run(&w, "explain nobody", NULL, NULL), EXIT_NO);
	assert_int_equal(run(&w, "explain a@nowhere.org", NULL, NULL), EXIT_NO);
	stop_store(&w);
	assert_int_equal(run(&w, "explain fred", NULL, NULL), EXIT_TEMP);
	end(&w);
}

/* ---- home ------------------------------------------------------------------------------------- */

TEST(the_home_changes_where_no_list_says_it)
{
	static const struct {
		const char *line;
		int code;
		const char *home; /* then */
	} steps[] = {
		{ "user home fred far", EXIT_NO, "s1" }, /* the list says it */
		{ "user home fred nowhere", EXIT_NO, "s1" },
		{ "user home fred s1", EXIT_NO, "s1" },
		{ "user home fred dv --dry-run", EXIT_DONE, "s1" },
		{ "user home fred dv", EXIT_DONE, "dv" },
		{ "user home fred dv", EXIT_NO, "dv" },
		{ "user home fred cyrus", EXIT_DONE, "cyrus" },
		{ "user home fred s1", EXIT_NO, "cyrus" },
		{ "user home ghost dv", EXIT_NO, "cyrus" },
	};
	struct world w;

	begin(&w);
	assert_int_equal(run(&w, ADD, "pw\n", NULL), EXIT_DONE);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		int code = run(&w, steps[i].line, NULL, NULL);

		test_check(code == steps[i].code, "%s: %d", steps[i].line, code);
		check_account(&w, "fred", steps[i].home);
	}
	end(&w);
}
