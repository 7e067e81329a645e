/*
 * chunk.h - BDAT (RFC 3030): the command; what becomes of its octets is said to
 * session_chunk() and session_done().
 */
#ifndef CHUNK_H
#define CHUNK_H

#include "smtpd/session.h"

void chunk_bdat(struct session *, struct span arg, struct step *);
/* Its chunk follows all the same, and is to be skipped. */
void chunk_refused(struct session *, struct span arg);

#endif
