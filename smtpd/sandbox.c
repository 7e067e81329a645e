/*
 * sandbox.c - the system calls smtpd may make once it talks to strangers.
 *
 * No open, socket, connect, exec or kill: connections and channels arrive as
 * descriptors, and there is no file it needs.  A call is listed with the code
 * that needs it; delete the code, delete the line.
 */
#include <seccomp.h>

#include "smtpd/smtpd.h"

static const struct confine_call calls[] = {
	{ .nr = SCMP_SYS(accept4), .why = "listener.c, by accept.c" },
	{ .nr = SCMP_SYS(setsockopt), .why = "TCP_NODELAY in connection.c" },
	{ .nr = SCMP_SYS(getsockopt), .why = "SO_PEERCRED, accept.c" },
	{ .nr = SCMP_SYS(recvfrom), .why = "clients that speak first, ask.c" },
	{ .nr = SCMP_SYS(shutdown), .why = "the last reply, connection.c" },
	{ .nr = SCMP_SYS(pipe2), .why = "large messages, submit.c" },
	{ .nr = SCMP_SYS(poll),
	    .why = "clients that vanished, connection.c; the loop of one from "
		   "outside" },
	{ .nr = SCMP_SYS(ppoll), .why = "the same (arm64)" },
};

const struct confine *
smtpd_sandbox(struct process *process)
{
	static const struct confine sandbox = {
		.empty_root = true,
		.calls = calls,
		.ncalls = sizeof calls / sizeof *calls,
	};

	(void)process;
	return &sandbox;
}
