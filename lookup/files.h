/*
 * files.h - the users file of each domain that has one.
 *
 * Domains that name the same path share one.
 */
#ifndef FILES_H
#define FILES_H

#include "common/run/conf.h"
#include "lookup/tables/table_watch.h"

struct files;

/* Reads them.  The watch may be NULL where no domain has one.  NULL with errno. */
struct files *files_new(const struct conf *, struct table_watch *);
void files_free(struct files *); /* NULL is fine */

/* The domain is one of conf's, with users = "file:…". */
struct table_file *files_of(const struct files *, const struct conf_domain *);

#endif
