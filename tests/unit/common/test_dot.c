/*
 * test_dot.c - dots and the one end of data, in any pieces and both ways.
 */
#include <check.h>

#include "common/mail/dot.h"

struct got {
	char text[512];
	size_t n;
	size_t used; /* octets of the input */
	bool ended;
	struct dot_reader r;
};

static void
feed(struct got *g, enum dot_mode mode, struct span input, size_t step)
{
	char out[DOT_OUT_MAX(sizeof g->text)];
	size_t n;

	*g = (struct got){ .n = 0 };
	dot_init(&g->r, mode);
	while (!g->ended && g->used < input.n) {
		size_t k = input.n - g->used < step ? input.n - g->used : step;
		struct span in = span_from(input.p + g->used, k);

		g->ended = dot_read(&g->r, &in, out, &n);
		ck_assert_uint_le(n, DOT_OUT_MAX(k));
		ck_assert(g->ended || in.n == 0);
		ck_assert_uint_le(g->n + n, sizeof g->text);
		memcpy(g->text + g->n, out, n);
		g->n += n;
		g->used += k - in.n;
	}
}

static const struct {
	struct span input, content, rest;
	bool eight_bit;
} good[] = {
	{ SPAN(".\r\n"), SPAN(""), SPAN(""), false },
	{ SPAN("\r\n.\r\n"), SPAN("\r\n"), SPAN(""), false },
	{ SPAN("a\r\n.\r\n"), SPAN("a\r\n"), SPAN(""), false },
	{ SPAN("a\r\n.\r\nQUIT\r\n"), SPAN("a\r\n"), SPAN("QUIT\r\n"), false },
	{ SPAN(".\r\n.\r\n"), SPAN(""), SPAN(".\r\n"), false },
	{ SPAN("..\r\n..a\r\n.b\r\n.\r\n"), SPAN(".\r\n.a\r\nb\r\n"), SPAN(""),
	    false },
	{ SPAN("...\r\n.\r\n"), SPAN("..\r\n"), SPAN(""), false },
	{ SPAN("a.\r\n.\r\n"), SPAN("a.\r\n"), SPAN(""), false },
	{ SPAN("a\r\n\r\n\r\n.\r\n"), SPAN("a\r\n\r\n\r\n"), SPAN(""), false },
	{ SPAN("Subject: a tab\there, and long enough\r\n\tfolded\r\n.\r\n"),
	    SPAN("Subject: a tab\there, and long enough\r\n\tfolded\r\n"),
	    SPAN(""), false },
	{ SPAN("na\xc3\xafve\r\n.\r\n"), SPAN("na\xc3\xafve\r\n"), SPAN(""),
	    true },
	{ SPAN("0123456789abcdef\xff\r\n.\r\n"),
	    SPAN("0123456789abcdef\xff\r\n"), SPAN(""), true },
	{ SPAN("\x80\x80\x80\x80\x80\x80\x80\x80\x80\r\n.\r\n"),
	    SPAN("\x80\x80\x80\x80\x80\x80\x80\x80\x80\r\n"), SPAN(""), true },
	{ SPAN("\xe4\r\n.\r\n"), SPAN("\xe4\r\n"), SPAN(""), true },
	{ SPAN("\x01\x0b\x0c\x0e\x1f\x7f\r\n.\r\n"),
	    SPAN("\x01\x0b\x0c\x0e\x1f\x7f\r\n"), SPAN(""), false },
};

START_TEST(content_is_the_same_in_any_pieces)
{
	struct got g;

	for (size_t step = 1; step <= good[_i].input.n; step++)
		for (int mode = DOT_REJECT; mode <= DOT_CONVERT; mode++) {
			feed(&g, mode, good[_i].input, step);
			ck_assert(g.ended);
			ck_assert(
			    span_eq(span_from(g.text, g.n), good[_i].content));
			ck_assert(span_eq(
			    span_skip(good[_i].input, g.used), good[_i].rest));
			ck_assert(!g.r.bare && !g.r.nul);
			ck_assert_int_eq(g.r.eight_bit, good[_i].eight_bit);
		}
}
END_TEST

