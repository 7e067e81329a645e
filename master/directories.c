/*
 * directories.c - the spool and the runtime directory, made where missing.
 *
 * What is below the spool belongs to queue's user, which may have been broken
 * into: nothing there is followed, and nothing is given away that was not made
 * here or empty.
 */
#include <sys/stat.h>

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "master/master.h"

struct directory {
	const char *name;
	const char *above; /* for the error; NULL: name is a path */
	uid_t uid;
	gid_t gid;
	mode_t mode;
};

static _Noreturn void
wrong(const struct directory *d, const char *what)
{
	errx(1, "%s%s%s%s", d->above != NULL ? d->above : "",
	    d->above != NULL ? "/" : "", d->name, what);
}

static _Noreturn void
failed(const struct directory *d)
{
	char what[128];

	snprintf(what, sizeof what, ": %s", strerrordesc_np(errno));
	wrong(d, what);
}

static bool
is_empty(int fd)
{
	int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = again != -1 ? fdopendir(again) : NULL;
	const struct dirent *e;
	bool empty = dir != NULL;

	if (dir == NULL)
		return false;
	while (empty && (e = readdir(dir)) != NULL)
		empty = strcmp(e->d_name, ".") == 0 ||
		    strcmp(e->d_name, "..") == 0 ||
		    strcmp(e->d_name, "lost+found") == 0;
	closedir(dir);
	return empty;
}

/* One that was there before us and is not ours yet. */
static void
take_over(int fd, const struct directory *d)
{
	if (geteuid() != 0) {
		if (faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) == -1)
			wrong(d,
			    " cannot be written to; a directory of the user "
			    "who runs this would be right");
		return;
	}
	if (!is_empty(fd))
		wrong(d,
		    " belongs to another user and is not empty; an empty "
		    "directory would be right");
	if (fchown(fd, d->uid, d->gid) == -1 || fchmod(fd, d->mode) == -1)
		failed(d);
}

/* Who may write here may put a socket or a queue of his own in place of ours.
 * (Without root there may be no other directory to be had, as in a container.)
 */
static void
refuse_open(int fd, const struct directory *d)
{
	struct stat st;
	char what[128];

	if (fstat(fd, &st) == -1)
		failed(d);
	if (geteuid() != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)) == 0)
		return;
	snprintf(what, sizeof what,
	    " can be written to by others; a directory of its own with mode "
	    "0%03o would be right",
	    (unsigned)d->mode);
	wrong(d, what);
}

/* Open, in the end. */
static int
make(int above, const struct directory *d)
{
	int follow = d->above != NULL ? O_NOFOLLOW : 0;
	bool made = mkdirat(above, d->name, 0700) == 0;
	struct stat st;
	int fd;

	if (!made && errno != EEXIST)
		failed(d);
	fd =
	    openat(above, d->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | follow);
	if (fd == -1 && (errno == ENOTDIR || errno == ELOOP))
		wrong(d, " is not a directory; a directory would be right");
	if (fd == -1 || fstat(fd, &st) == -1)
		failed(d);
	if (made) {
		if (fchown(fd, d->uid, d->gid) == -1 ||
		    fchmod(fd, d->mode) == -1)
			failed(d);
		return fd;
	}
	if (st.st_uid != d->uid)
		take_over(fd, d);
	refuse_open(fd, d);
	return fd;
}

static void
make_below(int above, const struct directory *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		close(make(above, &list[i]));
	close(above);
}

void
directories_make(const struct conf *c, const struct directory_owner *o)
{
	const char *s = c->spool, *r = c->runtime;
	/* Users must pass through the spool to nothing of it, but its mode
	 * tells them that it is there. */
	const struct directory spool = { s, NULL, o->queue, o->queue_group,
		0711 };
	const struct directory spool_dirs[] = {
		{ "log", s, o->queue, o->queue_group, 0700 },
		{ "content", s, o->queue, o->queue_group, 0700 },
		/* control reads it: the files get the group of the directory */
		{ "history", s, o->queue, o->control_group, 02750 },
	};
	const struct directory runtime = { r, NULL, o->root, o->root_group,
		0755 };
	const struct directory runtime_dirs[] = {
		{ "empty", r, o->root, o->root_group, 0555 },
	};
	int fd;

	umask(022);
	fd = make(AT_FDCWD, &spool);
	if (faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) == -1)
		failed(&spool);
	make_below(fd, spool_dirs, sizeof spool_dirs / sizeof spool_dirs[0]);
	make_below(make(AT_FDCWD, &runtime), runtime_dirs,
	    sizeof runtime_dirs / sizeof runtime_dirs[0]);
	umask(077);
}
