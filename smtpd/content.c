/*
 * content.c - the rules for content: newlines, size, hops.
 */
#include "common/bytes/utf8.h"
#include "common/mail/envelope.h"
#include "common/mail/header.h"
#include "smtpd/content.h"

void
content_init(struct content *c, enum dot_mode mode, uint64_t max)
{
	dot_init(&c->dot, mode);
	c->place = PLACE_FIRST;
	c->matched = 0;
	c->hops = 0;
	c->beyond = false;
	c->size = 0;
	c->max = max;
}

/* An octet of a name.  No such octet: the header ends here, by an empty line or
 * by one that is no field, as header_next() has it. */
static void
name_octet(struct content *c, char octet)
{
	static const char name[] = "received";

	if (octet <= ' ' || octet > '~')
		c->place = PLACE_BODY;
	else if (c->matched < sizeof name &&
	    ascii_lower(octet) == name[c->matched])
		c->matched++;
	else
		c->matched = UINT8_MAX;
}

static void
header_octet(struct content *c, char octet)
{
	bool blank = octet == ' ' || octet == '\t';

	switch (c->place) {
	case PLACE_START:
		if (blank) { /* folded: the field goes on */
			c->place = PLACE_LINE;
			break;
		}
		/* FALLTHROUGH */
	case PLACE_FIRST:
		c->place = octet == ':' ? PLACE_BODY : PLACE_NAME;
		c->matched = 0;
		if (c->place == PLACE_NAME)
			name_octet(c, octet);
		break;
	case PLACE_NAME:
	case PLACE_BLANK:
		if (octet == ':') {
			c->hops += c->matched == sizeof "received" - 1;
			c->place = PLACE_LINE;
		} else if (blank)
			c->place = PLACE_BLANK;
		else if (c->place == PLACE_BLANK)
			c->place = PLACE_BODY;
		else
			name_octet(c, octet);
		break;
	case PLACE_LINE:
		if (octet == '\n')
			c->place = PLACE_START;
		break;
	case PLACE_BODY:
		break;
	}
}

/* Of the header of a message in however many pieces: its hops. */
static void
read_header(struct content *c, struct span s)
{
	while (s.n > 0 && c->place != PLACE_BODY) {
		const char *lf = NULL;

		if (c->place == PLACE_LINE)
			lf = memchr(s.p, '\n', s.n);
		if (c->place == PLACE_LINE) {
			size_t n = lf != NULL ? (size_t)(lf - s.p) : s.n;

			c->beyond |= utf8_beyond_ascii(span_from(s.p, n));
			s = span_skip(s, n);
			if (lf == NULL)
				return;
		}
		header_octet(c, s.p[0]);
		s = span_skip(s, 1);
	}
}

bool
content_read(struct content *c, struct span *in, char *out, size_t *nout)
{
	bool ended = dot_read(&c->dot, in, out, nout);

	c->size += *nout;
	read_header(c, span_from(out, *nout));
	return ended;
}

size_t
content_chunk(struct content *c, struct span in, bool last, char *out)
{
	size_t n = dot_chunk(&c->dot, in, last, out);

	c->size += n;
	read_header(c, span_from(out, n));
	return n;
}

enum reply_name
content_fault(const struct content *c)
{
	/* RFC 5321 section 2.3.8; a NUL has no meaning that could be kept. */
	if (c->dot.nul || (c->dot.bare && c->dot.mode == DOT_REJECT))
		return R_BARE_NEWLINE;
	if (c->size > c->max)
		return R_TOO_BIG;
	if (c->hops > HEADER_RECEIVED_MAX)
		return R_LOOP;
	return R_COUNT;
}

uint8_t
content_lacks(struct span beginning, bool whole)
{
	struct span rest = span_skip(beginning, header_length(beginning));
	uint8_t lacks = 0;

	if (!whole && !header_ends(beginning))
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
