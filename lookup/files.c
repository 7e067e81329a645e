/*
 * files.c - see files.h.
 */
#include <stdlib.h>

#include "lookup/files.h"
#include "lookup/tables/aliases_table.h"
#include "lookup/tables/users_file.h"

struct files {
	const struct conf *conf;
	struct table_file *(*of)[2]; /* by domain, form; the watch's */
	struct table_file **aliases; /* by domain */
};

static bool
make(struct files *f, struct table_watch *watch)
{
	const struct conf *c = f->conf;

	for (size_t i = 0; i < c->ndomains; i++) {
		const struct conf_domain *d = &c->domains[i];
		struct table_file **of = f->of[i];

		if (d->users == USERS_FILE &&
		    (of[USERS_FORM_VALUES] = table_watch_add(
			 watch, &users_file_kind, d->users_file)) == NULL)
			return false;
		if (d->moved_file[0] != '\0' &&
		    (of[USERS_FORM_MOVED] = table_watch_add(
			 watch, &moved_file_kind, d->moved_file)) == NULL)
			return false;
		if (d->aliases[0] != '\0' &&
		    (f->aliases[i] = table_watch_add(
			 watch, &aliases_kind, d->aliases)) == NULL)
			return false;
	}
	return true;
}

bool
files_needed(const struct conf *c)
{
	for (size_t i = 0; i < c->ndomains; i++)
		if (c->domains[i].users == USERS_FILE ||
		    c->domains[i].moved_file[0] != '\0' ||
		    c->domains[i].aliases[0] != '\0')
			return true;
	return false;
}

struct files *
files_new(const struct conf *conf, struct table_watch *watch)
{
	struct files *f = calloc(1, sizeof *f);

	if (f == NULL)
		return NULL;
	f->conf = conf;
	f->of = calloc(conf->ndomains + 1, sizeof *f->of);
	f->aliases = calloc(conf->ndomains + 1, sizeof f->aliases[0]);
	if (f->of == NULL || f->aliases == NULL || !make(f, watch)) {
		files_free(f);
		return NULL;
	}
	return f;
}

void
files_free(struct files *f)
{
	if (f == NULL)
		return;
	free(f->of);
	free(f->aliases);
	free(f);
}

struct table_file *
files_of(const struct files *f, const struct conf_domain *domain,
    enum users_form form)
{
	return f->of[domain - f->conf->domains][form];
}

struct table_file *
files_aliases(const struct files *f, const struct conf_domain *domain)
{
	return f->aliases[domain - f->conf->domains];
}
