/*
 * test_seccomp.c - what works behind a filter, and what kills.
 */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <errno.h>
#include <pthread.h>
#include <seccomp.h>
#include <signal.h>

#include "common/run/confine.h"
#include "common/run/sanitized.h"
#include "tests/unit/common/child.h"

static const struct confine_call own_calls[] = {
	{ .nr = SCMP_SYS(socket),
	    .why = "test",
	    .check = true,
	    .arg = 0,
	    .mask = UINT32_MAX,
	    .value = AF_UNIX },
};

static const struct confine own = {
	.calls = own_calls,
	.ncalls = sizeof own_calls / sizeof own_calls[0],
};

static int
compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* What libc and the base list promise. */
static void
live(const void *arg)
{
	static int numbers[4096];
	struct stat st;
	char *p, c;
	int fds[2];

	(void)arg;
	MUST(pipe(fds) == 0);
	for (int i = 0; i < 4096; i++)
		numbers[i] = (i * 7919) % 4099;
	confine_seccomp(&own);
	p = malloc(1 << 22);
	MUST(p != NULL);
	memset(p, 1, 1 << 22);
	p = realloc(p, 1 << 23);
	MUST(p != NULL);
	free(p);
	qsort(numbers, 4096, sizeof numbers[0], compare);
	MUST(numbers[0] <= numbers[1]);
	MUST(write(fds[1], "x", 1) == 1 && read(fds[0], &c, 1) == 1);
	MUST(fstat(fds[0], &st) == 0);
	MUST(fcntl(fds[0], F_DUPFD_CLOEXEC, 0) != -1);
	MUST(signal(SIGUSR1, SIG_IGN) != SIG_ERR);
	MUST(SANITIZED || prctl(PR_SET_NAME, "x") == -1);
	MUST(SANITIZED || errno == ENOSYS);
	MUST(socket(AF_UNIX, SOCK_STREAM, 0) != -1);
	close(fds[0]);
}

START_TEST(what_every_process_needs_works)
{
	char text[8192];

	ck_assert_int_eq(run_and_read(live, NULL, text, sizeof text), 0);
	has_line(text, "Seccomp:\t2\n");
	has_line(text, "NoNewPrivs:\t1\n");
}
END_TEST

static void
do_open(void)
{
	(void)!open("/dev/null", O_RDONLY);
}

static void
do_socket(void)
{
	(void)!socket(AF_INET, SOCK_STREAM, 0);
}

static void
do_exec(void)
{
	execl("/bin/true", "true", (char *)NULL);
}

static void
do_fork(void)
{
	(void)!fork();
}

static void
do_executable_memory(void)
{
	(void)!mmap(NULL, 4096, PROT_READ | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void
do_make_executable(void)
{
	static char page[8192] __attribute__((aligned(4096)));

	(void)!mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static void
do_kill(void)
{
	kill(getppid(), 0);
}

static void
do_tgkill(void)
{
	syscall(SYS_tgkill, 1, 1, 0);
}

static void
do_setuid(void)
{
	(void)!setuid(0);
}

static void
do_stat(void)
{
	struct stat st;

	(void)!lstat("/etc/passwd", &st);
}

static const struct {
	void (*call)(void);
	bool sanitizer; /* which needs it itself */
} forbidden[] = {
	{ do_open, true },
	{ do_socket, false },
	{ do_exec, false },
	{ do_fork, true },
	{ do_executable_memory, false },
	{ do_make_executable, false },
	{ do_kill, true },
	{ do_tgkill, false },
	{ do_setuid, false },
	{ do_stat, false },
};

static void
confined_call(const void *arg)
{
	const int *i = arg;

	confine_seccomp(&own);
	forbidden[*i].call();
}

START_TEST(what_is_not_listed_kills)
{
	if (SANITIZED && forbidden[_i].sanitizer)
		return;
	ck_assert_int_eq(run(confined_call, &_i), -SIGSYS);
}
END_TEST

static void
confined_abort(const void *arg)
{
	(void)arg;
	confine_seccomp(&own);
	abort();
}

START_TEST(abort_is_an_abort)
{
	ck_assert_int_eq(run(confined_abort, NULL), -SIGABRT);
}
END_TEST

static void *
wait_and_call(void *arg)
{
	const int *fds = arg;
	char c;

	if (read(fds[0], &c, 1) == 1)
		do_socket();
	return NULL;
}

static void
confined_thread(const void *arg)
{
	pthread_t thread;
	int fds[2];

	(void)arg;
	MUST(pipe(fds) == 0);
	MUST(pthread_create(&thread, NULL, wait_and_call, fds) == 0);
	confine_seccomp(&own);
	MUST(write(fds[1], "x", 1) == 1);
	pthread_join(thread, NULL);
}

START_TEST(threads_that_were_there_before_are_confined_too)
{
	ck_assert_int_eq(run(confined_thread, NULL), -SIGSYS);
}
END_TEST

static const struct confine_call denied_calls[] = {
	{ .nr = SCMP_SYS(ptrace), .why = "test" },
	{ .nr = SCMP_SYS(personality), .why = "test" },
};

static const struct confine master = {
	.calls = denied_calls,
	.ncalls = sizeof denied_calls / sizeof denied_calls[0],
	.deny = true,
};

static void
denied(const void *arg)
{
	(void)arg;
	confine_seccomp(&master);
	MUST(syscall(SYS_personality, 0xffffffff) == -1 && errno == EPERM);
	MUST(open("/dev/null", O_RDONLY) != -1);
	/* What it starts has the same filter. */
	execl("/bin/sh", "sh", "-c", "grep -q 'Seccomp:.2' /proc/self/status",
	    (char *)NULL);
	_exit(9);
}

START_TEST(a_deny_list_denies_and_is_inherited)
{
	ck_assert_int_eq(run(denied, NULL), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("seccomp");
	TCase *t = tcase_create("seccomp");
	SRunner *r;
	int failed;

	tcase_add_test(t, what_every_process_needs_works);
	tcase_add_loop_test(t, what_is_not_listed_kills, 0,
	    sizeof forbidden / sizeof forbidden[0]);
	tcase_add_test(t, abort_is_an_abort);
	tcase_add_test(t, threads_that_were_there_before_are_confined_too);
	tcase_add_test(t, a_deny_list_denies_and_is_inherited);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
