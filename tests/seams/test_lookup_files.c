/*
 * test_lookup_files.c - the real lookup, while its users file changes.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/msg/smtpd_lookup.h"
#include "tests/seams/lookup_house.h"

/* A question and its answer, until it is that one or time is up. */
static unsigned
rcpt_until(struct lookup_house *f, const char *to, unsigned code)
{
	unsigned got = 0;

	for (int i = 0; i < 200; i++) {
		got = rcpt(f, 1, to);
		if (got == code)
			break;
		usleep(50000);
	}
	return got;
}

START_TEST(a_users_file_is_read_again)
{
	struct lookup_house f;

	set_up(&f, false);
	ck_assert_uint_eq(
	    connect_client(&f, f.smtpd, 1, "192.0.2.1", NULL), 220);
	ck_assert_uint_eq(rcpt(&f, 1, "dora@files.example"), 550);
	write_users(&f, "dora\n");
	ck_assert_uint_eq(rcpt_until(&f, "dora@files.example", 250), 250);
	ck_assert_uint_eq(rcpt(&f, 1, "alice@files.example"), 550);
	/* Gone: what was there stands. */
	ck_assert_int_eq(unlink(f.users), 0);
	usleep(1500000);
	ck_assert_uint_eq(rcpt(&f, 1, "dora@files.example"), 250);
	ck_assert_uint_eq(rcpt(&f, 1, "nobody@files.example"), 550);
	/* RFC 5321 section 4.5.1: accepted; its mailbox was alice. */
	ck_assert_uint_eq(rcpt(&f, 1, "postmaster@files.example"), 250);
	ck_assert_uint_eq(ask_route(&f, "postmaster@files.example"), 451);
	write_users(&f, "dora\nnobody\n");
	ck_assert_uint_eq(rcpt_until(&f, "nobody@files.example", 250), 250);
	tear_down(&f);
}
END_TEST

START_TEST(a_users_file_may_come_later)
{
	struct lookup_house f;

	set_up(&f, false);
	ck_assert_int_eq(unlink(f.users), 0);
	close(f.smtpd);
	close(f.queue);
	ck_assert_int_eq(seam_stop(&f.seam), 0);
	start(&f, false);
	ck_assert_uint_eq(
	    connect_client(&f, f.smtpd, 1, "192.0.2.1", NULL), 220);
	ck_assert_uint_eq(rcpt(&f, 1, "dora@files.example"), 451);
	write_users(&f, "dora\n");
	ck_assert_uint_eq(rcpt_until(&f, "dora@files.example", 250), 250);
	ck_assert_uint_eq(rcpt(&f, 1, "alice@files.example"), 550);
	tear_down(&f);
}
END_TEST

static int64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* A million lines, while questions are asked: none waits for the file. */
START_TEST(a_large_file_holds_up_nobody)
{
	const unsigned n = 1000000;
	char *text = malloc((size_t)n * 32);
	int64_t began, before, slowest = 0, took = 0;
	size_t size = 0;
	struct lookup_house f;
	unsigned asked = 0;

	for (unsigned i = 0; i < n; i++)
		size += (size_t)sprintf(text + size, "user%u quota=1G\n", i);
	set_up(&f, false);
	ck_assert_uint_eq(
	    connect_client(&f, f.smtpd, 1, "192.0.2.1", NULL), 220);
	write_users(&f, text);
	began = now_us();
	for (; took < 60 * 1000000; asked++) {
		before = now_us();
		if (rcpt(&f, 1, "user999999@files.example") == 250)
			break;
		took = now_us() - began;
		if (now_us() - before > slowest)
			slowest = now_us() - before;
		ck_assert_uint_eq(rcpt(&f, 1, "x@any.example"), 250);
		usleep(1000);
	}
	printf("%u lines in force after %.2f s; of %u questions meanwhile the "
	       "slowest took %.1f ms\n",
	    n, (double)took / 1e6, asked, (double)slowest / 1e3);
	ck_assert_int_lt(took, 60 * 1000000);
	ck_assert_uint_gt(asked, 100);
	ck_assert_int_lt(slowest, 1000000);
	free(text);
	tear_down(&f);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("lookup_files");
	TCase *t = tcase_create("lookup_files");
	SRunner *r;
	int failed;

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, a_users_file_is_read_again);
	tcase_add_test(t, a_users_file_may_come_later);
	tcase_add_test(t, a_large_file_holds_up_nobody);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
