/*
 * spool.h - a store on a directory of its own, for the tests of queue.
 *
 * What a test does to it goes through the real event loop and threads; `run`
 * turns the loop until something has happened.
 */
#ifndef TEST_SPOOL_H
#define TEST_SPOOL_H

#include <sys/stat.h>

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <check.h>
#include <errno.h>

#include "queue/store_state.h"

struct spool {
	char path[128];
	struct store_options opt;
	struct event_base *base;
	struct store *store;
	bool closed;
	unsigned done, failed; /* changes that were told */
	uint16_t code;	       /* of the last that failed */
};

static inline int
spool_remove_file(
    const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	return remove(path);
}

static inline void
spool_remove_dir(const char *path)
{
	nftw(path, spool_remove_file, 16, FTW_DEPTH | FTW_PHYS);
}

/* A test that expects the process to end has no other end. */
static char spool_made[128];
static pid_t spool_maker;

static inline void
spool_at_exit(void)
{
	if (getpid() == spool_maker)
		spool_remove_dir(spool_made);
}

/* In memory where there is such a filesystem: the tests sync a lot. */
static inline void
spool_make(struct spool *sp, uint64_t segment_size)
{
	const char *dir = getenv("TMPDIR");

	/* The log of what is tried here says nothing to who runs the tests. */
	if (getenv("TEST_LOG") == NULL &&
	    freopen("/dev/null", "w", stderr) == NULL)
		ck_abort_msg("/dev/null");
	if (dir == NULL)
		dir = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	*sp = (struct spool){ .store = NULL };
	snprintf(sp->path, sizeof sp->path, "%s/sallyport-XXXXXX", dir);
	ck_assert_ptr_nonnull(mkdtemp(sp->path));
	strcpy(spool_made, sp->path);
	spool_maker = getpid();
	atexit(spool_at_exit);
	sp->opt = (struct store_options){
		.spool = sp->path,
		.segment_size = segment_size,
		.history = 7 * 86400,
		.history_size = 1 << 30,
	};
}

static inline void
spool_open_only(struct spool *sp)
{
	sp->store = store_open(&sp->opt);
	sp->closed = false;
}

static inline void
spool_begin(struct spool *sp)
{
	spool_open_only(sp);
	sp->base = event_base_new();
	store_threads(sp->store);
	store_begin(sp->store, sp->base);
}

/* Turn the loop until *what reaches `want`. */
static inline void
spool_until(struct spool *sp, const unsigned *what, unsigned want)
{
	for (int i = 0; *what < want; i++) {
		ck_assert_int_lt(i, 100000);
		event_base_loop(sp->base, EVLOOP_ONCE);
	}
}

static inline void
spool_on_done(void *arg, const struct reply *failed)
{
	struct spool *sp = arg;

	sp->done++;
	if (failed != NULL) {
		sp->failed++;
		sp->code = failed->code;
	}
}

/* Until all that was given to the threads has come back. */
static inline void
spool_settle(struct spool *sp)
{
	struct store *s = sp->store;

	for (int i = 0; i < 100000; i++) {
		event_base_loop(sp->base, EVLOOP_NONBLOCK);
		if (worker_idle(s->log) && worker_idle(s->file) &&
		    worker_idle(s->large) && worker_idle(s->reader) && s->flying == NULL &&
		    reclaim_idle(s) &&
		    (TAILQ_EMPTY(&s->waiting) ||
			TAILQ_FIRST(&s->waiting)->nchanges == 0))
			return;
		usleep(50);
	}
	ck_abort_msg("the store does not come to rest");
}

static inline void
spool_on_closed(void *arg)
{
	((struct spool *)arg)->closed = true;
}

/* As a process that stops. */
static inline void
spool_close(struct spool *sp)
{
	store_close(sp->store, spool_on_closed, sp);
	for (int i = 0; !sp->closed; i++) {
		ck_assert_int_lt(i, 100000);
		event_base_loop(sp->base, EVLOOP_ONCE);
	}
	spool_settle(sp);
	store_free(sp->store);
	event_base_free(sp->base);
	sp->store = NULL;
	sp->base = NULL;
}

/* As a process that dies: what was written is there, nothing more is. */
static inline void
spool_drop(struct spool *sp)
{
	if (sp->base != NULL)
		spool_settle(sp);
	store_free(sp->store);
	if (sp->base != NULL)
		event_base_free(sp->base);
	sp->store = NULL;
	sp->base = NULL;
}

