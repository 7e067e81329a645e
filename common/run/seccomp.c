/*
 * seccomp.c - the system calls that are left.
 *
 * An allow-list ends the process at any call that is not on it.  What libc and
 * the event loop need in every process stands here; what a process needs for
 * its own work stands in its own folder.
 */
#include <sys/mman.h>

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "common/run/confine.h"
#include "common/run/sanitized.h"

/* Memory, but none that is made executable. */
#define NOT_EXECUTABLE .check = true, .arg = 2, .mask = PROT_EXEC, .value = 0

static const struct confine_call base[] = {
	{ .nr = SCMP_SYS(recvmsg), .why = "channels" },
	{ .nr = SCMP_SYS(sendmsg), .why = "channels" },
	{ .nr = SCMP_SYS(read), .why = "the loop's signals" },
	{ .nr = SCMP_SYS(write), .why = "log lines; the loop's signals" },
	{ .nr = SCMP_SYS(close), .why = "descriptors" },
	{ .nr = SCMP_SYS(fcntl), .why = "F_DUPFD_CLOEXEC in channels" },
	{ .nr = SCMP_SYS(epoll_wait), .why = "the loop" },
	{ .nr = SCMP_SYS(epoll_pwait), .why = "the loop (arm64)" },
	{ .nr = SCMP_SYS(epoll_ctl), .why = "the loop" },
	{ .nr = SCMP_SYS(clock_gettime), .why = "time where there is no vdso" },
	{ .nr = SCMP_SYS(gettimeofday), .why = "the same" },
	{ .nr = SCMP_SYS(futex), .why = "malloc's locks, helper threads" },
	{ .nr = SCMP_SYS(brk), .why = "malloc" },
	{ .nr = SCMP_SYS(mmap), .why = "malloc", NOT_EXECUTABLE },
	{ .nr = SCMP_SYS(mprotect), .why = "malloc", NOT_EXECUTABLE },
	{ .nr = SCMP_SYS(munmap), .why = "malloc" },
	{ .nr = SCMP_SYS(mremap), .why = "malloc" },
	{ .nr = SCMP_SYS(madvise), .why = "malloc" },
	{ .nr = SCMP_SYS(sched_getaffinity), .why = "malloc: how many cores" },
	{ .nr = SCMP_SYS(sysinfo), .why = "qsort: how much memory is there" },
	{ .nr = SCMP_SYS(getrandom), .why = "arc4random, libsodium" },
	{ .nr = SCMP_SYS(getpid), .why = "abort, arc4random" },
	{ .nr = SCMP_SYS(gettid), .why = "abort" },
	{ .nr = SCMP_SYS(rt_sigaction), .why = "the loop's signals" },
	{ .nr = SCMP_SYS(rt_sigprocmask), .why = "the same; abort" },
	{ .nr = SCMP_SYS(rt_sigreturn), .why = "signals" },
	{ .nr = SCMP_SYS(restart_syscall), .why = "SIGSTOP and SIGCONT" },
	/* glibc's fstat; with a path it tells of a file, never what is in it.
	 */
	{ .nr = SCMP_SYS(newfstatat),
	    .why = "fstat",
	    .check = true,
	    .arg = 3,
	    .mask = AT_EMPTY_PATH,
	    .value = AT_EMPTY_PATH },
	{ .nr = SCMP_SYS(fstat), .why = "fstat" },
	{ .nr = SCMP_SYS(exit), .why = "the end of a helper thread" },
	{ .nr = SCMP_SYS(exit_group), .why = "the end" },
#if SANITIZED
	{ .nr = SCMP_SYS(openat), .why = "sanitizer: /proc/self/maps" },
	{ .nr = SCMP_SYS(open), .why = "sanitizer: the same" },
	{ .nr = SCMP_SYS(readlink), .why = "sanitizer: its own name" },
	{ .nr = SCMP_SYS(readlinkat), .why = "sanitizer: the same" },
	{ .nr = SCMP_SYS(getdents64), .why = "sanitizer: its threads" },
	{ .nr = SCMP_SYS(getdents), .why = "sanitizer: the same" },
	{ .nr = SCMP_SYS(lseek), .why = "sanitizer: the same" },
	{ .nr = SCMP_SYS(clone), .why = "sanitizer: the leak checker" },
	{ .nr = SCMP_SYS(wait4), .why = "sanitizer: the same" },
	{ .nr = SCMP_SYS(ptrace), .why = "sanitizer: stops its threads" },
	{ .nr = SCMP_SYS(prctl), .why = "sanitizer: lets itself be traced" },
	{ .nr = SCMP_SYS(getppid), .why = "sanitizer: the leak checker" },
	{ .nr = SCMP_SYS(kill), .why = "sanitizer: the same" },
	{ .nr = SCMP_SYS(sched_yield), .why = "sanitizer: its locks" },
	{ .nr = SCMP_SYS(sigaltstack), .why = "sanitizer: its signals" },
	{ .nr = SCMP_SYS(process_vm_readv), .why = "sanitizer: is it mapped" },
	{ .nr = SCMP_SYS(pipe), .why = "sanitizer: the same" },
	{ .nr = SCMP_SYS(pipe2), .why = "sanitizer: the same" },
	{ .nr = SCMP_SYS(prlimit64), .why = "sanitizer: the stack's size" },
	{ .nr = SCMP_SYS(ioctl), .why = "sanitizer: is stderr a terminal" },
#endif
};

