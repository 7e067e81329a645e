/*
 * test_lines.c - a log line is one line, whatever a process writes.
 */
#include <check.h>
#include <stdlib.h>

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

static const struct lines_form plain = { false, false };

START_TEST(time_and_process_stand_before_it)
{
	const struct timespec t = { 1795446632, 123456789 };
	char out[LINES_TEXT_MAX];
	size_t n = lines_format(
	    out, &plain, &t, "smtpd", SPAN("event=accepted from=\"\\x0a\""));

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
		n = lines_format(
		    out, &plain, &t, "local", span_from(in, sizeof in));
		ck_assert_uint_le(n, sizeof out);
		ck_assert_uint_eq(out[n - 1], '\n');
		for (size_t i = 0; i < n - 1; i++)
			ck_assert(out[i] >= ' ' && out[i] <= '~');
	}
}
END_TEST

/* ---- JSON, syslog --------------------------------------------------------- */

#define HEAD \
	"{\"time\":\"2026-11-23T15:10:32.123456Z\"," \
	"\"program\":\"smtpd\",\"level\":"

static const struct {
	const char *in, *out; /* behind HEAD */
} objects[] = {
	{ "event=accepted id=6601020304050607 size=42 from=a@b",
	    "\"info\",\"event\":\"accepted\",\"id\":\"6601020304050607\","
	    "\"size\":42,\"from\":\"a@b\"}" },
	{ "event=x level=warn n=-7", "\"warn\",\"event\":\"x\",\"n\":-7}" },
	{ "event=x level=error", "\"error\",\"event\":\"x\"}" },
	{ "event=x level=warning n=\"7\"",
	    "\"info\",\"event\":\"x\",\"n\":\"7\"}" },
	/* Not a number that everybody would read as this one. */
	{ "event=x a=007 b=- c=1234567890123456 d=123456789012345 e=0 f=1.5",
	    "\"info\",\"event\":\"x\",\"a\":\"007\",\"b\":\"-\","
	    "\"c\":\"1234567890123456\",\"d\":123456789012345,\"e\":0,"
	    "\"f\":\"1.5\"}" },
	{ "event=x text=\"a b=c\" empty=\"\"",
	    "\"info\",\"event\":\"x\",\"text\":\"a b=c\",\"empty\":\"\"}" },
	/* Escapes: UTF-8, controls, quotes; and what is no UTF-8. */
	{ "event=x t=\"gr\\xc3\\xbc\\xc3\\x9fe\"",
	    "\"info\",\"event\":\"x\",\"t\":\"gr\303\274\303\237e\"}" },
	{ "event=x t=\"\\x00\\x0a\\x22\\x5c\"",
	    "\"info\",\"event\":\"x\",\"t\":\"\\u0000\\n\\\"\\\\\"}" },
	{ "event=x t=\"\\xc3\\x28 \\xff\"",
	    "\"info\",\"event\":\"x\",\"t\":\"\\\\xc3\\\\x28 \\\\xff\"}" },
	{ "event=x t=\"\\xed\\xa0\\x80\"",
	    "\"info\",\"event\":\"x\",\"t\":\"\\\\xed\\\\xa0\\\\x80\"}" },
	{ "event=x t=\\x4 u=\\xZZ v=\\",
	    "\"info\",\"event\":\"x\",\"t\":\"\\\\x4\",\"u\":\"\\\\xZZ\","
	    "\"v\":\"\\\\\"}" },
	/* A process cannot say that it is another one, or now another time. */
	{ "event=x time=1 program=queue level=error event=y",
	    "\"info\",\"event\":\"x\"}" },
	/* No line of log.h. */
	{ "hello world", "\"info\",\"text\":\"hello world\"}" },
	{ "event=x =y", "\"info\",\"text\":\"event=x =y\"}" },
	{ "event=x t=\"open", "\"info\",\"text\":\"event=x t=\\\"open\"}" },
	{ "event=x t=\"a\"b", "\"info\",\"text\":\"event=x t=\\\"a\\\"b\"}" },
	{ "\002", "\"info\",\"text\":\"\\u0002\"}" },
};

START_TEST(a_line_as_an_object)
{
	static const struct lines_form form = { .json = true };
	const struct timespec t = { 1795446632, 123456789 };
	char out[LINES_TEXT_MAX];
	size_t n =
	    lines_format(out, &form, &t, "smtpd", span_of(objects[_i].in));

	ck_assert_uint_lt(n, sizeof out);
	ck_assert_uint_eq(out[n - 1], '\n');
	out[n - 1] = '\0';
	ck_assert_int_eq(strncmp(out, HEAD, sizeof HEAD - 1), 0);
	ck_assert_str_eq(out + sizeof HEAD - 1, objects[_i].out);
}
END_TEST

/* Whatever a line is made of, it fits, and is one line. */
START_TEST(the_worst_lines_fit)
{
	static const char *const made_of[] = { "\"", "\\", "\x01", "\xff",
		" a=", " a=\"\"", "event=", "\xc3\xbc", "a" };
	static const struct lines_form forms[] = { { true, false },
		{ true, true }, { false, true } };
	const struct timespec t = { 0, 0 };
	static char in[2 * LOG_LINE_MAX], out[LINES_TEXT_MAX];
	size_t n, asked = 0;

	for (size_t i = 0; i < sizeof made_of / sizeof made_of[0]; i++)
		for (size_t j = 0; j < 3; j++, asked++) {
			size_t one = strlen(made_of[i]);

			strcpy(in, "event=x");
			for (n = 7; n + one < sizeof in; n += one)
				memcpy(in + n, made_of[i], one);
			n = lines_format(
			    out, &forms[j], &t, "local", span_from(in, n));
			ck_assert_uint_lt(n, sizeof out);
			ck_assert_ptr_eq(memchr(out, '\n', n), out + n - 1);
		}
	ck_assert_uint_eq(asked, 27);
}
END_TEST

START_TEST(what_syslog_wants_to_see_first)
{
	static const struct {
		const char *line, *out;
	} rows[] = {
		{ "event=x n=1",
		    "<22>Nov 23 15:10:32 sallyport/smtpd: "
		    "event=x n=1\n" },
		{ "event=x level=warn",
		    "<20>Nov 23 15:10:32 sallyport/smtpd: "
		    "event=x level=warn\n" },
		{ "event=x level=error a=\"b c\"",
		    "<19>Nov 23 15:10:32 sallyport/smtpd: "
		    "event=x level=error a=\"b c\"\n" },
		{ "event=x level=debug",
		    "<23>Nov 23 15:10:32 sallyport/smtpd: "
		    "event=x level=debug\n" },
		{ "event=x a=b level=error",
		    "<22>Nov 23 15:10:32 sallyport/smtpd: "
		    "event=x a=b level=error\n" },
	};
	static const struct lines_form form = { .syslog = true };
	const struct timespec t = { 1795446632, 123456789 };
	char out[LINES_TEXT_MAX + 1];

	setenv("TZ", "UTC", 1);
	tzset();
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		out[lines_format(
		    out, &form, &t, "smtpd", span_of(rows[i].line))] = '\0';
		ck_assert_str_eq(out, rows[i].out);
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
	tcase_add_loop_test(
	    t, a_line_as_an_object, 0, sizeof objects / sizeof objects[0]);
	tcase_add_test(t, the_worst_lines_fit);
	tcase_add_test(t, what_syslog_wants_to_see_first);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
