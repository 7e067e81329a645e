/*
 * test_reply.c - the catalogue, errno, and replies written and carried.
 */
#include <check.h>
#include <ctype.h>
#include <errno.h>

#include "common/mail/reply.h"

/* ---- the catalogue ---- */

static void
is_printable(const char *s)
{
	for (; *s != '\0'; s++)
		ck_assert(*s >= ' ' && *s <= '~');
}

START_TEST(every_row_is_whole)
{
	const struct reply_row *row = reply_row(_i);
	enum reply_name back = R_COUNT;

	ck_assert_ptr_nonnull(row->name);
	ck_assert_ptr_nonnull(row->text);
	ck_assert_ptr_nonnull(row->rfc);
	ck_assert_str_ne(row->text, "");
	is_printable(row->text);
	for (const char *p = row->name; *p != '\0'; p++)
		ck_assert(islower(*p) || isdigit(*p) || *p == '-');
	ck_assert(row->code >= 200 && row->code <= 599);
	/* RFC 2034: the class is the code's, and 3yz has none. */
	ck_assert(row->esc.class == 0 || row->esc.class == row->code / 100);
	ck_assert_uint_ne(row->esc.class, 3);
	ck_assert_uint_lt(row->scope, SCOPE_END);
	ck_assert(span_starts(span_of(row->rfc), "RFC "));
	ck_assert_ptr_eq(strchr(row->text, '%'), strrchr(row->text, '%'));
	/* Found by its name, so no other row has that. */
	ck_assert(reply_by_name(span_of(row->name), &back));
	ck_assert_int_eq(back, _i);
}
END_TEST

START_TEST(every_row_has_its_meaning)
{
	const struct reply_meaning *m = reply_meaning(_i);

	ck_assert_msg(m->cause != NULL && m->remedy != NULL, "%s",
	    reply_row(_i)->name);
	ck_assert_str_ne(m->cause, "");
	ck_assert_str_ne(m->remedy, "");
	is_printable(m->cause);
	is_printable(m->remedy);
	ck_assert_ptr_null(reply_text_wrong(_i, reply_row(_i)->text));
}
END_TEST

START_TEST(texts_of_our_own)
{
	static const struct {
		enum reply_name name;
		const char *text, *right;
	} rows[] = {
		{ R_RELAY_DENIED, "Ask help@example.org", NULL },
		{ R_RELAY_DENIED, "No relaying for %, ask us", NULL },
		{ R_RELAY_DENIED, "", "1 to 200" },
		{ R_RELAY_DENIED, "% and %", "one %" },
		{ R_RELAY_DENIED, "a\r\nb", "printable" },
		{ R_RELAY_DENIED, "caf\303\251", "printable" },
		{ R_RELAY_DENIED, "250 OK", "code" },
		{ R_DONE, "fine %", "without %" },
		{ R_QUEUED, "% taken", NULL },
		{ R_QUEUED, "taken as %", "beginning" },
		{ R_QUEUED, "%taken", "beginning" },
		{ R_USER_MOVED, "gone to <%>", NULL },
		{ R_USER_MOVED, "gone to %", "<%>" },
	};
	char huge[REPLY_OWN_MAX + 2];
	struct reply r;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *right =
		    reply_text_wrong(rows[i].name, rows[i].text);

		if (rows[i].right == NULL)
			ck_assert_msg(right == NULL, "%s", rows[i].text);
		else
			ck_assert_msg(right != NULL &&
				strstr(right, rows[i].right) != NULL,
			    "%s", rows[i].text);
	}
	memset(huge, 'x', sizeof huge);
	huge[REPLY_OWN_MAX + 1] = '\0';
	ck_assert_ptr_nonnull(reply_text_wrong(R_DONE, huge));
	huge[REPLY_OWN_MAX] = '\0';
	ck_assert_ptr_null(reply_text_wrong(R_DONE, huge));
	reply_set_text(R_RELAY_DENIED, rows[1].text);
	reply_make(&r, R_RELAY_DENIED, "you");
	ck_assert_str_eq(r.text, "No relaying for you, ask us");
	ck_assert_uint_eq(r.code, 550);
	reply_set_text(R_RELAY_DENIED, NULL);
	reply_make(&r, R_RELAY_DENIED, "you");
	ck_assert_str_eq(r.text, "Relaying denied: you");
}
END_TEST

START_TEST(every_row_is_for_some_command)
{
	unsigned commands = 0;

	for (int c = 0; c < CMD_END; c++)
		commands += reply_allowed(c, reply_row(_i)->code);
	ck_assert_uint_gt(commands, 0);
}
END_TEST

