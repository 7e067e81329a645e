/*
 * fuzz_address_list.c - what comes out of a list is an address, and the list
 * gets shorter.
 */
#include <stdlib.h>

#include "common/mail/address_list.h"

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
	struct span in = span_from(data, size), text;
	enum address_list_result r;
	struct address_list l;
	struct address a, again;
	size_t before = size + 1;

	address_list_init(&l, in);
	while ((r = address_list_next(&l, &a, &text)) == ADDRESS_LIST_NEXT) {
		must(l.rest.n < before && l.rest.p + l.rest.n == in.p + in.n);
		before = l.rest.n;
		must(text.p >= in.p && text.p + text.n <= l.rest.p);
		must(a.n > 0 && a.n <= ADDRESS_MAX && a.text[a.n] == '\0');
		for (size_t i = 0; i < a.n; i++)
			must(a.text[i] >= ' ' && a.text[i] <= '~');
		must((a.at < a.n ? address_parse(&again, span_from(a.text, a.n))
				 : address_parse_bare(
				       &again, span_from(a.text, a.n))) == 0);
	}
	must(r == ADDRESS_LIST_BAD || l.rest.n == 0);
	return 0;
}
