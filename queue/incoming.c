/*
 * incoming.c - a content that arrives in pieces.
 *
 * Small ones stay in memory and become a CONTENT record.  A large one, or one
 * that comes when the memory for all of them is used up, is a file: written by
 * a thread, which syncs every few megabytes, so that what is dirty stays little
 * and others' syncs stay fast.  There are several, for several syncs at a time
 * become one commit of the filesystem's journal, and one piece waits for no
 * other message's sync; of one message there is one piece at a time.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <sodium.h>

#include "queue/store_state.h"

#define PIECE_MAX  (256 * 1024) /* waits for the thread, at most about that */
#define DIRTY_MAX  (4 * 1024 * 1024) /* between two syncs */
#define MEMORY_MAX (UINT32_MAX / 2) /* of a buffer; the limits are below that */

/* What the thread works with; nobody else, while the job is under way. */
struct writing {
	struct job job;
	struct incoming *in;
	int dir, fd;
	uint64_t number;
	uint64_t size, dirty;
	crypto_generichash_state hash;
	uint8_t digest[32];
	struct buf piece;
	bool last;
	int err;
};

struct incoming {
	struct store *store;
	uint64_t number;
	uint64_t size;
	struct buf bytes; /* all of it, or what the thread has not got yet */
	struct writing *file; /* NULL: in memory */
	bool busy;	      /* the thread has a piece */
	bool ended, aborted;
	int err;
	void (*ready)(void *arg);
	void *ready_arg;
	void (*done)(void *arg, int err);
	void *done_arg;
	struct event *told; /* the end of one in memory */
};

/* ---- in a thread ----------------------------------------------------------- */

static int
create(struct writing *w)
{
	char name[ID_LEN + 1];

	content_name(name, w->number);
	w->fd = disk_create(w->dir, name, 0600);
	return w->fd == -1 ? -1 : 0;
}

static int
write_piece(struct writing *w)
{
	const struct buf *b = &w->piece;

	if (w->fd == -1 && create(w) == -1)
		return -1;
	if (b->n == 0)
		return 0;
	if (disk_write(w->fd, b->p, b->n, (off_t)w->size) == -1)
		return -1;
	crypto_generichash_update(&w->hash, (const uint8_t *)b->p, b->n);
	w->size += b->n;
	w->dirty += b->n;
	if (w->dirty >= DIRTY_MAX && !w->last) {
		w->dirty = 0;
		return disk_datasync(w->fd);
	}
	return 0;
}

/* The file and its name, before a record tells of them. */
static int
finish(struct writing *w)
{
	crypto_generichash_final(&w->hash, w->digest, sizeof w->digest);
	if (disk_sync(w->fd) == -1)
		return -1;
	return disk_sync(w->dir);
}

static void
run_writing(struct job *job)
{
	struct writing *w = (struct writing *)job;

	w->err = 0;
	if (write_piece(w) == -1 || (w->last && finish(w) == -1))
		w->err = errno;
}

/* ---- in the loop -------------------------------------------------------------------- */

static void
account(struct incoming *in, size_t before)
{
	in->store->incoming_bytes += in->bytes.n - before;
}

static void
release(struct incoming *in)
{
	in->store->incoming_bytes -= in->bytes.n;
	buf_fini(&in->bytes);
	if (in->file != NULL) {
		if (in->file->fd != -1)
			close(in->file->fd);
		buf_fini(&in->file->piece);
		free(in->file);
	}
	if (in->told != NULL)
		event_free(in->told);
	free(in);
}

/* The file goes too, if there is one. */
static void
discard(struct incoming *in)
{
	if (in->file != NULL && in->file->fd != -1)
		content_unlink(in->store, in->number);
	release(in);
}

static void
give_piece(struct incoming *in)
{
	struct writing *w = in->file;
	struct buf empty = w->piece;

	w->piece = in->bytes;
	in->bytes = empty;
	buf_clear(&in->bytes);
	in->store->incoming_bytes -= w->piece.n;
	w->last = in->ended;
	in->busy = true;
	worker_give(in->store->large, &w->job);
}

