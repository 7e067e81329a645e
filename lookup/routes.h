/*
 * routes.h - what queue asks: where does this recipient's mail go now.
 */
#ifndef ROUTES_H
#define ROUTES_H

#include "lookup/recipients.h"

struct routes;

struct routes_counters {
	uint64_t routed, expanded, deferred, failed;
};

/* `gone` as in smtpds.h. */
struct routes *routes_new(struct event_base *, const struct conf *,
    struct recipients *, void (*gone)(void *arg, uint32_t instance, bool bad),
    void *arg);
void routes_free(struct routes *);
/* The queue, or a new one in the place of the old one. */
void routes_connect(struct routes *, uint32_t instance, int fd);
bool routes_connected(const struct routes *);
void routes_count(const struct routes *, struct routes_counters *);

#endif
