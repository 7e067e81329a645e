/*
 * status.c - the processes, for `sallyport status`.
 */
#include <sys/wait.h>

#include <stdio.h>
#include <unistd.h>

#include "master/master.h"

static void
send_row(struct child *to, uint32_t id, const struct msg_process *row)
{
	msg_process_put(channel_begin(to->channel, MASTER_PROCESS, id), row);
	(void)channel_send(to->channel, -1);
}

static void
add_counter(struct msg_counters *c, const char *name, uint64_t value)
{
	snprintf(c->c[c->n].name, sizeof c->c[c->n].name, "%s", name);
	c->c[c->n++].value = value;
}

static void
tell_of_master(struct child *to, uint32_t id, int64_t now)
{
	const struct master *m = to->master;
	struct msg_process row = { .kind = PEER_MASTER,
		.state = PROCESS_RUNNING,
		.generation = m->current->number,
		.pid = (uint32_t)getpid(),
		.age = (uint32_t)(now - m->started) };

	add_counter(&row.counters, "descriptors", m->descriptors);
	add_counter(&row.counters, "descriptors_needed",
	    descriptors_needed(&m->current->conf));
	send_row(to, id, &row);
}

static enum process_state
state_of(const struct child *c)
{
	if (c->pid <= 0)
		return PROCESS_GONE;
	if (c->role == ROLE_NEXT)
		return PROCESS_COMING;
	if (c->role == ROLE_RETIRING)
		return PROCESS_RETIRING;
	return c->ready ? PROCESS_RUNNING : PROCESS_STARTING;
}

static void
tell_of(struct child *to, uint32_t id, const struct child *c, int64_t now)
{
	struct msg_process row = { .kind = c->kind,
		.state = state_of(c),
		.generation = c->generation->number,
		.instance = c->instance,
		.pid = (uint32_t)c->pid,
		.restarts = c->restarts,
		.age = c->pid > 0 ? (uint32_t)(now - c->started) : 0,
		.died = c->died,
		.counters = c->counters };

	if (c->died) {
		row.died_ago = (uint32_t)(now - c->died_at);
		if (WIFSIGNALED(c->died_status))
			row.died_signal = (uint32_t)WTERMSIG(c->died_status);
		else
			row.died_status = (uint32_t)WEXITSTATUS(c->died_status);
	}
	send_row(to, id, &row);
}

void
status_tell(struct child *to, uint32_t id)
{
	int64_t now = master_now();
	const struct child *c;

	tell_of_master(to, id, now);
	TAILQ_FOREACH (c, &to->master->children, link)
		tell_of(to, id, c, now);
}
