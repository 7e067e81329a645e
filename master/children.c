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

static bool replace(struct child *);

static void
on_restart(evutil_socket_t fd, short what, void *arg)
{
	struct child *c = arg;

	(void)fd;
	(void)what;
	if (c->outside) {
		(void)replace(c);
		return;
	}
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
	notify_status(c->master);
}

/* It is gone, or could not even be started.  False: so is its child. */
static bool
replace(struct child *c)
{
	struct master *m = c->master;
	enum role role = c->role;
	enum peer kind = c->kind;

	if (role != ROLE_PLACE)
		child_free(c);
	switch (m->phase) {
	case PHASE_STARTING:
		log_error("start_failed", log_str("process", peer_name(kind)));
		stop_begin(m, 1);
		break;
	case PHASE_RUNNING:
		if (role == ROLE_PLACE)
			restart_later(c);
		else if (role == ROLE_NEXT)
			reload_lost(m, kind);
		retire_watch(m);
		break;
	case PHASE_STOPPING:
		stop_go_on(m);
		break;
	case PHASE_CHECKING:
		check_lost(m);
		break;
	}
	return role == ROLE_PLACE;
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
	const struct child *c;

	give_log(logger, PEER_MASTER, 0, m->log[0]);
	TAILQ_FOREACH (c, &m->children, link)
		if (c != logger)
			give_log(logger, c->kind, c->instance, c->log[0]);
}

bool
child_start(struct child *c)
{
	struct master *m = c->master;
	int fds[2] = { -1, -1 };

	/* One that stays follows the configuration. */
	if (channels_stays(c->kind) && c->generation != m->current) {
		generation_unref(c->generation);
		c->generation = generation_ref(m->current);
	}
	c->instance = ++m->instances;
	c->started = master_now();
	c->ready = c->killed = false;
	c->asked = c->answered = c->fed = 0;
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
		return replace(c);
	}
	c->channel =
	    channel_new(m->base, fds[0], c->kind, messages_from(c->kind), c);
	if (c->channel == NULL)
		child_kill(c);
	else if (c->kind == PEER_LOGGER)
		give_logs(c);
	return true;
}

void
child_kill(struct child *c)
{
	if (c->pid <= 0)
		return;
	c->killed = true;
	if (c->outside) {
		channel_free(c->channel);
		c->channel = NULL;
		/* From the loop: the callers are not done with it. */
		event_active(c->restart, EV_TIMEOUT, 0);
		return;
	}
	kill(c->pid, SIGKILL);
}

static void
log_end(const struct child *c, int status)
{
	const struct log_field process = log_str("process", peer_name(c->kind));
	const struct log_field pid = log_num("pid", c->pid);
	bool expected = c->master->phase == PHASE_STOPPING ||
	    c->role == ROLE_SESSION || c->role == ROLE_RETIRING;

	/* Why was said when it was killed. */
	if (c->killed && expected)
		return;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		log_error("died", process, pid, log_num("signal", SIGSYS),
		    log_str(
			"reason", "killed by its system-call filter (SIGSYS)"));
	else if (WIFSIGNALED(status))
		log_error("died", process, pid,
		    log_num("signal", WTERMSIG(status)),
		    log_str("reason", sigdescr_np(WTERMSIG(status))));
	else if (WEXITSTATUS(status) != 0 || !expected)
		log_error("died", process, pid,
		    log_num("status", WEXITSTATUS(status)));
}

static void
ended(struct child *c, int status)
{
	log_end(c, status);
	c->died = true;
	c->died_at = master_now();
	c->died_status = status;
	channel_free(c->channel);
	c->channel = NULL;
	c->pid = 0;
	c->ready = false;
	replace(c);
}

void
children_reap(struct master *m)
{
	struct child *c;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		TAILQ_FOREACH (c, &m->children, link)
			if (c->pid == pid && !c->outside)
				break;
		if (c != NULL)
			ended(c, status);
		else
			helper_reaped(m, pid, status);
	}
}

bool
children_ready(const struct master *m)
{
	const struct child *c;

	TAILQ_FOREACH (c, &m->children, link)
		if (!c->ready)
			return false;
	return true;
}