static void
tell_done(struct incoming *in)
{
	void (*done)(void *, int) = in->done;

	in->done = NULL;
	if (done != NULL)
		done(in->done_arg, in->err);
}

static void
tell_ready(struct incoming *in)
{
	void (*ready)(void *) = in->ready;

	in->ready = NULL;
	if (ready != NULL)
		ready(in->ready_arg);
}

static void
on_writing(struct job *job)
{
	struct incoming *in = ((struct writing *)job)->in;

	in->busy = false;
	if (in->aborted) {
		discard(in);
		return;
	}
	if (in->err == 0)
		in->err = in->file->err;
	/* A file that failed once is not written to again. */
	if (in->err != 0 || in->file->last) {
		if (in->ended)
			tell_done(in);
		else
			tell_ready(in);
		return;
	}
	if (in->bytes.n > 0 || in->ended)
		give_piece(in);
	/* Last, for it may end or abort all this. */
	tell_ready(in);
}

static int
become_file(struct incoming *in)
{
	struct store *s = in->store;
	struct writing *w = calloc(1, sizeof *w);

	if (w == NULL)
		return -1;
	w->job = (struct job){ .run = run_writing, .done = on_writing };
	w->in = in;
	w->dir = s->content_dir;
	w->fd = -1;
	w->number = in->number;
	crypto_generichash_init(
	    &w->hash, s->key, sizeof s->key, sizeof w->digest);
	buf_init(&w->piece, MEMORY_MAX);
	in->file = w;
	return 0;
}

struct incoming *
incoming_new(struct store *s, uint64_t number)
{
	struct incoming *in = calloc(1, sizeof *in);

	if (in == NULL)
		return NULL;
	in->store = s;
	in->number = number;
	buf_init(&in->bytes, MEMORY_MAX);
	return in;
}

int
incoming_add(
    struct incoming *in, struct span s, void (*ready)(void *arg), void *arg)
{
	size_t before = in->bytes.n;

	if (in->err == 0 && buf_add_span(&in->bytes, s) == -1)
		in->err = errno;
	if (in->err != 0) {
		errno = in->err;
		return -1;
	}
	account(in, before);
	in->size += s.n;
	if (in->file == NULL &&
	    (in->bytes.n > in->store->inline_max ||
		in->store->incoming_bytes > INCOMING_MEMORY_MAX) &&
	    become_file(in) == -1) {
		in->err = errno;
		return -1;
	}
	if (in->file == NULL)
		return 1;
	if (!in->busy)
		give_piece(in);
	if (in->bytes.n < PIECE_MAX &&
	    in->store->incoming_bytes <= INCOMING_MEMORY_MAX)
		return 1;
	in->ready = ready;
	in->ready_arg = arg;
	return 0;
}

static void
on_told(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	tell_done(arg);
}

void
incoming_end(struct incoming *in, void (*done)(void *arg, int err), void *arg)
{
	in->ended = true;
	in->done = done;
	in->done_arg = arg;
	in->ready = NULL;
	if (in->file != NULL && in->err == 0) {
		if (!in->busy)
			give_piece(in);
		return;
	}
	if ((in->told = evtimer_new(in->store->base, on_told, in)) != NULL)
		event_active(in->told, EV_TIMEOUT, 0);
	else
		tell_done(in);
}

void
incoming_commit(struct incoming *in)
{
	if (in->file != NULL)
		change_content_file(
		    in->store, in->number, in->size, in->file->digest);
	else
		change_content(in->store, in->number, buf_span(&in->bytes));
	release(in);
}

void
incoming_abort(struct incoming *in)
{
	in->aborted = true;
	in->done = NULL;
	in->ready = NULL;
	if (!in->busy)
		discard(in);
}

uint64_t
incoming_size(const struct incoming *in)
{
	return in->size;
}
