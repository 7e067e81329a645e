/*
 * record.h - the log's records and batches as bytes: DESIGN section 4.2.
 *
 * Pure: bytes in, values out; no descriptor, no clock.
 */
#ifndef RECORD_H
#define RECORD_H

#include "common/bytes/buf.h"
#include "common/mail/envelope.h"
#include "common/mail/reply.h"

#define SEGMENT_VERSION	   1
#define SEGMENT_HEADER	   4096
#define SEGMENT_TRAILER	   4096
#define SEGMENT_SIZE_MIN   (1024 * 1024)
#define RECORD_HEADER	   40
#define RECORD_ALIGN	   8
#define RECORD_KEY	   32
#define RECORD_NONCE	   16
#define CONTENT_INLINE_MAX (1024 * 1024) /* larger contents are files */

enum record_type {
	RECORD_BATCH = 1, RECORD_CONTENT, RECORD_CONTENT_FILE, RECORD_MESSAGE,
	RECORD_RESULT, RECORD_ABANDON, RECORD_SUMMARY, RECORD_HOLD,
	RECORD_RELEASE, RECORD_RETRY, RECORD_TYPE_END
};

/* What hashes a segment's records: spool/key and the segment's nonce. */
struct record_seal {
	uint8_t key[RECORD_KEY];
	uint8_t nonce[RECORD_NONCE];
};

struct record {
	enum record_type type;
	uint64_t seq;
	struct span payload;	/* borrowed */
	size_t size;		/* in the file, with header and padding */
};

/*
 * Append a record in three steps: open gives a writer for a payload of at most
 * `max` bytes, close ends it, finish gives it its sequence and hash once both are
 * known (`at` is its first byte).  Until close nothing was added; open and
 * close: 0, or -1 with errno.
 */
int record_open(struct buf *b, enum record_type, size_t max, struct wire_put *);
int record_close(struct buf *b, const struct wire_put *);
void record_finish(char *at, const struct record_seal *, uint64_t seq);
/* All three at once. */
int record_add(struct buf *b, const struct record_seal *, enum record_type,
    uint64_t seq, struct span payload);
/* The record at the start of s: 0, or -1 if there is no valid one. */
int record_get(struct span s, const struct record_seal *, struct record *);
/* The same without looking at the hash: for what never left our memory. */
int record_peek(struct span s, struct record *);
/* What a payload of n bytes takes in a file. */
size_t record_size(size_t n);

/* ---- payloads -------------------------------------------------------------- */

struct record_batch {
	uint32_t count;
	uint64_t bytes;
	uint64_t durable;
};

enum recipient_state {
	RCPT_WAITING,		/* next attempt at `next` */
	RCPT_DELIVERED, RCPT_FAILED, RCPT_DELETED,	/* final */
	RCPT_EXPANDED,		/* final: an alias, whose addresses are other messages' */
	RCPT_STATE_END
};

struct record_rcpt {		/* in a MESSAGE and in a RESULT */
	uint32_t index;
	struct span address;	/* MESSAGE only */
	enum recipient_state state;
	bool held;		/* MESSAGE only: WAITING, until it is released */
	uint32_t attempts;
	int64_t next;		/* seconds since 1970 */
	int64_t time;		/* of the last attempt; 0: none yet */
	struct reply reply;	/* of the last attempt; code 0: none yet */
	struct span host;	/* who gave it; "" */
};

enum message_flags {
	MESSAGE_BOUNCE = 1,	/* made by us, null reverse-path */
	MESSAGE_DAMAGED = 2,	/* its content was found damaged: not delivered
				 * unless it can be read after all */
	MESSAGE_UTF8 = 8,	/* goes only to who speaks SMTPUTF8 (RFC 6531) */
	MESSAGE_COPY = 4,	/* in the record only: written again by reclaim, so
				 * that the history does not tell it twice */
	MESSAGE_EXPANDED = 16	/* its recipients come from an alias: none counts
				 * for them any more */
};

struct record_message {
	uint64_t id, parent;	/* parent: the message whose failure this bounce tells,
				 * or whose alias leads to these recipients; 0 */
	uint64_t content;	/* content number: the id it first came with */
	uint64_t size;		/* octets of content */
	uint32_t flags;
	enum envelope_body body;
	struct span sender;
	struct span client;	/* for the trace: "" for our own */
	struct span prefix;	/* trace fields that stand above the content, CRLF */
	uint32_t nrcpts;
	struct wire_get rcpts;	/* get: walk with record_rcpt_next(m, &r) */
};

struct record_result {
	uint64_t id;
	uint32_t nrcpts;
	struct wire_get rcpts;
};

struct record_order {		/* HOLD, RELEASE, RETRY: an administrator's word */
	uint64_t id;
	int64_t time;		/* seconds since 1970 */
	struct span reason;	/* "" */
	uint32_t nrcpts;
	struct wire_get rcpts;	/* get: walk with record_order_next(&o.rcpts, &index) */
};

#define RECORD_BATCH_PAYLOAD	    20
#define RECORD_BATCH_SIZE	    64	/* of the whole record */
#define RECORD_CONTENT_PREFIX	    8	/* number; octets follow */
#define RECORD_CONTENT_FILE_PAYLOAD 48
#define RECORD_ABANDON_PAYLOAD	    16

struct record_content {		/* CONTENT and CONTENT_FILE */
	uint64_t number;
	uint64_t size;
	struct span octets;	/* CONTENT */
	uint8_t hash[32];	/* CONTENT_FILE: BLAKE2b-256 keyed with spool/key */
};

struct record_abandon {
	uint64_t segment;
	uint64_t offset;
};

void record_batch_put(struct wire_put *, const struct record_batch *);
int record_batch_get(struct span, struct record_batch *);
void record_content_put(struct wire_put *, enum record_type,
    const struct record_content *);
int record_content_get(const struct record *, struct record_content *);
void record_abandon_put(struct wire_put *, const struct record_abandon *);
int record_abandon_get(struct span, struct record_abandon *);
/* At most so many bytes come out of the puts below. */
size_t record_message_max(const struct record_message *, const struct record_rcpt *);
size_t record_result_max(const struct record_rcpt *, uint32_t n);
/* put: the caller gives nrcpts rows (in a MESSAGE they are numbered as they
 * stand); get checks all of them at once, so that
 * record_rcpt_next cannot fail in between. */
void record_message_put(struct wire_put *, const struct record_message *,
    const struct record_rcpt *);
int record_message_get(struct span, struct record_message *);
void record_result_put(struct wire_put *, uint64_t id, const struct record_rcpt *,
    uint32_t n);
int record_result_get(struct span, struct record_result *);
bool record_rcpt_next(struct wire_get *rcpts, bool with_address, struct record_rcpt *);
bool record_is_order(enum record_type);
size_t record_order_max(const struct record_order *);
void record_order_put(struct wire_put *, const struct record_order *,
    const uint32_t *indexes);
int record_order_get(struct span, struct record_order *);
bool record_order_next(struct wire_get *rcpts, uint32_t *index);

#endif
