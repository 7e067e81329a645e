/*
 * test_span.c - borrowed bytes: comparing, cutting, numbers, copies.
 */
#include <check.h>

#include "common/bytes/span.h"

static const struct span nothing = { NULL, 0 };

START_TEST(equality_minds_length_and_case)
{
	ck_assert(span_eq(SPAN("abc"), SPAN("abc")));
	ck_assert(!span_eq(SPAN("abc"), SPAN("abC")));
	ck_assert(!span_eq(SPAN("abc"), SPAN("ab")));
	ck_assert(!span_eq(SPAN("ab\0c"), SPAN("ab\0d")));
	ck_assert(span_eq(nothing, SPAN("")));
	ck_assert(span_is(SPAN("HeLo"), "hElO"));
	ck_assert(!span_is(SPAN("helo "), "helo"));
	ck_assert(!span_is(SPAN("hel"), "helo"));
	ck_assert(span_case_eq(SPAN("A[Z"), SPAN("a[z")));
	/* `[` and `{` differ as `A` and `a` do, but are no letters. */
	ck_assert(!span_case_eq(SPAN("["), SPAN("{")));
	ck_assert(!span_case_eq(SPAN("\xc4"), SPAN("\xe4")));
}
END_TEST

START_TEST(prefixes)
{
	ck_assert(span_starts(SPAN("MAIL FROM:"), "MAIL"));
	ck_assert(!span_starts(SPAN("mail"), "MAIL"));
	ck_assert(!span_starts(SPAN("MAI"), "MAIL"));
	ck_assert(span_starts(nothing, ""));
	ck_assert(!span_starts(nothing, "x"));
	ck_assert(span_starts_case(SPAN("from:<>"), "FROM:"));
	ck_assert(!span_starts_case(SPAN("from"), "FROM:"));
}
END_TEST

START_TEST(cutting_at_a_character)
{
	struct span s = SPAN("a,b,,c");
	const char *const parts[] = { "a", "b", "", "c" };

	for (size_t i = 0; i < 4; i++)
		ck_assert(span_eq(span_cut(&s, ','), span_of(parts[i])));
	ck_assert_uint_eq(s.n, 0);
	ck_assert_uint_eq(span_cut(&s, ',').n, 0);
	s = nothing;
	ck_assert_uint_eq(span_cut(&s, ',').n, 0);
	s = SPAN("a,");
	ck_assert(span_eq(span_cut(&s, ','), SPAN("a")));
	ck_assert_uint_eq(s.n, 0);
}
END_TEST

START_TEST(trimming_and_skipping)
{
	ck_assert(span_eq(span_trim(SPAN(" \ta b\t ")), SPAN("a b")));
	ck_assert_uint_eq(span_trim(SPAN(" \t ")).n, 0);
	ck_assert(span_eq(span_trim(SPAN("\na\n")), SPAN("\na\n")));
	ck_assert(span_eq(span_skip(SPAN("abc"), 1), SPAN("bc")));
	ck_assert_uint_eq(span_skip(SPAN("abc"), 3).n, 0);
	ck_assert_uint_eq(span_skip(SPAN("abc"), SIZE_MAX).n, 0);
	ck_assert_uint_eq(span_skip(nothing, 1).n, 0);
}
END_TEST

START_TEST(a_line_ends_with_crlf_only)
{
	ck_assert_uint_eq(span_line(SPAN("a\r\nb\r\n")), 3);
	ck_assert_uint_eq(span_line(SPAN("\r\n")), 2);
	ck_assert_uint_eq(span_line(SPAN("a\nb\r\r\nc")), 6);
	ck_assert_uint_eq(span_line(SPAN("a\n\r")), 0);
	ck_assert_uint_eq(span_line(SPAN("\n")), 0);
	ck_assert_uint_eq(span_line(SPAN("a\n\n\n")), 0);
	ck_assert_uint_eq(span_line(nothing), 0);
}
END_TEST

static const struct {
	const char *text;
	uint64_t max;
	bool ok;
	uint64_t value;
} numbers[] = {
	{ "0", 0, true, 0 },
	{ "1", 0, false, 0 },
	{ "007", 7, true, 7 },
	{ "7", 5, false, 0 },
	{ "65535", 65535, true, 65535 },
	{ "65536", 65535, false, 0 },
	{ "4294967296", UINT32_MAX, false, 0 },
	{ "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
	{ "18446744073709551616", UINT64_MAX, false, 0 },
	{ "28446744073709551615", UINT64_MAX, false, 0 },
	{ "99999999999999999999999", UINT64_MAX, false, 0 },
	{ "", 9, false, 0 },
	{ "-1", 9, false, 0 },
	{ "+1", 9, false, 0 },
	{ " 1", 9, false, 0 },
	{ "1 ", 9, false, 0 },
	{ "0x1", 99, false, 0 },
	{ "1\xb2", 99, false, 0 },
};

START_TEST(numbers_are_digits_within_bounds)
{
	uint64_t v = 4711;

	ck_assert_int_eq(
	    span_number(span_of(numbers[_i].text), numbers[_i].max, &v),
	    numbers[_i].ok);
	ck_assert_uint_eq(v, numbers[_i].ok ? numbers[_i].value : 4711);
}
END_TEST

START_TEST(copies_are_whole_or_empty)
{
	char dst[4] = "xyz";

	ck_assert(span_copy(dst, sizeof dst, SPAN("abc")));
	ck_assert_str_eq(dst, "abc");
	ck_assert(!span_copy(dst, sizeof dst, SPAN("abcd")));
	ck_assert_str_eq(dst, "");
	ck_assert(!span_copy(dst, sizeof dst, SPAN("a\0b")));
	ck_assert_str_eq(dst, "");
	ck_assert(span_copy(dst, sizeof dst, nothing));
	dst[0] = 'q';
	ck_assert(!span_copy(dst, 0, nothing));
	ck_assert_int_eq(dst[0], 'q');
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("span");
	TCase *t = tcase_create("span");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, equality_minds_length_and_case);
	tcase_add_test(t, prefixes);
	tcase_add_test(t, cutting_at_a_character);
	tcase_add_test(t, trimming_and_skipping);
	tcase_add_test(t, a_line_ends_with_crlf_only);
	tcase_add_loop_test(t, numbers_are_digits_within_bounds, 0,
	    sizeof numbers / sizeof *numbers);
	tcase_add_test(t, copies_are_whole_or_empty);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
