/*
 * content.c - the rules for content: newlines, size, hops.
 */
#include "common/mail/header.h"
#include "smtpd/content.h"

void
content_init(struct content *c, enum dot_mode mode, uint64_t max)
{
	dot_init(&c->dot, mode);
	c->size = 0;
	c->max = max;
}

bool
content_read(struct content *c, struct span *in, char *out, size_t *nout)
{
	bool ended = dot_read(&c->dot, in, out, nout);

	c->size += *nout;
	return ended;
}

enum reply_name
content_fault(const struct content *c)
{
	/* RFC 5321 section 2.3.8; a NUL has no meaning that could be kept. */
	if (c->dot.nul || (c->dot.bare && c->dot.mode == DOT_REJECT))
		return R_BARE_NEWLINE;
	if (c->size > c->max)
		return R_TOO_BIG;
	return R_COUNT;
}

enum reply_name
content_loop(struct span beginning)
{
	size_t hops = header_count(beginning, "Received", SPAN(""));

	return hops > HEADER_RECEIVED_MAX ? R_LOOP : R_COUNT;
}
