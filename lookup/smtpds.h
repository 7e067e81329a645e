/*
 * smtpds.h - what the smtpds ask: may this client talk to us, is this recipient
 * taken.
 */
#ifndef SMTPDS_H
#define SMTPDS_H

#include "lookup/clients.h"
#include "lookup/recipients.h"

struct smtpds;

struct smtpds_counters {
	uint64_t clients, refused, accepted, denied, deferred;
	size_t sessions;
};

/* `gone` is called when one of them went away; bad: it broke the rules. */
struct smtpds *smtpds_new(struct event_base *, const struct conf *,
    struct recipients *, void (*gone)(void *arg, uint32_t instance, bool bad),
    void *arg);
void smtpds_free(struct smtpds *);
void smtpds_add(struct smtpds *, uint32_t instance, int fd);
bool smtpds_empty(const struct smtpds *);
void smtpds_count(const struct smtpds *, struct smtpds_counters *);

#endif
