/*
 * codes.c - which reply codes there are, and which a command may get.
 *
 * The first part of both tables is the seed document, row by row; a test holds
 * them against it.  What came later stands behind it, each row with the RFC
 * that allows it.
 */
#include <assert.h>

#include "common/mail/reply.h"

static const struct reply_code codes[] = {
	{ 200, "(nonstandard success response, see rfc876)" },
	{ 211, "System status, or system help reply" },
	{ 214, "Help message" },
	{ 220, "<domain> Service ready" },
	{ 221, "<domain> Service closing transmission channel" },
	{ 250, "Requested mail action okay, completed" },
	{ 251, "User not local; will forward to <forward-path>" },
	{ 252,
	    "Cannot VRFY user, but will accept message and attempt delivery" },
	{ 354, "Start mail input; end with <CRLF>.<CRLF>" },
	{ 421, "<domain> Service not available, closing transmission channel" },
	{ 450, "Requested mail action not taken: mailbox unavailable" },
	{ 451, "Requested action aborted: local error in processing" },
	{ 452, "Requested action not taken: insufficient system storage" },
	{ 500, "Syntax error, command unrecognised" },
	{ 501, "Syntax error in parameters or arguments" },
	{ 502, "Command not implemented" },
	{ 503, "Bad sequence of commands" },
	{ 504, "Command parameter not implemented" },
	{ 521, "<domain> does not accept mail (see rfc1846)" },
	{ 530, "Access denied (?\?\?a Sendmailism)" },
	{ 550, "Requested action not taken: mailbox unavailable" },
	{ 551, "User not local; please try <forward-path>" },
	{ 552, "Requested mail action aborted: exceeded storage allocation" },
	{ 553, "Requested action not taken: mailbox name not allowed" },
	{ 554, "Transaction failed" },
};

