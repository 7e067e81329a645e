/*
 * msg/history.h - the files that tell what happened to each message: written
 * by queue, read by control (DESIGN section 6).
 *
 * A file is a run of frames: u32 length, u64 sequence, BLAKE2b-128 of the
 * eight plus length bytes, then the body, an event.  A frame that is not valid
 * ends a file for its reader (its writer was cut off there).
 */
#ifndef MSG_HISTORY_H
#define MSG_HISTORY_H

#include "common/bytes/buf.h"
#include "common/mail/reply.h"

#define HISTORY_SLICE	  3600	/* seconds in one file */
#define HISTORY_FRAME	  28
#define HISTORY_EVENT_MAX (64 * 1024)
#define HISTORY_NAME_LEN  14	/* "1234567890.log" */

enum history_kind {
	HISTORY_ACCEPTED, HISTORY_RESULT,
	/* an administrator's word; its reason is the reply's text */
	HISTORY_HELD, HISTORY_RELEASED, HISTORY_RETRIED,
	HISTORY_EXPANDED,	/* as a result: the addresses are other messages' */
	HISTORY_KIND_END
};

/* One recipient's line in a message's story. */
struct history_event {
	enum history_kind kind;
	uint64_t id;
	uint64_t parent;	/* accepted: the message that this comes from, or 0 … */
	bool bounce;		/* … and tells the failure of; else: an alias of which it is */
	int64_t time;		/* microseconds since 1970 */
	uint64_t size;		/* accepted */
	struct span sender;	/* accepted */
	struct span client;	/* accepted */
	struct span rcpt;	/* address */
	uint32_t index, nrcpts;	/* accepted: of how many */
	bool final;		/* result: nothing more will be tried */
	bool deleted;		/* result: by an administrator */
	uint32_t attempts;	/* result */
	int64_t next;		/* result, not final: seconds */
	struct reply reply;	/* result */
	struct span host;	/* result */
};

int history_put(struct buf *, uint64_t seq, const struct history_event *);
/* Cut the next event off *in: 1, 0 (no whole valid frame). Spans borrow. */
int history_get(struct span *in, uint64_t *seq, struct history_event *);
void history_name(char dst[HISTORY_NAME_LEN + 1], int64_t seconds);
bool history_name_parse(struct span, int64_t *seconds);

#endif
