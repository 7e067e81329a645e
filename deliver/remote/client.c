/*
 * client.c - the dialogue with a mail host: from octets to replies, and which
 * of them may come now; see client.h.
 */
#include "deliver/remote/client_parts.h"

void
client_init(
    struct client *c, enum client_protocol protocol, const char *hostname)
{
	memset(c, 0, sizeof *c);
	c->protocol = protocol;
	c->hostname = hostname;
	c->state = CLIENT_AT_GREETING;
	buf_init(&c->out, CLIENT_OUT_MAX);
	line_init(&c->lines, CLIENT_LINE_MAX);
	reply_parser_init(&c->parser);
}

void
client_fini(struct client *c)
{
	buf_fini(&c->out);
}

unsigned
client_seconds(const struct client *c)
{
	return client_row(c->state)->seconds;
}

const char *
client_doing(const struct client *c)
{
	return client_row(c->state)->doing;
}

bool
client_in_doubt(const struct client *c)
{
	return c->state == CLIENT_AT_END && c->naccepted > 0;
}

/* RFC 9422 section 4: names and numbers; one that is no number is none. */
static void
note_limits(struct client *c, struct span limits)
{
	while (limits.n > 0) {
		struct span number = span_cut(&limits, ' ');
		struct span name = span_cut(&number, '=');

		if (span_is(name, "RCPTMAX"))
			span_number(number, UINT32_MAX, &c->rcpt_max);
	}
}

/* RFC 5321 section 4.1.1.1: a keyword and its parameters behind "250-". */
static void
note_extension(struct client *c, struct span line)
{
	struct span word = span_cut(&line, ' ');

	if (span_is(word, "PIPELINING"))
		c->pipelining = true;
	else if (span_is(word, "8BITMIME"))
		c->eight_bit = true;
	else if (span_is(word, "LIMITS"))
		note_limits(c, line);
	else if (span_is(word, "SMTPUTF8"))
		c->utf8 = true;
	else if (span_is(word, "CHUNKING"))
		c->chunking = true;
	else if (span_is(word, "BINARYMIME"))
		c->binary = true;
	else if (span_is(word, "SIZE")) {
		c->size = true;
		/* 0 and nothing mean no limit; RFC 1870 section 4. */
		span_number(span_trim(line), UINT64_MAX, &c->size_max);
	}
}

/*
 * Nothing may stand behind a reply that we wait for before we speak: it would
 * be read as the reply to what we say next, and a message be taken for
 * delivered that is not.
 */
static bool
must_be_alone(const struct client *c)
{
	switch (c->state) {
	case CLIENT_AT_RSET:
	case CLIENT_AT_MAIL:
	case CLIENT_AT_RCPT:
		return !c->piped;
	case CLIENT_AT_END:
		return c->protocol == CLIENT_SMTP || c->naccepted <= 1;
	default:
		return true;
	}
}

static enum client_event
on_reply(struct client *c, bool alone)
{
	struct reply r = c->parser.r;
	bool ends = c->state == CLIENT_AT_END;
	enum client_event e;

	reply_parser_init(&c->parser);
	/* RFC 5321 section 3.8: 421 may come at any time, and closes. */
	if (r.code == 421)
		return client_fail(c, &r);
	if (c->state >= CLIENT_AT_RSET && c->state <= CLIENT_AT_DATA)
		c->answered = true;
	if (alone || !must_be_alone(c))
		return client_row(c->state)->on(c, &r);
	if (!ends)
		return client_garbage(c);
	/* The answer counts, the session does not go on. */
	e = client_row(c->state)->on(c, &r);
	c->state = CLIENT_OVER;
	c->then = CLIENT_CLOSE;
	return e == CLIENT_RESULT ? e : CLIENT_CLOSE;
}

enum client_event
client_input(struct client *c, struct span *in)
{
	enum client_event e = c->then;

	c->then = CLIENT_MORE;
	if (e == CLIENT_MORE && c->speechless && c->state != CLIENT_OVER)
		return client_lost(c, R_LOCAL_ERROR, NULL);
	while (e == CLIENT_MORE && c->state != CLIENT_OVER) {
		struct span line;
		enum line_result got = line_next(&c->lines, in, &line);
		int whole;

		if (got == LINE_MORE)
			break;
		if (got != LINE_OK)
			return client_garbage(c);
		if (c->state == CLIENT_AT_EHLO && c->parser.lines > 0)
			note_extension(c, span_skip(line, 4));
		whole = reply_parse_line(&c->parser, line);
		if (whole == -1)
			return client_garbage(c);
		if (whole == 1)
			e = on_reply(c, in->n == 0);
	}
	return e;
}
