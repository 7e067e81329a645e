/*
 * test_destination.c - whose turn it is, and who is backed off.
 */
#include "tests/unit/queue/bench.h"

START_TEST(destinations_take_turns)
{
	struct bench b = bench_new();
	static const char *const hosts[] = { "a.example", "b.example" };
	struct recipient *r;
	struct delivery *h;

	for (size_t i = 0; i < 10; i++)
		add(&b, 1, 0);
	/* 1 to 8 to the first host, 9 and 10 to the second */
	while ((r = schedule_ask(b.s, NOW)) != NULL)
		routed(&b, r, mx(hosts[r->message->id > 8]));
	static const uint64_t order[] = { 1, 9, 2, 10, 3 };

	for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
		ck_assert_ptr_nonnull(h = handout(&b, ROUTE_REMOTE));
		ck_assert_uint_eq(h->handout.message, order[i]);
	}
	/* three at once to one host */
	ck_assert_ptr_null(handout(&b, ROUTE_REMOTE));
	finish(&b, schedule_delivery(b.s, 1));
	ck_assert_ptr_nonnull(h = handout(&b, ROUTE_REMOTE));
	ck_assert_uint_eq(h->handout.message, 4);
	bench_free(&b);
}
END_TEST

/* --- back-off ----------------------------------------------------------------
 */

/* A destination with `n` queued, of which one was tried and failed. */
static struct delivery *
back_off(struct bench *b, size_t n, uint32_t attempts)
{
	struct delivery *h;

	for (size_t i = 0; i < n; i++)
		add(b, 1, NOW);
	ck_assert_uint_eq(route_all(b, NOW, "a.example"), n);
	ck_assert_ptr_nonnull(h = handout(b, ROUTE_REMOTE));
	schedule_refused(b->s, h, attempts, NOW, 200, &no_host);
	return h;
}

START_TEST(a_destination_is_backed_off_as_a_whole)
{
	struct bench b = bench_new();
	struct delivery *h = back_off(&b, 5, 1);
	struct recipient *r = &b.m[4]->rcpts[0];

	finish(&b, h);
	ck_assert_ptr_null(handout(&b, ROUTE_REMOTE));
	ck_assert_int_eq(schedule_next(b.s), NOW + 300);
	ck_assert_int_eq(schedule_when(r), NOW + 300);
	ck_assert_int_eq(r->phase, PHASE_QUEUED);
	/* What comes new waits as well. */
	add(&b, 1, NOW + 1);
	ck_assert_uint_eq(route_all(&b, NOW + 1, "a.example"), 1);
	ck_assert_ptr_null(handout(&b, ROUTE_REMOTE));
	/* Another destination does not. */
	add(&b, 1, NOW + 1);
	ck_assert_uint_eq(route_all(&b, NOW + 1, "b.example"), 1);
	ck_assert_ptr_nonnull(handout(&b, ROUTE_REMOTE));
	ck_assert_ptr_null(handout(&b, ROUTE_REMOTE));
	/* Then all are routed anew, and one is tried. */
	ck_assert_ptr_null(schedule_ask(b.s, NOW + 299));
	ck_assert_uint_eq(route_all(&b, NOW + 300, "a.example"), 5);
	ck_assert_ptr_nonnull(h = handout(&b, ROUTE_REMOTE));
	ck_assert_ptr_null(handout(&b, ROUTE_REMOTE));
	/* It goes well: the others follow. */
	schedule_served(b.s, h);
	ck_assert_ptr_nonnull(handout(&b, ROUTE_REMOTE));
	ck_assert_ptr_nonnull(handout(&b, ROUTE_REMOTE));
	ck_assert_ptr_null(handout(&b, ROUTE_REMOTE));
	bench_free(&b);
}
END_TEST

START_TEST(failures_add_up_once_a_time)
{
	struct bench b = bench_new();
	struct delivery *one, *two;

	for (size_t i = 0; i < 6; i++)
		add(&b, 1, NOW);
	route_all(&b, NOW, "a.example");
	one = handout(&b, ROUTE_REMOTE);
	two = handout(&b, ROUTE_REMOTE);
	schedule_refused(b.s, one, 1, NOW, 200, &no_host);
	schedule_refused(b.s, two, 1, NOW + 5, 200, &no_host);
	finish(&b, one);
	finish(&b, two);
	ck_assert_int_eq(schedule_next(b.s), NOW + 300);
	ck_assert_uint_eq(route_all(&b, NOW + 300, "a.example"), 4);
	one = handout(&b, ROUTE_REMOTE);
	/* It is not the first that was not looked at, so that one message
	 * cannot stand in the way. */
	schedule_refused(b.s, one, 1, NOW + 300, 200, &no_host);
	finish(&b, one);
	ck_assert_int_eq(schedule_next(b.s), NOW + 300 + 600);
	/* The attempts of a message remember as well. */
	ck_assert_uint_eq(route_all(&b, NOW + 900, "a.example"), 3);
	one = handout(&b, ROUTE_REMOTE);
	schedule_refused(b.s, one, 6, NOW + 900, 200, &no_host);
	finish(&b, one);
	ck_assert_int_eq(schedule_next(b.s), NOW + 900 + 9600);
	bench_free(&b);
}
END_TEST

