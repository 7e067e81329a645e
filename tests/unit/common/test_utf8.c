/*
 * test_utf8.c - code points: each form that is one, and those that are none.
 */
#include <check.h>

#include "common/bytes/utf8.h"

static const struct {
	struct span in;
	int32_t point; /* the first; -1: none */
	size_t rest;
} rows[] = {
	{ SPAN("a"), 'a', 0 },
	{ SPAN("\0b"), 0, 1 },
	{ SPAN("\x7f"), 0x7f, 0 },
	{ SPAN("\xc2\x80"), 0x80, 0 },
	{ SPAN("\xdf\xbf\xc3"), 0x7ff, 1 },
	{ SPAN("\xe0\xa0\x80"), 0x800, 0 },
	{ SPAN("\xed\x9f\xbf"), 0xd7ff, 0 },
	{ SPAN("\xee\x80\x80"), 0xe000, 0 },
	{ SPAN("\xef\xbf\xbf"), 0xffff, 0 },
	{ SPAN("\xf0\x90\x80\x80"), 0x10000, 0 },
	{ SPAN("\xf4\x8f\xbf\xbf"), 0x10ffff, 0 },
	{ SPAN(""), -1, 0 },
	/* not the first octet of any */
	{ SPAN("\x80"), -1, 1 },
	{ SPAN("\xbf\xbf"), -1, 2 },
	{ SPAN("\xf8\x88\x80\x80\x80"), -1, 5 },
	{ SPAN("\xff"), -1, 1 },
	/* cut off, or something else behind it */
	{ SPAN("\xc2"), -1, 1 },
	{ SPAN("\xe2\x82"), -1, 2 },
	{ SPAN("\xf0\x9f\x93"), -1, 3 },
	{ SPAN("\xc2"
	       "a"),
	    -1, 2 },
	{ SPAN("\xe2\x82\xc2"), -1, 3 },
	/* longer than need be */
	{ SPAN("\xc0\x80"), -1, 2 },
	{ SPAN("\xc1\xbf"), -1, 2 },
	{ SPAN("\xe0\x9f\xbf"), -1, 3 },
	{ SPAN("\xf0\x8f\xbf\xbf"), -1, 4 },
	/* surrogates, and beyond the last */
	{ SPAN("\xed\xa0\x80"), -1, 3 },
	{ SPAN("\xed\xbf\xbf"), -1, 3 },
	{ SPAN("\xf4\x90\x80\x80"), -1, 4 },
};

START_TEST(a_code_point_is_taken_or_nothing)
{
	struct span in = rows[_i].in;

	ck_assert_int_eq(utf8_next(&in), rows[_i].point);
	ck_assert_uint_eq(in.n, rows[_i].rest);
	if (rows[_i].point == -1)
		ck_assert(utf8_ok(rows[_i].in) == (rows[_i].in.n == 0));
}
END_TEST

START_TEST(every_code_point_has_one_form)
{
	uint32_t n = 0;

	for (uint32_t lead = 0; lead < 0x10000; lead++) {
		char two[2] = { (char)(lead >> 8), (char)lead };
		struct span in = span_from(two, 2);

		/* Those of two octets: C2 80 to DF BF, each another one. */
		if (utf8_next(&in) >= 0x80)
			n++;
	}
	ck_assert_uint_eq(n, 0x800 - 0x80);
}
END_TEST

START_TEST(control_characters_are_not_ok)
{
	ck_assert(utf8_ok(SPAN("na\xc3\xafve \xf0\x9f\x93\xae")));
	ck_assert(!utf8_ok(SPAN("a\xc2\x85")));
	ck_assert(!utf8_ok(SPAN("\xc2\x9f"
				"a")));
	ck_assert(utf8_ok(SPAN("\xc2\xa0")));
	ck_assert(utf8_ok(SPAN("")));
	ck_assert(!utf8_beyond_ascii(SPAN("\x7f")));
	ck_assert(!utf8_beyond_ascii(SPAN("")));
	ck_assert(utf8_beyond_ascii(SPAN("a\x80")));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("utf8");
	TCase *t = tcase_create("utf8");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, a_code_point_is_taken_or_nothing, 0,
	    (int)(sizeof rows / sizeof *rows));
	tcase_add_test(t, every_code_point_has_one_form);
	tcase_add_test(t, control_characters_are_not_ok);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
