/*
 * test_buf.c - buffers grow up to their limit and not beyond.
 */
#include <check.h>
#include <errno.h>

#include "common/bytes/buf.h"

START_TEST(adding_stops_exactly_at_the_limit)
{
	struct buf b;

	buf_init(&b, 10);
	ck_assert_int_eq(buf_add_str(&b, "01234"), 0);
	ck_assert_int_eq(buf_addf(&b, "%d", 56789), 0);
	ck_assert(span_eq(buf_span(&b), SPAN("0123456789")));
	errno = 0;
	ck_assert_int_eq(buf_add_str(&b, "x"), -1);
	ck_assert_int_eq(errno, ENOBUFS);
	ck_assert_int_eq(buf_addf(&b, "%s", "x"), -1);
	ck_assert_int_eq(buf_add(&b, "", 0), 0);
	ck_assert(span_eq(buf_span(&b), SPAN("0123456789")));
	buf_fini(&b);
}
END_TEST

START_TEST(what_does_not_fit_is_not_added_in_part)
{
	struct buf b;

	buf_init(&b, 300);
	ck_assert_int_eq(buf_addf(&b, "%0299d", 0), 0);
	ck_assert_int_eq(buf_addf(&b, "%s", "ab"), -1);
	ck_assert_uint_eq(b.n, 299);
	ck_assert_int_eq(buf_add_span(&b, SPAN("ab")), -1);
	ck_assert_uint_eq(b.n, 299);
	ck_assert_int_eq(buf_add_span(&b, SPAN("a")), 0);
	ck_assert_uint_eq(b.n, 300);
	ck_assert_int_eq(b.p[299], 'a');
	buf_fini(&b);
}
END_TEST

START_TEST(sizes_near_the_end_of_memory_do_not_wrap)
{
	struct buf b;

	buf_init(&b, SIZE_MAX);
	ck_assert_int_eq(buf_add_str(&b, "x"), 0);
	errno = 0;
	ck_assert_ptr_null(buf_reserve(&b, SIZE_MAX - 1));
	ck_assert_int_eq(errno, ENOMEM);
	errno = 0;
	ck_assert_ptr_null(buf_reserve(&b, SIZE_MAX));
	ck_assert_int_eq(errno, ENOBUFS);
	ck_assert(span_eq(buf_span(&b), SPAN("x")));
	buf_fini(&b);
}
END_TEST

START_TEST(reserved_room_can_be_written_whole)
{
	struct buf b;
	char *p;

	buf_init(&b, 5000);
	for (size_t n = 1; b.n + n <= 5000; n += 37) {
		ck_assert_ptr_nonnull(p = buf_reserve(&b, n));
		memset(p, (int)n & 0x7f, n);
		b.n += n;
	}
	ck_assert_uint_gt(b.n, 4000);
	ck_assert_int_eq(b.p[0], 1);
	ck_assert_int_eq(b.p[1], 38);
	buf_fini(&b);
	ck_assert_ptr_null(b.p);
	ck_assert_uint_eq(buf_span(&b).n, 0);
	ck_assert_int_eq(buf_add_str(&b, "again"), 0);
	buf_fini(&b);
}
END_TEST

/* vsnprintf writes a NUL behind what it was asked for. */
START_TEST(a_nul_always_has_room_behind)
{
	struct buf b;

	buf_init(&b, 1000);
	for (int i = 0; i < 1000; i++) {
		ck_assert_int_eq(buf_addf(&b, "%d", i % 10), 0);
		ck_assert_uint_gt(b.cap, b.n);
	}
	ck_assert_uint_eq(b.n, 1000);
	ck_assert_uint_le(b.cap, 1001);
	buf_fini(&b);
}
END_TEST

START_TEST(dropping_and_clearing)
{
	struct buf b;

	buf_init(&b, 100);
	buf_drop(&b, 3);
	ck_assert_int_eq(buf_add_str(&b, "abcdef"), 0);
	buf_drop(&b, 2);
	ck_assert(span_eq(buf_span(&b), SPAN("cdef")));
	buf_drop(&b, 0);
	ck_assert_uint_eq(b.n, 4);
	buf_drop(&b, 99);
	ck_assert_uint_eq(b.n, 0);
	ck_assert_int_eq(buf_add_str(&b, "x"), 0);
	buf_clear(&b);
	ck_assert_uint_eq(b.n, 0);
	ck_assert_uint_gt(b.cap, 0);
	buf_fini(&b);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("buf");
	TCase *t = tcase_create("buf");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, adding_stops_exactly_at_the_limit);
	tcase_add_test(t, what_does_not_fit_is_not_added_in_part);
	tcase_add_test(t, sizes_near_the_end_of_memory_do_not_wrap);
	tcase_add_test(t, reserved_room_can_be_written_whole);
	tcase_add_test(t, a_nul_always_has_room_behind);
	tcase_add_test(t, dropping_and_clearing);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
