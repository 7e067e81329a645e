/*
 * sink.c - see sink.h.
 */
#include <sys/socket.h>

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "master/logger/sink.h"

/* Lines end whole. */
static size_t
piece(const char *text, size_t n)
{
	const char *end;

	if (n <= PIPE_BUF)
		return n;
	/* A pipe takes as much at once or not at all; a line is longer only
	 * where it is foreign bytes all over. */
	end = memrchr(text, '\n', PIPE_BUF);
	return end != NULL ? (size_t)(end + 1 - text) : PIPE_BUF;
}

/* It may be shared, and so may not be made non-blocking. */
static ssize_t
write_bytes(int fd, const char *text, size_t n)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	/* A pipe that is writable has room for PIPE_BUF bytes. */
	if (poll(&p, 1, 0) == 1)
		return write(fd, text, n);
	errno = EAGAIN;
	return -1;
}

static size_t
line_length(const char *text, size_t n)
{
	const char *end = memchr(text, '\n', n);

	return end != NULL ? (size_t)(end + 1 - text) : n;
}

static size_t
count_lines(const char *text, size_t n)
{
	size_t lines = 0;

	for (size_t i = 0; i < n; i++)
		lines += text[i] == '\n';
	return lines;
}

static bool
is_gone(int error)
{
	return error == ECONNREFUSED || error == ENOTCONN ||
	    error == ECONNRESET || error == EPIPE || error == ENOBUFS;
}

enum sink_state
sink_write(const struct sink *s, char *text, size_t *n, uint64_t *lost)
{
	enum sink_state state = s->fd != -1 ? SINK_DONE : SINK_GONE;
	size_t done = 0;

	while (done < *n && state == SINK_DONE) {
		size_t some = s->datagrams ? line_length(text + done, *n - done)
					   : piece(text + done, *n - done);
		ssize_t got = s->datagrams
		    ? send(s->fd, text + done, some - 1,
			  MSG_DONTWAIT | MSG_NOSIGNAL)
		    : write_bytes(s->fd, text + done, some);

		if (got == -1 && errno == EAGAIN)
			state = SINK_BUSY;
		else if (got == -1 && s->datagrams && is_gone(errno))
			state = SINK_GONE;
		else if (got > 0 && !s->datagrams)
			done += (size_t)got;
		else {
			*lost += got == -1 ? count_lines(text + done, some) : 0;
			done += some;
		}
	}
	memmove(text, text + done, *n - done);
	*n -= done;
	return state;
}
