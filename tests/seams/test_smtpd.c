/*
 * test_smtpd.c - the real smtpd between a client and this test, which is master,
 * lookup and queue.
 *
 * What the dialogues cannot show: what goes to whom and when, newlines, time
 * limits, and the end.
 */
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/msg/master.h"
#include "common/msg/smtpd_lookup.h"
#include "common/msg/smtpd_queue.h"
#include "tests/seams/client.h"
#include "tests/seams/smtpd_house.h"

static struct smtpd_house *h;

static void
set_up(void)
{
	h = start("reject", 100, 300);
}

static void
set_up_convert(void)
{
	h = start("convert", 100, 300);
}

static void
set_up_short(void)
{
	h = start("reject", 5, 1);
}

static void
set_up_generous(void)
{
	h = start("reject", UINT32_MAX, 300);
}

/* ---- messages ---------------------------------------------------------- */

START_TEST(a_message_is_one_packet)
{
	struct msg_submit m;
	struct msg_gone gone;
	struct span rcpt;
	uint32_t session;

	h->client = client_connect(h->port);
	session = admit();
	client_expect(h->client, "220 ");
	client_say(h->client, "HELO client.example");
	client_expect(h->client, "250 mail.example.org");
	begin_message();
	client_say(h->client, "Subject: x\r\n\r\n..dot\r\n.");
	seam_recv(h->queue, &h->k, QUEUE_SUBMIT);
	ck_assert_int_eq(msg_submit_get(&h->k, &m), 0);
	ck_assert(span_is(m.envelope.sender, "a@client.example"));
	ck_assert(span_is(m.envelope.helo, "client.example"));
	ck_assert(span_is(m.envelope.client, "127.0.0.1"));
	ck_assert_int_eq(m.envelope.with, WITH_SMTP);
	ck_assert_uint_eq(m.envelope.nrcpts, 1);
	ck_assert(rcpts_next(&m.rcpts, &rcpt));
	ck_assert(span_is(rcpt, "b@example.org"));
	ck_assert(span_eq(m.content, SPAN("Subject: x\r\n\r\n.dot\r\n")));
	queue_says(250, "0123456789abcdef queued");
	client_expect(h->client, "250 0123456789abcdef queued\r\n");
	client_say(h->client, "QUIT");
	client_expect(h->client, "221");
	client_expect_end(h->client);
	seam_recv(h->lookup, &h->k, LOOKUP_GONE);
	ck_assert_int_eq(msg_gone_get(&h->k, &gone), 0);
	ck_assert_uint_eq(gone.session, session);
	stop();
}
END_TEST

START_TEST(commands_that_come_together_are_answered_in_order)
{
	struct msg_submit m;

	h->client = client_connect(h->port);
	admit();
	client_say(h->client,
	    "EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@x.example>\r\n"
	    "RCPT TO:<b@y.example>\r\nRCPT TO:<c@x.example>\r\nDATA\r\n"
	    "text\r\n.\r\nMAIL FROM:<>\r\nQUIT");
	/* RFC 2920 section 3.2: what is known is said before any wait. */
	client_expect(h->client, "220");
	client_expect_lines(h->client, "250");
	client_expect(h->client, "250 2.1.0");
	seam_recv(h->lookup, &h->k, LOOKUP_RCPT);
	answer(h->lookup, LOOKUP_VERDICT, h->k.id, 250, SCOPE_DOMAIN, "one");
	client_expect(h->client, "250 one");
	judge("b@y.example", 550, SCOPE_RECIPIENT);
	client_expect(h->client, "550 verdict");
	client_expect(h->client, "250 one"); /* not asked again */
	client_expect(h->client, "354");
	seam_recv(h->queue, &h->k, QUEUE_SUBMIT);
	ck_assert_int_eq(msg_submit_get(&h->k, &m), 0);
	ck_assert_uint_eq(m.envelope.nrcpts, 2);
	queue_says(250, "done");
	client_expect(h->client, "250 done");
	client_expect(h->client, "250 2.1.0");
	client_expect(h->client, "221");
	client_expect_end(h->client);
	stop();
}
END_TEST

