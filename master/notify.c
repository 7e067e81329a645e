/*
 * notify.c - telling the service manager, as sd_notify(3) would.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "master/master.h"

void
notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	socklen_t n;
	int fd;

	if (path == NULL || (path[0] != '/' && path[0] != '@') ||
	    !span_copy(sun.sun_path, sizeof sun.sun_path, span_of(path)))
		return;
	n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	if (path[0] == '@') /* an abstract name */
		sun.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return;
	/* A service manager that does not read is none of our troubles. */
	(void)sendto(
	    fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&sun, n);
	close(fd);
}
