/*
 * powercut.h - what a disk may hold after a power cut.
 *
 * A recorder behind disk.h writes down every operation of the store.  From any
 * prefix of them a directory is built as a disk might have kept it: what was
 * synced is there; of all else each 512-byte sector of each write, and each
 * change of a directory, is there or not.  (A filesystem without a journal
 * promises no more; a file's name is not synced with the file.)
 */
#ifndef TEST_POWERCUT_H
#define TEST_POWERCUT_H

#include <sys/stat.h>

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <check.h>

#include "queue/disk.h"

#define PC_SECTOR 512
#define PC_BLOCK  4096
#define PC_OPS	  4096
#define PC_FILES  512
#define PC_NAMES  128

static const char *const pc_dirs[] = { ".", "log", "content", "history",
	"damaged" };
#define PC_DIRS (sizeof pc_dirs / sizeof *pc_dirs)

struct pc_op {
	enum disk_op op;
	int file; /* what is written or synced; -1: a directory is */
	size_t dir;
	char name[64], to[64];
	char *p;
	size_t n;
	off_t at;
};

struct pc_trace {
	pthread_mutex_t lock;
	struct pc_op ops[PC_OPS];
	size_t n;
	ino_t dirs[PC_DIRS];
	ino_t files[PC_FILES];
	int nfiles;
	struct disk_watcher watcher;
};

/* ---- recording ------------------------------------------------------------------ */

static inline ino_t
pc_inode(int fd)
{
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	return st.st_ino;
}

static inline int
pc_enter(void *arg, const struct disk_call *call)
{
	struct pc_trace *t = arg;

	(void)call;
	pthread_mutex_lock(&t->lock);
	return 0;
}

/* Inode numbers may come again: the last file that had it is meant. */
static inline int
pc_file(const struct pc_trace *t, int fd)
{
	ino_t ino = pc_inode(fd);

	for (int i = t->nfiles - 1; i >= 0; i--)
		if (t->files[i] == ino)
			return i;
	return -1;
}

static inline size_t
pc_dir(const struct pc_trace *t, int fd)
{
	ino_t ino = pc_inode(fd);

	for (size_t i = 0; i < PC_DIRS; i++)
		if (t->dirs[i] == ino)
			return i;
	return PC_DIRS;
}

static inline void
pc_record(struct pc_trace *t, const struct disk_call *call, int rc)
{
	struct pc_op *op = &t->ops[t->n];

	ck_assert_uint_lt(t->n, PC_OPS);
	*op = (struct pc_op){ .op = call->op, .file = -1, .dir = PC_DIRS };
	op->dir = pc_dir(t, call->fd);
	if (call->name != NULL)
		snprintf(op->name, sizeof op->name, "%s", call->name);
	if (call->to != NULL)
		snprintf(op->to, sizeof op->to, "%s", call->to);
	if (call->op == DISK_CREATE) {
		ck_assert_int_lt(t->nfiles, PC_FILES);
		op->file = t->nfiles;
		t->files[t->nfiles++] = pc_inode(rc);
	} else if (op->dir == PC_DIRS)
		op->file = pc_file(t, call->fd);
	op->n = call->n;
	op->at = call->at;
	if (call->op == DISK_WRITE) {
		op->p = malloc(call->n);
		memcpy(op->p, call->p, call->n);
	}
	t->n++;
}

static inline void
pc_leave(void *arg, const struct disk_call *call, int rc)
{
	struct pc_trace *t = arg;

	if (rc != -1)
		pc_record(t, call, rc);
	pthread_mutex_unlock(&t->lock);
}

/* The directories are made here, so that what is in them is all there is. */
static inline void
pc_start(struct pc_trace *t, const char *path)
{
	char name[256];
	struct stat st;

	memset(t, 0, sizeof *t);
	pthread_mutex_init(&t->lock, NULL);
	for (size_t i = 0; i < PC_DIRS; i++) {
		snprintf(name, sizeof name, "%s/%s", path, pc_dirs[i]);
		mkdir(name, 0700);
		ck_assert_int_eq(stat(name, &st), 0);
		t->dirs[i] = st.st_ino;
	}
	t->watcher = (struct disk_watcher){ pc_enter, pc_leave, t };
	disk_watch(&t->watcher);
}

static inline size_t
pc_count(struct pc_trace *t)
{
	size_t n;

	pthread_mutex_lock(&t->lock);
	n = t->n;
	pthread_mutex_unlock(&t->lock);
	return n;
}

