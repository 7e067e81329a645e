/*
 * relay.c - -bs: SMTP on standard input and output, passed to smtpd and back.
 *
 * Nothing of it is understood here; who speaks is told to smtpd by the kernel.
 * Descriptors that others share are not made non-blocking: one is written only
 * when poll says that it takes as much, and one is read only when what it gave
 * before is gone.
 */
#include <sys/socket.h>

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "admin/sendmail/sendmail.h"

struct way {
	int from, to;
	char p[PIPE_BUF]; /* a pipe that poll calls writable takes that */
	size_t n;
	bool ended; /* `from` gives no more */
};

static bool
is_passing(void)
{
	return errno == EINTR || errno == EAGAIN;
}

/* -1: the way is over. */
static int
take(struct way *w)
{
	ssize_t n = read(w->from, w->p, sizeof w->p);

	if (n == -1 && is_passing())
		return 0;
	if (n == -1)
		return -1;
	w->n = (size_t)n;
	w->ended = n == 0;
	return 0;
}

static int
give(struct way *w)
{
	ssize_t n = write(w->to, w->p, w->n);

	if (n == -1)
		return is_passing() ? 0 : -1;
	w->n -= (size_t)n;
	memmove(w->p, w->p + n, w->n);
	return 0;
}

/* One of the two is due; -1: the way is over. */
static int
move(struct way *w, short revents)
{
	if (revents == 0)
		return 0;
	return w->n > 0 ? give(w) : take(w);
}

static struct pollfd
wanted(const struct way *w)
{
	if (w->n > 0)
		return (struct pollfd){ .fd = w->to, .events = POLLOUT };
	return (
	    struct pollfd){ .fd = w->ended ? -1 : w->from, .events = POLLIN };
}

int
relay_smtp(const struct options *o)
{
	static struct server server;
	static struct way up, down;
	char error[SERVICE_ERROR_MAX];
	bool told = false;

	/* RFC 5321 section 3.1: whoever speaks SMTP is told in SMTP. */
	if (service_connect(o, &server, error) == -1) {
		printf("421 4.3.2 %s\r\n", error);
		return EX_TEMPFAIL;
	}
	up = (struct way){ .from = STDIN_FILENO, .to = server.fd };
	down = (struct way){ .from = server.fd, .to = STDOUT_FILENO };
	while (!down.ended || down.n > 0) {
		struct pollfd p[2] = { wanted(&up), wanted(&down) };

		if (poll(p, 2, -1) == -1 && errno != EINTR)
			return EX_OSERR;
		if (move(&up, p[0].revents) == -1) {
			/* It reads no more; what it says is still of use. */
			up.ended = true;
			up.n = 0;
		}
		if (move(&down, p[1].revents) == -1)
			break;
		if (up.ended && up.n == 0 && !told) {
			(void)shutdown(server.fd, SHUT_WR);
			told = true;
		}
	}
	server_close(&server);
	return EX_OK;
}
