/*
 * files.h - the users file of each domain that has one.
 *
 * Domains that name the same path share one.  The files are opened when they
 * are used; what names them is made at the start.
 */
#ifndef FILES_H
#define FILES_H

#include "common/run/conf.h"
#include "lookup/tables/users_file.h"

struct files;

struct files *files_new(const struct conf *); /* NULL with errno */
void files_free(struct files *);	      /* NULL is fine */

/* The domain is one of conf's, with users = "file:…". */
struct users_file *files_of(const struct files *, const struct conf_domain *);

#endif
