/*
 * test_msg.c - every message between processes: there and back, cut off at each
 * byte, with a byte too many, with each bit changed, and saying what may not be.
 */
#include <check.h>
#include <stdlib.h>

#include "common/msg/master.h"
#include "common/msg/queue_agent.h"
#include "common/msg/remote_resolver.h"
#include "common/msg/reply.h"
#include "common/msg/smtpd_lookup.h"
#include "common/msg/smtpd_queue.h"

#define SOME_FD 1000 /* gets only ask whether there is one */
#define ALICE	"alice@example.org"
#define BOB	"bob@example.net"

static char body[IPC_BODY_MAX], again[IPC_BODY_MAX];

static const struct reply accepted = { .code = 250,
	.esc = { 2, 1, 5 },
	.scope = SCOPE_DOMAIN,
	.source = BY_HOST,
	.text = "Recipient OK" };
static const struct reply refused = {
	.code = 550, .esc = { 5, 1, 1 }, .source = BY_US, .text = "No such user"
};

static void
same_reply(const struct reply *a, const struct reply *b)
{
	ck_assert_uint_eq(a->code, b->code);
	ck_assert_uint_eq(a->esc.class, b->esc.class);
	ck_assert_uint_eq(a->esc.subject, b->esc.subject);
	ck_assert_uint_eq(a->esc.detail, b->esc.detail);
	ck_assert_int_eq(a->scope, b->scope);
	ck_assert_int_eq(a->source, b->source);
	ck_assert_str_eq(a->text, b->text);
}

#define SAME_SPAN(a, b) ck_assert(span_eq(a, b))

/* --- one of each ---------------------------------------------------------------
 *
 * put writes the sample; get reads any, puts what it has read once more, and
 * where `check` is set compares it with the sample.
 */

static const struct msg_peer peer = { PEER_ADMIN, 0x01020304 };

static void
peer_put(struct wire_put *w)
{
	msg_peer_put(w, &peer);
}

static int
peer_get(struct ipc_msg *m, struct wire_put *w, bool check)
{
	struct msg_peer p;

	if (msg_peer_get(m, &p) == -1)
		return -1;
	msg_peer_put(w, &p);
	ck_assert(
	    !check || (p.kind == peer.kind && p.instance == peer.instance));
	return 0;
}

static void
listener_put(struct wire_put *w)
{
	static const struct msg_listener l = { 63 };

	msg_listener_put(w, &l);
}

static int
listener_get(struct ipc_msg *m, struct wire_put *w, bool check)
{
	struct msg_listener l;

	if (msg_listener_get(m, &l) == -1)
		return -1;
	msg_listener_put(w, &l);
	ck_assert(!check || l.index == 63);
	return 0;
}

static void
complain_put(struct wire_put *w)
{
	static const struct msg_complain c = { PEER_SMTPD, 9 };

	msg_complain_put(w, &c);
}

static int
complain_get(struct ipc_msg *m, struct wire_put *w, bool check)
{
	struct msg_complain c;

	if (msg_complain_get(m, &c) == -1)
		return -1;
	msg_complain_put(w, &c);
	ck_assert(!check || (c.kind == PEER_SMTPD && c.instance == 9));
	return 0;
}

static const struct msg_counters counters = {
	.n = 3,
	.c = { { "sessions", 7 }, { "a-name-that-takes-all-the-room.", 0 },
	    { "memory", UINT64_MAX } },
};

static void
same_counters(const struct msg_counters *c)
{
	ck_assert_uint_eq(c->n, 3);
	for (uint32_t i = 0; i < 3; i++) {
		ck_assert_str_eq(c->c[i].name, counters.c[i].name);
		ck_assert_uint_eq(c->c[i].value, counters.c[i].value);
	}
}

static void
counters_put(struct wire_put *w)
{
	msg_counters_put(w, &counters);
}

static int
counters_get(struct ipc_msg *m, struct wire_put *w, bool check)
{
	struct msg_counters c;

	if (msg_counters_get(m, &c) == -1)
		return -1;
	msg_counters_put(w, &c);
	if (check)
		same_counters(&c);
	return 0;
}

static void
process_put(struct wire_put *w)
{
	static struct msg_process p = { PEER_QUEUE, 1, 4711, 2, 86400,
		{ .n = 0 } };

	p.counters = counters;
	msg_process_put(w, &p);
}

static int
process_get(struct ipc_msg *m, struct wire_put *w, bool check)
{
	struct msg_process p;

	if (msg_process_get(m, &p) == -1)
		return -1;
	msg_process_put(w, &p);
	if (!check)
		return 0;
	ck_assert(p.kind == PEER_QUEUE && p.instance == 1 && p.pid == 4711);
	ck_assert(p.restarts == 2 && p.age == 86400);
	same_counters(&p.counters);
	return 0;
}

static void
reply_sample_put(struct wire_put *w)
{
	msg_reply_put(w, &refused);
}

static int
reply_sample_get(struct ipc_msg *m, struct wire_put *w, bool check)
{
	struct reply r;

	if (msg_reply_get(m, &r) == -1)
		return -1;
	msg_reply_put(w, &r);
	if (check)
		same_reply(&r, &refused);
	return 0;
}

static void
empty_put(struct wire_put *w)
{
	(void)w;
}

static int
empty_get(struct ipc_msg *m, struct wire_put *w, bool check)
{
	(void)w;
	(void)check;
	return msg_empty_get(m);
}

