/*
 * messages.c - what the processes say to master, and what control asks it.
 */
#include <signal.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "common/msg/reply.h"
#include "master/master.h"

void
messages_send(struct child *c, uint16_t type, uint32_t id)
{
	if (c->channel == NULL)
		return;
	(void)channel_begin(c->channel, type, id);
	(void)channel_send(c->channel, -1);
}

static void
announce(struct master *m)
{
	char listen[LISTEN_TEXT_MAX];

	m->phase = PHASE_RUNNING;
	evtimer_del(m->start_limit);
	listen_text(m, listen);
	log_info("ready", log_str("listen", listen),
	    log_str("hostname", m->current->conf.hostname));
	notify(&m->notify, "READY=1");
	notify_status(m);
	sessions_listen(m);
}

static int
on_ready(void *arg, struct ipc_msg *msg)
{
	struct child *c = arg;
	struct master *m = c->master;

	if (msg_empty_get(msg) == -1 || c->ready)
		return -1;
	c->ready = true;
	child_ping(c);
	if (m->phase == PHASE_CHECKING)
		check_go_on(c);
	else if (c->role == ROLE_NEXT)
		reload_go_on(m);
	else if (m->phase == PHASE_RUNNING) {
		channels_make(c);
		session_begin(c);
		notify_status(m);
	} else if (m->phase == PHASE_STARTING && children_ready(m)) {
		channels_make_all(m);
		announce(m);
		reload_go_on(m);
	}
	return 0;
}

static int
on_pong(void *arg, struct ipc_msg *msg)
{
	struct child *c = arg;

	if (child_answered(c, msg->id) == -1)
		return -1;
	return msg_counters_get(msg, &c->counters);
}

/* Who complains of all the others is at fault itself; but not of those that are
 * there for one stranger each, who may come again and again to have somebody
 * complain. */
static bool
complains_too_much(struct child *c, const struct child *of)
{
	int64_t now = master_now();

	if (of == NULL || of->role == ROLE_SESSION)
		return false;
	if (now - c->complained >= STEADY_SECONDS) {
		c->complained = now;
		c->complaints = 0;
	}
	return ++c->complaints > COMPLAINTS_MAX;
}

static int
on_complain(void *arg, struct ipc_msg *msg)
{
	struct child *c = arg;
	struct master *m = c->master;
	struct msg_complain about;
	struct child *other;

	if (msg_complain_get(msg, &about) == -1 ||
	    !channels_pair_of(c->kind, about.kind))
		return -1;
	log_error("complaint", log_str("of", peer_name(about.kind)),
	    log_num("instance", about.instance),
	    log_str("by", peer_name(c->kind)), log_num("pid", c->pid));
	/* It is there for one stranger, whose word ends nothing of others. */
	if (c->role == ROLE_SESSION) {
		child_kill(c);
		return 0;
	}
	TAILQ_FOREACH (other, &m->children, link)
		if (other->kind == about.kind &&
		    other->instance == about.instance)
			break;
	if (complains_too_much(c, other))
		child_kill(c);
	if (other != NULL)
		child_kill(other);
	return 0;
}

void
messages_done(struct child *to, uint32_t id, enum reply_name name)
{
	struct reply r;

	if (to->channel == NULL)
		return;
	reply_make(&r, name, NULL);
	msg_reply_put(channel_begin(to->channel, MASTER_DONE, id), &r);
	(void)channel_send(to->channel, -1);
}

static int
on_status(void *arg, struct ipc_msg *msg)
{
	struct child *c = arg;

	if (msg_empty_get(msg) == -1)
		return -1;
	status_tell(c, msg->id);
	messages_done(c, msg->id, R_DONE);
	return 0;
}

static int
on_stop_service(void *arg, struct ipc_msg *msg)
{
	struct child *c = arg;

	if (msg_empty_get(msg) == -1)
		return -1;
	messages_done(c, msg->id, R_DONE);
	log_info("stopping", log_str("by", "command"));
	stop_begin(c->master, 0);
	return 0;
}

static int
on_reload(void *arg, struct ipc_msg *msg)
{
	if (msg_empty_get(msg) == -1)
		return -1;
	reload_asked(arg, msg->id);
	return 0;
}

static void
on_closed(void *arg, bool bad)
{
	struct child *c = arg;

	c->channel = NULL;
	/* One that merely closed it is about to end. */
	if (bad || c->outside)
		child_kill(c);
}

const struct channel_ops *
messages_from(enum peer kind)
{
	static const struct ipc_rule rules[] = {
		{ MASTER_SYSLOG, IPC_ANY_PHASE, IPC_FD_NEVER, syslog_asked },
		/* All but the first, which is logger's, … */
		{ MASTER_READY, IPC_ANY_PHASE, IPC_FD_NEVER, on_ready },
		{ MASTER_PONG, IPC_ANY_PHASE, IPC_FD_NEVER, on_pong },
		{ MASTER_COMPLAIN, IPC_ANY_PHASE, IPC_FD_NEVER, on_complain },
		/* … and those from here on, which are control's. */
		{ MASTER_STATUS, IPC_ANY_PHASE, IPC_FD_NEVER, on_status },
		{ MASTER_STOP_SERVICE, IPC_ANY_PHASE, IPC_FD_NEVER,
		    on_stop_service },
		{ MASTER_RELOAD, IPC_ANY_PHASE, IPC_FD_NEVER, on_reload },
	};
	static const struct channel_ops logger = { rules, 4, on_closed };
	static const struct channel_ops others = { rules + 1, 3, on_closed };
	static const struct channel_ops control = { rules + 1,
		sizeof rules / sizeof rules[0] - 1, on_closed };

	if (kind == PEER_LOGGER)
		return &logger;
	return kind == PEER_CONTROL ? &control : &others;
}
