/*
 * test_lookup_system.c - the real lookup: users of this machine, and the helper
 * that knows them.
 */
#include <check.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/msg/reply.h"
#include "common/msg/smtpd_lookup.h"
#include "tests/seams/lookup_house.h"

/* A user of this machine that may have mail, or one that may not. */
static bool
some_user(char *name, size_t size, bool ordinary)
{
	struct passwd *pw;
	bool found = false;

	setpwent();
	while (!found && (pw = getpwent()) != NULL)
		if ((pw->pw_uid >= 1000) == ordinary && pw->pw_uid != 0 &&
		    strlen(pw->pw_name) < size) {
			strcpy(name, pw->pw_name);
			found = true;
		}
	endpwent();
	return found;
}

START_TEST(system_users)
{
	char user[33], to[256];
	const struct msg_expanded *is_alices;
	struct lookup_house f;

	set_up(&f, true);
	ck_assert_uint_eq(
	    connect_client(&f, f.smtpd, 1, "192.0.2.1", NULL), 220);
	ck_assert(some_user(user, sizeof user, true));
	snprintf(to, sizeof to, "%s@system.example", user);
	ck_assert_uint_eq(rcpt(&f, 1, to), 250);
	ck_assert_uint_eq(ask_route(&f, to), 250);
	ck_assert_int_eq(f.route.kind, ROUTE_MAILDIR_SYSTEM);
	ck_assert_str_eq(f.route.user, user);
	ck_assert_str_eq(f.route.path, "Maildir");
	for (char *p = user; *p != '\0'; p++)
		*p = *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p;
	snprintf(to, sizeof to, "%s+ext@system.example", user);
	ck_assert_uint_eq(rcpt(&f, 1, to), 250);
	/* root is postmaster, who is alice; others below min_uid get no mail. */
	ck_assert_uint_eq(rcpt(&f, 1, "root@system.example"), 250);
	is_alices = ask_alias(&f, "root@system.example");
	ck_assert_uint_eq(is_alices->total, 1);
	ck_assert(span_is(
	    is_alices->rows[0].address, "alice@files.example"));
	ck_assert(some_user(user, sizeof user, false));
	snprintf(to, sizeof to, "%s@system.example", user);
	ck_assert_uint_eq(rcpt(&f, 1, to), 550);
	ck_assert_uint_eq(rcpt(&f, 1, "no.such.user@system.example"), 550);
	ck_assert_uint_eq(rcpt(&f, 1, "\"a:b\"@system.example"), 550);
	ck_assert_uint_eq(rcpt(&f, 1, "postmaster@system.example"), 250);
	tear_down(&f);
}
END_TEST

/* Its helper is its only child. */
static pid_t
helper_of(const struct lookup_house *f)
{
	char path[64], text[64] = "";
	int fd;

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", f->seam.pid,
	    f->seam.pid);
	ck_assert_int_ne(fd = open(path, O_RDONLY), -1);
	ck_assert_int_gt(read(fd, text, sizeof text - 1), 0);
	close(fd);
	return atoi(text);
}

START_TEST(a_directory_that_hangs_holds_up_nobody_else)
{
	struct lookup_house f;
	struct ipc_msg m;
	pid_t helper;

	set_up(&f, true);
	helper = helper_of(&f);
	ck_assert_uint_eq(
	    connect_client(&f, f.smtpd, 1, "192.0.2.1", NULL), 220);
	ck_assert_int_eq(kill(helper, SIGSTOP), 0);
	send_rcpt(&f, 1, "someone@system.example");
	ck_assert_uint_eq(ask_route(&f, "x@any.example"), 250);
	ck_assert_uint_eq(
	    connect_client(&f, f.smtpd, 2, "192.0.2.1", NULL), 220);
	/* The time limit for an answer. */
	seam_recv(f.smtpd, &m, LOOKUP_VERDICT);
	ck_assert_int_eq(msg_reply_get(&m, &f.reply), 0);
	ck_assert_uint_eq(f.reply.code, 451);
	ck_assert_int_eq(kill(helper, SIGCONT), 0);
	ck_assert_uint_eq(rcpt(&f, 1, "no.one@system.example"), 550);
	/* Without its helper it would know no user: it ends, to be started anew. */
	ck_assert_int_eq(kill(helper, SIGKILL), 0);
	ck_assert_int_eq(seam_wait(&f.seam), 1);
	clean(&f);
}
END_TEST

START_TEST(who_asked_may_be_gone_before_the_answer)
{
	struct lookup_house f;
	pid_t helper;

	set_up(&f, true);
	helper = helper_of(&f);
	ck_assert_int_eq(kill(helper, SIGSTOP), 0);
	ck_assert_uint_eq(
	    connect_client(&f, f.smtpd, 1, "192.0.2.1", NULL), 220);
	for (int i = 0; i < 50; i++) {
		const struct msg_route r = { SPAN("some.one@system.example"),
				false };

		send_rcpt(&f, 1, "some.one@system.example");
		msg_route_put(seam_body(), &r);
		seam_send(f.queue, ROUTE_ASK, ++f.id, -1);
	}
	ck_assert_uint_eq(ask_route(&f, "x@any.example"), 250);
	close(f.smtpd);
	close(f.queue);
	f.smtpd = seam_connect(&f.seam, PEER_SMTPD, 2);
	f.queue = seam_connect(&f.seam, PEER_QUEUE, 2);
	ck_assert_uint_eq(
	    connect_client(&f, f.smtpd, 1, "192.0.2.1", NULL), 220);
	ck_assert_int_eq(kill(helper, SIGCONT), 0);
	ck_assert_uint_eq(rcpt(&f, 1, "some.one@system.example"), 550);
	ck_assert_uint_eq(ask_route(&f, "some.one@system.example"), 550);
	tear_down(&f);
}
END_TEST

START_TEST(the_helper_ends_with_lookup)
{
	struct lookup_house f;
	pid_t helper;

	set_up(&f, true);
	helper = helper_of(&f);
	/* To the process group: not for the helper. */
	ck_assert_int_eq(kill(helper, SIGTERM), 0);
	ck_assert_uint_eq(
	    ask_route(&f, "nobody-of-that-name@system.example"), 550);
	ck_assert_int_eq(kill(f.seam.pid, SIGKILL), 0);
	ck_assert_int_eq(seam_wait(&f.seam), -1);
	for (int i = 0; i < 100 && kill(helper, 0) == 0; i++)
		usleep(50000);
	ck_assert_int_eq(kill(helper, 0), -1);
	clean(&f);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("lookup_system");
	TCase *t = tcase_create("lookup_system");
	SRunner *r;
	int failed;

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, system_users);
	tcase_add_test(t, a_directory_that_hangs_holds_up_nobody_else);
	tcase_add_test(t, who_asked_may_be_gone_before_the_answer);
	tcase_add_test(t, the_helper_ends_with_lookup);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
