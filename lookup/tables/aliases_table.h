/*
 * aliases_table.h - the text of an aliases file as a table, and that of an
 * included file, without I/O.
 *
 *   # comment
 *   postmaster: alice
 *   staff:      alice, bob@example.net,
 *               :include:lists/staff
 *
 * A line that begins with a blank goes on with the one before.  Case does not
 * matter in a name.  An entry that is wrong is reported with its line, and the
 * name, if that can be read, is found as wrong: its mail waits, nobody else's
 * does.  Of an included file only the lines that are wrong are left out.
 */
#ifndef ALIASES_TABLE_H
#define ALIASES_TABLE_H

#include "lookup/tables/aliases_text.h"
#include "lookup/tables/table_file.h"

struct aliases_entry {
	struct span name;    /* in lower case */
	struct span targets; /* for alias_next(); checked */
	uint32_t line;
	bool wrong;
};

/* A file that is included. */
struct aliases_include {
	char *path;		 /* absolute */
	struct table_file *file; /* NULL: no memory for it */
};

struct aliases_table {
	char *text;
	struct aliases_entry *entries; /* sorted by name */
	size_t n, cap;
	struct aliases_include *includes;
	size_t nincludes, includes_cap;
	struct table_problems problems;
};

struct included_table {
	char *text;
	size_t n;
	size_t addresses;
	struct table_problems problems;
};

/* As tables of table_file.h.  Included files lie in the directory of the
 * aliases file that names them, or below; relative paths begin there. */
extern const struct table_kind aliases_kind;
extern const struct table_kind included_kind;

/* Takes over `text` (malloc, n bytes), and changes it.  NULL with errno; the
 * text is then freed. */
struct aliases_table *aliases_table_parse(
    const char *path, char *text, size_t n);
void aliases_table_free(struct aliases_table *); /* NULL is fine */
/* NULL: no such name.  In any case of letters. */
const struct aliases_entry *aliases_table_find(
    const struct aliases_table *, struct span name);
/* The file of an ALIAS_INCLUDE target of it; NULL: there is none. */
struct table_file *aliases_table_include(const struct aliases_table *,
    const char *aliases_path, const struct alias_target *);

struct included_table *included_table_parse(char *text, size_t n);
void included_table_free(struct included_table *);

#endif
