/*
 * store.h - the log: changes go in, and are told when they are on disk.
 *
 * DESIGN section 4.  Nothing here waits for the disk but the three threads of
 * store_threads (log; large files; contents that are read) and small reads; all
 * callbacks come from the event loop.
 *
 * Every operation on a file goes through disk.h, the one seam.
 */
#ifndef STORE_H
#define STORE_H

#include <event2/event.h>

#include <errno.h>

#include "queue/index.h"

struct store;

struct store_options {
	const char *spool;
	uint64_t segment_size;
	uint64_t reserve;		/* free bytes to keep on the filesystem; 0: off */
	int64_t history;		/* seconds */
	uint64_t history_size;
	bool look;			/* change nothing, read every record, commit nothing */
};

/*
 * Set-up: lock, format, key, recovery, the first head.  What is made belongs to
 * queue's own user: so it is called when power is dropped, below Landlock (which
 * leaves the spool writable) and above seccomp, right before store_threads.
 * Ends the process with a clear message if the spool is locked for longer than
 * STORE_LOCK_SECONDS, of another version, without its key, or not writable.
 */
#define STORE_LOCK_SECONDS 10
struct store *store_open(const struct store_options *);
struct index *store_index(struct store *);
void store_threads(struct store *);			/* below Landlock, above seccomp */
/* Instead of store_threads and store_begin where it was opened to look: contents
 * can be fetched from now on.  0 or -1. */
int store_look(struct store *, struct event_base *);
/* Places of the log that are not what was written there: 0, all is well. */
uint64_t store_damaged(const struct store *);
void store_begin(struct store *, struct event_base *);	/* from here on it commits */
/* Write and sync what was given, seal the head; then done(arg). */
void store_close(struct store *, void (*done)(void *), void *arg);
void store_free(struct store *);

/* Other limits from now on: reserve, history and its size; the others stay. */
void store_limits(struct store *, const struct store_options *);

/* A new id, above all there ever were. */
uint64_t store_id(struct store *);

/* ---- changes ------------------------------------------------------------------
 * Records that count together or not at all.  Begin, add, commit, without
 * anything of another change between.  After a failed add, commit fails. */
void change_begin(struct store *);
void change_content(struct store *, uint64_t number, struct span octets);
void change_content_file(struct store *, uint64_t number, uint64_t size,
    const uint8_t hash[32]);
void change_message(struct store *, const struct record_message *,
    const struct record_rcpt *);
void change_result(struct store *, uint64_t id, const struct record_rcpt *, uint32_t n);
void change_order(struct store *, enum record_type, const struct record_order *,
    const uint32_t *indexes);
/* done(arg, NULL) when it is on disk and applied to the index; done(arg, reply)
 * (R_QUEUE_ERROR, R_NO_SPACE) when it failed and nothing of it counts.  done is
 * never called before change_commit returned. */
void change_commit(struct store *, void (*done)(void *arg, const struct reply *failed),
    void *arg);
/* Whether what was added can be written at all: a change must fit a segment. */
bool change_fits(struct store *);
void change_abort(struct store *);

/* The batch in memory is full: take no further requests until ready() is
 * called (changes that were begun all the same are still taken). */
bool store_busy(const struct store *);
void store_on_ready(struct store *, void (*ready)(void *arg), void *arg);

/* May new mail be accepted: code 250, or R_NO_SPACE (below the reserve, or one spare left and no
 * more to be made), R_QUEUE_ERROR (no head).  Checked against the filesystem at
 * most once a second; `changed` is called when the answer changes. */
const struct reply *store_admission(struct store *);
void store_on_admission(struct store *, void (*changed)(void *arg), void *arg);
/* May deliveries start: the log can be written. */
bool store_writable(const struct store *);

/* All that the history has to tell by now is in its files, on disk (or lost for
 * good, which was logged): done(arg).  NULL: nobody asks. */
void history_sync(struct store *, void (*done)(void *arg), void *arg);

/* ---- contents ---------------------------------------------------------------- */

/* Up to `max` octets from the start of a content (max at least size: all of it).
 * The hash of a CONTENT record is checked when it is read from the log.
 * 0, or -1 with errno (EBADMSG: damaged). */
int content_load(struct store *, const struct content *, size_t max, struct buf *);
/* The whole content at offset 0 of a read-only descriptor: sealed memory, or the
 * file of a large one, read and checked against its hash by a thread of its own.
 * done(arg, fd, 0), and fd is closed when that returns; or done(arg, -1, errno),
 * EBADMSG, EIO or ENOENT where it is damaged.  0, or -1 with the same errnos:
 * done will not be called. */
int content_fetch(struct store *, const struct content *,
    void (*done)(void *arg, int fd, int err), void *arg);
/* Is it the disk's fault, not ours? */
static inline bool
content_is_damaged(int err)
{
	return err == EBADMSG || err == EIO || err == ENOENT;
}

/*
 * A content that comes in pieces and may be larger than memory: kept in memory
 * up to CONTENT_INLINE_MAX (less when the budget is short), else written
 * to a file of its own by one of the threads for that.
 */
struct incoming;
#define INCOMING_MEMORY_MAX (4 * 1024 * 1024) /* of all incoming contents together */
struct incoming *incoming_new(struct store *, uint64_t number);
/* Takes the bytes (copied).  1: go on; 0: wait for `ready` before more; -1 with
 * errno: failed, only incoming_abort is left. */
int incoming_add(struct incoming *, struct span, void (*ready)(void *arg), void *arg);
/* All is there: synced if it is a file, then done(arg, 0 or an errno).  After
 * that, within a change: incoming_commit adds its CONTENT or CONTENT_FILE. */
void incoming_end(struct incoming *, void (*done)(void *arg, int err), void *arg);
void incoming_commit(struct incoming *);	/* frees it */
void incoming_abort(struct incoming *);		/* frees it, removes its file */
uint64_t incoming_size(const struct incoming *);

/* The state of a recipient with its texts, read from disk: buf holds the
 * bytes that r borrows.  0 or -1 with errno. */
int store_last_reply(struct store *, const struct message *, uint32_t rcpt,
    struct buf *, struct record_rcpt *r);
/* The MESSAGE record (prefix, client, parent). */
int store_message(struct store *, const struct message *, struct buf *,
    struct record_message *);

/* Counters for status: segments, spares, commits, records, bytes, syncs, reclaimed,
 * damaged, messages, recipients. */
void store_status(struct store *, void (*add)(void *, const char *, uint64_t), void *arg);

#endif