START_TEST(no_truncation_ends_the_data)
{
	size_t whole = good[_i].input.n - good[_i].rest.n;
	struct got g;

	for (size_t n = 0; n < whole; n++) {
		feed(&g, DOT_REJECT, span_from(good[_i].input.p, n), SIZE_MAX);
		ck_assert(!g.ended);
		ck_assert_uint_le(g.n, good[_i].content.n);
		ck_assert_mem_eq(g.text, good[_i].content.p, g.n);
	}
}
END_TEST

/* What ends the data elsewhere (CVE-2023-51764, -51765, -51766), with what it
 * is turned into where bare line ends are converted. */
static const struct {
	struct span input, rejected, converted;
	bool bare, nul;
} smuggled[] = {
	{ SPAN("\n.\n"), SPAN("\n.\n"), SPAN("\r\n.\r\n"), true, false },
	{ SPAN("\n.\r"), SPAN("\n.\r"), SPAN("\r\n.\r\n"), true, false },
	{ SPAN("\r.\n"), SPAN("\r.\n"), SPAN("\r\n.\r\n"), true, false },
	{ SPAN("\r.\r"), SPAN("\r.\r"), SPAN("\r\n.\r\n"), true, false },
	{ SPAN("\n.\r\n"), SPAN("\n.\r\n"), SPAN("\r\n.\r\n"), true, false },
	{ SPAN("\r.\r\n"), SPAN("\r.\r\n"), SPAN("\r\n.\r\n"), true, false },
	{ SPAN("\r\n\0.\r\n"), SPAN("\r\n\0.\r\n"), SPAN("\r\n.\r\n"), false,
	    true },
	{ SPAN("\0\n.\n"), SPAN("\0\n.\n"), SPAN("\r\n.\r\n"), true, true },
	/* The dot that stuffing put there goes, whatever follows it. */
	{ SPAN("\r\n.\n"), SPAN("\r\n\n"), SPAN("\r\n\r\n"), true, false },
	{ SPAN("\r\n.\r"), SPAN("\r\n\r"), SPAN("\r\n\r\n"), true, false },
	{ SPAN("\r\n.\r\r\n"), SPAN("\r\n\r\r\n"), SPAN("\r\n\r\n\r\n"), true,
	    false },
	{ SPAN("\r\r\n.\r\r\n"), SPAN("\r\r\n\r\r\n"), SPAN("\r\n\r\n\r\n\r\n"),
	    true, false },
	{ SPAN("\r\n.\0\r\n"), SPAN("\r\n\0\r\n"), SPAN("\r\n\r\n"), false,
	    true },
	{ SPAN("\r\n..\r\n"), SPAN("\r\n.\r\n"), SPAN("\r\n.\r\n"), false,
	    false },
	{ SPAN("\n\r\n\r.\r\n"), SPAN("\n\r\n\r.\r\n"),
	    SPAN("\r\n\r\n\r\n.\r\n"), true, false },
};

/* The sequence in a line, then a command that must stay content. */
static size_t
surround(char *dst, struct span middle, const char *tail)
{
	memcpy(dst, "a", 1);
	memcpy(dst + 1, middle.p, middle.n);
	strcpy(dst + 1 + middle.n, tail);
	return 1 + middle.n + strlen(tail);
}

