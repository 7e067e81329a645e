/*
 * test_proxy.c - headers of the PROXY protocol, in pieces of any size.
 */
#include <check.h>

#include "smtpd/proxy.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4	  "\xc0\0\2\1\xc0\0\2\2\x12\x34\0\x19"
#define V6 \
	"\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x20\1\x0d\xb8" \
	"\0\0\0\0\0\0\0\0\0\0\0\2\x12\x34\0\x19"

static const struct {
	struct span in;
	enum proxy_result result;
	const char *client;
	size_t rest;
} rows[] = {
	{ SPAN("PROXY TCP4 192.0.2.1 192.0.2.2 56324 25\r\nEHLO x\r\n"),
	    PROXY_ADDRESS, "192.0.2.1", 8 },
	{ SPAN("PROXY TCP6 2001:db8::1 2001:db8::2 0 65535\r\n"), PROXY_ADDRESS,
	    "2001:db8::1", 0 },
	{ SPAN("PROXY UNKNOWN\r\n"), PROXY_ITSELF, NULL, 0 },
	{ SPAN("PROXY UNKNOWN ffff::1 what ever\r\n."), PROXY_ITSELF, NULL, 1 },
	{ SPAN(SIGNATURE "\x21\x11\0\x0c" V4 "x"), PROXY_ADDRESS, "192.0.2.1",
	    1 },
	{ SPAN(SIGNATURE "\x21\x11\0\x0f" V4 "\4\0\0"), PROXY_ADDRESS,
	    "192.0.2.1", 0 },
	{ SPAN(SIGNATURE "\x21\x21\0\x24" V6), PROXY_ADDRESS, "2001:db8::1",
	    0 },
	{ SPAN(SIGNATURE "\x20\0\0\0"), PROXY_ITSELF, NULL, 0 },
	{ SPAN(SIGNATURE "\x20\x11\0\x0c" V4), PROXY_ITSELF, NULL, 0 },
	{ SPAN(SIGNATURE "\x21\0\0\3xyz"), PROXY_ITSELF, NULL, 0 },
	{ SPAN("EHLO client.example\r\n"), PROXY_BAD, NULL, 0 },
	{ SPAN("proxy UNKNOWN\r\n"), PROXY_BAD, NULL, 0 },
	{ SPAN("PROXY\r\n"), PROXY_BAD, NULL, 0 },
	{ SPAN("PROXY \r\n"), PROXY_BAD, NULL, 0 },
	{ SPAN("PROXY TCP5 192.0.2.1 192.0.2.2 1 25\r\n"), PROXY_BAD, NULL, 0 },
	{ SPAN("PROXY TCP6 192.0.2.1 192.0.2.2 1 25\r\n"), PROXY_BAD, NULL, 0 },
	{ SPAN("PROXY TCP4 192.0.2.1 2001:db8::1 1 25\r\n"), PROXY_BAD, NULL,
	    0 },
	{ SPAN("PROXY TCP4 192.0.2.256 192.0.2.2 1 25\r\n"), PROXY_BAD, NULL,
	    0 },
	{ SPAN("PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n"), PROXY_BAD, NULL, 0 },
	{ SPAN("PROXY TCP4 192.0.2.1 192.0.2.2 1 25 x\r\n"), PROXY_BAD, NULL,
	    0 },
	{ SPAN("PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n"), PROXY_BAD, NULL,
	    0 },
	{ SPAN("PROXY TCP4 192.0.2.1 192.0.2.2 -1 25\r\n"), PROXY_BAD, NULL,
	    0 },
	{ SPAN("PROXY TCP4 192.0.2.1 192.0.2.2 01 25\r\n"), PROXY_BAD, NULL,
	    0 },
	{ SPAN("PROXY TCP4  192.0.2.1 192.0.2.2 1 25\r\n"), PROXY_BAD, NULL,
	    0 },
	{ SPAN(SIGNATURE "\x11\x11\0\x0c" V4), PROXY_BAD, NULL, 0 },
	{ SPAN(SIGNATURE "\x22\x11\0\x0c" V4), PROXY_BAD, NULL, 0 },
	{ SPAN(SIGNATURE "\x21\x11\0\x0b" V4), PROXY_BAD, NULL, 0 },
	{ SPAN(SIGNATURE "\x21\x21\0\x0c" V4), PROXY_BAD, NULL, 0 },
	{ SPAN(SIGNATURE "\x21\x11\xff\xff" V4), PROXY_BAD, NULL, 0 },
	{ SPAN("\r\n\r\nQUIT\r\n"), PROXY_BAD, NULL, 0 },
	{ SPAN("\x16\3\1\2\0\1"), PROXY_BAD, NULL, 0 },
};

START_TEST(a_header_is_read_in_any_pieces)
{
	enum proxy_result result = PROXY_MORE;
	char text[IP_TEXT_MAX];
	size_t n = 0;

	while (result == PROXY_MORE && n < rows[_i].in.n) {
		struct span in = span_from(rows[_i].in.p, ++n);
		struct ip ip;

		result = proxy_read(&in, &ip);
		if (result == PROXY_MORE)
			ck_assert_uint_eq(in.n, n);
		else if (result != PROXY_BAD)
			ck_assert_uint_eq(in.n, 0);
		if (result == PROXY_ADDRESS) {
			ip_format(text, &ip);
			ck_assert_str_eq(text, rows[_i].client);
		}
	}
	ck_assert_int_eq(result, rows[_i].result);
	if (result != PROXY_BAD)
		ck_assert_uint_eq(n + rows[_i].rest, rows[_i].in.n);
}
END_TEST

START_TEST(a_line_without_end_is_none)
{
	char text[200] = "PROXY UNKNOWN ";
	struct span in = span_from(text, 106);
	struct ip ip;

	memset(text + 14, 'x', sizeof text - 14);
	ck_assert_int_eq(proxy_read(&in, &ip), PROXY_MORE);
	in = span_from(text, 107);
	ck_assert_int_eq(proxy_read(&in, &ip), PROXY_BAD);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("proxy");
	TCase *t = tcase_create("proxy");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, a_header_is_read_in_any_pieces, 0,
	    (int)(sizeof rows / sizeof *rows));
	tcase_add_test(t, a_line_without_end_is_none);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
