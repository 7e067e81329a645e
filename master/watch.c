/*
 * watch.c - who still answers: pings, and the service manager's watchdog.
 *
 * A process that does not answer is killed, and replaced as any that dies.  The
 * watchdog is for master itself and for what it cannot mend, so it is fed only
 * when all have answered since it was fed last.
 */
#include "common/bytes/log.h"
#include "master/master.h"

void
child_ping(struct child *c)
{
	bool starting = !c->ready && master_now() - c->started <= START_SECONDS;

	if (c->channel != NULL && starting)
		return;
	/* Without a channel it can neither be asked nor told to stop. */
	if (c->channel == NULL || !c->ready ||
	    child_unanswered(c) >= PINGS_MAX) {
		log_error("hung", log_str("process", peer_name(c->kind)),
		    log_num("pid", c->pid));
		child_kill(c);
		return;
	}
	messages_send(c, MASTER_PING, ++c->asked);
}

unsigned
child_unanswered(const struct child *c)
{
	return c->asked - c->answered;
}

int
child_answered(struct child *c, uint32_t ping)
{
	/* Not by comparison: the numbers begin anew one day. */
	if (ping - c->answered - 1 >= c->asked - c->answered)
		return -1;
	c->answered = ping;
	return 0;
}

bool
child_late(const struct child *c)
{
	/* One question is always under way. */
	return c->ready && child_unanswered(c) >= 2;
}

static bool
is_well(const struct child *c)
{
	/* Those for a session come and go: one of them is always about to
	 * start. */
	if (c->role != ROLE_PLACE)
		return !child_late(c);
	return c->pid > 0 && c->ready &&
	    c->answered - c->fed - 1 < c->asked - c->fed;
}

bool
children_answered(struct master *m)
{
	struct child *c;

	TAILQ_FOREACH (c, &m->children, link)
		if (!is_well(c))
			return false;
	TAILQ_FOREACH (c, &m->children, link)
		c->fed = c->asked;
	return true;
}

void
children_ping(struct master *m)
{
	struct child *c;

	if (children_answered(m) && m->notify.watchdog > 0)
		notify(&m->notify, "WATCHDOG=1");
	TAILQ_FOREACH (c, &m->children, link)
		if (c->pid > 0)
			child_ping(c);
	notify_status(m);
}
