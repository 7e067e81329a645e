/*
 * test_confine.c - processes that gave up their power try to use it.
 */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <linux/capability.h>
#include <linux/landlock.h>
#include <netinet/in.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <pwd.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/run/confine.h"
#include "common/run/sanitized.h"

#define NOBODY "nobody"
#define OTHER  1 /* "daemon": a user that nobody is not */
#define BIT(n) (UINT64_C(1) << (n))

/* In a child: what is not true ends it with the line's number. */
#define MUST(what) \
	do { \
		if (!(what)) \
			_exit(100 + __LINE__ % 100); \
	} while (0)

static char dir[64]; /* of this test */

static void
make_dir(void)
{
	snprintf(dir, sizeof dir, "/tmp/confine.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chmod(dir, 0755), 0);
}

static void
remove_dir(void)
{
	char command[128];

	snprintf(command, sizeof command, "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static void
quiet(void)
{
	dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
}

static int
ended(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* The exit status of a child that runs fn, or minus its signal. */
static int
run(void (*fn)(const void *), const void *arg)
{
	pid_t pid = fork();

	ck_assert_int_ne(pid, -1);
	if (pid == 0) {
		quiet();
		fn(arg);
		_exit(0);
	}
	return ended(pid);
}

/* The same, and while it waits after fn its /proc/PID/status is read. */
static int
run_and_read(void (*fn)(const void *), const void *arg, char *text, size_t size)
{
	int ready[2], go[2];
	char path[64], c = 0;
	size_t n;
	pid_t pid;
	FILE *f;

	ck_assert_int_eq(pipe(ready), 0);
	ck_assert_int_eq(pipe(go), 0);
	pid = fork();
	ck_assert_int_ne(pid, -1);
	if (pid == 0) {
		quiet();
		fn(arg);
		_exit(write(ready[1], &c, 1) == 1 && read(go[0], &c, 1) == 1
			? 0
			: 2);
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1)
		return ended(pid);
	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	n = fread(text, 1, size - 1, f);
	text[n] = '\0';
	fclose(f);
	ck_assert_int_eq(write(go[1], &c, 1), 1);
	return ended(pid);
}

static void
has_line(const char *text, const char *line)
{
	ck_assert_msg(strstr(text, line) != NULL, "no %s in:\n%s", line, text);
}

/* --- drop -------------------------------------------------------------------
 */

static const struct confine nothing = { .empty_root = true };
static const struct confine some_caps = {
	.caps = BIT(CAP_SETUID) | BIT(CAP_SETGID) | BIT(CAP_KILL),
};

static void
drop_all(const void *arg)
{
	(void)arg;
	confine_drop(&nothing, NOBODY, dir);
	MUST(SANITIZED || open("/etc/passwd", O_RDONLY) == -1);
	MUST(SANITIZED || errno == ENOENT);
	MUST(setuid(0) == -1 && seteuid(0) == -1 && setgid(0) == -1);
	MUST(chroot(".") == -1 && setgroups(0, NULL) == -1);
	MUST(prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) == 0);
	MUST(SANITIZED || prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
}

START_TEST(root_becomes_a_user_without_anything)
{
	const struct passwd *pw = getpwnam(NOBODY);
	char text[8192], line[64];

	ck_assert_int_eq(run_and_read(drop_all, NULL, text, sizeof text), 0);
	snprintf(line, sizeof line, "Uid:\t%u\t%u\t%u\t%u\n", pw->pw_uid,
	    pw->pw_uid, pw->pw_uid, pw->pw_uid);
	has_line(text, line);
	snprintf(line, sizeof line, "Gid:\t%u\t%u\t%u\t%u\n", pw->pw_gid,
	    pw->pw_gid, pw->pw_gid, pw->pw_gid);
	has_line(text, line);
	has_line(text, "Groups:\t \n");
	has_line(text, "CapInh:\t0000000000000000\n");
	has_line(text, "CapPrm:\t0000000000000000\n");
	has_line(text, "CapEff:\t0000000000000000\n");
	has_line(text, "CapBnd:\t0000000000000000\n");
	has_line(text, "CapAmb:\t0000000000000000\n");
	has_line(text, "NoNewPrivs:\t1\n");
}
END_TEST

static void
drop_some(const void *arg)
{
	(void)arg;
	confine_drop(&some_caps, NOBODY, dir);
	MUST(getuid() != 0 && geteuid() != 0);
}

START_TEST(listed_capabilities_are_kept_and_no_others)
{
	char text[8192];

	ck_assert_int_eq(run_and_read(drop_some, NULL, text, sizeof text), 0);
	has_line(text, "CapInh:\t0000000000000000\n");
	has_line(text, "CapPrm:\t00000000000000e0\n");
	has_line(text, "CapEff:\t00000000000000e0\n");
	has_line(text, "CapBnd:\t0000000000000000\n");
	has_line(text, "NoNewPrivs:\t1\n");
}
END_TEST

static void
drop_master(const void *arg)
{
	(void)arg;
	confine_drop(&some_caps, NULL, dir);
	MUST(getuid() == 0);
}

START_TEST(root_may_stay_with_what_is_listed)
{
	char text[8192];

	ck_assert_int_eq(run_and_read(drop_master, NULL, text, sizeof text), 0);
	has_line(text, "CapEff:\t00000000000000e0\n");
	has_line(text, "CapBnd:\t00000000000000e0\n");
}
END_TEST

static void
drop_as_user(const void *arg)
{
	uid_t uid = OTHER;

	(void)arg;
	MUST(setresuid(uid, uid, uid) == 0);
	MUST(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0); /* as after exec */
	/* No user to become, no root to leave, no such directory: all the
	 * same to who is not root. */
	confine_drop(&nothing, "no-such-user", "/no/such/directory");
	MUST(getuid() == uid && access("/etc/passwd", F_OK) == 0);
	MUST(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1);
}

START_TEST(without_root_the_user_stays)
{
	char text[8192];

	ck_assert_int_eq(
	    run_and_read(drop_as_user, NULL, text, sizeof text), 0);
	has_line(text, "CapEff:\t0000000000000000\n");
	has_line(text, "NoNewPrivs:\t1\n");
}
END_TEST

struct refused {
	struct confine c;
	const char *user;
	mode_t mode; /* of the empty directory */
};

static const struct confine_dir any_dir = { "/tmp", CONFINE_READ };
static const struct refused refusals[] = {
	{ { .caps = 0 }, "no-such-user", 0755 },
	{ { .caps = 0 }, "root", 0755 },
	{ { .empty_root = true }, NOBODY, 0775 },
	{ { .empty_root = true }, NOBODY, 0757 },
	{ { .empty_root = true, .dirs = &any_dir, .ndirs = 1 }, NOBODY, 0755 },
};

static void
drop_refused(const void *arg)
{
	const struct refused *r = arg;

	MUST(chmod(dir, r->mode) == 0);
	confine_drop(&r->c, r->user, dir);
}

START_TEST(what_would_not_hold_ends_the_start)
{
	ck_assert_int_eq(run(drop_refused, &refusals[_i]), 1);
}
END_TEST

/* --- a child of local
 * ---------------------------------------------------------- */

static const struct confine_call user_calls[] = {
	{ .nr = SCMP_SYS(setgroups), .why = "test" },
	{ .nr = SCMP_SYS(setresgid), .why = "test" },
	{ .nr = SCMP_SYS(setresuid), .why = "test" },
	{ .nr = SCMP_SYS(capset), .why = "test" },
	{ .nr = SCMP_SYS(capget), .why = "test" },
	{ .nr = SCMP_SYS(getresuid), .why = "test" },
	{ .nr = SCMP_SYS(getresgid), .why = "test" },
	{ .nr = SCMP_SYS(getgroups), .why = "test" },
};

static const struct confine local = {
	.caps = BIT(CAP_SETUID) | BIT(CAP_SETGID),
	.calls = user_calls,
	.ncalls = sizeof user_calls / sizeof user_calls[0],
};

static void
become_user(const void *arg)
{
	static const gid_t groups[] = { OTHER, 50 };
	const uid_t *uid = arg;
	uid_t r, e, s;

	confine_drop(&local, NOBODY, dir);
	confine_landlock(&local, false);
	confine_seccomp(&local);
	confine_user(*uid, OTHER, groups, 2);
	MUST(getresuid(&r, &e, &s) == 0 && r == OTHER && s == OTHER);
	MUST(setresuid(0, 0, 0) == -1 && setresgid(0, 0, 0) == -1);
	MUST(setresuid(65534, 65534, 65534) == -1);
}

START_TEST(a_child_of_local_becomes_a_user_for_good)
{
	static const uid_t uid = OTHER, root = 0;
	char text[8192];

	ck_assert_int_eq(run_and_read(become_user, &uid, text, sizeof text), 0);
	has_line(text, "Uid:\t1\t1\t1\t1\n");
	has_line(text, "Gid:\t1\t1\t1\t1\n");
	has_line(text, "Groups:\t1 50 \n");
	has_line(text, "CapPrm:\t0000000000000000\n");
	has_line(text, "CapEff:\t0000000000000000\n");
	has_line(text, "Seccomp:\t2\n");
	ck_assert_int_eq(run(become_user, &root), 1);
}
END_TEST

/* --- Landlock: files
 * ----------------------------------------------------------- */

static const char *
at(const char *name)
{
	static char path[2][128];
	static unsigned turn;

	turn ^= 1;
	snprintf(path[turn], sizeof path[turn], "%s/%s", dir, name);
	return path[turn];
}

static void
make_file(const char *name)
{
	int fd = open(at(name), O_CREAT | O_WRONLY, 0666);

	ck_assert_int_ne(fd, -1);
	close(fd);
}

static void
make_tree(void)
{
	make_dir();
	ck_assert_int_eq(mkdir(at("read"), 0777), 0);
	ck_assert_int_eq(mkdir(at("write"), 0777), 0);
	ck_assert_int_eq(mkdir(at("write/new"), 0777), 0);
	ck_assert_int_eq(mkdir(at("other"), 0777), 0);
	make_file("read/file");
	make_file("write/file");
	make_file("other/file");
}

static void
shut_in(void)
{
	char reading[128], writing[128];
	const struct confine_dir dirs[] = {
		{ reading, CONFINE_READ },
		{ writing, CONFINE_WRITE },
	};
	const struct confine c = { .dirs = dirs, .ndirs = 2 };

	snprintf(reading, sizeof reading, "%s", at("read"));
	snprintf(writing, sizeof writing, "%s", at("write"));
	MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	confine_landlock(&c, false);
}

static int
try_open(const char *name, int flags)
{
	int fd = open(at(name), flags, 0666);

	if (fd == -1)
		return errno;
	close(fd);
	return 0;
}

static int
or_errno(int rc)
{
	return rc == 0 ? 0 : errno;
}

static void
use_files(const void *arg)
{
	(void)arg;
	shut_in();
	MUST(try_open("read/file", O_RDONLY) == 0);
	MUST(try_open("read", O_RDONLY | O_DIRECTORY) == 0);
	MUST(try_open("read/file", O_WRONLY) == EACCES);
	MUST(try_open("read/made", O_CREAT | O_RDWR) == EACCES);
	MUST(or_errno(unlink(at("read/file"))) == EACCES);
	MUST(or_errno(truncate(at("read/file"), 0)) == EACCES);
	MUST(try_open("other/file", O_RDONLY) == EACCES);
	MUST(try_open("other", O_RDONLY | O_DIRECTORY) == EACCES);
	MUST(open("/etc/passwd", O_RDONLY) == -1 && errno == EACCES);
	MUST(execl("/bin/true", "true", (char *)NULL) == -1 && errno == EACCES);
}

static void
use_writable(const void *arg)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	(void)arg;
	shut_in();
	MUST(try_open("write/file", O_RDWR | O_TRUNC) == 0);
	MUST(try_open("write/made", O_CREAT | O_EXCL | O_RDWR) == 0);
	MUST(or_errno(mkdir(at("write/new/deep"), 0700)) == 0);
	MUST(or_errno(rename(at("write/made"), at("write/new/made"))) == 0);
	MUST(or_errno(link(at("write/new/made"), at("write/link"))) == 0);
	MUST(or_errno(unlink(at("write/link"))) == 0);
	MUST(or_errno(rename(at("write/file"), at("other/x"))) != 0);
	MUST(or_errno(link(at("other/file"), at("write/y"))) != 0);
	MUST(or_errno(symlink("/etc/passwd", at("write/sym"))) == EACCES);
	MUST(or_errno(mkfifo(at("write/fifo"), 0600)) == EACCES);
	MUST(or_errno(rmdir(at("write/new/deep"))) == EACCES);
	snprintf(sun.sun_path, sizeof sun.sun_path, "%s", at("write/sock"));
	MUST(or_errno(bind(socket(AF_UNIX, SOCK_STREAM, 0),
		 (struct sockaddr *)&sun, sizeof sun)) == EACCES);
}

START_TEST(files_outside_the_rules_are_not_there_for_it)
{
	make_tree();
	ck_assert_int_eq(run(use_files, NULL), 0);
	ck_assert_int_eq(run(use_writable, NULL), 0);
	remove_dir();
}
END_TEST

static void
no_such_dir(const void *arg)
{
	static const struct confine_dir dirs[] = {
		{ "/no/such/directory", CONFINE_READ },
	};
	const struct confine c = { .dirs = dirs, .ndirs = 1 };

	(void)arg;
	MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	confine_landlock(&c, false);
}

START_TEST(a_rule_that_cannot_be_made_ends_the_start)
{
	ck_assert_int_eq(run(no_such_dir, NULL), 1);
}
END_TEST

/* --- Landlock: the rest
 * ---------------------------------------------------------- */

static int
landlock_abi(void)
{
	return (int)syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
}

static struct sockaddr_in
loopback(uint16_t port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons(port) };

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return sin;
}

/* A listening socket on a free port. */
static int
listen_somewhere(uint16_t *port)
{
	struct sockaddr_in sin = loopback(0);
	socklen_t n = sizeof sin;
	int s = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(s, (struct sockaddr *)&sin, sizeof sin), 0);
	ck_assert_int_eq(listen(s, 5), 0);
	ck_assert_int_eq(getsockname(s, (struct sockaddr *)&sin, &n), 0);
	*port = ntohs(sin.sin_port);
	return s;
}

static int
try_connect(uint16_t port)
{
	struct sockaddr_in sin = loopback(port);
	int s = socket(AF_INET, SOCK_STREAM, 0);
	int rc = or_errno(connect(s, (struct sockaddr *)&sin, sizeof sin));

	close(s);
	return rc;
}

struct tcp {
	bool any;
	size_t nports;
	uint16_t
	    ports[2]; /* both are listened at; the first nports are listed */
	int first, second; /* what a connect gives */
};

static void
use_tcp(const void *arg)
{
	const struct tcp *t = arg;
	const struct confine c = { .any_tcp_connect = t->any,
		.ports = t->ports,
		.nports = t->nports };
	struct sockaddr_in sin = loopback(0);

	MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	confine_landlock(&c, false);
	MUST(try_connect(t->ports[0]) == t->first);
	MUST(try_connect(t->ports[1]) == t->second);
	MUST(or_errno(bind(socket(AF_INET, SOCK_STREAM, 0),
		 (struct sockaddr *)&sin, sizeof sin)) == EACCES);
}

START_TEST(tcp_goes_where_it_is_allowed_to_go)
{
	struct tcp cases[] = {
		{ .first = EACCES, .second = EACCES },
		{ .nports = 1, .first = 0, .second = EACCES },
		{ .any = true, .first = 0, .second = 0 },
	};
	uint16_t ports[2];
	int s[2];

	if (landlock_abi() < 4)
		return; /* such a kernel cannot do it */
	for (int i = 0; i < 2; i++)
		s[i] = listen_somewhere(&ports[i]);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		memcpy(cases[i].ports, ports, sizeof ports);
		ck_assert_int_eq(run(use_tcp, &cases[i]), 0);
	}
	close(s[0]);
	close(s[1]);
}
END_TEST

