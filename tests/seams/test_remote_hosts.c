/*
 * test_remote_hosts.c - which host remote goes to, and what becomes of a
 * message when one fails.
 */
#include <sys/socket.h>

#include "tests/seams/remote_house.h"

/* Nobody listens at the first address, the second one is busy. */
START_TEST(hosts_are_tried_in_turn)
{
	static const char *const ips[] = { "127.0.0.3", "127.0.0.2",
		"127.0.0.1" };
	int second, s;

	set_up();
	second = seam_listen("127.0.0.2", &port);
	deliver_one(10);
	answer_dns(ips, 3);
	s = seam_accept(second);
	client_say(s, "421 4.3.2 busy");
	client_expect_end(s);
	s = greet();
	take_message(s);
	expect_result(10, 250, 1, true);
	recorded(10);
	close(s);
	close(second);
	tear_down();
}
END_TEST

START_TEST(when_no_host_is_left)
{
	static const char *const ips[] = { "127.0.0.3", "127.0.0.4" };

	set_up();
	deliver_one(11);
	deliver_one(12);
	answer_dns(ips, 2);
	for (uint64_t i = 11; i <= 12; i++) {
		seam_recv(queue, &m, AGENT_RESULT);
		ck_assert_int_eq(msg_result_get(&m, &result), 0);
		ck_assert_uint_eq(result.reply.code, 451);
		ck_assert_int_eq(result.reply.scope, SCOPE_ROUTE);
		ck_assert_ptr_nonnull(
		    strstr(result.reply.text, "Connection refused"));
		recorded(result.handout.message);
	}
	tear_down();
}
END_TEST

START_TEST(every_host_refuses_for_good)
{
	static const char *const ips[] = { "127.0.0.2", "127.0.0.1" };
	int second, s;

	set_up();
	second = seam_listen("127.0.0.2", &port);
	deliver_one(13);
	answer_dns(ips, 2);
	s = seam_accept(second);
	client_say(s, "554 5.7.1 no service");
	client_expect(s, "QUIT");
	close(s);
	s = seam_accept(server);
	client_say(s, "554 5.7.1 none here");
	client_expect(s, "QUIT");
	close(s);
	expect_result(13, 554, 1, true);
	recorded(13);
	close(second);
	tear_down();
}
END_TEST

START_TEST(one_host_that_may_be_back_outweighs_a_refusal)
{
	static const char *const ips[] = { "127.0.0.3", "127.0.0.1" };
	int s;

	set_up();
	deliver_one(14);
	answer_dns(ips, 2);
	s = seam_accept(server);
	client_say(s, "554 5.7.1 none here");
	client_expect(s, "QUIT");
	close(s);
	expect_result(14, 451, 1, true);
	recorded(14);
	tear_down();
}
END_TEST

/* It may have been delivered: a result, and no second try at another host. */
START_TEST(lost_after_the_final_dot)
{
	static const char *const ips[] = { "127.0.0.1", "127.0.0.2" };
	int second, s;

	set_up();
	second = seam_listen("127.0.0.2", &port);
	deliver_one(17);
	answer_dns(ips, 2);
	s = greet();
	take_envelope(s);
	take_content(s);
	close(s);
	expect_result(17, 451, 1, true);
	recorded(17);
	close(server);
	server = second;
	ck_assert(nobody_connects());
	tear_down();
}
END_TEST

START_TEST(lost_before_the_final_dot_goes_to_the_next_host)
{
	static const char *const ips[] = { "127.0.0.2", "127.0.0.1" };
	int second, s;

	set_up();
	second = seam_listen("127.0.0.2", &port);
	deliver_one(18);
	answer_dns(ips, 2);
	s = seam_accept(second);
	client_say(s, "220 mx");
	client_expect(s, "EHLO");
	client_say(s, "250 mx");
	client_expect(s, "MAIL");
	client_say(s, "250 ok");
	client_expect(s, "RCPT");
	close(s);
	s = greet();
	take_message(s);
	expect_result(18, 250, 1, true);
	recorded(18);
	close(s);
	close(second);
	tear_down();
}
END_TEST

/* A connection that need not come about. */
static int
knock(const char *address)
{
	struct sockaddr_storage ss;
	struct ip ip;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	socklen_t n;

	ck_assert(ip_parse(&ip, span_of(address)));
	n = ip_to_sockaddr(&ss, &ip, port);
	(void)!connect(fd, (struct sockaddr *)&ss, n);
	return fd;
}

START_TEST(a_silent_host_costs_the_connect_timeout)
{
	/* A backlog that is full lets nobody in. */
	static const char *const ips[] = { "127.0.0.5", "127.0.0.1" };
	int full, s, more[8];

	set_up();
	full = seam_listen("127.0.0.5", &port);
	ck_assert_int_eq(listen(full, 0), 0);
	for (int i = 0; i < 8; i++)
		more[i] = knock("127.0.0.5");
	deliver_one(19);
	answer_dns(ips, 2);
	s = greet();
	take_message(s);
	expect_result(19, 250, 1, true);
	recorded(19);
	for (int i = 0; i < 8; i++)
		close(more[i]);
	close(s);
	close(full);
	tear_down();
}
END_TEST

/* Six refuse for good: the seventh may still take it. */
START_TEST(a_refusal_for_good_asks_every_host)
{
	static const char *const ips[] = { "127.0.0.11", "127.0.0.12",
		"127.0.0.13", "127.0.0.14", "127.0.0.15", "127.0.0.16",
		"127.0.0.1" };
	int no[6], s;

	set_up();
	for (int i = 0; i < 6; i++)
		no[i] = seam_listen(ips[i], &port);
	deliver_one(41);
	answer_dns(ips, 7);
	for (int i = 0; i < 6; i++) {
		s = seam_accept(no[i]);
		client_say(s, "554 5.7.1 none here");
		client_expect(s, "QUIT");
		close(s);
		close(no[i]);
	}
	s = greet();
	take_message(s);
	expect_result(41, 250, 1, true);
	recorded(41);
	close(s);
	tear_down();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("remote_hosts");
	TCase *t = tcase_create("remote_hosts");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, hosts_are_tried_in_turn);
	tcase_add_test(t, when_no_host_is_left);
	tcase_add_test(t, every_host_refuses_for_good);
	tcase_add_test(t, one_host_that_may_be_back_outweighs_a_refusal);
	tcase_add_test(t, lost_after_the_final_dot);
	tcase_add_test(t, lost_before_the_final_dot_goes_to_the_next_host);
	tcase_add_test(t, a_silent_host_costs_the_connect_timeout);
	tcase_add_test(t, a_refusal_for_good_asks_every_host);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
