/*
 * disk.h - every operation of the store that changes a file, in one place.
 *
 * The one seam: a test may watch each operation, refuse it with an errno, or
 * write all of them down and so know every state that a power cut could leave.
 * Reads need no seam, they leave nothing behind.
 */
#ifndef DISK_H
#define DISK_H

#include <sys/types.h>

#include <stddef.h>

#include "common/bytes/buf.h"

enum disk_op {
	DISK_CREATE,   /* name in fd (a directory), exclusively */
	DISK_WRITE,    /* n bytes at `at` */
	DISK_TRUNCATE, /* to `at` bytes */
	DISK_DATASYNC,
	DISK_SYNC,   /* of a file or a directory */
	DISK_RENAME, /* name in fd to `to` in `dir` */
	DISK_UNLINK  /* name in fd */
};

struct disk_call {
	enum disk_op op;
	int fd, dir;
	const char *name, *to;
	const void *p;
	size_t n;
	off_t at;
};

/* enter may refuse with an errno (0: go on); leave is told how it went (the
 * new descriptor, 0 or -1).  They are called by whichever thread does it. */
struct disk_watcher {
	int (*enter)(void *arg, const struct disk_call *);
	void (*leave)(void *arg, const struct disk_call *, int rc);
	void *arg;
};
/* While nothing is under way. */
void disk_watch(const struct disk_watcher *); /* NULL: nobody */

/* 0 (create: a descriptor, read and write), or -1 with errno. */
int disk_create(int dir, const char *name, mode_t mode);
int disk_write(int fd, const void *p, size_t n, off_t at); /* all of it */
int disk_truncate(int fd, off_t size);
int disk_datasync(int fd);
int disk_sync(int fd);
int disk_rename(int dir, const char *from, int to_dir, const char *to);
int disk_unlink(int dir, const char *name);

/* Up to n bytes at `at`; less only at the end of the file.  -1 with errno. */
ssize_t disk_read(int fd, void *p, size_t n, off_t at);

/* A whole file that is there after a power cut, or not at all: written under
 * another name, synced, renamed, the directory synced. */
int disk_save(int dir, const char *name, mode_t mode, struct span bytes);

#endif