static const struct reply_pair pairs[] = {
	{ CMD_CONNECT, 220, NULL },
	{ CMD_CONNECT, 421, NULL },
	{ CMD_HELO, 250, NULL },
	{ CMD_HELO, 500, NULL },
	{ CMD_HELO, 501, NULL },
	{ CMD_HELO, 504, NULL },
	{ CMD_HELO, 521, NULL },
	{ CMD_HELO, 421, NULL },
	{ CMD_EHLO, 250, NULL },
	{ CMD_EHLO, 550, NULL },
	{ CMD_EHLO, 500, NULL },
	{ CMD_EHLO, 501, NULL },
	{ CMD_EHLO, 504, NULL },
	{ CMD_EHLO, 421, NULL },
	{ CMD_MAIL, 250, NULL },
	{ CMD_MAIL, 552, NULL },
	{ CMD_MAIL, 451, NULL },
	{ CMD_MAIL, 452, NULL },
	{ CMD_MAIL, 500, NULL },
	{ CMD_MAIL, 501, NULL },
	{ CMD_MAIL, 421, NULL },
	{ CMD_RCPT, 250, NULL },
	{ CMD_RCPT, 251, NULL },
	{ CMD_RCPT, 550, NULL },
	{ CMD_RCPT, 551, NULL },
	{ CMD_RCPT, 552, NULL },
	{ CMD_RCPT, 553, NULL },
	{ CMD_RCPT, 450, NULL },
	{ CMD_RCPT, 451, NULL },
	{ CMD_RCPT, 452, NULL },
	{ CMD_RCPT, 500, NULL },
	{ CMD_RCPT, 501, NULL },
	{ CMD_RCPT, 503, NULL },
	{ CMD_RCPT, 521, NULL },
	{ CMD_RCPT, 421, NULL },
	{ CMD_DATA, 354, NULL },
	{ CMD_DATA, 451, NULL },
	{ CMD_DATA, 554, NULL },
	{ CMD_DATA, 500, NULL },
	{ CMD_DATA, 501, NULL },
	{ CMD_DATA, 503, NULL },
	{ CMD_DATA, 421, NULL },
	{ CMD_DATA_END, 250, NULL },
	{ CMD_DATA_END, 552, NULL },
	{ CMD_DATA_END, 554, NULL },
	{ CMD_DATA_END, 451, NULL },
	{ CMD_DATA_END, 452, NULL },
	{ CMD_RSET, 200, NULL },
	{ CMD_RSET, 250, NULL },
	{ CMD_RSET, 500, NULL },
	{ CMD_RSET, 501, NULL },
	{ CMD_RSET, 504, NULL },
	{ CMD_RSET, 421, NULL },
	{ CMD_SEND, 250, NULL },
	{ CMD_SEND, 552, NULL },
	{ CMD_SEND, 451, NULL },
	{ CMD_SEND, 452, NULL },
	{ CMD_SEND, 500, NULL },
	{ CMD_SEND, 501, NULL },
	{ CMD_SEND, 502, NULL },
	{ CMD_SEND, 421, NULL },
	{ CMD_SOML, 250, NULL },
	{ CMD_SOML, 552, NULL },
	{ CMD_SOML, 451, NULL },
	{ CMD_SOML, 452, NULL },
	{ CMD_SOML, 500, NULL },
	{ CMD_SOML, 501, NULL },
	{ CMD_SOML, 502, NULL },
	{ CMD_SOML, 421, NULL },
	{ CMD_SAML, 250, NULL },
	{ CMD_SAML, 552, NULL },
	{ CMD_SAML, 451, NULL },
	{ CMD_SAML, 452, NULL },
	{ CMD_SAML, 500, NULL },
	{ CMD_SAML, 501, NULL },
	{ CMD_SAML, 502, NULL },
	{ CMD_SAML, 421, NULL },
	{ CMD_VRFY, 250, NULL },
	{ CMD_VRFY, 251, NULL },
	{ CMD_VRFY, 252, NULL },
	{ CMD_VRFY, 550, NULL },
	{ CMD_VRFY, 551, NULL },
	{ CMD_VRFY, 553, NULL },
	{ CMD_VRFY, 500, NULL },
	{ CMD_VRFY, 501, NULL },
	{ CMD_VRFY, 502, NULL },
	{ CMD_VRFY, 504, NULL },
	{ CMD_VRFY, 421, NULL },
	{ CMD_EXPN, 250, NULL },
	{ CMD_EXPN, 550, NULL },
	{ CMD_EXPN, 500, NULL },
	{ CMD_EXPN, 501, NULL },
	{ CMD_EXPN, 502, NULL },
	{ CMD_EXPN, 504, NULL },
	{ CMD_EXPN, 421, NULL },
	{ CMD_HELP, 211, NULL },
	{ CMD_HELP, 214, NULL },
	{ CMD_HELP, 500, NULL },
	{ CMD_HELP, 501, NULL },
	{ CMD_HELP, 502, NULL },
	{ CMD_HELP, 504, NULL },
	{ CMD_HELP, 421, NULL },
	{ CMD_NOOP, 200, NULL },
	{ CMD_NOOP, 250, NULL },
	{ CMD_NOOP, 500, NULL },
	{ CMD_NOOP, 421, NULL },
	{ CMD_QUIT, 221, NULL },
	{ CMD_QUIT, 500, NULL },
	{ CMD_TURN, 250, NULL },
	{ CMD_TURN, 502, NULL },
	{ CMD_TURN, 500, NULL },
	{ CMD_TURN, 503, NULL },

	/* The commands of RFC 821 that are MAIL here. */
	{ CMD_SEND, 503, "RFC 5321 section 4.3.2" },
	{ CMD_SEND, 555, "RFC 5321 section 4.3.2" },
	{ CMD_SOML, 503, "RFC 5321 section 4.3.2" },
	{ CMD_SOML, 555, "RFC 5321 section 4.3.2" },
	{ CMD_SAML, 503, "RFC 5321 section 4.3.2" },
	{ CMD_SAML, 555, "RFC 5321 section 4.3.2" },
	{ CMD_EXPN, 252, "RFC 5321 section 4.3.2" },

	/* A server that takes no mail at all, or none from this client. */
	{ CMD_CONNECT, 521, "RFC 7504 section 3" },
	{ CMD_CONNECT, 554, "RFC 5321 section 3.1" },

	/* What RFC 5321 added to the codes of RFC 821. */
	{ CMD_MAIL, 503, "RFC 5321 section 4.3.2" },
	{ CMD_MAIL, 550, "RFC 5321 section 4.3.2" },
	{ CMD_MAIL, 553, "RFC 5321 section 4.3.2" },
	{ CMD_MAIL, 555, "RFC 5321 section 4.3.2" },
	{ CMD_RCPT, 555, "RFC 5321 section 4.3.2" },
	{ CMD_DATA_END, 450, "RFC 5321 section 4.3.2" },
	{ CMD_DATA_END, 550, "RFC 5321 section 4.3.2" },
	{ CMD_DATA_END, 421, "RFC 5321 section 4.3.2" },
	{ CMD_QUIT, 421, "RFC 5321 section 4.3.2" },
	{ CMD_TURN, 421, "RFC 5321 section 4.3.2" },

	/* A recipient's domain that takes no mail. */
	{ CMD_RCPT, 556, "RFC 7504 section 4" },

	/* Not before STARTTLS or AUTH. */
	{ CMD_HELO, 530, "RFC 3207 section 4" },
	{ CMD_MAIL, 530, "RFC 3207 section 4" },
	{ CMD_RCPT, 530, "RFC 3207 section 4" },
	{ CMD_DATA, 530, "RFC 3207 section 4" },
	{ CMD_RSET, 530, "RFC 3207 section 4" },
	{ CMD_SEND, 530, "RFC 3207 section 4" },
	{ CMD_SOML, 530, "RFC 3207 section 4" },
	{ CMD_SAML, 530, "RFC 3207 section 4" },
	{ CMD_VRFY, 530, "RFC 3207 section 4" },
	{ CMD_EXPN, 530, "RFC 3207 section 4" },
	{ CMD_HELP, 530, "RFC 3207 section 4" },
	{ CMD_TURN, 530, "RFC 3207 section 4" },
	{ CMD_AUTH, 530, "RFC 3207 section 4" },
	{ CMD_BDAT, 530, "RFC 3207 section 4" },
	{ CMD_ETRN, 530, "RFC 3207 section 4" },
	{ CMD_ATRN, 530, "RFC 3207 section 4" },

	/* The seed lists 530 for no command in particular: none is exempt. */
	{ CMD_CONNECT, 530, "RFC 4954 section 6" },
	{ CMD_EHLO, 530, "RFC 4954 section 6" },
	{ CMD_DATA_END, 530, "RFC 4954 section 6" },
	{ CMD_NOOP, 530, "RFC 4954 section 6" },
	{ CMD_QUIT, 530, "RFC 4954 section 6" },
	{ CMD_STARTTLS, 530, "RFC 4954 section 6" },

	/* Commands of later extensions; 500 and 502 are for a server without
	   them. */
	{ CMD_AUTH, 235, "RFC 4954 section 4" },
	{ CMD_AUTH, 334, "RFC 4954 section 4" },
	{ CMD_AUTH, 432, "RFC 4954 section 6" },
	{ CMD_AUTH, 454, "RFC 4954 section 6" },
	{ CMD_AUTH, 534, "RFC 4954 section 6" },
	{ CMD_AUTH, 535, "RFC 4954 section 6" },
	{ CMD_AUTH, 538, "RFC 2554 section 6" },
	{ CMD_AUTH, 503, "RFC 4954 section 4" },
	{ CMD_AUTH, 504, "RFC 4954 section 4" },
	{ CMD_AUTH, 421, "RFC 5321 section 4.3.2" },
	{ CMD_AUTH, 500, "RFC 5321 section 4.3.2" },
	{ CMD_AUTH, 501, "RFC 5321 section 4.3.2" },
	{ CMD_AUTH, 502, "RFC 5321 section 4.2.4" },

	/* STARTTLS */
	{ CMD_STARTTLS, 220, "RFC 3207 section 4" },
	{ CMD_STARTTLS, 454, "RFC 3207 section 4" },
	{ CMD_STARTTLS, 501, "RFC 3207 section 4" },
	{ CMD_STARTTLS, 421, "RFC 5321 section 4.3.2" },
	{ CMD_STARTTLS, 500, "RFC 5321 section 4.3.2" },
	{ CMD_STARTTLS, 502, "RFC 5321 section 4.2.4" },
	{ CMD_STARTTLS, 503, "RFC 5321 section 4.1.4" },

	/* BDAT */
	{ CMD_BDAT, 250, "RFC 3030 section 2" },
	{ CMD_BDAT, 503, "RFC 3030 section 2" },
	{ CMD_BDAT, 554, "RFC 3030 section 2" },
	{ CMD_BDAT, 421, "RFC 5321 section 4.3.2" },
	{ CMD_BDAT, 450, "RFC 5321 section 4.3.2" },
	{ CMD_BDAT, 451, "RFC 5321 section 4.3.2" },
	{ CMD_BDAT, 452, "RFC 5321 section 4.3.2" },
	{ CMD_BDAT, 500, "RFC 5321 section 4.3.2" },
	{ CMD_BDAT, 501, "RFC 5321 section 4.3.2" },
	{ CMD_BDAT, 550, "RFC 5321 section 4.3.2" },
	{ CMD_BDAT, 552, "RFC 5321 section 4.3.2" },
	{ CMD_BDAT, 502, "RFC 5321 section 4.2.4" },

	/* ETRN */
	{ CMD_ETRN, 250, "RFC 1985" },
	{ CMD_ETRN, 251, "RFC 1985" },
	{ CMD_ETRN, 252, "RFC 1985" },
	{ CMD_ETRN, 253, "RFC 1985" },
	{ CMD_ETRN, 458, "RFC 1985" },
	{ CMD_ETRN, 459, "RFC 1985" },
	{ CMD_ETRN, 500, "RFC 1985" },
	{ CMD_ETRN, 501, "RFC 1985" },
	{ CMD_ETRN, 421, "RFC 5321 section 4.3.2" },
	{ CMD_ETRN, 502, "RFC 5321 section 4.2.4" },
	{ CMD_ETRN, 503, "RFC 5321 section 4.1.4" },

	/* ATRN */
	{ CMD_ATRN, 250, "RFC 2645" },
	{ CMD_ATRN, 450, "RFC 2645" },
	{ CMD_ATRN, 451, "RFC 2645" },
	{ CMD_ATRN, 453, "RFC 2645" },
	{ CMD_ATRN, 502, "RFC 2645" },
	{ CMD_ATRN, 421, "RFC 5321 section 4.3.2" },
	{ CMD_ATRN, 500, "RFC 5321 section 4.3.2" },
	{ CMD_ATRN, 501, "RFC 5321 section 4.3.2" },
	{ CMD_ATRN, 503, "RFC 5321 section 4.1.4" },

	/* What is no command at all. */
	{ CMD_UNKNOWN, 421, "RFC 5321 section 4.3.2" },
	{ CMD_UNKNOWN, 500, "RFC 5321 section 4.3.2" },
};

