/*
 * children.c - the life of each process: start, watch, end, start again.
 */
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "master/master.h"

int64_t
master_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

unsigned
child_delay(unsigned *failures, int64_t lived)
{
	unsigned delay = 0;

	if (lived >= STEADY_SECONDS)
		*failures = 0;
	/* At once, then 1, 2, 4, … */
	if (*failures > 0)
		delay = *failures > 5 ? DELAY_MAX : 1U << (*failures - 1);
	(*failures)++;
	return delay;
}

static void
on_restart(evutil_socket_t fd, short what, void *arg)
{
	struct child *c = arg;

	(void)fd;
	(void)what;
	c->restarts++;
	child_start(c);
}

static void
restart_later(struct child *c)
{
	unsigned delay = child_delay(&c->failures, master_now() - c->started);
	const struct timeval t = { .tv_sec = delay };

	log_info("restarting", log_str("process", peer_name(c->kind)),
	    log_num("seconds", delay));
	evtimer_add(c->restart, &t);
}

/* It is gone, or could not even be started. */
static void
replace(struct child *c)
{
	struct master *m = c->master;

	switch (m->phase) {
	case PHASE_STARTING:
		log_error(
		    "start_failed", log_str("process", peer_name(c->kind)));
		stop_begin(m, 1);
		break;
	case PHASE_RUNNING:
		restart_later(c);
		break;
	case PHASE_STOPPING:
		stop_go_on(m);
		break;
	}
}

/* Our end of a pipe, and everybody's, to a logger that has just been made. */
static void
give_log(struct child *logger, enum peer kind, uint32_t instance, int fd)
{
	const struct msg_peer of = { kind, instance };

	msg_peer_put(channel_begin(logger->channel, MASTER_LOGPIPE, 0), &of);
	(void)channel_send(logger->channel, fd);
}

static void
give_logs(struct child *logger)
{
	const struct master *m = logger->master;

	give_log(logger, PEER_MASTER, 0, m->log[0]);
	for (size_t i = 0; i < m->nchildren; i++) {
		const struct child *c = &m->children[i];

		if (c != logger)
			give_log(logger, c->kind, c->instance, c->log[0]);
	}
}

void
child_start(struct child *c)
{
	struct master *m = c->master;
	int fds[2] = { -1, -1 };

	c->instance = ++m->instances;
	c->started = master_now();
	c->ready = c->killed = false;
	c->pings = 0;
	c->counters.n = 0;
	c->pid = -1;
	if (channel_pair(fds) == 0)
		c->pid = spawn(m, c, fds[1]);
	if (fds[1] != -1)
		close(fds[1]);
	if (c->pid == -1) {
		log_error("start", log_str("process", peer_name(c->kind)),
		    log_errno(errno));
		if (fds[0] != -1)
			close(fds[0]);
		c->pid = 0;
		replace(c);
		return;
	}
	c->channel =
	    channel_new(m->base, fds[0], c->kind, messages_from(c->kind), c);
	if (c->channel == NULL) {
		close(fds[0]);
		child_kill(c);
	} else if (c->kind == PEER_LOGGER)
		give_logs(c);
}

void
child_kill(struct child *c)
{
	if (c->pid <= 0)
		return;
	c->killed = true;
	kill(c->pid, SIGKILL);
}

static void
log_end(const struct child *c, int status)
{
	const struct log_field process = log_str("process", peer_name(c->kind));
	const struct log_field pid = log_num("pid", c->pid);

	/* Why was said when it was killed. */
	if (c->killed && c->master->phase == PHASE_STOPPING)
		return;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		log_error("died", process, pid, log_num("signal", SIGSYS),
		    log_str(
			"reason", "killed by its system-call filter (SIGSYS)"));
	else if (WIFSIGNALED(status))
		log_error("died", process, pid,
		    log_num("signal", WTERMSIG(status)),
		    log_str("reason", sigdescr_np(WTERMSIG(status))));
	else if (WEXITSTATUS(status) != 0 || c->master->phase != PHASE_STOPPING)
		log_error("died", process, pid,
		    log_num("status", WEXITSTATUS(status)));
}

static void
ended(struct child *c, int status)
{
	log_end(c, status);
	channel_free(c->channel);
	c->channel = NULL;
	c->pid = 0;
	c->ready = false;
	replace(c);
}

void
children_reap(struct master *m)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < m->nchildren; i++)
			if (m->children[i].pid == pid) {
				ended(&m->children[i], status);
				break;
			}
}

void
child_ping(struct child *c)
{
	bool starting = !c->ready && master_now() - c->started <= START_SECONDS;

	if (c->channel != NULL && starting)
		return;
	/* Without a channel it can neither be asked nor told to stop. */
	if (c->channel == NULL || !c->ready || c->pings >= PINGS_MAX) {
		log_error("hung", log_str("process", peer_name(c->kind)),
		    log_num("pid", c->pid));
		child_kill(c);
		return;
	}
	c->pings++;
	messages_send(c, MASTER_PING, c->instance);
}

void
children_ping(struct master *m)
{
	bool all = true;

	for (size_t i = 0; i < m->nchildren; i++) {
		all &= m->children[i].pid > 0 && m->children[i].pings == 0;
		if (m->children[i].pid > 0)
			child_ping(&m->children[i]);
	}
	/* The service manager's patience is only for when all are well. */
	if (all)
		notify("WATCHDOG=1");
}

bool
children_ready(const struct master *m)
{
	for (size_t i = 0; i < m->nchildren; i++)
		if (!m->children[i].ready)
			return false;
	return true;
}

int
child_log_pipe(int fds[2])
{
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) == -1)
		return -1;
	/* A busy second's lines; where that is too much, what there is. */
	(void)fcntl(fds[1], F_SETPIPE_SZ, LOG_PIPE_SIZE);
	return 0;
}

static int
child_init(struct master *m, struct child *c, enum peer kind)
{
	*c = (struct child){ .master = m, .kind = kind, .log = { -1, -1 } };
	c->restart = evtimer_new(m->base, on_restart, c);
	if (c->restart == NULL)
		return -1;
	/* Its own lines logger writes itself. */
	return kind == PEER_LOGGER ? 0 : child_log_pipe(c->log);
}

int
children_make(struct master *m)
{
	static const enum peer single[] = { PEER_LOGGER, PEER_QUEUE,
		PEER_LOOKUP, PEER_RESOLVER, PEER_LOCAL, PEER_REMOTE,
		PEER_CONTROL };
	const size_t nsingle = sizeof single / sizeof single[0];
	size_t nsmtpd = m->conf.smtpd_processes;
	cpu_set_t cores;

	if (nsmtpd == 0 && sched_getaffinity(0, sizeof cores, &cores) == 0)
		nsmtpd = (size_t)CPU_COUNT(&cores);
	if (nsmtpd == 0)
		nsmtpd = 1;
	m->children = calloc(nsingle + nsmtpd, sizeof *m->children);
	if (m->children == NULL)
		return -1;
	for (; m->nchildren < nsingle + nsmtpd; m->nchildren++)
		if (child_init(m, &m->children[m->nchildren],
			m->nchildren < nsingle ? single[m->nchildren]
					       : PEER_SMTPD) == -1)
			return -1;
	return 0;
}

void
children_free(struct master *m)
{
	for (size_t i = 0; i < m->nchildren; i++)
		event_free(m->children[i].restart);
	free(m->children);
}
