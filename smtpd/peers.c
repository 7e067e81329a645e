/*
 * peers.c - the channels to lookup and queue, and who waits on them.
 *
 * A connection has at most one question open at lookup and one message at
 * queue. Where a window is full it stands in line; whoever is answered makes
 * room for the next.  When a peer goes away all who wait on it are told at
 * once, and when a new one comes it is told of every session that is there.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "common/msg/reply.h"
#include "common/msg/smtpd_lookup.h"
#include "common/msg/smtpd_queue.h"
#include "smtpd/smtpd.h"

/*
 * A message may take as long as the client takes to send it, which has its own
 * limit for each block, and so has queue's answer (TIMER_PEER).  This is only
 * the end of what a broken queue never answers.
 */
#define TRANSFER_SECONDS (24 * 3600)

/* Bytes that wait for queue to read before further messages stand in line. */
#define QUEUE_BACKLOG_MAX (IPC_BACKLOG_MAX / 8)

/* ---- lookup: questions
 * ------------------------------------------------------------ */

/* It gets no answer, and who waits for one is told. */
static void
fail(struct connection *c)
{
	struct reply r;
	struct step st;

	c->asked = ASKED_NOTHING;
	if (c->wait & WAIT_CLIENT) {
		c->wait &= ~(unsigned)WAIT_CLIENT;
		reply_make(&r, R_UNAVAILABLE, c->m->conf->hostname);
		session_client(&c->session, &r, &st);
	} else if (c->wait & WAIT_VERDICT) {
		c->wait &= ~(unsigned)WAIT_VERDICT;
		reply_make(&r, R_LOCAL_ERROR, NULL);
		session_verdict(&c->session, &r, &st);
	} else
		return;
	connection_step(c, &st);
}

static void
send_gone(struct connection *c)
{
	struct peer_link *l = &c->m->lookup;
	struct msg_gone msg = { .session = c->slot };

	msg_gone_put(channel_begin(l->channel, LOOKUP_GONE, 0), &msg);
	channel_send(l->channel, -1);
	c->announced = false;
}

static void
send_client(struct connection *c)
{
	struct peer_link *l = &c->m->lookup;
	uint32_t id;
	struct msg_connect msg = {
		.session = c->slot,
		.listener = c->listener,
		.local = c->local,
		.ip = c->ip,
	};

	/* It was told before and did not answer in time. */
	if (c->announced)
		send_gone(c);
	id = pending_add(l->pending, c);
	c->asked = ASKED_CLIENT;
	c->announced = true;
	msg_connect_put(channel_begin(l->channel, LOOKUP_CONNECT, id), &msg);
	channel_send(l->channel, -1); /* failed: closed() tells all */
}

static void
send_rcpt(struct connection *c)
{
	struct peer_link *l = &c->m->lookup;
	const struct session *s = &c->session;
	struct msg_rcpt msg = {
		.session = c->slot,
		.sender = span_from(s->sender.text, s->sender.n),
		.rcpt = span_from(s->rcpt.text, s->rcpt.n),
	};
	uint32_t id = pending_add(l->pending, c);

	c->asked = ASKED_RCPT;
	msg_rcpt_put(channel_begin(l->channel, LOOKUP_RCPT, id), &msg);
	channel_send(l->channel, -1);
}

/* The next question of this connection, or a place in the line. */
static void
ask(struct connection *c)
{
	struct peer_link *l = &c->m->lookup;

	if (c->asked != ASKED_NOTHING || c->lookup_waits)
		return;
	if (pending_full(l->pending)) {
		TAILQ_INSERT_TAIL(&l->waiting, c, lookup_link);
		c->lookup_waits = true;
	} else if (!c->known)
		send_client(c);
	else if (c->wait & WAIT_VERDICT)
		send_rcpt(c);
}

void
peers_ask_client(struct connection *c)
{
	if (c->m->lookup.channel == NULL)
		fail(c);
	else
		ask(c);
}

void
peers_ask_rcpt(struct connection *c)
{
	/* The same: a session that this lookup does not know is told first. */
	peers_ask_client(c);
}

static void
leave_line(struct connection *c)
{
	if (!c->lookup_waits)
		return;
	TAILQ_REMOVE(&c->m->lookup.waiting, c, lookup_link);
	c->lookup_waits = false;
}

static void
serve_lookup_line(struct smtpd *m)
{
	struct peer_link *l = &m->lookup;
	struct connection *c;

	while (l->channel != NULL && !pending_full(l->pending) &&
	    (c = TAILQ_FIRST(&l->waiting)) != NULL) {
		leave_line(c);
		ask(c);
	}
}

