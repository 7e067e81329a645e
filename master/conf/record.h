/*
 * record.h - what is in force and where it was said, kept while a
 * configuration is read, for `sallyport config`.
 *
 * There is no second list of settings: a record is what went through the
 * tables of setting.h, in the form that it was written in, paths made absolute.
 */
#ifndef RECORD_H
#define RECORD_H

#include "master/conf/setting.h"

struct record_value {
	const struct setting *row;
	char *text;    /* "" for the one element of an empty list */
	unsigned line; /* 0: the default */
};

struct record_section {
	const struct setting_place *place;
	char *title;
	unsigned line; /* 0: nobody wrote it */
	struct record_value *values;
	size_t n;
};

struct record {
	struct record_section *sections; /* the top, then as in the file */
	size_t n;
	bool failed; /* memory ended */
};

void record_section(struct record *, const struct setting_place *,
    const char *title, unsigned line);
/* A value of the top, or else of the last section: `value` as it was read, of which the reader may
 * have made a part a path. */
void record_value(struct record *, const struct reading *, bool top,
    const struct setting *, unsigned line, const char *value);
void record_fini(struct record *);

/* As a configuration that can be read again, a comment behind each value. */
void record_print(const struct record *, const char *file, FILE *);
/* One JSON object a line. */
void record_print_json(const struct record *, const char *file, FILE *);

#endif
