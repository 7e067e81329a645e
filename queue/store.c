/*
 * store.c - the store as a whole: its start, its threads, its end.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "common/bytes/log.h"
#include "queue/store_state.h"

/* ---- segments by number --------------------------------------------------------- */

static int
segment_cmp(struct segment *a, struct segment *b)
{
	return a->number < b->number ? -1 : a->number > b->number;
}

/* RB_GENERATE_STATIC of libbsd needs an __unused that it does not define. */
RB_GENERATE_INTERNAL(segment_tree, segment, by_number, segment_cmp,
    __attribute__((__unused__)) static)

void
store_segment_add(struct store *s, struct segment *seg)
{
	TAILQ_INSERT_TAIL(&s->segments, seg, next);
	RB_INSERT(segment_tree, &s->tree, seg);
	s->nsegments++;
}

void
store_segment_remove(struct store *s, struct segment *seg)
{
	TAILQ_REMOVE(&s->segments, seg, next);
	RB_REMOVE(segment_tree, &s->tree, seg);
	s->nsegments--;
}

struct segment *
store_segment(struct store *s, uint64_t number)
{
	struct segment key = { .number = number };

	return RB_FIND(segment_tree, &s->tree, &key);
}

/* ---- start ------------------------------------------------------------------------ */

int64_t
store_now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static size_t
smaller(uint64_t a, size_t b)
{
	return a < b ? (size_t)a : b;
}

static struct store *
store_new(const struct store_options *opt)
{
	struct store *s = calloc(1, sizeof *s);

	if (s == NULL)
		fatal("store");
	s->opt = *opt;
	s->opt.spool = strdup(opt->spool);
	s->index = index_new();
	if (s->opt.spool == NULL || s->index == NULL || sodium_init() == -1)
		fatal("store");
	if (opt->segment_size < SEGMENT_ROOM_MIN ||
	    opt->segment_size > UINT32_MAX / 2)
		fatalx("segment_size", "out of range");
	s->batch_max = smaller(opt->segment_size / 4, STORE_BATCH_MAX);
	s->inline_max = smaller(opt->segment_size / 8, CONTENT_INLINE_MAX);
	s->next_segment = s->next_seq = 1;
	TAILQ_INIT(&s->segments);
	RB_INIT(&s->tree);
	TAILQ_INIT(&s->waiting);
	TAILQ_INIT(&s->spares);
	s->dir = s->lock = s->log_dir = s->content_dir = s->history_dir =
	    s->damaged_dir = -1;
	return s;
}

void
store_limits(struct store *s, const struct store_options *opt)
{
	s->opt.reserve = opt->reserve;
	s->opt.history = opt->history;
	s->opt.history_size = opt->history_size;
}

struct store *
store_open(const struct store_options *opt)
{
	struct store *s = store_new(opt);

	spool_open(s);
	if ((s->history = history_new(s)) == NULL || reclaim_new(s) == -1)
		fatal("spool/history");
	store_recover(s);
	if (!s->opt.look && head_open_now(s) == -1) {
		/* A full disk may get room again; another disk it will not be. */
		s->head_error = errno;
		if (errno != ENOSPC && errno != EDQUOT)
			fatal("spool/log");
		log_error("log_not_writable", log_errno(errno));
	}
	return s;
}

struct index *
store_index(struct store *s)
{
	return s->index;
}

void
store_threads(struct store *s)
{
	if ((s->log = worker_new(1)) == NULL ||
	    (s->file = worker_new(1)) == NULL ||
	    (s->large = worker_new(LARGE_WRITERS)) == NULL ||
	    (s->reader = worker_new(1)) == NULL)
		fatal("store threads");
}

int
store_look(struct store *s, struct event_base *base)
{
	s->base = base;
	s->reader = worker_new(1);
	return s->reader != NULL ? worker_begin(s->reader, base) : -1;
}

uint64_t
store_damaged(const struct store *s)
{
	return s->count.damaged;
}

