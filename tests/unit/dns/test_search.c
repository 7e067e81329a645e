/*
 * test_search.c - RFC 5321 section 5.1 with every lookup's result made up.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "lookup/dns/search.h"

static struct search s;
static struct msg_dns_answer answer;
static struct packet_records records;

static struct ip
ip(const char *text)
{
	struct ip i;

	ck_assert(ip_parse(&i, span_of(text)));
	return i;
}

static void
begin(enum dns_mode mode, const char *name)
{
	struct msg_dns_ask ask = { .mode = mode };

	snprintf(ask.name, sizeof ask.name, "%s", name);
	search_begin(&s, &ask);
}

/* The next lookup must be this one; its number. */
static uint32_t
expect(const char *name, uint16_t type)
{
	struct search_lookup l;

	ck_assert(search_next(&s, &l));
	ck_assert_str_eq(l.name, name);
	ck_assert_uint_eq(l.type, type);
	return l.number;
}

static void
give(uint32_t number, enum packet_status status)
{
	records.status = status;
	search_result(&s, number, &records);
	memset(&records, 0, sizeof records);
}

static void
mx(uint16_t preference, const char *host)
{
	struct packet_record *r = &records.r[records.n++];

	r->preference = preference;
	snprintf(r->host, sizeof r->host, "%s", host);
}

static void
address(const char *text)
{
	records.r[records.n++].ip = ip(text);
}

static void
finish(const struct search_self *self)
{
	static const struct search_self nobody = { .hostname = "me.example" };

	ck_assert(search_done(&s));
	search_answer(&s, self != NULL ? self : &nobody, &answer);
}

START_TEST(all_addresses_are_asked_for_at_once)
{
	struct search_lookup l;
	uint32_t n[4];

	begin(DNS_MX, "d.example");
	mx(10, "b.example");
	mx(5, "a.example");
	give(expect("d.example", PACKET_MX), PACKET_FOUND);
	n[0] = expect("a.example", PACKET_A);
	n[1] = expect("a.example", PACKET_AAAA);
	n[2] = expect("b.example", PACKET_A);
	n[3] = expect("b.example", PACKET_AAAA);
	ck_assert(!search_next(&s, &l));
	ck_assert(!search_done(&s));
	address("192.0.2.2");
	give(n[2], PACKET_FOUND);
	give(n[3], PACKET_NODATA);
	address("2001:db8::1");
	give(n[1], PACKET_FOUND);
	ck_assert(!search_done(&s));
	give(n[0], PACKET_FAILED);
	finish(NULL);
	ck_assert_uint_eq(answer.reply.code, 250);
	ck_assert_uint_eq(answer.n, 2);
	ck_assert_str_eq(answer.a[0].host, "a.example");
	ck_assert_str_eq(answer.a[1].host, "b.example");
}
END_TEST

/* Two hosts with these results for A, AAAA, A, AAAA, and what comes of it. */
static const struct {
	enum packet_status result[4];
	uint16_t code;
} outcomes[] = {
	{ { PACKET_NODATA, PACKET_NODATA, PACKET_NO_NAME, PACKET_NO_NAME },
	    550 },
	{ { PACKET_NODATA, PACKET_FAILED, PACKET_NO_NAME, PACKET_NO_NAME },
	    451 },
	{ { PACKET_NODATA, PACKET_NODATA, PACKET_FAILED, PACKET_FAILED }, 451 },
	{ { PACKET_FAILED, PACKET_FAILED, PACKET_FOUND, PACKET_NODATA }, 250 },
	{ { PACKET_FOUND, PACKET_FAILED, PACKET_FAILED, PACKET_FAILED }, 250 },
};

START_TEST(no_is_said_only_where_it_is_certain)
{
	for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
		begin(DNS_MX, "d.example");
		mx(5, "a.example");
		mx(10, "b.example");
		give(expect("d.example", PACKET_MX), PACKET_FOUND);
		for (int k = 0; k < 4; k++) {
			struct search_lookup l;

			ck_assert(search_next(&s, &l));
			if (outcomes[i].result[k] == PACKET_FOUND)
				address("192.0.2.1");
			give(l.number, outcomes[i].result[k]);
		}
		finish(NULL);
		ck_assert_msg(answer.reply.code == outcomes[i].code,
		    "row %zu: %u", i, answer.reply.code);
	}
}
END_TEST

