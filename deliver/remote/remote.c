/*
 * remote.c - the process: its peers, its stop, and the hand-outs of queue from
 * DELIVER to RECORDED; see msg/queue_agent.h.
 */
#include <time.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "deliver/remote/destination.h"

int64_t
remote_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- results --------------------------------------------------------------
 */

static void
count(struct remote *r, const struct outcome *o)
{
	switch (reply_class(&o->reply)) {
	case 2:
		r->counters.delivered += o->n;
		break;
	case 4:
		r->counters.deferred += o->n;
		break;
	default:
		r->counters.refused += o->n;
	}
}

static void
log_outcome(const struct delivery *v, const struct outcome *o)
{
	char text[REPLY_LINE_MAX];

	reply_text(text, sizeof text, &o->reply);
	for (uint32_t i = 0; i < o->n; i++)
		log_info("attempt", log_id("id", v->d.handout.message),
		    log_span("to", v->d.rcpts[o->rcpts[i]].address),
		    log_str("host", o->host), log_str("reply", text),
		    log_num("seconds", (remote_now() - v->since) / 1000));
}

static void
send_outcome(struct remote *r, const struct delivery *v,
    const struct outcome *o, bool last)
{
	struct msg_result m = {
		.handout = v->d.handout,
		.nrcpts = o->n,
		.reply = o->reply,
		.last = last,
	};

	memcpy(m.host, o->host, sizeof m.host);
	for (uint32_t i = 0; i < o->n; i++)
		m.rcpts[i] = v->d.rcpts[o->rcpts[i]].index;
	msg_result_put(channel_begin(r->queue, AGENT_RESULT, 0), &m);
	/* A channel that fails is closed from the loop; the results are kept.
	 */
	(void)channel_send(r->queue, -1);
}

static void
send_results(struct remote *r, const struct delivery *v)
{
	for (uint32_t i = 0; i < v->noutcomes; i++)
		send_outcome(r, v, &v->outcomes[i], i + 1 == v->noutcomes);
}

void
remote_complete(struct remote *r, struct delivery *v)
{
	r->nactive--;
	hosts_release(v->hosts);
	v->hosts = NULL;
	for (uint32_t i = 0; i < v->noutcomes; i++) {
		count(r, &v->outcomes[i]);
		log_outcome(v, &v->outcomes[i]);
	}
	delivery_drop_content(v);
	if (r->greeted)
		send_results(r, v);
}

/* ---- queue ----------------------------------------------------------------
 */

static struct delivery *
find(struct remote *r, const struct handout *h)
{
	struct delivery *v;

	TAILQ_FOREACH (v, &r->deliveries, link)
		if (v->d.handout.message == h->message &&
		    v->d.handout.attempt == h->attempt)
			return v;
	return NULL;
}

static int
on_deliver(void *arg, struct ipc_msg *m)
{
	struct remote *r = arg;
	struct msg_deliver d;
	struct delivery *v;

	if (msg_deliver_get(m, &d) == -1 ||
	    route_agent(&d.route) != ROUTE_REMOTE ||
	    find(r, &d.handout) != NULL || r->nactive >= REMOTE_WINDOW ||
	    r->ndeliveries >= REMOTE_DELIVERIES_MAX)
		return -1;
	v = delivery_new(&d, m, remote_now());
	if (v == NULL) {
		/* No memory to say so in: queue sees a lost agent. */
		return -1;
	}
	TAILQ_INSERT_TAIL(&r->deliveries, v, link);
	r->ndeliveries++;
	r->nactive++;
	destination_deliver(r, v);
	return 0;
}

/* One that retires may be given more until queue has gone, which it does when
 * all is recorded; another one comes where it merely died. */
static void
exit_if_done(struct remote *r)
{
	const struct process *p = r->process;
	struct destination *n;

	if (r->ndeliveries > 0 ||
	    !(p->stopping || (p->retiring && r->queue == NULL)))
		return;
	LIST_FOREACH(n, &r->destinations, link)
	destination_stop(n, false);
	process_exit(r->process);
}

static void
forget(struct remote *r, struct delivery *v)
{
	TAILQ_REMOVE(&r->deliveries, v, link);
	r->ndeliveries--;
	delivery_free(v);
	exit_if_done(r);
}

static int
on_recorded(void *arg, struct ipc_msg *m)
{
	struct remote *r = arg;
	struct msg_recorded done;
	struct delivery *v;

	if (msg_recorded_get(m, &done) == -1)
		return -1;
	v = find(r, &done.handout);
	if (v == NULL || !delivery_complete(v))
		return -1;
	forget(r, v);
	return 0;
}

static const struct ipc_rule from_queue[] = {
	{ AGENT_DELIVER, IPC_ANY_PHASE, IPC_FD_MAYBE, on_deliver },
	{ AGENT_RECORDED, IPC_ANY_PHASE, IPC_FD_NEVER, on_recorded },
};

/* Deliveries go on; their results wait for a new queue. */
static void
on_queue_closed(void *arg, bool bad)
{
	struct remote *r = arg;

	r->queue = NULL;
	r->greeted = false;
	if (bad)
		process_complain(r->process, PEER_QUEUE, r->queue_instance);
	exit_if_done(r);
}

static const struct channel_ops queue_ops = {
	.rules = from_queue,
	.nrules = sizeof from_queue / sizeof from_queue[0],
	.closed = on_queue_closed,
};

