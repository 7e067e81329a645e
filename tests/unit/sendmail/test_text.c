/*
 * test_text.c - a message on its way from a program to SMTP, in any pieces.
 */
#include <check.h>
#include <stdlib.h>

#include "admin/sendmail/text.h"

static const struct {
	struct span in, out, with_dots; /* out: a dot alone ends it */
	bool ended;
} texts[] = {
	{ SPAN(""), SPAN(""), SPAN(""), false },
	{ SPAN("a"), SPAN("a\r\n"), SPAN("a\r\n"), false },
	{ SPAN("a\n"), SPAN("a\r\n"), SPAN("a\r\n"), false },
	{ SPAN("a\r\n"), SPAN("a\r\n"), SPAN("a\r\n"), false },
	{ SPAN("\n\n"), SPAN("\r\n\r\n"), SPAN("\r\n\r\n"), false },
	{ SPAN("a\nb\r\nc"), SPAN("a\r\nb\r\nc\r\n"), SPAN("a\r\nb\r\nc\r\n"),
	    false },
	{ SPAN("10%\r20%\r\n"), SPAN("10% 20%\r\n"), SPAN("10% 20%\r\n"),
	    false },
	{ SPAN("a\r\r\nb"), SPAN("a \r\nb\r\n"), SPAN("a \r\nb\r\n"), false },
	{ SPAN("a\r"), SPAN("a\r\n"), SPAN("a\r\n"), false },
	{ SPAN("\r"), SPAN("\r\n"), SPAN("\r\n"), false },
	{ SPAN("x\rBcc: y\n"), SPAN("x Bcc: y\r\n"), SPAN("x Bcc: y\r\n"),
	    false },
	{ SPAN("a\n.\nb\n"), SPAN("a\r\n"), SPAN("a\r\n.\r\nb\r\n"), true },
	{ SPAN("a\n.\r\nb\n"), SPAN("a\r\n"), SPAN("a\r\n.\r\nb\r\n"), true },
	{ SPAN(".\n"), SPAN(""), SPAN(".\r\n"), true },
	{ SPAN("."), SPAN(""), SPAN(".\r\n"), true },
	{ SPAN("a\n."), SPAN("a\r\n"), SPAN("a\r\n.\r\n"), true },
	{ SPAN("a\n.\r"), SPAN("a\r\n"), SPAN("a\r\n.\r\n"), true },
	{ SPAN("a."), SPAN("a.\r\n"), SPAN("a.\r\n"), false },
	{ SPAN("a.\nb"), SPAN("a.\r\nb\r\n"), SPAN("a.\r\nb\r\n"), false },
	{ SPAN("..\n"), SPAN("..\r\n"), SPAN("..\r\n"), false },
	{ SPAN(".a\n"), SPAN(".a\r\n"), SPAN(".a\r\n"), false },
	{ SPAN(". \n"), SPAN(". \r\n"), SPAN(". \r\n"), false },
	{ SPAN(".\r\r\nx"), SPAN(". \r\nx\r\n"), SPAN(". \r\nx\r\n"), false },
	{ SPAN(".\r.\nx"), SPAN(". .\r\nx\r\n"), SPAN(". .\r\nx\r\n"), false },
	{ SPAN("\r.\nx"), SPAN(" .\r\nx\r\n"), SPAN(" .\r\nx\r\n"), false },
	{ SPAN("\n.\n\n"), SPAN("\r\n"), SPAN("\r\n.\r\n\r\n"), true },
};

static void
check(size_t i, bool ignore_dots, size_t step)
{
	struct span in = texts[i].in;
	struct span want = ignore_dots ? texts[i].with_dots : texts[i].out;
	char out[64];
	size_t n = 0;
	struct text t;

	text_init(&t, ignore_dots);
	for (; in.n > 0; in = span_skip(in, step)) {
		size_t k = in.n < step ? in.n : step;

		n += text_add(&t, span_from(in.p, k), out + n);
		ck_assert_uint_le(n, TEXT_OUT_MAX(texts[i].in.n));
	}
	n += text_end(&t, out + n);
	ck_assert_uint_le(n, TEXT_OUT_MAX(texts[i].in.n));
	ck_assert_msg(span_eq(span_from(out, n), want), "%.*s", (int)n, out);
	ck_assert_int_eq(t.ended, texts[i].ended && !ignore_dots);
	ck_assert_uint_eq(t.size, n);
	ck_assert(!t.nul && !t.eight_bit);
}

START_TEST(lines_end_in_crlf)
{
	for (size_t step = 1; step <= 16; step++) {
		check((size_t)_i, false, step);
		check((size_t)_i, true, step);
	}
}
END_TEST

START_TEST(what_cannot_be_seen_is_noted)
{
	char out[16];
	struct text t;

	text_init(&t, false);
	ck_assert_uint_eq(text_add(&t, SPAN("a\xe4\n"), out), 4);
	ck_assert(t.eight_bit && !t.nul);
	ck_assert_uint_eq(text_add(&t, SPAN("\0"), out), 1);
	ck_assert(t.nul);
	/* Behind the end nothing counts. */
	text_init(&t, false);
	ck_assert_uint_eq(text_add(&t, SPAN(".\n\0\xe4"), out), 0);
	ck_assert(t.ended && !t.nul && !t.eight_bit);
	ck_assert_uint_eq(text_end(&t, out), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("text");
	TCase *t = tcase_create("text");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(
	    t, lines_end_in_crlf, 0, sizeof texts / sizeof *texts);
	tcase_add_test(t, what_cannot_be_seen_is_noted);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
