/*
 * alias.h - the alias that a recipient is, if it is one.
 */
#ifndef ALIAS_H
#define ALIAS_H

#include "lookup/files.h"
#include "lookup/names.h"
#include "lookup/tables/aliases_table.h"

enum alias_result {
	ALIAS_NONE,
	ALIAS_FOUND,
	ALIAS_BROKEN /* its entry is wrong, or the file never was readable */
};

struct alias { /* valid until tables are taken: within one turn of the loop */
	const char *path; /* of the aliases file */
	const struct aliases_table *table;
	const struct aliases_entry *entry;
};

/* By the first of these names that is one. */
enum alias_result alias_find(struct alias *, const struct files *,
    const struct conf_domain *, const struct names *);

/* The addresses of an included file; NULL: it could not be read yet. */
const struct included_table *alias_included(
    const struct alias *, const struct alias_target *);

#endif
