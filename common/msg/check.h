/*
 * msg/check.h - what several messages' gets ask of a field.
 */
#ifndef MSG_CHECK_H
#define MSG_CHECK_H

#include "common/mail/reply.h"

/* A mailbox as address_parse writes it, so that nothing is taken from another
 * process which the one parser of addresses would refuse. */
bool msg_address_ok(struct span);
/* The end of something: 2yz, 4yz or 5yz (not 3yz, nor none). */
bool msg_final_ok(const struct reply *);

#endif
