/*
 * conf.h - the configuration as every process sees it.
 *
 * `config` (master/conf/) reads the file with libconfuse, checks it, and writes
 * it encoded; all others get that encoding on a descriptor and decode it here.
 * Nobody else reads the file, so `sallyport check` sees exactly what `run`
 * would.  Sizes are bytes, times seconds, addresses canonical, paths absolute.
 */
#ifndef CONF_H
#define CONF_H

#include "common/mail/address.h"
#include "common/mail/extension.h"
#include "common/mail/netblock.h"
#include "common/mail/reply.h"

#define CONF_BLOB_MAX	  (16 * 1024 * 1024)
#define CONF_PATH_MAX	  1024
#define CONF_SOCKET_MAX	  108		/* sun_path with its NUL */
#define CONF_HOST_MAX	  255
#define CONF_USER_MAX	  32
#define CONF_LISTENS_MAX  64
#define CONF_PROXIES_MAX  16	/* of one listener */
#define CONF_RUNTIME	  "/run/sallyport"	/* where nothing else is said */

enum conf_isolation { ISOLATION_SHARED, ISOLATION_SESSION, ISOLATION_END };
enum conf_newlines { NEWLINES_REJECT, NEWLINES_CONVERT, NEWLINES_END };
/* Where a host that takes no mail says so to those who may not relay. */
enum conf_refuse { REFUSE_NOT, REFUSE_CONNECT, REFUSE_HELLO, REFUSE_END };

struct conf_listen {
	char title[CONF_HOST_MAX + 1];	/* "0.0.0.0:25" as written */
	struct ip ip;
	uint16_t port;			/* 0: any free one */
	enum conf_isolation isolation;
	enum conf_newlines bare_newlines;
	enum conf_refuse refuse;
	uint32_t ehlo_without;		/* bits of enum extension */
	size_t nproxies;		/* who speaks the PROXY protocol here */
	struct netblock proxies[CONF_PROXIES_MAX];
};

enum conf_users { USERS_SYSTEM, USERS_FILE, USERS_ANY, USERS_END };
enum conf_deliver { DELIVER_MAILDIR, DELIVER_LMTP, DELIVER_END };

struct conf_domain {
	char name[ADDRESS_DOMAIN_MAX + 1];	/* lower case */
	enum conf_users users;
	char users_file[CONF_PATH_MAX];
	enum conf_deliver deliver;
	char path[CONF_PATH_MAX];	/* template of maildir:, may begin "~/"; %u %d */
	char host[CONF_HOST_MAX + 1];	/* lmtp:HOST:PORT */
	uint16_t port;
	char owner[CONF_USER_MAX + 1];	/* "" is the default owner */
	char plus[2];			/* "+", or "" for none */
	bool refuse;			/* takes no mail: 521 */
	char moved_file[CONF_PATH_MAX];	/* users that moved: old, new; "": none */
	bool moved_tell;		/* 551 instead of 251 */
	char aliases[CONF_PATH_MAX];	/* the aliases file; "": none */
};

enum conf_via { VIA_MX, VIA_SMTP, VIA_END };

struct conf_route {
	char pattern[ADDRESS_DOMAIN_MAX + 1];	/* "*", a domain, or ".suffix" */
	enum conf_via via;
	char host[CONF_HOST_MAX + 1];		/* name or address */
	uint16_t port;
};

struct conf_expect {
	char sender[ADDRESS_MAX + 1];
	char rcpt[ADDRESS_MAX + 1];
	struct ip client;		/* default 127.0.0.1 */
	char listener[CONF_HOST_MAX + 1]; /* title of a listen; "": the first one */
	uint16_t code;			/* what the reply must have; 0: any */
	struct { uint8_t class; uint16_t subject, detail; } esc;	/* class 0: any */
	char reply[64];			/* a catalogue name, or "" */
	uint32_t line;			/* in the file, for the error */
};

struct conf_reply {
	enum reply_name name;
	char text[REPLY_OWN_MAX + 1];
};

struct conf_resolver {
	char address[IP_TEXT_MAX + 8];	/* "127.0.0.1@5353", libunbound's form */
};

struct conf {
	char file[CONF_PATH_MAX];	/* where it was read from */
	char hostname[CONF_HOST_MAX + 1];
	char spool[CONF_PATH_MAX];
	char runtime[CONF_PATH_MAX];
	char postmaster[ADDRESS_MAX + 1];
	bool seccomp_only;		/* sandbox = "seccomp-only" */
	bool log_json;			/* log = "json" */
	char log_socket[CONF_SOCKET_MAX]; /* of the syslog service; "": standard error */
	bool send_mailbox;		/* send = "mailbox": SOML and SAML are MAIL */
	bool early_talkers;		/* early_talkers = "allow" */
	bool disclose;			/* VRFY and EXPN answer strangers, too */
	uint32_t commands_off;		/* 1u << enum reply_command: 502 */

	uint64_t message_size;		/* 50M */
	uint64_t spool_reserve;		/* 32M; 0 is off */
	uint64_t segment_size;		/* 16M */
	uint32_t max_sessions;		/* 20000 in all */
	uint32_t max_sessions_per_client; /* 0: no limit */
	uint32_t max_recipients;	/* 1000 a message */
	uint32_t max_useless;		/* 100 commands without a message between */
	uint32_t max_line;		/* 2048 octets a command line with CRLF; RFC: at least 512 */
	uint32_t command_timeout;	/* 5m, RFC 5321 section 4.5.3.2.7 */
	uint32_t data_timeout;		/* 5m for each block of data */
	uint32_t smtpd_processes;	/* 0: one for each core */
	uint32_t session_processes;	/* 200: those for one session each */
	uint32_t min_uid;		/* 1000 */
	uint32_t retry_first;		/* 5m: wait after the first failure */
	uint32_t retry_max;		/* 4h: longest wait */
	uint32_t expire;		/* 5d */
	uint32_t host_concurrency;	/* 20 connections to one next hop */
	uint32_t local_concurrency;	/* 20 processes of local, one for each user */
	uint32_t history;		/* 7d */
	uint64_t history_size;		/* 1G */
	/* time limits of remote, RFC 5321 section 4.5.3.2; connect 30s */
	uint32_t connect_timeout;

	size_t nlistens, ndomains, nroutes, nrelay_from, nresolvers, nexpects;
	struct conf_listen *listens;
	struct conf_domain *domains;	/* in the order of the file */
	struct conf_route *routes;	/* the same; first match wins after exact names */
	struct netblock *relay_from;
	struct conf_resolver *resolvers; /* none: those of /etc/resolv.conf */
	struct conf_expect *expects;
	size_t nreplies;
	struct conf_reply *replies;	/* texts of our own */
};

/* The smallest segment_size that takes a message for so many recipients, as
 * one record, whatever their addresses; whole mebibytes. */
uint64_t conf_segment_size_for(uint32_t recipients);

void conf_put(struct wire_put *, const struct conf *);
/* 0, or -1 with errno EBADMSG; *c is then empty and need not be freed. */
int conf_get(struct wire_get *, struct conf *);
void conf_free(struct conf *);
/* From now on this process says its replies in the texts of *c, which must stay
 * until the next call; NULL: in those of the catalogue. */
void conf_use_replies(const struct conf *c);

/* Read and decode all of a descriptor.  NULL with errno.  To be freed by
 * conf_free and free. */
struct conf *conf_read(int fd);

const struct conf_domain *conf_domain(const struct conf *, struct span name);
/* The route for a domain: exact name, else longest suffix, else "*". */
const struct conf_route *conf_route(const struct conf *, struct span name);

#endif
