/*
 * routes.c - the channel to queue.
 */
#include <bsd/sys/queue.h>

#include <stdlib.h>

#include "common/bytes/log.h"
#include "lookup/routes.h"

/* A recipient whose route is not there yet. */
struct asked {
	TAILQ_ENTRY(asked) link;
	struct routes *in;
	uint32_t id;
};

struct routes {
	struct event_base *base;
	struct recipients *recipients;
	void (*gone)(void *, uint32_t, bool);
	void *arg;
	uint32_t instance;
	struct channel *channel;
	TAILQ_HEAD(, asked) asked;
	size_t nasked;
	struct routes_counters counters;
};

static void
asked_free(struct asked *a)
{
	TAILQ_REMOVE(&a->in->asked, a, link);
	a->in->nasked--;
	free(a);
}

static void
on_resolved(void *arg, const struct resolution *res)
{
	struct asked *a = arg;
	struct routes *r = a->in;
	struct msg_routed routed = { .reply = res->reply, .route = res->route };

	/* What was accepted waits for room; and what moved behind it can only
	 * be told of, where the new address is another host's: an envelope
	 * keeps its own. */
	if (routed.reply.code == 552)
		reply_make(&routed.reply, R_MAILBOX_FULL, NULL);
	else if (routed.reply.code == 251 && res->foreign)
		reply_make(&routed.reply, R_USER_MOVED, res->forward);
	r->counters.routed += reply_class(&routed.reply) == 2;
	r->counters.deferred += reply_class(&routed.reply) == 4;
	r->counters.failed += reply_class(&routed.reply) == 5;
	msg_routed_put(channel_begin(r->channel, ROUTE_ANSWER, a->id), &routed);
	asked_free(a);
	/* A channel that broke is told of by the loop. */
	(void)channel_send(r->channel, -1);
}

static int
on_route(void *arg, struct ipc_msg *m)
{
	struct routes *r = arg;
	struct msg_route route;
	struct asked *a;

	if (msg_route_get(m, &route) == -1 || m->id == 0 ||
	    r->nasked >= QUEUE_LOOKUP_WINDOW)
		return -1;
	if ((a = calloc(1, sizeof *a)) == NULL)
		return -1;
	*a = (struct asked){ .in = r, .id = m->id };
	TAILQ_INSERT_TAIL(&r->asked, a, link);
	r->nasked++;
	recipients_resolve(r->recipients, route.rcpt, on_resolved, a);
	return 0;
}

/* The whole of what queue may say. */
static const struct ipc_rule rules[] = {
	{ ROUTE_ASK, IPC_ANY_PHASE, IPC_FD_NEVER, on_route },
};

static void
forget_all(struct routes *r)
{
	struct asked *a;

	while ((a = TAILQ_FIRST(&r->asked)) != NULL) {
		recipients_forget(r->recipients, a);
		asked_free(a);
	}
	r->channel = NULL;
}

static void
on_closed(void *arg, bool bad)
{
	struct routes *r = arg;

	forget_all(r);
	r->gone(r->arg, r->instance, bad);
}

static const struct channel_ops ops = { rules, sizeof rules / sizeof *rules,
	on_closed };

void
routes_connect(struct routes *r, uint32_t instance, int fd)
{
	channel_free(r->channel);
	forget_all(r);
	r->instance = instance;
	r->channel = channel_new(r->base, fd, PEER_QUEUE, &ops, r);
	if (r->channel == NULL)
		log_error("peer_not_taken", log_str("peer", "queue"),
		    log_num("instance", instance));
}

bool
routes_connected(const struct routes *r)
{
	return r->channel != NULL;
}

void
routes_count(const struct routes *r, struct routes_counters *n)
{
	*n = r->counters;
}

struct routes *
routes_new(struct event_base *base, struct recipients *recipients,
    void (*gone)(void *, uint32_t, bool), void *arg)
{
	struct routes *r = calloc(1, sizeof *r);

	if (r == NULL)
		return NULL;
	r->base = base;
	r->recipients = recipients;
	r->gone = gone;
	r->arg = arg;
	TAILQ_INIT(&r->asked);
	return r;
}

void
routes_free(struct routes *r)
{
	if (r == NULL)
		return;
	channel_free(r->channel);
	forget_all(r);
	free(r);
}
