/*
 * test_ipc.c - a channel between one end that follows the rules, and another
 * that does not.
 */
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

/* --- what goes through -------------------------------------------------------- */

START_TEST(messages_come_as_they_were_sent)
{
	uint32_t id, number;
	int fd;

	send_number(T_PLAIN, 77, 1, -1);
	send_number(T_PLAIN, 0xfffffffe, 2, -1);
	turn();
	ck_assert_uint_eq(seen.handled, 2);
	ck_assert(seen.in_order);
	ck_assert_uint_eq(seen.id, 0xfffffffe);
	send_number(T_ECHO, 5, 3, -1);
	turn();
	ck_assert(receive_raw(&id, &number, &fd));
	ck_assert_uint_eq(id, 5);
	ck_assert_uint_eq(number, 3);
	ck_assert_int_eq(fd, -1);
	ck_assert_uint_eq(seen.closed, 0);
}
END_TEST

START_TEST(a_descriptor_is_taken_or_closed)
{
	int fds[2];
	char c;

	ck_assert_int_eq(pipe2(fds, O_NONBLOCK), 0);
	seen.take = true;
	send_number(T_FD, 1, 1, fds[1]);
	turn();
	ck_assert_int_ne(seen.fd, -1);
	ck_assert_int_eq(fcntl(seen.fd, F_GETFD), FD_CLOEXEC);
	close(seen.fd);
	seen.take = false;
	send_number(T_MAYBE, 2, 2, fds[1]);
	send_number(T_MAYBE, 2, 3, -1);
	turn();
	ck_assert_uint_eq(seen.handled, 3);
	/* Nobody but us has the writing end. */
	close(fds[1]);
	ck_assert_int_eq(read(fds[0], &c, 1), 0);
	close(fds[0]);
	ck_assert_uint_eq(seen.closed, 0);
}
END_TEST

START_TEST(the_largest_body_fits_and_no_larger)
{
	static char body[IPC_BODY_MAX + 1];
	struct wire_put *w = channel_begin(channel, T_PLAIN, 9);
	uint32_t id, number;
	int fd;

	wire_put_bytes(w, body, IPC_BODY_MAX + 1);
	ck_assert_int_eq(channel_send(channel, -1), -1);
	ck_assert_int_eq(errno, EMSGSIZE);
	w = channel_begin(channel, T_PLAIN, 10);
	wire_put_bytes(w, body, IPC_BODY_MAX);
	ck_assert_int_eq(channel_send(channel, -1), 0);
	ck_assert_uint_eq(channel_backlog(channel), 0);
	ck_assert(receive_raw(&id, &number, &fd));
	ck_assert_uint_eq(id, 10);
	ck_assert(!receive_raw(&id, &number, &fd));
}
END_TEST

START_TEST(begin_forgets_what_was_not_sent)
{
	uint32_t id, number;
	int fd;

	wire_put_u32(channel_begin(channel, T_FD, 1), 1);
	ck_assert_int_eq(send_channel(2, -1), 0);
	ck_assert(receive_raw(&id, &number, &fd));
	ck_assert_uint_eq(id, 3);
	ck_assert_uint_eq(number, 2);
	ck_assert(!receive_raw(&id, &number, &fd));
}
END_TEST

START_TEST(what_the_peer_does_not_read_waits_in_order)
{
	uint32_t id, number, next = 1, sent = 0;
	int fd, fds[2];
	char c;

	ck_assert_int_eq(pipe2(fds, O_NONBLOCK), 0);
	while (channel_backlog(channel) < 100000)
		ck_assert_int_eq(send_channel(++sent, fds[1]), 0);
	close(fds[1]);
	for (int idle = 0; idle < 3; idle++) {
		while (receive_raw(&id, &number, &fd)) {
			ck_assert_uint_eq(number, next);
			ck_assert_uint_eq(id, next + 1);
			ck_assert_int_ne(fd, -1);
			close(fd);
			next++;
			idle = 0;
		}
		turn();
	}
	ck_assert_uint_eq(next, sent + 1);
	ck_assert_uint_eq(channel_backlog(channel), 0);
	/* The duplicates went with the packets. */
	ck_assert_int_eq(read(fds[0], &c, 1), 0);
	close(fds[0]);
	ck_assert_uint_eq(seen.closed, 0);
}
END_TEST

START_TEST(a_turn_of_the_loop_has_an_end)
{
	for (uint32_t i = 1; i <= 150; i++)
		send_number(T_PLAIN, 1, i, -1);
	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	ck_assert_uint_ge(seen.handled, 1);
	ck_assert_uint_lt(seen.handled, 150);
	for (int i = 0; i < 150; i++)
		turn();
	ck_assert_uint_eq(seen.handled, 150);
	ck_assert(seen.in_order);
}
END_TEST

/* --- what does not --------------------------------------------------------------- */

