/*
 * store_state.h - the store from within: what its files share.
 *
 *   store.c      set-up, threads, the end      spool.c     the directory: lock, key
 *   head.c       seal, next head               spare.c     segments for later
 *   change.c     records into batches          commit.c    batches onto the disk
 *   recovery.c   what a start reads            scan.c      one segment, batch by batch
 *   summary.c    what a sealed segment tells   admission.c is there room
 *   reclaim.c    when the oldest segment goes  slice.c     what is live in it is copied
 *   recycle.c    it becomes a spare            content.c   reading back
 *   fetch.c      … and for others, checked     incoming.c  contents in pieces
 *   history.c    what happened
 *   history_file.c  its files
 */
#ifndef STORE_STATE_H
#define STORE_STATE_H

#include "common/bytes/id.h"
#include "queue/disk.h"
#include "queue/segment.h"
#include "queue/store.h"
#include "common/run/worker.h"

#define STORE_RETRY_SECONDS 5 /* between attempts at a head, or a spare */
#define STORE_SPARES	    2 /* kept ready */
#define STORE_BATCH_MAX	    (4 * 1024 * 1024)
#define LARGE_WRITERS	    8 /* threads; each sync of theirs is shared */

struct change {
	void (*done)(void *arg, const struct reply *failed);
	void *arg;
};

/* Changes that are written with one pwrite and one fdatasync. */
struct batch {
	struct job job;
	struct store *store;
	struct buf bytes; /* the BATCH record, then `count` others */
	uint32_t count;
	struct change *changes;
	size_t nchanges, cap;
	/* once it flies: */
	struct record_seal seal;
	uint64_t seq; /* of the BATCH record */
	uint64_t offset;
	int fd;
	int err;
	TAILQ_ENTRY(batch) next;
};
TAILQ_HEAD(batches, batch);

struct spare {
	uint64_t number; /* its name, which means nothing else */
	TAILQ_ENTRY(spare) next;
};

struct history;
struct reclaim;

/* How far a history goes: events of the last record that it tells of. */
struct history_mark {
	uint64_t seq;
	uint32_t events;
};

struct store {
	struct store_options opt; /* strings are the store's */
	int dir, lock, log_dir, content_dir, history_dir, damaged_dir;
	uint8_t key[RECORD_KEY];
	struct index *index;
	struct event_base *base;
	struct worker *log, *file, *large, *reader;

	struct segments segments;
	struct segment_tree tree;
	size_t nsegments;
	struct segment *head; /* NULL: none yet, or no more */
	uint64_t next_segment, next_seq, last_id;
	size_t batch_max;  /* bytes that are collected in one */
	size_t inline_max; /* a larger content is a file */

	/* commit.c, change.c */
	struct batches waiting; /* the last is being collected */
	size_t waiting_bytes;
	struct batch *flying;
	struct event *submit;	/* at the end of this turn of the loop */
	struct batch *building; /* the batch of the change that is being made */
	size_t build_from;	/* where it begins in there */
	uint32_t build_count;
	bool build_bad;
	struct change *refused; /* to be told that they failed */
	size_t nrefused;
	void (*ready)(void *arg);
	void *ready_arg;
	bool was_busy;

	/* head.c */
	TAILQ_HEAD(, spare) spares;
	size_t nspares;
	struct opening *opening;	 /* the next head is being made */
	struct sealing *sealing;	 /* the head is being sealed */
	struct sparing *sparing;	 /* a spare is being made */
	struct record_abandon *abandons; /* not yet on disk */
	size_t nabandons;
	struct event *retry;
	bool writable;
	bool head_waits; /* making one failed: not before `retry` */
	int head_error, spare_error; /* the last errno, 0: fine */

	/* admission.c */
	struct reply admission;
	int64_t checked; /* monotonic seconds */
	bool below_reserve;
	struct event *recheck;
	void (*admission_changed)(void *arg);
	void *admission_arg;

	struct reclaim *reclaim;
	struct history *history;
	size_t incoming_bytes; /* of all incoming contents, in memory */

	bool homeless; /* there are messages whose MESSAGE was lost */
	bool closing, ending;
	void (*closed)(void *arg);
	void *closed_arg;

	struct {
		uint64_t commits, records, bytes, syncs, failed, reclaimed,
		    damaged;
	} count;
};

/* store.c */
void store_step_close(struct store *); /* something has ended; is all? */
int64_t store_now_us(void);	       /* wall clock */

/* spool.c */
void spool_open(struct store *); /* or end the process */
/* Is there a file in log/ that is a segment? */
bool spool_has_segments(const struct store *);

