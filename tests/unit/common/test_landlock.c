/*
 * test_landlock.c - processes behind a rule set try to get past it.
 */
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include <linux/landlock.h>
#include <netinet/in.h>

#include <errno.h>
#include <signal.h>

#include "common/run/confine.h"
#include "tests/unit/common/child.h"

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

/* --- TCP, signals, sockets ------------------------------------------------ */

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

int
main(void)
{
	Suite *s = suite_create("landlock");
	TCase *t = tcase_create("landlock");
	SRunner *r;
	int failed;

	tcase_add_test(t, files_outside_the_rules_are_not_there_for_it);
	tcase_add_test(t, a_rule_that_cannot_be_made_ends_the_start);
	tcase_add_test(t, tcp_goes_where_it_is_allowed_to_go);
	tcase_add_test(t, others_are_out_of_reach);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
