/*
 * test_local.c - the real local, in its sandbox, with the test in the place of
 * queue: hand-outs, results, and all that can go wrong on both sides.
 */
#include <sys/mman.h>
#include <sys/stat.h>

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/bytes/id.h"
#include "common/msg/queue_agent.h"
#include "tests/seams/seam.h"

#define ID	UINT64_C(0x0006403fa1b2c3d4)
#define WINDOW	64
#define CONTENT "Subject: hello\r\n\r\nfirst\r\n.second\r\n"

struct fixture {
	struct seam seam;
	int queue;
	char dir[64];
	uint64_t attempt;
};

static struct msg_result result;

/* ---- the service ---------------------------------------------------------- */

static void
start(struct fixture *f)
{
	struct conf_domain domain = { .name = "example.org",
		.users = USERS_ANY,
		.deliver = DELIVER_MAILDIR };
	struct conf conf = { .ndomains = 1,
		.domains = &domain,
		.min_uid = 1000,
		.local_concurrency = 4 };

	strcpy(conf.hostname, "mx.example");
	snprintf(domain.path, sizeof domain.path, "%s/box/%%u", f->dir);
	seam_start(&f->seam, "local", &conf);
}

/* The number of UNDERWAY messages before HELLO. */
static unsigned
connect_queue(struct fixture *f, uint32_t instance)
{
	struct msg_underway u;
	struct msg_hello hello;
	struct ipc_msg m;
	unsigned n = 0;

	f->queue = seam_connect(&f->seam, PEER_QUEUE, instance);
	while (seam_recv_within(f->queue, &m, SEAM_MS) &&
	    m.type == AGENT_UNDERWAY) {
		ck_assert_int_eq(msg_underway_get(&m, &u), 0);
		n++;
	}
	ck_assert_uint_eq(m.type, AGENT_HELLO);
	ck_assert_int_eq(msg_hello_get(&m, &hello), 0);
	ck_assert_uint_eq(hello.window, WINDOW);
	return n;
}

static void
set_up(struct fixture *f)
{
	memset(f, 0, sizeof *f);
	strcpy(f->dir, "/tmp/seam-local.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(f->dir));
	ck_assert_int_eq(chmod(f->dir, 0777), 0);
	start(f);
	ck_assert_uint_eq(connect_queue(f, 1), 0);
}

static void
tear_down(struct fixture *f)
{
	char command[128];

	ck_assert_int_eq(seam_stop(&f->seam), 0);
	close(f->queue);
	snprintf(command, sizeof command, "rm -r %s", f->dir);
	ck_assert_int_eq(system(command), 0);
}

/* ---- hand-outs ------------------------------------------------------------ */

static struct msg_deliver
handout(struct fixture *f, const char *user, const char *rcpt)
{
	struct msg_deliver d = { .handout = { ID, ++f->attempt },
		.route = { .kind = ROUTE_MAILDIR_VIRTUAL },
		.sender = SPAN("ann@client.example"),
		.nrcpts = 1,
		.rcpts = { { 0, span_of(rcpt) } },
		.prefix = SPAN("Received: from x\r\n\tby y\r\n"),
		.inlined = true,
		.content = SPAN(CONTENT) };

	d.size = d.content.n;
	snprintf(d.route.path, sizeof d.route.path, "%s/box/%s", f->dir, user);
	return d;
}

static void
send_handout(struct fixture *f, const struct msg_deliver *d, int fd)
{
	msg_deliver_put(seam_body(), d);
	seam_send(f->queue, AGENT_DELIVER, 0, fd);
}

static void
get_result(struct fixture *f)
{
	struct ipc_msg m;

	seam_recv(f->queue, &m, AGENT_RESULT);
	ck_assert_int_eq(msg_result_get(&m, &result), 0);
}

static void
record(struct fixture *f, const struct msg_deliver *d)
{
	const struct msg_recorded r = { d->handout };

	msg_recorded_put(seam_body(), &r);
	seam_send(f->queue, AGENT_RECORDED, 0, -1);
}

/* One recipient, done and recorded: the code. */
static unsigned
deliver(struct fixture *f, const struct msg_deliver *d)
{
	send_handout(f, d, -1);
	get_result(f);
	ck_assert_uint_eq(result.handout.attempt, d->handout.attempt);
	ck_assert_uint_eq(result.nrcpts, 1);
	ck_assert(result.last);
	record(f, d);
	return result.reply.code;
}

/* The names in box/USER/PART; the last one is in `name`. */
static unsigned
entries(const struct fixture *f, const char *user, const char *part, char *name)
{
	char path[256];
	struct dirent *e;
	unsigned n = 0;
	DIR *d;

	snprintf(path, sizeof path, "%s/box/%s/%s", f->dir, user, part);
	if ((d = opendir(path)) == NULL)
		return 0;
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.') {
			snprintf(name, 256, "%s", e->d_name);
			n++;
		}
	closedir(d);
	return n;
}

