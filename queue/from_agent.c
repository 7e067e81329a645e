/*
 * from_agent.c - what local and remote may say to queue: msg/queue_agent.h.
 *
 * An agent speaks first: what is under way (from a queue before this one),
 * then HELLO.  A result is taken for what was handed to this agent, once for each
 * recipient, and for nothing else.
 */
#include <bsd/stdlib.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "common/msg/queue_agent.h"
#include "queue/queue.h"

enum agent_phase { GREETING = 1, SERVING = 2 };

/* Attempts of a queue before this one may be ahead by as much as the clock was
 * set back: ten years of them. */
#define CLOCK_AHEAD (id_next(0, 10ULL * 365 * 86400 * 1000000))

/* Closes the channel of one that retires and has nothing left: so it knows that
 * nothing more comes. */
static void
dismiss(struct agent *a)
{
	if (!a->retiring || !a->ready ||
	    schedule_delivery_of(a->queue->schedule, a) != NULL)
		return;
	channel_free(a->channel);
	LIST_REMOVE(a, link);
	free(a);
}

void
agent_forget(struct queue *q, struct delivery *h)
{
	struct agent *a = h->holder;

	q->lent -= h->memory;
	schedule_forget(q->schedule, h);
	dismiss(a);
}

void
agent_recorded(struct queue *q, struct delivery *h)
{
	struct agent *a = h->holder;

	if (!h->last || h->recording > 0)
		return;
	msg_recorded_put(channel_begin(a->channel, AGENT_RECORDED, 0),
	    &(struct msg_recorded){ h->handout });
	(void)channel_send(a->channel, -1);
	agent_forget(q, h);
	queue_pump(q);
}

/* --- what a queue before this one had handed out -----------------------------
 */

/* Instances grow with the time of their start. */
static bool
is_older(const struct agent *a)
{
	return a->instance < a->queue->process->instance;
}

/* The recipient, if it may be that one which is under way. */
static struct recipient *
adoptable(struct queue *q, const struct handout *h, uint32_t index)
{
	struct message *m = index_find(store_index(q->store), h->message);
	struct recipient *r;

	if (m == NULL || index >= m->nrcpts)
		return NULL;
	r = &m->rcpts[index];
	if (r->state != RCPT_WAITING || r->phase == PHASE_NONE ||
	    r->phase == PHASE_ACTIVE || r->phase == PHASE_RECORDING)
		return NULL;
	return r;
}

static int
on_underway(void *arg, struct ipc_msg *m)
{
	struct agent *a = arg;
	struct queue *q = a->queue;
	struct recipient *rcpts[DELIVER_RCPTS_MAX];
	struct msg_underway u;
	struct delivery *h;

	if (msg_underway_get(m, &u) == -1 || a->underway == AGENT_WINDOW ||
	    schedule_delivery(q->schedule, u.handout.attempt) != NULL)
		return -1;
	a->underway++;
	/* Only who was there before us can have met a queue before us, and a
	 * hand-out is younger than its message.  Anything else is not known
	 * here, and neither are its results. */
	if (!is_older(a) || u.handout.attempt <= u.handout.message ||
	    u.handout.attempt > q->last_attempt + CLOCK_AHEAD)
		return 0;
	/* The clock may have been set back since: no attempt is used twice. */
	if (u.handout.attempt > q->last_attempt)
		q->last_attempt = u.handout.attempt;
	for (uint32_t i = 0; i < u.nrcpts; i++) {
		rcpts[i] = adoptable(q, &u.handout, u.rcpts[i]);
		for (uint32_t k = 0; k < i; k++)
			if (u.rcpts[k] == u.rcpts[i])
				return -1;
		if (rcpts[i] != NULL)
			queue_unschedule(q, rcpts[i]);
	}
	h = schedule_adopt(
	    q->schedule, a->kind, &u.handout, u.nrcpts, u.rcpts, rcpts);
	if (h == NULL)
		fatal("hand-out");
	h->sent = true;
	h->holder = a;
	if (a->retiring)
		schedule_retire(q->schedule, a);
	return 0;
}

