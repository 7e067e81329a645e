/*
 * syncer.c - see syncer.h.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "deliver/local/syncer.h"

#define STACK_BYTES (128 * 1024)

struct syncer {
	pthread_mutex_t lock;
	pthread_cond_t more, done;
	struct sync_job *jobs;
	size_t n, next, left; /* of the jobs: in all, to begin, not ended */
};

/* Do jobs until none is to begin.  The lock is held, and released meanwhile. */
static void
work(struct syncer *s)
{
	while (s->next < s->n) {
		struct sync_job *job = &s->jobs[s->next++];

		pthread_mutex_unlock(&s->lock);
		job->err = fsync(job->fd) == 0 ? 0 : errno;
		pthread_mutex_lock(&s->lock);
		if (--s->left == 0)
			pthread_cond_signal(&s->done);
	}
}

static void *
thread(void *arg)
{
	struct syncer *s = arg;

	pthread_mutex_lock(&s->lock);
	for (;;) {
		work(s);
		pthread_cond_wait(&s->more, &s->lock);
	}
	return NULL;
}

void
syncer_run(struct syncer *s, struct sync_job *jobs, size_t n)
{
	if (n == 0)
		return;
	pthread_mutex_lock(&s->lock);
	s->jobs = jobs;
	s->n = s->left = n;
	s->next = 0;
	if (n > 1)
		pthread_cond_broadcast(&s->more);
	work(s);
	while (s->left > 0)
		pthread_cond_wait(&s->done, &s->lock);
	s->n = s->next = 0;
	pthread_mutex_unlock(&s->lock);
}

/* 0, or an error number.  Signals are for the loop. */
static int
start(struct syncer *s)
{
	pthread_attr_t attr;
	sigset_t all, before;
	pthread_t id;
	int rc = pthread_attr_init(&attr);

	if (rc != 0)
		return rc;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_attr_setstacksize(&attr, STACK_BYTES);
	if (rc == 0)
		rc =
		    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	for (int i = 0; rc == 0 && i < SYNCER_THREADS; i++)
		rc = pthread_create(&id, &attr, thread, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return rc;
}

struct syncer *
syncer_new(void)
{
	struct syncer *s = calloc(1, sizeof *s);
	int rc;

	if (s == NULL)
		return NULL;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->more, NULL);
	pthread_cond_init(&s->done, NULL);
	/* What was started uses s: it stays until the process ends. */
	if ((rc = start(s)) == 0)
		return s;
	errno = rc;
	return NULL;
}
