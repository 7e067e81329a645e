/*
 * test_users.c - users files: as text, and on disk.
 */
#include <sys/stat.h>

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "lookup/tables/users_file.h"

static void
parse(struct users_table *t, const char *text, size_t n)
{
	char *copy = malloc(n + 1);

	memcpy(copy, text, n);
	ck_assert_int_eq(users_table_parse(t, USERS_FORM_VALUES, copy, n), 0);
}

/* ---- text ----------------------------------------------------------------- */

START_TEST(a_table)
{
	static const char text[] = "# people\n"
				   "\n"
				   "   \t\n"
				   "zoe\n"
				   "Alice\tquota=1G  mailbox=/srv/a # hers\n"
				   "  bob password=$6$x#y senders=a@b,c@d\r\n"
				   "carl";
	struct users_table t;
	const struct users_entry *e;

	parse(&t, text, sizeof text - 1);
	ck_assert_uint_eq(t.problems.n, 0);
	ck_assert_uint_eq(t.n, 4);
	ck_assert_uint_eq(t.passwords, 1);
	ck_assert_ptr_nonnull(e = users_table_find(&t, SPAN("aLICE")));
	ck_assert(span_eq(e->local, SPAN("alice")));
	ck_assert_uint_eq(e->line, 5);
	ck_assert(span_eq(users_entry_value(e, "mailbox"), SPAN("/srv/a")));
	ck_assert(span_eq(users_entry_value(e, "quota"), SPAN("1G")));
	ck_assert_uint_eq(users_entry_value(e, "password").n, 0);
	ck_assert_ptr_nonnull(e = users_table_find(&t, SPAN("bob")));
	/* '#' within a word is no comment. */
	ck_assert(span_eq(users_entry_value(e, "password"), SPAN("$6$x#y")));
	ck_assert_ptr_nonnull(users_table_find(&t, SPAN("zoe")));
	ck_assert_ptr_nonnull(users_table_find(&t, SPAN("carl")));
	ck_assert_ptr_null(users_table_find(&t, SPAN("car")));
	ck_assert_ptr_null(users_table_find(&t, SPAN("carla")));
	ck_assert_ptr_null(users_table_find(&t, SPAN("")));
	users_table_fini(&t);
}
END_TEST

START_TEST(users_who_moved)
{
	static const char text[] = "# old new\n"
				   "Gone  ann@New.example # since May\r\n"
				   "near\tbob@example.org\n"
				   "bare bob\n"
				   "two a@b.example c@d.example\n"
				   "none\n"
				   "key mailbox=/srv/x\n"
				   "path <a@b.example>\n";
	static const char *const wrong[] = { "bare", "two", "none", "key",
		"path" };
	struct users_table t;
	const struct users_entry *e;

	char *copy = malloc(sizeof text);

	memcpy(copy, text, sizeof text);
	ck_assert_int_eq(
	    users_table_parse(&t, USERS_FORM_MOVED, copy, sizeof text - 1), 0);
	ck_assert_uint_eq(t.n, 7);
	ck_assert_uint_eq(t.problems.n, 5);
	ck_assert_ptr_nonnull(e = users_table_find(&t, SPAN("gone")));
	ck_assert(!e->wrong);
	ck_assert(span_eq(e->values, SPAN("ann@New.example")));
	ck_assert_ptr_nonnull(e = users_table_find(&t, SPAN("NEAR")));
	ck_assert(span_eq(e->values, SPAN("bob@example.org")));
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		e = users_table_find(&t, span_of(wrong[i]));
		ck_assert_msg(e != NULL && e->wrong, "%s", wrong[i]);
	}
	users_table_fini(&t);
}
END_TEST

