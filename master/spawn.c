/*
 * spawn.c - a process of its own: fork, descriptors, exec.
 */
#include <sys/prctl.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "common/run/process.h"
#include "master/master.h"

/* Above all places that are filled, so that nothing is overwritten before it
 * has been put into its own. */
#define ABOVE 16

static void
descriptors(const struct master *m, const struct child *c, int channel)
{
	/* 0 to 4, as process.h says */
	const int from[] = { m->null, m->null,
		c->kind == PEER_LOGGER ? m->err : c->log[1], channel,
		c->generation->conf_fd };
	int high[sizeof from / sizeof from[0]];

	for (size_t i = 0; i < sizeof from / sizeof from[0]; i++) {
		high[i] = fcntl(from[i], F_DUPFD_CLOEXEC, ABOVE);
		if (high[i] == -1)
			fatal("descriptors of a new process");
	}
	for (size_t i = 0; i < sizeof from / sizeof from[0]; i++)
		if (dup2(high[i], (int)i) == -1)
			fatal("descriptors of a new process");
	if (close_range(PROCESS_FD_CONF + 1, ~0U, 0) == -1)
		fatal("descriptors of a new process");
}

/* Nothing of the loop's handlers may run in the new process. */
void
spawn_signals(const sigset_t *mask)
{
	static const int handled[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD,
		SIGPIPE };

	for (size_t i = 0; i < sizeof handled / sizeof handled[0]; i++)
		signal(handled[i], SIG_DFL);
	sigprocmask(SIG_SETMASK, mask, NULL);
}

static _Noreturn void
become(const struct master *m, const struct child *c, int channel, pid_t parent)
{
	char program[CONF_PATH_MAX + 32], instance[16];

	snprintf(program, sizeof program, "%s/%s", m->dir, peer_name(c->kind));
	snprintf(instance, sizeof instance, "%u", c->instance);
	descriptors(m, c, channel);
	/* A process without master is of no use; who drops to another user
	 * loses this, and sees the end of its channel. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == -1)
		fatal("death signal");
	if (getppid() != parent)
		_exit(1);
	/* A ^C at the terminal is for master alone. */
	if (setpgid(0, 0) == -1)
		fatal("process group");
	execl(program, peer_name(c->kind), instance, (char *)NULL);
	fatal(program);
}

pid_t
spawn(const struct master *m, const struct child *c, int channel)
{
	pid_t parent = getpid(), pid;
	sigset_t all, before;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	pid = fork();
	if (pid == 0) {
		spawn_signals(&before);
		become(m, c, channel, parent);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	return pid;
}
