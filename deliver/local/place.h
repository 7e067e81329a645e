/*
 * place.h - where a route's mailbox is, and whose territory.
 */
#ifndef PLACE_H
#define PLACE_H

#include "common/msg/queue_lookup.h"
#include "common/run/account.h"

struct place {
	char base[CONF_PATH_MAX]; /* home, or root of virtual mailboxes */
	bool home;
	char rest[CONF_PATH_MAX]; /* below it */
};

/* False if the path is none that lookup would give: no component may be empty,
 * "." or "..", and nothing is a control character. */
bool place_find(struct place *, const struct conf *, const struct route *,
    const struct account *);

/* What stands before the first '%' of a template, up to a '/'; false for a
 * template below a home. */
bool place_root(char dst[CONF_PATH_MAX], const struct conf_domain *);

/* Cut down to the deepest part that is a directory now; false if that is "/". */
bool place_existing(char path[CONF_PATH_MAX]);

/* May this be who virtual mailboxes belong to?  Only those that the
 * configuration names. */
bool place_owner_ok(const struct conf *, const char *owner, bool root);
/* The owner of a domain's virtual mailboxes; NULL if they are users' own. */
const char *place_owner(const struct conf_domain *, bool root);

#endif
