/*
 * envelope.h - who a message is from and whom it is for, apart from its
 * content (RFC 5321 section 2.3.1), as it goes from smtpd to queue.
 *
 * All spans are borrowed: from the session on the one side, from the packet on
 * the other.  Recipients travel as a list of spans, since a message may have
 * more of them than a packet holds; see msg/smtpd_queue.h.
 */
#ifndef ENVELOPE_H
#define ENVELOPE_H

#include "common/bytes/wire.h"

/* WITH_UTF8SMTP: RFC 6531 section 4.3 */
enum envelope_with { WITH_SMTP, WITH_ESMTP, WITH_LOCAL, WITH_UTF8SMTP, WITH_END };
/* BODY_BINARYMIME (RFC 3030): any octets, lines or not; only ever by BDAT. */
enum envelope_body { BODY_7BIT, BODY_8BITMIME, BODY_BINARYMIME, BODY_END };

/* What a message of a local client came without, bits: queue adds it. */
enum envelope_lacks {
	LACKS_DATE = 1,
	LACKS_MESSAGE_ID = 2,
	LACKS_FROM = 4,
	LACKS_HEADER = 8,	/* all of it: an empty line goes above the body */
	LACKS_END = 16
};

struct envelope {
	struct span sender;	/* canonical address; "" is the null reverse-path */
	struct span helo;	/* what the client called itself */
	struct span client;	/* its address as text; "" for none: a user of
				 * this host (WITH_LOCAL), or one unknown */
	enum envelope_with with;
	enum envelope_body body;
	uint32_t nrcpts;	/* how many recipients there are in all */
	uint32_t uid;		/* WITH_LOCAL: of the client, by the kernel's word */
	uint8_t lacks;		/* WITH_LOCAL: enum envelope_lacks */
	bool utf8;		/* it goes on only to who speaks SMTPUTF8 */
};

void envelope_put(struct wire_put *, const struct envelope *);
void envelope_get(struct wire_get *, struct envelope *);
struct span envelope_with_name(enum envelope_with);

#endif
