/*
 * history_file.c - frames into files, so that a reader never meets a torn one.
 */
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "common/msg/history.h"
#include "queue/history_file.h"

#define NAMES_MAX (HISTORY_NAME_LEN + 1)

struct slice {
	int64_t begin;
	uint64_t size;
};

static int
slice_cmp(const void *a, const void *b)
{
	const struct slice *x = a, *y = b;

	return x->begin < y->begin ? -1 : x->begin > y->begin;
}

/* All files, the oldest first; how many, or -1. */
static ssize_t
list(int dir_fd, struct slice **slices)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd != -1 ? fdopendir(fd) : NULL;
	struct slice *v = NULL, *grown;
	struct dirent *e;
	struct stat st;
	size_t n = 0;
	int64_t begin;

	if (dir == NULL)
		return -1;
	while ((e = readdir(dir)) != NULL) {
		if (!history_name_parse(span_of(e->d_name), &begin) ||
		    fstatat(dir_fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == -1)
			continue;
		if ((grown = reallocarray(v, n + 1, sizeof *v)) == NULL)
			break;
		v = grown;
		v[n++] = (struct slice){ begin, (uint64_t)st.st_size };
	}
	closedir(dir);
	if (n > 0)
		qsort(v, n, sizeof *v, slice_cmp);
	*slices = v;
	return (ssize_t)n;
}

static void
prune(struct history_file *f, int64_t now)
{
	struct slice *v = NULL;
	ssize_t n = list(f->dir, &v);
	uint64_t total = 0;
	char name[NAMES_MAX];

	for (ssize_t i = 0; i < n; i++)
		total += v[i].size;
	for (ssize_t i = 0; i < n; i++) {
		if (v[i].begin + HISTORY_SLICE >= now - f->keep &&
		    total <= f->keep_size)
			break;
		if (v[i].begin == f->begin)
			break;
		history_name(name, v[i].begin);
		if (disk_unlink(f->dir, name) == 0)
			total -= v[i].size;
	}
	free(v);
}

/* The file for now: the one that is open, or the next. */
static int
open_slice(struct history_file *f, int64_t now)
{
	int64_t begin = now - now % HISTORY_SLICE;
	char name[NAMES_MAX];

	if (f->fd != -1 && begin <= f->begin)
		return 0;
	/* Not before all of the last one is on disk: what is missing at the
	 * next start is then always the newest. */
	if (f->fd != -1 && disk_sync(f->fd) == -1)
		return -1;
	if (f->fd != -1)
		close(f->fd);
	f->begin = f->fresh ? now : begin;
	f->end = 0;
	history_name(name, f->begin);
	if ((f->fd = disk_create(f->dir, name, 0640)) == -1)
		return -1;
	f->fresh = false;
	prune(f, now);
	return disk_sync(f->dir);
}

static int
append(struct history_file *f, struct span bytes, bool sync, int64_t now)
{
	if (bytes.n > 0) {
		if (open_slice(f, now) == -1 ||
		    disk_write(f->fd, bytes.p, bytes.n, (off_t)f->end) == -1)
			return -1;
		f->end += bytes.n;
	}
	return sync && f->fd != -1 ? disk_sync(f->fd) : 0;
}

int
history_file_append(struct history_file *f, struct span bytes, bool sync)
{
	uint64_t end = f->end;
	int err;

	if (append(f, bytes, sync, store_now_us() / 1000000) == 0)
		return 0;
	err = errno;
	/* A reader stops at a torn frame.  If it can be cut off, and nothing was
	 * to be synced, the file is as good as before. */
	if (f->fd != -1 && !sync && f->end == end &&
	    disk_truncate(f->fd, (off_t)end) == 0)
		return err;
	if (f->fd != -1)
		close(f->fd);
	f->fd = -1;
	f->fresh = true;
	return err;
}

/* The valid part of a file, and how far it reaches (sequence 0: it is empty). */
static int
measure(int fd, uint64_t *end, struct history_mark *mark)
{
	struct history_event e;
	struct span left;
	struct stat st;
	struct buf b;
	uint64_t seq;
	ssize_t n;
	char *p;

	*end = 0;
	buf_init(&b, SIZE_MAX / 2);
	if (fstat(fd, &st) == -1 ||
	    (p = buf_reserve(&b, (size_t)st.st_size)) == NULL)
		return -1;
	n = disk_read(fd, p, (size_t)st.st_size, 0);
	left = span_from(p, n > 0 ? (size_t)n : 0);
	while (history_get(&left, &seq, &e) == 1) {
		mark->events = mark->seq == seq ? mark->events + 1 : 1;
		mark->seq = seq;
	}
	*end = (n > 0 ? (uint64_t)n : 0) - left.n;
	buf_fini(&b);
	return n == -1 ? -1 : 0;
}

/* Go on in the newest file, behind its last whole frame; and learn from the
 * newest that has any where the history ends. */
static void
find_end(struct history_file *f, const struct slice *v, ssize_t n, int64_t now,
    struct history_mark *mark)
{
	char name[NAMES_MAX];
	uint64_t end;
	int fd;

	for (ssize_t i = n - 1; i >= 0 && mark->seq == 0; i--) {
		history_name(name, v[i].begin);
		fd = openat(f->dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
		/* One that cannot be read costs stories, not the start; what
		 * comes now goes to another. */
		if (fd == -1 || measure(fd, &end, mark) == -1) {
			log_warn("history_unreadable", log_str("file", name),
			    log_errno(errno));
			if (fd != -1)
				close(fd);
			f->fresh = true;
			continue;
		}
		if (i < n - 1 || v[i].begin < now - now % HISTORY_SLICE) {
			/* What was read may not be on disk yet. */
			disk_sync(fd);
			close(fd);
			continue;
		}
		if (end < v[i].size && disk_truncate(fd, (off_t)end) == -1) {
			f->fresh = true;
			close(fd);
			continue;
		}
		f->fd = fd;
		f->begin = v[i].begin;
		f->end = end;
	}
}

int
history_file_open(struct history_file *f, struct history_mark *mark)
{
	int64_t now = store_now_us() / 1000000;
	struct slice *v = NULL;
	ssize_t n = list(f->dir, &v);

	if (n == -1)
		return -1;
	find_end(f, v, n, now, mark);
	free(v);
	prune(f, now);
	return 0;
}
