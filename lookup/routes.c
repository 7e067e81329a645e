/*
 * routes.c - the channel to queue.
 *
 * An alias is expanded when its route is asked for; what does not fit one packet
 * is kept until queue has fetched it.
 */
#include <bsd/sys/queue.h>

#include <stdlib.h>

#include "common/bytes/log.h"
#include "lookup/expand.h"
#include "lookup/routes.h"

/* Expansions that queue has not fetched to their end; it asks for so many at
 * once, and one that was forgotten is asked for anew. */
#define KEPT_MAX 8

struct kept {
	uint64_t number; /* 0: none */
	struct expansion *expansion;
};

/* A recipient whose route is not there yet. */
struct asked {
	TAILQ_ENTRY(asked) link;
	struct routes *in;
	uint32_t id;
};

struct routes {
	struct event_base *base;
	const struct conf *conf;
	struct recipients *recipients;
	void (*gone)(void *, uint32_t, bool);
	void *arg;
	uint32_t instance;
	struct channel *channel;
	TAILQ_HEAD(, asked) asked;
	size_t nasked;
	struct routes_counters counters;
	uint64_t expansions; /* the number of the last one that was kept */
	struct kept kept[KEPT_MAX];
};

static void
asked_free(struct asked *a)
{
	TAILQ_REMOVE(&a->in->asked, a, link);
	a->in->nasked--;
	free(a);
}

static void
forget(struct kept *k)
{
	expansion_free(k->expansion);
	*k = (struct kept){ .number = 0 };
}

/* A channel that broke is told of by the loop. */
static void
send_rows(struct routes *r, uint32_t id, const struct msg_expanded *m)
{
	msg_expanded_put(channel_begin(r->channel, EXPAND_ANSWER, id), m);
	(void)channel_send(r->channel, -1);
}

/* The first packet; the oldest of those that are kept makes room. */
static void
send_expansion(struct routes *r, uint32_t id, struct expansion *e)
{
	struct msg_expanded m = { .expansion = r->expansions + 1 };
	struct kept *k = &r->kept[m.expansion % KEPT_MAX];

	expansion_rows(e, 0, &m);
	send_rows(r, id, &m);
	if (m.n == m.total) {
		expansion_free(e);
		return;
	}
	r->expansions++;
	forget(k);
	*k = (struct kept){ m.expansion, e };
}

static int
on_expand(void *arg, struct ipc_msg *msg)
{
	struct routes *r = arg;
	struct msg_expand ask;
	struct msg_expanded m = { .expansion = 0 };
	struct kept *k;

	if (msg_expand_get(msg, &ask) == -1 || msg->id == 0)
		return -1;
	k = &r->kept[ask.expansion % KEPT_MAX];
	if (k->number == ask.expansion) {
		if (ask.at >= expansion_total(k->expansion))
			return -1;
		m.expansion = ask.expansion;
		expansion_rows(k->expansion, ask.at, &m);
	}
	send_rows(r, msg->id, &m);
	if (k->number == ask.expansion && m.at + m.n == m.total)
		forget(k);
	return 0;
}

static void
send_route(struct routes *r, uint32_t id, const struct msg_routed *routed)
{
	r->counters.routed += reply_class(&routed->reply) == 2;
	r->counters.deferred += reply_class(&routed->reply) == 4;
	r->counters.failed += reply_class(&routed->reply) == 5;
	msg_routed_put(channel_begin(r->channel, ROUTE_ANSWER, id), routed);
	(void)channel_send(r->channel, -1);
}

static void
expand(struct routes *r, uint32_t id, const struct resolution *res)
{
	struct msg_routed refused = { .route = { .kind = ROUTE_MX } };
	struct expansion *e =
	    expansion_new(r->conf, recipients_files(r->recipients),
		&res->origin, &res->start, &refused.reply);

	if (e == NULL)
		reply_make(&refused.reply, R_TABLE_ERROR, NULL);
	if (reply_class(&refused.reply) == 2) {
		r->counters.expanded++;
		send_expansion(r, id, e);
		return;
	}
	expansion_free(e);
	send_route(r, id, &refused);
}

static void
on_resolved(void *arg, const struct resolution *res)
{
	struct asked *a = arg;
	struct routes *r = a->in;
	struct msg_routed routed = { .reply = res->reply, .route = res->route };
	uint32_t id = a->id;

	asked_free(a);
	if (res->expands) {
		expand(r, id, res);
		return;
	}
	/* What was accepted waits for room; and what moved behind it can only
	 * be told of, where the new address is another host's: an envelope
	 * keeps its own. */
	if (routed.reply.code == 552)
		reply_make(&routed.reply, R_MAILBOX_FULL, NULL);
	else if (routed.reply.code == 251 && res->foreign)
		reply_make(&routed.reply, R_USER_MOVED, res->forward);
	send_route(r, id, &routed);
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
	recipients_resolve(
	    r->recipients, route.rcpt, route.expanded, on_resolved, a);
	return 0;
}

/* The whole of what queue may say. */
static const struct ipc_rule rules[] = {
	{ ROUTE_ASK, IPC_ANY_PHASE, IPC_FD_NEVER, on_route },
	{ EXPAND_ASK, IPC_ANY_PHASE, IPC_FD_NEVER, on_expand },
};

static void
forget_all(struct routes *r)
{
	struct asked *a;

	while ((a = TAILQ_FIRST(&r->asked)) != NULL) {
		recipients_forget(r->recipients, a);
		asked_free(a);
	}
	for (size_t i = 0; i < KEPT_MAX; i++)
		forget(&r->kept[i]);
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
routes_new(struct event_base *base, const struct conf *conf,
    struct recipients *recipients, void (*gone)(void *, uint32_t, bool),
    void *arg)
{
	struct routes *r = calloc(1, sizeof *r);

	if (r == NULL)
		return NULL;
	r->base = base;
	r->conf = conf;
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
