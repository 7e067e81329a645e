/*
 * test_aliases.c - aliases files and the files they include, as text.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lookup/tables/aliases_table.h"

#define PATH "/etc/sallyport/aliases"

static struct aliases_table *
parse(const char *text, size_t n)
{
	char *copy = malloc(n + 1);
	struct aliases_table *t;

	memcpy(copy, text, n);
	t = aliases_table_parse(PATH, copy, n);
	ck_assert_ptr_nonnull(t);
	return t;
}

static const struct aliases_entry *
find(const struct aliases_table *t, const char *name)
{
	const struct aliases_entry *e = aliases_table_find(t, span_of(name));

	ck_assert_msg(e != NULL, "%s", name);
	return e;
}

START_TEST(a_file_as_everybody_knows_it)
{
	static const char text[] =
	    "# Basic system aliases\n"
	    "\n"
	    "MAILER-DAEMON:\tpostmaster\n"
	    "postmaster :   root\n"
	    "  # a comment that begins with a blank\n"
	    "Staff:  alice,bob@Example.NET,,\n"
	    "\t\"Carol, C.\" <carol@example.org>,\n"
	    "# between the lines, with a comma, and \" a quote\n"
	    "\n"
	    "        dave (the last, of all)\n"
	    "\"two words\": \\erin\r\n"
	    "list: :include:/etc/sallyport/lists/a, \":include: b\"\n"
	    "null: /dev/null";
	static const struct {
		const char *name;
		enum alias_kind kind[6];
		const char *text[6];
	} rows[] = {
		{ "mailer-daemon", { ALIAS_ADDRESS }, { "postmaster" } },
		{ "postmaster", { ALIAS_ADDRESS }, { "root" } },
		{ "STAFF",
		    { ALIAS_ADDRESS, ALIAS_ADDRESS, ALIAS_ADDRESS,
			ALIAS_ADDRESS },
		    { "alice", "bob@example.net", "carol@example.org",
			"dave" } },
		{ "Two Words", { ALIAS_MAILBOX }, { "erin" } },
		{ "list", { ALIAS_INCLUDE, ALIAS_INCLUDE },
		    { "/etc/sallyport/lists/a", "b" } },
		{ "null", { ALIAS_NOTHING }, { "" } },
	};
	struct aliases_table *t = parse(text, sizeof text - 1);
	unsigned seen = 0;

	ck_assert_uint_eq(t->problems.n, 0);
	ck_assert_uint_eq(t->n, sizeof rows / sizeof *rows);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct aliases_entry *e = find(t, rows[i].name);
		struct span rest = e->targets;
		struct alias_target target;

		ck_assert(!e->wrong);
		for (size_t k = 0; k < 6; k++) {
			alias_next(&rest, &target);
			ck_assert_int_eq(target.kind, rows[i].kind[k]);
			if (target.kind == ALIAS_END)
				break;
			seen++;
			if (target.kind == ALIAS_INCLUDE)
				ck_assert_str_eq(target.path, rows[i].text[k]);
			else if (target.kind != ALIAS_NOTHING)
				ck_assert_str_eq(
				    target.address.text, rows[i].text[k]);
		}
	}
	ck_assert_uint_eq(seen, 10);
	ck_assert_uint_eq(t->nincludes, 2);
	ck_assert_str_eq(t->includes[0].path, "/etc/sallyport/lists/a");
	ck_assert_str_eq(t->includes[1].path, "/etc/sallyport/b");
	ck_assert_uint_eq(find(t, "staff")->line, 6);
	ck_assert_ptr_null(aliases_table_find(t, SPAN("staf")));
	ck_assert_ptr_null(aliases_table_find(t, SPAN("")));
	aliases_table_free(t);
}
END_TEST

static const struct {
	const char *text; /* the second line on */
	uint32_t line;
	const char *name; /* found as wrong, or NULL */
	const char *why;
} wrong[] = {
	{ "a: b c\n", 2, "a", "commas" },
	{ "a: b,\n  c,\n  d e,\n  f\n", 4, "a", "commas" },
	{ "a: b # comment\n", 2, "a", "" },
	{ "a: b, # comment\n", 2, "a", "line of its own" },
	{ "a:\n", 2, "a", "nowhere" },
	{ "a: ,,\n", 2, "a", "nowhere" },
	{ "a: |/bin/prog x, y\n", 2, "a", "programs" },
	{ "a: \"|/bin/prog -x, y\"\n", 2, "a", "programs" },
	{ "a: /var/mail/x\n", 2, "a", "files" },
	{ "a: \"/var/mail/x y\"\n", 2, "a", "files" },
	{ "a: /var/mail/x/\n", 2, "a", "directories" },
	{ "a: :include:/etc/passwd\n", 2, "a", "below" },
	{ "a: :include:/etc/sallyport/../passwd\n", 2, "a", "path" },
	{ "a: :include:\n", 2, "a", "path" },
	{ "a: b@@c\n", 2, "a", "address" },
	{ "a: \"b\n", 2, "a", "address" },
	{ "a: b@c\xe4.example\n", 2, "a", "address" },
	{ "a b\n", 2, NULL, "no alias" },
	{ "a\n  b\n", 2, NULL, "no alias" },
	{ ": b\n", 2, NULL, "bad name" },
	{ "a@b.example: c\n", 2, NULL, "bad name" },
	{ "a/b: c\n", 2, NULL, "bad name" },
	{ "-a: c\n", 2, NULL, "bad name" },
	{ "\"a: c\n", 2, NULL, "no alias" },
	{ "\"a\" b: c\n", 2, NULL, "no alias" },
	{ "a: x\nA: y\n", 3, "a", "repeated" },
};

