/*
 * accept.h - taking connections from a listening socket.
 */
#ifndef ACCEPT_H
#define ACCEPT_H

#include <sys/socket.h>

#include <stdbool.h>

/*
 * The next connection, non-blocking and close-on-exec; -1 with errno.  Those that
 * ended before they could be taken are passed over.  EAGAIN: there is none.  Any
 * other errno: no descriptor or no memory; the socket stays readable, so it must
 * not be looked at for a while.
 */
int accept_next(int listener, struct sockaddr_storage *from);

/* Who is at the other end of a Unix socket, by the kernel's word.  False: it
 * does not say. */
bool accept_peer(int fd, struct ucred *);

#endif
