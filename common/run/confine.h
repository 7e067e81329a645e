/*
 * confine.h - giving up power: user, capabilities, root, files, system calls.
 *
 * The order is fixed by process.c: drop (confine.c), Landlock (landlock.c),
 * (threads,) seccomp (seccomp.c).  What cannot be installed ends the start
 * with an error; nothing here fails open.  Each process keeps its list beside
 * the code that it limits, as data.
 */
#ifndef CONFINE_H
#define CONFINE_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What may be done below a directory (Landlock; rules name directories). */
enum confine_access {
	CONFINE_READ,		/* open and read files, list directories */
	CONFINE_WRITE		/* the same, and create, write, truncate, rename, link, unlink */
};

struct confine_dir {
	const char *path;	/* must exist and be a directory */
	enum confine_access access;
};

enum confine_compare {
	CONFINE_EQUAL,		/* under `mask` */
	CONFINE_BELOW,		/* all 64 bits, unsigned */
	CONFINE_ABOVE
};

/* One system call of an allow-list (or, with `deny`, of a deny-list). */
struct confine_call {
	int nr;			/* SCMP_SYS(name) */
	const char *why;	/* the code that needs it */
	/* Optional: argument `arg` (0 to 5) must be `value` (under `mask`), or
	 * below or above it */
	bool check;
	enum confine_compare compare;
	unsigned arg;
	uint64_t mask, value;
};

struct confine {
	/* drop */
	uint64_t caps;			/* bits 1 << CAP_…, kept where started as root; else 0 */
	bool empty_root;		/* chroot to runtime/empty where started as root */
	/* Landlock */
	const struct confine_dir *dirs;
	size_t ndirs;
	bool any_tcp_connect;		/* else only to `ports` (none: no TCP at all) */
	const uint16_t *ports;
	size_t nports;
	/* seccomp; the calls that every process needs stand in seccomp.c */
	const struct confine_call *calls;
	size_t ncalls;
	bool deny;			/* calls is what may NOT be done: EPERM (master, whose
					 * filter is inherited by all that it starts) */
};

/*
 * Become `user` (NULL: stay; without root always stay) with no capabilities
 * beyond c->caps, no_new_privs, not dumpable, rlimits (no core); then prove
 * that nothing can be got back.  Ends the process on failure.
 */
void confine_drop(const struct confine *, const char *user, const char *empty_dir);
/* ABI 2 at least, higher where the kernel has it.  With seccomp_only a kernel
 * without Landlock is accepted.  Returns the ABI that is in force; 0: none. */
int confine_landlock(const struct confine *, bool seccomp_only);
/* For all threads (TSYNC).  Default: kill the process. */
void confine_seccomp(const struct confine *);

/*
 * A child of local becomes a user (never root), with no capability, and proves
 * that it cannot go back; for a parent with CAP_SETUID and CAP_SETGID.  Ends the
 * process on failure.  Its filter must allow setgroups, setresgid, setresuid,
 * capset, capget, getresuid, getresgid and getgroups.
 */
void confine_user(uid_t, gid_t, const gid_t *groups, size_t ngroups);

#endif
