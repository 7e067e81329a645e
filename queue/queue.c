/*
 * queue.c - from the store to the scheduler: what is there, what changed; and
 * the end, when nothing more is to be recorded.
 */
#include "common/bytes/log.h"
#include "queue/given.h"
#include "queue/queue.h"

/* --- what the store tells ----------------------------------------------------
 */

void
queue_unschedule(struct queue *q, struct recipient *r)
{
	if (r->phase == PHASE_ROUTING) {
		pending_forget(q->asked, r);
		expand_forget(q, r);
	}
	schedule_remove(q->schedule, r);
}

/* Not later than now: an id is never below the one before it, so it is ahead of
 * a clock that was set back. */
static int64_t
first_due(const struct message *m)
{
	int64_t accepted = queue_accepted(m), now = queue_now();

	return accepted < now ? accepted : now;
}

static void
plan(struct queue *q, struct message *m)
{
	for (uint32_t i = 0; i < m->nrcpts; i++)
		if (m->rcpts[i].state == RCPT_WAITING)
			schedule_add(q->schedule, &m->rcpts[i],
			    m->rcpts[i].next != 0 ? m->rcpts[i].next
						  : first_due(m));
}

static void
on_added(void *arg, struct message *m)
{
	plan(arg, m);
	queue_pump(arg);
}

void
queue_again(struct queue *q, struct recipient *r, int64_t due)
{
	struct message *m = r->message;
	uint32_t index = (uint32_t)(r - m->rcpts);

	schedule_add(q->schedule, r, due);
	if (r->doomed)
		outcome_order(q, m, 1, &index, r->doomed, "", NULL, NULL);
}

static void
on_changed(void *arg, struct message *m, uint32_t index)
{
	struct queue *q = arg;
	struct recipient *r = &m->rcpts[index];

	if (r->state != RCPT_WAITING)
		queue_unschedule(q, r);
	else if (r->phase == PHASE_RECORDING)
		queue_again(q, r, r->next);
	queue_pump(q);
}

/* What is under way, or on its way to the disk, goes on: see on_changed. */
static void
on_ordered(void *arg, struct message *m, uint32_t index, enum record_type type)
{
	struct queue *q = arg;
	struct recipient *r = &m->rcpts[index];

	if (type == RECORD_RETRY)
		schedule_retry(q->schedule, r, queue_now());
	else if (type == RECORD_HOLD && r->phase != PHASE_ACTIVE &&
	    r->phase != PHASE_RECORDING)
		queue_unschedule(q, r);
	else if (type == RECORD_RELEASE && r->phase == PHASE_NONE)
		schedule_add(q->schedule, r, queue_now());
	queue_pump(q);
}

static void
on_gone(void *arg, struct message *m)
{
	struct queue *q = arg;

	given_forget(q->given, m->id);
	for (uint32_t i = 0; i < m->nrcpts; i++)
		queue_unschedule(q, &m->rcpts[i]);
}

static void
on_ready(void *arg)
{
	smtpd_throttle(arg);
	queue_pump(arg);
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
	const struct agent *a;

	LIST_FOREACH(a, &q->agents, link)
	if (schedule_delivery_of(q->schedule, a) != NULL)
		return;
	if (q->outcomes == 0)
		close_store(q);
}

/* --- the beginning ------------------------------------------------------------
 */

/* What was there before: any of it may have been under way, and done, when the
 * queue before this one ended. */
void
queue_plan(struct queue *q)
{
	const struct index_hooks hooks = { .added = on_added,
		.changed = on_changed,
		.ordered = on_ordered,
		.gone = on_gone,
		.arg = q };
	struct index *ix = store_index(q->store);

	for (struct message *m = index_first(ix); m != NULL;
	     m = index_after(ix, m->id)) {
		for (uint32_t i = 0; i < m->nrcpts; i++)
			m->rcpts[i].maybe = true;
		plan(q, m);
	}
	index_hooks(ix, &hooks);
	store_on_ready(q->store, on_ready, q);
	store_on_admission(q->store, smtpd_tell, q);
	q->limit = evtimer_new(q->base, on_limit, q);
	if (q->limit == NULL)
		fatalx("queue", "no events");
}
