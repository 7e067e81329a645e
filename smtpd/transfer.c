/*
 * transfer.c - a message's content from the client to queue.
 *
 * A small message is one packet.  A larger one, or one with very many
 * recipients, is OPENed with a pipe as soon as it is known to be one; what the
 * pipe does not take waits here, and the client is not read meanwhile. Whatever
 * happens, the data is read to its end, and only there it gets its one reply;
 * so the dialogue stays in step.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "common/msg/smtpd_queue.h"
#include "smtpd/smtpd.h"

/* The most that an envelope takes in a packet: lengths, sender, name, address.
 */
#define ENVELOPE_ROOM 1024

_Static_assert(ENVELOPE_ROOM >
	3 * 4 + ADDRESS_MAX + SESSION_HELO_MAX + IP_TEXT_MAX + 2 + 4 + 2 * 4,
    "an envelope fits");

void
transfer_init(struct transfer *t)
{
	*t = (struct transfer){ .pipe = -1 };
	/* One turn of input above what is kept for SUBMIT. */
	buf_init(&t->kept, SUBMIT_CONTENT_MAX + DOT_OUT_MAX(2 * 65536));
}

/* ---- giving up --------------------------------------------------------- */

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

/* Queue need not go on with it, and no answer of its own is wanted. */
static void
let_go(struct connection *c)
{
	struct transfer *t = &c->transfer;
	struct peer_link *queue = &c->m->queue;

	if (c->queue_waits) {
		TAILQ_REMOVE(&queue->waiting, c, queue_link);
		c->queue_waits = false;
	}
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

void
transfer_drop(struct connection *c)
{
	if (!c->transfer.active)
		return;
	let_go(c);
	c->transfer.active = false;
}

/* The reply is known before the end of the data. */
static void
refuse(struct connection *c, const struct reply *reply)
{
	if (c->transfer.answer.code != 0)
		return;
	let_go(c);
	c->transfer.answer = *reply;
}

static void
refuse_named(struct connection *c, enum reply_name name)
{
	struct reply r;

	reply_make(&r, name, NULL);
	refuse(c, &r);
}

/* ---- to queue ---------------------------------------------------------- */

static struct envelope
envelope(const struct connection *c)
{
	const struct session *s = &c->session;

	return (struct envelope){
		.sender = span_from(s->sender.text, s->sender.n),
		.helo = span_of(s->helo),
		.client = span_of(c->client),
		.with = s->plain ? WITH_SMTP : WITH_ESMTP,
		.body = s->body,
		.nrcpts = s->nrcpts,
	};
}

/* Content, recipients and envelope in one packet? */
static bool
fits(const struct connection *c, size_t content)
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
		refuse_named(c, R_LOCAL_ERROR);
}

static void
submit(struct connection *c, struct span content)
{
	struct smtpd *m = c->m;
	struct transfer *t = &c->transfer;
	struct envelope e = envelope(c);
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

static void
open_pipe(struct connection *c)
{
	struct smtpd *m = c->m;
	struct transfer *t = &c->transfer;
	struct envelope e = envelope(c);
	struct reply r;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) == -1) {
		log_warn("pipe", log_errno(errno));
		reply_from_errno(&r, errno, "message");
		refuse(c, &r);
		return;
	}
	t->id = pending_add(m->queue.pending, c);
	t->stage = STAGE_OPEN;
	t->pipe = fds[1];
	event_assign(
	    &t->writable, m->process->base, t->pipe, EV_WRITE, on_pipe, c);
	msg_submit_put(channel_begin(m->queue.channel, QUEUE_OPEN, t->id), &e,
	    NULL, 0, SPAN(""));
	send_packet(c, fds[0]);
	close(fds[0]);
}

/* True when all are sent. */
static bool
send_rcpts(struct connection *c)
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

/* As much of it as the pipe takes now. */
static void
pour(struct connection *c, struct span *content)
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

static void
send_end(struct connection *c)
{
	struct transfer *t = &c->transfer;
	struct msg_end end = { .size = t->piped };

	msg_end_put(channel_begin(c->m->queue.channel, QUEUE_END, t->id), &end);
	t->stage = STAGE_SENT;
	close_pipe(t);
	send_packet(c, -1);
}

/* ---- from the client --------------------------------------------------- */

void
transfer_begin(struct connection *c)
{
	struct transfer *t = &c->transfer;
	const struct conf *conf = c->m->conf;
	enum dot_mode mode =
	    conf->listens[c->listener].bare_newlines == NEWLINES_CONVERT
	    ? DOT_CONVERT
	    : DOT_REJECT;

	transfer_init(t);
	content_init(&t->content, mode, conf->message_size);
	t->active = true;
}

