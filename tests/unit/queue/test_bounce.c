/*
 * test_bounce.c - what a sender is told, whatever strangers wrote.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/bytes/id.h"
#include "common/mail/header.h"
#include "queue/bounce.h"

#define ACCEPTED 1795446632 /* Mon, 23 Nov 2026 15:10:32 */

static const struct reply no_user = { .code = 550,
	.esc = { 5, 1, 1 },
	.source = BY_HOST,
	.text = "No such user here" };
static const struct reply no_host = { .code = 451,
	.esc = { 4, 4, 1 },
	.scope = SCOPE_HOST,
	.text = "No host answered: b.example" };

static const char prefix[] =
    "Received: from client.example ([192.0.2.9])\r\n"
    "\tby mx.example with ESMTP id 0123456789abcdef;\r\n"
    "\tMon, 23 Nov 2026 15:10:32 +0000\r\n";
static const char content[] = "From: a@example\r\nSubject: hello\r\n"
			      " folded\r\n\r\nthe body\r\n";

static struct bounce
bounce(const struct bounce_rcpt *rcpts, uint32_t n)
{
	return (struct bounce){ .hostname = "mx.example",
		.id = 0x0660a6f6c1e2a001,
		.parent = id_next(0, (uint64_t)ACCEPTED * 1000000),
		.sender = SPAN("a@example"),
		.prefix = span_of(prefix),
		.content = span_of(content),
		.time = ACCEPTED + 3600,
		.zone = 60,
		.n = n,
		.rcpts = rcpts };
}

static char *
make(const struct bounce *b)
{
	struct buf out;

	buf_init(&out, BOUNCE_MAX);
	ck_assert_int_eq(bounce_add(&out, b), 0);
	ck_assert_int_eq(buf_add(&out, "", 1), 0);
	return out.p;
}

/* Every line ends with CRLF, is not too long, and is ASCII. */
static void
check_lines(const char *text)
{
	size_t line = 0, lines = 0;

	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '\r') {
			ck_assert_int_eq(p[1], '\n');
			ck_assert_uint_le(line, 998);
			line = 0;
			lines++;
			p++;
			continue;
		}
		ck_assert_msg(*p == '\t' || (*p >= ' ' && *p <= '~'),
		    "octet %d in line %zu", *p, lines);
		line++;
	}
	ck_assert_uint_eq(line, 0);
	ck_assert_uint_gt(lines, 20);
}

static size_t
occurrences(const char *text, const char *what)
{
	size_t n = 0;

	for (const char *p = text; (p = strstr(p, what)) != NULL; p++)
		n++;
	return n;
}

/* The boundary, as the header says it. */
static void
boundary_of(const char *text, char *dst, size_t size)
{
	const char *p = strstr(text, "boundary=\"");
	const char *end;

	ck_assert_ptr_nonnull(p);
	p += strlen("boundary=\"");
	ck_assert_ptr_nonnull(end = strchr(p, '"'));
	ck_assert_uint_lt((size_t)(end - p), size);
	memcpy(dst, p, (size_t)(end - p));
	dst[end - p] = '\0';
}

/* Three parts, and an end after which there is nothing. */
static void
check_parts(const char *text)
{
	char boundary[128], line[160];

	boundary_of(text, boundary, sizeof boundary);
	snprintf(line, sizeof line, "\r\n--%s\r\n", boundary);
	ck_assert_uint_eq(occurrences(text, line), 3);
	snprintf(line, sizeof line, "\r\n--%s--\r\n", boundary);
	ck_assert_uint_eq(occurrences(text, line), 1);
	ck_assert_str_eq(strstr(text, line), line);
	snprintf(line, sizeof line, "\r\n--%s", boundary);
	ck_assert_uint_eq(occurrences(text, line), 4);
}

static const char *
must_have(const char *text, const char *what)
{
	const char *p = strstr(text, what);

	ck_assert_msg(p != NULL, "no \"%s\" in:\n%s", what, text);
	return p;
}

