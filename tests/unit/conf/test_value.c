/*
 * test_value.c - numbers with units, hosts with ports, names of users.
 */
#include <check.h>

#include "common/mail/address.h"
#include "master/conf/value.h"

static const struct {
	const char *text;
	enum value_unit unit;
	bool ok;
	uint64_t n;
} numbers[] = {
	{ "0", VALUE_PLAIN, true, 0 },
	{ "100", VALUE_PLAIN, true, 100 },
	{ "18446744073709551615", VALUE_PLAIN, true, UINT64_MAX },
	{ "18446744073709551616", VALUE_PLAIN, false, 0 },
	{ "", VALUE_PLAIN, false, 0 },
	{ "5m", VALUE_PLAIN, false, 0 },
	{ "-1", VALUE_PLAIN, false, 0 },
	{ "+1", VALUE_PLAIN, false, 0 },
	{ " 1", VALUE_PLAIN, false, 0 },
	{ "0x10", VALUE_PLAIN, false, 0 },
	{ "1K", VALUE_SIZE, true, 1024 },
	{ "50M", VALUE_SIZE, true, 50 * 1024 * 1024 },
	{ "2G", VALUE_SIZE, true, UINT64_C(2) * 1024 * 1024 * 1024 },
	{ "17179869183G", VALUE_SIZE, true, UINT64_C(17179869183) << 30 },
	{ "17179869184G", VALUE_SIZE, false, 0 },
	{ "50m", VALUE_SIZE, false, 0 },
	{ "50MB", VALUE_SIZE, false, 0 },
	{ "50 M", VALUE_SIZE, false, 0 },
	{ "M", VALUE_SIZE, false, 0 },
	{ "1.5M", VALUE_SIZE, false, 0 },
	{ "5s", VALUE_TIME, true, 5 },
	{ "5m", VALUE_TIME, true, 300 },
	{ "4h", VALUE_TIME, true, 14400 },
	{ "7d", VALUE_TIME, true, 604800 },
	{ "7D", VALUE_TIME, false, 0 },
	{ "1w", VALUE_TIME, false, 0 },
	{ "1h30m", VALUE_TIME, false, 0 },
	{ "5K", VALUE_TIME, false, 0 },
};

START_TEST(numbers_have_one_unit_and_no_overflow)
{
	uint64_t n = 77;
	bool ok = value_number(span_of(numbers[_i].text), numbers[_i].unit, &n);

	ck_assert_msg(ok == numbers[_i].ok, "%s", numbers[_i].text);
	ck_assert_uint_eq(n, ok ? numbers[_i].n : 77);
}
END_TEST

static const struct {
	uint64_t n;
	enum value_unit unit;
	const char *text;
} formats[] = {
	{ 0, VALUE_SIZE, "0" },
	{ 1023, VALUE_SIZE, "1023" },
	{ 1536 * 1024, VALUE_SIZE, "1536K" },
	{ UINT64_C(1) << 31, VALUE_SIZE, "2G" },
	{ 90, VALUE_TIME, "90s" },
	{ 2 * 86400, VALUE_TIME, "2d" },
	{ 3600, VALUE_PLAIN, "3600" },
	{ UINT64_MAX, VALUE_PLAIN, "18446744073709551615" },
};

START_TEST(what_is_written_is_read_the_same)
{
	char text[VALUE_TEXT_MAX];
	uint64_t n;

	value_format(text, formats[_i].n, formats[_i].unit);
	ck_assert_str_eq(text, formats[_i].text);
	ck_assert(value_number(span_of(text), formats[_i].unit, &n));
	ck_assert_uint_eq(n, formats[_i].n);
}
END_TEST

static const struct {
	const char *text;
	uint16_t standard; /* 0: the port must be there */
	const char *host;  /* NULL: wrong */
	uint16_t port;
} endpoints[] = {
	{ "192.0.2.1:25", 0, "192.0.2.1", 25 },
	{ "0.0.0.0:0", 0, "0.0.0.0", 0 },
	{ "[::1]:2525", 0, "::1", 2525 },
	{ "[2001:DB8:0::1]:25", 0, "2001:db8::1", 25 },
	{ "MX.Example.org:2526", 0, "mx.example.org", 2526 },
	{ "mx.example.org", 25, "mx.example.org", 25 },
	{ "192.0.2.1", 25, "192.0.2.1", 25 },
	{ "[::1]", 25, "::1", 25 },
	{ "mx.example.org:587", 25, "mx.example.org", 587 },
	{ "mx.example.org", 0, NULL, 0 },
	{ "[::1]", 0, NULL, 0 },
	{ "", 25, NULL, 0 },
	{ ":25", 0, NULL, 0 },
	{ "192.0.2.1:", 0, NULL, 0 },
	{ "192.0.2.1:65536", 0, NULL, 0 },
	{ "192.0.2.1:25x", 0, NULL, 0 },
	{ "192.0.2.1:25:26", 0, NULL, 0 },
	{ "::1:25", 0, NULL, 0 },
	{ "[::1:25", 0, NULL, 0 },
	{ "[::1]25", 0, NULL, 0 },
	{ "[::1]:", 0, NULL, 0 },
	{ "[192.0.2.1]:25", 0, NULL, 0 },
	{ "[mx.example.org]:25", 0, NULL, 0 },
	{ "[]:25", 0, NULL, 0 },
	{ "a b:25", 0, NULL, 0 },
};

START_TEST(endpoints_are_a_host_and_a_port)
{
	char host[ADDRESS_DOMAIN_MAX + 1];
	uint16_t port = endpoints[_i].standard;
	bool ok = value_endpoint(
	    span_of(endpoints[_i].text), host, sizeof host, &port);

	ck_assert_msg(
	    ok == (endpoints[_i].host != NULL), "%s", endpoints[_i].text);
	if (!ok)
		return;
	ck_assert_str_eq(host, endpoints[_i].host);
	ck_assert_uint_eq(port, endpoints[_i].port);
}
END_TEST

START_TEST(users_have_names_like_users)
{
	static const char *const good[] = { "vmail", "sallyport-mail", "_x",
		"a.b", "User1" };
	static const char *const bad[] = { "", "-x", ".x", "a b", "a:b", "a/b",
		"\xc3\xa4" };

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		ck_assert_msg(value_user(span_of(good[i])), "%s", good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ck_assert_msg(!value_user(span_of(bad[i])), "%s", bad[i]);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("value");
	TCase *t = tcase_create("value");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_loop_test(t, numbers_have_one_unit_and_no_overflow, 0,
	    sizeof numbers / sizeof numbers[0]);
	tcase_add_loop_test(t, what_is_written_is_read_the_same, 0,
	    sizeof formats / sizeof formats[0]);
	tcase_add_loop_test(t, endpoints_are_a_host_and_a_port, 0,
	    sizeof endpoints / sizeof endpoints[0]);
	tcase_add_test(t, users_have_names_like_users);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
