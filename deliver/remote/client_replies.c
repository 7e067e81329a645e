/*
 * client_replies.c - what each reply means in each state; see client.h.
 *
 * Replies come in the order of the commands: MAIL, RCPT for each recipient,
 * DATA, end of data.  The state is the command whose reply is due; whether the
 * commands behind it are sent already (PIPELINING) only changes when they are
 * written, never how a reply is read.
 */
#include "deliver/remote/client_parts.h"

/* ---- how it ends ----------------------------------------------------------
 */

enum client_event
client_result_all(struct client *c, const struct reply *r)
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

enum client_event
client_ready(struct client *c)
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

static bool
refusal(const struct reply *r)
{
	return reply_class(r) == 4 || reply_class(r) == 5;
}

/* A 3yz, or a 2yz out of place, is no reason: no result can be made of it. */
enum client_event
client_fail(struct client *c, const struct reply *r)
{
	bool failed = c->state <= CLIENT_AT_HELO || recipients_wait(c);
	bool doubt = client_in_doubt(c);

	if (!refusal(r))
		return client_garbage(c);
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

/* The message is what cannot be sent, and no host is to be blamed for it. */
static enum client_event
unsendable(struct client *c, const struct reply *r)
{
	for (uint32_t i = c->next; i < c->nrcpts; i++)
		if (!c->accepted[i]) {
			c->accepted[i] = true;
			c->naccepted++;
		}
	c->state = CLIENT_OVER;
	c->then = CLIENT_CLOSE;
	return result_accepted(c, r, c->nrcpts, SCOPE_MESSAGE);
}

enum client_event
client_lost(struct client *c, enum reply_name why, const char *detail)
{
	bool ours = why == R_LOCAL_ERROR || why == R_NO_8BITMIME;
	struct reply r;

	reply_make(&r, why, detail);
	if (ours && recipients_wait(c) && !client_in_doubt(c))
		return unsendable(c, &r);
	return client_fail(c, &r);
}

enum client_event
client_garbage(struct client *c)
{
	return client_lost(c, R_HOST_GARBAGE, client_doing(c));
}

/* ---- replies --------------------------------------------------------------
 */

static enum client_event
on_greeting(struct client *c, const struct reply *r)
{
	if (reply_class(r) != 2)
		return client_fail(c, r);
	c->state = CLIENT_AT_EHLO;
	client_say(c, "%s %s\r\n", c->protocol == CLIENT_LMTP ? "LHLO" : "EHLO",
	    c->hostname);
	return CLIENT_MORE;
}

static enum client_event
on_ehlo(struct client *c, const struct reply *r)
{
	if (reply_class(r) == 2)
		return client_ready(c);
	if (reply_class(r) != 5 || c->protocol == CLIENT_LMTP)
		return client_fail(c, r);
	/* RFC 5321 section 3.2: a server that knows no EHLO gets HELO. */
	c->pipelining = c->eight_bit = c->size = false;
	c->chunking = c->binary = c->utf8 = false;
	c->size_max = c->rcpt_max = 0;
	c->state = CLIENT_AT_HELO;
	client_say(c, "HELO %s\r\n", c->hostname);
	return CLIENT_MORE;
}

static enum client_event
on_helo(struct client *c, const struct reply *r)
{
	return reply_class(r) == 2 ? client_ready(c) : client_fail(c, r);
}

static enum client_event
on_rset(struct client *c, const struct reply *r)
{
	if (reply_class(r) != 2) {
		/* Of the message it says nothing: as if the connection, which
		 * was used before, had been lost. */
		c->answered = false;
		return client_garbage(c);
	}
	c->reset = false;
	c->state = CLIENT_AT_MAIL;
	if (!c->piped)
		client_say_mail(c);
	return CLIENT_MORE;
}

static enum client_event
on_mail(struct client *c, const struct reply *r)
{
	if (reply_class(r) == 2) {
		c->state = CLIENT_AT_RCPT;
		if (!c->piped)
			client_say_rcpt(c, 0);
		return CLIENT_MORE;
	}
	if (!refusal(r))
		return client_garbage(c);
	client_result_all(c, r);
	if (c->piped) {
		c->refused = true;
		c->state = CLIENT_AT_RCPT;
	} else {
		c->then = client_ready(c);
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

/* BDAT has no reply of its own before the content. */
static enum client_event
chunk(struct client *c)
{
	if (c->naccepted == 0) {
		c->reset = !c->refused;
		return client_ready(c);
	}
	c->state = CLIENT_SENDING;
	client_say_bdat(c);
	return CLIENT_CONTENT;
}

/* On to the next recipient, or what comes after the last one. */
static enum client_event
rcpt_over(struct client *c)
{
	bool last = ++c->next == c->nrcpts;

	if (last && c->chunked)
		return chunk(c);
	if (last)
		c->state = CLIENT_AT_DATA;
	if (c->piped)
		return CLIENT_MORE;
	if (!last) {
		client_say_rcpt(c, c->next);
	} else if (c->naccepted > 0) {
		client_say(c, "DATA\r\n");
	} else {
		c->reset = true;
		return client_ready(c);
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
		return client_garbage(c);
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
		client_say(c, ".\r\n");
		return CLIENT_MORE;
	}
	if (reply_class(r) == 3) {
		c->state = CLIENT_SENDING;
		return CLIENT_CONTENT;
	}
	if (!refusal(r))
		return client_garbage(c);
	/* MAIL may still be in force at the host. */
	c->reset = true;
	if (none)
		return client_ready(c);
	result_accepted(c, r, c->nrcpts, SCOPE_MESSAGE);
	c->then = client_ready(c);
	return CLIENT_RESULT;
}

/* A reply before the end of the data: only a refusal makes sense, and what is
 * sent already cannot be taken back. */
static enum client_event
on_sending(struct client *c, const struct reply *r)
{
	if (!refusal(r))
		return client_garbage(c);
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
		c->then = client_ready(c);
	return CLIENT_RESULT;
}

static enum client_event
on_end(struct client *c, const struct reply *r)
{
	if (c->naccepted == 0)
		return client_ready(c);
	if (reply_class(r) == 3)
		return client_garbage(c);
	if (c->protocol == CLIENT_LMTP)
		return on_end_lmtp(c, r);
	result_accepted(c, r, c->nrcpts, SCOPE_MESSAGE);
	c->then = client_ready(c);
	return CLIENT_RESULT;
}

static enum client_event
on_last(struct client *c, const struct reply *r)
{
	(void)r;
	c->state = CLIENT_OVER;
	return CLIENT_CLOSE;
}

static enum client_event
on_noop(struct client *c, const struct reply *r)
{
	return reply_class(r) == 2 ? client_ready(c) : on_last(c, r);
}

/* The grammar of the dialogue.  An idle host says nothing but goodbye. */
static const struct client_row rows[CLIENT_STATE_END] = {
	[CLIENT_AT_GREETING] = { on_greeting, CLIENT_GREETING_SECONDS,
	    "greeting" },
	[CLIENT_AT_EHLO] = { on_ehlo, CLIENT_HELLO_SECONDS, "EHLO" },
	[CLIENT_AT_HELO] = { on_helo, CLIENT_HELLO_SECONDS, "HELO" },
	[CLIENT_AT_RSET] = { on_rset, CLIENT_MAIL_SECONDS, "RSET" },
	[CLIENT_AT_MAIL] = { on_mail, CLIENT_MAIL_SECONDS, "MAIL" },
	[CLIENT_AT_RCPT] = { on_rcpt, CLIENT_RCPT_SECONDS, "RCPT" },
	[CLIENT_AT_DATA] = { on_data, CLIENT_DATA_SECONDS, "DATA" },
	[CLIENT_AT_END] = { on_end, CLIENT_END_SECONDS, "end of data" },
	[CLIENT_AT_NOOP] = { on_noop, CLIENT_QUIT_SECONDS, "NOOP" },
	[CLIENT_AT_QUIT] = { on_last, CLIENT_QUIT_SECONDS, "QUIT" },
	[CLIENT_IDLE] = { on_last, 0, "idle" },
	[CLIENT_SENDING] = { on_sending, CLIENT_BLOCK_SECONDS, "content" },
	[CLIENT_OVER] = { on_last, 0, "end of session" },
};

const struct client_row *
client_row(enum client_state state)
{
	return &rows[state];
}