void
peers_give_up(struct connection *c)
{
	leave_line(c);
	if (c->asked != ASKED_NOTHING)
		pending_forget(c->m->lookup.pending, c);
	fail(c);
}

void
peers_gone(struct connection *c)
{
	struct peer_link *l = &c->m->lookup;

	leave_line(c);
	if (c->asked != ASKED_NOTHING)
		pending_forget(l->pending, c);
	c->asked = ASKED_NOTHING;
	if (c->announced && l->channel != NULL)
		send_gone(c);
}

/* ---- lookup: answers
 * ---------------------------------------------------------------- */

/* The end of each turn that an answer began. */
static void
answered(struct connection *c)
{
	struct smtpd *m = c->m;

	connection_resume(c);
	connection_settle(c);
	serve_lookup_line(m);
}

static void
judge_client(struct connection *c, const struct reply *reply)
{
	struct step st;

	c->asked = ASKED_NOTHING;
	c->known = reply->code == 220;
	if (c->wait & WAIT_CLIENT) {
		c->wait &= ~(unsigned)WAIT_CLIENT;
		session_client(&c->session, reply, &st);
		connection_step(c, &st);
	} else if (c->session.phase == PHASE_END)
		return;
	else if (!c->known)
		/* A new lookup does not want a client that the old one let
		 * in; 421 is what can be said at any time. */
		connection_end(c, R_UNAVAILABLE);
	else if (c->wait & WAIT_VERDICT)
		ask(c);
}

static int
on_client(void *arg, struct ipc_msg *m)
{
	struct peer_link *l = arg;
	struct msg_client msg;
	bool bad = msg_client_get(m, &msg) == -1;
	struct connection *c = pending_take(l->pending, m->id);

	if (c == NULL)
		return bad ? -1 : 0;
	bad = bad || c->asked != ASKED_CLIENT;
	if (bad)
		fail(c);
	else
		judge_client(c, &msg.reply);
	answered(c);
	return bad ? -1 : 0;
}

static int
on_verdict(void *arg, struct ipc_msg *m)
{
	struct peer_link *l = arg;
	struct reply reply;
	bool bad = msg_reply_get(m, &reply) == -1;
	struct connection *c = pending_take(l->pending, m->id);
	struct step st;

	if (c == NULL)
		return bad ? -1 : 0;
	bad = bad || c->asked != ASKED_RCPT;
	if (bad)
		fail(c);
	c->asked = ASKED_NOTHING;
	if (!bad && (c->wait & WAIT_VERDICT) != 0) {
		c->wait &= ~(unsigned)WAIT_VERDICT;
		session_verdict(&c->session, &reply, &st);
		connection_step(c, &st);
	}
	answered(c);
	return bad ? -1 : 0;
}

static const struct ipc_rule lookup_rules[] = {
	{ LOOKUP_CLIENT, IPC_ANY_PHASE, IPC_FD_NEVER, on_client },
	{ LOOKUP_VERDICT, IPC_ANY_PHASE, IPC_FD_NEVER, on_verdict },
};

/* pending: its time ran out, or lookup went away. */
static void
lookup_failed(void *arg, void *request)
{
	struct connection *c = request;

	(void)arg;
	fail(c);
	connection_resume_later(c);
	connection_settle(c);
}

static void
lookup_lost(struct smtpd *m)
{
	struct peer_link *l = &m->lookup;
	struct connection *c;

	l->channel = NULL;
	TAILQ_FOREACH(c, &m->all, all)
	c->known = c->announced = false;
	pending_fail_all(l->pending);
	while ((c = TAILQ_FIRST(&l->waiting)) != NULL) {
		leave_line(c);
		lookup_failed(l, c);
	}
}

/* A new lookup knows none of the sessions, and no verdict is its own. */
static void
lookup_came(struct smtpd *m)
{
	struct connection *c;

	TAILQ_FOREACH(c, &m->all, all)
	{
		session_forget_verdict(&c->session);
		if (c->session.phase != PHASE_END)
			ask(c);
	}
}

/* ---- queue
 * ----------------------------------------------------------------------------
 */

bool
peers_queue_room(struct connection *c)
{
	struct peer_link *l = &c->m->queue;

	/* A message that is OPEN has its place in the window already. */
	if ((c->transfer.id != 0 || !pending_full(l->pending)) &&
	    channel_backlog(l->channel) < QUEUE_BACKLOG_MAX)
		return true;
	if (!c->queue_waits)
		TAILQ_INSERT_TAIL(&l->waiting, c, queue_link);
	c->queue_waits = true;
	return false;
}