START_TEST(a_thousand_recipients_of_one_domain_are_one_question)
{
	char text[1000 * 40];
	size_t n = 0;
	struct msg_submit m;
	struct span rcpt;
	uint32_t count = 0;

	greet();
	for (int i = 0; i < 1000; i++)
		n += (size_t)snprintf(text + n, sizeof text - n,
		    "RCPT TO:<u%d@relay.example>\r\n", i);
	client_say(h->client, "MAIL FROM:<>");
	client_expect(h->client, "250");
	client_send(h->client, text, n);
	judge("u0@relay.example", 250, SCOPE_DOMAIN);
	for (int i = 0; i < 1000; i++)
		client_expect(h->client, "250 verdict");
	client_say(h->client, "DATA\r\n.");
	client_expect(h->client, "354");
	seam_recv(h->queue, &h->k, QUEUE_SUBMIT);
	ck_assert_int_eq(msg_submit_get(&h->k, &m), 0);
	while (rcpts_next(&m.rcpts, &rcpt))
		count++;
	ck_assert_uint_eq(count, 1000);
	ck_assert_uint_eq(m.content.n, 0);
	queue_says(250, "done");
	client_expect(h->client, "250 done");
	silence(h->lookup);
	stop();
}
END_TEST

/* ---- newlines ---------------------------------------------------------- */

START_TEST(bare_newlines_are_refused_in_step)
{
	greet();
	begin_message();
	client_say(h->client, "a\n.\nMAIL FROM:<evil@client.example>\r\n.");
	client_expect(h->client, "550 5.6.0");
	client_say(h->client, "NOOP");
	client_expect(h->client, "250 2.0.0 OK");
	silence(h->queue);
	stop();
}
END_TEST

START_TEST(bare_newlines_are_converted_where_asked_for)
{
	struct msg_submit m;

	greet();
	begin_message();
	client_say(h->client, "a\n.\nb\r\n.");
	seam_recv(h->queue, &h->k, QUEUE_SUBMIT);
	ck_assert_int_eq(msg_submit_get(&h->k, &m), 0);
	ck_assert(span_eq(m.content, SPAN("a\r\n.\r\nb\r\n")));
	queue_says(250, "done");
	client_expect(h->client, "250 done");
	begin_message();
	client_send(h->client, "a\0b\r\n.\r\n", 8);
	client_expect(h->client, "550 5.6.0");
	stop();
}
END_TEST

/* ---- time, stop, limits ------------------------------------------------ */

START_TEST(a_silent_client_gets_421)
{
	greet();
	if (_i == 1)
		begin_message();
	/* A line that never ends is no command. */
	client_send(h->client, "NO", 2);
	client_expect(h->client, "421 4.4.2");
	client_expect_end(h->client);
	stop();
}
END_TEST

START_TEST(a_client_that_is_served_slowly_is_not_late)
{
	greet();
	client_say(h->client, "MAIL FROM:<>\r\nRCPT TO:<a@x.example>");
	client_expect(h->client, "250");
	seam_recv(h->lookup, &h->k, LOOKUP_RCPT);
	usleep(3500000);
	answer(
	    h->lookup, LOOKUP_VERDICT, h->k.id, 250, SCOPE_RECIPIENT, "late");
	client_expect(h->client, "250 late");
	stop();
}
END_TEST

START_TEST(useless_commands_end_it_and_the_reason_arrives)
{
	char text[60000];

	greet();
	for (size_t i = 0; i < sizeof text; i += 6)
		memcpy(text + i, "NOOP\r\n", 6);
	client_send(h->client, text, sizeof text);
	for (int i = 0; i < 5; i++)
		client_expect(h->client, "250 2.0.0 OK");
	client_send(h->client, text, sizeof text);
	client_expect(h->client, "421 4.7.0");
	client_expect_end(h->client);
	stop();
}
END_TEST

