/*
 * test_notify.c - what the service manager is told, on a socket of the test's.
 */
#include <sys/socket.h>

#include <check.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "master/master.h"

static struct notify n;
static struct child child;
static struct generation current;
static struct master m = { .current = &current };
static int manager; /* its end */

/* As systemd(1) does it in containers, and without a file to remove. */
static void
make_manager(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	char name[sizeof sun.sun_path];
	int len = snprintf(name, sizeof name, "@test_notify.%d", (int)getpid());

	memcpy(sun.sun_path + 1, name + 1, (size_t)len - 1);
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(
	    bind(manager, (struct sockaddr *)&sun,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) +
		    (size_t)len)),
	    0);
	setenv("NOTIFY_SOCKET", name, 1);
	setenv("WATCHDOG_USEC", "120000000", 1);
	unsetenv("WATCHDOG_PID");
	memset(&n, 0xff, sizeof n);
	memset(&child, 0, sizeof child);
	TAILQ_INIT(&m.children);
	TAILQ_INSERT_TAIL(&m.children, &child, link);
}

static void
close_manager(void)
{
	close(manager);
}

static void
told(const char *what)
{
	char got[NOTIFY_TEXT_MAX + 1];
	ssize_t len = recv(manager, got, sizeof got - 1, 0);

	ck_assert_int_gt(len, 0);
	got[len] = '\0';
	ck_assert_str_eq(got, what);
}

static void
told_nothing(void)
{
	char got[64];

	ck_assert_int_eq(recv(manager, got, sizeof got, 0), -1);
}

START_TEST(it_is_told_where_it_asked_to_be)
{
	notify_open(&n);
	notify(&n, "READY=%d", 1);
	told("READY=1");
	told_nothing();
}
END_TEST

START_TEST(no_other_process_gets_its_variables)
{
	setenv("WATCHDOG_PID", "1", 1);
	notify_open(&n);
	ck_assert_ptr_null(getenv("NOTIFY_SOCKET"));
	ck_assert_ptr_null(getenv("WATCHDOG_USEC"));
	ck_assert_ptr_null(getenv("WATCHDOG_PID"));
}
END_TEST

START_TEST(without_a_manager_nothing_happens)
{
	static const char *const wrong[] = { NULL, "", "relative", "vsock:2:1",
		"/a/path/that/is/longer/than/any/address/of/a/socket/may/be/"
		"because/there/are/a/hundred/and/eight/octets/for/it/at/most" };

	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		if (wrong[i] == NULL)
			unsetenv("NOTIFY_SOCKET");
		else
			setenv("NOTIFY_SOCKET", wrong[i], 1);
		notify_open(&n);
		ck_assert_uint_eq(n.size, 0);
		notify(&n, "READY=1");
		told_nothing();
	}
}
END_TEST

static const struct {
	const char *usec, *pid; /* pid "": ours */
	uint64_t watchdog, interval;
} dogs[] = {
	{ NULL, NULL, 0, 5000000 },
	{ "120000000", NULL, 120000000, 5000000 },
	{ "120000000", "", 120000000, 5000000 },
	{ "120000000", "1", 0, 5000000 },
	{ "120000000", "x", 0, 5000000 },
	{ "x", "", 0, 5000000 },
	{ "-5", "", 0, 5000000 },
	{ "99999999999999999999", "", 0, 5000000 },
	{ "3600000000", NULL, 3600000000, 5000000 },
	{ "60000000", NULL, 60000000, 2500000 },
	{ "2400000", NULL, 2400000, 100000 },
	{ "1", NULL, 1, 10000 },
};

START_TEST(the_watchdog_says_how_often_to_ask)
{
	const char *pid = dogs[_i].pid;
	char own[16];
	struct timeval t;

	snprintf(own, sizeof own, "%d", (int)getpid());
	unsetenv("WATCHDOG_USEC");
	if (dogs[_i].usec != NULL)
		setenv("WATCHDOG_USEC", dogs[_i].usec, 1);
	if (pid != NULL)
		setenv("WATCHDOG_PID", pid[0] == '\0' ? own : pid, 1);
	notify_open(&n);
	ck_assert_uint_eq(n.watchdog, dogs[_i].watchdog);
	t = notify_ping_interval(&n);
	ck_assert_uint_eq((uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_usec,
	    dogs[_i].interval);
}
END_TEST

/* One that hangs is killed after PINGS_MAX pings: half of the patience is left
 * for its successor. */
START_TEST(a_hung_process_is_found_in_half_of_the_patience)
{
	for (uint64_t usec = 1000000; usec < 200000000; usec += 777777) {
		struct timeval t;

		n.watchdog = usec;
		t = notify_ping_interval(&n);
		ck_assert_uint_le(PINGS_MAX *
			((uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_usec),
		    usec / 2);
	}
}
END_TEST

START_TEST(a_manager_that_does_not_read_is_not_waited_for_long)
{
	int64_t began = master_now();

	notify_open(&n);
	for (unsigned i = 0; i < 1000; i++) {
		notify(&n, "STATUS=%u", i);
		if (master_now() > began)
			break;
	}
	ck_assert_int_gt(master_now(), began); /* it was full */
	ck_assert_int_le(master_now(), began + 3);
	told("STATUS=0");
}
END_TEST

START_TEST(the_status_tells_what_is_going_on)
{
	notify_open(&m.notify);
	m.phase = PHASE_STARTING;
	notify_status(&m);
	told("STATUS=Starting");
	notify_status(&m);
	told_nothing(); /* it knows */
	m.phase = PHASE_RUNNING;
	child.kind = PEER_QUEUE;
	child.pid = 1;
	child.ready = true;
	notify_status(&m);
	told("STATUS=Accepting mail on ");
	child.asked = 1;
	notify_status(&m);
	told_nothing();
	child.asked = 2;
	notify_status(&m);
	told("STATUS=Accepting mail on ; waiting for queue (does not answer)");
	child.ready = false;
	notify_status(&m);
	told("STATUS=Accepting mail on ; waiting for queue");
	m.phase = PHASE_STOPPING;
	notify_status(&m);
	told("STATUS=Stopping");
	m.status = 1;
	notify_status(&m);
	told("STATUS=Stopping: a process could not be started");
	m.status = 0;
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("notify");
	TCase *t = tcase_create("notify");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, make_manager, close_manager);
	tcase_add_test(t, it_is_told_where_it_asked_to_be);
	tcase_add_test(t, no_other_process_gets_its_variables);
	tcase_add_test(t, without_a_manager_nothing_happens);
	tcase_add_loop_test(t, the_watchdog_says_how_often_to_ask, 0,
	    sizeof dogs / sizeof dogs[0]);
	tcase_add_test(t, a_hung_process_is_found_in_half_of_the_patience);
	tcase_add_test(t, a_manager_that_does_not_read_is_not_waited_for_long);
	tcase_add_test(t, the_status_tells_what_is_going_on);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
