/*
 * setting.h - every setting of the configuration, as tables.
 *
 * One row a setting: where it may stand, how its text becomes a value of
 * struct conf (or of the listen, domain, … that it stands in), within which
 * limits, and its default, which is text and takes the same way.
 */
#ifndef SETTING_H
#define SETTING_H

#include "common/run/conf.h"
#include "master/conf/problems.h"

struct record;

/* What values are read into, and what is known while they are. */
struct reading {
	struct conf *conf;
	struct problems *problems;
	struct record *record;	 /* of what is in force; NULL: none is kept */
	char dir[CONF_PATH_MAX]; /* of the file: relative paths begin there */
	unsigned deliver_line;	 /* of the domain that is being read */
	/* The path in the value that was read last, as it was said (within the
	 * value) and absolute; NULL: there was none. */
	const char *path_said, *path;
};

struct setting;

/* Adds a problem where the text is no value of this setting. */
typedef void setting_read(struct reading *, const struct setting *, void *base,
    unsigned line, const char *value);

struct setting {
	const char *name;
	setting_read *read;
	const char
	    *standard; /* the default, of a list split at blanks; NULL: none */
	size_t at;     /* offset of the field in `base` */
	uint64_t min, max; /* of a number */
	const char *right; /* what would be right, for the error */
	bool list;
};

/* A place where settings stand: the top, or within listen, domain, … */
struct setting_place {
	const char *section; /* "" is the top */
	const struct setting *settings;
	size_t n;
	/* A new listen, domain, …; NULL with a problem added. */
	void *(*open)(struct reading *, unsigned line, const char *title);
	/* All its settings are read: do they go together? */
	void (*close)(struct reading *, void *base, unsigned line);
};

#define SETTING_PLACES 6
/* The top is 0. */
const struct setting_place *setting_place(size_t i);

/* The tables of the places; the way to them is setting_place(). */
const struct setting_place *setting_top(void);
const struct setting_place *setting_listen(void);
const struct setting_place *setting_domain(void);
const struct setting_place *setting_route(void);
const struct setting_place *setting_expect(void);
const struct setting_place *setting_reply(void);
/* Behind the whole file: the listeners that are named are there. */
void expect_listeners(struct reading *);
/* Behind the whole file: the listeners that are named are there. */
void expect_listeners(struct reading *);

const struct setting *setting_named(
    const struct setting_place *, const char *name);

/* For those tables. */
setting_read setting_read_unsupported;
/* For a row whose `at` is that of a bool and whose `right` is `"A" or "B"`: B
 * is true. */
setting_read setting_read_choice;
/* `NAME = "VALUE" is wrong; RIGHT would be right` */
void setting_wrong(
    struct reading *, const struct setting *, unsigned line, const char *value);
/* An absolute path out of one that may be relative to the file. */
bool setting_path(struct reading *, char *dst, size_t size, const char *path);
/* One more, all zeros, at the end of an array of struct conf; NULL with a
 * problem added. */
void *setting_grow(struct reading *, void *array, size_t *n, size_t size);

#endif