static size_t
message(const struct fixture *f, const char *user, char *text, size_t size)
{
	char name[256], path[600];
	ssize_t n;
	int fd;

	ck_assert_uint_eq(entries(f, user, "new", name), 1);
	snprintf(path, sizeof path, "%s/box/%s/new/%s", f->dir, user, name);
	fd = open(path, O_RDONLY);
	ck_assert_int_ne(fd, -1);
	n = read(fd, text, size - 1);
	ck_assert_int_ge(n, 0);
	text[n] = '\0';
	close(fd);
	return (size_t)n;
}

START_TEST(a_message_is_delivered)
{
	struct fixture f;
	struct msg_deliver d;
	char text[4096], name[256];

	set_up(&f);
	d = handout(&f, "bob", "bob@example.org");
	ck_assert_uint_eq(deliver(&f, &d), 250);
	message(&f, "bob", text, sizeof text);
	ck_assert_str_eq(text,
	    "Return-Path: <ann@client.example>\n"
	    "Delivered-To: bob@example.org\n"
	    "Received: from x\n\tby y\n"
	    "Subject: hello\n\nfirst\n.second\n");
	ck_assert_uint_eq(entries(&f, "bob", "tmp", name), 0);
	tear_down(&f);
}
END_TEST

START_TEST(a_large_message_comes_by_descriptor)
{
	size_t n = 6 * 524288 + 4; /* not a multiple of any block */
	char *content = malloc(n), *text = malloc(n + 4096);
	struct fixture f;
	struct msg_deliver d;
	size_t got;
	int fd = memfd_create("content", 0);

	ck_assert_int_ne(fd, -1);
	for (size_t i = 0; i < n; i++)
		content[i] = "line\r\n"[i % 6];
	ck_assert_int_eq(write(fd, content, n), (ssize_t)n);
	set_up(&f);
	d = handout(&f, "bob", "bob@example.org");
	d.inlined = false;
	d.size = n;
	send_handout(&f, &d, fd);
	get_result(&f);
	ck_assert_uint_eq(result.reply.code, 250);
	record(&f, &d);
	got = message(&f, "bob", text, n + 4096);
	ck_assert_uint_gt(got, n - n / 6);
	ck_assert_ptr_null(memchr(text, '\r', got));
	ck_assert_int_eq(memcmp(text + got - 9, "line\nline", 9), 0);
	/* Less behind the descriptor than it says: never a short message. */
	d = handout(&f, "short", "short@example.org");
	d.inlined = false;
	d.size = n + 1;
	send_handout(&f, &d, fd);
	ck_assert(seam_closed(f.queue));
	connect_queue(&f, 2);
	free(content);
	free(text);
	close(fd);
	tear_down(&f);
}
END_TEST

START_TEST(recipients_of_one_mailbox_get_a_file_each)
{
	struct fixture f;
	struct msg_deliver d;
	char name[256];

	set_up(&f);
	d = handout(&f, "bob", "bob@example.org");
	d.nrcpts = 3;
	d.rcpts[1] = (struct deliver_rcpt){ 7, SPAN("bob+a@example.org") };
	d.rcpts[2] = (struct deliver_rcpt){ 9, SPAN("bob+b@example.org") };
	send_handout(&f, &d, -1);
	get_result(&f);
	ck_assert_uint_eq(result.nrcpts, 3);
	ck_assert(result.last);
	ck_assert_uint_eq(entries(&f, "bob", "new", name), 3);
	record(&f, &d);
	tear_down(&f);
}
END_TEST

