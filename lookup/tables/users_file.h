/*
 * users_file.h - a users file (users_table.h), as it is in force.
 */
#ifndef USERS_FILE_H
#define USERS_FILE_H

#include "lookup/tables/table_file.h"
#include "lookup/tables/users_table.h"

enum users_result {
	USERS_FILE_FOUND,
	USERS_FILE_NONE,  /* there is no such local part */
	USERS_FILE_WRONG, /* its entry is wrong; reported when it was read */
	USERS_FILE_UNREADABLE /* it could not be read since the start */
};

extern const struct table_kind users_file_kind;
/* A file of users that moved. */
extern const struct table_kind moved_file_kind;

/* The entry, where FOUND, is valid until the next take. */
enum users_result users_file_find(
    const struct table_file *, struct span local, const struct users_entry **);

#endif