static void
use_scope(const void *arg)
{
	const struct sockaddr_un *sun = arg;
	const struct confine c = { .any_tcp_connect = true };
	pid_t pid;

	MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	confine_landlock(&c, false);
	MUST(or_errno(connect(socket(AF_UNIX, SOCK_STREAM, 0),
		 (const struct sockaddr *)sun, sizeof *sun)) == EPERM);
	MUST(or_errno(kill(getppid(), 0)) == EPERM);
	/* Its own children are below it. */
	pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	MUST(or_errno(kill(pid, SIGKILL)) == 0);
}

START_TEST(others_are_out_of_reach)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	if (landlock_abi() < 6)
		return;
	snprintf(sun.sun_path + 1, sizeof sun.sun_path - 1, "confine-test-%d",
	    (int)getpid());
	ck_assert_int_eq(bind(s, (struct sockaddr *)&sun, sizeof sun), 0);
	ck_assert_int_eq(listen(s, 1), 0);
	ck_assert_int_eq(run(use_scope, &sun), 0);
	close(s);
}
END_TEST

/* --- seccomp
 * ------------------------------------------------------------------- */

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
	MUST(try_open("../../dev/null", O_RDONLY) == 0);
	/* What it starts has the same filter. */
	execl("/bin/sh", "sh", "-c", "grep -q 'Seccomp:.2' /proc/self/status",
	    (char *)NULL);
	_exit(9);
}

