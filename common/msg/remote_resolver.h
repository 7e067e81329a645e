/*
 * msg/remote_resolver.h - all that may pass between remote and resolver.
 *
 *   remote -> resolver   DNS_ASK     the hosts for a domain (or the addresses of a host)
 *   resolver -> remote   DNS_ANSWER  by request id
 *
 * All of RFC 5321 section 5.1 happens in resolver: MX by preference, hosts of
 * the same preference in random order, implicit MX, null MX (RFC 7505),
 * A and AAAA of every host; if we are one of the MX, only the better ones.
 */
#ifndef MSG_REMOTE_RESOLVER_H
#define MSG_REMOTE_RESOLVER_H

#include "common/mail/netblock.h"
#include "common/mail/reply.h"
#include "common/run/conf.h"
#include "common/run/ipc.h"

enum { DNS_ASK = 0x0600, DNS_ANSWER };

#define REMOTE_RESOLVER_WINDOW	512
#define REMOTE_RESOLVER_SECONDS 60
#define DNS_ADDRESSES_MAX	48	/* addresses in an answer, the best first */

enum dns_mode { DNS_MX, DNS_HOST, DNS_MODE_END };

struct msg_dns_ask {
	enum dns_mode mode;
	char name[CONF_HOST_MAX + 1];
};
struct dns_address {
	uint16_t preference;
	char host[CONF_HOST_MAX + 1];
	struct ip ip;
};
struct msg_dns_answer {
	struct reply reply;	/* 250: n > 0; else R_NO_SUCH_DOMAIN, R_NULL_MX,
				 * R_MAIL_LOOPS_BACK, R_DNS_TEMPORARY */
	uint32_t n;
	struct dns_address a[DNS_ADDRESSES_MAX];
};

void msg_dns_ask_put(struct wire_put *, const struct msg_dns_ask *);
int msg_dns_ask_get(struct ipc_msg *, struct msg_dns_ask *);
void msg_dns_answer_put(struct wire_put *, const struct msg_dns_answer *);
int msg_dns_answer_get(struct ipc_msg *, struct msg_dns_answer *);

#endif
