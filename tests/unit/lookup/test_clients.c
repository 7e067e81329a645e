/*
 * test_clients.c - counting sessions.
 */
#include <check.h>
#include <stdlib.h>

#include "lookup/clients.h"

static struct conf conf = { .hostname = "mx.example", .max_sessions = 1000 };
static struct msg_client answer;

static unsigned
enter(struct sessions *s, uint32_t number, const char *ip)
{
	struct msg_connect m = { .session = number,
		.from = ip == NULL ? CLIENT_LOCAL : CLIENT_ADDRESS };

	if (ip != NULL)
		ck_assert(ip_parse(&m.ip, span_of(ip)));
	answer = (struct msg_client){ 0 };
	if (sessions_connect(s, &m, &answer) == -1)
		return 0;
	return answer.reply.code;
}

START_TEST(limits_in_all)
{
	struct clients *c;
	struct sessions *a, *b;

	conf.max_sessions = 3;
	c = clients_new(&conf);
	a = sessions_new(c);
	b = sessions_new(c);
	ck_assert_uint_eq(enter(a, 1, "192.0.2.1"), 220);
	ck_assert_uint_eq(enter(b, 1, "192.0.2.1"), 220);
	ck_assert_uint_eq(enter(a, 2, NULL), 220);
	ck_assert_uint_eq(enter(b, 2, "192.0.2.2"), 421);
	ck_assert_uint_eq(answer.reply.esc.class, 4);
	ck_assert(!sessions_find(b, 2)->accepted);
	ck_assert_uint_eq(clients_count(c), 3);
	ck_assert_uint_eq(clients_refused(c), 1);
	/* That a refused one is gone frees nothing. */
	ck_assert_int_eq(sessions_gone(b, 2), 0);
	ck_assert_int_eq(sessions_gone(b, 2), -1);
	ck_assert_uint_eq(enter(b, 2, "192.0.2.2"), 421);
	ck_assert_int_eq(sessions_gone(a, 1), 0);
	ck_assert_uint_eq(enter(b, 3, "192.0.2.2"), 220);
	sessions_free(a);
	ck_assert_uint_eq(clients_count(c), 2);
	sessions_free(b);
	ck_assert_uint_eq(clients_count(c), 0);
	clients_free(c);
}
END_TEST

START_TEST(limits_of_one_address)
{
	struct clients *c;
	struct sessions *s;

	conf.max_sessions = 1000;
	conf.max_sessions_per_client = 2;
	c = clients_new(&conf);
	s = sessions_new(c);
	ck_assert_uint_eq(enter(s, 1, "192.0.2.1"), 220);
	ck_assert_uint_eq(enter(s, 2, "192.0.2.1"), 220);
	ck_assert_uint_eq(enter(s, 3, "192.0.2.1"), 421);
	ck_assert_uint_eq(enter(s, 4, "192.0.2.2"), 220);
	ck_assert_uint_eq(enter(s, 5, "2001:db8::1"), 220);
	/* Those without an address are nobody's. */
	for (uint32_t i = 10; i < 20; i++)
		ck_assert_uint_eq(enter(s, i, NULL), 220);
	ck_assert_int_eq(sessions_gone(s, 1), 0);
	ck_assert_int_eq(sessions_gone(s, 3), 0);
	ck_assert_uint_eq(enter(s, 6, "192.0.2.1"), 220);
	ck_assert_uint_eq(enter(s, 7, "192.0.2.1"), 421);
	sessions_free(s);
	clients_free(c);
	conf.max_sessions_per_client = 0;
}
END_TEST

static unsigned
enter_user(struct sessions *s, uint32_t number, uint32_t uid)
{
	struct msg_connect m = {
		.session = number, .from = CLIENT_LOCAL, .uid = uid
	};

	if (sessions_connect(s, &m, &answer) == -1)
		return 0;
	return answer.reply.code;
}

