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

#endif
