/*
 * logger.h - logger: what comes in, where it goes, and what its files share.
 */
#ifndef LOGGER_LOGGER_H
#define LOGGER_LOGGER_H

#include <sys/queue.h>

#include <limits.h>

#include "common/run/process.h"
#include "master/logger/errors.h"
#include "master/logger/lines.h"
#include "master/logger/sink.h"

#define READ_MAX   PIPE_BUF
#define WRITE_SOON PIPE_BUF /* text that waits for no other process's */
/* All that one read can become: lines of one byte, each with what stands before
 * it, or long ones of which every byte is escaped. */
#define TEXT_MAX (WRITE_SOON + READ_MAX * 64 + 2 * LINES_TEXT_MAX)

struct source {
	LIST_ENTRY(source) link;
	struct logger *logger;
	enum peer kind;
	int fd;
	struct event *readable;
	struct lines lines;
};

struct logger {
	struct process *process;
	int err; /* the standard error that we got */
	int own; /* the end to write of our own pipe, until it is used */
	struct lines_form form;
	struct sink sink;
	struct event *writable; /* of the sink; NULL: there is none */
	struct event *retry;	/* syslog is away; or, at the end, is slow */
	struct event *turn;	/* all that was readable has been read */
	bool more;		/* … but not all of it */
	bool complained;	/* that it is */
	bool paused;		/* nothing is read */
	time_t since;		/* … since then, CLOCK_MONOTONIC */
	LIST_HEAD(, source) sources;
	uint64_t nlines, lost, lost_told;
	struct errors errors;
	struct channel *control; /* asks for them; NULL: it is away */
	uint32_t control_instance;
	/* Lines that belong into one write; a reader of a pipe gets each whole.
	 */
	char text[TEXT_MAX];
	size_t n;
};

/* output.c: where it goes. */
void output_attach(struct logger *, int fd, bool datagrams);
void output_detach(struct logger *);
void output_go_on(struct logger *); /* write what there is */
void output_retry_in(struct logger *, int seconds);
int output_retry_init(struct logger *); /* 0, or -1 */
int output_syslog(void *process, struct ipc_msg *);

/* source.c: what comes in. */
int source_add(struct logger *, enum peer, int fd); /* 0, or -1 with errno */
int source_turn_init(struct logger *);		    /* 0, or -1 */
int source_pipe(void *process, struct ipc_msg *);
/* The last pipe but our own has ended: so do we. */
void source_exit_if_done(struct logger *);

#endif
