/*
 * clients.c - the commands that are connected, and what they may ask.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admin/control/control.h"
#include "common/bytes/log.h"
#include "common/msg/reply.h"

/* One request at a time: a second one before the answer is a fault. */
static bool
busy(struct client *c, const struct ipc_msg *m)
{
	if (c->waits != WAITS_NOBODY || m->id == 0)
		return true;
	c->request = m->id;
	c->control->served++;
	return false;
}

static int
on_act(void *arg, struct ipc_msg *m)
{
	static struct msg_act act;

	if (busy(arg, m) || msg_act_get(m, &act) == -1)
		return -1;
	queue_ask_act(arg, &act);
	return 0;
}

static int
on_message(void *arg, struct ipc_msg *m)
{
	struct msg_show show;

	if (busy(arg, m) || msg_show_get(m, &show) == -1)
		return -1;
	queue_ask_message(arg, m->type, &show);
	return 0;
}

static int
on_story(void *arg, struct ipc_msg *m)
{
	struct msg_story story;

	if (busy(arg, m) || msg_story_get(m, &story) == -1)
		return -1;
	queue_ask_settle(arg, &story);
	return 0;
}

static int
on_master(void *arg, struct ipc_msg *m)
{
	if (busy(arg, m) || msg_empty_get(m) == -1)
		return -1;
	if (m->type == CONTROL_RELOAD)
		master_ask(arg, MASTER_RELOAD);
	else
		master_ask(arg,
		    m->type == CONTROL_STATUS ? MASTER_STATUS
					      : MASTER_STOP_SERVICE);
	return 0;
}

static int
on_errors(void *arg, struct ipc_msg *m)
{
	if (busy(arg, m) || msg_empty_get(m) == -1)
		return -1;
	logger_ask(arg);
	return 0;
}

/* The whole of what a command may ask. */
static const struct ipc_rule rules[] = {
	{ CONTROL_ACT, IPC_ANY_PHASE, IPC_FD_NEVER, on_act },
	{ CONTROL_SHOW, IPC_ANY_PHASE, IPC_FD_NEVER, on_message },
	{ CONTROL_CAT, IPC_ANY_PHASE, IPC_FD_NEVER, on_message },
	{ CONTROL_STORY, IPC_ANY_PHASE, IPC_FD_NEVER, on_story },
	{ CONTROL_STATUS, IPC_ANY_PHASE, IPC_FD_NEVER, on_master },
	{ CONTROL_STOP, IPC_ANY_PHASE, IPC_FD_NEVER, on_master },
	{ CONTROL_ERRORS, IPC_ANY_PHASE, IPC_FD_NEVER, on_errors },
	{ CONTROL_RELOAD, IPC_ANY_PHASE, IPC_FD_NEVER, on_master },
};

static void
on_closed(void *arg, bool bad)
{
	struct client *c = arg;

	(void)bad;
	TAILQ_REMOVE(&c->control->clients, c, link);
	c->control->nclients--;
	free(c);
}

static const struct channel_ops client_ops = {
	.rules = rules,
	.nrules = sizeof rules / sizeof *rules,
	.closed = on_closed,
};

/* root, and without root whoever runs the service: the kernel tells who. */
static bool
allowed(const struct control *k, int fd)
{
	struct ucred cred;
	socklen_t len = sizeof cred;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1)
		return false;
	if (cred.uid == 0 || cred.uid == k->owner)
		return true;
	log_warn("control_refused", log_num("uid", cred.uid),
	    log_num("pid", cred.pid));
	return false;
}

static void
on_accept(evutil_socket_t listener, short what, void *arg)
{
	struct control *k = arg;
	struct client *c;
	int fd;

	(void)what;
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd == -1)
		return;
	if (k->nclients >= CONTROL_CLIENTS_MAX || !allowed(k, fd) ||
	    (c = calloc(1, sizeof *c)) == NULL) {
		k->refused++;
		close(fd);
		return;
	}
	c->control = k;
	c->number = ++k->last_number != 0 ? k->last_number : ++k->last_number;
	c->channel =
	    channel_new(k->process->base, fd, PEER_ADMIN, &client_ops, c);
	if (c->channel == NULL) {
		free(c);
		return;
	}
	TAILQ_INSERT_TAIL(&k->clients, c, link);
	k->nclients++;
}

void
clients_listen(struct control *k, int fd)
{
	if (k->listener != NULL)
		event_free(k->listener);
	k->listener =
	    event_new(k->process->base, fd, EV_READ | EV_PERSIST, on_accept, k);
	if (k->listener == NULL || event_add(k->listener, NULL) == -1)
		fatal("listening for commands");
}

struct client *
clients_waiting(struct control *k, uint32_t number, enum client_waits on)
{
	struct client *c;

	TAILQ_FOREACH (c, &k->clients, link)
		if (c->number == number && c->waits == on)
			return c;
	return NULL;
}

struct client *
clients_answered(struct control *k, uint32_t number, enum client_waits on)
{
	struct client *c = clients_waiting(k, number, on);

	if (c != NULL)
		c->waits = WAITS_NOBODY;
	return c;
}

void
client_done(struct client *c, enum reply_name name)
{
	struct reply r;

	reply_make(&r, name, NULL);
	c->waits = WAITS_NOBODY;
	msg_reply_put(channel_begin(c->channel, CONTROL_DONE, c->request), &r);
	channel_send(c->channel, -1);
}

void
client_tell(struct client *c)
{
	const struct msg_story story = c->story;

	c->story.id = 0;
	c->waits = WAITS_NOBODY;
	story_tell(c, &story);
}

void
clients_fail(struct control *k, enum client_waits on, enum reply_name name)
{
	struct client *c;

	TAILQ_FOREACH (c, &k->clients, link)
		if (c->waits == on && c->story.id != 0)
			client_tell(c);
		else if (c->waits == on)
			client_done(c, name);
}
