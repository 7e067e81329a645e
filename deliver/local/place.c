/*
 * place.c - mailbox paths, taken apart.  queue passes on what lookup said, and
 * neither is believed: a path is checked again here, and an owner must be one
 * of the configuration.
 */
#include <sys/stat.h>

#include "common/run/process.h"
#include "deliver/local/place.h"

static bool
path_ok(struct span path)
{
	if (path.n == 0 || path.p[path.n - 1] == '/')
		return false;
	for (size_t i = 0; i < path.n; i++)
		if ((unsigned char)path.p[i] < ' ' || path.p[i] == 127)
			return false;
	while (path.n > 0) {
		struct span name = span_cut(&path, '/');

		if (name.n == 0 || span_is(name, ".") || span_is(name, ".."))
			return false;
	}
	return true;
}

/* Cut off the last component; false if nothing but "/" would be left. */
static bool
cut_last(char *path)
{
	char *slash = strrchr(path, '/');

	if (slash == NULL || slash == path)
		return false;
	*slash = '\0';
	return true;
}

bool
place_root(char dst[CONF_PATH_MAX], const struct conf_domain *d)
{
	struct span t = span_of(d->path), fixed = span_cut(&t, '%');

	dst[0] = '\0';
	if (d->deliver != DELIVER_MAILDIR || d->path[0] != '/' ||
	    !span_copy(dst, CONF_PATH_MAX, fixed))
		return false;
	if (!cut_last(dst))
		span_copy(dst, CONF_PATH_MAX, SPAN("/"));
	return true;
}

bool
place_existing(char path[CONF_PATH_MAX])
{
	struct stat st;

	while (stat(path, &st) == -1 || !S_ISDIR(st.st_mode))
		if (!cut_last(path))
			return false;
	return strcmp(path, "/") != 0;
}

const char *
place_owner(const struct conf_domain *d, bool root)
{
	if (d->users == USERS_SYSTEM || d->deliver != DELIVER_MAILDIR)
		return NULL;
	if (d->owner[0] != '\0')
		return d->owner;
	return root ? USER_MAILBOX : "";
}

bool
place_owner_ok(const struct conf *conf, const char *owner, bool root)
{
	for (size_t i = 0; i < conf->ndomains; i++) {
		const char *one = place_owner(&conf->domains[i], root);

		if (one != NULL && strcmp(one, owner) == 0)
			return true;
	}
	return false;
}

/* Is `path` below `root`, and what is it from there? */
static bool
below(struct span path, const char *root, struct span *rest)
{
	size_t n = strcmp(root, "/") == 0 ? 0 : strlen(root);

	if (!span_starts(path, root) || path.n <= n + 1 || path.p[n] != '/')
		return false;
	*rest = span_skip(path, n + 1);
	return true;
}

/* May a users file name mailboxes of this owner? */
static bool
has_users_file(const struct conf *conf, const char *owner)
{
	for (size_t i = 0; i < conf->ndomains; i++) {
		const struct conf_domain *d = &conf->domains[i];

		if (d->users != USERS_FILE || d->deliver != DELIVER_MAILDIR)
			continue;
		if (strcmp(owner, d->owner) == 0 ||
		    (d->owner[0] == '\0' &&
			(owner[0] == '\0' || strcmp(owner, USER_MAILBOX) == 0)))
			return true;
	}
	return false;
}

/* The longest root of the configuration that the path is below. */
static bool
place_below_root(struct place *p, const struct conf *conf, struct span path)
{
	char root[CONF_PATH_MAX];
	struct span rest, best = path;
	size_t longest = 0;

	for (size_t i = 0; i < conf->ndomains; i++) {
		if (!place_root(root, &conf->domains[i]) ||
		    !below(path, root, &rest) || strlen(root) <= longest)
			continue;
		longest = strlen(root);
		best = rest;
		span_copy(p->base, sizeof p->base, span_of(root));
	}
	return longest > 0 && span_copy(p->rest, sizeof p->rest, best);
}

/* A mailbox that a users file names: its own directory is the base. */
static bool
place_alone(struct place *p, struct span path)
{
	struct span rest;

	if (!span_copy(p->base, sizeof p->base, path))
		return false;
	return cut_last(p->base) && below(path, p->base, &rest) &&
	    span_copy(p->rest, sizeof p->rest, rest);
}

static bool
place_absolute(struct place *p, const struct conf *conf,
    const struct route *route, struct span path)
{
	p->home = false;
	if (place_below_root(p, conf, path))
		return true;
	return route->kind == ROUTE_MAILDIR_VIRTUAL &&
	    has_users_file(conf, route->user) && place_alone(p, path);
}

bool
place_find(struct place *p, const struct conf *conf, const struct route *route,
    const struct account *account)
{
	struct span path = span_of(route->path);
	bool absolute = path.n > 0 && path.p[0] == '/';

	/* "Maildir/" is what others call it. */
	if (path.n > 1 && path.p[path.n - 1] == '/')
		path.n--;
	if (!path_ok(span_skip(path, absolute)))
		return false;
	if (absolute)
		return place_absolute(p, conf, route, path);
	if (route->kind != ROUTE_MAILDIR_SYSTEM || account->home[0] != '/')
		return false;
	p->home = true;
	return span_copy(p->base, sizeof p->base, span_of(account->home)) &&
	    span_copy(p->rest, sizeof p->rest, path);
}
