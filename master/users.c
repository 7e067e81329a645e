/*
 * users.c - the users that the processes become.
 */
#include <err.h>
#include <pwd.h>
#include <unistd.h>

#include "common/run/process.h"
#include "master/master.h"

static const struct passwd *
user(const char *name)
{
	const struct passwd *pw = getpwnam(name);

	if (pw == NULL)
		errx(1,
		    "user %s is missing; systemd-sysusers, or by hand "
		    "what sysusers.d/sallyport.conf names, would be right",
		    name);
	if (pw->pw_uid == 0)
		errx(1, "user %s must not be root", name);
	return pw;
}

static void
mailbox_owners(const struct conf *c)
{
	for (size_t i = 0; i < c->ndomains; i++) {
		const struct conf_domain *d = &c->domains[i];

		if (d->owner[0] != '\0')
			user(d->owner);
		else if (d->users != USERS_SYSTEM)
			user(USER_MAILBOX);
	}
}

void
users_find(
    const struct master *m, const struct conf *conf, struct directory_owner *o)
{
	const struct passwd *pw;

	o->queue = o->root = geteuid();
	o->queue_group = o->root_group = o->control_group = getegid();
	/* Without root there is one user for all. */
	if (!m->root)
		return;
	for (unsigned kind = 0; kind < PEER_END; kind++)
		if (process_user((enum peer)kind) != NULL)
			user(process_user((enum peer)kind));
	mailbox_owners(conf);
	o->control_group = user(process_user(PEER_CONTROL))->pw_gid;
	pw = user(process_user(PEER_QUEUE));
	o->queue = pw->pw_uid;
	o->queue_group = pw->pw_gid;
	o->root_group = 0;
}
