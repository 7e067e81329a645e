/*
 * source.c - what comes in: the pipes of all processes, line by line.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "common/msg/master.h"
#include "master/logger/logger.h"

/* Behind a write, so that lines that come one by one, from several processes, are
 * read and written together, and do not each cost a switch to here and back. */
#define REST_MS 2

void
source_exit_if_done(struct logger *l)
{
	/* One is left: our own. */
	if (l->process->stopping &&
	    (LIST_EMPTY(&l->sources) ||
		LIST_NEXT(LIST_FIRST(&l->sources), link) == NULL))
		process_exit(l->process);
}

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
		output_go_on(l);
	else
		event_active(l->turn, EV_TIMEOUT, 0);
	source_exit_if_done(l);
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct logger *l = arg;

	(void)fd;
	(void)what;
	output_go_on(l);
	/* What comes meanwhile waits in the pipes; master sees no difference. */
	if (!l->more && !l->paused && !l->process->stopping)
		(void)poll(NULL, 0, REST_MS);
	l->more = false;
}

int
source_add(struct logger *l, enum peer kind, int fd)
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

int
source_pipe(void *arg, struct ipc_msg *m)
{
	struct process *p = arg;
	struct msg_peer peer;

	if (msg_peer_get(m, &peer) == -1)
		return -1;
	if (source_add(p->state, peer.kind, m->fd) == 0)
		m->fd = -1;
	else
		log_error("no_log", log_str("of", peer_name(peer.kind)),
		    log_errno(errno));
	return 0;
}

int
source_turn_init(struct logger *l)
{
	l->turn = evtimer_new(l->process->base, on_turn, l);
	return l->turn != NULL ? 0 : -1;
}
