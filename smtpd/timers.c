/*
 * timers.c - time limits: one list for each kind of limit, one timer for all.
 *
 * All connections of a list have the same limit, so a list is in the order of
 * its deadlines; setting one is a move to the end, and only heads are looked
 * at.
 */
#include <time.h>

#include "common/bytes/log.h"
#include "common/msg/smtpd_queue.h"
#include "smtpd/smtpd.h"

/* Of a proxy's header, which is there at once, and of who reads our last word. */
#define LINGER_SECONDS 5

/* Coarse: no system call, and a limit is a matter of seconds. */
int64_t
timers_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return ts.tv_sec;
}

static unsigned
limit(const struct smtpd *m, enum timer timer)
{
	switch (timer) {
	case TIMER_COMMAND:
		return m->conf->command_timeout;
	case TIMER_DATA:
		return m->conf->data_timeout;
	case TIMER_PEER:
		return SMTPD_QUEUE_SECONDS;
	default:
		return LINGER_SECONDS;
	}
}

void
timers_set(struct connection *c, enum timer timer)
{
	int64_t deadline = 0;

	if (timer != TIMER_END)
		/* Whole seconds, so one more: never too early. */
		deadline = timers_now() + limit(c->m, timer) + 1;
	if (c->timer == timer && c->deadline == deadline)
		return;
	if (c->timer != TIMER_END)
		TAILQ_REMOVE(&c->m->timers[c->timer], c, timer_link);
	c->timer = timer;
	c->deadline = deadline;
	if (timer != TIMER_END)
		TAILQ_INSERT_TAIL(&c->m->timers[timer], c, timer_link);
}

static void
expire(struct smtpd *m, enum timer timer, int64_t t)
{
	struct connection *c;

	while (
	    (c = TAILQ_FIRST(&m->timers[timer])) != NULL && c->deadline <= t) {
		timers_set(c, TIMER_END);
		connection_timeout(c, timer);
	}
}

/* Of those that are not read nobody else would notice it.  Where all of the
 * message is with queue the client's end changes nothing. */
static void
bury(struct smtpd *m)
{
	struct connection *c, *next;

	TAILQ_FOREACH_SAFE (c, &m->timers[TIMER_PEER], timer_link, next)
		if ((c->wait & WAIT_ANSWER) == 0 && connection_is_dead(c)) {
			c->broken = true;
			connection_settle(c);
		}
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct smtpd *m = arg;

	(void)fd;
	(void)what;
	for (unsigned timer = 0; timer < TIMER_END; timer++)
		expire(m, timer, timers_now());
	bury(m);
	listener_hear(m);
	peers_tick(m);
}

void
timers_begin(struct smtpd *m)
{
	static const struct timeval second = { .tv_sec = 1 };

	for (unsigned timer = 0; timer < TIMER_END; timer++)
		TAILQ_INIT(&m->timers[timer]);
	event_assign(&m->tick, m->process->base, -1, EV_PERSIST, on_tick, m);
	if (event_add(&m->tick, &second) == -1)
		fatal("timer");
}
