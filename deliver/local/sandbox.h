/*
 * sandbox.h - what local may do, and what is left of that in a user's child.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include "common/run/confine.h"
#include "deliver/local/child.h"

/* The parent's limits.  For sandbox(), once. */
const struct confine *sandbox_parent(const struct conf *, bool root);
/* Those of a child, within its parent's.  For the child, before it is confined. */
const struct confine *sandbox_child(const struct child_setup *);

/*
 * Where started as root: the least uid that any delivery can be for, which is
 * min_uid or that of an owner of virtual mailboxes below it.  For prepare().
 */
uid_t sandbox_least_uid(const struct conf *);
/* From here on no process of local can become one below, nor group 0.  A layer
 * of its own below the parent's filter. */
void sandbox_forbid_uids(uid_t least);

#endif
