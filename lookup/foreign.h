/*
 * foreign.h - the route of a domain that is not configured.
 */
#ifndef FOREIGN_H
#define FOREIGN_H

#include "common/mail/reply.h"
#include "common/msg/queue_lookup.h"
#include "common/run/conf.h"

/* R_RCPT_OK with the route, or why there is none. */
enum reply_name foreign_route(
    struct route *, const struct conf *, struct span domain);

#endif
