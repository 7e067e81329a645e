/*
 * paths.h - where a mailbox is: the template of a domain, filled in.
 */
#ifndef PATHS_H
#define PATHS_H

#include "common/run/conf.h"

/*
 * %u is the user, %d the domain, %% a '%'.  A template of a domain with system
 * users loses its "~/", and is then below the user's home.  False, with dst
 * empty, if it does not fit or would not be a path.
 */
bool path_expand(
    char dst[CONF_PATH_MAX], const struct conf_domain *, struct span user);

/* A mailbox that a users file names; a relative one is relative to that file.
 */
bool path_of_mailbox(
    char dst[CONF_PATH_MAX], const struct conf_domain *, struct span mailbox);

#endif
