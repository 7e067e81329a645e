/*
 * test_spool.c - the directory: what is left over in it, and which one is refused.
 */
#include <sys/wait.h>

#include "tests/unit/queue/segments.h"

START_TEST(files_without_a_record_are_removed)
{
	char path[256];
	int fd;

	path_of(path, sizeof path, "content", "0123456789abcdef");
	ck_assert_int_ne(fd = open(path, O_WRONLY | O_CREAT, 0600), -1);
	close(fd);
	path_of(path, sizeof path, "content", "not-ours");
	ck_assert_int_ne(fd = open(path, O_WRONLY | O_CREAT, 0600), -1);
	close(fd);
	spool_close(&sp);
	spool_open_only(&sp);
	ck_assert_uint_eq(files_in("content"), 1);
	ck_assert_int_eq(access(path, F_OK), 0);
	/* Such an id has been used. */
	ck_assert_uint_gt(store_id(sp.store), 0x0123456789abcdef);
	spool_drop(&sp);
}
END_TEST

START_TEST(spares_are_whole_or_removed)
{
	char path[256];
	int fd;

	spool_settle(&sp);
	spool_close(&sp);
	path_of(path, sizeof path, "log", "8000000000000000.spare");
	ck_assert_int_ne(fd = open(path, O_WRONLY | O_CREAT, 0600), -1);
	ck_assert_int_eq(ftruncate(fd, SEGMENT / 2), 0);
	close(fd);
	spool_open_only(&sp);
	ck_assert_int_eq(access(path, F_OK), -1);
	ck_assert_uint_eq(sp.store->nspares, 1);
	spool_drop(&sp);
	sp.opt.segment_size = 2 * SEGMENT;
	spool_open_only(&sp);
	ck_assert_uint_eq(sp.store->nspares, 0);
	ck_assert_uint_eq(sp.store->head->size, 2 * SEGMENT);
	spool_drop(&sp);
}
END_TEST

/* Whatever stands where a file should be, the queue opens. */
START_TEST(what_is_no_file_is_put_away)
{
	char path[256];
	uint64_t id = accept_one(100);

	spool_close(&sp);
	path_of(path, sizeof path, "log", "0000000000000ff0.seg");
	ck_assert_int_eq(mkdir(path, 0700), 0);
	path_of(path, sizeof path, "log", "0000000000000ff1.seg");
	ck_assert_int_eq(symlink("/etc/passwd", path), 0);
	/* The newest of the history: it costs stories. */
	path_of(path, sizeof path, "history", "9000000000.log");
	ck_assert_int_eq(mkdir(path, 0700), 0);
	spool_begin(&sp);
	ck_assert_ptr_nonnull(find(id));
	ck_assert_uint_eq(files_in("damaged"), 2);
	ck_assert_uint_eq(sp.store->count.damaged, 2);
	sp.done = 0;
	accept_one(100);
	spool_close(&sp);
}
END_TEST

static void
put_file(const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", sp.path, name);
	ck_assert_ptr_nonnull(f = fopen(path, "w"));
	fputs(text, f);
	fclose(f);
}

/* These end the process: check sees exit 1. */
START_TEST(another_format_is_refused)
{
	spool_close(&sp);
	put_file("format", "sallyport spool 2\n");
	spool_open_only(&sp);
}
END_TEST

START_TEST(a_missing_key_is_refused)
{
	char path[256];

	spool_close(&sp);
	snprintf(path, sizeof path, "%s/key", sp.path);
	ck_assert_int_eq(unlink(path), 0);
	spool_open_only(&sp);
}
END_TEST

START_TEST(another_key_is_refused)
{
	spool_close(&sp);
	put_file("key", "01234567890123456789012345678901");
	spool_open_only(&sp);
}
END_TEST

START_TEST(refusals_change_nothing)
{
	static const char *const names[] = { "format", "key" };
	unsigned before;

	accept_one(1000);
	spool_close(&sp);
	before = files_in("log");
	for (size_t i = 0; i < 2; i++) {
		char path[256], aside[256];
		pid_t pid;
		int status;

		snprintf(path, sizeof path, "%s/%s", sp.path, names[i]);
		snprintf(aside, sizeof aside, "%s/aside", sp.path);
		ck_assert_int_eq(rename(path, aside), 0);
		if ((pid = fork()) == 0) {
			spool_open_only(&sp);
			_exit(0);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
		ck_assert_uint_eq(files_in("log"), before);
		ck_assert_int_eq(access(path, F_OK), -1);
		ck_assert_int_eq(rename(aside, path), 0);
	}
	spool_open_only(&sp);
	ck_assert_uint_eq(index_messages(store_index(sp.store)), 1);
	spool_drop(&sp);
}
END_TEST

START_TEST(a_second_queue_waits_for_the_lock)
{
	int pipes[2], status;
	pid_t pid;
	char c;

	ck_assert_int_eq(pipe(pipes), 0);
	if ((pid = fork()) == 0) {
		/* The lock is with the open file, and that was inherited. */
		close(sp.store->lock);
		_exit(
		    store_open(&sp.opt) != NULL && write(pipes[1], "x", 1) == 1
			? 0
			: 1);
	}
	usleep(300000);
	ck_assert_int_eq(waitpid(pid, &status, WNOHANG), 0);
	spool_close(&sp);
	ck_assert_int_eq(read(pipes[0], &c, 1), 1);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("spool");
	TCase *tc = tcase_create("spool");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, files_without_a_record_are_removed);
	tcase_add_test(tc, spares_are_whole_or_removed);
	tcase_add_exit_test(tc, another_format_is_refused, 1);
	tcase_add_exit_test(tc, a_missing_key_is_refused, 1);
	tcase_add_exit_test(tc, another_key_is_refused, 1);
	tcase_add_test(tc, refusals_change_nothing);
	tcase_add_test(tc, a_second_queue_waits_for_the_lock);
	tcase_add_test(tc, what_is_no_file_is_put_away);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
