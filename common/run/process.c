/*
 * process.c - the life of a process: set up, drop, confine, loop, stop.
 *
 * The order of the calls in process_main is the security argument: whatever
 * needs power, a path or a name comes before the drop, and no byte of a peer
 * or a stranger is read before the filter is in place.
 */
#include <sys/stat.h>

#include <bsd/unistd.h>
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "common/msg/master.h"
#include "common/msg/reply.h"
#include "common/run/outside.h"
#include "common/run/process.h"

#define RULES_MAX 16
/* The phase of the channel to master before PROCESS_GOING, for one from outside:
 * CONF and LOG. */
#define PHASE_OUTSIDE 1

/* What stands around a struct process, whose address is that of its first
 * member: what the rules below are called with. */
struct skeleton {
	struct process process;
	struct channel_ops channel;
	struct ipc_rule rules[RULES_MAX];
	struct event *term;
	struct event *limit; /* of the stop */
	int conf_fd;
	bool has_log;
	int status; /* for exit */
};

const char *
process_user(enum peer kind)
{
	static const char *const names[PEER_END] = {
		[PEER_LOGGER] = USER_PREFIX "logger",
		[PEER_LOOKUP] = USER_PREFIX "lookup",
		[PEER_RESOLVER] = USER_PREFIX "resolver",
		[PEER_QUEUE] = USER_PREFIX "queue",
		[PEER_LOCAL] = USER_PREFIX "local",
		[PEER_REMOTE] = USER_PREFIX "remote",
		[PEER_CONTROL] = USER_PREFIX "control",
		[PEER_SMTPD] = USER_PREFIX "smtpd",
	};

	return kind < PEER_END ? names[kind] : NULL; /* master stays root */
}

struct accounts *
process_accounts(const struct process *p, bool groups)
{
	return accounts_start(
	    p->conf, p->root ? process_user(p->kind) : NULL, groups);
}

/* --- stopping ---------------------------------------------------------- */

void
process_exit(struct process *p)
{
	event_base_loopexit(p->base, NULL);
}

static void
on_limit(evutil_socket_t fd, short what, void *arg)
{
	struct skeleton *k = arg;

	(void)fd;
	(void)what;
	log_warn("stop_took_too_long", log_num("seconds", STOP_FINISH + 1));
	k->status = 1;
	process_exit(&k->process);
}

static void
stop(struct skeleton *k)
{
	static const struct timeval limit = { .tv_sec = STOP_FINISH + 1 };
	struct process *p = &k->process;

	if (p->stopping)
		return;
	p->stopping = true;
	/* It was not over when the service ended it. */
	if (p->outside)
		k->status = EX_TEMPFAIL;
	evtimer_add(k->limit, &limit);
	if (p->ops->stop != NULL)
		p->ops->stop(p);
	else
		process_exit(p);
}

static void
on_term(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	stop(arg);
}

/* --- messages from master ---------------------------------------------- */

static int
on_peer(void *arg, struct ipc_msg *m)
{
	struct process *p = arg;
	struct msg_peer peer;
	int fd = m->fd;

	if (msg_peer_get(m, &peer) == -1 || p->ops->peer == NULL)
		return -1;
	m->fd = -1;
	p->ops->peer(p, peer.kind, peer.instance, fd);
	return 0;
}

static int
on_old_peer(void *arg, struct ipc_msg *m)
{
	struct process *p = arg;
	struct msg_peer peer;
	int fd = m->fd;

	if (msg_peer_get(m, &peer) == -1 || p->ops->old_peer == NULL)
		return -1;
	m->fd = -1;
	p->ops->old_peer(p, peer.kind, peer.instance, fd);
	return 0;
}

static int
on_settings(void *arg, struct ipc_msg *m)
{
	struct process *p = arg;
	struct conf *old = p->conf;

	if (msg_empty_get(m) == -1)
		return -1;
	if (p->ops->configured == NULL)
		return 0;
	p->conf = conf_read(m->fd);
	if (p->conf == NULL) {
		/* Restarted, it gets it all the same. */
		fatal("configuration");
	}
	conf_use_replies(p->conf);
	p->ops->configured(p);
	conf_free(old);
	free(old);
	return 0;
}

static int
on_retire(void *arg, struct ipc_msg *m)
{
	struct process *p = arg;

	if (msg_empty_get(m) == -1 || p->retiring)
		return -1;
	p->retiring = true;
	if (p->ops->retire != NULL && !p->stopping)
		p->ops->retire(p);
	return 0;
}

