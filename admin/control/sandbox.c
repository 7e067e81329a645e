/*
 * sandbox.c - what control may do once commands talk to it: read the history,
 * accept connections on control.sock, and nothing else.
 */
#include <seccomp.h>
#include <stdio.h>

#include "admin/control/control.h"

static const struct confine_call calls[] = {
	{ .nr = SCMP_SYS(accept4), .why = "clients.c: commands connect" },
	{ .nr = SCMP_SYS(getsockopt), .why = "clients.c: SO_PEERCRED" },
	{ .nr = SCMP_SYS(openat),
	    .why = "story.c: history files (Landlock: read only)" },
	{ .nr = SCMP_SYS(getdents64), .why = "story.c: which there are" },
	{ .nr = SCMP_SYS(pread64), .why = "story.c" },
};

const struct confine *
control_sandbox(struct process *p)
{
	static struct confine_dir dirs[1];
	static struct confine c;
	static char path[CONF_PATH_MAX + 16];

	snprintf(path, sizeof path, "%s/history", p->conf->spool);
	dirs[0] = (struct confine_dir){ path, CONFINE_READ };
	c = (struct confine){
		.dirs = dirs,
		.ndirs = 1,
		.calls = calls,
		.ncalls = sizeof calls / sizeof *calls,
	};
	return &c;
}
