/*
 * syslog.c - the syslog service's socket, for logger, which has no files.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <unistd.h>

#include "common/msg/reply.h"
#include "master/master.h"

static int
dial(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd, saved;

	if (!span_copy(sun.sun_path, sizeof sun.sun_path, span_of(path))) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd != -1 &&
	    connect(fd, (const struct sockaddr *)&sun, sizeof sun) == -1) {
		saved = errno;
		close(fd);
		errno = saved;
		fd = -1;
	}
	return fd;
}

/* Which socket is the configuration's; logger only says that it needs it. */
int
syslog_asked(void *arg, struct ipc_msg *msg)
{
	struct child *c = arg;
	const char *path = c->generation->conf.log_socket;
	int fd;

	if (msg_empty_get(msg) == -1 || path[0] == '\0')
		return -1;
	fd = dial(path);
	(void)channel_begin(c->channel, MASTER_SYSLOG, msg->id);
	(void)channel_send(c->channel, fd);
	if (fd != -1)
		close(fd);
	return 0;
}
