/*
 * self.h - the addresses at which other hosts would find us.
 */
#ifndef SELF_H
#define SELF_H

#include "lookup/dns/search.h"

/* Hostname and the addresses of all `listen` with the port that MX hosts have;
 * a wildcard stands for every address of this host.  Lives as long as the
 * process.  fatal() on failure. */
void self_find(struct search_self *, const struct conf *);

#endif
