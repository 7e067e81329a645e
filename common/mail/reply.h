/*
 * reply.h - the SMTP reply: the one verdict that all of Sallyport speaks.
 *
 * Table answers, admission, delivery outcomes, what the commands print and what
 * a bounce says are `struct reply`.  Three tables stand behind it, all data:
 *
 *   catalogue  the replies that Sallyport itself gives, by name (catalogue.c)
 *   codes      the 25 codes of the seed document and what they mean (codes.c)
 *   commands   which codes a command may get: the seed's 112 pairs and, marked
 *              with their RFC, the later additions (codes.c)
 *
 * RFC 5321 sections 4.2 and 4.3.2; enhanced codes RFC 3463, 2034, 5248.
 */
#ifndef REPLY_H
#define REPLY_H

#include "common/bytes/span.h"
#include "common/bytes/wire.h"

/* RFC 5321 section 4.5.3.1.5: 512 octets a line with CRLF, and the text stays
 * below that with code and enhanced code. */
#define REPLY_LINE_MAX 512
#define REPLY_TEXT_MAX 480

/* How far a verdict reaches. */
enum reply_scope {
	SCOPE_RECIPIENT,	/* this recipient */
	SCOPE_DOMAIN,		/* every recipient of this domain, in this session */
	SCOPE_MESSAGE,		/* every recipient of this message */
	SCOPE_SESSION,		/* all of this session */
	SCOPE_HOST,		/* everything for this host */
	SCOPE_ROUTE,		/* everything that goes this way */
	SCOPE_END
};

/* Who said it. */
enum reply_source { BY_US, BY_HOST, BY_PROGRAM, BY_ERRNO, BY_END };

/* RFC 3463: class.subject.detail; class 0 is "none". */
struct reply_esc {
	uint8_t class;
	uint16_t subject, detail;
};

struct reply {
	uint16_t code;		/* 200 to 599; 0 is no reply yet */
	struct reply_esc esc;
	enum reply_scope scope;
	enum reply_source source;
	char text[REPLY_TEXT_MAX + 1];	/* printable ASCII, one line; the lines of
					 * a foreign multi-line reply joined by a blank */
};

/* The catalogue.  The order of the enum is the order of the rows in
 * catalogue.c; each row has a name ("relay-denied"), code, enhanced code, text
 * and scope. */