START_TEST(replies_that_are_not_read_stop_the_input)
{
	char text[60000];
	size_t asked = 0, n = 0;

	greet();
	ck_assert_int_eq(fcntl(h->client, F_SETFL, O_NONBLOCK), 0);
	for (size_t i = 0; i < sizeof text; i += 6)
		memcpy(text + i, "HELP\r\n", 6);
	do {
		n = try_send(text, sizeof text);
		asked += n;
		/* Far more than all buffers between us hold. */
		ck_assert_uint_lt(asked, 100u << 20);
	} while (n == sizeof text);
	/* And every one is answered when they are. */
	for (size_t lines = 0; lines < asked / 6;) {
		struct pollfd f = { .fd = h->client, .events = POLLIN };
		ssize_t done;

		ck_assert_int_eq(poll(&f, 1, SEAM_MS), 1);
		done = read(h->client, text, sizeof text);
		ck_assert_int_gt(done, 0);
		for (ssize_t i = 0; i < done; i++)
			lines += text[i] == '\n';
	}
	silence(h->queue);
	stop();
}
END_TEST

START_TEST(stopping_waits_for_a_message_that_is_whole)
{
	int idle;
	uint32_t id;

	greet();
	idle = h->client;
	greet();
	begin_message();
	client_say(h->client, "text\r\n.\r\nNOOP");
	seam_recv(h->queue, &h->k, QUEUE_SUBMIT);
	id = h->k.id;
	kill(h->d.pid, SIGTERM);
	client_expect(idle, "421 4.3.2");
	client_expect_end(idle);
	answer(h->queue, QUEUE_ANSWER, id, 250, SCOPE_MESSAGE, "done");
	client_expect(h->client, "250 done");
	client_expect(h->client, "421 4.3.2");
	client_expect_end(h->client);
	ck_assert_int_eq(seam_wait(&h->d), 0);
}
END_TEST

START_TEST(stopping_waits_no_longer_than_it_may)
{
	greet();
	begin_message();
	client_say(h->client, "text\r\n.");
	seam_recv(h->queue, &h->k, QUEUE_SUBMIT);
	/* Master went away: the same as being stopped. */
	close(h->d.master);
	ck_assert_int_eq(seam_wait(&h->d), 0);
}
END_TEST

START_TEST(status_counts)
{
	struct msg_counters m;
	uint64_t sessions = 99, accepted = 99;

	greet();
	begin_message();
	client_say(h->client, ".");
	seam_recv(h->queue, &h->k, QUEUE_SUBMIT);
	queue_says(250, "done");
	client_expect(h->client, "250 done");
	seam_body();
	seam_send(h->d.master, MASTER_PING, 5, -1);
	seam_recv(h->d.master, &h->k, MASTER_PONG);
	ck_assert_int_eq(msg_counters_get(&h->k, &m), 0);
	for (uint32_t i = 0; i < m.n; i++) {
		if (strcmp(m.c[i].name, "sessions") == 0)
			sessions = m.c[i].value;
		if (strcmp(m.c[i].name, "accepted") == 0)
			accepted = m.c[i].value;
	}
	ck_assert_uint_eq(sessions, 1);
	ck_assert_uint_eq(accepted, 1);
	stop();
}
END_TEST

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
	Suite *s = suite_create("smtpd");
	TCase *tc;
	SRunner *r;
	int failed;

	tc = add(s, "smtpd", set_up);
	tcase_add_test(tc, a_message_is_one_packet);
	tcase_add_test(tc, commands_that_come_together_are_answered_in_order);
	tcase_add_test(
	    tc, a_thousand_recipients_of_one_domain_are_one_question);
	tcase_add_test(tc, bare_newlines_are_refused_in_step);
	tcase_add_test(tc, stopping_waits_for_a_message_that_is_whole);
	tcase_add_test(tc, stopping_waits_no_longer_than_it_may);
	tcase_add_test(tc, status_counts);
	tc = add(s, "convert", set_up_convert);
	tcase_add_test(tc, bare_newlines_are_converted_where_asked_for);
	tc = add(s, "short", set_up_short);
	tcase_add_loop_test(tc, a_silent_client_gets_421, 0, 2);
	tcase_add_test(tc, a_client_that_is_served_slowly_is_not_late);
	tcase_add_test(tc, useless_commands_end_it_and_the_reason_arrives);
	tc = add(s, "generous", set_up_generous);
	tcase_add_test(tc, replies_that_are_not_read_stop_the_input);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