static int
on_hello(void *arg, struct ipc_msg *m)
{
	struct agent *a = arg;
	struct queue *q = a->queue;
	struct msg_hello hello;

	if (msg_hello_get(m, &hello) == -1)
		return -1;
	a->ready = true;
	channel_phase(a->channel, SERVING);
	if (a == q->serving[a->kind])
		schedule_window(q->schedule, a->kind, hello.window);
	dismiss(a);
	queue_pump(q);
	return 0;
}

/* --- results -----------------------------------------------------------------
 */

static bool
is_about_destination(const struct reply *r)
{
	return r->scope == SCOPE_HOST || r->scope == SCOPE_ROUTE ||
	    r->scope == SCOPE_DOMAIN;
}

/* What it says of all that goes the same way. */
static void
judge(struct queue *q, struct delivery *h, const struct reply *reply,
    uint32_t attempts)
{
	if (reply_class(reply) == 4 && is_about_destination(reply))
		schedule_refused(
		    q->schedule, h, attempts, queue_now(), arc4random(), reply);
	else
		schedule_served(q->schedule, h);
}

/* Takes the answers off the hand-out.  How many matter is in *n; -1: one of
 * them is not to be answered. */
static int
take(struct queue *q, struct delivery *h, const struct msg_result *result,
    uint32_t rcpts[DELIVER_RCPTS_MAX], uint32_t *n)
{
	uint32_t attempts = 0;

	*n = 0;
	for (uint32_t i = 0; i < result->nrcpts; i++) {
		struct recipient *r;

		if (!schedule_answer(q->schedule, h, result->rcpts[i], &r))
			return -1;
		if (r == NULL)
			continue;
		/* A user's process may have died between the delivery and its
		 * result. */
		r->maybe |=
		    h->agent == ROUTE_LOCAL && reply_class(&result->reply) == 4;
		rcpts[(*n)++] = result->rcpts[i];
		if (r->attempts >= attempts)
			attempts = r->attempts + 1U;
	}
	if (attempts > 0)
		judge(q, h, &result->reply, attempts);
	return 0;
}

static bool
all_answered(const struct delivery *h)
{
	for (uint32_t i = 0; i < h->n; i++)
		if (!h->rcpts[i].answered)
			return false;
	return true;
}

/* The agent was told to stop before it got to it. */
static bool
is_cut_short(const struct reply *r)
{
	const struct reply_row *stopping = reply_row(R_STOPPING);

	return r->source == BY_US && r->code == stopping->code &&
	    r->esc.subject == stopping->esc.subject &&
	    r->esc.detail == stopping->esc.detail;
}

/* A hand-out that is not known does not matter: the agent may forget it. */
static int
unknown(struct agent *a, const struct msg_result *result)
{
	if (result->last) {
		msg_recorded_put(channel_begin(a->channel, AGENT_RECORDED, 0),
		    &(struct msg_recorded){ result->handout });
		(void)channel_send(a->channel, -1);
	}
	return 0;
}

static int
on_result(void *arg, struct ipc_msg *m)
{
	struct agent *a = arg;
	struct queue *q = a->queue;
	uint32_t rcpts[DELIVER_RCPTS_MAX], n;
	struct msg_result result;
	struct delivery *h;
	int taken;

	if (msg_result_get(m, &result) == -1)
		return -1;
	h = schedule_delivery(q->schedule, result.handout.attempt);
	if (h == NULL)
		return unknown(a, &result);
	if (h->holder != a || h->last || !h->sent ||
	    h->handout.message != result.handout.message)
		return -1;
	taken = take(q, h, &result, rcpts, &n);
	/* What was taken before a wrong index counts all the same. */
	if (result.last && taken == 0 && all_answered(h)) {
		h->last = true;
		schedule_ended(q->schedule, h);
	} else if (result.last)
		taken = -1;
	if (n > 0)
		outcome_record(q,
		    &(struct result){ .handout = result.handout,
			.soon = is_cut_short(&result.reply),
			.reply = result.reply,
			.host = result.host,
			.n = n,
			.rcpts = rcpts });
	else if (taken == 0)
		agent_recorded(q, h);
	queue_pump(q);
	return taken;
}