START_TEST(the_next_time_another_is_tried)
{
	struct bench b = bench_new();
	struct reply why;
	struct recipient *r[2];
	struct delivery *h = back_off(&b, 4, 1);

	ck_assert_uint_eq(h->handout.message, 1);
	finish(&b, h);
	/* Two of three are routed anew when the second attempt fails. */
	r[0] = schedule_ask(b.s, NOW + 300);
	r[1] = schedule_ask(b.s, NOW + 300);
	ck_assert_ptr_eq(r[0], &b.m[1]->rcpts[0]);
	ck_assert_ptr_eq(r[1], &b.m[2]->rcpts[0]);
	routed(&b, r[0], mx("a.example"));
	ck_assert_ptr_nonnull(h = handout(&b, ROUTE_REMOTE));
	ck_assert_uint_eq(h->handout.message, 2);
	schedule_refused(b.s, h, 1, NOW + 300, 200, &no_host);
	finish(&b, h);
	/* one arrives when it is closed already */
	routed(&b, r[1], mx("a.example"));
	ck_assert_ptr_null(schedule_ask(b.s, NOW + 300));
	ck_assert_ptr_null(handout(&b, ROUTE_REMOTE));
	ck_assert_ptr_eq(schedule_ask(b.s, NOW + 900), &b.m[3]->rcpts[0]);
	ck_assert_ptr_eq(schedule_ask(b.s, NOW + 900), &b.m[2]->rcpts[0]);
	ck_assert_ptr_null(schedule_ask(b.s, NOW + 900));
	ck_assert(schedule_refusal(&b.m[3]->rcpts[0], &why));
	ck_assert_str_eq(why.text, no_host.text);
	ck_assert(!schedule_refusal(&b.m[0]->rcpts[0], &why));
	bench_free(&b);
}
END_TEST

START_TEST(a_route_may_change_meanwhile)
{
	struct bench b = bench_new();

	finish(&b, back_off(&b, 4, 1));
	ck_assert_uint_eq(route_all(&b, NOW + 300, "new.example"), 3);
	for (size_t i = 0; i < 3; i++)
		ck_assert_ptr_nonnull(handout(&b, ROUTE_REMOTE));
	bench_free(&b);
}
END_TEST

START_TEST(retry_forgets_the_back_off)
{
	struct bench b = bench_new();
	struct message *m;

	finish(&b, back_off(&b, 4, 1));
	/* one that is queued there */
	schedule_retry(b.s, &b.m[2]->rcpts[0], NOW + 10);
	ck_assert_int_eq(schedule_next(b.s), 0);
	ck_assert_uint_eq(route_all(&b, NOW + 10, "a.example"), 3);
	schedule_refused(
	    b.s, handout(&b, ROUTE_REMOTE), 1, NOW + 10, 200, &no_host);
	/* one that waits for its own time */
	m = add(&b, 1, NOW + 5000);
	ck_assert_ptr_null(schedule_ask(b.s, NOW + 20));
	schedule_retry(b.s, &m->rcpts[0], NOW + 20);
	ck_assert_ptr_eq(schedule_ask(b.s, NOW + 20), &m->rcpts[0]);
	ck_assert_ptr_null(schedule_ask(b.s, NOW + 20));
	routed(&b, &m->rcpts[0], mx("a.example"));
	ck_assert_uint_eq(route_all(&b, NOW + 20, "a.example"), 2);
	ck_assert_ptr_nonnull(handout(&b, ROUTE_REMOTE));
	bench_free(&b);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("destination");
	TCase *tc = tcase_create("destination");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, destinations_take_turns);
	tcase_add_test(tc, a_destination_is_backed_off_as_a_whole);
	tcase_add_test(tc, failures_add_up_once_a_time);
	tcase_add_test(tc, the_next_time_another_is_tried);
	tcase_add_test(tc, a_route_may_change_meanwhile);
	tcase_add_test(tc, retry_forgets_the_back_off);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
