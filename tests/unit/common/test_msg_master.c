/*
 * test_msg_master.c - the messages of master, the bodies of one reply and of
 * nothing, and those between remote and resolver.
 */
#include "common/msg/master.h"
#include "common/msg/remote_resolver.h"
#include "common/msg/reply.h"
#include "tests/unit/common/codec.h"

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
conf_id_put(struct wire_put *w)
{
	static const struct msg_conf c = { 4711 };

	msg_conf_put(w, &c);
}

static int
conf_id_get(struct ipc_msg *m, struct wire_put *w, bool check)
{
	struct msg_conf c;

	if (msg_conf_get(m, &c) == -1)
		return -1;
	msg_conf_put(w, &c);
	ck_assert(!check || c.instance == 4711);
	return 0;
}

static const struct msg_session session = { 63, { { 32, 1, 13, 184 } } };

static void
session_put(struct wire_put *w)
{
	msg_session_put(w, &session);
}

static int
session_get(struct ipc_msg *m, struct wire_put *w, bool check)
{
	struct msg_session s;

	if (msg_session_get(m, &s) == -1)
		return -1;
	msg_session_put(w, &s);
	ck_assert(!check ||
	    (s.listener == 63 &&
		memcmp(&s.ip, &session.ip, sizeof s.ip) == 0));
	return 0;
}

/* What is on standard input already needs no descriptor. */
static void
stdin_put(struct wire_put *w)
{
	static const struct msg_session s = { .listener = LISTENER_STDIN };

	msg_session_put(w, &s);
}

static int
stdin_get(struct ipc_msg *m, struct wire_put *w, bool check)
{
	struct msg_session s;

	if (msg_session_get(m, &s) == -1)
		return -1;
	msg_session_put(w, &s);
	ck_assert(!check || s.listener == LISTENER_STDIN);
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
	static struct msg_process p = { .kind = PEER_QUEUE,
		.state = PROCESS_RETIRING,
		.generation = 7,
		.instance = 1,
		.pid = 4711,
		.restarts = 2,
		.age = 86400,
		.died = true,
		.died_ago = 5,
		.died_signal = 9,
		.died_status = 1 };

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
	ck_assert(p.state == PROCESS_RETIRING && p.generation == 7);
	ck_assert(p.died && p.died_ago == 5 && p.died_signal == 9);
	ck_assert_uint_eq(p.died_status, 1);
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

static const struct codec all[] = {
	{ MASTER_PEER, true, peer_put, peer_get },
	{ MASTER_LISTENER, true, listener_put, listener_get },
	{ MASTER_CONF, true, conf_id_put, conf_id_get },
	{ MASTER_SESSION, true, session_put, session_get },
	{ MASTER_SESSION, false, stdin_put, stdin_get },
	{ MASTER_COMPLAIN, false, complain_put, complain_get },
	{ MASTER_PONG, false, counters_put, counters_get },
	{ MASTER_PROCESS, false, process_put, process_get },
	{ MASTER_DONE, false, reply_sample_put, reply_sample_get },
	{ MASTER_PING, false, empty_put, empty_get },
	{ DNS_ASK, false, dns_ask_put, dns_ask_get },
	{ DNS_ANSWER, false, dns_answer_put, dns_answer_get },
};
#define NALL (sizeof all / sizeof all[0])

/* --- what may not be said ------------------------------------------------ */

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

START_TEST(a_reply_has_a_code)
{
	const struct reply r = { .code = codes[_i].code };

	msg_reply_put(begin(), &r);
	ck_assert_int_eq(
	    got(MASTER_DONE, false, reply_sample_get), codes[_i].any);
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

int
main(void)
{
	Suite *s = suite_create("msg_master");
	TCase *t = tcase_create("refusals");
	SRunner *r;
	int failed;

	tcase_add_test(t, kinds_of_process_have_an_end);
	tcase_add_test(t, counters_have_an_end);
	tcase_add_loop_test(
	    t, a_reply_has_a_code, 0, sizeof codes / sizeof codes[0]);
	tcase_add_test(t, dns_has_addresses_or_a_reason);
	suite_add_tcase(s, for_all(all, NALL));
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
