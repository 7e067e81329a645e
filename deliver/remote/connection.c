/*
 * connection.c - the life of a connection, and what the dialogue on it brings; see
 * connection.h.
 *
 * Only process() and the event handlers end a connection, each as the last
 * thing that it does; finish() is the one place where a connection dies.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "deliver/remote/connection_socket.h"

/* ---- life and death -------------------------------------------------------
 */

static void
set_spare(struct connection *c, bool spare)
{
	struct remote *r = c->destination->remote;

	if (spare && !c->spare)
		TAILQ_INSERT_TAIL(&r->spare, c, spare_link);
	else if (!spare && c->spare)
		TAILQ_REMOVE(&r->spare, c, spare_link);
	c->spare = spare;
}

static void
release(struct connection *c)
{
	if (c->readable != NULL)
		event_free(c->readable);
	if (c->writable != NULL)
		event_free(c->writable);
	if (c->timer != NULL)
		event_free(c->timer);
	if (c->fd != -1)
		close(c->fd);
	hosts_release(c->hosts);
	client_fini(&c->client);
	buf_fini(&c->content);
	free(c);
}

/* Its delivery, if it had one, was taken from it. */
static void
finish(struct connection *c)
{
	struct destination *n = c->destination;

	set_spare(c, false);
	TAILQ_REMOVE(&n->connections, c, link);
	n->nconnections--;
	n->remote->nconnections--;
	destination_wake(n);
	release(c);
}

/* ---- events of the dialogue -----------------------------------------------
 */

/* The connection is over; what becomes of its delivery? */
static void
over(struct connection *c, bool failed)
{
	struct destination *n = c->destination;
	struct delivery *v = c->delivery;
	struct reply why = c->client.reply;
	uint32_t address = c->address;
	enum destination_failure how = HOST_FAILED;

	if (!c->greeted)
		how = HOST_UNREACHABLE;
	else if (c->messages > 0 && !c->client.answered)
		how = HOST_STALE;
	/* RFC 5321 section 4.1.1.10, as far as a host that refuses us and may
	 * be gone is worth it. */
	if (failed && why.source == BY_HOST && why.code != 421)
		(void)!send(c->fd, "QUIT\r\n", 6, MSG_DONTWAIT | MSG_NOSIGNAL);
	finish(c);
	if (v == NULL)
		return;
	if (delivery_complete(v))
		remote_complete(n->remote, v);
	else
		destination_failed(n, v, address, how, &why);
}

static void
say_goodbye(struct connection *c)
{
	set_spare(c, true);
	client_quit(&c->client);
}

static enum client_event
take(struct connection *c, struct delivery *v)
{
	set_spare(c, false);
	if (v->hosts != c->hosts) {
		hosts_release(v->hosts);
		v->hosts = c->hosts;
		v->hosts->refs++;
	}
	c->delivery = v;
	c->kept = false;
	return client_mail(&c->client, &v->d, v->done);
}

/* Between transactions: the next one, or none. */
static enum client_event
on_ready(struct connection *c)
{
	struct remote *r = c->destination->remote;
	struct delivery *v = c->delivery;
	bool old = remote_now() - c->since >= CONNECTION_AGE_SECONDS * 1000;

	c->greeted = true;
	if (v != NULL && !delivery_complete(v))
		return take(c, v);
	c->delivery = NULL;
	c->messages += !c->kept;
	if (v != NULL)
		remote_complete(r, v);
	v = TAILQ_FIRST(&c->destination->waiting);
	/* One that a host has failed already goes through the list of hosts,
	 * and needs our place. */
	if (old || r->process->stopping || (v != NULL && v->ntried > 0)) {
		say_goodbye(c);
		return CLIENT_MORE;
	}
	if (v == NULL) {
		set_spare(c, true);
		return CLIENT_MORE;
	}
	r->counters.reused++;
	return take(c, destination_next(c->destination));
}

static enum client_event
on_content(struct connection *c)
{
	dot_writer_init(&c->dots);
	c->sent = 0;
	c->ended = false;
	return CLIENT_MORE;
}

static enum client_event
on_result(struct connection *c)
{
	delivery_result(c->delivery, c->client.who, c->client.nwho,
	    &c->client.reply, c->name);
	return CLIENT_MORE;
}

/* Events, starting with e, until more octets are needed or it is over. */
static void
process(struct connection *c, enum client_event e)
{
	struct span in = span_from(c->in, c->nin);

	for (;;) {
		if (e == CLIENT_MORE)
			e = client_input(&c->client, &in);
		if (e == CLIENT_MORE)
			break;
		if (e == CLIENT_FAILED || e == CLIENT_CLOSE) {
			over(c, e == CLIENT_FAILED);
			return;
		}
		if (e == CLIENT_RESULT)
			e = on_result(c);
		else if (e == CLIENT_CONTENT)
			e = on_content(c);
		else
			e = on_ready(c);
	}
	if (in.n > 0)
		memmove(c->in, in.p, in.n);
	c->nin = in.n;
	connection_flush(c);
	connection_arm(c);
}

