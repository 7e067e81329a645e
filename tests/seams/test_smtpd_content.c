/*
 * test_smtpd_content.c - the real smtpd: content on its way to queue, through
 * the pipe and at queue's pace.
 */
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/msg/smtpd_lookup.h"
#include "common/msg/smtpd_queue.h"
#include "tests/seams/client.h"
#include "tests/seams/smtpd_house.h"

#define BIG (3 * 1024 * 1024)

static struct smtpd_house *h;

static void
set_up(void)
{
	h = start("reject", 100, 300);
}

/* ---- through the pipe -------------------------------------------------- */

static uint32_t
expect_rcpts(uint32_t id)
{
	struct msg_rcpts m;

	seam_recv(h->queue, &h->k, QUEUE_RCPTS);
	ck_assert_uint_eq(h->k.id, id);
	ck_assert_int_eq(msg_rcpts_get(&h->k, &m), 0);
	return m.rcpts.n;
}

/* All there is in the pipe now, held against content (which may be sent more
 * than once) at *at. */
static void
drain(int pipe, const char *content, size_t *at)
{
	static char got[65536];
	ssize_t n;

	while ((n = read(pipe, got, sizeof got)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			ck_assert(got[i] == content[(*at)++ % BIG]);
	}
}

/* Until so many octets have come through. */
static void
drain_to(int pipe, const char *content, size_t *at, size_t n)
{
	while (*at < n) {
		struct pollfd f = { .fd = pipe, .events = POLLIN };

		ck_assert_int_eq(poll(&f, 1, SEAM_MS), 1);
		drain(pipe, content, at);
	}
}

/* The client sends it while queue reads. */
static void
send_through(int pipe, const char *p, size_t n, const char *content, size_t *at)
{
	size_t sent = 0;

	while (sent < n) {
		drain(pipe, content, at);
		sent += try_send(p + sent, n - sent);
	}
}

START_TEST(a_large_message_goes_through_a_pipe_at_queues_pace)
{
	char *content = make_content(BIG);
	struct msg_end end;
	size_t sent, got = 0;
	int pipe;

	greet();
	ck_assert_int_eq(fcntl(h->client, F_SETFL, O_NONBLOCK), 0);
	begin_message();
	/* Nobody reads the pipe: the client comes to a stand. */
	sent = try_send(content, BIG);
	ck_assert_uint_gt(sent, 64 * 1024);
	pipe = expect_open(1);
	ck_assert_uint_eq(expect_rcpts(h->k.id), 1);
	send_through(pipe, content + sent, BIG - sent, content, &got);
	send_through(pipe, ".\r\n", 3, content, &got);
	drain_to(pipe, content, &got, BIG);
	seam_recv(h->queue, &h->k, QUEUE_END);
	ck_assert_int_eq(msg_end_get(&h->k, &end), 0);
	ck_assert_uint_eq(end.size, BIG);
	ck_assert_int_eq(read(pipe, content, 1), 0);
	queue_says(250, "done");
	client_expect(h->client, "250 done");
	free(content);
	stop();
}
END_TEST

START_TEST(recipients_that_fill_no_packet_come_in_several)
{
	char text[1000 * 120];
	char *content = make_content(60000);
	size_t n = 0, got = 0;
	uint32_t total = 0, id;
	int pipe;

	greet();
	client_say(h->client, "MAIL FROM:<>");
	client_expect(h->client, "250");
	for (int i = 0; i < 1000; i++)
		n += (size_t)snprintf(text + n, sizeof text - n,
		    "RCPT TO:<a-quite-long-local-part-for-many-octets-%d"
		    "@a-quite-long-domain.relay.example>\r\n",
		    i);
	client_send(h->client, text, n);
	seam_recv(h->lookup, &h->k, LOOKUP_RCPT);
	answer(h->lookup, LOOKUP_VERDICT, h->k.id, 250, SCOPE_SESSION, "yes");
	for (int i = 0; i < 1000; i++)
		client_expect(h->client, "250 yes");
	client_say(h->client, "DATA");
	client_expect(h->client, "354");
	client_send(h->client, content, 60000);
	client_say(h->client, ".");
	pipe = expect_open(1000);
	id = h->k.id;
	for (int i = 0; i < 4; i++)
		total += expect_rcpts(id);
	ck_assert_uint_eq(total, 1000);
	drain_to(pipe, content, &got, 60000);
	seam_recv(h->queue, &h->k, QUEUE_END);
	queue_says(250, "done");
	client_expect(h->client, "250 done");
	free(content);
	stop();
}
END_TEST

START_TEST(an_early_answer_is_given_at_the_end_of_the_data)
{
	char *content = make_content(BIG);
	int pipe;

	greet();
	begin_message();
	client_send(h->client, content, 200000);
	pipe = expect_open(1);
	queue_says(452, "full");
	if (_i == 1)
		close(pipe);
	expect_rcpts(h->k.id);
	client_send(h->client, content, BIG);
	client_say(h->client, ".");
	client_expect(h->client, "452 full");
	/* Nothing more of it. */
	silence(h->queue);
	client_say(h->client, "NOOP");
	client_expect(h->client, "250");
	free(content);
	stop();
}
END_TEST

/* What comes after OPEN, how often all of content before it, and the reply. */
static const struct {
	const char *rest;
	int times;
	const char *reply;
} faults[] = {
	{ "bare\nline\r\n.\r\n", 0, "550 5.6.0" },
	{ ".\r\n", 2, "552 5.3.4" },
};

START_TEST(what_is_refused_after_open_is_aborted)
{
	char *content = make_content(BIG);
	size_t got = 0;
	uint32_t id;
	int pipe;

	greet();
	ck_assert_int_eq(fcntl(h->client, F_SETFL, O_NONBLOCK), 0);
	begin_message();
	client_send(h->client, content, 100000);
	pipe = expect_open(1);
	id = h->k.id;
	expect_rcpts(id);
	drain_to(pipe, content, &got, 100000);
	for (int i = 0; i < faults[_i].times; i++) {
		got = 0;
		send_through(pipe, content, BIG, content, &got);
		if (i == 0)
			drain_to(pipe, content, &got, BIG);
	}
	client_send(h->client, faults[_i].rest, strlen(faults[_i].rest));
	/* What stands in the kernel's buffers must get through first. */
	while (!seam_recv_within(h->queue, &h->k, 100))
		drain(pipe, content, &got);
	ck_assert_uint_eq(h->k.type, QUEUE_ABORT);
	ck_assert_uint_eq(h->k.id, id);
	client_expect(h->client, faults[_i].reply);
	client_say(h->client, "NOOP");
	client_expect(h->client, "250");
	free(content);
	stop();
}
END_TEST

START_TEST(a_client_that_vanishes_leaves_nothing)
{
	char *content = make_content(BIG);
	size_t got = 0;
	int pipe = -1;

	greet();
	begin_message();
	client_send(h->client, content, _i == 0 ? 1000 : 100000);
	if (_i == 1) {
		pipe = expect_open(1);
		expect_rcpts(h->k.id);
	}
	close(h->client);
	if (_i == 1) {
		drain_to(pipe, content, &got, 100000);
		seam_recv(h->queue, &h->k, QUEUE_ABORT);
		ck_assert_int_eq(read(pipe, content, 1), 0);
	}
	seam_recv(h->lookup, &h->k, LOOKUP_GONE);
	silence(h->queue);
	free(content);
	stop();
}
END_TEST

#define MANY 60

START_TEST(more_than_queue_takes_at_once_waits_and_goes_on)
{
	char *content = make_content(60000);
	int clients[MANY];

	for (int i = 0; i < MANY; i++) {
		greet();
		begin_message();
		clients[i] = h->client;
	}
	/* Twice: who had to wait is served the next time, too. */
	for (int turn = 0; turn < 2; turn++) {
		for (int i = 0; i < MANY; i++) {
			client_send(clients[i], content, 60000);
			client_say(clients[i], ".");
		}
		silence(h->d.master);
		for (int i = 0; i < MANY; i++) {
			seam_recv(h->queue, &h->k, QUEUE_SUBMIT);
			queue_says(250, "done");
		}
		for (int i = 0; i < MANY; i++) {
			h->client = clients[i];
			client_expect(h->client, "250 done");
			if (turn == 0)
				begin_message();
		}
	}
	free(content);
	stop();
}
END_TEST

#define COUNT(table) (int)(sizeof table / sizeof *table)

static TCase *
add(Suite *s, const char *name, void (*fixture)(void))
{
	TCase *tc = tcase_create(name);

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, fixture, NULL);
	suite_add_tcase(s, tc);
	return tc;
}

int
main(void)
{
	Suite *s = suite_create("smtpd_content");
	TCase *tc;
	SRunner *r;
	int failed;

	tc = add(s, "content", set_up);
	tcase_add_test(tc, a_large_message_goes_through_a_pipe_at_queues_pace);
	tcase_add_test(tc, recipients_that_fill_no_packet_come_in_several);
	tcase_add_loop_test(
	    tc, an_early_answer_is_given_at_the_end_of_the_data, 0, 2);
	tcase_add_loop_test(
	    tc, what_is_refused_after_open_is_aborted, 0, COUNT(faults));
	tcase_add_loop_test(tc, a_client_that_vanishes_leaves_nothing, 0, 2);
	tcase_add_test(tc, more_than_queue_takes_at_once_waits_and_goes_on);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
