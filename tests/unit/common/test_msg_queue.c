/*
 * test_msg_queue.c - the messages between queue and lookup, and queue and the
 * processes that deliver.
 */
#include "common/msg/queue_agent.h"
#include "tests/unit/common/codec.h"

#define CONTENT "Subject: x\r\n\r\nbody\0\xff\r\n"

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

static const struct codec all[] = {
	{ ROUTE_ASK, false, route_ask_put, route_ask_get },
	{ ROUTE_ANSWER, false, routed_put, routed_get },
	{ ROUTE_ANSWER, false, unrouted_put, routed_get },
	{ AGENT_DELIVER, false, deliver_put, deliver_get },
	{ AGENT_DELIVER, true, deliver_fd_put, deliver_get },
	{ AGENT_UNDERWAY, false, underway_put, underway_get },
	{ AGENT_HELLO, false, hello_put, hello_get },
	{ AGENT_RESULT, false, result_put, result_get },
	{ AGENT_RECORDED, false, recorded_put, recorded_get },
};
#define NALL (sizeof all / sizeof all[0])

/* --- what may not be said ------------------------------------------------ */

START_TEST(codes_are_those_of_replies)
{
	const struct reply r = { .code = codes[_i].code };
	const struct msg_routed routed = { r, way };
	struct msg_result res = result();

	msg_routed_put(begin(), &routed);
	ck_assert_int_eq(got(ROUTE_ANSWER, false, routed_get), codes[_i].final);
	res.reply = r;
	msg_result_put(begin(), &res);
	ck_assert_int_eq(got(AGENT_RESULT, false, result_get), codes[_i].final);
}
END_TEST

START_TEST(addresses_are_canonical)
{
	struct span s = addresses[_i].text;
	struct msg_route ask = { s };
	struct msg_deliver d = delivery(true);

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

int
main(void)
{
	Suite *s = suite_create("msg_queue");
	TCase *t = tcase_create("refusals");
	SRunner *r;
	int failed;

	tcase_add_loop_test(
	    t, codes_are_those_of_replies, 0, sizeof codes / sizeof codes[0]);
	tcase_add_loop_test(t, addresses_are_canonical, 0,
	    sizeof addresses / sizeof addresses[0]);
	tcase_add_loop_test(t, routes_have_what_their_kind_needs, 0,
	    sizeof routes / sizeof routes[0]);
	tcase_add_test(t, the_longest_route_has_its_key);
	tcase_add_test(t, content_comes_in_one_way);
	tcase_add_test(t, a_full_hand_out_fits_a_packet);
	tcase_add_test(t, hand_outs_have_a_message_and_recipients);
	tcase_add_test(t, windows_have_bounds);
	suite_add_tcase(s, for_all(all, NALL));
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
