/*
 * notify.c - telling the service manager, as sd_notify(3) and
 * sd_watchdog_enabled(3) say.
 *
 * What it is told is for people: STATUS is the line of `systemctl status`.
 */
#include <sys/socket.h>

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "master/master.h"

/* Its socket holds few datagrams, and READY=1 must not be lost; but master does
 * not wait for ever for anybody. */
#define SEND_SECONDS 1

static void
find_socket(struct notify *n)
{
	const char *path = getenv("NOTIFY_SOCKET");

	n->to.sun_family = AF_UNIX;
	n->size = 0;
	if (path == NULL || (path[0] != '/' && path[0] != '@') ||
	    !span_copy(n->to.sun_path, sizeof n->to.sun_path, span_of(path)))
		return;
	n->size =
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	if (path[0] == '@') /* an abstract name */
		n->to.sun_path[0] = '\0';
}

static void
find_watchdog(struct notify *n)
{
	const char *usec = getenv("WATCHDOG_USEC"),
		   *pid = getenv("WATCHDOG_PID");
	uint64_t who, value;

	n->watchdog = 0;
	if (usec == NULL || !span_number(span_of(usec), INT64_MAX, &value))
		return;
	/* Without WATCHDOG_PID it is meant for whoever reads it. */
	if (pid != NULL &&
	    (!span_number(span_of(pid), INT32_MAX, &who) ||
		who != (uint64_t)getpid()))
		return;
	n->watchdog = value;
}

void
notify_open(struct notify *n)
{
	find_socket(n);
	find_watchdog(n);
	/* None of the processes below may speak for the service. */
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

struct timeval
notify_ping_interval(const struct notify *n)
{
	/* One that hangs is to be found, and replaced, before the service
	 * manager takes the whole service for hung. */
	uint64_t ms = n->watchdog / 1000 / (2 * PINGS_MAX);

	if (n->watchdog == 0 || ms > PING_SECONDS * 1000)
		ms = PING_SECONDS * 1000;
	if (ms < PING_LEAST)
		ms = PING_LEAST;
	return (struct timeval){ .tv_sec = (time_t)(ms / 1000),
		.tv_usec = (suseconds_t)(ms % 1000 * 1000) };
}

void
notify(const struct notify *n, const char *fmt, ...)
{
	const struct timeval limit = { .tv_sec = SEND_SECONDS };
	char text[NOTIFY_TEXT_MAX];
	va_list ap;
	int fd;

	if (n->size == 0)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) ==
		-1 ||
	    sendto(fd, text, strlen(text), MSG_NOSIGNAL,
		(const struct sockaddr *)&n->to, n->size) == -1)
		log_warn("notify", log_str("state", text), log_errno(errno));
	if (fd != -1)
		close(fd);
}

/* The processes that are being started, or that do not answer, by name. */
static size_t
troubles(const struct master *m, char *dst, size_t size)
{
	const struct child *c;
	size_t n = 0;

	dst[0] = '\0';
	TAILQ_FOREACH (c, &m->children, link) {
		bool waited_for = c->role == ROLE_PLACE && !c->ready;

		if ((waited_for || child_late(c)) && n < size)
			n += (size_t)snprintf(dst + n, size - n, "%s%s%s",
			    n > 0 ? ", " : "", peer_name(c->kind),
			    waited_for ? "" : " (does not answer)");
	}
	return n;
}

void
notify_status(struct master *m)
{
	char status[sizeof m->notify.status], listen[LISTEN_TEXT_MAX],
	    waits[512];

	if (m->notify.size == 0)
		return;
	if (m->phase == PHASE_STOPPING)
		snprintf(status, sizeof status, "Stopping%s",
		    m->status != 0 ? ": a process could not be started" : "");
	else if (m->phase == PHASE_STARTING)
		snprintf(status, sizeof status, "Starting");
	else {
		listen_text(m, listen);
		snprintf(status, sizeof status, "Accepting mail on %s%s%s",
		    listen,
		    troubles(m, waits, sizeof waits) > 0 ? "; waiting for "
							 : "",
		    waits);
	}
	if (strcmp(status, m->notify.status) == 0)
		return;
	memcpy(m->notify.status, status, sizeof status);
	notify(&m->notify, "STATUS=%s", status);
}
