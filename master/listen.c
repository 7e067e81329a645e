/*
 * listen.c - the sockets that other hosts connect to, and those that were
 * inherited.
 */
#include <sys/resource.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <bsd/string.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "master/master.h"

/* Descriptors of a process beside those of its sessions. */
#define DESCRIPTORS_OTHER 2048
/* Master's of a process for one session: the client, the channel, the log. */
#define DESCRIPTORS_SESSION 4
/* Where a service manager puts the first socket. */
#define INHERITED_FIRST 3

static uint16_t
port_of(const struct sockaddr_storage *ss)
{
	return ntohs(ss->ss_family == AF_INET
		? ((const struct sockaddr_in *)ss)->sin_port
		: ((const struct sockaddr_in6 *)ss)->sin6_port);
}

static void
address_of(int fd, struct ip *ip, uint16_t *port)
{
	struct sockaddr_storage ss;
	socklen_t n = sizeof ss;

	if (getsockname(fd, (struct sockaddr *)&ss, &n) == -1)
		err(1, "getsockname");
	if (!ip_from_sockaddr(ip, (struct sockaddr *)&ss))
		errx(1,
		    "an inherited descriptor is neither an Internet nor a Unix "
		    "socket");
	*port = port_of(&ss);
}

void
listen_inherit(int inherited[INHERITED_MAX], size_t *n)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	uint64_t count = 0, who;
	int on;
	socklen_t size = sizeof on;

	*n = 0;
	/* sd_listen_fds(3): meant for us only where the process id is ours. */
	if (pid != NULL && fds != NULL &&
	    span_number(span_of(pid), INT32_MAX, &who) &&
	    who == (uint64_t)getpid() &&
	    !span_number(span_of(fds), INHERITED_MAX, &count))
		errx(1, "LISTEN_FDS: too many inherited descriptors");
	for (int fd = INHERITED_FIRST; *n < count; fd++) {
		if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &size) ==
			-1 ||
		    !on)
			errx(1, "inherited descriptor %d does not listen", fd);
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) == -1 ||
		    fcntl(fd, F_SETFL, O_NONBLOCK) == -1)
			err(1, "inherited descriptor %d", fd);
		inherited[(*n)++] = fd;
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}

/* An inherited socket is for the listen of its address. */
static void
place(struct master *m, int fd)
{
	char text[IP_TEXT_MAX];
	uint16_t port;
	struct ip ip;

	if (submit_inherit(m, fd))
		return;
	address_of(fd, &ip, &port);
	for (size_t i = 0; i < m->current->conf.nlistens; i++) {
		const struct conf_listen *l = &m->current->conf.listens[i];

		if (l->port == port && m->current->listeners[i] == -1 &&
		    memcmp(&l->ip, &ip, sizeof ip) == 0) {
			m->current->listeners[i] = fd;
			return;
		}
	}
	ip_format(text, &ip);
	errx(1,
	    "an inherited socket has address %s, port %u; a listen statement "
	    "with the same would be right",
	    text, port);
}

bool
listen_wait(struct master *m)
{
	const struct timespec pause = { .tv_nsec = 50 * 1000 * 1000 };

	if (m->patience == 0)
		m->patience = master_now() + OLD_SECONDS;
	if (master_now() >= m->patience)
		return false;
	nanosleep(&pause, NULL);
	return true;
}

/* Bound; -1 with errno.  m is NULL where there is no old service to wait for. */
static int
bind_one(struct master *m, const struct conf_listen *l)
{
	struct sockaddr_storage ss;
	socklen_t n = ip_to_sockaddr(&ss, &l->ip, l->port);
	const int on = 1;
	int rc = -1, fd, saved;

	fd =
	    socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd != -1 &&
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
	    /* [::] is not 0.0.0.0 too: each has its own statement */
	    (ss.ss_family == AF_INET ||
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0))
		do
			rc = bind(fd, (struct sockaddr *)&ss, n);
		while (rc == -1 && errno == EADDRINUSE && m != NULL &&
		    listen_wait(m));
	if (rc == 0)
		return fd;
	saved = errno;
	if (fd != -1)
		close(fd);
	errno = saved;
	return -1;
}

