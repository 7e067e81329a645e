/*
 * sessions.c - processes for one session each.
 *
 * Where isolation = "session", master accepts: it reads no byte, and keeps the
 * connection until a process that was made for it is confined.  A smtpd that
 * somebody else started comes by runtime/smtpd.sock with a client of its own,
 * and gets what a child finds in its places.  It is no child: what master sees
 * of it is its channel.
 */
#include <errno.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "common/run/accept.h"
#include "common/run/process.h"
#include "master/master.h"

/* Each of them is a fork: whatever else is waiting has its turn in between. */
#define TURN_ACCEPTS 4

/* ---- who is let in ------------------------------------------------------ */

static bool
is_full(const struct master *m)
{
	return m->nsessions >= m->current->conf.session_processes;
}

/* The sockets are looked at, or not. */
static void
listen_again(struct master *m)
{
	bool hear = m->phase == PHASE_RUNNING && !is_full(m) && !m->deaf;
	struct generation *g = m->current;

	for (size_t i = 0; i < g->conf.nlistens; i++)
		if (g->sessions[i].readable != NULL && hear)
			event_add(g->sessions[i].readable, NULL);
		else if (g->sessions[i].readable != NULL)
			event_del(g->sessions[i].readable);
	if (hear)
		event_add(m->outside_readable, NULL);
	else
		event_del(m->outside_readable);
}

static void
on_hear(evutil_socket_t fd, short what, void *arg)
{
	struct master *m = arg;

	(void)fd;
	(void)what;
	m->deaf = false;
	listen_again(m);
}

/* No descriptor, no memory, no process. */
static void
become_deaf(struct master *m)
{
	static const struct timeval second = { .tv_sec = 1 };

	m->deaf = true;
	evtimer_add(m->hear, &second);
	listen_again(m);
}

static void
cannot_accept(struct master *m, int err)
{
	if (err == EAGAIN)
		return;
	log_warn("accept", log_errno(err));
	become_deaf(m);
}

/* NULL: it must wait. */
static struct child *
new_session(struct master *m, struct generation *g)
{
	struct child *c = child_new(m, g, PEER_SMTPD, ROLE_SESSION);

	if (c != NULL)
		return c;
	log_error("start", log_str("process", peer_name(PEER_SMTPD)),
	    log_errno(errno));
	become_deaf(m);
	return NULL;
}

void
sessions_count(struct master *m, int more)
{
	bool full = is_full(m);

	m->nsessions += (size_t)more;
	if (is_full(m) == full)
		return;
	if (!full)
		log_warn("sessions_full",
		    log_num("sessions", (int64_t)m->nsessions));
	listen_again(m);
}

/* ---- our own ------------------------------------------------------------ */

static void
refuse(const struct master *m, const struct generation *g, int fd)
{
	char line[REPLY_LINE_MAX + 1];
	struct reply r;
	size_t n;

	reply_make(&r, R_NO_SERVICE, g->conf.hostname);
	n = reply_format(line, &r, true, false);
	/* Nothing was written to it before: it takes a line, or it is gone. */
	if (write(fd, line, n) == -1)
		log_warn("turned_away", log_errno(errno));
	else
		log_warn("turned_away",
		    log_num("sessions", (int64_t)m->nsessions));
	close(fd);
}

void
session_refuse(const struct child *c)
{
	refuse(c->master, c->generation, c->client);
}

static void
begin(struct session_listener *l, int fd, const struct sockaddr *from)
{
	struct master *m = l->master;
	struct child *c = new_session(m, l->generation);

	if (c == NULL) {
		refuse(m, l->generation, fd);
		return;
	}
	c->client = fd;
	c->session.listener = l->index;
	/* An Internet socket has no other clients. */
	(void)ip_from_sockaddr(&c->session.ip, from);
	if (!child_start(c))
		become_deaf(m);
}

static void
on_client(evutil_socket_t sock, short what, void *arg)
{
	struct session_listener *l = arg;
	struct master *m = l->master;
	struct sockaddr_storage from;

	(void)what;
	for (int i = 0; i < TURN_ACCEPTS && !is_full(m) && !m->deaf; i++) {
		int fd = accept_next((int)sock, &from);

		if (fd == -1) {
			cannot_accept(m, errno);
			return;
		}
		begin(l, fd, (struct sockaddr *)&from);
	}
}

void
session_begin(struct child *c)
{
	if (c->role != ROLE_SESSION || c->channel == NULL)
		return;
	msg_session_put(
	    channel_begin(c->channel, MASTER_SESSION, 0), &c->session);
	(void)channel_send(c->channel, c->client);
	if (c->client != -1)
		close(c->client);
	c->client = -1;
}

/* ---- those from outside ------------------------------------------------- */

/* Its configuration and its log. */
static int
give_start(struct child *c)
{
	const struct msg_conf conf = { c->instance };

	msg_conf_put(channel_begin(c->channel, MASTER_CONF, 0), &conf);
	if (channel_send(c->channel, c->generation->conf_fd) == -1)
		return -1;
	(void)channel_begin(c->channel, MASTER_LOG, 0);
	return channel_send(c->channel, c->log[1]);
}

static void
let_in(struct master *m, int fd, pid_t pid)
{
	struct child *c = new_session(m, m->current);

	if (c == NULL) {
		close(fd);
		return;
	}
	c->outside = true;
	c->instance = ++m->instances;
	c->started = master_now();
	c->pid = pid;
	c->session.listener = LISTENER_STDIN;
	c->channel =
	    channel_new(m->base, fd, PEER_SMTPD, messages_from(PEER_SMTPD), c);
	if (c->channel == NULL || channel_room(fd) == -1 || give_start(c) == -1)
		child_kill(c);
}

/* root, the user of smtpd, and without root whoever runs the service. */
static bool
may_come(const struct master *m, const struct ucred *who)
{
	if (who->uid == 0 || who->uid == m->outside_uid)
		return true;
	log_warn("outside_refused", log_num("uid", who->uid),
	    log_num("pid", who->pid));
	return false;
}

static void
on_outside(evutil_socket_t sock, short what, void *arg)
{
	struct master *m = arg;
	struct sockaddr_storage from;
	struct ucred who;

	(void)what;
	for (int i = 0; i < TURN_ACCEPTS && !is_full(m) && !m->deaf; i++) {
		int fd = accept_next((int)sock, &from);

		if (fd == -1) {
			cannot_accept(m, errno);
			return;
		}
		if (accept_peer(fd, &who) && may_come(m, &who))
			let_in(m, fd, who.pid);
		else
			close(fd);
	}
}

/* ---- the sockets -------------------------------------------------------- */

int
sessions_init(struct master *m)
{
	m->hear = evtimer_new(m->base, on_hear, m);
	m->outside_readable =
	    event_new(m->base, m->outside, EV_READ | EV_PERSIST, on_outside, m);
	return m->hear != NULL && m->outside_readable != NULL ? 0 : -1;
}

void
sessions_listen(struct master *m)
{
	struct generation *g = m->current;

	for (size_t i = 0; i < g->conf.nlistens; i++) {
		struct session_listener *l = &g->sessions[i];

		if (g->conf.listens[i].isolation != ISOLATION_SESSION)
			continue;
		*l = (struct session_listener){
			.master = m, .generation = g, .index = (uint32_t)i
		};
		l->readable = event_new(m->base, g->listeners[i],
		    EV_READ | EV_PERSIST, on_client, l);
		if (l->readable == NULL)
			log_error("listener", log_num("index", (int64_t)i));
	}
	listen_again(m);
}

void
sessions_free(struct master *m)
{
	event_free(m->hear);
	event_free(m->outside_readable);
}
