/*
 * connection_socket.c - the socket of a connection; see connection_socket.h.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>

#include "deliver/remote/connection_socket.h"

/* A content buffer above this is not kept for the next message. */
#define CONTENT_KEEP (16 * 1024)

/* A block of content on its way to a connection's own buffer. */
static char block[CONTENT_BLOCK];

int
connection_socket(struct connection *c, const struct dns_address *a)
{
	const struct route *route = &c->destination->route;
	uint16_t port = route->port != 0 ? route->port : REMOTE_SMTP_PORT;
	struct sockaddr_storage ss;
	socklen_t len = ip_to_sockaddr(&ss, &a->ip, port);
	int on = 1;

	c->fd =
	    socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd == -1)
		return -1;
	/* Commands and blocks are written whole: nothing to wait for. */
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (connect(c->fd, (struct sockaddr *)&ss, len) == -1 &&
	    errno != EINPROGRESS)
		return -1;
	return 0;
}

/* Nothing can be sent; the host may have said why, so what it sent is read
 * before the connection ends. */
static void
go_deaf(struct connection *c, enum reply_name why)
{
	c->deaf = true;
	c->why = why;
	event_del(c->writable);
	event_active(c->readable, EV_READ, 0);
}

/* True if all of it went out. */
static bool
write_out(struct connection *c, struct buf *b)
{
	while (b->n > 0) {
		ssize_t n =
		    send(c->fd, b->p, b->n, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1) {
			if (errno != EAGAIN && errno != EWOULDBLOCK)
				go_deaf(c, R_HOST_CLOSED);
			return false;
		}
		buf_drop(b, (size_t)n);
	}
	return true;
}

static bool
has_eight_bit(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((p[i] & 0x80) != 0)
			return true;
	return false;
}

/* The next block, with the end behind the last one.  False: it cannot be read,
 * or must not be sent, and must then never look as if it had ended. */
static bool
fill(struct connection *c, enum reply_name *why)
{
	const struct msg_deliver *d = &c->delivery->d;
	ssize_t n = delivery_read(c->delivery, block, sizeof block, c->sent);
	char *to;

	*why = R_LOCAL_ERROR;
	if (n == -1)
		return false;
	if (c->client.seven_bit && has_eight_bit(block, (size_t)n)) {
		*why = R_NO_8BITMIME;
		return false;
	}
	to = buf_reserve(&c->content, DOT_OUT_MAX((size_t)n) + DOT_END_MAX);
	if (to == NULL)
		return false;
	if (c->client.chunked) {
		memcpy(to, block, (size_t)n);
		c->content.n += (size_t)n;
	} else
		c->content.n +=
		    dot_write(&c->dots, span_from(block, (size_t)n), to);
	c->sent += (uint64_t)n;
	if (c->sent < d->prefix.n + d->size)
		return true;
	if (!c->client.chunked)
		c->content.n +=
		    dot_write_end(&c->dots, c->content.p + c->content.n);
	c->ended = true;
	return true;
}

/* What is left of the content: a block a turn, so that one large message does
 * not hold up all others. */
static bool
write_content(struct connection *c)
{
	enum reply_name why;

	while (c->content.n == 0 && !c->ended)
		if (!fill(c, &why)) {
			go_deaf(c, why);
			return false;
		}
	if (!write_out(c, &c->content) || !c->ended)
		return false;
	if (c->content.cap > CONTENT_KEEP)
		buf_fini(&c->content);
	client_content_sent(&c->client);
	return true;
}

void
connection_flush(struct connection *c)
{
	bool all;

	if (c->deaf || c->connecting)
		return;
	all = write_out(c, &c->client.out);
	if (all && c->client.state == CLIENT_SENDING)
		all = write_content(c);
	if (!all && !c->deaf)
		event_add(c->writable, NULL);
}

/* RFC 5321 section 4.5.3.2: a limit for each reply, whole, and for each block;
 * a host that trickles gets no more time than one that is silent. */
void
connection_arm(struct connection *c)
{
	const struct client *l = &c->client;
	struct connection_step s = { c->connecting, l->state, l->next,
		c->sent };
	struct timeval tv = { .tv_sec = client_seconds(l) };

	if (c->connecting)
		tv.tv_sec =
		    c->destination->remote->process->conf->connect_timeout;
	else if (s.connecting == c->step.connecting &&
	    s.state == c->step.state && s.next == c->step.next &&
	    s.sent == c->step.sent)
		return;
	else if (l->state == CLIENT_IDLE)
		tv.tv_sec = CONNECTION_IDLE_SECONDS;
	c->step = s;
	event_add(c->timer, &tv);
}
