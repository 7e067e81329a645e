/*
 * msg/check.c - fields of messages, checked in one way.
 */
#include "common/mail/address.h"
#include "common/msg/check.h"

bool
msg_address_ok(struct span s)
{
	struct address a;

	return address_parse_utf8(&a, s) == 0 && span_eq(s, span_from(a.text, a.n));
}

bool
msg_final_ok(const struct reply *r)
{
	unsigned class = reply_class(r);

	return class == 2 || class == 4 || class == 5;
}
