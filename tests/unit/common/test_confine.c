/*
 * test_confine.c - processes that gave up user and capabilities ask for them
 * again.  Only root has something to give up.
 */
#include <sys/prctl.h>

#include <linux/capability.h>

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <seccomp.h>

#include "common/run/confine.h"
#include "common/run/sanitized.h"
#include "tests/unit/common/child.h"

#define NOBODY "nobody"
#define OTHER  1 /* "daemon": a user that nobody is not */
#define BIT(n) (UINT64_C(1) << (n))

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
	uid_t uid = getuid() == 0 ? OTHER : getuid();

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

/* --- a child of local ----------------------------------------------------- */

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

static TCase *
root_cases(void)
{
	TCase *t = tcase_create("root");

	tcase_add_checked_fixture(t, make_dir, remove_dir);
	tcase_add_test(t, root_becomes_a_user_without_anything);
	tcase_add_test(t, listed_capabilities_are_kept_and_no_others);
	tcase_add_test(t, root_may_stay_with_what_is_listed);
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
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, make_dir, remove_dir);
	tcase_add_test(t, without_root_the_user_stays);
	suite_add_tcase(s, t);
	if (geteuid() == 0)
		suite_add_tcase(s, root_cases());
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
