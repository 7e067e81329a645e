/*
 * test_packet.c - DNS messages: what is read, and that nothing a name server
 * sends is read past its end.
 */
#include <check.h>
#include <stdlib.h>

#include "lookup/dns/packet.h"

/* id, flags (with rcode), questions, answers, authority, additional */
#define HEAD(rcode, n) "\x12\x34\x81" rcode "\0\1\0" n "\0\0\0\0"
#define QUESTION       "\7example\3com\0" /* at 12; "com" at 20 */
#define ASKED(type)    QUESTION "\0" type "\0\1"
#define RR(type, size) "\xc0\x0c\0" type "\0\1\0\0\0\x3c\0" size
#define M(text) \
	{ \
		text, sizeof(text) - 1 \
	}

static struct packet_records got;

static const struct row {
	const char *name;
	uint16_t type;
	int rcode;
	struct span message;
	enum packet_status status;
	uint32_t n;
	const char *host; /* or address, of the last record */
} rows[] = {
	{ "A", PACKET_A, 0,
	    M(HEAD("\x80", "\1") ASKED("\1") RR("\1", "\4") "\xc0\0\2\1"),
	    PACKET_FOUND, 1, "192.0.2.1" },
	{ "AAAA", PACKET_AAAA, 0,
	    M(HEAD("\x80", "\1") ASKED("\x1c") RR(
		"\x1c", "\x10") "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"),
	    PACKET_FOUND, 1, "2001:db8::1" },
	{ "MX, compressed, upper case", PACKET_MX, 0,
	    M(HEAD("\x80", "\1") ASKED("\xf")
		    RR("\xf", "\7") "\0\12\2Mx\xc0\x0c"),
	    PACKET_FOUND, 1, "mx.example.com" },
	{ "MX of the root", PACKET_MX, 0,
	    M(HEAD("\x80", "\1") ASKED("\xf") RR("\xf", "\3") "\0\0\0"),
	    PACKET_FOUND, 1, "" },
	{ "CNAME first", PACKET_A, 0,
	    M(HEAD("\x80", "\2") ASKED("\1")
		    RR("\5", "\4") "\1x\xc0\x14"
				   "\1x\xc0\x14\0\1\0\1\0\0\0\0\0\4"
				   "\xc0\0\2\2"),
	    PACKET_FOUND, 1, "192.0.2.2" },
	{ "no record", PACKET_A, 0, M(HEAD("\x80", "\0") ASKED("\1")),
	    PACKET_NODATA, 0, NULL },
	{ "only others", PACKET_A, 0,
	    M(HEAD("\x80", "\1") ASKED("\1") RR("\x10", "\2") "\1x"),
	    PACKET_NODATA, 0, NULL },
	{ "NXDOMAIN in the message", PACKET_A, 0,
	    M(HEAD("\x83", "\0") ASKED("\1")), PACKET_NO_NAME, 0, NULL },
	{ "NXDOMAIN beside it", PACKET_A, 3, { "", 0 }, PACKET_NO_NAME, 0,
	    NULL },
	{ "SERVFAIL", PACKET_A, 0, M(HEAD("\x82", "\0") ASKED("\1")),
	    PACKET_FAILED, 0, NULL },
	{ "SERVFAIL beside it", PACKET_A, 2, { "", 0 }, PACKET_FAILED, 0,
	    NULL },
	{ "nothing", PACKET_A, 0, { "", 0 }, PACKET_FAILED, 0, NULL },
	{ "an address of five octets is of no use", PACKET_A, 0,
	    M(HEAD("\x80", "\1") ASKED("\1") RR("\1", "\5") "\xc0\0\2\1\1"),
	    PACKET_FOUND, 0, NULL },
	{ "a host with a blank is of no use", PACKET_MX, 0,
	    M(HEAD("\x80", "\1") ASKED("\xf")
		    RR("\xf", "\7") "\0\12\2m \xc0\x0c"),
	    PACKET_FOUND, 0, NULL },
	{ "a dot within a label is of no use", PACKET_MX, 0,
	    M(HEAD("\x80", "\1") ASKED("\xf")
		    RR("\xf", "\7") "\0\12\2m.\xc0\x0c"),
	    PACKET_FOUND, 0, NULL },
	{ "octets behind the name", PACKET_MX, 0,
	    M(HEAD("\x80", "\1") ASKED("\xf") RR("\xf", "\6") "\0\12\1m\0x"),
	    PACKET_FOUND, 0, NULL },
	{ "a pointer to itself", PACKET_MX, 0,
	    M(HEAD("\x80", "\1") ASKED("\xf") RR("\xf", "\4") "\0\12\xc0\x2b"),
	    PACKET_FOUND, 0, NULL },
	{ "an owner that points to itself", PACKET_A, 0,
	    M(HEAD("\x80", "\1")
		    ASKED("\1") "\xc0\x1d\0\1\0\1\0\0\0\0\0\4\xc0\0\2\1"),
	    PACKET_FAILED, 0, NULL },
	{ "a label of 64", PACKET_MX, 0,
	    M(HEAD("\x80", "\1") ASKED("\xf") RR("\xf", "\4") "\0\12\x40\0"),
	    PACKET_FOUND, 0, NULL },
};
#define NROWS (int)(sizeof rows / sizeof rows[0])

