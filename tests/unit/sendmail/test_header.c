/*
 * test_header.c - whom a header names, and what of it everybody may see.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin/sendmail/header.h"
#include "common/mail/header.h"

static const struct {
	const char *header;
	const char *rcpts; /* with a blank behind each; "!x" for a bad x */
	const char *left;  /* of the header */
} headers[] = {
	{ "", "", "" },
	{ "Subject: x\r\n", "", "Subject: x\r\n" },
	{ "To: a@b\r\nCc: c, d@e\r\n", "a@b c d@e ",
	    "To: a@b\r\nCc: c, d@e\r\n" },
	{ "to: a@b\r\nBCC: c\r\nSubject: x\r\n", "a@b c ",
	    "to: a@b\r\nSubject: x\r\n" },
	{ "Bcc: a,\r\n b,\r\n\tc\r\nTo: d\r\n", "a b c d ", "To: d\r\n" },
	{ "Bcc:\r\nTo: d\r\n", "d ", "To: d\r\n" },
	{ "To: a\r\nTo: b\r\n", "a b ", "To: a\r\nTo: b\r\n" },
	{ "To: undisclosed-recipients:;\r\nBcc: x\r\n", "x ",
	    "To: undisclosed-recipients:;\r\n" },
	{ "To: a\r\nResent-To: b\r\nResent-Bcc: c\r\nBcc: d\r\n", "b c ",
	    "To: a\r\nResent-To: b\r\n" },
	{ "Resent-From: x\r\nTo: a\r\n", "a ", "Resent-From: x\r\nTo: a\r\n" },
	{ "To: a b\r\n", "!a b", "To: a b\r\n" },
	{ "To: ok, <x\r\n", "ok !<x", "To: ok, <x\r\n" },
	{ "X-To: a\r\nTow: b\r\nReply-To: c\r\nApparently-To: d\r\n", "",
	    "X-To: a\r\nTow: b\r\nReply-To: c\r\nApparently-To: d\r\n" },
	{ "Bcc : a\r\nX: y", "a ", "X: y" },
};

START_TEST(recipients_and_what_is_left)
{
	struct span in = span_of(headers[_i].header), bad = SPAN("");
	char text[256] = "";
	const char *rcpt;
	struct rcpts r;
	struct buf b;
	size_t at = 0, n = 0;
	int rc;

	rcpts_init(&r);
	buf_init(&b, 1024);
	ck_assert_uint_eq(header_length(in), in.n);
	rc = header_rcpts(in, &r, &bad);
	for (; (rcpt = rcpts_next(&r, &at)) != NULL; n++)
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s ",
		    rcpt);
	ck_assert_uint_eq(n, r.n);
	if (rc == -1) {
		ck_assert_int_eq(errno, EINVAL);
		snprintf(text + strlen(text), sizeof text - strlen(text),
		    "!%.*s", (int)bad.n, bad.p);
	}
	ck_assert_str_eq(text, headers[_i].rcpts);
	ck_assert_int_eq(header_add_public(&b, in), 0);
	ck_assert(span_eq(buf_span(&b), span_of(headers[_i].left)));
	buf_fini(&b);
	rcpts_fini(&r);
}
END_TEST

/* Nothing is read behind the end, and no beginning of it shows a Bcc. */
START_TEST(truncations)
{
	struct span in = span_of(headers[_i].header);

	for (size_t n = 0; n <= in.n; n++) {
		char *copy = malloc(n + 1);
		struct span part = { copy, n }, bad, name, value;
		struct rcpts r;
		struct buf b;

		ck_assert_ptr_nonnull(copy);
		memcpy(copy, in.p, n);
		copy[n] = 'z';
		rcpts_init(&r);
		buf_init(&b, 1024);
		(void)header_rcpts(part, &r, &bad);
		for (size_t i = 0; i < r.text.n; i++)
			ck_assert_int_ne(r.text.p[i], 'z');
		ck_assert_int_eq(header_add_public(&b, part), 0);
		ck_assert_uint_le(b.n, n);
		for (part = buf_span(&b); header_next(&part, &name, &value);)
			ck_assert(!span_is(name, "Bcc") &&
			    !span_is(name, "Resent-Bcc"));
		(void)header_envelope_line(span_from(copy, n));
		buf_fini(&b);
		rcpts_fini(&r);
		free(copy);
	}
}
END_TEST

