/*
 * history.c - what happened to each message, written down: DESIGN section 6.
 *
 * What commits bring is collected and written by the file thread, with one
 * write for all that came while it was busy.  A failure costs the story of some
 * messages, never a message: it is logged, and a new file begun.
 */
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/bytes/log.h"
#include "common/mail/address.h"
#include "common/msg/history.h"
#include "queue/store_state.h"

#define NOTED_MAX (64 * 1024 * 1024)
#define NAMES_MAX (HISTORY_NAME_LEN + 1)

struct waiter {
	void (*done)(void *arg);
	void *arg;
	TAILQ_ENTRY(waiter) next;
};
TAILQ_HEAD(waiters, waiter);

/* What the thread works with. */
struct appending {
	struct job job;
	struct history *history;
	struct buf bytes;
	bool sync;
	int dir, fd;
	int64_t begin; /* of the file, seconds; its name */
	bool fresh;    /* the file failed: begin another one */
	uint64_t end;
	int64_t keep; /* seconds */
	uint64_t keep_size;
	int err;
};

struct history {
	struct store *store;
	struct buf noted;
	struct appending append;
	bool busy;
	struct waiters next, now;     /* for the next job; for this one */
	struct history_mark in_files; /* at the start */
	struct history_mark told;     /* noted by now */
	bool failing;
};

/* ---- files: in the thread, or at set-up --------------------------------------------- */

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
prune(struct appending *a, int64_t now)
{
	struct slice *v = NULL;
	ssize_t n = list(a->dir, &v);
	uint64_t total = 0;
	char name[NAMES_MAX];

	for (ssize_t i = 0; i < n; i++)
		total += v[i].size;
	for (ssize_t i = 0; i < n; i++) {
		if (v[i].begin + HISTORY_SLICE >= now - a->keep &&
		    total <= a->keep_size)
			break;
		if (v[i].begin == a->begin)
			break;
		history_name(name, v[i].begin);
		if (disk_unlink(a->dir, name) == 0)
			total -= v[i].size;
	}
	free(v);
}

/* The file for now: the one that is open, or the next. */
static int
open_slice(struct appending *a, int64_t now)
{
	int64_t begin = now - now % HISTORY_SLICE;
	char name[NAMES_MAX];

	if (a->fd != -1 && begin <= a->begin)
		return 0;
	/* Not before all of the last one is on disk: what is missing at the
	 * next start is then always the newest. */
	if (a->fd != -1 && disk_sync(a->fd) == -1)
		return -1;
	if (a->fd != -1)
		close(a->fd);
	a->begin = a->fresh ? now : begin;
	a->end = 0;
	history_name(name, a->begin);
	if ((a->fd = disk_create(a->dir, name, 0640)) == -1)
		return -1;
	a->fresh = false;
	prune(a, now);
	return disk_sync(a->dir);
}

static int
append(struct appending *a, int64_t now)
{
	if (a->bytes.n > 0) {
		if (open_slice(a, now) == -1 ||
		    disk_write(a->fd, a->bytes.p, a->bytes.n, (off_t)a->end) ==
			-1)
			return -1;
		a->end += a->bytes.n;
	}
	return a->sync && a->fd != -1 ? disk_sync(a->fd) : 0;
}

static void
run_appending(struct job *job)
{
	struct appending *a = (struct appending *)job;
	uint64_t end = a->end;

	a->err = 0;
	if (append(a, store_now_us() / 1000000) == 0)
		return;
	a->err = errno;
	/* A reader stops at a torn frame.  If it can be cut off, and nothing was
	 * to be synced, the file is as good as before. */
	if (a->fd != -1 && !a->sync && a->end == end &&
	    disk_truncate(a->fd, (off_t)end) == 0)
		return;
	if (a->fd != -1)
		close(a->fd);
	a->fd = -1;
	a->fresh = true;
}

/* ---- collecting ------------------------------------------------------------------------ */

static void
note(struct history *h, uint64_t seq, const struct history_event *e)
{
	if (h->told.seq != seq)
		h->told = (struct history_mark){ .seq = seq };
	h->told.events++;
	/* A start reads records again that are told of already. */
	if (history_reaches(h->in_files, h->told))
		return;
	if (history_put(&h->noted, seq, e) == -1 && !h->failing) {
		h->failing = true;
		log_warn("history-lost", log_id("id", e->id));
	}
}

static void
note_accepted(struct history *h, const struct record *rec)
{
	struct record_message m;
	struct record_rcpt row;

	if (record_message_get(rec->payload, &m) == -1 ||
	    (m.flags & MESSAGE_COPY) != 0 ||
	    index_find(h->store->index, m.id) != NULL)
		return;
	while (record_rcpt_next(&m.rcpts, true, &row)) {
		const struct history_event e = {
			.kind = HISTORY_ACCEPTED,
			.id = m.id,
			.parent = m.parent,
			.time = (int64_t)id_time(m.id),
			.size = m.size,
			.sender = m.sender,
			.client = m.client,
			.rcpt = row.address,
			.index = row.index,
			.nrcpts = m.nrcpts,
			.host = SPAN(""),
		};
		note(h, rec->seq, &e);
	}
}

