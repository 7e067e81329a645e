/*
 * ipc.c - packets over SOCK_SEQPACKET, checked before anybody sees them.
 *
 * There is one buffer to receive into in a process: all channels live in one
 * event loop, and a handler is done with a packet before the next is received.
 */
#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "common/run/channel.h"

/* Packets received in one turn, so that a busy peer starves nobody. */
#define TURN_PACKETS 64
/* Descriptors there is room for: one is legal, and a second one must show. */
#define FDS_MAX 2

static char in_packet[IPC_PACKET_MAX];

const char *
peer_name(enum peer peer)
{
	static const char *const names[PEER_END] = {
		[PEER_MASTER] = "master",
		[PEER_LOGGER] = "logger",
		[PEER_LOOKUP] = "lookup",
		[PEER_RESOLVER] = "resolver",
		[PEER_QUEUE] = "queue",
		[PEER_LOCAL] = "local",
		[PEER_REMOTE] = "remote",
		[PEER_CONTROL] = "control",
		[PEER_SMTPD] = "smtpd",
		[PEER_ADMIN] = "admin",
	};

	return peer < PEER_END ? names[peer] : "unknown";
}

int
channel_room(int fd)
{
	/* A whole packet must fit in, with the kernel's own overhead. */
	static const int size = 2 * IPC_PACKET_MAX;

	return setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

int
channel_pair(int fds[2])
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
		0, fds) == -1)
		return -1;
	for (int i = 0; i < 2; i++) {
		if (channel_room(fds[i]) == 0)
			continue;
		close(fds[0]);
		close(fds[1]);
		return -1;
	}
	return 0;
}

/* --- life and death ---------------------------------------------------- */

static void
release(struct channel *c)
{
	struct packet *k;

	while ((k = TAILQ_FIRST(&c->out)) != NULL)
		channel_packet_free(c, k);
	if (c->readable != NULL)
		event_free(c->readable);
	if (c->writable != NULL)
		event_free(c->writable);
	if (c->later != NULL)
		event_free(c->later);
	if (c->fd != -1)
		close(c->fd);
	free(c);
}

void
channel_free(struct channel *c)
{
	if (c == NULL)
		return;
	if (!c->busy) {
		release(c);
		return;
	}
	c->dead = true;
	c->broken = true;
	event_del(c->readable);
	event_del(c->writable);
	event_del(c->later);
	/* The peer sees the end now, not when the handler returns. */
	if (c->fd != -1)
		close(c->fd);
	c->fd = -1;
}

/* The one place where a channel ends of itself. */
static void
lose(struct channel *c, bool bad)
{
	c->busy = true;
	c->broken = true;
	c->ops->closed(c->arg, bad);
	release(c);
}

/* --- receiving --------------------------------------------------------- */

/* All descriptors of a message; how many.  The first stays open in *fd if it
 * is the only one. */
static size_t
collect_fds(struct msghdr *h, int *fd)
{
	int fds[FDS_MAX];
	size_t n = 0;

	*fd = -1;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c != NULL;
	     c = CMSG_NXTHDR(h, c)) {
		size_t bytes = c->cmsg_len - CMSG_LEN(0);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i + sizeof(int) <= bytes && n < FDS_MAX;
		     i += sizeof(int))
			memcpy(&fds[n++], CMSG_DATA(c) + i, sizeof(int));
	}
	if (n == 1)
		*fd = fds[0];
	for (size_t i = 0; n > 1 && i < n; i++)
		close(fds[i]);
	return n;
}

/* The next packet into in_packet: its length, 0 for the end, -1 with errno
 * (EBADMSG: not as packets are). */
