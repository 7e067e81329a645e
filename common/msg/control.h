/*
 * msg/control.h - all that may pass between an admin command and control, and
 * between control and queue: the same typed requests, read and written anew by
 * control, so that queue never sees a byte that control did not understand.
 *
 *   command -> control   ACT, SHOW, CAT (passed on to queue), STORY (answered
 * from the history), STATUS, STOP, RELOAD (passed on to master) control ->
 * command   PAGE, DETAIL, CONTENT, TALE, PROCESS, LINE, DONE
 *   command -> control -> logger   ERRORS;   back   ERRORS_LAST
 *   control -> queue   SETTLE: write what the history has to tell by now;
 *   queue -> control   SETTLED: done.  So that a trace is never behind a list.
 *
 * Nothing streams: an answer is one packet with a cursor, and the command asks
 * for the next one.  So nobody holds state for a command that is slow or gone.
 */
#ifndef MSG_CONTROL_H
#define MSG_CONTROL_H

#include "common/mail/address.h"
#include "common/mail/reply.h"
#include "common/msg/history.h"
#include "common/msg/master.h"

enum {
	CONTROL_ACT = 0x0700,
	CONTROL_SHOW,
	CONTROL_CAT,
	CONTROL_STORY,
	CONTROL_STATUS,
	CONTROL_STOP,
	CONTROL_SETTLE,
	CONTROL_SETTLED,
	CONTROL_PAGE,
	CONTROL_DETAIL,
	CONTROL_CONTENT,
	CONTROL_TALE,
	CONTROL_PROCESS,
	CONTROL_DONE,
	CONTROL_RELOAD,
	CONTROL_LINE,
	CONTROL_ERRORS,
	CONTROL_ERRORS_LAST
};

#define CONTROL_WINDOW	64
#define CONTROL_SECONDS 60

/* ---- selectors: a field and a value; all must match (DESIGN section 7)
 * ------- */

#define SELECT_TERMS_MAX 16
#define SELECT_TEXT_MAX	 ADDRESS_MAX

enum select_field {
	SELECT_ID,
	SELECT_FROM,
	SELECT_TO,
	SELECT_DOMAIN, /* text, '*' matches any run */
	SELECT_AGE,
	SELECT_SIZE,  /* number: seconds since acceptance, octets */
	SELECT_CODE,  /* text: "4*", "451", "4.7.*", "5.1.1" */
	SELECT_STATE, /* number: enum select_state */
	SELECT_ROUTE, /* text: the route statement's name, or its next hop */
	SELECT_FIELD_END
};
enum select_op { SELECT_IS, SELECT_ABOVE, SELECT_BELOW, SELECT_OP_END };
enum select_state { STATE_ACTIVE, STATE_DEFERRED, STATE_HELD, STATE_END };

struct select_term {
	enum select_field field;
	enum select_op op;		/* ABOVE and BELOW for numbers only */
	char text[SELECT_TEXT_MAX + 1]; /* lower case */
	uint64_t number;
};
struct select {
	uint32_t n; /* 0: every recipient */
	struct select_term t[SELECT_TERMS_MAX];
};

/* ---- requests
 * ------------------------------------------------------------------- */

enum control_verb {
	VERB_LIST,
	VERB_COUNT,
	VERB_HOLD,
	VERB_RELEASE,
	VERB_RETRY,
	VERB_DELETE,
	VERB_BOUNCE,
	VERB_END
};

#define CONTROL_REASON_MAX 200

struct control_cursor { /* "go on behind this recipient"; zeros: from the start
			 */
	uint64_t id;
	uint32_t index;
	bool set;
};
struct msg_act { /* CONTROL_ACT */
	enum control_verb verb;
	bool dry; /* change nothing, count */
	struct control_cursor cursor;
	struct select select;
	char reason[CONTROL_REASON_MAX + 1];
};
struct msg_show { /* CONTROL_SHOW, CONTROL_CAT */
	uint64_t id;
	uint32_t index; /* SHOW: the first recipient of this page */
};
struct msg_story { /* CONTROL_STORY */
	uint64_t id;
	int64_t slice;	 /* cursor: the file (0: where the id begins) … */
	uint64_t offset; /* … and how far in it */
};
/* CONTROL_STATUS, CONTROL_STOP, CONTROL_SETTLE, CONTROL_SETTLED: empty. */

