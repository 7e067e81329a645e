/*
 * test_parse.c - the grammar, as libconfuse has it under our table.
 */
#include <check.h>

#include "master/conf/parse.h"

static const struct parse_name top[] = { { "name", false }, { "list", true } };
static const struct parse_name inner[] = { { "size", false },
	{ "list", true } };
static const struct parse_place places[] = {
	{ "", top, 2 },
	{ "room", inner, 2 },
};

static void
run(struct parse *p, struct problems *problems, const char *file)
{
	struct problems none = { .n = 0 };
	struct text t;

	ck_assert_int_eq(text_plain(&t, span_of(file), &none), 0);
	ck_assert_int_eq(
	    parse_text(p, &t, places, 2, problems), problems->n > 0 ? -1 : 0);
	text_fini(&t);
}

static void
is_item(const struct parse_section *s, size_t i, const char *name,
    const char *value, unsigned line)
{
	ck_assert_uint_lt(i, s->nitems);
	ck_assert_str_eq(s->items[i].name, name);
	ck_assert_str_eq(s->items[i].value, value);
	ck_assert_uint_eq(s->items[i].line, line);
}

START_TEST(values_come_with_place_and_line)
{
	struct problems problems = { .n = 0 };
	struct parse p;

	run(&p, &problems,
	    "name = a # c\n"
	    "room \"one\" {\n"
	    "\tsize = \"${x}\"\n"
	    "}\n"
	    "list = { b, # c\n"
	    "  \"c d\" }\n"
	    "room \"two\" { } room \"three\" {\n"
	    " list = {} size = 3 }\n");
	ck_assert_uint_eq(problems.n, 0);
	ck_assert(p.complete);
	ck_assert_uint_eq(p.nsections, 4);
	ck_assert_uint_eq(p.sections[0].nitems, 3);
	is_item(&p.sections[0], 0, "name", "a", 1);
	is_item(&p.sections[0], 1, "list", "b", 5);
	is_item(&p.sections[0], 2, "list", "c d", 6);
	ck_assert_str_eq(p.sections[1].title, "one");
	ck_assert_uint_eq(p.sections[1].line, 2);
	is_item(&p.sections[1], 0, "size", "${x}", 3);
	ck_assert_uint_eq(p.sections[2].nitems, 0);
	ck_assert_str_eq(p.sections[3].title, "three");
	ck_assert_uint_eq(p.sections[3].line, 7);
	is_item(&p.sections[3], 0, "list", "", 8);
	is_item(&p.sections[3], 1, "size", "3", 8);
	parse_fini(&p);
}
END_TEST

static const struct {
	const char *file;
	unsigned line;
	const char *about;
	bool complete;
} bad[] = {
	{ "\nname = a\nname = b\n", 3, "set on line 2", true },
	{ "list = { a }\nlist = { b }", 2, "set on line 1", true },
	{ "list = {}\nlist = { b }", 2, "set on line 1", true },
	{ "list = a\nlist = {}", 2, "set on line 1", true },
	{ "room \"x\" { size = 1\nsize = 2 }", 2, "set on line 1", true },
	{ "room \"x\" { }\nroom \"x\" { }", 2, "\"x\"", false },
	{ "\nother = a", 2, "unknown setting other", false },
	{ "nane = a", 1, "name would be right", false },
	{ "naem = a", 1, "name would be right", false },
	{ "names = a", 1, "name would be right", false },
	{ "size = 3", 1, "within room", false },
	{ "room \"x\" {\nname = a }", 2, "outside of braces", false },
	{ "room \"x\" {\nroom \"y\" { } }", 2, "unknown setting room", false },
	{ "room { }", 1, "title", false },
	{ "room = a", 1, "title", false },
	{ "room \"x\" size = 1", 1, "\"{\"", false },
	{ "name a", 1, "\"=\"", false },
	{ "name = { a }", 1, "unexpected", false },
	{ "name =\n= a", 2, "unexpected", false },
	{ "list = { a b }", 1, "unexpected", false },
	{ "list = { a\n", 2, "end", false },
	{ "name =", 1, "end", false },
	{ "name", 1, "end", false },
	{ "name = a\n}", 2, "\"}\"", false },
};

START_TEST(errors_have_their_line)
{
	struct problems problems = { .n = 0 };
	struct parse p;

	run(&p, &problems, bad[_i].file);
	ck_assert_uint_eq(problems.n, 1);
	ck_assert_msg(problems.list[0].line == bad[_i].line, "%d: line %u", _i,
	    problems.list[0].line);
	ck_assert_msg(strstr(problems.list[0].text, bad[_i].about) != NULL,
	    "%s", problems.list[0].text);
	ck_assert_int_eq(p.complete, bad[_i].complete);
	parse_fini(&p);
	problems_fini(&problems);
}
END_TEST

START_TEST(the_same_setting_in_two_sections_is_no_repetition)
{
	struct problems problems = { .n = 0 };
	struct parse p;

	run(&p, &problems, "room \"a\" { size = 1 } room \"b\" { size = 1 }");
	ck_assert_uint_eq(problems.n, 0);
	ck_assert_uint_eq(p.nsections, 3);
	parse_fini(&p);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("parse");
	TCase *t = tcase_create("parse");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_test(t, values_come_with_place_and_line);
	tcase_add_loop_test(
	    t, errors_have_their_line, 0, sizeof bad / sizeof bad[0]);
	tcase_add_test(t, the_same_setting_in_two_sections_is_no_repetition);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
