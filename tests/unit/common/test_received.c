/*
 * test_received.c - trace fields that no stranger can break, and dates.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/mail/header.h"
#include "common/mail/received.h"

#define TIME 1795446632 /* Mon, 23 Nov 2026 15:10:32 +0000 */

static const struct {
	struct received r;
	const char *text;
} fields[] = {
	{ { SPAN("client.example"), SPAN("192.0.2.1"), SPAN("mx.example.org"),
	      SPAN("ESMTP"), 0x0123456789abcdef, SPAN("a@b.example"), TIME, 0,
	      false, 0 },
	    "Received: from client.example ([192.0.2.1])\r\n"
	    "\tby mx.example.org with ESMTP id 0123456789abcdef\r\n"
	    "\tfor <a@b.example>;\r\n"
	    "\tMon, 23 Nov 2026 15:10:32 +0000\r\n" },
	{ { SPAN("[IPv6:2001:db8::1]"), SPAN("2001:db8::1"), SPAN("mx"),
	      SPAN("SMTP"), 1, SPAN(""), TIME, 330, false, 0 },
	    "Received: from [IPv6:2001:db8::1] ([IPv6:2001:db8::1])\r\n"
	    "\tby mx with SMTP id 0000000000000001;\r\n"
	    "\tMon, 23 Nov 2026 20:40:32 +0530\r\n" },
	{ { SPAN(""), SPAN("192.0.2.1"), SPAN("mx"), SPAN("SMTP"), 1, SPAN(""),
	      TIME, 0, false, 0 },
	    "Received: from [192.0.2.1] ([192.0.2.1])\r\n"
	    "\tby mx with SMTP id 0000000000000001;\r\n"
	    "\tMon, 23 Nov 2026 15:10:32 +0000\r\n" },
	{ { SPAN(""), SPAN(""), SPAN("mx"), SPAN("local"), 1, SPAN(""), TIME, 0,
	      false, 0 },
	    "Received: by mx with local id 0000000000000001;\r\n"
	    "\tMon, 23 Nov 2026 15:10:32 +0000\r\n" },
	{ { SPAN("host"), SPAN(""), SPAN("mx"), SPAN("local"), 1,
	      SPAN("\"a;b (c)\"@d"), TIME, 0, false, 0 },
	    "Received: from host\r\n"
	    "\tby mx with local id 0000000000000001\r\n"
	    "\tfor <\"a;b (c)\"@d>;\r\n"
	    "\tMon, 23 Nov 2026 15:10:32 +0000\r\n" },
	{ { SPAN("host"), SPAN(""), SPAN("mx"), SPAN("local"), 1,
	      SPAN("a@b.example"), TIME, 0, true, 1000 },
	    "Received: by mx (Sallyport, from userid 1000)\r\n"
	    "\tid 0000000000000001\r\n"
	    "\tfor <a@b.example>;\r\n"
	    "\tMon, 23 Nov 2026 15:10:32 +0000\r\n" },
	{ { SPAN("host"), RECEIVED_UNKNOWN, SPAN("mx"), SPAN("ESMTP"), 1,
	      SPAN(""), TIME, 0, false, 0 },
	    "Received: from host (unknown)\r\n"
	    "\tby mx with ESMTP id 0000000000000001;\r\n"
	    "\tMon, 23 Nov 2026 15:10:32 +0000\r\n" },
	/* What a stranger says ends no comment, no line and no field. */
	{ { SPAN("a) (b;<c>\r\nX: \"y\"\\,\0\x7f\xff"), SPAN("1\r\n]2"),
	      SPAN("mx"), SPAN("SMTP"), 1, SPAN("a\r\nb\0c"), TIME, 0, false,
	      0 },
	    "Received: from a???b??c???X:??y?????? ([1??]2])\r\n"
	    "\tby mx with SMTP id 0000000000000001\r\n"
	    "\tfor <a??b?c>;\r\n"
	    "\tMon, 23 Nov 2026 15:10:32 +0000\r\n" },
};

START_TEST(trace_fields)
{
	struct span in, name, value;
	struct buf b;

	buf_init(&b, 4096);
	ck_assert_int_eq(received_add(&b, &fields[_i].r), 0);
	ck_assert_int_eq(buf_add(&b, "", 1), 0);
	ck_assert_str_eq(b.p, fields[_i].text);
	in = span_from(b.p, b.n - 1);
	ck_assert(header_next(&in, &name, &value));
	ck_assert_uint_eq(in.n, 0);
	buf_fini(&b);
}
END_TEST