static void
serve_queue_line(struct smtpd *m)
{
	struct peer_link *l = &m->queue;
	struct connections line = TAILQ_HEAD_INITIALIZER(line);
	struct connection *c;

	/* Each once: who finds no room stands in line again. */
	TAILQ_CONCAT(&line, &l->waiting, queue_link);
	while ((c = TAILQ_FIRST(&line)) != NULL) {
		TAILQ_REMOVE(&line, c, queue_link);
		c->queue_waits = false;
		transfer_go(c);
		connection_resume_later(c);
		connection_settle(c);
	}
}

static void
answer_message(struct connection *c, const struct reply *reply)
{
	transfer_answer(c, reply);
	connection_resume(c);
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
	if (!TAILQ_EMPTY(&l->waiting))
		serve_queue_line(smtpd);
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

static const struct ipc_rule queue_rules[] = {
	{ QUEUE_ANSWER, IPC_ANY_PHASE, IPC_FD_NEVER, on_answer },
	{ QUEUE_STATE, IPC_ANY_PHASE, IPC_FD_NEVER, on_state },
};

static void
queue_failed(void *arg, void *request)
{
	struct connection *c = request;
	struct reply r;

	(void)arg;
	reply_make(&r, R_QUEUE_ERROR, NULL);
	transfer_answer(c, &r);
	connection_resume_later(c);
	connection_settle(c);
}

static void
queue_lost(struct smtpd *m)
{
	struct peer_link *l = &m->queue;

	l->channel = NULL;
	reply_make(&m->service.queue, R_LOCAL_ERROR, NULL);
	pending_fail_all(l->pending);
	serve_queue_line(m); /* each finds that it is away */
}

/* ---- both
 * -------------------------------------------------------------------------------
 */

static void
lost(struct peer_link *l)
{
	if (l->kind == PEER_LOOKUP)
		lookup_lost(l->m);
	else
		queue_lost(l->m);
}

static void
on_closed(void *arg, bool bad)
{
	struct peer_link *l = arg;

	log_warn("peer_lost", log_str("peer", peer_name(l->kind)));
	if (bad)
		process_complain(l->m->process, l->kind, l->instance);
	lost(l);
}

static const struct channel_ops lookup_ops = {
	.rules = lookup_rules,
	.nrules = sizeof lookup_rules / sizeof *lookup_rules,
	.closed = on_closed,
};

static const struct channel_ops queue_ops = {
	.rules = queue_rules,
	.nrules = sizeof queue_rules / sizeof *queue_rules,
	.closed = on_closed,
};

static void
link_begin(struct smtpd *m, struct peer_link *l, enum peer kind,
    struct pending *pending)
{
	if (pending == NULL)
		fatal("peers");
	l->m = m;
	l->kind = kind;
	l->pending = pending;
	TAILQ_INIT(&l->waiting);
}

void
peers_begin(struct smtpd *m)
{
	struct event_base *base = m->process->base;

	link_begin(m, &m->lookup, PEER_LOOKUP,
	    pending_new(base, SMTPD_LOOKUP_WINDOW, SMTPD_LOOKUP_SECONDS,
		lookup_failed, m));
	link_begin(m, &m->queue, PEER_QUEUE,
	    pending_new(
		base, SMTPD_QUEUE_WINDOW, TRANSFER_SECONDS, queue_failed, m));
	reply_make(&m->service.queue, R_LOCAL_ERROR, NULL);
}

void
peers_set(struct smtpd *m, enum peer kind, uint32_t instance, int fd)
{
	bool is_lookup = kind == PEER_LOOKUP;
	struct peer_link *l = is_lookup ? &m->lookup : &m->queue;

	if (!is_lookup && kind != PEER_QUEUE) {
		close(fd);
		return;
	}
	/* The old one's end may not have been seen yet. */
	if (l->channel != NULL) {
		channel_free(l->channel);
		lost(l);
	}
	l->instance = instance;
	l->channel = channel_new(m->process->base, fd, kind,
	    is_lookup ? &lookup_ops : &queue_ops, l);
	if (l->channel == NULL) {
		log_error("peer", log_errno(errno));
		process_complain(m->process, kind, instance);
	} else if (is_lookup)
		lookup_came(m);
	else
		/* Until it says otherwise. */
		reply_make(&m->service.queue, R_OK, NULL);
}

void
peers_tick(struct smtpd *m)
{
	if (m->queue.channel != NULL && !TAILQ_EMPTY(&m->queue.waiting))
		serve_queue_line(m);
	serve_lookup_line(m);
}
