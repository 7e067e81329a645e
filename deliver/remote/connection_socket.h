/*
 * connection_socket.h - the socket of a connection: opened, written to, and the
 * limits of time on it.
 */
#ifndef CONNECTION_SOCKET_H
#define CONNECTION_SOCKET_H

#include "deliver/remote/connection.h"

/* c->fd, on its way to this address.  0, or -1 with errno. */
int connection_socket(struct connection *, const struct dns_address *);
/* What the client says, then the content, as far as the socket takes it.  One
 * that takes nothing any more is deaf: its reader learns of it. */
void connection_flush(struct connection *);
/* The timer, for what is waited for now. */
void connection_arm(struct connection *);

#endif