START_TEST(wrong_lines_hurt_their_own_user_only)
{
	static const struct {
		const char *line;
		bool known; /* found as wrong; else not found at all */
	} rows[] = {
		{ "eve color=blue", true },
		{ "eve mailbox", true },
		{ "eve state=open", true },
		{ "eve state=", true },
		{ "eve mailbox=", true },
		{ "eve mailbox=../x", true },
		{ "eve mailbox=/a/../x", true },
		{ "eve mailbox=/a//x", true },
		{ "eve mailbox=/", true },
		{ "eve mailbox=/a\001", true },
		{ "eve mailbox=/a mailbox=/b", true },
		{ "eve =x", true },
		{ "eve Mailbox=/a", true },
		{ ".eve", false },
		{ "-eve", false },
		{ "e/ve", false },
		{ "\303ve", false },
		{ "e\001ve", false },
	};
	unsigned n = 0;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++, n++) {
		struct users_table t;
		const struct users_entry *e;
		char text[256];
		int len =
		    snprintf(text, sizeof text, "ann\n%s\nbob\n", rows[i].line);

		parse(&t, text, (size_t)len);
		ck_assert_msg(
		    t.problems.n == 1 && t.problems.first[0].line == 2, "%s",
		    rows[i].line);
		ck_assert_uint_eq(t.n, 2 + rows[i].known);
		e = users_table_find(&t, SPAN("eve"));
		ck_assert_msg((e != NULL) == rows[i].known, "%s", rows[i].line);
		ck_assert(e == NULL || e->wrong);
		ck_assert(!users_table_find(&t, SPAN("ann"))->wrong);
		ck_assert(!users_table_find(&t, SPAN("bob"))->wrong);
		users_table_fini(&t);
	}
	ck_assert_uint_eq(n, sizeof rows / sizeof *rows);
}
END_TEST

START_TEST(a_repeated_user_is_wrong)
{
	static const char text[] = "ann\nbob quota=1\nANN quota=2\n";
	struct users_table t;

	parse(&t, text, sizeof text - 1);
	ck_assert_uint_eq(t.problems.n, 1);
	ck_assert_uint_eq(t.problems.first[0].line, 3);
	ck_assert(users_table_find(&t, SPAN("ann"))->wrong);
	ck_assert(!users_table_find(&t, SPAN("bob"))->wrong);
	users_table_fini(&t);
}
END_TEST

/* Any octets, at any length: no crash, and a NUL is no name. */
START_TEST(every_truncation)
{
	static const char text[] =
	    "ann mailbox=/a quota=\0\n\nbob \r\n#\n\0x\n";

	for (size_t n = 0; n < sizeof text; n++) {
		struct users_table t;

		parse(&t, text, n);
		ck_assert_uint_eq(t.n,
		    (size_t)(n > 0) +
			(size_t)(n > sizeof "ann mailbox=/a quota=\0\n\n" - 1));
		users_table_fini(&t);
	}
}
END_TEST

START_TEST(many_users)
{
	size_t size = 0;
	char *text = malloc(200000 * 16), key[16];
	struct users_table t;

	for (unsigned i = 0; i < 200000; i++)
		size += (size_t)sprintf(
		    text + size, "u%u\n", (i * 7919u) % 200000u);
	ck_assert_int_eq(
	    users_table_parse(&t, USERS_FORM_VALUES, text, size), 0);
	ck_assert_uint_eq(t.problems.n, 0);
	ck_assert_uint_eq(t.n, 200000);
	for (unsigned i = 0; i < 200000; i++) {
		snprintf(key, sizeof key, "U%u", i);
		ck_assert_ptr_nonnull(users_table_find(&t, span_of(key)));
	}
	ck_assert_ptr_null(users_table_find(&t, SPAN("u200000")));
	users_table_fini(&t);
}
END_TEST

START_TEST(local_parts_that_are_names)
{
	char long_name[66];

	memset(long_name, 'x', sizeof long_name);
	ck_assert(users_local_ok(SPAN("a")));
	ck_assert(users_local_ok(SPAN("a.b-c+d e")));
	ck_assert(users_local_ok(span_from(long_name, 64)));
	ck_assert(!users_local_ok(span_from(long_name, 65)));
	ck_assert(!users_local_ok(SPAN("")));
	ck_assert(!users_local_ok(SPAN(".a")));
	ck_assert(!users_local_ok(SPAN("-a")));
	ck_assert(!users_local_ok(SPAN("a/b")));
	ck_assert(!users_local_ok(span_from("a\0b", 3)));
	ck_assert(!users_local_ok(SPAN("a\177")));
}
END_TEST

/* ---- the file --------------------------------------------------------------- */

static char path[64];

static void
put_file(const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	/* Two changes within one tick of the clock are one to stat(). */
	usleep(20000);
}

static void
replace_file(const char *text)
{
	char old[64], fresh[80];

	strcpy(old, path);
	snprintf(fresh, sizeof fresh, "%s.new", path);
	strcpy(path, fresh);
	put_file(text);
	strcpy(path, old);
	ck_assert_int_eq(rename(fresh, path), 0);
}

