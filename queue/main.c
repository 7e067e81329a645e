/*
 * main.c - the process queue: takes messages, keeps them, has them delivered.
 */
#include <sys/resource.h>

#include <unistd.h>

#include "common/bytes/log.h"
#include "queue/queue.h"
#include "queue/sandbox.h"

/* Hand-outs of one mailbox at once. */
#define PER_MAILBOX 4

/* --- what the store tells ----------------------------------------------------
 */

void
queue_unschedule(struct queue *q, struct recipient *r)
{
	if (r->phase == PHASE_ROUTING)
		pending_forget(q->asked, r);
	schedule_remove(q->schedule, r);
}

/* A message whose content was lost stays for an administrator to see. */
static void
plan(struct queue *q, struct message *m)
{
	for (uint32_t i = 0; i < m->nrcpts; i++)
		if (m->rcpts[i].state == RCPT_WAITING &&
		    (m->flags & MESSAGE_DAMAGED) == 0)
			schedule_add(
			    q->schedule, &m->rcpts[i], m->rcpts[i].next);
}

static void
on_added(void *arg, struct message *m)
{
	plan(arg, m);
	queue_pump(arg);
}

static void
on_changed(void *arg, struct message *m, uint32_t index)
{
	struct queue *q = arg;
	struct recipient *r = &m->rcpts[index];

	if (r->state != RCPT_WAITING)
		queue_unschedule(q, r);
	else if (r->phase == PHASE_RECORDING) {
		schedule_add(q->schedule, r, r->next);
		if (r->doomed)
			outcome_delete(q, r, "");
	}
	queue_pump(q);
}

static void
on_gone(void *arg, struct message *m)
{
	for (uint32_t i = 0; i < m->nrcpts; i++)
		queue_unschedule(arg, &m->rcpts[i]);
}

static void
on_ready(void *arg)
{
	smtpd_throttle(arg);
}

/* --- the end -----------------------------------------------------------------
 */

static void
on_store_closed(void *arg)
{
	struct queue *q = arg;

	process_exit(q->process);
}

static void
close_store(struct queue *q)
{
	if (q->closing)
		return;
	q->closing = true;
	store_close(q->store, on_store_closed, q);
}

static void
on_limit(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	close_store(arg);
}

void
queue_close_if_idle(struct queue *q)
{
	for (size_t i = 0; i < ROUTE_AGENT_END; i++)
		if (schedule_delivery_of(q->schedule, i) != NULL)
			return;
	if (q->outcomes == 0)
		close_store(q);
}

/* --- set-up ------------------------------------------------------------------
 */

/* Every large content that is coming in or going out is a descriptor. */
static void
raise_descriptors(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) == -1)
		fatal("getrlimit");
	l.rlim_cur = l.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &l) == -1)
		fatal("setrlimit");
}

static void
prepare(struct process *p)
{
	static struct queue state;

	p->state = &state;
	state.process = p;
	state.base = p->base;
	state.conf = p->conf;
	LIST_INIT(&state.smtpds);
	TAILQ_INIT(&state.unrecorded);
	raise_descriptors();
}

static uint32_t
at_least_one(uint32_t n)
{
	return n > 0 ? n : 1;
}

static void
open_store(struct process *p)
{
	struct queue *q = p->state;
	const struct conf *c = p->conf;
	const struct store_options options = { .spool = c->spool,
		.segment_size = c->segment_size,
		.reserve = c->spool_reserve,
		.history = c->history,
		.history_size = c->history_size };

	q->store = store_open(&options);
	store_threads(q->store);
}

static void
make_schedule(struct queue *q)
{
	const struct conf *c = q->conf;
	const struct schedule_limits limits = {
		.retry_first = c->retry_first,
		.retry_max = c->retry_max,
		.expire = c->expire,
		.in_all = { [ROUTE_LOCAL] = at_least_one(c->local_concurrency),
		    [ROUTE_REMOTE] = AGENT_WINDOW },
		.of_one = { [ROUTE_LOCAL] = PER_MAILBOX,
		    [ROUTE_REMOTE] = at_least_one(c->host_concurrency) },
	};

	q->schedule = schedule_new(&limits);
	if (q->schedule == NULL)
		fatal("schedule");
}

/* What was there before: any of it may have been under way, and done, when the
 * queue before this one ended. */
static void
plan_all(struct queue *q)
{
	struct index *ix = store_index(q->store);

	for (struct message *m = index_first(ix); m != NULL;
	     m = index_after(ix, m->id)) {
		for (uint32_t i = 0; i < m->nrcpts; i++)
			m->rcpts[i].maybe = true;
		plan(q, m);
	}
}

static void
begin(struct process *p)
{
	struct queue *q = p->state;
	const struct index_hooks hooks = { .added = on_added,
		.changed = on_changed,
		.gone = on_gone,
		.arg = q };

	make_schedule(q);
	dispatch_begin(q);
	lookup_begin(q);
	q->limit = evtimer_new(q->base, on_limit, q);
	if (q->limit == NULL)
		fatalx("queue", "no events");
	plan_all(q);
	index_hooks(store_index(q->store), &hooks);
	store_on_ready(q->store, on_ready, q);
	store_on_admission(q->store, smtpd_tell, q);
	store_begin(q->store, q->base);
	queue_pump(q);
}

static void
peer(struct process *p, enum peer kind, uint32_t instance, int fd)
{
	struct queue *q = p->state;

	switch (kind) {
	case PEER_SMTPD:
		smtpd_peer(q, instance, fd);
		break;
	case PEER_LOOKUP:
		lookup_peer(q, instance, fd);
		break;
	case PEER_LOCAL:
	case PEER_REMOTE:
		agent_peer(q, kind, instance, fd);
		break;
	case PEER_CONTROL:
		control_peer(q, instance, fd);
		break;
	default:
		close(fd);
	}
}

/* Agents finish what they have; their results are still recorded. */
static void
stop(struct process *p)
{
	static const struct timeval limit = { .tv_sec = STOP_FINISH };
	struct queue *q = p->state;

	evtimer_add(q->limit, &limit);
	queue_pump(q);
}

static void
status(
    struct process *p, void (*add)(void *, const char *, uint64_t), void *arg)
{
	struct queue *q = p->state;

	add(arg, "accepted", q->accepted);
	add(arg, "delivered", q->delivered);
	add(arg, "deferred", q->deferred);
	add(arg, "failed", q->failed);
	add(arg, "bounces", q->bounced);
	add(arg, "waiting", schedule_count(q->schedule, PHASE_WAITING));
	add(arg, "queued", schedule_count(q->schedule, PHASE_QUEUED));
	add(arg, "active", schedule_count(q->schedule, PHASE_ACTIVE));
	add(arg, "destinations", schedule_destinations(q->schedule));
	store_status(q->store, add, arg);
}

static const struct process_ops ops = {
	.kind = PEER_QUEUE,
	.prepare = prepare,
	.sandbox = queue_sandbox,
	.threads = open_store,
	.begin = begin,
	.peer = peer,
	.stop = stop,
	.status = status,
};

int
main(int argc, char **argv)
{
	return process_main(&ops, NULL, argc, argv);
}
