/*
 * literal.h - address literals as domains (RFC 5321 section 4.1.3).
 */
#ifndef LITERAL_H
#define LITERAL_H

#include "common/run/conf.h"

/* "[192.0.2.1]" or "[IPv6:2001:db8::1]"; false for any other domain. */
bool literal_ip(struct ip *, struct span domain);
/* We listen there: mail for it would come back to us. */
bool literal_is_ours(const struct conf *, const struct ip *);

#endif
