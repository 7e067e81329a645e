/*
 * problems.h - what is wrong with a configuration, all of it, by line.
 */
#ifndef PROBLEMS_H
#define PROBLEMS_H

#include <stddef.h>
#include <stdio.h>

/* More than this many are not worth reading: the first is at fault. */
#define PROBLEMS_MAX 100

struct problem {
	unsigned line;	/* 0: of the file as a whole */
	unsigned order; /* of its being found */
	char *text;
};

struct problems {
	size_t n; /* found; those beyond PROBLEMS_MAX are only counted */
	struct problem list[PROBLEMS_MAX];
};

/* "what is wrong; what would be right" */
void problems_add(struct problems *, unsigned line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* One `FILE:LINE: text` each, in the order of the file. */
void problems_print(struct problems *, const char *file, FILE *);
void problems_fini(struct problems *);

#endif
