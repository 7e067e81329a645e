/*
 * files.c - see files.h.
 */
#include <stdlib.h>

#include "lookup/files.h"
#include "lookup/tables/users_file.h"

struct files {
	const struct conf *conf;
	struct table_file **of; /* by domain; the watch's */
};

static bool
make(struct files *f, struct table_watch *watch)
{
	const struct conf *c = f->conf;

	for (size_t i = 0; i < c->ndomains; i++) {
		if (c->domains[i].users != USERS_FILE)
			continue;
		f->of[i] = table_watch_add(
		    watch, &users_file_kind, c->domains[i].users_file);
		if (f->of[i] == NULL)
			return false;
	}
	return true;
}

struct files *
files_new(const struct conf *conf, struct table_watch *watch)
{
	struct files *f = calloc(1, sizeof *f);

	if (f == NULL)
		return NULL;
	f->conf = conf;
	f->of = calloc(conf->ndomains + 1, sizeof(struct table_file *));
	if (f->of == NULL || !make(f, watch)) {
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
	free(f);
}

struct table_file *
files_of(const struct files *f, const struct conf_domain *domain)
{
	return f->of[domain - f->conf->domains];
}