START_TEST(a_repeated_delivery_finds_what_is_there)
{
	struct fixture f;
	struct msg_deliver d;
	char name[256], from[600], to[600];

	set_up(&f);
	d = handout(&f, "bob", "bob@example.org");
	ck_assert_uint_eq(deliver(&f, &d), 250);
	/* In new/ … */
	d = handout(&f, "bob", "bob@example.org");
	d.maybe = true;
	ck_assert_uint_eq(deliver(&f, &d), 250);
	ck_assert_uint_eq(entries(&f, "bob", "new", name), 1);
	/* … and seen by its reader, with what a killed attempt left. */
	snprintf(from, sizeof from, "%s/box/bob/new/%s", f.dir, name);
	snprintf(to, sizeof to, "%s/box/bob/cur/%s:2,S", f.dir, name);
	ck_assert_int_eq(rename(from, to), 0);
	snprintf(to, sizeof to, "%s/box/bob/tmp/%s.A77", f.dir, name);
	close(open(to, O_CREAT | O_WRONLY, 0600));
	d = handout(&f, "bob", "bob@example.org");
	d.maybe = true;
	ck_assert_uint_eq(deliver(&f, &d), 250);
	ck_assert_uint_eq(entries(&f, "bob", "new", name), 0);
	ck_assert_uint_eq(entries(&f, "bob", "cur", name), 1);
	ck_assert_uint_eq(entries(&f, "bob", "tmp", name), 0);
	tear_down(&f);
}
END_TEST

START_TEST(our_own_delivered_to_is_a_loop)
{
	struct fixture f;
	struct msg_deliver d;
	char name[256];

	set_up(&f);
	d = handout(&f, "bob", "bob@example.org");
	d.content = SPAN("Delivered-To: Bob@Example.org\r\n\r\nx\r\n");
	d.size = d.content.n;
	ck_assert_uint_eq(deliver(&f, &d), 554);
	ck_assert_uint_eq(result.reply.esc.subject, 4);
	ck_assert_uint_eq(result.reply.esc.detail, 6);
	ck_assert_uint_eq(entries(&f, "bob", "new", name), 0);
	tear_down(&f);
}
END_TEST

START_TEST(what_may_not_be_is_refused)
{
	static const struct {
		const char *path, *user;
		enum route_kind kind;
		unsigned code;
	} rows[] = {
		{ "%s/box/../evil", "", ROUTE_MAILDIR_VIRTUAL, 451 },
		{ "%s/box/a//b", "", ROUTE_MAILDIR_VIRTUAL, 451 },
		{ "%s/box/.", "", ROUTE_MAILDIR_VIRTUAL, 451 },
		/* beside the mailboxes */
		{ "%s/evil", "", ROUTE_MAILDIR_VIRTUAL, 451 },
		/* an owner that no domain has */
		{ "%s/box/bob", "root", ROUTE_MAILDIR_VIRTUAL, 451 },
		/* no domain has system users */
		{ "Maildir%.0s", "root", ROUTE_MAILDIR_SYSTEM, 550 },
	};
	struct fixture f;
	char name[256];
	unsigned n = 0;

	set_up(&f);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++, n++) {
		struct msg_deliver d = handout(&f, "x", "x@example.org");

		d.route.kind = rows[i].kind;
		strcpy(d.route.user, rows[i].user);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(
		    d.route.path, sizeof d.route.path, rows[i].path, f.dir);
#pragma GCC diagnostic pop
		ck_assert_msg(deliver(&f, &d) == rows[i].code, "%s: %u %s",
		    rows[i].path, result.reply.code, result.reply.text);
	}
	ck_assert_uint_eq(n, sizeof rows / sizeof *rows);
	ck_assert_uint_eq(entries(&f, "../evil", "new", name), 0);
	tear_down(&f);
}
END_TEST

START_TEST(a_mailbox_that_points_elsewhere_is_not_used)
{
	char path[256], name[256];
	struct fixture f;
	struct msg_deliver d;

	set_up(&f);
	snprintf(path, sizeof path, "%s/box", f.dir);
	ck_assert_int_eq(mkdir(path, 0755), 0);
	ck_assert_int_eq(chmod(path, 0777), 0);
	snprintf(path, sizeof path, "%s/box/bob", f.dir);
	ck_assert_int_eq(symlink("/tmp", path), 0);
	d = handout(&f, "bob", "bob@example.org");
	ck_assert_uint_eq(deliver(&f, &d), 451);
	ck_assert_uint_eq(result.reply.esc.subject, 3);
	ck_assert_uint_eq(result.reply.esc.detail, 5);
	ck_assert_uint_eq(entries(&f, "bob", "new", name), 0);
	tear_down(&f);
}
END_TEST

