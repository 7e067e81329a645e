/*
 * test_parameters.c - what stands behind the path of MAIL and RCPT.
 */
#include <check.h>

#include "smtpd/parameters.h"

static const struct {
	const char *text;
	unsigned code; /* 0: taken */
	bool has_size, has_body;
	uint64_t size;
	enum envelope_body body;
} mail[] = {
	{ "", 0, false, false, 0, BODY_7BIT },
	{ " ", 0, false, false, 0, BODY_7BIT },
	{ " SIZE=0", 0, true, false, 0, BODY_7BIT },
	{ " size=12 Body=7bit", 0, true, true, 12, BODY_7BIT },
	{ "  BODY=8BITMIME  SIZE=1", 0, true, true, 1, BODY_8BITMIME },
	{ " body=binarymime", 0, false, true, 0, BODY_BINARYMIME },
	{ " SIZE=00000000000000000001", 0, true, false, 1, BODY_7BIT },
	{ " SIZE=18446744073709551615", 0, true, false, UINT64_MAX, BODY_7BIT },
	{ " SIZE=18446744073709551616", 0, true, false, UINT64_MAX, BODY_7BIT },
	{ " SIZE=000000000000000000001", 501, 0, 0, 0, 0 },
	{ " SIZE=+1", 501, 0, 0, 0, 0 },
	{ " SIZE=0x1", 501, 0, 0, 0, 0 },
	{ " SIZE=1=1", 501, 0, 0, 0, 0 },
	{ " SIZE=1 SIZE=2", 501, 0, 0, 0, 0 },
	{ "SIZE=1", 501, 0, 0, 0, 0 },
	{ "\tSIZE=1", 501, 0, 0, 0, 0 },
	{ " SIZE=1\tBODY=7BIT", 501, 0, 0, 0, 0 },
	{ " BODY=", 501, 0, 0, 0, 0 },
	{ " BODY=9BIT", 501, 0, 0, 0, 0 },
	{ " RET=FULL", 555, 0, 0, 0, 0 },
	{ " AUTH=<>", 555, 0, 0, 0, 0 },
	{ " X-", 555, 0, 0, 0, 0 },
	{ " X\x7f=1", 501, 0, 0, 0, 0 },
	{ " X=\x80", 501, 0, 0, 0, 0 },
	{ " -", 501, 0, 0, 0, 0 },
	{ " =", 501, 0, 0, 0, 0 },
};

START_TEST(parameters_of_mail)
{
	struct mail_parameters p;
	struct reply r = { .code = 0 };

	ck_assert_int_eq(
	    parameters_mail(&p, EXT_ALL, span_of(mail[_i].text), &r),
	    mail[_i].code == 0);
	ck_assert_uint_eq(r.code, mail[_i].code);
	if (r.code != 0)
		return;
	ck_assert_int_eq(p.has_size, mail[_i].has_size);
	ck_assert_int_eq(p.has_body, mail[_i].has_body);
	ck_assert_int_eq(p.body, mail[_i].body);
	if (p.has_size)
		ck_assert_uint_eq(p.size, mail[_i].size);
}
END_TEST

START_TEST(each_truncation_has_one_answer)
{
	static const char whole[] = " SIZE=123 BODY=8BITMIME";
	struct mail_parameters p;
	struct reply r;
	size_t taken = 0;

	for (size_t n = 0; n <= sizeof whole - 1; n++) {
		r.code = 0;
		if (parameters_mail(&p, EXT_ALL, span_from(whole, n), &r)) {
			taken++;
			ck_assert_uint_eq(r.code, 0);
		} else
			ck_assert(r.code == 501 || r.code == 555);
	}
	/* "", " ", three of SIZE, one blank behind it, the whole. */
	ck_assert_uint_eq(taken, 7);
}
END_TEST

START_TEST(rcpt_knows_none)
{
	struct reply r = { .code = 0 };

	ck_assert(parameters_rcpt(SPAN(""), &r));
	ck_assert(parameters_rcpt(SPAN("  "), &r));
	ck_assert_uint_eq(r.code, 0);
	ck_assert(!parameters_rcpt(SPAN(" NOTIFY=NEVER"), &r));
	ck_assert_uint_eq(r.code, 555);
	ck_assert(!parameters_rcpt(SPAN("x"), &r));
	ck_assert_uint_eq(r.code, 501);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("parameters");
	TCase *tc = tcase_create("parameters");
	SRunner *r;
	int failed;

	tcase_add_loop_test(
	    tc, parameters_of_mail, 0, sizeof mail / sizeof *mail);
	tcase_add_test(tc, each_truncation_has_one_answer);
	tcase_add_test(tc, rcpt_knows_none);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
