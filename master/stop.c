/*
 * stop.c - the end of the service, in order and in time.
 *
 * First those who are reached from outside or deliver: they say 421, finish
 * what is under way and record it with queue.  Then queue and whom it asks.
 * Logger last, so that it tells of all others.
 */
#include <signal.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "common/run/process.h"
#include "master/master.h"

_Static_assert(STOP_FINISH < STOP_LAST && STOP_LAST < STOP_SECONDS,
    "three groups end one after the other");

enum group { GROUP_FIRST, GROUP_LAST, GROUP_LOGGER };

static enum group
group_of(enum peer kind)
{
	switch (kind) {
	case PEER_LOGGER:
		return GROUP_LOGGER;
	case PEER_QUEUE:
	case PEER_LOOKUP:
	case PEER_RESOLVER:
		return GROUP_LAST;
	default:
		return GROUP_FIRST;
	}
}

static bool
group_gone(const struct master *m, enum group group)
{
	const struct child *c;

	TAILQ_FOREACH (c, &m->children, link)
		if (c->pid > 0 && group_of(c->kind) == group)
			return false;
	return true;
}

static void
group_stop(struct master *m, enum group group)
{
	struct child *c;

	TAILQ_FOREACH (c, &m->children, link) {
		if (c->pid <= 0 || group_of(c->kind) != group)
			continue;
		/* One that is still starting has nothing to finish, and would
		 * not listen. */
		if (c->channel == NULL || (!c->ready && group != GROUP_LOGGER))
			child_kill(c);
		else
			messages_send(c, MASTER_STOP, 0);
	}
}

static void
group_kill(struct master *m, enum group group)
{
	struct child *c;

	TAILQ_FOREACH (c, &m->children, link) {
		if (c->pid <= 0 || group_of(c->kind) != group)
			continue;
		log_warn("killed", log_str("process", peer_name(c->kind)),
		    log_num("pid", c->pid),
		    log_str("reason", "did not stop in time"));
		child_kill(c);
	}
}

/* All pipes end, and logger with the last of them. */
static void
close_logs(struct master *m)
{
	struct child *c;

	log_info("stopped", log_num("status", m->status));
	dup2(m->err, STDERR_FILENO);
	close(m->log[1]);
	close(m->log[0]);
	TAILQ_FOREACH (c, &m->children, link)
		child_log_close(c);
}

void
stop_go_on(struct master *m)
{
	if (!m->stop_last && group_gone(m, GROUP_FIRST)) {
		m->stop_last = true;
		group_stop(m, GROUP_LAST);
	}
	if (m->stop_last && !m->stop_logger && group_gone(m, GROUP_LAST)) {
		m->stop_logger = true;
		close_logs(m);
		group_stop(m, GROUP_LOGGER);
	}
	if (m->stop_logger && group_gone(m, GROUP_LOGGER))
		event_base_loopexit(m->base, NULL);
}

/* Seconds after the order: who of which group has had its time. */
static const struct {
	enum group group;
	int64_t second;
} limits[] = {
	{ GROUP_FIRST, STOP_FINISH },
	{ GROUP_LAST, STOP_LAST },
	{ GROUP_LOGGER, STOP_SECONDS },
};
#define NLIMITS (sizeof limits / sizeof limits[0])

static void
next_limit(struct master *m)
{
	int64_t before =
	    m->stop_limits > 0 ? limits[m->stop_limits - 1].second : 0;
	const struct timeval t = { .tv_sec =
				       limits[m->stop_limits].second - before };

	evtimer_add(m->stop_limit, &t);
}

void
stop_limit_reached(struct master *m)
{
	group_kill(m, limits[m->stop_limits].group);
	if (++m->stop_limits < NLIMITS)
		next_limit(m);
}

/* A new master may be waiting for their names. */
static void
close_sockets(const struct master *m)
{
	generation_close_listeners(m->current);
	control_remove(m);
	submit_remove(m);
	outside_remove(m);
	close(m->control);
	close(m->submit);
	event_del(m->outside_readable);
	close(m->outside);
}

void
stop_begin(struct master *m, int status)
{
	struct child *c;

	if (m->phase == PHASE_STOPPING)
		return;
	m->phase = PHASE_STOPPING;
	m->status = status;
	notify(&m->notify, "STOPPING=1");
	notify_status(m);
	evtimer_del(m->start_limit);
	reload_abandon(m);
	TAILQ_FOREACH (c, &m->children, link)
		if (!c->outside)
			evtimer_del(c->restart);
	close_sockets(m);
	next_limit(m);
	group_stop(m, GROUP_FIRST);
	stop_go_on(m);
}
