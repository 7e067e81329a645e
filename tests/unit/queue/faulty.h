/*
 * faulty.h - a disk that fails, or waits, when a test says so.
 */
#ifndef TEST_FAULTY_H
#define TEST_FAULTY_H

#include <sys/stat.h>

#include <errno.h>
#include <pthread.h>

#include <check.h>

#include "queue/disk.h"

struct faulty {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct disk_watcher watcher;
	enum disk_op op;  /* that fails */
	const char *name; /* NULL, or only where it names what has this in it */
	unsigned times;	  /* so often */
	int err;
	ino_t failed;	     /* what it was that failed first */
	unsigned used_again; /* writes and syncs of that, since */
	bool fail_recycling; /* the sync after a segment has lost its name */
	bool renamed;
	unsigned unsynced; /* segments that went before the last was synced */
	enum disk_op held_op;
	bool hold, held; /* held_op waits; one does */
	unsigned count[DISK_UNLINK + 1];
};

static inline bool
faulty_matches(const struct faulty *f, const struct disk_call *call)
{
	if (f->times == 0 || call->op != f->op)
		return false;
	return f->name == NULL ||
	    (call->name != NULL && strstr(call->name, f->name) != NULL);
}

static inline int
faulty_enter(void *arg, const struct disk_call *call)
{
	struct faulty *f = arg;
	struct stat st = { .st_ino = 0 };
	int err = 0;

	fstat(call->fd, &st);
	pthread_mutex_lock(&f->lock);
	f->count[call->op]++;
	while (f->hold && call->op == f->held_op) {
		f->held = true;
		pthread_cond_signal(&f->more);
		pthread_cond_wait(&f->more, &f->lock);
	}
	if (f->failed != 0 && st.st_ino == f->failed &&
	    (call->op == DISK_WRITE || call->op == DISK_DATASYNC ||
		call->op == DISK_SYNC))
		f->used_again++;
	if (faulty_matches(f, call)) {
		f->times--;
		if (f->failed == 0)
			f->failed = st.st_ino;
		err = f->err;
	}
	if ((call->op == DISK_RENAME || call->op == DISK_UNLINK) &&
	    strstr(call->name, ".seg") != NULL) {
		f->unsynced += f->renamed;
		f->renamed = true;
	}
	if (call->op == DISK_SYNC && S_ISDIR(st.st_mode)) {
		if (f->renamed && f->fail_recycling)
			err = EIO;
		f->renamed = false;
	}
	pthread_mutex_unlock(&f->lock);
	return err;
}

static inline void
faulty_leave(void *arg, const struct disk_call *call, int rc)
{
	(void)arg;
	(void)call;
	(void)rc;
}

static inline void
faulty_start(struct faulty *f)
{
	*f = (struct faulty){ .times = 0 };
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->more, NULL);
	f->watcher = (struct disk_watcher){ faulty_enter, faulty_leave, f };
	disk_watch(&f->watcher);
}

static inline void
faulty_set(struct faulty *f, enum disk_op op, const char *name, unsigned times,
    int err)
{
	pthread_mutex_lock(&f->lock);
	f->op = op;
	f->name = name;
	f->times = times;
	f->err = err;
	f->failed = 0;
	f->used_again = 0;
	pthread_mutex_unlock(&f->lock);
}

static inline void
faulty_hold(struct faulty *f, enum disk_op op)
{
	pthread_mutex_lock(&f->lock);
	f->held_op = op;
	f->hold = true;
	f->held = false;
	pthread_mutex_unlock(&f->lock);
}

static inline void
faulty_wait_held(struct faulty *f)
{
	pthread_mutex_lock(&f->lock);
	while (!f->held)
		pthread_cond_wait(&f->more, &f->lock);
	pthread_mutex_unlock(&f->lock);
}

static inline void
faulty_let_go(struct faulty *f)
{
	pthread_mutex_lock(&f->lock);
	f->hold = false;
	pthread_cond_broadcast(&f->more);
	pthread_mutex_unlock(&f->lock);
}

#endif
