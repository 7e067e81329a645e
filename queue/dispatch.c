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

/* Seconds to wait with what could not be handed out. */
#define LATER	      60
#define DAMAGED_AGAIN 3600
/* The clock may be set; no sleep is longer than this. */
#define SLEEP_MAX      60
#define PACKET_RESERVE 4096 /* of a DELIVER, beside its spans */

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

/* --- a hand-out as a packet --------------------------------------------------
 */

/* The recipients wait, and nobody was asked. */
static void
put_off(struct queue *q, struct delivery *h, int64_t wait)
{
	int64_t due = queue_now() + wait;

	for (uint32_t i = 0; i < h->n; i++)
		if (h->rcpts[i].rcpt != NULL)
			schedule_add(q->schedule, h->rcpts[i].rcpt, due);
	agent_forget(q, h);
}

/* Its trace fields; those of the last message are kept, since the hand-outs of
 * a message with many recipients follow each other. */
static int
load_prefix(struct queue *q, const struct message *m)
{
	struct record_message record;
	struct buf b;
	int rc = -1;

	if (q->prefix_of == m->id)
		return 0;
	buf_init(&b, MESSAGE_RECORD_MAX);
	q->prefix_of = 0;
	buf_clear(&q->prefix);
	if (store_message(q->store, m, &b, &record) == 0 &&
	    buf_add_span(&q->prefix, record.prefix) == 0) {
		q->prefix_of = m->id;
		rc = 0;
	}
	buf_fini(&b);
	return rc;
}

/* Does the content go in the packet itself? */
static bool
fits(const struct queue *q, const struct msg_deliver *d)
{
	size_t n = PACKET_RESERVE + sizeof d->route + q->prefix.n + d->sender.n;

	for (uint32_t i = 0; i < d->nrcpts; i++)
		n += 8 + d->rcpts[i].address.n;
	return d->size <= DELIVER_INLINE_MAX && n + d->size <= IPC_BODY_MAX;
}

static int
send_inlined(struct queue *q, struct agent *a, struct msg_deliver *d,
    const struct content *c)
{
	struct buf b;
	int rc = -1;

	buf_init(&b, DELIVER_INLINE_MAX);
	if (content_load(q->store, c, DELIVER_INLINE_MAX, &b) == 0) {
		d->inlined = true;
		d->content = buf_span(&b);
		msg_deliver_put(channel_begin(a->channel, AGENT_DELIVER, 0), d);
		rc = channel_send(a->channel, -1);
	}
	buf_fini(&b);
	return rc;
}

static int
send_descriptor(struct queue *q, struct agent *a, struct msg_deliver *d,
    const struct content *c, struct delivery *h)
{
	int fd = content_fd(q->store, c), rc;

	if (fd == -1)
		return -1;
	msg_deliver_put(channel_begin(a->channel, AGENT_DELIVER, 0), d);
	rc = channel_send(a->channel, fd);
	if (!c->file) {
		h->memory = c->size;
		q->lent += h->memory;
	}
	close(fd);
	return rc;
}

static int
deliver(struct queue *q, struct agent *a, struct delivery *h,
    const struct route *route)
{
	const struct message *m = h->rcpts[0].rcpt->message;
	char addresses[DELIVER_RCPTS_MAX][ADDRESS_MAX + 1];
	struct msg_deliver d = { .handout = h->handout,
		.route = *route,
		.sender = span_of(m->sender),
		.body = m->body,
		.nrcpts = h->n,
		.size = m->content->size,
		.content = SPAN("") };

	if (load_prefix(q, m) == -1)
		return -1;
	d.prefix = buf_span(&q->prefix);
	for (uint32_t i = 0; i < h->n; i++) {
		const struct recipient *r = h->rcpts[i].rcpt;
		size_t n = index_address(r, addresses[i], sizeof addresses[i]);

		d.rcpts[i].index = h->rcpts[i].index;
		d.rcpts[i].address = span_from(addresses[i], n);
		d.maybe |= r->maybe;
	}
	return fits(q, &d) ? send_inlined(q, a, &d, m->content)
			   : send_descriptor(q, a, &d, m->content, h);
}

static void
undelivered(struct queue *q, struct delivery *h, int err)
{
	bool damaged = err == EBADMSG;

	log_error(damaged ? "content_damaged" : "not_handed_out",
	    log_id("id", h->handout.message), log_errno(err));
	put_off(q, h, damaged ? DAMAGED_AGAIN : LATER);
}

static void
hand_out(struct queue *q, struct agent *a)
{
	struct delivery *h;
	struct route route;

	while (a->ready && q->lent < LENT_MAX &&
	    channel_backlog(a->channel) < AGENT_BACKLOG_MAX) {
		uint64_t attempt = id_next(q->last_attempt, queue_now_us());

		h = schedule_handout(q->schedule, a->kind, attempt, &route);
		if (h == NULL)
			break;
		q->last_attempt = attempt;
		/* What a channel does not take is lost with its agent, which
		 * is told from the loop. */
		if (deliver(q, a, h, &route) == 0)
			continue;
		if (errno != EPIPE) {
			undelivered(q, h, errno);
			queue_pump(q);
		}
		break;
	}
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
	for (size_t i = 0; i < ROUTE_AGENT_END; i++)
		if (q->agents[i].channel != NULL &&
		    channel_backlog(q->agents[i].channel) > 0)
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
			hand_out(q, &q->agents[i]);
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
