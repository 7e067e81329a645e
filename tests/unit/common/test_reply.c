/*
 * test_reply.c - the catalogue, the seed's tables, errno, and replies written,
 * parsed and carried.
 */
#include <check.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/mail/line.h"
#include "common/mail/reply.h"

/* ---- the catalogue --------------------------------------------------------
 */

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

/* ---- the seed -------------------------------------------------------------
 */

/* The next row of a seed file, cut at its tabs into `n` columns. */
static bool
next_row(FILE *f, char *line, size_t size, struct span *columns, size_t n)
{
	struct span rest;

	do {
		if (fgets(line, (int)size, f) == NULL)
			return false;
	} while (line[0] == '#' || line[0] == '\n');
	line[strcspn(line, "\n")] = '\0';
	rest = span_of(line);
	for (size_t i = 0; i < n; i++)
		columns[i] = span_cut(&rest, '\t');
	ck_assert_uint_eq(rest.n, 0);
	return true;
}

static unsigned
number(struct span s)
{
	uint64_t v = 0;

	ck_assert(span_number(s, 599, &v));
	return (unsigned)v;
}

START_TEST(codes_are_the_seeds)
{
	FILE *f = fopen("tests/seed/reply-codes.tsv", "r");
	const struct reply_code *codes;
	struct span column[2];
	char line[256];
	size_t n, i = 0;

	ck_assert_ptr_nonnull(f);
	codes = reply_codes(&n);
	for (; next_row(f, line, sizeof line, column, 2); i++) {
		ck_assert_uint_lt(i, n);
		ck_assert_uint_eq(codes[i].code, number(column[0]));
		ck_assert(span_eq(column[1], span_of(codes[i].meaning)));
	}
	fclose(f);
	ck_assert_uint_eq(i, n);
	ck_assert_uint_eq(n, 25);
}
END_TEST

/* The pairs without an RFC are the file's rows, and are all of them; a pair's
 * meaning in the file is that of its code but for what the seed itself varies.
 */
START_TEST(pairs_are_the_seeds_and_later_ones_say_their_rfc)
{
	FILE *f = fopen("tests/seed/command-replies.tsv", "r");
	const struct reply_pair *pairs;
	struct span column[3];
	char line[256];
	size_t n, i = 0;

	ck_assert_ptr_nonnull(f);
	pairs = reply_pairs(&n);
	for (; next_row(f, line, sizeof line, column, 3); i++) {
		const char *name = reply_command_name(pairs[i].command);

		ck_assert_uint_lt(i, n);
		ck_assert_ptr_null(pairs[i].rfc);
		ck_assert(span_eq(column[0], span_of(name)));
		ck_assert_uint_eq(pairs[i].code, number(column[1]));
		ck_assert(reply_allowed(pairs[i].command, pairs[i].code));
	}
	fclose(f);
	ck_assert_uint_eq(i, 112);
	ck_assert_uint_gt(n, i);
	for (; i < n; i++) {
		ck_assert_ptr_nonnull(pairs[i].rfc);
		ck_assert(span_starts(span_of(pairs[i].rfc), "RFC "));
		ck_assert_uint_lt(pairs[i].command, CMD_END);
	}
}
END_TEST

START_TEST(no_pair_stands_twice)
{
	const struct reply_pair *p;
	size_t n;

	p = reply_pairs(&n);
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++)
			ck_assert(p[i].command != p[j].command ||
			    p[i].code != p[j].code);
}
END_TEST

static const struct {
	enum reply_command command;
	unsigned code;
	bool allowed;
} allowed[] = {
	{ CMD_CONNECT, 220, true },
	{ CMD_CONNECT, 521, true },
	{ CMD_CONNECT, 554, true },
	{ CMD_CONNECT, 250, false },
	{ CMD_MAIL, 503, true },
	{ CMD_MAIL, 550, true },
	{ CMD_MAIL, 553, true },
	{ CMD_MAIL, 555, true },
	{ CMD_MAIL, 354, false },
	{ CMD_RCPT, 550, true },
	{ CMD_RCPT, 555, true },
	{ CMD_RCPT, 556, true },
	{ CMD_RCPT, 354, false },
	{ CMD_DATA_END, 450, true },
	{ CMD_DATA_END, 550, true },
	{ CMD_DATA_END, 354, false },
	{ CMD_EHLO, 503, false },
	{ CMD_QUIT, 500, true },
	{ CMD_QUIT, 250, false },
	{ CMD_NOOP, 500, true },
	{ CMD_NOOP, 501, false },
	{ CMD_UNKNOWN, 500, true },
	{ CMD_UNKNOWN, 421, true },
	{ CMD_UNKNOWN, 250, false },
	{ CMD_END, 250, false },
	{ CMD_MAIL, 0, false },
	{ CMD_MAIL, 65536 + 250, false },
};