START_TEST(results_wait_for_the_next_queue)
{
	struct fixture f;
	struct msg_deliver one, two;

	set_up(&f);
	one = handout(&f, "bob", "bob@example.org");
	send_handout(&f, &one, -1);
	get_result(&f);
	/* Nothing was recorded when queue died; another one comes. */
	close(f.queue);
	ck_assert_uint_eq(connect_queue(&f, 2), 1);
	get_result(&f);
	ck_assert_uint_eq(result.handout.attempt, one.handout.attempt);
	ck_assert_uint_eq(result.reply.code, 250);
	record(&f, &one);
	two = handout(&f, "ann", "ann@example.org");
	ck_assert_uint_eq(deliver(&f, &two), 250);
	close(f.queue);
	ck_assert_uint_eq(connect_queue(&f, 3), 0);
	tear_down(&f);
}
END_TEST

/* A FIFO in the place of a directory does not hold up a child; what does is the
 * test's SIGSTOP.  The pid of the one child that there is. */
static pid_t
child_of(const struct fixture *f)
{
	char path[64], text[256] = "";
	int fd;

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", f->seam.pid,
	    f->seam.pid);
	if ((fd = open(path, O_RDONLY)) == -1)
		return 0;
	ck_assert_int_ge(read(fd, text, sizeof text - 1), 0);
	close(fd);
	return atoi(text);
}

START_TEST(a_child_that_dies_takes_only_its_own)
{
	struct fixture f;
	struct msg_deliver d;
	pid_t child;

	set_up(&f);
	d = handout(&f, "bob", "bob@example.org");
	ck_assert_uint_eq(deliver(&f, &d), 250);
	child = child_of(&f);
	ck_assert_int_gt(child, 0);
	ck_assert_int_eq(kill(child, SIGSTOP), 0);
	d = handout(&f, "ann", "ann@example.org");
	send_handout(&f, &d, -1);
	usleep(100000);
	ck_assert_int_eq(kill(child, SIGKILL), 0);
	get_result(&f);
	ck_assert_uint_eq(result.reply.code, 451);
	ck_assert(result.last);
	record(&f, &d);
	d = handout(&f, "ann", "ann@example.org");
	d.maybe = true;
	ck_assert_uint_eq(deliver(&f, &d), 250);
	tear_down(&f);
}
END_TEST

START_TEST(a_child_ends_when_it_has_no_work)
{
	struct fixture f;
	struct msg_deliver d;

	set_up(&f);
	d = handout(&f, "bob", "bob@example.org");
	ck_assert_uint_eq(deliver(&f, &d), 250);
	ck_assert_int_gt(child_of(&f), 0);
	for (int i = 0; i < 100 && child_of(&f) != 0; i++)
		usleep(100000);
	ck_assert_int_eq(child_of(&f), 0);
	d = handout(&f, "ann", "ann@example.org");
	ck_assert_uint_eq(deliver(&f, &d), 250);
	tear_down(&f);
}
END_TEST

/* Killed without a word, its child finishes what it has. */
START_TEST(a_delivery_survives_the_death_of_local)
{
	struct fixture f;
	struct msg_deliver d;
	char name[256];
	pid_t child;

	set_up(&f);
	d = handout(&f, "bob", "bob@example.org");
	ck_assert_uint_eq(deliver(&f, &d), 250);
	child = child_of(&f);
	ck_assert_int_eq(kill(child, SIGSTOP), 0);
	d = handout(&f, "ann", "ann@example.org");
	send_handout(&f, &d, -1);
	usleep(100000);
	ck_assert_int_eq(kill(f.seam.pid, SIGKILL), 0);
	ck_assert_int_eq(seam_wait(&f.seam), -1);
	ck_assert_uint_eq(entries(&f, "ann", "new", name), 0);
	ck_assert_int_eq(kill(child, SIGCONT), 0);
	for (int i = 0; i < 100 && kill(child, 0) == 0; i++)
		usleep(100000);
	ck_assert_uint_eq(entries(&f, "ann", "new", name), 1);
	/* The next one has it at once, and only once. */
	close(f.queue);
	start(&f);
	connect_queue(&f, 2);
	d = handout(&f, "ann", "ann@example.org");
	d.maybe = true;
	ck_assert_uint_eq(deliver(&f, &d), 250);
	ck_assert_uint_eq(entries(&f, "ann", "new", name), 1);
	tear_down(&f);
}
END_TEST

