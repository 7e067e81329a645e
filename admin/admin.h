/*
 * admin.h - the command `sallyport`: its verbs and what they share.
 *
 * Exit status: 0 done, 1 refused or nothing matched, 2 usage, 3 not running.
 */
#ifndef ADMIN_H
#define ADMIN_H

#include <jansson.h>

#include "admin/programs.h"
#include "common/msg/control.h"

enum { EXIT_DONE = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_NOT_RUNNING = 3 };

/* What every verb gets. */
struct admin {
	const char *conf_file; /* -c, or the installed one */
	bool named_conf;       /* -c */
	int argc;	       /* the words behind the verb (and -c FILE) */
	char **argv;
	struct conf *conf; /* after admin_connect */
	struct event_base *base;
	struct channel *channel;
	struct answer *answer;
	unsigned patience; /* seconds to wait for an answer; 0: ADMIN_SECONDS */
};

/* Prints "sallyport VERB: …" on standard error and ends with EXIT_USAGE. */
_Noreturn void usage(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));
/* The same for what was asked rightly and cannot be; ends with `status`. */
_Noreturn void refuse(int status, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* client.c: one question, one answer. */
struct answer {
	uint16_t type; /* CONTROL_PAGE, …, or 0: none yet */
	union {
		struct msg_page page;
		struct msg_detail detail;
		struct msg_content content;
		struct msg_tale tale;
		struct msg_errors errors;
		struct reply done;
	};
	int fd; /* with content; the asker closes it */
	/* told each process of a status */
	void (*process)(void *arg, const struct msg_process *);
	void *arg;
};

#define ADMIN_SECONDS 60 /* to wait for an answer */

void admin_connect(struct admin *); /* ends with EXIT_NOT_RUNNING */
void admin_close(struct admin *);
/* Begin a request; put its body; admin_ask sends it and returns the answer,
 * whose spans are valid until the next one.  A DONE other than 250 ends the
 * command with EXIT_REFUSED, and so does an answer of another type than `want`.
 */
struct wire_put *admin_begin(struct admin *, uint16_t type);
struct answer *admin_ask(struct admin *, uint16_t want);
/* Wait until the other side closes, at most `seconds`.  Whether it did. */
bool admin_wait_end(struct admin *, unsigned seconds);

/* selector.c: the words of a command line; usage() on a wrong one. */
void selector_parse(struct select *, int argc, char **argv);

/* print.c */
void print_safe(struct span); /* escaped for a terminal */
void print_id(uint64_t id);
void print_time(int64_t seconds);     /* 2026-11-23 15:10:32 */
void print_duration(int64_t seconds); /* 3d4h, 5m, 12s */
void print_json(json_t *);	      /* one line; takes it over */
json_t *json_text(struct span); /* foreign bytes that are no UTF-8 escaped */
const char *state_name(enum select_state);

/* message.c: EXIT_DONE, or EXIT_REFUSED where the queue has no such message. */
int message_show(struct admin *, uint64_t id, bool json);
int message_cat(struct admin *, uint64_t id);

/* the verbs */
int verb_run(struct admin *);
int verb_check(struct admin *);
int verb_config(struct admin *);
int verb_status(struct admin *);
int verb_reload(struct admin *);
int verb_stop(struct admin *);
int verb_queue(struct admin *);
int verb_trace(struct admin *);
int verb_spool(struct admin *);
int verb_reply(struct admin *);

#endif
