/*
 * test_sandbox.c - whom the processes of local can become.
 */
#include <sys/syscall.h>
#include <sys/wait.h>

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/run/process.h"
#include "deliver/local/sandbox.h"

/* How a setresuid or setresgid with these arguments ends, in a child. */
static int
outcome(long nr, uint64_t a, uint64_t b, uint64_t c)
{
	pid_t pid = fork();
	int status;

	ck_assert_int_ne(pid, -1);
	if (pid == 0) {
		sandbox_forbid_uids(987);
		_exit(syscall(nr, a, b, c) == 0 ? 0 : errno);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

START_TEST(only_those_with_mail)
{
	static const struct {
		long nr;
		uint64_t a, b, c;
		int err;
	} rows[] = {
		{ SYS_setresuid, 2001, 2001, 2001, 0 },
		{ SYS_setresuid, 987, 987, 987, 0 },
		{ SYS_setresuid, 986, 986, 986, EPERM },
		{ SYS_setresuid, 0, 0, 0, EPERM },
		{ SYS_setresuid, 2001, 0, 2001, EPERM },
		{ SYS_setresuid, 2001, 2001, 0, EPERM },
		{ SYS_setresuid, 0, 2001, 2001, EPERM },
		{ SYS_setresuid, UINT64_C(1) << 32, 2001, 2001, EPERM },
		{ SYS_setresuid, 2001, UINT64_C(1) << 32, 2001, EPERM },
		{ SYS_setresuid, 2001, 2001, UINT64_C(1) << 32, EPERM },
		{ SYS_setresuid, UINT64_MAX - 99, 2001, 2001, EPERM },
		{ SYS_setresgid, 1, 1, 1, 0 },
		{ SYS_setresgid, 1, 0, 1, EPERM },
		{ SYS_setresgid, 1, 1, UINT64_C(3) << 32, EPERM },
	};
	unsigned n = 0;

	if (geteuid() != 0)
		return;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++, n++)
		ck_assert_msg(outcome(rows[i].nr, rows[i].a, rows[i].b,
				  rows[i].c) == rows[i].err,
		    "row %zu", i);
	ck_assert_uint_eq(n, sizeof rows / sizeof *rows);
}
END_TEST

START_TEST(the_least)
{
	struct conf_domain domains[] = {
		{ .users = USERS_SYSTEM },
		{ .users = USERS_ANY, .path = "/srv/%u", .owner = "daemon" },
		{ .users = USERS_ANY, .path = "/srv/%u", .owner = "root" },
		{ .users = USERS_ANY, .path = "/srv/%u", .owner = "not-there" },
	};
	struct conf conf = { .min_uid = 1000, .domains = domains };

	conf.ndomains = 1;
	ck_assert_uint_eq(sandbox_least_uid(&conf), 1000);
	conf.ndomains = 4;
	/* Debian's daemon is uid 1; root is never one. */
	ck_assert_uint_eq(sandbox_least_uid(&conf), 1);
	conf.ndomains = 1;
	conf.min_uid = 0;
	ck_assert_uint_eq(sandbox_least_uid(&conf), 1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("sandbox");
	TCase *t = tcase_create("sandbox");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_test(t, only_those_with_mail);
	tcase_add_test(t, the_least);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
