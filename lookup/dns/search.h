/*
 * search.h - where mail for a domain goes: RFC 5321 section 5.1, without a
 * socket.  Results of lookups in, further lookups and at last an answer out.
 *
 * The MX records (none: the domain itself, the implicit MX), sorted by
 * preference, in random order among equals; then A and AAAA of every host, all
 * at once.  If we are one of the hosts, those that are not better than we are
 * left out.  Says "no" only where that is certain: a lookup that failed and
 * could have helped makes it "not now".
 */
#ifndef SEARCH_H
#define SEARCH_H

#include "common/msg/remote_resolver.h"
#include "lookup/dns/packet.h"

#define SEARCH_HOSTS_MAX     24 /* the best of the MX */
#define SEARCH_ADDRESSES_MAX 8	/* of one host */

/* Who we are: mail must not come back to these. */
struct search_self {
	const char *hostname;
	const struct ip *ips; /* where we listen for mail */
	size_t nips;
	bool loopback; /* … and at all of 127.0.0.0/8 */
};

struct search_host {
	uint16_t preference;
	uint32_t order; /* random, among equals */
	bool failed;	/* a lookup was without an answer */
	char name[CONF_HOST_MAX + 1];
	uint32_t nv4, nv6;
	struct ip v4[SEARCH_ADDRESSES_MAX], v6[SEARCH_ADDRESSES_MAX];
};

/* Lookup 0 is for the MX, 1 + 2i and 2 + 2i for A and AAAA of host i. */
#define SEARCH_LOOKUPS_MAX (1 + 2 * SEARCH_HOSTS_MAX)

struct search_lookup {
	uint32_t number;
	const char *name;
	uint16_t type;
};

struct search {
	struct msg_dns_ask ask;
	uint32_t next;	      /* lookup to make */
	uint32_t limit;	      /* there are lookups below this */
	uint32_t outstanding; /* made, and without a result */
	bool over;	      /* `no` is the answer */
	enum reply_name no;
	uint32_t nhosts;
	struct search_host hosts[SEARCH_HOSTS_MAX];
};

void search_begin(struct search *, const struct msg_dns_ask *);
/* The next lookup to make; false: none (now).  Its result must come to
 * search_result, once. */
bool search_next(struct search *, struct search_lookup *);
void search_result(
    struct search *, uint32_t number, const struct packet_records *);
/* Nothing is to be made, and no result is missing. */
bool search_done(const struct search *);
void search_answer(
    struct search *, const struct search_self *, struct msg_dns_answer *);

#endif
