/*
 * logger.c - one log out of the pipes of all processes.
 *
 * Adds the time and the name of the process to each line and writes it to
 * standard error, or to the syslog service, whose socket master opens for it
 * whenever it asks.  Nobody waits for the log: when what reads it is slow or
 * away, logger stops reading, the pipes fill, and log.h drops lines and counts
 * them where they are made.  All that it reads may come from a process that was
 * broken into; lines.h makes it harmless.
 */
#include <sys/queue.h>

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <poll.h>
#include <seccomp.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/msg/master.h"
#include "common/msg/reply.h"
#include "common/run/process.h"
#include "master/logger/errors.h"
#include "master/logger/lines.h"
#include "master/logger/sink.h"

#define READ_MAX PIPE_BUF
/* Behind a write, so that lines that come one by one, from several processes, are
 * read and written together, and do not each cost a switch to here and back. */
#define REST_MS 2
/* All that one read can become: lines of one byte, each with what stands before
 * it, or long ones of which every byte is escaped. */
#define TEXT_MAX      (WRITE_SOON + READ_MAX * 64 + 2 * LINES_TEXT_MAX)
#define WRITE_SOON    PIPE_BUF /* text that waits for no other process's */
#define RETRY_SECONDS 1	       /* until syslog is looked for again */
#define STOP_WAIT     2 /* at the end, until standard error gets the rest */
#define PAUSE_WORTH   5 /* seconds without the log that it tells of */

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
	int err; /* the standard error that we got */
	int own; /* the end to write of our own pipe, until it is used */
	struct lines_form form;
	struct sink sink;
	struct event *writable; /* of the sink; NULL: there is none */
	struct event *retry;	/* syslog is away; or, at the end, is slow */
	struct event *turn;	/* all that was readable has been read */
	bool more;		/* … but not all of it */
	bool complained;	/* that it is */
	bool paused;		/* nothing is read */
	time_t since;		/* … since then, CLOCK_MONOTONIC */
	LIST_HEAD(, source) sources;
	uint64_t nlines, lost, lost_told;
	struct errors errors;
	struct channel *control; /* asks for them; NULL: it is away */
	uint32_t control_instance;
	/* Lines that belong into one write; a reader of a pipe gets each whole.
	 */
	char text[TEXT_MAX];
	size_t n;
};

static void go_on(struct logger *);

static time_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

static void
logger_exit_if_done(struct logger *l)
{
	/* One is left: our own. */
	if (l->process->stopping &&
	    (LIST_EMPTY(&l->sources) ||
		LIST_NEXT(LIST_FIRST(&l->sources), link) == NULL))
		process_exit(l->process);
}

/* --- where it goes --------------------------------------------------------- */

static void
detach(struct logger *l)
{
	if (l->writable != NULL)
		event_free(l->writable);
	l->writable = NULL;
	if (l->sink.fd != -1 && l->sink.fd != l->err)
		close(l->sink.fd);
	l->sink.fd = -1;
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	go_on(arg);
}

static void
attach(struct logger *l, int fd, bool datagrams)
{
	detach(l);
	l->sink = (struct sink){ fd, datagrams };
	l->form.syslog = datagrams;
	l->writable = event_new(l->process->base, fd, EV_WRITE, on_writable, l);
	if (l->writable == NULL)
		fatalx("logger", "no events");
}

static void
pause_reading(struct logger *l)
{
	struct source *s;

	if (l->paused)
		return;
	l->paused = true;
	l->since = now();
	LIST_FOREACH(s, &l->sources, link)
	event_del(s->readable);
}

static void
resume_reading(struct logger *l)
{
	struct source *s;

	if (!l->paused)
		return;
	l->paused = false;
	LIST_FOREACH(s, &l->sources, link)
	event_add(s->readable, NULL);
	if (now() - l->since >= PAUSE_WORTH)
		log_warn("log_resumed", log_num("seconds", now() - l->since));
}

static void
retry_in(struct logger *l, int seconds)
{
	const struct timeval t = { .tv_sec = seconds };

	evtimer_add(l->retry, &t);
}

/* What syslog does not take at the end goes where it would without it. */
static void
on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct logger *l = arg;

	(void)fd;
	(void)what;
	if (l->process->stopping) {
		attach(l, l->err, false);
		go_on(l);
	} else if (l->process->master != NULL) {
		(void)channel_begin(l->process->master, MASTER_SYSLOG, 0);
		(void)channel_send(l->process->master, -1);
	}
}

