/*
 * fuzz_reply.c - another server's replies: whatever it says, what comes out is
 * a reply that can be printed and carried, the same in any pieces.
 */
#include <stdlib.h>

#include "common/bytes/buf.h"
#include "common/mail/line.h"
#include "common/mail/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(bool ok)
{
	if (!ok)
		abort();
}

static void
check(const struct reply *r)
{
	char wire[1024], line[REPLY_LINE_MAX + 1];
	struct wire_put w = wire_writer(wire, sizeof wire);
	struct reply back;
	struct wire_get g;

	must(r->code >= 200 && r->code <= 599 && r->source == BY_HOST);
	must(r->esc.class == 0 || r->esc.class == reply_class(r));
	must(strlen(r->text) <= REPLY_TEXT_MAX);
	must(reply_format(line, r, true, true) == strlen(line));
	reply_put(&w, r);
	must(!w.bad);
	g = wire_reader(span_from(wire, w.n));
	reply_get(&g, &back);
	must(wire_done(&g) && strcmp(r->text, back.text) == 0);
}

static void
one_line(struct reply_parser *p, struct span line, struct buf *out)
{
	char text[REPLY_LINE_MAX];
	int rc = reply_parse_line(p, line);

	must(rc == 0 || rc == 1 || rc == -1);
	must(buf_addf(out, "%d ", rc) == 0);
	if (rc == 1) {
		check(&p->r);
		reply_text(text, sizeof text, &p->r);
		must(buf_addf(out, "%s\n", text) == 0);
	}
	if (rc != 0)
		reply_parser_init(p);
}

static void
feed(struct buf *out, struct span in, size_t step)
{
	struct line_reader r;
	struct reply_parser p;
	enum line_result result;
	struct span rest, line;
	struct buf held;

	buf_init(&held, REPLY_LINE_MAX + step);
	line_init(&r, REPLY_LINE_MAX);
	reply_parser_init(&p);
	while (in.n > 0) {
		size_t k = in.n < step ? in.n : step;

		must(buf_add(&held, in.p, k) == 0);
		in = span_skip(in, k);
		rest = buf_span(&held);
		while ((result = line_next(&r, &rest, &line)) != LINE_MORE)
			one_line(&p, line, out);
		buf_drop(&held, held.n - rest.n);
	}
	buf_fini(&held);
}

/* A put reply may be anything at all when it is got. */
static void
get(struct span in)
{
	struct wire_get g = wire_reader(in);
	struct reply r;

	reply_get(&g, &r);
	must(!g.bad || r.code == 0);
	must(strlen(r.text) <= REPLY_TEXT_MAX);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_from(data, size);
	struct buf whole, pieces;

	get(in);
	if (size == 0)
		return 0;
	buf_init(&whole, 600 * size);
	buf_init(&pieces, 600 * size);
	feed(&whole, in, size);
	feed(&pieces, in, 1);
	must(span_eq(buf_span(&whole), buf_span(&pieces)));
	buf_fini(&whole);
	buf_fini(&pieces);
	return 0;
}