START_TEST(it_is_added_whole_or_not_at_all)
{
	size_t whole = strlen(fields[_i].text);
	struct buf b;

	for (size_t max = 2; max < whole + 2; max++) {
		buf_init(&b, max);
		ck_assert_int_eq(buf_add_str(&b, "x:"), 0);
		errno = 0;
		ck_assert_int_eq(received_add(&b, &fields[_i].r), -1);
		ck_assert_int_eq(errno, ENOBUFS);
		ck_assert(span_eq(buf_span(&b), SPAN("x:")));
		buf_fini(&b);
	}
}
END_TEST

START_TEST(no_line_is_over_998_octets)
{
	static char huge[5000];
	struct span h = { huge, sizeof huge };
	struct received r = { h, h, h, h, 1, h, TIME, 0, false, 0 };
	struct buf b;
	struct span rest;

	memset(huge, ':', sizeof huge);
	buf_init(&b, 10000);
	ck_assert_int_eq(received_add(&b, &r), 0);
	ck_assert_uint_gt(b.n, 0);
	for (rest = buf_span(&b); rest.n > 0;
	     rest = span_skip(rest, span_line(rest))) {
		ck_assert_uint_gt(span_line(rest), 0);
		ck_assert_uint_le(span_line(rest), 998 + 2);
	}
	buf_fini(&b);
}
END_TEST

static const struct {
	int64_t time;
	int zone;
	const char *text;
} dates[] = {
	{ 0, 0, "Thu, 01 Jan 1970 00:00:00 +0000" },
	{ TIME, 0, "Mon, 23 Nov 2026 15:10:32 +0000" },
	{ TIME, -90, "Mon, 23 Nov 2026 13:40:32 -0130" },
	{ TIME, 14 * 60, "Tue, 24 Nov 2026 05:10:32 +1400" },
	{ 951782399, 0, "Mon, 28 Feb 2000 23:59:59 +0000" },
	{ 951782400, 0, "Tue, 29 Feb 2000 00:00:00 +0000" },
	{ 4107542400, 0, "Mon, 01 Mar 2100 00:00:00 +0000" },
	{ 4107542399, 0, "Sun, 28 Feb 2100 23:59:59 +0000" },
	{ 253402300799, 0, "Fri, 31 Dec 9999 23:59:59 +0000" },
	{ 0, -60, "Thu, 01 Jan 1970 00:00:00 -0100" },
	{ INT64_MAX, INT32_MAX, "Fri, 31 Dec 9999 23:59:59 +9959" },
	{ INT64_MIN, INT32_MIN, "Thu, 01 Jan 1970 00:00:00 -9959" },
};

START_TEST(dates_are_rfc_5322)
{
	char text[DATE_LEN + 1];

	date_format(text, dates[_i].time, dates[_i].zone);
	ck_assert_str_eq(text, dates[_i].text);
}
END_TEST

START_TEST(dates_are_those_of_the_c_library)
{
	char ours[DATE_LEN + 1], theirs[64];
	int64_t t = 0;
	struct tm tm;
	time_t c;

	/* A step that is no multiple of a day, an hour or a minute. */
	for (; t < 8000000000; t += 86400 * 3 + 3671) {
		c = (time_t)t;
		gmtime_r(&c, &tm);
		strftime(
		    theirs, sizeof theirs, "%a, %d %b %Y %H:%M:%S +0000", &tm);
		date_format(ours, t, 0);
		ck_assert_str_eq(ours, theirs);
	}
	ck_assert_int_ge(t, 8000000000);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("received");
	TCase *t = tcase_create("received");
	SRunner *r = srunner_create(s);
	int failed, n = sizeof fields / sizeof *fields;

	tcase_add_loop_test(t, trace_fields, 0, n);
	tcase_add_loop_test(t, it_is_added_whole_or_not_at_all, 0, n);
	tcase_add_test(t, no_line_is_over_998_octets);
	tcase_add_loop_test(
	    t, dates_are_rfc_5322, 0, sizeof dates / sizeof *dates);
	tcase_add_test(t, dates_are_those_of_the_c_library);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
