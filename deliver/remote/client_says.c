/*
 * client_says.c - what a client says: the commands, and how a transaction
 * begins; see client.h.
 */
#include <inttypes.h>
#include <stdarg.h>

#include "deliver/remote/client_parts.h"

void
client_say(struct client *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (buf_vaddf(&c->out, fmt, ap) == -1)
		c->speechless = true;
	va_end(ap);
}

/* RFC 1870 section 3, RFC 6152 section 2: parameters only to who announced
 * them. */
void
client_say_mail(struct client *c)
{
	const struct msg_deliver *m = c->mail;

	client_say(c, "MAIL FROM:<%.*s>", (int)m->sender.n, m->sender.p);
	if (c->size)
		client_say(c, " SIZE=%" PRIu64, m->prefix.n + m->size);
	if (c->eight_bit && m->body == BODY_8BITMIME)
		client_say(c, " BODY=8BITMIME");
	if (m->body == BODY_BINARYMIME)
		client_say(c, " BODY=BINARYMIME");
	if (m->utf8)
		client_say(c, " SMTPUTF8");
	client_say(c, "\r\n");
}

void
client_say_rcpt(struct client *c, uint32_t i)
{
	struct span to = c->mail->rcpts[c->rcpts[i]].address;

	client_say(c, "RCPT TO:<%.*s>\r\n", (int)to.n, to.p);
}

/* The whole message is one chunk, RFC 3030 section 2. */
void
client_say_bdat(struct client *c)
{
	client_say(
	    c, "BDAT %" PRIu64 " LAST\r\n", c->mail->prefix.n + c->mail->size);
}

/* All commands up to DATA at once, RFC 2920 section 3.1.  BDAT, which is the
 * content too, waits for the recipients. */
static void
say_all(struct client *c)
{
	client_say_mail(c);
	for (uint32_t i = 0; i < c->nrcpts; i++)
		client_say_rcpt(c, i);
	if (!c->chunked)
		client_say(c, "DATA\r\n");
}

/* What the host has said it cannot take; RFC 1870 section 6.1. */
static bool
too_big(const struct client *c, const struct msg_deliver *mail)
{
	return c->size_max > 0 && mail->prefix.n + mail->size > c->size_max;
}

/* Why the host cannot take this message, or R_COUNT. */
static enum reply_name
unfit(const struct client *c, const struct msg_deliver *mail)
{
	if (too_big(c, mail))
		return R_TOO_BIG;
	/* RFC 3030 section 3 */
	if (mail->body == BODY_BINARYMIME && !(c->chunking && c->binary))
		return R_NO_BINARYMIME;
	/* RFC 6531 section 3.5 */
	if (mail->utf8 && !c->utf8)
		return R_NO_SMTPUTF8;
	return R_COUNT;
}

enum client_event
client_mail(struct client *c, const struct msg_deliver *mail, const bool *done)
{
	enum reply_name why;
	struct reply r;

	c->mail = mail;
	c->nrcpts = c->next = c->naccepted = 0;
	c->refused = c->answered = false;
	memset(c->accepted, 0, sizeof c->accepted);
	for (uint32_t i = 0; i < mail->nrcpts; i++)
		if (!done[i] && (c->rcpt_max == 0 || c->nrcpts < c->rcpt_max))
			c->rcpts[c->nrcpts++] = (uint8_t)i;
	/* RFC 6152 section 3.  Many announce 8-bit content that has none. */
	c->seven_bit = mail->body == BODY_8BITMIME && !c->eight_bit;
	c->chunked = mail->body == BODY_BINARYMIME;
	why = unfit(c, mail);
	if (why != R_COUNT) {
		reply_make(&r, why, "announced by the host");
		client_result_all(c, &r);
		c->then = client_ready(c);
		return CLIENT_RESULT;
	}
	c->piped = c->pipelining;
	c->state = c->reset ? CLIENT_AT_RSET : CLIENT_AT_MAIL;
	if (c->reset)
		client_say(c, "RSET\r\n");
	if (c->piped)
		say_all(c);
	else if (!c->reset)
		client_say_mail(c);
	return CLIENT_MORE;
}

void
client_content_sent(struct client *c)
{
	c->state = CLIENT_AT_END;
	c->next = 0;
}

void
client_noop(struct client *c)
{
	c->state = CLIENT_AT_NOOP;
	client_say(c, "NOOP\r\n");
}

void
client_quit(struct client *c)
{
	c->state = CLIENT_AT_QUIT;
	client_say(c, "QUIT\r\n");
}