START_TEST(without_mx)
{
	static const struct {
		enum packet_status status;
		enum reply_name no;
	} rows[] = { { PACKET_NO_NAME, R_NO_SUCH_DOMAIN },
		{ PACKET_FAILED, R_DNS_TEMPORARY } };

	for (int i = 0; i < 2; i++) {
		struct search_lookup l;

		begin(DNS_MX, "d.example");
		give(expect("d.example", PACKET_MX), rows[i].status);
		ck_assert(!search_next(&s, &l));
		finish(NULL);
		ck_assert_uint_eq(
		    answer.reply.code, reply_row(rows[i].no)->code);
	}
	begin(DNS_MX, "d.example");
	give(expect("d.example", PACKET_MX), PACKET_NODATA);
	address("192.0.2.1");
	give(expect("d.example", PACKET_A), PACKET_FOUND);
	give(expect("d.example", PACKET_AAAA), PACKET_NODATA);
	finish(NULL);
	ck_assert_uint_eq(answer.n, 1);
	ck_assert_uint_eq(answer.a[0].preference, 0);
}
END_TEST

START_TEST(null_mx_only_if_it_is_alone)
{
	begin(DNS_MX, "d.example");
	mx(0, "");
	give(expect("d.example", PACKET_MX), PACKET_FOUND);
	finish(NULL);
	ck_assert_uint_eq(answer.reply.code, 556);
	begin(DNS_MX, "d.example");
	mx(0, "");
	mx(10, "a.example");
	give(expect("d.example", PACKET_MX), PACKET_FOUND);
	expect("a.example", PACKET_A);
}
END_TEST

/* Records there are, but none of use: not the implicit MX. */
START_TEST(mx_without_a_usable_host)
{
	begin(DNS_MX, "d.example");
	give(expect("d.example", PACKET_MX), PACKET_FOUND);
	finish(NULL);
	ck_assert_uint_eq(answer.reply.code, 550);
}
END_TEST

START_TEST(equals_come_in_every_order)
{
	bool seen[3][3] = { { false } };

	for (int i = 0; i < 500; i++) {
		begin(DNS_MX, "d.example");
		for (char c = '0'; c < '3'; c++)
			mx(7, (char[]){ c, '\0' });
		give(expect("d.example", PACKET_MX), PACKET_FOUND);
		for (int k = 0; k < 3; k++)
			seen[k][s.hosts[k].name[0] - '0'] = true;
	}
	for (int k = 0; k < 9; k++)
		ck_assert(seen[k / 3][k % 3]);
}
END_TEST

START_TEST(of_too_many_hosts_the_best_are_kept)
{
	char name[16];

	begin(DNS_MX, "d.example");
	for (int i = PACKET_RECORDS_MAX; i > 0; i--) {
		snprintf(name, sizeof name, "h%d", i);
		mx((uint16_t)i, name);
	}
	give(expect("d.example", PACKET_MX), PACKET_FOUND);
	ck_assert_uint_eq(s.nhosts, SEARCH_HOSTS_MAX);
	for (uint32_t i = 0; i < s.nhosts; i++)
		ck_assert_uint_eq(s.hosts[i].preference, i + 1);
}
END_TEST

START_TEST(more_addresses_than_fit_are_left_out)
{
	begin(DNS_MX, "d.example");
	for (int i = 0; i < SEARCH_HOSTS_MAX; i++)
		mx((uint16_t)i, (char[]){ (char)('a' + i), '\0' });
	give(expect("d.example", PACKET_MX), PACKET_FOUND);
	for (int i = 0; i < 2 * SEARCH_HOSTS_MAX; i++) {
		struct search_lookup l;

		ck_assert(search_next(&s, &l));
		for (int k = 0; k < PACKET_RECORDS_MAX; k++)
			address(i % 2 == 0 ? "192.0.2.1" : "2001:db8::1");
		give(l.number, PACKET_FOUND);
	}
	finish(NULL);
	ck_assert_uint_eq(answer.n, DNS_ADDRESSES_MAX);
	ck_assert_uint_eq(answer.a[2 * SEARCH_ADDRESSES_MAX].preference, 1);
}
END_TEST

/* Our preference and what is left: hosts a (5), b (10), c (10), d (20). */
static const struct {
	const char *hostname, *ip;
	uint32_t n;
	uint16_t code;
} selves[] = {
	{ "me.example", "198.51.100.1", 4, 250 },
	{ "A", "198.51.100.1", 0, 554 },
	{ "b", "198.51.100.1", 1, 250 },
	{ "C", "198.51.100.1", 1, 250 },
	{ "d", "198.51.100.1", 3, 250 },
	{ "me.example", "192.0.2.2", 1, 250 },
	{ "me.example", "192.0.2.0", 0, 554 },
};

