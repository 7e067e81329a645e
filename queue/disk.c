/*
 * disk.c - operations on files, each told to the watcher.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "queue/disk.h"

/* The seam: NULL but in tests. */
static const struct disk_watcher *watcher;

void
disk_watch(const struct disk_watcher *w)
{
	watcher = w;
}

static int
enter(const struct disk_call *call)
{
	int err = watcher != NULL ? watcher->enter(watcher->arg, call) : 0;

	if (err == 0)
		return 0;
	errno = err;
	return -1;
}

static int
leave(const struct disk_call *call, int rc)
{
	int saved = errno;

	if (watcher != NULL)
		watcher->leave(watcher->arg, call, rc);
	errno = saved;
	return rc;
}

int
disk_create(int dir, const char *name, mode_t mode)
{
	struct disk_call call = { .op = DISK_CREATE, .fd = dir, .name = name };

	if (enter(&call) == -1)
		return -1;
	return leave(&call,
	    openat(dir, name,
		O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
}

static int
write_all(int fd, const char *p, size_t n, off_t at)
{
	ssize_t done;

	while (n > 0) {
		done = pwrite(fd, p, n, at);
		if (done == -1 && errno == EINTR)
			continue;
		if (done == -1)
			return -1;
		if (done == 0) { /* with no errno: it must not look like 0 */
			errno = EIO;
			return -1;
		}
		p += done;
		n -= (size_t)done;
		at += done;
	}
	return 0;
}

int
disk_write(int fd, const void *p, size_t n, off_t at)
{
	struct disk_call call = {
		.op = DISK_WRITE, .fd = fd, .p = p, .n = n, .at = at
	};

	if (enter(&call) == -1)
		return -1;
	return leave(&call, write_all(fd, p, n, at));
}

int
disk_truncate(int fd, off_t size)
{
	struct disk_call call = { .op = DISK_TRUNCATE, .fd = fd, .at = size };

	if (enter(&call) == -1)
		return -1;
	return leave(&call, ftruncate(fd, size));
}

int
disk_datasync(int fd)
{
	struct disk_call call = { .op = DISK_DATASYNC, .fd = fd };

	if (enter(&call) == -1)
		return -1;
	return leave(&call, fdatasync(fd));
}

int
disk_sync(int fd)
{
	struct disk_call call = { .op = DISK_SYNC, .fd = fd };

	if (enter(&call) == -1)
		return -1;
	return leave(&call, fsync(fd));
}

int
disk_rename(int dir, const char *from, int to_dir, const char *to)
{
	struct disk_call call = { .op = DISK_RENAME,
		.fd = dir,
		.name = from,
		.dir = to_dir,
		.to = to };

	if (enter(&call) == -1)
		return -1;
	return leave(&call, renameat(dir, from, to_dir, to));
}

int
disk_unlink(int dir, const char *name)
{
	struct disk_call call = { .op = DISK_UNLINK, .fd = dir, .name = name };

	if (enter(&call) == -1)
		return -1;
	return leave(&call, unlinkat(dir, name, 0));
}

ssize_t
disk_read(int fd, void *p, size_t n, off_t at)
{
	size_t have = 0;

	while (have < n) {
		ssize_t got =
		    pread(fd, (char *)p + have, n - have, at + (off_t)have);

		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			return -1;
		if (got == 0)
			break;
		have += (size_t)got;
	}
	return (ssize_t)have;
}

int
disk_save(int dir, const char *name, mode_t mode, struct span bytes)
{
	char tmp[64];
	const char *undo = NULL;
	int fd = -1, rc = -1, saved;

	snprintf(tmp, sizeof tmp, "%.48s.tmp", name);
	if (unlinkat(dir, tmp, 0) == -1 && errno != ENOENT)
		return -1;
	if ((fd = disk_create(dir, tmp, mode)) == -1)
		return -1;
	undo = tmp;
	if (disk_write(fd, bytes.p, bytes.n, 0) == -1 || disk_sync(fd) == -1)
		goto out;
	if (disk_rename(dir, tmp, dir, name) == -1)
		goto out;
	undo = NULL;
	rc = disk_sync(dir);
out:
	saved = errno;
	close(fd);
	if (undo != NULL)
		disk_unlink(dir, undo);
	errno = saved;
	return rc;
}
