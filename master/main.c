/*
 * main.c - master: sets up everything, then watches.
 *
 *   master [-n] -c FILE
 *
 * The order is the security argument: what needs root and a name (directories,
 * sockets, users) is done first and once; then master gives up all power but
 * that of starting and ending processes.
 */
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "common/run/confine.h"
#include "master/master.h"

/* 0, 1 and 2 are open, whoever started us: nothing else may get their place. */
static void
open_standard(struct master *m, bool inherits)
{
	int fd;

	/* Inherited sockets begin at 3; their giver has filled what is below.
	 */
	do {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	} while (!inherits && fd != -1 && fd <= STDERR_FILENO);
	m->null = fd;
	m->err = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
	if (m->null == -1 || m->err == -1)
		err(1, "/dev/null");
}

static void
find_programs(struct master *m)
{
	ssize_t n = readlink("/proc/self/exe", m->dir, sizeof m->dir);

	if (n <= 0 || (size_t)n == sizeof m->dir)
		errx(1, "/proc/self/exe: cannot be read");
	while (n > 0 && m->dir[n - 1] != '/')
		n--;
	m->dir[n > 1 ? n - 1 : n] = '\0';
}

static void
on_stop_signal(evutil_socket_t signo, short what, void *arg)
{
	struct master *m = arg;

	(void)what;
	if (m->phase == PHASE_STOPPING)
		return;
	log_info(
	    "stopping", log_str("by", signo == SIGTERM ? "SIGTERM" : "SIGINT"));
	stop_begin(m, 0);
}

static void
on_hangup(evutil_socket_t signo, short what, void *arg)
{
	(void)signo;
	(void)what;
	reload_begin(arg, "SIGHUP");
}

static void
on_child(evutil_socket_t signo, short what, void *arg)
{
	(void)signo;
	(void)what;
	children_reap(arg);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct master *m = arg;

	(void)fd;
	(void)what;
	if (m->phase != PHASE_RUNNING)
		return;
	children_ping(m);
	retire_watch(m);
}

static void
on_start_limit(evutil_socket_t fd, short what, void *arg)
{
	struct master *m = arg;
	const struct child *c;

	(void)fd;
	(void)what;
	TAILQ_FOREACH (c, &m->children, link)
		if (!c->ready)
			log_error("start_failed",
			    log_str("process", peer_name(c->kind)),
			    log_str("reason", "not ready in time"));
	stop_begin(m, 1);
}

static void
on_stop_limit(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	stop_limit_reached(arg);
}

static void
make_events(struct master *m)
{
	const struct timeval tick = notify_ping_interval(&m->notify);
	static const struct timeval start = { .tv_sec = START_SECONDS };

	m->base = event_base_new();
	if (m->base == NULL)
		errx(1, "no event loop");
	m->events[0] = evsignal_new(m->base, SIGTERM, on_stop_signal, m);
	m->events[1] = evsignal_new(m->base, SIGINT, on_stop_signal, m);
	m->events[2] = evsignal_new(m->base, SIGHUP, on_hangup, m);
	m->events[3] = evsignal_new(m->base, SIGCHLD, on_child, m);
	m->events[4] = event_new(m->base, -1, EV_PERSIST, on_tick, m);
	m->start_limit = evtimer_new(m->base, on_start_limit, m);
	m->stop_limit = evtimer_new(m->base, on_stop_limit, m);
	for (size_t i = 0; i < 5; i++)
		if (m->events[i] == NULL ||
		    event_add(m->events[i], i == 4 ? &tick : NULL) == -1)
			errx(1, "no events");
	if (m->start_limit == NULL || m->stop_limit == NULL ||
	    reload_init(m) == -1 || evtimer_add(m->start_limit, &start) == -1)
		errx(1, "no events");
}

/* From here on our lines go to logger as well. */
static void
open_log(struct master *m)
{
	if (child_log_pipe(m->log, LOG_PIPE_SIZE) == -1 ||
	    dup2(m->log[1], STDERR_FILENO) == -1)
		err(1, "log");
}

static int
check_only(struct master *m, const char *file)
{
	open_standard(m, false);
	m->root = geteuid() == 0;
	find_programs(m);
	return check(m, file);
}

static void
set_up(struct master *m, const char *file)
{
	int inherited[INHERITED_MAX];
	struct directory_owner owner;
	size_t ninherited;

	notify_open(&m->notify);
	listen_inherit(inherited, &ninherited);
	open_standard(m, ninherited > 0);
	m->root = geteuid() == 0;
	find_programs(m);
	configuration_read(m, file);
	users_find(m, &m->current->conf, &owner);
	directories_make(&m->current->conf, &owner);
	listen_open(m, inherited, ninherited);
	control_open(m);
	submit_open(m);
	outside_open(m);
	m->descriptors = descriptors_raise(&m->current->conf);
}

static void
run(struct master *m)
{
	struct child *c;

	m->started = master_now();
	notify_status(m);
	make_events(m);
	if (sessions_init(m) == -1 || children_make(m) == -1)
		err(1, "processes");
	open_log(m);
	if (m->descriptors < descriptors_needed(&m->current->conf))
		log_warn("few_descriptors",
		    log_num("needed",
			(int64_t)descriptors_needed(&m->current->conf)),
		    log_num("allowed", (int64_t)m->descriptors),
		    log_str("reason", "max_sessions"));
	TAILQ_FOREACH (c, &m->children, link)
		if (m->phase == PHASE_STARTING)
			child_start(c);
	if (event_base_dispatch(m->base) == -1)
		fatalx("master", "the event loop failed");
}

static void
tear_down(struct master *m)
{
	children_free(m);
	sessions_free(m);
	for (size_t i = 0; i < 5; i++)
		event_free(m->events[i]);
	event_free(m->start_limit);
	event_free(m->stop_limit);
	event_free(m->reload.limit);
	event_base_free(m->base);
	generation_unref(m->current);
}

int
main(int argc, char **argv)
{
	static struct master m;

	bool only_check = argc == 4 && strcmp(argv[1], "-n") == 0;

	TAILQ_INIT(&m.children);
	if (argc != 3 + only_check || strcmp(argv[argc - 2], "-c") != 0) {
		fputs("usage: master [-n] -c FILE\n", stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN); /* until there is something to reload */
	if (only_check)
		return check_only(&m, argv[3]);
	set_up(&m, argv[2]);
	confine_drop(master_sandbox(), NULL, NULL);
	confine_seccomp(master_sandbox());
	run(&m);
	tear_down(&m);
	return m.status;
}
