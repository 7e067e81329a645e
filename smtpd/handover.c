/*
 * handover.c - queue's side of a message's transfer: room for it, and the answer.
 *
 * What is not in the window stands in line with its content, and so does its
 * client.  A message that queue did not answer is not accepted, whatever happened
 * to queue.
 */
#include "common/msg/reply.h"
#include "common/msg/smtpd_queue.h"
#include "smtpd/smtpd.h"

/* Bytes that wait for queue to read before further messages stand in line. */
#define BACKLOG_MAX (IPC_BACKLOG_MAX / 8)

static bool
has_room(const struct connection *c)
{
	const struct peer_link *l = &c->m->queue;

	if (channel_backlog(l->channel) >= BACKLOG_MAX)
		return false;
	/* A message that is OPEN has its place in the window already. */
	if (c->transfer.id != 0)
		return true;
	return !pending_full(l->pending) &&
	    (!c->transfer.large || c->m->opens < c->m->opens_max);
}

/* Those that wait for an OPEN hold up nobody who has one or needs none. */
static struct connections *
line_of(struct connection *c)
{
	return c->transfer.large && c->transfer.id == 0 ? &c->m->large
							: &c->m->queue.waiting;
}

bool
handover_room(struct connection *c)
{
	if (has_room(c)) {
		handover_leave(c);
		return true;
	}
	if (c->queue_line != NULL)
		return false;
	c->queue_line = line_of(c);
	/* One that has its place goes first: it is in the way of others. */
	if (c->transfer.id != 0)
		TAILQ_INSERT_HEAD(c->queue_line, c, queue_link);
	else
		TAILQ_INSERT_TAIL(c->queue_line, c, queue_link);
	return false;
}

void
handover_leave(struct connection *c)
{
	if (c->queue_line != NULL)
		TAILQ_REMOVE(c->queue_line, c, queue_link);
	c->queue_line = NULL;
}

/* Each that finds room, or finds that queue is away. */
static void
serve(struct smtpd *m, struct connections *line)
{
	struct connection *c;

	while ((c = TAILQ_FIRST(line)) != NULL &&
	    (m->queue.channel == NULL || has_room(c))) {
		handover_leave(c);
		transfer_go(c);
		input_later(c);
		connection_settle(c);
	}
}

void
handover_line(struct smtpd *m)
{
	serve(m, &m->queue.waiting);
	serve(m, &m->large);
}

static void
answer_message(struct connection *c, const struct reply *reply)
{
	transfer_answer(c, reply);
	input_go(c);
	connection_settle(c);
}

static int
on_answer(void *arg, struct ipc_msg *m)
{
	struct peer_link *l = arg;
	struct smtpd *smtpd = l->m;
	struct reply reply;
	bool bad = msg_reply_get(m, &reply) == -1;
	struct connection *c = pending_take(l->pending, m->id);

	if (c == NULL)
		return bad ? -1 : 0;
	/* A 250 for what was not sent as a whole would lose the rest of it. */
	if (!bad && reply_class(&reply) == 2 && c->transfer.stage != STAGE_SENT)
		bad = true;
	if (bad)
		reply_make(&reply, R_QUEUE_ERROR, NULL);
	answer_message(c, &reply);
	handover_line(smtpd);
	return bad ? -1 : 0;
}

static int
on_state(void *arg, struct ipc_msg *m)
{
	struct peer_link *l = arg;
	struct reply reply;

	if (msg_reply_get(m, &reply) == -1 || reply_class(&reply) == 3)
		return -1;
	l->m->service.queue = reply;
	return 0;
}

static const struct ipc_rule rules[] = {
	{ QUEUE_ANSWER, IPC_ANY_PHASE, IPC_FD_NEVER, on_answer },
	{ QUEUE_STATE, IPC_ANY_PHASE, IPC_FD_NEVER, on_state },
};

void
handover_failed(void *arg, void *request)
{
	const struct smtpd *m = arg;
	struct connection *c = request;
	struct reply r;

	reply_make(&r, R_QUEUE_ERROR, NULL);
	if (m->queue.channel != NULL)
		transfer_end(c, &r); /* its time is over: queue hears of it */
	else
		transfer_answer(c, &r);
	input_later(c);
	connection_settle(c);
}

void
handover_lost(struct smtpd *m)
{
	struct peer_link *l = &m->queue;

	l->channel = NULL;
	reply_make(&m->service.queue, R_LOCAL_ERROR, NULL);
	pending_fail_all(l->pending);
	handover_line(m); /* each finds that it is away */
}

const struct channel_ops *
handover_ops(void)
{
	static const struct channel_ops ops = {
		.rules = rules,
		.nrules = sizeof rules / sizeof *rules,
		.closed = peers_closed,
	};

	return &ops;
}
