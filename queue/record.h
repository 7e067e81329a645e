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
	RECORD_RESULT, RECORD_ABANDON, RECORD_SUMMARY, RECORD_TYPE_END
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

/* Append a record with its header, hash and padding.  0 or -1 with errno. */
int record_add(struct buf *b, const struct record_seal *, enum record_type,
    uint64_t seq, struct span payload);
/* The record at the start of s: 0, or -1 if there is no valid one. */
int record_get(struct span s, const struct record_seal *, struct record *);

/* ---- payloads -------------------------------------------------------------- */

struct record_batch {
	uint32_t count;
	uint64_t bytes;
	uint64_t durable;
};

enum recipient_state {
	RCPT_WAITING,		/* next attempt at `next` */
	RCPT_DELIVERED, RCPT_FAILED, RCPT_DELETED,	/* final */
	RCPT_STATE_END
};

struct record_rcpt {		/* in a MESSAGE and in a RESULT */
	uint32_t index;
	struct span address;	/* MESSAGE only */
	enum recipient_state state;
	uint32_t attempts;
	int64_t next;		/* seconds since 1970 */
	int64_t time;		/* of the last attempt; 0: none yet */
	struct reply reply;	/* of the last attempt; code 0: none yet */
	struct span host;	/* who gave it; "" */
};

enum message_flags {
	MESSAGE_BOUNCE = 1,	/* made by us, null reverse-path */
	MESSAGE_DAMAGED = 2	/* its content was lost: never delivered */
};

struct record_message {
	uint64_t id, parent;	/* parent: the message whose failure this bounce tells; 0 */
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

void record_batch_put(struct wire_put *, const struct record_batch *);
int record_batch_get(struct span, struct record_batch *);
/* put: the caller gives nrcpts rows; get checks all of them at once, so that
 * record_rcpt_next cannot fail in between. */
void record_message_put(struct wire_put *, const struct record_message *,
    const struct record_rcpt *);
int record_message_get(struct span, struct record_message *);
void record_result_put(struct wire_put *, uint64_t id, const struct record_rcpt *,
    uint32_t n);
int record_result_get(struct span, struct record_result *);
bool record_rcpt_next(struct wire_get *rcpts, bool with_address, struct record_rcpt *);

#endif