/* libc tries these and does without. */
static const struct confine_call probes[] = {
	{ .nr = SCMP_SYS(rseq), .why = "fork, threads" },
	{ .nr = SCMP_SYS(set_robust_list), .why = "fork" },
#if !SANITIZED
	{ .nr = SCMP_SYS(prctl), .why = "malloc: names of mappings" },
#endif
};

static void
add(scmp_filter_ctx ctx, uint32_t action, const struct confine_call *call)
{
	static const enum scmp_compare ops[] = {
		[CONFINE_EQUAL] = SCMP_CMP_MASKED_EQ,
		[CONFINE_BELOW] = SCMP_CMP_LT,
		[CONFINE_ABOVE] = SCMP_CMP_GT,
	};
	bool equal = call->compare == CONFINE_EQUAL;
	struct scmp_arg_cmp cmp = SCMP_CMP64(call->arg, ops[call->compare],
	    equal ? call->mask : call->value, call->value);
	int rc =
	    seccomp_rule_add_array(ctx, action, call->nr, call->check, &cmp);

	if (rc == 0 || rc == -EEXIST)
		return;
	errno = -rc;
	fatal(call->why);
}

static void
must(int rc)
{
	if (rc == 0)
		return;
	errno = -rc;
	fatal("seccomp");
}

static bool
lists(const struct confine *c, int nr)
{
	for (size_t i = 0; i < c->ncalls; i++)
		if (c->calls[i].nr == nr)
			return true;
	return false;
}

static void
add_base(scmp_filter_ctx ctx, const struct confine *c)
{
	struct confine_call self = { .nr = SCMP_SYS(tgkill),
		.why = "abort",
		.check = true,
		.arg = 0,
		.mask = UINT32_MAX,
		.value = (uint64_t)getpid() };

	for (size_t i = 0; i < sizeof base / sizeof base[0]; i++)
		add(ctx, SCMP_ACT_ALLOW, &base[i]);
	for (size_t i = 0; i < sizeof probes / sizeof probes[0]; i++)
		if (!lists(c, probes[i].nr))
			add(ctx, SCMP_ACT_ERRNO(ENOSYS), &probes[i]);
	if (!lists(c, self.nr))
		add(ctx, SCMP_ACT_ALLOW, &self);
}

void
confine_seccomp(const struct confine *c)
{
	scmp_filter_ctx ctx =
	    seccomp_init(c->deny ? SCMP_ACT_ALLOW : SCMP_ACT_KILL_PROCESS);

	if (ctx == NULL)
		fatalx("seccomp", "cannot be set up");
	must(seccomp_attr_set(
	    ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS));
	must(seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1));
	/* A binary tree: the price does not grow with the list. */
	must(seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2));
	if (!c->deny)
		add_base(ctx, c);
	for (size_t i = 0; i < c->ncalls; i++)
		add(ctx, c->deny ? SCMP_ACT_ERRNO(EPERM) : SCMP_ACT_ALLOW,
		    &c->calls[i]);
	must(seccomp_load(ctx));
	seccomp_release(ctx);
}
