/*
 * select.h - does a recipient match a selector of an admin command?
 *
 * Pure: what is known of the recipient is an argument.  See msg/control.h.
 */
#ifndef SELECT_H
#define SELECT_H

#include "common/msg/control.h"

struct select_subject {
	uint64_t id;
	struct span sender, rcpt, domain;
	uint64_t age;			/* seconds */
	uint64_t size;
	uint16_t code;			/* of the last reply; 0: none */
	struct reply_esc esc;		/* of the same, where select_wants_esc */
	enum select_state state;
	/* where select_wants_route; "" for a domain of ours */
	struct span route;		/* of the configuration, by its name */
	struct span hop;		/* host:port, or mx */
};

bool select_match(const struct select *, const struct select_subject *);
/* A term asks for an enhanced code, which is not in memory. */
bool select_wants_esc(const struct select *);
bool select_wants_route(const struct select *);
/* It names one message: its id; else 0. */
uint64_t select_id(const struct select *);
/* '*' is any run of octets; case does not matter. */
bool select_glob(struct span pattern, struct span text);

#endif