START_TEST(which_command_may_get_which_code)
{
	ck_assert_int_eq(reply_allowed(allowed[_i].command, allowed[_i].code),
	    allowed[_i].allowed);
}
END_TEST

START_TEST(every_command_has_a_name_and_may_get_530)
{
	for (int c = 0; c < CMD_END; c++) {
		ck_assert_ptr_nonnull(reply_command_name(c));
		ck_assert_str_ne(reply_command_name(c), "");
		if (c != CMD_UNKNOWN)
			ck_assert(reply_allowed(c, 530));
	}
}
END_TEST

/* ---- errno ----------------------------------------------------------------
 */

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

/* ---- text -----------------------------------------------------------------
 */

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

/* ---- other servers --------------------------------------------------------
 */

static const struct {
	const char *lines[4]; /* the last one gives the result */
	int result;
	const char *text; /* as reply_text shows it */
} foreign[] = {
	{ { "250 2.0.0 Ok: queued" }, 1, "250 2.0.0 Ok: queued" },
	{ { "250 Ok" }, 1, "250 2.0.0 Ok" },
	{ { "250" }, 1, "250 2.0.0 " },
	{ { "250 " }, 1, "250 2.0.0 " },
	{ { "250 2.1.5" }, 1, "250 2.1.5 " },
	{ { "354 go" }, 1, "354 go" },
	{ { "354 3.0.0 go" }, 1, "354 3.0.0 go" },
	{ { "550-5.1.1 No such user,", "550 5.1.1 really" }, 1,
	    "550 5.1.1 No such user, really" },
	{ { "550-No such user", "550 5.1.1 here" }, 1,
	    "550 5.1.1 No such user here" },
	{ { "550-5.1.1 a", "550 5.7.1 b" }, 1, "550 5.1.1 a 5.7.1 b" },
	{ { "250-x", "250-", "250" }, 1, "250 2.0.0 x" },
	{ { "550-" }, 0, "550 " },
	{ { "450\t5.1.1 tab" }, -1, NULL },
	/* An enhanced code that does not fit is text. */
	{ { "450 5.1.1 odd" }, 1, "450 4.0.0 5.1.1 odd" },
	{ { "550 5.1 odd" }, 1, "550 5.0.0 5.1 odd" },
	{ { "550 5.1.1.1 odd" }, 1, "550 5.0.0 5.1.1.1 odd" },
	{ { "550 5.1.1x odd" }, 1, "550 5.0.0 5.1.1x odd" },
	{ { "550 5.1000.1 odd" }, 1, "550 5.0.0 5.1000.1 odd" },
	{ { "550 5.999.999 most" }, 1, "550 5.999.999 most" },
	{ { "550 5.1.99999999999 odd" }, 1, "550 5.0.0 5.1.99999999999 odd" },
	{ { "550 5..1 odd" }, 1, "550 5.0.0 5..1 odd" },
	/* Malformed: RFC 5321 section 4.2. */
	{ { "" }, -1, NULL },
	{ { "25" }, -1, NULL },
	{ { "2500 x" }, -1, NULL },
	{ { "250x" }, -1, NULL },
	{ { "150 x" }, -1, NULL },
	{ { "600 x" }, -1, NULL },
	{ { "x50 x" }, -1, NULL },
	{ { " 250 x" }, -1, NULL },
	{ { "-25 x" }, -1, NULL },
	{ { "250-x", "251 y" }, -1, NULL },
	{ { "250-x", "y" }, -1, NULL },
	{ { "HTTP/1.1 400 Bad Request" }, -1, NULL },
	/* What a hostile server says reaches no terminal and no file. */
	{ { "550 5.1.1 a\x1b[2Jb\tc\xff\x7f" }, 1, "550 5.1.1 a?[2Jb c??" },
	{ { "550 a\nb\rc" }, 1, "550 5.0.0 a?b?c" },
};

