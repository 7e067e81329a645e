/*
 * catalogue.c - the replies that Sallyport itself gives, as one table.
 *
 * The texts are for people: what is wrong and what would be right.  An argument
 * stands where the row has its '%'; a text must read well without it too.
 */
#include <assert.h>

#include "common/mail/reply.h"

static const struct reply_row rows[R_COUNT] = {
	[R_GREETING] = { "greeting", 220, { 0 }, "% ESMTP Sallyport",
	    "RFC 5321 section 4.3.1", SCOPE_SESSION },
	[R_BYE] = { "bye", 221, { 2, 0, 0 }, "% closing connection",
	    "RFC 5321 section 4.1.1.10", SCOPE_SESSION },
	[R_HELO] = { "helo", 250, { 0 }, "%", "RFC 5321 section 4.1.1.1",
	    SCOPE_SESSION },
	[R_DONE] = { "ok", 250, { 2, 0, 0 }, "OK", "RFC 5321 section 4.2.3",
	    SCOPE_SESSION },
	[R_SENDER_OK] = { "sender-ok", 250, { 2, 1, 0 }, "Sender OK",
	    "RFC 5321 section 3.3", SCOPE_MESSAGE },
	[R_CHUNK] = { "chunk", 250, { 2, 0, 0 }, "Chunk received, % octets so far",
	    "RFC 3030 section 2", SCOPE_MESSAGE },
	[R_RCPT_OK] = { "rcpt-ok", 250, { 2, 1, 5 }, "Recipient OK",
	    "RFC 5321 section 3.3", SCOPE_RECIPIENT },
	[R_QUEUED] = { "queued", 250, { 2, 0, 0 }, "% queued",
	    "RFC 5321 section 4.2.5", SCOPE_MESSAGE },
	[R_DELIVERED] = { "delivered", 250, { 2, 0, 0 }, "Delivered: %",
	    "RFC 3463 section 2", SCOPE_RECIPIENT },
	[R_EXPANDED] = { "expanded", 250, { 2, 1, 5 }, "Expanded to %",
	    "RFC 5321 section 3.9", SCOPE_RECIPIENT },
	[R_CANNOT_VRFY] = { "cannot-vrfy", 252, { 2, 5, 2 },
	    "Cannot verify, but will take mail for it; try RCPT",
	    "RFC 5321 section 3.5.3", SCOPE_RECIPIENT },
	[R_HELP] = { "help", 214, { 2, 0, 0 }, "Commands: %",
	    "RFC 5321 section 4.1.1.8", SCOPE_SESSION },
	[R_TOPIC] = { "help-topic", 214, { 2, 0, 0 }, "%",
	    "RFC 5321 section 4.1.1.8", SCOPE_SESSION },
	[R_STATUS] = { "status", 211, { 2, 0, 0 },
	    "% takes mail; HELP tells the commands", "RFC 821 section 4.1.1",
	    SCOPE_SESSION },
	[R_VERIFIED] = { "verified", 250, { 2, 1, 5 }, "<%>",
	    "RFC 5321 section 3.5.2", SCOPE_RECIPIENT },
	[R_WILL_FORWARD] = { "will-forward", 251, { 2, 1, 5 },
	    "User not local, will forward to <%>", "RFC 5321 section 3.4",
	    SCOPE_RECIPIENT },
	[R_DATA] = { "data", 354, { 0 },
	    "Send the message; end it with <CRLF>.<CRLF>",
	    "RFC 5321 section 4.1.1.4", SCOPE_MESSAGE },
	[R_SHUTDOWN] = { "shutdown", 421, { 4, 3, 2 },
	    "% shutting down, try again later", "RFC 5321 section 3.8",
	    SCOPE_SESSION },
	[R_TIMEOUT] = { "timeout", 421, { 4, 4, 2 },
	    "% waited too long for you, closing connection",
	    "RFC 5321 section 4.5.3.2.7", SCOPE_SESSION },
	[R_TOO_MANY_SESSIONS] = { "too-many-sessions", 421, { 4, 7, 0 },
	    "% too many connections, try again later", "RFC 5321 section 4.2.1",
	    SCOPE_SESSION },
	[R_TOO_MANY_FROM_CLIENT] = { "too-many-from-client", 421, { 4, 7, 0 },
	    "% too many connections from your address",
	    "RFC 5321 section 4.2.1", SCOPE_SESSION },
	[R_TOO_MANY_USELESS] = { "too-many-useless", 421, { 4, 7, 0 },
	    "% too many commands without a message, closing connection",
	    "RFC 5321 section 4.2.1", SCOPE_SESSION },
	[R_NO_SERVICE] = { "no-service", 421, { 4, 3, 2 },
	    "% takes no mail now, try again later", "RFC 5321 section 3.8",
	    SCOPE_SESSION },
	[R_UNAVAILABLE] = { "unavailable", 421, { 4, 3, 0 },
	    "% cannot serve you now, try again later", "RFC 5321 section 4.2.1",
	    SCOPE_SESSION },
	[R_LOCAL_ERROR] = { "local-error", 451, { 4, 3, 0 },
	    "Local error, try again later: %", "RFC 5321 section 4.2.3",
	    SCOPE_RECIPIENT },
	[R_QUEUE_ERROR] = { "queue-error", 451, { 4, 3, 0 },
	    "Message could not be stored, try again later",
	    "RFC 5321 section 4.2.5", SCOPE_MESSAGE },
	[R_AGENT_DIED] = { "agent-died", 451, { 4, 3, 0 },
	    "Delivery was cut short, will be tried again",
	    "RFC 5321 section 4.5.4.1", SCOPE_RECIPIENT },
	[R_DAMAGED] = { "damaged", 451, { 4, 3, 0 },
	    "Content of the message was damaged on our disk",
	    "RFC 5321 section 4.2.3", SCOPE_MESSAGE },
	[R_TABLE_ERROR] = { "table-error", 451, { 4, 3, 0 },
	    "Address cannot be looked up now, try again later",
	    "RFC 5321 section 4.2.3", SCOPE_RECIPIENT },
	[R_TOO_MANY_RCPTS] = { "too-many-rcpts", 452, { 4, 5, 3 },
	    "Too many recipients, send the rest in another message",
	    "RFC 5321 section 4.5.3.1.10", SCOPE_MESSAGE },
	[R_NO_SPACE] = { "no-space", 452, { 4, 3, 1 },
	    "Not enough disk space, try again later", "RFC 5321 section 4.2.3",
	    SCOPE_SESSION },
	[R_LINE_TOO_LONG] = { "line-too-long", 500, { 5, 5, 2 },
	    "Line is over the length limit: %", "RFC 5321 section 4.5.3.1.9",
	    SCOPE_SESSION },
	[R_BAD_LINE] = { "bad-line", 500, { 5, 5, 2 },
	    "Bare CR, bare LF or NUL in a command; lines end with CRLF",
	    "RFC 5321 section 2.3.8", SCOPE_SESSION },
	[R_UNKNOWN_COMMAND] = { "unknown-command", 500, { 5, 5, 1 },
	    "Command not recognized", "RFC 5321 section 4.2.4", SCOPE_SESSION },
	[R_SYNTAX] = { "syntax", 501, { 5, 5, 4 }, "Syntax error: %",
	    "RFC 5321 section 4.3.2", SCOPE_SESSION },
	[R_BAD_ADDRESS] = { "bad-address", 501, { 5, 1, 3 },
	    "Bad recipient address, must be <local-part@domain>",
	    "RFC 5321 section 4.1.2", SCOPE_RECIPIENT },
	[R_BAD_SENDER] = { "bad-sender", 501, { 5, 1, 7 },
	    "Bad sender address, must be <local-part@domain> or <>",
	    "RFC 5321 section 4.1.2", SCOPE_MESSAGE },
	[R_NOT_IMPLEMENTED] = { "not-implemented", 502, { 5, 5, 1 },
	    "Command not implemented", "RFC 5321 section 4.2.4",
	    SCOPE_SESSION },
	[R_SEQUENCE] = { "sequence", 503, { 5, 5, 1 },
	    "Bad sequence of commands: %", "RFC 5321 section 4.1.4",
	    SCOPE_SESSION },
	[R_NO_VALID_RCPTS] = { "no-valid-rcpts", 554, { 5, 5, 1 },
	    "No valid recipients", "RFC 5321 section 4.1.1.4", SCOPE_MESSAGE },
	[R_BAD_PARAMETER] = { "bad-parameter", 504, { 5, 5, 4 },
	    "Parameter not implemented: %", "RFC 5321 section 4.2.2",
	    SCOPE_SESSION },
	[R_UNKNOWN_PARAMETER] = { "unknown-parameter", 555, { 5, 5, 4 },
	    "Parameter not recognized or not implemented: %",
	    "RFC 5321 section 4.1.1.11", SCOPE_MESSAGE },
	[R_NO_SUCH_USER] = { "no-such-user", 550, { 5, 1, 1 },
	    "No such user here: %", "RFC 5321 section 3.3", SCOPE_RECIPIENT },
	[R_USER_MOVED] = { "user-moved", 551, { 5, 1, 6 },
	    "User not local, please try <%>", "RFC 5321 section 3.4",
	    SCOPE_RECIPIENT },
	[R_MAILBOX_NAME] = { "mailbox-name", 553, { 5, 1, 3 },
	    "No mailbox here can have this name: %", "RFC 5321 section 4.2.2",
	    SCOPE_RECIPIENT },
	[R_OUR_NAME] = { "our-name", 550, { 5, 7, 1 },
	    "That is the name of this host, say EHLO with your own: %",
	    "RFC 5321 section 4.1.4", SCOPE_SESSION },
	[R_HOST_REFUSES] = { "host-refuses", 521, { 5, 3, 2 },
	    "% takes no mail", "RFC 7504 section 3", SCOPE_SESSION },
	[R_DOMAIN_REFUSES] = { "domain-refuses", 521, { 5, 3, 2 },
	    "This domain takes no mail: %", "RFC 7504 section 4",
	    SCOPE_DOMAIN },
	[R_RELAY_DENIED] = { "relay-denied", 550, { 5, 7, 1 },
	    "Relaying denied: %", "RFC 5321 section 3.6.2", SCOPE_DOMAIN },
	[R_BARE_NEWLINE] = { "bare-newline", 550, { 5, 6, 0 },
	    "Bare CR, bare LF or NUL in the message; lines end with CRLF",
	    "RFC 5321 section 2.3.8", SCOPE_MESSAGE },
	[R_LOOP] = { "loop", 554, { 5, 4, 6 },
	    "Mail loop: the message was here too often already",
	    "RFC 5321 section 6.3", SCOPE_MESSAGE },
	[R_ALIAS_LOOP] = { "alias-loop", 554, { 5, 4, 6 },
	    "Alias leads back to itself", "RFC 3463 section 3.5",
	    SCOPE_RECIPIENT },
	[R_ALIAS_TOO_LARGE] = { "alias-too-large", 554, { 5, 4, 6 },
	    "Alias leads to too many addresses, or through too many aliases",
	    "RFC 3463 section 3.5", SCOPE_RECIPIENT },
	[R_TOO_BIG] = { "too-big", 552, { 5, 3, 4 },
	    "Message is over the size limit: %", "RFC 1870 section 6",
	    SCOPE_MESSAGE },
	[R_MAILBOX_CLOSED] = { "mailbox-closed", 450, { 4, 2, 1 },
	    "Mailbox takes no mail at the moment, try again later: %",
	    "RFC 5321 section 4.2.3", SCOPE_RECIPIENT },
	[R_OVER_QUOTA] = { "over-quota", 552, { 5, 2, 2 },
	    "Mailbox is over its limit: %", "RFC 5321 section 4.2.3",
	    SCOPE_RECIPIENT },
	[R_NOT_ACTIVE] = { "not-active", 450, { 4, 2, 1 },
	    "User is not at a terminal, send mail instead: %",
	    "RFC 821 section 3.4", SCOPE_RECIPIENT },
	[R_MAILBOX_FULL] = { "mailbox-full", 452, { 4, 2, 2 },
	    "Mailbox is full: %", "RFC 3463 section 3.3", SCOPE_RECIPIENT },
	[R_NO_HOME] = { "no-home", 450, { 4, 2, 0 },
	    "Home directory is missing or not mounted: %",
	    "RFC 3463 section 3.3", SCOPE_RECIPIENT },
	[R_MAILBOX_UNSAFE] = { "mailbox-unsafe", 451, { 4, 3, 5 },
	    "Owner or mode of the mailbox forbids delivery: %",
	    "RFC 3463 section 3.4", SCOPE_RECIPIENT },
	[R_DNS_TEMPORARY] = { "dns-temporary", 451, { 4, 4, 3 },
	    "DNS gave no answer, will be tried again: %",
	    "RFC 5321 section 5.1", SCOPE_DOMAIN },
	[R_NO_SUCH_DOMAIN] = { "no-such-domain", 550, { 5, 1, 2 },
	    "No such domain: %", "RFC 5321 section 5.1", SCOPE_DOMAIN },
	[R_NULL_MX] = { "null-mx", 556, { 5, 1, 10 },
	    "Domain accepts no mail: %", "RFC 7505", SCOPE_DOMAIN },
	[R_NO_HOST] = { "no-host", 451, { 4, 4, 1 }, "No host answered: %",
	    "RFC 5321 section 5.1", SCOPE_HOST },
	[R_HOST_TIMEOUT] = { "host-timeout", 451, { 4, 4, 2 },
	    "Host did not reply in time: %", "RFC 5321 section 4.5.3.2",
	    SCOPE_HOST },
	[R_HOST_CLOSED] = { "host-closed", 451, { 4, 4, 2 },
	    "Connection to the host was lost: %", "RFC 5321 section 3.8",
	    SCOPE_HOST },
	[R_HOST_GARBAGE] = { "host-garbage", 451, { 4, 5, 0 },
	    "Host did not answer in SMTP: %", "RFC 5321 section 4.2",
	    SCOPE_HOST },
	[R_MAIL_LOOPS_BACK] = { "mail-loops-back", 554, { 5, 4, 6 },
	    "Mail for this domain would come back to us: %",
	    "RFC 5321 section 5.1", SCOPE_DOMAIN },
	[R_NO_8BITMIME] = { "no-8bitmime", 554, { 5, 6, 3 },
	    "Next hop cannot take 8-bit content: %", "RFC 6152 section 3",
	    SCOPE_MESSAGE },
	[R_EARLY_TALKER] = { "early-talker", 554, { 5, 5, 0 },
	    "You spoke before you were greeted", "RFC 5321 section 4.3.1",
	    SCOPE_SESSION },
	[R_NEEDS_SMTPUTF8] = { "needs-smtputf8", 553, { 5, 6, 7 },
	    "Address is not ASCII; MAIL needs the parameter SMTPUTF8",
	    "RFC 6531 section 3.5", SCOPE_RECIPIENT },
	[R_NO_SMTPUTF8] = { "no-smtputf8", 550, { 5, 6, 7 },
	    "Next hop cannot take internationalized mail: %",
	    "RFC 6531 section 3.5", SCOPE_MESSAGE },
	[R_NO_BINARYMIME] = { "no-binarymime", 554, { 5, 6, 1 },
	    "Next hop cannot take binary content: %", "RFC 3030 section 3",
	    SCOPE_MESSAGE },
	[R_EXPIRED] = { "expired", 554, { 5, 4, 7 },
	    "Could not be delivered in time, gave up: %",
	    "RFC 5321 section 4.5.4.1", SCOPE_RECIPIENT },
	[R_STOPPING] = { "stopping", 451, { 4, 3, 2 },
	    "System is stopping, will be tried again", "RFC 3463 section 3.4",
	    SCOPE_RECIPIENT },
	[R_NOT_RELOADED] = { "not-reloaded", 554, { 5, 3, 5 },
	    "Not reloaded, the configuration before goes on",
	    "RFC 3463 section 3.4", SCOPE_MESSAGE },
};

