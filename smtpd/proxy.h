/*
 * proxy.h - the PROXY protocol: what a trusted proxy says first of the client
 * that it connects (proxy-protocol.txt of HAProxy, versions 1 and 2).
 */
#ifndef PROXY_H
#define PROXY_H

#include "common/mail/netblock.h"

/* The longest header that is read: 107 octets in version 1; in version 2 the
 * addresses and some TLVs, which are skipped. */
#define PROXY_MAX 2048

enum proxy_result {
	PROXY_MORE,    /* its end is not there yet; *in is untouched */
	PROXY_ADDRESS, /* *client is the client's */
	PROXY_ITSELF, /* no client: the proxy speaks for itself, or of one whose
			* address is none of IP */
	PROXY_BAD
};

/* The header is cut off *in. */
enum proxy_result proxy_read(struct span *in, struct ip *client);

#endif