/* Standard error, once, with what nobody else can say. */
static void
complain(struct logger *l)
{
	static const struct lines_form plain = { false, false };
	const struct sink err = { l->err, false };
	char text[LINES_TEXT_MAX];
	struct timespec t;
	uint64_t lost;
	size_t n;

	if (l->complained)
		return;
	l->complained = true;
	clock_gettime(CLOCK_REALTIME, &t);
	n = lines_format(text, &plain, &t, peer_name(PEER_LOGGER),
	    SPAN("event=syslog_away level=error"));
	(void)sink_write(&err, text, &n, &lost);
}

static int
on_syslog(void *arg, struct ipc_msg *m)
{
	struct process *p = arg;
	struct logger *l = p->state;

	if (msg_empty_get(m) == -1)
		return -1;
	if (l->sink.fd != -1 || l->process->stopping)
		return 0;
	if (m->fd == -1) {
		complain(l);
		retry_in(l, RETRY_SECONDS);
		return 0;
	}
	attach(l, m->fd, true);
	m->fd = -1;
	l->complained = false;
	go_on(l);
	return 0;
}

static void
tell_lost(struct logger *l)
{
	if (l->lost == l->lost_told)
		return;
	log_warn(
	    "log_lost", log_num("lines", (int64_t)(l->lost - l->lost_told)));
	l->lost_told = l->lost;
}

static void
go_on(struct logger *l)
{
	uint64_t lost = l->lost;

	switch (sink_write(&l->sink, l->text, &l->n, &l->lost)) {
	case SINK_DONE:
		resume_reading(l);
		/* Not while every line of ours would be lost as well. */
		if (lost == l->lost)
			tell_lost(l);
		break;
	case SINK_BUSY:
		/* There are files that poll() reports and epoll cannot. */
		if (event_add(l->writable, NULL) == 0)
			pause_reading(l);
		break;
	case SINK_GONE:
		detach(l);
		pause_reading(l);
		retry_in(l, l->complained ? RETRY_SECONDS : 0);
		break;
	}
}

/* --- what comes in --------------------------------------------------------- */

static void
keep_error(struct logger *l, const struct timespec *t, enum peer kind,
    struct span line)
{
	static const struct lines_form plain = { false, false };
	static char text[LINES_TEXT_MAX];
	size_t n = lines_format(text, &plain, t, peer_name(kind), line);

	errors_keep(&l->errors, span_from(text, n - 1));
}