static enum users_result
find(struct table_file *f, const char *local)
{
	const struct users_entry *e;

	return users_file_find(f, span_of(local), &e);
}

/* Looks until `to`, from where the last ones ended. */
static void
look(struct table_file *f, int64_t to)
{
	static int64_t now;

	for (; now <= to; now += 500)
		if (table_file_look(f, now))
			table_file_take(f);
	now = to == 0 ? 500 : now;
}

static struct table_file *
with_file(const char *text)
{
	struct table_file *f;

	strcpy(path, "/tmp/test-users.XXXXXX");
	close(mkstemp(path));
	put_file(text);
	f = table_file_new(&users_file_kind, path);
	ck_assert_int_eq(find(f, "ann"), USERS_FILE_UNREADABLE);
	/* The first look takes what is there. */
	look(f, 0);
	return f;
}

START_TEST(a_change_counts_when_it_is_complete)
{
	struct table_file *f = with_file("ann\nbob x\n");

	ck_assert_int_eq(find(f, "ann"), USERS_FILE_FOUND);
	ck_assert_int_eq(find(f, "bob"), USERS_FILE_WRONG);
	ck_assert_int_eq(find(f, "carl"), USERS_FILE_NONE);
	replace_file("carl\nann\n");
	look(f, 500);
	ck_assert_int_eq(find(f, "carl"), USERS_FILE_NONE);
	look(f, 1000);
	ck_assert_int_eq(find(f, "carl"), USERS_FILE_FOUND);
	/* In place, longer, in three steps, with pauses that are short. */
	put_file("carl\nann\ndora\n");
	look(f, 1500);
	put_file("carl\nann\ndora\nemil\n");
	look(f, 2000);
	ck_assert_int_eq(find(f, "dora"), USERS_FILE_NONE);
	put_file("carl\nann\ndora\nemil\nfay\n");
	look(f, 2500);
	ck_assert_int_eq(find(f, "dora"), USERS_FILE_NONE);
	look(f, 3000);
	ck_assert_int_eq(find(f, "dora"), USERS_FILE_FOUND);
	ck_assert_int_eq(find(f, "fay"), USERS_FILE_FOUND);
	table_file_free(f);
	unlink(path);
}
END_TEST

START_TEST(half_a_file_is_not_taken)
{
	struct table_file *f = with_file("ann\nbob\ncarl\n");

	/* Truncated, and not yet written. */
	put_file("");
	look(f, 3000);
	ck_assert_int_eq(find(f, "carl"), USERS_FILE_FOUND);
	/* A prefix that ends in a line, for a second. */
	put_file("ann\n");
	look(f, 4000);
	ck_assert_int_eq(find(f, "carl"), USERS_FILE_FOUND);
	/* One that does not. */
	put_file("ann\nbob\ndave\nca");
	look(f, 7000);
	ck_assert_int_eq(find(f, "carl"), USERS_FILE_FOUND);
	ck_assert_int_eq(find(f, "dave"), USERS_FILE_NONE);
	/* It stays so: somebody's editor writes no last line feed. */
	look(f, 12000);
	ck_assert_int_eq(find(f, "dave"), USERS_FILE_FOUND);
	ck_assert_int_eq(find(f, "ca"), USERS_FILE_FOUND);
	/* Really shorter. */
	put_file("ann\n");
	look(f, 15000);
	ck_assert_int_eq(find(f, "dave"), USERS_FILE_NONE);
	/* Really empty. */
	put_file("");
	look(f, 22000);
	ck_assert_int_eq(find(f, "ann"), USERS_FILE_NONE);
	table_file_free(f);
	unlink(path);
}
END_TEST

