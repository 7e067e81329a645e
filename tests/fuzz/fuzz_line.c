/*
 * fuzz_line.c - lines are the same in any pieces, and hold no line end.
 */
#include <stdlib.h>

#include "common/bytes/buf.h"
#include "common/mail/line.h"

#define MAX 32

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(bool ok)
{
	if (!ok)
		abort();
}

/* All results for `in`, as it comes in pieces of `step`, as text in `out`. */
static void
feed(struct buf *out, struct span in, size_t step)
{
	struct line_reader r;
	enum line_result result;
	struct span rest, line;
	struct buf held;

	buf_init(&held, MAX + step);
	line_init(&r, MAX);
	while (in.n > 0) {
		size_t k = in.n < step ? in.n : step;

		must(buf_add(&held, in.p, k) == 0);
		in = span_skip(in, k);
		rest = buf_span(&held);
		while ((result = line_next(&r, &rest, &line)) != LINE_MORE) {
			must(line.n <= MAX - 2);
			must(line.n == 0 ||
			    (result == LINE_OK &&
				memchr(line.p, '\r', line.n) == NULL &&
				memchr(line.p, '\n', line.n) == NULL &&
				memchr(line.p, '\0', line.n) == NULL));
			must(buf_addf(out, "%d:", result) == 0);
			must(buf_add_span(out, line) == 0);
			must(buf_add_str(out, "\n") == 0);
		}
		must(rest.n < MAX);
		buf_drop(&held, held.n - rest.n);
	}
	must(buf_add_span(out, buf_span(&held)) == 0);
	buf_fini(&held);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const size_t steps[] = { 1, 2, 7, MAX, MAX + 1 };
	struct span in = span_from(data, size);
	struct buf whole, pieces;

	if (size == 0)
		return 0;
	buf_init(&whole, 8 * size + 64);
	buf_init(&pieces, 8 * size + 64);
	feed(&whole, in, size);
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		buf_clear(&pieces);
		feed(&pieces, in, steps[i]);
		must(span_eq(buf_span(&whole), buf_span(&pieces)));
	}
	buf_fini(&whole);
	buf_fini(&pieces);
	return 0;
}