START_TEST(lines_of_mailboxes)
{
	ck_assert_uint_eq(
	    header_envelope_line(SPAN("From a Mon Nov 23\r\nTo: x\r\n")), 19);
	ck_assert_uint_eq(header_envelope_line(SPAN(">From a\r\n")), 9);
	ck_assert_uint_eq(header_envelope_line(SPAN("From: a\r\n")), 0);
	ck_assert_uint_eq(header_envelope_line(SPAN("From : a\r\n")), 0);
	ck_assert_uint_eq(header_envelope_line(SPAN("from a\r\n")), 0);
	ck_assert_uint_eq(header_envelope_line(SPAN("From a")), 0);
	ck_assert_uint_eq(header_envelope_line(SPAN(">")), 0);
	ck_assert_uint_eq(header_envelope_line(SPAN("")), 0);
}
END_TEST

static const struct {
	const char *name, *field;
} names[] = {
	{ "Alice Liddell", "From: Alice Liddell <a@b>\r\n" },
	{ "root", "From: root <a@b>\r\n" },
	{ "A. \"L\" \\", "From: \"A. \\\"L\\\" \\\\\" <a@b>\r\n" },
	{ "x <y@z>", "From: \"x <y@z>\" <a@b>\r\n" },
	{ "", "From: a@b\r\n" },
	{ "J\xc3\xb6rg <x>",
	    "From: =?UTF-8?Q?J=C3=B6rg=20=3Cx=3E?= <a@b>\r\n" },
	{ "\xe5\xb1\xb1\xe7\x94\xb0 \xf0\x9f\x90\xa7 "
	  "\xe5\xb1\xb1\xe7\x94\xb0\xe5\xb1\xb1\xe7\x94\xb0",
	    "From: =?UTF-8?Q?=E5=B1=B1=E7=94=B0=20=F0=9F=90=A7=20=E5=B1=B1=E7="
	    "94=B0=E5=B1=B1?="
	    "\r\n =?UTF-8?Q?=E7=94=B0?= <a@b>\r\n" },
	{ "x\r\nBcc: y", "From: a@b\r\n" },
	/* Not UTF-8: Latin-1, cut short, overlong, a surrogate, a control, beyond */
	{ "J\xf6rg", "From: a@b\r\n" },
	{ "x\xc3", "From: a@b\r\n" },
	{ "x\xe5\xb1", "From: a@b\r\n" },
	{ "\xc0\x8a", "From: a@b\r\n" },
	{ "\xe0\x80\x8a", "From: a@b\r\n" },
	{ "\xed\xa0\x80", "From: a@b\r\n" },
	{ "\xc2\x85", "From: a@b\r\n" },
	{ "\xf4\x90\x80\x80", "From: a@b\r\n" },
	{ "x\x7f", "From: a@b\r\n" },
};

START_TEST(a_name_is_only_a_name)
{
	struct span rest, name, value;
	struct buf b;

	buf_init(&b, 1024);
	ck_assert_int_eq(header_add_from(&b, names[_i].name, "a@b"), 0);
	ck_assert(span_eq(buf_span(&b), span_of(names[_i].field)));
	rest = buf_span(&b);
	ck_assert(header_next(&rest, &name, &value));
	ck_assert_uint_eq(rest.n, 0);
	for (rest = buf_span(&b); rest.n > 0;
	     rest = span_skip(rest, span_line(rest)))
		ck_assert_uint_le(span_line(rest), 90);
	buf_fini(&b);
}
END_TEST

START_TEST(a_list_of_words)
{
	struct span bad;
	struct rcpts r;

	rcpts_init(&r);
	ck_assert_int_eq(rcpts_add_list(&r, SPAN("a,B <b@c>"), &bad), 0);
	ck_assert_uint_eq(r.n, 2);
	ck_assert_int_eq(rcpts_add_list(&r, SPAN("<>"), &bad), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(rcpts_add_list(&r, SPAN("x\x07y"), &bad), -1);
	r.text.max = r.text.n;
	ck_assert_int_eq(rcpts_add_list(&r, SPAN("d"), &bad), -1);
	ck_assert_int_eq(errno, ENOBUFS);
	rcpts_fini(&r);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("header");
	TCase *t = tcase_create("header");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, recipients_and_what_is_left, 0,
	    sizeof headers / sizeof *headers);
	tcase_add_loop_test(
	    t, truncations, 0, sizeof headers / sizeof *headers);
	tcase_add_test(t, lines_of_mailboxes);
	tcase_add_loop_test(
	    t, a_name_is_only_a_name, 0, sizeof names / sizeof *names);
	tcase_add_test(t, a_list_of_words);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
