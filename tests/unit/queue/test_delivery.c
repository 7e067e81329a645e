/*
 * test_delivery.c - hand-outs: how many, of what, and who answers for them.
 */
#include "tests/unit/queue/bench.h"

START_TEST(a_handout_has_a_limit)
{
	struct bench b = bench_new();
	uint32_t n = 0, k = 0;
	struct delivery *h;

	add(&b, 250, 0);
	ck_assert_uint_eq(route_all(&b, NOW, "a.example"), 250);
	while ((h = handout(&b, ROUTE_REMOTE)) != NULL) {
		ck_assert_uint_le(h->n, DELIVER_RCPTS_MAX);
		n += h->n;
		k++;
	}
	ck_assert_uint_eq(k, 3);
	ck_assert_uint_eq(n, 250);
	bench_free(&b);
}
END_TEST

START_TEST(an_agent_has_limits)
{
	struct bench b = bench_new();
	struct recipient *r;
	struct delivery *h;
	char user[8];

	for (size_t i = 0; i < 20; i++)
		add(&b, 1, 0);
	while ((r = schedule_ask(b.s, NOW)) != NULL) {
		snprintf(user, sizeof user, "u%u", (unsigned)r->message->id);
		routed(&b, r, mailbox(user));
	}
	schedule_window(b.s, ROUTE_LOCAL, 0);
	ck_assert_ptr_null(handout(&b, ROUTE_LOCAL));
	schedule_window(b.s, ROUTE_LOCAL, 400);
	ck_assert_ptr_null(handout(&b, ROUTE_REMOTE));
	for (size_t i = 0; i < 8; i++)
		ck_assert_ptr_nonnull(handout(&b, ROUTE_LOCAL));
	ck_assert_ptr_null(handout(&b, ROUTE_LOCAL));
	/* The last answer frees the place, … */
	h = schedule_delivery_of(b.s, NULL);
	schedule_ended(b.s, h);
	ck_assert_ptr_nonnull(handout(&b, ROUTE_LOCAL));
	ck_assert_ptr_null(handout(&b, ROUTE_LOCAL));
	/* … and the window counts what the agent has to remember. */
	schedule_window(b.s, ROUTE_LOCAL, 9);
	schedule_ended(b.s, schedule_delivery(b.s, h->handout.attempt + 1));
	ck_assert_ptr_null(handout(&b, ROUTE_LOCAL));
	schedule_forget(b.s, h);
	ck_assert_ptr_nonnull(handout(&b, ROUTE_LOCAL));
	bench_free(&b);
}
END_TEST

START_TEST(what_retires_leaves_its_window_and_keeps_its_places)
{
	struct bench b = bench_new();
	struct recipient *r;
	struct delivery *h;
	char user[8], old, new;

	for (size_t i = 0; i < 12; i++)
		add(&b, 1, 0);
	while ((r = schedule_ask(b.s, NOW)) != NULL) {
		snprintf(user, sizeof user, "u%u", (unsigned)r->message->id);
		routed(&b, r, mailbox(user));
	}
	schedule_window(b.s, ROUTE_LOCAL, 5);
	for (size_t i = 0; i < 5; i++)
		handout(&b, ROUTE_LOCAL)->holder = &old;
	ck_assert_ptr_null(handout(&b, ROUTE_LOCAL));
	schedule_retire(b.s, &old);
	schedule_retire(b.s, &old);
	/* Its own window, but the 8 of all agents of the kind. */
	for (size_t i = 0; i < 3; i++) {
		h = handout(&b, ROUTE_LOCAL);
		ck_assert_ptr_nonnull(h);
		h->holder = &new;
	}
	ck_assert_ptr_null(handout(&b, ROUTE_LOCAL));
	/* One of the old is over: there is a place, but of the new one's window
	 * nothing came back. */
	schedule_forget(b.s, schedule_delivery_of(b.s, &old));
	schedule_window(b.s, ROUTE_LOCAL, 3);
	ck_assert_ptr_null(handout(&b, ROUTE_LOCAL));
	schedule_window(b.s, ROUTE_LOCAL, 4);
	h = handout(&b, ROUTE_LOCAL);
	ck_assert_ptr_nonnull(h);
	h->holder = &new;
	while ((h = schedule_delivery_of(b.s, &old)) != NULL)
		schedule_forget(b.s, h);
	while ((h = schedule_delivery_of(b.s, &new)) != NULL)
		schedule_forget(b.s, h);
	bench_free(&b);
}
END_TEST

/* --- answers -----------------------------------------------------------------
 */

START_TEST(each_recipient_is_answered_once)
{
	struct bench b = bench_new();
	struct message *m = add(&b, 3, 0);
	struct recipient *r;
	struct delivery *h;

	route_all(&b, NOW, "a.example");
	ck_assert_ptr_nonnull(h = handout(&b, ROUTE_REMOTE));
	ck_assert(!schedule_answer(b.s, h, 3, &r));
	ck_assert(schedule_answer(b.s, h, 1, &r));
	ck_assert_ptr_eq(r, &m->rcpts[1]);
	ck_assert_int_eq(r->phase, PHASE_RECORDING);
	ck_assert(!schedule_answer(b.s, h, 1, &r));
	/* One that is final meanwhile is answered, and does not matter. */
	schedule_remove(b.s, &m->rcpts[2]);
	ck_assert(schedule_answer(b.s, h, 2, &r));
	ck_assert_ptr_null(r);
	ck_assert_ptr_null(schedule_ask(b.s, NOW));
	schedule_add(b.s, &m->rcpts[1], NOW + 60);
	ck_assert_int_eq(schedule_next(b.s), NOW + 60);
	ck_assert_ptr_eq(schedule_delivery(b.s, h->handout.attempt), h);
	ck_assert_ptr_null(schedule_delivery(b.s, h->handout.attempt + 1));
	schedule_forget(b.s, h);
	ck_assert_int_eq(m->rcpts[0].phase, PHASE_NONE);
	bench_free(&b);
}
END_TEST

START_TEST(a_handout_is_taken_over)
{
	struct bench b = bench_new();
	struct message *m = add(&b, 3, 0);
	struct recipient *rcpts[3] = { &m->rcpts[0], NULL, &m->rcpts[2] }, *r;
	const uint32_t indexes[3] = { 0, 7, 2 };
	const struct handout handout = { m->id, 77 };
	struct delivery *h;

	/* wherever they are by then */
	ck_assert_ptr_nonnull(schedule_ask(b.s, NOW));
	h = schedule_adopt(b.s, ROUTE_LOCAL, &handout, 3, indexes, rcpts);
	ck_assert_ptr_nonnull(h);
	ck_assert_uint_eq(route_all(&b, NOW, "a.example"), 1);
	ck_assert(schedule_answer(b.s, h, 7, &r));
	ck_assert_ptr_null(r);
	ck_assert(schedule_answer(b.s, h, 2, &r));
	ck_assert_ptr_eq(r, &m->rcpts[2]);
	ck_assert_ptr_eq(schedule_delivery(b.s, 77), h);
	bench_free(&b);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("delivery");
	TCase *tc = tcase_create("delivery");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, what_retires_leaves_its_window_and_keeps_its_places);
	tcase_add_test(tc, a_handout_has_a_limit);
	tcase_add_test(tc, an_agent_has_limits);
	tcase_add_test(tc, each_recipient_is_answered_once);
	tcase_add_test(tc, a_handout_is_taken_over);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
