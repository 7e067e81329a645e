/*
 * expand.h - what an alias leads to, in the end: RFC 5321 section 3.9.
 *
 * Pure but for the log: tables in, addresses out, none of them twice.  An address
 * of another domain, or one that no alias has, is an end; so is a name that an
 * alias has itself among its targets: that is the user of this name.  What is
 * broken on the way (a wrong entry, an included file that cannot be read) is
 * an end to be asked about again, so that it holds up nobody else.
 */
#ifndef EXPAND_H
#define EXPAND_H

#include "common/msg/queue_lookup.h"
#include "lookup/alias.h"

struct expansion;

/*
 * From `start`, which is an alias, or is not and then the only address, on
 * behalf of the recipient `origin`.  NULL: no memory.  *reply is 250, or why
 * nothing comes of it: a table that is broken, too many, or too deep.
 */
struct expansion *expansion_new(const struct conf *, const struct files *,
    const struct address *origin, const struct address *start,
    struct reply *reply);
void expansion_free(struct expansion *); /* NULL is fine */

uint32_t expansion_total(const struct expansion *);
/* Rows from `at` on, as many as a packet holds; they borrow. */
void expansion_rows(
    const struct expansion *, uint32_t at, struct msg_expanded *);

#endif