/* Everything is here, or too much to keep. */
static bool
is_due(const struct transfer *t)
{
	return t->ended || t->kept.n > SUBMIT_CONTENT_MAX;
}

/* Queue hears of it for the first time. */
static void
start(struct connection *c, struct span content)
{
	struct smtpd *m = c->m;

	if (m->queue.channel == NULL)
		refuse_named(c, R_QUEUE_ERROR);
	else if (!handover_room(c))
		return;
	else if (content_loop(content) != R_COUNT)
		refuse_named(c, R_LOOP);
	else if (c->transfer.ended && fits(c, content.n))
		submit(c, content);
	else
		open_pipe(c);
}

static void
finish(struct connection *c)
{
	struct transfer *t = &c->transfer;
	struct reply answer = t->answer;
	char text[REPLY_LINE_MAX];
	struct step st;

	reply_text(text, sizeof text, &answer);
	log_info(reply_class(&answer) == 2 ? "accepted" : "refused",
	    log_str("session", c->name),
	    log_span("client", connection_client(c)),
	    log_str("from", c->session.sender.text),
	    log_num("nrcpt", c->session.nrcpts),
	    log_num("size", (int64_t)t->content.size), log_str("reply", text));
	if (reply_class(&answer) == 2)
		c->m->accepted++;
	else
		c->m->refused++;
	let_go(c);
	t->active = false;
	c->wait &= ~(unsigned)(WAIT_ROOM | WAIT_ANSWER);
	session_done(&c->session, &answer, &st);
	connection_step(c, &st);
	if (c->m->stopping && c->session.phase != PHASE_END)
		connection_end(c, R_SHUTDOWN);
}

/* What is kept, as far as queue takes it. */
static void
go_on(struct connection *c)
{
	struct transfer *t = &c->transfer;
	struct span kept;

	if (t->answer.code == 0 && t->stage == STAGE_KEEP && is_due(t))
		start(c, buf_span(&t->kept));
	if (t->answer.code != 0 || t->stage != STAGE_OPEN || !send_rcpts(c))
		return;
	kept = buf_span(&t->kept);
	pour(c, &kept);
	buf_drop(&t->kept, t->kept.n - kept.n);
	if (t->stage == STAGE_OPEN && t->ended && t->kept.n == 0)
		send_end(c);
}

void
transfer_go(struct connection *c)
{
	struct transfer *t = &c->transfer;

	if (!t->active)
		return;
	go_on(c);
	c->wait &= ~(unsigned)(WAIT_ROOM | WAIT_ANSWER);
	if (t->answer.code != 0) {
		if (t->ended)
			finish(c);
	} else if (t->stage >= STAGE_BROKEN) {
		if (t->ended)
			c->wait |= WAIT_ANSWER;
	} else if (t->stage == STAGE_OPEN ? t->kept.n > 0 || t->ended
					  : is_due(t))
		c->wait |= WAIT_ROOM;
}

static void
take(struct connection *c, struct span data)
{
	struct transfer *t = &c->transfer;

	/* The usual message came in one piece and is never kept. */
	if (t->stage == STAGE_KEEP && t->kept.n == 0 && t->ended &&
	    fits(c, data.n))
		start(c, data);
	else if (t->stage == STAGE_OPEN && t->kept.n == 0 &&
	    t->rcpts_sent == c->session.nrcpts)
		pour(c, &data);
	if (t->answer.code != 0 || t->stage >= STAGE_BROKEN)
		return;
	if (data.n > 0 && buf_add_span(&t->kept, data) == -1)
		refuse_named(c, R_LOCAL_ERROR);
}

void
transfer_input(struct connection *c, struct span *in)
{
	struct transfer *t = &c->transfer;
	enum reply_name fault;
	size_t n;

	t->ended = content_read(&t->content, in, c->m->content, &n);
	c->progress = true;
	fault = content_fault(&t->content);
	if (fault != R_COUNT)
		refuse_named(c, fault);
	if (t->answer.code == 0)
		take(c, span_from(c->m->content, n));
	transfer_go(c);
}

void
transfer_give_up(struct connection *c)
{
	refuse_named(c, R_QUEUE_ERROR);
	transfer_go(c);
}

void
transfer_answer(struct connection *c, const struct reply *reply)
{
	struct transfer *t = &c->transfer;

	/* Its request is over: nothing is there to be aborted. */
	t->id = 0;
	refuse(c, reply);
	transfer_go(c);
}
