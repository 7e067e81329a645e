/*
 * netblock.h - IP addresses and blocks of them ("192.0.2.0/24", "::1/128").
 *
 * IPv4 is held as an IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2), so
 * there is one kind of address everywhere.
 */
#ifndef NETBLOCK_H
#define NETBLOCK_H

#include <sys/socket.h>

#include "common/bytes/wire.h"

struct ip {
	uint8_t b[16];
};

struct netblock {
	struct ip ip;
	uint8_t bits;	/* 0 to 128; an IPv4 /24 is 120 */
};

#define IP_TEXT_MAX 46
bool ip_parse(struct ip *, struct span);
void ip_format(char dst[IP_TEXT_MAX], const struct ip *);	/* IPv4 in its own form */
bool ip_is_v4(const struct ip *);
bool ip_from_sockaddr(struct ip *, const struct sockaddr *);	/* false for a Unix socket */
/* A socket address for it; its length.  IPv4 comes as AF_INET. */
socklen_t ip_to_sockaddr(struct sockaddr_storage *, const struct ip *, uint16_t port);

/* Without "/bits" it is the one address; bits of the host may be set. */
bool netblock_parse(struct netblock *, struct span);
/* A block of IPv6 addresses, "::/0" too, never holds an IPv4 address. */
bool netblock_has(const struct netblock *, const struct ip *);

void ip_put(struct wire_put *, const struct ip *);
void ip_get(struct wire_get *, struct ip *);

#endif
