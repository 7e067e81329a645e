/*
 * fuzz_header.c - fields lie within the content, one behind the other.
 */
#include <stdlib.h>

#include "common/mail/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(bool ok)
{
	if (!ok)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_from(data, size), rest = in, before;
	struct span name, value;
	size_t fields = 0, received = 0;

	for (before = rest; header_next(&rest, &name, &value); before = rest) {
		must(rest.n < before.n && rest.p + rest.n == in.p + in.n);
		must(name.p == before.p && name.n > 0);
		must(memchr(name.p, ':', name.n) == NULL);
		must(value.p > name.p + name.n - 1 && value.p[-1] == ':');
		must(value.p + value.n <= rest.p);
		/* What lies between is the one CRLF, if there is one. */
		must(rest.p - (value.p + value.n) <= 2);
		fields++;
		received += span_is(name, "Received");
	}
	must(span_eq(rest, before));
	must(header_length(in) == in.n - rest.n);
	must(header_count(in, "Received", SPAN("")) == received);
	must(header_count(in, "Delivered-To", SPAN("a@b")) <= fields);
	return 0;
}
