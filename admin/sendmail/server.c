/*
 * server.c - lines to and from smtpd.
 */
#include "admin/sendmail/server.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

/* A path, its verb and parameters. */
#define COMMAND_MAX 1024

int
server_connect(struct server *s, const char *path)
{
	const struct timeval limit = { .tv_sec = SERVER_SECONDS };
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	*s = (struct server){ .fd = -1 };
	line_init(&s->lines, sizeof s->in);
	if (!span_copy(sun.sun_path, sizeof sun.sun_path, span_of(path))) {
		errno = ENAMETOOLONG;
		return -1;
	}
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->fd == -1 ||
	    setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) ==
		-1 ||
	    setsockopt(s->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) ==
		-1 ||
	    connect(s->fd, (struct sockaddr *)&sun, sizeof sun) == -1) {
		server_close(s);
		return -1;
	}
	return 0;
}

void
server_close(struct server *s)
{
	int saved = errno;

	if (s->fd != -1)
		close(s->fd);
	s->fd = -1;
	errno = saved;
}

int
server_write(struct server *s, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t done = send(s->fd, p, n, MSG_NOSIGNAL);

		if (done == -1 && errno != EINTR) {
			if (errno == EAGAIN)
				errno = ETIMEDOUT;
			return -1;
		}
		if (done > 0) {
			p += done;
			n -= (size_t)done;
		}
	}
	return 0;
}

/* The next line into `line`; it is part of s->in until the next call. */
static int
next_line(struct server *s, size_t *used, struct span *line)
{
	for (;;) {
		struct span in = span_from(s->in + *used, s->nin - *used);
		enum line_result r = line_next(&s->lines, &in, line);
		ssize_t n;

		*used = s->nin - in.n;
		if (r == LINE_OK)
			return 0;
		if (r != LINE_MORE) {
			errno = EPROTO;
			return -1;
		}
		memmove(s->in, s->in + *used, in.n);
		s->nin = in.n;
		*used = 0;
		n = recv(s->fd, s->in + s->nin, sizeof s->in - s->nin, 0);
		if (n > 0)
			s->nin += (size_t)n;
		else if (n == 0) {
			errno = ECONNRESET;
			return -1;
		} else if (errno != EINTR) {
			if (errno == EAGAIN)
				errno = ETIMEDOUT;
			return -1;
		}
	}
}

static void
keyword(struct server *s, struct span line)
{
	struct span word = span_cut(&line, ' ');

	if (span_is(word, "8BITMIME"))
		s->eight_bit = true;
	else if (span_is(word, "DSN"))
		s->dsn = true;
	else if (span_is(word, "SIZE")) {
		s->size = true;
		(void)span_number(line, UINT64_MAX, &s->size_max);
	} else if (span_is(word, "XQUALIFY") &&
	    (address_domain_ok(line) || address_literal_ok(line)))
		(void)span_copy(s->domain, sizeof s->domain, line);
}

static int
read_reply(struct server *s, struct reply *reply, bool keywords)
{
	struct reply_parser parser;
	struct span line;
	size_t used = 0;
	int done = 0;

	reply_parser_init(&parser);
	while (done == 0) {
		if (next_line(s, &used, &line) == -1)
			return -1;
		if (keywords && line.n > 4)
			keyword(s, span_skip(line, 4));
		done = reply_parse_line(&parser, line);
	}
	memmove(s->in, s->in + used, s->nin - used);
	s->nin -= used;
	*reply = parser.r;
	if (done == 1)
		return 0;
	errno = EPROTO;
	return -1;
}

int
server_reply(struct server *s, struct reply *reply)
{
	return read_reply(s, reply, false);
}

int
server_say(struct server *s, struct reply *reply, const char *fmt, ...)
{
	char line[COMMAND_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof line - 2, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof line - 2) {
		errno = EMSGSIZE;
		return -1;
	}
	memcpy(line + n, "\r\n", 2);
	if (server_write(s, line, (size_t)n + 2) == -1) {
		int saved = errno;

		/* It may have said why before it closed. */
		if (server_reply(s, reply) == 0)
			return 0;
		errno = saved;
		return -1;
	}
	return server_reply(s, reply);
}

int
server_hello(struct server *s, struct reply *reply)
{
	static const char ehlo[] = "EHLO localhost\r\n";

	if (server_reply(s, reply) == -1)
		return -1;
	if (reply->code != 220)
		return 0;
	if (server_write(s, ehlo, sizeof ehlo - 1) == -1)
		return -1;
	return read_reply(s, reply, true);
}
