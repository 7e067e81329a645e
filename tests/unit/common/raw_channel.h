/*
 * raw_channel.h - for the tests of channels: one end that follows the rules, and
 * another that need not.
 */
#ifndef RAW_CHANNEL_H
#define RAW_CHANNEL_H

#include <sys/socket.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/run/ipc.h"

enum { T_PLAIN = 1, T_FD, T_MAYBE, T_LATER, T_REFUSE, T_FREE, T_ECHO, T_END };

#define PHASE_LATER 2

static struct event_base *base;
static struct channel *channel;
static int raw;	    /* the other end */
static int null_fd; /* to be passed */

static struct {
	unsigned handled;
	unsigned closed;
	bool bad;
	uint32_t id, number; /* of the last message */
	int fd;		     /* taken from it */
	bool take;	     /* take descriptors */
	bool in_order;
} seen;

static int
on_message(void *arg, struct ipc_msg *m)
{
	uint32_t last = seen.number;

	ck_assert_ptr_eq(arg, &seen);
	seen.handled++;
	seen.id = m->id;
	seen.number = wire_get_u32(&m->body);
	seen.in_order &= seen.number == last + 1;
	if (seen.take && m->fd != -1) {
		seen.fd = m->fd;
		m->fd = -1;
	}
	switch (m->type) {
	case T_REFUSE:
		return -1;
	case T_FREE:
		channel_free(channel);
		channel = NULL;
		return 0;
	case T_ECHO:
		wire_put_u32(
		    channel_begin(channel, T_ECHO, m->id), seen.number);
		channel_send(channel, -1);
		return 0;
	default:
		return wire_done(&m->body) ? 0 : -1;
	}
}

static const struct ipc_rule rules[] = {
	{ T_PLAIN, IPC_ANY_PHASE, IPC_FD_NEVER, on_message },
	{ T_FD, IPC_ANY_PHASE, IPC_FD_ALWAYS, on_message },
	{ T_MAYBE, IPC_ANY_PHASE, IPC_FD_MAYBE, on_message },
	{ T_LATER, PHASE_LATER, IPC_FD_NEVER, on_message },
	{ T_REFUSE, IPC_ANY_PHASE, IPC_FD_MAYBE, on_message },
	{ T_FREE, IPC_ANY_PHASE, IPC_FD_MAYBE, on_message },
	{ T_ECHO, IPC_ANY_PHASE, IPC_FD_NEVER, on_message },
};

static void
on_closed(void *arg, bool bad)
{
	ck_assert_ptr_eq(arg, &seen);
	seen.closed++;
	seen.bad = bad;
	/* As an owner may do it, who frees whatever it has. */
	wire_put_u32(channel_begin(channel, T_PLAIN, 0), 1);
	ck_assert_int_eq(channel_send(channel, -1), -1);
	channel_free(channel);
	channel = NULL;
}

static const struct channel_ops ops = {
	.rules = rules,
	.nrules = sizeof rules / sizeof rules[0],
	.closed = on_closed,
};

static void
set_up(void)
{
	int fds[2];

	memset(&seen, 0, sizeof seen);
	seen.fd = -1;
	seen.in_order = true;
	ck_assert_int_ne(dup2(open("/dev/null", O_WRONLY), 2), -1);
	null_fd = open("/dev/null", O_RDONLY);
	base = event_base_new();
	ck_assert_int_eq(channel_pair(fds), 0);
	raw = fds[1];
	channel = channel_new(base, fds[0], PEER_SMTPD, &ops, &seen);
	ck_assert_ptr_nonnull(channel);
}

static void
tear_down(void)
{
	channel_free(channel);
	event_base_free(base);
	close(raw);
	close(null_fd);
}

/* One turn of the loop. */
static void
turn(void)
{
	event_base_loop(base, EVLOOP_NONBLOCK);
}

/* A packet as a peer might make it. */
static ssize_t
send_raw(struct span p, const int *fds, size_t nfds)
{
	union {
		char space[CMSG_SPACE(4 * sizeof(int))];
		struct cmsghdr align;
	} control = { .space = { 0 } };
	struct iovec iov = { (void *)(uintptr_t)p.p, p.n };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (nfds > 0) {
		h.msg_control = control.space;
		h.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(&control.align), fds, nfds * sizeof(int));
	}
	return sendmsg(raw, &h, MSG_NOSIGNAL);
}

static void
send_number(uint16_t type, uint32_t id, uint32_t number, int fd)
{
	char p[IPC_HEADER + 4];
	struct wire_put w = wire_writer(p, sizeof p);

	wire_put_u16(&w, type);
	wire_put_u16(&w, 0);
	wire_put_u32(&w, id);
	wire_put_u32(&w, number);
	ck_assert_int_eq(
	    send_raw(span_from(p, w.n), &fd, fd != -1), (ssize_t)w.n);
}

static int
send_channel(uint32_t number, int fd)
{
	wire_put_u32(channel_begin(channel, T_PLAIN, number + 1), number);
	return channel_send(channel, fd);
}

/* What came out at the raw end: its number, and its descriptor in *fd. */
static bool
receive_raw(uint32_t *id, uint32_t *number, int *fd)
{
	static char p[IPC_PACKET_MAX];
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { p, sizeof p };
	struct msghdr h = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof control.space };
	ssize_t n = recvmsg(raw, &h, MSG_DONTWAIT);
	struct wire_get w;

	if (n <= 0)
		return false;
	w = wire_reader(span_from(p, (size_t)n));
	wire_get_u16(&w);
	ck_assert_uint_eq(wire_get_u16(&w), 0);
	*id = wire_get_u32(&w);
	*number = wire_get_u32(&w);
	*fd = -1;
	if (CMSG_FIRSTHDR(&h) != NULL)
		memcpy(fd, CMSG_DATA(CMSG_FIRSTHDR(&h)), sizeof *fd);
	return true;
}

#endif