static const struct msg_connect connection = { 1, 2, true, { { 1, 2, 3 } } };

static void
connect_put(struct wire_put *w)
{
	msg_connect_put(w, &connection);
}

static int
connect_get(struct ipc_msg *m, struct wire_put *w, bool check)
{
	struct msg_connect c;

	if (msg_connect_get(m, &c) == -1)
		return -1;
	msg_connect_put(w, &c);
	if (!check)
		return 0;
	ck_assert(c.session == 1 && c.listener == 2 && c.local);
	ck_assert_mem_eq(&c.ip, &connection.ip, sizeof c.ip);
	return 0;
}

static void
client_put(struct wire_put *w)
{
	const struct msg_client c = { refused, true };

	msg_client_put(w, &c);
}

static int
client_get(struct ipc_msg *m, struct wire_put *w, bool check)
{
	struct msg_client c;

	if (msg_client_get(m, &c) == -1)
		return -1;
	msg_client_put(w, &c);
	if (!check)
		return 0;
	same_reply(&c.reply, &refused);
	ck_assert(c.trusted);
	return 0;
}

static const struct msg_rcpt rcpt = { 99, { ALICE, sizeof ALICE - 1 },
	{ BOB, sizeof BOB - 1 } };

static void
rcpt_put(struct wire_put *w)
{
	msg_rcpt_put(w, &rcpt);
}

static int
rcpt_get(struct ipc_msg *m, struct wire_put *w, bool check)
{
	struct msg_rcpt r;

	if (msg_rcpt_get(m, &r) == -1)
		return -1;
	msg_rcpt_put(w, &r);
	if (!check)
		return 0;
	ck_assert_uint_eq(r.session, 99);
	SAME_SPAN(r.sender, rcpt.sender);
	SAME_SPAN(r.rcpt, rcpt.rcpt);
	return 0;
}

static void
gone_put(struct wire_put *w)
{
	static const struct msg_gone g = { 12345 };

	msg_gone_put(w, &g);
}

static int
gone_get(struct ipc_msg *m, struct wire_put *w, bool check)
{
	struct msg_gone g;

	if (msg_gone_get(m, &g) == -1)
		return -1;
	msg_gone_put(w, &g);
	ck_assert(!check || g.session == 12345);
	return 0;
}

static const struct envelope envelope = {
	.sender = { ALICE, sizeof ALICE - 1 },
	.helo = { "client.example", 14 },
	.client = { "192.0.2.1", 9 },
	.with = WITH_ESMTP,
	.body = BODY_8BITMIME,
	.nrcpts = 2,
};
static const char *const rcpts[] = { ALICE, BOB };
#define CONTENT "Subject: x\r\n\r\nbody\0\xff\r\n"

/* The list as C strings again. */
static uint32_t
strings(struct rcpt_list *l, char dst[2][256], const char *p[2])
{
	uint32_t n = 0;
	struct span s;

	while (rcpts_next(l, &s)) {
		ck_assert_uint_lt(n, 2);
		ck_assert(span_copy(dst[n], sizeof dst[n], s));
		p[n] = dst[n];
		n++;
	}
	ck_assert(wire_done(&l->list));
	return n;
}

static int
submit_get(struct ipc_msg *m, struct wire_put *w, bool check)
{
	struct msg_submit s;
	char text[2][256];
	const char *p[2];
	uint32_t n;

	if (msg_submit_get(m, &s) == -1)
		return -1;
	n = strings(&s.rcpts, text, p);
	msg_submit_put(w, &s.envelope, p, n, s.content);
	if (!check)
		return 0;
	SAME_SPAN(s.envelope.sender, envelope.sender);
	SAME_SPAN(s.envelope.helo, envelope.helo);
	SAME_SPAN(s.envelope.client, envelope.client);
	ck_assert(s.envelope.with == WITH_ESMTP);
	ck_assert(s.envelope.body == BODY_8BITMIME);
	ck_assert_uint_eq(s.envelope.nrcpts, 2);
	ck_assert_str_eq(p[0], ALICE);
	SAME_SPAN(
	    s.content, m->type == QUEUE_SUBMIT ? SPAN(CONTENT) : SPAN(""));
	return 0;
}

static void
submit_put(struct wire_put *w)
{
	msg_submit_put(w, &envelope, rcpts, 2, SPAN(CONTENT));
}

static void
open_put(struct wire_put *w)
{
	msg_submit_put(w, &envelope, rcpts, 1, SPAN(""));
}

static void
rcpts_put(struct wire_put *w)
{
	msg_rcpts_put(w, rcpts, 2);
}

static int
rcpts_get(struct ipc_msg *m, struct wire_put *w, bool check)
{
	struct msg_rcpts r;
	char text[2][256];
	const char *p[2];
	uint32_t n;

	if (msg_rcpts_get(m, &r) == -1)
		return -1;
	n = strings(&r.rcpts, text, p);
	msg_rcpts_put(w, p, n);
	if (!check)
		return 0;
	ck_assert_uint_eq(n, 2);
	ck_assert_str_eq(p[0], ALICE);
	ck_assert_str_eq(p[1], BOB);
	return 0;
}

static void
end_put(struct wire_put *w)
{
	static const struct msg_end e = { UINT64_C(1) << 40 };

	msg_end_put(w, &e);
}