static int
on_listener(void *arg, struct ipc_msg *m)
{
	struct process *p = arg;
	struct msg_listener listener;
	int fd = m->fd;

	if (msg_listener_get(m, &listener) == -1 || p->ops->listener == NULL)
		return -1;
	m->fd = -1;
	p->ops->listener(p, listener.index, fd);
	return 0;
}

static int
on_stop(void *arg, struct ipc_msg *m)
{
	if (msg_empty_get(m) == -1)
		return -1;
	stop(arg);
	return 0;
}

static void
add_counter(void *arg, const char *name, uint64_t value)
{
	struct msg_counters *c = arg;

	if (c->n == STATUS_COUNTERS_MAX)
		return;
	snprintf(c->c[c->n].name, sizeof c->c[c->n].name, "%s", name);
	c->c[c->n].value = value;
	c->n++;
}

static int
on_ping(void *arg, struct ipc_msg *m)
{
	struct process *p = arg;
	struct msg_counters c = { .n = 0 };

	if (msg_empty_get(m) == -1)
		return -1;
	if (p->ops->status != NULL)
		p->ops->status(p, add_counter, &c);
	add_counter(&c, "memory", mallinfo2().uordblks);
	add_counter(&c, "landlock", (uint64_t)p->landlock);
	msg_counters_put(channel_begin(p->master, MASTER_PONG, m->id), &c);
	/* A channel that is gone says so by itself. */
	(void)channel_send(p->master, -1);
	return 0;
}

static int
on_conf(void *arg, struct ipc_msg *m)
{
	struct skeleton *k = arg;
	struct msg_conf conf;

	if (msg_conf_get(m, &conf) == -1 || k->conf_fd != -1)
		return -1;
	k->process.instance = conf.instance;
	k->conf_fd = m->fd;
	m->fd = -1;
	return 0;
}

static int
on_log(void *arg, struct ipc_msg *m)
{
	struct skeleton *k = arg;

	if (msg_empty_get(m) == -1 || k->conf_fd == -1 ||
	    dup2(m->fd, STDERR_FILENO) == -1)
		return -1;
	k->has_log = true;
	event_base_loopbreak(k->process.base);
	return 0;
}

static const struct ipc_rule from_master[] = {
	{ MASTER_CONF, PHASE_OUTSIDE, IPC_FD_ALWAYS, on_conf },
	{ MASTER_LOG, PHASE_OUTSIDE, IPC_FD_ALWAYS, on_log },
	{ MASTER_PEER, PROCESS_GOING, IPC_FD_ALWAYS, on_peer },
	{ MASTER_OLD_PEER, PROCESS_GOING, IPC_FD_ALWAYS, on_old_peer },
	{ MASTER_LISTENER, PROCESS_GOING, IPC_FD_ALWAYS, on_listener },
	{ MASTER_SETTINGS, PROCESS_GOING, IPC_FD_ALWAYS, on_settings },
	{ MASTER_RETIRE, PROCESS_GOING, IPC_FD_NEVER, on_retire },
	{ MASTER_STOP, PROCESS_GOING, IPC_FD_NEVER, on_stop },
	{ MASTER_PING, PROCESS_GOING, IPC_FD_NEVER, on_ping },
};
#define NFROM_MASTER (sizeof from_master / sizeof from_master[0])

/* Without master nobody watches, restarts or connects: the work is over. */
static void
on_master_closed(void *arg, bool bad)
{
	struct process *p = arg;

	(void)bad;
	p->master = NULL;
	if (p->conf != NULL)
		stop(arg);
	else
		event_base_loopbreak(p->base);
}

void
process_complain(struct process *p, enum peer kind, uint32_t instance)
{
	const struct msg_complain c = { kind, instance };

	if (p->master == NULL)
		return;
	msg_complain_put(channel_begin(p->master, MASTER_COMPLAIN, 0), &c);
	(void)channel_send(p->master, -1);
}

/* --- setting up -------------------------------------------------------- */

/* Master stops its processes itself: a ^C at its terminal is not for them. */
static void
ignore_signals(const struct process *p)
{
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR ||
	    (!p->outside &&
		(signal(SIGINT, SIG_IGN) == SIG_ERR ||
		    signal(SIGHUP, SIG_IGN) == SIG_ERR)))
		fatal("signals");
}

static uint32_t
instance_of(int argc, char **argv)
{
	uint64_t n;

	if (argc != 2 || !span_number(span_of(argv[1]), UINT32_MAX, &n))
		fatalx("arguments", "this program is started by master");
	return (uint32_t)n;
}

