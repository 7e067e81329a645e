/*
 * test_given.c - which addresses a message's aliases have led to.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "queue/given.h"

START_TEST(once_in_a_message)
{
	struct given *g = given_new();

	ck_assert_ptr_nonnull(g);
	ck_assert(given_add(g, 1, 0, SPAN("a@b.example"), false));
	/* the same recipient's, asked for once more */
	ck_assert(given_add(g, 1, 0, SPAN("a@b.example"), false));
	ck_assert(!given_add(g, 1, 1, SPAN("a@b.example"), false));
	/* another message's, another address, another meaning */
	ck_assert(given_add(g, 2, 1, SPAN("a@b.example"), false));
	ck_assert(given_add(g, 1, 1, SPAN("A@b.example"), false));
	ck_assert(given_add(g, 1, 1, SPAN("a@b.example"), true));
	ck_assert_uint_eq(given_count(g), 4);
	/* What was not recorded may be given by another. */
	given_take_back(g, 1, 0);
	ck_assert_uint_eq(given_count(g), 3);
	ck_assert(given_add(g, 1, 1, SPAN("a@b.example"), false));
	ck_assert(!given_add(g, 1, 0, SPAN("a@b.example"), false));
	given_take_back(g, 3, 0);
	given_forget(g, 1);
	ck_assert_uint_eq(given_count(g), 1);
	given_forget(g, 1);
	given_free(g);
	given_free(NULL);
}
END_TEST

START_TEST(no_more_than_so_many)
{
	struct given *g = given_new();
	char address[32];

	for (unsigned i = 0; i <= GIVEN_MAX; i++) {
		int n = snprintf(address, sizeof address, "m%u@b.example", i);

		ck_assert(given_add(
		    g, i % 3, 0, span_from(address, (size_t)n), false));
	}
	ck_assert_uint_eq(given_count(g), GIVEN_MAX);
	ck_assert(!given_add(g, 1, 1, SPAN("m1@b.example"), false));
	given_forget(g, 1);
	ck_assert_uint_lt(given_count(g), GIVEN_MAX * 2 / 3 + 2);
	given_free(g);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("given");
	TCase *t = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_test(t, once_in_a_message);
	tcase_add_test(t, no_more_than_so_many);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