START_TEST(what_is_wrong_hurts_only_itself)
{
	char text[256];
	int n = snprintf(
	    text, sizeof text, "first: x\n%slast: y, z\n", wrong[_i].text);
	struct aliases_table *t = parse(text, (size_t)n);

	ck_assert_msg(
	    t->problems.n == 1, "%s: %zu", wrong[_i].text, t->problems.n);
	ck_assert_uint_eq(t->problems.first[0].line, wrong[_i].line);
	ck_assert_msg(strstr(t->problems.first[0].why, wrong[_i].why) != NULL,
	    "%s: %s", wrong[_i].text, t->problems.first[0].why);
	ck_assert(!find(t, "first")->wrong);
	ck_assert(!find(t, "last")->wrong);
	if (wrong[_i].name != NULL)
		ck_assert(find(t, wrong[_i].name)->wrong);
	else
		ck_assert_uint_eq(t->n, 2);
	aliases_table_free(t);
}
END_TEST

/* Every beginning of a text is read without harm, and every entry that is
 * found in it can be walked through. */
START_TEST(truncations)
{
	static const char text[] =
	    "a: b, \"c d\" <e@f.example>, \\g, \":include:x\", (h) i\n"
	    "# j\n  \"|k l\", /m/n, :include:o/p\n\"q r\": s,\n\tt\\,u\n";
	unsigned walked = 0;

	for (size_t n = 0; n < sizeof text; n++) {
		struct aliases_table *t = parse(text, n);

		for (size_t i = 0; i < t->n; i++) {
			struct span rest = t->entries[i].targets;
			struct alias_target target;
			unsigned count = 0;

			do {
				alias_next(&rest, &target);
				ck_assert_uint_lt(count++, 20);
			} while (target.kind != ALIAS_END);
			walked += count;
		}
		aliases_table_free(t);
	}
	ck_assert_uint_gt(walked, 100);
}
END_TEST

START_TEST(nothing_to_go_on_with)
{
	struct aliases_table *t = parse("  a\n\tb\nc: d\n", 12);

	ck_assert_uint_eq(t->problems.n, 1);
	ck_assert_uint_eq(t->problems.first[0].line, 1);
	ck_assert_uint_eq(t->n, 1);
	ck_assert(!find(t, "c")->wrong);
	aliases_table_free(t);
}
END_TEST

START_TEST(an_included_file)
{
	static const char text[] =
	    "# members\n"
	    "alice\n"
	    "\n"
	    "  bob@example.net, Carol <carol@x.example>\n"
	    "dave erin\n"
	    "\t# also a comment, with a comma\n"
	    "|/bin/sh\n"
	    "/etc/x\n"
	    ":include:other\n"
	    "\\frank\n"
	    "gina";
	static const char *const want[] = { "alice", "bob@example.net",
		"carol@x.example", "gina" };
	static const uint32_t lines[] = { 5, 7, 8, 9, 10 };
	struct included_table *t =
	    included_table_parse(strdup(text), sizeof text - 1);
	struct span rest = span_from(t->text, t->n);
	struct alias_target target;
	unsigned n = 0;

	ck_assert_uint_eq(t->addresses, 4);
	ck_assert_uint_eq(t->problems.n, 5);
	for (unsigned i = 0; i < 5; i++)
		ck_assert_uint_eq(t->problems.first[i].line, lines[i]);
	for (alias_next_included(&rest, &target); target.kind != ALIAS_END;
	     alias_next_included(&rest, &target))
		if (target.kind == ALIAS_ADDRESS)
			ck_assert_str_eq(target.address.text, want[n++]);
	ck_assert_uint_eq(n, 4);
	included_table_free(t);
	for (size_t k = 0; k < sizeof text; k++)
		included_table_free(
		    included_table_parse(memcpy(malloc(k + 1), text, k), k));
}
END_TEST

START_TEST(a_million_in_seconds)
{
	const unsigned n = 1000000;
	char *text = malloc((size_t)n * 64), name[32];
	struct timespec from, to;
	struct aliases_table *t;
	size_t size = 0;

	for (unsigned i = 0; i < n; i++)
		size += (size_t)sprintf(text + size,
		    "user%u: user%u, u%u@elsewhere.example\n", (unsigned)((uint64_t)i * 7919 % n), i,
		    i);
	clock_gettime(CLOCK_MONOTONIC, &from);
	t = aliases_table_parse(PATH, text, size);
	ck_assert_ptr_nonnull(t);
	clock_gettime(CLOCK_MONOTONIC, &to);
	ck_assert_uint_eq(t->n, n);
	ck_assert_uint_eq(t->problems.n, 0);
	ck_assert_int_lt(to.tv_sec - from.tv_sec, 20);
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (unsigned i = 0; i < n; i++) {
		snprintf(name, sizeof name, "User%u", i);
		ck_assert_ptr_nonnull(aliases_table_find(t, span_of(name)));
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	ck_assert_int_lt(to.tv_sec - from.tv_sec, 20);
	aliases_table_free(t);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("aliases");
	TCase *t = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_file_as_everybody_knows_it);
	tcase_add_loop_test(t, what_is_wrong_hurts_only_itself, 0,
	    sizeof wrong / sizeof *wrong);
	tcase_add_test(t, nothing_to_go_on_with);
	tcase_add_test(t, truncations);
	tcase_add_test(t, an_included_file);
	tcase_add_test(t, a_million_in_seconds);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