START_TEST(mail_does_not_come_back_to_us)
{
	for (size_t i = 0; i < sizeof selves / sizeof selves[0]; i++) {
		struct ip own = ip(selves[i].ip);
		struct search_self self = { selves[i].hostname, &own, 1, false };
		struct search_lookup l;

		begin(DNS_MX, "dom.example");
		mx(10, "b");
		mx(5, "a");
		mx(20, "d");
		mx(10, "c");
		give(expect("dom.example", PACKET_MX), PACKET_FOUND);
		while (search_next(&s, &l)) {
			char text[16];

			if (l.type == PACKET_A) {
				snprintf(text, sizeof text, "192.0.2.%d",
				    l.name[0] - 'a');
				address(text);
			}
			give(l.number,
			    records.n > 0 ? PACKET_FOUND : PACKET_NODATA);
		}
		finish(&self);
		ck_assert_msg(
		    answer.n == selves[i].n, "row %zu: %u", i, answer.n);
		ck_assert_uint_eq(answer.reply.code, selves[i].code);
	}
}
END_TEST

/* Everything in 127.0.0.0/8 comes to us where we listen at all addresses. */
START_TEST(a_loopback_address_is_ours)
{
	struct search_self self = { .hostname = "me.example" };

	for (int i = 0; i < 2; i++) {
		self.loopback = i == 1;
		begin(DNS_MX, "d.example");
		mx(5, "a.example");
		give(expect("d.example", PACKET_MX), PACKET_FOUND);
		address("127.3.2.1");
		give(expect("a.example", PACKET_A), PACKET_FOUND);
		give(expect("a.example", PACKET_AAAA), PACKET_NODATA);
		finish(&self);
		ck_assert_uint_eq(answer.n, 1 - i);
		ck_assert_uint_eq(answer.reply.code, i == 0 ? 250 : 554);
	}
}
END_TEST

/* The kernel takes 0.0.0.0 and :: for this host. */
START_TEST(what_is_no_address_of_a_host)
{
	begin(DNS_MX, "d.example");
	give(expect("d.example", PACKET_MX), PACKET_NODATA);
	address("0.0.0.0");
	address("224.0.0.1");
	address("255.255.255.255");
	give(expect("d.example", PACKET_A), PACKET_FOUND);
	address("::");
	address("ff02::1");
	give(expect("d.example", PACKET_AAAA), PACKET_FOUND);
	finish(NULL);
	ck_assert_uint_eq(answer.n, 0);
	ck_assert_uint_eq(answer.reply.code, 550);
}
END_TEST

START_TEST(names_that_need_no_lookup)
{
	static const struct {
		enum dns_mode mode;
		const char *name;
		uint32_t n;
		const char *first;
	} rows[] = {
		{ DNS_HOST, "127.0.0.1", 1, "127.0.0.1" },
		{ DNS_HOST, "[::1]", 1, "::1" },
		{ DNS_MX, "[IPv6:2001:db8::9]", 1, "2001:db8::9" },
		{ DNS_MX, "[192.0.2.1]", 1, "192.0.2.1" },
		{ DNS_HOST, "LOCALHOST", 2, "::1" },
	};
	struct search_lookup l;
	char text[IP_TEXT_MAX];

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		begin(rows[i].mode, rows[i].name);
		ck_assert(!search_next(&s, &l));
		finish(NULL);
		ck_assert_uint_eq(answer.n, rows[i].n);
		ip_format(text, &answer.a[0].ip);
		ck_assert_str_eq(text, rows[i].first);
	}
}
END_TEST

/* A next hop that is ourselves was named by the administrator. */
START_TEST(a_named_host_is_asked_for_no_mx)
{
	struct ip own = ip("192.0.2.1");
	struct search_self self = { "h.example", &own, 1, false };

	begin(DNS_HOST, "h.example");
	address("192.0.2.1");
	give(expect("h.example", PACKET_A), PACKET_FOUND);
	give(expect("h.example", PACKET_AAAA), PACKET_FAILED);
	finish(&self);
	ck_assert_uint_eq(answer.n, 1);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("search");
	TCase *t = tcase_create("search");
	SRunner *r;
	int failed;

	tcase_add_test(t, all_addresses_are_asked_for_at_once);
	tcase_add_test(t, no_is_said_only_where_it_is_certain);
	tcase_add_test(t, without_mx);
	tcase_add_test(t, null_mx_only_if_it_is_alone);
	tcase_add_test(t, mx_without_a_usable_host);
	tcase_add_test(t, equals_come_in_every_order);
	tcase_add_test(t, of_too_many_hosts_the_best_are_kept);
	tcase_add_test(t, more_addresses_than_fit_are_left_out);
	tcase_add_test(t, mail_does_not_come_back_to_us);
	tcase_add_test(t, a_loopback_address_is_ours);
	tcase_add_test(t, what_is_no_address_of_a_host);
	tcase_add_test(t, names_that_need_no_lookup);
	tcase_add_test(t, a_named_host_is_asked_for_no_mx);
	suite_add_tcase(suite, t);
	r = srunner_create(suite);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
