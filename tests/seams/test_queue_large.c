/*
 * test_queue_large.c - contents in pieces, and much at once.
 */
#include <check.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/bytes/id.h"
#include "common/msg/master.h"
#include "common/msg/reply.h"
#include "tests/seams/queue_house.h"

static struct queue_house *q;

static void
before(void)
{
	q = set_up();
}

/* --- large messages -------------------------------------------------------------
 */

START_TEST(a_large_message_comes_through_a_pipe)
{
	/* in memory, in sealed memory of the log, in a file of its own */
	static const size_t sizes[] = { 5000, 300000, 1024 * 1024,
		1024 * 1024 + 1, 5000000 };
	static const char *const to[] = { "a@b.example", "b@b.example",
		"c@b.example" };
	size_t n = sizes[_i];
	char *content = make_content(n), *back = malloc(n + 1);
	int fd;

	begin();
	fd = open_message("s@example", to, 1, 3);
	write_all(fd, content, n / 2);
	msg_rcpts_put(seam_body(), to + 1, 2);
	seam_send(q->smtpd, QUEUE_RCPTS, q->number, -1);
	write_all(fd, content + n / 2, n - n / 2);
	if (_i % 2 == 0)
		close(fd);
	end_message(n);
	accepted();
	if (_i % 2 != 0)
		close(fd);
	for (int i = 0; i < 3; i++)
		to_host(to[i], "b.example");
	delivered_to(q->remote, 0, to[0]);
	ck_assert_uint_eq(q->delivery.nrcpts, 3);
	ck_assert_uint_eq(q->delivery.size, n);
	if (q->delivery.inlined) {
		ck_assert_uint_le(n, DELIVER_INLINE_MAX);
		ck_assert_int_eq(memcmp(q->delivery.content.p, content, n), 0);
	} else {
		ck_assert_int_eq(pread(q->k.fd, back, n + 1, 0), (ssize_t)n);
		ck_assert_int_eq(memcmp(back, content, n), 0);
		/* nobody can alter what was acknowledged */
		ck_assert_int_eq(pwrite(q->k.fd, "x", 1, 0), -1);
		ck_assert_int_ne(ftruncate(q->k.fd, 0), 0);
		close(q->k.fd);
	}
	/* and it is there after a start */
	kill_queue();
	begin();
	for (int i = 0; i < 3; i++)
		to_host(to[i], "b.example");
	delivered_to(q->remote, 0, to[0]);
	ck_assert_uint_eq(q->delivery.size, n);
	ck_assert(q->delivery.maybe);
	if (q->k.fd != -1)
		close(q->k.fd);
	result(q->remote, 250, SCOPE_RECIPIENT);
	counted(0);
	stop();
	free(content);
	free(back);
}
END_TEST

START_TEST(half_a_message_is_none)
{
	static const char *const to[] = { "a@b.example", "b@b.example" };
	int fd;

	begin();
	/* less than END says */
	fd = open_message("s@example", to, 1, 1);
	write_all(fd, "half", 4);
	close(fd);
	end_message(5);
	not_accepted(451);
	/* more */
	fd = open_message("s@example", to, 1, 1);
	write_all(fd, "too much", 8);
	end_message(5);
	not_accepted(451);
	close(fd);
	/* a recipient is missing */
	fd = open_message("s@example", to, 1, 2);
	write_all(fd, "x\r\n", 3);
	end_message(3);
	not_accepted(451);
	close(fd);
	/* over the limit; what follows meets nobody */
	q->conf.message_size = 8 * 1024 * 1024;
	fd = open_message("s@example", to, 1, 1);
	signal(SIGPIPE, SIG_IGN);
	for (char block[4096] = "x"; write(fd, block, sizeof block) > 0;)
		continue;
	close(fd);
	not_accepted(552);
	end_message(5);
	/* given up by the client */
	fd = open_message("s@example", to, 1, 1);
	write_all(fd, "x\r\n", 3);
	seam_body();
	seam_send(q->smtpd, QUEUE_ABORT, q->number, -1);
	/* by smtpd */
	open_message("s@example", to, 1, 1);
	close(q->smtpd);
	close(fd);
	silence(q->lookup);
	ck_assert_uint_eq(count(), 0);
	q->smtpd = seam_connect(&q->d, PEER_SMTPD, 1);
	expect_state(250);
	submit_one("s@example", to[0], "x\r\n");
	stop();
}
END_TEST

START_TEST(what_makes_no_sense_closes_the_channel)
{
	static const char *const to[] = { "a@b.example" };

	begin();
	/* twice the same number */
	close(open_message("s@example", to, 1, 1));
	q->number--;
	close(open_message("s@example", to, 1, 1));
	refused(q->smtpd, PEER_SMTPD);
	close(q->smtpd);
	q->smtpd = seam_connect(&q->d, PEER_SMTPD, 1);
	expect_state(250);
	/* a recipient too many */
	close(open_message("s@example", to, 1, 1));
	msg_rcpts_put(seam_body(), to, 1);
	seam_send(q->smtpd, QUEUE_RCPTS, q->number, -1);
	refused(q->smtpd, PEER_SMTPD);
	close(q->smtpd);
	q->smtpd = seam_connect(&q->d, PEER_SMTPD, 2);
	expect_state(250);
	submit_one("s@example", to[0], "x\r\n");
	stop();
}
END_TEST

/* --- much at once -----------------------------------------------------------------------
 */

