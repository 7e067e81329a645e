/*
 * test_msg_agent.c - what the processes that deliver tell queue, and hear of it.
 */
#include "common/msg/queue_agent.h"
#include "tests/unit/common/codec.h"

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

static const struct codec all[] = {
	{ AGENT_UNDERWAY, false, underway_put, underway_get },
	{ AGENT_HELLO, false, hello_put, hello_get },
	{ AGENT_RESULT, false, result_put, result_get },
	{ AGENT_RECORDED, false, recorded_put, recorded_get },
};
#define NALL (sizeof all / sizeof all[0])

/* --- what may not be said ------------------------------------------------ */

START_TEST(codes_are_those_of_replies)
{
	struct msg_result res = result();

	res.reply = (struct reply){ .code = codes[_i].code };
	msg_result_put(begin(), &res);
	ck_assert_int_eq(got(AGENT_RESULT, false, result_get), codes[_i].final);
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

int
main(void)
{
	Suite *s = suite_create("msg_agent");
	TCase *t = tcase_create("refusals");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(
	    t, codes_are_those_of_replies, 0, sizeof codes / sizeof codes[0]);
	tcase_add_test(t, hand_outs_have_a_message_and_recipients);
	tcase_add_test(t, windows_have_bounds);
	suite_add_tcase(s, for_all(all, NALL));
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