static const char *const names[CMD_END] = {
	[CMD_CONNECT] = "connect",
	[CMD_HELO] = "HELO",
	[CMD_EHLO] = "EHLO",
	[CMD_MAIL] = "MAIL",
	[CMD_RCPT] = "RCPT",
	[CMD_DATA] = "DATA",
	[CMD_DATA_END] = "received data",
	[CMD_RSET] = "RSET",
	[CMD_SEND] = "SEND",
	[CMD_SOML] = "SOML",
	[CMD_SAML] = "SAML",
	[CMD_VRFY] = "VRFY",
	[CMD_EXPN] = "EXPN",
	[CMD_HELP] = "HELP",
	[CMD_NOOP] = "NOOP",
	[CMD_QUIT] = "QUIT",
	[CMD_TURN] = "TURN",
	[CMD_AUTH] = "AUTH",
	[CMD_STARTTLS] = "STARTTLS",
	[CMD_BDAT] = "BDAT",
	[CMD_ETRN] = "ETRN",
	[CMD_ATRN] = "ATRN",
	[CMD_UNKNOWN] = "unknown",
};

const struct reply_code *
reply_codes(size_t *n)
{
	*n = sizeof codes / sizeof *codes;
	return codes;
}

const struct reply_pair *
reply_pairs(size_t *n)
{
	*n = sizeof pairs / sizeof *pairs;
	return pairs;
}

const char *
reply_command_name(enum reply_command command)
{
	assert(command < CMD_END);
	return names[command];
}

bool
reply_allowed(enum reply_command command, unsigned code)
{
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
		if (pairs[i].command == command && pairs[i].code == code)
			return true;
	return false;
}
