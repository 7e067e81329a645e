/*
 * test_line.c - the line reader: only CRLF ends a line, however it arrives.
 */
#include <check.h>

#include "common/mail/line.h"

#define MAX 12

struct got {
	enum line_result result;
	char text[2 * MAX];
	size_t n;
};

struct run {
	struct got got[16];
	size_t n;
};

static void
note(struct run *r, enum line_result result, struct span line)
{
	struct got *g = &r->got[r->n++];

	ck_assert_uint_lt(r->n, sizeof r->got / sizeof *r->got);
	ck_assert_uint_le(line.n, MAX - 2);
	g->result = result;
	g->n = line.n;
	memcpy(g->text, line.p, line.n);
}

/* Feed `input` in pieces of `step` octets, as a socket would. */
static void
feed(struct run *r, struct span input, size_t step)
{
	struct line_reader reader;
	enum line_result result;
	struct span in, line;
	char held[256];
	size_t n = 0;

	*r = (struct run){ .n = 0 };
	line_init(&reader, MAX);
	for (size_t at = 0; at < input.n; at += step) {
		size_t k = input.n - at < step ? input.n - at : step;

		memcpy(held + n, input.p + at, k);
		in = span_from(held, n + k);
		while ((result = line_next(&reader, &in, &line)) != LINE_MORE)
			note(r, result, line);
		ck_assert_uint_lt(in.n, MAX);
		n = in.n;
		memmove(held, in.p, n);
	}
	note(r, LINE_MORE, span_from(held, n < MAX - 2 ? n : MAX - 2));
}

static const struct {
	struct span input;
	struct {
		enum line_result result;
		const char *text;
	} want[6]; /* up to and with LINE_MORE, whose text is what is held */
} cases[] = {
	{ SPAN("QUIT\r\n"), { { LINE_OK, "QUIT" } } },
	{ SPAN("A\r\nB\r\nC"),
	    { { LINE_OK, "A" }, { LINE_OK, "B" }, { LINE_MORE, "C" } } },
	{ SPAN("\r\n\r\n"), { { LINE_OK, "" }, { LINE_OK, "" } } },
	{ SPAN(""), { { LINE_MORE, "" } } },
	/* What looks like a line end within a line makes it bad, whole. */
	{ SPAN("A\nB\r\nC\r\n"), { { LINE_BAD, "" }, { LINE_OK, "C" } } },
	{ SPAN("A\rB\r\nC\r\n"), { { LINE_BAD, "" }, { LINE_OK, "C" } } },
	{ SPAN("A\r\r\nC\r\n"), { { LINE_BAD, "" }, { LINE_OK, "C" } } },
	{ SPAN("A\n\r\nC\r\n"), { { LINE_BAD, "" }, { LINE_OK, "C" } } },
	{ SPAN("\n\r\n"), { { LINE_BAD, "" } } },
	{ SPAN("\r\r\n"), { { LINE_BAD, "" } } },
	{ SPAN("QUIT\0X\r\nC\r\n"), { { LINE_BAD, "" }, { LINE_OK, "C" } } },
	{ SPAN("\0\r\n"), { { LINE_BAD, "" } } },
	{ SPAN("A\n"), { { LINE_MORE, "A\n" } } },
	{ SPAN("A\n\n\r"), { { LINE_MORE, "A\n\n\r" } } },
	/* The limit counts the CRLF: ten octets and CRLF are twelve. */
	{ SPAN("0123456789\r\nC\r\n"),
	    { { LINE_OK, "0123456789" }, { LINE_OK, "C" } } },
	{ SPAN("0123456789x\r\nC\r\n"),
	    { { LINE_LONG, "" }, { LINE_OK, "C" } } },
	{ SPAN("0123456789xy\r\nC\r\n"),
	    { { LINE_LONG, "" }, { LINE_OK, "C" } } },
	{ SPAN("0123456789xyz\r\nC\r\n"),
	    { { LINE_LONG, "" }, { LINE_OK, "C" } } },
	{ SPAN("0123456789abcdef0123456789abcdef\r\nC\r\nD"),
	    { { LINE_LONG, "" }, { LINE_OK, "C" }, { LINE_MORE, "D" } } },
	/* Nothing in the tail of a long line is ever a command. */
	{ SPAN("0123456789abcdef\nQUIT\r\nC\r\n"),
	    { { LINE_BAD, "" }, { LINE_OK, "C" } } },
	{ SPAN("0123456789abcdef\rQUIT\r\nC\r\n"),
	    { { LINE_BAD, "" }, { LINE_OK, "C" } } },
	{ SPAN("0123456789abcdef\r\r\nC\r\n"),
	    { { LINE_BAD, "" }, { LINE_OK, "C" } } },
	{ SPAN("0123456789abcdef\0\r\nC\r\n"),
	    { { LINE_BAD, "" }, { LINE_OK, "C" } } },
	{ SPAN("012345\n789abcdef\r\nC\r\n"),
	    { { LINE_BAD, "" }, { LINE_OK, "C" } } },
	{ SPAN("0123456789\r\rQUIT\r\nC\r\n"),
	    { { LINE_BAD, "" }, { LINE_OK, "C" } } },
	{ SPAN("0123456789x\rQUIT\r\nC\r\n"),
	    { { LINE_BAD, "" }, { LINE_OK, "C" } } },
	{ SPAN("0123456789abc\n\r\nC\r\n"),
	    { { LINE_BAD, "" }, { LINE_OK, "C" } } },
	/* Being bad or long ends with the line. */
	{ SPAN("0123456789abc\n\r\n0123456789abc\r\nC\r\n"),
	    { { LINE_BAD, "" }, { LINE_LONG, "" }, { LINE_OK, "C" } } },
	{ SPAN("0123456789abc"), { { LINE_MORE, "" } } },
};

START_TEST(lines_come_out_the_same_in_any_pieces)
{
	struct run r;
	size_t i;

	for (size_t step = 1; step <= 64; step++) {
		feed(&r, cases[_i].input, step);
		for (i = 0; i < r.n; i++) {
			const char *text = cases[_i].want[i].text;

			ck_assert_int_eq(
			    r.got[i].result, cases[_i].want[i].result);
			ck_assert(span_eq(span_from(r.got[i].text, r.got[i].n),
			    text != NULL ? span_of(text) : SPAN("")));
		}
		ck_assert_int_eq(r.got[r.n - 1].result, LINE_MORE);
	}
}
END_TEST

START_TEST(an_endless_line_is_never_held)
{
	char flood[1000];
	struct line_reader reader;
	struct span in, line;

	line_init(&reader, MAX);
	memset(flood, 'x', sizeof flood);
	for (int i = 0; i < 1000; i++) {
		in = span_from(flood, sizeof flood);
		ck_assert_int_eq(line_next(&reader, &in, &line), LINE_MORE);
		ck_assert_uint_eq(in.n, 0);
	}
	in = SPAN("\r\n");
	ck_assert_int_eq(line_next(&reader, &in, &line), LINE_LONG);
	in = (struct span){ NULL, 0 };
	ck_assert_int_eq(line_next(&reader, &in, &line), LINE_MORE);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("line");
	TCase *t = tcase_create("line");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, lines_come_out_the_same_in_any_pieces, 0,
	    sizeof cases / sizeof *cases);
	tcase_add_test(t, an_endless_line_is_never_held);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
