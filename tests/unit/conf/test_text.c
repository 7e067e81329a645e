/*
 * test_text.c - the characters of a configuration file.
 */
#include <check.h>
#include <stdlib.h>
#include <unistd.h>

#include "master/conf/text.h"

static const struct {
	struct span in;
	const char *plain;
} good[] = {
	{ SPAN(""), "" },
	{ SPAN("a = b\n"), "a = b\n" },
	{ SPAN("a = \"b\" # c \"d\" {\n"), "a = \"b\" \n" },
	{ SPAN("# only"), "" },
	{ SPAN("a\t=\tb\r\n"), "a = b \n" },
	{ SPAN("a = \"#\""), "a = \"#\"" },
	/* $ is no variable */
	{ SPAN("a = \"${HOME} $x\""), "a = \"\\${HOME} \\$x\"" },
	{ SPAN("a = \"\\\"\\\\\""), "a = \"\\\"\\\\\"" },
	/* an empty list has an empty element */
	{ SPAN("a = { }"), "a = { \"\"}" },
	{ SPAN("a = {# c\n}"), "a = {\n\"\"}" },
	{ SPAN("a = { b }"), "a = { b }" },
	{ SPAN("a \"b\" { }"), "a \"b\" { }" },
	{ SPAN("a \"b\" { c = {} }"), "a \"b\" { c = {\"\"} }" },
	{ SPAN("a = \"\xc3\xa4\""), "a = \"\xc3\xa4\"" },
};

START_TEST(comments_go_and_strings_stay)
{
	struct problems p = { .n = 0 };
	struct text t;

	ck_assert_int_eq(text_plain(&t, good[_i].in, &p), 0);
	ck_assert_uint_eq(p.n, 0);
	ck_assert_str_eq(t.plain.p, good[_i].plain);
	text_fini(&t);
}
END_TEST

static const struct {
	struct span in;
	unsigned line;
	const char *about;
} bad[] = {
	{ SPAN("\na = \"b\nc = \"d\"\n"), 2, "not closed" },
	{ SPAN("a = \"b"), 1, "not closed" },
	{ SPAN("a = \"b\\\""), 1, "not closed" },
	{ SPAN("a = \"b\\"), 1, "escape" },
	{ SPAN("a = \"\\n\""), 1, "escape" },
	{ SPAN("a = \"\\x00\""), 1, "escape" },
	{ SPAN("\n\na = 'b'"), 3, "'" },
	{ SPAN("a += b"), 1, "\"+\"" },
	{ SPAN("a = /b"), 1, "\"/\"" },
	{ SPAN("/* a */"), 1, "\"/\"" },
	{ SPAN("route * { }"), 1, "\"*\"" },
	{ SPAN("a|b = c"), 1, "\"|\"" },
	{ SPAN("include(\"x\")"), 1, "\"(\"" },
	{ SPAN("a = ${HOME}"), 1, "\"$\"" },
	{ SPAN("a\0= b"), 1, "0x00" },
	{ SPAN("\n# \0"), 2, "0x00" },
	{ SPAN("a = \"\0\""), 1, "0x00" },
	{ SPAN("a = \"\t\""), 1, "0x09" },
	{ SPAN("\xef\xbb\xbf"
	       "a = b"),
	    1, "0xef" },
	{ SPAN("a = b\n\nc \"d\" {\n e = f\n"), 3, "not closed" },
	{ SPAN("c \"d\" {\n e = { f }\n"), 1, "not closed" },
};

START_TEST(what_is_unknown_is_an_error_with_its_line)
{
	struct problems p = { .n = 0 };
	struct text t;

	ck_assert_int_eq(text_plain(&t, bad[_i].in, &p), -1);
	ck_assert_uint_eq(p.n, 1);
	ck_assert_msg(
	    p.list[0].line == bad[_i].line, "%d: line %u", _i, p.list[0].line);
	ck_assert_msg(strstr(p.list[0].text, bad[_i].about) != NULL, "%s",
	    p.list[0].text);
	text_fini(&t);
	problems_fini(&p);
}
END_TEST

START_TEST(sections_are_counted_with_their_lines)
{
	struct problems p = { .n = 0 };
	struct text t;

	ck_assert_int_eq(
	    text_plain(&t, SPAN("a \"b\"\n{\n}\nc = {\n}\nd \"e\" {}\n"), &p),
	    0);
	ck_assert_uint_eq(t.nsections, 2);
	ck_assert_uint_eq(t.sections[0], 2);
	ck_assert_uint_eq(t.sections[1], 6);
	text_fini(&t);
}
END_TEST

static void
refused(const char *path, const char *about)
{
	struct problems p = { .n = 0 };
	struct buf b;

	buf_init(&b, TEXT_FILE_MAX + 64 * 1024);
	ck_assert_int_eq(text_read(&b, path, &p), -1);
	ck_assert_uint_eq(p.n, 1);
	ck_assert_uint_eq(p.list[0].line, 0);
	ck_assert_msg(
	    strstr(p.list[0].text, about) != NULL, "%s", p.list[0].text);
	problems_fini(&p);
	buf_fini(&b);
}

START_TEST(only_a_regular_file_of_sensible_size_is_read)
{
	char path[] = "/tmp/test_text.XXXXXX";
	struct problems p = { .n = 0 };
	int fd = mkstemp(path);
	struct buf b;

	ck_assert_int_ne(fd, -1);
	refused("/nonexistent/file", "No such file");
	refused("/", "directory");
	refused("/dev/null", "regular file");
	ck_assert_int_eq(ftruncate(fd, TEXT_FILE_MAX + 1), 0);
	refused(path, "16M");
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	ck_assert_int_eq(write(fd, "a = b", 5), 5);
	buf_init(&b, TEXT_FILE_MAX + 64 * 1024);
	ck_assert_int_eq(text_read(&b, path, &p), 0);
	ck_assert(span_is(buf_span(&b), "a = b"));
	buf_fini(&b);
	close(fd);
	unlink(path);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("text");
	TCase *t = tcase_create("text");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_loop_test(
	    t, comments_go_and_strings_stay, 0, sizeof good / sizeof good[0]);
	tcase_add_loop_test(t, what_is_unknown_is_an_error_with_its_line, 0,
	    sizeof bad / sizeof bad[0]);
	tcase_add_test(t, sections_are_counted_with_their_lines);
	tcase_add_test(t, only_a_regular_file_of_sensible_size_is_read);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