START_TEST(it_tells_what_failed)
{
	static const char *const lines[] = {
		"From: Mail Delivery System <MAILER-DAEMON@mx.example>\r\n",
		"\r\nTo: <a@example>\r\n",
		"\r\nDate: Mon, 23 Nov 2026 17:10:32 +0100\r\n",
		"\r\nMessage-ID: <0660a6f6c1e2a001@mx.example>\r\n",
		"\r\nAuto-Submitted: auto-replied\r\n",
		"\r\nMIME-Version: 1.0\r\n",
		"\r\nContent-Type: multipart/report; "
		"report-type=delivery-status;",
		"\r\n  <b@b.example>\r\n    mx.b.example [192.0.2.1] said:\r\n"
		"    550 5.1.1 No such user here\r\n",
		"\r\nContent-Type: message/delivery-status\r\n\r\n"
		"Reporting-MTA: dns; mx.example\r\n"
		"Arrival-Date: Mon, 23 Nov 2026 16:10:32 +0100\r\n\r\n"
		"Final-Recipient: rfc822; b@b.example\r\nAction: failed\r\n"
		"Status: 5.1.1\r\nRemote-MTA: dns; mx.b.example\r\n"
		"Diagnostic-Code: smtp; 550 5.1.1 No such user here\r\n"
		"Last-Attempt-Date: Mon, 23 Nov 2026 16:10:33 +0100\r\n\r\n",
		"\r\nContent-Type: text/rfc822-headers\r\n\r\n"
		"Received: from client.example ",
		"\r\nSubject: hello\r\n folded\r\n\r\n--",
	};
	const struct bounce_rcpt rcpt = { .address = SPAN("b@b.example"),
		.host = SPAN("mx.b.example [192.0.2.1]"),
		.reply = no_user,
		.time = ACCEPTED + 1 };
	struct bounce b = bounce(&rcpt, 1);
	char *text = make(&b);

	check_lines(text);
	check_parts(text);
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
		must_have(text, lines[i]);
	ck_assert_ptr_null(strstr(text, "the body"));
	ck_assert_uint_gt(header_length(span_of(text)), 0);
	ck_assert_uint_eq(
	    header_count(span_of(text), "Auto-Submitted", SPAN("auto-replied")),
	    1);
	free(text);
}
END_TEST

START_TEST(it_tells_of_several_and_of_time_that_is_over)
{
	const struct bounce_rcpt rcpts[] = {
		{ .address = SPAN("b@b.example"),
		    .host = SPAN(""),
		    .reply = no_host,
		    .expired = true,
		    .time = ACCEPTED },
		{ .address = SPAN("c@b.example"),
		    .host = SPAN(""),
		    .reply = no_host,
		    .expired = true,
		    .time = ACCEPTED },
	};
	struct bounce b = bounce(rcpts, 2);
	char *text = make(&b);

	check_lines(text);
	check_parts(text);
	must_have(text, "It was tried for as long as");
	must_have(text,
	    "\r\nFinal-Recipient: rfc822; b@b.example\r\nAction: failed\r\n"
	    "Status: 5.4.7\r\nDiagnostic-Code: smtp; 451 4.4.1 No host "
	    "answered: b.example\r\n");
	must_have(text, "\r\n\r\nFinal-Recipient: rfc822; c@b.example\r\n");
	ck_assert_ptr_null(strstr(text, "Remote-MTA"));
	ck_assert_ptr_null(strstr(text, " said:"));
	free(text);
}
END_TEST

/* A header that is no clean ASCII travels as quoted-printable. */
START_TEST(it_quotes_what_is_not_plain)
{
	static const struct {
		const char *header, *quoted;
	} rows[] = {
		{ "Subject: gr\xc3\xbc\xc3\x9f\x65\r\n\r\n",
		    "Subject: gr=C3=BC=C3=9Fe\r\n" },
		{ "Subject: a\rb\r\n\r\n", "Subject: a=0Db\r\n" },
		{ "Subject: \x01 = \r\n\r\n", "Subject: =01 =3D=20\r\n" },
		{ "Subject: \xff\r\n\tx \t\r\n\r\n",
		    "Subject: =FF\r\n\tx =09\r\n" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct bounce_rcpt rcpt = { .address =
						      SPAN("b@b.example"),
			.host = SPAN(""),
			.reply = no_user };
		struct bounce b = bounce(&rcpt, 1);
		char *text;

		b.content = span_of(rows[i].header);
		text = make(&b);
		check_lines(text);
		check_parts(text);
		must_have(text,
		    "\r\nContent-Transfer-Encoding: quoted-printable\r\n");
		must_have(text, rows[i].quoted);
		free(text);
	}
}
END_TEST

static char *
long_header(size_t n, char c)
{
	char *s = malloc(n + 1);

	ck_assert_ptr_nonnull(s);
	memset(s, c, n);
	memcpy(s, "X-Long: ", 8);
	memcpy(s + n - 4, "\r\n\r\n", 4);
	s[n] = '\0';
	return s;
}

START_TEST(it_bounds_what_is_long)
{
	static const size_t sizes[] = { 100, 997, 1000, 1001, 1003, 20000,
		BOUNCE_HEADER_MAX, BOUNCE_HEADER_MAX + 2,
		BOUNCE_HEADER_MAX + 100000 };

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		const struct bounce_rcpt rcpt = { .address =
						      SPAN("b@b.example"),
			.host = SPAN(""),
			.reply = no_user };
		struct bounce b = bounce(&rcpt, 1);
		char *header = long_header(sizes[i], 'x'), *text;

		b.content = span_of(header);
		text = make(&b);
		check_lines(text);
		check_parts(text);
		/* 996 octets of field and CRLF CRLF: the line has 998 at most */
		ck_assert_int_eq(strstr(text, "quoted-printable") != NULL,
		    sizes[i] - 4 > 998 && sizes[i] - 2 <= BOUNCE_HEADER_MAX);
		ck_assert_uint_lt(strlen(text), 4 * BOUNCE_HEADER_MAX);
		free(text);
		free(header);
	}
}
END_TEST

