/*
 * client.c - the dialogue with a mail host; see client.h.
 *
 * Replies come in the order of the commands: MAIL, RCPT for each recipient,
 * DATA, end of data.  The state is the command whose reply is due; whether the
 * commands behind it are sent already (PIPELINING) only changes when they are
 * written, never how a reply is read.
 */
#include <inttypes.h>
#include <stdarg.h>

#include "deliver/remote/client.h"

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

/* ---- what is said ---------------------------------------------------------
 */

static void __attribute__((format(printf, 2, 3)))
say(struct client *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (buf_vaddf(&c->out, fmt, ap) == -1)
		c->speechless = true;
	va_end(ap);
}

/* RFC 1870 section 3, RFC 6152 section 2: parameters only to who announced
 * them. */
static void
say_mail(struct client *c)
{
	const struct msg_deliver *m = c->mail;

	say(c, "MAIL FROM:<%.*s>", (int)m->sender.n, m->sender.p);
	if (c->size)
		say(c, " SIZE=%" PRIu64, m->prefix.n + m->size);
	if (c->eight_bit && m->body == BODY_8BITMIME)
		say(c, " BODY=8BITMIME");
	say(c, "\r\n");
}

static void
say_rcpt(struct client *c, uint32_t i)
{
	struct span to = c->mail->rcpts[c->rcpts[i]].address;

	say(c, "RCPT TO:<%.*s>\r\n", (int)to.n, to.p);
}

/* All commands up to DATA at once, RFC 2920 section 3.1. */
static void
say_all(struct client *c)
{
	say_mail(c);
	for (uint32_t i = 0; i < c->nrcpts; i++)
		say_rcpt(c, i);
	say(c, "DATA\r\n");
}

/* ---- how it ends ----------------------------------------------------------
 */

static enum client_event
result_all(struct client *c, const struct reply *r)
{
	c->reply = *r;
	c->reply.scope = SCOPE_MESSAGE;
	memcpy(c->who, c->rcpts, c->nrcpts);
	c->nwho = c->nrcpts;
	return CLIENT_RESULT;
}

/* For those of the first `end` recipients that the host accepted and that have
 * no result yet. */
static enum client_event
result_accepted(struct client *c, const struct reply *r, uint32_t end,
    enum reply_scope scope)
{
	c->reply = *r;
	c->reply.scope = scope;
	c->nwho = 0;
	for (uint32_t i = 0; i < end; i++) {
		if (!c->accepted[i])
			continue;
		c->accepted[i] = false;
		c->naccepted--;
		c->who[c->nwho++] = c->rcpts[i];
	}
	return CLIENT_RESULT;
}

/* Between transactions again. */
static enum client_event
ready(struct client *c)
{
	c->state = CLIENT_IDLE;
	c->mail = NULL;
	c->refused = false;
	return CLIENT_READY;
}

static bool
recipients_wait(const struct client *c)
{
	return c->mail != NULL && !c->refused &&
	    (c->naccepted > 0 || c->next < c->nrcpts);
}

/* The session cannot go on; `r` is why. */
static enum client_event
fail(struct client *c, const struct reply *r)
{
	bool failed = c->state <= CLIENT_AT_HELO || recipients_wait(c);
	bool doubt = client_in_doubt(c);

	c->state = CLIENT_OVER;
	c->then = CLIENT_MORE;
	if (doubt) {
		c->then = CLIENT_CLOSE;
		return result_accepted(c, r, c->nrcpts, SCOPE_HOST);
	}
	c->reply = *r;
	c->reply.scope = SCOPE_HOST;
	c->nwho = 0;
	return failed ? CLIENT_FAILED : CLIENT_CLOSE;
}

enum client_event
client_lost(struct client *c, enum reply_name why, const char *detail)
{
	struct reply r;

	reply_make(&r, why, detail);
	return fail(c, &r);
}

static enum client_event
garbage(struct client *c)
{
	return client_lost(c, R_HOST_GARBAGE, client_doing(c));
}

/* ---- replies --------------------------------------------------------------
 */

static bool
refusal(const struct reply *r)
{
	return reply_class(r) == 4 || reply_class(r) == 5;
}

static enum client_event
on_greeting(struct client *c, const struct reply *r)
{
	if (reply_class(r) != 2)
		return fail(c, r);
	c->state = CLIENT_AT_EHLO;
	say(c, "%s %s\r\n", c->protocol == CLIENT_LMTP ? "LHLO" : "EHLO",
	    c->hostname);
	return CLIENT_MORE;
}

static enum client_event
on_ehlo(struct client *c, const struct reply *r)
{
	if (reply_class(r) == 2)
		return ready(c);
	if (reply_class(r) != 5 || c->protocol == CLIENT_LMTP)
		return fail(c, r);
	/* RFC 5321 section 3.2: a server that knows no EHLO gets HELO. */
	c->pipelining = c->eight_bit = c->size = false;
	c->size_max = 0;
	c->state = CLIENT_AT_HELO;
	say(c, "HELO %s\r\n", c->hostname);
	return CLIENT_MORE;
}

