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

static unsigned reports;
static uint32_t last_line;

static void
report(void *arg, uint32_t line, const char *why)
{
	(void)arg;
	ck_assert_uint_gt(strlen(why), 0);
	reports++;
	last_line = line;
}

static void
parse(struct users_table *t, const char *text, size_t n)
{
	char *copy = malloc(n + 1);

	memcpy(copy, text, n);
	reports = last_line = 0;
	ck_assert_int_eq(users_table_parse(t, copy, n, report, NULL), 0);
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
	ck_assert_uint_eq(reports, 0);
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

START_TEST(wrong_lines_hurt_their_own_user_only)
{
	static const struct {
		const char *line;
		bool known; /* found as wrong; else not found at all */
	} rows[] = {
		{ "eve color=blue", true },
		{ "eve mailbox", true },
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
		{ "\303\251ve", false },
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
		    reports == 1 && last_line == 2, "%s", rows[i].line);
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
	ck_assert_uint_eq(reports, 1);
	ck_assert_uint_eq(last_line, 3);
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
	reports = 0;
	ck_assert_int_eq(users_table_parse(&t, text, size, report, NULL), 0);
	ck_assert_uint_eq(reports, 0);
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
put_file(const char *text, int seconds_ago)
{
	struct timespec times[2];
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	clock_gettime(CLOCK_REALTIME, &times[0]);
	times[0].tv_sec -= seconds_ago;
	times[1] = times[0];
	ck_assert_int_eq(futimens(fd, times), 0);
	close(fd);
}

static enum users_result
find(struct users_file *f, const char *local, int64_t now)
{
	const struct users_entry *e;

	return users_file_find(f, span_of(local), now, &e);
}

START_TEST(a_file_is_looked_at_once_a_second)
{
	struct users_file *f;

	strcpy(path, "/tmp/test-users.XXXXXX");
	close(mkstemp(path));
	put_file("ann\nbob x\n", 10);
	f = users_file_new(path);
	ck_assert_int_eq(find(f, "ann", 1000), USERS_FILE_FOUND);
	ck_assert_int_eq(find(f, "bob", 1000), USERS_FILE_WRONG);
	ck_assert_int_eq(find(f, "carl", 1000), USERS_FILE_NONE);
	put_file("carl\n", 5);
	ck_assert_int_eq(find(f, "carl", 1999), USERS_FILE_NONE);
	ck_assert_int_eq(find(f, "carl", 2000), USERS_FILE_FOUND);
	ck_assert_int_eq(find(f, "ann", 2000), USERS_FILE_NONE);
	/* Somebody is writing it: the old one stands. */
	put_file("da", 0);
	ck_assert_int_eq(find(f, "carl", 3000), USERS_FILE_FOUND);
	put_file("dave\n", 4);
	ck_assert_int_eq(find(f, "carl", 3001), USERS_FILE_NONE);
	ck_assert_int_eq(find(f, "dave", 3001), USERS_FILE_FOUND);
	/* Gone, a directory, too large; and back. */
	unlink(path);
	ck_assert_int_eq(find(f, "dave", 4001), USERS_FILE_UNREADABLE);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_eq(find(f, "dave", 5001), USERS_FILE_UNREADABLE);
	ck_assert_int_eq(rmdir(path), 0);
	put_file("dave\n", 3);
	ck_assert_int_eq(find(f, "dave", 5002), USERS_FILE_UNREADABLE);
	ck_assert_int_eq(find(f, "dave", 6001), USERS_FILE_FOUND);
	ck_assert_int_eq(truncate(path, (off_t)USERS_FILE_MAX + 1), 0);
	ck_assert_int_eq(find(f, "dave", 7001), USERS_FILE_UNREADABLE);
	users_file_free(f);
	unlink(path);
}
END_TEST

START_TEST(a_file_that_was_never_there)
{
	struct users_file *f = users_file_new("/nonexistent/users");

	ck_assert_int_eq(find(f, "ann", 0), USERS_FILE_UNREADABLE);
	users_file_free(f);
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
	tcase_add_test(t, wrong_lines_hurt_their_own_user_only);
	tcase_add_test(t, a_repeated_user_is_wrong);
	tcase_add_test(t, every_truncation);
	tcase_add_test(t, many_users);
	tcase_add_test(t, local_parts_that_are_names);
	tcase_add_test(t, a_file_is_looked_at_once_a_second);
	tcase_add_test(t, a_file_that_was_never_there);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