START_TEST(foreign_replies)
{
	struct reply_parser p;
	char text[600];
	int rc = 0;

	reply_parser_init(&p);
	for (size_t i = 0; i < 4 && foreign[_i].lines[i] != NULL; i++) {
		ck_assert_int_eq(rc, 0);
		rc = reply_parse_line(&p, span_of(foreign[_i].lines[i]));
	}
	ck_assert_int_eq(rc, foreign[_i].result);
	ck_assert_int_eq(p.r.source, BY_HOST);
	if (rc == -1)
		return;
	reply_text(text, sizeof text, &p.r);
	ck_assert_str_eq(text, foreign[_i].text);
}
END_TEST

START_TEST(foreign_nul_is_cleaned)
{
	struct reply_parser p;

	reply_parser_init(&p);
	ck_assert_int_eq(reply_parse_line(&p, SPAN("550 a\0b")), 1);
	ck_assert_str_eq(p.r.text, "a?b");
	reply_parser_init(&p);
	ck_assert_int_eq(reply_parse_line(&p, (struct span){ NULL, 0 }), -1);
}
END_TEST

START_TEST(endless_replies_are_malformed_and_long_ones_cut)
{
	struct reply_parser p;
	char line[1000];
	int lines = 0;

	reply_parser_init(&p);
	memset(line, 'x', sizeof line);
	memcpy(line, "250-", 4);
	while (reply_parse_line(&p, span_from(line, sizeof line)) == 0) {
		ck_assert_uint_eq(strlen(p.r.text), REPLY_TEXT_MAX);
		lines++;
	}
	ck_assert_int_eq(lines, REPLY_LINES_MAX);
	for (size_t n = 4; n < sizeof line; n++) {
		reply_parser_init(&p);
		line[3] = ' ';
		ck_assert_int_eq(reply_parse_line(&p, span_from(line, n)), 1);
		ck_assert_uint_eq(strlen(p.r.text),
		    n - 4 < REPLY_TEXT_MAX ? n - 4 : REPLY_TEXT_MAX);
	}
}
END_TEST

/* Every reply in `in`, which arrives in pieces of `step`, as one text. */
static void
converse(char *out, struct span in, size_t step)
{
	struct line_reader reader;
	struct reply_parser p;
	struct span rest, line;
	char held[256];
	size_t n = 0;

	*out = '\0';
	line_init(&reader, sizeof held / 2);
	reply_parser_init(&p);
	for (; in.n > 0; in = span_skip(in, step)) {
		size_t k = in.n < step ? in.n : step;

		memcpy(held + n, in.p, k);
		rest = span_from(held, n + k);
		while (line_next(&reader, &rest, &line) != LINE_MORE) {
			if (reply_parse_line(&p, line) == 0)
				continue;
			reply_text(out + strlen(out), 100, &p.r);
			strcat(out, "\n");
			reply_parser_init(&p);
		}
		n = rest.n;
		memmove(held, rest.p, n);
	}
}

START_TEST(replies_come_out_the_same_in_any_pieces)
{
	const struct span in = SPAN("220 hi\r\n250-a\r\n250-SIZE\r\n250 b\r\n"
				    "550-5.1.1 no\r\n550 5.1.1 one\r\n221\r\n");
	char text[1000];

	for (size_t step = 1; step < 100; step++) {
		converse(text, in, step);
		ck_assert_str_eq(text,
		    "220 2.0.0 hi\n250 2.0.0 a SIZE b\n"
		    "550 5.1.1 no one\n221 2.0.0 \n");
	}
}
END_TEST

/* ---- between processes ----------------------------------------------------
 */

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
	tcase_add_loop_test(
	    t, every_row_makes_a_line_with_and_without_argument, 0, R_COUNT);
	tcase_add_test(t, arguments_go_where_the_row_has_them);
	tcase_add_test(t, unknown_names_are_not_found);
	tcase_add_test(t, codes_are_the_seeds);
	tcase_add_test(t, pairs_are_the_seeds_and_later_ones_say_their_rfc);
	tcase_add_test(t, no_pair_stands_twice);
	tcase_add_loop_test(t, which_command_may_get_which_code, 0,
	    sizeof allowed / sizeof *allowed);
	tcase_add_test(t, every_command_has_a_name_and_may_get_530);
	tcase_add_test(t, no_errno_is_permanent);
	tcase_add_loop_test(
	    t, errno_has_its_codes, 0, sizeof errors / sizeof *errors);
	tcase_add_test(t, lines_and_texts);
	tcase_add_loop_test(
	    t, foreign_replies, 0, sizeof foreign / sizeof *foreign);
	tcase_add_test(t, foreign_nul_is_cleaned);
	tcase_add_test(t, replies_come_out_the_same_in_any_pieces);
	tcase_add_test(t, endless_replies_are_malformed_and_long_ones_cut);
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
