/*
 * test_remote.c - remote delivers: what it says to a server, and
 * what it tells queue.
 */
#include <sys/mman.h>
#include <sys/socket.h>

#include "tests/seams/remote_house.h"

START_TEST(a_message_and_the_next_one_on_the_same_connection)
{
	int s;

	set_up();
	deliver_one(1);
	answer_loopback();
	s = greet();
	take_message(s);
	expect_result(1, 250, 1, true);
	ck_assert_str_eq(result.reply.text, "taken");
	ck_assert_str_eq(result.host, "mx.example [127.0.0.1]");
	ck_assert_uint_eq(result.rcpts[0], 7);
	recorded(1);
	usleep(500000);
	deliver_one(2);
	take_message(s);
	expect_result(2, 250, 1, true);
	recorded(2);
	ck_assert(nobody_connects());
	/* Idle for long enough: it was of use, and is kept a little longer. */
	client_expect(s, "NOOP");
	client_say(s, "200 still here");
	deliver_one(3);
	take_message(s);
	expect_result(3, 250, 1, true);
	recorded(3);
	client_expect(s, "NOOP");
	client_say(s, "250 still here");
	/* And once more: goodbye. */
	client_expect(s, "QUIT");
	client_say(s, "221 bye");
	client_expect_end(s);
	tear_down();
}
END_TEST

START_TEST(results_of_the_same_kind_come_together)
{
	struct msg_deliver v;
	int s;

	set_up();
	v = hand_out(3, ROUTE_SMTP, 5);
	deliver(&v, -1);
	answer_loopback();
	s = greet();
	client_expect(s, "MAIL FROM:<s@a.example>");
	for (int i = 0; i < 5; i++)
		client_expect(s, "RCPT TO:<r");
	client_expect(s, "DATA");
	client_say(s, "250 ok");
	client_say(s, "550 5.1.1 no\r\n250 ok\r\n550 5.1.1 no");
	client_say(s, "250 ok\r\n450-4.2.1 later\r\n450 4.2.1 please");
	client_say(s, "354 go");
	take_content(s);
	client_say(s, "250 2.6.0 taken");
	expect_result(3, 550, 2, false);
	ck_assert_uint_eq(result.rcpts[0], 7);
	ck_assert_uint_eq(result.rcpts[1], 9);
	ck_assert_int_eq(result.reply.scope, SCOPE_RECIPIENT);
	expect_result(3, 450, 1, false);
	ck_assert_uint_eq(result.rcpts[0], 11);
	expect_result(3, 250, 2, true);
	recorded(3);
	close(s);
	tear_down();
}
END_TEST

#define LARGE (3 * 1024 * 1024)

/* Content behind a descriptor arrives octet by octet as it is. */
START_TEST(large_content_by_descriptor)
{
	static char content[LARGE], got[LARGE + 64];
	struct msg_deliver v;
	int s, fd = memfd_create("content", 0);
	size_t n = 0;

	for (size_t i = 0; i < LARGE; i++)
		content[i] = i % 77 == 75 ? '\r'
		    : i % 77 == 76	  ? '\n'
					  : (char)('a' + i * 31 % 26);
	memcpy(content + LARGE - 2, "\r\n", 2);
	ck_assert_int_eq(write(fd, content, LARGE), LARGE);
	set_up();
	v = hand_out(4, ROUTE_SMTP, 1);
	v.inlined = false;
	v.content = SPAN("");
	v.size = LARGE;
	deliver(&v, fd);
	close(fd);
	answer_loopback();
	s = greet();
	take_envelope(s);
	client_expect(s, "Received: x");
	while (n < LARGE + 3) {
		ssize_t k = recv(s, got + n, sizeof got - n, 0);

		ck_assert_int_gt(k, 0);
		n += (size_t)k;
	}
	ck_assert_uint_eq(n, LARGE + 3);
	ck_assert_int_eq(memcmp(got, content, LARGE), 0);
	ck_assert_int_eq(memcmp(got + LARGE, ".\r\n", 3), 0);
	client_say(s, "250 2.0.0 taken");
	expect_result(4, 250, 1, true);
	recorded(4);
	close(s);
	tear_down();
}
END_TEST

