/*
 * test_syncer.c - every descriptor gets its result, each time.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "deliver/local/syncer.h"

#define NJOBS 32

START_TEST(each_job_has_its_own_result)
{
	struct syncer *s = syncer_new();
	struct sync_job jobs[NJOBS];
	char path[] = "/tmp/test-syncer.XXXXXX";
	int fd = mkstemp(path), ends[2];
	unsigned checked = 0;

	ck_assert_ptr_nonnull(s);
	ck_assert_int_ne(fd, -1);
	unlink(path);
	/* A pipe cannot be synced, and what is not open neither. */
	ck_assert_int_eq(pipe(ends), 0);
	syncer_run(s, jobs, 0);
	for (size_t n = 1; n <= NJOBS; n++) {
		for (size_t i = 0; i < n; i++)
			jobs[i] = (struct sync_job){ i % 3 == 0 ? fd
				    : i % 3 == 1		? ends[0]
								: -1,
				-1 };
		syncer_run(s, jobs, n);
		for (size_t i = 0; i < n; i++, checked++)
			ck_assert_int_eq(jobs[i].err,
			    i % 3 == 0	     ? 0
				: i % 3 == 1 ? EINVAL
					     : EBADF);
	}
	ck_assert_uint_eq(checked, NJOBS * (NJOBS + 1) / 2);
	close(fd);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("syncer");
	TCase *t = tcase_create("syncer");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_test(t, each_job_has_its_own_result);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
