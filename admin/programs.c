/*
 * programs.c - finding and starting the other programs of the package.
 *
 * Found beside the running file: ../libexec/sallyport when installed,
 * ../libexec in the build tree.  So the same binaries work in both.
 */
#include <sys/wait.h>

#include <err.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "admin/programs.h"

static void
program_path(char path[PATH_MAX], const char *name)
{
	static const char *const places[] = { ".", "../bin", "../sbin",
		"../libexec/sallyport", "../libexec" };
	/* Those of libexec are not for anybody's PATH, and not sought in it. */
	bool command = strcmp(name, "sallyport") == 0;
	size_t first = command ? 0 : 3, last = command ? 3 : 5;
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	char *slash;

	if (n == -1)
		err(1, "/proc/self/exe");
	self[n] = '\0';
	if ((slash = strrchr(self, '/')) != NULL)
		*slash = '\0';
	for (size_t i = first; i < last; i++) {
		int len =
		    snprintf(path, PATH_MAX, "%s/%s/%s", self, places[i], name);

		if (len < PATH_MAX && access(path, X_OK) == 0)
			return;
	}
	errx(1, "the program %s is not in %s/%s", name, self, places[last - 1]);
}

_Noreturn void
program_exec(const char *name, const char *const argv[])
{
	char path[PATH_MAX];

	program_path(path, name);
	execv(path,
	    (char *const *)(uintptr_t)argv); /* which changes nothing in it */
	err(1, "%s", path);
}

/* `config` reads the file, says what is wrong with it on standard error, and
 * writes what master would get into the pipe. */
struct conf *
program_conf(const char *conf_file)
{
	struct conf *conf;
	int fds[2], status;
	pid_t pid;

	if (pipe(fds) == -1 || (pid = fork()) == -1) {
		warn("starting config");
		return NULL;
	}
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
	if (conf != NULL && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return conf;
	if (conf != NULL)
		conf_free(conf);
	free(conf);
	return NULL;
}
