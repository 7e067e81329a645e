/*
 * submit.c - a message's way to queue.
 *
 * SUBMIT is all of it in one packet.  OPEN, RCPTS and END go with a pipe, in
 * which the content flows as queue takes it.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "common/msg/smtpd_queue.h"
#include "smtpd/submit.h"

/* The most that an envelope takes in a packet: lengths, sender, name, address.
 */
#define ENVELOPE_ROOM 1024

_Static_assert(ENVELOPE_ROOM > 3 * 4 + ADDRESS_MAX + SESSION_HELO_MAX +
	    IP_TEXT_MAX + 4 + 2 * 4 + 2 * 4,
    "an envelope fits");

static void
close_pipe(struct transfer *t)
{
	if (t->pipe == -1)
		return;
	event_del(&t->writable);
	close(t->pipe);
	t->pipe = -1;
}

static void
send_abort(struct connection *c)
{
	struct peer_link *queue = &c->m->queue;

	channel_begin(queue->channel, QUEUE_ABORT, c->transfer.id);
	/* If it fails the channel is lost, and queue drops the message too. */
	channel_send(queue->channel, -1);
}

void
submit_let_go(struct connection *c)
{
	struct transfer *t = &c->transfer;
	struct peer_link *queue = &c->m->queue;

	handover_leave(c);
	if (t->open)
		c->m->opens--;
	t->open = false;
	if (t->id != 0 && t->stage == STAGE_OPEN) {
		send_abort(c);
		/* An aborted message gets no answer: its place is free. */
		pending_take(queue->pending, t->id);
	} else if (t->id != 0)
		pending_forget(queue->pending, c);
	t->id = 0;
	close_pipe(t);
	buf_fini(&t->kept);
}

static enum envelope_with
protocol(const struct connection *c)
{
	if (c->session.local)
		return WITH_LOCAL;
	if (c->session.utf8)
		return WITH_UTF8SMTP;
	return c->session.plain ? WITH_SMTP : WITH_ESMTP;
}

/* Many clients say SMTPUTF8 to all who know it, and their mail may go to others
 * too unless something in it is not ASCII (RFC 6531 section 3.6).  A header that
 * is longer than what was seen of it may have anything. */
static bool
needs_utf8(const struct connection *c)
{
	const struct transfer *t = &c->transfer;

	return c->session.utf8 &&
	    (c->session.beyond || t->content.beyond ||
		(!t->ended && t->content.place != PLACE_BODY));
}

/* `content` is the whole, or the beginning of what is too much for a packet. */
static struct envelope
envelope(const struct connection *c, struct span content)
{
	const struct session *s = &c->session;
	bool whole = c->transfer.ended;

	return (struct envelope){
		.sender = span_from(s->sender.text, s->sender.n),
		.helo = span_of(s->helo),
		.client = c->client.from == CLIENT_ADDRESS
		    ? connection_client(c)
		    : SPAN(""),
		.with = protocol(c),
		.body = s->body,
		.nrcpts = s->nrcpts,
		.uid = c->client.uid,
		.lacks = c->session.local ? content_lacks(content, whole) : 0,
		.utf8 = needs_utf8(c),
	};
}

bool
submit_fits(const struct connection *c, size_t content)
{
	const struct session *s = &c->session;

	return content <= SUBMIT_CONTENT_MAX &&
	    ENVELOPE_ROOM + content + s->rcpts.n + 4 * (size_t)s->nrcpts <=
	    SUBMIT_MAX;
}

static void
send_packet(struct connection *c, int fd)
{
	/* Any other failure ends the channel, and with it this request. */
	if (channel_send(c->m->queue.channel, fd) == -1 && errno == EMSGSIZE)
		transfer_refuse_named(c, R_LOCAL_ERROR);
}

void
submit_packet(struct connection *c, struct span content)
{
	struct smtpd *m = c->m;
	struct transfer *t = &c->transfer;
	struct envelope e = envelope(c, content);
	size_t at = 0;
	uint32_t n =
	    session_rcpts(&c->session, &at, m->rcpts, m->conf->max_recipients);

	t->id = pending_add(m->queue.pending, c);
	t->stage = STAGE_SENT;
	msg_submit_put(channel_begin(m->queue.channel, QUEUE_SUBMIT, t->id), &e,
	    m->rcpts, n, content);
	send_packet(c, -1);
	buf_fini(&t->kept);
}

static void
on_pipe(evutil_socket_t fd, short what, void *arg)
{
	struct connection *c = arg;

	(void)fd;
	(void)what;
	transfer_go(c);
	input_go(c);
	connection_settle(c);
}

void
submit_open(struct connection *c, struct span beginning)
{
	struct smtpd *m = c->m;
	struct transfer *t = &c->transfer;
	struct envelope e = envelope(c, beginning);
	struct reply r;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) == -1) {
		log_warn("pipe", log_errno(errno));
		reply_from_errno(&r, errno, "message");
		transfer_refuse(c, &r);
		return;
	}
	t->id = pending_add(m->queue.pending, c);
	t->stage = STAGE_OPEN;
	t->open = true;
	m->opens++;
	t->since = timers_now();
	t->before = t->content.size;
	t->pipe = fds[1];
	event_assign(
	    &t->writable, m->process->base, t->pipe, EV_WRITE, on_pipe, c);
	msg_submit_put(channel_begin(m->queue.channel, QUEUE_OPEN, t->id), &e,
	    NULL, 0, SPAN(""));
	send_packet(c, fds[0]);
	close(fds[0]);
}

bool
submit_rcpts(struct connection *c)
{
	struct smtpd *m = c->m;
	struct transfer *t = &c->transfer;
	const char *some[RCPTS_MAX];

	while (t->rcpts_sent < c->session.nrcpts) {
		uint32_t n;

		if (!handover_room(c))
			return false;
		n = session_rcpts(&c->session, &t->next_rcpt, some, RCPTS_MAX);
		t->rcpts_sent += n;
		msg_rcpts_put(
		    channel_begin(m->queue.channel, QUEUE_RCPTS, t->id), some,
		    n);
		send_packet(c, -1);
		if (t->stage != STAGE_OPEN || t->answer.code != 0)
			return false;
	}
	return true;
}

void
submit_pour(struct connection *c, struct span *content)
{
	struct transfer *t = &c->transfer;

	while (content->n > 0) {
		ssize_t n = write(t->pipe, content->p, content->n);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			event_add(&t->writable, NULL);
			return;
		}
		if (n == -1) {
			/* Queue gave up; its answer tells why. */
			t->stage = STAGE_BROKEN;
			close_pipe(t);
			*content = SPAN("");
			return;
		}
		*content = span_skip(*content, (size_t)n);
		t->piped += (uint64_t)n;
		c->progress = true;
	}
}

void
submit_end(struct connection *c)
{
	struct transfer *t = &c->transfer;
	struct msg_end end = { .size = t->piped };

	msg_end_put(channel_begin(c->m->queue.channel, QUEUE_END, t->id), &end);
	t->stage = STAGE_SENT;
	close_pipe(t);
	send_packet(c, -1);
}
