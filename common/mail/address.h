/*
 * address.h - mail addresses: the one parser for all of Sallyport.
 *
 * RFC 5321 section 4.1.2 (Path, Mailbox), limits of section 4.5.3.1.  What comes
 * out is canonical: the local part as it was but for needless quoting, the
 * domain in lower case (but for "IPv6:" in a literal), no source route.  No
 * control character, CR, LF or NUL gets past it.
 *
 * RFC 6531 section 3.3: only where it is asked for, UTF-8 may stand in a local
 * part, and in a domain, which becomes the one of A-labels (RFC 5890): so a
 * domain is ASCII for everybody behind this parser.
 */
#ifndef ADDRESS_H
#define ADDRESS_H

#include "common/bytes/span.h"

#define ADDRESS_LOCAL_MAX  64	/* RFC 5321 section 4.5.3.1.1 */
#define ADDRESS_DOMAIN_MAX 255	/* section 4.5.3.1.2 */
#define ADDRESS_MAX	   254	/* a path is 256 with its brackets, section 4.5.3.1.3 */

struct address {
	char text[ADDRESS_MAX + 1];	/* "" is the null reverse-path */
	uint16_t n;			/* its length */
	uint16_t at;			/* where the '@' is; n where there is none */
};

enum address_flags {
	ADDRESS_NULL_OK = 1,		/* "<>", for a reverse-path */
	ADDRESS_POSTMASTER_OK = 2,	/* "<postmaster>" without a domain */
	ADDRESS_BARE_OK = 4,		/* "<alice>": whoever takes it qualifies it */
	ADDRESS_UTF8_OK = 8,
};

/* A mailbox without brackets, the whole span.  0, or -1 with errno EINVAL
 * (grammar) or E2BIG (a limit); *a is then the null address. */
int address_parse(struct address *, struct span);
/* The same, and UTF-8 is as good: for what another process took for one. */
int address_parse_utf8(struct address *, struct span);

/*
 * "<...>" at the start of *in, with a source route accepted and dropped
 * (RFC 5321 appendix C), and cut off *in.  As address_parse, and *in is
 * untouched on error.
 */
int address_parse_path(struct address *, struct span *in, unsigned flags);

/* A local part alone, the whole span; at is n.  As address_parse. */
int address_parse_bare(struct address *, struct span);
/* Gives a bare one this domain.  As address_parse, and a full one is left as it
 * is. */
int address_qualify(struct address *, struct span domain);

/* False: who gets it must speak SMTPUTF8. */
bool address_is_ascii(const struct address *);
struct span address_local(const struct address *);	/* as in text, quoted where it must be */
struct span address_domain(const struct address *);	/* "" where there is none */

/* The local part's meaning: quotes and backslashes removed, as a C string.
 * Length, or -1 if it does not fit. */
int address_unquote(char *dst, size_t size, struct span local);

/* An RFC 5321 Domain, or an address literal "[192.0.2.1]" / "[IPv6:…]". */
bool address_domain_ok(struct span);
bool address_literal_ok(struct span);

#endif
