/*
 * test_pending.c - a window of requests: full, answered, late, forgotten.
 */
#include <check.h>
#include <stdlib.h>
#include <time.h>

#include "common/run/pending.h"

#define WINDOW 8

static struct event_base *base;
static struct pending *table;
static int requests[WINDOW + 1];
static void *failed[4 * WINDOW];
static size_t nfailed;
static bool again; /* each failed request is asked once more */

static void
on_failed(void *arg, void *request)
{
	ck_assert_ptr_eq(arg, &table);
	failed[nfailed++] = request;
	if (again)
		pending_add(table, request);
}

static void
set_up(void)
{
	nfailed = 0;
	again = false;
	base = event_base_new();
	table = pending_new(base, WINDOW, 1, on_failed, &table);
	ck_assert_ptr_nonnull(table);
}

static void
tear_down(void)
{
	pending_free(table);
	event_base_free(base);
}

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Until n have failed; how long it took. */
static double
wait_failed(size_t n)
{
	double start = now();

	while (nfailed < n && now() - start < 10)
		event_base_loop(base, EVLOOP_ONCE);
	return now() - start;
}

START_TEST(an_answer_finds_its_request_once)
{
	uint32_t a = pending_add(table, &requests[0]);
	uint32_t b = pending_add(table, &requests[1]);

	ck_assert_uint_ne(a, 0);
	ck_assert_uint_ne(b, 0);
	ck_assert_uint_ne(a, b);
	ck_assert_uint_eq(pending_count(table), 2);
	ck_assert_ptr_eq(pending_take(table, b), &requests[1]);
	ck_assert_ptr_eq(pending_take(table, a), &requests[0]);
	ck_assert_ptr_null(pending_take(table, a));
	ck_assert_uint_eq(pending_count(table), 0);
}
END_TEST

START_TEST(made_up_ids_find_nothing)
{
	uint32_t id = pending_add(table, &requests[0]);

	ck_assert_ptr_null(pending_take(table, 0));
	for (unsigned bit = 0; bit < 32; bit++)
		ck_assert_ptr_null(pending_take(table, id ^ 1u << bit));
	ck_assert_ptr_null(pending_take(table, UINT32_MAX));
	ck_assert_ptr_eq(pending_take(table, id), &requests[0]);
}
END_TEST

START_TEST(the_window_has_an_end)
{
	uint32_t ids[WINDOW];

	for (int i = 0; i < WINDOW; i++) {
		ck_assert(!pending_full(table));
		ids[i] = pending_add(table, &requests[i]);
	}
	ck_assert(pending_full(table));
	ck_assert_ptr_eq(pending_take(table, ids[3]), &requests[3]);
	ck_assert(!pending_full(table));
	ck_assert_uint_ne(pending_add(table, &requests[WINDOW]), ids[3]);
	ck_assert(pending_full(table));
	ck_assert_ptr_null(pending_take(table, ids[3]));
}
END_TEST

static int
by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

START_TEST(an_id_does_not_come_back_soon)
{
	static uint32_t ids[WINDOW * 65535];
	size_t n = sizeof ids / sizeof ids[0];

	for (size_t i = 0; i < n; i++) {
		ids[i] = pending_add(table, &requests[0]);
		ck_assert_uint_ne(ids[i], 0);
		ck_assert_ptr_nonnull(pending_take(table, ids[i]));
	}
	/* Only now, when each slot has had each of its generations. */
	ck_assert_uint_eq(pending_add(table, &requests[0]), ids[0]);
	qsort(ids, n, sizeof ids[0], by_number);
	for (size_t i = 1; i < n; i++)
		ck_assert_uint_ne(ids[i - 1], ids[i]);
}
END_TEST

START_TEST(a_forgotten_request_keeps_its_place_and_fails_silently)
{
	uint32_t a = pending_add(table, &requests[0]);
	uint32_t b = pending_add(table, &requests[0]);

	pending_forget(table, &requests[0]);
	pending_forget(table, &requests[1]);
	ck_assert_uint_eq(pending_count(table), 2);
	ck_assert_ptr_null(pending_take(table, a));
	ck_assert_uint_eq(pending_count(table), 1);
	pending_fail_all(table);
	ck_assert_uint_eq(pending_count(table), 0);
	ck_assert_uint_eq(nfailed, 0);
	ck_assert_ptr_null(pending_take(table, b));
	/* The slot of a forgotten one is as good as any. */
	for (int i = 0; i < 2 * WINDOW; i++)
		ck_assert_ptr_eq(
		    pending_take(table, pending_add(table, &requests[2])),
		    &requests[2]);
}
END_TEST

START_TEST(time_runs_out_in_the_order_of_asking)
{
	uint32_t ids[3];
	double took;

	for (int i = 0; i < 3; i++)
		ids[i] = pending_add(table, &requests[i]);
	ck_assert_ptr_eq(pending_take(table, ids[1]), &requests[1]);
	took = wait_failed(2);
	/* Never before its second is over, and never long after. */
	ck_assert_double_ge(took, 1.0);
	ck_assert_double_le(took, 4.0);
	ck_assert_uint_eq(nfailed, 2);
	ck_assert_ptr_eq(failed[0], &requests[0]);
	ck_assert_ptr_eq(failed[1], &requests[2]);
	ck_assert_ptr_null(pending_take(table, ids[0]));
	ck_assert_uint_eq(pending_count(table), 0);
	/* Nothing to wait for: no timer. */
	ck_assert_int_eq(event_base_loop(base, EVLOOP_NONBLOCK), 1);
}
END_TEST

START_TEST(what_timed_out_may_be_asked_again)
{
	again = true;
	pending_add(table, &requests[0]);
	wait_failed(2);
	ck_assert_uint_eq(nfailed, 2);
	ck_assert_ptr_eq(failed[1], &requests[0]);
	ck_assert_uint_eq(pending_count(table), 1);
}
END_TEST

START_TEST(when_the_peer_is_gone_all_are_told_once)
{
	for (int i = 0; i < WINDOW; i++)
		pending_add(table, &requests[i]);
	pending_forget(table, &requests[5]);
	again = true;
	pending_fail_all(table);
	ck_assert_uint_eq(nfailed, WINDOW - 1);
	for (size_t i = 0; i < nfailed; i++)
		ck_assert_ptr_ne(failed[i], &requests[5]);
	ck_assert_uint_eq(pending_count(table), WINDOW - 1);
}
END_TEST

START_TEST(a_window_has_bounds)
{
	ck_assert_ptr_null(pending_new(base, 0, 1, on_failed, NULL));
	ck_assert_ptr_null(pending_new(base, 65536, 1, on_failed, NULL));
	pending_free(NULL);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("pending");
	TCase *t = tcase_create("pending");
	SRunner *r = srunner_create(s);
	int n;

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_set_timeout(t, 20);
	tcase_add_test(t, an_answer_finds_its_request_once);
	tcase_add_test(t, made_up_ids_find_nothing);
	tcase_add_test(t, the_window_has_an_end);
	tcase_add_test(t, an_id_does_not_come_back_soon);
	tcase_add_test(
	    t, a_forgotten_request_keeps_its_place_and_fails_silently);
	tcase_add_test(t, time_runs_out_in_the_order_of_asking);
	tcase_add_test(t, what_timed_out_may_be_asked_again);
	tcase_add_test(t, when_the_peer_is_gone_all_are_told_once);
	tcase_add_test(t, a_window_has_bounds);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	n = srunner_ntests_failed(r);
	srunner_free(r);
	return n != 0;
}
