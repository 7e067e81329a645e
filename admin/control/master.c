/*
 * master.c - what control asks master: the state of the processes, another
 * configuration, the end of the service.
 */
#include "admin/control/control.h"
#include "common/msg/reply.h"

void
master_ask(struct client *c, uint16_t type)
{
	struct channel *master = c->control->process->master;

	channel_begin(master, type, c->number);
	if (channel_send(master, -1) == -1)
		client_done(c, R_UNAVAILABLE);
	else
		c->waits = WAITS_MASTER;
}

static int
on_process(void *arg, struct ipc_msg *m)
{
	struct process *p = arg;
	static struct msg_process row;
	struct client *c;

	if (msg_process_get(m, &row) == -1)
		return -1;
	if ((c = clients_waiting(p->state, m->id, WAITS_MASTER)) == NULL)
		return 0;
	msg_process_put(
	    channel_begin(c->channel, CONTROL_PROCESS, c->request), &row);
	channel_send(c->channel, -1);
	return 0;
}

static int
on_line(void *arg, struct ipc_msg *m)
{
	struct process *p = arg;
	struct msg_line line;
	struct client *c;

	if (msg_line_get(m, &line) == -1)
		return -1;
	if ((c = clients_waiting(p->state, m->id, WAITS_MASTER)) == NULL)
		return 0;
	msg_line_put(
	    channel_begin(c->channel, CONTROL_LINE, c->request), &line);
	channel_send(c->channel, -1);
	return 0;
}

static int
on_done(void *arg, struct ipc_msg *m)
{
	struct process *p = arg;
	struct reply reply;
	struct client *c;

	if (msg_reply_get(m, &reply) == -1)
		return -1;
	if ((c = clients_answered(p->state, m->id, WAITS_MASTER)) == NULL)
		return 0;
	msg_reply_put(
	    channel_begin(c->channel, CONTROL_DONE, c->request), &reply);
	channel_send(c->channel, -1);
	return 0;
}

const struct ipc_rule master_rules[] = {
	{ MASTER_PROCESS, IPC_ANY_PHASE, IPC_FD_NEVER, on_process },
	{ MASTER_LINE, IPC_ANY_PHASE, IPC_FD_NEVER, on_line },
	{ MASTER_DONE, IPC_ANY_PHASE, IPC_FD_NEVER, on_done },
};
const size_t master_nrules = sizeof master_rules / sizeof *master_rules;