START_TEST(a_deny_list_denies_and_is_inherited)
{
	make_dir();
	ck_assert_int_eq(run(denied, NULL), 0);
	remove_dir();
}
END_TEST

static TCase *
root_cases(void)
{
	TCase *t = tcase_create("root");

	tcase_add_checked_fixture(t, make_dir, remove_dir);
	tcase_add_test(t, root_becomes_a_user_without_anything);
	tcase_add_test(t, listed_capabilities_are_kept_and_no_others);
	tcase_add_test(t, root_may_stay_with_what_is_listed);
	tcase_add_test(t, without_root_the_user_stays);
	tcase_add_loop_test(t, what_would_not_hold_ends_the_start, 0,
	    sizeof refusals / sizeof refusals[0]);
	tcase_add_test(t, a_child_of_local_becomes_a_user_for_good);
	return t;
}

int
main(void)
{
	Suite *s = suite_create("confine");
	TCase *t = tcase_create("confine");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, files_outside_the_rules_are_not_there_for_it);
	tcase_add_test(t, a_rule_that_cannot_be_made_ends_the_start);
	tcase_add_test(t, tcp_goes_where_it_is_allowed_to_go);
	tcase_add_test(t, others_are_out_of_reach);
	tcase_add_test(t, what_every_process_needs_works);
	tcase_add_loop_test(t, what_is_not_listed_kills, 0,
	    sizeof forbidden / sizeof forbidden[0]);
	tcase_add_test(t, abort_is_an_abort);
	tcase_add_test(t, threads_that_were_there_before_are_confined_too);
	tcase_add_test(t, a_deny_list_denies_and_is_inherited);
	suite_add_tcase(s, t);
	if (geteuid() == 0)
		suite_add_tcase(s, root_cases());
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
