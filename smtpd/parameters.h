/*
 * parameters.h - the parameters of MAIL and RCPT (RFC 5321 section 4.1.1.11).
 */
#ifndef PARAMETERS_H
#define PARAMETERS_H

#include "common/mail/envelope.h"
#include "common/mail/extension.h"
#include "common/mail/reply.h"

struct mail_parameters {
	uint32_t offers;	       /* bits of enum extension */
	bool has_size, has_body, utf8; /* utf8: RFC 6531 */
	uint64_t size;		 /* RFC 1870; UINT64_MAX for what is beyond */
	enum envelope_body body; /* RFC 6152, RFC 3030 */
};

/* What stands behind the path, of extensions that are offered.  True, or false
 * with the reply to give. */
bool parameters_mail(
    struct mail_parameters *, uint32_t offers, struct span, struct reply *);
/* None is known for RCPT. */
bool parameters_rcpt(struct span, struct reply *);

#endif
