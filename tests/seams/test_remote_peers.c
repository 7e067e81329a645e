/*
 * test_remote_peers.c - remote's peers: a resolver or a queue that is slow,
 * wrong or dies, and the stop.
 */
#include "tests/seams/remote_house.h"

/* ---- resolver ---------------------------------------------------------------- */

START_TEST(what_resolver_says_goes_for_all_that_wait)
{
	struct msg_deliver v;

	set_up();
	v = hand_out(30, ROUTE_MX, 2);
	deliver(&v, -1);
	v = hand_out(31, ROUTE_MX, 1);
	deliver(&v, -1);
	answer_dns(NULL, 0);
	expect_result(30, 550, 2, true);
	ck_assert_int_eq(result.reply.scope, SCOPE_DOMAIN);
	expect_result(31, 550, 1, true);
	recorded(30);
	recorded(31);
	/* A next hop of the configuration is another matter. */
	deliver_one(32);
	answer_dns(NULL, 0);
	expect_result(32, 451, 1, true);
	recorded(32);
	tear_down();
}
END_TEST

START_TEST(a_resolver_that_dies)
{
	set_up();
	deliver_one(33);
	seam_recv(resolver, &m, DNS_ASK);
	close(resolver);
	expect_result(33, 451, 1, true);
	recorded(33);
	deliver_one(34);
	expect_result(34, 451, 1, true);
	recorded(34);
	resolver = seam_connect(&d, PEER_RESOLVER, 2);
	deliver_one(35);
	answer_dns(NULL, 0);
	expect_result(35, 451, 1, true);
	recorded(35);
	tear_down();
}
END_TEST

/* ---- queue -------------------------------------------------------------------- */

static void
expect_underway(uint64_t message, uint32_t nrcpts)
{
	struct msg_underway u;

	seam_recv(queue, &m, AGENT_UNDERWAY);
	ck_assert_int_eq(msg_underway_get(&m, &u), 0);
	ck_assert_uint_eq(u.handout.message, message);
	ck_assert_uint_eq(u.nrcpts, nrcpts);
}

START_TEST(a_new_queue_learns_what_is_under_way_and_what_is_done)
{
	int s;

	set_up();
	deliver_one(40);
	answer_loopback();
	s = greet();
	take_message(s);
	expect_result(40, 250, 1, true);
	deliver_one(41);
	take_envelope(s);
	close(queue);
	usleep(100000);
	queue = seam_connect(&d, PEER_QUEUE, 2);
	expect_underway(40, 1);
	expect_underway(41, 1);
	expect_hello();
	expect_result(40, 250, 1, true);
	recorded(40);
	expect_nothing(queue);
	take_content(s);
	client_say(s, "250 ok");
	expect_result(41, 250, 1, true);
	recorded(41);
	/* Nothing is left to tell. */
	usleep(100000);
	close(queue);
	queue = seam_connect(&d, PEER_QUEUE, 3);
	expect_hello();
	close(s);
	tear_down();
}
END_TEST

START_TEST(hello_waits_for_a_resolver)
{
	port = 0;
	server = seam_listen("127.0.0.1", &port);
	conf.host_concurrency = 2;
	seam_start(&d, "remote", &conf);
	queue = seam_connect(&d, PEER_QUEUE, 1);
	expect_nothing(queue);
	resolver = seam_connect(&d, PEER_RESOLVER, 1);
	expect_hello();
	tear_down();
}
END_TEST

static void
expect_complaint(void)
{
	struct msg_complain c;

	seam_recv(d.master, &m, MASTER_COMPLAIN);
	ck_assert_int_eq(msg_complain_get(&m, &c), 0);
	ck_assert_int_eq(c.kind, PEER_QUEUE);
	ck_assert(seam_closed(queue));
	close(queue);
}

