/*
 * test_schedule.c - when a recipient is due, and its way to a destination.
 */
#include "tests/unit/queue/bench.h"

/* --- when --------------------------------------------------------------------
 */

START_TEST(waits_double_up_to_the_maximum)
{
	static const struct {
		uint32_t n;
		int64_t wait;
	} rows[] = { { 0, 300 }, { 1, 300 }, { 2, 600 }, { 3, 1200 },
		{ 4, 2400 }, { 5, 4800 }, { 6, 9600 }, { 7, 14400 },
		{ 8, 14400 }, { 40, 14400 }, { UINT32_MAX, 14400 } };

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int64_t w = rows[i].wait;

		/* 200 of 0 to 400 is the middle. */
		ck_assert_int_eq(schedule_wait(300, 14400, rows[i].n, 200), w);
		ck_assert_int_eq(
		    schedule_wait(300, 14400, rows[i].n, 0), w - w / 5);
		ck_assert_int_eq(
		    schedule_wait(300, 14400, rows[i].n, 400), w + w / 5);
		ck_assert_int_ge(
		    schedule_wait(300, 14400, rows[i].n, UINT32_MAX),
		    w - w / 5);
	}
	ck_assert_int_ge(schedule_wait(0, 0, 1, 0), 1);
	ck_assert_int_ge(schedule_wait(1, 1, 9, 0), 1);
}
END_TEST

