/*
 * without_landlock.c - a kernel without Landlock, for one program.
 *
 *   without_landlock PROGRAM [ARGUMENT…]
 */
#include <err.h>
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	if (argc < 2) {
		fputs(
		    "usage: without_landlock PROGRAM [ARGUMENT...]\n", stderr);
		return 2;
	}
	/* As a kernel answers that does not know it, or was built without. */
	if (filter == NULL ||
	    seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS),
		SCMP_SYS(landlock_create_ruleset), 0) != 0 ||
	    seccomp_load(filter) != 0)
		errx(1, "no filter");
	execvp(argv[1], argv + 1);
	err(1, "%s", argv[1]);
}