static inline void
spool_remove(struct spool *sp)
{
	spool_remove_dir(sp->path);
}

/* ---- mail --------------------------------------------------------------------- */

#define SPOOL_RCPTS 3

static inline void
spool_add_message(
    struct spool *sp, uint64_t id, uint32_t nrcpts, uint64_t parent)
{
	struct record_rcpt rcpts[SPOOL_RCPTS];
	char address[SPOOL_RCPTS][32];
	const struct record_message m = {
		.id = id,
		.parent = parent,
		.content = id,
		.size = 0,
		.flags = parent != 0 ? MESSAGE_BOUNCE : 0,
		.sender = parent != 0 ? SPAN("") : SPAN("alice@example.org"),
		.client = SPAN("192.0.2.7"),
		.prefix = SPAN("Received: from x\r\n"),
		.nrcpts = nrcpts,
	};

	for (uint32_t i = 0; i < nrcpts; i++) {
		snprintf(
		    address[i], sizeof address[i], "user%u@example.net", i);
		rcpts[i] = (struct record_rcpt){
			.index = i,
			.address = span_of(address[i]),
			.host = SPAN(""),
		};
	}
	change_message(sp->store, &m, rcpts);
}

/* A message with a content of `size` octets that begins with its number. */
static inline uint64_t
spool_accept_n(struct spool *sp, size_t size, uint32_t nrcpts)
{
	uint64_t id = store_id(sp->store);
	char *octets = malloc(size + ID_LEN + 1);

	memset(octets, 'x', size + ID_LEN);
	id_format(octets, id);
	octets[ID_LEN] = 'x';
	change_begin(sp->store);
	change_content(
	    sp->store, id, span_from(octets, size > ID_LEN ? size : ID_LEN));
	spool_add_message(sp, id, nrcpts, 0);
	change_commit(sp->store, spool_on_done, sp);
	free(octets);
	return id;
}

static inline uint64_t
spool_accept(struct spool *sp, size_t size)
{
	return spool_accept_n(sp, size, 1);
}

static inline void
spool_add_result(struct spool *sp, uint64_t id, uint32_t rcpt,
    enum recipient_state state, const char *text)
{
	struct record_rcpt r = {
		.index = rcpt,
		.state = state,
		.attempts = 1,
		.next = 1700000000,
		.time = 1600000000,
		.reply = { .code = state == RCPT_DELIVERED ? 250
			: state == RCPT_WAITING		   ? 451
							   : 550 },
		.host = SPAN("mx.example.net"),
	};

	snprintf(r.reply.text, sizeof r.reply.text, "%s", text);
	change_result(sp->store, id, &r, 1);
}

static inline void
spool_result(struct spool *sp, uint64_t id, uint32_t rcpt,
    enum recipient_state state, const char *text)
{
	change_begin(sp->store);
	spool_add_result(sp, id, rcpt, state, text);
	change_commit(sp->store, spool_on_done, sp);
}

struct spool_fetched {
	unsigned done;
	int fd, err;
};

static inline void
spool_on_fetched(void *arg, int fd, int err)
{
	struct spool_fetched *f = arg;

	f->fd = fd == -1 ? -1 : dup(fd);
	f->err = err;
	f->done++;
}

/* The descriptor that an agent would get, or -1 with errno. */
static inline int
spool_fetch(struct spool *sp, const struct message *m)
{
	struct spool_fetched f = { .fd = -1 };

	if (content_fetch(sp->store, m->content, spool_on_fetched, &f) == -1)
		return -1;
	ck_assert_uint_eq(f.done, 0);
	spool_until(sp, &f.done, 1);
	ck_assert((f.fd == -1) == (f.err != 0));
	errno = f.err;
	return f.fd;
}

/* Its content is what spool_accept made of it. */
static inline void
spool_check_content(struct spool *sp, const struct message *m)
{
	char want[ID_LEN + 1];
	struct buf b;

	buf_init(&b, 64 * 1024 * 1024);
	ck_assert_msg(content_load(sp->store, m->content, SIZE_MAX, &b) == 0,
	    "content: %m");
	id_format(want, m->content->number);
	ck_assert_uint_ge(b.n, ID_LEN);
	ck_assert_int_eq(memcmp(b.p, want, ID_LEN), 0);
	buf_fini(&b);
}

#endif
