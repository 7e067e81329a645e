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

static _Noreturn void
parser(const struct master *m, const char *file, int out)
{
	char program[CONF_PATH_MAX + sizeof "/config"],
	    fd[] = { '0' + PARSER_FD, '\0' };

	snprintf(program, sizeof program, "%s/config", m->dir);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		err(1, "no_new_privs");
	/* dup2() onto itself would leave close-on-exec where it is. */
	if (out == PARSER_FD ? fcntl(out, F_SETFD, 0) == -1
			     : dup2(out, PARSER_FD) == -1)
		err(1, "pipe");
	execl(program, "config", "-c", file, "-o", fd, (char *)NULL);
	err(1, "%s", program);
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

	if (fd == -1)
		err(1, "memory for the configuration");
	while (s.n > 0) {
		ssize_t n = write(fd, s.p, s.n);

		if (n == -1)
			err(1, "memory for the configuration");
		s = span_skip(s, (size_t)n);
	}
	if (fcntl(fd, F_ADD_SEALS,
		F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == -1)
		err(1, "sealing the configuration");
	return fd;
}

void
configuration_read(struct master *m, const char *file)
{
	struct buf blob;
	struct wire_get w;
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
	m->current = generation_new();
	if (m->current == NULL)
		err(1, "memory for the configuration");
	m->current->number = 1;
	w = wire_reader(buf_span(&blob));
	if (conf_get(&w, &m->current->conf) == -1 || !wire_done(&w))
		errx(1, "the configuration came out damaged");
	m->current->conf_fd = seal(buf_span(&blob));
	buf_fini(&blob);
}
