/*
 * aliases_text.h - what stands on the right side of an alias, and in a file that
 * `:include:` names, taken apart target by target.  Pure.
 *
 *   alice, "Bob" <bob@example.net>, \carol, "|/usr/bin/vacation -a", /var/mail/x,
 *   :include:/etc/sallyport/lists/dancers
 *
 * Targets are separated by commas; an address may be written in every form that
 * stands in a header.  In an included file a line feed separates, too, and
 * there is nothing but addresses.
 */
#ifndef ALIASES_TEXT_H
#define ALIASES_TEXT_H

#include "common/mail/address.h"

#define ALIAS_PATH_MAX 1024

enum alias_kind {
	ALIAS_END,	 /* there are no more */
	ALIAS_ADDRESS,	 /* `address`, maybe without a domain */
	ALIAS_MAILBOX,	 /* \user: no alias, the user's own mailbox */
	ALIAS_INCLUDE,	 /* `path`, as it was written */
	ALIAS_NOTHING,	 /* /dev/null */
	ALIAS_FILE,	 /* /path */
	ALIAS_DIRECTORY, /* /path/ */
	ALIAS_PROGRAM,	 /* |command */
	ALIAS_WRONG	 /* `why`; the next call goes on behind it */
};

struct alias_target {
	enum alias_kind kind;
	struct address address;
	char path[ALIAS_PATH_MAX];
	const char *why;
	const char *at; /* where it begins, for its line */
};

/* Cuts the next target off *rest. */
void alias_next(struct span *rest, struct alias_target *);
/* The same in an included file: ALIAS_ADDRESS, ALIAS_WRONG or ALIAS_END.  Lines
 * whose first mark is `#` are comments. */
void alias_next_included(struct span *rest, struct alias_target *);

#endif
