/*
 * test_remote.c - the real remote, in its sandbox, between a test that is
 * master, queue and resolver, and servers that the test plays line by line.
 */
#include <sys/mman.h>
#include <sys/socket.h>

#include <check.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/msg/master.h"
#include "common/msg/queue_agent.h"
#include "common/msg/remote_resolver.h"
#include "tests/seams/client.h"
#include "tests/seams/seam.h"

#define MOMENT 300 /* milliseconds in which something would have come */

static struct seam d;
static int queue, resolver, server;
static uint16_t port;
static struct conf conf;
static struct conf_route route;
static struct ipc_msg m;
static struct msg_result result;

/* ---- the house -------------------------------------------------------------- */

static void
expect_hello(void)
{
	struct msg_hello hello;

	seam_recv(queue, &m, AGENT_HELLO);
	ck_assert_int_eq(msg_hello_get(&m, &hello), 0);
	ck_assert_uint_eq(hello.window, 200);
}

static void
set_up(void)
{
	port = 0;
	server = seam_listen("127.0.0.1", &port);
	strcpy(conf.hostname, "us.example");
	conf.host_concurrency = 2;
	conf.connect_timeout = 2;
	route = (struct conf_route){ .via = VIA_SMTP, .port = port };
	conf.routes = &route;
	conf.nroutes = 1;
	seam_start(&d, "remote", &conf);
	resolver = seam_connect(&d, PEER_RESOLVER, 1);
	queue = seam_connect(&d, PEER_QUEUE, 1);
	expect_hello();
}

static void
tear_down(void)
{
	ck_assert_int_eq(seam_stop(&d), 0);
	close(queue);
	close(resolver);
	close(server);
}

static struct msg_deliver
hand_out(uint64_t message, enum route_kind kind, uint32_t nrcpts)
{
	static char addresses[DELIVER_RCPTS_MAX][32];
	struct msg_deliver v = {
		.handout = { message, message + 1000 },
		.route = { .kind = kind, .host = "next.example", .port = port },
		.sender = SPAN("s@a.example"),
		.nrcpts = nrcpts,
		.prefix = SPAN("Received: x\r\n"),
		.inlined = true,
		.content = SPAN("Subject: y\r\n\r\n.dot\r\nlast"),
	};

	v.size = v.content.n;
	for (uint32_t i = 0; i < nrcpts; i++) {
		snprintf(addresses[i], 32, "r%u@b.example", i);
		v.rcpts[i] =
		    (struct deliver_rcpt){ 7 + i, span_of(addresses[i]) };
	}
	return v;
}

static void
deliver(const struct msg_deliver *v, int fd)
{
	msg_deliver_put(seam_body(), v);
	seam_send(queue, AGENT_DELIVER, 0, fd);
}

static void
deliver_one(uint64_t message)
{
	struct msg_deliver v = hand_out(message, ROUTE_SMTP, 1);

	deliver(&v, -1);
}

/* The question for the next hop, answered with these addresses. */
static void
answer_dns(const char *const *ips, uint32_t n)
{
	static struct msg_dns_answer a;
	struct msg_dns_ask ask;

	seam_recv(resolver, &m, DNS_ASK);
	ck_assert_int_eq(msg_dns_ask_get(&m, &ask), 0);
	ck_assert_str_eq(ask.name, "next.example");
	memset(&a, 0, sizeof a);
	reply_make(&a.reply, n > 0 ? R_OK : R_NO_SUCH_DOMAIN, ask.name);
	for (a.n = 0; a.n < n; a.n++) {
		strcpy(a.a[a.n].host, "mx.example");
		ck_assert(ip_parse(&a.a[a.n].ip, span_of(ips[a.n])));
	}
	msg_dns_answer_put(seam_body(), &a);
	seam_send(resolver, DNS_ANSWER, m.id, -1);
}

static void
answer_loopback(void)
{
	answer_dns((const char *[]){ "127.0.0.1" }, 1);
}