static int
end_get(struct ipc_msg *m, struct wire_put *w, bool check)
{
	struct msg_end e;

	if (msg_end_get(m, &e) == -1)
		return -1;
	msg_end_put(w, &e);
	ck_assert(!check || e.size == UINT64_C(1) << 40);
	return 0;
}

static void
route_ask_put(struct wire_put *w)
{
	const struct msg_route r = { SPAN(BOB) };

	msg_route_put(w, &r);
}

static int
route_ask_get(struct ipc_msg *m, struct wire_put *w, bool check)
{
	struct msg_route r;

	if (msg_route_get(m, &r) == -1)
		return -1;
	msg_route_put(w, &r);
	if (check)
		SAME_SPAN(r.rcpt, SPAN(BOB));
	return 0;
}

static const struct route way = { .kind = ROUTE_LMTP,
	.user = "vmail",
	.path = "/srv/mail/bob",
	.host = "lmtp.example",
	.port = 24 };

static void
same_route(const struct route *r)
{
	ck_assert_int_eq(r->kind, way.kind);
	ck_assert_str_eq(r->user, way.user);
	ck_assert_str_eq(r->path, way.path);
	ck_assert_str_eq(r->host, way.host);
	ck_assert_uint_eq(r->port, way.port);
}

static void
routed_put(struct wire_put *w)
{
	const struct msg_routed r = { accepted, way };

	msg_routed_put(w, &r);
}

static void
unrouted_put(struct wire_put *w)
{
	const struct msg_routed r = { refused, way };

	msg_routed_put(w, &r);
}

static int
routed_get(struct ipc_msg *m, struct wire_put *w, bool check)
{
	struct msg_routed r;

	if (msg_routed_get(m, &r) == -1)
		return -1;
	msg_routed_put(w, &r);
	if (!check)
		return 0;
	if (r.reply.code == 250)
		same_route(&r.route);
	else
		same_reply(&r.reply, &refused);
	return 0;
}

static struct msg_deliver
delivery(bool inlined)
{
	return (struct msg_deliver){ .handout = { 7, 8 },
		.maybe = true,
		.route = way,
		.sender = SPAN(ALICE),
		.body = BODY_8BITMIME,
		.nrcpts = 2,
		.rcpts = { { 5, SPAN(BOB) }, { 6, SPAN(ALICE) } },
		.prefix = SPAN("Received: x\r\n"),
		.size = inlined ? sizeof CONTENT - 1 : INT64_MAX,
		.inlined = inlined,
		.content = inlined ? SPAN(CONTENT) : SPAN("") };
}

static void
deliver_put(struct wire_put *w)
{
	const struct msg_deliver d = delivery(true);

	msg_deliver_put(w, &d);
}

static void
deliver_fd_put(struct wire_put *w)
{
	const struct msg_deliver d = delivery(false);

	msg_deliver_put(w, &d);
}

static int
deliver_get(struct ipc_msg *m, struct wire_put *w, bool check)
{
	struct msg_deliver d, want = delivery(m->fd == -1);

	if (msg_deliver_get(m, &d) == -1)
		return -1;
	msg_deliver_put(w, &d);
	if (!check)
		return 0;
	ck_assert(d.handout.message == 7 && d.handout.attempt == 8 && d.maybe);
	same_route(&d.route);
	SAME_SPAN(d.sender, want.sender);
	ck_assert_int_eq(d.body, want.body);
	ck_assert_uint_eq(d.nrcpts, 2);
	ck_assert(d.rcpts[0].index == 5 && d.rcpts[1].index == 6);
	SAME_SPAN(d.rcpts[0].address, SPAN(BOB));
	SAME_SPAN(d.rcpts[1].address, SPAN(ALICE));
	SAME_SPAN(d.prefix, want.prefix);
	ck_assert_uint_eq(d.size, want.size);
	ck_assert(d.inlined == want.inlined);
	SAME_SPAN(d.content, want.content);
	return 0;
}

static const struct msg_underway underway = { { 7, UINT64_MAX }, 3,
	{ 0, 9, UINT32_MAX } };

static void
underway_put(struct wire_put *w)
{
	msg_underway_put(w, &underway);
}

static int
underway_get(struct ipc_msg *m, struct wire_put *w, bool check)
{
	struct msg_underway u;

	if (msg_underway_get(m, &u) == -1)
		return -1;
	msg_underway_put(w, &u);
	if (!check)
		return 0;
	ck_assert(u.handout.message == 7 && u.handout.attempt == UINT64_MAX);
	ck_assert_uint_eq(u.nrcpts, 3);
	ck_assert_mem_eq(u.rcpts, underway.rcpts, 3 * sizeof u.rcpts[0]);
	return 0;
}

static void
hello_put(struct wire_put *w)
{
	static const struct msg_hello h = { AGENT_WINDOW };

	msg_hello_put(w, &h);
}

static int
hello_get(struct ipc_msg *m, struct wire_put *w, bool check)
{
	struct msg_hello h;

	if (msg_hello_get(m, &h) == -1)
		return -1;
	msg_hello_put(w, &h);
	ck_assert(!check || h.window == AGENT_WINDOW);
	return 0;
}

static struct msg_result
result(void)
{
	return (struct msg_result){ .handout = { 7, 8 },
		.host = "mx.example [192.0.2.1]",
		.nrcpts = 2,
		.rcpts = { 4, 5 },
		.reply = accepted,
		.last = true };
}

static void
result_put(struct wire_put *w)
{
	const struct msg_result r = result();

	msg_result_put(w, &r);
}