static inline void
pc_stop(void)
{
	disk_watch(NULL);
}

static inline void
pc_free(struct pc_trace *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->ops[i].p);
}

/* ---- the disk --------------------------------------------------------------------- */

enum pc_mode { PC_LOST, PC_KEPT, PC_RANDOM, PC_MODES };

struct pc_pending {
	const struct pc_op **ops;
	size_t n;
};

struct pc_entry {
	char name[64];
	int file;
};

struct pc_names {
	struct pc_entry e[PC_NAMES];
	size_t n;
};

struct pc_bytes {
	char *p;
	size_t n;
};

struct pc_disk {
	struct pc_bytes files[PC_FILES]; /* durable */
	struct pc_pending file_ops[PC_FILES];
	struct pc_names dirs[PC_DIRS];
	struct pc_pending dir_ops[PC_DIRS];
};

static inline void
pc_resize(struct pc_bytes *b, size_t n)
{
	if (n > b->n) {
		b->p = realloc(b->p, n);
		memset(b->p + b->n, 0, n - b->n);
	}
	b->n = n;
}

static inline void
pc_pend(struct pc_pending *p, const struct pc_op *op)
{
	p->ops = realloc(p->ops, (p->n + 1) * sizeof *p->ops);
	p->ops[p->n++] = op;
}

static inline bool
pc_keep(enum pc_mode mode, unsigned *seed)
{
	if (mode == PC_RANDOM)
		return rand_r(seed) % 2;
	return mode == PC_KEPT;
}

static inline void
pc_apply_file(struct pc_bytes *b, const struct pc_op *op, enum pc_mode mode,
    unsigned *seed)
{
	if (op->op == DISK_TRUNCATE) {
		if (pc_keep(mode, seed))
			pc_resize(b, (size_t)op->at);
		return;
	}
	for (size_t done = 0; done < op->n;) {
		size_t at = (size_t)op->at + done;
		size_t part = PC_SECTOR - at % PC_SECTOR;

		if (part > op->n - done)
			part = op->n - done;
		if (pc_keep(mode, seed)) {
			if (at + part > b->n)
				pc_resize(b, at + part);
			memcpy(b->p + at, op->p + done, part);
		}
		done += part;
	}
}

static inline int
pc_unname(struct pc_names *names, const char *name)
{
	for (size_t i = 0; i < names->n; i++) {
		int file = names->e[i].file;

		if (strcmp(names->e[i].name, name) != 0)
			continue;
		names->e[i] = names->e[--names->n];
		return file;
	}
	return -1;
}

static inline void
pc_name(struct pc_names *names, const char *name, int file)
{
	pc_unname(names, name);
	ck_assert_uint_lt(names->n, PC_NAMES);
	snprintf(names->e[names->n].name, sizeof names->e->name, "%.60s", name);
	names->e[names->n++].file = file;
}

static inline void
pc_apply_dir(struct pc_names *names, const struct pc_op *op)
{
	int file;

	switch (op->op) {
	case DISK_CREATE:
		pc_name(names, op->name, op->file);
		break;
	case DISK_UNLINK:
		pc_unname(names, op->name);
		break;
	case DISK_RENAME:
		if ((file = pc_unname(names, op->name)) != -1)
			pc_name(names, op->to, file);
		break;
	default:
		ck_abort_msg("no operation of a directory");
	}
}

static inline void
pc_sync(struct pc_disk *d, const struct pc_op *op)
{
	struct pc_pending *p =
	    op->dir < PC_DIRS ? &d->dir_ops[op->dir] : &d->file_ops[op->file];

	for (size_t i = 0; i < p->n; i++)
		if (op->dir < PC_DIRS)
			pc_apply_dir(&d->dirs[op->dir], p->ops[i]);
		else
			pc_apply_file(
			    &d->files[op->file], p->ops[i], PC_KEPT, NULL);
	p->n = 0;
}

static inline void
pc_step(struct pc_disk *d, const struct pc_op *op)
{
	switch (op->op) {
	case DISK_WRITE:
	case DISK_TRUNCATE:
		pc_pend(&d->file_ops[op->file], op);
		break;
	case DISK_SYNC:
	case DISK_DATASYNC:
		pc_sync(d, op);
		break;
	case DISK_CREATE:
	case DISK_RENAME:
	case DISK_UNLINK:
		pc_pend(&d->dir_ops[op->dir], op);
		break;
	}
}

