/*
 * ipc.h - a channel between two processes: typed messages, one a packet.
 *
 * A channel is a non-blocking socketpair(AF_UNIX, SOCK_SEQPACKET) made by
 * master.  A packet is a header (u16 type, u16 zero, u32 request id), a body of
 * at most IPC_BODY_MAX bytes coded with wire.h, and at most one descriptor.
 *
 * The receiver trusts nothing: one table says which messages are legal in
 * which phase and who answers them; the handler's get must find the body
 * exactly right.  Anything else is logged, closes that channel and is
 * complained of to master; the receiver lives on.
 *
 * Nobody stops reading because it cannot write: what the socket does not take
 * at once waits in the channel, up to IPC_BACKLOG_MAX.  Requesters keep within
 * a window (pending.h), so that the backlog has a bound; going over it is a
 * fault of the peer that does not read, and closes the channel.
 */
#ifndef IPC_H
#define IPC_H

#include <event2/event.h>

#include "common/bytes/wire.h"

#define IPC_PACKET_MAX	(128 * 1024)
#define IPC_HEADER	8
#define IPC_BODY_MAX	(IPC_PACKET_MAX - IPC_HEADER)
#define IPC_BACKLOG_MAX (8 * 1024 * 1024)

/* The kinds of process.  Their names are the programs' and /proc/PID/comm's. */
enum peer {
	PEER_MASTER, PEER_LOGGER, PEER_LOOKUP, PEER_RESOLVER, PEER_QUEUE,
	PEER_LOCAL, PEER_REMOTE, PEER_CONTROL, PEER_SMTPD,
	PEER_ADMIN,		/* a command on control.sock: no process of master's */
	PEER_END
};

const char *peer_name(enum peer);

struct ipc_msg {
	uint16_t type;
	uint32_t id;		/* of the request, given back in its answer; 0: none */
	struct wire_get body;
	int fd;			/* -1, or a descriptor that the handler owns once it
				 * has set this to -1; else it is closed for it */
};

/* 0, or -1: the body was malformed, or the message made no sense now. */
typedef int ipc_handler(void *arg, struct ipc_msg *);

/* Whether a message carries a descriptor; `maybe` leaves it to the handler. */
enum ipc_fd { IPC_FD_NEVER, IPC_FD_ALWAYS, IPC_FD_MAYBE };

struct ipc_rule {
	uint16_t type;
	unsigned phases;	/* bits; legal where the channel's phase bit is set */
	enum ipc_fd fd;
	ipc_handler *handle;
};
#define IPC_ANY_PHASE (~0u)

struct channel;

struct channel_ops {
	const struct ipc_rule *rules;
	size_t nrules;
	/* EOF, an error, or a bad message (already logged; `bad` is true).  The
	 * channel frees itself when this returns. */
	void (*closed)(void *arg, bool bad);
};

/* Takes over fd, and has closed it where it returns NULL, with errno. */
struct channel *channel_new(struct event_base *, int fd, enum peer,
    const struct channel_ops *, void *arg);
void channel_free(struct channel *);	/* NULL is fine; legal in a handler too;
					 * closed() is not called */
void channel_phase(struct channel *, unsigned bit);	/* starts as 1 */
/* While paused nothing is read, so that the peer comes to wait; what is to be sent
 * goes out all the same.  The peer's end is seen when it is over. */
void channel_pause(struct channel *, bool pause);

/*
 * To send: begin, put the body, send.  One message at a time; begin forgets what
 * was not sent.  The packet is built in memory shared by all channels of the
 * process, nothing is allocated where the socket takes it.
 */
struct wire_put *channel_begin(struct channel *, uint16_t type, uint32_t id);
/* 0, or -1 with errno: EMSGSIZE (the body did not fit), EPIPE (closed, or over
 * the backlog; closed() follows from the loop).  `fd` is -1 or is duplicated to
 * the peer and stays the caller's. */
int channel_send(struct channel *, int fd);
/* Bytes that wait for the peer to read. */
size_t channel_backlog(const struct channel *);

/* A pair of sockets as above, close-on-exec.  0 or -1 with errno. */
int channel_pair(int fds[2]);
/* The same for a socket of that kind that came by connect() or accept().  0 or
 * -1 with errno. */
int channel_room(int fd);

#endif
