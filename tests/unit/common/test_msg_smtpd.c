/*
 * test_msg_smtpd.c - the messages between smtpd and lookup, and smtpd and queue.
 */
#include "common/msg/smtpd_lookup.h"
#include "common/msg/smtpd_queue.h"
#include "tests/unit/common/codec.h"

static const struct msg_connect connection = { 1, 2, CLIENT_UNKNOWN,
	{ { 1, 2, 3 } }, 4 };

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
	ck_assert(c.session == 1 && c.listener == 2 &&
	    c.from == CLIENT_UNKNOWN && c.uid == 4);
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

static const struct codec all[] = {
	{ LOOKUP_CONNECT, false, connect_put, connect_get },
	{ LOOKUP_CLIENT, false, client_put, client_get },
	{ LOOKUP_RCPT, false, rcpt_put, rcpt_get },
	{ LOOKUP_GONE, false, gone_put, gone_get },
	{ QUEUE_SUBMIT, false, submit_put, submit_get },
	{ QUEUE_OPEN, true, open_put, submit_get },
	{ QUEUE_RCPTS, false, rcpts_put, rcpts_get },
	{ QUEUE_END, false, end_put, end_get },
};
#define NALL (sizeof all / sizeof all[0])

/* --- what may not be said ------------------------------------------------ */

START_TEST(codes_are_those_of_replies)
{
	const struct msg_client c = { { .code = codes[_i].code }, false };

	msg_client_put(begin(), &c);
	ck_assert_int_eq(got(LOOKUP_CLIENT, false, client_get), codes[_i].any);
}
END_TEST

START_TEST(addresses_are_canonical)
{
	struct span s = addresses[_i].text;
	struct msg_rcpt r = { 1, SPAN(""), s };
	struct envelope e = envelope;
	struct wire_put *w;

	msg_rcpt_put(begin(), &r);
	ck_assert_int_eq(
	    got(LOOKUP_RCPT, false, rcpt_get), addresses[_i].asked);
	r = (struct msg_rcpt){ 1, s, SPAN(ALICE) };
	msg_rcpt_put(begin(), &r);
	ck_assert_int_eq(
	    got(LOOKUP_RCPT, false, rcpt_get), addresses[_i].sender);
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

int
main(void)
{
	Suite *s = suite_create("msg_smtpd");
	TCase *t = tcase_create("refusals");
	SRunner *r;
	int failed;

	tcase_add_loop_test(
	    t, codes_are_those_of_replies, 0, sizeof codes / sizeof codes[0]);
	tcase_add_loop_test(t, addresses_are_canonical, 0,
	    sizeof addresses / sizeof addresses[0]);
	tcase_add_test(t, recipients_are_as_many_as_announced);
	suite_add_tcase(s, for_all(all, NALL));
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
