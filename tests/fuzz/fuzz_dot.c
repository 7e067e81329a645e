/*
 * fuzz_dot.c - the data ends at the first CRLF.CRLF and nowhere else, in any
 * pieces; what is written reads back as one message.
 */
#include <stdlib.h>

#include "common/bytes/buf.h"
#include "common/mail/dot.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(bool ok)
{
	if (!ok)
		abort();
}

/* Read `in` in pieces of `step`; how much of it was used, 0 for no end. */
static size_t
feed(struct dot_reader *r, enum dot_mode mode, struct span in, size_t step,
    struct buf *out)
{
	struct span rest = in;
	char *to;
	size_t n;

	buf_clear(out);
	dot_init(r, mode);
	while (rest.n > 0) {
		size_t k = rest.n < step ? rest.n : step;
		struct span piece = span_from(rest.p, k);
		bool ended;

		must((to = buf_reserve(out, DOT_OUT_MAX(k))) != NULL);
		ended = dot_read(r, &piece, to, &n);
		must(n <= DOT_OUT_MAX(k));
		out->n += n;
		rest = span_skip(rest, k - piece.n);
		if (ended)
			return in.n - rest.n;
		must(piece.n == 0);
	}
	return 0;
}

/* The same by definition: the CRLF before the data counts for the first line.
 */
static size_t
end_of_data(struct span in)
{
	const char *at;

	if (span_starts(in, ".\r\n"))
		return 3;
	at = memmem(in.p, in.n, "\r\n.\r\n", 5);
	return at != NULL ? (size_t)(at + 5 - in.p) : 0;
}

static void
check_written(struct span content, struct buf *wire, struct buf *back)
{
	struct dot_writer w;
	struct dot_reader r;
	char *to;

	buf_clear(wire);
	dot_writer_init(&w);
	must((to = buf_reserve(wire, DOT_OUT_MAX(content.n))) != NULL);
	wire->n += dot_write(&w, content, to);
	must((to = buf_reserve(wire, DOT_END_MAX)) != NULL);
	wire->n += dot_write_end(&w, to);
	must(end_of_data(buf_span(wire)) == wire->n);
	must(feed(&r, DOT_REJECT, buf_span(wire), wire->n, back) == wire->n);
	must(!r.bare);
	for (size_t i = 0; i < wire->n; i++)
		must((wire->p[i] == '\n') == (i > 0 && wire->p[i - 1] == '\r'));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const size_t steps[] = { 1, 2, 5, 9 };
	struct span in = span_from(data, size);
	struct buf whole, pieces;
	struct dot_reader a, b;
	size_t max = 16 * size + 64, used;

	buf_init(&whole, max);
	buf_init(&pieces, max);
	for (int mode = DOT_REJECT; mode <= DOT_CONVERT; mode++) {
		used = feed(&a, mode, in, size, &whole);
		must(used == end_of_data(in));
		for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
			must(feed(&b, mode, in, steps[i], &pieces) == used);
			must(span_eq(buf_span(&whole), buf_span(&pieces)));
			must(a.bare == b.bare && a.nul == b.nul &&
			    a.eight_bit == b.eight_bit);
		}
	}
	/* Converted content has nothing bare and no NUL left in it. */
	must(whole.n == 0 || memchr(whole.p, '\0', whole.n) == NULL);
	for (size_t i = 0; i < whole.n; i++)
		must((whole.p[i] == '\n') == (i > 0 && whole.p[i - 1] == '\r'));
	check_written(in, &whole, &pieces);
	buf_fini(&whole);
	buf_fini(&pieces);
	return 0;
}
