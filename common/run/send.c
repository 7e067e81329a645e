/*
 * send.c - packets on their way out, at once or when the peer has read.
 *
 * One packet is built at a time, in memory shared by all channels; nothing is
 * allocated where the socket takes it.  What has to wait is copied, with a
 * duplicate of its descriptor.
 */
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/run/channel.h"

static char out_packet[IPC_PACKET_MAX];
static struct wire_put out_body;

static int
transmit(const struct channel *c, const char *p, size_t n, int fd)
{
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { .space = { 0 } };
	struct iovec iov = { (char *)p, n };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t sent;

	if (fd != -1) {
		struct cmsghdr *m;

		h.msg_control = control.space;
		h.msg_controllen = sizeof control.space;
		m = CMSG_FIRSTHDR(&h);
		m->cmsg_level = SOL_SOCKET;
		m->cmsg_type = SCM_RIGHTS;
		m->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(m), &fd, sizeof fd);
	}
	do {
		sent = sendmsg(c->fd, &h, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (sent == -1 && errno == EINTR);
	return sent == -1 ? -1 : 0;
}

/* It passes by waiting for the peer to read. */
static bool
must_wait(int err)
{
	return err == EAGAIN || err == EWOULDBLOCK;
}

/* It passes by waiting, but the socket does not tell when. */
static bool
must_retry(int err)
{
	return err == ENOBUFS || err == ENOMEM || err == ETOOMANYREFS;
}

static void
wait_to_send(struct channel *c, int err)
{
	static const struct timeval soon = { .tv_usec = 10000 };

	if (must_wait(err))
		event_add(c->writable, NULL);
	else
		event_add(c->later, &soon);
}

/* From the loop, with what is left to read first: a peer that went away may
 * have said something before. */
static int
broken(struct channel *c)
{
	c->broken = true;
	event_add(c->readable, NULL); /* paused or not */
	event_active(c->readable, EV_READ, 0);
	errno = EPIPE;
	return -1;
}

void
channel_packet_free(struct channel *c, struct packet *k)
{
	TAILQ_REMOVE(&c->out, k, link);
	c->backlog -= sizeof *k + k->n;
	if (k->fd != -1)
		close(k->fd);
	free(k);
}

void
channel_flush(evutil_socket_t sock, short what, void *arg)
{
	struct channel *c = arg;
	struct packet *k;

	(void)sock;
	(void)what;
	while (!c->broken && (k = TAILQ_FIRST(&c->out)) != NULL) {
		if (transmit(c, k->p, k->n, k->fd) == 0)
			channel_packet_free(c, k);
		else if (must_wait(errno) || must_retry(errno)) {
			wait_to_send(c, errno);
			return;
		} else
			broken(c);
	}
}

static int
enqueue(struct channel *c, size_t n, int fd)
{
	struct packet *k;

	if (c->backlog + sizeof *k + n > IPC_BACKLOG_MAX) {
		c->overrun = true;
		return broken(c);
	}
	k = malloc(sizeof *k + n);
	if (k == NULL)
		return broken(c);
	k->fd = -1;
	if (fd != -1 && (k->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)) == -1) {
		free(k);
		return broken(c);
	}
	k->n = n;
	memcpy(k->p, out_packet, n);
	TAILQ_INSERT_TAIL(&c->out, k, link);
	c->backlog += sizeof *k + n;
	return 0;
}

struct wire_put *
channel_begin(struct channel *c, uint16_t type, uint32_t id)
{
	struct wire_put header = wire_writer(out_packet, IPC_HEADER);

	(void)c;
	wire_put_u16(&header, type);
	wire_put_u16(&header, 0);
	wire_put_u32(&header, id);
	out_body = wire_writer(out_packet + IPC_HEADER, IPC_BODY_MAX);
	return &out_body;
}

int
channel_send(struct channel *c, int fd)
{
	size_t n = IPC_HEADER + out_body.n;
	bool first = TAILQ_EMPTY(&c->out);

	if (out_body.bad) {
		errno = EMSGSIZE;
		return -1;
	}
	if (c->broken) {
		errno = EPIPE;
		return -1;
	}
	if (!first)
		return enqueue(c, n, fd);
	if (transmit(c, out_packet, n, fd) == 0)
		return 0;
	if (!must_wait(errno) && !must_retry(errno))
		return broken(c);
	wait_to_send(c, errno);
	return enqueue(c, n, fd);
}

size_t
channel_backlog(const struct channel *c)
{
	return c->backlog;
}