START_TEST(a_queue_that_breaks_the_rules)
{
	static const struct route local = {
		.kind = ROUTE_MAILDIR_SYSTEM, .user = "u", .path = "Maildir"
	};
	struct msg_deliver v;

	set_up();
	/* the same hand-out twice */
	deliver_one(50);
	deliver_one(50);
	expect_complaint();
	queue = seam_connect(&d, PEER_QUEUE, 2);
	expect_underway(50, 1);
	expect_hello();
	/* recorded before it is done */
	recorded(50);
	expect_complaint();
	queue = seam_connect(&d, PEER_QUEUE, 3);
	expect_underway(50, 1);
	expect_hello();
	/* not for us */
	v = hand_out(51, ROUTE_SMTP, 1);
	v.route = local;
	deliver(&v, -1);
	expect_complaint();
	queue = seam_connect(&d, PEER_QUEUE, 4);
	expect_underway(50, 1);
	expect_hello();
	answer_dns(NULL, 0);
	expect_result(50, 451, 1, true);
	recorded(50);
	tear_down();
}
END_TEST

START_TEST(more_than_the_window)
{
	set_up();
	for (uint64_t i = 1; i <= 201; i++)
		deliver_one(i);
	expect_complaint();
	queue = seam_connect(&d, PEER_QUEUE, 2);
	for (uint64_t i = 1; i <= 200; i++)
		expect_underway(i, 1);
	expect_hello();
	answer_dns(NULL, 0);
	for (uint64_t i = 1; i <= 200; i++) {
		expect_result(i, 451, 1, true);
		recorded(i);
	}
	tear_down();
}
END_TEST

/* ---- stop ---------------------------------------------------------------------- */

static void
send_stop(void)
{
	seam_body();
	seam_send(d.master, MASTER_STOP, 0, -1);
}

START_TEST(a_stop_lets_the_dialogue_finish_and_sends_back_the_rest)
{
	int s[2];

	set_up();
	for (uint64_t i = 60; i < 64; i++)
		deliver_one(i);
	answer_loopback();
	s[0] = greet();
	s[1] = seam_accept(server);
	take_envelope(s[0]);
	usleep(100000);
	send_stop();
	/* 61 has no session yet; 62 and 63 wait */
	for (int i = 0; i < 3; i++) {
		seam_recv(queue, &m, AGENT_RESULT);
		ck_assert_int_eq(msg_result_get(&m, &result), 0);
		ck_assert_uint_eq(result.reply.code, 451);
		ck_assert_uint_eq(result.reply.esc.subject, 3);
		ck_assert_uint_ne(result.handout.message, 60);
		recorded(result.handout.message);
	}
	take_content(s[0]);
	client_say(s[0], "250 taken");
	expect_result(60, 250, 1, true);
	recorded(60);
	ck_assert_int_eq(seam_wait(&d), 0);
	close(s[0]);
	close(s[1]);
}
END_TEST

/* The host has it all and does not answer: nobody may say that it was not
 * delivered.  Another, that hangs before, goes back. */
START_TEST(a_stop_in_doubt_says_nothing)
{
	int s[2];

	set_up();
	deliver_one(70);
	deliver_one(71);
	answer_loopback();
	s[0] = greet();
	s[1] = greet();
	take_envelope(s[0]);
	take_content(s[0]);
	client_expect(s[1], "MAIL");
	send_stop();
	seam_recv(queue, &m, AGENT_RESULT);
	ck_assert_int_eq(msg_result_get(&m, &result), 0);
	ck_assert_uint_eq(result.reply.esc.subject, 3);
	recorded(result.handout.message);
	ck_assert(!seam_recv_within(queue, &m, SEAM_MS));
	seam_wait(&d);
	close(s[0]);
	close(s[1]);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("remote_peers");
	TCase *t = tcase_create("remote_peers");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, what_resolver_says_goes_for_all_that_wait);
	tcase_add_test(t, a_resolver_that_dies);
	tcase_add_test(t, a_new_queue_learns_what_is_under_way_and_what_is_done);
	tcase_add_test(t, hello_waits_for_a_resolver);
	tcase_add_test(t, a_queue_that_breaks_the_rules);
	tcase_add_test(t, more_than_the_window);
	tcase_add_test(t, a_stop_lets_the_dialogue_finish_and_sends_back_the_rest);
	tcase_add_test(t, a_stop_in_doubt_says_nothing);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