static void
expect_result(uint64_t message, unsigned code, uint32_t nrcpts, bool last)
{
	seam_recv(queue, &m, AGENT_RESULT);
	ck_assert_int_eq(msg_result_get(&m, &result), 0);
	ck_assert_uint_eq(result.handout.message, message);
	ck_assert_uint_eq(result.handout.attempt, message + 1000);
	ck_assert_msg(result.reply.code == code, "%u %s", result.reply.code,
	    result.reply.text);
	ck_assert_uint_eq(result.nrcpts, nrcpts);
	ck_assert_int_eq(result.last, last);
}

static void
recorded(uint64_t message)
{
	const struct msg_recorded r = { { message, message + 1000 } };

	msg_recorded_put(seam_body(), &r);
	seam_send(queue, AGENT_RECORDED, 0, -1);
}

static void
expect_nothing(int channel)
{
	ck_assert(!seam_recv_within(channel, &m, MOMENT));
}

static bool
nobody_connects(void)
{
	struct pollfd p = { .fd = server, .events = POLLIN };

	return poll(&p, 1, MOMENT) == 0;
}

/* ---- servers ---------------------------------------------------------------- */

static int
greet(void)
{
	int s = seam_accept(server);

	client_say(s, "220 mx.example ESMTP");
	client_expect(s, "EHLO us.example");
	client_say(s, "250-mx.example");
	client_say(s, "250 PIPELINING");
	return s;
}

/* Up to the content, with one recipient. */
static void
take_envelope(int s)
{
	client_expect(s, "MAIL FROM:<s@a.example>");
	client_expect(s, "RCPT TO:<r0@b.example>");
	client_expect(s, "DATA");
	client_say(s, "250 ok\r\n250 ok\r\n354 go");
}

static void
take_content(int s)
{
	client_expect(s, "Received: x");
	client_expect(s, "Subject: y");
	client_expect(s, "");
	client_expect(s, "..dot");
	client_expect(s, "last");
	client_expect(s, ".");
}

static void
take_message(int s)
{
	take_envelope(s);
	take_content(s);
	client_say(s, "250 2.0.0 taken");
}

/* ---- deliveries ------------------------------------------------------------- */

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
	/* Idle for long enough: goodbye. */
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
	recorded(5);
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

/* ---- hosts ------------------------------------------------------------------ */

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
	Suite *s = suite_create("remote");
	TCase *t = tcase_create("remote");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_message_and_the_next_one_on_the_same_connection);
	tcase_add_test(t, results_of_the_same_kind_come_together);
	tcase_add_test(t, large_content_by_descriptor);
	tcase_add_test(t, content_that_is_cut_off_is_no_message);
	tcase_add_test(t, lmtp_has_a_reply_for_each);
	tcase_add_test(t, hosts_are_tried_in_turn);
	tcase_add_test(t, when_no_host_is_left);
	tcase_add_test(t, every_host_refuses_for_good);
	tcase_add_test(t, one_host_that_may_be_back_outweighs_a_refusal);
	tcase_add_test(t, a_stale_connection_is_replaced);
	tcase_add_test(t, lost_after_the_final_dot);
	tcase_add_test(t, lost_before_the_final_dot_goes_to_the_next_host);
	tcase_add_test(t, a_silent_host_costs_the_connect_timeout);
	tcase_add_test(t, never_more_connections_than_allowed);
	tcase_add_test(t, what_resolver_says_goes_for_all_that_wait);
	tcase_add_test(t, a_resolver_that_dies);
	tcase_add_test(
	    t, a_new_queue_learns_what_is_under_way_and_what_is_done);
	tcase_add_test(t, hello_waits_for_a_resolver);
	tcase_add_test(t, a_queue_that_breaks_the_rules);
	tcase_add_test(t, more_than_the_window);
	tcase_add_test(
	    t, a_stop_lets_the_dialogue_finish_and_sends_back_the_rest);
	tcase_add_test(t, a_stop_in_doubt_says_nothing);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