START_TEST(every_row_makes_a_line_with_and_without_argument)
{
	static char huge[2000];
	const char *args[] = { NULL, "", "arg", "a\r\nb\xff", huge };
	char line[REPLY_LINE_MAX + 1];
	struct reply r;
	size_t n;

	memset(huge, 'x', sizeof huge - 1);
	for (size_t i = 0; i < sizeof args / sizeof *args; i++) {
		reply_make(&r, _i, args[i]);
		is_printable(r.text);
		ck_assert_uint_le(strlen(r.text), REPLY_TEXT_MAX);
		ck_assert_int_eq(r.source, BY_US);
		ck_assert_ptr_null(strchr(r.text, '%'));
		ck_assert(r.text[0] != ' ');
		n = reply_format(line, &r, true, false);
		ck_assert_uint_eq(n, strlen(line));
		ck_assert_uint_le(n, REPLY_LINE_MAX);
		ck_assert_ptr_eq(strstr(line, "\r\n"), line + n - 2);
	}
}
END_TEST

START_TEST(arguments_go_where_the_row_has_them)
{
	struct reply r;

	reply_make(&r, R_GREETING, "mail.example.org");
	ck_assert_str_eq(r.text, "mail.example.org ESMTP Sallyport");
	reply_make(&r, R_QUEUED, "0123456789abcdef");
	ck_assert_str_eq(r.text, "0123456789abcdef queued");
	reply_make(&r, R_SYNTAX, "a\rb");
	ck_assert_str_eq(r.text, "Syntax error: a?b");
	reply_make(&r, R_SYNTAX, NULL);
	ck_assert_str_eq(r.text, "Syntax error");
	reply_make(&r, R_DATA, "no place for it");
	ck_assert_str_eq(r.text, reply_row(R_DATA)->text);
	ck_assert_uint_eq(r.code, 354);
	/* A `%` of a stranger is only a `%`. */
	reply_make(&r, R_NO_SUCH_USER, "%s%n@x");
	ck_assert_str_eq(r.text, "No such user here: %s%n@x");
}
END_TEST

START_TEST(unknown_names_are_not_found)
{
	enum reply_name name = R_COUNT;

	ck_assert(!reply_by_name(SPAN(""), &name));
	ck_assert(!reply_by_name(SPAN("relay-denie"), &name));
	ck_assert(!reply_by_name(SPAN("relay-denied "), &name));
	ck_assert(!reply_by_name(SPAN("RELAY-DENIED"), &name));
	ck_assert_int_eq(name, R_COUNT);
}
END_TEST

/* ---- errno ---- */

START_TEST(no_errno_is_permanent)
{
	struct reply r;

	for (int err = 0; err < 200; err++) {
		reply_from_errno(&r, err, "write");
		ck_assert_uint_eq(reply_class(&r), 4);
		ck_assert_uint_eq(r.esc.class, 4);
		ck_assert_int_eq(r.source, BY_ERRNO);
		ck_assert(span_starts(span_of(r.text), "write: "));
		is_printable(r.text);
	}
}
END_TEST

static const struct {
	int err;
	const char *text;
} errors[] = {
	{ ENOSPC, "452 4.3.1 write: No space left on device" },
	{ EDQUOT, "452 4.3.1 write: Disk quota exceeded" },
	{ ENOENT, "450 4.2.0 write: No such file or directory" },
	{ EACCES, "451 4.3.5 write: Permission denied" },
	{ EIO, "451 4.3.0 write: Input/output error" },
	{ ECONNREFUSED, "451 4.4.1 write: Connection refused" },
	{ ECONNRESET, "451 4.4.2 write: Connection reset by peer" },
	{ EDOM, "451 4.3.0 write: Numerical argument out of domain" },
	{ 123456, "451 4.3.0 write: unknown error" },
};

START_TEST(errno_has_its_codes)
{
	char text[600];
	struct reply r;

	reply_from_errno(&r, errors[_i].err, "write");
	ck_assert_uint_eq(reply_text(text, sizeof text, &r), strlen(text));
	ck_assert_str_eq(text, errors[_i].text);
}
END_TEST

/* ---- text ---- */

START_TEST(lines_and_texts)
{
	char line[REPLY_LINE_MAX + 1], small[8];
	struct reply r;

	reply_make(&r, R_RELAY_DENIED, NULL);
	reply_format(line, &r, true, false);
	ck_assert_str_eq(line, "550 5.7.1 Relaying denied\r\n");
	reply_format(line, &r, true, true);
	ck_assert_str_eq(line, "550-5.7.1 Relaying denied\r\n");
	reply_format(line, &r, false, false);
	ck_assert_str_eq(line, "550 Relaying denied\r\n");
	ck_assert_uint_eq(reply_text(small, sizeof small, &r), 7);
	ck_assert_str_eq(small, "550 5.7");
	ck_assert_uint_eq(reply_text(small, 0, &r), 0);
	reply_make(&r, R_HELO, "mail.example.org");
	reply_format(line, &r, true, false);
	ck_assert_str_eq(line, "250 mail.example.org\r\n");
	reply_make(&r, R_DATA, NULL);
	reply_format(line, &r, true, false);
	ck_assert(span_starts(span_of(line), "354 Send"));
}
END_TEST

