/*
 * from_smtpd.c - what smtpd may ask of queue: msg/smtpd_queue.h.
 *
 * A message in one packet goes to the log at once.  A larger one is opened:
 * its content is read from a pipe no faster than the store takes it, and it
 * counts only when END has said how long it is.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "common/msg/reply.h"
#include "common/msg/smtpd_queue.h"
#include "queue/queue.h"

struct opening {
	LIST_ENTRY(opening) link;
	struct queue *queue;
	struct smtpd *smtpd; /* NULL: gone meanwhile */
	uint32_t request;
	uint64_t id;
	struct incoming *incoming;
	struct event *readable;
	int fd;
	struct buf envelope; /* holds what the envelope's spans point at */
	struct envelope e;
	struct buf rcpts; /* coded as in a message */
	uint32_t nrcpts;
	bool paused; /* the store takes no more now */
	bool ended;  /* END said … */
	bool ending; /* … and all is there: the store makes it durable */
	uint64_t size;
};

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
	else if (nrcpts > q->conf->max_recipients || nrcpts > QUEUE_RCPTS_MAX)
		refuse(s, request, R_TOO_MANY_RCPTS, NULL);
	else
		return true;
	return false;
}

/* --- a message in pieces -----------------------------------------------------
 */

static struct opening *
opening_find(struct smtpd *s, uint32_t request)
{
	struct opening *o;

	LIST_FOREACH(o, &s->openings, link)
	if (o->request == request)
		return o;
	return NULL;
}

static void
opening_orphan(struct opening *o)
{
	if (o->smtpd == NULL)
		return;
	LIST_REMOVE(o, link);
	o->smtpd->nopenings--;
	o->smtpd = NULL;
}

static void
opening_free(struct opening *o)
{
	opening_orphan(o);
	if (o->readable != NULL)
		event_free(o->readable);
	if (o->fd != -1)
		close(o->fd);
	if (o->incoming != NULL)
		incoming_abort(o->incoming);
	buf_fini(&o->envelope);
	buf_fini(&o->rcpts);
	free(o);
}

/* Given up; what smtpd still sends for it meets nobody. */
static void
opening_fail(struct opening *o, const struct reply *reply)
{
	if (o->smtpd != NULL)
		smtpd_answer(o->smtpd, o->request, reply);
	opening_free(o);
}

static void
opening_fail_errno(struct opening *o, int err)
{
	struct reply reply;

	log_warn("content_failed", log_id("id", o->id), log_errno(err));
	if (err == ENOSPC || err == EDQUOT)
		reply_make(&reply, R_NO_SPACE, NULL);
	else
		reply_make(&reply, R_QUEUE_ERROR, NULL);
	opening_fail(o, &reply);
}

static void
opening_fail_name(struct opening *o, enum reply_name name, const char *arg)
{
	struct reply reply;

	reply_make(&reply, name, arg);
	opening_fail(o, &reply);
}

static void
opening_durable(void *arg, int err)
{
	struct opening *o = arg;
	struct submit s = { .smtpd = o->smtpd,
		.request = o->request,
		.id = o->id,
		.envelope = o->e,
		.rcpts = { wire_reader(buf_span(&o->rcpts)), o->nrcpts },
		.incoming = o->incoming };

	if (err != 0) {
		opening_fail_errno(o, err);
		return;
	}
	o->incoming = NULL;
	submit(o->queue, &s);
	opening_free(o);
}

/* Is all there that END spoke of? */
static void
opening_check(struct opening *o, bool eof)
{
	uint64_t have = incoming_size(o->incoming);

	if (have > o->queue->conf->message_size) {
		opening_fail_name(o, R_TOO_BIG, NULL);
		return;
	}
	if (!o->ended || o->paused || (have < o->size && !eof))
		return;
	/* The pipe had less or more in it than was put into it, or recipients
	 * are missing: this is not the message. */
	if (have != o->size || o->nrcpts != o->e.nrcpts) {
		opening_fail_name(o, R_LOCAL_ERROR, "message is incomplete");
		return;
	}
	o->ending = true;
	event_del(o->readable);
	incoming_end(o->incoming, opening_durable, o);
}

static void
opening_ready(void *arg)
{
	struct opening *o = arg;

	o->paused = false;
	event_add(o->readable, NULL);
	opening_check(o, false);
}

