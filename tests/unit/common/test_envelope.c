/*
 * test_envelope.c - an envelope travels as it is, and only if it can be one.
 */
#include <check.h>

#include "common/mail/envelope.h"

static const struct {
	struct envelope e;
	bool ok;
} envelopes[] = {
	{ { SPAN("a@b.example"), SPAN("client.example"), SPAN("192.0.2.1"),
	      WITH_ESMTP, BODY_8BITMIME, 3, 0, 0, false },
	    true },
	{ { SPAN(""), SPAN(""), SPAN(""), WITH_LOCAL, BODY_7BIT, 1, 1000,
	      LACKS_FROM | LACKS_DATE, false },
	    true },
	{ { SPAN("\"a b\"@x"), SPAN("odd (helo)\x01\xff"), SPAN("2001:db8::1"),
	      WITH_SMTP, BODY_7BIT, UINT32_MAX, 0, 0, false },
	    true },
	{ { SPAN("a@B.example"), SPAN(""), SPAN(""), 0, 0, 1, 0, 0, false },
	    false },
	{ { SPAN("\"a\"@b"), SPAN(""), SPAN(""), 0, 0, 1, 0, 0, false },
	    false },
	{ { SPAN("a"), SPAN(""), SPAN(""), 0, 0, 1, 0, 0, false }, false },
	{ { SPAN("<>"), SPAN(""), SPAN(""), 0, 0, 1, 0, 0, false }, false },
	{ { SPAN("a\n@b"), SPAN(""), SPAN(""), 0, 0, 1, 0, 0, false }, false },
	{ { SPAN(""), SPAN("a\nb"), SPAN(""), 0, 0, 1, 0, 0, false }, false },
	{ { SPAN(""), SPAN("a\rb"), SPAN(""), 0, 0, 1, 0, 0, false }, false },
	{ { SPAN(""), SPAN("a\0b"), SPAN(""), 0, 0, 1, 0, 0, false }, false },
	{ { SPAN(""), SPAN(""), SPAN("localhost"), 0, 0, 1, 0, 0, false },
	    false },
	{ { SPAN(""), SPAN(""), SPAN("192.0.2.1 "), 0, 0, 1, 0, 0, false },
	    false },
	{ { SPAN(""), SPAN(""), SPAN(""), WITH_END, 0, 1, 0, 0, false },
	    false },
	{ { SPAN(""), SPAN(""), SPAN(""), 0, BODY_END, 1, 0, 0, false },
	    false },
	{ { SPAN(""), SPAN(""), SPAN(""), WITH_LOCAL, 0, 1, 0, LACKS_END,
	      false },
	    false },
	{ { SPAN(""), SPAN(""), SPAN(""), WITH_ESMTP, 0, 1, 1, 0, false },
	    false },
	{ { SPAN(""), SPAN(""), SPAN(""), WITH_SMTP, 0, 1, 0, LACKS_DATE,
	      false },
	    false },
};

static void
is_empty(const struct envelope *e)
{
	ck_assert_uint_eq(e->sender.n + e->helo.n + e->client.n, 0);
	ck_assert_uint_eq(e->nrcpts, 0);
}

START_TEST(what_can_be_an_envelope_travels)
{
	const struct envelope *e = &envelopes[_i].e;
	struct envelope back;
	struct wire_put w;
	struct wire_get g;
	char p[1024];

	w = wire_writer(p, sizeof p);
	envelope_put(&w, e);
	ck_assert(!w.bad);
	g = wire_reader(span_from(p, w.n));
	envelope_get(&g, &back);
	ck_assert_int_eq(wire_done(&g), envelopes[_i].ok);
	if (!envelopes[_i].ok) {
		is_empty(&back);
		return;
	}
	ck_assert(span_eq(back.sender, e->sender));
	ck_assert(span_eq(back.helo, e->helo));
	ck_assert(span_eq(back.client, e->client));
	ck_assert_int_eq(back.with, e->with);
	ck_assert_int_eq(back.body, e->body);
	ck_assert_uint_eq(back.nrcpts, e->nrcpts);
	ck_assert_uint_eq(back.uid, e->uid);
	ck_assert_uint_eq(back.lacks, e->lacks);
	for (size_t n = 0; n < w.n; n++) {
		g = wire_reader(span_from(p, n));
		envelope_get(&g, &back);
		ck_assert(!wire_done(&g));
		is_empty(&back);
	}
}
END_TEST

START_TEST(a_helo_is_no_longer_than_a_command_line)
{
	static char helo[513], p[1024];
	struct envelope e = { SPAN(""), { helo, 0 }, SPAN(""), 0, 0, 1, 0, 0,
		false },
			back;
	struct wire_put w;
	struct wire_get g;

	memset(helo, 'x', sizeof helo);
	for (e.helo.n = 511; e.helo.n <= 513; e.helo.n++) {
		w = wire_writer(p, sizeof p);
		envelope_put(&w, &e);
		g = wire_reader(span_from(p, w.n));
		envelope_get(&g, &back);
		ck_assert_int_eq(wire_done(&g), e.helo.n <= 512);
	}
}
END_TEST

START_TEST(protocols_have_names)
{
	ck_assert(span_eq(envelope_with_name(WITH_SMTP), SPAN("SMTP")));
	ck_assert(span_eq(envelope_with_name(WITH_ESMTP), SPAN("ESMTP")));
	ck_assert(span_eq(envelope_with_name(WITH_LOCAL), SPAN("local")));
	ck_assert_uint_eq(envelope_with_name(WITH_END).n, 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("envelope");
	TCase *t = tcase_create("envelope");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, what_can_be_an_envelope_travels, 0,
	    sizeof envelopes / sizeof *envelopes);
	tcase_add_test(t, a_helo_is_no_longer_than_a_command_line);
	tcase_add_test(t, protocols_have_names);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
