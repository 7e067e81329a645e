/*
 * test_wire.c - what is put is got, and nothing else is.
 */
#include <check.h>

#include "common/bytes/wire.h"

static size_t
put_all(void *p, size_t max, bool *bad)
{
	struct wire_put w = wire_writer(p, max);

	wire_put_u8(&w, 0xfe);
	wire_put_u16(&w, 0x1234);
	wire_put_u32(&w, 0xdeadbeef);
	wire_put_u64(&w, 0x0123456789abcdef);
	wire_put_span(&w, SPAN("sp\0n"));
	wire_put_str(&w, "text");
	wire_put_bytes(&w, "raw", 3);
	wire_put_u8(&w, 2);
	wire_put_u8(&w, 1);
	*bad = w.bad;
	return w.n;
}

#define ALL_SIZE (1 + 2 + 4 + 8 + 4 + 4 + 4 + 4 + 3 + 1 + 1)

START_TEST(what_was_put_comes_back)
{
	char p[ALL_SIZE], text[5], raw[3];
	bool bad;
	size_t n = put_all(p, sizeof p, &bad);
	struct wire_get w = wire_reader(span_from(p, n));

	ck_assert(!bad);
	ck_assert_uint_eq(n, ALL_SIZE);
	ck_assert_mem_eq(p, "\xfe\x34\x12\xef\xbe\xad\xde", 7);
	ck_assert_uint_eq(wire_get_u8(&w), 0xfe);
	ck_assert_uint_eq(wire_get_u16(&w), 0x1234);
	ck_assert_uint_eq(wire_get_u32(&w), 0xdeadbeef);
	ck_assert_uint_eq(wire_get_u64(&w), 0x0123456789abcdef);
	ck_assert(span_eq(wire_get_span(&w), SPAN("sp\0n")));
	wire_get_str(&w, text, sizeof text);
	ck_assert_str_eq(text, "text");
	wire_get_bytes(&w, raw, sizeof raw);
	ck_assert_mem_eq(raw, "raw", 3);
	ck_assert(!wire_done(&w));
	ck_assert_uint_eq(wire_get_enum(&w, 3), 2);
	ck_assert(wire_get_bool(&w));
	ck_assert(wire_done(&w));
	/* One octet beyond the end. */
	ck_assert_uint_eq(wire_get_u8(&w), 0);
	ck_assert(w.bad && !wire_done(&w));
}
END_TEST

START_TEST(each_truncation_is_bad_and_gets_zeros)
{
	char p[ALL_SIZE], text[5], raw[3] = "zzz";
	bool bad;

	put_all(p, sizeof p, &bad);
	for (size_t n = 0; n < ALL_SIZE; n++) {
		struct wire_get w = wire_reader(span_from(p, n));

		wire_get_u8(&w), wire_get_u16(&w), wire_get_u32(&w);
		wire_get_u64(&w), wire_get_span(&w);
		wire_get_str(&w, text, sizeof text);
		wire_get_bytes(&w, raw, sizeof raw);
		wire_get_enum(&w, 3), wire_get_bool(&w);
		ck_assert(w.bad && !wire_done(&w));
		/* It stays bad, whatever is left. */
		ck_assert_uint_eq(wire_get_u8(&w), 0);
		ck_assert_uint_eq(wire_get_span(&w).n, 0);
		wire_get_str(&w, text, sizeof text);
		ck_assert_str_eq(text, "");
		wire_get_bytes(&w, raw, sizeof raw);
		ck_assert_mem_eq(raw, "\0\0\0", 3);
	}
}
END_TEST

START_TEST(a_writer_never_passes_its_end)
{
	char p[ALL_SIZE + 1];
	bool bad;

	for (size_t max = 0; max < ALL_SIZE; max++) {
		memset(p, 'z', sizeof p);
		ck_assert_uint_le(put_all(p, max, &bad), max);
		ck_assert(bad);
		ck_assert_int_eq(p[max], 'z');
	}
}
END_TEST

START_TEST(a_length_that_lies_is_bad)
{
	const struct span lies[] = { SPAN("\x05\0\0\0abcd"),
		SPAN("\xff\xff\xff\xff"),
		SPAN("\xff\xff\xff\xff"
		     "abcd"),
		SPAN("\0\0\0\x80"
		     "abcd") };

	for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
		struct wire_get w = wire_reader(lies[i]);

		ck_assert_uint_eq(wire_get_span(&w).n, 0);
		ck_assert(w.bad);
		/* What is left is not given out any more. */
		ck_assert_uint_eq(wire_get_u8(&w), 0);
	}
}
END_TEST

START_TEST(strings_that_do_not_fit_or_hold_a_nul_are_bad)
{
	struct wire_get w = wire_reader(SPAN("\x04\0\0\0abcd"));
	char text[4];

	wire_get_str(&w, text, sizeof text);
	ck_assert(w.bad);
	ck_assert_str_eq(text, "");
	w = wire_reader(SPAN("\x03\0\0\0a\0c"));
	wire_get_str(&w, text, sizeof text);
	ck_assert(w.bad);
	ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(enums_and_bools_are_checked)
{
	struct wire_get w = wire_reader(SPAN("\x03\x00"));

	ck_assert_uint_eq(wire_get_enum(&w, 3), 0);
	ck_assert(w.bad);
	w = wire_reader(SPAN("\x02"));
	ck_assert(!wire_get_bool(&w));
	ck_assert(w.bad);
	w = wire_reader(SPAN("\x00"));
	ck_assert(!wire_get_bool(&w));
	ck_assert(wire_done(&w));
}
END_TEST

START_TEST(a_reader_of_nothing_is_done)
{
	struct wire_get w = wire_reader((struct span){ NULL, 0 });

	ck_assert(wire_done(&w));
	wire_get_bytes(&w, NULL, 0);
	ck_assert(wire_done(&w));
	ck_assert_ptr_nonnull(wire_get_span(&w).p);
	ck_assert(w.bad);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("wire");
	TCase *t = tcase_create("wire");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, what_was_put_comes_back);
	tcase_add_test(t, each_truncation_is_bad_and_gets_zeros);
	tcase_add_test(t, a_writer_never_passes_its_end);
	tcase_add_test(t, a_length_that_lies_is_bad);
	tcase_add_test(t, strings_that_do_not_fit_or_hold_a_nul_are_bad);
	tcase_add_test(t, enums_and_bools_are_checked);
	tcase_add_test(t, a_reader_of_nothing_is_done);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
