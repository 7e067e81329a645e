/*
 * chunk.c - BDAT, RFC 3030 section 2.
 *
 * The octets stand behind the command whatever is answered.  Where it is known
 * at the command that nobody wants them it is said at once, and they are
 * skipped; else the reply follows them.
 */
#include "smtpd/chunk.h"

static void
say(struct step *st, enum reply_name name, const char *arg)
{
	reply_make(&st->reply, name, arg);
}

/* chunk-size and end-marker.  A number that is too large for us is one, since
 * as many octets follow it. */
static bool
chunk_size(struct span arg, uint64_t *size, bool *last)
{
	struct span marker = arg, number = span_cut(&marker, ' ');

	marker = span_trim(marker);
	*last = span_is(marker, "LAST");
	if (number.n == 0 || (marker.n > 0 && !*last))
		return false;
	for (size_t i = 0; i < number.n; i++)
		if (number.p[i] < '0' || number.p[i] > '9')
			return false;
	if (!span_number(number, UINT64_MAX, size))
		*size = UINT64_MAX;
	return true;
}

void
chunk_refused(struct session *s, struct span arg)
{
	uint64_t size;
	bool last;

	if (chunk_size(arg, &size, &last))
		s->skip = size;
}

/* May it come now? */
static bool
chunk_ok(const struct session *s, struct step *st)
{
	if ((s->offers & EXT_BIT(EXT_CHUNKING)) == 0)
		say(st, R_NOT_IMPLEMENTED, NULL);
	else if (s->plain)
		say(st, R_SEQUENCE, "send EHLO first");
	else if (s->nrcpts > 0 && s->phase == PHASE_MAIL &&
	    reply_class(&s->service->queue) != 2)
		st->reply = s->service->queue;
	else if (s->nrcpts > 0)
		return true;
	else if (s->nrefused > 0)
		/* It may have been pipelined, as DATA (RFC 2920 section 3.1).
		 */
		say(st, R_NO_VALID_RCPTS, NULL);
	else
		say(st, R_SEQUENCE, "RCPT comes first");
	return false;
}

void
chunk_bdat(struct session *s, struct span arg, struct step *st)
{
	uint64_t size, max = s->service->conf->message_size;
	bool last;

	if (!chunk_size(arg, &size, &last)) {
		say(st, R_SYNTAX, "BDAT octets [LAST]");
		return;
	}
	if (!chunk_ok(s, st))
		return;
	s->chunks.any = true;
	if (s->chunks.too_big || size > max - s->chunks.size) {
		s->chunks.too_big = true;
		s->phase = PHASE_CHUNKS;
		if (last)
			session_reset(s);
		say(st, R_TOO_BIG, NULL);
		return;
	}
	/* One that brings nothing. */
	if (size == 0 && !last)
		s->useless++;
	s->chunks.size += size;
	s->chunks.left = size;
	s->chunks.last = last;
	s->phase = PHASE_DATA;
	st->action = ACTION_CONTENT;
}