/* The descriptor holds less than it should: the end must never be sent. */
START_TEST(content_that_is_cut_off_is_no_message)
{
	struct msg_deliver v;
	char got[256];
	size_t n = 0;
	ssize_t k;
	int s, fd = memfd_create("content", 0);

	ck_assert_int_eq(write(fd, "x\r\n", 3), 3);
	set_up();
	v = hand_out(5, ROUTE_SMTP, 1);
	v.inlined = false;
	v.content = SPAN("");
	v.size = 100;
	deliver(&v, fd);
	answer_loopback();
	s = greet();
	take_envelope(s);
	/* What was read by then may have gone out; the end never does. */
	while ((k = recv(s, got + n, sizeof got - 1 - n, 0)) > 0)
		n += (size_t)k;
	ck_assert_int_eq(k, 0);
	got[n] = '\0';
	ck_assert_ptr_null(strstr(got, "\r\n.\r\n"));
	close(s);
	expect_result(5, 451, 1, true);
	/* … and the host is not to blame. */
	ck_assert_int_eq(result.reply.scope, SCOPE_MESSAGE);
	recorded(5);
	tear_down();
}
END_TEST

/* RFC 6152 section 3: announced as 8-bit, for a host that is not.  Content
 * that has no such octet goes, without the parameter. */
START_TEST(eight_bit_content_for_a_seven_bit_host)
{
	struct msg_deliver v;
	int s;

	set_up();
	v = hand_out(8, ROUTE_SMTP, 1);
	v.body = BODY_8BITMIME;
	deliver(&v, -1);
	answer_loopback();
	s = greet();
	take_message(s);
	expect_result(8, 250, 1, true);
	recorded(8);
	v = hand_out(9, ROUTE_SMTP, 1);
	v.body = BODY_8BITMIME;
	v.content = SPAN("Subject: y\r\n\r\nna\303\257ve\r\n");
	v.size = v.content.n;
	deliver(&v, -1);
	take_envelope(s);
	client_expect_end(s);
	close(s);
	expect_result(9, 554, 1, true);
	ck_assert_uint_eq(result.reply.esc.subject, 6);
	ck_assert_uint_eq(result.reply.esc.detail, 3);
	ck_assert_int_eq(result.reply.scope, SCOPE_MESSAGE);
	recorded(9);
	tear_down();
}
END_TEST

START_TEST(lmtp_has_a_reply_for_each)
{
	struct msg_deliver v;
	int s;

	set_up();
	v = hand_out(6, ROUTE_LMTP, 2);
	deliver(&v, -1);
	answer_loopback();
	s = seam_accept(server);
	client_say(s, "220 lmtp");
	client_expect(s, "LHLO us.example");
	client_say(s, "250 lmtp");
	client_expect(s, "MAIL FROM:<s@a.example>");
	client_say(s, "250 ok");
	client_expect(s, "RCPT TO:<r0@b.example>");
	client_say(s, "250 ok");
	client_expect(s, "RCPT TO:<r1@b.example>");
	client_say(s, "250 ok");
	client_expect(s, "DATA");
	client_say(s, "354 go");
	take_content(s);
	client_say(s, "452 4.2.2 full");
	client_say(s, "250 2.0.0 stored");
	expect_result(6, 452, 1, false);
	ck_assert_uint_eq(result.rcpts[0], 7);
	expect_result(6, 250, 1, true);
	ck_assert_uint_eq(result.rcpts[0], 8);
	recorded(6);
	close(s);
	tear_down();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("remote");
	TCase *t = tcase_create("remote");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_message_and_the_next_one_on_the_same_connection);
	tcase_add_test(t, results_of_the_same_kind_come_together);
	tcase_add_test(t, large_content_by_descriptor);
	tcase_add_test(t, content_that_is_cut_off_is_no_message);
	tcase_add_test(t, eight_bit_content_for_a_seven_bit_host);
	tcase_add_test(t, lmtp_has_a_reply_for_each);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
