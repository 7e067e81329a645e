/*
 * hosts.h - the hosts of a next hop, as resolver told them, and what is known
 * of them since.
 *
 * RFC 5321 section 5.1: they are tried in the order that resolver gave, at
 * least two addresses where there are two.  A host that could not be reached is
 * not tried again by anyone as long as the answer is kept.
 */
#ifndef HOSTS_H
#define HOSTS_H

#include "common/msg/remote_resolver.h"
#include "deliver/remote/delivery.h"

/* The answer of resolver, and what is known of its hosts, is kept this long. */
#define HOSTS_SECONDS 30
/* Addresses tried for one delivery, but for those that refuse for good. */
#define HOSTS_TRIES 5

/* Shared, freed with the last reference. */
struct hosts {
	unsigned refs;
	int64_t until;	  /* milliseconds */
	uint64_t failed;  /* bits: could not be reached */
	uint64_t full;	  /* bits: took no further connection */
	struct reply why; /* … the last of the failed, with its name */
	char why_host[CONF_HOST_MAX + 1];
	uint32_t n;
	struct dns_address a[];
};

/* One reference; NULL with errno. */
struct hosts *hosts_new(const struct msg_dns_answer *);
void hosts_release(struct hosts *); /* NULL is fine */

enum { HOSTS_NONE = -1, HOSTS_WAIT = -2 };
/*
 * The best address that this delivery was not tried at and nobody failed to
 * reach.  `open`: bits of those with a session; one that is full is left out as
 * long as it has one.  HOSTS_WAIT: only such are left.
 */
int hosts_choose(const struct delivery *, uint64_t open);

/* "mx.example [192.0.2.1]" */
void hosts_name(char dst[CONF_HOST_MAX + 1], const struct dns_address *);

#endif