static void
lose(struct connection *c, enum reply_name why)
{
	c->nin = 0;
	process(c, client_lost(&c->client, why, client_doing(&c->client)));
}

static void
unreachable(struct connection *c, int err)
{
	struct destination *n = c->destination;
	struct delivery *v = c->delivery;
	uint32_t address = c->address;

	finish(c);
	destination_unreachable(n, v, address, HOST_UNREACHABLE, err);
}

/* ---- events of the loop ---------------------------------------------------
 */

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct connection *c = arg;
	ssize_t n;

	(void)what;
	do
		n = recv(
		    fd, c->in + c->nin, sizeof c->in - c->nin, MSG_DONTWAIT);
	while (n == -1 && errno == EINTR);
	if (n > 0) {
		c->nin += (size_t)n;
		if (c->deaf) /* there may be more, and then its end */
			event_active(c->readable, EV_READ, 0);
		process(c, CLIENT_MORE);
	} else if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) {
		lose(c, c->deaf ? c->why : R_HOST_CLOSED);
	} else if (c->deaf) {
		lose(c, c->why);
	}
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct connection *c = arg;
	socklen_t n = sizeof(int);
	int err = 0;

	(void)what;
	if (c->connecting) {
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &n) == -1)
			err = errno;
		if (err != 0) {
			unreachable(c, err);
			return;
		}
		c->connecting = false;
		event_add(c->readable, NULL);
	}
	connection_flush(c);
	connection_arm(c);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct connection *c = arg;

	(void)fd;
	(void)what;
	if (c->connecting) {
		unreachable(c, ETIMEDOUT);
	} else if (connection_idle(c)) {
		if (c->messages > 1 && !c->kept) {
			c->kept = true;
			client_noop(&c->client);
		} else
			say_goodbye(c);
		process(c, CLIENT_MORE);
	} else {
		lose(c, R_HOST_TIMEOUT);
	}
}

/* ---- for destination ------------------------------------------------------
 */

static int
open_events(struct connection *c)
{
	struct event_base *base = c->destination->remote->process->base;

	c->readable =
	    event_new(base, c->fd, EV_READ | EV_PERSIST, on_readable, c);
	c->writable = event_new(base, c->fd, EV_WRITE, on_writable, c);
	c->timer = evtimer_new(base, on_timer, c);
	if (c->readable == NULL || c->writable == NULL || c->timer == NULL) {
		errno = ENOMEM;
		return -1;
	}
	return event_add(c->writable, NULL);
}

int
connection_open(struct destination *n, struct delivery *v, uint32_t address)
{
	struct remote *r = n->remote;
	struct connection *c;
	int err;

	if (r->nconnections >= REMOTE_CONNECTIONS_MAX &&
	    !TAILQ_EMPTY(&r->spare))
		finish(TAILQ_FIRST(&r->spare));
	if ((c = calloc(1, sizeof *c)) == NULL)
		return -1;
	c->destination = n;
	c->address = address;
	c->hosts = v->hosts;
	c->hosts->refs++;
	c->since = remote_now();
	c->connecting = true;
	hosts_name(c->name, &v->hosts->a[address]);
	client_init(&c->client,
	    n->route.kind == ROUTE_LMTP ? CLIENT_LMTP : CLIENT_SMTP,
	    r->process->conf->hostname);
	buf_init(&c->content, DOT_OUT_MAX(CONTENT_BLOCK) + DOT_END_MAX);
	if (connection_socket(c, &v->hosts->a[address]) == -1 ||
	    open_events(c) == -1) {
		err = errno;
		release(c);
		errno = err;
		return -1;
	}
	c->delivery = v;
	TAILQ_INSERT_TAIL(&n->connections, c, link);
	n->nconnections++;
	r->nconnections++;
	r->counters.connections++;
	connection_arm(c);
	return 0;
}

void
connection_take(struct connection *c, struct delivery *v)
{
	c->destination->remote->counters.reused++;
	process(c, take(c, v));
}

void
connection_stop(struct connection *c, bool late)
{
	struct remote *r = c->destination->remote;
	struct delivery *v = c->delivery;
	struct reply stopping;

	if (connection_idle(c) || c->client.state == CLIENT_AT_NOOP) {
		say_goodbye(c);
		process(c, CLIENT_MORE);
	} else if (v != NULL && !client_in_doubt(&c->client) &&
	    (late || c->client.mail == NULL)) {
		reply_make(&stopping, R_STOPPING, NULL);
		delivery_result_rest(v, &stopping, "");
		finish(c);
		remote_complete(r, v);
	}
}
