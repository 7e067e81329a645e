/*
 * child.h - for the tests of confinement: children that give up their power,
 * and what becomes of them.
 */
#ifndef CHILD_H
#define CHILD_H

#include <sys/stat.h>
#include <sys/wait.h>

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* In a child: what is not true ends it with the line's number. */
#define MUST(what) \
	do { \
		if (!(what)) \
			_exit(100 + __LINE__ % 100); \
	} while (0)

static char dir[64]; /* of this test */

static inline void
make_dir(void)
{
	snprintf(dir, sizeof dir, "/tmp/confine.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chmod(dir, 0755), 0);
}

static inline void
remove_dir(void)
{
	char command[128];

	snprintf(command, sizeof command, "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static inline void
quiet(void)
{
	dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
}

static inline int
ended(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* The exit status of a child that runs fn, or minus its signal. */
static inline int
run(void (*fn)(const void *), const void *arg)
{
	pid_t pid = fork();

	ck_assert_int_ne(pid, -1);
	if (pid == 0) {
		quiet();
		fn(arg);
		_exit(0);
	}
	return ended(pid);
}

/* The same, and while it waits after fn its /proc/PID/status is read. */
static inline int
run_and_read(void (*fn)(const void *), const void *arg, char *text, size_t size)
{
	int ready[2], go[2];
	char path[64], c = 0;
	size_t n;
	pid_t pid;
	FILE *f;

	ck_assert_int_eq(pipe(ready), 0);
	ck_assert_int_eq(pipe(go), 0);
	pid = fork();
	ck_assert_int_ne(pid, -1);
	if (pid == 0) {
		quiet();
		fn(arg);
		_exit(write(ready[1], &c, 1) == 1 && read(go[0], &c, 1) == 1
			? 0
			: 2);
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1)
		return ended(pid);
	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	n = fread(text, 1, size - 1, f);
	text[n] = '\0';
	fclose(f);
	ck_assert_int_eq(write(go[1], &c, 1), 1);
	return ended(pid);
}

static inline void
has_line(const char *text, const char *line)
{
	ck_assert_msg(strstr(text, line) != NULL, "no %s in:\n%s", line, text);
}

#endif
