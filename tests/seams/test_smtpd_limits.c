/*
 * test_smtpd_limits.c - the real smtpd: what hundreds of clients together may
 * hold, and that they keep nobody else out.
 */
#include <sys/resource.h>
#include <sys/socket.h>

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/msg/master.h"
#include "common/msg/smtpd_lookup.h"
#include "common/msg/smtpd_queue.h"
#include "tests/seams/client.h"
#include "tests/seams/smtpd_house.h"

#define LARGE 70000		       /* does not fit a packet */
#define OPENS (SMTPD_QUEUE_WINDOW / 2) /* smtpd.h */
#define KEPT  60000		       /* fits, and is kept until its end */
/* More of those than all connections may keep; memory.c. */
#define HOLDERS (64 * 1024 * 1024 / KEPT + 20)

static struct smtpd_house *h;

static void
set_up(void)
{
	struct rlimit many = { 8192, 8192 };
	struct rlimit now;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &now), 0);
	if (now.rlim_max > many.rlim_max)
		many.rlim_max = now.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &many), 0);
	h = start("reject", 100, 300);
}

/* So much of it, as queue would. */
static void
drain(int pipe, size_t n)
{
	static char got[65536];

	while (n > 0) {
		struct pollfd f = { .fd = pipe, .events = POLLIN };
		ssize_t k;

		ck_assert_int_eq(poll(&f, 1, SEAM_MS), 1);
		k = read(pipe, got, sizeof got);
		ck_assert_int_gt(k, 0);
		n -= (size_t)k;
	}
}

static void
small_message_passes(void)
{
	greet();
	begin_message();
	client_say(h->client, "text\r\n.");
	for (;;) {
		ck_assert(seam_recv_within(h->queue, &h->k, SEAM_MS));
		if (h->k.type == QUEUE_SUBMIT)
			break;
		ck_assert_uint_eq(h->k.type, QUEUE_ABORT);
	}
	queue_says(250, "done");
	client_expect(h->client, "250 done");
	close(h->client);
}

/* As many large messages as there may be, in the middle of their content; the
 * first one's id, and its client. */
static uint32_t
open_all(const char *content, int *client)
{
	uint32_t first = 0;

	for (int i = 0; i < OPENS; i++) {
		int pipe;

		greet();
		begin_message();
		client_send(h->client, content, LARGE);
		pipe = expect_open(1);
		if (i == 0) {
			first = h->k.id;
			*client = h->client;
		}
		seam_recv(h->queue, &h->k, QUEUE_RCPTS);
		drain(pipe, LARGE);
	}
	return first;
}

START_TEST(queue_lost_while_others_stand_in_line)
{
	char *content = make_content(LARGE);
	int clients[3] = { -1 };

	open_all(content, &clients[0]);
	for (int i = 1; i < 3; i++) {
		greet();
		begin_message();
		clients[i] = h->client;
		client_send(clients[i], content, LARGE);
	}
	/* This one has all of it there. */
	client_say(clients[2], ".");
	silence(h->queue);
	close(h->queue);
	client_expect(clients[2], "451 4.3.0");
	h->queue = seam_connect(&h->d, PEER_QUEUE, 0);
	for (int i = 0; i < 2; i++) {
		client_say(clients[i], ".");
		client_expect(clients[i], "451 4.3.0");
	}
	/* Their places are free again. */
	greet();
	begin_message();
	client_send(h->client, content, LARGE);
	close(expect_open(1));
	seam_recv(h->queue, &h->k, QUEUE_RCPTS);
	small_message_passes();
	free(content);
	stop();
}
END_TEST

START_TEST(slow_large_messages_keep_out_nobody)
{
	char *content = make_content(LARGE);
	int late;
	uint32_t first = open_all(content, &late);

	/* One more has to wait… */
	greet();
	begin_message();
	late = h->client;
	client_send(late, content, LARGE);
	silence(h->queue);
	/* … and a small one has not. */
	small_message_passes();
	/* Those who could have gone on and did not make room. */
	do {
		seam_recv(h->queue, &h->k, QUEUE_ABORT);
		first = h->k.id == first ? 0 : first;
	} while (first != 0);
	while (h->k.type == QUEUE_ABORT)
		ck_assert(seam_recv_within(h->queue, &h->k, SEAM_MS));
	ck_assert_uint_eq(h->k.type, QUEUE_OPEN);
	close(h->k.fd);
	free(content);
	stop();
}
END_TEST

START_TEST(what_all_keep_together_has_a_bound)
{
	char *content = make_content(KEPT);
	int first = -1, second = -1;

	for (int i = 0; i < HOLDERS; i++) {
		greet();
		begin_message();
		client_send(h->client, content, KEPT);
		if (i == 0)
			first = h->client;
		else if (i == 1)
			second = h->client;
	}
	silence(h->queue);
	/* Who kept it longest is told to come again, in step. */
	client_say(first, ".");
	client_expect(first, "452 4.3.1");
	client_say(second, ".");
	client_expect(second, "452 4.3.1");
	client_say(first, "NOOP");
	client_expect(first, "250");
	/* The last one was not. */
	client_say(h->client, ".");
	seam_recv(h->queue, &h->k, QUEUE_SUBMIT);
	queue_says(250, "done");
	client_expect(h->client, "250 done");
	small_message_passes();
	free(content);
	stop();
}
END_TEST