void
store_begin(struct store *s, struct event_base *base)
{
	s->base = base;
	s->submit = evtimer_new(base, commit_on_submit, s);
	s->retry = evtimer_new(base, head_on_retry, s);
	s->recheck = evtimer_new(base, admission_on_recheck, s);
	if (s->submit == NULL || s->retry == NULL || s->recheck == NULL ||
	    worker_begin(s->log, base) == -1 ||
	    worker_begin(s->file, base) == -1 ||
	    worker_begin(s->large, base) == -1 ||
	    worker_begin(s->reader, base) == -1)
		fatal("store events");
	head_open(s);
	spare_make(s);
	admission_update(s);
	reclaim_kick(s);
}

uint64_t
store_id(struct store *s)
{
	s->last_id = id_next(s->last_id, (uint64_t)store_now_us());
	return s->last_id;
}

/* ---- end -------------------------------------------------------------------------- */

static void
on_history_synced(void *arg)
{
	struct store *s = arg;
	void (*closed)(void *arg) = s->closed;

	s->closed = NULL;
	if (closed != NULL)
		closed(s->closed_arg);
}

void
store_step_close(struct store *s)
{
	if (!s->closing || s->closed == NULL || s->flying != NULL ||
	    s->opening != NULL || s->sealing != NULL || s->sparing != NULL ||
	    s->nrefused > 0 || !reclaim_idle(s))
		return;
	if (commit_waiting(s))
		commit_submit(s); /* it comes back here */
	else if (s->head != NULL)
		head_seal(s);
	else if (!s->ending) {
		s->ending = true;
		history_sync(s, on_history_synced, s);
	}
}

void
store_close(struct store *s, void (*done)(void *), void *arg)
{
	s->closing = true;
	s->closed = done;
	s->closed_arg = arg;
	evtimer_del(s->retry);
	commit_later(s);
}

static void
close_all(struct store *s)
{
	const int fds[] = { s->dir, s->lock, s->log_dir, s->content_dir,
		s->history_dir, s->damaged_dir };

	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
		if (fds[i] != -1)
			close(fds[i]);
}

static void
events_free(struct store *s)
{
	struct event *const events[] = { s->submit, s->retry, s->recheck };

	for (size_t i = 0; i < sizeof events / sizeof *events; i++)
		if (events[i] != NULL)
			event_free(events[i]);
}

void
store_free(struct store *s)
{
	struct segment *seg;
	struct batch *b;
	uint64_t spare;

	if (s == NULL)
		return;
	worker_free(s->log);
	worker_free(s->file);
	worker_free(s->large);
	worker_free(s->reader);
	head_forget(s);
	batch_free(s->flying);
	while ((b = TAILQ_FIRST(&s->waiting)) != NULL) {
		TAILQ_REMOVE(&s->waiting, b, next);
		batch_free(b);
	}
	while (spare_take(s, &spare))
		continue;
	reclaim_free(s);
	history_free(s->history);
	index_free(s->index);
	while ((seg = TAILQ_FIRST(&s->segments)) != NULL) {
		store_segment_remove(s, seg);
		segment_free(seg);
	}
	events_free(s);
	close_all(s);
	free(s->abandons);
	free(s->refused);
	free((char *)(uintptr_t)s->opt.spool);
	sodium_memzero(s->key, sizeof s->key);
	free(s);
}

void
store_status(
    struct store *s, void (*add)(void *, const char *, uint64_t), void *arg)
{
	const struct {
		const char *name;
		uint64_t value;
	} rows[] = {
		{ "segments", s->nsegments },
		{ "spares", s->nspares },
		{ "commits", s->count.commits },
		{ "records", s->count.records },
		{ "bytes", s->count.bytes },
		{ "syncs", s->count.syncs },
		{ "failed", s->count.failed },
		{ "reclaimed", s->count.reclaimed },
		{ "damaged", s->count.damaged },
		{ "messages", index_messages(s->index) },
		{ "recipients", index_recipients(s->index) },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		add(arg, rows[i].name, rows[i].value);
}
