/*
 * msg/smtpd_lookup.h - all that may pass between smtpd and lookup.
 *
 *   smtpd -> lookup   CONNECT, RCPT (requests), GONE
 *   lookup -> smtpd   CLIENT, VERDICT (answers, by request id)
 *
 * lookup keeps what it found about the client of each session from CONNECT to
 * GONE, and counts sessions across all smtpds; when an smtpd dies its sessions
 * are gone.  So a verdict never rests on what smtpd says of the client later.
 */
#ifndef MSG_SMTPD_LOOKUP_H
#define MSG_SMTPD_LOOKUP_H

#include "common/mail/address.h"
#include "common/mail/netblock.h"
#include "common/mail/reply.h"
#include "common/run/ipc.h"

enum {
	LOOKUP_CONNECT = 0x0200, LOOKUP_RCPT, LOOKUP_GONE,
	LOOKUP_CLIENT, LOOKUP_VERDICT
};

/* Requests that one smtpd may have open, and their time limit in seconds. */
#define SMTPD_LOOKUP_WINDOW  1024
#define SMTPD_LOOKUP_SECONDS 30

enum client_from {
	CLIENT_ADDRESS,		/* a host, by its address */
	CLIENT_LOCAL,		/* somebody on this host, over a Unix socket of ours */
	CLIENT_UNKNOWN,		/* standard input that is no such thing: may nothing */
	CLIENT_END
};

struct msg_connect {		/* LOOKUP_CONNECT */
	uint32_t session;	/* smtpd's number for it, unused by a live session */
	uint32_t listener;	/* index, or LISTENER_… of msg/master.h */
	enum client_from from;
	struct ip ip;		/* CLIENT_ADDRESS */
	uint32_t uid;		/* CLIENT_LOCAL */
};
struct msg_client {		/* LOOKUP_CLIENT */
	struct reply reply;	/* 220 (session may go on), or 421, 521, 554 to say and close */
	bool trusted;		/* may relay: may send to anybody */
};
struct msg_rcpt {		/* LOOKUP_RCPT */
	uint32_t session;
	struct span sender;	/* canonical; "" null */
	struct span rcpt;	/* canonical; "postmaster" without a domain is legal */
};
/* The scope of the reply says for which further recipients of this session smtpd
 * may use it without asking: SCOPE_RECIPIENT none, SCOPE_DOMAIN those of the same
 * domain, SCOPE_SESSION all. */
struct msg_verdict {		/* LOOKUP_VERDICT */
	struct reply reply;
	struct span forward;	/* canonical: behind a 251 the recipient instead; else "" */
};
struct msg_gone {		/* LOOKUP_GONE; id 0, no answer */
	uint32_t session;
};

void msg_connect_put(struct wire_put *, const struct msg_connect *);
int msg_connect_get(struct ipc_msg *, struct msg_connect *);
void msg_client_put(struct wire_put *, const struct msg_client *);
int msg_client_get(struct ipc_msg *, struct msg_client *);
void msg_rcpt_put(struct wire_put *, const struct msg_rcpt *);
int msg_rcpt_get(struct ipc_msg *, struct msg_rcpt *);
void msg_verdict_put(struct wire_put *, const struct msg_verdict *);
int msg_verdict_get(struct ipc_msg *, struct msg_verdict *);
void msg_gone_put(struct wire_put *, const struct msg_gone *);
int msg_gone_get(struct ipc_msg *, struct msg_gone *);

#endif