static int
result_get(struct ipc_msg *m, struct wire_put *w, bool check)
{
	struct msg_result r;

	if (msg_result_get(m, &r) == -1)
		return -1;
	msg_result_put(w, &r);
	if (!check)
		return 0;
	ck_assert(r.handout.message == 7 && r.handout.attempt == 8 && r.last);
	ck_assert_str_eq(r.host, "mx.example [192.0.2.1]");
	ck_assert(r.nrcpts == 2 && r.rcpts[0] == 4 && r.rcpts[1] == 5);
	same_reply(&r.reply, &accepted);
	return 0;
}

static void
recorded_put(struct wire_put *w)
{
	static const struct msg_recorded r = { { 1, 0 } };

	msg_recorded_put(w, &r);
}

static int
recorded_get(struct ipc_msg *m, struct wire_put *w, bool check)
{
	struct msg_recorded r;

	if (msg_recorded_get(m, &r) == -1)
		return -1;
	msg_recorded_put(w, &r);
	ck_assert(!check || (r.handout.message == 1 && r.handout.attempt == 0));
	return 0;
}

static void
dns_ask_put(struct wire_put *w)
{
	static const struct msg_dns_ask a = { DNS_HOST, "mx.example" };

	msg_dns_ask_put(w, &a);
}

static int
dns_ask_get(struct ipc_msg *m, struct wire_put *w, bool check)
{
	struct msg_dns_ask a;

	if (msg_dns_ask_get(m, &a) == -1)
		return -1;
	msg_dns_ask_put(w, &a);
	ck_assert(!check ||
	    (a.mode == DNS_HOST && strcmp(a.name, "mx.example") == 0));
	return 0;
}

static struct msg_dns_answer
dns_answer(void)
{
	return (struct msg_dns_answer){ .reply = accepted,
		.n = 2,
		.a = { { 10, "mx1.example", { { [15] = 1 } } },
		    { 65535, "mx2.example", { { [0] = 0x20 } } } } };
}

static void
dns_answer_put(struct wire_put *w)
{
	const struct msg_dns_answer a = dns_answer();

	msg_dns_answer_put(w, &a);
}

static int
dns_answer_get(struct ipc_msg *m, struct wire_put *w, bool check)
{
	const struct msg_dns_answer want = dns_answer();
	struct msg_dns_answer a;

	if (msg_dns_answer_get(m, &a) == -1)
		return -1;
	msg_dns_answer_put(w, &a);
	if (!check)
		return 0;
	same_reply(&a.reply, &accepted);
	ck_assert_uint_eq(a.n, 2);
	for (int i = 0; i < 2; i++) {
		ck_assert_uint_eq(a.a[i].preference, want.a[i].preference);
		ck_assert_str_eq(a.a[i].host, want.a[i].host);
		ck_assert_mem_eq(&a.a[i].ip, &want.a[i].ip, 16);
	}
	return 0;
}

static const struct codec {
	uint16_t type;
	bool fd;
	void (*put)(struct wire_put *);
	int (*get)(struct ipc_msg *, struct wire_put *, bool check);
} codecs[] = {
	{ MASTER_PEER, true, peer_put, peer_get },
	{ MASTER_LISTENER, true, listener_put, listener_get },
	{ MASTER_COMPLAIN, false, complain_put, complain_get },
	{ MASTER_PONG, false, counters_put, counters_get },
	{ MASTER_PROCESS, false, process_put, process_get },
	{ MASTER_DONE, false, reply_sample_put, reply_sample_get },
	{ MASTER_PING, false, empty_put, empty_get },
	{ LOOKUP_CONNECT, false, connect_put, connect_get },
	{ LOOKUP_CLIENT, false, client_put, client_get },
	{ LOOKUP_RCPT, false, rcpt_put, rcpt_get },
	{ LOOKUP_GONE, false, gone_put, gone_get },
	{ QUEUE_SUBMIT, false, submit_put, submit_get },
	{ QUEUE_OPEN, true, open_put, submit_get },
	{ QUEUE_RCPTS, false, rcpts_put, rcpts_get },
	{ QUEUE_END, false, end_put, end_get },
	{ ROUTE_ASK, false, route_ask_put, route_ask_get },
	{ ROUTE_ANSWER, false, routed_put, routed_get },
	{ ROUTE_ANSWER, false, unrouted_put, routed_get },
	{ AGENT_DELIVER, false, deliver_put, deliver_get },
	{ AGENT_DELIVER, true, deliver_fd_put, deliver_get },
	{ AGENT_UNDERWAY, false, underway_put, underway_get },
	{ AGENT_HELLO, false, hello_put, hello_get },
	{ AGENT_RESULT, false, result_put, result_get },
	{ AGENT_RECORDED, false, recorded_put, recorded_get },
	{ DNS_ASK, false, dns_ask_put, dns_ask_get },
	{ DNS_ANSWER, false, dns_answer_put, dns_answer_get },
};
#define NCODECS ((int)(sizeof codecs / sizeof codecs[0]))

/* --- what holds for all ------------------------------------------------------------ */

static size_t
encode(const struct codec *c)
{
	struct wire_put w = wire_writer(body, sizeof body);

	c->put(&w);
	ck_assert(!w.bad);
	return w.n;
}

