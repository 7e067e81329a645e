/*
 * test_directories.c - what is made, what is taken over, what is refused.
 */
#include <sys/stat.h>

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "master/master.h"

/* Users that are not there own what they are given all the same. */
#define QUEUE	61001
#define CONTROL 61002

static char top[] = "/tmp/test_directories.XXXXXX";
static struct conf conf;
static struct directory_owner owner;

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

/* A directory for each test: some end within what they test. */
static void
set_up(void)
{
	char dir[64];

	snprintf(dir, sizeof dir, "%s/%d", top, (int)getpid());
	ck_assert_int_eq(mkdir(dir, 0755), 0);
	snprintf(conf.spool, sizeof conf.spool, "%s/spool", dir);
	snprintf(conf.runtime, sizeof conf.runtime, "%s/run", dir);
	owner.root = owner.queue = geteuid();
	owner.root_group = owner.queue_group = owner.control_group = getegid();
	if (geteuid() != 0)
		return;
	owner.queue = owner.queue_group = QUEUE;
	owner.control_group = CONTROL;
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
is_dir(const char *dir, const char *name, uid_t uid, gid_t gid, mode_t mode)
{
	char path[2 * CONF_PATH_MAX];
	struct stat st;

	snprintf(path, sizeof path, "%s%s", dir, name);
	ck_assert_int_eq(lstat(path, &st), 0);
	ck_assert_msg(S_ISDIR(st.st_mode), "%s", path);
	ck_assert_msg((st.st_mode & 07777) == mode, "%s: mode %o", path,
	    st.st_mode & 07777);
	ck_assert_uint_eq(st.st_uid, uid);
	ck_assert_uint_eq(st.st_gid, gid);
}

static void
all_made(void)
{
	const struct directory_owner *o = &owner;

	is_dir(conf.spool, "", o->queue, o->queue_group, 0711);
	is_dir(conf.spool, "/log", o->queue, o->queue_group, 0700);
	is_dir(conf.spool, "/content", o->queue, o->queue_group, 0700);
	is_dir(conf.spool, "/history", o->queue, o->control_group, 02750);
	is_dir(conf.runtime, "", o->root, o->root_group, 0755);
	is_dir(conf.runtime, "/empty", o->root, o->root_group, 0555);
}

START_TEST(what_is_missing_is_made_and_made_once)
{
	umask(0);
	directories_make(&conf, &owner);
	all_made();
	directories_make(&conf, &owner);
	all_made();
}
END_TEST

START_TEST(an_empty_directory_is_taken_over_and_names_are_left_alone)
{
	char path[2 * CONF_PATH_MAX];

	ck_assert_int_eq(mkdir(conf.spool, 0755), 0);
	snprintf(path, sizeof path, "%s/lost+found", conf.spool);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	directories_make(&conf, &owner);
	is_dir(path, "", geteuid(), getegid(), 0700);
	if (geteuid() == 0)
		all_made();
}
END_TEST

START_TEST(a_spool_that_is_a_file_is_refused)
{
	FILE *f = fopen(conf.spool, "w");

	ck_assert_ptr_nonnull(f);
	fclose(f);
	directories_make(&conf, &owner);
}
END_TEST

START_TEST(a_spool_without_a_place_is_refused)
{
	snprintf(conf.spool, sizeof conf.spool, "%s/none/spool", top);
	directories_make(&conf, &owner);
}
END_TEST

/* Queue's user may have put it there. */
START_TEST(a_link_in_the_spool_is_not_followed)
{
	char path[2 * CONF_PATH_MAX];

	directories_make(&conf, &owner);
	snprintf(path, sizeof path, "%s/log", conf.spool);
	ck_assert_int_eq(rmdir(path), 0);
	ck_assert_int_eq(symlink("/tmp", path), 0);
	directories_make(&conf, &owner);
}
END_TEST

START_TEST(what_is_anothers_and_in_use_is_refused)
{
	char path[2 * CONF_PATH_MAX];

	ck_assert_int_eq(mkdir(conf.spool, 0755), 0);
	snprintf(path, sizeof path, "%s/data", conf.spool);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	/* Without root all is ours: there must be another reason. */
	if (geteuid() != 0)
		ck_assert_int_eq(chmod(conf.spool, 0500), 0);
	directories_make(&conf, &owner);
}
END_TEST

/* Somebody else's socket could stand there before ours. */
START_TEST(a_directory_that_others_may_write_is_refused)
{
	ck_assert_int_eq(mkdir(conf.runtime, 0755), 0);
	ck_assert_int_eq(chmod(conf.runtime, geteuid() == 0 ? 01777 : 0500), 0);
	directories_make(&conf, &owner);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("directories");
	TCase *t = tcase_create("directories");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_unchecked_fixture(t, make_top, remove_top);
	tcase_add_checked_fixture(t, set_up, NULL);
	tcase_add_checked_fixture(t, say_nothing, NULL);
	tcase_add_test(t, what_is_missing_is_made_and_made_once);
	tcase_add_test(
	    t, an_empty_directory_is_taken_over_and_names_are_left_alone);
	tcase_add_exit_test(t, a_spool_that_is_a_file_is_refused, 1);
	tcase_add_exit_test(t, a_spool_without_a_place_is_refused, 1);
	tcase_add_exit_test(t, a_link_in_the_spool_is_not_followed, 1);
	tcase_add_exit_test(t, what_is_anothers_and_in_use_is_refused, 1);
	tcase_add_exit_test(t, a_directory_that_others_may_write_is_refused, 1);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
