/*
 * users_watch.c - one job for all files: looked at in the thread, taken in the
 * loop, and after a while given again.
 */
#include <stdlib.h>
#include <time.h>

#include "common/run/worker.h"
#include "lookup/tables/users_watch.h"

_Static_assert(USERS_WATCH_MS > USERS_FILE_SETTLE_MS,
    "the second look finds what the first one saw settled");

struct users_watch {
	struct worker *worker;
	struct event *timer;
	struct job job;
	struct users_file **files;
	size_t n;
};

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static struct users_watch *
watch_of(struct job *job)
{
	return (struct users_watch *)((char *)job -
	    offsetof(struct users_watch, job));
}

static void
look_at_all(struct job *job)
{
	struct users_watch *w = watch_of(job);
	int64_t now = now_ms();

	for (size_t i = 0; i < w->n; i++)
		(void)users_file_look(w->files[i], now);
}

static void
wait_a_while(struct users_watch *w)
{
	static const struct timeval t = { .tv_usec = USERS_WATCH_MS * 1000 };

	evtimer_add(w->timer, &t);
}

static void
take_all(struct job *job)
{
	struct users_watch *w = watch_of(job);

	for (size_t i = 0; i < w->n; i++)
		users_file_take(w->files[i]);
	wait_a_while(w);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct users_watch *w = arg;

	(void)fd;
	(void)what;
	worker_give(w->worker, &w->job);
}

struct users_watch *
users_watch_new(void)
{
	struct users_watch *w = calloc(1, sizeof *w);

	if (w == NULL)
		return NULL;
	w->job = (struct job){ .run = look_at_all, .done = take_all };
	if ((w->worker = worker_new()) == NULL) {
		free(w);
		return NULL;
	}
	return w;
}

void
users_watch_free(struct users_watch *w)
{
	if (w == NULL)
		return;
	if (w->timer != NULL)
		event_free(w->timer);
	worker_free(w->worker);
	for (size_t i = 0; i < w->n; i++)
		users_file_free(w->files[i]);
	free(w->files);
	free(w);
}

struct users_file *
users_watch_add(struct users_watch *w, const char *path)
{
	struct users_file **more, *f;

	for (size_t i = 0; i < w->n; i++)
		if (strcmp(users_file_path(w->files[i]), path) == 0)
			return w->files[i];
	more = reallocarray(w->files, w->n + 1, sizeof(struct users_file *));
	if (more == NULL)
		return NULL;
	w->files = more;
	if ((f = users_file_new(path)) == NULL)
		return NULL;
	w->files[w->n++] = f;
	(void)users_file_look(f, now_ms());
	users_file_take(f);
	return f;
}

int
users_watch_begin(struct users_watch *w, struct event_base *base)
{
	w->timer = evtimer_new(base, on_timer, w);
	if (w->timer == NULL || worker_begin(w->worker, base) == -1)
		return -1;
	wait_a_while(w);
	return 0;
}

size_t
users_watch_failing(const struct users_watch *w)
{
	size_t n = 0;

	for (size_t i = 0; w != NULL && i < w->n; i++)
		n += users_file_failing(w->files[i]);
	return n;
}