/* Of n bytes at p, in memory that ends there; the length put again, or -1. */
static ssize_t
decode(const struct codec *c, const char *p, size_t n, bool check)
{
	struct wire_put w = wire_writer(again, sizeof again);
	char *copy = malloc(n + 1);
	struct ipc_msg m = { .type = c->type, .fd = c->fd ? SOME_FD : -1 };
	int rc;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, p, n);
	m.body = wire_reader(span_from(copy, n));
	rc = c->get(&m, &w, check);
	free(copy);
	ck_assert(rc == 0 || rc == -1);
	ck_assert(!w.bad);
	return rc == 0 ? (ssize_t)w.n : -1;
}

START_TEST(what_was_put_comes_back)
{
	size_t n = encode(&codecs[_i]);

	ck_assert_int_eq(decode(&codecs[_i], body, n, true), (ssize_t)n);
	ck_assert_mem_eq(body, again, n);
}
END_TEST

START_TEST(no_other_length_is_taken)
{
	size_t n = encode(&codecs[_i]);

	for (size_t i = 0; i < n; i++)
		ck_assert_int_eq(decode(&codecs[_i], body, i, false), -1);
	for (int c = 0; c < 256; c++) {
		body[n] = (char)c;
		ck_assert_int_eq(decode(&codecs[_i], body, n + 1, false), -1);
	}
}
END_TEST

/* Whatever a bit says, the message is refused, or it is another message that
 * is put as it came: there are no two ways to say one thing. */
START_TEST(each_bit_is_looked_at)
{
	size_t n = encode(&codecs[_i]);

	for (size_t bit = 0; bit < 8 * n; bit++) {
		char good = body[bit / 8];

		body[bit / 8] = (char)(good ^ 1 << bit % 8);
		if (decode(&codecs[_i], body, n, false) != -1)
			ck_assert_mem_eq(body, again, n);
		body[bit / 8] = good;
	}
}
END_TEST

START_TEST(a_small_buffer_is_bad_and_not_passed)
{
	size_t n = encode(&codecs[_i]);

	for (size_t i = 0; i < n; i++) {
		struct wire_put w = wire_writer(body, i);

		codecs[_i].put(&w);
		ck_assert(w.bad);
	}
}
END_TEST

/* --- what may not be said ------------------------------------------------------------ */

static struct wire_put writing;

static struct wire_put *
begin(void)
{
	writing = wire_writer(body, sizeof body);
	return &writing;
}

/* What a get says to what was put. */
static int
got(uint16_t type, bool fd,
    int (*get)(struct ipc_msg *, struct wire_put *, bool))
{
	const struct codec c = { .type = type, .fd = fd, .get = get };

	ck_assert(!writing.bad);
	return decode(&c, body, writing.n, false) == -1 ? -1 : 0;
}

START_TEST(kinds_of_process_have_an_end)
{
	struct msg_peer p = { PEER_END, 1 };
	struct msg_complain c = { PEER_END, 1 };
	struct msg_process r = { .kind = PEER_END };

	msg_peer_put(begin(), &p);
	ck_assert_int_eq(got(MASTER_PEER, true, peer_get), -1);
	msg_complain_put(begin(), &c);
	ck_assert_int_eq(got(MASTER_COMPLAIN, false, complain_get), -1);
	msg_process_put(begin(), &r);
	ck_assert_int_eq(got(MASTER_PROCESS, false, process_get), -1);
}
END_TEST

START_TEST(counters_have_an_end)
{
	static struct msg_counters c = { .n = STATUS_COUNTERS_MAX };
	char name[STATUS_NAME_MAX + 1];
	struct wire_put *w = begin();

	msg_counters_put(w, &c);
	ck_assert_int_eq(got(MASTER_PONG, false, counters_get), 0);
	body[0]++;
	wire_put_str(w, "");
	wire_put_u64(w, 0);
	ck_assert_int_eq(got(MASTER_PONG, false, counters_get), -1);
	c.n++;
	msg_counters_put(w = begin(), &c);
	ck_assert(w->bad);
	/* A name for which there is no room. */
	memset(name, 'x', sizeof name);
	for (int i = 0; i < 2; i++) {
		wire_put_u8(w = begin(), 1);
		wire_put_span(w, span_from(name, STATUS_NAME_MAX - 1 + i));
		wire_put_u64(w, 0);
		ck_assert_int_eq(got(MASTER_PONG, false, counters_get), -i);
	}
}
END_TEST

static const struct {
	uint16_t code;
	int final, any; /* what is got where it must end something, or not */
} codes[] = {
	{ 0, -1, -1 },
	{ 199, -1, -1 },
	{ 200, 0, 0 },
	{ 299, 0, 0 },
	{ 354, -1, 0 },
	{ 421, 0, 0 },
	{ 599, 0, 0 },
	{ 600, -1, -1 },
	{ 65535, -1, -1 },
};

START_TEST(codes_are_those_of_replies)
{
	const struct reply r = { .code = codes[_i].code };
	const struct msg_client c = { r, false };
	const struct msg_routed routed = { r, way };
	struct msg_result res = result();

	msg_reply_put(begin(), &r);
	ck_assert_int_eq(
	    got(MASTER_DONE, false, reply_sample_get), codes[_i].any);
	msg_client_put(begin(), &c);
	ck_assert_int_eq(got(LOOKUP_CLIENT, false, client_get), codes[_i].any);
	msg_routed_put(begin(), &routed);
	ck_assert_int_eq(got(ROUTE_ANSWER, false, routed_get), codes[_i].final);
	res.reply = r;
	msg_result_put(begin(), &res);
	ck_assert_int_eq(got(AGENT_RESULT, false, result_get), codes[_i].final);
}
END_TEST

