/*
 * fetch.c - a whole content for somebody else, read and checked by a thread.
 *
 * Whatever was on a disk may have rotted there, and nobody downstream can
 * tell; so nothing is handed out whose hash is not that of what was acknowledged.
 * The thread does only this: a large content that is read delays no commit,
 * no incoming message, and no small one that goes in a packet.
 */
#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "common/bytes/log.h"
#include "queue/store_state.h"

#define PIECE (1024 * 1024)

struct fetch {
	struct job job;
	struct store *store;
	void (*done)(void *arg, int fd, int err);
	void *arg;
	/* what the thread works with */
	uint64_t number;
	struct record_seal seal;
	uint64_t segment;
	uint32_t offset, size;
	int log; /* the segment's file, a descriptor of our own */
	int content_dir, damaged_dir;
	uint8_t key[RECORD_KEY];
	bool trusted; /* a file that was checked a moment ago */
	struct buf bytes;
	int fd, err;
};

/* --- in the thread -----------------------------------------------------------
 */

/* Memory that nobody can change or resize, not even who gets it. */
static int
sealed_memory(struct span octets)
{
	int fd = memfd_create("content", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	size_t done = 0;
	int saved;

	while (fd != -1 && done < octets.n) {
		ssize_t n =
		    pwrite(fd, octets.p + done, octets.n - done, (off_t)done);

		if (n <= 0)
			goto fail;
		done += (size_t)n;
	}
	if (fd != -1 &&
	    fcntl(fd, F_ADD_SEALS,
		F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0)
		return fd;
fail:
	saved = errno;
	if (fd != -1)
		close(fd);
	errno = saved;
	return -1;
}

/* Is a file what its record says?  0, or -1 with errno. */
static int
check_file(const struct fetch *f, int fd, const struct record_content *c)
{
	crypto_generichash_state st;
	uint8_t digest[sizeof c->hash];
	char *piece = malloc(PIECE);
	uint64_t at = 0;
	ssize_t n = -1;

	if (piece == NULL)
		return -1;
	crypto_generichash_init(&st, f->key, sizeof f->key, sizeof digest);
	while (
	    (n = disk_read(fd, piece, PIECE, (off_t)at)) > 0 && at <= c->size) {
		crypto_generichash_update(
		    &st, (const uint8_t *)piece, (size_t)n);
		at += (uint64_t)n;
	}
	free(piece);
	if (n == -1)
		return -1;
	crypto_generichash_final(&st, digest, sizeof digest);
	if (at == c->size && sodium_memcmp(digest, c->hash, sizeof digest) == 0)
		return 0;
	errno = EBADMSG;
	return -1;
}

static int
open_file(const struct fetch *f, const struct record_content *c)
{
	char name[ID_LEN + 1];
	struct stat st;
	int fd, saved;

	content_name(name, f->number);
	fd = openat(f->content_dir, name,
	    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd == -1)
		return -1;
	errno = EBADMSG;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    (uint64_t)st.st_size == c->size &&
	    (f->trusted || check_file(f, fd, c) == 0))
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static void
run_fetch(struct job *job)
{
	struct fetch *f = (struct fetch *)job;
	struct record_content c;
	struct record rec;

	f->fd = -1;
	errno = EBADMSG;
	if (content_read_record(
		f->log, &f->seal, f->offset, f->size, &f->bytes, &rec) == 0 &&
	    record_content_get(&rec, &c) == 0 && c.number == f->number)
		f->fd = rec.type == RECORD_CONTENT_FILE ? open_file(f, &c)
		    : rec.type == RECORD_CONTENT ? sealed_memory(c.octets)
						 : -1;
	f->err = f->fd == -1 ? errno : 0;
}

/* The bytes that are no record any more, for whoever can do more with them. */
static void
run_saving(struct job *job)
{
	struct fetch *f = (struct fetch *)job;
	char name[SEGMENT_DAMAGED_MAX];
	struct record rec;
	struct stat st;

	/* A file stays where it is as long as its message. */
	if (f->bytes.n != f->size ||
	    record_get(buf_span(&f->bytes), &f->seal, &rec) == 0)
		return;
	segment_damaged_name(name, f->segment, f->offset);
	if (fstatat(f->damaged_dir, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		disk_save(f->damaged_dir, name, 0600, buf_span(&f->bytes));
}

/* --- in the loop -------------------------------------------------------------
 */

static void
fetch_free(struct fetch *f)
{
	if (f == NULL)
		return;
	if (f->log != -1)
		close(f->log);
	buf_fini(&f->bytes);
	sodium_memzero(f->key, sizeof f->key);
	free(f);
}

static void
on_saving(struct job *job)
{
	fetch_free((struct fetch *)job);
}

/* Minutes, never 0. */
static uint16_t
this_minute(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint16_t)(ts.tv_sec / 60 % UINT16_MAX + 1);
}

/* Where it lies now; false: nowhere. */
static bool
place(struct fetch *f, const struct content *c)
{
	const struct segment *seg = c->place.segment;

	if (f->log != -1)
		close(f->log);
	f->log = -1;
	errno = EBADMSG;
	if (seg == NULL)
		return false;
	f->seal = seg->seal;
	f->segment = seg->number;
	f->offset = c->place.offset;
	f->size = c->place.size;
	f->trusted = c->checked == this_minute();
	f->log = fcntl(seg->fd, F_DUPFD_CLOEXEC, 0);
	return f->log != -1;
}

static void
on_fetch(struct job *job)
{
	struct fetch *f = (struct fetch *)job;
	struct store *s = f->store;
	struct content *c = index_content(s->index, f->number);
	bool damaged = f->err == EBADMSG && c != NULL;

	/* It was copied elsewhere meanwhile, and the segment used again. */
	if (damaged && c->place.segment != NULL &&
	    (c->place.segment->number != f->segment ||
		c->place.offset != f->offset) &&
	    place(f, c)) {
		worker_give(s->reader, &f->job);
		return;
	}
	if (f->err == 0 && c != NULL)
		c->checked = this_minute();
	f->done(f->arg, f->fd, f->err);
	if (f->fd != -1)
		close(f->fd);
	c = index_content(s->index, f->number);
	if (!damaged || c == NULL || c->rotten) {
		fetch_free(f);
		return;
	}
	c->rotten = true;
	s->count.damaged++;
	f->job = (struct job){ .run = run_saving, .done = on_saving };
	worker_give(s->reader, &f->job);
}

int
content_fetch(struct store *s, const struct content *c,
    void (*done)(void *arg, int fd, int err), void *arg)
{
	struct fetch *f = calloc(1, sizeof *f);

	if (f == NULL)
		return -1;
	f->job = (struct job){ .run = run_fetch, .done = on_fetch };
	f->store = s;
	f->done = done;
	f->arg = arg;
	f->number = c->number;
	f->content_dir = s->content_dir;
	f->damaged_dir = s->damaged_dir;
	memcpy(f->key, s->key, sizeof f->key);
	f->log = -1;
	buf_init(&f->bytes, UINT32_MAX / 2);
	if (!place(f, c)) {
		int saved = errno;

		fetch_free(f);
		errno = saved;
		return -1;
	}
	worker_give(s->reader, &f->job);
	return 0;
}
