/*
 * accept.c - taking connections from a listening socket.
 */
#include <errno.h>

#include "common/run/accept.h"

#define PASSING_MAX 32

/* accept(2): these are over with the connection they are about. */
static bool
is_passing(int err)
{
	return err == EINTR || err == ECONNABORTED || err == EPROTO ||
	    err == EPERM || err == ENETDOWN || err == ENETUNREACH ||
	    err == EHOSTDOWN || err == EHOSTUNREACH || err == ENOPROTOOPT ||
	    err == EOPNOTSUPP || err == ENONET;
}

int
accept_next(int listener, struct sockaddr_storage *from)
{
	int fd = -1;

	for (int i = 0; i < PASSING_MAX; i++) {
		socklen_t n = sizeof *from;

		fd = accept4(listener, (struct sockaddr *)from, &n,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd != -1 || !is_passing(errno))
			return fd;
	}
	errno = EAGAIN; /* the loop comes back */
	return -1;
}

bool
accept_peer(int fd, struct ucred *cred)
{
	socklen_t n = sizeof *cred;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, cred, &n) == 0;
}
