/*
 * fuzz_address.c - whatever is accepted is canonical, bounded and printable.
 */
#include <stdlib.h>

#include "common/mail/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(bool ok)
{
	if (!ok)
		abort();
}

static void
check_mailbox(const struct address *a)
{
	char plain[ADDRESS_LOCAL_MAX + 1];
	struct address again;

	must(a->n <= ADDRESS_MAX && a->text[a->n] == '\0' && a->at < a->n);
	for (size_t i = 0; i < a->n; i++)
		must(a->text[i] >= ' ' && a->text[i] <= '~');
	must(address_local(a).n > 0 && address_local(a).n <= ADDRESS_LOCAL_MAX);
	must(address_domain_ok(address_domain(a)) ||
	    address_literal_ok(address_domain(a)));
	must(address_unquote(plain, sizeof plain, address_local(a)) >= 0);
	must(address_parse(&again, span_from(a->text, a->n)) == 0);
	must(span_eq(span_from(again.text, again.n), span_from(a->text, a->n)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_from(data, size), rest = in;
	struct address a;

	if (address_parse(&a, in) == 0)
		check_mailbox(&a);
	else
		must(a.n == 0 && a.at == 0 && a.text[0] == '\0');
	if (address_parse_path(&a, &rest, 0) == 0) {
		check_mailbox(&a);
		must(rest.n < in.n && rest.p[-1] == '>');
	} else
		must(span_eq(rest, in) && a.n == 0);
	rest = in;
	if (address_parse_path(
		&a, &rest, ADDRESS_NULL_OK | ADDRESS_POSTMASTER_OK) == 0 &&
	    a.at < a.n)
		check_mailbox(&a);
	return 0;
}
