/*
 * parse.h - a configuration as libconfuse reads it: what is set where.
 *
 * The grammar only.  Which settings there are comes from outside (a table),
 * what their values mean is not looked at.
 */
#ifndef PARSE_H
#define PARSE_H

#include "master/conf/text.h"

/* The names that may stand in one place. */
struct parse_name {
	const char *name;
	bool list; /* a value, or { "several", "of", "them" } */
};

struct parse_place {
	const char *section; /* "" is the top; else it has a title */
	const struct parse_name *names;
	size_t nnames;
};

struct parse_item {
	char *name;
	char *value; /* "" for the one element of an empty list */
	unsigned line;
};

struct parse_section {
	const struct parse_place *place;
	char *title;
	unsigned line;
	struct parse_item *items; /* elements of a list follow each other */
	size_t nitems;
};

struct parse {
	struct parse_section *sections; /* [0] is the top */
	size_t nsections;
	bool complete; /* else it ended at an error of grammar */
};

/* 0, or -1 with problems added; what was read until then is in *p.  In both
 * cases parse_fini() is due. */
int parse_text(struct parse *, const struct text *,
    const struct parse_place *places, size_t nplaces, struct problems *);
void parse_fini(struct parse *);

#endif
