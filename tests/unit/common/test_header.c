/*
 * test_header.c - fields, folding, and where a header ends.
 */
#include <check.h>

#include "common/mail/header.h"

static const char message[] = "Received: from a\r\n"
			      "\tby b; date\r\n"
			      "Delivered-To: Alice@Example.org\r\n"
			      "subject:no blank\r\n"
			      "X-Old : before the colon\r\n"
			      "X-Empty:\r\n"
			      "RECEIVED: from c\r\n"
			      "Delivered-To:\r\n"
			      " bob@example.org \r\n"
			      "\r\n"
			      "Received: in the body\r\n";

static const struct {
	const char *name, *value;
} fields[] = {
	{ "Received", " from a\r\n\tby b; date" },
	{ "Delivered-To", " Alice@Example.org" },
	{ "subject", "no blank" },
	{ "X-Old", " before the colon" },
	{ "X-Empty", "" },
	{ "RECEIVED", " from c" },
	{ "Delivered-To", "\r\n bob@example.org " },
};
#define NFIELDS (sizeof fields / sizeof *fields)

START_TEST(fields_come_one_by_one)
{
	struct span in = span_of(message), name, value;

	for (size_t i = 0; i < NFIELDS; i++) {
		ck_assert(header_next(&in, &name, &value));
		ck_assert(span_eq(name, span_of(fields[i].name)));
		ck_assert(span_eq(value, span_of(fields[i].value)));
	}
	ck_assert(!header_next(&in, &name, &value));
	ck_assert(span_starts(in, "\r\nReceived: in the body"));
	ck_assert_uint_eq(
	    header_length(span_of(message)), strlen(message) - in.n);
}
END_TEST

/* Wherever the content is cut, whole fields are found and no octet behind. */
START_TEST(each_truncation_is_read_to_its_end)
{
	size_t header = header_length(span_of(message));
	char cut[sizeof message];

	for (size_t n = 0; n <= strlen(message); n++) {
		struct span in, name, value;
		size_t seen = 0;

		memcpy(cut, message, n);
		memset(cut + n, ':', sizeof cut - n);
		in = span_from(cut, n);
		for (; header_next(&in, &name, &value); seen++) {
			ck_assert_uint_lt(seen, NFIELDS);
			ck_assert(span_eq(name, span_of(fields[seen].name)));
			ck_assert(value.p + value.n <= cut + n);
		}
		ck_assert_uint_le(header_length(span_from(cut, n)), header);
		if (n >= header)
			ck_assert_uint_eq(seen, NFIELDS);
	}
}
END_TEST

static const struct {
	struct span content;
	size_t length;
} ends[] = {
	{ SPAN(""), 0 },
	{ SPAN("\r\n"), 0 },
	{ SPAN("\r\nA: b\r\n"), 0 },
	{ SPAN("A: b\r\n"), 6 },
	{ SPAN("A: b"), 4 },
	{ SPAN("A:"), 2 },
	{ SPAN("A"), 0 },
	{ SPAN("A: b\r\nno field\r\nC: d\r\n"), 6 },
	{ SPAN("A: b\r\nFrom a@b Mon\r\n\r\n"), 6 },
	{ SPAN("A: b\r\n: no name\r\n"), 6 },
	{ SPAN("A: b\r\n \r\n\r\n"), 9 },
	{ SPAN(" folded first\r\nA: b\r\n"), 0 },
	{ SPAN("A\xc3: b\r\n"), 0 },
	{ SPAN("A\x7f: b\r\n"), 0 },
	{ SPAN("A\0: b\r\n"), 0 },
	{ SPAN("A B: c\r\n"), 0 },
	/* Only CRLF ends a line: no field can hide behind anything else. */
	{ SPAN("A: b\nB: c\r\n\r\n"), 11 },
	{ SPAN("A: b\rB: c\r\n\r\n"), 11 },
	{ SPAN("A: b\n\nbody\r\n"), 12 },
};

START_TEST(where_the_header_ends)
{
	ck_assert_uint_eq(header_length(ends[_i].content), ends[_i].length);
}
END_TEST

START_TEST(counting_by_name_and_value)
{
	struct span m = span_of(message);

	ck_assert_uint_eq(header_count(m, "Received", SPAN("")), 2);
	ck_assert_uint_eq(header_count(m, "delivered-to", SPAN("")), 2);
	ck_assert_uint_eq(
	    header_count(m, "Delivered-To", SPAN("alice@example.ORG")), 1);
	ck_assert_uint_eq(
	    header_count(m, "Delivered-To", SPAN("bob@example.org")), 1);
	ck_assert_uint_eq(
	    header_count(m, "Delivered-To", SPAN("ob@example.org")), 0);
	ck_assert_uint_eq(header_count(m, "X-Old", SPAN("")), 1);
	ck_assert_uint_eq(header_count(m, "To", SPAN("")), 0);
	ck_assert_uint_eq(
	    header_count(SPAN("A: b\nA: b\r\n"), "A", SPAN("")), 1);
	ck_assert_uint_eq(
	    header_count((struct span){ NULL, 0 }, "A", SPAN("")), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("header");
	TCase *t = tcase_create("header");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, fields_come_one_by_one);
	tcase_add_test(t, each_truncation_is_read_to_its_end);
	tcase_add_loop_test(
	    t, where_the_header_ends, 0, sizeof ends / sizeof *ends);
	tcase_add_test(t, counting_by_name_and_value);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