START_TEST(a_client_that_is_reset_is_noticed_while_nothing_is_read)
{
	static const struct linger reset = { .l_onoff = 1, .l_linger = 0 };
	char *content = make_content(1024 * 1024);

	greet();
	begin_message();
	ck_assert_int_eq(fcntl(h->client, F_SETFL, O_NONBLOCK), 0);
	try_send(content, 1024 * 1024);
	expect_open(1); /* nobody reads it: smtpd waits for queue */
	seam_recv(h->queue, &h->k, QUEUE_RCPTS);
	silence(h->queue);
	ck_assert_int_eq(
	    setsockopt(h->client, SOL_SOCKET, SO_LINGER, &reset, sizeof reset),
	    0);
	close(h->client);
	ck_assert(seam_recv_within(h->queue, &h->k, 5000));
	ck_assert_uint_eq(h->k.type, QUEUE_ABORT);
	seam_recv(h->lookup, &h->k, LOOKUP_GONE);
	free(content);
	stop();
}
END_TEST

/* Clock ticks that the process has used. */
static unsigned long
used(void)
{
	unsigned long user = 0, system = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)h->d.pid);
	ck_assert_ptr_nonnull(f = fopen(path, "r"));
	ck_assert_int_eq(fscanf(f,
			     "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u "
			     "%*u %lu %lu",
			     &user, &system),
	    2);
	fclose(f);
	return user + system;
}

#define FEW 40

static void
set_up_few(void)
{
	struct rlimit before;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	ck_assert_int_eq(
	    setrlimit(RLIMIT_NOFILE, &(struct rlimit){ FEW, before.rlim_max }),
	    0);
	h = start("reject", 100, 300);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
}

/* Descriptors that the process has. */
static int
has(void)
{
	char path[64];
	int n = 0;
	DIR *dir;

	snprintf(path, sizeof path, "/proc/%d/fd", (int)h->d.pid);
	ck_assert_ptr_nonnull(dir = opendir(path));
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n - 2;
}

START_TEST(strangers_do_not_get_all_descriptors)
{
	int clients[FEW], n = 0;

	/* As many as there may be; the next one hears why not. */
	do {
		ck_assert_int_lt(n, FEW);
		clients[n++] = client_connect(h->port);
		if (!seam_recv_within(h->lookup, &h->k, 500))
			break;
		answer(
		    h->lookup, LOOKUP_CLIENT, h->k.id, 220, SCOPE_SESSION, "");
	} while (true);
	client_expect(clients[n - 1], "421 4.7.0");
	ck_assert_int_gt(n, 2);
	/* There is room for a new lookup. */
	close(h->lookup);
	h->lookup = seam_connect(&h->d, PEER_LOOKUP, 0);
	for (int i = 0; i < n - 1; i++)
		admit();
	client_expect(clients[0], "220 ");
	client_say(clients[0], "HELO c");
	client_expect(clients[0], "250 ");
	stop();
}
END_TEST

START_TEST(without_descriptors_it_waits_and_does_not_spin)
{
	unsigned long ticks;
	int clients[3];

	/* What it was sent at its start has come, and this client is gone. */
	greet();
	close(h->client);
	seam_recv(h->lookup, &h->k, LOOKUP_GONE);
	silence(h->lookup);
	/* Others than strangers have them. */
	for (int n = has(); n < FEW - 2; n++) {
		uint16_t port = 0;
		int fd = seam_listen("127.0.0.1", &port);

		msg_listener_put(seam_body(), &(struct msg_listener){ 0 });
		seam_send(h->d.master, MASTER_LISTENER, 0, fd);
		close(fd);
		for (int i = 0; i < 1000 && has() == n; i++)
			usleep(1000);
		ck_assert_int_eq(has(), n + 1);
	}
	for (int i = 0; i < 3; i++) {
		clients[i] = client_connect(h->port);
		if (i < 2)
			admit();
	}
	silence(h->lookup);
	ticks = used();
	usleep(2000000);
	/* A tenth of the time would be spinning. */
	ck_assert_uint_lt(
	    used() - ticks, (unsigned long)sysconf(_SC_CLK_TCK) / 5);
	/* Somebody leaves, and the one that waited is served. */
	close(clients[0]);
	seam_recv(h->lookup, &h->k, LOOKUP_GONE);
	admit();
	client_expect(clients[2], "220 ");
	stop();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("smtpd_limits");
	TCase *tc = tcase_create("limits");
	SRunner *r;
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, set_up, NULL);
	suite_add_tcase(s, tc);
	tcase_add_test(tc, slow_large_messages_keep_out_nobody);
	tcase_add_test(tc, queue_lost_while_others_stand_in_line);
	tcase_add_test(tc, what_all_keep_together_has_a_bound);
	tcase_add_test(
	    tc, a_client_that_is_reset_is_noticed_while_nothing_is_read);
	tc = tcase_create("descriptors");
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, set_up_few, NULL);
	suite_add_tcase(s, tc);
	tcase_add_test(tc, strangers_do_not_get_all_descriptors);
	tcase_add_test(tc, without_descriptors_it_waits_and_does_not_spin);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
