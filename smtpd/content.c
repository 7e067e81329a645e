/*
 * content.c - the rules for content: newlines, size, hops.
 */
#include "common/mail/envelope.h"
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

uint8_t
content_lacks(struct span beginning, bool whole)
{
	struct span rest = span_skip(beginning, header_length(beginning));
	uint8_t lacks = 0;

	/* Does the header end in here? */
	if (!whole && span_line(rest) == 0)
		return 0;
	if (header_count(beginning, "Date", SPAN("")) == 0)
		lacks |= LACKS_DATE;
	if (header_count(beginning, "Message-ID", SPAN("")) == 0)
		lacks |= LACKS_MESSAGE_ID;
	if (header_count(beginning, "From", SPAN("")) == 0)
		lacks |= LACKS_FROM;
	/* The body must not become part of what is put above it. */
	if (rest.n == beginning.n && rest.n > 0 && !span_starts(rest, "\r\n"))
		lacks |= LACKS_HEADER;
	return lacks;
}
