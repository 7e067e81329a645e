/*
 * test_log.c - a line of the log: fields, escapes, limits, a full pipe.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/bytes/log.h"

static int reader = -1;
static char got[LOG_LINE_MAX * 4];

/* Standard error becomes a pipe; the test process is a child of its own. */
static void
setup(void)
{
	int fd[2];

	ck_assert_int_eq(pipe2(fd, O_NONBLOCK | O_CLOEXEC), 0);
	ck_assert_int_eq(dup2(fd[1], STDERR_FILENO), STDERR_FILENO);
	close(fd[1]);
	reader = fd[0];
}

static const char *
logged(void)
{
	ssize_t n = read(reader, got, sizeof got - 1);

	got[n > 0 ? n : 0] = '\0';
	return got;
}

START_TEST(fields_are_typed_and_joined)
{
	log_info("accepted", log_id("id", 0xfedcba9876543210),
	    log_num("size", -42), log_str("from", "a@b.example"));
	ck_assert_str_eq(logged(),
	    "event=accepted id=fedcba9876543210 size=-42 from=a@b.example\n");
	log_warn("slow", log_num("n", 1));
	ck_assert_str_eq(logged(), "event=slow level=warn n=1\n");
	log_error("lost", log_errno(ENOSPC));
	ck_assert_str_eq(logged(),
	    "event=lost level=error error=\"No space left on device\"\n");
	log_event(LOG_LEVEL_DEBUG, "bare", NULL, 0);
	ck_assert_str_eq(logged(), "event=bare level=debug\n");
	log_info("odd", log_errno(123456));
	ck_assert_str_eq(logged(), "event=odd error=\"unknown error\"\n");
}
END_TEST

START_TEST(strangers_bytes_are_escaped_and_quoted)
{
	log_info("x", log_str("a", ""), log_str("b", "1 2"),
	    log_str("c", "k=v"), log_span("d", SPAN("\r\n\0\x7f\xff\"\\")),
	    log_str("e", "plain<>'~"));
	ck_assert_str_eq(logged(),
	    "event=x a=\"\" b=\"1 2\" c=\"k=v\" "
	    "d=\"\\x0d\\x0a\\x00\\x7f\\xff\\x22\\x5c\" e=plain<>'~\n");
}
END_TEST

START_TEST(a_line_is_cut_at_its_limit_and_stays_well_formed)
{
	static char big[3 * LOG_LINE_MAX];

	for (int fill = 0; fill < 2; fill++) {
		memset(big, fill == 0 ? 'a' : '\n', sizeof big);
		/* Every offset, so that every part of an escape is cut once. */
		for (size_t at = 0; at < 8; at++) {
			log_info("cut", log_span("pad", span_from(big, at)),
			    log_span("big", span_from(big, sizeof big)),
			    log_str("k", "v"));
			logged();
			ck_assert_uint_le(strlen(got), LOG_LINE_MAX);
			ck_assert_uint_ge(strlen(got), LOG_LINE_MAX - 6);
			ck_assert_ptr_eq(
			    strchr(got, '\n'), got + strlen(got) - 1);
			ck_assert_ptr_null(strstr(got, " k="));
			if (fill == 1)
				ck_assert_str_eq(
				    got + strlen(got) - 6, "\\x0a\"\n");
		}
	}
}
END_TEST

START_TEST(a_field_behind_a_cut_one_is_left_out)
{
	static char big[LOG_LINE_MAX];
	struct span most = { big, LOG_LINE_MAX - 40 };

	memset(big, 'a', sizeof big);
	log_info("cut", log_span("big", most),
	    log_str("a-long-key-that-has-no-room", "v"), log_str("k", "v"));
	ck_assert_ptr_null(strchr(logged() + 20, '='));
	ck_assert_uint_eq(strlen(got), LOG_LINE_MAX - 40 + 15);
}
END_TEST

START_TEST(a_full_pipe_drops_and_counts)
{
	char fill[4096];
	unsigned dropped = 0;

	memset(fill, '.', sizeof fill);
	while (write(STDERR_FILENO, fill, sizeof fill) > 0)
		continue;
	for (; dropped < 3; dropped++) {
		errno = E2BIG;
		log_info("lost", log_num("n", dropped));
		ck_assert_int_eq(errno, E2BIG);
	}
	while (read(reader, got, sizeof got) > 0)
		continue;
	log_info("first", log_num("n", 1));
	ck_assert_str_eq(logged(), "event=first dropped=3 n=1\n");
	log_info("second", log_num("n", 2));
	ck_assert_str_eq(logged(), "event=second n=2\n");
}
END_TEST

START_TEST(fatal_logs_and_exits_1)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		errno = ENOENT;
		fatal("open spool");
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	ck_assert_str_eq(logged(),
	    "event=fatal level=error what=\"open spool\" "
	    "error=\"No such file or directory\"\n");
	if ((pid = fork()) == 0)
		fatalx("hostname", "must be set");
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	ck_assert_str_eq(logged(),
	    "event=fatal level=error what=hostname "
	    "detail=\"must be set\"\n");
}
END_TEST

START_TEST(escaping_fills_what_there_is)
{
	char dst[9];

	ck_assert_uint_eq(log_escape(dst, sizeof dst, SPAN("a\nb\nc")), 6);
	ck_assert_str_eq(dst, "a\\x0ab");
	ck_assert_uint_eq(log_escape(dst, sizeof dst, SPAN("12345678")), 8);
	ck_assert_uint_eq(log_escape(dst, sizeof dst, SPAN("123456789")), 8);
	ck_assert_str_eq(dst, "12345678");
	ck_assert_uint_eq(log_escape(dst, 1, SPAN("x")), 0);
	ck_assert_str_eq(dst, "");
	ck_assert_uint_eq(log_escape(dst, 0, SPAN("x")), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("log");
	TCase *t = tcase_create("log");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, fields_are_typed_and_joined);
	tcase_add_test(t, strangers_bytes_are_escaped_and_quoted);
	tcase_add_test(t, a_line_is_cut_at_its_limit_and_stays_well_formed);
	tcase_add_test(t, a_field_behind_a_cut_one_is_left_out);
	tcase_add_test(t, a_full_pipe_drops_and_counts);
	tcase_add_test(t, fatal_logs_and_exits_1);
	tcase_add_test(t, escaping_fills_what_there_is);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
