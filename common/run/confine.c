/*
 * confine.c - giving up the user, the capabilities and the root directory.
 *
 * Return codes are not believed: after everything was given up the process
 * tries to get it back, and ends if it can.  Capabilities go through the raw
 * system calls, so that what is set is what is read here.
 */
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/capability.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "common/run/confine.h"
#include "common/run/sanitized.h"

#define CAP_BIT(cap)  (UINT64_C(1) << (cap))
#define CAPS_ALL      (CAP_BIT(CAP_LAST_CAP + 1) - 1)
#define UNCHANGED_UID ((uid_t)-1)
#define UNCHANGED_GID ((gid_t)-1)

/* --- capabilities ------------------------------------------------------ */

/* Permitted and effective; nothing is ever inheritable. */
static int
caps_set(uint64_t caps)
{
	struct __user_cap_header_struct h = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3] = {
		{ .effective = (uint32_t)caps, .permitted = (uint32_t)caps },
		{ .effective = (uint32_t)(caps >> 32),
		    .permitted = (uint32_t)(caps >> 32) },
	};

	return (int)syscall(SYS_capset, &h, d);
}

static bool
caps_are(uint64_t caps)
{
	struct __user_cap_header_struct h = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &h, d) == -1)
		fatal("capget");
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		uint32_t want = (uint32_t)(caps >> (32 * i));

		if (d[i].effective != want || d[i].permitted != want ||
		    d[i].inheritable != 0)
			return false;
	}
	return true;
}

/* What an exec could bring back, no_new_privs or not. */
static void
bounding_drop(uint64_t keep)
{
	for (int cap = 0; cap < 64; cap++) {
		int has = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);

		if (has == -1 && errno == EINVAL)
			return; /* the kernel knows no more of them */
		if (has == -1)
			fatal("capabilities");
		if (has == 0 || (keep & CAP_BIT(cap)) != 0)
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == -1)
			fatal("capability bounding set");
	}
}

/* --- users ------------------------------------------------------------- */

static void
become(uid_t uid, gid_t gid, const gid_t *groups, size_t ngroups)
{
	if (setgroups(ngroups, groups) == -1)
		fatal("setgroups");
	if (setresgid(gid, gid, gid) == -1)
		fatal("setresgid");
	if (setresuid(uid, uid, uid) == -1)
		fatal("setresuid");
}

static void
check_user(uid_t uid, gid_t gid, size_t ngroups)
{
	uid_t ruid, euid, suid;
	gid_t rgid, egid, sgid;

	if (getresuid(&ruid, &euid, &suid) == -1 || ruid != uid ||
	    euid != uid || suid != uid)
		fatalx("confine", "not the user that was asked for");
	if (getresgid(&rgid, &egid, &sgid) == -1 || rgid != gid ||
	    egid != gid || sgid != gid)
		fatalx("confine", "not the group that was asked for");
	if (getgroups(0, NULL) != (int)ngroups)
		fatalx("confine", "not the groups that were asked for");
}

/* Only setresuid, setresgid, capset and capget: local's children come here
 * with a filter over them. */
static void
check_no_way_back(uid_t uid, gid_t gid, uint64_t caps)
{
	if (!caps_are(caps))
		fatalx("confine", "not the capabilities that were asked for");
	if (caps != CAPS_ALL && caps_set(CAPS_ALL) == 0)
		fatalx("confine", "capabilities can be got back");
	if (uid != 0 && (caps & CAP_BIT(CAP_SETUID)) == 0 &&
	    (setresuid(UNCHANGED_UID, 0, UNCHANGED_UID) == 0 ||
		setresuid(0, 0, 0) == 0))
		fatalx("confine", "root can be got back");
	if (gid != 0 && (caps & CAP_BIT(CAP_SETGID)) == 0 &&
	    (setresgid(UNCHANGED_GID, 0, UNCHANGED_GID) == 0 ||
		setresgid(0, 0, 0) == 0))
		fatalx("confine", "root's group can be got back");
}

/* --- root -------------------------------------------------------------- */

/* Nobody but root may put anything into it.  The leak checker cannot do without
 * /proc, so a sanitized build stays outside. */
static void
enter_empty(const char *dir)
{
	struct stat st;
	int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1 || fstat(fd, &st) == -1)
		fatal(dir);
	if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		fatalx(dir, "must belong to root and be writable by root only");
	if (fchdir(fd) == -1 || (!SANITIZED && chroot(".") == -1))
		fatal(dir);
	close(fd);
}

static void
drop_root(const struct confine *c, const char *user, const char *empty_dir)
{
	struct passwd *pw = NULL;

	/* The name first: below there may be no /etc. */
	if (user != NULL) {
		errno = 0;
		pw = getpwnam(user);
		if (pw == NULL)
			fatalx("no such user", user);
		if (pw->pw_uid == 0 || pw->pw_gid == 0)
			fatalx("user must not be root", user);
	}
	if (c->empty_root)
		enter_empty(empty_dir);
	bounding_drop(pw == NULL ? c->caps : 0);
	if (pw == NULL)
		return;
	/* Else the change of user takes what the table of processes grants. */
	if (c->caps != 0 && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == -1)
		fatal("keepcaps");
	become(pw->pw_uid, pw->pw_gid, NULL, 0);
	check_user(pw->pw_uid, pw->pw_gid, 0);
}

static void
forbid_core(void)
{
	static const struct rlimit none = { 0, 0 };

	if (setrlimit(RLIMIT_CORE, &none) == -1)
		fatal("rlimit");
}

/* --- what others call -------------------------------------------------- */

void
confine_drop(const struct confine *c, const char *user, const char *empty_dir)
{
	bool root = geteuid() == 0;
	uint64_t caps = root ? c->caps : 0;

	if (c->empty_root && c->ndirs > 0)
		fatalx("confine", "an empty root has no directories");
	forbid_core();
	if (root)
		drop_root(c, user, empty_dir);
	if (caps_set(caps) == -1)
		fatal("capset");
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == -1)
		fatal("ambient capabilities");
	if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) == -1)
		fatal("keepcaps");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		fatal("no_new_privs");
	/* Without root the files in /proc/PID would be root's, and the one who
	 * runs the service could not look at it. */
	if (root && !SANITIZED && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		fatal("dumpable");
	check_no_way_back(getuid(), getgid(), caps);
}

void
confine_user(uid_t uid, gid_t gid, const gid_t *groups, size_t ngroups)
{
	if (uid == 0 || gid == 0)
		fatalx("confine", "a delivery may not be root's");
	become(uid, gid, groups, ngroups);
	if (caps_set(0) == -1)
		fatal("capset");
	check_user(uid, gid, ngroups);
	check_no_way_back(uid, gid, 0);
}
