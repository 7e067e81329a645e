/*
 * test_codes.c - the tables of codes, held against the seed's files.
 */
#include <check.h>
#include <stdio.h>

#include "common/mail/reply.h"

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

int
main(void)
{
	Suite *s = suite_create("codes");
	TCase *t = tcase_create("codes");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, codes_are_the_seeds);
	tcase_add_test(t, pairs_are_the_seeds_and_later_ones_say_their_rfc);
	tcase_add_test(t, no_pair_stands_twice);
	tcase_add_loop_test(t, which_command_may_get_which_code, 0,
	    sizeof allowed / sizeof *allowed);
	tcase_add_test(t, every_command_has_a_name_and_may_get_530);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
