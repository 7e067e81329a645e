/*
 * from_lookup.c - the route of each recipient, asked for at each attempt; or
 * what it leads to, where it is an alias.
 */
#include <errno.h>

#include "common/bytes/log.h"
#include "common/msg/queue_lookup.h"
#include "queue/given.h"
#include "queue/queue.h"

/* Seconds until a question that nobody answered is asked again. */
#define ASK_AGAIN 5

/* No answer is no attempt: nothing is recorded. */
static void
on_failed(void *arg, void *request)
{
	struct queue *q = arg;

	expand_forget(q, request);
	schedule_add(q->schedule, request,
	    queue_now() + (q->lookup_changes ? 0 : ASK_AGAIN));
	queue_pump(q);
}

void
lookup_refused(struct queue *q, struct recipient *r, const struct reply *reply)
{
	const struct message *m = r->message;
	uint32_t index = (uint32_t)(r - m->rcpts);

	schedule_record(q->schedule, r);
	outcome_record(q,
	    &(struct result){ .handout = { m->id, 0 },
		.reply = *reply,
		.host = "",
		.n = 1,
		.rcpts = &index });
}

static int
on_answer(void *arg, struct ipc_msg *m)
{
	struct queue *q = arg;
	struct msg_routed routed;
	struct recipient *r;

	if (msg_routed_get(m, &routed) == -1)
		return -1;
	r = pending_take(q->asked, m->id);
	if (r != NULL && reply_class(&routed.reply) != 2)
		lookup_refused(q, r, &routed.reply);
	else if (r != NULL &&
	    schedule_routed(q->schedule, r, &routed.route) == -1)
		on_failed(q, r);
	queue_pump(q);
	return 0;
}

static int
on_expanded(void *arg, struct ipc_msg *m)
{
	struct queue *q = arg;
	struct msg_expanded expanded;
	struct recipient *r;
	int rc = 0;

	if (msg_expanded_get(m, &expanded) == -1)
		return -1;
	r = pending_take(q->asked, m->id);
	if (r != NULL && (rc = expand_take(q, r, &expanded)) == -1)
		on_failed(q, r);
	queue_pump(q);
	return rc;
}

static const struct ipc_rule rules[] = {
	{ ROUTE_ANSWER, IPC_ANY_PHASE, IPC_FD_NEVER, on_answer },
	{ EXPAND_ANSWER, IPC_ANY_PHASE, IPC_FD_NEVER, on_expanded },
};

static void
on_closed(void *arg, bool bad)
{
	struct queue *q = arg;

	q->lookup = NULL;
	if (bad)
		process_complain(q->process, PEER_LOOKUP, q->lookup_instance);
	pending_fail_all(q->asked);
}

static const struct channel_ops ops = {
	.rules = rules,
	.nrules = sizeof rules / sizeof rules[0],
	.closed = on_closed,
};

void
lookup_begin(struct queue *q)
{
	q->asked = pending_new(
	    q->base, QUEUE_LOOKUP_WINDOW, QUEUE_LOOKUP_SECONDS, on_failed, q);
	q->given = given_new();
	if (q->asked == NULL || q->given == NULL)
		fatal("lookup");
}

void
lookup_peer(struct queue *q, uint32_t instance, int fd)
{
	if (q->lookup != NULL) {
		channel_free(q->lookup);
		q->lookup_changes = true;
		pending_fail_all(q->asked);
		q->lookup_changes = false;
	}
	q->lookup_instance = instance;
	q->lookup = channel_new(q->base, fd, PEER_LOOKUP, &ops, q);
	if (q->lookup == NULL)
		log_warn("peer_failed", log_str("peer", peer_name(PEER_LOOKUP)),
		    log_errno(errno));
	queue_pump(q);
}

bool
lookup_ready(const struct queue *q)
{
	return q->lookup != NULL && !pending_full(q->asked);
}

/* Whether one waited for so long at a destination that does not answer that
 * its time is over. */
static bool
give_up(struct queue *q, struct recipient *r)
{
	struct reply reply;

	if (!schedule_refusal(r, &reply) ||
	    !schedule_expired(schedule_limits(q->schedule),
		queue_accepted(r->message), queue_now()))
		return false;
	lookup_refused(q, r, &reply);
	return true;
}

void
lookup_ask(struct queue *q, struct recipient *r)
{
	char address[ADDRESS_MAX + 1];
	size_t n;

	if (give_up(q, r))
		return;
	n = index_address(r, address, sizeof address);
	msg_route_put(
	    channel_begin(q->lookup, ROUTE_ASK, pending_add(q->asked, r)),
	    &(struct msg_route){ .rcpt = span_from(address, n),
		.expanded = (r->message->flags & MESSAGE_EXPANDED) != 0 });
	/* If it is not sent, the channel's end fails it. */
	(void)channel_send(q->lookup, -1);
}