static const struct {
	const char *packet;
	size_t n;
	size_t nfds;
	unsigned handled; /* the handler is asked */
} bad[] = {
	{ "\1\0\0\0\0\0\0", 7, 0, 0 }, /* no whole header */
	{ "\1", 1, 0, 0 },
	{ "\1\0\1\0\0\0\0\0\1\0\0\0", 12, 0, 0 }, /* what must be zero */
	{ "\1\0\0\1\0\0\0\0\1\0\0\0", 12, 0, 0 },
	{ "\0\0\0\0\0\0\0\0\1\0\0\0", 12, 0, 0 }, /* no such type */
	{ "\1\1\0\0\0\0\0\0\1\0\0\0", 12, 0, 0 },
	{ "\4\0\0\0\0\0\0\0\1\0\0\0", 12, 0, 0 }, /* not in this phase */
	{ "\1\0\0\0\0\0\0\0\1\0\0\0", 12, 1, 0 }, /* no descriptor asked for */
	{ "\2\0\0\0\0\0\0\0\1\0\0\0", 12, 0, 0 }, /* one asked for */
	{ "\2\0\0\0\0\0\0\0\1\0\0\0", 12, 2, 0 }, /* one, not two */
	{ "\3\0\0\0\0\0\0\0\1\0\0\0", 12, 2, 0 },
	{ "\3\0\0\0\0\0\0\0\1\0\0\0", 12, 4, 0 }, /* more than there is room */
	{ "\5\0\0\0\0\0\0\0\1\0\0\0", 12, 0, 1 }, /* refused by its handler */
	{ "\5\0\0\0\0\0\0\0\1\0\0\0", 12, 1, 1 },
	{ "\1\0\0\0\0\0\0\0\1\0\0", 11, 0, 1 }, /* its body, too */
	{ "\1\0\0\0\0\0\0\0\1\0\0\0\0", 13, 0, 1 },
	{ "\1\0\0\0\0\0\0\0", 8, 0, 1 },
};

START_TEST(a_bad_message_closes_the_channel)
{
	int pipe_fds[2], passed[4];
	char c;

	ck_assert_int_eq(pipe2(pipe_fds, O_NONBLOCK), 0);
	for (int i = 0; i < 4; i++)
		passed[i] = pipe_fds[1];
	ck_assert_int_eq(send_raw(span_from(bad[_i].packet, bad[_i].n), passed,
			     bad[_i].nfds),
	    (ssize_t)bad[_i].n);
	/* This one stands behind it and is not looked at any more. */
	send_number(T_PLAIN, 1, 1, -1);
	close(pipe_fds[1]);
	turn();
	ck_assert_uint_eq(seen.handled, bad[_i].handled);
	ck_assert_uint_eq(seen.closed, 1);
	ck_assert(seen.bad);
	ck_assert_ptr_null(channel);
	/* No descriptor that came with it is still open. */
	ck_assert_int_eq(read(pipe_fds[0], &c, 1), 0);
	close(pipe_fds[0]);
	ck_assert_int_eq(send(raw, "x", 1, MSG_NOSIGNAL), -1);
}
END_TEST

START_TEST(a_packet_over_the_limit_closes_the_channel)
{
	static char packet[IPC_PACKET_MAX + 1] = { T_PLAIN };
	int fd = null_fd;

	ck_assert_int_eq(send_raw(span_from(packet, sizeof packet), &fd, 1),
	    (ssize_t)sizeof packet);
	turn();
	ck_assert_uint_eq(seen.handled, 0);
	ck_assert_uint_eq(seen.closed, 1);
	ck_assert(seen.bad);
}
END_TEST

START_TEST(phases_say_what_is_legal)
{
	channel_phase(channel, PHASE_LATER);
	send_number(T_LATER, 1, 1, -1);
	turn();
	ck_assert_uint_eq(seen.handled, 1);
	channel_phase(channel, 4);
	send_number(T_PLAIN, 1, 1, -1);
	send_number(T_LATER, 1, 1, -1);
	turn();
	ck_assert_uint_eq(seen.handled, 2);
	ck_assert_uint_eq(seen.closed, 1);
	ck_assert(seen.bad);
}
END_TEST

/* --- ends -------------------------------------------------------------------------- */

START_TEST(the_end_of_the_peer_is_not_its_fault)
{
	send_number(T_PLAIN, 1, 1, -1);
	shutdown(raw, SHUT_RDWR);
	turn();
	ck_assert_uint_eq(seen.handled, 1);
	ck_assert_uint_eq(seen.closed, 1);
	ck_assert(!seen.bad);
}
END_TEST