static enum client_event
on_helo(struct client *c, const struct reply *r)
{
	return reply_class(r) == 2 ? ready(c) : fail(c, r);
}

static enum client_event
on_rset(struct client *c, const struct reply *r)
{
	if (reply_class(r) != 2)
		return fail(c, r);
	c->reset = false;
	c->state = CLIENT_AT_MAIL;
	if (!c->piped)
		say_mail(c);
	return CLIENT_MORE;
}

static enum client_event
on_mail(struct client *c, const struct reply *r)
{
	if (reply_class(r) == 2) {
		c->state = CLIENT_AT_RCPT;
		if (!c->piped)
			say_rcpt(c, 0);
		return CLIENT_MORE;
	}
	if (!refusal(r))
		return garbage(c);
	result_all(c, r);
	if (c->piped) {
		c->refused = true;
		c->state = CLIENT_AT_RCPT;
	} else {
		c->then = ready(c);
	}
	return CLIENT_RESULT;
}

/*
 * RFC 5321 section 4.5.3.1.10: some say 552 when there are too many
 * recipients, which is 452; a mailbox that is full says so in X.2.X.
 */
static struct reply
rcpt_reply(const struct client *c, const struct reply *r)
{
	struct reply out = *r;

	if (r->code == 552 && c->naccepted > 0 && r->esc.subject != 2) {
		out.code = 452;
		out.esc.class = 4;
	}
	return out;
}

/* On to the next recipient, or what comes after the last one. */
static enum client_event
rcpt_over(struct client *c)
{
	bool last = ++c->next == c->nrcpts;

	if (last)
		c->state = CLIENT_AT_DATA;
	if (c->piped)
		return CLIENT_MORE;
	if (!last) {
		say_rcpt(c, c->next);
	} else if (c->naccepted > 0) {
		say(c, "DATA\r\n");
	} else {
		c->reset = true;
		return ready(c);
	}
	return CLIENT_MORE;
}

static enum client_event
on_rcpt(struct client *c, const struct reply *r)
{
	uint32_t i = c->next;

	if (c->refused)
		return rcpt_over(c);
	if (reply_class(r) == 2) {
		c->accepted[i] = true;
		c->naccepted++;
		return rcpt_over(c);
	}
	if (!refusal(r))
		return garbage(c);
	c->reply = rcpt_reply(c, r);
	c->reply.scope = SCOPE_RECIPIENT;
	c->who[0] = c->rcpts[i];
	c->nwho = 1;
	c->then = rcpt_over(c);
	return CLIENT_RESULT;
}

static enum client_event
on_data(struct client *c, const struct reply *r)
{
	bool none = c->naccepted == 0;

	if (reply_class(r) == 3 && none) {
		/* RFC 2920 section 3.1: DATA was pipelined and accepted
		 * although no recipient was; a lone dot, whose reply means
		 * nothing. */
		c->state = CLIENT_AT_END;
		say(c, ".\r\n");
		return CLIENT_MORE;
	}
	if (reply_class(r) == 3) {
		c->state = CLIENT_SENDING;
		return CLIENT_CONTENT;
	}
	if (!refusal(r))
		return garbage(c);
	/* MAIL may still be in force at the host. */
	c->reset = true;
	if (none)
		return ready(c);
	result_accepted(c, r, c->nrcpts, SCOPE_MESSAGE);
	c->then = ready(c);
	return CLIENT_RESULT;
}

/* A reply before the end of the data: only a refusal makes sense, and what is
 * sent already cannot be taken back. */
static enum client_event
on_sending(struct client *c, const struct reply *r)
{
	if (!refusal(r))
		return garbage(c);
	c->state = CLIENT_OVER;
	c->then = CLIENT_CLOSE;
	return result_accepted(c, r, c->nrcpts, SCOPE_MESSAGE);
}

/* RFC 2033 section 4.2: LMTP has a reply for each accepted recipient. */
static enum client_event
on_end_lmtp(struct client *c, const struct reply *r)
{
	while (!c->accepted[c->next])
		c->next++;
	result_accepted(c, r, c->next + 1, SCOPE_RECIPIENT);
	if (c->naccepted == 0)
		c->then = ready(c);
	return CLIENT_RESULT;
}

static enum client_event
on_end(struct client *c, const struct reply *r)
{
	if (c->naccepted == 0)
		return ready(c);
	if (reply_class(r) == 3)
		return garbage(c);
	if (c->protocol == CLIENT_LMTP)
		return on_end_lmtp(c, r);
	result_accepted(c, r, c->nrcpts, SCOPE_MESSAGE);
	c->then = ready(c);
	return CLIENT_RESULT;
}