START_TEST(no_other_sequence_ends_the_data)
{
	static const char tail[] = "MAIL FROM:<x@y>\r\nDATA\r\n";
	char input[256], want[256];
	struct got g;

	for (int mode = DOT_REJECT; mode <= DOT_CONVERT; mode++) {
		size_t n = surround(input, smuggled[_i].input, tail);
		size_t m = surround(want,
		    mode == DOT_REJECT ? smuggled[_i].rejected
				       : smuggled[_i].converted,
		    tail);

		for (size_t step = 1; step <= n; step++) {
			feed(&g, mode, span_from(input, n), step);
			ck_assert(!g.ended);
			ck_assert(span_eq(
			    span_from(g.text, g.n), span_from(want, m)));
			ck_assert_int_eq(g.r.bare, smuggled[_i].bare);
			ck_assert_int_eq(g.r.nul, smuggled[_i].nul);
		}
		strcpy(input + n, ".\r\nQUIT");
		feed(&g, mode, span_from(input, n + 7), SIZE_MAX);
		ck_assert(g.ended);
		ck_assert_uint_eq(g.used, n + 3);
	}
}
END_TEST

static size_t
stuff(char *out, struct span content, size_t step)
{
	struct dot_writer w;
	size_t n = 0;

	dot_writer_init(&w);
	for (size_t at = 0; at < content.n; at += step) {
		size_t k = content.n - at < step ? content.n - at : step;
		size_t made =
		    dot_write(&w, span_from(content.p + at, k), out + n);

		ck_assert_uint_le(made, DOT_OUT_MAX(k));
		n += made;
	}
	return n + dot_write_end(&w, out + n);
}

static const struct {
	struct span content, wire;
} out[] = {
	{ SPAN(""), SPAN(".\r\n") },
	{ SPAN("a\r\n"), SPAN("a\r\n.\r\n") },
	{ SPAN("a"), SPAN("a\r\n.\r\n") },
	{ SPAN("."), SPAN("..\r\n.\r\n") },
	{ SPAN(".\r\n"), SPAN("..\r\n.\r\n") },
	{ SPAN("..\r\na.\r\n.b\r\n"), SPAN("...\r\na.\r\n..b\r\n.\r\n") },
	{ SPAN("\r\n\r\n"), SPAN("\r\n\r\n.\r\n") },
	/* A bare CR or LF is a line end from here on, and dots behind it count.
	 */
	{ SPAN("a\n.\nb"), SPAN("a\r\n..\r\nb\r\n.\r\n") },
	{ SPAN("a\r.\rb"), SPAN("a\r\n..\r\nb\r\n.\r\n") },
	{ SPAN("a\r\r\n.b"), SPAN("a\r\n\r\n..b\r\n.\r\n") },
	{ SPAN("a\r"), SPAN("a\r\n.\r\n") },
	{ SPAN("a\n"), SPAN("a\r\n.\r\n") },
	{ SPAN("\r"), SPAN("\r\n.\r\n") },
	{ SPAN("long enough to be copied in one piece\tor two\r\n.x\r\n"),
	    SPAN("long enough to be copied in one piece\tor two\r\n..x\r\n"
		 ".\r\n") },
	{ SPAN("a\0.\r\n"), SPAN("a\0.\r\n.\r\n") },
};

START_TEST(content_is_stuffed_the_same_in_any_pieces)
{
	char wire[512];
	size_t n;

	for (size_t step = 1; step <= 64; step++) {
		n = stuff(wire, out[_i].content, step);
		ck_assert(span_eq(span_from(wire, n), out[_i].wire));
	}
}
END_TEST

/* Everything of five such octets that may stand at the edge of a line, between
 * plain ones: our own reader, and the strictest other one, agree. */
