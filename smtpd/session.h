/*
 * session.h - an SMTP session: a line in, a reply and an action out.
 *
 * RFC 5321 section 4.  No socket, no clock: what another process must decide is
 * an action without a reply, and the caller comes back with the answer.  What a
 * stranger sends has its limits here: one sender, one bounded list of
 * recipients that exists only while there is a transaction, one remembered
 * verdict.
 */
#ifndef SESSION_H
#define SESSION_H

#include "common/bytes/buf.h"
#include "common/mail/address.h"
#include "common/mail/envelope.h"
#include "common/mail/line.h"
#include "common/mail/reply.h"
#include "common/run/conf.h"

#define SESSION_HELO_MAX 255

enum session_phase {
	PHASE_CONNECT, /* nothing was said: lookup judges the client */
	PHASE_HELO,    /* greeted */
	PHASE_READY,   /* HELO or EHLO was given */
	PHASE_MAIL,    /* a transaction: MAIL was given, perhaps RCPT */
	PHASE_CHUNKS,  /* BDAT was given, but not the last chunk */
	PHASE_DATA,    /* content, up to session_done() or session_chunk() */
	PHASE_END      /* the last reply was given */
};

enum session_action {
	ACTION_NONE,	/* the reply is all */
	ACTION_ASK,	/* ask lookup for s->rcpt, then session_verdict() */
	ACTION_CONTENT, /* content follows the reply, or where there is none this
			 * chunk of it; then session_done() or session_chunk() */
	ACTION_CLOSE	/* close when the reply is out */
};

struct step {
	enum reply_command command; /* whose reply it is */
	enum session_action action;
	struct reply reply; /* code 0: none yet */
};

/* What all sessions of the process share; borrowed by each. */
struct session_service {
	const struct conf *conf;
	struct reply queue; /* 2yz, or what MAIL gets now */
};

struct session {
	const struct session_service *service;
	enum session_phase phase;
	bool greeted;	 /* HELO or EHLO was given */
	bool plain;	 /* by HELO: no extensions, no enhanced codes */
	uint32_t offers; /* bits of enum extension; the caller's too */
	bool local;	 /* a program of this host; the caller sets it */
	bool trusted;	 /* may relay; the caller sets what lookup said */
	/* The statement that the client came by; NULL: submit.sock, standard
	 * input.  The caller sets it. */
	const struct conf_listen *listen;
	bool asking;		     /* ACTION_ASK waits for its verdict … */
	enum reply_command asked_by; /* … on RCPT, VRFY or EXPN */
	uint32_t useless;  /* commands since the last accepted message */
	uint32_t accepted; /* messages */
	uint64_t skip;	   /* octets of a refused chunk, before the next line */
	char helo[SESSION_HELO_MAX + 1];

	/* the transaction */
	struct address sender;
	enum envelope_body body;
	bool utf8;     /* MAIL had SMTPUTF8 */
	bool beyond;   /* … and an address is not ASCII */
	bool terminal; /* by SEND: to a terminal, where nobody is */
	uint32_t nrcpts, nrefused;
	struct buf rcpts; /* each a length octet, the text, a NUL */
	struct {
		bool any;      /* BDAT it is, not DATA */
		bool last;     /* the present one */
		bool too_big;  /* all of them together */
		uint64_t left; /* octets of the present one; the caller's too */
		uint64_t size; /* of all so far */
	} chunks;

	/* the recipient of the last RCPT or VRFY, and the last verdict that
	 * reaches further */
	struct address rcpt;
	struct {
		bool known;
		struct reply reply;
		char domain[ADDRESS_DOMAIN_MAX + 1];
	} verdict;
};

void session_init(struct session *, const struct session_service *);
void session_fini(struct session *);

/* lookup's word on the client: 220 greets, all else is said and ends it. */
void session_client(struct session *, const struct reply *, struct step *);
/* A line, as line_next() gave it; not while asking, not in PHASE_DATA. */
void session_line(
    struct session *, enum line_result, struct span, struct step *);
/* lookup's word on s->rcpt; behind a 251 s->rcpt must be the new address first:
 * false, and nothing was done, where that is none. */
bool session_forward(struct session *, struct span address);
void session_verdict(struct session *, const struct reply *, struct step *);
/* The content is over, and this is what becomes of it. */
void session_done(struct session *, const struct reply *, struct step *);
/* A chunk is over that is not the last: how much came so far, or why the
 * message will be refused. */
void session_chunk(struct session *, const struct reply *, struct step *);
/* Octets of a refused chunk are taken off *in. */
void session_skip(struct session *, struct span *in);
/* An end of our own, at any time: a 421 of the catalogue. */
void session_end(struct session *, enum reply_name, struct step *);
/* Another lookup answers from now on. */
void session_forget_verdict(struct session *);

/* The text of the reply; EHLO's has several lines. */
#define STEP_TEXT_MAX (REPLY_LINE_MAX + 512)
size_t session_format(
    const struct session *, const struct step *, char text[STEP_TEXT_MAX + 1]);

/*
 * A walk over the recipients, oldest first: *at begins as 0 and moves.  Fills
 * dst with at most max; how many.  They are valid until the transaction ends.
 */
uint32_t session_rcpts(
    const struct session *, size_t *at, const char **dst, uint32_t max);

/* The domain of addresses that a local client gives without one. */
const char *session_domain(const struct session *);

/* For verbs.c and inquiry.c. */
/* Neither a client that may relay, nor one of submit.sock or standard input. */
bool session_is_stranger(const struct session *);
void session_ask(struct session *, enum reply_command, struct step *);
void session_reset(struct session *); /* no transaction any more */
void session_judge(
    struct session *, struct step *); /* s->rcpt, if remembered */

#endif
