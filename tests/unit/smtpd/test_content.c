/*
 * test_content.c - content and what is wrong with it, in pieces of any size.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/mail/header.h"
#include "common/mail/envelope.h"
#include "smtpd/content.h"

static const struct {
	struct span input; /* the whole of the data, its end included */
	enum reply_name reject, convert; /* what each mode says */
} cases[] = {
	{ SPAN(".\r\n"), R_COUNT, R_COUNT },
	{ SPAN("a: b\r\n\r\nc\r\n.\r\n"), R_COUNT, R_COUNT },
	{ SPAN("..\r\n...\r\n.\r\n"), R_COUNT, R_COUNT },
	{ SPAN("\xff\x80\r\n.\r\n"), R_COUNT, R_COUNT },
	/* What others took for the end of the data; CVE-2023-51764. */
	{ SPAN("a\n.\nb\r\n.\r\n"), R_BARE_NEWLINE, R_COUNT },
	{ SPAN("a\n.\r\nb\r\n.\r\n"), R_BARE_NEWLINE, R_COUNT },
	{ SPAN("a\r\n.\nb\r\n.\r\n"), R_BARE_NEWLINE, R_COUNT },
	{ SPAN("a\r\n.\rb\r\n.\r\n"), R_BARE_NEWLINE, R_COUNT },
	{ SPAN("a\r.\rb\r\n.\r\n"), R_BARE_NEWLINE, R_COUNT },
	{ SPAN("a\r.\nb\r\n.\r\n"), R_BARE_NEWLINE, R_COUNT },
	{ SPAN("a\n.\rb\r\n.\r\n"), R_BARE_NEWLINE, R_COUNT },
	{ SPAN("a\r\n\0.\r\nb\r\n.\r\n"), R_BARE_NEWLINE, R_BARE_NEWLINE },
	{ SPAN("a\0b\r\n.\r\n"), R_BARE_NEWLINE, R_BARE_NEWLINE },
	/* 20 octets are the limit, dots that were stuffed and the end aside. */
	{ SPAN("123456789012345678\r\n.\r\n"), R_COUNT, R_COUNT },
	{ SPAN("..2345678901234567\r\n.\r\n"), R_COUNT, R_COUNT },
	{ SPAN("1234567890123456789\r\n.\r\n"), R_TOO_BIG, R_TOO_BIG },
	{ SPAN("\n\n\n\n\n\n\n\n\n\n\n\r\n.\r\n"), R_BARE_NEWLINE, R_TOO_BIG },
};

static void
check(size_t i, enum dot_mode mode, size_t step)
{
	struct span input = cases[i].input;
	char out[DOT_OUT_MAX(64)];
	struct content c;
	uint64_t total = 0;
	size_t used = 0, n;
	bool ended = false;

	content_init(&c, mode, 20);
	while (!ended) {
		size_t k = input.n - used < step ? input.n - used : step;
		struct span in = span_from(input.p + used, k);

		ck_assert_uint_gt(k, 0);
		ended = content_read(&c, &in, out, &n);
		used += k - in.n;
		total += n;
	}
	/* To the real end, in any case: what follows are commands. */
	ck_assert_uint_eq(used, input.n);
	ck_assert_uint_eq(total, c.size);
	ck_assert_int_eq(content_fault(&c),
	    mode == DOT_REJECT ? cases[i].reject : cases[i].convert);
}

START_TEST(content_is_judged_the_same_in_any_pieces)
{
	for (size_t step = 1; step <= 64; step++) {
		check((size_t)_i, DOT_REJECT, step);
		check((size_t)_i, DOT_CONVERT, step);
	}
}
END_TEST

static enum reply_name
fault_of(struct span text, size_t step)
{
	static char out[DOT_OUT_MAX(64 * 1024)];
	struct content c;
	size_t n;

	content_init(&c, DOT_REJECT, UINT64_MAX);
	for (size_t at = 0; at < text.n;) {
		size_t k = text.n - at < step ? text.n - at : step;
		struct span in = span_from(text.p + at, k);

		content_read(&c, &in, out, &n);
		at += k - in.n;
	}
	return content_fault(&c);
}

START_TEST(a_hundred_hops_are_enough)
{
	static const char field[] = "Received: from a\r\n\tby b; c\r\n";
	size_t n = (size_t)_i, len = sizeof field - 1;
	char *text = malloc(n * len + 64);

	ck_assert_ptr_nonnull(text);
	for (size_t i = 0; i < n; i++)
		memcpy(text + i * len, field, len);
	/* Not in the body. */
	strcpy(text + n * len, "Subject: x\r\n\r\nReceived: y\r\n");
	for (size_t step = 1; step < 64; step++)
		ck_assert_int_eq(fault_of(span_of(text), step),
		    n > HEADER_RECEIVED_MAX ? R_LOOP : R_COUNT);
	free(text);
}
END_TEST

