/*
 * table_watch.c - one job for all files: looked at in the thread, taken in the
 * loop, and after a while given again.
 */
#include <stdlib.h>
#include <time.h>

#include "common/run/worker.h"
#include "lookup/tables/table_watch.h"

_Static_assert(TABLE_WATCH_MS > TABLE_FILE_SETTLE_MS,
    "the second look finds what the first one saw settled");

struct watched {
	struct table_file *file;
	bool kept;   /* the configuration names it, not a table */
	bool needed; /* by a table in force */
};

struct table_watch {
	struct worker *worker;
	struct event *timer;
	struct job job;
	struct watched *files; /* the thread's while it looks */
	size_t n;
	size_t failing;
};

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static struct table_watch *
watch_of(struct job *job)
{
	return (struct table_watch *)((char *)job -
	    offsetof(struct table_watch, job));
}

static struct table_file *
find(struct table_watch *w, const struct table_kind *kind, const char *path)
{
	for (size_t i = 0; i < w->n; i++) {
		struct table_file *f = w->files[i].file;

		if (table_file_kind(f) == kind &&
		    strcmp(table_file_path(f), path) == 0)
			return f;
	}
	return NULL;
}

static struct table_file *
append(struct table_watch *w, const struct table_kind *kind, const char *path,
    bool kept)
{
	struct watched *more =
	    reallocarray(w->files, w->n + 1, sizeof w->files[0]);
	struct table_file *f;

	if (more == NULL)
		return NULL;
	w->files = more;
	if ((f = table_file_new(kind, path)) == NULL)
		return NULL;
	w->files[w->n++] = (struct watched){ .file = f, .kept = kept };
	return f;
}

struct table_file *
table_watch_need(
    struct table_watch *w, const struct table_kind *kind, const char *path)
{
	struct table_file *f = find(w, kind, path);

	return f != NULL ? f : append(w, kind, path, false);
}

/* From the file at `from` on: what they need is behind them, if it is new. */
static void
look_at(struct table_watch *w, size_t from)
{
	int64_t now = now_ms();

	for (size_t i = from; i < w->n; i++) {
		struct table_file *f = w->files[i].file;
		const struct table_kind *kind = table_file_kind(f);
		void *next;

		if (!table_file_look(f, now))
			continue;
		next = table_file_next(f);
		if (next != NULL && kind->need != NULL)
			kind->need(next, w);
	}
}

static void
look_at_all(struct job *job)
{
	look_at(watch_of(job), 0);
}

static void
mark_needed(struct table_watch *w, const struct table_file *by)
{
	const struct table_kind *kind = table_file_kind(by);
	const void *table = table_file_table(by);

	if (kind->needs == NULL || table == NULL)
		return;
	for (size_t i = 0; i < w->n; i++)
		if (!w->files[i].needed)
			w->files[i].needed =
			    kind->needs(table, w->files[i].file);
}

static void
forget_unneeded(struct table_watch *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n; i++)
		w->files[i].needed = w->files[i].kept;
	for (size_t i = 0; i < w->n; i++)
		mark_needed(w, w->files[i].file);
	for (size_t i = 0; i < w->n; i++)
		if (w->files[i].needed)
			w->files[n++] = w->files[i];
		else
			table_file_free(w->files[i].file);
	w->n = n;
}

static void
take(struct table_watch *w)
{
	bool replaced = false;

	for (size_t i = 0; i < w->n; i++)
		if (table_file_take(w->files[i].file) &&
		    table_file_kind(w->files[i].file)->needs != NULL)
			replaced = true;
	if (replaced)
		forget_unneeded(w);
	w->failing = 0;
	for (size_t i = 0; i < w->n; i++)
		w->failing += table_file_failing(w->files[i].file);
}

static void
wait_a_while(struct table_watch *w)
{
	static const struct timeval t = { .tv_usec = TABLE_WATCH_MS * 1000 };

	evtimer_add(w->timer, &t);
}

static void
take_all(struct job *job)
{
	struct table_watch *w = watch_of(job);

	take(w);
	wait_a_while(w);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct table_watch *w = arg;

	(void)fd;
	(void)what;
	worker_give(w->worker, &w->job);
}

struct table_watch *
table_watch_new(void)
{
	struct table_watch *w = calloc(1, sizeof *w);

	if (w == NULL)
		return NULL;
	w->job = (struct job){ .run = look_at_all, .done = take_all };
	if ((w->worker = worker_new(1)) == NULL) {
		free(w);
		return NULL;
	}
	return w;
}

void
table_watch_free(struct table_watch *w)
{
	if (w == NULL)
		return;
	if (w->timer != NULL)
		event_free(w->timer);
	worker_free(w->worker);
	for (size_t i = 0; i < w->n; i++)
		table_file_free(w->files[i].file);
	free(w->files);
	free(w);
}

struct table_file *
table_watch_add(
    struct table_watch *w, const struct table_kind *kind, const char *path)
{
	struct table_file *f = find(w, kind, path);
	size_t from = w->n;

	if (f != NULL || (f = append(w, kind, path, true)) == NULL)
		return f;
	look_at(w, from);
	take(w);
	return f;
}

int
table_watch_begin(struct table_watch *w, struct event_base *base)
{
	w->timer = evtimer_new(base, on_timer, w);
	if (w->timer == NULL || worker_begin(w->worker, base) == -1)
		return -1;
	wait_a_while(w);
	return 0;
}

size_t
table_watch_failing(const struct table_watch *w)
{
	return w != NULL ? w->failing : 0;
}
