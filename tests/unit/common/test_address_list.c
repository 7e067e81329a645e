/*
 * test_address_list.c - addresses out of what people write.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/mail/address_list.h"

static const struct {
	const char *in;
	const char *out; /* with a blank behind each; '!' for "no list" */
} lists[] = {
	{ "", "" },
	{ " \t\r\n ", "" },
	{ "(nobody)", "" },
	{ ",, ,", "" },
	{ "alice", "alice " },
	{ "alice@B.Example", "alice@b.example " },
	{ "<alice@b.example>", "alice@b.example " },
	{ "<alice>", "alice " },
	{ "alice,bob@b , <carol@c>", "alice bob@b carol@c " },
	{ "Alice Liddell <alice@b>", "alice@b " },
	{ "J. R. \"Bob\" Dobbs <bob@b>, x", "bob@b x " },
	{ "\"Liddell, Alice\" <alice@b>", "alice@b " },
	{ "\"a \\\"b\\\" <x@y>\" <alice@b>", "alice@b " },
	{ "\xc3\x84nne <a@b>", "a@b " },
	{ "alice(the (first) \\) one)@(here)b.example (x)",
	    "alice@b.example " },
	{ "alice @ b . example", "alice@b.example " },
	{ "a.b . c@d", "a.b.c@d " },
	{ "\"a b\"@c", "\"a b\"@c " },
	{ "\"a\r\n b\"@c", "\"a b\"@c " },
	{ "\"a\\\"b\"@c", "\"a\\\"b\"@c " },
	{ "\"alice\"", "alice " },
	{ "a@[192.0.2.1]", "a@[192.0.2.1] " },
	{ "x <a@[IPv6:2001:db8::1]>", "a@[IPv6:2001:db8::1] " },
	{ "<@r1.example,@r2.example:a@b>", "a@b " },
	{ "<@r1.example , , @r2 : a@b>", "a@b " },
	{ "undisclosed-recipients:;", "" },
	{ "Friends: a@b, Carol <c@d>;, e@f", "a@b c@d e@f " },
	{ "My \"dear\" friends : a@b ; c", "a@b c " },
	{ "x:;y:a;", "a " },
	{ "x: a@b", "a@b " }, /* who forgot the end */
	{ "a@b,\r\n\tc@d", "a@b c@d " },
	{ "a b@c", "!" },
	{ "a@b c@d", "!" },
	{ "a@b; c@d", "!" },
	{ "a@b <c@d> e", "!" },
	{ "<a@b> <c@d>", "!" },
	{ "<>", "!" },
	{ "x <>", "!" },
	{ "<a@b", "!" },
	{ "a@b>", "!" },
	{ "a@", "!" },
	{ "@b", "!" },
	{ "a@b@c", "!" },
	{ "a..b@c", "!" },
	{ "a@b..c", "!" },
	{ "x(", "!" },
	{ "(x", "!" },
	{ "x)", "!" },
	{ "\"x", "!" },
	{ "\"x\\", "!" },
	{ "a@[", "!" },
	{ "a@[x]", "!" },
	{ "[x]", "!" },
	{ "x: y: z;;", "!" },
	{ ":;", "!" },
	{ "<x:a@b>", "!" },
	{ "a\\b@c", "!" },
	{ "a\x01@c", "!" },
	{ "a@b, c\x7f@d", "a@b !" },
	{ "\xc3\xa4@b", "!" },
	{ "\"a\x01\"@b", "!" },
	{ "ok@b, not ok, fine@b", "ok@b !" },
};

/* What comes out, written as in the table. */
static void
collect(char *dst, size_t size, struct span in)
{
	struct address_list l;
	enum address_list_result r;
	struct address a;
	struct span text;
	size_t n = 0;

	dst[0] = '\0';
	address_list_init(&l, in);
	while ((r = address_list_next(&l, &a, &text)) == ADDRESS_LIST_NEXT) {
		ck_assert(text.n > 0 && text.p >= in.p &&
		    text.p + text.n <= in.p + in.n);
		n += (size_t)snprintf(dst + n, size - n, "%s ", a.text);
	}
	if (r == ADDRESS_LIST_END)
		return;
	snprintf(dst + n, size - n, "!");
	ck_assert(text.n > 0 && text.p + text.n <= in.p + in.n);
	/* It stays at its end. */
	ck_assert_int_eq(address_list_next(&l, &a, &text), ADDRESS_LIST_END);
}

START_TEST(lists_of_people)
{
	char out[512];

	collect(out, sizeof out, span_of(lists[_i].in));
	ck_assert_str_eq(out, lists[_i].out);
}
END_TEST

/* Each beginning of each list, where nothing may be read behind its end. */
START_TEST(truncations_are_read_to_their_end_only)
{
	struct span in = span_of(lists[_i].in);
	char out[512];

	for (size_t n = 0; n <= in.n; n++) {
		char *copy = malloc(n + 1);

		ck_assert_ptr_nonnull(copy);
		memcpy(copy, in.p, n);
		/* Were it read, the address would be longer. */
		copy[n] = 'z';
		collect(out, sizeof out, span_from(copy, n));
		ck_assert_ptr_null(strchr(out, 'z'));
		free(copy);
	}
}
END_TEST

START_TEST(a_nul_is_no_end)
{
	char out[512];

	collect(out, sizeof out, SPAN("a@b\0, c@d"));
	ck_assert_str_eq(out, "!");
	collect(out, sizeof out, SPAN("\"a\0\"@b"));
	ck_assert_str_eq(out, "!");
}
END_TEST

START_TEST(names_may_be_long_and_addresses_may_not)
{
	char in[2048], out[512];

	memset(in, 'x', sizeof in);
	strcpy(in + 1000, " <a@b>");
	collect(out, sizeof out, span_of(in));
	ck_assert_str_eq(out, "a@b ");
	strcpy(in + 1000, "@b");
	collect(out, sizeof out, span_of(in));
	ck_assert_str_eq(out, "!");
	/* Nor does their nesting cost anything. */
	memset(in, '(', 1000);
	memset(in + 1000, ')', 1000);
	strcpy(in + 2000, "a@b");
	collect(out, sizeof out, span_of(in));
	ck_assert_str_eq(out, "a@b ");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("address_list");
	TCase *t = tcase_create("address_list");
	SRunner *r = srunner_create(s);
	int failed, n = sizeof lists / sizeof *lists;

	tcase_add_loop_test(t, lists_of_people, 0, n);
	tcase_add_loop_test(t, truncations_are_read_to_their_end_only, 0, n);
	tcase_add_test(t, a_nul_is_no_end);
	tcase_add_test(t, names_may_be_long_and_addresses_may_not);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
