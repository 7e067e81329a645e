/*
 * test_remote_connections.c - connections of remote: how many, how long, used
 * again, and refused.
 */
#include <sys/socket.h>

#include "tests/seams/remote_house.h"

/* The server closes a kept connection just when it is used: no loss, no
 * failure, a new connection. */
START_TEST(a_stale_connection_is_replaced)
{
	int s;

	set_up();
	deliver_one(15);
	answer_loopback();
	s = greet();
	take_message(s);
	expect_result(15, 250, 1, true);
	recorded(15);
	deliver_one(16);
	client_expect(s, "MAIL FROM:");
	client_expect(s, "RCPT TO:");
	client_expect(s, "DATA");
	client_say(s, "421 4.4.2 too idle");
	close(s);
	s = greet();
	take_message(s);
	expect_result(16, 250, 1, true);
	recorded(16);
	close(s);
	tear_down();
}
END_TEST

START_TEST(never_more_connections_than_allowed)
{
	int s[2];

	set_up();
	for (uint64_t i = 20; i < 25; i++)
		deliver_one(i);
	answer_loopback();
	s[0] = greet();
	s[1] = greet();
	ck_assert(nobody_connects());
	take_message(s[0]);
	take_message(s[1]);
	take_message(s[0]);
	take_message(s[1]);
	take_message(s[0]);
	for (int i = 0; i < 5; i++) {
		seam_recv(queue, &m, AGENT_RESULT);
		ck_assert_int_eq(msg_result_get(&m, &result), 0);
		ck_assert_uint_eq(result.reply.code, 250);
		recorded(result.handout.message);
	}
	ck_assert(nobody_connects());
	close(s[0]);
	close(s[1]);
	tear_down();
}
END_TEST

/* RFC 5321 section 4.5.3.2.1: five minutes, once there is a connection. */
START_TEST(a_greeting_may_take_longer_than_a_connection)
{
	int s;

	set_up();
	deliver_one(33);
	answer_loopback();
	s = seam_accept(server);
	sleep(conf.connect_timeout + 1);
	client_say(s, "220 mx.example ESMTP");
	client_expect(s, "EHLO us.example");
	client_say(s, "250-mx.example\r\n250 PIPELINING");
	take_message(s);
	expect_result(33, 250, 1, true);
	recorded(33);
	close(s);
	tear_down();
}
END_TEST

/* The first connection is served, the second one refused: its message takes
 * the first one, and none is deferred. */
START_TEST(a_host_that_takes_one_connection_only)
{
	int s, no;

	set_up();
	deliver_one(34);
	answer_loopback();
	s = greet();
	take_envelope(s);
	deliver_one(35);
	deliver_one(36);
	no = seam_accept(server);
	client_say(no, "421 4.7.0 too many connections");
	client_expect_end(no);
	close(no);
	expect_nothing(queue);
	ck_assert(nobody_connects());
	take_content(s);
	client_say(s, "250 ok");
	expect_result(34, 250, 1, true);
	take_message(s);
	take_message(s);
	expect_result(35, 250, 1, true);
	expect_result(36, 250, 1, true);
	for (uint64_t i = 34; i <= 36; i++)
		recorded(i);
	close(s);
	tear_down();
}
END_TEST

/* … where there is another host, it goes there. */
START_TEST(beyond_what_one_host_takes_there_is_the_next)
{
	static const char *const ips[] = { "127.0.0.1", "127.0.0.2" };
	int second, s, no, other;

	set_up();
	second = seam_listen("127.0.0.2", &port);
	deliver_one(37);
	answer_dns(ips, 2);
	s = greet();
	take_envelope(s);
	deliver_one(38);
	no = seam_accept(server);
	client_say(no, "554 too many connections");
	client_expect(no, "QUIT");
	close(no);
	other = seam_accept(second);
	client_say(other, "220 mx.example ESMTP");
	client_expect(other, "EHLO us.example");
	client_say(other, "250-mx.example\r\n250 PIPELINING");
	take_message(other);
	expect_result(38, 250, 1, true);
	take_content(s);
	client_say(s, "250 ok");
	expect_result(37, 250, 1, true);
	recorded(37);
	recorded(38);
	close(s);
	close(other);
	close(second);
	tear_down();
}
END_TEST

/* The served connection dies: what waited for it tries anew. */
START_TEST(what_waits_for_a_connection_is_not_forgotten)
{
	int s, no;

	set_up();
	deliver_one(39);
	answer_loopback();
	s = greet();
	take_envelope(s);
	deliver_one(40);
	no = seam_accept(server);
	client_say(no, "421 4.7.0 too many connections");
	close(no);
	expect_nothing(queue);
	take_content(s);
	client_say(s, "250 ok");
	close(s);
	expect_result(39, 250, 1, true);
	recorded(39);
	s = greet();
	take_message(s);
	expect_result(40, 250, 1, true);
	recorded(40);
	close(s);
	tear_down();
}
END_TEST

/* Octets that are no line, one a second, do not keep a connection. */
START_TEST(an_idle_host_that_trickles)
{
	int s, i;
	char c;

	set_up();
	deliver_one(42);
	answer_loopback();
	s = greet();
	take_message(s);
	expect_result(42, 250, 1, true);
	recorded(42);
	for (i = 0; i < 8; i++) {
		if (send(s, "2", 1, MSG_NOSIGNAL) == -1 ||
		    recv(s, &c, 1, MSG_DONTWAIT) == 0)
			break;
		sleep(1);
	}
	ck_assert_int_lt(i, 8);
	close(s);
	tear_down();
}
END_TEST

/* No final answer can come of it: queue would take us for broken. */
START_TEST(a_greeting_that_is_no_greeting)
{
	int s;

	set_up();
	deliver_one(26);
	answer_loopback();
	s = seam_accept(server);
	client_say(s, "354 go ahead");
	expect_result(26, 451, 1, true);
	recorded(26);
	close(s);
	tear_down();
}
END_TEST

/* On a connection that was used before, a host that knows no RSET: a new
 * connection, and no bounce. */
START_TEST(a_reset_that_is_refused_says_nothing_of_the_message)
{
	int s;

	set_up();
	deliver_one(27);
	answer_loopback();
	s = greet();
	client_expect(s, "MAIL");
	client_expect(s, "RCPT");
	client_expect(s, "DATA");
	client_say(s, "250 ok\r\n550 5.1.1 no\r\n554 none");
	expect_result(27, 550, 1, true);
	recorded(27);
	deliver_one(28);
	client_expect(s, "RSET");
	client_expect(s, "MAIL");
	client_say(s, "502 what");
	close(s);
	s = greet();
	take_message(s);
	expect_result(28, 250, 1, true);
	recorded(28);
	close(s);
	tear_down();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("remote_connections");
	TCase *t = tcase_create("remote_connections");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_stale_connection_is_replaced);
	tcase_add_test(t, never_more_connections_than_allowed);
	tcase_add_test(t, a_greeting_may_take_longer_than_a_connection);
	tcase_add_test(t, a_host_that_takes_one_connection_only);
	tcase_add_test(t, beyond_what_one_host_takes_there_is_the_next);
	tcase_add_test(t, what_waits_for_a_connection_is_not_forgotten);
	tcase_add_test(t, an_idle_host_that_trickles);
	tcase_add_test(t, a_greeting_that_is_no_greeting);
	tcase_add_test(t, a_reset_that_is_refused_says_nothing_of_the_message);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
