/*
 * extension.h - the extensions of SMTP that EHLO may offer (RFC 5321 section
 * 2.2), each of which a listener can do without.
 */
#ifndef EXTENSION_H
#define EXTENSION_H

/* In the order in which they are told. */
enum extension {
	EXT_PIPELINING,
	EXT_SIZE,
	EXT_8BITMIME,
	EXT_CHUNKING,
	EXT_BINARYMIME, /* only with CHUNKING */
	EXT_SMTPUTF8,		/* only with 8BITMIME */
	EXT_LIMITS,
	EXT_ENHANCEDSTATUSCODES,
	EXT_END
};
#define EXT_BIT(ext) (1u << (ext))
#define EXT_ALL	     (EXT_BIT(EXT_END) - 1)

/* Its keyword. */
const char *extension_name(enum extension);

#endif
