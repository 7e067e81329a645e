/*
 * dispatch.c - what is due is asked about, what has a route is handed out.
 *
 * Called once by the loop after whatever may have made something due, and by
 * the clock.  A round is bounded by the windows of lookup and the agents,
 * whatever is waiting.
 */
#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "queue/queue.h"

/* The clock may be set; no sleep is longer than this. */
#define SLEEP_MAX 60

uint64_t
queue_now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

int64_t
queue_now(void)
{
	return (int64_t)(queue_now_us() / 1000000);
}

int
queue_zone(int64_t t)
{
	time_t when = (time_t)t;
	struct tm tm;

	return localtime_r(&when, &tm) != NULL ? (int)(tm.tm_gmtoff / 60) : 0;
}

int64_t
queue_accepted(const struct message *m)
{
	return (int64_t)(id_time(m->id) / 1000000);
}

/* --- the loop ----------------------------------------------------------------
 */

static bool
may_ask(const struct queue *q)
{
	return lookup_ready(q) && store_writable(q->store) &&
	    !store_busy(q->store) && !q->process->stopping;
}

static void
ask(struct queue *q)
{
	struct recipient *r;

	/* Some are given up instead, so that the window alone is no bound. */
	for (size_t n = 0; may_ask(q); n++) {
		if (n == QUEUE_LOOKUP_WINDOW) {
			queue_pump(q);
			return;
		}
		r = schedule_ask(q->schedule, queue_now());
		if (r == NULL)
			return;
		lookup_ask(q, r);
	}
}

/* Something waits for an agent that does not read. */
static bool
is_stuck(const struct queue *q)
{
	const struct agent *a;

	LIST_FOREACH(a, &q->agents, link)
	if (channel_backlog(a->channel) > 0)
		return true;
	return false;
}

/* When the next is due that can be asked about; other waits end by an event. */
static void
sleep_until_due(struct queue *q)
{
	int64_t next = INT64_MAX, now = (int64_t)queue_now_us();
	int64_t wait = (int64_t)SLEEP_MAX * 1000000;
	struct timeval tv;

	if (may_ask(q))
		next = schedule_next(q->schedule);
	if (next < INT64_MAX / 1000000 && next * 1000000 - now < wait)
		wait = next * 1000000 - now;
	if ((!TAILQ_EMPTY(&q->unrecorded) || !store_writable(q->store) ||
		is_stuck(q)) &&
	    wait > 1000000)
		wait = 1000000;
	if (wait < 1000)
		wait = 1000;
	tv.tv_sec = (time_t)(wait / 1000000);
	tv.tv_usec = (suseconds_t)(wait % 1000000);
	event_add(q->pump, &tv);
}

static void
dispatch(evutil_socket_t fd, short what, void *arg)
{
	struct queue *q = arg;

	(void)fd;
	(void)what;
	outcome_retry(q);
	if (q->process->stopping)
		queue_close_if_idle(q);
	else if (store_writable(q->store)) {
		ask(q);
		for (size_t i = 0; i < ROUTE_AGENT_END; i++)
			if (agent_serving(q, i) != NULL)
				hand_out(agent_serving(q, i));
	}
	sleep_until_due(q);
}

void
queue_pump(struct queue *q)
{
	event_active(q->pump, EV_TIMEOUT, 1);
}

void
dispatch_begin(struct queue *q)
{
	buf_init(&q->prefix, IPC_BODY_MAX);
	q->pump = evtimer_new(q->base, dispatch, q);
	if (q->pump == NULL)
		fatalx("dispatch", "no event");
	/* Above all that a queue before this one can have given out. */
	q->last_attempt =
	    id_next(index_highest(store_index(q->store)), queue_now_us());
}
