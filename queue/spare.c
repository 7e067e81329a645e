/*
 * spare.c - the segments that will be used next.
 *
 * A spare is a whole file of zeros (or of an old segment's bytes) that was
 * synced once, so that a commit to it changes no metadata and needs no space.
 * Its name means nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <bsd/stdlib.h>

#include "common/bytes/log.h"
#include "queue/store_state.h"

#define ZEROS	   (1024 * 1024)
#define SPARE_MADE (1ull << 63) /* no segment has such a number */

struct sparing {
	struct job job;
	struct store *store;
	uint64_t number;
	uint64_t size;
	int log_dir;
	int err;
};

bool
spare_take(struct store *s, uint64_t *number)
{
	struct spare *spare = TAILQ_FIRST(&s->spares);

	if (spare == NULL)
		return false;
	*number = spare->number;
	TAILQ_REMOVE(&s->spares, spare, next);
	s->nspares--;
	free(spare);
	return true;
}

void
spare_add(struct store *s, uint64_t number)
{
	struct spare *spare = malloc(sizeof *spare);
	char name[SEGMENT_NAME_MAX];

	if (spare != NULL) {
		spare->number = number;
		TAILQ_INSERT_TAIL(&s->spares, spare, next);
		s->nspares++;
		return;
	}
	segment_name(name, number, SEGMENT_SPARE);
	disk_unlink(s->log_dir, name);
}

static int
fill(int fd, uint64_t size)
{
	char *zeros = calloc(1, ZEROS);
	uint64_t at = 0;

	while (zeros != NULL && at < size) {
		size_t n = size - at < ZEROS ? (size_t)(size - at) : ZEROS;

		if (disk_write(fd, zeros, n, (off_t)at) == -1)
			break;
		at += n;
	}
	free(zeros);
	return at == size ? disk_sync(fd) : -1;
}

static int
make_spare(int log_dir, uint64_t number, uint64_t size)
{
	char name[SEGMENT_NAME_MAX];
	int fd, rc, saved;

	segment_name(name, number, SEGMENT_SPARE);
	if ((fd = disk_create(log_dir, name, 0600)) == -1)
		return -1;
	rc = fill(fd, size);
	saved = errno;
	close(fd);
	if (rc == -1)
		disk_unlink(log_dir, name);
	errno = saved;
	return rc;
}

static uint64_t
spare_number(void)
{
	return (uint64_t)arc4random() << 31 | arc4random() | SPARE_MADE;
}

static void
run_sparing(struct job *job)
{
	struct sparing *p = (struct sparing *)job;

	p->err = make_spare(p->log_dir, p->number, p->size) == -1 ? errno : 0;
}

static void
on_sparing(struct job *job)
{
	struct sparing *p = (struct sparing *)job;
	struct store *s = p->store;

	s->sparing = NULL;
	if (p->err != 0 && s->spare_error == 0)
		log_warn("no_spare_segment", log_errno(p->err));
	s->spare_error = p->err;
	if (p->err == 0)
		spare_add(s, p->number);
	free(p);
	if (s->nspares > 0)
		head_open(s);
	else if (s->head == NULL && s->opening == NULL &&
	    (!s->closing || commit_waiting(s)))
		head_failed(s, s->spare_error);
	if (s->spare_error != 0)
		head_retry_later(s);
	else
		spare_make(s);
	admission_update(s);
	reclaim_kick(s);
	store_step_close(s);
}

void
spare_make(struct store *s)
{
	struct sparing *p;

	if (s->sparing != NULL || s->nspares >= STORE_SPARES ||
	    (s->closing && s->head != NULL) ||
	    (p = calloc(1, sizeof *p)) == NULL)
		return;
	p->job = (struct job){ .run = run_sparing, .done = on_sparing };
	p->store = s;
	p->number = spare_number();
	p->size = s->opt.segment_size;
	p->log_dir = s->log_dir;
	s->sparing = p;
	worker_give(s->file, &p->job);
}

int
spare_make_now(struct store *s, uint64_t *number)
{
	*number = spare_number();
	return make_spare(s->log_dir, *number, s->opt.segment_size);
}