START_TEST(many_at_once_all_arrive)
{
	struct fixture f;
	struct msg_deliver d;
	char name[256], user[16], rcpt[64];
	unsigned done = 0, sent = 0;

	set_up(&f);
	while (done < 500) {
		while (sent < 500 && sent - done < WINDOW) {
			snprintf(user, sizeof user, "u%u", sent % 7);
			snprintf(rcpt, sizeof rcpt, "%s@example.org", user);
			d = handout(&f, user, rcpt);
			d.rcpts[0].index = sent++;
			send_handout(&f, &d, -1);
		}
		get_result(&f);
		ck_assert_uint_eq(result.reply.code, 250);
		d.handout = result.handout;
		record(&f, &d);
		done++;
	}
	done = 0;
	for (unsigned i = 0; i < 7; i++) {
		snprintf(user, sizeof user, "u%u", i);
		done += entries(&f, user, "new", name);
	}
	ck_assert_uint_eq(done, 500);
	tear_down(&f);
}
END_TEST

START_TEST(more_than_the_window_is_a_fault)
{
	struct fixture f;
	struct msg_deliver d;
	pid_t child;

	set_up(&f);
	d = handout(&f, "bob", "bob@example.org");
	ck_assert_uint_eq(deliver(&f, &d), 250);
	child = child_of(&f);
	ck_assert_int_eq(kill(child, SIGSTOP), 0);
	for (unsigned i = 0; i <= WINDOW; i++) {
		d = handout(&f, "bob", "bob@example.org");
		d.rcpts[0].index = 1 + i;
		send_handout(&f, &d, -1);
	}
	ck_assert(seam_closed(f.queue));
	close(f.queue);
	ck_assert_uint_eq(connect_queue(&f, 2), WINDOW);
	ck_assert_int_eq(kill(child, SIGCONT), 0);
	for (unsigned i = 0; i < WINDOW; i++) {
		get_result(&f);
		ck_assert_uint_eq(result.reply.code, 250);
		d.handout = result.handout;
		record(&f, &d);
	}
	tear_down(&f);
}
END_TEST

START_TEST(nonsense_closes_the_channel_and_nothing_else)
{
	struct fixture f;
	struct msg_deliver d;

	set_up(&f);
	for (int i = 0; i < 5; i++) {
		d = handout(&f, "bob", "bob@example.org");
		if (i == 0) { /* the same recipient twice */
			d.nrcpts = 2;
			d.rcpts[1] = d.rcpts[0];
		} else if (i == 1) /* for remote */
			d.route = (struct route){ .kind = ROUTE_MX,
				.host = "example.org" };
		if (i < 2)
			send_handout(&f, &d, -1);
		else if (i == 2) /* not handed out */
			record(&f, &d);
		else if (i == 3) { /* twice */
			send_handout(&f, &d, -1);
			get_result(&f);
			send_handout(&f, &d, -1);
		} else {
			seam_body();
			seam_send(f.queue, AGENT_HELLO, 0, -1);
		}
		ck_assert_msg(seam_closed(f.queue), "case %d", i);
		close(f.queue);
		ck_assert_uint_eq(connect_queue(&f, 2), i >= 3);
		if (i >= 3)
			get_result(&f);
	}
	d = handout(&f, "ann", "ann@example.org");
	ck_assert_uint_eq(deliver(&f, &d), 250);
	close(f.queue);
	tear_down(&f);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("local");
	TCase *t = tcase_create("local");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, a_message_is_delivered);
	tcase_add_test(t, a_large_message_comes_by_descriptor);
	tcase_add_test(t, recipients_of_one_mailbox_get_a_file_each);
	tcase_add_test(t, a_repeated_delivery_finds_what_is_there);
	tcase_add_test(t, our_own_delivered_to_is_a_loop);
	tcase_add_test(t, what_may_not_be_is_refused);
	tcase_add_test(t, a_mailbox_that_points_elsewhere_is_not_used);
	tcase_add_test(t, results_wait_for_the_next_queue);
	tcase_add_test(t, a_child_that_dies_takes_only_its_own);
	tcase_add_test(t, a_child_ends_when_it_has_no_work);
	tcase_add_test(t, a_delivery_survives_the_death_of_local);
	tcase_add_test(t, many_at_once_all_arrive);
	tcase_add_test(t, more_than_the_window_is_a_fault);
	tcase_add_test(t, nonsense_closes_the_channel_and_nothing_else);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
