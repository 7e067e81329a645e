/*
 * queue.c - requests to queue, and its answers to whoever asked.
 *
 * Both ways a message is read and written anew: neither side gets a byte that
 * control did not understand.
 */
#include "admin/control/control.h"
#include "common/bytes/log.h"
#include "common/msg/reply.h"

static int
on_page(void *arg, struct ipc_msg *m)
{
	static struct msg_page page;
	struct client *c;

	if (msg_page_get(m, &page) == -1)
		return -1;
	if ((c = clients_answered(arg, m->id, WAITS_QUEUE)) == NULL)
		return 0;
	msg_page_put(
	    channel_begin(c->channel, CONTROL_PAGE, c->request), &page);
	channel_send(c->channel, -1);
	return 0;
}

static int
on_detail(void *arg, struct ipc_msg *m)
{
	static struct msg_detail detail;
	struct client *c;

	if (msg_detail_get(m, &detail) == -1)
		return -1;
	if ((c = clients_answered(arg, m->id, WAITS_QUEUE)) == NULL)
		return 0;
	msg_detail_put(
	    channel_begin(c->channel, CONTROL_DETAIL, c->request), &detail);
	channel_send(c->channel, -1);
	return 0;
}

static int
on_content(void *arg, struct ipc_msg *m)
{
	struct msg_content content;
	struct client *c;

	if (msg_content_get(m, &content) == -1)
		return -1;
	/* A descriptor comes with 250 and only with it. */
	if ((content.reply.code == 250) != (m->fd != -1))
		return -1;
	if ((c = clients_answered(arg, m->id, WAITS_QUEUE)) == NULL)
		return 0;
	msg_content_put(
	    channel_begin(c->channel, CONTROL_CONTENT, c->request), &content);
	channel_send(c->channel, m->fd);
	return 0;
}

static int
on_settled(void *arg, struct ipc_msg *m)
{
	struct client *c;

	if (msg_empty_get(m) == -1)
		return -1;
	c = clients_answered(arg, m->id, WAITS_QUEUE);
	if (c == NULL)
		return 0;
	if (c->story.id == 0)
		return -1;
	client_tell(c);
	return 0;
}

static const struct ipc_rule rules[] = {
	{ CONTROL_PAGE, IPC_ANY_PHASE, IPC_FD_NEVER, on_page },
	{ CONTROL_DETAIL, IPC_ANY_PHASE, IPC_FD_NEVER, on_detail },
	{ CONTROL_CONTENT, IPC_ANY_PHASE, IPC_FD_MAYBE, on_content },
	{ CONTROL_SETTLED, IPC_ANY_PHASE, IPC_FD_NEVER, on_settled },
};

static void
on_closed(void *arg, bool bad)
{
	struct control *k = arg;

	k->queue = NULL;
	clients_fail(k, WAITS_QUEUE, R_UNAVAILABLE);
	if (bad)
		process_complain(k->process, PEER_QUEUE, k->queue_instance);
}

static const struct channel_ops queue_ops = {
	.rules = rules,
	.nrules = sizeof rules / sizeof *rules,
	.closed = on_closed,
};

void
queue_connect(struct control *k, uint32_t instance, int fd)
{
	channel_free(k->queue);
	clients_fail(k, WAITS_QUEUE, R_UNAVAILABLE);
	k->queue = channel_new(k->process->base, fd, PEER_QUEUE, &queue_ops, k);
	if (k->queue == NULL)
		fatal("the channel to queue");
	k->queue_instance = instance;
}

/* Whether the request that was begun has gone. */
static void
sent(struct client *c, int result)
{
	if (result == -1)
		client_done(c, R_UNAVAILABLE);
	else
		c->waits = WAITS_QUEUE;
}

void
queue_ask_act(struct client *c, const struct msg_act *act)
{
	struct channel *queue = c->control->queue;

	if (queue == NULL) {
		client_done(c, R_UNAVAILABLE);
		return;
	}
	msg_act_put(channel_begin(queue, CONTROL_ACT, c->number), act);
	sent(c, channel_send(queue, -1));
}

void
queue_ask_message(struct client *c, uint16_t type, const struct msg_show *show)
{
	struct channel *queue = c->control->queue;

	if (queue == NULL) {
		client_done(c, R_UNAVAILABLE);
		return;
	}
	msg_show_put(channel_begin(queue, type, c->number), show);
	sent(c, channel_send(queue, -1));
}

void
queue_ask_settle(struct client *c, const struct msg_story *story)
{
	struct channel *queue = c->control->queue;

	c->story = *story;
	c->waits = WAITS_QUEUE;
	/* A cursor goes on in what was settled when its first page was asked for. */
	if (queue == NULL || story->slice != 0) {
		client_tell(c);
		return;
	}
	(void)channel_begin(queue, CONTROL_SETTLE, c->number);
	/* A channel that is gone says so itself, and its clients are told. */
	(void)channel_send(queue, -1);
}