static void
connect_master(struct skeleton *k)
{
	struct process *p = &k->process;
	size_t n = p->ops->nrules;

	if (n > RULES_MAX - NFROM_MASTER)
		fatalx("process", "too many rules");
	memcpy(k->rules, from_master, sizeof from_master);
	if (n > 0)
		memcpy(k->rules + NFROM_MASTER, p->ops->rules,
		    n * sizeof k->rules[0]);
	k->channel = (struct channel_ops){ .rules = k->rules,
		.nrules = NFROM_MASTER + n,
		.closed = on_master_closed };
	p->master = channel_new(
	    p->base, PROCESS_FD_MASTER, PEER_MASTER, &k->channel, p);
	if (p->master == NULL)
		fatal("channel to master");
}

static void
make_events(struct skeleton *k)
{
	struct process *p = &k->process;

	p->base = p->outside ? outside_loop() : event_base_new();
	if (p->base == NULL)
		fatalx("process", "no event loop");
	k->term = evsignal_new(p->base, SIGTERM, on_term, k);
	k->limit = evtimer_new(p->base, on_limit, k);
	if (k->term == NULL || k->limit == NULL)
		fatalx("process", "no events");
	connect_master(k);
}

static void
on_late(evutil_socket_t fd, short what, void *arg)
{
	const struct skeleton *k = arg;

	(void)fd;
	(void)what;
	event_base_loopbreak(k->process.base);
}

/* Until CONF and LOG are there, or will not come. */
static int
wait_for_master(struct skeleton *k)
{
	static const struct timeval patience = { .tv_sec = OUTSIDE_SECONDS };
	struct process *p = &k->process;
	struct event *late = evtimer_new(p->base, on_late, k);

	if (late == NULL || evtimer_add(late, &patience) == -1 ||
	    event_base_dispatch(p->base) == -1)
		fatalx("process", "the event loop failed");
	event_free(late);
	if (k->has_log)
		return 0;
	errno = p->master == NULL ? ECONNRESET : ETIMEDOUT;
	return -1;
}

static int
set_up(struct skeleton *k, const struct process_ops *ops)
{
	struct process *p = &k->process;

	p->ops = ops;
	p->kind = ops->kind;
	p->root = geteuid() == 0;
	ignore_signals(p);
	closefrom(p->outside ? PROCESS_FD_CONF : PROCESS_FD_CONF + 1);
	umask(077);
	/* One heap for all threads: libc would look into /proc and /sys for
	 * how many there should be, when those can no longer be opened. */
	mallopt(M_ARENA_MAX, 1);
	tzset(); /* reads a file, too */
	make_events(k);
	if (p->outside && wait_for_master(k) == -1)
		return -1;
	channel_phase(p->master, PROCESS_GOING);
	if (event_add(k->term, NULL) == -1)
		fatalx("process", "no events");
	p->conf = conf_read(k->conf_fd);
	if (p->conf == NULL)
		fatal("configuration");
	close(k->conf_fd);
	conf_use_replies(p->conf);
	ops->prepare(p);
	return 0;
}

static void
confine(struct process *p)
{
	const struct confine *c = p->ops->sandbox(p);
	char empty[CONF_PATH_MAX + sizeof "/empty"];

	snprintf(empty, sizeof empty, "%s/empty", p->conf->runtime);
	confine_drop(c, process_user(p->kind), empty);
	p->landlock = confine_landlock(c, p->conf->seccomp_only);
	if (p->ops->threads != NULL)
		p->ops->threads(p);
	confine_seccomp(c);
}

static void
tear_down(struct skeleton *k)
{
	struct process *p = &k->process;

	channel_free(p->master);
	event_free(k->term);
	event_free(k->limit);
	event_base_free(p->base);
	if (p->conf != NULL)
		conf_free(p->conf);
	free(p->conf);
}

static int
run(struct skeleton *k)
{
	struct process *p = &k->process;

	confine(p);
	/* Below this line a bug is a stranger's bug. */
	p->ops->begin(p);
	(void)channel_begin(p->master, MASTER_READY, 0);
	(void)channel_send(p->master, -1);
	if (event_base_dispatch(p->base) == -1)
		fatalx("process", "the event loop failed");
	tear_down(k);
	return k->status;
}

int
process_main(const struct process_ops *ops, void *state, int argc, char **argv)
{
	struct skeleton k = { .process = { .state = state },
		.conf_fd = PROCESS_FD_CONF };

	k.process.instance = instance_of(argc, argv);
	(void)set_up(&k, ops); /* what it needs is there */
	return run(&k);
}

int
process_outside(const struct process_ops *ops, void *state, const char *path)
{
	struct skeleton k = { .process = { .state = state, .outside = true },
		.conf_fd = -1 };
	int saved;

	if (outside_connect(path) == -1)
		return -1;
	if (set_up(&k, ops) == 0)
		return run(&k);
	saved = errno;
	tear_down(&k);
	errno = saved;
	return -1;
}
