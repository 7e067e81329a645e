/*
 * waiters.c - the commands that wait for the end of a reload.
 */
#include "master/master.h"

static struct child *
control_of(struct master *m, uint32_t instance)
{
	struct child *c;

	TAILQ_FOREACH (c, &m->children, link)
		if (c->kind == PEER_CONTROL && c->instance == instance &&
		    c->channel != NULL)
			return c;
	return NULL;
}

void
waiters_tell(struct master *m, const struct msg_line *line)
{
	for (size_t i = 0; i < m->reload.nwaiters; i++) {
		const struct waiter *w = &m->reload.waiters[i];
		struct child *c = control_of(m, w->control);

		if (c == NULL || w->next)
			continue;
		msg_line_put(
		    channel_begin(c->channel, MASTER_LINE, w->id), line);
		(void)channel_send(c->channel, -1);
	}
}

void
waiters_answer(struct master *m, enum reply_name name)
{
	struct reload *r = &m->reload;
	size_t left = 0;

	for (size_t i = 0; i < r->nwaiters; i++) {
		struct waiter *w = &r->waiters[i];
		struct child *c = control_of(m, w->control);

		if (w->next)
			r->waiters[left++] =
			    (struct waiter){ w->control, w->id, .next = false };
		else if (c != NULL)
			messages_done(c, w->id, name);
	}
	r->nwaiters = left;
}

void
reload_asked(struct child *control, uint32_t id)
{
	struct reload *r = &control->master->reload;

	if (r->nwaiters == WAITERS_MAX) {
		messages_done(control, id, R_UNAVAILABLE);
		return;
	}
	/* What it has changed may not have been read by the one under way. */
	r->waiters[r->nwaiters++] = (struct waiter){ control->instance, id,
		.next = r->stage != RELOAD_NONE };
	reload_begin(control->master, "command");
}

void
waiters_join(struct master *m)
{
	for (size_t i = 0; i < m->reload.nwaiters; i++)
		m->reload.waiters[i].next = false;
}