static void
note_result(struct history *h, const struct record *rec)
{
	char address[ADDRESS_MAX + 1];
	struct record_result r;
	struct record_rcpt row;
	struct message *m;
	size_t n;

	if (record_result_get(rec->payload, &r) == -1 ||
	    (m = index_find(h->store->index, r.id)) == NULL)
		return;
	while (record_rcpt_next(&r.rcpts, false, &row)) {
		if (row.index >= m->nrcpts || row.reply.code == 0)
			continue;
		n = index_address(
		    &m->rcpts[row.index], address, sizeof address);
		const struct history_event e = {
			.kind = HISTORY_RESULT,
			.id = m->id,
			.time = row.time * 1000000,
			.sender = SPAN(""),
			.client = SPAN(""),
			.rcpt = span_from(address, n),
			.index = row.index,
			.nrcpts = m->nrcpts,
			.final = row.state != RCPT_WAITING,
			.deleted = row.state == RCPT_DELETED,
			.attempts = row.attempts,
			.next = row.next,
			.reply = row.reply,
			.host = row.host,
		};
		note(h, rec->seq, &e);
	}
}

void
history_note(struct store *s, const struct record *rec)
{
	if (rec->seq < s->history->in_files.seq)
		return;
	if (rec->type == RECORD_MESSAGE)
		note_accepted(s->history, rec);
	else if (rec->type == RECORD_RESULT)
		note_result(s->history, rec);
}

static void
on_appending(struct job *job)
{
	struct history *h = ((struct appending *)job)->history;
	struct waiter *w;

	h->busy = false;
	if (h->append.err != 0 && !h->failing)
		log_warn("history-lost", log_errno(h->append.err));
	h->failing = h->append.err != 0;
	while ((w = TAILQ_FIRST(&h->now)) != NULL) {
		TAILQ_REMOVE(&h->now, w, next);
		if (w->done != NULL)
			w->done(w->arg);
		free(w);
	}
	history_push(h->store);
}

void
history_push(struct store *s)
{
	struct history *h = s->history;
	struct buf was = h->append.bytes;

	if (h->busy || (h->noted.n == 0 && TAILQ_EMPTY(&h->next)))
		return;
	h->append.bytes = h->noted;
	buf_clear(&was);
	h->noted = was;
	h->append.sync = !TAILQ_EMPTY(&h->next);
	TAILQ_CONCAT(&h->now, &h->next, next);
	h->busy = true;
	worker_give(s->file, &h->append.job);
}

void
history_sync(struct store *s, void (*done)(void *arg), void *arg)
{
	struct waiter *w = calloc(1, sizeof *w);

	if (w == NULL)
		abort();
	w->done = done;
	w->arg = arg;
	TAILQ_INSERT_TAIL(&s->history->next, w, next);
	history_push(s);
}

bool
history_reaches(struct history_mark have, struct history_mark want)
{
	return have.seq > want.seq ||
	    (have.seq == want.seq && have.events >= want.events);
}

struct history_mark
history_in_files(const struct history *h)
{
	return h->in_files;
}

struct history_mark
history_told(const struct history *h)
{
	return history_reaches(h->in_files, h->told) ? h->in_files : h->told;
}

/* ---- at set-up -------------------------------------------------------------------------- */

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
static int
find_end(struct history *h, const struct slice *v, ssize_t n, int64_t now)
{
	struct appending *a = &h->append;
	char name[NAMES_MAX];
	uint64_t end;
	int fd;

	for (ssize_t i = n - 1; i >= 0 && h->in_files.seq == 0; i--) {
		history_name(name, v[i].begin);
		fd = openat(a->dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
		if (fd == -1 || measure(fd, &end, &h->in_files) == -1)
			return -1;
		if (i < n - 1 || v[i].begin < now - now % HISTORY_SLICE) {
			/* What was read may not be on disk yet. */
			disk_sync(fd);
			close(fd);
			continue;
		}
		if (end < v[i].size && disk_truncate(fd, (off_t)end) == -1) {
			a->fresh = true;
			close(fd);
			continue;
		}
		a->fd = fd;
		a->begin = v[i].begin;
		a->end = end;
	}
	return 0;
}

struct history *
history_new(struct store *s)
{
	struct history *h = calloc(1, sizeof *h);
	int64_t now = store_now_us() / 1000000;
	struct slice *v = NULL;
	ssize_t n;

	if (h == NULL)
		return NULL;
	h->store = s;
	buf_init(&h->noted, NOTED_MAX);
	buf_init(&h->append.bytes, NOTED_MAX);
	TAILQ_INIT(&h->next);
	TAILQ_INIT(&h->now);
	h->append.job =
	    (struct job){ .run = run_appending, .done = on_appending };
	h->append.history = h;
	h->append.dir = s->history_dir;
	h->append.fd = -1;
	h->append.keep = s->opt.history;
	h->append.keep_size = s->opt.history_size;
	n = list(s->history_dir, &v);
	if (n == -1 || find_end(h, v, n, now) == -1) {
		free(v);
		history_free(h);
		return NULL;
	}
	free(v);
	prune(&h->append, now);
	return h;
}

int
history_recover(struct store *s)
{
	struct appending *a = &s->history->append;
	struct buf was = a->bytes;

	if (s->history->noted.n == 0)
		return 0;
	a->bytes = s->history->noted;
	s->history->noted = was;
	a->sync = true;
	run_appending(&a->job);
	errno = a->err;
	return a->err == 0 ? 0 : -1;
}

void
history_free(struct history *h)
{
	struct waiter *w;

	if (h == NULL)
		return;
	TAILQ_CONCAT(&h->now, &h->next, next);
	while ((w = TAILQ_FIRST(&h->now)) != NULL) {
		TAILQ_REMOVE(&h->now, w, next);
		free(w);
	}
	if (h->append.fd != -1)
		close(h->append.fd);
	buf_fini(&h->append.bytes);
	buf_fini(&h->noted);
	free(h);
}