static const struct {
	struct span text;
	int rcpt, sender, asked; /* as a recipient, a sender, in RCPT */
} addresses[] = {
	{ SPAN("alice@example.org"), 0, 0, 0 },
	{ SPAN("\"a b\"@example.org"), 0, 0, 0 },
	{ SPAN("alice@[192.0.2.1]"), 0, 0, 0 },
	{ SPAN(""), -1, 0, -1 },
	{ SPAN("postmaster"), -1, -1, 0 },
	{ SPAN("PostMaster"), -1, -1, 0 },
	{ SPAN("root"), -1, -1, -1 },
	{ SPAN("alice@EXAMPLE.org"), -1, -1, -1 },
	{ SPAN("\"alice\"@example.org"), -1, -1, -1 },
	{ SPAN("<alice@example.org>"), -1, -1, -1 },
	{ SPAN("alice@example.org\n"), -1, -1, -1 },
	{ SPAN("alice@example.org\0"), -1, -1, -1 },
	{ SPAN("alice@"), -1, -1, -1 },
	{ SPAN("@example.org"), -1, -1, -1 },
};

START_TEST(addresses_are_canonical)
{
	struct span s = addresses[_i].text;
	struct msg_rcpt r = { 1, SPAN(""), s };
	struct msg_route ask = { s };
	struct msg_deliver d = delivery(true);
	struct envelope e = envelope;
	struct wire_put *w;

	msg_rcpt_put(begin(), &r);
	ck_assert_int_eq(
	    got(LOOKUP_RCPT, false, rcpt_get), addresses[_i].asked);
	r = (struct msg_rcpt){ 1, s, SPAN(ALICE) };
	msg_rcpt_put(begin(), &r);
	ck_assert_int_eq(
	    got(LOOKUP_RCPT, false, rcpt_get), addresses[_i].sender);
	msg_route_put(begin(), &ask);
	ck_assert_int_eq(
	    got(ROUTE_ASK, false, route_ask_get), addresses[_i].rcpt);
	d.rcpts[1].address = s;
	msg_deliver_put(begin(), &d);
	ck_assert_int_eq(
	    got(AGENT_DELIVER, false, deliver_get), addresses[_i].rcpt);
	d = delivery(true);
	d.sender = s;
	msg_deliver_put(begin(), &d);
	ck_assert_int_eq(
	    got(AGENT_DELIVER, false, deliver_get), addresses[_i].sender);
	e.sender = s;
	msg_submit_put(begin(), &e, rcpts, 2, SPAN(""));
	ck_assert_int_eq(
	    got(QUEUE_SUBMIT, false, submit_get), addresses[_i].sender);
	/* The list as it lies in RCPTS, by hand: it may hold a NUL here. */
	w = begin();
	wire_put_u32(w, 2);
	wire_put_str(w, ALICE);
	wire_put_span(w, s);
	ck_assert_int_eq(
	    got(QUEUE_RCPTS, false, rcpts_get), addresses[_i].rcpt);
}
END_TEST

static int
many_get(struct ipc_msg *m, struct wire_put *w, bool check)
{
	struct msg_rcpts r;

	(void)w;
	(void)check;
	return msg_rcpts_get(m, &r);
}

START_TEST(recipients_are_as_many_as_announced)
{
	static const char *many[RCPTS_MAX + 1];
	struct envelope e = envelope;

	for (int i = 0; i <= RCPTS_MAX; i++)
		many[i] = ALICE;
	msg_rcpts_put(begin(), many, 0);
	ck_assert_int_eq(got(QUEUE_RCPTS, false, many_get), -1);
	msg_rcpts_put(begin(), many, RCPTS_MAX);
	ck_assert_int_eq(got(QUEUE_RCPTS, false, many_get), 0);
	memset(body, 0xff, 4); /* a count that lies */
	ck_assert_int_eq(got(QUEUE_RCPTS, false, many_get), -1);
	msg_rcpts_put(begin(), many, RCPTS_MAX + 1);
	ck_assert_int_eq(got(QUEUE_RCPTS, false, many_get), -1);
	msg_submit_put(begin(), &e, rcpts, 1, SPAN(""));
	ck_assert_int_eq(got(QUEUE_SUBMIT, false, submit_get), -1);
	ck_assert_int_eq(got(QUEUE_OPEN, true, submit_get), 0);
	msg_submit_put(begin(), &e, rcpts, 0, SPAN(""));
	ck_assert_int_eq(got(QUEUE_OPEN, true, submit_get), 0);
	msg_submit_put(begin(), &e, rcpts, 2, SPAN("x"));
	ck_assert_int_eq(got(QUEUE_SUBMIT, false, submit_get), 0);
	ck_assert_int_eq(got(QUEUE_OPEN, true, submit_get), -1);
	e.nrcpts = 1;
	msg_submit_put(begin(), &e, rcpts, 2, SPAN(""));
	ck_assert_int_eq(got(QUEUE_OPEN, true, submit_get), -1);
	e.nrcpts = 0;
	msg_submit_put(begin(), &e, rcpts, 0, SPAN(""));
	ck_assert_int_eq(got(QUEUE_SUBMIT, false, submit_get), -1);
	ck_assert_int_eq(got(QUEUE_OPEN, true, submit_get), -1);
}
END_TEST

