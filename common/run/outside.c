/*
 * outside.c - a process that master did not start finds it.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/run/accept.h"
#include "common/run/outside.h"
#include "common/run/process.h"

/* Whoever made the socket: root, or the one who runs a service without root. */
static bool
is_master(int fd)
{
	struct ucred cred;

	if (!accept_peer(fd, &cred))
		return false;
	if (cred.uid == 0 || cred.uid == geteuid())
		return true;
	errno = EPERM;
	return false;
}

static int
connected(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd, saved;

	if (!span_copy(sun.sun_path, sizeof sun.sun_path, span_of(path))) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	if (channel_room(fd) == 0 &&
	    connect(fd, (struct sockaddr *)&sun, sizeof sun) == 0 &&
	    is_master(fd))
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

int
outside_connect(const char *path)
{
	int fd = connected(path);

	if (fd == -1 || fd == PROCESS_FD_MASTER)
		return fd == -1 ? -1 : 0;
	if (dup3(fd, PROCESS_FD_MASTER, O_CLOEXEC) == -1)
		return -1;
	close(fd);
	return 0;
}

struct event_base *
outside_loop(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config != NULL &&
	    event_config_require_features(config, EV_FEATURE_FDS) == 0)
		base = event_base_new_with_config(config);
	if (config != NULL)
		event_config_free(config);
	return base;
}
