/*
 * helper.c - a short-lived process that does one thing and says on standard
 * error what is wrong; master's loop goes on meanwhile.
 *
 * What needs a parser, or may have to wait (the file, the users, the questions
 * of `expect`), is done there, for master does neither.
 */
#include <sys/prctl.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "master/master.h"

#define READ_AT_ONCE (64 * 1024)
/* Above the places that are filled. */
#define ABOVE 16

static _Noreturn void
become(const struct helper *h, const int fds[3], pid_t parent)
{
	int high[4] = { h->master->null, fds[0], fds[1], fds[2] };

	for (int i = 0; i < 4; i++)
		if (high[i] != -1 &&
		    (high[i] = fcntl(high[i], F_DUPFD_CLOEXEC, ABOVE)) == -1)
			_exit(1);
	for (int i = 0; i < 4; i++)
		if (high[i] == -1 ? close(i) == -1 && errno != EBADF
				  : dup2(high[i], i) == -1)
			_exit(1);
	/* Nothing of master's own comes with it. */
	if (close_range(HELPER_FD + 1, ~0U, 0) == -1 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == -1 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 || getppid() != parent)
		_exit(1);
	_exit(h->run(h->master));
}

static pid_t
start(const struct helper *h, const int fds[3])
{
	pid_t parent = getpid(), pid;
	sigset_t all, before;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	pid = fork();
	if (pid == 0) {
		spawn_signals(&before);
		become(h, fds, parent);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	return pid;
}

static void
pipe_close(struct helper_pipe *p)
{
	if (p->readable != NULL)
		event_free(p->readable);
	p->readable = NULL;
	if (p->fd != -1)
		close(p->fd);
	p->fd = -1;
}

/* It has ended, and what it said is here. */
static void
check_done(struct helper *h)
{
	if (h->pid != 0 || h->said[0].fd != -1 || h->said[1].fd != -1)
		return;
	h->done(h->master, h->status);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct helper_pipe *p = arg;
	char *to = buf_reserve(&p->text, READ_AT_ONCE);
	ssize_t n = to != NULL ? read(fd, to, READ_AT_ONCE) : 0;

	(void)what;
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		p->text.n += (size_t)n;
		return;
	}
	/* More than there can be: it may say so to itself. */
	pipe_close(p);
	check_done(p->helper);
}

static int
pipe_open(struct helper *h, struct helper_pipe *p, int *theirs, size_t max)
{
	int fds[2];

	p->helper = h;
	p->fd = -1;
	buf_fini(&p->text);
	buf_init(&p->text, max);
	if (pipe2(fds, O_CLOEXEC) == -1)
		return -1;
	*theirs = fds[1];
	p->fd = fds[0];
	p->readable = event_new(
	    h->master->base, p->fd, EV_READ | EV_PERSIST, on_readable, p);
	if (fcntl(p->fd, F_SETFL, O_NONBLOCK) == -1 || p->readable == NULL ||
	    event_add(p->readable, NULL) == -1)
		return -1;
	return 0;
}

int
helper_start(struct master *m, int (*run)(const struct master *), int fd,
    void (*done)(struct master *, int))
{
	struct helper *h = &m->helper;
	int fds[3] = { -1, -1, fd };

	h->master = m;
	h->run = run;
	h->done = done;
	h->pid = -1;
	h->said[0].fd = h->said[1].fd = -1;
	if (pipe_open(h, &h->said[0], &fds[0], HELPER_OUT_MAX) == 0 &&
	    pipe_open(h, &h->said[1], &fds[1], HELPER_ERR_MAX) == 0)
		h->pid = start(h, fds);
	for (size_t i = 0; i < 3; i++)
		if (fds[i] != -1)
			close(fds[i]);
	if (h->pid != -1)
		return 0;
	helper_end(m);
	return -1;
}

void
helper_reaped(struct master *m, pid_t pid, int status)
{
	struct helper *h = &m->helper;

	if (h->pid != pid)
		return;
	h->pid = 0;
	h->status = status;
	check_done(h);
}

void
helper_end(struct master *m)
{
	struct helper *h = &m->helper;

	if (h->pid > 0)
		kill(h->pid, SIGKILL);
	/* Its end is of no interest any more. */
	h->pid = 0;
	for (size_t i = 0; i < 2; i++) {
		pipe_close(&h->said[i]);
		buf_fini(&h->said[i].text);
	}
}