static const struct {
	struct route r;
	int rc;
	const char *key;
} routes[] = {
	{ { .kind = ROUTE_MAILDIR_SYSTEM, .user = "bob", .path = "Maildir" }, 0,
	    "local/bob|Maildir" },
	{ { .kind = ROUTE_MAILDIR_SYSTEM, .path = "Maildir" }, -1, NULL },
	{ { .kind = ROUTE_MAILDIR_SYSTEM, .user = "bob" }, -1, NULL },
	{ { .kind = ROUTE_MAILDIR_VIRTUAL, .path = "/srv/x" }, 0,
	    "local/|/srv/x" },
	{ { .kind = ROUTE_MAILDIR_VIRTUAL, .user = "v", .path = "srv/x" }, -1,
	    NULL },
	{ { .kind = ROUTE_MAILDIR_VIRTUAL, .user = "v" }, -1, NULL },
	{ { .kind = ROUTE_MX, .host = "example.org" }, 0, "mx/example.org" },
	{ { .kind = ROUTE_MX, .port = 25 }, -1, NULL },
	{ { .kind = ROUTE_SMTP, .host = "hub.example", .port = 25 }, 0,
	    "smtp/hub.example:25" },
	{ { .kind = ROUTE_SMTP, .host = "hub.example" }, -1, NULL },
	{ { .kind = ROUTE_SMTP, .port = 25 }, -1, NULL },
	{ { .kind = ROUTE_LMTP, .host = "::1", .port = 65535 }, 0,
	    "lmtp/::1:65535" },
	{ { .kind = ROUTE_LMTP, .host = "::1" }, -1, NULL },
	{ { .kind = ROUTE_KIND_END, .host = "x", .port = 1 }, -1, NULL },
};

START_TEST(routes_have_what_their_kind_needs)
{
	const struct msg_routed r = { accepted, routes[_i].r };
	struct msg_deliver d = delivery(true);
	char key[ROUTE_KEY_MAX];

	msg_routed_put(begin(), &r);
	ck_assert_int_eq(got(ROUTE_ANSWER, false, routed_get), routes[_i].rc);
	d.route = routes[_i].r;
	msg_deliver_put(begin(), &d);
	ck_assert_int_eq(got(AGENT_DELIVER, false, deliver_get), routes[_i].rc);
	if (routes[_i].key == NULL)
		return;
	route_key(key, &routes[_i].r);
	ck_assert_str_eq(key, routes[_i].key);
}
END_TEST

START_TEST(the_longest_route_has_its_key)
{
	struct route r = { .kind = ROUTE_MAILDIR_SYSTEM };
	char key[ROUTE_KEY_MAX];

	memset(r.user, 'u', sizeof r.user - 1);
	memset(r.path, 'p', sizeof r.path - 1);
	memset(r.host, 'h', sizeof r.host - 1);
	route_key(key, &r);
	ck_assert_uint_eq(strlen(key),
	    sizeof "local/|" - 1 + strlen(r.user) + strlen(r.path));
	r.kind = ROUTE_SMTP;
	r.port = 65535;
	route_key(key, &r);
	ck_assert_uint_eq(strlen(key), sizeof "smtp/:65535" - 1 + 255);
}
END_TEST

START_TEST(content_comes_in_one_way)
{
	static char content[DELIVER_INLINE_MAX + 1];
	struct msg_deliver d = delivery(true);

	msg_deliver_put(begin(), &d);
	ck_assert_int_eq(got(AGENT_DELIVER, true, deliver_get), -1);
	d.size++;
	msg_deliver_put(begin(), &d);
	ck_assert_int_eq(got(AGENT_DELIVER, false, deliver_get), -1);
	d = delivery(false);
	msg_deliver_put(begin(), &d);
	ck_assert_int_eq(got(AGENT_DELIVER, false, deliver_get), -1);
	d.size++; /* more than any file can have */
	msg_deliver_put(begin(), &d);
	ck_assert_int_eq(got(AGENT_DELIVER, true, deliver_get), -1);
	d = delivery(true);
	for (size_t n = DELIVER_INLINE_MAX; n < sizeof content + 1; n++) {
		d.size = n;
		d.content = span_from(content, n);
		msg_deliver_put(begin(), &d);
		ck_assert_int_eq(got(AGENT_DELIVER, false, deliver_get),
		    n > DELIVER_INLINE_MAX ? -1 : 0);
	}
	d = delivery(true);
	d.body = BODY_END;
	msg_deliver_put(begin(), &d);
	ck_assert_int_eq(got(AGENT_DELIVER, false, deliver_get), -1);
}
END_TEST

START_TEST(a_full_hand_out_fits_a_packet)
{
	static char local[64 + 1], content[DELIVER_INLINE_MAX];
	static char address[ADDRESS_MAX + 1];
	static struct msg_deliver d;

	/* 64 octets, and labels of at most 63 up to 254 in all. */
	memset(address, 'a', ADDRESS_MAX);
	address[sizeof local - 1] = '@';
	address[128] = address[192] = '.';
	memset(content, 'c', sizeof content);
	d = delivery(true);
	d.nrcpts = DELIVER_RCPTS_MAX;
	for (uint32_t i = 0; i < d.nrcpts; i++)
		d.rcpts[i] =
		    (struct deliver_rcpt){ i, span_from(address, ADDRESS_MAX) };
	d.size = sizeof content;
	d.content = span_from(content, sizeof content);
	msg_deliver_put(begin(), &d);
	ck_assert_int_eq(got(AGENT_DELIVER, false, deliver_get), 0);
}
END_TEST