enum reply_name {
	R_GREETING,		/* 220 HOSTNAME ESMTP Sallyport */
	R_BYE,			/* 221 2.0.0 */
	R_HELO,			/* 250 HOSTNAME, no enhanced code (RFC 2034) */
	R_DONE,			/* 250 2.0.0 */
	R_SENDER_OK,		/* 250 2.1.0 */
	R_CHUNK,		/* 250 2.0.0 to a BDAT that is not the last */
	R_RCPT_OK,		/* 250 2.1.5 */
	R_QUEUED,		/* 250 2.0.0 ID queued */
	R_DELIVERED,		/* 250 2.0.0 a local delivery is done */
	R_EXPANDED,		/* 250 2.1.5 an alias: % says to how many */
	R_CANNOT_VRFY,		/* 252 2.5.2 */
	R_HELP,			/* 214 2.0.0 */
	R_TOPIC,		/* 214 2.0.0 to HELP with a command */
	R_STATUS,		/* 211 2.0.0 to HELP STATUS */
	R_VERIFIED,		/* 250 2.1.5 <mailbox>, to VRFY and EXPN */
	R_WILL_FORWARD,		/* 251 2.1.5 moved, and we send it on */
	R_DATA,			/* 354, no enhanced code */
	R_SHUTDOWN,		/* 421 4.3.2 service shutting down */
	R_TIMEOUT,		/* 421 4.4.2 */
	R_TOO_MANY_SESSIONS,	/* 421 4.7.0 in all */
	R_TOO_MANY_FROM_CLIENT,	/* 421 4.7.0 of this address */
	R_TOO_MANY_USELESS,	/* 421 4.7.0 useless commands */
	R_NO_SERVICE,		/* 421 4.3.2 the service is not there */
	R_UNAVAILABLE,		/* 421 4.3.0 cannot serve now (a process is away) */
	R_LOCAL_ERROR,		/* 451 4.3.0 */
	R_QUEUE_ERROR,		/* 451 4.3.0 the log could not be written */
	R_AGENT_DIED,		/* 451 4.3.0 the delivery process ended */
	R_DAMAGED,		/* 451 4.3.0 the content is not what was accepted */
	R_TABLE_ERROR,		/* 451 4.3.0 a table is wrong or unreadable */
	R_TOO_MANY_RCPTS,	/* 452 4.5.3 */
	R_NO_SPACE,		/* 452 4.3.1 */
	R_LINE_TOO_LONG,	/* 500 5.5.2 */
	R_BAD_LINE,		/* 500 5.5.2 bare CR, LF or NUL in a command */
	R_UNKNOWN_COMMAND,	/* 500 5.5.1 */
	R_SYNTAX,		/* 501 5.5.4 % says what would be right */
	R_BAD_ADDRESS,		/* 501 5.1.3 recipient */
	R_BAD_SENDER,		/* 501 5.1.7 */
	R_NOT_IMPLEMENTED,	/* 502 5.5.1 */
	R_SEQUENCE,		/* 503 5.5.1 % says what must come first */
	R_NO_VALID_RCPTS,	/* 554 5.5.1 (DATA without any accepted recipient) */
	R_BAD_PARAMETER,	/* 504 5.5.4 for HELO/EHLO/…; 555 for MAIL and RCPT is R_UNKNOWN_PARAMETER */
	R_UNKNOWN_PARAMETER,	/* 555 5.5.4 */
	R_NO_SUCH_USER,		/* 550 5.1.1 */
	R_USER_MOVED,		/* 551 5.1.6 moved: use the new address */
	R_MAILBOX_NAME,		/* 553 5.1.3 no mailbox can have this name */
	R_RELAY_DENIED,		/* 550 5.7.1 */
	R_OUR_NAME,		/* 550 5.7.1 EHLO with the name of this host */
	R_HOST_REFUSES,		/* 521 5.3.2 this host takes no mail */
	R_DOMAIN_REFUSES,	/* 521 5.3.2 this domain takes none */
	R_BARE_NEWLINE,		/* 550 5.6.0 bare CR, LF or NUL in the content */
	R_LOOP,			/* 554 5.4.6 too many hops, or our own Delivered-To */
	R_ALIAS_LOOP,		/* 554 5.4.6 an alias that leads to itself */
	R_ALIAS_TOO_LARGE,	/* 554 5.4.6 too many addresses, or too deep */
	R_TOO_BIG,		/* 552 5.3.4 */
	R_MAILBOX_CLOSED,	/* 450 4.2.1 state=busy */
	R_MAILBOX_FULL,		/* 452 4.2.2 */
	R_OVER_QUOTA,		/* 552 5.2.2 state=full, at RCPT */
	R_NOT_ACTIVE,		/* 450 4.2.1 SEND: nobody is at a terminal */
	R_NO_HOME,		/* 450 4.2.0 home missing or not mounted */
	R_MAILBOX_UNSAFE,	/* 451 4.3.5 ownership or mode refuses the delivery */
	R_DNS_TEMPORARY,	/* 451 4.4.3 */
	R_NO_SUCH_DOMAIN,	/* 550 5.1.2 */
	R_NULL_MX,		/* 556 5.1.10 RFC 7505 */
	R_NO_HOST,		/* 451 4.4.1 no host answered */
	R_HOST_TIMEOUT,		/* 451 4.4.2 */
	R_HOST_CLOSED,		/* 451 4.4.2 the connection was lost */
	R_HOST_GARBAGE,		/* 451 4.5.0 what came was not SMTP */
	R_MAIL_LOOPS_BACK,	/* 554 5.4.6 best MX is ourselves */
	R_NO_8BITMIME,		/* 554 5.6.3 the next hop cannot take 8-bit content */
	R_EARLY_TALKER,		/* 554 5.5.0 it spoke before the greeting */
	R_NEEDS_SMTPUTF8,	/* 553 5.6.7 an address is not ASCII, and MAIL had no SMTPUTF8 */
	R_NO_SMTPUTF8,		/* 550 5.6.7 the next hop has no SMTPUTF8 */
	R_NO_BINARYMIME,	/* 554 5.6.1 … nor content that is not lines */
	R_EXPIRED,		/* 554 5.4.7 gave up after `expire` */
	R_STOPPING,		/* 451 4.3.2 we stop; recorded as not done */
	R_NOT_RELOADED,		/* 554 5.3.5 to `sallyport reload` */
	R_COUNT
};

