/*
 * test_maildir.c - deliveries into Maildirs of a temporary directory, and what
 * stands in their way.
 */
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/bytes/id.h"
#include "deliver/local/maildir.h"

#define ID UINT64_C(0x0006403fa1b2c3d4)

static char dir[64];
static struct maildir_base base;
static struct reply why;

static void
set_up(void)
{
	umask(077);
	strcpy(dir, "/tmp/test-maildir.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	base = (struct maildir_base){ dir, true };
}

static void
tear_down(void)
{
	char command[128];

	snprintf(command, sizeof command, "rm -r %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static const char *
at(const char *path)
{
	static char full[700];

	snprintf(full, sizeof full, "%s/%s", dir, path);
	return full;
}

static unsigned
entries(const char *path)
{
	DIR *d = opendir(at(path));
	struct dirent *e;
	unsigned n = 0;

	ck_assert_ptr_nonnull(d);
	while ((e = readdir(d)) != NULL)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static int
sync_of(int fd)
{
	return fsync(fd) == 0 ? 0 : errno;
}

/* Write and name one message: the code, 250 where all went well. */
static unsigned
deliver(struct maildir *m, uint64_t attempt, bool maybe, struct maildir_file *f)
{
	int there = 0;

	maildir_name(f, ID, 3, attempt, "mx.example");
	if (maybe)
		there = maildir_has(m, f, &why);
	if (there == 1)
		return 250;
	if (there == -1 || maildir_create(m, f, &why) == -1)
		return why.code;
	ck_assert_int_eq(write(f->fd, "hello\n", 6), 6);
	if (maildir_synced(m, f, sync_of(f->fd), &why) == -1 ||
	    maildir_publish(m, f, &why) == -1)
		return why.code;
	if (maildir_settled(sync_of(m->new), &why) == -1) {
		maildir_withdraw(m, f);
		return why.code;
	}
	return 250;
}

START_TEST(what_is_missing_is_made)
{
	static const char *const made[] = { "a", "a/b", "a/b/Maildir",
		"a/b/Maildir/tmp", "a/b/Maildir/new", "a/b/Maildir/cur" };
	struct maildir_file f;
	struct maildir m;
	struct stat st;

	ck_assert_int_eq(maildir_open(&m, &base, "a/b/Maildir", &why), 0);
	for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
		ck_assert_int_eq(lstat(at(made[i]), &st), 0);
		ck_assert_uint_eq(st.st_mode, S_IFDIR | 0700);
	}
	ck_assert_uint_eq(deliver(&m, 1, false, &f), 250);
	ck_assert_uint_eq(entries("a/b/Maildir/new"), 1);
	ck_assert_uint_eq(entries("a/b/Maildir/tmp"), 0);
	maildir_close(&m);
	/* A second time it is all there. */
	ck_assert_int_eq(maildir_open(&m, &base, "a/b/Maildir", &why), 0);
	maildir_close(&m);
}
END_TEST

START_TEST(names)
{
	struct maildir_file f;
	char expect[256], host[300];

	maildir_name(&f, ID, 3, 0x1f, "mx.example");
	snprintf(expect, sizeof expect, "%llu.I0006403fa1b2c3d4R3.mx.example",
	    (unsigned long long)(id_time(ID) / 1000000));
	ck_assert_str_eq(f.name, expect);
	ck_assert_int_eq(strncmp(f.tmp, f.name, strlen(f.name)), 0);
	ck_assert_str_eq(f.tmp + strlen(f.name), ".A1f");
	maildir_name(&f, ID, 3, 1, "a/b:c");
	ck_assert_ptr_null(strpbrk(f.name, "/:"));
	memset(host, 'h', sizeof host - 1);
	host[sizeof host - 1] = '\0';
	maildir_name(&f, UINT64_MAX, UINT32_MAX, UINT64_MAX, host);
	/* Room for what readers add. */
	ck_assert_uint_lt(strlen(f.tmp), MAILDIR_NAME_MAX - 40);
	ck_assert_ptr_nonnull(strstr(f.tmp, ".Affffffffffffffff"));
}
END_TEST

START_TEST(a_repeated_delivery_is_one_message)
{
	/* Names that are it, and names that only look like it. */
	static const struct {
		const char *dir, *behind;
		bool same;
	} rows[] = {
		{ "new", "", true },
		{ "cur", "", true },
		{ "cur", ":2,S", true },
		{ "cur", ":2,", true },
		{ "cur", ",S=6:2,RS", true },
		{ "cur", ";2,S", true },
		{ "cur", "0", false },
		{ "new", ".org", false },
	};
	unsigned n = 0;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++, n++) {
		char box[16], path[600];
		struct maildir_file f;
		struct maildir m;

		snprintf(box, sizeof box, "box%zu", i);
		ck_assert_int_eq(maildir_open(&m, &base, box, &why), 0);
		maildir_name(&f, ID, 3, 1, "mx.example");
		snprintf(path, sizeof path, "%s/%s/%s/%s%s", dir, box,
		    rows[i].dir, f.name, rows[i].behind);
		close(open(path, O_CREAT | O_WRONLY, 0600));
		ck_assert_uint_eq(deliver(&m, 2, true, &f), 250);
		snprintf(path, sizeof path, "%s/new", box);
		ck_assert_uint_eq(entries(path),
		    (strcmp(rows[i].dir, "new") == 0) + !rows[i].same);
		maildir_close(&m);
	}
	ck_assert_uint_eq(n, sizeof rows / sizeof *rows);
}
END_TEST

START_TEST(one_that_takes_over_stops_the_one_before)
{
	struct maildir_file old, fresh;
	struct maildir m;

	ck_assert_int_eq(maildir_open(&m, &base, "box", &why), 0);
	maildir_name(&old, ID, 3, 1, "mx.example");
	ck_assert_int_eq(maildir_create(&m, &old, &why), 0);
	ck_assert_int_eq(maildir_synced(&m, &old, 0, &why), 0);
	/* Another recipient's attempt is none of ours. */
	close(open(at("box/tmp/keep.A1"), O_CREAT | O_WRONLY, 0600));
	ck_assert_uint_eq(deliver(&m, 2, true, &fresh), 250);
	/* The old one still runs, and comes to its rename. */
	ck_assert_int_eq(maildir_publish(&m, &old, &why), -1);
	ck_assert_uint_eq(why.code / 100, 4);
	ck_assert_uint_eq(entries("box/new"), 1);
	ck_assert_uint_eq(entries("box/tmp"), 1);
	maildir_close(&m);
}
END_TEST

START_TEST(a_name_that_is_there_is_never_replaced)
{
	struct maildir_file f;
	struct maildir m;
	struct stat st;
	char path[600];

	ck_assert_int_eq(maildir_open(&m, &base, "box", &why), 0);
	maildir_name(&f, ID, 3, 1, "mx.example");
	snprintf(path, sizeof path, "box/new/%s", f.name);
	close(open(at(path), O_CREAT | O_WRONLY, 0600));
	ck_assert_uint_eq(deliver(&m, 1, false, &f), 250);
	ck_assert_int_eq(stat(at(path), &st), 0);
	ck_assert_int_eq(st.st_size, 0);
	ck_assert_uint_eq(entries("box/tmp"), 0);
	/* A file of ours in tmp/ from before is no obstacle. */
	ck_assert_int_eq(unlink(at(path)), 0);
	snprintf(path, sizeof path, "box/tmp/%s", f.tmp);
	close(open(at(path), O_CREAT | O_WRONLY, 0600));
	ck_assert_uint_eq(deliver(&m, 1, false, &f), 250);
	ck_assert_uint_eq(entries("box/new"), 1);
	ck_assert_uint_eq(entries("box/tmp"), 0);
	maildir_close(&m);
}
END_TEST

/* What stands where a directory should be. */
START_TEST(unsafe_mailboxes_are_refused)
{
	static const struct {
		const char *link, *file, *open_to_all;
	} rows[] = {
		{ "Maildir", NULL, NULL },
		{ "Maildir/tmp", NULL, NULL },
		{ "Maildir/new", NULL, NULL },
		{ "Maildir/cur", NULL, NULL },
		{ NULL, "Maildir", NULL },
		{ NULL, "Maildir/tmp", NULL },
		{ NULL, "Maildir/new", NULL },
		{ NULL, "Maildir/cur", NULL },
		{ NULL, NULL, "Maildir" },
		{ NULL, NULL, "Maildir/tmp" },
		{ NULL, NULL, "Maildir/new" },
		{ NULL, NULL, "Maildir/cur" },
	};
	struct maildir m;
	char command[256];
	unsigned n = 0;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++, n++) {
		const char *name = rows[i].link != NULL ? rows[i].link
		    : rows[i].file != NULL		? rows[i].file
							: rows[i].open_to_all;

		snprintf(command, sizeof command, "rm -rf %s/* ", dir);
		ck_assert_int_eq(system(command), 0);
		ck_assert_int_eq(mkdir(at("elsewhere"), 0700), 0);
		if (strchr(name, '/') != NULL)
			ck_assert_int_eq(mkdir(at("Maildir"), 0700), 0);
		if (rows[i].link != NULL)
			ck_assert_int_eq(symlink("/tmp", at(name)), 0);
		else if (rows[i].file != NULL)
			close(open(at(name), O_CREAT | O_WRONLY, 0600));
		else {
			ck_assert_int_eq(mkdir(at(name), 0700), 0);
			ck_assert_int_eq(chmod(at(name), 0702), 0);
		}
		ck_assert_msg(maildir_open(&m, &base, "Maildir", &why) == -1,
		    "row %zu", i);
		ck_assert_msg(why.code == 451 && why.esc.subject == 3 &&
			why.esc.detail == 5,
		    "row %zu: %s", i, why.text);
		ck_assert_int_eq(m.tmp, -1);
		ck_assert_int_eq(m.new, -1);
		ck_assert_int_eq(m.cur, -1);
	}
	ck_assert_uint_eq(n, sizeof rows / sizeof *rows);
}
END_TEST

START_TEST(a_link_in_tmp_is_not_written_through)
{
	struct maildir_file f;
	struct maildir m;
	struct stat st;
	char path[600];

	ck_assert_int_eq(maildir_open(&m, &base, "box", &why), 0);
	maildir_name(&f, ID, 3, 1, "mx.example");
	close(open(at("victim"), O_CREAT | O_WRONLY, 0600));
	snprintf(path, sizeof path, "box/tmp/%s", f.tmp);
	ck_assert_int_eq(symlink("../../victim", at(path)), 0);
	ck_assert_uint_eq(deliver(&m, 1, false, &f), 250);
	ck_assert_int_eq(stat(at("victim"), &st), 0);
	ck_assert_int_eq(st.st_size, 0);
	snprintf(path, sizeof path, "box/new/%s", f.name);
	ck_assert_int_eq(lstat(at(path), &st), 0);
	ck_assert(S_ISREG(st.st_mode));
	maildir_close(&m);
}
END_TEST

START_TEST(somebody_elses_mailbox_is_refused)
{
	struct maildir m;

	if (geteuid() != 0)
		return;
	ck_assert_int_eq(mkdir(at("Maildir"), 0755), 0);
	ck_assert_int_eq(chown(at("Maildir"), 65534, 65534), 0);
	ck_assert_int_eq(maildir_open(&m, &base, "Maildir", &why), -1);
	ck_assert_uint_eq(why.code, 451);
	ck_assert_uint_eq(why.esc.subject, 3);
	/* Nothing was made in it. */
	ck_assert_uint_eq(entries("Maildir"), 0);
}
END_TEST

START_TEST(a_home_is_not_made_but_a_root_is)
{
	char path[128];
	struct maildir m;

	snprintf(path, sizeof path, "%s/no/home", dir);
	base = (struct maildir_base){ path, true };
	ck_assert_int_eq(maildir_open(&m, &base, "Maildir", &why), -1);
	ck_assert_uint_eq(why.code, 450);
	ck_assert_uint_eq(why.esc.subject, 2);
	ck_assert_int_eq(access(at("no"), F_OK), -1);
	base.home = false;
	ck_assert_int_eq(maildir_open(&m, &base, "Maildir", &why), 0);
	ck_assert_uint_eq(entries("no/home"), 1);
	maildir_close(&m);
}
END_TEST

static unsigned
fill(struct maildir *m, struct maildir_file *f, size_t size)
{
	static const char block[4096];

	maildir_name(f, ID, 3, 1, "mx.example");
	if (maildir_create(m, f, &why) == -1)
		return why.code;
	for (size_t n = 0; n < size; n += sizeof block)
		if (write(f->fd, block, sizeof block) != sizeof block) {
			reply_from_errno(&why, errno, "tmp");
			maildir_abandon(m, f);
			return why.code;
		}
	return maildir_synced(m, f, sync_of(f->fd), &why) == -1 ? why.code
								: 250;
}

START_TEST(a_full_disk_leaves_nothing)
{
	struct maildir_file f;
	struct maildir m;

	if (geteuid() != 0 || unshare(CLONE_NEWNS) == -1)
		return;
	ck_assert_int_eq(
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	ck_assert_int_eq(mkdir(at("small"), 0700), 0);
	ck_assert_int_eq(
	    mount("tmpfs", at("small"), "tmpfs", 0, "size=64k,mode=700"), 0);
	ck_assert_int_eq(maildir_open(&m, &base, "small/box", &why), 0);
	ck_assert_uint_eq(fill(&m, &f, 128 * 1024), 452);
	ck_assert_uint_eq(why.esc.subject, 3);
	ck_assert_uint_eq(why.esc.detail, 1);
	ck_assert_uint_eq(entries("small/box/tmp"), 0);
	ck_assert_uint_eq(entries("small/box/new"), 0);
	/* It is over when there is room. */
	ck_assert_uint_eq(deliver(&m, 2, true, &f), 250);
	maildir_close(&m);
	ck_assert_int_eq(umount(at("small")), 0);
}
END_TEST

START_TEST(a_file_limit_leaves_nothing)
{
	const struct rlimit limit = { 16384, 16384 };
	struct maildir_file f;
	struct maildir m;

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(maildir_open(&m, &base, "box", &why), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_uint_eq(fill(&m, &f, 65536), 452);
	ck_assert_uint_eq(why.esc.subject, 2);
	ck_assert_uint_eq(entries("box/tmp"), 0);
	maildir_close(&m);
}
END_TEST

/* Every call that can fail, made to fail: a 4yz, and nothing in new/. */
START_TEST(each_failing_step_leaves_nothing)
{
	static const struct {
		int call, err;
		unsigned code;
	} rows[] = {
		{ SCMP_SYS(fsync), EIO, 451 },
		{ SCMP_SYS(fsync), ENOSPC, 452 },
		{ SCMP_SYS(fsync), EDQUOT, 452 },
		{ SCMP_SYS(renameat2), EACCES, 451 },
		{ SCMP_SYS(renameat2), ENOSPC, 452 },
		{ SCMP_SYS(renameat2), EIO, 451 },
		{ SCMP_SYS(openat), EMFILE, 451 },
		{ SCMP_SYS(openat), ENOSPC, 452 },
	};
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	struct maildir_file f;
	struct maildir m;
	pid_t pid;
	int status;

	ck_assert_int_eq(maildir_open(&m, &base, "box", &why), 0);
	ck_assert_int_eq(
	    seccomp_rule_add(
		ctx, SCMP_ACT_ERRNO((uint16_t)rows[_i].err), rows[_i].call, 0),
	    0);
	pid = fork();
	if (pid == 0) {
		if (seccomp_load(ctx) != 0)
			_exit(0);
		_exit((int)deliver(&m, 1, false, &f) - 400);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	ck_assert_uint_eq(400 + (unsigned)WEXITSTATUS(status), rows[_i].code);
	ck_assert_uint_eq(entries("box/tmp"), 0);
	ck_assert_uint_eq(entries("box/new"), 0);
	maildir_close(&m);
	seccomp_release(ctx);
}
END_TEST

/* File systems that know no RENAME_NOREPLACE. */
START_TEST(a_link_does_where_rename_cannot)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	struct maildir_file f;
	struct maildir m;

	ck_assert_int_eq(maildir_open(&m, &base, "box", &why), 0);
	ck_assert_int_eq(seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EINVAL),
			     SCMP_SYS(renameat2), 0),
	    0);
	ck_assert_int_eq(seccomp_load(ctx), 0);
	ck_assert_uint_eq(deliver(&m, 1, false, &f), 250);
	ck_assert_uint_eq(deliver(&m, 2, false, &f), 250);
	ck_assert_uint_eq(entries("box/new"), 1);
	ck_assert_uint_eq(entries("box/tmp"), 0);
	maildir_close(&m);
	seccomp_release(ctx);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("maildir");
	TCase *t = tcase_create("maildir");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, what_is_missing_is_made);
	tcase_add_test(t, names);
	tcase_add_test(t, a_repeated_delivery_is_one_message);
	tcase_add_test(t, one_that_takes_over_stops_the_one_before);
	tcase_add_test(t, a_name_that_is_there_is_never_replaced);
	tcase_add_test(t, unsafe_mailboxes_are_refused);
	tcase_add_test(t, a_link_in_tmp_is_not_written_through);
	tcase_add_test(t, somebody_elses_mailbox_is_refused);
	tcase_add_test(t, a_home_is_not_made_but_a_root_is);
	tcase_add_test(t, a_full_disk_leaves_nothing);
	tcase_add_test(t, a_file_limit_leaves_nothing);
	tcase_add_loop_test(t, each_failing_step_leaves_nothing, 0, 8);
	tcase_add_test(t, a_link_does_where_rename_cannot);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
