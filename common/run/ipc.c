/*
 * ipc.c - packets over SOCK_SEQPACKET, checked before anybody sees them.
 *
 * There is one buffer to receive into and one to send from in a process: all
 * channels live in one event loop, a handler is done with a packet before the
 * next is received, and a packet that has to wait is copied.
 */
#include <sys/queue.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "common/run/ipc.h"

/* Packets received in one turn, so that a busy peer starves nobody. */
#define TURN_PACKETS 64
/* Descriptors there is room for: one is legal, and a second one must show. */
#define FDS_MAX 2

struct packet {
	TAILQ_ENTRY(packet) link;
	int fd; /* our duplicate, or -1 */
	size_t n;
	char p[];
};

struct channel {
	int fd;
	enum peer peer;
	const struct channel_ops *ops;
	void *arg;
	unsigned phase;
	struct event *readable, *writable;
	struct event *later; /* the kernel had no memory for us */
	TAILQ_HEAD(, packet) out;
	size_t backlog;
	bool paused;  /* nothing is read */
	bool busy;    /* one of our functions above us still uses it */
	bool dead;    /* freed as soon as not busy */
	bool broken;  /* the peer takes nothing any more */
	bool overrun; /* … because it did not read */
};

static char in_packet[IPC_PACKET_MAX];
static char out_packet[IPC_PACKET_MAX];
static struct wire_put out_body;

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
channel_pair(int fds[2])
{
	/* A whole packet must fit in, with the kernel's own overhead. */
	static const int size = 2 * IPC_PACKET_MAX;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
		0, fds) == -1)
		return -1;
	for (int i = 0; i < 2; i++) {
		if (setsockopt(
			fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size) == 0)
			continue;
		close(fds[0]);
		close(fds[1]);
		return -1;
	}
	return 0;
}

/* --- life and death --------------------------------------------------------
 */

static void
packet_free(struct channel *c, struct packet *k)
{
	TAILQ_REMOVE(&c->out, k, link);
	c->backlog -= sizeof *k + k->n;
	if (k->fd != -1)
		close(k->fd);
	free(k);
}

static void
release(struct channel *c)
{
	struct packet *k;

	while ((k = TAILQ_FIRST(&c->out)) != NULL)
		packet_free(c, k);
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

/* --- receiving -------------------------------------------------------------
 */

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

/* --- sending ---------------------------------------------------------------
 */

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

static void
on_writable(evutil_socket_t sock, short what, void *arg)
{
	struct channel *c = arg;
	struct packet *k;

	(void)sock;
	(void)what;
	while (!c->broken && (k = TAILQ_FIRST(&c->out)) != NULL) {
		if (transmit(c, k->p, k->n, k->fd) == 0)
			packet_free(c, k);
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

/* --- making ----------------------------------------------------------------
 */

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
	c->writable = event_new(base, fd, EV_WRITE, on_writable, c);
	c->later = evtimer_new(base, on_writable, c);
	if (c->readable == NULL || c->writable == NULL || c->later == NULL ||
	    event_add(c->readable, NULL) == -1) {
		release(c);
		errno = ENOMEM;
		return NULL;
	}
	return c;
}