START_TEST(messages_are_read)
{
	const struct row *r = &rows[_i];
	char ip[IP_TEXT_MAX];

	packet_parse(&got, r->type, r->rcode, r->message);
	ck_assert_msg(
	    got.status == r->status, "%s: status %d", r->name, got.status);
	ck_assert_msg(got.n == r->n, "%s: %u records", r->name, got.n);
	if (r->host == NULL)
		return;
	ip_format(ip, &got.r[got.n - 1].ip);
	ck_assert_str_eq(
	    r->type == PACKET_MX ? got.r[got.n - 1].host : ip, r->host);
}
END_TEST

/* In memory of exactly that size, so that a sanitizer sees one octet too many. */
static void
parse_copy(uint16_t type, const char *p, size_t n)
{
	char *copy = malloc(n > 0 ? n : 1);

	memcpy(copy, p, n);
	packet_parse(&got, type, 0, span_from(copy, n));
	free(copy);
}

START_TEST(a_truncated_message_is_a_failed_lookup)
{
	const struct row *r = &rows[_i];

	for (size_t n = 0; n < r->message.n; n++) {
		parse_copy(r->type, r->message.p, n);
		ck_assert_uint_eq(got.n, 0);
		ck_assert(got.status == PACKET_FAILED ||
		    got.status == PACKET_NO_NAME);
	}
}
END_TEST

START_TEST(any_octet_may_be_wrong)
{
	const struct row *r = &rows[_i];
	char p[256];

	memcpy(p, r->message.p, r->message.n);
	for (size_t i = 0; i < r->message.n; i++)
		for (int c = 0; c < 256; c++) {
			p[i] = (char)c;
			parse_copy(r->type, p, r->message.n);
			p[i] = r->message.p[i];
			ck_assert_uint_le(got.n, 2);
		}
}
END_TEST

START_TEST(more_records_than_there_is_room_for)
{
	static const char rr[] = RR("\1", "\4") "\xc0\0\2\1";
	char p[4096];
	size_t n = sizeof HEAD("\x80", "\1") ASKED("\1") - 1;

	memcpy(p, HEAD("\x80", "\1") ASKED("\1"), n);
	p[7] = 100;
	for (int i = 0; i < 100; i++, n += sizeof rr - 1)
		memcpy(p + n, rr, sizeof rr - 1);
	parse_copy(PACKET_A, p, n);
	ck_assert_int_eq(got.status, PACKET_FOUND);
	ck_assert_uint_eq(got.n, PACKET_RECORDS_MAX);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("packet");
	TCase *t = tcase_create("packet");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, messages_are_read, 0, NROWS);
	tcase_add_loop_test(
	    t, a_truncated_message_is_a_failed_lookup, 0, NROWS);
	tcase_add_loop_test(t, any_octet_may_be_wrong, 0, NROWS);
	tcase_add_test(t, more_records_than_there_is_room_for);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
