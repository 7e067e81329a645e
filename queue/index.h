/*
 * index.h - what queue keeps in memory of every message that is not done.
 *
 * Written only by index_apply (the same code for a live commit and for
 * recovery) and, in the fields marked so, by the scheduler.  At most 512
 * bytes for a message with one recipient, 128 for each further one; reply texts
 * and prefixes stay on disk at `place`.
 */
#ifndef INDEX_H
#define INDEX_H

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>

#include "queue/record.h"

struct segment;			/* segment.h */

/* Where a record lies. */
struct place {
	struct segment *segment;	/* NULL: nowhere (lost to damage) */
	uint32_t offset;		/* of its header */
	uint32_t size;			/* with header and padding */
};

struct content {
	uint64_t number;
	uint64_t size;
	struct place place;
	uint32_t refs;			/* messages that name it */
	bool file;			/* content/NUMBER */
	bool rotten;			/* fetch.c's: it was found damaged */
	uint16_t checked;		/* fetch.c's: the minute in which it was whole */
	TAILQ_ENTRY(content) in_segment;
	RB_ENTRY(content) by_number;
};

struct recipient {
	const char *local;		/* owned by the message */
	const char *domain;		/* shared by all recipients of the domain */
	uint8_t state;			/* enum recipient_state */
	bool held;			/* WAITING until it is released */
	/* the scheduler's own: */
	uint8_t phase;			/* enum schedule_phase */
	bool maybe;			/* a hand-out was lost: it may be delivered */
	bool urgent;			/* forget its destination's back-off */
	uint8_t doomed;			/* the final state that an administrator wants, when
					 * its result is recorded; 0: nobody does */
	bool again;			/* WAITING: for which tree it is */
	/* … up to here */
	uint16_t code;			/* of the last reply */
	uint16_t attempts;
	int64_t next;			/* next attempt, seconds; as recorded */
	struct place last;		/* the record with its last reply; segment NULL: none */
	/* the scheduler's own: */
	int64_t due;			/* next attempt, as it is planned */
	struct destination *destination;
	union {
		struct routing *routing;	/* ROUTING */
		struct lane *lane;		/* QUEUED */
		struct delivery *delivery;	/* ACTIVE */
	};
	union {
		RB_ENTRY(recipient) by_due;	/* WAITING */
		TAILQ_ENTRY(recipient) in_list;	/* ROUTED, QUEUED */
	};
	struct message *message;
};

struct message {
	uint64_t id;
	uint32_t flags;			/* enum message_flags */
	uint8_t body;
	struct content *content;
	struct place place;		/* its latest MESSAGE */
	char *sender;
	uint32_t nrcpts, left;		/* left: not yet final */
	uint64_t touched;		/* the store's: the last segment with a record of it */
	TAILQ_ENTRY(message) in_segment;
	RB_ENTRY(message) by_id;
	struct recipient rcpts[];
};

struct index;

/* Told after the index has changed.  A message that is gone is freed when
 * gone() returns. */
struct index_hooks {
	void (*added)(void *arg, struct message *);
	void (*changed)(void *arg, struct message *, uint32_t rcpt);
	/* a HOLD, RELEASE or RETRY */
	void (*ordered)(void *arg, struct message *, uint32_t rcpt, enum record_type);
	void (*gone)(void *arg, struct message *);
	void *arg;
};

struct index *index_new(void);
void index_free(struct index *);
/* From now on (after recovery) changes are told. */
void index_hooks(struct index *, const struct index_hooks *);

/* Apply a durable record.  0, or -1: its payload is not what its type says.
 * A MESSAGE that is known moves and takes the new state; a RESULT for an unknown
 * message (done, and its MESSAGE reclaimed) is nothing. */
int index_apply(struct index *, const struct record *, struct place);

/* The pieces of it, for summaries. */
void index_content_at(struct index *, uint64_t number, uint64_t size, bool file,
    struct place);
void index_done(struct index *, uint64_t id);	/* gone, if it was there */
void index_seen(struct index *, uint64_t id);	/* such an id has been used */
/* Contents that no message names (any more) are kept until this forgets them:
 * within a batch a MESSAGE may follow. */
void index_sweep(struct index *, void (*dropped)(void *arg, const struct content *),
    void *arg);
/* The text of a recipient's address: local@domain; the length, cut to fit. */
size_t index_address(const struct recipient *, char *dst, size_t size);

struct message *index_find(struct index *, uint64_t id);
struct message *index_first(struct index *);		/* by id */
struct message *index_after(struct index *, uint64_t id); /* the first above id */
struct content *index_content(struct index *, uint64_t number);
size_t index_messages(const struct index *);
size_t index_recipients(const struct index *);	/* not final */
uint64_t index_highest(const struct index *);	/* the highest id ever applied */

#endif