static ssize_t
receive(int sock, int *fd)
{
	union {
		char space[CMSG_SPACE(FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { in_packet, sizeof in_packet };
	struct msghdr h = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof control.space };
	ssize_t n;

	*fd = -1;
	do {
		n = recvmsg(sock, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		/* ECONNRESET says once that the peer died with packets of ours
		 * unread; what it had sent before still comes. */
	} while (n == -1 && (errno == EINTR || errno == ECONNRESET));
	if (n == -1)
		return -1;
	if (collect_fds(&h, fd) <= 1 &&
	    (h.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0 &&
	    (n == 0 || n >= IPC_HEADER))
		return n;
	if (*fd != -1)
		close(*fd);
	*fd = -1;
	errno = EBADMSG;
	return -1;
}

static const char *
dispatch(struct channel *c, struct ipc_msg *m)
{
	const struct ipc_rule *r = NULL;
	bool known = false;

	for (size_t i = 0; i < c->ops->nrules && r == NULL; i++) {
		if (c->ops->rules[i].type != m->type)
			continue;
		known = true;
		if ((c->ops->rules[i].phases & c->phase) != 0)
			r = &c->ops->rules[i];
	}
	if (r == NULL)
		return known ? "not expected now" : "unknown type";
	if (r->fd == IPC_FD_NEVER && m->fd != -1)
		return "descriptor";
	if (r->fd == IPC_FD_ALWAYS && m->fd == -1)
		return "no descriptor";
	return r->handle(c->arg, m) == 0 ? NULL : "body";
}

/* Why a packet is refused, or NULL. */
static const char *
take(struct channel *c, size_t n, int fd, struct ipc_msg *m)
{
	const char *why;

	*m = (struct ipc_msg){ .body = wire_reader(span_from(in_packet, n)),
		.fd = fd };
	m->type = wire_get_u16(&m->body);
	if (wire_get_u16(&m->body) != 0)
		why = "header";
	else {
		m->id = wire_get_u32(&m->body);
		why = dispatch(c, m);
	}
	if (m->fd != -1)
		close(m->fd);
	return why;
}

static void
bad_message(const struct channel *c, const char *why, unsigned type)
{
	log_warn("bad_message", log_str("peer", peer_name(c->peer)),
	    log_num("type", type), log_str("why", why));
}

enum turn { TURN_MORE, TURN_DRY, TURN_END, TURN_BAD };

static enum turn
receive_one(struct channel *c)
{
	struct ipc_msg m = { .fd = -1 };
	const char *why;
	int fd;
	ssize_t n = receive(c->fd, &fd);

	if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return TURN_DRY;
	if (n == -1 && errno == EBADMSG) {
		bad_message(c, "packet", 0);
		return TURN_BAD;
	}
	if (n <= 0) {
		if (fd != -1)
			close(fd);
		return TURN_END;
	}
	why = take(c, (size_t)n, fd, &m);
	if (c->dead || why == NULL)
		return TURN_MORE;
	bad_message(c, why, m.type);
	return TURN_BAD;
}

static void
on_readable(evutil_socket_t sock, short what, void *arg)
{
	struct channel *c = arg;
	enum turn turn = TURN_MORE;

	(void)sock;
	(void)what;
	if (c->overrun) {
		log_warn("peer_does_not_read",
		    log_str("peer", peer_name(c->peer)),
		    log_num("backlog", (int64_t)c->backlog));
		lose(c, true);
		return;
	}
	c->busy = true;
	for (int i = 0; i < TURN_PACKETS && turn == TURN_MORE && !c->dead &&
	     (!c->paused || c->broken);
	     i++)
		turn = receive_one(c);
	c->busy = false;
	if (c->dead)
		release(c);
	else if (turn == TURN_END || turn == TURN_BAD)
		lose(c, turn == TURN_BAD);
	else if (turn == TURN_DRY && c->broken)
		lose(c, c->overrun);
}

/* --- making ------------------------------------------------------------ */

void
channel_pause(struct channel *c, bool pause)
{
	if (c->paused == pause || c->broken)
		return;
	c->paused = pause;
	if (pause)
		event_del(c->readable);
	else
		event_add(c->readable, NULL);
}

void
channel_phase(struct channel *c, unsigned bit)
{
	c->phase = bit;
}

struct channel *
channel_new(struct event_base *base, int fd, enum peer peer,
    const struct channel_ops *ops, void *arg)
{
	struct channel *c = calloc(1, sizeof *c);

	if (c == NULL) {
		close(fd);
		errno = ENOMEM;
		return NULL;
	}
	c->fd = fd;
	c->peer = peer;
	c->ops = ops;
	c->arg = arg;
	c->phase = 1;
	TAILQ_INIT(&c->out);
	c->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, c);
	c->writable = event_new(base, fd, EV_WRITE, channel_flush, c);
	c->later = evtimer_new(base, channel_flush, c);
	if (c->readable == NULL || c->writable == NULL || c->later == NULL ||
	    event_add(c->readable, NULL) == -1) {
		release(c);
		errno = ENOMEM;
		return NULL;
	}
	return c;
}
