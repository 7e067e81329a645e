/*
 * remote_house.h - the real remote, in its sandbox, between a test that is
 * master, queue and resolver, and servers that the test plays line by line.
 */
#ifndef REMOTE_HOUSE_H
#define REMOTE_HOUSE_H

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

static inline void
expect_hello(void)
{
	struct msg_hello hello;

	seam_recv(queue, &m, AGENT_HELLO);
	ck_assert_int_eq(msg_hello_get(&m, &hello), 0);
	ck_assert_uint_eq(hello.window, 200);
}

static inline void
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

static inline void
tear_down(void)
{
	ck_assert_int_eq(seam_stop(&d), 0);
	close(queue);
	close(resolver);
	close(server);
}

static inline struct msg_deliver
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

static inline void
deliver(const struct msg_deliver *v, int fd)
{
	msg_deliver_put(seam_body(), v);
	seam_send(queue, AGENT_DELIVER, 0, fd);
}

static inline void
deliver_one(uint64_t message)
{
	struct msg_deliver v = hand_out(message, ROUTE_SMTP, 1);

	deliver(&v, -1);
}

/* The question for the next hop, answered with these addresses. */
static inline void
answer_dns(const char *const *ips, uint32_t n)
{
	static struct msg_dns_answer a;
	struct msg_dns_ask ask;

	seam_recv(resolver, &m, DNS_ASK);
	ck_assert_int_eq(msg_dns_ask_get(&m, &ask), 0);
	ck_assert_str_eq(ask.name, "next.example");
	memset(&a, 0, sizeof a);
	reply_make(&a.reply, n > 0 ? R_DONE : R_NO_SUCH_DOMAIN, ask.name);
	for (a.n = 0; a.n < n; a.n++) {
		strcpy(a.a[a.n].host, "mx.example");
		ck_assert(ip_parse(&a.a[a.n].ip, span_of(ips[a.n])));
	}
	msg_dns_answer_put(seam_body(), &a);
	seam_send(resolver, DNS_ANSWER, m.id, -1);
}

static inline void
answer_loopback(void)
{
	answer_dns((const char *[]){ "127.0.0.1" }, 1);
}

static inline void
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

static inline void
recorded(uint64_t message)
{
	const struct msg_recorded r = { { message, message + 1000 } };

	msg_recorded_put(seam_body(), &r);
	seam_send(queue, AGENT_RECORDED, 0, -1);
}

static inline void
expect_nothing(int channel)
{
	ck_assert(!seam_recv_within(channel, &m, MOMENT));
}

static inline bool
nobody_connects(void)
{
	struct pollfd p = { .fd = server, .events = POLLIN };

	return poll(&p, 1, MOMENT) == 0;
}

/* ---- servers ---------------------------------------------------------------- */

static inline int
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
static inline void
take_envelope(int s)
{
	client_expect(s, "MAIL FROM:<s@a.example>");
	client_expect(s, "RCPT TO:<r0@b.example>");
	client_expect(s, "DATA");
	client_say(s, "250 ok\r\n250 ok\r\n354 go");
}

static inline void
take_content(int s)
{
	client_expect(s, "Received: x");
	client_expect(s, "Subject: y");
	client_expect(s, "");
	client_expect(s, "..dot");
	client_expect(s, "last");
	client_expect(s, ".");
}

static inline void
take_message(int s)
{
	take_envelope(s);
	take_content(s);
	client_say(s, "250 2.0.0 taken");
}

#endif
