/*
 * test_listen.c - listening sockets and the control socket.
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "master/master.h"

static struct conf_listen listens[2];
static struct generation current = { .conf = { .listens = listens } };
static struct master m = { .current = &current };
static char top[] = "/tmp/test_listen.XXXXXX";

/* What ends the program also says why. */
static void
say_nothing(void)
{
	ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
}

static void
make_top(void)
{
	if (mkdtemp(top) == NULL)
		abort();
}

static void
remove_top(void)
{
	char command[128];

	snprintf(
	    command, sizeof command, "chmod -R u+w %s && rm -rf %s", top, top);
	if (system(command) != 0)
		abort();
}

static void
want(const char *ip, uint16_t port)
{
	size_t i = current.conf.nlistens++;
	struct conf_listen *l = &listens[i];

	current.listeners[i] = -1;
	ck_assert(ip_parse(&l->ip, span_of(ip)));
	l->port = port;
	snprintf(l->title, sizeof l->title, "%s", ip);
}

/* The port behind the last colon. */
static unsigned
port_in(const char *text)
{
	return (unsigned)atoi(strrchr(text, ':') + 1);
}

START_TEST(port_zero_is_told_as_what_it_became)
{
	char text[LISTEN_TEXT_MAX], expected[64], *comma;
	unsigned a, b;

	want("127.0.0.1", 0);
	want("::1", 0);
	listen_open(&m, NULL, 0);
	listen_text(&m, text);
	b = port_in(text);
	comma = strchr(text, ',');
	ck_assert_ptr_nonnull(comma);
	*comma = '\0';
	a = port_in(text);
	ck_assert_uint_gt(a, 0);
	ck_assert_uint_gt(b, 0);
	*comma = ',';
	snprintf(expected, sizeof expected, "127.0.0.1:%u,[::1]:%u", a, b);
	ck_assert_str_eq(text, expected);
}
END_TEST

static int
other_socket(uint16_t *port)
{
	struct sockaddr_storage ss;
	socklen_t n;
	struct ip ip;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert(ip_parse(&ip, SPAN("127.0.0.1")));
	n = ip_to_sockaddr(&ss, &ip, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&ss, n), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	n = sizeof ss;
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&ss, &n), 0);
	*port = (uint16_t)(((unsigned char *)&ss)[2] << 8 |
	    ((unsigned char *)&ss)[3]);
	return fd;
}

START_TEST(an_inherited_socket_goes_to_its_listen)
{
	uint16_t port;
	int fd = other_socket(&port);

	want("127.0.0.1", 0);
	want("127.0.0.1", port);
	listen_open(&m, &fd, 1);
	ck_assert_int_eq(current.listeners[1], fd);
	ck_assert_int_ne(current.listeners[0], fd);
}
END_TEST

START_TEST(an_inherited_socket_without_a_listen_is_refused)
{
	uint16_t port;
	int fd = other_socket(&port);

	want("127.0.0.2", port);
	listen_open(&m, &fd, 1);
}
END_TEST

START_TEST(a_port_in_use_is_refused)
{
	uint16_t port;

	m.patience = 1; /* an old service has had its time */
	(void)other_socket(&port);
	want("127.0.0.1", port);
	listen_open(&m, NULL, 0);
}
END_TEST