static inline void
pc_put_file(const char *path, const struct pc_bytes *b)
{
	static const char zeros[PC_BLOCK];
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

	ck_assert_int_ne(fd, -1);
	for (size_t at = 0; at < b->n; at += PC_BLOCK) {
		size_t part = b->n - at < PC_BLOCK ? b->n - at : PC_BLOCK;

		if (memcmp(b->p + at, zeros, part) != 0)
			ck_assert_int_eq(pwrite(fd, b->p + at, part, (off_t)at),
			    (ssize_t)part);
	}
	ck_assert_int_eq(ftruncate(fd, (off_t)b->n), 0);
	close(fd);
}

/* Each operation of a directory that was not synced is there or not; what is
 * built on one that is not there is not there either. */
static inline void
pc_crash_names(const struct pc_disk *d, size_t dir, enum pc_mode mode,
    unsigned *seed, struct pc_names *names)
{
	const struct pc_pending *p = &d->dir_ops[dir];

	*names = d->dirs[dir];
	for (size_t i = 0; i < p->n; i++)
		if (pc_keep(mode, seed))
			pc_apply_dir(names, p->ops[i]);
}

static inline void
pc_crash_file(const struct pc_disk *d, int file, enum pc_mode mode,
    unsigned *seed, const char *path)
{
	const struct pc_pending *p = &d->file_ops[file];
	struct pc_bytes b = { NULL, 0 };

	pc_resize(&b, d->files[file].n);
	if (b.n > 0)
		memcpy(b.p, d->files[file].p, b.n);
	for (size_t i = 0; i < p->n; i++)
		pc_apply_file(&b, p->ops[i], mode, seed);
	pc_put_file(path, &b);
	free(b.p);
}

/* A directory as the disk may be found. */
static inline void
pc_crash(
    const struct pc_disk *d, const char *path, enum pc_mode mode, unsigned seed)
{
	struct pc_names names;
	char name[256];

	ck_assert_msg(mkdir(path, 0700) == 0, "%s: %m", path);
	for (size_t dir = 0; dir < PC_DIRS; dir++) {
		snprintf(name, sizeof name, "%s/%s", path, pc_dirs[dir]);
		mkdir(name, 0700);
		pc_crash_names(d, dir, mode, &seed, &names);
		for (size_t i = 0; i < names.n; i++) {
			snprintf(name, sizeof name, "%s/%s/%s", path,
			    pc_dirs[dir], names.e[i].name);
			pc_crash_file(d, names.e[i].file, mode, &seed, name);
		}
	}
}

static inline void
pc_adopt_file(struct pc_trace *t, struct pc_disk *d, size_t dir,
    const char *dir_name, const char *name)
{
	struct pc_bytes *b = &d->files[t->nfiles];
	char path[512];
	struct stat st;
	int fd;

	snprintf(path, sizeof path, "%s/%.60s", dir_name, name);
	ck_assert_int_ne(fd = open(path, O_RDONLY), -1);
	ck_assert_int_eq(fstat(fd, &st), 0);
	pc_resize(b, (size_t)st.st_size);
	ck_assert_int_eq(pread(fd, b->p, b->n, 0), st.st_size);
	close(fd);
	t->files[t->nfiles] = st.st_ino;
	pc_name(&d->dirs[dir], name, t->nfiles++);
}

/* A trace that begins with the files that are there already, all durable. */
static inline void
pc_adopt(struct pc_trace *t, struct pc_disk *d, const char *path)
{
	char name[256];
	struct dirent *e;
	DIR *dir;

	for (size_t i = 0; i < PC_DIRS; i++) {
		snprintf(name, sizeof name, "%s/%s", path, pc_dirs[i]);
		ck_assert_ptr_nonnull(dir = opendir(name));
		while ((e = readdir(dir)) != NULL)
			if (e->d_type == DT_REG)
				pc_adopt_file(t, d, i, name, e->d_name);
		closedir(dir);
	}
}

static inline void
pc_disk_free(struct pc_disk *d)
{
	for (int i = 0; i < PC_FILES; i++) {
		free(d->files[i].p);
		free(d->file_ops[i].ops);
	}
	for (size_t i = 0; i < PC_DIRS; i++)
		free(d->dir_ops[i].ops);
}

#endif