START_TEST(a_reply_decides)
{
	static const struct {
		uint16_t code;
		int64_t now;
		uint32_t attempts;
		enum recipient_state state;
		int64_t next;
	} rows[] = {
		{ 250, NOW, 1, RCPT_DELIVERED, 0 },
		{ 251, NOW + EXPIRE, 1, RCPT_DELIVERED, 0 },
		{ 550, NOW, 1, RCPT_FAILED, 0 },
		{ 556, NOW, 1, RCPT_FAILED, 0 },
		{ 354, NOW, 1, RCPT_FAILED, 0 },
		{ 451, NOW, 1, RCPT_WAITING, NOW + 300 },
		{ 421, NOW, 3, RCPT_WAITING, NOW + 1200 },
		/* the last attempt is at the end */
		{ 451, NOW + EXPIRE - 10, 9, RCPT_WAITING, NOW + EXPIRE },
		{ 451, NOW + EXPIRE - 1, 1, RCPT_WAITING, NOW + EXPIRE },
		{ 451, NOW + EXPIRE, 9, RCPT_FAILED, 0 },
		{ 451, NOW + EXPIRE + 1, 9, RCPT_FAILED, 0 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct reply reply = { .code = rows[i].code };
		int64_t next = -1;

		ck_assert_int_eq(schedule_verdict(&limits, &reply, NOW,
				     rows[i].attempts, rows[i].now, 200, &next),
		    rows[i].state);
		ck_assert_int_eq(next, rows[i].next);
	}
}
END_TEST

/* --- due, routed, queued -----------------------------------------------------
 */

START_TEST(nothing_is_asked_before_its_time)
{
	struct bench b = bench_new();
	struct message *late = add(&b, 1, NOW + 10);
	struct message *soon = add(&b, 1, NOW + 5);

	ck_assert_int_eq(schedule_next(b.s), NOW + 5);
	ck_assert_ptr_null(schedule_ask(b.s, NOW + 4));
	ck_assert_ptr_eq(schedule_ask(b.s, NOW + 5), &soon->rcpts[0]);
	ck_assert_ptr_null(schedule_ask(b.s, NOW + 9));
	ck_assert_int_eq(schedule_next(b.s), NOW + 10);
	ck_assert_ptr_eq(schedule_ask(b.s, NOW + 10), &late->rcpts[0]);
	ck_assert_uint_eq(schedule_count(b.s, PHASE_ROUTING), 2);
	ck_assert_ptr_null(handout(&b, ROUTE_REMOTE));
	bench_free(&b);
}
END_TEST

START_TEST(recipients_of_one_message_and_route_go_together)
{
	struct bench b = bench_new();
	struct message *m = add(&b, 6, 0);
	struct recipient *asked[6];
	struct delivery *h;

	add(&b, 1, 0);
	for (size_t i = 0; i < 6; i++)
		asked[i] = schedule_ask(b.s, NOW);
	/* Answers come in any order; nothing goes before the last. */
	for (size_t i = 6; i-- > 1;) {
		routed(
		    &b, asked[i], mx(i % 2 == 0 ? "a.example" : "b.example"));
		ck_assert_ptr_null(handout(&b, ROUTE_REMOTE));
	}
	ck_assert_ptr_nonnull(schedule_ask(b.s, NOW)); /* another message */
	routed(&b, asked[0], mx("a.example"));
	ck_assert_ptr_nonnull(h = handout(&b, ROUTE_REMOTE));
	ck_assert_uint_eq(h->n, 3);
	ck_assert_uint_eq(h->handout.message, m->id);
	for (uint32_t i = 0; i < 3; i++) {
		ck_assert_ptr_eq(
		    h->rcpts[i].rcpt, &m->rcpts[h->rcpts[i].index]);
		ck_assert_int_eq(h->rcpts[i].rcpt->phase, PHASE_ACTIVE);
	}
	ck_assert_ptr_nonnull(h = handout(&b, ROUTE_REMOTE));
	ck_assert_uint_eq(h->n, 3);
	ck_assert_ptr_null(handout(&b, ROUTE_REMOTE));
	ck_assert_uint_eq(schedule_destinations(b.s), 2);
	bench_free(&b);
}
END_TEST

START_TEST(more_recipients_than_are_routed_together)
{
	struct bench b = bench_new();
	struct message *m = add(&b, ROUTING_MAX + 50, 0);
	struct delivery *h;
	size_t n = 0;

	ck_assert_uint_eq(route_all(&b, NOW, "a.example"), ROUTING_MAX + 50);
	while ((h = handout(&b, ROUTE_REMOTE)) != NULL) {
		n += h->n;
		finish(&b, h);
	}
	ck_assert_uint_eq(n, m->nrcpts);
	ck_assert_uint_eq(schedule_count(b.s, PHASE_RECORDING), m->nrcpts);
	bench_free(&b);
}
END_TEST

/* A clock that was years ahead, and is right again. */
START_TEST(nothing_waits_for_a_clock_that_was_set_back)
{
	const int64_t ahead = NOW + 400000000;
	struct bench b = bench_new();
	struct message *m = add(&b, 1, ahead);
	struct delivery *h;

	add(&b, 1, ahead);
	ck_assert_uint_eq(route_all(&b, ahead, "a.example"), 2);
	ck_assert_ptr_nonnull(h = handout(&b, ROUTE_REMOTE));
	schedule_refused(b.s, h, 20, ahead, 400, &no_host);
	finish(&b, h);
	schedule_add(b.s, &m->rcpts[0], ahead + 14400);
	ck_assert_ptr_null(schedule_ask(b.s, NOW));
	ck_assert_int_le(schedule_next(b.s), NOW + 14400 * 6 / 5);
	ck_assert_uint_eq(route_all(&b, NOW + 14400 * 6 / 5, "a.example"), 2);
	bench_free(&b);
}
END_TEST

/* --- leaving -----------------------------------------------------------------
 */

START_TEST(a_recipient_may_go_in_any_phase)
{
	struct bench b = bench_new();
	struct message *m = add(&b, 7, 0);
	struct recipient *r = m->rcpts;
	struct delivery *h;

	for (size_t i = 0; i < 6; i++) /* one WAITING, six ROUTING */
		schedule_ask(b.s, NOW);
	for (size_t i = 0; i < 4; i++) /* four ROUTED */
		routed(&b, &r[i], mx("a.example"));
	schedule_remove(b.s, &r[0]);
	schedule_remove(b.s, &r[4]);
	schedule_remove(b.s, &r[6]);
	ck_assert_uint_eq(schedule_count(b.s, PHASE_ROUTED), 3);
	ck_assert_uint_eq(schedule_count(b.s, PHASE_ROUTING), 1);
	ck_assert_ptr_null(schedule_ask(b.s, NOW));
	/* The last that was asked goes: the others do not wait for it. */
	schedule_remove(b.s, &r[5]);
	ck_assert_uint_eq(schedule_count(b.s, PHASE_QUEUED), 3);
	schedule_remove(b.s, &r[1]);
	ck_assert_ptr_nonnull(h = handout(&b, ROUTE_REMOTE));
	ck_assert_uint_eq(h->n, 2);
	schedule_remove(b.s, &r[2]);
	ck_assert_uint_eq(schedule_count(b.s, PHASE_ACTIVE), 1);
	ck_assert_ptr_null(h->rcpts[0].rcpt);
	bench_free(&b);
}
END_TEST

/* Anything in any order: what is counted is what is there, and all of it
 * gets through in the end. */
START_TEST(at_random)
{
	struct bench b = bench_new();
	size_t total = 0, done = 0;
	int64_t now = NOW;
	char host[16];

	srand(7);
	for (size_t i = 0; i < 40; i++)
		total += add(&b, 1 + (uint32_t)rand() % 9, NOW + rand() % 50)
			     ->nrcpts;
	for (int turn = 0; turn < 20000 && done < total; turn++) {
		struct recipient *r = schedule_ask(b.s, now), *a;
		struct delivery *h;

		if (r != NULL) {
			snprintf(host, sizeof host, "h%d.example", rand() % 5);
			routed(&b, r, mx(host));
		}
		if (rand() % 3 == 0 &&
		    (h = handout(&b, ROUTE_REMOTE)) != NULL) {
			int dice = rand() % 4;

			if (dice == 0)
				schedule_refused(
				    b.s, h, 1, now, (uint32_t)rand(), &no_host);
			else
				schedule_served(b.s, h);
			for (uint32_t i = 0; i < h->n; i++) {
				ck_assert(schedule_answer(
				    b.s, h, h->rcpts[i].index, &a));
				if (dice != 0) {
					schedule_remove(b.s, a);
					done++;
				} else
					schedule_add(
					    b.s, a, now + rand() % 900);
			}
			schedule_ended(b.s, h);
			schedule_forget(b.s, h);
		}
		now += rand() % 20;
	}
	ck_assert_uint_eq(done, total);
	bench_free(&b);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("schedule");
	TCase *tc = tcase_create("schedule");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, waits_double_up_to_the_maximum);
	tcase_add_test(tc, a_reply_decides);
	tcase_add_test(tc, nothing_is_asked_before_its_time);
	tcase_add_test(tc, recipients_of_one_message_and_route_go_together);
	tcase_add_test(tc, more_recipients_than_are_routed_together);
	tcase_add_test(tc, a_recipient_may_go_in_any_phase);
	tcase_add_test(tc, at_random);
	tcase_add_test(tc, nothing_waits_for_a_clock_that_was_set_back);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