/* commit.c */
struct batch *batch_new(struct store *);
void batch_free(struct batch *);
void commit_submit(struct store *);
bool commit_waiting(const struct store *); /* is there a change to submit? */
void commit_on_submit(evutil_socket_t, short, void *store);
void commit_later(struct store *); /* at the end of this turn of the loop */
void commit_fail_waiting(struct store *, int err);
/* The messages that a change under way is about: sorted, to be freed.  -1: no
 * memory. */
ssize_t commit_pending(const struct store *, uint64_t **ids);
/* The files of CONTENT_FILE records that will not count are of no use. */
void commit_drop_files(struct store *, struct span records);
/* Give a batch its place and sequence, its records their hashes: pure. */
void batch_place(struct batch *, const struct segment *, uint64_t seq);
void batch_finish(struct batch *);

/* change.c */
void change_copy(struct store *, enum record_type, struct span payload);

/* head.c */
int head_open_now(struct store *); /* at set-up; 0 or -1 with errno */
void head_forget(struct store *);  /* jobs that were not told, at the end */
void head_open(struct store *);
void head_on_retry(evutil_socket_t, short, void *store);
void head_seal(struct store *);
void head_lost(struct store *, uint64_t offset, int err);
void head_failed(struct store *, int err); /* there is none: tell, try later */
void head_retry_later(struct store *);
size_t segment_capacity(const struct store *); /* of a batch with its summary */

/* spare.c */
void spare_add(struct store *, uint64_t number);
bool spare_take(struct store *, uint64_t *number);
void spare_make(struct store *); /* unless there are enough */
int spare_make_now(struct store *, uint64_t *number); /* at set-up */

/* admission.c */
void admission_update(struct store *);
void admission_on_recheck(evutil_socket_t, short, void *store);

/* store.c */
void store_segment_add(
    struct store *, struct segment *); /* behind all others */
void store_segment_remove(struct store *, struct segment *);
struct segment *store_segment(struct store *, uint64_t number); /* or NULL */

/* summary.c */
size_t summary_message_size(const struct message *);
size_t summary_record_size(struct store *, const struct record *);
size_t summary_seal_size(size_t summary);
void summary_touch(struct store *, struct segment *, uint64_t id);
int summary_put_highest(struct buf *, uint64_t id); /* a SUMMARY record */
/* All SUMMARY records of a segment that is about to be sealed; count, or -1. */
int summary_put(struct store *, const struct segment *, struct buf *);
/* How far the history must reach before a seal batch may stand for its segment's
 * records: from the first SUMMARY of the batch.  False: it does not tell. */
bool summary_told(struct span payload, struct history_mark *);
int summary_apply(struct store *, struct segment *, struct span payload);
/* The state of a message's recipients as rows, without texts. */
struct state_rows {
	struct record_rcpt *row;
	size_t cap;
	struct buf addresses;
};
void state_rows_init(struct state_rows *);
void state_rows_fini(struct state_rows *);
int state_rows_fill(struct state_rows *, const struct message *);

/* history.c */
struct history *history_new(struct store *);
void history_free(struct history *);
/* What a record that counts tells, before it is applied. */
void history_note(struct store *, const struct record *);
void history_push(struct store *); /* what was noted, to the thread */
bool history_reaches(struct history_mark have, struct history_mark want);
struct history_mark history_in_files(const struct history *); /* at the start */
struct history_mark history_told(const struct history *);     /* noted by now */
int history_recover(struct store *); /* write what recovery noted; at set-up */

/* recovery.c, scan.c */
void store_recover(struct store *);
/* Apply what lies in a segment below `limit`; `durable`: all of that was on
 * disk once, so that what is not valid is damage, not a torn tail. */
void scan_segment(
    struct store *, struct segment *, uint64_t limit, bool durable);
/* The whole valid batch at the start of s: 0, or -1. */
int scan_batch(struct span s, const struct record_seal *, struct record_batch *,
    uint64_t *seq);
/* The bytes of a segment from `from` to `to`: what can be read of them, the
 * rest zeros.  0 or -1 (no memory). */
int scan_read(const struct segment *, uint64_t from, uint64_t to, struct buf *);
void scan_saw_sequence(struct store *, uint64_t seq);

/* reclaim.c */
int reclaim_new(struct store *);
void reclaim_free(struct store *);
void reclaim_kick(struct store *);
bool reclaim_idle(const struct store *);

/* content.c */
void content_name(char dst[ID_LEN + 1], uint64_t number);
void content_unlink(struct store *, uint64_t number); /* by the file thread */
/* A recipient's row in a MESSAGE or RESULT of that message. */
bool content_find_row(
    const struct record *, uint64_t id, uint32_t index, struct record_rcpt *);
/* A record at a known place, checked; EBADMSG where it is not what it was. */
int content_read_record(int fd, const struct record_seal *, uint32_t offset,
    uint32_t size, struct buf *, struct record *);

#endif
