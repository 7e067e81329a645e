/*
 * sandbox.c - the system calls queue may make once it talks to its peers.
 *
 * Files only below the spool (Landlock), no socket, no exec; the threads of the
 * store were started before.  A call is listed with the code that needs it;
 * delete the code, delete the line.
 */
#include <seccomp.h>

#include "queue/sandbox.h"

static const struct confine_call calls[] = {
	{ .nr = SCMP_SYS(openat), .why = "segments, contents: disk.c" },
	{ .nr = SCMP_SYS(pread64), .why = "disk.c" },
	{ .nr = SCMP_SYS(pwrite64), .why = "disk.c" },
	{ .nr = SCMP_SYS(fdatasync), .why = "disk.c" },
	{ .nr = SCMP_SYS(fsync), .why = "disk.c" },
	{ .nr = SCMP_SYS(ftruncate), .why = "disk.c" },
	{ .nr = SCMP_SYS(renameat), .why = "disk.c" },
	{ .nr = SCMP_SYS(renameat2), .why = "disk.c, where renameat is it" },
	{ .nr = SCMP_SYS(unlinkat), .why = "disk.c" },
	{ .nr = SCMP_SYS(getdents64), .why = "old files: history.c" },
	{ .nr = SCMP_SYS(newfstatat), .why = "their sizes: history.c" },
	{ .nr = SCMP_SYS(fstatfs), .why = "free space: admission.c" },
	{ .nr = SCMP_SYS(rseq), .why = "a thread that is not yet running" },
	{ .nr = SCMP_SYS(set_robust_list), .why = "the same" },
	{ .nr = SCMP_SYS(memfd_create),
	    .why = "contents for agents: content.c" },
};

const struct confine *
queue_sandbox(struct process *process)
{
	static struct confine_dir spool = { .access = CONFINE_WRITE };
	static const struct confine sandbox = {
		.dirs = &spool,
		.ndirs = 1,
		.calls = calls,
		.ncalls = sizeof calls / sizeof calls[0],
	};

	spool.path = process->conf->spool;
	return &sandbox;
}
