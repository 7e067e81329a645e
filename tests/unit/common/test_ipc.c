/*
 * test_ipc.c - what goes through a channel, and what does not.
 */
#include "tests/unit/common/raw_channel.h"

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
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