static const char *own[R_COUNT];

void
reply_set_text(enum reply_name name, const char *text)
{
	assert(name < R_COUNT);
	own[name] = text;
}

const char *
reply_text_of(enum reply_name name)
{
	const char *text = reply_row(name)->text;

	return own[name] != NULL ? own[name] : text;
}

const char *
reply_text_wrong(enum reply_name name, const char *text)
{
	const char *row = reply_row(name)->text;
	size_t n = strlen(text), places = 0;

	if (n == 0 || n > REPLY_OWN_MAX)
		return "a text of 1 to 200 characters";
	for (size_t i = 0; i < n; i++) {
		if (text[i] < ' ' || text[i] > '~')
			return "printable ASCII";
		places += text[i] == '%';
	}
	if (text[0] >= '0' && text[0] <= '9')
		return "a text that does not look like a code";
	if (places > (strchr(row, '%') != NULL ? 1 : 0))
		return strchr(row, '%') != NULL ? "at most one %"
						: "a text without %";
	/* RFC 5321 section 4.2 wants the host's name or the address there, and
	 * clients take the id of a message from it. */
	if (row[0] == '%' && (text[0] != '%' || (text[1] != ' ' && n > 1)))
		return "% at its beginning";
	if (strstr(row, "<%>") != NULL && strstr(text, "<%>") == NULL)
		return "<%> in it";
	return NULL;
}

const struct reply_row *
reply_row(enum reply_name name)
{
	assert(name < R_COUNT);
	return &rows[name];
}

bool
reply_by_name(struct span name, enum reply_name *out)
{
	for (size_t i = 0; i < R_COUNT; i++)
		if (span_eq(name, span_of(rows[i].name))) {
			*out = (enum reply_name)i;
			return true;
		}
	return false;
}
