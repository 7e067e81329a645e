/*
 * tool.h - the program `spool`: a spool that no service runs on is checked,
 * written out, or filled from what was written out.
 *
 * It does what it does as queue's user, confined to the spool and one
 * directory; what it finds is said on standard output, a line for each message.
 */
#ifndef TOOL_H
#define TOOL_H

#include <time.h>

#include "queue/store.h"

/* Of the form below; another one is refused. */
#define EXPORT_VERSION 1
/* A message's envelope as a file: 100,000 recipients, as digits. */
#define EXPORT_ENVELOPE_MAX (256 * 1024 * 1024)
#define EXPORT_HASH	    32

struct tool {
	struct store *store;
	struct event_base *base;
	int dir; /* that is written to or read, -1: none */
	const struct store_options *options;
	uint64_t done, skipped, failed;
	bool tty;	/* somebody may sit and wait */
	time_t began, told;
};

/* What is wrong with a message. */
void tool_complain(struct tool *, uint64_t id, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* After each message. */
void tool_progress(struct tool *);

/* The content of a message, checked: a descriptor of our own, or -1 with errno. */
int tool_content(struct tool *, const struct message *);

void tool_verify(struct tool *);
/* ID.eml: its trace fields and content; ID.json: its envelope, written last. */
void tool_export(struct tool *);
/* … and back.  What is here, or was according to the history, is left out. */
void tool_import(struct tool *);

#endif
