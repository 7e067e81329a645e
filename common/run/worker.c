/*
 * worker.c - threads, two lists, an eventfd.
 */
#include <sys/eventfd.h>

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/run/worker.h"

TAILQ_HEAD(jobs, job);

struct worker {
	pthread_t threads[WORKER_THREADS_MAX];
	unsigned nthreads;
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct jobs todo, told; /* under lock */
	bool ending;		/* under lock */
	int wake;		/* eventfd: there is something in told */
	struct event *ev;
	size_t open; /* jobs given and not yet told; the loop's own */
};

static void *
work(void *arg)
{
	struct worker *w = arg;
	const uint64_t one = 1;
	struct job *job;
	bool first;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		while ((job = TAILQ_FIRST(&w->todo)) == NULL && !w->ending)
			pthread_cond_wait(&w->more, &w->lock);
		if (job == NULL)
			break;
		TAILQ_REMOVE(&w->todo, job, next);
		pthread_mutex_unlock(&w->lock);
		job->run(job);
		pthread_mutex_lock(&w->lock);
		first = TAILQ_EMPTY(&w->told);
		TAILQ_INSERT_TAIL(&w->told, job, next);
		pthread_mutex_unlock(&w->lock);
		/* Whom this wakes shall not find the lock taken.  Can fail only
		 * when 2^64 wakes are waiting. */
		if (first)
			(void)!write(w->wake, &one, sizeof one);
		pthread_mutex_lock(&w->lock);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static int
start(struct worker *w, unsigned threads)
{
	sigset_t all, old;
	int err = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (err == 0 && w->nthreads < threads) {
		err = pthread_create(&w->threads[w->nthreads], NULL, work, w);
		w->nthreads += err == 0;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	errno = err;
	return err == 0 ? 0 : -1;
}

void
worker_free(struct worker *w)
{
	if (w == NULL)
		return;
	pthread_mutex_lock(&w->lock);
	w->ending = true;
	pthread_cond_broadcast(&w->more);
	pthread_mutex_unlock(&w->lock);
	for (unsigned i = 0; i < w->nthreads; i++)
		pthread_join(w->threads[i], NULL);
	if (w->ev != NULL)
		event_free(w->ev);
	if (w->wake != -1)
		close(w->wake);
	pthread_cond_destroy(&w->more);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

struct worker *
worker_new(unsigned threads)
{
	struct worker *w = calloc(1, sizeof *w);
	int saved;

	assert(threads > 0 && threads <= WORKER_THREADS_MAX);
	if (w == NULL)
		return NULL;
	TAILQ_INIT(&w->todo);
	TAILQ_INIT(&w->told);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->more, NULL);
	w->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (w->wake != -1 && start(w, threads) == 0)
		return w;
	saved = errno;
	worker_free(w);
	errno = saved;
	return NULL;
}

static void
on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	struct jobs told = TAILQ_HEAD_INITIALIZER(told);
	struct job *job;
	uint64_t count;

	(void)what;
	/* Cleared before the list is taken: what comes later wakes again. */
	if (read(fd, &count, sizeof count) == -1)
		return;
	pthread_mutex_lock(&w->lock);
	TAILQ_CONCAT(&told, &w->told, next);
	pthread_mutex_unlock(&w->lock);
	while ((job = TAILQ_FIRST(&told)) != NULL) {
		TAILQ_REMOVE(&told, job, next);
		w->open--;
		job->done(job);
	}
}

int
worker_begin(struct worker *w, struct event_base *base)
{
	w->ev = event_new(base, w->wake, EV_READ | EV_PERSIST, on_wake, w);
	return w->ev != NULL && event_add(w->ev, NULL) == 0 ? 0 : -1;
}

void
worker_give(struct worker *w, struct job *job)
{
	w->open++;
	pthread_mutex_lock(&w->lock);
	TAILQ_INSERT_TAIL(&w->todo, job, next);
	pthread_mutex_unlock(&w->lock);
	/* Behind the lock, or who wakes would at once wait for it. */
	pthread_cond_signal(&w->more);
}

bool
worker_idle(const struct worker *w)
{
	return w->open == 0;
}
