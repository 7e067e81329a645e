/*
 * test_netblock.c - addresses, blocks, and which holds which.
 */
#include <check.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "common/mail/netblock.h"

static const struct {
	const char *in, *out; /* NULL: no address */
} ips[] = {
	{ "192.0.2.1", "192.0.2.1" },
	{ "0.0.0.0", "0.0.0.0" },
	{ "255.255.255.255", "255.255.255.255" },
	{ "::", "::" },
	{ "::1", "::1" },
	{ "2001:DB8:0:0::1", "2001:db8::1" },
	{ "::ffff:192.0.2.1", "192.0.2.1" },
	{ "::ffff:c000:201", "192.0.2.1" },
	{ "", NULL },
	{ "192.0.2", NULL },
	{ "192.0.2.1.1", NULL },
	{ "192.0.2.256", NULL },
	{ "192.0.2.01", NULL },
	{ "0x7f.1", NULL },
	{ " 192.0.2.1", NULL },
	{ "192.0.2.1 ", NULL },
	{ "192.0.2.1/32", NULL },
	{ "[::1]", NULL },
	{ "fe80::1%lo", NULL },
	{ ":::", NULL },
	{ "1:2:3:4:5:6:7:8:9", NULL },
	{ "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", NULL },
	{ "localhost", NULL },
};

START_TEST(addresses_are_read_and_written)
{
	char text[IP_TEXT_MAX];
	struct ip ip, back;
	struct wire_put w = wire_writer(text, sizeof text);
	struct wire_get g;

	ck_assert_int_eq(
	    ip_parse(&ip, span_of(ips[_i].in)), ips[_i].out != NULL);
	if (ips[_i].out == NULL)
		return;
	ip_put(&w, &ip);
	g = wire_reader(span_from(text, w.n));
	ip_get(&g, &back);
	ck_assert(wire_done(&g));
	ip_format(text, &back);
	ck_assert_str_eq(text, ips[_i].out);
	ck_assert_int_eq(ip_is_v4(&ip), strchr(ips[_i].out, '.') != NULL);
}
END_TEST

START_TEST(socket_addresses_and_back)
{
	struct sockaddr_storage ss;
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct ip ip, back;

	ck_assert(ip_parse(&ip, SPAN("192.0.2.1")));
	ck_assert_uint_eq(
	    ip_to_sockaddr(&ss, &ip, 25), sizeof(struct sockaddr_in));
	ck_assert_int_eq(ss.ss_family, AF_INET);
	ck_assert_uint_eq(((struct sockaddr_in *)&ss)->sin_port, htons(25));
	ck_assert(ip_from_sockaddr(&back, (struct sockaddr *)&ss));
	ck_assert_mem_eq(&ip, &back, sizeof ip);
	ck_assert(ip_parse(&ip, SPAN("2001:db8::1")));
	ck_assert_uint_eq(
	    ip_to_sockaddr(&ss, &ip, 25), sizeof(struct sockaddr_in6));
	ck_assert_int_eq(ss.ss_family, AF_INET6);
	ck_assert_uint_eq(((struct sockaddr_in6 *)&ss)->sin6_port, htons(25));
	ck_assert(ip_from_sockaddr(&back, (struct sockaddr *)&ss));
	ck_assert_mem_eq(&ip, &back, sizeof ip);
	ck_assert(!ip_from_sockaddr(&back, (struct sockaddr *)&un));
}
END_TEST

static const struct {
	const char *block, *ip;
	bool has;
} pairs[] = {
	{ "192.0.2.0/24", "192.0.2.0", true },
	{ "192.0.2.0/24", "192.0.2.255", true },
	{ "192.0.2.0/24", "192.0.3.0", false },
	{ "192.0.2.77/24", "192.0.2.1", true },
	{ "192.0.2.128/25", "192.0.2.128", true },
	{ "192.0.2.128/25", "192.0.2.127", false },
	{ "192.0.2.4/31", "192.0.2.5", true },
	{ "192.0.2.4/31", "192.0.2.6", false },
	{ "192.0.2.4/32", "192.0.2.4", true },
	{ "192.0.2.4/32", "192.0.2.5", false },
	{ "192.0.2.4", "192.0.2.4", true },
	{ "192.0.2.4", "192.0.2.5", false },
	{ "0.0.0.0/0", "203.0.113.9", true },
	{ "0.0.0.0/0", "2001:db8::1", false },
	{ "0.0.0.0/1", "127.0.0.1", true },
	{ "0.0.0.0/1", "128.0.0.1", false },
	{ "::/0", "2001:db8::1", true },
	{ "::/0", "203.0.113.9", false },
	{ "::ffff:0:0/96", "203.0.113.9", true },
	{ "::1/128", "::1", true },
	{ "::1/128", "::2", false },
	{ "::1", "::1", true },
	{ "2001:db8::/33", "2001:db8:7fff::1", true },
	{ "2001:db8::/33", "2001:db8:8000::1", false },
	{ "127.0.0.0/8", "::1", false },
};

START_TEST(blocks_hold_their_addresses)
{
	struct netblock b;
	struct ip ip;

	ck_assert(netblock_parse(&b, span_of(pairs[_i].block)));
	ck_assert(ip_parse(&ip, span_of(pairs[_i].ip)));
	ck_assert_int_eq(netblock_has(&b, &ip), pairs[_i].has);
}
END_TEST

START_TEST(what_is_no_block)
{
	static const char *const bad[] = { "", "/", "/8", "127.0.0.0/",
		"127.0.0.0/33", "127.0.0.0/-1", "127.0.0.0/+8", "127.0.0.0/ 8",
		"127.0.0.0/8 ", "127.0.0.0/8/8", "127.0.0.0//8", "127.0/8",
		"::/129", "::1/", "[::1]/128", "127.0.0.0/255.0.0.0",
		"localhost/8", "127.0.0.0/4294967304" };
	struct netblock b = { .bits = 7 };

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert(!netblock_parse(&b, span_of(bad[i])));
	ck_assert(!netblock_parse(&b, (struct span){ NULL, 0 }));
	ck_assert(!netblock_parse(&b, SPAN("127.0.0.0\0/8")));
	ck_assert_uint_eq(b.bits, 7);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("netblock");
	TCase *t = tcase_create("netblock");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(
	    t, addresses_are_read_and_written, 0, sizeof ips / sizeof *ips);
	tcase_add_test(t, socket_addresses_and_back);
	tcase_add_loop_test(
	    t, blocks_hold_their_addresses, 0, sizeof pairs / sizeof *pairs);
	tcase_add_test(t, what_is_no_block);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
