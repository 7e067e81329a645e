/*
 * test_reply_parse.c - what other servers say, well-formed or not.
 */
#include <check.h>

#include "common/mail/line.h"
#include "common/mail/reply.h"

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

int
main(void)
{
	Suite *s = suite_create("reply_parse");
	TCase *t = tcase_create("reply_parse");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(
	    t, foreign_replies, 0, sizeof foreign / sizeof *foreign);
	tcase_add_test(t, foreign_nul_is_cleaned);
	tcase_add_test(t, replies_come_out_the_same_in_any_pieces);
	tcase_add_test(t, endless_replies_are_malformed_and_long_ones_cut);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
