/*
 * test_disk.c - what the kernel may answer to a write, short of an error.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "queue/disk.h"

/* Instead of libc's: at most so many bytes at once; 0: nothing, without an
 * error. */
static size_t most;

ssize_t
pwrite(int fd, const void *p, size_t n, off_t at)
{
	return syscall(SYS_pwrite64, fd, p, n < most ? n : most, at);
}

static int
file(void)
{
	char path[] = "/tmp/test_disk.XXXXXX";
	int fd = mkstemp(path);

	ck_assert_int_ne(fd, -1);
	unlink(path);
	return fd;
}

START_TEST(short_writes_are_finished)
{
	char back[10];
	int fd = file();

	most = 3;
	ck_assert_int_eq(disk_write(fd, "0123456789", 10, 5), 0);
	ck_assert_int_eq(disk_read(fd, back, 10, 5), 10);
	ck_assert_mem_eq(back, "0123456789", 10);
	close(fd);
}
END_TEST

/* errno tells who waits whether it is on disk. */
START_TEST(a_write_of_nothing_is_an_error)
{
	int fd = file();

	most = 0;
	errno = 0;
	ck_assert_int_eq(disk_write(fd, "x", 1, 0), -1);
	ck_assert_int_eq(errno, EIO);
	close(fd);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("disk");
	TCase *tc = tcase_create("disk");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, short_writes_are_finished);
	tcase_add_test(tc, a_write_of_nothing_is_an_error);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
