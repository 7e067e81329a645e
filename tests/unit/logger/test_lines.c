/*
 * test_lines.c - a log line is one line, whatever a process writes.
 */
#include <check.h>

#include "master/logger/lines.h"

/* What came out, each line with a '|' behind it. */
static void
feed(char *dst, size_t size, struct span in, size_t step)
{
	struct lines l = { .n = 0 };
	struct span line;
	size_t n = 0;

	for (size_t at = 0; at < in.n; at += step) {
		struct span piece =
		    span_from(in.p + at, in.n - at < step ? in.n - at : step);

		while (lines_next(&l, &piece, &line)) {
			ck_assert_uint_lt(n + line.n + 1, size);
			memcpy(dst + n, line.p, line.n);
			n += line.n;
			dst[n++] = '|';
		}
		ck_assert_uint_eq(piece.n, 0);
	}
	line = lines_rest(&l);
	memcpy(dst + n, line.p, line.n);
	dst[n + line.n] = '\0';
}

static const struct {
	struct span in;
	const char *out;
} cuts[] = {
	{ SPAN(""), "" },
	{ SPAN("a"), "a" },
	{ SPAN("a\n"), "a|" },
	{ SPAN("a\nb\n"), "a|b|" },
	{ SPAN("a\nb"), "a|b" },
	{ SPAN("\n\n\na\n\n"), "a|" },
};

START_TEST(lines_are_the_same_in_any_pieces)
{
	char out[64];

	for (size_t step = 1; step < 8; step++) {
		feed(out, sizeof out, cuts[_i].in, step);
		ck_assert_str_eq(out, cuts[_i].out);
	}
}
END_TEST

START_TEST(an_endless_line_is_cut_and_the_next_one_is_whole)
{
	static char in[3 * LOG_LINE_MAX], out[4 * LOG_LINE_MAX];

	memset(in, 'x', sizeof in);
	memcpy(in + sizeof in - 5, "\nabc\n", 5);
	for (size_t step = 1; step <= sizeof in; step *= 3) {
		feed(out, sizeof out, span_from(in, sizeof in), step);
		ck_assert_uint_eq(strspn(out, "x"), LOG_LINE_MAX);
		ck_assert_str_eq(out + LOG_LINE_MAX, "|abc|");
	}
}
END_TEST

START_TEST(time_and_process_stand_before_it)
{
	const struct timespec t = { 1795446632, 123456789 };
	char out[LINES_TEXT_MAX];
	size_t n = lines_format(
	    out, &t, "smtpd", SPAN("event=accepted from=\"\\x0a\""));

	ck_assert(span_is(span_from(out, n),
	    "2026-11-23T15:10:32.123456Z smtpd event=accepted "
	    "from=\"\\x0a\"\n"));
}
END_TEST

START_TEST(nothing_but_printable_ascii_gets_out)
{
	const struct timespec t = { 0, 0 };
	char in[LOG_LINE_MAX + 1], out[LINES_TEXT_MAX];
	size_t n;

	for (unsigned c = 0; c < 256; c++) {
		memset(in, (int)c, sizeof in);
		n = lines_format(out, &t, "local", span_from(in, sizeof in));
		ck_assert_uint_le(n, sizeof out);
		ck_assert_uint_eq(out[n - 1], '\n');
		for (size_t i = 0; i < n - 1; i++)
			ck_assert(out[i] >= ' ' && out[i] <= '~');
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("lines");
	TCase *t = tcase_create("lines");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_loop_test(t, lines_are_the_same_in_any_pieces, 0,
	    sizeof cuts / sizeof cuts[0]);
	tcase_add_test(t, an_endless_line_is_cut_and_the_next_one_is_whole);
	tcase_add_test(t, time_and_process_stand_before_it);
	tcase_add_test(t, nothing_but_printable_ascii_gets_out);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
