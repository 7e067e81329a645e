/*
 * names.h - the names of users that a local part can mean.
 *
 * It is tried as it is, then in lower case, then both without what follows the
 * domain's `plus`.  The first of these names that a user has is the user.
 */
#ifndef NAMES_H
#define NAMES_H

#include "common/mail/address.h"

#define NAMES_MAX 4

struct names {
	size_t n; /* the last is in lower case and without plus */
	char name[NAMES_MAX][ADDRESS_LOCAL_MAX + 1];
};

/* False if the local part could name another file: nobody has such a name.
 * `plus` is '\0' for none. */
bool names_of(struct names *, const struct address *, char plus);
/* Is it this name, in any case of letters? */
bool names_is(const struct address *, const char *);

#endif