/* ---- between processes ---- */

static size_t
put(char *p, size_t size, const struct reply *r)
{
	struct wire_put w = wire_writer(p, size);

	reply_put(&w, r);
	ck_assert(!w.bad);
	return w.n;
}

START_TEST(replies_travel_whole_or_not_at_all)
{
	char p[1024];
	struct reply r, back;
	struct wire_get g;
	size_t n;

	reply_make(&r, R_NULL_MX, "x.example");
	r.scope = SCOPE_ROUTE;
	r.source = BY_PROGRAM;
	n = put(p, sizeof p, &r);
	for (size_t cut = 0; cut <= n; cut++) {
		g = wire_reader(span_from(p, cut));
		reply_get(&g, &back);
		ck_assert_int_eq(wire_done(&g), cut == n);
		ck_assert_uint_eq(back.code, cut == n ? 556 : 0);
		ck_assert_str_eq(back.text, cut == n ? r.text : "");
	}
	ck_assert_int_eq(back.scope, SCOPE_ROUTE);
	ck_assert_int_eq(back.source, BY_PROGRAM);
	ck_assert_uint_eq(back.esc.class, 5);
	ck_assert_uint_eq(back.esc.subject, 1);
	ck_assert_uint_eq(back.esc.detail, 10);
}
END_TEST

static const struct {
	struct reply r;
	bool ok;
} carried[] = {
	{ { .code = 0 }, true },
	{ { .code = 250, .esc = { 2, 999, 999 }, .text = " ~" }, true },
	{ { .code = 354 }, true },
	{ { .code = 199 }, false },
	{ { .code = 600 }, false },
	{ { .code = 250, .esc = { 4, 0, 0 } }, false },
	{ { .code = 354, .esc = { 3, 0, 0 } }, false },
	{ { .code = 0, .esc = { 5, 0, 0 } }, false },
	{ { .code = 250, .esc = { 2, 1000, 0 } }, false },
	{ { .code = 250, .esc = { 2, 0, 1000 } }, false },
	{ { .code = 250, .scope = SCOPE_END }, false },
	{ { .code = 250, .source = BY_END }, false },
	{ { .code = 250, .text = "a\nb" }, false },
	{ { .code = 250, .text = "a\x7f" }, false },
	{ { .code = 250, .text = "\xc3\xa4" }, false },
};

START_TEST(what_no_reply_can_be_is_bad)
{
	char p[1024];
	struct reply back;
	size_t n = put(p, sizeof p, &carried[_i].r);
	struct wire_get g = wire_reader(span_from(p, n));

	reply_get(&g, &back);
	ck_assert_int_eq(wire_done(&g), carried[_i].ok);
	if (!carried[_i].ok) {
		ck_assert_uint_eq(back.code, 0);
		ck_assert_str_eq(back.text, "");
	}
}
END_TEST

START_TEST(a_text_that_is_too_long_is_bad)
{
	static char text[REPLY_TEXT_MAX + 2];
	char p[1024];
	struct wire_put w;
	struct wire_get g;
	struct reply r;

	memset(text, 'x', sizeof text - 1);
	for (size_t n = REPLY_TEXT_MAX; n <= REPLY_TEXT_MAX + 1; n++) {
		w = wire_writer(p, sizeof p);
		wire_put_u16(&w, 250);
		wire_put_bytes(&w, "\0\0\0\0\0\0\0", 7);
		wire_put_span(&w, span_from(text, n));
		g = wire_reader(span_from(p, w.n));
		reply_get(&g, &r);
		ck_assert_int_eq(wire_done(&g), n == REPLY_TEXT_MAX);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("reply");
	TCase *t = tcase_create("reply");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, every_row_is_whole, 0, R_COUNT);
	tcase_add_loop_test(t, every_row_is_for_some_command, 0, R_COUNT);
	tcase_add_loop_test(t, every_row_has_its_meaning, 0, R_COUNT);
	tcase_add_test(t, texts_of_our_own);
	tcase_add_loop_test(
	    t, every_row_makes_a_line_with_and_without_argument, 0, R_COUNT);
	tcase_add_test(t, arguments_go_where_the_row_has_them);
	tcase_add_test(t, unknown_names_are_not_found);
	tcase_add_test(t, no_errno_is_permanent);
	tcase_add_loop_test(
	    t, errno_has_its_codes, 0, sizeof errors / sizeof *errors);
	tcase_add_test(t, lines_and_texts);
	tcase_add_test(t, replies_travel_whole_or_not_at_all);
	tcase_add_loop_test(t, what_no_reply_can_be_is_bad, 0,
	    sizeof carried / sizeof *carried);
	tcase_add_test(t, a_text_that_is_too_long_is_bad);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
