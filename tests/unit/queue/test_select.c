/*
 * test_select.c - selectors of admin commands, term by term.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "queue/select.h"

static const struct select_subject subject = { .id = 0x0660a6f6c1e2a001,
	.sender = SPAN("Alice@example.org"),
	.rcpt = SPAN("bob@host.example.net"),
	.domain = SPAN("host.example.net"),
	.age = 7200,
	.size = 1000,
	.code = 451,
	.esc = { 4, 7, 12 },
	.state = STATE_DEFERRED,
	.route = SPAN(".example.net"),
	.hop = SPAN("192.0.2.7:2526") };

START_TEST(patterns)
{
	static const struct {
		const char *pattern, *text;
		bool match;
	} rows[] = {
		{ "", "", true },
		{ "", "a", false },
		{ "*", "", true },
		{ "*", "abc", true },
		{ "**", "abc", true },
		{ "a", "A", true },
		{ "a", "ab", false },
		{ "ab", "a", false },
		{ "a*", "a", true },
		{ "a*c", "abbbc", true },
		{ "a*c", "abbb", false },
		{ "*b*", "abc", true },
		{ "*.example", "a.example", true },
		{ "*.example", "example", false },
		{ "*a*b*c", "xxaxxbxxbxc", true },
		{ "*aab", "aaaab", true },
		{ "a?c", "abc", false },
		{ "a*a*a*a*a*a*a*a*a*b",
		    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		ck_assert_msg(select_glob(span_of(rows[i].pattern),
				  span_of(rows[i].text)) == rows[i].match,
		    "%s on %s", rows[i].pattern, rows[i].text);
}
END_TEST

START_TEST(terms)
{
	static const struct {
		enum select_field field;
		enum select_op op;
		const char *text;
		uint64_t number;
		bool match;
	} rows[] = {
		{ SELECT_ID, SELECT_IS, "0660a6f6c1e2a001", 0, true },
		{ SELECT_ID, SELECT_IS, "0660a6f6c1e2a002", 0, false },
		{ SELECT_ID, SELECT_IS, "0660*", 0, true },
		{ SELECT_FROM, SELECT_IS, "alice@example.org", 0, true },
		{ SELECT_FROM, SELECT_IS, "*@example.org", 0, true },
		{ SELECT_FROM, SELECT_IS, "<>", 0, false },
		{ SELECT_FROM, SELECT_IS, "", 0, false },
		{ SELECT_TO, SELECT_IS, "bob@*", 0, true },
		{ SELECT_TO, SELECT_IS, "bo@*", 0, false },
		{ SELECT_DOMAIN, SELECT_IS, "host.example.net", 0, true },
		{ SELECT_DOMAIN, SELECT_IS, "example.net", 0, false },
		{ SELECT_DOMAIN, SELECT_IS, "*.net", 0, true },
		{ SELECT_AGE, SELECT_ABOVE, "", 7199, true },
		{ SELECT_AGE, SELECT_ABOVE, "", 7200, false },
		{ SELECT_AGE, SELECT_BELOW, "", 7201, true },
		{ SELECT_AGE, SELECT_BELOW, "", 7200, false },
		{ SELECT_SIZE, SELECT_IS, "", 1000, true },
		{ SELECT_SIZE, SELECT_ABOVE, "", 1000, false },
		{ SELECT_SIZE, SELECT_BELOW, "", UINT64_MAX, true },
		{ SELECT_CODE, SELECT_IS, "451", 0, true },
		{ SELECT_CODE, SELECT_IS, "4*", 0, true },
		{ SELECT_CODE, SELECT_IS, "5*", 0, false },
		{ SELECT_CODE, SELECT_IS, "4.7.12", 0, true },
		{ SELECT_CODE, SELECT_IS, "4.7.1", 0, false },
		{ SELECT_CODE, SELECT_IS, "4.7.*", 0, true },
		{ SELECT_CODE, SELECT_IS, "5.*", 0, false },
		{ SELECT_STATE, SELECT_IS, "", STATE_DEFERRED, true },
		{ SELECT_STATE, SELECT_IS, "", STATE_ACTIVE, false },
		{ SELECT_ROUTE, SELECT_IS, ".example.net", 0, true },
		{ SELECT_ROUTE, SELECT_IS, "*.NET", 0, true },
		{ SELECT_ROUTE, SELECT_IS, "192.0.2.7:2526", 0, true },
		{ SELECT_ROUTE, SELECT_IS, "mx", 0, false },
		{ SELECT_FIELD_END, SELECT_IS, "*", 0, false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct select s = { .n = 1 };

		s.t[0].field = rows[i].field;
		s.t[0].op = rows[i].op;
		s.t[0].number = rows[i].number;
		snprintf(s.t[0].text, sizeof s.t[0].text, "%s", rows[i].text);
		ck_assert_msg(
		    select_match(&s, &subject) == rows[i].match, "row %zu", i);
		ck_assert_int_eq(select_wants_esc(&s),
		    rows[i].field == SELECT_CODE &&
			strchr(rows[i].text, '.') != NULL);
		ck_assert_int_eq(select_wants_route(&s),
		    rows[i].field == SELECT_ROUTE);
		ck_assert_int_eq(select_id(&s) != 0,
		    rows[i].field == SELECT_ID &&
			strchr(rows[i].text, '*') == NULL);
	}
}
END_TEST

START_TEST(all_terms_must_match)
{
	struct select s = { .n = 0 };

	ck_assert(select_match(&s, &subject));
	ck_assert_uint_eq(select_id(&s), 0);
	s.n = 2;
	s.t[0] = (struct select_term){ .field = SELECT_CODE, .text = "4*" };
	s.t[1] = (struct select_term){
		.field = SELECT_SIZE, .op = SELECT_ABOVE, .number = 999
	};
	ck_assert(select_match(&s, &subject));
	s.t[1].number = 1000;
	ck_assert(!select_match(&s, &subject));
	s.t[0].text[0] = '5';
	s.t[1].number = 0;
	ck_assert(!select_match(&s, &subject));
}
END_TEST

START_TEST(nothing_is_known_yet)
{
	struct select_subject fresh = { .id = 1,
		.sender = SPAN(""),
		.rcpt = SPAN("postmaster"),
		.domain = SPAN("") };
	struct select s = { .n = 1 };

	s.t[0] = (struct select_term){ .field = SELECT_CODE, .text = "*" };
	ck_assert(!select_match(&s, &fresh));
	fresh.code = 451; /* without an enhanced code */
	ck_assert(select_match(&s, &fresh));
	s.t[0] = (struct select_term){ .field = SELECT_CODE, .text = "*.*" };
	ck_assert(!select_match(&s, &fresh));
	s.t[0] = (struct select_term){ .field = SELECT_FROM, .text = "<>" };
	ck_assert(select_match(&s, &fresh));
	s.t[0] = (struct select_term){ .field = SELECT_FROM, .text = "" };
	ck_assert(select_match(&s, &fresh));
	s.t[0] = (struct select_term){ .field = SELECT_DOMAIN, .text = "*" };
	ck_assert(select_match(&s, &fresh));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("select");
	TCase *t = tcase_create("select");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_test(t, patterns);
	tcase_add_test(t, terms);
	tcase_add_test(t, all_terms_must_match);
	tcase_add_test(t, nothing_is_known_yet);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
