/*
 * logger.c - one log out of the pipes of all processes.
 *
 * Adds the time and the name of the process to each line and writes it to
 * standard error.  Nobody waits for the log: when what reads it is slow, logger
 * stops reading, the pipes fill, and log.h drops lines and counts them where
 * they are made.  All that it reads may come from a process that was broken
 * into; lines.h makes it harmless.
 */
#include <sys/queue.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <seccomp.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/msg/master.h"
#include "common/run/process.h"
#include "master/logger/lines.h"

#define READ_MAX PIPE_BUF
/* All that one read can become: lines of one byte, each with what stands before
 * it, or long ones of which every byte is escaped. */
#define TEXT_MAX (READ_MAX * 32 + 2 * LINES_TEXT_MAX)

struct source {
	LIST_ENTRY(source) link;
	struct logger *logger;
	enum peer kind;
	int fd;
	struct event *readable;
	struct lines lines;
};

struct logger {
	struct process *process;
	int out;
	struct event *writable; /* while the reader of the log is slow */
	LIST_HEAD(, source) sources;
	uint64_t nlines;
	/* Lines that belong into one write; a reader of a pipe gets each whole.
	 */
	char text[TEXT_MAX];
	size_t n;
};

static void
logger_exit_if_done(struct logger *l)
{
	/* One is left: our own. */
	if (l->process->stopping &&
	    (LIST_EMPTY(&l->sources) ||
		LIST_NEXT(LIST_FIRST(&l->sources), link) == NULL))
		process_exit(l->process);
}

static void
pause_reading(struct logger *l)
{
	struct source *s;

	if (event_add(l->writable, NULL) == -1)
		return; /* a kind of file that poll() reports and epoll cannot
			 */
	LIST_FOREACH(s, &l->sources, link)
	event_del(s->readable);
}

/* False: not now. */
static bool
flush(struct logger *l)
{
	struct pollfd p = { .fd = l->out, .events = POLLOUT };
	size_t done = 0;

	while (done < l->n) {
		size_t piece = l->n - done < PIPE_BUF ? l->n - done : PIPE_BUF;
		ssize_t n = -1;

		/* A pipe that is writable has room for PIPE_BUF bytes. */
		if (poll(&p, 1, 0) == 1)
			n = write(l->out, l->text + done, piece);
		else
			errno = EAGAIN;
		if (n == -1 && errno == EAGAIN)
			break;
		/* Any other error: nobody reads, or a full disk.  Those lines
		 * are lost, as the next ones may not be. */
		done += n > 0 ? (size_t)n : piece;
	}
	memmove(l->text, l->text + done, l->n - done);
	l->n -= done;
	return l->n == 0;
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct logger *l = arg;
	struct source *s;

	(void)fd;
	(void)what;
	if (!flush(l)) {
		event_add(l->writable, NULL);
		return;
	}
	LIST_FOREACH(s, &l->sources, link)
	event_add(s->readable, NULL);
}

static void
add_line(struct source *s, struct span line)
{
	struct logger *l = s->logger;
	struct timespec now;

	if (sizeof l->text - l->n < LINES_TEXT_MAX)
		return; /* only where pause_reading() could not */
	clock_gettime(CLOCK_REALTIME, &now);
	l->n += lines_format(l->text + l->n, &now, peer_name(s->kind), line);
	l->nlines++;
}

static void
source_free(struct source *s)
{
	struct span rest = lines_rest(&s->lines);

	if (rest.n > 0)
		add_line(s, rest);
	LIST_REMOVE(s, link);
	event_free(s->readable);
	close(s->fd);
	free(s);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	static char bytes[READ_MAX];
	struct source *s = arg;
	struct logger *l = s->logger;
	ssize_t n = read(fd, bytes, sizeof bytes);
	struct span in, line;

	(void)what;
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	in = span_from(bytes, n > 0 ? (size_t)n : 0);
	while (lines_next(&s->lines, &in, &line))
		add_line(s, line);
	if (n <= 0)
		source_free(s);
	if (!flush(l))
		pause_reading(l);
	logger_exit_if_done(l);
}

static int
add_source(struct logger *l, enum peer kind, int fd)
{
	struct source *s = calloc(1, sizeof *s);

	if (s == NULL)
		return -1;
	s->logger = l;
	s->kind = kind;
	s->fd = fd;
	s->readable = event_new(
	    l->process->base, fd, EV_READ | EV_PERSIST, on_readable, s);
	if (s->readable == NULL || event_add(s->readable, NULL) == -1) {
		if (s->readable != NULL)
			event_free(s->readable);
		free(s);
		return -1;
	}
	LIST_INSERT_HEAD(&l->sources, s, link);
	return 0;
}

static int
on_logpipe(void *arg, struct ipc_msg *m)
{
	struct process *p = arg;
	struct msg_peer peer;

	if (msg_peer_get(m, &peer) == -1)
		return -1;
	if (add_source(p->state, peer.kind, m->fd) == 0)
		m->fd = -1;
	else
		log_error("no_log", log_str("of", peer_name(peer.kind)),
		    log_errno(errno));
	return 0;
}

/* Our own lines take the way of all others. */
static void
prepare(struct process *p)
{
	struct logger *l = p->state;
	int fds[2];

	l->process = p;
	LIST_INIT(&l->sources);
	l->out = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
	if (l->out == -1 || pipe2(fds, O_CLOEXEC | O_NONBLOCK) == -1)
		fatal("standard error");
	l->writable = event_new(p->base, l->out, EV_WRITE, on_writable, l);
	if (l->writable == NULL || add_source(l, PEER_LOGGER, fds[0]) == -1)
		fatalx("logger", "no events");
	if (dup2(fds[1], STDERR_FILENO) == -1)
		fatal("standard error");
	close(fds[1]);
}

static const struct confine *
sandbox(struct process *p)
{
	static const struct confine_call calls[] = {
		{ .nr = SCMP_SYS(poll), .why = "flush" },
		{ .nr = SCMP_SYS(ppoll), .why = "flush (arm64)" },
	};
	static const struct confine limits = {
		.empty_root = true,
		.calls = calls,
		.ncalls = sizeof calls / sizeof calls[0],
	};

	(void)p;
	return &limits;
}

static void
begin(struct process *p)
{
	(void)p;
}

static void
stop(struct process *p)
{
	logger_exit_if_done(p->state);
}

static void
status(
    struct process *p, void (*add)(void *, const char *, uint64_t), void *arg)
{
	const struct logger *l = p->state;

	add(arg, "lines", l->nlines);
}

int
main(int argc, char **argv)
{
	static const struct ipc_rule rules[] = {
		{ MASTER_LOGPIPE, IPC_ANY_PHASE, IPC_FD_ALWAYS, on_logpipe },
	};
	static const struct process_ops ops = {
		.kind = PEER_LOGGER,
		.prepare = prepare,
		.sandbox = sandbox,
		.begin = begin,
		.stop = stop,
		.status = status,
		.rules = rules,
		.nrules = sizeof rules / sizeof rules[0],
	};
	static struct logger logger;

	return process_main(&ops, &logger, argc, argv);
}
