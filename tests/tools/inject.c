/*
 * inject.c - what an attacker could do inside a running process: stop it, make
 * it do one system call, and tell what came of it.
 *
 *     inject PID NUMBER [ARGUMENT...]    a number; s:TEXT or x:HEX for a pointer to it
 *
 * Prints the result (negative: -errno), or "killed N" when the call ended the
 * process with signal N.  x86-64 only.
 */
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SYSCALL_INSTRUCTION 0x050f
#define STACK_GAP	    4096 /* below the red zone, and room for texts */

/* The octets of s:TEXT (with its NUL) or x:HEX; how many. */
static size_t
octets(char dst[STACK_GAP / 4], const char *argument)
{
	size_t n = 0;

	memset(dst, 0, STACK_GAP / 4);
	if (argument[0] == 's')
		return (size_t)snprintf(dst, STACK_GAP / 4, "%s", argument + 2) + 1;
	for (const char *p = argument + 2; sscanf(p, "%2hhx", &dst[n]) == 1; p += 2)
		n++;
	return n;
}

static size_t
poke(pid_t pid, unsigned long at, const char *argument)
{
	char text[STACK_GAP / 4];
	size_t n = octets(text, argument);

	for (size_t i = 0; i < n; i += sizeof(long)) {
		long word;

		memcpy(&word, text + i, sizeof word);
		if (ptrace(PTRACE_POKEDATA, pid, at + i, word) == -1)
			err(1, "writing to the process");
	}
	return n;
}

static void
set_arguments(pid_t pid, struct user_regs_struct *r, int argc, char **argv)
{
	unsigned long long *places[] = { &r->rdi, &r->rsi, &r->rdx, &r->r10,
		&r->r8, &r->r9 };
	unsigned long at = (r->rsp - STACK_GAP) & ~15ul;

	for (int i = 0; i < argc && i < 6; i++) {
		if (argv[i][0] == '\0' || argv[i][1] != ':') {
			*places[i] = strtoull(argv[i], NULL, 0);
			continue;
		}
		*places[i] = at;
		at += (poke(pid, at, argv[i]) + 15) & ~15ul;
	}
}

static int
wait_stop(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, __WALL) == -1)
		err(1, "waitpid");
	if (WIFSIGNALED(status)) {
		printf("killed %d\n", WTERMSIG(status));
		exit(0);
	}
	if (WIFEXITED(status)) {
		printf("exited %d\n", WEXITSTATUS(status));
		exit(0);
	}
	return status;
}

int
main(int argc, char **argv)
{
	struct user_regs_struct saved, regs;
	pid_t pid;
	long code;

	if (argc < 3)
		errx(2, "usage: inject PID NUMBER [ARGUMENT...]");
	pid = atoi(argv[1]);
	if (ptrace(PTRACE_SEIZE, pid, 0, 0) == -1 || ptrace(PTRACE_INTERRUPT, pid, 0, 0) == -1)
		err(1, "seizing %d", pid);
	wait_stop(pid);
	if (ptrace(PTRACE_GETREGS, pid, 0, &saved) == -1)
		err(1, "registers");
	errno = 0;
	code = ptrace(PTRACE_PEEKTEXT, pid, saved.rip, 0);
	if (errno != 0)
		err(1, "code");
	regs = saved;
	regs.rax = strtoull(argv[2], NULL, 0);
	regs.orig_rax = (unsigned long long)-1; /* no restart of what it waited in */
	set_arguments(pid, &regs, argc - 3, argv + 3);
	ptrace(PTRACE_POKETEXT, pid, saved.rip, (code & ~0xffffl) | SYSCALL_INSTRUCTION);
	ptrace(PTRACE_SETREGS, pid, 0, &regs);
	ptrace(PTRACE_SINGLESTEP, pid, 0, 0);
	wait_stop(pid);
	ptrace(PTRACE_GETREGS, pid, 0, &regs);
	printf("%lld\n", (long long)regs.rax);
	ptrace(PTRACE_POKETEXT, pid, saved.rip, code);
	ptrace(PTRACE_SETREGS, pid, 0, &saved);
	ptrace(PTRACE_DETACH, pid, 0, 0);
	return 0;
}