struct reply_row {
	const char *name;	/* "relay-denied" */
	uint16_t code;
	struct reply_esc esc;
	const char *text;	/* may hold one '%', where the argument goes */
	const char *rfc;	/* "RFC 5321 section 3.6.2" */
	enum reply_scope scope;	/* the usual one; the caller may widen or narrow */
};

/* For people; see meaning.c. */
struct reply_meaning {
	const char *cause, *remedy;
};

const struct reply_row *reply_row(enum reply_name);
const struct reply_meaning *reply_meaning(enum reply_name);

/* The administrator's own text instead of the row's; NULL is the row's again.
 * Borrowed: it must stay until the next call.  Of this process, from now on. */
void reply_set_text(enum reply_name, const char *text);
const char *reply_text_of(enum reply_name); /* the one in force */
#define REPLY_OWN_MAX 200
/* What is wrong with it as a text for this reply, or NULL: it is printable
 * ASCII, at most REPLY_OWN_MAX octets with at most one '%', begins with no digit,
 * and keeps what the row's own text begins with or has in brackets. */
const char *reply_text_wrong(enum reply_name, const char *text);
bool reply_by_name(struct span name, enum reply_name *);

/* A reply of the catalogue; arg (NULL is "") goes where the row has its '%', cut
 * to fit, with '?' for what is not printable ASCII.  Without an argument the
 * text ends before the colon that would lead to it. */
void reply_make(struct reply *, enum reply_name, const char *arg);

/* 452 4.3.1 for ENOSPC and EDQUOT, and so on; a row for each errno that a
 * delivery can meet, 451 4.3.0 for any other.  Never 5yz for what may pass. */
void reply_from_errno(struct reply *, int err, const char *what);

/* "550 5.7.1 Relaying denied\r\n" into line; the length.  without `enhanced`
 * (HELO sessions, and codes that take none) the middle is left out.  `more`
 * writes the hyphen of a line that is not the last. */
size_t reply_format(char line[REPLY_LINE_MAX + 1], const struct reply *,
    bool enhanced, bool more);
/* "550 5.7.1 Relaying denied" for logs and people; no line end. */
size_t reply_text(char *dst, size_t size, const struct reply *);

static inline unsigned
reply_class(const struct reply *r)
{
	return r->code / 100;
}

/* ---- which codes a command may get ------------------------------------- */

enum reply_command {
	CMD_CONNECT, CMD_HELO, CMD_EHLO, CMD_MAIL, CMD_RCPT, CMD_DATA,
	CMD_DATA_END, CMD_RSET, CMD_SEND, CMD_SOML, CMD_SAML, CMD_VRFY,
	CMD_EXPN, CMD_HELP, CMD_NOOP, CMD_QUIT, CMD_TURN,
	CMD_AUTH, CMD_STARTTLS, CMD_BDAT, CMD_ETRN, CMD_ATRN,	/* later */
	CMD_UNKNOWN,		/* not a command: 500, 421 */
	CMD_END
};

struct reply_pair {
	enum reply_command command;
	uint16_t code;
	const char *rfc;	/* NULL: a row of the seed; else who added it */
};

struct reply_code {
	uint16_t code;
	const char *meaning;	/* the seed's words */
};

const struct reply_pair *reply_pairs(size_t *n);
const struct reply_code *reply_codes(size_t *n);
const char *reply_command_name(enum reply_command);	/* "received data" for CMD_DATA_END */
bool reply_allowed(enum reply_command, unsigned code);

/* ---- other servers' replies --------------------------------------------- */

/* Lines are fed without their CRLF.  RFC 5321 section 4.2.1: all lines of a
 * reply carry one code; "250-" goes on, "250 " or a bare "250" ends it. */
struct reply_parser {
	struct reply r;
	size_t lines;
};

#define REPLY_LINES_MAX 128	/* lines in one reply; more is malformed */

void reply_parser_init(struct reply_parser *);
/* 1: done, the reply is in ->r (source BY_HOST, text cleaned to printable
 * ASCII, enhanced code cut off the text where its class fits the code, else
 * made up from the code as X.0.0); 0: more lines belong to it; -1: malformed. */
int reply_parse_line(struct reply_parser *, struct span line);

/* ---- between processes and on disk ---------------------------------------- */

void reply_put(struct wire_put *, const struct reply *);
void reply_get(struct wire_get *, struct reply *);

#endif
