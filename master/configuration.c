/*
 * configuration.c - the configuration, parsed by a child that then is gone.
 */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "common/bytes/buf.h"
#include "master/master.h"

#define PARSER_FD 3

_Noreturn void
configuration_exec(const struct master *m, const char *file, unsigned out)
{
	char program[CONF_PATH_MAX + sizeof "/config"], fd[16];

	snprintf(program, sizeof program, "%s/config", m->dir);
	snprintf(fd, sizeof fd, "%u", out);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		err(1, "no_new_privs");
	execl(program, "config", "-c", file, "-o", fd, (char *)NULL);
	err(1, "%s", program);
}

static _Noreturn void
parser(const struct master *m, const char *file, int out)
{
	/* dup2() onto itself would leave close-on-exec where it is. */
	if (out == PARSER_FD ? fcntl(out, F_SETFD, 0) == -1
			     : dup2(out, PARSER_FD) == -1)
		err(1, "pipe");
	configuration_exec(m, file, PARSER_FD);
}

static int
read_all(int fd, struct buf *b)
{
	for (;;) {
		char *room = buf_reserve(b, 64 * 1024);
		ssize_t n = room != NULL ? read(fd, room, 64 * 1024) : -1;

		if (n == 0)
			return 0;
		if (n == -1 && (room == NULL || errno != EINTR))
			return -1;
		b->n += n > 0 ? (size_t)n : 0;
	}
}

/* In memory, never to change again: what all processes get. */
static int
seal(struct span s)
{
	int fd = memfd_create("configuration", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ssize_t n = 0;

	for (; fd != -1 && n != -1 && s.n > 0; s = span_skip(s, (size_t)n))
		if ((n = write(fd, s.p, s.n)) == -1)
			break;
	if (fd == -1 ||
	    (n != -1 &&
		fcntl(fd, F_ADD_SEALS,
		    F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) ==
		    0))
		return fd;
	close(fd);
	return -1;
}

struct generation *
configuration_new(struct span blob, uint32_t number)
{
	struct generation *g = generation_new();
	struct wire_get w = wire_reader(blob);

	if (g == NULL)
		return NULL;
	g->number = number;
	if (conf_get(&w, &g->conf) == 0 && (g->conf_fd = seal(blob)) != -1)
		return g;
	generation_unref(g);
	return NULL;
}

const char *
configuration_fixed(const struct conf *a, const struct conf *b)
{
	if (strcmp(a->spool, b->spool) != 0)
		return "spool";
	if (strcmp(a->runtime, b->runtime) != 0)
		return "runtime";
	if (a->segment_size != b->segment_size)
		return "segment_size";
	if (a->seccomp_only != b->seccomp_only)
		return "sandbox";
	return NULL;
}

void
configuration_read(struct master *m, const char *file)
{
	struct buf blob;
	int fds[2], status;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) == -1 || (pid = fork()) == -1)
		err(1, "starting config");
	if (pid == 0)
		parser(m, file, fds[1]);
	close(fds[1]);
	buf_init(&blob, CONF_BLOB_MAX + 64 * 1024);
	if (read_all(fds[0], &blob) == -1)
		err(1, "reading the configuration");
	close(fds[0]);
	if (waitpid(pid, &status, 0) == -1)
		err(1, "config");
	/* It has said what is wrong. */
	if (!WIFEXITED(status))
		errx(1, "config ended by signal %d", WTERMSIG(status));
	if (WEXITSTATUS(status) != 0)
		_exit(1);
	m->current = configuration_new(buf_span(&blob), 1);
	if (m->current == NULL)
		err(1, "the configuration came out damaged");
	conf_use_replies(&m->current->conf);
	buf_fini(&blob);
}