START_TEST(hand_outs_have_a_message_and_recipients)
{
	struct msg_underway u = underway;
	struct msg_recorded rec = { { 0, 1 } };
	struct msg_result r = result();
	struct wire_put *w;

	u.handout.message = 0;
	msg_underway_put(begin(), &u);
	ck_assert_int_eq(got(AGENT_UNDERWAY, false, underway_get), -1);
	msg_recorded_put(begin(), &rec);
	ck_assert_int_eq(got(AGENT_RECORDED, false, recorded_get), -1);
	u = underway;
	u.nrcpts = DELIVER_RCPTS_MAX;
	msg_underway_put(begin(), &u);
	ck_assert_int_eq(got(AGENT_UNDERWAY, false, underway_get), 0);
	body[16]++; /* the count: one more, and there it is */
	wire_put_u32(&writing, 1);
	ck_assert_int_eq(got(AGENT_UNDERWAY, false, underway_get), -1);
	u.nrcpts++;
	msg_underway_put(w = begin(), &u);
	ck_assert(w->bad);
	u.nrcpts = 0;
	msg_underway_put(w = begin(), &u);
	ck_assert(w->bad);
	r.nrcpts = 0;
	msg_result_put(w = begin(), &r);
	ck_assert(w->bad);
	msg_underway_put(begin(), &underway);
	body[16] = 0;
	writing.n = 17;
	ck_assert_int_eq(got(AGENT_UNDERWAY, false, underway_get), -1);
}
END_TEST

START_TEST(windows_have_bounds)
{
	static const struct {
		uint32_t window;
		int rc;
	} cases[] = {
		{ 0, -1 },
		{ 1, 0 },
		{ AGENT_WINDOW, 0 },
		{ AGENT_WINDOW + 1, -1 },
		{ UINT32_MAX, -1 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct msg_hello h = { cases[i].window };

		msg_hello_put(begin(), &h);
		ck_assert_int_eq(
		    got(AGENT_HELLO, false, hello_get), cases[i].rc);
	}
}
END_TEST

START_TEST(dns_has_addresses_or_a_reason)
{
	struct msg_dns_ask ask = { DNS_MODE_END, "x" };
	static struct msg_dns_answer a;
	struct wire_put *w;

	msg_dns_ask_put(begin(), &ask);
	ck_assert_int_eq(got(DNS_ASK, false, dns_ask_get), -1);
	ask = (struct msg_dns_ask){ DNS_MX, "" };
	msg_dns_ask_put(begin(), &ask);
	ck_assert_int_eq(got(DNS_ASK, false, dns_ask_get), -1);
	a = dns_answer();
	a.n = 0;
	msg_dns_answer_put(begin(), &a);
	ck_assert_int_eq(got(DNS_ANSWER, false, dns_answer_get), -1);
	a.reply = refused;
	msg_dns_answer_put(begin(), &a);
	ck_assert_int_eq(got(DNS_ANSWER, false, dns_answer_get), 0);
	a.n = 1;
	msg_dns_answer_put(begin(), &a);
	ck_assert_int_eq(got(DNS_ANSWER, false, dns_answer_get), -1);
	a.reply = accepted;
	a.n = DNS_ADDRESSES_MAX;
	msg_dns_answer_put(begin(), &a);
	ck_assert_int_eq(got(DNS_ANSWER, false, dns_answer_get), 0);
	a.n++;
	msg_dns_answer_put(w = begin(), &a);
	ck_assert(w->bad);
}
END_TEST

static TCase *
for_all(void)
{
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 30);
	tcase_add_loop_test(t, what_was_put_comes_back, 0, NCODECS);
	tcase_add_loop_test(t, no_other_length_is_taken, 0, NCODECS);
	tcase_add_loop_test(t, each_bit_is_looked_at, 0, NCODECS);
	tcase_add_loop_test(
	    t, a_small_buffer_is_bad_and_not_passed, 0, NCODECS);
	return t;
}

static TCase *
refusals(void)
{
	TCase *t = tcase_create("refusals");

	tcase_add_test(t, kinds_of_process_have_an_end);
	tcase_add_test(t, counters_have_an_end);
	tcase_add_loop_test(
	    t, codes_are_those_of_replies, 0, sizeof codes / sizeof codes[0]);
	tcase_add_loop_test(t, addresses_are_canonical, 0,
	    sizeof addresses / sizeof addresses[0]);
	tcase_add_test(t, recipients_are_as_many_as_announced);
	tcase_add_loop_test(t, routes_have_what_their_kind_needs, 0,
	    sizeof routes / sizeof routes[0]);
	tcase_add_test(t, the_longest_route_has_its_key);
	tcase_add_test(t, content_comes_in_one_way);
	tcase_add_test(t, a_full_hand_out_fits_a_packet);
	tcase_add_test(t, hand_outs_have_a_message_and_recipients);
	tcase_add_test(t, windows_have_bounds);
	tcase_add_test(t, dns_has_addresses_or_a_reason);
	return t;
}

int
main(void)
{
	Suite *s = suite_create("msg");
	SRunner *r;
	int failed;

	suite_add_tcase(s, for_all());
	suite_add_tcase(s, refusals());
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
