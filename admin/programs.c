/*
 * programs.c - finding and starting the programs of libexec.
 *
 * Found beside the running file: ../libexec/sallyport when installed,
 * ../libexec in the build tree.  So the same binaries work in both.
 */
#include <sys/wait.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "admin/admin.h"

static void
program_path(char path[PATH_MAX], const char *name)
{
	static const char *const places[] = { "../libexec/sallyport",
		"../libexec" };
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	char *slash;

	if (n == -1)
		refuse(EXIT_REFUSED, "/proc/self/exe: %s", strerror(errno));
	self[n] = '\0';
	if ((slash = strrchr(self, '/')) != NULL)
		*slash = '\0';
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		int len =
		    snprintf(path, PATH_MAX, "%s/%s/%s", self, places[i], name);

		if (len < PATH_MAX && access(path, X_OK) == 0)
			return;
	}
	refuse(
	    EXIT_REFUSED, "the program %s is not in %s/../libexec", name, self);
}

_Noreturn void
program_exec(const char *name, const char *const argv[])
{
	char path[PATH_MAX];

	program_path(path, name);
	execv(path,
	    (char *const *)(uintptr_t)argv); /* which changes nothing in it */
	refuse(EXIT_REFUSED, "%s: %s", path, strerror(errno));
}

/* `config` reads the file, says what is wrong with it on standard error, and
 * writes what master would get into the pipe. */
struct conf *
program_conf(const char *conf_file)
{
	struct conf *conf;
	int fds[2], status;
	pid_t pid;

	if (pipe(fds) == -1 || (pid = fork()) == -1)
		refuse(EXIT_REFUSED, "starting config: %s", strerror(errno));
	if (pid == 0) {
		char fd[12];
		const char *argv[] = { "config", "-c", conf_file, "-o", fd,
			NULL };

		close(fds[0]);
		snprintf(fd, sizeof fd, "%d", fds[1]);
		program_exec("config", argv);
	}
	close(fds[1]);
	conf = conf_read(fds[0]);
	close(fds[0]);
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || conf == NULL)
		exit(EXIT_REFUSED); /* config has said why */
	return conf;
}