static void
tell_underway(struct remote *r, const struct delivery *v)
{
	struct msg_underway m = {
		.handout = v->d.handout,
		.nrcpts = v->d.nrcpts,
	};

	for (uint32_t i = 0; i < m.nrcpts; i++)
		m.rcpts[i] = v->d.rcpts[i].index;
	msg_underway_put(channel_begin(r->queue, AGENT_UNDERWAY, 0), &m);
	(void)channel_send(r->queue, -1);
}

/*
 * A new queue hears what is under way, then how much we take, then the results
 * that nobody recorded.  That waits until there is a resolver: a delivery that
 * cannot look up its host would only come back.
 */
static void
greet(struct remote *r)
{
	const struct msg_hello hello = { .window = REMOTE_WINDOW };
	struct delivery *v;

	if (r->queue == NULL || r->resolver == NULL || r->greeted)
		return;
	r->greeted = true;
	TAILQ_FOREACH (v, &r->deliveries, link)
		tell_underway(r, v);
	msg_hello_put(channel_begin(r->queue, AGENT_HELLO, 0), &hello);
	(void)channel_send(r->queue, -1);
	TAILQ_FOREACH (v, &r->deliveries, link)
		if (delivery_complete(v))
			send_results(r, v);
}

/* ---- resolver -------------------------------------------------------------
 */

static int
on_answer(void *arg, struct ipc_msg *m)
{
	static struct msg_dns_answer a; /* large, and used within this call */
	struct remote *r = arg;
	struct destination *n;

	if (msg_dns_answer_get(m, &a) == -1)
		return -1;
	n = pending_take(r->asks, m->id);
	if (n != NULL)
		destination_answer(n, &a);
	return 0;
}

static void
on_no_answer(void *arg, void *request)
{
	(void)arg;
	destination_answer(request, NULL);
}

static const struct ipc_rule from_resolver[] = {
	{ DNS_ANSWER, IPC_ANY_PHASE, IPC_FD_NEVER, on_answer },
};

static void
on_resolver_closed(void *arg, bool bad)
{
	struct remote *r = arg;

	r->resolver = NULL;
	if (bad)
		process_complain(
		    r->process, PEER_RESOLVER, r->resolver_instance);
	pending_fail_all(r->asks);
}

static const struct channel_ops resolver_ops = {
	.rules = from_resolver,
	.nrules = sizeof from_resolver / sizeof from_resolver[0],
	.closed = on_resolver_closed,
};

/* ---- process --------------------------------------------------------------
 */

static void
prepare(struct process *p)
{
	struct remote *r = p->state;

	r->process = p;
	TAILQ_INIT(&r->deliveries);
	TAILQ_INIT(&r->spare);
	LIST_INIT(&r->destinations);
}

static void
on_stop_timer(evutil_socket_t fd, short what, void *arg)
{
	struct remote *r = arg;
	struct destination *n;

	(void)fd;
	(void)what;
	LIST_FOREACH(n, &r->destinations, link)
	destination_stop(n, true);
}

static void
begin(struct process *p)
{
	struct remote *r = p->state;

	r->asks = pending_new(p->base, REMOTE_RESOLVER_WINDOW,
	    REMOTE_RESOLVER_SECONDS, on_no_answer, r);
	r->stop_timer = evtimer_new(p->base, on_stop_timer, r);
	if (r->asks == NULL || r->stop_timer == NULL)
		fatal("events");
}

/* In an old one's place, if there was one. */
static void
peer(struct process *p, enum peer kind, uint32_t instance, int fd)
{
	struct remote *r = p->state;
	bool queue = kind == PEER_QUEUE;
	struct channel **slot = queue ? &r->queue : &r->resolver;

	if (kind != PEER_QUEUE && kind != PEER_RESOLVER) {
		close(fd);
		return;
	}
	channel_free(*slot);
	*slot = channel_new(
	    p->base, fd, kind, queue ? &queue_ops : &resolver_ops, r);
	if (*slot == NULL) {
		log_warn("no_channel", log_str("peer", peer_name(kind)));
		close(fd);
	}
	if (queue) {
		r->queue_instance = instance;
		r->greeted = false;
	} else {
		r->resolver_instance = instance;
		pending_fail_all(r->asks); /* asked of the old one */
	}
	greet(r);
}

static void
retire(struct process *p)
{
	exit_if_done(p->state);
}

/* Hand-outs that are in the dialogue have STOP_FINISH seconds; the others end
 * now.  We go when queue has recorded all. */
static void
stop(struct process *p)
{
	static const struct timeval finish = { .tv_sec = STOP_FINISH };
	struct remote *r = p->state;
	struct destination *n;

	event_add(r->stop_timer, &finish);
	LIST_FOREACH(n, &r->destinations, link)
	destination_stop(n, false);
	if (r->ndeliveries == 0)
		process_exit(p);
}

static void
status(
    struct process *p, void (*add)(void *, const char *, uint64_t), void *arg)
{
	const struct remote *r = p->state;

	add(arg, "delivered", r->counters.delivered);
	add(arg, "deferred", r->counters.deferred);
	add(arg, "refused", r->counters.refused);
	add(arg, "under_way", r->nactive);
	add(arg, "connected", r->nconnections);
	add(arg, "connections", r->counters.connections);
	add(arg, "reused", r->counters.reused);
}

const struct process_ops remote_ops = {
	.kind = PEER_REMOTE,
	.prepare = prepare,
	.sandbox = remote_sandbox,
	.begin = begin,
	.peer = peer,
	.retire = retire,
	.stop = stop,
	.status = status,
};
