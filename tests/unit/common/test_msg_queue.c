/*
 * test_msg_queue.c - the messages of queue: to lookup, and its hand-outs to the
 * processes that deliver.
 */
#include "common/msg/queue_agent.h"
#include "tests/unit/common/codec.h"

#define CONTENT "Subject: x\r\n\r\nbody\0\xff\r\n"

static void
route_ask_put(struct wire_put *w)
{
	const struct msg_route r = { SPAN(BOB), true };

	msg_route_put(w, &r);
}

static int
route_ask_get(struct ipc_msg *m, struct wire_put *w, bool check)
{
	struct msg_route r;

	if (msg_route_get(m, &r) == -1)
		return -1;
	msg_route_put(w, &r);
	if (!check)
		return 0;
	SAME_SPAN(r.rcpt, SPAN(BOB));
	ck_assert(r.expanded);
	return 0;
}

static void
expand_ask_put(struct wire_put *w)
{
	const struct msg_expand e = { 7, EXPAND_MAX };

	msg_expand_put(w, &e);
}

static int
expand_ask_get(struct ipc_msg *m, struct wire_put *w, bool check)
{
	struct msg_expand e;

	if (msg_expand_get(m, &e) == -1)
		return -1;
	msg_expand_put(w, &e);
	if (check)
		ck_assert(e.expansion == 7 && e.at == EXPAND_MAX);
	return 0;
}

static void
expanded_put(struct wire_put *w)
{
	const struct msg_expanded e = { 7, 3, 5, 2,
		{ { SPAN(BOB), SPAN(""), true, false },
		    { SPAN(ALICE), SPAN(BOB), false, true } } };

	msg_expanded_put(w, &e);
}

static int
expanded_get(struct ipc_msg *m, struct wire_put *w, bool check)
{
	struct msg_expanded e;

	if (msg_expanded_get(m, &e) == -1)
		return -1;
	msg_expanded_put(w, &e);
	if (!check)
		return 0;
	ck_assert(e.expansion == 7 && e.at == 3 && e.total == 5 && e.n == 2);
	SAME_SPAN(e.rows[0].address, SPAN(BOB));
	SAME_SPAN(e.rows[0].owner, SPAN(""));
	ck_assert(e.rows[0].again && !e.rows[0].alias);
	SAME_SPAN(e.rows[1].address, SPAN(ALICE));
	SAME_SPAN(e.rows[1].owner, SPAN(BOB));
	ck_assert(!e.rows[1].again && e.rows[1].alias);
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

static const struct codec all[] = {
	{ ROUTE_ASK, false, route_ask_put, route_ask_get },
	{ ROUTE_ANSWER, false, routed_put, routed_get },
	{ ROUTE_ANSWER, false, unrouted_put, routed_get },
	{ EXPAND_ASK, false, expand_ask_put, expand_ask_get },
	{ EXPAND_ANSWER, false, expanded_put, expanded_get },
	{ AGENT_DELIVER, false, deliver_put, deliver_get },
	{ AGENT_DELIVER, true, deliver_fd_put, deliver_get },
};
#define NALL (sizeof all / sizeof all[0])

/* --- what may not be said ------------------------------------------------ */

START_TEST(codes_are_those_of_replies)
{
	const struct reply r = { .code = codes[_i].code };
	const struct msg_routed routed = { r, way };

	msg_routed_put(begin(), &routed);
	ck_assert_int_eq(got(ROUTE_ANSWER, false, routed_get), codes[_i].final);
}
END_TEST

START_TEST(rows_are_as_many_as_there_are)
{
	static const struct {
		uint64_t expansion;
		uint32_t at, total, n;
		int rc;
	} t[] = {
		{ 1, 0, 0, 0, 0 },
		{ 1, 0, 1, 1, 0 },
		{ 1, EXPAND_MAX - 1, EXPAND_MAX, 1, 0 },
		{ 0, 0, 0, 0, 0 },
		{ 0, 0, 1, 1, -1 },
		{ 1, 0, 1, 2, -1 },
		{ 1, 1, 1, 1, -1 },
		{ 1, 2, 1, 0, -1 },
		{ 1, 0, 1, 0, -1 },
		{ 1, 0, EXPAND_MAX + 1, 1, -1 },
	};
	struct msg_expanded e = { t[_i].expansion, t[_i].at, t[_i].total,
		t[_i].n, { { SPAN(BOB), SPAN(""), false, false } } };

	e.rows[1] = e.rows[0];
	msg_expanded_put(begin(), &e);
	ck_assert_int_eq(got(EXPAND_ANSWER, false, expanded_get), t[_i].rc);
}
END_TEST

START_TEST(addresses_are_canonical)
{
	struct span s = addresses[_i].text;
	struct msg_route ask = { s, false };
	struct msg_deliver d = delivery(true);
	struct msg_expanded e = { 1, 0, 1, 1,
		{ { s, SPAN(""), false, false } } };

	msg_expanded_put(begin(), &e);
	ck_assert_int_eq(
	    got(EXPAND_ANSWER, false, expanded_get), addresses[_i].rcpt);
	e.rows[0] = (struct expand_row){ SPAN(BOB), s, false, false };
	msg_expanded_put(begin(), &e);
	ck_assert_int_eq(
	    got(EXPAND_ANSWER, false, expanded_get), addresses[_i].sender);
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

int
main(void)
{
	Suite *s = suite_create("msg_queue");
	TCase *t = tcase_create("refusals");
	SRunner *r;
	int failed;

	tcase_add_loop_test(
	    t, codes_are_those_of_replies, 0, sizeof codes / sizeof codes[0]);
	tcase_add_loop_test(t, rows_are_as_many_as_there_are, 0, 10);
	tcase_add_loop_test(t, addresses_are_canonical, 0,
	    sizeof addresses / sizeof addresses[0]);
	tcase_add_loop_test(t, routes_have_what_their_kind_needs, 0,
	    sizeof routes / sizeof routes[0]);
	tcase_add_test(t, the_longest_route_has_its_key);
	tcase_add_test(t, content_comes_in_one_way);
	tcase_add_test(t, a_full_hand_out_fits_a_packet);
	suite_add_tcase(s, for_all(all, NALL));
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