/* Whole fields, as many as fit. */
START_TEST(it_cuts_the_header_at_a_line)
{
	const struct bounce_rcpt rcpt = { .address = SPAN("b@b.example"),
		.host = SPAN(""),
		.reply = no_user };
	struct bounce b = bounce(&rcpt, 1);
	struct buf header;
	char *text;

	buf_init(&header, 1024 * 1024);
	for (unsigned i = 0; i < 5000; i++)
		ck_assert_int_eq(buf_addf(&header, "X-%05u: y\r\n", i), 0);
	b.content = buf_span(&header);
	text = make(&b);
	check_lines(text);
	check_parts(text);
	must_have(text, "\r\nX-02729: y\r\n\r\n--");
	ck_assert_ptr_null(strstr(text, "X-02730"));
	ck_assert_ptr_null(strstr(text, "quoted-printable"));
	free(text);
	buf_fini(&header);
}
END_TEST

/* What would end a part, or a line, in all the places where a stranger's
 * words stand. */
START_TEST(strangers_cannot_write_lines)
{
	struct bounce_rcpt rcpt = { .address = SPAN("b\r\nX: y@b.example"),
		.host = SPAN("mx\r\n\r\n--=_x [::1]"),
		.reply = { .code = 550, .esc = { 5, 0, 0 } } };
	struct bounce b;
	char boundary[128], header[512], *text;

	snprintf(rcpt.reply.text, sizeof rcpt.reply.text,
	    "no\r\n\r\n--%s--\r\nX: y", "=_0660a6f6c1e2a001_0");
	b = bounce(&rcpt, 1);
	b.sender = SPAN("a\r\nBcc: all@example");
	/* A header that knows the boundary. */
	snprintf(header, sizeof header,
	    "--=_0660a6f6c1e2a001_0: x\r\n--=_0660a6f6c1e2a001_1: x\r\n\r\n");
	b.content = span_of(header);
	text = make(&b);
	check_lines(text);
	check_parts(text);
	boundary_of(text, boundary, sizeof boundary);
	ck_assert_str_eq(boundary, "=_0660a6f6c1e2a001_2");
	ck_assert_ptr_null(strstr(text, "\r\nX: y"));
	ck_assert_ptr_null(strstr(text, "\r\nBcc:"));
	ck_assert_uint_eq(
	    header_count(span_of(text), "To", SPAN("<a??Bcc: all@example>")),
	    1);
	free(text);
}
END_TEST

START_TEST(it_needs_no_original)
{
	const struct bounce_rcpt rcpt = { .address = SPAN("b@b.example"),
		.host = SPAN(""),
		.reply = { .code = 550 } };
	struct bounce b = bounce(&rcpt, 1);
	char *text;

	b.prefix = b.content = SPAN("");
	text = make(&b);
	check_lines(text);
	check_parts(text);
	must_have(text, "\r\nStatus: 5.0.0\r\n");
	free(text);
}
END_TEST

START_TEST(it_stays_within_its_buffer)
{
	const struct bounce_rcpt rcpt = { .address = SPAN("b@b.example"),
		.host = SPAN("mx.b.example"),
		.reply = no_user };
	struct bounce b = bounce(&rcpt, 1);
	char *text = make(&b);
	size_t whole = strlen(text);

	free(text);
	for (size_t max = 0; max <= whole; max++) {
		struct buf out;

		buf_init(&out, max);
		ck_assert_int_eq(bounce_add(&out, &b), max < whole ? -1 : 0);
		ck_assert_uint_le(out.n, max);
		buf_fini(&out);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("bounce");
	TCase *t = tcase_create("bounce");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_test(t, it_tells_what_failed);
	tcase_add_test(t, it_tells_of_several_and_of_time_that_is_over);
	tcase_add_test(t, it_quotes_what_is_not_plain);
	tcase_add_test(t, it_bounds_what_is_long);
	tcase_add_test(t, it_cuts_the_header_at_a_line);
	tcase_add_test(t, strangers_cannot_write_lines);
	tcase_add_test(t, it_needs_no_original);
	tcase_add_test(t, it_stays_within_its_buffer);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