START_TEST(what_a_dying_peer_said_is_heard)
{
	/* It dies with packets of ours unread, and its own on their way. */
	ck_assert_int_eq(send_channel(1, -1), 0);
	for (uint32_t i = 1; i <= 100; i++)
		send_number(T_PLAIN, 1, i, -1);
	close(raw);
	raw = -1;
	ck_assert_int_eq(send_channel(2, -1), -1);
	ck_assert_int_eq(errno, EPIPE);
	ck_assert_uint_eq(seen.closed, 0); /* not from within */
	for (int i = 0; i < 10 && seen.closed == 0; i++)
		turn();
	ck_assert_uint_eq(seen.handled, 100);
	ck_assert(seen.in_order);
	ck_assert_uint_eq(seen.closed, 1);
	ck_assert(!seen.bad);
}
END_TEST

START_TEST(who_does_not_read_is_given_up)
{
	static char body[IPC_BODY_MAX];
	size_t most = 0;
	int rc = 0;

	for (int i = 0; i < 1000 && rc == 0; i++) {
		wire_put_bytes(
		    channel_begin(channel, T_PLAIN, 1), body, sizeof body);
		rc = channel_send(channel, null_fd);
		most = channel_backlog(channel);
	}
	ck_assert_int_eq(rc, -1);
	ck_assert_int_eq(errno, EPIPE);
	ck_assert_uint_le(most, IPC_BACKLOG_MAX);
	ck_assert_uint_ge(most, IPC_BACKLOG_MAX - 2 * IPC_PACKET_MAX);
	ck_assert_uint_eq(seen.closed, 0);
	turn();
	ck_assert_uint_eq(seen.closed, 1);
	ck_assert(seen.bad);
}
END_TEST

START_TEST(a_channel_may_be_freed_by_its_handler)
{
	uint32_t id, number;
	int fd;

	send_number(T_FREE, 1, 1, null_fd);
	send_number(T_PLAIN, 1, 2, -1);
	turn();
	turn();
	ck_assert_uint_eq(seen.handled, 1);
	ck_assert_uint_eq(seen.closed, 0);
	ck_assert(!receive_raw(&id, &number, &fd));
	ck_assert_int_eq(send(raw, "x", 1, MSG_NOSIGNAL), -1);
}
END_TEST

START_TEST(a_channel_may_be_freed_with_packets_waiting)
{
	while (channel_backlog(channel) < 100000)
		ck_assert_int_eq(send_channel(1, null_fd), 0);
	channel_free(channel);
	channel = NULL;
	turn();
	ck_assert_uint_eq(seen.closed, 0);
	channel_free(NULL);
}
END_TEST

START_TEST(a_paused_channel_reads_nothing_but_ends)
{
	channel_pause(channel, true);
	send_number(T_PLAIN, 1, 1, -1);
	turn();
	ck_assert_uint_eq(seen.handled, 0);
	channel_pause(channel, false);
	turn();
	ck_assert_uint_eq(seen.handled, 1);
	channel_pause(channel, true);
	for (uint32_t i = 2; i <= 100; i++)
		send_number(T_PLAIN, 1, i, -1);
	close(raw);
	raw = -1;
	ck_assert_int_eq(send_channel(2, -1), -1);
	for (int i = 0; i < 10 && seen.closed == 0; i++)
		turn();
	ck_assert_uint_eq(seen.handled, 100);
	ck_assert_uint_eq(seen.closed, 1);
}
END_TEST

START_TEST(kinds_have_the_names_of_their_programs)
{
	ck_assert_str_eq(peer_name(PEER_MASTER), "master");
	ck_assert_str_eq(peer_name(PEER_SMTPD), "smtpd");
	ck_assert_str_eq(peer_name(PEER_END), "unknown");
	for (enum peer p = PEER_MASTER; p < PEER_END; p++)
		ck_assert_ptr_nonnull(peer_name(p));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("ipc");
	TCase *t = tcase_create("ipc");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, messages_come_as_they_were_sent);
	tcase_add_test(t, a_descriptor_is_taken_or_closed);
	tcase_add_test(t, the_largest_body_fits_and_no_larger);
	tcase_add_test(t, begin_forgets_what_was_not_sent);
	tcase_add_test(t, what_the_peer_does_not_read_waits_in_order);
	tcase_add_test(t, a_turn_of_the_loop_has_an_end);
	tcase_add_loop_test(
	    t, a_bad_message_closes_the_channel, 0, sizeof bad / sizeof bad[0]);
	tcase_add_test(t, a_packet_over_the_limit_closes_the_channel);
	tcase_add_test(t, phases_say_what_is_legal);
	tcase_add_test(t, the_end_of_the_peer_is_not_its_fault);
	tcase_add_test(t, what_a_dying_peer_said_is_heard);
	tcase_add_test(t, who_does_not_read_is_given_up);
	tcase_add_test(t, a_channel_may_be_freed_by_its_handler);
	tcase_add_test(t, a_channel_may_be_freed_with_packets_waiting);
	tcase_add_test(t, a_paused_channel_reads_nothing_but_ends);
	tcase_add_test(t, kinds_have_the_names_of_their_programs);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
