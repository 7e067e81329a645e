/*
 * client.h - the client's side of an SMTP or LMTP session: octets of replies
 * in, octets of commands and outcomes out.
 *
 * RFC 5321; RFC 2033 (LMTP), 2920 (PIPELINING), 1870 (SIZE), 6152 (8BITMIME).
 * No socket, no clock, no content: the caller writes `out`, feeds what it reads
 * and obeys the events.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include "common/bytes/buf.h"
#include "common/mail/line.h"
#include "common/msg/queue_agent.h"

/* RFC 5321 section 4.5.3.2: how long to wait for what, in seconds. */
#define CLIENT_GREETING_SECONDS 300
#define CLIENT_HELLO_SECONDS	300
#define CLIENT_MAIL_SECONDS	300
#define CLIENT_RCPT_SECONDS	300
#define CLIENT_DATA_SECONDS	120
#define CLIENT_BLOCK_SECONDS	180 /* for each block of content */
#define CLIENT_END_SECONDS	600
/* No one waits longer for the goodbye of a host that has all its mail. */
#define CLIENT_QUIT_SECONDS 5

/* A reply line of 512 octets is what RFC 5321 section 4.5.3.1.5 allows; some
 * send more. */
#define CLIENT_LINE_MAX 2048
/* Commands of a whole transaction, pipelined: DELIVER_RCPTS_MAX recipients. */
#define CLIENT_OUT_MAX (64 * 1024)

enum client_protocol { CLIENT_SMTP, CLIENT_LMTP };

enum client_state {
	/* waiting for the reply to this command */
	CLIENT_AT_GREETING,
	CLIENT_AT_EHLO,
	CLIENT_AT_HELO,
	CLIENT_AT_RSET,
	CLIENT_AT_MAIL,
	CLIENT_AT_RCPT,
	CLIENT_AT_DATA,
	CLIENT_AT_END,
	CLIENT_AT_NOOP,
	CLIENT_AT_QUIT,
	CLIENT_IDLE,	/* greeted, between transactions */
	CLIENT_SENDING, /* the content is on its way */
	CLIENT_OVER,
	CLIENT_STATE_END
};

enum client_event {
	CLIENT_MORE,  /* send `out`, feed the next octets */
	CLIENT_READY, /* between transactions: client_mail, client_quit, or wait
		       */
	CLIENT_RESULT,	/* `reply` is final for the recipients who[0..nwho) */
	CLIENT_CONTENT, /* send the content and its end, then
			   client_content_sent */
	CLIENT_FAILED,	/* `reply` says why this host will not do; recipients
			 * without a result may be tried with another.  Over. */
	CLIENT_CLOSE	/* over: every recipient has its result */
};

struct client {
	enum client_protocol protocol;
	const char *hostname; /* ours, for EHLO; borrowed */
	enum client_state state;
	struct buf out; /* the caller sends and drops it */

	/* what the host can do */
	bool pipelining, eight_bit, size, chunking, binary, utf8;
	uint64_t size_max; /* 0: it did not say */
	uint64_t rcpt_max; /* recipients of a transaction, RFC 9422; the same */

	/* the transaction */
	const struct msg_deliver *mail;	  /* borrowed until the last result */
	uint8_t rcpts[DELIVER_RCPTS_MAX]; /* positions in mail->rcpts, tried in
					     it */
	uint32_t nrcpts;
	uint32_t next;			  /* whose reply is due */
	bool accepted[DELIVER_RCPTS_MAX]; /* by the host, no result yet */
	uint32_t naccepted;
	bool piped;	 /* MAIL, RCPT… and DATA are all sent already */
	bool refused;	 /* MAIL was: the replies behind it mean nothing */
	bool reset;	 /* an aborted transaction is open: RSET comes first */
	bool answered;	 /* the host replied to this transaction */
	bool chunked;	 /* by BDAT: its octets as they are, and no end */
	bool seven_bit;	 /* content with an 8-bit octet must not go to it:
			  * client_lost with R_NO_8BITMIME */
	bool speechless; /* a command could not be put into `out`: no memory */

	/* of the event */
	struct reply reply;
	uint8_t who[DELIVER_RCPTS_MAX];
	uint32_t nwho;

	enum client_event then; /* the event that follows at once */
	struct line_reader lines;
	struct reply_parser parser;
};

void client_init(struct client *, enum client_protocol, const char *hostname);
void client_fini(struct client *);

/* Take octets off *in up to the next event. */
enum client_event client_input(struct client *, struct span *in);

/*
 * Begin a transaction (between transactions only) for the recipients of mail
 * whose done[] is false, at least one; as many of them as the host takes at once,
 * the others have no result then.  CLIENT_MORE, or CLIENT_RESULT when the
 * host cannot take the message.  Go on with client_input, octets or not.
 */
enum client_event client_mail(
    struct client *, const struct msg_deliver *mail, const bool *done);
/* The last octet of the content and its end went to the socket. */
void client_content_sent(struct client *);
/* Say goodbye (between transactions); CLIENT_CLOSE follows. */
void client_quit(struct client *);
void client_noop(struct client *); /* between transactions: are you there? */
/* The connection was lost, or something took too long: `why`, in `detail`.
 * With R_LOCAL_ERROR and R_NO_8BITMIME the message is at fault, not the host.
 * The events are then as from client_input, to be called on with no octets. */
enum client_event client_lost(
    struct client *, enum reply_name why, const char *detail);

/* True while the host may hold the whole message and has not answered: its
 * delivery may have happened. */
bool client_in_doubt(const struct client *);
/* How long this state may last, and what it waits for in words. */
unsigned client_seconds(const struct client *);
const char *client_doing(const struct client *);

#endif
