/*
 * sink.h - where lines go: a file, a pipe or a terminal, or a syslog service's
 * socket, which gets one line a datagram.  Nothing here waits.
 */
#ifndef SINK_H
#define SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sink {
	int fd; /* -1: there is none now */
	bool datagrams;
};

enum sink_state {
	SINK_DONE, /* all is written */
	SINK_BUSY, /* once the descriptor is writable there is more to do */
	SINK_GONE  /* nobody is at the other end any more, or not now */
};

/* Writes of the lines in text what goes, and takes it away.  Lines that never
 * will go, as on a full disk, are taken away and counted. */
enum sink_state sink_write(
    const struct sink *, char *text, size_t *n, uint64_t *lost);

#endif