static enum client_event
on_last(struct client *c, const struct reply *r)
{
	(void)r;
	c->state = CLIENT_OVER;
	return CLIENT_CLOSE;
}

/* The grammar of the dialogue.  An idle host says nothing but goodbye. */
static const struct client_row {
	enum client_event (*on)(struct client *, const struct reply *);
	unsigned seconds;
	const char *doing;
} rows[CLIENT_STATE_END] = {
	[CLIENT_AT_GREETING] = { on_greeting, CLIENT_GREETING_SECONDS,
	    "greeting" },
	[CLIENT_AT_EHLO] = { on_ehlo, CLIENT_HELLO_SECONDS, "EHLO" },
	[CLIENT_AT_HELO] = { on_helo, CLIENT_HELLO_SECONDS, "HELO" },
	[CLIENT_AT_RSET] = { on_rset, CLIENT_MAIL_SECONDS, "RSET" },
	[CLIENT_AT_MAIL] = { on_mail, CLIENT_MAIL_SECONDS, "MAIL" },
	[CLIENT_AT_RCPT] = { on_rcpt, CLIENT_RCPT_SECONDS, "RCPT" },
	[CLIENT_AT_DATA] = { on_data, CLIENT_DATA_SECONDS, "DATA" },
	[CLIENT_AT_END] = { on_end, CLIENT_END_SECONDS, "end of data" },
	[CLIENT_AT_QUIT] = { on_last, CLIENT_QUIT_SECONDS, "QUIT" },
	[CLIENT_IDLE] = { on_last, 0, "idle" },
	[CLIENT_SENDING] = { on_sending, CLIENT_BLOCK_SECONDS, "content" },
	[CLIENT_OVER] = { on_last, 0, "end of session" },
};

unsigned
client_seconds(const struct client *c)
{
	return rows[c->state].seconds;
}

const char *
client_doing(const struct client *c)
{
	return rows[c->state].doing;
}

bool
client_in_doubt(const struct client *c)
{
	return c->state == CLIENT_AT_END && c->naccepted > 0;
}

/* ---- lines ----------------------------------------------------------------
 */

/* RFC 5321 section 4.1.1.1: a keyword and its parameters behind "250-". */
static void
note_extension(struct client *c, struct span line)
{
	struct span word = span_cut(&line, ' ');

	if (span_is(word, "PIPELINING"))
		c->pipelining = true;
	else if (span_is(word, "8BITMIME"))
		c->eight_bit = true;
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
		return fail(c, &r);
	if (c->state >= CLIENT_AT_RSET && c->state <= CLIENT_AT_DATA)
		c->answered = true;
	if (alone || !must_be_alone(c))
		return rows[c->state].on(c, &r);
	if (!ends)
		return garbage(c);
	/* The answer counts, the session does not go on. */
	e = rows[c->state].on(c, &r);
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
			return garbage(c);
		if (c->state == CLIENT_AT_EHLO && c->parser.lines > 0)
			note_extension(c, span_skip(line, 4));
		whole = reply_parse_line(&c->parser, line);
		if (whole == -1)
			return garbage(c);
		if (whole == 1)
			e = on_reply(c, in->n == 0);
	}
	return e;
}

/* ---- transactions ---------------------------------------------------------
 */

/* What the host has said it cannot take; RFC 1870 section 6.1, 6152 section 3.
 */
static bool
cannot_take(struct client *c, const struct msg_deliver *mail, struct reply *r)
{
	if (c->size_max > 0 && mail->prefix.n + mail->size > c->size_max)
		reply_make(r, R_TOO_BIG, "announced by the host");
	else if (mail->body == BODY_8BITMIME && !c->eight_bit)
		reply_make(r, R_NO_8BITMIME, NULL);
	else
		return false;
	return true;
}

enum client_event
client_mail(struct client *c, const struct msg_deliver *mail, const bool *done)
{
	struct reply r;

	c->mail = mail;
	c->nrcpts = c->next = c->naccepted = 0;
	c->refused = c->answered = false;
	memset(c->accepted, 0, sizeof c->accepted);
	for (uint32_t i = 0; i < mail->nrcpts; i++)
		if (!done[i])
			c->rcpts[c->nrcpts++] = (uint8_t)i;
	if (cannot_take(c, mail, &r)) {
		result_all(c, &r);
		c->then = ready(c);
		return CLIENT_RESULT;
	}
	c->piped = c->pipelining;
	c->state = c->reset ? CLIENT_AT_RSET : CLIENT_AT_MAIL;
	if (c->reset)
		say(c, "RSET\r\n");
	if (c->piped)
		say_all(c);
	else if (!c->reset)
		say_mail(c);
	return CLIENT_MORE;
}

void
client_content_sent(struct client *c)
{
	c->state = CLIENT_AT_END;
	c->next = 0;
}

void
client_quit(struct client *c)
{
	c->state = CLIENT_AT_QUIT;
	say(c, "QUIT\r\n");
}
