/*
 * service.c - finding the service, and its command for the queue.
 */
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "admin/programs.h"
#include "admin/sendmail/sendmail.h"

#define RUNTIME	       "/run/sallyport" /* the default of the setting */
#define SUBMIT_SOCKET  "submit.sock"
#define CONTROL_SOCKET "control.sock"
#define WORDS_MAX      8

struct place {
	char path[CONF_PATH_MAX + 16];
};

/* Of a configuration, which config says what is wrong with. */
static int
place_of(struct place *p, const char *file, const char *name)
{
	struct conf *conf = program_conf(file);

	if (conf == NULL)
		return -1;
	snprintf(p->path, sizeof p->path, "%s/%s", conf->runtime, name);
	conf_free(conf);
	free(conf);
	return 0;
}

static bool
is_absent(int error)
{
	return error == ENOENT || error == ECONNREFUSED || error == ENOTDIR;
}

int
service_connect(
    const struct options *o, struct server *s, char error[SERVICE_ERROR_MAX])
{
	struct place p = { RUNTIME "/" SUBMIT_SOCKET };
	int why;

	if (o->conf != NULL && place_of(&p, o->conf, SUBMIT_SOCKET) == -1)
		exit(EX_CONFIG);
	if (server_connect(s, p.path) == 0)
		return 0;
	why = errno;
	if (o->conf == NULL && is_absent(why) && access(CONF_FILE, R_OK) == 0 &&
	    place_of(&p, CONF_FILE, SUBMIT_SOCKET) == 0) {
		if (server_connect(s, p.path) == 0)
			return 0;
		why = errno;
	}
	snprintf(error, SERVICE_ERROR_MAX, "%s (%.150s: %s)",
	    is_absent(why) ? "no mail service is running"
			   : "the mail service cannot be reached",
	    p.path, strerrordesc_np(why));
	return -1;
}

/* ---- the queue ------------------------------------------------------------- */

/* May we?  What the command itself says is about its own options. */
static int
try_control(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd, rc;

	if (!span_copy(sun.sun_path, sizeof sun.sun_path, span_of(path))) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	rc = fd == -1 ? -1 : connect(fd, (struct sockaddr *)&sun, sizeof sun);
	if (fd != -1) {
		int saved = errno;

		close(fd);
		errno = saved;
	}
	return rc;
}

/* The configuration to name to `sallyport`. */
static const char *
check_control(const struct options *o)
{
	const char *file = o->conf != NULL ? o->conf : CONF_FILE;
	struct place p = { RUNTIME "/" CONTROL_SOCKET };
	/* Few may read the configuration; the usual place tells them why. */
	bool elsewhere =
	    o->conf != NULL || (try_control(p.path) == -1 && is_absent(errno));

	if (elsewhere && place_of(&p, file, CONTROL_SOCKET) == -1)
		exit(EX_CONFIG);
	if (try_control(p.path) == 0)
		return file;
	if (errno == EACCES || errno == EPERM)
		fail(EX_NOPERM,
		    "the queue is shown to root only, and to who runs the "
		    "mail service");
	fail(EX_TEMPFAIL, "no mail service is running (%s: %s)", p.path,
	    strerrordesc_np(errno));
}

/* What it prints goes through; whether there was anything. */
static bool
pass_on(int fd)
{
	char p[4096];
	bool any = false;
	ssize_t n;

	while ((n = read(fd, p, sizeof p)) > 0 || (n == -1 && errno == EINTR)) {
		if (n > 0)
			fwrite(p, 1, (size_t)n, stdout);
		any = true;
	}
	return any;
}

static _Noreturn void
become_command(const char *file, const char *const words[], int out)
{
	const char *argv[WORDS_MAX + 4] = { "sallyport", "queue", "-c", file };

	for (size_t i = 0; i < WORDS_MAX && words[i] != NULL; i++)
		argv[4 + i] = words[i];
	if (dup2(out, STDOUT_FILENO) == -1)
		fail(EX_OSERR, "standard output: %s", strerrordesc_np(errno));
	program_exec("sallyport", argv);
}

int
service_command(const struct options *o, const char *const words[])
{
	const char *file = check_control(o);
	int fds[2], status;
	pid_t pid;
	bool any;

	if (pipe(fds) == -1 || (pid = fork()) == -1)
		fail(EX_OSERR, "sallyport: %s", strerrordesc_np(errno));
	if (pid == 0) {
		close(fds[0]);
		become_command(file, words, fds[1]);
	}
	close(fds[1]);
	any = pass_on(fds[0]);
	close(fds[0]);
	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return EX_OSERR;
	/* Nothing matched is nothing wrong: there is no message to try. */
	if (WIFEXITED(status) &&
	    (WEXITSTATUS(status) == 0 ||
		(WEXITSTATUS(status) == 1 && any && o->mode == MODE_RETRY))) {
		if (!any)
			puts("Mail queue is empty");
		return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
	}
	return EX_UNAVAILABLE;
}
