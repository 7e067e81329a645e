/*
 * test_fairness.c - one sender's hundred thousand messages do not delay
 * another's one, to the same host, to another, new or deferred.
 */
#include <time.h>

#define NMESSAGES 100100
#include "tests/unit/queue/bench.h"

#define MANY 100000

static char alice[] = "alice@example.org", bob[] = "bob@example.org";

static struct bench *
big_bench(void)
{
	struct bench *b = malloc(sizeof *b);

	ck_assert_ptr_nonnull(b);
	*b = bench_new();
	return b;
}

static struct message *
from(struct bench *b, char *sender, int64_t due)
{
	struct message *m = add(b, 1, due);

	m->sender = sender;
	return m;
}

/* To one host, or each to its own. */
static void
route_each(struct bench *b, bool one)
{
	struct recipient *r;
	char host[32] = "slow.example";
	unsigned n = 0;

	while ((r = schedule_ask(b->s, NOW)) != NULL) {
		if (!one)
			snprintf(host, sizeof host, "h%u.example", n++);
		routed(b, r, mx(host));
	}
}

START_TEST(a_single_message_passes_a_backlog)
{
	struct bench *b = big_bench();
	struct message *single;
	struct delivery *h;
	bool same_host = _i == 0;

	for (int i = 0; i < MANY; i++)
		from(b, alice, NOW);
	route_each(b, same_host);
	ck_assert_ptr_nonnull(h = handout(b, ROUTE_REMOTE));
	single = from(b, bob, NOW);
	ck_assert_ptr_eq(schedule_ask(b->s, NOW), &single->rcpts[0]);
	routed(b, &single->rcpts[0],
	    mx(same_host ? "slow.example" : "other.example"));
	ck_assert_ptr_null(schedule_ask(b->s, NOW));
	/* At most one more of alice's is before it. */
	ck_assert_ptr_nonnull(h = handout(b, ROUTE_REMOTE));
	if (h->handout.message != single->id)
		ck_assert_ptr_nonnull(h = handout(b, ROUTE_REMOTE));
	ck_assert_uint_eq(h->handout.message, single->id);
	bench_free(b);
	free(b);
}
END_TEST

/* Both have many: each gets as much as the other. */
START_TEST(senders_share_a_host)
{
	struct bench *b = big_bench();
	struct delivery *h;
	int n[2] = { 0, 0 };

	for (int i = 0; i < 1000; i++)
		from(b, alice, NOW);
	for (int i = 0; i < 100; i++)
		from(b, bob, NOW);
	route_each(b, true);
	for (int i = 0; i < 200; i++) {
		ck_assert_ptr_nonnull(h = handout(b, ROUTE_REMOTE));
		n[h->rcpts[0].rcpt->message->sender == bob]++;
		finish(b, h);
	}
	ck_assert_int_eq(n[0], 100);
	ck_assert_int_eq(n[1], 100);
	bench_free(b);
	free(b);
}
END_TEST

/* A backlog that comes due at once, or whose host is open again, is routed
 * beside what is new. */
START_TEST(a_new_message_is_routed_beside_a_backlog)
{
	struct bench *b = big_bench();
	struct message *single;
	struct delivery *h;
	int asked = 0;

	for (int i = 0; i < MANY; i++) {
		struct message *m = from(b, alice, NOW + 1);

		m->rcpts[0].attempts = 3;
		if (_i == 0)
			schedule_add(b->s, &m->rcpts[0], NOW);
		else
			schedule_add(b->s, &m->rcpts[0], 0);
	}
	if (_i == 1) {
		route_each(b, true);
		ck_assert_ptr_nonnull(h = handout(b, ROUTE_REMOTE));
		schedule_refused(b->s, h, 1, 0, 200, &no_host);
		finish(b, h);
		from(b, alice, 0);
	}
	single = from(b, bob, NOW);
	while (single->rcpts[0].phase == PHASE_WAITING) {
		ck_assert_ptr_nonnull(schedule_ask(b->s, NOW));
		asked++;
	}
	ck_assert_int_le(asked, 4);
	bench_free(b);
	free(b);
}
END_TEST

/* What waits for a host that is open again is routed sender by sender. */
START_TEST(senders_take_turns_after_a_back_off)
{
	struct bench *b = big_bench();
	struct message *single;
	struct delivery *h;
	int asked = 0;

	for (int i = 0; i < 1000; i++)
		from(b, alice, NOW);
	single = from(b, bob, NOW);
	route_each(b, true);
	ck_assert_ptr_nonnull(h = handout(b, ROUTE_REMOTE));
	schedule_refused(b->s, h, 1, NOW, 200, &no_host);
	finish(b, h);
	ck_assert_ptr_null(schedule_ask(b->s, NOW));
	while (single->rcpts[0].phase == PHASE_QUEUED) {
		ck_assert_ptr_nonnull(schedule_ask(b->s, NOW + 14400));
		asked++;
	}
	ck_assert_int_le(asked, 2);
	bench_free(b);
	free(b);
}
END_TEST

/* The cost of one does not depend on how many wait. */
START_TEST(a_backlog_costs_nothing)
{
	struct bench *b = big_bench();
	struct timespec begin, end;
	struct delivery *h;
	double us;

	for (int i = 0; i < MANY; i++)
		from(b, i % 2 ? alice : bob, NOW);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	route_each(b, true);
	while ((h = handout(b, ROUTE_REMOTE)) != NULL)
		finish(b, h);
	clock_gettime(CLOCK_MONOTONIC, &end);
	us = ((double)(end.tv_sec - begin.tv_sec) * 1e9 +
		 (double)(end.tv_nsec - begin.tv_nsec)) /
	    1e3 / MANY;
	ck_assert_msg(us < 100, "%.1f microseconds a message", us);
	bench_free(b);
	free(b);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("fairness");
	TCase *tc = tcase_create("fairness");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, a_single_message_passes_a_backlog, 0, 2);
	tcase_add_test(tc, senders_share_a_host);
	tcase_add_loop_test(tc, a_new_message_is_routed_beside_a_backlog, 0, 2);
	tcase_add_test(tc, senders_take_turns_after_a_back_off);
	tcase_add_test(tc, a_backlog_costs_nothing);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
