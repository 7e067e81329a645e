/*
 * sandbox.c - files, capabilities and system calls of local and its children.
 *
 * The parent reads what queue says and becomes users, but opens nothing: all
 * delivery is in the children.  What children of system users may reach is
 * limited by who they are and, by their own Landlock rules, to their home; a
 * mailbox that a users file names may be anywhere that its owner may write but
 * for the directories of the system.
 */
#include <sys/prctl.h>
#include <sys/stat.h>

#include <linux/capability.h>

#include <dirent.h>
#include <fnmatch.h>
#include <pwd.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/bytes/log.h"
#include "common/run/sanitized.h"
#include "deliver/local/place.h"
#include "deliver/local/sandbox.h"

/* The children's calls are the first of the parent's. */
static const struct confine_call calls[] = {
	{ .nr = SCMP_SYS(openat), .why = "maildir.c: directories, tmp/" },
	{ .nr = SCMP_SYS(mkdirat), .why = "maildir.c: enter" },
	{ .nr = SCMP_SYS(renameat2), .why = "maildir.c: publish" },
	{ .nr = SCMP_SYS(linkat), .why = "maildir.c: link_into" },
	{ .nr = SCMP_SYS(unlinkat), .why = "maildir.c: abandon" },
	{ .nr = SCMP_SYS(getdents64), .why = "maildir.c: each_entry" },
	{ .nr = SCMP_SYS(newfstatat), .why = "maildir.c: open_base" },
	{ .nr = SCMP_SYS(fsync), .why = "maildir.c: files, directories" },
	{ .nr = SCMP_SYS(sync_file_range), .why = "batch.c: write_file" },
	{ .nr = SCMP_SYS(pread64), .why = "content.c: read_at" },
	{ .nr = SCMP_SYS(geteuid), .why = "maildir.c: check_owner" },
	/* A thread's first calls may come after the filter. */
	{ .nr = SCMP_SYS(rseq), .why = "syncer.c: threads" },
	{ .nr = SCMP_SYS(set_robust_list), .why = "syncer.c: threads" },
#define NCHILD 13
	{ .nr = SCMP_SYS(clone), .why = "child.c: child_fork" },
	{ .nr = SCMP_SYS(clone3), .why = "syncer.c: threads" },
	{ .nr = SCMP_SYS(wait4), .why = "children.c: on_sigchld" },
	{ .nr = SCMP_SYS(kill),
	    .why = "children.c: on_tick",
	    .check = true,
	    .arg = 1,
	    .mask = UINT32_MAX,
	    .value = SIGKILL },
	{ .nr = SCMP_SYS(socketpair), .why = "children.c: channel_pair" },
	{ .nr = SCMP_SYS(setsockopt), .why = "children.c: channel_pair" },
	{ .nr = SCMP_SYS(recvfrom), .why = "account.c: answers" },
	{ .nr = SCMP_SYS(sendto), .why = "account.c: questions" },
	/* What a child does before its own list. */
	{ .nr = SCMP_SYS(dup2), .why = "child.c: run" },
	{ .nr = SCMP_SYS(close_range), .why = "child.c: closefrom" },
	{ .nr = SCMP_SYS(setgroups), .why = "confine_user" },
	{ .nr = SCMP_SYS(setresgid), .why = "confine_user" },
	{ .nr = SCMP_SYS(setresuid), .why = "confine_user" },
	{ .nr = SCMP_SYS(getresuid), .why = "confine_user" },
	{ .nr = SCMP_SYS(getresgid), .why = "confine_user" },
	{ .nr = SCMP_SYS(getgroups), .why = "confine_user" },
	{ .nr = SCMP_SYS(capset), .why = "confine_user" },
	{ .nr = SCMP_SYS(capget), .why = "confine_user" },
	{ .nr = SCMP_SYS(epoll_create1), .why = "event_base_new" },
	{ .nr = SCMP_SYS(pipe2), .why = "event_base_new" },
	{ .nr = SCMP_SYS(eventfd2), .why = "event_base_new" },
	{ .nr = SCMP_SYS(timerfd_create), .why = "event_base_new" },
	{ .nr = SCMP_SYS(getuid), .why = "event_base_new: issetugid" },
	{ .nr = SCMP_SYS(getgid), .why = "event_base_new: issetugid" },
	{ .nr = SCMP_SYS(getegid), .why = "event_base_new: issetugid" },
	{ .nr = SCMP_SYS(landlock_create_ruleset), .why = "confine_landlock" },
	{ .nr = SCMP_SYS(landlock_add_rule), .why = "confine_landlock" },
	{ .nr = SCMP_SYS(landlock_restrict_self), .why = "confine_landlock" },
	{ .nr = SCMP_SYS(seccomp), .why = "confine_seccomp" },
	{ .nr = SCMP_SYS(prctl),
	    .why = "confine_seccomp: libseccomp",
	    .check = true,
	    .arg = 0,
	    .mask = UINT32_MAX,
	    .value = PR_SET_NO_NEW_PRIVS },
#if SANITIZED
	{ .nr = SCMP_SYS(access), .why = "sanitizer: confine_landlock" },
	{ .nr = SCMP_SYS(faccessat), .why = "sanitizer: the same (arm64)" },
#endif
};

/* Never a place for mail, whoever it belongs to. */
static const char *const system_dirs[] = { "bin", "boot", "dev", "etc", "lib*",
	"proc", "root", "run", "sbin", "sys", "usr" };