START_TEST(the_port_of_a_service_that_is_ending_is_waited_for)
{
	uint16_t port;
	int fd = other_socket(&port);
	pid_t pid = fork();

	ck_assert_int_ne(pid, -1);
	if (pid == 0) {
		usleep(300 * 1000);
		_exit(0);
	}
	close(fd);
	want("127.0.0.1", port);
	listen_open(&m, NULL, 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_int_ge(current.listeners[0], 0);
}
END_TEST

/* A runtime directory of this test alone; the path of the socket in it. */
static void
make_runtime(char path[128])
{
	snprintf(current.conf.runtime, sizeof current.conf.runtime, "%s/%d",
	    top, (int)getpid());
	ck_assert_int_eq(mkdir(current.conf.runtime, 0755), 0);
	snprintf(path, 128, "%s/%d/" CONTROL_SOCKET, top, (int)getpid());
}

START_TEST(a_socket_nobody_answers_on_is_replaced)
{
	struct stat st;
	char path[128];

	make_runtime(path);
	control_open(&m);
	close(m.control);
	control_open(&m);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	control_remove(&m);
	ck_assert_int_eq(stat(path, &st), -1);
}
END_TEST

START_TEST(a_socket_that_is_answered_on_is_left_alone)
{
	char path[128];

	make_runtime(path);
	control_open(&m);
	m.patience = 1;
	control_open(&m);
}
END_TEST

START_TEST(a_file_in_its_place_is_left_alone)
{
	char path[128];
	FILE *f;

	make_runtime(path);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fclose(f);
	control_open(&m);
}
END_TEST

static int
unix_socket(const char *path, int type)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type, 0);

	snprintf(sun.sun_path, sizeof sun.sun_path, "%s", path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sun, sizeof sun), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	return fd;
}

static void
submit_path(char path[128])
{
	make_runtime(path);
	strcpy(strrchr(path, '/') + 1, SUBMIT_SOCKET);
}

START_TEST(everybody_may_submit)
{
	struct stat st;
	char path[128];

	submit_path(path);
	listen_open(&m, NULL, 0);
	submit_open(&m);
	close(m.submit);
	m.submit = -1;
	submit_open(&m);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0666);
	submit_remove(&m);
	ck_assert_int_eq(stat(path, &st), -1);
}
END_TEST

START_TEST(a_submission_socket_that_is_answered_on_is_left_alone)
{
	char path[128];

	submit_path(path);
	(void)unix_socket(path, SOCK_STREAM);
	m.submit = -1;
	m.patience = 1;
	submit_open(&m);
}
END_TEST

START_TEST(an_inherited_submission_socket_is_used_and_stays)
{
	struct stat st;
	char path[128];
	int fd;

	submit_path(path);
	fd = unix_socket(path, SOCK_STREAM);
	listen_open(&m, &fd, 1);
	submit_open(&m);
	ck_assert_int_eq(m.submit, fd);
	submit_remove(&m);
	ck_assert_int_eq(stat(path, &st), 0);
}
END_TEST

/* Another name, another type, a second one. */
START_TEST(another_inherited_unix_socket_is_refused)
{
	int fds[2], n = 1;
	char path[128];

	submit_path(path);
	if (_i == 0)
		strcat(path, "x");
	fds[0] = unix_socket(path, _i == 1 ? SOCK_SEQPACKET : SOCK_STREAM);
	if (_i == 2) {
		ck_assert_int_eq(unlink(path), 0);
		fds[n++] = unix_socket(path, SOCK_STREAM);
	}
	listen_open(&m, fds, (size_t)n);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("listen");
	TCase *t = tcase_create("listen");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_unchecked_fixture(t, make_top, remove_top);
	tcase_add_checked_fixture(t, say_nothing, NULL);
	tcase_add_test(t, port_zero_is_told_as_what_it_became);
	tcase_add_test(t, an_inherited_socket_goes_to_its_listen);
	tcase_add_exit_test(
	    t, an_inherited_socket_without_a_listen_is_refused, 1);
	tcase_add_exit_test(t, a_port_in_use_is_refused, 1);
	tcase_add_test(t, the_port_of_a_service_that_is_ending_is_waited_for);
	tcase_add_test(t, a_socket_nobody_answers_on_is_replaced);
	tcase_add_exit_test(t, a_socket_that_is_answered_on_is_left_alone, 1);
	tcase_add_exit_test(t, a_file_in_its_place_is_left_alone, 1);
	tcase_add_test(t, everybody_may_submit);
	tcase_add_exit_test(
	    t, a_submission_socket_that_is_answered_on_is_left_alone, 1);
	tcase_add_test(t, an_inherited_submission_socket_is_used_and_stays);
	tcase_add_loop_exit_test(
	    t, another_inherited_unix_socket_is_refused, 1, 0, 3);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