/* What 101 of them are, and the last 100 of them stand behind it. */
static const struct {
	const char *first;
	bool counts;
} hops[] = {
	{ "Received: x\r\n", true },
	{ "RECEIVED:\r\n", true },
	{ "received \t: x\r\n", true },
	{ "Received\r\n", false }, /* the end of the header */
	{ "Received x: y\r\n", false },
	{ "Receive: x\r\n", false },
	{ "Received-SPF: x\r\n", false },
	{ "X-Received: x\r\n", false },
	{ " Received: x\r\n", false }, /* no field begins so */
	{ "X: y\r\n Received: x\r\n", false },
	{ "\r\nReceived: x\r\n", false },
	{ ": y\r\nReceived: x\r\n", false },
	{ "X: y\r\n\tz\r\nReceived: x\r\n", true },
	{ "..: y\r\nReceived: x\r\n", true },
};

START_TEST(a_hop_is_a_received_field_of_the_header)
{
	static const char field[] = "Received: from a\r\n";
	static char text[64 + HEADER_RECEIVED_MAX * sizeof field];
	struct span first = span_of(hops[_i].first);
	size_t n = first.n;

	memcpy(text, first.p, n);
	for (int i = 0; i < HEADER_RECEIVED_MAX; i++, n += sizeof field - 1)
		memcpy(text + n, field, sizeof field - 1);
	for (size_t step = 1; step < 64; step++)
		ck_assert_int_eq(fault_of(span_from(text, n), step),
		    hops[_i].counts ? R_LOOP : R_COUNT);
	/* And so it is for those who read all of it at once. */
	if (first.p[0] != '.')
		ck_assert_int_eq(header_count(span_from(text, n), "Received",
				     SPAN("")) > HEADER_RECEIVED_MAX,
		    hops[_i].counts);
}
END_TEST

START_TEST(hops_are_counted_however_large_the_header_is)
{
	static const char field[] = "Received: from a\r\n";
	size_t large = 1024 * 1024, n = 0;
	char *text = malloc(large + 200 * sizeof field);

	ck_assert_ptr_nonnull(text);
	while (n < large)
		n += (size_t)sprintf(text + n, "X-Report: %0900d\r\n", 0);
	ck_assert_int_eq(fault_of(span_from(text, n), 65536), R_COUNT);
	for (int i = 0; i <= HEADER_RECEIVED_MAX; i++, n += sizeof field - 1)
		memcpy(text + n, field, sizeof field - 1);
	ck_assert_int_eq(fault_of(span_from(text, n), 65536), R_LOOP);
	free(text);
}
END_TEST

static const struct {
	const char *text;
	bool whole;
	unsigned lacks;
} headers[] = {
	{ "Date: x\r\nFrom: a@b\r\nMessage-ID: <x@y>\r\n\r\nbody\r\n", true,
	    0 },
	{ "date: x\r\nFROM: a@b\r\nmessage-id : <x@y>\r\n\r\n", false, 0 },
	{ "Subject: x\r\n\r\nDate: x\r\n", true,
	    LACKS_DATE | LACKS_FROM | LACKS_MESSAGE_ID },
	{ "From: a\r\n\r\n", true, LACKS_DATE | LACKS_MESSAGE_ID },
	{ "From: a\r\n", true, LACKS_DATE | LACKS_MESSAGE_ID },
	{ "", true, LACKS_DATE | LACKS_FROM | LACKS_MESSAGE_ID },
	{ "\r\nbody\r\n", true, LACKS_DATE | LACKS_FROM | LACKS_MESSAGE_ID },
	{ "body\r\n", true,
	    LACKS_DATE | LACKS_FROM | LACKS_MESSAGE_ID | LACKS_HEADER },
	{ " body\r\nFrom: x\r\n", true,
	    LACKS_DATE | LACKS_FROM | LACKS_MESSAGE_ID | LACKS_HEADER },
	{ "From: a\r\nnot a field\r\n", true, LACKS_DATE | LACKS_MESSAGE_ID },
	/* The rest may have it. */
	{ "From: a\r\n", false, 0 },
	{ "From: a\r\nDat", false, 0 },
	{ "body", false, 0 },
	{ "Subject: a value that goes on", false, 0 },
	{ "body\r\n", false,
	    LACKS_DATE | LACKS_FROM | LACKS_MESSAGE_ID | LACKS_HEADER },
};

START_TEST(what_a_header_lacks)
{
	ck_assert_uint_eq(
	    content_lacks(span_of(headers[_i].text), headers[_i].whole),
	    headers[_i].lacks);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("content");
	TCase *tc = tcase_create("content");
	SRunner *r;
	int failed;

	tcase_add_loop_test(tc, content_is_judged_the_same_in_any_pieces, 0,
	    sizeof cases / sizeof *cases);
	tcase_add_loop_test(tc, a_hundred_hops_are_enough, 99, 103);
	tcase_add_loop_test(tc, a_hop_is_a_received_field_of_the_header, 0,
	    sizeof hops / sizeof *hops);
	tcase_add_test(tc, hops_are_counted_however_large_the_header_is);
	tcase_add_loop_test(
	    tc, what_a_header_lacks, 0, sizeof headers / sizeof *headers);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
