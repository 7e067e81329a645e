/*
 * maildir.h - a message into a Maildir, as the user whose it is.
 *
 * A message is written to tmp/, synced, and gets its name in new/ by a rename
 * that never replaces anything; then new/ is synced.  The steps are apart so
 * that several messages can share their syncs.
 *
 * The name is made of the message's id and the recipient's number, so that a
 * delivery which is repeated because its result was lost finds the message that
 * is already there, in new/ or (seen by the user) in cur/.  The name in tmp/
 * has the number of the attempt as well: no two attempts share a file, and one
 * that takes over (`maybe`) first removes what earlier ones left, after which
 * they can no longer deliver, should they still run.
 *
 * Below the base directory no symbolic link is ever followed: every step goes
 * through the descriptor of the step before.
 */
#ifndef MAILDIR_H
#define MAILDIR_H

#include "common/mail/reply.h"

#define MAILDIR_NAME_MAX 255
/* Of the host in a name: flags and sizes that readers add have room as well. */
#define MAILDIR_HOST_MAX 128

struct maildir {
	int tmp, new, cur;
};

struct maildir_file {
	char name[MAILDIR_NAME_MAX + 1]; /* in new/ */
	char tmp[MAILDIR_NAME_MAX + 1];	 /* in tmp/ */
	int fd;				 /* -1: not open */
};

/* The directory that is the user's territory, "" none: home, or the root of the
 * virtual mailboxes. */
struct maildir_base {
	const char *path;
	bool home; /* R_NO_HOME if it is missing; else it is made, as far as
			 * the user may */
};

/*
 * Open the Maildir `path`, relative to the base, and make what is missing of
 * it.  0, or -1 with *why.
 */
int maildir_open(struct maildir *, const struct maildir_base *,
    const char *path, struct reply *why);
void maildir_close(struct maildir *);

/* What the message is called. */
void maildir_name(struct maildir_file *, uint64_t id, uint32_t recipient,
    uint64_t attempt, const char *hostname);

/* Only with `maybe`, before maildir_create: 1 if the message is there already,
 * 0 if not (and no earlier attempt can still put it there), -1 with *why. */
int maildir_has(
    struct maildir *, const struct maildir_file *, struct reply *why);
/* Each 0, or -1 with *why, and then nothing is left of the file. */
int maildir_create(struct maildir *, struct maildir_file *, struct reply *why);
/* After fsync of f->fd, which gave `err` (0: it is on disk).  Closes it. */
int maildir_synced(
    struct maildir *, struct maildir_file *, int err, struct reply *why);
/* A name that is there already is a message that was delivered. */
int maildir_publish(struct maildir *, struct maildir_file *, struct reply *why);
/* After fsync of m->new, which gave `err`: 0 if what was published stays there.
 * Else -1 with *why, and the caller withdraws it. */
int maildir_settled(int err, struct reply *why);

/* Give up before publishing, and after it. */
void maildir_abandon(struct maildir *, struct maildir_file *);
void maildir_withdraw(struct maildir *, struct maildir_file *);

#endif
