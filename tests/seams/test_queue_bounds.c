/*
 * test_queue_bounds.c - peers that say too much, and a clock that was set
 * back: what queue takes, and what it does then.
 */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/bytes/id.h"
#include "common/msg/master.h"
#include "common/msg/reply.h"
#include "tests/seams/queue_house.h"

#define HOUR_US 3600000000ULL
#define YEAR_US (365 * 24 * HOUR_US)

static struct queue_house *q;

static void
before(void)
{
	q = set_up();
}

/* --- too much ------------------------------------------------------------------
 */

START_TEST(an_agent_has_no_more_under_way_than_it_takes)
{
	const uint32_t zero = 0;
	struct handout h = { .message = 1, .attempt = 1000 };

	start();
	for (int i = 0; i < AGENT_WINDOW; i++, h.attempt++)
		underway(q->local, &h, &zero, 1);
	silence(q->local);
	underway(q->local, &h, &zero, 1);
	refused(q->local, PEER_LOCAL);
	close(q->local);
	q->local = seam_connect(&q->d, PEER_LOCAL, 1);
	hello(q->local);
	submit_one("a@example", "bob@example.org", "x\r\n");
	to_mailbox("bob@example.org", "bob");
	delivered_to(q->local, 0, "bob@example.org");
	result(q->local, 250, SCOPE_RECIPIENT);
	counted(0);
	stop();
}
END_TEST

/* The longest address there is. */
static void
long_address(char dst[ADDRESS_MAX + 1], unsigned n)
{
	snprintf(dst, ADDRESS_MAX + 1, "%064u@%063u.%063u.%061u", n, 1, 2, 3);
}

START_TEST(recipients_in_memory_have_a_limit)
{
	enum { ALL = 100000, PACKETS = ALL / RCPTS_MAX };
	static char text[RCPTS_MAX][ADDRESS_MAX + 1];
	static const char *to[RCPTS_MAX];
	int fds[3], refusals = 0;
	struct reply r;

	q->conf.max_recipients = ALL;
	for (unsigned i = 0; i < RCPTS_MAX; i++) {
		long_address(text[i], i);
		to[i] = text[i];
	}
	begin();
	for (int i = 0; i < 3; i++) {
		fds[i] = open_message("s@example", to, 1, ALL);
		for (int k = 0; k < PACKETS; k++) {
			msg_rcpts_put(seam_body(), to, RCPTS_MAX);
			seam_send(q->smtpd, QUEUE_RCPTS, q->number, -1);
		}
	}
	/* The third has no room; the others wait for their content. */
	while (seam_recv_within(q->smtpd, &q->k, 2000)) {
		ck_assert_int_eq(q->k.type, QUEUE_ANSWER);
		ck_assert_int_eq(msg_reply_get(&q->k, &r), 0);
		ck_assert_uint_eq(r.code, 451);
		refusals++;
	}
	ck_assert_int_eq(refusals, 1);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	submit_one("a@example", "bob@example.org", "x\r\n");
	stop();
}
END_TEST

/* --- the clock -----------------------------------------------------------------
 */

/* What a queue before this one gave out when the clock was an hour ahead. */
START_TEST(attempts_may_be_ahead_of_the_clock)
{
	const uint32_t zero = 0;
	struct handout h;
	uint64_t id;

	begin();
	id = submit_one("a@example", "bob@example.org", "x\r\n");
	to_mailbox("bob@example.org", "bob");
	delivered_to(q->local, id, "bob@example.org");
	kill_queue();
	start();
	/* It is planned, until local says that it is under way. */
	to_mailbox("bob@example.org", "bob");
	h.message = id;
	h.attempt = id_next(0, (uint64_t)time(NULL) * 1000000 + HOUR_US);
	underway(q->local, &h, &zero, 1);
	hello(q->local);
	silence(q->local);
	ck_assert_uint_eq(count(), 1);
	send_result(q->local, &h, &zero, 1, 250, SCOPE_RECIPIENT, true);
	recorded(q->local, &h);
	counted(0);
	/* None is used twice. */
	id = submit_one("a@example", "bob@example.org", "x\r\n");
	to_mailbox("bob@example.org", "bob");
	delivered_to(q->local, id, "bob@example.org");
	ck_assert_uint_gt(q->delivery.handout.attempt, h.attempt);
	result(q->local, 250, SCOPE_RECIPIENT);
	stop();
}
END_TEST

/* Ids never step back, so they are ahead of a clock that does. */
START_TEST(a_message_does_not_wait_for_the_clock)
{
	char name[ID_LEN + 1], path[128];
	uint64_t ahead = id_next(0, (uint64_t)time(NULL) * 1000000 + YEAR_US),
		 id;
	int fd;

	begin();
	stop();
	id_format(name, ahead);
	snprintf(path, sizeof path, "%s/content/%s", q->spool, name);
	ck_assert_int_ne(fd = open(path, O_CREAT | O_WRONLY, 0600), -1);
	close(fd);
	begin();
	id = submit_one("a@example", "bob@example.org", "x\r\n");
	ck_assert_uint_gt(id, ahead);
	to_mailbox("bob@example.org", "bob");
	/* nor does what was there when queue started */
	kill_queue();
	begin();
	to_mailbox("bob@example.org", "bob");
	delivered_to(q->local, id, "bob@example.org");
	result(q->local, 250, SCOPE_RECIPIENT);
	counted(0);
	stop();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("queue_bounds");
	TCase *t = tcase_create("queue_bounds");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, before, tear_down);
	tcase_add_test(t, an_agent_has_no_more_under_way_than_it_takes);
	tcase_add_test(t, recipients_in_memory_have_a_limit);
	tcase_add_test(t, attempts_may_be_ahead_of_the_clock);
	tcase_add_test(t, a_message_does_not_wait_for_the_clock);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
