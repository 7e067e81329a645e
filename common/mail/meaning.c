/*
 * meaning.c - for people: why each reply of the catalogue is given, and what
 * its reader can do.
 *
 * Only those who explain replies read this; a reply itself carries its text.
 */
#include <assert.h>

#include "common/mail/reply.h"

#define NOTHING "nothing needs to be done"
#define RETRIED "it is tried again by itself; trace tells each attempt"

static const struct reply_meaning meanings[R_COUNT] = {
	[R_GREETING] = { "a client has come", NOTHING },
	[R_BYE] = { "the client said QUIT", NOTHING },
	[R_HELO] = { "the client said HELO or EHLO with its name", NOTHING },
	[R_DONE] = { "the command did what it is for", NOTHING },
	[R_SENDER_OK] = { "a message begins", NOTHING },
	[R_RCPT_OK] = { "the recipient is taken", NOTHING },
	[R_QUEUED] = { "the message is on disk, under this id", NOTHING },
	[R_DELIVERED] = { "the message is in the mailbox", NOTHING },
	[R_EXPANDED] = { "the recipient is an alias; the message goes on to "
			 "what it leads to, as a message of its own",
	    NOTHING },
	[R_CANNOT_VRFY] = { "who exists is told to clients that may relay, and "
			    "of other hosts' users nothing is known",
	    "disclose = \"yes\" tells everybody" },
	[R_HELP] = { "the client said HELP", NOTHING },
	[R_TOPIC] = { "the client said HELP with a command", NOTHING },
	[R_STATUS] = { "the client said HELP STATUS", NOTHING },
	[R_VERIFIED] = { "VRFY or EXPN of an address that gets mail here",
	    NOTHING },
	[R_WILL_FORWARD] = { "the address stands in the file of `moved'; mail "
			     "goes to the new one",
	    "tell the sender of the new address, or set moved_reply" },
	[R_CHUNK] = { "a BDAT that is not the last was taken", NOTHING },
	[R_DATA] = { "the message may be sent", NOTHING },
	[R_SHUTDOWN] = { "the service stops or is restarted",
	    "the client tries again by itself" },
	[R_TIMEOUT] = { "nothing came from the client within command_timeout "
			"or data_timeout",
	    "look at the client or the network; raise the setting where both "
	    "are just slow" },
	[R_TOO_MANY_SESSIONS] = { "max_sessions are open",
	    "raise max_sessions, or find who has them by `sallyport status' "
	    "and the log" },
	[R_TOO_MANY_FROM_CLIENT] = { "this address has "
				     "max_sessions_per_client connections, or "
				     "this user of the host half of "
				     "max_sessions",
	    "raise the setting, or have the client use fewer" },
	[R_TOO_MANY_USELESS] = { "max_useless_commands without a message",
	    "look at what the client does; raise the setting where it must" },
	[R_NO_SERVICE] = { "smtpd was started from outside and found no "
			   "service at runtime/smtpd.sock",
	    "start the service; where it runs, look at -r" },
	[R_UNAVAILABLE] = { "a process that must be asked is away for the "
			    "moment",
	    "the log tells which one ended and why" },
	[R_LOCAL_ERROR] = { "a process that must be asked is away or did not "
			    "answer in time",
	    "the client tries again; the log tells what went wrong" },
	[R_QUEUE_ERROR] = { "the log of the queue could not be written",
	    "look for event=log_failed, and at the disk of the spool" },
	[R_AGENT_DIED] = { "the process that delivered it ended", RETRIED },
	[R_DAMAGED] = { "the content does not have the hash that it was "
			"accepted with",
	    "look at the disk; `sallyport trace' tells whose message it is" },
	[R_TABLE_ERROR] = { "a users file cannot be read, or the entry of "
			    "this recipient is wrong, or users move in "
			    "circles",
	    "look for events named table_* in the log and mend the file; it is "
	    "read "
	    "again by itself" },
	[R_TOO_MANY_RCPTS] = { "the message has max_recipients already",
	    "a client sends the rest in another message; or raise the "
	    "setting" },
	[R_NO_SPACE] = { "less than spool_reserve is free on the spool's disk",
	    "make room; mail is taken again by itself" },
	[R_LINE_TOO_LONG] = { "a command line longer than max_line",
	    "raise max_line where an honest client needs it" },
	[R_BAD_LINE] = { "a command line with a CR or LF alone, or a NUL",
	    "mend the client: lines end with CRLF" },
	[R_UNKNOWN_COMMAND] = { "what came is no command of this server",
	    "HELP lists those that there are" },
	[R_SYNTAX] = { "the command is not written as it must be",
	    "the text says what would be right" },
	[R_BAD_ADDRESS] = { "what stands there is no address",
	    "mend the address: <local-part@domain>" },
	[R_BAD_SENDER] = { "the sender is no address",
	    "mend the address: <local-part@domain>, or <> for a bounce" },
	[R_NOT_IMPLEMENTED] = { "the command is not offered, to anybody or to "
				"this client",
	    "see disclose, send and commands_off" },
	[R_SEQUENCE] = { "the command came too early or too late",
	    "the text says what must come first" },
	[R_NO_VALID_RCPTS] = { "all recipients were refused",
	    "see the replies to RCPT" },
	[R_BAD_PARAMETER] = { "a parameter, topic or kind of address that is "
			      "not known",
	    "leave it out" },
	[R_UNKNOWN_PARAMETER] = { "a parameter of MAIL or RCPT that EHLO did "
				  "not offer",
	    "mend the client: it may use what EHLO lists" },
	[R_NO_SUCH_USER] = { "the domain is ours and has no such user",
	    "mend the address, or add the user" },
	[R_USER_MOVED] = { "the address stands in the file of `moved'",
	    "use the new address, which the text tells" },
	[R_MAILBOX_NAME] = { "no user's name begins with a dot or hyphen, has "
			     "a slash, or is longer than 64 octets",
	    "mend the address" },
	[R_RELAY_DENIED] = { "the domain is not ours, and the client may not "
			     "relay",
	    "add the client to relay_from, or the domain where its mail "
	    "belongs here" },
	[R_OUR_NAME] = { "a client that may not relay says EHLO with our "
			 "hostname",
	    "mend the client; where it is ours, add it to relay_from" },
	[R_HOST_REFUSES] = { "refuse is set where the client came in",
	    "send elsewhere; relay_from is served all the same" },
	[R_DOMAIN_REFUSES] = { "the domain has refuse = \"yes\"",
	    "write to another domain" },
	[R_BARE_NEWLINE] = { "the message has a CR or LF alone, or a NUL",
	    "mend the client; bare_newlines = \"convert\" takes it" },
	[R_LOOP] = { "more Received fields than a sound way has, or our own "
		     "Delivered-To",
	    "find the forwarding that goes in a circle" },
	[R_ALIAS_LOOP] = { "an alias leads back to itself, and no user has "
			   "its name",
	    "mend the aliases file; the log has file and line" },
	[R_ALIAS_TOO_LARGE] = { "an alias leads to more than 100,000 "
				"addresses, through more than 20 others, or "
				"to more than a segment of the log holds",
	    "split the list, or raise segment_size" },
	[R_TOO_BIG] = { "the message is larger than message_size, or than the "
			"next hop takes",
	    "send less, or raise message_size" },
	[R_MAILBOX_CLOSED] = { "state=busy in the users file",
	    "take it out when the mailbox is ready; the mail waits" },
	[R_MAILBOX_FULL] = { "the mailbox reached its limit behind the "
			     "acceptance",
	    "make room in it; it is tried again until `expire'" },
	[R_OVER_QUOTA] = { "state=full in the users file",
	    "make room in the mailbox, then take it out" },
	[R_NOT_ACTIVE] = { "SEND is for terminals, and nobody is at one",
	    "use MAIL" },
	[R_NO_HOME] = { "the directory that the mailbox belongs in is not "
			"there",
	    "mount or make it; " RETRIED },
	[R_MAILBOX_UNSAFE] = { "owner or mode of the mailbox, or of what it "
			       "lies in, lets others in or the user out",
	    "mend owner and mode; " RETRIED },
	[R_DNS_TEMPORARY] = { "the name servers gave no answer",
	    "look at `resolver' and the network; " RETRIED },
	[R_NO_SUCH_DOMAIN] = { "the domain does not exist, or has no host for "
			       "mail",
	    "mend the address" },
	[R_NULL_MX] = { "the domain says in DNS that it takes no mail",
	    "use another address" },
	[R_NO_HOST] = { "none of the hosts could be reached", RETRIED },
	[R_HOST_TIMEOUT] = { "the host did not reply within RFC 5321's times",
	    RETRIED },
	[R_HOST_CLOSED] = { "the host closed, or the network lost, the "
			    "connection",
	    RETRIED },
	[R_HOST_GARBAGE] = { "what the host sent is no SMTP reply",
	    "see that the route leads to a mail server; " RETRIED },
	[R_MAIL_LOOPS_BACK] = { "the best host for the domain is this one, "
				"which has no such domain",
	    "add the domain, or a route, or mend its MX records" },
	[R_NO_8BITMIME] = { "the message has 8-bit content, and the next hop "
			    "does not offer 8BITMIME",
	    "send it in quoted-printable or base64, or by another route" },
	[R_EARLY_TALKER] = { "a client that may not relay sent something "
			     "before it was greeted",
	    "mend the client; early_talkers = \"allow\" serves it all the "
	    "same" },
	[R_NEEDS_SMTPUTF8] = { "an address has letters beyond ASCII, and MAIL "
			       "did not say SMTPUTF8",
	    "mend the client, or use an address in ASCII" },
	[R_NO_SMTPUTF8] = { "the message needs SMTPUTF8, and the next hop does "
			    "not offer it",
	    "use addresses and header fields in ASCII, or another route" },
	[R_NO_BINARYMIME] = { "the message came as BINARYMIME, and the next "
			      "hop does not take that",
	    "send it in base64, or by another route" },
	[R_EXPIRED] = { "it was tried until `expire' was over",
	    "the reply before it says what was wrong" },
	[R_STOPPING] = { "the service stops",
	    "nothing is lost: it is tried again at the next start" },
	[R_NOT_RELOADED] = { "the configuration is wrong, or an `expect' of "
			     "it not met",
	    "the lines above it say where; the one before stays in force" },
};

const struct reply_meaning *
reply_meaning(enum reply_name name)
{
	assert(name < R_COUNT);
	return &meanings[name];
}
