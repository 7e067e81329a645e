/*
 * unix.c - the sockets in the runtime directory, for programs of this host.
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <err.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#include "common/run/process.h"
#include "master/master.h"

struct unix_socket {
	const char *name;
	int type;
	mode_t mode;
};

/* For root, or who runs us. */
static const struct unix_socket control = { CONTROL_SOCKET, SOCK_SEQPACKET,
	0600 };
/* For everybody: the kernel tells smtpd who it is. */
static const struct unix_socket submit = { SUBMIT_SOCKET, SOCK_STREAM, 0666 };
/* For root and smtpd's user, who is its group. */
static const struct unix_socket outside = { PROCESS_SOCKET, SOCK_SEQPACKET,
	0660 };

static struct sockaddr_un
address(const struct master *m, const struct unix_socket *u)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	char path[CONF_PATH_MAX + 16];

	snprintf(path, sizeof path, "%s/%s", m->current->conf.runtime, u->name);
	if (!span_copy(sun.sun_path, sizeof sun.sun_path, span_of(path)))
		errx(1, "%s is too long for a socket", path);
	return sun;
}

/* 0 if somebody listens there, else why not. */
static int
try_connect(const struct unix_socket *u, const struct sockaddr_un *sun)
{
	int fd = socket(AF_UNIX, u->type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int why = 0;

	if (fd == -1)
		err(1, "socket");
	if (connect(fd, (const struct sockaddr *)sun, sizeof *sun) == -1)
		why = errno;
	close(fd);
	return why == EAGAIN ? 0 : why;
}

/* True: there was one, and nobody listens on it any more. */
static bool
is_stale(struct master *m, const struct unix_socket *u,
    const struct sockaddr_un *sun)
{
	struct stat st;
	int saved;

	do
		saved = try_connect(u, sun);
	while (saved == 0 && listen_wait(m));
	if (saved == 0)
		errx(1, "already running: %s answers", sun->sun_path);
	if (saved == ENOENT)
		return false;
	if (saved != ECONNREFUSED || lstat(sun->sun_path, &st) == -1 ||
	    !S_ISSOCK(st.st_mode))
		errx(1, "%s is there and is not our socket: %s", sun->sun_path,
		    strerrordesc_np(saved));
	return true;
}

static int
open_socket(struct master *m, const struct unix_socket *u)
{
	struct sockaddr_un sun = address(m, u);
	mode_t mask = umask(0777 & ~u->mode);
	int fd;

	if (is_stale(m, u, &sun) && unlink(sun.sun_path) == -1)
		err(1, "%s", sun.sun_path);
	fd = socket(AF_UNIX, u->type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1 || bind(fd, (struct sockaddr *)&sun, sizeof sun) == -1 ||
	    listen(fd, LISTEN_BACKLOG) == -1)
		err(1, "%s", sun.sun_path);
	umask(mask);
	return fd;
}

static void
remove_socket(const struct master *m, const struct unix_socket *u)
{
	struct sockaddr_un sun = address(m, u);

	(void)unlink(sun.sun_path);
}

void
control_open(struct master *m)
{
	m->control = open_socket(m, &control);
}

void
control_remove(const struct master *m)
{
	remove_socket(m, &control);
}

void
outside_open(struct master *m)
{
	struct sockaddr_un sun = address(m, &outside);
	const struct passwd *pw;

	m->outside_uid = geteuid();
	m->outside = open_socket(m, &outside);
	if (!m->root)
		return;
	pw = getpwnam(process_user(PEER_SMTPD));
	if (pw == NULL || lchown(sun.sun_path, 0, pw->pw_gid) == -1)
		err(1, "%s", sun.sun_path);
	m->outside_uid = pw->pw_uid;
}

void
outside_remove(const struct master *m)
{
	remove_socket(m, &outside);
}

bool
submit_inherit(struct master *m, int fd)
{
	struct sockaddr_un want = address(m, &submit), sun;
	socklen_t n = sizeof sun, size = sizeof(int);
	int type;

	/* A path may fill its place without a NUL. */
	memset(&sun, 0, sizeof sun);
	if (getsockname(fd, (struct sockaddr *)&sun, &n) == -1 ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == -1)
		err(1, "inherited descriptor %d", fd);
	if (sun.sun_family != AF_UNIX)
		return false;
	if (strncmp(sun.sun_path, want.sun_path, sizeof sun.sun_path) != 0)
		errx(1, "an inherited Unix socket is %.*s; %s would be right",
		    (int)sizeof sun.sun_path, sun.sun_path, want.sun_path);
	if (type != SOCK_STREAM || m->submit != -1)
		errx(1,
		    "the inherited %s is no stream socket, or there are two "
		    "of it; one ListenStream= would be right",
		    want.sun_path);
	m->submit = fd;
	m->submit_inherited = true;
	return true;
}

void
submit_open(struct master *m)
{
	if (m->submit == -1)
		m->submit = open_socket(m, &submit);
}

void
submit_remove(const struct master *m)
{
	if (!m->submit_inherited)
		remove_socket(m, &submit);
}