struct dirs {
	struct confine_dir *list;
	size_t n;
};

/* Where homes, and mailboxes that users files name, can be. */
static struct dirs broad;

static void
add(struct dirs *d, const char *path)
{
	struct confine_dir *more;

	for (size_t i = 0; i < d->n; i++)
		if (strcmp(d->list[i].path, path) == 0)
			return;
	more = reallocarray(d->list, d->n + 1, sizeof *more);
	if (more == NULL)
		fatal("sandbox");
	d->list = more;
	if ((path = strdup(path)) == NULL)
		fatal("sandbox");
	d->list[d->n++] = (struct confine_dir){ path, CONFINE_WRITE };
}

/* What is there of it now: the user may be able to make the rest. */
static void
add_existing(struct dirs *d, const char *path)
{
	char there[CONF_PATH_MAX];

	if (span_copy(there, sizeof there, span_of(path)) &&
	    place_existing(there))
		add(d, there);
}

static bool
is_system_dir(const char *name)
{
	if (name[0] == '.')
		return true;
	for (size_t i = 0; i < sizeof system_dirs / sizeof *system_dirs; i++)
		if (fnmatch(system_dirs[i], name, 0) == 0)
			return true;
	return false;
}

static void
list_top(struct dirs *d)
{
	DIR *top = opendir("/");
	struct dirent *e;

	if (top == NULL)
		fatal("/");
	while ((e = readdir(top)) != NULL) {
		char path[sizeof "/" + NAME_MAX];
		struct stat st;

		snprintf(path, sizeof path, "/%s", e->d_name);
		if (!is_system_dir(e->d_name) && lstat(path, &st) == 0 &&
		    S_ISDIR(st.st_mode))
			add(d, path);
	}
	closedir(top);
}

/* The domain's mailboxes are not below one directory that is known now. */
static bool
is_broad(const struct conf_domain *d)
{
	return d->deliver == DELIVER_MAILDIR && d->users != USERS_ANY;
}

const struct confine *
sandbox_parent(const struct conf *conf, bool root)
{
	static struct confine limits = {
		.caps = 1 << CAP_SETUID | 1 << CAP_SETGID | 1 << CAP_KILL,
		.calls = calls,
		.ncalls = sizeof calls / sizeof *calls,
	};
	struct dirs dirs = { 0 };
	char path[CONF_PATH_MAX];

	if (!root)
		limits.caps = 0;
	for (size_t i = 0; i < conf->ndomains; i++) {
		if (is_broad(&conf->domains[i]) && broad.n == 0)
			list_top(&broad);
		if (place_root(path, &conf->domains[i]))
			add_existing(&dirs, path);
	}
	for (size_t i = 0; i < broad.n; i++)
		add(&dirs, broad.list[i].path);
	limits.dirs = dirs.list;
	limits.ndirs = dirs.n;
	return &limits;
}

/* Is this domain one whose mail comes to this child? */
static bool
serves(const struct child_setup *s, const struct conf_domain *d)
{
	const char *owner = place_owner(d, s->root);

	if (d->deliver != DELIVER_MAILDIR)
		return false;
	if (s->home)
		return d->users == USERS_SYSTEM;
	return owner != NULL && strcmp(owner, s->account->name) == 0;
}

const struct confine *
sandbox_child(const struct child_setup *s)
{
	static struct confine limits = { .calls = calls, .ncalls = NCHILD };
	struct dirs dirs = { 0 };
	char path[CONF_PATH_MAX];

	if (s->home)
		add_existing(&dirs, s->account->home);
	for (size_t i = 0; i < s->conf->ndomains; i++) {
		const struct conf_domain *d = &s->conf->domains[i];

		if (!serves(s, d))
			continue;
		if (place_root(path, d))
			add_existing(&dirs, path);
		for (size_t k = 0; d->users == USERS_FILE && k < broad.n; k++)
			add(&dirs, broad.list[k].path);
	}
	limits.dirs = dirs.list;
	limits.ndirs = dirs.n;
	return &limits;
}

uid_t
sandbox_least_uid(const struct conf *conf)
{
	uid_t least = conf->min_uid;

	for (size_t i = 0; i < conf->ndomains; i++) {
		const char *owner = place_owner(&conf->domains[i], true);
		const struct passwd *pw = NULL;

		if (owner != NULL)
			pw = getpwnam(owner);
		if (pw != NULL && pw->pw_uid != 0 && pw->pw_uid < least)
			least = pw->pw_uid;
	}
	return least > 0 ? least : 1;
}

/* The kernel takes 32 bits of what a filter sees as 64: more is denied too. */
static void
forbid(int nr, uint64_t least)
{
	struct confine_call denied[6];
	struct confine limits = {
		.calls = denied,
		.ncalls = sizeof denied / sizeof *denied,
		.deny = true,
	};

	for (unsigned i = 0; i < limits.ncalls; i++)
		denied[i] = (struct confine_call){
			.nr = nr,
			.why = "nobody whose mail is not delivered here",
			.check = true,
			.compare = i < 3 ? CONFINE_BELOW : CONFINE_ABOVE,
			.arg = i % 3,
			.value = i < 3 ? least : UINT32_MAX,
		};
	confine_seccomp(&limits);
}

void
sandbox_forbid_uids(uid_t least)
{
	forbid(SCMP_SYS(setresuid), least);
	forbid(SCMP_SYS(setresgid), 1);
}
