/*
 * sandbox.c - what master, and whatever it starts, may never do.
 *
 * A deny-list: the filter is inherited by every process, each of which has an
 * allow-list of its own on top.  Where started as root master keeps what it
 * needs to start and end processes of other users, and nothing else.
 */
#include <linux/capability.h>
#include <seccomp.h>

#include "common/run/confine.h"
#include "common/run/sanitized.h"
#include "master/master.h"

#define CAP_BIT(cap) (UINT64_C(1) << (cap))

static const struct confine_call denied[] = {
#if !SANITIZED /* the leak checker of each process does it */
	{ .nr = SCMP_SYS(ptrace), .why = "another process's memory" },
	{ .nr = SCMP_SYS(process_vm_readv), .why = "the same" },
#endif
	{ .nr = SCMP_SYS(process_vm_writev), .why = "another's memory" },
	{ .nr = SCMP_SYS(kcmp), .why = "the same" },
	{ .nr = SCMP_SYS(pidfd_getfd), .why = "another's descriptors" },
	{ .nr = SCMP_SYS(init_module), .why = "the kernel" },
	{ .nr = SCMP_SYS(finit_module), .why = "the kernel" },
	{ .nr = SCMP_SYS(delete_module), .why = "the kernel" },
	{ .nr = SCMP_SYS(kexec_load), .why = "the kernel" },
	{ .nr = SCMP_SYS(kexec_file_load), .why = "the kernel" },
	{ .nr = SCMP_SYS(bpf), .why = "the kernel" },
	{ .nr = SCMP_SYS(perf_event_open), .why = "the kernel" },
	{ .nr = SCMP_SYS(userfaultfd), .why = "the kernel's weak sides" },
	{ .nr = SCMP_SYS(io_uring_setup), .why = "the kernel's weak sides" },
	{ .nr = SCMP_SYS(keyctl), .why = "keys" },
	{ .nr = SCMP_SYS(add_key), .why = "keys" },
	{ .nr = SCMP_SYS(request_key), .why = "keys" },
	{ .nr = SCMP_SYS(mount), .why = "file systems" },
	{ .nr = SCMP_SYS(umount2), .why = "file systems" },
	{ .nr = SCMP_SYS(pivot_root), .why = "file systems" },
	{ .nr = SCMP_SYS(move_mount), .why = "file systems" },
	{ .nr = SCMP_SYS(open_tree), .why = "file systems" },
	{ .nr = SCMP_SYS(fsopen), .why = "file systems" },
	{ .nr = SCMP_SYS(fsmount), .why = "file systems" },
	{ .nr = SCMP_SYS(open_by_handle_at), .why = "files past their path" },
	{ .nr = SCMP_SYS(quotactl), .why = "file systems" },
	{ .nr = SCMP_SYS(swapon), .why = "the machine" },
	{ .nr = SCMP_SYS(swapoff), .why = "the machine" },
	{ .nr = SCMP_SYS(reboot), .why = "the machine" },
	{ .nr = SCMP_SYS(settimeofday), .why = "the machine" },
	{ .nr = SCMP_SYS(clock_settime), .why = "the machine" },
	{ .nr = SCMP_SYS(clock_adjtime), .why = "the machine" },
	{ .nr = SCMP_SYS(adjtimex), .why = "the machine" },
	{ .nr = SCMP_SYS(sethostname), .why = "the machine" },
	{ .nr = SCMP_SYS(setdomainname), .why = "the machine" },
	{ .nr = SCMP_SYS(syslog), .why = "the kernel's messages" },
	{ .nr = SCMP_SYS(acct), .why = "the machine" },
	{ .nr = SCMP_SYS(setns), .why = "other namespaces" },
	{ .nr = SCMP_SYS(unshare), .why = "other namespaces" },
};

const struct confine *
master_sandbox(void)
{
	static const struct confine limits = {
		.caps = CAP_BIT(CAP_SETUID) | CAP_BIT(CAP_SETGID) |
		    CAP_BIT(CAP_SETPCAP) |    /* processes give up theirs */
		    CAP_BIT(CAP_SYS_CHROOT) | /* and go into runtime/empty */
		    /* a reload's new listeners */
		    CAP_BIT(CAP_NET_BIND_SERVICE) |
		    CAP_BIT(CAP_KILL),	      /* those of other users */
		.calls = denied,
		.ncalls = sizeof denied / sizeof denied[0],
		.deny = true,
	};

	return &limits;
}