static int
open_one(struct master *m, const struct conf_listen *l)
{
	int fd = bind_one(m, l);

	if (fd == -1 || listen(fd, LISTEN_BACKLOG) == -1)
		err(1, "cannot listen on %s", l->title);
	return fd;
}

void
listen_open(struct master *m, const int *inherited, size_t n)
{
	m->submit = -1;
	for (size_t i = 0; i < n; i++)
		place(m, inherited[i]);
	for (size_t i = 0; i < m->current->conf.nlistens; i++)
		if (m->current->listeners[i] == -1)
			m->current->listeners[i] =
			    open_one(m, &m->current->conf.listens[i]);
}

/* The socket that a generation has for the same address, for another one. */
static int
keep_one(const struct generation *g, const struct conf_listen *l, bool *taken)
{
	for (size_t i = 0; i < g->conf.nlistens; i++) {
		const struct conf_listen *old = &g->conf.listens[i];

		if (g->listeners[i] == -1 || taken[i] || old->port != l->port ||
		    memcmp(&old->ip, &l->ip, sizeof l->ip) != 0)
			continue;
		taken[i] = true;
		return fcntl(g->listeners[i], F_DUPFD_CLOEXEC, 0);
	}
	return -1;
}

int
listen_prepare(const struct generation *current, struct generation *g,
    const char **which)
{
	bool taken[CONF_LISTENS_MAX] = { false };

	for (size_t i = 0; i < g->conf.nlistens; i++)
		g->listeners[i] = keep_one(current, &g->conf.listens[i], taken);
	for (size_t i = 0; i < g->conf.nlistens; i++) {
		*which = g->conf.listens[i].title;
		if (g->listeners[i] == -1 &&
		    (g->listeners[i] = bind_one(NULL, &g->conf.listens[i])) ==
			-1)
			return -1;
	}
	return 0;
}

int
listen_begin(const struct generation *g, const char **which)
{
	for (size_t i = 0; i < g->conf.nlistens; i++) {
		*which = g->conf.listens[i].title;
		/* One that listens already goes on. */
		if (listen(g->listeners[i], LISTEN_BACKLOG) == -1)
			return -1;
	}
	return 0;
}

void
listen_text(const struct master *m, char dst[LISTEN_TEXT_MAX])
{
	size_t n = 0;

	dst[0] = '\0';
	for (size_t i = 0; i < m->current->conf.nlistens; i++) {
		char text[IP_TEXT_MAX];
		uint16_t port;
		struct ip ip;
		bool v4;

		address_of(m->current->listeners[i], &ip, &port);
		ip_format(text, &ip);
		v4 = ip_is_v4(&ip);
		n += (size_t)snprintf(dst + n, LISTEN_TEXT_MAX - n,
		    "%s%s%s%s:%u", i > 0 ? "," : "", v4 ? "" : "[", text,
		    v4 ? "" : "]", port);
	}
}

uint64_t
descriptors_needed(const struct conf *c)
{
	return (uint64_t)c->max_sessions + DESCRIPTORS_OTHER +
	    (uint64_t)DESCRIPTORS_SESSION * c->session_processes;
}

uint64_t
descriptors_raise(const struct conf *c)
{
	rlim_t need = descriptors_needed(c);
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == -1)
		err(1, "descriptors");
	if (r.rlim_cur >= need)
		return r.rlim_cur;
	r.rlim_cur = need;
	if (r.rlim_max < need)
		r.rlim_max = need;
	if (setrlimit(RLIMIT_NOFILE, &r) == 0)
		return need;
	/* Without power: as many as we may. */
	if (getrlimit(RLIMIT_NOFILE, &r) == -1)
		err(1, "descriptors");
	r.rlim_cur = r.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &r) == -1)
		err(1, "descriptors");
	return r.rlim_cur;
}
