/*
 * given.h - which addresses the aliases of one message have led to already.
 *
 * A message for two lists with a member in common is given to him once.  Kept
 * in memory while more of the message's recipients may be aliases, as keyed
 * hashes; a restart forgets it, and then he may get it twice.
 */
#ifndef GIVEN_H
#define GIVEN_H

#include "common/bytes/span.h"

/* In all; what is beyond is not remembered. */
#define GIVEN_MAX 500000

struct given;

struct given *given_new(void); /* NULL with errno */
void given_free(struct given *);
/* Notes that this recipient's alias leads to this address (as a message of its
 * own that is asked about again, or as an end).  False: another recipient's of
 * the same message did before. */
bool given_add(struct given *, uint64_t message, uint32_t rcpt,
    struct span address, bool again);
/* What this recipient's alias led to was not recorded. */
void given_take_back(struct given *, uint64_t message, uint32_t rcpt);
/* The message is gone. */
void given_forget(struct given *, uint64_t message);
size_t given_count(const struct given *);

#endif
