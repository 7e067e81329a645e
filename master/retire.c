/*
 * retire.c - the processes of a generation that is no longer current.
 *
 * smtpds finish their sessions and agents what they were given; lookup and
 * resolver serve them until the last one has gone.  What takes longer than
 * RETIRE_SECONDS is ended as at the end of the service: sessions by 421,
 * deliveries by "later".
 */
#include "common/bytes/log.h"
#include "common/run/process.h"
#include "master/master.h"

/* They have no work of their own. */
static bool
serves_others(enum peer kind)
{
	return kind == PEER_LOOKUP || kind == PEER_RESOLVER;
}

static bool
is_old(const struct child *c)
{
	return c->generation != c->master->current && c->role != ROLE_NEXT;
}

/* One without a process has nothing to finish. */
static void
retire(struct child *c)
{
	evtimer_del(c->restart);
	c->role = ROLE_RETIRING;
	if (c->pid <= 0)
		child_free(c);
	else if (!c->ready || c->channel == NULL)
		child_kill(c);
	else
		messages_send(c, MASTER_RETIRE, 0);
}

void
retire_generation(struct master *m, struct generation *g)
{
	struct child *c, *next;

	g->retired = master_now();
	generation_close_listeners(g);
	/* Those for a session have one, or are about to get it. */
	TAILQ_FOREACH_SAFE (c, &m->children, link, next)
		if (c->generation == g && c->role == ROLE_PLACE &&
		    !serves_others(c->kind))
			retire(c);
	retire_watch(m);
}

static void
end(struct child *c)
{
	if (c->stopped != 0)
		return;
	c->stopped = master_now();
	if (c->ready && c->channel != NULL)
		messages_send(c, MASTER_STOP, 0);
	else
		child_kill(c);
}

static bool
is_needed(const struct child *c)
{
	const struct child *other;

	TAILQ_FOREACH (other, &c->master->children, link)
		if (other->generation == c->generation &&
		    !serves_others(other->kind))
			return true;
	return false;
}

static void
end_late(struct child *c, int64_t now)
{
	if (c->stopped != 0 && now - c->stopped > STOP_SECONDS && !c->killed) {
		log_warn("killed", log_str("process", peer_name(c->kind)),
		    log_num("pid", c->pid),
		    log_str("reason", "did not stop in time"));
		child_kill(c);
	} else if (!serves_others(c->kind) &&
	    now - c->generation->retired >= RETIRE_SECONDS)
		end(c);
}

/* Many reloads in a row, each with its processes: the oldest is not waited for
 * any longer.  Older generations stand first. */
static void
bound(struct master *m)
{
	const struct generation *last = NULL;
	struct generation *first = NULL;
	struct child *c;
	size_t n = 0;

	TAILQ_FOREACH (c, &m->children, link) {
		if (!is_old(c) || c->generation == last)
			continue;
		last = c->generation;
		if (c->generation->retired != INT64_MIN / 2 && n++ == 0)
			first = c->generation;
	}
	if (n > OLD_MAX)
		first->retired = INT64_MIN / 2;
}

void
retire_watch(struct master *m)
{
	int64_t now = master_now();
	struct child *c, *next;

	if (m->phase != PHASE_RUNNING)
		return;
	bound(m);
	TAILQ_FOREACH_SAFE (c, &m->children, link, next) {
		if (!is_old(c))
			continue;
		if (c->role == ROLE_PLACE && !is_needed(c)) {
			evtimer_del(c->restart);
			c->role = ROLE_RETIRING;
			if (c->pid <= 0) {
				child_free(c);
				continue;
			}
			end(c);
		}
		end_late(c, now);
	}
}
