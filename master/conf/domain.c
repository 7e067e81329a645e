/*
 * domain.c - domain "NAME" { … }: whose mail is delivered here, and how.
 */
#include <pwd.h>
#include <unistd.h>

#include "master/conf/setting.h"
#include "master/conf/value.h"

static void
read_users(struct reading *r, const struct setting *s, void *base,
    unsigned line, const char *value)
{
	struct conf_domain *d = base;

	if (strcmp(value, "system") == 0)
		d->users = USERS_SYSTEM;
	else if (strcmp(value, "any") == 0)
		d->users = USERS_ANY;
	else if (span_starts(span_of(value), "file:") &&
	    setting_path(r, d->users_file, sizeof d->users_file,
		value + strlen("file:")))
		d->users = USERS_FILE;
	else
		setting_wrong(r, s, line, value);
}

/* %u is the user, %d the domain, %% a per cent sign. */
static bool
placeholders_ok(const char *path)
{
	for (const char *p = strchr(path, '%'); p != NULL;
	     p = strchr(p + 2, '%'))
		if (p[1] == '\0' || strchr("ud%", p[1]) == NULL)
			return false;
	return true;
}

static bool
maildir(struct reading *r, struct conf_domain *d, const char *path)
{
	d->deliver = DELIVER_MAILDIR;
	if (!placeholders_ok(path))
		return false;
	if (path[0] != '~')
		return setting_path(r, d->path, sizeof d->path, path);
	return path[1] == '/' && path[2] != '\0' &&
	    span_copy(d->path, sizeof d->path, span_of(path));
}

static bool
lmtp(struct conf_domain *d, const char *target)
{
	d->deliver = DELIVER_LMTP;
	d->port = 0;
	return value_endpoint(
		   span_of(target), d->host, sizeof d->host, &d->port) &&
	    d->port != 0;
}

static void
read_deliver(struct reading *r, const struct setting *s, void *base,
    unsigned line, const char *value)
{
	static const char *const later[] = {
		"mbox:", "program:", "lmtp:unix:"
	};
	struct conf_domain *d = base;
	struct span v = span_of(value);

	r->deliver_line = line;
	for (size_t i = 0; i < sizeof later / sizeof later[0]; i++)
		if (span_starts(v, later[i])) {
			problems_add(r->problems, line,
			    "deliver = \"%s…\" is not supported by this "
			    "version; %s would be right",
			    later[i], s->right);
			return;
		}
	if (span_starts(v, "maildir:") &&
	    maildir(r, d, value + strlen("maildir:")))
		return;
	if (span_starts(v, "lmtp:") && lmtp(d, value + strlen("lmtp:")))
		return;
	setting_wrong(r, s, line, value);
}

static void
read_owner(struct reading *r, const struct setting *s, void *base,
    unsigned line, const char *value)
{
	struct conf_domain *d = base;
	const struct passwd *pw;

	if (!value_user(span_of(value)) ||
	    !span_copy(d->owner, sizeof d->owner, span_of(value))) {
		setting_wrong(r, s, line, value);
		return;
	}
	/* Without root everything belongs to whoever runs it. */
	pw = geteuid() == 0 ? getpwnam(value) : NULL;
	if (strcmp(value, "root") == 0 || (pw != NULL && pw->pw_uid == 0))
		problems_add(r->problems, line,
		    "owner = \"%s\" is the superuser; another user would be "
		    "right",
		    value);
	else if (geteuid() == 0 && pw == NULL)
		problems_add(r->problems, line,
		    "owner = \"%s\": there is no such user; one of the "
		    "password "
		    "file would be right",
		    value);
}

static void
read_plus(struct reading *r, const struct setting *s, void *base, unsigned line,
    const char *value)
{
	/* What RFC 5321's atext has beside letters and digits, without what
	 * means something in a path or a pattern. */
	static const char marks[] = "+-_=#!$&'^`{|}";
	struct conf_domain *d = base;

	if (strlen(value) > 1 ||
	    (*value != '\0' && strchr(marks, *value) == NULL) ||
	    !span_copy(d->plus, sizeof d->plus, span_of(value)))
		setting_wrong(r, s, line, value);
}

static void
read_moved(struct reading *r, const struct setting *s, void *base,
    unsigned line, const char *value)
{
	struct conf_domain *d = base;

	if (!span_starts(span_of(value), "file:") ||
	    !setting_path(r, d->moved_file, sizeof d->moved_file,
		value + strlen("file:")))
		setting_wrong(r, s, line, value);
}

static void
read_aliases(struct reading *r, const struct setting *s, void *base,
    unsigned line, const char *value)
{
	struct conf_domain *d = base;

	if (value[0] == '\0' || value[strlen(value) - 1] == '/' ||
	    !setting_path(r, d->aliases, sizeof d->aliases, value))
		setting_wrong(r, s, line, value);
}

#define AT(field) offsetof(struct conf_domain, field)

static const struct setting settings[] = {
	{ "users", read_users, "system", 0, 0, 0,
	    "\"system\", \"any\" or \"file:PATH\"", false },
	{ "deliver", read_deliver, "maildir:~/Maildir", 0, 0, 0,
	    "\"maildir:PATH\" (with %u for the user, %d for the domain) or "
	    "\"lmtp:HOST:PORT\"",
	    false },
	{ "owner", read_owner, NULL, 0, 0, 0, "the name of a user", false },
	{ "plus", read_plus, "", 0, 0, 0, "one mark like \"+\" or \"-\"",
	    false },
	{ "refuse", setting_read_choice, "no", AT(refuse), 0, 0,
	    "\"no\" or \"yes\"", false },
	{ "moved", read_moved, NULL, 0, 0, 0, "\"file:PATH\"", false },
	{ "moved_reply", setting_read_choice, "forward", AT(moved_tell), 0, 0,
	    "\"forward\" or \"tell\"", false },
	{ "aliases", read_aliases, NULL, 0, 0, 0, "the path of a file", false },
};

static void *
open_domain(struct reading *r, unsigned line, const char *title)
{
	struct conf *c = r->conf;
	struct conf_domain *d;
	char name[ADDRESS_DOMAIN_MAX + 1];

	if (title[0] == '[' || !address_domain_ok(span_of(title)) ||
	    !span_copy(name, sizeof name, span_of(title))) {
		problems_add(r->problems, line,
		    "domain \"%s\" is no domain name; one like \"example.org\" "
		    "would be right",
		    title);
		return NULL;
	}
	for (char *p = name; *p != '\0'; p++)
		*p = ascii_lower(*p);
	for (size_t i = 0; i < c->ndomains; i++)
		if (strcmp(c->domains[i].name, name) == 0) {
			problems_add(r->problems, line,
			    "domain \"%s\" stands twice; once would be right",
			    name);
			return NULL;
		}
	d = setting_grow(r, &c->domains, &c->ndomains, sizeof *d);
	if (d != NULL)
		memcpy(d->name, name, sizeof name);
	return d;
}

static void
close_domain(struct reading *r, void *base, unsigned line)
{
	const struct conf_domain *d = base;

	(void)line;
	/* Only a system user has a home. */
	if (d->users != USERS_SYSTEM && d->deliver == DELIVER_MAILDIR &&
	    d->path[0] == '~')
		problems_add(r->problems, r->deliver_line,
		    "deliver = \"maildir:%s\" needs users = \"system\"; a path "
		    "like \"maildir:/var/vmail/%%d/%%u\" would be right",
		    d->path);
}

const struct setting_place *
setting_domain(void)
{
	static const struct setting_place place = { "domain", settings,
		sizeof settings / sizeof settings[0], open_domain,
		close_domain };

	return &place;
}