START_TEST(what_is_written_is_one_message_and_reads_back)
{
	static const char alphabet[] = { '\r', '\n', '.', 'x', '\0' };
	char content[5], wire[64], again[64];
	struct got g;
	size_t n, tried = 0;

	for (unsigned v = 0; v < 5 * 5 * 5 * 5 * 5; v++, tried++) {
		for (unsigned i = 0, rest = v; i < 5; i++, rest /= 5)
			content[i] = alphabet[rest % 5];
		n = stuff(wire, span_from(content, 5), 5);
		feed(&g, DOT_REJECT, span_from(wire, n), 3);
		ck_assert(g.ended && g.used == n && !g.r.bare);
		/* No LF without CR, no CR without LF, one lone dot. */
		for (size_t i = 0; i < n; i++) {
			ck_assert_int_eq(
			    wire[i] == '\n', i > 0 && wire[i - 1] == '\r');
		}
		ck_assert_uint_eq(
		    stuff(again, span_from(g.text, g.n), SIZE_MAX), n);
		ck_assert_mem_eq(again, wire, n);
	}
	ck_assert_uint_eq(tried, 3125);
}
END_TEST

/* By BDAT: what comes out in each mode, and what is noted. */
static const struct {
	struct span input, rejected, converted;
	bool bare, nul;
} chunked[] = {
	{ SPAN(""), SPAN(""), SPAN(""), false, false },
	{ SPAN(".\r\n"), SPAN(".\r\n"), SPAN(".\r\n"), false, false },
	{ SPAN("a\r\n.\r\n..\r\nb"), SPAN("a\r\n.\r\n..\r\nb"),
	    SPAN("a\r\n.\r\n..\r\nb"), false, false },
	{ SPAN("0123456789abcdef\r\n0123456789"),
	    SPAN("0123456789abcdef\r\n0123456789"),
	    SPAN("0123456789abcdef\r\n0123456789"), false, false },
	{ SPAN("a\nb"), SPAN("a\nb"), SPAN("a\r\nb"), true, false },
	{ SPAN("a\rb"), SPAN("a\rb"), SPAN("a\r\nb"), true, false },
	{ SPAN("a\r\n\r"), SPAN("a\r\n\r"), SPAN("a\r\n\r\n"), true, false },
	{ SPAN("\r"), SPAN("\r"), SPAN("\r\n"), true, false },
	{ SPAN("a\0b"), SPAN("a\0b"), SPAN("ab"), false, true },
};

static void
feed_chunks(int row, enum dot_mode mode, size_t step, struct span want,
    bool bare, bool nul)
{
	struct span in = chunked[row].input;
	struct got g = { .n = 0 };

	dot_init(&g.r, mode);
	for (bool last = false; !last; g.used += step) {
		size_t left = in.n - g.used;

		last = left <= step;
		g.n += dot_chunk(&g.r,
		    span_from(in.p + g.used, last ? left : step), last,
		    g.text + g.n);
	}
	ck_assert(span_eq(span_from(g.text, g.n), want));
	ck_assert_int_eq(g.r.bare, bare);
	ck_assert_int_eq(g.r.nul, nul);
}

START_TEST(a_chunk_has_no_dots)
{
	for (size_t step = 1; step <= 16; step++) {
		feed_chunks(_i, DOT_REJECT, step, chunked[_i].rejected,
		    chunked[_i].bare, chunked[_i].nul);
		feed_chunks(_i, DOT_CONVERT, step, chunked[_i].converted,
		    chunked[_i].bare, chunked[_i].nul);
		feed_chunks(
		    _i, DOT_BINARY, step, chunked[_i].input, false, false);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("dot");
	TCase *t = tcase_create("dot");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, content_is_the_same_in_any_pieces, 0,
	    sizeof good / sizeof *good);
	tcase_add_loop_test(
	    t, no_truncation_ends_the_data, 0, sizeof good / sizeof *good);
	tcase_add_loop_test(t, no_other_sequence_ends_the_data, 0,
	    sizeof smuggled / sizeof *smuggled);
	tcase_add_loop_test(t, content_is_stuffed_the_same_in_any_pieces, 0,
	    sizeof out / sizeof *out);
	tcase_add_test(t, what_is_written_is_one_message_and_reads_back);
	tcase_add_loop_test(
	    t, a_chunk_has_no_dots, 0, (int)(sizeof chunked / sizeof *chunked));
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
