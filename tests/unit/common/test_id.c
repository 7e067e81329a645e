/*
 * test_id.c - queue ids grow, sort by time and have one spelling.
 */
#include <check.h>

#include "common/bytes/id.h"

#define NOW 1795446632000000u /* 2026-11-23, in microseconds */

START_TEST(ids_come_back_from_text)
{
	const uint64_t ids[] = { 1, 0xfedcba9876543210, UINT64_MAX,
		id_next(0, NOW) };
	char text[ID_LEN + 1];
	uint64_t back;

	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
		id_format(text, ids[i]);
		ck_assert_uint_eq(strlen(text), ID_LEN);
		ck_assert(id_parse(span_of(text), &back));
		ck_assert_uint_eq(back, ids[i]);
	}
	id_format(text, 0xfedcba9876543210);
	ck_assert_str_eq(text, "fedcba9876543210");
}
END_TEST

START_TEST(anything_else_is_no_id)
{
	const struct span bad[] = { SPAN(""), SPAN("fedcba987654321"),
		SPAN("fedcba98765432100"), SPAN("fedcba987654321g"),
		SPAN("FEDCBA9876543210"), SPAN("0000000000000000"),
		SPAN(" edcba9876543210"),
		SPAN("fedcba98765432\0"
		     "1") };
	uint64_t id = 7;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert(!id_parse(bad[i], &id));
	ck_assert_uint_eq(id, 7);
}
END_TEST

START_TEST(ids_grow_even_if_the_clock_does_not)
{
	uint64_t a = id_next(0, NOW), b = id_next(a, NOW),
		 c = id_next(b, NOW - 5000000), d = id_next(c, NOW + 1);
	char ta[ID_LEN + 1], td[ID_LEN + 1];

	ck_assert_uint_gt(b, a);
	ck_assert_uint_gt(c, b);
	ck_assert_uint_gt(d, c);
	ck_assert_uint_eq(id_time(a), NOW);
	ck_assert_uint_eq(id_time(c), NOW);
	ck_assert_uint_eq(id_time(d), NOW + 1);
	id_format(ta, a);
	id_format(td, d);
	ck_assert_str_lt(ta, td);
	ck_assert_uint_ne(id_next(0, 0), 0);
	/* A clock beyond what an id can hold does not start again at 1970. */
	ck_assert_uint_gt(id_next(d, UINT64_MAX), d);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("id");
	TCase *t = tcase_create("id");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, ids_come_back_from_text);
	tcase_add_test(t, anything_else_is_no_id);
	tcase_add_test(t, ids_grow_even_if_the_clock_does_not);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