int
child_log_pipe(int fds[2], int size)
{
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) == -1)
		return -1;
	/* Where that is too much, what there is. */
	if (size > 0)
		(void)fcntl(fds[1], F_SETPIPE_SZ, size);
	return 0;
}

void
child_log_close(struct child *c)
{
	for (size_t i = 0; i < 2; i++) {
		if (c->log[i] != -1)
			close(c->log[i]);
		c->log[i] = -1;
	}
}

void
child_free(struct child *c)
{
	TAILQ_REMOVE(&c->master->children, c, link);
	channel_free(c->channel);
	if (c->restart != NULL)
		event_free(c->restart);
	child_log_close(c);
	if (c->client != -1)
		session_refuse(c);
	if (c->role == ROLE_SESSION)
		sessions_count(c->master, -1);
	generation_unref(c->generation);
	free(c);
}

/* The logger that is there already learns of it; a new one is told of all. */
static void
tell_logger(const struct child *c)
{
	struct child *logger;

	TAILQ_FOREACH (logger, &c->master->children, link)
		if (logger->kind == PEER_LOGGER && logger->channel != NULL)
			give_log(logger, c->kind, c->instance, c->log[0]);
}

struct child *
child_new(
    struct master *m, struct generation *g, enum peer kind, enum role role)
{
	struct child *c = calloc(1, sizeof *c);

	if (c == NULL)
		return NULL;
	*c = (struct child){ .master = m,
		.generation = generation_ref(g),
		.role = role,
		.kind = kind,
		.log = { -1, -1 },
		.client = -1 };
	TAILQ_INSERT_TAIL(&m->children, c, link);
	if (role == ROLE_SESSION)
		sessions_count(m, 1);
	c->restart = evtimer_new(m->base, on_restart, c);
	/* Its own lines logger writes itself. */
	if (c->restart == NULL ||
	    (kind != PEER_LOGGER &&
		child_log_pipe(c->log,
		    role == ROLE_SESSION ? 0 : LOG_PIPE_SIZE) == -1)) {
		child_free(c);
		return NULL;
	}
	if (kind != PEER_LOGGER)
		tell_logger(c);
	return c;
}

static uint32_t
smtpds_wanted(const struct conf *conf)
{
	uint32_t n = conf->smtpd_processes;
	cpu_set_t cores;

	if (n == 0 && sched_getaffinity(0, sizeof cores, &cores) == 0)
		n = (uint32_t)CPU_COUNT(&cores);
	return n > 0 ? n : 1;
}

int
children_make(struct master *m)
{
	static const enum peer single[] = { PEER_LOGGER, PEER_QUEUE,
		PEER_LOOKUP, PEER_RESOLVER, PEER_LOCAL, PEER_REMOTE,
		PEER_CONTROL };
	uint32_t n = smtpds_wanted(&m->current->conf);

	for (size_t i = 0; i < sizeof single / sizeof single[0]; i++)
		if (child_new(m, m->current, single[i], ROLE_PLACE) == NULL)
			return -1;
	for (uint32_t i = 0; i < n; i++)
		if (child_new(m, m->current, PEER_SMTPD, ROLE_PLACE) == NULL)
			return -1;
	return 0;
}

int
children_begin(struct master *m, struct generation *g)
{
	static const enum peer single[] = { PEER_LOOKUP, PEER_RESOLVER,
		PEER_LOCAL, PEER_REMOTE };
	const size_t nsingle = sizeof single / sizeof single[0];
	size_t n = nsingle + smtpds_wanted(&g->conf);

	for (size_t i = 0; i < n; i++) {
		struct child *c = child_new(
		    m, g, i < nsingle ? single[i] : PEER_SMTPD, ROLE_NEXT);

		/* One that cannot be started has ended the reload. */
		if (c == NULL || !child_start(c))
			return -1;
	}
	return 0;
}

void
children_free(struct master *m)
{
	struct child *c;

	while ((c = TAILQ_FIRST(&m->children)) != NULL)
		child_free(c);
}
