/*
 * msg/queue_lookup.h - all that may pass between queue and lookup.
 *
 *   queue -> lookup   ROUTE    where does this recipient go?  asked at each attempt
 *   lookup -> queue   ROUTED   by request id; or EXPANDED, where it is an alias
 *   queue -> lookup   EXPAND   the next addresses of such an answer
 *   lookup -> queue   EXPANDED
 */
#ifndef MSG_QUEUE_LOOKUP_H
#define MSG_QUEUE_LOOKUP_H

#include "common/mail/address.h"
#include "common/mail/reply.h"
#include "common/run/conf.h"
#include "common/run/ipc.h"

enum { ROUTE_ASK = 0x0400, ROUTE_ANSWER, EXPAND_ASK, EXPAND_ANSWER };

#define QUEUE_LOOKUP_WINDOW  512
#define QUEUE_LOOKUP_SECONDS 60

enum route_agent { ROUTE_LOCAL, ROUTE_REMOTE, ROUTE_AGENT_END };
enum route_kind {
	ROUTE_MAILDIR_SYSTEM,	/* user's own Maildir: `user` is looked up by local */
	ROUTE_MAILDIR_VIRTUAL,	/* `path` as `user` (the owner) */
	ROUTE_MX,		/* the MX of `host` */
	ROUTE_SMTP,		/* `host`:`port`, no MX */
	ROUTE_LMTP,		/* the same, LMTP */
	ROUTE_KIND_END
};

/* An instruction to a delivery process: passed on by queue as it is. */
struct route {
	enum route_kind kind;
	char user[CONF_USER_MAX + 1];	/* system user, or owner ("" without root) */
	char path[CONF_PATH_MAX];	/* Maildir; relative ("Maildir") is below the user's home */
	char host[CONF_HOST_MAX + 1];	/* domain of the MX, or next hop */
	uint16_t port;
};

static inline enum route_agent
route_agent(const struct route *r)
{
	return r->kind <= ROUTE_MAILDIR_VIRTUAL ? ROUTE_LOCAL : ROUTE_REMOTE;
}

void route_put(struct wire_put *, const struct route *);
void route_get(struct wire_get *, struct route *);
/* What deliveries share concurrency and back-off by: "local/USER|PATH",
 * "mx/DOMAIN", "smtp/HOST:PORT".  Always fits ROUTE_KEY_MAX. */
#define ROUTE_KEY_MAX (CONF_PATH_MAX + CONF_USER_MAX + 16)
void route_key(char dst[ROUTE_KEY_MAX], const struct route *);

struct msg_route {		/* ROUTE_ASK */
	struct span rcpt;	/* canonical address */
	bool expanded;		/* it comes from an alias: no further one counts */
};
struct msg_routed {		/* ROUTE_ANSWER */
	struct reply reply;	/* 250: route is set; 4yz: try later; 5yz: bounce */
	struct route route;
};


/* RFC 5321 section 3.9: what an alias or a list leads to, in the end. */
#define EXPAND_ROWS_MAX	 256	/* in one packet */
#define EXPAND_MAX	 100000 /* in all */
#define EXPAND_DEPTH_MAX 20	/* aliases in aliases */

struct expand_row {
	struct span address;	/* canonical */
	struct span owner;	/* reverse-path of what goes to it; "": the sender's */
	bool again;		/* to be asked about as a message of its own */
	bool alias;		/* an alias has this name, but its user is meant */
};
struct msg_expand {		/* EXPAND_ASK */
	uint64_t expansion;
	uint32_t at;		/* rows from here on */
};
struct msg_expanded {		/* EXPAND_ANSWER: no two rows have one address */
	uint64_t expansion;	/* 0: it is not known (any more): ask anew */
	uint32_t at, total;
	uint32_t n;		/* there is more where at + n < total */
	struct expand_row rows[EXPAND_ROWS_MAX];
};

void msg_route_put(struct wire_put *, const struct msg_route *);
int msg_route_get(struct ipc_msg *, struct msg_route *);
void msg_routed_put(struct wire_put *, const struct msg_routed *);
int msg_routed_get(struct ipc_msg *, struct msg_routed *);
void msg_expand_put(struct wire_put *, const struct msg_expand *);
int msg_expand_get(struct ipc_msg *, struct msg_expand *);
void msg_expanded_put(struct wire_put *, const struct msg_expanded *);
int msg_expanded_get(struct ipc_msg *, struct msg_expanded *);

#endif
