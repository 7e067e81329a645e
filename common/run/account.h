/*
 * account.h - system users, asked of a helper process.
 *
 * getpwnam(3) may read files, load modules and wait for a directory server that
 * is away: nothing that a confined event loop could do.  So a helper is forked
 * before the process confines itself; it is asked over a socket, one question
 * at a time, and has no way to write a file, to become another user or to start
 * a program.  Every question has a time limit.  A helper that died or hangs for
 * good ends the process that has it, and master starts both anew.
 *
 * Answers are kept for a few seconds: a user is asked for at RCPT, when the
 * message is routed, and when it is delivered.
 */
#ifndef ACCOUNT_H
#define ACCOUNT_H

#include <sys/types.h>

#include <event2/event.h>

#include "common/run/conf.h"

#define ACCOUNT_GROUPS_MAX   128 /* further groups are left out */
#define ACCOUNT_SECONDS	     10	 /* for an answer; below SMTPD_LOOKUP_SECONDS */
#define ACCOUNT_HUNG_SECONDS 120 /* without one: the helper is given up */
#define ACCOUNT_KEEP_FOUND   5	 /* seconds that an answer is used again */
#define ACCOUNT_KEEP_NONE    1
#define ACCOUNT_ENTRIES_MAX  2048

enum account_state {
	ACCOUNT_FOUND,
	ACCOUNT_NONE,  /* there is no such user */
	ACCOUNT_ERROR, /* not known now: a timeout, a directory that is away */
	ACCOUNT_STATE_END
};

struct account {
	enum account_state state;
	char name[CONF_USER_MAX + 1];
	char home[CONF_PATH_MAX];
	uid_t uid;
	gid_t gid;
	uint32_t ngroups; /* where asked for; the user's own is among them */
	gid_t groups[ACCOUNT_GROUPS_MAX];
};

struct accounts;

/* Fork the helper, which becomes `user` (NULL: stays).  For prepare();
 * fatal() on failure. */
struct accounts *accounts_start(
    const struct conf *, const char *user, bool groups);
/* Once there is a loop; NULL is fine. */
void accounts_begin(struct accounts *, struct event_base *);
/* The helper ends; questions are forgotten.  NULL is fine. */
void accounts_free(struct accounts *);

/* A name that a system user could have, and that is one of a file as well:
 * no control character, blank, '/', or ':', neither '.' nor '-' in front. */
bool account_name_ok(struct span);

/* `answer` is called once, maybe before this returns; *account is the caller's
 * until answer returns.  A name that is not ok is ACCOUNT_NONE. */
typedef void account_answer(void *arg, const struct account *);
void accounts_ask(
    struct accounts *, struct span name, account_answer *, void *arg);
/* No answer any more for whoever asked with this arg. */
void accounts_forget(struct accounts *, void *arg);

#endif