static const struct ipc_rule rules[] = {
	{ AGENT_UNDERWAY, GREETING, IPC_FD_NEVER, on_underway },
	{ AGENT_HELLO, GREETING, IPC_FD_NEVER, on_hello },
	{ AGENT_RESULT, SERVING, IPC_FD_NEVER, on_result },
};

/* --- coming and going --------------------------------------------------------
 */

/* Nobody knows what became of it, if it was there at all. */
static void
lose(struct queue *q, struct delivery *h)
{
	uint32_t rcpts[DELIVER_RCPTS_MAX], n = 0;
	struct result result = { .handout = { h->handout.message, 0 },
		.soon = true,
		.host = "",
		.rcpts = rcpts };

	if (!h->sent) {
		queue_put_off(q, h, 0);
		return;
	}
	for (uint32_t i = 0; i < h->n; i++) {
		struct recipient *r = h->rcpts[i].rcpt;

		if (r == NULL || h->rcpts[i].answered)
			continue;
		r->maybe = true;
		rcpts[n++] = h->rcpts[i].index;
		schedule_record(q->schedule, r);
	}
	agent_forget(q, h);
	result.n = n;
	reply_make(&result.reply, R_AGENT_DIED, NULL);
	/* On the way down nothing is made up: the next start finds them as
	 * they were. */
	if (n > 0 && !q->process->stopping)
		outcome_record(q, &result);
}

static void
agent_gone(struct agent *a)
{
	struct queue *q = a->queue;
	struct delivery *h;

	/* What it lost is forgotten one by one, itself at the end. */
	a->ready = false;
	if (a == q->serving[a->kind]) {
		q->serving[a->kind] = NULL;
		schedule_window(q->schedule, a->kind, 0);
	}
	while ((h = schedule_delivery_of(q->schedule, a)) != NULL)
		lose(q, h);
	LIST_REMOVE(a, link);
	free(a);
	queue_pump(q);
}

static void
on_closed(void *arg, bool bad)
{
	struct agent *a = arg;

	if (bad)
		process_complain(a->queue->process, a->peer, a->instance);
	agent_gone(a);
}

static const struct channel_ops ops = {
	.rules = rules,
	.nrules = sizeof rules / sizeof rules[0],
	.closed = on_closed,
};

static struct agent *
agent_new(struct queue *q, enum peer peer, uint32_t instance, int fd)
{
	struct agent *a = calloc(1, sizeof *a);

	if (a != NULL)
		a->channel = channel_new(q->base, fd, peer, &ops, a);
	if (a == NULL || a->channel == NULL) {
		log_warn("peer_failed", log_str("peer", peer_name(peer)),
		    log_errno(errno));
		close(fd);
		free(a);
		return NULL;
	}
	a->queue = q;
	a->kind = peer == PEER_LOCAL ? ROUTE_LOCAL : ROUTE_REMOTE;
	a->peer = peer;
	a->instance = instance;
	channel_phase(a->channel, GREETING);
	LIST_INSERT_HEAD(&q->agents, a, link);
	return a;
}

static void
retire(struct agent *a)
{
	struct queue *q = a->queue;

	a->retiring = true;
	q->serving[a->kind] = NULL;
	schedule_window(q->schedule, a->kind, 0);
	schedule_retire(q->schedule, a);
	dismiss(a);
}

void
agent_peer(struct queue *q, enum peer peer, uint32_t instance, int fd)
{
	struct agent *a = agent_new(q, peer, instance, fd);

	if (a == NULL)
		return;
	if (q->serving[a->kind] != NULL)
		retire(q->serving[a->kind]);
	q->serving[a->kind] = a;
}

void
agent_old_peer(struct queue *q, enum peer peer, uint32_t instance, int fd)
{
	struct agent *a = agent_new(q, peer, instance, fd);

	if (a != NULL)
		a->retiring = true;
}

struct agent *
agent_serving(const struct queue *q, enum route_agent kind)
{
	const struct agent *a;

	/* What they have from the queue before must be known first. */
	LIST_FOREACH(a, &q->agents, link)
	if (a->kind == kind && !a->ready && is_older(a))
		return NULL;
	a = q->serving[kind];
	return a != NULL && a->ready ? q->serving[kind] : NULL;
}