static void
add_line(struct source *s, struct span line)
{
	struct logger *l = s->logger;
	struct timespec t;

	if (sizeof l->text - l->n < LINES_TEXT_MAX) {
		l->lost++; /* only where nobody could be made to wait */
		return;
	}
	clock_gettime(CLOCK_REALTIME, &t);
	l->n += lines_format(
	    l->text + l->n, &l->form, &t, peer_name(s->kind), line);
	if (lines_level(line) == LOG_LEVEL_ERROR)
		keep_error(l, &t, s->kind, line);
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
	l->more |= n == sizeof bytes;
	if (n <= 0)
		source_free(s);
	if (n <= 0 || l->n >= WRITE_SOON)
		go_on(l);
	else
		event_active(l->turn, EV_TIMEOUT, 0);
	logger_exit_if_done(l);
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct logger *l = arg;

	(void)fd;
	(void)what;
	go_on(l);
	/* What comes meanwhile waits in the pipes; master sees no difference. */
	if (!l->more && !l->paused && !l->process->stopping)
		(void)poll(NULL, 0, REST_MS);
	l->more = false;
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
	if (s->readable == NULL ||
	    (!l->paused && event_add(s->readable, NULL) == -1)) {
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

static void
prepare(struct process *p)
{
	struct logger *l = p->state;
	int fds[2];

	l->process = p;
	LIST_INIT(&l->sources);
	/* Else it would look for a device that gives random bytes. */
	json_object_seed(1);
	l->err = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
	if (l->err == -1 || pipe2(fds, O_CLOEXEC | O_NONBLOCK) == -1)
		fatal("standard error");
	l->retry = evtimer_new(p->base, on_retry, l);
	l->turn = evtimer_new(p->base, on_turn, l);
	if (l->retry == NULL || l->turn == NULL ||
	    add_source(l, PEER_LOGGER, fds[0]) == -1)
		fatalx("logger", "no events");
	l->own = fds[1];
}

static const struct confine *
sandbox(struct process *p)
{
	static const struct confine_call calls[] = {
		{ .nr = SCMP_SYS(poll), .why = "sink.c, on_turn" },
		{ .nr = SCMP_SYS(ppoll), .why = "the same (arm64)" },
		{ .nr = SCMP_SYS(sendto), .why = "sink.c: syslog" },
		{ .nr = SCMP_SYS(pread64), .why = "configured" },
		{ .nr = SCMP_SYS(dup2), .why = "begin" },
		{ .nr = SCMP_SYS(dup3), .why = "begin (arm64)" },
	};
	static const struct confine limits = {
		.empty_root = true,
		.calls = calls,
		.ncalls = sizeof calls / sizeof calls[0],
	};

	(void)p;
	return &limits;
}

/* As the configuration says. */
static void
choose(struct logger *l)
{
	const struct conf *c = l->process->conf;

	l->form = (struct lines_form){ c->log_json, c->log_socket[0] != '\0' };
	if (l->form.syslog)
		detach(l);
	else
		attach(l, l->err, false);
	go_on(l);
}

/* From here on our own lines take the way of all others; what ended us before
 * had to be said at once. */
static void
begin(struct process *p)
{
	struct logger *l = p->state;

	if (dup2(l->own, STDERR_FILENO) == -1)
		fatal("standard error");
	close(l->own);
	choose(l);
}

/* A reload.  What has come until now is in the old form. */
static void
configured(struct process *p)
{
	struct logger *l = p->state;

	l->complained = false;
	if (!p->stopping)
		choose(l);
}

/* --- who asks -------------------------------------------------------------- */

static int
on_errors(void *arg, struct ipc_msg *m)
{
	struct logger *l = arg;
	struct msg_errors errors;

	if (msg_empty_get(m) == -1)
		return -1;
	errors_tell(&l->errors, &errors);
	msg_errors_put(
	    channel_begin(l->control, CONTROL_ERRORS_LAST, m->id), &errors);
	(void)channel_send(l->control, -1);
	return 0;
}

static void
on_control_closed(void *arg, bool bad)
{
	struct logger *l = arg;

	l->control = NULL;
	if (bad)
		process_complain(l->process, PEER_CONTROL, l->control_instance);
}

static void
peer(struct process *p, enum peer kind, uint32_t instance, int fd)
{
	static const struct ipc_rule rules[] = {
		{ CONTROL_ERRORS, IPC_ANY_PHASE, IPC_FD_NEVER, on_errors },
	};
	static const struct channel_ops ops = { rules,
		sizeof rules / sizeof rules[0], on_control_closed };
	struct logger *l = p->state;

	if (kind != PEER_CONTROL) {
		close(fd);
		return;
	}
	channel_free(l->control);
	l->control_instance = instance;
	l->control = channel_new(p->base, fd, kind, &ops, l);
	if (l->control == NULL) {
		log_warn("no_channel", log_str("peer", peer_name(kind)));
		close(fd);
	}
}

static void
stop(struct process *p)
{
	struct logger *l = p->state;

	if (l->sink.fd != l->err)
		retry_in(l, STOP_WAIT);
	logger_exit_if_done(l);
}

static void
status(
    struct process *p, void (*add)(void *, const char *, uint64_t), void *arg)
{
	const struct logger *l = p->state;

	add(arg, "lines", l->nlines);
	add(arg, "lost", l->lost);
	add(arg, "away", l->sink.fd == -1 && l->complained);
}

int
main(int argc, char **argv)
{
	static const struct ipc_rule rules[] = {
		{ MASTER_LOGPIPE, IPC_ANY_PHASE, IPC_FD_ALWAYS, on_logpipe },
		{ MASTER_SYSLOG, IPC_ANY_PHASE, IPC_FD_MAYBE, on_syslog },
	};
	static const struct process_ops ops = {
		.kind = PEER_LOGGER,
		.prepare = prepare,
		.sandbox = sandbox,
		.begin = begin,
		.configured = configured,
		.peer = peer,
		.stop = stop,
		.status = status,
		.rules = rules,
		.nrules = sizeof rules / sizeof rules[0],
	};
	static struct logger logger = { .sink = { .fd = -1 } };

	return process_main(&ops, &logger, argc, argv);
}
