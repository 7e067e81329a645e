/*
 * from_smtpd.c - what smtpd may ask of queue: msg/smtpd_queue.h.
 *
 * A message in one packet goes to the log at once, a larger one is opened.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "common/msg/reply.h"
#include "common/msg/smtpd_queue.h"
#include "queue/queue.h"

void
smtpd_answer(struct smtpd *s, uint32_t request, const struct reply *reply)
{
	msg_reply_put(channel_begin(s->channel, QUEUE_ANSWER, request), reply);
	/* A channel that takes it no more says so by itself. */
	(void)channel_send(s->channel, -1);
}

static void
refuse(struct smtpd *s, uint32_t request, enum reply_name name, const char *arg)
{
	struct reply reply;

	reply_make(&reply, name, arg);
	smtpd_answer(s, request, &reply);
}

/* May a message begin now?  If not, it is answered. */
static bool
admit(struct smtpd *s, uint32_t request, uint32_t nrcpts)
{
	struct queue *q = s->queue;
	const struct reply *reply = store_admission(q->store);

	if (q->process->stopping)
		refuse(s, request, R_STOPPING, NULL);
	else if (reply_class(reply) != 2)
		smtpd_answer(s, request, reply);
	else if (nrcpts > s->max_recipients || nrcpts > QUEUE_RCPTS_MAX)
		refuse(s, request, R_TOO_MANY_RCPTS, NULL);
	else
		return true;
	return false;
}

/* --- requests ----------------------------------------------------------------
 */

static int
on_submit(void *arg, struct ipc_msg *m)
{
	struct smtpd *s = arg;
	struct queue *q = s->queue;
	struct msg_submit get;

	if (msg_submit_get(m, &get) == -1 || m->id == 0)
		return -1;
	if (!admit(s, m->id, get.envelope.nrcpts))
		return 0;
	if (get.content.n > s->message_size) {
		refuse(s, m->id, R_TOO_BIG, NULL);
		return 0;
	}
	submit(q,
	    &(struct submit){ .smtpd = s,
		.request = m->id,
		.id = store_id(q->store),
		.envelope = get.envelope,
		.rcpts = get.rcpts,
		.content = get.content });
	smtpd_throttle(q);
	return 0;
}

static int
on_open(void *arg, struct ipc_msg *m)
{
	struct smtpd *s = arg;
	struct msg_submit get;

	if (msg_submit_get(m, &get) == -1 || m->id == 0 ||
	    opening_find(s, m->id) != NULL)
		return -1;
	if (!admit(s, m->id, get.envelope.nrcpts))
		return 0;
	if (s->nopenings >= OPENINGS_MAX ||
	    evutil_make_socket_nonblocking(m->fd) == -1 ||
	    opening_new(s, m->id, &get, m->fd) == NULL) {
		refuse(s, m->id, R_LOCAL_ERROR, "too many messages at once");
		return 0;
	}
	m->fd = -1;
	return 0;
}

/* What comes for a request that is not known was given up by us before. */

static int
on_rcpts(void *arg, struct ipc_msg *m)
{
	struct opening *o = opening_find(arg, m->id);
	struct msg_rcpts get;

	if (msg_rcpts_get(m, &get) == -1)
		return -1;
	return o != NULL ? opening_rcpts(o, &get.rcpts) : 0;
}

static int
on_end(void *arg, struct ipc_msg *m)
{
	struct opening *o = opening_find(arg, m->id);
	struct msg_end get;

	if (msg_end_get(m, &get) == -1)
		return -1;
	return o != NULL ? opening_end(o, get.size) : 0;
}

static int
on_abort(void *arg, struct ipc_msg *m)
{
	struct opening *o = opening_find(arg, m->id);

	if (msg_empty_get(m) == -1)
		return -1;
	if (o != NULL)
		opening_abort(o);
	return 0;
}

static const struct ipc_rule rules[] = {
	{ QUEUE_SUBMIT, IPC_ANY_PHASE, IPC_FD_NEVER, on_submit },
	{ QUEUE_OPEN, IPC_ANY_PHASE, IPC_FD_ALWAYS, on_open },
	{ QUEUE_RCPTS, IPC_ANY_PHASE, IPC_FD_NEVER, on_rcpts },
	{ QUEUE_END, IPC_ANY_PHASE, IPC_FD_NEVER, on_end },
	{ QUEUE_ABORT, IPC_ANY_PHASE, IPC_FD_NEVER, on_abort },
};

/* --- coming and going --------------------------------------------------------
 */

static void
on_closed(void *arg, bool bad)
{
	struct smtpd *s = arg;
	struct opening *o;

	if (bad)
		process_complain(s->queue->process, PEER_SMTPD, s->instance);
	LIST_REMOVE(s, link);
	while ((o = LIST_FIRST(&s->openings)) != NULL)
		opening_abort(o);
	submit_orphan(s);
	free(s);
}

static const struct channel_ops ops = {
	.rules = rules,
	.nrules = sizeof rules / sizeof rules[0],
	.closed = on_closed,
};

static void
tell(struct smtpd *s)
{
	msg_reply_put(channel_begin(s->channel, QUEUE_STATE, 0),
	    store_admission(s->queue->store));
	(void)channel_send(s->channel, -1);
}

void
smtpd_peer(struct queue *q, uint32_t instance, int fd)
{
	struct smtpd *s = calloc(1, sizeof *s);

	if (s == NULL) {
		close(fd);
		return;
	}
	s->queue = q;
	s->instance = instance;
	s->message_size = q->conf->message_size;
	s->max_recipients = q->conf->max_recipients;
	LIST_INIT(&s->openings);
	LIST_INIT(&s->submissions);
	s->channel = channel_new(q->base, fd, PEER_SMTPD, &ops, s);
	if (s->channel == NULL) {
		log_warn("peer_failed", log_str("peer", peer_name(PEER_SMTPD)),
		    log_errno(errno));
		free(s);
		return;
	}
	LIST_INSERT_HEAD(&q->smtpds, s, link);
	channel_pause(s->channel, store_busy(q->store));
	tell(s);
}

void
smtpd_throttle(struct queue *q)
{
	bool busy = store_busy(q->store);
	struct smtpd *s;

	LIST_FOREACH(s, &q->smtpds, link)
	channel_pause(s->channel, busy);
}

void
smtpd_tell(void *arg)
{
	struct queue *q = arg;
	struct smtpd *s;

	LIST_FOREACH(s, &q->smtpds, link)
	tell(s);
	queue_pump(q);
}
