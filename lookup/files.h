/*
 * files.h - the users file of each domain that has one, that of users who
 * moved, and the aliases.
 *
 * Domains that name the same path share one.
 */
#ifndef FILES_H
#define FILES_H

#include "common/run/conf.h"
#include "lookup/tables/table_watch.h"
#include "lookup/tables/users_table.h"

struct files;

/* Reads them.  The watch may be NULL where no domain has one.  NULL with errno. */
struct files *files_new(const struct conf *, struct table_watch *);
void files_free(struct files *); /* NULL is fine */

/* Whether any file is needed at all. */
bool files_needed(const struct conf *);
/* The domain is one of conf's.  NULL: it has none. */
struct table_file *files_of(
    const struct files *, const struct conf_domain *, enum users_form);
struct table_file *files_aliases(
    const struct files *, const struct conf_domain *);

#endif
