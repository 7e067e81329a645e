/*
 * test_ipc_ends.c - how a channel ends: by its peer, by its owner, by what
 * nobody reads.
 */
#include "tests/unit/common/raw_channel.h"

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
	Suite *s = suite_create("ipc_ends");
	TCase *t = tcase_create("ipc");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, set_up, tear_down);
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
