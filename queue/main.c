/*
 * main.c - the process queue: takes messages, keeps them, has them delivered.
 */
#include <sys/resource.h>
#include <sys/stat.h>

#include <unistd.h>

#include "common/bytes/id.h"
#include "common/bytes/log.h"
#include "queue/queue.h"
#include "queue/sandbox.h"

/* Hand-outs of one mailbox at once: as many as local delivers in one batch,
 * and shares the syncs of; a small part of its window, so that one mailbox that
 * hangs does not hold up all others. */
#define PER_MAILBOX 32

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
	LIST_INIT(&state.agents);
	LIST_INIT(&state.actings);
	TAILQ_INIT(&state.unrecorded);
	raise_descriptors();
	/* The history is readable for the group of its directory (control). */
	umask(027);
}

static uint32_t
at_least_one(uint32_t n)
{
	return n > 0 ? n : 1;
}

static struct store_options
store_options(const struct conf *c)
{
	return (struct store_options){ .spool = c->spool,
		.segment_size = c->segment_size,
		.reserve = c->spool_reserve,
		.history = c->history,
		.history_size = c->history_size };
}

static void
open_store(struct process *p)
{
	struct queue *q = p->state;
	const struct store_options options = store_options(p->conf);

	q->store = store_open(&options);
	store_threads(q->store);
}

static struct schedule_limits
schedule_limits_of(const struct conf *c)
{
	return (struct schedule_limits){
		.retry_first = c->retry_first,
		.retry_max = c->retry_max,
		.expire = c->expire,
		/* Both say in HELLO how many they take. */
		.in_all = { [ROUTE_LOCAL] = AGENT_WINDOW,
		    [ROUTE_REMOTE] = AGENT_WINDOW },
		.of_one = { [ROUTE_LOCAL] = PER_MAILBOX,
		    [ROUTE_REMOTE] = at_least_one(c->host_concurrency) },
	};
}

static void
make_schedule(struct queue *q)
{
	const struct schedule_limits limits = schedule_limits_of(q->conf);

	q->schedule = schedule_new(&limits);
	if (q->schedule == NULL)
		fatal("schedule");
}

static void
begin(struct process *p)
{
	struct queue *q = p->state;

	make_schedule(q);
	dispatch_begin(q);
	lookup_begin(q);
	queue_plan(q);
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

static void
old_peer(struct process *p, enum peer kind, uint32_t instance, int fd)
{
	if (kind == PEER_LOCAL || kind == PEER_REMOTE)
		agent_old_peer(p->state, kind, instance, fd);
	else
		close(fd);
}

static void
configured(struct process *p)
{
	struct queue *q = p->state;
	const struct store_options options = store_options(p->conf);
	const struct schedule_limits limits = schedule_limits_of(p->conf);

	q->conf = p->conf;
	store_limits(q->store, &options);
	schedule_set_limits(q->schedule, &limits);
	queue_pump(q);
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

/* The age of the oldest message, in seconds. */
static uint64_t
oldest(struct queue *q)
{
	const struct message *m = index_first(store_index(q->store));
	uint64_t now = queue_now_us();

	if (m == NULL || id_time(m->id) > now)
		return 0;
	return (now - id_time(m->id)) / 1000000;
}

static void
status(
    struct process *p, void (*add)(void *, const char *, uint64_t), void *arg)
{
	struct queue *q = p->state;
	const struct reply *r = store_admission(q->store);

	add(arg, "accepted", q->accepted);
	add(arg, "delivered", q->delivered);
	add(arg, "deferred", q->deferred);
	add(arg, "failed", q->failed);
	add(arg, "bounces", q->bounced);
	add(arg, "expanded", q->expanded);
	add(arg, "waiting", schedule_count(q->schedule, PHASE_WAITING));
	add(arg, "queued", schedule_count(q->schedule, PHASE_QUEUED));
	add(arg, "active", schedule_count(q->schedule, PHASE_ACTIVE));
	add(arg, "destinations", schedule_destinations(q->schedule));
	add(arg, "oldest", oldest(q));
	add(arg, "refusing", reply_class(r) == 2 ? 0 : r->code);
	store_status(q->store, add, arg);
}

static const struct process_ops ops = {
	.kind = PEER_QUEUE,
	.prepare = prepare,
	.sandbox = queue_sandbox,
	.threads = open_store,
	.begin = begin,
	.peer = peer,
	.old_peer = old_peer,
	.configured = configured,
	.stop = stop,
	.status = status,
};

int
main(int argc, char **argv)
{
	return process_main(&ops, NULL, argc, argv);
}
