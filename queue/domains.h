/*
 * domains.h - the text of each domain once, for all recipients that have it.
 */
#ifndef DOMAINS_H
#define DOMAINS_H

#include <bsd/sys/tree.h>

#include "common/bytes/span.h"

RB_HEAD(domains, domain);

void domains_init(struct domains *);
/* Shared, and there until it was released as often.  NULL: no memory. */
const char *domains_hold(struct domains *, struct span name);
void domains_release(struct domains *, const char *name); /* NULL is fine */

#endif
