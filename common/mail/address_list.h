/*
 * address_list.h - lists of addresses as people write them: in the To field of a
 * header, and behind `sendmail`.
 *
 * RFC 5322 section 3.4, with section 4.4 where it costs nothing: names, comments,
 * quoted strings, groups, routes, empty elements, folding.  Only the addresses
 * come out, each by the parser of address.h.
 */
#ifndef ADDRESS_LIST_H
#define ADDRESS_LIST_H

#include "common/mail/address.h"

struct address_list {
	struct span rest; /* borrowed */
	bool group;	  /* behind the colon of one */
};

enum address_list_result {
	ADDRESS_LIST_END,  /* there are no more */
	ADDRESS_LIST_NEXT, /* the next one; one without a domain is bare */
	ADDRESS_LIST_BAD   /* no list; what comes behind is not looked at */
};

void address_list_init(struct address_list *, struct span);
/* *text is what was written for this address, for errors. */
enum address_list_result address_list_next(
    struct address_list *, struct address *, struct span *text);

#endif