/* Gone, a directory, too large, no text: the old one stands. */
START_TEST(what_cannot_be_read_changes_nothing)
{
	struct table_file *f = with_file("ann\n");
	int fd;

	unlink(path);
	look(f, 2000);
	ck_assert_int_eq(find(f, "ann"), USERS_FILE_FOUND);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	look(f, 4000);
	ck_assert_int_eq(find(f, "ann"), USERS_FILE_FOUND);
	ck_assert_int_eq(rmdir(path), 0);
	put_file("bob\n");
	ck_assert_int_eq(truncate(path, (off_t)TABLE_FILE_MAX + 1), 0);
	look(f, 6000);
	ck_assert_int_eq(find(f, "ann"), USERS_FILE_FOUND);
	ck_assert_int_eq(truncate(path, 4096), 0);
	look(f, 12000);
	ck_assert_int_eq(find(f, "ann"), USERS_FILE_FOUND);
	ck_assert_int_eq(find(f, "bob"), USERS_FILE_NONE);
	ck_assert_int_ne(fd = open(path, O_WRONLY), -1);
	ck_assert_int_eq(write(fd, "a\0b\n", 4), 4);
	close(fd);
	look(f, 18000);
	ck_assert_int_eq(find(f, "ann"), USERS_FILE_FOUND);
	/* Maybe with the number of the old one. */
	unlink(path);
	put_file("bob\n");
	look(f, 18000 + TABLE_FILE_SHRUNK_MS + 1000);
	ck_assert_int_eq(find(f, "ann"), USERS_FILE_NONE);
	ck_assert_int_eq(find(f, "bob"), USERS_FILE_FOUND);
	table_file_free(f);
	unlink(path);
}
END_TEST

/* vi: the old one gets another name, a new one its own; emacs: copied, then
 * written in place; sed -i: renamed over it. */
START_TEST(what_editors_do)
{
	struct table_file *f = with_file("ann\n");
	char backup[80];

	snprintf(backup, sizeof backup, "%s~", path);
	ck_assert_int_eq(rename(path, backup), 0);
	look(f, 500);
	ck_assert_int_eq(find(f, "ann"), USERS_FILE_FOUND);
	put_file("ann\nbob\n");
	look(f, 1500);
	ck_assert_int_eq(find(f, "bob"), USERS_FILE_FOUND);
	put_file("ann\nbob\ncarl\n");
	look(f, 2500);
	ck_assert_int_eq(find(f, "carl"), USERS_FILE_FOUND);
	replace_file("dora\n");
	look(f, 3500);
	ck_assert_int_eq(find(f, "carl"), USERS_FILE_NONE);
	ck_assert_int_eq(find(f, "dora"), USERS_FILE_FOUND);
	/* The backup put back: an older time counts as well. */
	ck_assert_int_eq(rename(backup, path), 0);
	look(f, 4500);
	ck_assert_int_eq(find(f, "ann"), USERS_FILE_FOUND);
	ck_assert_int_eq(find(f, "dora"), USERS_FILE_NONE);
	table_file_free(f);
	unlink(path);
}
END_TEST

START_TEST(a_file_that_was_never_there)
{
	struct table_file *f;

	strcpy(path, "/tmp/test-users.XXXXXX");
	close(mkstemp(path));
	unlink(path);
	f = table_file_new(&users_file_kind, path);
	look(f, 0);
	ck_assert_int_eq(find(f, "ann"), USERS_FILE_UNREADABLE);
	put_file("ann\n");
	look(f, 500);
	ck_assert_int_eq(find(f, "ann"), USERS_FILE_UNREADABLE);
	look(f, 1000);
	ck_assert_int_eq(find(f, "ann"), USERS_FILE_FOUND);
	table_file_free(f);
	unlink(path);
}
END_TEST

START_TEST(wrong_lines_beyond_some_are_counted)
{
	char text[64 * 10];
	size_t n = 0;
	struct users_table t;

	for (int i = 0; i < 64; i++)
		n += (size_t)sprintf(text + n, "u%02d x\n", i);
	parse(&t, text, n);
	ck_assert_uint_eq(t.problems.n, 64);
	ck_assert_uint_eq(
	    t.problems.first[TABLE_PROBLEMS_MAX - 1].line, TABLE_PROBLEMS_MAX);
	users_table_fini(&t);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("users");
	TCase *t = tcase_create("users");
	SRunner *r = srunner_create(s);
	int failed;

	/* What is logged is not looked at. */
	dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
	suite_add_tcase(s, t);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_table);
	tcase_add_test(t, users_who_moved);
	tcase_add_test(t, wrong_lines_hurt_their_own_user_only);
	tcase_add_test(t, a_repeated_user_is_wrong);
	tcase_add_test(t, every_truncation);
	tcase_add_test(t, many_users);
	tcase_add_test(t, local_parts_that_are_names);
	tcase_add_test(t, wrong_lines_beyond_some_are_counted);
	tcase_add_test(t, a_change_counts_when_it_is_complete);
	tcase_add_test(t, half_a_file_is_not_taken);
	tcase_add_test(t, what_cannot_be_read_changes_nothing);
	tcase_add_test(t, what_editors_do);
	tcase_add_test(t, a_file_that_was_never_there);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