#define MANY 2000

/* More than a batch holds: queue reads no faster than it can write. */
START_TEST(large_messages_wait_their_turn)
{
	static char text[60 * 1024];
	const char *to = "bob@example.org";
	struct pollfd p;
	unsigned sent = 0, answers = 0;

	memset(text, 'x', sizeof text - 1);
	begin();
	p.fd = q->smtpd;
	while (answers < 300) {
		p.events = sent < 300 ? POLLIN | POLLOUT : POLLIN;
		ck_assert_int_gt(poll(&p, 1, SEAM_MS), 0);
		if ((p.revents & POLLOUT) != 0) {
			submit("a@example", &to, 1, text);
			sent++;
		}
		if ((p.revents & POLLIN) != 0) {
			seam_recv(q->smtpd, &q->k, QUEUE_ANSWER);
			answers++;
		}
	}
	counted(300);
	stop();
}
END_TEST

/* More than fits any window, all of it at once. */
/* While a large one is read and checked, small ones pass it. */
START_TEST(a_large_message_delays_no_small_one)
{
	static const char *const to[] = { "a@b.example" };
	const size_t n = 50 * 1024 * 1024;
	char *content = make_content(n);
	uint64_t large, small;
	int fd;

	q->conf.message_size = n;
	start();
	fd = open_message("s@example", to, 1, 1);
	write_all(fd, content, n);
	close(fd);
	end_message(n);
	large = accepted();
	to_host(to[0], "b.example");
	small = submit_one("s@example", "c@c.example", "x\r\n");
	to_host("c@c.example", "c.example");
	hello(q->remote);
	delivered_to(q->remote, small, "c@c.example");
	result(q->remote, 250, SCOPE_RECIPIENT);
	delivered_to(q->remote, large, to[0]);
	ck_assert_int_ne(q->k.fd, -1);
	close(q->k.fd);
	result(q->remote, 250, SCOPE_RECIPIENT);
	counted(0);
	stop();
	free(content);
}
END_TEST

/* … and an agent may go meanwhile, or its recipient be deleted. */
START_TEST(who_waits_for_a_large_message_may_go)
{
	static const char *const to[] = { "a@b.example" };
	const size_t n = 50 * 1024 * 1024;
	char *content = make_content(n), id[ID_LEN + 1];
	int fd;

	q->conf.message_size = n;
	start();
	fd = open_message("s@example", to, 1, 1);
	write_all(fd, content, n);
	close(fd);
	end_message(n);
	id_format(id, accepted());
	to_host(to[0], "b.example");
	hello(q->remote);
	do
		act(VERB_LIST, false, NULL);
	while (q->page.rows[0].state != STATE_ACTIVE);
	if (_i == 0) {
		close(q->remote);
		q->remote = seam_connect(&q->d, PEER_REMOTE, 1);
		hello(q->remote);
		to_host(to[0], "b.example");
		delivered_to(q->remote, 0, to[0]);
		close(q->k.fd);
		result(q->remote, 250, SCOPE_RECIPIENT);
	} else
		act(VERB_DELETE, false, id);
	counted(0);
	stop();
	free(content);
}
END_TEST

START_TEST(many_messages)
{
	static bool done[MANY];
	const char *to = "bob@example.org";
	struct handout h;
	unsigned answers = 0, handed = 0, recordings = 0;
	struct route route = {
		.kind = ROUTE_MAILDIR_SYSTEM, .user = "bob", .path = "Maildir"
	};
	uint32_t base;

	begin();
	base = q->number + 1;
	for (unsigned sent = 0; answers < MANY || recordings < MANY;) {
		if (sent < MANY && sent - answers < 500) {
			submit("a@example", &to, 1, "text\r\n");
			sent++;
		}
		while (seam_recv_within(q->smtpd, &q->k, 0)) {
			struct reply r;

			ck_assert_uint_eq(q->k.type, QUEUE_ANSWER);
			ck_assert_int_eq(msg_reply_get(&q->k, &r), 0);
			ck_assert_uint_eq(r.code, 250);
			ck_assert_uint_lt(q->k.id - base, MANY);
			ck_assert(!done[q->k.id - base]);
			done[q->k.id - base] = true;
			answers++;
		}
		while (seam_recv_within(q->lookup, &q->k, 0))
			answer_route(q->k.id, 250, &route);
		while (seam_recv_within(q->local, &q->k, 0)) {
			if (q->k.type == AGENT_RECORDED) {
				recordings++;
				continue;
			}
			ck_assert_int_eq(
			    msg_deliver_get(&q->k, &q->delivery), 0);
			h = q->delivery.handout;
			send_result(q->local, &h, (uint32_t[]){ 0 }, 1, 250,
			    SCOPE_RECIPIENT, true);
			handed++;
		}
	}
	ck_assert_uint_eq(handed, MANY);
	counted(0);
	stop();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("queue_large");
	TCase *t = tcase_create("queue_large");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, before, tear_down);
	tcase_add_loop_test(t, a_large_message_comes_through_a_pipe, 0, 5);
	tcase_add_test(t, half_a_message_is_none);
	tcase_add_test(t, what_makes_no_sense_closes_the_channel);
	tcase_add_test(t, large_messages_wait_their_turn);
	tcase_add_test(t, a_large_message_delays_no_small_one);
	tcase_add_loop_test(t, who_waits_for_a_large_message_may_go, 0, 2);
	tcase_add_test(t, many_messages);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
