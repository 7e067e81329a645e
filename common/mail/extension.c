/*
 * extension.c - the keywords of EHLO.
 */
#include "common/mail/extension.h"

const char *
extension_name(enum extension ext)
{
	static const char *const names[] = {
		[EXT_PIPELINING] = "PIPELINING",
		[EXT_SIZE] = "SIZE",
		[EXT_8BITMIME] = "8BITMIME",
		[EXT_CHUNKING] = "CHUNKING",
		[EXT_BINARYMIME] = "BINARYMIME",
		[EXT_SMTPUTF8] = "SMTPUTF8",
		[EXT_LIMITS] = "LIMITS",
		[EXT_ENHANCEDSTATUSCODES] = "ENHANCEDSTATUSCODES",
	};

	return ext < EXT_END ? names[ext] : "";
}