/* One user of this host, who may make as many connections as he likes. */
START_TEST(one_user_has_half)
{
	struct clients *c;
	struct sessions *s;
	uint32_t n = 0;

	conf.max_sessions = 9;
	conf.max_sessions_per_client = 2;
	c = clients_new(&conf);
	s = sessions_new(c);
	for (; n < 5; n++)
		ck_assert_uint_eq(enter_user(s, n, 2001), 220);
	ck_assert_uint_eq(enter_user(s, n++, 2001), 421);
	ck_assert(!answer.trusted);
	ck_assert_uint_eq(enter_user(s, n++, 2002), 220);
	/* 2001 as a number is no address. */
	ck_assert_uint_eq(enter(s, n++, "192.0.2.1"), 220);
	ck_assert_int_eq(sessions_gone(s, 0), 0);
	ck_assert_uint_eq(enter_user(s, n++, 2001), 220);
	ck_assert_uint_eq(enter_user(s, n++, 2001), 421);
	/* root ends the service if it wants to harm it */
	ck_assert_uint_eq(enter_user(s, n++, 0), 220);
	ck_assert_uint_eq(enter_user(s, n++, 0), 220);
	ck_assert_uint_eq(clients_count(c), 9);
	ck_assert_uint_eq(enter_user(s, n++, 0), 421);
	sessions_free(s);
	ck_assert_uint_eq(clients_count(c), 0);
	clients_free(c);
	conf.max_sessions = 1000;
	conf.max_sessions_per_client = 0;
}
END_TEST

START_TEST(numbers)
{
	struct clients *c;
	struct sessions *s;
	unsigned n = 0;

	conf.max_sessions = 10;
	c = clients_new(&conf);
	s = sessions_new(c);
	ck_assert_uint_eq(enter(s, 1, "192.0.2.1"), 220);
	ck_assert_uint_eq(enter(s, 1, "192.0.2.1"), 0);
	ck_assert_ptr_null(sessions_find(s, 2));
	/* An smtpd that never says that they are gone: bounded. */
	for (uint32_t i = 2; enter(s, i, "192.0.2.1") != 0; i++)
		n++;
	ck_assert_uint_eq(1 + n, 2 * 10 + SMTPD_LOOKUP_WINDOW);
	ck_assert_uint_eq(clients_count(c), 10);
	sessions_free(s);
	clients_free(c);
}
END_TEST

START_TEST(trust)
{
	struct netblock blocks[2];
	struct clients *c;
	struct sessions *s;

	ck_assert(netblock_parse(&blocks[0], SPAN("10.0.0.0/8")));
	ck_assert(netblock_parse(&blocks[1], SPAN("2001:db8::/32")));
	conf.relay_from = blocks;
	conf.nrelay_from = 2;
	conf.max_sessions = 1;
	c = clients_new(&conf);
	s = sessions_new(c);
	for (uint32_t i = 0; i < 5; i++) {
		static const char *const ips[] = { "10.255.0.1", "11.0.0.1",
			"2001:db8:1::1", "2001:db9::1", NULL };

		ck_assert_uint_eq(enter(s, i, ips[i]), 220);
		ck_assert_int_eq(answer.trusted, i % 2 == 0);
		ck_assert_int_eq(sessions_find(s, i)->trusted, i % 2 == 0);
		ck_assert_int_eq(sessions_gone(s, i), 0);
	}
	/* Nor is who cannot be told. */
	ck_assert_int_eq(
	    sessions_connect(s,
		&(struct msg_connect){ .session = 9, .from = CLIENT_UNKNOWN },
		&answer),
	    0);
	ck_assert_uint_eq(answer.reply.code, 220);
	ck_assert(!answer.trusted && !sessions_find(s, 9)->trusted);
	ck_assert_int_eq(sessions_gone(s, 9), 0);
	/* Refused is not trusted. */
	ck_assert_uint_eq(enter(s, 1, "10.0.0.1"), 220);
	ck_assert_uint_eq(enter(s, 2, "10.0.0.1"), 421);
	ck_assert(!answer.trusted);
	ck_assert(!sessions_find(s, 2)->trusted);
	sessions_free(s);
	clients_free(c);
	conf.nrelay_from = 0;
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("clients");
	TCase *t = tcase_create("clients");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_test(t, limits_in_all);
	tcase_add_test(t, limits_of_one_address);
	tcase_add_test(t, one_user_has_half);
	tcase_add_test(t, numbers);
	tcase_add_test(t, trust);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
