/*
 * test_errors.c - the last errors, the oldest first.
 */
#include <check.h>
#include <stdio.h>

#include "master/logger/errors.h"

START_TEST(the_last_ones_in_order)
{
	static struct errors e;
	struct msg_errors m;
	char line[32];

	errors_tell(&e, &m);
	ck_assert_uint_eq(m.n, 0);
	for (unsigned i = 0; i < 3 * CONTROL_ERRORS_MAX; i++) {
		snprintf(line, sizeof line, "line %u", i);
		errors_keep(&e, span_of(line));
		errors_tell(&e, &m);
		ck_assert_uint_eq(m.n,
		    i + 1 < CONTROL_ERRORS_MAX ? i + 1 : CONTROL_ERRORS_MAX);
		ck_assert(span_is(m.lines[m.n - 1], line));
		snprintf(line, sizeof line, "line %u", i + 1 - m.n);
		ck_assert(span_is(m.lines[0], line));
	}
}
END_TEST

START_TEST(a_long_one_is_cut)
{
	static struct errors e;
	static char line[2 * CONTROL_ERROR_MAX];
	struct msg_errors m;

	memset(line, 'x', sizeof line);
	errors_keep(&e, span_from(line, sizeof line));
	errors_keep(&e, SPAN(""));
	errors_tell(&e, &m);
	ck_assert_uint_eq(m.n, 1);
	ck_assert_uint_eq(m.lines[0].n, CONTROL_ERROR_MAX);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("errors");
	TCase *t = tcase_create("errors");
	SRunner *r;
	int failed;

	suite_add_tcase(s, t);
	tcase_add_test(t, the_last_ones_in_order);
	tcase_add_test(t, a_long_one_is_cut);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