/* ---- answers
 * ---------------------------------------------------------------------- */

struct control_row {
	uint64_t id;
	uint32_t index;
	struct span sender, rcpt;
	uint64_t size;
	int64_t accepted; /* seconds */
	enum select_state state;
	uint32_t attempts;
	int64_t next;  /* seconds; 0 while active or held */
	uint16_t code; /* of the last reply, 0: none */
};
#define CONTROL_ROWS_MAX 150 /* in one PAGE: they fit whatever the addresses \
			      */

struct msg_page {	    /* CONTROL_PAGE */
	struct reply reply; /* 250, or why not */
	uint64_t matched;   /* recipients that matched in this page's scan */
	bool more;
	struct control_cursor cursor;
	uint32_t nrows; /* LIST only */
	struct control_row rows[CONTROL_ROWS_MAX];
};

struct control_rcpt {
	struct span rcpt;
	enum select_state state;
	bool final; /* delivered, failed or deleted already */
	uint32_t attempts;
	int64_t next, time;
	struct reply reply; /* code 0: none yet */
	struct span host;
};
#define CONTROL_RCPTS_MAX 60 /* in one DETAIL */

struct msg_detail { /* CONTROL_DETAIL */
	struct reply reply;
	uint64_t id, parent, size;
	struct span sender, client;
	bool bounce, damaged;
	uint32_t nrcpts;   /* in all */
	uint32_t first, n; /* in this page */
	struct control_rcpt rcpts[CONTROL_RCPTS_MAX];
};

struct msg_content { /* CONTROL_CONTENT, with a read-only descriptor when 250 */
	struct reply reply;
	uint64_t size;	    /* octets of content in the descriptor */
	struct span prefix; /* stands above it */
};

#define CONTROL_EVENTS_MAX 40 /* in one TALE */
struct msg_tale {	      /* CONTROL_TALE */
	struct reply reply;
	bool more;
	int64_t slice;
	uint64_t offset;
	uint32_t n;
	struct history_event events[CONTROL_EVENTS_MAX];
};

/* CONTROL_ERRORS_LAST, the answer to CONTROL_ERRORS (which is empty), from
 * logger: the last lines of the log with level=error, the oldest first. */
#define CONTROL_ERRORS_MAX 10
#define CONTROL_ERROR_MAX  1024 /* what is longer is cut */
struct msg_errors {
	uint32_t n;
	struct span lines[CONTROL_ERRORS_MAX];
};

/* CONTROL_PROCESS: a msg_process, one packet for each process; then
 * CONTROL_DONE. CONTROL_DONE: a reply (msg/reply.h). */

void msg_act_put(struct wire_put *, const struct msg_act *);
int msg_act_get(struct ipc_msg *, struct msg_act *);
void msg_show_put(struct wire_put *, const struct msg_show *);
int msg_show_get(struct ipc_msg *, struct msg_show *);
void msg_story_put(struct wire_put *, const struct msg_story *);
int msg_story_get(struct ipc_msg *, struct msg_story *);
void msg_page_put(struct wire_put *, const struct msg_page *);
int msg_page_get(struct ipc_msg *, struct msg_page *);
void msg_detail_put(struct wire_put *, const struct msg_detail *);
int msg_detail_get(struct ipc_msg *, struct msg_detail *);
void msg_content_put(struct wire_put *, const struct msg_content *);
int msg_content_get(struct ipc_msg *, struct msg_content *);
void msg_tale_put(struct wire_put *, const struct msg_tale *);
int msg_tale_get(struct ipc_msg *, struct msg_tale *);
void msg_errors_put(struct wire_put *, const struct msg_errors *);
int msg_errors_get(struct ipc_msg *, struct msg_errors *);

#endif
