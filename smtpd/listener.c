/*
 * listener.c - accepting connections.
 *
 * Several smtpds wait on one socket; each takes a few at a time, so that a
 * burst is shared and sessions under way are not held up by it.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "common/msg/master.h"
#include "common/run/accept.h"
#include "smtpd/smtpd.h"

#define TURN_ACCEPTS 32

/* No descriptor, no memory: the socket stays readable, so it must not be
 * looked at for a while. */
static void
become_deaf(struct smtpd *m, int err)
{
	log_warn("accept", log_errno(err));
	for (size_t i = 0; i < m->nlisteners; i++)
		event_del(&m->listeners[i].readable);
	m->deaf = true;
}

void
listener_hear(struct smtpd *m)
{
	if (!m->deaf)
		return;
	for (size_t i = 0; i < m->nlisteners; i++)
		event_add(&m->listeners[i].readable, NULL);
	m->deaf = false;
}

static void
come(const struct listener *l, int fd, const struct sockaddr *from)
{
	struct arrival a = { .listener = l->index, .in = fd, .out = fd };
	struct ucred cred;

	if (ip_from_sockaddr(&a.ip, from))
		a.from = CLIENT_ADDRESS;
	else if (accept_peer(fd, &cred)) {
		a.from = CLIENT_LOCAL;
		a.uid = cred.uid;
	} else {
		close(fd);
		return;
	}
	connection_new(l->m, &a);
}

static void
on_readable(evutil_socket_t sock, short what, void *arg)
{
	struct listener *l = arg;
	struct sockaddr_storage from;

	(void)what;
	for (int i = 0; i < TURN_ACCEPTS; i++) {
		int fd = accept_next((int)sock, &from);

		if (fd == -1) {
			if (errno != EAGAIN)
				become_deaf(l->m, errno);
			return;
		}
		come(l, fd, (struct sockaddr *)&from);
	}
}

int
listener_add(struct smtpd *m, unsigned index, int fd)
{
	struct listener *l;
	int flags;

	if ((index >= m->conf->nlistens && index != LISTENER_SUBMIT) ||
	    m->nlisteners > CONF_LISTENS_MAX || m->stopping ||
	    m->process->outside || m->process->retiring || m->single) {
		close(fd);
		errno = EINVAL;
		return -1;
	}
	/* Inherited ones come as somebody else made them. */
	flags = fcntl(fd, F_GETFL);
	if (flags == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1) {
		close(fd);
		return -1;
	}
	l = &m->listeners[m->nlisteners];
	*l = (struct listener){ .m = m, .index = index, .fd = fd };
	event_assign(&l->readable, m->process->base, fd, EV_READ | EV_PERSIST,
	    on_readable, l);
	if (event_add(&l->readable, NULL) == -1) {
		close(fd);
		errno = ENOMEM;
		return -1;
	}
	m->nlisteners++;
	return 0;
}

void
listener_close_all(struct smtpd *m)
{
	for (size_t i = 0; i < m->nlisteners; i++) {
		event_del(&m->listeners[i].readable);
		close(m->listeners[i].fd);
	}
	m->nlisteners = 0;
	m->deaf = false;
}