static void
opening_read(evutil_socket_t fd, short what, void *arg)
{
	struct opening *o = arg;
	struct queue *q = o->queue;
	ssize_t n = read(fd, q->pipe, sizeof q->pipe);
	int take;

	(void)what;
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == -1) {
		opening_fail_errno(o, errno);
		return;
	}
	if (n == 0) { /* END may still be on its way */
		event_del(o->readable);
		close(o->fd);
		o->fd = -1;
		opening_check(o, true);
		return;
	}
	take = incoming_add(
	    o->incoming, span_from(q->pipe, (size_t)n), opening_ready, o);
	if (take == -1) {
		opening_fail_errno(o, errno);
		return;
	}
	o->paused = take == 0;
	if (o->paused)
		event_del(o->readable);
	opening_check(o, false);
}

/* The envelope outlives its packet. */
static int
keep(struct opening *o, const struct envelope *e)
{
	const struct span all[] = { e->sender, e->helo, e->client };
	struct span *const mine[] = { &o->e.sender, &o->e.helo, &o->e.client };
	const char *p;

	o->e = *e;
	if (buf_reserve(&o->envelope, all[0].n + all[1].n + all[2].n + 1) ==
	    NULL)
		return -1;
	for (size_t i = 0; i < 3; i++) {
		p = o->envelope.p + o->envelope.n;
		if (buf_add_span(&o->envelope, all[i]) == -1)
			return -1;
		*mine[i] = span_from(p, all[i].n);
	}
	return 0;
}

static int
add_rcpts(struct opening *o, struct rcpt_list *l)
{
	struct span rcpt;

	while (rcpts_next(l, &rcpt)) {
		char *p = buf_reserve(&o->rcpts, 4 + rcpt.n);
		struct wire_put w;

		if (p == NULL)
			return -1;
		w = wire_writer(p, 4 + rcpt.n);
		wire_put_span(&w, rcpt);
		o->rcpts.n += w.n;
		o->nrcpts++;
	}
	return 0;
}

static struct opening *
opening_new(struct smtpd *s, uint32_t request, struct msg_submit *m, int fd)
{
	struct queue *q = s->queue;
	struct opening *o = calloc(1, sizeof *o);

	if (o == NULL)
		return NULL;
	o->queue = q;
	o->fd = -1;
	o->request = request;
	o->id = store_id(q->store);
	buf_init(&o->envelope, IPC_BODY_MAX);
	buf_init(&o->rcpts, (size_t)QUEUE_RCPTS_MAX * (ADDRESS_MAX + 4));
	o->readable =
	    event_new(q->base, fd, EV_READ | EV_PERSIST, opening_read, o);
	o->incoming = incoming_new(q->store, o->id);
	if (o->readable == NULL || o->incoming == NULL ||
	    keep(o, &m->envelope) == -1 || add_rcpts(o, &m->rcpts) == -1 ||
	    event_add(o->readable, NULL) == -1) {
		opening_free(o);
		return NULL;
	}
	o->fd = fd;
	o->smtpd = s;
	LIST_INSERT_HEAD(&s->openings, o, link);
	s->nopenings++;
	return o;
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
	if (get.content.n > q->conf->message_size) {
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
	if (o == NULL)
		return 0;
	if (o->ended || get.rcpts.n > o->e.nrcpts - o->nrcpts)
		return -1;
	if (add_rcpts(o, &get.rcpts) == -1)
		opening_fail_name(o, R_LOCAL_ERROR, NULL);
	return 0;
}

static int
on_end(void *arg, struct ipc_msg *m)
{
	struct opening *o = opening_find(arg, m->id);
	struct msg_end get;

	if (msg_end_get(m, &get) == -1)
		return -1;
	if (o == NULL)
		return 0;
	if (o->ended)
		return -1;
	o->ended = true;
	o->size = get.size;
	opening_check(o, o->fd == -1);
	return 0;
}

static int
on_abort(void *arg, struct ipc_msg *m)
{
	struct opening *o = opening_find(arg, m->id);

	if (msg_empty_get(m) == -1)
		return -1;
	if (o == NULL)
		return 0;
	/* Too late once it is on its way to the disk. */
	if (o->ending)
		opening_orphan(o);
	else
		opening_free(o);
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
	struct opening *o, *next;

	if (bad)
		process_complain(s->queue->process, PEER_SMTPD, s->instance);
	LIST_REMOVE(s, link);
	LIST_FOREACH_SAFE(o, &s->openings, link, next)
	{
		if (o->ending)
			opening_orphan(o);
		else
			opening_free(o);
	}
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
